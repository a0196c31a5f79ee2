"""Strategies, regularisers and gradient rules in the one loop, and in the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from parameters import pretrained_tensors, same_values
from reference_training import QUICK, blob_patches, without_times

from facetl.errors import InputError
from facetl.mtcnn.stages import STAGES, Stage
from facetl.mtcnn.weights import State
from facetl.training.checkpoint import Checkpoint
from facetl.training.gradient_rules import GRADIENT_RULES, dtnh, plain_sum
from facetl.training.initialisation import build_starting_network, build_training_network
from facetl.training.loop import train
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.strategies import Part
from facetl.training.transfer import Transfer

pytestmark = pytest.mark.slow

BLOBS = {"pnet": blob_patches(), "rnet": blob_patches(3, 4, size=24)} | {
    "onet": blob_patches(3, 4, size=48)
}


def settings(epochs: int = 1, **transfer: Any) -> TrainingSettings:
    return replace(QUICK, epochs=epochs, transfer=Transfer(**transfer))


def run(stage: Stage, chosen: TrainingSettings) -> list[Checkpoint]:
    network = build_training_network(stage, "pretrained", chosen)
    return list(train(network, stage, BLOBS[stage], chosen))


@cache
def last_of(stage: Stage, chosen: TrainingSettings) -> Checkpoint:
    """Return how a training ends that several others are compared with."""
    return run(stage, chosen)[-1]


def changed(before: State, after: State) -> set[str]:
    """Return the layers that are not what they were."""
    return {
        name.rpartition(".")[0] for name in before if not same_values(before[name], after[name])
    }


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("strategy", ["head", "last-block", "full"])
def test_a_strategy_changes_its_part_and_nothing_else(stage: Stage, strategy: Any) -> None:
    (checkpoint,) = run(stage, settings(strategy=strategy))
    layers, network = STAGE_FACTS[stage].layers, build_starting_network(stage, "pretrained", 1)
    wanted = {name for name, _ in network.named_children() if layers.learns(name, strategy)}
    found = changed(pretrained_tensors(stage), checkpoint.weights)
    # pooling has no weights
    assert found == {name for name in wanted if not name.startswith("pool")}


@pytest.mark.parametrize(
    ("stage", "counts"),
    [("pnet", (198, 4870, 6632)), ("rnet", (774, 74758, 100178)), ("onet", (1542, 299536, 389040))],
)
def test_parts_hold_one_another(stage: Stage, counts: tuple[int, int, int]) -> None:
    network = build_starting_network(stage, "pretrained", 1)
    layers = STAGE_FACTS[stage].layers
    parts: tuple[Part, ...] = ("head", "last-block", "full")
    assert tuple(layers.count_parameters(network, part) for part in parts) == counts
    assert counts[2] == sum(p.numel() for p in network.parameters())
    layers.release(network, "last-block")
    learning = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert learning == counts[1]


def test_gradual_training_thaws_one_part_after_the_other() -> None:
    chosen = settings(strategy="gradual", phase_epochs=(1, 2, 1), phase_rates=(1e-2, 1e-3, 1e-4))
    checkpoints = run("pnet", chosen)
    assert chosen.total_epochs == len(checkpoints) == 4
    states = [pretrained_tensors("pnet"), *(each.weights for each in checkpoints)]
    steps = [changed(*pair) for pair in pairwise(states)]
    head, block = set(STAGE_FACTS["pnet"].layers.head), {"conv3", "prelu3"}
    assert steps[0] == head
    assert steps[1] == steps[2] == head | block
    assert "conv1" in steps[3]
    rates = [record["learning_rate"] for record in checkpoints[-1].records]
    assert max(rates[1:3]) <= 1e-3
    assert rates[3] <= 1e-4


def test_new_epochs_are_divided_among_the_phases() -> None:
    chosen = TrainingSettings(transfer=Transfer(strategy="gradual"))
    assert chosen.with_epochs(10).transfer.phase_epochs == (2, 2, 6)
    assert chosen.with_epochs(2).transfer.phase_epochs == (1, 1, 1)
    for count in range(3, 60):
        divided = chosen.with_epochs(count)
        assert divided.total_epochs == count
        assert divided.with_epochs(count) == divided
    assert TrainingSettings().with_epochs(7).total_epochs == 7


def test_scratch_starts_from_chance_whatever_the_start_is_called() -> None:
    chosen = settings(strategy="scratch")
    network = build_training_network("pnet", "pretrained", chosen)
    wanted = build_starting_network("pnet", "scratch", chosen.seed)
    assert not changed(wanted.state_dict(), network.state_dict())


@pytest.mark.parametrize("stage", STAGES)
def test_a_new_head_is_drawn_from_the_seed_and_the_rest_is_shared(stage: Stage) -> None:
    one, twin, other = (
        build_training_network(stage, "pretrained", replace(settings(reset_head=True), seed=seed))
        for seed in (1, 1, 2)
    )
    head = set(STAGE_FACTS[stage].layers.head)
    assert changed(pretrained_tensors(stage), one.state_dict()) == head
    assert not changed(one.state_dict(), twin.state_dict())
    assert changed(one.state_dict(), other.state_dict()) == head


HOLDING: list[dict[str, Any]] = [
    {"regulariser": "l2", "alpha": 0.1},
    {"regulariser": "l2-sp", "alpha": 0.1, "gradient_rule": "dtnh"},
    {"regulariser": "l2-sp", "alpha": 0.1, "beta": 0.2, "reset_head": True, "decay": 0.5},
    {"regulariser": "l2-sp-fisher", "alpha": 10.0},
    {"regulariser": "feature-map", "alpha": 0.001},
    {"regulariser": "feature-map", "alpha": 0.001, "gradient_rule": "dtnh"},
    {"regulariser": "delta", "alpha": 0.001},
    {"strategy": "gradual", "phase_epochs": (1, 1, 1), "regulariser": "l2-sp"},
]


@pytest.mark.parametrize("transfer", HOLDING, ids=str)
def test_a_broken_training_goes_on_to_the_same_weights(transfer: dict[str, Any]) -> None:
    chosen = settings(3, **transfer)
    whole = run("pnet", chosen)
    network = build_training_network("pnet", "pretrained", chosen)
    source = build_training_network("pnet", "pretrained", chosen)
    rest = list(train(network, "pnet", BLOBS["pnet"], chosen, whole[0], source))
    assert not changed(whole[-1].weights, rest[-1].weights)
    assert without_times(whole[-1].records) == without_times(rest[-1].records)


@pytest.mark.parametrize("stage", ["rnet", "onet"])
@pytest.mark.parametrize("transfer", HOLDING, ids=str)
def test_every_stage_can_be_held(stage: Stage, transfer: dict[str, Any]) -> None:
    last = run(stage, settings(2, **transfer))[-1]
    assert last.records[-1]["train"]["penalty"] > 0
    free = {key: value for key, value in transfer.items() if key in ("strategy", "phase_epochs")}
    plain = last_of(stage, settings(2, **free, reset_head=transfer.get("reset_head", False)))
    assert changed(plain.weights, last.weights)


def test_patience_lets_every_phase_of_gradual_have_its_turn() -> None:
    phases: dict[str, Any] = {"phase_epochs": (3, 3, 3), "phase_rates": (1e-9, 1e-9, 1e-9)}
    chosen = replace(settings(strategy="gradual", **phases), patience=1)
    assert len(run("pnet", chosen)) >= 7  # nothing improves, but the last phase is begun


def distance(state: State, start: State) -> float:
    return sum(float((state[name] - start[name]).square().sum()) for name in start)


@pytest.mark.parametrize("rule", ["sum", "dtnh"])
def test_a_stronger_anchor_keeps_weights_nearer(rule: Any) -> None:
    start = pretrained_tensors("pnet")
    free, held, tied = (
        distance(run("pnet", settings(3, **transfer))[-1].weights, start)
        for transfer in (
            {},
            {"regulariser": "l2-sp", "alpha": 0.1, "gradient_rule": rule},
            {"regulariser": "l2-sp", "alpha": 10.0, "gradient_rule": rule},
        )
    )
    assert tied < held < free


def test_the_empirical_loss_is_told_without_the_penalty() -> None:
    chosen = settings(2, regulariser="l2", alpha=0.5, decay=0.25)
    records = run("pnet", chosen)[-1].records
    for record in records:
        figures = record["train"]
        assert figures["total"] == pytest.approx(
            figures["classification"] + 2 * figures["box"], rel=1e-5
        )
    assert records[1]["train"]["penalty"] < 0.3 * records[0]["train"]["penalty"]  # decayed
    assert "penalty" not in records[0]["validation"]


def test_angles_are_told_where_something_holds() -> None:
    free = run("pnet", settings())[0].records[0]
    assert "angles" not in free
    for rule in ("sum", "dtnh"):
        chosen = settings(2, regulariser="l2-sp", alpha=0.1, gradient_rule=rule)
        told = [record["angles"] for record in run("pnet", chosen)[-1].records]
        for angles in told:
            assert angles.keys() == {
                "gradient_penalty", "direction_gradient", "direction_penalty", "conflicts"
            }  # fmt: skip
            assert 0 <= angles["conflicts"] <= 1
            assert 0 < angles["gradient_penalty"] < 180
            assert 0 < angles["direction_gradient"] < 90
        assert max(angles["conflicts"] for angles in told) > 0


def watch_directions(
    monkeypatch: pytest.MonkeyPatch, transfer: dict[str, Any]
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Train; return the gradients of loss and regulariser and the direction of every step."""
    steps = []

    def watched(g: torch.Tensor, h: torch.Tensor, strength: float) -> torch.Tensor:
        direction = dtnh(g, h, strength)
        steps.append((g, strength * h, direction))
        return direction

    monkeypatch.setitem(GRADIENT_RULES, "dtnh", watched)
    run("pnet", settings(3, gradient_rule="dtnh", **transfer))
    return steps


