"""Files that facetl 0.1.0 wrote are still read, and resumed; see ``tests/old_files``.

Nothing but the public catalogue and the command line is used, so that modules may move.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import pytest
from click.testing import CliRunner, Result
from parameters import same_values

from facetl import (
    CascadePlan,
    Detector,
    FaceDataset,
    FacetlError,
    Label,
    Recipe,
    Run,
    Settings,
    Training,
    Workshop,
    load_annotations,
    load_dataset,
    load_patches,
    load_run,
    load_weights,
)
from facetl.cli import main

OLD = Path(__file__).parent / "old_files"
TUNED = {
    "thresholds": [0.1, 0.6, 0.17],
    "min_face": 20.0,
    "factor": 0.709,
    "padding": False,
    "voting": False,
    "score": 0.17,
    "weights": "weights/pnet.safetensors",
    "weights_fingerprint": "161d223797f90f59",
    "parameters": 495850,
}
"""What the detections of the run called tuned tell of its settings."""
IMAGES = [
    *(f"antrenare/images/{number}.png" for number in (1, 2, 4, 7)),
    *("validare/images/10.png", "validare/images/8.png"),
]
"""What ``lines`` and ``shards`` hold the detections of."""
PREPARE = "prepare toons --positives 3 --parts 2 --negatives 4 --out"
TRAIN = "train-pnet patches --epochs 2 --batch-size 16 --out"
STREAM = (
    "detect toons odd --weights tuned=weights/pnet.safetensors --engine torch --batch-size 1 "
    "--stream --out"
)
"""Commands that were interrupted, as far as the place that they write to."""
TRAIN_BOX = [48.3, 82.7, 98.0, 118.7]
TEST_BOXES = [[75.3, 70.3, 87.7, 79.7], [28.0, 81.3, 43.7, 94.3], [95.0, 85.3, 110.7, 97.7]]
IGNORED = [[2.0, 3.0, 22.0, 13.0]]
"""What ``pair`` holds: a face to train on, three to test on, and in both a region to ignore."""


def home(name: str) -> ModuleType:
    """Return the module of what has no public name; all that is needed of that stands here."""
    homes = {
        "History": "facetl.training.training_log",
        "SavedBudget": "facetl.training.time_budget",
        "gain_of_one_thread": "facetl.training.time_estimate",
        "measure_speed": "facetl.experiments.scheduler",
        "TYPICAL": "facetl.training.time_estimate",
    }
    return import_module(homes[name])


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the old files the current folder: paths in them are relative to it."""
    monkeypatch.chdir(OLD)


