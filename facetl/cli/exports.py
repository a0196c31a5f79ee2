"""Detections written for other tools, beside the detections files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli.console import note

if TYPE_CHECKING:
    from facetl.mtcnn.detections import Run

EXPORT_NAMES = ("csv", "coco", "yolo", "npy", "cvat", "label-studio")

exports_option = click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Choice(EXPORT_NAMES),
    help="Write the detections for other tools too; repeatable. npy: the course's arrays; cvat, "
    "label-studio: to correct them there.",
)


def save_exports(out: Path, runs: Sequence[Run], kinds: Sequence[str]) -> None:
    """Write every run in every format; say what was written."""
    from facetl.evaluation.exports import find_unnameable, save_export

    for run in runs:
        if names := find_unnameable(run):
            note(
                f"{run.name}: images left out of what is exported: {len(names)}, such as "
                f"{names[0]}, whose names no annotations can say; rename them"
            )
    for kind in dict.fromkeys(kinds):
        for run in runs:
            written = save_export(kind, out, run)
            click.echo(f"wrote {' and '.join(map(str, written))}")
