"""The figures of a study as rows of text, and as CSV."""

from __future__ import annotations

import csv
import io
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath

from facetl.evaluation.report.table import UNDEFINED
from facetl.experiments.results import AP, Result, Row, Spread, compared, figures_of, gather
from facetl.experiments.study import (
    USUAL,
    Group,
    Start,
    Study,
    Target,
    backbone_of,
    of_usual_strength,
)

_TITLES = {"0.3": "AP at IoU 0.3", "test_loss": "test loss", "train_loss": "training loss"}
_WHAT = {"0.5": "AP at 0.5", "accuracy": "accuracy"}
_LESS_IS_MORE = ("seconds", "test_loss")


def _headers(target: Target) -> tuple[str, ...]:
    """Return what is above the columns of a section."""
    figures = (_TITLES.get(name, name) for name in figures_of(target))
    against = f"{_WHAT[compared(target)]} against plain"
    return ("method", "learning", *figures, against, "dtnh against the sum")


_LEGEND = (
    "Means ± standard deviations over seeds; the difference to plain fine-tuning is paired by "
    "seed, ± its 95 % confidence interval, * where it is beyond that. {chosen}{what}"
)
_CHOSEN = (
    "Of chosen strength: each seed has the strength whose loss is least on the examples that it "
    "holds out of those to learn from. "
)
_OF_FACES = (
    "Photographs: AP at IoU 0.5 "
    "on variants of a portrait, which is what may be forgotten. Gap: the loss on patches held out "
    "minus that on as many learnt from."
)
_OF_NAMES = (
    "Accuracy on true boxes: over all classes, over the characters alone (named), and over the "
    "unknown (rejected). Gap: the loss on faces held out minus that on as many learnt from."
)


def legend_of(study: Study) -> str:
    """Return what must be known to read the table of a study."""
    of_names = any(map(backbone_of, study.targets))
    several = len(set(map(of_usual_strength, study.methods))) < len(study.methods)
    return _LEGEND.format(
        chosen=_CHOSEN if several else "", what=_OF_NAMES if of_names else _OF_FACES
    )


