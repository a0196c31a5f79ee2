"""Options that several commands share, written once."""

from __future__ import annotations

import os
from pathlib import Path

import click

FILE_OR_FOLDER = click.Path(path_type=Path)

seed = click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of all chance."
)
force = click.option("--force", is_flag=True, help="Overwrite what is at --out.")
workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="Processes that work side by side; the result does not depend on it.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where the networks run; auto takes a GPU if there is one.",
)
on_error = click.option(
    "--on-error",
    type=click.Choice(["strict", "skip"]),
    default="strict",
    show_default=True,
    help="Bad annotation lines: stop at the end of reading, or leave them out and count them.",
)
