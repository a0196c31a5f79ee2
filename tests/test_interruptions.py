"""Ctrl-C and SIGTERM in long commands: the right exit code, one line, nothing half-written."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from facetl.cartoons.frame import draw_frame
from facetl.data.annotations import save_annotations
from facetl.data.images import save_image
from facetl.interruptions import Terminated, exit_code, heeding_sigterm
from facetl.mtcnn.detections import LINES_SUFFIX
from facetl.mtcnn.weights import load_weights

LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""A process started in the background ignores Ctrl-C unless it is told to listen."""
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty drawn frames with their annotations: some seconds of work for every command."""
    folder = tmp_path_factory.mktemp("data") / "frames"
    drawn = [draw_frame(1, "train", index) for index in range(6)]
    for index in range(60):
        save_image(folder / f"{index:02}.png", drawn[index % 6].image)
    faces = {
        f"{index:02}.png": (drawn[index % 6].boxes, drawn[index % 6].labels) for index in range(60)
    }
    save_annotations(folder / "faces.txt", faces)
    return folder


def interrupt(
    number: signal.Signals, arguments: list[object], is_busy: Callable[[], bool]
) -> subprocess.CompletedProcess[str]:
    """Run a command, send it a signal as soon as it is busy, and return how it ended."""
    program = f"{LISTEN}; from facetl.cli import main; main()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not is_busy():
            time.sleep(0.01)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.is_file()]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_search_that_is_not_streamed_leaves_nothing(
    frames: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "results"
    arguments = ["detect", frames, "--out", out, "--engine", "torch", "--min-face", "12"]
    done = interrupt(number, arguments, lambda: out.exists() and any(out.iterdir()))
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == "facetl: stopped; nothing unfinished is left"
    assert "Traceback" not in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_streamed_search_says_how_to_go_on(
    frames: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    lines = tmp_path / f"cartoon{LINES_SUFFIX}"
    arguments = ["detect", frames, "--out", tmp_path, "--stream", "--engine", "torch", "--force"]
    done = interrupt(
        number, arguments, lambda: lines.exists() and lines.read_bytes().count(b"\n") > 2
    )
    assert done.returncode == code
    assert f"stopped; {tmp_path} keeps what is done" in done.stderr
    assert lines.read_bytes().count(b"\n") > 2
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_training_says_how_to_go_on(
    frames: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "cascade.safetensors"
    arguments = ["train", frames, "--out", out, "--epochs", "3", "1", "1"]
    done = interrupt(number, arguments, lambda: any(tmp_path.rglob("*.checkpoint")))
    assert done.returncode == code
    assert "keeps what is done: the same command with --resume" in done.stderr
    assert not out.exists()
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_cutting_patches_leaves_nothing(
    frames: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "patches"
    done = interrupt(
        number, ["prepare", frames, "--out", out], lambda: out.exists() and any(out.iterdir())
    )
    assert done.returncode == code
    assert "stopped" in done.stderr
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_a_training_that_is_killed_ends_with_the_same_weights(frames: Path, tmp_path: Path) -> None:
    """Killed as soon as each stage has left something, gone on with, and compared."""
    few = tmp_path / "few"
    shutil.copytree(frames, few, ignore=shutil.ignore_patterns("[1-5]*.png"))
    lines = (few / "faces.txt").read_text().splitlines(keepends=True)
    (few / "faces.txt").write_text("".join(line for line in lines if line.startswith("0")))
    train = ["train", few, "--epochs", "2", "1", "1", "--workers", "1", "--out"]
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    work = broken.with_name(f"{broken.name}.work")
    ends = []
    for sign in ("*pnet.patches", "*pnet.checkpoint", "*rnet.patches", "*onet.patches"):
        if not broken.exists():  # the last stage may be quicker than the signal
            resume = ["--resume"] if work.exists() else []
            done = interrupt(signal.SIGKILL, [*train, broken, *resume], partial(_holds, work, sign))
            ends.append(done.returncode)
    assert ends.count(-signal.SIGKILL) >= 3
    for out, resume in ((whole, []), (broken, ["--resume"])):
        if not out.exists():
            command = [sys.executable, "-m", "facetl", *map(str, [*train, out, *resume])]
            subprocess.run(command, check=True, capture_output=True)
    expected, found = load_weights(whole), load_weights(broken)
    assert found.fingerprint == expected.fingerprint
    assert not work.exists()


def _holds(folder: Path, pattern: str) -> bool:
    return any(folder.glob(pattern))


def test_sigterm_is_an_interruption_of_its_own() -> None:
    def hear() -> None:
        with heeding_sigterm():
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Terminated) as raised:
        hear()
    assert exit_code(raised.value) == 143
    assert exit_code(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_threads_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with heeding_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
