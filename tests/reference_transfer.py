"""Transfer in the slow and obvious way: plain lists, and torch's own gradients."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from facetl.mtcnn.networks import Network, normalise


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def dtnh(g: Sequence[float], h: Sequence[float], strength: float) -> list[float]:
    kept = list(h)
    if dot(g, h) < 0:
        share = dot(g, h) / dot(g, g)
        kept = [y - share * x for x, y in zip(g, h, strict=True)]
    return [x + strength * y for x, y in zip(g, kept, strict=True)]


def is_weight(name: str, network: Network) -> bool:
    layer, _, kind = name.rpartition(".")
    return kind == "weight" and not isinstance(network.get_submodule(layer), nn.PReLU)


def weight_penalty(
    network: Network, start: dict[str, Tensor], alpha: float, beta: float, new: Sequence[str]
) -> Tensor:
    """Return α/2 ‖w_S − w⁰_S‖² + β/2 ‖w_S̄‖²."""
    total = torch.zeros(())
    for name, parameter in network.named_parameters():
        if not is_weight(name, network):
            continue
        if name.rpartition(".")[0] in new:
            total = total + beta / 2 * (parameter**2).sum()
        else:
            total = total + alpha / 2 * ((parameter - start[name]) ** 2).sum()
    return total


def fisher(network: Network, pixels: Tensor) -> dict[str, Tensor]:
    """Return 1/n Σ_i Σ_k p_k(x_i) (∂ log p_k(x_i) / ∂w_j)², one patch and class after the other."""
    names = [name for name, _ in network.named_parameters() if is_weight(name, network)]
    network = deepcopy(network).requires_grad_(True)
    total = {name: torch.zeros_like(network.get_parameter(name)) for name in names}
    for patch in pixels:
        for kind in (0, 1):
            network.zero_grad()
            log = network(normalise(patch[None])).logits.flatten().log_softmax(0)[kind]
            torch.autograd.backward(log)
            for name in names:
                gradient = network.get_parameter(name).grad
                if gradient is not None:
                    total[name] = total[name] + log.detach().exp() * gradient**2
    return {name: each.detach() / len(pixels) for name, each in total.items()}


def fisher_penalty(
    network: Network, start: dict[str, Tensor], alpha: float, fisher: dict[str, Tensor]
) -> Tensor:
    """Return α/2 Σ_j F_jj (w_j − w⁰_j)²."""
    parts = [
        (each * (network.get_parameter(name) - start[name]) ** 2).sum()
        for name, each in fisher.items()
    ]
    return alpha / 2 * torch.stack(parts).sum()


def feature_penalty(
    network: Network, source: Network, layers: Sequence[str], alpha: float, pixels: Tensor
) -> Tensor:
    """Return α/n Σ_j Σ_i ‖F_j(w, x_i) − F_j(w⁰, x_i)‖², one patch after the other."""
    total = torch.zeros(())
    for patch in pixels:
        for one, other in zip(
            features(network, layers, patch), features(source, layers, patch), strict=True
        ):
            total = total + ((one - other.detach()) ** 2).sum()
    return alpha * total / len(pixels)


def features(network: Network, layers: Sequence[str], patch: Tensor) -> list[Tensor]:
    found: dict[str, Tensor] = {}
    handles = [
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: found.update({name: output})
        )
        for name in layers
    ]
    network(normalise(patch[None]))
    for handle in handles:
        handle.remove()
    return [found[name] for name in layers]
