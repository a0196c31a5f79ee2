"""``facetl explain``: pictures and numbers of how an image is searched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from numpy.typing import NDArray
from outcomes import assert_refused, cannot_draw, left_in, success
from tiny_world import shrink

from facetl.cli import main
from facetl.commands import explain as command
from facetl.data.images import load_image, save_image
from facetl.evaluation.report import trace_figures
from facetl.evaluation.report.plots import save_plot
from facetl.evaluation.report.trace_figures import (
    LEVELS_SHOWN,
    MOST_DRAWN,
    _draw_candidates,
    _draw_pyramid,
    _draw_scores,
    _draw_story,
    as_drawing,
)
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.trace import STEP_NAMES, Trace, trace_search
from facetl.mtcnn.weights import load_weights
from facetl.search.settings import Settings

PICTURES = ["candidates", "pyramid", "scores", "story"]
SETTINGS = Settings(min_face=12)


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "frame.png"
    save_image(path, shrink(draw_frame(seed=1, part="test", index=16).image))
    return path


@pytest.fixture(scope="module")
def trace(frame: Path) -> Trace:
    return trace_search(Detector.load("cartoon", "cpu"), load_image(frame), SETTINGS)


@pytest.fixture(scope="module")
def blind(frame: Path) -> Trace:
    """A trace without a level: the image is too small for the faces looked for."""
    return trace_search(Detector.load("cartoon", "cpu"), load_image(frame), Settings(min_face=500))


def explain(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["explain", "--device", "cpu", *map(str, arguments)])


def texts_of(trace: Trace) -> list[str]:
    figure = _draw_candidates({"tuned": trace})
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_pictures_and_numbers_of_both_weights(frame: Path, tmp_path: Path, trace: Trace) -> None:
    out = tmp_path / "out"
    result = success(explain(frame, "--out", out, "--min-face", "12"))
    expected = [f"{name}{suffix}" for name in PICTURES for suffix in (".png", ".svg")]
    assert left_in(out) == sorted(expected)
    for name in PICTURES:
        assert load_image(out / f"{name}.png").shape[1] >= 1400
        assert "<svg" in (out / f"{name}.svg").read_text("utf-8")
    lines = result.stdout.splitlines()
    height, width = trace.image.shape[:2]
    count = len(trace.levels)
    assert f"pretrained: frame.png, {width}×{height} pixels, {count} levels" in lines
    assert f"cartoon: frame.png, {width}×{height} pixels, {count} levels" in lines
    rows = {line[:14].strip(): line.split()[-2:] for line in lines[-10:-1]}
    assert rows["windows"] == ["pretrained", "cartoon"]
    pretrained = trace_search(Detector.load("pretrained", "cpu"), trace.image, SETTINGS)
    assert rows["PNet looks at"][0] == f"{pretrained.windows:,}"
    for step in STEP_NAMES:
        assert rows[STEP_NAMES[step]][0] == f"{len(pretrained.steps[step]):,}"
    shown = load_weights("cartoon").settings.score
    assert rows["drawn"][1] == f"{(trace.steps['onet_nms'].scores >= shown).sum():,}"
    assert rows["from score"] == ["0.7", f"{shown:g}"]
    assert "story.png" in result.stderr


@pytest.mark.usefixtures("sketched")
def test_a_picture_that_cannot_be_drawn_costs_no_other(
    frame: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (frame, "--weights", "pretrained", "--min-face", "60", "--out")
    monkeypatch.setattr(trace_figures, "_draw_scores", cannot_draw)
    result = success(explain(*arguments, tmp_path / "some"))
    assert {path.stem for path in (tmp_path / "some").glob("*.png")} == {*PICTURES} - {"scores"}
    assert "pictures that cannot be drawn, left out: 1 (" in result.stderr
    for name in PICTURES:
        monkeypatch.setattr(trace_figures, f"_draw_{name}", cannot_draw)
    result = explain(*arguments, tmp_path / "none")
    assert result.exit_code == 1
    assert "PNet looks at" in result.stdout
    assert "no picture can be drawn; try another image" in result.stderr


def test_the_same_command_writes_the_same_pictures(trace: Trace, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        sheet = as_drawing("story", _draw_story({"cartoon": trace}))
        save_plot(tmp_path / folder / "story", sheet)
    for name in ("story.png", "story.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.usefixtures("sketched")
def test_weights_against_themselves_are_one_row(frame: Path, tmp_path: Path) -> None:
    arguments = ["--weights", "pretrained", "--out", tmp_path / "out", "--min-face", "60"]
    result = success(explain(frame, *arguments))
    assert result.stdout.count("pixels, ") == 1


def test_two_weights_of_one_name_are_wrong_usage(frame: Path, tmp_path: Path) -> None:
    result = explain(frame, "--weights", "pretrained=cartoon", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "NAME=FILE" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["=cartoon", "a=", ".=cartoon"])
def test_names_of_weights_that_are_none(frame: Path, tmp_path: Path, value: str) -> None:
    result = explain(frame, "--weights", value, "--out", tmp_path / "out")
    assert result.exit_code == 2


def test_what_cannot_be_explained(frame: Path, tmp_path: Path) -> None:
    assert_refused(explain(tmp_path / "none.png", "--out", tmp_path / "out"), "none.png", "check")
    assert_refused(explain(frame.parent, "--out", tmp_path / "out"), "is a folder; give one image")
    missing = explain(frame, "--weights", tmp_path / "no.safetensors", "--out", tmp_path / "out")
    assert_refused(missing, "no such weights file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.txt").write_text("old")
    assert_refused(explain(frame, "--out", tmp_path / "full"), "exists already", "--force")


def test_an_image_that_is_too_small_is_explained_as_well(tmp_path: Path) -> None:
    save_image(tmp_path / "small.png", np.full((9, 14, 3), 90, np.uint8))
    result = success(explain(tmp_path / "small.png", "--out", tmp_path / "out"))
    assert "small.png, 14×9 pixels, 0 levels" in result.stdout
    assert len(left_in(tmp_path / "out")) == 8


def test_panels_are_named_after_steps_with_their_counts(trace: Trace) -> None:
    *steps, last = STEP_NAMES
    assert len(trace.shown) < len(trace.steps[last])
    assert texts_of(trace) == [
        *(f"{STEP_NAMES[step]}: {len(trace.steps[step]):,}" for step in steps),
        f"{STEP_NAMES[last]}: {len(trace.steps[last]):,} ({len(trace.shown):,} drawn)",
    ]


def test_each_step_shows_its_boxes(trace: Trace) -> None:
    figure = _draw_candidates({"tuned": trace})
    for axes, step in zip(figure.axes, STEP_NAMES, strict=True):
        lines = axes.collections[-1].get_segments()  # type: ignore[attr-defined]
        drawn = trace.shown if step == "onet_nms" else trace.steps[step]
        assert len(lines) == len(drawn) <= MOST_DRAWN
    corners = {tuple(corner) for line in lines for corner in np.asarray(line).tolist()}
    x1, y1, x2, y2 = trace.steps["onet_nms"].boxes[0]
    assert {(x1, y1), (x2, y2), (x1, y2), (x2, y1)} <= corners


def test_the_pyramid_shows_the_best_window_of_each_level(trace: Trace) -> None:
    left, right = _draw_pyramid(trace).axes
    assert len(left.patches) == len(right.patches) == len(trace.levels) == len(left.images)
    for level, patch in zip(trace.levels, right.patches, strict=True):
        row, column = divmod(int(level.scores.argmax()), level.scores.shape[1])
        x, y = patch.get_x(), patch.get_y()  # type: ignore[attr-defined]
        np.testing.assert_allclose([x, y], np.array([2 * column, 2 * row]) / level.scale)
        assert patch.get_width() == pytest.approx(12 / level.scale)  # type: ignore[attr-defined]


def test_heat_maps_lie_where_their_windows_do(trace: Trace) -> None:
    axes = _draw_scores({"tuned": trace}).axes
    level = axes[2]  # after the image and the best of all
    left, right, bottom, top = level.images[-1].get_extent()
    first = trace.levels[0]
    assert np.array_equal(np.asarray(level.images[-1].get_array()), first.scores)
    assert left == top == pytest.approx(5 / first.scale)
    assert right == pytest.approx((5 + 2 * first.scores.shape[1]) / first.scale)
    assert bottom == pytest.approx((5 + 2 * first.scores.shape[0]) / first.scale)
    assert len(axes) == 2 + LEVELS_SHOWN + 1  # and the scale


def test_scales_mark_the_threshold_of_each(trace: Trace) -> None:
    other = trace_search(Detector.load("cartoon", "cpu"), trace.image, Settings((0.5, 0.2, 0.2)))
    scale = _draw_scores({"a": trace, "b": other}).axes[-1]
    marks = {float(np.asarray(line.get_ydata())[0]) for line in scale.lines}
    assert marks == {SETTINGS.thresholds[0], 0.5}


@pytest.mark.parametrize("shape", [(1300, 1281, 3), (1300, 1281), (640, 900, 3), (20, 30)])
def test_large_images_are_drawn_coarser(shape: tuple[int, ...]) -> None:
    fine = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    coarse = trace_figures._coarsen(fine)
    block = 2 if shape[0] > 1279 else 1
    assert coarse.shape == (shape[0] // block, shape[1] // block, *shape[2:])
    expected = fine[6 * block : 7 * block, 8 * block : 9 * block].mean(axis=(0, 1))
    assert np.array_equal(coarse[6, 8], expected.astype(np.uint8))
    assert coarse.dtype == np.uint8


def test_where_too_many_windows_pass_the_best_are_drawn(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_figures, "MOST_DRAWN", 3)
    axes = _draw_candidates({"tuned": trace}).axes[0]
    assert axes.get_title(loc="left").endswith(f"{len(trace.steps['pnet_scan']):,} (3 drawn)")
    passed = trace.steps["pnet_scan"]
    best = passed.boxes[np.argsort(-passed.scores, kind="stable")[:3]]
    lines = axes.collections[-1].get_segments()  # type: ignore[attr-defined]
    assert {tuple(np.asarray(line)[0]) for line in lines} == {tuple(box[:2]) for box in best}


@pytest.mark.parametrize("size", [(40, 200), (200, 40)])
def test_long_images_fit(size: tuple[int, int], tmp_path: Path) -> None:
    image: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    trace = trace_search(Detector.load("pretrained", "cpu"), image, SETTINGS)
    save_plot(tmp_path / "story", as_drawing("story", _draw_story({"pretrained": trace})))
    height, width = load_image(tmp_path / "story.png").shape[:2]
    assert 0.1 < height / width < 1.2


def test_without_a_level_the_pictures_say_so(blind: Trace) -> None:
    texts = [text.get_text() for text in _draw_pyramid(blind).axes[0].texts]
    assert texts == ["160×120 pixels are too few for a face of 500"]
    assert _draw_scores({"blind": blind}).axes


def test_without_the_pretrained_weights_there_is_no_comparison(
    frame: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    result = explain(frame, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "comparing with pretrained needs facenet_pytorch, which is not" in result.stderr
    assert "pretrained:" not in result.stdout
    assert "cartoon: " in result.stdout
