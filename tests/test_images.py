from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from facetl.data import image_files, images, media_types
from facetl.data.images import as_image, image_size, load_image, save_image
from facetl.data.media_types import image_paths, media_type, media_type_of_head, scan_folder
from facetl.errors import ImageError, InputError, OutputError

RED = (255, 0, 0)
CASES = Path(__file__).parent / "cases"


def gradient(height: int = 6, width: int = 8) -> NDArray[np.uint8]:
    ramp = np.linspace(0, 255, height * width * 3)
    return ramp.reshape(height, width, 3).astype(np.uint8)


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def save_as(path: Path, picture: Image.Image, **options: Any) -> Path:
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".ppm"])
def test_lossless_formats_give_the_very_pixels(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == ".webp" else {}
    path = save_as(tmp_path / f"a{suffix}", Image.fromarray(gradient()), **options)
    assert np.array_equal(load_image(path), gradient())


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "F"])
@pytest.mark.parametrize("size_hw", [(1, 1), (11, 300), (30, 20)])
def test_any_mode_and_size_becomes_rgb_of_8_bits(
    tmp_path: Path, mode: str, size_hw: tuple[int, int]
) -> None:
    picture = Image.fromarray(gradient(*size_hw)).convert(mode)
    suffix = {"HSV": ".gif"}.get(mode, ".tif")
    path = save_as(tmp_path / f"a{suffix}", picture.convert("P") if mode == "HSV" else picture)
    for pixels in (load_image(path), as_image(picture)):
        assert pixels.shape == (*size_hw, 3)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable
    assert image_size(path) == size_hw


def test_grey_is_repeated_in_all_channels(tmp_path: Path) -> None:
    path = save_as(tmp_path / "a.png", Image.new("L", (2, 2), 77))
    assert (load_image(path) == 77).all()


def test_black_and_white_become_0_and_255(tmp_path: Path) -> None:
    path = save_as(tmp_path / "a.png", Image.fromarray(np.array([[False, True]])))
    assert load_image(path).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_transparency_is_dropped_and_stored_colours_stay(tmp_path: Path) -> None:
    path = save_as(tmp_path / "a.png", Image.new("RGBA", (2, 2), (10, 20, 30, 0)))
    assert load_image(path)[0, 0].tolist() == [10, 20, 30]


