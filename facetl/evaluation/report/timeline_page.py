"""The page on who is on screen when: a lane for each character, a face for each track.

Like the page on a search it is one file with everything inside it; videos are linked to where they
lie, at the moment in which a face is seen best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facetl.data.characters import UNKNOWN, colours_of
from facetl.evaluation.report.search_page import assign_lanes, clock
from facetl.evaluation.report.templating import as_address, build_environment
from facetl.palette import COMMON_STYLE
from facetl.reporting import plural
from facetl.results.screen_time import Appearances, appearances_in, screen_times
from facetl.results.timelines import Timeline, TrackSpan
from facetl.search.gallery import KeptRun, ShownTrack
from facetl.version import VERSION

_LANE = 18
"""Height of a track in a lane, in pixels."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000)
"""Seconds that may lie between two marks."""
_MOST_MARKS = 6


@dataclass(frozen=True)
class TimelinePage:
    """What the page shows.

    Attributes:
        title: what was searched.
        found: the videos of each run, by its name.
        pictures: what is kept of each run, by its name.
        characters: who can be recognised; each has a colour.
        link: from the name of a video to its address; None if it is not there.
        beside: the address of the page on the search; None if there is none.
    """

    title: str
    found: Mapping[str, Sequence[Timeline]]
    pictures: Mapping[str, KeptRun]
    characters: Sequence[str]
    link: Callable[[str], str | None]
    beside: str | None = None


def render_timeline_page(page: TimelinePage) -> str:
    """Return the page as HTML."""
    environment = build_environment()
    read = environment.loader.get_source  # type: ignore[union-attr]
    styles = [read(environment, f"{name}.css")[0] for name in ("search", "timeline")]
    return environment.get_template("timeline.html.jinja").render(
        title=page.title,
        beside=page.beside,
        version=VERSION,
        runs=[_describe_run(name, found, page) for name, found in page.found.items()],
        style=COMMON_STYLE.read_text("utf-8") + "".join(styles),
        script=read(environment, "search.js")[0],
    )


def _describe_run(name: str, timelines: Sequence[Timeline], page: TimelinePage) -> dict[str, Any]:
    totals, length = screen_times(timelines), sum(each.end for each in timelines) or 1.0
    colours = colours_of([*page.characters, *totals])
    shown: dict[tuple[str, int], ShownTrack] = {}
    for track in sorted(page.pictures[name].tracks, key=lambda each: each.score):
        shown[track.video, track.number] = track
    spans = [(each.video, span.number) for each in timelines for span in each.tracks]
    left_out = sum(key not in shown for key in spans)
    return {
        "name": name,
        "length": clock(length),
        "totals": [
            {
                "name": who,
                "colour": colours[who],
                "time": clock(seconds),
                "share": f"{100 * seconds / length:.1f}",
            }
            for who, seconds in totals.items()
        ],
        "videos": [_describe_video(each, shown, colours, page) for each in timelines],
        "left_out": plural(left_out, "short track") if left_out else "",
    }


def _describe_video(
    timeline: Timeline,
    shown: Mapping[tuple[str, int], ShownTrack],
    colours: Mapping[str, str],
    page: TimelinePage,
) -> dict[str, Any]:
    length = timeline.end or 1.0
    step = next((each for each in _STEPS if length / each <= _MOST_MARKS), _STEPS[-1])
    link = page.link(timeline.video)
    marks = [place * step for place in range(int(length / step) + 1)]
    return {
        "name": timeline.video,
        "length": clock(length),
        "marks": [{"at": _time_of(each), "left": _share(each, length)} for each in marks],
        "characters": [
            _describe_character(each, timeline, shown, colours[each.name], link)
            for each in appearances_in(timeline)
        ],
    }


def _describe_character(
    each: Appearances,
    timeline: Timeline,
    shown: Mapping[tuple[str, int], ShownTrack],
    colour: str,
    link: str | None,
) -> dict[str, Any]:
    length = timeline.end or 1.0
    lanes = assign_lanes([(span.start, span.end) for span in each.tracks])
    tracks = [
        {
            **_describe_track(span, length, link),
            **_pictures_of(shown.get((timeline.video, span.number))),
            "top": _LANE * lane,
            "id": f"{timeline.video}-{span.number}",
        }
        for span, lane in zip(each.tracks, lanes, strict=True)
    ]
    return {
        "name": each.name,
        "is_unknown": each.name == UNKNOWN,
        "colour": colour,
        "time": clock(each.seconds),
        "share": f"{100 * each.seconds / length:.0f}",
        "times": plural(len(tracks), "time"),
        "height": _LANE * (max(lanes) + 1),
        "tracks": tracks,
    }


def _describe_track(span: TrackSpan, length: float, link: str | None) -> dict[str, Any]:
    best = span.best
    return {
        "number": span.number,
        "from": clock(span.start),
        "to": clock(span.end),
        "at": clock(best.time),
        "seconds": f"{span.end - span.start:.1f} s",
        "score": best.score,
        "name_score": span.name_score,
        "left": _share(span.start, length),
        "width": _share(span.end - span.start, length),
        "link": f"{link}#t={best.time:.2f}" if link else None,
    }


def _pictures_of(track: ShownTrack | None) -> dict[str, Any]:
    """Return the face and the whole frame, if they are kept, and where the face is."""
    if track is None:
        return {"picture": None}
    left, top, width, height = (f"{100 * share:.2f}" for share in track.box)
    return {
        "picture": as_address(track.picture, "image/webp"),
        "frame": as_address(track.frame, "image/webp"),
        "box": {"left": left, "top": top, "width": width, "height": height},
    }


def _share(time: float, length: float) -> str:
    """Return a time as a percentage of a video's length."""
    return f"{100 * time / length:.3f}"


def _time_of(seconds: int) -> str:
    return clock(seconds).removesuffix(".0")
