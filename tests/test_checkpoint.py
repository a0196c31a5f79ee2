from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_training import QUICK, blob_patches, without_times

from facetl.errors import WeightsError
from facetl.mtcnn.weights import Weights, load_pretrained_stage, save_weights
from facetl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from facetl.training.initialisation import build_starting_network, fingerprint_start
from facetl.training.loop import train
from facetl.training.settings import TrainingSettings

PATCHES = blob_patches(frames=4, each=6)
SHORT = replace(QUICK, epochs=3)


def describe(settings: TrainingSettings = SHORT, **changes: Any) -> dict[str, Any]:
    return {"stage": "pnet", "start": "scratch", "settings": settings.to_json(), **changes}


@pytest.fixture
def first_epoch() -> Checkpoint:
    return next(train(build_starting_network("pnet", "scratch", 1), "pnet", PATCHES, SHORT))


@pytest.fixture
def saved(tmp_path: Path, first_epoch: Checkpoint) -> Path:
    save_checkpoint(tmp_path / "pnet.checkpoint", first_epoch, describe())
    return tmp_path / "pnet.checkpoint"


def test_a_checkpoint_comes_back_as_it_was(saved: Path, first_epoch: Checkpoint) -> None:
    loaded = load_checkpoint(saved, describe())
    assert (loaded.epoch, loaded.best_epoch, loaded.records) == (1, 1, first_epoch.records)
    for name, tensor in first_epoch.weights.items():
        assert torch.equal(loaded.weights[name], tensor)
        assert torch.equal(loaded.best_weights[name], tensor)
    for number, state in first_epoch.optimiser["state"].items():
        assert torch.equal(loaded.optimiser["state"][number]["exp_avg"], state["exp_avg"])


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_training_goes_on_from_the_file_bit_for_bit(tmp_path: Path, optimiser: Any) -> None:
    chosen = replace(SHORT, optimiser=optimiser)
    path = tmp_path / "pnet.checkpoint"
    unbroken = list(train(build_starting_network("pnet", "scratch", 1), "pnet", PATCHES, chosen))
    save_checkpoint(path, unbroken[0], describe(chosen))
    anew = build_starting_network("pnet", "scratch", 1)
    *_, resumed = train(anew, "pnet", PATCHES, chosen, load_checkpoint(path, describe(chosen)))
    assert without_times(resumed.records) == without_times(unbroken[-1].records)
    for name, tensor in unbroken[-1].weights.items():
        assert torch.equal(resumed.weights[name], tensor)


def test_training_on_does_not_change_a_checkpoint() -> None:
    steps = train(build_starting_network("pnet", "scratch", 1), "pnet", PATCHES, SHORT)
    first = next(steps)
    weight, moment = first.weights["conv1.weight"], first.optimiser["state"][0]["exp_avg"]
    before = weight.clone(), moment.clone()
    next(steps)
    assert torch.equal(weight, before[0])
    assert torch.equal(moment, before[1])


@pytest.mark.parametrize(
    ("wanted", "difference"),
    [
        (describe(start="pretrained"), "start scratch (now pretrained)"),
        (describe(replace(SHORT, epochs=20)), "epochs 3 (now 20)"),
        (describe(replace(SHORT, batch_size=32, seed=9)), "batch size 64 (now 32), seed 1 (now 9)"),
        (describe(patches="0123abcd"), "patches None (now 0123abcd)"),
    ],
)
def test_a_checkpoint_of_another_task_is_refused(
    saved: Path, wanted: dict[str, Any], difference: str
) -> None:
    with pytest.raises(WeightsError) as caught:
        load_checkpoint(saved, wanted)
    assert str(caught.value) == (
        f"{saved}: belongs to a training with {difference}; resume with the same command, or "
        "start over with --force"
    )


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pnet.checkpoint"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"not a readable checkpoint .*; start over") as caught:
        load_checkpoint(path, describe())
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pnet.checkpoint"
    torch.save({"format": "facetl-checkpoint", "version": 99, "task": {}, "checkpoint": {}}, path)
    with pytest.raises(WeightsError, match=r"version 99, expected .*version 1"):
        load_checkpoint(path, describe())


def test_scratch_depends_on_the_seed_and_leaves_chance_alone() -> None:
    torch.manual_seed(5)
    undisturbed = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (build_starting_network("pnet", "scratch", seed) for seed in (1, 1, 10**30))
    assert torch.equal(torch.rand(3), undisturbed)
    assert torch.equal(one.conv1.weight, same.conv1.weight)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)


def test_pretrained_is_pretrained() -> None:
    wanted = load_pretrained_stage("pnet")
    for name, tensor in build_starting_network("pnet", "pretrained", 1).state_dict().items():
        assert np.array_equal(tensor.numpy(), wanted[name])


def test_a_file_without_the_stage_is_no_start(tmp_path: Path) -> None:
    path = tmp_path / "rnet.safetensors"
    save_weights(path, Weights({"rnet": load_pretrained_stage("rnet")}))
    with pytest.raises(WeightsError, match="holds rnet, not pnet; start from 'pretrained'"):
        build_starting_network("pnet", str(path), 1)


def test_a_start_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"one")
    one = fingerprint_start(str(path))
    assert one.startswith("mine.safetensors sha256:")
    path.write_bytes(b"two")
    assert fingerprint_start(str(path)) != one
    assert [fingerprint_start(name) for name in ("pretrained", "scratch")] == [
        "pretrained",
        "scratch",
    ]
