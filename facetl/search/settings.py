"""How a detector searches, and the settings that a weights file recommends for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from facetl.errors import WeightsError
from facetl.results.shown_score import SCORE
from facetl.settings import SHARE, Range, as_json, find_fault, setting

DETECTION = "detection"
"""Where a weights file's metadata keeps the settings that were chosen for these weights."""
LEAST_FACE = 1
"""Pixels of the smallest face that can be looked for."""
BATCH_SIZE = 4
"""Images searched together: fewer leave torch idle, more don't fit into the processor's cache."""
FACTORS = (0.1, 0.99)
"""Least and greatest ratio of neighbouring levels of the pyramid; nearer to 1 there is no end."""
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "thorough": {"mirrored": True, "rescored": True},
    "fast": {"min_face": 24.0, "factor": 0.6, "thresholds": (0.3, 0.2, 0.1)},
    "fastest": {"min_face": 28.0, "factor": 0.6, "thresholds": (0.5, 0.3, 0.1)},
}
"""Settings that go together, by name; all others stay those of the weights.

The fast ones were chosen by a rule, on training frames (see ``docs/performance.md``).
"""

_LATER = ("rnet_weight", "mirrored", "rescored")
"""Settings that earlier versions did not have: what they did is 0 or false."""


@dataclass(frozen=True)
class Settings:
    """How a detector searches.

    Attributes:
        padding: where not, PNet's windows stay inside, and what is left of RNet's and ONet's is
            stretched, as facenet-pytorch does it, so that the network can't tell how much is
            missing.
        voting: where not, ONet's box with the best score alone says where a face is (see
            :func:`facetl.mtcnn.nms.vote`), and RNet's NMS leaves fewer boxes.
        rnet_weight: two networks are deceived less often by the same thing than one; measured in
            ``docs/experiments.md``.
        mirrored: what both views find is one face, whose score is the mean of both in log-odds;
            takes twice as long (see :mod:`facetl.mtcnn.fusion`).
        rescored: a network that knows photographs of many things looks at each face that was found
            (see :mod:`facetl.mtcnn.rescoring`); fewer things that are no faces score high, and
            boxes fit better.
        score: the search does not depend on it: what it finds below is kept.
    """

    thresholds: tuple[float, float, float] = setting(
        (0.1, 0.2, 0.2), "Minimum score to pass each stage.", SHARE, metavar="PNET RNET ONET"
    )
    min_face: float = setting(
        20.0, "Side of the smallest face to find, in pixels.", Range(LEAST_FACE)
    )
    factor: float = setting(
        0.709, "Ratio of neighbouring levels of the image pyramid.", Range(*FACTORS)
    )
    padding: bool = setting(
        False,
        "Let windows extend beyond the image: black outside it, instead of stretching the visible "
        "rest.",
    )
    voting: bool = setting(False, "Let all boxes around a face vote on its position.")
    rnet_weight: float = setting(
        0.0, "Weight of RNet's log-odds in a box's score, where ONet's have 1.", SHARE
    )
    mirrored: bool = setting(False, "Search the mirror image as well, and count both views.")
    rescored: bool = setting(
        False, "Let a larger network score and place the faces that were found as well."
    )
    score: float = setting(
        SCORE,
        "Minimum score of boxes that are drawn, counted, cut out or exported; 0 includes all.",
        SHARE,
    )

    def __post_init__(self) -> None:
        if fault := find_fault(self):
            raise ValueError(fault)
        for name in ("padding", "voting", "mirrored", "rescored"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"found {name} {getattr(self, name)!r}, expected true or false")

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Settings:
        """Return the settings that a weights file's metadata recommends, the usual ones if none.

        What the recommendation leaves out is as usual; what it holds beyond settings (the aim,
        the figures) is passed over.

        Raises:
            WeightsError: if a recommended value is not what it should be.
        """
        record = metadata.get(DETECTION, {})
        if not isinstance(record, Mapping):
            raise WeightsError(_complaint(f"{record!r}, expected an object"))
        given = {each.name: record[each.name] for each in fields(cls) if each.name in record}
        if isinstance(thresholds := given.get("thresholds"), list):
            given["thresholds"] = tuple(thresholds)
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise WeightsError(_complaint(str(error))) from error

    def preset(self, name: str | None) -> Settings:
        """Return the same settings with those of a preset in their place; of None the same.

        Raises:
            ValueError: if there is no such preset.
        """
        if name is None:
            return self
        if name not in PRESETS:
            raise ValueError(f"found preset {name!r}, expected one of {', '.join(PRESETS)}")
        return replace(self, **PRESETS[name])

    def override(self, **given: Any) -> Settings:
        """Return the same settings with those of ``given`` that are not None in their place."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values, see :func:`facetl.settings.as_json`."""
        return as_json(self, _LATER)


def _complaint(found: str) -> str:
    return f"found wrong settings under {DETECTION!r} in its metadata ({found}); run facetl tune"
