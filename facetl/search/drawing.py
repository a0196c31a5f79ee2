"""What is drawn of what is found: overlays, crops, annotated videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from facetl.boxes import Boxes
from facetl.data.hiding import Hiding
from facetl.reporting import Reporter
from facetl.search.crops import CROPS, CropCutter, Cropping, make_way
from facetl.search.drawn_video import DRAWN, DrawnVideos, drawing_boxes
from facetl.search.hiding import HIDDEN, HiddenImages, hiding_in_video
from facetl.search.sinks import OVERLAYS, Overlays, Sink
from facetl.search.video import NamedVideo


@dataclass(frozen=True)
class Drawing:
    """What is drawn of what is found; nothing, unless something is asked for.

    Attributes:
        out: the folder in which each kind of picture has a folder.
        overlays: whether images are drawn with the boxes on them.
        faces: (N, 4) true boxes by name of the image, drawn on overlays.
        cropping: how faces are cut out; None if they are not.
        twins: names without suffix that several images have.
        taken: names of images whose overlays have to be called otherwise.
        videos: whether copies of videos are written with boxes on them.
        hiding: in which ways copies of images and videos are written with the faces hidden.
        characters: who can be recognised; each has a colour.
    """

    out: Path
    overlays: bool = False
    faces: Mapping[str, Boxes] = field(default_factory=dict)
    cropping: Cropping | None = None
    twins: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    videos: bool = False
    hiding: tuple[Hiding, ...] = ()
    characters: tuple[str, ...] = ()

    @property
    def folders(self) -> list[Path]:
        """Where pictures go."""
        asked = {OVERLAYS: self.overlays, CROPS: self.cropping, DRAWN: self.videos}
        shown = [self.out / name for name, is_asked in asked.items() if is_asked]
        return [*shown, *(self.out / HIDDEN[how] for how in self.hiding)]

    @contextmanager
    def opened(
        self,
        runs: Sequence[str],
        videos: Sequence[NamedVideo],
        reporter: Reporter,
        *,
        is_resumed: bool = False,
        is_part: bool = False,
    ) -> Iterator[list[Sink]]:
        """Give what draws; it is finished if the block succeeds.

        Args:
            runs: names of the runs.
            videos: those that are searched.
            reporter: is told what cannot be drawn.
            is_resumed: whether earlier crops stay.
            is_part: whether this is a part of a search: contact sheets are drawn when all is known.

        Raises:
            InputError: if two videos would have one copy.
        """
        sinks: list[Sink] = []
        if self.videos:
            drawer = drawing_boxes(self.characters)
            sinks.append(DrawnVideos(self.out / DRAWN, videos, reporter, drawer))
        if self.cropping:
            folder, twins = self.out / CROPS, self.twins
            kept = {"is_resumed": is_resumed, "has_sheets": not is_part}
            sinks.append(CropCutter(folder, runs, self.cropping, reporter, twins, **kept))
        if self.overlays:
            folder, shown = self.out / OVERLAYS, self.characters
            sinks.append(Overlays(folder, self.faces, self.taken, reporter, shown))
        for how in self.hiding:
            folder, make_drawer = self.out / HIDDEN[how], hiding_in_video(how)
            sinks.append(HiddenImages(folder, how, self.taken, reporter))
            sinks.append(DrawnVideos(folder, videos, reporter, make_drawer))
        with ExitStack() as stack:
            yield [stack.enter_context(sink) for sink in sinks]

    def make_way(self, runs: Sequence[str], reporter: Reporter) -> None:
        """Remove the crops that an earlier search has left."""
        for run in runs if self.cropping else ():
            make_way(self.out / CROPS / run, reporter)
