"""Names: how often they are right, beside a histogram of colours, and what they cost.

    python benchmarks/names.py accuracy DATA --seeds 5
    python benchmarks/names.py accuracy DATA --seeds 5 --faces 10
    python benchmarks/names.py cost DATA
    python benchmarks/names.py similarity DATA OTHER OTHER

``accuracy`` trains as ``facetl train-names`` does, once for each seed, and names the true faces of
the test part: the share of the characters' faces that get their name, and of the unknown ones that
get none; beside it the same of a linear classifier on histograms of the crops' colours.  It also
names what the shipped detector finds, and gives the AP of each character (IoU 0.3).  ``cost``
lets searches with and without names take turns over the test frames, on one core, and gives the
processor's time of both.  ``similarity`` tells how near the faces of other shows are to those of
DATA, as Cui, Song, Sun, Howard and Belongie 2018 choose a start: exp(-0.01 d), where d is
the earth mover's distance between the mean features of the characters, weighted by their faces;
features are those of the shipped ONet, which all starts have in common.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch.nn import functional

from facetl import Detector, Recogniser
from facetl.data.characters import UNKNOWN, Characters
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.images import Pixels, load_image
from facetl.evaluation.scoring import Predictions, Truth, evaluate_all, name_evaluations
from facetl.mtcnn.networks import ONet, normalise
from facetl.mtcnn.weights import CARTOON, load_weights
from facetl.recognition.backbones import arrays_of, build_backbone
from facetl.recognition.crops import FaceCrops, cut_faces, room_around
from facetl.recognition.learning import NamingObjective
from facetl.recognition.names_file import NamesWeights
from facetl.recognition.recogniser import LEAST_SCORE, NamingDetector
from facetl.recognition.settings import SIZES, NamingSettings
from facetl.results.detections import Detections, FrameResult, Run
from facetl.search.pipeline import Searcher
from facetl.training.epochs import run_epochs

BINS = 8
"""Of each channel of a histogram of colours."""
ROUNDS = 5


def load_crops(data: Path, size: int) -> tuple[FaceCrops, FaceCrops]:
    """Return the faces to learn from and those of the test part."""
    train = load_dataset(data, part="train", on_error="skip")
    found = Characters.of(label for frame in train for label in frame.labels)
    classes = (*found.counts, UNKNOWN)
    test = load_dataset(data, part="test", on_error="skip")
    return cut_faces(train, classes, size), cut_faces(test, classes, size)


def learn(backbone: str, crops: FaceCrops, seed: int) -> NamingObjective:
    """Train with the usual settings."""
    settings = NamingSettings(seed=seed).stretched(len(crops))
    network = build_backbone(backbone, len(crops.classes), settings.dropout, None, seed)
    objective = NamingObjective(network, backbone, crops, settings)
    for _ in run_epochs(objective, settings):
        pass
    return objective


def histograms(crops: FaceCrops, size: int) -> torch.Tensor:
    """Return the (N, 512) root shares of the colours in the middle of each crop."""
    room = room_around(size)
    middle = crops.pixels[:, room : room + size, room : room + size].reshape(len(crops), -1, 3)
    bins = (middle.astype(np.int64) * BINS // 256) @ np.array([BINS * BINS, BINS, 1])
    counts = np.stack([np.bincount(each, minlength=BINS**3) for each in bins])
    return torch.from_numpy(np.sqrt(counts / counts.sum(axis=1, keepdims=True))).float()


def probe(features: torch.Tensor, crops: FaceCrops) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a linear classifier of features, fitted by logistic regression."""
    layer = torch.nn.Linear(features.shape[1], len(crops.classes))
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=200)
    labels = torch.from_numpy(crops.labels)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(layer(features), labels)
        loss = loss + 1e-4 * layer.weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return lambda others: layer(others).softmax(dim=1).detach()


def rates(
    probabilities: NDArray[np.float32], crops: FaceCrops, least: float = LEAST_SCORE
) -> tuple[float, float]:
    """Return the share of named faces that are right, and of unknown ones without a name."""
    unknown = crops.classes.index(UNKNOWN)
    sure = probabilities.max(axis=1) >= least
    said = np.where(sure, probabilities.argmax(axis=1), unknown)
    right, nobody = said == crops.labels, crops.labels == unknown
    return float(right[~nobody].mean()), float(right[nobody].mean()) if nobody.any() else np.nan


@dataclass(frozen=True)
class Searched:
    """The test frames, and what the shipped detector finds in them."""

    frames: FaceDataset
    images: Sequence[Pixels]
    found: Sequence[Detections]

    @classmethod
    def of(cls, data: Path) -> Searched:
        """Search the test part."""
        frames = load_dataset(data, part="test", on_error="skip")
        images = [load_image(frame.path) for frame in frames]
        return cls(frames, images, list(Detector.load().detect(images)))

    def measure(self, recogniser: Recogniser) -> dict[str, float]:
        """Return the AP of each character."""
        rows = zip(self.frames, self.images, self.found, strict=True)
        run = Run(
            "cartoon",
            {},
            tuple(
                FrameResult(frame.name, image.shape[:2], recogniser.name(image, found), {}, 0.0)
                for frame, image, found in rows
            ),
        )
        predictions, truth = [Predictions.of_run(run)], Truth.of(self.frames)
        (evaluation,) = name_evaluations(evaluate_all(predictions, truth), predictions, truth)
        characters = evaluation.naming.characters if evaluation.naming else {}
        known = recogniser.weights.characters
        return {name: each.ap for name, each in characters.items() if name in known}


