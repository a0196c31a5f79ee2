from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import reference_transfer as reference
import torch
from torch import Tensor, nn

from facetl.errors import InputError
from facetl.mtcnn.networks import Network, normalise
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.training.initialisation import build_starting_network
from facetl.training.layer_groups import trained_parameters
from facetl.training.penalties import Held, Penalty, flatten, weights_of
from facetl.training.regularisers import find_regulariser
from facetl.training.regularisers.delta import _weigh_channels
from facetl.training.regularisers.feature_map import FeaturePenalty
from facetl.training.regularisers.l2 import WeightPenalty
from facetl.training.regularisers.l2_sp_fisher import fisher_diagonal
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer


def moved(stage: Stage = "pnet", by: float = 0.02) -> tuple[Network, Network]:
    """Return a network some way from where it started, and the start."""
    source = build_starting_network(stage, "pretrained", 1)
    network = deepcopy(source)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=generator))
    return network, source.requires_grad_(False)


def pixels_for(stage: Stage, count: int = 5) -> Tensor:
    size = INPUT_SIZES[stage]
    return torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(1))


def ask(network: Network, source: Network, stage: Stage, **transfer: Any) -> Penalty:
    """Return what a regulariser says of a network after a forward pass."""
    chosen = Transfer(**transfer)
    kind = find_regulariser(chosen.regulariser)
    assert kind is not None
    pixels = pixels_for(stage).float()
    layers = STAGE_FACTS[stage].layers
    held = Held(network, layers, chosen, source, lambda _: torch.zeros(()), show, lambda: pixels)
    regulariser = kind.build(held)
    with regulariser.attached(network):
        network(normalise(pixels))
        return regulariser(trained_parameters(network), pixels)


def show(network: nn.Module, pixels: Tensor) -> object:
    """Run a network in full precision."""
    return network(normalise(pixels))


def gradient_of(value: Tensor, network: Network) -> Tensor:
    parameters = trained_parameters(network)
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    return flatten(gradients, parameters)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("reset", [False, True])
def test_l2_sp_is_its_formula_and_its_gradient_is_torchs(stage: Stage, reset: bool) -> None:
    network, source = moved(stage)
    found = ask(network, source, stage, regulariser="l2-sp", alpha=0.3, beta=0.7, reset_head=reset)
    new = STAGE_FACTS[stage].layers.head if reset else ()
    wanted = reference.weight_penalty(network, source.state_dict(), 0.3, 0.7, new)
    torch.testing.assert_close(found.value, wanted.detach())
    torch.testing.assert_close(found.gradient, gradient_of(wanted, network))


@pytest.mark.parametrize("stage", STAGES)
def test_l2_is_its_formula_and_its_gradient_is_torchs(stage: Stage) -> None:
    network, source = moved(stage)
    found = ask(network, source, stage, regulariser="l2", alpha=0.3)
    nowhere = {name: torch.zeros_like(value) for name, value in source.state_dict().items()}
    wanted = reference.weight_penalty(network, nowhere, 0.3, 0.0, ())
    torch.testing.assert_close(found.value, wanted.detach())
    torch.testing.assert_close(found.gradient, gradient_of(wanted, network))


@pytest.mark.parametrize("stage", STAGES)
def test_l2_sp_fisher_is_its_formula_and_its_gradient_is_torchs(stage: Stage) -> None:
    network, source = moved(stage)
    found = ask(network, source, stage, regulariser="l2-sp-fisher", alpha=300.0)
    fisher = reference.fisher(source, pixels_for(stage).float())
    wanted = reference.fisher_penalty(network, source.state_dict(), 300.0, fisher)
    assert found.value > 0
    torch.testing.assert_close(found.value, wanted.detach(), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.gradient, gradient_of(wanted, network), rtol=1e-3, atol=1e-6)


def test_fisher_information_is_the_curvature_of_the_divergence() -> None:
    # KL(p(w⁰) ‖ p(w)) = ½ F_jj (w_j − w⁰_j)² + O(|w_j − w⁰_j|³) where only w_j differs
    _, source = moved()
    source.double()
    pixels = pixels_for("pnet", 20).double()
    fisher = fisher_diagonal(source, pixels)["conv3"]
    start = source(normalise(pixels)).logits.log_softmax(dim=1).flatten(1)
    for place in (fisher >= fisher.flatten().topk(3).values[-1]).nonzero().unbind():
        divergences = []
        for step in (1e-3, -1e-3):
            network = deepcopy(source)
            network.conv3.weight.data[tuple(place)] += step
            logs = network(normalise(pixels)).logits.log_softmax(dim=1).flatten(1)
            divergences.append((start.exp() * (start - logs)).sum(1).mean())
        curvature = float(sum(divergences)) / 1e-6
        assert curvature == pytest.approx(float(fisher[tuple(place)]), rel=1e-3)


