"""``facetl convert``: round trips through every pair of formats, and what it refuses."""

from __future__ import annotations

import itertools
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import assert_refused, left_in, success
from PIL import Image

from facetl.cli import main
from facetl.commands import convert as command
from facetl.data.dataset import FaceDataset, load_dataset, load_sources
from facetl.data.discovery import find_parts
from facetl.data.formats.coco import Coco
from facetl.data.formats.conversion import save_dataset
from facetl.data.formats.course import load_annotations, save_annotations
from facetl.data.formats.table import FORMATS, writable
from facetl.data.formats.voc import _whole_pixels
from facetl.data.frame import Frame, Part
from facetl.errors import FacetlError, ImageError, InputError, OutputError, UsageError
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.json_file import save_run

pytestmark = pytest.mark.usefixtures("sketched")

TO_BE_IMPORTED = ("cvat", "label-studio")
"""What is written for these tools is not what they export."""
WRITABLE = [name for name in writable() if FORMATS[name].is_read and name not in TO_BE_IMPORTED]
"""Formats that are written and read."""

PLACES = (
    "a.png",
    "dad/b c.png",
    "images/ü 雪.png",
    "10.00\u202fAM.png",
    "dad/images/d.png",
    "e.PNG",
)
WORDS = st.text(st.sampled_from("aZ0é雪<&>'\"#:{}[],-!%$\\*|~@`"), min_size=1, max_size=5)
LABELS = st.none() | st.lists(WORDS, min_size=1, max_size=3).map(" ".join).filter(
    lambda label: label != "face"
)


@st.composite
def faces(draw: st.DrawFn, width: int, height: int) -> tuple[float, ...]:
    """A box of any size inside the image."""
    spans = []
    for side in (width, height):
        start = draw(st.floats(0, side - 0.01))
        end = draw(st.floats(start + 0.01, side))
        spans.append((start, end) if draw(st.booleans()) else (int(start), int(start) + 1))
    (x1, x2), (y1, y2) = spans
    return x1, y1, x2, y2


@st.composite
def some_frames(draw: st.DrawFn) -> list[Frame]:
    """Up to three frames, some without faces; the pictures do not lie anywhere yet.

    No two faces of a frame have the same whole pixels: they would be read as one.
    """
    frames = []
    for name in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3, unique=True)):
        width, height = draw(st.integers(1, 60)), draw(st.integers(1, 60))
        boxes = draw(st.lists(faces(width, height), max_size=3, unique_by=_whole_pixels))
        labels = tuple(draw(LABELS) for _ in boxes)
        frames.append(Frame(Path(name), name, np.array(boxes), labels, (height, width)))
    return sorted(frames, key=lambda frame: Path(frame.name))


def save_pictures(root: Path, frames: list[Frame]) -> list[Frame]:
    """Draw the frames' pictures below ``root``; return the frames that know where."""
    placed = []
    for frame in frames:
        path = root / frame.name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", frame.size_hw[::-1]).save(path)
        placed.append(Frame(path, frame.name, frame.boxes, frame.labels, frame.size_hw))
    return placed


def assert_same(dataset: FaceDataset, frames: list[Frame], tolerance: float) -> None:
    assert dataset.problems == ()
    assert [frame.name for frame in dataset] == [frame.name for frame in frames]
    for found, frame in zip(dataset, frames, strict=True):
        assert (found.labels, found.size_hw) == (frame.labels, frame.size_hw)
        np.testing.assert_allclose(found.boxes, frame.boxes, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(WRITABLE, WRITABLE)))
@settings(max_examples=8)
@given(frames=some_frames())
def test_every_pair_of_formats_keeps_boxes_labels_and_empty_frames(
    first: str, second: str, frames: list[Frame]
) -> None:
    tolerance = 1.0 if "voc" in (first, second) else 1e-5
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        placed = save_pictures(root / "frames", frames)
        save_dataset(root / "first", first, {"train": placed})
        between = load_dataset(root / "first")
        assert_same(between, frames, tolerance)
        save_dataset(root / "second", second, {"train": between.frames}, "link")
        assert_same(load_dataset(root / "second"), frames, tolerance)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(WRITABLE, WRITABLE)))
