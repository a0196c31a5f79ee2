"""What is searched, with which weights, and how: shared by the commands that search."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facetl.cli.console import note, typed_command
from facetl.cli.options import split_name
from facetl.errors import InputError, OutputError
from facetl.interruptions import holding_signals

if TYPE_CHECKING:
    from facetl.mtcnn.detector import Detector
    from facetl.search.pipeline import NamedImage
    from facetl.search.settings import Settings


LINK = "linked folder"


class NamedWeights(NamedTuple):
    """A set of weights and the name of its run."""

    name: str
    source: str


class Inputs(NamedTuple):
    """What is to be searched.

    Attributes:
        named: files, and how results call them.
        are_videos: whether they are videos; else they are images.
        passed_over: in words, what else lies in the folders, and how it would be searched; or "".
    """

    named: list[NamedImage]
    are_videos: bool
    passed_over: str

    def note_passed_over(self) -> None:
        """Say on stderr what is passed over, if anything is."""
        if self.passed_over:
            note(self.passed_over)


class Searching(NamedTuple):
    """Where and how a search is done; only the engine ``half`` changes what is found."""

    device: str
    engine: str
    batch_size: int
    workers: int


def parse_weights(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[NamedWeights, ...]:
    """Split each ``NAME=FILE``; without a name a run is called after its file."""
    parsed = []
    for value in values:
        name, source = split_name(value)
        named = NamedWeights(name or Path(source).stem, source)
        if not all(named) or value.startswith("=") or Path(named.name).name != named.name:
            raise click.BadParameter(f"found {value!r}, expected NAME=FILE", ctx, param)
        parsed.append(named)
    names = [each.name for each in parsed]
    if len(set(names)) < len(names):
        raise click.BadParameter(f"found a name twice in {names}; write NAME=FILE", ctx, param)
    return tuple(parsed)


def find_inputs(paths: Sequence[Path], *, prefer_videos: bool = False) -> Inputs:
    """Return the images that the paths mean, or the videos, each with a name of its own.

    What is in a folder is called by its path below the folder; a single file by its name.  Where
    that gives a name twice, the folders' names go before it.  Of a folder that holds images and
    videos, the images count; what is passed over is counted.

    Args:
        paths: files and folders.
        prefer_videos: of a folder that holds both, the videos count.

    Raises:
        InputError: if there is nothing to search, or something is meant twice.
        UsageError: if images and videos were named.
    """
    from facetl.data.media_types import is_video, scan_folder

    images: list[tuple[Path, Path]] = []
    videos: list[tuple[Path, Path]] = []
    passed: Counter[str] = Counter()
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
        if path.is_dir():
            inside = scan_folder(path)
            images += [(path, image) for image in inside.images]
            videos += [(path, video) for video in inside.videos]
            passed += Counter({LINK: inside.linked_folders, "other file": inside.others})
        else:
            (videos if is_video(path) else images).append((path.parent, path))
    filmed = bool(videos) and (prefer_videos or not images)
    chosen, left = (videos, images) if filmed else (images, videos)
    _refuse_mixed(paths, [path for _, path in left])
    passed = Counter({"image" if filmed else "video": len(left)}) + passed
    if not chosen:
        wanted = "videos" if prefer_videos else "a folder of frames"
        raise InputError(f"{paths[0]}: found no image in it, and no video; give {wanted}")
    return Inputs(_first_without_twins(_ways_to_name(chosen)), filmed, _describe_passed(passed))


def _refuse_mixed(named: Sequence[Path], left: Sequence[Path]) -> None:
    """Refuse to pass over a file that was named."""
    from facetl.data.media_types import is_video

    if mixed := [path for path in left if path in named]:
        raise click.UsageError(
            f"found {mixed[0]} among {'images' if is_video(mixed[0]) else 'videos'}; search videos "
            "apart from images"
        )


def _describe_passed(counts: Counter[str]) -> str:
    """Return what lies in folders and is not searched, and how it would be."""
    said = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items())
    named = [f"{kind}s" for kind in ("video", LINK) if kind in counts]
    remedy = f"; name {' and '.join(named)} to have them searched" if named else ""
    return f"passed over {said}{remedy}" if said else ""


def _ways_to_name(found: Sequence[tuple[Path, Path]]) -> Iterator[list[NamedImage]]:
    """Yield files, each with the folder it was looked for in, by names that grow longer."""
    from facetl.data.images import name_below
    from facetl.search.pipeline import NamedImage

    yield [NamedImage(name_below(root, image), image) for root, image in found]
    whole = {root: root.resolve() for root, _ in found}
    yield [
        NamedImage(name_below(whole[root].parent, whole[root] / image.relative_to(root)), image)
        for root, image in found
    ]


def _first_without_twins(choices: Iterable[list[NamedImage]]) -> list[NamedImage]:
    for named in choices:
        names = [image.name for image in named]
        if len(set(names)) == len(names):
            return named
    twin = next(name for name in names if names.count(name) > 1)
    raise InputError(f"{twin}: found two files of this name; search their folders one by one")


def load_detectors(
    weights: Sequence[NamedWeights], given: Mapping[str, Any], how: Searching
) -> tuple[dict[str, Detector], dict[str, Settings]]:
    """Return a detector for each set of weights, and how it searches, by name."""
    from facetl.mtcnn.detector import Detector

    detectors = {each.name: Detector.load(each.source, how.device, how.engine) for each in weights}
    settings = {name: each.settings.override(**given) for name, each in detectors.items()}
    return detectors, settings


def tell_facts(
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


def refuse_other_runs(out: Path, kept: Collection[Path]) -> None:
    """Refuse to go on where runs lie that are not among ``kept``: they would have to make way.

    Raises:
        OutputError: naming the first of them.
    """
    for other in _other_runs(out, kept):
        raise OutputError(
            f"{other} is of another search; go on with that one, choose another --out, or give it "
            "up with --force"
        )


def remove_other_runs(out: Path, kept: Collection[Path]) -> None:
    """Remove all runs that are not among ``kept``: --force gave them up; none stays in part."""
    for other in _other_runs(out, kept):
        with holding_signals():
            shutil.rmtree(other) if other.is_dir() else other.unlink()
        note(f"removed {other}, which another run had left")


def _other_runs(out: Path, kept: Collection[Path]) -> list[Path]:
    from facetl.results.store import find_runs

    return [run for run in find_runs(out) if run not in kept]
