"""The readers of COCO, YOLO, Pascal VOC and WIDER FACE, and how formats are recognised."""

from __future__ import annotations

import json
import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from facetl.data.annotations import (
    AnnotationFile,
    FaceLine,
    Kind,
    Problem,
    collect_faces,
    count_problems,
)
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.discovery import find_parts, recognise
from facetl.data.formats.base import choose_part
from facetl.data.formats.coco import Coco
from facetl.data.formats.names import class_label, image_name
from facetl.data.formats.table import load_format
from facetl.data.formats.voc import _load_voc, _whole_pixels
from facetl.data.formats.wider import Wider
from facetl.data.formats.yolo import _label_path, _load_yolo_set
from facetl.data.images import save_image
from facetl.errors import AnnotationError, FacetlError, InputError

SIZE = (40, 30)


def draw(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE).save(path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def kinds(file: AnnotationFile | FaceDataset) -> list[Kind]:
    return [problem.kind for problem in file.problems]


def names(dataset: FaceDataset) -> list[str]:
    return [frame.name for frame in dataset]


# COCO


def coco(**changes: Any) -> dict[str, Any]:
    """A data set of two images, one face and a crowd."""
    face = {"id": 7, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10.5, 9]}
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 2, "file_name": "b.png", "width": 40, "height": 30},
        ],
        "categories": [{"id": 3, "name": "dad"}, {"id": 4, "name": "face"}],
        "annotations": [face, {**face, "id": 8, "category_id": 4, "iscrowd": 1}],
        **changes,
    }


def test_coco_lists_images_and_knows_crowds(tmp_path: Path) -> None:
    file = Coco().load(write(tmp_path / "x.json", json.dumps(coco())))
    assert file.images == ("a.png", "b.png")
    assert file.faces["a.png"].boxes.tolist() == [[1, 2, 11.5, 11]]
    assert file.faces["a.png"].labels == ("dad",)
    assert file.faces["b.png"].boxes.shape == (0, 4)
    assert [*file.ignored] == ["a.png"]
    assert file.ignored["a.png"].tolist() == [[1, 2, 11.5, 11]]
    assert kinds(file) == [Kind.IGNORED]
    assert "found a face marked iscrowd in a.png" in str(file.problems[0])


@pytest.mark.parametrize(("key", "value"), [("iscrowd", 1), ("ignore", 1), ("ignore", True)])
@pytest.mark.parametrize("shape", [[], [[1, 2, 9, 2, 9, 9]], {"counts": "3]o", "size": [30, 40]}])
def test_coco_regions_to_be_ignored_have_their_bbox(
    tmp_path: Path, key: str, value: object, shape: object
) -> None:
    crowd = {"id": 8, "image_id": 2, "bbox": [5, 6, 20, 10], key: value, "segmentation": shape}
    file = Coco().load(write(tmp_path / "x.json", json.dumps(coco(annotations=[crowd]))))
    assert file.ignored["b.png"].tolist() == [[5, 6, 25, 16]]
    assert file.faces["b.png"].boxes.shape == (0, 4)


@pytest.mark.parametrize("value", [0, False, None, "0", "", "false", "False", "None", " 0 "])
def test_coco_marks_that_say_no(tmp_path: Path, value: object) -> None:
    face = {"id": 8, "image_id": 2, "bbox": [5, 6, 20, 10], "iscrowd": value, "ignore": value}
    file = Coco().load(write(tmp_path / "x.json", json.dumps(coco(annotations=[face]))))
    assert (len(file.faces["b.png"].boxes), file.ignored, kinds(file)) == (1, {}, [])


@pytest.mark.parametrize("box", [None, [1, 2, 0, 0], ["x", 2, 3, 4]])
def test_a_coco_region_without_a_box_is_left_out_and_counted(tmp_path: Path, box: object) -> None:
    crowd = {"id": 8, "image_id": 2, "bbox": box, "iscrowd": 1}
    file = Coco().load(write(tmp_path / "x.json", json.dumps(coco(annotations=[crowd]))))
    assert (file.ignored, kinds(file)) == ({}, [Kind.IGNORED])
    assert "annotation 8: found iscrowd, and no box" in str(file.problems[0])


