"""JSON of any kind as annotation files hold it, with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facetl.data.annotations import read_text
from facetl.errors import AnnotationError


def load_json(path: Path) -> Any:
    """Read JSON of any kind.

    Raises:
        AnnotationError: if it cannot be read.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise AnnotationError(
            f"{path}:{error.lineno}: found broken JSON ({error.msg}); save the file again"
        ) from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of 5,000 digits
        raise AnnotationError(
            f"{path}: found JSON that cannot be read ({error}); save the file again"
        ) from error


def objects_in(value: object, what: str, path: Path) -> list[dict[str, Any]]:
    """Return a list of objects as it is.

    Args:
        value: of JSON.
        what: the objects are, for the message.
        path: the file.

    Raises:
        AnnotationError: if it is anything else.
    """
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise AnnotationError(f"{path}: expected a list of {what}; save the file again")
    return value


def object_in(value: object) -> dict[str, Any]:
    """Return an object as it is, an empty one for anything else."""
    return value if isinstance(value, dict) else {}
