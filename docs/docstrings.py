"""A griffe extension for the site: the reST of docstrings becomes Markdown as they are read.

A role becomes a cross-reference, so that one that names nothing fails the build.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

# An attribute has no heading to link to: it is described in its class's "Attributes:".
ATTRIBUTE = re.compile(r":attr:(`[^`]+`)")
ROLE = re.compile(r":(?:class|data|func|meth|mod):`([\w.]+)`")
SHORTENED = re.compile(r":(?:class|data|func|meth|mod):`~([\w.]+)`")
LONE_COLONS = re.compile(r"^ *::\n", re.MULTILINE)
COLONS = re.compile(r"::$", re.MULTILINE)
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


def as_markdown(text: str) -> str:
    """Return a docstring with Markdown in place of reST."""
    text = ATTRIBUTE.sub(r"\1", text)
    text = SHORTENED.sub(lambda role: f"[`{role[1].rpartition('.')[2]}`][{role[1]}]", text)
    text = ROLE.sub(r"[`\1`][\1]", text)
    text = COLONS.sub(":", LONE_COLONS.sub("", text))
    return EXAMPLE.sub("Examples:", text)


class Docstrings(griffe.Extension):
    """Rewrites each docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
