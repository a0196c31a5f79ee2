"""``facetl prepare --resume``: what was cut before a break is taken up, however it ended."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result
from outcomes import assert_refused, complaint, contents, half_written, success
from tiny_world import save_frames

from facetl.cli import main
from facetl.data.dataset import load_dataset
from facetl.errors import OutputError, PatchesError
from facetl.locks import clear
from facetl.parts import has_work, keeping_parts, work_folder
from facetl.training import preparation
from facetl.training.patches import load_patches
from facetl.training.preparation import FrameCut, _cut_frame, prepare_patches
from facetl.training.stages import STAGE_FACTS

COUNT = 8
BROKEN = "3.png"  # cut short: its place is remembered as well


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_frames(tmp_path_factory.mktemp("world") / "frames", COUNT)
    whole = (folder / BROKEN).read_bytes()
    (folder / BROKEN).write_bytes(whole[: len(whole) // 2])
    return folder


def prepare(frames: Path, out: Path, *options: object) -> Result:
    arguments = ["prepare", frames, "--out", out, "--positives", 3, "--workers", 2, *options]
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def whole(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was not interrupted."""
    out = tmp_path_factory.mktemp("whole") / "patches"
    success(prepare(frames, out))
    return out


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, BaseException], None]:
    """Let cutting break off when it comes to a frame."""

    def stop(number: int, error: BaseException) -> None:
        def cut(place: tuple[int, Any], **how: Any) -> Any:
            if place[0] == number:
                raise error
            return _cut_frame(place, **how)

        monkeypatch.setattr(preparation, "_cut_frame", cut)

    return stop


