"""``facetl annotate``: a page in the browser, from an episode to its own detector."""

from __future__ import annotations

from pathlib import Path

import click

from facetl.cli import options
from facetl.cli.console import note, suggest
from facetl.cli.ending import ConsoleReporter
from facetl.cli.train import parse_duration
from facetl.commands.requests import AnnotateRequest
from facetl.data.project import is_project, place_beside
from facetl.reporting import plural


def _place_project(
    context: click.Context, parameter: click.Parameter, out: Path | None
) -> Path | None:
    """Return where the project is: what was given is one, or it goes beside what was given."""
    paths = context.params.get("sources", ())
    if out is not None or not paths:
        return out
    path: Path = paths[0]
    if len(paths) == 1 and is_project(path):
        return path
    options.require_one_place(paths, "SOURCES", "the project goes")
    return place_beside(path)


@options.command(
    AnnotateRequest,
    "Annotate frames in the browser, retrain, look.",
    "sources out count budget | ...",
    parse={"budget": parse_duration},
    callbacks={"out": _place_project},
)
def annotate(request: AnnotateRequest) -> None:
    """Correct in the browser what the detector finds in your video, so that it learns your show.

    \b
    Examples:
      facetl annotate episode.mp4
      facetl annotate episode.mp4 --count 100
      facetl annotate episode.faces

    Opens a page with those frames (single pictures) of SOURCES, videos or folders of images, that
    teach most.  You confirm or correct the suggested boxes, by keys alone if you like.  The page
    then retrains the detector, says how many faces it finds before and after, and searches
    everything.  Everything is saved at once; the same command resumes, and picks more frames.

    In detail:

    One frame of each shot is picked first, and those next of which the detector is most in doubt.
    All is kept in a project: a folder that facetl train and facetl detect know.

    The page is for this machine and for whoever knows its address: nobody else is answered.
    """
    from facetl.commands.annotate import annotate as run

    def opened(address: str) -> None:
        note(f"annotating in {request.out}; Ctrl-C ends it, everything is saved")
        click.echo(address)
        if request.browser:
            _open_browser(address)

    result = run(request, opened, ConsoleReporter())
    click.echo(
        f"{plural(result.done, 'frame')} done, {result.waiting} waiting, {result.skipped} skipped "
        f"in {request.out}"
    )
    suggest("annotate", request.out, why="to resume")


def _open_browser(address: str) -> None:
    """Open an address; where there is no browser, whoever reads the address opens it."""
    import webbrowser

    try:
        webbrowser.open(address)
    except (OSError, webbrowser.Error):
        note("found no browser; open the address by hand")
