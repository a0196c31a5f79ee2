"""From annotated frames to a patch file: frames are cut side by side, patches written in order.

Each frame has its own random generator, made of the seed and the frame's name, so that the
patches depend neither on the number of workers nor on which other frames there are.  What was cut
from a frame is on disk before the next one's turn: an interrupted run is resumed there and
ends with the same bytes.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from facetl.boxes import Boxes
from facetl.data.dataset import FaceDataset, fingerprint
from facetl.data.frame import Frame
from facetl.data.images import load_image
from facetl.data.near_duplicates import group_near_duplicates, stack_thumbnails, thumbnail
from facetl.errors import ImageError, InputError
from facetl.mtcnn.engines import load_engine
from facetl.mtcnn.resampling import cut_windows
from facetl.mtcnn.stages import INPUT_SIZES, Stage
from facetl.search.parallel import in_parallel
from facetl.training.mining import Miner
from facetl.training.patches import PatchWriter, writing_patches
from facetl.training.recipe import Match, Recipe
from facetl.training.sampling import (
    Label,
    LabelledWindows,
    choose_windows,
    draw_pool,
    faces_without_positive,
    pool_proposals,
)
from facetl.training.skin import recolour_skin
from facetl.training.stages import STAGE_FACTS
from facetl.training.suspects import Suspect, find_suspects

_COUNTED = (Label.POSITIVE, Label.PART, Label.NEGATIVE)


@dataclass(frozen=True, eq=False)
class FrameCut:
    """What is remembered of a frame that was cut.

    Attributes:
        index: place of the frame in the dataset.
        faces: how many faces the frame has.
        counts: its patches of each label.
        without_positive: how many of its faces no candidate is a positive of, by rule.
        thumbnail: (432,) the frame itself, to find its near-duplicates by.
        suspects: proposals that look like faces and are none, by the annotations.
    """

    index: int
    faces: int
    counts: dict[Label, int]
    without_positive: dict[Match, int]
    thumbnail: NDArray[np.float32]
    suspects: tuple[Suspect, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "index": self.index,
            "faces": self.faces,
            "counts": {label.name: count for label, count in self.counts.items()},
            "without_positive": self.without_positive,
            "thumbnail": base64.b64encode(self.thumbnail.astype("<f4").tobytes()).decode(),
            "suspects": [asdict(suspect) for suspect in self.suspects],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> FrameCut:
        """Return what :meth:`to_json` was called on."""
        thumbnail = np.frombuffer(base64.b64decode(content["thumbnail"]), "<f4")
        return cls(
            index=content["index"],
            faces=content["faces"],
            counts={Label[name]: count for name, count in content["counts"].items()},
            without_positive=content["without_positive"],
            thumbnail=thumbnail.astype(np.float32),
            suspects=tuple(
                Suspect(each["frame"], tuple(each["box"]), each["score"])
                for each in content["suspects"]
            ),
        )


class _Cutting(NamedTuple):
    """What is cut from a frame: (N, S, S, 3) pixels of N windows, and what is remembered of it."""

    cut: FrameCut
    pixels: NDArray[np.uint8]
    windows: LabelledWindows


@dataclass(frozen=True)
class Unreadable:
    """A frame whose image cannot be read, and why."""

    index: int
    name: str
    reason: str


@dataclass(frozen=True)
class Preparation:
    """What came of preparing a dataset.

    Attributes:
        frames: frames that were cut.
        faces: faces in them.
        counts: patches of each label.
        without_positive: faces that give no positive, under each rule of matching.
        unreadable: frames that were left out.
        suspects: proposals that look like faces and are none, by the annotations.
    """

    frames: int
    faces: int
    counts: dict[Label, int]
    without_positive: dict[Match, int]
    unreadable: tuple[Unreadable, ...]
    suspects: tuple[Suspect, ...]

    @classmethod
    def of(cls, frames: Sequence[FrameCut | Unreadable]) -> Preparation:
        """Return the sum of all frames."""
        cuts = [each for each in frames if isinstance(each, FrameCut)]
        return cls(
            frames=len(cuts),
            faces=sum(each.faces for each in cuts),
            counts={label: sum(each.counts[label] for each in cuts) for label in _COUNTED},
            without_positive={
                match: sum(each.without_positive[match] for each in cuts)
                for match in get_args(Match)
            },
            unreadable=tuple(each for each in frames if isinstance(each, Unreadable)),
            suspects=tuple(chain.from_iterable(each.suspects for each in cuts)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values, for the file's metadata."""
        return {
            "faces": self.faces,
            "counts": {label.name.lower(): count for label, count in self.counts.items()},
            "without_positive": dict(self.without_positive),
            "unreadable": [frame.name for frame in self.unreadable],
            "suspects": [asdict(suspect) for suspect in self.suspects],
        }


Progress = Callable[[Iterator[FrameCut | Unreadable]], Iterator[FrameCut | Unreadable]]
"""Wraps the stream of frames, to show how far it has come."""


