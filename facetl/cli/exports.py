"""Detections written for other tools, beside the detections files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facetl.results.export_table import EXPORTS

if TYPE_CHECKING:
    pass

EXPORT_NAMES = tuple(EXPORTS)

exports_option = click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Choice(EXPORT_NAMES),
    help="Also write the detections for other tools; repeatable. npy: the course's arrays; cvat, "
    "label-studio: for correction there.",
)


def print_exports(written: Iterable[Sequence[Path]]) -> None:
    """Print which files or folders each export is."""
    for paths in written:
        click.echo(f"wrote {' and '.join(map(str, paths))}")
