"""``facetl train-pnet``, ``train-rnet``, ``train-onet``: retrain one network on patches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import LINE, note, suggest
from facetl.cli.ending import resumable, resuming_command
from facetl.cli.optional_pictures import OptionalPictures
from facetl.cli.training_files import TrainingFiles
from facetl.files import write_text
from facetl.search.settings import DETECTION, Settings

if TYPE_CHECKING:
    from facetl.mtcnn.networks import Network, Stage
    from facetl.mtcnn.weights import State, Weights
    from facetl.training.checkpoint import Checkpoint
    from facetl.training.patches import Patches
    from facetl.training.settings import Keep, TrainingSettings


_WHAT = {
    "pnet": "PNet, the proposal network,",
    "rnet": "RNet, the refinement network,",
    "onet": "ONet, the output network,",
}
_NEXT = {"pnet": "rnet", "rnet": "onet"}
_BEFORE = {"rnet": "pnet", "onet": "rnet"}


def build_command(stage: Stage) -> click.Command:
    """Return the command that trains one stage; all three are the same but for their defaults."""

    @click.command(f"train-{stage}", short_help=f"Retrain {_WHAT[stage]} on patches.")
    @click.argument("patches", type=options.READ, callback=options.expecting("patches"))
    @options.weights_out
    @options.start
    @click.option(
        "--join",
        type=options.READ_NAME,
        metavar="FILE",
        help="A weights file, 'cartoon' or 'pretrained', whose other stages go into --out too.",
    )
    @options.training_settings(stage)
    @options.transfer
    @options.seed
    @options.device
    @options.resume
    @options.force
    def command(
        patches: Path,
        out: Path,
        start: str,
        join: str | None,
        device: str,
        resume: bool,
        force: bool,
        **settings: Any,
    ) -> None:
        train_stage(stage, patches, out, start, join, device, settings, resume, force)

    join = f" --join {_BEFORE[stage]}.safetensors" if stage in _BEFORE else ""
    call = f"facetl train-{stage} patches{join} --out {stage}.safetensors"
    command.help = f"""Retrain {_WHAT[stage]} on PATCHES (a folder or file made by facetl prepare).

    A single step of the road; facetl train takes all of them by itself.

    Cross-entropy on positives and negatives with online hard example mining, smooth L1 on the
    boxes of positives and part faces.  Some frames are put aside for validation; --keep says
    which epoch's weights are kept.  After a break the same command with --resume goes on from
    the last epoch.

    \b
    Examples:
      {call}
      {call} --resume
      facetl train-{stage} patches --regulariser l2-sp --alpha 0.01 --out held.safetensors
    """
    return command


def train_stage(
    stage: Stage,
    patches: Path,
    out: Path,
    start: str,
    join: str | None,
    device: str,
    settings: dict[str, Any],
    resume: bool,
    force: bool,
) -> None:
    """Train a stage on a patch file and write its weights, records and loss curves."""
    from facetl.mtcnn.detector import choose_device
    from facetl.mtcnn.weights import load_weights
    from facetl.training.initialisation import build_training_network
    from facetl.training.patches import load_patches

    start = options.settle_start(start, settings["strategy"])
    options.tell_idle_epochs(settings["strategy"])
    chosen = options.build_settings(**settings)
    data = load_patches(patches, stage)
    joined = load_weights(join) if join else None
    others = dict(joined.stages) if joined else {}
    others.pop(stage, None)
    network = build_training_network(stage, start, chosen).to(choose_device(device))
    detection, counts = recommend_settings(stage, data, joined), data.describe_counts(stage)
    outputs = TrainingOutputs(out, others, detection, counts)
    task = describe_task(stage, start, data, chosen)
    with resumable(outputs.checkpoint):
        checkpoint = outputs.find_start(task, resume=resume, force=force)
        tell_busy_cores(stage, chosen, choose_device(device))
        train_and_save(network, stage, data, chosen, task, outputs, checkpoint)
    click.echo(outputs.describe())
    if stage in _NEXT:
        later, folder = _NEXT[stage], patches if patches.is_dir() else patches.parent
        suggest("prepare", "DATA", "--stage", later, "--weights", out, "--out", folder)
    weights = ("--weights", "pretrained", "--weights", f"tuned={out}")
    suggest("detect", "FRAMES", *weights, "--out", "results")


def tell_busy_cores(stage: Stage, settings: TrainingSettings, device: Any) -> None:
    """Say so where one thread is clearly faster than all, because other work keeps the cores busy.

    It is not taken unasked: with another number of threads the last digits are others.
    """
    from facetl.training.time_estimate import gain_of_one_thread

    gain = gain_of_one_thread(stage, settings, device)
    if gain > 1:
        note(
            "the cores are busy with other work: with one thread, OMP_NUM_THREADS=1, training is "
            f"about {gain:.0f} times as fast"
        )


def recommend_settings(stage: Stage, patches: Patches, joined: Weights | None) -> Settings:
    """Return how to search: as the joined stages do, but for what the new one was taught.

    RNet and ONet want their windows as their patches were cut, and a retrained ONet's boxes
    vote.  PNet by itself changes nothing: what pretrained stages see stays as they know it.
    A retrained ONet's scores are new: they are shown from the usual one on, until facetl tune
    has chosen, which takes frames, not patches.
    """
    settings = joined.settings if joined else Settings()
    if stage == "pnet":
        return settings
    padding = bool(patches.metadata.get("recipe", {}).get("padding", False))
    if stage == "onet":
        settings = replace(settings, voting=True, score=Settings().score)
    return replace(settings, padding=padding)


@dataclass(frozen=True)
class TrainingOutputs(TrainingFiles):
    """The files of one stage's training, and what goes into the weights too."""

    others: Mapping[Stage, State] = field(default_factory=dict)
    detection: Settings = field(default_factory=Settings)
    patch_counts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path:
        """Where the training stands; gone when it is finished."""
        return self.weights.with_name(f"{self.weights.name}.checkpoint")

    def find_start(self, task: dict[str, Any], *, resume: bool, force: bool) -> Checkpoint | None:
        """Return the checkpoint to go on from, None for a new training.

        Raises:
            OutputError: if something is in the way, or the training is finished.
            WeightsError: if the checkpoint is another task's.
        """
        from facetl.training.checkpoint import load_checkpoint

        self.require_room(self.checkpoint, resume=resume, force=force)
        unfinished = resume and self.checkpoint.exists()
        return load_checkpoint(self.checkpoint, task) if unfinished else None