def measure_accuracy(arguments: argparse.Namespace) -> None:
    """Print the rates of each seed, and their mean and standard deviation."""
    size = SIZES[arguments.backbone]
    train, test = load_crops(arguments.data, size)
    searched = Searched.of(arguments.data)
    aps: dict[str, list[float]] = {}
    rows: dict[str, list[tuple[float, float]]] = {arguments.backbone: [], "colours": []}
    for seed in range(1, arguments.seeds + 1):
        crops = train.draw(arguments.faces, seed) if arguments.faces else train
        began = time.process_time()
        objective = learn(arguments.backbone, crops, seed)
        seconds = time.process_time() - began
        rows[arguments.backbone].append(rates(objective.predict(test).numpy(), test))
        weights = NamesWeights(
            arguments.backbone, crops.classes, arrays_of(objective.network.state_dict())
        )
        for name, ap in searched.measure(Recogniser(weights)).items():
            aps.setdefault(name, []).append(ap)
        classify = probe(histograms(crops, size), crops)
        # a linear classifier of few colours is never sure: its likeliest class counts
        rows["colours"].append(rates(classify(histograms(test, size)).numpy(), test, 0.0))
        told = "  ".join(
            f"{name} {row[-1][0]:.4f} / {row[-1][1]:.3f}" for name, row in rows.items()
        )
        print(
            f"seed {seed}: {len(crops):,} faces, {seconds:.0f} s of processor  {told}", flush=True
        )
    means = [statistics.mean(each) for each in zip(*aps.values(), strict=True)]
    for name, values in {**aps, "all, their mean": means}.items():
        deviation = statistics.stdev(values) if len(values) > 1 else 0
        print(
            f"AP of {name}: {statistics.mean(values):.4f} ± {deviation:.4f} (least "
            f"{min(values):.4f})"
        )
    for name, row in rows.items():
        columns = zip(*row, strict=True)
        told = " / ".join(
            f"{statistics.mean(each):.4f} ± {statistics.stdev(each) if len(row) > 1 else 0:.4f}"
            for each in columns
        )
        print(f"{name}: named right / unknown without a name: {told}")


def measure_cost(arguments: argparse.Namespace) -> None:
    """Print the processor's time of searches with and without names."""
    train, _ = load_crops(arguments.data, SIZES["onet"])
    objective = learn("onet", train.draw(25, 1), 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "names.safetensors"
        state = arrays_of(objective.network.state_dict())
        NamesWeights("onet", train.classes, state).save(path)
        recogniser = Recogniser.load(path)
    detector = Detector.load()
    frames = load_dataset(arguments.data, part="test", on_error="skip")
    images = [load_image(frame.path) for frame in frames]
    searches: dict[str, Searcher] = {
        "without": detector,
        "with": NamingDetector(detector, recogniser),
    }
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(ROUNDS):
        for name, searcher in searches.items():
            began = time.process_time()
            found = searcher.search(images, detector.settings)
            count = sum(len(each.detections) for each in found)
            seconds[name].append(time.process_time() - began)
    usual, named = (statistics.median(each) / len(images) for each in seconds.values())
    print(
        f"{len(images)} frames, {count} boxes: {1000 * usual:.2f} ms a frame without names, "
        f"{1000 * named:.2f} with ({named / usual - 1:+.1%})"
    )


def mean_features(data: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (C, 256) mean features of the characters to learn, and their shares of faces."""
    train = load_dataset(data, part="train", on_error="skip")
    names = tuple(Characters.of(label for frame in train for label in frame.labels).counts)
    crops = cut_faces(train, names, SIZES["onet"])
    onet = load_weights(CARTOON).completed().stages["onet"]
    network = ONet()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in onet.items()})
    room, size = room_around(SIZES["onet"]), SIZES["onet"]
    middle = crops.pixels[:, room : room + size, room : room + size].transpose(0, 3, 1, 2)
    with torch.inference_mode():
        parts = [
            network.eval().describe(normalise(torch.from_numpy(part).float()))
            for part in np.array_split(middle, max(len(crops) // 256, 1))
        ]
    features = torch.cat(parts).double().numpy()
    means = [features[crops.labels == place].mean(axis=0) for place in range(len(names))]
    return np.stack(means), np.bincount(crops.labels) / len(crops)


def earth_movers_distance(
    ours: tuple[NDArray[np.float64], NDArray[np.float64]],
    theirs: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> float:
    """Return the least mean distance over which shares of one are moved to be those of the other.

    Args:
        ours: (N, K) places, and (N,) shares that add up to 1.
        theirs: (M, K) and (M,).
    """
    (places, shares), (others, wanted) = ours, theirs
    distances = np.linalg.norm(places[:, None] - others[None], axis=2)
    from_each = np.repeat(np.eye(len(shares)), len(wanted), axis=1)
    to_each = np.tile(np.eye(len(wanted)), len(shares))
    found = linprog(
        distances.ravel(),
        A_eq=np.concatenate([from_each, to_each]),
        b_eq=np.concatenate([shares, wanted]),
    )
    return float(found.fun)


def measure_similarity(arguments: argparse.Namespace) -> None:
    """Print how near other shows are."""
    own = mean_features(arguments.data)
    for other in arguments.others:
        distance = earth_movers_distance(own, mean_features(other))
        print(
            f"{other.name} to {arguments.data.name}: distance {distance:.3f}, similarity "
            f"{np.exp(-0.01 * distance):.4f}"
        )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("accuracy", "cost", "similarity"))
    parser.add_argument("data", type=Path)
    parser.add_argument("others", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--faces", type=int)
    parser.add_argument("--backbone", choices=tuple(SIZES), default="onet")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measure = {
        "accuracy": measure_accuracy,
        "cost": measure_cost,
        "similarity": measure_similarity,
    }
    measure[arguments.what](arguments)


if __name__ == "__main__":
    main()
