"""XML whose elements are handled one by one, with errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from facetl.data.annotations import open_marked
from facetl.errors import AnnotationError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def elements_of(path: Path, *names: str) -> Iterator[Element]:
    """Yield the elements of some names as they end; each is emptied afterwards.

    Raises:
        AnnotationError: if the file is no XML, or has entities, which make small files large.
    """
    try:
        for _, element in iterparse(open_marked(path), events=("end",)):
            if element.tag in names:
                yield element
                element.clear()
    except ParseError as error:
        raise AnnotationError(f"{path}: found broken XML ({error}); save the file again") from error
    except DefusedXmlException as error:
        raise AnnotationError(
            f"{path}: found XML with entities, which are not read; save it without"
        ) from error
    except (ValueError, LookupError) as error:
        raise AnnotationError(
            f"{path}: found XML that cannot be read ({error}); save the file again"
        ) from error
