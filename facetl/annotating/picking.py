"""Which frames a person is asked about, and what is suggested in them."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facetl.annotating.records import FrameRecord
from facetl.annotating.session import Session
from facetl.data.active_learning import Candidate, Pool, pick_frames
from facetl.data.images import image_size, save_image
from facetl.data.media_types import image_paths
from facetl.data.project import Project
from facetl.data.shots import FrameSignature, is_cut
from facetl.data.video import Sampling
from facetl.errors import InputError
from facetl.files import atomic_path
from facetl.mtcnn.detector import Detector
from facetl.reporting import Reporter
from facetl.search.candidates import image_candidates, known_signatures, video_candidates
from facetl.search.inputs import find_inputs, open_videos
from facetl.search.pipeline import NamedImage, SearchRun
from facetl.search.video import NamedVideo, frame_name

SUGGESTED = 0.3
"""Score from which a box is suggested: one that is right is sooner confirmed than drawn."""


@dataclass(frozen=True)
class Picking:
    """How frames are picked: how many at once, which ones of videos are looked at, by how many.

    Attributes:
        count: how many are picked at once; fewer if there are not enough.
        every: which frames of videos are looked at.
        workers: parallel ones.
    """

    count: int
    every: Sampling
    workers: int = 1


@dataclass(frozen=True)
class Material:
    """What frames are picked from.

    Attributes:
        videos: that can be read.
        images: the files.
        folder: the name of the group of the images.
        every: which frames of videos are looked at.
    """

    videos: Sequence[NamedVideo]
    images: Sequence[NamedImage]
    folder: str
    every: Sampling


def pick(
    material: Material,
    run: SearchRun,
    count: int,
    known: Sequence[FrameSignature],
    workers: int,
    reporter: Reporter,
) -> list[tuple[Candidate, int]]:
    """Return the frames most worth annotating, and the number of the shot of each.

    One of each shot comes first, the one that the detector is least sure about; where there are
    more shots than frames are wanted, those unlike each other and those in doubt.

    Args:
        material: what they are picked from.
        run: the detector.
        count: how many are wanted; fewer come if there are not enough.
        known: what frames look like that were picked before.
        workers: parallel ones.
        reporter: shows how far the search is.
    """
    pool, shots = Pool(), _Shots()
    for candidate in _candidates(material, run, workers, reporter):
        shots.look_at(candidate)
        pool.offer(candidate)
    best: dict[int, Candidate] = {}
    for each in pool.candidates:
        shot = shots.of(each)
        if shot not in best or each.doubt > best[shot].doubt:
            best[shot] = each
    picks = pick_frames(list(best.values()), count, known=known)
    signatures = [*known, *(pick.candidate.signature for pick in picks)]
    picks += pick_frames(pool.candidates, count - len(picks), known=signatures)
    return [(pick.candidate, shots.of(pick.candidate)) for pick in picks]


def pick_more(
    project: Project, session: Session, detector: Detector, picking: Picking, reporter: Reporter
) -> int:
    """Add frames to a project that are unlike all that it has; return how many.

    If that is interrupted, no picture is left that no frame is about.

    Raises:
        InputError: if what the frames are from is gone, or cannot be read.
        OutputError: if the project cannot be written.
    """
    sources = [source for source in project.sources if source.exists()]
    if not sources:
        raise InputError(f"{project.path}: found no source to pick more frames from; put it back")
    found = find_inputs(sources)
    videos, _ = open_videos(found.videos, reporter, beside_images=bool(found.images))
    material = Material(videos, found.images, sources[0].name, picking.every)
    paths = [path for place in (project.frames, project.waiting) for path in image_paths(place)]
    known = known_signatures(paths, reporter)
    run = SearchRun("", detector, detector.settings)
    picks = pick(material, run, picking.count, known, picking.workers, reporter)
    try:
        save_pictures(project.waiting, material, [each for each, _ in picks], reporter)
    except BaseException:
        for each, _ in picks:
            (project.waiting / _name(each, material)).unlink(missing_ok=True)
        raise
    session.add(_records(picks, session, project.waiting, material, run.settings.score))
    if passed_over := found.describe_passed_over():
        reporter.note(passed_over)
    return len(picks)


def _records(
    picks: Iterable[tuple[Candidate, int]],
    session: Session,
    place: Path,
    material: Material,
    sure: float,
) -> list[FrameRecord]:
    """Return picked frames with suggestions; the first one of a shot says so."""
    shots = {record.shot for record in session.frames}
    records = []
    for candidate, shot in picks:
        is_first = shot not in shots
        shots.add(shot)
        records.append(record_of(candidate, shot, place, material, sure, is_first=is_first))
    return records


class _Shots:
    """Numbers the shots of candidates that come in order."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}
        self._before: Candidate | None = None
        self._number = 0

    def look_at(self, candidate: Candidate) -> None:
        """Take in the next frame."""
        before = self._before
        is_next = before is not None and before.video == candidate.video
        if not (before and is_next) or is_cut(before.signature, candidate.signature):
            self._number += 1
        self._before = candidate
        self._numbers[candidate.video, candidate.stamp.index] = self._number

    def of(self, candidate: Candidate) -> int:
        """Return the number of a frame's shot."""
        return self._numbers[candidate.video, candidate.stamp.index]