@pytest.mark.parametrize(
    ("change", "kind", "found"),
    [
        ({"image_id": 9}, Kind.UNKNOWN, "annotation 7: found the image_id 9"),
        ({"image_id": [1]}, Kind.UNKNOWN, "image_id [1]"),
        ({"category_id": 5}, Kind.UNKNOWN, "category_id 5"),
        ({"bbox": [1, 2, 3]}, Kind.WRONG_FIELDS, "expected [x, y, width, height]"),
        ({"bbox": None}, Kind.WRONG_FIELDS, "found the bbox None"),
        ({"bbox": [1, 2, 3, "4"]}, Kind.NOT_A_NUMBER, "expected four numbers"),
        ({"bbox": [1, 2, 3, True]}, Kind.NOT_A_NUMBER, "expected four numbers"),
        ({"bbox": [1, 2, 3, 10**400]}, Kind.NOT_A_NUMBER, "…, expected four numbers"),
        ({"bbox": [1, 2, 3, float("nan")]}, Kind.NOT_A_NUMBER, "expected four numbers"),
        ({"bbox": [1, 2, 0, 4]}, Kind.EMPTY_BOX, "expected width and height above 0"),
        ({"bbox": [1, 2, 3, -4]}, Kind.EMPTY_BOX, "expected width and height above 0"),
        ({"bbox": [1e308, 2, 1e308, 4]}, Kind.NOT_A_NUMBER, "expected four numbers of pixels"),
    ],
)
def test_a_wrong_annotation_says_its_id(
    tmp_path: Path, change: dict[str, Any], kind: Kind, found: str
) -> None:
    wrong = {**coco()["annotations"][0], **change}
    path = write(tmp_path / "x.json", json.dumps(coco(annotations=[wrong])))
    with pytest.raises(AnnotationError) as caught:
        Coco().load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert found in str(caught.value)
    assert kinds(Coco().load(path, "skip")) == [kind]


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"id": 1, "file_name": "a\n.png"}, Kind.ESCAPE),
        ({"id": 1, "file_name": ".."}, Kind.ESCAPE),
        ({"id": 1}, Kind.WRONG_FIELDS),
        ({"file_name": "a.png"}, Kind.WRONG_FIELDS),
        ("a.png", Kind.WRONG_FIELDS),
    ],
)
def test_wrong_images_of_coco(tmp_path: Path, entry: object, kind: Kind) -> None:
    path = write(tmp_path / "x.json", json.dumps(coco(images=[entry], annotations=[])))
    assert kinds(Coco().load(path, "skip")) == [kind]


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        ({"id": 1, "file_name": "b.png"}, ("c.png",)),
        ({"id": 2, "file_name": "./a.png"}, ("c.png",)),
        ({"id": 1, "file_name": "a.png"}, ("c.png",)),
        ({"id": "1", "file_name": "b.png"}, ("a.png", "b.png", "c.png")),
    ],
)
def test_images_listed_twice_in_coco_are_nobodys(
    tmp_path: Path, second: dict[str, Any], kept: tuple[str, ...]
) -> None:
    """A face of an id that two images have would go to either; of a file twice, be there twice."""
    images = [{"id": 1, "file_name": "a.png"}, second, {"id": 3, "file_name": "c.png"}]
    document = coco(images=images, annotations=coco()["annotations"][:1])
    path = write(tmp_path / "x.json", json.dumps(document))
    file = Coco().load(path, "skip")
    assert file.images == kept
    if "a.png" in kept:
        assert (file.problems, next(iter(file.faces))) == ((), "a.png")
        return
    assert kinds(file) == [Kind.TWICE, Kind.TWICE, Kind.UNKNOWN]
    assert file.lines == ()
    with pytest.raises(AnnotationError, match="at another image too; and 2 more: "):
        Coco().load(path)


@pytest.mark.parametrize(
    ("width", "height", "right"),
    [(40, 30, True), (0, 0, True), (None, None, True), ("x", [], True), (40.0, 30.0, True)]
    + [(500, 400, False), (30, 40, False), (40, 31, False)],
)
def test_an_image_has_the_size_that_the_file_says(
    tmp_path: Path, width: object, height: object, right: bool
) -> None:
    draw(tmp_path / "a.png", tmp_path / "Annotations/a.png")
    image = {"id": 1, "file_name": "a.png", "width": width, "height": height}
    document = coco(images=[image], annotations=coco()["annotations"][:1])
    write(tmp_path / "x.json", json.dumps(document))
    size = f"<size><width>{width}</width><height>{height}</height></size><object>"
    text = VOC.format(filename="a.png", xmin=2, ymax=12).replace("<object>", size)
    write(tmp_path / "Annotations/a.xml", text)
    for file in ("x.json", "Annotations"):
        place: dict[str, Any] = {"images": tmp_path, "annotations": tmp_path / file}
        (tmp_path / "Annotations/a.png").unlink(missing_ok=True)
        if right:
            assert load_dataset(**place).problems == ()
            continue
        found = rf"found a\.png of 40x30 pixels \(upright\) where {width}x{height} were annotated"
        with pytest.raises(AnnotationError, match=f"{found}; give the images that were"):
            load_dataset(**place)
        with pytest.raises(InputError, match="1 image of another size"):
            load_dataset(**place, on_error="skip")


def test_the_size_is_that_of_the_upright_image(tmp_path: Path) -> None:
    turned = Image.new("RGB", SIZE).getexif()
    turned[0x0112] = 6
    Image.new("RGB", SIZE).save(tmp_path / "a.jpg", exif=turned)
    image = {"id": 1, "file_name": "a.jpg", "width": 30, "height": 40}
    path = write(tmp_path / "x.json", json.dumps(coco(images=[image], annotations=[])))
    assert load_dataset(tmp_path, annotations=path).frames[0].size_hw == (40, 30)


