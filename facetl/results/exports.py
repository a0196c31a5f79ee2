"""Detections as other tools want them: tables, results to score, and pre-annotations.

=============  ==========================================================================
csv            ``NAME.csv``, a row a detection: image, corners, score; of videos time, track; the
               name and its score where faces were named
coco           ``NAME.coco.json``, COCO results, with ``NAME.coco-images.json``, the images
yolo           ``NAME.yolo/labels/…txt``, a line a detection: class, centre, size, score
npy            ``NAME.npy/``, the three arrays that the course's evaluator reads; where faces were
               named also three for each character
cvat           ``NAME.cvat.json``, a COCO data set, for CVAT's import "COCO 1.0"
label-studio   ``NAME.label-studio.json``, tasks with predictions, and the labelling
               interface that they fit, ``NAME.label-studio.xml``
labelme        ``NAME.labelme/…json``, a file an image, to be put beside it
=============  ==========================================================================

Those of tracks with times are in :mod:`facetl.results.track_exports`.

``csv``, ``coco`` and ``npy`` hold boxes as they were found, which may leave the image a little;
the others, which people correct by hand, end at its border.  COCO's image ids count from 1 in
the order of the frames, as those of ``facetl convert --to coco`` for the same folder do.  Where
faces were named, characters are the categories, classes and labels; without names all are ``face``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from facetl.boxes import FARTHEST, THINNEST, as_boxes, clip
from facetl.data.characters import sureness
from facetl.data.formats import label_studio, labelme
from facetl.data.formats.coco import bbox_of, describe_box, describe_dataset
from facetl.data.formats.label_studio import Task
from facetl.data.formats.names import FACE, image_name, is_plain, refuse_shared_files, stem_of
from facetl.data.formats.yolo import LABELS, format_shares
from facetl.errors import DetectionsError
from facetl.files import write_text
from facetl.reporting import SILENT, Reporter
from facetl.results.detections import FrameResult, Run
from facetl.results.export_table import TIMED_EXPORTS, load_export
from facetl.results.json_file import shortest_decimals
from facetl.results.peers import PeerDetections, save_peer
from facetl.results.timelines import count_untracked


def save_exports(
    folder: Path,
    runs: Sequence[Run],
    kinds: Sequence[str],
    score: float | None = None,
    reporter: Reporter = SILENT,
) -> list[list[Path]]:
    """Write every run in every format, from a score on; return what each of them is.

    Args:
        folder: where they go.
        runs: what was found.
        kinds: the formats.
        score: least score of what is written; None: that of each run.
        reporter: is told what is not written.

    Raises:
        DetectionsError: if an export of times is asked for, and a run has no frame of a video.
    """
    timed = [kind for kind in dict.fromkeys(kinds) if kind in TIMED_EXPORTS]
    for run in runs:
        _require_times(run, timed)
        if names := [*dict.fromkeys(name for kind in kinds for name in _unnameable(run, kind))]:
            reporter.note(
                f"{run.name}: images left out of what is exported: {len(names)}, such as "
                f"{names[0]}, whose names no annotation file can hold; rename them"
            )
    shown = [run.above(run.score if score is None else score) for run in runs]
    written = [_save_export(kind, folder, run) for kind in dict.fromkeys(kinds) for run in shown]
    for run, whole in zip(shown, runs, strict=True):
        if hidden := whole.count - run.count:
            least = whole.score if score is None else score
            told = f"boxes below score {least:g}, not exported: {hidden}"
            reporter.note(f"{run.name}: {told}; --score 0 exports all")
        _note_untimed(run, timed, reporter)
    return written


def _require_times(run: Run, kinds: Sequence[str]) -> None:
    if kinds and all(frame.time is None for frame in run.frames):
        raise DetectionsError(
            f"{run.name}: found images and no video, and {' and '.join(kinds)} "
            f"{'is' if len(kinds) == 1 else 'are'} for videos; choose another export"
        )


def _note_untimed(run: Run, kinds: Sequence[str], reporter: Reporter) -> None:
    """Say what exports of tracks with times leave out: boxes without a track, and images."""
    images = sum(frame.time is None for frame in run.frames)
    left_out = {"boxes that follow no face": count_untracked(run), "images": images}
    for what, count in left_out.items():
        if kinds and count:
            reporter.note(f"{run.name}: {what}, not in {', '.join(kinds)}: {count}")


def _save_export(kind: str, folder: Path, run: Run) -> list[Path]:
    """Write a run in a format of ``EXPORTS``; return what was written.

    Frames whose names hold what no file of annotations can say are left out.

    Raises:
        DetectionsError: if a box is far from everything, a frame occurs twice, or an image's
            name leads out of the folder.
        OutputError: if the place cannot be written.
    """
    run.refuse_twins()
    for frame in run.frames:
        if np.abs(frame.detections.boxes).max(initial=0) > FARTHEST:
            raise DetectionsError(
                f"{run.name}: found a box more than {FARTHEST:g} pixels away in {frame.image!r}; "
                "run facetl detect again"
            )
        if image_name(frame.image) is None and is_plain(frame.image):
            raise DetectionsError(
                f"{run.name}: found the image name {frame.image!r}, which is no relative path; "
                "run facetl detect again"
            )
    unnameable = set(_unnameable(run, kind))
    kept = tuple(frame for frame in run.frames if frame.image not in unnameable)
    return load_export(kind)(folder, replace(run, frames=kept))


def _unnameable(run: Run, kind: str) -> list[str]:
    """Return the images whose names would not be read back: an export leaves them out."""
    suffix = ".json" if kind == "labelme" else ""
    names = [frame.image for frame in run.frames]
    return [name for name in names if "\\" in name or not _is_plain(name, suffix)]


def _is_plain(name: str, suffix: str) -> bool:
    """Return whether an image, and a file of its own with a suffix, may have a name."""
    return is_plain(name) and is_plain(stem_of(name) + suffix)


def save_csv(folder: Path, run: Run) -> list[Path]:
    """Write a row for each detection, in the order of the frames."""
    columns = ["image", "x1", "y1", "x2", "y2", "score"]
    if any(frame.time is not None or frame.tracks is not None for frame in run.frames):
        columns += ["time", "track"]
    named = ["name", "name_score"] if run.classes else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns + named)
    for frame in run.frames:
        tracks = frame.tracks or [None] * len(frame.detections)
        for each, track in zip(_found(frame), tracks, strict=True):
            row = [frame.image, *each.box, each.score, frame.time, track][: len(columns)]
            writer.writerow([*row, *([each.name, each.name_score] if named else [])])
    path = folder / f"{run.name}.csv"
    write_text(path, text.getvalue())
    return [path]


def save_coco_results(folder: Path, run: Run) -> list[Path]:
    """Write COCO's results format, and a data set without faces that knows the images."""
    ids = _categories_of(run)
    results = [
        {
            "image_id": number,
            "category_id": ids[each.name or FACE],
            "bbox": bbox_of(each.box),
            "score": each.score,
        }
        for number, frame in enumerate(run.frames, start=1)
        for each in _found(frame)
    ]
    paths = [folder / f"{run.name}.coco.json", folder / f"{run.name}.coco-images.json"]
    write_text(paths[0], json.dumps(results) + "\n")
    write_text(paths[1], json.dumps(_coco_document(run, []), ensure_ascii=False) + "\n")
    return paths


