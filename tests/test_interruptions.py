"""Ctrl-C and SIGTERM in every long command: the right exit code, one true line, nothing half-done.

Signals are real, and come at random moments of commands forked from a warm process
(``tests/warm.py``).  By default each command gets one of the two; ``FACETL_KILLS=20`` gives each
twenty of both.
"""

from __future__ import annotations

import gc
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from outcomes import PATIENCE
from warm import Ending, Warm
from whole_world import NO_WORLD, World, make_world

from facetl import interruptions
from facetl.cli.ending import stopping_in_one_line
from facetl.files import remove_folder
from facetl.interruptions import _Terminated, catching_signals, exit_code, holding_signals
from facetl.results.store import remove_run

MOMENTS = int(os.environ.get("FACETL_KILLS", "1"))
GUESS = 1.0
"""Seconds in which a command will have begun to work, to draw the first moment from."""
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
NOTHING = "facetl: stopped; nothing half-written is left"
GO_ON = " keeps what is done; resume with: facetl "


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = make_world(tmp_path_factory.mktemp("world"), 12)
    study_of(world).write_text('stages = ["pnet"]\nframes = [6]\n[epochs]\npnet = 1\n')
    return world


def study_of(world: World) -> Path:
    """Return where the description of a small study lies."""
    return world.frames.parent / "small.toml"


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("said")) as process:
        yield process


def commands(world: World, out: Path) -> dict[str, list[object]]:
    """Return a command of each kind that writes below ``out`` and nowhere else."""
    model, frames = out / "model.safetensors", world.frames
    film = ["detect", world.video, "--out", out, "--workers", 2]
    return {
        "prepare": ["prepare", frames, "--out", out, "--at-least", 3_000, "--workers", 2],
        "train": ["train", frames, "--epochs", 1, 1, 1, "--out", model, "--workers", 2],
        "train-pnet": ["train-pnet", world.patches, "--epochs", 4, "--out", model],
        "detect": ["detect", frames, "--overlays", "--crops", "--export", "yolo", "--out", out],
        "stream": ["detect", frames, "--stream", "--overlays", "--out", out],
        "video": [*film, "--video", "--export", "csv"],
        "evaluate": ["evaluate", world.results, "--truth", frames, "--out", out],
        "tune": ["tune", frames, "--weights", "pretrained", "--out", model],
        "compare": ["compare", frames, "--study", study_of(world), "--out", out, "--workers", 1],
        "convert": ["convert", frames, out / "new", "--to", "coco"],
        "frames": ["frames", world.video, "--count", 3, "--every", 1, "--out", out],
        "cartoons": ["cartoons", out, "--train", 4, "--test", 2, "--workers", 1],
        "demo": ["demo", "--out", out, "--train", 6, "--test", 2, "--epochs", 1, 1, 1],
        "export": ["export", "--onnx", "--out", out],
        "explain": ["explain", frames / "0.png", "--out", out],
    }


KINDS = tuple(commands(NO_WORLD, Path()))
TRIED = [
    (kind, *SIGNALS[turn])
    for place, kind in enumerate(KINDS)
    for turn in ((0, 1) if MOMENTS > 1 else (place % 2,))
]
_lengths: dict[str, float] = {}


def interrupt(
    warm: Warm, kind: str, arguments: list[object], number: signal.Signals, out: Path, seed: int
) -> Ending:
    """Send a command a signal at a random moment of its work; if it was quicker, try once more."""
    chance = Random(f"{kind} {number} {seed}")
    if MOMENTS > 1 and kind not in _lengths:
        _lengths[kind] = warm.run(arguments).seconds
        shutil.rmtree(out)
    while True:
        ending = warm.run(arguments, (chance.uniform(0, _lengths.get(kind, GUESS)), number))
        was_at_its_end = ending.seconds and ending.code in (0, -number)
        if not was_at_its_end:
            return ending
        _lengths[kind] = ending.seconds
        shutil.rmtree(out)


def complaints(said: str) -> list[str]:
    """Return the lines that say how a command ended."""
    return [line for line in said.splitlines() if line.startswith("facetl: ")]


def remains(folder: Path) -> list[Path]:
    """Return what is hidden below a folder: temporary files and folders."""
    return list(folder.rglob(".*"))


