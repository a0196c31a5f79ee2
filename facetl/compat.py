"""For programs written for facenet-pytorch: its ``MTCNN``, on facetl's engines and weights.

Change ``from facenet_pytorch import MTCNN`` to ``from facetl.compat import MTCNN``.  Arguments,
attributes and results, including shapes and object arrays, are those of facenet-pytorch 2.5.3;
the only addition is ``weights``, ``"cartoon"`` or a file of your own.

With the pretrained weights boxes, landmarks and scores are the same within 0.01 pixels and 1e-4.
More confident weights give many windows a score of exactly 1; among these, NMS may keep another
one than facenet-pytorch would.  Intended differences:

- images of a few pixels, mixed sizes in a list, lists of tensors, and lists in which only some
  images have a face give ``None`` or the faces found, where facenet-pytorch raises an error;
- ``selection_method="center_weighted_size"`` also accepts arrays and tensors, and
  ``"largest_over_threshold"`` returns the score and landmarks of the box that it selects;
- floating-point pixels are rounded to 8 bits, and may be in [0, 1];
- faces are saved as PNG or JPEG, and a list of images needs a list of as many paths.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from facetl.boxes import area
from facetl.data.crops import Span, as_stored, cut_face
from facetl.data.images import Pixels, save_image
from facetl.data.pictures import as_pixels
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import PRETRAINED, Weights, load_weights
from facetl.results.detections import Detections

Selection = Literal["probability", "largest", "largest_over_threshold", "center_weighted_size"]
SavePath = str | Path | Sequence[str | Path] | None
Array = NDArray[Any]

_NO_FACE: tuple[Any, Any, Any] = (
    None,
    [None],
    None,
)  # boxes, scores, landmarks


class MTCNN(nn.Module):
    """Finds faces and cuts them out, with the interface of facenet-pytorch's ``MTCNN``.

    Attributes:
        pnet: the first network; its weights may be changed, the next search uses them.
        rnet: the second network.
        onet: the third network.

    Example:
        >>> from facetl.compat import MTCNN
        >>> mtcnn = MTCNN(keep_all=True, weights="cartoon")
        >>> boxes, probs = mtcnn.detect(image)      # doctest: +SKIP
        >>> faces = mtcnn(image, save_path="a.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        image_size: int = 160,
        margin: int = 0,
        min_face_size: float = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        post_process: bool = True,
        select_largest: bool = True,
        selection_method: Selection | None = None,
        keep_all: bool = False,
        device: str | torch.device | None = None,
        *,
        weights: str | Path = PRETRAINED,
    ) -> None:
        """Load the networks.

        Args:
            image_size: side in pixels of the faces that are cut out.
            margin: how many of these pixels lie outside the box, both sides together.
            min_face_size: side in pixels of the smallest face to find.
            thresholds: minimum scores to pass PNet, RNet and ONet.
            factor: ratio of neighbouring levels of the image pyramid.
            post_process: whether faces are scaled from 0 … 255 to about -1 … 1.
            select_largest: the largest face first, not the one with the best score.
            selection_method: which face is selected unless ``keep_all``; by default the first.
            keep_all: whether all faces are cut out, not one per image.
            device: where the networks run; the CPU by default.
            weights: ``"pretrained"``, ``"cartoon"`` or a weights file, whose ``padding``,
                ``voting``, ``rnet_weight``, ``mirrored`` and ``rescored`` apply.

        Raises:
            WeightsError: if the weights file is missing, damaged or does not fit.
        """
        super().__init__()
        self.image_size = image_size
        self.margin = margin
        self.min_face_size = min_face_size
        self.thresholds = thresholds
        self.factor = factor
        self.post_process = post_process
        self.select_largest = select_largest
        self.selection_method = selection_method or ("largest" if select_largest else "probability")
        self.keep_all = keep_all
        loaded = load_weights(weights)
        self.pnet, self.rnet, self.onet = (loaded.network(stage) for stage in STAGES)
        self.device = torch.device("cpu" if device is None else device)
        self.to(self.device)
        self._facts = loaded.metadata
        self._ready: tuple[object, Detector] | None = None

    def forward(self, img: Any, save_path: SavePath = None, return_prob: bool = False) -> Any:
        """Find faces and cut them out.

        Args:
            img: a PIL image, an array (H, W, 3), a tensor (H, W, 3) or (3, H, W); or several: a
                list of these, an array (B, H, W, 3) or such a tensor.
            save_path: where to save the face, before scaling; for several images, a list of
                paths.  With ``keep_all`` the second face of ``a.png`` becomes ``a_2.png``.
            return_prob: whether to return the scores as well.

        Returns:
            A float32 tensor (3, S, S), None without a face; with ``keep_all`` (N, 3, S, S).  For
            several images, a list of these.  With ``return_prob``, a pair of that and the scores:
            a float or None; with ``keep_all``, or for several images, an array.
        """
        boxes, probs, points = self.detect(img, landmarks=True)
        if not self.keep_all:
            boxes, probs, points = self.select_boxes(
                boxes, probs, points, img, method=self.selection_method
            )
        faces = self.extract(img, boxes, save_path)
        return (faces, probs) if return_prob else faces

    def detect(self, img: Any, landmarks: bool = False) -> Any:
        """Find faces.

        Args:
            img: one image or several, as :meth:`forward` accepts them.
            landmarks: whether to return landmarks as well.

        Returns:
            Boxes (N, 4) ``x1, y1, x2, y2`` in pixels, scores (N,) in [0, 1] and, if asked for,
            landmarks (N, 5, 2), the largest face or the one with the best score first; ``None``,
            ``[None]`` and ``None`` without a face.  For several images, object arrays with an
            item for each.
        """
        pnet, rnet, onet = self.thresholds
        found = self._detector().detect(
            [np.asarray(_as_seen(each)) for each in _each(img)],
            (pnet, rnet, onet),
            min_face=self.min_face_size,
            factor=self.factor,
        )
        columns = zip(*(self._report(each) for each in found), strict=True)
        arrays = tuple(np.array(column, dtype=object) for column in columns)
        boxes, probs, points = arrays or (np.zeros(0, dtype=object),) * 3
        if not _are_several(img):
            boxes, probs, points = boxes[0], probs[0], points[0]
        return (boxes, probs, points) if landmarks else (boxes, probs)

    def select_boxes(
        self,
        all_boxes: Any,
        all_probs: Any,
        all_points: Any,
        imgs: Any,
        method: str = "probability",
        threshold: float = 0.9,
        center_weight: float = 2.0,
    ) -> tuple[Any, Any, Any]:
        """Select one face in each image, from what :meth:`detect` returned for ``imgs``.

        Args:
            all_boxes: boxes.
            all_probs: scores.
            all_points: landmarks.
            imgs: the image or images.
            method: the best score (``probability``), the largest box (``largest``), the largest
                with a score above ``threshold`` (``largest_over_threshold``), or the largest
                after ``center_weight`` times its squared distance from the image's centre
                is subtracted from its area (``center_weighted_size``).
            threshold: see ``method``.
            center_weight: see ``method``.

        Returns:
            Boxes (1, 4), the score and landmarks (1, 5, 2), or three times ``None``; for several
            images, arrays with an item for each.

        Raises:
            ValueError: if there is no such method.
        """
        several = _are_several(imgs)
        columns = (all_boxes, all_probs, all_points)
        faces = zip(*(columns if several else ([each] for each in columns)), strict=True)
        chosen = []
        for face, image in zip(faces, _each(imgs), strict=True):
            boxes, probs, points = face
            best = _rank(boxes, probs, _as_seen(image), method, threshold, center_weight)[:1]
            chosen.append(tuple(np.array(each)[best] for each in face) if len(best) else _NO_FACE)
        if not several:
            ((boxes, probs, points),) = chosen
            return boxes, probs[0], points
        kind = object if any(face is _NO_FACE for face in chosen) else None
        boxes, probs, points = zip(*chosen, strict=True) if chosen else ((), (), ())
        return np.array(boxes, kind), np.array(probs, kind), np.array(points, kind)

    def extract(self, img: Any, batch_boxes: Any, save_path: SavePath) -> Any:
        """Cut out the faces in boxes as :meth:`detect` or :meth:`select_boxes` gave them.

        Args:
            img: one image or several.
            batch_boxes: their boxes; the first of each image counts unless ``keep_all``.
            save_path: where to save them (see :meth:`forward`).

        Returns:
            What :meth:`forward` returns without scores.

        Raises:
            ValueError: if there are not as many paths as images.
            OutputError: if a face cannot be saved.
        """
        several = _are_several(img)
        paths = _list_paths(save_path, len(img) if several else 1)
        found = zip(_each(img), batch_boxes if several else [batch_boxes], paths, strict=True)
        faces = [
            None if boxes is None else self._cut(image, boxes, path) for image, boxes, path in found
        ]
        return faces if several else faces[0]

    def _detector(self) -> Detector:
        """Return a detector with the current weights of the networks, built again if they changed.

        Changes are detected by checksums of the weights, because torch does not count changes
        made through ``.data``.
        """
        device = next(self.parameters()).device
        state = [device, *(_checksum(each) for each in self.parameters())]
        if self._ready is None or self._ready[0] != state:
            stages = {stage: self.get_submodule(stage).state_dict() for stage in STAGES}
            self._ready = state, Detector(Weights(stages, self._facts), str(device))
        return self._ready[1]

    def _report(self, found: Detections) -> tuple[Any, Any, Any]:
        """Return the boxes, scores and landmarks of an image, in the order asked for."""
        if not len(found):
            return _NO_FACE
        if self.select_largest:
            found = found[np.argsort(area(found.boxes))[::-1]]
        return found.boxes, found.scores, found.landmarks

    def _cut(self, image: Any, boxes: Array, path: Path | None) -> Tensor:
        """Return the faces in an image's boxes, or the first."""
        seen, faces = _as_seen(image), []
        for number, box in enumerate(boxes if self.keep_all else boxes[:1], start=1):
            own = path and (path if number == 1 else path.with_stem(f"{path.stem}_{number}"))
            face = extract_face(seen, box, self.image_size, self.margin, own)
            faces.append(fixed_image_standardization(face) if self.post_process else face)
        return torch.stack(faces) if self.keep_all else faces[0]


