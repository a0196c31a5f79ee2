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
    "data out backbone start faces epochs batch_size learning_rate ... on_error resume force",
)
def train_names(request: TrainNamesRequest) -> None:
    """Learn the characters that the annotations in DATA name, to tell who each face is.

    The labels of the faces are the characters' names, in any format that facetl reads.  Faces
    called `unknown` teach what is nobody: a face like them gets no name.  Ten faces a character
    are a beginning.

    facetl detect --names FILE then writes a name and its score for each face.

    \b
    Examples:
      facetl train-names DATA --out names.safetensors
      facetl detect episode.mp4 --names names.safetensors
      facetl train-names DATA --backbone resnet18 --start imagenet.pt --out names.safetensors
    """
    from facetl.commands.train_names import train_names

    keep = options.is_given("epochs") or options.is_given("phase_epochs")
    result = train_names(replace(request, keep_epochs=keep), ConsoleReporter())
    click.echo(result.files.describe())
    for measured in result.measured:
        click.echo(measured.describe())
    suggest("detect", "FRAMES", "--names", request.out, "--out", "results")
