"""Frames that could be annotated: of videos or images, with what a detector finds in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from facetl.boxes import clip
from facetl.data.active_learning import Candidate, measure_sharpness
from facetl.data.held_frames import Timestamp
from facetl.data.images import Pixels, load_image
from facetl.data.shots import FrameSignature, frame_signature
from facetl.data.video import Sampling
from facetl.errors import ImageError
from facetl.reporting import Reporter
from facetl.results.detections import FrameResult
from facetl.search.pipeline import NamedImage, SearchRun, search_all
from facetl.search.video import NamedVideo, search_video


def video_candidates(
    videos: Sequence[NamedVideo],
    every: Sampling,
    run: SearchRun,
    workers: int,
    reporter: Reporter,
) -> Iterator[Candidate]:
    """Yield the frames of all videos, in order, with what the detector finds in them."""
    for video in videos:
        frames = video.frames(every, "searching", reporter)
        for found in search_video(video.name, frames, [run], workers=workers):
            (result,) = found.results.values()
            yield _candidate(video.name, found.picture.stamp, found.picture.load(), result)
        video.note_faults(reporter)


def image_candidates(
    images: Sequence[NamedImage], run: SearchRun, workers: int, reporter: Reporter
) -> Iterator[Candidate]:
    """Yield the images that can be read, in order; their stamps count them, at no time.

    The name of a candidate's video is that of the image.
    """
    found_in = search_all([run], reporter.track(images, "searching", len(images)), workers=workers)
    for number, found in enumerate(found_in):
        if found.skipped:
            reporter.note(f"skipped {found.skipped.reason}")
            continue
        (result,) = found.results.values()
        pixels = found.picture.load()
        yield _candidate(found.picture.name, Timestamp(number, 0.0), pixels, result)


def known_signatures(paths: Sequence[Path], reporter: Reporter) -> list[FrameSignature]:
    """Return what images look like from afar; those that cannot be read are told."""
    signatures = []
    for path in reporter.track(paths, "reading known frames", len(paths)):
        try:
            signatures.append(frame_signature(load_image(path)))
        except ImageError as error:
            reporter.note(f"skipped {error}")
    return signatures


def _candidate(video: str, stamp: Timestamp, pixels: Pixels, result: FrameResult) -> Candidate:
    boxes = clip(result.detections.boxes.astype(float), result.size_hw).round()
    has_area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return Candidate(
        video=video,
        stamp=stamp,
        signature=frame_signature(pixels),
        sharpness=measure_sharpness(pixels),
        boxes=boxes[has_area],
        scores=result.detections.scores[has_area],
    )
