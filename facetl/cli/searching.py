"""What is searched, with which weights, and how: shared by the commands that search."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facetl.cli.console import note, typed_command
from facetl.cli.options import split_name
from facetl.cli.videos import is_video
from facetl.errors import InputError, OutputError
from facetl.interruptions import holding_signals

if TYPE_CHECKING:
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.engines import EngineChoice
    from facetl.mtcnn.runs import NamedImage
    from facetl.mtcnn.settings import Settings


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
        name, source = split_name(value)
        named = NamedWeights(name or Path(source).stem, source)
        if not all(named) or value.startswith("=") or Path(named.name).name != named.name:
            raise click.BadParameter(f"found {value!r}, expected NAME=FILE", ctx, param)
        parsed.append(named)
    names = [each.name for each in parsed]
    if len(set(names)) < len(names):
        raise click.BadParameter(f"found a name twice in {names}; write NAME=FILE", ctx, param)
    return tuple(parsed)


def find_images(paths: Sequence[Path]) -> list[NamedImage]:
    """Return the images that the paths mean, each with a name of its own.

    An image of a folder is called by its path below the folder; a single file by its name.
    Where that gives a name twice, the folders' names go before it.

    Raises:
        InputError: if there is no image, or one is meant twice.
    """
    from facetl.data.images import image_paths

    found = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
        inside = image_paths(path) if path.is_dir() else [path]
        root = path if path.is_dir() else path.parent
        found += [(root, image) for image in inside]
    if not found:
        raise InputError(_tell_empty(paths[0]))
    return _first_without_twins(_ways_to_name(found))


def _ways_to_name(found: Sequence[tuple[Path, Path]]) -> Iterator[list[NamedImage]]:
    """Yield images, each with the folder it was looked for in, by names that grow longer."""
    from facetl.data.images import name_below
    from facetl.mtcnn.runs import NamedImage

    yield [NamedImage(name_below(root, image), image) for root, image in found]
    whole = {root: root.resolve() for root, _ in found}
    yield [
        NamedImage(name_below(whole[root].parent, whole[root] / image.relative_to(root)), image)
        for root, image in found
    ]


def _tell_empty(folder: Path) -> str:
    """Return what to do about a folder without images: perhaps it holds videos."""
    videos = [path for path in sorted(folder.iterdir()) if is_video(path)]
    if videos:
        return f"{folder}: found {len(videos)} videos in it and no image; name them: {videos[0]} …"
    return f"{folder}: found no image in it; give a folder of frames"


def _first_without_twins(choices: Iterable[list[NamedImage]]) -> list[NamedImage]:
    for named in choices:
        names = [image.name for image in named]
        if len(set(names)) == len(names):
            return named
    twin = next(name for name in names if names.count(name) > 1)
    raise InputError(f"{twin}: found two images of this name; search their folders one by one")


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
    from facetl.mtcnn.detections import find_runs

    return [run for run in find_runs(out) if run not in kept]
