"""``facetl verify``, and the manifests that all commands leave."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from outcomes import assert_refused, left_in, success
from tiny_world import save_frames

from facetl.cli import main
from facetl.cli.options import PathType
from facetl.cli.recording import leaving_manifest
from facetl.commands.verify import VerifyRequest, verify
from facetl.data.dataset import load_dataset
from facetl.data.discovery import recognise
from facetl.data.images import image_paths
from facetl.errors import AnnotationError
from facetl.files import about_to_write, note_read, note_written, refuse_to_overwrite, write_text
from facetl.manifests.manifest import State, Step, load_manifest
from facetl.mtcnn.weights import built_in_files
from facetl.settings import READ, WRITE

pytestmark = pytest.mark.usefixtures("sketched")

evaluate_module: Any = import_module("facetl.commands.evaluate")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_frames(tmp_path_factory.mktemp("verify") / "frames", 3)


@pytest.fixture
def frames(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three frames with annotations in ``frames``, in the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = Path("frames")
    folder.mkdir()
    for path in shared.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def detect(*arguments: object) -> Result:
    return success(run("detect", "--device", "cpu", "--engine", "torch", "--no-report", *arguments))


def steps_in(folder: Path | str = ".") -> list[Step]:
    return list(load_manifest(Path(folder)).steps)


# ---- what commands leave


def test_a_step_tells_command_settings_versions_and_fingerprints(frames: Path) -> None:
    detect(frames, "--out", "results", "--min-face", 30, "--truth", frames, "--export", "csv")
    (step,) = steps_in("results")
    assert step.command.startswith(
        "facetl detect --device cpu --engine torch --no-report frames --out results"
    )
    assert (step.name, step.seed) == ("detect", None)
    assert step.settings["min-face"] == 30
    assert step.settings["weights"] == ["cartoon=cartoon"]
    assert step.settings["images"] == ["frames"]
    assert step.settings["export"] == ["csv"]
    assert step.settings["thresholds"] is None
    assert step.settings.keys() >= {"engine", "workers", "format", "force", "batch-size"}
    assert step.versions.keys() > {"facetl", "python", "torch", "numpy", "platform", "threads"}
    assert (step.versions["engine"], step.versions["device"]) == ("torch", "cpu")
    assert list(step.inputs) == ["frames", "cartoon"]
    assert (step.inputs["frames"]["files"], step.inputs["frames"]["place"]) == (4, "../frames")
    (shipped,) = built_in_files("cartoon")
    assert step.inputs["cartoon"]["bytes"] == shipped.stat().st_size
    assert sorted(step.outputs) == [
        "cartoon.csv",
        "cartoon.detections.json",
        *(f"overlays/{number}.png" for number in range(3)),
    ]


def test_the_large_weights_are_known_by_both_their_files(frames: Path) -> None:
    detect(frames, "--weights", "cartoon-large", "--out", "results")
    (step,) = steps_in("results")
    files = built_in_files("cartoon-large")
    assert [file.name for file in files] == ["cartoon.safetensors", "rescorer.onnx"]
    assert step.inputs["cartoon-large"]["bytes"] == sum(file.stat().st_size for file in files)
    success(run("verify", "results", "--inputs"))


def test_several_commands_stand_in_one_manifest(frames: Path) -> None:
    detect(frames, "--out", "results")
    success(run("evaluate", "results", "--truth", frames, "--no-report"))
    first, second = steps_in("results")
    assert (first.name, second.name) == ("detect", "evaluate")
    assert "metrics.json" in second.outputs
    assert second.inputs["results"]["files"] == 1  # what it writes there itself is no input
    success(run("evaluate", "results", "--truth", frames, "--no-report", "--force"))
    again = steps_in("results")[1]
    assert again.inputs == second.inputs
    success(run("verify", "results", "frames/../results", "--inputs"))


def test_what_force_removes_is_claimed_no_more(frames: Path) -> None:
    detect(frames, "--weights", "old=cartoon", "--out", "results", "--crops")
    assert {"old.detections.json"} < set(steps_in("results")[0].outputs)
    detect(frames, "--out", "results", "--force")
    names = {name for step in steps_in("results") for name in step.outputs}
    assert "old.detections.json" not in names
    assert "crops/old/contact_sheet.jpg" in names  # which is still there
    success(run("verify", "results"))


def test_what_somebody_else_removed_is_missing_ever_after(frames: Path) -> None:
    detect(frames, "--out", "results", "--overlays")
    Path("results/overlays/0.png").unlink()
    success(run("evaluate", "results", "--truth", frames, "--no-report"))
    result = run("verify", "results")
    assert result.exit_code == 1
    assert "  missing: overlays/0.png\n" in result.stdout


def test_a_command_that_fails_leaves_no_step(frames: Path) -> None:
    detect(frames, "--out", "results")
    before = Path("results/manifest.json").read_bytes()
    assert run("detect", frames, "--out", "results").exit_code == 1
    assert run("detect", "nowhere", "--out", "results", "--force").exit_code == 1
    assert Path("results/manifest.json").read_bytes() == before
    assert run("detect", "nowhere", "--out", "fresh").exit_code == 1
    assert not Path("fresh").exists()


def test_a_strict_search_that_skipped_something_leaves_one(frames: Path) -> None:
    (frames / "broken.png").write_bytes(b"no image")
    result = run("detect", "--device", "cpu", frames, "--out", "results", "--strict")
    assert result.exit_code == 1
    assert [step.name for step in steps_in("results")] == ["detect"]


def test_a_search_that_is_gone_on_with_claims_what_was_drawn_before(frames: Path) -> None:
    how = (frames, "--stream", "--overlays", "--batch-size", 1, "--out", "results")
    detect(*how)
    lines = Path("results/cartoon.detections.jsonl")
    whole = lines.read_bytes()
    lines.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    Path("results/manifest.json").unlink()
    detect(*how, "--resume")
    assert lines.read_bytes() == whole
    assert [name for name in steps_in("results")[0].outputs if "overlays" in name] == [
        f"overlays/{number}.png" for number in range(3)
    ]


def test_frames_of_cartoons_and_data_sets_are_claimed(frames: Path) -> None:
    success(run("cartoons", "toons", "--train", 2, "--test", 1, "--workers", 2))
    (step,) = steps_in("toons")
    assert step.seed == 1
    assert {"antrenare/juno/0001.jpg", "README.md", "validare/validare/001.jpg"} < set(step.outputs)
    success(run("convert", frames, "linked", "--to", "yolo", "--with-images", "link"))
    assert (
        "link"
        in json.loads(Path("linked/manifest.json").read_text())["steps"][0]["outputs"][
            "images/train/0.png"
        ]
    )
    success(run("verify", "toons", "linked", "--inputs"))
    success(run("convert", frames, "faces.json", "--to", "coco"))
    assert list(steps_in()[0].outputs) == ["faces.json"]


def test_hidden_and_unfinished_files_are_never_claimed(frames: Path) -> None:
    detect(frames, "--out", "results")
    Path("results/.hidden").touch()
    Path("results/notes.txt").touch()
    detect(frames, "--out", "results", "--force", "--overlays")
    names = {name for step in steps_in("results") for name in step.outputs}
    assert not {name for name in names if "/." in name or name.startswith(".")}
    assert not names & {"notes.txt", "manifest.json"}


def test_annotations_beside_the_frames_are_inputs_too(frames: Path) -> None:
    (frames / "faces.txt").rename("frames_annotations.txt")
    success(run("convert", frames, "voc", "--to", "voc"))
    inputs = steps_in("voc")[0].inputs
    assert {name: given["kind"] for name, given in inputs.items()} == {
        "frames": "folder",
        "frames_annotations.txt": "file",
    }


def test_weights_tuned_in_place_are_read_before(frames: Path) -> None:
    (shipped,) = built_in_files("cartoon")
    Path("own.safetensors").write_bytes(shipped.read_bytes())
    tuning = ("tune", frames, "--device", "cpu", "--min-face", 40, "--weights", "own.safetensors")
    success(run(*tuning, "--force"))
    (step,) = steps_in()
    assert step.outputs["own.safetensors"]["sha256"] != step.inputs["own.safetensors"]["sha256"]
    assert step.inputs["own.safetensors"]["bytes"] == shipped.stat().st_size


@pytest.mark.parametrize("text", ['{"name": "An App"}', "[", '{"format": "facetl-manifest"}'])
def test_something_else_in_its_place_is_refused_before_the_work(
    frames: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detect(frames, "--out", "results")
    Path("results/manifest.json").write_text(text)
    monkeypatch.setattr(evaluate_module, "_load_runs", lambda *_: pytest.fail("it works"))
    refused = run("evaluate", "results", "--truth", frames)
    assert_refused(refused, "results/manifest.json", "manifest", "move it away")
    assert Path("results/manifest.json").read_text() == text
    assert left_in(Path("results")) == ["cartoon.detections.json"]


def test_somebody_s_manifest_above_a_new_folder_disturbs_nobody(frames: Path) -> None:
    Path("manifest.json").write_text('{"name": "An App"}')
    detect(frames, "--out", "results")
    assert Path("manifest.json").read_text() == '{"name": "An App"}'
    refused = run("convert", frames, "faces.json", "--to", "coco")
    assert refused.exit_code == 1
    assert "manifest.json is no manifest of facetl" in refused.stderr
    assert Path("manifest.json").read_text() == '{"name": "An App"}'


# ---- the ledger, with a command that writes in ways of its own


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A command ``write`` that writes and reads as it is told; what happened before it began."""
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []

    @click.command()
    @click.argument("data", type=PathType(READ))
    @click.option("--out", type=PathType(WRITE))
    @click.option("--code", type=int, default=0)
    def write(data: Path, out: Path, code: int) -> None:
        refuse_to_overwrite(out, force=False)
        about_to_write()
        seen.append(data.read_text())
        write_text(data, "changed on the way")
        shard = out / "NAME.parquet"
        shard.mkdir(parents=True)
        for name in ("1", "2", ".3"):
            (shard / name).write_text(name)
        note_written(shard, out / "never.txt")
        note_read(data.with_name("beside.txt"), data, out / "work")
        if code:
            raise SystemExit(code)

    monkeypatch.setitem(main.commands, "write", leaving_manifest(write))
    return seen