def test_palette_with_transparency(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 2), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    path = save_as(tmp_path / "a.png", picture, transparency=b"\x00\x80")
    assert load_image(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    grey = np.array([[0, 0x00FF, 0x8000, 0xFFFF]], np.uint16)
    path = save_as(tmp_path / f"a{suffix}", Image.fromarray(grey))
    # The upper byte of each value.
    assert load_image(path)[0, :, 0].tolist() == [0, 0, 0x80, 0xFF]


@pytest.mark.parametrize("mode", ["I", "I;16B"])
def test_16_bits_in_other_wrappings_of_pillow(mode: str) -> None:
    assert as_image(Image.new(mode, (2, 3), 0x8001)).tolist() == [[[0x80] * 3] * 2] * 3


def test_16_bit_rgb_is_scaled_not_clipped(tmp_path: Path) -> None:
    text = b"P6 2 1 65535\n" + np.array([0, 0x8000, 0xFFFF, 0xFFFF, 0, 0], ">u2").tobytes()
    (tmp_path / "a.ppm").write_bytes(text)
    assert load_image(tmp_path / "a.ppm").tolist() == [[[0, 128, 255], [255, 0, 0]]]


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_floats_are_understood_in_both_habits(tmp_path: Path, white: float) -> None:
    grey = np.array([[0.0, 0.2, 1.0]], np.float32) * np.float32(white)
    path = save_as(tmp_path / "a.tif", Image.fromarray(grey))
    assert load_image(path)[0, :, 0].tolist() == [0, 51, 255]  # 0.2 · 255 = 51


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    # Stored: a wide picture with a red upper left quarter.
    stored = np.full((16, 32, 3), 255, np.uint8)
    stored[:8, :16] = RED
    path = tmp_path / f"a{suffix}"
    save_as(path, Image.fromarray(stored), exif=exif_with(orientation))
    pixels = load_image(path)
    assert image_size(path) == pixels.shape[:2] == ((16, 32) if orientation < 5 else (32, 16))
    is_red = pixels[[2, 2, -3, -3], [2, -3, 2, -3]].sum(axis=1) < 400
    # Where the corner of row 0, column 0 goes: the definition of the eight orientations.
    corner = {1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 1, 7: 3, 8: 2}[orientation]
    assert is_red.tolist() == [corner == i for i in range(4)]
    with Image.open(path) as picture:
        assert np.array_equal(as_image(picture), pixels)


@pytest.mark.parametrize("junk", [b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\xff\xff", b"Exif\0\0"])
def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path, junk: bytes) -> None:
    path = save_as(tmp_path / "a.jpg", Image.fromarray(gradient()), exif=junk)
    assert load_image(path).shape == (6, 8, 3)
    assert image_size(path) == (6, 8)


def test_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    later = Image.new("RGB", (4, 4), "blue")
    path = tmp_path / "a.gif"
    Image.new("RGB", (4, 4), "red").save(path, save_all=True, append_images=[later])
    assert load_image(path)[0, 0].tolist() == list(RED)


def test_large_images_and_unicode_paths(tmp_path: Path) -> None:
    path = save_as(tmp_path / "Große Bühne ăț 漫画.jpg", Image.new("L", (4000, 3000), 9))
    assert load_image(path).shape == (3000, 4000, 3)


@pytest.mark.parametrize("missing", [3, 40, 4000])
@pytest.mark.parametrize("progressive", [False, True])
def test_truncated_jpeg_is_an_error_and_no_grey_half(
    tmp_path: Path, missing: int, progressive: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", progressive=progressive)
    path = tmp_path / "cut.jpg"
    path.write_bytes(buffer.getvalue()[:-missing])
    with pytest.raises(ImageError, match=r"cut\.jpg is damaged .*truncated.*; restore it"):
        load_image(path)
    assert image_size(path) == (100, 100)  # the header is whole


@pytest.mark.parametrize("suffix", [".png", ".gif", ".bmp", ".tif", ".webp", ".ppm"])
def test_truncated_files_of_other_formats_are_errors(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    path = save_as(tmp_path / f"cut{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=r"damaged|no image"):
        load_image(path)


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_read_whole(
    tmp_path: Path, missing: int, options: dict[str, Any]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    path = save_as(tmp_path / "a.jpg", Image.fromarray(noise), **options)
    whole = load_image(path)
    path.write_bytes(path.read_bytes()[:-missing])
    assert np.array_equal(load_image(path), whole)


def test_a_progressive_jpeg_that_lacks_its_last_scan_is_no_coarse_picture(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    path = save_as(tmp_path / "a.jpg", Image.fromarray(noise), progressive=True)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"\xff\xda")])
    with pytest.raises(ImageError, match="truncated"):
        load_image(path)


def png_chunk(name: bytes, body: bytes, *, wrong: bool = False) -> bytes:
    checksum = zlib.crc32(name + body) ^ wrong
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


LARGE = zlib.compress(b"x" * 2**21)
HARMLESS = {
    "compressed text": png_chunk(b"zTXt", b"prompt\0\0" + LARGE),
    "international text": png_chunk(b"iTXt", b"prompt\0\1\0\0\0" + LARGE),
    "colour profile": png_chunk(b"iCCP", b"profile\0\0" + LARGE),
    "much text": png_chunk(b"tEXt", b"prompt\0" + b"x" * 70_000_000),
    "checksum of text": png_chunk(b"tEXt", b"prompt\0x", wrong=True),
    "checksum of what nobody knows": png_chunk(b"abCd", b"x", wrong=True),
}


@pytest.mark.parametrize("kind", HARMLESS)
@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_wrong_with_metadata_alone_costs_no_picture(
    tmp_path: Path, kind: str, is_first: bool
) -> None:
    picture = Image.fromarray(gradient(20, 30))
    path = save_as(tmp_path / "a.png", picture, exif=exif_with(6))
    data = path.read_bytes()
    place = 33 if is_first else len(data) - 12
    path.write_bytes(data[:place] + HARMLESS[kind] + data[place:])
    assert np.array_equal(load_image(path), np.rot90(gradient(20, 30), -1))
    assert image_size(path) == (30, 20)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".bmp", ".jpg", ".webp", ".ppm", ".avif"])
def test_what_follows_a_picture_does_not_matter(tmp_path: Path, suffix: str) -> None:
    path = save_as(tmp_path / f"a{suffix}", Image.fromarray(gradient(20, 30)))
    whole = load_image(path)
    path.write_bytes(path.read_bytes() + b"what follows" * 10)
    assert np.array_equal(load_image(path), whole)


@pytest.mark.parametrize(("suffix", "missing"), [(".png", 12), (".gif", 1), (".bmp", 3)])
def test_an_end_without_pixels_may_be_missing(tmp_path: Path, suffix: str, missing: int) -> None:
    path = save_as(tmp_path / f"a{suffix}", Image.fromarray(gradient(20, 31)))
    whole = load_image(path)
    path.write_bytes(path.read_bytes()[:-missing])
    assert np.array_equal(load_image(path), whole)


def test_heic_is_read_and_upright() -> None:
    # Stored: 96 x 64, white with a red upper left quarter, to be turned clockwise.
    assert image_size(CASES / "turned.heic") == (96, 64)
    pixels = load_image(CASES / "turned.heic")
    assert pixels.shape == (96, 64, 3)
    assert pixels[[2, 2, -3, -3], [2, -3, 2, -3]].min(axis=1).tolist() == pytest.approx(
        [255, 0, 255, 255], abs=5
    )


def test_avif_is_read_and_upright(tmp_path: Path) -> None:
    picture = Image.fromarray(gradient(64, 96))
    path = save_as(tmp_path / "a.avif", picture, quality=100, exif=exif_with(6))
    assert image_size(path) == (96, 64)
    turned = np.rot90(gradient(64, 96), -1).astype(int)
    assert np.abs(load_image(path) - turned).mean() < 3


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_a_truncated_heic_or_avif_is_an_error(tmp_path: Path, kind: str) -> None:
    picture = Image.fromarray(gradient(64, 96))
    heic = CASES / "turned.heic"
    whole = heic if kind == "HEIC" else save_as(tmp_path / "a.avif", picture)
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:-9])
    with pytest.raises(ImageError, match="cut is damaged"):
        load_image(tmp_path / "cut")


