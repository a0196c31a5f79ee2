"""``facetl detect --crops``: the faces of a search, cut out and on contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from outcomes import success

from facetl.cli import main
from facetl.data import crops as cropping
from facetl.data.images import load_image, save_image
from facetl.reporting import Reporter
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.store import load_run
from facetl.search import crops as cutting
from facetl.search.crops import CropCutter, Cropping, _Crop, _save_sheets, find_twins
from facetl.search.pipeline import NamedImage, Searched

PLAIN = Cropping(margin=0.0, align=False)


def detect(*arguments: object) -> Result:
    usual = ("--device", "cpu", "--weights", "pretrained")
    return CliRunner().invoke(main, ["detect", *usual, *map(str, arguments)])


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.fixture
def frames(tmp_path: Path, portrait: Path) -> Path:
    """A folder with the portrait and, in a folder below, a blank picture."""
    folder = tmp_path / "frames"
    (folder / "extra").mkdir(parents=True)
    (folder / "face.jpg").write_bytes(portrait.read_bytes())
    save_image(folder / "extra" / "blank.png", np.zeros((60, 50, 3), np.uint8))
    return folder


@pytest.fixture
def noise(tmp_path: Path) -> list[NamedImage]:
    """Three pictures of noise, two of them with the same stem."""
    images = [NamedImage(name, tmp_path / "noise" / name) for name in ("a.png", "a.jpg", "b/c.png")]
    for seed, image in enumerate(images):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), np.uint8)
        save_image(image.path, pixels)
    return images


def run_of(images: list[NamedImage], *boxes: list[list[float]], name: str = "tuned") -> Run:
    """A run that found these boxes in each image, with scores from 0.9 down."""
    found = [
        Detections.from_lists(
            each,
            [0.9 - 0.1 * place for place in range(len(each))],
            [[[0, 0], [9, 0], [5, 5], [2, 9], [8, 9]]] * len(each),
        )
        for each in boxes
    ]
    results = (
        FrameResult(image.name, (40, 50), detections, {}, 0.0)
        for image, detections in zip(images, found, strict=True)
    )
    return Run(name, {}, tuple(results))


class Said(Reporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def cut(folder: Path, images: list[NamedImage], run: Run, cropping: Cropping) -> list[str]:
    """Cut the faces out; return what is said."""
    said = Said()
    cutter = CropCutter(folder, [run.name], cropping, said, find_twins(images))
    for image, frame in zip(images, run.frames, strict=True):
        cutter.take(Searched(image, {run.name: frame}))
    cutter.finish()
    return said.notes


def test_faces_are_cut_out_and_on_a_sheet(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    result = success(detect(frames, "--out", out, "--crops", "--margin", "0"))
    (face,) = load_run(out / "pretrained.detections.json").frames[1].detections.boxes
    name = "face_1_1.000.png"
    assert written(out / "crops") == ["pretrained/contact_sheet.jpg", f"pretrained/{name}"]
    x1, y1 = np.floor(face[:2]).astype(int)
    x2, y2 = np.ceil(face[2:]).astype(int)
    crop = load_image(out / "crops" / "pretrained" / name)
    assert np.array_equal(crop, load_image(frames / "face.jpg")[y1:y2, x1:x2])
    assert f"wrote {out} and {out / 'crops'}" in result.stdout


def test_a_margin_makes_crops_larger_and_eyes_can_be_level(frames: Path, tmp_path: Path) -> None:
    sizes = []
    for number, options in enumerate([["--margin", "0"], [], ["--align"]]):
        out = tmp_path / str(number)
        success(detect(frames / "face.jpg", "--out", out, "--crops", *options))
        sizes.append(load_image(out / "crops" / "pretrained" / "face_1_1.000.png").shape)
    assert sizes[1] > sizes[0]
    assert sizes[1][0] == pytest.approx(1.4 * sizes[0][0], abs=2)
    assert sizes[2] == sizes[1]
    plain, turned = (
        load_image(tmp_path / name / "crops" / "pretrained" / "face_1_1.000.png") for name in "12"
    )
    assert not np.array_equal(plain, turned)


def test_each_set_of_weights_has_its_own(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    success(detect(frames, "--weights", "cartoon", "--out", out, "--crops", "--overlays"))
    folders = {path.name for path in (out / "crops").iterdir()}
    assert folders == {"pretrained", "cartoon"}
    assert (out / "overlays" / "face.jpg").exists()


def test_where_nothing_is_found_nothing_is_written(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    success(detect(frames / "extra", "--out", out, "--crops"))
    assert not (out / "crops").exists()


@pytest.mark.parametrize("option", [["--margin", "0.2"], ["--align"]])
def test_how_without_that_is_wrong_usage(frames: Path, tmp_path: Path, option: list[str]) -> None:
    result = detect(frames, "--out", tmp_path / "results", *option)
    assert result.exit_code == 2
    assert "add --crops" in result.stderr


@pytest.mark.parametrize("margin", ["-0.1", "nan", "2"])
def test_margins_that_are_none(frames: Path, tmp_path: Path, margin: str) -> None:
    result = detect(frames, "--out", tmp_path / "results", "--crops", "--margin", margin)
    assert result.exit_code == 2


def test_what_an_earlier_search_left_makes_way(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    crops = out / "crops" / "pretrained"
    success(detect(frames, "--out", out, "--crops"))
    (crops / "extra").mkdir()
    for name in ("extra/old_12_0.500.png", "contact_sheet_3.jpg", "mine.png", "notes_1_0.500.txt"):
        (crops / name).write_text("old")
    result = success(detect(frames, "--out", out, "--crops", "--force"))
    assert "removed 4 pictures" in result.stderr
    kept = ["contact_sheet.jpg", "face_1_1.000.png", "mine.png", "notes_1_0.500.txt"]
    assert written(crops) == kept


def test_names_tell_image_place_and_score(noise: list[NamedImage], tmp_path: Path) -> None:
    face = [5.0, 5.0, 20.0, 20.0]
    run = run_of(noise, [face, face], [face], [face])
    cut(tmp_path / "crops", noise, run, PLAIN)
    # Two images called a: there the suffix makes the difference.
    expected = ["a.jpg_1_0.900.png", "a.png_1_0.900.png", "a.png_2_0.800.png", "b/c_1_0.900.png"]
    assert written(tmp_path / "crops" / "tuned") == [*expected, "contact_sheet.jpg"]


def test_boxes_that_leave_the_image(noise: list[NamedImage], tmp_path: Path) -> None:
    boxes = [[-10.0, -5.0, 12.5, 9.0], [400.0, 0.0, 420.0, 20.0], [7.2, 7.2, 7.2, 7.2],
             [45.0, 35.0, 70.0, 70.0]]  # fmt: skip
    run = run_of(noise, boxes, [], [])
    said = cut(tmp_path / "plain", noise, run, PLAIN)
    folder = tmp_path / "plain" / "tuned"
    names = ["a.png_1_0.900.png", "a.png_3_0.700.png", "a.png_4_0.600.png"]
    assert written(folder) == [*names, "contact_sheet.jpg"]
    sizes = [load_image(folder / name).shape[:2] for name in names]
    assert sizes == [(9, 13), (1, 1), (5, 5)]
    assert said == ["faces outside their images, left out: 1"]
    cut(tmp_path / "turned", noise, run, Cropping(0.0, align=True))
    turned = load_image(tmp_path / "turned" / "tuned" / names[0])
    assert turned.shape[:2] == (14, 23)
    assert (turned[:5] == 0).all()  # black beyond the border


def test_sheets_go_from_the_best_to_the_worst_over_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cropping, "COLUMNS", 2)
    monkeypatch.setattr(cutting, "COLUMNS", 2)
    monkeypatch.setattr(cutting, "ROWS", 1)
    crops = []
    for number, score in enumerate([0.2, 0.9, 0.5]):
        crops.append(_Crop(tmp_path / f"{number}.png", score))
        save_image(crops[-1].path, np.full((8, 8, 3), round(100 * score), np.uint8))
    _save_sheets(tmp_path / "sheets", crops)
    assert written(tmp_path / "sheets") == ["contact_sheet.jpg", "contact_sheet_2.jpg"]
    first, second = (
        load_image(tmp_path / "sheets" / name) for name in written(tmp_path / "sheets")
    )
    shown = [first[50, 50, 0], first[50, 50 + cropping.CELL, 0], second[50, 50, 0]]
    assert np.allclose(np.array(shown, int), [90, 50, 20], atol=3)


def test_names_of_crops_are_known_again() -> None:
    for name in ("a_1_0.900.png", "a.b_12_1.000.png", "contact_sheet.jpg", "contact_sheet_2.jpg"):
        assert cutting._WRITTEN.fullmatch(name)
    for name in ("a.png", "a_1_0.9.png", "my_contact_sheet.jpg", "a_1_0.900.png.txt"):
        assert not cutting._WRITTEN.fullmatch(name)
