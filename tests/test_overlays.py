from __future__ import annotations

from typing import NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

from facetl import palette
from facetl.data import fonts, overlays
from facetl.data.images import Pixels
from facetl.data.overlays import contact_sheet, draw_boxes, side_by_side
from facetl.errors import InputError


def grey(height: int = 60, width: int = 80, value: int = 128) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def test_a_box_is_drawn_on_its_own_pixels_in_its_own_colour() -> None:
    image = grey()
    drawn = draw_boxes(image, np.array([[10, 20, 30, 50]]), colour="#D55E00", thickness=1)
    ys, xs = np.nonzero((drawn != image).any(axis=2))
    # Half open: the last column is 29, the last row 49.
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (10, 29, 20, 49)
    assert drawn[20, 10].tolist() == [0xD5, 0x5E, 0x00]
    assert (drawn[21:49, 11:29] == 128).all()
    assert (image == 128).all()


def test_every_box_may_have_a_colour_of_its_own() -> None:
    boxes = np.array([[5, 30, 25, 55], [30, 30, 50, 55], [55, 30, 75, 55]])
    colours = (palette.YELLOW, palette.BLUE, palette.YELLOW)
    drawn = draw_boxes(grey(), boxes, colour=colours, labels=["M", "M", "M"])
    for (x1, y1, _, _), colour in zip(boxes, colours, strict=True):
        assert "#{:02X}{:02X}{:02X}".format(*drawn[y1 + 5, x1]) == colour
    assert (drawn[:30, :25] == 0).all(axis=2).any()  # dark on yellow
    assert (drawn[:30, 30:50] == 255).all(axis=2).any()  # light on blue
    with pytest.raises(ValueError, match="expected 3 colours, got 1"):
        draw_boxes(grey(), boxes, colour=[palette.BLUE])


def test_colours_of_tracks_return_and_neighbours_differ() -> None:
    colours = [palette.track_colour(number) for number in range(1, 20)]
    assert colours[0] == colours[len(palette.TRACKS)]
    for first, *others in zip(colours, colours[1:], colours[2:], colours[3:], strict=False):
        assert first not in others
    assert palette.track_colour(None) == overlays.FOUND not in palette.TRACKS


