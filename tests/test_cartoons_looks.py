from dataclasses import replace
from random import Random

import numpy as np
import pytest

from facetl.cartoons.arms import hand
from facetl.cartoons.colours import any_colour, object_colour, rgb
from facetl.cartoons.finishes import apply_finishes, finish
from facetl.cartoons.lettering import GLYPHS, length_of, random_words, write
from facetl.cartoons.look import Look
from facetl.cartoons.overlays import apply_overlays, overlay
from facetl.cartoons.paths import oval, rectangle
from facetl.cartoons.pen import HEIGHT, OVERSAMPLING, WIDTH, Canvas, Pen
from facetl.cartoons.places import choose_place
from facetl.cartoons.places.any_colours import ANY_COLOURS
from facetl.cartoons.props import GROUPS, HOUSE, props_for
from facetl.cartoons.staging import SHOTS, Shot, Staging, choose_shot, place_cast, place_props

pytestmark = pytest.mark.slow


@pytest.fixture
def pen() -> Pen:
    return Pen(Canvas())


def middle(pen: Pen) -> Pen:
    return pen.at(WIDTH / 2, HEIGHT / 2, 60)


def colours_in(pen: Pen) -> set[tuple[int, ...]]:
    return {tuple(each) for each in np.unique(pen.canvas.image.reshape(-1, 3), axis=0).tolist()}


# ---- looks