@pytest.fixture
def broken(
    frames: Path, tmp_path: Path, stop_at: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of a run that was interrupted at the sixth frame."""
    out = tmp_path / "patches"
    stop_at(5, KeyboardInterrupt())
    assert prepare(frames, out).exit_code == 130
    monkeypatch.setattr(preparation, "_cut_frame", _cut_frame)
    return out


def test_what_was_cut_is_taken_up(
    frames: Path, whole: Path, broken: Path, stop_at: Callable[..., None]
) -> None:
    assert [path.name for path in broken.iterdir()] == ["pnet.patches.work"]
    stop_at(4, AssertionError("the fifth frame was cut before the break"))
    result = success(prepare(frames, broken, "--resume"))
    assert contents(broken) == contents(whole)
    assert f"skipped {frames / BROKEN}" in result.stderr
    assert "unreadable frames" in result.stdout


@pytest.mark.parametrize("seed", range(12))
def test_work_that_is_damaged_anywhere_is_done_anew_from_there(
    frames: Path, whole: Path, broken: Path, seed: int
) -> None:
    """Cut short, or with a wrong byte, as after a loss of power."""
    chance = Random(seed)
    work = work_folder(broken / "pnet.patches")
    path = chance.choice(sorted(work.iterdir()))
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    if seed % 2:
        data[place] ^= 1 << chance.randrange(8)
    else:
        del data[place:]
    path.write_bytes(data)
    result = prepare(frames, broken, "--resume")
    if result.exit_code:  # the flipped bit made the head another task's
        assert path.name == "task.json"
        assert "holds unfinished patches with" in complaint(result)
    else:
        assert contents(broken) == contents(whole)


def test_work_without_a_task_is_none(frames: Path, whole: Path, broken: Path) -> None:
    (work_folder(broken / "pnet.patches") / "task.json").unlink()
    result = success(prepare(frames, broken, "--resume"))
    assert "found no " in result.stderr
    assert "starting over" in result.stderr
    assert contents(broken) == contents(whole)


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        (["--seed", 2], "seed 1 (now 2)"),
        (["--negatives", 5], "negatives 18 (now 5)"),
        (["--match", "box"], "match square (now box)"),
    ],
)
def test_other_settings_are_not_gone_on_with(
    frames: Path, whole: Path, broken: Path, options: list[object], differing: str
) -> None:
    result = prepare(frames, broken, *options, "--resume")
    assert_refused(result, "pnet.patches.work: holds unfinished patches", differing, "--force")
    success(prepare(frames, broken, "--resume"))
    assert contents(broken) == contents(whole)


def test_other_frames_are_not_gone_on_with(frames: Path, broken: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    shutil.copytree(frames, others)
    (others / "7.png").unlink()
    lines = (others / "faces.txt").read_text().splitlines(keepends=True)
    (others / "faces.txt").write_text("".join(line for line in lines if "7.png" not in line))
    assert_refused(prepare(others, broken, "--resume"), "unfinished patches with data ")


def test_other_weights_are_not_gone_on_with(frames: Path, tmp_path: Path) -> None:
    """Which the finished file does not tell, so that the work must."""
    from facetl.mtcnn.detector import Detector
    from facetl.training.mining import Miner

    def mine(weights: str, *, resume: bool) -> None:
        miner = Miner(Detector.load(weights, "cpu"), "rnet")
        data, path = load_dataset(frames), tmp_path / "rnet.patches"
        prepare_patches(data, path, stage="rnet", miner=miner, resume=resume, progress=break_off)

    def break_off(results: Any) -> Any:
        yield next(results)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine("pretrained", resume=False)
    with pytest.raises(PatchesError, match="unfinished patches with weights"):
        mine("cartoon", resume=True)
    assert has_work(tmp_path / "rnet.patches")


def test_work_is_in_the_way_unless_it_is_forced(frames: Path, whole: Path, broken: Path) -> None:
    assert_refused(prepare(frames, broken), "unfinished patches", "--resume", "--force")
    success(prepare(frames, broken, "--seed", 2, "--force"))
    assert load_patches(broken).metadata["seed"] == 2
    assert sorted(contents(broken)) == sorted(contents(whole))


def test_what_is_finished_is_not_resumed(frames: Path, whole: Path) -> None:
    before = contents(whole)
    assert_refused(prepare(frames, whole, "--resume"), "finished, there is nothing to resume")
    assert contents(whole) == before


def test_a_missing_picture_alone_is_drawn(frames: Path, whole: Path, tmp_path: Path) -> None:
    """A process may have been killed between the two files."""
    (tmp_path / "pnet.patches").write_bytes((whole / "pnet.patches").read_bytes())
    half_written(tmp_path / "pnet_patches.png")
    result = success(prepare(frames, tmp_path, "--resume"))
    assert "finished before; wrote" in result.stdout
    assert contents(tmp_path) == contents(whole)


def test_remains_of_a_killed_process_are_removed(frames: Path, whole: Path, broken: Path) -> None:
    half_written(broken / "pnet.patches")
    (broken / ".mine-0123abcd.patches").write_bytes(b"what a person has hidden there")
    success(prepare(frames, broken, "--resume"))
    (broken / ".mine-0123abcd.patches").unlink()
    assert contents(broken) == contents(whole)


def test_a_break_before_the_first_frame_leaves_nothing(
    frames: Path, tmp_path: Path, stop_at: Callable[..., None]
) -> None:
    stop_at(0, KeyboardInterrupt())
    result = prepare(frames, tmp_path / "new" / "patches")
    assert result.exit_code == 130
    assert result.stderr.endswith("facetl: stopped; nothing half-written is left\n")
    assert not (tmp_path / "new" / "patches").exists()


def test_an_error_keeps_what_is_done(
    frames: Path, whole: Path, tmp_path: Path, stop_at: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Room was lacking on the disk or in memory: there will be some."""
    stop_at(5, OutputError("no room"))
    assert complaint(prepare(frames, tmp_path / "patches")) == "facetl: no room"
    monkeypatch.setattr(preparation, "_cut_frame", _cut_frame)
    success(prepare(frames, tmp_path / "patches", "--resume"))
    assert contents(tmp_path / "patches") == contents(whole)


def test_the_stream_of_frames_begins_with_those_from_before(frames: Path, broken: Path) -> None:
    """So that a bar of progress stands where it stood."""
    seen = []

    def note(results: Any) -> Any:
        for result in results:
            seen.append(result.index)
            yield result

    dataset, path = load_dataset(frames), broken / "pnet.patches"
    with pytest.raises(PatchesError, match="positives 3"):
        prepare_patches(dataset, path, progress=note, resume=True)
    assert seen == []
    prepare_patches(dataset, path, progress=note)
    assert seen == list(range(COUNT))


def test_what_is_remembered_of_a_frame_is_remembered_exactly(frames: Path) -> None:
    (place, *_) = enumerate(load_dataset(frames))
    cutting = _cut_frame(place, recipe=STAGE_FACTS["pnet"].recipe, size=12, seed=1)
    assert not isinstance(cutting, preparation.Unreadable)
    again = FrameCut.from_json(cutting.cut.to_json())
    assert (again.thumbnail == cutting.cut.thumbnail).all()
    assert again.to_json() == cutting.cut.to_json()


def test_work_of_an_older_facetl_is_refused(frames: Path, whole: Path, tmp_path: Path) -> None:
    """It kept a log, and columns that grew."""
    work = work_folder(tmp_path / "pnet.patches")
    work.mkdir()
    (work / "log.jsonl").write_text('{"format": "facetl-growth", "version": 1, "task": {}}\n')
    (work / "windows").touch()
    refused = prepare(frames, tmp_path, "--resume")
    assert_refused(refused, f"{work}: holds unfinished work of an older facetl", "with --force")
    assert_refused(prepare(frames, tmp_path), "holds unfinished patches", "start over with --force")
    assert len(list(work.iterdir())) == 2
    success(prepare(frames, tmp_path, "--force"))
    assert contents(tmp_path).keys() == contents(whole).keys()


def test_facts_and_data_come_back(tmp_path: Path) -> None:
    """The parts by themselves, one without data among others."""
    path = tmp_path / "new" / "file"

    def work(sizes: list[int], *, resume: bool) -> list[Any]:
        with keeping_parts(path, {"what": "a test"}, resume=resume) as parts:
            before = list(parts.facts)
            for size in sizes:
                parts.add({"size": size}, b"\na" * size)
            path.write_bytes(b"".join(parts.read()))
            assert path.stat().st_size == parts.size
            if parts.size < 10:
                raise KeyboardInterrupt
        return before

    for sizes in ([2], [0, 1]):
        with pytest.raises(KeyboardInterrupt):
            work(sizes, resume=True)
    assert work([2], resume=True) == [{"size": 2}, {"size": 0}, {"size": 1}]
    assert path.read_bytes() == b"\na" * 5
    assert not work_folder(path).exists()


def test_a_kill_while_parts_are_removed_leaves_what_the_next_command_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"

    def die(_: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), keeping_parts(path, {"a": 1}, resume=False) as parts:  # noqa: PT012
        parts.add(1, b"data")
        monkeypatch.setattr("facetl.parts.remove_folder", die)
    monkeypatch.undo()
    assert not work_folder(path).exists()
    assert len(list(tmp_path.iterdir())) == 1
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_parts_of_another_task_are_not_taken_for_own_ones(tmp_path: Path) -> None:
    """Even if they could not be removed: their checksums tell."""
    path = tmp_path / "file"

    def work(task: dict[str, int], expected: list[int]) -> None:
        with keeping_parts(path, task, resume=True) as parts:
            assert parts.facts == expected
            parts.add(len(expected), b"data")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work({"a": 1}, [])
    text = (work_folder(path) / "task.json").read_text()
    (work_folder(path) / "task.json").write_text(text.replace('"a": 1', '"a": 2'))
    for expected in ([], [0]):
        with pytest.raises(KeyboardInterrupt):
            work({"a": 2}, expected)
