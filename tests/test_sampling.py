from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_sampling import label_one

from facetl.boxes import Boxes, area, clip, coverage, iou, shift, square
from facetl.errors import InputError
from facetl.training.recipe import Bands, Match, Recipe
from facetl.training.sampling import (
    LEAST_VISIBLE,
    SMALLEST_SIDE,
    Label,
    LabelledWindows,
    choose_windows,
    draw_pool,
    faces_without_positive,
    label_windows,
    pool_proposals,
)

SIZE_HW = (360, 480)
NO_FACE: Boxes = np.zeros((0, 4))
SEEDS = st.integers(0, 2**32 - 1)


def random_faces(rng: np.random.Generator, count: int) -> Boxes:
    """Faces of 20 to 150 pixels, up to twice as long as wide, inside the frame."""
    edges = rng.uniform(20, 150, (count, 1)) * rng.uniform(0.5, 1, (count, 2))
    corners = rng.uniform(0, 1, (count, 2)) * (np.array(SIZE_HW[::-1]) - edges)
    return np.concatenate([corners, corners + edges], axis=1)


def drawn(seed: int, recipe: Recipe | None = None) -> tuple[Boxes, LabelledWindows]:
    rng = np.random.default_rng(seed)
    faces = random_faces(rng, int(rng.integers(0, 5)))
    return faces, sample_windows(faces, SIZE_HW, recipe or Recipe(), rng)


def sample_windows(
    faces: Boxes, size_hw: tuple[int, int], recipe: Recipe, rng: np.random.Generator
) -> LabelledWindows:
    return choose_windows(draw_pool(faces, size_hw, recipe, rng), faces, recipe)


def labels_of(windows: list[list[float]], faces: list[list[float]], match: Match) -> list[int]:
    found = label_windows(np.array(windows, float), np.array(faces, float), Bands(), match)
    return [int(label) for label in found.labels]


@pytest.mark.parametrize("match", ["square", "box"])
@pytest.mark.parametrize("seed", range(10))
def test_labels_and_targets_are_those_of_the_slow_loop(seed: int, match: Match) -> None:
    rng = np.random.default_rng(seed)
    faces = random_faces(rng, 3)
    candidates = draw_pool(faces, SIZE_HW, Recipe(), rng)
    windows = np.concatenate([candidates.around, candidates.near, candidates.anywhere])
    fast = label_windows(windows, faces, Bands(), match)
    slow = [label_one(window, faces.tolist(), Bands(), match) for window in windows.tolist()]
    assert fast.labels.tolist() == [int(label) for label, _ in slow]
    np.testing.assert_allclose(fast.offsets, [target for _, target in slow], atol=1e-12)


def test_labels_by_hand() -> None:
    face = [100.0, 100.0, 200.0, 200.0]
    windows = [
        [100.0, 100, 200, 200],  # the face itself: 1
        [100.0, 100, 180, 180],  # 6,400 of 10,000: 0.64, just short of a positive
        [100.0, 100, 181, 181],  # 6,561 of 10,000: 0.656
        [100.0, 100, 160, 160],  # 3,600 of 10,000: 0.36, in the gap
        [100.0, 100, 154, 154],  # 2,916 of 10,000: 0.29
        [300.0, 100, 400, 200],  # 0
    ]
    expected = [
        Label.POSITIVE,
        Label.PART,
        Label.POSITIVE,
        Label.IGNORED,
        Label.NEGATIVE,
        Label.NEGATIVE,
    ]
    assert labels_of(windows, [face], "square") == expected
    assert labels_of(windows, [face], "box") == expected  # its square is the face


def test_an_elongated_face_gives_positives_to_its_square_and_none_to_its_box() -> None:
    # 1 / (2 sqrt(a) - 1) is the most a square can reach with aspect a: 0.547 for 2.
    face = [[100.0, 120.0, 200.0, 170.0]]
    best = [[100.0, 95.0, 200.0, 195.0]]
    assert labels_of(best, face, "square") == [Label.POSITIVE]
    assert labels_of(best, face, "box") == [Label.PART]
    faces = np.array(face)
    around = draw_pool(faces, SIZE_HW, Recipe(), np.random.default_rng(0)).around
    assert faces_without_positive(around, faces, Bands(), "square") == 0
    assert faces_without_positive(around, faces, Bands(), "box") == 1


def test_a_negative_must_keep_clear_of_the_box_too() -> None:
    # Inside a face of 100x40: 1,600 of 10,000 with its square, 1,600 of 4,000 with its box.
    window, face = [[100.0, 100.0, 140.0, 140.0]], [[100.0, 100.0, 200.0, 140.0]]
    assert labels_of(window, face, "square") == [Label.IGNORED]
    assert labels_of(window, face, "box") == [Label.PART]


def test_a_window_belongs_to_the_face_it_overlaps_most() -> None:
    faces = np.array([[0.0, 0, 100, 100], [40.0, 0, 140, 100]])
    found = label_windows(np.array([[35.0, 0, 135, 100], [5.0, 0, 105, 100]]), faces)
    assert found.face_index.tolist() == [1, 0]
    np.testing.assert_allclose(found.offsets[:, 0], [0.05, -0.05])


