from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from outcomes import assert_refused, cannot_draw, left_in, success
from parameters import pretrained_tensors, same_values
from PIL import Image
from reference_training import QUICK, blob_patches, save_patches, without_times
from tiny_world import save_frames

from facetl.cli import main
from facetl.commands import train_stage as train_module
from facetl.commands.train_stage import TrainStageRequest
from facetl.evaluation.report import plots
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.search.settings import DETECTION, Settings
from facetl.training import checkpoint, loop
from facetl.training.checkpoint import Checkpoint
from facetl.training.initialisation import build_starting_network
from facetl.training.loop import train
from facetl.training.patches import load_patches
from facetl.training.stages import STAGE_FACTS

pytestmark = pytest.mark.usefixtures("sketched")

BLOBS = blob_patches()

FILES = ["pnet.jsonl", "pnet.safetensors", "pnet_losses.png", "pnet_losses.svg"]

QUICKLY = ("--epochs=3", "--batch-size=64", "--learning-rate=0.005", "--validation-share=0.25")
"""The options that say what QUICK says."""

TOO_FAST = ("--optimiser=sgd", "--schedule=constant", "--learning-rate=1e6")

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_patches(tmp_path_factory.mktemp("patches") / "pnet.patches", BLOBS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "weights" / "pnet.safetensors"


@pytest.fixture
def command(patches: Path, out: Path) -> Command:
    """The command with quick settings; what is given in addition counts more."""

    def run(*arguments: str, patches: Path = patches) -> Result:
        given = ["train-pnet", str(patches), "--out", str(out), *QUICKLY, *arguments]
        return CliRunner().invoke(main, given)

    return run


def files_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir()) if path.parent.exists() else []


def assert_same_training(path: Path, other: Path) -> None:
    """Assert that two files hold the same weights bit for bit, and the same origin."""
    one, same = load_weights(path), load_weights(other)
    for name, tensor in one.stages["pnet"].items():
        assert same_values(tensor, same.stages["pnet"][name]), name
    told, also = ({**weights.metadata} for weights in (one, same))
    assert without_times(told.pop("records")) == without_times(also.pop("records"))
    assert told == also


def test_the_best_weights_are_written_with_their_origin(
    command: Command, patches: Path, out: Path
) -> None:
    result = command()
    assert result.exit_code == 0, result.output
    assert left_in(out.parent) == FILES
    data = load_patches(patches)
    *_, wanted = train(build_starting_network("pnet", "pretrained", 1), "pnet", data, QUICK)
    weights = load_weights(out)
    for name, tensor in wanted.best_weights.items():
        assert same_values(weights.stages["pnet"][name], tensor)
    assert weights.metadata["start"] == "pretrained"
    assert weights.metadata["patches"] == data.fingerprint
    assert weights.metadata["settings"] == json.loads(json.dumps(QUICK.to_json()))
    assert weights.metadata["best_epoch"] == wanted.best_epoch
    assert without_times(weights.metadata["records"]) == without_times(wanted.records)


def test_curves_that_cannot_be_drawn_cost_no_weights(
    command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "save_plot", cannot_draw)
    result = success(command())
    assert left_in(out.parent) == ["pnet.jsonl", "pnet.safetensors"]
    assert "pictures that cannot be drawn, left out: 1 (" in result.stderr


