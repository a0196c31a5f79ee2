import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from facetl.cartoons import RULE, CartoonFrame, draw_frame, frame
from facetl.cartoons.arms import item
from facetl.cartoons.cast import CAST, HEADS, MOODS
from facetl.cartoons.clothes import decoration
from facetl.cartoons.colours import darken, lighten, mix, rgb
from facetl.cartoons.eyes import EYE_STYLES
from facetl.cartoons.figure import DrawnFace, draw_figure
from facetl.cartoons.frame import SeenFace, compose
from facetl.cartoons.hair import HAIR_STYLES
from facetl.cartoons.hats import hat
from facetl.cartoons.mouths import MouthSpot, mouth
from facetl.cartoons.noses import nose
from facetl.cartoons.paths import cloud, curve, mirror, oval, rectangle, zigzag
from facetl.cartoons.pen import HEIGHT, OVERSAMPLING, WIDTH, Canvas, Pen
from facetl.cartoons.places import FOREGROUNDS, PLACES
from facetl.cartoons.places.furniture import COUNTERS_AND_SOFAS, FITTINGS, FurnitureDrawer
from facetl.cartoons.places.walls import ROOMS, wallpaper
from facetl.cartoons.props import PROPS, PropDrawer, prop, props_for
from facetl.cartoons.registry import Registry
from facetl.cartoons.strangers import dress_up, invent
from facetl.cartoons.toon import Toon, pose
from facetl.cli.cartoons import cartoons, write_cartoons
from facetl.data.annotations import load_annotations
from facetl.data.dataset import load_dataset
from facetl.data.images import load_image
from facetl.errors import OutputError

README = Path(frame.__file__).parent / "README.md"


@pytest.fixture
def pen() -> Pen:
    return Pen(Canvas())


def somebody(seed: int = 0, **changes: object) -> Toon:
    rng = Random(seed)
    who = replace(invent(rng), **changes)  # type: ignore[arg-type]
    return pose(who, dress_up(who, rng), rng)


def middle(pen: Pen, scale: float = 60) -> Pen:
    return pen.at(WIDTH / 2, HEIGHT / 2, scale)


# ---- whole frames


def test_frame_depends_on_seed_part_and_index_alone() -> None:
    forwards = [draw_frame(3, "train", i) for i in (0, 1)]
    backwards = [draw_frame(3, "train", i) for i in (1, 0)][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.boxes, other.boxes)
        assert one.labels == other.labels
    strangers = [draw_frame(3, "test", 0), draw_frame(4, "train", 0), forwards[1]]
    assert not any(np.array_equal(forwards[0].image, each.image) for each in strangers)


def test_frames_hold_fair_boxes_of_whole_pixels_inside_the_frame() -> None:
    for index in range(12):
        drawn = draw_frame(5, "train", index)
        assert drawn.image.dtype == np.uint8
        assert drawn.boxes.dtype == np.float64
        assert np.array_equal(drawn.boxes, np.round(drawn.boxes))
        assert (drawn.boxes[:, :2] >= 0).all()
        assert (drawn.boxes[:, 2:] <= (WIDTH, HEIGHT)).all()
        assert (drawn.boxes[:, 2:] - drawn.boxes[:, :2]).min() >= 18
        assert set(drawn.labels) <= {*CAST, "unknown"}


