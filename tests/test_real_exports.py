"""What labelling tools export is read to the same boxes: ``real_exports`` tells how it was made."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from facetl.data.annotations import Kind
from facetl.data.dataset import FaceDataset, load_dataset, load_truth
from facetl.data.frame import Part

REAL = Path(__file__).parent / "real_exports"
FRAMES = REAL / "frames"
TRUTH: dict[str, list[tuple[list[float], str | None]]] = {
    "0002.png": [([50, 20, 111, 85], "mom")],
    "a b.png": [([20, 15, 70, 75], "dad"), ([95, 30, 140.5, 88.25], None)],
    "empty.png": [],
}
SIZES = {"0002.png": (200, 100), "a b.png": (160, 120), "empty.png": (120, 90)}
ROUNDED = 0.5
"""Pixels by which a tool that writes whole ones may move a side."""

LABEL_STUDIO = [
    *("JSON.json", "JSON_MIN.json", "CSV.csv", "TSV.tsv", "COCO.zip", "COCO_WITH_IMAGES.zip"),
    *("VOC.zip", "YOLO.zip", "YOLO_WITH_IMAGES.zip", "YOLO_OBB.zip", "YOLO_OBB_WITH_IMAGES.zip"),
]
PICTURED = [name for name in LABEL_STUDIO if "WITH_IMAGES" in name or "VOC" in name]
DATUMARO = ["coco_instances_default", "cvat_default", "voc_detection_default", "yolo_default"]
ALONE = [
    *(f"label_studio_{how}/{name}" for how in ("uploaded", "local") for name in LABEL_STUDIO),
    *(f"datumaro/{name}_alone.zip" for name in (*DATUMARO, "voc_detection_train")),
    "x_anylabeling/coco/coco_detection.json",
    "labelme_apart/labels",
    "x_anylabeling/voc/Annotations",
]
"""Exports without images, or with, that are read with the images of another folder."""
WITH_IMAGES = [
    *(f"label_studio_{how}/{name}" for how in ("uploaded", "local") for name in PICTURED),
    *(f"datumaro/{name}_images.zip" for name in (*DATUMARO, "voc_detection_train")),
    *("labelme_beside", "labelme_apart", "x_anylabeling/json", "x_anylabeling/yolo"),
    *("x_anylabeling/voc", "labelimg/voc", "labelimg/yolo", "supervisely"),
]
WITHOUT_THE_EMPTY = ("VOC.zip", "voc_detection_default")
"""These name no image without faces."""


def stem(name: str) -> str:
    """Return which image a name means: tools put something before it, and ``_`` for a blank."""
    plain = unquote(name).replace(" ", "_")
    return next(each for each in TRUTH if each[:-4].replace(" ", "_") in plain)


def assert_true(dataset: FaceDataset, names: tuple[str, ...] = tuple(TRUTH)) -> None:
    found = {stem(frame.name): frame for frame in dataset}
    assert sorted(found) == sorted(names)
    for name in names:
        frame = found[name]
        expected = TRUTH[name]
        assert frame.labels == tuple(label for _, label in expected)
        boxes = np.array([box for box, _ in expected]).reshape(-1, 4)
        np.testing.assert_allclose(frame.boxes, boxes, rtol=0, atol=ROUNDED)
    assert dataset.warnings == ()
    counted = {problem.kind for problem in dataset.problems}
    assert counted <= {Kind.MATCHED, Kind.UNLISTED}


def named_in(export: str) -> tuple[str, ...]:
    lacks = any(word in export for word in WITHOUT_THE_EMPTY) and "YOLO" not in export
    return ("0002.png", "a b.png") if lacks else tuple(TRUTH)


@pytest.mark.parametrize("export", ALONE)
def test_exports_are_read_with_the_images_of_a_folder(export: str) -> None:
    assert_true(load_dataset(REAL / export, images=FRAMES), named_in(export))


@pytest.mark.parametrize("export", WITH_IMAGES)
def test_exports_with_images_are_read(export: str) -> None:
    assert_true(load_dataset(REAL / export), named_in(export))


@pytest.mark.parametrize("export", [each for each in WITH_IMAGES if each.endswith(".zip")])
def test_an_unpacked_zip_says_the_same(export: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(REAL / export) as archive:
        archive.extractall(tmp_path)
    assert_true(load_dataset(tmp_path), named_in(export))


@pytest.mark.parametrize("export", [each for each in WITH_IMAGES if not each.endswith(".zip")])
def test_a_packed_folder_says_the_same(export: str, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "x"), "zip", REAL / export))
    assert_true(load_dataset(archive), named_in(export))


@pytest.mark.parametrize(
    "export", ["label_studio_local/JSON.json", "datumaro/cvat_default_alone.zip"]
)
def test_exports_without_images_are_a_truth(export: str) -> None:
    file = load_truth(REAL / export)
    assert sorted(map(stem, file.faces)) == sorted(TRUTH)  # type: ignore[union-attr]


@pytest.mark.parametrize("export", ["uploaded/BRUSH_TO_COCO.zip", "local/BRUSH_TO_COCO.zip"])
def test_brush_to_coco_names_two_images(export: str) -> None:
    dataset = load_dataset(REAL / f"label_studio_{export}", images=FRAMES)
    assert_true(dataset, ("0002.png", "a b.png"))


def test_parts_of_ultralytics() -> None:
    export = REAL / "datumaro/yolo_ultralytics_parts_images.zip"
    parts: tuple[tuple[Part, tuple[str, ...]], ...] = (
        ("train", ("0002.png", "a b.png")),
        ("val", ("empty.png",)),
    )
    for part, names in parts:
        found = load_dataset(export, part=part)
        assert [stem(frame.name) for frame in found] == list(names)
    assert_true(load_dataset(export), ("0002.png", "a b.png"))


@pytest.mark.parametrize("name", ["JSON.json", "JSON_MIN.json", "CSV.csv"])
def test_shapes_of_label_studio(name: str) -> None:
    """Of two annotations the newer counts; skipped and open tasks say nothing."""
    dataset = load_dataset(REAL / "label_studio_shapes" / name, images=FRAMES)
    (frame,) = dataset.frames
    faces = zip(frame.labels, frame.boxes.round(2).tolist(), strict=True)
    assert sorted(faces, key=str) == [
        ("dad", [10, 10, 30, 40]),
        ("dad", [120, 60, 140, 80]),
        ("dad", [140, 30, 160, 70]),
        ("mom", [80, 20, 100, 40]),
    ]
    kinds = [problem.kind for problem in dataset.problems]
    counts = {Kind.ROTATED: 1, Kind.OUTLINE: 2, Kind.NO_BOX: 1, Kind.OTHER_VERSION: 1}
    assert {kind: kinds.count(kind) for kind in counts} == counts


def test_shapes_of_labelme() -> None:
    dataset = load_dataset(REAL / "labelme_shapes")
    (frame,) = dataset.frames
    boxes = [[50, 20, 111, 85], [5, 10, 15, 40], [140, 40, 160, 60]]
    assert frame.boxes.tolist() == boxes
    kinds = [problem.kind for problem in dataset.problems]
    assert sorted(kinds) == [Kind.OUTLINE] * 2 + [Kind.NO_BOX] * 2


# after the tools' documentation

Write = Callable[[Path], None]


def draw(folder: Path, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        Image.new("RGB", size).save(folder / name.replace(".png", suffix))


def faces() -> Iterator[tuple[str, str, list[float], tuple[int, int]]]:
    """Yield name, class, box and size of each face."""
    for name, known in TRUTH.items():
        for box, label in known:
            yield name, label or "face", box, SIZES[name]


def write_json(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def coco_document(names: dict[str, str]) -> dict[str, Any]:
    ids = {name: number for number, name in enumerate(TRUTH)}
    classes = ["face", "dad", "mom"]
    return {
        "images": [
            {"id": ids[name], "file_name": names[name], "width": w, "height": h}
            for name, (w, h) in SIZES.items()
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(classes)],
        "annotations": [
            {
                "id": n,
                "image_id": ids[name],
                "category_id": classes.index(label),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
            }
            for n, (name, label, (x1, y1, x2, y2), _) in enumerate(faces())
        ],
    }


def cvat_images(root: Path) -> None:
    draw(root / "images")
    images = "".join(
        f'<image id="0" name="{name}" width="{w}" height="{h}">'
        + "".join(
            f'<box label="{label or "face"}" source="manual" occluded="0" xtl="{x1:.2f}" '
            f'ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}" z_order="0"></box>'
            for (x1, y1, x2, y2), label in TRUTH[name]
        )
        + "</image>"
        for name, (w, h) in SIZES.items()
    )
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
    (root / "annotations.xml").write_text(f"{head}{images}</annotations>")


def cvat_yolo(root: Path) -> None:
    """YOLO 1.1 of CVAT."""
    draw(root / "obj_train_data")
    (root / "obj.names").write_text("face\ndad\nmom\n")
    (root / "obj.data").write_text(
        "classes = 3\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
    )
    (root / "train.txt").write_text("".join(f"data/obj_train_data/{name}\n" for name in TRUTH))
    yolo_labels(root / "obj_train_data", {name: name for name in TRUTH})


def yolo_labels(folder: Path, names: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {name: [] for name in TRUTH}
    for name, label, (x1, y1, x2, y2), (w, h) in faces():
        shares = ((x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h)
        numbers = " ".join(f"{share:.6f}" for share in shares)
        lines[name].append(f"{['face', 'dad', 'mom'].index(label)} {numbers}\n")
    for name, text in lines.items():
        (folder / Path(names[name]).with_suffix(".txt").name).write_text("".join(text))


def cvat_ultralytics(root: Path) -> None:
    draw(root / "images/train")
    yolo_labels(root / "labels/train", {name: name for name in TRUTH})
    (root / "data.yaml").write_text(
        "names:\n  0: face\n  1: dad\n  2: mom\npath: .\ntrain: train.txt\n"
    )
    (root / "train.txt").write_text("".join(f"data/images/train/{name}\n" for name in TRUTH))


def cvat_coco(root: Path) -> None:
    draw(root / "images/default")
    names = {name: name for name in TRUTH}
    write_json(root / "annotations/instances_default.json", coco_document(names))


ROBOFLOW = {name: f"{name[:-4].replace(' ', '_')}_png.rf.0a1b2c.jpg" for name in TRUTH}


def draw_roboflow(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        Image.new("RGB", size).save(folder / ROBOFLOW[name])
    (folder.parent / "README.roboflow.txt").write_text("face - v1\n")
    (folder.parent / "README.dataset.txt").write_text("# face > v1\n")


def roboflow_coco(root: Path) -> None:
    draw_roboflow(root / "train")
    write_json(root / "train/_annotations.coco.json", coco_document(ROBOFLOW))


def roboflow_yolo(root: Path) -> None:
    draw_roboflow(root / "train/images")
    yolo_labels(root / "train/labels", ROBOFLOW)
    (root / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n"
        "nc: 3\nnames: ['face', 'dad', 'mom']\n"
    )


def roboflow_csv(root: Path) -> None:
    draw_roboflow(root / "train")
    rows = [
        f"{ROBOFLOW[name]},{w},{h},{label},{x1},{y1},{x2},{y2}"
        for name, label, (x1, y1, x2, y2), (w, h) in faces()
    ]
    text = "\n".join(["filename,width,height,class,xmin,ymin,xmax,ymax", *rows])
    (root / "train/_annotations.csv").write_text(text)


def roboflow_createml(root: Path) -> None:
    draw_roboflow(root / "train")
    entries = {name: [] for name in TRUTH}  # type: dict[str, list[dict[str, Any]]]
    for name, label, (x1, y1, x2, y2), _ in faces():
        box = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "width": x2 - x1, "height": y2 - y1}
        entries[name].append({"label": label, "coordinates": box})
    write_json(
        root / "train/_annotations.createml.json",
        [{"image": ROBOFLOW[name], "annotations": each} for name, each in entries.items()],
    )


def roboflow_voc(root: Path) -> None:
    draw_roboflow(root / "train")
    for name, known in TRUTH.items():
        objects = "".join(
            f"<object><name>{label or 'face'}</name><bndbox><xmin>{x1 + 1}</xmin>"
            f"<xmax>{x2}</xmax><ymin>{y1 + 1}</ymin><ymax>{y2}</ymax></bndbox></object>"
            for (x1, y1, x2, y2), label in known
        )
        (root / f"train/{ROBOFLOW[name][:-4]}.xml").write_text(
            f"<annotation><folder></folder><filename>{ROBOFLOW[name]}</filename>"
            f"<path>{ROBOFLOW[name]}</path><source><database>roboflow.com</database></source>"
            f"{objects}</annotation>"
        )


def via_regions(name: str) -> list[dict[str, Any]]:
    return [
        {
            "shape_attributes": {"name": "rect", "x": x1, "y": y1}
            | {"width": x2 - x1, "height": y2 - y1},
            "region_attributes": {"name": label or "face"},
        }
        for (x1, y1, x2, y2), label in TRUTH[name]
    ]


def via_metadata() -> dict[str, Any]:
    return {
        f"{name}123": {
            "filename": name,
            "size": 123,
            "regions": via_regions(name),
            "file_attributes": {},
        }
        for name in TRUTH
    }


def via_json(root: Path) -> None:
    draw(root)
    write_json(root / "via_export_json.json", via_metadata())


def via_1(root: Path) -> None:
    """Version 1 numbers the regions."""
    draw(root)
    document = via_metadata()
    for entry in document.values():
        entry["regions"] = {str(n): region for n, region in enumerate(entry["regions"])}
    write_json(root / "via_region_data.json", document)


def via_project(root: Path) -> None:
    draw(root)
    write_json(
        root / "via_project.json",
        {"_via_settings": {}, "_via_img_metadata": via_metadata(), "_via_attributes": {}},
    )


def via_csv(root: Path) -> None:
    draw(root)

    def quoted(value: object) -> str:
        return '"' + json.dumps(value).replace('"', '""') + '"'

    rows = [
        "filename,file_size,file_attributes,region_count,region_id,"
        "region_shape_attributes,region_attributes"
    ]
    for name in TRUTH:
        regions = via_regions(name)
        for n, each in enumerate(regions):
            cells = (each["shape_attributes"], each["region_attributes"])
            row = f'{name},123,"{{}}",{len(regions)},{n}'
            rows.append(",".join([row, *map(quoted, cells)]))
        if not regions:
            rows.append(f'{name},123,"{{}}",0,0,"{{}}","{{}}"')
    (root / "via_export_csv.csv").write_text("\n".join(rows))


def via_coco(root: Path) -> None:
    draw(root)
    document = coco_document({name: name for name in TRUTH})
    for each in document["annotations"]:
        each["image_id"] = str(each["image_id"])
    write_json(root / "via_export_coco.json", document)


def supervisely(root: Path) -> None:
    draw(root / "ds0/img")
    write_json(root / "meta.json", {"classes": [{"title": "dad", "shape": "rectangle"}]})
    for name, (w, h) in SIZES.items():
        objects = [
            {
                "classTitle": label or "face",
                "geometryType": "rectangle",
                "points": {"exterior": [[x1, y1], last(x2, y2)], "interior": []},
            }
            for (x1, y1, x2, y2), label in TRUTH[name]
        ]
        document = {"size": {"height": h, "width": w}, "objects": objects}
        write_json(root / f"ds0/ann/{name}.json", document)


def last(x: float, y: float) -> list[float]:
    """Return the last pixel of a box of whole pixels; the corner itself of any other."""
    return [x - 1, y - 1] if x == int(x) and y == int(y) else [x, y]


DOCUMENTED: tuple[Write, ...] = (
    *(cvat_images, cvat_yolo, cvat_ultralytics, cvat_coco),
    *(roboflow_coco, roboflow_yolo, roboflow_csv, roboflow_createml, roboflow_voc),
    *(via_json, via_1, via_project, via_csv, via_coco, supervisely),
)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("write", DOCUMENTED, ids=lambda write: write.__name__)
def test_documented_exports_are_read(write: Write, packed: bool, tmp_path: Path) -> None:
    root = tmp_path / "export"
    write(root)
    place = Path(shutil.make_archive(str(tmp_path / "x"), "zip", root)) if packed else root
    dataset = load_dataset(place)
    problems = [each for each in dataset.problems if each.kind is not Kind.NO_PART]
    assert_true(FaceDataset(dataset.frames, tuple(problems)))
