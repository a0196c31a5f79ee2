"""``facetl train``: one command, all files or none, and breaks that leave no trace."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from click.testing import CliRunner, Result
from outcomes import assert_refused, cannot_draw, complaint, left_in, success
from parameters import same_values
from PIL import Image
from reference_training import without_times
from tiny_world import assert_same_weights, save_frames

from facetl.cli import main
from facetl.cli.console import LINE
from facetl.cli.train import parse_duration
from facetl.commands import train as train_module
from facetl.data.dataset import load_dataset
from facetl.data.images import load_image
from facetl.errors import OutputError
from facetl.evaluation.report import plots
from facetl.files import plot_paths
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.reporting import Reporter
from facetl.training import cascade, initialisation, plan, preparation, time_estimate
from facetl.training.cascade import Cascade, Training
from facetl.training.checkpoint import save_checkpoint
from facetl.training.plan import CascadePlan
from facetl.training.stages import STAGE_FACTS
from facetl.training.suspects import Suspect
from facetl.training.time_estimate import TYPICAL, Trial
from facetl.training.training_log import by_training

FILES = ["all.jsonl", "all.safetensors", "all_losses.png", "all_losses.svg", "all_suspects.json"]
QUICKLY = ("--epochs", "2", "1", "1")


Command = Callable[..., Result]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_frames(tmp_path_factory.mktemp("frames"), 4)


@pytest.fixture(scope="module", autouse=True)
def quick_and_certain() -> Iterator[None]:
    """Let few frames give no more patches than many, and leave no suspects to chance."""
    with pytest.MonkeyPatch.context() as patched:
        for stage, facts in STAGE_FACTS.items():
            patched.setitem(STAGE_FACTS, stage, replace(facts, least_patches=0))
        patched.setattr(preparation, "find_suspects", lambda *_: ())
        yield


def train_cascade(data: Path | None, out: Path, *arguments: object) -> Result:
    place = [] if data is None else [str(data)]
    given = ["train", *place, "--out", str(out), *QUICKLY, *map(str, arguments)]
    return CliRunner().invoke(main, [*given, "--workers=1"])


@dataclass(frozen=True)
class Finished:
    """A training that nothing disturbed."""

    result: Result
    out: Path


@pytest.fixture(scope="module")
def finished(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    out = tmp_path_factory.mktemp("finished") / "all.safetensors"
    return Finished(train_cascade(frames, out), out)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "weights" / "all.safetensors"


@pytest.fixture
def command(frames: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command with few epochs; what is given in addition counts more.

    Its curves are not drawn, which takes longer than all training; ``finished`` has real ones.
    """

    def jot(path: Path, _: object) -> None:
        for place in plot_paths(path):
            place.write_text("curves")

    monkeypatch.setattr(plots, "save_plot", jot)

    def run(*arguments: object, data: Path | None = frames) -> Result:
        return train_cascade(data, out, *arguments)

    return run


