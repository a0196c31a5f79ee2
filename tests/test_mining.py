"""What later stages learn from is, to the pixel, what they will be asked to judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_mtcnn import iou as overlap_of
from tiny_world import save_frames
from torch import Tensor, nn

from facetl.boxes import Boxes, as_boxes, iou, square
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.images import load_image
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import Detector, onet_boxes, rnet_squares, score_windows
from facetl.mtcnn.geometry import place_windows, pnet_boxes, pnet_windows
from facetl.mtcnn.networks import Outputs
from facetl.mtcnn.resampling import IntegralImages
from facetl.mtcnn.stages import INPUT_SIZES, Stage
from facetl.mtcnn.torch_backend import _TorchBackend
from facetl.mtcnn.weights import Weights, load_pretrained_stage
from facetl.training.losses import regression_targets
from facetl.training.mining import MINING, Miner
from facetl.training.patches import Patches, load_patches
from facetl.training.preparation import _cut_pixels, prepare_patches
from facetl.training.recipe import Recipe
from facetl.training.sampling import (
    LEAST_VISIBLE,
    Label,
    LabelledWindows,
    Pool,
    choose_windows,
    draw_pool,
    pool_proposals,
)

LATER: list[Stage] = ["rnet", "onet"]
later = pytest.mark.parametrize("stage", LATER)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    return load_dataset(save_frames(tmp_path_factory.mktemp("frames"), 3))


@pytest.fixture(scope="module")
def image(dataset: FaceDataset) -> NDArray[np.uint8]:
    return load_image(dataset.frames[0].path)


def crops_judged(
    stage: Stage, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> NDArray[np.uint8]:
    """Return the (N, S, S, 3) windows that a stage is shown while an image is searched."""
    seen: list[Tensor] = []
    crop = IntegralImages.crop

    def watched(images: IntegralImages, windows: Tensor, index: Tensor, size: int) -> Tensor:
        cut = crop(images, windows, index, size)
        if size == INPUT_SIZES[stage]:
            seen.append(cut)
        return cut

    with monkeypatch.context() as patched:
        patched.setattr(IntegralImages, "crop", watched)
        list(Detector.load("pretrained", "cpu", "torch").search([image], MINING))
    return np.asarray(torch.cat(seen).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def visible_of(windows: Boxes) -> NDArray[np.bool_]:
    """Return which windows hold a pixel of the image."""
    return place_windows(windows, (120, 160), padding=True)[1]


@given(
    corner=st.tuples(*[st.floats(-2, 2)] * 2),
    side=st.floats(20, 60),
    padding=st.booleans(),
)
@settings(max_examples=60)
def test_a_box_between_pixels_is_cut_as_the_detector_cuts_it(
    corner: tuple[float, float], side: float, padding: bool
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    candidates = as_candidates(np.array([[*corner, corner[0] + side, corner[1] + side]]))
    window = candidates.boxes.astype(np.float64) - [1, 1, 0, 0]
    watcher: Any = Oracle(torch.zeros(1, 4))
    backend = _TorchBackend(torch.from_numpy(image)[None], {"rnet": watcher})
    score_windows(backend, candidates, "rnet", replace(MINING, padding=padding))
    seen = (watcher.seen / 0.0078125 + 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(_cut_pixels(image, window, 24, padding=padding), seen)


# ---- proposals


@later
def test_proposals_are_what_the_detector_judges(
    pretrained: Detector,
    image: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage,
) -> None:
    judged = crops_judged(stage, image, monkeypatch)
    windows = Miner(pretrained, stage)(image).windows
    visible = visible_of(windows)
    np.testing.assert_array_equal(
        _cut_pixels(image, windows[visible], INPUT_SIZES[stage], padding=True), judged
    )
    assert len(judged) > 5


@pytest.mark.parametrize("stage", ["pnet", *LATER])
@pytest.mark.parametrize("own_scores", [False, True])
def test_proposals_are_squares_with_the_best_first(
    pretrained: Detector, image: NDArray[np.uint8], stage: Stage, own_scores: bool
) -> None:
    found = Miner(pretrained, stage, judged=own_scores)(image)
    sides = found.windows[:, 2:] - found.windows[:, :2]
    allowed = 1.5 if stage == "pnet" else 1e-4  # PNet's windows are rounded to whole pixels
    np.testing.assert_allclose(sides[:, 0], sides[:, 1], atol=allowed)
    assert (np.diff(found.scores) <= 0).all()
    assert found.windows.shape == (len(found.scores), 4)


@later
def test_a_trained_stage_ranks_its_proposals_itself(
    pretrained: Detector, image: NDArray[np.uint8], stage: Stage
) -> None:
    before, own = (Miner(pretrained, stage, judged=each)(image) for each in (False, True))
    visible = visible_of(before.windows)
    candidates = as_candidates(before.windows[visible])
    backend = pretrained.backend(image[None])
    said = score_windows(backend, candidates, stage, MINING).scores
    order = np.argsort(-said, kind="stable")
    np.testing.assert_allclose(own.scores, said[order], atol=1e-5)
    np.testing.assert_allclose(own.windows, before.windows[visible][order], atol=1e-3)
    assert own.scores.tolist() != before.scores[visible].tolist()


@pytest.mark.parametrize("stage", ["pnet", *LATER])
def test_an_image_too_small_has_no_proposals(pretrained: Detector, stage: Stage) -> None:
    for own_scores in (False, True):
        found = Miner(pretrained, stage, judged=own_scores)(np.zeros((9, 9, 3), np.uint8))
        assert found.windows.shape == (0, 4)
        assert found.scores.shape == (0,)


def test_a_miner_tells_its_settings(pretrained: Detector) -> None:
    told = Miner(pretrained, "rnet", judged=True).to_json()
    assert told == {**MINING.to_json(), "judged": True}


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.03, 0.6))
@settings(max_examples=50)
def test_pnets_windows_are_found_again_from_its_boxes(column: int, row: int, scale: float) -> None:
    # Both corners of a box were rounded down by less than a pixel; the window starts an
    # eleventh of the box's side before it, which carries an eleventh of the other's rounding.
    boxes = pnet_boxes(np.array([[column, row]], np.float64), scale)
    x, y, side = 2 * column / scale, 2 * row / scale, 12 / scale
    error = pnet_windows(boxes)[0] - [x, y, x + side, y + side]
    assert (error[:2] > -12 / 11 - 1e-9).all()
    assert (error[:2] < 1 / 11 + 1e-9).all()
    assert ((error[2:] > -1 - 1e-9) & (error[2:] < 1e-9)).all()


# ---- patches of proposals


@later
def test_a_proposals_patch_is_what_the_detector_crops_and_its_target_reaches_the_face(
    pretrained: Detector, dataset: FaceDataset, tmp_path: Path, stage: Stage
) -> None:
    recipe = Recipe(positives=4, parts=4, negatives=6, near_share=1.0)
    prepare_patches(dataset, tmp_path / "a", recipe, stage=stage, miner=Miner(pretrained, stage))
    patches = load_patches(tmp_path / "a", stage)
    mined = (patches.windows != np.rint(patches.windows)).any(axis=1)
    assert mined.sum() > 10
    for frame in range(len(dataset)):
        own = np.flatnonzero(mined & (patches.frame_index == frame))
        crops, reached = detect_with_perfect_offsets(dataset, patches, own, stage)
        np.testing.assert_array_equal(patches.pixels[own], crops)
        with_face = patches.labels[own] != Label.NEGATIVE
        distances = np.abs(reached[with_face][:, None] - dataset.frames[frame].boxes)
        assert (distances.max(axis=2).min(axis=1) < 1e-3).all()


class Oracle(nn.Module):
    """A network that gives exactly the offsets that it was to learn; it remembers its input."""

    def __init__(self, offsets: Tensor) -> None:
        super().__init__()
        self.offsets = offsets
        self.seen = torch.zeros(0)

    def forward(self, pixels: Tensor) -> Outputs:
        self.seen = pixels
        return Outputs(torch.zeros(len(pixels), 2), self.offsets, torch.zeros(len(pixels), 10))


def detect_with_perfect_offsets(
    dataset: FaceDataset, patches: Patches, rows: NDArray[np.intp], stage: Stage
) -> tuple[NDArray[np.uint8], Boxes]:
    """Judge the windows of some patches of one frame; return the crops and the boxes found."""
    image = load_image(dataset.frames[int(patches.frame_index[rows[0]])].path)
    windows = torch.from_numpy(patches.windows[rows])
    targets = regression_targets(
        stage, torch.from_numpy(patches.offsets[rows]), windows[:, 2] - windows[:, 0]
    )
    oracle: Any = Oracle(targets)
    backend = _TorchBackend(torch.from_numpy(image)[None], {"rnet": oracle, "onet": oracle})
    judged = onet_boxes(backend, as_candidates(patches.windows[rows]), MINING)
    score_windows(backend, as_candidates(patches.windows[rows]), stage, MINING)
    pixels = (oracle.seen / 0.0078125 + 127.5).round().to(torch.uint8)
    return np.asarray(pixels.permute(0, 2, 3, 1).numpy()), judged.boxes.astype(np.float64)


def as_candidates(windows: Boxes) -> Candidates:
    """Return the candidates whose boxes stand for the (N, 4) windows of one image."""
    boxes = (windows.astype(np.float64) + [1, 1, 0, 0]).astype(np.float32)
    return Candidates(
        boxes, boxes[:, 0] * 0, np.zeros(len(boxes), np.int64), boxes * 0, boxes[:, :0]
    )


def test_rnets_perfect_offsets_give_the_square_of_the_face() -> None:
    window, face = as_boxes([[10.3, 20.6, 50.3, 60.6]]), as_boxes([[14.2, 22.0, 40.8, 55.5]])
    offsets = torch.from_numpy((face - window) / 40)
    targets = regression_targets("rnet", offsets, torch.tensor([40.0]))
    followed = rnet_squares(replace(as_candidates(window), offsets=targets.float().numpy()))
    np.testing.assert_allclose(followed.boxes, square(face), atol=1e-3)


# ---- which proposals become what

FACE = as_boxes([[100.0, 100, 200, 200]])
SIZE_HW = (300, 400)
RECIPE = Recipe(positives=6, parts=3, negatives=10, near_share=1.0)
NO_PROPOSALS: Boxes = np.zeros((0, 4))


def chosen_from(
    proposals: Boxes, faces: Boxes = FACE, recipe: Recipe = RECIPE, seed: int = 0
) -> LabelledWindows:
    rng = np.random.default_rng(seed)
    pool = pool_proposals(proposals, draw_pool(faces, SIZE_HW, recipe, rng), SIZE_HW, rng)
    return choose_windows(pool, faces, recipe)


def squares(*rows: tuple[float, float, float]) -> Boxes:
    return as_boxes([[x, y, x + side, y + side] for x, y, side in rows])


def is_among(windows: Boxes, others: Boxes) -> NDArray[np.bool_]:
    return np.asarray((windows[:, None] == others[None]).all(axis=2).any(axis=1))


def test_proposals_between_the_bands_are_nothing() -> None:
    # 3,600 and 3,364 of 10,000: 0.36 and 0.336, above a negative's 0.3 and below a part's 0.4
    between = squares((100.5, 100.5, 60), (120.5, 130.5, 58))
    assert ((iou(between, FACE) > 0.3) & (iou(between, FACE) < 0.4)).all()
    found = chosen_from(between)
    assert not is_among(found.windows, between).any()


def test_negatives_are_the_false_alarms_with_the_best_scores() -> None:
    alarms = squares(*((210.25 + number, 20.5, 40) for number in range(30)))
    found = chosen_from(alarms).of(Label.NEGATIVE)
    np.testing.assert_array_equal(found.windows, alarms[:10])


def test_where_false_alarms_are_few_drawn_windows_make_up_for_them() -> None:
    alarms = squares((210.25, 20.5, 40), (250.25, 200.5, 40))
    found = chosen_from(alarms, recipe=replace(RECIPE, negatives=15)).of(Label.NEGATIVE)
    np.testing.assert_array_equal(found.windows[:2], alarms)
    others = found.windows[2:]
    assert len(others) == 15 - 2
    assert (others == np.rint(others)).all()


def test_positives_and_parts_are_proposals_as_long_as_there_are_enough() -> None:
    # 0.9 and more of the face; 70 of 100 pixels either way are 0.49
    good = squares(*((100.25 + step / 10, 100.25, 99) for step in range(20)))
    middling = squares(*((100.25 + step / 10, 100.25, 70) for step in range(20)))
    found = chosen_from(np.concatenate([good, middling]))
    assert is_among(found.of(Label.POSITIVE).windows, good).all()
    assert is_among(found.of(Label.PART).windows, middling).all()
    assert (len(found.of(Label.POSITIVE)), len(found.of(Label.PART))) == (6, 3)


def test_of_many_positives_chance_takes_some() -> None:
    good = squares(*((100.25 + step / 10, 100.25, 99) for step in range(20)))
    first, other = (chosen_from(good, seed=seed).of(Label.POSITIVE).windows for seed in (1, 2))
    assert first.tolist() != other.tolist()


def test_faces_with_few_proposals_are_filled_up_with_windows_around_them() -> None:
    faces = as_boxes([[100.0, 100, 200, 200], [250.0, 150, 330, 230]])
    good = squares((100.25, 100.25, 99))
    found = chosen_from(good, faces)
    positives = found.of(Label.POSITIVE)
    assert np.bincount(positives.face_index).tolist() == [6, 6]
    assert np.bincount(found.of(Label.PART).face_index).tolist() == [3, 3]
    first, second = (positives.windows[positives.face_index == face] for face in (0, 1))
    # the proposal, and what was drawn, on whole pixels
    whole = (first == np.rint(first)).all(axis=1)
    assert is_among(first, good).tolist() == [True, *[False] * 5]
    assert whole.tolist() == [False, *[True] * 5]
    assert (second == np.rint(second)).all()


def test_a_frame_without_faces_gives_false_alarms_alone() -> None:
    alarms = squares(*((10.5 + number, 20.5, 40) for number in range(6)))
    found = chosen_from(alarms, NO_PROPOSALS)
    assert set(found.labels.tolist()) == {Label.NEGATIVE}
    assert len(found) == 10
    np.testing.assert_array_equal(found.windows[:6], alarms)


def test_without_proposals_all_is_drawn_by_lot() -> None:
    found = chosen_from(NO_PROPOSALS)
    counts = [len(found.of(label)) for label in (Label.POSITIVE, Label.PART, Label.NEGATIVE)]
    assert counts == [6, 3, 10]


def test_proposals_that_show_nothing_are_left_out() -> None:
    """Turned inside out, without extent, outside, half a pixel: what bad networks propose."""
    nothing = as_boxes(
        [
            [180.0, 180, 120, 120],
            [180.0, 120, 120, 180],
            [150.5, 150.5, 150.5, 150.5],
            [-80.0, 20, -20, 80],
            [-0.5, 20.2, 0.5, 21.2],
        ]
    )
    assert len(pool_proposals(nothing, EMPTY, SIZE_HW, np.random.default_rng(0)).near) == 0


EMPTY = Pool(NO_PROPOSALS, NO_PROPOSALS, NO_PROPOSALS)


@given(seed=st.integers(0, 2**32 - 1), reach=st.floats(0.5, 400), padding=st.booleans())
@settings(max_examples=50)
def test_whatever_is_proposed_can_be_cut_and_is_half_visible(
    seed: int, reach: float, padding: bool
) -> None:
    rng = np.random.default_rng(seed)
    proposals = rng.uniform(-reach, reach, (200, 4)) + rng.uniform(-20, 400, (200, 1))
    kept = pool_proposals(proposals, EMPTY, SIZE_HW, rng).near
    cut = _cut_pixels(np.zeros((*SIZE_HW, 3), np.uint8), kept, 24, padding=padding)
    assert len(cut) == len(kept)
    frame = [0.0, 0.0, SIZE_HW[1], SIZE_HW[0]]
    for window in kept.tolist():
        both = overlap_of(window, frame)
        own = (window[2] - window[0]) * (window[3] - window[1])
        whole = SIZE_HW[0] * SIZE_HW[1]
        shared = both * (own + whole) / (1 + both)
        assert shared >= LEAST_VISIBLE * own - 1e-6


def test_a_network_out_of_its_mind_does_not_stop_the_mining(
    dataset: FaceDataset, tmp_path: Path, pretrained: Detector
) -> None:
    """Offsets that turn every box inside out."""
    state = load_pretrained_stage("pnet")
    state["conv4_2.bias"] = np.array([2.0, 2.0, -2.0, -2.0])
    mad = Detector(Weights({"pnet": state}))
    for stage in LATER:
        found = prepare_patches(dataset, tmp_path / stage, stage=stage, miner=Miner(mad, stage))
        assert found.counts[Label.POSITIVE] > 0
