"""The detector: propose, refine, finish.

The arithmetic, down to its order, is that of facenet-pytorch's ``MTCNN``, so that pretrained
weights give its boxes; what is peculiar in it lives in :mod:`facetl.mtcnn.geometry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facetl.data.images import ImageLike, as_image
from facetl.errors import InputError
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.crops import IntegralImages, is_visible
from facetl.mtcnn.detections import Detections
from facetl.mtcnn.geometry import (
    inclusive_sides,
    move,
    place_landmarks,
    pnet_boxes,
    sides,
    square,
    windows_of,
)
from facetl.mtcnn.networks import INPUT_SIZES, STAGES, Network, Outputs, Stage, normalise
from facetl.mtcnn.nms import suppress, suppress_nested
from facetl.mtcnn.pyramid import level_size, pyramid_scales
from facetl.mtcnn.weights import PRETRAINED, Weights, load_weights

CROPS_AT_ONCE = 1024
PIXELS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Settings:
    """How a detector searches.

    Attributes:
        thresholds: least scores in [0, 1] to pass PNet, RNet and ONet.
        min_face: side in pixels of the smallest face looked for.
        factor: ratio of neighbouring levels of the image pyramid, between 0 and 1.
    """

    thresholds: tuple[float, float, float] = (0.1, 0.2, 0.2)
    min_face: float = 20.0
    factor: float = 0.709

    def __post_init__(self) -> None:
        if len(self.thresholds) != 3 or not all(0 <= t <= 1 for t in self.thresholds):
            raise ValueError(f"expected three thresholds in [0, 1], got {self.thresholds}")
        if not self.min_face > 0:
            raise ValueError(f"expected min_face above 0 pixels, got {self.min_face}")
        if not 0 < self.factor < 1:
            raise ValueError(f"expected a factor between 0 and 1, got {self.factor}")

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON-able dict."""
        return asdict(self)


@dataclass(frozen=True)
class Search:
    """What a search of one image gave.

    Attributes:
        detections: the faces, best score first.
        candidates: windows left after each stage: ``pnet``, ``rnet``, ``onet``.
    """

    detections: Detections
    candidates: dict[str, int]


class Detector:
    """A cascade of PNet, RNet and ONet, ready to search images.

    Example:
        >>> from facetl import Detector
        >>> detector = Detector.load("pretrained")
        >>> found = detector.detect(["portrait.jpg"])  # doctest: +SKIP
        >>> found[0].boxes                             # doctest: +SKIP
    """

    def __init__(self, weights: Weights, device: str | torch.device = "cpu") -> None:
        """Build the networks of ``weights`` on ``device``; missing stages are pretrained."""
        self.device = torch.device(device)
        self._networks: dict[Stage, Network] = {
            stage: weights.network(stage).to(self.device) for stage in STAGES
        }

    @classmethod
    def load(cls, weights: str | Path = PRETRAINED, device: str = "auto") -> Detector:
        """Load a detector from a weights file or by the name ``pretrained``.

        Args:
            weights: a ``.safetensors`` or ``.pt`` file, or ``"pretrained"``.
            device: ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if there is one.

        Raises:
            WeightsError: if the file is missing, damaged or does not fit.
        """
        return cls(load_weights(weights), choose_device(device))

    def detect(
        self,
        images: Iterable[ImageLike],
        thresholds: tuple[float, float, float] = Settings.thresholds,
        *,
        min_face: float = Settings.min_face,
        factor: float = Settings.factor,
        batch_size: int = 8,
    ) -> list[Detections]:
        """Find the faces in images of any and mixed sizes.

        Args:
            images: paths, PIL images or uint8 arrays (H, W, 3) in RGB.
            thresholds: least scores in [0, 1] to pass PNet, RNet and ONet.
            min_face: side in pixels of the smallest face looked for.
            factor: ratio of neighbouring pyramid levels, between 0 and 1.
            batch_size: how many images go through the networks together.

        Returns:
            One :class:`Detections` for each image, empty where there is no face.

        Raises:
            ImageError: if an image cannot be read.
            TypeError: if ``images`` is a single image instead of a list.
            ValueError: if a setting is out of its range.
        """
        settings = Settings(thresholds, min_face, factor)
        return [found.detections for found in self.search(images, settings, batch_size)]

    def search(
        self, images: Iterable[ImageLike], settings: Settings, batch_size: int = 8
    ) -> Iterator[Search]:
        """Yield what is found in each image, in order, with the counts of candidates.

        Reads ``batch_size`` images ahead, so that a long list never fills the memory.
        """
        if batch_size < 1:
            raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
        if isinstance(images, str | Path | np.ndarray):
            raise TypeError("expected a list of images, got a single one; put it in a list")
        pending = iter(images)
        while batch := [as_image(image) for image in islice(pending, batch_size)]:
            found: dict[int, Search] = {}
            for places in _group_by_size(batch):
                pixels = torch.from_numpy(np.stack([batch[place] for place in places]))
                found.update(zip(places, self._search_batch(pixels, settings), strict=True))
            yield from (found[place] for place in range(len(batch)))

    @torch.inference_mode()
    def _search_batch(self, pixels: Tensor, settings: Settings) -> list[Search]:
        """Search (B, H, W, 3) images of one size."""
        images = IntegralImages(pixels.to(self.device))
        after_pnet = propose(images, self._networks["pnet"], settings)
        after_rnet = refine(images, after_pnet, self._networks["rnet"], settings)
        after_onet = finish(images, after_rnet, self._networks["onet"], settings)
        stages = (after_pnet, after_rnet, after_onet)
        counts = zip(*(candidates.counts(images.count) for candidates in stages), strict=True)
        return [
            Search(_detections_of(after_onet, image), dict(zip(STAGES, count, strict=True)))
            for image, count in enumerate(counts)
        ]


