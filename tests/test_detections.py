from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facetl.errors import DetectionsError
from facetl.results.detections import Detections, FrameResult, Run, Skipped
from facetl.results.json_file import save_run, writing_run
from facetl.results.json_lines import writing_lines
from facetl.results.parquet import ShardHead, writing_shard
from facetl.results.store import SHARDS_SUFFIX, SUFFIXES, load_run

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TWO = Detections.from_lists([[1, 2, 3, 4], [5, 6, 7, 8]], [0.9, 0.1], np.arange(20))


@st.composite
def frames(draw: st.DrawFn) -> FrameResult:
    count = draw(st.integers(0, 3))
    numbers = draw(st.lists(FLOATS, min_size=15 * count, max_size=15 * count))
    boxes, scores, landmarks = np.split(np.array(numbers), [4 * count, 5 * count])
    return FrameResult(
        image=draw(NAMES),
        size_hw=(draw(st.integers(1, 9999)), draw(st.integers(1, 9999))),
        detections=Detections.from_lists(boxes, scores, landmarks),
        candidates={"pnet": draw(st.integers(0, 999)), "rnet": 3, "onet": count},
        seconds=draw(st.floats(0, 1e6)),
        time=draw(st.none() | st.floats(0, 1e6)),
        tracks=draw(st.none() | st.tuples(*[st.none() | st.integers(0, 99)] * count)),
        carried=draw(st.booleans()),
    )


def run_of(*frames: FrameResult, **changes: Any) -> Run:
    values = {"name": "tuned", "settings": {"thresholds": [0.1, 0.2, 0.2]}, "frames": frames}
    return Run(**{**values, **changes})


def frame_with(detections: Detections) -> FrameResult:
    return FrameResult("a/001.jpg", (360, 480), detections, {"pnet": 9, "rnet": 2, "onet": 1}, 0.03)


def saved(folder: Path) -> Path:
    path = folder / "tuned.detections.json"
    save_run(path, run_of(frame_with(TWO), skipped=(Skipped("b.jpg", "is empty"),)))
    return path


# ---- the value


def test_detections_are_filtered_together() -> None:
    best = TWO[TWO.scores > 0.5]
    assert (len(TWO), len(best), len(Detections.empty())) == (2, 1, 0)
    assert best.boxes.tolist() == [[1, 2, 3, 4]]
    assert best.landmarks.tolist() == [[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]]
    assert TWO[::-1].scores.tolist() == TWO[np.array([1, 0])].scores.tolist()


def test_a_number_gives_a_face_and_so_does_each_step() -> None:
    first, second = TWO
    assert first == TWO[0] == TWO[np.int64(0)] == TWO[-2]
    assert (first.box, first.track) == ((1, 2, 3, 4), None)
    assert first.landmarks == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
    assert first.score == TWO.scores[0]
    assert second in TWO
    assert replace(first, score=0.5) not in TWO
    assert pickle.loads(pickle.dumps(first)) == first
    assert len({first, TWO[0], second}) == 2
    with pytest.raises(IndexError):
        TWO[2]
    assert list(Detections.empty()) == []
    assert isinstance(TWO[[0]], Detections)
    assert isinstance(TWO[TWO.scores > 2], Detections)
    assert TWO.above(0.1).scores.tolist() == TWO.scores.tolist()
    assert TWO.above(0.5).scores.tolist() == TWO.scores[:1].tolist()


def test_the_faces_of_a_frame_have_their_tracks() -> None:
    frame = replace(frame_with(TWO), time=0.5, tracks=(7, None))
    assert [face.track for face in frame.faces] == [7, None]
    assert [face.track for face in frame_with(TWO).faces] == [None, None]
    assert frame.faces[1] == TWO[1]
    assert frame._repr_html_() == TWO._repr_html_()


def test_a_run_says_what_it_is() -> None:
    run = run_of(frame_with(TWO), frame_with(TWO[:1]), skipped=(Skipped("b.jpg", "is empty"),))
    assert repr(run) == "<Run 'tuned': 3 faces in 2 frames, 1 skipped>"


