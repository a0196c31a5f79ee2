"""What is remembered of a search: counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facetl.reporting import plural
from facetl.results.detections import FrameResult
from facetl.results.parquet import ShardCounts
from facetl.search.pipeline import Searched
from facetl.search.sinks import Sink


@dataclass
class _Counts:
    """Counts of images, or of frames of videos.

    Attributes:
        pictures: those that were searched, or got the boxes of the one before.
        carried: how many of them got those.
        skipped: how many could not be searched.
        faces: boxes of the score and above.
        proposals: windows that PNet left.
        timed: pictures of which it is known how long they took, all of them ``seconds``.
    """

    pictures: int = 0
    carried: int = 0
    skipped: int = 0
    faces: int = 0
    proposals: int = 0
    timed: int = 0
    seconds: float = 0.0

    @property
    def pace(self) -> float | None:
        """Seconds that a picture took, None if nobody knows."""
        return self.seconds / self.timed if self.timed else None


@dataclass
class Tally:
    """What one run has found.

    Attributes:
        score: from which boxes count as faces; a track counts if one of its boxes does.
        boxes: boxes of any score.
        images: counts of images.
        frames: counts of frames of videos.
        tracks: numbers of the faces that were followed, by video.
    """

    score: float
    boxes: int = 0
    images: _Counts = field(default_factory=_Counts)
    frames: _Counts = field(default_factory=_Counts)
    tracks: dict[str, set[int]] = field(default_factory=dict)

    def add(self, frame: FrameResult, video: str | None = None) -> None:
        """Count what was found in an image, or in a frame of a video."""
        counts, shown = self._of(video), frame.above(self.score)
        self.boxes += len(frame.detections)
        counts.pictures += 1
        counts.carried += frame.carried
        counts.faces += len(shown.detections)
        counts.proposals += frame.candidates.get("pnet", 0)
        if not (frame.carried or math.isnan(frame.seconds)):
            counts.timed += 1
            counts.seconds += frame.seconds
        if video is not None:
            numbers = (number for number in shown.tracks or () if number is not None)
            self.tracks.setdefault(video, set()).update(numbers)

    def skip(self, video: str | None = None) -> None:
        """Count an image that could not be read, or a fault of a video."""
        self._of(video).skipped += 1

    def add_shard(self, shard: ShardCounts, video: str | None = None) -> None:
        """Count what a shard holds."""
        counts = self._of(video)
        self.boxes += shard.boxes
        counts.pictures += shard.frames
        counts.skipped += len(shard.skipped)
        counts.faces += shard.faces

    @property
    def pictures(self) -> int:
        """How many images and frames were searched."""
        return self.images.pictures + self.frames.pictures

    @property
    def skipped(self) -> int:
        """How many images could not be read, and what was wrong with videos."""
        return self.images.skipped + self.frames.skipped

    def describe(self, name: str) -> str:
        """Return the counts of the run of a name in words: a line for images, one for videos."""
        lines = []
        if self.images.pictures or self.images.skipped:
            lines.append(f"{name}: {self._describe_images()}")
        if self.frames.pictures or not lines:
            lines.append(f"{name}: {self._describe_frames()}")
        return "\n".join([*lines, self._describe_score()])

    def summarise(self, name: str) -> str:
        """Return in a sentence how many faces the run of a name shows, and of how much."""
        told = []
        if self.images.pictures:
            faces, images = self.images.faces, self.images.pictures
            told.append(f"{plural(faces, 'face')} in {plural(images, 'image')}")
        if self.frames.pictures:
            tracks = sum(map(len, self.tracks.values()))
            frames = plural(self.frames.pictures, "frame")
            told.append(f"{plural(tracks, 'face')} followed through {frames} of video")
        skipped = f"; {self.skipped} could not be read" if self.skipped else ""
        return f"{name}: {', '.join(told)}, from score {self.score:g} on{skipped}."

    def describe_shards(self, name: str) -> str:
        """Return what shards tell of the run of a name in words."""
        kinds = {"images": self.images, "frames": self.frames}
        kind = " and ".join(kind for kind, each in kinds.items() if each.pictures or each.skipped)
        faces = plural(self.images.faces + self.frames.faces, "face")
        pictures = plural(self.pictures, kind.removesuffix("s"), kind)
        found = f"{faces} in {pictures} ({self.skipped} skipped)"
        return f"{name}: {found}\n{self._describe_score()}"

    def _describe_images(self) -> str:
        counts = self.images
        proposals = counts.proposals / max(counts.pictures, 1)
        seconds = "" if counts.pace is None else f" and {counts.pace:.3f} s"
        return (
            f"{plural(counts.faces, 'face')} in {plural(counts.pictures, 'image')} "
            f"({counts.skipped} skipped), "
            f"{proposals:.0f} proposals{seconds} an image"
        )

    def _describe_frames(self) -> str:
        counts = self.frames
        carried = f" ({counts.carried} carried over)" if counts.carried else ""
        pace = "" if counts.pace is None else f", {counts.pace:.3f} s a frame searched"
        tracks = plural(sum(map(len, self.tracks.values())), "track")
        boxes, frames = plural(counts.faces, "box", "boxes"), plural(counts.pictures, "frame")
        return f"{boxes} and {tracks} in {frames}{carried}{pace}"

    def _describe_score(self) -> str:
        boxes = plural(self.boxes, "box", "boxes")
        return f"  at score {self.score:g} and more; the file has {boxes} in all"

    def _of(self, video: str | None) -> _Counts:
        return self.images if video is None else self.frames


class Tallies(Sink):
    """Counts what all runs find.

    Args:
        by_run: the counts, by name of the run.
    """

    def __init__(self, by_run: Mapping[str, Tally]) -> None:
        self.by_run = by_run

    def take(self, searched: Searched[Any]) -> None:
        """Count what was found in a picture."""
        for name, tally in self.by_run.items():
            if searched.skipped:
                tally.skip(searched.picture.video)
            else:
                tally.add(searched.results[name], searched.picture.video)
