"""The templates of the pages, which lie in ``templates``."""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined


def build_environment() -> Environment:
    """Return what renders the templates; names are escaped, and a name without value raises."""
    return Environment(
        loader=PackageLoader("facetl.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def as_address(content: bytes, kind: str) -> str:
    """Return a file of a media type as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
