"""Where the other formats keep images and annotations, and how they are read from there."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from facetl.data.annotations import AnnotationFile, OnError, load_annotations, read_text
from facetl.data.formats.coco import load_coco
from facetl.data.formats.names import image_name
from facetl.data.formats.recognition import (
    looks_like_coco,
    looks_like_voc,
    looks_like_yolo,
    read_head,
)
from facetl.data.formats.voc import SUFFIX as VOC_SUFFIX
from facetl.data.formats.voc import load_voc, voc_files
from facetl.data.formats.wider import load_wider, looks_like_wider
from facetl.data.formats.yolo import (
    CLASSES,
    FILE_NAME,
    LABELS,
    YoloSet,
    load_yolo,
    load_yolo_set,
    looks_like_darknet,
    looks_like_labels,
)
from facetl.data.images import image_paths, name_below
from facetl.data.name_matching import match_names
from facetl.data.sources import (
    Format,
    NoSuchPartError,
    Part,
    Source,
    choose_part,
    entry_called,
    files_with,
)
from facetl.errors import AnnotationError, InputError

VOC_ANNOTATIONS, VOC_IMAGES, VOC_LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
WIDER_SPLIT = "wider_face_split"
PART_FOLDERS: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}

_LOOKED_FOR = 20
"""So many images of a list are looked for to find the folder that they are relative to."""


def formats_in(folder: Path) -> list[Format]:
    """Return which formats other than the course's a folder holds, without reading them all."""
    finders: dict[Format, Callable[[Path], object]] = {
        Format.YOLO: yolo_file,
        Format.COCO: coco_files,
        Format.VOC: voc_folder,
        Format.WIDER: wider_files,
    }
    return [each for each, find in finders.items() if find(folder)]


def sources_in(folder: Path, form: Format, part: Part) -> list[Source]:
    """Return the images and annotations of a part of a folder that holds a format.

    Args:
        folder: one that holds the format, as :func:`formats_in` says.
        form: the format.
        part: the part, where it has parts.

    Raises:
        InputError: if it has several files and none is surely meant, or lacks the part.
    """
    if form is Format.VOC:
        annotations = voc_folder(folder)
    elif form is Format.YOLO:
        annotations = yolo_file(folder)
    else:
        annotations = _pick(
            coco_files(folder) if form is Format.COCO else wider_files(folder), part
        )
    assert annotations is not None, "formats_in has found them"
    return sources_of(annotations, form, None, part)


def sources_of(
    annotations: Path,
    form: Format,
    images: Path | None,
    part: Part,
    below: Path | None = None,
) -> list[Source]:
    """Return the images that annotations speak of, and the annotations, ready to be read.

    Args:
        annotations: a file, or a folder of them.
        form: their format.
        images: the folder of images, if it shall not be searched for.
        part: which part of a data.yaml is meant, or of a VOC folder that has parts.
        below: where to search for images; None for where the annotations lie.
    """
    match form:
        case Format.YOLO:
            return _yolo_sources(annotations, images, part)
        case Format.VOC:
            return [_voc_source(annotations, images, part)]
        case Format.COCO | Format.WIDER | Format.COURSE:
            file = load_listed(annotations, form)
            names = file.images or list(file.faces)
            folder = images or _find_images(below or annotations.parent, annotations, names)
            return [Source(folder, annotations, lambda _: file)]


def load_listed(path: Path, form: Format, on_error: OnError = "skip") -> AnnotationFile:
    """Read a file that tells boxes without its images: not YOLO, and not a folder of VOC."""
    loaders = {
        Format.COCO: load_coco,
        Format.WIDER: load_wider,
        Format.COURSE: load_annotations,
    }
    return loaders[form](path, on_error)


def part_folder(folder: Path, part: Part) -> Path | None:
    """Return the subfolder for a part, as data sets for download have them; None if no parts.

    Raises:
        InputError: if there are parts, but not this one.
    """
    present = {
        each: place
        for each, names in PART_FOLDERS.items()
        for name in names
        if (place := entry_called(folder, name)) and place.is_dir()
    }
    chosen = choose_part(present, part)
    if present and not chosen:
        raise NoSuchPartError(
            f"{folder} holds {', '.join(place.name for place in present.values())} but nothing to "
            f"{part}; give the folder itself"
        )
    return chosen


