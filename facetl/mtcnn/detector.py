"""The detector: propose, refine, finish.

The arithmetic, down to its order, is that of facenet-pytorch's ``MTCNN``, so that pretrained
weights give its boxes; what is peculiar in it lives in :mod:`facetl.mtcnn.geometry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.cores import usable_cores
from facetl.data.images import OneImage
from facetl.data.pictures import Picture, as_pixels, as_rgb, each_of, held_by, is_array, is_one
from facetl.mtcnn.backend import Backend
from facetl.mtcnn.candidates import Candidates, Floats
from facetl.mtcnn.devices import choose_device
from facetl.mtcnn.engines import AUTO_ENGINE, choose_engine, load_engine
from facetl.mtcnn.fusion import VIEWS, fuse_scores, fuse_views, turn_back, with_mirrored
from facetl.mtcnn.geometry import (
    PNET_STRIDE,
    PNET_WINDOW,
    as_windows,
    inclusive_sides,
    move,
    place_landmarks,
    place_windows,
    pnet_boxes,
    pnet_windows,
    pyramid_scales,
    sides,
    square,
)
from facetl.mtcnn.nms import Indices, suppress, suppress_nested, vote
from facetl.mtcnn.rescoring import rescore
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.weights import CARTOON, Weights, load_weights
from facetl.results.detections import Detections, FrameResult
from facetl.results.origin import Origin
from facetl.search.parallel import ROOM, in_batches, in_parallel, most_waiting
from facetl.search.pipeline import Progress, Search
from facetl.search.settings import BATCH_SIZE, Settings
from facetl.search.video import VideoSearch

if TYPE_CHECKING:
    from torch import Tensor

PNET_BORDER = PNET_WINDOW // 2
"""Pixels of black around a level of the pyramid, where PNet's windows are padded."""

CascadeStep = Literal["pnet_scan", "pnet_nms", "rnet_input", "rnet_nms", "onet_input", "onet_nms"]
"""What is left: by PNet's threshold; by its NMS; these moved and made square, which RNet is shown;
by RNet's threshold and NMS, where they are; moved and made square again, which ONet is shown; by
ONet, moved, and its threshold and NMS: the faces."""
_SHOWN_TO: dict[Stage, CascadeStep] = {
    "pnet": "pnet_nms",
    "rnet": "rnet_input",
    "onet": "onet_input",
}
_LAST_NMS: dict[Stage, CascadeStep] = {"pnet": "pnet_nms", "rnet": "rnet_nms", "onet": "onet_nms"}

Thresholds = tuple[float, float, float]
"""Least scores in [0, 1] to pass PNet, RNet and ONet."""

PIXELS_AT_ONCE = 4_000_000
"""Pixels of the images, all of one size, that are searched together."""
_VOTERS_IOU = 0.8
"""IoU above which RNet's NMS takes two squares for the same, where ONet's boxes vote."""
_VOTING_IOU = 0.7
"""IoU with the best box of a face from which another box has a say in where the face is."""


class _How(TypedDict, total=False):
    """The keywords of :meth:`Detector.detect`."""

    min_face: float | None
    factor: float | None
    padding: bool | None
    voting: bool | None
    preset: str | None
    min_score: float
    bgr: bool
    batch_size: int
    workers: int | None
    progress: Progress | None


