from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from engines import ENGINES, needs_kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_mtcnn import greedy_nms, iou, overlap_with_smaller

from facetl.boxes import FARTHEST
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import onet_nms
from facetl.mtcnn.native import suppress_ranked
from facetl.mtcnn.nms import (
    BLOCK,
    TOGETHER,
    _iou,
    _keep_ranked,
    _overlap_with_smaller,
    suppress,
    suppress_nested,
    vote,
)
from facetl.search.settings import Settings

Row = tuple[tuple[float, float, float, float], float, int]


@st.composite
def rows(draw: st.DrawFn) -> Row:
    x, y = draw(st.integers(-20, 60)), draw(st.integers(-20, 60))
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    # Few different scores, so that some are equal and the order of the rows must decide.
    score = draw(st.integers(0, 8)) / 8
    return (x, y, x + width, y + height), score, draw(st.integers(0, 2))


def candidates_of(rows: Sequence[Row]) -> Candidates:
    count = len(rows)
    return Candidates(
        boxes=np.array([box for box, _, _ in rows], np.float32).reshape(count, 4),
        scores=np.array([score for _, score, _ in rows], np.float32),
        image_index=np.array([image for _, _, image in rows], np.int64),
        offsets=np.zeros((count, 4), np.float32),
        landmarks=np.zeros((count, 0), np.float32),
    )


# Thresholds that no fraction of small integers meets exactly: rounding must not decide.
@given(st.lists(rows(), max_size=25), st.sampled_from([0.3001, 0.5001, 0.7001]))
@settings(max_examples=50)
def test_suppress_is_greedy_nms_within_each_image(rows: list[Row], threshold: float) -> None:
    expected = greedy_nms(*_columns(rows), iou, threshold)
    assert suppress(candidates_of(rows), threshold).tolist() == expected


@given(st.lists(rows(), max_size=25), st.sampled_from([0.3001, 0.5001, 0.7001]))
@settings(max_examples=50)
def test_suppress_nested_is_greedy_nms_by_the_smaller_box(
    rows: list[Row], threshold: float
) -> None:
    expected = greedy_nms(*_columns(rows), overlap_with_smaller, threshold)
    assert suppress_nested(candidates_of(rows), threshold).tolist() == expected


@given(st.lists(rows(), min_size=1, max_size=25))
@settings(max_examples=50)
def test_images_of_a_batch_do_not_touch_each_other(rows: list[Row]) -> None:
    together = candidates_of(rows)
    for nms in (suppress, suppress_nested):
        kept = together[nms(together, 0.5001)]
        for image in range(3):
            alone = together[together.image_index == image]
            expected = alone[nms(alone, 0.5001)]
            assert np.array_equal(kept.boxes[kept.image_index == image], expected.boxes)


# ---- torchvision as a witness: the same indices in the same order, and the same bits


def crowd(count: int, seed: int, *, images: int = 1) -> Candidates:
    """Boxes of which most overlap some others, with few different scores."""
    chance = np.random.default_rng(seed)
    corners = chance.uniform(-20, 200, (count, 2))
    boxes = np.concatenate([corners, corners + chance.uniform(1e-3, 90, (count, 2))], axis=1)
    return Candidates(
        boxes=(boxes.round(1) if seed % 2 else boxes).astype(np.float32),
        scores=(chance.integers(0, 40, count) / 40).astype(np.float32),
        image_index=chance.integers(0, images, count),
        offsets=np.zeros((count, 4), np.float32),
        landmarks=np.zeros((count, 0), np.float32),
    )


def doubles(*arrays: NDArray[np.float32]) -> list[torch.Tensor]:
    return [torch.from_numpy(array).double() for array in arrays]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1, TOGETHER, TOGETHER + 1, 1000])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.7, 0.8])
