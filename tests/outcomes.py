"""How a command may end, asserted in one place."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from click.testing import Result

from facetl.files import atomic_path, folder_in_place
from facetl.manifests.manifest import load_manifest

PATIENCE = 1800
"""Seconds after which what a test waits for has hung, however busy the machine is."""


def success(result: Result) -> Result:
    """Return the result of a command that must end well."""
    assert result.exit_code == 0, result.output
    return result


def complaint(result: Result) -> str:
    """Return the one line of complaint of a command that must end with exit code 1."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    complaints = [line for line in result.stderr.splitlines() if line.startswith("facetl: ")]
    assert len(complaints) == 1
    return complaints[0]


def assert_refused(result: Result, *parts: str) -> None:
    """Assert that the command said why not, in one line and no other."""
    line = complaint(result)
    assert result.stderr == f"{line}\n"
    for part in parts:
        assert part in line


def cannot_draw(*_: object, **__: object) -> NoReturn:
    """Stand in for what draws, and fail as libraries do."""
    raise RuntimeError("no font")


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, hidden ones too; of manifests the marks of all outputs.

    What else stands in a manifest tells how the command was typed: with --resume or without.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    held = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    for name in held:
        if Path(name).name == "manifest.json":
            outputs = load_manifest((folder / name).parent).outputs
            held[name] = repr(sorted(outputs.items())).encode()
    return held


def left_in(folder: Path) -> list[str]:
    """Return what a command left in a folder beside its manifest, which must be there."""
    names = sorted(path.name for path in folder.iterdir())
    assert "manifest.json" in names
    return [name for name in names if name != "manifest.json"]


def half_written(place: Path, *, folder: bool = False) -> Path:
    """Make what a command that was killed leaves of a file or a folder."""
    writing = folder_in_place(place) if folder else atomic_path(place)
    with writing as temporary:
        name = temporary.name
    left = place.parent / name
    left.mkdir() if folder else left.write_text("half")
    if folder:
        (left / "a.png").touch()
        place.rmdir()
    else:
        place.unlink()
    return left