def test_broken_json_says_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", '{"images": [],\n "annotations": [}\n')
    with pytest.raises(AnnotationError, match=r"x\.json:2: found broken JSON"):
        Coco().load(path)
    with pytest.raises(AnnotationError, match="found JSON without lists of images"):
        Coco().load(write(tmp_path / "x.json", "[]"))
    with pytest.raises(AnnotationError, match="found JSON that cannot be read"):
        Coco().load(write(tmp_path / "x.json", "[" * 100_000))
    with pytest.raises(AnnotationError, match="expected a list of categories"):
        Coco().load(write(tmp_path / "x.json", json.dumps(coco(categories={}))))


def test_only_listed_images_are_frames_of_coco(tmp_path: Path) -> None:
    draw(*(tmp_path / f"images/{name}.png" for name in "abc"))
    write(tmp_path / "annotations/instances_train.json", json.dumps(coco()))
    dataset = load_dataset(tmp_path)
    assert names(dataset) == ["a.png", "b.png"]
    assert kinds(dataset) == [Kind.IGNORED, Kind.UNLISTED]
    (tmp_path / "images/b.png").unlink()
    with pytest.raises(AnnotationError, match=r"instances_train\.json: found no b\.png in"):
        load_dataset(tmp_path)


def test_parts_of_coco(tmp_path: Path) -> None:
    """Equal names in several folders: the folder that is called as the part is meant."""
    for part in ("train", "val"):
        draw(tmp_path / f"{part}2017/a.png")
        images = coco()["images"][:1]
        document = coco(images=images, annotations=[])
        write(tmp_path / f"annotations/instances_{part}2017.json", json.dumps(document))
    assert load_dataset(tmp_path).frames[0].path == tmp_path / "train2017/a.png"
    assert load_dataset(tmp_path, part="test").frames[0].path == tmp_path / "val2017/a.png"
    assert list(find_parts(tmp_path)) == ["train", "val"]
    write(tmp_path / "annotations/persons_train.json", json.dumps(coco()))
    with pytest.raises(InputError, match=r"which one is to train is not clear; pick --annotations"):
        load_dataset(tmp_path)


def test_a_folder_for_each_part(tmp_path: Path) -> None:
    """As Roboflow lays COCO out; a text that is no annotation is in nobody's way."""
    for part in ("train", "valid"):
        draw(tmp_path / part / "a.png", tmp_path / part / "b.png")
        write(tmp_path / part / "_annotations.coco.json", json.dumps(coco()))
    write(tmp_path / "README.roboflow.txt", "Made with love\n")
    assert load_dataset(tmp_path).frames[0].path == tmp_path / "train/a.png"
    assert load_dataset(tmp_path, part="test").frames[0].path == tmp_path / "valid/a.png"