def test_folders_of_other_processes_are_claimed_as_they_are(writing: list[str]) -> None:
    Path("data.txt").write_text("data")
    Path("beside.txt").write_text("beside")
    success(run("write", "data.txt", "--out", "out"))
    assert writing == ["data"]
    (step,) = steps_in("out")
    assert list(step.outputs) == ["NAME.parquet/1", "NAME.parquet/2"]
    assert {name: given["bytes"] for name, given in step.inputs.items()} == {
        "data.txt": 4,  # as it was before the work
        "beside.txt": 6,
    }


@pytest.mark.parametrize(("code", "leaves"), [(1, True), (130, False), (143, False)])
def test_what_was_broken_off_has_no_manifest(writing: list[str], code: int, leaves: bool) -> None:
    Path("data.txt").write_text("data")
    assert run("write", "data.txt", "--out", "out", "--code", code).exit_code == code
    assert Path("out/manifest.json").exists() == leaves


def test_a_pipe_that_is_given_is_left_to_the_command(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused = run("detect", pipe, "--out", tmp_path / "out")
    assert refused.exit_code == 1
    assert "Traceback" not in refused.output


# ---- verify


def test_all_is_well(frames: Path) -> None:
    detect(frames, "--out", "results", "--overlays")
    result = success(run("verify", "results"))
    assert result.stdout == (
        "results/manifest.json: 4 of 4 files are as they were written (detect)\n"
    )
    assert result.stderr == ""


def test_changes_are_named_and_fail(frames: Path) -> None:
    detect(frames, "--out", "results", "--overlays")
    Path("results/overlays/1.png").unlink()
    with Path("results/cartoon.detections.json").open("a") as file:
        file.write("\n")
    for number in range(7):
        Path(f"results/mine{number}\n.txt").touch()
    result = run("verify", "results")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "results/manifest.json: 2 of 4 files are as they were written (detect)",
        "  changed: cartoon.detections.json",
        "  missing: overlays/1.png",
        r"  not in the manifest: 7 (mine0\n.txt, mine1\n.txt, mine2\n.txt, mine3\n.txt, "
        r"mine4\n.txt, …)",
    ]


