import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from outcomes import contents

from facetl.cartoons import RULE, STYLES, draw_frame
from facetl.cartoons.cast import CAST
from facetl.cli import main
from facetl.commands.cartoons import CartoonsRequest, cartoons
from facetl.data.dataset import load_dataset
from facetl.data.formats.course import load_annotations
from facetl.data.images import load_image
from facetl.errors import OutputError
from facetl.manifests.manifest import load_manifest


def files_of(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cartoons") / "toons"
    cartoons(CartoonsRequest(out, train=7, test=3, seed=2, workers=1))
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
    cartoons(CartoonsRequest(tmp_path / "toons", train=7, test=3, seed=2, workers=2))
    assert files_of(tmp_path / "toons") == files_of(drawn)


def test_command_reports_refuses_and_replaces(tmp_path: Path) -> None:
    out = tmp_path / "my toons"
    first = CliRunner().invoke(
        main, ["cartoons", str(out), "--train", "6", "--test", "2", "--workers", "1"]
    )
    assert first.exit_code == 0, first.output
    assert re.match(r"train: 6 frames, \d+ faces\ntest: 2 frames, \d+ faces\n", first.stdout)
    assert f"Rule: {RULE}" in first.stdout
    assert first.stderr.splitlines()[-1] == f"next: facetl train '{out}' --out cascade.safetensors"

    before = files_of(out)
    with pytest.raises(OutputError, match="exists already"):
        cartoons(CartoonsRequest(out, train=1, test=1, seed=1, workers=1))
    assert files_of(out) == before

    (out / "mine.txt").write_text("kept")
    cartoons(CartoonsRequest(out, train=1, test=1, seed=1, force=True, workers=1))
    assert len(files_of(out)) == 2 + 3 + 1 + 1 + 1  # no frame of the first drawing is left
    assert (out / "mine.txt").read_text() == "kept"


def test_only_drawn_cartoons_are_replaced(tmp_path: Path) -> None:
    treasure = tmp_path / "antrenare/dad_annotations.txt"
    treasure.parent.mkdir()
    treasure.write_text("0001.jpg 1 2 3 4 dad\n")
    with pytest.raises(OutputError, match="holds something that is no drawn cartoon"):
        cartoons(CartoonsRequest(tmp_path, train=1, test=1, seed=1, force=True, workers=1))
    with pytest.raises(OutputError, match="is a file; choose another folder"):
        cartoons(CartoonsRequest(treasure, train=1, test=1, seed=1, force=True, workers=1))
    with pytest.raises(OutputError, match="cannot be written"):
        cartoons(CartoonsRequest(treasure / "below", train=1, test=1, seed=1, workers=1))
    assert list(files_of(tmp_path)) == ["antrenare/dad_annotations.txt"]


def test_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facetl.cartoons.draw_frame", fail)
    with pytest.raises(KeyboardInterrupt):
        cartoons(CartoonsRequest(tmp_path / "out", train=1, test=1, seed=1, workers=1))
    assert list(tmp_path.iterdir()) == []


def test_styles_are_drawn_and_named_in_the_notice(tmp_path: Path) -> None:
    out = tmp_path / "toons"
    command = ["cartoons", str(out), "--train", "1", "--test", "1", "--workers", "1"]
    drawn = CliRunner().invoke(main, [*command, "--style", "mixture"])
    assert drawn.exit_code == 0, drawn.output
    notice = (out / "README.md").read_text()
    assert "drawn in the style `mixture` with `facetl cartoons toons " in notice
    assert "--seed 1 --style mixture`" in notice
    assert load_manifest(out).steps[-1].settings["style"] == "mixture"
    (read,) = load_dataset(out, part="train").frames
    assert np.array_equal(read.boxes, draw_frame(1, "train", 0, "mixture").boxes)
    before = contents(out)
    refused = CliRunner().invoke(main, [*command, "--style", "dull", "--force"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    (line,) = (line for line in refused.stderr.splitlines() if line.startswith("Error: "))
    named = line.removeprefix("Error: no style 'dull'; choose one of ").split(", ")
    assert sorted(named) == sorted(("any", *STYLES))
    assert contents(out) == before


@pytest.mark.parametrize(
    ("given", "told"),
    [([], "in the style `house`"), (["--style", "any"], "in a random style each")],
)
def test_the_notice_says_the_style_in_words(given: list[str], told: str, tmp_path: Path) -> None:
    out = tmp_path / "toons"
    command = ["cartoons", str(out), "--train", "1", "--test", "1", "--workers", "1", *given]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert f"They were drawn {told} with `facetl cartoons " in (out / "README.md").read_text()
