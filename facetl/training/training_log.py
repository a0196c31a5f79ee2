"""The records of a training, one an epoch, as files keep them.

::

    {"stage": "pnet", "round": 1, "epoch": 1, "train": {"total": 0.5, …}, "learnt": {…},
     "validation": {"total": 0.4, "recall": 0.9, …}, "angles": {…}, …}

``stage`` and ``round`` stand there if there are several trainings, ``angles`` if something holds
the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from facetl.mtcnn.stages import STAGES
from facetl.training.patches import PATCH_COUNTS

PARTS = ("train", "learnt", "validation", "angles")
"""What a record holds of an epoch: figures by name, in each part."""
LARGEST = 1e30
"""Above this a figure is none: no loss gets there before it is infinite, and no plot holds it."""
_MOST = 10**9
"""Above this a count of epochs, rounds or frames is none."""

HELD_OUT, _ONCE_HELD_OUT = "held_out_frames", "aside"
"""Where a file has the names of the frames held out for validation: now, and in older files."""

_Record = Mapping[str, Any]


class History(NamedTuple):
    """What a weights file records of its training.

    Attributes:
        records: one an epoch, in order.
        patch_counts: a row for each training, see :data:`facetl.training.patches.PATCH_COUNTS`.
        suspects: regions that look like faces and are not annotated: ``frame``, ``box``, ``score``.
        held_out: names of the frames held out for validation.
    """

    records: tuple[dict[str, Any], ...]
    patch_counts: tuple[dict[str, Any], ...]
    suspects: tuple[dict[str, Any], ...]
    held_out: tuple[str, ...]

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> History:
        """Return what the metadata of a weights file records; empty where there is nothing.

        Raises:
            ValueError: if it is not what a training writes; says what is wrong.
        """
        records = check_records(metadata.get("records", []))
        counts = _objects(metadata.get(PATCH_COUNTS, []), "patch counts")
        suspects = _objects(metadata.get("suspects", []), "suspects")
        for row in counts:
            _check_counts(row)
        for suspect in suspects:
            _check_suspect(suspect)
        held_out = metadata.get(HELD_OUT, metadata.get(_ONCE_HELD_OUT, []))
        if not (isinstance(held_out, list) and all(isinstance(each, str) for each in held_out)):
            raise ValueError(f"found {_show(held_out)} as the frames held out")
        return cls(records, counts, suspects, tuple(held_out))


def check_records(records: object) -> tuple[dict[str, Any], ...]:
    """Return the records that stood in a file.

    Raises:
        ValueError: if they are not what a training writes; says what is wrong.
    """
    checked = _objects(records, "records")
    for record in checked:
        _check_origin(record)
        if not _is_count(record.get("epoch")):
            raise ValueError(f"found {_show(record.get('epoch'))} as an epoch")
        for part in PARTS:
            figures = record.get(part, {})
            if not (isinstance(figures, dict) and all(map(is_figure, figures.values()))):
                raise ValueError(f"found {_show(figures)} under {part!r} of an epoch")
    return checked


def is_figure(value: object) -> bool:
    """Return whether a value is a number that a plot can hold, or NaN."""
    return type(value) in (int, float) and not abs(value) > LARGEST  # type: ignore[arg-type]


def _is_count(value: object) -> bool:
    """Return whether a value is a number of epochs, rounds or frames that there may be."""
    return type(value) is int and 1 <= value <= _MOST


def by_training(records: Sequence[_Record], stage: str | None = None) -> dict[str, list[_Record]]:
    """Return the records by stage and, if there are several, round.

    Args:
        records: one an epoch, in order.
        stage: the stage of all of them, where they don't name it.
    """
    several = len({record.get("round") for record in records}) > 1
    trainings: dict[str, list[_Record]] = {}
    for record in records:
        name = str(record.get("stage", stage))
        name = f"{name}, round {record.get('round')}" if several else name
        trainings.setdefault(name, []).append(record)
    return trainings


def without_times(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the records without the seconds that epochs took, which differ from run to run."""
    return [{key: each for key, each in record.items() if key != "seconds"} for record in records]


def _objects(values: object, what: str) -> tuple[dict[str, Any], ...]:
    if not (isinstance(values, list) and all(isinstance(each, dict) for each in values)):
        raise ValueError(f"found {what} that are no list of objects")
    return tuple(values)


def _check_origin(entry: _Record) -> None:
    """Raise unless stage and round are what they should be, where there are any."""
    if entry.get("stage", STAGES[0]) not in STAGES or not _is_count(entry.get("round", 1)):
        found = f"{_show(entry.get('stage'))}, round {_show(entry.get('round'))}"
        raise ValueError(f"found a training called {found}")


def _check_counts(row: _Record) -> None:
    _check_origin(row)
    counts = {name: each for name, each in row.items() if name not in ("stage", "round")}
    if "stage" not in row or not all(map(is_figure, counts.values())):
        raise ValueError(f"found patch counts {_show(row)}")


def _check_suspect(suspect: _Record) -> None:
    box = suspect.get("box")
    numbers = [*box, suspect.get("score")] if isinstance(box, list) and len(box) == 4 else []
    good = numbers and all(is_figure(each) and not math.isnan(each) for each in numbers)
    if not (good and isinstance(suspect.get("frame"), str)):
        raise ValueError(f"found a suspect {_show(suspect)}")


def _show(value: object) -> str:
    return repr(value)[:60]
