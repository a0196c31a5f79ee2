"""Studies: descriptions, tasks, cells, figures."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from signal import SIGINT
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib.figure import Figure
from outcomes import PATIENCE, assert_refused, cannot_draw, left_in, success
from parameters import same_values
from tiny_world import save_frames

from facetl.cli import main
from facetl.commands.compare import hold_out, save_plots
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.errors import FacetlError, InputError
from facetl.evaluation.report import plots
from facetl.experiments import scheduler
from facetl.experiments.description import _built_in_studies, load_study
from facetl.experiments.plots import plot_study
from facetl.experiments.results import Result as CellResult
from facetl.experiments.results import Spread, load_results, summarise
from facetl.experiments.runner import _invert, _measure_ap, _shuffle_labels, do_task
from facetl.experiments.scheduler import run
from facetl.experiments.setup import Setup
from facetl.experiments.study import (
    PLAIN,
    Cell,
    CropTask,
    Group,
    PatchTask,
    StartTask,
    Study,
    Task,
    _slug,
    describe_method,
    plan_tasks,
)
from facetl.experiments.tables import _best_rows, cells_csv, sections, summary_csv
from facetl.manifests.fingerprints import fingerprint_file
from facetl.manifests.manifest import Step, add_step
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import load_weights
from facetl.recognition.backbones import arrays_of, build_backbone
from facetl.recognition.names_file import NamesWeights, load_names
from facetl.recognition.settings import NamingSettings
from facetl.reporting import Reporter
from facetl.training.initialisation import build_starting_network
from facetl.training.loop import train
from facetl.training.patches import load_patches
from facetl.training.plan import CascadePlan
from facetl.training.sampling import Label
from facetl.training.stages import STAGE_FACTS
from facetl.training.time_estimate import TYPICAL
from facetl.training.transfer import Transfer

pytestmark = pytest.mark.usefixtures("sketched")

HELD = Transfer(regulariser="l2-sp", alpha=0.1)
TAMED = replace(HELD, gradient_rule="dtnh")

TOML = """
description = "A small one"
stages = ["pnet", "rnet"]
frames = [4, "all"]
seeds = [1, 2]
starts = ["pretrained", "shuffled"]

[epochs]
pnet = 3

[[methods]]
strategy = ["head", "scratch"]

[[methods]]
regulariser = "l2-sp"
alpha = [0.1, 1]
gradient_rule = ["sum", "dtnh"]

[[methods]]
strategy = "gradual"
phase_rates = [[1e-3, 1e-4, 1e-5], [3e-3, 2e-3, 1e-3]]

[[methods]]
regulariser = "feature-map"
feature_layers = ["conv2", "conv3"]
"""


class Notes(Reporter):
    """Remembers what a command reports."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, message: str) -> None:
        self.heard.append(message)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# Descriptions


def test_a_study_is_unfolded_from_its_file(tmp_path: Path) -> None:
    study = load_study(write(tmp_path / "small.toml", TOML))
    assert (study.name, study.description) == ("small", "A small one")
    assert study.targets == ("pnet", "rnet")
    assert study.frames == (4, 0)
    assert study.seeds == (1, 2)
    assert study.epochs == {"pnet": 3, "rnet": 8, "onet": 10}
    assert [_slug(method) for method in study.methods] == [
        "full", "head", "scratch", "full-l2-sp-a0.1", "full-l2-sp-a0.1-dtnh", "full-l2-sp-a1",
        "full-l2-sp-a1-dtnh", "gradual", "gradual-rates0.003+0.002+0.001",
        "full-feature-map-a0.01-layersconv2+conv3",
    ]  # fmt: skip


def test_every_cell_has_a_name_of_its_own(tmp_path: Path) -> None:
    cells = load_study(write(tmp_path / "small.toml", TOML)).cells
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names)
    # stages × frames × seeds × (starts × methods, but from scratch once)
    assert len(names) == 2 * 2 * 2 * (2 * 10 - 1)
    assert {cell.start for cell in cells if cell.method.strategy == "scratch"} == {"pretrained"}
    assert cells[0] == Cell("pnet", "pretrained", 4, 1)
    assert cells[-1].frames == 0


def test_methods_are_told_in_words() -> None:
    told = {
        PLAIN: "plain fine-tuning",
        Transfer(strategy="head"): "head",
        TAMED: "l2-sp α 0.1, dtnh",
        replace(HELD, reset_head=True, beta=0.5): "new head, l2-sp α 0.1 β 0.5",
        replace(HELD, decay=0.9): "l2-sp α 0.1, decay 0.9",
    }
    for method, words in told.items():
        assert describe_method(method) == words


def test_counts_that_there_are_not_become_all() -> None:
    study = Study("s", "", ("pnet",), ("pretrained",), (5, 20, 50, 0), (1,), (PLAIN,))
    assert study.limited_to(20).frames == (5, 0)
    assert study.limited_to(21).frames == (5, 20, 0)


