"""The page on a search: which faces were found, from the surest to the most doubtful.

Like the report of an evaluation it is one file with everything inside it, and its content
security policy lets nothing else in; images and videos are linked to where they lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from facetl.data.characters import UNKNOWN
from facetl.evaluation.report.templating import as_address, build_environment
from facetl.palette import COMMON_STYLE, track_colour
from facetl.reporting import plural
from facetl.search.gallery import KeptRun, ShownFace, ShownTrack
from facetl.version import VERSION

_LANE = 14
"""Height of a track on the timeline, in pixels."""


@dataclass(frozen=True)
class SearchPage:
    """What the page shows.

    Attributes:
        title: what was searched.
        runs: what is kept of each run, by its name.
        scores: from which score each run shows its faces.
        summaries: what each run found, in words.
        command: the command that was typed, without ``--score``; may be empty.
        link: from the name of an image or a video to its address; None if it is not there.
        colours: of the characters that faces can be called, by their names.
        beside: the address of the page on who is on screen when; None if there is none.
    """

    title: str
    runs: Mapping[str, KeptRun]
    scores: Mapping[str, float]
    summaries: Sequence[str]
    command: str
    link: Callable[[str], str | None]
    colours: Mapping[str, str] = field(default_factory=dict)
    beside: str | None = None


def render_search_page(page: SearchPage) -> str:
    """Return the page as HTML."""
    environment = build_environment()
    read = environment.loader.get_source  # type: ignore[union-attr]
    return environment.get_template("search.html.jinja").render(
        title=page.title,
        summaries=page.summaries,
        command=page.command,
        beside=page.beside,
        version=VERSION,
        runs=[_describe_run(name, found, page) for name, found in page.runs.items()],
        style=COMMON_STYLE.read_text("utf-8") + read(environment, "search.css")[0],
        script=read(environment, "search.js")[0],
    )


def _describe_run(name: str, found: KeptRun, page: SearchPage) -> dict[str, Any]:
    faces = [_describe_face(face, page) for face in found.faces]
    names = [*(face.name for face in found.faces), *(track.name for track in found.tracks)]
    named = Counter(name for name in names if name)
    videos: dict[str, list[ShownTrack]] = {}
    for track in found.tracks:
        videos.setdefault(track.video, []).append(track)
    left_out = [
        plural(found.faces_left_out, "face") if found.faces_left_out else "",
        plural(found.tracks_left_out, "short track") if found.tracks_left_out else "",
    ]
    return {
        "name": name,
        "score": page.scores[name],
        "faces": faces,
        "characters": sorted(named.items(), key=lambda each: (each[0] == UNKNOWN, -each[1])),
        "videos": [_describe_video(video, tracks, page) for video, tracks in videos.items()],
        "left_out": " and ".join(filter(None, left_out)),
    }


def _describe_face(face: ShownFace, page: SearchPage) -> dict[str, Any]:
    return {
        "name": face.image,
        "score": face.score,
        "who": face.name,
        "colour": page.colours[face.name] if face.name else None,
        "picture": as_address(face.picture, "image/jpeg"),
        "link": page.link(face.image),
    }


def _describe_video(name: str, tracks: Sequence[ShownTrack], page: SearchPage) -> dict[str, Any]:
    """Return a video's timeline: tracks in lanes, in which none overlaps another; and its shots."""
    length = max(track.last for track in tracks) or 1.0
    lanes = assign_lanes([(track.first, track.last) for track in tracks])
    described = [
        _describe_track(track, lane, length, page)
        for track, lane in zip(tracks, lanes, strict=True)
    ]
    shots: dict[int, list[dict[str, Any]]] = {}
    for track, each in zip(tracks, described, strict=True):
        shots.setdefault(track.shot, []).append(each)
    return {
        "name": name,
        "length": clock(length),
        "height": _LANE * (max(lanes) + 1),
        "tracks": described,
        "shots": [{"from": members[0]["from"], "tracks": members} for members in shots.values()],
    }


def assign_lanes(times: Sequence[tuple[float, float]]) -> list[int]:
    """Return a lane for each time, from 0 on, so that no two in one overlap.

    Args:
        times: first and last second of each, in the order of the first.
    """
    ends: list[float] = []
    chosen = []
    for first, last in times:
        lane = next((place for place, end in enumerate(ends) if end <= first), len(ends))
        ends[lane : lane + 1] = [last]
        chosen.append(lane)
    return chosen


def _describe_track(
    track: ShownTrack, lane: int, length: float, page: SearchPage
) -> dict[str, Any]:
    link = page.link(track.video)
    colour = page.colours[track.name] if track.name else track_colour(track.number)
    left, top, width, height = (f"{100 * share:.2f}" for share in track.box)
    return {
        "number": track.number,
        "id": f"{track.video}-{track.number}",
        "score": track.score,
        "from": clock(track.first),
        "to": clock(track.last),
        "at": clock(track.best),
        "frames": plural(track.frames, "frame"),
        "who": track.name,
        "colour": colour,
        "left": f"{100 * track.first / length:.3f}",
        "width": f"{100 * max(track.last - track.first, 0.0) / length:.3f}",
        "top": lane * _LANE,
        "picture": as_address(track.picture, "image/webp"),
        "frame": as_address(track.frame, "image/webp"),
        "box": {"left": left, "top": top, "width": width, "height": height},
        "link": f"{link}#t={track.best:.2f}" if link else None,
    }


def clock(seconds: float) -> str:
    """Return seconds as people write them: ``1:02:03.4``, ``2:03.4``."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
