"""``facetl tune``: the settings that serve a stated aim best, written into the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.annotated import chosen_format, load_frames, require_source, spread
from facetl.cli.console import note, plain_table, print_table, suggest, track
from facetl.cli.optional_pictures import OptionalPictures
from facetl.errors import InputError
from facetl.evaluation.tuning.aims import Aim
from facetl.files import plot_paths, refuse_to_overwrite, require_writable
from facetl.locks import clear

if TYPE_CHECKING:
    from rich.table import Table

    from facetl.data.annotations import OnError
    from facetl.data.dataset import FaceDataset
    from facetl.data.formats.base import Source
    from facetl.data.frame import Part
    from facetl.evaluation.tuning.trials import Trial
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.engines import EngineChoice
    from facetl.mtcnn.weights import Weights
    from facetl.search.settings import Settings

SHOWN = 5
COLUMNS = (
    *("PNet", "RNet", "ONet", "min face", "factor"),
    *("precision", "recall", "F1", "AP 0.3", "AP 0.5", "AP .5:.95", "ms"),
)


class AimType(click.ParamType[Aim]):
    """An aim of the tuning, as one word or a bound."""

    name = "aim"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Aim:
        """Return the aim, or fail as wrong usage."""
        try:
            return value if isinstance(value, Aim) else Aim.parse(value)
        except ValueError as error:
            self.fail(f"found {value!r}, {error}.", param, ctx)


def _check_name(ctx: click.Context, param: click.Parameter, out: Path | None) -> Path | None:
    return None if out is None else options.require_safetensors(ctx, param, out)


@click.command(short_help="Choose thresholds and pyramid for an aim.")
@click.argument("data", required=False, type=options.READ, callback=options.expecting("frames"))
@options.images_folder
@options.annotation_file
@options.annotation_format
@click.option(
    "--part",
    type=click.Choice(["train", "test"]),
    default="train",
    help="Which part of a DATA that has both.",
)
@click.option(
    "--weights",
    required=True,
    type=options.ReadName(beside=True),
    metavar="FILE",
    help="A weights file, 'cartoon' or 'pretrained'.",
)
@click.option(
    "--out",
    type=options.WRITE_FILE,
    callback=_check_name,
    metavar="FILE",
    help="Where the weights go with what was chosen; without it, --force writes into --weights.",
)
@click.option(
    "--aim",
    type=AimType(),
    default="f1",
    metavar="AIM",
    help="ap, f1, speed, or a bound such as 'recall>=0.99' or 'precision>=0.95'.",
)
@click.option(
    "--min-face",
    "min_faces",
    type=options.MIN_FACE,
    multiple=True,
    show_default="what the smallest face allows",
    help="Smallest face looked for, in pixels; repeat it to compare.",
)
@click.option(
    "--factor",
    "factors",
    type=options.PYRAMID_FACTOR,
    multiple=True,
    show_default="that of the weights",
    help="Ratio of neighbouring levels of the image pyramid; repeat it to compare.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=400,
    help="At most so many frames, evenly spread.",
)
@options.workers
@options.device
@options.engine
@options.on_error
@options.force
def tune(
    weights: str,
    out: Path | None,
    aim: Aim,
    min_faces: tuple[float, ...],
    factors: tuple[float, ...],
    workers: int,
    device: str,
    engine: EngineChoice,
    force: bool,
    **frames: Any,
) -> None:
    """Choose the settings that serve an aim best on the annotated frames in DATA.

    The networks judge every frame once for each pyramid; hundreds of thresholds are then replayed
    from their answers.  The choice, with the score from which boxes are shown, goes into the
    metadata of the weights, where facetl detect finds it.  Give frames that the weights were not
    trained on and that are not your test frames.

    \b
    Examples:
      facetl tune more-frames --weights cascade.safetensors --out tuned.safetensors
      facetl tune more-frames --weights cascade.safetensors --aim "recall>=0.99" --force
    """
    from facetl.evaluation.tuning.choice import plan_pyramids, rank
    from facetl.mtcnn.detector import Detector, choose_device
    from facetl.mtcnn.weights import load_weights

    out, plot = _find_outputs(out, weights, force=force)
    loaded = load_weights(weights)
    detector = Detector(loaded, choose_device(device), engine)
    dataset = _choose_frames(**frames)
    faces = [frame.boxes for frame in dataset]
    pyramids = plan_pyramids(detector.settings, faces, aim, min_faces, factors)
    trials, before = _try_all(detector, dataset, pyramids, aim, workers)
    best = rank(trials, aim, SHOWN)
    _save_choice(out, loaded, best[0], aim, dataset)
    drawn = _save_plot(plot, trials, best[0], aim, before)
    _report(best, before, aim, len(trials), len(dataset))
    click.echo(f"wrote {out}" + f" and {plot}" * drawn)
    suggest("detect", "FRAMES", "--weights", out, "--out", "results")


def _find_outputs(out: Path | None, weights: str, *, force: bool) -> tuple[Path, Path]:
    """Return where the weights and the plot go: --out, or the weights file itself by --force."""
    if out is None and (not force or Path(weights).suffix != ".safetensors"):
        raise click.UsageError(
            "found no --out; name a new weights file, or write into a .safetensors file given as "
            "--weights with --force"
        )
    out = Path(weights) if out is None else out
    plot = out.with_name(f"{out.stem}_tuning.png")
    for path in (out, *plot_paths(plot)):
        refuse_to_overwrite(path, force=force)
    require_writable(out.parent)
    for path in plot_paths(plot):
        clear(path)
    return out, plot


def _choose_frames(
    data: Path | None,
    images: Path | None,
    annotations: Path | None,
    form: str,
    part: Part,
    limit: int,
    on_error: OnError,
) -> FaceDataset:
    """Read the annotated frames, at most ``limit`` of them; those cut short are left out."""
    from facetl.data.dataset import leave_out_unreadable

    require_source(data, images)
    dataset = load_frames(data, images, annotations, on_error, part, form)
    if options.is_given("part") and not _has_parts(data, images, annotations, form):
        note(f"found no parts, so --part {part} means all {len(dataset)} frames")
    some = spread(dataset, limit)
    chosen = leave_out_unreadable(some)
    if len(chosen) < len(some):
        note(f"frames that cannot be read, left out: {len(some) - len(chosen)}")
    if not chosen.face_count:
        raise InputError(f"found no annotated face in {len(chosen)} frames; give frames with faces")
    if len(some) < len(dataset):
        note(f"taking {limit} of {len(dataset)} frames, evenly spread (see --limit)")
    return chosen


def _has_parts(data: Path | None, images: Path | None, annotations: Path | None, form: str) -> bool:
    """Return whether it makes a difference which part of annotated frames is meant."""
    from facetl.data.discovery import find_sources

    def find(part: Part) -> list[Source]:
        place = {"images": images, "annotations": annotations}
        return find_sources(data, **place, part=part, form=chosen_format(form))

    try:
        return find("train") != find("test")
    except InputError:  # there is one of the two alone
        return True


def _try_all(
    detector: Detector,
    dataset: FaceDataset,
    pyramids: Sequence[Settings],
    aim: Aim,
    workers: int,
) -> tuple[list[Trial], Trial | None]:
    """Return what all settings give, and what the weights' own gave before, if that is known."""
    from facetl.data.images import load_image
    from facetl.evaluation.matching import TrueBoxes
    from facetl.evaluation.tuning.trials import try_setting, try_settings
    from facetl.mtcnn.cached_scores import cache_scores

    boxes, ignored = zip(*((frame.boxes, frame.ignored) for frame in dataset), strict=True)
    faces = TrueBoxes.of(boxes, ignored)
    trials: list[Trial] = []
    before = None
    for number, pyramid in enumerate(pyramids, 1):
        pixels = (load_image(frame.path) for frame in dataset)
        title = f"asking the networks, pyramid {number} of {len(pyramids)}"
        shown = track(pixels, title, len(dataset))
        cached = cache_scores(detector, shown, pyramid, workers)
        trials += try_settings(cached, faces, aim)
        if cached.covers(detector.settings):
            before = try_setting(cached, faces, detector.settings)
    return trials, before