@pytest.fixture
def press_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Press Ctrl-C once, when a number of checkpoints have been saved."""

    def press(number: int) -> None:
        save, saved = save_checkpoint, itertools.count(1)

        def save_and_stop(*arguments: Any) -> None:
            save(*arguments)
            if next(saved) == number:
                raise KeyboardInterrupt

        monkeypatch.setattr(cascade, "save_checkpoint", save_and_stop)

    return press


def files_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir()) if path.parent.exists() else []


# ---- what it writes and says


def test_one_command_trains_three_stages_and_leaves_nothing_else(
    finished: Finished, frames: Path
) -> None:
    out = finished.out
    assert finished.result.exit_code == 0, finished.result.output
    assert left_in(out.parent) == FILES
    weights = load_weights(out)
    assert set(weights.stages) == {"pnet", "rnet", "onet"}
    records = [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]
    assert without_times(records) == weights.metadata["records"]
    assert [record["stage"] for record in records] == ["pnet", "pnet", "rnet", "onet"]
    assert json.loads(out.with_name("all_suspects.json").read_text()) == []
    with Image.open(out.with_name("all_losses.png")) as picture:
        assert picture.height > 1.2 * picture.width  # a row for each of three stages
    found = Detector.load(out).detect([frames / "0.png"], (0.0, 0.0, 0.0))
    assert len(found) == 1


def test_the_stages_and_epochs_are_told_and_the_next_step(finished: Finished) -> None:
    result = finished.result
    told = result.stderr.splitlines()
    assert told[-2] == "shown from score 0.88 on; facetl tune chooses on more frames"  # 4 faces
    assert [line.split("]")[0].lstrip("[") for line in told[:-2]] == [
        *["pnet"] * 4,
        *["rnet"] * 3,
        *["onet"] * 3,
    ]
    assert "positives, " in told[0]
    assert told[0].endswith("from 4 frames")
    assert told[1] == "[pnet] 6,632 of 6,632 parameters learn, starting from cartoon-large"
    assert "epoch  2/2  loss " in told[3]
    assert "recall " in told[3]
    assert told[-1].startswith("next: facetl detect FRAMES --weights ")
    first, before, now = result.stdout.splitlines()[1:4]
    assert first == "on 1 held-out frame with 2 faces:"
    assert before.startswith("before (cartoon-large): 2 of 2 faces found, ")
    assert now.startswith("now:              ")
    assert result.stdout.startswith(f"wrote {finished.out}, ")
    assert "look like faces" not in result.stdout  # no suspects, no word of them


def test_pictures_that_cannot_be_drawn_cost_no_weights(
    command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = (Suspect("1.png", (10.0, 10.0, 40.0, 40.0), 0.97),)
    monkeypatch.setattr(preparation, "find_suspects", lambda *_: found)
    monkeypatch.setattr(plots, "save_plot", cannot_draw)
    monkeypatch.setattr(train_module, "draw_suspects", cannot_draw)
    result = success(command())
    assert left_in(out.parent) == ["all.jsonl", "all.safetensors", "all_suspects.json"]
    assert "pictures that cannot be drawn, left out: 2 (" in result.stderr
    assert ".png" not in result.stdout
    assert f"wrote {out} and {out.with_suffix('.jsonl')}\n" in result.stdout


def test_suspects_are_listed_and_drawn(
    command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspects = (Suspect("1.png", (10.0, 10.0, 40.0, 40.0), 0.97),)
    monkeypatch.setattr(
        preparation, "find_suspects", lambda _, frame: suspects if frame.name == "1.png" else ()
    )
    result = command()
    assert left_in(out.parent) == [*FILES, "all_suspects.png"]
    told = json.loads(out.with_name("all_suspects.json").read_text())
    assert told == [{"frame": "1.png", "box": [10, 10, 40, 40], "score": 0.97}]
    assert load_image(out.with_name("all_suspects.png")).shape[2] == 3
    assert "1 regions look like faces and are not annotated" in result.stdout


def test_rounds_are_told_apart(command: Command, out: Path) -> None:
    result = command("--rounds", 2)
    assert result.exit_code == 0, result.output
    assert "[onet, round 2] epoch  1/1" in result.stderr
    assert load_weights(out).metadata["rounds"] == 2
    names = by_training(load_weights(out).metadata["records"])
    assert list(names)[2:4] == ["onet, round 1", "pnet, round 2"]


def test_the_seed_decides_everything(command: Command, out: Path, finished: Finished) -> None:
    command("--seed=1")
    same, expected = load_weights(out), load_weights(finished.out)
    assert_same_weights(same, expected)
    command("--seed=3", "--force")
    other = load_weights(out)
    assert other.metadata["seed"] == 3
    assert not same_values(
        other.stages["pnet"]["conv1.weight"], expected.stages["pnet"]["conv1.weight"]
    )


def test_frames_and_annotations_may_lie_apart(
    command: Command, out: Path, frames: Path, tmp_path: Path
) -> None:
    faces = tmp_path / "faces.txt"
    faces.write_text((frames / "faces.txt").read_text() + "0.png 1 2 3\n")
    place = ("--images", frames, "--annotations", faces)
    result = command(*place, "--on-error=skip", data=None)
    assert result.exit_code == 0, result.output
    assert "1 wrong field count" in result.stderr


def test_unreadable_frames_are_told(command: Command, tmp_path: Path) -> None:
    folder = save_frames(tmp_path / "own", 5)
    whole = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes(whole[: len(whole) // 2])  # its head is good
    result = command(data=folder)
    assert result.exit_code == 0, result.output
    assert f"skipped {folder / '4.png'}" in result.stderr


def test_drawn_frames_are_mixed_in(command: Command, out: Path) -> None:
    result = command("--with-cartoons", 2)
    assert result.exit_code == 0, result.output
    assert "from 6 frames" in result.stderr
    assert left_in(out.parent) == FILES


@pytest.fixture
def planned(interrupted: list[Training]) -> Iterator[CascadePlan]:
    """What is planned, of trainings that are interrupted at once."""
    return (training.plan for training in interrupted)


def test_few_frames_are_seen_more_often_unless_epochs_are_given(
    command: Command, frames: Path, out: Path, planned: Iterator[CascadePlan]
) -> None:
    assert command().exit_code == 130
    bare = ["train", str(frames), "--out", str(out), "--workers=1"]
    assert CliRunner().invoke(main, bare).exit_code == 130
    given, usual = ([each.training.epochs for each in plan.stages.values()] for plan in planned)
    assert given == [2, 1, 1]
    assert usual == [15, 6, 8]


def test_few_frames_need_a_quarter_of_the_epochs_from_weights_that_know_cartoons(
    frames: Path, out: Path, planned: Iterator[CascadePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = ["train", str(frames), "--out", str(out), "--workers=1", "--force"]
    for start in ("cartoon", "pretrained", "scratch"):
        assert CliRunner().invoke(main, [*bare, "--start", start]).exit_code == 130
    monkeypatch.setattr(plan, "SHORTENED_FRAMES", 3)  # 4 are more
    assert CliRunner().invoke(main, bare).exit_code == 130
    epochs = [[each.training.epochs for each in p.stages.values()] for p in planned]
    assert epochs == [[15, 6, 8], [60, 24, 30], [60, 24, 30], [60, 24, 30]]


def test_the_transfer_of_every_stage_can_be_chosen(command: Command, out: Path) -> None:
    held = ("--regulariser=l2-sp", "--alpha=0.5", "--gradient-rule=dtnh")
    result = command("--strategy=head", *held)
    assert result.exit_code == 0
    for stage, parts in {"pnet": "198 of 6,632", "rnet": "774 of 100,178"}.items():
        assert f"[{stage}] {parts} parameters learn" in result.stderr
        transfer = load_weights(out).metadata[stage]["training"]["transfer"]
        assert (transfer["strategy"], transfer["alpha"]) == ("head", 0.5)
    before = load_weights("cartoon").stages["onet"]
    after = load_weights(out).stages["onet"]
    changed = {name for name in after if not same_values(after[name], before[name])}
    assert changed == {
        f"{layer}.{kind}" for layer in ("dense6_1", "dense6_2") for kind in ("weight", "bias")
    }


def test_from_scratch_there_is_no_other_start(command: Command) -> None:
    refused = command("--strategy=scratch", "--start=cartoon")
    assert refused.exit_code == 2
    assert "starts from chance, not from cartoon" in refused.stderr


def test_phases_that_are_given_are_not_stretched(
    frames: Path, out: Path, planned: Iterator[CascadePlan]
) -> None:
    bare = ["train", str(frames), "--out", str(out), "--workers=1", "--strategy=gradual"]
    for more in ([], ["--phase-epochs", "1", "1", "1", "--force"]):
        assert CliRunner().invoke(main, [*bare, *more]).exit_code == 130
    usual, given = ([each.training.total_epochs for each in p.stages.values()] for p in planned)
    assert given == [3, 3, 3]
    assert usual == [19, 19, 19]


# ---- breaks


@pytest.mark.parametrize("number", [1, 3, 4])
def test_after_ctrl_c_resume_ends_with_the_same_weights(
    command: Command,
    out: Path,
    finished: Finished,
    press_ctrl_c: Callable[[int], None],
    number: int,
) -> None:
    press_ctrl_c(number)
    broken = command()
    assert broken.exit_code == 130
    assert broken.stderr.splitlines()[-1].startswith("facetl: stopped; ")
    assert f"{out}.work keeps what is done; resume with: facetl train " in broken.stderr
    assert not out.exists()
    resumed = command("--resume")
    assert resumed.exit_code == 0, resumed.output
    ours, theirs = load_weights(out), load_weights(finished.out)
    assert_same_weights(ours, theirs)
    assert without_times(ours.metadata["records"]) == without_times(theirs.metadata["records"])
    assert not out.with_name("all.safetensors.work").exists()
    assert ("[pnet] finished before" in resumed.stderr) == (number > 2)


@pytest.mark.usefixtures("fast")
def test_ctrl_c_with_drawn_frames_and_a_budget_can_be_resumed(
    command: Command, out: Path, press_ctrl_c: Callable[[int], None]
) -> None:
    press_ctrl_c(1)
    assert command("--with-cartoons", 1, "--budget", "10m").exit_code == 130
    resumed = command("--with-cartoons", 1, "--budget", "10m", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "budget of 600 s: resuming after " in resumed.stderr
    assert "budget of 600 s: all " not in resumed.stderr  # a plan that is not followed
    assert left_in(out.parent) == FILES


def test_drawing_that_was_killed_starts_again(command: Command, out: Path) -> None:
    half = out.with_name("all.safetensors.work") / "drawing" / ".drawing-x"
    half.mkdir(parents=True)
    result = command("--with-cartoons", 1, "--resume")
    assert result.exit_code == 0, result.output
    assert "from 5 frames" in result.stderr


def test_an_unfinished_training_is_not_lost_unasked(
    command: Command, out: Path, press_ctrl_c: Callable[[int], None]
) -> None:
    press_ctrl_c(1)
    command()
    before = sorted(out.with_name("all.safetensors.work").iterdir())
    assert_refused(command(), "holds an unfinished training", "--resume", "--force")
    assert_refused(command("--resume", "--seed=2"), "seed 1 (now 2)", "--force")
    assert command("--force", data=None).exit_code == 2
    assert_refused(command("--force", data=Path("nowhere")), "nowhere")
    assert sorted(out.with_name("all.safetensors.work").iterdir()) == before
    assert command("--force", "--seed=2").exit_code == 0
    assert left_in(out.parent) == FILES


def test_a_finished_training_cannot_be_resumed(command: Command, finished: Finished) -> None:
    before = finished.out.read_bytes()
    refused = command("--resume", "--out", finished.out)
    assert_refused(refused, f"{finished.out} is finished", "--force")
    assert finished.out.read_bytes() == before


def test_resume_with_nothing_there_starts(command: Command, out: Path) -> None:
    result = command("--resume")
    assert result.exit_code == 0, result.output
    assert f"found no {out}.work to resume; starting over" in result.stderr
    assert left_in(out.parent) == FILES


# ---- refusals


@pytest.mark.parametrize("name", [*FILES, "all_suspects.png"])
def test_nothing_is_overwritten_unasked(command: Command, out: Path, name: str) -> None:
    out.parent.mkdir()
    out.with_name(name).write_text("precious")
    assert_refused(command(), name, "--force")
    assert files_beside(out) == [name]
    assert out.with_name(name).read_text() == "precious"


def test_force_overwrites_and_leaves_nothing_of_before(command: Command, out: Path) -> None:
    out.parent.mkdir()
    for name in (*FILES, "all_suspects.png"):
        out.with_name(name).write_text("of before")
    assert command("--force").exit_code == 0
    assert left_in(out.parent) == FILES
    assert all(out.with_name(name).read_bytes() != b"of before" for name in FILES)


def test_frames_without_a_face_leave_nothing(
    command: Command, out: Path, frames: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "none.txt"
    empty.write_text("")
    refused = command("--images", frames, "--annotations", empty, data=None)
    warning, line = refused.stderr.splitlines()
    assert warning.startswith(f"warning: {empty}: found no face in 4 frames")
    assert complaint(refused) == line
    assert "found no face in 4 frames" in line
    assert files_beside(out) == []


def test_a_failure_on_the_way_keeps_what_is_done(
    command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise OutputError("disk: found it full; make room")

        patched.setattr(cascade, "save_checkpoint", fail)
        failed = command()
    assert (failed.exit_code, files_beside(out)) == (1, ["all.safetensors.work"])
    assert command("--resume").exit_code == 0


def test_a_start_without_all_stages_is_refused_at_once(
    command: Command, out: Path, tmp_path: Path
) -> None:
    start = tmp_path / "pnet.safetensors"
    save_weights(start, Weights({"pnet": load_pretrained_stage("pnet")}))
    assert_refused(command("--start", start), f"{start}: holds pnet, not rnet")
    assert_refused(command("--start", "nowhere.pt"), "nowhere.pt: no such weights file")
    assert files_beside(out) == []


def test_few_frames_start_from_weights_that_know_cartoons(
    finished: Finished, command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initialisation, "FEW_FRAMES", 3)  # 4 are many
    assert "parameters learn, starting from pretrained" in success(command()).stderr
    starts = {path: load_weights(path).metadata["start"] for path in (finished.out, out)}
    assert "rescorer.onnx sha256:" in starts[finished.out]
    assert load_weights(finished.out).settings.rescored
    assert starts[out] == "pretrained"


def test_a_start_that_was_asked_for_is_taken_for_few_frames_too(
    command: Command, out: Path
) -> None:
    said = success(command("--start", "pretrained")).stderr
    assert "parameters learn, starting from pretrained" in said
    assert load_weights(out).metadata["start"] == "pretrained"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--epochs", "1", "2"],
        ["--epochs", "1", "0", "1"],
        ["--rounds", "0"],
        ["--budget", "soon"],
        ["--with-cartoons", "-1"],
        ["--out", "all.pt"],
        ["--device", "abacus"],
    ],
)
def test_wrong_usage_is_exit_code_2(command: Command, out: Path, wrong: list[str]) -> None:
    result = command(*wrong)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert files_beside(out) == []


def test_frames_must_come_from_somewhere(command: Command) -> None:
    result = command(data=None)
    assert result.exit_code == 2
    assert "found neither DATA nor --images" in result.stderr


# ---- the budget


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600), ("1.5m", 90)]
)
def test_durations_are_numbers_with_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-1m", "10 m", "m", "ten", "1d", "nan", "10mm"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time like 90s, 10m or 1h"):
        parse_duration(text)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trials say that this machine is as fast as any, without trying."""
    monkeypatch.setattr(
        time_estimate, "try_training", lambda stage, *_: Trial(1, TYPICAL.per_patch[stage], 1, 1.0)
    )


