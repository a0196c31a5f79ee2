"""``facetl.compat`` beside facenet-pytorch 2.5.3, and where facenet-pytorch stops."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import textwrap
from collections.abc import Callable
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import facenet_pytorch
import numpy as np
import pytest
import torch
from drawn_frames import draw_frame
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import facetl.compat
from facetl.compat import MTCNN, extract_face, fixed_image_standardization
from facetl.data.forgetting import PORTRAIT
from facetl.data.images import load_image, save_image
from facetl.errors import ImageError, OutputError, WeightsError
from facetl.mtcnn.detector import Detector

pytestmark = pytest.mark.slow

Pixels = NDArray[np.uint8]

FACE = load_image(PORTRAIT)[:280:2, ::2].copy()  # 128 pixels wide, 140 high
BLANK = np.zeros_like(FACE)
TWO = np.concatenate([FACE, FACE[:, ::-1]], axis=1)
ONE = np.concatenate([FACE, BLANK], axis=1)
UNLIKE = np.concatenate(
    [FACE // 4 + 100, BLANK], axis=1
)  # a large face, and a smaller and surer one
UNLIKE[60:, 170:] = np.asarray(Image.fromarray(FACE).resize((86, 80)))
DRAWN = [draw_frame(seed=1, part="test", index=index).image for index in range(3)]

IMAGES: dict[str, Any] = {
    "portrait": Image.open(PORTRAIT).convert("RGB"),
    "array": FACE,
    "PIL": Image.fromarray(FACE),
    "tensor": torch.from_numpy(FACE),
    "two faces": Image.fromarray(UNLIKE),
    "no face": BLANK,
    "list": [Image.fromarray(image) for image in (UNLIKE, UNLIKE[:, ::-1])],
    "list of arrays": [UNLIKE, ONE],
    "list of one": [FACE],
    "batch": np.stack([TWO, UNLIKE]),
    "batch of tensors": torch.from_numpy(np.stack([TWO, UNLIKE, TWO])),
    "no face in any": [Image.fromarray(BLANK)] * 2,
    "drawn": DRAWN[0],
}
LOOSE = (0.1, 0.2, 0.2)
every_image = pytest.mark.parametrize("name", IMAGES)


def peer(**settings: Any) -> Any:
    return facenet_pytorch.MTCNN(**settings)


def test_the_faces_are_there() -> None:
    """Or the comparisons would be empty."""
    assert len(peer().detect(UNLIKE)[0]) == len(peer().detect(TWO)[0]) == 2
    assert np.diff(peer().detect(UNLIKE)[1].astype(float)) > 0, "the largest is not the surest"


def assert_like(found: Any, expected: Any) -> None:
    """The same types, shapes and, within 0.01 pixels and 1e-4 below 1, values."""
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        if expected.dtype == object:
            for own, other in zip(found.flat, expected.flat, strict=True):
                assert_like(own, other)
        else:
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(expected))
    elif isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for own, other in zip(found, expected, strict=True):
            assert_like(own, other)
    elif expected is not None:
        assert abs(found - expected) <= tolerance(expected)


def tolerance(values: Any) -> float:
    return 0.01 if np.abs(values).max(initial=0) > 1 else 1e-4


# ---- the same as facenet-pytorch's


def test_boxes_that_are_none_are_not_reported() -> None:
    """facenet-pytorch reports them; the weights of cartoons gave boxes of NaN."""
    noise = load_image(Path(__file__).with_name("cases") / "nan_boxes.png")
    mtcnn = MTCNN(thresholds=(0.1, 0.05, 0.01), keep_all=True, weights="cartoon")
    boxes, scores, points = mtcnn.detect(noise, landmarks=True)
    assert len(boxes) == len(scores)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert np.isfinite(points.astype(float)).all()


def test_the_peer_is_the_one_that_was_studied() -> None:
    assert version("facenet-pytorch") == "2.5.3"


@pytest.mark.parametrize(
    "name", ["__init__", "forward", "detect", "select_boxes", "extract", "extract_face"]
)
def test_signatures_are_the_same(name: str) -> None:
    own, other = (
        inspect.signature(
            getattr(home, name) if name == "extract_face" else getattr(home.MTCNN, name)
        )
        for home in (facetl.compat, facenet_pytorch)
    )
    parameters = [each for each in own.parameters.values() if each.kind != each.KEYWORD_ONLY]
    assert [each.name for each in parameters] == list(other.parameters)
    for own_one, other_one in zip(parameters, other.parameters.values(), strict=True):
        default = own_one.default
        assert (list(default) if isinstance(default, tuple) else default) == other_one.default


@pytest.mark.parametrize("select_largest", [True, False])
@every_image
def test_detect(name: str, select_largest: bool) -> None:
    theirs, ours = peer(select_largest=select_largest), MTCNN(select_largest=select_largest)
    assert_like(ours.detect(IMAGES[name]), theirs.detect(IMAGES[name]))
    expected = theirs.detect(IMAGES[name], landmarks=True)
    assert_like(ours.detect(IMAGES[name], landmarks=True), expected)


def test_detect_with_low_thresholds() -> None:
    for images in (UNLIKE, DRAWN):
        found = MTCNN(thresholds=LOOSE).detect(images, landmarks=True)
        assert_like(found, peer(thresholds=LOOSE).detect(images, landmarks=True))


SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "keep_all": {"keep_all": True},
    "keep_all, surest first": {"keep_all": True, "select_largest": False},
    "probability": {"selection_method": "probability"},
    "surest": {"select_largest": False},
    "largest": {"selection_method": "largest"},
    "over threshold": {"selection_method": "largest_over_threshold"},
    "size and margin": {"image_size": 96, "margin": 20, "post_process": False},
    "margin": {"margin": 60, "keep_all": True},
    "pyramid": {"min_face_size": 40, "factor": 0.6, "keep_all": True},
}


@pytest.mark.parametrize("settings", SETTINGS)
@every_image
def test_forward(name: str, settings: str) -> None:
    theirs, ours = peer(**SETTINGS[settings]), MTCNN(**SETTINGS[settings])
    expected = theirs(IMAGES[name], return_prob=True)
    found = ours(IMAGES[name], return_prob=True)
    assert_like(found, expected)
    assert_like(ours(IMAGES[name]), expected[0])


@pytest.mark.parametrize("name", ["PIL", "two faces", "list", "no face in any"])
def test_the_centre_counts(name: str) -> None:
    expected = peer(selection_method="center_weighted_size")(IMAGES[name], return_prob=True)
    mtcnn = MTCNN(selection_method="center_weighted_size")
    assert_like(mtcnn(IMAGES[name], return_prob=True), expected)


@pytest.mark.parametrize(
    "method", ["probability", "largest", "center_weighted_size", "largest_over_threshold"]
)
def test_select_boxes(method: str) -> None:
    for name in ("two faces", "list"):
        theirs = peer(select_largest=False, thresholds=LOOSE)
        given = (*theirs.detect(IMAGES[name], landmarks=True), IMAGES[name], method, 0.2)
        assert_like(MTCNN().select_boxes(*given), theirs.select_boxes(*given))


@pytest.mark.parametrize("keep_all", [False, True])
@pytest.mark.parametrize("kind", ["PIL", "array"])
def test_saved_faces(kind: str, keep_all: bool, tmp_path: Path) -> None:
    image: Any = UNLIKE if kind == "array" else Image.fromarray(UNLIKE)
    for name, mtcnn in (("theirs", peer(keep_all=keep_all)), ("ours", MTCNN(keep_all=keep_all))):
        mtcnn(image, save_path=str(tmp_path / name / "deep" / "face.png"))
        mtcnn([image] * 2, save_path=[str(tmp_path / name / f"{i}.png") for i in range(2)])
    files = sorted(
        path.relative_to(tmp_path / "theirs") for path in (tmp_path / "theirs").rglob("*.png")
    )
    assert len(files) == (6 if keep_all else 3)
    assert files == sorted(
        p.relative_to(tmp_path / "ours") for p in (tmp_path / "ours").rglob("*.png")
    )
    for file in files:
        np.testing.assert_array_equal(
            load_image(tmp_path / "ours" / file), load_image(tmp_path / "theirs" / file)
        )


@pytest.mark.parametrize("kind", ["PIL", "array", "tensor"])
@pytest.mark.parametrize(
    "box", [[10.2, 20.7, 100.1, 160.5], [-9.0, -3.5, 40.0, 60.0], [90, 100, 150, 160]]
)
def test_extract_face(kind: str, box: list[float]) -> None:
    for size, margin in ((160, 0), (64, 14)):
        expected = facenet_pytorch.extract_face(IMAGES[kind], np.array(box), size, margin)
        assert_like(extract_face(IMAGES[kind], np.array(box), size, margin), expected)
    standard = facenet_pytorch.fixed_image_standardization(expected)
    assert_like(fixed_image_standardization(expected), standard)


def test_a_state_dict_goes_both_ways() -> None:
    theirs, ours, other = peer(), MTCNN(), MTCNN()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.95)
    theirs.load_state_dict(other.state_dict())
    before = ours.detect(UNLIKE)
    ours.load_state_dict(theirs.state_dict())
    assert_like(ours.detect(UNLIKE), theirs.detect(UNLIKE))
    assert abs(ours.detect(UNLIKE)[1] - before[1]).max() > 1e-3
    theirs = peer()
    for stage in ("pnet", "rnet", "onet"):
        getattr(ours, stage).load_state_dict(getattr(theirs, stage).state_dict())
    assert_like(ours.detect(UNLIKE), before)


def through_data(parameter: nn.Parameter) -> None:
    parameter.data.mul_(0)


def through_numpy(parameter: nn.Parameter) -> None:
    parameter.detach().numpy()[...] = 0


def anew(parameter: nn.Parameter) -> None:
    parameter.data = torch.zeros_like(parameter)


@pytest.mark.parametrize("change", [through_data, through_numpy, anew])
def test_the_next_search_heeds_weights_however_they_are_changed(
    change: Callable[[nn.Parameter], None],
) -> None:
    mtcnn = MTCNN()
    assert mtcnn.detect(UNLIKE)[0] is not None
    before = mtcnn._detector()
    assert mtcnn._detector() is before, "nothing was changed"
    for parameter in mtcnn.onet.parameters():
        change(parameter)
    assert mtcnn.detect(UNLIKE)[0] is None


# ---- its own examples, with one import changed


def run_example(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run code written for facenet-pytorch; only what it imports MTCNN from is another."""
    changed = re.sub(
        r"from facenet_pytorch import (MTCNN(?:, extract_face)?)(, InceptionResnetV1)?",
        lambda m: (
            f"from facetl.compat import {m[1]}"
            + ("; from facenet_pytorch import InceptionResnetV1" if m[2] else "")
        ),
        textwrap.dedent(code),
    )
    assert "from facetl.compat import MTCNN" in changed
    exec(changed, names)
    return names