@pytest.mark.parametrize(
    "named", [("train", "val"), ("train", "test"), ("val", "test"), ("train", "val", "test")]
)
def test_parts_stay_what_they_are(
    tmp_path: Path, first: str, second: str, named: tuple[Part, ...]
) -> None:
    frames = [
        Frame(Path(f"{part}.png"), f"{part}.png", np.array([[1, 2, 9, 9]]), (None,), (30, 40))
        for part in named
    ]
    placed = save_pictures(tmp_path / "frames", frames)
    parts = {part: [frame] for part, frame in zip(named, placed, strict=True)}
    save_dataset(tmp_path / "first", first, parts)
    between = load_parts(tmp_path / "first")
    save_dataset(tmp_path / "second", second, between)
    found = load_parts(tmp_path / "second")
    assert {part: [f.name for f in members] for part, members in found.items()} == {
        part: [f"{part}.png"] for part in named
    }
    assert_same(load_dataset(tmp_path / "second", part="test"), frames[-1:], 0)


def load_parts(root: Path) -> dict[Part, tuple[Frame, ...]]:
    return {part: load_sources(sources).frames for part, sources in find_parts(root).items()}


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("form", WRITABLE)
def test_a_part_alone_is_a_data_set_without_parts(tmp_path: Path, form: str, part: Part) -> None:
    frame = Frame(Path("a.png"), "a.png", np.array([[1, 2, 9, 9]]), (None,), (30, 40))
    save_dataset(tmp_path / "out", form, {part: save_pictures(tmp_path / "frames", [frame])})
    assert list(load_parts(tmp_path / "out")) == ["train"]
    assert_same(load_dataset(tmp_path / "out", part="test"), [frame], 0)


@pytest.mark.parametrize(
    ("named", "val"), [("train", "train"), ("train test", "test"), ("train val test", "val")]
)
def test_ultralytics_always_finds_a_val(tmp_path: Path, named: Any, val: str) -> None:
    save_dataset(tmp_path / "out", "yolo", {part: [] for part in named.split()})
    document = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert (document["train"], document["val"]) == ("images/train", f"images/{val}")


# the command


