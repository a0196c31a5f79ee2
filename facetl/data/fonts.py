"""Which installed fonts have the letters of a text; and matplotlib, which knows the fonts.

matplotlib is imported here first, whatever the user's own settings for plots are.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from facetl.errors import InputError

_USUAL = "DejaVu Sans"
"""The font that comes with matplotlib: Latin, Greek, Cyrillic, Arabic, Hebrew, symbols."""
_WELL_KNOWN = (
    *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "Hiragino Sans", "Yu Gothic"),
    *("Meiryo", "MS Gothic", "IPAexGothic", "IPAGothic", "Noto Sans CJK SC", "Noto Sans SC"),
    *("PingFang SC", "Microsoft YaHei", "SimHei", "WenQuanYi Zen Hei", "Noto Sans CJK KR"),
    *("Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", "NanumGothic"),
)
"""Looked at first, in this order; fonts of other names after them."""


@contextmanager
def quiet_matplotlib() -> Iterator[None]:
    """Suppress matplotlib's warnings of missing letters, narrow places and settings files."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def load_matplotlib() -> ModuleType:
    """Import matplotlib, even if the user's settings would keep it from being imported.

    An unknown backend in ``MPLBACKEND`` is ignored, as is a settings file that cannot be read.
    Valid settings hold: they are the user's own.

    Raises:
        InputError: if it cannot be imported at all.
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        with quiet_matplotlib():
            module = _import_or_without_file()
    except Exception as error:  # missing libraries, places that cannot be written
        raise InputError(
            f"matplotlib cannot be loaded ({type(error).__name__}: {error}); install it again"
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            module.rcParams["backend"] = backend
    return module


def _import_or_without_file() -> ModuleType:
    """Import matplotlib; if that fails, where its own settings file is the first that it finds."""
    try:
        import matplotlib
    except Exception:
        spec = find_spec("matplotlib")
        if spec is None or not spec.submodule_search_locations:
            raise
        for name in [each for each in sys.modules if each.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        with contextlib.chdir(Path(spec.submodule_search_locations[0]) / "mpl-data"):
            import matplotlib
    return matplotlib


def fallback_families(texts: Iterable[str]) -> list[str]:
    """Return the installed fonts to draw the letters with that ``_USUAL`` lacks.

    Letters that no font has are left out.
    """
    missing = _letters(texts)
    if missing:
        missing -= _letters_of(_USUAL)
    families: list[str] = []
    while missing and (best := _choose(missing)):
        families.append(best)
        missing -= _letters_of(best)
    return families


def font_file(text: str) -> tuple[str, int] | None:
    """Return the font that has most letters of a text, as its file and its number in there.

    None if the text is ASCII, for which any font will do, or if there is no font.
    """
    letters = _letters([text])
    with quiet_matplotlib(), contextlib.suppress(InputError):  # a text is not worth an error
        if letters and (path := _find(_best_family(letters))):
            return str(path), getattr(path, "face_index", 0)
    return None


def _best_family(letters: set[int]) -> str:
    """Return the font that has most of the letters, ``_USUAL`` unless another has more."""
    best = None if letters <= _letters_of(_USUAL) else _choose(letters)
    most = len(letters & _letters_of(best)) if best else 0
    return best if best and most > len(letters & _letters_of(_USUAL)) else _USUAL


def _letters(texts: Iterable[str]) -> set[int]:
    return {ord(letter) for text in texts if not text.isascii() for letter in text}


def _choose(letters: set[int]) -> str | None:
    """Return the first family that has all letters, else the one with most; None with none."""
    best, most = None, 0
    for family in _families():
        count = len(letters & _letters_of(family))
        if count > most:
            best, most = family, count
        if most == len(letters):
            break
    return best


def _families() -> list[str]:
    """Return the names of all fonts that are installed, well-known ones first.

    Not that of the last resort, which has a box for every letter there is.
    """
    names = {entry.name for entry in _manager().ttflist}
    installed = {name for name in names if not name.startswith("Last Resort")}
    known = [name for name in _WELL_KNOWN if name in installed]
    return [*known, *sorted(installed - set(known))]


def _manager() -> Any:
    load_matplotlib()
    with quiet_matplotlib():
        from matplotlib import font_manager
    return font_manager.fontManager


def _find(family: str) -> Any:
    """Return the file that matplotlib draws a family with, None if it cannot."""
    manager = _manager()
    from matplotlib.font_manager import FontProperties

    try:
        return manager.findfont(FontProperties(family=[family]), fallback_to_default=False)
    except ValueError:
        return None


@cache
def _letters_of(family: str) -> frozenset[int]:
    """Return the letters that a family has; none of those made of bitmaps, or that are damaged."""
    path = _find(family)
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError, TypeError, ValueError):
        return frozenset()