def test_a_tiff_that_is_not_read_says_which_it_is(tmp_path: Path) -> None:
    fields = {
        256: (4, 2),
        257: (4, 1),
        258: (3, 32, 32, 32),
        259: (3, 1),
        262: (3, 2),
        273: (4, 0),
        277: (3, 3),
        278: (4, 1),
        279: (4, 24),
        339: (3, 3, 3, 3),
    }
    path = write_tiff(tmp_path / "a.tif", fields, bytes(24))
    for reader in (load_image, image_size):
        with pytest.raises(ImageError, match="a TIFF of 3 channels, floating-point numbers of 32"):
            reader(path)


def write_tiff(path: Path, fields: dict[int, tuple[int, ...]], pixels: bytes) -> Path:
    """Write a TIFF of fields, each a type (3 short, 4 long) and values; tag 273 finds pixels."""
    place = 8 + 2 + 12 * len(fields) + 4
    entries, values = b"", b""
    start = place + sum(4 * len(each) for each in fields.values())
    for tag, (kind, *numbers) in sorted(fields.items()):
        own = [start] * len(numbers) if tag == 273 else numbers
        packed = struct.pack(f"<{len(own)}{'HI'[kind - 3]}", *own).ljust(4, b"\0")
        where = packed if len(packed) == 4 else struct.pack("<I", place + len(values))
        entries += struct.pack("<HHI", tag, kind, len(own)) + where
        values += packed if len(packed) > 4 else b""
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)
    path.write_bytes((head + values).ljust(start, b"\0") + pixels)
    return path


# ---- what would take minutes


def test_a_jpeg_of_very_many_scans_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_as(tmp_path / "a.jpg", Image.fromarray(gradient(40, 50)), progressive=True)
    data = path.read_bytes()
    last = data[data.rindex(b"\xff\xda") : -2]
    path.write_bytes(data[:-2] + 400 * last + data[-2:])
    assert load_image(path).shape == (40, 50, 3)  # so small that it takes no time
    monkeypatch.setattr(image_files, "MOST_SCANNED", 400 * 40 * 50)
    with pytest.raises(
        ImageError, match=r"a\.jpg: found 4\d\d scans of 50x40 pixels; save it again"
    ):
        load_image(path)
    assert image_size(path) == (40, 50)  # which draws nothing


