"""What all commands share: one line for an error, exit codes, numbers that are numbers."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import click
import pytest
from click.testing import CliRunner
from PIL import Image

import facetl
from facetl.cli import main
from facetl.cli.options import FiniteRange
from facetl.errors import FacetlError, describe_missing_library, how_to_install


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    """A command ``fail`` that raises what it is told to."""

    @click.command()
    @click.argument("what")
    def fail(what: str) -> None:
        raise {"error": FacetlError("a.txt:3: found x, expected y"), "stop": KeyboardInterrupt()}[
            what
        ]

    monkeypatch.setitem(main.commands, "fail", fail)
    return FacetlError


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize(
    ("what", "code", "line"),
    [
        ("error", 1, "facetl: a.txt:3: found x, expected y\n"),
        ("stop", 130, "facetl: stopped; nothing half-written is left\n"),
    ],
)
def test_trouble_ends_in_one_line_and_an_exit_code(what: str, code: int, line: str) -> None:
    result = CliRunner().invoke(main, ["fail", what])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["dectect", "x"], "'detect'"),
        (["trian"], "'train'"),
        (["--verison"], "--version"),
        (["detect", "x", "--overlay"], "--overlays"),
    ],
)
def test_who_mistypes_is_told_what_may_be_meant(typed: list[str], meant: str) -> None:
    result = CliRunner().invoke(main, typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean" in result.stderr
    assert meant in result.stderr


@pytest.mark.parametrize(
    "typed", [["dec\x1btect"], ["--a\x1b[31m\n"], ["detect", "x", "--a\x1b[31m"]]
)
def test_what_was_mistyped_gives_no_orders_to_the_terminal(typed: list[str]) -> None:
    result = CliRunner().invoke(main, typed)
    assert result.exit_code == 2
    assert "\x1b" not in result.output
    assert "\\x1b" in result.output


NO_LIBGL = "libGL.so.1: cannot open shared object file: No such file or directory"


def test_a_system_without_libgl_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(f"raise ImportError({NO_LIBGL!r})")
    command = [sys.executable, "-m", "facetl", "cartoons", str(tmp_path / "out"), "--workers", "1"]
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("facetl: libGL.so.1 is missing, which OpenCV needs; install it")
    assert "apt-get install libgl1 libglib2.0-0" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_any_library_of_the_system_may_be_missing() -> None:
    missing = ImportError(NO_LIBGL.replace("libGL.so.1", "libavcodec.so.61"))
    assert str(describe_missing_library(missing)).startswith("libavcodec.so.61 is missing, which")
    assert describe_missing_library(ImportError("No module named 'torch'")) is None


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "2", "many"])
def test_a_share_is_a_number_between_0_and_1(text: str) -> None:
    with pytest.raises(click.BadParameter):
        FiniteRange(0, 1).convert(text, None, None)


def test_a_proper_share_is_taken() -> None:
    assert FiniteRange(0, 1).convert("0.25", None, None) == 0.25


@pytest.mark.parametrize("option", ["--thresholds nan 0 0", "--min-face inf", "--factor nan"])
def test_numbers_that_are_none_are_wrong_usage(option: str) -> None:
    result = CliRunner().invoke(main, ["detect", ".", "--out", "x", *option.split()])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments", [["detect", "/x", "--out", "/y"], ["doctor"], ["verify", "/x"]]
)
def test_a_current_folder_that_is_gone_is_told_first(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("facetl: the current folder no longer exists")
    assert len(result.stderr.splitlines()) == 1


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "facetl", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("facetl, version ")


def test_commands_are_listed_in_the_order_of_the_road() -> None:
    steps = ["prepare", "train-pnet", "train-rnet", "train-onet"]
    training = ["train", "adapt", "train-names", *steps]
    looking = ["evaluate", "tune", "stats", "explain", "compare", "theory", "doctor", "verify"]
    after = [*looking, "convert", "export"]
    road = ["demo", "cartoons", "annotate", "frames", *training, "detect", *after]
    assert main.list_commands(click.Context(main)) == road


@pytest.mark.parametrize(
    ("library", "way_out"),
    [
        ("torch", "'facetl[train]'"),
        ("cv2.gapi", "'facetl[train]'"),
        ("pyarrow", "'facetl[ray]'"),
        ("pandas", "pandas"),
    ],
)
def test_how_to_get_what_not_everybody_has(library: str, way_out: str) -> None:
    assert how_to_install(library) == f"pip install {way_out}"


def test_only_a_library_of_an_extra_is_said_to_be_one() -> None:
    missing = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert describe_missing_library(missing, "facetl tune") == (
        "facetl tune needs torch, which is not installed; pip install 'facetl[train]'"
    )
    assert describe_missing_library(ModuleNotFoundError("nothing", name="facetl.nothing")) is None


def test_in_python_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(facetl._HOMES, "Detector", "needs_torch")
    missing = ModuleNotFoundError("No module named 'torch'", name="torch")
    monkeypatch.setattr(facetl, "import_module", Mock(side_effect=missing))
    with pytest.raises(ImportError, match=r"^facetl\.Detector needs torch, .*'facetl\[train\]'$"):
        _ = facetl.Detector


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("train DATA", "Add --out FILE: the weights file to write"),
        ("evaluate DATA", "Add --truth FILE_OR_FOLDER: the true faces"),
        ("tune DATA", "Add --weights FILE: a weights file"),
        ("prepare DATA --stage onet --out patches", "give what facetl train-rnet has written"),
        ("train-rnet DATA --out a.safetensors", "facetl prepare DATA --stage rnet --weights FILE"),
        ("train DATA --out a.safetensors", "mark the faces with: facetl annotate DATA"),
    ],
)
def test_whoever_forgets_something_is_told_what_to_add(
    typed: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("DATA").mkdir()
    Image.new("RGB", (9, 9)).save("DATA/a.png")
    result = CliRunner().invoke(main, typed.split())
    assert result.exit_code in (1, 2)
    assert remedy in " ".join(result.stderr.split())
