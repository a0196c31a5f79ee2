"""What facetl asks for: installed as it says, and gone through in docs/security.md."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ALWAYS = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [
    Requirement(text)
    for name, texts in PROJECT["optional-dependencies"].items()
    for text in texts
    if name != "dev"
]
ROW = re.compile(r"^\| ([\w-]+)(?: \(extra `\w+`\))? \| (>=[\d.]+) \|", re.MULTILINE)
"""A dependency and its least version in the table of ``docs/security.md``."""


def least(requirement: Requirement) -> str:
    (bound,) = (str(each) for each in requirement.specifier if each.operator == ">=")
    return bound


@pytest.mark.parametrize("requirement", ALWAYS, ids=lambda each: each.name)
def test_what_is_installed_is_what_is_asked_for(requirement: Requirement) -> None:
    assert requirement.specifier.contains(version(requirement.name), prereleases=True)


@pytest.mark.parametrize("requirement", EXTRAS, ids=lambda each: each.name)
def test_extras_are_installed_as_asked_for_or_not_at_all(requirement: Requirement) -> None:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return
    assert requirement.specifier.contains(found, prereleases=True)


def test_every_dependency_is_gone_through_at_its_least_version() -> None:
    table = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert dict(ROW.findall(table)) == {each.name: least(each) for each in [*ALWAYS, *EXTRAS]}
