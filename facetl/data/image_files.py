"""Checks and repairs of an image's file before and after Pillow reads it.

Three things that Pillow does not do:

- work has a bound: a file of a few kilobytes can be made to take minutes or all memory;
- a fault that affects no pixel is ignored: text or a colour profile that is larger than Pillow
  takes, a checksum of something that is not used, a JPEG without its last two bytes;
- the error for a TIFF that is not read names its kind.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image, TiffImagePlugin

from facetl.errors import ImageError

_MOST_HEADER_READS = 20_000
"""Pieces in which a header is read: a whole one takes some hundreds at the most."""
MOST_PIXEL_READS = 2_000_000
"""Pieces in which pixels are read; some rare kinds are read byte by byte."""
MOST_SCANNED = 2_000_000_000
"""Pixels times scans of a JPEG; the usual ten scans of the largest picture make half of it."""
_MOST_STRIPS = 100_000
"""Strips or tiles of a TIFF, each of which is read by itself."""
LARGEST_TEXT = 2**25
"""Bytes of a PNM whose pixels are written as text."""
_MOST_COMMENTS = 1_000
"""Comments in such a text."""

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_END_OF_JPEG = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
_MARKER = re.compile(rb"\xff+[^\xff\x00\x01\xd0-\xd9]")
"""What begins a segment: no byte of a picture, which is 0xff 0x00, and no restart."""
_FRAMES = (0xC0, 0xC1, 0xC2)
_COMMENT = re.compile(rb"#[^\r\n]*")
_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_STRIPS = (TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.TILEOFFSETS)
_MOST_TAGS = 2**16
_CLASSIC, _BIG = (4, "I", "H", "HHI"), (8, "Q", "Q", "HHQ")
"""Of a TIFF: where the offset of its first picture stands, and how offsets, the number of tags and
the beginning of a tag are packed."""
_PNM_HEADER = re.compile(
    rb"(P[56])"
    + 3 * rb"(?:\s|#[^\r\n]{,1000}+[\r\n]){1,100}+(\d{1,9})"
    + rb"(?:#[^\r\n]{,1000}+[\r\n])?\s"
)


class CountedFile:
    """An open file that can be read in a limited number of pieces.

    Pillow reads headers piece by piece, in Python; a file can make that endless, and a time limit
    would differ from machine to machine.

    Args:
        file: the file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.left = _MOST_HEADER_READS

    def read(self, size: int = -1) -> bytes:
        """Read on.

        Raises:
            ImageError: if it was read too often.
        """
        self.left -= 1
        if self.left < 0:
            raise ImageError("it is made of too many pieces to be read; save it again")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def clean(data: bytes) -> bytes:
    """Return an image's file as Pillow should read it; what would take too long is refused.

    Raises:
        ImageError: if it is a text that is too long.
    """
    if data[:2] in (b"P1", b"P2", b"P3"):
        if len(data) > LARGEST_TEXT or data.count(b"#") > _MOST_COMMENTS:
            raise ImageError("its text is too long to be read; save it as PNG")
        return _COMMENT.sub(b"", data)
    header = _PNM_HEADER.match(data)
    return data if header is None else _with_bytes(data, header)


def refuse_strips(file: BinaryIO) -> None:
    """Raise for a TIFF whose first picture is made of too many strips or tiles.

    Args:
        file: open at its beginning, where it is left.

    Raises:
        ImageError: naming how many there are, and how many may be.
    """
    head = file.read(16)
    if head[:4] in _TIFF_HEADS:
        order = "<" if head[:1] == b"I" else ">"
        layout = _CLASSIC if b"*" in head[:4] else _BIG
        for tag, values in _tags_of(file, head, order, *layout):
            if tag in _STRIPS and values > _MOST_STRIPS:
                raise ImageError(
                    f"found {values:,} strips, more than {_MOST_STRIPS:,}; save it again"
                )
    file.seek(0)


def _tags_of(
    file: BinaryIO, head: bytes, order: str, place: int, offset: str, count: str, entry: str
) -> Iterator[tuple[int, int]]:
    """Yield the tags of a TIFF's first picture, each with how many values it has."""
    with suppress(struct.error, OverflowError, ValueError):  # damaged, as Pillow will say
        file.seek(struct.unpack_from(order + offset, head, place)[0])
        (tags,) = struct.unpack(order + count, file.read(struct.calcsize(order + count)))
        for _ in range(min(tags, _MOST_TAGS)):
            tag, _, values = struct.unpack_from(
                order + entry, file.read(struct.calcsize(order + entry + offset))
            )
            yield tag, values


