"""One command at a time in one place, and nothing left by those that are gone."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from outcomes import assert_refused, half_written, left_in, success
from tiny_world import save_frames

from facetl import locks
from facetl.cli import main
from facetl.errors import OutputError
from facetl.files import is_occupied, lock_name, write_text
from facetl.locks import clear, locking

pytestmark = pytest.mark.usefixtures("sketched")

WRITING = "another facetl command is writing there; wait"

OWNER = """
import subprocess, sys
from pathlib import Path
from facetl.locks import locking
with locking(Path(sys.argv[1])):
    child = subprocess.Popen([sys.executable, "-c", "input()"], close_fds=False)
    print(child.pid, flush=True)
    input()
"""


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_frames(tmp_path_factory.mktemp("world") / "frames", 2)


def facetl(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def hidden_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*"))


# ---- the lock


@pytest.mark.parametrize("name", ["results", "new/folder/results", "a" * 250])
def test_a_place_is_locked_once_and_nothing_of_it_stays(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    with locking(place) as has_locks:
        assert has_locks
        assert not place.exists()
        with pytest.raises(OutputError, match=WRITING), locking(place):
            pass
        with locking(tmp_path / "other"):
            pass
        assert hidden_in(tmp_path) == [lock_name(place)]
    assert list(tmp_path.iterdir()) == []
    with locking(place):
        pass


def test_a_signal_just_before_signals_are_held_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def struck() -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    place = tmp_path / "new" / "out"
    with pytest.raises(KeyboardInterrupt), locking(place):  # noqa: PT012
        assert (place.parent / lock_name(place)).exists()
        monkeypatch.setattr(locks, "holding_signals", struck)
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_place_is_the_place(tmp_path: Path) -> None:
    (tmp_path / "a" / "results").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "results")
    with locking(tmp_path / "link"), pytest.raises(OutputError), locking(tmp_path / "a/results"):
        pass


def test_a_folder_that_is_made_meanwhile_is_still_locked(tmp_path: Path) -> None:
    with locking(tmp_path / "results"):
        (tmp_path / "results").mkdir()
        with pytest.raises(OutputError), locking(tmp_path / "results"):
            pass


@pytest.mark.parametrize("reason", ["a mount", "nothing can be made beside it"])
def test_a_mounted_place_holds_its_own_lock(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place := tmp_path / "results").mkdir()
    if reason == "a mount":
        monkeypatch.setattr("os.path.ismount", lambda path: path == place)
    else:
        monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with locking(place):
        assert hidden_in(place) == [lock_name(place)]
        assert not is_occupied(place)
        clear(place)
        with pytest.raises(OutputError), locking(place):
            pass
    assert list(tmp_path.rglob("*")) == [place]


def test_a_lock_dies_with_its_owner_whatever_becomes_of_the_owners_children(
    tmp_path: Path,
) -> None:
    place = tmp_path / "results"
    command = [sys.executable, "-c", OWNER, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        child = int(owner.stdout.readline())
        with pytest.raises(OutputError, match=WRITING), locking(place):
            pass
        owner.kill()
        owner.wait()
        try:
            assert hidden_in(tmp_path) == [lock_name(place)]  # left behind, and locks nothing
            with locking(place) as has_locks:
                assert has_locks
        finally:
            os.kill(child, signal.SIGKILL)
    assert hidden_in(tmp_path) == []


def test_a_lock_that_goes_while_it_is_opened_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, whoever held it has removed it."""
    real, place = locks._lock, tmp_path / "results"
    goes = [tmp_path / lock_name(place)]

    def lock(handle: int) -> None:
        if goes:
            goes.pop().unlink()
        real(handle)

    monkeypatch.setattr(locks, "_lock", lock)
    with locking(place), pytest.raises(OutputError), locking(place):
        pass
    assert not goes


