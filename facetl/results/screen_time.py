"""Who is on screen when: the tracks of videos by the characters that they are.

============= ==================================================================================
timeline.csv  a row for each time that a character is seen: from when to when, and the best face
timeline.json the same by run, video and character, with the screen time of each
============= ==================================================================================

Times are seconds from the first frame of a video.  A character's screen time is how long at least
one of its tracks lasts; a track lasts from its first frame to the end of its last one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facetl.data.characters import UNKNOWN
from facetl.files import write_text
from facetl.results.timelines import Timeline, TrackSpan
from facetl.results.track_exports import facts_of

_FIRST = ("name", "in", "out", "seconds", "name_score", "track")
_COLUMNS = ("run", "video", *_FIRST, "frames", "best_score", "best_time", "best_image")


@dataclass(frozen=True)
class Appearances:
    """When a character is seen in a video.

    Attributes:
        name: of the character; ``unknown`` for all faces that are nobody's.
        tracks: in the order in which they are seen first; at least one.
    """

    name: str
    tracks: tuple[TrackSpan, ...]

    @property
    def seconds(self) -> float:
        """Screen time: two tracks at one time count once."""
        total = reached = 0.0
        for span in sorted(self.tracks, key=lambda each: each.start):
            total += max(span.end - max(span.start, reached), 0.0)
            reached = max(reached, span.end)
        return total


def appearances_in(timeline: Timeline) -> list[Appearances]:
    """Return the characters in a video, those seen longest first, unknown faces last."""
    tracks: dict[str, list[TrackSpan]] = {}
    for span in timeline.tracks:
        tracks.setdefault(span.name or UNKNOWN, []).append(span)
    found = [Appearances(name, tuple(spans)) for name, spans in tracks.items()]
    return sorted(found, key=lambda each: (each.name == UNKNOWN, -each.seconds, each.name))


def screen_times(timelines: Sequence[Timeline]) -> dict[str, float]:
    """Return seconds by character in all videos together, the most first, ``unknown`` last."""
    totals: dict[str, float] = {}
    for timeline in timelines:
        for each in appearances_in(timeline):
            totals[each.name] = totals.get(each.name, 0.0) + each.seconds
    names = sorted(totals, key=lambda name: (name == UNKNOWN, -totals[name], name))
    return {name: totals[name] for name in names}


def save_timeline_table(path: Path, found: Mapping[str, Sequence[Timeline]]) -> None:
    """Write a row for each track.

    Args:
        path: the file.
        found: the videos of each run.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run, timelines in found.items():
        for timeline in timelines:
            for each in appearances_in(timeline):
                head = {"run": run, "video": timeline.video}
                writer.writerows({**head, **_row(each, span, timeline)} for span in each.tracks)
    write_text(path, text.getvalue())


def _row(each: Appearances, span: TrackSpan, timeline: Timeline) -> dict[str, Any]:
    seconds = round(span.end - span.start, 6)
    return {**facts_of(span, timeline), "name": each.name, "seconds": seconds}


def save_timeline_document(path: Path, found: Mapping[str, Sequence[Timeline]]) -> None:
    """Write the characters of each run and video with their screen times, as JSON.

    Args:
        path: the file.
        found: the videos of each run.
    """
    runs = [
        {
            "run": run,
            "screen_time": {name: round(s, 6) for name, s in screen_times(timelines).items()},
            "videos": [_describe_video(timeline) for timeline in timelines],
        }
        for run, timelines in found.items()
    ]
    write_text(path, json.dumps({"runs": runs}, ensure_ascii=False, indent=1) + "\n")


def _describe_video(timeline: Timeline) -> dict[str, Any]:
    return {
        "video": timeline.video,
        "seconds": round(timeline.end, 6),
        "rate": f"{timeline.rate.numerator}/{timeline.rate.denominator}",
        "characters": [
            {
                "name": each.name,
                "screen_time": round(each.seconds, 6),
                "tracks": [_row(each, span, timeline) for span in each.tracks],
            }
            for each in appearances_in(timeline)
        ],
    }
