"""Frames with their faces, read from the folders that people have."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facetl.boxes import clip
from facetl.data.annotations import (
    DIFFICULT,
    AnnotationFile,
    FaceLine,
    Kind,
    OnError,
    Problem,
    count_problems,
    enforce,
    faces_of,
    ignored_of,
)
from facetl.data.archives import holds_images, packed, unpacked
from facetl.data.choices import Difficult
from facetl.data.discovery import find_annotations, find_sources, recognise
from facetl.data.formats.base import Source
from facetl.data.formats.names import leads_out
from facetl.data.formats.table import load_format
from facetl.data.frame import Frame, Part
from facetl.data.images import image_paths, image_size, load_image, name_below
from facetl.data.name_matching import match_names, nearest_names
from facetl.errors import ImageError, InputError
from facetl.files import note_read


@dataclass(frozen=True, eq=False)
class FaceDataset:
    """Frames in the order of their names, and what was found wrong on the way.

    Attributes:
        frames: with their faces.
        problems: what was found wrong, or is to be ignored.
        annotations: the files or folders that the faces were read from.
        warnings: a line for each file that leaves most of its frames without faces.
    """

    frames: tuple[Frame, ...]
    problems: tuple[Problem, ...] = ()
    annotations: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    @property
    def face_count(self) -> int:
        """How many faces all frames have together."""
        return sum(len(frame.boxes) for frame in self.frames)

    @property
    def ignored_count(self) -> int:
        """How many regions to be ignored all frames have together."""
        return sum(len(frame.ignored) for frame in self.frames)

    def joined(self, other: FaceDataset, prefix: str) -> FaceDataset:
        """Return the frames of both; ``prefix`` goes before the names of the other's."""
        renamed = (replace(frame, name=prefix + frame.name) for frame in other.frames)
        return FaceDataset(
            (*self.frames, *renamed),
            (*self.problems, *other.problems),
            (*self.annotations, *other.annotations),
            (*self.warnings, *other.warnings),
        )


def load_dataset(
    root: Path | str | None = None,
    *,
    images: Path | str | None = None,
    annotations: Path | str | None = None,
    part: Part = "train",
    on_error: OnError = "strict",
    form: str | None = None,
    difficult: Difficult = "ignore",
) -> FaceDataset:
    """Read frames and faces; of the images only the headers.

    Frames without a line in the course's text are frames without faces; where a format lists
    its images, others are left out and counted.  A frame of another size than the annotations
    say is wrong, as its boxes are.  Boxes that reach out of their frame are clipped, images that
    cannot be read are left out, and both are counted.

    Args:
        root: a data folder, laid out as :func:`facetl.data.discovery.find_sources` knows it.
        images: the folder of images, if it shall not be searched for.
        annotations: the annotation file, if it shall not be searched for.
        part: which part of a folder that has several is meant.
        on_error: whether wrong annotations raise, or are left out and counted.
        form: the name of the format of the annotations; None to recognise it.
        difficult: whether what Pascal VOC marks difficult is to be ignored or is a face.

    Raises:
        InputError: if no images or no single annotation file can be found.
        AnnotationError: under ``strict``, one message on everything that is wrong.
    """
    root, images, annotations = (
        None if place is None else Path(place) for place in (root, images, annotations)
    )
    sources = find_sources(root, images=images, annotations=annotations, part=part, form=form)
    return load_sources(sources, on_error, difficult)


def load_truth(
    path: Path, on_error: OnError = "strict", form: str | None = None
) -> FaceDataset | AnnotationFile:
    """Read the true faces: a folder of frames to test on, or a file of annotations.

    Args:
        path: the folder; or a file, read with its images only if its boxes depend on them.
        on_error: as for :func:`load_dataset`.
        form: as for :func:`load_dataset`.

    Raises:
        InputError: as for :func:`load_dataset`.
        AnnotationError: as for :func:`load_dataset`.
    """
    place = unpacked(path)
    file = path
    if not path.is_dir() and (place == path or not holds_images(place)):
        if place == path:
            found = load_format(form) if form else recognise(path)
        else:
            found, file = find_annotations(place, "test", form)
        if not found.has_file_per_image:
            return found.load(file, on_error)
        form = found.name
    return load_dataset(path, part="test", on_error=on_error, form=form)


