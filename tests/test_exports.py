"""Detections for other tools: held to what these tools document, and to those at hand."""

from __future__ import annotations

import csv
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import assert_refused, success
from PIL import Image

from facetl.cli import main
from facetl.data.formats.coco import Coco
from facetl.data.formats.course import save_annotations
from facetl.data.formats.names import is_plain
from facetl.data.formats.yolo import _load_yolo, _load_yolo_set
from facetl.errors import DetectionsError, OutputError
from facetl.evaluation.scoring import Predictions, Truth, evaluate_all
from facetl.results.detections import Detections, FrameResult, Run, Skipped
from facetl.results.export_table import EXPORTS, TIMED_EXPORTS
from facetl.results.exports import _save_export
from facetl.results.json_file import save_run
from facetl.results.peers import load_peer

SIZE_HW = (30, 40)
COURSE_EVALUATORS = sorted(
    (Path(__file__).resolve().parents[2] / "shared/data/dexter/evaluare").rglob("eval*.py")
)


def found(*rows: list[float]) -> Detections:
    """Detections of rows ``x1, y1, x2, y2, score``."""
    boxes = [row[:4] for row in rows]
    return Detections.from_lists(boxes, [row[4] for row in rows], [[[0, 0]] * 5] * len(rows))


def frame(image: str, *rows: list[float], **more: Any) -> FrameResult:
    return FrameResult(image, SIZE_HW, found(*rows), {"pnet": 1}, 0.1, **more)


@pytest.fixture
def run() -> Run:
    """Two faces, one reaching out, in the first frame; none in the second; a name with blanks."""
    frames = (
        frame("a.png", [-1.5, 2, 11, 31, 0.9], [20.25, 5, 30, 15, 0.1]),
        frame("b.png"),
        frame("dad/c d.png", [0, 0, 40, 30, 0.7]),
    )
    return Run("tuned", {}, frames, (Skipped("z.png", "damaged"),))


def test_every_export_has_an_option() -> None:
    types = {each.name: each.type for each in main.commands["detect"].params}
    assert isinstance(types["exports"], click.Choice)
    assert types["exports"].choices == tuple(EXPORTS)


def test_csv_has_a_row_for_each_detection(tmp_path: Path, run: Run) -> None:
    (path,) = _save_export("csv", tmp_path, run)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["image", "x1", "y1", "x2", "y2", "score"]
    assert [row["image"] for row in rows] == ["a.png", "a.png", "dad/c d.png"]
    assert [rows[0][key] for key in ("x1", "y2", "score")] == ["-1.5", "31.0", "0.9"]


def test_csv_of_a_video_has_times_and_tracks(tmp_path: Path) -> None:
    frames = (
        frame("v.mp4#0", [1, 2, 3, 4, 0.9], [5, 6, 7, 8, 0.8], time=0.5, tracks=(7, None)),
        frame("v,1.png", [1, 2, 3, 4, 0.7]),
    )
    (path,) = _save_export("csv", tmp_path, Run("film", {}, frames))
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [(row["time"], row["track"]) for row in rows] == [("0.5", "7"), ("0.5", ""), ("", "")]
    assert rows[2]["image"] == "v,1.png"


def test_the_courses_arrays(tmp_path: Path, run: Run) -> None:
    (path,) = _save_export("npy", tmp_path, run)
    peer = load_peer(path)
    assert peer.file_names == ("a.png", "a.png", "c d.png")
    assert peer.boxes[0].tolist() == [-1.5, 2, 11, 31]
    assert peer.scores.tolist() == [0.9, 0.1, 0.7]
    twins = Run("twins", {}, (frame("x/a.png", [1, 2, 3, 4, 1]), frame("y/a.png")))
    assert load_peer(_save_export("npy", tmp_path, twins)[0]).file_names == ("x/a.png",)
    empty = load_peer(_save_export("npy", tmp_path, Run("none", {}, (frame("a.png"),)))[0])
    assert (len(empty), empty.boxes.shape) == (0, (0, 4))


def test_the_courses_arrays_score_as_the_run_does(tmp_path: Path, run: Run) -> None:
    (path,) = _save_export("npy", tmp_path, run)
    truth = {"a.png": np.array([[0.0, 2, 11, 29]]), "c d.png": np.array([[0.0, 0, 10, 10]])}
    ours = {**truth, "dad/c d.png": truth["c d.png"]}
    ours.pop("c d.png")
    (of_run,) = evaluate_all([Predictions.of_run(run)], Truth.of(ours))
    (of_peer,) = evaluate_all([Predictions.of_peer("tuned", load_peer(path))], Truth.of(truth))
    assert of_peer.metrics.ap_course == of_run.metrics.ap_course > 0
    assert of_peer.metrics.ap == of_run.metrics.ap