@dataclass(frozen=True)
class _Entry:
    """The text of a place in a table, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Section:
    """The methods that have target, start and number of frames in common.

    Attributes:
        title: what they have in common.
        headers: of the columns; the last of ``HEADERS`` is left out where nothing is under it.
        lines: of entries, one under each header.
    """

    title: str
    headers: tuple[str, ...]
    lines: tuple[tuple[_Entry, ...], ...]

    @property
    def header(self) -> tuple[str, ...]:
        """What is above the columns: the title above the methods."""
        return (self.title, *self.headers[1:])


def sections(rows: Sequence[Row]) -> list[Section]:
    """Return the table of a study, a section for each target, start and number of frames."""
    marked = (*AP, "photographs", "accuracy", "named", "rejected", "test_loss", "seconds")
    best = {figure: _best_rows(rows, figure) for figure in marked}
    return [
        _as_section(title, members[0].group.target, [_as_line(row, best) for row in members])
        for title, members in gather(rows, lambda row: title_of(row.group)).items()
    ]


def _best_rows(rows: Sequence[Row], figure: str) -> set[tuple[Group, bool]]:
    """Return the rows with the best mean among those of one target, start and frames."""
    better = operator.lt if figure in _LESS_IS_MORE else operator.gt
    best: dict[tuple[Target, Start, int], Row] = {}
    for row in rows:
        if figure not in row.figures:
            continue
        field = (row.group.target, row.group.start, row.group.frames)
        if field not in best or better(row.figures[figure].mean, best[field].figures[figure].mean):
            best[field] = row
    return {(row.group, row.chosen) for row in best.values()}


def as_markdown(study: Study, table: Sequence[Section]) -> str:
    """Return the table of a study as Markdown, the best of each column in bold."""
    parts = [
        f"# {study.name}",
        study.description,
        *map(_section_as_markdown, table),
        legend_of(study),
    ]
    return "\n\n".join(parts) + "\n"


def _section_as_markdown(section: Section) -> str:
    lines = [
        [f"**{each.text}**" if each.best else each.text for each in line] for line in section.lines
    ]
    widths = [max(map(len, column)) for column in zip(section.header, *lines, strict=True)]
    rule = "|".join("-" * (width + 2) for width in widths)
    first, *others = (_markdown_line(line, widths) for line in (section.header, *lines))
    return "\n".join([first, f"|{rule}|", *others])


def _markdown_line(texts: Sequence[str], widths: Sequence[int]) -> str:
    """Return a line of a table, its first column to the left and the others to the right."""
    left = texts[0].ljust(widths[0])
    right = (text.rjust(width) for text, width in zip(texts[1:], widths[1:], strict=True))
    return f"| {' | '.join([left, *right])} |"


def _as_line(row: Row, best: Mapping[str, set[tuple[Group, bool]]]) -> tuple[_Entry, ...]:
    figures = [
        _Entry(
            _show(row.figures[name], 1 if name == "seconds" else 3),
            (row.group, row.chosen) in best.get(name, set()),
        )
        for name in figures_of(row.group.target)
    ]
    name = compared(row.group.target)
    differences = [
        _Entry(_show_difference(each.get(name))) for each in (row.differences, row.against_sum)
    ]
    return (_Entry(row.name), _Entry(f"{row.trained_parameters:,}"), *figures, *differences)


def _as_section(title: str, target: Target, lines: Sequence[tuple[_Entry, ...]]) -> Section:
    headers = _headers(target)
    width = len(headers) - all(line[-1].text == UNDEFINED for line in lines)
    return Section(title, headers[:width], tuple(line[:width] for line in lines))


def title_of(group: Group) -> str:
    """Return what the cells of a section have in common, in words."""
    usual = USUAL if backbone_of(group.target) else "pretrained"
    start = "" if group.start == usual else f", {PurePath(group.start).stem} start"
    what = "faces a character" if backbone_of(group.target) else "frames"
    frames = f"{group.frames} {what}" if group.frames else f"all {what.partition(' ')[0]}"
    return f"{group.target}, {frames}{start}"


def _show(spread: Spread, digits: int = 3) -> str:
    """Return ``mean ± deviation``, or the mean alone where there is one value."""
    if math.isnan(spread.mean):
        return UNDEFINED
    mean = f"{spread.mean:.{digits}f}"
    return mean if math.isnan(spread.deviation) else f"{mean} ± {spread.deviation:.{digits}f}"


def _show_difference(difference: Spread | None) -> str:
    """Return a paired difference with its confidence interval; a star where it is beyond it."""
    if difference is None:
        return UNDEFINED
    if math.isnan(difference.half_width):
        return f"{difference.mean:+.3f}"
    star = " *" if difference.differs_from_zero else ""
    return f"{difference.mean:+.3f} ± {difference.half_width:.3f}{star}"


def cells_csv(results: Sequence[Result]) -> str:
    """Return a line for each cell, with all of its method's settings."""
    lines = [
        {
            "target": result.cell.target,
            "start": result.cell.start,
            "frames": result.cell.frames or "all",
            "seed": result.cell.seed,
            **{name: _plain_text(value) for name, value in asdict(result.cell.method).items()},
            **{
                _column(name): _rounded(result.figure(name))
                for name in figures_of(result.cell.target)
            },
            "trained_parameters": result.trained_parameters,
        }
        for result in results
    ]
    return _as_csv(lines)


def summary_csv(rows: Sequence[Row]) -> str:
    """Return a line for each group: means, deviations, differences and their intervals."""
    lines = []
    for row in rows:
        line: dict[str, object] = {
            "target": row.group.target,
            "start": row.group.start,
            "frames": row.group.frames or "all",
            "method": row.name,
            "seeds": row.figures["seconds"].count,
            "trained_parameters": row.trained_parameters,
        }
        for name in figures_of(row.group.target):
            nothing = Spread(math.nan, math.nan, 0)
            spread, difference = row.figures[name], row.differences.get(name, nothing)
            against_sum = row.against_sum.get(name, nothing)
            column = _column(name)
            line[f"{column}_mean"] = _rounded(spread.mean)
            line[f"{column}_deviation"] = _rounded(spread.deviation)
            line[f"{column}_difference"] = _rounded(difference.mean)
            line[f"{column}_half_width"] = _rounded(difference.half_width)
            line[f"{column}_against_sum"] = _rounded(against_sum.mean)
            line[f"{column}_against_sum_half_width"] = _rounded(against_sum.half_width)
        lines.append(line)
    return _as_csv(lines)


def _column(figure: str) -> str:
    return f"ap_{figure}" if figure in AP else figure


def _rounded(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.5g}"


def _plain_text(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _as_csv(lines: Sequence[dict[str, object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(lines[0]) if lines else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
