"""The three networks as ONNX files, and a runner beside them that needs no torch.

``pnet.onnx``, ``rnet.onnx`` and ``onet.onnx`` take ``pixels``, (N, 3, H, W) float32 RGB from 0 to
255, and give ``scores``, ``offsets`` and, ONet, ``landmarks``: normalising and softmax are
inside.  N is dynamic; H and W are for PNet, and 24 or 48 for the others.  The metadata of each
file holds one key, ``facetl``, a JSON object::

    {"format": "facetl-onnx", "version": 1, "facetl": "0.1.0", "stage": "pnet",
     "weights": "sha256 of the weights, 16 digits", "settings": {…}}

``run_onnx.py`` is a copy of :mod:`facetl.run_onnx`, which reads the settings from there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from facetl.data.interop import import_library
from facetl.files import write_bytes, write_text
from facetl.mtcnn.machine import own_caches
from facetl.mtcnn.networks import Network, Outputs, normalise
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.mtcnn.weights import Weights
from facetl.version import VERSION

if TYPE_CHECKING:
    from onnx import ModelProto

RUNNER = "run_onnx.py"
"""The runner's name, beside the networks."""

_OPSET, _IR_VERSION = 18, 8
"""Versions of ONNX's operators and of its files, of 2022: nothing newer is needed.

onnxruntime knows them from 1.14 on.
"""

_EXAMPLE_HW = (41, 50)  # an odd and an even side: what holds for both, holds for any


class _FromPixels(nn.Module):
    """A network from pixels to scores: as it is exported."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return scores, offsets and, if there are any, landmarks of (N, 3, H, W) pixels."""
        outputs: Outputs = self.network(normalise(pixels))
        landmarks = (outputs.landmarks,) if outputs.landmarks.shape[1] else ()
        return outputs.scores, outputs.offsets, *landmarks


def save_onnx(folder: Path, weights: Weights) -> list[Path]:
    """Write the three networks and the runner into a folder; return the files.

    Args:
        folder: made if it is missing; files of these names in it are replaced.
        weights: missing stages are pretrained.

    Raises:
        InputError: if the packages that it takes are not installed.
        OutputError: if the folder cannot be written.
    """
    require_onnx()
    models = {stage: _build_model(stage, weights) for stage in STAGES}
    for stage, model in models.items():
        write_bytes(folder / f"{stage}.onnx", model.SerializeToString())
    runner = Path(__file__).parents[1] / RUNNER
    write_text(folder / RUNNER, runner.read_text(encoding="utf-8"))
    return [*(folder / f"{stage}.onnx" for stage in models), folder / RUNNER]


def require_onnx() -> None:
    """Raise before the work if the packages for writing ONNX are missing.

    Raises:
        InputError: naming them and how to get them.
    """
    for library in ("onnx", "onnxscript"):
        import_library(library, "writing ONNX", "onnx onnxscript")


def _build_model(stage: Stage, weights: Weights) -> ModelProto:
    """Return a network as an ONNX model."""
    from onnx.helper import set_model_props

    network = _FromPixels(weights.network(stage)).eval()
    size = INPUT_SIZES[stage]
    height, width = _EXAMPLE_HW if stage == "pnet" else (size, size)
    dynamic = torch.export.Dim.DYNAMIC
    sizes = {0: dynamic, 2: dynamic, 3: dynamic} if stage == "pnet" else {0: dynamic}
    with torch.no_grad(), own_caches():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 3, height, width),),
            input_names=["pixels"],
            output_names=["scores", "offsets", "landmarks"][: 3 if stage == "onet" else 2],
            dynamic_shapes=(sizes,),
            dynamo=True,
            opset_version=_OPSET,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    model = program.model_proto
    model.ir_version = _IR_VERSION
    _drop_origins(model)
    set_model_props(model, {"facetl": json.dumps(_facts(stage, weights))})
    return model


def _facts(stage: Stage, weights: Weights) -> dict[str, object]:
    return {
        "format": "facetl-onnx",
        "version": 1,
        "facetl": VERSION,
        "stage": stage,
        "weights": weights.fingerprint,
        "settings": weights.settings.to_json(),
    }


def _drop_origins(model: ModelProto) -> None:
    """Take out where in whose source code each part was made."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
