"""How long a training will take, and what to leave out if it must not take so long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from facetl.errors import InputError
from facetl.mtcnn.networks import INPUT_SIZES, STAGES, Stage, build_network
from facetl.training.loop import train
from facetl.training.patches import Patches
from facetl.training.plan import CascadePlan
from facetl.training.settings import TrainingSettings
from facetl.training.transfer import Transfer

USABLE = 0.8
"""Share of a budget that is planned for: estimates are not exact, and reading takes time too."""

LEAST_FRAMES = 20
_EPOCH_SHARES = (2.0, 1.5, 1.25, 1.0, 0.8, 0.6, 0.4)
_FRAME_SHARES = tuple(0.8**step for step in range(24))
_TRIAL_STEPS, _TRIAL_FRAMES = 4, 10


@dataclass(frozen=True)
class Speed:
    """Seconds that the parts of a training take, by stage.

    Attributes:
        per_frame: to read a frame, search it and cut its patches.
        per_patch: to show one patch to the network in training.
    """

    per_frame: Mapping[Stage, float]
    per_patch: Mapping[Stage, float]


TYPICAL = Speed(
    per_frame={"pnet": 0.004, "rnet": 0.015, "onet": 0.020},
    per_patch={"pnet": 0.000025, "rnet": 0.00012, "onet": 0.0004},
)
"""As measured on two cores at 480×360 pixels; to tell how far a training is, ratios are enough."""


@dataclass(frozen=True)
class Estimate:
    """Seconds for the two parts of a step.

    Attributes:
        cutting: all frames.
        epoch: one epoch.
        epochs: how many of them.
    """

    cutting: float
    epoch: float
    epochs: int

    @property
    def total(self) -> float:
        """Seconds for the whole step."""
        return self.cutting + self.epoch * self.epochs


def estimate(plan: CascadePlan, frames: int, faces: int, speed: Speed = TYPICAL) -> list[Estimate]:
    """Return how long each step of a plan takes with so many frames and faces."""
    return [
        Estimate(
            cutting=frames * speed.per_frame[step.stage],
            epoch=plan.stages[step.stage].count_patches(frames, faces)
            * speed.per_patch[step.stage]
            * effort(plan.stages[step.stage].training.transfer),
            epochs=plan.stages[step.stage].training.total_epochs,
        )
        for step in plan.steps
    ]


def effort(transfer: Transfer) -> float:
    """Return how many times longer an epoch takes than plain fine-tuning.

    Feature maps are those of two networks, and have a second backward pass.
    """
    return 1.7 if transfer.regulariser in ("feature-map", "delta") else 1.0


def fit_budget(
    plan: CascadePlan,
    seconds: float,
    frames: int,
    faces: int,
    speed: Speed,
    *,
    keeps_epochs: bool = False,
) -> CascadePlan:
    """Return the plan with as many epochs and frames as the budget allows.

    First come all frames with up to twice the epochs, then fewer epochs, then fewer frames.

    Args:
        plan: what would be done without a budget.
        seconds: the budget.
        frames: frames that there are.
        faces: faces in them.
        speed: of this machine.
        keeps_epochs: whether the plan's epochs stay as they are, and only frames are left out.

    Raises:
        InputError: if not even the smallest plan fits.
    """
    shares = (1.0,) if keeps_epochs else _EPOCH_SHARES
    for candidate, count in _alternatives(plan, frames, shares):
        faces_left = round(faces * count / max(frames, 1))
        needed = sum(step.total for step in estimate(candidate, count, faces_left, speed))
        if needed <= USABLE * seconds:
            return candidate
    raise InputError(
        f"found a budget of {seconds:.0f} s, the smallest training takes about "
        f"{needed / USABLE:.0f} s here; choose a larger --budget"
    )


def measure_speed(device: torch.device, plan: CascadePlan) -> Speed:
    """Time a few steps of training on this machine; scale the rest in proportion."""
    per_patch = {
        stage: _time_training(stage, device, plan.stages[stage].training) for stage in STAGES
    }
    slowness = sum(per_patch.values()) / sum(TYPICAL.per_patch.values())
    per_frame = {stage: seconds * slowness for stage, seconds in TYPICAL.per_frame.items()}
    return Speed(per_frame, per_patch)


def _alternatives(
    plan: CascadePlan, frames: int, shares: Sequence[float]
) -> Iterator[tuple[CascadePlan, int]]:
    """Yield plans and their numbers of frames, the most thorough first.

    Args:
        plan: what would be done without a budget.
        frames: frames that there are.
        shares: of the plan's epochs, the largest first.
    """
    for share in shares:
        yield _with_epochs(plan, share), frames
    for share in _FRAME_SHARES:
        count = round(frames * share)
        if count >= min(LEAST_FRAMES, frames):
            yield replace(_with_epochs(plan, shares[-1]), frames=count), count


def _with_epochs(plan: CascadePlan, share: float) -> CascadePlan:
    """Return the plan with a share of its epochs, at least one of each stage."""
    return plan.with_epochs(
        [max(round(each.training.total_epochs * share), 1) for each in plan.stages.values()]
    )


def _time_training(stage: Stage, device: torch.device, settings: TrainingSettings) -> float:
    """Return the seconds that a patch takes: in the second of two epochs, the first warms up."""
    trial = replace(settings, epochs=2, transfer=Transfer())
    patches = _make_up_patches(stage, _TRIAL_STEPS * settings.batch_size)
    *_, checkpoint = train(build_network(stage).to(device), stage, patches, trial)
    return float(checkpoint.records[-1]["seconds"]) / len(patches)


def _make_up_patches(stage: Stage, count: int) -> Patches:
    """Return grey patches of all labels, in turns from a few frames."""
    size = INPUT_SIZES[stage]
    windows = np.tile(np.array([0, 0, size, size], np.float32), (count, 1))
    return Patches(
        pixels=np.full((count, size, size, 3), 128, np.uint8),
        labels=np.resize(np.array([0, 1, 2], np.uint8), count),
        offsets=np.zeros((count, 4), np.float32),
        frame_index=np.resize(np.repeat(np.arange(_TRIAL_FRAMES, dtype=np.int32), 3), count),
        windows=windows,
    )
