from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from reference_training import (
    QUICK,
    blob_patches,
    hard_classification_loss,
    mean_box_loss,
    without_times,
)

from facetl.errors import InputError, NonFiniteLossError
from facetl.mtcnn.networks import Network, normalise
from facetl.mtcnn.stages import Stage
from facetl.training import loop
from facetl.training.batches import Batch, Indices, load_batch
from facetl.training.checkpoint import Checkpoint
from facetl.training.initialisation import build_starting_network
from facetl.training.loop import train
from facetl.training.losses import SMOOTH_L1_BETA, regression_targets
from facetl.training.patches import Patches
from facetl.training.sampling import Label
from facetl.training.settings import Augmentation, TrainingSettings

Rows = list[list[float]]

BLOBS = blob_patches()

FIGURES = {"total", "classification", "box", "accuracy", "recall", "false_alarms"}


def network(start: str = "scratch", stage: Stage = "pnet") -> Network:
    return build_starting_network(stage, start, seed=1)


def run(settings: TrainingSettings = QUICK, start: str = "scratch") -> list[Checkpoint]:
    return list(train(network(start), "pnet", BLOBS, settings))


def only(patches: Patches, *labels: Label) -> Patches:
    kept = np.isin(patches.labels, labels)
    columns = ("pixels", "labels", "offsets", "frame_index", "windows")
    return Patches(**{name: getattr(patches, name)[kept] for name in columns})


def losses(checkpoints: list[Checkpoint], part: str) -> list[float]:
    return [record[part]["total"] for record in checkpoints[-1].records]


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_a_network_learns_the_blobs(optimiser: Any, schedule: Any) -> None:
    rate = {"adam": 5e-3, "sgd": 0.1}[optimiser]
    chosen = replace(QUICK, epochs=6, optimiser=optimiser, schedule=schedule, learning_rate=rate)
    checkpoints = run(chosen)
    for part in ("train", "validation"):
        first, *_, last = losses(checkpoints, part)
        assert last < 0.75 * first
    assert checkpoints[-1].records[-1]["validation"]["accuracy"] > 0.95


def test_pretrained_weights_are_a_start_too() -> None:
    first, *_, last = losses(run(start="pretrained"), "validation")
    assert last < first


@pytest.mark.parametrize(("stage", "size"), [("rnet", 24), ("onet", 48)])
def test_the_one_loop_trains_every_stage(stage: Stage, size: int) -> None:
    patches = blob_patches(frames=3, each=4, size=size)
    (checkpoint,) = train(network(stage=stage), stage, patches, replace(QUICK, epochs=1))
    assert math.isfinite(checkpoint.records[0]["validation"]["total"])


def test_an_epochs_record_is_complete() -> None:
    checkpoints = run()
    assert [checkpoint.epoch for checkpoint in checkpoints] == [1, 2, 3]
    for number, record in enumerate(checkpoints[-1].records, start=1):
        assert record.keys() == {
            "epoch", "train", "learnt", "validation", "learning_rate", "seconds"
        }  # fmt: skip
        assert record["epoch"] == number
        assert record["train"].keys() == {"total", "classification", "box"}
        assert record["validation"].keys() == record["learnt"].keys() == FIGURES
        assert 0 < record["learning_rate"] <= QUICK.learning_rate
        assert record["seconds"] > 0


def test_the_total_is_the_weighed_sum() -> None:
    chosen = replace(QUICK, epochs=1, classification_weight=0.5, box_weight=4.0)
    (checkpoint,) = run(chosen)
    for part in ("train", "validation"):
        figures = checkpoint.records[0][part]
        wanted = 0.5 * figures["classification"] + 4 * figures["box"]
        assert figures["total"] == pytest.approx(wanted, rel=1e-5)


def test_frames_held_out_are_never_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    *learnt, judged = watch_batches(monkeypatch, replace(QUICK, epochs=1))
    frames, held_out = BLOBS.frame_index[np.concatenate(learnt)], BLOBS.frame_index[judged]
    assert set(frames) | set(held_out) == set(range(12))
    assert len(set(held_out)) == 3  # a quarter of 12
    assert set(frames).isdisjoint(held_out)


def test_every_epoch_has_its_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 6  # 9 frames of 36 patches in batches of 64; then what is judged, in two batches
    batches = watch_batches(monkeypatch, replace(QUICK, epochs=2))
    first, second = batches[:steps], batches[steps + 2 : -2]
    assert len(first) == len(second)
    assert (np.array(first) != np.array(second)).any()


def test_the_losses_of_an_epoch_are_the_mean_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    # nothing is augmented and the steps are too small to change the network
    still = Augmentation(flip=0, brightness=0, contrast=0, colour=0, repaint=0)
    chosen = replace(QUICK, epochs=1, learning_rate=1e-12, hard_share=0.3, augmentation=still)
    *batches, _, _ = watch_batches(monkeypatch, chosen)
    (checkpoint,) = run(chosen)
    slow = [slow_losses(network(), batch, hard_share=0.3) for batch in batches]
    for name in ("classification", "box"):
        wanted = np.mean([losses[name] for losses in slow])
        assert checkpoint.records[0]["train"][name] == pytest.approx(wanted, rel=1e-4)


