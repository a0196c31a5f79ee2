from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facetl.data import name_matching
from facetl.data.annotations import Kind, count_problems
from facetl.data.dataset import FaceDataset, fingerprint, load_dataset
from facetl.data.discovery import find_sources
from facetl.data.formats.folders import image_root
from facetl.data.frame import Frame
from facetl.errors import AnnotationError, InputError

DEXTER = Path(__file__).resolve().parents[2] / "shared/data/dexter"
needs_dexter = pytest.mark.skipif(not DEXTER.is_dir(), reason="the real frames are not here")


def draw(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The course's layout in small: two people to train on, three frames to test on."""
    root = tmp_path / "course"
    train, test = root / "antrenare", root / "validare"
    draw(train / "dad/0001.jpg", train / "dad/0002.jpg", train / "mom/0001.jpg")
    draw(*(test / "validare" / f"00{i}.jpg" for i in (1, 2, 3)))
    (train / "dad_annotations.txt").write_text("0001.jpg 1 2 11 12 dad\n0001.jpg 5 5 9 9 mom\n")
    (train / "mom_annotations.txt").write_text("0001.jpg 3 4 13 14 mom\n")
    (test / "task1_gt_validare.txt").write_text("002.jpg 7 8 17 18\n")
    (test / "task1_gt_validare20.txt").write_text("")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One folder with three images and an annotation file."""
    folder = tmp_path / "frames"
    draw(folder / "a.jpg", folder / "b.jpg", folder / "sub/c.png")
    (folder / "faces.txt").write_text("a.jpg 1 2 11 12 dad\nsub/c.png 0 0 40 30\n")
    return folder


def names(dataset: FaceDataset) -> list[str]:
    return [frame.name for frame in dataset]


def test_the_part_to_train_on(course: Path) -> None:
    dataset = load_dataset(course, part="train")
    assert names(dataset) == ["dad/0001.jpg", "dad/0002.jpg", "mom/0001.jpg"]
    first, faceless, last = dataset.frames
    assert first.boxes.tolist() == [[1, 2, 11, 12], [5, 5, 9, 9]]
    assert first.labels == ("dad", "mom")
    assert first.path == course / "antrenare/dad/0001.jpg"
    assert first.size_hw == (30, 40)
    assert faceless.boxes.shape == (0, 4)
    assert last.boxes.tolist() == [[3, 4, 13, 14]]
    assert (len(dataset), dataset.face_count, count_problems(dataset.problems)) == (3, 3, "")
    assert names(load_dataset(course / "antrenare")) == names(dataset)


def test_the_part_to_test_on(course: Path) -> None:
    dataset = load_dataset(course, part="test")
    assert names(dataset) == ["001.jpg", "002.jpg", "003.jpg"]
    assert dataset.frames[1].boxes.tolist() == [[7, 8, 17, 18]]
    for place in ("validare", "validare/validare"):
        assert fingerprint(load_dataset(course / place)) == fingerprint(dataset)


def test_the_file_with_labels_is_preferred(course: Path) -> None:
    (course / "validare/validare_annotations.txt").write_text("002.jpg 7 8 17 18 mom\n")
    assert load_dataset(course, part="test").frames[1].labels == ("mom",)


def test_one_person_of_the_course(course: Path) -> None:
    assert names(load_dataset(course / "antrenare/dad")) == ["0001.jpg", "0002.jpg"]


@pytest.mark.parametrize(("place", "first"), [(".", "0001.jpg"), ("..", "dad/0001.jpg")])
def test_the_folder_one_stands_in(
    course: Path, monkeypatch: pytest.MonkeyPatch, place: str, first: str
) -> None:
    monkeypatch.chdir(course / "antrenare/dad")
    assert names(load_dataset(Path(place)))[0] == first


def test_a_single_pair_needs_no_prefix(tmp_path: Path) -> None:
    draw(tmp_path / "dad/1.jpg", tmp_path / "extra/1.jpg")
    (tmp_path / "dad_annotations.txt").write_text("1.jpg 1 2 3 4\n")
    (tmp_path / "notes.txt").touch()
    assert names(load_dataset(tmp_path)) == ["1.jpg"]


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[Any]:
    """Note what a function is called with from now on."""
    calls: list[Any] = []
    called = getattr(owner, name)

    def note(*arguments: object) -> object:
        calls.append(arguments)
        return called(*arguments)

    monkeypatch.setattr(owner, name, note)
    return calls


@pytest.mark.parametrize("name", ["{}.txt", "{}.TXT", "task1_gt_{}.txt", "other-{}.txt"])
def test_however_many_folders_what_lies_beside_them_is_listed_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for many in (3, 30):
        root = tmp_path / str(many)
        for number in range(many):
            draw(root / f"f{number}/a.jpg")
            (root / name.format(f"f{number}")).write_text("a.jpg 1 2 3 4\n")
        with monkeypatch.context() as patched, suppress(InputError):
            calls = count_calls(patched, os, "listdir")
            assert len(find_sources(root)) == many
        counts.append(sum(Path(str(folder)) == root for (folder,) in calls))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("owner", "name"), [(PurePath, "__lt__"), (name_matching, "normalize")])
def test_frames_are_not_sorted_to_find_what_lies_beside_them(
    tmp_path: Path, owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for many in (2, 30):
        frames = tmp_path / str(many) / "frames"
        draw(*(frames / f"{number}.jpg" for number in range(many)))
        frames.with_name("frames_annotations.txt").write_text("0.jpg 1 2 3 4\n")
        with monkeypatch.context() as patched:
            calls = count_calls(patched, owner, name)
            assert find_sources(frames)[0].images == frames
        counts.append(len(calls))
    assert counts[0] == counts[1]


def test_a_part_that_is_not_there(course: Path) -> None:
    (course / "validare").rename(course / "elsewhere")
    with pytest.raises(InputError, match="holds antrenare but no validare; give the folder"):
        load_dataset(course, part="test")


@pytest.mark.parametrize("place", ["inside", "beside", "above"])
def test_any_folder_with_one_annotation_file(folder: Path, place: str) -> None:
    moved = {
        "inside": folder / "faces.txt",
        "beside": folder.parent / "faces.txt",
        "above": folder.parent / "faces.txt",
    }[place]
    (folder / "faces.txt").rename(moved)
    dataset = load_dataset(folder.parent if place == "above" else folder)
    assert names(dataset) == ["a.jpg", "b.jpg", "sub/c.png"]
    assert dataset.face_count == 2


def test_more_than_one_candidate_is_not_guessed_at(folder: Path) -> None:
    for i in range(6):
        (folder / f"other{i}.txt").touch()
    with pytest.raises(InputError, match=r"7 text files \(faces\.txt, .*, …\); pick --annotations"):
        load_dataset(folder)
    assert load_dataset(folder, annotations=folder / "faces.txt").face_count == 2


def test_images_and_annotations_may_be_given(folder: Path, tmp_path: Path) -> None:
    assert load_dataset(images=folder).face_count == 2
    (folder / "faces.txt").rename(tmp_path / "x.text")
    assert load_dataset(images=folder, annotations=tmp_path / "x.text").face_count == 2


def test_no_annotations_at_all(folder: Path) -> None:
    (folder / "faces.txt").unlink()
    with pytest.raises(InputError, match=r"found no annotation file .*; give --annotations"):
        load_dataset(folder)


def test_no_place_and_no_such_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give a data folder or --images"):
        load_dataset()
    with pytest.raises(InputError, match="nowhere is not a folder"):
        load_dataset(tmp_path / "nowhere")


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "faces.txt").write_text("")
    with pytest.raises(InputError, match=r"no image that can be read in .*\(no image at all\)"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("written", ["sub\\c.png", "./sub/c.png"])
def test_other_habits_of_writing_paths(folder: Path, written: str) -> None:
    (folder / "faces.txt").write_text(f"{written} 0 0 40 30\n")
    assert len(load_dataset(folder).frames[2].boxes) == 1


def test_boxes_that_reach_out_are_clipped_and_counted(folder: Path) -> None:
    (folder / "faces.txt").write_text("a.jpg -5 2 50 31\na.jpg 0 0 40 30\n")
    dataset = load_dataset(folder)
    assert dataset.frames[0].boxes.tolist() == [[0, 2, 40, 30], [0, 0, 40, 30]]
    assert count_problems(dataset.problems) == "1 clipped"
    assert str(dataset.problems[0]) == (
        f"{folder}/faces.txt:1: found the box -5 2 50 31 partly outside a.jpg (40x30 pixels)"
    )


@pytest.mark.parametrize("box", ["40 0 50 10", "0 30 9 40", "-9 0 0 9", "0 -9 9 0"])
def test_boxes_wholly_outside_are_wrong(folder: Path, box: str) -> None:
    (folder / "faces.txt").write_text(f"a.jpg 1 2 3 4 dad\na.jpg {box} mom\n")
    with pytest.raises(AnnotationError, match=r"faces\.txt:2: .* wholly outside a\.jpg"):
        load_dataset(folder)
    dataset = load_dataset(folder, on_error="skip")
    assert dataset.frames[0].labels == ("dad",)
    assert count_problems(dataset.problems) == "1 outside the frame"


def test_missing_images_are_told_once_each(folder: Path) -> None:
    (folder / "faces.txt").write_text("z.jpg 1 2 3 4\na.jpg 1 2 3 4\nz.jpg 5 6 7 8\n")
    with pytest.raises(AnnotationError, match=r"faces\.txt:1: found no z\.jpg in .*; mend it"):
        load_dataset(folder)
    dataset = load_dataset(folder, on_error="skip")
    assert (count_problems(dataset.problems), dataset.face_count) == ("1 image missing", 1)


def test_unreadable_images_are_left_out_and_counted_even_when_strict(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"")
    (folder / "b.jpg").write_text("no image")
    dataset = load_dataset(folder)
    assert names(dataset) == ["sub/c.png"]
    assert count_problems(dataset.problems) == "2 image unreadable"
    unannotated, annotated = dataset.problems
    assert str(unannotated).startswith(f"{folder}/b.jpg: ")
    assert str(annotated).startswith(f"{folder}/faces.txt:1: {folder}/a.jpg is empty")
    (folder / "sub/c.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"\(3 image unreadable\)"):
        load_dataset(folder)


def test_problems_of_all_files_are_in_one_message(course: Path) -> None:
    (course / "antrenare/dad_annotations.txt").write_text("9.jpg 1 2 3 4\n0001.jpg 1 2 3\n")
    (course / "antrenare/mom_annotations.txt").write_text("0001.jpg 5 5 1 1\n")
    with pytest.raises(AnnotationError) as caught:
        load_dataset(course)
    message = str(caught.value)
    assert message.startswith(f"{course}/antrenare/dad_annotations.txt:1: found no 9.jpg")
    assert "; and 2 more: 1 wrong field count, 1 empty box; mend them" in message
    kinds = [problem.kind for problem in load_dataset(course, on_error="skip").problems]
    assert kinds == [Kind.MISSING, Kind.WRONG_FIELDS, Kind.EMPTY_BOX]


def test_the_root_of_images_is_where_folders_branch(course: Path) -> None:
    assert image_root(course / "validare") == course / "validare/validare"
    assert image_root(course / "antrenare") == course / "antrenare"


def test_frames_are_validated_at_birth() -> None:
    with pytest.raises(ValueError, match=r"shape \(N, 4\)"):
        Frame(Path("a"), "a", np.zeros((2, 3)), (None, None), (1, 1))
    with pytest.raises(ValueError, match="expected 1 labels, got 0"):
        Frame(Path("a"), "a", np.zeros((1, 4)), (), (1, 1))


def test_the_fingerprint_changes_with_what_matters(folder: Path) -> None:
    first = fingerprint(load_dataset(folder))
    assert first == fingerprint(load_dataset(folder))
    assert len(first) == 16
    draw(folder / "b.jpg")  # the same picture again
    assert fingerprint(load_dataset(folder)) == first
    Image.new("RGB", (40, 30), "red").save(folder / "b.jpg", quality=99)
    second = fingerprint(load_dataset(folder))
    (folder / "faces.txt").write_text("a.jpg 1 2 11 13 dad\nsub/c.png 0 0 40 30\n")
    third = fingerprint(load_dataset(folder))
    assert len({first, second, third}) == 3


def test_regions_to_be_ignored_change_the_fingerprint_and_their_absence_does_not() -> None:
    face, crowd = np.array([[1.0, 2, 3, 4]]), np.array([[5.0, 6, 7, 8]])
    plain = Frame(Path("a.png"), "a.png", face, (None,), (30, 40))
    before = hashlib.sha256(b"a.png (30, 40, 0, 1) (None,)\n" + face.astype("<f8").tobytes())
    assert fingerprint(FaceDataset((plain,))) == before.hexdigest()[:16]
    ignoring = replace(plain, ignored=crowd)
    assert fingerprint(FaceDataset((ignoring,))) != fingerprint(FaceDataset((plain,)))
    moved = replace(plain, ignored=crowd + 1)
    assert fingerprint(FaceDataset((moved,))) != fingerprint(FaceDataset((ignoring,)))


def test_regions_to_be_ignored_are_clipped_as_faces_are(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    crowds = [
        {"id": place, "image_id": 1, "bbox": box, "iscrowd": 1}
        for place, box in enumerate([[-5, 1, 10, 10], [100, 100, 5, 5]])
    ]
    document = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": crowds}
    (tmp_path / "x.json").write_text(json.dumps(document))
    dataset = load_dataset(tmp_path, on_error="skip")
    assert dataset.frames[0].ignored.tolist() == [[0, 1, 5, 11]]
    assert (dataset.face_count, dataset.ignored_count) == (0, 1)
    assert count_problems(dataset.problems) == "1 clipped, 2 marked to be ignored"
    assert dataset.annotations == (tmp_path / "x.json",)
    (doubt,) = dataset.warnings
    assert "found no face in 1 frame; check" in doubt
    assert load_dataset(tmp_path).ignored_count == 1


@needs_dexter
@pytest.mark.parametrize(("part", "frames", "faces"), [("train", 3600, 5218), ("test", 200, 307)])
def test_the_real_frames(part: str, frames: int, faces: int) -> None:
    dataset = load_dataset(DEXTER, part="test" if part == "test" else "train")
    assert (len(dataset), dataset.face_count) == (frames, faces)
    assert dataset.problems == ()


def test_an_empty_folder_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(InputError, match=r"empty is empty; give a folder of annotated frames"):
        load_dataset(tmp_path / "empty")
