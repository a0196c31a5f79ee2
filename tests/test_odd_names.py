"""Names that are too long or hold what nobody can say: one counted skip, and the rest is done."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_videos import write_video
from outcomes import assert_refused, success
from tiny_world import save_frames

from facetl.cli import main
from facetl.commands.convert import _leave_out
from facetl.data.dataset import load_dataset
from facetl.data.discovery import find_sources
from facetl.data.formats.coco import Coco
from facetl.data.frame import Part
from facetl.data.images import save_image
from facetl.errors import NameTooLongError
from facetl.files import write_text
from facetl.reporting import SILENT
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.export_table import EXPORTS, TIMED_EXPORTS
from facetl.results.json_file import save_run
from facetl.results.store import load_run

OF_IMAGES = [kind for kind in EXPORTS if kind not in TIMED_EXPORTS]
LONGEST = 255
"""Bytes of a name that usual file systems take."""
SAID = "two\nlines\x1b[31m.png"
FORMS = ("coco", "yolo", "voc", "course", "label-studio")


def facetl(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    return save_frames(tmp_path / "frames", 2)


def called(frames: Path, length: int, suffix: str = ".png") -> str:
    """Give the first frame a name of so many bytes; return it."""
    name = "é" * ((length - len(suffix)) // 2)
    name += "a" * (length - len(suffix) - len(name.encode())) + suffix
    (frames / "0.png").rename(frames / name)
    faces = frames / "faces.txt"
    faces.write_text(faces.read_text().replace("0.png", name))
    return name


def hidden_in(folder: Path) -> list[Path]:
    return list(folder.rglob(".*"))


def test_a_file_may_have_the_longest_name_there_is(tmp_path: Path) -> None:
    for suffix in (".txt", ".png", "", "." + "a" * 200):
        path = tmp_path / ("a" * (LONGEST - len(suffix)) + suffix)
        write_text(path, "text")
        assert path.read_text() == "text"
        with pytest.raises(NameTooLongError, match=r"File name too long.*; shorten its name"):
            write_text(path.with_name(f"a{path.name}"), "text")
    assert hidden_in(tmp_path) == []


@pytest.mark.parametrize("length", [249, LONGEST])
def test_the_longest_names_are_searched_drawn_exported_and_converted(
    length: int, frames: Path, tmp_path: Path
) -> None:
    name, out = called(frames, length), tmp_path / "out"
    exports = [each for kind in OF_IMAGES for each in ("--export", kind)]
    result = success(facetl("detect", frames, "--overlays", "--crops", *exports, "--out", out))
    assert "(0 skipped)" in result.stdout
    assert (out / "overlays" / name).is_file()
    assert (out / "cartoon.yolo/labels" / name).with_suffix(".txt").is_file()
    run = load_run(out / RUN)
    shown = {each.image: each.detections.scores >= run.score for each in run.frames}
    found = {image: int(is_shown.sum()) for image, is_shown in shown.items()}
    assert sum(found.values()) > found[name] > 0
    cut = len(list((out / "crops/cartoon").glob("*_?_*.png")))
    left_out = f"crops left out, as their names would be too long: {sum(found.values()) - cut}\n"
    assert (left_out in result.stderr) == (cut < sum(found.values()))
    assert cut >= sum(found.values()) - found[name]
    for form in FORMS:
        success(facetl("convert", frames, tmp_path / form, "--to", form))
        assert len(list((tmp_path / form).rglob(f"{name[:-4]}*.png"))) == 1
    assert hidden_in(tmp_path) == []


RUN = "cartoon.detections.json"


def test_an_overlay_whose_name_would_be_too_long_is_left_out_and_counted(
    frames: Path, tmp_path: Path
) -> None:
    """Of a picture that is no PNG or JPEG, an overlay has one suffix more."""
    called(frames, LONGEST, ".webp")
    result = success(facetl("detect", frames, "--overlays", "--out", tmp_path / "out"))
    assert "overlays left out, as their names would be too long: 1\n" in result.stderr
    assert [path.name for path in (tmp_path / "out/overlays").iterdir()] == ["1.png"]
    assert len(load_run(tmp_path / "out" / RUN).frames) == 2


def test_a_name_that_is_too_long_is_said_before_the_work(frames: Path, tmp_path: Path) -> None:
    weights = f"{'a' * 250}=cartoon"
    result = facetl("detect", frames, "--weights", weights, "--out", tmp_path / "out")
    assert_refused(result, "cannot be written (File name too long); shorten its name")
    assert not (tmp_path / "out").exists()


def test_videos_of_long_names_are_searched_and_not_drawn(tmp_path: Path) -> None:
    pixels = np.zeros((48, 48, 3), np.uint8)
    video = tmp_path / ("a" * (LONGEST - 4) + ".mkv")
    write_video(tmp_path / "a.mp4", [pixels, pixels])
    (tmp_path / "a.mp4").rename(video)
    result = success(facetl("detect", video, "--video", "--out", tmp_path / "out"))
    assert f"{video.name} is searched and not drawn: " in result.stderr
    assert len(load_run(tmp_path / "out" / RUN).frames) == 2
    result = facetl("frames", video, "--out", tmp_path / "frames")
    assert_refused(result, "the name of its annotations would be too long", "shorten that of the")


@pytest.mark.parametrize("kind", OF_IMAGES)
def test_a_name_with_control_characters_is_one_counted_skip(
    kind: str, frames: Path, tmp_path: Path
) -> None:
    (frames / "0.png").rename(frames / SAID)
    (frames / "faces.txt").unlink()
    out = tmp_path / "out"
    result = success(facetl("detect", frames, "--export", kind, "--out", out))
    assert "images left out of what is exported: 1, such as two\\nlines\\x1b[31m.png" in (
        result.stderr
    )
    assert "\x1b" not in result.output
    assert {frame.image for frame in load_run(out / RUN).frames} == {SAID, "1.png"}
    if kind == "csv":
        rows = list(csv.reader(io.StringIO((out / "cartoon.csv").read_text())))
        assert {row[0] for row in rows[1:]} == {"1.png"}
    if kind == "yolo":
        assert [path.name for path in (out / "cartoon.yolo/labels").iterdir()] == ["1.txt"]
    if kind in ("coco", "cvat"):
        path = out / ("cartoon.coco-images.json" if kind == "coco" else "cartoon.cvat.json")
        assert Coco().load(path).images == ("1.png",)


@pytest.mark.parametrize("form", FORMS)
def test_frames_that_annotations_cannot_name_are_left_out_and_counted(
    form: str, frames: Path, tmp_path: Path
) -> None:
    save_image(frames / SAID, np.zeros((30, 40, 3), np.uint8))
    out = tmp_path / "out"
    result = success(facetl("convert", frames, out, "--to", form))
    assert "frames left out: 1, such as two\\nlines\\x1b[31m.png: whose names" in result.stderr
    assert result.stdout.startswith("2 frames, ")
    if form == "label-studio":
        assert len(json.loads((out / "label-studio.json").read_text())) == 2
    else:
        assert [frame.name for frame in load_dataset(out)] == ["0.png", "1.png"]


def test_where_no_frame_can_be_named_nothing_is_written(frames: Path, tmp_path: Path) -> None:
    for path in frames.iterdir():
        path.unlink()
    save_image(frames / SAID, np.zeros((30, 40, 3), np.uint8))
    (frames / "faces.txt").write_text("")
    result = facetl("convert", frames, tmp_path / "out", "--to", "coco")
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()


# ---- links that lead out


@pytest.mark.parametrize("form", FORMS)
def test_what_lies_outside_is_not_copied(form: str, frames: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    (frames / "0.png").rename(secret)
    (frames / "0.png").symlink_to(secret)
    (frames / "2.png").symlink_to("1.png")  # which stays inside
    out = tmp_path / "out"
    result = success(facetl("convert", frames, out, "--to", form))
    assert "frames left out: 1, such as 0.png: links lead out of their folder; " in result.stderr
    assert result.stdout.startswith("2 frames, ")
    held = [path.read_bytes() for path in out.rglob("*.png")]
    assert (len(held), secret.read_bytes() in held) == (2, False)


def test_links_of_each_frame_are_followed_once(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[Path] = []
    follow = os.path.realpath

    def note(path: Path, **options: Any) -> str:
        followed.append(Path(path))
        return follow(path, **options)

    monkeypatch.setattr(os.path, "realpath", note)
    names: tuple[Part, ...] = ("train", "val")
    parts = {part: load_dataset(frames) for part in names}
    followed.clear()
    found = _leave_out(parts, {part: find_sources(frames) for part in names}, SILENT)
    assert [len(dataset) for dataset in found.values()] == [2, 2]
    assert sorted(followed) == sorted([frames, frames / "0.png", frames / "1.png"] * 2)


def test_links_and_annotations_alone_hold_nothing_of_what_lies_outside(
    frames: Path, tmp_path: Path
) -> None:
    (frames / "0.png").rename(tmp_path / "elsewhere.png")
    (frames / "0.png").symlink_to(tmp_path / "elsewhere.png")
    for placing in ("link", "none"):
        out = tmp_path / placing
        result = facetl("convert", frames, out, "--to", "coco", "--with-images", placing)
        assert success(result).stdout.startswith("2 frames, ")
    success(facetl("convert", frames, tmp_path / "one.json", "--to", "coco"))


def test_a_folder_that_is_a_link_is_the_folder(frames: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(frames)
    result = success(facetl("convert", tmp_path / "link", tmp_path / "out", "--to", "yolo"))
    assert result.stdout.startswith("2 frames, ")


def test_where_all_lies_outside_the_way_out_is_said(frames: Path, tmp_path: Path) -> None:
    success(facetl("convert", frames, tmp_path / "links", "--to", "yolo", "--with-images", "link"))
    result = facetl("convert", tmp_path / "links", tmp_path / "out", "--to", "coco")
    assert result.exit_code == 1
    assert "or --with-images link" in result.stderr
    assert not (tmp_path / "out").exists()


# ---- on the terminal


def test_runs_labels_and_files_give_no_orders_to_the_terminal(frames: Path, tmp_path: Path) -> None:
    order = "\x1b]0;owned\x07"
    (out := tmp_path / f"out{order}").mkdir()
    found = Detections.from_lists([[1, 2, 30, 40]], [0.9], [[[0, 0]] * 5])
    each = tuple(
        FrameResult(name, (120, 160), found, {"pnet": 1}, 0.1) for name in ("0.png", "1.png")
    )
    save_run(out / "a.detections.json", Run(f"run{order}", {"weights": order}, each))
    coco = tmp_path / "faces.json"
    success(facetl("convert", frames, coco, "--to", "coco"))
    coco.write_text(coco.read_text().replace('"name": "', f'"name": {json.dumps(order)[:-1]}'))
    for command in (
        ("evaluate", out, "--truth", coco),
        ("verify", out),
        ("convert", out, tmp_path / "exports", "--to", "csv"),
        ("convert", coco, tmp_path / "one.json", "--to", "coco"),
        ("detect", frames / f"no{order}.png", "--out", out),
        ("detect", frames, "--weights", order, "--out", out, "--force"),
        ("compare", frames, "--study", order, "--out", tmp_path / "lab"),
    ):
        result = facetl(*command)
        assert result.exit_code in (0, 1), result.output
        assert "\x1b" not in result.output
        assert "\x07" not in result.output
        assert "Traceback" not in result.output
