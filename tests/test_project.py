import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from outcomes import success
from tiny_world import save_frames

from facetl.cli import main
from facetl.data.dataset import load_dataset
from facetl.data.project import Project, Round, find_project, is_project, place_beside
from facetl.errors import InputError, OutputError
from facetl.mtcnn.weights import load_weights
from facetl.training.holding_out import KnownFrames
from facetl.training.stages import STAGE_FACTS


def test_a_project_keeps_its_rounds_and_which_detector_is_in_use(tmp_path: Path) -> None:
    video, place = tmp_path / "episode.mp4", tmp_path / "episode.faces"
    project = Project.create(place, [video])
    assert (project.weights, project.next_round) == ("cartoon-large", 1)
    project.recorded(Round(1, 20, 31, {"ap": [0.9, 0.95]}), in_use=True)
    project = Project.open(place)
    assert project.weights == str(place / "rounds" / "1" / "cascade.safetensors")
    assert (project.next_round, project.rounds[0].comparison) == (2, {"ap": [0.9, 0.95]})
    project = project.recorded(Round(2, 40, 60), in_use=False)
    assert (project.used, project.next_round) == (1, 3)
    assert Project.open(place).using(0).weights == "cartoon-large"
    assert project.using(2).results == place / "rounds" / "2" / "results"


def test_a_project_is_found_by_what_its_frames_are_from(tmp_path: Path) -> None:
    video, other = tmp_path / "episode.mp4", tmp_path / "episode.mkv"
    assert find_project([video]) is None
    Project.create(place_beside(video), [video])
    found = find_project([video])
    assert found is not None
    assert found.path == tmp_path / "episode.faces"
    assert find_project([other]) is None  # of the same name, and not what the frames are from
    assert find_project([video, other]) is None


def test_a_project_is_made_once(tmp_path: Path) -> None:
    Project.create(tmp_path / "a.faces")
    with pytest.raises(OutputError, match="is a project already"):
        Project.create(tmp_path / "a.faces")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"sources": 3, "start": "cartoon", "used": 0, "rounds": []}),
        json.dumps({"sources": [], "start": "cartoon", "used": 2, "rounds": []}),
        json.dumps({"sources": [], "start": "cartoon", "used": 0, "rounds": [{"a": 1}]}),
        "[" * 100_000,
    ],
)
def test_a_damaged_project_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "project.json").write_text(content)
    assert is_project(tmp_path)
    with pytest.raises(InputError, match=r"project\.json: damaged"):
        Project.open(tmp_path)


def test_there_is_no_round_that_was_not_trained(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "a.faces")
    with pytest.raises(InputError, match="has no round 1"):
        project.using(1)
    with pytest.raises(InputError, match="is no project"):
        Project.open(tmp_path)


def test_the_annotated_frames_of_a_project_are_its_data(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "a.faces")
    save_frames(project.frames, 2)
    save_frames(project.waiting, 3)
    assert len(load_dataset(project.path)) == 2


@pytest.fixture(scope="module")
def quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for stage, facts in STAGE_FACTS.items():
            patched.setitem(STAGE_FACTS, stage, replace(facts, least_patches=0))
        yield


def test_round_after_round_with_the_same_commands(tmp_path: Path, quickly: None) -> None:
    """Each starts from the detector in use, and both are compared on frames new to both."""
    source = save_frames(tmp_path / "episode", 6)
    place = place_beside(source)
    project = Project.create(place, [source])
    save_frames(project.frames, 6)

    def run(*words: str) -> Result:
        return success(CliRunner().invoke(main, [*words]))

    train = ("train", str(place), "--epochs", "1", "1", "1")
    told = run(*train).stdout
    (first,) = Project.open(place).rounds
    assert (first.frames, first.comparison["before"]["name"]) == (6, "cartoon-large")
    assert f"of {first.comparison['faces']} faces found" in told
    assert Project.open(place).used == (1 if first.comparison["is_better"] else 0)
    learnt = KnownFrames.of(load_weights(project.weights_of(1)).metadata)
    assert len(learnt.learnt | learnt.held_out) == 6

    Project.open(place).using(1)
    again = run(*train)
    assert "starting from cascade.safetensors" in again.stderr
    second = Project.open(place).rounds[1]
    assert second.comparison["before"]["name"] == "cascade"
    assert KnownFrames.of(load_weights(project.weights_of(2)).metadata) == learnt

    Project.open(place).using(2)
    found = run("detect", str(source))
    assert "searching with the detector in use" in found.stderr
    results = place / "rounds" / "2" / "results"
    assert (results / "round-2.detections.json").is_file()
    Project.open(place).using(0)
    run("detect", str(source))
    assert (place / "rounds" / "0" / "results" / "cartoon-large.detections.json").is_file()
    chosen = run("detect", str(source), "--weights", "cartoon", "--out", str(tmp_path / "r"))
    assert "in use" not in chosen.stderr


def test_the_first_round_starts_from_the_weights_of_the_project(
    tmp_path: Path, quickly: None
) -> None:
    source = save_frames(tmp_path / "episode", 4)
    place = place_beside(source)
    project = Project.create(place, [source], "pretrained")
    save_frames(project.frames, 4)
    told = success(CliRunner().invoke(main, ["train", str(place), "--epochs", "1", "1", "1"]))
    assert "starting from pretrained" in told.stderr
    (first,) = Project.open(place).rounds
    assert first.comparison["before"]["name"] == "pretrained"
    assert not load_weights(project.weights_of(1)).settings.rescored


def test_data_with_a_test_part_is_measured_on_that(tmp_path: Path, quickly: None) -> None:
    for part, count in (("train", 3), ("test", 2)):
        save_frames(tmp_path / "data" / part, count)
    out = tmp_path / "all.safetensors"
    told = success(
        CliRunner().invoke(
            main,
            ["train", str(tmp_path / "data"), "--epochs", "1", "1", "1", "--out", str(out)],
        )
    ).stdout
    assert "on 2 test frames with " in told
    assert "held_out" not in load_weights(out).metadata


def test_outside_a_project_training_asks_where_the_weights_go(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["train", str(save_frames(tmp_path, 1))])
    assert result.exit_code == 2
    assert "--out" in result.stderr
