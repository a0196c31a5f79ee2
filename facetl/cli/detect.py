"""``facetl detect``: one or several sets of weights over the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facetl.cli import options
from facetl.cli.console import note, suggest, track, typed_command
from facetl.cli.crops import CROPS, crop_options, save_crops, settle_cropping
from facetl.cli.exports import exports_option, save_exports
from facetl.cli.truth import load_truth
from facetl.cli.videos import Viewing, is_video, search_videos
from facetl.errors import ImageError, InputError
from facetl.files import refuse_to_overwrite, require_writable

if TYPE_CHECKING:
    from facetl.boxes import Boxes
    from facetl.data.annotations import OnError
    from facetl.data.video import Every
    from facetl.mtcnn.detections import Run
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.engines import EngineChoice
    from facetl.mtcnn.runs import NamedImage
    from facetl.mtcnn.settings import Settings

OVERLAYS = "overlays"


class NamedWeights(NamedTuple):
    """A set of weights and the name of its run."""

    name: str
    source: str


class Searching(NamedTuple):
    """Where and how a search is done; only the engine ``half`` changes what is found."""

    device: str
    engine: EngineChoice
    batch_size: int
    workers: int


def parse_weights(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[NamedWeights, ...]:
    """Split each ``NAME=FILE``; without a name a run is called after its file."""
    parsed = []
    for value in values:
        name, equals, source = value.partition("=")
        named = NamedWeights(name, source) if equals else NamedWeights(Path(value).stem, value)
        if not all(named) or Path(named.name).name != named.name:
            raise click.BadParameter(f"found {value!r}, expected NAME=FILE", ctx, param)
        parsed.append(named)
    names = [each.name for each in parsed]
    if len(set(names)) < len(names):
        raise click.BadParameter(f"found a name twice in {names}; write NAME=FILE", ctx, param)
    return tuple(parsed)


@click.command(short_help="Find faces with one or several sets of weights.")
@click.argument("images", nargs=-1, required=True, type=options.FILE_OR_FOLDER)
@click.option(
    "--weights",
    multiple=True,
    default=("cartoon",),
    callback=parse_weights,
    metavar="[NAME=]FILE",
    help="A weights file, 'cartoon' (shipped with facetl) or 'pretrained' (on photographs); "
    "repeat it to compare.",
)
@click.option(
    "--out",
    required=True,
    type=options.FILE_OR_FOLDER,
    metavar="FOLDER",
    help="Where the detections go, one NAME.detections.json per set of weights.",
)
@options.thresholds
@options.min_face
@options.factor
@click.option(
    "--padding/--no-padding",
    default=None,
    show_default="that of the weights",
    help="Let windows leave the image: black beyond its edge, not a stretched remainder.",
)
@click.option(
    "--voting/--no-voting",
    default=None,
    show_default="that of the weights",
    help="Let all boxes around a face vote on where it is.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=4, help="Images searched together."
)
@options.workers
@click.option("--overlays", is_flag=True, help="Draw the boxes, one picture per image.")
@click.option(
    "--truth",
    type=options.FILE_OR_FOLDER,
    metavar="FILE_OR_FOLDER",
    help="True faces to draw on the overlays as well.",
)
@crop_options
@click.option(
    "--every",
    type=options.Frequency(),
    show_default="every frame",
    help="Of a video: search one frame in so many, like 10, or one in a time, like 0.5s.",
)
@click.option(
    "--video", is_flag=True, help="Write videos anew with boxes, scores and tracks drawn on them."
)
@click.option(
    "--skip-still",
    is_flag=True,
    help="Of a video: don't search frames that show the same as the one before; carry its boxes "
    "over.",
)
@click.option("--strict", is_flag=True, help="Exit with code 1 if anything cannot be read.")
@options.annotation_format
@exports_option
@options.device
@options.engine
@options.on_error
@options.force
def detect(
    images: tuple[Path, ...],
    weights: tuple[NamedWeights, ...],
    out: Path,
    thresholds: tuple[float, float, float] | None,
    min_face: float | None,
    factor: float | None,
    padding: bool | None,
    voting: bool | None,
    batch_size: int,
    workers: int,
    overlays: bool,
    truth: Path | None,
    crops: bool,
    margin: float,
    align: bool,
    every: Every | None,
    video: bool,
    skip_still: bool,
    strict: bool,
    form: str,
    exports: tuple[str, ...],
    device: str,
    engine: EngineChoice,
    on_error: OnError,
    force: bool,
) -> None:
    """Find the faces in IMAGES: files, folders that are searched to the bottom, or videos.

    Writes a detections file per set of weights: boxes, scores and five landmarks for each
    image, how many candidates each stage left, and the seconds it took.  Settings that are not
    given are those that facetl train or tune wrote into the weights.

    Of a video's frames the file has the time as well, and for each box the number of the face
    that it follows; a cut ends all tracks.  A video of any length takes the same memory.

    \b
    Examples:
      facetl detect frames --out results --overlays
      facetl detect frames --out results --crops --margin 0.3 --align
      facetl detect frames --weights pretrained --weights tuned=cascade.safetensors --out results
      facetl detect episode.mp4 --every 0.5s --video --out results
    """
    cropping = settle_cropping(crops, margin, align)
    filmed = _are_videos(
        images,
        for_videos=bool(every or video or skip_still),
        for_images=bool(overlays or truth or crops),
    )
    refuse_to_overwrite(out, force=force)
    require_writable(out)
    named = find_images(images)
    faces = _faces_by_name(truth, named, on_error, form) if truth else {}
    given = {
        "thresholds": thresholds,
        "min_face": min_face,
        "factor": factor,
        "padding": padding,
        "voting": voting,
    }
    how = Searching(device, engine, batch_size, workers)
    if filmed:
        viewing = (every, skip_still, video)
        _detect_in_videos(named, weights, given, how, viewing, out, exports, strict)
        return
    runs = search_side_by_side(named, weights, given, how)
    save_runs(out, runs)
    save_exports(out, runs, exports)
    if overlays or truth:
        save_overlays(out / OVERLAYS, named, runs, faces)
    if cropping:
        save_crops(out / CROPS, named, runs, cropping)
    folders = (out, *[out / OVERLAYS] * bool(overlays or truth), *[out / CROPS] * crops)
    _report(folders, runs)
    if strict and runs[0].skipped:
        raise SystemExit(1)


def find_images(paths: Sequence[Path]) -> list[NamedImage]:
    """Return the images that the paths mean, each with a name of its own.

    An image of a folder is called by its path below the folder; a single file by its name.
    Where that gives a name twice, the folders' names go before it.

    Raises:
        InputError: if there is no image, or one is meant twice.
    """
    from facetl.data.images import image_paths, name_below
    from facetl.mtcnn.runs import NamedImage

    found = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
        inside = image_paths(path) if path.is_dir() else [path]
        root = path if path.is_dir() else path.parent
        found += [(root, image) for image in inside]
    if not found:
        raise InputError(f"{paths[0]}: found no image in it; give a folder of frames")
    short = [NamedImage(name_below(root, image), image) for root, image in found]
    long = [
        NamedImage(
            name_below(root.resolve().parent, root.resolve() / image.relative_to(root)), image
        )
        for root, image in found
    ]
    return _first_without_twins(short, long)


def _first_without_twins(*choices: list[NamedImage]) -> list[NamedImage]:
    for named in choices:
        if len({image.name for image in named}) == len(named):
            return named
    names = [image.name for image in choices[-1]]
    twin = next(name for name in names if names.count(name) > 1)
    raise InputError(f"{twin}: found two images of this name; search their folders one by one")


def search_side_by_side(
    images: Sequence[NamedImage],
    weights: Sequence[NamedWeights],
    given: Mapping[str, Any],
    how: Searching,
) -> list[Run]:
    """Run every set of weights over the images; say on stderr what could not be read.

    Args:
        images: what to search.
        weights: the sets of weights.
        given: settings by name, None where each set of weights uses its own.
        how: where and how the work is done.

    Raises:
        ImageError: if none could be read.
    """
    from facetl.mtcnn.runs import SideBySide

    detectors, settings = load_detectors(weights, given, how)
    work = SideBySide(detectors, settings)
    for _ in track(work.search(images, how.batch_size, how.workers), "searching", len(images)):
        pass
    for skipped in work.skipped:
        note(f"skipped {skipped.reason}")
    if len(work.skipped) == len(images):
        raise ImageError(f"none of the {len(images)} images could be read; give others")
    return work.runs(_facts(weights, detectors, how))


def load_detectors(
    weights: Sequence[NamedWeights], given: Mapping[str, Any], how: Searching
) -> tuple[dict[str, Detector], dict[str, Settings]]:
    """Return a detector for each set of weights, and how it searches, by name."""
    from facetl.mtcnn.detector import Detector

    detectors = {each.name: Detector.load(each.source, how.device, how.engine) for each in weights}
    settings = {name: each.settings.override(**given) for name, each in detectors.items()}
    return detectors, settings


def _facts(
    weights: Sequence[NamedWeights], detectors: Mapping[str, Detector], how: Searching
) -> dict[str, dict[str, Any]]:
    """Return what a detections file says beside the detector's settings, by name of the run."""
    return {
        each.name: {
            "weights": each.source,
            "weights_fingerprint": detectors[each.name].fingerprint,
            "parameters": detectors[each.name].parameters,
            "command": typed_command(),
            "engine": detectors[each.name].engine,
            "batch_size": how.batch_size,
            "workers": how.workers,
        }
        for each in weights
    }


