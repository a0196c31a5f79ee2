"""Which images and annotations are found in the folders that people have, or what is said then."""
# ruff: noqa: E501 - a message a line

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from facetl.data.discovery import find_sources
from facetl.data.frame import Part
from facetl.errors import InputError

PARTS: tuple[Part, ...] = ("train", "val", "test")
FACE = "a.png 1 2 3 4\n"
LABEL = "0 0.5 0.5 0.25 0.2\n"
WIDER = "a.png\n1\n4 3 12 14 0 0 0 0 0 0\n"
VOC = "<annotation><filename>a.png</filename></annotation>"
COCO = json.dumps({"images": [{"id": 1, "file_name": "a.png"}], "annotations": []})
DATA = "train: images/train\nval: images/val\nnames: [face]\n"
DARKNET = "names = data/obj.names\ntrain = data/train.txt\n"

LAYOUTS: dict[str, tuple[dict[str, str], dict[str, str] | str]] = {
    "frames with a text in them": ({"a.png": "", "faces.txt": FACE}, "ROOT < faces.txt"),
    "a text beside a folder, of its name": (
        {"x/a.png": "", "x_annotations.txt": FACE},
        "x < x_annotations.txt",
    ),
    "folders and texts": (
        {"dad/a.png": "", "mom/a.png": "", "dad_annotations.txt": FACE, "mom.txt": FACE},
        "dad < dad_annotations.txt as dad/; mom < mom.txt as mom/",
    ),
    "two texts for one folder": (
        {"dad/a.png": "", "dad_annotations.txt": FACE, "task1_gt_dad.txt": FACE},
        "dad < dad_annotations.txt",
    ),
    "a text of notes beside the one in the frames": (
        {"dad/a.png": "", "dad/faces.txt": FACE, "dad.txt": "drawn in May\n"},
        "dad < dad/faces.txt",
    ),
    "corrected beside, uncorrected inside": (
        {"c/dad/a.png": "", "c/dad_annotations.txt": FACE, "c.txt": FACE},
        "found c.txt beside ROOT/c and dad_annotations.txt in it, and which one holds is not clear; pick --annotations, or move one away",
    ),
    "corrected beside a folder on the way": (
        {
            "c/dad/x/a.png": "",
            "c/dad/x/b/a.png": "",
            "c/dad/faces.txt": FACE,
            "c/dad.txt": FACE,
            "c/dad/x.txt": FACE,
        },
        "found dad.txt beside ROOT/c/dad and x.txt in it, and which one holds is not clear; pick --annotations, or move one away",
    ),
    "parts of the course": (
        {
            "antrenare/dad/a.png": "",
            "antrenare/dad_annotations.txt": FACE,
            "validare/validare/a.png": "",
            "validare/task1_gt_validare.txt": FACE,
        },
        {
            "train": "antrenare/dad < antrenare/dad_annotations.txt",
            "val": "ROOT holds antrenare but no val; give the folder itself",
            "test": "validare/validare < validare/task1_gt_validare.txt",
        },
    ),
    "parts of the course with val": (
        {
            "antrenare/dad/a.png": "",
            "antrenare/dad_annotations.txt": FACE,
            "val/a.png": "",
            "val/faces.txt": FACE,
        },
        {
            "train": "antrenare/dad < antrenare/dad_annotations.txt",
            "val": "val < val/faces.txt",
            "test": "val < val/faces.txt",
        },
    ),
    "a part to test on alone": (
        {"validare/a.png": "", "task1_gt_validare.txt": FACE},
        "validare < task1_gt_validare.txt",
    ),
    "a part to learn from alone": (
        {"antrenare/a.png": "", "antrenare/faces.txt": FACE},
        {
            "train": "antrenare < antrenare/faces.txt",
            "val": "ROOT holds antrenare but no val; give the folder itself",
            "test": "ROOT holds antrenare but no validare; give the folder itself",
        },
    ),
    "val alone is a folder like any other": (
        {"val/a.png": "", "val/faces.txt": FACE},
        "val < val/faces.txt",
    ),
    "subfolders for parts": (
        {"train/a.png": "", "train/faces.txt": FACE, "valid/a.png": "", "valid/x.json": COCO},
        {
            "train": "train < train/faces.txt",
            "val": "valid < valid/x.json",
            "test": "valid < valid/x.json",
        },
    ),
    "subfolders for parts but no test or val": (
        {
            "train/a.png": "",
            "train/x.json": COCO,
            "training/b.png": "",
            "test/x.json": COCO,
            "test/a.png": "",
        },
        {
            "train": "found no annotation file in ROOT/training or beside it; give --annotations, or mark the faces with: facetl annotate ROOT/training",
            "val": "ROOT holds training, test but nothing to val; give the folder itself",
            "test": "test < test/x.json",
        },
    ),
    "subfolders below a single folder": (
        {
            "data/train/a.png": "",
            "data/train/x.json": COCO,
            "data/val/a.png": "",
            "data/val/x.json": COCO,
        },
        {
            "train": "data/train < data/train/x.json",
            "val": "data/val < data/val/x.json",
            "test": "data/val < data/val/x.json",
        },
    ),
    "coco for each part": (
        {
            "images/train/a.png": "",
            "images/val/a.png": "",
            "annotations/instances_train.json": COCO,
            "annotations/instances_val.json": COCO,
        },
        {
            "train": "images/train < annotations/instances_train.json",
            "val": "images/val < annotations/instances_val.json",
            "test": "images/val < annotations/instances_val.json",
        },
    ),
    "coco twice": (
        {"a.png": "", "x.json": COCO, "y.json": COCO},
        {
            "train": "ROOT holds x.json, y.json, and which one is to train is not clear; pick --annotations",
            "val": "ROOT holds x.json, y.json, and which one is to val is not clear; pick --annotations",
            "test": "ROOT holds x.json, y.json, and which one is to test is not clear; pick --annotations",
        },
    ),
    "coco for other parts": (
        {"a.png": "", "x_train.json": COCO, "x_val.json": COCO, "val_y.json": COCO},
        {
            "train": "ROOT holds val_y.json, x_train.json, x_val.json, and which one is to train is not clear; pick --annotations",
            "val": "ROOT holds val_y.json, x_train.json, x_val.json, and which one is to val is not clear; pick --annotations",
            "test": "ROOT holds val_y.json, x_train.json, x_val.json, and which one is to test is not clear; pick --annotations",
        },
    ),
    "coco to test on and to choose by": (
        {"a.png": "", "x_test.json": COCO, "x_val.json": COCO},
        {
            "train": "ROOT holds x_test.json, x_val.json but nothing to train; pick --annotations",
            "val": "ROOT < x_val.json",
            "test": "ROOT < x_test.json",
        },
    ),
    "coco whose images lie in two folders": (
        {"one/a.png": "", "two/a.png": "", "x.json": COCO},
        "ROOT/x.json: found its images in ROOT/one and in ROOT/two; pick --images",
    ),
    "coco below a single folder": (
        {"export/images/a.png": "", "export/annotations/x.json": COCO},
        "export/images < export/annotations/x.json",
    ),
    "yolo": (
        {
            "images/train/a.png": "",
            "images/val/a.png": "",
            "labels/train/a.txt": LABEL,
            "data.yaml": DATA,
        },
        {
            "train": "images/train < data.yaml",
            "val": "images/val < data.yaml",
            "test": "images/val < data.yaml",
        },
    ),
    "yolo with a data.yaml of another name": (
        {"images/train/a.png": "", "my.yml": DATA, "other.yaml": "key: 1\n"},
        {
            "train": "images/train < my.yml",
            "val": "ROOT/my.yml names 'images/val' as val, which is not below ROOT; mend the path, or take the line out",
            "test": "images/train < my.yml",
        },
    ),
    "two yaml": (
        {"images/train/a.png": "", "my.yml": DATA, "my.yaml": DATA},
        "found no annotation file in ROOT/images/train or beside it; give --annotations, or mark the faces with: facetl annotate ROOT/images/train",
    ),
    "labels and classes": (
        {"Images/a.png": "", "Labels/a.txt": LABEL, "Labels/classes.txt": "dad\n"},
        "Images < Labels/classes.txt",
    ),
    "labels without classes": (
        {"a.png": "", "a.txt": LABEL, "b.txt": LABEL},
        "ROOT holds labels as YOLO has them and nothing that names their classes; add classes.txt, with a class a line",
    ),
    "classes without labels": ({"a.png": "", "classes.txt": "dad\n"}, "ROOT < classes.txt"),
    "darknet": (
        {
            "data/a.png": "",
            "data/obj.names": "dad\n",
            "data/train.txt": "a.png\n",
            "obj.data": DARKNET,
        },
        "ROOT < obj.data of data/train.txt",
    ),
    "voc": ({"JPEGImages/a.png": "", "Annotations/a.xml": VOC}, "JPEGImages < Annotations"),
    "voc with parts": (
        {
            "JPEGImages/a.png": "",
            "Annotations/a.xml": VOC,
            "ImageSets/Main/train.txt": "a\n",
            "ImageSets/Main/test.txt": "a\n",
        },
        {
            "train": "JPEGImages < Annotations of ImageSets/Main/train.txt",
            "val": "ROOT/ImageSets/Main lists train, test but nothing to val; add val.txt",
            "test": "JPEGImages < Annotations of ImageSets/Main/test.txt",
        },
    ),
    "voc beside its images": ({"a.png": "", "a.XML": VOC}, "ROOT < ROOT"),
    "wider": (
        {
            "WIDER_train/images/a.png": "",
            "WIDER_val/images/a.png": "",
            "wider_face_split/wider_face_train_bbx_gt.txt": WIDER,
            "wider_face_split/wider_face_val_bbx_gt.txt": WIDER,
        },
        {
            "train": "ROOT/wider_face_split/wider_face_train_bbx_gt.txt: found its images in ROOT/WIDER_train/images and in ROOT/WIDER_val/images; pick --images",
            "val": "ROOT/wider_face_split/wider_face_val_bbx_gt.txt: found its images in ROOT/WIDER_train/images and in ROOT/WIDER_val/images; pick --images",
            "test": "ROOT/wider_face_split/wider_face_val_bbx_gt.txt: found its images in ROOT/WIDER_train/images and in ROOT/WIDER_val/images; pick --images",
        },
    ),
    "two formats": (
        {"a.png": "", "x.json": COCO, "a.xml": VOC},
        "ROOT holds annotations in the formats coco and voc; pick one with --format or --annotations",
    ),
    "a format and the course": (
        {"a.png": "", "a.xml": VOC, "faces.txt": FACE},
        "ROOT holds annotations in the formats voc and course; pick one with --format or --annotations",
    ),
    "two formats --format voc": ({"a.png": "", "x.json": COCO, "a.xml": VOC}, "ROOT < ROOT"),
    "a format and the course --format course": (
        {"a.png": "", "a.xml": VOC, "faces.txt": FACE},
        "ROOT < faces.txt",
    ),
    "another format than asked for --format yolo": (
        {"a.png": "", "x.json": COCO},
        "ROOT holds no annotations in the format yolo; see --format",
    ),
    "parts of another format than asked for --format coco": (
        {"train/a.png": "", "train/a.xml": VOC},
        "ROOT holds no annotations in the format coco; see --format",
    ),
    "images alone": (
        {"a.png": ""},
        "found no annotation file in ROOT or beside it; give --annotations, or mark the faces with: facetl annotate ROOT",
    ),
    "many texts": (
        {
            "a.png": "",
            "f.txt": FACE,
            "g.txt": FACE,
            "h.txt": FACE,
            "i.txt": FACE,
            "j.txt": FACE,
            "k.txt": FACE,
        },
        "ROOT holds 6 text files (f.txt, g.txt, h.txt, i.txt, j.txt, \u2026); pick --annotations",
    ),
    "an empty text": ({"a.png": "", "faces.txt": ""}, "ROOT < faces.txt"),
    "an empty json": ({"a.png": "", "faces.json": ""}, "ROOT/faces.json is empty; export it again"),
    "annotations of another tool": (
        {"x/a.png": "", "x.csv": "image,xmin\n"},
        "ROOT/x.csv: found a CSV table of boxes, which facetl does not read; export it as COCO",
    ),
    "annotations of another tool among the images, a text beside": (
        {"x/a.png": "", "x/tasks.json": '[{"annotations": [{"result": []}]}]', "y.txt": FACE},
        "x < x/tasks.json",
    ),
    "another tool's file in place of the text": (
        {"a.png": "", "faces.txt": "<annotations><track/>"},
        "ROOT/faces.txt: found CVAT for video, which is not read here; give it as --annotations",
    ),
    "json of another kind": (
        {"a.png": "", "results.json": "[{}]\n"},
        "found no annotation file in ROOT or beside it; give --annotations, or mark the faces with: facetl annotate ROOT",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_found(layout: str, tmp_path: Path) -> None:
    files, expected = LAYOUTS[layout]
    root = tmp_path / "root"
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            Image.new("RGB", (40, 30)).save(place)
        else:
            place.write_text(text)
    asked = layout.partition(" --format ")[2]
    form = asked or None
    found = {part: describe(root, part, form) for part in PARTS}
    assert found == (dict.fromkeys(PARTS, expected) if isinstance(expected, str) else expected)


def describe(root: Path, part: Part, form: str | None) -> str:
    """Return ``IMAGES < ANNOTATIONS [as PREFIX] [of LISTING]`` of each source, or the message."""
    try:
        sources = find_sources(root, part=part, form=form)
    except InputError as error:
        return str(error).replace(str(root), "ROOT")
    described = [
        f"{source.images} < {source.annotations}"
        + (f" as {source.prefix}" if source.prefix else "")
        + (f" of {source.listing}" if source.listing else "")
        for source in sources
    ]
    return "; ".join(described).replace(f"{root}/", "").replace(str(root), "ROOT")
