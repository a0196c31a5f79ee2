"""Find faces with the networks that ``facetl export --onnx`` wrote; needs no torch and no facetl.

    pip install numpy pillow "onnxruntime>=1.14"
    python run_onnx.py photo.jpg frame.png

A line comes out for each face: image, x1, y1, x2, y2 in pixels (half open), score in [0, 1].
From Python, with the networks beside this file::

    from run_onnx import Cascade, load_image
    boxes, scores, landmarks = Cascade().detect(load_image("photo.jpg"))

It is the cascade of Zhang et al. 2016: PNet judges 12-pixel windows over an image pyramid, RNet
what PNet proposes, ONet what RNet leaves.  The networks take pixels from 0 to 255, (N, 3, H, W)
RGB, and give scores, offsets (box minus window in fractions of its side) and, ONet, landmarks.
Weights that rescore have ``rescorer.onnx``, too, which scores and places again what was found.
Boxes inside the cascade include their last pixel and count from 1, as the networks learnt it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.signedinteger[Any]]
Candidates = tuple[Floats, Floats, Floats]
"""(N, 4) boxes, (N,) scores, (N, 4) offsets or, at the end, (N, 5, 2) landmarks."""

_WINDOWS_AT_ONCE = 256
_LEAST_FACE, _FACTORS = 1, (0.1, 0.99)
"""Bounds of the settings ``min_face`` and ``factor``."""
_FARTHEST = 1e9
"""What lies farther away than so many pixels is no box."""

RESCORER = "rescorer.onnx"
"""The file of the network that looks again at what the cascade found."""
CROP_SIDE = 96
"""Side in pixels of what it is shown of each face."""
CROP_MARGIN = 0.25
"""What is shown around a box on each side, as a share of its longer side."""
SCORE_WEIGHT = 1.0
"""Of its log-odds in a face's score, where the cascade's have 1."""
BOX_SHARE = 0.5
"""Of its corners in a face's box; the rest is the cascade's."""


class Cascade:
    """The networks, and how their weights want to search: thresholds, pyramid, edges."""

    def __init__(self, folder: Path | str = Path(__file__).parent, threads: int = 0) -> None:
        """Read the networks in a folder, to run on so many threads, 0 for one on each core.

        ``settings`` may be changed afterwards.
        """
        self.pnet, self.rnet, self.onet = (
            open_network(f"{folder}/{stage}.onnx", threads) for stage in ("pnet", "rnet", "onet")
        )
        facts = json.loads(self.pnet.get_modelmeta().custom_metadata_map["facetl"])
        self.settings: dict[str, Any] = facts["settings"]
        self._open_rescorer = cache(partial(open_network, f"{folder}/{RESCORER}", threads))

    def detect(self, image: NDArray[np.uint8]) -> Candidates:
        """Return boxes (N, 4), scores (N,), landmarks (N, 5, 2) in an (H, W, 3) RGB image.

        Best score first.  Landmarks are x, y of both eyes, the nose, both corners of the mouth.

        Raises:
            ValueError: if a setting is out of its range.
        """
        _check_settings(self.settings)
        found = self.look(image)
        if self.settings.get("mirrored", False):
            found = _fuse(found, _turn_back(self.look(image[:, ::-1]), image.shape[1]))
        found = self.finish(*found)
        return self.rescore(image, *found) if self.settings.get("rescored", False) else found

    def look(self, image: NDArray[np.uint8]) -> Candidates:
        """Return what ONet is shown in an image, as it sees it: boxes, scores, landmarks."""
        sums = add_up(image)
        return self.examine(sums, *self.refine(sums, self.propose(sums)))

    def propose(self, sums: Integers) -> Floats:
        """Return the squares around where PNet sees faces."""
        found = [self.sweep(sums, scale) for scale in self.scales(sums)]
        if not found:
            return np.zeros((0, 4), np.float32)
        boxes, scores, offsets = (np.concatenate(column) for column in zip(*found, strict=True))
        keep = _suppress(boxes, scores, 0.7)
        squares = _square(_move(boxes[keep], offsets[keep]))
        return squares[_valid(squares)]

    def scales(self, sums: Integers) -> Iterator[float]:
        """Yield the scales of the pyramid, until its shorter edge holds no window of PNet."""
        scale = 12 / self.settings["min_face"]
        shorter = (min(sums.shape[:2]) - 1) * scale
        while shorter >= 12:
            yield scale
            scale *= self.settings["factor"]
            shorter *= self.settings["factor"]

    def sweep(self, sums: Integers, scale: float) -> Candidates:
        """Return what PNet passes on one level, its cells 2 pixels apart, after NMS."""
        height, width = sums.shape[0] - 1, sums.shape[1] - 1
        level = resize(sums, (int(height * scale + 1), int(width * scale + 1)))
        border = 6 if self.settings["padding"] else 0
        level = np.pad(level, ((0, 0), (0, 0), (border, border), (border, border)))
        scores, offsets = self.pnet.run(None, {"pixels": level})
        _, rows, columns = np.nonzero(scores >= self.settings["thresholds"][0])
        cells = np.stack([columns, rows], axis=1).astype(np.float32) - border / np.float32(2)
        first = np.floor((2 * cells + 1) / np.float32(scale))
        last = np.floor((2 * cells + 12) / np.float32(scale))
        boxes, passed = np.concatenate([first, last], axis=1), scores[0, rows, columns]
        keep = _suppress(boxes, passed, 0.5)
        return boxes[keep], passed[keep], offsets[0][:, rows, columns].T[keep]

    def refine(self, sums: Integers, squares: Floats) -> tuple[Floats, Floats]:
        """Return the squares around where RNet sees faces in squares, and its scores."""
        _, squares, (scores, offsets) = self.judge(self.rnet, 24, sums, squares)
        passed = scores > self.settings["thresholds"][1]
        squares, scores, offsets = squares[passed], scores[passed], offsets[passed]
        keep = _suppress(squares, scores, 0.8 if self.settings["voting"] else 0.7)
        squares, scores = _square(_move(squares[keep], offsets[keep], edge=1)), scores[keep]
        sound = _valid(squares)
        return squares[sound], scores[sound]

    def examine(self, sums: Integers, squares: Floats, rnet: Floats) -> Candidates:
        """Return where ONet sees faces and their landmarks in squares that RNet has scored."""
        visible, squares, (scores, offsets, landmarks) = self.judge(self.onet, 48, sums, squares)
        if weight := self.settings.get("rnet_weight", 0):
            scores = _fuse_scores(rnet[visible], scores, weight)
        boxes = _move(squares, offsets, edge=1)
        points = landmarks.reshape(-1, 2, 5).transpose(0, 2, 1)
        points = points * (_sides(squares) + 1)[:, None] + squares[:, None, :2] - 1
        sound = _valid(boxes, scores[:, None], points.reshape(-1, 10))
        return boxes[sound], scores[sound], points[sound]

    def finish(self, boxes: Floats, scores: Floats, points: Floats) -> Candidates:
        """Return what the last threshold and NMS leave, best score first."""
        least = self.settings["thresholds"][2]
        if self.settings["voting"]:
            keep = _suppress(boxes, scores, 0.5, nested=True)
            boxes, scores, points = _vote(boxes, scores, keep), scores[keep], points[keep]
            keep = np.flatnonzero((scores > least) & _valid(boxes))
        else:
            keep = np.flatnonzero(scores > least)
            keep = keep[_suppress(boxes[keep], scores[keep], 0.7, nested=True)]
        return boxes[keep], scores[keep], points[keep]

    def rescore(
        self, image: NDArray[np.uint8], boxes: Floats, scores: Floats, points: Floats
    ) -> Candidates:
        """Return the faces found in an image with scores and boxes that are means of two."""
        probabilities, places = predict_faces(self._open_rescorer(), image, boxes)
        scores = _fuse_scores(probabilities, scores, SCORE_WEIGHT)
        boxes = (1 - BOX_SHARE) * boxes + BOX_SHARE * places
        order = np.argsort(-scores, kind="stable")
        return boxes[order], scores[order], points[order]

    def judge(
        self, network: InferenceSession, size: int, sums: Integers, squares: Floats
    ) -> tuple[NDArray[np.bool_], Floats, list[Floats]]:
        """Return which squares hold a pixel of the image, these, and a network's word on them."""
        height, width = sums.shape[0] - 1, sums.shape[1] - 1
        windows = np.floor(squares - np.array([1, 1, 0, 0], np.float32)).astype(np.int64)
        clipped = np.concatenate(
            [windows[:, :2].clip(min=0), np.minimum(windows[:, 2:], [width, height])], axis=1
        )
        visible = np.asarray((clipped[:, 2:] > clipped[:, :2]).all(axis=1))
        shown = (windows if self.settings["padding"] else clipped)[visible]
        answers = [
            network.run(None, {"pixels": crop(sums, shown[start : start + _WINDOWS_AT_ONCE], size)})
            for start in range(0, max(len(shown), 1), _WINDOWS_AT_ONCE)
        ]
        said = [np.concatenate(each) for each in zip(*answers, strict=True)]
        return visible, squares[visible], said