@pytest.mark.parametrize(
    "transfer",
    [
        {"regulariser": "l2-sp", "alpha": 1.0},
        {"regulariser": "feature-map", "alpha": 0.01, "decay": 0.5},
        {"regulariser": "l2", "alpha": 0.1, "strategy": "last-block"},
    ],
    ids=str,
)
def test_no_step_works_against_the_loss_of_its_batch(
    monkeypatch: pytest.MonkeyPatch, transfer: dict[str, Any]
) -> None:
    steps = watch_directions(monkeypatch, transfer)
    conflicts = [(g, h, d) for g, h, d in steps if torch.dot(g, h) < 0]
    assert len(steps) == 3 * 6  # epochs × batches
    assert conflicts
    for g, h, direction in steps:
        square = torch.dot(g, g)
        assert torch.dot(direction, g) >= square * (1 - 1e-4)
        if torch.dot(g, h) >= 0:
            assert direction.equal(plain_sum(g, h, 1.0))
    # the plain sum would have
    assert all(torch.dot(g + h, g) < torch.dot(g, g) for g, h, _ in conflicts)


@pytest.mark.parametrize("stage", STAGES)
def test_feature_maps_pull_at_nothing_at_the_start(stage: Stage) -> None:
    # in the precision of the training: what ONet rounds, its source rounds as well
    still = {"regulariser": "feature-map", "alpha": 1.0}
    chosen = replace(settings(1, **still), learning_rate=1e-12)
    (checkpoint,) = run(stage, chosen)
    assert checkpoint.records[0]["train"]["penalty"] < 1e-12


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strategy", "half"), ("regulariser", "l3"), ("gradient_rule", "mean"), ("alpha", -1.0),
        ("alpha", float("nan")), ("beta", float("inf")), ("decay", 0.0), ("decay", 1.1),
        ("phase_epochs", (0, 1, 1)), ("phase_epochs", (1, 1)), ("phase_rates", (1.0, 0.0, 1.0)),
    ],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"found {name} .*expected"):
        Transfer(**{name: value})


def test_there_must_be_something_to_hold() -> None:
    with pytest.raises(InputError, match="scratch, which keeps nothing"):
        Transfer(strategy="scratch", regulariser="l2-sp")
    with pytest.raises(InputError, match="dtnh without a regulariser"):
        Transfer(gradient_rule="dtnh")
    with pytest.raises(InputError, match="delta with new output layers"):
        Transfer(regulariser="delta", reset_head=True)
    with pytest.raises(InputError, match="l2-sp-fisher with new output layers"):
        Transfer(regulariser="l2-sp-fisher", reset_head=True)
    with pytest.raises(InputError, match="l2-sp with a random start"):
        build_training_network("pnet", "scratch", settings(regulariser="l2-sp"))
    Transfer(strategy="scratch", regulariser="l2")


def test_settings_go_through_json() -> None:
    told = json.loads(json.dumps(STAGE_FACTS["pnet"].training.to_json()))
    assert told["transfer"]["strategy"] == "full"
    assert told["transfer"]["phase_epochs"] == [5, 5, 15]
