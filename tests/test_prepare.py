from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from commands import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import cannot_draw, left_in, success
from reference_sampling import cut_one

from facetl.boxes import coverage, shift
from facetl.cli import main
from facetl.commands.prepare import PrepareRequest, prepare
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.formats.course import save_annotations
from facetl.data.images import load_image, save_image
from facetl.errors import InputError, OutputError, UsageError
from facetl.manifests.manifest import load_manifest
from facetl.mtcnn.stages import STAGES
from facetl.mtcnn.weights import Weights, load_pretrained_stage, save_weights
from facetl.training import patch_sheet, preparation
from facetl.training.patches import load_patches
from facetl.training.preparation import (
    FrameCut,
    Preparation,
    Unreadable,
    _group_frames,
    prepare_patches,
)
from facetl.training.recipe import Bands, Recipe
from facetl.training.sampling import Label, draw_pool, faces_without_positive
from facetl.training.stages import STAGE_FACTS

DEXTER = Path(__file__).resolve().parents[2] / "shared/data/dexter"
FACES = {
    "a.png": [[20.0, 10.0, 60.0, 50.0]],
    "b.png": [[30.0, 20.0, 70.0, 40.0], [80.0, 30.0, 120.0, 75.0]],  # the first twice as wide
    "d.png": [[0.0, 0.0, 30.0, 40.0]],
}


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Four frames of noise, 140 by 100, with four faces; ``c.png`` has none."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "frames"
    for name in ("a.png", "b.png", "c.png", "d.png"):
        save_image(folder / name, rng.integers(0, 256, (100, 140, 3)).astype(np.uint8))
    faces = {name: (np.array(rows), ["someone"] * len(rows)) for name, rows in FACES.items()}
    save_annotations(folder / "faces.txt", faces)
    return folder


@pytest.fixture
def dataset(frames: Path) -> FaceDataset:
    return load_dataset(frames)


def bytes_of(path: Path, dataset: FaceDataset, **settings: Any) -> bytes:
    prepare_patches(dataset, path, **settings)
    return path.read_bytes()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["prepare", *map(str, arguments)])


def test_a_sheet_that_cannot_be_drawn_costs_no_patches(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch_sheet, "draw_patches", cannot_draw)
    result = success(run(frames, "--out", tmp_path / "out"))
    assert (tmp_path / "out" / "pnet.patches").exists()
    assert "pictures that cannot be drawn, left out: 1 (" in result.stderr
    assert "pnet_patches.png" not in result.stdout


@pytest.mark.parametrize("padding", [True, False])
def test_pixels_are_torchs_pooling_of_what_the_window_shows(
    tmp_path: Path, dataset: FaceDataset, padding: bool
) -> None:
    path = tmp_path / "pnet.patches"
    prepare_patches(dataset, path, Recipe(padding=padding))
    patches = load_patches(path)
    images = [load_image(frame.path) for frame in dataset]
    for place, window in enumerate(patches.windows.tolist()):
        expected = cut_one(images[patches.frame_index[place]], window, 12, padding=padding)
        np.testing.assert_array_equal(patches.pixels[place], expected)


def test_targets_lead_to_the_true_boxes(tmp_path: Path, dataset: FaceDataset) -> None:
    path = tmp_path / "pnet.patches"
    prepare_patches(dataset, path)
    patches = load_patches(path)
    for place in np.flatnonzero(patches.labels != Label.NEGATIVE):
        reached = shift(patches.windows[[place]], patches.offsets[[place]])
        faces = dataset.frames[patches.frame_index[place]].boxes
        assert (np.abs(faces - reached).max(axis=1) < 1e-3).any()


def test_counts_are_those_of_the_file(tmp_path: Path, dataset: FaceDataset) -> None:
    path = tmp_path / "pnet.patches"
    found = prepare_patches(dataset, path, recipe=Recipe(positives=5, parts=2, negatives=3))
    patches = load_patches(path)
    assert (found.frames, found.faces) == (4, 4)
    assert found.counts == patches.counts
    # Four faces and four frames; every face is large enough to give all it is asked for.
    assert found.counts == {Label.POSITIVE: 20, Label.PART: 8, Label.NEGATIVE: 12}
    # b.png's first face is twice as wide as high: no square reaches 0.65 with its box.
    assert found.without_positive == {"square": 0, "box": 1}