def open_network(model: str | bytes, threads: int) -> Any:
    """Return a session of a network, a file or its bytes, on so many threads; 0: all cores.

    onnxruntime is told to report nothing to its makers, as it would from 1.29 on.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    return runtime.InferenceSession(model, options, ["CPUExecutionProvider"])


def predict_faces(
    network: Any, image: NDArray[np.uint8], boxes: Floats, apply: Callable[..., Any] = map
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what the network that rescores predicts for boxes in an image, seen both ways round.

    It is the mean of what it predicts for a crop and for its mirror image: (N,) probabilities
    that the box holds a face, and (N, 4) half-open pixels where it is; they may leave the image.
    ``apply`` calls the network for each crop, as ``map`` does, or in threads.
    """

    def look(pixels: NDArray[np.float32]) -> Any:
        return network.run(None, {"pixels": np.stack([pixels, pixels[..., ::-1]])})

    squares = squares_around(boxes, CROP_MARGIN)
    answers = list(apply(look, cut_resized(image, squares, CROP_SIDE)))
    said = np.array([each[0] for each in answers], np.float32).reshape(-1, 2)
    corners = np.array([each[1] for each in answers], np.float32).reshape(-1, 2, 4)
    x1, y1, x2, y2 = corners[:, 1].T
    mean = (corners[:, 0] + np.stack([-x2, y1, -x1, y2], axis=1)) / 2
    first, last = np.split(squares, 2, axis=1)  # corners: -1 is left or top in the square
    middles, halves = np.tile((first + last) / 2, 2), np.tile((last - first) / 2, 2)
    probabilities = 1 / (1 + np.exp(-said.mean(axis=1)))
    return np.asarray(probabilities, np.float32), (middles + halves * mean).astype(np.float32)


