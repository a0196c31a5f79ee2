"""Libraries that not everybody has installed: each is imported when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from facetl.errors import InputError, how_to_install

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

    DataFrame: TypeAlias = pd.DataFrame
    SupervisionDetections: TypeAlias = sv.Detections


def as_table(columns: Mapping[str, Any]) -> DataFrame:
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
        install: what to give to ``pip install``, if not the library's own name or its extra.

    Raises:
        InputError: naming what is missing and how to get it.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise InputError(
            f"{what} needs {error.name or library}, which is not installed; "
            + (f"pip install {install}" if install else how_to_install(library))
        ) from error