def test_of_a_training_that_gets_worse_the_first_epoch_is_written(
    command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising = iter([0.1, 0.1, 0.2, 0.2, 0.3, 0.3])  # on patches learnt from, and on those held out
    names = ("classification", "box", "accuracy", "recall", "false_alarms")
    monkeypatch.setattr(
        loop._PatchObjective,
        "measure",
        lambda *_: {"total": next(rising), **dict.fromkeys(names, 0.5)},
    )
    assert command().exit_code == 0
    monkeypatch.undo()
    first = next(train(build_starting_network("pnet", "pretrained", 1), "pnet", BLOBS, QUICK))
    weights = load_weights(out)
    assert weights.metadata["best_epoch"] == 1
    assert len(weights.metadata["records"]) == 3
    for name, tensor in first.weights.items():
        assert same_values(weights.stages["pnet"][name], tensor)


@pytest.mark.rendered
def test_records_and_curves_lie_beside_the_weights(command: Command, out: Path) -> None:
    command()
    lines = out.with_suffix(".jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert all(record["seconds"] > 0 for record in records)
    assert without_times(records) == load_weights(out).metadata["records"]
    with Image.open(out.with_name("pnet_losses.png")) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 400


def test_the_epochs_are_told_and_the_best_has_the_last_star(command: Command, out: Path) -> None:
    result = command()
    parts, *epochs, mining, advice = result.stderr.splitlines()
    assert parts == "pnet: 6,632 of 6,632 parameters learn"
    assert [line[:9] for line in epochs] == ["epoch  1/", "epoch  2/", "epoch  3/"]
    starred = [number for number, line in enumerate(epochs, 1) if line.endswith("*")]
    assert starred[-1] == load_weights(out).metadata["best_epoch"]
    assert mining.startswith(f"next: facetl prepare DATA --stage rnet --weights {out} --out ")
    assert advice.startswith("next: facetl detect")
    assert f"tuned={out}" in advice
    assert result.stdout.startswith(f"wrote {out}, ")


def test_every_option_reaches_the_settings(command: Command, out: Path) -> None:
    result = command(
        "--epochs=1", "--optimiser=sgd", "--schedule=cosine", "--hard-share=0.5", "--seed=4",
        "--classification-weight=2", "--box-weight=3", "--landmark-weight=4",
        "--class-shares", "2", "1", "0.5",
        "--patience=6", "--keep=last",
        "--score-threshold=0.4", "--flip=0.1", "--brightness=0.2", "--colour=0.3",
        "--contrast=0.4", "--repaint=0.5",
        "--strategy=last-block", "--reset-head", "--regulariser=feature-map", "--alpha=0.1",
        "--beta=0.2", "--decay=0.5", "--feature-layer=conv2", "--feature-layer=conv3",
        "--gradient-rule=dtnh", "--phase-epochs", "1", "2", "3", "--phase-rates", "3", "2", "1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert load_weights(out).metadata["settings"] == {
        "epochs": 1, "batch_size": 64, "learning_rate": 0.005, "optimiser": "sgd",
        "schedule": "cosine", "classification_weight": 2, "box_weight": 3, "landmark_weight": 4,
        "hard_share": 0.5,
        "shares": [2, 1, 0.5], "validation_share": 0.25, "patience": 6, "keep": "last",
        "score_threshold": 0.4,
        "augmentation": {
            "flip": 0.1, "brightness": 0.2, "contrast": 0.4, "colour": 0.3, "repaint": 0.5,
        },
        "transfer": {
            "strategy": "last-block", "reset_head": True, "regulariser": "feature-map",
            "alpha": 0.1,
            "beta": 0.2, "decay": 0.5, "feature_layers": ["conv2", "conv3"],
            "gradient_rule": "dtnh", "phase_epochs": [1, 2, 3], "phase_rates": [3, 2, 1],
        },
        "seed": 4,
    }  # fmt: skip


def test_the_number_of_trained_parameters_is_told(command: Command) -> None:
    head = command("--strategy=head").stderr
    assert "pnet: 198 of 6,632 parameters learn" in head
    assert "--phase-epochs" not in head
    phases = ("--strategy=gradual", "--phase-epochs", "1", "1", "1", "--force")
    told = command(*phases).stderr
    assert "gradual takes its epochs from --phase-epochs, not from --epochs" in told
    assert "pnet: 198, then 4,870, then 6,632 of 6,632 parameters learn" in told
    assert "epoch  3/3" in told


def test_from_scratch_there_is_no_other_start(command: Command, out: Path) -> None:
    assert command("--strategy=scratch", "--epochs=1").exit_code == 0
    assert load_weights(out).metadata["start"] == "scratch"
    result = command("--strategy=scratch", "--start=cartoon", "--force")
    assert result.exit_code == 2
    assert "starts from chance, not from cartoon" in result.stderr


def test_what_cannot_be_held_is_one_line(command: Command) -> None:
    refused = command("--regulariser=feature-map", "--feature-layer=conv7")
    assert_refused(refused, "'conv7'", "conv1, conv2, conv3")
    assert_refused(command("--gradient-rule=dtnh"), "dtnh without a regulariser")


def test_a_folder_of_patches_will_do(command: Command, patches: Path) -> None:
    assert command("--epochs=1", patches=patches.parent).exit_code == 0


def test_own_weights_are_a_start(command: Command, out: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    scratch = build_starting_network("pnet", "scratch", 9).state_dict()
    save_weights(own, Weights({"pnet": scratch}))
    # steps this small cannot leave the neighbourhood of the start
    assert command(f"--start={own}", "--epochs=1", "--learning-rate=1e-9").exit_code == 0
    weights = load_weights(out)
    assert weights.metadata["start"].startswith("own.safetensors sha256:")
    for name, tensor in scratch.items():
        np.testing.assert_allclose(weights.stages["pnet"][name], tensor, atol=1e-6, rtol=0)


def test_a_pytorch_file_and_scratch_are_starts(command: Command, tmp_path: Path) -> None:
    own = tmp_path / "own.pt"
    torch.save(pretrained_tensors("pnet"), own)
    assert command(f"--start={own}", "--epochs=1").exit_code == 0
    assert command("--start=scratch", "--epochs=1", "--force").exit_code == 0


def test_a_start_without_pnet_is_refused(command: Command, out: Path, tmp_path: Path) -> None:
    own = tmp_path / "rnet.safetensors"
    save_weights(own, Weights({"rnet": load_pretrained_stage("rnet")}))
    assert_refused(command(f"--start={own}"), f"{own}: holds rnet, not pnet")
    assert_refused(command("--start=nowhere.pt"), "nowhere.pt: no such weights file")
    assert files_beside(out) == []


def test_early_stopping_ends_the_training(command: Command, out: Path) -> None:
    # with steps this large the loss jumps up and down
    result = command("--epochs=20", "--patience=1", "--learning-rate=0.3")
    assert result.exit_code == 0, result.output
    metadata = load_weights(out).metadata
    assert len(metadata["records"]) == metadata["best_epoch"] + 1 < 20


@pytest.fixture
def press_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Press Ctrl-C once, while the checkpoint of an epoch is saved or right after."""

    def press(epoch: int, *, saved: bool) -> None:
        save, pending = checkpoint.save_checkpoint, [epoch]

        def save_or_stop(path: Path, state: Checkpoint, task: dict[str, Any]) -> None:
            pressed = pending == [state.epoch] and bool(pending.pop())
            if saved or not pressed:
                save(path, state, task)
            if pressed:
                raise KeyboardInterrupt

        monkeypatch.setattr(train_module, "save_checkpoint", save_or_stop)

    return press


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_ctrl_c_leaves_the_best_and_resume_ends_the_same(
    command: Command, out: Path, press_ctrl_c: Callable[..., None], epoch: int, saved: bool
) -> None:
    unbroken = out.with_name("unbroken.safetensors")
    assert command(f"--out={unbroken}").exit_code == 0
    press_ctrl_c(epoch, saved=saved)
    broken = command()
    assert broken.exit_code == 130
    last = broken.stderr.splitlines()[-1]
    assert last.startswith(f"facetl: stopped; {out} holds the weights of epoch ")
    assert "; resume with: facetl train-pnet " in last
    assert last.endswith(" --resume")
    assert len(load_weights(out).metadata["records"]) == epoch
    resumed = command("--resume")
    assert resumed.exit_code == 0, resumed.output
    assert_same_training(out, unbroken)
    assert not out.with_name("pnet.safetensors.checkpoint").exists()


def test_ctrl_c_in_the_first_epoch_leaves_nothing(
    command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "load_batch", stop)
    result = command()
    assert result.exit_code == 130
    assert result.stderr == "facetl: stopped; nothing half-written is left\n"
    assert files_beside(out) == []


def test_resume_keeps_to_its_task(
    command: Command,
    out: Path,
    press_ctrl_c: Callable[..., None],
    patches: Path,
    tmp_path: Path,
) -> None:
    press_ctrl_c(1, saved=True)
    command()
    before = out.read_bytes()
    others = save_patches(tmp_path / "other.patches", blob_patches(seed=6))
    (tmp_path / "moved.patches").write_bytes(patches.read_bytes())
    assert_refused(command("--resume", "--epochs=9"), "epochs 3 (now 9)", "--force")
    assert_refused(command("--resume", "--start=scratch"), "start pretrained (now scratch)")
    assert_refused(command("--resume", patches=others), "patches ", "--force")
    assert out.read_bytes() == before
    # the same content in another place
    assert command("--resume", patches=tmp_path / "moved.patches").exit_code == 0


def test_an_unfinished_training_is_not_lost_unasked(
    command: Command, out: Path, press_ctrl_c: Callable[..., None]
) -> None:
    press_ctrl_c(1, saved=True)
    command()
    assert_refused(command(), "holds an unfinished training", "--resume", "--force")
    assert command("--force").exit_code == 0
    assert left_in(out.parent) == FILES


def test_a_finished_training_cannot_be_resumed(command: Command, out: Path) -> None:
    command()
    assert_refused(command("--resume"), f"{out} is finished", "--force")


def test_resume_with_nothing_there_starts(command: Command, out: Path) -> None:
    assert command("--resume", "--epochs=1").exit_code == 0
    assert left_in(out.parent) == FILES


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_overwritten_unasked(command: Command, out: Path, name: str) -> None:
    out.parent.mkdir()
    out.with_name(name).write_text("precious")
    assert_refused(command("--epochs=1"), name, "--force")
    assert out.with_name(name).read_text() == "precious"
    assert command("--epochs=1", "--force").exit_code == 0


def test_a_loss_that_is_not_finite_leaves_no_half_written_weights(
    command: Command, out: Path
) -> None:
    assert_refused(command(*TOO_FAST), "the loss became ", "(classification ", "--learning-rate")
    assert files_beside(out) == []
    command("--epochs=1")
    before = out.read_bytes()
    assert_refused(command(*TOO_FAST, "--force"), "the loss became ")
    assert out.read_bytes() == before


def test_missing_and_unfit_patches_are_one_line(command: Command, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert_refused(command(patches=nowhere), "does not exist", "facetl prepare")
    large = save_patches(tmp_path / "rnet.patches", blob_patches(frames=2, each=2, size=24))
    assert_refused(command(patches=large), "found patches of 24 pixels, pnet learns from 12")
    single = save_patches(tmp_path / "single.patches", blob_patches(frames=1))
    assert_refused(command(patches=single), "expected at least 2")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_one_line(command: Command, out: Path) -> None:
    assert_refused(command("--device=cuda"), "no CUDA device", "--device cpu")
    assert files_beside(out) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "--epochs=0",
        "--learning-rate=0",
        "--learning-rate=nan",
        "--colour=nan",
        "--hard-share=1.5",
        "--validation-share=1",
        "--optimiser=lion",
        "--device=abacus",
        "--out=pnet.pt",
        "--out=.",
        "--unheard-of",
    ],
)
def test_wrong_usage_is_exit_code_2(command: Command, wrong: str) -> None:
    result = command(wrong)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_patches_and_out_are_asked_for(patches: Path) -> None:
    assert CliRunner().invoke(main, ["train-pnet", str(patches)]).exit_code == 2
    assert CliRunner().invoke(main, ["train-pnet", "--out", "pnet.safetensors"]).exit_code == 2


@pytest.mark.parametrize("stage", STAGES)
def test_the_options_say_what_the_settings_say(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainStageRequest] = []

    def train_nothing(request: TrainStageRequest, _: object) -> NoReturn:
        asked.append(request)
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "train_stage", train_nothing)
    data = blob_patches(frames=2, each=1, size=INPUT_SIZES[stage])
    patches = save_patches(tmp_path / f"{stage}.patches", data)
    out = tmp_path / "out.safetensors"
    result = CliRunner().invoke(main, [f"train-{stage}", str(patches), "--out", str(out)])
    assert result.exit_code == 130, result.output
    assert asked == [TrainStageRequest(stage, patches, out, settings=STAGE_FACTS[stage].training)]


# ---- stage by stage


def test_the_steps_by_hand_make_a_whole_cascade(tmp_path: Path) -> None:
    frames, out = save_frames(tmp_path / "frames", 3), tmp_path / "patches"

    def step(*arguments: object) -> str:
        result = CliRunner().invoke(main, [*map(str, arguments), "--seed=1"])
        assert result.exit_code == 0, result.output
        return result.stderr

    def weights(stage: str) -> Path:
        return tmp_path / f"{stage}.safetensors"

    quickly = ("--epochs=1", "--batch-size=32", "--validation-share=0.4")
    step("prepare", frames, "--out", out, "--at-least=0")
    said = step("train-pnet", out, "--out", weights("pnet"), *quickly)
    assert f"next: facetl prepare DATA --stage rnet --weights {weights('pnet')} --out {out}" in said
    for stage, earlier in (("rnet", "pnet"), ("onet", "rnet")):
        mined = ("--stage", stage, "--weights", weights(earlier), "--at-least=0")
        step("prepare", frames, *mined, "--out", out)
        joined = ("--join", weights(earlier), "--out", weights(stage))
        said = step(f"train-{stage}", out, *joined, *quickly)
    assert "prepare" not in said
    whole = load_weights(weights("onet"))
    assert set(whole.stages) == {"pnet", "rnet", "onet"}
    assert whole.settings == Settings(padding=True, voting=True)
    assert load_weights(weights("rnet")).settings == Settings(padding=True)
    assert load_weights(weights("pnet")).settings == Settings()
    for own in STAGES[:2]:
        for name, tensor in load_weights(weights(own)).stages[own].items():
            assert same_values(tensor, whole.stages[own][name])


def test_who_joins_a_cascade_searches_as_it_does(command: Command, out: Path) -> None:
    cascade = out.with_name("cascade.safetensors")
    own = Settings((0.4, 0.5, 0.6), padding=True, voting=True)
    stages: dict[Stage, Any] = {stage: load_pretrained_stage(stage) for stage in STAGES}
    cascade.parent.mkdir(parents=True)
    save_weights(cascade, Weights(stages, {DETECTION: own.to_json()}))
    success(command("--epochs=1", f"--join={cascade}"))
    assert load_weights(out).settings == own


@pytest.mark.parametrize("padding", [True, False, None])
def test_later_stages_are_shown_windows_as_their_patches_were_cut(padding: bool | None) -> None:
    known = {} if padding is None else {"recipe": {"padding": padding}}
    patches: Any = SimpleNamespace(metadata=known)
    joined: Any = SimpleNamespace(settings=Settings(min_face=30, score=0.9))
    chosen = [train_module.recommend_settings(stage, patches, joined) for stage in STAGES]
    assert [each.padding for each in chosen] == [False, bool(padding), bool(padding)]
    assert [each.voting for each in chosen] == [False, False, True]
    assert {each.min_face for each in chosen} == {30}
    assert [each.score for each in chosen] == [0.9, 0.9, 0.7]  # a new ONet's scores are new


def test_the_stage_itself_is_never_taken_from_what_is_joined(
    command: Command, out: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    scratch = build_starting_network("pnet", "scratch", 9).state_dict()
    save_weights(other, Weights({"pnet": scratch, "rnet": load_pretrained_stage("rnet")}))
    assert command("--epochs=1", f"--join={other}").exit_code == 0
    weights = load_weights(out)
    assert set(weights.stages) == {"pnet", "rnet"}
    assert not same_values(weights.stages["pnet"]["conv1.weight"], scratch["conv1.weight"])


def test_what_is_joined_must_be_there(command: Command, out: Path) -> None:
    assert_refused(command("--join=nowhere.safetensors"), "nowhere.safetensors: no such weights")
    assert files_beside(out) == []


def test_a_file_of_patches_suggests_its_folder_for_the_next_stage(
    command: Command, patches: Path
) -> None:
    assert f"--out {patches.parent}\n" in command("--epochs=1").stderr
