"""``facetl train-pnet``, ``train-rnet``, ``train-onet``: retrain one network on patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from facetl.cli import options
from facetl.cli.console import suggest
from facetl.cli.ending import ConsoleReporter
from facetl.cli.train import given_start, note_idle_epochs
from facetl.mtcnn.stages import STAGES, Stage
from facetl.settings import filled
from facetl.training.settings import TrainingSettings
from facetl.training.stages import STAGE_FACTS

if TYPE_CHECKING:
    from facetl.commands.train_stage import TrainStageRequest


def _build_command(stage: Stage) -> click.Command:
    """Return the command that trains one stage; all three are the same but for their defaults."""
    facts = STAGE_FACTS[stage]

    @click.command(f"train-{stage}", help=_help(stage), short_help=_first_line(stage, "patches"))
    @click.argument("patches", type=options.READ, callback=options.expecting("patches"))
    @options.weights_out
    @options.start
    @click.option(
        "--join",
        type=options.READ_NAME,
        metavar="FILE",
        help="A weights file, 'cartoon' or 'pretrained', whose other stages are copied into --out.",
    )
    @_training_options(facts.training)
    @options.from_fields(facts.training.transfer)
    @options.seed
    @options.device
    @options.resume
    @options.force
    def command(**given: Any) -> None:
        from facetl.commands.train_stage import TrainStageRequest, train_stage

        settings = filled(facts.training, given)
        note_idle_epochs(settings.transfer)
        request = TrainStageRequest(stage, given["patches"], given["out"])
        chosen = {**given, "start": given_start(given), "settings": settings}
        result = train_stage(filled(request, chosen), ConsoleReporter())
        click.echo(result.files.describe())
        _suggest_next(request)

    return command


def _suggest_next(request: TrainStageRequest) -> None:
    later, patches = STAGES[STAGES.index(request.stage) + 1 :], request.patches
    if later:
        folder = patches if patches.is_dir() else patches.parent
        mined = ("--stage", later[0], "--weights", request.out)
        suggest("prepare", "DATA", *mined, "--out", folder)
    weights = ("--weights", "pretrained", "--weights", f"tuned={request.out}")
    suggest("detect", "FRAMES", *weights, "--out", "results")


def _training_options(usual: TrainingSettings) -> options.Decorator:
    """Return the options of a training, those first whose defaults depend on the stage."""
    return options.together(
        options.from_fields(
            usual, "epochs", "batch_size", "learning_rate", "keep", "box_weight", "shares"
        ),
        options.from_fields(usual.augmentation, "contrast", "repaint"),
        options.from_fields(
            usual,
            "optimiser",
            "schedule",
            "hard_share",
            "classification_weight",
            "landmark_weight",
            "validation_share",
            "patience",
            "score_threshold",
        ),
        options.from_fields(usual.augmentation, "flip", "brightness", "colour"),
    )


def _first_line(stage: Stage, patches: str) -> str:
    return f"Retrain {STAGE_FACTS[stage].title}, on {patches}."


def _help(stage: Stage) -> str:
    before = STAGES[: STAGES.index(stage)]
    join = f" --join {before[-1]}.safetensors" if before else ""
    call = f"facetl train-{stage} patches{join} --out {stage}.safetensors"
    patches = "PATCHES (a folder or file made by facetl prepare)"
    return f"""{_first_line(stage, patches)}

    This is a single step; facetl train runs all of them.

    Cross-entropy on positives and negatives with online hard example mining, smooth L1 on the
    boxes of positives and part faces.  Some frames are held out for validation; --keep determines
    which epoch's weights are kept.  After an interruption, the same command with --resume
    continues from the last epoch.

    \b
    Examples:
      {call}
      {call} --resume
      facetl train-{stage} patches --regulariser l2-sp --alpha 0.01 --out held.safetensors
    """


train_pnet = _build_command("pnet")
train_rnet = _build_command("rnet")
train_onet = _build_command("onet")
