"""The part of a report that tells how faces were named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from facetl.data.images import Pixels, encode_jpeg
from facetl.evaluation.naming import PARTS, Confusion
from facetl.evaluation.report.page import ReportTable
from facetl.evaluation.report.table import TableRow, describe_characters
from facetl.evaluation.report.templating import as_address
from facetl.evaluation.scoring import Evaluation

_QUALITY = 85
"""Of the sheet, as JPEG."""


class NamesShown(NamedTuple):
    """How the faces of a run are named, as the page shows it.

    Attributes:
        name: of the run.
        lines: what is right, in words.
        sheet: a picture of faces named wrong and right as an address, empty without one.
        tables: who is taken for whom; the figures of each character.
    """

    name: str
    lines: Sequence[str]
    sheet: str
    tables: Sequence[ReportTable]


def describe_names(
    evaluations: Sequence[Evaluation], sheets: Mapping[str, Pixels]
) -> list[NamesShown]:
    """Return what is shown of each run that names faces.

    Args:
        evaluations: of all runs.
        sheets: (H, W, 3) RGB pictures of faces named wrong and right, by run.
    """
    return [_describe(each, sheets.get(each.name)) for each in evaluations if each.naming]


def _describe(evaluation: Evaluation, sheet: Pixels | None) -> NamesShown:
    naming = evaluation.naming
    assert naming
    parts = naming.on_true_boxes.items()
    lines = [
        *(f"{PARTS[part]}: {each.describe()}" for part, each in parts),
        f"faces found: {naming.confusion.describe()}",
    ]
    whole = naming.on_true_boxes.get("all")
    figures = [row for group in describe_characters(naming) for row in group]
    return NamesShown(
        evaluation.name,
        lines,
        "" if sheet is None else as_address(encode_jpeg(sheet, _QUALITY), "image/jpeg"),
        [
            *([_table_of(whole, "Who is taken for whom, true boxes")] if whole else []),
            _table_of(naming.confusion, "Who is taken for whom, faces found"),
            ReportTable(
                ("", "faces", "AP", "precision", "recall", "F1"),
                figures,
                "Figures of each character",
            ),
        ],
    )


def _table_of(confusion: Confusion, caption: str) -> ReportTable:
    """Return a row for each true name; what is right is marked."""
    shown = confusion.without_empty_ends()
    rows = [
        TableRow(
            name,
            tuple(f"{count}" if count else "" for count in counts),
            tuple(place == own and count > 0 for own, count in enumerate(counts)),
        )
        for place, (name, counts) in enumerate(zip(shown.rows, shown.counts.tolist(), strict=True))
    ]
    return ReportTable(("is", *(f"called {name}" for name in shown.columns)), rows, caption)