@pytest.mark.parametrize("shading", ["cel", "gradient", "soft"])
def test_shaded_surfaces_are_lighter_towards_the_light_and_own_the_same_pixels(
    shading: str,
) -> None:
    flat, shaded = Pen(Canvas()), Pen(Canvas()).looking(Look(shading=shading, light=180))
    for each in (flat, shaded):
        middle(each.owned_by(3)).fill(oval(0, 0, 1), "#808080")
    assert np.array_equal(flat.canvas.owners, shaded.canvas.owners)
    row = shaded.canvas.image[HEIGHT * OVERSAMPLING // 2, :, 0].astype(int)
    left, right = (row[(WIDTH // 2 + x) * OVERSAMPLING] for x in (-50, 50))
    assert left > right
    assert len(colours_in(flat)) == 2
    assert len(colours_in(shaded)) >= 3


def test_walls_dots_and_features_of_cels_stay_flat(pen: Pen) -> None:
    cel = pen.looking(Look(shading="cel"))
    cel.fill(rectangle(0, 0, WIDTH, HEIGHT), "#ff0000")
    middle(cel).fill(oval(0, 0, 0.05), "#00ff00")
    middle(cel).fill(oval(0, 0, 1), "#0000ff", claim=False)
    assert colours_in(pen) == {(255, 0, 0), (0, 0, 255)}


def test_shaded_surfaces_may_leave_the_frame(pen: Pen) -> None:
    soft = pen.looking(Look(shading="soft")).at(0, 0, 90)
    soft.fill(oval(0, 0, 1), "#aa5500")
    soft.fill(oval(-9, -9, 1), "#aa5500")
    assert pen.canvas.image[0, 0].any()
    assert not pen.canvas.image[-1, -1].any()


def test_contours_are_ink_or_of_the_surface_or_none() -> None:
    found = {}
    for contour in ("ink", "own", "none"):
        pen = Pen(Canvas()).looking(Look(contour=contour, ink="#00ff00"))
        middle(pen).shape(oval(0, 0, 1), "#ff0000", 0.1)
        middle(pen).tube([(-1, 1.5), (1, 1.5)], 0.3, "#ff0000")
        found[contour] = colours_in(pen) - {(0, 0, 0)}
    assert found["ink"] == {(255, 0, 0), (0, 255, 0)}
    assert len(found["own"]) == 2
    assert (0, 255, 0) not in found["own"]
    assert found["none"] == {(255, 0, 0)}


def test_lines_of_a_colour_of_their_own_are_drawn_without_contours_too(pen: Pen) -> None:
    middle(pen.looking(Look(contour="none"))).shape(oval(0, 0, 1), "#ff0000", 0.1, "#0000ff")
    assert (0, 0, 255) in colours_in(pen)


def test_thick_lines_are_thicker_and_tubes_keep_their_width() -> None:
    widths = []
    for line in (1.0, 2.0):
        pen = Pen(Canvas()).looking(Look(line=line))
        middle(pen).line([(-1, 0), (1, 0)], 0.1, "#ffffff")
        widths.append(int((pen.canvas.image[:, WIDTH * OVERSAMPLING // 2, 0] > 0).sum()))
    assert widths[1] == pytest.approx(2 * widths[0], abs=2)


def test_blank_paint_leaves_ink_on_paper(pen: Pen) -> None:
    look = Look(paint="blank", paper="#eeeeee")
    blank = middle(pen.looking(look))
    blank.shape(oval(0, 0, 1), "#ff8800", 0.1)
    blank.fill(oval(0, 0, 0.3), "#221100")
    blank.line([(0, 0.4), (0, 0.8)], 0.1, "#cc0000")
    blank.line([(0, 0), (0, 0.1)], 0.1, "#ffffff")
    assert colours_in(pen) == {(0, 0, 0), rgb("#eeeeee"), rgb(look.ink)}


def test_an_unsteady_hand_moves_paint_and_owners_alike_but_not_the_frame(pen: Pen) -> None:
    unsteady = pen.looking(Look(wobble=2)).owned_by(4)
    unsteady.fill(rectangle(0, 0, WIDTH, HEIGHT), "#ffffff")
    assert pen.canvas.pixels_of(4) == WIDTH * HEIGHT * OVERSAMPLING**2
    middle(unsteady.owned_by(5)).fill(rectangle(-1, -1, 1, 1), "#ff0000")
    red = (pen.canvas.image == (255, 0, 0)).all(axis=2)
    assert np.array_equal(red, pen.canvas.owners == 5)
    square = Pen(Canvas())
    middle(square.owned_by(5)).fill(rectangle(-1, -1, 1, 1), "#ff0000")
    assert not np.array_equal(square.canvas.owners == 5, pen.canvas.owners == 5)


def test_lines_may_miss_the_paint(pen: Pen) -> None:
    pen.looking(Look(slip=(10, 0))).line([(100, 50), (100, 60)], 2, "#ffffff")
    _, columns = np.nonzero(pen.canvas.image[:, :, 0])
    assert columns.mean() / OVERSAMPLING == pytest.approx(110, abs=0.5)


@pytest.mark.parametrize("wrong", [{"contour": "x"}, {"paint": "x"}, {"shading": "x"}])
def test_unknown_looks_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"no .* 'x'; there are"):
        Look(**wrong)  # type: ignore[arg-type]


def test_what_is_drawn_so_far_can_be_put_out_of_focus(pen: Pen) -> None:
    pen.fill(rectangle(0, 0, WIDTH / 2, HEIGHT), "#ffffff")
    pen.canvas.blur(4)
    assert len(colours_in(pen)) > 20


# ---- finishes, overlays, letters


def photo() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    pen = Pen(Canvas())
    choose_place(Random(1)).draw(pen, Random(1))
    middle(pen).shape(oval(0, 0, 1), "#bb6644", 0.1)
    return pen.canvas.finished()


@pytest.mark.parametrize("name", finish)
def test_finishes_change_pictures_as_the_seed_says(name: str) -> None:
    picture = photo()
    kept = picture.copy()
    done = [finish[name](picture, Random(seed)) for seed in (1, 1)]
    assert np.array_equal(done[0], done[1])
    assert np.array_equal(picture, kept)
    assert done[0].shape == kept.shape
    assert done[0].dtype == np.uint8
    assert any((finish[name](picture, Random(seed)) != kept).any() for seed in range(9))


def test_finishes_are_applied_with_their_probabilities() -> None:
    picture = photo()
    assert np.array_equal(apply_finishes(picture, {"sepia": 0}, Random(1)), picture)
    grey = apply_finishes(picture, {"monochrome": 1, "vignette": 0}, Random(1))
    assert np.array_equal(grey[:, :, 0], grey[:, :, 2])


@pytest.mark.parametrize("name", overlay)
def test_overlays_own_no_pixels(pen: Pen, name: str) -> None:
    changed = []
    for seed in range(4):
        pen.canvas.image[:] = (1, 2, 3)
        pen.canvas.owners[:] = 5
        overlay[name](pen, Random(seed))
        assert set(np.unique(pen.canvas.owners)) <= {0, 5}
        changed.append(float((pen.canvas.image != (1, 2, 3)).any(axis=2).mean()))
    assert 0 < max(changed) < 0.95


def test_overlays_are_applied_with_their_probabilities(pen: Pen) -> None:
    apply_overlays(pen, {"letterbox": 0}, Random(1))
    assert not pen.canvas.image.any()
    apply_overlays(pen, {"title": 1}, Random(1))
    assert pen.canvas.image.any()


@pytest.mark.parametrize("glyph", GLYPHS)
def test_glyphs_are_drawn(pen: Pen, glyph: str) -> None:
    write(middle(pen), glyph, 0.3, "#ffffff")
    assert pen.canvas.image.any()


def test_text_is_as_long_as_said(pen: Pen) -> None:
    text = random_words(Random(1), 1)[:2] + " X"
    write(pen.at(WIDTH / 2, HEIGHT / 2, 20), text, 0.3, "#ffffff", "#ff0000")
    _, columns = np.nonzero(pen.canvas.image[:, :, 0])
    assert np.ptp(columns) / OVERSAMPLING == pytest.approx(length_of(text) * 20, abs=20)


# ---- staging


@pytest.mark.parametrize("name", SHOTS)
def test_shots_place_heads_of_the_right_size_apart(name: str) -> None:
    shot = SHOTS[name]
    staging = Staging(shots=(shot,), heads=(shot.smallest, shot.largest), turned_away=0)
    placed = 0
    for seed in range(8):
        rng = Random(seed)
        actors = place_cast(choose_shot(rng, staging), 240, rng, staging)
        placed += len(actors)
        for actor in actors:
            height = actor.scale * (actor.toon.bottom - actor.toon.top)
            assert shot.smallest * 0.8 < height < shot.largest * 1.35
    assert placed >= 8 * min(shot.people) * 0.8


def test_staging_asks_for_groups_and_numbers_of_props() -> None:
    staging = replace(Staging(), props=(3, 3), prop_scales=(2, 3), small_props=True)
    spots = place_props("indoors", SHOTS["wide"], 240, [], Random(1), staging)
    assert len(spots) == 3
    assert all(2 <= spot.scale / spot.prop.size <= 3 for spot in spots)


@pytest.mark.parametrize("group", GROUPS)
def test_groups_of_props_are_drawn_where_they_are_asked_for(group: str) -> None:
    asked = [each for setting in ("indoors", "outdoors") for each in props_for(setting, (group,))]
    assert len(asked) >= 6
    assert {each.group for each in asked} == {group}


def test_the_house_keeps_to_its_own_props_and_places() -> None:
    settings = ("indoors", "outdoors", "stage")
    assert {each.group for setting in settings for each in props_for(setting)} == {HOUSE}
    assert {choose_place(Random(seed)).group for seed in range(40)} == {HOUSE}
    everywhere = {choose_place(Random(seed), (HOUSE, ANY_COLOURS)).group for seed in range(40)}
    assert everywhere == {HOUSE, ANY_COLOURS}


def test_colours_of_objects_are_usual_ones_or_any() -> None:
    rng = Random(1)
    assert {object_colour(rng, "#123456") for _ in range(60)} > {"#123456"}
    shades = np.array([rgb(object_colour(rng)) for _ in range(400)])
    assert (shades.std(0) > 50).all()
    assert any_colour(rng, (0, 0), (1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("name", hand)
def test_hands_own_no_face(pen: Pen, name: str) -> None:
    hand[name](middle(pen), "#cc8866", -1)
    assert pen.canvas.image.any()
    assert not pen.canvas.owners.any()


def test_unknown_framings_are_refused() -> None:
    with pytest.raises(ValueError, match="no framing 'upside'; there are head"):
        Shot((1,), 10, 20, framing="upside")
