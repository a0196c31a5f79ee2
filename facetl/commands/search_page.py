"""The pages on a search beside its results: ``report.html``; of videos also ``timeline.html``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from facetl.data.characters import colours_of
from facetl.evaluation.report.search_page import SearchPage, render_search_page
from facetl.evaluation.report.timeline_page import TimelinePage, render_timeline_page
from facetl.files import address_from, write_text
from facetl.manifests.manifest import find_writer
from facetl.results.timelines import Timeline
from facetl.search.gallery import Gallery
from facetl.search.inputs import Inputs

REPORT, TIMELINE = "report.html", "timeline.html"


def write_search_page(
    out: Path,
    inputs: Sequence[Path],
    found: Inputs,
    gallery: Gallery,
    scores: Mapping[str, float],
    summaries: Sequence[str],
    command: str = "",
    characters: Sequence[str] = (),
    *,
    has_timeline: bool = False,
) -> Path:
    """Write the page into the folder of the results; return it.

    Args:
        out: the folder.
        inputs: what was asked to be searched.
        found: the images and videos that it was.
        gallery: what was kept of them.
        scores: from which score each run shows its faces.
        summaries: what each run found, in words.
        command: the command line, if there was one.
        characters: who can be recognised; each has a colour.
        has_timeline: whether there is a page on who is on screen when.

    Raises:
        OutputError: if it cannot be written.
    """
    page = SearchPage(
        title=_title_of(inputs),
        runs=gallery.found,
        scores=scores,
        summaries=summaries,
        command=_without_score(command),
        link=_linking_from(out, found),
        colours=colours_of(characters),
        beside=TIMELINE if has_timeline else None,
    )
    write_text(out / REPORT, render_search_page(page))
    return out / REPORT


def write_timeline_page(
    out: Path,
    inputs: Sequence[Path],
    found: Inputs,
    gallery: Gallery,
    timelines: Mapping[str, Sequence[Timeline]],
    characters: Sequence[str],
) -> Path:
    """Write the page on who is on screen when beside the results; return it.

    Args:
        out: the folder.
        inputs: what was asked to be searched.
        found: the images and videos that it was.
        gallery: what was kept of them.
        timelines: the videos of each run.
        characters: who can be recognised; each has a colour.

    Raises:
        OutputError: if it cannot be written.
    """
    page = TimelinePage(
        title=_title_of(inputs),
        found=timelines,
        pictures=gallery.found,
        characters=characters,
        link=_linking_from(out, found),
        beside=REPORT,
    )
    write_text(out / TIMELINE, render_timeline_page(page))
    return out / TIMELINE


def _title_of(inputs: Sequence[Path]) -> str:
    """Return what was searched, in words."""
    return ", ".join(path.name or str(path) for path in inputs[:3]) + ", …" * (len(inputs) > 3)


def _linking_from(out: Path, found: Inputs) -> Callable[[str], str | None]:
    """Return what tells the address of an image or a video, from a folder on."""
    paths = {each.name: each.path for each in (*found.images, *found.videos)}
    return cache(lambda name: address_from(out, paths.get(name)))


def is_search_page(path: Path) -> bool:
    """Return whether a file is such a page, byte for byte as it was written."""
    step = find_writer(path) if path.is_file() else None
    return step is not None and step.name in ("detect", "annotate")


def _without_score(command: str) -> str:
    words = shlex.split(command)
    if "--score" in words:
        place = words.index("--score")
        del words[place : place + 2]
    return shlex.join(word for word in words if not word.startswith("--score="))
