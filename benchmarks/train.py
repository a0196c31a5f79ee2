"""How many patches a second the networks learn from.

    python benchmarks/train.py [PATCHES] [--epochs 3] [--only peer kernels]

peer     PNet beside facenet-pytorch's own network.  Without PATCHES, some are cut from the built-in
         cartoon.  Both networks start from the same pretrained weights and go through facetl's loop
         in turns; the peer's is wrapped so that its softmax is undone.  What differs is the memory
         layout: facetl keeps channels last.
kernels  Steps of each network (its usual batches, of noise), in turns with activation and pooling
         by the kernels, and by torch; with as many threads as torch takes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from facenet_pytorch.models.mtcnn import PNet as PeerPNet

from facetl import Patches, Recipe, load_dataset, load_patches, prepare_patches
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.mtcnn import networks
from facetl.mtcnn.native import NATIVE
from facetl.mtcnn.networks import Outputs, normalise
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.training.initialisation import build_starting_network
from facetl.training.loop import train
from facetl.training.machine import keep_freed_memory, mixed_precision
from facetl.training.patches import patches_path
from facetl.training.stages import STAGE_FACTS

WHAT = ("peer", "kernels")
STEPS = 20


class Peer(PeerPNet):  # type: ignore[misc]
    """facenet-pytorch's PNet with the outputs that facetl's loop expects."""

    def forward(self, pixels: torch.Tensor) -> Outputs:
        """Judge (B, 3, H, W) normalised pixels."""
        offsets, probabilities = super().forward(pixels.contiguous())
        return Outputs(probabilities.clamp_min(1e-12).log(), offsets, offsets[:, :0])


def draw_patches(folder: Path) -> Patches:
    cartoons(CartoonsRequest(folder / "cartoons", train=40, test=1, seed=1, workers=1))
    recipe = Recipe(96, 48, 144)
    prepare_patches(load_dataset(folder / "cartoons"), patches_path(folder), recipe, workers=2)
    return load_patches(folder)


def seconds_per_epoch(network: torch.nn.Module, patches: Patches, epochs: int) -> float:
    settings = replace(STAGE_FACTS["pnet"].training, epochs=epochs)
    *_, last = train(network, "pnet", patches, settings)  # type: ignore[arg-type]
    return float(statistics.median(record["seconds"] for record in last.records))


def prepare(stage: Stage) -> tuple[Stage, networks.Network, torch.optim.Adam]:
    network = build_starting_network(stage, "pretrained", 1).train()
    return stage, network, torch.optim.Adam(network.parameters())


def take_step(
    stage: Stage, network: networks.Network, optimiser: torch.optim.Adam, pixels: torch.Tensor
) -> None:
    optimiser.zero_grad()
    with mixed_precision(stage, pixels.device):
        outputs = network(normalise(pixels))
    torch.autograd.backward([part.float().square().sum() for part in outputs])
    optimiser.step()


def measure_kernels(repeats: int) -> None:
    keep_freed_memory()
    for stage in STAGES:
        size, batch = INPUT_SIZES[stage], STAGE_FACTS[stage].training.batch_size
        noise = torch.rand(batch, 3, size, size) * 255
        step = partial(take_step, *prepare(stage), noise.to(memory_format=torch.channels_last))
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(2 * (repeats + 1)):
            fast = turn % 2 == 0
            with patch.object(NATIVE, "why_not", return_value="" if fast else "not asked for"):
                began = time.perf_counter()
                for _ in range(STEPS):
                    step()
                seconds[fast].append((time.perf_counter() - began) / STEPS / batch)
        ours, torchs = (each[1:] for each in seconds.values())  # the first turn warms up
        ratios = [theirs / own for own, theirs in zip(ours, torchs, strict=True)]
        print(
            f"{stage}: {1 / statistics.median(ours):,.0f} patches a second by the kernels, "
            f"{1 / statistics.median(torchs):,.0f} by torch: {statistics.median(ratios):.2f} times "
            f"({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patches", nargs="?", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=WHAT, default=WHAT)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # facenet-pytorch's, of torch.load
    if "peer" in arguments.only:
        measure_peer(arguments)
    if "kernels" in arguments.only:
        measure_kernels(arguments.repeats)


def measure_peer(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        given = arguments.patches
        patches = load_patches(given) if given else draw_patches(Path(folder))
        ratios = []
        for _ in range(arguments.repeats):
            ours = seconds_per_epoch(
                build_starting_network("pnet", "pretrained", 1), patches, arguments.epochs
            )
            theirs = seconds_per_epoch(Peer(), patches, arguments.epochs)
            ratios.append(theirs / ours)
            print(
                f"{len(patches)} patches an epoch: facetl {ours:.2f} s "
                f"({len(patches) / ours:,.0f} a second), facenet-pytorch's network {theirs:.2f} s"
            )
    print(f"times faster: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
