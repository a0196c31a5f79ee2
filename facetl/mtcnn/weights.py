"""The weights file: safetensors for any subset of the three stages, and where they came from.

Arrays are named ``pnet.conv1.weight`` and so on.  The file's metadata holds one key,
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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from facetl.data.interop import import_library
from facetl.errors import InputError, WeightsError
from facetl.files import FileKind, parse_json, write_bytes
from facetl.mtcnn.layers import parameter_shapes
from facetl.mtcnn.stages import STAGES, Stage
from facetl.search.settings import DETECTION, Settings
from facetl.version import VERSION

if TYPE_CHECKING:
    from facetl.mtcnn.networks import Network

KIND = FileKind("facetl-weights", WeightsError, "train it again or update facetl")
PRETRAINED = "pretrained"
"""The weights that facenet-pytorch ships, trained on photographs."""
CARTOON = "cartoon"
"""The weights that facetl ships, trained on cartoons; see ``docs/model-card.md``."""
CARTOON_LARGE = "cartoon-large"
"""The same, with a fourth network that scores and places again (:mod:`facetl.mtcnn.rescoring`)."""
BUILT_IN = (PRETRAINED, CARTOON, CARTOON_LARGE)
MOST_BYTES = 256_000_000
"""Bytes of a weights file, and of what is packed in it; the three networks take two million."""
_CARTOON_FILE = Path(__file__).with_name("cartoon.safetensors")
RESCORER_FILE = Path(__file__).with_name("rescorer.onnx")
RESCORER_LICENSE = RESCORER_FILE.with_suffix(".LICENSE")
_FILES = {CARTOON: [_CARTOON_FILE], CARTOON_LARGE: [_CARTOON_FILE, RESCORER_FILE]}

_NUMBERS = ("float16", "bfloat16", "float32", "float64")
_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}
"""Kinds of numbers in a safetensors file, and as what numpy reads them."""

State = dict[str, Any]
"""A network's parameters by their names: arrays of 32 bits, or what becomes such arrays."""


@dataclass(frozen=True)
class Weights:
    """Weights of some of the stages.

    Attributes:
        stages: state dict of each stage that is here, at least one: float32 arrays in the order
            of the layers.  They may be given as arrays or tensors of 16, 32 or 64 bits on any
            device.
        metadata: JSON-able facts about their origin.
    """

    stages: Mapping[Stage, State]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.stages:
            raise WeightsError(
                "found weights of no stage, expected at least one; save a state dict"
            )
        stages: dict[Stage, State] = {}
        for stage in sorted(self.stages, key=STAGES.index):
            state = _as_state(stage, self.stages[stage])
            _check_fit(stage, state)
            stages[stage] = {name: state[name] for name in parameter_shapes(stage)}
        object.__setattr__(self, "stages", stages)
        Settings.from_metadata(self.metadata)

    @property
    def settings(self) -> Settings:
        """How a detector with these weights searches unless it is told otherwise."""
        return Settings.from_metadata(self.metadata)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any weight of the three networks."""
        digest = hashlib.sha256()
        for stage, state in self.completed().stages.items():
            for name, array in sorted(state.items()):
                digest.update(f"{stage}.{name}".encode())
                digest.update(array.tobytes())
        return digest.hexdigest()[:16]

    @property
    def parameters(self) -> int:
        """How many weights the stages that are here have together."""
        return sum(array.size for state in self.stages.values() for array in state.values())

    def completed(self) -> Weights:
        """Return the weights of all three stages in their order, pretrained where one is missing.

        Raises:
            WeightsError: if the pretrained weights are needed and cannot be had.
        """
        if len(self.stages) == len(STAGES):
            return self
        states = {stage: self.stages.get(stage) or load_pretrained_stage(stage) for stage in STAGES}
        return Weights(states, self.metadata)

    def network(self, stage: Stage) -> Network:
        """Return torch's network of a stage with these weights, or the pretrained ones."""
        import torch

        from facetl.mtcnn.networks import build_network

        state = self.stages.get(stage) or load_pretrained_stage(stage)
        network = build_network(stage)
        network.load_state_dict(
            {name: torch.from_numpy(array.copy()) for name, array in state.items()}
        )
        return network.eval()


