from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_training import cross_entropy, hard_classification_loss, mean_box_loss
from torch import Tensor
from torch.nn import functional

from facetl.errors import NonFiniteLossError
from facetl.mtcnn.networks import Outputs
from facetl.training.losses import (
    SMOOTH_L1_BETA,
    _classification_loss,
    _place_loss,
    detection_losses,
    weighted_sum,
)
from facetl.training.sampling import Label

LABELS = st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=20)


def confidence(*certainties: float) -> Tensor:
    """Logits of patches whose probability of being a face is given."""
    return torch.tensor([[0.0, math.log(p / (1 - p))] for p in certainties], requires_grad=True)


def outputs(logits: Tensor, offsets: Tensor) -> Outputs:
    return Outputs(logits, offsets, torch.zeros(len(logits), 0))


def test_the_hardest_seven_of_ten_count() -> None:
    # ten negatives, thought faces with 5 %, 10 %, … 50 %: the easiest three, 5 to 15 %, drop out
    certainties = [0.05 * step for step in range(1, 11)]
    loss = _classification_loss(confidence(*certainties), torch.zeros(10, dtype=torch.long), 0.7)
    hardest = [-math.log(1 - certainty) for certainty in certainties[3:]]
    assert loss.item() == pytest.approx(sum(hardest) / 7)


def test_easy_patches_get_no_gradient() -> None:
    logits = confidence(0.9, 0.5)
    _classification_loss(logits, torch.tensor([1, 1]), 0.5).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0].tolist() == [0, 0]
    assert logits.grad[1].abs().min() > 0


def test_part_faces_do_not_count_in_the_classification() -> None:
    # the part face is taken for a sure negative, which would be the largest loss if it counted
    with_part = _classification_loss(confidence(0.8, 0.3, 0.001), torch.tensor([1, 0, 2]))
    assert with_part.item() == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2)


@given(labels=LABELS, hard_share=st.floats(0.01, 1), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_losses_agree_with_the_slow_ones(labels: list[int], hard_share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, offsets, targets = (rng.normal(0, 0.5, (len(labels), width)) for width in (2, 4, 4))
    said = outputs(torch.from_numpy(logits), torch.from_numpy(offsets))
    losses = detection_losses(
        said, torch.tensor(labels), torch.from_numpy(targets), hard_share=hard_share
    )
    slow = hard_classification_loss(logits.tolist(), labels, hard_share)
    assert losses["classification"].item() == pytest.approx(slow)
    slow = mean_box_loss(offsets.tolist(), targets.tolist(), labels, SMOOTH_L1_BETA)
    assert losses["box"].item() == pytest.approx(slow)


def test_place_loss_by_hand() -> None:
    # beta 0.1: 0.05 lies on the parabola, 0.05² / 0.2 = 0.0125; 0.3 on the line, 0.3 - 0.05
    loss = _place_loss(torch.tensor([[0.05, 0.0, -0.3, 0.0]]), torch.zeros(1, 4))
    assert loss.item() == pytest.approx((0.0125 + 0.25) / 4)


def test_place_loss_is_torchs() -> None:
    generator = torch.Generator().manual_seed(3)
    offsets, targets = torch.rand(2, 50, 4, generator=generator)
    elementwise = functional.smooth_l1_loss(offsets, targets, beta=SMOOTH_L1_BETA, reduction="none")
    loss = _place_loss(offsets, targets)
    torch.testing.assert_close(loss, elementwise.mean())


@pytest.mark.parametrize("label", list(Label)[:3])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_batch_of_one_class_has_finite_losses_and_gradients(label: Label, count: int) -> None:
    logits = torch.full((count, 2), 0.5, requires_grad=True)
    offsets = torch.full((count, 4), 0.5, requires_grad=True)
    labels = torch.full((count,), int(label))
    losses = detection_losses(
        outputs(logits, offsets), labels, torch.zeros(count, 4), hard_share=0.7
    )
    torch.autograd.backward(list(losses.values()))
    assert losses["box"].item() == 0 or label != Label.NEGATIVE
    assert losses["classification"].item() == 0 or label != Label.PART
    for tensor in (*losses.values(), logits.grad, offsets.grad):
        assert tensor is not None
        assert torch.isfinite(tensor).all()


def test_the_sum_is_weighed_by_name() -> None:
    losses = {"box": torch.tensor(2.0), "classification": torch.tensor(3.0)}
    assert weighted_sum(losses, {"classification": 1.0, "box": 0.5}).item() == 4


@pytest.mark.parametrize(("bad", "name"), [(math.nan, "nan"), (math.inf, "inf")])
def test_a_loss_that_is_not_finite_stops_and_shows_its_parts(bad: float, name: str) -> None:
    losses = {"classification": torch.tensor(bad), "box": torch.tensor(0.25)}
    with pytest.raises(NonFiniteLossError) as caught:
        weighted_sum(losses, {"classification": 1.0, "box": 2.0})
    assert str(caught.value) == (
        f"the loss became {name} (classification {name}, box 0.25); try a lower --learning-rate"
    )


def test_the_reference_knows_an_even_bet() -> None:
    assert cross_entropy([1.0, 1.0], face=True) == pytest.approx(math.log(2))
