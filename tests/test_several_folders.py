"""Commands that read several folders of annotated frames together."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from outcomes import assert_refused, success
from tiny_world import assert_same_weights, save_frames

from facetl.cartoons import draw_frame
from facetl.cli import main
from facetl.commands.requests import PrepareRequest
from facetl.data.dataset import fingerprint, load_dataset
from facetl.data.images import load_image, save_image
from facetl.errors import UsageError
from facetl.manifests.manifest import load_manifest
from facetl.mtcnn.weights import load_weights
from facetl.training import cascade, preparation
from facetl.training.cascade import Training
from facetl.training.checkpoint import save_checkpoint
from facetl.training.loop import name_validation_frames
from facetl.training.patches import load_patches
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.suspects import Suspect

pytestmark = pytest.mark.usefixtures("sketched")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Let few frames give no more patches than many."""
    with pytest.MonkeyPatch.context() as patched:
        for stage, facts in STAGE_FACTS.items():
            patched.setitem(STAGE_FACTS, stage, replace(facts, least_patches=0))
        patched.setattr(preparation, "find_suspects", lambda *_: ())
        yield


@pytest.fixture(scope="module")
def shows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three frames of one show, two of another."""
    place = tmp_path_factory.mktemp("shows")
    first, rest = save_frames(place / "first", 3), save_frames(place / "rest", 5)
    second = place / "second"
    second.mkdir()
    faces = (rest / "faces.txt").read_text().splitlines(keepends=True)
    for name in ("3.png", "4.png"):
        (rest / name).rename(second / name)
    (second / "faces.txt").write_text("".join(line for line in faces if line[0] in "34"))
    return first, second


@pytest.fixture(scope="module")
def merged(shows: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same frames as one folder, with the folders' names in one annotation text."""
    place = tmp_path_factory.mktemp("merged")
    lines = []
    for show in shows:
        shutil.copytree(show, place / show.name, ignore=shutil.ignore_patterns("*.txt"))
        text = (show / "faces.txt").read_text()
        lines += [f"{show.name}/{line}\n" for line in text.splitlines()]
    (place / "faces.txt").write_text("".join(lines))
    return place


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "weights" / "all.safetensors"


