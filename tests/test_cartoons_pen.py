import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facetl.cartoons.colours import darken, lighten, mix, rgb
from facetl.cartoons.paths import cloud, curve, mirror, oval, rectangle, zigzag
from facetl.cartoons.pen import HEIGHT, OVERSAMPLING, WIDTH, Canvas, Pen
from facetl.cartoons.props import PROPS, prop
from facetl.registry import Registry


@pytest.fixture
def pen() -> Pen:
    return Pen(Canvas())


def test_paint_claims_pixels_unless_thin_or_told_not_to(pen: Pen) -> None:
    square = rectangle(100, 100, 110, 110)
    own = pen.owned_by(4)
    own.fill(square, "#ffffff", claim=False)
    own.fill(square, "#ffffff", alpha=0.5)
    own.line(square, 3, closed=True)
    assert pen.canvas.pixels_of(4) == 0
    own.fill(square, "#ffffff", clip=rectangle(105, 0, 500, 500))
    half = pen.canvas.pixels_of(4)
    own.fill(square, "#ffffff")
    assert pen.canvas.pixels_of(4) == pytest.approx(2 * half, rel=0.1)
    pen.tube([(90, 105), (120, 105)], 4, "#ff0000", 0.5)  # an arm across: 5 of 10 pixels high
    assert pen.canvas.pixels_of(4) == pytest.approx(half, rel=0.25)


def test_paint_fades_from_top_to_bottom(pen: Pen) -> None:
    pen.fill(rectangle(0, 0, WIDTH, HEIGHT), "#000000", fade_to="#ffffff")
    column = pen.canvas.finished()[:, 240, 0].astype(int)
    assert column[0] < 3
    assert column[-1] > 252
    assert (np.diff(column) >= 0).all()


def test_what_lies_outside_draws_nothing(pen: Pen) -> None:
    outside = oval(-500, -500, 20)
    pen.fill(outside, "#ffffff", alpha=0.5)
    pen.line([(0, 0), (50, 50)], 3, "#ffffff", clip=outside)
    assert not pen.canvas.image.any()


def test_line_of_one_point_is_no_line(pen: Pen) -> None:
    pen.line([(5, 5)], 3, "#ffffff")
    assert not pen.canvas.image.any()


def test_brush_is_thicker_below_whichever_way_the_path_runs() -> None:
    for path in (rectangle(100, 100, 200, 200), rectangle(100, 100, 200, 200)[::-1]):
        pen = Pen(Canvas())
        pen.line(path, 6, "#ffffff", closed=True)
        ink = pen.canvas.image[:, 150 * OVERSAMPLING, 0] > 0
        assert ink[450:].sum() > ink[:450].sum()


@pytest.mark.parametrize(("x", "share"), [(240, 1.0), (0, 0.5), (WIDTH, 0.5), (-99, 0.0)])
def test_share_in_frame(pen: Pen, x: float, share: float) -> None:
    assert pen.share_in_frame(oval(x, 180, 40)) == pytest.approx(share, abs=0.02)


points = st.lists(st.tuples(*[st.floats(-100, 100)] * 2), min_size=2, max_size=8)


@settings(max_examples=50)
@given(points, st.integers(1, 9))
def test_curves_run_through_their_points(through: list[tuple[float, float]], steps: int) -> None:
    for closed in (False, True):
        path = curve(through, steps, closed=closed)
        assert len(path) == steps * len(through) - (0 if closed else steps - 1)
        assert path[::steps] == pytest.approx(np.array(through))


def test_shapes_are_what_their_names_say() -> None:
    assert np.hypot(*(oval(3, 4, 5) - (3, 4)).T) == pytest.approx(np.full(40, 5.0))
    for radius in (0, 2, 99):
        box = rectangle(1, 2, 11, 8, radius)
        assert (*box.min(0), *box.max(0)) == pytest.approx((1, 2, 11, 8))
    assert mirror([(0, -1), (2, 0), (0, 1)]).tolist() == [[0, -1], [2, 0], [0, 1], [-2, 0]]
    assert zigzag((0, 0), (4, 0), 2, 3).tolist() == [[0, 0], [1, -3], [2, 0], [3, -3], [4, 0]]
    lobes = cloud(3, 4, 30, 30, 9)
    distances = np.hypot(*(lobes - (3, 4)).T)
    # Centres at 0.84 of the radius; lobes reach out by 0.62 of a ninth of that circle.
    assert distances.max() == pytest.approx(25.2 * (1 + 0.62 * 2 * np.pi / 9), abs=0.3)
    assert distances.min() > 25.2


def test_colours_mix() -> None:
    assert rgb("#0a0b0c") == rgb((10, 11, 12)) == (10, 11, 12)
    assert mix("#000000", "#ffffff", 0.5) == (128, 128, 128)
    assert sum(rgb(darken("#808080"))) < 3 * 128 < sum(rgb(lighten("#808080")))


def test_names_are_taken_once() -> None:
    shapes: Registry[int] = Registry()
    shapes("one")(1)
    with pytest.raises(ValueError, match="'one' is taken"):
        shapes("one")(2)


def test_props_of_one_name_are_taken_once() -> None:
    with pytest.raises(ValueError, match="'robot' is taken"):
        prop("stage")(PROPS["robot"].draw)
