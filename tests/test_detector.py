"""The detector beside facenet-pytorch, and where facenet-pytorch cannot follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_frames import draw_frame
from numpy.typing import NDArray
from PIL import ExifTags, Image
from reference_mtcnn import Witness, detect_with_facenet, facenet
from torch import Tensor

from facetl.boxes import iou
from facetl.data.images import load_image
from facetl.data.pictures import held_by
from facetl.errors import ImageError, InputError, WeightsError
from facetl.mtcnn import detector as detector_module
from facetl.mtcnn import torch_backend
from facetl.mtcnn.detector import Detector, run_until
from facetl.mtcnn.devices import choose_device
from facetl.mtcnn.fusion import fuse_scores
from facetl.mtcnn.geometry import pnet_windows
from facetl.mtcnn.networks import Outputs
from facetl.mtcnn.stages import Stage
from facetl.mtcnn.torch_backend import _TorchBackend
from facetl.mtcnn.weights import State, Weights, load_pretrained_stage, save_weights
from facetl.results.detections import Detections
from facetl.search.parallel import most_waiting
from facetl.search.pipeline import Search
from facetl.search.settings import Settings

pytestmark = pytest.mark.slow

Pixels = NDArray[np.uint8]
Thresholds = tuple[float, float, float]

LOOSE: Thresholds = (0.1, 0.2, 0.2)
STRICT: Thresholds = (0.6, 0.7, 0.7)
PORTRAIT_BOX = np.array([[81.0, 53.0, 174.0, 175.0]])
FRAMES = Path(__file__).resolve().parents[2] / "shared/data/dexter/validare/validare"

needs_frames = pytest.mark.skipif(not FRAMES.is_dir(), reason="the real frames cannot ship")
both_settings = pytest.mark.parametrize("thresholds", [LOOSE, STRICT], ids=["loose", "strict"])


@pytest.fixture(scope="module")
def face(portrait: Path) -> Pixels:
    return load_image(portrait)


def drawn(index: int) -> Pixels:
    return draw_frame(seed=1, part="test", index=index).image


def assert_same(found: Detections, expected: Detections | Witness) -> None:
    """Boxes and landmarks within 0.01 pixels, scores within 1e-4, and as many of them."""
    assert len(found) == len(expected.scores)
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, rtol=0, atol=0.01)


def assert_agrees_with_facenet(
    detector: Detector, images: list[Pixels], thresholds: Thresholds
) -> int:
    """Compare image by image; return how many faces were found."""
    found = detector.detect(images, thresholds)
    for image, own in zip(images, found, strict=True):
        assert_same(own, _facenet_finds(image.tobytes(), image.shape, thresholds))
    return sum(map(len, found))


@cache
def _facenet_finds(pixels: bytes, shape: tuple[int, ...], thresholds: Thresholds) -> Witness:
    """Return what every engine has to find."""
    return detect_with_facenet(facenet(thresholds), np.frombuffer(pixels, np.uint8).reshape(shape))


# ---- the same boxes as facenet-pytorch


@both_settings
def test_a_photograph(pretrained: Detector, face: Pixels, thresholds: Thresholds) -> None:
    assert assert_agrees_with_facenet(pretrained, [face], thresholds) == 1


def test_the_face_of_the_photograph(pretrained: Detector, portrait: Path) -> None:
    (found,) = pretrained.detect([portrait], STRICT)
    np.testing.assert_allclose(found.boxes, PORTRAIT_BOX, atol=1)
    assert found.scores[0] > 0.999
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]


@both_settings
def test_drawn_frames(pretrained: Detector, thresholds: Thresholds) -> None:
    count = assert_agrees_with_facenet(pretrained, [drawn(i) for i in range(6)], thresholds)
    assert count > 0


@needs_frames
@both_settings
def test_real_frames(pretrained: Detector, thresholds: Thresholds) -> None:
    images = [load_image(path) for path in sorted(FRAMES.glob("*.jpg"))[::10]]
    assert len(images) == 20
    assert assert_agrees_with_facenet(pretrained, images, thresholds) > 0


@needs_frames
def test_the_count_of_the_study_on_all_real_frames(pretrained: Detector) -> None:
    found = pretrained.detect(sorted(FRAMES.glob("*.jpg")), STRICT)
    assert len(found) == 200
    assert sum(map(len, found)) == 83


@pytest.mark.parametrize(("min_face", "factor"), [(40.0, 0.5), (10.0, 0.8)])
def test_other_pyramids(pretrained: Detector, face: Pixels, min_face: float, factor: float) -> None:
    witness = facenet(LOOSE)
    witness.min_face_size, witness.factor = min_face, factor
    (found,) = pretrained.detect([face], LOOSE, min_face=min_face, factor=factor)
    assert_same(found, detect_with_facenet(witness, face))


# ---- lists


def test_a_batch_of_mixed_sizes_gives_what_each_image_gives_alone(
    pretrained: Detector, face: Pixels
) -> None:
    blank = np.zeros((60, 80, 3), np.uint8)
    frame = drawn(0)
    images = [face, frame, blank, face[:, ::-1], frame[::-1], face[40:200, 60:200], face]
    alone = [pretrained.detect([image])[0] for image in images]
    assert [len(found) for found in alone][:3] == [1, len(alone[1]), 0]
    for batch_size in (2, 8):
        together = pretrained.detect(images, batch_size=batch_size)
        for found, expected in zip(together, alone, strict=True):
            assert_same(found, expected)


def test_large_batches_are_split_without_a_trace(
    pretrained: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [drawn(i) for i in range(3)]
    expected = pretrained.detect(images)
    monkeypatch.setattr(torch_backend, "CROPS_AT_ONCE", {"rnet": 7, "onet": 5})
    monkeypatch.setattr(torch_backend, "LEVEL_PIXELS_AT_ONCE", 1)
    monkeypatch.setattr("facetl.mtcnn.onnx_backend._CROPS_AT_ONCE", 7)
    monkeypatch.setattr(detector_module, "PIXELS_AT_ONCE", 1)
    for found, whole in zip(pretrained.detect(images), expected, strict=True):
        assert_same(found, whole)


def test_no_images_no_detections(pretrained: Detector) -> None:
    assert pretrained.detect([]) == []


def test_images_are_read_a_batch_at_a_time(pretrained: Detector) -> None:
    asked_for = 0

    def endless() -> Any:
        nonlocal asked_for
        while True:
            asked_for += 1
            yield np.zeros((30, 30, 3), np.uint8)

    search = pretrained.search(endless(), Settings(), batch_size=4)
    assert all(len(next(search).detections) == 0 for _ in range(5))
    assert asked_for == 8


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, Image.fromarray])
@pytest.mark.parametrize("side", [10, 60, 200])
def test_large_images_wait_in_smaller_numbers(
    pretrained: Detector,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    kind: Callable[[Pixels], Any],
    side: int,
) -> None:
    room = 100_000
    batches: list[int] = []

    def note_size(_: object, batch: list[Any], **__: object) -> list[Search]:
        batches.append(len(batch))
        return [Search(Detections.empty(), {}) for _ in batch]

    monkeypatch.setattr(detector_module, "ROOM", room)
    monkeypatch.setattr(Detector, "_search_batch", note_size)
    many = (kind(np.zeros((side, side, 3), np.uint8)) for _ in range(50))
    assert len(list(pretrained.search(many, Settings(), batch_size=8, workers=workers))) == 50
    fitting = room // (1 if workers == 1 else most_waiting(workers)) // side**2
    assert max(batches) == min(max(fitting, 1), 8)


def test_paths_hold_nothing() -> None:
    assert held_by("a.png") == held_by(Path("a.png")) == 0


def test_the_stages_are_counted(pretrained: Detector, face: Pixels) -> None:
    blank = np.zeros_like(face)
    nothing, something = pretrained.search([blank, face], Settings())
    assert nothing.candidates == {"pnet": 0, "rnet": 0, "onet": 0}
    counts = something.candidates
    assert counts["pnet"] > counts["rnet"] >= counts["onet"] == len(something.detections) == 1


# Only at the second factor are neighbouring levels so near that NMS between them finds work.
@pytest.mark.parametrize("factor", [0.709, 0.85])
def test_the_stages_pass_on_as_many_windows_as_facenets(
    pretrained: Detector, face: Pixels, factor: float
) -> None:
    witness = facenet(LOOSE)
    witness.factor = factor
    for image in (face, drawn(0)):
        seen = {"rnet": 0, "onet": 0}
        with count_inputs(witness.rnet, "rnet", seen), count_inputs(witness.onet, "onet", seen):
            detect_with_facenet(witness, image)
        (found,) = pretrained.search([image], Settings(LOOSE, factor=factor))
        assert (found.candidates["pnet"], found.candidates["rnet"]) == (seen["rnet"], seen["onet"])


@contextmanager
def count_inputs(network: torch.nn.Module, stage: str, seen: dict[str, int]) -> Iterator[None]:
    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen[stage] += len(inputs[0])

    hook = network.register_forward_pre_hook(count)
    yield
    hook.remove()


def test_pnet_passes_a_score_at_its_threshold_and_rnet_only_above(face: Pixels) -> None:
    certain: dict[Stage, State] = {}
    judges: dict[Stage, str] = {"pnet": "conv4_1", "rnet": "dense5_1"}
    for stage, layer in judges.items():
        certain[stage] = load_pretrained_stage(stage)
        certain[stage][f"{layer}.bias"] = np.array([-99.0, 99.0])  # scores of exactly 1
    detector = Detector(Weights(certain))
    (at,) = detector.search([face], Settings((1.0, 1.0, 0.5), min_face=80))
    (above,) = detector.search([face], Settings((1.0, 0.9, 0.5), min_face=80))
    assert at.candidates["pnet"] > 0
    assert at.candidates["rnet"] == 0
    assert above.candidates["rnet"] > 0


# ---- windows that leave the image


class CornerSeer:
    """Stands for a PNet that sees one face, in the first of its windows."""

    level = torch.zeros(0)

    def __call__(self, pixels: Tensor) -> Outputs:
        self.level = pixels * 128 + 127.5
        rows, columns = (each - 12 + 2 - (each % 2) for each in pixels.shape[2:])
        logits = torch.zeros(1, 2, rows // 2, columns // 2)
        logits[0, :, 0, 0] = torch.tensor([-9.0, 9.0])
        return Outputs(logits, logits.new_zeros(1, 4, *logits.shape[2:]), logits.new_zeros(1, 0))


@pytest.mark.parametrize("padding", [False, True])
def test_pnets_windows_begin_half_a_window_beyond_the_padded_image(padding: bool) -> None:
    seer: Any = CornerSeer()
    backend = _TorchBackend(torch.full((1, 60, 80, 3), 200, dtype=torch.uint8), {"pnet": seer})
    settings = Settings((0.9, 0.5, 0.5), min_face=24, factor=0.3, padding=padding)
    found = run_until("pnet_nms", backend, settings)  # one level, at half the size
    window = pnet_windows(found.boxes)[0]
    beyond = 6 if padding else 0
    assert seer.level.shape[2:] == (31 + 2 * beyond, 41 + 2 * beyond)
    inside = seer.level[0, :, beyond : 31 + beyond, beyond : 41 + beyond]
    assert inside.allclose(torch.tensor(200.0))
    assert seer.level.sum().allclose(inside.sum(), rtol=1e-4), "the rest is black"
    assert window.tolist() == pytest.approx([-2 * beyond] * 2 + [24 - 2 * beyond] * 2, abs=1)


@pytest.mark.parametrize("index", [1, 2, 3, 4])
def test_padding_finds_a_face_that_the_image_cuts_off(index: int) -> None:
    frame = draw_frame(seed=5, part="test", index=index).image
    detector = Detector.load("cartoon", "cpu")
    x1, y1, x2, y2 = detector.detect([frame])[0].boxes[0]
    edge = int(x1 + 0.45 * (x2 - x1))
    left = np.array([[0, y1, x2 - edge, y2]])
    cut = np.ascontiguousarray(frame[:, edge:])
    padded, stretched = (
        iou(detector.detect([cut], padding=padding)[0].boxes.astype(float), left).max(initial=0)
        for padding in (True, False)
    )
    assert padded > 0.7 > stretched


# ---- where facenet-pytorch crashes or never went


@pytest.mark.parametrize("size_hw", [(1, 1), (11, 300), (300, 11), (19, 19), (20, 20), (60, 60)])
def test_no_face_is_an_empty_result(pretrained: Detector, size_hw: tuple[int, int]) -> None:
    for value in (0, 255):
        (found,) = pretrained.detect([np.full((*size_hw, 3), value, np.uint8)])
        assert found.boxes.shape == (0, 4)
        assert found.landmarks.shape == (0, 5, 2)


def test_a_large_image(pretrained: Detector, face: Pixels) -> None:
    scene = np.zeros((3000, 4000, 3), np.uint8)
    scene[2600:2900, 3700:3956] = face
    (found,) = pretrained.detect([scene], STRICT, min_face=60)
    # The photograph lies 3700 to the right and 2600 down; other levels, slightly another box.
    assert iou(found.boxes, PORTRAIT_BOX + [3700, 2600, 3700, 2600])[0, 0] > 0.8


def test_a_face_that_is_the_image_and_reaches_beyond(pretrained: Detector, face: Pixels) -> None:
    (found,) = pretrained.detect([np.ascontiguousarray(face[60:170, 85:170])])
    assert len(found) == 1


def as_grey(picture: Image.Image, folder: Path) -> Any:
    return np.asarray(picture.convert("L"))


def as_palette(picture: Image.Image, folder: Path) -> Any:
    return picture.quantize(256)


def as_rgba(picture: Image.Image, folder: Path) -> Any:
    return np.asarray(picture.convert("RGBA"))


def as_cmyk_file(picture: Image.Image, folder: Path) -> Any:
    picture.convert("CMYK").save(folder / "a.jpg", quality=95)
    return folder / "a.jpg"


def as_16_bit_file(picture: Image.Image, folder: Path) -> Any:
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "a.png")
    return str(folder / "a.png")


def as_turned_file(picture: Image.Image, folder: Path) -> Any:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turn it 90 degrees clockwise to see it upright
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "a.png", exif=exif)
    return folder / "a.png"


@pytest.mark.parametrize(
    "kind", [as_grey, as_palette, as_rgba, as_cmyk_file, as_16_bit_file, as_turned_file]
)
def test_any_kind_of_picture(
    pretrained: Detector,
    portrait: Path,
    tmp_path: Path,
    kind: Callable[[Image.Image, Path], Any],
) -> None:
    (found,) = pretrained.detect([kind(Image.open(portrait), tmp_path)], STRICT)
    assert len(found) == 1
    # Grey makes the box a tenth smaller; a wrong orientation would bring it elsewhere.
    assert iou(found.boxes, PORTRAIT_BOX)[0, 0] > 0.7


def test_an_unreadable_image_is_an_error(pretrained: Detector, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.jpg cannot be read"):
        pretrained.detect([tmp_path / "a.jpg"])


# ---- settings and weights


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": (0.1, 0.2)},
        {"thresholds": (0.1, 0.2, 1.1)},
        {"thresholds": (0.1, float("nan"), 0.2)},
        {"min_face": 0},
        {"factor": 1.0},
        {"factor": 0.0},
        {"batch_size": 0},
    ],
)
def test_settings_out_of_range_are_refused(pretrained: Detector, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected "):
        pretrained.detect([np.zeros((30, 30, 3), np.uint8)], **wrong)


def test_a_stage_that_a_file_lacks_is_the_pretrained_one(
    pretrained: Detector, face: Pixels, tmp_path: Path
) -> None:
    own = load_pretrained_stage("pnet")
    own["conv4_1.bias"] = own["conv4_1.bias"] + np.array([0.0, 2.0])  # sees faces everywhere
    save_weights(tmp_path / "keen.safetensors", Weights({"pnet": own}))
    keen = Detector.load(tmp_path / "keen.safetensors", device="cpu")
    (more,), (usual,) = (d.search([face], Settings()) for d in (keen, pretrained))
    assert more.candidates["pnet"] > 2 * usual.candidates["pnet"]
    assert more.detections.scores[0] > 0.99


def test_loading_complains_about_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        Detector.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(("there", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_gpu_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, there: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device("auto") == expected
    assert choose_device("cpu") == "cpu"


def test_a_gpu_that_is_not_there_is_an_error_of_the_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="use --device cpu"):
        choose_device("cuda")


@pytest.mark.parametrize("image", ["portrait.jpg", Path("portrait.jpg"), np.zeros((20, 20, 3))])
def test_a_search_takes_no_single_image(image: Any) -> None:
    with pytest.raises(TypeError, match="put it in a list"):
        list(Detector.load("pretrained", "cpu").search(image, Settings()))


def test_an_unknown_device_is_told() -> None:
    with pytest.raises(InputError, match="choose one of auto, cpu, cuda, mps"):
        choose_device("gpu")


# ---- two networks' scores


def test_fused_scores_are_the_weighted_mean_of_log_odds() -> None:
    rnet, onet = (
        np.array(scores, np.float32)
        for scores in ([0.5, 0.9, 0.2, 1.0, 0.0], [0.9, 0.9, 0.8, 1.0, 1.0])
    )
    # odds 1 and 9 give 3; 9 and 9 give 9; 1/4 and 4 give 1; certainty stays just below 1
    expected = [3 / 4, 9 / 10, 1 / 2, 1.0, 0.5]
    np.testing.assert_allclose(fuse_scores(rnet, onet, 1.0), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fuse_scores(rnet, onet, 0.0), onet, rtol=0, atol=1e-6)


def test_a_fused_search_gives_the_same_boxes_candidates_and_landmarks_for_one_face(
    pretrained: Detector, portrait: Path
) -> None:
    settings = pretrained.settings.override(thresholds=(0.6, 0.7, 0.0))
    image = load_image(portrait)
    (alone,) = pretrained.search([image], settings)
    (fused,) = pretrained.search([image], settings.override(rnet_weight=0.5))
    assert fused.candidates == alone.candidates
    assert iou(fused.detections.boxes[:1], alone.detections.boxes[:1]).item() > 0.95
    assert fused.detections.scores[0] != alone.detections.scores[0]