def extract_face(
    img: Any, box: Any, image_size: int = 160, margin: int = 0, save_path: str | Path | None = None
) -> Tensor:
    """Cut the face in a box out of an image.

    Args:
        img: a PIL image, an array (H, W, 3), or a tensor (H, W, 3) or (3, H, W).
        box: ``x1, y1, x2, y2`` in pixels.
        image_size: side of the result in pixels.
        margin: how many pixels of the result lie outside the box, both sides together.
        save_path: a PNG or JPEG file to write.

    Returns:
        (3, image_size, image_size) float32 in 0 to 255.

    Raises:
        OutputError: if the face cannot be saved.
    """
    seen = _as_seen(img)
    span = _span(box, image_size, margin, _size_of(seen))
    cut = _cut_tensor if isinstance(seen, Tensor) else cut_face
    face = cut(seen, span, image_size)
    if save_path is not None:
        save_image(Path(save_path), face)
    return torch.from_numpy(face).permute(2, 0, 1).float().contiguous()


def fixed_image_standardization(image_tensor: Tensor) -> Tensor:
    """Map pixels from 0 … 255 to about -1 … 1, the input of facenet-pytorch's recognisers."""
    return (image_tensor - 127.5) / 128.0


def _checksum(weights: Tensor) -> int:
    return zlib.crc32(weights.detach().cpu().flatten().view(torch.uint8).numpy().data)


