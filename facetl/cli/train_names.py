"""``facetl train-names``: a network learns the characters of annotated frames."""

from __future__ import annotations

from dataclasses import replace

import click

from facetl.cli import options
from facetl.cli.console import suggest
from facetl.cli.ending import ConsoleReporter
from facetl.commands.requests import TrainNamesRequest


@options.command(
    TrainNamesRequest,
    "Learn who is who: the characters of annotated frames.",
    "data out images annotations backbone faces resume force | start epochs batch_size "
    "learning_rate ... on_error",
)
def train_names(request: TrainNamesRequest) -> None:
    """Learn who is who, so that facetl detect can tell the characters' names.

    \b
    Examples:
      facetl cartoons cartoons
      facetl train-names cartoons --out names.safetensors
      facetl detect episode.mp4 --names names.safetensors
      facetl train-names DATA --backbone resnet18 --start imagenet.pt --out names.safetensors

    DATA is a folder of annotated frames in which each face has a name, in any format that facetl
    reads.  Ten faces of each character are a beginning.  Faces called `unknown` teach what is
    nobody in particular: a face like them gets no name.

    In detail:

    A network learns to tell crops of the faces apart.  The backbone, the part before its output
    layer, is the detector's last network, ONet, unless another is asked for; it starts from
    weights that know other pictures, and its output layer from random ones.  Few faces are shown
    more often.  One frame in ten, with all that show nearly the same, is held out to measure the
    names on; so is the test part of DATA, if it has one.
    """
    from facetl.commands.train_names import train_names

    keep = options.is_given("epochs") or options.is_given("phase_epochs")
    result = train_names(replace(request, keep_epochs=keep), ConsoleReporter())
    click.echo(result.files.describe())
    for measured in result.measured:
        click.echo(measured.describe())
    suggest("detect", "FRAMES", "--names", request.out, "--out", "results")
