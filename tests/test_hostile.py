"""Commands on hostile and broken inputs: a clear line or a counted skip, and nothing half done."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from hostile.make import (
    make_annotations,
    make_bombs,
    make_broken,
    make_images,
    make_no_images,
    make_odd_images,
    make_peers,
    make_weights,
)
from hostile.readers import READERS
from outcomes import success
from parameters import pretrained_tensors
from whole_world import NO_WORLD, World, make_world

from facetl import Detector
from facetl.cli import main
from facetl.data.images import save_image
from facetl.data.video import VideoReader
from facetl.errors import FacetlError, ImageError, OutputError, WeightsError
from facetl.locks import locking
from facetl.mtcnn.weights import Weights, load_weights

pytestmark = pytest.mark.usefixtures("sketched")

IMAGES = (
    *("cut.png", "cut.jpg", "empty.png", "text.jpg", "head.gif", "bomb.png", "noise.bmp"),
    *("nan.tif", "sparse.png"),
)


def facetl(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def tuning(frames: Path, out: Path) -> tuple[object, ...]:
    return "tune", frames, "--weights", "cartoon", "--out", out


def refused(result: Result, *parts: object) -> str:
    """Assert that the last line on stderr says why not, on its own, and return it."""
    assert result.exit_code == 1, result.output
    (line,) = [each for each in result.stderr.splitlines() if each.startswith("facetl: ")]
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    assert result.stderr.endswith(f"{line}\n")
    for part in parts:
        assert str(part) in line
    return line


def left_in(folder: Path) -> list[str]:
    """Return what is left in a folder, hidden files too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("whole"), 4)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    make_weights(folder, folder / "EXECUTED")
    return folder


def annotated(world: World, folder: Path) -> Path:
    """Return four frames, with hostile images among them that are annotated too."""
    frames = folder / "frames"
    shutil.copytree(world.frames, frames)
    make_images(frames)
    make_odd_images(frames)
    make_no_images(frames)
    with (frames / "faces.txt").open("a", encoding="utf-8") as file:
        file.writelines(f"{name} 10 10 50 50\n" for name in (*IMAGES, "moving.gif"))
    return frames


# --- images


@pytest.mark.parametrize("name", IMAGES)
def test_a_broken_image_alone_is_refused(name: str, tmp_path: Path) -> None:
    make_images(tmp_path / "in")
    image = tmp_path / "in" / name
    for command in ("detect", "explain"):
        line = refused(facetl(command, image, "--out", tmp_path / "out"))
        assert "none of the 1 images" in line or str(image) in line
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["folder.png", "loop.png", "nowhere.jpg", "pipe.png"])
def test_what_is_no_image_is_refused_and_waited_for_never(name: str, tmp_path: Path) -> None:
    make_no_images(tmp_path / "in")
    for command in ("detect", "explain"):
        refused(facetl(command, tmp_path / "in" / name, "--out", tmp_path / "out"))
        assert not (tmp_path / "out").exists()


