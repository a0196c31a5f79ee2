"""What makes the networks fast must not change what they say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from facetl.mtcnn.layers import parameter_shapes
from facetl.mtcnn.networks import _activate_and_pool, build_network
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage

POOLS = [nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2, 2, ceil_mode=True)]
SLOPES = st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3)


@given(
    slopes=SLOPES | SLOPES.map(lambda slopes: [abs(slope) for slope in slopes]),
    pool=st.sampled_from(POOLS),
    side=st.integers(3, 9),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50)
def test_activation_and_pooling_are_those_in_the_usual_order(
    slopes: list[float], pool: nn.MaxPool2d, side: int, seed: int
) -> None:
    prelu = nn.PReLU(3)
    prelu.load_state_dict({"weight": torch.tensor(slopes)})
    chance = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 3, side, side, generator=chance).requires_grad_()
    fast, usual = _activate_and_pool(features, prelu, pool), pool(prelu(features))
    assert torch.equal(fast, usual)
    weights = torch.randn(fast.shape, generator=chance)
    for one, other in zip(
        *(torch.autograd.grad((each * weights).sum(), (features, prelu.weight))
          for each in (fast, usual)), strict=True
    ):  # fmt: skip
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        assert torch.equal(_activate_and_pool(features, prelu, pool), usual)


def test_a_negative_slope_lifts_the_lowest_value_to_the_top() -> None:
    # of -4 and 1 a slope of -1 makes 4 and 1; the activation of the larger one would be 1
    features = torch.tensor([[[[-4.0, 1.0], [0.0, 0.0]]]])
    prelu = nn.PReLU(1)
    prelu.load_state_dict({"weight": torch.tensor([-1.0])})
    assert _activate_and_pool(features, prelu, nn.MaxPool2d(2)).item() == 4


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_outputs_have_their_shapes_even_of_nothing(stage: Stage, count: int) -> None:
    size = INPUT_SIZES[stage]
    outputs = build_network(stage)(torch.zeros(count, 3, size, size))
    shapes = [tuple(part.flatten(1).shape) for part in outputs] if count else []
    assert shapes == ([(count, 2), (count, 4), (count, 10 * (stage == "onet"))] if count else [])
    assert len(outputs.scores) == count


@pytest.mark.parametrize("stage", STAGES)
def test_the_tables_have_the_layers_of_the_modules_in_their_order(stage: Stage) -> None:
    state = build_network(stage).state_dict()
    assert list(parameter_shapes(stage).items()) == [
        (name, tuple(tensor.shape)) for name, tensor in state.items()
    ]