def test_one_file_is_checked_against_the_manifest_that_knows_it(frames: Path) -> None:
    detect(frames, "--out", "results", "--overlays")
    Path("results/overlays/1.png").write_bytes(b"changed")
    Path("results/mine.txt").touch()
    for whole in ("results/overlays/0.png", "results/cartoon.detections.json"):
        assert "1 of 1 files" in success(run("verify", whole)).stdout
    assert run("verify", "results/overlays/1.png").exit_code == 1
    assert "2 of 3 files" in run("verify", "results/overlays").stdout
    assert_refused(run("verify", "results/mine.txt"), "results/mine.txt: found no manifest.json")
    Path("results/overlays/0.png").unlink()
    gone = run("verify", "results/overlays/0.png")
    assert (gone.exit_code, "missing: overlays/0.png" in gone.stdout) == (1, True)


def test_all_manifests_to_the_bottom_are_checked(frames: Path) -> None:
    detect(frames, "--out", "lab/one")
    detect(frames, "--out", "lab/two/deep")
    success(run("convert", frames, "lab/faces.json", "--to", "coco"))
    Path("lab/two/stray").touch()
    Path("lab/two/deep/own").touch()
    lines = success(run("verify", "lab")).stdout.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == [
        "lab/manifest.json",
        "lab/one/manifest.json",
        "lab/two/deep/manifest.json",
    ]
    assert lines[1] == "  not in the manifest: 1 (two/stray)"
    assert lines[4] == "  not in the manifest: 1 (own)"


