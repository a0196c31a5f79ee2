"""Annotations as labelling tools, other machines and hands leave them; files in ``cases``."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import success
from PIL import Image
from pycocotools import mask as coco_mask

from facetl.boxes import iou
from facetl.cli import main
from facetl.data import annotations as annotation_files
from facetl.data.annotations import Kind, count_problems
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.discovery import find_parts, recognise
from facetl.data.formats.coco import Coco
from facetl.data.formats.corners import bbox_around, upright_around
from facetl.data.formats.course import load_annotations
from facetl.data.formats.yolo import looks_like_labels
from facetl.errors import AnnotationError, FacetlError, InputError
from facetl.evaluation.scoring import Truth, evaluate
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.json_file import save_run

pytestmark = pytest.mark.usefixtures("sketched")

CASES = Path(__file__).parent / "cases"
SIZE = (480, 360)
THREE = ("001.jpg", "002.jpg", "003.jpg")
FACES = {
    "001.jpg": [[192, 85, 359, 252]],
    "002.jpg": [[187, 104, 383, 312]],
    "003.jpg": [[50, 134, 111, 245], [224, 130, 374, 284]],
}
"""What all cases say, but for Label Studio's own two frames."""


def draw(*paths: Path, size: tuple[int, int] = SIZE) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


@pytest.fixture
def case(tmp_path: Path) -> Callable[..., Path]:
    """Copies a case and draws its frames."""

    def copy(name: str, folder: str, names: tuple[str, ...] = THREE) -> Path:
        place = tmp_path / "case" / name
        shutil.copytree(CASES / name, place)
        draw(*(place / folder / each for each in names))
        return place

    return copy


def faces_of(dataset: FaceDataset) -> dict[str, list[list[float]]]:
    return {Path(frame.name).name: frame.boxes.round(2).tolist() for frame in dataset}


def assert_right(dataset: FaceDataset, **counts: int) -> None:
    """Assert that the frames have the faces of all cases, and what was counted."""
    found = faces_of(dataset)
    assert list(found) == list(FACES)
    for name, boxes in FACES.items():
        np.testing.assert_allclose(found[name], boxes, atol=0.01)
    kinds = [problem.kind for problem in dataset.problems]
    assert {kind.name: kinds.count(kind) for kind in kinds} == counts
    assert dataset.warnings == ()


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, arguments), "--to", "coco"])


def kinds(dataset: FaceDataset) -> list[Kind]:
    return [problem.kind for problem in dataset.problems]


# names


@pytest.mark.parametrize("file", ["corrected.json", "corrected_with_images_downloaded.json"])
def test_a1_label_studio(case: Callable[..., Path], file: str) -> None:
    root = case("a1_label_studio", "frames", ("0001.jpg", "0002.jpg"))
    dataset = load_dataset(images=root / "frames", annotations=root / file)
    assert faces_of(dataset) == {
        "0001.jpg": [[197, 102, 238, 189], [100, 160, 189, 241]],
        "0002.jpg": [[95, 113, 180, 245]],
    }
    assert count_problems(dataset.problems) == "2 matched by the end of the name"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("a2_windows_own_folder_name", {"MATCHED": 3}),
        ("a3_suffix_case", {"MATCHED": 3}),
        ("a3_other_suffix", {"MATCHED": 3}),
        ("a4_via_string_image_id", {}),
        ("a6_duplicates_coco", {"REPEATED": 4}),
        ("a9_utf16_json", {}),
        ("a11_segmentation_only", {}),
    ],
)
def test_a2_to_a11_coco(
    case: Callable[..., Path], tmp_path: Path, name: str, counts: dict[str, int]
) -> None:
    root = case(name, "frames")
    place: dict[str, Any] = {"images": root / "frames", "annotations": root / "corrected.json"}
    assert_right(load_dataset(**place), **counts)
    assert_right(load_dataset(**place, on_error="skip"), **counts)
    result = success(convert(root / "corrected.json", tmp_path / "o.json"))
    assert "3 frames, 4 faces" in result.stdout


@pytest.mark.parametrize("way", [".", "my-project-1", "my-project-1/data.yaml"])
def test_a2_roboflow_names_its_own_folder(
    case: Callable[..., Path], tmp_path: Path, way: str
) -> None:
    root = case("a2_roboflow_own_folder_name", "my-project-1/train/images")
    assert_right(load_dataset(root / way), NO_PART=2)
    result = success(convert(root / way, tmp_path / "o.json"))
    assert "2 part missing; the first is " in result.stderr
    assert "found 'my-project-1/valid/images' for the part val, which is not" in result.stderr
    with pytest.raises(InputError, match=r"names '\.\./test/images' as test, which is not below"):
        load_dataset(root / way, part="test")


def test_a2_voc_with_paths_of_windows(case: Callable[..., Path]) -> None:
    root = case("a2_voc_windows_filename", "JPEGImages")
    dataset = load_dataset(root)
    assert faces_of(dataset)["003.jpg"] == [[49, 133, 111, 245], [223, 129, 374, 284]]
    assert kinds(dataset) == [Kind.MATCHED] * 3


