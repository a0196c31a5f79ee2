from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import reference_transfer as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch import Tensor, nn

from facetl.training.epochs import _set_gradient
from facetl.training.gradient_rules import GRADIENT_RULES, dtnh, plain_sum
from facetl.training.penalties import AngleLog, angle, flatten

numbers = st.floats(-10, 10, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)
strengths = st.floats(0, 5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    count = draw(st.integers(1, 12))
    columns = npst.arrays("float64", count, elements=numbers)
    return torch.tensor(draw(columns)), torch.tensor(draw(columns))


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(pairs(), strengths)
@settings(max_examples=300)
def test_dtnh_is_the_reference(pair: tuple[Tensor, Tensor], strength: float) -> None:
    g, h = pair
    wanted = reference.dtnh(g.tolist(), h.tolist(), strength)
    torch.testing.assert_close(dtnh(g, h, strength), vector(*wanted), rtol=1e-9, atol=1e-9)


@given(pairs(), strengths)
@settings(max_examples=300)
def test_dtnh_never_works_against_the_loss(pair: tuple[Tensor, Tensor], strength: float) -> None:
    g, h = pair
    direction = dtnh(g, h, strength)
    if torch.dot(g, h) < 0:
        assert torch.dot(direction, g) >= torch.dot(g, g) - 1e-9 * (1 + torch.dot(g, g))
    else:
        torch.testing.assert_close(direction, plain_sum(g, h, strength), rtol=0, atol=0)


@given(pairs())
@settings(max_examples=100)
def test_single_precision_is_close(pair: tuple[Tensor, Tensor]) -> None:
    g, h = pair
    torch.testing.assert_close(
        dtnh(g.float(), h.float(), 1.0).double(), dtnh(g, h, 1.0), rtol=1e-4, atol=1e-2
    )


def test_what_is_left_of_an_opposed_regulariser_is_what_lies_across() -> None:
    g, h = vector(2, 0), vector(-1, 3)
    assert dtnh(g, h, 1.0).tolist() == [2, 3]  # -1 along g is dropped
    assert plain_sum(g, h, 1.0).tolist() == [1, 3]
    assert dtnh(g, h, 2.0).tolist() == [2, 6]
    assert dtnh(g, -3 * g, 1.0).tolist() == g.tolist()


@pytest.mark.parametrize("rule", GRADIENT_RULES.values())
def test_zero_gradients_are_nothing_special(
    rule: Callable[[Tensor, Tensor, float], Tensor],
) -> None:
    g, zero = vector(1, -2), vector(0, 0)
    for first, second in ((g, zero), (zero, g), (zero, zero)):
        assert rule(first, second, 1.0).tolist() == (first + second).tolist()


def test_a_tiny_gradient_gives_finite_directions() -> None:
    g = torch.tensor([1e-30, 0.0])
    assert dtnh(g, torch.tensor([-1.0, 1.0]), 1.0).isfinite().all()


def test_angles() -> None:
    assert angle(vector(1, 0), vector(0, 5)) == pytest.approx(90)
    assert angle(vector(1, 0), vector(-2, 0)) == pytest.approx(180)
    assert angle(vector(1, 1), vector(3, 3)) == pytest.approx(0, abs=1e-5)
    assert math.isnan(angle(vector(0, 0), vector(1, 0)))


def test_a_log_of_angles_is_a_mean_over_the_steps_that_have_any() -> None:
    log = AngleLog()
    assert log.summary() == {}
    g, across, against = vector(1, 0), vector(0, 1), vector(-1, 1)
    for h in (across, against, vector(0, 0)):
        log.add(g, h, dtnh(g, h, 1.0))
    found = log.summary()
    assert found["gradient_penalty"] == pytest.approx((90 + 135) / 2)
    assert found["direction_gradient"] == pytest.approx(45)
    assert found["direction_penalty"] == pytest.approx((45 + 90) / 2)
    assert found["conflicts"] == 0.5


def test_flattening_and_giving_back_are_each_others_inverse() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 2), nn.PReLU(3)).to(memory_format=torch.channels_last)
    parameters = list(network.parameters())
    count = sum(parameter.numel() for parameter in parameters)
    direction = torch.arange(count, dtype=torch.float32)
    _set_gradient(parameters, direction)
    assert all(parameter.grad.shape == parameter.shape for parameter in parameters)  # type: ignore[union-attr]
    assert flatten([parameter.grad for parameter in parameters], parameters).equal(direction)


def test_a_missing_gradient_is_zero() -> None:
    parameters = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(1))]
    assert flatten([None, torch.tensor([4.0])], parameters).tolist() == [0, 0, 4]