# YOLO


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Two parts; of the second image no labels, of the third key points are no business of ours."""
    root = tmp_path / "yolo"
    draw(root / "images/train/a.png", root / "images/train/sub/b.png", root / "images/val/c.png")
    write(root / "labels/train/a.txt", "1 0.5 0.5 0.25 0.2\n\n0 0.25 0.5 0.5 1 0.97\n")
    write(root / "labels/val/c.txt", "0 0.1 0.1 0.6 0.1 0.6 0.9\n")
    write(root / "data.yaml", "train: images/train\nval: images/val\nnames: [face, dad]\n")
    return root


def test_yolo_boxes_are_shares_of_the_image(yolo: Path) -> None:
    dataset = load_dataset(yolo)
    assert names(dataset) == ["a.png", "sub/b.png"]
    assert dataset.frames[0].boxes.tolist() == [[15, 12, 25, 18], [0, 0, 20, 30]]
    assert dataset.frames[0].labels == ("dad", None)
    assert dataset.frames[1].boxes.shape == (0, 4)
    assert load_dataset(yolo, part="test").frames[0].boxes.tolist() == [[4, 3, 24, 27]]
    assert load_dataset(yolo / "data.yaml").frames[0].name == "a.png"


@pytest.mark.parametrize(
    ("line", "kind", "found"),
    [
        ("0 0.5 0.5 0.2", Kind.WRONG_FIELDS, "found 4 fields, expected `class x y width height`"),
        ("0 0.5 x 0.2 0.2", Kind.NOT_A_NUMBER, "found 'x', expected a number"),
        ("0 0.5 nan 0.2 0.2", Kind.NOT_A_NUMBER, "found 'nan'"),
        ("2 0.5 0.5 0.2 0.2", Kind.UNKNOWN, "found the class 2, which data.yaml does not name"),
        ("0.5 0.5 0.5 0.2 0.2", Kind.UNKNOWN, "found the class 0.5"),
        ("0 0.5 0.5 0 0.2", Kind.EMPTY_BOX, "expected a width and height above 0"),
        ("0 0.5 0.5 1e-12 0.2", Kind.EMPTY_BOX, "expected a width and height above 0"),
        ("0 2 0.5 0.2 0.2", Kind.OUTSIDE, "wholly outside a.png"),
    ],
)
def test_a_wrong_line_of_yolo_is_told_with_file_and_line(
    yolo: Path, line: str, kind: Kind, found: str
) -> None:
    path = write(yolo / "labels/train/a.txt", f"0 0.5 0.5 0.2 0.2\n{line}\n")
    with pytest.raises(AnnotationError) as caught:
        load_dataset(yolo)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert found in str(caught.value)
    assert kinds(load_dataset(yolo, on_error="skip")) == [kind]


def test_labels_without_an_image_are_told(yolo: Path) -> None:
    write(yolo / "labels/train/classes.txt", "face\n")
    write(yolo / "labels/train/empty.txt", "")
    path = write(yolo / "labels/train/sub/z.txt", "0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(AnnotationError, match=r"sub/z\.txt: found no image of this name in"):
        load_dataset(yolo)
    assert [each.path for each in load_dataset(yolo, on_error="skip").problems] == [path]


def test_rounded_shares_do_not_count_as_clipped(yolo: Path) -> None:
    write(yolo / "labels/train/a.txt", "0 0.500001 0.5 1 1\n1 0.5 0.5 1.1 1\n")
    dataset = load_dataset(yolo)
    assert dataset.frames[0].boxes[:, [0, 2]].tolist() == [[4e-05, 40], [0, 40]]
    assert kinds(dataset) == [Kind.CLIPPED]


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("train: [\nnames", r"data\.yaml:2: found broken YAML"),
        ("- 1\n", "found no keys, expected train, val and names"),
        ("train: images/train\n", "found no names of classes"),
        ("train: images/train\nnames: {true: a}\n", "found a bool with a str among the names"),
        ("train: images/train\nnames: [[a]]\n", "found a int with a list among the names"),
        ("train: images/other\nnames: [a]\n", "names 'images/other' as train, which is not below"),
        ("train: ../../images/other\nnames: [a]\n", "which is not below"),
        ("train: /etc\nnames: [a]\n", "names '/etc' as train, which is not below"),
        ("names: [a]\n", "names no part that is there, but nothing to train"),
        ("test: 2020-99-99\nnames: [a]\n", "found YAML that cannot be read"),
        ("names: !!python/object/apply:os.getcwd []\n", "found broken YAML"),
    ],
)
def test_a_wrong_data_yaml(yolo: Path, yaml: str, message: str) -> None:
    write(yolo / "data.yaml", yaml)
    with pytest.raises(InputError, match=message):
        load_dataset(yolo, form="yolo")


@pytest.mark.parametrize(
    "yaml",
    [
        "path: ../elsewhere/yolo\ntrain: images/train\nnames: {0: face, '1': dad}\n",
        "path: images\ntrain: train\nnames: [face, dad]\n",
        "train: ../images/train\nnames: [face, dad]\n",
        "train: [images/train]\nnames: [face, dad]\n",
        "train: .\\images\\train\nnames: [face, dad]\n",
    ],
)
def test_ways_to_name_a_folder(yolo: Path, yaml: str) -> None:
    write(yolo / "data.yaml", yaml)
    assert load_dataset(yolo).frames[0].labels == ("dad", None)


def test_several_folders_keep_their_names_apart(yolo: Path) -> None:
    write(yolo / "data.yaml", "train: [images/train, images/val]\nnames: [face, dad]\n")
    assert names(load_dataset(yolo)) == ["train/a.png", "train/sub/b.png", "val/c.png"]


def test_a_text_may_list_the_images(yolo: Path) -> None:
    write(yolo / "data.yaml", "path: .\ntrain: train.txt\nnames: [face, dad]\n")
    listing = write(yolo / "train.txt", "./images/train/a.png\n\n/etc/a.png\n")
    with pytest.raises(AnnotationError, match=r"train\.txt:3: found the path '/etc/a\.png'"):
        load_dataset(yolo)
    write(listing, "./images/train/a.png\n")
    dataset = load_dataset(yolo)
    assert (names(dataset), dataset.face_count) == (["images/train/a.png"], 2)
    assert dataset.problems == ()


def test_a_listed_name_that_is_too_long_for_a_text_is_left_out(yolo: Path) -> None:
    write(yolo / "data.yaml", "path: .\ntrain: train.txt\nnames: [face, dad]\n")
    write(yolo / "train.txt", f"./images/train/a.png\n{'b' * 255}\n")
    assert [frame.name for frame in load_dataset(yolo, on_error="skip")] == ["images/train/a.png"]


def test_of_key_points_the_box_counts(yolo: Path) -> None:
    write(yolo / "data.yaml", "train: images/train\nnames: [face, dad]\nkpt_shape: [2, 2]\n")
    write(yolo / "labels/train/a.txt", "1 0.5 0.5 0.25 0.2 0 0 1 1\n")
    assert load_dataset(yolo).frames[0].boxes.tolist() == [[15, 12, 25, 18]]


def test_where_the_labels_of_an_image_are() -> None:
    root = Path("data/images/set")
    assert _label_path(root / "images/train/a.b.png", root) == root / "labels/train/a.b.txt"
    assert _label_path(root / "images/x/images/a.png", root) == root / "images/x/labels/a.txt"
    assert _label_path(root / "train/a.png", root) == root / "train/a.txt"


# Pascal VOC

VOC = """<annotation>
    <filename>{filename}</filename>
    <object><name>dad</name><truncated>1</truncated><difficult>0</difficult>
        <bndbox><xmin>{xmin}</xmin><ymin>3</ymin><xmax>11</xmax><ymax>{ymax}</ymax></bndbox>
        <part><name>nose</name><bndbox><xmin>5</xmin></bndbox></part>
    </object>
