"""The page on a search, ``report.html`` beside its results."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from facetl.evaluation.report.search_page import SearchPage, render_search_page
from facetl.files import write_text
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
        link=cache(lambda name: _link(paths.get(name), out)),
    )
    write_text(out / REPORT, render_search_page(page))
    return out / REPORT


def is_search_page(path: Path) -> bool:
    """Return whether a file is such a page, byte for byte as it was written."""
    step = find_writer(path) if path.is_file() else None
    return step is not None and step.name in ("detect", "annotate")


def _link(path: Path | None, out: Path) -> str | None:
    """Return the address of a file from the folder of the page on; None if it has none."""
    if path is None or not path.exists():
        return None
    try:
        return quote(Path(os.path.relpath(path, out)).as_posix())
    except ValueError:  # on another drive
        return None


def _without_score(command: str) -> str:
    words = shlex.split(command)
    if "--score" in words:
        place = words.index("--score")
        del words[place : place + 2]
    return shlex.join(word for word in words if not word.startswith("--score="))
