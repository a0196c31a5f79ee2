"""L2 and L2-SP in theory: closed forms against descents, draws and the definition."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.text import Text
from outcomes import success

from facetl.cli import main
from facetl.commands.theory import PICTURES, TABLE, TheoryRequest, theory
from facetl.errors import OutputError
from facetl.experiments.theory import (
    ESTIMATORS,
    L2,
    L2_SP,
    LEAST_SQUARES,
    Quadratic,
    Regression,
    example_in_plane,
)
from facetl.experiments.theory_plots import plot_paths


def steep(width: int = 4) -> Quadratic:
    """Return a loss with curvatures from about 0.2 to 3, far from any symmetry."""
    random = np.random.default_rng(4)
    basis = np.linalg.qr(random.standard_normal((width, width)))[0]
    hessian = basis @ np.diag(np.geomspace(0.2, 3, width)) @ basis.T
    return Quadratic(hessian, *random.standard_normal((2, width)))


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_descent_ends_at_the_minimum_in_closed_form(estimator: str, alpha: float) -> None:
    for problem in (steep(), example_in_plane(0.5)):
        path = problem.descend(estimator, alpha, 2000)
        assert path[0] == pytest.approx(problem.start)
        assert path[-1] == pytest.approx(problem.penalised_minimum(estimator, alpha), abs=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_near_the_penalised_minimum_is_lower(estimator: str) -> None:
    problem, alpha = steep(), 0.7

    def height(weights: np.ndarray) -> float:
        pull = {LEAST_SQUARES: 0.0, L2: np.sum(weights**2)}
        held = pull.get(estimator, np.sum((weights - problem.start) ** 2))
        return float(problem.loss(weights) + alpha / 2 * held)

    least = problem.penalised_minimum(estimator, alpha)
    for step in np.random.default_rng(1).normal(scale=0.01, size=(50, 4)):
        assert height(least + step) > height(least)


def test_a_strong_penalty_wins() -> None:
    problem = steep()
    assert problem.penalised_minimum(L2, 1e6) == pytest.approx(np.zeros(4), abs=1e-4)
    assert problem.penalised_minimum(L2_SP, 1e6) == pytest.approx(problem.start, abs=1e-4)
    assert problem.penalised_minimum(L2_SP, 1e-9) == pytest.approx(problem.minimum)


def test_the_example_starts_as_far_away_as_it_was_asked_to() -> None:
    for distance in (0.0, 0.5, 2.0):
        problem = example_in_plane(distance)
        away = np.linalg.norm(problem.start - problem.minimum)
        assert away == pytest.approx(distance * np.linalg.norm(problem.minimum))
        regression = Regression.example(distance, seed=3)
        assert np.linalg.norm(regression.start - regression.truth) == pytest.approx(distance)
        gram = regression.design.T @ regression.design
        assert gram == pytest.approx(np.eye(len(gram)), abs=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_simulated_bias_and_variance_are_those_in_closed_form(alpha: float) -> None:
    regression, away = Regression.example(0.6, seed=2), []
    for estimator in ESTIMATORS:
        for seed, noise in enumerate((0.1, 0.2, 0.4, 0.8)):
            closed = regression.in_theory(estimator, alpha, noise)
            found = regression.simulate(estimator, alpha, noise, 3000, seed)
            away.append((found.bias - closed.bias) / found.bias_error)
            away.append((found.variance - closed.variance) / found.variance_error)
    assert np.abs(away).max() < 4
    assert 0.5 < np.sqrt(np.mean(np.square(away))) < 1.6  # the errors are no larger than they say


def test_standard_errors_are_the_deviations_over_simulations() -> None:
    regression = Regression.example(0.5, seed=1)
    runs = [regression.simulate(L2_SP, 1.0, 0.5, 50, seed) for seed in range(400)]
    for figure in ("bias", "variance", "total"):
        deviation = np.std([getattr(run, figure) for run in runs], ddof=1)
        told = np.mean([getattr(run, f"{figure}_error") for run in runs])
        assert told == pytest.approx(deviation, rel=0.15), figure


def test_bias_and_variance_by_hand() -> None:
    # t − w* has length 0.5, α/(1 + α) = 2/3, p = 8, σ = 0.3
    closed = Regression.example(0.5, seed=1).in_theory(L2_SP, 2.0, 0.3)
    assert closed.bias == pytest.approx(4 / 9 * 0.25)
    assert closed.variance == pytest.approx(8 * 0.09 / 9)
    assert closed.total == pytest.approx(0.11111 + 0.08, abs=1e-4)


@pytest.mark.parametrize("estimator", [L2, L2_SP])
def test_errors_are_equal_at_break_even_and_the_noises_reach_beyond(estimator: str) -> None:
    regression = Regression.example(0.5, seed=1)
    noise = regression.break_even(estimator, 0.4)
    held, free = (regression.in_theory(each, 0.4, noise) for each in (estimator, LEAST_SQUARES))
    assert held.total == pytest.approx(free.total)
    noises = regression.noises(0.4)
    assert 0 < noises[0] < noise < noises[-1]


def test_the_picture_shows_where_each_path_ends() -> None:
    problem = example_in_plane(0.5)
    figure = plot_paths(problem, 1.0)
    places = [np.asarray(line.get_xydata()) for line in figure.axes[0].lines]
    ends = [each[-1] for each in places if len(each)]
    for estimator in ESTIMATORS:
        least = problem.penalised_minimum(estimator, 1.0)
        assert any(np.allclose(end, least, atol=0.01) for end in ends), estimator
    words = {text.get_text() for text in figure.findobj(Text)}
    assert {"origin", "start w⁰", "minimum w*", "no penalty", L2, L2_SP} <= words


def test_the_command_writes_pictures_and_a_table(tmp_path: Path) -> None:
    out = tmp_path / "theory"
    arguments = ["theory", "--out", str(out), "--draws", "200", "--alpha", "2"]
    result = success(CliRunner().invoke(main, arguments))
    assert "L2-SP is better than least squares from noise" in result.stdout
    lines = [line for line in result.stdout.splitlines() if not line.startswith("wrote ")]
    assert max(map(len, lines)) <= 80  # a path may be longer
    for name in PICTURES:
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (out / f"{name}.svg").exists()
    rows = list(csv.DictReader((out / TABLE).read_text(encoding="utf-8").splitlines()))
    assert {row["estimator"] for row in rows} == set(ESTIMATORS)
    assert {float(row["bias"]) for row in rows if row["estimator"] == L2_SP} == {0.111111}
    before = (out / TABLE).read_bytes()
    with pytest.raises(OutputError, match="--force"):
        theory(TheoryRequest(out))
    success(CliRunner().invoke(main, [*arguments, "--force"]))
    assert (out / TABLE).read_bytes() == before


@pytest.mark.parametrize("wrong", ["--alpha 0", "--alpha nan", "--draws 1", "--distance -1"])
def test_values_that_make_no_sense_are_refused(wrong: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["theory", "--out", str(out), *wrong.split()])
    assert result.exit_code == 2
    assert not out.exists()


def test_a_start_at_the_truth_needs_no_noise_to_be_better() -> None:
    regression = Regression.example(0.0, seed=1)
    assert regression.break_even(L2_SP, 1.0) == 0
    assert regression.in_theory(L2_SP, 1.0, 0.1).bias == 0