def test_no_detections_have_their_shapes() -> None:
    nobody = Detections.empty()
    assert [nobody.boxes.shape, nobody.landmarks.shape] == [(0, 4), (0, 5, 2)]
    assert nobody.scores.dtype == nobody.boxes.dtype == np.float32


@pytest.mark.parametrize("column", ["boxes", "landmarks"])
def test_columns_of_different_length_are_refused(column: str) -> None:
    columns: Any = {"boxes": TWO.boxes, "scores": TWO.scores, "landmarks": TWO.landmarks}
    columns[column] = columns[column][:1]
    with pytest.raises(ValueError, match=rf"expected {column} of shape \(2, .+\), got \(1, "):
        Detections(**columns)


def test_every_detection_of_a_video_frame_has_its_track() -> None:
    with pytest.raises(ValueError, match="expected 2 tracks, got 1"):
        replace(frame_with(TWO), time=0.5, tracks=(7,))


# ---- the file


def test_frames_that_were_not_searched_do_not_count_in_the_means() -> None:
    first = replace(frame_with(TWO), seconds=0.5, candidates={"pnet": 30, "onet": 2})
    other = replace(frame_with(TWO), seconds=0.1, candidates={"pnet": 10})
    still = replace(first, seconds=0.0, candidates={}, carried=True)
    run = run_of(first, still, still, other, still)
    assert run.seconds_per_frame == pytest.approx(0.3)
    assert run.candidates_per_frame == {"pnet": 20.0, "onet": 1.0}
    assert np.isnan(run_of(still).seconds_per_frame)
    assert run_of(still).candidates_per_frame == {}


@given(st.lists(frames(), max_size=3), st.lists(st.builds(Skipped, NAMES, NAMES), max_size=2))
@settings(max_examples=50)
def test_round_trip_is_exact(results: list[FrameResult], skipped: list[Skipped]) -> None:
    before = run_of(*results, skipped=tuple(skipped))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.detections.json"
        save_run(path, before)
        after = load_run(path)
    assert (after.name, after.settings) == (before.name, before.settings)
    assert after.skipped == before.skipped
    assert len(after.frames) == len(before.frames)
    for frame, expected in zip(after.frames, before.frames, strict=True):
        for column in ("image", "size_hw", "candidates", "seconds"):
            assert getattr(frame, column) == getattr(expected, column)
        for column in ("boxes", "scores", "landmarks"):
            values = getattr(frame.detections, column)
            assert values.tobytes() == getattr(expected.detections, column).tobytes()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"detections": replace(TWO, boxes=TWO.boxes * np.float32("nan"))}, "boxes that are not"),
        (
            {"detections": replace(TWO, scores=TWO.scores * np.float32("inf"))},
            "scores that are not finite",
        ),
        (
            {"detections": replace(TWO, landmarks=TWO.landmarks + np.float32("inf"))},
            "landmarks that are not",
        ),
        ({"time": float("nan")}, "a time that is no finite number"),
        ({"size_hw": (-1, 5)}, "a count that is negative"),
        ({"size_hw": (2**31, 5)}, "a count that is negative, or 2³¹ and more"),
        ({"candidates": {"pnet": 10**400}}, "a count"),
        ({"tracks": (None, -1)}, "a count"),
        ({"tracks": (2**31, 1)}, "a count"),
    ],
)
def test_what_no_reader_takes_is_not_made(change: dict[str, Any], found: str) -> None:
    """So no writer can write it: nothing but the image is lost, and it is named."""
    with pytest.raises(ValueError, match=rf"^a/001\.jpg: found {found}"):
        replace(frame_with(TWO), **change)


# ---- every writer and its reader

ODD = st.floats(width=32) | st.sampled_from([0.0, -0.0, 1e-40, 40.0, 30.0, 1e9, 3e38, 5.0, 7.5])