def test_flipped_patches_teach_what_mirrored_frames_teach() -> None:
    x1, y1, x2, y2 = BLOBS.offsets.T
    mirrored = replace(
        BLOBS,
        pixels=np.ascontiguousarray(BLOBS.pixels[:, :, ::-1]),
        offsets=np.stack([-x2, y1, -x1, y2], axis=1),
    )
    flipped, straight = (
        next(
            train(
                network(),
                "pnet",
                patches,
                replace(QUICK, augmentation=Augmentation(flip, 0, 0, 0, 0)),
            )
        )
        for patches, flip in ((BLOBS, 1.0), (mirrored, 0.0))
    )
    assert flipped.records[0]["train"] == pytest.approx(straight.records[0]["train"], rel=1e-4)


def watch_batches(monkeypatch: pytest.MonkeyPatch, settings: TrainingSettings) -> list[Indices]:
    """Train; return the patches that were read, in order.

    In each epoch, a sample of those learnt from and then those held out come last.
    """
    batches: list[Indices] = []

    def watched(patches: Patches, indices: Indices, device: torch.device) -> Batch:
        batches.append(indices)
        return load_batch(patches, indices, device)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "load_batch", watched)
        run(settings)
    return batches


def slow_losses(network: Network, indices: Indices, hard_share: float) -> dict[str, float]:
    labels = BLOBS.labels[indices].tolist()
    logits, offsets, targets = judge(network, indices)
    return {
        "classification": hard_classification_loss(logits, labels, hard_share),
        "box": mean_box_loss(offsets, targets, labels, SMOOTH_L1_BETA),
    }


def judge(network: Network, indices: Indices) -> tuple[Rows, Rows, Rows]:
    """Return logits, offsets and the offsets that there should be."""
    pixels = torch.from_numpy(BLOBS.pixels[indices]).permute(0, 3, 1, 2).float()
    windows = torch.from_numpy(BLOBS.windows[indices])
    given_offsets = torch.from_numpy(BLOBS.offsets[indices])
    targets = regression_targets("pnet", given_offsets, windows[:, 2] - windows[:, 0])
    with torch.no_grad():
        outputs = network(normalise(pixels))
    logits, offsets = (part.flatten(1).tolist() for part in (outputs.logits, outputs.offsets))
    return logits, offsets, targets.tolist()


def test_sgd_has_momentum() -> None:
    (checkpoint,) = run(replace(QUICK, epochs=1, optimiser="sgd"))
    assert checkpoint.optimiser["param_groups"][0]["momentum"] == 0.9


def test_a_loss_without_weight_teaches_nothing() -> None:
    (checkpoint,) = run(replace(QUICK, epochs=1, box_weight=0.0))
    before = network().state_dict()
    for name, tensor in checkpoint.weights.items():
        assert torch.equal(tensor, before[name]) == name.startswith("conv4_2")


def test_the_best_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = run_with_validation(monkeypatch, [0.9, 0.4, 0.6, 0.4], QUICK)
    assert [checkpoint.best_epoch for checkpoint in checkpoints] == [1, 2, 2, 2]
    assert checkpoints[-1].best_record["validation"]["total"] == 0.4
    assert_same(checkpoints[-1].best_weights, checkpoints[1].weights)
    assert not torch.equal(
        checkpoints[-1].best_weights["conv1.weight"], checkpoints[-1].weights["conv1.weight"]
    )


@pytest.mark.parametrize(("patience", "epochs"), [(0, 8), (1, 3), (2, 6), (3, 7), (4, 8)])
def test_patience_counts_epochs_without_improvement(
    monkeypatch: pytest.MonkeyPatch, patience: int, epochs: int
) -> None:
    # better in the epochs 1, 2, 4 and 8: one idle epoch after 2, three after 4
    totals = [0.9, 0.8, 0.85, 0.7, 0.75, 0.75, 0.75, 0.6]
    chosen = replace(QUICK, patience=patience)
    assert len(run_with_validation(monkeypatch, totals, chosen)) == epochs


def run_with_validation(
    monkeypatch: pytest.MonkeyPatch, totals: list[float], settings: TrainingSettings
) -> list[Checkpoint]:
    """Train on validation losses that are given."""
    given_losses = chain.from_iterable((9.9, total) for total in totals)  # learnt, validation
    monkeypatch.setattr(loop._PatchObjective, "measure", lambda *_: {"total": next(given_losses)})
    return run(replace(settings, epochs=len(totals)))


def validate(network: Network, patches: Patches, indices: Indices) -> dict[str, float]:
    objective = loop._PatchObjective(network, "pnet", BLOBS, QUICK)
    objective._patches = patches
    network.eval()
    return objective.measure(indices)


