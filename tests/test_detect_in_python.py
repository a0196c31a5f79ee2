"""What ``facetl detect`` does, called from Python; exports that register themselves."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from commands import parse
from drawn_frames import draw_frame
from drawn_videos import pictures, write_video

from facetl.commands.detect import DetectRequest, detect
from facetl.data.images import save_image
from facetl.data.video import Sampling
from facetl.errors import InputError, OutputError, UsageError
from facetl.reporting import Reporter
from facetl.results.export_table import EXPORTS
from facetl.results.store import load_run

TOY = "toy_export:save_names"


class Said(Reporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an image, a damaged one and a video."""
    place = tmp_path_factory.mktemp("world") / "in"
    save_image(place / "0.png", draw_frame(1, "test", 0).image[:240, :320])
    (place / "1.png").write_bytes(b"")
    write_video(place / "a.mp4", pictures(2, 6))
    return place


def test_one_request_gives_one_result(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said()
    request = DetectRequest(
        (place,),
        tmp_path / "out",
        weights={"new": "cartoon", "old": "pretrained"},
        device="cpu",
        every=Sampling(2),
        crops=True,
        exports=("csv",),
    )
    result = detect(request, said)
    assert list(result.runs) == list(result.tallies) == ["new", "old"]
    run = load_run(result.runs["new"])
    tally = result.tallies["new"]
    assert (run.name, len(run.frames)) == ("new", tally.pictures) == ("new", 4)
    assert (tally.images.pictures, tally.images.skipped, tally.frames.pictures) == (1, 1, 3)
    assert tally.boxes == run.count
    assert tally.images.faces + tally.frames.faces == run.above(run.score).count
    assert run.settings["command"] == ""
    assert not result.is_whole
    out = tmp_path / "out"
    assert result.written == (out, out / "crops", out / "report.html")
    assert all(path.exists() for paths in result.exported for path in paths)
    assert any(note.startswith("skipped ") for note in said.notes)
    assert capsys.readouterr() == ("", "")


def test_its_defaults_are_those_of_the_options() -> None:
    """But for what only the command line can tell: nothing given, or all cores."""
    defaults = parse("detect", "frames", "--out", "results").params
    for field in fields(DetectRequest):
        if field.default is not MISSING and field.default not in (None, ()):
            assert defaults[field.name] == field.default, field.name
    assert {field.name for field in fields(DetectRequest)} == set(defaults) - {"strict"}


def test_streams_are_resumed(place: Path, tmp_path: Path) -> None:
    request = DetectRequest((place,), tmp_path, device="cpu", stream=True, force=True)
    path = detect(request).runs["cartoon"]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    again = DetectRequest((place,), tmp_path, device="cpu", stream=True, resume=True)
    detect(again)
    assert path.read_bytes() == data
    with pytest.raises(OutputError, match="is finished"):
        detect(again)


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("a.mp4", {"overlays": True}, "--overlays and --truth are for images"),
        ("0.png", {"skip_still": True}, "are for videos; found none"),
        ("0.png", {"resume": True}, "add --stream"),
        ("0.png", {"stream": True, "engine": "ray"}, "leave out --stream"),
    ],
)
def test_what_cannot_go_together_is_wrong_usage(
    place: Path, tmp_path: Path, name: str, given: dict[str, bool], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        detect(DetectRequest((place / name,), tmp_path / "out", **given))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        detect(DetectRequest((tmp_path / "none",), tmp_path / "out"))


# ---- an export is a function and a line

TOY_EXPORT = """
def save_names(folder, run):
    path = folder / f"{run.name}.names"
    path.write_text("".join(f"{frame.image}\\n" for frame in run.frames))
    return [path]
"""


def test_an_export_is_a_function_and_a_line(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_export.py").write_text(TOY_EXPORT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(EXPORTS, "toy", TOY)
    request = DetectRequest((place / "0.png",), tmp_path / "out", device="cpu", exports=("toy",))
    ((path,),) = detect(request).exported
    assert path.read_text() == "0.png\n"


def test_the_command_line_takes_it_without_loading_it(place: Path, tmp_path: Path) -> None:
    (tmp_path / "toy_export.py").write_text(TOY_EXPORT)
    program = (
        "import sys; from facetl.results.export_table import EXPORTS; "
        f"EXPORTS['toy'] = {TOY!r}; from facetl.cli import main; "
        "main(sys.argv[1:], standalone_mode=False); "
        "print(*(m for m in ('numpy', 'torch', 'toy_export') if m in sys.modules))"
    )
    for command in (["detect", "--help"], ["convert", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *command],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "toy" in done.stdout
        assert done.stdout.splitlines()[-1] == ""
