"""What the evaluating commands do, asked of their functions: nothing is printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetl.boxes import as_boxes
from facetl.commands.doctor import DoctorRequest, doctor
from facetl.commands.evaluate import EvaluateRequest, evaluate
from facetl.commands.explain import ExplainRequest, explain
from facetl.commands.export import ExportRequest, export
from facetl.commands.tune import TuneRequest, tune
from facetl.data.formats.course import save_annotations
from facetl.data.images import load_image, save_image
from facetl.errors import InputError, UsageError
from facetl.files import read_json
from facetl.manifests.manifest import find_writer
from facetl.mtcnn.weights import load_weights
from facetl.reporting import Reporter
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.json_file import save_run

pytestmark = pytest.mark.slow

FACE = [81.0, 53.0, 174.0, 175.0]


class Listener(Reporter):
    """Keeps what it is told."""

    command = "facetl evaluate results"

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def frames(tmp_path: Path, portrait: Path) -> Path:
    """A folder of one annotated frame."""
    save_image(tmp_path / "frames" / "a.png", load_image(portrait))
    faces = {"a.png": (as_boxes([FACE]), [None])}
    save_annotations(tmp_path / "frames" / "annotations.txt", faces)
    return tmp_path / "frames"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of one run, which found the face."""
    found = Detections.from_lists([FACE], [0.9], np.zeros((1, 5, 2)))
    frame = FrameResult("a.png", (300, 256), found, {"pnet": 3, "rnet": 2, "onet": 1}, 0.5)
    save_run(tmp_path / "results" / "ours.detections.json", Run("ours", {}, (frame,)))
    return tmp_path / "results"


@pytest.mark.usefixtures("sketched")
def test_runs_are_scored_and_the_figures_come_back(
    results: Path, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = Listener()
    request = EvaluateRequest(results, frames, out=results.parent / "out", score=0.5)
    result = evaluate(request, listener)
    (evaluation,) = result.evaluations
    assert evaluation.metrics.ap["0.5"] == evaluation.shown.f1 == 1
    assert (result.overlap, evaluation.shown.score_threshold) == (None, 0.5)
    assert read_json(result.metrics)["runs"]["ours"]["ap"]["0.5"] == 1
    assert [path.name for path in result.plots][:2] == ["precision_recall", "scores"]
    assert result.report is not None
    assert listener.command in result.report.read_text("utf-8")
    assert (listener.notes, capsys.readouterr()) == ([], ("", ""))


@pytest.mark.usefixtures("sketched")
def test_the_files_of_the_truth_are_looked_up_once(
    results: Path, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("facetl.commands.annotated.find_writer", asked.append)
    evaluate(EvaluateRequest(results, frames, report=False))
    assert asked == [frames / "annotations.txt"]
    assert find_writer(frames / "annotations.txt") is None


def test_settings_are_chosen_and_written(frames: Path, tmp_path: Path) -> None:
    out, listener = tmp_path / "tuned.safetensors", Listener()
    result = tune(TuneRequest("pretrained", data=(frames,), out=out, min_faces=(80.0,)), listener)
    assert (result.weights, result.plot) == (out, tmp_path / "tuned_tuning.png")
    assert load_weights(out).settings.thresholds == result.best[0].settings.thresholds
    assert load_weights(out).settings.score == result.score
    assert (result.tried, result.frames, result.before) == (81, 1, None)
    assert listener.notes == []
    with pytest.raises(UsageError, match="neither DATA nor --images"):
        tune(TuneRequest("pretrained", out=tmp_path / "other.safetensors"))


@pytest.mark.usefixtures("sketched")
def test_an_image_is_explained(frames: Path, tmp_path: Path) -> None:
    own = ("pretrained", "pretrained")
    request = ExplainRequest(frames / "a.png", tmp_path / "out", weights=own, min_face=60)
    result = explain(request)
    assert list(result.traces) == ["pretrained"]
    assert [path.name for path in result.pictures] == ["pyramid", "scores", "candidates", "story"]
    assert len([*(tmp_path / "out").iterdir()]) == 8


def test_an_export_has_a_kind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --onnx"):
        export(ExportRequest(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_findings_come_one_by_one() -> None:
    findings = doctor(DoctorRequest("cpu", "torch"))
    subjects = [next(findings).subject for _ in range(4)]
    assert subjects == ["facetl", "device", "engine", "threads"]
    with pytest.raises(InputError, match="found engine 'none'"):
        list(doctor(DoctorRequest("cpu", "none")))