@pytest.mark.skipif(not COURSE_EVALUATORS, reason="the course's evaluator is not here")
def test_the_courses_own_evaluator_reads_them(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its functions, untouched; ``np.int``, which they use, has left NumPy in 1.24."""
    (folder,) = _save_export("npy", tmp_path, run)
    save_annotations(tmp_path / "gt.txt", {"a.png": (np.array([[0, 2, 11, 29]]), [None])})
    source = COURSE_EVALUATORS[0].read_text(encoding="utf-8").partition("\nverbose")[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(np, "int", int, raising=False)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, Any] = {}
    exec(source, names)
    names["evaluate_results_task1"](f"{folder}/", str(tmp_path / "gt.txt"))
    assert (tmp_path / "precizie_medie_all_faces.png").exists()


def test_yolo_text_ends_at_the_border(tmp_path: Path, run: Run) -> None:
    (root,) = _save_export("yolo", tmp_path, run)
    texts = {str(path.relative_to(root)) for path in root.rglob("*.txt")}
    assert texts == {"labels/a.txt", "labels/b.txt", "labels/dad/c d.txt"}
    assert (root / "labels/b.txt").read_text() == ""
    assert (root / "labels/dad/c d.txt").read_text() == "0 0.5 0.5 1 1 0.7\n"
    Image.new("RGB", SIZE_HW[::-1]).save(root / "a.png")
    (root / "images").mkdir()
    (root / "a.png").rename(root / "images/a.png")
    (root / "data.yaml").write_text("train: images\nnames: [face]\n")
    back = _load_yolo(_load_yolo_set(root / "data.yaml"), root / "images", "skip")
    assert back.faces["a.png"].boxes.tolist() == [[0, 2, 11, 30], [20.25, 5, 30, 15]]


def test_yolo_text_overwrites_nothing(tmp_path: Path) -> None:
    twins = Run("twins", {}, (frame("a.png", [1, 2, 3, 4, 1]), frame("a.jpg")))
    with pytest.raises(OutputError, match=r"a\.png and a\.jpg would share one file"):
        _save_export("yolo", tmp_path, twins)
    assert list(tmp_path.iterdir()) == []


ODD = st.floats(-50, 50, width=32) | st.sampled_from([0.0, 1e-40, 1e-5, 2e-4, 30, 40, 1e9, 3e38])


@pytest.mark.parametrize("kind", [each for each in EXPORTS if each not in TIMED_EXPORTS])
@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(*[ODD] * 4, st.floats(0, 1, width=32)), max_size=3),
    name=st.sampled_from(["a.png", 'ü e,"f.png', "../a.png", "a\n.png"]),
)
def test_odd_boxes_are_written_to_be_read_or_not_at_all(
    kind: str, rows: list[list[float]], name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        try:
            paths = _save_export(kind, out, Run("a", {}, (frame(name, *rows),)))
        except DetectionsError as error:
            message, paths = str(error), []
        if paths:
            # what no annotations can say is left out, and counted by the command
            read_again(kind, paths, name, len(rows) if is_plain(name) else 0)
        else:
            assert repr(name) in message, "the image is named"
            assert not out.exists()


def read_again(kind: str, paths: list[Path], name: str, count: int) -> None:
    """Read an export of one frame with our readers, or as strictly as its format is."""
    match kind:
        case "csv":
            rows = list(csv.DictReader(paths[0].read_text("utf-8").splitlines()))
            assert [row["image"] for row in rows] == [name] * count
        case "npy":
            assert len(load_peer(paths[0])) == count
        case "yolo":
            (paths[0] / "data.yaml").write_text("train: images\nnames: [face]\n")
            (paths[0] / "images").mkdir()
            if is_plain(name):
                Image.new("RGB", SIZE_HW[::-1]).save(paths[0] / "images" / name)
            _load_yolo(_load_yolo_set(paths[0] / "data.yaml"), paths[0] / "images", "strict")
        case "cvat":
            Coco().load(paths[0])
        case _:
            for path in paths:
                if path.suffix == ".json":
                    json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)


# COCO, by pycocotools


def test_pycocotools_reads_coco_results(tmp_path: Path, run: Run) -> None:
    from pycocotools.coco import COCO

    results, images = _save_export("coco", tmp_path, run)
    loaded = COCO(str(images)).loadRes(str(results))
    assert [each["file_name"] for each in loaded.dataset["images"]] == [
        "a.png",
        "b.png",
        "dad/c d.png",
    ]
    by_image = [[each["bbox"] for each in loaded.imgToAnns[number]] for number in (1, 2, 3)]
    assert by_image == [[[-1.5, 2, 12.5, 29], [20.25, 5, 9.75, 10]], [], [[0, 0, 40, 30]]]


def test_results_fit_the_truth_that_convert_writes(tmp_path: Path) -> None:
    """Image ids of ``detect --export coco`` and ``convert --to coco`` are the same; so is AP."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    frames, results, truth = (tmp_path / name for name in ("frames", "results", "truth.json"))
    success(CliRunner().invoke(main, ["cartoons", str(frames), "--train", "1", "--test", "2"]))
    place = str(frames / "validare")
    arguments = ["detect", place, "--out", str(results), "--export", "coco"]
    success(CliRunner().invoke(main, arguments))
    success(CliRunner().invoke(main, ["convert", place, str(truth), "--to", "coco"]))
    arguments = ["evaluate", str(results), "--truth", str(truth)]
    success(CliRunner().invoke(main, arguments))
    ours = json.loads((results / "metrics.json").read_text())["runs"]["cartoon"]
    real = COCO(str(truth))
    theirs = COCOeval(real, real.loadRes(str(results / "cartoon.coco.json")), "bbox")
    theirs.params.useCats = 0  # the truth's classes are people
    for step in (theirs.evaluate, theirs.accumulate, theirs.summarize):
        step()
    assert theirs.stats[0] == pytest.approx(ours["ap_coco"]["0.5:0.95"], abs=1e-6)


# pre-annotations, by the documented schemas


def check_cvat_coco(document: dict[str, Any]) -> None:
    """What CVAT's import "COCO 1.0" needs.

    https://docs.cvat.ai/docs/dataset_management/formats/format-coco/: one unpacked JSON;
    rectangles are annotations whose ``segmentation`` is empty.  It hands the file to Datumaro
    (https://openvinotoolkit.github.io/datumaro/stable/docs/data-formats/formats/coco.html), which
    takes ids, ``bbox``, ``iscrowd`` and a ``score`` in [0, 1], and category ids from 1.
    """
    images = {each["id"]: each for each in document["images"]}
    categories = {each["id"] for each in document["categories"]}
    assert min(categories) >= 1
    assert all({"id", "name", "supercategory"} == each.keys() for each in document["categories"])
    assert all(isinstance(each["file_name"], str) for each in images.values())
    ids = [each["id"] for each in document["annotations"]]
    assert len(set(ids)) == len(ids)
    for each in document["annotations"]:
        assert (each["segmentation"], each["iscrowd"]) == ([], 0)
        assert each["category_id"] in categories
        assert 0 <= each["score"] <= 1
        image = images[each["image_id"]]
        x, y, width, height = each["bbox"]
        assert 0 <= x < x + width <= image["width"]
        assert 0 <= y < y + height <= image["height"]
        assert each["area"] == pytest.approx(width * height)


def check_label_studio(tasks: list[dict[str, Any]], interface: str) -> None:
    """What Label Studio needs to show predictions.

    https://labelstud.io/guide/predictions: ``data`` with the key that the interface's object tag
    names, ``predictions`` with ``result``; ``from_name`` and ``to_name`` are the names of the
    control and the object tag; boxes are in per cent of the image.
    https://labelstud.io/guide/storage: ``/data/local-files/?d=PATH`` is a file on its machine.
    """
    view = ElementTree.fromstring(interface)
    control, shown = view.find("RectangleLabels"), view.find("Image")
    assert control is not None
    assert shown is not None
    assert control.get("toName") == shown.get("name")
    labels = {each.get("value") for each in control}
    for task in tasks:
        assert list(task["data"]) == [str(shown.get("value")).removeprefix("$")]
        for prediction in task["predictions"]:
            assert isinstance(prediction["model_version"], str)
            assert 0 <= prediction.get("score", 0) <= 1
            ids = [each["id"] for each in prediction["result"]]
            assert len(set(ids)) == len(ids)
            for each in prediction["result"]:
                check_region(each, control.get("name"), shown.get("name"), labels)


def check_region(
    region: dict[str, Any], control: str | None, shown: str | None, labels: set[str | None]
) -> None:
    assert (region["type"], region["from_name"], region["to_name"]) == (
        "rectanglelabels",
        control,
        shown,
    )
    assert (region["original_width"], region["original_height"]) == SIZE_HW[::-1]
    assert region["image_rotation"] == 0
    value = region["value"]
    assert set(value["rectanglelabels"]) <= labels
    assert 0 <= value["x"] < value["x"] + value["width"] <= 100
    assert 0 <= value["y"] < value["y"] + value["height"] <= 100


def test_pre_annotations_for_cvat(tmp_path: Path, run: Run) -> None:
    (path,) = _save_export("cvat", tmp_path, run)
    document = json.loads(path.read_text())
    check_cvat_coco(document)
    assert [each["image_id"] for each in document["annotations"]] == [1, 1, 3]
    back = Coco().load(path)
    assert back.images == ("a.png", "b.png", "dad/c d.png")
    assert back.faces["a.png"].boxes.tolist() == [[0, 2, 11, 30], [20.25, 5, 30, 15]]


def test_pre_annotations_for_label_studio(tmp_path: Path, run: Run) -> None:
    tasks_path, interface_path = _save_export("label-studio", tmp_path, run)
    tasks = json.loads(tasks_path.read_text())
    check_label_studio(tasks, interface_path.read_text())
    urls = [task["data"]["image"] for task in tasks]
    assert urls[2] == "/data/local-files/?d=dad/c%20d.png"
    assert [unquote(url).partition("?d=")[2] for url in urls] == ["a.png", "b.png", "dad/c d.png"]
    first, second, _ = (task["predictions"][0] for task in tasks)
    value = first["result"][0]["value"]
    assert (value["x"], value["width"]) == (0, 27.5)
    assert first["score"] == 0.1
    assert second == {"model_version": "tuned", "result": []}


def test_what_lies_beyond_the_border_is_no_pre_annotation(tmp_path: Path) -> None:
    beyond = Run("odd", {}, (frame("a.png", [41, 2, 50, 9, 0.9]),))
    assert json.loads(_save_export("cvat", tmp_path, beyond)[0].read_text())["annotations"] == []
    assert len(load_peer(_save_export("npy", tmp_path, beyond)[0])) == 1


# what is refused


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ((frame("../../a.png", [1, 2, 3, 4, 1]),), "which is no relative path"),
        ((frame("/a.png"),), "which is no relative path"),
        ((frame("a.png", [1, 2, 2e9, 4, 1]),), "more than 1e\\+09 pixels away in 'a.png'"),
        ((frame("a.png"), frame("a.png")), "a.png"),
    ],
)
def test_bad_runs_are_refused(
    tmp_path: Path, kind: str, frames: tuple[FrameResult, ...], message: str
) -> None:
    with pytest.raises(DetectionsError, match=message):
        _save_export(kind, tmp_path / "out", Run("bad", {}, frames))
    assert list(tmp_path.iterdir()) == []


