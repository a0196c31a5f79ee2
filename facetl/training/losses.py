"""What training minimises: a dict of named losses, weighed by a dict with the same keys."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from facetl.errors import NonFiniteLossError
from facetl.mtcnn.geometry import PNET_WINDOW
from facetl.mtcnn.networks import Network, Outputs, normalise
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import PRETRAINED, load_weights
from facetl.training.sampling import Label

SMOOTH_L1_BETA = 0.1
"""Where the box loss turns from quadratic to linear, in fractions of the window's side."""

TAUGHT = 4
"""Every fourth face is taught: enough, and the teacher's time is a quarter."""

Losses = dict[str, Tensor]


def detection_losses(
    outputs: Outputs,
    labels: Tensor,
    targets: Tensor,
    landmarks: Tensor | None = None,
    *,
    hard_share: float = 1.0,
) -> Losses:
    """Return the losses of a batch of N patches.

    Args:
        outputs: logits (N, 2), offsets (N, 4) and landmarks (N, 10) or (N, 0) of a network.
        labels: (N,) values of :class:`Label`.
        targets: (N, 4) offsets that the network should give.
        landmarks: (N, 10) landmarks that it should give, NaN where nobody knows; None if it
            gives none.
        hard_share: share of the patches that counts in the classification, in (0, 1].

    Returns:
        Scalars ``classification``, ``box`` and, with landmarks, ``landmark``.
    """
    placed = labels != Label.NEGATIVE
    losses = {
        "classification": _classification_loss(outputs.logits, labels, hard_share),
        "box": _place_loss(outputs.offsets[placed], targets[placed]),
    }
    if landmarks is not None:
        taught = landmarks.isfinite().all(dim=1)
        losses["landmark"] = _place_loss(outputs.landmarks[taught], landmarks[taught])
    return losses


def _classification_loss(logits: Tensor, labels: Tensor, hard_share: float = 1.0) -> Tensor:
    """Return the mean cross-entropy of the hardest positives and negatives.

    Online hard example mining: only the ``hard_share`` of the patches with the largest losses
    counts (Zhang et al. 2016, section II-C, with a share of 0.7).  Part faces do not count;
    0 if there is nothing but part faces.
    """
    counted = labels != Label.PART
    losses = functional.cross_entropy(
        logits[counted], (labels[counted] == Label.POSITIVE).long(), reduction="none"
    )
    hardest = losses.topk(math.ceil(hard_share * len(losses))).values
    return hardest.sum() / max(len(hardest), 1)


def _place_loss(places: Tensor, targets: Tensor) -> Tensor:
    """Return the mean smooth L1 distance (Girshick 2015, equation 3) of (N, K) from (N, K) places.

    For offsets and landmarks; 0 if N = 0.
    """
    distances = functional.smooth_l1_loss(places, targets, beta=SMOOTH_L1_BETA, reduction="sum")
    return distances / max(places.numel(), 1)


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the sum of the losses times their weights.

    Raises:
        NonFiniteLossError: naming every part, if the sum is infinite or not a number.
    """
    total = torch.stack([losses[name] * weights[name] for name in losses]).sum()
    if not bool(torch.isfinite(total)):
        parts = ", ".join(f"{name} {loss.item():g}" for name, loss in losses.items())
        raise NonFiniteLossError(
            f"the loss became {total.item():g} ({parts}); try a lower --learning-rate"
        )
    return total


class Teacher:
    """The pretrained ONet, which knows landmarks from photographs: cartoons come without.

    Left alone, the landmark outputs would drift to noise while the rest of the network learns;
    knowledge distillation (Hinton, Vinyals and Dean 2015) gives them its predictions as targets.
    """

    def __init__(self, device: torch.device) -> None:
        self._network: Network = load_weights(PRETRAINED).network("onet").to(device)

    @torch.no_grad()
    def __call__(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Return (N, 10) landmarks that it sees in (N, 3, 48, 48) pixels.

        NaN where it is not asked: it is asked about every ``TAUGHT``-th of the positives and parts.
        """
        asked = (labels != Label.NEGATIVE).nonzero()[::TAUGHT, 0]
        landmarks = pixels.new_full((len(pixels), 10), torch.nan)
        landmarks[asked] = self._network(normalise(pixels[asked])).landmarks.float()
        return landmarks


def regression_targets(stage: Stage, offsets: Tensor, window_sides: Tensor) -> Tensor:
    """Return what a network must give for its windows to become the boxes that it should find.

    The inverse of what the detector does with a network's offsets, up to its rounding to whole
    pixels.  It differs from the plain offsets because the detector moves not the window itself
    but the box that stands for it, which starts a pixel late: for PNet one of its 12, for the
    later networks one of the image.

    Args:
        stage: which network.
        offsets: (N, 4) box minus window, as fractions of the window's side.
        window_sides: (N,) sides of the square windows in pixels of the image.

    Returns:
        (N, 4) targets for the network's offsets.
    """
    if stage == "pnet":
        late, scale = (
            torch.full_like(window_sides, 1 / PNET_WINDOW),
            PNET_WINDOW / (PNET_WINDOW - 1),
        )
    else:
        late, scale = 1 / window_sides, 1.0
    start = torch.stack([late, late, torch.zeros_like(late), torch.zeros_like(late)], dim=1)
    return (offsets - start) * scale
