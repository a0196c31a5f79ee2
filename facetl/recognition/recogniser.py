"""Names for the faces of a picture: without torch by ONet's features, else by a torch network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.characters import UNKNOWN
from facetl.data.images import Pixels
from facetl.data.interop import import_library
from facetl.data.pictures import Picture, as_pixels
from facetl.errors import WeightsError
from facetl.mtcnn.devices import choose_device
from facetl.mtcnn.engines import AUTO_ENGINE, choose_engine, load_engine
from facetl.mtcnn.weights import CARTOON, Weights, load_weights
from facetl.recognition.crops import MARGIN
from facetl.recognition.names_file import NamesWeights, load_names
from facetl.recognition.settings import ONET, SIZES
from facetl.results.detections import Detections, Floats
from facetl.run_onnx import cut_resized, squares_around
from facetl.search.pipeline import Search, Searcher
from facetl.search.settings import BATCH_SIZE, Settings

LEAST_SCORE = 0.7
"""Probability below which a face is not called by a name.

On frames held out of two shows 0.7 names 0.6 % fewer of the characters' faces than 0.5 does, and
leaves 10 % more of the unknown ones without a name.
"""

_Namer = Callable[[Pixels, NDArray[np.int64]], Floats]
"""From (H, W, 3) pixels and (N, 4) windows to (N, C) probabilities."""


@dataclass(frozen=True, eq=False)
class Named:
    """The names of N faces.

    Attributes:
        names: the likeliest characters; ``unknown`` where none is likely.
        likeliest: the likeliest characters, however little likely.
        scores: (N,) float32, their probabilities.
    """

    names: tuple[str, ...]
    likeliest: tuple[str, ...]
    scores: Floats


class Recogniser:
    """Names the characters whose faces it is shown.

    Attributes:
        weights: of the network.
        device: where it runs.
        engine: what computes ONet's features; torch does the other backbones.

    Example:
        >>> from facetl import Detector, Recogniser
        >>> found = Detector.load().detect("frame.jpg")                  # doctest: +SKIP
        >>> Recogniser.load("names.safetensors").name("frame.jpg", found).names  # doctest: +SKIP
    """

    def __init__(
        self, weights: NamesWeights, device: str = "cpu", engine: str = AUTO_ENGINE
    ) -> None:
        """Build the network.

        Raises:
            WeightsError: if the arrays are not those of its backbone.
            InputError: if the engine, or a library that the backbone needs, cannot be had.
        """
        self.weights, self.device = weights, str(device)
        if weights.backbone == ONET:
            self.engine = choose_engine(engine, self.device)
            self._probabilities = _prepare_onet(weights, self.engine, self.device)
        else:
            self.engine = "torch"
            self._probabilities = _prepare_torch(weights, self.device)

    @classmethod
    def load(cls, names: str | Path, device: str = "auto", engine: str = AUTO_ENGINE) -> Recogniser:
        """Load a names file, as ``facetl train-names`` writes it.

        Args:
            names: the file.
            device: as for :meth:`facetl.mtcnn.detector.Detector.load`.
            engine: the same.

        Raises:
            WeightsError: if the file is missing, damaged or another network's.
            InputError: if device, engine or a library cannot be had.
        """
        return cls(load_names(names), choose_device(device), engine)

    def __repr__(self) -> str:
        return f"<Recogniser: {', '.join(self.weights.characters)} by {self.weights.backbone}>"

    def describe(self, path: Path) -> dict[str, object]:
        """Return what results say of the names file that they were made with, JSON-able."""
        weights = self.weights
        return {
            "file": str(path),
            "fingerprint": weights.fingerprint,
            "backbone": weights.backbone,
            "classes": list(weights.classes),
        }

    def name(self, picture: Picture, found: Detections) -> Detections:
        """Return what was found in a picture with a name and its score for each face.

        Args:
            picture: as :meth:`facetl.mtcnn.detector.Detector.detect` takes it, RGB.
            found: its faces.

        Raises:
            ImageError: if the picture cannot be read.
        """
        named = self.name_boxes(as_pixels(picture), found.boxes)
        return replace(
            found, names=named.names, name_scores=named.scores, likeliest=named.likeliest
        )

    def name_boxes(self, image: Pixels, boxes: Boxes | Floats) -> Named:
        """Return the names of faces.

        Args:
            image: (H, W, 3) uint8, RGB.
            boxes: (N, 4) half-open, in pixels.
        """
        return names_of(self.probabilities(image, boxes), self.weights.classes)

    def probabilities(self, image: Pixels, boxes: Boxes | Floats) -> Floats:
        """Return the (N, C) probabilities of the classes for (N, 4) boxes.

        Args:
            image: (H, W, 3) uint8, RGB.
            boxes: half-open, in pixels.
        """
        if not len(boxes):
            return np.zeros((0, len(self.weights.classes)), np.float32)
        return self._probabilities(image, squares_around(boxes, MARGIN))


def names_of(probabilities: Floats, classes: Sequence[str]) -> Named:
    """Return the names of N faces.

    Args:
        probabilities: (N, C) of the classes.
        classes: their C names; at least one is a character's.
    """
    characters = [place for place, name in enumerate(classes) if name != UNKNOWN]
    own = probabilities[:, characters]
    best, scores = own.argmax(axis=1), own.max(axis=1)
    likeliest = tuple(classes[characters[place]] for place in best.tolist())
    names = tuple(
        name if score >= LEAST_SCORE else UNKNOWN
        for name, score in zip(likeliest, scores.tolist(), strict=True)
    )
    return Named(names, likeliest, scores)


class NamingDetector:
    """A detector whose faces get names (see :class:`facetl.search.pipeline.Searcher`)."""

    def __init__(self, detector: Searcher, recogniser: Recogniser) -> None:
        self._detector, self._recogniser = detector, recogniser

    @property
    def device(self) -> str:
        """Where the networks run."""
        return self._detector.device

    def search(
        self,
        images: Iterable[Pixels],
        settings: Settings,
        batch_size: int = BATCH_SIZE,
        workers: int = 1,
    ) -> Iterable[Search]:
        """Yield what is found in each image, named."""
        pictures = list(images)
        found = self._detector.search(pictures, settings, batch_size, workers)
        for image, search in zip(pictures, found, strict=True):
            yield replace(search, detections=self._recogniser.name(image, search.detections))


def _prepare_onet(weights: NamesWeights, engine: str, device: str) -> _Namer:
    """Return what names faces by the features of an ONet, whatever computes them."""
    state = dict(weights.state)
    try:
        head, bias = state.pop("characters.weight"), state.pop("characters.bias")
    except KeyError as error:
        raise WeightsError(f"found no {error} in the names file; train it again") from error
    known = load_weights(CARTOON).stages
    outputs = {name: each for name, each in known["onet"].items() if "_" in name}
    if head.shape != (len(weights.classes), 256) or bias.shape != head.shape[:1]:
        raise WeightsError(
            f"found outputs of shape {head.shape} for {len(weights.classes)} names; train it again"
        )
    whole = Weights({**known, "onet": {**outputs, **state}})
    backend_for = load_engine(engine).prepare(whole, device)

    def namer(image: Pixels, windows: NDArray[np.int64]) -> Floats:
        backend = backend_for(image[None], 1)
        features = backend.describe(windows, np.zeros(len(windows), np.int64))
        return _softmax(np.asarray(features @ head.T + bias, np.float32))

    return namer


def _prepare_torch(weights: NamesWeights, device: str) -> _Namer:
    """Return what names faces by a torch network."""
    torch = import_library("torch", f"the backbone {weights.backbone}")
    from facetl.recognition.backbones import BACKBONES, load_network

    network, backbone = load_network(weights).to(device), BACKBONES[weights.backbone]

    def namer(image: Pixels, windows: NDArray[np.int64]) -> Floats:
        pixels = torch.from_numpy(np.ascontiguousarray(cut_resized(image, windows, size)))
        with torch.inference_mode():
            scores = network(backbone.normalise(pixels.to(device)))
        return np.asarray(scores.softmax(dim=1).float().cpu().numpy())

    size = SIZES[weights.backbone]
    return namer


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
