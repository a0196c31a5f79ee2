"""The request of each command: its options and arguments, for Python and the command line.

A default, a help text and a range stand once, here, and nothing heavy is imported for them.  The
order of the fields is that of the options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from facetl.cores import usable_cores
from facetl.data.choices import PARTS, Difficult, OnError, Part, Placing, Sampling
from facetl.data.formats.table import COURSE, readable, writable
from facetl.errors import UsageError
from facetl.evaluation.tuning.aims import Aim
from facetl.mtcnn.engines import DEVICES, engine_names
from facetl.mtcnn.stages import Stage
from facetl.recognition.settings import ONET, SIZES, NamingSettings
from facetl.results.export_table import EXPORTS
from facetl.search.settings import BATCH_SIZE, FACTORS, LEAST_FACE, PRESETS, Settings
from facetl.settings import (
    AT_LEAST_ONE,
    NOT_NEGATIVE,
    POSITIVE_SHARE,
    READ,
    READ_BESIDE,
    REQUIRED,
    SHARE,
    WRITE,
    WRITE_WEIGHTS,
    Range,
    like,
    setting,
)
from facetl.training.recipe import Bands, Match, Recipe
from facetl.training.settings import FEW_FRAMES, Augmentation, TrainingSettings
from facetl.training.stages import STAGE_FACTS
from facetl.training.transfer import Transfer

RAY = "ray"
"""The name of the engine that searches by shards, on one or many machines."""
AUTO = "auto"
"""The name of the format that is recognised by what lies there."""
_TARGETS = tuple(
    dict.fromkeys((*(name for name in writable() if name in readable()), *EXPORTS, *writable()))
)
"""Formats that can be written: of data sets, of detections, of single files."""

_WEIGHTS_FILE = "weights file, 'cartoon', 'cartoon-large' or 'pretrained'"
_ENGINE_HELP = (
    "What computes the networks: kernels compiled for the CPU, exact or in half precision, "
    "onnxruntime, or torch (see facetl doctor)."
)

_seed = partial(like, TrainingSettings, "seed")
_force = partial(setting, False, "Overwrite --out.")
_device = partial(
    setting,
    "auto",
    "Where the networks run; auto uses an NVIDIA GPU if there is one.",
    DEVICES,
)
_engine = partial(setting, "auto", _ENGINE_HELP, engine_names())
_workers = partial(
    setting,
    help="Number of parallel workers; the result does not depend on it.",
    allowed=AT_LEAST_ONE,
    shown_default="all cores",
)
_form = partial(
    setting,
    AUTO,
    "Annotation format; auto recognises it from the files. Others: "
    f"{', '.join(sorted(readable(), key=COURSE.__ne__))}.",
    (AUTO, *sorted(readable(), key=COURSE.__ne__)),
    metavar="FORMAT",
    flag="--format",
)
_epochs = partial(
    setting, help="Training epochs of each stage.", allowed=AT_LEAST_ONE, metavar="PNET RNET ONET"
)


def _of_weights(name: str, word: str = "that") -> Any:
    """Return a field for a setting that weights recommend, and that is theirs if it is None."""
    usual, shown = getattr(Settings, name), f"{word} of the weights"
    if usual is not False:
        numbers = usual if isinstance(usual, tuple) else (usual,)
        shown += f", otherwise {' '.join(f'{number:g}' for number in numbers)}"
    return like(Settings, name, default=None, shown_default=shown)


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """How to search, where it is not to be as the weights recommend."""

    thresholds: tuple[float, float, float] | None = _of_weights("thresholds", "those")
    min_face: float | None = _of_weights("min_face")
    factor: float | None = _of_weights("factor")
    score: float | None = _of_weights("score")
    padding: bool | None = _of_weights("padding")
    voting: bool | None = _of_weights("voting")

    def override(self, settings: Settings) -> Settings:
        """Return the settings of weights with what was asked for in their place."""
        names = (each.name for each in fields(SearchRequest))
        return settings.override(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True, kw_only=True)
class AnnotatedRequest:
    """Which annotated frames a command reads, and how.

    Attributes:
        data: folders of annotated frames, read together; there are none with ``images`` alone.

    Raises:
        UsageError: if neither ``data`` nor ``images`` is given, or either of ``images`` and
            ``annotations`` with several folders.
    """

    data: tuple[Path, ...] = setting((), allowed=READ, expects="frames", is_argument=True)
    images: Path | None = setting(
        None, "The frames, if not DATA.", READ, metavar="FOLDER", expects="frames"
    )
    annotations: Path | None = setting(
        None, "Their annotation file, if it is not found automatically.", READ, metavar="FILE"
    )
    form: str = _form()
    on_error: OnError = setting(
        "strict",
        "Errors in annotations: read everything, then stop; or leave the lines out and count them.",
    )

    def __post_init__(self) -> None:
        if not self.data and self.images is None:
            raise UsageError("found neither DATA nor --images; say where the frames are")
        if len(self.data) > 1 and (self.images or self.annotations):
            raise UsageError(
                f"found {'--images' if self.images else '--annotations'} with {len(self.data)} "
                "folders of DATA; give the folders alone, each with its annotations in it or "
                "beside it"
            )


@dataclass(frozen=True)
class AnnotateRequest:
    """What is annotated, and where the page is served."""

    sources: tuple[Path, ...] = setting(REQUIRED, allowed=READ, expects="images", is_argument=True)
    out: Path = setting(
        REQUIRED,
        "The project: a folder for frames, annotations and detectors.",
        WRITE,
        metavar="FOLDER",
        shown_default="SOURCE.faces, beside the source",
    )
    count: int = setting(40, "How many frames to pick.", AT_LEAST_ONE)
    every: Sampling = setting(
        Sampling(seconds=0.5),
        "Of videos, consider every n-th frame, e.g. 10, or one frame per time interval, e.g. 0.5s.",
    )
    weights: str | None = setting(
        None,
        f"The detector that suggests boxes: a {_WEIGHTS_FILE}.",
        READ,
        metavar="FILE",
        shown_default="that of the project, at first cartoon-large",
    )
    budget: float = setting(
        120.0,
        "About how long each retraining may take, e.g. 90s or 5m.",
        metavar="TIME",
        shown_default="2m",
    )
    port: int = setting(
        0,
        "Port of the page on 127.0.0.1.",
        Range(0, 65535),
        shown_default="any that is free",
    )
    browser: bool = setting(True, "Open the page in the browser.")
    workers: int = _workers(usable_cores())
    device: str = _device()
    engine: str = _engine()


@dataclass(frozen=True)
class CartoonsRequest:
    """What is drawn."""

    out: Path = setting(REQUIRED, allowed=WRITE, is_argument=True)
    train: int = setting(120, "Number of training frames.", AT_LEAST_ONE)
    test: int = setting(60, "Number of validation frames.", AT_LEAST_ONE)
    seed: int = _seed()
    workers: int = _workers(usable_cores())
    style: str = setting(
        "house",
        "How things are drawn: house, another style, or any, a random one for each frame.",
        metavar="NAME",
    )
    force: bool = setting(False, "Replace a cartoon drawn into OUT earlier.")


@dataclass(frozen=True)
class CompareRequest:
    """What is compared, and on which frames."""

    data: Path = setting(REQUIRED, allowed=READ, expects="frames", is_argument=True)
    out: Path = setting(
        REQUIRED,
        "Folder for cells, tables and plots; several studies of the same frames may share it.",
        WRITE,
        metavar="FOLDER",
    )
    study: str = setting(
        "strategies", "A study that comes with facetl, or a file.", READ, metavar="NAME|FILE.toml"
    )
    test: Path | None = setting(
        None,
        "Test frames, if DATA has no test part; without either, a fifth of DATA is held out.",
        READ,
        metavar="FOLDER",
    )
    dry_run: bool = setting(False, "Print what would be done and how long it would take.")
    form: str = _form()
    workers: int | None = _workers(None, usual=usable_cores())
    device: str = _device()
    on_error: OnError = like(AnnotatedRequest, "on_error")
    resume: bool = setting(False, "Resume, or add a study to those in the folder.")
    force: bool = _force()


@dataclass(frozen=True)
class ConvertRequest:
    """What is converted, and how."""

    source: Path = setting(
        REQUIRED, allowed=READ, metavar="IN", expects="annotated", is_argument=True
    )
    out: Path = setting(REQUIRED, allowed=WRITE, metavar="OUT", is_argument=True)
    target: str = setting(REQUIRED, "The format to write.", _TARGETS, flag="--to")
    images: Path | None = setting(
        None,
        "The frames, if IN is their annotation file and they are not beside it.",
        READ,
        metavar="FOLDER",
    )
    form: str = _form()
    part: Part | Literal["all"] = setting(
        "all", "Which part to convert, if IN has several.", ("all", *PARTS)
    )
    placing: Placing = setting(
        "copy",
        "Copy the frames into OUT, link to them, or write only annotations.",
        flag="--with-images",
    )
    difficult: Difficult = setting(
        "ignore",
        "Whether objects that Pascal VOC marks as difficult are ignored or are faces like any "
        "other.",
    )
    score: float | None = _of_weights("score")
    on_error: OnError = like(AnnotatedRequest, "on_error")
    force: bool = setting(False, "Overwrite OUT.")


@dataclass(frozen=True)
class DemoRequest:
    """What is shown."""

    out: Path = setting(Path("facetl-demo"), "Where to write everything.", WRITE, metavar="FOLDER")
    train: int = setting(120, "Number of training frames.", Range(2))
    test: int = setting(60, "Number of test frames.", AT_LEAST_ONE)
    epochs: tuple[int, int, int] = _epochs((12, 5, 4))
    seed: int = _seed()
    force: bool = _force()


@dataclass(frozen=True)
class DetectRequest(SearchRequest):
    """What is to be searched, how, and what is to be written."""

    images: tuple[Path, ...] = setting(REQUIRED, allowed=READ, expects="images", is_argument=True)
    out: Path = setting(
        REQUIRED,
        "Folder for the detections, one NAME.detections.json per set of weights.",
        WRITE,
        metavar="FOLDER",
        shown_default="INPUT.faces, beside the input; in a project the folder of the round",
    )
    weights: Mapping[str, str] = setting(
        {"cartoon": "cartoon"},
        "A weights file, 'cartoon' (shipped with facetl), 'cartoon-large' (a fourth network looks "
        "again at what was found: fewer false alarms and tighter boxes in 1.4 times the time) or "
        "'pretrained' (on photographs); repeatable, to compare.",
        READ,
        metavar="[NAME=]FILE",
        usual=("cartoon",),
        shown_default="cartoon; of a project, those in use",
    )
    preset: str | None = setting(
        None,
        "Settings that go together; other options come first. thorough: search the mirror image as "
        "well, and let a larger network look again at what was found, which takes 2.5 times as "
        "long, finds more, is deceived less and places boxes better. fast and fastest: look less "
        "closely, in about half the time and less.",
        tuple(PRESETS),
        shown_default="none",
    )
    batch_size: int = setting(BATCH_SIZE, "Images searched together.", AT_LEAST_ONE)
    workers: int | None = _workers(None, usual=usable_cores())
    overlays: bool = setting(False, "Draw the boxes, one overlay per image.")
    truth: Path | None = setting(
        None, "True faces to draw on the overlays as well.", READ, metavar="FILE_OR_FOLDER"
    )
    names: Path | None = setting(
        None,
        "A names file, made by facetl train-names: each face gets the name of a character and its "
        "score; of videos timeline.html, .csv and .json tell who is on screen when.",
        READ,
        metavar="FILE",
    )
    crops: bool = setting(
        False,
        "Cut out the faces, one file each, with a contact sheet; of videos up to three per track, "
        "those with the best scores, at least half a second apart.",
    )
    margin: float = setting(
        0.2, "Margin of crops around the box, as a fraction of its width and height.", SHARE
    )
    align: bool = setting(
        False, "Rotate crops so that the eyes, according to the landmarks, are level."
    )
    square: bool = setting(
        False,
        "Make crops a data set: square, moved into the image where they would leave it, without "
        "near-duplicates, with metadata.csv.",
    )
    every: Sampling | None = setting(
        None,
        "For videos: search every n-th frame, e.g. 10, or one frame per time interval, e.g. 0.5s.",
        shown_default="every frame",
    )
    video: bool = setting(
        False, "Write a copy of each video with boxes, names, scores and tracks drawn on it."
    )
    blur: bool = setting(
        False,
        "Write a copy of each image and video with the faces that were found blurred.",
    )
    mask: bool = setting(
        False,
        "Write a copy of each image and video with the faces that were found masked.",
    )
    skip_still: bool = setting(
        False,
        "For videos: skip frames that show the same picture as the one before, and reuse its "
        "boxes.",
    )
    stream: bool = setting(
        False,
        "Write JSON lines, NAME.detections.jsonl, picture by picture; an interrupted search can "
        "be resumed with --resume.",
    )
    resume: bool = setting(False, "Resume an unfinished search of --stream or --engine ray.")
    report: bool = setting(
        True,
        "Write report.html, a page to look at what was found; --stream and --engine ray have none.",
    )
    form: str = _form()
    exports: tuple[str, ...] = setting(
        (),
        "Also write the detections for other tools; repeatable. npy: the course's arrays; cvat, "
        "label-studio, labelme: for correction there. Of videos, from tracks-csv on: the tracks "
        "with their times (see docs/video.md).",
        tuple(EXPORTS),
        flag="--export",
    )
    device: str = _device()
    engine: str = setting(
        "auto",
        f"{_ENGINE_HELP} Or ray: the same search in shards, on one or many machines (see "
        "docs/many-machines.md).",
        (*engine_names(), RAY),
    )
    address: str | None = setting(
        None,
        "With --engine ray: a running cluster, or auto; otherwise Ray is started on this machine.",
        metavar="HOST:PORT",
    )
    shard_size: int = setting(
        256, "With --engine ray: images per Parquet shard; each video has its own.", AT_LEAST_ONE
    )
    on_error: OnError = like(AnnotatedRequest, "on_error")
    force: bool = _force()

    @property
    def by_blocks(self) -> bool:
        """Whether Ray searches."""
        return self.engine == RAY

    def override(self, settings: Settings) -> Settings:
        """Return the settings of weights with a preset, and what was asked for, in their place."""
        return super().override(settings.preset(self.preset))


@dataclass(frozen=True)
class DoctorRequest:
    """What is examined."""

    device: str = _device()
    engine: str = _engine()


@dataclass(frozen=True)
class EvaluateRequest:
    """What is scored, and how."""

    results: Path = setting(REQUIRED, allowed=READ_BESIDE, expects="results", is_argument=True)
    truth: Path = setting(
        REQUIRED,
        "The true faces: an annotation file, or a folder of annotated frames.",
        READ,
        metavar="FILE_OR_FOLDER",
        expects="frames",
    )
    out: Path | None = setting(
        None,
        "Folder for metrics.json and the plots.",
        WRITE,
        metavar="FOLDER",
        shown_default="the results folder",
    )
    peers: tuple[tuple[str, Path], ...] = setting(
        (),
        "Also score another program's three .npy arrays (the course's format); repeatable.",
        READ,
        metavar="NAME=FOLDER",
        flag="--peer",
    )
    only_listed: bool = setting(False, "Score only the frames that an annotation file lists.")
    train: Path | None = setting(
        None,
        "The training frames: gives AP separately for near-duplicates of them and for unlike "
        "frames.",
        READ,
        metavar="FOLDER",
    )
    images: Path | None = setting(
        None,
        "The frames, for the report's pictures, if the truth is a file without them.",
        READ,
        metavar="FOLDER",
    )
    score: float | None = _of_weights("score")
    report: bool = setting(True, "Write report.html, a page to browse.")
    form: str = _form()
    on_error: OnError = like(AnnotatedRequest, "on_error")
    force: bool = _force()


@dataclass(frozen=True)
class ExplainRequest(SearchRequest):
    """Which image is searched, and how."""

    image: Path = setting(REQUIRED, allowed=READ, expects="image", is_argument=True)
    out: Path = setting(REQUIRED, "Folder for the pictures.", WRITE, metavar="FOLDER")
    weights: tuple[str, str] = setting(
        ("cartoon", "cartoon"),
        f"A {_WEIGHTS_FILE}.",
        READ,
        metavar="[NAME=]FILE",
        usual="cartoon",
    )
    against: tuple[str, str] = setting(
        ("pretrained", "pretrained"),
        "Weights to compare with, drawn first; give those of --weights for no comparison.",
        READ,
        metavar="[NAME=]FILE",
        usual="pretrained",
    )
    device: str = _device()
    engine: str = _engine()
    force: bool = _force()


@dataclass(frozen=True)
class ExportRequest:
    """Which weights are exported, and as what."""

    out: Path = setting(REQUIRED, "Folder for the files.", WRITE, metavar="FOLDER")
    onnx: bool = setting(False, "Write ONNX files, so far the only kind.")
    weights: str = setting(
        "cartoon",
        "A weights file, 'cartoon' or 'cartoon-large' (shipped with facetl) or 'pretrained' (on "
        "photographs).",
        READ,
        metavar="FILE",
    )
    force: bool = _force()


@dataclass(frozen=True)
class FramesRequest:
    """Which frames are picked, and from what."""

    videos: Sequence[Path] = setting(REQUIRED, allowed=READ, expects="videos", is_argument=True)
    out: Path = setting(REQUIRED, "Folder for the frames: new or empty.", WRITE, metavar="FOLDER")
    count: int = setting(100, "How many frames to pick.", AT_LEAST_ONE)
    every: Sampling = setting(
        Sampling(seconds=0.5),
        "Consider every n-th frame, e.g. 10, or one frame per time interval, e.g. 0.5s.",
    )
    weights: str = setting(
        "cartoon",
        f"The detector whose uncertainty counts: a {_WEIGHTS_FILE}.",
        READ,
        metavar="FILE",
    )
    unlike: Sequence[Path] = setting(
        (),
        "Frames that are already annotated: pick none that resemble them; repeatable.",
        READ,
        metavar="FOLDER",
    )
    variety: float = setting(
        0.5,
        "Weight of the difference from other frames; the rest is the weight of the detector's "
        "uncertainty.",
        SHARE,
    )
    score: float | None = _of_weights("score")
    workers: int = _workers(usable_cores())
    device: str = _device()
    engine: str = _engine()


def _by_stage(values: Iterable[object]) -> str:
    return f"by stage: {', '.join(map(str, values))}"


def _count(name: str, help: str, allowed: Range) -> Any:
    """Return a field for a number of patches of which each stage has its own."""
    own = _by_stage(getattr(facts.recipe, name) for facts in STAGE_FACTS.values())
    return setting(None, help, allowed, shown_default=own)


@dataclass(frozen=True, kw_only=True)
class PrepareRequest(AnnotatedRequest):
    """What patches are to be cut from, and how."""

    out: Path = setting(
        REQUIRED, "Where the patch file and its contact sheet go.", WRITE, metavar="FOLDER"
    )
    stage: Stage = setting("pnet", "The network to be trained on the patches.")
    weights: str | None = setting(
        None,
        "For rnet and onet: the retrained earlier stages, whose proposals are mined. A weights "
        "file, 'cartoon' or 'pretrained'.",
        READ,
        metavar="FILE",
    )
    positives: int | None = _count("positives", "Positives per face.", AT_LEAST_ONE)
    parts: int | None = _count("parts", "Part faces per face.", NOT_NEGATIVE)
    negatives: int | None = _count(
        "negatives",
        "Negatives per frame: for pnet half near faces, half anywhere; otherwise mostly false "
        "alarms.",
        AT_LEAST_ONE,
    )
    at_least: int | None = setting(
        None,
        "Minimum number of patches: unless counts are given, small sets of frames give up to 8 "
        "times as many per frame.",
        NOT_NEGATIVE,
        shown_default=_by_stage(facts.least_patches for facts in STAGE_FACTS.values()),
    )
    negative_below: float = setting(
        Bands.negative, "IoU with every face below which a window is a negative.", POSITIVE_SHARE
    )
    part_from: float = setting(
        Bands.part, "IoU with a face from which a window is a part face.", POSITIVE_SHARE
    )
    positive_from: float = setting(
        Bands.positive, "IoU with a face from which a window is a positive.", POSITIVE_SHARE
    )
    match: Match = setting(
        Recipe.match,
        "Whether IoU is measured with the face's square (same centre, longer side) or with its "
        "box.",
    )
    padding: bool = setting(
        Recipe.padding,
        "Windows that extend beyond the frame: black outside it, or the visible rest stretched.",
    )
    skin: float = like(Recipe, "skin")
    seed: int = _seed()
    workers: int = _workers(usable_cores())
    device: str = _device()
    engine: str = _engine()
    resume: bool = setting(False, "Resume interrupted cutting.")
    force: bool = _force()

    @property
    def path(self) -> Path:
        """The patch file."""
        from facetl.training.patches import patches_path

        return patches_path(self.out, self.stage)

    @property
    def sheet(self) -> Path:
        """The picture of some patches."""
        return self.out / f"{self.stage}_patches.png"

    @property
    def counts(self) -> dict[str, Any]:
        """The counts that were chosen, by name."""
        found = {name: getattr(self, name) for name in ("positives", "parts", "negatives")}
        return {name: count for name, count in found.items() if count is not None}

    @property
    def recipe(self) -> Recipe:
        """The stage's own recipe with what was chosen otherwise.

        Raises:
            InputError: if the numbers do not go together.
        """
        bands = Bands(self.negative_below, self.part_from, self.positive_from)
        own = STAGE_FACTS[self.stage].recipe
        chosen = {name: getattr(self, name) for name in ("match", "padding", "skin")}
        return replace(own, bands=bands, **chosen, **self.counts)


@dataclass(frozen=True, kw_only=True)
class StatsRequest(AnnotatedRequest):
    """What is summarised."""

    on_error: OnError = like(AnnotatedRequest, "on_error", default="skip")
    out: Path | None = setting(
        None,
        "Folder for the figures, the tables and the picture.",
        WRITE,
        metavar="FOLDER",
        shown_default="they are only printed",
    )
    workers: int = _workers(usable_cores())
    force: bool = _force()


@dataclass(frozen=True)
class TheoryRequest:
    """What is worked out, and from how many draws it is simulated."""

    out: Path = setting(REQUIRED, "Folder for the pictures and the table.", WRITE, metavar="FOLDER")
    alpha: float = setting(1.0, "Strength α of the penalties.", Range(0, 1000, above=True))
    distance: float = setting(
        0.5, "Distance of the start from the truth; zero is at distance 1.", Range(0, 10)
    )
    draws: int = setting(2000, "How often the noise is drawn.", Range(2, 100_000))
    seed: int = _seed()
    force: bool = _force()


@dataclass(frozen=True, kw_only=True)
class TrainRequest(AnnotatedRequest):
    """What is trained, on what.

    Attributes:
        start: None: ``cartoon-large`` for few frames, otherwise the pretrained weights; random
            ones where the strategy wants them.
        epochs: None: the usual ones.
        keep_epochs: whether the epochs stay as they are; else few frames get more of them, and a
            budget chooses.
        began: what ``time.perf_counter`` returned when the budget began; None: now.
        repaint: share of the patches with colour channels exchanged; None, here and in ``grey``
            and ``mix``: each stage's own.
    """

    out: Path = setting(
        REQUIRED,
        "The weights file to write (.safetensors); training log and loss curves are written "
        "beside it.",
        WRITE_WEIGHTS,
        metavar="FILE",
        shown_default="the next round, if DATA is a project",
    )
    start: str | None = setting(
        None,
        "Weights to start from; with cartoon-large, what is trained rescores what it finds too.",
        READ,
        metavar="pretrained|cartoon|cartoon-large|scratch|FILE",
        shown_default=f"those in use in a project; otherwise cartoon-large for up to {FEW_FRAMES} "
        "frames, pretrained for more",
    )
    epochs: tuple[int, int, int] | None = _epochs(
        None, usual=tuple(facts.training.epochs for facts in STAGE_FACTS.values())
    )
    keep_epochs: bool = False
    rounds: int = setting(
        1, "With 2, mine again with the retrained cascade and train again, and so on.", AT_LEAST_ONE
    )
    budget: float | None = setting(
        None,
        "Take about this long, e.g. 10m: adapt the epochs, then the patches per frame; with "
        "--epochs only the patches.",
        metavar="TIME",
    )
    began: float | None = None
    with_cartoons: int = setting(
        0,
        "Add N frames of the built-in cartoon, each in a random style (--style any).",
        NOT_NEGATIVE,
        metavar="N",
    )
    skin: float = like(Recipe, "skin")
    repaint: float | None = like(
        Augmentation, "repaint", default=None, shown_default="0 for PNet, otherwise 0.05"
    )
    grey: float | None = like(Augmentation, "grey", default=None, shown_default="0")
    mix: float | None = like(Augmentation, "mix", default=None, shown_default="0")
    hold_out: float = setting(
        0.1,
        f"Of up to {FEW_FRAMES} frames without a test part: fraction held out, to compare the new "
        "detector with the one in use.",
        Range(0, 1, above=True, below=True),
        metavar="FRACTION",
    )
    transfer: Transfer = field(default_factory=Transfer)
    seed: int = _seed()
    workers: int = _workers(usable_cores())
    device: str = _device()
    engine: str = _engine()
    resume: bool = setting(False, "Resume an interrupted training.")
    force: bool = _force()


@dataclass(frozen=True)
class TrainNamesRequest(AnnotatedRequest):
    """Which characters are learnt, and by what.

    Attributes:
        start: None: the usual one of the backbone.
        settings: how it is trained.
        keep_epochs: whether the epochs stay as they are; else few faces get more of them.
    """

    out: Path = setting(
        REQUIRED,
        "The names file to write (.safetensors); training log and loss curves are written beside "
        "it.",
        WRITE_WEIGHTS,
        metavar="FILE",
    )
    backbone: str = setting(
        ONET,
        "The network that learns: the detector's last one, small and fast, which needs no torch "
        "to name faces; or a larger one.",
        tuple(SIZES),
    )
    start: str | None = setting(
        None,
        "What its training starts from: weights of a detector (onet), a names file of another "
        "show, a state dict of the same network, imagenet (efficientnet_lite0), or scratch.",
        READ,
        metavar="FILE|scratch",
        shown_default="cartoon for onet, imagenet for efficientnet_lite0, otherwise scratch",
    )
    faces: int | None = setting(
        None,
        "Learn from at most this many faces of each character, drawn at random.",
        AT_LEAST_ONE,
        metavar="N",
        shown_default="all",
    )
    settings: NamingSettings = field(default_factory=NamingSettings)
    keep_epochs: bool = False
    device: str = _device()
    resume: bool = setting(False, "Resume an interrupted training.")
    force: bool = _force()


@dataclass(frozen=True)
class AdaptRequest:
    """Which frames without annotations a detector learns from."""

    sources: tuple[Path, ...] = setting(REQUIRED, allowed=READ, expects="images", is_argument=True)
    out: Path = setting(
        REQUIRED, "The weights file to write (.safetensors).", WRITE_WEIGHTS, metavar="FILE"
    )
    weights: str = setting(
        "cartoon-large",
        "The detector to adapt: a weights file, 'cartoon', 'cartoon-large', whose fourth network "
        "then looks again at what is found, or 'pretrained'.",
        READ,
        metavar="FILE",
    )
    count: int = setting(300, "Frames to learn from, at most.", Range(1, FEW_FRAMES), metavar="N")
    every: Sampling = like(FramesRequest, "every")
    seed: int = _seed()
    workers: int = _workers(usable_cores())
    device: str = _device()
    engine: str = _engine()
    resume: bool = like(TrainRequest, "resume")
    force: bool = _force()


@dataclass(frozen=True)
class TrainStageRequest:
    """What is trained.

    Attributes:
        stage: which network.
        start: None: the pretrained weights, or random ones where the strategy wants them.
        settings: how it is trained; None: as the stage usually is.
    """

    stage: Stage
    patches: Path = setting(REQUIRED, allowed=READ, expects="patches", is_argument=True)
    out: Path = like(TrainRequest, "out", shown_default=None)
    start: str | None = like(
        TrainRequest,
        "start",
        help="Weights to start from.",
        shown_default=None,
        metavar="pretrained|cartoon|scratch|FILE",
        usual="pretrained",
    )
    join: str | None = setting(
        None,
        "A weights file, 'cartoon' or 'pretrained', whose other stages are copied into --out.",
        READ,
        metavar="FILE",
    )
    settings: TrainingSettings | None = None
    device: str = _device()
    resume: bool = like(TrainRequest, "resume")
    force: bool = _force()


@dataclass(frozen=True)
class TuneRequest(AnnotatedRequest):
    """Which settings are tried on which frames, and for what."""

    weights: str = setting(
        REQUIRED,
        f"A {_WEIGHTS_FILE}.",
        READ_BESIDE,
        metavar="FILE",
    )
    part: Part | None = setting(
        None, "Which part to use, if DATA has both.", ("train", "test"), usual="train"
    )
    out: Path | None = setting(
        None,
        "Weights file to write with the chosen settings; without it, --force overwrites --weights.",
        WRITE_WEIGHTS,
        metavar="FILE",
    )
    aim: Aim = setting(
        Aim("f1"),
        "ap, f1, speed, or a bound such as 'recall>=0.99' or 'precision>=0.95'.",
        metavar="AIM",
    )
    min_faces: tuple[float, ...] = setting(
        (),
        "Side of the smallest face to find, in pixels; repeatable, to compare.",
        Range(LEAST_FACE),
        flag="--min-face",
        shown_default="depends on the smallest annotated face",
    )
    factors: tuple[float, ...] = setting(
        (),
        "Ratio of neighbouring levels of the image pyramid; repeatable, to compare.",
        Range(*FACTORS),
        flag="--factor",
        shown_default="that of the weights",
    )
    limit: int = setting(400, "Use at most this many frames, evenly spaced.", AT_LEAST_ONE)
    workers: int = _workers(usable_cores())
    device: str = _device()
    engine: str = _engine()
    force: bool = _force()


@dataclass(frozen=True)
class VerifyRequest:
    """What is to be checked."""

    paths: Sequence[Path] = setting(REQUIRED, allowed=READ, is_argument=True)
    inputs: bool = setting(
        False, "Also check the inputs of the commands: frames, annotations, weights."
    )
