"""Settings of a search, and those that a weights file recommends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from facetl import run_onnx
from facetl.cli.detect import detect
from facetl.cli.explain import explain
from facetl.cli.tune import tune
from facetl.data.images import load_image
from facetl.errors import WeightsError
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.search.settings import DETECTION, FACTORS, LEAST_FACE, Settings

TUNED = Settings((0.3, 0.4, 0.9), min_face=60, factor=0.6, score=0.95)


def weights_with(record: object) -> Weights:
    return Weights({"pnet": load_pretrained_stage("pnet")}, {DETECTION: record})


def test_without_a_recommendation_they_are_as_usual() -> None:
    assert Settings.from_metadata({"seed": 1}) == Settings((0.1, 0.2, 0.2), 20, 0.709)


def test_what_is_not_recommended_is_as_usual_and_the_rest_is_passed_over() -> None:
    record = {"min_face": 30, "aim": "f1", "figures": {"f1": 0.9}}
    assert Settings.from_metadata({DETECTION: record}) == Settings(min_face=30)


def test_recommendations_survive_the_file(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", weights_with(TUNED.to_json()))
    assert load_weights(tmp_path / "w.safetensors").settings == TUNED


@pytest.mark.parametrize(
    "record",
    [
        [0.1, 0.2],
        {"thresholds": 0.5},
        {"thresholds": [0.1, 0.2]},
        {"thresholds": [0.1, 0.2, "high"]},
        {"thresholds": [0.1, 0.2, 1.5]},
        {"min_face": True},
        {"min_face": None},
        {"min_face": [20]},
        {"min_face": float("inf")},
        {"factor": 1},
        {"padding": 1},
        {"padding": None},
        {"voting": "yes"},
        {"score": 1.01},
        {"score": -0.1},
        {"score": "high"},
        {"score": None},
        {"score": True},
        {"score": [0.5]},
        {"score": float("nan")},
        {"factor": float("nan")},
        {"factor": 0.9999999999},
        {"factor": 1e-9},
        {"min_face": 1e-9},
        {"min_face": 0.99},
        {"min_face": 10**400},
        {"thresholds": [0.1, 0.2, 10**400]},
    ],
)
def test_a_wrong_recommendation_is_one_line_that_names_the_file(
    tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(Settings, "from_metadata", lambda metadata: Settings())
        save_weights(path, weights_with(record))
    with pytest.raises(WeightsError, match="found wrong settings under 'detection'") as caught:
        load_weights(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("run facetl tune")
    assert "\n" not in str(caught.value)


def test_the_bounds_are_the_same_wherever_a_setting_comes_from() -> None:
    """Those of the options, the metadata and Python are one; the runner stands alone."""
    least, (low, high) = LEAST_FACE, FACTORS
    assert run_onnx._LEAST_FACE == LEAST_FACE
    assert run_onnx._FACTORS == FACTORS
    for command in (detect, explain, tune):
        types = {option.name: option.type for option in command.params}
        min_face = types.get("min_face") or types["min_faces"]
        factor = types.get("factor") or types["factors"]
        assert isinstance(min_face, click.FloatRange)
        assert isinstance(factor, click.FloatRange)
        assert (min_face.min, min_face.max) == (least, None)
        assert (factor.min, factor.max) == (low, high)


@pytest.mark.parametrize("wrong", [{"min_face": 0.5}, {"factor": 0.995}, {"factor": 0.05}])
def test_python_is_held_to_them_too(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"^found "):
        Settings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"found settings .* export the networks again"):
        run_onnx._check_settings({**Settings().to_json(), **wrong})


def test_the_runner_takes_what_settings_take() -> None:
    run_onnx._check_settings(Settings((0, 1, 0.5), 1, 0.99, True, True).to_json())


def test_what_is_given_goes_before_what_is_recommended() -> None:
    assert TUNED.override(thresholds=None, min_face=None, factor=None) == TUNED
    assert TUNED.override(min_face=20.0) == Settings((0.3, 0.4, 0.9), 20, 0.6, score=0.95)
    assert TUNED.override(score=0.0).score == 0


def test_a_detector_searches_as_its_weights_would_have_it(portrait: Path) -> None:
    detector = Detector(weights_with({"thresholds": [0.6, 0.7, 1.0]}))
    face = load_image(portrait)
    assert detector.settings == Settings((0.6, 0.7, 1.0))
    assert len(detector.detect([face])[0]) == 0  # no score is above 1
    assert len(detector.detect([face], (0.6, 0.7, 0.7))[0]) == 1


def test_weights_say_from_which_score_what_they_find_is_shown() -> None:
    assert Detector.load("cartoon", "cpu").score == 0.88
    assert Detector.load("pretrained", "cpu").score == 0.7


def test_what_is_found_does_not_depend_on_the_score_shown(portrait: Path) -> None:
    detector = Detector.load("cartoon", "cpu")
    strict, lax = (
        next(detector.search([portrait], detector.settings.override(score=score))).detections
        for score in (1.0, 0.0)
    )
    assert strict.scores.tolist() == lax.scores.tolist()
    assert min(strict.scores) < detector.score < max(strict.scores)
