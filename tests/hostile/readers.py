"""All readers of facetl, each with small files that it reads well, for breaking."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch
from drawn_videos import write_video
from hostile.tool_files import TEXTS, packing, writing
from parameters import pretrained_tensors
from PIL import Image, features
from safetensors.numpy import load_file, save_file
from safetensors.torch import save

from facetl.commands.train_stage import recommend_settings
from facetl.data.archives import forget_unpacked
from facetl.data.dataset import load_dataset
from facetl.data.discovery import recognise
from facetl.data.formats.coco import Coco
from facetl.data.formats.course import load_annotations, save_annotations
from facetl.data.formats.voc import Voc, _load_voc
from facetl.data.formats.wider import Wider
from facetl.data.formats.yolo import _load_yolo, _load_yolo_set
from facetl.data.frame import Frame
from facetl.data.images import image_size, load_image, make_thumbnails
from facetl.data.video import VideoReader
from facetl.errors import FacetlError, OutputError
from facetl.evaluation.report.compose import _recall_training
from facetl.evaluation.report.frames import collect_frames
from facetl.evaluation.report.page import Report, choose_frames, render_page
from facetl.evaluation.scoring import Predictions, Truth, evaluate_all
from facetl.experiments.description import load_study
from facetl.experiments.results import _load_cell, summarise
from facetl.experiments.runner import KIND as CELLS
from facetl.experiments.setup import require_place
from facetl.experiments.study import PLAIN, Cell
from facetl.experiments.tables import cells_csv, sections, summary_csv
from facetl.manifests.fingerprints import fingerprint_file
from facetl.manifests.manifest import Manifest, _save_manifest, check_outputs, load_manifest
from facetl.manifests.manifest import Step as ManifestStep
from facetl.mtcnn.networks import build_network
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.results.detections import Detections, FrameResult, Run, Skipped
from facetl.results.export_table import EXPORTS, TIMED_EXPORTS
from facetl.results.exports import _save_export
from facetl.results.json_file import save_run
from facetl.results.json_lines import describe_head, load_lines, recover, writing_lines
from facetl.results.parquet import (
    ShardHead,
    count_shard,
    find_shards,
    shard_path,
    writing_shard,
)
from facetl.results.peers import PeerDetections, load_peer, save_peer
from facetl.results.store import load_run
from facetl.training.batches import split_by_frame
from facetl.training.cascade import Workshop, _load_step
from facetl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from facetl.training.patches import load_patches, writing_patches
from facetl.training.plan import CascadePlan, Step
from facetl.training.sampling import LabelledWindows
from facetl.training.time_budget import SavedBudget

BOXES = np.array([[2.0, 2.0, 10.0, 9.0], [1.5, 0.0, 6.0, 8.25]])
RUN_SETTINGS = {"thresholds": [0.1, 0.2, 0.2], "command": "facetl detect"}
TASK = {"stage": "pnet", "settings": {"seed": 1}}
CELL = Cell("pnet", "pretrained", 25, 1, PLAIN)
_GENERATOR = np.random.default_rng(1)
WHOLE_SCRIPTS = 2
"""Scripts in a report: its data and its program."""
PIXELS = _GENERATOR.integers(0, 256, (12, 16, 3), np.uint8)


@dataclass(frozen=True)
class Reader:
    """A reader and what it reads.

    Attributes:
        name: how tests call it.
        build: writes files into an empty folder and returns those that may be broken.
        read: reads the folder, given which file of it was broken; raises what it likes.
    """

    name: str
    build: Callable[[Path], list[Path]]
    read: Callable[[Path], object]


def _frame(folder: Path, name: str = "a.png") -> Frame:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS).save(path)
    return Frame(path, name, BOXES, ("dad", None), (12, 16), ignored=BOXES[:1] + 1)


def _pictures(folder: Path) -> list[Path]:
    """Write a picture in every format that Pillow writes here."""
    picture, paths = Image.fromarray(PIXELS), []
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in (".png", ".jpg", ".gif", ".bmp", ".tif", ".ppm", ".pgm", ".webp"):
        if suffix == ".webp" and not features.check("webp"):
            continue
        paths.append(folder / f"a{suffix}")
        (picture.convert("L") if suffix == ".pgm" else picture).save(paths[-1])
    picture.save(folder / "turned.jpg", exif=exif)
    Image.fromarray(PIXELS[:, :, 0] / np.float32(255)).save(folder / "float.tif")
    picture.save(folder / "packed.tif", compression="tiff_deflate")
    picture.convert("P").save(folder / "palette.png", transparency=0)
    Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257).save(folder / "deep.png")
    picture.save(folder / "moving.gif", save_all=True, append_images=[picture.rotate(90)])
    names = ("turned.jpg", "float.tif", "packed.tif", "palette.png", "deep.png", "moving.gif")
    return [*paths, *(folder / name for name in names)]


def _read_picture(path: Path) -> None:
    size = image_size(path)
    pixels = load_image(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    assert pixels.shape[:2] == size or path.suffix in (".gif", ".tif")
    assert dict(make_thumbnails({"a": path}, 10_000))["a"]


def _course(folder: Path) -> list[Path]:
    frame = _frame(folder)
    path = folder / "faces.txt"
    save_annotations(path, {frame.name: (frame.boxes, frame.labels), "b c.png": (BOXES, ["x"] * 2)})
    return [path]


def _coco(folder: Path) -> list[Path]:
    frame = _frame(folder)
    Coco().save_single(folder / "faces.json", [frame])
    return [folder / "faces.json"]


def _voc(folder: Path) -> list[Path]:
    frame = _frame(folder)
    Voc().save(folder, {"train": [frame]}, with_images=False)
    return [(folder / "Annotations/a.xml").rename(folder / "a.xml")]


def _voc_parts(folder: Path) -> list[Path]:
    """Write a data set whose images are in a folder of their own and listed by part."""
    frame = _frame(folder / "JPEGImages")
    Voc().save(folder, {"train": [frame]}, with_images=False)
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n")
    (lists / "test.txt").write_text("a\nb\n")
    return [folder / "Annotations" / "a.xml", lists / "train.txt"]


def _read_voc_parts(path: Path) -> None:
    folder = path.parents[1 if path.name == "a.xml" else 2]
    for part in ("train", "test"):
        load_dataset(folder, part=part, on_error="skip")


def _wider(folder: Path) -> list[Path]:
    _frame(folder)
    path = folder / "wider_face_train_bbx_gt.txt"
    path.write_text("a.png\n2\n2 2 8 7 0 0 0 0 0 0\n1 0 5 8 1 0 0 1 0 0\nb/c.jpg\n0\n0 0 0 0\n")
    return [path]


def _yolo(folder: Path) -> list[Path]:
    _frame(folder, "images/train/a.png")
    (folder / "labels/train").mkdir(parents=True)
    labels = folder / "labels/train/a.txt"
    labels.write_text("0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.2 0.1 0.9 0.2\n")
    listing = folder / "some.txt"
    listing.write_text("images/train/a.png\n./images/train/b.png\n")
    file = folder / "data.yaml"
    file.write_text(
        "path: .\ntrain: images/train\nval: some.txt\ntest: [images/train, images]\n"
        "names: {0: dad, 1: mom}\nkpt_shape: [5, 3]\n"
    )
    return [file, labels, listing]


def _read_yolo(path: Path) -> None:
    folder = path if path.name == "data.yaml" else path.parents[2 * (path.name == "a.txt")]
    yolo = _load_yolo_set(folder.parent / "data.yaml" if folder == path else folder / "data.yaml")
    for on_error in ("skip", "strict"):
        _load_yolo(yolo, yolo.root, on_error)
        _load_yolo(yolo, yolo.root, on_error, yolo.root / "some.txt")


def _read_yolo_folder(path: Path) -> None:
    folder = path.parents[2 * (path.name == "a.txt")]
    for part in ("train", "val", "test"):
        load_dataset(folder, part=part, on_error="skip")


def _run(folder: Path) -> list[Path]:
    found = Detections.from_lists(BOXES, [0.9, 0.5], np.ones((2, 5, 2)))
    counts = {"pnet": 3, "rnet": 2, "onet": 2}
    frames = (
        FrameResult("a.png", (12, 16), found, counts, 0.5),
        FrameResult("b.png", (12, 16), found[:1], counts, 0.5, time=0.04, tracks=(7,)),
        FrameResult("c.png", (12, 16), Detections.empty(), {}, 0.0, 0.08, (), carried=True),
    )
    run = Run("tuned", RUN_SETTINGS, frames, (Skipped("x", "y"),))
    save_run(folder / "tuned.detections.json", run)
    return [folder / "tuned.detections.json"]


def _read_run(path: Path) -> None:
    truth = Truth({"a.png": BOXES, "b.png": BOXES[:0]}, complete=True)
    run = load_run(path)
    evaluate_all([Predictions.of_run(run)], truth)
    save_run(path.with_name("again.json"), run)


def _read_for_report(path: Path) -> None:
    """Compose the report of a run, but for pictures and plots."""
    truth = Truth({"a.png": BOXES, "b.png": BOXES[:0]}, complete=False)
    runs = [Predictions.of_run(load_run(path))]
    evaluations = evaluate_all(runs, truth)
    frames = choose_frames(collect_frames(runs, truth), evaluations)
    page = render_page(Report("a run", evaluations, frames))
    assert page.count("<script") == WHOLE_SCRIPTS


def _read_for_exports(path: Path) -> None:
    """Write a run in all formats; nothing may land outside of the folder."""
    folder = path.parent / "here" / "exports"
    faults = []
    try:
        run = load_run(path)
        has_times = any(frame.time is not None for frame in run.frames)
        for kind in EXPORTS if has_times else EXPORTS.keys() - TIMED_EXPORTS.keys():
            try:
                _save_export(kind, folder, replace(run, name="tuned"))
            except FacetlError as error:
                faults.append(error)
        assert [each.name for each in path.parent.iterdir() if each != path] in ([], ["here"])
        assert [each.name for each in folder.parent.glob("*")] in ([], ["exports"])
    finally:
        rmtree(folder.parent, ignore_errors=True)
    if faults:
        raise faults[0]


def _lines(folder: Path) -> list[Path]:
    (path,) = _run(folder)
    run, lines = load_run(path), folder / "tuned.jsonl"
    path.unlink()
    with writing_lines(lines, run.name, run.settings) as writer:
        for frame in run.frames:
            writer.add(frame)
        writer.skip(run.skipped[0])
    return [lines]


def _read_lines(path: Path) -> None:
    run = load_lines(path)
    evaluate_all(
        [Predictions.of_run(run)], Truth({"a.png": BOXES, "b.png": BOXES[:0]}, complete=True)
    )


def _shards(folder: Path) -> list[Path]:
    (document,) = _run(folder)
    run, shards = load_run(document), folder / "tuned.detections.parquet"
    document.unlink()
    for number, frames in enumerate((run.frames[:2], run.frames[2:])):
        head = ShardHead("tuned", RUN_SETTINGS, number, 2, f"{number:016}")
        with writing_shard(shard_path(shards, number), head) as writer:
            for frame in frames:
                writer.add(frame)
            writer.skip(run.skipped[0])
    return find_shards(shards)


def _read_shards(path: Path) -> None:
    run = load_run(path.parent)
    for shard in find_shards(path.parent):
        count_shard(shard, 0.5)
    evaluate_all(
        [Predictions.of_run(run)], Truth({"a.png": BOXES, "b.png": BOXES[:0]}, complete=True)
    )


def _go_on(path: Path) -> None:
    """Cut a file back as one of an interrupted search; it is finished unless it was broken."""
    with suppress(OutputError):
        head = describe_head("tuned", RUN_SETTINGS)
        recover({path: head}, partial(_restart, ["a.png", "b.png", "c.png", "x"]))


def _restart(wanted: list[str], names: Sequence[str]) -> int | None:
    return len(names) if wanted[: len(names)] == list(names) else None


def _peer(folder: Path) -> list[Path]:
    save_peer(folder, PeerDetections(BOXES, np.array([0.5, 0.25]), ("a.png", "b.png")))
    return sorted(folder.glob("*.npy"))


def _read_peer(path: Path) -> None:
    entry = Predictions.of_peer("peer", load_peer(path.parent))
    evaluate_all([entry], Truth({"a.png": BOXES, "b.png": BOXES[:0]}, complete=True))


def _weights(folder: Path) -> list[Path]:
    detection = {"thresholds": [0.2, 0.1, 0.1], "min_face": 20, "padding": True}
    weights = Weights({"pnet": load_pretrained_stage("pnet")}, {"detection": detection})
    save_weights(folder / "pnet.safetensors", weights)
    return [folder / "pnet.safetensors"]


def _told(document: Callable[[], dict[str, object]]) -> Callable[[Path], list[Path]]:
    """Return a builder of what a binary file tells in JSON, by itself.

    In the file a text of another length would be noticed at once, and never be read.
    """

    def build(folder: Path) -> list[Path]:
        (folder / "told.json").write_text(json.dumps(document()))
        return [folder / "told.json"]

    return build


def _as_weights(path: Path) -> Path:
    """Write weights that tell what a file holds, whatever it is; return where."""
    state = {f"pnet.{name}": each for name, each in pretrained_tensors("pnet").items()}
    text = path.read_bytes().decode("utf-8", "replace")
    weights = path.with_name("1_pnet.safetensors")
    weights.write_bytes(save(state, {"facetl": text}))
    return weights


def _as_patches(path: Path) -> Path:
    """Write patches that tell what a file holds, whatever it is; return where."""
    (patches,) = _patches(path.parent)
    columns = load_file(patches)
    save_file(columns, patches, {"facetl": path.read_bytes().decode("utf-8", "replace")})
    return patches


def _tell_weights() -> dict[str, object]:
    record = {"stage": "pnet", "round": 1, "epoch": 1, "train": {"total": 0.5}}
    detection = {"thresholds": [0.2, 0.1, 0.1], "min_face": 20, "factor": 0.7, "padding": True}
    return {
        "format": "facetl-weights",
        "version": 1,
        "stage": "pnet",
        "records": [record, {**record, "epoch": 2, "validation": {"total": 0.4}}],
        "patch_counts": [{"stage": "pnet", "round": 1, "positive": 5, "part": 2, "negative": 9}],
        "suspects": [{"frame": "a.png", "box": [1.0, 2.0, 5.0, 6.0], "score": 0.99}],
        "detection": detection,
    }


def _tell_patches() -> dict[str, object]:
    recipe = {"padding": True}
    head = {"format": "facetl-patches", "version": 1}
    return {**head, "frames": ["a", "b"], "groups": [0, 1], "recipe": recipe, "suspects": []}


def _read_report_of_weights(path: Path) -> None:
    """Read what the report tells of a training."""
    weights = _as_weights(path)
    settings = {"weights": str(weights), "weights_fingerprint": load_weights(weights).fingerprint}
    run = Run("tuned", settings, ())
    _recall_training(evaluate_all([Predictions.of_run(run)], Truth({}, complete=True))[0])


def _tell_checkpoint() -> dict[str, object]:
    records = [{"epoch": 1, "train": {}, "validation": {"total": 0.5}}]
    told = {"epoch": 1, "best_epoch": 1, "records": records}
    return {"format": "facetl-checkpoint", "version": 1, "task": TASK, "checkpoint": told}


def _read_told_checkpoint(path: Path) -> None:
    """Read a checkpoint whose values, but for tensors, are those of a JSON file."""
    network = build_network("pnet")
    state = dict(network.state_dict())
    optimiser = torch.optim.Adam(network.parameters()).state_dict()
    checkpoint = path.with_suffix(".checkpoint")
    try:
        document = json.loads(path.read_bytes())
        document["checkpoint"] |= {"weights": state, "best_weights": state, "optimiser": optimiser}
        torch.save(document, checkpoint)
    except (ValueError, LookupError, TypeError, RecursionError):
        return  # nothing that could have been saved
    _read_checkpoint(checkpoint)


def _budget(folder: Path) -> list[Path]:
    SavedBudget(20.5, {"1_pnet": 0.25, "1_rnet": 1.0}).save(folder / "budget.json")
    return [folder / "budget.json"]


def _read_budget(path: Path) -> None:
    memory = SavedBudget.load(path)
    assert memory.spent >= 0
    recipe = CascadePlan.default().stages["pnet"].recipe
    assert all(recipe.thinned(share).positives for share in memory.patches.values())


def _claim(folder: Path) -> list[Path]:
    (folder / "study.json").write_text('{"format": "facetl-study", "version": 1, "device": "cpu"}')
    return [folder / "study.json"]


def _torch(folder: Path) -> list[Path]:
    torch.save(pretrained_tensors("pnet"), folder / "pnet.pt")
    state = {f"pnet.{name}": each for name, each in pretrained_tensors("pnet").items()}
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    return [folder / "pnet.pt", folder / "old.pth"]


def _read_weights(path: Path) -> None:
    weights = load_weights(path)
    weights.settings.to_json()
    assert len(weights.fingerprint) == 16
    weights.network("pnet")


def _patches(folder: Path) -> list[Path]:
    windows = LabelledWindows(
        windows=np.array([[0.0, 0, 12, 12], [2, 0, 14, 12]]),
        labels=np.array([0, 1], np.uint8),
        offsets=np.zeros((2, 4)),
        face_index=np.array([0, -1]),
    )
    with writing_patches(folder / "pnet.patches", 12) as writer:
        for index in range(2):
            writer.add(index, np.stack([PIXELS[:, :12], PIXELS[:, 2:14]]), windows)
        writer.metadata = {"frames": ["a", "b"], "groups": [0, 1], "recipe": {"padding": True}}
    return [folder / "pnet.patches"]


def _read_patches(path: Path) -> None:
    patches = load_patches(path)
    assert len(patches.fingerprint) == 16
    patches.describe_counts("pnet")
    recommend_settings("onet", patches, None)
    split_by_frame(patches.frame_index, 0.5, 1, patches.metadata.get("groups"))


def _checkpoint(folder: Path) -> list[Path]:
    network = build_network("pnet")
    state = dict(network.state_dict())
    optimiser = torch.optim.Adam(network.parameters()).state_dict()
    record = {"epoch": 1, "validation": {"total": 0.5}}
    path = folder / "pnet.checkpoint"
    save_checkpoint(path, Checkpoint(1, state, optimiser, 1, state, (record,)), TASK)
    return [path]


def _read_checkpoint(path: Path) -> None:
    checkpoint = load_checkpoint(path, TASK)
    network = build_network("pnet")
    checkpoint.restore(network, torch.optim.Adam(network.parameters()))


def _study(folder: Path) -> list[Path]:
    (folder / "mine.toml").write_text(
        'description = "A study"\nstages = ["pnet", "cascade"]\nframes = [25, "all"]\n'
        'seeds = [1, 2]\nstarts = ["pretrained"]\n\n[epochs]\npnet = 10\n\n[[methods]]\n'
        'regulariser = ["l2", "l2-sp"]\nalpha = [0.01, 0.1]\nphase_epochs = [1, 2, 3]\n'
    )
    return [folder / "mine.toml"]


def _cell(folder: Path) -> list[Path]:
    content = {
        "format": CELLS.name,
        "version": 1,
        "cell": asdict(CELL),
        "trained_parameters": 5,
        "seconds": 1.5,
        "ap": {"0.3": 0.5, "0.5": 0.4, "0.7": 0.3, "0.5:0.95": 0.2},
        "photographs": {"0.5": 0.9},
        "records": [
            {
                "stage": "pnet",
                "epoch": 1,
                "train": {"total": 0.6},
                "learnt": {"total": 0.4},
                "validation": {"total": 0.5},
                "angles": {"gradient": 80.0, "conflicts": 0.25},
            }
        ],
    }
    (folder / "cell.json").write_text(json.dumps(content))
    return [folder / "cell.json"]


def _read_cell(path: Path) -> None:
    result = _load_cell(path, CELL)
    rows = summarise([result])
    sections(rows)
    cells_csv([result])
    summary_csv(rows)


def _task(folder: Path) -> list[Path]:
    Workshop(folder).open(TASK)
    return [folder / "task.json"]


def _manifest(folder: Path) -> list[Path]:
    _frame(folder)
    found = fingerprint_file(folder / "a.png")
    step = ManifestStep(
        command="facetl detect frames --out .",
        name="detect",
        settings={"seed": 1, "thresholds": [0.1, 0.2], "out": "."},
        versions={"facetl": "0.1.0", "threads": 1},
        inputs={"frames": {"kind": "folder", "place": "../frames", "files": 2, **found}},
        outputs={"a.png": found, "sub/gone.png": {**found, "bytes": 3}, "l": {"link": "a.png"}},
        seed=1,
    )
    _save_manifest(folder, Manifest((step, step.without({"a.png"}))))
    return [folder / "manifest.json"]


def _read_manifest(path: Path) -> None:
    manifest = load_manifest(path.parent)
    dict(check_outputs(path.parent, manifest.outputs))
    again = path.parent / "again"
    again.mkdir(exist_ok=True)
    _save_manifest(again, manifest)
    assert load_manifest(again) == manifest


def _video(folder: Path) -> list[Path]:
    picture = np.tile(PIXELS, (3, 3, 1))
    return [write_video(folder / "film.mp4", [np.roll(picture, n, axis=1) for n in range(4)])]


def _read_video(path: Path) -> None:
    reader = VideoReader(path)
    reader.facts()
    for number, _ in enumerate(reader.frames()):
        if number > 50:
            break


def _read_folder(path: Path) -> None:
    load_dataset(path.parent, on_error="skip")
    recognise(path)


def bomb(side: int) -> bytes:
    """Return a small PNG whose header says that it is ``side`` pixels wide and high."""
    buffer = io.BytesIO()
    Image.new("1", (1, 1)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = _crc(bytes(data[12:29]))
    return bytes(data)


def _crc(chunk: bytes) -> bytes:
    import zlib

    return zlib.crc32(chunk).to_bytes(4, "big")


def _both(load: Callable[..., object]) -> Callable[[Path], None]:
    """Return a reading that is forgiving first and strict then."""

    def read(path: Path) -> None:
        load(path, "skip")
        load(path, "strict")

    return read


def _read_export(path: Path) -> None:
    """Read what a tool exported, by itself and with its image."""
    root = path.parent.parent if path.parent.name == "ann" else path.parent
    load_dataset(root, on_error="skip")
    form = recognise(path)
    if not form.has_file_per_image:
        _both(form.load)(path)


def _read_zip(path: Path) -> None:
    try:
        load_dataset(path, on_error="skip")
    finally:
        forget_unpacked()


READERS = (
    *(Reader(name, writing(name, _frame), _read_export) for name in TEXTS),
    Reader("zip", packing(_frame), _read_zip),
    Reader("images", _pictures, _read_picture),
    Reader("course", _course, _both(load_annotations)),
    Reader("course folder", _course, _read_folder),
    Reader("coco", _coco, _both(Coco().load)),
    Reader("coco folder", _coco, _read_folder),
    Reader("voc", _voc, lambda path: _load_voc(path.parent) and None),
    Reader("voc folder", _voc, _read_folder),
    Reader("voc parts", _voc_parts, _read_voc_parts),
    Reader("wider", _wider, _both(Wider().load)),
    Reader("wider folder", _wider, _read_folder),
    Reader("yolo", _yolo, _read_yolo),
    Reader("detections", _run, _read_run),
    Reader("yolo folder", _yolo, _read_yolo_folder),
    Reader("detections in a report", _run, _read_for_report),
    Reader("detections in other formats", _run, _read_for_exports),
    Reader("lines", _lines, _read_lines),
    Reader("lines to go on with", _lines, _go_on),
    Reader("shards", _shards, _read_shards),
    Reader("peer arrays", _peer, _read_peer),
    Reader("safetensors", _weights, _read_weights),
    Reader(
        "weights of a step",
        _told(_tell_weights),
        lambda path: _load_step(_as_weights(path), Step(1, "pnet")),
    ),
    Reader("weights in a report", _told(_tell_weights), _read_report_of_weights),
    Reader("pytorch weights", _torch, _read_weights),
    Reader("patches", _patches, _read_patches),
    Reader(
        "what patches tell", _told(_tell_patches), lambda path: _read_patches(_as_patches(path))
    ),
    Reader("checkpoint", _checkpoint, _read_checkpoint),
    Reader("what checkpoints tell", _told(_tell_checkpoint), _read_told_checkpoint),
    Reader("study", _study, load_study),
    Reader("cell", _cell, _read_cell),
    Reader("task", _task, lambda path: Workshop(path.parent).open(TASK)),
    Reader("budget", _budget, _read_budget),
    Reader("claim", _claim, lambda path: require_place(path.parent, resume=True, force=False)),
    Reader("manifest", _manifest, _read_manifest),
    Reader("video", _video, _read_video),
)
"""Every reader of files that people or earlier commands have written."""
