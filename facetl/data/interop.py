"""Libraries that not everybody has installed: each is imported when it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from facetl.errors import InputError, say_not_installed

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
        raise InputError(say_not_installed(error.name or library, what, install)) from error


def require_libraries(libraries: Iterable[str], what: str) -> None:
    """Raise before the work if a library is not installed; none is loaded.

    Args:
        libraries: the modules.
        what: needs them, for the message.

    Raises:
        InputError: naming the first that is missing and how to get it.
    """
    for library in libraries:
        if find_spec(library) is None:
            raise InputError(say_not_installed(library, what))