def prepare_patches(
    dataset: FaceDataset,
    path: Path,
    recipe: Recipe | None = None,
    *,
    stage: Stage = "pnet",
    miner: Miner | None = None,
    seed: int = 1,
    held_out: Collection[str] = (),
    workers: int = 1,
    progress: Progress = iter,
    resume: bool = False,
) -> Preparation:
    """Cut labelled patches for one stage from all frames and write them to a patch file.

    Frames that cannot be read are left out and counted.  If this is interrupted, what was cut
    stays in a folder beside ``path``; to resume makes the same file.

    Args:
        dataset: the frames with their faces.
        path: the patch file to write.
        recipe: how many windows of each class; the stage's own otherwise.
        stage: the network that shall learn from them.
        miner: finds what the earlier stages propose; without one all windows are random.
        seed: the random seed.
        held_out: names of frames for validation alone; without any, a training draws them.
        workers: threads that cut side by side; the result does not depend on it.
        progress: wraps the stream of frames, those first that were cut before a break.
        resume: resume interrupted work, if there is any; else it is removed.

    Raises:
        InputError: if there is no face to learn from, or no frame can be read.
        OutputError: if ``path`` cannot be written.
        PatchesError: if the interrupted work has other settings or frames.
    """
    recipe = recipe or STAGE_FACTS[stage].recipe
    _require_faces(dataset)
    origin = {
        "stage": stage,
        "recipe": recipe.to_json(),
        "mined": miner.to_json() if miner else None,
        "seed": seed,
        "data": fingerprint(dataset),
    }
    task = {**origin, **(_describe_proposer(miner) if miner else {})}
    size = INPUT_SIZES[stage]
    cut = partial(_cut_frame, recipe=recipe, size=size, seed=seed, miner=miner)
    with writing_patches(path, size, task, resume=resume) as writer:
        rest = islice(enumerate(dataset.frames), len(writer.kept), None)
        results = list(progress(_write_all(writer, in_parallel(cut, rest, workers))))
        preparation = Preparation.of(results)
        _require_readable(preparation)
        frames = {
            "frames": [frame.name for frame in dataset.frames],
            "groups": _group_frames(results),
            **_places_of(held_out, dataset),
        }
        writer.metadata = {**preparation.to_json(), **origin, **frames}
    return preparation


def _places_of(held_out: Collection[str], dataset: FaceDataset) -> dict[str, list[int]]:
    """Return the places of frames held out, for the metadata; nothing if there are none."""
    places = [place for place, frame in enumerate(dataset) if frame.name in held_out]
    return {"held_out": places} if places else {}


def _describe_proposer(miner: Miner) -> dict[str, Any]:
    """Return what the proposals depend on besides the miner's settings."""
    is_exact = load_engine(miner.detector.engine).exact
    return {"weights": miner.detector.fingerprint, "half_precision": not is_exact}


def _write_all(
    writer: PatchWriter, cuttings: Iterator[_Cutting | Unreadable]
) -> Iterator[FrameCut | Unreadable]:
    """Yield what was written before a break; then write what is cut, and yield it."""
    for facts in writer.kept:
        yield Unreadable(**facts) if "reason" in facts else FrameCut.from_json(facts)
    for cutting in cuttings:
        if isinstance(cutting, Unreadable):
            writer.leave_out(asdict(cutting))
            yield cutting
        else:
            cut, pixels, windows = cutting
            writer.add(cut.index, pixels, windows, cut.to_json())
            yield cut


def _cut_frame(
    place: tuple[int, Frame], *, recipe: Recipe, size: int, seed: int, miner: Miner | None = None
) -> _Cutting | Unreadable:
    """Read one frame, sample its windows and cut their pixels."""
    index, frame = place
    try:
        image = load_image(frame.path)
    except ImageError as error:
        return Unreadable(index, frame.name, str(error))
    number = zlib.crc32(frame.name.encode())
    rng = np.random.default_rng([seed, number])
    colour_rng = np.random.default_rng([seed, number, size])  # other colours for each network
    is_recoloured = colour_rng.random() < recipe.skin
    pixels = recolour_skin(image, frame.boxes, colour_rng) if is_recoloured else image
    pool = draw_pool(frame.boxes, image.shape[:2], recipe, rng)
    suspects: tuple[Suspect, ...] = ()
    if miner:
        proposals = miner(pixels)
        pool = pool_proposals(proposals.windows, pool, image.shape[:2], rng)
        if miner.stage == "onet":  # PNet alone is convinced too easily
            suspects = find_suspects(proposals, frame)
    windows = choose_windows(pool, frame.boxes, recipe, frame.ignored)
    patches = _cut_pixels(pixels, windows.windows, size, padding=recipe.padding)
    cut = FrameCut(
        index=index,
        faces=len(frame.boxes),
        counts={label: int((windows.labels == label).sum()) for label in _COUNTED},
        without_positive={
            match: faces_without_positive(pool.around, frame.boxes, recipe.bands, match)
            for match in get_args(Match)
        },
        thumbnail=thumbnail(image),
        suspects=suspects,
    )
    return _Cutting(cut, patches, windows)


def _group_frames(frames: Sequence[FrameCut | Unreadable]) -> list[int]:
    """Return the group of near-duplicates that each frame is in, from 0 on.

    One that cannot be read is alone in its group.
    """
    groups = len(frames) + np.arange(len(frames))
    thumbnails = {each.index: each.thumbnail for each in frames if isinstance(each, FrameCut)}
    groups[list(thumbnails)] = group_near_duplicates(stack_thumbnails(thumbnails.values()))
    return [int(group) for group in np.unique(groups, return_inverse=True)[1]]


def _cut_pixels(
    image: NDArray[np.uint8], windows: Boxes, size: int, *, padding: bool
) -> NDArray[np.uint8]:
    """Return (N, size, size, 3) uint8: what the detector's crops see, rounded to whole values."""
    patches = cut_windows(image, windows, size, padding=padding).round().to(torch.uint8)
    return np.ascontiguousarray(patches.permute(0, 2, 3, 1).numpy())


def _require_faces(dataset: FaceDataset) -> None:
    if not dataset.face_count:
        raise InputError(
            f"found no face in {len(dataset)} frames, so there is nothing to learn from; "
            "check the annotations"
        )


def _require_readable(preparation: Preparation) -> None:
    if not preparation.frames:
        first = preparation.unreadable[0].reason
        raise InputError(f"none of the frames can be read; the first: {first}")