def test_boxes_are_the_tight_bounds_of_owned_pixels_and_nothing_else_owns_any() -> None:
    for seed in range(12):
        canvas, faces = compose(Random(seed))
        blocks = canvas.owners.reshape(HEIGHT, OVERSAMPLING, WIDTH, OVERSAMPLING)
        expected = set()
        for owner in set(np.unique(canvas.owners).tolist()) - {0}:
            rows, columns = np.nonzero((blocks == owner).any(axis=(1, 3)))
            expected.add((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        assert {face.box for face in faces if face.visible} == expected


def test_first_fair_try_is_the_frame() -> None:
    for index in range(4):
        tries = (compose(Random(f"6/test/{index}/{attempt}"))[1] for attempt in range(60))
        faces = next(each for each in tries if each and all(face.is_fair for face in each))
        drawn = draw_frame(6, "test", index)
        assert all(face.visible >= 0.6 for face in faces)
        assert drawn.labels == tuple(face.label for face in faces)
        assert drawn.boxes.tolist() == [list(face.box) for face in faces]


@pytest.mark.parametrize(
    ("box", "visible", "fair"),
    [
        ((10, 10, 40, 40), 0.6, True),
        ((10, 10, 40, 40), 0.59, False),  # too hidden
        ((10, 10, 27, 27), 1.0, False),  # 17 pixels are too small, 18 are not
        ((10, 10, 28, 28), 1.0, True),
        ((0, 0, 66, 30), 1.0, False),  # 2.2 times as wide as high
        ((0, 0, 45, 100), 1.0, False),  # 0.45 times
        ((0, 0, 46, 100), 1.0, True),
    ],
)
def test_fair_faces(box: tuple[int, int, int, int], visible: float, fair: bool) -> None:
    assert SeenFace("unknown", box, visible).is_fair is fair


def test_a_face_is_seen_less_when_covered_or_cut_off_by_the_border(pen: Pen) -> None:
    def share_seen(x: float, covered: float) -> float:
        canvas = Canvas()
        toon = replace(somebody(hat=None, hair="bald", head="round", beard=False), tilt=0)
        face = draw_figure(Pen(canvas).at(x, 180, 80), toon, 1, Random(1))
        assert face is not None
        Pen(canvas).fill(rectangle(0, 0, covered, HEIGHT), "#000000")
        return frame._look_at(canvas, face, "unknown").visible

    assert share_seen(240, covered=0) > 0.8  # nothing but perhaps a hand
    assert share_seen(240, covered=240) == pytest.approx(0.5, abs=0.15)
    assert share_seen(0, covered=0) == pytest.approx(0.5, abs=0.15)
    assert share_seen(240, covered=480) == 0


def test_gives_up_with_a_reason_when_no_try_is_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "compose", lambda rng: (Canvas(), []))
    with pytest.raises(RuntimeError, match="no fair frame in 60 tries for 1/train/2"):
        draw_frame(1, "train", 2)


def test_cartoon_frame_is_validated() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    with pytest.raises(ValueError, match=r"expected an image of \(360, 480, 3\)"):
        CartoonFrame(image[1:], np.zeros((0, 4)), ())
    with pytest.raises(ValueError, match="expected 1 boxes"):
        CartoonFrame(image, np.zeros((0, 4)), ("juno",))


# ---- everything there is can be drawn


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PROPS)
def test_props_leave_pixels_but_own_none(pen: Pen, name: str, seed: int) -> None:
    PROPS[name].draw(middle(pen), Random(seed))
    assert pen.canvas.image.any()
    assert not pen.canvas.owners.any()


@pytest.mark.parametrize("setting", {"indoors", "outdoors", "stage"})
def test_every_setting_has_props(setting: str) -> None:
    assert len(props_for(setting)) >= 5


@pytest.mark.parametrize("name", PLACES)
def test_places_fill_the_frame_and_own_no_pixels(pen: Pen, name: str) -> None:
    pen.canvas.image[:] = (1, 2, 3)  # no place has this colour
    for seed in range(4):
        floor = PLACES[name].draw(pen, Random(seed))
        assert 0 < floor < HEIGHT
        assert PLACES[name].setting in {"indoors", "outdoors", "stage"}
    assert not (pen.canvas.image == (1, 2, 3)).all(axis=2).any()
    assert not pen.canvas.owners.any()


@pytest.mark.parametrize("furnish", FITTINGS + COUNTERS_AND_SOFAS)
def test_furniture_is_drawn(pen: Pen, furnish: FurnitureDrawer) -> None:
    furnish(pen, ROOMS[0], 250, Random(1))
    assert pen.canvas.image.any()


@pytest.mark.parametrize("name", wallpaper)
def test_wallpapers_end_at_the_foot_of_the_wall(pen: Pen, name: str) -> None:
    wallpaper[name](pen, ROOMS[0], 250, Random(1))
    assert pen.canvas.image.any() == (name not in {"plain", "bare"})
    assert not pen.canvas.image[(250 + 70) * OVERSAMPLING :].any()  # half a diamond may hang over


