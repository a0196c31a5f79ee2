"""The names file: safetensors of a network that names characters, and what it was made from.

Arrays have torch's names (``conv1.weight``).  The metadata holds one key, ``facetl``, a JSON
object: the format's name and version, ``backbone``, ``classes`` (the characters in the order of
the outputs; the last may be ``unknown``), and whatever the maker tells of itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.data.characters import UNKNOWN
from facetl.errors import WeightsError
from facetl.files import FileKind
from facetl.mtcnn.weights import load_arrays, save_arrays
from facetl.recognition.settings import SIZES
from facetl.version import VERSION

KIND = FileKind("facetl-names", WeightsError, "make it with facetl train-names")


@dataclass(frozen=True)
class NamesWeights:
    """A network that names characters.

    Attributes:
        backbone: a name of :data:`SIZES`.
        classes: names in the order of the outputs; the last may be ``unknown``.
        state: float32 arrays by torch's names.
        metadata: JSON-able facts about their origin.
    """

    backbone: str
    classes: tuple[str, ...]
    state: Mapping[str, NDArray[np.float32]]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def characters(self) -> tuple[str, ...]:
        """The names that a face can be given."""
        return tuple(name for name in self.classes if name != UNKNOWN)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any weight or name."""
        digest = hashlib.sha256(f"{self.backbone} {self.classes}".encode())
        for name, array in sorted(self.state.items()):
            digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write a names file, atomically."""
        header = {
            **self.metadata,
            **KIND.head,
            "facetl": VERSION,
            "backbone": self.backbone,
            "classes": list(self.classes),
        }
        save_arrays(path, self.state, header)


def load_names(path: Path | str) -> NamesWeights:
    """Read a names file.

    Raises:
        WeightsError: if it is missing, damaged, or holds another kind of network.
    """
    path = Path(path)
    state, header = load_arrays(path, KIND)
    try:
        backbone, classes = str(header["backbone"]), tuple(map(str, header["classes"]))
        size = SIZES[backbone]
    except (LookupError, TypeError) as error:
        raise WeightsError(
            f"{path}: found no backbone of {', '.join(SIZES)} with classes; make it again with "
            "facetl train-names"
        ) from error
    assert size
    if len(set(classes)) < len(classes) or not set(classes) - {UNKNOWN}:
        raise WeightsError(f"{path}: found the classes {list(classes)}, expected names, each once")
    return NamesWeights(backbone, classes, state, header)