def test_suppress_keeps_what_torchvision_keeps(
    count: int, threshold: float, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine != "native":
        monkeypatch.setattr("facetl.mtcnn.nms.suppress_ranked", lambda *_, **__: None)
    for seed in range(3):
        alone = crowd(count, seed)
        expected = torchvision.ops.nms(*doubles(alone.boxes, alone.scores), threshold)
        assert suppress(alone, threshold).tolist() == expected.tolist()


@pytest.mark.parametrize("count", [200, 900])
def test_suppress_keeps_what_torchvision_keeps_of_each_group(count: int) -> None:
    many = crowd(count, seed=4, images=3)
    level = np.random.default_rng(1).integers(0, 5, count)
    groups = torch.from_numpy(many.image_index * 5 + level)
    boxes, scores = doubles(many.boxes, many.scores)
    expected = torchvision.ops.boxes._batched_nms_vanilla(boxes, scores, groups, 0.5)
    found = suppress(many, 0.5, among=level)
    assert sorted(found) == sorted(expected.tolist())
    assert np.array_equal(found, found[np.argsort(-many.scores[found], kind="stable")])


@pytest.mark.parametrize("seed", range(5))
def test_votes_are_weighed_as_with_torchvisions_iou(seed: int) -> None:
    many = crowd(150, seed)
    keep = suppress_nested(many, 0.5)
    boxes, scores = doubles(many.boxes, many.scores)
    overlap = torchvision.ops.box_iou(boxes[keep], boxes)
    weights = (overlap >= 0.7) * scores.clamp(min=1e-9)
    expected = (weights @ boxes / weights.sum(dim=1, keepdim=True)).float()
    np.testing.assert_allclose(vote(many, keep, 0.7), expected.numpy(), rtol=2e-7)


# ---- boxes that are none

odd_numbers = st.floats(width=32) | st.sampled_from([0.0, 1.0, 1e-40, 1e9, -1e9, 1.000001])


@given(st.lists(st.tuples(*[odd_numbers] * 5), max_size=12), st.integers(0, 1), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_is_no_box_goes_and_leaves_the_others_alone(
    rows: list[tuple[float, ...]], image: int, voting: bool
) -> None:
    """Of another image, too: a single box that is no number would shift all of a batch."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    odd = Candidates(
        boxes=table[:, :4],
        scores=table[:, 4],
        image_index=np.full(len(table), image),
        offsets=np.zeros((len(table), 4), np.float32),
        landmarks=np.zeros((len(table), 10), np.float32),
    )
    sound = replace(crowd(9, seed=2), landmarks=np.zeros((9, 10), np.float32))
    how = Settings((0, 0, 0), voting=voting)
    found = onet_nms(Candidates.concatenate([odd, sound]), how)
    boxes = found.boxes
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (np.abs(boxes) <= FARTHEST).all()
    assert np.isfinite(found.scores).all()
    if image:
        alone = onet_nms(sound, how).boxes
        np.testing.assert_allclose(boxes[found.image_index == 0], alone, rtol=0, atol=1e-3)


@needs_kernels
@given(
    st.lists(st.tuples(*[odd_numbers | st.integers(0, 9)] * 5), max_size=30),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_kernels_keep_what_numpy_keeps(
    rows: list[tuple[float, ...]], threshold: float, nested: bool
) -> None:
    """Whatever the boxes are: empty, infinite, not a number, with corners the wrong way round."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 5).astype(np.float64)
    assert_same_kept(table, threshold, nested)


@needs_kernels
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_kernels_keep_what_numpy_keeps_of_many(seed: int, nested: bool) -> None:
    many = crowd(3000, seed)
    table = np.concatenate([many.boxes, many.scores[:, None]], axis=1).astype(np.float64)
    if seed > 4:
        table[:, :4] = table[:, :4].round(-1)  # a third are empty; overlaps meet the threshold
    assert_same_kept(table, 0.5, nested)


def assert_same_kept(table: NDArray[np.float64], threshold: float, nested: bool) -> None:
    """Compare both ways of NMS on (N, 5) corners and scores."""
    boxes, order = table[:, :4], np.argsort(-table[:, 4], kind="stable")
    found = suppress_ranked(boxes, order, threshold, nested=nested)
    assert found is not None
    with np.errstate(all="ignore"):
        overlap = _overlap_with_smaller if nested else _iou
        np.testing.assert_array_equal(found, _keep_ranked(boxes, order, overlap, threshold))


def test_a_small_box_inside_a_large_one_survives_iou_but_not_nesting() -> None:
    # IoU = 100 / 10,000; over the smaller area the overlap is whole.
    nested = candidates_of([((0, 0, 100, 100), 0.9, 0), ((40, 40, 50, 50), 0.8, 0)])
    assert suppress(nested, 0.7).tolist() == [0, 1]
    assert suppress_nested(nested, 0.7).tolist() == [0]


@pytest.mark.parametrize("images", [0, 3])
def test_nothing_stays_nothing(images: int) -> None:
    nobody = Candidates.concatenate([])
    assert suppress(nobody, 0.5).tolist() == suppress_nested(nobody, 0.5).tolist() == []
    assert nobody.counts(images) == [0] * images


def test_all_columns_are_filtered_together() -> None:
    three = candidates_of([((i, 0, i + 5, 5), i / 4, i) for i in range(3)])
    kept = three[np.array([False, True, True])]
    assert len(kept) == 2
    assert kept.scores.tolist() == [0.25, 0.5]
    assert kept.image_index.tolist() == kept.boxes[:, 0].tolist() == [1, 2]
    assert kept.counts(4) == [0, 1, 1, 0]
    again = Candidates.concatenate([kept, three[np.array([0])]])
    assert again.image_index.tolist() == [1, 2, 0]


def _columns(
    rows: Sequence[Row],
) -> tuple[list[tuple[float, float, float, float]], list[float], list[int]]:
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]