def test_images_of_other_names_are_found_where_the_exact_ones_would_be(tmp_path: Path) -> None:
    names = ["dad/1.jpg", "mom/1.jpg"]
    draw(*(tmp_path / "images" / name for name in names), tmp_path / "other/3.jpg")
    document = {
        "images": [
            {"id": place, "file_name": f"C:\\old\\{name}"} for place, name in enumerate(names)
        ],
        "annotations": [{"image_id": place, "bbox": [1, 2, 3, 4]} for place in range(2)],
    }
    file = write(tmp_path / "annotations/instances_default.json", json.dumps(document))
    for place in (tmp_path, file):
        dataset = load_dataset(place)
        assert [frame.name for frame in dataset] == names
        assert kinds(dataset) == [Kind.MATCHED] * 2
    draw(*(tmp_path / "more" / name for name in names))
    with pytest.raises(InputError, match=r"found its images in .*images and in .*more; pick"):
        load_dataset(file)


# silent losses


def test_what_a_list_of_voc_names_and_is_not_there_is_told(tmp_path: Path) -> None:
    draw(tmp_path / "JPEGImages/a.jpg", tmp_path / "JPEGImages/b.jpg")
    write(tmp_path / "Annotations/a.xml", "<annotation/>")
    write(tmp_path / "ImageSets/Main/train.txt", "a\nb\n")
    with pytest.raises(AnnotationError, match=r"Annotations: found no b\.xml, which is listed"):
        load_dataset(tmp_path)
    assert kinds(load_dataset(tmp_path, on_error="skip")) == [Kind.MISSING]


@pytest.mark.parametrize("key", ["1", 1, 1.0, " 1 "])
@pytest.mark.parametrize("own", ["1", 1, 1.0])
def test_ids_may_be_numbers_or_text(tmp_path: Path, key: object, own: object) -> None:
    document = {
        "images": [{"id": own, "file_name": "a.jpg"}],
        "categories": [{"id": own, "name": "dad"}],
        "annotations": [{"image_id": key, "category_id": key, "bbox": [1, 2, 3, 4]}],
    }
    file = Coco().load(write(tmp_path / "x.json", json.dumps(document)))
    assert file.faces["a.jpg"].labels == ("dad",)


@pytest.mark.parametrize("key", [True, 1.5, None, [1], "1.5", "9" * 5_000, float("nan")])
def test_ids_that_nothing_has(tmp_path: Path, key: object) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
        "annotations": [{"image_id": key, "bbox": [1, 2, 3, 4]}],
    }
    file = Coco().load(write(tmp_path / "x.json", json.dumps(document)), "skip")
    assert [problem.kind for problem in file.problems] == [Kind.UNKNOWN]


def test_an_id_that_is_there_is_meant_before_one_that_looks_like_it(tmp_path: Path) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": "1", "file_name": "b.jpg"}],
        "annotations": [{"image_id": key, "bbox": [1, 2, 3, 4]} for key in ("1", 1.0)],
    }
    file = Coco().load(write(tmp_path / "x.json", json.dumps(document)))
    assert [line.image for line in file.lines] == ["b.jpg", "a.jpg"]


def test_a5_turned_boxes_are_the_upright_ones_around_them(case: Callable[..., Path]) -> None:
    root = case("a5_cvat_rotated", "frames")
    dataset = load_dataset(root / "corrected.json")
    side = 167 * math.sqrt(2) / 2
    expected = [275.5 - side, 168.5 - side, 275.5 + side, 168.5 + side]
    np.testing.assert_allclose(dataset.frames[0].boxes, [expected], atol=1e-5)
    assert count_problems(dataset.problems) == "4 rotated"


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-1e4, 1e4),
    st.tuples(st.floats(0, 400), st.floats(0, 400), st.floats(1, 300), st.floats(1, 300)),
)
def test_a_box_is_turned_as_its_corners_are(
    degrees: float, sides: tuple[float, float, float, float]
) -> None:
    x, y, width, height = sides
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (corners - corners.mean(0)) @ matrix.T + corners.mean(0)
    expected = [*turned.min(0), *turned.max(0)]
    np.testing.assert_allclose(
        upright_around((x, y, x + width, y + height), degrees), expected, atol=1e-3
    )


@pytest.mark.parametrize("degrees", [0, 0.0, "0.0", 180, 360, None, "x", [], float("nan"), 10**400])
def test_boxes_that_are_not_turned(degrees: object) -> None:
    assert upright_around((1, 2, 30, 40), degrees) == (1, 2, 30, 40)