def test_where_there_are_no_locks_a_word_is_said_and_the_work_is_done(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(handle: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "_lock", lock)
    result = success(facetl("detect", frames, "--out", tmp_path / "out"))
    assert result.stderr.count("no locks there") == 1
    assert hidden_in(tmp_path) == []


# ---- commands


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--force",),
        ("--stream",),
        ("--stream", "--force"),
        ("--stream", "--resume"),
        ("--engine", "ray"),
    ],
)
def test_a_search_into_the_place_of_another_is_refused(
    options: tuple[str, ...], frames: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with locking(out):
        assert_refused(facetl("detect", frames, "--out", out, *options), str(out), WRITING)
    assert not out.exists()


@pytest.mark.parametrize("resume", [(), ("--resume",), ("--force",)])
def test_patches_and_studies_are_written_by_one_command(
    resume: tuple[str, ...], frames: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with locking(out):
        for command in ("prepare", "compare"):
            assert_refused(facetl(command, frames, "--out", out, *resume), WRITING)
    assert not out.exists()


@pytest.mark.parametrize("resume", [(), ("--resume",), ("--force",)])
def test_a_training_is_resumed_by_one_command(
    resume: tuple[str, ...], frames: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "cascade.safetensors"
    with locking(out):
        half = half_written(out.with_name("cascade.jsonl"))
        assert_refused(facetl("train", frames, "--out", out, *resume), str(out), WRITING)
        assert half.exists()  # it is the other's
        half.unlink()
    assert not out.parent.exists()


def test_figures_beside_a_run_lock_its_folder(frames: Path, tmp_path: Path) -> None:
    success(facetl("detect", frames, "--out", tmp_path / "out"))
    run = tmp_path / "out" / "cartoon.detections.json"
    with locking(tmp_path / "out"):
        result = facetl("evaluate", run, "--truth", frames / "faces.txt")
        assert_refused(result, str(tmp_path / "out"), WRITING)


def test_commands_that_only_read_need_no_lock(frames: Path, tmp_path: Path) -> None:
    success(facetl("detect", frames, "--out", tmp_path / "out"))
    with locking(tmp_path / "out"):
        success(facetl("verify", tmp_path / "out"))
        success(facetl("evaluate", tmp_path / "out", "--truth", frames, "--out", tmp_path / "new"))


# ---- what killed commands have left


def test_what_is_half_written_is_cleared_and_nothing_else_that_is_hidden(tmp_path: Path) -> None:
    place, other = tmp_path / "results", tmp_path / "other"
    beside, elsewhere = half_written(place, folder=True), half_written(other)
    kept = [".notes-deadbeef.txt", ".facetl-notes.txt", "sub/.facetl-0123-01234567.png"]
    for name in kept:
        write_text(place / name, "mine")
    inside = [half_written(place / name) for name in ("a.json", "sub/a.png", "sub/b/" + "c" * 250)]
    inside.append(half_written(place / "sub" / "folder", folder=True))
    clear(place)
    assert not any(path.exists() for path in (beside, *inside))
    assert elsewhere.exists()
    assert all((place / name).read_text() == "mine" for name in kept)


def test_what_another_command_writes_in_a_folder_of_the_place_stays(tmp_path: Path) -> None:
    place = tmp_path / "results"
    with locking(place / "sub" / "new.safetensors"):
        half = [half_written(place / "sub" / name) for name in ("new.safetensors", "b/a.png")]
        mine = half_written(place / "a.json")
        clear(place)
        assert all(path.exists() for path in half)
        assert not mine.exists()
    clear(place)
    assert not any(path.exists() for path in half)


def test_a_place_that_holds_its_own_lock_is_cleared_by_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place := tmp_path / "results").mkdir()
    (tmp_path / "link").symlink_to(place)
    monkeypatch.setattr("os.path.ismount", lambda path: path == place)
    monkeypatch.chdir(tmp_path)
    for name in ("results", "link", str(place)):
        half = half_written(place / "a.json")
        with locking(Path(name)):
            clear(Path(name))
        assert not half.exists(), name


def test_a_search_that_was_killed_leaves_its_place_free(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    half_written(out / "cartoon.detections.json")
    (tmp_path / lock_name(out)).touch()
    success(facetl("detect", frames, "--out", out))
    assert left_in(out) == ["cartoon.detections.json", "report.html"]
    assert hidden_in(tmp_path) == []
    half_written(out / "overlays" / "0.jpg")
    (out / ".mine").touch()
    success(facetl("detect", frames, "--out", out, "--force"))
    assert hidden_in(tmp_path) == [".mine"]


def test_a_training_clears_what_one_that_was_killed_left_beside_it(
    frames: Path, tmp_path: Path
) -> None:
    names = ("all.safetensors", "all.jsonl", "all_losses.svg", "all_suspects.json")
    for name in names:
        half_written(tmp_path / name)
    other = half_written(tmp_path / "other.jsonl")
    out = tmp_path / "all.safetensors"
    facetl("train", tmp_path / "nowhere", "--out", out)
    assert hidden_in(tmp_path) == [other.name]
