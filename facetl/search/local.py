"""A search on this machine: pictures in, files of runs and pictures out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from facetl.files import note_written
from facetl.results.json_lines import describe_head, read_recovered, recover
from facetl.results.store import DOCUMENT, LINES
from facetl.search.drawing import Drawing
from facetl.search.gallery import Gallery
from facetl.search.inputs import none_readable
from facetl.search.sinks import RunFiles, run_through, writing_runs
from facetl.search.sources import Done, Effort, Pictures, found_by_all
from facetl.search.tally import Tallies, Tally


@dataclass(frozen=True)
class LocalSearch:
    """A search of pictures on this machine.

    Attributes:
        pictures: what is searched.
        effort: how, with the runs and their files.
        drawing: what is drawn.
        gallery: takes everything for a page, if there is to be one.
    """

    pictures: Pictures
    effort: Effort
    drawing: Drawing
    gallery: Gallery | None = None

    def write_documents(self) -> dict[str, Tally]:
        """Search everything; write a JSON document for each run, in the end and at once.

        Raises:
            ImageError, VideoError: if nothing could be read; nothing is written then.
        """
        writers = {
            run.name: DOCUMENT.writing(run.path, run.name, run.described)
            for run in self.effort.runs
        }
        with writing_runs(writers) as files:
            tallies = self._run(files, Done())
            if not any(tally.pictures for tally in tallies.values()):
                raise none_readable(len(self.pictures.images), len(self.pictures.unreadable))
        return tallies

    def write_lines(self, out: Path, *, resume: bool, finished: bool = False) -> dict[str, Tally]:
        """Search everything, or what an earlier search did not come to; write lines as they come.

        Args:
            out: the folder of the files.
            resume: resume an earlier search.
            finished: let it be one that came to its end, after which something is still to do.

        Raises:
            OutputError: if there is nothing to resume, or another search's work.
        """
        reporter = self.effort.reporter
        with reporter.resumable(out, lambda: any(out.glob(f"*{LINES.suffix}"))):
            done = self._recover(finished=finished) if resume else Done()
            count = len(done.names)
            if count:
                reporter.note(f"resuming after {self._describe(count)}")
            writers = {
                run.name: LINES.writing(run.path, run.name, run.lasting, count)
                for run in self.effort.runs
            }
            with writing_runs(writers) as files:
                tallies = self._run(files, done)
            if resume:
                note_written(*self.drawing.folders)
        return tallies

    def _run(self, files: RunFiles, done: Done) -> dict[str, Tally]:
        """Search what is not done; return the counts of all."""
        runs = self.effort.runs
        scores = {run.name: run.settings.score for run in runs}
        tallies = {name: Tally(score) for name, score in scores.items()}
        drawing = self.drawing.opened(
            list(scores), self.pictures.videos, self.effort.reporter, is_resumed=bool(done.names)
        )
        with drawing as shown:
            watch = self.gallery.see_image if self.gallery else None
            found = self.pictures.search(replace(self.effort, watch=watch), done)
            kept = [self.gallery] if self.gallery else []
            run_through(found, [*kept, files, Tallies(tallies)], shown, scores)
            for gallery in kept:
                gallery.finish()
        return tallies

    def _recover(self, *, finished: bool) -> Done:
        """Cut the files of an interrupted search back to what all of them know; return that."""
        runs, batch_size = self.effort.runs, self.effort.batch_size
        heads = {run.path: describe_head(run.name, run.lasting) for run in runs}
        kept = recover(
            heads, lambda names: self.pictures.restart(names, batch_size), finished=finished
        )
        readers = {run.name: read_recovered(run.path) for run in runs}
        return Done(kept.images, found_by_all(readers), kept.is_finished)

    def _describe(self, count: int) -> str:
        """Return how much is done, in words."""
        images = len(self.pictures.images)
        if not self.pictures.videos:
            return f"{count} of {images} images"
        frames = f"{max(count - images, 0)} frames"
        return f"{min(count, images)} of {images} images and {frames}" if images else frames