def test_turned_boxes_of_voc(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    box = "<xmin>101</xmin><ymin>101</ymin><xmax>200</xmax><ymax>160</ymax>"
    attributes = "".join(
        f"<attribute><name>{name}</name><value>{value}</value></attribute>"
        for name, value in (("age", "45"), ("rotation", "90.0"))
    )
    text = f"<object><bndbox>{box}</bndbox><attributes>{attributes}</attributes></object>"
    write(tmp_path / "a.xml", f"<annotation>{text}</annotation>")
    dataset = load_dataset(tmp_path)
    assert dataset.frames[0].boxes.tolist() == [[120, 80, 180, 180]]
    assert kinds(dataset) == [Kind.ROTATED]


def test_corners_of_turned_boxes_in_yolo_are_a_polygon(tmp_path: Path) -> None:
    draw(tmp_path / "images/a.png", size=(100, 100))
    write(tmp_path / "labels/a.txt", "0 0.5 0.2 0.8 0.5 0.5 0.8 0.2 0.5\n")
    write(tmp_path / "data.yaml", "train: images\nnames: [face]\n")
    assert load_dataset(tmp_path).frames[0].boxes.tolist() == [[20, 20, 80, 80]]


def test_a6_duplicates_of_yolo(case: Callable[..., Path]) -> None:
    assert_right(load_dataset(case("a6_duplicates_yolo", "train/images")), REPEATED=4)


def test_a6_duplicates_of_the_truth_count_once(case: Callable[..., Path]) -> None:
    names = tuple(f"00{number}.jpg" for number in range(1, 7))
    root = case("a6_duplicates_truth", "validare", names)
    truth = load_dataset(root, part="test")
    assert count_problems(truth.problems) == "8 repeated"
    file = load_annotations(root / "validare_annotations.txt")
    frames = tuple(
        FrameResult(
            frame.name,
            frame.size_hw,
            Detections.from_lists(
                frame.boxes.tolist(), [0.9] * len(frame.boxes), np.zeros((len(frame.boxes), 5, 2))
            ),
            {"pnet": 1},
            0.1,
        )
        for frame in truth
    )
    for source in (truth, file):
        assert evaluate(Run("mine", {}, frames), source).metrics.ap["0.3"] == 1


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        (["dad", "dad"], ["dad"]),
        (["", "dad"], ["dad"]),
        (["dad", ""], ["dad"]),
        (["", ""], [None]),
        (["dad", "mom"], ["dad", "mom"]),
        (["dad", "mom", "dad", "", "mom"], ["dad", "mom"]),
    ],
)
def test_which_faces_are_the_same(
    tmp_path: Path, labels: list[str], kept: list[str | None]
) -> None:
    text = "".join(f"a.jpg 1 2 3 4 {label}\nb.jpg 1 2 3 4\n" for label in labels[:1])
    text += "".join(f"a.jpg 1 2 3 4 {label}\n" for label in labels[1:]) + "a.jpg 1 2 3 5\n"
    file = load_annotations(write(tmp_path / "x.txt", text))
    assert list(file.faces["a.jpg"].labels) == [*kept, None]
    assert [problem.kind for problem in file.problems] == [Kind.REPEATED] * (
        len(labels) - len(kept)
    )
    assert Truth.of(file).boxes["b.jpg"].tolist() == [[1, 2, 3, 4]]


def test_faces_are_repeated_under_two_names_of_one_image(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    write(tmp_path / "faces.txt", "./a.jpg 1 2 3 4\na.jpg 1 2 3 4\n")
    dataset = load_dataset(tmp_path)
    assert (dataset.face_count, kinds(dataset)) == (1, [Kind.REPEATED])


def test_duplicates_of_voc_and_wider(tmp_path: Path) -> None:
    draw(tmp_path / "voc/a.jpg", tmp_path / "wider/a.jpg")
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    write(tmp_path / "voc/a.xml", f"<annotation>{f'<object>{box}</object>' * 2}</annotation>")
    write(tmp_path / "wider/a_bbx_gt.txt", "a.jpg\n2\n1 2 3 4\n1 2 3 4\n")
    for name in ("voc", "wider"):
        dataset = load_dataset(tmp_path / name)
        assert (dataset.face_count, kinds(dataset)) == (1, [Kind.REPEATED])


# YOLO


def test_a7_folders_and_suffixes_in_capitals(case: Callable[..., Path]) -> None:
    assert_right(load_dataset(case("a7_yolo_Labels_folder", "train/Images")), MATCHED=3)
    assert_right(load_dataset(case("a7_yolo_one_txt_upper_case", "train/images")), MATCHED=2)


def test_suffixes_and_folders_in_capitals_are_read_in_all_formats(tmp_path: Path) -> None:
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 1, "bbox": [1, 2, 2, 2]}],
    }
    texts = {
        "voc/annotations/A.XML": f"<annotation><object>{box}</object></annotation>",
        "course/FACES.TXT": "a.jpg 1 2 3 4\n",
        "pairs/DAD_annotations.TXT": "a.jpg 1 2 3 4\n",
        "coco/FACES.JSON": json.dumps(document),
        "wider/X_BBX_GT.TXT": "a.jpg\n1\n1 2 2 2\n",
        "parts/Train/FACES.TXT": "a.jpg 1 2 3 4\n",
        "classes/LABELS/Classes.TXT": "face\n",
        "classes/LABELS/a.TXT": "0 0.0041666 0.0083333 0.0041666 0.0055555\n",
    }
    folders = {"voc": "voc/jpegimages", "pairs": "pairs/dad", "parts": "parts/Train"}
    for path, text in texts.items():
        root = path.split("/")[0]
        draw(tmp_path / folders.get(root, f"{root}/images") / "a.jpg")
        write(tmp_path / path, text)
    for root in dict.fromkeys(path.split("/")[0] for path in texts):
        dataset = load_dataset(tmp_path / root)
        np.testing.assert_allclose(dataset.frames[0].boxes, [[1, 2, 3, 4]], atol=0.01)


