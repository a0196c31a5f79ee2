"""A detector adapted to a show that nobody has annotated: it learns from the faces it is sure of.

Self-training: Lee, "Pseudo-label", ICML workshop 2013; for detectors, Radosavovic et al., "Data
distillation: towards omni-supervised learning", CVPR 2018, whose teacher asks several views of an
image, as the search of an image and of its mirror image does here, with the faces rescored by a
larger network (``--preset thorough``).  What is sure is a face, what is doubtful is ignored, all
else is background.  As many drawn frames are learnt from, so that less of other cartoons is
forgotten; ``docs/experiments.md`` has what it gains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from facetl.boxes import THINNEST, clip
from facetl.commands.frames import frames
from facetl.commands.requests import AdaptRequest as AdaptRequest
from facetl.commands.requests import FramesRequest, TrainRequest
from facetl.commands.train import TrainResult, Watch, train, watch_nothing
from facetl.commands.training_files import TrainingFiles
from facetl.data.dataset import FaceDataset, load_dataset
from facetl.data.formats.conversion import save_dataset
from facetl.data.frame import Frame
from facetl.data.media_types import image_paths
from facetl.errors import FacetlError, InputError, OutputError
from facetl.files import is_occupied, remove_folder
from facetl.mtcnn.detector import Detector
from facetl.reporting import SILENT, Reporter, plural
from facetl.search.inputs import find_inputs
from facetl.search.pipeline import NamedImage, Searched, SearchRun, search_all

SURE, DOUBTFUL = 0.98, 0.3
"""Scores of a thorough search from which a box is taken for a face, or for neither."""
FEWEST_SURE = 20
"""Faces without which nothing is learnt."""
_EPOCHS = (5, 3, 3)


@dataclass(frozen=True)
class AdaptResult:
    """What was learnt from.

    Attributes:
        labelled: the frames, with the faces that the detector was sure of, and what it doubted.
        trained: the training on them.
    """

    labelled: FaceDataset
    trained: TrainResult

    def describe(self) -> str:
        """Return in words what was learnt from."""
        faces, doubtful = self.labelled.face_count, self.labelled.ignored_count
        return (
            f"learnt from {plural(len(self.labelled), 'frame')}: {plural(faces, 'face')} that "
            f"{self.trained.before} is sure of; {plural(doubtful, 'doubtful region')} ignored; "
            f"shown from score {self.trained.cascade.weights.settings.score:g} on"
        )


def adapt(
    request: AdaptRequest, reporter: Reporter = SILENT, watch: Watch = watch_nothing
) -> AdaptResult:
    """Search frames without annotations, and train on what the detector is sure of.

    Args:
        request: what is learnt from.
        reporter: see :class:`Reporter`.
        watch: shows how far the training is.

    Raises:
        InputError: if there is no picture that can be read, or too few sure faces.
        OutputError: if something is in the way, or the training to resume is finished.
    """
    files = TrainingFiles(request.out)
    place = request.out.with_name(f"{request.out.name}.labelled")
    training = _as_training(request, place)
    if not request.resume:
        files.require_room(training, files.workshop, reporter)
        _require_free(place, force=request.force)
    with reporter.resumable(place), _tidied(place, files.workshop):
        if not place.exists():
            _label_all(request, place, reporter)
        labelled = load_dataset(place)
        training = replace(training, with_cartoons=len(labelled))
        trained = train(training, SILENT, watch)  # its notes are about the labels' file
    remove_folder(place)
    return AdaptResult(labelled, trained)


def _as_training(request: AdaptRequest, place: Path) -> TrainRequest:
    return TrainRequest(
        data=(place,),
        out=request.out,
        start=request.weights,
        epochs=_EPOCHS,
        keep_epochs=True,
        seed=request.seed,
        workers=request.workers,
        device=request.device,
        engine=request.engine,
        resume=request.resume,
        force=request.force,
    )


def _require_free(place: Path, *, force: bool) -> None:
    """Make room for the labelled frames; an unfinished adaptation goes only by force."""
    if is_occupied(place) and not force:
        raise OutputError(
            f"{place} holds an unfinished adaptation; resume with --resume or start over with "
            "--force"
        )
    remove_folder(place)


@contextmanager
def _tidied(place: Path, workshop: Path) -> Iterator[None]:
    """After an error leave nothing of work that cannot be resumed."""
    try:
        yield
    except FacetlError:
        if not workshop.exists():
            remove_folder(place)
        raise


def _label_all(request: AdaptRequest, place: Path, reporter: Reporter) -> None:
    """Write the frames with what the detector says of them, as a data set.

    Raises:
        InputError: if it is sure of too few faces.
    """
    picked = place.with_name(f"{place.name}.picked")
    remove_folder(picked)
    try:
        images = _choose_images(request, picked, reporter)
        labelled = list(_label(images, request, reporter))
        faces = sum(len(frame.boxes) for frame in labelled)
        if faces < FEWEST_SURE:
            raise InputError(
                f"{request.weights} is sure of {plural(faces, 'face')} in "
                f"{plural(len(labelled), 'frame')}, too few to learn from (at least {FEWEST_SURE});"
                " give more frames, or annotate some: facetl frames, then facetl train"
            )
        save_dataset(place, "coco", {"train": labelled}, "copy" if picked.exists() else "link")
    finally:
        remove_folder(picked)


def _choose_images(request: AdaptRequest, picked: Path, reporter: Reporter) -> Sequence[NamedImage]:
    """Return the images, and varied frames of the videos, at most as many as are wanted."""
    found = find_inputs(request.sources)
    images = list(found.images)
    if found.videos:
        frames(_as_picking(request, [each.path for each in found.videos], picked), reporter)
        images += [
            NamedImage(path.relative_to(picked).as_posix(), path) for path in image_paths(picked)
        ]
    count = min(request.count, len(images))
    return [images[place * len(images) // count] for place in range(count)]


def _as_picking(request: AdaptRequest, videos: Sequence[Path], out: Path) -> FramesRequest:
    return FramesRequest(
        videos=videos,
        out=out,
        count=request.count,
        every=request.every,
        weights=request.weights,
        variety=1.0,
        workers=request.workers,
        device=request.device,
        engine=request.engine,
    )


def _label(
    images: Sequence[NamedImage], request: AdaptRequest, reporter: Reporter
) -> Iterator[Frame]:
    """Yield the images that can be read, with what a thorough search says of them."""
    detector = Detector.load(request.weights, request.device, request.engine)
    run = SearchRun("", detector, detector.settings.preset("thorough"))
    found = search_all([run], images, workers=request.workers)
    for searched in reporter.track(found, "looking for sure faces", len(images)):
        if searched.skipped:
            reporter.note(f"skipped {searched.skipped.reason}")
        else:
            yield _as_frame(searched)


def _as_frame(searched: Searched[NamedImage]) -> Frame:
    result = searched.results[""]
    boxes = clip(result.detections.boxes.astype(float), result.size_hw)
    scores = result.detections.scores
    has_area = (boxes[:, 2:] - boxes[:, :2] > THINNEST).all(axis=1)
    sure = boxes[has_area & (scores >= SURE)]
    doubtful = boxes[has_area & (scores < SURE) & (scores >= DOUBTFUL)]
    picture = searched.picture
    labels = (None,) * len(sure)
    return Frame(picture.path, picture.name, sure, labels, result.size_hw, doubtful)