def repeated(kind: str) -> bytes:
    """Return an image of a kind with a part that is there very often, or is very long."""
    buffer = io.BytesIO()
    Image.fromarray(gradient(20, 30)).save(buffer, kind)
    data = buffer.getvalue()
    comment = b"\x21\xfe" + 20_000 * (b"\xff" + b"x" * 255) + b"\0"
    return {
        "PPM": b"P6\n#" + b"x" * 1_000_000 + data[2:],
        "GIF": data[:13] + data[13:781] + comment + data[781:],
        "JPEG": data[:2] + 20_000 * b"\xff\xe5\0\2" + data[2:],
        "PNG": data[:33] + 20_000 * png_chunk(b"tEXt", b"k\0x") + data[33:],
    }[kind]


@pytest.mark.parametrize("kind", ["PPM", "GIF", "JPEG", "PNG"])
def test_headers_of_very_many_pieces_are_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(repeated(kind))
    for reader in (load_image, image_size):
        with pytest.raises(ImageError, match="a: it is made of too many pieces"):
            reader(tmp_path / "a")


def test_pixels_in_very_many_pieces_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_as(tmp_path / "a.png", Image.fromarray(gradient()))
    data = path.read_bytes()
    place = data.index(b"IDAT") - 4
    path.write_bytes(data[:place] + 1_000 * png_chunk(b"IDAT", b"") + data[place:])
    assert np.array_equal(load_image(path), gradient())
    monkeypatch.setattr(images, "MOST_PIXEL_READS", 900)
    with pytest.raises(ImageError, match="too many pieces"):
        load_image(path)


@pytest.mark.parametrize("header", [b"P3\n", b"P2 # comment\n", b"P1\n"])
def test_pictures_written_as_text_have_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bytes
) -> None:
    size = b"1 1\n" + (b"" if header[:2] == b"P1" else b"255\n")
    path = tmp_path / "a.ppm"
    path.write_bytes(header + size + b"1 # one\n1 1\n")
    assert load_image(path).shape == (1, 1, 3)
    path.write_bytes(header + size + 2_000 * b"#\n" + b"1 1 1\n")
    with pytest.raises(ImageError, match="its text is too long"):
        load_image(path)
    path.write_bytes(header + size + b"1 1 1\n" + b" " * 100)
    monkeypatch.setattr(image_files, "LARGEST_TEXT", 100)
    with pytest.raises(ImageError, match="its text is too long"):
        load_image(path)


@pytest.mark.parametrize("tag", [273, 324])
def test_a_tiff_of_very_many_strips_is_refused(tmp_path: Path, tag: int) -> None:
    fields = {
        256: (4, 1),
        257: (4, 200_000),
        258: (3, 8),
        259: (3, 1),
        262: (3, 1),
        tag: (4, *[0] * 200_000),
        277: (3, 1),
        278: (4, 1),
    }
    path = write_tiff(tmp_path / "a.tif", fields, b"x")
    for reader in (load_image, image_size):
        with pytest.raises(ImageError, match="found 200,000 strips, more than 100,000; save it"):
            reader(path)


@pytest.mark.parametrize("kind", [b"P5", b"P6"])
@pytest.mark.parametrize("most", [1, 15, 254, 255, 256, 4095, 65534, 65535])
def test_depths_of_pnm_are_scaled_as_pillow_does(tmp_path: Path, kind: bytes, most: int) -> None:
    channels = 3 if kind == b"P6" else 1
    values = np.random.default_rng(1).integers(0, most + 1, 12 * channels)
    samples = values.astype(">u2" if most > 255 else "u1").tobytes()
    path = tmp_path / "a.ppm"
    path.write_bytes(b"%s # a comment\n4 # another\n3\n%d\n" % (kind, most) + samples)
    with Image.open(path) as picture:
        assert np.array_equal(load_image(path), as_image(picture))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ImageError, match="damaged"):
        load_image(path)


# ---- pipes, devices, files without an end