@pytest.mark.usefixtures("fast")
def test_a_budget_keeps_all_frames_and_says_what_it_does(command: Command, out: Path) -> None:
    result = command("--budget", "10m")
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert lines[0] == "budget of 600 s: all 4 frames, 2 + 1 + 1 epochs, 100% of their patches"
    assert lines[-2].startswith("budget of 600 s: took ")
    assert lines[-2].endswith(" s for 2 + 1 + 1 epochs")
    metadata = load_weights(out).metadata
    assert (metadata["frames"], metadata["budget"]) == (None, 600)
    assert metadata["pnet"]["training"]["epochs"] == 2  # as --epochs has it
    assert {(record["epochs"], record["threads"]) for record in metadata["records"]} <= {
        (2, 1),
        (1, 1),
    }


@pytest.mark.usefixtures("fast")
def test_a_budget_that_is_too_little_is_the_least_training(
    command: Command, frames: Path, out: Path
) -> None:
    bare = ["train", str(frames), "--out", str(out), "--workers=1", "--budget", "0.001"]
    result = CliRunner().invoke(main, bare)
    assert result.exit_code == 0, result.output
    told = result.stderr.splitlines()
    assert told[0] == "budget of 0 s: all 4 frames, 1 + 1 + 1 epochs, 10% of their patches"
    assert told[1].startswith("the least training is chosen; it takes about ")
    assert "from 4 frames" in result.stderr
    metadata = load_weights(out).metadata
    assert [metadata[stage]["training"]["epochs"] for stage in STAGES] == [1, 1, 1]
    assert metadata["pnet"]["recipe"]["negatives"] == 2
    assert len(metadata["records"]) == 3


