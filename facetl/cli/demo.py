"""``facetl demo``: the whole road on the built-in cartoon."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import click

from facetl.cli import options
from facetl.cli.console import note, show_command
from facetl.files import refuse_to_overwrite


@click.command(short_help="Watch a detector learn the built-in cartoon.")
@click.option(
    "--out",
    type=options.WRITE,
    default=Path("facetl-demo"),
    metavar="FOLDER",
    help="Where everything goes.",
)
@click.option("--train", type=click.IntRange(min=2), default=120, help="Frames to learn from.")
@click.option("--test", type=click.IntRange(min=1), default=60, help="Frames to test on.")
@options.epochs_by_stage(12, 5, 4)
@options.seed
@options.force
def demo(
    out: Path, train: int, test: int, epochs: tuple[int, int, int], seed: int, force: bool
) -> None:
    """Watch a face detector learn a cartoon, in a few minutes.

    Draws frames of a made-up cartoon, retrains the first network alone and then the whole
    cascade, runs the pretrained and both fine-tuned detectors side by side on frames that none
    of them has seen, and compares them.  Every step is a command that you can give yourself; it
    is shown before it runs.

    \b
    Examples:
      facetl demo
      facetl demo --out quick --train 40 --test 20 --epochs 6 3 2
    """
    refuse_to_overwrite(out, force=force)
    began = time.perf_counter()
    for command in plan(out, train, test, epochs, seed):
        run(command, force=force)
    _say_goodbye(out, time.perf_counter() - began)


def plan(out: Path, train: int, test: int, epochs: tuple[int, int, int], seed: int) -> list[str]:
    """Return the commands of the road, from drawn frames to figures."""
    frames, patches, pnet, cascade, results = (
        shlex.quote(str(out / name))
        for name in ("cartoons", "patches", "pnet.safetensors", "cascade.safetensors", "results")
    )
    rounds = " ".join(map(str, epochs))
    return [
        f"cartoons {frames} --train {train} --test {test} --seed {seed}",
        f"prepare {frames} --out {patches} --seed {seed}",
        f"train-pnet {patches} --out {pnet} --epochs {epochs[0]} --seed {seed}",
        f"train {frames} --out {cascade} --epochs {rounds} --seed {seed}",
        f"detect {frames}/validare/validare --weights pretrained --weights pnet={pnet} "
        f"--weights whole-cascade={cascade} --overlays --truth {frames} --out {results}",
        f"evaluate {results} --truth {frames}",
    ]


def run(command: str, *, force: bool) -> None:
    """Show a command of facetl on stderr, and run it as if it had been typed."""
    note("")
    show_command(f"facetl {command}")
    arguments = shlex.split(command) + ["--force"] * force
    root = click.get_current_context().find_root().command
    root.main(arguments, prog_name="facetl", standalone_mode=False)


def _say_goodbye(out: Path, seconds: float) -> None:
    results = out / "results"
    click.echo(f"\nThe whole road took {seconds:.0f} s.  Look at:")
    click.echo(f"  {results / 'overlays'}   what all three find, side by side")
    click.echo(f"  {results / 'report.html'}   every frame, what is found and missed: in a browser")
    click.echo(f"  {results / 'precision_recall.png'}   their precision and recall")
    click.echo(f"  {out / 'patches' / 'pnet_patches.png'}   what the network learnt from")
    note("next, on your own frames: facetl train FRAMES --out cascade.safetensors")