def squares_around(boxes: Floats, margin: float, grow: float = 1.0) -> Integers:
    """Return the (N, 4) squares of whole pixels that show boxes and what is around them.

    Args:
        boxes: (N, 4) half open, in pixels; finite.
        margin: what is shown on every side, as a share of the box's longer side.
        grow: factor of the sides.
    """
    given = boxes.astype(np.float64)
    centres = (given[:, :2] + given[:, 2:]) / 2
    half = _sides(given).max(axis=1, keepdims=True, initial=0) * (1 + 2 * margin) * grow / 2
    corners = np.floor(np.concatenate([centres - half, centres + half], axis=1) + 0.5)
    corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2] + 1)
    return corners.astype(np.int64)


def cut_resized(image: NDArray[np.uint8], windows: Integers, size: int) -> NDArray[np.float32]:
    """Return (N, 3, S, S) pixels of (N, 4) windows, sized by means; black outside the image.

    Only pixels under a window are added up: faces are few and small beside their image.

    Args:
        image: (H, W, 3), RGB.
        windows: whole pixels, half open; they may leave the image.
        size: side S of what comes out.
    """
    cut = [np.zeros((0, 3, size, size), np.float32)]
    for window in windows:
        left, top = np.maximum(window[:2], 0)
        seen = image[top : max(window[3], top), left : max(window[2], left)]
        cut.append(crop(add_up(seen), (window - [left, top, left, top])[None], size))
    return np.concatenate(cut)


def _check_settings(settings: dict[str, Any]) -> None:
    """Raise ValueError if these are no settings; a factor of 1 would make a pyramid without end."""
    pnet, rnet, onet = settings["thresholds"]
    shares = (pnet, rnet, onet, settings.get("score", 0), settings.get("rnet_weight", 0))
    switches = [settings["padding"], settings["voting"]]
    switches += [settings.get("mirrored", False), settings.get("rescored", False)]
    if not (
        all(0 <= share <= 1 for share in shares)
        and _LEAST_FACE <= settings["min_face"] <= sys.float_info.max
        and _FACTORS[0] <= settings["factor"] <= _FACTORS[1]
        and all(isinstance(switch, bool) for switch in switches)
    ):
        raise ValueError(
            f"found settings {settings}, expected thresholds from 0 to 1, min_face of "
            f"{_LEAST_FACE} or more, factor from {_FACTORS[0]} to {_FACTORS[1]}; export "
            "the networks again"
        )