def test_busy_cores_are_said_and_trained_on_with_one_thread(
    command: Command, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And afterwards there are as many threads as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(time_estimate, "try_training", lambda *_: Trial(1, 1e-4, 2, 5.0))
    try:
        result = command("--budget", "10m")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    assert "the cores are busy with other work: one thread trains faster than all" in result.stderr
    assert {record["threads"] for record in load_weights(out).metadata["records"]} == {1}


@pytest.mark.parametrize(
    ("trial", "told"), [(Trial(1, 1e-4, 2, 5.0), True), (Trial(2, 1e-4, 2, 1.0), False)]
)
def test_without_a_budget_busy_cores_are_said_alone(
    command: Command, trial: Trial, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another number of threads would be another result."""
    monkeypatch.setattr(time_estimate, "try_training", lambda *_: trial)
    used: list[int] = []

    def train_nothing(_: Training) -> NoReturn:
        used.append(torch.get_num_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "run", train_nothing)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        result = command()
    finally:
        torch.set_num_threads(before)
    line = "the cores are busy with other work: with one thread, OMP_NUM_THREADS=1, training is "
    assert (f"{line}about 5 times as fast" in result.stderr) == told
    assert used == [2]


@pytest.mark.usefixtures("fast")
def test_another_budget_is_another_training(
    command: Command, press_ctrl_c: Callable[[int], None]
) -> None:
    press_ctrl_c(1)
    assert command("--budget", "10m").exit_code == 130
    assert_refused(command("--resume"), "budget 600", "--force")


# ---- lines


def test_every_line_of_a_training_fits_a_terminal(finished: Finished) -> None:
    *told, advice = finished.result.stderr.splitlines()
    assert advice.startswith("next: ")  # a command, as long as its paths
    assert max(map(len, told)) <= LINE


# ---- the score from which what is found is shown


@pytest.mark.parametrize(
    ("held_out", "best", "score", "frames_searched", "told"),
    [
        (3, 0.83, 0.83, 3, "3 frames held out"),
        (3, 0.31, 0.31, 3, "3 frames held out"),
        (1, 0.93, 0.93, 4, "4 frames trained on"),
        (0, 0.31, 0.88, 4, "4 frames trained on"),
    ],
)
def test_the_score_shown_is_chosen_on_held_out_frames_if_they_hold_enough_faces(
    frames: Path,
    held_out: int,
    best: float,
    score: float,
    frames_searched: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Notes(Reporter):
        def note(self, message: str) -> None:
            print(message, file=sys.stderr)

    dataset = load_dataset(frames)
    seen: list[Any] = []

    def find(detector: Detector, images: Any, faces: Any, workers: int) -> float:
        seen.extend([detector.settings, len(list(images)), len(faces), workers])
        return best

    monkeypatch.setattr(train_module, "find_score", find)
    enough = sum(len(frame.boxes) for frame in dataset.frames[:3])
    monkeypatch.setattr(train_module, "FEWEST_FACES", enough)
    names = tuple(frame.name for frame in dataset.frames[:held_out])
    cascade = Cascade(load_weights("cartoon"), (), (), names)
    chosen = train_module.choose_score(cascade, dataset, torch.device("cpu"), "auto", 2, Notes())
    own = cascade.weights.settings
    faces = sum(len(frame.boxes) for frame in dataset.frames[:frames_searched])
    assert seen == [own, frames_searched, faces, 2]
    assert chosen.weights.settings == own.override(score=score)
    assert chosen.weights.metadata.keys() == cascade.weights.metadata.keys()
    assert capsys.readouterr().err == f"shown from score {score} on, chosen on {told}\n"
