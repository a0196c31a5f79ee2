from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from facetl.errors import OutputError, PatchesError
from facetl.training.patch_sheet import draw_patches
from facetl.training.patches import Patches, load_patches, patches_path, writing_patches
from facetl.training.sampling import Label, LabelledWindows

COLUMNS = ("pixels", "labels", "offsets", "frame_index", "windows")


def frame_of(count: int, size: int, rng: np.random.Generator) -> tuple[Any, LabelledWindows]:
    """Made-up patches of one frame; windows are whole, so float32 holds them exactly."""
    labelled = LabelledWindows(
        windows=rng.integers(-50, 5000, (count, 4)).astype(float),
        labels=rng.integers(0, 3, count).astype(np.uint8),
        offsets=rng.integers(-64, 64, (count, 4)) / 64,
        face_index=np.zeros(count, np.intp),
    )
    return rng.integers(0, 256, (count, size, size, 3)).astype(np.uint8), labelled


def write(path: Path, counts: list[int], size: int = 12, **metadata: Any) -> list[Any]:
    """Write a file of frames with so many patches each, and return the frames."""
    rng = np.random.default_rng(0)
    frames = [frame_of(count, size, rng) for count in counts]
    with writing_patches(path, size) as writer:
        for index, (pixels, labelled) in enumerate(frames):
            writer.add(index, pixels, labelled)
        writer.metadata = metadata
    return frames


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pnet.patches"
    write(path, [3, 4], frames=["a.jpg", "b.jpg"])
    return path


@given(
    counts=st.lists(st.integers(0, 5), max_size=5),
    size=st.sampled_from([1, 12, 24]),
    metadata=st.dictionaries(
        st.sampled_from(["frames", "seed", "maker"]), st.lists(st.text()) | st.integers()
    ),
)
@settings(max_examples=50)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], size: int, metadata: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("patches") / "x.patches"
    frames = write(path, counts, size, **metadata)
    patches = load_patches(path)
    assert (len(patches), patches.size) == (sum(counts), size)
    assert {name: patches.metadata[name] for name in metadata} == metadata
    assert patches.frame_index.tolist() == [i for i, n in enumerate(counts) for _ in range(n)]
    for index, (pixels, labelled) in enumerate(frames):
        own = patches.frame_index == index
        np.testing.assert_array_equal(patches.pixels[own], pixels)
        np.testing.assert_array_equal(patches.labels[own], labelled.labels)
        np.testing.assert_array_equal(patches.windows[own], labelled.windows)
        np.testing.assert_array_equal(patches.offsets[own], labelled.offsets)


def test_pixels_stay_on_disk_until_looked_at(file: Path) -> None:
    patches = load_patches(file)
    assert all(isinstance(getattr(patches, name), np.memmap) for name in COLUMNS)
    assert not patches.pixels.flags.writeable
    assert patches.windows.flags.aligned
    assert patches.offsets.flags.aligned


def test_other_tools_open_the_file(file: Path) -> None:
    patches, columns = load_patches(file), load_file(file)
    assert set(columns) == set(COLUMNS)
    for name, column in columns.items():
        np.testing.assert_array_equal(column, getattr(patches, name))


def test_a_folder_stands_for_its_file(file: Path) -> None:
    assert file == patches_path(file.parent)
    assert len(load_patches(file.parent)) == 7
    with pytest.raises(PatchesError, match=r"rnet\.patches does not exist; make it with"):
        load_patches(file.parent, "rnet")


def test_counts_by_hand() -> None:
    labels = np.array([0, 0, 1, 2, 0], np.uint8)
    assert blank(labels=labels).counts == {Label.NEGATIVE: 3, Label.POSITIVE: 1, Label.PART: 1}


def blank(**columns: Any) -> Patches:
    """Five black patches, some columns replaced."""
    given: dict[str, Any] = {
        "pixels": np.zeros((5, 12, 12, 3), np.uint8),
        "labels": np.zeros(5, np.uint8),
        "offsets": np.zeros((5, 4), np.float32),
        "frame_index": np.zeros(5, np.int32),
        "windows": np.zeros((5, 4), np.float32),
    }
    return Patches(**(given | columns))


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("pixels", np.zeros((5, 12, 12), np.uint8)),
        ("pixels", np.zeros((5, 12, 24, 3), np.uint8)),
        ("offsets", np.zeros((4, 4), np.float32)),
        ("windows", np.zeros((5, 4), np.float64)),
        ("labels", np.full(5, Label.IGNORED, np.uint8)),
    ],
)
def test_patches_are_checked_at_birth(column: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        blank(**{column: wrong})


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=50)
def test_a_truncated_file_is_reported(
    tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    path = tmp_path_factory.mktemp("patches") / "x.patches"
    write(path, [3, 4])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(PatchesError, match="is damaged or no patch file"):
        load_patches(path)


def test_any_damage_to_the_head_gives_one_line_or_is_harmless(file: Path) -> None:
    whole = file.read_bytes()
    for place in range(0, 1000, 3):
        damaged = bytearray(whole)
        damaged[place] ^= 0x15
        file.write_bytes(damaged)
        complaint = complaint_about(file)
        assert "\n" not in complaint
        assert not complaint or str(file) in complaint


def complaint_about(file: Path) -> str:
    try:
        load_patches(file)
    except PatchesError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (None, "found format None version None, expected 'facetl-patches' version 1"),
        ({"facetl": json.dumps({"format": "facetl-weights", "version": 1})}, "facetl-weights"),
        ({"facetl": json.dumps({"format": "facetl-patches", "version": 2})}, "version 2, expected"),
        ({"facetl": "[]"}, "is damaged or no patch file"),
        ({"facetl": json.dumps({"format": "facetl-patches", "version": 1})}, "missing column"),
    ],
)
def test_files_of_another_kind_are_refused(
    tmp_path: Path, told: dict[str, str] | None, message: str
) -> None:
    path = tmp_path / "x.patches"
    save_file({"pixels": np.zeros((1, 12, 12, 3), np.uint8)}, path, told)
    with pytest.raises(PatchesError, match=message):
        load_patches(path)


def test_a_broken_off_writing_leaves_what_was_there(file: Path) -> None:
    before = file.read_bytes()
    pixels, labelled = frame_of(2, 12, np.random.default_rng(0))
    with pytest.raises(ValueError, match="expected"), writing_patches(file, 12) as writer:
        writer.add(0, pixels[:1], labelled)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_patches_of_another_size_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="expected patches of 12 pixels, got 24"),
        writing_patches(tmp_path / "x.patches", 12) as writer,
    ):
        writer.add(0, *frame_of(2, 24, np.random.default_rng(0)))


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        writing_patches(tmp_path / "in-the-way" / "x.patches", 12),
    ):
        pass


def test_the_sheet_shows_every_class_there_is() -> None:
    labels = np.array([0, 0, 1, 2, 1], np.uint8)
    all_classes = draw_patches(blank(labels=labels), rows=2, columns=2)
    negatives_alone = draw_patches(blank(), rows=2, columns=2)
    assert all_classes.shape[1] > 2 * negatives_alone.shape[1]


def test_the_sheet_draws_the_face_over_the_patch() -> None:
    yellow = (0xF0, 0xE4, 0x42)
    drawn = draw_patches(blank(labels=np.ones(5, np.uint8)))
    plain = draw_patches(blank())
    assert (drawn == yellow).all(axis=2).any()
    assert not (plain == yellow).all(axis=2).any()