</annotation>
"""


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "voc"
    draw(root / "JPEGImages/sub/a.png", root / "JPEGImages/b.png")
    text = VOC.format(filename="a.png", xmin=2, ymax=12)
    write(root / "Annotations/sub/a.xml", text)
    write(root / "Annotations/b.xml", "<annotation><filename>b.png</filename></annotation>")
    return root


def test_voc_counts_from_1_and_includes_the_last_pixel(voc: Path) -> None:
    dataset = load_dataset(voc)
    assert names(dataset) == ["b.png", "sub/a.png"]
    assert dataset.frames[1].boxes.tolist() == [[1, 2, 11, 12]]
    assert dataset.frames[1].labels == ("dad",)
    assert dataset.frames[0].boxes.shape == (0, 4)
    assert load_dataset(voc / "Annotations/sub/a.xml", images=voc / "JPEGImages/sub").face_count
    (voc / "Annotations/b.xml").unlink()
    assert kinds(load_dataset(voc)) == [Kind.UNLISTED]


def test_difficult_faces_of_voc_are_ignored_or_faces_as_chosen(voc: Path) -> None:
    path = voc / "Annotations/sub/a.xml"
    faces = len(load_dataset(voc).frames[1].boxes)
    write(path, path.read_text().replace("<difficult>0", "<difficult>1"))
    dataset = load_dataset(voc)
    assert (faces, dataset.face_count, dataset.ignored_count) == (1, 0, 1)
    assert dataset.frames[1].ignored.tolist() == [[1, 2, 11, 12]]
    assert kinds(dataset) == [Kind.IGNORED]
    assert "a.xml:3: found a face marked difficult in sub/a.png" in str(dataset.problems[0])
    assert "facetl convert --difficult face" in str(dataset.problems[0])
    chosen = load_dataset(voc, difficult="face")
    assert chosen.frames[1].boxes.tolist() == [[1, 2, 11, 12]]
    assert (chosen.frames[1].labels, chosen.ignored_count, chosen.problems) == (("dad",), 0, ())
    write(path, path.read_text().replace("<difficult>1", "<difficult>True"))
    assert load_dataset(voc).ignored_count == 1


def test_one_face_that_is_difficult_here_and_not_there_counts_once(voc: Path) -> None:
    path = voc / "Annotations/sub/a.xml"
    face = re.findall("<object>.*</object>", path.read_text(), re.DOTALL)[0]
    difficult = face.replace("<difficult>0", "<difficult>1")
    write(path, path.read_text().replace(face, difficult + difficult + face))
    dataset = load_dataset(voc, difficult="face")
    assert (dataset.face_count, count_problems(dataset.problems)) == (1, "2 repeated")


def test_without_one_mark_the_others_are_still_counted(tmp_path: Path) -> None:
    box, path = (1.0, 2.0, 3.0, 4.0), tmp_path / "x.json"
    marks = (None, "iscrowd", "difficult", "iscrowd")
    faces = [FaceLine("a.png", box, None, None, mark=mark) for mark in marks]
    no_box = Problem(Kind.IGNORED, path, None, "found iscrowd, and no box")
    file = AnnotationFile(path, *collect_faces([no_box, *faces], path, "skip"))
    found = file.without_mark("difficult")
    assert [line.mark for line in found.lines] == [None, "iscrowd", "iscrowd"]
    assert sorted(kinds(found)) == sorted([Kind.IGNORED] * 3 + [Kind.REPEATED])
    assert no_box in found.problems


def test_a_list_of_names_is_not_gone_through_for_each_file(voc: Path) -> None:
    class Listed(list[str]):
        def __contains__(self, _: object) -> bool:
            raise AssertionError

    assert len(_load_voc(voc / "Annotations", stems=Listed(["sub/a", "b"])).lines) == 1


@pytest.mark.parametrize(
    ("given", "x1"), [("1", 0), ("0", 0), ("0.5", 0), ("1.5", 0.5), ("40", None), ("-3", 0)]
)
def test_a_corner_at_0_was_counted_from_0(voc: Path, given: str, x1: float | None) -> None:
    text = VOC.format(filename="a.png", xmin=given, ymax=12)
    write(voc / "Annotations/sub/a.xml", text)
    boxes = load_dataset(voc, on_error="skip").frames[1].boxes
    assert boxes[:, 0].tolist() == ([] if x1 is None else [x1])


@pytest.mark.parametrize(
    ("old", "new", "kind", "where"),
    [
        ("</bndbox>", "</bnd>", Kind.WRONG_FIELDS, ":4: found broken XML"),
        ("<xmin>2</xmin>", "", Kind.WRONG_FIELDS, ":3: found an object without <xmin>"),
        ("<xmin>2", "<xmin>two", Kind.NOT_A_NUMBER, ":3: found 'two' as <xmin>"),
        ("<ymax>12", "<ymax>2", Kind.EMPTY_BOX, ":3: found the box 2 3 11 2"),
        ("annotation>", "html>", Kind.WRONG_FIELDS, ": found <html>"),
        (">a.png<", ">../..<", Kind.ESCAPE, ": found the file name '../..'"),
        (
            "<annotation>",
            '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><annotation>&b;',
            Kind.WRONG_FIELDS,
            ": found XML with entities",
        ),
    ],
)
def test_a_wrong_file_of_voc(voc: Path, old: str, new: str, kind: Kind, where: str) -> None:
    path = voc / "Annotations/sub/a.xml"
    write(path, path.read_text().replace(old, new))
    with pytest.raises(AnnotationError) as caught:
        load_dataset(voc, form="voc")
    assert str(caught.value).startswith(f"{path}{where}")
    found = kinds(load_dataset(voc, form="voc", on_error="skip"))
    assert [each for each in found if each is not Kind.UNLISTED] == [kind]


@pytest.mark.parametrize("filename", ["a.png", "sub/a.png", "", "renamed.jpg", "old/a.png"])
def test_which_image_a_file_means(voc: Path, filename: str) -> None:
    text = VOC.format(filename=filename, xmin=2, ymax=12)
    write(voc / "Annotations/sub/a.xml", text)
    assert load_dataset(voc).frames[1].labels == ("dad",)


def test_a_file_beside_its_image(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    write(tmp_path / "a.xml", VOC.format(filename="a.png", xmin=2, ymax=12))
    assert load_dataset(tmp_path).face_count == 1


def test_parts_of_voc(voc: Path) -> None:
    write(voc / "ImageSets/Main/train.txt", "b\n\n")
    write(voc / "ImageSets/Main/val.txt", "sub/a\n")
    assert names(load_dataset(voc)) == ["b.png"]
    test = load_dataset(voc, part="test")
    assert (names(test), test.problems) == (["sub/a.png"], ())
    (voc / "ImageSets/Main/val.txt").rename(voc / "ImageSets/Main/test.txt")
    with pytest.raises(InputError, match="lists train, test but nothing to val"):
        load_dataset(voc, part="val")


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((0, 0, 10, 10), (1, 1, 10, 10)),
        ((0.4, 0.6, 9.6, 9.4), (1, 2, 10, 9)),
        ((3.2, 3.2, 3.4, 3.4), (4, 4, 4, 4)),
    ],
)
def test_whole_pixels_by_hand(box: tuple[float, ...], pixels: tuple[int, ...]) -> None:
    assert _whole_pixels(box) == pixels


# WIDER FACE

WIDER = """0--Parade/a.jpg
2
1 2 10 20 0 0 0 0 0 0
5 5 9 9 2 0 0 1 2 0
0--Parade/b.jpg
0
0 0 0 0 0 0 0 0 0 0
0--Parade/c.jpg
1
3 4 5 6
"""


def test_wider_face(tmp_path: Path) -> None:
    file = Wider().load(write(tmp_path / "x.txt", WIDER))
    assert file.images == ("0--Parade/a.jpg", "0--Parade/b.jpg", "0--Parade/c.jpg")
    assert file.faces["0--Parade/a.jpg"].boxes.tolist() == [[1, 2, 11, 22]]
    assert file.faces["0--Parade/b.jpg"].boxes.shape == (0, 4)
    assert [(line.line, line.mark) for line in file.lines] == [
        (3, None),
        (4, "invalid"),
        (10, None),
    ]
    assert {image: boxes.tolist() for image, boxes in file.ignored.items()} == {
        "0--Parade/a.jpg": [[5, 5, 14, 14]]
    }
    assert [str(problem) for problem in file.problems] == [
        f"{tmp_path}/x.txt:4: found a face marked invalid in 0--Parade/a.jpg, which counts neither "
        "way"
    ]


def test_an_invalid_face_of_wider_face_without_a_box_is_left_out_and_counted(
    tmp_path: Path,
) -> None:
    file = Wider().load(write(tmp_path / "x.txt", WIDER.replace("5 5 9 9 2", "5 5 0 9 2")))
    assert (file.ignored, kinds(file)) == ({}, [Kind.IGNORED])
    assert "x.txt:4: found a face marked invalid, and no box" in str(file.problems[0])


@pytest.mark.parametrize(
    ("old", "new", "kind", "where"),
    [
        ("1 2 10 20", "1 2 ten 20", Kind.NOT_A_NUMBER, ":3: found '1 2 ten 20'"),
        ("1 2 10 20", "1 2 0 20", Kind.EMPTY_BOX, ":3: found a box of 0 by 20 pixels"),
        ("3 4 5 6\n", "3 4 5\n", Kind.WRONG_FIELDS, ":10: found 3 fields"),
        ("\n2\n", "\n1\n", Kind.WRONG_FIELDS, ":4: found '5 5 9 9 2 0 0 1 2 0', expected an image"),
        ("\n2\n", "\n3\n", Kind.WRONG_FIELDS, ":5: found the next image where 1 more faces"),
        ("0--Parade/c.jpg", "c\x7f.jpg", Kind.ESCAPE, ":8: found the path 'c\\x7f.jpg'"),
    ],
)
def test_a_wrong_line_of_wider_face(
    tmp_path: Path, old: str, new: str, kind: Kind, where: str
) -> None:
    path = write(tmp_path / "x.txt", WIDER.replace(old, new))
    with pytest.raises(AnnotationError) as caught:
        Wider().load(path)
    assert str(caught.value).startswith(f"{path}{where}")
    assert kind in kinds(Wider().load(path, "skip"))


def test_wider_face_as_it_is_handed_out(tmp_path: Path) -> None:
    for name in "abc":
        draw(tmp_path / f"WIDER_train/images/0--Parade/{name}.jpg")
    write(tmp_path / "wider_face_split/wider_face_train_bbx_gt.txt", WIDER)
    write(tmp_path / "wider_face_split/readme.txt", "Hello\n")
    dataset = load_dataset(tmp_path)
    assert names(dataset) == [f"0--Parade/{name}.jpg" for name in "abc"]
    assert dataset.face_count == 2


# all of them


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a.jpg 1 2 3 4 dad\n", "course"),
        ("", "course"),
        ("{a}.jpg 1 2 3 4\n", "course"),
        ("\ufeff" + WIDER, "wider"),
        (json.dumps(coco()), "coco"),
        ('\n{\n "images": [], "annotations": []}', "coco"),
        ("# mine\ntrain: x\nnames:\n  0: face\n", "yolo"),
        ('<?xml version="1.0"?>\n' + VOC, "voc"),
    ],
)
def test_a_file_is_recognised_by_what_is_in_it(tmp_path: Path, text: str, form: str) -> None:
    assert recognise(write(tmp_path / "faces.dat", text)).name == form
    assert recognise(tmp_path).name == "voc"


def test_json_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "results.json", '[{"image_id": 1, "bbox": [1, 2, 3, 4]}]')
    with pytest.raises(AnnotationError, match="found JSON without images and annotations; give"):
        recognise(path)
    with pytest.raises(AnnotationError, match="cannot be read"):
        recognise(tmp_path / "nowhere.json")


def test_two_formats_in_one_folder_are_not_guessed_at(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", tmp_path / "b.png")
    write(tmp_path / "x.json", json.dumps(coco()))
    write(tmp_path / "faces.txt", "b.png 1 2 3 4\n")
    with pytest.raises(InputError, match="in the formats coco and course; pick one with --format"):
        load_dataset(tmp_path)
    assert load_dataset(tmp_path, form="coco").frames[0].labels == ("dad",)
    with pytest.raises(InputError, match="holds no annotations in the format voc"):
        load_dataset(tmp_path, form="voc")
    assert load_dataset(tmp_path, form="course").frames[1].boxes.tolist() == [[1, 2, 3, 4]]
    assert load_dataset(tmp_path, annotations=tmp_path / "x.json").frames[0].labels == ("dad",)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.png", "a.png"),
        ("./sub\\a b.png", "sub/a b.png"),
        ("x/../a.png", "a.png"),
        ("../a.png", None),
        ("a/../../b.png", None),
        ("/a.png", None),
        ("\\\\host\\a.png", None),
        ("C:\\a.png", None),
        ("C:a.png", None),
        ("", None),
        (".", None),
        ("a\0.png", None),
        ("a\n.png", None),
        ("\ud800.png", None),
        (3, None),
    ],
)
def test_names_stay_in_their_folder(text: object, name: str | None) -> None:
    assert image_name(text) == name


@pytest.mark.parametrize(
    ("text", "label"),
    [("face", None), ("", None), (" the  man\t", "the man"), ("Face", "Face"), ("a\ud800", "a?")],
)
def test_the_class_face_is_no_label(text: str, label: str | None) -> None:
    assert class_label(text) == label


@pytest.mark.parametrize(
    ("present", "part", "chosen"),
    [
        ("tvx", "test", "x"),
        ("tv", "test", "v"),
        ("t", "test", "t"),
        ("tx", "val", None),
        ("", "val", None),
    ],
)
def test_which_part_is_meant(present: str, part: Any, chosen: str | None) -> None:
    letters = {"train": "t", "val": "v", "test": "x"}
    parts: Any = {name: letter for name, letter in letters.items() if letter in present}
    assert choose_part(parts, part) == chosen


# held against supervision's readers


def rectangles(rng: np.random.Generator) -> list[list[int]]:
    """Up to three boxes of whole pixels inside the image."""
    corners = rng.integers(0, (20, 15), (int(rng.integers(0, 4)), 2))
    boxes = np.hstack([corners, corners + rng.integers(1, (20, 15), corners.shape)])
    return [[int(side) for side in box] for box in boxes]


@pytest.mark.parametrize("form", ["coco", "yolo", "voc"])
def test_supervision_reads_the_same(tmp_path: Path, form: str) -> None:
    """Our own writers' data sets, read by supervision, are the frames that we wrote."""
    from facetl.data.formats.conversion import save_dataset
    from facetl.data.frame import Frame

    rng = np.random.default_rng(0)
    frames = []
    for number in range(20):
        path = tmp_path / f"{number}.png"
        draw(path)
        boxes = np.array(rectangles(rng), dtype=np.float64).reshape(-1, 4)
        labels = tuple(rng.choice(["dad", "mom"], len(boxes)).tolist())
        frames.append(Frame(path, path.name, boxes, labels, SIZE[::-1]))
    save_dataset(tmp_path / "out", form, {"train": frames})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = read_with_supervision(form, tmp_path / "out")
    for frame in frames:
        found, classes = theirs[frame.name]
        np.testing.assert_allclose(found, frame.boxes, atol=1e-4)
        assert tuple(classes) == frame.labels