def load_sources(
    sources: Sequence[Source], on_error: OnError = "strict", difficult: Difficult = "ignore"
) -> FaceDataset:
    """Read the frames and faces of all sources together.

    Raises:
        InputError: if there is no image that can be read.
        AnnotationError: under ``strict``, one message on everything that is wrong.
    """
    for source in sources:
        note_read(*map(packed, filter(None, (source.images, source.annotations, source.listing))))
    parts = [_load_source(source, difficult) for source in sources]
    problems = tuple(problem for part_ in parts for problem in part_.problems)
    enforce(problems, on_error)
    frames = tuple(frame for part_ in parts for frame in part_.frames)
    if not frames:
        found = f"no image that can be read in {sources[0].images}"
        why = count_problems(problems) or "no image at all"
        raise InputError(f"found {found} ({why}); give the folder that holds the frames")
    warnings = tuple(warning for part_ in parts for warning in part_.warnings)
    annotations = tuple(source.annotations for source in sources)
    return FaceDataset(frames, problems, annotations, warnings)


def leave_out_unreadable(dataset: FaceDataset) -> FaceDataset:
    """Return the frames that can be read, pixels and all, and the problems as they were."""
    return replace(dataset, frames=tuple(frame for frame in dataset if _is_readable(frame)))


def fingerprint(dataset: FaceDataset) -> str:
    """Return 16 hex digits that change with the frames' names, sizes, bytes on disk or boxes.

    Regions to be ignored are boxes too; of frames without any the digits tell as if there were
    no such thing.

    The bytes are counted, not read: cheap, and enough to tell one set of frames from another.
    An image that has vanished since counts as empty.
    """
    digest = hashlib.sha256()
    for frame in dataset.frames:
        size = frame.path.stat().st_size if frame.path.exists() else 0
        counts = (*frame.size_hw, size, len(frame.boxes))
        digest.update(f"{frame.name} {counts} {frame.labels}\n".encode())
        digest.update(frame.boxes.astype("<f8").tobytes())
        if len(frame.ignored):
            digest.update(b"ignored" + frame.ignored.astype("<f8").tobytes())
    return digest.hexdigest()[:16]


def _is_readable(frame: Frame) -> bool:
    try:
        load_image(frame.path)
    except ImageError:
        return False
    return True


def _load_source(source: Source, difficult: Difficult) -> FaceDataset:
    """Read one folder of images with its annotations, collecting all problems."""
    paths = {name_below(source.images, path): path for path in image_paths(source.images)}
    given = source.read(paths.keys())
    given = given.without_mark(DIFFICULT) if difficult == "face" else given
    matched = match_names(given.lines_by_image, paths)
    file = _rename(given, matched)
    by_image = file.lines_by_image
    problems = [*file.problems, *_report_matched(given, matched, source)]
    problems += _report_missing(by_image, paths, source)
    if file.images is not None:
        unlisted = [path for name, path in paths.items() if name not in by_image]
        paths = {name: path for name, path in paths.items() if name in by_image}
        problems += [] if source.listing else _report_unlisted(unlisted, source)
    frames = []
    for name, path in paths.items():
        lines = by_image.get(name, [])
        try:
            size_hw = image_size(path)
        except ImageError as error:
            problems.append(_report_unreadable(source, path, lines, error))
            continue
        if (said := file.sizes.get(name, size_hw)) != size_hw:
            problems.append(_report_resized(source, name, lines, size_hw, said))
            continue
        frame, clipped = _make_frame(source, name, path, lines, size_hw)
        frames.append(frame)
        problems += clipped
    problems.sort(key=lambda found: found.line or 0)
    warnings = find_warnings(file, paths)
    return FaceDataset(tuple(frames), tuple(problems), warnings=tuple(warnings))


def find_warnings(file: AnnotationFile, names: Collection[str] | None = None) -> Iterator[str]:
    """Yield a line if a file says so little that it may not be what was meant.

    Args:
        file: what was read.
        names: the images that there are; None for those that the file lists.
    """
    by_image = file.lines_by_image
    names = by_image if names is None else names
    faces = sum(any(line.mark is None for line in by_image.get(name, ())) for name in names)
    annotated = sum(name in file.without_faces or bool(by_image.get(name)) for name in names)
    if not faces:
        found = "no face" + f" in {len(names):,} frame{'s' * (len(names) != 1)}" * bool(names)
    elif annotated < len(names) / 2:
        found = f"annotations of {annotated} of {len(names)} frames, fewer than half"
    else:
        return
    yield f"{file.path}: found {found}; check that everything was exported"


