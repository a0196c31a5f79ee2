"""What transfer methods cost, and what mini-batches leave of DTNH's promise.

    python benchmarks/transfer.py [PATCHES] [--only cost seeds noise fisher distance]

Without PATCHES, some are cut from the built-in cartoon.  All on one thread, PNet.

cost    seconds of an epoch by regulariser and gradient rule, in turns in one run
seeds   training steps of several seeds: one network after the other, or all in one batched pass
        (torch.func)
noise   how much of a mini-batch's gradient is the mean gradient, and of the regulariser's pull
        against that mean what DTNH takes away
fisher  mean Fisher information of the pretrained weights, all and by layer, by which
        ``l2-sp-fisher`` weighs its pull
distance  how far the pretrained weights are from those of ``cartoon``, and zero is
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional
from train import draw_patches

from facetl import Patches, load_patches
from facetl.mtcnn.networks import Network, Outputs, normalise
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import load_weights
from facetl.training.augmentation import augment
from facetl.training.batches import Batch, balanced_batches, load_batch
from facetl.training.gradient_rules import dtnh, plain_sum
from facetl.training.initialisation import build_starting_network
from facetl.training.loop import train
from facetl.training.losses import detection_losses, regression_targets, weighted_sum
from facetl.training.penalties import Held, angle, flatten, weights_of
from facetl.training.regularisers import find_regulariser
from facetl.training.regularisers.l2_sp_fisher import fisher_diagonal
from facetl.training.sampling import Label
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer

SETTINGS = STAGE_FACTS["pnet"].training
CPU = torch.device("cpu")
METHODS = {
    "plain fine-tuning": Transfer(),
    "l2-sp, sum": Transfer(regulariser="l2-sp"),
    "l2-sp, dtnh": Transfer(regulariser="l2-sp", gradient_rule="dtnh"),
    "feature-map, sum": Transfer(regulariser="feature-map", alpha=0.001),
    "feature-map, dtnh": Transfer(regulariser="feature-map", alpha=0.001, gradient_rule="dtnh"),
}


def measure_cost(patches: Patches, repeats: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(repeats):
        for name, transfer in METHODS.items():
            settings = replace(SETTINGS, epochs=2, transfer=transfer)
            network = build_starting_network("pnet", "pretrained", 1)
            *_, last = train(network, "pnet", patches, settings)
            seconds[name].append(float(last.records[-1]["seconds"]))
    print(f"seconds of an epoch of {len(patches):,} patches, median of {repeats}")
    for name, values in seconds.items():
        print(f"  {name:20} {statistics.median(values):6.2f}")
    for regulariser in ("l2-sp", "feature-map"):
        pairs = zip(seconds[f"{regulariser}, dtnh"], seconds[f"{regulariser}, sum"], strict=True)
        ratios = [tamed / summed for tamed, summed in pairs]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"  dtnh / sum, {regulariser}: {statistics.median(ratios):.2f} ({spread})")


def measure_seeds(patches: Patches, repeats: int) -> None:
    """Compare gradients of four networks in turn with one batched pass, by plain losses."""
    networks = [build_starting_network("pnet", "scratch", seed) for seed in range(4)]
    batches = draw_batches(patches, len(networks))
    base = deepcopy(networks[0]).to("meta")
    stacked, _ = stack_module_state([*networks])
    pixels = torch.stack([normalise(batch.pixels) for batch in batches])
    labels = torch.stack([(batch.labels == 1).long() for batch in batches])

    def loss(weights: dict[str, Tensor], pixels: Tensor, labels: Tensor) -> Tensor:
        logits = forward(base, weights, pixels)
        return functional.cross_entropy(logits, labels)

    def one_by_one() -> None:
        for network, values, wanted in zip(networks, pixels, labels, strict=True):
            network.zero_grad()
            logits = network(values).logits.flatten(1)
            torch.autograd.backward(functional.cross_entropy(logits, wanted))

    def together() -> None:
        vmap(grad(loss))(stacked, pixels, labels)

    print("gradients of four seeds' PNets on batches of 1,024, milliseconds, median")
    for name, work in {"one after the other": one_by_one, "in one batched pass": together}.items():
        print(f"  {name:20} {1000 * time_of(work, 5 * repeats):7.1f}")


def forward(base: Network, weights: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """Return (N, 2) logits of a PNet with given weights, by torch's own activation and pooling."""

    def layer(name: str, values: Tensor) -> Tensor:
        module = base.get_submodule(name)
        own = {
            key.partition(".")[2]: value
            for key, value in weights.items()
            if key.startswith(name + ".")
        }
        return torch.as_tensor(functional_call(module, own, (values,)))

    features = functional.max_pool2d(layer("prelu1", layer("conv1", pixels)), 2, 2, ceil_mode=True)
    features = layer("prelu2", layer("conv2", features))
    features = layer("prelu3", layer("conv3", features))
    return layer("conv4_1", features).flatten(1)


def time_of(work: Callable[[], None], repeats: int) -> float:
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def show(network: nn.Module, pixels: Tensor) -> object:
    """Run a network in full precision."""
    return network(normalise(pixels))


def no_loss(network: nn.Module) -> Tensor:
    """Return 0: L2-SP asks for no loss."""
    return torch.zeros(())


