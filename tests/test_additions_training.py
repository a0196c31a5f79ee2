"""A regulariser, a gradient rule and a strategy are added in one file each, and trained with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reference_training import blob_patches, save_patches

from facetl.mtcnn.weights import load_pretrained_stage, load_weights

REGULARISER = """
import torch
from facetl.training.penalties import flatten
from facetl.training.penalties import Penalty, Regulariser
from facetl.training.regularisers import REGULARISERS

@REGULARISERS("toy-ones")
class Ones(Regulariser):
    @classmethod
    def build(cls, held):
        return cls()

    def __call__(self, parameters, pixels):
        return Penalty(torch.tensor(7.0), flatten(map(torch.ones_like, parameters), parameters))
"""
RULE = """
from facetl.training.gradient_rules import GRADIENT_RULES

@GRADIENT_RULES("toy-penalty-alone")
def penalty_alone(g, h, strength):
    return strength * h
"""
STRATEGY = """
from facetl.training.strategies import STRATEGIES, Strategy

STRATEGIES["toy-back-and-forth"] = Strategy(("full", "head", "head"))
"""
RUN = """
import sys
from facetl.training import regularisers
regularisers.__path__.append(sys.argv.pop(1))
import toy_rule, toy_strategy
from facetl.cli import main
assert "torch" not in sys.modules and "numpy" not in sys.modules
main()
"""


def test_the_command_line_offers_them_and_trains_with_them(tmp_path: Path) -> None:
    folder = tmp_path / "regularisers"
    folder.mkdir()
    (folder / "toy_ones.py").write_text(REGULARISER)
    (tmp_path / "toy_rule.py").write_text(RULE)
    (tmp_path / "toy_strategy.py").write_text(STRATEGY)
    (tmp_path / "run.py").write_text(RUN)
    patches = save_patches(tmp_path / "pnet.patches", blob_patches(frames=4, each=4))
    out = tmp_path / "pnet.safetensors"
    chosen = ["--regulariser=toy-ones", "--gradient-rule=toy-penalty-alone"]
    chosen += ["--strategy=toy-back-and-forth", "--phase-epochs", "1", "1", "1"]
    command = ["train-pnet", str(patches), "--out", str(out), *chosen, "--validation-share=0.5"]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py"), str(folder), *command, "--batch-size=32"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "pnet: 6,632, then 198, then 198 of 6,632 parameters learn" in done.stderr
    weights = load_weights(out)
    records = weights.metadata["records"]
    assert [record["train"]["penalty"] for record in records] == [7.0] * 3
    start = load_pretrained_stage("pnet")
    for name, after in weights.stages["pnet"].items():  # whatever the loss is, all weights shrink
        assert (after <= start[name]).all(), name
