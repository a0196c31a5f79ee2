"""The page on a search, ``report.html`` beside its results."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from facetl.evaluation.report.search_page import SearchPage, render_search_page
from facetl.files import address_from, write_text
from facetl.manifests.manifest import find_writer
from facetl.search.gallery import Gallery
from facetl.search.inputs import Inputs

REPORT = "report.html"


def write_search_page(
    out: Path,
    inputs: Sequence[Path],
    found: Inputs,
    gallery: Gallery,
    scores: Mapping[str, float],
    summaries: Sequence[str],
    command: str = "",
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

    Raises:
        OutputError: if it cannot be written.
    """
    paths = {each.name: each.path for each in (*found.images, *found.videos)}
    page = SearchPage(
        title=", ".join(path.name or str(path) for path in inputs[:3]) + ", …" * (len(inputs) > 3),
        runs=gallery.found,
        scores=scores,
        summaries=summaries,
        command=_without_score(command),
        link=cache(lambda name: address_from(out, paths.get(name))),
    )
    write_text(out / REPORT, render_search_page(page))
    return out / REPORT


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
