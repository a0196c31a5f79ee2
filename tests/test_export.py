"""The exported networks and their runner beside the cascade that they were exported from."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from drawn_frames import draw_frame
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from outcomes import assert_refused, left_in, success
from PIL import ExifTags, Image

import facetl
import facetl.version
from facetl import run_onnx
from facetl.cli import main
from facetl.data.forgetting import PORTRAIT
from facetl.data.images import load_image, save_image
from facetl.mtcnn.candidates import Candidates
from facetl.mtcnn.detector import Detector
from facetl.mtcnn.networks import normalise
from facetl.mtcnn.onnx_export import build_model
from facetl.mtcnn.resampling import cut_windows
from facetl.mtcnn.stages import INPUT_SIZES, STAGES, Stage
from facetl.mtcnn.weights import Weights, load_weights
from facetl.results.detections import Detections
from facetl.run_onnx import Cascade, _valid, crop
from facetl.run_onnx import load_image as load_with_runner
from facetl.search.settings import Settings

Pixels = NDArray[np.uint8]
WEIGHTS = ("pretrained", "cartoon")
RESCORED = "cartoon-large"
NOISE = Path(__file__).with_name("cases") / "nan_boxes.png"

RUN_WITHOUT_TORCH = """
import runpy, sys
for name in ("torch", "facetl"):
    sys.modules[name] = None  # so that importing it fails