def test_fisher_information_leaves_offsets_free_and_the_network_as_it_was() -> None:
    _, source = moved("onet")
    before = {name: value.clone() for name, value in source.state_dict().items()}
    fisher = fisher_diagonal(source, pixels_for("onet").float())
    assert not fisher["dense6_2"].any()
    assert not fisher["dense6_3"].any()
    assert fisher["dense6_1"].any()
    assert all(value.equal(before[name]) for name, value in source.state_dict().items())
    assert all(parameter.grad is None for parameter in source.parameters())


def test_l2_sp_is_zero_at_the_start() -> None:
    _, source = moved()
    network = deepcopy(source).requires_grad_(True)
    found = ask(network, source, "pnet", regulariser="l2-sp", alpha=3.0)
    assert found.value == 0
    assert not found.gradient.any()


def test_biases_and_slopes_are_free() -> None:
    network, source = moved()
    found = ask(network, source, "pnet", regulariser="l2-sp")
    pieces = torch.split(found.gradient, [each.numel() for each in network.parameters()])
    for (name, _), piece in zip(network.named_parameters(), pieces, strict=True):
        assert bool(piece.any()) == reference.is_weight(name, network), name


def test_frozen_weights_do_not_count() -> None:
    network, source = moved()
    STAGE_FACTS["pnet"].layers.release(network, "head")
    found = ask(network, source, "pnet", regulariser="l2", alpha=2.0)
    heads = [weights_of(network)[name] for name in STAGE_FACTS["pnet"].layers.head]
    torch.testing.assert_close(found.value, sum(head.square().sum() for head in heads).detach())  # type: ignore[union-attr]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("layers", [(), ("conv2", "conv3")])
def test_feature_maps_are_their_formula(stage: Stage, layers: tuple[str, ...]) -> None:
    network, source = moved(stage)
    found = ask(network, source, stage, regulariser="feature-map", alpha=0.3, feature_layers=layers)
    chosen = layers or STAGE_FACTS[stage].layers.features
    wanted = reference.feature_penalty(network, source, chosen, 0.3, pixels_for(stage).float())
    torch.testing.assert_close(found.value, wanted.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.gradient, gradient_of(wanted, network), rtol=1e-3, atol=1e-4)


def test_feature_maps_have_nothing_to_say_where_no_feature_moves() -> None:
    network, source = moved()
    STAGE_FACTS["pnet"].layers.release(network, "head")
    found = ask(network, source, "pnet", regulariser="feature-map")
    assert found.value > 0
    assert len(found.gradient) == 198
    assert not found.gradient.any()


def test_asking_leaves_no_hooks_behind() -> None:
    network, source = moved()
    ask(network, source, "pnet", regulariser="feature-map")
    assert not any(layer._forward_hooks for layer in [*network.modules(), *source.modules()])


def test_attention_weighs_channels() -> None:
    network, source = moved()
    attention = {"conv3": torch.zeros(32)}
    attention["conv3"][4] = 32.0
    pixels = pixels_for("pnet").float()
    penalty = FeaturePenalty(source, show, ("conv3",), 1.0, attention)
    with penalty.attached(network):
        network(normalise(pixels))
        found = penalty(trained_parameters(network), pixels).value
    (one,), (other,) = (
        zip(*(reference.features(each, ["conv3"], patch) for patch in pixels), strict=True)
        for each in (network, source)
    )
    difference = (torch.cat(one) - torch.cat(other))[:, 4]
    torch.testing.assert_close(found, 32 * difference.square().sum().detach() / len(pixels))