def save_result(folder: Path) -> None:
    """Write what a detector found: the one face of the third frame, and nothing in the others."""
    found = Detections.from_lists([[0, 0, 40, 30]], [0.9], [[[0, 0]] * 5])
    results = [
        FrameResult(name, (30, 40), faces, {"pnet": 1}, 0.1)
        for name, faces in zip("abc", (Detections.empty(), Detections.empty(), found), strict=True)
    ]
    named = tuple(replace(each, image=f"{each.image}.png") for each in results)
    save_run(folder / "tuned.detections.json", Run("tuned", {}, named))


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Three frames of the course, one of them without a face."""
    root = tmp_path / "frames"
    root.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (40, 30)).save(root / name)
    (root / "faces.txt").write_text("a.png 1 2 11 12 dad\na.png 5 5 9.5 9\nc.png 0 0 40 30 mom\n")
    return root


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


@pytest.mark.parametrize(("placing", "kept"), [("copy", True), ("link", True), ("none", False)])
def test_what_becomes_of_the_images(frames: Path, placing: str, kept: bool) -> None:
    out = frames.parent / "out"
    result = success(convert(frames, out, "--to", "yolo", "--with-images", placing))
    assert result.stdout == f"3 frames, 3 faces\nwrote {out}\n"
    picture = out / "images/train/a.png"
    assert picture.is_file() == kept
    assert picture.is_symlink() == (placing == "link")
    assert (out / "labels/train/b.txt").read_text() == ""
    assert (out / "labels/train/c.txt").read_text() == "2 0.5 0.5 1 1\n"


def test_one_file_of_annotations(frames: Path) -> None:
    out = frames.parent / "all.json"
    success(convert(frames / "faces.txt", out, "--to", "coco"))
    assert Coco().load(out).images == ("a.png", "b.png", "c.png")
    result = success(convert(out, out.with_name("x.txt"), "--images", frames, "--to", "course"))
    assert "frames without faces, which this format cannot name: 1\n" in result.stderr
    assert load_annotations(out.with_name("x.txt")).faces["a.png"].labels == ("dad", None)


def test_a_part_alone(frames: Path) -> None:
    out = frames.parent / "out"
    for part in ("antrenare", "validare"):
        success(convert(frames, out / part / "x", "--to", "course"))
    result = success(convert(out, out.parent / "coco", "--to", "coco"))
    assert "train: 3 frames, 3 faces\ntest: 3 frames, 3 faces\n" in result.stdout
    documents = sorted((out.parent / "coco/annotations").iterdir())
    assert [path.name for path in documents] == ["instances_test.json", "instances_train.json"]
    success(convert(out, out.parent / "one", "--to", "coco", "--part", "test"))
    assert len(json.loads((out.parent / "one/annotations.json").read_text())["images"]) == 3
    refused = convert(out, out.parent / "two", "--to", "coco", "--part", "val")
    assert_refused(refused, "holds train, test but no val")
    assert_refused(convert(out, out.parent / "x.json", "--to", "coco"), "two frames named a.png")
    assert_refused(convert(out, out.parent / "voc", "--to", "voc"), "would share one file")


def test_nothing_is_overwritten_unasked(frames: Path) -> None:
    out = frames.parent / "out"
    (out / "labels").mkdir(parents=True)
    (out / "labels/old.txt").touch()
    (out / "notes.md").touch()
    assert_refused(convert(frames, out, "--to", "yolo"), f"{out} exists already")
    success(convert(frames, out, "--to", "yolo", "--force"))
    assert not (out / "labels/old.txt").exists()
    assert (out / "notes.md").exists()
    assert len(load_dataset(out)) == 3


def test_the_frames_themselves_are_never_replaced(frames: Path) -> None:
    success(convert(frames, frames.parent / "out", "--to", "yolo"))
    before = sorted((frames.parent / "out").rglob("*"))
    again = convert(frames.parent / "out", frames.parent / "out", "--to", "coco", "--force")
    assert_refused(again, "itself; choose another OUT")
    assert sorted((frames.parent / "out").rglob("*")) == before


def test_frames_are_not_written_among_the_frames(frames: Path) -> None:
    inside = frames / "out"
    assert_refused(convert(frames, inside, "--to", "coco"), "lies among the frames")
    success(convert(frames, inside, "--to", "coco", "--with-images", "none"))
    assert left_in(inside) == ["annotations.json"]


def test_a_failure_leaves_nothing_behind(frames: Path) -> None:
    Image.new("RGB", (40, 30)).save(frames / "a.jpg")
    assert_refused(convert(frames, frames.parent / "out", "--to", "voc"), "a.jpg and a.png")
    (frames / "a.jpg").unlink()
    (frames / "faces.txt").write_text("a.png 1 2 11 12\nz.png 1 2 3 4\n")
    assert_refused(convert(frames, frames.parent / "out", "--to", "voc"), "found no z.png in")
    assert [path.name for path in frames.parent.iterdir()] == ["frames"]
    skipped = convert(frames, frames.parent / "out", "--to", "voc", "--on-error", "skip")
    assert "1 image missing" in success(skipped).stderr


@pytest.mark.parametrize("form", ["coco", "yolo", "voc"])
def test_odd_labels_are_written_as_they_are_read(tmp_path: Path, form: str) -> None:
    given = ("two\nlines", "a\ud800", "\x01b", " $x\u2028y ", "\x00", "null", "1e3", "${x}")
    boxes = np.array([[1, 2, 3, 4]] * len(given))
    frame = Frame(Path("a.png"), "a.png", boxes, given, (30, 40))
    save_dataset(tmp_path / "out", form, {"train": save_pictures(tmp_path, [frame])})
    (found,) = load_dataset(tmp_path / "out")
    assert found.labels == ("two lines", "a?", "?b", "$x y", "?", "null", "1e3", "${x}")


@pytest.mark.parametrize("label", ["two\nlines", "a\ud800", "a\u2028b", " a"])
def test_a_label_that_the_course_cannot_hold(tmp_path: Path, label: str) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30)).save(path)
    frame = Frame(path, "a.png", np.array([[1, 2, 3, 4]]), (label,), (30, 40))
    with pytest.raises(Exception, match="would not be read back the same"):
        save_dataset(tmp_path / "out", "course", {"train": [frame]})
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        save_dataset(tmp_path / "file/out", "coco", {"train": []})


def test_a_frame_that_vanished_is_named_and_not_the_place(tmp_path: Path) -> None:
    frame = Frame(tmp_path / "gone.png", "gone.png", np.zeros((0, 4)), (), (30, 40))
    with pytest.raises(ImageError, match=r"gone\.png cannot be read \(No such file"):
        save_dataset(tmp_path / "out", "coco", {"train": [frame]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", WRITABLE)
@pytest.mark.parametrize("name", ["a\nb.png", "a\x07.png", "a\udcff.png", "a\\b.png", "x//a.png"])
def test_a_name_that_cannot_be_said_is_refused(tmp_path: Path, form: str, name: str) -> None:
    """File systems allow them; the frame would be lost on the way back, or worse."""
    frame = Frame(tmp_path / "a.png", name, np.array([[1, 2, 3, 4]]), (None,), (30, 40))
    with pytest.raises(OutputError, match="would not be read back the same; rename the file"):
        save_dataset(tmp_path / "out", form, {"train": [frame]}, "none")
    assert list(tmp_path.iterdir()) == []


ODD_EDGES = st.sampled_from([0.0, -1.0, 1e-9, 1e-4, 2e-4, 29.9999, 30.0, 39.99995, 40.0, 41.0])


@pytest.mark.parametrize("form", WRITABLE)
@settings(max_examples=40, deadline=None)
@given(
    box=st.tuples(*[ODD_EDGES | st.floats()] * 4),
    label=LABELS | st.text(max_size=4),
    size_hw=st.sampled_from([(30, 40)] * 4 + [(0, 40), (30, -1), (30, 10**9)]),
)
def test_odd_boxes_are_written_to_be_read_or_not_at_all(
    form: str, box: tuple[float, ...], label: str | None, size_hw: tuple[int, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        Image.new("RGB", (40, 30)).save(root / "a.png")
        frame = Frame(root / "a.png", "a.png", np.array([box]), (label,), size_hw)
        try:
            save_dataset(root / "out", form, {"train": [frame]}, "link")
            message = ""
        except FacetlError as error:
            message = str(error)
        if message:
            assert "a.png" in message, "the image is named"
            assert [each.name for each in root.iterdir()] == ["a.png"]
            return
        (found,) = load_dataset(root / "out")
        np.testing.assert_allclose(found.boxes, [box], atol=1.0 if form == "voc" else 1e-5)


@pytest.mark.parametrize("form", WRITABLE)
def test_two_frames_of_one_name_are_refused(tmp_path: Path, form: str) -> None:
    frame = Frame(tmp_path / "a.png", "a.png", np.zeros((0, 4)), (), (30, 40))
    with pytest.raises(OutputError, match=r"a\.png and a\.png would share one file"):
        save_dataset(tmp_path / "out", form, {"train": [frame, frame]}, "none")


@pytest.mark.parametrize(
    "idle",
    [
        ("--part", "test"),
        ("--format", "coco"),
        ("--images", "."),
        ("--with-images", "none"),
        ("--on-error", "skip"),
    ],
)
def test_options_for_annotations_are_refused_with_detections(
    tmp_path: Path, idle: tuple[str, str]
) -> None:
    run = Run("tuned", {}, (FrameResult("a.png", (12, 16), Detections.empty(), {}, 0.5),))
    save_run(tmp_path / "tuned.detections.json", run)
    place = (tmp_path / "tuned.detections.json", tmp_path / "out", "--to", "csv")
    result = convert(*place, *idle)
    assert result.exit_code == 2
    assert f"{idle[0]} is for annotations" in result.stderr
    assert not (tmp_path / "out").exists()
    success(convert(*place))


@pytest.mark.parametrize("target", ["csv", "npy"])
def test_annotations_are_no_detections(frames: Path, target: str) -> None:
    result = convert(frames, frames.parent / "out", "--to", target)
    assert result.exit_code == 2
    assert "is for detections" in result.stderr


def picked_frames(root: Path, videos: tuple[str, ...]) -> Path:
    """What ``facetl frames`` leaves: a folder and a text for each video, and a listing."""
    for video in videos:
        faces = {}
        for name in ("000004.png", "000123.png"):
            (root / video).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 30)).save(root / video / name)
            faces[name] = (np.array([[1, 2, 11, 12]]), [None])
        save_annotations(root / f"{video}_annotations.txt", faces)
    (root / "frames.csv").write_text("image,seconds\n")
    return root


def export_from_cvat(given: Path, corrected: Path) -> None:
    """Write what CVAT exports as COCO 1.0 once a box is moved, one deleted and one drawn.

    Its own ids and keys, https://docs.cvat.ai/docs/dataset_management/formats/format-coco/.
    """
    document = json.loads(given.read_text())
    face, *others = document["annotations"]
    kept = [{**face, "bbox": [3.0, 4.0, 20.5, 20.0]}, *others[1:]]
    drawn = {**face, "image_id": others[0]["image_id"], "bbox": [0.0, 0.0, 8.0, 9.0]}
    other = {**drawn, "bbox": [0.0, 1.0, 8.0, 9.0]}
    more = {"attributes": {"occluded": False, "rotation": 0.0}}
    extra = {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
    document["licenses"] = [{"name": "", "id": 0, "url": ""}]
    document["images"] = [{**image, **extra} for image in document["images"]]
    document["annotations"] = [
        {**each, **more, "id": number} for number, each in enumerate([*kept, drawn, other], start=1)
    ]
    corrected.write_text(json.dumps(document))


@pytest.mark.parametrize("videos", [("episode.mp4",), ("episode.mp4", "next.mp4")])
def test_the_readmes_road_ends_with_the_corrected_boxes(
    tmp_path: Path, videos: tuple[str, ...]
) -> None:
    frames = picked_frames(tmp_path / "frames", videos)
    success(convert(frames, tmp_path / "for-cvat", "--to", "cvat"))
    for name in [frame.name for frame in load_dataset(frames)]:
        assert (tmp_path / "for-cvat/images" / name).is_file()
    corrected = tmp_path / "corrected.json"
    export_from_cvat(tmp_path / "for-cvat/annotations.json", corrected)
    for place in (frames, tmp_path / "for-cvat"):
        dataset = load_dataset(place, annotations=corrected)
        assert dataset.problems == ()
        assert [len(frame.boxes) for frame in dataset][:2] == [1, 2]
        assert dataset.frames[0].boxes.tolist() == [[3, 4, 23.5, 24]]
        assert dataset.frames[1].boxes.tolist() == [[0, 0, 8, 9], [0, 1, 8, 10]]
    arguments = [frames, "--annotations", corrected, "--out", tmp_path / "patches", "--workers", 1]
    result = success(CliRunner().invoke(main, ["prepare", *map(str, arguments)]))
    assert ["faces", str(1 + 2 * len(videos))] in [
        line.split() for line in result.stdout.split("\n")
    ]
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert "facetl convert frames for-cvat --to cvat " in readme
    assert "facetl train frames --annotations corrected.json " in readme


def test_corrected_boxes_beside_the_frames_are_not_passed_over(tmp_path: Path) -> None:
    """A text beside the folder, and those of its videos in it: which one holds must be said."""
    frames = picked_frames(tmp_path / "frames", ("episode.mp4",))
    corrected = tmp_path / "corrected.json"
    success(convert(frames, corrected, "--to", "coco"))
    export_from_cvat(corrected, corrected)
    success(convert(corrected, tmp_path / "frames.txt", "--to", "course"))
    corrected.unlink()
    for place in (frames, tmp_path):
        with pytest.raises(InputError, match="which one holds is not clear; pick --annotations"):
            load_dataset(place)
    dataset = load_dataset(frames, annotations=tmp_path / "frames.txt")
    assert dataset.frames[0].boxes.tolist() == [[3, 4, 23.5, 24]]
    (tmp_path / "frames.txt").write_text("Frames of an episode.\n")
    assert load_dataset(frames).frames[0].boxes.tolist() == [[1, 2, 11, 12]]


def test_frames_become_tasks_for_label_studio(frames: Path) -> None:
    (frames / "faces.txt").write_text("a.png 1 2 11 12 $dad\na.png 5 5 9.5 9\n")
    out = frames.parent / "tasks"
    success(convert(frames, out, "--to", "label-studio"))
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert files == [
        *(f"images/{name}.png" for name in "abc"),
        "label-studio.json",
        "label-studio.xml",
        "manifest.json",
    ]
    tasks = json.loads((out / "label-studio.json").read_text())
    assert [task["data"]["image"] for task in tasks] == [
        f"/data/local-files/?d=images/{name}.png" for name in "abc"
    ]
    first, second = tasks[0]["predictions"][0]["result"]
    assert (first["value"]["x"], first["value"]["width"]) == (2.5, 25)
    assert first["value"]["rectanglelabels"] == ["?dad"]  # a dollar means a field of the task
    assert second["value"]["rectanglelabels"] == ["face"]
    interface = ElementTree.parse(out / "label-studio.xml")
    assert [label.get("value") for label in interface.iter("Label")] == ["?dad", "face"]
    assert "score" not in first
    assert tasks[1]["predictions"] == [{"model_version": "annotations", "result": []}]
    success(convert(frames, out, "--to", "label-studio", "--with-images", "none", "--force"))
    again = json.loads((out / "label-studio.json").read_text())
    assert again[0]["data"]["image"] == "/data/local-files/?d=a.png"


@pytest.mark.parametrize("suffix", [".v1", ""])
def test_a_name_with_a_dot_is_a_folder_too(frames: Path, suffix: str) -> None:
    inside = frames / f"out{suffix}"
    assert_refused(convert(frames, inside, "--to", "coco"), "lies among the frames")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("coco", "o.txt"),
        ("course", "o.json"),
        ("yolo", "o.yaml"),
        ("voc", "o.XML"),
        ("label-studio", "o.json"),
        ("cvat", "o.txt"),
    ],
)
def test_no_folder_is_called_like_a_file(frames: Path, target: str, name: str) -> None:
    result = convert(frames, frames.parent / name, "--to", target)
    assert result.exit_code == 2
    assert "does not write a file named like" in " ".join(result.stderr.split())
    assert [path.name for path in frames.parent.iterdir()] == ["frames"]


def test_python_is_told_what_was_written(frames: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = frames.parent / "out"
    result = command.convert(command.ConvertRequest(frames, out, "yolo"))
    assert result == command.ConvertResult([[out]], {"train": (3, 3)})
    assert [len(frame.boxes) for frame in load_dataset(out)] == [2, 0, 1]
    with pytest.raises(UsageError, match="--to csv is for detections"):
        command.convert(command.ConvertRequest(frames, out, "csv", force=True))
    assert capfd.readouterr() == ("", "")


def test_what_is_not_there(tmp_path: Path) -> None:
    assert_refused(
        convert(tmp_path / "x", tmp_path / "y", "--to", "coco"), "no such file or folder"
    )


@pytest.mark.parametrize("form", WRITABLE)
def test_commands_read_every_format(frames: Path, form: str) -> None:
    """Prepare learns the same from all of them; evaluate scores against all of them."""
    out = frames.parent / form
    success(convert(frames, out, "--to", form))
    arguments = [out, "--out", frames.parent / "patches", "--workers", "1", "--format", form]
    result = success(CliRunner().invoke(main, ["prepare", *map(str, arguments)]))
    assert "faces                3\n" in result.stdout
    save_result(frames.parent / "results")
    files = {
        "coco": "annotations.json",
        "yolo": "data.yaml",
        "voc": "Annotations",
        "course": "images_annotations.txt",
        "labelme": "images",
    }
    for truth in (out, out / files[form]):
        evaluate = [frames.parent / "results", "--truth", truth, "--force"]
        success(CliRunner().invoke(main, ["evaluate", *map(str, evaluate)]))
        metrics = json.loads((frames.parent / "results/metrics.json").read_text())
        assert metrics["truth"]["faces"] == 3


def test_a_file_that_lists_all_images_is_a_complete_truth(frames: Path) -> None:
    """``--only-listed`` changes nothing then: the frame without faces is listed too."""
    success(convert(frames, frames.parent / "truth.json", "--to", "coco"))
    save_result(frames.parent / "results")
    arguments = ["evaluate", str(frames.parent / "results"), "--truth"]
    arguments += [str(frames.parent / "truth.json"), "--only-listed"]
    success(CliRunner().invoke(main, arguments))
    metrics = json.loads((frames.parent / "results/metrics.json").read_text())
    assert metrics["truth"]["frames"] == 3


@pytest.mark.parametrize(("first", "second"), list(itertools.product(("coco", "voc"), repeat=2)))
@settings(max_examples=8, deadline=None)
@given(frames=some_frames(), data=st.data())
def test_regions_to_be_ignored_stay_so(
    first: str, second: str, frames: list[Frame], data: st.DataObject
) -> None:
    tolerance = 1.0 if "voc" in (first, second) else 1e-5
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        placed = [
            replace(frame, ignored=np.array(data.draw(st.lists(faces(*frame.size_hw[::-1])))))
            for frame in save_pictures(root / "frames", frames)
        ]
        save_dataset(root / "first", first, {"train": placed})
        between = load_dataset(root / "first")
        save_dataset(root / "second", second, {"train": between.frames}, "link")
        found = load_dataset(root / "second")
        assert found.ignored_count == sum(len(frame.ignored) for frame in placed)
        for frame, again in zip(placed, found, strict=True):
            assert again.labels == frame.labels
            np.testing.assert_allclose(again.boxes, frame.boxes, rtol=0, atol=tolerance)
            np.testing.assert_allclose(again.ignored, frame.ignored, rtol=0, atol=tolerance)


@pytest.fixture
def crowded(frames: Path) -> Path:
    """The same frames in VOC; of the two faces of the first one is difficult."""
    root = frames.parent / "voc"
    success(convert(frames, root, "--to", "voc"))
    path = root / "Annotations/a.xml"
    path.write_text(path.read_text().replace("<difficult>0", "<difficult>1", 1))
    return root


@pytest.mark.parametrize("target", writable())
def test_what_a_format_cannot_hold_is_counted(crowded: Path, target: str) -> None:
    result = success(convert(crowded, crowded.parent / "out", "--to", target))
    holds = target in ("coco", "cvat", "voc", "labelme")
    lost = "regions to be ignored, which this format cannot hold, so they are lost: 1\n"
    assert (lost not in result.stderr) == holds
    assert "1 marked to be ignored; the first is" in result.stderr
    assert result.stdout.startswith("3 frames, 2 faces\n")
    if target == "coco":
        document = json.loads((crowded.parent / "out/annotations.json").read_text())
        crowds = [each for each in document["annotations"] if each["iscrowd"]]
        assert [each["bbox"] for each in crowds] == [[1, 2, 10, 10]]
        assert {each["iscrowd"] for each in document["annotations"]} == {0, 1}


def test_difficult_faces_become_faces_if_so_chosen(crowded: Path) -> None:
    out = crowded.parent / "all.json"
    result = success(convert(crowded, out, "--to", "coco", "--difficult", "face"))
    assert (result.stdout, result.stderr) == (f"3 frames, 3 faces\nwrote {out}\n", "")
    assert Coco().load(out).ignored == {}
    assert Coco().load(out).faces["a.png"].labels == ("dad", None)
