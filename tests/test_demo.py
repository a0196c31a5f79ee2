"""The whole road on a handful of drawn frames, as somebody would walk it."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from commands import parse

from facetl.cli import main
from facetl.commands.demo import DemoRequest, plan


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("demo") / "a demo"
    arguments = [
        "demo",
        "--out",
        str(out),
        "--train",
        "6",
        "--test",
        "3",
        "--epochs",
        "2",
        "1",
        "1",
    ]
    return out, CliRunner().invoke(main, arguments)


def test_the_demo_leaves_everything_it_speaks_of(walked: tuple[Path, Result]) -> None:
    out, result = walked
    assert result.exit_code == 0, result.output
    for name in (
        "cartoons/antrenare/juno_annotations.txt",
        "patches/pnet.patches",
        "patches/pnet_patches.png",
        "pnet.safetensors",
        "pnet_losses.png",
        "pnet_losses.svg",
        "results/pretrained.detections.json",
        "cascade.safetensors",
        "cascade_losses.png",
        "results/pnet.detections.json",
        "results/whole-cascade.detections.json",
        "results/precision_recall.png",
        "results/scores.png",
    ):
        assert (out / name).is_file(), name
    assert len(list((out / "results/overlays").iterdir())) == 3


def test_its_figures_stand_in_the_table_and_in_the_metrics_file(
    walked: tuple[Path, Result],
) -> None:
    out, result = walked
    runs = json.loads((out / "results/metrics.json").read_text())["runs"]
    assert list(runs) == ["pretrained", "pnet", "whole-cascade"]
    rows = {line.split("  ")[0]: line.split()[-3:] for line in result.stdout.splitlines() if line}
    for key in ("0.3", "0.5", "0.7"):
        shown = [float(text) for text in rows[f"AP at IoU {key}"]]
        assert shown == [pytest.approx(run["ap"][key], abs=6e-4) for run in runs.values()]


def test_every_step_is_shown_as_the_command_that_runs(walked: tuple[Path, Result]) -> None:
    out, result = walked
    shown = [line for line in result.stderr.splitlines() if line.startswith("$ facetl")]
    assert shown == [f"$ facetl {command}" for command in plan(DemoRequest(out, 6, 3, (2, 1, 1)))]


def test_the_steps_parse_whatever_the_folder_is_called() -> None:
    for command in plan(DemoRequest(Path("it's here"))):
        parse(*shlex.split(command))


def test_the_cartoon_of_the_demo_is_the_house_s() -> None:
    drawing = parse(*shlex.split(plan(DemoRequest(Path("out")))[0]))
    assert drawing.params["style"] == "house"


def test_a_second_walk_needs_force(walked: tuple[Path, Result]) -> None:
    out, _ = walked
    again = CliRunner().invoke(main, ["demo", "--out", str(out)])
    assert again.exit_code == 1
    assert again.stderr == (
        f"facetl: {out} exists already; choose another place, or overwrite with --force\n"
    )
