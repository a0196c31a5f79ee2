"""What a training starts from: pretrained weights, chance, or somebody's file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

from facetl.errors import InputError, UsageError, WeightsError
from facetl.mtcnn.networks import Network, build_network
from facetl.mtcnn.stages import STAGES, Stage
from facetl.mtcnn.weights import CARTOON_LARGE, PRETRAINED, built_in_files, load_weights
from facetl.search.settings import Settings
from facetl.training.settings import FEW_FRAMES, TrainingSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer

SCRATCH = "scratch"


def build_starting_network(stage: Stage, start: str, seed: int) -> Network:
    """Return the network of a stage as the training finds it.

    Args:
        stage: which network.
        start: ``pretrained``, ``scratch`` (random weights drawn from the seed) or a weights file.
        seed: for ``scratch``.

    Raises:
        WeightsError: if the file cannot be read or lacks the stage.
    """
    if start == SCRATCH:
        with torch.random.fork_rng(devices=[]):  # the caller's chance stays as it was
            torch.manual_seed(seed % 2**64)
            return build_network(stage)
    weights = load_weights(start)
    if stage not in weights.stages:
        raise WeightsError(
            f"{start}: holds {' and '.join(weights.stages)}, not {stage}; start from "
            f"{PRETRAINED!r}, {SCRATCH!r} or a file with {stage}"
        )
    return weights.network(stage)


def build_training_network(stage: Stage, start: str, settings: TrainingSettings) -> Network:
    """Return the network of a stage as the first epoch of a training finds it.

    With the strategy ``scratch`` the start is chance, whatever it is called; with ``reset_head``
    the output layers are.

    Raises:
        WeightsError: if the file cannot be read or lacks the stage.
        InputError: if a regulariser would hold the network to chance.
    """
    transfer = settings.transfer
    start = SCRATCH if transfer.layout.is_random else start
    if start == SCRATCH and transfer.holds_start:
        raise InputError(
            f"found the regulariser {transfer.regulariser} with a random start, which is not worth "
            "holding to; choose another start, none or l2"
        )
    network = build_starting_network(stage, start, settings.seed)
    if transfer.reset_head:
        _reset_head(network, stage, settings.seed)
    return network


def settle_start(start: str | None, transfer: Transfer, frames: int | None = None) -> str:
    """Return what a training starts from.

    Args:
        start: what was asked for; None: the pretrained weights, for few frames those that know
            cartoons and rescore, or random ones if the strategy wants them.
        transfer: with the strategy.
        frames: how many frames there are to learn from; None: many.

    Raises:
        UsageError: if other weights were asked for than the strategy starts from.
    """
    if not transfer.layout.is_random:
        usual = CARTOON_LARGE if frames is not None and frames <= FEW_FRAMES else PRETRAINED
        return start or usual
    if start and start != SCRATCH:
        raise UsageError(
            f"--strategy {transfer.strategy} starts from chance, not from {start}; leave out one "
            "of them"
        )
    return SCRATCH


def require_start(start: str) -> None:
    """Raise before the work if not all three stages can start from ``start``.

    Raises:
        WeightsError: if the file cannot be read or lacks a stage.
    """
    for stage in STAGES:
        build_starting_network(stage, start, seed=0)


def starting_settings(start: str) -> Settings:
    """Return how the weights to start from search.

    Raises:
        WeightsError: if the file cannot be read.
    """
    return Settings() if start == SCRATCH else load_weights(start).settings


def fingerprint_start(start: str) -> str:
    """Return ``pretrained`` or ``scratch``, or the names of files with a hash of their bytes.

    The ``cartoon`` weights are a file: another version of facetl may come with others.
    """
    if start in (PRETRAINED, SCRATCH):
        return start
    paths = built_in_files(start) or [Path(start)]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths]
    return " ".join(f"{path.name} sha256:{each}" for path, each in zip(paths, hashes, strict=True))


def _reset_head(network: Network, stage: Stage, seed: int) -> None:
    """Reinitialise the output layers, as torch initialises them."""
    layers = dict(network.named_children())
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(seed % 2**64)
        for name in STAGE_FACTS[stage].layers.head:
            layer = layers[name]
            assert isinstance(layer, nn.Conv2d | nn.Linear), f"{name} has weights to draw"
            layer.reset_parameters()