@pytest.mark.parametrize("reader", [load_image, image_size])
@pytest.mark.parametrize("place", ["/dev/zero", "/proc/kmsg", "/proc/self/pagemap", "pipe"])
def test_what_never_ends_is_no_image_and_nothing_waits(
    tmp_path: Path, reader: Any, place: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.png").symlink_to(place)
    with pytest.raises(ImageError, match=r"a\.png (cannot be read \(|is empty)"):
        reader(tmp_path / "a.png")


def test_a_phones_jpeg_of_several_pictures_is_its_first(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "blue")
    red.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[blue])
    assert image_size(tmp_path / "a.jpg") == (30, 40)
    assert load_image(tmp_path / "a.jpg")[0, 0].tolist() == pytest.approx([255, 0, 0], abs=5)


@pytest.mark.parametrize("reader", [load_image, image_size, as_image])
@pytest.mark.parametrize("kind", ["EPS", "TGA", "PCX", "ICO", "JPEG2000"])
def test_rare_kinds_and_programs_are_no_images_whatever_they_are_called(
    tmp_path: Path, reader: Any, kind: str
) -> None:
    Image.init()
    assert kind in Image.SAVE
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, kind)
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    with pytest.raises(ImageError, match=r"a\.jpg is no image of the kinds JPEG, PNG"):
        reader(tmp_path / "a.jpg")


@pytest.mark.parametrize("reader", [load_image, image_size, as_image])
@pytest.mark.parametrize(
    ("content", "finding"),
    [(None, r"No such file.*; check"), (b"", "is empty"), (b"hello", "is no image")],
)
def test_what_is_no_image_is_one_clear_line(
    tmp_path: Path, reader: Any, content: bytes | None, finding: str
) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.jpg .*{finding}") as caught:
        reader(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", [load_image, image_size])
def test_a_folder_is_no_image(tmp_path: Path, reader: Any) -> None:
    with pytest.raises(ImageError, match="is a folder, not an image"):
        reader(tmp_path)


@pytest.mark.parametrize("reader", [load_image, image_size])
def test_bombs_are_refused_before_they_unpack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Any
) -> None:
    path = save_as(tmp_path / "a.png", Image.new("L", (60, 50)))
    monkeypatch.setattr(images, "MAX_PIXELS", 2999)
    with pytest.raises(ImageError, match=r"a\.png: found 60x50 pixels, more than 2,999; make it"):
        reader(path)


def test_bombs_beyond_pillows_own_limit_are_refused(tmp_path: Path) -> None:
    path = save_as(tmp_path / "a.png", Image.new("1", (20_000, 20_000)))
    with pytest.raises(ImageError, match="400000000 pixels"):
        load_image(path)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (6, 8, 3), (6, 8, 4)])
@pytest.mark.parametrize(
    ("dtype", "white"), [("u1", 255), ("u2", 65535), ("f4", 1), ("f8", 255), ("?", True)]
)
def test_arrays_of_any_kind(shape: tuple[int, ...], dtype: str, white: float) -> None:
    pixels = as_image(np.full(shape, white, dtype))
    assert pixels.shape == (6, 8, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 255).all()


def test_arrays_in_rgb_stay_as_they_are() -> None:
    assert np.array_equal(as_image(gradient()), gradient())


def test_paths_may_be_text(tmp_path: Path) -> None:
    path = save_as(tmp_path / "a.png", Image.fromarray(gradient()))
    assert np.array_equal(as_image(str(path)), gradient())


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (np.zeros((2, 3, 4, 3), np.uint8), r"shape \(2, 3, 4, 3\)"),
        (np.zeros((3, 5, 2), np.uint8), r"shape \(3, 5, 2\)"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
        (np.zeros((3, 5), np.int32), "pixels of int32"),
        (Image.new("RGB", (0, 5)), r"shape \(5, 0, 3\)"),
        (np.array([[np.nan]]), "not numbers"),
        (np.array([[-0.5]]), "outside"),
        (np.array([[256.0]]), "outside"),
        ([[1, 2]], "found list instead of an image"),
    ],
)
def test_what_cannot_be_an_image_is_refused(source: Any, finding: str) -> None:
    with pytest.raises(ImageError, match=finding):
        as_image(source)


