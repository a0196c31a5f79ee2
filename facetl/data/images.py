"""The only reader and writer of pictures: whatever the file, out come RGB pixels of 8 bits.

Decisions, made once:

- the orientation in EXIF is applied, so boxes are seen the way people see the picture;
- transparency is dropped: the colours that the file stores are used as they stand, as
  ``convert("RGB")`` and therefore every MTCNN in use does it;
- 16 bits become 8 by keeping the upper byte; floating-point pixels are taken as [0, 1], or as
  [0, 255] if one of them is above 1;
- of an animation the first frame counts;
- kinds of pictures that are rare (PSD, FITS, …) or run programs (EPS) are not read, whatever the
  name of a file;
- a fault that affects no pixel is ignored (see :mod:`facetl.data.image_files`), and what would
  take minutes or all memory is refused;
- a truncated picture is an error, never a picture with a grey lower half; that is why Pillow
  decodes and not OpenCV, which is a little faster but fills the gap without an error.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from facetl.data.image_files import (
    MOST_PIXEL_READS,
    CountedFile,
    clean,
    describe_tiff,
    refuse_scans,
    refuse_strips,
    repair,
)
from facetl.data.media_types import HEAD, media_type_of_head
from facetl.data.media_types import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from facetl.data.media_types import VIDEO_SUFFIXES as VIDEO_SUFFIXES
from facetl.data.media_types import image_paths as image_paths
from facetl.errors import ImageError, OutputError
from facetl.files import open_regular, read_regular, write_bytes

Pixels = NDArray[np.uint8]
"""(H, W, 3) pixels, RGB, 0 to 255."""
JPEG_QUALITY = 92
"""That of what is drawn, of 1 to 100."""

_IMAGE_KINDS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "AVIF", "HEIF")
"""Pillow's names of what is decoded; PPM are all of .ppm, .pgm, .pbm, .pnm.

Pillow knows forty kinds more and goes by what a file holds, not by its name: rare decoders with
a history of flaws, and EPS, a program that Ghostscript runs.
"""

OneImage = Path | str | Image.Image
"""What can only be one image: a path or a PIL image."""

PilImage = Image.Image

ImageLike = OneImage | NDArray[Any]
"""A path, a PIL image, or an array (see :func:`as_image`)."""

MAX_PIXELS = 100_000_000
"""Pictures with more pixels are refused: small files that unpack to gigabytes."""
MAX_BYTES = 2**30
"""Files with more bytes are refused before they are read."""

_LARGEST_SIDE = 480
"""Longest side of a thumbnail in pixels, where there is space."""
_SMALLEST_SIDE = 96
"""Longest side below which a thumbnail shows nothing."""
_SAMPLED = 16


def load_image(path: Path | str) -> Pixels:
    """Read a picture of any mode as (H, W, 3) RGB pixels of 8 bits, turned upright.

    Raises:
        ImageError: if the file is missing, damaged, truncated, no picture, or larger than
            ``MAX_PIXELS``; one line with path, finding and remedy.
    """
    path = Path(path)
    data = image_bytes(path)
    with _decoding(path, data):
        try:
            return _decode(data)
        except (ImageError, MemoryError):
            raise
        except Exception:  # Pillow's decoders raise anything at all
            if (repaired := repair(data)) is None:
                raise
            return _decode(repaired)


def as_image(source: ImageLike) -> Pixels:
    """Return a picture in memory, or in a file, as (H, W, 3) RGB pixels of 8 bits.

    Args:
        source: a path; a PIL image; or an array (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4)
            RGBA of uint8, uint16, bool, or floats in [0, 1] or [0, 255].

    Raises:
        ImageError: if it is none of these, or the file cannot be read.
    """
    if isinstance(source, str | Path):
        return load_image(Path(source))
    if isinstance(source, Image.Image):
        with _decoding("the PIL image"):
            return _pixels_of(source)
    if isinstance(source, np.ndarray):
        return _three_channels(_eight_bits(source))
    raise ImageError(
        f"found {type(source).__name__} instead of an image; give a path, a PIL image or an array"
    )


def as_images(batch: NDArray[Any]) -> list[Pixels]:
    """Return the images of a (B, H, W, 1, 3 or 4) array, each as :func:`as_image` would.

    Floats are of one range, [0, 1] or [0, 255], over the whole batch.

    Raises:
        ImageError: if the shape or the pixels are not those of images.
    """
    if batch.ndim != 4:
        raise ImageError(f"found a batch of shape {batch.shape}; give (B, H, W, 3)")
    return [_three_channels(image) for image in _eight_bits(batch)]


def image_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of the upright picture, from the file's header alone if possible.

    Raises:
        ImageError: if the header cannot be read.
    """
    try:
        with open_regular(path, MAX_BYTES) as file, _opened(file) as image:
            # The base class's method: PNG's own would decode all pixels in search of a late chunk.
            upright = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1) == 1
            width, height = image.size
    except MemoryError:
        raise  # there is nothing wrong with the file
    except Exception:  # whatever is wrong; it may be a fault that affects no pixel
        return load_image(path).shape[:2]
    return (height, width) if upright else load_image(path).shape[:2]


