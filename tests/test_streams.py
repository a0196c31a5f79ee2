"""``facetl detect --stream``: lines that grow, interrupted anywhere and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from outcomes import assert_refused, left_in, success

from facetl.cli import main
from facetl.data.images import save_image
from facetl.errors import DetectionsError
from facetl.results.detections import Run
from facetl.results.json_lines import describe_head
from facetl.results.store import load_run

pytestmark = pytest.mark.usefixtures("sketched")

NAME = "pretrained.detections.jsonl"
COUNT = 12
DYING = """
import itertools, os, signal
from facetl.cli import main
from facetl.results.json_lines import _LinesWriter

write, written = _LinesWriter.write, itertools.count(1)

def write_and_die(*line):
    write(*line)
    if next(written) == 4:
        os.kill(os.getpid(), signal.SIGKILL)

_LinesWriter.write = write_and_die
main()
"""
"""A facetl that kills itself once it has written four lines."""
HEAD = json.dumps(describe_head("x", {})) + "\n"


def detect(*arguments: object) -> Result:
    usual = ("--device", "cpu", "--batch-size", "2")
    weights = () if "--weights" in arguments else ("--weights", "pretrained")
    return CliRunner().invoke(main, ["detect", *usual, *weights, *map(str, arguments)])


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn frames, one of them damaged."""
    folder = tmp_path_factory.mktemp("frames")
    for index in range(COUNT):
        save_image(folder / f"{index:02}.png", draw_frame(1, "test", index % 3).image[:200, :200])
    (folder / "05.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def whole(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a search that was not interrupted."""
    out = tmp_path_factory.mktemp("whole") / "results"
    success(detect(frames, "--stream", "--out", out))
    return (out / NAME).read_bytes()


def found_in(run: Run) -> list[tuple[str, list[list[float]]]]:
    return [(frame.image, frame.detections.boxes.tolist()) for frame in run.frames]


def test_lines_say_what_the_document_says(frames: Path, tmp_path: Path) -> None:
    success(detect(frames, "--stream", "--out", tmp_path / "lines"))
    success(detect(frames, "--out", tmp_path / "document"))
    lines = load_run(tmp_path / "lines" / NAME)
    document = load_run(tmp_path / "document" / "pretrained.detections.json")
    assert found_in(lines) == found_in(document)
    assert [each.image for each in lines.skipped] == ["05.png"]
    assert lines.skipped == document.skipped
    assert np.isnan(lines.seconds_per_frame)
    assert lines.candidates_per_frame == document.candidates_per_frame


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_file_does_not_depend_on_workers(
    frames: Path, whole: bytes, tmp_path: Path, workers: int
) -> None:
    success(detect(frames, "--stream", "--out", tmp_path, "--workers", workers, "--force"))
    assert (tmp_path / NAME).read_bytes() == whole


@pytest.mark.parametrize("seed", range(6))
def test_a_file_cut_anywhere_is_gone_on_with(
    frames: Path, whole: bytes, tmp_path: Path, seed: int
) -> None:
    cut = Random(seed).randrange(len(whole) - len('{"end": 12}\n'))
    (tmp_path / NAME).write_bytes(whole[:cut])
    success(detect(frames, "--stream", "--resume", "--out", tmp_path))
    assert (tmp_path / NAME).read_bytes() == whole


def test_what_was_found_before_is_counted_too(frames: Path, whole: bytes, tmp_path: Path) -> None:
    """Also in a search that is finished, of which nothing but a format is left to write."""
    told = success(detect(frames, "--stream", "--out", tmp_path / "whole")).stdout
    faces, boxes = told.partition(", ")[0], told.splitlines()[1]
    assert "(1 skipped)" in faces
    (tmp_path / NAME).write_bytes(whole)
    usual = ("--stream", "--resume", "--out", tmp_path)
    ended = success(detect(frames, *usual, "--export", "csv")).stdout
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    for said in (ended, success(detect(frames, *usual)).stdout):
        assert said.startswith(faces)
        assert said.splitlines()[1] == boxes
        assert "nan" not in said
    (tmp_path / NAME).write_bytes(whole[: len(whole) * 3 // 4])
    assert detect(frames, *usual, "--strict").exit_code == 1  # what was skipped before counts


def test_torch_goes_on_at_the_beginning_of_a_batch(frames: Path, tmp_path: Path) -> None:
    how = ("--engine", "torch", "--batch-size", 4, "--stream")
    success(detect(frames, *how, "--out", tmp_path / "whole"))
    whole = (tmp_path / "whole" / NAME).read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / NAME).write_bytes(b"".join(lines[:8]))  # the head and seven images
    result = success(detect(frames, *how, "--workers", 1, "--out", tmp_path / "cut", "--resume"))
    assert "resuming after 4 of 12 images" in result.stderr
    assert (tmp_path / "cut" / NAME).read_bytes() == whole
    (tmp_path / "cut" / NAME).write_bytes(b"".join(lines[:8]))
    other = (*how[:2], "--batch-size", 3, "--stream", "--resume", "--out", tmp_path / "cut")
    assert_refused(detect(frames, *other), "other weights or settings")


def test_of_two_runs_the_shorter_counts(frames: Path, whole: bytes, tmp_path: Path) -> None:
    both = ("--weights", "pretrained", "--weights", "cartoon", "--stream", "--out")
    success(detect(frames, *both, tmp_path / "whole"))
    names = left_in(tmp_path / "whole")
    (tmp_path / "cut").mkdir()
    for name, share in zip(names, (0.5, 0.7), strict=True):
        data = (tmp_path / "whole" / name).read_bytes()
        (tmp_path / "cut" / name).write_bytes(data[: int(len(data) * share)])
    result = success(detect(frames, *both, tmp_path / "cut", "--resume"))
    assert "resuming after" in result.stderr
    for name in names:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_process_that_is_killed_leaves_what_it_did(
    frames: Path, whole: bytes, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", DYING, "detect", str(frames), "--weights", "pretrained"]
    command += ["--device", "cpu", "--batch-size", "2", "--stream", "--out", str(tmp_path)]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert (tmp_path / NAME).read_bytes().count(b"\n") == 4
    success(detect(frames, "--stream", "--resume", "--out", tmp_path))
    assert (tmp_path / NAME).read_bytes() == whole


def test_what_is_finished_is_not_resumed(frames: Path, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(whole)
    result = detect(frames, "--stream", "--resume", "--out", tmp_path)
    assert_refused(result, NAME, "finished", "--force")
    assert (tmp_path / NAME).read_bytes() == whole


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--min-face", "40"], "other weights or settings"),
        (["--score", "0.123"], "another score; resume with --score "),
        (["--weights", "cartoon=pretrained"], "belongs to another search"),
        (["--weights", "pretrained", "--weights", "a=cartoon"], "a.detections.jsonl is not there"),
    ],
)
def test_another_search_is_not_gone_on_with(
    frames: Path, whole: bytes, tmp_path: Path, options: list[str], why: str
) -> None:
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    result = detect(frames, "--stream", "--resume", "--out", tmp_path, *options)
    assert_refused(result, NAME, why, "--force")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == whole[: len(whole) // 2]


def test_a_search_that_was_killed_while_it_made_its_files_begins(
    frames: Path, whole: bytes, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(whole.splitlines(keepends=True)[0])
    both = ("--weights", "pretrained", "--weights", "cartoon")
    success(detect(frames, *both, "--stream", "--resume", "--out", tmp_path))
    assert (tmp_path / NAME).read_bytes() == whole


def test_another_search_makes_way_if_it_is_forced_to(
    frames: Path, whole: bytes, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    other = ("--weights", "cartoon=pretrained", "--stream", "--resume", "--force")
    result = success(detect(frames, *other, "--out", tmp_path))
    assert f"removed {tmp_path / NAME}" in result.stderr
    assert left_in(tmp_path) == ["cartoon.detections.jsonl"]


def test_other_images_are_not_gone_on_with(frames: Path, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    result = detect(frames / "11.png", "--stream", "--resume", "--out", tmp_path)
    assert_refused(result, "other images", "--force")


def test_an_unfinished_file_is_no_result(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(whole[: whole.rindex(b'{"end"')])
    with pytest.raises(
        DetectionsError, match="not finished; resume with facetl detect --stream --resume"
    ):
        load_run(path)


def test_a_file_cut_within_a_line_can_be_resumed_and_says_so(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(whole[: whole.rindex(b'{"end"') - 5])
    with pytest.raises(DetectionsError, match="resume with facetl detect --stream --resume"):
        load_run(path)


def test_a_folder_is_not_gone_on_with(frames: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    result = detect(frames, "--stream", "--resume", "--out", tmp_path)
    assert_refused(result, NAME, "cannot be resumed", "--force")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found format None"),
        ("{}\n", "found format None"),
        ("[]\n", ":1: damaged"),
        (HEAD, "is not finished"),
        (HEAD + '{"image": "a"}\n', ":2: damaged"),
        (HEAD + "nonsense\n", ":2: damaged"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(DetectionsError, match=found):
        load_run(tmp_path / NAME)


def test_a_damaged_line_is_not_gone_on_with(frames: Path, whole: bytes, tmp_path: Path) -> None:
    lines = whole.splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"".join([*lines[:3], b"{broken\n", *lines[4:6]]))
    result = detect(frames, "--stream", "--resume", "--out", tmp_path)
    assert_refused(result, f"{NAME}:4", "damaged", "--force")


def test_only_what_grows_is_resumed(frames: Path, tmp_path: Path) -> None:
    result = detect(frames, "--out", tmp_path / "out", "--resume")
    assert result.exit_code == 2
    assert "add --stream" in result.stderr


def test_streams_are_scored_and_exported(frames: Path, tmp_path: Path) -> None:
    success(detect(frames, "--stream", "--export", "csv", "--overlays", "--out", tmp_path / "out"))
    assert (tmp_path / "out" / "overlays" / "00.png").exists()
    (tmp_path / "truth.txt").write_text("00.png 10 10 50 50\n")
    arguments = ["evaluate", str(tmp_path / "out"), "--truth", str(tmp_path / "truth.txt")]
    result = success(CliRunner().invoke(main, arguments))
    assert "pretrained" in result.stdout
    table, again = tmp_path / "out" / "pretrained.csv", tmp_path / "again"
    convert = ["convert", str(tmp_path / "out" / NAME), str(again), "--to", "csv"]
    success(CliRunner().invoke(main, convert))
    assert (again / "pretrained.csv").read_bytes() == table.read_bytes()