@given(SEEDS, st.sampled_from(["square", "box"]))
@settings(max_examples=50)
def test_classes_keep_to_their_bands(seed: int, match: Match) -> None:
    faces, found = drawn(seed, Recipe(match=match))
    targets = square(faces) if match == "square" else faces
    positives, negatives = found.of(Label.POSITIVE), found.of(Label.NEGATIVE)
    own = np.arange(len(positives)), positives.face_index
    assert (iou(positives.windows, targets)[own] >= 0.65).all()
    rivals = np.concatenate([faces, targets])
    assert (iou(negatives.windows, rivals) < 0.3).all()
    assert not (found.labels == Label.IGNORED).any()


@given(SEEDS)
@settings(max_examples=50)
def test_targets_lead_from_the_window_to_the_true_box(seed: int) -> None:
    faces, found = drawn(seed)
    with_face = found[found.labels != Label.NEGATIVE]
    reached = shift(with_face.windows, with_face.offsets)
    np.testing.assert_allclose(reached, faces[with_face.face_index], atol=1e-9)
    assert not found.of(Label.NEGATIVE).offsets.any()


@given(SEEDS)
@settings(max_examples=50)
def test_windows_are_square_whole_and_seen(seed: int) -> None:
    windows = drawn(seed)[1].windows
    edges = windows[:, 2:] - windows[:, :2]
    assert (windows == np.rint(windows)).all()
    assert (edges[:, 0] == edges[:, 1]).all()
    assert (edges >= SMALLEST_SIDE).all()
    assert (area(clip(windows, SIZE_HW)) >= LEAST_VISIBLE * area(windows)).all()


def test_some_windows_leave_the_frame() -> None:
    face = np.array([[0.0, 0.0, 60.0, 60.0]])
    windows = sample_windows(face, SIZE_HW, Recipe(), np.random.default_rng(0)).windows
    assert (windows < 0).any()


@given(SEEDS)
@settings(max_examples=50)
def test_counts_are_those_of_the_recipe_at_most(seed: int) -> None:
    faces, found = drawn(seed, Recipe(positives=4, parts=2, negatives=7))
    assert len(found.of(Label.NEGATIVE)) == 7
    for label, most in ((Label.POSITIVE, 4), (Label.PART, 2)):
        of_each = np.bincount(found.of(label).face_index, minlength=len(faces))
        assert (of_each <= most).all()


def test_a_plain_frame_gives_all_that_the_recipe_asks_for() -> None:
    faces = np.array([[50.0, 50, 150, 140], [250.0, 100, 330, 200]])
    found = sample_windows(faces, SIZE_HW, Recipe(), np.random.default_rng(0))
    counts = {label: len(found.of(label)) for label in Label}
    assert counts == {
        Label.POSITIVE: 24,
        Label.PART: 12,
        Label.NEGATIVE: 18,
        Label.IGNORED: 0,
    }
    touching = (iou(found.of(Label.NEGATIVE).windows, square(faces)) > 0).any(axis=1)
    assert touching.sum() >= 9  # half of the negatives are hard ones


def test_a_frame_without_faces_gives_negatives_alone() -> None:
    found = sample_windows(NO_FACE, SIZE_HW, Recipe(), np.random.default_rng(0))
    assert found.labels.tolist() == [Label.NEGATIVE] * 18
    assert set(found.face_index.tolist()) == {-1}
    assert faces_without_positive(found.windows, NO_FACE, Bands(), "box") == 0


@pytest.mark.parametrize("size_hw", [(1, 1), (11, 300), (12, 12)])
def test_small_frames_are_no_trouble(size_hw: tuple[int, int]) -> None:
    face = np.array([[0.0, 0.0, size_hw[1], size_hw[0]]])
    for faces in (face, NO_FACE):
        found = sample_windows(faces, size_hw, Recipe(), np.random.default_rng(0))
        assert (area(clip(found.windows, size_hw)) > 0).all()


def test_sides_anywhere_are_log_uniform() -> None:
    rng = np.random.default_rng(0)
    windows = draw_pool(NO_FACE, SIZE_HW, Recipe(negatives=1000), rng).anywhere
    sides = windows[:, 2] - windows[:, 0]
    # As many below as above the geometric mean of 12 and 360, within five deviations.
    assert abs((sides < np.sqrt(12 * 360)).mean() - 0.5) < 2.5 / np.sqrt(len(sides))


@pytest.mark.parametrize("bands", [(0.0, 0.4, 0.65), (0.5, 0.4, 0.65), (0.3, 0.7, 0.65), (1, 1, 2)])
def test_bands_that_cross_are_refused(bands: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="choose 0 < negative <= part <= positive <= 1"):
        Bands(*bands)