def save_image(path: Path, image: Pixels, quality: int = JPEG_QUALITY) -> None:
    """Write (H, W, 3) RGB pixels as PNG or JPEG, whichever the suffix says, atomically.

    Raises:
        OutputError: if the suffix is neither, or the place cannot be written.
        ValueError: if ``image`` is not (H, W, 3) uint8.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
    if path.suffix.lower() not in formats:
        raise OutputError(f"{path} is neither .png nor .jpg; choose another name")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, formats[path.suffix.lower()], quality=quality)
    write_bytes(path, buffer.getbuffer())


def shrink(image: Pixels, longest: int) -> Pixels:
    """Return (H, W, 3) RGB pixels of the same shape, no side longer than ``longest`` pixels."""
    picture = Image.fromarray(image)
    picture.thumbnail((longest, longest), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(picture)


def shrink_quickly(image: Pixels, longest: int) -> Pixels:
    """Return the same picture with its sides divided by a whole number, by means of squares.

    Takes a sixth of the time of :func:`shrink`.

    Args:
        image: (H, W, 3) RGB.
        longest: what the longer side comes near to: it is between 2/3 and 3/2 of that, or as it was
            if it is shorter.
    """
    factor = round(max(image.shape[:2]) / longest)
    return image if factor < 2 else np.asarray(Image.fromarray(image).reduce(factor))


def encode_small(image: Pixels, longest: int) -> bytes:
    """Return (H, W, 3) RGB pixels as a WebP file, no side longer than ``longest`` pixels."""
    picture = Image.fromarray(image)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=70)
    return buffer.getvalue()


def encode_jpeg(image: Pixels, quality: int = JPEG_QUALITY) -> bytes:
    """Return (H, W, 3) RGB pixels as a JPEG file of a quality of 1 to 100."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(image: Pixels) -> bytes:
    """Return (H, W, 3) RGB pixels as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def make_thumbnails(paths: Mapping[str, Path], space: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield a WebP file for each image, None if it can't be read or the space is used up.

    The more images there are, the smaller each one is.

    Args:
        paths: images by name.
        space: bytes that all may take together.
    """
    longest = _fit_side(list(paths.values()), space)
    for name, path in paths.items():
        picture = _encode_file(path, longest)
        if picture is not None and len(picture) > space:
            picture = None
        space -= len(picture or b"")
        yield name, picture


def as_pil(image: Pixels) -> PilImage:
    """Return (H, W, 3) RGB pixels as a PIL image."""
    return Image.fromarray(image)


def name_below(folder: Path, path: Path) -> str:
    """Return the name of a file below a folder: its path from there, with slashes.

    Bytes that are no text, which names on disk may hold, become escapes like ``\\xff``.
    """
    name = path.relative_to(folder).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def image_bytes(path: Path) -> bytes:
    """Return a picture's file as it is.

    Raises:
        ImageError: if it cannot be read, is empty, or has more than ``MAX_BYTES``.
    """
    try:
        data = read_regular(path, MAX_BYTES)
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder, not an image; give the images in it") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ImageError(f"{path} cannot be read ({why}); check the path") from error
    if not data:
        raise ImageError(f"{path} is empty (0 bytes); restore it or leave it out")
    return data


