"""ZIPs as folders: safe, removed at the end, and called by their own names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from outcomes import success
from PIL import Image

from facetl.cli import main
from facetl.data import archives
from facetl.data.archives import forget_unpacked, packed, unpacked
from facetl.data.dataset import load_dataset
from facetl.errors import AnnotationError, FacetlError
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.json_file import save_run

pytestmark = pytest.mark.usefixtures("sketched")

TEXT = "a.png 1 2 30 40 dad\n"


@pytest.fixture(autouse=True)
def _little_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    forget_unpacked()
    assert not list(place.iterdir())


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    path = tmp_path / "picture.png"
    Image.new("RGB", (60, 50)).save(path)
    return path.read_bytes()


def zipped(path: Path, files: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def export(tmp_path: Path, picture: bytes) -> Path:
    return zipped(tmp_path / "in/x.zip", {"frames/a.png": picture, "frames/faces.txt": TEXT})


def test_what_is_no_zip_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("text")
    for path in (tmp_path, tmp_path / "a.zip", tmp_path / "missing"):
        assert unpacked(path) == path
        assert packed(path) == path


def test_a_zip_is_unpacked_once(export: Path) -> None:
    place = unpacked(export)
    assert unpacked(export) == place
    assert packed(place / "frames/a.png") == export
    assert packed(export) == export


def test_a_zip_that_changed_is_unpacked_anew(export: Path, picture: bytes) -> None:
    assert load_dataset(export).face_count == 1
    zipped(export, {"frames/a.png": picture, "frames/faces.txt": TEXT + "a.png 3 4 9 9 mom\n"})
    assert load_dataset(export).face_count == 2


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("../../b.png", "b.png"),
        ("/etc/b.png", "etc/b.png"),
        ("C:\\x\\b.png", "x/b.png"),
        ("a/./..//b.png", "a/b.png"),
        ("ü/漢.png", "ü/漢.png"),
    ],
)
def test_nothing_leads_out(
    tmp_path: Path, export: Path, picture: bytes, name: str, place: str
) -> None:
    before = {path for path in tmp_path.rglob("*") if "temporary" not in path.parts}
    folder = unpacked(zipped(export, {name: picture, "frames/a.png": picture}))
    after = {path for path in tmp_path.rglob("*") if "temporary" not in path.parts}
    assert after == before
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.relative_to(folder).as_posix() for path in found} == {place, "frames/a.png"}


def test_names_of_macos_are_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xx.png", b"x")
    path.write_bytes(path.read_bytes().replace(b"xx.png", "é.png".encode()))
    assert [each.name for each in unpacked(path).iterdir()] == ["é.png"]


def test_hidden_files_and_links(tmp_path: Path, picture: bytes) -> None:
    path = zipped(tmp_path / "x.zip", {"__MACOSX/._a.png": b"x", ".hidden/b.png": b"x"})
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    (only,) = unpacked(path).iterdir()
    assert (only.name, only.is_symlink(), only.read_text()) == ("link.png", False, "/etc/passwd")


def refused(path: Path, *words: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        unpacked(path)
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((path.parents[0] / "temporary").glob("*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_odd_zips_are_refused(tmp_path: Path, picture: bytes) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", picture)
        archive.writestr("A/../a.png", picture)
        archive.writestr("a.png", picture)
    refused(path, "holds two files 'a.png'", "unpack it and give the folder")
    refused(zipped(path, {"a": b"x", "a/b.png": picture}), "cannot be unpacked")
    refused(zipped(path, {"a\nb.png": picture}), "holds a file 'a\\nb.png'")
    refused(zipped(path, {"a" * 300 + ".png": picture}), "holds a file")
    data = bytearray(zipped(path, {"a.png": picture}).read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")
    path.write_bytes(zipped(path, {"a.png": picture}).read_bytes()[:-30])
    refused(path, "damaged")


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", {"a.bmp": b"\0" * 10**7})
    monkeypatch.setattr(archives, "MOST_UNPACKED", 10**6)
    refused(path, "grows to 10,000,000 bytes")
    monkeypatch.setattr(archives, "_MOST_FILES", 2)
    refused(zipped(path, {f"{n}.png": b"x" for n in range(3)}), "holds 3 files")


def test_a_member_is_never_longer_than_it_says(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.bmp": b"\0" * 10**6})
    data = path.read_bytes()
    size = (10**6).to_bytes(4, "little")
    path.write_bytes(data.replace(size, (10).to_bytes(4, "little")))
    refused(path, "damaged")


def test_room_is_looked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", {"a.bmp": b"\0" * 1000})
    full = shutil.disk_usage(tmp_path)._replace(free=2**28)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    refused(path, "has no room for them; set TMPDIR")


def test_errors_and_notes_name_the_zip(export: Path, picture: bytes) -> None:
    zipped(export, {"frames/a.png": picture, "frames/faces.txt": "a.png 1 2 x 4\n"})
    with pytest.raises(FacetlError) as caught:
        load_dataset(export)
    assert f"{export}/frames/faces.txt:1: " in str(caught.value)
    command = ["convert", str(export), str(export.parent / "o.json"), "--to", "coco"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"facetl: {export}/frames/faces.txt:1: ")


def test_commands_take_a_zip(export: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> str:
        return success(CliRunner().invoke(main, [str(each) for each in arguments])).output

    run("convert", export, tmp_path / "out", "--to", "coco")
    manifest = (tmp_path / "out/manifest.json").read_text()
    assert str(export) in manifest
    assert "facetl-zip" not in manifest
    assert json.loads((tmp_path / "out/annotations.json").read_text())["annotations"]
    run("verify", tmp_path / "out")
    assert "faces                1\n" in run("prepare", export, "--out", tmp_path / "patches")
    found = Detections.from_lists([[1, 2, 30, 40]], [0.9], np.zeros((1, 5, 2)))
    save_run(
        tmp_path / "results/mine.detections.json",
        Run("mine", {}, (FrameResult("a.png", (50, 60), found, {}, 0.1),)),
    )
    run("evaluate", tmp_path / "results", "--truth", export)
    metrics = (tmp_path / "results/metrics.json").read_text()
    assert json.loads(metrics)["truth"]["faces"] == 1
    assert "facetl-zip" not in metrics


@pytest.mark.parametrize(("text", "code"), [(TEXT, 0), ("a.png 1 2 x 4\n", 1)])
def test_nothing_is_left_behind(
    export: Path, picture: bytes, tmp_path: Path, text: str, code: int
) -> None:
    zipped(export, {"frames/a.png": picture, "frames/faces.txt": text})
    place = tmp_path / "temporary"
    command = ["convert", export, tmp_path / "o.json", "--to", "coco"]
    done = subprocess.run(
        [sys.executable, "-m", "facetl", *map(str, command)],
        env=os.environ | {"TMPDIR": str(place)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert not list(place.iterdir())
    assert (tmp_path / "o.json").exists() == (code == 0)
