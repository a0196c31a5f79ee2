"""Detections as objects of other libraries; each is imported when it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facetl.data.formats.names import FACE
from facetl.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

    DataFrame: TypeAlias = pd.DataFrame
    SupervisionDetections: TypeAlias = sv.Detections


def as_supervision(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], landmarks: NDArray[np.float32]
) -> SupervisionDetections:
    """Return (N, 4) boxes, (N,) scores and (N, 5, 2) landmarks as supervision has them.

    Raises:
        InputError: if supervision is not installed.
    """
    count = len(scores)
    return import_library("supervision").Detections(
        xyxy=boxes,
        confidence=scores,
        class_id=np.zeros(count, dtype=int),
        data={"class_name": np.full(count, FACE), "landmarks": landmarks},
    )


def as_table(columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> DataFrame:
    """Return columns of one length as a pandas table.

    Raises:
        InputError: if pandas is not installed.
    """
    return import_library("pandas").DataFrame(dict(columns))


def import_library(library: str, what: str = "this", install: str | None = None) -> Any:
    """Return a library that not everybody has installed.

    Args:
        library: the module.
        what: needs it, for the message.
        install: what to give to ``pip install``, if not the library's own name.

    Raises:
        InputError: naming what is missing and how to get it.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise InputError(
            f"{what} takes {error.name or library}, which is not installed; "
            f"pip install {install or library}"
        ) from error
