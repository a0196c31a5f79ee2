"""From an episode to its own detector: what it takes on the page, and what it brings.

    python benchmarks/annotate.py DATA [--count 40] [--budget 2m] [--hue 0] [--out FOLDER]

The episode is made of the test frames of DATA, each of them a scene of a second.  A browser then
shows the page of `facetl annotate`, and the true boxes are told to one who corrects by keys and
drags what the page suggests; the detector is retrained from the page, and the whole episode
searched.  Printed is what was done, and how many faces each detector finds at no more than 5 false
alarms a hundred frames: on all scenes, and on those of which no frame was annotated.

With --hue all colours are turned, as if a show had been drawn that the shipped weights do not
know.  --pretrained begins with the weights that know photographs only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from facetl import FaceDataset, load_dataset, load_image
from facetl.boxes import Boxes, as_boxes
from facetl.data.images import Pixels
from facetl.data.project import Project
from facetl.data.video import VideoReader, writing_video
from facetl.evaluation.matching import Ranking, TrueBoxes
from facetl.evaluation.metrics import IOU_THRESHOLD, measure
from facetl.mtcnn.detector import Detector

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import SWITCHES, find_browser
from keyed_annotator import KeyedAnnotator

RATE, LENGTH = 8, 8
"""Frames a second, and frames of a scene."""
FALSE_ALARMS = 5
"""A hundred frames."""


def turn_colours(pixels: Pixels, hue: float) -> Pixels:
    """Turn all colours about the grey axis, by a share of the circle."""
    if not hue:
        return pixels
    columns = [_turned(each, hue) for each in np.eye(3)]
    turned = np.clip(pixels @ np.array(columns), 0, 255)
    return np.asarray(turned, np.uint8)


def _turned(colour: Any, hue: float) -> list[float]:
    angle, third = 2 * np.pi * hue, 1 / 3
    axis = np.full(3, third**0.5)
    turned = (
        colour * np.cos(angle)
        + np.cross(axis, colour) * np.sin(angle)
        + axis * (axis @ colour) * (1 - np.cos(angle))
    )
    return [float(each) for each in turned]


def write_episode(path: Path, data: FaceDataset, hue: float) -> list[Boxes]:
    """Write the scenes; return the faces of each, at the size of the video."""
    height, width = data.frames[0].size_hw
    faces = []
    with writing_video(path, Fraction(RATE)) as writer:
        for scene, frame in enumerate(data):
            pixels = turn_colours(load_image(frame.path), hue)
            room = np.zeros((height, width, 3), np.uint8)
            rows, columns = min(height, pixels.shape[0]), min(width, pixels.shape[1])
            room[:rows, :columns] = pixels[:rows, :columns]
            for place in range(LENGTH):
                writer.add(room, (scene * LENGTH + place) / RATE)
            faces.append(as_boxes(frame.boxes))
    return faces


def count_found(weights: str, episode: Path, faces: list[Boxes], scenes: list[int]) -> str:
    """Return how many faces are found in some scenes at so few false alarms."""
    detector = Detector.load(weights)
    wanted = {scene * LENGTH + LENGTH // 2 for scene in scenes}
    pictures = (each.pixels for each in VideoReader(episode).frames() if each.index in wanted)
    found = [each.detections for each in detector.search(pictures, detector.settings, workers=2)]
    ranking = Ranking.of([each.boxes for each in found], [each.scores for each in found])
    truth = TrueBoxes.of([faces[scene] for scene in sorted(scenes)])
    hits = measure(ranking, truth, len(found)).curve.hits
    alarms = np.cumsum(~hits)
    kept = alarms <= FALSE_ALARMS * len(scenes) / 100
    return f"{int(hits[kept].sum())} of {len(truth)}"


@contextmanager
def serving(episode: Path, *words: str) -> Iterator[str]:
    """Run the command; give the address of its page."""
    command = [sys.executable, "-m", "facetl", "annotate", str(episode), "--no-browser", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        process.communicate()  # it says at the end what there is


def wait_for(page: Page, kind: str) -> tuple[float, str]:
    """Press a button, wait until its job has ended; return the seconds, and what was told."""
    began = time.perf_counter()
    page.click(f"#{kind}")
    asked = "fetch('job').then((answer) => answer.json())"
    while (job := page.evaluate(asked)["project"]["job"]) is None or job["state"] == "running":
        page.wait_for_timeout(500)
    return time.perf_counter() - began, f"{job['state']}: {job['message']}"


def annotate(page: Page, faces: list[Boxes]) -> KeyedAnnotator:
    """Correct all frames that wait."""
    person = KeyedAnnotator(page, lambda name: faces[int(Path(name).stem) // LENGTH])
    while any(each["state"] == "waiting" for each in person.state()["frames"].values()):
        person.correct()
    return person


def run(arguments: argparse.Namespace, folder: Path) -> None:
    """Do everything, and print what came of it."""
    data, episode = load_dataset(arguments.data, part="test"), folder / "episode.mp4"
    faces = write_episode(episode, data, arguments.hue)
    words = ["--count", str(arguments.count), "--budget", arguments.budget]
    words += ["--weights", "pretrained"] if arguments.pretrained else []
    began = time.perf_counter()
    with serving(episode, *words) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(SWITCHES))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.wait_for_selector("#strip img")
        print(f"picked in {time.perf_counter() - began:.0f} s", flush=True)
        person = annotate(page, faces)
        done = [each for each in person.state()["frames"].values() if each["state"] == "done"]
        print(f"{len(done)} frames done by {person.actions} actions: {dict(person.taken)}")
        for kind in ("retrain", "search"):
            seconds, told = wait_for(page, kind)
            print(f"{kind} in {seconds:.0f} s, {told}", flush=True)
        page.screenshot(path=folder / "searched.png")
        browser.close()
    report(episode, faces, {int(Path(each["name"]).stem) // LENGTH for each in done})


def report(episode: Path, faces: list[Boxes], annotated: set[int]) -> None:
    project = Project.open(episode.with_suffix(".faces"))
    scenes = list(range(len(faces)))
    rest = [scene for scene in scenes if scene not in annotated]
    last = str(project.weights_of(len(project.rounds)))
    print(f"faces found at {FALSE_ALARMS} false alarms a hundred frames, IoU {IOU_THRESHOLD:g}:")
    for name, weights in (("cartoon", "cartoon"), ("before", project.start), ("after", last)):
        figures = [count_found(weights, episode, faces, each) for each in (scenes, rest)]
        print(f"  {name:8} {figures[0]} in all scenes, {figures[1]} where nothing was annotated")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--hue", type=float, default=0.0)
    parser.add_argument("--pretrained", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.out:
        arguments.out.mkdir(parents=True)
        run(arguments, arguments.out)
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(arguments, Path(folder))


if __name__ == "__main__":
    main()