def _save_plot(
    path: Path, trials: Sequence[Trial], chosen: Trial, aim: Aim, before: Trial | None
) -> bool:
    """Draw and write the plot; return whether that could be done."""
    pictures = OptionalPictures()
    with pictures.drawing(*plot_paths(path)):
        from facetl.evaluation.report.plots import save_plot
        from facetl.evaluation.tuning.tradeoff_plot import plot_tradeoff

        save_plot(path, plot_tradeoff(trials, chosen, aim, before))
    pictures.note_missing()
    return not pictures.count


def _save_choice(
    path: Path, weights: Weights, chosen: Trial, aim: Aim, dataset: FaceDataset
) -> None:
    """Write the weights with the chosen settings, what they are for and what they gave."""
    from facetl.data.dataset import fingerprint
    from facetl.evaluation.tuning.choice import shown_score
    from facetl.mtcnn.weights import save_weights
    from facetl.search.settings import DETECTION

    figures = chosen.to_json()
    del figures["milliseconds"]  # measured: equal commands shall write equal weights
    record = {
        **chosen.settings.override(score=shown_score(chosen, aim)).to_json(),
        "aim": str(aim),
        "figures": figures,
        "data": {
            "frames": len(dataset),
            "faces": dataset.face_count,
            "fingerprint": fingerprint(dataset),
        },
    }
    save_weights(path, replace(weights, metadata={**weights.metadata, DETECTION: record}))


def _report(best: Sequence[Trial], before: Trial | None, aim: Aim, tried: int, frames: int) -> None:
    """Print the best settings, the chosen one first, and the one in use so far."""
    from facetl.evaluation.tuning.choice import shown_score

    named = [("chosen", best[0]), *(("", trial) for trial in best[1:])]
    if before:
        named.append(("before", before))
    print_table(_draw_table(named))
    click.echo(f"\nchosen for {aim} among {tried} settings on {frames} frames, at IoU 0.5")
    click.echo(f"shown from score {shown_score(best[0], aim):g} on, unless --score says otherwise")
    note("these frames flatter the choice: measure it on others")


def _draw_table(named: Sequence[tuple[str, Trial]]) -> Table:
    table = plain_table("", COLUMNS)
    for name, trial in named:
        table.add_row(name, *_cells(trial), style="bold" if name == "chosen" else "")
    return table


def _cells(trial: Trial) -> list[str]:
    settings = trial.settings
    shares = (trial.precision, trial.recall, trial.f1, *trial.ap.values())
    return [
        *(f"{threshold:g}" for threshold in settings.thresholds),
        f"{settings.min_face:g}",
        f"{settings.factor:g}",
        *(f"{share:.3f}" for share in shares),
        f"{trial.milliseconds:.0f}",
    ]