@pytest.mark.parametrize("suffix", [".png", ".PNG"])
def test_png_round_trip(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"a{suffix}"
    save_image(path, gradient())
    assert np.array_equal(load_image(path), gradient())
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_jpeg_quality_counts(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    save_image(tmp_path / "fine.jpg", noise, quality=95)
    save_image(tmp_path / "coarse.jpeg", noise, quality=20)
    assert (tmp_path / "coarse.jpeg").stat().st_size < (tmp_path / "fine.jpg").stat().st_size / 2


def test_saving_refuses_other_suffixes_and_shapes(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.tif is neither \.png nor \.jpg"):
        save_image(tmp_path / "a.tif", gradient())
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8, got \(6, 8\)"):
        save_image(tmp_path / "a.png", gradient()[:, :, 0])
    assert list(tmp_path.iterdir()) == []


def test_image_paths_are_sorted_recursive_and_visible(tmp_path: Path) -> None:
    wanted = ["a/2.jpg", "a/10.JPG", "b.png", "c/d/e.webp"]
    hidden = [".f.jpg", "a/._2.jpg", "__MACOSX/a.jpg", ".thumbs/a.jpg", "notes.txt"]
    for name in wanted + hidden:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in image_paths(tmp_path)]
    assert found == ["a/10.JPG", "a/2.jpg", "b.png", "c/d/e.webp"]


def test_image_paths_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        image_paths(tmp_path / "nowhere")


def test_a_folder_is_looked_through_by_content_and_nothing_waits(tmp_path: Path) -> None:
    picture = Image.fromarray(gradient())
    for name in ("a.jpg", "b/c.PNG", "b/d.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()  # called like images: they are not opened
    for name in ("e", "f.mp4", "g.dat"):
        picture.save(tmp_path / name, "PNG")
    (tmp_path / "h.mts").write_bytes(b"\0\0\0\x20ftypisom" + bytes(40))
    (tmp_path / "broken.mp4").write_bytes(bytes(100))
    others = {"notes.txt": b"frames", "code.ts": b"let a = 1", "list.mp4": b"ffconcat version 1.0"}
    for name, content in {**others, "song.ogg": b"OggS\0\2", "void": b""}.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "kmsg.mp4").symlink_to("/dev/zero")
    (tmp_path / "round").symlink_to(".")
    (tmp_path / ".hidden.jpg").touch()
    found = scan_folder(tmp_path)
    assert [path.name for path in found.images] == [
        *("a.jpg", "c.PNG", "d.heic", "e", "f.mp4", "g.dat")
    ]
    assert [path.name for path in found.videos] == ["broken.mp4", "h.mts"]
    assert (found.linked_folders, found.others) == (1, 7)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"the free software foundation", None),
        (b"and skip the wide ones", None),
        (b"P1 meeting notes", None),
        (b"P3 2 minutes", None),
        (b"P6# 2 1 255", None),
        (b"\0\0\0\x08wide\0\0\x10\0mdat", "video"),
        (b"\0\0\x01\0free", "video"),
        (b"\0\0\0\x18ftypmp42", "video"),
        (b"P6 2 1 65535\n", "image"),
        (b"P4\n# written by GIMP\n2 # wide\n1\n\0", "image"),
        (b"P5#no space\n2\n1\n255\n", "image"),
    ],
)
def test_text_is_no_image_and_no_video(head: bytes, kind: str | None) -> None:
    assert media_type_of_head(head) == kind


def test_texts_beside_frames_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "a.JSON", "a.xml", "a.csv", "a.yaml", "a.yml", "a"):
        (tmp_path / name).touch()
    opened: list[str] = []
    monkeypatch.setattr(media_types, "media_type", lambda path: opened.append(path.name))
    assert scan_folder(tmp_path).others == 7
    assert opened == ["a"]


@pytest.mark.parametrize(("suffix", "mode"), [("pbm", "1"), ("pgm", "L"), ("ppm", "RGB")])
def test_pnm_is_told_by_its_content(suffix: str, mode: str, tmp_path: Path) -> None:
    Image.fromarray(gradient()).convert(mode).save(tmp_path / f"a.{suffix}")
    assert media_type((tmp_path / f"a.{suffix}").rename(tmp_path / "a")) == "image"
