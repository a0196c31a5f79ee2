"""The file that describes a study: a small TOML file, of which some come with facetl.

::

    description = "Is an anchor better than none?"
    stages = ["pnet"]               # or "rnet", "onet", "cascade": all three, each on the others
    frames = [25, 100, "all"]       # how many to learn from, drawn by the seed
    seeds = [1, 2, 3]
    starts = ["pretrained"]         # or "shuffled", "inverted": an inappropriate start

    [epochs]                        # of each stage; the usual ones if left out
    pnet = 10

    [training]                      # what else differs from the usual settings
    optimiser = "sgd"
    schedule = "step"
    learning_rate = 0.01

    [[methods]]                     # every combination of what is in lists
    regulariser = ["l2", "l2-sp"]
    alpha = [0.01, 0.1]

Characters are learnt by the stages ``names-onet``, ``names-resnet18`` and so on: ``frames`` are
then faces of each character, ``starts`` any of ``usual``, ``cartoon``, ``pretrained``, ``scratch``,
``shuffled`` and names files of other shows, and ``epochs`` has ``names``.

A method names attributes of :class:`facetl.training.transfer.Transfer`.  Plain fine-tuning is
always among the methods: it is what the others are compared with.  All methods have as many
epochs; ``phase_epochs`` gives the ratio in which ``gradual`` divides them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

from facetl.errors import InputError
from facetl.experiments.study import (
    NAMES,
    PLAIN,
    USUAL,
    Detecting,
    Study,
    Target,
    as_stage,
    backbone_of,
)
from facetl.files import read_regular
from facetl.mtcnn.networks import build_network
from facetl.mtcnn.stages import STAGES
from facetl.recognition.backbones import BACKBONES
from facetl.recognition.settings import SIZES
from facetl.training.regularisers.feature_map import feature_layers
from facetl.training.settings import EpochSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer

_LARGEST = 2**20
"""Bytes of the largest study that is read."""
BUILT_IN = Path(__file__).with_name("built_in")
_KEYS = {"description", "stages", "frames", "seeds", "starts", "epochs", "training", "methods"}
_TARGETS = (*get_args(Detecting), *(NAMES + backbone for backbone in SIZES))
_STARTS = ("pretrained", "shuffled", "inverted")
_STARTS_OF_NAMES = (USUAL, "cartoon", "pretrained", "scratch", "shuffled")
_TRAINING = ("optimiser", "schedule", "learning_rate", "batch_size")


def _built_in_studies() -> list[str]:
    """Return the names of the studies that come with facetl."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def load_study(source: str | Path) -> Study:
    """Read a study by the name of a built-in one, or from a TOML file.

    Raises:
        InputError: naming the file and what is wrong in it.
    """
    built_in = BUILT_IN / f"{source}.toml"
    path = built_in if str(source) in _built_in_studies() else Path(source)
    if not path.is_file():
        raise InputError(
            f"{source}: no such study; give a .toml file or one of {', '.join(_built_in_studies())}"
        )
    try:
        content = tomllib.loads(read_regular(path, _LARGEST).decode())
        return _parse(path.stem, content)
    except (OSError, ValueError, RecursionError) as error:  # TOML's own errors are ValueErrors
        raise InputError(f"{path}: not readable as TOML ({error}); mend the file") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _parse(name: str, content: Mapping[str, Any]) -> Study:
    if unknown := content.keys() - _KEYS:
        raise InputError(
            f"found the key {sorted(unknown)[0]!r}, expected some of {', '.join(sorted(_KEYS))}"
        )
    targets = _choices("stages", content, ("pnet",), _TARGETS)
    of_names = [target for target in targets if backbone_of(target)]
    if of_names and len(of_names) < len(targets):
        raise InputError("found stages that learn faces and names; write two studies")
    methods = _unfold(content.get("methods", []))
    for method, target in product(methods, targets):
        _check_layers(method, target)
    return Study(
        name=name,
        description=_text(content.get("description", "")),
        targets=targets,
        starts=_starts(content, of_names=bool(of_names)),
        frames=tuple(
            0 if count == "all" else _whole("frames", count, 2)
            for count in _list("frames", content, ["all"])
        ),
        seeds=tuple(_whole("seeds", seed, 0) for seed in _list("seeds", content, [1, 2, 3])),
        methods=methods,
        epochs=_epochs(content.get("epochs", {})),
        training=_training(content.get("training", {})),
    )


def _starts(content: Mapping[str, Any], *, of_names: bool) -> tuple[str, ...]:
    """Return the starts; of names also the files that there are."""
    if not of_names:
        return _choices("starts", content, ("pretrained",), _STARTS)
    given = _list("starts", content, [USUAL])
    files = [each for each in given if isinstance(each, str) and each.endswith(".safetensors")]
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"found {file!r} in starts, where there is no file; train it first")
    return _choices("starts", content, (USUAL,), (*_STARTS_OF_NAMES, *files))


def _training(content: Any) -> dict[str, Any]:
    """Return the settings of all trainings that differ from the usual."""
    if not isinstance(content, dict) or content.keys() - set(_TRAINING):
        raise InputError(f"found training = {content!r}, expected some of {', '.join(_TRAINING)}")
    try:
        replace(EpochSettings(), **content)
    except TypeError as error:
        raise InputError(
            f"found training = {content!r} ({error}), expected names and numbers"
        ) from error
    return content


def _check_layers(method: Transfer, target: Target) -> None:
    """Raise if a method would hold feature maps that a target does not have."""
    if backbone := backbone_of(target):
        if method.feature_layers:
            network = BACKBONES[backbone].build(2, 0.0)
            feature_layers(network, BACKBONES[backbone].layers, method)
        return
    for stage in STAGES if target == "cascade" else (as_stage(target),):
        feature_layers(build_network(stage), STAGE_FACTS[stage].layers, method)


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


def _epochs(content: Any) -> dict[str, int]:
    usual: dict[str, int] = {stage: STAGE_FACTS[stage].training.epochs for stage in STAGES}
    known = (*usual, "names")
    if not isinstance(content, dict) or content.keys() - set(known):
        raise InputError(f"found epochs = {content!r}, expected a number for {', '.join(known)}")
    if "names" in content:
        usual["names"] = content["names"]
    return {each: _whole("epochs", content.get(each, usual[each]), 1) for each in usual}


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
