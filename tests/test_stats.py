"""What is in a data set, against plain counting on the drawn cartoon and on frames made by hand."""

from __future__ import annotations

import colorsys
import csv
import json
import shutil
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib.text import Text
from outcomes import assert_refused, complaint, success
from PIL import Image

from facetl.cli import main
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.commands.stats import FACES, FIGURES, FRAMES, PICTURE, StatsRequest, stats
from facetl.data.dataset import load_dataset
from facetl.data.frame import Frame
from facetl.data.summary import (
    GRID_HW,
    HUES,
    SATURATIONS,
    Summary,
    face_aspects,
    look_at,
    mean_colour,
    similar_labels,
    summarise,
)
from facetl.evaluation.report.plots import draw
from facetl.evaluation.report.summary_plots import plot_summaries

RED, SKY, GREY = (255, 0, 0), (0, 128, 255), (90, 90, 90)


@pytest.fixture(scope="module")
def cartoon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "cartoon"
    cartoons(CartoonsRequest(folder, train=8, test=4, seed=3, workers=1))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["stats", *map(str, arguments)])


def paint(
    path: Path, colour: tuple[int, int, int] = GREY, size: tuple[int, int] = (96, 72)
) -> Path:
    """Save a picture of one colour with a bright mark, so that two of them are not alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def summary_of(*frames: Frame) -> Summary:
    return summarise("some", frames, [look_at(frame) for frame in frames], tiny=20.0)


def test_counts_are_those_of_plain_counting(cartoon: Path) -> None:
    result = stats(StatsRequest(data=(cartoon,), workers=2))
    assert [group.name for group in result.groups] == ["cartoon/train", "cartoon/test"]
    for group, part in zip(result.groups, ("train", "test"), strict=True):
        dataset = load_dataset(cartoon, part=part)  # type: ignore[arg-type]
        boxes = [box for frame in dataset for box in frame.boxes.tolist()]
        assert group.frames == len(dataset)
        assert group.faces == len(boxes) > 0
        assert group.faces_per_frame == Counter(len(frame.boxes) for frame in dataset)
        sizes = [((x2 - x1) * (y2 - y1)) ** 0.5 for x1, y1, x2, y2 in boxes]
        assert sorted(group.sizes) == pytest.approx(sorted(sizes))
        middle = group.to_json()["size_quantiles"]["0.5"]
        assert middle == pytest.approx(statistics.median(sizes), abs=1e-3)
        aspects = [(x2 - x1) / (y2 - y1) for x1, y1, x2, y2 in boxes]
        assert sorted(group.aspects) == pytest.approx(sorted(aspects))
        assert group.labels == Counter(label for frame in dataset for label in frame.labels)
        assert group.image_sizes == Counter(frame.size_hw[::-1] for frame in dataset)
    assert result.together.frames == 12
    assert result.together.faces == sum(group.faces for group in result.groups)


def test_places_are_shares_of_faces(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png")
    left = Frame(path, "a", np.array([[0, 0, 48, 72]]), (None,), (72, 96))
    corner = Frame(path, "b", np.array([[0, 0, 24, 36]]), (None,), (72, 96))
    places = summary_of(left, corner).places
    rows, columns = GRID_HW
    assert places.shape == GRID_HW
    assert (places[: rows // 2, : columns // 4] == 1).all()
    assert (places[rows // 2 :, : columns // 2] == 0.5).all()
    assert (places[:, columns // 2 :] == 0).all()


@pytest.mark.parametrize("colour", [RED, SKY, GREY, (240, 200, 160)])
def test_colours_are_the_hue_and_saturation_of_the_faces(
    colour: tuple[int, int, int], tmp_path: Path
) -> None:
    path = paint(tmp_path / "a.png", (0, 255, 0))
    with Image.open(path) as image:
        image.paste(colour, (10, 10, 40, 40))
        image.save(path)
    found = summary_of(Frame(path, "a", np.array([[10, 10, 40, 40]]), (None,), (72, 96))).colours
    hue, saturation, _ = colorsys.rgb_to_hsv(*(level / 255 for level in colour))
    assert found.sum() == pytest.approx(1)
    cell = np.unravel_index(found.argmax(), found.shape)
    assert cell[0] == pytest.approx(hue * HUES, abs=1.01)
    assert cell[1] == pytest.approx(min(saturation * SATURATIONS, SATURATIONS - 1), abs=1.01)
    mean = mean_colour(found)
    assert mean is not None
    if saturation > 0.1:
        away = abs((mean[0] - 360 * hue + 180) % 360 - 180)
        assert away <= 360 / HUES
    assert mean[1] == pytest.approx(saturation, abs=1 / SATURATIONS)


def test_every_face_counts_alike_in_the_colours(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png", RED)
    with Image.open(path) as image:
        image.paste(SKY, (80, 0, 96, 16))
        image.save(path)
    boxes = np.array([[0, 20, 60, 72], [80, 0, 96, 16]])
    found = summary_of(Frame(path, "a", boxes, (None, None), (72, 96))).colours
    assert sorted(found[found > 0]) == pytest.approx([0.5, 0.5])


def test_no_faces_have_no_colour(tmp_path: Path) -> None:
    empty = summary_of(Frame(paint(tmp_path / "a.png"), "a", np.zeros((0, 4)), (), (72, 96)))
    assert mean_colour(empty.colours) is None
    assert empty.faces == 0
    assert json.loads(json.dumps(empty.to_json()))["size_quantiles"] == {}


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (["Bart", "bart", "Lisa"], [["Bart", "bart"]]),
        (["Bart ", "Homer S", "Bart", "homers"], [["Bart ", "Bart"], ["Homer S", "homers"]]),
        (["STRASSE", "straße"], [["STRASSE", "straße"]]),
        (["Bart", "Barth", None, "Bart", "Lisa"], []),
    ],
)  # fmt: skip
def test_labels_that_differ_only_in_case_or_spaces(
    labels: list[str | None], wanted: list[list[str]]
) -> None:
    assert similar_labels(labels) == wanted


def test_odd_boxes_are_counted_with_the_first_frame(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png")

    def frame(name: str, *boxes: tuple[int, int, int, int]) -> Frame:
        return Frame(path, name, np.array(boxes), (None,) * len(boxes), (72, 96))

    whole = (10, 10, 50, 50)
    odd = summary_of(
        frame("good", whole, (60, 10, 90, 40)),
        frame("twins", whole, (11, 10, 50, 50), (12, 10, 50, 50)),  # two too many
        frame("half", whole, (30, 10, 70, 50)),  # IoU 1/3
        frame("tiny", (0, 0, 19, 20), (30, 0, 50, 20)),
        frame("long", (0, 0, 90, 25), (0, 30, 20, 72)),
    ).oddities
    assert [(each.count, each.first) for each in odd] == [(2, "twins"), (1, "tiny"), (1, "long")]


def test_a_box_without_height_is_infinitely_wide() -> None:
    assert face_aspects(np.array([[0, 0, 4, 0], [0, 0, 4, 2]])).tolist() == [np.inf, 2]


def test_near_duplicates_in_a_part_and_between_parts(cartoon: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(cartoon, data)
    before = stats(StatsRequest(data=(data,), workers=1))
    assert not any("near-duplicates" in warning for warning in before.warnings)
    train = next(frame for frame in load_dataset(data) if len(frame.boxes))
    test = next(iter(load_dataset(data, part="test")))
    shutil.copy(train.path, test.path)
    shutil.copy(train.path, train.path.with_name("zz_again.png"))
    after = stats(StatsRequest(data=(data,), workers=1))
    assert after.groups[0].near_duplicates == before.groups[0].near_duplicates + 1
    assert after.groups[1].near_duplicates == before.groups[1].near_duplicates
    assert after.together.near_duplicates == before.together.near_duplicates + 2
    (told,) = [warning for warning in after.warnings if "near-duplicates" in warning]
    assert told.startswith("data/test: 1 of 4 frames are near-duplicates of frames in data/train")


def by_hand(folder: Path, lines: str, names: str = "abc") -> Path:
    """Save frames of different brightness, and the course's text beside them."""
    for place, name in enumerate(names):
        paint(folder / f"{name}.png", (60 * place + 20, 90, 140))
    (folder / "faces.txt").write_text(lines, encoding="utf-8")
    return folder


