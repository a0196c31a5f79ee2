"""Tracks as markers for editing programs.

======  ===================================================================================
edl     ``NAME.VIDEO.edl``, CMX 3600: an event of one frame, with a marker, where faces begin
fcpxml  ``NAME.fcpxml``, Final Cut Pro's XML 1.10: each video as a clip, with a marker a track
======  ===================================================================================

In an EDL, time code begins at one hour, as timelines of DaVinci Resolve do, and no frame is
dropped.  A marker stands there twice: as ``* LOC:``, for Avid and others, and as Resolve writes it
(``|C: |M: |D:``), with its length.  Tracks that begin in one frame share a marker, for Resolve
has only one a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from facetl.errors import printable
from facetl.files import UNENCODABLE, write_text
from facetl.results.detections import Run
from facetl.results.timelines import Timeline, files_of, timelines_of

_START = 3600
"""Seconds of time code at which an EDL begins."""
_LONGEST_TITLE = 70
"""Letters of an EDL's title, by CMX 3600."""


def save_edl(folder: Path, run: Run) -> list[Path]:
    """Write an edit decision list for each video."""
    timelines = timelines_of(run)
    paths = [folder / name for name in files_of(run, timelines, ".edl")]
    for path, timeline in zip(paths, timelines, strict=True):
        write_text(path, "".join(_edl(timeline)))
    return paths


def _edl(timeline: Timeline) -> Iterator[str]:
    name = printable(timeline.video)
    yield f"TITLE: {name[:_LONGEST_TITLE]}\nFCM: NON-DROP FRAME\n"
    starting: dict[int, list[tuple[int, int]]] = {}
    for span in timeline.tracks:
        first, end = timeline.frame_at(span.start), timeline.frame_at(span.end)
        starting.setdefault(first, []).append((span.number, max(end - first, 1)))
    for event, (first, spans) in enumerate(starting.items(), 1):
        times = _time_code(first, timeline), _time_code(first + 1, timeline)
        text = timeline.describe([number for number, _ in spans]).replace("|", "/")
        yield (
            f"\n{event:03}  AX       V     C        {' '.join(times * 2)}\n"
            f"* FROM CLIP NAME: {name}\n"
            f"* LOC: {times[0]} BLUE    {text}\n"
            f" |C:ResolveColorBlue |M:{text} |D:{max(length for _, length in spans)}\n"
        )


def _time_code(frame: int, timeline: Timeline) -> str:
    """Return the time code of a frame, of as many frames a second as the rate is rounded to."""
    base = max(round(timeline.rate), 1)
    seconds, frames = divmod(frame + _START * base, base)
    hours, minutes = seconds // 3600 % 24, seconds // 60 % 60
    return f"{hours:02}:{minutes:02}:{seconds % 60:02}:{frames:02}"


def save_fcpxml(folder: Path, run: Run) -> list[Path]:
    """Write one document with a project for each video."""
    root = Element("fcpxml", version="1.10")
    resources = SubElement(root, "resources")
    event = SubElement(SubElement(root, "library"), "event", name="facetl")
    for number, timeline in enumerate(timelines_of(run), 1):
        _add_resources(resources, timeline, number)
        _add_project(event, timeline, number)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    path = folder / f"{run.name}.fcpxml"
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n{text}\n')
    return [path]


def _add_resources(resources: Element, timeline: Timeline, number: int) -> None:
    """Add the format and the file of a video, which is expected beside the document."""
    height, width = timeline.size_hw
    name, form = printable(timeline.video), f"format{number}"
    size = {"width": str(width), "height": str(height)}
    SubElement(resources, "format", {"id": form, "frameDuration": _seconds(1, timeline), **size})
    facts = {"start": "0s", "duration": _length(timeline), "hasVideo": "1", "format": form}
    asset = SubElement(resources, "asset", {"id": f"video{number}", "name": name, **facts})
    source = quote(timeline.video, errors=UNENCODABLE)
    SubElement(asset, "media-rep", kind="original-media", src=f"./{source}")


def _add_project(event: Element, timeline: Timeline, number: int) -> None:
    name = printable(timeline.video)
    project = SubElement(event, "project", name=name)
    length = _length(timeline)
    sequence = SubElement(
        project,
        "sequence",
        {"format": f"format{number}", "duration": length, "tcStart": "0s", "tcFormat": "NDF"},
    )
    clip = SubElement(
        SubElement(sequence, "spine"),
        "asset-clip",
        {"ref": f"video{number}", "name": name, "offset": "0s", "duration": length},
    )
    for span in timeline.tracks:
        first, end = timeline.frame_at(span.start), timeline.frame_at(span.end)
        SubElement(
            clip,
            "marker",
            start=_seconds(first, timeline),
            duration=_seconds(max(end - first, 1), timeline),
            value=timeline.describe([span.number]),
            note=f"best score {span.best.score:.3f} at {span.best.time:.3f} s",
        )


def _length(timeline: Timeline) -> str:
    return _seconds(max(timeline.frame_at(timeline.end), 1), timeline)


def _seconds(frames: int, timeline: Timeline) -> str:
    """Return how long frames last as a fraction of seconds, on the grid that Final Cut needs."""
    rate = timeline.rate
    return f"{frames * rate.denominator}/{rate.numerator}s" if frames else "0s"