def test_inputs_are_checked_if_asked(frames: Path) -> None:
    detect(frames, "--out", "results", "--weights", "pretrained")
    result = success(run("verify", "results", "--inputs"))
    assert "  input of detect, same: frames\n" in result.stdout
    assert "  input of detect, same: pretrained\n" in result.stdout
    (frames / "0.png").unlink()
    success(run("verify", "results"))
    result = run("verify", "results", "--inputs")
    assert (result.exit_code, "  input of detect, changed: frames\n" in result.stdout) == (1, True)
    frames.rename("moved")
    result = run("verify", "results", "--inputs")
    assert (result.exit_code, "  input of detect, missing: frames\n" in result.stdout) == (1, True)


def test_python_can_ask_what_the_command_says(frames: Path) -> None:
    detect(frames, "--out", "results", "--weights", "pretrained")
    result = verify(VerifyRequest([Path("results")], inputs=True))
    (audit,) = result.audits
    assert result.is_whole
    assert audit.states == {"pretrained.detections.json": State.SAME}
    assert audit.inputs == [
        ("detect", "frames", State.SAME),
        ("detect", "pretrained", State.SAME),
    ]
    (frames / "0.png").unlink()
    assert verify(VerifyRequest([Path("results")])).is_whole
    assert not verify(VerifyRequest([Path("results")], inputs=True)).is_whole


