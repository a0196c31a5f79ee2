"""``facetl export``: a cascade for other programs, which need neither facetl nor torch."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import note
from facetl.commands.requests import ExportRequest


@options.command(
    ExportRequest, "Write a detector for use in other programs.", "onnx out weights force"
)
def export(request: ExportRequest) -> None:
    """Write a detector as files for use in other programs, without facetl.

    \b
    Examples:
      facetl export --onnx --out networks
      facetl export --onnx --weights mine.safetensors --out networks
      pip install numpy pillow onnxruntime
      python networks/run_onnx.py photo.jpg

    Writes the networks in ONNX, a format for networks that many programs read, and run_onnx.py, a
    short program that finds the same boxes with them as facetl does.

    In detail:

    The files are pnet.onnx, rnet.onnx and onet.onnx, the detector's three networks, of which each
    checks what the one before lets through.  They take any number of windows and, for PNet, images
    of any size; the scores to pass each (thresholds) and the sizes at which PNet looks at an image
    (the pyramid) stand in their metadata.  Weights that rescore, such as cartoon-large, bring a
    fourth, rescorer.onnx, with its licence.
    """
    from facetl.commands.export import export as run

    result = run(request)
    for path in result.files:
        click.echo(path)
    note(f"next: python {result.runner} IMAGE")
