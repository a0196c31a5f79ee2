"""What is to be searched: images and videos in files and folders, each with a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from facetl.data.images import name_below
from facetl.data.media_types import is_video, scan_folder
from facetl.data.video import VideoReader
from facetl.errors import ImageError, InputError, VideoError
from facetl.reporting import Reporter
from facetl.search.pipeline import NamedImage
from facetl.search.video import NamedVideo

_LINK = "linked folder"


class Inputs(NamedTuple):
    """What is to be searched.

    Attributes:
        images: files, and their names in results.
        videos: the same, for videos.
        passed_over: how much else lies in the folders, by what it is.
    """

    images: list[NamedImage]
    videos: list[NamedImage]
    passed_over: Counter[str]

    def describe_passed_over(self, **more: int) -> str:
        """Return in words what is not searched, and how it would be; "" if there is nothing.

        Args:
            more: how much of what was found is passed over too, by what it is.
        """
        counts = Counter(more) + self.passed_over
        said = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items())
        remedy = f"; name {_LINK}s to have them searched" if _LINK in counts else ""
        return f"passed over {said}{remedy}" if said else ""


def find_inputs(paths: Sequence[Path], wanted: str = "a folder of frames") -> Inputs:
    """Return the images and the videos that the paths mean.

    What is in a folder is called by its path below the folder; a single file by its name.  Where
    that gives a name twice, the folders' names go before it.

    Args:
        paths: files and folders.
        wanted: what the user is asked for where there is nothing to search.

    Raises:
        InputError: if there is nothing to search, or something is meant twice.
    """
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
            passed += Counter({_LINK: inside.linked_folders, "other file": inside.others})
        else:
            (videos if is_video(path) else images).append((path.parent, path))
    if not images and not videos:
        raise InputError(f"{paths[0]}: found no image in it, and no video; give {wanted}")
    named, films = (_first_without_twins(_ways_to_name(each)) for each in (images, videos))
    return Inputs(named, _name_videos(films), passed)


def _name_videos(videos: Sequence[NamedImage]) -> list[NamedImage]:
    """Return the videos with names of folders, where their frames go: without slashes."""
    named = [replace(each, name=each.name.replace("/", "-")) for each in videos]
    refuse_twins([each.path for each in named], [each.name for each in named])
    return named


def refuse_twins(videos: Sequence[Path], names: Sequence[object]) -> None:
    """Raise if two videos would go by one name.

    Raises:
        InputError: naming both, and the way out.
    """
    first: dict[object, Path] = {}
    for path, name in zip(videos, names, strict=True):
        if name in first:
            raise InputError(
                f"{first[name]} and {path}: both would be called {name}; "
                "rename one, or search them one by one"
            )
        first[name] = path


def open_videos(
    videos: Sequence[NamedImage], reporter: Reporter, *, beside_images: bool = False
) -> tuple[list[NamedVideo], dict[str, str]]:
    """Return the videos that can be read, and why the others cannot, by name.

    Args:
        videos: files, and their names in results.
        reporter: is told of those that cannot be read.
        beside_images: there are images to search, whatever becomes of the videos.

    Raises:
        VideoError: if there is nothing that can be read.
    """
    ready, unreadable = [], {}
    for each in videos:
        reader = VideoReader(each.path)
        try:
            ready.append(NamedVideo(each.name, reader, reader.facts()))
        except VideoError as error:
            if len(videos) == 1 and not beside_images:
                raise
            unreadable[each.name] = str(error)
            reporter.note(f"skipped {error}")
    if not ready and not beside_images:
        raise none_readable(0, len(videos))
    return ready, unreadable


def none_readable(images: int, videos: int) -> ImageError | VideoError:
    """Return the error that says that none of so many images and videos could be read."""
    counts = {"images": images, "videos": videos}
    what = " and ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    kind = ImageError if images else VideoError
    return kind(f"none of the {what} could be read; give others")


def _ways_to_name(found: Sequence[tuple[Path, Path]]) -> Iterator[list[NamedImage]]:
    """Yield files, each with the folder it was looked for in, by names that grow longer."""
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