def test_the_readmes_quick_start_runs(tmp_path: Path) -> None:
    text = distribution("facenet-pytorch").read_text("METADATA") or ""
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    imports, process = (textwrap.dedent(block) for block in blocks[:2])
    # The recogniser's weights are a download; a random one has the same interface.
    code = (imports + process).replace("pretrained='vggface2'", "classify=True, num_classes=9")
    saved = tmp_path / "face.png"
    fillings = {"image_size": "160", "margin": "10"}
    fillings |= {"image path": repr(str(PORTRAIT)), "optional save path": repr(str(saved))}
    for gap, filling in fillings.items():
        assert f"<{gap}>" in code
        code = code.replace(f"<{gap}>", filling)
    ran = run_example(code, {})
    assert ran["img_cropped"].shape == (3, 160, 160)
    assert ran["img_embedding"].shape == ran["img_probs"].shape == (1, 9)
    assert load_image(saved).shape == (160, 160, 3)


def test_the_docstrings_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for function in (facenet_pytorch.MTCNN.forward, facenet_pytorch.MTCNN.detect):
        lines = [line.strip() for line in (function.__doc__ or "").splitlines()]
        code = "\n".join(line[4:] for line in lines if line.startswith((">>> ", "... ")))
        # facenet-pytorch itself cannot save into the current folder without naming it.
        run_example(code, {"img": Image.open(PORTRAIT).convert("RGB")})
    names = ["annotated_faces.png", "detected_face_0.png", "face.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


# ---- where facenet-pytorch stops


def test_images_of_a_few_pixels_have_no_face() -> None:
    for image in (np.zeros((5, 9, 3), np.uint8), Image.new("RGB", (1, 1))):
        assert MTCNN()(image) is None
        assert MTCNN().detect(image)[0] is None
        assert MTCNN(keep_all=True)(image, return_prob=True)[0] is None


@pytest.mark.parametrize("keep_all", [False, True])
def test_some_images_have_a_face(keep_all: bool) -> None:
    faces, probs = MTCNN(keep_all=keep_all)([FACE, BLANK], return_prob=True)
    assert faces[0].shape == ((1,) if keep_all else ()) + (3, 160, 160)
    assert faces[1] is None
    assert probs.tolist() == [[pytest.approx(1, abs=1e-3)], [None]]


def test_a_list_may_mix_sizes_and_kinds(tmp_path: Path) -> None:
    save_image(tmp_path / "two.png", TWO)
    mixed = [
        FACE,
        Image.fromarray(TWO),
        torch.from_numpy(FACE).permute(2, 0, 1),
        tmp_path / "two.png",
    ]
    boxes, probs = MTCNN().detect(mixed)
    assert [len(each) for each in boxes] == [len(each) for each in probs] == [1, 2, 1, 2]
    np.testing.assert_array_equal(boxes[0], boxes[2])
    assert [face.shape for face in MTCNN()(mixed)] == [(3, 160, 160)] * 4


def test_nothing_in_nothing_out() -> None:
    assert MTCNN()([]) == []
    faces, probs = MTCNN(keep_all=True)([], return_prob=True)
    assert (faces, len(probs)) == ([], 0)
    assert len(MTCNN().detect([])[0]) == 0


def test_the_centre_counts_in_arrays_and_tensors() -> None:
    mtcnn = MTCNN(selection_method="center_weighted_size", post_process=False)
    expected = mtcnn(Image.fromarray(UNLIKE), return_prob=True)[1]
    for held in (UNLIKE, torch.from_numpy(UNLIKE), torch.from_numpy(UNLIKE).permute(2, 0, 1)):
        face, prob = mtcnn(held, return_prob=True)
        assert (face.shape, prob) == ((3, 160, 160), pytest.approx(expected))


def test_the_largest_over_a_threshold_keeps_its_score_and_landmarks() -> None:
    boxes = np.array([[0, 0, 90, 90], [0, 0, 20, 20], [0, 0, 50, 50.0]])
    probs, points = np.array([0.3, 0.95, 0.92]), np.arange(30.0).reshape(3, 5, 2)
    box, prob, point = MTCNN().select_boxes(boxes, probs, points, FACE, "largest_over_threshold")
    assert (box.tolist(), prob) == ([[0, 0, 50, 50]], 0.92)
    np.testing.assert_array_equal(point, points[[2]])
    nothing = MTCNN().select_boxes(boxes, probs, points, FACE, "largest_over_threshold", 0.99)
    assert nothing == (None, None, None)


def test_tensors_are_saved(tmp_path: Path) -> None:
    face = MTCNN(post_process=False)(torch.from_numpy(FACE), save_path=tmp_path / "face.png")
    np.testing.assert_array_equal(load_image(tmp_path / "face.png"), face.permute(1, 2, 0).numpy())


def test_a_box_beyond_the_edge_is_still_a_face() -> None:
    for image in (FACE, Image.fromarray(FACE), torch.from_numpy(FACE)):
        for box in ([-30.0, -30, -10, -10], [300, 400, 320, 420], [10.2, 10.2, 10.6, 10.6]):
            assert extract_face(image, box, 32).shape == (3, 32, 32)


# ---- the rest


def test_cartoon_weights_find_what_the_detector_finds() -> None:
    thresholds = (0.2, 0.1, 0.1)
    boxes, probs = MTCNN(weights="cartoon", thresholds=thresholds, select_largest=False).detect(
        DRAWN[0]
    )
    found = Detector.load("cartoon", "cpu").detect(DRAWN[0], thresholds)
    assert len(found) > 0
    np.testing.assert_allclose(boxes.astype(float), found.boxes)
    np.testing.assert_allclose(probs.astype(float), found.scores)


@pytest.mark.parametrize(
    "copy_of", [copy.deepcopy, lambda mtcnn: pickle.loads(pickle.dumps(mtcnn))]
)
def test_copies(copy_of: Callable[[MTCNN], MTCNN]) -> None:
    mtcnn = MTCNN()
    before = mtcnn.detect(FACE)
    twin = copy_of(mtcnn)
    with torch.no_grad():
        for parameter in mtcnn.parameters():
            parameter.zero_()
    assert mtcnn.detect(FACE, landmarks=True)[2] is None
    assert_like(twin.detect(FACE), before)
    assert_like(copy_of(twin).eval().float().detect(FACE), before)


def test_attributes_may_be_changed() -> None:
    mtcnn = MTCNN()
    assert mtcnn(FACE) is not None
    mtcnn.thresholds = [0.6, 0.7, 1.0]
    assert mtcnn(FACE) is None
    mtcnn.thresholds, mtcnn.min_face_size = [0.6, 0.7, 0.7], 200
    assert mtcnn(FACE) is None


def test_a_turned_photograph_is_taken_as_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # turn it by 180 degrees to see it upright
    Image.fromarray(FACE).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        assert_like(MTCNN()(image), peer()(Image.fromarray(FACE)))


def test_greys_are_seen() -> None:
    assert MTCNN()(Image.fromarray(FACE).convert("L")).shape == (3, 160, 160)


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        MTCNN(weights="none.safetensors")
    with pytest.raises(ValueError, match="each of 2 images, got 1"):
        MTCNN()([FACE, FACE], save_path=str(tmp_path / "a.png"))
    with pytest.raises(ValueError, match="'nearest', expected"):
        MTCNN(selection_method="nearest")(FACE)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match=r"neither \.png nor \.jpg"):
        MTCNN()(FACE, save_path=tmp_path / "face.xyz")
    with pytest.raises(ImageError, match="found NoneType"):
        MTCNN()(None)