def test_recipes_are_checked() -> None:
    with pytest.raises(InputError, match=r"found parts -1, expected 0 or more"):
        Recipe(parts=-1)
    with pytest.raises(InputError, match=r"found near_share 1\.5, expected 0 to 1"):
        Recipe(near_share=1.5)
    with pytest.raises(InputError, match="found match 'circle', expected one of square, box"):
        Recipe(match="circle")  # type: ignore[arg-type]


def test_columns_of_different_lengths_are_refused() -> None:
    short: NDArray[np.uint8] = np.zeros(1, np.uint8)
    with pytest.raises(ValueError, match="expected shapes"):
        LabelledWindows(np.zeros((2, 4)), short, np.zeros((2, 4)), np.zeros(2, np.intp))


@pytest.mark.parametrize(
    ("frames", "faces", "at_least", "factor"),
    [
        (3600, 5218, 50_000, 1),  # 158,724 patches are expected: enough
        (120, 217, 50_000, 8),  # 6,066 are; nine times as many would do, eight are allowed
        (120, 217, 12_133, 3),  # one more than twice as many
        (120, 217, 0, 1),
        (0, 0, 50_000, 8),
    ],
)
def test_few_frames_give_more_windows_each(
    frames: int, faces: int, at_least: int, factor: int
) -> None:
    recipe = Recipe(match="box").enriched(frames, faces, at_least)
    assert recipe == Recipe(12 * factor, 6 * factor, 18 * factor, match="box")


@pytest.mark.parametrize("match", ["square", "box"])
@pytest.mark.parametrize("seed", range(10))
def test_what_is_to_be_ignored_is_labelled_as_by_the_slow_loop(seed: int, match: Match) -> None:
    rng = np.random.default_rng(seed)
    faces, ignored = random_faces(rng, seed % 3), random_faces(rng, 3)
    candidates = draw_pool(faces, SIZE_HW, Recipe(), rng)
    windows = np.concatenate([candidates.around, candidates.near, candidates.anywhere])
    fast = label_windows(windows, faces, Bands(), match, ignored)
    slow = [
        label_one(window, faces.tolist(), Bands(), match, ignored.tolist())
        for window in windows.tolist()
    ]
    assert fast.labels.tolist() == [int(label) for label, _ in slow]
    assert Label.IGNORED in fast.labels


def test_what_is_to_be_ignored_is_no_negative_by_hand() -> None:
    face, crowd = [0.0, 0.0, 100.0, 100.0], [200.0, 0.0, 300.0, 300.0]
    windows = np.array(
        [
            [210.0, 10, 230, 30],  # all of it in the crowd, of which it is a small part
            [0.0, 0, 300, 300],  # a third of it is the crowd
            [171.0, 0, 211, 40],  # 11 of its 40 columns: 0.275
            [170.0, 100, 210, 140],  # a quarter
            [172.0, 0, 212, 40],  # 12 of 40: the limit itself
            [5.0, 5, 95, 95],  # the face
        ]
    )
    expected = [Label.IGNORED, Label.IGNORED, Label.NEGATIVE, Label.NEGATIVE, Label.IGNORED]
    found = label_windows(windows, np.array([face]), ignored=np.array([crowd]))
    assert found.labels.tolist() == [*expected, Label.POSITIVE]
    # a frame without faces is no other matter
    found = label_windows(windows, NO_FACE, ignored=np.array([crowd]))
    assert found.labels.tolist() == [*expected, Label.NEGATIVE]


def test_a_face_inside_a_region_to_be_ignored_keeps_its_positives() -> None:
    face, crowd = np.array([[240.0, 40.0, 280.0, 80.0]]), np.array([[200.0, 0.0, 480.0, 360.0]])
    drawn_pool = draw_pool(face, SIZE_HW, Recipe(), np.random.default_rng(0))
    plain = choose_windows(drawn_pool, face, Recipe())
    found = choose_windows(drawn_pool, face, Recipe(), crowd)
    for label in (Label.POSITIVE, Label.PART):
        np.testing.assert_array_equal(found.of(label).windows, plain.of(label).windows)
    negatives, before = found.of(Label.NEGATIVE), plain.of(Label.NEGATIVE)
    assert (coverage(negatives.windows, crowd) < 0.3).all()
    assert (coverage(before.windows, crowd) >= 0.3).any()


def test_hard_negatives_are_no_proposals_in_a_region_to_be_ignored() -> None:
    crowd = np.array([[200.0, 0.0, 300.0, 100.0]])
    proposals = np.array([[210.0, 10, 250, 50], [20.0, 200, 60, 240], [290.0, 50, 330, 90]])
    rng = np.random.default_rng(0)
    recipe = Recipe(negatives=4)
    drawn_pool = draw_pool(NO_FACE, SIZE_HW, recipe, rng)
    pool = pool_proposals(proposals, drawn_pool, SIZE_HW, rng)
    hardest = choose_windows(pool, NO_FACE, recipe, crowd).windows[:2]
    # the first lies in the crowd; of the last a quarter does
    assert hardest.tolist() == proposals[1:].tolist()
    assert choose_windows(pool, NO_FACE, recipe).windows[0].tolist() == proposals[0].tolist()