@pytest.mark.parametrize("name", _built_in_studies())
def test_the_built_in_studies_can_be_read(name: str) -> None:
    study = load_study(name)
    assert study.description.endswith((".", "?"))
    assert len(study.seeds) >= 3
    assert study.methods[0] == PLAIN
    assert name in (main.commands["compare"].help or "")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("frames = [1]", "found 1 in frames, expected a whole number from 2 on"),
        ("frames = []", "found frames = [], expected a list"),
        ('frames = ["some"]', "found 'some' in frames"),
        ("seeds = [true]", "found True in seeds"),
        ('stages = ["qnet"]', "found 'qnet' in stages, expected some of pnet, rnet, onet, cascade"),
        ('starts = ["mirrored"]', "found 'mirrored' in starts"),
        ("speed = 3", "found the key 'speed'"),
        ("description = 3", "found the description 3"),
        ("[epochs]\nqnet = 3", "found epochs = {'qnet': 3}"),
        ("[epochs]\npnet = 0", "found 0 in epochs"),
        ("methods = 3", "found methods = 3, expected tables"),
        ("[[methods]]\ntemper = 1", "found 'temper' in a method"),
        ('[[methods]]\nalpha = "much"', "found alpha = 'much' in a method"),
        ("[[methods]]\nalpha = -1", "found alpha -1"),
        ("[[methods]]\nalpha = []", "found alpha = [] in a method, expected something like 0.01"),
        ("[[methods]]\nalpha = true", "found alpha = True"),
        ('[[methods]]\nreset_head = "no"', "found reset_head = 'no'"),
        ('[[methods]]\nfeature_layers = "conv2"', "found feature_layers = 'conv2'"),
        ("[[methods]]\nphase_rates = 0.1", "found phase_rates = 0.1"),
        (
            '[[methods]]\nregulariser = "feature-map"\nfeature_layers = ["dense5"]',
            "found the feature layer 'dense5', the network has conv1",
        ),
        ('[[methods]]\nstrategy = "half"', "found strategy 'half', expected one of full"),
        ("stages = [", "not readable as TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, wrong: str, told: str) -> None:
    path = write(tmp_path / "wrong.toml", wrong)
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_a_study_that_is_not_there_is_said() -> None:
    with pytest.raises(InputError, match=r"nowhere: no such study; .* one of .*never-hurt"):
        load_study("nowhere")


def test_values_without_effect_make_no_methods_of_their_own(tmp_path: Path) -> None:
    text = """
    [[methods]]
    regulariser = ["none", "l2-sp"]
    alpha = [0.1, 0.12345678, 0.12345679]
    beta = [0.1, 1]
    phase_epochs = [[1, 1, 1], [5, 5, 15]]
    """
    methods = load_study(write(tmp_path / "idle.toml", text)).methods
    assert [_slug(method) for method in methods] == [
        "full", "full-l2-sp-a0.1", "full-l2-sp-a0.12345678", "full-l2-sp-a0.12345679"
    ]  # fmt: skip


# Tasks


def test_a_stage_needs_patches_and_plain_stages_before_it() -> None:
    cell = Cell("rnet", "shuffled", 4, 1, HELD)
    plain = Cell("pnet", "pretrained", 4, 1)
    patches, start = PatchTask("rnet", 4, 1), StartTask("rnet", "shuffled", 4, 1)
    assert plan_tasks([cell])[cell] == {patches, start, plain}
    assert plan_tasks([cell]) == {
        cell: {patches, start, plain},
        start: {patches},
        patches: {plain},
        plain: {PatchTask("pnet", 4, 1)},
        PatchTask("pnet", 4, 1): set(),
    }
    assert cell.plain == Cell("rnet", "shuffled", 4, 1)


def test_a_cascade_needs_nothing() -> None:
    assert plan_tasks([Cell("cascade", "pretrained", 4, 1, HELD)]).popitem()[1] == set()


# Figures


def test_a_spread_has_students_interval() -> None:
    spread = Spread.of([1.0, 2.0, 3.0])
    assert (spread.mean, spread.deviation) == (2.0, 1.0)
    assert spread.half_width == pytest.approx(4.302653 / math.sqrt(3))  # t of 2 degrees, 97.5 %
    assert not spread.differs_from_zero
    assert Spread.of([1.0, 1.1, 0.9]).differs_from_zero
    single = Spread.of([4.0])
    assert math.isnan(single.deviation)
    assert math.isnan(single.half_width)
    assert not single.differs_from_zero


def made_up(cell: Cell, ap: float) -> CellResult:
    records = [
        {
            "stage": "pnet",
            "epoch": epoch,
            "train": {"total": 1 / epoch, **({"penalty": 0.1} if cell.method.holds else {})},
            "learnt": {"total": 1 / epoch},
            "validation": {"total": 1 / epoch + 0.1},
            **({"angles": ANGLES} if cell.method.holds else {}),
        }
        for epoch in (1, 2)
    ]
    figures = {**dict.fromkeys(("0.3", "0.5", "0.7", "0.5:0.95"), ap), "photographs": 1 - ap}
    return CellResult(cell, figures, 10 * ap, 6632, records)


ANGLES = {
    "gradient_penalty": 100.0,
    "direction_gradient": 10.0,
    "direction_penalty": 90.0,
    "conflicts": 0.75,
}


def made_up_results() -> list[CellResult]:
    """Return plain tuning at 0.5, 0.6, 0.7 by seed; held is 0.1 better, tamed 0.01 worse or so."""
    by_method = {PLAIN: (0.5, 0.6, 0.7), HELD: (0.6, 0.7, 0.8), TAMED: (0.4, 0.62, 0.69)}
    return [
        made_up(Cell("pnet", "pretrained", 25, seed, method), ap)
        for method, values in by_method.items()
        for seed, ap in enumerate(values, 1)
    ]


def test_rows_have_means_and_paired_differences() -> None:
    plain, held, tamed = summarise(made_up_results())
    assert plain.figures["0.5"].mean == pytest.approx(0.6)
    assert plain.figures["0.5"].deviation == pytest.approx(0.1)
    assert plain.figures["gap"].mean == pytest.approx(0.1)
    assert plain.differences == {}
    # paired: every seed gains 0.1, whatever the seeds differ among themselves
    assert held.differences["0.5"].mean == pytest.approx(0.1)
    assert held.differences["0.5"].differs_from_zero
    assert tamed.differences["0.5"].mean == pytest.approx(-0.03)
    assert not tamed.differences["0.5"].differs_from_zero
    assert _best_rows([plain, held, tamed], "0.5") == {(held.group, False)}
    assert _best_rows([plain, held, tamed], "photographs") == {(tamed.group, False)}
    assert _best_rows([plain, held, tamed], "seconds") == {(tamed.group, False)}
    assert tamed.against_sum["0.5"].mean == pytest.approx(-0.13)
    assert held.against_sum == {}
    with pytest.raises(KeyError):
        made_up(Cell("pnet", "pretrained", 25, 1), 0.5).figure("0.9")
    assert held.group.plain == plain.group == Group("pnet", "pretrained", 25, PLAIN)


def test_each_seed_has_the_strength_that_its_held_out_examples_prefer() -> None:
    weak, strong = replace(HELD, alpha=0.001), replace(HELD, alpha=0.1)
    loss = {(weak, 1): 0.3, (strong, 1): 0.2, (weak, 2): 0.1, (strong, 2): 0.4, (weak, 3): 0.1}
    ap = {(weak, 1): 0.9, (strong, 1): 0.5, (weak, 2): 0.6, (strong, 2): 0.8, (weak, 3): 0.9}
    plain = [made_up(Cell("pnet", "pretrained", 25, seed), 0.4) for seed in (1, 2, 3)]
    held = [made_up(Cell("pnet", "pretrained", 25, seed, how), ap[how, seed]) for how, seed in loss]
    for result in held:
        result.records[-1]["validation"]["total"] = loss[result.cell.method, result.cell.seed]
    *alone, chosen = summarise(plain + held)
    assert [row.chosen for row in alone] == [False] * 3
    assert chosen.chosen
    assert chosen.figures["0.5"] == Spread.of([0.5, 0.6])  # the third seed has one strength alone
    assert chosen.differences["0.5"].mean == pytest.approx(0.15)
    assert chosen.name == f"{HELD.regulariser} of chosen strength"
    (section,) = sections([*alone, chosen])
    assert [line[0].text for line in section.lines][-1] == chosen.name
    assert chosen.name in summary_csv([*alone, chosen])
    assert "sensitivity" in dict(plot_study(plain + held, [*alone, chosen]))


def test_the_table_marks_the_best_and_what_is_beyond_chance() -> None:
    (section,) = sections(summarise(made_up_results()))
    assert section.title == "pnet, 25 frames"
    plain, held, tamed = section.lines
    assert plain[0].text == "plain fine-tuning"
    assert plain[1].text == "6,632"
    assert plain[3].text == "0.600 ± 0.100"
    assert plain[-2].text == plain[-1].text == held[-1].text == "–"
    assert held[3].best
    assert not plain[3].best
    assert held[-2].text == "+0.100 ± 0.000 *"
    assert tamed[-2].text.startswith("-0.030 ± 0.1")
    assert not tamed[-2].text.endswith("*")
    assert tamed[-1].text.startswith("-0.130 ± ")


def test_tables_as_csv() -> None:
    results = made_up_results()
    cells = list(csv.DictReader(io.StringIO(cells_csv(results))))
    assert len(cells) == 9
    assert cells[0]["ap_0.5"] == "0.5"
    assert cells[8]["gradient_rule"] == "dtnh"
    assert cells[8]["phase_epochs"] == "5 5 15"
    groups = list(csv.DictReader(io.StringIO(summary_csv(summarise(results)))))
    assert [group["seeds"] for group in groups] == ["3", "3", "3"]
    assert groups[0]["ap_0.5_difference"] == ""
    assert groups[1]["ap_0.5_difference"] == "0.1"
    assert set(groups[0]) >= {f"{name}_mean" for name in ("ap_0.3", "photographs", "seconds")}


def texts_of(figure: Figure) -> str:
    texts = [axes.get_title("left") for axes in figure.axes]
    texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join(texts)


def test_plots_show_what_there_is() -> None:
    results = made_up_results()
    drawn = {name: plot() for name, plot in plot_study(results, summarise(results))}
    assert list(drawn) == [
        "strategies", "sensitivity", "learning_curves_pnet_pretrained_25",
        "angles_pnet_pretrained_25", "empirical_loss_pnet_pretrained_25",
    ]  # fmt: skip
    assert "pnet, 25 frames" in texts_of(drawn["strategies"])
    assert "l2-sp, dtnh" in texts_of(drawn["sensitivity"])
    assert "75% in conflict" in texts_of(drawn["angles_pnet_pretrained_25"])
    assert "dtnh" in texts_of(drawn["empirical_loss_pnet_pretrained_25"])
    assert "gap +0.100" in texts_of(drawn["learning_curves_pnet_pretrained_25"])
    lines = drawn["empirical_loss_pnet_pretrained_25"].axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["plain fine-tuning", "sum", "dtnh"]
    np.testing.assert_allclose(lines[0].get_ydata(), [1, 0.5])  # type: ignore[arg-type]
    bars = drawn["strategies"].axes[0].containers[-1]
    assert len(bars) == 3


def test_plots_that_cannot_be_drawn_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plots, "save_plot", cannot_draw)
    results, notes = made_up_results(), Notes()
    save_plots(lambda ending: tmp_path / f"held{ending}", results, summarise(results), notes)
    assert "pictures that cannot be drawn, left out: 5 (" in notes.heard[0]
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_plotted_of_what_no_method_has() -> None:
    results = [made_up(Cell("pnet", "pretrained", 25, 1), 0.5)]
    assert [name for name, _ in plot_study(results, summarise(results))] == [
        "strategies",
        "learning_curves_pnet_pretrained_25",
    ]


