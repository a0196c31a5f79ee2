"""What makes the networks fast must not change what they say."""

from __future__ import annotations

import pytest
import torch
from engines import needs_kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from facetl.mtcnn.layers import parameter_shapes
from facetl.mtcnn.networks import _activate_and_pool, build_network
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.training.machine import keeping_threads

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


@needs_kernels
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "shape",
    [(5, 32, 46, 46), (3, 64, 21, 21), (3, 64, 8, 8), (2, 28, 22, 22), (2, 48, 9, 9), (2, 16, 7, 8),
     (1, 17, 3, 5), (0, 32, 4, 4)],
)  # fmt: skip
@pytest.mark.parametrize("pool", POOLS)
def test_the_kernels_pool_and_give_back_gradients_as_autograd_does(
    pool: nn.MaxPool2d, shape: tuple[int, ...], precision: torch.dtype, threads: int
) -> None:
    chance = torch.Generator().manual_seed(1)
    prelu = nn.PReLU(shape[1])
    prelu.load_state_dict({"weight": torch.randn(shape[1], generator=chance) / 2})
    given = torch.randn(shape, generator=chance).to(precision).requires_grad_()
    exact = given.detach().float().requires_grad_()
    with keeping_threads(threads):
        fast = _activate_and_pool(given, prelu, pool)
    assert type(fast.grad_fn).__name__ == "_ActivateAndPoolBackward"
    usual = pool(prelu(exact))
    # what has 16 bits is rounded once, at the end
    assert torch.equal(fast, usual.to(precision))
    weights = torch.randn(fast.shape, generator=chance).to(precision)
    with keeping_threads(threads):
        own = torch.autograd.grad(fast, (given, prelu.weight), weights)
    wanted = torch.autograd.grad(usual, (exact, prelu.weight), weights.float())
    torch.testing.assert_close(own[0], wanted[0].to(precision), rtol=1e-2, atol=0)
    torch.testing.assert_close(own[1], wanted[1], rtol=1e-4, atol=1e-4)


@needs_kernels
def test_the_usual_device_does_not_matter() -> None:
    features = torch.randn(1, 32, 8, 8)
    prelu, pool = nn.PReLU(32), POOLS[0]
    with torch.device("meta"):
        fast = _activate_and_pool(features, prelu, pool)
    assert torch.equal(fast, pool(prelu(features)))


@needs_kernels
def test_gradients_of_a_step_do_not_depend_on_the_threads() -> None:
    chance = torch.Generator().manual_seed(1)
    features = torch.randn(7, 32, 20, 20, generator=chance).requires_grad_()
    prelu, pool = nn.PReLU(32), POOLS[0]
    found = []
    for threads in (1, 2, 5):
        with keeping_threads(threads):
            pooled = _activate_and_pool(features, prelu, pool)
            found.append(torch.autograd.grad(pooled.square().sum(), (features, prelu.weight)))
    for other in found[1:]:
        assert torch.equal(found[0][0], other[0])
        torch.testing.assert_close(found[0][1], other[1])


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float64])
def test_what_is_no_number_stays_none(precision: torch.dtype) -> None:
    features = torch.zeros(1, 3, 5, 5, dtype=precision)
    features[0, 1, 2, 2] = torch.nan
    features[0, 2] = -torch.inf
    pooled = _activate_and_pool(features, nn.PReLU(3, dtype=precision), POOLS[0])
    assert not pooled[0, 0].isnan().any()
    assert pooled[0, 1].isnan().all()
    assert pooled[0, 2].isinf().all()


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
