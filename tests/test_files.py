from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from facetl.errors import OutputError
from facetl.files import (
    atomic_path,
    folder_in_place,
    open_regular,
    read_regular,
    refuse_to_overwrite,
    require_regular,
    require_writable,
    write_text,
)


def write_half(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def make_half(out: Path) -> None:
    with folder_in_place(out) as folder:
        (folder / "half").touch()
        raise KeyboardInterrupt


def test_the_file_appears_whole_in_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_text_is_utf8_and_replaces_what_was_there(tmp_path: Path) -> None:
    for text in ("old", "Măseluţă"):
        write_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_bytes() == "Măseluţă".encode()


def test_a_place_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/a.txt cannot be written \(.+\); choose another"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match=r"cannot be written \(Is a directory\)"):
        write_text(tmp_path / "a.txt", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    refuse_to_overwrite(path, force=False)
    refuse_to_overwrite(tmp_path, force=False)  # an empty folder holds nothing to lose
    path.write_text("old")
    for occupied in (path, tmp_path):
        with pytest.raises(
            OutputError, match=r"exists already; choose another place, or .*--force"
        ):
            refuse_to_overwrite(occupied, force=False)
        refuse_to_overwrite(occupied, force=True)


def test_what_fails_beside_the_file_is_not_blamed_on_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "missing.txt").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"), atomic_path(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_appears_whole_and_what_is_called_the_same_makes_way(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    for text in ("old", "new"):
        with folder_in_place(out) as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / f"{text}.txt").touch()
            (folder / "a.txt").write_text(text)
            assert folder.name.startswith(".")
        assert [path.name for path in out.parent.iterdir()] == ["out"]
        (out / "other").touch()
    assert sorted(path.name for path in out.rglob("*")) == ["a.txt", "new.txt", "other", "sub"]
    assert (out / "a.txt").read_text() == "new"


def test_a_broken_off_folder_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        make_half(tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(OutputError, match="cannot be written"), folder_in_place(out):
            pass
    with pytest.raises(OutputError, match="No space"), folder_in_place(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OutputError, match="No such file"), folder_in_place(tmp_path / "o") as new:
        (new / "missing").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_fails_beside_a_folder_is_not_blamed_on_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), folder_in_place(tmp_path / "out"):
        (tmp_path / "missing.txt").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_tried_before_the_work_and_left_as_it_was(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/new cannot be written .*choose another place"):
        require_writable(tmp_path / "file" / "new")


def test_what_is_read_is_a_file_with_an_end(tmp_path: Path) -> None:
    """A pipe that nobody writes into would be waited for; /dev/zero would fill all memory."""
    path, pipe, endless = tmp_path / "a.txt", tmp_path / "pipe", tmp_path / "endless"
    path.write_text("text")
    os.mkfifo(pipe)
    endless.symlink_to("/dev/zero")
    assert read_regular(path) == b"text"
    with open_regular(path) as file:
        assert file.readline() == b"text"
    for place, fault in (
        (pipe, "not a file"),
        (endless, "not a file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "missing", "No such file"),
        (tmp_path / ("a" * 5_000), "File name too long"),
    ):
        for read in (read_regular, require_regular):
            with pytest.raises(OSError, match=fault):
                read(place)
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_regular(path, 3)


@pytest.mark.skipif(not Path("/proc/self/pagemap").exists(), reason="needs Linux's /proc")
def test_files_of_proc_that_have_no_end_are_empty(tmp_path: Path) -> None:
    endless = tmp_path / "frame.png"
    endless.symlink_to("/proc/self/pagemap")
    assert endless.is_file()
    assert read_regular(endless) == b""
    with pytest.raises(OSError, match="it is empty"):  # a library would read what there is
        require_regular(endless)


def test_what_grows_while_it_is_read_is_not_read_beyond_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text, and more of it")
    monkeypatch.setattr("facetl.files._require_regular", lambda *_: None)  # it was smaller then
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_regular(path, 4)
