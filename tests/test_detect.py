"""``facetl detect``: several sets of weights over the same images."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from commands import parse
from outcomes import complaint, left_in, success
from PIL import Image

from facetl.boxes import as_boxes
from facetl.cli import main
from facetl.cli.detect import detect
from facetl.cli.options import parse_weights
from facetl.data.formats.course import save_annotations
from facetl.data.images import load_image, save_image
from facetl.errors import InputError
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.reporting import plural
from facetl.results.detections import Run
from facetl.results.store import load_run
from facetl.search.inputs import find_inputs
from facetl.search.pipeline import SearchRun, search_list
from facetl.search.settings import Settings

SHOWN = load_weights("cartoon").settings.score
FACE_BOX = [81.0, 53.0, 174.0, 175.0]
YELLOW = (0xF0, 0xE4, 0x42)  # the colour of the truth


@pytest.fixture
def frames(tmp_path: Path, portrait: Path) -> Path:
    """A folder with the portrait, a blank picture in a folder below, and a text."""
    folder = tmp_path / "frames"
    (folder / "extra").mkdir(parents=True)
    (folder / "face.jpg").write_bytes(portrait.read_bytes())
    save_image(folder / "extra" / "blank.png", np.zeros((60, 50, 3), np.uint8))
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def shy(tmp_path: Path) -> Path:
    """A weights file whose PNet sees no faces at all."""
    state = load_pretrained_stage("pnet")
    state["conv4_1.bias"] = state["conv4_1.bias"] + np.array([99.0, 0.0])
    save_weights(tmp_path / "shy.safetensors", Weights({"pnet": state}))
    return tmp_path / "shy.safetensors"


def call(*arguments: object) -> Result:
    """Run the command under the group that turns our errors into one line.

    With the pretrained weights, whose faces are known, unless others are given.
    """
    usual = () if "--weights" in arguments else ("--weights", "pretrained")
    return CliRunner().invoke(main, ["detect", "--device", "cpu", *usual, *map(str, arguments)])


def succeed(*arguments: object) -> Result:
    return success(call(*arguments))


def fail(*arguments: object) -> str:
    return complaint(call(*arguments))


def run_in(out: Path, name: str = "pretrained") -> Run:
    return load_run(out / f"{name}.detections.json")


def names_of(paths: list[Path]) -> list[str]:
    return [image.name for image in find_inputs(paths).images]


# ---- the road


def test_faces_of_a_folder(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    result = succeed(frames, "--out", out)
    run = run_in(out)
    assert [frame.image for frame in run.frames] == ["extra/blank.png", "face.jpg"]
    assert [frame.size_hw for frame in run.frames] == [(60, 50), (300, 256)]
    blank, face = run.frames
    assert (len(blank.detections), len(face.detections)) == (0, 1)
    assert face.candidates["pnet"] > face.candidates["rnet"] >= face.candidates["onet"] == 1
    assert face.seconds > 0
    assert run.skipped == ()
    assert left_in(out) == ["pretrained.detections.json", "report.html"]
    assert "pretrained: 1 face in 2 images (0 skipped)" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("next: facetl evaluate ")


def test_the_file_holds_what_the_detector_finds(
    frames: Path, tmp_path: Path, pretrained: Detector
) -> None:
    options = ["--thresholds", "0.6", "0.7", "0.7", "--min-face", "40", "--factor", "0.6"]
    how = ["--engine", pretrained.engine, "--batch-size", "1", "--workers", "2"]
    succeed(frames / "face.jpg", "--out", tmp_path / "results", *how, *options)
    run = run_in(tmp_path / "results")
    (expected,) = pretrained.detect([frames / "face.jpg"], (0.6, 0.7, 0.7), min_face=40, factor=0.6)
    found = run.frames[0].detections
    for column in ("boxes", "scores", "landmarks"):
        assert np.array_equal(getattr(found, column), getattr(expected, column))
    assert run.settings == {
        "thresholds": [0.6, 0.7, 0.7],
        "min_face": 40.0,
        "factor": 0.6,
        "padding": False,
        "voting": False,
        "score": 0.7,
        "batch_size": 1,
        "workers": 2,
        "engine": pretrained.engine,
        "weights": "pretrained",
        "weights_fingerprint": pretrained.fingerprint,
        "parameters": pretrained.parameters,
        "command": run.settings["command"],
    }
    command, *arguments = shlex.split(run.settings["command"])
    assert (command, parse(*arguments).params["images"]) == ("facetl", (frames / "face.jpg",))


def test_two_sets_of_weights_side_by_side(frames: Path, shy: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    result = succeed(
        frames, "--weights", "pretrained", "--weights", f"tuned={shy}", "--out", out, "--overlays"
    )
    pretrained, tuned = run_in(out), run_in(out, "tuned")
    assert (pretrained.name, tuned.name) == ("pretrained", "tuned")
    assert tuned.settings["weights"] == str(shy)
    assert [f.image for f in tuned.frames] == [f.image for f in pretrained.frames]
    assert [f.candidates["pnet"] for f in tuned.frames] == [0, 0]
    assert "tuned: 0 faces in 2 images (0 skipped), 0 proposals" in result.stdout
    overlays = out / "overlays"
    written = sorted(p.relative_to(overlays).as_posix() for p in overlays.rglob("*.*"))
    assert written == ["extra/blank.png", "face.jpg"]
    # Two portraits of 256 pixels in a row.
    assert load_image(overlays / "face.jpg").shape[1] > 2 * 256


# ---- the names of images and runs


def test_a_run_is_called_after_its_file(frames: Path, shy: Path, tmp_path: Path) -> None:
    succeed(frames, "--weights", shy, "--out", tmp_path / "results")
    assert run_in(tmp_path / "results", "shy").name == "shy"


@pytest.mark.parametrize("wrong", ["=pretrained", "tuned=", ".=pretrained", ""])
def test_weights_that_are_no_name_and_file(frames: Path, tmp_path: Path, wrong: str) -> None:
    result = call(frames, "--weights", wrong, "--out", tmp_path / "results")
    assert result.exit_code == 2
    assert f"found {wrong!r}, expected NAME=FILE" in result.stderr


def test_a_name_given_twice(frames: Path, shy: Path, tmp_path: Path) -> None:
    twice = ["--weights", shy, "--weights", "shy=pretrained"]
    result = call(frames, *twice, "--out", tmp_path / "results")
    assert result.exit_code == 2
    assert "found a name twice in ['shy', 'shy']" in result.stderr


def test_weights_may_have_an_equals_sign_in_their_path() -> None:
    assert parse_weights("tuned=rate=0.1.pt") == ("tuned", "rate=0.1.pt")


def test_a_file_goes_by_its_name_and_folders_make_the_difference(
    frames: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "face.jpg").write_bytes((frames / "face.jpg").read_bytes())
    assert names_of([frames / "face.jpg"]) == ["face.jpg"]
    assert names_of([frames / "face.jpg", other]) == ["frames/face.jpg", "other/face.jpg"]


def test_links_are_called_by_their_own_names(frames: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "linked.jpg").symlink_to(frames / "face.jpg")
    assert names_of([links]) == ["linked.jpg"]
    (links / "face.jpg").symlink_to(frames / "face.jpg")
    assert names_of([links, frames / "face.jpg"])[0] == "links/face.jpg"


def test_an_image_given_twice(frames: Path, tmp_path: Path) -> None:
    line = fail(frames, frames / "face.jpg", "--out", tmp_path / "results")
    assert "frames/face.jpg: found two files of this name" in line


def test_no_such_image_and_no_image_at_all(frames: Path, tmp_path: Path) -> None:
    assert "no such file or folder" in fail(frames / "a.jpg", "--out", tmp_path / "results")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="found no image in it"):
        find_inputs([empty])


# ---- what cannot be read


def test_an_unreadable_image_is_counted_and_the_others_go_on(frames: Path, tmp_path: Path) -> None:
    whole = (frames / "face.jpg").read_bytes()
    (frames / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (frames / "void.jpg").write_bytes(b"")
    out = tmp_path / "results"
    result = succeed(frames, "--out", out, "--batch-size", "2", "--overlays")
    assert "1 face in 2 images (2 skipped)" in result.stdout
    assert result.stderr.count("skipped ") == 2
    run = run_in(out)
    assert [skipped.image for skipped in run.skipped] == ["cut.jpg", "void.jpg"]
    assert "void.jpg is empty" in run.skipped[1].reason
    assert [frame.image for frame in run.frames] == ["extra/blank.png", "face.jpg"]
    assert not (out / "overlays" / "cut.jpg").exists()


def test_strict_ends_with_exit_code_1_but_keeps_the_results(frames: Path, tmp_path: Path) -> None:
    (frames / "void.jpg").write_bytes(b"")
    result = call(frames, "--out", tmp_path / "results", "--strict")
    assert result.exit_code == 1
    assert len(run_in(tmp_path / "results").frames) == 2


def test_nothing_readable_at_all(frames: Path, tmp_path: Path) -> None:
    shutil.copy(frames / "notes.txt", frames / "notes.png")
    line = fail(frames / "notes.png", "--out", tmp_path / "results")
    assert "none of the 1 images could be read" in line
    assert not (tmp_path / "results").exists()


def test_every_image_is_reported_once_it_is_done_or_skipped(
    frames: Path, pretrained: Detector
) -> None:
    (frames / "void.jpg").write_bytes(b"")
    images = find_inputs([frames]).images
    run = SearchRun("pretrained", pretrained, Settings())
    found = list(search_list([run], images, batch_size=2))
    assert [each.picture for each in found] == images
    assert [len(each.results) for each in found] == [1, 1, 0]
    assert [each.skipped is not None for each in found] == [False, False, True]


# ---- what is at --out


def test_results_are_not_overwritten_unasked(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    succeed(frames, "--out", out)
    before = run_in(out)
    assert "exists already" in fail(frames / "extra", "--out", out)
    assert len(run_in(out).frames) == len(before.frames)
    succeed(frames / "extra", "--out", out, "--force")
    assert [frame.image for frame in run_in(out).frames] == ["blank.png"]


def test_a_place_that_cannot_be_written(frames: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in fail(frames / "extra", "--out", tmp_path / "file" / "results")


# ---- overlays


def truth_file(path: Path, name: str) -> Path:
    save_annotations(path, {name: (as_boxes([FACE_BOX]), ["grace"])})
    return path


def truth_folder(path: Path, name: str) -> Path:
    (path / "images").mkdir(parents=True)
    save_image(path / "images" / name, np.zeros((300, 256, 3), np.uint8))
    truth_file(path / "annotations.txt", name)
    return path


@pytest.mark.parametrize(
    ("make_truth", "name"),
    [(truth_file, "face.jpg"), (truth_folder, "face.jpg"), (truth_file, "validation/face.jpg")],
)
def test_the_truth_is_drawn_where_it_is_known(
    frames: Path, shy: Path, tmp_path: Path, make_truth: Callable[[Path, str], Path], name: str
) -> None:
    truth = make_truth(tmp_path / "truth", name)
    out = tmp_path / "results"
    result = succeed(frames, "--weights", shy, "--out", out, "--truth", truth)
    assert f"wrote {out} and {out / 'overlays'}" in result.stdout
    assert has_colour(out / "overlays" / "face.jpg", YELLOW)
    assert not has_colour(out / "overlays" / "extra" / "blank.png", YELLOW)


def test_the_truth_of_other_frames_is_refused_before_the_search(
    frames: Path, tmp_path: Path
) -> None:
    truth = truth_file(tmp_path / "truth.txt", "other.jpg")
    line = fail(frames, "--out", tmp_path / "results", "--truth", truth)
    assert "have no frame in common" in line
    assert not (tmp_path / "results").exists()


def test_boxes_of_the_truth_that_leave_their_frame_are_told(
    frames: Path, shy: Path, tmp_path: Path
) -> None:
    truth = truth_folder(tmp_path / "truth", "face.jpg")
    outside = {"face.jpg": (as_boxes([[200, 50, 300, 150]]), [None])}
    save_annotations(truth / "annotations.txt", outside)
    result = succeed(frames, "--weights", shy, "--out", tmp_path / "r", "--truth", truth)
    assert "1 clipped; the first is" in result.stderr


def test_overlays_of_names_that_differ_in_the_suffix_alone(frames: Path, tmp_path: Path) -> None:
    for suffix in ("gif", "jpg", "PNG"):
        Image.new("RGB", (40, 30)).save(frames / "extra" / f"blank.{suffix}")
    out = tmp_path / "results"
    succeed(frames / "extra", "--out", out, "--overlays")
    overlays = sorted(path.name for path in (out / "overlays").iterdir())
    assert overlays == ["blank.PNG", "blank.gif.jpg", "blank.jpg", "blank.png"]


def test_overlays_of_names_that_only_lack_another_suffix(frames: Path, tmp_path: Path) -> None:
    names = ["face", "face.jpg", "face.jpg.jpg"]
    for name in names:
        shutil.copy(frames / "extra" / "blank.png", frames / name)
    given, out = [frames / name for name in names], tmp_path / "results"
    success(call(*given, "--out", out, "--overlays"))
    overlays = sorted(path.name for path in (out / "overlays").iterdir())
    assert overlays == ["face.jpg", "face.jpg.jpg", "face.jpg.jpg.jpg"]


def has_colour(path: Path, colour: tuple[int, int, int]) -> bool:
    """Whether a picture has a line of nearly this colour (JPEG blurs it)."""
    far = np.abs(load_image(path).astype(int) - colour).max(axis=2)
    return int((far < 40).sum()) > 50


# ---- wrong usage


@pytest.mark.parametrize(
    "wrong",
    [
        ["--thresholds", "0.1", "0.2", "1.2"],
        ["--thresholds", "0.1", "0.2"],
        ["--format", "coco"],  # of a truth that is not given
        ["--on-error", "skip"],
        ["--min-face", "0"],
        ["--factor", "1"],
        ["--batch-size", "0"],
        ["--device", "tpu"],
        ["--unknown"],
        ["--out"],
    ],
)
def test_wrong_usage_is_exit_code_2(frames: Path, tmp_path: Path, wrong: list[str]) -> None:
    assert call(frames, "--out", tmp_path / "results", *wrong).exit_code == 2
    assert not (tmp_path / "results").exists()


def test_missing_weights_are_told_before_anything_is_written(frames: Path, tmp_path: Path) -> None:
    weights = tmp_path / "a.safetensors"
    line = fail(frames, "--weights", weights, "--out", tmp_path / "results")
    assert line.startswith(f"facetl: {weights}: no such weights file")
    assert not (tmp_path / "results").exists()


def test_a_gpu_that_is_not_there(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    line = fail(frames, "--out", tmp_path / "results", "--device", "cuda")
    assert line == "facetl: found no CUDA device; use --device cpu"


def test_the_help_says_what_the_settings_say() -> None:
    shown = {each.name: getattr(each, "show_default", None) for each in detect.params}
    usual = Settings()
    thresholds = " ".join(f"{threshold:g}" for threshold in usual.thresholds)
    assert shown["thresholds"] == f"those of the weights, otherwise {thresholds}"
    assert shown["min_face"] == f"that of the weights, otherwise {usual.min_face:g}"
    assert shown["factor"] == f"that of the weights, otherwise {usual.factor:g}"


def test_the_batch_size_is_the_detectors_own() -> None:
    from facetl.search.settings import BATCH_SIZE

    assert parse("detect", "frames", "--out", "results").params["batch_size"] == BATCH_SIZE


# ---- what is shown begins at a score


def test_what_is_shown_begins_at_the_score_of_the_weights_and_the_file_keeps_all(
    frames: Path, tmp_path: Path
) -> None:
    given = [frames / "face.jpg", "--weights", "cartoon", "--overlays", "--crops"]
    told = {}
    for name, more in (("usual", []), ("all", ["--score", "0"]), ("none", ["--score", "1"])):
        out = tmp_path / name
        told[name] = succeed(*given, *more, "--export", "csv", "--out", out)
        assert len(run_in(out, "cartoon").frames[0].detections) == 5  # a face, and false ones
    usual, everything, nothing = (run_in(tmp_path / name, "cartoon") for name in told)
    assert [run.score for run in (usual, everything, nothing)] == [SHOWN, 0, 1]
    for name, faces in (("usual", 1), ("all", 5), ("none", 0)):
        assert f"cartoon: {plural(faces, 'face')} in 1 image (0 skipped)" in told[name].stdout
        assert len((tmp_path / name / "cartoon.csv").read_text().splitlines()) == faces + 1
        assert len(list((tmp_path / name / "crops/cartoon").rglob("face_*.png"))) == faces
    assert f"  at score {SHOWN:g} and more; the file has 5 boxes in all\n" in told["usual"].stdout
    left_out = f"cartoon: boxes below score {SHOWN:g}, not exported: 4"
    assert left_out in told["usual"].stderr
    assert "not exported" not in told["all"].stderr
    drawn = [load_image(tmp_path / name / "overlays/face.jpg") for name in told]
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_every_run_is_shown_from_its_own_score(frames: Path, tmp_path: Path) -> None:
    both = ("--weights", "pretrained", "--weights", "cartoon")
    result = succeed(frames / "face.jpg", *both, "--out", tmp_path / "results")
    assert "pretrained: 1 face in" in result.stdout
    assert "cartoon: 1 face in" in result.stdout
    assert "at score 0.7 and more; the file has 1 box" in result.stdout
    assert f"at score {SHOWN:g} and more; the file has 5 boxes" in result.stdout


@pytest.mark.parametrize("score", ["1.5", "-0.1", "nan", "high"])
def test_a_score_that_is_none_is_wrong_usage(frames: Path, tmp_path: Path, score: str) -> None:
    assert call(frames, "--out", tmp_path / "results", "--score", score).exit_code == 2
    assert not (tmp_path / "results").exists()