@pytest.mark.parametrize(
    ("image", "label", "counted"),
    [
        ("images/a.png", "labels/a.txt", 0),
        ("Images/a.png", "labels/a.txt", 0),
        ("images/a.png", "LABELS/A.TXT", 1),
        ("images/sub/a.png", "Labels/sub/15868427-a.txt", 1),
        ("images/p\u00e8re.png", "labels/pe\u0300re.txt", 1),
        ("images/a.png", "labels/15868427__a.Txt", 1),
    ],
)
def test_labels_are_found_by_the_rule_for_names(
    tmp_path: Path, image: str, label: str, counted: int
) -> None:
    draw(tmp_path / image)
    write(tmp_path / label, "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "data.yaml", "train: images\nnames: [face]\n")
    dataset = load_dataset(tmp_path)
    assert dataset.face_count == 1
    assert kinds(dataset) == [Kind.MATCHED] * counted


def test_labels_of_another_part_or_image_are_nobodys(tmp_path: Path) -> None:
    draw(*(tmp_path / f"images/{name}.png" for name in ("train/a", "train/b", "val/a", "val/c")))
    for name in ("train/b", "val/c"):
        write(tmp_path / f"labels/{name}.txt", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "labels/train/z.TXT", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "data.yaml", "train: images/train\nval: images/val\nnames: [face]\n")
    with pytest.raises(AnnotationError, match=r"z\.TXT: found no image of this name in .*train"):
        load_dataset(tmp_path)
    dataset = load_dataset(tmp_path, on_error="skip")
    assert faces_of(dataset)["a.png"] == []
    assert kinds(dataset) == [Kind.MISSING]


@pytest.mark.parametrize(
    ("name", "folder", "counts"),
    [
        ("a8_yolo_labelimg_no_yaml", "frames", {}),
        ("a8_yolo_label_studio", "images", {}),
        ("a8_yolo_cvat_1_1", "obj_train_data", {"MATCHED": 3}),
    ],
)
def test_a8_yolo_without_data_yaml(
    case: Callable[..., Path], tmp_path: Path, name: str, folder: str, counts: dict[str, int]
) -> None:
    root = case(name, folder)
    dataset = load_dataset(root)
    assert_right(dataset, **counts)
    assert [frame.labels for frame in dataset][-1] == (None, None)
    assert "3 frames, 4 faces" in success(convert(root, tmp_path / "o.json")).stdout
    assert list(find_parts(root)) == ["train"]


def test_classes_among_the_labels_name_the_faces(tmp_path: Path) -> None:
    draw(tmp_path / "Images/a.png", tmp_path / "Images/b.png")
    write(tmp_path / "labels/classes.txt", "dad\nface\n\n", "utf-16")
    write(tmp_path / "labels/a.txt", "0 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.25 0.5\n", "utf-16")
    write(tmp_path / "labels/b.txt", "")
    dataset = load_dataset(tmp_path)
    assert [frame.labels for frame in dataset] == [("dad", None), ()]
    assert (dataset.problems, dataset.warnings) == ((), ())
    write(tmp_path / "labels/a.txt", "2 0.5 0.5 0.5 0.5\n")
    with pytest.raises(AnnotationError, match=r"class 2, which classes\.txt does not name"):
        load_dataset(tmp_path)


def test_parts_of_darknet(tmp_path: Path) -> None:
    for part, folder in (("train", "obj_train_data"), ("valid", "obj_valid_data")):
        draw(tmp_path / folder / "a.png")
        write(tmp_path / folder / "a.txt", "0 0.5 0.5 0.5 0.5\n")
        write(tmp_path / f"{part}.txt", f"data/{folder}/a.png\n")
    keys = "".join(f"{part} = data/{part}.txt\n" for part in ("train", "valid", "test"))
    data = write(tmp_path / "obj.data", f"classes = 1\n{keys}names = data/obj.names\nbackup = b/\n")
    with pytest.raises(AnnotationError, match=r"found no file of names beside it; add obj\.names"):
        load_dataset(tmp_path)
    write(tmp_path / "obj.names", "dad\n")
    for place in (tmp_path, data):
        dataset = load_dataset(place)
        assert [frame.name for frame in dataset] == ["obj_train_data/a.png"]
        assert kinds(dataset) == [Kind.NO_PART, Kind.MATCHED]
        assert load_dataset(place, part="val").frames[0].name == "obj_valid_data/a.png"
    assert list(find_parts(tmp_path)) == ["train", "val"]


def test_labels_whose_classes_nothing_names(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    label = write(tmp_path / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    with pytest.raises(InputError, match=r"holds labels as YOLO has them .*; add classes\.txt"):
        load_dataset(tmp_path)
    with pytest.raises(AnnotationError, match="labels of one image as YOLO has them; give the"):
        recognise(label)


@pytest.mark.parametrize(
    ("text", "is_labels"),
    [
        ("0 0.5 0.5 0.5 0.5\n", True),
        ("12 0.5 0.5 0.5 0.5 0.9\n0", True),
        ("a.jpg 1 2 3 4\n", False),
        ("0001 12 30 40 50\n", False),
        ("0 0.5 0.5 0.5\n", False),
        ("0.5 0.5 0.5 0.5 0.5\n", False),
        ("", False),
    ],
)
def test_what_looks_like_labels(text: str, is_labels: bool) -> None:
    assert looks_like_labels(text) == is_labels


def test_a10_pixels_are_called_pixels(case: Callable[..., Path]) -> None:
    root = case("a10_yolo_pixels", "train/images")
    found = r"001\.txt:1: found 275 168 167 167, expected shares from 0 to 1 in .*, not pixels"
    with pytest.raises(AnnotationError, match=found):
        load_dataset(root)
    dataset = load_dataset(root, on_error="skip")
    assert count_problems(dataset.problems) == "4 not a share of the image"
    assert "found no face in 3 frames" in dataset.warnings[0]


# UTF-16


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a9_texts_of_windows_are_read(tmp_path: Path, encoding: str) -> None:
    def put(path: str, text: str) -> Path:
        return write(tmp_path / path, text.replace("\n", "\r\n"), encoding)

    draw(*(tmp_path / f"{place}/p\u00e8re.jpg" for place in ("course", "wider", "voc", "yolo")))
    put("course/faces.txt", "p\u00e8re.jpg 1 2 3 4 dad\n")
    put("wider/x_bbx_gt.txt", "p\u00e8re.jpg\n1\n1 2 2 2\n")
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    xml = '<?xml version="1.0" encoding="{}"?>\n<annotation><object>{}</object></annotation>\n'
    put("voc/p\u00e8re.xml", xml.format("utf-8", box))
    put("yolo/p\u00e8re.txt", "0 0.5 0.5 0.5 0.5\n")
    put("yolo/data.yaml", "train: .\nnames: [face]\n")
    for place in ("course", "wider", "voc", "yolo"):
        dataset = load_dataset(tmp_path / place)
        assert dataset.face_count == 1, place
        assert dataset.problems == (), place
    put("voc/p\u00e8re.xml", xml.format("utf-16", box).replace("bndbox", "b", 1))
    with pytest.raises(AnnotationError, match=r"re\.xml:2: found (broken XML|an object without)"):
        load_dataset(tmp_path / "voc")


# segmentations


@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        ([[1, 2, 5, 2, 5, 9]], [1, 2, 4, 7]),
        ([[1, 2, 5, 2, 5, 9], [0, 3, 1, 4, 0, 4]], [0, 2, 5, 7]),
        ([1, 2, 5, 2, 5.5, 9], [1, 2, 4.5, 7]),  # as VIA has it
        ([], None),
        ([[]], None),
        ([[1, 2, 3]], None),
        ([[1, "2"]], None),
        ([[1, float("nan")]], None),
        ([[1, 2], 3], None),
        ({"size": [4, 5], "counts": [5, 2, 2, 1, 10]}, [1, 1, 2, 2]),
        ({"size": [4, 5], "counts": [0, 20]}, [0, 0, 5, 4]),
        ({"size": [4, 5], "counts": [20]}, None),
        ({"size": [4, 5], "counts": [1, -2]}, None),
        ({"size": [4, 5], "counts": [1, True]}, None),
        ({"size": [0, 5], "counts": [1, 2]}, None),
        ({"counts": [1, 2]}, None),
        ({"size": [4, 5], "counts": "\x00"}, None),
        ({"size": [4, 5], "counts": "o" * 100}, None),
        ("polygon", None),
        (None, None),
    ],
)
def test_the_box_around_a_segmentation(segmentation: object, box: list[float] | None) -> None:
    assert bbox_around(segmentation) == box


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_runs_are_read_as_pycocotools_writes_them(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    seed, share = data.draw(st.integers(0, 999)), data.draw(st.sampled_from([0.01, 0.1, 0.9]))
    pixels = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
    packed = coco_mask.encode(np.asfortranarray(pixels))
    runs: list[int] = []
    value = 0
    for pixel in [*pixels.T.flatten().tolist(), 2]:
        if not runs:
            runs.append(0)
        if pixel != value and pixel != 2:
            runs.append(0)
            value = pixel
        runs[-1] += pixel != 2
    expected = coco_mask.toBbox(packed).tolist() if pixels.any() else None
    for counts in (packed["counts"].decode(), runs):
        assert bbox_around({"size": [height, width], "counts": counts}) == expected


def test_a_bbox_counts_before_a_segmentation(tmp_path: Path) -> None:
    polygon = [[5, 5, 9, 5, 9, 9]]
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [
            {"image_id": 1, "bbox": [1, 2, 3, 4], "segmentation": polygon},
            {"image_id": 1, "bbox": [], "segmentation": polygon},
            {"image_id": 1, "bbox": [0, 0, 0, 0], "segmentation": [[1, 2]]},
        ],
    }
    file = Coco().load(write(tmp_path / "x.json", json.dumps(document)), "skip")
    assert file.faces["a.jpg"].boxes.tolist() == [[1, 2, 4, 6], [5, 5, 9, 9]]
    assert [problem.kind for problem in file.problems] == [Kind.EMPTY_BOX]


# ZIPs


def test_a12_the_annotations_in_a_zip_are_read(case: Callable[..., Path], tmp_path: Path) -> None:
    root = case("a12_zip", "frames")
    file = root / "cvat_export.zip"
    assert_right(load_dataset(images=root / "frames", annotations=file))
    assert_right(load_dataset(file))
    result = success(convert(file, tmp_path / "o.json", "--images", root / "frames"))
    assert "3 frames, 4 faces" in result.stdout


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


COCO = json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []})


