"""A new annotation format is one class and one line: this file's toy is read and written so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from facetl.data.annotations import AnnotationFile, FaceLine, OnError, collect_faces, read_text
from facetl.data.dataset import load_dataset
from facetl.data.formats import table
from facetl.data.formats.base import AnnotationFormat, FramesByPart
from facetl.data.frame import Frame, Part

HEAD = "toy faces\n"


class Toy(AnnotationFormat):
    """A text with an image a line, and behind it the corners of its faces."""

    name = "toy"
    suffixes = (".toy",)
    single_suffix = ".toy"

    def looks_like(self, head: str) -> bool:
        return head.startswith(HEAD)

    def load(self, path: Path, on_error: OnError = "strict") -> AnnotationFile:
        rows = [line.split("\t") for line in read_text(path).splitlines()[1:]]
        lines = []
        for image, *boxes in rows:
            for box in boxes:
                x1, y1, x2, y2 = map(float, box.split())
                lines.append(FaceLine(image, (x1, y1, x2, y2), None, None))
        images = tuple(image for image, *_ in rows)
        return AnnotationFile(path, *collect_faces(lines, path, on_error), images)

    def image_place(self, part: Part, name: str, *, alone: bool) -> str:
        return name if alone else f"{part}/{name}"

    def save(self, folder: Path, parts: FramesByPart, *, with_images: bool) -> None:
        for part, frames in parts.items():
            place = folder if len(parts) == 1 else folder / part
            place.mkdir(exist_ok=True)
            self.save_single(place / "faces.toy", frames)

    def save_single(self, path: Path, frames: Sequence[Frame]) -> None:
        rows = [
            "\t".join([frame.name, *(" ".join(map(str, box)) for box in frame.boxes.tolist())])
            for frame in frames
        ]
        path.write_text(HEAD + "".join(f"{row}\n" for row in rows))


LINE = {"toy": table.Row(f"{__name__}:Toy")}


def facetl(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command where the format's line is in the table from the start."""
    start = (
        "from facetl.data.formats.table import FORMATS; import test_new_format as new; "
        "FORMATS.update(new.LINE); from facetl.cli import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in "ab":
        Image.new("RGB", (40, 30)).save(folder / f"{name}.png")
    (folder / "faces.toy").write_text(f"{HEAD}a.png\t1 2 11 12\t5 5 9 9\nb.png\n")
    return folder


def test_it_is_found_and_read(frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.FORMATS, *next(iter(LINE.items())))
    for given in (frames, frames.parent, frames / "faces.toy"):
        dataset = load_dataset(given)
        assert [frame.boxes.tolist() for frame in dataset] == [[[1, 2, 11, 12], [5, 5, 9, 9]], []]
    assert load_dataset(frames, form="toy").face_count == 2


def test_commands_read_and_write_it(frames: Path, tmp_path: Path) -> None:
    steps = (
        (frames, "coco", "--to", "coco", "--format", "toy"),
        ("coco", "again", "--to", "toy"),
        ("again", "faces.toy", "--to", "toy"),
    )
    for source, out, *options in steps:
        done = facetl("convert", tmp_path / source, tmp_path / out, *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"2 frames, 2 faces\nwrote {tmp_path / out}\n"
    text = f"{HEAD}a.png\t1.0 2.0 11.0 12.0\t5.0 5.0 9.0 9.0\nb.png\n"
    assert (tmp_path / "again/faces.toy").read_text() == text
    assert (tmp_path / "faces.toy").read_text() == text
    formats = ", ".join(
        name for name, row in table.FORMATS.items() if row.is_read and name != table.COURSE
    )
    listed = " ".join(facetl("convert", "--help").stdout.split())
    assert f"Others: course, {formats}, toy." in listed
