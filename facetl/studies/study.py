"""What a study compares: read from a small TOML file, unfolded into cells.

::

    description = "Is an anchor better than none?"
    stages = ["pnet"]               # or "rnet", "onet", "cascade": all three, each on the others
    frames = [25, 100, "all"]       # how many to learn from, drawn by the seed
    seeds = [1, 2, 3]
    starts = ["pretrained"]         # or "shuffled", "inverted": an inappropriate start

    [epochs]                        # of each stage; the usual ones if left out
    pnet = 10

    [[methods]]                     # every combination of what is in lists
    regulariser = ["l2", "l2-sp"]
    alpha = [0.01, 0.1]

A method names attributes of :class:`facetl.training.transfer.Transfer`.  Plain fine-tuning is
always among the methods: it is what the others are compared with.  All methods have as many
epochs; ``phase_epochs`` tells in what ratio ``gradual`` divides them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from facetl.errors import InputError
from facetl.mtcnn.networks import STAGES, Stage, build_network
from facetl.training.regularisers import feature_layers
from facetl.training.settings import STAGE_SETTINGS
from facetl.training.transfer import Transfer

Target = Literal["pnet", "rnet", "onet", "cascade"]
Start = Literal["pretrained", "shuffled", "inverted"]
PLAIN = Transfer()
"""Plain fine-tuning: everything learns, nothing is held."""

BUILT_IN = Path(__file__).with_name("built_in")
_KEYS = {"description", "stages", "frames", "seeds", "starts", "epochs", "methods"}


@dataclass(frozen=True)
class Cell:
    """One training and its figures.

    Attributes:
        target: what is trained by the method; a stage learns behind plainly tuned ones.
        start: what the weights come from.
        frames: how many frames are learnt from, 0 for all.
        seed: of all chance, the draw of the frames included.
        method: how the weights are transferred.
    """

    target: Target
    start: Start
    frames: int
    seed: int
    method: Transfer = PLAIN

    @property
    def name(self) -> str:
        """How the cell's files are called."""
        count = f"{self.frames}f" if self.frames else "all"
        return f"{self.target}_{self.start}_{count}_seed{self.seed}_{slug(self.method)}"


@dataclass(frozen=True)
class Study:
    """What is compared with what.

    Attributes:
        name: of the file, without its ending.
        description: one sentence.
        targets: what is trained.
        starts: from what.
        frames: numbers of frames, 0 for all.
        seeds: at least one.
        methods: ways of transferring; the plain one is first.
        epochs: of each stage.
    """

    name: str
    description: str
    targets: tuple[Target, ...]
    starts: tuple[Start, ...]
    frames: tuple[int, ...]
    seeds: tuple[int, ...]
    methods: tuple[Transfer, ...]
    epochs: Mapping[Stage, int] = field(default_factory=dict)

    def fitted(self, available: int) -> Study:
        """Return the study for so many frames: counts that there aren't become all of them."""
        frames = tuple(dict.fromkeys(n if n < available else 0 for n in self.frames))
        return replace(self, frames=frames)

    @property
    def cells(self) -> list[Cell]:
        """All cells, those of few frames first.

        From scratch there is no start to be inappropriate: such cells are among the others once.
        """
        cells = [
            Cell(target, _start_of(method, start), frames, seed, method)
            for frames in sorted(self.frames, key=lambda count: count or float("inf"))
            for target, start, method, seed in product(
                self.targets, self.starts, self.methods, self.seeds
            )
        ]
        return list(dict.fromkeys(cells))


def _start_of(method: Transfer, start: Start) -> Start:
    return "pretrained" if method.strategy == "scratch" else start