def _log_odds(scores: Floats) -> NDArray[np.float64]:
    """Return (N,) log-odds of scores; certainty counts as one in ten million."""
    kept = scores.astype(np.float64).clip(1e-7, 1 - 1e-7)
    return np.asarray(np.log(kept / (1 - kept)))


def _fuse_scores(more: Floats, scores: Floats, weight: float) -> NDArray[np.float32]:
    """Return (N,) scores whose log-odds are the mean of two, the first of them weighed."""
    odds = (_log_odds(scores) + weight * _log_odds(more)) / (1 + weight)
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def _turn_back(found: Candidates, width: int) -> Candidates:
    """Return what was found in a mirror image, where it lies in the image itself."""
    boxes, scores, points = found
    points = points[:, [1, 0, 2, 4, 3]]
    points = np.stack([width - points[..., 0], points[..., 1]], axis=2)
    turned = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    return turned, scores, points


def _fuse(found: Candidates, mirrored: Candidates) -> Candidates:
    """Return what two views found, each with the mean of its score and the other view's."""
    scores = [
        _fuse_scores(_scores_elsewhere(own[0], *other[:2]), own[1], 1)
        for own, other in ((found, mirrored), (mirrored, found))
    ]
    boxes, _, points = map(np.concatenate, zip(found, mirrored, strict=True))
    return boxes, np.concatenate(scores), points


def _scores_elsewhere(boxes: Floats, others: Floats, scores: Floats) -> Floats:
    """Return for each box the best score of others with an IoU of 0.5, and 0.1 at least."""
    exact = others.astype(np.float64)
    best = [
        np.where(_overlap(box, exact) >= 0.5, scores, 0).max(initial=0.1)
        for box in boxes.astype(np.float64)
    ]
    return np.array(best, np.float32)


def add_up(image: NDArray[np.uint8]) -> Integers:
    """Return (H + 1, W + 1, 3) sums over all pixels above and to the left of (H, W, 3) pixels.

    They may wrap around in 32 bits: differences of them, over fewer than 8 million pixels, are
    exact.
    """
    sums = np.zeros((image.shape[0] + 1, image.shape[1] + 1, 3), np.int32)
    np.cumsum(image, 0, np.int32, sums[1:, 1:])
    return np.cumsum(sums, 1, np.int32, sums)


