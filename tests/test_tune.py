"""``facetl tune``: from annotated frames to weights that know how to be searched with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from outcomes import cannot_draw, complaint, success

from facetl.boxes import as_boxes
from facetl.cli import main
from facetl.data.formats.course import save_annotations
from facetl.data.images import load_image, save_image
from facetl.evaluation.tuning import tradeoff_plot
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.results.store import load_run
from facetl.search.settings import Settings

pytestmark = pytest.mark.usefixtures("sketched")

FACE = [81.0, 53.0, 174.0, 175.0]
MIRRORED = [256 - 174.0, 53.0, 256 - 81.0, 175.0]
QUICK = ("--min-face", 80)


@pytest.fixture
def data(tmp_path: Path, portrait: Path) -> Path:
    """The portrait, its mirror image and a blank frame, annotated."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    face = load_image(portrait)
    for name, pixels in {"a": face, "b": face[:, ::-1], "c": np.zeros_like(face)}.items():
        save_image(folder / "images" / f"{name}.png", np.ascontiguousarray(pixels))
    annotate(folder, FACE, MIRRORED)
    return folder


def annotate(folder: Path, *boxes: list[float]) -> None:
    names = ("a.png", "b.png", "c.png")
    faces = {name: (as_boxes([box]), [None]) for name, box in zip(names, boxes, strict=False)}
    save_annotations(folder / "annotations.txt", faces)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["tune", "--device", "cpu", *map(str, arguments)])


def succeed(*arguments: object) -> Result:
    return success(call(*arguments))


def fail(*arguments: object) -> str:
    return complaint(call(*arguments))


def choice_in(path: Path) -> dict[str, Any]:
    return dict(load_weights(path).metadata["detection"])


def test_a_plot_that_cannot_be_drawn_costs_no_choice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tradeoff_plot, "plot_tradeoff", cannot_draw)
    out = tmp_path / "tuned.safetensors"
    result = succeed(data, "--weights", "pretrained", "--out", out, *QUICK)
    assert choice_in(out)["aim"] == "f1"
    assert "pictures that cannot be drawn, left out: 1 (" in result.stderr
    assert "tuned_tuning" not in result.stdout
    assert "chosen" in result.stdout


