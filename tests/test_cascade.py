"""The whole cascade on a few small frames: what it leaves, and that breaks leave no trace."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parameters import same_values
from reference_training import without_times
from tiny_world import BrokenOffError, Diary, assert_same_weights, save_frames, tiny_plan

from facetl.boxes import as_boxes
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.frame import Frame
from facetl.errors import InputError, WeightsError
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.stages import STAGES, Stage
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.training import cascade, preparation
from facetl.training.cascade import TUNED, Cascade, Training, Workshop
from facetl.training.patches import load_patches
from facetl.training.plan import MOST_STRETCHED, CascadePlan, Step
from facetl.training.stages import STAGE_FACTS
from facetl.training.suspects import Suspect

pytestmark = pytest.mark.slow

STORY = [
    *("cuts 1_pnet", "has cut 1_pnet", "has trained 1_pnet 1", "has trained 1_pnet 2"),
    *("cuts 1_rnet", "has cut 1_rnet", "has trained 1_rnet 1"),
    *("cuts 1_onet", "has cut 1_onet", "has trained 1_onet 1"),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    return load_dataset(save_frames(tmp_path_factory.mktemp("frames"), 4))


def train_in(
    folder: Path, dataset: FaceDataset, plan: CascadePlan | None = None, diary: Diary | None = None
) -> Cascade:
    plan, diary = plan or tiny_plan(), diary or Diary()
    return Training(dataset, plan, Workshop(folder), diary, "cpu").run()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, dataset: FaceDataset) -> Cascade:
    return train_in(tmp_path_factory.mktemp("unbroken"), dataset)


def assert_same(found: Cascade, expected: Cascade) -> None:
    assert_same_weights(found.weights, expected.weights)
    assert without_times(found.records) == without_times(expected.records)
    assert found.suspects == expected.suspects


def test_the_stages_are_trained_in_turn(tmp_path: Path, dataset: FaceDataset) -> None:
    diary = Diary()
    trained = train_in(tmp_path, dataset, diary=diary)
    assert diary.entries == STORY
    assert list(trained.weights.stages) == list(STAGES)
    for stage, state in trained.weights.stages.items():
        pretrained = load_pretrained_stage(stage)
        assert any(not same_values(state[name], pretrained[name]) for name in pretrained)


def test_records_tell_stage_round_and_epoch(unbroken: Cascade) -> None:
    told = [(record["round"], record["stage"], record["epoch"]) for record in unbroken.records]
    assert told == [(1, "pnet", 1), (1, "pnet", 2), (1, "rnet", 1), (1, "onet", 1)]
    assert "landmark" in unbroken.records[-1]["validation"]
    assert "landmark" not in unbroken.records[0]["validation"]


def test_the_weights_tell_where_they_come_from(unbroken: Cascade) -> None:
    metadata = unbroken.weights.metadata
    assert metadata["records"] == without_times(list(unbroken.records))
    assert (metadata["start"], metadata["rounds"], metadata["seed"]) == ("pretrained", 1, 1)
    assert metadata["rnet"]["recipe"]["negatives"] == 4
    assert metadata["onet"]["training"]["epochs"] == 1
    json.dumps(metadata)
    assert unbroken.weights.settings == TUNED


@pytest.mark.parametrize("last", range(len(STORY)))
def test_a_training_that_is_killed_goes_on_to_the_same_weights(
    tmp_path: Path, dataset: FaceDataset, unbroken: Cascade, last: int
) -> None:
    with pytest.raises(BrokenOffError):
        train_in(tmp_path, dataset, diary=Diary(last))
    resumed = Diary()
    assert_same(train_in(tmp_path, dataset, diary=resumed), unbroken)
    told_twice = set(resumed.entries) & set(STORY[:last])
    assert all("cuts" in entry for entry in told_twice), "no epoch is trained twice"


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("name", ["save_checkpoint", "save_weights", "Weights"])
def test_a_kill_while_something_is_saved_does_no_harm(
    tmp_path: Path,
    dataset: FaceDataset,
    unbroken: Cascade,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    step: int,
) -> None:
    calls = 0

    original = getattr(cascade, name)

    def kill(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > step:
            raise BrokenOffError
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(cascade, name, kill)
        with pytest.raises(BrokenOffError):
            train_in(tmp_path, dataset)
    assert_same(train_in(tmp_path, dataset), unbroken)


def test_a_finished_training_is_only_read_again(
    tmp_path: Path, dataset: FaceDataset, unbroken: Cascade
) -> None:
    train_in(tmp_path, dataset)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", *[".safetensors"] * 3]
    diary = Diary()
    assert_same(train_in(tmp_path, dataset, diary=diary), unbroken)
    assert diary.entries == ["skips 1_pnet", "skips 1_rnet", "skips 1_onet"]


def test_a_second_round_goes_on_from_the_first_and_ranks_by_its_own_scores(
    tmp_path: Path, dataset: FaceDataset, unbroken: Cascade, monkeypatch: pytest.MonkeyPatch
) -> None:
    mined: dict[str, Any] = {}

    def watched(path: Path, stage: str) -> Any:
        patches = load_patches(path, stage)
        mined[path.stem] = patches.metadata["mined"]
        return patches

    monkeypatch.setattr(cascade, "load_patches", watched)
    trained = train_in(tmp_path, dataset, tiny_plan(rounds=2))
    assert [(each["round"], each["stage"]) for each in trained.records[4:]] == [
        *[(2, "pnet")] * 2,
        *[(2, "rnet"), (2, "onet")],
    ]
    assert without_times(trained.records[:4]) == without_times(unbroken.records)
    assert mined["1_pnet"] is None
    assert not mined["1_rnet"]["judged"]
    assert not mined["1_onet"]["judged"]
    assert all(mined[f"2_{stage}"]["judged"] for stage in STAGES)


def test_a_second_round_can_be_broken_off_too(tmp_path: Path, dataset: FaceDataset) -> None:
    whole = train_in(tmp_path / "whole", dataset, tiny_plan(rounds=2))
    with pytest.raises(BrokenOffError):
        train_in(tmp_path / "broken", dataset, tiny_plan(rounds=2), Diary(len(STORY) + 5))
    assert_same(train_in(tmp_path / "broken", dataset, tiny_plan(rounds=2)), whole)


def test_every_stage_mines_with_the_tuned_ones_before_it(
    tmp_path: Path, dataset: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[list[str]] = []

    def watched(weights: Weights, *how: Any) -> Any:
        held.append(list(weights.stages))
        return detector(weights, *how)

    detector = Detector
    monkeypatch.setattr(cascade, "Detector", watched)
    train_in(tmp_path, dataset)
    assert held == [["pnet"], ["pnet", "rnet"]]


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (tiny_plan(seed=2), "seed 1 (now 2)"),
        (tiny_plan(rounds=2), "rounds 1 (now 2)"),
        (tiny_plan().with_epochs([2, 3, 1]), "epochs 1 (now 3)"),
        (replace(tiny_plan(), frames=2), "frames None (now 2)"),
    ],
)
def test_another_plan_in_the_same_workshop_is_refused(
    tmp_path: Path, dataset: FaceDataset, other: CascadePlan, difference: str
) -> None:
    with pytest.raises(BrokenOffError):
        train_in(tmp_path, dataset, diary=Diary(0))
    with pytest.raises(WeightsError) as caught:
        train_in(tmp_path, dataset, other)
    assert difference in str(caught.value)
    assert "--force" in str(caught.value)


def test_other_frames_in_the_same_workshop_are_refused(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    with pytest.raises(BrokenOffError):
        train_in(tmp_path, dataset, diary=Diary(0))
    with pytest.raises(WeightsError, match="belongs to a training with data "):
        train_in(tmp_path, FaceDataset(dataset.frames[1:]))


def test_a_start_that_lacks_a_stage_is_refused_before_the_work(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    start = tmp_path / "pnet.safetensors"
    save_weights(start, Weights({"pnet": load_pretrained_stage("pnet")}))
    with pytest.raises(WeightsError, match="holds pnet, not rnet"):
        train_in(tmp_path / "work", dataset, replace(tiny_plan(), start=str(start)))
    with pytest.raises(WeightsError, match="no such weights file"):
        train_in(tmp_path / "work", dataset, replace(tiny_plan(), start="nowhere.pt"))
    assert not (tmp_path / "work").exists()


def test_a_cascade_can_start_from_another_one(
    tmp_path: Path, dataset: FaceDataset, unbroken: Cascade
) -> None:
    start = tmp_path / "start.safetensors"
    save_weights(start, unbroken.weights)
    plan = replace(tiny_plan(), start=str(start))
    trained = train_in(tmp_path / "work", dataset, plan)
    assert trained.weights.metadata["start"].startswith("start.safetensors sha256:")


def test_a_cascade_rescores_if_what_it_starts_from_does(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    plan = replace(tiny_plan(), start="cartoon-large")
    trained = train_in(tmp_path, dataset, plan).weights
    large = load_weights("cartoon-large").settings
    assert large.rescored
    assert trained.settings == replace(TUNED, rescored=True, score=large.score)
    assert "rescorer.onnx sha256:" in trained.metadata["start"]


def test_frames_without_a_face_are_refused(tmp_path: Path, dataset: FaceDataset) -> None:
    bare = replace(dataset.frames[0], boxes=as_boxes([]), labels=())
    with pytest.raises(InputError, match="found no face in 2 frames"):
        train_in(tmp_path, FaceDataset((bare, replace(bare, name="b"))))
    assert not Workshop(tmp_path).has_work


def test_suspects_are_told_best_first_and_a_break_keeps_them(
    tmp_path: Path, dataset: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"0.png": 0.96, "1.png": 0.99, "3.png": 0.97}

    def suspect(proposals: object, frame: Frame) -> tuple[Suspect, ...]:
        known = frame.name in scores
        return (Suspect(frame.name, (1, 2, 3, 4), scores[frame.name]),) if known else ()

    monkeypatch.setattr(preparation, "find_suspects", suspect)
    trained = train_in(tmp_path, dataset)
    assert [each["frame"] for each in trained.suspects] == ["1.png", "3.png", "0.png"]
    assert trained.suspects[0] == {"frame": "1.png", "box": [1, 2, 3, 4], "score": 0.99}
    assert train_in(tmp_path, dataset).suspects == trained.suspects


# ---- the plan


def test_steps_are_called_by_stage_and_from_the_second_round_by_round() -> None:
    assert [step.label for step in tiny_plan(rounds=2).steps] == [
        *("pnet", "rnet", "onet"),
        *("pnet, round 2", "rnet, round 2", "onet, round 2"),
    ]
    assert Step(2, "rnet").name == "2_rnet"


def test_the_default_plan_is_that_of_the_stages() -> None:
    plan = CascadePlan.default()
    for stage in STAGES:
        assert plan.stages[stage].recipe == STAGE_FACTS[stage].recipe
        assert plan.stages[stage].training == STAGE_FACTS[stage].training


def test_epochs_go_to_the_stages_in_order() -> None:
    plan = CascadePlan.default().with_epochs([4, 5, 6])
    assert [each.training.epochs for each in plan.stages.values()] == [4, 5, 6]
    usual = [STAGE_FACTS[stage].training.epochs for stage in STAGES]
    assert plan.with_epochs(usual) == CascadePlan.default()
    with pytest.raises(ValueError, match="zip"):
        plan.with_epochs([1, 2])


def test_few_frames_give_more_windows_each(dataset: FaceDataset) -> None:
    plan = tiny_plan().enriched(dataset, {"pnet": 0, "rnet": 10**9, "onet": 0})
    factors = [each.recipe.negatives / 4 for each in plan.stages.values()]
    assert factors == [1, 8, 1]


def test_few_frames_are_seen_more_often_up_to_a_limit() -> None:
    # 10 faces × 5 and 5 frames × 4 windows are 70 patches, in each of the epochs 2, 1 and 1
    boxes = np.tile([10.0, 10.0, 30.0, 30.0], (2, 1))
    frame = Frame(Path("a.png"), "a.png", boxes, (None, None), (120, 160))
    frames = FaceDataset((frame,) * 5)
    enough: dict[Stage, int] = {"pnet": 140, "rnet": 141, "onet": 10**9}
    stretched = tiny_plan().stretched(frames, enough)
    assert [each.training.epochs for each in stretched.stages.values()] == [2, 3, MOST_STRETCHED]


def test_some_of_the_frames_are_drawn_by_the_seed_and_keep_their_order(
    dataset: FaceDataset,
) -> None:
    def names(frames: int | None, seed: int = 1) -> list[str]:
        chosen = replace(tiny_plan(seed=seed), frames=frames).choose_frames(dataset)
        return [frame.name for frame in chosen]

    whole = [frame.name for frame in dataset]
    assert names(None) == names(4) == names(99) == whole
    assert names(2) == sorted(names(2))
    assert set(names(2)) < set(names(3)), "a larger budget adds frames"
    assert len({tuple(names(2, seed)) for seed in range(8)}) > 1


def test_a_training_on_some_frames_looks_at_these_alone(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    plan = replace(tiny_plan(), frames=3)
    diary = Diary(2)
    with pytest.raises(BrokenOffError):
        train_in(tmp_path, dataset, plan, diary)
    found = load_patches(Workshop(tmp_path).patches(Step(1, "pnet")))
    assert found.metadata["frames"] == [frame.name for frame in plan.choose_frames(dataset)]


def test_a_plan_is_told_as_plain_values() -> None:
    plan = CascadePlan.default(rounds=2, frames=7, seed=5)
    told = plan.to_json()
    assert told == json.loads(json.dumps(told)) | {stage: told[stage] for stage in STAGES}
    assert {name: told[name] for name in ("start", "rounds", "frames", "seed")} == {
        "start": "pretrained",
        "rounds": 2,
        "frames": 7,
        "seed": 5,
    }
    assert told["onet"]["training"]["epochs"] == STAGE_FACTS["onet"].training.epochs
    assert told["pnet"]["recipe"]["bands"]["positive"] == 0.65
