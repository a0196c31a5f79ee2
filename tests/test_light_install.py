"""The wheel in an environment that has only what ``pip install facetl`` brings: no torch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from drawn_videos import pictures, write_video
from packaging.requirements import Requirement

from facetl.errors import _EXTRAS

ROOT = Path(__file__).parents[1]
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.py", "facetl")
LARGEST = 400e6
"""Bytes that the installation may take, pip aside."""
NEWEST_GLIBC = 28
"""Of manylinux_2_28."""


def build_wheel(folder: Path, **variables: str) -> Path:
    """Return a wheel, built from a copy of the sources, without the network."""
    source, out = folder / "source", folder / "wheel"
    source.mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            built = shutil.ignore_patterns("__pycache__", "*.so", "build.log")
            shutil.copytree(path, source / name, ignore=built)
        else:
            shutil.copy(path, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*build, "--wheel-dir", str(out), str(source)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of these sources."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def light_files() -> dict[str, Path]:
    """Return what the light dependencies, and what they need, have at the top of site-packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [Requirement(text) for text in project["dependencies"]]
    known: set[str] = set()
    files: dict[str, Path] = {}
    while waiting:
        needed = waiting.pop()
        if needed.name in known or (needed.marker and not needed.marker.evaluate()):
            continue
        known.add(needed.name)
        here = distribution(needed.name)
        waiting += map(Requirement, here.requires or ())
        tops = {path.parts[0] for path in here.files or ()} - {"..", "__pycache__"}
        files |= {top: Path(str(here.locate_file(top))) for top in tops}
    return files


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel and the light dependencies."""
    place = tmp_path_factory.mktemp("light") / "venv"
    venv.create(place)
    (packages,) = place.glob("[Ll]ib/**/site-packages")
    for name, path in light_files().items():
        (packages / name).symlink_to(path)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True, capture_output=True)
    return place / "bin"


def run(light: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment, which sees nothing of the one that runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [light / words[0], *words[1:]], env=own, cwd=light.parent, capture_output=True, text=True
    )


# ---- the wheel


def test_one_wheel_serves_all_versions_of_python(wheel: Path) -> None:
    assert re.fullmatch(r"facetl-[\d.]+-py3-none-\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        kernels = [name for name in names if name.endswith(".so")]
    assert kernels
    for name in kernels:
        assert re.fullmatch(r"facetl/mtcnn/native/_[a-z]+\d*\.so", name)
    assert not any(name.endswith("build.log") for name in names)


def test_without_a_compiler_the_wheel_says_why_it_has_no_kernels(tmp_path: Path) -> None:
    missing = str(tmp_path / "no-g++")
    with zipfile.ZipFile(build_wheel(tmp_path, CC=missing, CXX=missing)) as file:
        assert not any(name.endswith(".so") for name in file.namelist())
        log = file.read("facetl/mtcnn/native/build.log").decode()
    assert f": {missing} cannot be run (No such file or directory)\n" in log


@pytest.mark.skipif(sys.platform != "linux", reason="manylinux is for Linux")
def test_the_kernels_ask_for_no_newer_system_than_the_wheel_says(wheel: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", wheel], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (least,) = re.findall(r'following\s+platform\s+tag:\s+"manylinux_2_(\d+)_', done.stdout)
    assert int(least) <= NEWEST_GLIBC


def test_the_readme_works_on_a_package_index(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith("METADATA"))
        text = file.read(name).decode()
    assert "# facetl" in text
    for link in re.findall(r"\]\(([^)]*)\)", text):
        assert link.startswith("https://"), f"{link} leads nowhere on an index"


# ---- finding faces


def test_nothing_of_an_extra_is_there(light: Path) -> None:
    extras = sorted(set().union(*_EXTRAS.values()))
    check = f"from importlib.util import find_spec; print([n for n in {extras} if find_spec(n)])"
    assert run(light, "python", "-c", check).stdout == "[]\n"


def test_the_face_of_the_portrait_is_found(light: Path, portrait: Path, tmp_path: Path) -> None:
    done = run(light, "facetl", "detect", portrait, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert "1 face in 1 image (0 skipped)" in done.stdout


def test_images_and_videos_are_searched_and_drawn(
    light: Path, portrait: Path, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.mp4", pictures(2, 6))
    drawn = ("--overlays", "--video", "--crops", "--export", "csv")
    done = run(light, "facetl", "detect", portrait, film, *drawn, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "overlays" / portrait.name).is_file()
    assert list((tmp_path / "out").glob("**/film*.mp4"))


def test_a_search_loads_nothing_that_it_does_not_need(
    light: Path, portrait: Path, tmp_path: Path
) -> None:
    check = (
        "import sys; from facetl.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "slow = {'av', 'jinja2', 'matplotlib', 'onnx', 'pi_heif', 'rich', 'yaml'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    for option, loaded in (("--no-report", "[]"), ("--report", "['jinja2']")):
        words = ("detect", portrait, "--out", tmp_path / option, option)
        done = run(light, "python", "-c", check, *words)
        # whatever the engine: onnx is needed only where there are no kernels
        assert done.stdout.splitlines()[-1:] == [loaded], done.stderr


def test_the_doctor_says_what_training_lacks(light: Path) -> None:
    done = run(light, "facetl", "doctor")
    assert done.returncode == 0, done.stderr
    assert re.search(r"training +not possible: torch.*pip install 'facetl\[train\]'", done.stdout)
    assert "missing" not in done.stdout


def test_frames_are_converted_searched_scored_and_verified(light: Path, tmp_path: Path) -> None:
    frames, found = tmp_path / "frames", tmp_path / "found"
    film = write_video(tmp_path / "film.mp4", pictures(2, 6))
    draw = [sys.executable, "-m", "facetl", "cartoons", str(frames), "--train", "2", "--test", "4"]
    subprocess.run(draw, check=True, capture_output=True)
    for words in (
        ("convert", frames, tmp_path / "coco", "--to", "coco"),
        ("detect", frames / "validare", "--out", found),
        ("evaluate", found, "--truth", frames),
        ("verify", found),
        ("frames", film, "--count", "2", "--out", tmp_path / "picked"),
    ):
        done = run(light, "facetl", *words)
        assert done.returncode == 0, done.stderr
    assert (found / "report.html").is_file()
    assert (found / "precision_recall.png").is_file()


def test_frames_are_annotated_and_retraining_says_what_it_lacks(
    light: Path, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.mp4", pictures(2, 6))
    check = (
        "import sys, json; from pathlib import Path\n"
        "from facetl.commands.annotate import prepare\n"
        "from facetl.commands.requests import AnnotateRequest\n"
        "from facetl.annotating.server import make_app\n"
        "film = Path(sys.argv[1]); out = film.with_suffix('.faces')\n"
        "bench = prepare(AnnotateRequest((film,), out, count=1)); make_app(bench, 1, 'secret')\n"
        "print(bench.to_json()['obstacle'])"
    )
    done = run(light, "python", "-c", check, film)
    assert done.stdout == "training needs more: pip install 'facetl[train]'\n", done.stderr


# ---- what needs an extra


@pytest.mark.parametrize(
    ("words", "library"),
    [
        (("train", "{frames}", "--out", "{out}/a.safetensors"), "torch"),
        (("prepare", "{frames}", "--out", "{out}"), "torch"),
        (("train-pnet", "{frames}", "--out", "{out}/a.safetensors"), "torch"),
        (("compare", "{frames}", "--out", "{out}"), "(scipy|torch)"),
        (("cartoons", "{out}"), "cv2"),
        (("demo", "--out", "{out}"), "torch"),
    ],
)
def test_a_command_that_needs_an_extra_says_which(
    light: Path, words: tuple[str, ...], library: str, tmp_path: Path
) -> None:
    (tmp_path / "frames").mkdir()
    names = {"frames": tmp_path / "frames", "out": tmp_path / "out"}
    done = run(light, "facetl", *(word.format(**names) for word in words))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"facetl: facetl {words[0]} needs {library}, which is not installed; "
        r"pip install 'facetl\[train\]'\n",
        done.stderr,
    ), done.stderr
    assert not (tmp_path / "out").exists()


# ---- from the network


@pytest.mark.skipif(
    "FACETL_TRUE_INSTALL" not in os.environ, reason="downloads; set FACETL_TRUE_INSTALL"
)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_true_installation_is_small_and_finds_the_face(
    wheel: Path, version: str, portrait: Path, tmp_path: Path
) -> None:
    python = shutil.which(f"python{version}")
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    place = tmp_path / "venv"
    subprocess.run([python, "-m", "venv", place], check=True)
    subprocess.run([place / "bin" / "pip", "install", "--quiet", wheel], check=True)
    (packages,) = place.glob("lib/*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "pip", "setuptools"], check=True)
    assert sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) < LARGEST
    done = run(place / "bin", "facetl", "detect", portrait, "--out", tmp_path / "out")
    assert "1 face in 1 image (0 skipped)" in done.stdout, done.stderr