@pytest.mark.parametrize(
    "files",
    [
        {"README.roboflow.txt": "hello", "train/_annotations.coco.json": COCO, "train/a.jpg": "x"},
        {"__MACOSX/x.json": "x", "result.json": COCO.encode("utf-16")},
        {"../../x.json": COCO},
    ],
)
def test_what_else_a_zip_may_hold(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    path = zipped(tmp_path / "x.zip", files)
    assert recognise(path).name == "coco"
    assert Coco().load(path).images == ("a.jpg",)
    assert [each.name for each in tmp_path.iterdir()] == ["x.zip"]


def test_a_zip_with_a_text(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"faces.txt": "a.jpg 1 2 3 4\n"})
    assert load_annotations(path).faces["a.jpg"].boxes.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.xml": "<annotation/>", "b.xml": "x"}, "found no a in "),
        (
            {"obj.names": "x", "a.txt": "0", "b.txt": "0"},
            "x.zip holds no images, and no single file",
        ),
        ({"a.json": COCO, "b.json": COCO}, "x.zip holds a.json, b.json, and which one"),
        ({"a.jpg": "x"}, "found no annotation file in "),
        ({f"{i}.xml": "x" for i in range(9)}, "x.zip holds no images, and no single file"),
        ({"xl/workbook.xml": "x", "[Content_Types].xml": "x"}, "is an Office file; save it as"),
        (
            {"a.csv": "ImageID,Source,XMin\n"},
            "x.zip/a.csv: found a CSV table of boxes",
        ),
    ],
)
def test_a_zip_of_anything_else_says_what_it_holds(
    tmp_path: Path, files: dict[str, str | bytes], message: str
) -> None:
    path = zipped(tmp_path / "x.zip", files)
    with pytest.raises(InputError) as caught:
        load_dataset(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value) or message.startswith("found no a in ")


