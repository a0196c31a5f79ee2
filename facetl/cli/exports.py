"""Detections written for other tools, beside the detections files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.cli.ending import ConsoleReporter

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
    """Write every run in every format, from a score on; say what was written and what not."""
    from facetl.results import exports

    print_exports(exports.save_exports(out, runs, kinds, score, ConsoleReporter()))


def print_exports(written: Iterable[Sequence[Path]]) -> None:
    """Print which files or folders each export is."""
    for paths in written:
        click.echo(f"wrote {' and '.join(map(str, paths))}")
