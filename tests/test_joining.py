"""The frames of several folders together, and the names that tell them apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_world import save_frames

from facetl.data.dataset import load_dataset
from facetl.data.joining import join_folders, name_folders
from facetl.errors import InputError

some_folders = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(
        lambda parts: Path("/data/shows/of/mine", *parts)
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


def load(*folders: Path) -> list[str]:
    joined = join_folders(folders, [load_dataset(folder) for folder in folders])
    return [frame.name for frame in joined]


@given(some_folders)
def test_names_are_the_shortest_endings_of_one_length_that_differ(folders: list[Path]) -> None:
    names = name_folders(folders)
    length = next(
        length
        for length in range(1, 9)
        if len({folder.parts[-length:] for folder in folders}) == len(folders)
    )
    assert names == ["/".join(folder.parts[-length:]) for folder in folders]


def test_names_do_not_depend_on_how_a_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    assert name_folders([Path(), Path("../two"), Path("three/")]) == ["one", "two", "three"]
    assert name_folders([]) == []


def test_frames_keep_their_order_and_begin_with_their_folder(tmp_path: Path) -> None:
    second, first = save_frames(tmp_path / "second", 1), save_frames(tmp_path / "first", 2)
    datasets = [load_dataset(second), load_dataset(first)]
    joined = join_folders((second, first), datasets)
    assert [frame.name for frame in joined] == ["second/0.png", "first/0.png", "first/1.png"]
    own = [frame for dataset in datasets for frame in dataset]
    for frame, before in zip(joined, own, strict=True):
        assert frame.path == before.path
        np.testing.assert_array_equal(frame.boxes, before.boxes)
    assert joined.annotations == (second / "faces.txt", first / "faces.txt")


def test_folders_of_the_same_name_are_told_apart_by_their_parents(tmp_path: Path) -> None:
    folders = [save_frames(tmp_path / show / "frames", 1) for show in ("one", "two")]
    assert load(*folders) == ["one/frames/0.png", "two/frames/0.png"]


def test_the_same_image_is_in_one_folder_alone(tmp_path: Path) -> None:
    show = save_frames(tmp_path / "show", 2)
    copy = Path(shutil.copytree(show, tmp_path / "copy"))
    assert len(load(show, copy)) == 4  # a copy is a near-duplicate, which is kept together
    link = tmp_path / "link"
    link.symlink_to(show)
    with pytest.raises(InputError, match=r"0\.png in both .*show and .*link; give folders that"):
        load(show, link)
    with pytest.raises(InputError, match=r"found .*show twice; give each folder once"):
        load(show, copy, show)
