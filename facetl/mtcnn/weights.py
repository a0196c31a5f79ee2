"""The weights file: safetensors for any subset of the three stages, and where they came from.

Tensors are named ``pnet.conv1.weight`` and so on.  The file's metadata holds one key,
``facetl``, a JSON object with the format's name and version and whatever the maker tells of
itself: starting point, settings, data, a record per epoch, and under ``detection`` the settings
to search with.  A stage that a file lacks falls back to the pretrained one.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from facetl.errors import WeightsError
from facetl.files import FileKind, parse_json, write_bytes
from facetl.mtcnn.networks import Network, build_network
from facetl.mtcnn.stages import STAGES, Stage
from facetl.search.settings import Settings
from facetl.version import VERSION

KIND = FileKind("facetl-weights", WeightsError, "train it again or update facetl")
PRETRAINED = "pretrained"
"""The weights that facenet-pytorch ships, trained on photographs."""
CARTOON = "cartoon"
"""The weights that facetl ships, trained on cartoons; see ``docs/model-card.md``."""
BUILT_IN = (PRETRAINED, CARTOON)
MOST_BYTES = 256_000_000
"""Bytes of a weights file, and of what is packed in it; the three networks take two million."""
_CARTOON_FILE = Path(__file__).with_name("cartoon.safetensors")

_NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

State = dict[str, Tensor]


@dataclass(frozen=True)
class Weights:
    """Weights of some of the stages.

    Attributes:
        stages: state dict of each stage that is here, at least one.
        metadata: JSON-able facts about their origin.
    """

    stages: Mapping[Stage, State]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.stages:
            raise WeightsError(
                "found weights of no stage, expected at least one; save a state dict"
            )
        for stage, state in self.stages.items():
            _check_fit(stage, state)
        Settings.from_metadata(self.metadata)

    @property
    def settings(self) -> Settings:
        """How a detector with these weights searches unless it is told otherwise."""
        return Settings.from_metadata(self.metadata)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any weight of the three networks."""
        return fingerprint_states(
            {stage: self.stages.get(stage) or load_pretrained_stage(stage) for stage in STAGES}
        )

    def network(self, stage: Stage) -> Network:
        """Return the network of a stage with these weights, or the pretrained ones."""
        network = build_network(stage)
        network.load_state_dict(self.stages.get(stage) or load_pretrained_stage(stage))
        return network.eval()