def _rename(file: AnnotationFile, names: Mapping[str, str]) -> AnnotationFile:
    """Return what a file says with the real names of the images."""
    if all(given == image for given, image in names.items()):
        return file
    return replace(
        file,
        lines=tuple(replace(line, image=names.get(line.image, line.image)) for line in file.lines),
        images=None if file.images is None else tuple(names.get(n, n) for n in file.images),
        sizes={names.get(name, name): size for name, size in file.sizes.items()},
        without_faces=frozenset(names.get(name, name) for name in file.without_faces),
    )


def _make_frame(
    source: Source, name: str, path: Path, lines: Sequence[FaceLine], size_hw: tuple[int, int]
) -> tuple[Frame, list[Problem]]:
    """Return the frame with its boxes clipped, and a problem for each box that left it.

    A region to be ignored that lies wholly outside is no fault; it is counted with the others.
    """
    leaving = {line: kind for line in lines if (kind := _leaves_frame(line, size_hw))}
    kept = [line for line in lines if leaving.get(line) is not Kind.OUTSIDE]
    boxes, labels = faces_of(kept)
    ignored = clip(ignored_of(kept), size_hw)
    frame = Frame(path, source.prefix + name, clip(boxes, size_hw), labels, size_hw, ignored)
    return frame, [
        _report_leaving(source, line, kind, size_hw)
        for line, kind in leaving.items()
        if line.mark is None or kind is not Kind.OUTSIDE
    ]


def _leaves_frame(line: FaceLine, size_hw: tuple[int, int]) -> Kind | None:
    """Return OUTSIDE if the box lies wholly outside the frame, CLIPPED if partly, else None."""
    height, width = size_hw
    x1, y1, x2, y2 = line.box
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        return Kind.OUTSIDE
    return Kind.CLIPPED if x1 < 0 or y1 < 0 or x2 > width or y2 > height else None


def _report_leaving(
    source: Source, line: FaceLine, kind: Kind, size_hw: tuple[int, int]
) -> Problem:
    corners = " ".join(f"{corner:g}" for corner in line.box)
    extent = "wholly" if kind is Kind.OUTSIDE else "partly"
    frame = f"{line.image} ({size_hw[1]}x{size_hw[0]} pixels)"
    found = f"found the box {corners} {extent} outside {frame}"
    return Problem(kind, line.path or source.annotations, line.line, found)


def _report_resized(
    source: Source,
    name: str,
    lines: Sequence[FaceLine],
    size_hw: tuple[int, int],
    said_hw: tuple[int, int],
) -> Problem:
    (height, width), (said_height, said_width) = size_hw, said_hw
    found = (
        f"found {name} of {width}x{height} pixels (upright) where {said_width}x{said_height} were "
        "annotated; give the images that were annotated"
    )
    return Problem(Kind.RESIZED, *_place(source, lines), found)


def _report_matched(
    given: AnnotationFile, matched: Mapping[str, str], source: Source
) -> list[Problem]:
    by_image = given.lines_by_image
    return [
        Problem(Kind.MATCHED, *_place(source, by_image[name]), f"found {name}, taken for {image}")
        for name, image in matched.items()
        if name != image
    ]


def _report_missing(
    by_image: Mapping[str, Sequence[FaceLine]], names: Collection[str], source: Source
) -> list[Problem]:
    """Return a problem for each name that no image has; the first names the nearest one."""
    problems: list[Problem] = []
    for name, lines in by_image.items():
        if name in names:
            continue
        near = "" if problems else nearest_names(name, names)
        hint = f" (the nearest: {near})" if near else ""
        kind, found = (
            (Kind.ESCAPE, f"found the path {name!r}, which is not in {source.images}{hint}")
            if leads_out(name)
            else (Kind.MISSING, f"found no {name} in {source.images}{hint}")
        )
        problems.append(Problem(kind, *_place(source, lines), found))
    return problems


def _report_unlisted(paths: Iterable[Path], source: Source) -> list[Problem]:
    found = f"found the image, which {source.annotations.name} does not list"
    return [Problem(Kind.UNLISTED, path, None, found) for path in paths]


def _place(source: Source, lines: Sequence[FaceLine]) -> tuple[Path, int | None]:
    """Return file and line of an image's first face, or the file alone if it has none."""
    return (
        (lines[0].path or source.annotations, lines[0].line)
        if lines
        else (source.annotations, None)
    )


def _report_unreadable(
    source: Source, path: Path, lines: Sequence[FaceLine], error: ImageError
) -> Problem:
    if lines:
        return Problem(Kind.UNREADABLE, *_place(source, lines), str(error))
    return Problem(Kind.UNREADABLE, path, None, str(error))
