"""Detections written for other tools, beside the detections files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli.console import note

if TYPE_CHECKING:
    from facetl.results.detections import Run

EXPORT_NAMES = ("csv", "coco", "yolo", "npy", "cvat", "label-studio")

exports_option = click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Choice(EXPORT_NAMES),
    help="Write the detections for other tools too; repeatable. npy: the course's arrays; cvat, "
    "label-studio: to correct them there.",
)


def save_exports(
    out: Path, runs: Sequence[Run], kinds: Sequence[str], score: float | None = None
) -> None:
    """Write every run in every format, from a score on; say what was written and what not.

    Args:
        out: the folder.
        runs: what was found.
        kinds: the formats.
        score: least score of what is written; None: that of each run.
    """
    from facetl.results.exports import find_unnameable, save_export

    for run in runs:
        if names := find_unnameable(run):
            note(
                f"{run.name}: images left out of what is exported: {len(names)}, such as "
                f"{names[0]}, whose names no annotation file can hold; rename them"
            )
    shown = [run.above(run.score if score is None else score) for run in runs]
    for kind in dict.fromkeys(kinds):
        for run in shown:
            written = save_export(kind, out, run)
            click.echo(f"wrote {' and '.join(map(str, written))}")
    for run, whole in zip(shown, runs, strict=True):
        if hidden := whole.count - run.count:
            least = whole.score if score is None else score
            told = f"boxes below score {least:g}, not exported: {hidden}"
            note(f"{run.name}: {told}; --score 0 exports all")
