"""Details of labelling tools' own formats, and what is wrong in their files."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hostile.tool_files import REGION, TEXTS, VALUE
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facetl.cli import main
from facetl.data.annotations import AnnotationFile, Kind
from facetl.data.dataset import load_dataset, load_truth
from facetl.data.discovery import recognise
from facetl.data.formats.box_table import BoxTable
from facetl.data.formats.conversion import save_dataset
from facetl.data.formats.cvat import Cvat
from facetl.data.formats.label_studio import LabelStudio
from facetl.data.formats.shapes import box_around, ellipse_points, turn_rectangle
from facetl.data.formats.via import Via
from facetl.data.frame import Frame
from facetl.errors import AnnotationError
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.exports import save_exports

pytestmark = pytest.mark.usefixtures("sketched")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def draw(*paths: Path, size: tuple[int, int] = (16, 12)) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path)


def kinds(file: AnnotationFile) -> list[Kind]:
    return [problem.kind for problem in file.problems]


# which format it is


@pytest.mark.parametrize("name", TEXTS)
def test_each_is_recognised_by_its_beginning(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name.replace("/", "_"), TEXTS[name])
    names = {
        "cvat.xml": "cvat",
        "cvat_video.xml": "cvat",
        "a.json": "labelme",
        "via.json": "via",
        "via.csv": "via",
        "table.csv": "csv",
        "createml.json": "createml",
        "ann/a.png.json": "supervisely",
    }
    assert recognise(path).name == names.get(name, "label-studio")


@pytest.mark.parametrize("name", [*TEXTS])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_texts_of_windows_are_read(tmp_path: Path, name: str, encoding: str) -> None:
    draw(tmp_path / ("img/a.png" if "ann" in name else "a.png"))
    path = write(tmp_path / name, TEXTS[name])
    before = load_dataset(tmp_path, on_error="skip")
    path.write_text(TEXTS[name].replace(' encoding="utf-8"', ""), encoding=encoding)
    after = load_dataset(tmp_path, on_error="skip")
    assert [frame.boxes.tolist() for frame in after] == [f.boxes.tolist() for f in before]
    assert before.face_count or "video" in name or name == "a.json"


# shapes


@given(st.floats(-400, 400), st.floats(1, 50), st.floats(1, 50))
def test_a_rectangle_is_turned_about_its_upper_left_corner(
    degrees: float, width: float, height: float
) -> None:
    corners = turn_rectangle(7, 9, width, height, degrees)
    assert corners[0] == (7, 9)
    lengths = [math.dist(a, b) for a, b in itertools.pairwise(corners)]
    np.testing.assert_allclose(lengths, [width, height, width])
    angle = math.degrees(math.atan2(corners[1][1] - 9, corners[1][0] - 7))
    assert math.isclose((angle - degrees + 180) % 360, 180, abs_tol=1e-6)


@given(st.floats(-400, 400), st.floats(1, 50), st.floats(1, 50))
def test_the_box_around_an_ellipse(degrees: float, across: float, down: float) -> None:
    turns = np.linspace(0, 2 * np.pi, 3601)
    angle = math.radians(degrees)
    x = 7 + across * np.cos(turns) * math.cos(angle) - down * np.sin(turns) * math.sin(angle)
    y = 9 + across * np.cos(turns) * math.sin(angle) + down * np.sin(turns) * math.cos(angle)
    box = box_around(ellipse_points(7, 9, across, down, degrees))
    assert box
    np.testing.assert_allclose(box, [x.min(), y.min(), x.max(), y.max()], atol=1e-3)


# CVAT


def video(tmp_path: Path, tracks: str, meta: str = "<source>v.mp4</source>") -> Path:
    text = f"<annotations><meta><task>{meta}</task></meta>{tracks}</annotations>"
    return write(tmp_path / "annotations.xml", text)


def box(frame: int, x: float, outside: int = 0) -> str:
    return (
        f'<box frame="{frame}" keyframe="1" outside="{outside}" xtl="{x}" ytl="1" '
        f'xbr="{x + 4}" ybr="8"/>'
    )


def test_tracks_are_drawn_between_their_boxes(tmp_path: Path) -> None:
    path = video(tmp_path, f'<track label="dad">{box(2, 1)}{box(6, 5)}{box(9, 5, 1)}</track>')
    file = Cvat().load(path)
    lefts = {name: faces.boxes[:, 0].tolist() for name, faces in file.faces.items()}
    expected = {2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 5, 8: 5}
    assert lefts == {f"v.mp4/{frame:06}.png": [x] for frame, x in expected.items()}
    assert {faces.labels for faces in file.faces.values()} == {("dad",)}
    assert file.images is None


def test_nothing_is_drawn_where_a_track_is_outside(tmp_path: Path) -> None:
    boxes = f"{box(0, 1)}{box(2, 1, 1)}{box(8, 5)}{box(9, 5)}"
    file = Cvat().load(video(tmp_path, f'<track label="face">{boxes}</track>'))
    assert sorted(file.faces) == [f"v.mp4/{frame:06}.png" for frame in (0, 1, 8, 9)]


def test_only_annotated_frames_are_drawn(tmp_path: Path) -> None:
    meta = "<frame_filter>step=3</frame_filter><source>v.mp4</source>"
    path = video(tmp_path, f'<track label="face">{box(0, 1)}{box(9, 4)}</track>', meta)
    assert sorted(Cvat().load(path).faces) == [f"v.mp4/{n:06}.png" for n in (0, 3, 6, 9)]


@pytest.mark.parametrize(
    "name", ["v.mp4/{:06}.png", "frame_{:06}.PNG", "images/frame_{:06}.png", "{}.jpg"]
)
def test_frames_of_a_video_are_found_by_number(tmp_path: Path, name: str) -> None:
    draw(*(tmp_path / "in" / name.format(frame) for frame in range(4)))
    path = video(tmp_path / "in", f'<track label="face">{box(1, 1)}{box(5, 1)}</track>')
    dataset = load_dataset(annotations=path, images=tmp_path / "in")
    counts = [len(frame.boxes) for frame in dataset]
    assert counts == [0, 1, 1, 1]
    lost = [each for each in dataset.problems if each.kind is Kind.NO_FRAME]
    assert len(lost) == 2


def test_images_that_are_no_frames_of_the_video_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "in/dad.png")
    path = video(tmp_path / "in", f'<track label="face">{box(1, 1)}</track>')
    with pytest.raises(AnnotationError, match=r"found no image of v\.mp4/000001\.png"):
        load_dataset(annotations=path, images=tmp_path / "in")


def test_a_video_is_a_truth_by_the_names_of_its_frames(tmp_path: Path) -> None:
    path = video(tmp_path, f'<track label="face">{box(1, 1)}</track>')
    assert list(load_truth(path).faces) == ["v.mp4/000001.png"]  # type: ignore[union-attr]


@pytest.mark.parametrize("frame", ["-1", "x", "1e3", "99999999999", ""])
def test_odd_frames(tmp_path: Path, frame: str) -> None:
    text = box(1, 1).replace('frame="1"', f'frame="{frame}"', 1)
    path = video(tmp_path, f'<track label="face">{text}</track>')
    with pytest.raises(AnnotationError, match="expected a whole number"):
        Cvat().load(path)


def test_a_gap_is_not_endless(tmp_path: Path) -> None:
    path = video(tmp_path, f'<track label="face">{box(1, 1)}{box(9_000_000, 1)}</track>')
    with pytest.raises(AnnotationError, match="too far apart"):
        Cvat().load(path)


def test_masks_are_refused_plainly(tmp_path: Path) -> None:
    mask = '<mask label="x" rle="1, 2" left="1" top="1" width="3" height="1"/>'
    path = write(tmp_path / "a.xml", TEXTS["cvat.xml"].replace("<tag", f"{mask}<tag"))
    with pytest.raises(AnnotationError, match=r"found a mask of pixels, which facetl does not"):
        Cvat().load(path)
    file = Cvat().load(path, "skip")
    assert kinds(file).count(Kind.MASK) == 1
    assert len(file.lines) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations><image name='a.png'><box", "broken XML"),
        (
            '<!DOCTYPE x [<!ENTITY a "b">]><annotations><image name="&a;"/></annotations>',
            "entities",
        ),
        ("<annotations><image name='a.png'><box xtl='1'/></image></annotations>", "two numbers"),
        (
            "<annotations><image name='a'><box xtl='3' ytl='1' xbr='3' ybr='2'/></image>"
            "</annotations>",
            "found an empty rectangle",
        ),
        ("<annotations><image name=''/></annotations>", "found the image name ''"),
    ],
)
def test_wrong_xml(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "a.xml", text)
    with pytest.raises(AnnotationError, match=message) as caught:
        Cvat().load(path)
    assert str(caught.value).startswith(str(path))


# Label Studio


def task(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"image": "a.png"}, "annotations": [{"result": list(results)}]} | more


def load_tasks(tmp_path: Path, *tasks: dict[str, Any]) -> AnnotationFile:
    path = write(tmp_path / "x.json", json.dumps(tasks))
    return LabelStudio().load(path)


def test_what_is_written_for_label_studio_is_read(tmp_path: Path) -> None:
    draw(tmp_path / "in/a b.png")
    frame = Frame(tmp_path / "in/a b.png", "a b.png", np.array([[1, 2, 9.25, 9]]), ("x",), (12, 16))
    save_dataset(tmp_path / "out", "label-studio", {"train": [frame]})
    dataset = load_dataset(tmp_path / "out")
    (found,) = dataset.frames
    np.testing.assert_allclose(found.boxes, frame.boxes, atol=1e-6)
    assert (found.name, found.labels) == ("a b.png", ("x",))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"note": "x/y", "picture": "/data/upload/1/a.png"}, "/data/upload/1/a.png"),
        ({"picture": "s3://bucket/frames/a"}, "s3:/bucket/frames/a"),
        ({"a": "z", "image": "https://x.org/a.png?key=1"}, "https:/x.org/a.png"),
        ({"image": 3, "other": "b.JPG"}, "b.JPG"),
    ],
)
def test_where_the_image_of_a_task_is(tmp_path: Path, data: dict[str, Any], name: str) -> None:
    result = REGION | {"value": VALUE}
    assert load_tasks(tmp_path, task(result, data=data)).images == (name,)


def test_which_annotation_of_a_task_counts(tmp_path: Path) -> None:
    def version(x: int, **more: Any) -> dict[str, Any]:
        return {"result": [REGION | {"value": VALUE | {"x": x}}]} | more

    old, new = version(0, updated_at="2025"), version(25, updated_at="2026")
    chosen = version(50, updated_at="2024", ground_truth=True)
    skipped = version(75, updated_at="2027", was_cancelled=True)
    for versions, left in (([new, old], 4), ([new, chosen, old], 8), ([skipped, old], 0)):
        file = load_tasks(tmp_path, task(annotations=versions))
        assert file.faces["a.png"].boxes[:, 0].tolist() == [left]
        kept = [each for each in versions if each is not skipped]
        assert kinds(file).count(Kind.OTHER_VERSION) == len(kept) - 1
    assert load_tasks(tmp_path, task(annotations=[skipped])).images == ()


def test_predictions_count_only_where_nothing_was_annotated(tmp_path: Path) -> None:
    prediction = {"predictions": [{"result": [REGION | {"value": VALUE}]}]}
    assert load_tasks(tmp_path, task(annotations=[]) | prediction).images == ()
    only = {"data": {"image": "a.png"}} | prediction
    assert len(load_tasks(tmp_path, only).lines) == 1


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([{"value": VALUE}], "expected numbers, and the original_width"),
        ([REGION | {"value": VALUE | {"x": "1"}}], "expected numbers"),
        ([REGION | {"value": VALUE | {"width": 0}}], "found an empty rectangle"),
        ([REGION | {"value": {"points": [[1, 2], [3]]}}], "expected numbers"),
        ([REGION | {"value": {"rle": [1], "format": "rle"}}], "found a mask of pixels"),
        ([3], "expected a list of results"),
    ],
)
def test_wrong_tasks(tmp_path: Path, results: list[Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        load_tasks(tmp_path, task(*results))
    assert str(caught.value).startswith(str(tmp_path / "x.json: ").replace("json: ", "json"))


# VIA, tables


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"name": "dad", "mood": "glad"}, "dad"),
        ({"who": "mom"}, "mom"),
        ({"who": "mom", "mood": "glad"}, None),
        ({"who": {"mom": True}}, None),
        ({"name": ""}, None),
    ],
)
def test_labels_of_via(tmp_path: Path, attributes: dict[str, Any], label: str | None) -> None:
    shape = {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}
    region = {"shape_attributes": shape, "region_attributes": attributes}
    document = {"a.png1": {"filename": "a.png", "regions": [region]}}
    file = Via().load(write(tmp_path / "x.json", json.dumps(document)))
    assert file.faces["a.png"].labels == (label,)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",16,12,dad,2,1,9,8", "found the file name ''"),
        ("a.png,16,12,dad,2,1,nan,8", "expected two numbers"),
        ("a.png,16,12,dad,2,1", "expected two numbers"),
    ],
)
def test_wrong_rows(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path / "x.csv", f"filename,width,height,class,xmin,ymin,xmax,ymax\n{row}\n")
    with pytest.raises(AnnotationError, match=message) as caught:
        BoxTable().load(path)
    assert str(caught.value).startswith(f"{path}:2: ")


# labelme


def test_regions_to_be_ignored_are_kept_by_labelme(tmp_path: Path) -> None:
    draw(tmp_path / "in/dad/a.png")
    boxes, crowd = np.array([[1.0, 2, 9.25, 9]]), np.array([[2.0, 2, 8, 8]])
    path = tmp_path / "in/dad/a.png"
    frame = Frame(path, "dad/a.png", boxes, ("mom",), (12, 16), ignored=crowd)
    save_dataset(tmp_path / "out", "labelme", {"train": [frame]})
    (found,) = load_dataset(tmp_path / "out").frames
    assert (found.name, found.labels) == ("dad/a.png", ("mom",))
    assert (found.boxes.tolist(), found.ignored.tolist()) == (boxes.tolist(), crowd.tolist())
    document = json.loads((tmp_path / "out/images/dad/a.json").read_text())
    assert document["imagePath"] == "a.png"


def test_detections_become_shapes_of_labelme(tmp_path: Path) -> None:
    draw(tmp_path / "frames/x/a.png", tmp_path / "frames/b.png")
    found = Detections.from_lists([[1, 2, 9.25, 20]], [0.9], np.zeros((1, 5, 2)))
    nothing = Detections.empty()
    frames = tuple(
        FrameResult(name, (12, 16), each, {}, 0.1)
        for name, each in (("b.png", nothing), ("x/a.png", found))
    )
    (paths,) = save_exports(tmp_path / "frames", [Run("mine", {}, frames)], ["labelme"])
    assert paths == [tmp_path / "frames/mine.labelme"]
    dataset = load_dataset(paths[0], images=tmp_path / "frames")
    assert {frame.name: frame.boxes.tolist() for frame in dataset} == {
        "b.png": [],
        "x/a.png": [[1, 2, 9.25, 12]],
    }
    document = json.loads((paths[0] / "x/a.json").read_text())
    assert [each["score"] for each in document["shapes"]] == [0.9]


def test_a_broken_file_among_others_is_told(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", tmp_path / "b.png")
    write(tmp_path / "a.json", TEXTS["a.json"])
    write(tmp_path / "b.json", '{"shapes": [')
    with pytest.raises(AnnotationError, match=r"b\.json: found a file that cannot be read: "):
        load_dataset(tmp_path)
    dataset = load_dataset(tmp_path, on_error="skip")
    assert [frame.name for frame in dataset] == ["a.png"]


def test_a_single_file_means_its_image_alone(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", tmp_path / "b.png")
    for name in "ab":
        write(tmp_path / f"{name}.json", TEXTS["a.json"].replace("a.png", f"{name}.png"))
    assert [frame.name for frame in load_dataset(tmp_path / "b.json")] == ["b.png"]
    result = CliRunner().invoke(
        main, ["convert", str(tmp_path), str(tmp_path.parent / "o.json"), "--to", "coco"]
    )
    assert result.exit_code == 0
    assert "2 frames, 4 faces" in result.stdout
