"""The pretrained network teaches landmarks, a face in four at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from reference_training import QUICK, blob_patches

from facetl.mtcnn.networks import Network, normalise
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.mtcnn.weights import PRETRAINED, load_weights
from facetl.training.batches import load_batch
from facetl.training.initialisation import build_starting_network
from facetl.training.loop import train
from facetl.training.losses import TAUGHT, Teacher
from facetl.training.sampling import Label

CPU = torch.device("cpu")
PATCHES = blob_patches(frames=4, each=8, size=48)


@pytest.mark.parametrize("stage", STAGES)
def test_onet_alone_has_a_teacher(stage: Stage) -> None:
    patches = blob_patches(frames=4, each=8, size=INPUT_SIZES[stage])
    network = build_starting_network(stage, PRETRAINED, 1)
    (checkpoint,) = train(network, stage, patches, replace(QUICK, epochs=1, batch_size=32))
    assert ("landmark" in checkpoint.records[0]["train"]) == (stage == "onet")


def test_every_fourth_face_is_taught_what_the_pretrained_network_says() -> None:
    labels = torch.tensor([Label.NEGATIVE, *[Label.POSITIVE, Label.PART] * 5])
    pixels = torch.rand(11, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 255
    landmarks = Teacher(CPU)(pixels, labels)
    # of the faces 1 to 10 the first, the fifth and the ninth
    known = landmarks.isfinite().all(dim=1).nonzero()[:, 0].tolist()
    assert known == [1, 5, 9]
    assert TAUGHT == 4
    assert landmarks[[row for row in range(11) if row not in known]].isnan().all()
    with torch.no_grad():
        said = load_weights(PRETRAINED).network("onet")(normalise(pixels[known])).landmarks
    torch.testing.assert_close(landmarks[known], said)


def test_where_there_is_no_face_nothing_is_taught() -> None:
    landmarks = Teacher(CPU)(torch.zeros(3, 3, 48, 48), torch.zeros(3, dtype=torch.long))
    assert landmarks.isnan().all()
    assert Teacher(CPU)(torch.zeros(0, 3, 48, 48), torch.zeros(0)).shape == (0, 10)


def drift_after_training(landmark_weight: float) -> float:
    """Return how far landmarks lie from the teacher's, as a mean share of the window."""
    network: Network = build_starting_network("onet", PRETRAINED, 1)
    chosen = replace(
        QUICK, epochs=8, batch_size=32, learning_rate=1e-3, landmark_weight=landmark_weight
    )
    list(train(network, "onet", PATCHES, chosen))
    faces = (PATCHES.labels != Label.NEGATIVE).nonzero()[0]
    pixels = normalise(load_batch(PATCHES, faces, CPU).pixels)
    with torch.no_grad():
        said = network.eval()(pixels).landmarks
        taught = load_weights(PRETRAINED).network("onet")(pixels).landmarks
    return float((said - taught).abs().mean())


def test_taught_landmarks_stay_and_others_drift() -> None:
    kept, left_alone = drift_after_training(1.0), drift_after_training(0.0)
    assert kept < 0.06
    assert left_alone > 2 * kept


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_the_distance_counts_by_its_weight(weight: float) -> None:
    network = build_starting_network("onet", PRETRAINED, 1)
    chosen = replace(QUICK, epochs=1, batch_size=32, landmark_weight=weight)
    (checkpoint,) = train(network, "onet", PATCHES, chosen)
    figures = checkpoint.records[0]["validation"]
    wanted = figures["classification"] + 2 * figures["box"] + weight * figures["landmark"]
    assert figures["total"] == pytest.approx(wanted, rel=1e-5)
    assert figures["landmark"] > 0