@pytest.mark.parametrize("draw", [draw for draws in FOREGROUNDS.values() for draw in draws])
def test_foregrounds_cover_faces(pen: Pen, draw: PropDrawer) -> None:
    pen.canvas.owners[:] = 5
    draw(pen, Random(0))
    assert set(np.unique(pen.canvas.owners)) == {0, 5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("hair", name) for name in HAIR_STYLES),
        *(("hat", name) for name in hat),
        *(("eyes", name) for name in EYE_STYLES),
        *(("nose", name) for name in nose),
        *(("head", name) for name in HEADS),
    ],
)
def test_characters_of_every_make_own_a_face(pen: Pen, field: str, value: str) -> None:
    toon = somebody(11, **{field: value})
    assert draw_figure(middle(pen), toon, 9, Random(2)) is not None
    assert 0 < pen.canvas.pixels_of(9) < pen.canvas.image.any(axis=2).sum()


@pytest.mark.parametrize("mood", MOODS)
def test_moods_can_be_pulled_with_any_eyes(mood: str) -> None:
    for eyes in EYE_STYLES:
        toon = replace(somebody(5, eyes=eyes, beard=True, moustache=True), mood=MOODS[mood])
        face = draw_figure(middle(Pen(Canvas())), toon, 1, Random(4))
        assert isinstance(face, DrawnFace)
        assert face.whole > 0


@pytest.mark.parametrize("name", mouth)
@pytest.mark.parametrize("lips", [None, "#c9344c"])
def test_mouths_own_no_pixels(pen: Pen, name: str, lips: str | None) -> None:
    pen.canvas.image[:] = 255
    mouth[name](middle(pen.owned_by(3)), MouthSpot(0.4, 0.5, 1, lips), Random(0))
    assert (pen.canvas.image < 255).any()
    assert not pen.canvas.owners.any()


@pytest.mark.parametrize("name", item)
def test_items_can_be_held(pen: Pen, name: str) -> None:
    item[name](middle(pen), Random(0))
    assert pen.canvas.image.any()


@pytest.mark.parametrize("name", decoration)
def test_tops_can_be_decorated(pen: Pen, name: str) -> None:
    toon = somebody(1)
    toon = replace(toon, outfit=replace(toon.outfit, decoration=name))
    assert draw_figure(middle(pen), toon, 1, Random(0))


@pytest.mark.parametrize("hair", ["bald", "swoop"])
def test_nobody_seen_from_behind_owns_a_face(pen: Pen, hair: str) -> None:
    toon = replace(somebody(hair=hair), turned_away=True)
    assert draw_figure(middle(pen), toon, 1, Random(0)) is None
    assert not pen.canvas.owners.any()


def test_unknown_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="no head 'cube'; there are egg"):
        replace(CAST["juno"], head="cube")


def test_width_beyond_the_head_is_that_of_a_neck() -> None:
    assert somebody().half_width_at(9) == 0.6


# ---- pen, paths, colours, registry


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


@settings(max_examples=50, deadline=None)
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


# ---- the README


@pytest.fixture
def registries_restored() -> Iterator[None]:
    kept = [(registry, dict(registry)) for registry in (CAST, PROPS)]
    yield
    for registry, content in kept:
        registry.clear()
        registry.update(content)  # type: ignore[arg-type]