def resize(sums: Integers, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Return (1, 3, h, w) means of pixels, by their sums: the image at another size."""
    spans = (np.array([[0, side - 1]]) for side in sums.shape[:2])
    rows, columns = (_bins(span, side) for span, side in zip(spans, size_hw, strict=True))
    return _means(sums, *rows, *columns)


def crop(sums: Integers, windows: Integers, size: int) -> NDArray[np.float32]:
    """Return (N, 3, size, size) pixels of (N, 4) windows; outside the image they are black."""
    return _means(sums, *_bins(windows[:, 1::2], size), *_bins(windows[:, 0::2], size))


def _bins(spans: Integers, count: int) -> tuple[Integers, Integers]:
    """Return (N, count) starts and ends of bins over (N, 2) spans; they may share a pixel."""
    starts, steps = spans[:, :1], np.arange(count)
    lengths = spans[:, 1:] - starts
    return starts + steps * lengths // count, starts - (-(steps + 1) * lengths // count)


def _means(
    sums: Integers, tops: Integers, bottoms: Integers, lefts: Integers, rights: Integers
) -> NDArray[np.float32]:
    """Return (N, 3, h, w) mean pixels between (N, h) rows and (N, w) columns, by their sums."""
    last_row, last_column = sums.shape[0] - 1, sums.shape[1] - 1
    heights, widths = (bottoms - tops).astype(np.float32), (rights - lefts).astype(np.float32)
    tops, bottoms = tops.clip(0, last_row), bottoms.clip(0, last_row)
    lefts, rights = lefts.clip(0, last_column), rights.clip(0, last_column)
    means = np.empty((len(tops), 3, tops.shape[1], lefts.shape[1]), np.float32)
    # rows first, then columns: fewer sums are gathered than at the four corners of every bin
    for window, pixels in enumerate(means):
        first = lefts[window, 0]
        below = sums[:, first : rights[window, -1] + 1]
        band = below[bottoms[window]] - below[tops[window]]
        total = band[:, rights[window] - first] - band[:, lefts[window] - first]
        mean = total.astype(np.float32) / heights[window, :, None, None] / widths[window, :, None]
        pixels[:] = mean.transpose(2, 0, 1)
    return means


def _sides(boxes: Floats) -> Floats:
    """Return (N, 2) widths and heights."""
    return boxes[:, 2:] - boxes[:, :2]


def _move(boxes: Floats, offsets: Floats, edge: int = 0) -> Floats:
    """Return boxes moved by offsets, fractions of their sides."""
    return np.asarray(boxes + offsets * np.tile(_sides(boxes) + np.float32(edge), 2))


def _valid(boxes: Floats, *numbers: Floats) -> NDArray[np.bool_]:
    """Return (N,) which boxes have a width, a height and a place, and (N, …) numbers that are."""
    near = np.abs(np.concatenate([boxes, *numbers], axis=1)).max(axis=1) <= _FARTHEST
    return np.asarray(near & (_sides(boxes) > 0).all(axis=1))


def _square(boxes: Floats) -> Floats:
    """Return squares with the centres and the longer sides of boxes."""
    longer = _sides(boxes).max(axis=1, keepdims=True, initial=0)
    corners = boxes[:, :2] + _sides(boxes) * np.float32(0.5) - longer * np.float32(0.5)
    return np.concatenate([corners, corners + longer], axis=1)


def _overlap(box: Floats, others: Floats, *, nested: bool = False) -> Floats:
    """Return (N,) IoU of a box with others; nested: the overlap over the smaller of both."""
    edge = int(nested)  # then the last pixels count
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]) + edge
    common = shared.clip(min=0).prod(axis=1)
    area, areas = (box[2:] - box[:2] + edge).prod(), (_sides(others) + edge).prod(axis=1)
    return np.asarray(common / (np.minimum(area, areas) if nested else area + areas - common))


def _suppress(boxes: Floats, scores: Floats, most: float, *, nested: bool = False) -> Integers:
    """Return what NMS keeps, best score first: what overlaps a better box by more goes."""
    boxes, order, keep = boxes.astype(np.float64), np.argsort(-scores, kind="stable"), []
    while order.size:
        best, order = order[0], order[1:]
        keep.append(best)
        order = order[_overlap(boxes[best], boxes[order], nested=nested) <= most]
    return np.array(keep, np.int64)


def _vote(boxes: Floats, scores: Floats, keep: Integers) -> Floats:
    """Return the boxes to keep, each the mean of those with an IoU of 0.7, weighed by score."""
    exact, voted = boxes.astype(np.float64), boxes[keep]
    for row, kept in enumerate(keep):
        weights = (_overlap(exact[kept], exact) >= 0.7) * scores.clip(min=1e-9)
        voted[row] = weights @ exact / weights.sum()
    return voted


def load_image(path: Path | str) -> NDArray[np.uint8]:
    """Return the (H, W, 3) RGB pixels of a picture, upright."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # 16 bits, of which the upper byte counts
            upright = Image.fromarray((np.asarray(upright).clip(0, 65535) >> 8).astype(np.uint8))
        return np.asarray(upright.convert("RGB"))


def main() -> None:
    """Print a line for each face, from a score on, in the images of the command line."""
    parser = argparse.ArgumentParser(description="Find faces with networks from facetl export.")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument("--networks", default=Path(__file__).parent, metavar="FOLDER")
    parser.add_argument("--score", type=float, help="least score of a face, else the weights'")
    given = parser.parse_args()
    cascade = Cascade(given.networks)
    try:
        _check_settings(cascade.settings)
    except (LookupError, TypeError, ValueError) as error:
        parser.exit(1, f"{given.networks}: {error}\n")
    least = cascade.settings.get("score", 0) if given.score is None else given.score
    for path in given.images:
        boxes, scores, _ = cascade.detect(load_image(path))
        for box, score in zip(boxes[scores >= least], scores[scores >= least], strict=True):
            print(path, *(f"{edge:.2f}" for edge in box), f"{score:.4f}")


if __name__ == "__main__":
    main()
