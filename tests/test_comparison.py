"""Two detectors on the same frames: which is the better one, and in which words."""

from pathlib import Path

import numpy as np
import pytest
from tiny_world import save_frames

from facetl.data.dataset import load_dataset
from facetl.data.images import load_image
from facetl.evaluation.comparison import Comparison, Showing, compare_detectors
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.weights import load_weights


def showing(found: int, false_alarms: int, mean_ap: float = 0.5) -> Showing:
    return Showing("any", found, false_alarms, 0.9, mean_ap)


@pytest.mark.parametrize(
    ("before", "after", "is_better"),
    [
        (showing(86, 13), showing(97, 3), True),
        (showing(97, 3), showing(86, 13), False),
        (showing(90, 5), showing(95, 20), False),  # more false alarms than faces
        (showing(90, 5), showing(89, 5, 0.6), True),  # one face may be luck; boxes are tighter
        (showing(90, 5), showing(91, 5, 0.4), False),
        (showing(90, 5), showing(90, 5), True),
        (showing(90, 5, 0.3), showing(88, 5, 0.9), False),
    ],
)
def test_the_better_one_finds_more_faces_than_it_adds_false_alarms(
    before: Showing, after: Showing, is_better: bool
) -> None:
    assert Comparison(50, 100, before, after).is_better is is_better


def test_both_are_told_in_words() -> None:
    before, after = Showing("cartoon", 86, 13, 0.9, 0.51), Showing("new", 97, 1, 0.99, 0.7)
    assert Comparison(50, 100, before, after).describe() == [
        "before (cartoon): 86 of 100 faces found, 13 false alarms, AP 0.900, mean 0.510",
        "now:              97 of 100 faces found, 1 false alarm, AP 0.990, mean 0.700",
    ]


def test_the_figures_are_those_of_an_evaluation(tmp_path: Path) -> None:
    frames = load_dataset(save_frames(tmp_path, 4)).frames
    faces = TrueBoxes.of(frame.boxes for frame in frames)
    detector = Detector(load_weights("cartoon"))
    compared = compare_detectors(
        ("a", detector), ("b", detector), lambda: (load_image(each.path) for each in frames), faces
    )
    found = [detector.detect(load_image(frame.path)) for frame in frames]
    metrics = measure(
        Ranking.of([each.boxes for each in found], [each.scores for each in found]), faces, 4
    )
    shown = np.concatenate([each.scores for each in found]) >= detector.score
    assert compared.before == Showing(
        "a",
        compared.before.found,
        compared.before.false_alarms,
        metrics.ap["0.3"],
        metrics.ap["0.5:0.95"],
    )
    assert compared.before.found + compared.before.false_alarms == shown.sum()
    assert (compared.frames, compared.faces) == (4, len(faces))
    assert compared.to_json()["is_better"] is True
