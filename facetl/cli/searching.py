"""With which weights is searched: shared by the commands that search."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click

from facetl.cli.options import split_name


class NamedWeights(NamedTuple):
    """A set of weights and the name of its run."""

    name: str
    source: str


def parse_weights(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[NamedWeights, ...]:
    """Split each ``NAME=FILE``; without a name a run is called after its file."""
    parsed = []
    for value in values:
        name, source = split_name(value)
        named = NamedWeights(name or Path(source).stem, source)
        if not all(named) or value.startswith("=") or Path(named.name).name != named.name:
            raise click.BadParameter(f"found {value!r}, expected NAME=FILE", ctx, param)
        parsed.append(named)
    names = [each.name for each in parsed]
    if len(set(names)) < len(names):
        raise click.BadParameter(f"found a name twice in {names}; write NAME=FILE", ctx, param)
    return tuple(parsed)
