from __future__ import annotations

import pytest
from rich.table import Table

from facetl.cli.console import note, print_table, track

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_notes_go_to_stderr(capsys: Captured) -> None:
    note("next: facetl evaluate")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "next: facetl evaluate\n")


def test_progress_is_silent_where_nobody_looks(capsys: Captured) -> None:
    assert list(track([3, 1, 2], "counting", 3)) == [3, 1, 2]
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_progress_is_drawn_on_stderr_in_a_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(track([3, 1, 2], "counting", 3)) == [3, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "counting" in captured.err


def test_a_piped_table_is_not_squeezed(capsys: Captured) -> None:
    # A pipe counts as 80 columns wide; this row needs 130.
    table = Table("name", "figures")
    table.add_row("n" * 60, "f" * 60)
    print_table(table)
    lines = capsys.readouterr().out.splitlines()
    assert any("n" * 60 in line and "f" * 60 in line for line in lines)


def test_a_table_keeps_to_the_width_of_a_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "50")
    table = Table("name")
    table.add_row("n" * 60)
    print_table(table)
    assert "n" * 60 not in capsys.readouterr().out
