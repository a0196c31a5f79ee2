from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pytest
from commands import parse
from hypothesis import given, settings
from hypothesis import strategies as st

from facetl.errors import InputError
from facetl.mtcnn.stages import STAGES, Stage
from facetl.settings import filled
from facetl.training.settings import Augmentation, TrainingSettings, learning_rate
from facetl.training.stages import STAGE_FACTS


@pytest.mark.parametrize(
    ("schedule", "shape"),
    [
        # progress 0, half way up, the peak at 0.3, half way down at 0.65, the end
        ("one-cycle", [1 / 25, (1 / 25 + 1) / 2, 1, (1 + 1 / 25e4) / 2, 1 / 25e4]),
        ("cosine", [1, math.cos(0.075 * math.pi) ** 2, math.cos(0.15 * math.pi) ** 2, None, 0]),
        ("constant", [1, 1, 1, 1, 1]),
    ],
)
def test_the_shape_of_a_schedule(schedule: Any, shape: list[float | None]) -> None:
    for progress, share in zip((0, 0.15, 0.3, 0.65, 1), shape, strict=True):
        if share is not None:
            wanted = pytest.approx(0.02 * share, abs=1e-12)
            assert learning_rate(schedule, 0.02, progress) == wanted


@given(
    schedule=st.sampled_from(["one-cycle", "cosine", "constant"]),
    peak=st.floats(1e-6, 10),
    progress=st.floats(0, 0.999),
)
@settings(max_examples=50)
def test_a_learning_rate_is_above_0_and_at_most_the_peak(
    schedule: Any, peak: float, progress: float
) -> None:
    rate = learning_rate(schedule, peak, progress)
    assert 0 < rate <= peak * (1 + 1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("hard_share", 0.0),
        ("hard_share", 1.1),
        ("shares", (0.0, 1.0, 1.0)),
        ("shares", (3.0, 0.0, 1.0)),
        ("shares", (3.0, 1.0, math.nan)),
        ("validation_share", 1.0),
        ("patience", -1),
        ("score_threshold", 1.5),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"found {name} .*, expected "):
        TrainingSettings(**{name: value})


@pytest.mark.parametrize("name", ["classification_weight", "box_weight", "landmark_weight"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_weights_of_losses_are_numbers_from_0(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"found {name} .*, expected 0 or more"):
        TrainingSettings(**{name: value})  # type: ignore[arg-type]


def test_settings_can_be_written_as_json() -> None:
    chosen = TrainingSettings(epochs=3, augmentation=Augmentation(flip=0.25))
    written = chosen.to_json()
    assert written["epochs"] == 3
    used = {name: value for name, value in asdict(chosen.augmentation).items() if value}
    assert written["augmentation"] == used  # of those that are 0, grey and mix are left out
    grey = TrainingSettings(augmentation=Augmentation(flip=0, grey=0.25))
    assert grey.to_json()["augmentation"] == {
        **used,
        "flip": 0,
        "grey": 0.25,
    }


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_and_the_library_have_the_same_defaults(stage: Stage) -> None:
    context = parse(f"train-{stage}", "patches", "--out", "a.safetensors")
    other = TrainingSettings(epochs=99, augmentation=Augmentation(1, 1, 1, 1, 1), seed=99)
    assert filled(other, context.params) == STAGE_FACTS[stage].training


def test_the_whole_cascade_takes_as_many_epochs_as_its_stages() -> None:
    context = parse("train", "data", "--out", "a.safetensors")
    assert context.params["epochs"] == tuple(STAGE_FACTS[each].training.epochs for each in STAGES)