def built_in_files(name: str) -> list[Path]:
    """Return the files of the weights that come under a name; none if none do.

    Raises:
        WeightsError: if they come with facenet-pytorch and that is missing.
    """
    if name == PRETRAINED:
        return [_pretrained_file(stage) for stage in STAGES]
    return list(_FILES.get(name, ()))


def load_pretrained_stage(stage: Stage) -> State:
    """Read the weights that facenet-pytorch ships for a stage; nothing of it is imported.

    Raises:
        WeightsError: if facenet-pytorch or its files are missing, or torch, which reads them.
    """
    return _load_torch(_pretrained_file(stage))


def _pretrained_file(stage: Stage) -> Path:
    package = find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise WeightsError(
            "the pretrained weights come with facenet-pytorch, which is not installed; "
            "pip install 'facetl[train]', or take the weights 'cartoon'"
        )
    return Path(package.origin).parent / "data" / f"{stage}.pt"


def load_weights(source: str | Path) -> Weights:
    """Read weights from a safetensors or PyTorch file, or by a name of ``BUILT_IN``.

    A PyTorch file (``.pt``, ``.pth``) holds a state dict with prefixed names (``pnet.…``) or
    that of a single network, which is recognised by its shapes.

    Raises:
        WeightsError: if the file is missing, damaged, or does not fit the networks.
    """
    if str(source) == PRETRAINED:
        return Weights({stage: load_pretrained_stage(stage) for stage in STAGES})
    path, *_ = _FILES.get(str(source), [Path(source)])
    _require_file(path)
    try:
        if path.suffix in (".pt", ".pth"):
            return Weights(_split_stages(_load_torch(path)))
        state, metadata = _load_safetensors(path.read_bytes(), KIND)
        if str(source) == CARTOON_LARGE:
            metadata[DETECTION] = {**metadata[DETECTION], "rescored": True}
        return Weights(_split_stages(state), metadata)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def load_arrays(path: Path, kind: FileKind | None) -> tuple[State, dict[str, Any]]:
    """Read a safetensors file; return its arrays and what its metadata say.

    Args:
        path: the file.
        kind: of files that facetl makes; None for anybody's.

    Raises:
        WeightsError: if it is missing, damaged, or of another kind.
    """
    _require_file(path)
    try:
        state, header = _load_safetensors(path.read_bytes(), kind)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    for name, array in state.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"{path}: {name} holds numbers that are not finite; train it again")
    return state, header


def save_arrays(path: Path, arrays: Mapping[str, NDArray[np.float32]], header: Any) -> None:
    """Write a safetensors file with JSON-able metadata, atomically."""
    write_bytes(path, save(dict(arrays), {"facetl": json.dumps(header)}))


def load_plain(path: Path) -> Any:
    """Return the tensors and plain values that ``torch.save`` has written; nothing in it is run.

    The file is read first: torch makes room for all that a broken one promises to hold.

    Raises:
        Exception: of many types, if the file is not whole, or holds more than that.
    """
    torch = import_library("torch", f"reading {path.name}")
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
            f"{path}: no such weights file; give a .safetensors or .pt file, 'cartoon', "
            "'cartoon-large' or 'pretrained'"
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
    arrays = {
        f"{stage}.{name}": array
        for stage, state in weights.stages.items()
        for name, array in state.items()
    }
    header = {
        **weights.metadata,
        **KIND.head,
        "facetl": VERSION,
        "stages": list(weights.stages),
    }
    save_arrays(path, arrays, header)


def _load_safetensors(data: bytes, kind: FileKind | None) -> tuple[State, dict[str, Any]]:
    try:
        state = {name: _read_array(name, told) for name, told in deserialize(data)}  # type: ignore[no-untyped-call]
        length = int.from_bytes(data[:8], "little")
        told = parse_json(data[8 : 8 + length].decode()).get("__metadata__") or {}
        header = dict(parse_json(told.get("facetl", "{}")))
    except (SafetensorError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"not a readable safetensors file ({error}); train it again or get a whole copy"
        ) from error
    if kind and (header or kind is not KIND):
        kind.require(header.get("format"), header.get("version"))
    return state, header