def _are_several(img: Any) -> bool:
    """Return whether this is several images: a list, a tuple, or four dimensions."""
    return isinstance(img, list | tuple) or (isinstance(img, np.ndarray | Tensor) and img.ndim == 4)


def _each(img: Any) -> Sequence[Any]:
    return img if _are_several(img) else [img]


def _as_seen(img: Any) -> Any:
    """Return an image in 8-bit RGB: a PIL image as such, a tensor or an array as (H, W, 3)."""
    return torch.from_numpy(as_pixels(img)) if isinstance(img, Tensor) else as_stored(img)


def _size_of(seen: Any) -> tuple[int, int]:
    """Return width and height."""
    height, width = seen.shape[:2] if hasattr(seen, "shape") else seen.size[::-1]
    return width, height


def _rank(
    boxes: Any, probs: Any, seen: Any, method: str, threshold: float, weight: float
) -> NDArray[np.intp]:
    """Return which boxes come into question, the best first."""
    if boxes is None:
        return np.zeros(0, dtype=np.intp)
    boxes, probs = np.asarray(boxes, dtype=np.float64), np.asarray(probs, dtype=np.float64)
    values = area(boxes)
    rows = np.arange(len(boxes))
    if method == "largest_over_threshold":
        rows = np.flatnonzero(probs > threshold)
    elif method == "probability":
        values = probs
    elif method == "center_weighted_size":
        away = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(_size_of(seen)) / 2
        values = values - weight * (away**2).sum(axis=1)
    elif method != "largest":
        raise ValueError(f"found selection method {method!r}, expected {get_args(Selection)}")
    return rows[np.argsort(values[rows])[::-1]]


def _list_paths(save_path: SavePath, count: int) -> list[Path | None]:
    if save_path is None:
        return [None] * count
    paths = [save_path] if isinstance(save_path, str | Path) else list(save_path)
    if len(paths) != count:
        raise ValueError(f"expected a path for each of {count} images, got {len(paths)}")
    return [Path(path) for path in paths]


def _span(box: Any, image_size: int, margin: int, size: tuple[int, int]) -> Span:
    """Return the pixels inside the image of a box and what lies around it."""
    x1, y1, x2, y2 = box
    width, height = size
    across = margin * (x2 - x1) / (image_size - margin) / 2
    down = margin * (y2 - y1) / (image_size - margin) / 2
    left, top = min(int(max(x1 - across, 0)), width - 1), min(int(max(y1 - down, 0)), height - 1)
    right, bottom = int(min(x2 + across, width)), int(min(y2 + down, height))
    return Span(left, top, max(right, left + 1), max(bottom, top + 1))


def _cut_tensor(image: Tensor, span: Span, size: int) -> Pixels:
    """Return (size, size, 3) means of the pixels of an (H, W, 3) image in a span."""
    cut = image[span.top : span.bottom, span.left : span.right].permute(2, 0, 1)[None].float()
    face = functional.interpolate(cut, size=(size, size), mode="area").byte()
    return np.ascontiguousarray(face[0].permute(1, 2, 0).numpy())