@pytest.fixture
def _in_a_copy(_here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go into a copy of them, for what writes."""
    shutil.copytree(OLD, tmp_path / "old_files")
    monkeypatch.chdir(tmp_path / "old_files")


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no plot be drawn and no speed be measured, which takes longer than all the rest."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("no plots here")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", refuse)
    typical = home("TYPICAL").TYPICAL
    monkeypatch.setattr(home("measure_speed"), "measure_speed", lambda *_: typical)
    monkeypatch.setattr(home("gain_of_one_thread"), "gain_of_one_thread", lambda *_: 1.0)


def run(command: str, code: int = 0) -> Result:
    """Run a command line that must end with an exit code."""
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == code, result.output
    return result


def assert_close(found: Any, expected: Any, within: float = 1e-5) -> None:
    """Assert that arrays have the same shape and about the same numbers."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=within)


def assert_same_files(folder: str, others: str, suffixes: str = "") -> None:
    """Assert that the files in a folder are byte for byte in another; manifests don't count.

    Args:
        folder: which must hold some files.
        others: where they must be too.
        suffixes: of the files that count; all if there are none.
    """
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    names = [path.relative_to(folder) for path in files if path.name != "manifest.json"]
    chosen = [name for name in names if not suffixes or name.suffix in suffixes.split()]
    assert chosen
    for name in chosen:
        assert (folder / name).read_bytes() == (others / name).read_bytes(), name


def boxes_in(dataset: FaceDataset) -> dict[str, list[list[float]]]:
    """Return the boxes of each frame by its name."""
    return {frame.name: frame.boxes.tolist() for frame in dataset}


# ---- detections


def test_detections_in_json() -> None:
    tuned = load_run("results/tuned.detections.json")
    assert (tuned.name, tuned.score, tuned.count, tuned.skipped) == ("tuned", 0.17, 3, ())
    assert tuned.settings.items() > {"engine": "torch", "batch_size": 4, "workers": 2}.items()
    assert {key: tuned.settings[key] for key in TUNED} == TUNED
    first, second = tuned.frames
    assert (first.image, first.size_hw) == ("images/10.png", (120, 160))
    assert first.candidates == {"pnet": 118, "rnet": 14, "onet": 2}
    assert (first.time, first.tracks, first.carried) == (None, None, False)
    assert second.seconds > 0
    assert_close(first.detections.scores, [0.9876928, 0.83448184])
    assert_close(second.detections.boxes, [[19.191687, -1.312067, 62.049053, 49.233112]])
    assert_close(
        second.detections.landmarks[0, :2], [[28.675234, 16.17464], [43.315292, 13.006683]]
    )
    pretrained = load_run("results/pretrained.detections.json")
    assert (pretrained.name, pretrained.score, pretrained.count) == ("pretrained", 0.7, 4)
    assert pretrained.settings["weights"] == "pretrained"


def test_detections_of_a_video() -> None:
    found = load_run("filmed/tuned.detections.json")
    assert found.settings.items() > {"every": "1", "skip_still": True}.items()
    assert found.settings["frame_rates"] == {"clip.mp4": 10.0}
    assert [frame.image for frame in found.frames][::5] == [
        "clip.mp4/000000.png",
        "clip.mp4/000005.png",
    ]
    assert [frame.time for frame in found.frames] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert [frame.tracks for frame in found.frames] == [(1,)] * 4 + [(None, None), (None,)]
    assert [frame.carried for frame in found.frames] == [False] * 3 + [True] + [False] * 2
    assert len(found.searched) == 5
    assert_close(found.frames[3].detections.boxes, [[71.09067, 83.46629, 98.8467, 117.75534]])


def assert_is_of_toons(found: Run) -> None:
    """Assert that this is the run that ``lines`` and ``shards`` hold."""
    assert (found.name, found.score, found.count) == ("tuned", 0.17, 7)
    assert {key: found.settings[key] for key in TUNED} == TUNED
    assert [frame.image for frame in found.frames] == IMAGES
    assert [frame.size_hw for frame in found.frames] == [(120, 160)] * 6
    assert [len(frame.detections) for frame in found.frames] == [1, 1, 1, 1, 2, 1]
    (skipped,) = found.skipped
    assert skipped.image == "damaged.png"
    assert "odd/damaged.png is no image of the kinds JPEG, PNG," in skipped.reason
    second = found.frames[1]
    assert math.isnan(second.seconds)
    assert second.candidates == {"pnet": 135, "rnet": 5, "onet": 1}
    assert_close(second.detections.boxes, [[61.25843, 83.225296, 96.794785, 132.32224]], 0.01)
    assert_close(second.detections.scores, [0.95894235], 1e-3)
    assert_close(second.detections.landmarks[0, 4], [84.871895, 121.12517], 0.01)


def test_detections_in_json_lines() -> None:
    found = load_run("lines/tuned.detections.jsonl")
    assert_is_of_toons(found)
    assert found.settings == {**TUNED, "engine": "torch", "batch_size": 1}


@pytest.mark.usefixtures("_in_a_copy")
def test_detections_in_json_lines_that_were_broken_off_are_gone_on_with() -> None:
    broken = Path("unfinished/lines/tuned.detections.jsonl")
    whole = broken.read_bytes().splitlines(keepends=True)[:-1]
    with pytest.raises(FacetlError):
        load_run(broken)
    result = run(f"{STREAM} unfinished/lines --resume")
    assert "resuming after 3 of 7 images" in result.stderr
    assert broken.read_bytes().splitlines(keepends=True)[: len(whole)] == whole
    assert_is_of_toons(load_run(broken))
    ended, kept = load_run(broken), load_run("lines/tuned.detections.jsonl")
    for frame, other in zip(ended.frames, kept.frames, strict=True):
        assert_close(frame.detections.boxes, other.detections.boxes, 0.01)
    result = run(f"{STREAM} lines --resume", code=1)
    assert "lines/tuned.detections.jsonl is finished, there is nothing to resume" in result.stderr


@pytest.mark.usefixtures("_in_a_copy")
def test_detections_in_shards() -> None:
    pytest.importorskip("pyarrow")
    assert_is_of_toons(load_run("shards/tuned.detections.parquet"))
    Path("shards/tuned.detections.parquet/part-000000.parquet").unlink()
    with pytest.raises(FacetlError, match="found 1 of 2 shards; resume with facetl detect"):
        load_run("shards/tuned.detections.parquet")


@pytest.mark.usefixtures("_in_a_copy")
@pytest.mark.parametrize("form", ["csv", "coco", "yolo", "npy", "cvat", "label-studio"])
def test_detections_are_exported_byte_for_byte_as_they_were(form: str) -> None:
    run(f"convert results again --to {form}")
    assert_same_files("again", "results")


@pytest.mark.usefixtures("_in_a_copy")
def test_detections_of_a_video_are_exported_byte_for_byte_as_they_were() -> None:
    run("convert filmed/tuned.detections.json again --to csv")
    assert_same_files("again", "filmed")


def test_exports_for_cvat_are_read_as_annotations() -> None:
    exported = load_dataset(images="toons/validare", annotations="results/tuned.cvat.json")
    assert boxes_in(exported) == {
        "images/10.png": [
            [0.0, 78.42073, 21.34148, 109.80838],
            [91.11599, 70.63918, 111.61489, 99.08715],
        ],
        "images/8.png": [[19.191687, 0.0, 62.049053, 49.233112]],
    }


# ---- figures


@pytest.mark.usefixtures("_in_a_copy", "_quick")
def test_detections_and_the_arrays_of_a_peer_are_scored_as_they_were() -> None:
    kept = json.loads(Path("metrics/metrics.json").read_text(encoding="utf-8"))
    tuned, peer = (kept["runs"][name] for name in ("tuned", "peer"))
    assert list(kept["runs"]) == ["pretrained", "tuned", "peer"]
    assert kept["truth"]["fingerprint"] == "c7be8d5fb751c588"
    assert tuned["ap"]["0.3"] == peer["ap"]["0.3"] == 0.25
    assert tuned["shown"]["score_threshold"] == 0.17
    assert peer["seconds_per_frame"] is None
    run("evaluate results --truth toons --peer peer=results/tuned.npy --out again")
    again = json.loads(Path("again/metrics.json").read_text(encoding="utf-8"))
    kept["facetl"] = again["facetl"]
    assert again == kept


# ---- patches, weights and trainings


def test_patches() -> None:
    patches = load_patches("patches")
    assert (len(patches), patches.size, patches.fingerprint) == (36, 12, "5d4d07a9757f7701")
    assert patches.counts == {Label.NEGATIVE: 16, Label.POSITIVE: 12, Label.PART: 8}
    assert patches.windows[0].tolist() == [68, 47, 101, 80]
    assert_close(patches.offsets[0], [0.2030303, 0.06969697, 0.0, -0.09090909])
    assert patches.pixels[0, 0, 0].tolist() == [160, 208, 208]
    assert np.bincount(patches.frame_index).tolist() == [9, 9, 9, 9]
    told = patches.metadata
    assert (told["stage"], told["seed"], told["mined"]) == ("pnet", 1, None)
    assert told["frames"] == ["1.png", "2.png", "4.png", "7.png"]
    assert told["groups"] == [0, 1, 2, 3]
    assert told["recipe"] == Recipe(positives=3, parts=2, negatives=4).to_json()
    assert told["without_positive"] == {"square": 0, "box": 0}


def test_patches_that_were_mined() -> None:
    patches = load_patches("patches/rnet.patches")
    assert (len(patches), patches.size, patches.fingerprint) == (12, 24, "d5afcee6865ca825")
    assert patches.counts == {Label.NEGATIVE: 4, Label.POSITIVE: 4, Label.PART: 4}
    assert patches.metadata["mined"]["thresholds"] == [0.3, 0.1, 0.1]
    assert patches.metadata["mined"]["judged"] is False


@pytest.mark.usefixtures("_in_a_copy")
def test_unfinished_cutting_is_refused_and_can_be_started_over() -> None:
    work = Path("unfinished/patches/pnet.patches.work")
    refused = run(f"{PREPARE} unfinished/patches --resume", code=1)
    assert "unfinished work of an older facetl; start over with --force" in refused.stderr
    assert (work / "log.jsonl").exists()
    run(f"{PREPARE} unfinished/patches --force")
    cut, kept = Path("unfinished/patches/pnet.patches"), Path("patches/pnet.patches")
    assert cut.read_bytes() == kept.read_bytes()
    assert not work.exists()


def test_weights() -> None:
    weights = load_weights("weights/pnet.safetensors")
    assert list(weights.stages) == ["pnet"]
    assert weights.fingerprint == TUNED["weights_fingerprint"]
    assert weights.settings == Settings(thresholds=(0.1, 0.6, 0.17), score=0.17)
    told = weights.metadata
    assert (told["stage"], told["start"]) == ("pnet", "pretrained")
    assert told["patches"] == "5d4d07a9757f7701"
    assert told["patch_counts"] == [{"stage": "pnet", "negative": 16, "positive": 12, "part": 8}]
    assert (told["best_epoch"], told["kept_epoch"]) == (1, 1)
    assert told["detection"]["aim"] == "f1"
    assert told["detection"]["data"]["fingerprint"] == "c4ed6bbfb31b0576"
    assert [record["epoch"] for record in told["records"]] == [1, 2]


def test_weights_find_what_they_found() -> None:
    found = Detector.load("weights/pnet.safetensors", "cpu", "torch").detect(
        "toons/validare/images/10.png"
    )
    (kept, _) = load_run("results/tuned.detections.json").frames
    assert_close(found.boxes, kept.detections.boxes, 0.01)
    assert_close(found.scores, kept.detections.scores, 1e-3)


def read_records(path: str) -> list[dict[str, Any]]:
    """Return the records of a training, one an epoch."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_records_of_a_training_are_those_in_the_weights() -> None:
    records = read_records("weights/pnet.jsonl")
    assert all(record.pop("seconds") >= 0 for record in records)
    assert records == load_weights("weights/pnet.safetensors").metadata["records"]
    assert records[1]["validation"]["total"] == pytest.approx(0.55811894)


@pytest.mark.usefixtures("_in_a_copy", "_quick")
def test_a_checkpoint_is_gone_on_with_for_one_epoch() -> None:
    result = run(f"{TRAIN} unfinished/pnet.safetensors --resume")
    assert "epoch  1/2" not in result.stderr
    assert "epoch  2/2" in result.stderr
    first, second = read_records("unfinished/pnet.jsonl")
    kept, other = read_records("weights/pnet.jsonl")
    assert {**first, "seconds": None} == {**kept, "seconds": None}
    assert second.keys() == other.keys()
    assert second["validation"]["total"] == pytest.approx(other["validation"]["total"], rel=0.05)
    # the weights of the first epoch were kept, as the best
    states = (load_weights(f"{folder}/pnet.safetensors") for folder in ("unfinished", "weights"))
    ended, trained = (weights.stages["pnet"] for weights in states)
    assert all(same_values(tensor, trained[name]) for name, tensor in ended.items())
    assert not Path("unfinished/pnet.safetensors.checkpoint").exists()


class StopError(Exception):
    """What breaks a training off."""


@dataclass
class Watcher:
    """Notes what a cascade's training does; breaks it off after an epoch, or where it cuts."""

    notes: list[str] = field(default_factory=list)

    def skips(self, step: Any) -> None:
        self.notes.append(f"skips {step.name}")

    def cutting(self, step: Any, frames: Iterator[Any]) -> Iterator[Any]:
        self.notes.append(f"cuts {step.name}")
        yield from frames

    def has_cut(self, step: Any, _: Any) -> None:
        raise StopError

    def has_trained(self, step: Any, checkpoint: Any) -> None:
        self.notes.append(f"trained {step.name} {checkpoint.epoch}")
        raise StopError


def small_plan(seed: int = 1) -> CascadePlan:
    """Return the plan of the two workshops; tests/old_files/README.md has it too."""
    plan = CascadePlan.default(seed=seed).with_epochs([2, 1, 1])
    recipe = Recipe(positives=3, parts=2, negatives=4)
    changes: dict[str, Any] = {"batch_size": 16, "validation_share": 0.25, "optimiser": "sgd"}
    stages = {
        stage: replace(each, recipe=recipe, training=replace(each.training, **changes))
        for stage, each in plan.stages.items()
    }
    return replace(plan, stages=stages)


def go_on_in(folder: str, plan: CascadePlan) -> list[str]:
    """Resume a cascade's training until it has done a bit; return what it did."""
    watcher: Any = Watcher()
    device = "cpu"
    workshop = Workshop(Path("unfinished", folder))
    with suppress(StopError):
        Training(load_dataset("toons"), plan, workshop, watcher, device, "torch").run()
    notes: list[str] = watcher.notes
    return notes


@pytest.mark.usefixtures("_in_a_copy")
@pytest.mark.parametrize(
    ("folder", "notes"),
    [("in_pnet", ["trained 1_pnet 2"]), ("after_pnet", ["skips 1_pnet", "cuts 1_rnet"])],
)
def test_a_workshop_is_gone_on_with(folder: str, notes: list[str]) -> None:
    assert go_on_in(folder, small_plan()) == notes
    with pytest.raises(FacetlError, match=r"belongs to a training with seed 1 \(now 2\)"):
        go_on_in(folder, small_plan(seed=2))


def test_a_finished_step_of_a_workshop() -> None:
    weights = load_weights("unfinished/after_pnet/1_pnet.safetensors")
    assert weights.fingerprint == "9a9493b17335f052"
    counts = {"stage": "pnet", "negative": 16, "positive": 12, "part": 8}
    assert weights.metadata["patch_counts"] == [{"round": 1, **counts}]
    assert home("History").History.of(weights.metadata).held_out == ("1.png",)
    assert weights.metadata["suspects"] == []
    assert [record["epoch"] for record in weights.metadata["records"]] == [1, 2]


def test_what_a_training_with_a_budget_remembers() -> None:
    folder = Path("unfinished/budget.safetensors.work")
    memory = home("SavedBudget").SavedBudget.load(folder / "budget.json")
    assert (0 < memory.spent < 600, memory.patches) == (True, {"1_pnet": 1.0})
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    assert (task["budget"], task["data"]) == (600.0, "c4ed6bbfb31b0576")
    Workshop(folder).open(task)


@pytest.mark.usefixtures("_in_a_copy", "_quick")
def test_the_cells_of_a_study() -> None:
    patches = Path("study/patches/pnet_allf_seed1.patches")
    patches.parent.mkdir()
    patches.touch()  # they are not kept; what is there is done
    result = run("compare toons --study study.toml --out study --workers 1 --resume")
    assert "2 (with what they need 3 tasks, 3 done)" in result.stderr
    assert "plain fine-tuning     6,632          0.167  0.167  0.000     0.067" in result.stdout
    assert_same_files("study", str(OLD / "study"), ".csv .json")
    table = (OLD / "study/study.md").read_text("utf-8").replace("put aside", "held out")
    assert Path("study/study.md").read_text("utf-8") == table  # but for a word


# ---- annotated frames


def test_a_drawn_cartoon() -> None:
    train, test = (load_dataset("toons", part=part) for part in ("train", "test"))
    assert [frame.labels for frame in train] == [("unknown",), ("mabel",), ("juno",), ("juno",)]
    assert len(test) == test.face_count == 2
    assert train.frames[0].boxes.tolist() == [[74.7, 49.3, 101, 77]]


@pytest.mark.parametrize("form", ["course", "coco", "yolo", "voc"])
def test_data_sets(form: str) -> None:
    folder = f"converted/{form}"
    (train,), (test,) = load_dataset(folder), load_dataset(folder, part="test")
    assert (train.name, train.size_hw, train.labels) == ("train.png", (120, 160), ("mabel",))
    assert (test.name, test.labels) == ("test.png", ("unknown", "unknown", "juno"))
    within = 0.5 if form == "voc" else 1e-9  # whole pixels
    assert_close(train.boxes, [TRAIN_BOX], within)
    assert_close(test.boxes, TEST_BOXES, within)
    ignored = IGNORED if form in ("coco", "voc") else []
    assert train.ignored.tolist() == test.ignored.tolist() == ignored


def test_single_files_of_annotations() -> None:
    (frame,) = load_dataset(images="pair/images/test", annotations="converted/faces.json")
    assert (frame.boxes.tolist(), frame.ignored.tolist()) == (TEST_BOXES, IGNORED)
    assert frame.labels == ("unknown", "unknown", "juno")
    (faces,) = load_annotations(Path("converted/faces.txt")).faces.values()
    assert (faces.boxes.tolist(), faces.labels) == (TEST_BOXES, ("unknown", "unknown", "juno"))


def test_picked_frames() -> None:
    assert boxes_in(load_dataset("picked")) == {"000004.png": [[96, 61, 117, 85], [69, 73, 82, 88]]}


@pytest.mark.usefixtures("_in_a_copy")
@pytest.mark.parametrize("form", ["course", "coco", "yolo", "voc", "label-studio"])
def test_data_sets_are_written_byte_for_byte_as_they_were(form: str) -> None:
    images = "none" if form == "label-studio" else "copy"
    run(f"convert pair again --to {form} --with-images {images}")
    assert_same_files("again", f"converted/{form}")
    assert_same_files(f"converted/{form}", "again")


@pytest.mark.usefixtures("_in_a_copy")
@pytest.mark.parametrize(("name", "form"), [("faces.json", "coco"), ("faces.txt", "course")])
def test_single_files_are_written_byte_for_byte_as_they_were(name: str, form: str) -> None:
    run(f"convert pair {name} --to {form} --part test")
    assert Path(name).read_bytes() == Path("converted", name).read_bytes()


# ---- manifests


def test_manifests_are_verified_with_what_the_commands_were_given() -> None:
    told = run("verify results lines shards converted --inputs").stdout
    assert "results/manifest.json: 24 of 24 files are as they were written (detect)" in told
    assert "converted/voc/manifest.json: 6 of 6 files are as they were written (convert)" in told
    assert "input of detect, same: weights/pnet.safetensors" in told
    assert "not in the manifest" not in told
    assert run("verify filmed picked").exit_code == 0


@pytest.mark.parametrize(
    ("folder", "outcome"),
    [
        ("weights", "2 of 6 files are as they were written (train-pnet, tune)"),
        ("patches", "2 of 4 files are as they were written (prepare)"),
        ("metrics", "1 of 11 files are as they were written (evaluate)"),
        ("study", "6 of 17 files are as they were written (compare)"),
    ],
)
def test_of_what_was_removed_manifests_say_that_it_is_missing(folder: str, outcome: str) -> None:
    told = run(f"verify {folder}", code=1).stdout
    assert f"{folder}/manifest.json: {outcome}" in told
    assert "changed" not in told


@pytest.mark.usefixtures("_in_a_copy")
def test_a_step_is_added_to_an_old_manifest() -> None:
    run("convert pair converted/more.json --to coco")
    told = run("verify converted/more.json converted/faces.json").stdout
    assert told.count("1 of 1 files are as they were written (convert)") == 2
    Path("converted/faces.json").write_text("{}", encoding="utf-8")
    assert "  changed: faces.json" in run("verify converted", code=1).stdout