def _read_array(name: str, told: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return what safetensors says of an array as numbers of 32 bits.

    Raises:
        WeightsError: if they are no plain numbers.
    """
    kind = told["dtype"]
    if kind not in _DTYPES:
        raise _no_plain_numbers(name, kind)
    array = np.frombuffer(told["data"], _DTYPES[kind])
    if kind == "BF16":  # the upper half of 32 bits
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return _in_32_bits(array.reshape(told["shape"]))


def _in_32_bits(array: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the same numbers in 32 bits, infinite where they are too large for that."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)


def _load_torch(path: Path) -> State:
    try:
        state = load_plain(path)
    except (MemoryError, InputError):
        raise  # there is nothing wrong with the file, or it is said
    except Exception as error:  # torch raises half a dozen unrelated types on a bad file
        raise WeightsError(
            f"no whole file of plain tensors ({type(error).__name__}), nothing in it was run; "
            "save it with torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and hasattr(each, "detach") for name, each in state.items()
    ):
        raise WeightsError("holds no state dict (names to tensors); save model.state_dict()")
    return {name: _as_array(name, tensor) for name, tensor in state.items()}


def _split_stages(state: State) -> dict[Stage, State]:
    """Sort prefixed names into stages; names without a prefix belong to one network."""
    stages: dict[Stage, dict[str, NDArray[np.float32]]] = {}
    for name, array in state.items():
        prefix, _, rest = name.partition(".")
        if prefix in STAGES:
            stages.setdefault(prefix, {})[rest] = array
    return dict(stages) or {_recognise(state): state}


def _recognise(state: State) -> Stage:
    for stage in STAGES:
        if _shapes(state) == parameter_shapes(stage):
            return stage
    raise WeightsError("the arrays are those of none of PNet, RNet and ONet; check the file")


def _as_state(stage: Stage, state: Mapping[str, Any]) -> State:
    """Return a state dict of arrays or tensors as one of arrays of 32 bits."""
    return {name: _as_array(f"{stage}.{name}", values) for name, values in state.items()}


def _as_array(name: str, values: Any) -> NDArray[np.float32]:
    """Return an array or a tensor of plain numbers in 32 bits.

    Raises:
        WeightsError: if it holds something else.
    """
    if hasattr(values, "detach"):
        _require_plain(name, values)
        values = values.detach().cpu().float().numpy()
    array = np.asarray(values)
    if array.dtype.name not in _NUMBERS:
        raise _no_plain_numbers(name, array.dtype)
    return _in_32_bits(array)


def _check_fit(stage: Stage, state: State) -> None:
    expected, found = parameter_shapes(stage), _shapes(state)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise WeightsError(
                f"{stage}.{name} has shape {found.get(name, 'nothing')}, "
                f"expected {expected.get(name, 'nothing')}; is this another network's file?"
            )
    for name, array in state.items():
        if not np.isfinite(array).all():
            raise WeightsError(
                f"{stage}.{name} holds numbers that are not finite in 32 bits; train it again"
            )


def _require_plain(name: str, tensor: Any) -> None:
    """Raise unless a tensor is a plain one of 16, 32 or 64 bits: others know no shape or no sum."""
    import torch

    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and not tensor.is_nested
    plain = plain and tensor.layout is torch.strided and not tensor.is_meta
    if not plain or str(tensor.dtype).removeprefix("torch.") not in _NUMBERS:
        kind = "nested" if tensor.is_nested else type(tensor).__name__
        raise _no_plain_numbers(name, f"{tensor.dtype} ({tensor.layout}, {kind})")


def _no_plain_numbers(name: str, found: object) -> WeightsError:
    return WeightsError(
        f"{name} holds {found}, expected plain numbers of 16, 32 or 64 bits with a decimal "
        "point; save model.float().state_dict()"
    )


def _shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in state.items()}
