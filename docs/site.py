"""The pages of the site, a hook of ``mkdocs.yml``: those of the repository, and one a module.

A page has the path that it has in the repository, so that its links lead to the same place there
and here.  A module's page has the module's path, made from its docstrings.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import Abort
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from links import broken

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["*.md", "data/*.md", "facetl/cartoons/*.md", "tests/real_exports/*.md", "docs/*.md"]
FILES = ["docs/*.png", "docs/*.jpg", "docs/*.css"]
PACKAGE = "facetl"
NOT_PYTHON = {"cli", "__main__.py"}  # the commands are in docs/commands.md
INDEX = "names.md"
MODULE_LINK = re.compile(r"(\]\((?!\w+:)[^)#]+)\.py\)")


def on_config(config: Any) -> None:
    """Add the modules to the navigation."""
    config.theme.static_templates.discard("404.html")  # for servers; its links are absolute
    rooms: dict[str, list[dict[str, str]]] = {}
    modules = []
    for path in _modules():
        parts = path.parts[1:]
        entry = {_dotted(path): _page(path)}
        if len(parts) > 1:
            rooms.setdefault(f"{PACKAGE}.{parts[0]}", []).append(entry)
        elif path.name != "__init__.py":
            modules.append(entry)
    config.nav.append(
        {
            "Python": [
                {"The public interface": f"{PACKAGE}/__init__.md"},
                {"Index of names": INDEX},
                *({room: pages} for room, pages in rooms.items()),
                *modules,
            ]
        }
    )


def on_files(files: Files, config: Any) -> Files:
    """Return the files of the theme and the plugins, and ours in place of those in ``docs/``."""
    ours = [
        File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path))
        for pattern in PAGES + FILES
        for path in sorted(ROOT.glob(pattern))
    ]
    modules = [
        File.generated(config, _page(path), content=f"::: {_dotted(path)}\n") for path in _modules()
    ]
    index = File.generated(config, INDEX, content="".join(_index_of_names()))
    kept = [file for file in files if file.src_dir != config.docs_dir]
    return Files([*kept, *ours, *modules, index])


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to modules lead to the modules' pages."""
    return MODULE_LINK.sub(r"\1.md)", markdown)


def on_post_build(config: Any) -> None:
    """Fail if a link is broken, those too that mkdocs does not look at.

    Raises:
        Abort: if one is.
    """
    faults = list(broken(Path(config.site_dir)))
    if faults:
        raise Abort("\n".join(["broken links:", *faults]))


def _modules() -> Iterator[Path]:
    """Yield the path of each module of the Python interface, relative to the root."""
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        relative = path.relative_to(ROOT)
        if relative.parts[1] not in NOT_PYTHON:
            yield relative


def _dotted(path: Path) -> str:
    """Return the name of a module."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _page(path: Path) -> str:
    """Return the page of a module."""
    return path.with_suffix(".md").as_posix()


def _index_of_names() -> Iterator[str]:
    """Yield the lines of a page that lists every public class and function by name."""
    found = sorted(
        (node.name, _dotted(path), ast.get_docstring(node) or "")
        for path in _modules()
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    )
    yield "# Index of names\n\n| name | module |\n|---|---|\n"
    for name, module, _ in found:
        yield f"| [`{name}`][{module}.{name}] | [`{module}`][{module}] |\n"