@st.composite
def odd_frames(draw: st.DrawFn) -> FrameResult | None:
    """A frame of any numbers, boxes of any shape; None where it cannot be made."""
    count = draw(st.integers(0, 3))
    counts = st.integers(-1, 2**31)
    try:
        return FrameResult(
            image=draw(st.sampled_from(["a.png", "b/ü.png", "c d.png", "e,f.png"])),
            size_hw=draw(st.tuples(counts, counts) | st.just((30, 40))),
            detections=Detections.from_lists(
                [[draw(ODD) for _ in range(4)] for _ in range(count)],
                [draw(ODD) for _ in range(count)],
                np.full((count, 5, 2), draw(ODD)),
            ),
            candidates={"pnet": draw(counts)},
            seconds=draw(st.floats()),
            time=draw(st.none() | st.floats()),
            tracks=draw(st.none() | st.tuples(*[st.none() | counts] * count)),
            carried=draw(st.booleans()),
        )
    except ValueError as error:
        message = str(error)
    assert ".png: found " in message, "the image is named"
    return None


def run_shards(path: Path, run: Run) -> None:
    with writing_shard(path / "part-000000.parquet", ShardHead(run.name, {}, 0, 1, "")) as writer:
        for frame in run.frames:
            writer.add(frame)
        for skipped in run.skipped:
            writer.skip(skipped)


def run_lines(path: Path, run: Run) -> None:
    with writing_lines(path, run.name, {}) as writer:
        for frame in run.frames:
            writer.add(frame)
        for skipped in run.skipped:
            writer.skip(skipped)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("a.detections.json", save_run),
        ("a.detections.jsonl", run_lines),
        ("a.detections.parquet", run_shards),
    ],
)
@given(
    made=st.lists(odd_frames(), max_size=3),
    skipped=st.lists(st.builds(Skipped, st.text(max_size=9), st.text(max_size=9)), max_size=2),
)
@settings(max_examples=60, deadline=None)
def test_no_file_is_written_that_is_not_read(
    name: str, save: Callable[[Path, Run], None], made: list[FrameResult | None], skipped: Any
) -> None:
    results = tuple(frame for frame in made if frame)
    with TemporaryDirectory() as folder:
        save(Path(folder) / name, Run("a", {}, results, tuple(skipped)))
        again = load_run(Path(folder) / name)
    assert len(again.skipped) == len(skipped)
    for found, frame in zip(again.frames, results, strict=True):
        for column, values in vars(frame.detections).items():
            np.testing.assert_array_equal(getattr(found.detections, column), values)
        assert (found.image, found.size_hw, found.time) == (frame.image, frame.size_hw, frame.time)
        assert (found.tracks, found.candidates) == (frame.tracks, frame.candidates)


def test_numbers_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    document = json.loads(saved(tmp_path).read_text(encoding="utf-8"))
    # As a float64 the nearest float32 to 0.1 would be 0.10000000149011612.
    assert document["frames"][0]["scores"] == [0.9, 0.1]


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    document = json.loads(saved(tmp_path).read_text(encoding="utf-8"))
    assert (document["format"], document["version"]) == ("facetl-detections", 1)
    assert document["skipped"] == [{"image": "b.jpg", "reason": "is empty"}]
    assert document["frames"][0]["candidates"] == {"pnet": 9, "rnet": 2, "onet": 1}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"3", b"null", b'{"format": "facetl-detections"}'],
)
def test_no_detections_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    complain(tmp_path / "a.json", "not a detections file")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    complain(tmp_path / "a.json", "not a detections file")
    complain(tmp_path, "not a detections file")


@pytest.mark.parametrize(("key", "value"), [("version", 2), ("format", "coco"), ("version", [1])])
def test_another_format_or_version(tmp_path: Path, key: str, value: object) -> None:
    path = saved(tmp_path)
    damage(path, lambda document: document.update({key: value}))
    complain(path, "expected 'facetl-detections' version 1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("boxes", [[1, 2, 3, 4]]),
        ("boxes", [[1, 2, 3], [4]]),
        ("boxes", "none"),
        ("scores", None),
        ("scores", ["high", "low"]),
        ("landmarks", []),
        ("size_hw", [1]),
        ("size_hw", [float("inf"), 2]),
        ("size_hw", [1e300, 2]),
        ("candidates", [1, 2, 3]),
        ("candidates", {"pnet": "many"}),
        ("candidates", {"pnet": -1}),
        ("candidates", {"pnet": 10**308}),
        ("seconds", "long"),
    ],
)
def test_a_damaged_frame(tmp_path: Path, key: str, value: object) -> None:
    path = saved(tmp_path)
    damage(path, lambda document: document["frames"][0].update({key: value}))
    complain(path, "damaged detections")