@pytest.mark.rendered
def test_the_choice_is_written_shown_and_drawn(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned.safetensors"
    result = succeed(data, "--weights", "pretrained", "--out", out, *QUICK)
    assert {path.name for path in tmp_path.glob("tuned*")} == {
        "tuned_tuning.png",
        "tuned_tuning.svg",
        out.name,
    }
    assert load_image(tmp_path / "tuned_tuning.png").shape == (720, 1650, 3)
    choice = choice_in(out)
    assert choice["aim"] == "f1"
    assert choice["min_face"] == 80
    assert choice["data"]["frames"] == 3
    assert choice["data"]["faces"] == 2
    assert choice["figures"]["f1"] == 1.0
    assert load_weights(out).settings.thresholds == tuple(choice["thresholds"])
    assert choice["score"] == load_weights(out).settings.score == choice["thresholds"][2]
    assert f"shown from score {choice['score']:g} on, unless --score" in result.stdout
    chosen = next(line for line in result.stdout.splitlines() if line.startswith("chosen "))
    assert chosen.split()[1:6] == [*(f"{each:g}" for each in choice["thresholds"]), "80", "0.709"]
    assert "chosen for f1 among 81 settings on 3 frames" in result.stdout
    assert "before" not in result.stdout  # at 20 pixels nothing was measured
    assert result.stderr.splitlines()[-1].startswith("next: facetl detect FRAMES --weights ")


def test_detect_finds_the_choice_and_what_is_given_goes_before_it(
    data: Path, tmp_path: Path
) -> None:
    tuned = tmp_path / "tuned.safetensors"
    succeed(data, "--weights", "pretrained", "--out", tuned, "--factor", 0.6, *QUICK)
    both = ("--weights", "pretrained", "--weights", str(tuned), "--device", "cpu")
    for out, more in (("own", []), ("given", ["--min-face", "70"])):
        arguments = ["detect", str(data / "images"), *both, "--out", str(tmp_path / out), *more]
        assert CliRunner().invoke(main, arguments).exit_code == 0
    own, given, usual = (
        load_run(tmp_path / folder / f"{name}.detections.json")
        for folder, name in (("own", "tuned"), ("given", "tuned"), ("own", "pretrained"))
    )
    choice = choice_in(tuned)
    assert [own.settings[key] for key in ("thresholds", "min_face", "factor")] == [
        choice["thresholds"], 80, 0.6,
    ]  # fmt: skip
    assert (given.settings["min_face"], given.settings["factor"]) == (70, 0.6)
    assert usual.settings["thresholds"] == [0.1, 0.2, 0.2]
    # precision and recall were 1: one face in either portrait, none in the blank frame
    assert [len(frame.detections) for frame in own.frames] == [1, 1, 0]


def test_the_setting_in_use_is_measured_too(data: Path, tmp_path: Path) -> None:
    own, out = tmp_path / "own.safetensors", tmp_path / "out.safetensors"
    record = Settings((0.2, 0.3, 0.4), 80).to_json()
    stage = {"pnet": load_pretrained_stage("pnet")}
    save_weights(own, Weights({"pnet": stage["pnet"]}, {"seed": 7, "detection": record}))
    result = succeed(data, "--weights", own, "--out", out, "--aim", "ap", *QUICK)
    before = next(line for line in result.stdout.splitlines() if line.startswith("before "))
    assert before.split()[1:5] == ["0.2", "0.3", "0.4", "80"]
    assert load_weights(out).metadata["seed"] == 7
    assert list(load_weights(out).stages) == ["pnet"]
    assert choice_in(out)["aim"] == "ap"
    assert choice_in(out)["thresholds"][2] == 0.05  # what is found is not cut short
    assert choice_in(out)["score"] > 0.5  # but what is shown


def test_weights_that_rescore_are_tuned_with_rescoring(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    result = succeed(data, "--weights", "cartoon-large", "--out", out, *QUICK)
    choice, settings = choice_in(out), load_weights(out).settings
    assert settings.rescored
    assert (settings.thresholds[2], settings.score) == (0.05, choice["score"])
    assert choice["figures"]["f1"] == 1.0
    assert f"shown from score {choice['score']:g} on" in result.stdout
    detector = Detector(load_weights(out), "cpu")
    images = [load_image(path) for path in sorted((data / "images").iterdir())]
    searches = detector.search(images, detector.settings)
    shown = [int((each.detections.scores >= detector.score).sum()) for each in searches]
    assert shown == [1, 1, 0]


def test_pyramids_follow_from_the_smallest_face(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    result = succeed(data, "--weights", "pretrained", "--out", out, "--limit", "1")
    # 20 pixels are those in use, 60 and 80 what a face of 122 pixels allows
    assert "243 settings on 1 frames" in result.stdout
    assert "taking 1 of 3 frames" in result.stderr
    assert "before" in result.stdout


def test_force_writes_into_the_weights(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, load_weights("pretrained"))
    before = path.read_bytes()
    arguments = (data, "--weights", path, *QUICK)
    assert call(*arguments).exit_code == 2
    assert call(*arguments, "--out", path).exit_code == 1
    assert path.read_bytes() == before
    succeed(*arguments, "--force")
    assert choice_in(path)["aim"] == "f1"
    assert set(load_weights(path).stages) == {"pnet", "rnet", "onet"}


@pytest.mark.parametrize("aim", ["recall>=0.9", "precision>=0.9", "speed"])
def test_other_aims(data: Path, tmp_path: Path, aim: str) -> None:
    out = tmp_path / "out.safetensors"
    result = succeed(data, "--weights", "pretrained", "--out", out, "--aim", aim, *QUICK)
    assert f"chosen for {aim} among" in result.stdout
    assert choice_in(out)["figures"]["recall"] == 1.0


def test_a_bound_out_of_reach_is_one_line_and_nothing_is_written(
    data: Path, tmp_path: Path
) -> None:
    annotate(data, FACE, MIRRORED, [5.0, 5.0, 100.0, 100.0])  # a face on the blank frame
    out = tmp_path / "out.safetensors"
    line = fail(data, "--weights", "pretrained", "--out", out, "--aim", "recall>=0.99", *QUICK)
    assert "no setting reaches recall>=0.99" in line
    assert "the best that can be had is a recall of 0.6667" in line
    assert list(tmp_path.glob("out*")) == []


def test_frames_without_faces_cannot_be_tuned_on(data: Path, tmp_path: Path) -> None:
    (data / "annotations.txt").write_text("")
    out = tmp_path / "out.safetensors"
    assert "found no annotated face in 3 frames" in fail(
        data, "--weights", "pretrained", "--out", out
    )


def test_what_is_wrong_with_the_frames_is_told(data: Path, tmp_path: Path) -> None:
    annotate(data, FACE, [-5.0, 53.0, 175.0, 175.0])
    out = tmp_path / "out.safetensors"
    result = succeed(data, "--weights", "pretrained", "--out", out, *QUICK)
    assert "1 clipped" in result.stderr


@pytest.mark.parametrize("name", ["out_tuning.png", "out_tuning.svg"])
def test_nothing_is_overwritten_unasked(data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    out = tmp_path / "out.safetensors"
    assert "exists already" in fail(data, "--weights", "pretrained", "--out", out, *QUICK)
    assert not out.exists()


@pytest.mark.parametrize("arguments", [(), ("--part", "test"), ("--part", "train")])
def test_a_part_of_what_has_no_parts_is_told(
    data: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    out = tmp_path / "out.safetensors"
    result = succeed(data, "--weights", "pretrained", "--out", out, *QUICK, *arguments)
    told = f"found no parts, so {' '.join(arguments)} means all 3 frames"
    assert (told in result.stderr) == bool(arguments)


def test_a_part_of_what_has_parts_is_not_told(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "whole" / "train")
    shutil.copytree(data, tmp_path / "whole" / "test")
    out = tmp_path / "out.safetensors"
    place = (tmp_path / "whole", "--weights", "pretrained", "--out", out)
    assert "found no parts" not in succeed(*place, "--part", "test", *QUICK).stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["--aim", "best"],
        ["--aim", "recall>=2"],
        ["--out", "w.pt"],
        ["--min-face", "0"],
        ["--factor", "1"],
        ["--limit", "0"],
    ],
)
def test_wrong_usage_is_exit_code_2(data: Path, tmp_path: Path, wrong: list[str]) -> None:
    out = tmp_path / "out.safetensors"
    assert call(data, "--weights", "pretrained", "--out", out, *wrong).exit_code == 2
    assert not out.exists()


def test_without_frames_or_a_place_to_write(tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    nowhere = call("--weights", "pretrained", "--out", out)
    assert (nowhere.exit_code, "neither DATA nor --images" in nowhere.stderr) == (2, True)
    named = call("frames", "--weights", "pretrained", "--force")
    assert (named.exit_code, "found no --out" in named.stderr) == (2, True)


def test_a_wrong_recommendation_is_one_line(data: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = tmp_path / "w.safetensors"
    save_weights(path, load_weights("pretrained"))
    header = {"format": "facetl-weights", "version": 1, "detection": {"min_face": "small"}}
    save_file(load_file(path), path, {"facetl": json.dumps(header)})
    line = fail(data, "--weights", path, "--out", tmp_path / "out.safetensors")
    assert f"{path}: found wrong settings under 'detection'" in line
