"""Commands made from their requests: an option or argument for each field."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import click
from click.core import ParameterSource

from facetl.cli.input_hints import expecting
from facetl.data.choices import Sampling
from facetl.evaluation.tuning.aims import Aim
from facetl.settings import Allowed, Place, Range, Setting, filled, option_of, settings_of

R = TypeVar("R")

_NUMBERS = {int: "N", float: "NUMBER"}
"""What stands for a number in the help."""
_ANY = -1
"""Stands for any number of values."""
Callback = Callable[[click.Context, click.Parameter, Any], Any]


def _say_missing(param: click.Parameter) -> str | None:
    """Return how to give an option that is missing."""
    if not isinstance(param, click.Option):
        return None
    meaning = (param.help or "").partition(". ")[0].partition(";")[0].rstrip(".")
    return f"Add {param.opts[0]} {param.metavar}: {meaning[:1].lower()}{meaning[1:]}"


class PathType(click.Path):
    """A file or folder that a command reads or writes.

    Args:
        place: what becomes of it.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(path_type=Path, dir_okay=not place.is_file)
        self.place = place

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail where it could not be read again under its name."""
        path: Any = super().convert(value, param, ctx)
        suffix = self.place.suffix
        if suffix and path.suffix != suffix:
            self.fail(f"{path} does not end in {suffix}; choose a name that does", param, ctx)
        return path

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str | None:
        """Return how to give an option that is missing."""
        return _say_missing(param)


class _TextType(click.ParamType):  # type: ignore[type-arg]
    """A text with a meaning.

    Args:
        parse: returns what a text means.
        name: what stands for it in the help.
        complaint: says what is wrong with a value, by an error.
        place: what becomes of the file that it may name, as built-in weights do.
    """

    def __init__(
        self,
        parse: Callable[[str], Any] = str,
        name: str = "text",
        complaint: str = "{error}",
        place: Place | None = None,
    ) -> None:
        self.name, self.place = name, place
        self._parse, self._complaint = parse, complaint

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what a text means, or fail as wrong usage."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(self._complaint.format(value=value, error=error), param, ctx)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str | None:
        """Return how to give an option that is missing."""
        return _say_missing(param)


_MEANT = {
    Sampling: _TextType(Sampling.parse, "frequency"),
    Aim: _TextType(Aim.parse, "aim", "found {value!r}, {error}."),
}
"""How values of a class are typed."""


class Named(NamedTuple):
    """A file or folder, and what it is called in results."""

    name: str
    place: str | Path


def split_name(value: str) -> tuple[str, str]:
    """Split ``NAME=PLACE``; the name is empty where there is none.

    An ``=`` behind a slash belongs to the path: ``runs/lr=0.1/cascade.safetensors``.
    """
    name, equals, place = value.partition("=")
    return (name, place) if equals and "/" not in name else ("", value)


def parse_weights(value: str) -> Named:
    """Return the weights that ``NAME=FILE`` means; without a name a run is called after its file.

    Raises:
        ValueError: if there is no name, no file, or the name cannot be a file's.
    """
    name, source = split_name(value)
    named = Named(name or Path(source).stem, source)
    if not all(named) or value.startswith("=") or Path(named.name).name != named.name:
        raise ValueError(f"found {value!r}, expected NAME=FILE")
    return named


class FiniteRange(click.FloatRange):
    """A range of numbers that, unlike click's own, lets neither ``nan`` nor ``inf`` through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail as wrong usage."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number; give one like 0.5.", param, ctx)
        return number


class Command(click.Command):
    """A command whose help begins with what everybody needs: examples, and everyday options.

    What stands under "In detail:" in its help text, and all other options, follow below.

    Args:
        everyday: how many of the parameters come first.
        **settings: click's own.
    """

    def __init__(self, everyday: int, **settings: Any) -> None:
        super().__init__(**settings)
        self._everyday = everyday
        self._opening, _, self._details = (self.help or "").partition("\n\nIn detail:\n\n")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, and its examples."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(self._opening)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the everyday options, the details, and all other options."""
        *params, help_option = self.get_params(ctx)
        everyday, more = params[: self._everyday], params[self._everyday :]
        _write_options("Options", [*everyday, help_option], ctx, formatter)
        if self._details:
            with formatter.section("In detail"):
                formatter.write_text(self._details)
        _write_options("More options", more, ctx, formatter)


