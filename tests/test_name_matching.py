"""Which image a name means: by hand, against a slow rule that is easy to see, in all formats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import success
from PIL import Image

from facetl.cli import main
from facetl.data.annotations import AnnotationFile, Kind, count_problems
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.formats.course import load_annotations
from facetl.data.formats.names import leads_out, listed_name
from facetl.data.images import IMAGE_SUFFIXES
from facetl.data.name_matching import match_names, nearest_names
from facetl.errors import AnnotationError, InputError
from facetl.evaluation.frame_names import find_rows
from facetl.evaluation.report.compose import _find_pictures
from facetl.evaluation.report.frames import ReportFrame
from facetl.evaluation.scoring import evaluate
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.json_file import save_run
from facetl.results.peers import PeerDetections, save_peer

pytestmark = pytest.mark.usefixtures("sketched")

COMPOSED, DECOMPOSED = "p\u00e8re.jpg", "pe\u0300re.jpg"
IMAGES = ("0001.jpg", "dad/0002.jpg", "my frame.jpg", COMPOSED, "mom/0003.jpg", "dad/0003.jpg")

VARIANTS = {
    "a path on a server": "/srv/data/frames/0001.jpg",
    "Label Studio's prefix of downloads": "15868427__0001.jpg",
    "Label Studio's prefix of uploads": "/data/upload/1/15868427-0001.jpg",
    "Windows' way up": "..\\0001.jpg",
    "Windows' drive": "C:\\Users\\x\\frames\\0001.jpg",
    "Windows' server": "\\\\host\\frames\\0001.jpg",
    "the set's own folder": "frames/0001.jpg",
    "the way up": "../../frames/0001.jpg",
    "case of the suffix": "0001.JPG",
    "another suffix": "0001.png",
    "no suffix": "0001",
    "Label Studio's local storage": "/data/local-files/?d=images/0001.jpg",
    "Label Studio's local storage, encoded": "/data/local-files/?d=my%20images/0001.jpg",
    "a file's address": "file:///home/x/0001.jpg",
    "an address with a query": "https://bucket.example/frames/0001.jpg?X-Signature=a/b#c",
    "several of them": "D:\\frames\\15868427__0001.JPG",
}


@pytest.mark.parametrize("name", VARIANTS.values(), ids=list(VARIANTS))
def test_names_of_other_machines_mean_the_image(name: str) -> None:
    assert match_names([name], IMAGES) == {name: "0001.jpg"}


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("my%20frame.jpg", "my frame.jpg"),
        ("x/my%20frame.JPEG", "my frame.jpg"),
        (DECOMPOSED, COMPOSED),
        ("PE\u0300RE.jpg", COMPOSED),
        ("0002.jpg", "dad/0002.jpg"),
        ("other/0002.jpg", "dad/0002.jpg"),  # there is no name that shows what folders mean
        ("x/dad/0003.jpg", "dad/0003.jpg"),
        ("x/Dad/0003.jpg", "dad/0003.jpg"),
        ("dad\\0003.png", "dad/0003.jpg"),
        ("0003.jpg", None),  # dad's or mom's
        ("x/0003.jpg", None),
        ("0004.jpg", None),
        ("1.jpg", None),
        ("0001.txt", None),
        ("", None),
        ("..", None),
        ("?d=", None),
        ("%2e%2e/%00", None),
    ],
)
def test_names_by_hand(name: str, image: str | None) -> None:
    assert match_names([name], IMAGES) == ({name: image} if image else {})


def test_an_image_is_taken_once() -> None:
    assert match_names(["a/1.jpg", "b/1.jpg"], ["1.jpg"]) == {}
    assert match_names(["1.jpg", "b/1.jpg"], ["1.jpg"]) == {"1.jpg": "1.jpg"}
    assert match_names(["1.jpg", "1.JPG", "1.png"], ["1.jpg"]) == {"1.jpg": "1.jpg"}


def test_folders_that_differ_are_different_once_a_name_is_an_images_own() -> None:
    images = ["dad/1.jpg", "dad/2.jpg"]
    assert match_names(["mom/2.jpg"], images) == {"mom/2.jpg": "dad/2.jpg"}
    assert match_names(["dad/1.jpg", "mom/2.jpg"], images) == {"dad/1.jpg": "dad/1.jpg"}
    both = match_names(["dad/1.jpg", "x/dad/2.JPG"], images)
    assert both == {"dad/1.jpg": "dad/1.jpg", "x/dad/2.JPG": "dad/2.jpg"}


def test_an_image_of_which_nothing_is_left_over_fits_better() -> None:
    images = ["001.jpg", "crops/001.jpg"]
    names = ["frames/001.jpg", "frames/crops/001.jpg"]
    assert match_names(names, images) == dict(zip(names, images, strict=True))


def test_frames_of_two_videos_are_never_the_same() -> None:
    assert match_names(["a.mp4/1.png"], ["b.mp4/1.png"]) == {}
    assert match_names(["a.mp4/1.png"], ["frames/1.png"]) != {}
    assert match_names(["x/a.mp4/1.png"], ["y/a.mp4/1.png"]) != {}


def test_the_nearest_names_are_told() -> None:
    assert nearest_names("0005.jpg", ["0001.jpg", "x.png", "my frame.jpg"]) == "0001.jpg"
    assert nearest_names("C:\\a\\long\\way\\to\\my_frame.jpg", IMAGES, most=1) == "my frame.jpg"
    assert nearest_names("1.jpg", ["dad/1.jpg", "mom/1.jpg"]) == "mom/1.jpg and dad/1.jpg"
    assert nearest_names("zzz", IMAGES) == ""


def test_paths_without_end_are_compared_at_their_ends() -> None:
    names = ["a/" * 900 + f"{number}.jpg" for number in range(2_000)]
    images = ["b/" * 900 + f"{number}.jpg" for number in range(2_000)]
    assert len(match_names(names, images)) == 2_000
    assert nearest_names("2000.jpg", images)


# against a slow rule


def slow_match(names: list[str], images: list[str]) -> dict[str, str]:
    """The rule again, each name against each image."""
    exact = {name for name in names if name in images}
    found = {name: slow_find(name, images, apart=bool(exact)) for name in names}
    taken = [image for name, image in found.items() if name not in exact]
    return {
        name: image
        for name, image in found.items()
        if image and (name in exact or (image not in exact and taken.count(image) == 1))
    }


def slow_find(name: str, images: list[str], *, apart: bool) -> str | None:
    if name in images:
        return name
    decoded = unquote(name.split("?d=", 1)[1] if "?d=" in name else name)
    shorter = re.sub(r"(^|.*[/\\])[0-9a-f]{8}(-|__)([^/\\]+)$", r"\1\3", decoded, flags=re.DOTALL)
    for change in (lambda part: part, str.casefold, without_suffix, uploaded):
        for reading in (name, decoded, shorter):
            ours = comparable(reading, change)
            common = {image: shared(ours, comparable(image, change)) for image in images}
            most = max(common.values())
            best = [image for image in images if common[image] == most > 0]
            whole = [image for image in best if len(comparable(image, change)) == most]
            chosen = whole or best
            if len(chosen) != 1:
                continue
            contained = most in (len(ours), len(comparable(chosen[0], change)))
            if contained or not apart:
                return chosen[0]
    return None


def comparable(path: str, change: Callable[[str], str]) -> list[str]:
    parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".", "..")]
    folder = str.casefold if change in (without_suffix, uploaded) else change
    changed = [folder(normalize("NFC", part)) for part in parts[:-1]]
    return [normalize("NFC", each) for each in [*changed, *map(change, map(nfc, parts[-1:]))]]


def nfc(text: str) -> str:
    return normalize("NFC", text)


def without_suffix(last: str) -> str:
    folded = last.casefold()
    for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True):
        if folded.endswith(suffix):
            return folded.removesuffix(suffix)
    return folded


def uploaded(last: str) -> str:
    return re.sub(r"[^-\w.]", "", last.casefold().strip().replace(" ", "_"))


def shared(ours: list[str], theirs: list[str]) -> int:
    count = 0
    while count < min(len(ours), len(theirs)) and ours[-1 - count] == theirs[-1 - count]:
        count += 1
    return count


FOLDERS = st.lists(st.sampled_from(["a", "A", "b", "x", "\u00e9", "e\u0301", ".."]), max_size=3)
LASTS = st.sampled_from(
    ["1.jpg", "1.JPG", "1.png", "2.jpg", "1", "15868427-1.jpg", "0a0b0c0d__1.png"]
    + [
        "\u00e9.jpg",
        "e\u0301.jpg",
        "a b.jpg",
        "a%20b.jpg",
        "a_b.jpg",
        "15868427-a_b.jpg",
        "(a b).jpg",
        "?d=1.jpg",
    ]
)
PATHS = st.builds(
    lambda folders, last, mark: mark.join([*folders, last]),
    FOLDERS,
    LASTS,
    st.sampled_from(["/", "/", "\\"]),
)
REAL = st.builds(lambda folders, last: "/".join([*folders, last]), FOLDERS, LASTS).filter(
    lambda name: ".." not in name
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PATHS, max_size=5, unique=True), st.lists(REAL, max_size=5, unique=True))
def test_the_tables_say_what_the_slow_rule_says(names: list[str], images: list[str]) -> None:
    found = match_names(names, images)
    assert found == (slow_match(names, images) if images else {})
    assert len({*found.values()}) == len(found)
    assert {*found.values()} <= {*images}
    assert match_names(names[::-1], images[::-1]) == found


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True))
def test_any_text_may_be_a_name(name: str, images: list[str]) -> None:
    assert set(match_names([name], images).values()) <= {*images}
    nearest_names(name, images)


# what readers pass on


@pytest.mark.parametrize(
    ("text", "name", "outside"),
    [
        ("a.png", "a.png", False),
        ("x/../a.png", "a.png", False),
        ("..\\a.png", "../a.png", True),
        ("/a.png", "/a.png", True),
        ("C:\\x\\a.png", "C:/x/a.png", True),
        ("https://x/a.png?b=" + "c" * 3_000, "https://x/a.png", False),
        ("a\n.png", None, False),
        ("a" * 3_000, None, False),
        ("..", None, False),
        ("/", None, False),
        (None, None, False),
    ],
)
def test_a_listed_name_is_only_for_comparing(text: object, name: str | None, outside: bool) -> None:
    found = listed_name(text)
    assert found == name or (found or "").replace(":/x", "://x") == name
    assert found is None or leads_out(found) == outside


# in all formats


def draw(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def as_course(root: Path, name: str) -> Path:
    return write(root / "faces.txt", f"{name} 1 2 11 12\n")


def as_coco(root: Path, name: str) -> Path:
    document = {
        "images": [{"id": 1, "file_name": name, "width": 40, "height": 30}],
        "annotations": [{"id": 1, "image_id": 1, "bbox": [1, 2, 10, 10]}],
    }
    return write(root / "faces.json", json.dumps(document))


def as_wider(root: Path, name: str) -> Path:
    return write(root / "faces.txt", f"{name}\n1\n1 2 10 10\n")


def as_voc(root: Path, name: str) -> Path:
    box = "<xmin>2</xmin><ymin>3</ymin><xmax>11</xmax><ymax>12</ymax>"
    text = f"<object><bndbox>{box}</bndbox></object>"
    file = write(
        root / "Annotations/other.xml",
        f"<annotation><filename>{name}</filename>{text}</annotation>",
    )
    return file.parent


def as_yolo_list(root: Path, name: str) -> Path:
    write(root / "frames/a.txt", "0 0.15 0.2333333333 0.25 0.3333333333\n")
    write(root / "train.txt", f"{name}\n")
    return write(root / "data.yaml", "train: train.txt\nnames: [face]\n")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """An image that lies outside of what is given."""
    draw(tmp_path / "outside/z.jpg")
    return tmp_path / "outside/z.jpg"


@pytest.mark.parametrize("make", [as_course, as_coco, as_wider, as_voc, as_yolo_list])
@pytest.mark.parametrize(
    "name", ["/srv/old/a.jpg", "C:\\old\\a.jpg", "..\\a.jpg", "15868427-a.jpg", "a.JPG", "a.png"]
)
def test_all_formats_match_names_and_count_it(
    tmp_path: Path, make: Callable[[Path, str], Path], name: str
) -> None:
    root = tmp_path / "set"
    draw(root / "frames/a.jpg", root / "frames/b.jpg")
    file = make(root, name)
    listing = make is as_yolo_list
    dataset = (
        load_dataset(file) if listing else load_dataset(images=root / "frames", annotations=file)
    )
    faces = {frame.path: frame.boxes.tolist() for frame in dataset if len(frame.boxes)}
    assert list(faces) == [root / "frames/a.jpg"]
    np.testing.assert_allclose(faces[root / "frames/a.jpg"], [[1, 2, 11, 12]], atol=1e-4)
    assert [each.kind for each in dataset.problems if each.kind is not Kind.UNLISTED] == [
        Kind.MATCHED
    ]
    assert "1 matched by the end of the name" in count_problems(dataset.problems)


@pytest.mark.parametrize("make", [as_course, as_coco, as_wider, as_voc, as_yolo_list])
def test_nothing_outside_the_folder_is_opened(
    tmp_path: Path, outside: Path, make: Callable[[Path, str], Path]
) -> None:
    root = tmp_path / "set"
    draw(root / "frames/a.jpg", root / "frames/b.jpg")
    for name in (str(outside), "../outside/z.jpg", "../../outside/z.jpg", f"file://{outside}"):
        file = make(root, name)
        apart = {"images": root / "frames", "annotations": file}
        place: dict[str, Any] = {"root": file} if make is as_yolo_list else apart
        with pytest.raises(AnnotationError, match="found "):
            load_dataset(**place)
        try:
            dataset = load_dataset(**place, on_error="skip")
        except InputError:  # no image is left
            continue
        assert outside not in [frame.path for frame in dataset]
        assert dataset.face_count == 0


def test_a_refusal_names_the_nearest(tmp_path: Path) -> None:
    draw(tmp_path / "frames/frame_0001.jpg", tmp_path / "frames/x.jpg")
    file = as_coco(tmp_path, "frame_0002.jpg")
    with pytest.raises(AnnotationError, match=r"\(the nearest: frame_0001\.jpg\); mend it or"):
        load_dataset(images=tmp_path / "frames", annotations=file)
    as_coco(tmp_path, "../frame_0002.jpg")
    with pytest.raises(AnnotationError, match=r"path '../frame_0002\.jpg', .*nearest: frame_0001"):
        load_dataset(images=tmp_path / "frames", annotations=file)


def test_sizes_and_clipping_go_with_the_image(tmp_path: Path) -> None:
    draw(tmp_path / "frames/a.jpg")
    file = as_coco(tmp_path, "x/a.jpg")
    file.write_text(file.read_text().replace('"height": 30', '"height": 31'))
    with pytest.raises(AnnotationError, match=r"found a\.jpg of 40x30 .* where 40x31 were"):
        load_dataset(images=tmp_path / "frames", annotations=file)


# in evaluate


def run_of(*names: str) -> Run:
    found = Detections.from_lists([[1.0, 2.0, 11.0, 12.0]], [0.9], np.zeros((1, 5, 2)))
    frames = tuple(FrameResult(name, (30, 40), found, {"pnet": 1}, 0.1) for name in names)
    return Run("mine", {}, frames)


@pytest.mark.parametrize("name", VARIANTS.values(), ids=list(VARIANTS))
def test_the_truth_may_have_names_of_other_machines(tmp_path: Path, name: str) -> None:
    truth = load_annotations(write(tmp_path / "faces.txt", f"{name} 1 2 11 12\n"))
    evaluation = evaluate(run_of("0001.jpg", "0002.jpg"), truth)
    assert evaluation.metrics.ap["0.5"] == 1
    assert "mine: frames matched with the truth by the end of their names: 1" in evaluation.notes


def test_peers_are_matched_too(tmp_path: Path) -> None:
    draw(tmp_path / "frames/dad/a.jpg", tmp_path / "frames/dad/b.jpg")
    write(tmp_path / "frames/faces.txt", "dad/a.jpg 1 2 11 12\ndad/b.jpg 1 2 11 12\n")
    save_run(tmp_path / "found/mine.detections.json", run_of("dad/a.jpg", "dad/b.jpg"))
    names = ("a.png", "b.png")
    save_peer(tmp_path / "peer", PeerDetections(np.array([[1, 2, 11, 12]] * 2), np.ones(2), names))
    arguments = ["--truth", tmp_path / "frames", "--peer", f"other={tmp_path / 'peer'}"]
    result = success(
        CliRunner().invoke(main, ["evaluate", *map(str, [tmp_path / "found", *arguments])])
    )
    assert "other: frames matched with the truth by the end of their names: 2" in result.stderr
    metrics = json.loads((tmp_path / "found/metrics.json").read_text())
    assert metrics["runs"]["other"]["ap"]["0.5"] == 1


def test_frames_without_any_in_common_name_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"'frame_07\.jpg' in the run and 'frame_08\.jpg' in the truth"
    ):
        find_rows(["frame_07.jpg"], ["other.jpg", "frame_08.jpg"], "mine")


def test_longer_ends_tell_frames_of_equal_base_names_apart() -> None:
    names = ["/x/dad/1.jpg", "/x/mom/1.jpg"]
    assert find_rows(names, ["mom/1.jpg", "dad/1.jpg"], "mine").tolist() == [1, 0]


def test_the_report_finds_its_pictures_by_the_same_rule(tmp_path: Path) -> None:
    draw(tmp_path / "frames/a.jpg", tmp_path / "secret.jpg")
    nothing = np.zeros((0, 4))
    frames = [
        ReportFrame(name, (30, 40), nothing, (), {})
        for name in ("C:/x/a.JPG", "../secret.jpg", str(tmp_path / "secret.jpg"))
    ]
    file = AnnotationFile(tmp_path / "x.txt", (), ())
    found = _find_pictures(file, frames, tmp_path / "frames")
    assert found == {"C:/x/a.JPG": tmp_path / "frames/a.jpg"}
    assert _find_pictures(file, frames, None) == {}
    dataset = FaceDataset(())
    assert _find_pictures(dataset, frames, tmp_path / "nowhere") == {}