# the commands


def test_results_are_converted(tmp_path: Path, run: Run) -> None:
    results = tmp_path / "results"
    save_run(results / "tuned.detections.json", Run("../../evil", {}, run.frames))
    save_run(results / "b.detections.json", run)
    result = success(invoke("convert", results, tmp_path / "out", "--to", "csv"))
    assert result.stdout == f"wrote {tmp_path}/out/b.csv\nwrote {tmp_path}/out/tuned.csv\n"
    assert_refused(invoke("convert", results, tmp_path / "out", "--to", "csv"), "exists already")
    one = results / "b.detections.json"
    success(invoke("convert", one, tmp_path / "out", "--to", "label-studio", "--force"))
    wrong = invoke("convert", one, tmp_path / "voc", "--to", "voc")
    assert wrong.exit_code == 2
    assert invoke("convert", one, tmp_path / "x.csv", "--to", "csv").exit_code == 2
    assert "holds detections; choose from csv, coco, yolo" in wrong.stderr


def test_detect_exports_what_is_asked_for(tmp_path: Path, portrait: Path) -> None:
    arguments = [portrait, "--weights", "pretrained", "--out", tmp_path / "results"]
    result = success(invoke("detect", *arguments, "--export", "csv", "--export", "npy"))
    assert f"wrote {tmp_path}/results/pretrained.csv\n" in result.stdout
    assert len(load_peer(tmp_path / "results/pretrained.npy")) == 1
    assert not list((tmp_path / "results").glob("*.coco.json"))


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize(("more", "rows", "left_out"), [
    ([], 1, "boxes below score 0.8, not exported: 2"),
    (["--score", "0.7"], 2, "boxes below score 0.7, not exported: 1"),
    (["--score", "0"], 3, ""),
])  # fmt: skip
def test_what_is_exported_begins_at_the_score_of_the_run(
    tmp_path: Path, run: Run, more: list[str], rows: int, left_out: str
) -> None:
    path = tmp_path / "tuned.detections.json"
    save_run(path, replace(run, settings={"score": 0.8}))
    result = success(invoke("convert", path, tmp_path / "out", "--to", "csv", *more))
    assert len((tmp_path / "out/tuned.csv").read_text().splitlines()) == rows + 1
    assert (f"tuned: {left_out}; --score 0 exports all\n" if left_out else "") == result.stderr


def test_a_score_is_for_detections(tmp_path: Path, portrait: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames/face.jpg").write_bytes(portrait.read_bytes())
    (tmp_path / "frames/faces.txt").write_text("face.jpg 1 2 11 12 dad\n")
    arguments = ["convert", tmp_path / "frames", tmp_path / "out", "--to", "coco", "--score", "0.5"]
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert "--score is for detections, and " in refused.stderr