def built_in_studies() -> list[str]:
    """Return the names of the studies that come with facetl."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def load_study(source: str | Path) -> Study:
    """Read a study by the name of a built-in one, or from a TOML file.

    Raises:
        InputError: naming the file and what is wrong in it.
    """
    built_in = BUILT_IN / f"{source}.toml"
    path = built_in if str(source) in built_in_studies() else Path(source)
    if not path.is_file():
        raise InputError(
            f"{source}: no such study; give a .toml file or one of {', '.join(built_in_studies())}"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return _parse(path.stem, content)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as TOML ({error}); mend the file") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def slug(method: Transfer) -> str:
    """Return a short name of a method, fit for a file: what it has otherwise than plain tuning."""
    words = [method.strategy, *(f"{short}{value}" for short, value in _details(method))]
    return "-".join(word.replace(" ", "").replace(",", "+") for word in words)


def describe_method(method: Transfer) -> str:
    """Return a short name of a method for people: ``head``, ``l2-sp α 0.1, dtnh``."""
    if method == PLAIN:
        return "plain fine-tuning"
    details = dict(_details(method))
    parts: list[str] = [] if method.strategy == "full" else [method.strategy]
    if method.reset_head:
        parts.append("new head")
    if method.holds:
        beta = f" β {details['b']}" if "b" in details else ""
        parts.append(f"{method.regulariser} α {details['a']}{beta}")
    parts += [f"{_WORDS[short]} {value}" for short, value in details.items() if short in _WORDS]
    if method.gradient_rule != "sum":
        parts.append(method.gradient_rule)
    return ", ".join(parts)


_WORDS = {"d": "decay", "layers": "on", "epochs": "epochs", "rates": "rates"}


def _details(method: Transfer) -> Iterator[tuple[str, str]]:
    """Yield what tells methods apart, with a short name each."""
    if method.reset_head:
        yield "newhead", ""
    if method.holds:
        yield "", method.regulariser
        yield "a", f"{method.alpha:.12g}"
        if method.regulariser == "l2-sp" and method.reset_head:
            yield "b", f"{method.beta:.12g}"
        if method.decay != 1:
            yield "d", f"{method.decay:.12g}"
        if method.feature_layers:
            yield "layers", "+".join(method.feature_layers)
        if method.gradient_rule != "sum":
            yield "", method.gradient_rule
    if method.strategy == "gradual":
        if method.phase_epochs != PLAIN.phase_epochs:
            yield "epochs", "+".join(map(str, method.phase_epochs))
        if method.phase_rates != PLAIN.phase_rates:
            yield "rates", "+".join(f"{rate:.12g}" for rate in method.phase_rates)


def _parse(name: str, content: Mapping[str, Any]) -> Study:
    if unknown := content.keys() - _KEYS:
        raise InputError(
            f"found the key {sorted(unknown)[0]!r}, expected some of {', '.join(sorted(_KEYS))}"
        )
    targets = _choices("stages", content, ("pnet",), get_args(Target))
    methods = _unfold(content.get("methods", []))
    for method, target in product(methods, targets):
        _check_layers(method, target)
    return Study(
        name=name,
        description=_text(content.get("description", "")),
        targets=targets,
        starts=_choices("starts", content, ("pretrained",), get_args(Start)),
        frames=tuple(_frames(count) for count in _list("frames", content, ["all"])),
        seeds=tuple(_whole("seeds", seed, 0) for seed in _list("seeds", content, [1, 2, 3])),
        methods=methods,
        epochs=_epochs(content.get("epochs", {})),
    )


def _check_layers(method: Transfer, target: Target) -> None:
    """Raise if a method would hold feature maps that a target does not have."""
    for stage in STAGES if target == "cascade" else (target,):
        feature_layers(build_network(stage), stage, method)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"found the description {value!r}, expected a text in quotes")
    return value


def _list(key: str, content: Mapping[str, Any], otherwise: list[Any]) -> list[Any]:
    """Return a list without repetitions that is not empty."""
    values = content.get(key, otherwise)
    if not isinstance(values, list) or not values:
        raise InputError(f"found {key} = {values!r}, expected a list with at least one entry")
    return [value for place, value in enumerate(values) if value not in values[:place]]


def _choices(
    key: str, content: Mapping[str, Any], otherwise: Sequence[str], known: Sequence[str]
) -> tuple[Any, ...]:
    values = _list(key, content, list(otherwise))
    for value in values:
        if value not in known:
            raise InputError(f"found {value!r} in {key}, expected some of {', '.join(known)}")
    return tuple(values)


def _whole(key: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"found {value!r} in {key}, expected a whole number from {least} on")
    return value


def _frames(count: Any) -> int:
    return 0 if count == "all" else _whole("frames", count, 2)


def _epochs(content: Any) -> dict[Stage, int]:
    if not isinstance(content, dict) or content.keys() - set(STAGES):
        raise InputError(f"found epochs = {content!r}, expected a number for {', '.join(STAGES)}")
    usual = {stage: STAGE_SETTINGS[stage].epochs for stage in STAGES}
    return {stage: _whole("epochs", content.get(stage, usual[stage]), 1) for stage in STAGES}


def _unfold(tables: Any) -> tuple[Transfer, ...]:
    """Return every combination of every table, plain fine-tuning first, each once."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"found methods = {tables!r}, expected tables headed [[methods]]")
    methods = [PLAIN]
    for table in tables:
        for method in _combinations(table):
            if method not in methods:
                methods.append(method)
    return tuple(methods)


def _combinations(table: Mapping[str, Any]) -> Iterator[Transfer]:
    """Yield every method of a table; values that have no effect are the usual ones."""
    known = {each.name: getattr(PLAIN, each.name) for each in fields(Transfer)}
    if unknown := table.keys() - known.keys():
        raise InputError(
            f"found {sorted(unknown)[0]!r} in a method, expected some of {', '.join(sorted(known))}"
        )
    choices = [_alternatives(key, value, known[key]) for key, value in table.items()]
    for values in product(*choices):
        yield Transfer(**dict(zip(table, values, strict=True))).normalised()


def _alternatives(key: str, value: Any, usual: Any) -> list[Any]:
    """Return what a key may be: each entry of a list; where the value is a list, each list."""
    if isinstance(usual, tuple):
        lists = value if _is_list_of(list, value) else [value]
        kind = str if key == "feature_layers" else float
        if not all(_is_list_of(kind, each) for each in lists):
            raise InputError(f"found {key} = {value!r} in a method, expected a list, or several")
        return [tuple(each) for each in lists]
    values = value if isinstance(value, list) else [value]
    kind = float if isinstance(usual, float) else type(usual)
    if not _is_list_of(kind, values):
        raise InputError(
            f"found {key} = {value!r} in a method, expected something like {usual!r}, or a list"
        )
    return values


def _is_list_of(kind: type, value: Any) -> bool:
    """Return whether a value is a list of such entries, at least one; whole numbers are numbers."""
    kinds = (int, float) if kind is float else (kind,)
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(each, kinds) and (kind is bool or not isinstance(each, bool))
            for each in value
        )
    )