@pytest.mark.parametrize(("height", "letters"), [(120, 11), (360, 11), (1080, 30), (2160, 60)])
def test_labels_and_lines_grow_with_the_picture(height: int, letters: int) -> None:
    plain = grey(height, 2 * height)
    box = np.array([[0.5, 0.5, 0.9, 0.9]]) * [height, height, height, height]
    drawn = draw_boxes(plain, box, labels=["#7 0.98"])
    changed = (drawn != plain).any(axis=2)
    label = changed[: height // 2 - 2, height // 2 + 5]
    assert 0.8 * letters < label.sum() < 1.8 * letters
    line = changed[round(0.7 * height), : round(0.7 * height)]
    assert line.sum() == pytest.approx(max(height / 270, 2), abs=0.6)


def test_a_label_stays_inside_the_picture() -> None:
    drawn = draw_boxes(grey(120, 160), np.array([[150, 60, 170, 90]]), labels=["#7 0.98"])
    patch = np.flatnonzero((drawn[50] != 128).any(axis=1))
    assert patch.min() < 130
    assert patch.max() == 159


def test_titles_grow_with_the_panels() -> None:
    small, large = (side_by_side([("a", grey(side, side))]).shape[0] for side in (240, 2160))
    assert small == 240 + 24 + 2 * 8
    assert large == 2160 + 90 + 2 * 8


def test_no_boxes_leave_a_copy() -> None:
    image = grey()
    drawn = draw_boxes(image, np.zeros((0, 4)), labels=[])
    assert np.array_equal(drawn, image)
    assert drawn is not image


def test_boxes_may_leave_the_image() -> None:
    boxes = np.array([[-10, -10, 500, 20], [900, 900, 910, 910]])
    assert draw_boxes(grey(), boxes, scores=np.array([0.9, 0.1])).shape == (60, 80, 3)


def test_scores_are_the_labels_unless_there_are_labels() -> None:
    boxes = np.array([[10, 30, 70, 50]])
    scores = np.array([0.876])
    assert np.array_equal(
        draw_boxes(grey(), boxes, scores=scores), draw_boxes(grey(), boxes, labels=["0.88"])
    )
    assert np.array_equal(
        draw_boxes(grey(), boxes, scores=scores, labels=["dad"]),
        draw_boxes(grey(), boxes, labels=["dad"]),
    )


@pytest.mark.parametrize(("colour", "text"), [(overlays.TRUTH, 0), (palette.BLUE, 255)])
def test_texts_are_dark_on_light_and_light_on_dark(colour: str, text: int) -> None:
    drawn = draw_boxes(grey(), np.array([[5, 30, 75, 50]]), colour=colour, labels=["MMMM"])
    assert (drawn[:30] == text).all(axis=2).any()
    assert not (drawn == 255 - text).all(axis=2).any()


def test_a_sheet_has_margins_and_rows_from_left_to_right() -> None:
    sheet = contact_sheet([grey(4, 5, value) for value in (10, 20, 30)], columns=2)
    # Two cells of 5 and three margins of 8; two rows of 4 and three margins.
    assert sheet.shape == (8 + 4 + 8 + 4 + 8, 8 + 5 + 8 + 5 + 8, 3)
    assert [sheet[9, 9, 0], sheet[9, 22, 0], sheet[21, 9, 0]] == [10, 20, 30]
    assert sheet[21, 22, 0] == sheet[0, 0, 0] == 255


def test_smaller_images_lie_in_the_upper_left_corner_of_their_cells() -> None:
    sheet = contact_sheet([grey(4, 5, 10), grey(2, 3, 20)], columns=5)
    assert sheet.shape == (20, 34, 3)
    assert (sheet[8:10, 21:24] == 20).all()
    assert (sheet[10:12, 21:26] == 255).all()


def test_patches_are_enlarged_into_squares_of_one_colour() -> None:
    patch = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    sheet = contact_sheet([patch], columns=1, enlarge=3)
    assert (sheet[8:11, 11:14] == patch[0, 1]).all()
    assert sheet.shape == (22, 22, 3)


@pytest.mark.parametrize("name", ["mabel/0017.jpg", "season one/mabel/0017.jpg", "a\nb" * 40])
def test_titles_fit_their_cells_whatever_a_file_is_called(name: str) -> None:
    strip = contact_sheet([grey(120, 120, 255)], columns=1, titles=[name])[8:32, 8:-8]
    columns = np.any(strip < 100, axis=(0, 2))
    assert columns.any()
    assert not columns[-1]  # nothing is cut off at the border


def test_titles_too_long_keep_both_ends() -> None:
    def strip(name: str) -> Pixels:
        return contact_sheet([grey(120, 120, 255)], columns=1, titles=[name])[8:32]

    assert not np.array_equal(strip("a" * 40 + "1.jpg"), strip("a" * 40 + "2.jpg"))
    assert not np.array_equal(strip("1" + "a" * 40 + ".jpg"), strip("2" + "a" * 40 + ".jpg"))
    assert np.array_equal(strip("a" * 40 + "1" + "a" * 40), strip("a" * 40 + "2" + "a" * 40))


@pytest.mark.parametrize("letters", ["éè", "жя", "Ωα"])
def test_letters_beyond_ascii_are_told_apart(letters: str) -> None:
    one, other = [contact_sheet([grey(60, 60)], columns=1, titles=[each]) for each in letters]
    assert not np.array_equal(one, other)


def test_titles_are_drawn_without_any_other_font(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = contact_sheet([grey(60, 60)], columns=1, titles=["plain"])
    monkeypatch.setattr(fonts, "_manager", cannot_load)
    fonts._letters_of.cache_clear()
    np.testing.assert_array_equal(plain, contact_sheet([grey(60, 60)], columns=1, titles=["plain"]))
    assert contact_sheet([grey(60, 60)], columns=1, titles=["é"]).shape == plain.shape


def cannot_load() -> NoReturn:
    raise InputError("matplotlib cannot be loaded; install it again")


def test_side_by_side_puts_titles_above() -> None:
    row = side_by_side([("pretrained", grey(value=10)), ("tuned", grey(value=20))])
    plain = contact_sheet([grey(value=10), grey(value=20)], columns=2)
    assert np.array_equal(row[-60 - 8 :], plain[-60 - 8 :])
    assert row.shape[0] > plain.shape[0]
    assert (row[8 : -60 - 8] < 100).any()  # something is written


def test_what_makes_no_sheet() -> None:
    with pytest.raises(ValueError, match="got 0 and 3"):
        contact_sheet([], columns=3)
    with pytest.raises(ValueError, match="got 1 and 0"):
        contact_sheet([grey()], columns=0)
    with pytest.raises(ValueError, match="expected 1 titles, got 2"):
        contact_sheet([grey()], columns=1, titles=["a", "b"])


def test_captions_stand_below() -> None:
    plain = contact_sheet([grey(), grey()], columns=2)
    sheet = contact_sheet([grey(), grey()], columns=2, captions=["0.9", "0.1"])
    assert np.array_equal(sheet[: 8 + 60], plain[: 8 + 60])
    assert (sheet[8 + 60 : -8] < 100).any()  # something is written
    with pytest.raises(ValueError, match="expected 1 captions, got 0"):
        contact_sheet([grey()], columns=1, captions=[])