def yolo_file(folder: Path) -> Path | None:
    """Return the data.yaml of a folder, however it is called, or what stands in its place."""
    if (folder / FILE_NAME).is_file():
        return folder / FILE_NAME
    files = files_with(folder, ".yaml", ".yml")
    fitting = [path for path in files if _begins(path, looks_like_yolo)]
    return fitting[0] if len(fitting) == 1 else _yolo_file_of_tools(folder)


def _yolo_file_of_tools(folder: Path) -> Path | None:
    """Return the obj.data of a folder, or its classes.txt if there are labels too."""
    darknet = [path for path in files_with(folder, ".data") if _begins(path, looks_like_darknet)]
    if len(darknet) == 1:
        return darknet[0]
    labels = [place for name in (".", LABELS) if (place := entry_called(folder, name))]
    classes = [path for place in labels if (path := entry_called(place, CLASSES))]
    held = (path for place in labels for path in files_with(place, ".txt"))
    return (
        classes[0] if classes and any(_begins(path, looks_like_labels) for path in held) else None
    )


def coco_files(folder: Path) -> list[Path]:
    """Return the COCO files in a folder or in its ``annotations``."""
    files = [*files_with(folder, ".json"), *files_with(folder / "annotations", ".json")]
    return [path for path in files if _begins(path, looks_like_coco)]


def wider_files(folder: Path) -> list[Path]:
    """Return the annotation texts of WIDER FACE in a folder or in its ``wider_face_split``."""
    files = [*files_with(folder, ".txt"), *files_with(folder / WIDER_SPLIT, ".txt")]
    return [path for path in files if _begins(path, looks_like_wider)]


def voc_folder(folder: Path) -> Path | None:
    """Return the folder of the XML files: ``Annotations``, or the folder itself."""
    for place in (entry_called(folder, VOC_ANNOTATIONS) or folder, folder):
        files = voc_files(place) if place != folder else files_with(place, VOC_SUFFIX)
        if any(_begins(path, looks_like_voc) for path in islice(files, 1)):
            return place
    return None


def _begins(path: Path, looks: Callable[[str], bool]) -> bool:
    try:
        return path.is_file() and looks(read_head(path))
    except AnnotationError:
        return False


def _pick(files: Sequence[Path], part: Part) -> Path:
    """Return the file of a part: the only one, or the one whose name tells.

    Raises:
        InputError: if none or several could be meant.
    """
    by_part = {named: path for path in files if (named := _part_named(path.stem))}
    chosen = files[0] if len(files) == 1 else choose_part(by_part, part)
    if len(files) == len(by_part) and not chosen:
        raise NoSuchPartError(
            f"{files[0].parent} holds {', '.join(path.name for path in files)} but nothing to "
            f"{part}; pick --annotations"
        )
    if not chosen or len(files) > max(len(by_part), 1):
        names = ", ".join(path.name for path in files[:5]) + (", …" if len(files) > 5 else "")
        raise InputError(
            f"{files[0].parent} holds {names}, and which one is to {part} is not clear; "
            "pick --annotations"
        )
    return chosen


def _part_named(stem: str) -> Part | None:
    words = re.findall("[a-z]+", stem.lower())
    return next((part for part, names in PART_FOLDERS.items() if {*names} & {*words}), None)


def _find_images(root: Path, annotations: Path, names: Collection[str]) -> Path:
    """Return the folder, ``root`` or below, to which names are relative.

    Of folders that hold equally many of the images the one that is called after the part that the
    file is called after.

    Raises:
        InputError: if several folders may be meant.
    """
    some = list(islice(names, _LOOKED_FOR))
    plain = [name for name in some if image_name(name)]
    held = {
        folder: sum((folder / name).is_file() for name in plain) for folder in _image_folders(root)
    }
    exact = any(held.values())
    if not exact:
        held = {folder: _count_matches(some, folder) for folder in held}
    most = max(held.values())
    best = [folder for folder, count in held.items() if count == most]
    if most and not exact:
        best = _lowest(best)
    part = _part_named(annotations.stem)
    own = [folder for folder in best if part and _part_named(folder.name) == part]
    first, *others = own or best
    if most and others:
        raise InputError(
            f"{annotations}: found its images in {first} and in {others[0]}; pick --images"
        )
    return first


