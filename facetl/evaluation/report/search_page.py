"""The page on a search: which faces were found, from the surest to the most doubtful.

Like the report of an evaluation it is one file with everything inside it, and its content
security policy lets nothing else in; images and videos are linked to where they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """

    title: str
    runs: Mapping[str, KeptRun]
    scores: Mapping[str, float]
    summaries: Sequence[str]
    command: str
    link: Callable[[str], str | None]


def render_search_page(page: SearchPage) -> str:
    """Return the page as HTML."""
    environment = build_environment()
    read = environment.loader.get_source  # type: ignore[union-attr]
    return environment.get_template("search.html.jinja").render(
        title=page.title,
        summaries=page.summaries,
        command=page.command,
        version=VERSION,
        runs=[_describe_run(name, found, page) for name, found in page.runs.items()],
        style=COMMON_STYLE.read_text("utf-8") + read(environment, "search.css")[0],
        script=read(environment, "search.js")[0],
    )


def _describe_run(name: str, found: KeptRun, page: SearchPage) -> dict[str, Any]:
    faces = [_describe_face(face, page) for face in found.faces]
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
        "videos": [_describe_video(video, tracks, page) for video, tracks in videos.items()],
        "left_out": " and ".join(filter(None, left_out)),
    }


def _describe_face(face: ShownFace, page: SearchPage) -> dict[str, Any]:
    return {
        "name": face.image,
        "score": face.score,
        "picture": as_address(face.picture, "image/jpeg"),
        "link": page.link(face.image),
    }


def _describe_video(name: str, tracks: Sequence[ShownTrack], page: SearchPage) -> dict[str, Any]:
    """Return a video's timeline: tracks in lanes, in which none overlaps another; and its shots."""
    length = max(track.last for track in tracks) or 1.0
    lanes: list[float] = []
    described = []
    for track in tracks:
        lane = next((place for place, end in enumerate(lanes) if end < track.first), len(lanes))
        lanes[lane : lane + 1] = [track.last]
        described.append(_describe_track(track, lane, length, page.link(name)))
    shots: dict[int, list[dict[str, Any]]] = {}
    for track, each in zip(tracks, described, strict=True):
        shots.setdefault(track.shot, []).append(each)
    return {
        "name": name,
        "length": _clock(length),
        "height": _LANE * len(lanes),
        "tracks": described,
        "shots": [{"from": members[0]["from"], "tracks": members} for members in shots.values()],
    }


def _describe_track(
    track: ShownTrack, lane: int, length: float, link: str | None
) -> dict[str, Any]:
    left, top, width, height = (f"{100 * share:.2f}" for share in track.box)
    return {
        "number": track.number,
        "id": f"{track.video}-{track.number}",
        "score": track.score,
        "from": _clock(track.first),
        "to": _clock(track.last),
        "at": _clock(track.best),
        "frames": plural(track.frames, "frame"),
        "colour": track_colour(track.number),
        "left": f"{100 * track.first / length:.3f}",
        "width": f"{100 * max(track.last - track.first, 0.0) / length:.3f}",
        "top": lane * _LANE,
        "picture": as_address(track.picture, "image/webp"),
        "frame": as_address(track.frame, "image/webp"),
        "box": {"left": left, "top": top, "width": width, "height": height},
        "link": f"{link}#t={track.best:.2f}" if link else None,
    }


def _clock(seconds: float) -> str:
    """Return seconds as people write them: ``1:02:03.4``, ``2:03.4``."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