def _candidates(
    material: Material, run: SearchRun, workers: int, reporter: Reporter
) -> Iterator[Candidate]:
    yield from video_candidates(material.videos, material.every, run, workers, reporter)
    yield from image_candidates(material.images, run, workers, reporter)


def save_pictures(
    place: Path, material: Material, picks: Iterable[Candidate], reporter: Reporter
) -> None:
    """Write the pictures of frames; those that are files are copied as they are.

    Raises:
        OutputError: if the place cannot be written.
    """
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    for each in picks:
        wanted[each.video].add(each.stamp.index)
    for video in material.videos:
        indices = wanted[video.name]
        for frame in video.frames(material.every, "writing", reporter) if indices else ():
            if frame.index in indices:
                save_image(place / frame_name(video.name, frame.index), frame.pixels)
    for image in material.images:
        if image.name in wanted:
            with atomic_path(place / material.folder / image.name) as temporary:
                shutil.copyfile(image.path, temporary)


def record_of(
    candidate: Candidate, shot: int, place: Path, material: Material, sure: float, *, is_first: bool
) -> FrameRecord:
    """Return a picked frame with suggestions, of which some are sure; its picture is in place."""
    name = _name(candidate, material)
    record = FrameRecord(
        name,
        image_size(place / name),
        is_first=is_first,
        time=candidate.stamp.time if _is_frame(candidate, material) else None,
        shot=shot,
    )
    return _suggesting(record, candidate, sure)


def _is_frame(candidate: Candidate, material: Material) -> bool:
    """Return whether it is a frame of a video, not an image."""
    return any(video.name == candidate.video for video in material.videos)


def _name(candidate: Candidate, material: Material) -> str:
    """Return the name of a frame's record and picture."""
    if _is_frame(candidate, material):
        return frame_name(candidate.video, candidate.stamp.index)
    return f"{material.folder}/{candidate.video}"


def suggest(
    records: Mapping[int, tuple[FrameRecord, Path]],
    run: SearchRun,
    workers: int,
    reporter: Reporter,
) -> dict[int, FrameRecord]:
    """Return frames with what a detector suggests in them, by their numbers.

    Args:
        records: the frames, and their pictures; those that cannot be read are told and left out.
        run: the detector.
        workers: parallel ones.
        reporter: shows how far the search is.
    """
    images = [NamedImage(str(number), path) for number, (_, path) in records.items()]
    found = {int(each.video): each for each in image_candidates(images, run, workers, reporter)}
    return {
        number: _suggesting(record, found[number], run.settings.score)
        for number, (record, _) in records.items()
        if number in found
    }


def _suggesting(record: FrameRecord, candidate: Candidate, sure: float) -> FrameRecord:
    shown = candidate.scores >= SUGGESTED
    boxes, scores = candidate.boxes[shown], np.asarray(candidate.scores, float)[shown]
    return replace(record.suggesting(boxes, scores.tolist(), sure), doubt=candidate.doubt)
