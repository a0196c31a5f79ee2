from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox
from PIL import Image

import facetl
from facetl.data import fonts
from facetl.errors import OutputError
from facetl.evaluation.metrics import Curve, best_point
from facetl.evaluation.report.figures import shorten
from facetl.evaluation.report.plots import (
    _plot_precision_recall,
    _plot_scores,
    draw,
    plot_losses,
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
    figure = _plot_precision_recall({"pretrained": SOME, "tuned": LOGITS})
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    expected = [(best_point(c).recall, best_point(c).precision) for c in (SOME, LOGITS)]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == expected  # type: ignore[index]


def test_the_legend_names_each_run_with_its_average_precision() -> None:
    # hits of 4 faces at precision 1, 1, 3/4: AP (1 + 1 + 3/4) / 4 = 0.6875
    assert "some · AP 0.688" in texts(_plot_precision_recall({"some": SOME}))


def test_scores_are_counted_as_hits_and_false_alarms_in_a_panel_a_run() -> None:
    figure = _plot_scores({"pretrained": SOME, "peer": LOGITS})
    assert [axes.get_title("left") for axes in figure.axes] == ["pretrained", "peer"]
    assert "hits 3" in texts(figure)
    assert "false alarms 1" in texts(figure)
    assert "best F1 at 0.20" in texts(figure)


def test_scores_outside_0_to_1_get_their_own_range() -> None:
    axes = _plot_scores({"peer": LOGITS, "ours": SOME}).axes
    assert axes[0].get_xlim() == pytest.approx((-1.5, 4), abs=1e-6)
    assert axes[1].get_xlim() == (0, 1)


@pytest.mark.parametrize("curves", [ALL_KINDS, {}], ids=["all kinds", "no runs"])
def test_nothing_to_draw_is_drawn_without_a_warning(
    tmp_path: Path, curves: dict[str, Curve]
) -> None:
    save_plot(tmp_path / "a.png", _plot_precision_recall(curves))
    save_plot(tmp_path / "b.png", _plot_scores(curves))
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
    drawn = [svg_of(_plot_precision_recall({name: SOME})) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith("<svg")
    assert drawn[0].endswith("</svg>")
    assert f"{name} · AP 0.688" in ElementTree.fromstring(drawn[0]).itertext()
    assert "metadata" not in drawn[0]


def test_the_last_digits_of_the_layout_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """They differ from run to run: the solver sorts its variables by their addresses."""
    curves = {"some": SOME, "logits": LOGITS}
    steady, lay_out = draw(_plot_scores(curves)), ConstrainedLayoutEngine.execute

    def noisy(engine: ConstrainedLayoutEngine, figure: Figure) -> None:
        lay_out(engine, figure)
        for axes in figure.axes:
            places = axes.get_position(original=True).get_points()
            axes.set_position(Bbox(np.nextafter(places, rng.choice([0.0, 1.0], places.shape))))
            axes.set_in_layout(True)

    for seed in range(3):
        rng = np.random.default_rng(seed)
        monkeypatch.setattr(ConstrainedLayoutEngine, "execute", noisy)
        assert draw(_plot_scores(curves)) == steady


def test_figures_that_were_drawn_before_change_nothing() -> None:
    curves, kept = {"some": SOME, "logits": LOGITS}, []
    for _ in range(3):
        kept.append(_plot_precision_recall(ALL_KINDS))
        svg_of(kept[-1])
    drawn = {draw(_plot_scores(curves)) for _ in range(2)}
    assert len(drawn) == 1


def test_two_svgs_on_one_page_can_be_told_apart() -> None:
    figure = _plot_precision_recall({"some": SOME})
    inner = [
        set(re.findall(r"url\(#([^)]+)\)", svg_of(figure, name))) for name in ("first", "second")
    ]
    assert inner[0]
    assert not inner[0] & inner[1]


@pytest.mark.parametrize("backend", ["agg", "svg"])
def test_drawing_leaves_matplotlibs_settings_alone(tmp_path: Path, backend: str) -> None:
    with mpl.rc_context({"font.size": 7.0}):
        mpl.rcParams["backend"], usual = backend, mpl.rcParams["backend"]
        before = dict(mpl.rcParams)
        save_plot(tmp_path / "a.png", _plot_scores(ALL_KINDS))
        assert dict(mpl.rcParams) == before
        assert mpl.rcParams["backend"] == backend
        mpl.rcParams["backend"] = usual


# ---- whatever the user's settings are

DRAW = """
import sys
from pathlib import Path
import numpy as np
from facetl.evaluation.metrics import Curve
from facetl.evaluation.report.plots import _plot_precision_recall, save_plot
curve = Curve(np.array([0.9, 0.8, 0.7, 0.2]), np.array([True, True, False, True]), 4)
save_plot(Path(sys.argv[1]), _plot_precision_recall({"some": curve}))
import matplotlib
assert "matplotlib.pyplot" not in sys.modules
print(matplotlib.rcParams["backend"], matplotlib.rcParams["font.size"])
"""


def draw_in(folder: Path, **environment: str) -> tuple[str, str, bytes, bytes]:
    """Draw in a process of its own; return what is told and written."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRAW, "a.png"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(facetl.__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    drawn = [(folder / name).read_bytes() for name in ("a.png", "a.svg")]
    return done.stdout.strip(), done.stderr, drawn[0], drawn[1]


@pytest.mark.parametrize(
    ("environment", "settings", "left"),
    [
        ({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}, b"", "agg 10.0"),
        ({"MPLBACKEND": "Qt4Agg"}, b"", "agg 10.0"),
        ({"MPLBACKEND": "svg"}, b"text.usetex: True\nfont.size: 30\n", "svg 30.0"),
        ({}, b"savefig.dpi: 40\nno sense\nbackend: Qt4Agg\nsavefig.bbox: tight", "agg 10.0"),
        ({}, "# caf\xe9\nfont.size: 30\n".encode("latin-1"), "agg 10.0"),
        ({"MPLCONFIGDIR": "/dev/null/none"}, b"", "agg 10.0"),
    ],
    ids=["inline", "Qt4Agg", "usetex", "no sense", "Latin-1", "no place"],
)
def test_plots_are_the_same_whatever_the_users_settings_are(
    tmp_path: Path, environment: dict[str, str], settings: bytes, left: str
) -> None:
    (tmp_path / "matplotlibrc").write_bytes(settings)
    told, errors, png, svg = draw_in(tmp_path, **{"MPLBACKEND": "agg", **environment})
    assert errors == ""
    assert told.replace(environment.get("MPLBACKEND", "agg"), left.split()[0]) == left
    save_plot(tmp_path / "here.png", _plot_precision_recall({"some": SOME}))
    assert png == (tmp_path / "here.png").read_bytes()
    assert svg == (tmp_path / "here.svg").read_bytes()


def test_settings_that_change_meanwhile_change_no_plot(tmp_path: Path) -> None:
    save_plot(tmp_path / "a.png", _plot_scores({"some": SOME}))
    with mpl.rc_context({"text.usetex": True, "savefig.dpi": 30, "font.family": "cursive"}):
        save_plot(tmp_path / "b.png", _plot_scores({"some": SOME}))
    for suffix in (".png", ".svg"):
        written = [(tmp_path / f"{name}{suffix}").read_bytes() for name in "ab"]
        assert written[0] == written[1]


# ---- names of all kinds


@pytest.mark.parametrize(
    "name",
    [
        "\x1b[31mred\x07\n",
        "\udcff",
        "$\\frac{1}{$",
        "$x$ _y_ ^z",
        "_hidden",
        "日本の子",
        "n" * 255,
        "\uffff",
    ],
)
def test_names_of_all_kinds_are_shown_and_the_drawing_is_sound(tmp_path: Path, name: str) -> None:
    save_plot(tmp_path / "a.png", _plot_precision_recall({name: SOME}))
    save_plot(tmp_path / "b.png", _plot_scores({name: SOME}))
    save_plot(tmp_path / "c.png", plot_losses({name: [epoch(1, 0.5)]}))
    for path in tmp_path.glob("*.svg"):
        words = "".join(ElementTree.parse(path).getroot().itertext())
        assert shorten(name) in words
        assert all(each.isprintable() or each == "\n" for each in words)


def build_font(path: Path, letters: str, family: str) -> Path:
    """Write a font in which every letter is a square."""
    pen = TTGlyphPen(None)
    for place in ((0, 0), (0, 700), (700, 700), (700, 0)):
        pen.lineTo(place) if place != (0, 0) else pen.moveTo(place)
    pen.closePath()
    names = [".notdef", *(f"u{ord(letter):x}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):x}" for letter in letters})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800)
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture
def other_font(tmp_path: Path) -> Iterator[Path]:
    """A font that is installed, with letters that no usual one has."""
    path = build_font(tmp_path / "other.ttf", "\U000e0100\U0001f9ff日", "Squares Of Ours")
    before = list(fontManager.ttflist)
    fontManager.addfont(path)
    yield path
    fontManager.ttflist[:] = before


def test_a_font_that_has_the_letters_is_chosen(
    other_font: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_families", lambda: ["Squares Of Ours"])
    assert fonts.fallback_families(["plain", "ü ж"]) == []
    assert fonts.fallback_families(["\U0001f9ff"]) == ["Squares Of Ours"]
    assert fonts.font_file("\U0001f9ff") == (str(other_font), 0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        save_plot(tmp_path / "a.png", _plot_scores({"\U0001f9ff": SOME}))
    assert said == []
    assert "Squares Of Ours" in (tmp_path / "a.svg").read_text()


def test_other_fonts_are_left_alone_where_the_usual_one_will_do() -> None:
    assert fonts.font_file("plain") is None
    assert Path(fonts.font_file("Jörg, Ζωή, Вера")[0]).name == "DejaVuSans.ttf"  # type: ignore[index]
    assert fonts.fallback_families(["\U0010ffff"]) == []  # which no font has


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        save_plot(tmp_path / "file" / "a.png", plot_losses({}))