@pytest.mark.usefixtures("registries_restored")
def test_readme_examples_run(pen: Pen, capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for block in blocks:
        exec(compile(block, str(README), "exec"), {"__name__": "readme"})
    assert "(360, 480, 3)" in capsys.readouterr().out
    assert len(blocks) == 3
    assert max(block.count("\n") for block in blocks[1:]) <= 16
    rng = Random(0)
    pip = pose(CAST["pip"], dress_up(CAST["pip"], rng), rng)
    assert draw_figure(middle(pen), pip, 1, rng)
    assert "snowman" in {each.draw.__name__ for each in props_for("outdoors")}
    assert any("pip" in draw_frame(0, "readme", index).labels for index in range(40))


def test_readme_says_the_rule_and_the_licence() -> None:
    text = README.read_text(encoding="utf-8")
    assert RULE[1:] in text
    assert "CC0" in text
    for module in re.findall(r"`(\w+\.py|\w+/)`", text):
        assert (README.parent / module).exists(), module


# ---- the command


def files_of(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cartoons") / "toons"
    write_cartoons(out, train=7, test=3, seed=2)
    return out


def test_layout_is_the_course_s(drawn: Path) -> None:
    names = set(files_of(drawn))
    assert {"antrenare/juno/0001.jpg", "antrenare/juno/0002.jpg", "antrenare/gus/0001.jpg"} < names
    assert {f"antrenare/{name}_annotations.txt" for name in CAST} < names
    assert {f"validare/validare/00{i}.jpg" for i in (1, 2, 3)} < names
    assert {"validare/task1_gt_validare.txt", "validare/validare_annotations.txt"} < names
    assert len(names) == 10 + 5 + 2 + 1
    assert [path.name for path in drawn.parent.iterdir()] == ["toons"]  # nothing temporary left
    notice = (drawn / "README.md").read_text()
    assert RULE in notice
    assert "CC0" in notice
    assert "facetl cartoons toons --train 7 --test 3 --seed 2" in notice


def test_annotations_are_the_boxes_that_were_drawn(drawn: Path) -> None:
    train, test = load_dataset(drawn, part="train"), load_dataset(drawn, part="test")
    expected = {f"{name}/0001.jpg": (2, "train", i) for i, name in enumerate(CAST)}
    expected |= {"juno/0002.jpg": (2, "train", 5), "mabel/0002.jpg": (2, "train", 6)}
    expected |= {f"00{i + 1}.jpg": (2, "test", i) for i in range(3)}
    assert len(train) + len(test) == len(expected) == 10
    for read in (*train.frames, *test.frames):
        original = draw_frame(*expected[read.name])
        assert np.array_equal(read.boxes, original.boxes)
        difference = load_image(read.path).astype(float) - original.image
        assert np.abs(difference).mean() < 4  # JPEG at quality 92
    with_labels = load_annotations(drawn / "validare/validare_annotations.txt").faces
    without = load_annotations(drawn / "validare/task1_gt_validare.txt").faces
    assert with_labels["001.jpg"].labels == draw_frame(2, "test", 0).labels
    assert set(without["001.jpg"].labels) == {None}
    assert np.array_equal(with_labels["001.jpg"].boxes, without["001.jpg"].boxes)


def test_workers_change_nothing(drawn: Path, tmp_path: Path) -> None:
    write_cartoons(tmp_path / "toons", train=7, test=3, seed=2, workers=2)
    assert files_of(tmp_path / "toons") == files_of(drawn)


def test_command_reports_refuses_and_replaces(tmp_path: Path) -> None:
    out = tmp_path / "my toons"
    first = CliRunner().invoke(
        cartoons, [str(out), "--train", "6", "--test", "2", "--workers", "1"]
    )
    assert first.exit_code == 0, first.output
    assert re.match(r"train: 6 frames, \d+ faces\ntest: 2 frames, \d+ faces\n", first.stdout)
    assert f"Rule: {RULE}" in first.stdout
    assert first.stderr.splitlines()[-1] == f"next: facetl prepare '{out}' --out patches"

    before = files_of(out)
    with pytest.raises(OutputError, match="exists already"):
        write_cartoons(out, train=1, test=1, seed=1)
    assert files_of(out) == before

    (out / "mine.txt").write_text("kept")
    write_cartoons(out, train=1, test=1, seed=1, force=True)
    assert len(files_of(out)) == 2 + 3 + 1 + 1  # no frame of the first drawing is left
    assert (out / "mine.txt").read_text() == "kept"


def test_only_drawn_cartoons_are_replaced(tmp_path: Path) -> None:
    treasure = tmp_path / "antrenare/dad_annotations.txt"
    treasure.parent.mkdir()
    treasure.write_text("0001.jpg 1 2 3 4 dad\n")
    with pytest.raises(OutputError, match="holds something that is no drawn cartoon"):
        write_cartoons(tmp_path, train=1, test=1, seed=1, force=True)
    with pytest.raises(OutputError, match="is a file; choose another folder"):
        write_cartoons(treasure, train=1, test=1, seed=1, force=True)
    with pytest.raises(OutputError, match="cannot be written"):
        write_cartoons(treasure / "below", train=1, test=1, seed=1)
    assert list(files_of(tmp_path)) == ["antrenare/dad_annotations.txt"]


def test_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facetl.cartoons.draw_frame", fail)
    with pytest.raises(KeyboardInterrupt):
        write_cartoons(tmp_path / "out", train=1, test=1, seed=1)
    assert list(tmp_path.iterdir()) == []
