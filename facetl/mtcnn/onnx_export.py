"""The networks as ONNX files, and a runner beside them that needs no torch.

``pnet.onnx``, ``rnet.onnx`` and ``onet.onnx`` take ``pixels``, (N, 3, H, W) float32 RGB from 0 to
255, and give ``scores``, ``offsets`` and, ONet, ``landmarks``: normalising and softmax are
inside.  N is dynamic; H and W are for PNet, and 24 or 48 for the others.  The metadata of each
of them holds one key, ``facetl``, a JSON object::

    {"format": "facetl-onnx", "version": 1, "facetl": "0.1.0", "stage": "pnet",
     "weights": "sha256 of the weights, 16 digits", "settings": {…}}

``run_onnx.py`` is a copy of :mod:`facetl.run_onnx`, which reads the settings from there.  Beside
weights that rescore lies ``rescorer.onnx``, which takes (N, 3, 96, 96) pixels and gives
``log_odds`` and ``corners``, with its licence.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facetl.files import write_bytes
from facetl.mtcnn import onnx_format
from facetl.mtcnn.layers import LAYERS, ONET_FEATURES, Layer
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.mtcnn.weights import RESCORER_FILE, RESCORER_LICENSE, Weights
from facetl.version import VERSION

RUNNER = "run_onnx.py"
"""The runner's name, beside the networks."""

_OPSET, _IR_VERSION = 18, 8
"""Versions of ONNX's operators and of its files, of 2022: nothing newer is needed.

onnxruntime knows them from 1.14 on.
"""
FEATURES = "features"
"""The name of the output of the hidden dense layer."""
_OUTPUTS = ("scores", "offsets", "landmarks")


def save_onnx(folder: Path, weights: Weights) -> list[Path]:
    """Write the networks and the runner into a folder; return the files.

    Args:
        folder: made if it is missing; files of these names in it are replaced, or removed if
            these weights do not need them.
        weights: missing stages are pretrained.

    Raises:
        OutputError: if the folder cannot be written.
    """
    whole = weights.completed()
    files = {f"{stage}.onnx": build_model(stage, whole) for stage in STAGES}
    for path in (RESCORER_FILE, RESCORER_LICENSE):
        if weights.settings.rescored:
            files[path.name] = path.read_bytes()
        else:
            (folder / path.name).unlink(missing_ok=True)  # of an earlier export
    files[RUNNER] = (Path(__file__).parents[1] / RUNNER).read_bytes()
    for name, data in files.items():
        write_bytes(folder / name, data)
    return [folder / name for name in files]


class _Graph:
    """The operators of a network, each with one output, and the arrays that they take."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.arrays: dict[str, NDArray[Any]] = {}

    def add(self, operator: str, *inputs: str, name: str = "", **how: Any) -> str:
        """Add an operator; return the name of its output."""
        output = name or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(onnx_format.node(operator, inputs, output, how))
        return output

    def constant(self, name: str, values: Any) -> str:
        """Add an array; return its name."""
        self.arrays[name] = np.asarray(values)
        return name

    def add_layer(self, layer: Layer, state: dict[str, NDArray[Any]], features: str) -> str:
        """Add a layer with its PReLU and its pooling, if it has them."""
        weight, bias = (
            self.constant(f"{layer.name}.{each}", state[f"{layer.name}.{each}"])
            for each in ("weight", "bias")
        )
        if layer.kernel:
            features = self.add("Conv", features, weight, bias)
        else:
            features = self.add("Gemm", features, weight, bias, transB=1)
        if layer.is_output:
            return features
        slopes = state[f"{layer.prelu}.weight"]
        shaped = slopes[:, None, None] if layer.kernel else slopes
        features = self.add("PRelu", features, self.constant(f"{layer.prelu}.weight", shaped))
        if layer.pool:
            sides = [layer.pool, layer.pool]
            features = self.add(
                "MaxPool", features, kernel_shape=sides, strides=[2, 2], ceil_mode=1
            )
        return features


def build_model(stage: Stage, weights: Weights, *, with_features: bool = False) -> bytes:
    """Return a network as the bytes of an ONNX file, from pixels to scores.

    Args:
        stage: which network.
        weights: of all three networks.
        with_features: whether it also gives ``features``, those of its hidden dense layer.
    """
    graph, state = _Graph(), weights.stages[stage]
    middle = graph.constant("middle", np.float32(127.5))
    step = graph.constant("step", np.float32(0.0078125))
    features = graph.add("Mul", graph.add("Sub", "pixels", middle), step)
    said_by = []
    is_flat = False
    for layer in LAYERS[stage]:
        if not layer.kernel and not is_flat:
            features = graph.add("Flatten", graph.add("Transpose", features, perm=[0, 3, 2, 1]))
            is_flat = True
        said = graph.add_layer(layer, state, features)
        if layer.is_output:
            said_by.append(said)
        else:
            features = said
    first = graph.constant("face", np.int64(1))
    scores = graph.add("Gather", graph.add("Softmax", said_by[0], axis=1), first, axis=1)
    names = [
        graph.add("Identity", said, name=name)
        for said, name in zip([scores, *said_by[1:]], _OUTPUTS, strict=False)
    ]
    inputs, outputs = _ends(stage, names)
    if with_features:
        graph.add("Identity", features, name=FEATURES)
        outputs.append(onnx_format.value(FEATURES, ["N", ONET_FEATURES]))
    made = onnx_format.message(
        *((1, node) for node in graph.nodes),
        (2, stage),
        *((5, onnx_format.tensor(name, array)) for name, array in graph.arrays.items()),
        *((11, value) for value in inputs),
        *((12, value) for value in outputs),
    )
    facts = {"facetl": json.dumps(_facts(stage, weights))}
    return onnx_format.model(made, _OPSET, _IR_VERSION, "facetl", facts)


def _ends(stage: Stage, names: list[str]) -> tuple[list[bytes], list[bytes]]:
    """Return what a model takes and gives, with the shapes of both."""
    size = INPUT_SIZES[stage]
    taken: list[int | str] = ["N", 3, "H", "W"] if stage == "pnet" else ["N", 3, size, size]
    windows = ["rows", "columns"] if stage == "pnet" else []
    counts = [layer.outputs for layer in LAYERS[stage] if layer.is_output]
    given = [[], *([count] for count in counts[1:])]
    return [onnx_format.value("pixels", taken)], [
        onnx_format.value(name, ["N", *count, *windows])
        for name, count in zip(names, given, strict=True)
    ]


def _facts(stage: Stage, weights: Weights) -> dict[str, object]:
    return {
        "format": "facetl-onnx",
        "version": 1,
        "facetl": VERSION,
        "stage": stage,
        "weights": weights.fingerprint,
        "settings": weights.settings.to_json(),
    }
