"""Everything from drawn frames to figures, as the commands that people would type."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facetl.commands.requests import DemoRequest as DemoRequest
from facetl.data.interop import require_libraries
from facetl.errors import TRAINING
from facetl.files import refuse_to_overwrite


@dataclass(frozen=True)
class DemoResult:
    """What a demo made.

    Attributes:
        seconds: how long it took.
        places: what to look at, each with a description.
    """

    seconds: float
    places: dict[Path, str]


def demo(request: DemoRequest, run: Callable[[str], None]) -> DemoResult:
    """Draw a cartoon, retrain the detector on it, and compare what is found before and after.

    Args:
        request: what is shown.
        run: runs a command of facetl, given as it would be typed after ``facetl``.

    Raises:
        InputError: if facetl is installed without what training takes.
        OutputError: if ``out`` exists already.
    """
    require_libraries(TRAINING, "facetl demo")
    refuse_to_overwrite(request.out, force=request.force)
    began = time.perf_counter()
    for command in plan(request):
        run(command)
    results = request.out / "results"
    places = {
        results / "overlays": "what all three find, side by side",
        results / "report.html": "every frame, what is found and missed: in a browser",
        results / "precision_recall.png": "their precision and recall",
        request.out / "patches" / "pnet_patches.png": "what the network learnt from",
    }
    return DemoResult(time.perf_counter() - began, places)


def plan(request: DemoRequest) -> list[str]:
    """Return the commands, from drawn frames to figures, without ``facetl``."""
    frames, patches, pnet, cascade, results = (
        shlex.quote(str(request.out / name))
        for name in ("cartoons", "patches", "pnet.safetensors", "cascade.safetensors", "results")
    )
    seed, epochs = request.seed, " ".join(map(str, request.epochs))
    return [
        f"cartoons {frames} --train {request.train} --test {request.test} --seed {seed}",
        f"prepare {frames} --out {patches} --seed {seed}",
        f"train-pnet {patches} --out {pnet} --epochs {request.epochs[0]} --seed {seed}",
        f"train {frames} --out {cascade} --start pretrained --epochs {epochs} --seed {seed}",
        f"detect {frames}/validare/validare --weights pretrained --weights pnet={pnet} "
        f"--weights whole-cascade={cascade} --overlays --truth {frames} --out {results}",
        f"evaluate {results} --truth {frames}",
    ]