def choose_device(name: str) -> torch.device:
    """Return the device called ``cpu``, ``cuda`` or ``auto`` (a GPU if there is one).

    Raises:
        InputError: if CUDA is asked for and not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"found device {name!r}, expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("found no CUDA device; use --device cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def propose(images: IntegralImages, pnet: Network, settings: Settings) -> Candidates:
    """Return the squares that PNet proposes over all levels of the image pyramid."""
    scales = pyramid_scales(images.size_hw, settings.min_face, settings.factor)
    levels = [_propose_level(images, pnet, scale, settings.thresholds[0]) for scale in scales]
    candidates = Candidates.concatenate(levels, images.device)
    candidates = candidates[suppress(candidates, 0.7)]
    boxes = candidates.boxes
    return candidates.moved_to(square(move(boxes, candidates.offsets, sides(boxes))))


def refine(
    images: IntegralImages, candidates: Candidates, rnet: Network, settings: Settings
) -> Candidates:
    """Return the squares that RNet leaves, moved to where it sees the faces."""
    judged = judge(images, candidates, rnet, INPUT_SIZES["rnet"])
    judged = judged[judged.scores > settings.thresholds[1]]
    judged = judged[suppress(judged, 0.7)]
    boxes = judged.boxes
    return judged.moved_to(square(move(boxes, judged.offsets, inclusive_sides(boxes))))


def finish(
    images: IntegralImages, candidates: Candidates, onet: Network, settings: Settings
) -> Candidates:
    """Return the boxes and landmarks, now in pixels, that ONet gives."""
    judged = judge(images, candidates, onet, INPUT_SIZES["onet"])
    judged = judged[judged.scores > settings.thresholds[2]]
    boxes = judged.boxes
    moved = replace(
        judged,
        boxes=move(boxes, judged.offsets, inclusive_sides(boxes)),
        landmarks=place_landmarks(judged.landmarks, boxes) if len(judged) else judged.landmarks,
    )
    return moved[suppress_nested(moved, 0.7)]


def judge(
    images: IntegralImages, candidates: Candidates, network: Network, size: int
) -> Candidates:
    """Return the candidates that hold a pixel of their image, with a network's opinion of each.

    Args:
        images: the images of the batch.
        candidates: squares to cut out.
        network: RNet or ONet.
        size: side in pixels of the window that the network takes.
    """
    windows = windows_of(candidates.boxes, images.size_hw)
    visible = is_visible(windows)
    windows, candidates = windows[visible], candidates[visible]
    chunks = [slice(i, i + CROPS_AT_ONCE) for i in range(0, len(windows), CROPS_AT_ONCE)]
    opinions = [
        network(normalise(images.crop(windows[chunk], candidates.image_index[chunk], size)))
        for chunk in chunks
    ]
    return _with_opinions(candidates, opinions)


def _propose_level(
    images: IntegralImages, pnet: Network, scale: float, threshold: float
) -> Candidates:
    """Return the windows of one pyramid level that PNet passes, before they are moved."""
    outputs: Outputs = pnet(normalise(images.resize(level_size(images.size_hw, scale))))
    scores = outputs.scores
    passed = scores >= threshold
    image_index, rows, columns = passed.nonzero(as_tuple=True)
    candidates = Candidates(
        boxes=pnet_boxes(torch.stack([columns, rows], dim=1).float(), scale),
        scores=scores[passed],
        image_index=image_index,
        offsets=outputs.offsets.permute(0, 2, 3, 1)[passed],
        landmarks=scores.new_zeros(len(rows), 0),
    )
    return candidates[suppress(candidates, 0.5)]


def _with_opinions(candidates: Candidates, opinions: Sequence[Outputs]) -> Candidates:
    if not opinions:
        return candidates
    return replace(
        candidates,
        scores=torch.cat([opinion.scores for opinion in opinions]),
        offsets=torch.cat([opinion.offsets for opinion in opinions]),
        landmarks=torch.cat([opinion.landmarks for opinion in opinions]),
    )


def _detections_of(candidates: Candidates, image: int) -> Detections:
    """Return what was found in one image of the batch, as arrays."""
    own = candidates[candidates.image_index == image]
    boxes, scores, landmarks = (
        values.cpu().numpy() for values in (own.boxes, own.scores, own.landmarks)
    )
    return Detections(boxes, scores, landmarks.reshape(len(own), 2, 5).transpose(0, 2, 1))


def _group_by_size(images: Sequence[NDArray[np.uint8]]) -> Iterator[list[int]]:
    """Yield places of images of one size, few enough at a time to keep the memory low."""
    places_of: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        places_of.setdefault(image.shape, []).append(place)
    for (height, width, _), places in places_of.items():
        at_once = max(1, PIXELS_AT_ONCE // (height * width))
        yield from (places[i : i + at_once] for i in range(0, len(places), at_once))
