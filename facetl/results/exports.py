"""Detections as other tools want them: tables, results to score, and pre-annotations.

=============  ==========================================================================
csv            ``NAME.csv``, a row a detection: image, corners, score; of videos time, track
coco           ``NAME.coco.json``, COCO results, with ``NAME.coco-images.json``, the images
yolo           ``NAME.yolo/labels/…txt``, a line a detection: class, centre, size, score
npy            ``NAME.npy/``, the three arrays that the course's evaluator reads
cvat           ``NAME.cvat.json``, a COCO data set, for CVAT's import "COCO 1.0"
label-studio   ``NAME.label-studio.json``, tasks with predictions, and the labelling
               interface that they fit, ``NAME.label-studio.xml``
labelme        ``NAME.labelme/…json``, a file an image, to be put beside it
=============  ==========================================================================

Those of tracks with times are in :mod:`facetl.results.track_exports`.

``csv``, ``coco`` and ``npy`` hold boxes as they were found, which may leave the image a little;
the others, which people correct by hand, end at its border.  COCO's image ids count from 1 in
the order of the frames, as those of ``facetl convert --to coco`` for the same folder do.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from facetl.boxes import FARTHEST, THINNEST, as_boxes, clip
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

_CATEGORY = 1
"""The only category of what is found, in COCO."""


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(row[: len(columns)] for frame in run.frames for row in _rows(frame))
    path = folder / f"{run.name}.csv"
    write_text(path, text.getvalue())
    return [path]


def save_coco_results(folder: Path, run: Run) -> list[Path]:
    """Write COCO's results format, and a data set without faces that knows the images."""
    results = [
        {"image_id": number, "category_id": _CATEGORY, "bbox": bbox_of(box), "score": score}
        for number, frame in enumerate(run.frames, start=1)
        for box, score in _found(frame)
    ]
    paths = [folder / f"{run.name}.coco.json", folder / f"{run.name}.coco-images.json"]
    write_text(paths[0], json.dumps(results) + "\n")
    write_text(paths[1], json.dumps(_coco_document(run, []), ensure_ascii=False) + "\n")
    return paths


def save_cvat(folder: Path, run: Run) -> list[Path]:
    """Write a COCO data set with the detections as its annotations."""
    found = [
        (number, box, score)
        for number, frame in enumerate(run.frames, start=1)
        for box, score in _found(frame, within=True)
    ]
    annotations = [
        {**describe_box(count, number, _CATEGORY, box), "score": score}
        for count, (number, box, score) in enumerate(found, start=1)
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
    for name, frame in zip(names, run.frames, strict=True):
        lines = [
            f"0 {format_shares(box, frame.size_hw)} {score!r}\n"
            for box, score in _found(frame, within=True)
        ]
        write_text(root / LABELS / f"{stem_of(name)}.txt", "".join(lines))
    return [root]


def save_arrays(folder: Path, run: Run) -> list[Path]:
    """Write the three arrays of the course.

    Its truth knows images by their base names: so they are called here, unless two frames
    share one.
    """
    path = folder / f"{run.name}.npy"
    names = _short_names([frame.image for frame in run.frames])
    found = [
        (box, score, names[frame.image]) for frame in run.frames for box, score in _found(frame)
    ]
    peer = PeerDetections(
        boxes=as_boxes([box for box, _, _ in found]),
        scores=np.array([score for _, score, _ in found], dtype=np.float64),
        file_names=tuple(name for _, _, name in found),
    )
    save_peer(path, peer)
    return [path]


def save_label_studio(folder: Path, run: Run) -> list[Path]:
    """Write tasks with predictions, and the labelling interface whose names they use."""
    tasks = []
    for frame in run.frames:
        found = list(_found(frame, within=True))
        boxes, scores = [box for box, _ in found], [score for _, score in found]
        tasks.append(Task(frame.image, frame.size_hw, boxes, scores=scores))
    return label_studio.save_label_studio(folder / f"{run.name}.label-studio.json", tasks, run.name)


def save_labelme(folder: Path, run: Run) -> list[Path]:
    """Write JSON for each image, which labelme and X-AnyLabeling open when it lies beside it."""
    root = folder / f"{run.name}.labelme"
    refuse_shared_files([str(image_name(frame.image)) for frame in run.frames], "labelme")
    root.mkdir(parents=True, exist_ok=True)  # there may be no file to write
    for frame in run.frames:
        found = list(_found(frame, within=True))
        boxes, scores = [box for box, _ in found], [score for _, score in found]
        image, labels = str(image_name(frame.image)), [None] * len(boxes)
        labelme.save_labels(root, labelme.Labels(image, frame.size_hw, boxes, labels, scores))
    return [root]


def _rows(frame: FrameResult) -> Iterator[list[Any]]:
    """Yield the cells of each detection; None becomes an empty cell."""
    tracks = frame.tracks or [None] * len(frame.detections)
    for (box, score), track in zip(_found(frame), tracks, strict=True):
        yield [frame.image, *box, score, frame.time, track]


def _coco_document(run: Run, boxes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    images = [(frame.image, frame.size_hw) for frame in run.frames]
    what = f"faces found by facetl, run {run.name}"
    return describe_dataset(what, images, {FACE: _CATEGORY}, boxes)


def _found(frame: FrameResult, *, within: bool = False) -> Iterator[tuple[list[float], float]]:
    """Yield boxes and scores; if ``within``, cut off at the border, and none that is beyond."""
    boxes = as_boxes(shortest_decimals(frame.detections.boxes))
    scores = shortest_decimals(frame.detections.scores)
    keep = np.ones(len(boxes), dtype=bool)
    if within:
        boxes = clip(boxes, frame.size_hw)
        keep = np.asarray((boxes[:, 2:] - boxes[:, :2] > THINNEST).all(axis=1))
    yield from zip(boxes[keep].tolist(), scores[keep].tolist(), strict=True)


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Return base names by name, or the names themselves if two base names are the same."""
    short = {name: PurePosixPath(name).name for name in names}
    return short if len(set(short.values())) == len(short) else {name: name for name in names}