def test_a_zip_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", {"a.json": "[" + " " * 10**6 + "]"})
    monkeypatch.setattr(annotation_files, "MOST_UNPACKED", 10**5)
    with pytest.raises(AnnotationError, match="grow beyond 100,000 bytes; unpack it"):
        Coco().load(path)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_damaged_zip_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, junk: bytes
) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", COCO)
    data = memory.getvalue()
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(data[:place] + junk + data[place + len(junk) :])
    with suppress(FacetlError):
        Coco().load(path)


# what is known and not read

FOREIGN = {
    "datumaro.json": ('{"dm_format_version": "1.0", "items": [{"annotations": []}]}', "Datumaro"),
    "openimages.csv": ("ImageID,Source,XMin,XMax\n", "a CSV table of boxes"),
    "page.json": ("<!DOCTYPE html>\n<html lang=en>", "a web page"),
    "pointer.json": ("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
    "report.pdf": ("%PDF-1.7", "a PDF"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", FOREIGN)
def test_a13_what_is_not_read_is_named_with_the_way_out(
    tmp_path: Path, name: str, encoding: str
) -> None:
    text, what = FOREIGN[name]
    path = write(tmp_path / name, text, encoding)
    with pytest.raises(AnnotationError) as caught:
        load_dataset(path)
    assert str(caught.value).startswith(f"{path}: found ")
    assert re.search(f"found .*{what}.*, which facetl does not read; ", str(caught.value))
    if path.suffix != ".pdf":
        draw(tmp_path / "a.jpg")
        with pytest.raises(AnnotationError, match="which facetl does not read; "):
            load_dataset(tmp_path)


def test_what_lies_in_place_of_the_courses_text_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "dad/a.jpg")
    for name in ("faces.txt", "dad_annotations.txt"):
        text = write(tmp_path / name, "version https://git-lfs.github.com/spec/v1\n")
        with pytest.raises(
            AnnotationError, match=r"a Git LFS pointer, .*; fetch the file: git lfs"
        ):
            load_dataset(tmp_path / "dad")
        text.unlink()


def test_hidden_files_are_no_annotations(tmp_path: Path) -> None:
    """macOS leaves ``._NAME`` beside each file on other disks."""
    junk = "\0\5\26\7\0\2Mac OS X"
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    texts = {
        "course/faces.txt": "a.jpg 1 2 3 4\n",
        "voc/a.xml": f"<annotation><object>{box}</object></annotation>",
        "yolo/labels/a.txt": "0 0.5 0.5 0.5 0.5\n",
        "yolo/data.yaml": "train: images\nnames: [face]\n",
    }
    for name, text in texts.items():
        path = write(tmp_path / name, text)
        write(path.with_name(f"._{path.name}"), junk)
    draw(*(tmp_path / f"{name}/a.jpg" for name in ("course", "voc", "yolo/images")))
    for name in ("course", "voc", "yolo"):
        dataset = load_dataset(tmp_path / name)
        assert (dataset.face_count, dataset.problems) == (1, ())


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gzip.compress(b"x", mtime=0), "a packed file"),
        (b"7z\xbc\xaf\x27\x1c", "a packed file"),
        (b"PK\x05\x06" + b"\0" * 18, "a packed file"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "a picture"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office file"),
    ],
)
def test_files_that_are_no_text_are_named(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "faces.dat"
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=f"found {what}, which facetl does not read; "):
        recognise(path)


