"""The family of errors: every message says what to do about it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import facetl
from facetl import errors

PACKAGE = Path(facetl.__file__).parent
FAMILY = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
USAGE = {"BadParameter", "UsageError"}

REMEDY = re.compile(r"; |expected|needs|write |^[^a-z]*$", re.DOTALL)
"""How a message leads to its remedy: "found X; do Y", or "found X, expected Y".

Messages without words of their own pass on another error's line, behind a path.
"""


def raised(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text, without the values, of every error of the family that is raised."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            function, message = node.exc.func, node.exc.args[0]
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if name in FAMILY | USAGE and isinstance(message, ast.JoinedStr | ast.Constant):
                yield node.lineno, text_of(message)


def text_of(message: ast.JoinedStr | ast.Constant) -> str:
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_messages_name_the_remedy(path: Path) -> None:
    for line, text in raised(path):
        assert REMEDY.search(text), f"{path}:{line}: {text!r} does not say what to do"


def test_there_are_messages_to_look_at() -> None:
    assert sum(len(list(raised(path))) for path in MODULES) > 80


@pytest.mark.parametrize("text", ["found no image", "none of the frames could be read"])
def test_a_message_without_a_remedy_is_noticed(text: str, tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(f"raise InputError(f'{{path}}: {text}')")
    ((_, found),) = raised(tmp_path / "room.py")
    assert not REMEDY.search(found)