def _are_videos(paths: Sequence[Path], *, for_videos: bool, for_images: bool) -> bool:
    """Return whether all that is to be searched are videos; refuse what does not go together."""
    videos = [path for path in paths if is_video(path)]
    if videos and len(videos) < len(paths):
        raise click.UsageError(f"found {videos[0]} among images; search videos apart from images")
    if videos and for_images:
        raise click.UsageError(
            "--overlays, --truth and --crops are for images; videos have --video"
        )
    if not videos and for_videos:
        raise click.UsageError("--every, --video and --skip-still are for videos; found none")
    return bool(videos)


def _detect_in_videos(
    videos: Sequence[NamedImage],
    weights: Sequence[NamedWeights],
    given: Mapping[str, Any],
    how: Searching,
    viewing: tuple[Every | None, bool, bool],
    out: Path,
    exports: Sequence[str],
    strict: bool,
) -> None:
    from facetl.mtcnn.detections import SUFFIX, load_run

    detectors, settings = load_detectors(weights, given, how)
    facts = _facts(weights, detectors, how)
    whole = search_videos(videos, detectors, settings, facts, how, Viewing.of(*viewing), out)
    _remove_others(out, list(detectors))
    if exports:
        save_exports(out, [load_run(out / f"{name}{SUFFIX}") for name in detectors], exports)
    suggest("evaluate", out, "--truth", "FILE_OR_FOLDER")
    if strict and not whole:
        raise SystemExit(1)