runner = runpy.run_path(sys.argv[1])
import numpy
found = [runner["Cascade"]().detect(runner["load_image"](path)) for path in sys.argv[3:]]
names = [f"{column}{i}" for i in range(len(found)) for column in ("boxes", "scores", "landmarks")]
numpy.savez(sys.argv[2], **dict(zip(names, sum(map(list, found), []))))
for score in ([], ["--score", "0"]):
    sys.argv = [sys.argv[0], *score, *sys.argv[-len(found):]]
    runner["main"]()
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of networks for each of the weights, written by the command."""
    folders = {name: tmp_path_factory.mktemp(name) / "networks" for name in (*WEIGHTS, RESCORED)}
    for name, folder in folders.items():
        success(export("--onnx", "--weights", name, "--out", folder))
    return folders


@pytest.fixture(scope="module")
def images() -> list[Pixels]:
    drawn = [draw_frame(seed=2, part="test", index=i).image for i in range(4)]
    face = load_image(PORTRAIT)
    return [face, *drawn, face[60:170, 85:170], face[:, 100:], face[:15, :15], np.zeros_like(face)]


def export(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def facts_of(path: Path) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(path)
    facts: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map["facetl"])
    return facts


def assert_same(found: Sequence[NDArray[Any]], expected: Detections) -> None:
    """Scores within 1e-4, boxes and landmarks within a thousandth of a pixel."""
    boxes, scores, landmarks = found
    assert boxes.shape == expected.boxes.shape
    np.testing.assert_allclose(scores, expected.scores, rtol=0, atol=1e-4)
    np.testing.assert_allclose(boxes, expected.boxes, rtol=0, atol=1e-3)
    np.testing.assert_allclose(landmarks, expected.landmarks, rtol=0, atol=1e-3)


# ---- the runner


@pytest.mark.parametrize("name", [*WEIGHTS, RESCORED])
def test_the_runner_finds_without_torch_what_the_cascade_finds(
    name: str, exported: dict[str, Path], images: list[Pixels], tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        save_image(path, image)
    runner, arrays = exported[name] / "run_onnx.py", tmp_path / "found.npz"
    command = [sys.executable, "-c", RUN_WITHOUT_TORCH, runner, arrays, *paths]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    detector = Detector.load(name, "cpu", "torch")
    expected = detector.detect(images)
    assert sum(map(len, expected)) > 3
    with np.load(arrays) as columns:
        for number, own in enumerate(expected):
            found = [columns[f"{column}{number}"] for column in ("boxes", "scores", "landmarks")]
            assert_same(found, own)
    assert done.stdout.splitlines() == [
        " ".join([str(path), *(f"{edge:.2f}" for edge in box), f"{score:.4f}"])
        for least in (detector.score, 0)
        for path, own in zip(paths, expected, strict=True)
        for box, score in zip(own.boxes, own.scores, strict=True)
        if score >= least
    ]


@pytest.mark.parametrize(("rnet_weight", "mirrored"), [(0.0, False), (0.5, False), (0.5, True)])
@pytest.mark.parametrize("voting", [False, True])
@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("name", WEIGHTS)
def test_the_runner_heeds_every_setting(
    name: str,
    padding: bool,
    voting: bool,
    rnet_weight: float,
    mirrored: bool,
    exported: dict[str, Path],
    images: list[Pixels],
) -> None:
    settings = Settings(
        min_face=30,
        factor=0.8,
        thresholds=(0.3, 0.25, 0.15),
        padding=padding,
        voting=voting,
        rnet_weight=rnet_weight,
        mirrored=mirrored,
    )
    cascade = Cascade(exported[name])
    cascade.settings = settings.to_json()
    detector = Detector.load(name, "cpu", "torch")
    expected = [found.detections for found in detector.search(images, settings)]
    for image, own in zip(images, expected, strict=True):
        assert_same(cascade.detect(image), own)


def test_the_runner_rescores_what_both_views_found(
    exported: dict[str, Path], images: list[Pixels]
) -> None:
    cascade, detector = Cascade(exported[RESCORED]), Detector.load(RESCORED, "cpu", "torch")
    cascade.settings["mirrored"] = True
    settings = detector.settings.override(mirrored=True)
    for image, own in zip(images, detector.search(images, settings), strict=True):
        assert_same(cascade.detect(image), own.detections)


@given(st.data(), st.sampled_from([12, 24, 48]))
def test_the_runners_crops_are_the_cascades(data: st.DataObject, size: int) -> None:
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    image = np.random.default_rng(height * 61 + width).integers(0, 256, (height, width, 3), "u1")
    x1, y1 = data.draw(st.integers(-30, width - 1)), data.draw(st.integers(-30, height - 1))
    x2, y2 = data.draw(st.integers(max(x1, 0) + 1, 90)), data.draw(st.integers(max(y1, 0) + 1, 90))
    sums = np.zeros((height + 1, width + 1, 3), np.int64)
    sums[1:, 1:] = image.cumsum(0, dtype=np.int64).cumsum(1)
    window = np.array([[x1, y1, x2, y2]])
    expected = cut_windows(image, window.astype(float), size, padding=True)
    np.testing.assert_array_equal(crop(sums, window, size), expected.numpy())


def save_picture(kind: str, folder: Path) -> Path:
    """Write a picture of a kind that has to be made RGB first."""
    drawn = Image.fromarray(draw_frame(seed=2, part="test", index=0).image)
    deep = np.asarray(drawn.convert("L")).astype(np.uint16) * 256 + 200
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    made = {
        "16-bit.png": lambda path: Image.fromarray(deep).save(path),
        "16-bit.tif": lambda path: Image.fromarray(deep).save(path),
        "palette.png": lambda path: drawn.quantize(60).save(path),
        "alpha.png": lambda path: with_alpha(drawn).save(path),
        "turned.jpg": lambda path: drawn.save(path, exif=exif),
    }
    made[kind](folder / kind)
    return folder / kind


def with_alpha(picture: Image.Image) -> Image.Image:
    """Return a picture that becomes transparent from left to right."""
    copy = picture.copy()
    copy.putalpha(Image.linear_gradient("L").rotate(90).resize(picture.size))
    return copy


@pytest.mark.parametrize(
    "kind", ["16-bit.png", "16-bit.tif", "palette.png", "alpha.png", "turned.jpg"]
)
def test_the_runner_reads_pictures_as_facetl_does(kind: str, tmp_path: Path) -> None:
    path = save_picture(kind, tmp_path)
    expected = load_image(path)
    assert expected.std() > 20
    np.testing.assert_array_equal(load_with_runner(path), expected)


# ---- the networks


@pytest.mark.parametrize("stage", STAGES)
def test_the_networks_give_the_same_for_any_number_and_size(
    stage: Stage, exported: dict[str, Path]
) -> None:
    session = onnxruntime.InferenceSession(exported["cartoon"] / f"{stage}.onnx")
    network = load_weights("cartoon").network(stage)
    side = INPUT_SIZES[stage]
    sizes = [(12, 12), (13, 40), (31, 24), (60, 81)] if stage == "pnet" else [(side, side)]
    for height, width in sizes:
        for count in (1, 3):
            pixels = torch.rand(count, 3, height, width) * 255
            with torch.inference_mode():
                expected = network(normalise(pixels))
            found = session.run(None, {"pixels": pixels.numpy()})
            assert len(found) == (3 if stage == "onet" else 2)
            for own, other in zip(
                found, (expected.scores, expected.offsets, expected.landmarks), strict=False
            ):
                np.testing.assert_allclose(own, other.numpy(), rtol=0, atol=1e-5)


def test_the_networks_need_no_new_runtime(exported: dict[str, Path]) -> None:
    """onnxruntime 1.14 knows IR version 8 and opset 18; no operator may have changed since."""
    for stage in STAGES:
        model = onnx.load(exported["cartoon"] / f"{stage}.onnx")
        assert model.ir_version == 8
        assert [(each.domain, each.version) for each in model.opset_import] == [("", 18)]
        onnx.checker.check_model(model)


@pytest.mark.parametrize("voting", [False, True])
def test_the_runner_gives_no_boxes_that_are_none(exported: dict[str, Path], voting: bool) -> None:
    noise = load_image(NOISE)
    cascade = Cascade(exported["cartoon"])
    cascade.settings = {**cascade.settings, "thresholds": (0.1, 0.05, 0.0), "voting": voting}
    expected = Detector.load("cartoon", "cpu", "torch").detect(
        noise, (0.1, 0.05, 0.0), voting=voting
    )
    assert len(expected)
    assert_same(cascade.detect(noise), expected)


@given(
    arrays(np.float32, st.tuples(st.integers(0, 9), st.just(4)), elements=st.floats(width=32)),
)
def test_the_runner_and_the_cascade_mean_the_same_by_a_box(boxes: NDArray[np.float32]) -> None:
    none, numbers = np.zeros_like(boxes), np.arange(len(boxes))
    candidates = Candidates(boxes, none[:, 0], numbers, none, none[:, :0])
    with np.errstate(all="ignore"):
        assert np.flatnonzero(_valid(boxes)).tolist() == candidates.valid().image_index.tolist()


def test_settings_out_of_bounds_end_the_runner_in_one_line(
    exported: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A factor next to 1 took all memory."""
    folder = shutil.copytree(exported["cartoon"], tmp_path / "n")
    model = onnx.load(folder / "pnet.onnx")
    facts = json.loads(model.metadata_props[0].value)
    facts["settings"]["factor"] = 0.9999999999
    model.metadata_props[0].value = json.dumps(facts)
    onnx.save(model, folder / "pnet.onnx")
    monkeypatch.setattr(sys, "argv", ["run_onnx.py", "--networks", str(folder), str(PORTRAIT)])
    with pytest.raises(SystemExit) as stopped:
        run_onnx.main()
    assert stopped.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{folder}: found settings")


