"""Commands parsed as the shell would have them parsed, without being run."""

from __future__ import annotations

import click

from facetl.cli import main


def parse(*arguments: str) -> click.Context:
    """Return the context of ``facetl ARGUMENTS``; raise what click raises for wrong usage.

    The command always gets its parent: click remembers a command's help option from the first
    context that asks for it, and one without the parent's settings would know no ``-h``.
    """
    parent = main.make_context("facetl", list(arguments))
    name, command, rest = main.resolve_command(parent, [*parent._protected_args, *parent.args])
    assert command is not None, name
    return command.make_context(name, rest, parent=parent)