@pytest.mark.parametrize("name", ["x.json", "x.xml", "x.csv", "x.zip", "data.yaml"])
def test_an_empty_file_is_called_empty(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "\n")
    with pytest.raises(AnnotationError, match="is empty; export it again"):
        load_dataset(path)


@pytest.mark.parametrize("name", ["a13_cvat_xml", "a13_label_studio_json", "a13_roboflow_csv"])
def test_a13_cases(case: Callable[..., Path], name: str) -> None:
    root = case(name, "frames")
    file = next(path for path in root.rglob("*") if path.suffix in (".xml", ".json", ".csv"))
    counts = {"MATCHED": 3} if "studio" in name else {}
    assert_right(load_dataset(root), **counts)
    assert_right(load_dataset(annotations=file, images=root / "frames"), **counts)


# layouts of the course


def test_an_older_layout_of_the_course(tmp_path: Path) -> None:
    """``bart`` beside ``bart.txt``; a text of notes is no annotation."""
    for name in ("bart", "homer", "notes"):
        draw(tmp_path / name / "1.jpg")
        write(tmp_path / f"{name}.txt", f"1.jpg 1 2 30 40 {name}\n")
    write(tmp_path / "notes.txt", "drawn in May\n")
    dataset = load_dataset(tmp_path)
    assert [frame.name for frame in dataset] == ["bart/1.jpg", "homer/1.jpg"]
    assert [frame.labels for frame in dataset] == [("bart",), ("homer",)]
    assert load_dataset(tmp_path / "homer").frames[0].labels == ("homer",)
    write(tmp_path / "homer_annotations.txt", "1.jpg 1 2 30 40 mom\n")
    assert load_dataset(tmp_path).frames[1].labels == ("mom",)


def parts_of(root: Path) -> dict[str, int]:
    return {part: len(sources) for part, sources in find_parts(root).items()}


@pytest.mark.parametrize("test", ["validare", "Validare", "VALIDARE"])
@pytest.mark.parametrize("beside", [False, True])
def test_the_part_to_test_on_is_found_whatever_its_case(
    tmp_path: Path, test: str, beside: bool
) -> None:
    """Its annotations lie in it or beside it; then it is a part all the same."""
    draw(tmp_path / "antrenare/dad/1.jpg", tmp_path / test / "frames/2.jpg")
    write(tmp_path / "antrenare/dad_annotations.txt", "1.jpg 1 2 30 40 dad\n")
    text = "validare_annotations.txt" if beside else f"{test}/frames_annotations.txt"
    write(tmp_path / text, "2.jpg 1 2 30 40\n")
    assert load_dataset(tmp_path, part="test").frames[0].name == "2.jpg"
    assert [frame.labels for frame in load_dataset(tmp_path)] == [("dad",)]
    result = success(convert(tmp_path, tmp_path.parent / f"{tmp_path.name}-out"))
    assert result.stdout.startswith("train: 1 frame, 1 face\ntest: 1 frame, 1 face\n")


def test_parts_with_annotations_beside_both_are_parts(tmp_path: Path) -> None:
    for name in ("antrenare", "validare"):
        draw(tmp_path / name / f"{name}.jpg")
        write(tmp_path / f"{name}_annotations.txt", f"{name}.jpg 1 2 30 40\n")
    assert [frame.name for frame in load_dataset(tmp_path)] == ["antrenare.jpg"]
    assert [frame.name for frame in load_dataset(tmp_path, part="test")] == ["validare.jpg"]


