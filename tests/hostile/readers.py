"""All readers of facetl, each with small files that it reads well, for breaking."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image, features

from facetl.cli.train_stage import recommend_settings
from facetl.data.annotations import load_annotations, save_annotations
from facetl.data.dataset import Frame, load_dataset
from facetl.data.formats.coco import load_coco, save_coco
from facetl.data.formats.recognition import recognise
from facetl.data.formats.voc import load_voc, save_voc
from facetl.data.formats.wider import load_wider
from facetl.data.formats.yolo import load_yolo, load_yolo_set
from facetl.data.images import image_size, load_image
from facetl.data.video import Footage, VideoWriter
from facetl.evaluation.metrics_file import FORMAT as METRICS
from facetl.evaluation.metrics_file import load_metrics
from facetl.evaluation.peers import PeerDetections, load_peer, save_peer
from facetl.evaluation.scoring import Entry, Truth, evaluate_all
from facetl.mtcnn.detections import Detections, FrameResult, Run, Skipped, load_run, save_run
from facetl.mtcnn.networks import build_network
from facetl.mtcnn.weights import Weights, load_pretrained_stage, load_weights, save_weights
from facetl.studies.bench import FORMAT as CELLS
from facetl.studies.description import load_study
from facetl.studies.naming import PLAIN
from facetl.studies.results import load_cell
from facetl.studies.study import Cell
from facetl.training.batches import split_by_frame
from facetl.training.cascade import Workshop
from facetl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from facetl.training.patches import load_patches, writing_patches
from facetl.training.sampling import LabelledWindows

BOXES = np.array([[2.0, 2.0, 10.0, 9.0], [1.5, 0.0, 6.0, 8.25]])
TASK = {"stage": "pnet", "settings": {"seed": 1}}
CELL = Cell("pnet", "pretrained", 25, 1, PLAIN)
_GENERATOR = np.random.default_rng(1)
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
    return Frame(path, name, BOXES, ("dad", None), (12, 16))


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


def _course(folder: Path) -> list[Path]:
    frame = _frame(folder)
    path = folder / "faces.txt"
    save_annotations(path, {frame.name: (frame.boxes, frame.labels), "b c.png": (BOXES, ["x"] * 2)})
    return [path]


def _coco(folder: Path) -> list[Path]:
    frame = _frame(folder)
    save_coco(folder / "faces.json", [frame])
    return [folder / "faces.json"]


def _voc(folder: Path) -> list[Path]:
    frame = _frame(folder)
    save_voc(folder, [frame], "images")
    return [folder / "a.xml"]


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
    yolo = load_yolo_set(folder.parent / "data.yaml" if folder == path else folder / "data.yaml")
    for on_error in ("skip", "strict"):
        load_yolo(yolo, yolo.root, on_error)
        load_yolo(yolo, yolo.root, on_error, yolo.root / "some.txt")


def _run(folder: Path) -> list[Path]:
    found = Detections.from_lists(BOXES, [0.9, 0.5], np.ones((2, 5, 2)))
    counts = {"pnet": 3, "rnet": 2, "onet": 2}
    frames = (
        FrameResult("a.png", (12, 16), found, counts, 0.5),
        FrameResult("b.png", (12, 16), found[:1], counts, 0.5, time=0.04, tracks=(7,)),
        FrameResult("c.png", (12, 16), Detections.empty(), {}, 0.0, 0.08, (), carried=True),
    )
    settings = {"thresholds": [0.1, 0.2, 0.2], "command": "facetl detect"}
    run = Run("tuned", settings, frames, (Skipped("x", "y"),))
    save_run(folder / "tuned.detections.json", run)
    return [folder / "tuned.detections.json"]


def _read_run(path: Path) -> None:
    truth = Truth({"a.png": BOXES, "b.png": BOXES[:0]}, complete=True)
    run = load_run(path)
    evaluate_all([Entry.of_run(run)], truth)
    save_run(path.with_name("again.json"), run)


def _metrics(folder: Path) -> list[Path]:
    document = {"format": METRICS, "version": 1, "runs": {"tuned": {"ap": {"0.3": 0.5}}}}
    (folder / "metrics.json").write_text(json.dumps(document))
    return [folder / "metrics.json"]


def _peer(folder: Path) -> list[Path]:
    save_peer(folder, PeerDetections(BOXES, np.array([0.5, 0.25]), ("a.png", "b.png")))
    return sorted(folder.glob("*.npy"))


def _read_peer(path: Path) -> None:
    entry = Entry.of_peer("peer", load_peer(path.parent))
    evaluate_all([entry], Truth({"a.png": BOXES, "b.png": BOXES[:0]}, complete=True))


def _weights(folder: Path) -> list[Path]:
    detection = {"thresholds": [0.2, 0.1, 0.1], "min_face": 20, "padding": True}
    weights = Weights({"pnet": load_pretrained_stage("pnet")}, {"detection": detection})
    save_weights(folder / "pnet.safetensors", weights)
    return [folder / "pnet.safetensors"]


def _torch(folder: Path) -> list[Path]:
    torch.save(load_pretrained_stage("pnet"), folder / "pnet.pt")
    state = {f"pnet.{name}": each for name, each in load_pretrained_stage("pnet").items()}
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
        "format": CELLS,
        "version": 1,
        "cell": asdict(CELL),
        "trained_parameters": 5,
        "seconds": 1.5,
        "ap": {"0.3": 0.5, "0.5": 0.4, "0.7": 0.3, "0.5:0.95": 0.2},
        "photographs": {"0.5": 0.9},
        "records": [{"epoch": 1, "validation": {"total": 0.5}, "learnt": {"total": 0.4}}],
    }
    (folder / "cell.json").write_text(json.dumps(content))
    return [folder / "cell.json"]


def _read_cell(path: Path) -> None:
    result = load_cell(path, CELL)
    for name in ("0.3", "photographs", "gap", "seconds"):
        result.figure(name)


def _task(folder: Path) -> list[Path]:
    Workshop(folder).open(TASK)
    return [folder / "task.json"]


def _video(folder: Path) -> list[Path]:
    paths = [folder / "film.mp4"]
    with VideoWriter(paths[0], Fraction(25)) as writer:
        for number in range(4):
            writer.add(np.roll(np.tile(PIXELS, (3, 3, 1)), number, axis=1), number / 25)
    return paths


def _read_video(path: Path) -> None:
    footage = Footage(path)
    footage.facts()
    for number, _ in enumerate(footage.frames()):
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


READERS = (
    Reader("images", _pictures, _read_picture),
    Reader("course", _course, _both(load_annotations)),
    Reader("course folder", _course, _read_folder),
    Reader("coco", _coco, _both(load_coco)),
    Reader("coco folder", _coco, _read_folder),
    Reader("voc", _voc, lambda path: _both(load_voc)(path.parent)),
    Reader("voc folder", _voc, _read_folder),
    Reader("wider", _wider, _both(load_wider)),
    Reader("wider folder", _wider, _read_folder),
    Reader("yolo", _yolo, _read_yolo),
    Reader("detections", _run, _read_run),
    Reader("metrics", _metrics, load_metrics),
    Reader("peer arrays", _peer, _read_peer),
    Reader("safetensors", _weights, _read_weights),
    Reader("pytorch weights", _torch, _read_weights),
    Reader("patches", _patches, _read_patches),
    Reader("checkpoint", _checkpoint, _read_checkpoint),
    Reader("study", _study, load_study),
    Reader("cell", _cell, _read_cell),
    Reader("task", _task, lambda path: Workshop(path.parent).open(TASK)),
    Reader("video", _video, _read_video),
)
"""Every reader of files that people or earlier commands have written."""
