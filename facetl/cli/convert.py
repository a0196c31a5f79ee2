"""``facetl convert``: annotated frames, or detections, in another format."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import print_written
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import ConvertRequest
from facetl.reporting import plural


@options.command(ConvertRequest, "Write annotations or detections in another format.")
def convert(request: ConvertRequest) -> None:
    """Write boxes around faces in another program's format: true faces, or those that were found.

    \b
    Examples:
      facetl cartoons cartoons
      facetl convert cartoons yolo-cartoons --to yolo
      facetl convert frames for-cvat --to cvat
      facetl convert faces.txt faces.json --images frames --to coco
      facetl convert results/cartoon.detections.json corrections --to cvat

    IN is a folder of annotated frames, or a file that facetl detect has written; OUT is what is
    written.  For corrections by hand, --to cvat, label-studio and labelme write what these
    programs open.

    In detail:

    Annotated frames, in any format that facetl reads, become a data set in COCO, YOLO, Pascal
    VOC or the course's text: a folder with annotations and frames, or one file of annotations
    if OUT ends in .json (COCO) or .txt (the course's).  Labels become classes; a face without
    a label gets the class "face".  Ignored regions are preserved in COCO (iscrowd) and VOC
    (difficult); the other formats cannot represent them.

    Detections, as facetl detect writes them, become COCO results, YOLO text, CSV or the
    course's three arrays: boxes with at least the run's score (how sure the detector is, from 0
    to 1), or --score.  To compute average precision elsewhere, write all boxes: --score 0.
    """
    from facetl.commands import convert as command

    result = command.convert(request, ConsoleReporter())
    for part, (frames, faces) in result.counts.items():
        title = f"{part}: " if len(result.counts) > 1 else ""
        click.echo(f"{title}{plural(frames, 'frame')}, {plural(faces, 'face')}")
    print_written(result.written)