def _count_matches(names: Collection[str], folder: Path) -> int:
    """Return how many names mean an image below a folder, though none bears one exactly."""
    return len(match_names(names, [name_below(folder, path) for path in image_paths(folder)]))


def _lowest(folders: Sequence[Path]) -> list[Path]:
    """Return the folders in which no other one of them lies."""
    return [folder for folder in folders if not any(folder in other.parents for other in folders)]


def _image_folders(folder: Path) -> Iterator[Path]:
    """Yield where images may lie: beside the file, in its folders, or beside ``annotations``."""
    yield folder
    places = [folder]
    if folder.name in ("annotations", WIDER_SPLIT):
        yield folder.parent
        places.append(folder.parent)
    for place in places:
        below = sorted(path for path in place.glob("*") if path.is_dir())
        yield from below
        for each in below:
            yield from sorted(path for path in each.glob("*") if path.is_dir())


def _yolo_sources(path: Path, images: Path | None, part: Part) -> list[Source]:
    yolo = load_yolo_set(path)
    if images:
        return [Source(images, path, lambda _: load_yolo(yolo, images, "skip"))]
    places = _yolo_places(yolo, part)
    return [
        Source(place, path, _yolo_reader(yolo, place), prefix=_prefix(place, places))
        if place.is_dir()
        else Source(yolo.root, path, _yolo_reader(yolo, yolo.root, place), listing=place)
        for place in places
    ]


def _yolo_reader(
    yolo: YoloSet, images: Path, listing: Path | None = None
) -> Callable[[Collection[str]], AnnotationFile]:
    return lambda _: load_yolo(yolo, images, "skip", listing)


def _yolo_places(yolo: YoloSet, part: Part) -> list[Path]:
    """Return the places of a part.

    Raises:
        InputError: if the file names none, or places that are not there.
    """
    if part in yolo.lost:
        raise NoSuchPartError(
            f"{yolo.path} names {yolo.lost[part]!r} as {part}, which is not below {yolo.root}; "
            "mend the path, or take the line out"
        )
    found = choose_part(yolo.places, part)
    if not found:
        has = ", ".join(yolo.places) or "no part that is there"
        raise NoSuchPartError(f"{yolo.path} names {has}, but nothing to {part}; add it there")
    return found


def _prefix(place: Path, places: Sequence[Path]) -> str:
    """Return what keeps the names of several folders apart."""
    return f"{place.name}/" if len(places) > 1 else ""


def _voc_source(annotations: Path, images: Path | None, part: Part) -> Source:
    """Return the source of a folder of XML files, or of a single one."""
    single = annotations.is_file()
    folder = annotations.parent if single else annotations
    root = folder.parent if folder.name.lower() == VOC_ANNOTATIONS.lower() else folder
    beside = [place for name in (VOC_IMAGES, "images") if (place := entry_called(root, name))]
    listing = None if single else _voc_listing(root, part)
    stems = [annotations.stem] if single else _read_stems(listing)
    return Source(
        images or next((place for place in beside if place.is_dir()), root),
        annotations,
        lambda names: load_voc(folder, "skip", images=names, stems=stems),
        listing=listing,
    )


def _voc_listing(root: Path, part: Part) -> Path | None:
    """Return the text that lists the images of a part; None if there are no parts.

    Raises:
        InputError: if there are parts, but not this one.
    """
    texts: dict[Part, Path] = {each: root / VOC_LISTS / f"{each}.txt" for each in PART_FOLDERS}
    present = {each: path for each, path in texts.items() if path.is_file()}
    chosen = choose_part(present, part)
    if present and not chosen:
        raise NoSuchPartError(
            f"{root / VOC_LISTS} lists {', '.join(present)} but nothing to {part}; add {part}.txt"
        )
    return chosen


def _read_stems(listing: Path | None) -> list[str] | None:
    if listing is None:
        return None
    return [line.strip() for line in read_text(listing).splitlines() if line.strip()]