def save_cvat(folder: Path, run: Run) -> list[Path]:
    """Write a COCO data set with the detections as its annotations."""
    ids = _categories_of(run)
    found = [
        (number, each)
        for number, frame in enumerate(run.frames, start=1)
        for each in _found(frame, within=True)
    ]
    annotations = [
        {**describe_box(count, number, ids[each.name or FACE], each.box), "score": each.score}
        for count, (number, each) in enumerate(found, start=1)
    ]
    path = folder / f"{run.name}.cvat.json"
    write_text(path, json.dumps(_coco_document(run, annotations), ensure_ascii=False) + "\n")
    return [path]


def save_yolo_text(folder: Path, run: Run) -> list[Path]:
    """Write a text for each frame, empty if nothing was found."""
    root = folder / f"{run.name}.yolo"
    names = [str(image_name(frame.image)) for frame in run.frames]
    refuse_shared_files(names, "yolo")
    (root / LABELS).mkdir(parents=True, exist_ok=True)  # there may be no text to write
    ids = _categories_of(run)
    if run.classes:
        write_text(root / "classes.txt", "".join(f"{each}\n" for each in ids))
    for name, frame in zip(names, run.frames, strict=True):
        lines = [
            f"{ids[each.name or FACE] - 1} {format_shares(each.box, frame.size_hw)} "
            f"{each.score!r}\n"
            for each in _found(frame, within=True)
        ]
        write_text(root / LABELS / f"{stem_of(name)}.txt", "".join(lines))
    return [root]


