"""ONNX files, as far as the three networks need them: messages of Protocol Buffers as bytes.

The fields and their numbers are those of ``onnx.proto3`` (https://github.com/onnx/onnx); what is
written here the package onnx can read and check, but takes 30 MB to do so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

Field = tuple[int, int | str | bytes]
"""A field of a message: its number, and its value: an integer from 0, a text or a message."""

_INT, _INTS = 2, 7  # AttributeProto.AttributeType
_KINDS = {"float32": 1, "int64": 7}  # TensorProto.DataType


def message(*fields: Field) -> bytes:
    """Return a message with fields in this order."""
    return b"".join(_encode(number, value) for number, value in fields)


def node(operator: str, inputs: Iterable[str], output: str, how: Mapping[str, Any]) -> bytes:
    """Return a NodeProto: an operator with its attributes, integers or lists of them."""
    attributes = [_attribute(name, value) for name, value in how.items()]
    return message(
        *((1, name) for name in inputs), (2, output), (4, operator), *((5, a) for a in attributes)
    )


def tensor(name: str, array: NDArray[Any]) -> bytes:
    """Return a TensorProto of float32 or int64 numbers."""
    data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    kind = _KINDS[array.dtype.name]
    return message(*((1, side) for side in array.shape), (2, kind), (8, name), (9, data))


def value(name: str, shape: Sequence[int | str]) -> bytes:
    """Return a ValueInfoProto of float32 numbers; sides that may be any have names."""
    sides = [message((1 if isinstance(side, int) else 2, side)) for side in shape]
    of_tensor = message((1, _KINDS["float32"]), (2, message(*((1, side) for side in sides))))
    return message((1, name), (2, message((1, of_tensor))))


def model(
    graph: bytes, opset: int, ir_version: int, producer: str, metadata: Mapping[str, str]
) -> bytes:
    """Return a ModelProto: a graph, the versions that it needs, who made it, and more facts."""
    entries = [message((1, key), (2, text)) for key, text in metadata.items()]
    operators = message((1, ""), (2, opset))
    return message(
        (1, ir_version), (2, producer), (7, graph), (8, operators), *((14, e) for e in entries)
    )


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return message((1, name), (3, value), (20, _INT))
    return message((1, name), *((8, each) for each in value), (20, _INTS))


def _encode(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Return an integer from 0 as seven bits a byte, the lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