def facetl(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def train(*arguments: object) -> Result:
    return facetl("train", *arguments, "--epochs", 2, 1, 1, "--workers=1")


# ---- train


def test_several_folders_are_trained_on_as_one_folder_with_both_would_be(
    shows: tuple[Path, Path], merged: Path, out: Path
) -> None:
    told = success(train(*shows, "--out", out)).stderr
    assert told.startswith(f"frames: 3 in {shows[0]}, 2 in {shows[1]}\n")
    assert "from 5 frames" in told
    other = out.with_name("other.safetensors")
    assert "frames: " not in success(train(merged, "--out", other)).stderr
    ours, theirs = load_weights(out), load_weights(other)
    assert_same_weights(ours, theirs)
    assert ours.metadata["data"] == theirs.metadata["data"] == fingerprint(load_dataset(merged))


@pytest.mark.parametrize("number", [1, 3])
def test_after_ctrl_c_resume_ends_with_the_same_weights(
    shows: tuple[Path, Path], out: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = out.with_name("whole.safetensors")
    success(train(*shows, "--out", whole))
    saved = itertools.count(1)

    def save_and_stop(*arguments: Any) -> None:
        save_checkpoint(*arguments)
        if next(saved) == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(cascade, "save_checkpoint", save_and_stop)
    broken = train(*shows, "--out", out)
    assert broken.exit_code == 130
    assert f"resume with: facetl train {shows[0]} {shows[1]} --out {out}" in broken.stderr
    turned = train(*reversed(shows), "--out", out, "--resume")
    assert turned.exit_code == 1
    assert "belongs to a training with data " in turned.stderr
    assert train(shows[0], "--out", out, "--resume").exit_code == 1
    success(train(*shows, "--out", out, "--resume"))
    assert_same_weights(load_weights(out), load_weights(whole))
    assert not out.with_name("all.safetensors.work").exists()


def test_the_manifest_records_each_folder_and_of_one_what_it_did_before(
    shows: tuple[Path, Path], tmp_path: Path
) -> None:
    for given, settings in ((shows, [*map(str, shows)]), (shows[:1], str(shows[0]))):
        out = tmp_path / f"{len(given)}"
        success(facetl("prepare", *given, "--out", out))
        (step,) = load_manifest(out).steps
        assert step.settings["data"] == settings
        assert [*step.inputs] == [str(show) for show in given]
        assert [each["files"] for each in step.inputs.values()] == [4, 3][: len(given)]
        success(facetl("verify", out, "--inputs"))
    apart = ("--images", shows[0], "--annotations", shows[0] / "faces.txt")
    success(facetl("prepare", *apart, "--out", tmp_path / "apart"))
    (step,) = load_manifest(tmp_path / "apart").steps
    assert step.settings["data"] is None


def test_suspects_say_which_folder_they_are_in(
    shows: tuple[Path, Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        preparation,
        "find_suspects",
        lambda _, frame: (Suspect(frame.name, (10.0, 10.0, 40.0, 40.0), 0.97),),
    )
    success(train(*shows, "--out", out))
    suspects = json.loads(out.with_name("all_suspects.json").read_text())
    assert {each["frame"] for each in suspects} == {
        *("first/0.png", "first/1.png", "first/2.png", "second/3.png", "second/4.png")
    }


# ---- drawn frames


def test_drawn_frames_are_of_all_styles(
    shows: tuple[Path, Path], out: Path, interrupted: list[Training]
) -> None:
    train(*shows, "--with-cartoons", 2, "--seed", 7, "--out", out)
    (training,) = interrupted
    dataset = training.dataset
    folders = [frame.name.split("/")[0] for frame in dataset]
    assert folders == ["first"] * 3 + ["second"] * 2 + ["cartoons"] * 2
    for index, frame in enumerate(dataset.frames[5:]):
        drawn = draw_frame(7, "train", index, "any")
        np.testing.assert_array_equal(frame.boxes, drawn.boxes)
        assert abs(load_image(frame.path).astype(int) - drawn.image).mean() < 8  # JPEG


def test_drawn_frames_are_told_from_those_of_a_folder_of_the_same_name(
    shows: tuple[Path, Path], out: Path, tmp_path: Path, interrupted: list[Training]
) -> None:
    toons = tmp_path / "cartoons"
    success(facetl("cartoons", toons, "--train", 1, "--test", 1, "--workers", 1))
    train(toons, shows[0], "--with-cartoons", 1, "--out", out)
    first, *_, last = (frame.name for frame in interrupted[0].dataset)
    assert first.startswith("cartoons/")
    assert last == f"drawn-{first}"


# ---- what is wrong


def test_what_is_wrong_is_reported_by_folder(shows: tuple[Path, Path], tmp_path: Path) -> None:
    bad = [Path(shutil.copytree(show, tmp_path / show.name)) for show in shows]
    with (bad[0] / "faces.txt").open("a") as file:
        file.write("0.png -5 3 20 20\n")
    (bad[1] / "faces.txt").write_text("")
    result = success(facetl("prepare", *bad, "--out", tmp_path / "out"))
    clipped, warning, frames = result.stderr.splitlines()[:3]
    assert clipped.startswith(f"{bad[0]}: 1 clipped; the first is {bad[0] / 'faces.txt'}:")
    assert warning.startswith(f"warning: {bad[1] / 'faces.txt'}: found no face in 2 frames")
    assert frames == f"frames: 3 in {bad[0]}, 2 in {bad[1]}"


def test_errors_of_all_folders_are_told_at_once(shows: tuple[Path, Path], tmp_path: Path) -> None:
    bad = [Path(shutil.copytree(show, tmp_path / show.name)) for show in shows]
    for folder in bad:
        with (folder / "faces.txt").open("a") as file:
            file.write("0.png 1 2 3\n")
    lines = [len((folder / "faces.txt").read_text().splitlines()) for folder in bad]
    places = [f"{folder / 'faces.txt'}:{line}" for folder, line in zip(bad, lines, strict=True)]
    out = tmp_path / "out"
    assert_refused(facetl("prepare", *bad, "--out", out), *places, "; mend it or leave it out")
    assert_refused(facetl("prepare", shows[0], bad[1], "--out", out), places[1])
    told = success(facetl("prepare", *bad, "--out", out, "--on-error=skip")).stderr
    assert told.count("1 wrong field count") == 2


@pytest.mark.parametrize("option", ["--images", "--annotations"])
@pytest.mark.parametrize("command", ["prepare", "train", "tune"])
def test_images_and_annotations_go_with_one_folder_at_most(
    command: str, option: str, shows: tuple[Path, Path], out: Path
) -> None:
    place = shows[0] if option == "--images" else shows[0] / "faces.txt"
    more = ("--weights", "cartoon") if command == "tune" else ()
    result = facetl(command, *shows, option, place, "--out", out, *more)
    assert result.exit_code == 2
    assert f"Error: found {option} with 2 folders of DATA; give the folders alone" in result.stderr
    assert not out.exists()
    given: dict[str, Any] = {option[2:]: place}
    with pytest.raises(UsageError, match=option):
        PrepareRequest(data=shows, out=out, **given)


def test_each_folder_must_be_one(shows: tuple[Path, Path], out: Path, tmp_path: Path) -> None:
    video, picture = tmp_path / "episode.weights.pt", shows[0] / "0.png"
    video.write_bytes(b"PK\x03\x04")
    assert_refused(train(shows[0], video, "--out", out), f"{video} is a weights file; give")
    assert_refused(train(*shows, picture, "--out", out), f"{picture} is an image; give a folder")
    assert_refused(train(*shows, tmp_path / "none", "--out", out), f"{tmp_path / 'none'} is not a")
    assert_refused(train(*shows, shows[0], "--out", out), f"found {shows[0]} twice")
    assert not out.exists()


# ---- prepare


def test_a_frame_s_patches_are_those_of_its_name_and_copies_stay_together(
    shows: tuple[Path, Path], tmp_path: Path
) -> None:
    copies = Path(shutil.copytree(shows[0], tmp_path / "copies"))
    given = (*shows, copies)
    success(facetl("prepare", *given, "--out", tmp_path / "out"))
    patches = load_patches(tmp_path / "out")
    names, groups = patches.metadata["frames"], patches.metadata["groups"]
    assert names == [
        f"{show.name}/{name}"
        for show in given
        for name in sorted(path.name for path in show.glob("*.png"))
    ]
    twins = {name: groups[place] for place, name in enumerate(names)}
    for name in ("0.png", "1.png", "2.png"):
        assert twins[f"first/{name}"] == twins[f"copies/{name}"]
    for seed in range(8):
        settings = TrainingSettings(validation_share=0.3, seed=seed)
        held_out = {*name_validation_frames(patches, settings)}
        for name in ("0.png", "1.png", "2.png"):
            assert (f"first/{name}" in held_out) == (f"copies/{name}" in held_out)


# ---- tune


@pytest.fixture
def faces(tmp_path: Path, portrait: Path) -> tuple[Path, Path]:
    """The portrait in one folder, its mirror image in another."""
    face = load_image(portrait)
    pairs = {"one": (face, "81 53 174 175"), "two": (face[:, ::-1].copy(), "82 53 175 175")}
    for name, (pixels, box) in pairs.items():
        save_image(tmp_path / name / "a.png", pixels)
        (tmp_path / name / "faces.txt").write_text(f"a.png {box}\n")
    return tmp_path / "one", tmp_path / "two"


def test_settings_are_chosen_on_all_folders(faces: tuple[Path, Path], out: Path) -> None:
    given = ("--weights", "pretrained", "--out", out, "--min-face", 80)
    told = success(facetl("tune", *faces, *given))
    assert "settings on 2 frames" in told.stdout
    assert "found no parts" not in told.stderr
    assert load_weights(out).metadata["detection"]["data"]["faces"] == 2


def test_folders_without_the_part_that_is_asked_for_are_named(
    faces: tuple[Path, Path], out: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    for part in ("train", "test"):
        shutil.copytree(faces[1], whole / part)
    given = ("--weights", "pretrained", "--out", out, "--min-face", 80, "--part", "test")
    told = success(facetl("tune", faces[0], whole, *given)).stderr
    assert f"found no parts in {faces[0]}, so --part test means all frames there\n" in told
    told = success(facetl("tune", *faces, *given, "--force")).stderr
    assert f"found no parts in {faces[0]} and {faces[1]}, so --part test" in told
