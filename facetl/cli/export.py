"""``facetl export``: a cascade for other programs, which need neither facetl nor torch."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import note
from facetl.commands.requests import ExportRequest


@options.command(
    ExportRequest, "Write the networks as ONNX, to run without torch.", "onnx weights ..."
)
def export(request: ExportRequest) -> None:
    """Write a cascade for use without facetl or torch.

    With --onnx: pnet.onnx, rnet.onnx and onet.onnx, for any number of windows and, for PNet,
    images of any size, with thresholds and pyramid in their metadata; and run_onnx.py, a short
    NumPy detector that finds the same boxes as facetl.

    \b
    Example:
      facetl export --onnx --weights cascade.safetensors --out networks
      pip install numpy pillow onnxruntime
      python networks/run_onnx.py photo.jpg
    """
    from facetl.commands.export import export as run

    result = run(request)
    for path in result.files:
        click.echo(path)
    note(f"next: python {result.runner} IMAGE")