# Cells, on a tiny world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small drawn frames with annotations."""
    return save_frames(tmp_path_factory.mktemp("world"), 12)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few patches, so that a cell takes a second."""
    for stage, facts in STAGE_FACTS.items():
        few = replace(facts.recipe, positives=3, parts=2, negatives=4)
        monkeypatch.setitem(STAGE_FACTS, stage, replace(facts, recipe=few, least_patches=1))
    monkeypatch.setattr(scheduler, "measure_speed", lambda *_: TYPICAL)
    monkeypatch.setattr(CascadePlan, "enriched", lambda plan, *_: plan)


def make_setup(world: Path, folder: Path) -> Setup:
    frames = load_dataset(world).frames
    epochs = {"pnet": 2, "rnet": 1, "onet": 1}
    return Setup(folder, FaceDataset(frames[:8]), FaceDataset(frames[8:]), epochs)


@pytest.fixture
def setup(world: Path, tmp_path: Path, small: None) -> Setup:
    return make_setup(world, tmp_path / "lab")


@pytest.mark.parametrize("epochs", [7, 10, 12, 40])
def test_all_methods_see_as_many_patches_of_the_same_frames(
    world: Path, tmp_path: Path, epochs: int
) -> None:
    setup = replace(make_setup(world, tmp_path), epochs=dict.fromkeys(STAGES, epochs))
    methods = [PLAIN, HELD, Transfer(strategy="gradual"), Transfer(strategy="head")]
    plans = [setup.plan(6, 1, method) for method in methods]
    for plan in plans:
        assert (
            plan.choose_frames(setup.train_frames).frames
            == plans[0].choose_frames(setup.train_frames).frames
        )
        for stage in STAGES:
            ours, plain = plan.stages[stage], plans[0].stages[stage]
            assert ours.recipe == plain.recipe
            assert ours.training.total_epochs == plain.training.total_epochs
            # few frames: more windows of each, and more epochs
            assert ours.recipe.positives > STAGE_FACTS[stage].recipe.positives
            assert epochs <= ours.training.total_epochs <= 3 * epochs


def test_more_frames_hold_the_fewer_ones(world: Path, tmp_path: Path) -> None:
    setup = make_setup(world, tmp_path)
    few, more = (
        {frame.name for frame in setup.plan(count, 2).choose_frames(setup.train_frames)}
        for count in (3, 6)
    )
    assert few < more


def test_a_cell_leaves_weights_and_figures(setup: Setup) -> None:
    cells = [Cell("pnet", "pretrained", 6, 1), Cell("pnet", "pretrained", 6, 1, TAMED)]
    done = list(run(plan_tasks(cells), setup, workers=1))
    assert set(done) == {PatchTask("pnet", 6, 1), *cells}
    plain, tamed = load_results(setup, cells)
    assert plain.trained_parameters == 6632
    assert plain.figures.keys() == {"0.3", "0.5", "0.7", "0.5:0.95", "photographs"}
    assert 0 <= plain.figure("photographs") <= 1
    assert plain.figure("seconds") > 0
    assert "angles" in tamed.records[1]
    assert list(load_weights(setup.weights_of(cells[1])).stages) == ["pnet"]
    content = json.loads(setup.file_of(cells[1]).read_text(encoding="utf-8"))
    assert content["cell"]["method"]["gradient_rule"] == "dtnh"


def test_what_is_done_is_not_done_again(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [Cell("pnet", "pretrained", 6, 1)]
    list(run(plan_tasks(cells), setup, workers=1))
    before = setup.file_of(cells[0]).read_bytes()

    def never(*_: Any) -> None:
        raise AssertionError("did a task twice")

    monkeypatch.setattr("facetl.experiments.scheduler.do_task", never)
    assert len(list(run(plan_tasks(cells), setup, workers=1))) == 2
    assert setup.file_of(cells[0]).read_bytes() == before


def test_later_stages_stand_behind_plain_ones(setup: Setup) -> None:
    cell = Cell("onet", "pretrained", 6, 1, Transfer(strategy="head"))
    tasks = list(run(plan_tasks([cell]), setup, workers=1))
    names = [task.name for task in tasks]
    assert names.index("rnet_6f_seed1") > names.index("pnet_pretrained_6f_seed1_full")
    assert names.index("onet_6f_seed1") > names.index("rnet_pretrained_6f_seed1_full")
    assert load_patches(setup.file_of(PatchTask("onet", 6, 1)), "onet").size == 48
    assert load_results(setup, [cell])[0].trained_parameters == 1542


def test_a_whole_cascade_is_a_cell(setup: Setup) -> None:
    cell = Cell("cascade", "pretrained", 6, 1, HELD)
    do_task(cell, setup)
    (result,) = load_results(setup, [cell])
    assert [record["stage"] for record in result.records] == ["pnet", "pnet", "rnet", "onet"]
    assert result.trained_parameters == 6632 + 100178 + 389040
    assert not list((setup.folder / "work").glob("*"))
    assert result.seconds == pytest.approx(sum(record["seconds"] for record in result.records))
    with pytest.raises(InputError, match="shuffled for a whole cascade"):
        do_task(replace(cell, start="shuffled"), setup)


def test_inappropriate_starts_have_learnt_nonsense(setup: Setup) -> None:
    patched = PatchTask("pnet", 6, 1)
    do_task(patched, setup)
    patches = load_patches(setup.file_of(patched))
    taught = {"shuffled": _shuffle_labels(patches, 1), "inverted": _invert(patches)}
    spoilt = {}
    for kind, wrong in taught.items():
        start = StartTask("pnet", kind, 6, 1)
        do_task(start, setup)
        spoilt[kind] = load_weights(setup.file_of(start)).stages["pnet"]
        network = build_starting_network("pnet", "pretrained", 1)
        *_, last = train(network, "pnet", wrong, setup.settings("pnet", 6, 1))
        for name, tensor in last.weights.items():
            assert same_values(tensor, spoilt[kind][name])
    shuffled, inverted = (spoilt[kind]["conv1.weight"] for kind in ("shuffled", "inverted"))
    assert not same_values(shuffled, inverted)


def test_spoilt_patches(setup: Setup) -> None:
    do_task(PatchTask("pnet", 6, 1), setup)
    patches = load_patches(setup.file_of(PatchTask("pnet", 6, 1)))
    shuffled, inverted = _shuffle_labels(patches, 1), _invert(patches)
    assert shuffled.counts == patches.counts
    assert (shuffled.labels != patches.labels).any()
    faceless = shuffled.labels == Label.NEGATIVE
    assert not shuffled.offsets[faceless].any()  # offsets go along with their labels
    assert (inverted.pixels.astype(int) + patches.pixels == 255).all()


def test_a_cell_under_another_ones_name_is_said(setup: Setup) -> None:
    cell, other = Cell("pnet", "pretrained", 6, 1), Cell("pnet", "pretrained", 6, 2)
    list(run(plan_tasks([cell]), setup, workers=1))
    setup.file_of(cell).rename(setup.file_of(other))
    with pytest.raises(InputError, match="the result of another cell"):
        load_results(setup, [other])


def test_a_damaged_cell_is_said(setup: Setup) -> None:
    cell = Cell("pnet", "pretrained", 6, 1)
    path = setup.file_of(cell)
    path.parent.mkdir(parents=True)
    faults = {"{": "not a readable cell", "[]": "not a readable cell"}
    for text, fault in {**faults, '{"format": "other", "version": 1}': "format 'other'"}.items():
        write(path, text)
        with pytest.raises(InputError, match=f"{fault}.*delete the file"):
            load_results(setup, [cell])


def test_cells_are_measured_without_what_is_to_be_ignored(world: Path, tmp_path: Path) -> None:
    setup = make_setup(world, tmp_path)
    stages = load_weights("pretrained").stages
    nothing, whole = np.zeros((0, 4)), np.array([[0.0, 0, 1000, 1000]])
    first, *others = setup.test_frames.frames
    # as if nobody had annotated the others: what is found there is a false alarm, or ignored
    bare = [replace(frame, boxes=nothing, labels=()) for frame in others]
    marked = [replace(frame, ignored=whole) for frame in bare]
    alone, with_bare, with_marked = (
        _measure_ap(stages, "onet", replace(setup, test_frames=FaceDataset((first, *rest))))
        for rest in ([], bare, marked)
    )
    assert with_marked == alone
    assert with_bare["0.3"] < alone["0.3"]


def test_frames_are_held_out_where_there_are_none_to_measure_on(world: Path) -> None:
    dataset = load_dataset(world)
    train, test = hold_out(dataset)
    names = {frame.name for frame in dataset}
    assert {frame.name for frame in train} | {frame.name for frame in test} == names
    assert len(train) + len(test) == len(names)
    assert 1 <= len(test) <= 4
    for frame in dataset:
        assert frame.path.exists()


def test_frames_that_cannot_be_read_cannot_be_held_out(world: Path, tmp_path: Path) -> None:
    missing = FaceDataset(
        tuple(replace(frame, path=tmp_path / "gone.png") for frame in load_dataset(world))
    )
    with pytest.raises(InputError, match="none of the 12 frames can be read"):
        hold_out(missing)


def test_near_duplicates_are_held_out_together(world: Path, tmp_path: Path) -> None:
    frames = load_dataset(world).frames
    twins = []
    for number in range(3):
        for frame in frames:
            copy = tmp_path / f"{number}_{frame.name}"
            copy.write_bytes(frame.path.read_bytes())
            twins.append(replace(frame, path=copy, name=copy.name))
    train, test = hold_out(FaceDataset(tuple(twins)))
    shots = [{frame.name.partition("_")[2] for frame in part} for part in (train, test)]
    assert shots[0].isdisjoint(shots[1])


# The command

STUDY = """
description = "Is it held?"
frames = [6]
seeds = [1, 2]

