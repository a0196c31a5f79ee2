"""Which frame is meant: names in detections and in the truth, brought together.

One tool says ``validare/001.jpg``, the other ``001.jpg``: the rule of
:mod:`facetl.data.name_matching` says which are the same.  Where no name at all is equal, and the
rule cannot tell of some frames which is meant, all are refused: a guess between two frames would
spoil every figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from facetl.data.name_matching import match_names, nearest_names
from facetl.errors import InputError
from facetl.evaluation.matching import Indices

UNMATCHED = -1
"""The row of a frame that the truth does not list."""


def find_rows(names: Sequence[str], truth: Sequence[str], run: str) -> Indices:
    """Return the (N,) row of each name among those of the truth, or :data:`UNMATCHED`.

    Args:
        names: the frames of a run, each once.
        truth: the frames to be found, each once.
        run: the name of the run, for messages.

    Raises:
        InputError: if base names must decide and cannot, or if nothing at all is in common.
    """
    places = {name: place for place, name in enumerate(truth)}
    ours = {name: listed for listed, name in match_names(truth, names).items()}
    if names and truth and not any(name in places for name in names):
        _refuse_guesses(names, truth, ours, run)
    found = {name: places[listed] for name, listed in ours.items()}
    return np.array([found.get(name, UNMATCHED) for name in names], dtype=np.intp)


def _refuse_guesses(
    names: Sequence[str], truth: Sequence[str], matched: Mapping[str, str], run: str
) -> None:
    """Raise if frames of equal base names cannot be told apart, or if no frame is the same."""
    ours, theirs = _by_base_name(names), _by_base_name(truth)
    for base in ours:
        several = len(ours[base]) > 1 or len(theirs.get(base, ())) > 1
        if several and base in theirs and not matched.keys() >= {*ours[base]}:
            raise InputError(
                f"cannot tell which frame is {base!r}: found {_listed(ours[base])} in {run} and "
                f"{_listed(theirs[base])} in the truth; run facetl detect on the folder run "
                "names the truth uses"
            )
    if not matched:
        near = nearest_names(names[0], truth, most=1) or truth[0]
        raise InputError(
            f"{run} and the truth have no frame in common: found {names[0]!r} in the run and "
            f"{near!r} in the truth; give the --truth of the frames that were searched"
        )


def _by_base_name(names: Sequence[str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for name in names:
        groups[PurePosixPath(name.replace("\\", "/")).name].append(name)
    return dict(groups)


def _listed(names: Sequence[str]) -> str:
    shown = " and ".join(repr(name) for name in names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2} more"
