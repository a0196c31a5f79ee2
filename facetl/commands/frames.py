"""Frames of videos that are worth annotating, with boxes to start from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facetl.boxes import Boxes
from facetl.commands.requests import FramesRequest as FramesRequest
from facetl.data.active_learning import (
    Candidate,
    Pick,
    Pool,
    Reason,
    pick_frames,
)
from facetl.data.formats.course import save_annotations
from facetl.data.images import save_image
from facetl.data.media_types import image_paths
from facetl.data.video import Sampling
from facetl.errors import InputError, OutputError, UsageError
from facetl.files import folder_in_place, is_occupied, require_writable, write_text
from facetl.mtcnn.detector import Detector
from facetl.reporting import SILENT, Reporter
from facetl.search.candidates import known_signatures, video_candidates
from facetl.search.inputs import Inputs, find_inputs, open_videos
from facetl.search.pipeline import SearchRun
from facetl.search.video import NamedVideo, frame_name

LISTING = "frames.csv"


@dataclass(frozen=True)
class FramesResult:
    """What was picked.

    Attributes:
        picks: the frames, best first.
        seen: how many frames were looked at.
        boxes: how many were written.
    """

    picks: Sequence[Pick]
    seen: int
    boxes: int

    @property
    def doubtful(self) -> int:
        """How many frames were picked mainly because the detector is unsure of them."""
        return sum(pick.reason is Reason.DOUBT for pick in self.picks)


def frames(request: FramesRequest, reporter: Reporter = SILENT) -> FramesResult:
    """Pick the frames of videos that are most worth annotating, and write them with boxes.

    Raises:
        InputError: if there is no video that can be read, or no frame worth annotating.
        OutputError: if the folder holds something, or cannot be written.
        UsageError: if images are named.
    """
    out = request.out
    found = _find_videos(request.videos)
    _refuse_occupied(out)
    require_writable(out)
    videos, _ = open_videos(found.videos, reporter)
    _refuse_long_names(videos)
    known = known_signatures(
        [path for folder in request.unlike for path in image_paths(folder)], reporter
    )
    detector = Detector.load(request.weights, request.device, request.engine)
    settings = detector.settings.override(score=request.score)
    pool = Pool()
    run = SearchRun("", detector, settings)
    for candidate in video_candidates(videos, request.every, run, request.workers, reporter):
        pool.offer(candidate)
    picks = pick_frames(pool.candidates, request.count, known=known, variety=request.variety)
    if not picks:
        raise InputError(
            f"found no frame to pick among {pool.seen}, all blank, blurred or like those of "
            "--unlike; look at more with a smaller --every"
        )
    with folder_in_place(out) as place:
        _save_pictures(place, videos, request.every, picks, reporter)
        _save_boxes(place, videos, picks, settings.score)
        write_text(place / LISTING, _as_csv(picks, settings.score))
    if passed_over := found.describe_passed_over(image=len(found.images)):
        reporter.note(passed_over)
    boxes = sum(len(_sure_boxes(pick.candidate, settings.score)) for pick in picks)
    return FramesResult(picks, pool.seen, boxes)


def _find_videos(paths: Sequence[Path]) -> Inputs:
    """Return the videos that the paths mean, and what else is there."""
    found = find_inputs(paths, "videos")
    if not found.videos:
        raise UsageError(f"{paths[0]} is no video and holds none; give videos")
    if named := [image.path for image in found.images if image.path in paths]:
        raise UsageError(f"found {named[0]} among videos; search videos apart from images")
    return found


def _refuse_occupied(out: Path) -> None:
    """Refuse a folder that holds something: frames that somebody may have annotated."""
    if is_occupied(out):
        raise OutputError(
            f"{out} exists already; choose another --out, and --unlike {out} to pick what it lacks"
        )


def _refuse_long_names(videos: Sequence[NamedVideo]) -> None:
    """Refuse, before the work, videos whose names are too long for an annotation file's."""
    for video in videos:
        path = video.reader.path
        try:
            _annotations_path(path.parent, video).lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(
                f"{path}: the name of its annotations would be too long ({error.strerror}); "
                "shorten that of the video"
            ) from error


def _annotations_path(folder: Path, video: NamedVideo) -> Path:
    return folder / f"{video.name}_annotations.txt"


def _save_pictures(
    place: Path,
    videos: Sequence[NamedVideo],
    every: Sampling,
    picks: Sequence[Pick],
    reporter: Reporter,
) -> None:
    """Read the videos once more and write the frames that were picked."""
    for video in videos:
        wanted = {each.stamp.index for each in _picked(picks, video)}
        for frame in video.frames(every, "writing", reporter) if wanted else ():
            if frame.index in wanted:
                save_image(place / frame_name(video.name, frame.index), frame.pixels)


def _save_boxes(
    place: Path, videos: Sequence[NamedVideo], picks: Sequence[Pick], score: float
) -> None:
    """Write the boxes that the detector is sure of, in the order of the frames."""
    for video in videos:
        if picked := sorted(_picked(picks, video), key=lambda each: each.stamp.index):
            faces = {Path(_name(each)).name: _sure_boxes(each, score) for each in picked}
            save_annotations(
                _annotations_path(place, video),
                {name: (boxes, [None] * len(boxes)) for name, boxes in faces.items()},
            )


def _as_csv(picks: Sequence[Pick], score: float) -> str:
    """Return the picked frames as CSV, the best first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["image", "seconds", "faces", "doubt", "doubt_share", "novelty", "sharpness", "reason"]
    )
    for pick in picks:
        frame = pick.candidate
        writer.writerow(
            [
                _name(frame),
                f"{frame.stamp.time:.3f}",
                len(_sure_boxes(frame, score)),
                f"{frame.doubt:.3f}",
                f"{pick.doubt_share:.3f}",
                f"{pick.novelty:.3f}",
                f"{frame.sharpness:.2f}",
                pick.reason.value,
            ]
        )
    return text.getvalue()


def _picked(picks: Sequence[Pick], video: NamedVideo) -> list[Candidate]:
    return [pick.candidate for pick in picks if pick.candidate.video == video.name]


def _name(candidate: Candidate) -> str:
    return frame_name(candidate.video, candidate.stamp.index)


def _sure_boxes(candidate: Candidate, score: float) -> Boxes:
    return candidate.boxes[candidate.scores >= score]
