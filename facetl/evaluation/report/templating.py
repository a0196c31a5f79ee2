"""The templates of the pages, which lie in ``templates``."""

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