def test_the_file_tells_where_it_comes_from(tmp_path: Path, dataset: FaceDataset) -> None:
    path = tmp_path / "pnet.patches"
    prepare_patches(dataset, path, recipe=Recipe(match="box"), seed=7)
    told = load_patches(path).metadata
    assert told["frames"] == ["a.png", "b.png", "c.png", "d.png"]
    assert told["recipe"]["match"] == "box"
    assert told["recipe"]["bands"] == {"negative": 0.3, "part": 0.4, "positive": 0.65}
    assert (told["seed"], told["faces"], told["unreadable"]) == (7, 4, [])
    assert set(told["counts"]) == {"positive", "part", "negative"}


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(tmp_path: Path, dataset: FaceDataset, workers: int) -> None:
    many = FaceDataset(dataset.frames * 12)  # more than wait for their turn at a time
    alone = bytes_of(tmp_path / "alone", many, workers=1)
    assert bytes_of(tmp_path / "together", many, workers=workers) == alone


def test_torch_keeps_its_threads(tmp_path: Path, dataset: FaceDataset) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        prepare_patches(dataset, tmp_path / "pnet.patches")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_failure_among_many_frames_ends_it(
    tmp_path: Path, dataset: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(preparation, "cut_windows", fail)
    with pytest.raises(MemoryError):
        prepare_patches(FaceDataset(dataset.frames * 12), tmp_path / "pnet.patches", workers=2)
    assert list(tmp_path.glob("*.patches")) == []


def test_same_seed_same_bytes_and_another_seed_others(tmp_path: Path, dataset: FaceDataset) -> None:
    first = bytes_of(tmp_path / "1", dataset, seed=1)
    assert bytes_of(tmp_path / "2", dataset, seed=1) == first
    assert bytes_of(tmp_path / "3", dataset, seed=2) != first


def test_a_frames_patches_do_not_depend_on_the_other_frames(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    prepare_patches(dataset, tmp_path / "all")
    prepare_patches(FaceDataset(dataset.frames[1:2]), tmp_path / "one")
    together, alone = load_patches(tmp_path / "all"), load_patches(tmp_path / "one")
    own = together.frame_index == 1
    np.testing.assert_array_equal(together.pixels[own], alone.pixels)
    np.testing.assert_array_equal(together.offsets[own], alone.offsets)


def test_unreadable_frames_are_left_out_and_counted(tmp_path: Path, dataset: FaceDataset) -> None:
    dataset.frames[1].path.write_bytes(b"no image")
    found = prepare_patches(dataset, tmp_path / "pnet.patches")
    assert (found.frames, found.faces) == (3, 2)
    assert [frame.name for frame in found.unreadable] == ["b.png"]
    patches = load_patches(tmp_path / "pnet.patches")
    assert set(patches.frame_index.tolist()) == {0, 2, 3}
    assert patches.metadata["unreadable"] == ["b.png"]


def test_the_file_tells_which_frames_are_near_duplicates(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    shown = load_image(dataset.frames[0].path)
    save_image(dataset.frames[3].path, np.minimum(shown, 254) + np.uint8(1))  # a, a little brighter
    prepare_patches(dataset, tmp_path / "pnet.patches")
    assert load_patches(tmp_path / "pnet.patches").metadata["groups"] == [0, 1, 2, 0]


def test_a_frame_that_cannot_be_read_is_alone_in_its_group(
    tmp_path: Path, dataset: FaceDataset
) -> None:
    for twin in (dataset.frames[2], dataset.frames[3]):
        save_image(twin.path, load_image(dataset.frames[0].path))
    dataset.frames[1].path.write_bytes(b"no image")
    prepare_patches(dataset, tmp_path / "pnet.patches")
    assert load_patches(tmp_path / "pnet.patches").metadata["groups"] == [0, 1, 0, 0]


@given(unread=st.sets(st.integers(0, 7)), twins=st.sets(st.integers(0, 7)))
@settings(max_examples=50)
def test_groups_of_frames_are_twins_or_single(unread: set[int], twins: set[int]) -> None:
    greys = {place: 1 if place in twins else 20 * (place + 1) for place in range(8)}
    thumbnails = {
        place: np.full(432, grey, dtype=np.float32)
        for place, grey in greys.items()
        if place not in unread
    }
    frames = [
        FrameCut(place, 0, {}, {}, thumbnails[place])
        if place in thumbnails
        else Unreadable(place, f"{place}.png", "no image")
        for place in range(8)
    ]
    groups = _group_frames(frames)
    seen = twins - unread
    assert len({groups[place] for place in seen}) == min(len(seen), 1)
    assert sorted(set(groups)) == list(range(8 - max(len(seen) - 1, 0)))


def test_nothing_to_learn_from_is_an_error(tmp_path: Path, dataset: FaceDataset) -> None:
    path = tmp_path / "out" / "pnet.patches"
    with pytest.raises(InputError, match="found no face in 1 frames"):
        prepare_patches(FaceDataset(dataset.frames[2:3]), path)
    for frame in dataset:
        frame.path.write_bytes(b"no image")
    with pytest.raises(InputError, match="none of the frames can be read; the first: "):
        prepare_patches(dataset, path)
    assert not path.exists()


def test_an_empty_preparation_counts_nothing() -> None:
    assert Preparation.of([]).to_json() == {
        "faces": 0,
        "counts": {"positive": 0, "part": 0, "negative": 0},
        "without_positive": {"square": 0, "box": 0},
        "unreadable": [],
        "suspects": [],
    }


def test_the_command_writes_patches_and_picture_and_says_what_is_next(
    tmp_path: Path, frames: Path
) -> None:
    out = tmp_path / "my patches"
    result = run(frames, "--out", out)
    assert result.exit_code == 0, result.output
    assert left_in(out) == ["pnet.patches", "pnet_patches.png"]
    assert "without any positive under --match square: 0 faces (0.0%)" in result.stdout
    assert f"next: facetl train-pnet '{out}' --out pnet.safetensors" in result.stderr
    assert load_image(out / "pnet_patches.png").shape[2] == 3


def test_the_table_has_the_counts(tmp_path: Path, frames: Path) -> None:
    result = run(
        *("--images", frames, "--annotations", frames / "faces.txt", "--out", tmp_path / "out"),
        *("--positives", 5, "--parts", 0, "--negatives", 10, "--match", "box"),
    )
    assert result.exit_code == 0, result.output
    rows = [line.rsplit(maxsplit=1) for line in result.stdout.splitlines()]
    assert rows[:6] == [
        ["frames", "4"],
        ["faces", "4"],
        ["positive patches", "15"],  # of three faces of four, see above
        ["part patches", "0"],
        ["negative patches", "40"],
        ["patches", "55"],
    ]
    assert "under --match box: 1 face (25.0%); under --match square it would be 0" in result.stdout


def test_the_command_counts_what_it_leaves_out(tmp_path: Path, frames: Path) -> None:
    whole = (frames / "b.png").read_bytes()
    (frames / "b.png").write_bytes(whole[: len(whole) // 2])  # its head is good, its pixels not
    with (frames / "faces.txt").open("a") as file:
        file.write("a.png 1 2 3\n")
    result = run(frames, "--out", tmp_path / "out", "--on-error", "skip")
    assert result.exit_code == 0, result.output
    assert "1 wrong field count; the first is " in result.stderr
    assert f"skipped {frames / 'b.png'}" in result.stderr
    assert ["unreadable", "frames", "1"] in [line.split() for line in result.stdout.splitlines()]


def test_nothing_is_overwritten_unasked(tmp_path: Path, frames: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "rnet.patches").write_text("another stage's, in nobody's way")
    assert run(frames, "--out", out).exit_code == 0
    first = (out / "pnet.patches").read_bytes()
    refused = run(frames, "--out", out, "--seed", 2)
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert (out / "pnet.patches").read_bytes() == first
    assert run(frames, "--out", out, "--seed", 2, "--force").exit_code == 0
    assert (out / "pnet.patches").read_bytes() != first


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--negative-below", "0.5"], 1, "choose 0 < negative <= part <= positive <= 1"),
        (["--positives", "0"], 2, "--positives"),
        (["--match", "circle"], 2, "--match"),
        (["--annotations", "nowhere.txt"], 1, "nowhere.txt"),
    ],
)
def test_wrong_settings_are_one_line(
    tmp_path: Path, frames: Path, arguments: list[str], code: int, message: str
) -> None:
    result = run(frames, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == code
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_frames_must_come_from_somewhere(tmp_path: Path) -> None:
    result = run("--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "found neither DATA nor --images" in result.stderr


def test_frames_without_any_face_are_one_line(tmp_path: Path, frames: Path) -> None:
    (frames / "faces.txt").write_text("")
    result = run(frames, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"warning: {frames / 'faces.txt'}: found no face in 4 frames; check that everything was "
        "exported",
        "facetl: found no face in 4 frames, so there is nothing to learn from; "
        "check the annotations",
    ]


@pytest.mark.skipif(not DEXTER.is_dir(), reason="the real frames cannot ship")
def test_no_real_face_is_lost_under_square_and_a_ninth_under_box() -> None:
    lost = {"square": 0, "box": 0}
    out_of_reach = 0
    for index, frame in enumerate(load_dataset(DEXTER)):
        chance = np.random.default_rng(index)
        around = draw_pool(frame.boxes, frame.size_hw, Recipe(), chance).around
        lost["square"] += faces_without_positive(around, frame.boxes, Bands(), "square")
        lost["box"] += faces_without_positive(around, frame.boxes, Bands(), "box")
        edges = frame.boxes[:, 2:] - frame.boxes[:, :2]
        aspects = edges.max(axis=1) / edges.min(axis=1)
        out_of_reach += int((1 / (2 * np.sqrt(aspects) - 1) < 0.65).sum())
    assert lost["square"] == 0
    assert out_of_reach == 580  # of 5,218: 11.1 %
    assert out_of_reach <= lost["box"] <= out_of_reach + 10  # and a few that chance missed


def test_few_frames_give_more_each_and_the_command_says_so(tmp_path: Path, frames: Path) -> None:
    result = run(frames, "--out", tmp_path / "out", "--at-least", 400)
    assert "few frames: cutting 3 times as many patches from each" in result.stderr
    # 4 faces with 18 and 4 frames with 18 windows each are 144: three times that is enough
    recipe = load_patches(tmp_path / "out").metadata["recipe"]
    assert (recipe["positives"], recipe["parts"], recipe["negatives"]) == (36, 18, 54)


def test_counts_chosen_by_hand_are_kept(tmp_path: Path, frames: Path) -> None:
    result = run(frames, "--out", tmp_path / "out", "--positives", 2)
    assert "few frames" not in result.stderr
    recipe = load_patches(tmp_path / "out").metadata["recipe"]
    assert (recipe["positives"], recipe["parts"], recipe["negatives"]) == (2, 6, 18)


# ---- the later stages


@pytest.fixture(scope="module")
def pnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "pnet.safetensors"
    save_weights(path, Weights({"pnet": load_pretrained_stage("pnet")}))
    return path


@pytest.mark.parametrize(("stage", "size"), [("rnet", 24), ("onet", 48)])
def test_later_stages_learn_from_what_the_earlier_ones_propose(
    tmp_path: Path, frames: Path, pnet: Path, stage: str, size: int
) -> None:
    out = tmp_path / "out"
    result = run(frames, "--stage", stage, "--weights", pnet, "--out", out, "--at-least", 0)
    assert result.exit_code == 0, result.output
    assert left_in(out) == [f"{stage}.patches", f"{stage}_patches.png"]
    patches = load_patches(out, stage)
    assert patches.size == size
    assert (patches.metadata["stage"], patches.metadata["mined"]["judged"]) == (stage, False)
    assert patches.metadata["recipe"] == json.loads(json.dumps(STAGE_FACTS[stage].recipe.to_json()))  # type: ignore[index]
    assert (patches.windows != np.rint(patches.windows)).any(), "there are proposals among them"
    missing = f"{pnet} holds no rnet; the pretrained one proposes" in result.stderr
    assert missing == (stage == "onet")
    assert f"next: facetl train-{stage} {out} --join {pnet} --out {stage}.safetensors" in (
        result.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stage", "rnet"], "--stage rnet needs --weights"),
        (["--weights", "pnet.safetensors"], "--stage pnet mines nothing"),
    ],
)
def test_weights_are_for_the_later_stages(
    tmp_path: Path, frames: Path, arguments: list[str], message: str
) -> None:
    result = run(frames, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_there_are_one_line(tmp_path: Path, frames: Path) -> None:
    nowhere = ("--weights", "nowhere.safetensors")
    result = run(frames, "--out", tmp_path / "out", "--stage", "rnet", *nowhere)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "nowhere.safetensors: no such weights file" in result.stderr
    assert not (tmp_path / "out").exists()


def test_weights_that_come_with_facetl_propose_too(tmp_path: Path, frames: Path) -> None:
    out = tmp_path / "out"
    result = run(frames, "--stage", "rnet", "--weights", "cartoon", "--out", out, "--at-least", 0)
    assert result.exit_code == 0, result.output
    assert "the pretrained one proposes" not in result.stderr
    assert "cartoon" in load_manifest(out).steps[0].inputs


def test_workers_change_nothing_in_mining(tmp_path: Path, frames: Path, pnet: Path) -> None:
    several = []
    for workers in (1, 3):
        out = tmp_path / str(workers)
        mined = ("--stage", "rnet", "--weights", pnet, "--workers", workers)
        assert run(frames, "--out", out, *mined).exit_code == 0
        several.append((out / "rnet.patches").read_bytes())
    assert several[0] == several[1]


def test_the_options_say_what_the_recipes_say() -> None:
    given = parse("prepare", "data", "--out", "out").params
    counts = ("positives", "parts", "negatives")
    assert [given[name] for name in counts] == [None] * 3, "the stage's own recipe"
    bands = Bands(given["negative_below"], given["part_from"], given["positive_from"])
    for recipe in (facts.recipe for facts in STAGE_FACTS.values()):
        told = (bands, given["match"], given["padding"])
        assert told == (recipe.bands, recipe.match, recipe.padding)


def test_the_function_has_the_defaults_of_the_options() -> None:
    given = parse("prepare", "data", "--out", "out").params
    assert PrepareRequest(out=Path("out"), data=(Path("data"),)) == PrepareRequest(**given)


def test_python_can_call_it_without_a_word(
    tmp_path: Path, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = PrepareRequest(out=tmp_path / "out", data=(frames,), positives=2)
    result = prepare(request)
    assert (result.path, result.sheet) == (request.path, request.sheet)
    assert result.preparation
    assert result.preparation.counts[Label.POSITIVE] == 8
    assert sorted(tmp_path.glob("out/*")) == [request.path, request.sheet]
    with pytest.raises(OutputError, match="exists already"):
        prepare(request)
    with pytest.raises(UsageError, match="found neither DATA nor --images"):
        prepare(replace(request, data=(), force=True))
    request.sheet.unlink()
    assert prepare(replace(request, resume=True)) == replace(result, preparation=None)
    assert capsys.readouterr() == ("", "")


def test_the_help_names_the_counts_of_the_recipes() -> None:
    shown = {each.name: each.show_default for each in main.commands["prepare"].params
             if isinstance(each, click.Option)}  # fmt: skip
    for name in ("positives", "parts", "negatives"):
        counts = ", ".join(str(getattr(STAGE_FACTS[stage].recipe, name)) for stage in STAGES)
        assert shown[name] == f"by stage: {counts}"
    assert (
        shown["at_least"]
        == f"by stage: {', '.join(str(each.least_patches) for each in STAGE_FACTS.values())}"
    )


def test_nothing_is_learnt_from_what_is_to_be_ignored(tmp_path: Path, dataset: FaceDataset) -> None:
    crowd = np.array([[60.0, 0.0, 140.0, 100.0]])
    ignoring = replace(
        dataset, frames=tuple(replace(frame, ignored=crowd) for frame in dataset.frames)
    )
    before = bytes_of(tmp_path / "before.patches", dataset)
    after = bytes_of(tmp_path / "after.patches", ignoring)
    assert before != after
    plain, told = (load_patches(tmp_path / f"{name}.patches") for name in ("before", "after"))
    for patches, some in ((plain, True), (told, False)):
        negatives = patches.windows[patches.labels == Label.NEGATIVE].astype(float)
        assert bool((coverage(negatives, crowd) >= 0.3).any()) == some
        assert len(negatives)
    for label in (Label.POSITIVE, Label.PART):  # those of b's second face lie in the crowd
        np.testing.assert_array_equal(
            told.windows[told.labels == label], plain.windows[plain.labels == label]
        )
