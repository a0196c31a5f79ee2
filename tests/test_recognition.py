"""Characters: learnt from labels, named in searches, measured, exported."""

from __future__ import annotations

import json
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from engines import needs_kernels
from outcomes import success
from tiny_world import save_frames
from torch import nn

from facetl import Detector, Recogniser
from facetl.cli import main
from facetl.data.characters import UNKNOWN, Characters, folded
from facetl.data.dataset import load_dataset
from facetl.data.discovery import recognise
from facetl.data.formats.course import load_annotations, save_annotations
from facetl.data.images import load_image
from facetl.errors import InputError, WeightsError
from facetl.evaluation.matching import TrueBoxes
from facetl.evaluation.naming import NamedRanking, measure_names
from facetl.mtcnn.engines import why_not
from facetl.mtcnn.networks import normalise
from facetl.mtcnn.resampling import cut_windows
from facetl.mtcnn.weights import built_in_files
from facetl.recognition.backbones import BACKBONES, build_backbone, load_network
from facetl.recognition.crops import MARGIN, FaceCrops, cut_faces, room_around
from facetl.recognition.learning import NamingObjective
from facetl.recognition.names_file import load_names
from facetl.recognition.settings import SIZES, NamingSettings
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.exports import save_exports
from facetl.results.json_file import save_run
from facetl.results.peers import load_peer
from facetl.results.store import load_run
from facetl.run_onnx import squares_around
from facetl.training.checkpoint import Checkpoint
from facetl.training.epochs import run_epochs
from facetl.training.settings import Augmentation
from facetl.training.transfer import Transfer

LOCAL = ("onet", "resnet18", "mobilenet_v2")
"""Backbones that need nothing else to be installed."""


