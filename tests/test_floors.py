"""The house of design: each module on its floor, each third-party library with its owner."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import facetl

PACKAGE = Path(facetl.__file__).parent

FLOORS = {
    "facetl.__main__": 10,
    "facetl.cli": 9,
    "facetl.commands": 8,
    "facetl.experiments": 7,
    "facetl.evaluation": 6,
    "facetl.recognition": 6,
    "facetl.annotating": 5,
    "facetl.compat": 5,
    "facetl.training": 5,
    "facetl.mtcnn": 4,
    "facetl.search": 3,
    "facetl.results": 2,
    "facetl.data": 1,
    "facetl.cartoons": 1,
    "facetl.manifests": 2,
    "facetl.locks": 1,
    "facetl.parts": 1,
    "facetl.files": 0,
    "facetl.boxes": -1,
    "facetl.cores": -1,
    "facetl.errors": -1,
    "facetl.interruptions": -1,
    "facetl.palette": -1,
    "facetl.registry": -1,
    "facetl.reporting": -1,
    "facetl.run_onnx": -1,
    "facetl.settings": -1,
    "facetl.version": -1,
}
CATALOGUE = "facetl"  # names everything and is imported by nobody

OWNERS = {
    "click": {"facetl.cli"},
    "rich": {"facetl.cli"},
    "matplotlib": {"facetl.data", "facetl.evaluation"},
    "scipy": {"facetl.experiments"},
    "facenet_pytorch": {"facetl.mtcnn"},
    "safetensors": {"facetl.mtcnn", "facetl.training"},
    "onnxruntime": {"facetl.run_onnx", "facetl.mtcnn"},
    "lap": {"facetl.data"},
    "pandas": {"facetl.data"},
    "pyarrow": {"facetl.results"},
    "ray": {"facetl.search"},
    "supervision": {"facetl.data"},
    "cv2": {"facetl.data", "facetl.cartoons"},
    "av": {"facetl.data"},
    "yaml": {"facetl.data"},
    "defusedxml": {"facetl.data"},
    "jinja2": {"facetl.evaluation"},
    "pi_heif": {"facetl.data"},
    "PIL": {"facetl.data", "facetl.cartoons", "facetl.run_onnx"},
    "starlette": {"facetl.annotating"},
    "uvicorn": {"facetl.annotating"},
    "torch": {
        "facetl.data",  # for types
        "facetl.mtcnn",
        "facetl.training",
        "facetl.recognition",
        "facetl.experiments",
        "facetl.compat",
    },
}
FREE = {"numpy"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, inside functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    rooms = [room for room in FLOORS if module == room or module.startswith(f"{room}.")]
    assert rooms, f"{module} has no floor; choose one in {Path(__file__).name}"
    return rooms[0]


@pytest.mark.parametrize("module", [name for name in MODULES if name != CATALOGUE])
def test_modules_import_only_from_their_room_and_below(module: str) -> None:
    own = room_of(module)
    for imported in imports_of(MODULES[module]):
        if imported == CATALOGUE or not imported.startswith("facetl."):
            assert imported != CATALOGUE, f"{module} imports the catalogue"
            continue
        room = room_of(imported)
        assert room == own or FLOORS[room] < FLOORS[own], f"{module} imports {imported}"


@pytest.mark.parametrize("module", list(MODULES))
def test_third_party_libraries_are_imported_by_their_owners_alone(module: str) -> None:
    for imported in imports_of(MODULES[module]):
        library = imported.partition(".")[0]
        if library in sys.stdlib_module_names | FREE | {"facetl", "__future__"}:
            continue
        assert library in OWNERS, f"{module} imports {library}, which has no owner yet"
        assert room_of(module) in OWNERS[library], f"{module} imports {library}"


def test_help_loads_nothing_heavy() -> None:
    heavy = [*(set(OWNERS) - {"click"}), "numpy"]
    check = (
        "import sys; from facetl.cli import main; main(['--help'], standalone_mode=False); "
        f"sys.exit(' '.join(m for m in {heavy!r} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "facetl detect episode.mp4" in done.stdout


def test_the_catalogue_is_complete_and_sorted() -> None:
    assert facetl.__all__ == sorted(facetl.__all__)
    assert dir(facetl) == facetl.__all__
    for name in facetl.__all__:
        assert getattr(facetl, name).__doc__, f"{name} has no docstring"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = facetl.nonsense


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        ("raise AttributeError('_ARRAY_API not found')", r"_ARRAY_API not found"),
        ("import os\nos.nothing", r"module 'os' has no attribute 'nothing'"),
        ("raise ImportError('libGL.so.1: cannot open')", r"libGL\.so\.1: cannot open"),
        ("raise RuntimeError('no such processor')", "no such processor"),
    ],
)
def test_an_error_inside_a_broken_library_is_shown(
    broken: str, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not "cannot import name 'Detector' from 'facetl'", which sends one the wrong way."""
    (tmp_path / "broken_home.py").write_text(f"{broken}\nclass Detector: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(facetl._HOMES, "Detector", "broken_home")
    with pytest.raises((ImportError, RuntimeError), match=seen) as raised:
        from facetl import Detector  # noqa: F401
    assert "cannot import name" not in str(raised.value)
