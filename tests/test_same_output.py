"""The same commands twice, in processes of their own: the same bytes, but for measured times.

The processes differ in Python's hash seed, so no order of a set gets into an output unnoticed.
They have no network, and no place for temporary files in which anything may be left.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from outcomes import PATIENCE

from facetl.mtcnn.weights import load_weights

ROAD = (
    "cartoons toons --train 6 --test 2 --workers 1",
    "prepare toons --out patches --at-least 0",
    "train-pnet patches --out pnet.safetensors --epochs 1",
    "prepare toons --stage rnet --weights pnet.safetensors --out patches --at-least 0",
    "train-rnet patches --join pnet.safetensors --out rnet.safetensors --epochs 1",
    "prepare toons --stage onet --weights rnet.safetensors --out patches --at-least 0",
    "train-onet patches --join rnet.safetensors --out onet.safetensors --epochs 1",
    "train toons --out cascade.safetensors --epochs 1 1 1",
    "detect toons/validare --weights tuned=cascade.safetensors --weights cartoon --overlays --crops"
    " --export csv --out found",
    "detect toons/validare --stream --out lines",
    "detect episode.mp4 --video --out filmed",
    "detect toons/validare episode.mp4 --every 2 --stream --crops --out both",
    "frames episode.mp4 --count 2 --out picked",
    "evaluate found --truth toons",
    "convert toons voc --to voc",
    "explain toons/validare/validare/001.jpg --weights tuned=cascade.safetensors --out explained",
    "export --onnx --weights cascade.safetensors --out networks",
    "tune toons --weights cartoon --out tuned.safetensors --limit 2",
)
SECONDS = {"seconds", "seconds_per_frame"}
TIMED = {
    "cascade.jsonl",
    "onet.jsonl",
    "pnet.jsonl",
    "rnet.jsonl",
    "filmed/cartoon.detections.json",
    "found/cartoon.detections.json",
    "found/tuned.detections.json",
    "found/metrics.json",
    "found/report.html",
    "tuned_tuning.png",
    "tuned_tuning.svg",
}
"""What holds measured times; docs/reliability.md names these kinds."""


OFFLINE = """
import socket, tempfile

def refuse(*arguments, **options):
    raise AssertionError("somebody wants to use the network")

class Refused(socket.socket):
    __init__ = refuse

socket.socket = Refused
socket.create_connection = socket.getaddrinfo = refuse
"""


class Walks(NamedTuple):
    """Two folders in which the road was walked."""

    one: Path
    other: Path

    @property
    def temporary(self) -> Path:
        """The place for temporary files that both had."""
        return self.one.with_name("temporary")


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Walks:
    folder = tmp_path_factory.mktemp("walks")
    (folder / "road.txt").write_text("\n".join(ROAD))
    walks = Walks(folder / "one", folder / "other")
    walks.temporary.mkdir()
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(OFFLINE)
    walkers = [_set_out(walk, number) for number, walk in enumerate(walks)]
    for walker in walkers:
        told = walker.communicate(timeout=PATIENCE)[0]
        assert walker.returncode == 0, told
    return walks


def _set_out(folder: Path, number: int) -> subprocess.Popen[str]:
    folder.mkdir()
    program = Path(__file__).with_name("walk_road.py")
    return subprocess.Popen(
        [sys.executable, str(program), str(folder.parent / "road.txt")],
        cwd=folder,
        env={**environment_beside(folder), "PYTHONHASHSEED": str(number + 1)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def environment_beside(folder: Path) -> dict[str, str]:
    """Return the environment of a Python that has no network and no place for temporary files."""
    here = Path(__file__).parent
    roots = [folder.with_name("site"), here.parent, here, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, roots)),
        "TMPDIR": str(folder.with_name("temporary")),
        "OMP_NUM_THREADS": "1",
    }


def files_in(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def test_nothing_differs_but_measured_times(walks: Walks) -> None:
    names = files_in(walks.one)
    assert names == files_in(walks.other)
    assert set(names) > TIMED
    differing = {
        name
        for name in names
        if (walks.one / name).read_bytes() != (walks.other / name).read_bytes()
    }
    manifests = {name for name in differing if name.endswith("manifest.json")}
    assert differing - manifests <= TIMED
    # time was measured, though milliseconds of a short training may be the same by chance
    assert "found/cartoon.detections.json" in differing
    assert any(name.endswith(".jsonl") for name in differing)


@pytest.mark.parametrize("name", [name for name in sorted(TIMED) if ".json" in name])
def test_records_differ_in_seconds_alone(walks: Walks, name: str) -> None:
    one, other = ((walk / name).read_text(encoding="utf-8") for walk in walks)
    lines = one.splitlines() if name.endswith(".jsonl") else [one]
    others = other.splitlines() if name.endswith(".jsonl") else [other]
    assert [timeless(json.loads(each)) for each in lines] == [
        timeless(json.loads(each)) for each in others
    ]


def test_the_report_differs_in_the_seconds_it_shows(walks: Walks) -> None:
    one, other = ((walk / "found/report.html").read_text(encoding="utf-8") for walk in walks)
    row = re.compile(r"<tr[^>]*>\s*<t[hd][^>]*>seconds per frame.*?</tr>", re.DOTALL)
    assert len(row.findall(one)) == 1
    assert row.sub("", one) == row.sub("", other)


def test_manifests_differ_in_the_marks_of_what_holds_times(walks: Walks) -> None:
    names = [name for name in files_in(walks.one) if name.endswith("manifest.json")]
    folders = ("toons", "patches", "found", "lines", "filmed", "both", "picked", "voc")
    assert set(names) == {
        "manifest.json",
        *(f"{folder}/manifest.json" for folder in (*folders, "explained", "networks")),
    }
    for name in names:
        one, other = (json.loads((walk / name).read_text(encoding="utf-8")) for walk in walks)
        folder = name.removesuffix("manifest.json")
        assert without_timed(one, folder) == without_timed(other, folder)


def test_weights_are_the_same_file(walks: Walks) -> None:
    for name in ("pnet", "rnet", "onet", "cascade", "tuned"):
        one, other = (walk / f"{name}.safetensors" for walk in walks)
        assert one.read_bytes() == other.read_bytes()
    assert load_weights(walks.one / "cascade.safetensors").metadata["records"]


def test_the_whole_road_needs_no_network_and_no_shared_place(walks: Walks) -> None:
    assert (walks.one / "found/report.html").is_file()
    assert list(walks.temporary.rglob("*")) == []
    assert [path.name for walk in walks for path in walk.rglob(".*")] == []


def test_the_network_is_really_gone(walks: Walks) -> None:
    command = [sys.executable, "-c", "import socket; socket.socket()"]
    environment = environment_beside(walks.one)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "somebody wants to use the network" in done.stderr


def timeless(value: Any) -> Any:
    """Return what JSON holds without the measured times in it."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in SECONDS}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def without_timed(manifest: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return a manifest without the fingerprints of what holds times, as output and as input."""
    for step in manifest["steps"]:
        for name in step["outputs"]:
            if folder + name in TIMED:
                step["outputs"][name] = None
        for name, given in step["inputs"].items():
            if name == "found":
                given.update(bytes=None, sha256=None)
    return manifest
