"""Run the command line with ``python -m facetl``."""

from facetl.cli import main

if __name__ == "__main__":
    main(prog_name="facetl")