def describe_task(
    stage: Stage, start: str, patches: Patches, settings: TrainingSettings
) -> dict[str, Any]:
    """Return all that the result of a training depends on, JSON-able."""
    from facetl.training.initialisation import fingerprint_start

    return {
        "stage": stage,
        "start": fingerprint_start(start),
        "patches": patches.fingerprint,
        "settings": settings.to_json(),
    }


def train_and_save(
    network: Network,
    stage: Stage,
    patches: Patches,
    settings: TrainingSettings,
    task: dict[str, Any],
    outputs: TrainingOutputs,
    start: Checkpoint | None,
) -> None:
    """Train, leaving a checkpoint after every epoch and the weights at the end.

    Ctrl-C leaves the weights so far as well, and has that said.
    """
    from facetl.training.checkpoint import save_checkpoint
    from facetl.training.loop import train

    checkpoint = start
    try:
        for number, checkpoint in enumerate(train(network, stage, patches, settings, start)):
            save_checkpoint(outputs.checkpoint, checkpoint, task)
            if number == 0:  # not before: what is wrong with the patches is said by itself
                note(f"{stage}: {describe_parts(stage, settings)}")
            note(describe_epoch(checkpoint, settings))
    except KeyboardInterrupt as interruption:
        if checkpoint is not None:
            leave_interrupted(checkpoint, stage, task, outputs)
            kept = f"the weights of epoch {checkpoint.kept_epoch(_keep_of(task))}"
            interruption.add_note(
                f"{outputs.weights} holds {kept}; go on with: {resuming_command()}"
            )
        raise
    assert checkpoint is not None, "a training has at least one epoch"
    save_results(checkpoint, stage, task, outputs)
    outputs.checkpoint.unlink(missing_ok=True)


def leave_interrupted(
    checkpoint: Checkpoint, stage: Stage, task: dict[str, Any], outputs: TrainingOutputs
) -> None:
    """Save where the training stands and the weights so far."""
    from facetl.training.checkpoint import save_checkpoint

    save_checkpoint(outputs.checkpoint, checkpoint, task)  # saving may have been interrupted
    save_results(checkpoint, stage, task, outputs)


def save_results(
    checkpoint: Checkpoint, stage: Stage, task: dict[str, Any], outputs: TrainingOutputs
) -> None:
    """Write the weights to keep, the records of all epochs and the loss curves."""
    from facetl.mtcnn.weights import Weights, save_weights
    from facetl.training.patches import PATCH_COUNTS
    from facetl.training.training_log import without_times

    metadata = {
        **task,
        DETECTION: outputs.detection.to_json(),
        PATCH_COUNTS: [outputs.patch_counts],
        "best_epoch": checkpoint.best_epoch,
        "kept_epoch": checkpoint.kept_epoch(_keep_of(task)),
        "records": without_times(checkpoint.records),
    }
    lines = [json.dumps(record) + "\n" for record in checkpoint.records]
    write_text(outputs.records, "".join(lines))
    stages = {**outputs.others, stage: checkpoint.kept(_keep_of(task))}
    save_weights(outputs.weights, Weights(stages, metadata))
    pictures = OptionalPictures()
    outputs.draw_losses({stage: checkpoint.records}, pictures)
    pictures.note_missing()


def _keep_of(task: dict[str, Any]) -> Keep:
    keep: Keep = task["settings"]["keep"]
    return keep


def describe_parts(stage: Stage, settings: TrainingSettings) -> str:
    """Return a few words about how many parameters learn, phase by phase."""
    from facetl.mtcnn.networks import build_network
    from facetl.training.strategies import count_parameters

    network = build_network(stage)
    counts = [f"{count_parameters(network, stage, phase.part):,}" for phase in settings.phases]
    whole = count_parameters(network, stage, "full")
    return f"{', then '.join(counts)} of {whole:,} parameters learn"


def describe_epoch(checkpoint: Checkpoint, settings: TrainingSettings, room: int = LINE) -> str:
    """Return one line about the last epoch; a star marks the best so far.

    Args:
        checkpoint: after the epoch.
        settings: of the training.
        room: columns that the line may take; what has no room is left out.
    """
    record = checkpoint.records[-1]
    trained, validated = record["train"], record["validation"]
    star = " *" if checkpoint.best_epoch == checkpoint.epoch else ""
    line = f"epoch {record['epoch']:>2}/{settings.total_epochs}  loss {trained['total']:.4f}"
    facts = (
        f"validation {validated['total']:.4f}",
        f"recall {validated['recall']:.3f}",
        f"false alarms {validated['false_alarms']:.3f}",
        f"{record['seconds']:.1f} s",
    )
    for fact in facts:
        if len(line) + len("  ") + len(fact) + len(star) <= room:
            line = f"{line}  {fact}"
    return f"{line}{star}"


train_pnet = build_command("pnet")
train_rnet = build_command("rnet")
train_onet = build_command("onet")