def _write_options(
    title: str,
    parameters: Sequence[click.Parameter],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    options = (each for each in parameters if isinstance(each, click.Option))
    records = [record for each in options if (record := each.get_help_record(ctx))]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def command(
    request: type[R],
    short_help: str,
    order: str = "...",
    *,
    parse: Mapping[str, Callable[[str], Any]] | None = None,
    callbacks: Mapping[str, Callback] | None = None,
    **fixed: Any,
) -> Callable[[Callable[[R], None]], click.Command]:
    """Return what makes a command of a function that takes a request.

    Args:
        request: the class; what its fields say of themselves become options and arguments.
        short_help: a line for the list of commands.
        order: names of fields in the order of their options; ``...`` stands for all others.  The
            options before a ``|`` are the everyday ones; without it, all are.
        parse: what the texts for a field mean, where its type does not say.
        callbacks: functions for click that look at the values for a field, or replace them.
        **fixed: values of fields that have no option, or whose parts have.
    """
    made = dict(_parameters(request, fixed, parse or {}, callbacks or {}))
    names = _in_order(list(made), order.split())
    everyday = names.index("|") if "|" in names else len(names)

    def decorate(run: Callable[[R], None]) -> click.Command:
        return Command(
            everyday,
            name=run.__name__.replace("_", "-"),
            params=[made[name] for name in names if name in made],
            callback=lambda **given: run(_request(request, fixed, given)),
            help=inspect.cleandoc(run.__doc__ or ""),
            short_help=short_help,
        )

    return decorate


def _in_order(names: Sequence[str], order: Sequence[str]) -> list[str]:
    others = [name for name in names if name not in order]
    return [each for name in order for each in (others if name == "..." else [name])]


def _parameters(
    settings: Any,
    fixed: Mapping[str, Any],
    parse: Mapping[str, Callable[[str], Any]],
    callbacks: Mapping[str, Callback],
) -> Iterator[tuple[str, click.Parameter]]:
    """Yield what fields become on the command line, by their names: of a class, or of settings.

    The values of settings are the defaults; for the rest see :func:`command`.
    """
    hints = get_type_hints(settings if isinstance(settings, type) else type(settings))
    for name, entry, default in _fields(settings, fixed):
        if entry:
            look = callbacks.get(name) or (expecting(entry.expects) if entry.expects else None)
            yield name, _parameter(name, hints[name], entry, default, parse.get(name), look)
        elif is_dataclass(default):
            yield from _parameters(default, {}, parse, callbacks)


def _request(kind: type[R], fixed: Mapping[str, Any], given: Mapping[str, Any]) -> R:
    """Return a request with what was given by hand or is the command line's own default."""
    values = dict(fixed)
    for name, entry, default in _fields(kind, fixed):
        if entry:
            if name in given and (entry.usual is None or is_given(name)):
                values[name] = dict(given[name]) if isinstance(default, dict) else given[name]
        elif is_dataclass(default):
            values[name] = filled(default, given)
    return kind(**values)


def _fields(settings: Any, fixed: Mapping[str, Any]) -> Iterator[tuple[str, Setting | None, Any]]:
    """Yield the name of each field, what it says of itself, and its value or default."""
    entries = settings_of(settings)
    for own in fields(settings):
        made = own.default if own.default_factory is MISSING else own.default_factory()
        usual = made if isinstance(settings, type) else getattr(settings, own.name)
        yield own.name, entries.get(own.name), fixed.get(own.name, usual)


def _parameter(
    name: str,
    hint: Any,
    entry: Setting,
    default: Any,
    parse: Callable[[str], Any] | None,
    callback: Callback | None,
) -> click.Parameter:
    """Return what a field becomes on the command line."""
    hint, count = _items_of(hint)
    place = entry.allowed if isinstance(entry.allowed, Place) else None
    default = default if entry.usual is None else entry.usual
    flag = entry.option(name)
    if hint is bool and default is not False:
        flag += f"/--no-{flag.removeprefix('--')}"
    settings: dict[str, Any] = {
        "type": _TextType(parse, place=place) if parse else _type_of(hint, count, entry.allowed),
        "callback": callback,
        "metavar": entry.metavar or _NUMBERS.get(hint),
        "required": default is MISSING and not entry.shown_default,
    }
    if entry.is_argument:
        return click.Argument([name], nargs=-1 if count == _ANY else 1, **settings)
    if hint is bool or default not in (MISSING, None, ()):
        settings["default"] = default
    return click.Option(
        [flag, name],
        is_flag=hint is bool or None,  # False would let an option go without its value
        multiple=count == _ANY,
        show_default=entry.shown_default,
        help=entry.help or None,
        **settings,
    )


def _items_of(hint: Any) -> tuple[Any, int]:
    """Return of which type are the values that a type has, and how many; None does not count."""
    kinds = [each for each in get_args(hint) if each is not NoneType]
    if get_origin(hint) in (Union, UnionType) and len(kinds) == 1:
        return _items_of(kinds[0])
    if get_origin(hint) in (Sequence, Mapping) or Ellipsis in kinds:
        return kinds[0], _ANY
    return (kinds[0], len(kinds)) if get_origin(hint) is tuple else (hint, 1)


def _type_of(hint: Any, count: int, allowed: Allowed) -> Any:
    """Return click's type for so many values of a type."""
    if count > 1:
        return (_type_of(hint, 1, allowed),) * count
    if isinstance(allowed, Place):
        return PathType(allowed) if hint is Path else _TextType(place=allowed)
    if isinstance(allowed, Range):
        limits: Any = (allowed.least, allowed.most, allowed.above, allowed.below)
        return click.IntRange(*limits) if hint is int else FiniteRange(*limits)
    if get_origin(hint) is Literal or allowed:
        return click.Choice(allowed or get_args(hint))
    return _MEANT.get(hint)


def is_given(option: str) -> bool:
    """Return whether an option of the running command was given by hand."""
    source = click.get_current_context().get_parameter_source(option)
    return source is ParameterSource.COMMANDLINE


def refuse_idle(request: Any, why: str, *names: str) -> None:
    """Refuse options that were given by hand and would have no effect.

    Args:
        request: whose options they are.
        why: says why not, and the way out; the option's name goes before.
        names: of the fields.

    Raises:
        click.UsageError: naming the first of them.
    """
    for name in names:
        if is_given(name):
            raise click.UsageError(f"{option_of(request, name)} {why}")


def require_one_place(paths: Sequence[Path], name: str, goes: str) -> None:
    """Refuse to choose a place beside what was given, where there is none or no single one.

    Args:
        paths: what was given, at least one.
        name: the argument's.
        goes: what is to be placed, and the verb.
    """
    path = paths[0]
    if len(paths) > 1:
        raise click.UsageError(f"found several {name}; say with --out where {goes}")
    if path.name in ("", "..") or not os.access(path.parent, os.W_OK):
        why = f"nothing can be written beside {path}"
        raise click.UsageError(f"{why}; say with --out where {goes}")
