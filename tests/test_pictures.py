"""Whatever people hold pictures in, the same faces are found; and copies of the detector."""

from __future__ import annotations

import base64
import copy
import gc
import io
import pickle
import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_frames import draw_frame
from engines import ENGINES
from numpy.typing import NDArray
from PIL import Image

from facetl.data.crops import cut_window, windows_around
from facetl.data.forgetting import PORTRAIT
from facetl.data.images import load_image, save_image
from facetl.data.overlays import draw_boxes
from facetl.data.pictures import as_pixels, each_of, is_one
from facetl.errors import ImageError
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.weights import load_weights
from facetl.results.detections import Detections

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def face() -> Pixels:
    return load_image(PORTRAIT)


def tensor_of(image: Pixels) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)


HOLDERS: dict[str, Callable[[Pixels], Any]] = {
    "array": lambda image: image,
    "floats to 1": lambda image: image / 255,
    "floats to 255": lambda image: image.astype(np.float32),
    "RGBA": lambda image: np.dstack([image, image[:, :, :1]]),
    "PIL": Image.fromarray,
    "tensor": tensor_of,
    "tensor, channels last": torch.from_numpy,
    "tensor to 1": lambda image: tensor_of(image) / 255,
    "tensor to 255 with a gradient": lambda image: tensor_of(image).double().requires_grad_(),
    "RGBA tensor": lambda image: tensor_of(np.dstack([image, image[:, :, :1]])),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_picture_is_the_same_whatever_holds_it(holder: str, face: Pixels) -> None:
    held = HOLDERS[holder](face)
    assert is_one(held)
    np.testing.assert_array_equal(as_pixels(held), face)


def test_a_path_is_one_picture(face: Pixels) -> None:
    for path in (PORTRAIT, str(PORTRAIT)):
        assert is_one(path)
        np.testing.assert_array_equal(as_pixels(path), face)


@pytest.mark.parametrize("shape", [(20, 30), (1, 20, 30), (20, 30, 1)])
def test_grey_tensors_are_seen_in_colour(shape: tuple[int, ...]) -> None:
    grey = torch.arange(600, dtype=torch.float32) / 600
    pixels = as_pixels(grey.reshape(shape))
    assert pixels.shape == (20, 30, 3)
    assert (pixels == pixels[:, :, :1]).all()


def test_bfloat16_is_read() -> None:
    assert as_pixels(torch.ones(3, 20, 30, dtype=torch.bfloat16)).min() == 255


@pytest.mark.parametrize("as_floats", [False, True])
@pytest.mark.parametrize("kind", ["array", "tensor", "tensor, channels last"])
def test_a_batch_is_several_pictures(kind: str, as_floats: bool) -> None:
    # Beside a bright picture a dark one of floats to 255 must not be taken for one to 1.
    batch = np.stack([np.full((20, 30, 3), value, np.uint8) for value in (1, 250)])
    held: Any = batch.astype(np.float32) if as_floats else batch
    if kind.startswith("tensor"):
        held = torch.from_numpy(held)
    if kind == "tensor":
        held = held.permute(0, 3, 1, 2)
    assert not is_one(held)
    np.testing.assert_array_equal(list(each_of(held)), batch)


@pytest.mark.parametrize(
    ("picture", "complaint"),
    [
        (torch.zeros(3, 20, 3), "channels first or last"),
        (torch.zeros(3, 3, 20, 3), "channels first or last"),
        (torch.zeros(20, 30, 5), r"\(20, 30, 5\); give \(3, H, W\)"),
        (torch.zeros(7), r"\(7,\)"),
        (torch.zeros(1, 2, 3, 20, 30), r"\(1, 2, 3, 20, 30\)"),
        (torch.zeros(3, 20, 30, dtype=torch.int64), "int64"),
        (np.zeros((3, 20, 30)), r"\(3, 20, 30\)"),
        (np.zeros((2, 3, 20, 30), np.uint8), r"\(3, 20, 30\)"),
        (np.zeros((1, 2, 20, 30, 3), np.uint8), r"\(1, 2, 20, 30, 3\)"),
        (None, "found NoneType instead of an image"),
        (7, "found int instead of an image"),
        (b"abc", "found int instead of an image"),
        (Path(__file__).parent, "is a folder, not an image; give the images in it"),
        ("no such file.jpg", "no such file.jpg"),
    ],
)
def test_what_is_no_picture_is_told_in_one_line(picture: Any, complaint: str) -> None:
    with pytest.raises(ImageError, match=complaint) as caught:
        Detector.load("pretrained", "cpu").detect(picture)
    assert "\n" not in str(caught.value)


# ---- what comes out


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load("cartoon", "cpu")


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "<frame>.png"
    save_image(path, draw_frame(seed=1, part="test", index=0).image)
    return path


def test_results_know_their_image_and_are_drawn_and_cut_out(
    detector: Detector, frame: Path
) -> None:
    found = detector.detect(frame, min_score=0.5)
    assert (found.image, found.size_hw) == (str(frame), (360, 480))
    assert repr(found) == (
        f"<Detections: {len(found)} faces in {str(frame)!r} of 480×360 pixels, "
        f"best score {found.scores[0]:.3f}>"
    )
    drawn = draw_boxes(load_image(frame), found.boxes, scores=found.scores)
    np.testing.assert_array_equal(np.asarray(found.plot(min_score=0)), drawn)
    second = float(found.scores[1])
    best = found.above(second)
    drawn = draw_boxes(load_image(frame), best.boxes, scores=best.scores)
    np.testing.assert_array_equal(np.asarray(found.plot(min_score=second)), drawn)
    assert found.origin is not None
    shown = replace(found, origin=replace(found.origin, shown_from=second))
    np.testing.assert_array_equal(np.asarray(shown.plot()), drawn)
    windows = windows_around(found.boxes, 0.5)
    crops = found.crop(margin=0.5)
    assert len(crops) == len(found)
    for crop, window in zip(crops, windows, strict=True):
        np.testing.assert_array_equal(crop, cut_window(load_image(frame), window))
    assert len(found.crop(min_score=second)) == len(best) < len(found)


def test_a_face_outside_the_image_is_cut_out_as_nothing(face: Pixels) -> None:
    found = Detections.from_lists([[-50, 0, -10, 40], [0, 0, 9, 9]], [0.9, 0.8], np.zeros(20))
    assert [crop.shape for crop in found.crop(face, margin=0)] == [(0, 0, 3), (9, 9, 3)]


@pytest.mark.parametrize("kind", ["array", "tensor", "batch", "PIL", "path"])
def test_opencvs_colours_are_seen_as_they_are(
    kind: str, detector: Detector, frame: Path, face: Pixels
) -> None:
    rgb = load_image(frame)
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    held: Any = {
        "array": bgr,
        "tensor": tensor_of(bgr),
        "batch": bgr[None],
        "PIL": Image.fromarray(rgb),
        "path": frame,
    }[kind]
    found = detector.detect(held, bgr=True)
    found = found[0] if kind == "batch" else found
    assert_equal(found, detector.detect(rgb))
    picture = bgr if kind == "batch" else None
    np.testing.assert_array_equal(
        np.asarray(found.plot(picture)), np.asarray(detector.detect(rgb).plot(rgb))
    )
    expected = rgb if kind in ("PIL", "path") else bgr
    np.testing.assert_array_equal(found.crop(picture)[0], found.crop(expected)[0])
    (window,) = windows_around(found[:1].boxes, 0.2)
    np.testing.assert_array_equal(found.crop(picture)[0], cut_window(expected, window))


def test_results_keep_no_image_in_memory(detector: Detector, frame: Path) -> None:
    pixels = load_image(frame)
    image = weakref.ref(pixels)
    found = detector.detect(pixels)
    assert found.plot().size == (480, 360)
    assert (found.image, found.size_hw) == (None, (360, 480))
    copied = pickle.loads(pickle.dumps(found))
    assert_equal(copied, found)
    for gone in (copied, copy.deepcopy(found)):
        with pytest.raises(ImageError, match="no longer in memory; give it as the first"):
            gone.plot()
        assert gone.plot(pixels).size == (480, 360)
    del pixels
    gc.collect()
    assert image() is None
    with pytest.raises(ImageError, match="no longer in memory"):
        found.crop()
    with pytest.raises(ImageError, match="10×20 pixels, searched was one of 480×360"):
        found.crop(np.zeros((20, 10, 3), np.uint8))
    assert pickle.loads(pickle.dumps(detector.detect(frame))).plot().size == (480, 360)
    assert detector.detect(Image.open(frame)).plot().size == (480, 360)


def test_a_later_frame_of_an_animation_is_not_taken_for_its_first(
    detector: Detector, frame: Path, tmp_path: Path
) -> None:
    first = Image.open(frame).convert("RGB")
    path = tmp_path / "two.gif"
    first.save(path, save_all=True, append_images=[Image.new("RGB", first.size)])
    with Image.open(path) as animation:
        assert detector.detect(animation).image == str(path)
        animation.seek(1)
        found = detector.detect(animation)
        assert found.image is None
        assert np.asarray(found.plot()).max() < 10


def test_detections_from_nowhere_say_so() -> None:
    found = Detections.from_lists([[0, 0, 9, 9]], [0.9], np.zeros(10))
    assert (found.image, found.size_hw) == (None, None)
    assert repr(found) == "<Detections: 1 face, best score 0.900>"
    assert repr(Detections.empty()) == "<Detections: no faces>"
    with pytest.raises(ImageError, match="give it as the first argument"):
        found.plot()


def test_notebooks_show_a_small_picture_or_some_lines(detector: Detector, frame: Path) -> None:
    shown = detector.detect(frame)._repr_html_()
    assert "&lt;frame&gt;.png" in shown
    assert "<frame>" not in shown
    data = re.search(r'src="data:image/webp;base64,([^"]+)"', shown)
    assert data is not None
    with Image.open(io.BytesIO(base64.b64decode(data[1]))) as picture:
        assert picture.size == (480, 360)
    large = np.zeros((2000, 3000, 3), np.uint8)
    data = re.search(r'base64,([^"]+)"', detector.detect(large)._repr_html_())
    assert data is not None
    with Image.open(io.BytesIO(base64.b64decode(data[1]))) as picture:
        assert max(picture.size) == 640
    many = Detections.from_lists(np.zeros((50, 4)), np.ones(50), np.zeros((50, 10)))
    assert many._repr_html_().count("Face(") == 10
    assert Detections.empty()._repr_html_() == "<div>no faces</div>"


@pytest.mark.parametrize("kind", [list, iter])
def test_progress_is_told_image_by_image(kind: Any, detector: Detector, frame: Path) -> None:
    told: list[Any] = []
    images: list[Any] = [frame, np.zeros((50, 60, 3), np.uint8), frame]
    found = detector.detect(
        kind(images), progress=lambda *each: told.append(each), min_score=0.9, workers=1
    )
    assert told == [(number, 3 if kind is list else None) for number in (1, 2, 3)]
    assert [each.size_hw for each in found] == [(360, 480), (50, 60), (360, 480)]
    assert all((each.scores >= 0.9).all() for each in found)

    def stop(*_: object) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        detector.detect(images, progress=stop)


def test_a_detector_says_what_it_is(detector: Detector) -> None:
    said = f"engine {detector.engine} on cpu, {detector.settings}>"
    assert repr(detector) == f"<Detector: weights 'cartoon', {said}"
    other = Detector(load_weights("cartoon"), "cpu")
    assert repr(other) == f"<Detector: weights {detector.fingerprint!r}, {said}"
    assert repr(pickle.loads(pickle.dumps(detector))) == repr(detector)


# ---- one in, one out


def assert_equal(found: Detections, expected: Detections) -> None:
    for name in ("boxes", "scores", "landmarks"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_one_picture_in_its_faces_out(face: Pixels) -> None:
    detector = Detector.load("pretrained", "cpu")
    (expected,) = detector.detect([face])
    assert len(expected) == 1
    for one in (PORTRAIT, str(PORTRAIT), Image.open(PORTRAIT), face, tensor_of(face)):
        found = detector.detect(one)
        assert isinstance(found, Detections)
        assert_equal(found, expected)


def test_several_in_a_list_out(face: Pixels) -> None:
    detector = Detector.load("pretrained", "cpu")
    frame = draw_frame(seed=1, part="test", index=0).image
    expected = [detector.detect(face), detector.detect(frame), Detections.empty()]
    blank = Image.new("L", (30, 40))
    mixed: list[Any] = [PORTRAIT, tensor_of(frame), blank]
    for several in (mixed, tuple(mixed), iter(mixed), (each for each in mixed)):
        found = detector.detect(several)
        assert isinstance(found, list)
        for own, other in zip(found, expected, strict=True):
            assert_equal(own, other)
    assert detector.detect([]) == []
    assert detector.detect(torch.zeros(0, 3, 40, 40)) == []
    for batch in (np.stack([face, face]), torch.stack([tensor_of(face)] * 2)):
        assert [len(each) for each in detector.detect(batch)] == [1, 1]


def test_a_single_picture_is_searched_as_told(face: Pixels) -> None:
    detector = Detector.load("pretrained", "cpu")
    assert len(detector.detect(face, (0.6, 0.7, 1.0))) == 0
    assert len(detector.detect(face, min_face=200, workers=1)) == 0


# ---- copies


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "copy_of", [copy.deepcopy, lambda detector: pickle.loads(pickle.dumps(detector))]
)
def test_a_copy_finds_the_same_and_has_networks_of_its_own(
    copy_of: Callable[[Detector], Detector], engine: Any, face: Pixels
) -> None:
    detector = Detector.load("cartoon", "cpu", engine)
    twin = copy_of(detector)
    assert (twin.engine, twin.settings, twin.device) == (engine, detector.settings, detector.device)
    frame = draw_frame(seed=1, part="test", index=0).image
    before = detector.detect(frame)
    assert len(before) > 0
    assert_equal(twin.detect(frame), before)
    for values in detector.weights.stages["onet"].values():
        values[...] = 0
    assert_equal(twin.detect(frame), before)
    assert_equal(copy_of(twin).detect(frame), before)
    assert len(copy_of(detector).detect(frame, (0.2, 0.1, 0.999))) == 0
