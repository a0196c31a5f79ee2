"""Tracks with their times as other programs read them: tables, subtitles, chapters, key frames.

=============  ================================================================================
tracks-csv     ``NAME.tracks.csv``, a row a track: from when to when, frames, the best face
tracks-json    ``NAME.tracks.json``, the same by video, with size and exact rate
vtt            ``NAME.VIDEO.vtt``, WebVTT, a cue a track
srt            ``NAME.VIDEO.srt``, SubRip, which faces are seen; no two at one time
ffmetadata     ``NAME.VIDEO.ffmetadata``, chapters for FFmpeg: scenes with faces and without
after-effects  ``NAME.VIDEO.keyframes.json``, position and scale of each track over time
=============  ================================================================================

Where faces were named, tables have two columns more (``name``, ``name_score``), and texts say the
characters' names instead of numbers.

Markers for editing programs are in :mod:`facetl.results.marker_exports`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facetl.errors import printable
from facetl.files import write_text
from facetl.results.detections import Run
from facetl.results.timelines import (
    Timeline,
    TrackSpan,
    files_of,
    timelines_of,
)

_COLUMNS = (
    *("video", "track", "in", "out", "first_frame", "last_frame", "frames"),
    *("best_score", "best_time", "best_image", "x1", "y1", "x2", "y2"),
)
_NAMED = ("name", "name_score")
"""Columns that there are where faces were named."""
_LAYER = 100
"""Side in pixels of the layer that the key frames scale: a face 80 pixels wide is 80 % of it."""


def save_track_table(folder: Path, run: Run) -> list[Path]:
    """Write a row for each track, video by video."""
    timelines = timelines_of(run)
    columns = _COLUMNS + _NAMED * any(each.is_named for each in timelines)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for timeline in timelines:
        for span in timeline.tracks:
            facts = {"video": timeline.video, **facts_of(span, timeline)}
            corners = dict(zip(("x1", "y1", "x2", "y2"), facts.pop("best_box"), strict=True))
            writer.writerow([{**facts, **corners}.get(column) for column in columns])
    path = folder / f"{run.name}.tracks.csv"
    write_text(path, text.getvalue())
    return [path]


def save_track_document(folder: Path, run: Run) -> list[Path]:
    """Write the tracks of each video as JSON."""
    videos = [
        {
            "video": each.video,
            "size_hw": list(each.size_hw),
            "rate": f"{each.rate.numerator}/{each.rate.denominator}",
            "seconds": round(each.end, 6),
            "tracks": [facts_of(span, each) for span in each.tracks],
        }
        for each in timelines_of(run)
    ]
    path = folder / f"{run.name}.tracks.json"
    document = {"run": run.name, "videos": videos}
    write_text(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    return [path]


def facts_of(span: TrackSpan, timeline: Timeline) -> dict[str, Any]:
    """Return what a table says of a track; frames are numbers on the grid of the rate."""
    best = span.best
    named: dict[str, Any] = {}
    if span.name is not None and span.name_score is not None:
        named = {"name": span.name, "name_score": round(span.name_score, 6)}
    return {
        "track": span.number,
        "in": round(span.start, 6),
        "out": round(span.end, 6),
        "first_frame": timeline.frame_at(span.start),
        "last_frame": timeline.frame_at(span.sightings[-1].time),
        "frames": len(span.sightings),
        "best_score": best.score,
        "best_time": round(best.time, 6),
        "best_image": best.image,
        "best_box": list(best.box),
        **named,
    }


def save_webvtt(folder: Path, run: Run) -> list[Path]:
    """Write a cue for each track, which bears its number."""
    return _save_each(folder, run, ".vtt", _webvtt)


def _webvtt(run: Run, timeline: Timeline) -> str:
    blocks = ["WEBVTT", f"NOTE {_in_vtt(timeline.video)}, run {_in_vtt(run.name)}"]
    for span in timeline.tracks:
        times = f"{_clock(span.start, '.')} --> {_clock(span.end, '.')}"
        text = f"{_in_vtt(timeline.describe([span.number]))} ({span.best.score:.2f})"
        blocks.append(f"track-{span.number}\n{times}\n{text}")
    return "\n\n".join(blocks) + "\n"


def _in_vtt(text: str) -> str:
    """Return a text that may stand in a WebVTT file: in one line, and no arrow of times."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def save_subrip(folder: Path, run: Run) -> list[Path]:
    """Write subtitles that say which faces are seen; editors take no two at one time."""
    return _save_each(folder, run, ".srt", _subrip)


def _subrip(_: Run, timeline: Timeline) -> str:
    blocks = [
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{timeline.describe(tracks)}\n"
        for number, (start, end, tracks) in enumerate(timeline.stretches(), 1)
    ]
    return "\n".join(blocks)


def save_chapters(folder: Path, run: Run) -> list[Path]:
    """Write chapters for FFmpeg: scenes with faces, and the times between them."""
    return _save_each(folder, run, ".ffmetadata", _chapters)


def _chapters(_: Run, timeline: Timeline) -> str:
    # players that know where chapters begin, and not where they end, need those without faces
    chapters = [
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={_milliseconds(start)}\nEND={_milliseconds(end)}\n"
        f"title={_in_ffmetadata(timeline.describe(tracks))}\n"
        for start, end, tracks in timeline.scenes()
    ]
    return "".join([";FFMETADATA1\n", *chapters])


def _in_ffmetadata(text: str) -> str:
    """Return a text as FFmpeg's metadata have it."""
    return re.sub(r"([=;#\\])", r"\\\1", text)


def save_key_frames(folder: Path, run: Run) -> list[Path]:
    """Write position and scale of each face over time, as After Effects' scripts take them."""
    return _save_each(folder, run, ".keyframes.json", _key_frames)


def _key_frames(_: Run, timeline: Timeline) -> str:
    height, width = timeline.size_hw
    document = {
        "video": timeline.video,
        "width": width,
        "height": height,
        "frameRate": float(timeline.rate),
        "duration": round(timeline.end, 6),
        "layerSize": _LAYER,
        "tracks": [_keys_of(span, timeline) for span in timeline.tracks],
    }
    return json.dumps(document, ensure_ascii=False) + "\n"


def _keys_of(span: TrackSpan, timeline: Timeline) -> dict[str, Any]:
    boxes = [each.box for each in span.sightings]
    return {
        "name": timeline.describe([span.number]),
        "inPoint": round(span.start, 6),
        "outPoint": round(span.end, 6),
        "times": [round(each.time, 6) for each in span.sightings],
        "position": [[round((b[0] + b[2]) / 2, 3), round((b[1] + b[3]) / 2, 3)] for b in boxes],
        "scale": [
            [round(100 * (b[2] - b[0]) / _LAYER, 3), round(100 * (b[3] - b[1]) / _LAYER, 3)]
            for b in boxes
        ],
    }


def _save_each(
    folder: Path, run: Run, suffix: str, describe: Callable[[Run, Timeline], str]
) -> list[Path]:
    """Write a file for each video."""
    timelines = timelines_of(run)
    paths = [folder / name for name in files_of(run, timelines, suffix)]
    for path, timeline in zip(paths, timelines, strict=True):
        write_text(path, describe(run, timeline))
    return paths


def _milliseconds(time: float) -> int:
    return round(1000 * time)


def _clock(time: float, point: str) -> str:
    """Return seconds as ``01:02:03.456``."""
    seconds, rest = divmod(_milliseconds(time), 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{point}{rest:03}"
