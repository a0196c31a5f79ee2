"""The version of facetl, read by everything that signs what it writes."""

from importlib.metadata import version

VERSION = version("facetl")