def facetl(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn frames with the names of the characters."""
    return save_frames(tmp_path_factory.mktemp("drawn") / "frames", 24)


@pytest.fixture(scope="module")
def names_file(frames: Path) -> Path:
    """A names file, learnt in a few steps."""
    path = frames.parent / "names.safetensors"
    success(facetl("train-names", frames, "--out", path, "--epochs", "60", "--batch-size", "16"))
    return path


def crops_of(frames: Path, size: int = 48) -> FaceCrops:
    dataset = load_dataset(frames)
    found = Characters.of(label for frame in dataset for label in frame.labels)
    return cut_faces(dataset, (*found.counts, UNKNOWN), size)


def quick(**changes: Any) -> NamingSettings:
    return replace(NamingSettings(), epochs=2, batch_size=16, **changes)


def learn(
    backbone: str, crops: FaceCrops, settings: NamingSettings, start: str = "scratch"
) -> tuple[NamingObjective, list[Checkpoint]]:
    network = build_backbone(backbone, len(crops.classes), settings.dropout, start, settings.seed)
    objective = NamingObjective(network, backbone, crops, settings)
    return objective, list(run_epochs(objective, settings))


def test_characters_are_one_in_all_spellings() -> None:
    labels = ["Fred", "fred", "Fred", " Fred ", "Wilma Flintstone", "wilma  flintstone", None]
    found = Characters.of([*labels, "Unknown", "unknown"])
    assert dict(found.counts) == {"Fred": 4, "Wilma Flintstone": 2}
    assert (found.unknown, found.unlabelled) == (2, 1)
    told = "'fred', ' Fred ' for 'Fred'; 'wilma  flintstone' for 'Wilma Flintstone'"
    assert found.describe_spellings() == told
    assert folded(" Wilma\tFLINTSTONE ") == folded("wilmaflintstone")


def test_windows_are_squares_around_the_boxes() -> None:
    windows = squares_around(np.array([[10, 20, 30, 60], [5.5, 5.5, 5.9, 5.6]]), 0.25)
    np.testing.assert_array_equal(windows[0], [-10, 10, 50, 70])
    assert (windows[1, 2:] > windows[1, :2]).all()
    assert squares_around(np.zeros((0, 4)), 0.25).shape == (0, 4)


def test_the_middle_of_a_crop_is_what_a_search_shows(frames: Path) -> None:
    frame = next(frame for frame in load_dataset(frames) if len(frame.boxes))
    label = frame.labels[0]
    assert label
    crop = cut_faces([frame], [label], 48).pixels[:1].astype(float)
    room = room_around(48)
    window = squares_around(frame.boxes[:1], MARGIN).astype(float)
    shown = cut_windows(load_image(frame.path), window, 48, padding=True)[0]
    middle = crop[0, room : room + 48, room : room + 48].transpose(2, 0, 1)
    # whole pixels of another grid: the same picture, not the same numbers
    assert np.abs(middle - shown.numpy()).mean() < 8


@pytest.mark.parametrize("backbone", LOCAL)
@pytest.mark.parametrize("strategy", ["head", "last-block", "full"])
def test_a_strategy_changes_its_part_of_every_backbone(
    backbone: str, strategy: Any, frames: Path
) -> None:
    crops = crops_of(frames, SIZES[backbone])
    settings = replace(quick(), epochs=1, transfer=Transfer(strategy=strategy, reset_head=True))
    start = build_backbone(backbone, len(crops.classes), 0.5, "scratch", settings.seed)
    before = {name: each.clone() for name, each in start.state_dict().items()}
    objective, (checkpoint,) = learn(backbone, crops, settings)
    layers = BACKBONES[backbone].layers
    for name, old in before.items():
        is_changed = not torch.equal(old, checkpoint.weights[name])
        if is_changed:
            assert layers.learns(name, strategy), name
    changed = [
        name
        for name, _ in objective.network.named_parameters()
        if not torch.equal(before[name], checkpoint.weights[name])
    ]
    assert any(layers.learns(name, "head") for name in changed)
    assert (strategy == "head") == all(layers.learns(name, "head") for name in changed)


@pytest.mark.parametrize("backbone", LOCAL)
@pytest.mark.parametrize("regulariser", ["l2", "l2-sp", "feature-map"])
def test_regularisers_and_rules_work_on_every_backbone(
    backbone: str, regulariser: str, frames: Path
) -> None:
    transfer = Transfer(reset_head=True, regulariser=regulariser, alpha=0.01, gradient_rule="dtnh")
    settings = replace(quick(), epochs=1, transfer=transfer)
    _, (checkpoint,) = learn(backbone, crops_of(frames, SIZES[backbone]), settings)
    assert checkpoint.records[0]["train"]["penalty"] >= 0
    assert 0 <= checkpoint.records[0]["angles"]["gradient_penalty"] <= 180


def test_l2_sp_holds_a_backbone_near_its_start(frames: Path) -> None:
    crops = crops_of(frames)

    def distance(alpha: float) -> float:
        transfer = Transfer(reset_head=True, regulariser="l2-sp", alpha=alpha)
        settings = replace(quick(), transfer=transfer)
        start = build_backbone("onet", len(crops.classes), 0.5, "cartoon", settings.seed)
        old = start.state_dict()["conv2.weight"].clone()
        _, checkpoints = learn("onet", crops, settings, "cartoon")
        return float((checkpoints[-1].weights["conv2.weight"] - old).norm())

    assert distance(10.0) < distance(1e-6) / 2


def test_a_training_that_is_resumed_ends_the_same(frames: Path) -> None:
    crops, settings = crops_of(frames), quick()
    _, (first, last) = learn("onet", crops, settings)
    network = build_backbone("onet", len(crops.classes), 0.5, "scratch", 99)
    objective = NamingObjective(network, "onet", crops, settings)
    (again,) = run_epochs(objective, settings, deepcopy(first))
    for name, tensor in last.weights.items():
        assert torch.equal(tensor, again.weights[name]), name


def test_what_is_learnt_is_better_than_chance(names_file: Path, frames: Path) -> None:
    weights = load_names(names_file)
    counts = weights.metadata["counts"]
    told = weights.metadata["measured"][0]
    assert set(weights.classes) <= {*counts}
    recogniser = Recogniser(weights)
    dataset = load_dataset(frames)
    right = faces = 0
    for frame in dataset:
        named = recogniser.name_boxes(load_image(frame.path), frame.boxes)
        assert ((named.scores >= 0) & (named.scores <= 1)).all()
        pairs = zip(named.names, frame.labels, strict=True)
        right += sum(folded(name) == folded(label or "") for name, label in pairs)
        faces += len(named.names)
    assert right / faces > 0.8 > max(counts.values()) / sum(counts.values())
    assert told["named"] + told["unknown"] > 0


@pytest.mark.parametrize("engine", ["native", "half", "onnx", "torch"])
def test_all_engines_name_as_torch_does(engine: str, names_file: Path, frames: Path) -> None:
    if lacking := why_not(engine, "cpu"):
        pytest.skip(lacking)
    weights = load_names(names_file)
    frame = next(frame for frame in load_dataset(frames) if len(frame.boxes) > 1)
    image, beyond = load_image(frame.path), np.array([[-20.0, -30.0, 25.0, 20.0]])
    boxes = np.concatenate([frame.boxes, beyond])
    found = Recogniser(weights, engine=engine).probabilities(image, boxes)
    pixels = cut_windows(image, squares_around(boxes, MARGIN).astype(float), 48, padding=True)
    with torch.no_grad():
        wanted = load_network(weights)(normalise(pixels)).softmax(dim=1).numpy()
    np.testing.assert_allclose(found, wanted, atol=0.05 if engine == "half" else 1e-5)


def test_a_network_of_torch_names_too(frames: Path) -> None:
    path = frames.parent / "resnet.safetensors"
    command = ("train-names", frames, "--out", path, "--backbone", "resnet18", "--epochs", "1")
    success(facetl(*command))
    recogniser = Recogniser.load(path)
    frame = next(frame for frame in load_dataset(frames) if len(frame.boxes))
    found = recogniser.probabilities(load_image(frame.path), frame.boxes)
    assert found.shape == (len(frame.boxes), len(recogniser.weights.classes))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    again = frames.parent / "again.safetensors"
    success(facetl(*command[:2], "--out", again, *command[4:], "--start", path))
    assert load_names(again).backbone == "resnet18"


def test_a_search_writes_names_and_exports_carry_them(
    names_file: Path, frames: Path, tmp_path: Path
) -> None:
    kinds = ("csv", "coco", "yolo", "npy", "cvat", "label-studio", "labelme")
    exports = [part for kind in kinds for part in ("--export", kind)]
    out = tmp_path / "found"
    success(facetl("detect", frames, "--names", names_file, "--out", out, "--score", "0", *exports))
    run = load_run(out / "cartoon.detections.json")
    assert run.settings["names"]["classes"] == list(load_names(names_file).classes)
    found = [face for frame in run.frames for face in frame.faces]
    assert found
    assert {face.name for face in found} <= {*load_names(names_file).classes, UNKNOWN}
    head, *rows = (out / "cartoon.csv").read_text().splitlines()
    assert head == "image,x1,y1,x2,y2,score,name,name_score"
    assert [row.split(",")[6] for row in rows] == [face.name for face in found]
    coco = json.loads((out / "cartoon.coco-images.json").read_text())
    ids = {each["name"]: each["id"] for each in coco["categories"]}
    results = json.loads((out / "cartoon.coco.json").read_text())
    assert [each["category_id"] for each in results] == [ids[face.name] for face in found]
    classes = (out / "cartoon.yolo" / "classes.txt").read_text().split()
    texts = sorted((out / "cartoon.yolo" / "labels").glob("*.txt"))
    numbers = [int(line.split()[0]) for text in texts for line in text.read_text().splitlines()]
    assert [classes[number] for number in numbers] == [face.name for face in found]
    for place in ("cartoon.cvat.json", "cartoon.label-studio.json"):
        assert labels_in(out / place) == sorted(str(face.name) for face in found)


def labels_in(path: Path) -> list[str]:
    """Return the labels of a data set that an export makes, in the order of the alphabet."""
    file = recognise(path).load(path)
    return sorted(str(line.label) for line in file.lines)


def named_run(
    names: tuple[str, ...],
    boxes: list[list[float]],
    scores: list[float],
    likeliest: tuple[str, ...] | None = None,
) -> Run:
    found = Detections.from_lists(boxes, scores, np.zeros((len(boxes), 5, 2)))
    name_scores = np.full(len(names), 0.5, np.float32)
    found = replace(found, names=names, name_scores=name_scores, likeliest=likeliest)
    return Run("cartoon", {}, (FrameResult("a/1.jpg", (100, 100), found, {"onet": 2}, 0.1),))


def test_the_courses_arrays_are_written_for_each_character(tmp_path: Path) -> None:
    run = named_run(("dad", "mom"), [[0, 0, 20, 20], [50, 50, 80, 80]], [0.9, 0.8])
    save_exports(tmp_path, [run], ["npy"], score=0)
    names = {path.name for path in (tmp_path / "cartoon.npy").iterdir()}
    stems = ("detections", "scores", "file_names")
    assert names == {f"{stem}_{who}.npy" for stem in stems for who in ("all_faces", "dad", "mom")}
    assert len(load_peer(tmp_path / "cartoon.npy")) == 2
    np.testing.assert_allclose(np.load(tmp_path / "cartoon.npy/scores_mom.npy"), [0.4])
    assert np.load(tmp_path / "cartoon.npy/file_names_mom.npy").tolist() == ["1.jpg"]


def test_a_face_that_is_called_unknown_counts_for_the_likeliest_character(tmp_path: Path) -> None:
    boxes = [[0.0, 0, 20, 20], [50.0, 50, 80, 80]]
    run = named_run(("dad", UNKNOWN), boxes, [0.9, 0.8], ("dad", "dad"))
    save_exports(tmp_path, [run], ["npy", "csv"], score=0)
    np.testing.assert_allclose(np.load(tmp_path / "cartoon.npy/scores_dad.npy"), [0.45, 0.4])
    np.testing.assert_allclose(np.load(tmp_path / "cartoon.npy/scores_unknown.npy"), [0.4])
    nobody = named_run((UNKNOWN, UNKNOWN), boxes, [0.9, 0.8], ("dad", "mom"))
    nobody.frames[0].detections.name_scores[:] = 0.3  # type: ignore[index]
    save_exports(tmp_path / "nobody", [nobody], ["npy"], score=0)
    of_mom, of_nobody = (
        np.load(tmp_path / f"nobody/cartoon.npy/scores_{name}.npy") for name in ("mom", UNKNOWN)
    )
    np.testing.assert_allclose(of_mom, [0.24], rtol=1e-6)
    np.testing.assert_allclose(of_nobody, [0.63, 0.56], rtol=1e-6)
    rows = (tmp_path / "cartoon.csv").read_text().splitlines()
    assert [row.split(",")[-2] for row in rows[1:]] == ["dad", UNKNOWN]


def test_names_are_kept_by_what_selects_faces(tmp_path: Path) -> None:
    boxes = [[0.0, 0, 20, 20], [50.0, 50, 80, 80]]
    run = named_run(("dad", "mom"), boxes, [0.9, 0.8], ("dad", "mom"))
    save_run(tmp_path / "cartoon.detections.json", run)
    (frame,) = load_run(tmp_path / "cartoon.detections.json").frames
    assert [face.name for face in frame.faces] == ["dad", "mom"]
    assert frame.above(0.85).detections.names == ("dad",)
    assert frame.detections[[1]].names == ("mom",)
    assert frame.detections[[1]].likeliest == ("mom",)
    assert frame.detections[1].name_score == 0.5
    with pytest.raises(ValueError, match="expected 2 names with scores, got 1"):
        replace(frame.detections, names=("dad",))


def test_names_are_measured_as_counted_by_hand() -> None:
    faces = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10], [80, 0, 90, 10]]
    labels = ["Ann", "bob", "ann", "unknown", None]
    boxes = [*faces, [0, 50, 10, 60]]
    said = ["ann", "ann", UNKNOWN, UNKNOWN, "bob", "bob"]
    likeliest = ["ann", "ann", "ann", "bob", "bob", "bob"]
    found = NamedRanking(
        boxes=np.array(boxes, float),
        scores=np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.95]),
        names=said,
        likeliest=likeliest,
        name_scores=np.array([1, 1, 0.3, 0.2, 1, 1]),
        frame_index=np.zeros(6, np.intp),
        faces=TrueBoxes(np.array(faces, float), np.zeros(5, np.intp)),
        labels=labels,
    )
    naming = measure_names(found, score=0.3)
    assert naming.unlabelled == 1
    assert naming.confusion.right == (1, 3)
    assert naming.confusion.rejected == (1, 1)
    ann, bob = naming.characters["Ann"], naming.characters["bob"]
    assert (ann.faces, ann.precision, ann.recall, ann.f1) == (2, 0.5, 0.5, 0.5)
    # right, a false alarm, and right again: the second face has no name, but is likeliest to be ann
    assert ann.ap == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert (bob.faces, bob.ap, bob.recall) == (1, 0.0, 0.0)
    assert naming.confusion.counts.sum() == 5  # the unlabelled face and what hit it are left out
    hidden = measure_names(found, score=0.85)
    assert hidden.confusion.right == (1, 1)
    assert hidden.characters["Ann"].ap == ann.ap


def test_evaluate_prints_and_writes_names(names_file: Path, frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    success(facetl("detect", frames, "--names", names_file, "--out", out, "--score", "0.2"))
    told = success(facetl("evaluate", out, "--truth", frames, "--train", frames, "--force"))
    assert "cartoon: characters" in told.output
    assert "true boxes:" in told.output
    naming = json.loads((out / "metrics.json").read_text())["runs"]["cartoon"]["naming"]
    whole = naming["on_true_boxes"]["all"]
    dataset = load_dataset(frames)
    assert whole["named_faces"] + whole["unknown_faces"] == dataset.face_count
    assert naming["on_true_boxes"]["near_twins"]["named_faces"] == whole["named_faces"]
    assert (out / "cartoon.confusion.png").is_file()
    assert (out / "cartoon.names.png").is_file()
    names_file.rename(names_file.with_suffix(".gone"))
    told = facetl("evaluate", out, "--truth", frames, "--force", "--no-report")
    names_file.with_suffix(".gone").rename(names_file)
    assert "the names file is gone or has changed" in success(told).output


def test_texts_of_characters_say_who_is_who(tmp_path: Path) -> None:
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0], [0.0, 20.0, 9.0, 30.0]])
    save_annotations(tmp_path / "task1_gt_val[1].txt", {"1.jpg": (boxes, [None] * 3)})
    for name, row in (("mary_ann", 0), ("bob", 1)):
        place = tmp_path / f"task2_{name}_gt_val[1].txt"
        save_annotations(place, {"1.jpg": (boxes[[row]], [None])})
    found = load_annotations(tmp_path / "task1_gt_val[1].txt").faces["1.jpg"].labels
    assert found == ("mary_ann", "bob", UNKNOWN)
    (tmp_path / "task2_bob_gt_val[1].txt").unlink()
    (tmp_path / "task2_mary_ann_gt_val[1].txt").unlink()
    assert load_annotations(tmp_path / "task1_gt_val[1].txt").faces["1.jpg"].labels == (None,) * 3


def relabel(frames: Path, place: Path, change: Any) -> Path:
    """Return other annotations of the frames."""
    lines = (frames / "faces.txt").read_text().splitlines()
    words = [line.rsplit(" ", 1) for line in lines]
    place.write_text(
        "".join(f"{head} {change(i, name)}".rstrip() + "\n" for i, (head, name) in enumerate(words))
    )
    return place


def test_what_is_left_out_is_told(frames: Path, tmp_path: Path) -> None:
    annotations = relabel(
        frames,
        tmp_path / "faces.txt",
        lambda i, name: ("", "Guest", "Guest")[i] if i < 3 else name.upper() if i % 2 else name,
    )
    out = tmp_path / "names.safetensors"
    told = success(
        facetl(
            *("train-names", "--images", frames, "--annotations", annotations, "--out", out),
            *("--epochs", "1", "--faces", "5"),
        )
    ).output
    assert "labels that differ in case or spaces are taken for one: " in told
    assert "faces without a label, left out: 1" in told
    assert "characters with fewer than 3 faces, left out: " in told
    assert "Guest (2)" in told
    assert "Guest" not in load_names(out).classes
    assert max(load_names(out).metadata["counts"].values()) == 5


def test_one_character_alone_is_refused(frames: Path, tmp_path: Path) -> None:
    annotations = relabel(frames, tmp_path / "faces.txt", lambda i, name: "dexter")
    out = tmp_path / "names.safetensors"
    found = facetl("train-names", "--images", frames, "--annotations", annotations, "--out", out)
    assert found.exit_code == 1
    assert "found dexter with 3 faces or more, expected two characters" in found.output
    assert not out.exists()


def test_files_of_other_networks_are_refused(names_file: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"found format 'facetl-names' version 1"):
        Detector.load(names_file)
    (path,) = built_in_files("cartoon")
    with pytest.raises(WeightsError, match=r"expected 'facetl-names' version 1"):
        load_names(path)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(names_file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"damaged\.safetensors: not a readable"):
        load_names(damaged)
    weights = load_names(names_file)
    state = {name: each for name, each in weights.state.items() if name != "conv2.weight"}
    with pytest.raises(WeightsError, match=r"conv2\.weight"):
        Recogniser(replace(weights, state=state))
    few = replace(weights, classes=weights.classes[:-1])
    with pytest.raises(WeightsError, match="found outputs of shape"):
        Recogniser(few)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--start", "imagenet"), "found the start 'imagenet' for onet"),
        (("--backbone", "resnet18", "--start", "cartoon"), "found the start 'cartoon' for resnet1"),
        (("--start", "missing.safetensors"), "no such weights file"),
    ],
)
def test_starts_that_do_not_fit_are_refused(
    options: tuple[str, ...], told: str, frames: Path, tmp_path: Path
) -> None:
    out = tmp_path / "names.safetensors"
    found = facetl("train-names", frames, "--out", out, *options)
    assert found.exit_code in (1, 2)
    assert told in found.output
    assert not out.exists()


def test_names_and_ray_do_not_go_together(names_file: Path, frames: Path, tmp_path: Path) -> None:
    found = facetl(
        *("detect", frames, "--names", names_file, "--engine", "ray", "--out", tmp_path / "out")
    )
    assert found.exit_code == 2 or "--names is for searches on this machine" in found.output


def test_augmentation_can_be_switched_off(frames: Path) -> None:
    crops = crops_of(frames)
    still = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0)
    settings = quick(augmentation=still, shift=0.0, zoom=0.0, dropout=0.0)
    network = build_backbone("onet", len(crops.classes), 0.0, "cartoon", 1)
    objective = NamingObjective(network, "onet", crops, settings)
    rows = objective.training[:8]
    shown = objective.losses(rows, torch.Generator().manual_seed(1)).pixels
    room = room_around(48)
    wanted = crops.pixels[rows, room : room + 48, room : room + 48].transpose(0, 3, 1, 2)
    np.testing.assert_allclose(shown.numpy(), wanted, atol=1e-3)


def test_few_faces_get_more_epochs() -> None:
    assert NamingSettings().stretched(5_000).epochs == 8
    assert NamingSettings().stretched(50).epochs == 240
    with pytest.raises(InputError, match="found dropout 1"):
        NamingSettings(dropout=1.0)


@needs_kernels
def test_the_kernels_describe_what_torch_describes(names_file: Path) -> None:
    weights = load_names(names_file)
    image = np.random.default_rng(2).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    boxes = np.random.default_rng(3).uniform(0, 90, (40, 4))
    boxes[:, 2:] = boxes[:, :2] + 5 + boxes[:, 2:] / 3
    native, own = (Recogniser(weights, engine=name) for name in ("native", "torch"))
    np.testing.assert_allclose(
        native.probabilities(image, boxes), own.probabilities(image, boxes), atol=1e-5
    )


def test_statistics_of_batch_normalisation_keep_up_with_short_trainings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.01))
    library = SimpleNamespace(EfficientNet=SimpleNamespace(from_name=lambda *_, **__: slow))
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", library)  # not all have it
    for name in ("efficientnet_lite0", "mobilenet_v2", "resnet18"):
        network = BACKBONES[name].build(2, 0.5)
        layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        assert {layer.momentum for layer in layers} == {0.1}