[epochs]
pnet = 1

[[methods]]
regulariser = "l2-sp"
gradient_rule = ["sum", "dtnh"]
"""

Command = Callable[..., Result]


NAMES_STUDY = """
description = "Who is it?"
stages = ["names-onet"]
frames = [2, "all"]
seeds = [1, 2]
starts = ["usual", "shuffled", "OTHER"]

[epochs]
names = 2

[training]
optimiser = "sgd"
schedule = "step"
learning_rate = 0.01

[[methods]]
regulariser = "l2-sp"
reset_head = true
gradient_rule = ["sum", "dtnh"]
"""


@pytest.fixture
def quick_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps, so that a training takes a second."""
    monkeypatch.setattr(NamingSettings, "stretched", lambda settings, _: settings)


def test_characters_are_learnt_from_every_start(tmp_path: Path, quick_names: None) -> None:
    frames = load_dataset(save_frames(tmp_path / "world", 24)).frames
    other = tmp_path / "other.safetensors"
    build = build_backbone("onet", 3, 0.5, "cartoon", 1)
    NamesWeights("onet", ("a", "b", "c"), arrays_of(build.state_dict())).save(other)
    path = write(tmp_path / "who.toml", NAMES_STUDY.replace("OTHER", str(other)))
    study = load_study(path)
    setup = Setup(
        *(tmp_path / "lab", FaceDataset(frames[:18]), FaceDataset(frames[18:])),
        study.epochs,
        study.training,
    )
    assert setup.naming(5, 1).optimiser == "sgd"
    assert setup.plan(4, 1).stages["pnet"].training.schedule == "step"
    graph = plan_tasks(study.cells)
    assert {CropTask("onet", "train"), CropTask("onet", "test")} <= graph.keys()
    assert StartTask("names-onet", "shuffled", 2, 1) in graph
    done = list(run(graph, setup, workers=1))
    assert len(done) == len(study.cells) + 2 + 4
    results = load_results(setup, study.cells)
    for result in results:
        assert 0 <= result.figure("accuracy") <= 1
        assert result.figure("test_loss") > 0
        assert load_names(setup.weights_of(result.cell)).backbone == "onet"
    few = [result for result in results if result.cell.frames == 2]
    assert len({result.figure("test_loss") for result in few}) > 6  # starts and seeds differ
    table = sections(summarise(results))
    titles = [section.title for section in table]
    assert "names-onet, 2 faces a character, other start" in titles
    assert "names-onet, all faces" in titles
    assert table[0].headers[2:5] == ("accuracy", "named", "rejected")
    assert "accuracy_mean" in summary_csv(summarise(results)).splitlines()[0]
    figures = dict(plot_study(results, summarise(results)))
    assert figures["strategies"]().axes[-1].get_xlabel().startswith("accuracy on true boxes")
    assert "empirical_loss_names-onet_other_2" in figures


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('"names-onet"', '"names-onet", "pnet"'), "found stages that learn faces and names"),
        (('"OTHER"', '"gone.safetensors"'), "found 'gone.safetensors' in starts"),
        (('"OTHER"', '"inverted"'), "found 'inverted' in starts"),
        (("names = 2", "resnet = 2"), "found epochs = {'resnet': 2}"),
        (('"sgd"', '"lion"'), "found optimiser 'lion'"),
        (("learning_rate", "rate"), "found training = "),
    ],
)
def test_what_is_wrong_in_a_study_of_names_is_said(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    text = NAMES_STUDY.replace(*change).replace(', "OTHER"', "")
    with pytest.raises(InputError, match=re.escape(told)):
        load_study(write(tmp_path / "who.toml", text))


@pytest.fixture
def command(world: Path, tmp_path: Path, small: None) -> Command:
    study = write(tmp_path / "held.toml", STUDY)

    def run(*arguments: str) -> Result:
        given = ["compare", str(world), "--out", str(tmp_path / "lab"), "--study", str(study)]
        return CliRunner().invoke(main, [*given, "--workers=1", *arguments])

    return run


FILES = [
    "held.csv", "held.md", "held_angles_pnet_pretrained_6.png",
    "held_angles_pnet_pretrained_6.svg", "held_cells.csv",
    "held_empirical_loss_pnet_pretrained_6.png", "held_empirical_loss_pnet_pretrained_6.svg",
    "held_learning_curves_pnet_pretrained_6.png", "held_learning_curves_pnet_pretrained_6.svg",
    "held_sensitivity.png", "held_sensitivity.svg", "held_strategies.png", "held_strategies.svg",
    "study.json",
]  # fmt: skip


@pytest.mark.rendered
def test_one_command_compares_and_can_go_on(command: Command, tmp_path: Path) -> None:
    result = command()
    assert result.exit_code == 0, result.output
    lab = tmp_path / "lab"
    assert [name for name in left_in(lab) if (lab / name).is_file()] == FILES
    checked = CliRunner().invoke(main, ["verify", str(lab)])
    assert (checked.exit_code, "not in the manifest" in checked.stdout) == (0, False)
    assert "held out 2 of 12" in result.stderr
    assert "cells    6 (with what they need 8 tasks, 0 done)" in result.stderr
    assert "[8/8] pnet, 6 frames, seed" in result.stderr
    assert "l2-sp α 0.01, dtnh" in result.stdout
    markdown = (lab / "held.md").read_text(encoding="utf-8")
    assert markdown.startswith("# held\n\nIs it held?\n\n| pnet, 6 frames")
    assert "**" in markdown

    before = {name: (lab / name).read_bytes() for name in FILES if not name.endswith("png")}
    again = command("--resume")
    assert "8 tasks, 8 done" in again.stderr
    assert before == {name: (lab / name).read_bytes() for name in before}
    assert_refused(command(), "exists already; resume with --resume")


def test_a_dry_run_writes_nothing(command: Command, tmp_path: Path) -> None:
    result = command("--dry-run")
    assert result.exit_code == 0
    assert "methods  plain fine-tuning; l2-sp α 0.01; l2-sp α 0.01, dtnh" in result.stderr
    assert "time     about " in result.stderr
    assert not (tmp_path / "lab").exists()


def test_suggestions_that_nobody_has_corrected_are_told_first(
    command: Command, tmp_path: Path
) -> None:
    others = save_frames(tmp_path / "others", 3)
    outputs = {"faces.txt": fingerprint_file(others / "faces.txt")}
    add_step(others, Step("facetl frames", "frames", {}, {}, {}, outputs))
    result = command("--dry-run", "--test", str(others))
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {others / 'faces.txt'} holds what a detector")


def test_a_folder_of_other_frames_or_epochs_is_refused(command: Command, tmp_path: Path) -> None:
    assert command().exit_code == 0
    write(tmp_path / "held.toml", STUDY.replace("pnet = 1", "pnet = 2"))
    refused = command("--resume")
    assert refused.exit_code == 1
    assert "holds a study with other epochs; choose another --out" in refused.stderr
    anew = command("--force")
    assert anew.exit_code == 0
    assert "8 tasks, 0 done" in anew.stderr
    # both: nothing is lost
    assert "8 tasks, 8 done" in command("--resume", "--force").stderr


def test_a_damaged_claim_is_no_study(command: Command, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "work").mkdir()
    for text in ("{", "[]", "{}"):
        write(tmp_path / "lab" / "study.json", text)
        for choice in ("--resume", "--force"):
            assert_refused(command(choice), "holds no study of facetl")
    assert (tmp_path / "lab" / "work").exists()


def test_frames_to_measure_on_must_be_others(command: Command, world: Path, tmp_path: Path) -> None:
    refused = command("--test", str(world))
    assert refused.exit_code == 1
    assert "found 12 frames to measure on among those to learn from" in refused.stderr
    faceless = tmp_path / "faceless"
    faceless.mkdir()
    first = load_dataset(world).frames[0]
    (faceless / "0.png").write_bytes(first.path.read_bytes())
    (faceless / "1.png").write_bytes(first.path.read_bytes()[:3000])
    write(faceless / "faces.txt", "")
    refused = command("--test", str(faceless))
    assert refused.exit_code == 1
    assert "frames to measure on that cannot be read: 1" in refused.stderr
    assert "found no face in the 1 frames to measure on" in refused.stderr
    assert not (tmp_path / "lab").exists()


def test_a_folder_of_something_else_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    kept = write(tmp_path / "lab" / "poem.txt", "…")
    for choice in ("--resume", "--force"):
        assert_refused(command(choice), "holds no study of facetl")
    assert kept.exists()


def test_ctrl_c_keeps_what_is_done(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Task] = []

    def interrupted(task: Task, setup: Setup) -> None:
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(task)
        do_task(task, setup)

    monkeypatch.setattr("facetl.experiments.scheduler.do_task", interrupted)
    result = command()
    assert result.exit_code == 130
    assert f"stopped; {tmp_path / 'lab'} keeps what is done" in result.stderr
    monkeypatch.setattr("facetl.experiments.scheduler.do_task", do_task)
    again = command("--resume")
    assert again.exit_code == 0
    assert "8 tasks, 4 done" in again.stderr


def test_what_a_task_raises_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(task: Task, setup: Setup) -> None:
        raise FacetlError("the roof is leaking")

    monkeypatch.setattr("facetl.experiments.scheduler.do_task", failing)
    result = command()
    assert result.exit_code == 1
    assert result.stderr.endswith("facetl: the roof is leaking\n")


# Real processes: slower, so few tests tell all


def test_a_killed_worker_is_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(pool: Any, *arguments: Any) -> Any:
        future: Future[None] = Future()
        future.set_exception(BrokenProcessPool())
        return future

    monkeypatch.setattr(ProcessPoolExecutor, "submit", killed)
    result = command("--workers=2")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "facetl: a task's process was killed, perhaps for lack of memory; resume with --resume and "
        "fewer --workers"
    )


