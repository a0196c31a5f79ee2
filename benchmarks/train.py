"""How many patches a second PNet learns from, beside facenet-pytorch's own network.

    python benchmarks/train.py [PATCHES] [--epochs 3]

Without PATCHES, some are cut from the built-in cartoon.  Both networks start from the same
pretrained weights and go through facetl's loop in turns; the peer's is wrapped so that its
softmax is undone.  What differs is the memory layout: facetl keeps channels last.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from facenet_pytorch.models.mtcnn import PNet as PeerPNet

from facetl import Patches, Recipe, load_dataset, load_patches, prepare_patches
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.mtcnn.networks import Outputs
from facetl.training.initialisation import build_starting_network
from facetl.training.loop import train
from facetl.training.patches import patches_path
from facetl.training.settings import STAGE_SETTINGS


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
    settings = replace(STAGE_SETTINGS["pnet"], epochs=epochs)
    *_, last = train(network, "pnet", patches, settings)  # type: ignore[arg-type]
    return float(statistics.median(record["seconds"] for record in last.records))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patches", nargs="?", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # facenet-pytorch's, of torch.load
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