def no_pixels() -> Tensor:
    """Return none: L2-SP asks for no pixels."""
    return torch.zeros(())


def measure_noise(patches: Patches) -> None:
    """Train with L2-SP, then look at many mini-batches without a step."""
    print(f"after training with l2-sp; {BATCHES} mini-batches of 1,024")
    for alpha in (0.01, 0.1, 1.0):
        transfer = Transfer(regulariser="l2-sp", alpha=alpha)
        source = build_starting_network("pnet", "pretrained", 1).requires_grad_(False)
        network = build_starting_network("pnet", "pretrained", 1)
        *_, last = train(network, "pnet", patches, replace(SETTINGS, epochs=8, transfer=transfer))
        kind = find_regulariser(transfer.regulariser)
        assert kind is not None
        layers = STAGE_FACTS["pnet"].layers
        held = Held(network, layers, transfer, source, no_loss, show, no_pixels)
        regulariser = kind.build(held)
        assert regulariser is not None
        parameters, chance = list(network.parameters()), torch.Generator().manual_seed(1)
        gradients = torch.stack(
            [gradient_of(network, batch, chance) for batch in draw_batches(patches, BATCHES)]
        )
        mean = gradients.mean(0)
        pull = regulariser(parameters, torch.empty(0)).gradient
        share = float(mean.square().sum() / gradients.square().sum(1).mean())
        against = [
            float(torch.dot(rule(g, pull, 1.0) - g, mean)) for g in gradients for rule in RULES
        ]
        removed = 1 - sum(against[1::2]) / sum(against[::2])
        mini = statistics.mean(angle(g, pull) for g in gradients)
        print(
            f"  α {alpha:4g}: loss {last.records[-1]['train']['total']:.3f}; of a mini-batch's "
            f"squared gradient {share:5.1%} is the mean's; regulariser against the mean gradient "
            f"{angle(mean, pull):.0f}°, against a mini-batch's {mini:.0f}°; dtnh takes away "
            f"{removed:.0%} of its pull against the mean"
        )


def measure_fisher(patches: Patches) -> None:
    indices = np.random.default_rng(1).permutation(len(patches))[:512]
    source = build_starting_network("pnet", "pretrained", 1)
    began = time.perf_counter()
    fisher = fisher_diagonal(source, load_batch(patches, np.sort(indices), CPU).pixels)
    seconds = time.perf_counter() - began
    everything = torch.cat([each.flatten() for each in fisher.values()])
    layers = ", ".join(f"{name} {float(each.mean()):.4f}" for name, each in fisher.items())
    print(
        f"Fisher information of {len(indices)} patches, {seconds:.2f} s: mean "
        f"{float(everything.mean()):.4f}, largest {float(everything.max()):.2f} ({layers})"
    )


def measure_distance() -> None:
    start, learnt = load_weights("pretrained"), load_weights("cartoon")
    for stage in STAGES:
        pairs = (
            torch.cat([w.detach().flatten() for w in weights_of(each.network(stage)).values()])
            for each in (start, learnt)
        )
        w0, w = pairs
        away, norm = float((w0 - w).norm()), float(w.norm())
        print(
            f"{stage}: cartoon from pretrained {away:.1f}, from zero {norm:.1f}: {away / norm:.2f}"
        )


RULES = (plain_sum, dtnh)
BATCHES = 120


def gradient_of(network: Network, batch: Batch, chance: torch.Generator) -> Tensor:
    """Return the gradient of the loss as the training loop has it, augmentation and all."""
    parameters = list(network.parameters())
    pixels, offsets = augment(batch.pixels, batch.offsets, SETTINGS.augmentation, chance)
    outputs = Outputs(*(part.flatten(1) for part in network(normalise(pixels))))
    targets = regression_targets("pnet", offsets, batch.sides)
    losses = detection_losses(outputs, batch.labels, targets, hard_share=SETTINGS.hard_share)
    total = weighted_sum(losses, SETTINGS.loss_weights)
    return flatten(torch.autograd.grad(total, parameters), parameters)


def draw_batches(patches: Patches, count: int) -> list[Batch]:
    labels = (Label.NEGATIVE, Label.POSITIVE, Label.PART)
    shares = dict(zip(labels, SETTINGS.shares, strict=True))
    order = np.random.default_rng(0)
    chosen = balanced_batches(patches.labels, SETTINGS.batch_size, shares, order)
    while len(chosen) < count:
        more = balanced_batches(patches.labels, SETTINGS.batch_size, shares, order)
        chosen = np.concatenate([chosen, more])
    return [load_batch(patches, indices, CPU) for indices in chosen[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patches", nargs="?", type=Path)
    parser.add_argument(
        "--only", nargs="+", default=["cost", "seeds", "noise", "fisher", "distance"]
    )
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        given = arguments.patches
        patches = load_patches(given) if given else draw_patches(Path(folder))
        if "cost" in arguments.only:
            measure_cost(patches, arguments.repeats)
        if "seeds" in arguments.only:
            measure_seeds(patches, arguments.repeats)
        if "noise" in arguments.only:
            measure_noise(patches)
        if "fisher" in arguments.only:
            measure_fisher(patches)
        if "distance" in arguments.only:
            measure_distance()


if __name__ == "__main__":
    main()
