from __future__ import annotations

import json
import os
import pickle
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facetl.errors import WeightsError
from facetl.mtcnn import weights as weights_module
from facetl.mtcnn.networks import Network, Outputs, build_network
from facetl.mtcnn.stages import STAGES, Stage
from facetl.mtcnn.weights import (
    State,
    Weights,
    load_pretrained_stage,
    load_weights,
    save_weights,
)


def random_state(stage: Stage) -> State:
    return dict(build_network(stage).state_dict())


def same(state: State, other: State) -> bool:
    if state.keys() != other.keys():
        return False
    return all(np.array_equal(np.asarray(state[k]), np.asarray(other[k])) for k in state)


def message_of(path: Path) -> str:
    """The complaint about a weights file: one line that begins with its path."""
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "; " in message, "a remedy follows what was found"
    return message.removeprefix(f"{path}: ")


def save_header(path: Path, header: object) -> Path:
    tensors = {f"pnet.{name}": t.contiguous() for name, t in random_state("pnet").items()}
    save_file(tensors, path, {"facetl": json.dumps(header)})
    return path


class Bomb:
    """A pickle that makes a file when it is unpacked."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.target,)


# ---- what goes in comes out


@pytest.mark.parametrize("stages", [("pnet",), ("rnet", "onet"), STAGES])
def test_round_trip_keeps_every_bit_and_the_metadata(
    tmp_path: Path, stages: tuple[Stage, ...]
) -> None:
    path = tmp_path / "new" / "a.safetensors"
    before = Weights({stage: random_state(stage) for stage in stages}, {"start": "scratch"})
    save_weights(path, before)
    after = load_weights(path)
    assert set(after.stages) == set(stages)
    assert all(same(after.stages[stage], before.stages[stage]) for stage in stages)
    assert after.metadata["start"] == "scratch"
    assert (after.metadata["format"], after.metadata["version"]) == ("facetl-weights", 1)
    assert after.metadata["stages"] == list(stages)
    assert "facetl" in after.metadata


def test_what_the_file_says_of_itself_is_never_inherited(tmp_path: Path) -> None:
    save_weights(tmp_path / "p.safetensors", Weights({"pnet": random_state("pnet")}, {"seed": 3}))
    first = load_weights(tmp_path / "p.safetensors")
    both = {**first.stages, "rnet": random_state("rnet")}
    save_weights(tmp_path / "pr.safetensors", Weights(both, first.metadata))
    metadata = load_weights(tmp_path / "pr.safetensors").metadata
    assert metadata["stages"] == ["pnet", "rnet"]
    assert metadata["seed"] == 3


def test_same_weights_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_weights(tmp_path / f"{name}.safetensors", load_weights("pretrained"))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_missing_stage_falls_back_to_the_pretrained_one() -> None:
    tuned = Weights({"pnet": random_state("pnet")})
    assert same(dict(tuned.network("pnet").state_dict()), dict(tuned.stages["pnet"]))
    for stage in ("rnet", "onet"):
        assert same(dict(tuned.network(stage).state_dict()), load_pretrained_stage(stage))
    assert not tuned.network("pnet").training


def test_pretrained_is_all_three_stages() -> None:
    pretrained = load_weights("pretrained")
    assert tuple(pretrained.stages) == STAGES
    assert all(same(pretrained.stages[s], load_pretrained_stage(s)) for s in STAGES)


@pytest.mark.parametrize("name", ["cartoon", "cartoon-large", "pretrained"])
def test_a_built_in_name_may_come_as_a_path(name: str) -> None:
    assert load_weights(Path(name)).fingerprint == load_weights(name).fingerprint


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_bare_network_is_recognised_by_its_shapes(
    tmp_path: Path, stage: Stage, suffix: str
) -> None:
    state = random_state(stage)
    torch.save(state, tmp_path / f"a{suffix}")
    loaded = load_weights(tmp_path / f"a{suffix}")
    assert set(loaded.stages) == {stage}
    assert same(loaded.stages[stage], state)


def test_a_pytorch_file_may_hold_prefixed_names(tmp_path: Path) -> None:
    state = random_state("onet")
    torch.save({f"onet.{name}": tensor for name, tensor in state.items()}, tmp_path / "a.pt")
    assert same(load_weights(str(tmp_path / "a.pt")).stages["onet"], state)


def test_a_safetensors_file_without_our_metadata_is_read_too(tmp_path: Path) -> None:
    state = {name: tensor.contiguous() for name, tensor in random_state("rnet").items()}
    save_file(state, tmp_path / "a.safetensors")
    loaded = load_weights(tmp_path / "a.safetensors")
    assert same(loaded.stages["rnet"], state)
    assert loaded.metadata == {}


# ---- what is refused, in one line


def test_a_missing_file(tmp_path: Path) -> None:
    assert "no such weights file" in message_of(tmp_path / "a.safetensors")
    assert "no such weights file" in message_of(tmp_path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_file(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".pt":
        torch.save(random_state("pnet"), path)
    else:
        save_weights(path, Weights({"pnet": random_state("pnet")}))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    expected = {".safetensors": "not a readable safetensors file", ".pt": "no whole file"}
    assert (expected[suffix] if share else "found 0 bytes") in message_of(path)


def test_no_room_is_made_for_what_a_file_only_promises(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(random_state("pnet"), path, _use_new_zipfile_serialization=False)
    named = b"X\x0c\x00\x00\x00conv1.weight"  # a text of 12 bytes
    assert named in path.read_bytes()
    promised = named.replace(b"\x0c\x00\x00\x00", b"\xff\xff\xff\x7f")  # of 2 GiB
    path.write_bytes(path.read_bytes().replace(named, promised))
    tracemalloc.start()
    assert "no whole file" in message_of(path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_a_packed_file_is_not_unpacked_beyond_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``torch.save`` packs nothing: 3 MB of zeros become 3.5 GB in the memory."""
    monkeypatch.setattr(weights_module, "MOST_BYTES", 1_000_000)
    torch.save({"conv1.weight": torch.zeros(1_000_000)}, tmp_path / "a.zip")
    with (
        ZipFile(tmp_path / "a.zip") as plain,
        ZipFile(tmp_path / "a.pt", "w", ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert (tmp_path / "a.pt").stat().st_size < 10_000
    tracemalloc.start()
    assert re.match(r"holds 4,000,\d\d\d bytes once", message_of(tmp_path / "a.pt"))
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_packed_file_within_the_bound_is_read(tmp_path: Path) -> None:
    state = random_state("rnet")
    torch.save(state, tmp_path / "a.zip")
    with (
        ZipFile(tmp_path / "a.zip") as plain,
        ZipFile(tmp_path / "a.pt", "w", ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert same(load_weights(tmp_path / "a.pt").stages["rnet"], state)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_huge_file_is_not_read(tmp_path: Path, suffix: str) -> None:
    with (tmp_path / f"a{suffix}").open("wb") as file:
        file.truncate(10**12)  # with nothing in it
    assert "found 1,000,000,000,000 bytes" in message_of(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_what_is_no_file_is_never_waited_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    os.mkfifo(path)
    assert "no such weights file" in message_of(path)
    for place, expected in (
        ("/dev/zero", "no such weights file"),
        ("/proc/kmsg", "found 0 bytes"),
        (str(tmp_path), "no such weights file"),
        ("x" * 5000, "no such weights file"),
    ):
        path.unlink()
        path.symlink_to(place[:4000])
        if Path(place[:200]).exists():
            assert expected in message_of(path)
        with pytest.raises(WeightsError):
            load_weights(place)


KINDS: dict[str, Callable[[torch.Tensor], Any]] = {
    "float8_e4m3fn": lambda tensor: tensor.to(torch.float8_e4m3fn),
    "float8_e5m2": lambda tensor: tensor.to(torch.float8_e5m2),
    "complex64": lambda tensor: tensor.to(torch.complex64),
    "int32": lambda tensor: tensor.int(),
    "bool": lambda tensor: tensor.bool(),
    "sparse_coo": lambda tensor: tensor.to_sparse(),
    "nested": lambda tensor: torch.nested.nested_tensor([tensor] * 2, layout=torch.jagged),
    "strided, Tensor": lambda tensor: tensor.to("meta"),
    "Odd": lambda tensor: tensor.as_subclass(Odd),
}


class Odd(torch.Tensor):
    """A tensor of a library's own kind."""


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_numbers_are_named(tmp_path: Path, kind: str) -> None:
    state = random_state("pnet")
    state["conv2.weight"] = KINDS[kind](state["conv2.weight"])
    with pytest.raises(WeightsError, match=rf"^pnet\.conv2\.weight holds .*{kind}") as caught:
        Weights({"pnet": state})
    assert "; save model.float().state_dict()" in str(caught.value)
    if kind != "Odd":  # which torch does not load either
        torch.save(state, tmp_path / "a.pt")
        assert f"{kind}" in message_of(tmp_path / "a.pt")
    if kind.startswith("float8"):
        save_file(
            {f"pnet.{n}": t.contiguous() for n, t in state.items()}, tmp_path / "a.safetensors"
        )
        assert "pnet.conv2.weight holds F8_E" in message_of(tmp_path / "a.safetensors")


@pytest.mark.parametrize("value", [1e300, float("inf"), float("nan")])
def test_numbers_must_be_finite_as_the_networks_hold_them(tmp_path: Path, value: float) -> None:
    state = random_state("pnet")
    state["conv2.bias"] = state["conv2.bias"].double()
    state["conv2.bias"][3] = value
    torch.save(state, tmp_path / "a.pt")
    assert "pnet.conv2.bias holds numbers that are not finite" in message_of(tmp_path / "a.pt")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) for name, tensor in random_state("pnet").items()}
    torch.save(state, tmp_path / "a.pt")
    network = load_weights(tmp_path / "a.pt").network("pnet")
    assert {each.dtype for each in network.parameters()} == {torch.float32}


def test_code_in_a_pickle_is_never_run(tmp_path: Path) -> None:
    torch.save({"pnet.conv1.weight": Bomb(tmp_path / "boom")}, tmp_path / "a.pt")
    message = message_of(tmp_path / "a.pt")
    assert "nothing in it was run" in message
    assert "weights_only" not in message, "torch's own advice would run the code"
    assert not (tmp_path / "boom").exists()
    # The bomb is live: plain pickle sets it off.
    pickle.loads(pickle.dumps(Bomb(tmp_path / "boom")))
    assert (tmp_path / "boom").exists()


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state_dict": {}}])
def test_other_things_in_a_pytorch_file(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert "holds no state dict" in message_of(tmp_path / "a.pt")


@pytest.mark.parametrize("state", [{}, {"conv1.weight": torch.zeros(3)}])
def test_tensors_of_another_network(tmp_path: Path, state: State) -> None:
    torch.save(state, tmp_path / "a.pt")
    assert "none of PNet, RNet and ONet" in message_of(tmp_path / "a.pt")


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    state = {f"pnet.{name}": tensor for name, tensor in random_state("pnet").items()}
    state["pnet.conv2.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "a.pt")
    assert "pnet.conv2.bias has shape (7,), expected (16,)" in message_of(tmp_path / "a.pt")


def test_a_missing_and_a_foreign_tensor_are_named() -> None:
    state = random_state("pnet")
    weight = state.pop("conv1.weight")
    with pytest.raises(WeightsError, match=r"conv1.weight has shape nothing, expected \(10, 3"):
        Weights({"pnet": state})
    with pytest.raises(WeightsError, match=r"pnet.extra has shape \(10, .+ expected nothing"):
        Weights({"pnet": {**state, "conv1.weight": weight, "extra": weight}})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"format": "facetl-weights", "version": 2}, "format 'facetl-weights' version 2"),
        ({"format": "facetl-patches", "version": 1}, "format 'facetl-patches' version 1"),
        ({"start": "scratch"}, "format None version None"),
        ([1, 2], "not a readable safetensors file"),
        (3, "not a readable safetensors file"),
    ],
)
def test_another_format_or_version(tmp_path: Path, header: object, expected: str) -> None:
    assert expected in message_of(save_header(tmp_path / "a.safetensors", header))


def test_without_facenet_pytorch_there_are_no_pretrained_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights_module, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"pip install 'facetl\[train\]', or take"):
        load_weights("pretrained")


# ---- the networks that the weights fit


@pytest.mark.parametrize(("stage", "side"), [("pnet", 12), ("rnet", 24), ("onet", 48)])
def test_networks_judge_windows_of_their_size(stage: Stage, side: int) -> None:
    network: Network = build_network(stage).eval()
    outputs: Outputs = network(torch.zeros(5, 3, side, side))
    logits, offsets, landmarks = (values.flatten(1) for values in outputs)
    assert (logits.shape, offsets.shape) == ((5, 2), (5, 4))
    assert landmarks.shape == (5, 10 if stage == "onet" else 0)
    scores = outputs.scores
    assert ((scores > 0) & (scores < 1)).all()


def test_pnet_judges_every_second_window_of_a_picture() -> None:
    # Windows of 12 pixels, 2 apart: 5 rows in 20 pixels; 12 columns in 33, the last one cut off.
    outputs: Outputs = build_network("pnet")(torch.zeros(1, 3, 20, 33))
    assert outputs.logits.shape == (1, 2, 5, 12)
    assert outputs.scores.shape == (1, 5, 12)


def test_weights_of_nothing_are_refused() -> None:
    with pytest.raises(WeightsError, match="at least one"):
        Weights({})
