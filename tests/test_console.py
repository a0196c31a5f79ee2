from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from itertools import pairwise

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from facetl.cli import console
from facetl.cli.console import (
    LINE,
    TimeBar,
    _TimeLeft,
    note,
    plain_table,
    print_facts,
    print_table,
    printing_plainly,
    show_command,
    steady,
    track,
)

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


MARKUP = ["[/x].mp4", "[bold]a[/bold].mp4", "a[red.mp4", "\\[b].mp4", ":cat:.mp4"]


@pytest.mark.parametrize("name", MARKUP)
def test_names_that_look_like_markup_are_said_as_they_are(
    name: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert list(track([3, 1, 2], f"searching {name}", 3)) == [3, 1, 2]
    with TimeBar(10) as bar:
        bar.describe(f"training {name}")
        bar.say(f"[pnet] {name}")
    shown = capsys.readouterr().err
    for words in (f"searching {name}", f"training {name}", f"[pnet] {name}"):
        assert words in shown


@pytest.mark.parametrize("name", MARKUP)
def test_tables_show_names_that_look_like_markup_as_they_are(name: str, capsys: Captured) -> None:
    table = Table("run", name)
    table.add_row(name, "1")
    print_table(table)
    assert capsys.readouterr().out.count(name) == 2


ORDERS = "a\x1b]0;owned\x07b\u202e.png"
"""A name that would rename a terminal and turn letters round."""
HARMLESS = r"a\x1b]0;owned\x07b\u202e.png"


@pytest.mark.parametrize("looks", ["a pipe", "a terminal"])
def test_names_give_no_orders_to_terminals(
    looks: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    if looks == "a terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
    table = plain_table(ORDERS, [ORDERS])
    table.add_row(f"{ORDERS} in a row", "\x1b[31m", style="bold")
    with printing_plainly():
        click.echo(f"wrote {ORDERS}\nand more")
        click.echo(f"wrote {ORDERS}", err=True)
        print(ORDERS, file=sys.stderr)  # as libraries do that warn
        print_table(table)
        show_command(f"detect {ORDERS}")
        note(ORDERS)
        assert list(track([1], f"searching {ORDERS}", 1)) == [1]
        with TimeBar(1) as bar:
            bar.describe(f"training {ORDERS}")
            bar.say(ORDERS)
    shown = capsys.readouterr()
    assert shown.out.startswith(f"wrote {HARMLESS}\nand more\n")
    assert shown.out.count(HARMLESS) == 3
    assert shown.err.count(HARMLESS) >= 5
    for order in ("\x1b]", "\x07", "\u202e", "\x1b[31m"):
        assert order not in shown.out + shown.err
    assert ("\x1b[1m" in shown.out) == (looks == "a terminal")  # bold, by us


def test_streams_are_as_before_afterwards() -> None:
    before = sys.stdout, sys.stderr
    with printing_plainly():
        assert sys.stdout.isatty() == before[0].isatty()
        assert sys.stdout not in before
    assert (sys.stdout, sys.stderr) == before


def test_what_a_narrow_encoding_lacks_is_escaped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a stream of ASCII, click would write into the bytes behind it."""
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", narrow)
    with printing_plainly():
        click.echo(f"ü {ORDERS}")
    narrow.flush()
    assert narrow.buffer.getvalue().decode() == f"\\xfc {HARMLESS}\n"


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


# ---- the bar over seconds of work


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def test_the_time_left_goes_by_the_pace_so_far(clock: Clock) -> None:
    bar = TimeBar(100)
    assert bar.left == "?"
    clock.now = 30
    bar.advance(10)  # three times as slow as foreseen: 90 seconds of work take 270
    assert bar.left == "4 min"
    bar.advance(90)
    assert bar.left == "0 s"


def test_a_slow_first_step_does_not_count(clock: Clock) -> None:
    bar = TimeBar(1000)
    clock.now = 5
    bar.advance(1)  # what was read before, and one frame
    assert bar.left == "?"
    clock.now = 55
    bar.advance(99)
    assert bar.left == "8 min"  # 900 at 99 in 50 seconds


def test_no_time_is_shown_before_it_can_be_told(clock: Clock) -> None:
    bar = TimeBar(1000)
    shown = []
    for clock.now in range(1, 60):
        bar.advance(1)
        shown.append(bar.left)
    assert shown[:30] == ["?"] * 30  # less than a twentieth
    assert shown[30:] == [f"{(1000 - second) / 60:.0f} min" for second in range(31, 60)]
    bar = TimeBar(3)
    for _ in range(6):
        clock.now += 0.25
        bar.advance(0.25)
        assert bar.left == "?"  # half of the work, in less than two seconds


def burst_by_burst(first: float, size: int, pace: float) -> Iterator[float]:
    """Yield when frames are found: after a slow start, many at once, at an uneven pace."""
    for number in range(600):
        burst = number // size
        yield first + pace * (burst * size + (burst % 3))


@pytest.mark.parametrize("first", [0.02, 0.6, 20.0])
@pytest.mark.parametrize("size", [1, 4, 11])
@pytest.mark.parametrize("pace", [0.05, 1.0])
def test_the_time_left_falls_without_jumps_from_the_first_one_shown(
    first: float, size: int, pace: float, clock: Clock
) -> None:
    left, times = _TimeLeft(), [*burst_by_burst(first, size, pace)]
    seen = []
    for done, clock.now in enumerate(times, 1):
        if left.after(done, 600 - done) != "?":
            assert left._shown is not None
            seen.append((clock.now, left._shown))
    now, shown = seen[0]
    assert shown == pytest.approx(times[-1] - now, rel=0.25)
    for (before, high), (after, low) in pairwise(seen):
        assert low <= high
        assert high - low <= (after - before) + 0.02 * times[-1]  # the clock, and hardly more


def test_work_done_before_does_not_count_for_the_pace(clock: Clock) -> None:
    bar = TimeBar(100)
    bar.skip(60)
    assert bar.left == "?"
    clock.now = 40
    bar.advance(20)  # two seconds for each, and 20 are left
    assert bar.left == "40 s"


def test_whoever_knows_better_how_long_it_takes_is_believed(clock: Clock) -> None:
    bar = TimeBar(10)
    bar.resize(100, 45)
    clock.now = 10
    bar.advance(1)  # at this pace it would take a quarter of an hour
    assert bar.left == "35 s"
    bar.advance(99)
    assert bar.left == "0 s"


def test_the_time_left_runs_down_and_does_not_jump() -> None:
    assert steady(100, 10, 90) == pytest.approx(90)  # as it was said
    assert steady(100, 0, 500) == 100
    assert steady(100, 10, 0) == 0
    assert steady(5, 10, 20) < 20  # nothing below nothing
    assert steady(100, 10, 140) == 100  # it stands still
    assert 100 < steady(100, 10, 160) < 160  # but for much
    shown, told = 240.0, [240.0]
    for second in range(1, 60):  # said to be 240 at first, and 80 ever after
        shown = steady(shown, 1, 80 - second)
        told.append(shown)
    assert all(-12 < after - before <= 0 for before, after in pairwise(told))
    assert told[-1] == pytest.approx(80 - 59, rel=0.05)


@given(st.floats(0.01, 1e5), st.floats(0.01, 100), st.floats(0, 1e5))
def test_what_is_shown_lies_between_what_was_said_and_what_is_estimated(
    shown: float, passed: float, estimate: float
) -> None:
    expected = max(shown - passed, 0)
    low, high = sorted((expected, estimate))
    found = steady(shown, passed, estimate)
    assert found == 0 if estimate == 0 else low * 0.999 <= found <= high * 1.001


def test_steps_of_the_clock_make_no_difference() -> None:
    """A bar that hears of every frame shows what one shows that hears of every epoch."""
    shown = 300.0
    for second in range(20):
        shown = steady(shown, 1, 100 - second - 1)
    assert shown == pytest.approx(steady(300.0, 20, 80), rel=0.1)


def test_progress_tells_the_time_left(
    clock: Clock, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for number in track(range(4), "counting", 4):
        clock.now += 10
        assert number < 4
    assert "0 s left" in capsys.readouterr().err
    assert list(track(iter("ab"), "counting", None)) == ["a", "b"]
    assert " left" not in capsys.readouterr().err


def test_the_time_left_runs_down_during_a_long_step(
    clock: Clock, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with TimeBar(100) as bar:
        clock.now = 60
        bar.advance(50)
        for clock.now, shown in ((75, "45 s left"), (110, "10 s left"), (999, "0 s left")):
            capsys.readouterr()
            bar._progress.refresh()
            assert shown in capsys.readouterr().err


def test_without_a_terminal_there_are_only_the_lines(capsys: Captured) -> None:
    with TimeBar(10) as bar:
        bar.describe("pnet: training")
        bar.advance(5)
        bar.say("[pnet] epoch 1 " + "x" * 200)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "[pnet] epoch 1 " + "x" * 200 + "\n")


def test_in_a_terminal_the_bar_says_what_is_going_on(
    clock: Clock, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with TimeBar(10) as bar:
        bar.describe("pnet: training")
        clock.now = 60
        bar.advance(5)
        bar.say("[pnet] epoch 1")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "pnet: training" in captured.err
    assert "[pnet] epoch 1" in captured.err
    assert " left" in captured.err


@pytest.mark.parametrize("count", [1, 4, 13])
def test_columns_without_a_place_come_below_with_the_names_once_more(
    count: int, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(LINE))
    figures = {f"figure {number}": f"{number}.12345" for number in range(10, 10 + count)}
    table = plain_table("run", list(figures))
    for name in ("first", "second"):
        table.add_row(name, *figures.values())
    print_table(table)
    lines = [line.rstrip() for line in click.unstyle(capsys.readouterr().out).splitlines()]
    assert max(map(len, lines)) <= LINE
    parts = [line for line in lines if line.startswith("run ")]
    assert len(parts) == -(-count // 5)
    assert [name for line in parts for name in re.findall(r"figure \d+", line)] == [*figures]
    for row in ("first ", "second "):
        cells = [cell for line in lines if line.startswith(row) for cell in line.split()[1:]]
        assert cells == [*figures.values()]


def test_a_bar_that_is_redrawn_shows_no_escapes(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a bar is shown there are two streams before the terminal: rich's and ours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(LINE))
    with printing_plainly(), TimeBar(10) as bar:
        for _ in range(3):
            bar.describe("pnet: training")
            bar.advance(3)
            bar.say("[pnet] epoch 1")
    shown = capsys.readouterr().err
    assert "\x1b[" in shown
    assert "\\x1b" not in shown


def test_facts_are_folded_on_a_terminal_alone(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(["library 1.2.3,"] * 12)
    print_facts([("libraries", text), ("check", "fine")])
    assert capsys.readouterr().out == f"libraries  {text}\ncheck      fine\n"
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(LINE))
    print_facts([("libraries", text), ("check", "fine")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= LINE
    assert len(lines) == 4
    assert [line[:11].strip() for line in lines] == ["libraries", "", "", "check"]
    assert " ".join(line[11:] for line in lines[:3]) == text


def test_long_names_of_runs_stay_distinct_at_80_columns() -> None:
    """Names that differ at the end are folded, not cut to the same text."""
    names = [f"a-show-with-a-long-name-fine-tuned-{number}" for number in (1, 2, 3)]
    table = plain_table("", names)
    table.add_row("AP as COCO has it, 0.5:0.95", *["0.123"] * 3)
    written = io.StringIO()

    Console(file=written, width=LINE, markup=False).print(table)

    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= LINE
    assert "…" not in written.getvalue()
    assert sum(line.count("0.123") for line in lines) == len(names)
    assert all(any(f"-{number}" in line for line in lines) for number in (1, 2, 3))
