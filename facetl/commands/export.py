"""A cascade for other programs, which need neither facetl nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facetl.commands.requests import ExportRequest as ExportRequest
from facetl.errors import UsageError
from facetl.files import refuse_to_overwrite, require_writable
from facetl.mtcnn.onnx_export import RUNNER, save_onnx
from facetl.mtcnn.weights import load_weights
from facetl.reporting import SILENT, Reporter


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        files: the networks and what runs them.
        runner: the program among them that finds faces with the networks.
    """

    files: Sequence[Path]
    runner: Path


def export(request: ExportRequest, reporter: Reporter = SILENT) -> ExportResult:
    """Write a cascade for programs that have neither facetl nor torch.

    Raises:
        UsageError: if no kind of file is asked for.
        InputError: if the weights cannot be read.
        OutputError: if something is in the way, or the folder cannot be written.
    """
    if not request.onnx:
        raise UsageError("found no kind of file to write; give --onnx")
    refuse_to_overwrite(request.out, force=request.force)
    require_writable(request.out)
    files = save_onnx(request.out, load_weights(request.weights))
    return ExportResult(files, request.out / RUNNER)