def refuse_scans(data: bytes, width: int, height: int) -> None:
    """Raise for a JPEG that draws its picture many times.

    Raises:
        ImageError: if it has too many scans for its size.
    """
    scans = data.count(_START_OF_SCAN) if data[:2] == b"\xff\xd8" else 0
    if scans * width * height > MOST_SCANNED:
        raise ImageError(f"found {scans} scans of {width}x{height} pixels; save it again")


def repair(data: bytes) -> bytes | None:
    """Return a file with the same pixels that Pillow can read; None if there is no such file.

    Args:
        data: what Pillow cannot read.
    """
    if data.startswith(_PNG_HEAD):
        return _PNG_HEAD + b"".join(_needed_chunks(data))
    if data[:2] == b"\xff\xd8":
        return _with_end(data)
    return None


def describe_tiff(data: bytes) -> str:
    """Return in words what kind of TIFF it is; "" for other files and damaged ones."""
    kinds = {1: "whole numbers", 2: "signed numbers", 3: "floating-point numbers"}
    with suppress(Exception):
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if b"+" in data[:4] else 8])
        file = cast("BinaryIO", CountedFile(io.BytesIO(data)))
        file.seek(directory.next)
        directory.load(file)
        bits = directory[TiffImagePlugin.BITSPERSAMPLE]
        kind = kinds.get(directory.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0], "other values")
        return f"a TIFF of {len(bits)} channels, {kind} of {bits[0]} bits"
    return ""


def _needed_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks of a PNG that hold its picture or its orientation."""
    place = len(_PNG_HEAD)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        chunk = data[place : place + 12 + length]
        is_critical = not chunk[4] & 0x20
        if is_critical or _is_orientation(chunk):
            yield chunk
        place += len(chunk)


def _is_orientation(chunk: bytes) -> bool:
    """Return whether a whole chunk holds EXIF, or XMP, which may hold the orientation."""
    name, body = chunk[4:8], chunk[8:-4]
    if zlib.crc32(name + body) != int.from_bytes(chunk[-4:], "big"):
        return False
    return name == b"eXIf" or (name == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0\0"))


def _with_end(data: bytes) -> bytes | None:
    """Return a JPEG with its end marker, if nothing else of it is missing.

    Missing pixels would be decoded from whatever follows, so they differ with what follows.
    A progressive JPEG may also lack whole scans, which leaves a coarse picture.
    """
    body = data.rstrip(b"\xff")
    picture = _picture_of(body + _END_OF_JPEG) if _is_fully_drawn(body) else None
    for value in (0x00, 0x55, 0xAA, 0xFE):
        if not picture or _picture_of(body + bytes([value]) * 64 + _END_OF_JPEG) != picture:
            return None
    return body + _END_OF_JPEG


def _picture_of(data: bytes) -> bytes | None:
    """Return a digest of the pixels of a JPEG; None if it cannot be read."""
    with suppress(Exception), Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return hashlib.sha256(image.tobytes()).digest()
    return None


def _is_fully_drawn(data: bytes) -> bool:
    """Return whether a JPEG's scans draw every coefficient of all components to its last bit."""
    left: dict[int, set[int]] = {}
    for kind, body in _segments(data):
        if kind in _FRAMES:
            left = {body[6 + 3 * number]: set(range(64)) for number in range(body[5])}
        elif kind == _START_OF_SCAN[1]:
            components, (first, last, bits) = body[1 : 1 + 2 * body[0] : 2], body[-3:]
            for component in components if bits & 15 == 0 else ():
                left.get(component, set()).difference_update(range(first, last + 1))
    return bool(left) and not any(left.values())


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the markers of a JPEG, each with the content of its segment, until one is truncated."""
    place = 2
    while marker := _MARKER.search(data, place):
        start = marker.end()
        end = start + int.from_bytes(data[start : start + 2], "big")
        if end < start + 2 or end > len(data):
            return
        yield data[start - 1], data[start + 2 : end]
        place = end


def _with_bytes(data: bytes, header: re.Match[bytes]) -> bytes:
    """Return a PNM of any depth as one of 8 bits, scaled as Pillow scales it, but faster."""
    kind, (width, height, most) = header[1], map(int, header.groups()[1:])
    count = width * height * (3 if kind == b"P6" else 1)
    size = 1 if most < 256 else 2
    is_plain = most in (0, 255) or most > 65535
    if is_plain or len(data) < header.end() + count * size:
        return data  # Pillow reads it fast, or refuses it
    values = np.frombuffer(data, f">u{size}", count, header.end())
    to = 65535 if kind == b"P5" and size == 2 else 255
    scaled = np.minimum(np.rint(np.arange(2 ** (8 * size)) / most * to), to).astype(np.uint16)
    table = (scaled >> 8 if to == 65535 else scaled).astype(np.uint8)
    pixels: bytes = table[values].tobytes()
    return b"%s %d %d 255\n" % (kind, width, height) + pixels
