"""A path of the wrong kind: the command that is meant is named."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from commands import parse
from drawn_videos import write_video
from outcomes import assert_refused, left_in, success

from facetl.cli import input_hints, main
from facetl.cli.input_hints import REMEDIES, InputKind, input_kind
from facetl.data.images import save_image
from facetl.errors import InputError
from facetl.mtcnn.weights import Weights, load_pretrained_stage, save_weights
from facetl.results.detections import Run
from facetl.results.json_file import save_run

pytestmark = pytest.mark.usefixtures("sketched")

NAMES = {
    InputKind.FOLDER: "folder",
    InputKind.IMAGE: "a.png",
    InputKind.VIDEO: "episode.mp4",
    InputKind.ANNOTATIONS: "faces.txt",
    InputKind.WEIGHTS: "a.safetensors",
    InputKind.DETECTIONS: "a.detections.json",
    InputKind.ARCHIVE: "export.zip",
}


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with something of every kind."""
    folder = tmp_path_factory.mktemp("things")
    pixels = np.zeros((24, 24, 3), np.uint8)
    (folder / "folder").mkdir()
    save_image(folder / "a.png", pixels)
    write_video(folder / "episode.mp4", [pixels, pixels])
    (folder / "faces.txt").write_text("a.png 1 2 3 4\n")
    save_weights(folder / "a.safetensors", Weights({"pnet": load_pretrained_stage("pnet")}))
    save_run(folder / "a.detections.json", Run("a", {}, ()))
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        archive.writestr("a.png", "")
    return folder


def facetl(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


COMMANDS: dict[str, tuple[object, ...]] = {
    "images": ("detect", "{}", "--out", "out"),
    "image": ("explain", "{}", "--out", "out"),
    "videos": ("frames", "{}", "--out", "out"),
    "frames": ("train", "{}", "--out", "out/a.safetensors"),
    "patches": ("train-pnet", "{}", "--out", "out/a.safetensors"),
    "results": ("evaluate", "{}", "--truth", "faces.txt"),
    "annotated": ("convert", "{}", "out", "--to", "coco"),
}


@pytest.mark.parametrize("kind", InputKind)
def test_kinds_are_told_by_what_is_in_them(kind: InputKind, things: Path, tmp_path: Path) -> None:
    assert input_kind(things / NAMES[kind]) is kind
    assert input_kind(things / "nowhere") is None
    (tmp_path / "pipe.png").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "pipe.png")
    assert input_kind(tmp_path / "pipe.png") is None


