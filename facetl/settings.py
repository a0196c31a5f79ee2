"""What the fields of settings classes say of themselves: what they mean and what they may be.

A default, a help text and a range stand once, at the field.  The class refuses other values, and
the command line makes an option of the field.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass, replace
from numbers import Real
from typing import Any, TypeVar

T = TypeVar("T")

_KEY = "setting"


@dataclass(frozen=True)
class Range:
    """Finite numbers within limits.

    Attributes:
        least: the least of them; None if there is no such limit.
        most: the greatest of them; None if there is no such limit.
        above: whether ``least`` itself is excluded.
        below: whether ``most`` itself is excluded.
    """

    least: float | None = None
    most: float | None = None
    above: bool = False
    below: bool = False

    def __contains__(self, value: Any) -> bool:
        is_number = isinstance(value, Real) and not isinstance(value, bool)  # JSON has others too
        if not is_number or not abs(value) <= sys.float_info.max:
            return False
        high = self.least is None or (value > self.least if self.above else value >= self.least)
        low = self.most is None or (value < self.most if self.below else value <= self.most)
        return high and low

    def __str__(self) -> str:
        if self.most is None:
            return f"above {self.least:g}" if self.above else f"{self.least:g} or more"
        if not (self.above or self.below):
            return f"{self.least:g} to {self.most:g}"
        first = "above" if self.above else "at least"
        last = "below" if self.below else "at most"
        return f"{first} {self.least:g}, {last} {self.most:g}"


SHARE = Range(0, 1)
POSITIVE_SHARE = Range(0, 1, above=True)
POSITIVE = Range(0, above=True)
NOT_NEGATIVE = Range(0)
AT_LEAST_ONE = Range(1)


@dataclass(frozen=True)
class Place:
    """A file or folder that a command reads or writes; its manifest tells what was in it.

    Attributes:
        is_written: whether it is written, not read.
        is_file: whether it can only mean a file.
        suffix: what a name must end in under which it could be read again.
        is_beside: whether the command writes beside it, or into it, where it has no ``--out``.
    """

    is_written: bool = False
    is_file: bool = False
    suffix: str = ""
    is_beside: bool = False


READ = Place()
READ_BESIDE = Place(is_beside=True)
WRITE = Place(is_written=True)
WRITE_WEIGHTS = Place(is_written=True, is_file=True, suffix=".safetensors")

REQUIRED: Any = MISSING
"""The default of a field that has none."""

Allowed = Range | Place | tuple[str, ...] | None


@dataclass(frozen=True)
class Setting:
    """What a field says of itself.

    Attributes:
        help: what it means, for the command line.
        allowed: the range of a number, or of each number of a tuple; the choices of a word; where
            a path or the name of a file leads.
        metavar: what stands for the value in the help.
        shown_default: what the help shows as the default, where it is not the field's own.
        flag: the option, where it is not named like the field.
        usual: what the command line has as the default, where the field has another one that
            stands for it.
        expects: what a path shall be, a key of ``facetl.cli.input_hints.REMEDIES``.
        is_argument: whether it is no option, but goes by its place.
    """

    help: str = ""
    allowed: Allowed = None
    metavar: str | None = None
    shown_default: str | None = None
    flag: str | None = None
    usual: Any = None
    expects: str = ""
    is_argument: bool = False

    def option(self, name: str) -> str:
        """Return the option that the field of a name is on the command line."""
        return self.flag or f"--{name.replace('_', '-')}"


def setting(default: T, help: str = "", allowed: Allowed = None, **more: Any) -> T:
    """Return a field of a settings class with what it says of itself.

    Args:
        default: its default, or :data:`REQUIRED`.
        help: see :class:`Setting`, as for what follows.
        allowed: what it may be.
        **more: the other attributes.
    """
    usual: Any = {"default": default}
    if isinstance(default, dict):
        usual = {"default_factory": default.copy}
    made: T = field(metadata={_KEY: Setting(help, allowed, **more)}, **usual)
    return made


def like(settings: type, name: str, **changes: Any) -> Any:
    """Return a field that is like one of other settings.

    Args:
        settings: their class.
        name: of the field.
        **changes: its default, or attributes of :class:`Setting`, where they differ.
    """
    (own,) = (each for each in fields(settings) if each.name == name)
    default = changes.pop("default", own.default)
    return field(default=default, metadata={_KEY: replace(own.metadata[_KEY], **changes)})


def settings_of(settings: Any) -> dict[str, Setting]:
    """Return what the fields of a settings class say of themselves, by their names."""
    return {each.name: each.metadata[_KEY] for each in fields(settings) if _KEY in each.metadata}


def option_of(settings: Any, name: str) -> str:
    """Return the option that a field is on the command line."""
    return settings_of(settings)[name].option(name)


def as_json(settings: Any, later: Collection[str]) -> dict[str, Any]:
    """Return the fields of settings as plain values, for a file's metadata.

    Those of ``later``, which earlier versions did not have, are left out where they are 0 or false,
    as everything was then: what such a version began can so be resumed.
    """
    values = asdict(settings)
    return {name: value for name, value in values.items() if value or name not in later}


def find_fault(settings: Any) -> str | None:
    """Return what is wrong with the first value that is not allowed, None if all are."""
    for each in fields(settings):
        allowed = each.metadata[_KEY].allowed if _KEY in each.metadata else None
        value = getattr(settings, each.name)
        if allowed and (expected := _expected(each, allowed, value)):
            return f"found {each.name} {value!r}, expected {expected}"
    return None


def filled(settings: T, given: Mapping[str, Any]) -> T:
    """Return settings with the values that are given by their names, those in parts of it too."""
    changes: dict[str, Any] = {}
    for each in fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, each.name)
        if is_dataclass(value):
            changes[each.name] = filled(value, given)
        elif each.name in given:
            changes[each.name] = given[each.name]
    return replace(settings, **changes)  # type: ignore[type-var]


def _expected(own: Field[Any], allowed: Any, value: Any) -> str | None:
    """Return what was expected of a value that is not allowed, None if it is."""
    if isinstance(allowed, tuple):
        return None if value in allowed else f"one of {', '.join(allowed)}"
    if isinstance(own.default, tuple):
        count = len(own.default)
        kept = len(value) == count and all(each in allowed for each in value)
        return None if kept else f"{count} numbers, {allowed}"
    return None if value in allowed else str(allowed)