def fingerprint_states(states: Mapping[Stage, State]) -> str:
    """Return 16 hex digits that change with any weight of any stage."""
    digest = hashlib.sha256()
    for stage in STAGES:
        for name, tensor in sorted(states[stage].items()):
            digest.update(f"{stage}.{name}".encode())
            digest.update(tensor.cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


def built_in_files(name: str) -> list[Path]:
    """Return the files of the weights that come under a name; none if none do.

    Raises:
        WeightsError: if they come with facenet-pytorch and that is missing.
    """
    if name == PRETRAINED:
        return [_pretrained_file(stage) for stage in STAGES]
    return [_CARTOON_FILE] if name == CARTOON else []


def load_pretrained_stage(stage: Stage) -> State:
    """Read the weights that facenet-pytorch ships for a stage; nothing of it is imported.

    Raises:
        WeightsError: if facenet-pytorch or its files are missing.
    """
    return _load_torch(_pretrained_file(stage))


def _pretrained_file(stage: Stage) -> Path:
    package = find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise WeightsError(
            "the pretrained weights come with facenet-pytorch, which is not installed; "
            "pip install facenet-pytorch"
        )
    return Path(package.origin).parent / "data" / f"{stage}.pt"


def load_weights(source: str | Path) -> Weights:
    """Read weights from a safetensors or PyTorch file, or by the names ``pretrained``, ``cartoon``.

    A PyTorch file (``.pt``, ``.pth``) holds a state dict with prefixed names (``pnet.…``) or
    that of a single network, which is recognised by its shapes.

    Raises:
        WeightsError: if the file is missing, damaged, or does not fit the networks.
    """
    if str(source) == PRETRAINED:
        return Weights({stage: load_pretrained_stage(stage) for stage in STAGES})
    path = _CARTOON_FILE if str(source) == CARTOON else Path(source)
    _require_file(path)
    try:
        if path.suffix in (".pt", ".pth"):
            return Weights(_split_stages(_load_torch(path)))
        state, metadata = _load_safetensors(path)
        return Weights(_split_stages(state), metadata)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def load_plain(path: Path) -> Any:
    """Return the tensors and plain values that ``torch.save`` has written; nothing in it is run.

    The file is read first: torch makes room for all that a broken one promises to hold.

    Raises:
        Exception: of many types, if the file is not whole, or holds more than that.
    """
    data = io.BytesIO(path.read_bytes())
    _require_small(data)
    with warnings.catch_warnings(action="ignore"):  # the error says it all
        return torch.load(data, map_location="cpu", weights_only=True)


def _require_file(path: Path) -> None:
    """Raise unless there is a file that can be read to its end."""
    try:
        found = path.stat()
        is_file = stat.S_ISREG(found.st_mode)
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        raise WeightsError(
            f"{path}: no such weights file; give a .safetensors or .pt file, 'cartoon' or "
            "'pretrained'"
        )
    if not 0 < found.st_size <= MOST_BYTES:
        raise WeightsError(
            f"{path}: found {found.st_size:,} bytes, expected at least one and at most "
            f"{MOST_BYTES:,}; check the file, or get a whole copy"
        )


def _require_small(data: io.BytesIO) -> None:
    """Raise if a ZIP, as torch writes it, holds more than it should once it is unpacked."""
    if bytes(data.getbuffer()[:2]) != b"PK":
        return
    with zipfile.ZipFile(data) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    data.seek(0)
    if size > MOST_BYTES:
        raise WeightsError(
            f"holds {size:,} bytes once it is unpacked, expected at most {MOST_BYTES:,}; "
            "save it with torch.save(model.state_dict(), path)"
        )


def save_weights(path: Path, weights: Weights) -> None:
    """Write weights to a safetensors file, atomically."""
    tensors = {
        f"{stage}.{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for stage, state in weights.stages.items()
        for name, tensor in state.items()
    }
    header = {
        **weights.metadata,
        **KIND.head,
        "facetl": VERSION,
        "stages": list(weights.stages),
    }
    write_bytes(path, save(tensors, {"facetl": json.dumps(header)}))


def _load_safetensors(path: Path) -> tuple[State, dict[str, Any]]:
    try:
        with safe_open(path, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = dict(parse_json((file.metadata() or {}).get("facetl", "{}")))
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise WeightsError(
            f"not a readable safetensors file ({error}); train it again or get a whole copy"
        ) from error
    if header:
        KIND.require(header.get("format"), header.get("version"))
    return state, header


def _load_torch(path: Path) -> State:
    try:
        state = load_plain(path)
    except (MemoryError, WeightsError):
        raise  # there is nothing wrong with the file, or it is said
    except Exception as error:  # torch raises half a dozen unrelated types on a bad file
        raise WeightsError(
            f"no whole file of plain tensors ({type(error).__name__}), nothing in it was run; "
            "save it with torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(each, Tensor) for name, each in state.items()
    ):
        raise WeightsError("holds no state dict (names to tensors); save model.state_dict()")
    for name, tensor in state.items():
        _check_kind(name, tensor)
    return {name: tensor.detach() for name, tensor in state.items()}


def _split_stages(state: State) -> dict[Stage, State]:
    """Sort prefixed names into stages; names without a prefix belong to one network."""
    stages: dict[Stage, State] = {}
    for name, tensor in state.items():
        prefix, _, rest = name.partition(".")
        if prefix in STAGES:
            stages.setdefault(prefix, {})[rest] = tensor
    return stages or {_recognise(state): state}


def _recognise(state: State) -> Stage:
    for stage in STAGES:
        if _shapes(state) == _shapes(build_network(stage).state_dict()):
            return stage
    raise WeightsError("the tensors are those of none of PNet, RNet and ONet; check the file")


def _check_fit(stage: Stage, state: State) -> None:
    for name, tensor in state.items():
        _check_kind(f"{stage}.{name}", tensor)
    expected, found = _shapes(build_network(stage).state_dict()), _shapes(state)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise WeightsError(
                f"{stage}.{name} has shape {found.get(name, 'nothing')}, "
                f"expected {expected.get(name, 'nothing')}; is this another network's file?"
            )
    for name, tensor in state.items():
        if not tensor.float().isfinite().all():
            raise WeightsError(
                f"{stage}.{name} holds numbers that are not finite in 32 bits; train it again"
            )


def _check_kind(name: str, tensor: Tensor) -> None:
    """Raise unless a tensor is a plain one of 16, 32 or 64 bits: others know no shape or no sum."""
    plain = type(tensor) in (Tensor, nn.Parameter) and not tensor.is_nested
    plain = plain and tensor.layout is torch.strided and not tensor.is_meta
    if not plain or tensor.dtype not in _NUMBERS:
        kind = "nested" if tensor.is_nested else type(tensor).__name__
        raise WeightsError(
            f"{name} holds {tensor.dtype} ({tensor.layout}, {kind}), expected plain numbers of 16, "
            "32 or 64 bits with a decimal point; save model.float().state_dict()"
        )


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