class Detector:
    """A cascade of PNet, RNet and ONet, ready to search images.

    Attributes:
        weights: of all three networks.
        device: where the networks run: ``"cpu"``, or what torch calls another device.
        engine: what does their arithmetic, one of :data:`facetl.mtcnn.engines.ENGINES`.
        settings: how the weights would have it search, if they say so (see ``facetl tune``).

    Example:
        >>> from facetl import Detector
        >>> detector = Detector.load()
        >>> detector.detect("portrait.jpg").boxes          # doctest: +SKIP
        >>> for found in detector.detect(["1.jpg", "2.jpg"]):  # doctest: +SKIP
        ...     print(found.scores)
    """

    def __init__(self, weights: Weights, device: str = "cpu", engine: str = AUTO_ENGINE) -> None:
        """Build the networks of ``weights`` on ``device``; missing stages are pretrained.

        Raises:
            InputError: if the engine asked for cannot be had.
        """
        self.device = str(device)
        self.weights = weights.completed()
        self.settings = weights.settings
        self._source = ""
        self.engine = choose_engine(engine, self.device)
        self._backend_for = load_engine(self.engine).prepare(self.weights, self.device)

    @classmethod
    def load(
        cls,
        weights: str | Path = CARTOON,
        device: str = "auto",
        engine: str = AUTO_ENGINE,
    ) -> Detector:
        """Load a detector from a weights file or by a built-in name.

        Args:
            weights: a ``.safetensors`` or ``.pt`` file, ``"cartoon"`` or ``"cartoon-large"``
                (shipped with facetl) or ``"pretrained"`` (on photographs).
            device: one of :data:`facetl.mtcnn.engines.DEVICES`; ``"auto"``: an NVIDIA GPU if
                there is one.
            engine: ``"native"`` (compiled kernels, for the processor), ``"half"`` (the same in
                half precision), ``"onnx"`` (onnxruntime, for the processor), ``"torch"`` (any
                device), or ``"auto"``: the first of native, onnx and torch that can be had.

        Raises:
            WeightsError: if the file is missing, damaged or does not fit.
            InputError: if device or engine cannot be had.
        """
        detector = cls(load_weights(weights), choose_device(device), engine)
        detector._source = str(weights)
        return detector

    def __repr__(self) -> str:
        weights = self._source or self.fingerprint
        return (
            f"<Detector: weights {weights!r}, engine {self.engine} on {self.device}, "
            f"{self.settings}>"
        )

    @property
    def parameters(self) -> int:
        """How many weights the three networks have together."""
        return self.weights.parameters

    @property
    def score(self) -> float:
        """The score in [0, 1] from which facetl's commands show what these weights find."""
        return self.settings.score

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any weight of the three networks."""
        return self.weights.fingerprint

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle contains; engines are prepared again from the weights."""
        return {name: value for name, value in self.__dict__.items() if name != "_backend_for"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.engine = choose_engine(self.engine, self.device)
        self._backend_for = load_engine(self.engine).prepare(self.weights, self.device)

    @overload
    def detect(  # type: ignore[overload-overlap]  # a str is an iterable of str
        self, images: OneImage, thresholds: Thresholds | None = None, **how: Unpack[_How]
    ) -> Detections: ...

    @overload
    def detect(
        self,
        images: NDArray[Any] | Tensor,
        thresholds: Thresholds | None = None,
        **how: Unpack[_How],
    ) -> Any: ...

    @overload
    def detect(
        self, images: Iterable[Picture], thresholds: Thresholds | None = None, **how: Unpack[_How]
    ) -> list[Detections]: ...

    def detect(
        self,
        images: Picture | Iterable[Picture],
        thresholds: Thresholds | None = None,
        *,
        min_face: float | None = None,
        factor: float | None = None,
        padding: bool | None = None,
        voting: bool | None = None,
        preset: str | None = None,
        min_score: float = 0.0,
        bgr: bool = False,
        batch_size: int = BATCH_SIZE,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> Detections | list[Detections]:
        """Find the faces in one image, or in several of any and mixed sizes.

        One image in, its :class:`Detections` out: ``boxes`` (N, 4) ``x1, y1, x2, y2`` in pixels,
        ``scores`` (N,) in [0, 1] and ``landmarks`` (N, 5, 2) in pixels, float32 arrays, best
        score first, N = 0 where there is no face.  Several in, a list of as many out, in order.

        Settings that are not given are the weights' own, else those of :class:`Settings`.

        Args:
            images: an image or any iterable of images, which may be mixed: paths; PIL images;
                arrays (H, W, 3) in RGB, (H, W) grey or (H, W, 4); tensors (3, H, W) or
                (H, W, 3) on any device.  Pixels are uint8, or floats in [0, 1] or [0, 255].
                An array (B, H, W, 3) or a tensor (B, 3, H, W) or (B, H, W, 3) counts as several.
                Results remember a path, but keep no image in memory.
            thresholds: least scores in [0, 1] to pass PNet, RNet and ONet.
            min_face: side in pixels of the smallest face looked for, 1 or more.
            factor: ratio of neighbouring pyramid levels, from 0.1 to 0.99.
            padding: whether windows may leave the image, and are black there.
            voting: whether all boxes around a face vote on where it is.
            preset: a name of :data:`facetl.search.settings.PRESETS`: ``"thorough"`` takes longer
                and finds more, ``"fast"`` and ``"fastest"`` the reverse; settings that are given
                come first.
            min_score: least score in [0, 1] of the faces that are returned.
            bgr: whether arrays and tensors are in OpenCV's order of colours, blue first, as
                ``cv2.imread`` gives them; paths and PIL images know theirs.
            batch_size: how many images go through the networks together.
            workers: batches searched side by side; all cores by default, 1 on a GPU.
            progress: is called with the number of images that are done and that of all, None
                if they come from an iterator; what it raises ends the search.

        Returns:
            :class:`Detections` for a single image, a list of them for several.

        Raises:
            ImageError: if an image cannot be read, is a folder, or has another shape.
            ValueError: if a setting is out of its range, or there is no such preset.
        """
        settings = self.settings.preset(preset).override(
            thresholds=thresholds,
            min_face=min_face,
            factor=factor,
            padding=padding,
            voting=voting,
        )
        workers = self._usual_workers() if workers is None else workers
        origins: list[Origin] = []
        pictures = _remember(each_of(images), origins, bgr)
        total = 1 if is_one(images) else len(images) if isinstance(images, Sized) else None
        detections: list[Detections] = []
        for each in self.search(pictures, settings, batch_size, workers):
            origin = origins[len(detections)].searched(each.size_hw, settings.score)
            detections.append(replace(each.detections, origin=origin).above(min_score))
            if progress:
                progress(len(detections), total)
        return detections[0] if is_one(images) else detections

    def video(
        self,
        path: str | Path,
        every: int | str = 1,
        thresholds: Thresholds | None = None,
        *,
        min_face: float | None = None,
        factor: float | None = None,
        padding: bool | None = None,
        voting: bool | None = None,
        preset: str | None = None,
        min_score: float = 0.0,
        batch_size: int = BATCH_SIZE,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> Iterator[FrameResult]:
        """Search a video; yield what is found in its frames, in order.

        Each result has the ``time`` of its frame, and in ``tracks`` the number of the face that
        each detection follows over frames.  The pixels of a frame are there until the next one
        is asked for: ``result.detections.plot()`` and ``crop()`` work inside the loop.

        Settings that are not given are the weights' own, else those of :class:`Settings`.

        Args:
            path: the video.
            every: one in so many frames counts, or one in a time, like ``"0.5s"``.
            thresholds: least scores in [0, 1] to pass PNet, RNet and ONet.
            min_face: side in pixels of the smallest face looked for, 1 or more.
            factor: ratio of neighbouring pyramid levels, from 0.1 to 0.99.
            padding: whether windows may leave the image, and are black there.
            voting: whether all boxes around a face vote on where it is.
            preset: a name of :data:`facetl.search.settings.PRESETS`: ``"thorough"`` takes longer
                and finds more, ``"fast"`` and ``"fastest"`` the reverse; settings that are given
                come first.
            min_score: least score in [0, 1] of the faces that are returned; tracks take all.
            batch_size: how many frames go through the networks together.
            workers: batches searched side by side; all cores by default, 1 on a GPU.
            progress: is called with the number of frames that are done and about that of all,
                None where the file does not tell; what it raises ends the search.

        Raises:
            VideoError: if the file is missing, damaged, no video, or holds no frame.
            ValueError: if a setting is out of its range, or there is no such preset.

        Warns:
            UserWarning: at the end, if some of the video could not be read.
        """
        settings = self.settings.preset(preset).override(
            thresholds=thresholds,
            min_face=min_face,
            factor=factor,
            padding=padding,
            voting=voting,
        )
        workers = self._usual_workers() if workers is None else workers
        search = VideoSearch(self, settings, min_score, batch_size, workers, progress)
        return search.run(Path(path), every)

    def _usual_workers(self) -> int:
        return usable_cores() if self.device == "cpu" else 1

    def search(
        self,
        images: Iterable[Picture],
        settings: Settings,
        batch_size: int = BATCH_SIZE,
        workers: int = 1,
    ) -> Iterator[Search]:
        """Yield what is found in each image, in order, with the counts of candidates.

        Takes two batches a worker ahead, no more, and fewer images in a batch where they are
        large, so that a long list never fills the memory.  A single worker is the calling thread
        itself, with as many threads of torch's own as it has.  Where there is one batch alone,
        all workers share its images, one after the other, if the engine is compiled.
        """
        if min(batch_size, workers) < 1:
            raise ValueError(f"expected at least 1, got batch_size {batch_size}, workers {workers}")
        if is_one(images):
            raise TypeError("expected a list of images, got a single one; put it in a list")
        room = ROOM / (most_waiting(workers) if workers > 1 else 1)
        batches = in_batches(images, batch_size, room, held_by)
        first = list(islice(batches, 2)) if workers > 1 else []
        if len(first) == 1:
            return iter(self._search_batch(first[0], settings, workers))
        search = partial(self._search_batch, settings=settings)
        batches = chain(first, batches)
        found = in_parallel(search, batches, workers) if workers > 1 else map(search, batches)
        return chain.from_iterable(found)

    def backend(self, pixels: NDArray[np.uint8], threads: int = 1) -> Backend:
        """Look at (B, H, W, 3) images, with so many threads at most."""
        return self._backend_for(pixels, threads)

    def windows_shown_to(
        self,
        stage: Stage,
        image: NDArray[np.uint8],
        settings: Settings,
        *,
        judged: bool = False,
    ) -> tuple[Boxes, NDArray[np.float32]]:
        """Return the windows of one image that a stage is shown, and their scores.

        PNet is shown every window; of these the ones that it passes itself are returned.

        Args:
            stage: which network.
            image: (H, W, 3) uint8, RGB; taken as it is, ``mirrored`` and
                ``rescored`` play no part.
            settings: how the stages before it search.
            judged: give the scores of the stage itself, not those of the stage before it.

        Returns:
            (N, 4) float64 half-open squares, not clipped, corners not rounded, best first; and
            their (N,) scores.
        """
        backend = self.backend(image[None])
        candidates = run_until(_SHOWN_TO[stage], backend, settings)
        if stage == "pnet":
            return pnet_windows(candidates.boxes).astype(np.float64), candidates.scores
        if judged:
            candidates = score_windows(backend, candidates, stage, settings)
            candidates = candidates[np.argsort(-candidates.scores, kind="stable")]
        return as_windows(candidates.boxes.astype(np.float64)), candidates.scores

    def find_with_last(
        self, last: Stage, image: NDArray[np.uint8], settings: Settings
    ) -> tuple[Boxes, NDArray[np.float32]]:
        """Return what the cascade finds in one image if it ends with a stage: that one's boxes.

        Args:
            last: the stage whose boxes and scores are taken for the cascade's.
            image: (H, W, 3) uint8, RGB; taken as it is, ``mirrored`` and
                ``rescored`` play no part.
            settings: how to search; the last threshold and ``voting`` apply to the last stage.

        Returns:
            (N, 4) float64 half-open boxes, best first; and their (N,) scores.
        """
        backend = self.backend(image[None])
        found = run_until(_LAST_NMS[last], backend, settings)
        if last != "onet":
            found = onet_nms(found.moved_to(_boxes_in(found, last)), settings)
        return found.boxes.astype(np.float64), found.scores

    def _search_batch(
        self, batch: Sequence[Picture], settings: Settings, threads: int = 1
    ) -> list[Search]:
        """Search images of any sizes, together where the sizes are the same."""
        images = [as_pixels(picture) for picture in batch]
        found: dict[int, Search] = {}
        views = VIEWS if settings.mirrored else 1
        for places in _group_by_size(images, PIXELS_AT_ONCE // views):
            pixels = np.stack([images[place] for place in places])
            searched = self._search_together(pixels, settings, threads)
            if settings.rescored:
                searched = [
                    replace(each, detections=rescore(image, each.detections, threads))
                    for image, each in zip(pixels, searched, strict=True)
                ]
            found.update(zip(places, searched, strict=True))
        return [found[place] for place in range(len(images))]

    def _search_together(
        self, pixels: NDArray[np.uint8], settings: Settings, threads: int
    ) -> list[Search]:
        """Search (B, H, W, 3) images of one size."""
        seen = with_mirrored(pixels) if settings.mirrored else pixels
        backend = self.backend(seen, threads)
        steps = dict(_before_onet(backend, settings))
        found = onet_boxes(backend, steps["onet_input"], settings)
        if settings.mirrored:
            found = fuse_views(turn_back(found, backend.size_hw[1]))
        found = onet_nms(found, settings)
        counts = {
            "pnet": _counts(steps["rnet_input"], backend, len(pixels)),
            "rnet": _counts(steps["onet_input"], backend, len(pixels)),
            "onet": found.counts(len(pixels)),
        }
        return [
            Search(
                _detections_of(found, image),
                {stage: count[image] for stage, count in counts.items()},
                backend.size_hw,
            )
            for image in range(len(pixels))
        ]


def _remember(pictures: Iterable[Picture], origins: list[Origin], bgr: bool) -> Iterator[Picture]:
    """Yield the pictures, in RGB, and note at the end of ``origins`` which each of them is."""
    for picture in pictures:
        origins.append(Origin.of(picture, bgr))
        yield as_rgb(picture, bgr) if bgr and is_array(picture) else picture


def run_cascade(backend: Backend, settings: Settings) -> Iterator[tuple[CascadeStep, Candidates]]:
    """Yield what is left after each step; what is not asked for is not computed.

    Images are taken as they are: ``mirrored`` and ``rescored`` play no part.
    """
    left = Candidates.empty()
    for step, left in _before_onet(backend, settings):
        yield step, left
    yield "onet_nms", onet_nms(onet_boxes(backend, left, settings), settings)


def _before_onet(backend: Backend, settings: Settings) -> Iterator[tuple[CascadeStep, Candidates]]:
    """Yield what is left after each step, up to what ONet is shown."""
    windows, level = _pnet_scan(backend, settings)
    yield "pnet_scan", windows
    windows = _pnet_nms(windows, level)
    yield "pnet_nms", windows
    squares = windows.moved_to(square(_boxes_in(windows, "pnet"))).valid()
    yield "rnet_input", squares
    scored = score_windows(backend, squares, "rnet", settings)
    scored = scored[rnet_nms(scored, settings)]
    yield "rnet_nms", scored
    yield "onet_input", rnet_squares(scored).valid()


def run_until(last: CascadeStep, backend: Backend, settings: Settings) -> Candidates:
    """Return what is left after a step, without the ones that follow."""
    return next(left for step, left in run_cascade(backend, settings) if step == last)


def _pnet_scan(backend: Backend, settings: Settings) -> tuple[Candidates, NDArray[np.int64]]:
    """Return every window that PNet passes, and (N,) the level of the pyramid where it lies."""
    scales = pyramid_scales(backend.size_hw, settings.min_face, settings.factor)
    if not scales:
        none = Candidates.empty()
        return none, none.image_index
    border = border_of(settings)
    cells = backend.scan_pyramid(scales, border, settings.thresholds[0])
    scale = np.array(scales, np.float32)[cells.level]
    candidates = Candidates(
        boxes=pnet_boxes(cells.places - border / PNET_STRIDE, scale[:, None]),
        scores=cells.scores,
        image_index=cells.image_index,
        offsets=cells.offsets,
        landmarks=cells.offsets[:, :0],
    )
    return candidates, cells.level


def _pnet_nms(candidates: Candidates, level: NDArray[np.int64]) -> Candidates:
    """Return what NMS leaves of PNet's windows, first within each level, then over all."""
    candidates = candidates[suppress(candidates, 0.5, among=level)]
    return candidates[suppress(candidates, 0.7)]


def border_of(settings: Settings) -> int:
    """Return how many pixels of black PNet sees around each level of the pyramid."""
    return PNET_BORDER if settings.padding else 0


def rnet_nms(scored: Candidates, settings: Settings) -> Indices:
    """Return the indices of what RNet's threshold and NMS leave, best score first.

    The NMS is more lenient where ONet's boxes vote: more of them make a better average.
    """
    rows = np.flatnonzero(scored.scores > settings.thresholds[1])
    return rows[suppress(scored[rows], _VOTERS_IOU if settings.voting else 0.7)]


def rnet_squares(scored: Candidates) -> Candidates:
    """Return the squares around where RNet sees the faces in the squares that it scored."""
    return scored.moved_to(square(_boxes_in(scored, "rnet")))


def _boxes_in(scored: Candidates, stage: Stage) -> Floats:
    """Return where a network sees the faces in the windows that it scored."""
    count = sides if stage == "pnet" else inclusive_sides
    return move(scored.boxes, scored.offsets, count(scored.boxes))


def onet_boxes(backend: Backend, candidates: Candidates, settings: Settings) -> Candidates:
    """Return ONet's box, score and landmarks, in pixels, for each candidate by itself."""
    scored = score_windows(backend, candidates, "onet", settings)
    boxes = scored.boxes
    return replace(
        scored,
        boxes=_boxes_in(scored, "onet"),
        landmarks=place_landmarks(scored.landmarks, boxes) if len(scored) else scored.landmarks,
    )


def onet_nms(scored: Candidates, settings: Settings) -> Candidates:
    """Return what the last NMS and ONet's threshold leave, best score first.

    The threshold only cuts the list short: boxes below it still vote.  A box with its corners
    the wrong way round is no box: it does not vote either.
    """
    scored = scored.valid()
    if settings.voting:
        keep = suppress_nested(scored, 0.5)  # stricter: what is suppressed has voted
        scored = scored[keep].moved_to(vote(scored, keep, _VOTING_IOU)).valid()
        return scored[scored.scores > settings.thresholds[2]]
    scored = scored[scored.scores > settings.thresholds[2]]
    return scored[suppress_nested(scored, 0.7)]


def score_windows(
    backend: Backend, candidates: Candidates, stage: Stage, settings: Settings
) -> Candidates:
    """Return the candidates that hold a pixel of their image, with a network's score of each.

    Args:
        backend: the images of the batch.
        candidates: squares to cut out.
        stage: RNet or ONet.
        settings: whether what lies outside the image is padded, and what RNet's scores count
            beside ONet's.
    """
    windows, visible = place_windows(
        as_windows(candidates.boxes), backend.size_hw, padding=settings.padding
    )
    windows, candidates = windows[visible], candidates[visible]
    if not len(candidates):
        return candidates
    scored = replace(
        candidates, **backend.classify(stage, windows, candidates.image_index)._asdict()
    )
    if stage == "rnet" or not settings.rnet_weight:
        return scored
    return replace(
        scored, scores=fuse_scores(candidates.scores, scored.scores, settings.rnet_weight)
    )


def _counts(candidates: Candidates, backend: Backend, images: int) -> list[int]:
    """Return how many candidates each image has, in all its views."""
    counts = candidates.counts(backend.count)
    views = backend.count // images
    return [sum(counts[first : first + views]) for first in range(0, backend.count, views)]


def _detections_of(candidates: Candidates, image: int) -> Detections:
    """Return what was found in one image of the batch, as arrays."""
    own = candidates[candidates.image_index == image]
    landmarks = own.landmarks.reshape(len(own), 2, 5).transpose(0, 2, 1)
    return Detections(own.boxes, own.scores, landmarks)


def _group_by_size(images: Sequence[NDArray[np.uint8]], room: int) -> Iterator[list[int]]:
    """Yield places of images of one size, with so many pixels at a time at most, or one image."""
    places_of: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        places_of.setdefault(image.shape, []).append(place)
    for (height, width, _), places in places_of.items():
        at_once = max(1, room // (height * width))
        yield from (places[i : i + at_once] for i in range(0, len(places), at_once))
