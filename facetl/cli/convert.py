"""``facetl convert``: annotated frames, or detections, in another format."""

from __future__ import annotations

from typing import Any

import click

from facetl.cli import options
from facetl.cli.ending import ConsoleReporter
from facetl.cli.exports import EXPORT_NAMES, print_exports
from facetl.data.formats.table import readable, writable

_DATASETS = [name for name in writable() if name in readable()]
TARGETS = list(dict.fromkeys((*_DATASETS, *EXPORT_NAMES, *writable())))


@click.command(short_help="Write annotations or detections in another format.")
@click.argument("source", metavar="IN", type=options.READ, callback=options.expecting("annotated"))
@click.argument("out", metavar="OUT", type=options.WRITE)
@click.option(
    "--to", "target", required=True, type=click.Choice(TARGETS), help="The format to write."
)
@click.option(
    "--images",
    type=options.READ,
    metavar="FOLDER",
    help="The frames, if IN is their annotation file and they are not beside it.",
)
@options.annotation_format
@click.option(
    "--part",
    type=click.Choice(["all", "train", "val", "test"]),
    default="all",
    help="Which part to convert, if IN has several.",
)
@click.option(
    "--with-images",
    "placing",
    type=click.Choice(["copy", "link", "none"]),
    default="copy",
    help="Copy the frames into OUT, link to them, or write only annotations.",
)
@click.option(
    "--difficult",
    type=click.Choice(["ignore", "face"]),
    default="ignore",
    help="Whether objects that Pascal VOC marks as difficult are ignored or are faces like any "
    "other.",
)
@options.score
@options.on_error
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def convert(**given: Any) -> None:
    """Write the annotated frames in IN, or the detections in IN, to OUT in another format.

    Annotated frames, in any format that facetl reads, become a data set in COCO, YOLO, Pascal
    VOC or the course's text: a folder with annotations and frames, or one file of annotations
    if OUT ends in .json (COCO) or .txt (the course's).  Labels become classes; a face without
    a label gets the class "face".  Ignored regions are preserved in COCO (iscrowd) and VOC
    (difficult); the other formats cannot represent them.

    Detections, as facetl detect writes them, become COCO results, YOLO text, CSV or the
    course's three arrays: boxes with at least the run's score, or --score.
    Average precision needs all boxes: --score 0.

    Both can become pre-annotations, to be corrected in CVAT or Label Studio.

    \b
    Examples:
      facetl convert cartoons yolo-cartoons --to yolo
      facetl convert frames for-cvat --to cvat
      facetl convert faces.txt faces.json --images frames --to coco
      facetl convert results/cartoon.detections.json corrections --to cvat
    """
    from facetl.commands import convert as command

    result = command.convert(command.ConvertRequest(**given), ConsoleReporter())
    for part, (frames, faces) in result.counts.items():
        title = f"{part}: " if len(result.counts) > 1 else ""
        click.echo(f"{title}{frames} frames, {faces} faces")
    print_exports(result.written)
