"""``facetl frames``: frames of videos that are worth annotating, with boxes to start from."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli import options
from facetl.cli.console import note, suggest, track
from facetl.cli.searching import NamedWeights, Searching, find_inputs, load_detectors
from facetl.cli.videos import NamedVideo, open_videos
from facetl.errors import ImageError, InputError, OutputError
from facetl.files import folder_in_place, is_occupied, require_writable, write_text

if TYPE_CHECKING:
    from facetl.boxes import Boxes
    from facetl.data.active_learning import Candidate, Pick, Pool
    from facetl.data.shots import Look
    from facetl.data.video import Every
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.engines import EngineChoice
    from facetl.search.pipeline import Searched
    from facetl.search.settings import Settings
    from facetl.search.video import FilmPicture

LISTING = "frames.csv"


@click.command(short_help="Pick frames of videos that are worth annotating.")
@click.argument(
    "videos",
    nargs=-1,
    required=True,
    type=options.READ,
    callback=options.expecting("videos"),
)
@click.option(
    "--out",
    required=True,
    type=options.WRITE,
    metavar="FOLDER",
    help="Where the frames go: new or empty.",
)
@click.option("--count", type=click.IntRange(min=1), default=100, help="How many to pick.")
@click.option(
    "--every",
    type=options.Frequency(),
    default="0.5s",
    help="Look at one frame in so many, like 10, or one in a time, like 0.5s.",
)
@click.option(
    "--weights",
    default="cartoon",
    type=options.READ_NAME,
    metavar="FILE",
    help="The detector whose doubts count: a weights file, 'cartoon' or 'pretrained'.",
)
@click.option(
    "--unlike",
    multiple=True,
    type=options.READ,
    metavar="FOLDER",
    help="Frames that are annotated already: pick none like them; repeatable.",
)
@click.option(
    "--variety",
    type=options.SHARE,
    default=0.5,
    help="Weight of being unlike the other frames; that of the detector's doubt is the rest.",
)
@options.score
@options.workers
@options.device
@options.engine
def frames(
    videos: tuple[Path, ...],
    out: Path,
    count: int,
    every: Every,
    weights: str,
    unlike: tuple[Path, ...],
    variety: float,
    score: float | None,
    workers: int,
    device: str,
    engine: EngineChoice,
) -> None:
    """Pick the frames of VIDEOS that are most worth annotating.

    Frames that the detector is unsure of come first (active learning), and frames unlike all
    others; blurred and blank ones, near-duplicates of each other and of --unlike never.

    Writes a folder for each video, beside it VIDEO_annotations.txt with the boxes that the
    detector is sure of (--score), for you to mend, and frames.csv: the frames in the order of
    their worth, and why.  A video of any length takes the same memory.

    \b
    Example:
      facetl frames episode.mp4 --count 100 --out frames
      facetl train frames --out cascade.safetensors  # once the boxes are mended
      facetl frames next.mp4 --unlike frames --weights cascade.safetensors --out more
    """
    from facetl.data.active_learning import pick_frames

    found = find_inputs(videos, prefer_videos=True)
    if not found.are_videos:
        raise click.UsageError(f"{videos[0]} is no video and holds none; give videos")
    _refuse_occupied(out)
    require_writable(out)
    ready, _ = open_videos(found.named)
    _refuse_long_names(ready)
    known = _load_known(unlike)
    how = Searching(device, engine, 4, workers)
    detectors, settings = load_detectors([NamedWeights("", weights)], {"score": score}, how)
    score = settings[""].score
    pool = _look_through(ready, every, detectors, settings, how)
    picks = pick_frames(pool.candidates, count, known=known, variety=variety)
    if not picks:
        raise InputError(
            f"found no frame to pick among {pool.seen}, all blank, blurred or like those of "
            "--unlike; look at more with a smaller --every"
        )
    with folder_in_place(out) as place:
        _save_pictures(place, ready, every, picks)
        _save_boxes(place, ready, picks, score)
        write_text(place / LISTING, _list_picks(picks, score))
    found.note_passed_over()
    _report(out, pool, picks, count, score)


def _refuse_long_names(videos: Sequence[NamedVideo]) -> None:
    """Refuse, before the work, videos after which no annotation file can be called."""
    for video in videos:
        path = video.footage.path
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


def _refuse_occupied(out: Path) -> None:
    """Refuse a folder that holds something: frames that somebody may have annotated."""
    if is_occupied(out):
        raise OutputError(
            f"{out} exists already; choose another --out, and --unlike {out} to pick what it lacks"
        )


def _load_known(folders: Sequence[Path]) -> list[Look]:
    """Return what all images in the folders look like from afar."""
    from facetl.data.images import image_paths, load_image
    from facetl.data.shots import look_at

    paths = [path for folder in folders for path in image_paths(folder)]
    looks = []
    for path in track(paths, "reading known frames", len(paths)):
        try:
            looks.append(look_at(load_image(path)))
        except ImageError as error:
            note(f"skipped {error}")
    return looks


def _look_through(
    videos: Sequence[NamedVideo],
    every: Every,
    detectors: Mapping[str, Detector],
    settings: Mapping[str, Settings],
    how: Searching,
) -> Pool:
    """Return candidates of all videos, unlike each other."""
    from facetl.data.active_learning import Pool

    pool = Pool()
    for video in videos:
        for found in video.search(every, detectors, settings, how):
            pool.offer(_judge(found))
        video.tell_faults()
    return pool


def _judge(found: Searched[FilmPicture]) -> Candidate:
    """Return a searched frame as a candidate."""
    from facetl.boxes import clip
    from facetl.data.active_learning import Candidate, measure_sharpness
    from facetl.data.shots import look_at

    pixels, (result,) = found.picture.load(), found.results.values()
    boxes = clip(result.detections.boxes.astype(float), result.size_hw).round()
    held = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return Candidate(
        video=found.picture.video,
        stamp=found.picture.moment.stamps[0],
        look=look_at(pixels),
        sharpness=measure_sharpness(pixels),
        boxes=boxes[held],
        scores=result.detections.scores[held],
    )


def _save_pictures(
    place: Path, videos: Sequence[NamedVideo], every: Every, picks: Sequence[Pick]
) -> None:
    """Read the videos once more and write the frames that were picked."""
    from facetl.data.images import save_image
    from facetl.search.video import frame_name

    for video in videos:
        wanted = {each.candidate.stamp.index for each in _of_video(picks, video.name)}
        for frame in video.frames(every, "writing") if wanted else ():
            if frame.index in wanted:
                save_image(place / frame_name(video.name, frame.index), frame.pixels)


def _save_boxes(
    place: Path, videos: Sequence[NamedVideo], picks: Sequence[Pick], score: float
) -> None:
    """Write the boxes that the detector is sure of, in the order of the frames."""
    from facetl.data.formats.course import save_annotations

    for video in videos:
        own = [each.candidate for each in _of_video(picks, video.name)]
        if own:
            own.sort(key=lambda candidate: candidate.stamp.index)
            faces = {Path(_name(each)).name: _sure_boxes(each, score) for each in own}
            save_annotations(
                _annotations_path(place, video),
                {name: (boxes, [None] * len(boxes)) for name, boxes in faces.items()},
            )


def _list_picks(picks: Sequence[Pick], score: float) -> str:
    """Return the picked frames as CSV, the best first."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ["image", "seconds", "faces", "doubt", "doubt_share", "novelty", "sharpness", "reason"]
    )
    for pick in picks:
        seen = pick.candidate
        rows.writerow(
            [
                _name(seen),
                f"{seen.stamp.time:.3f}",
                len(_sure_boxes(seen, score)),
                f"{seen.doubt:.3f}",
                f"{pick.doubt_share:.3f}",
                f"{pick.novelty:.3f}",
                f"{seen.sharpness:.2f}",
                pick.reason.value,
            ]
        )
    return text.getvalue()


def _of_video(picks: Sequence[Pick], name: str) -> list[Pick]:
    return [pick for pick in picks if pick.candidate.video == name]


def _name(candidate: Candidate) -> str:
    from facetl.search.video import frame_name

    return frame_name(candidate.video, candidate.stamp.index)


def _sure_boxes(candidate: Candidate, score: float) -> Boxes:
    return candidate.boxes[candidate.scores >= score]


def _report(out: Path, pool: Pool, picks: Sequence[Pick], count: int, score: float) -> None:
    from facetl.data.active_learning import Reason

    doubtful = sum(pick.reason is Reason.DOUBT for pick in picks)
    boxes = sum(len(_sure_boxes(pick.candidate, score)) for pick in picks)
    click.echo(
        f"picked {len(picks)} of {pool.seen} frames, {doubtful} as the detector is unsure of them "
        f"and {len(picks) - doubtful} as they are unlike the others; {boxes} boxes to start from"
    )
    if len(picks) < count:
        note("the other frames are blank, blurred, or like one that was picked or known")
    click.echo(f"wrote {out}")
    why = "once you have mended the boxes"
    suggest("train", out, "--out", "cascade.safetensors", why=why)
