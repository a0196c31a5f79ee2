"""The documents tell the truth: help blocks are current, and every example parses.

After changing a command, ``python tests/test_docs.py`` updates the help blocks.
"""

import inspect
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from commands import parse
from drawn_videos import pictures, write_video

from facetl.cartoons.frame import draw_frame
from facetl.cli import main
from facetl.data.forgetting import PORTRAIT
from facetl.data.images import load_image, save_image

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "data/README.md",
    ROOT / "facetl/cartoons/README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
HELP_BLOCK = re.compile(r"```text\n\$ (facetl[a-z -]*--help)\n(.*?)```", re.DOTALL)
CONSOLE_BLOCK = re.compile(r"```(?:console|bash|sh)\n(.*?)```", re.DOTALL)
WIDTH = 92
broken_links = runpy.run_path(str(ROOT / "docs/links.py"))["broken"]


def help_text(command_line: str, width: int = WIDTH) -> str:
    """Return what a ``facetl … --help`` prints."""
    widths: dict[str, Any] = {"max_content_width": width, "terminal_width": width}
    context = click.Context(main, info_name="facetl", **main.context_settings, **widths)
    command: click.Command = main
    for name in shlex.split(command_line)[1:-1]:
        command = main.commands[name]
        context = click.Context(command, info_name=name, parent=context, **widths)
    return command.get_help(context) + "\n"


def examples(text: str) -> Iterator[list[str]]:
    """Yield the arguments of every facetl command in the console blocks of a document."""
    for block in CONSOLE_BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["facetl"]:
                yield words[1:]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_parses(path: Path) -> None:
    for arguments in examples(path.read_text(encoding="utf-8")):
        parse(*arguments)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_help_blocks_are_current(path: Path) -> None:
    for command_line, shown in HELP_BLOCK.findall(path.read_text(encoding="utf-8")):
        assert shown == help_text(command_line), f"run python {Path(__file__).name}"


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    shown = {command_line for command_line, _ in HELP_BLOCK.findall(text)}
    assert shown == {"facetl --help", *(f"facetl {name} --help" for name in main.commands)}


def test_the_readme_shows_every_command() -> None:
    used = {arguments[0] for arguments in examples((ROOT / "README.md").read_text("utf-8"))}
    assert used >= set(main.commands)


def help_examples(command: click.Command) -> list[str]:
    """Return the lines of the block in a command's help that is headed "Example" or "Examples"."""
    text = inspect.cleandoc(command.help or "")
    _, *blocks = re.split(r"\nExamples?:\n", text, maxsplit=1)
    return [line.strip() for block in blocks for line in block.partition("\n\n")[0].splitlines()]


@pytest.mark.parametrize("name", list(main.commands))
def test_the_help_of_every_command_has_examples_that_parse(name: str) -> None:
    shown = help_examples(main.commands[name])
    commands = [
        words for line in shown if (words := shlex.split(line, comments=True))[0] == "facetl"
    ]
    assert name in [command for _, command, *_ in commands], f"facetl {name} shows no example"
    for words in commands:
        parse(*words[1:])
    for line in shown:
        # Rewrapped it could not be pasted.
        assert f"    {line}\n" in help_text(f"facetl {name} --help")


EXPERT = re.compile(
    r"\b(?<!-)[pro]net|MTCNN|cascade|\bIoU|regulari|cross-entropy|smooth L1|mining|pyramid|"
    r"threshold|\bAP\b|average precision|near-dup|hyper|\bepoch|fine-tun|INTEGER|FLOAT",
    re.IGNORECASE,
)
"""What nobody has to know who has a video."""


@pytest.mark.parametrize("name", ["", *main.commands])
def test_the_first_screen_is_for_everybody(name: str) -> None:
    """24 lines of 80 columns say what a command does and show one that works."""
    screen = help_text(f"facetl {name} --help", 80).splitlines()[:24]
    assert any(line.startswith(f"    facetl {name}") for line in screen)
    assert "Options:" in screen
    prose = [line for line in screen if not line.startswith("    facetl ")]
    found = [line for line in prose[: prose.index("Options:")] if EXPERT.search(line)]
    assert not found