def test_ctrl_c_that_a_worker_hears_first_is_ctrl_c(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(pool: Any, *arguments: Any) -> Any:
        future: Future[None] = Future()
        future.set_exception(SystemExit(1))
        return future

    monkeypatch.setattr(ProcessPoolExecutor, "submit", left)
    result = command("--workers=2")
    assert result.exit_code == 130
    assert "keeps what is done" in result.stderr


def test_no_more_tasks_are_handed_out_than_can_run(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_out = 0

    with ThreadPoolExecutor(2) as workers:  # tasks that do nothing need no processes

        def counted(pool: Any, *arguments: Any) -> Any:
            nonlocal handed_out
            handed_out += 1
            return workers.submit(time.sleep, 0.05)

        monkeypatch.setattr(ProcessPoolExecutor, "submit", counted)
        tasks = [PatchTask("pnet", 6, seed) for seed in range(6)]
        ended = run({task: set() for task in tasks}, setup, workers=2)
        next(ended)
        assert handed_out <= 3
        assert len(list(ended)) == 5
    assert handed_out == 6


LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in background
from facetl.cli import main
from facetl.experiments import scheduler
from facetl.training.time_estimate import TYPICAL
scheduler.measure_speed = lambda *_: TYPICAL  # which takes longer than the study
main(sys.argv[1:])
"""


def test_results_do_not_depend_on_the_workers_and_survive_ctrl_c(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "measure_speed", lambda *_: TYPICAL)
    fewer = STUDY.replace("[6]", "[2]").replace("seeds = [1, 2]", "seeds = [1]")
    study = write(tmp_path / "held.toml", fewer)
    folders = [tmp_path / name for name in ("one", "two")]

    def arguments(folder: Path, workers: int) -> list[str]:
        given = ["compare", world, "--out", folder, "--study", study, f"--workers={workers}"]
        return list(map(str, given))

    broken = subprocess.Popen(
        [sys.executable, "-c", LISTENING, *arguments(folders[1], 2)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(folders[1].glob("cells/*.json")) and broken.poll() is None:
        time.sleep(0.05)
    os.killpg(broken.pid, SIGINT)
    _, said = broken.communicate(timeout=PATIENCE)
    assert broken.returncode == 130, said
    assert "Traceback" not in said
    assert "keeps what is done" in said
    for rest in ([*arguments(folders[1], 2), "--resume"], arguments(folders[0], 1)):
        success(CliRunner().invoke(main, rest))
    weights = [sorted(folder.glob("cells/*.safetensors")) for folder in folders]
    assert [path.name for path in weights[0]] == [path.name for path in weights[1]]
    for one, other in zip(*weights, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert not list(tmp_path.rglob(".*"))  # no temporary file is left
