"""``facetl export``: a cascade for other programs, which need neither facetl nor torch."""

from __future__ import annotations

from typing import Any

import click

from facetl.cli import options
from facetl.cli.console import note


@click.command(short_help="Write the networks as ONNX, to run without torch.")
@click.option("--onnx", is_flag=True, help="Write ONNX files, so far the only kind.")
@click.option(
    "--weights",
    default="cartoon",
    type=options.READ_NAME,
    metavar="FILE",
    help="A weights file, 'cartoon' (shipped with facetl) or 'pretrained' (on photographs).",
)
@click.option(
    "--out",
    required=True,
    type=options.WRITE,
    metavar="FOLDER",
    help="Folder for the files.",
)
@options.force
def export(**given: Any) -> None:
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
    from facetl.commands.export import ExportRequest
    from facetl.commands.export import export as run

    result = run(ExportRequest(**given))
    for path in result.files:
        click.echo(path)
    note(f"next: python {result.runner} IMAGE")
