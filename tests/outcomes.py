"""How a command may end, asserted in one place."""

from __future__ import annotations

from click.testing import Result


def success(result: Result) -> Result:
    """Return the result of a command that must end well."""
    assert result.exit_code == 0, result.output
    return result


def complaint(result: Result) -> str:
    """Return the one line of complaint of a command that must end with exit code 1."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    complaints = [line for line in result.stderr.splitlines() if line.startswith("facetl: ")]
    assert len(complaints) == 1
    return complaints[0]


def assert_refused(result: Result, *parts: str) -> None:
    """Assert that the command said why not, in one line and no other."""
    line = complaint(result)
    assert result.stderr == f"{line}\n"
    for part in parts:
        assert part in line