def test_a_part_whose_annotations_are_not_clear_is_never_left_out(tmp_path: Path) -> None:
    draw(tmp_path / "antrenare/dad/1.jpg", tmp_path / "validare/frames/2.jpg")
    write(tmp_path / "antrenare/dad_annotations.txt", "1.jpg 1 2 30 40 dad\n")
    for name in ("validare_annotations.txt", "task1_gt_validare.txt"):
        write(tmp_path / "validare" / name, "2.jpg 1 2 30 40\n")
    out = tmp_path.parent / f"{tmp_path.name}-out"
    result = convert(tmp_path, out)
    assert result.exit_code == 1
    assert "part test: " in result.stderr
    assert "holds 2 text files" in result.stderr
    assert "or take another --part" in result.stderr
    assert not out.exists()
    assert "1 frame, 1 face" in success(convert(tmp_path, out, "--part", "train")).stdout


# warnings


def test_frames_without_faces_are_no_reason_to_doubt_unless_they_are_most(tmp_path: Path) -> None:
    draw(*(tmp_path / f"frames/{number}.jpg" for number in range(4)))
    text = write(tmp_path / "faces.txt", "")
    place: dict[str, Any] = {"images": tmp_path / "frames", "annotations": text}
    line = f"{text}: found no face in 4 frames; check that everything was exported"
    assert load_dataset(**place).warnings == (line,)
    write(text, "0.jpg 1 2 3 4\n")
    line = f"{text}: found annotations of 1 of 4 frames, fewer than half; check that everything "
    assert load_dataset(**place).warnings == (f"{line}was exported",)
    write(text, "0.jpg 1 2 3 4\n1.jpg 1 2 3 4\n")
    assert load_dataset(**place).warnings == ()


def test_frames_of_which_a_format_says_that_they_have_no_face(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / f"yolo/images/{number}.jpg", tmp_path / f"voc/{number}.jpg")
        write(tmp_path / f"voc/{number}.xml", "<annotation/>")
    draw(*(tmp_path / f"wider/{number}.jpg" for number in range(4)))
    write(tmp_path / "yolo/data.yaml", "train: images\nnames: [face]\n")
    write(tmp_path / "yolo/labels/0.txt", "0 0.5 0.5 0.5 0.5\n")
    assert "annotations of 1 of 4 frames" in load_dataset(tmp_path / "yolo").warnings[0]
    write(tmp_path / "yolo/labels/1.txt", "")
    assert load_dataset(tmp_path / "yolo").warnings == ()
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    write(tmp_path / "voc/0.xml", f"<annotation><object>{box}</object></annotation>")
    assert load_dataset(tmp_path / "voc").warnings == ()
    text = "".join(f"{number}.jpg\n{int(not number)}\n1 2 3 4\n" for number in range(4))
    write(tmp_path / "wider/x_bbx_gt.txt", text.replace("0\n1 2 3 4\n", "0\n0 0 0 0\n"))
    assert load_dataset(tmp_path / "wider").warnings == ()


def test_each_command_says_it_loudly(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("antrenare/dad", "antrenare/mom", "validare/validare"):
        draw(*(tmp_path / f"{name}/{number}.jpg" for number in range(3)))
        write(tmp_path / f"{name}_annotations.txt", "")
    found = "warning: {}: found no face in 3 frames; check that everything was exported"
    dad, test = (
        tmp_path / f"{name}_annotations.txt" for name in ("antrenare/dad", "validare/validare")
    )
    out = tmp_path_factory.mktemp("out")
    for command, *arguments in (
        ("convert", tmp_path, out / "o.json", "--to", "coco"),
        ("prepare", tmp_path, "--out", out / "patches"),
        ("train", tmp_path, "--out", out / "x.safetensors"),
        (
            "tune",
            tmp_path / "antrenare",
            "--weights",
            "cartoon",
            "--out",
            out / "y.safetensors",
        ),
        ("compare", tmp_path, "--out", out / "compare"),
    ):
        result = CliRunner().invoke(main, [command, *map(str, arguments)])
        assert f"{found.format(dad)} (and 1 more file like it)" in result.stderr, command
    nothing = Detections.from_lists([], [], np.zeros((0, 5, 2)))
    frames = tuple(FrameResult(f"{number}.jpg", SIZE, nothing, {}, 0.1) for number in range(3))
    save_run(out / "found/mine.detections.json", Run("mine", {}, frames))
    for truth, line in ((tmp_path, found.format(test)), (test, f"{test}: found no face; check")):
        words = ["evaluate", str(out / "found"), "--truth", str(truth), "--force"]
        assert line in CliRunner().invoke(main, words).stderr


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "faces.txt")
    for read in (load_annotations, Coco().load, recognise, load_dataset):
        with pytest.raises(FacetlError, match=r"pipe or a device|is not a folder"):
            read(tmp_path / "faces.txt")


def test_a_duplicate_is_exact(tmp_path: Path) -> None:
    """A box that is nearly the same is another face, for all that anybody knows."""
    file = load_annotations(write(tmp_path / "x.txt", "a.jpg 1 2 30 40\na.jpg 1 2 30 40.5\n"))
    assert float(iou(file.faces["a.jpg"].boxes[:1], file.faces["a.jpg"].boxes[1:])[0, 0]) > 0.9
    assert (len(file.lines), file.problems) == (2, ())