def _fit_side(paths: list[Path], space: int) -> int:
    """Return the longest side at which all images probably fit, judged by a few of them."""
    some = paths[:: max(len(paths) // _SAMPLED, 1)]
    sizes = [len(picture) for path in some if (picture := _encode_file(path, _LARGEST_SIDE))]
    if not sizes:
        return _LARGEST_SIDE
    expected = len(paths) * sum(sizes) / len(sizes)
    # bytes grow a little slower than the area
    return max(_SMALLEST_SIDE, int(_LARGEST_SIDE * min(1.0, 0.9 * space / expected) ** 0.6))


def _encode_file(path: Path, longest: int) -> bytes | None:
    try:
        return encode_small(load_image(path), longest)
    except ImageError:
        return None


def _decode(data: bytes) -> Pixels:
    with _opened(io.BytesIO(clean(data))) as image:
        refuse_scans(data, image.width, image.height)
        return _pixels_of(image)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    """Open the picture in a file; only its header is read."""
    kinds = _kinds_to_try(file)
    refuse_strips(file)
    counted = CountedFile(file)
    with Image.open(cast("BinaryIO", counted), formats=kinds) as image:
        _refuse_bombs(image)
        counted.left = MOST_PIXEL_READS
        yield image


def _kinds_to_try(file: BinaryIO) -> tuple[str, ...]:
    """Return the kinds that a file may be of; HEIF's library is loaded only if needed."""
    is_like_heif = file.read(8)[4:] == b"ftyp"
    file.seek(0)
    if not is_like_heif:
        return tuple(kind for kind in _IMAGE_KINDS if kind != "HEIF")
    import pi_heif

    pi_heif.register_heif_opener()
    return _IMAGE_KINDS


@contextmanager
def _decoding(source: Path | str, data: bytes = b"") -> Iterator[None]:
    """Turn whatever a decoder raises into one ImageError, and keep its warnings quiet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError as error:
        raise ImageError(f"{source}: {error}") from error
    except MemoryError:
        raise  # there is nothing wrong with the file
    except Exception as error:  # PIL's decoders raise anything at all on damaged data
        fault, remedy = _describe_fault(error, data)
        raise ImageError(f"{source} is {fault}; {remedy}") from error


def _describe_fault(error: Exception, data: bytes) -> tuple[str, str]:
    """Return what a picture is that cannot be read, and what to do."""
    remedy = "restore it or leave it out"
    if not isinstance(error, UnidentifiedImageError):
        return f"damaged ({error})", remedy
    if tiff := describe_tiff(data):
        return f"{tiff}, which is not read", "save it with whole numbers of 8 bits"
    if media_type_of_head(data[:HEAD]) == "image":
        return "damaged (its header cannot be read)", remedy
    return f"no image of the kinds {', '.join(_IMAGE_KINDS)}", remedy


def _refuse_bombs(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        found = f"found {image.width}x{image.height} pixels"
        raise ImageError(f"{found}, more than {MAX_PIXELS:,}; make it smaller or leave it out")


def _pixels_of(image: Image.Image) -> Pixels:
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        array = np.asarray(upright)
    elif upright.mode.startswith("I"):  # 16 bits, though Pillow may keep them in 32
        array = np.clip(np.asarray(upright), 0, 65535).astype(np.uint16)
    else:
        array = np.array(upright.convert("RGB"))
    return _three_channels(_eight_bits(array))


def _eight_bits(array: NDArray[Any]) -> Pixels:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        return _eight_bits_of_floats(array)
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    raise ImageError(f"found pixels of {array.dtype}; give uint8, uint16 or floats in [0, 1]")


def _eight_bits_of_floats(array: NDArray[Any]) -> Pixels:
    if not (np.isfinite(array).all() and (array >= 0).all() and (array <= 255).all()):
        raise ImageError("found pixels outside [0, 255] or not numbers; scale them to [0, 1]")
    white = 255.0 if (array > 1).any() else 1.0
    return np.rint(array * (255.0 / white)).astype(np.uint8)


def _three_channels(array: Pixels) -> Pixels:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ImageError(
            f"found an array of shape {array.shape}; give (H, W), (H, W, 3) or (H, W, 4)"
        )
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[:, :, :3])