def save_arrays(folder: Path, run: Run) -> list[Path]:
    """Write the three arrays of the course; where faces were named, three for each character.

    A character's are the faces that are likeliest to be it, those called ``unknown`` too; their
    scores are multiplied by how sure the name is.  The course's truth knows images by their base
    names: so they are called here, unless two frames share one.
    """
    path = folder / f"{run.name}.npy"
    names = _short_names([frame.image for frame in run.frames])
    found = [(each, names[frame.image]) for frame in run.frames for each in _found(frame)]
    peer = PeerDetections(
        boxes=as_boxes([each.box for each, _ in found]),
        scores=np.array([each.score for each, _ in found], dtype=np.float64),
        file_names=tuple(name for _, name in found),
    )
    save_peer(path, peer)
    said = {name for each, _ in found for name in (each.name, each.likeliest) if name}
    for name in sorted(said):
        rows = [row for row, (each, _) in enumerate(found) if name in (each.name, each.likeliest)]
        sure = np.array([sureness(name, found[row][0].name_score or 0.0) for row in rows])
        save_peer(path, peer.rows(rows, sure), name)
    return [path]


def save_label_studio(folder: Path, run: Run) -> list[Path]:
    """Write tasks with predictions, and the labelling interface whose names they use."""
    tasks = []
    for frame in run.frames:
        boxes, scores, labels = _columns(frame)
        tasks.append(Task(frame.image, frame.size_hw, boxes, labels, scores))
    return label_studio.save_label_studio(folder / f"{run.name}.label-studio.json", tasks, run.name)


def save_labelme(folder: Path, run: Run) -> list[Path]:
    """Write JSON for each image, which labelme and X-AnyLabeling open when it lies beside it."""
    root = folder / f"{run.name}.labelme"
    refuse_shared_files([str(image_name(frame.image)) for frame in run.frames], "labelme")
    root.mkdir(parents=True, exist_ok=True)  # there may be no file to write
    for frame in run.frames:
        boxes, scores, labels = _columns(frame)
        image = str(image_name(frame.image))
        labelme.save_labels(root, labelme.Labels(image, frame.size_hw, boxes, labels, scores))
    return [root]


class _Found(NamedTuple):
    """A face as it is written."""

    box: list[float]
    score: float
    name: str | None
    name_score: float | None
    likeliest: str | None


def _columns(frame: FrameResult) -> tuple[list[list[float]], list[float], list[str | None]]:
    """Return boxes that end at the border, their scores and names."""
    found = list(_found(frame, within=True))
    return (
        [each.box for each in found],
        [each.score for each in found],
        [each.name for each in found],
    )


def _categories_of(run: Run) -> dict[str, int]:
    """Return the numbers of the classes, from 1 on: the characters, or faces."""
    return {name: number for number, name in enumerate(run.classes or (FACE,), start=1)}


def _coco_document(run: Run, boxes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    images = [(frame.image, frame.size_hw) for frame in run.frames]
    what = f"faces found by facetl, run {run.name}"
    return describe_dataset(what, images, _categories_of(run), boxes)


def _found(frame: FrameResult, *, within: bool = False) -> Iterator[_Found]:
    """Yield the faces; if ``within``, cut off at the border, and none that is beyond."""
    boxes = as_boxes(shortest_decimals(frame.detections.boxes))
    scores = shortest_decimals(frame.detections.scores)
    keep = np.ones(len(boxes), dtype=bool)
    if within:
        boxes = clip(boxes, frame.size_hw)
        keep = np.asarray((boxes[:, 2:] - boxes[:, :2] > THINNEST).all(axis=1))
    found = frame.detections
    name_scores: Sequence[float | None] = [None] * len(boxes)
    if found.name_scores is not None:
        name_scores = shortest_decimals(found.name_scores).tolist()
    names: Sequence[str | None] = found.names or [None] * len(boxes)
    likeliest = found.likeliest or names
    for row in np.flatnonzero(keep).tolist():
        yield _Found(
            boxes[row].tolist(), float(scores[row]), names[row], name_scores[row], likeliest[row]
        )


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Return base names by name, or the names themselves if two base names are the same."""
    short = {name: PurePosixPath(name).name for name in names}
    return short if len(set(short.values())) == len(short) else {name: name for name in names}