def test_everyday_options_come_before_the_details_and_all_others() -> None:
    text = help_text("facetl train --help")
    order = ["--budget", "In detail:", "cascade of", "More options:", "--regulariser"]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert text.index("--help ") < places[1]
    for option in main.commands["train"].params:
        assert not isinstance(option, click.Option) or text.count(f"\n  {option.opts[0]}") == 1


def test_the_main_help_shows_every_command_once() -> None:
    lines = help_text("facetl --help").partition("Options:")[2].splitlines()
    shown = [line.split()[0] for line in lines if re.match(r"  [a-z]", line)]
    assert sorted(shown) == sorted(main.commands)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell: str) -> None:
    command = [sys.executable, "-m", "facetl"]
    environment = {**os.environ, "_FACETL_COMPLETE": f"{shell}_source"}
    if shell == "bash" and not shutil.which("bash"):
        pytest.skip("click asks bash for its version")
    script = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert f"_FACETL_COMPLETE={shell}_complete" in script.stdout
    documented = (ROOT / "docs/commands.md").read_text("utf-8")
    assert f"_FACETL_COMPLETE={shell}_source facetl" in documented


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("facetl eva", ["plain,evaluate"]),
        ("facetl detect --engine h", ["plain,half"]),
        ("facetl explain --ag", ["plain,--against"]),
        ("facetl explain fra", ["file,fra"]),
    ],
)
def test_a_word_is_completed(typed: str, expected: list[str]) -> None:
    words = typed.split()
    environment = {
        **os.environ,
        "_FACETL_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-m", "facetl"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == expected


PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("code", PYTHON_BLOCK.findall((ROOT / "README.md").read_text("utf-8")))
def test_the_readmes_python_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_image(Path("frame.jpg"), draw_frame(seed=1, part="test", index=0).image)
    save_image(Path("photo.png"), load_image(PORTRAIT))
    write_video(Path("episode.mp4"), pictures(2, 8))
    names: dict[str, Any] = {}
    exec(code, names)
    found = names.get("boxes", names["found"].boxes if "found" in names else None)
    assert found is not None
    assert len(found) > 0


def test_links_lead_somewhere() -> None:
    for path in DOCUMENTS:
        assert "@@" not in path.read_text(encoding="utf-8"), f"{path} has a gap"
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert "://" in target or (path.parent / target).exists(), f"{path}: {target}"


def site_with(folder: Path, body: str) -> Path:
    """Write a site of two pages, of which the first has this body, and return its folder."""
    (folder / "more").mkdir(parents=True)
    (folder / "index.html").write_text(f"<h1 id=top>facetl</h1>{body}", encoding="utf-8")
    (folder / "more/page.html").write_text("<h2 id='part two'>Two</h2>", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "body",
    [
        "<a href='more/page.html'>",
        "<a href='more/page.html#part%20two'>",
        "<a href='#top'>",
        "<a href='https://example.org/#nowhere'>",
        "<img src='data:image/png;base64,AAAA'>",
    ],
)
def test_the_site_may_link_to(tmp_path: Path, body: str) -> None:
    assert list(broken_links(site_with(tmp_path, body))) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<a href='more/none.html'>", "more/none.html does not exist"),
        ("<a href='more'>", "more does not exist"),
        ("<a href='more/page.html#three'>", "more/page.html#three has no such anchor"),
        ("<a href='#three'>", "#three has no such anchor"),
        ("<script src='https://example.org/a.js'>", "https://example.org/a.js is loaded from the"),
        ("<link href='//example.org/a.css'>", "//example.org/a.css is loaded from the network"),
    ],
)
def test_the_site_must_not_link_to(tmp_path: Path, body: str, fault: str) -> None:
    (found,) = broken_links(site_with(tmp_path, body))
    assert found.startswith(f"index.html: {fault}")


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    for path in [*DOCUMENTS, ROOT / "CHANGELOG.md"]:
        assert f" {path.relative_to(ROOT)}\n" in navigation, f"{path} is not in mkdocs.yml"


def refresh() -> None:
    """Update every help block."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        fresh = HELP_BLOCK.sub(lambda m: f"```text\n$ {m[1]}\n{help_text(m[1])}```", text)
        path.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    refresh()