def test_warnings_are_one_clear_line_each(tmp_path: Path) -> None:
    lines = (
        "a.png 1 1 41 41 Bart\nb.png 1 1 41 41 bart\nb.png 1 1 40 41 bart\nc.png 60 40 99 70 Lisa\n"
    )
    folder = by_hand(tmp_path / "show", lines + "c.png 200 200 240 240 Lisa\n")
    result = success(run(folder))
    told = result.stderr.splitlines()
    assert (
        "warning: labels that differ only in case or spaces: 'bart' (2), 'Bart' (1); make them one"
        in told
    )
    assert any(
        "boxes over another box (IoU 0.7 or more): 1, first in b.png" in line for line in told
    )
    (problems,) = [line for line in told if "outside" in line]
    assert "1 outside the frame" in problems
    assert "1 clipped" in problems
    assert complaint(run(folder, "--on-error", "strict")).startswith("facetl: ")


def test_many_groups_strange_names_and_no_faces_are_drawn(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png")
    empty = Frame(path, "empty", np.zeros((0, 4)), (), (72, 96))
    labels = tuple(f"$名前_{place}" * 20 for place in range(20))
    full = Frame(
        path, "full", np.array([[1, 1, 40, 40 + place] for place in range(20)]), labels, (72, 96)
    )
    groups = [summarise(f"group {place}", [empty], [look_at(empty)], 20) for place in range(9)]
    for together in (groups[0], summary_of(full)):
        figure = plot_summaries(groups, together)
        assert draw(figure).png.startswith(b"\x89PNG")
        words = [text.get_text() for text in figure.findobj(Text)]
        assert any("and 3 more: 1 frame, " in word for word in words)
    assert "faces by label, and 8 labels more" in words


def test_frames_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    folder = by_hand(tmp_path / "show", "a.png 1 1 41 41\n")
    noise = np.random.default_rng(1).integers(0, 256, (72, 96, 3), np.uint8)
    Image.fromarray(noise).save(folder / "c.png")
    whole = (folder / "c.png").read_bytes()
    (folder / "c.png").write_bytes(whole[: len(whole) // 2])
    result = stats(StatsRequest(data=(folder,), out=tmp_path / "out", workers=1))
    assert result.together.frames == 3
    assert result.together.unreadable == 1
    assert "show: 1 frame cannot be read" in result.warnings
    rows = list(csv.DictReader((tmp_path / "out" / FRAMES).read_text("utf-8").splitlines()))
    assert [row["alike"] for row in rows] == ["0", "1", ""]


def test_several_folders_are_told_apart(tmp_path: Path) -> None:
    folders = [by_hand(tmp_path / name / "frames", "a.png 1 1 41 41\n") for name in ("one", "two")]
    result = success(run(*folders))
    for name in ("one/frames", "two/frames", "all"):
        assert f"\n{name} " in "\n" + result.stdout
    assert "two/frames: 3 of 3 frames are near-duplicates of frames in one/frames" in result.stderr


def test_a_frame_is_not_counted_twice(tmp_path: Path) -> None:
    folder = by_hand(tmp_path / "show", "a.png 1 1 41 41\n")
    paint(folder / "more" / "d.png")
    (folder / "more" / "faces.txt").write_text("d.png 1 1 41 41\n", encoding="utf-8")
    (folder / "faces.txt").unlink()
    (tmp_path / "faces.txt").write_text("a.png 1 1 41 41\n", encoding="utf-8")
    assert "give folders that share no frame" in complaint(run(folder, folder / "more"))


def test_everything_is_written(cartoon: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats"
    result = success(run(cartoon, "--out", out, "--workers", 2))
    assert max(map(len, result.stdout.splitlines())) <= 80
    document = json.loads((out / FIGURES).read_text(encoding="utf-8"))
    assert [group["name"] for group in document["groups"]] == ["cartoon/train", "cartoon/test"]
    faces = list(csv.DictReader((out / FACES).read_text(encoding="utf-8").splitlines()))
    assert len(faces) == document["together"]["faces"] > 0
    known = load_dataset(cartoon)
    first = next(frame for frame in known if len(frame.boxes))
    assert [float(faces[0][edge]) for edge in ("x1", "y1", "x2", "y2")] == first.boxes[0].tolist()
    frames = list(csv.DictReader((out / FRAMES).read_text(encoding="utf-8").splitlines()))
    assert sum(int(frame["faces"]) for frame in frames) == len(faces)
    with Image.open(out / PICTURE) as picture:
        assert picture.format == "PNG"
    assert (out / PICTURE).with_suffix(".svg").exists()
    before = {
        path.name: path.read_bytes() for path in out.iterdir() if path.name != "manifest.json"
    }
    assert_refused(run(cartoon, "--out", out))
    success(run(cartoon, "--out", out, "--workers", 1, "--force"))
    for name, data in before.items():
        assert (out / name).read_bytes() == data, name


def test_nothing_is_written_among_the_frames(tmp_path: Path) -> None:
    folder = by_hand(tmp_path / "show", "a.png 1 1 41 41\n")
    files = sorted(folder.rglob("*"))
    assert "lies among the frames" in complaint(run(folder, "--out", folder / "stats"))
    assert sorted(folder.rglob("*")) == files


def test_annotations_elsewhere_and_frames_without_faces(tmp_path: Path) -> None:
    folder = by_hand(tmp_path / "show", "")
    lines = tmp_path / "lines.txt"
    lines.write_text("b.png 1 1 41 41 Lisa\n", encoding="utf-8")
    (folder / "faces.txt").unlink()
    result = stats(StatsRequest(images=folder, annotations=lines, workers=1))
    assert result.together.faces_per_frame == {0: 2, 1: 1}
    assert result.together.labels == {"Lisa": 1}
    assert "no face" not in complaint(run(tmp_path / "nowhere"))