def test_inputs_are_found_from_elsewhere(frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detect(frames, "--out", "results")
    monkeypatch.chdir("results")
    success(run("verify", ".", "--inputs"))


def test_what_is_no_output_is_refused(frames: Path, tmp_path: Path) -> None:
    assert_refused(run("verify", frames), "found no manifest.json", "give what a facetl command")
    assert_refused(run("verify", "nowhere"), "nowhere: found no manifest.json")
    (frames / "manifest.json").write_text("{}")
    assert_refused(run("verify", frames), "is no manifest of facetl")


def test_nothing_outside_is_opened(frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detect(frames, "--out", "results")
    path = Path("results/manifest.json")
    document = json.loads(path.read_text())
    outputs = document["steps"][0]["outputs"]
    outputs["../frames/0.png"] = outputs["cartoon.detections.json"]
    path.write_text(json.dumps(document))
    monkeypatch.setattr(Path, "lstat", lambda self: pytest.fail(f"looked at {self}"))
    assert_refused(run("verify", "results"), "expected a path below the folder")


def changed(folder: Path, **values: object) -> None:
    """Write other values into the only step of a folder's manifest; without any, drop the step."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    (step,) = document["steps"]
    document["steps"] = [{**step, **values}] if values else []
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(("values", "said"), [({}, "no step"), ({"outputs": {}}, "a step without")])
def test_a_manifest_that_was_emptied_proves_nothing(
    values: dict[str, object], said: str, frames: Path
) -> None:
    detect(frames, "--out", "results")
    changed(Path("results"), **values)
    result = run("verify", "results")
    assert result.exit_code == 1
    assert f"results/manifest.json: holds {said}" in result.stdout
    assert "0 of 0 files are as they were written" in result.stdout
    assert "not in the manifest: 1 (cartoon.detections.json)" in result.stdout


@pytest.mark.parametrize("place", ["/", "/proc", "/dev", "/dev/zero", "pipe", "many", "large.bin"])
@pytest.mark.parametrize("counts", [(1, 10), (10**6, 1)])
def test_inputs_that_a_manifest_only_names_are_not_read(
    place: str, counts: tuple[int, int], frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a folder holds, no more is counted in it than the manifest tells of."""
    detect(frames, "--out", "results", "--weights", "pretrained")
    os.mkfifo("pipe")
    Path("many").mkdir()
    for name in "abc":
        (Path("many") / name).write_text("more than is told")
    Path("large.bin").write_text("more than is told")
    files, size = counts
    given = {"kind": "folder", "files": files, "bytes": size, "sha256": "0" * 64}
    changed(Path("results"), inputs={place: given})
    monkeypatch.setattr("facetl.manifests.fingerprints._fingerprint_given", pytest.fail)
    result = run("verify", "results", "--inputs")
    assert result.exit_code == 1
    assert f": {place}\n" in result.stdout


# ---- data sets with a manifest in them


FORMS = ("coco", "yolo", "voc", "course", "cvat", "label-studio")


@pytest.mark.parametrize("form", FORMS)
def test_a_manifest_does_not_disturb_reading(form: str, frames: Path) -> None:
    """Its settings speak of "images" and "annotations", as a COCO file does."""
    given = ("--images", frames)
    success(run("convert", frames / "faces.txt", "set", "--to", form, *given))
    assert '"images": "frames"' in Path("set/manifest.json").read_text()
    assert len(image_paths(Path("set"))) == 3
    if form != "label-studio":  # which facetl does not read
        assert [len(frame.boxes) for frame in load_dataset("set")] == [
            len(frame.boxes) for frame in load_dataset(frames)
        ]
    success(run("verify", "set", "--inputs"))


@pytest.mark.parametrize("beside", ["", "annotations"])
def test_a_manifest_is_no_coco_file(beside: str, frames: Path) -> None:
    success(run("convert", frames / "faces.txt", "set", "--to", "course", "--images", frames))
    place = Path("set") / beside / "manifest.json"
    place.parent.mkdir(exist_ok=True)
    Path("set/manifest.json").rename(place)
    with pytest.raises(AnnotationError, match="found JSON without images and annotations"):
        recognise(place)
    assert len(load_dataset("set")) == 3