def test_the_networks_say_where_they_come_from(exported: dict[str, Path]) -> None:
    for name, folder in exported.items():
        weights = load_weights(name)
        for stage in STAGES:
            path = folder / f"{stage}.onnx"
            facts = facts_of(path)
            assert facts.pop("settings") == json.loads(json.dumps(weights.settings.to_json()))
            assert facts == {
                "format": "facetl-onnx",
                "version": 1,
                "facetl": facetl.version.VERSION,
                "stage": stage,
                "weights": weights.fingerprint,
            }
            assert str(Path(facetl.__file__).parent).encode() not in path.read_bytes()


def test_the_fingerprint_is_that_of_the_weights() -> None:
    pretrained = load_weights("pretrained")
    stages = {stage: dict(pretrained.stages[stage]) for stage in STAGES}
    assert Weights({"pnet": stages["pnet"]}).fingerprint == pretrained.fingerprint
    stages["onet"]["dense6_1.bias"] = stages["onet"]["dense6_1.bias"] + 1e-6
    assert Weights(stages).fingerprint != pretrained.fingerprint


# ---- the command


def test_the_command_names_what_it_wrote(exported: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "rescorer.onnx").touch()  # as if other weights had been exported before
    result = success(export("--onnx", "--out", tmp_path, "--force"))
    names = ["pnet.onnx", "rnet.onnx", "onet.onnx", "run_onnx.py"]
    assert result.stdout.splitlines() == [str(tmp_path / name) for name in names]
    assert left_in(tmp_path) == sorted([*names, "old"])
    for name in names:
        assert (tmp_path / name).read_bytes() == (exported["cartoon"] / name).read_bytes()


def test_weights_that_rescore_bring_the_network_for_it(exported: dict[str, Path]) -> None:
    names = ["pnet.onnx", "rnet.onnx", "onet.onnx", "rescorer.onnx", "rescorer.LICENSE"]
    folder = exported[RESCORED]
    assert left_in(folder) == sorted([*names, "run_onnx.py"])
    assert "Apache License" in (folder / "rescorer.LICENSE").read_text(encoding="utf-8")
    model = onnx.load(folder / "rescorer.onnx")
    assert (model.ir_version, model.opset_import[0].version) == (8, 18)


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    assert_refused(export("--onnx", "--out", tmp_path), str(tmp_path), "--force")


def test_a_kind_of_file_has_to_be_named(tmp_path: Path) -> None:
    result = export("--out", tmp_path / "networks")
    assert result.exit_code == 2
    assert "--onnx" in result.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_written_is_what_the_package_onnx_would_write(stage: Stage) -> None:
    """Read and written again by it, with the fields in its order, not a byte is lost."""
    data = build_model(stage, load_weights("cartoon"))
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert sorted(model.SerializeToString()) == sorted(data)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    state = load_weights("cartoon").stages[stage]
    for tensor in model.graph.initializer:
        if tensor.name in state:
            array = onnx.numpy_helper.to_array(tensor)
            assert np.array_equal(array.ravel(), state[tensor.name].ravel())


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.safetensors"
    assert_refused(
        export("--onnx", "--weights", missing, "--out", tmp_path / "networks"), str(missing)
    )
