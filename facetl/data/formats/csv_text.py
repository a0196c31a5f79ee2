"""Tables as text, with errors that name the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from facetl.data.annotations import read_text
from facetl.errors import AnnotationError


def rows_of(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Yield the rows of a table whose first line names the columns; missing cells are empty.

    Raises:
        AnnotationError: if it cannot be read.
    """
    text = io.StringIO(read_text(path).removeprefix("#"), newline="")
    try:
        for row in csv.DictReader(text, delimiter=delimiter, restkey="", restval=""):
            row.pop("", None)
            yield row
    except csv.Error as error:
        raise AnnotationError(
            f"{path}: found a table that cannot be read ({error}); save the file again"
        ) from error
