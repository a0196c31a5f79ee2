"""Faces that the annotators missed: found once each, and shown."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from facetl.boxes import Boxes, as_boxes, iou
from facetl.data.dataset import FaceDataset
from facetl.data.frame import Frame
from facetl.data.images import save_image
from facetl.data.overlays import cut_out
from facetl.palette import SKY
from facetl.training.mining import Proposals
from facetl.training.suspects import APART, CONVINCING, Suspect, draw_suspects, find_suspects

FACE = [100.0, 100.0, 160.0, 160.0]
ELSEWHERE = [10.0, 10.0, 50.0, 50.0]


def frame_with(faces: list[list[float]], path: Path = Path("a.png")) -> Frame:
    return Frame(path, path.name, as_boxes(faces), (None,) * len(faces), (240, 320))


def proposals(*scored: tuple[list[float], float]) -> Proposals:
    windows = as_boxes([window for window, _ in scored])
    return Proposals(windows, np.array([score for _, score in scored], np.float32))


def test_a_convincing_region_without_a_face_is_a_suspect() -> None:
    found = find_suspects(proposals((FACE, 0.99), (ELSEWHERE, 0.97)), frame_with([FACE]))
    assert [(each.frame, each.box) for each in found] == [("a.png", tuple(ELSEWHERE))]
    assert abs(found[0].score - 0.97) < 1e-6


def test_there_is_none_where_all_faces_are_annotated() -> None:
    shown = proposals((FACE, 0.99), (ELSEWHERE, 0.98))
    assert find_suspects(shown, frame_with([FACE, ELSEWHERE])) == ()
    assert find_suspects(proposals(), frame_with([])) == ()


def test_what_is_not_convincing_is_none() -> None:
    assert find_suspects(proposals((ELSEWHERE, CONVINCING - 0.01)), frame_with([])) == ()


def test_several_windows_of_one_place_are_one_suspect_the_best() -> None:
    beside = [side + 5 for side in ELSEWHERE]
    found = find_suspects(proposals((beside, 0.99), (ELSEWHERE, 0.98)), frame_with([FACE]))
    assert [each.box for each in found] == [tuple(beside)]


def test_a_window_on_the_square_of_a_flat_face_is_none() -> None:
    # the face's square reaches from 60 to 140: the window above the face overlaps it alone
    flat, above = [100.0, 95.0, 180.0, 105.0], [120.0, 62.0, 150.0, 92.0]
    assert iou(as_boxes([flat]), as_boxes([above])).item() == 0
    assert find_suspects(proposals((above, 0.99)), frame_with([flat])) == ()


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 30))
@settings(max_examples=50)
def test_suspects_keep_apart_from_faces_and_from_each_other(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 200, (count + 2, 2))
    boxes: Boxes = np.hstack([corners, corners + rng.uniform(20, 60, (count + 2, 1))])
    scores = np.sort(rng.uniform(0.9, 1, count).astype(np.float32))[::-1]
    found = find_suspects(Proposals(boxes[2:], scores), frame_with(boxes[:2].tolist()))
    taken = as_boxes([*boxes[:2].tolist(), *(each.box for each in found)])
    overlaps = iou(taken, taken) - np.eye(len(taken))
    assert overlaps[:, 2:].max(initial=0) < APART
    assert all(each.score >= CONVINCING - 1e-6 for each in found)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_a_sheet_shows_the_best_sixty(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_image(path, np.full((240, 320, 3), 90, np.uint8))
    dataset = FaceDataset((frame_with([], path),))
    box = (10.0, 10.0, 50.0, 50.0)
    suspects = [asdict(Suspect("a.png", box, 0.95 + number / 10_000)) for number in range(70)]
    few, many = draw_suspects(suspects[:3], dataset), draw_suspects(suspects, dataset)
    # 8 pixels of margin and 24 of title for cells of 120 pixels: 3 in a row, then 10 in 6 rows
    assert few.shape == (120 + 24 + 2 * 8, 3 * 128 + 8, 3)
    assert many.shape == (6 * 152 + 8, 10 * 128 + 8, 3)


# ---- a cell of the sheet


def test_a_cell_shows_the_box_in_its_middle_with_half_its_side_around() -> None:
    # A box of 40 pixels with 20 on every side: 80 pixels become 80, the frame begins at 20.
    image = np.full((240, 320, 3), 90, np.uint8)
    cell = cut_out(image, as_boxes([[100, 100, 140, 140]]), 80)
    rows, columns = np.nonzero((cell != 90).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 59, 20, 59)
    assert "#{:02X}{:02X}{:02X}".format(*cell[20, 40]) == SKY.upper()


def test_beyond_the_border_a_cell_is_black() -> None:
    image = np.full((60, 60, 3), 90, np.uint8)
    cell = cut_out(image, as_boxes([[0, 0, 40, 40]]), 80)
    assert (cell[:20] == 0).all()
    assert (cell[21:, 21:] > 0).any(axis=2).all()


def test_what_is_to_be_ignored_is_no_suspect() -> None:
    crowd = as_boxes([[0.0, 0.0, 90.0, 200.0]])
    frame = replace(frame_with([FACE]), ignored=crowd)
    beside = [88.0, 10.0, 128.0, 50.0]  # two of its 40 columns
    found = find_suspects(proposals((ELSEWHERE, 0.99), (beside, 0.97)), frame)
    assert [each.box for each in found] == [tuple(beside)]