def test_a_folder_of_them_is_searched_with_each_skip_counted(world: World, tmp_path: Path) -> None:
    frames = annotated(world, tmp_path)
    result = success(facetl("detect", frames, "--overlays", "--crops", "--out", tmp_path / "out"))
    (file,) = (tmp_path / "out").glob("*.detections.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    assert sorted(each["image"] for each in document["skipped"]) == sorted(IMAGES)
    names = {each["image"] for each in document["frames"]}
    assert {"0.png", "moving.gif", "jpeg_inside.png", "-dash.png", "ünï © 漢.png"} <= names
    assert "two\nlines\x1b[31m.png" in names
    if any(b"\xff" in name for name in map(os.fsencode, frames.iterdir())):
        assert "no_text_\\xff.png" in names
    assert f"({len(IMAGES)} skipped)" in result.stdout
    skips = [line for line in result.stderr.splitlines() if line.startswith("skipped")]
    assert len(skips) == len(IMAGES)
    assert "\x1b" not in result.output
    strict = facetl("detect", frames, "--strict", "--out", tmp_path / "strict")
    assert strict.exit_code == 1


def test_trainings_count_what_they_leave_out(world: World, tmp_path: Path) -> None:
    frames = annotated(world, tmp_path)
    prepared = success(facetl("prepare", frames, "--out", tmp_path / "patches"))
    assert "image unreadable" in prepared.stderr
    assert left_in(tmp_path / "patches") == ["manifest.json", "pnet.patches", "pnet_patches.png"]
    out = tmp_path / "cascade.safetensors"
    trained = success(facetl("train", frames, "--epochs", 1, 1, 1, "--out", out))
    assert "image unreadable" in trained.stderr
    assert out.is_file()


def test_evaluate_tune_and_convert_bear_them_too(world: World, tmp_path: Path) -> None:
    frames = annotated(world, tmp_path)
    results = tmp_path / "out"
    success(facetl("detect", frames, "--out", results))
    scored = success(facetl("evaluate", results, "--truth", frames, "--train", frames))
    assert "image unreadable" in scored.stderr
    success(facetl(*tuning(frames, tmp_path / "tuned.safetensors")))
    for target in ("coco", "yolo", "voc"):
        place = tmp_path / target
        result = facetl("convert", frames, place, "--to", target)
        if result.exit_code:  # two frames of one stem, which these formats cannot tell apart
            refused(result)
            assert not place.exists()
        else:
            kept = [path for path in place.rglob("*") if path.suffix in (".png", ".gif")]
            assert kept
            assert not {path.name for path in kept} & {"empty.png", "text.jpg", "bomb.png"}


def test_a_name_that_is_no_text_does_not_stop_the_output(world: World, tmp_path: Path) -> None:
    name = os.fsdecode(b"out_\xff")
    try:
        (tmp_path / name).mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    result = success(facetl("detect", world.frames, "--out", tmp_path / name))
    assert "wrote" in result.stdout
    (file,) = (tmp_path / name).glob("*.detections.json")
    assert "\\udcff" in json.dumps(json.loads(file.read_text(encoding="utf-8"))["settings"])


# --- annotations


ANNOTATIONS = (
    *("nuls.txt", "overflow.txt", "not_numbers.txt", "backwards.txt", "climbing.txt"),
    *("one_line.txt", "deep.json", "cut.json", "climbing.json", "absolute.json"),
    *("endless_name.json", "overflow.json", "not_numbers.json", "surrogate.json", "binary.txt"),
)


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_broken_annotations_are_refused_with_the_place(
    name: str, world: World, tmp_path: Path
) -> None:
    make_annotations(tmp_path / "in")
    file = tmp_path / "in" / name
    out = tmp_path / "out"
    given = ("--images", world.frames, "--annotations", file)
    for command in (
        ("prepare", *given, "--out", out),
        ("train", *given, "--out", out.with_suffix(".safetensors")),
        ("tune", *given, "--weights", "cartoon", "--out", out.with_suffix(".safetensors")),
        ("convert", file, out, "--images", world.frames, "--to", "yolo"),
    ):
        assert len(refused(facetl(*command), file)) < 2_000
        assert left_in(tmp_path) == left_in_only("in", tmp_path)
    scored = facetl("evaluate", world.results, "--truth", file, "--out", out)
    if name in ("climbing.json", "absolute.json"):  # names are compared with the run's alone
        refused(scored, "no frame in common")
    elif name != "climbing.txt":
        refused(scored, file)
    assert out.exists() == (name == "climbing.txt")


def left_in_only(name: str, folder: Path) -> list[str]:
    return [name, *(f"{name}/{each}" for each in left_in(folder / name))]


@pytest.mark.parametrize("name", ["nuls.txt", "overflow.txt", "not_numbers.txt", "overflow.json"])
def test_wrong_lines_are_left_out_and_counted_if_asked(
    name: str, world: World, tmp_path: Path
) -> None:
    make_annotations(tmp_path)
    given = ("--annotations", tmp_path / name, "--on-error", "skip", "--out", tmp_path / "out")
    result = facetl("prepare", "--images", world.frames, *given)
    assert result.exit_code in (0, 1)  # no face may be left to cut
    assert any(kind in result.stderr for kind in ("not a number", "image missing"))


@pytest.mark.parametrize("target", ["coco", "yolo", "voc", "course"])
@pytest.mark.parametrize("name", ["climbing.json", "absolute.json", "climbing.txt"])
def test_nothing_is_written_outside_of_the_new_data_set(
    name: str, target: str, world: World, tmp_path: Path
) -> None:
    make_annotations(tmp_path / "in")
    file, place = tmp_path / "in" / name, tmp_path / "deep/out"
    facetl(
        *("convert", file, place, "--images", world.frames, "--to", target, "--on-error", "skip")
    )
    outside = [each for each in left_in(tmp_path) if not each.startswith(("in", "deep"))]
    assert outside == []
    assert all("passwd" not in each for each in left_in(tmp_path))


@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_annotations_that_grow_when_read_are_refused(kind: str, tmp_path: Path) -> None:
    data = make_bombs(tmp_path / "in")[kind]
    refused(facetl("prepare", data, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_million_lines_are_read(world: World, tmp_path: Path) -> None:
    file = tmp_path / "faces.txt"
    lines = 1_000_000 if "FACETL_FUZZ" in os.environ else 20_000
    file.write_text("0.png 10 10 40 40 dad\n" * lines + "0.png 1 2 three 4\n")
    line = refused(facetl("evaluate", world.results, "--truth", file, "--out", tmp_path / "out"))
    assert f":{lines + 1}: found 'three'" in line


# --- files that facetl wrote, broken


def test_broken_weights_are_refused_and_nothing_in_them_is_run(
    weights: Path, world: World, tmp_path: Path
) -> None:
    files = sorted(path for path in weights.iterdir() if path.name != "EXECUTED")
    assert len(files) > 10
    patches, out = world.patches, tmp_path / "out"
    for file in files:
        for command in (
            ("detect", world.frames, "--weights", file, "--out", out),
            ("detect", world.video, "--weights", file, "--out", out),
            ("tune", world.frames, "--weights", file, "--out", out.with_suffix(".safetensors")),
            ("explain", world.frames / "0.png", "--weights", file, "--out", out),
            ("export", "--onnx", "--weights", file, "--out", out),
            ("frames", world.video, "--weights", file, "--out", out),
            ("train-pnet", patches, "--start", file, "--out", out.with_suffix(".safetensors")),
            ("prepare", world.frames, "--stage", "rnet", "--weights", file, "--out", out),
            ("train", world.frames, "--start", file, "--out", out.with_suffix(".safetensors")),
        ):
            refused(facetl(*command), file)
            assert left_in(tmp_path) == [], command
    assert not (weights / "EXECUTED").exists()


def test_the_trap_would_spring(tmp_path: Path) -> None:
    make_weights(tmp_path, tmp_path / "EXECUTED")
    pickle.loads((tmp_path / "trap.pth").read_bytes())
    assert (tmp_path / "EXECUTED").exists()


def test_broken_patches_are_refused(world: World, tmp_path: Path) -> None:
    for file in make_broken(tmp_path / "in", "patches"):
        out = tmp_path / "out.safetensors"
        refused(facetl("train-pnet", file, "--out", out), file)
        assert [each for each in left_in(tmp_path) if not each.startswith("in")] == []


def test_broken_checkpoints_are_refused(world: World, tmp_path: Path) -> None:
    for file in make_broken(tmp_path / "in", "checkpoint"):
        out = tmp_path / "out.safetensors"
        broken = tmp_path / "out.safetensors.checkpoint"
        shutil.copy(file, broken)
        refused(facetl("train-pnet", world.patches, "--resume", "--out", out), broken)
        broken.unlink()
        assert [each for each in left_in(tmp_path) if not each.startswith("in")] == []


def test_broken_detections_are_refused(world: World, tmp_path: Path) -> None:
    for file in make_broken(tmp_path / "in", "detections"):
        out = tmp_path / "out"
        refused(facetl("evaluate", file, "--truth", world.faces, "--out", out), file)
        refused(facetl("convert", file, out, "--to", "csv"), file)
        assert not out.exists()


def test_broken_arrays_of_peers_are_refused_and_nothing_in_them_is_run(
    world: World, tmp_path: Path
) -> None:
    for folder in make_peers(tmp_path / "in", tmp_path / "EXECUTED"):
        peer = ("--peer", f"other={folder}", "--out", tmp_path / "out")
        refused(facetl("evaluate", world.results, "--truth", world.faces, *peer), folder)
    assert left_in(tmp_path) == left_in_only("in", tmp_path)


def test_broken_videos_are_refused_or_skipped(world: World, tmp_path: Path) -> None:
    broken = [path for path in make_broken(tmp_path / "in", "video") if path.stem != "version"]
    for file in broken:
        for command in ("detect", "frames"):
            result = facetl(command, file, "--out", tmp_path / "out")
            assert result.exit_code == 1, file
            refused(result, file)
            assert not (tmp_path / "out").exists()
    result = success(facetl("detect", world.video, *broken, "--out", tmp_path / "out"))
    assert result.stderr.count("skipped") == len(broken)


def test_broken_studies_are_refused(world: World, tmp_path: Path) -> None:
    for file in make_broken(tmp_path / "in", "study"):
        if file.stem == "empty":  # a study with the usual values
            continue
        out = tmp_path / "out"
        refused(facetl("compare", world.frames, "--study", file, "--out", out), file)
        assert not out.exists()


# --- what fuzzing found


@pytest.mark.parametrize(
    ("reader", "old", "new"),
    [
        ("study", b'"all"', b"[" * 100_000),
        ("study", b"25", b"9" * 5_000),
        ("cell", b'"learnt"', b'"learnd"'),
        ("cell", b'"records"', b'"record"'),
        ("cell", b'"0.3": 0.5', b'"0.3": "0.5"'),
        ("cell", b'"total": 0.4', b'"total": 1e308'),
        ("cell", b'"angles": {', b'"angles": [], "other": {'),
        ("detections in other formats", b"10.0, 9.0", b"1e20, 9.0"),
        ("weights of a step", b'"records": [', b'"records": [7, '),
        ("weights of a step", b'"score": 0.99', b'"score": null'),
        ("budget", b"20.5", b'"20"'),
        ("budget", b"20.5", b"-1"),
        ("budget", b"0.25", b"[]"),
        ("budget", b"0.25", b"1e308"),
        ("task", b"{", b"\xff"),
        ("task", b'"pnet"', b"[" * 100_000),
        ("detections", b"1.0", b"1e308"),
        ("detections", b"1.0", b"NaN"),
        ("patches", b"[0, 1]", b"[0,-1]"),
        ("patches", b"[0, 1]", b"['', 1"),
        ("peer arrays", b"<f8", b"(f8"),
    ],
)
def test_what_fuzzing_found_is_an_error_of_the_family(
    reader: str, old: bytes, new: bytes, tmp_path: Path
) -> None:
    (built,) = [each for each in READERS if each.name == reader]
    path = built.build(tmp_path)[0]
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    with pytest.raises(FacetlError):
        built.read(path)


def test_a_video_may_have_its_title_in_any_encoding(world: World, tmp_path: Path) -> None:
    data = world.video.read_bytes()
    assert b"Lavf" in data
    (tmp_path / "film.mp4").write_bytes(data.replace(b"Lavf", b"L\xe4vf"))
    assert len(list(VideoReader(tmp_path / "film.mp4").frames())) == 4


@pytest.mark.parametrize("place", [0, 3])
def test_weights_that_are_no_numbers_are_not_taken(place: int) -> None:
    state = pretrained_tensors("pnet")
    name = list(state)[place]
    for broken in (state[name] * torch.inf, state[name].to(torch.complex64), state[name].long()):
        with pytest.raises(WeightsError, match=name):
            Weights({"pnet": {**state, name: broken}})


def test_parameters_that_still_learn_are_taken(tmp_path: Path) -> None:
    state = pretrained_tensors("pnet")
    torch.save({name: torch.nn.Parameter(each) for name, each in state.items()}, tmp_path / "p.pt")
    assert load_weights(tmp_path / "p.pt").fingerprint == Weights({"pnet": state}).fingerprint


# --- places that cannot be written


def commands(world: World, out: Path) -> dict[str, tuple[object, ...]]:
    """Return a command of each kind that writes below ``out``, which is there."""
    model = out / "model.safetensors"
    return {
        "detect": (
            "detect",
            world.frames,
            "--overlays",
            "--crops",
            "--export",
            "csv",
            "--out",
            out,
        ),
        "videos": ("detect", world.video, "--video", "--out", out),
        "evaluate": ("evaluate", world.results, "--truth", world.faces, "--out", out),
        "prepare": ("prepare", world.frames, "--out", out),
        "train-pnet": ("train-pnet", world.patches, "--epochs", 1, "--out", model),
        "train": ("train", world.frames, "--epochs", 1, 1, 1, "--out", model),
        "tune": tuning(world.frames, model),
        "convert": ("convert", world.frames, out / "new", "--to", "coco"),
        "single": ("convert", world.frames, out / "new.json", "--to", "coco"),
        "runs": ("convert", world.results, out, "--to", "npy"),
        "export": ("export", "--onnx", "--out", out),
        "explain": ("explain", world.frames / "0.png", "--out", out),
        "frames": ("frames", world.video, "--count", 1, "--out", out),
        "cartoons": ("cartoons", out, "--train", 1, "--test", 1),
    }


KINDS = tuple(commands(NO_WORLD, Path()))


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let no file grow above so many bytes: as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("size", [0, 1500])
def test_a_picture_is_never_cut_short(suffix: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    with no_file_above(size), pytest.raises(OutputError, match="cannot be written"):
        save_image(path, draw_frame(1, "test", 0).image)
    assert left_in(tmp_path) == []


@pytest.mark.rendered
@pytest.mark.parametrize("size", [0, 1500])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "export"])  # which is slow
def test_a_full_disk_leaves_no_file_cut_short(
    kind: str, size: int, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = commands(world, out)[kind]
    with no_file_above(size):
        result = facetl(*command)
    if result.exit_code == 0:  # all that it writes is that small
        assert size
        return
    refused(result)
    for name in left_in(out):
        path = out / name
        assert not path.is_file() or path.stat().st_size < max(size, 1), name
        assert not path.name.startswith("."), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_below_a_file_is_refused(kind: str, world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(facetl(*commands(world, tmp_path / "file/out")[kind]))
    assert left_in(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_to_which_another_command_writes_is_refused(
    kind: str, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with ExitStack() as locks:
        for place in (out, out / "model.safetensors", out / "new", out / "new.json"):
            locks.enter_context(locking(place))
        refused(facetl(*commands(world, out)[kind]), "another facetl command is writing there")
    assert left_in(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_where_nothing_can_be_made_is_refused(kind: str, world: World) -> None:
    place = Path("/proc/facetl")
    if not place.parent.is_dir():
        pytest.skip("needs /proc, in which not even root can write")
    refused(facetl(*commands(world, place / "out")[kind]))


@pytest.mark.parametrize("kind", ["help", "convert"])
def test_a_full_disk_behind_stdout_is_told_in_one_line(
    kind: str, world: World, tmp_path: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    arguments = ("--help",) if kind == "help" else commands(world, tmp_path)[kind]
    command = [sys.executable, "-m", "facetl", *map(str, arguments)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("facetl: reading or writing failed: No space left on device; ")
    assert done.stderr.count("\n") == 1


def test_unreadable_files_are_skipped_or_refused_for_everybody_but_root(
    world: World, tmp_path: Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    frames = tmp_path / "frames"
    shutil.copytree(world.frames, frames)
    (frames / "0.png").chmod(0)
    result = success(facetl("detect", frames, "--out", tmp_path / "out"))
    assert "(1 skipped)" in result.stdout
    (frames / "faces.txt").chmod(0)
    refused(facetl("prepare", frames, "--out", tmp_path / "patches"))


# --- what is never done


def test_no_pickle_is_loaded_anywhere_in_the_code() -> None:
    package = Path(main.callback.__code__.co_filename).parents[1]  # type: ignore[union-attr]
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "pickle.load" not in text, path
        assert "allow_pickle=True" not in text, path
        assert text.count("torch.load(") == text.count("weights_only=True"), path
        assert "yaml.load(" not in text, path


def test_arrays_of_odd_kinds_are_refused() -> None:
    detector = Detector.load("cartoon", "cpu")
    for odd in (np.zeros((3, 4, 5, 6)), np.full((9, 9), np.nan), np.array("x"), np.zeros((0, 4))):
        with pytest.raises(ImageError):
            detector.detect([odd])