@pytest.mark.parametrize(("kind", "number", "code"), TRIED)
def test_every_command_stops_in_one_line_that_is_true(
    kind: str, number: signal.Signals, code: int, world: World, warm: Warm, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = commands(world, out)[kind]
    for seed in range(MOMENTS):
        ending = interrupt(warm, kind, arguments, number, out, seed)
        assert ending.code == code, ending.stderr
        assert "Traceback" not in ending.stderr
        *_, last = ending.stderr.splitlines()
        assert complaints(ending.stderr) == [last]
        assert remains(tmp_path) == []
        if last == NOTHING:
            assert not list(tmp_path.rglob("*.work")), "there is something to resume"
            assert not list(tmp_path.rglob("*.checkpoint"))
        else:
            assert last.startswith("facetl: stopped; ")
            goes_on = shlex.split(last.partition("; resume with: facetl ")[2])
            assert goes_on[-1] == "--resume"
            if kind != "demo":
                assert goes_on[:-1] == [str(each) for each in arguments]
            resumed = warm.run(goes_on)
            assert resumed.code == 0, resumed.stderr
            assert "starting over" not in resumed.stderr
        shutil.rmtree(out, ignore_errors=True)


def test_a_second_ctrl_c_does_not_disturb_the_tidying(
    warm: Warm, world: World, tmp_path: Path
) -> None:
    """Neither at once nor later: each is tried at moments over the tidying of two workers."""
    arguments = commands(world, tmp_path / "out")["prepare"]
    first = warm.run(arguments).seconds / 2
    for pause in (0.0, 0.004, 0.03, 0.1):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        signals = [(first, signal.SIGINT), (first + pause, signal.SIGINT)]
        # a little later: of signals at the same moment, either may be the first to arrive
        last = (first + 2 * pause + 0.02, signal.SIGTERM)
        ending = warm.run(arguments, *signals, last)
        assert ending.code in (130, 0), ending.stderr
        assert "Traceback" not in ending.stderr
        assert remains(tmp_path) == []


# Processes that work for another one, in which case it is a real one that is started


def start(arguments: list[object]) -> subprocess.Popen[str]:
    """Start a command in a session of its own, as a terminal does."""
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    hurry = (
        "from facetl.experiments import scheduler; from facetl.training.time_estimate import "
        "TYPICAL; scheduler.measure_speed = lambda *_: TYPICAL"
    )
    program = f"{listen}; from facetl.cli import main; {hurry}; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def members(session: int) -> list[int]:
    """Return the processes of a session that are alive."""
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has just ended
            continue
        if int(own) == session and state != "Z":
            alive.append(int(stat.parent.name))
    return alive


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process does, as long as it lives."""
    while not is_so() and process.poll() is None:
        time.sleep(0.02)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
in_long_runs = pytest.mark.skipif(MOMENTS == 1, reason="slow: set FACETL_KILLS")
WORKERS = 2


def parallel_commands(world: World, out: Path) -> dict[str, list[object]]:
    """Return the commands whose workers are processes, with much to do."""
    study = out.with_name("long.toml")
    study.write_text('stages = ["pnet"]\nseeds = [1, 2, 3]\n[epochs]\npnet = 500\n')
    compare = ["compare", world.frames, "--study", study, "--out", out]
    return {
        "compare": [*compare, "--workers", WORKERS],
        "cartoons": ["cartoons", out, "--train", 5000, "--test", 1, "--workers", WORKERS],
    }


@needs_proc
@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("cartoons", signal.SIGINT),
        ("compare", signal.SIGTERM),
        ("compare", signal.SIGKILL),
        pytest.param("cartoons", signal.SIGTERM, marks=in_long_runs),
        pytest.param("cartoons", signal.SIGKILL, marks=in_long_runs),
        pytest.param("compare", signal.SIGINT, marks=in_long_runs),
    ],
)
def test_workers_end_with_their_parent(
    kind: str, number: signal.Signals, world: World, tmp_path: Path
) -> None:
    """However it ends: Ctrl-C reaches all of them, SIGTERM and ``kill -9`` the parent alone."""
    process = start(parallel_commands(world, tmp_path / "out")[kind])
    wait_until(lambda: len(members(process.pid)) > WORKERS, process)
    time.sleep(Random(f"{kind} {number}").uniform(0, 4))  # they may be starting, or at work
    assert process.poll() is None
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=PATIENCE)
    end = time.monotonic() + PATIENCE
    while members(process.pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert members(process.pid) == []
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "Traceback" not in said
        assert complaints(said) == said.splitlines()[-1:]
        assert remains(tmp_path) == []


# The parts


@pytest.fixture
def _usual_handlers() -> Iterator[None]:
    """Heed signals as in the foreground of a shell: tests that run behind one ignore SIGINT."""
    before = {number: signal.getsignal(number) for number in interruptions.SIGNALS}
    _set_usual_handlers()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _set_usual_handlers() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.usefixtures("_usual_handlers")
def test_signals_are_interruptions_with_a_code_each() -> None:
    codes = {}
    for number in interruptions.SIGNALS:
        _set_usual_handlers()
        with pytest.raises(KeyboardInterrupt) as raised, catching_signals():
            signal.raise_signal(number)
        codes[number] = exit_code(raised.value)
        assert isinstance(raised.value, _Terminated) == (number == signal.SIGTERM)
    assert codes == dict(SIGNALS)


@pytest.mark.usefixtures("_usual_handlers")
def test_an_echo_is_not_heard_and_nothing_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def tidy() -> None:
        for moment in (100.0, 100.5, 101.4, 103.0):
            monkeypatch.setattr(time, "monotonic", lambda now=moment: now)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                heard.append(moment)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), catching_signals():
        tidy()
    assert heard == [100.0, 103.0]
    for number in interruptions.SIGNALS:
        signal.raise_signal(number)  # the process is about to end: it may take its time


@pytest.mark.usefixtures("_usual_handlers")
def test_without_a_signal_everything_is_as_before() -> None:
    before = [signal.getsignal(number) for number in interruptions.SIGNALS]
    with catching_signals(), catching_signals():
        assert [signal.getsignal(number) for number in interruptions.SIGNALS] != before
    assert [signal.getsignal(number) for number in interruptions.SIGNALS] == before


@pytest.mark.usefixtures("_usual_handlers")
def test_what_was_ignored_stays_ignored() -> None:
    """As in the background of a shell, or behind ``nohup``."""
    for number in interruptions.SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with catching_signals():
        for number in interruptions.SIGNALS:
            signal.raise_signal(number)


@pytest.mark.usefixtures("_usual_handlers")
def test_signals_wait_where_they_are_held() -> None:
    done = []

    def work() -> None:
        with catching_signals(), holding_signals():
            signal.raise_signal(signal.SIGTERM)
            done.append("all of it")

    with pytest.raises(_Terminated):
        work()
    assert done == ["all of it"]


@pytest.mark.usefixtures("_usual_handlers")
def test_signals_wait_whichever_thread_takes_them() -> None:
    over, done = threading.Event(), []
    thread = threading.Thread(target=over.wait)
    thread.start()
    heard, hears = os.pipe()  # a byte for each signal that has come
    os.set_blocking(hears, False)
    before = signal.set_wakeup_fd(hears)

    def work() -> None:
        with catching_signals(), holding_signals():
            signal.pthread_kill(thread.ident or 0, signal.SIGINT)
            os.read(heard, 1)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    signal.set_wakeup_fd(before)
    os.close(heard)
    os.close(hears)
    over.set()
    thread.join()
    assert done == ["all of it"]


@pytest.mark.usefixtures("_usual_handlers")
@pytest.mark.parametrize(
    "remove",
    [remove_folder, remove_run],
    ids=["work", "another run"],
)
def test_a_folder_that_is_being_removed_goes_whole(
    remove: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "old.detections.parquet"
    (folder / "columns").mkdir(parents=True)
    rmtree = shutil.rmtree

    def interrupted(path: Path, *, ignore_errors: bool = False) -> None:
        signal.raise_signal(signal.SIGTERM)
        rmtree(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(_Terminated), catching_signals():
        remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_other_threads_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with catching_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.usefixtures("_usual_handlers")
def test_an_interruption_that_compiled_code_turns_into_another_error_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def draw() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            raise ValueError("invalid matrix") from None

    with pytest.raises(SystemExit) as end, catching_signals(), stopping_in_one_line():
        draw()
    assert end.value.code == 143
    assert capsys.readouterr().err == f"{NOTHING}\n"
    with pytest.raises(ValueError, match="no signal came"), stopping_in_one_line():
        raise ValueError("no signal came")


@pytest.mark.usefixtures("_usual_handlers")
def test_what_was_at_work_does_not_outlive_its_interruption() -> None:
    """Else threads and files are closed when the modules they take are gone already."""

    def work() -> weakref.ref[threading.Event]:
        held = threading.Event()
        with suppress(SystemExit), catching_signals(), stopping_in_one_line():
            signal.raise_signal(signal.SIGINT)
        return weakref.ref(held)

    gone = work()
    gc.collect()
    assert gone() is None