def save_runs(out: Path, runs: Sequence[Run]) -> None:
    """Write the detections files; other runs' files, which --force gave up, make way."""
    from facetl.mtcnn.detections import SUFFIX, save_run

    for run in runs:
        save_run(out / f"{run.name}{SUFFIX}", run)
    _remove_others(out, [run.name for run in runs])


def _remove_others(out: Path, names: Sequence[str]) -> None:
    from facetl.mtcnn.detections import SUFFIX

    for old in sorted(out.glob(f"*{SUFFIX}")):
        if old.name.removesuffix(SUFFIX) not in names:
            old.unlink()
            note(f"removed {old}, which another run had left")


def save_overlays(
    folder: Path,
    images: Sequence[NamedImage],
    runs: Sequence[Run],
    faces: Mapping[str, Boxes],
) -> None:
    """Draw every image once per run, side by side, with the truth where it is known."""
    from facetl.data.images import load_image, save_image
    from facetl.data.overlays import TRUTH, draw_boxes, side_by_side

    paths = {image.name: image.path for image in images}
    per_image = list(zip(*(run.frames for run in runs), strict=True))
    for frames in track(per_image, "drawing", len(per_image)):
        name = frames[0].image
        pixels = load_image(paths[name])
        if name in faces:
            pixels = draw_boxes(pixels, faces[name], colour=TRUTH, thickness=3)
        panels = [
            (
                f"{run.name}: {len(frame.detections)} found",
                draw_boxes(pixels, frame.detections.boxes, scores=frame.detections.scores),
            )
            for run, frame in zip(runs, frames, strict=True)
        ]
        save_image(_overlay_path(folder, name), side_by_side(panels))


def _overlay_path(folder: Path, name: str) -> Path:
    """Return where an overlay goes: ``a.png`` and ``a.jpg`` must not overwrite each other."""
    path = folder / name
    writable = path.suffix.lower() in (".jpg", ".jpeg", ".png")
    return path if writable else path.with_name(f"{path.name}.jpg")


def _faces_by_name(
    truth: Path, images: Sequence[NamedImage], on_error: OnError, form: str
) -> dict[str, Boxes]:
    """Return the true faces of the images, whether or not folders are part of their names."""
    from facetl.evaluation.naming import NOWHERE, find_places
    from facetl.evaluation.scoring import Truth

    boxes = Truth.of(load_truth(truth, on_error, form)).boxes
    names, listed = [image.name for image in images], list(boxes)
    places = zip(names, find_places(names, listed, "the images"), strict=True)
    return {name: boxes[listed[place]] for name, place in places if place != NOWHERE}


def _report(written: Sequence[Path], runs: Sequence[Run]) -> None:
    """Say what was found and which folders were written, that of the detections first."""
    for run in runs:
        faces = sum(len(frame.detections) for frame in run.frames)
        proposals, seconds = run.candidates_per_frame["pnet"], run.seconds_per_frame
        click.echo(
            f"{run.name}: {faces} faces in {len(run.frames)} images "
            f"({len(run.skipped)} skipped), {proposals:.0f} proposals and {seconds:.3f} s an image"
        )
    click.echo(f"wrote {' and '.join(map(str, written))}")
    suggest("evaluate", written[0], "--truth", "FILE_OR_FOLDER")
