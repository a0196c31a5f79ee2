"""The command line: one module per command; the only place where files meet functions."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from facetl.cli.adapt import adapt
from facetl.cli.annotate import annotate
from facetl.cli.cartoons import cartoons
from facetl.cli.compare import compare
from facetl.cli.console import COMMAND, printing_plainly
from facetl.cli.convert import convert
from facetl.cli.demo import demo
from facetl.cli.detect import detect
from facetl.cli.doctor import doctor
from facetl.cli.ending import describe_shortage, leave_broken_pipe, stopping_in_one_line
from facetl.cli.evaluate import evaluate
from facetl.cli.explain import explain
from facetl.cli.export import export
from facetl.cli.frames import frames
from facetl.cli.prepare import prepare
from facetl.cli.recording import leaving_manifest
from facetl.cli.stats import stats
from facetl.cli.theory import theory
from facetl.cli.train import train
from facetl.cli.train_names import train_names
from facetl.cli.train_stage import train_onet, train_pnet, train_rnet
from facetl.cli.tune import tune
from facetl.cli.verify import verify
from facetl.errors import FacetlError, InputError, describe_missing_library, printable
from facetl.interruptions import catching_signals
from facetl.version import VERSION

SECTIONS = {
    "Main commands": (
        "annotate",
        "frames",
        "train",
        "adapt",
        "train-names",
        "detect",
        "evaluate",
        "tune",
    ),
    "Training step by step": ("prepare", "train-pnet", "train-rnet", "train-onet"),
    "Inspect and compare": (
        "demo",
        "cartoons",
        "stats",
        "explain",
        "compare",
        "theory",
        "doctor",
        "verify",
    ),
    "Exchange with other tools": ("convert", "export"),
}
"""How the help groups the commands; those that are not named stand under "More"."""


class _OrderedGroup(click.Group):
    """Commands in the order in which they are used; facetl's own errors as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they were added."""
        return list(self.commands)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command line; a disk that fails or is full is reported in one line too."""
        try:
            with printing_plainly(), catching_signals():
                return super().main(*args, **extra)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else "reading or writing failed: "
            _complain(f"{place}{error.strerror or error}; see to the disk and try again")

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Make the context; in it stays the command as it was typed, for the files it writes."""
        typed = shlex.join(["facetl", *args])
        with stopping_in_one_line():
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[COMMAND] = typed
        return context

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help, section by section."""
        named = [name for names in SECTIONS.values() for name in names]
        more = tuple(name for name in self.commands if name not in named)
        for title, names in {**SECTIONS, "More": more}.items():
            rows = [(f"{name:10}", self.commands[name].get_short_help_str(60)) for name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=12, col_spacing=2)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn our errors, Ctrl-C and SIGTERM into one line and an exit code."""
        try:
            _require_current_folder()
            with stopping_in_one_line():
                return super().invoke(ctx)
        except FacetlError as error:
            _complain(str(error))
        except BrokenPipeError:
            leave_broken_pipe()
        except click.ClickException:
            raise  # click says what is wrong
        except ImportError as error:
            command_name = f"facetl {ctx.invoked_subcommand}"
            if not (complaint := describe_missing_library(error, command_name)):
                raise
            _complain(complaint)
        except Exception as error:
            command = self.commands.get(ctx.invoked_subcommand or "", self)
            names = {each.name for each in command.params}
            if not (complaint := describe_shortage(error, {name for name in names if name})):
                raise
            _complain(complaint)


def _require_current_folder() -> None:
    """Raise before the work if the current folder is gone: torch's MKL would end the process."""
    try:
        Path.cwd()
    except OSError as error:
        raise InputError(
            f"the current folder no longer exists ({error.strerror}); change to one that does, "
            "as with: cd ~"
        ) from error


def _complain(message: str) -> NoReturn:
    click.echo(f"facetl: {printable(message)}", err=True)
    sys.exit(1)


CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(cls=_OrderedGroup, context_settings=CONTEXT_SETTINGS)
@click.version_option(VERSION, prog_name="facetl")
def main() -> None:
    """Find the faces in cartoons, in images and in videos, and teach the detector your show.

    \b
    The usual steps, one command each:
      facetl detect episode.mp4    find the faces, with the detector that is built in
      facetl annotate episode.mp4  correct what it finds, in the browser: it learns
      facetl detect episode.mp4    find the faces again, with what it has learnt

    A folder of images does as well as a video.  If you have neither, facetl demo runs all steps
    on a cartoon that it draws.  facetl COMMAND --help describes each command, with examples.
    """


for command in (
    demo,
    cartoons,
    annotate,
    frames,
    train,
    adapt,
    train_names,
    prepare,
    train_pnet,
    train_rnet,
    train_onet,
    detect,
    evaluate,
    tune,
    stats,
    explain,
    compare,
    theory,
    doctor,
    verify,
    convert,
    export,
):
    main.add_command(leaving_manifest(command))
