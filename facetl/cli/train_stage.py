"""``facetl train-pnet``, ``train-rnet``, ``train-onet``: retrain one network on patches."""

from __future__ import annotations

import click

from facetl.cli import options
from facetl.cli.console import suggest
from facetl.cli.ending import ConsoleReporter
from facetl.cli.train import note_idle_epochs
from facetl.commands.requests import TrainStageRequest
from facetl.mtcnn.stages import STAGES, Stage
from facetl.training.stages import STAGE_FACTS

_ORDER = (
    "patches out join start epochs resume force | batch_size learning_rate keep "
    "box_weight shares contrast repaint grey mix optimiser schedule hard_share "
    "classification_weight landmark_weight validation_share patience score_threshold "
    "flip brightness colour ..."
)
"""The options of a training: the everyday ones, and those whose defaults depend on the stage."""


def _build_command(stage: Stage) -> click.Command:
    """Return the command that trains one stage; all three are the same but for their defaults."""

    def run(request: TrainStageRequest) -> None:
        from facetl.commands.train_stage import train_stage

        assert request.settings
        note_idle_epochs(request.settings.transfer)
        result = train_stage(request, ConsoleReporter())
        click.echo(result.files.describe())
        _suggest_next(request)

    run.__name__, run.__doc__ = f"train_{stage}", _help(stage)
    settings = STAGE_FACTS[stage].training
    first_line = _first_line(stage, "patches")
    return options.command(TrainStageRequest, first_line, _ORDER, stage=stage, settings=settings)(
        run
    )


def _suggest_next(request: TrainStageRequest) -> None:
    later, patches = STAGES[STAGES.index(request.stage) + 1 :], request.patches
    if later:
        folder = patches if patches.is_dir() else patches.parent
        mined = ("--stage", later[0], "--weights", request.out)
        suggest("prepare", "DATA", *mined, "--out", folder)
    weights = ("--weights", "pretrained", "--weights", f"tuned={request.out}")
    suggest("detect", "FRAMES", *weights, "--out", "results")


def _first_line(stage: Stage, patches: str) -> str:
    return f"Retrain {STAGE_FACTS[stage].title}, on {patches}."


def _help(stage: Stage) -> str:
    before = STAGES[: STAGES.index(stage)]
    join = f" --join {before[-1]}.safetensors" if before else ""
    call = f"facetl train-{stage} patches{join} --out {stage}.safetensors"
    patches = "PATCHES (made by facetl prepare)"
    number = ("first", "second", "last")[STAGES.index(stage)]
    mined = f" --stage {stage} --weights {before[-1]}.safetensors" if before else ""
    return f"""Train the {number} of the detector's three networks alone, on {patches}.

    \b
    Examples:
      facetl prepare cartoons{mined} --out patches
      {call}
      {call} --resume
      facetl train-{stage} patches --regulariser l2-sp --alpha 0.01 --out held.safetensors

    This is a single step, for experiments: facetl train runs all of them.  What was learnt is
    written to a file, the weights.  After an interruption, the same command with --resume
    continues.

    In detail:

    {_first_line(stage, "patches")}  Patches are small pictures: positives show a face, part faces
    a part of one, negatives none.  An epoch is one pass over all of them.

    What is minimised, the loss, is cross-entropy on positives and negatives (how far the scores
    are from the truth), of which only the hardest patches of each step count (online hard example
    mining), and smooth L1 on the boxes of positives and part faces (how far these are off).

    Some frames are held out for validation; --keep determines which epoch's weights are kept.  A
    regulariser is a penalty that holds the weights near where they began; docs/transfer.md
    explains it, the strategies and the gradient rules.
    """


train_pnet = _build_command("pnet")
train_rnet = _build_command("rnet")
train_onet = _build_command("onet")