@pytest.mark.parametrize("key", ["name", "settings", "frames", "skipped"])
def test_a_missing_part(tmp_path: Path, key: str) -> None:
    path = saved(tmp_path)
    damage(path, lambda document: document.pop(key))
    complain(path, f"damaged detections (KeyError: '{key}')")


def damage(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def complain(path: Path, expected: str) -> None:
    with pytest.raises(DetectionsError) as caught:
        load_run(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert expected in message
    assert "with facetl detect" in message
    assert "\n" not in message


# ---- frame by frame


def test_the_file_is_one_json_document_as_ever(tmp_path: Path) -> None:
    text = saved(tmp_path).read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), ensure_ascii=False) + "\n"
    assert list(json.loads(text)) == [
        *("format", "version", "facetl", "name", "settings"),
        *("frames", "skipped"),
    ]


def test_a_writer_writes_as_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.detections.json"
    with writing_run(path, "a", {"min_face": 20.0}) as writer:
        writer.skip(Skipped("b.jpg", "is empty"))
        for _ in range(3):
            writer.add(frame_with(TWO))
            assert not path.exists()
    run = load_run(path)
    assert (run.name, len(run.frames), run.skipped) == ("a", 3, (Skipped("b.jpg", "is empty"),))


def test_a_run_without_frames(tmp_path: Path) -> None:
    with writing_run(tmp_path / "a.json", "a", {}):
        pass
    assert load_run(tmp_path / "a.json").frames == ()


def test_nothing_is_left_of_a_run_that_breaks_off(tmp_path: Path) -> None:
    def break_off() -> None:
        with writing_run(tmp_path / "a.json", "a", {}) as writer:
            writer.add(frame_with(TWO))
            raise KeyError("broken off")

    with pytest.raises(KeyError):
        break_off()
    with pytest.raises(TypeError), writing_run(tmp_path / "a.json", "a", {"no": object()}):
        pass
    nothing: Any = object()
    with pytest.raises(TypeError), writing_run(tmp_path / "a.json", "a", {}) as writer:
        writer.skip(Skipped("b.jpg", nothing))
    assert list(tmp_path.iterdir()) == []


def test_what_is_shown_begins_at_a_score_and_keeps_its_tracks() -> None:
    frame = replace(frame_with(TWO), time=0.5, tracks=(7, None))
    assert frame.above(0.9).detections.scores.tolist() == TWO.scores[:1].tolist()  # 0.9 itself too
    assert frame.above(0.9).tracks == (7,)
    assert frame.above(0).tracks == (7, None)
    assert frame.above(1).tracks == ()
    assert frame_with(TWO).above(0.5).tracks is None
    run = run_of(frame, frame_with(TWO))
    assert (run.count, run.above(0.5).count, run.above(1).count) == (4, 2, 0)
    assert run.above(1).frames[0].image == frame.image


@pytest.mark.parametrize(
    ("told", "score"),
    [(0.92, 0.92), (0, 0.0), (1, 1.0), (None, 0.7), ("0.5", 0.7), (1.5, 0.7), (True, 0.7)],
)
def test_a_run_tells_from_which_score_it_is_shown(tmp_path: Path, told: Any, score: float) -> None:
    save_run(tmp_path / "a.detections.json", run_of(settings={"score": told}))
    assert load_run(tmp_path / "a.detections.json").score == score
    assert run_of(settings={}).score == 0.7


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", ["pipe", "/dev/zero", "/proc/kmsg"])
def test_what_has_no_end_is_neither_waited_for_nor_read(
    suffix: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / f"tuned{suffix}"
    if suffix == SHARDS_SUFFIX:
        path.mkdir()
        path /= "part-000000.parquet"
    os.mkfifo(path) if what == "pipe" else path.symlink_to(what)
    with pytest.raises(DetectionsError):
        load_run(tmp_path / f"tuned{suffix}")


def test_a_line_without_an_end_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facetl.results.json_lines.LONGEST_LINE", 100)
    (path := tmp_path / "tuned.detections.jsonl").write_text(" " * 1_000)
    with pytest.raises(DetectionsError, match="damaged"):
        load_run(path)
