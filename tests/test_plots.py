from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from facetl.errors import OutputError
from facetl.evaluation.metrics import Curve, best_point
from facetl.evaluation.plots import (
    plot_learning_curve,
    plot_losses,
    plot_precision_recall,
    plot_scores,
    save_plot,
    svg_of,
)

NOTHING = Curve(np.zeros(0), np.zeros(0, dtype=np.bool_), 3)
SOME = Curve(np.array([0.9, 0.8, 0.7, 0.2]), np.array([True, True, False, True]), 4)
NO_FACES = Curve(np.array([0.9]), np.array([False]), 0)
LOGITS = Curve(np.array([4.0, -1.5]), np.array([True, False]), 2)
ALL_KINDS = {"some": SOME, "nothing": NOTHING, "no faces": NO_FACES, "logits": LOGITS}


def texts(figure: Figure) -> str:
    """Everything that is written in a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def epoch(number: int, validation_loss: float) -> dict[str, Any]:
    parts = {"classification": 0.1, "box": 0.02}
    return {
        "epoch": number,
        "train": {"total": 0.2, **parts},
        "validation": {"total": validation_loss, **parts, "accuracy": 0.9, "recall": 0.8},
        "seconds": 1.0,
    }


def test_the_best_f1_of_each_run_is_marked_on_its_line() -> None:
    figure = plot_precision_recall({"pretrained": SOME, "tuned": LOGITS})
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    expected = [(best_point(c).recall, best_point(c).precision) for c in (SOME, LOGITS)]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == expected  # type: ignore[index]


def test_the_legend_names_each_run_with_its_average_precision() -> None:
    # hits of 4 faces at precision 1, 1, 3/4: AP (1 + 1 + 3/4) / 4 = 0.6875
    assert "some · AP 0.688" in texts(plot_precision_recall({"some": SOME}))


def test_scores_are_counted_as_hits_and_false_alarms_in_a_panel_a_run() -> None:
    figure = plot_scores({"pretrained": SOME, "peer": LOGITS})
    assert [axes.get_title("left") for axes in figure.axes] == ["pretrained", "peer"]
    assert "hits 3" in texts(figure)
    assert "false alarms 1" in texts(figure)
    assert "best F1 at 0.20" in texts(figure)


def test_scores_outside_0_to_1_get_their_own_range() -> None:
    axes = plot_scores({"peer": LOGITS, "ours": SOME}).axes
    assert axes[0].get_xlim() == pytest.approx((-1.5, 4), abs=1e-6)
    assert axes[1].get_xlim() == (0, 1)


@pytest.mark.parametrize("curves", [ALL_KINDS, {}], ids=["all kinds", "no runs"])
def test_nothing_to_draw_is_drawn_without_a_warning(
    tmp_path: Path, curves: dict[str, Curve]
) -> None:
    save_plot(tmp_path / "a.png", plot_precision_recall(curves))
    save_plot(tmp_path / "b.png", plot_scores(curves))
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 500


def test_the_best_epoch_is_the_one_with_the_lowest_validation_loss() -> None:
    records = [epoch(number, loss) for number, loss in ((1, 0.5), (2, 0.3), (3, 0.4))]
    figure = plot_losses({"pnet": records})
    assert texts(figure).count("epoch (dashed: lowest loss, 2)") == 2
    assert "validation, classification" in texts(figure)


def test_each_training_has_a_row_of_its_own() -> None:
    figure = plot_losses({"pnet": [epoch(1, 0.5)], "rnet, round 2": [epoch(1, 0.4)]})
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles[::2] == ["pnet: loss", "rnet, round 2: loss"]


@pytest.mark.parametrize(
    "records",
    [[], [epoch(1, 0.5)], [{"epoch": 1, "train": {"total": 0.4}}]],
    ids=["none", "one", "no validation"],
)
def test_short_and_sparse_histories_are_drawn(
    tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    save_plot(tmp_path / "losses.png", plot_losses({"pnet": records}))
    assert (tmp_path / "losses.png").stat().st_size > 0


def test_a_plot_is_saved_as_picture_and_as_drawing(tmp_path: Path) -> None:
    save_plot(tmp_path / "a.b_losses.svg", plot_losses({"pnet": [epoch(1, 0.5)]}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.b_losses.png",
        "a.b_losses.svg",
    ]
    root = ElementTree.parse(tmp_path / "a.b_losses.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "pnet: loss" in [text for each in root.iter() for text in [each.text]]


def test_an_svg_is_the_same_text_each_time_and_holds_names_as_they_are() -> None:
    name = "<b> & ü"
    drawn = [svg_of(plot_precision_recall({name: SOME})) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith("<svg")
    assert drawn[0].endswith("</svg>")
    assert f"{name} · AP 0.688" in ElementTree.fromstring(drawn[0]).itertext()
    assert "metadata" not in drawn[0]


def test_two_svgs_on_one_page_can_be_told_apart() -> None:
    figure = plot_precision_recall({"some": SOME})
    inner = [
        set(re.findall(r"url\(#([^)]+)\)", svg_of(figure, name))) for name in ("first", "second")
    ]
    assert inner[0]
    assert not inner[0] & inner[1]


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    before = dict(mpl.rcParams)
    plot_scores(ALL_KINDS)
    assert dict(mpl.rcParams) == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        save_plot(tmp_path / "file" / "a.png", plot_losses({}))


def test_a_learning_curve_has_a_line_and_a_band_for_each_threshold() -> None:
    figures = {"0.3": 0.4, "0.5": 0.2}
    better = {iou: ap + 0.3 for iou, ap in figures.items()}
    table = {0: [figures], 10: [better, {"0.3": 0.9, "0.5": 0.6}], 100: [better], 400: []}
    (axes,) = plot_learning_curve(table).axes
    places = [np.asarray(line.get_xydata()) for line in axes.lines if line.get_marker() == "o"]
    assert [points[:, 0].tolist() for points in places] == [[10, 100]] * 2
    assert places[0][:, 1].tolist() == pytest.approx([0.8, 0.7])
    assert len(axes.collections) == 2