def read_with_supervision(form: str, root: Path) -> dict[str, tuple[Any, list[str]]]:
    import supervision

    load = supervision.DetectionDataset
    if form == "coco":
        dataset = load.from_coco(str(root / "images"), str(root / "annotations.json"))
    elif form == "yolo":
        places = (root / "images/train", root / "labels/train", root / "data.yaml")
        dataset = load.from_yolo(*map(str, places))
    else:
        dataset = load.from_pascal_voc(str(root / "JPEGImages"), str(root / "Annotations"))
    return {
        Path(path).name: (found.xyxy, [dataset.classes[number] for number in found.class_id])
        for path, found in dataset.annotations.items()
    }


# nothing but our own errors, whatever the bytes

STARTS = {
    "coco": json.dumps(coco()),
    "yolo": "train: images/train\nval: x\nnames: {0: face, 1: dad}\nkpt_shape: [1, 2]\n",
    "voc": VOC.format(filename="a.png", xmin=2, ymax=12),
    "wider": WIDER,
}
JUNK = st.sampled_from(
    [
        "",
        "\0",
        "-1",
        "1e999",
        "nan",
        "{",
        "[",
        "]",
        '"',
        "null",
        "true",
        "../",
        "<",
        "&x;",
        ":",
        "\n",
    ]
)


