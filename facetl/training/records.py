"""The records of a training, one an epoch, as the weights file keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def by_training(
    records: Sequence[Mapping[str, Any]], stage: str | None = None
) -> dict[str, list[Mapping[str, Any]]]:
    """Return the records by stage and, if there are several, round.

    Args:
        records: one an epoch, in order.
        stage: the stage of all of them, where they don't tell.
    """
    several = len({record.get("round") for record in records}) > 1
    trainings: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        name = str(record.get("stage", stage))
        name = f"{name}, round {record['round']}" if several else name
        trainings.setdefault(name, []).append(record)
    return trainings