def test_a_channel_weighs_what_its_loss_would_cost() -> None:
    _, source = moved()
    pixels = normalise(pixels_for("pnet", 20).float())
    wanted = source(pixels).logits

    def loss(network: nn.Module) -> Tensor:
        logits: Tensor = network(pixels).logits
        return torch.as_tensor((logits - wanted).square().mean())

    attention = _weigh_channels(source, ["conv2"], loss)["conv2"]
    assert attention.shape == (16,)
    assert float(attention.mean()) == pytest.approx(1)
    assert attention.max() > attention.min() > 0
    growth = []
    for channel in range(16):
        silenced = deepcopy(source)
        silenced.conv2.weight[channel] = 0
        torch.as_tensor(silenced.conv2.bias)[channel] = 0
        growth.append(loss(silenced))
    torch.testing.assert_close(attention, 16 * torch.stack(growth).softmax(0))


@pytest.mark.parametrize("layer", ["conv9", "conv4_1", "prelu1"])
def test_layers_that_have_no_features_are_refused(layer: str) -> None:
    network, source = moved()
    with pytest.raises(
        InputError, match=f"found the feature layer '{layer}', the network has conv1, "
    ):
        ask(network, source, "pnet", regulariser="feature-map", feature_layers=(layer,))


def test_without_a_regulariser_nothing_holds() -> None:
    assert find_regulariser(Transfer().regulariser) is None


# The linear regression of Li, Grandvalet and Davoine 2018: X has orthonormal columns.

COUNT, WIDTH = 40, 6


def orthonormal() -> Tensor:
    matrix = torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(1)).double()
    basis: Tensor = torch.linalg.qr(matrix).Q
    return basis


def minimise(design: Tensor, target: Tensor, anchor: Tensor | float, alpha: float) -> Tensor:
    """Descend on ½‖y − Xw‖² + α/2 ‖w − w⁰‖² with the gradient that the regulariser tells."""
    weights = nn.Parameter(torch.zeros(WIDTH, dtype=torch.float64))
    penalty = WeightPenalty({weights: (anchor, alpha)})
    for _ in range(200):
        gradient = design.T @ (design @ weights - target) + penalty([weights], design).gradient
        with torch.no_grad():
            weights.sub_(0.5 / (1 + alpha) * gradient)
    return weights.detach()


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_l2_sp_on_a_linear_regression_has_the_closed_form(alpha: float) -> None:
    design, anchor = orthonormal(), torch.arange(WIDTH).double()
    target = torch.randn(COUNT, generator=torch.Generator().manual_seed(2)).double()
    estimates = {
        (design.T @ target + alpha * anchor) / (1 + alpha): minimise(design, target, anchor, alpha),
        design.T @ target / (1 + alpha): minimise(design, target, 0.0, alpha),  # plain L2
        design.T @ target: minimise(design, target, 0.0, 0.0),  # least squares
    }
    for closed, found in estimates.items():
        torch.testing.assert_close(found, closed)


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_bias_and_variance_are_those_of_the_theory(alpha: float) -> None:
    design, noise = orthonormal(), 0.3
    truth = torch.linspace(-1, 1, WIDTH).double()
    epsilon = torch.tensor([0.2, -0.1, 0.0, 0.3, 0.1, -0.2]).double()
    anchor = truth + epsilon
    generator = torch.Generator().manual_seed(5)
    draws = 4000
    errors = noise * torch.randn(draws, COUNT, generator=generator).double()
    targets = truth @ design.T + errors
    # all draws at once: the descent is linear, and the closed form is tested above
    estimates = {
        "l2-sp": (targets @ design + alpha * anchor) / (1 + alpha),
        "l2": targets @ design / (1 + alpha),
        "least squares": targets @ design,
    }
    bias = {name: float((each.mean(0) - truth).square().sum()) for name, each in estimates.items()}
    variance = {name: float(each.var(0).sum()) for name, each in estimates.items()}
    shrunk = alpha**2 / (1 + alpha) ** 2
    assert bias["l2-sp"] == pytest.approx(float(epsilon.square().sum()) * shrunk, rel=0.1)
    assert bias["l2"] == pytest.approx(float(truth.square().sum()) * shrunk, rel=0.1)
    assert bias["least squares"] < 0.001
    assert variance["least squares"] == pytest.approx(WIDTH * noise**2, rel=0.05)
    for name in ("l2-sp", "l2"):
        # the same errors are drawn: the ratio is exact
        assert variance[name] == pytest.approx(variance["least squares"] / (1 + alpha) ** 2)
    some = np.random.default_rng(1).integers(0, draws, 3)
    for row in some:
        torch.testing.assert_close(
            minimise(design, targets[row], anchor, alpha), estimates["l2-sp"][row]
        )