@st.composite
def damaged(draw_: st.DrawFn, text: str) -> bytes:
    """A text with up to three places overwritten, or anything at all."""
    if draw_(st.booleans()) and draw_(st.booleans()):
        return draw_(st.binary(max_size=200))
    for _ in range(draw_(st.integers(1, 3))):
        start = draw_(st.integers(0, len(text)))
        end = start + draw_(st.integers(0, 12))
        text = text[:start] + draw_(JUNK | st.text(max_size=3)) + text[end:]
    return text.encode("utf-8", "replace")


@pytest.mark.parametrize("form", list(STARTS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_only_our_own_errors(tmp_path: Path, form: str, data: st.DataObject) -> None:
    draw(tmp_path / "images/train/a.png")
    path = tmp_path / ("a.xml" if form == "voc" else "file")
    path.write_bytes(data.draw(damaged(STARTS[form])))
    (tmp_path / "labels/train").mkdir(parents=True, exist_ok=True)
    labels = tmp_path / "labels/train/a.txt"
    labels.write_bytes(data.draw(damaged("1 0.5 0.5 0.25 0.2\n0 0.25 0.5 0.5 1 0.97\n")))
    with suppress(FacetlError):
        for source in load_format(form).sources(path, None, None, "train"):
            source.read(["a.png"])
    with suppress(FacetlError):
        load_dataset(path, images=tmp_path / "images", on_error="skip")
    with suppress(FacetlError):
        recognise(path)


def test_single_loaders_are_where_the_documents_say(yolo: Path, voc: Path) -> None:
    assert _load_yolo_set(yolo / "data.yaml").labels == {0: None, 1: "dad"}
    assert _load_voc(voc / "Annotations").images == ("b.png", "sub/a.png")
    text = write(yolo / "faces.txt", "a.png 1 2 3 4\n")
    assert load_format("course").load(text, "skip").images is None


def test_images_that_lie_in_two_folders_are_asked_for(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        save_image(tmp_path / folder / "000000.png", np.zeros((40, 50, 3), np.uint8))
    document = {
        "images": [{"id": 1, "file_name": "000000.png", "width": 50, "height": 40}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20]}],
        "categories": [{"id": 1, "name": "face"}],
    }
    (tmp_path / "corrected.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"found its images in .*a and in .*b; pick --images"):
        load_dataset(tmp_path / "corrected.json")
    dataset = load_dataset(images=tmp_path / "b", annotations=tmp_path / "corrected.json")
    assert [frame.path.parent.name for frame in dataset] == ["b"]