def test_validation_agrees_with_the_slow_way() -> None:
    trained = network("pretrained")
    found = validate(trained, BLOBS, np.arange(len(BLOBS)))
    logits, _, _ = judge(trained, np.arange(len(BLOBS)))
    scores = np.array([1 / (1 + math.exp(no - yes)) for no, yes in logits])
    positive, negative = scores[BLOBS.labels == 1], scores[BLOBS.labels == 0]
    wanted = {
        **slow_losses(trained, np.arange(len(BLOBS)), hard_share=1.0),
        "accuracy": np.mean([*(positive >= 0.5), *(negative < 0.5)]),
        "recall": np.mean(positive >= QUICK.score_threshold),
        "false_alarms": np.mean(negative >= QUICK.score_threshold),
    }
    wanted["total"] = wanted["classification"] + 2 * wanted["box"]
    assert found == pytest.approx(wanted, rel=1e-4)


def test_validation_does_not_depend_on_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = validate(network(), BLOBS, np.arange(100))
    monkeypatch.setattr(loop, "VALIDATION_BATCH", 7)
    assert validate(network(), BLOBS, np.arange(100)) == pytest.approx(whole)


def test_validation_without_positives_or_negatives_is_finite() -> None:
    parts = only(BLOBS, Label.PART)
    found = validate(network(), parts, np.arange(len(parts)))
    assert (found["classification"], found["accuracy"], found["recall"]) == (0, 0, 0)
    assert found["box"] > 0


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("broken_after", [1, 2, 3])
def test_a_training_goes_on_bit_for_bit(optimiser: Any, broken_after: int) -> None:
    chosen = replace(QUICK, epochs=4, optimiser=optimiser)
    unbroken = run(chosen)
    broken = next_nth(train(network(), "pnet", BLOBS, chosen), broken_after)
    resumed = list(train(network(), "pnet", BLOBS, chosen, broken))
    assert [checkpoint.epoch for checkpoint in resumed] == list(range(broken_after + 1, 5))
    assert_same(resumed[-1].weights, unbroken[-1].weights)
    assert_same(resumed[-1].best_weights, unbroken[-1].best_weights)
    assert without_times(resumed[-1].records) == without_times(unbroken[-1].records)


def next_nth(checkpoints: Iterator[Checkpoint], count: int) -> Checkpoint:
    """Take ``count`` checkpoints, leave the training, and return the last."""
    return [next(checkpoints) for _ in range(count)][-1]


def test_a_finished_training_has_nothing_to_go_on_with() -> None:
    finished = run()[-1]
    assert list(train(network(), "pnet", BLOBS, QUICK, finished)) == []


def test_progress_is_told_step_by_step_also_after_a_break() -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    whole = list(train(network(), "pnet", BLOBS, QUICK, progress=tell))
    steps = len(told)
    assert told == [(number, steps) for number in range(1, steps + 1)]
    assert steps % QUICK.total_epochs == 0
    told.clear()
    list(train(network(), "pnet", BLOBS, QUICK, whole[0], progress=tell))
    assert told[0] == (steps // QUICK.total_epochs + 1, steps)
    assert told[-1] == (steps, steps)


def test_what_progress_raises_ends_the_training() -> None:
    def stop(done: int, total: int) -> None:
        raise RuntimeError(f"{done} of {total}")

    with pytest.raises(RuntimeError, match="1 of "):
        next(train(network(), "pnet", BLOBS, QUICK, progress=stop))


def test_the_seed_decides_everything() -> None:
    first, again, other = (run(replace(QUICK, epochs=1, seed=seed))[0] for seed in (1, 1, 2))
    assert_same(first.weights, again.weights)
    assert not torch.equal(first.weights["conv1.weight"], other.weights["conv1.weight"])


def test_an_absurd_learning_rate_stops_with_the_losses_parts() -> None:
    chosen = replace(QUICK, optimiser="sgd", schedule="constant", learning_rate=1e6)
    with pytest.raises(NonFiniteLossError, match=r"classification (nan|inf).*box.*learning-rate"):
        run(chosen)


def test_patches_of_another_stage_are_refused() -> None:
    with pytest.raises(InputError, match="found patches of 12 pixels, rnet learns from 24"):
        next(train(network(stage="rnet"), "rnet", BLOBS, QUICK))


def test_patches_without_faces_are_refused() -> None:
    with pytest.raises(InputError, match="found no positive patch"):
        next(train(network(), "pnet", only(BLOBS, Label.NEGATIVE), QUICK))


def test_patches_of_one_frame_are_refused() -> None:
    with pytest.raises(InputError, match="expected at least 2"):
        next(train(network(), "pnet", blob_patches(frames=1), QUICK))


def assert_same(weights: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> None:
    """Assert that two state dicts are equal bit for bit."""
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, others[name]), name


def test_the_frames_held_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.png" for number in range(12)]
    named = replace(BLOBS, metadata={**BLOBS.metadata, "frames": names})
    *_, judged = watch_batches(monkeypatch, QUICK)
    held_out = set(BLOBS.frame_index[judged].tolist())
    expected = [name for number, name in enumerate(names) if number in held_out]
    assert loop.name_validation_frames(named, QUICK) == expected
