"""No memory left, nobody who reads: one line or none, no traceback, nothing half-written."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from outcomes import assert_refused, complaint, success
from tiny_world import save_frames

from facetl.cli import main
from facetl.cli.ending import describe_shortage
from facetl.data import images
from facetl.data.images import load_image
from facetl.errors import ImageError
from facetl.training import loop


def facetl(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_frames(tmp_path_factory.mktemp("world") / "frames", 4)


def no_memory(*_: object, **__: object) -> NoReturn:
    raise MemoryError


def too_deep(*_: object, **__: object) -> NoReturn:
    raise RecursionError("maximum recursion depth exceeded")


def of_torch() -> Exception:
    """What torch raises, told by asking it for more than there can be."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    return raised.value


def of_opencv() -> Exception:
    """What OpenCV raises where a picture has no room."""
    with pytest.raises(cv2.error) as raised:
        cv2.copyMakeBorder(np.zeros((9, 9, 3), np.uint8), 2**30, 2**30, 2**15, 2**15, 0)
    return raised.value


def of_numpy() -> Exception:
    with pytest.raises(MemoryError) as raised:
        np.empty(2**60, np.uint8)
    return raised.value


SHORTAGES = [
    of_torch,
    of_opencv,
    of_numpy,
    lambda: OSError(errno.ENOMEM, "Cannot allocate memory"),
    lambda: RuntimeError("can't start new thread"),
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
]


@pytest.mark.parametrize("build", SHORTAGES)
def test_all_libraries_have_their_way_to_say_so(build: Any) -> None:
    found = describe_shortage(build(), {"workers", "batch_size"})
    assert found == (
        "out of memory; try fewer --workers or a smaller --batch-size, or close other programs"
    )


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        OSError(errno.ENOSPC, "No space left on device"),
        ImageError("failed to allocate"),
    ],
)
def test_other_errors_are_left_alone(error: Exception) -> None:
    assert describe_shortage(error, set()) is None


CASES = {
    "detect": ("detect", "--overlays"),
    "prepare": ("prepare",),
}


@pytest.mark.parametrize("kind", CASES)
def test_images_that_find_no_room_are_not_called_damaged(
    kind: str, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a search on a small machine would leave out what it has no room for."""
    command, *options = CASES[kind]
    monkeypatch.setattr(images, "_pixels_of", no_memory)
    with pytest.raises(MemoryError):
        load_image(frames / "0.png")
    result = facetl(command, frames, *options, "--out", tmp_path / "out")
    assert complaint(result).startswith("facetl: out of memory; try fewer --workers")
    assert not (tmp_path / "out").exists()


def test_a_search_without_room_leaves_nothing(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facetl.search.sources.search_list", no_memory)
    result = facetl("detect", frames, "--out", tmp_path / "out")
    assert_refused(result, "fewer --workers or a smaller --batch-size")
    assert not (tmp_path / "out").exists()


def test_a_training_without_room_keeps_what_is_done(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    success(facetl("prepare", frames, "--out", tmp_path / "patches"))
    monkeypatch.setattr(loop, "load_batch", no_memory)
    out = tmp_path / "out" / "pnet.safetensors"
    result = facetl("train-pnet", tmp_path / "patches", "--batch-size", 64, "--out", out)
    assert_refused(result, "a smaller --batch-size")
    assert not list(tmp_path.rglob("out/*"))


def test_what_is_nested_too_deeply_is_one_line(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facetl.search.sources.search_list", too_deep)
    assert_refused(facetl("detect", frames, "--out", tmp_path / "out"), "nested too deeply")


def test_a_process_with_little_memory_says_so(frames: Path, tmp_path: Path) -> None:
    """For real: a quarter of a gigabyte beyond what is loaded, and an image that needs more."""
    large = tmp_path / "large.png"
    images.save_image(large, np.zeros((4500, 4500, 3), np.uint8))
    program = (
        "import resource, sys, torch, facetl.mtcnn.detector; from facetl.cli import main; "
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize(); "
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, -1)); main(sys.argv[1:])"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    command = ["detect", str(large), "--out", str(tmp_path / "out"), "--workers", "1"]
    done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "facetl: out of memory; try fewer --workers or a smaller --batch-size, or close other "
        "programs\n"
    )
    assert not (tmp_path / "out").exists()


def test_nobody_reads_to_the_end(frames: Path, tmp_path: Path) -> None:
    """As with other tools: quietly, and with the exit code of SIGPIPE; files are whole."""
    success(facetl("detect", frames, "--out", tmp_path))
    command = [sys.executable, "-m", "facetl", "evaluate", str(tmp_path), "--truth", str(frames)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()  # as a reader does that has read enough
        said = process.communicate()[1].decode()
    assert (process.returncode, said) == (141, "")
    assert (tmp_path / "metrics.json").exists()
    assert (tmp_path / "report.html").exists()