@pytest.mark.parametrize(("name", "head"), [("a.jpg", b"PK\x03\x04"), ("b.tgz", b"\x1f\x8b\x08")])
def test_an_archive_is_one_by_any_name(name: str, head: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(head + b"\0" * 100)
    assert input_kind(tmp_path / name) is InputKind.ARCHIVE


def test_a_film_of_gigabytes_is_a_video(things: Path, tmp_path: Path) -> None:
    shutil.copy(things / "episode.mp4", tmp_path)
    os.truncate(tmp_path / "episode.mp4", 2**33)
    assert input_kind(tmp_path / "episode.mp4") is InputKind.VIDEO


def test_detections_are_told_from_annotations_by_what_they_say(
    things: Path, tmp_path: Path
) -> None:
    shutil.copy(things / "a.detections.json", tmp_path / "renamed.json")
    assert input_kind(tmp_path / "renamed.json") is InputKind.DETECTIONS


@pytest.mark.parametrize(
    ("wanted", "kind"), [(wanted, kind) for wanted, kinds in REMEDIES.items() for kind in kinds]
)
def test_the_command_that_is_meant_is_named(
    wanted: str, kind: InputKind, things: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(things)
    name = NAMES[kind]
    result = facetl(*(str(each).format(name) for each in COMMANDS[wanted]))
    assert_refused(result, f"{name} is {kind}; ", REMEDIES[wanted][kind].format(path=name))
    assert not Path("out").exists()


@pytest.mark.parametrize("command", [*COMMANDS.values(), ("prepare", "{}", "--out", "out")])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://example.org/a.mp4", "https://example.org/a.mp4 is an address, and facetl opens"),
        ("nowhere/*.jpg", "nowhere/*.jpg: no file matches this pattern; check"),
        ("*.png", "*.png: 1 files match this pattern; give it without quotes"),
    ],
)
def test_what_is_no_path_is_told_as_what_it_is(
    command: tuple[object, ...],
    given: str,
    said: str,
    things: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(things)
    assert_refused(facetl(*(str(each).format(given) for each in command)), said)


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    save_image(tmp_path / "a[1].png", np.zeros((24, 24, 3), np.uint8))
    success(facetl("detect", tmp_path / "a[1].png", "--out", tmp_path / "out"))


def test_among_images_other_files_are_skipped(things: Path, tmp_path: Path) -> None:
    """As a pattern gives them: ``facetl detect frames/*``."""
    result = success(
        facetl("detect", things / "faces.txt", things / "a.png", "--out", tmp_path / "out")
    )
    assert "(1 skipped)" in result.stdout


def test_nothing_is_opened_after_the_first_that_is_right(
    things: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def note_and_tell(path: Path) -> InputKind | None:
        opened.append(path)
        return input_kind(path)

    monkeypatch.setattr(input_hints, "input_kind", note_and_tell)
    paths = tuple(things / name for name in ("faces.txt", "a.png", "a.png", "export.zip"))
    command = click.Command("x", params=[click.Argument(["images"])])
    look = input_hints.expecting("images")
    assert look(click.Context(command), command.params[0], paths) == paths
    assert opened == list(paths[:2])
    with pytest.raises(InputError, match="an address"):
        look(click.Context(command), command.params[0], (*paths, Path("https:/example.org/a.mp4")))


def test_other_frames_and_the_truth_are_looked_at_as_well(things: Path) -> None:
    out = things / "new.safetensors"
    result = facetl("train", "--images", things / "episode.mp4", "--out", out)
    assert_refused(result, "is a video; pick frames of it to annotate first")
    result = facetl("evaluate", things / "a.detections.json", "--truth", things / "episode.mp4")
    assert_refused(result, "is a video; pick frames of it to annotate first")


# ---- without --out


def out_of(*arguments: object) -> Path:
    out = parse(*map(str, arguments)).params["out"]
    assert isinstance(out, Path)
    return out


def test_detections_go_beside_what_is_searched(tmp_path: Path) -> None:
    (tmp_path / "my.frames").mkdir()
    assert out_of("detect", tmp_path / "episode.mp4") == tmp_path / "episode.faces"
    assert out_of("detect", tmp_path / "my.frames") == tmp_path / "my.frames.faces"
    assert out_of("detect", "episode.mp4", "--stream") == Path("episode.faces")
    assert out_of("detect", tmp_path / "a.png", "--out", "x") == Path("x")


@pytest.mark.parametrize("paths", [["a.png", "b.png"], ["."], [".."], ["/"]])
def test_where_there_is_no_such_place_it_is_asked_for(paths: list[str]) -> None:
    with pytest.raises(click.UsageError, match="say with --out where the detections go"):
        parse("detect", *paths)


def test_a_place_that_cannot_be_written_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(click.UsageError, match="nothing can be written beside a"):
        parse("detect", "a.png")


def test_a_search_without_out_writes_and_overwrites_nothing(things: Path, tmp_path: Path) -> None:
    shutil.copy(things / "a.png", tmp_path)
    success(facetl("detect", tmp_path / "a.png"))
    assert left_in(tmp_path / "a.faces") == ["cartoon.detections.json", "report.html"]
    success(facetl("verify", tmp_path / "a.faces"))
    assert_refused(facetl("detect", tmp_path / "a.png"), "a.faces exists already", "--force")
    success(facetl("detect", tmp_path / "a.png", "--force"))
