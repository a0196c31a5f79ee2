"""Pictures to look at: boxes drawn on frames, frames side by side, sheets of small images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from facetl.boxes import Boxes, as_boxes, square
from facetl.data.fonts import font_file
from facetl.data.images import Pixels
from facetl.errors import printable
from facetl.palette import LUMA, SKY, YELLOW

TRUTH: Final = YELLOW
"""Annotated faces."""
FOUND: Final = SKY
"""Detections."""

_WHITE = 255
_TITLE_HEIGHT = 24
_LEAST_LABEL = 11
"""Pixels of the letters of labels on small pictures, where smaller ones could not be read."""
_LABEL_SHARE, _LINE_SHARE, _TITLE_SHARE = 1 / 36, 1 / 270, 1 / 24
"""Size of letters, width of lines and height of titles, as shares of a picture's shorter side."""
_MARGIN = 8


def draw_boxes(
    image: Pixels,
    boxes: Boxes,
    *,
    colour: str | Sequence[str] = FOUND,
    labels: Sequence[str] | None = None,
    scores: NDArray[np.floating[Any]] | None = None,
    thickness: int | None = None,
) -> Pixels:
    """Return a copy of the image with the boxes drawn on it.

    Letters and lines grow with the picture: a 4K frame that is shown as large as a small one looks
    like it.

    Args:
        image: (H, W, 3) RGB.
        boxes: (N, 4) half-open pixels; what lies outside the image is not seen.
        colour: one of this module's colours, or any ``#RRGGBB``; or N of them, one for each box.
        labels: N texts, written above the boxes, or at the top of the image if there is no room.
        scores: N scores in [0, 1]; without labels they are the texts.
        thickness: of the lines, in pixels; None: to suit the picture, at least 2.

    Raises:
        ValueError: if there is another number of colours or of texts than of boxes.
    """
    boxes = as_boxes(boxes)
    colours = [colour] * len(boxes) if isinstance(colour, str) else list(colour)
    if len(colours) != len(boxes):
        raise ValueError(f"expected {len(boxes)} colours, got {len(colours)}")
    if not colours:
        return image.copy()
    size = max(round(_shorter_side(image) * _LABEL_SHARE), _LEAST_LABEL)
    if thickness is None:
        thickness = line_width(image)
    scene = Image.fromarray(image)
    pen = ImageDraw.Draw(scene)
    frames = _frames_around(boxes, image.shape[:2], thickness)
    for frame, tint in zip(frames, colours, strict=True):
        pen.rectangle(frame, outline=tint, width=thickness)
    for frame, tint, text in zip(frames, colours, _texts(labels, scores) or [], strict=False):
        _write_label(pen, frame, tint, text, size)
    return np.array(scene)


def line_width(image: Pixels) -> int:
    """Return the width in pixels of lines that suit an (H, W, 3) picture, at least 2."""
    return max(round(_shorter_side(image) * _LINE_SHARE), 2)


def side_by_side(panels: Sequence[tuple[str, Pixels]]) -> Pixels:
    """Return the (title, image) panels in one row, each with its title above.

    Titles grow with the largest panel.
    """
    return contact_sheet(
        [image for _, image in panels],
        columns=len(panels),
        titles=[title for title, _ in panels],
        title_height=max((_title_height(image) for _, image in panels), default=_TITLE_HEIGHT),
    )


def _title_height(image: Pixels) -> int:
    return max(round(_shorter_side(image) * _TITLE_SHARE), _TITLE_HEIGHT)


def _shorter_side(image: Pixels) -> int:
    return int(min(image.shape[:2]))


def fit_panels(image: Pixels, count: int, longest: int) -> tuple[Pixels, float]:
    """Return an image shrunk so that panels of it fit side by side, and by how much.

    Args:
        image: (H, W, 3) RGB.
        count: how many panels :func:`side_by_side` shall make of it, at least 1.
        longest: width and height in pixels that they may have together.

    Returns:
        The image itself, and 1, if that fits.
    """
    height, width = image.shape[:2]
    room = (
        max(longest - _MARGIN, 0) // count - _MARGIN,
        longest - _title_height(image) - 2 * _MARGIN,
    )
    scale = min(1.0, room[0] / width, room[1] / height)
    if scale == 1:
        return image, scale
    size = (max(int(width * scale), 1), max(int(height * scale), 1))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)), scale


def contact_sheet(
    images: Sequence[Pixels],
    columns: int,
    *,
    titles: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    enlarge: int = 1,
    title_height: int = _TITLE_HEIGHT,
) -> Pixels:
    """Return the images in rows of ``columns``, from left to right, with margins between.

    Every cell is as large as the largest image; smaller ones lie in its upper left corner.

    Args:
        images: any number of (H, W, 3) RGB, of any sizes.
        columns: cells in a row.
        titles: a text above each image.
        captions: a text below each image.
        enlarge: a whole factor; pixels become squares, so that 12×12 patches can be seen.
        title_height: of titles, in pixels.

    Raises:
        ValueError: if there is no image or no column, or not one title or caption for each
            image.
    """
    if not images or columns < 1:
        raise ValueError(f"expected images and columns, got {len(images)} and {columns}")
    cells = _pad_to_largest([enlarge_pixels(image, enlarge) for image in images])
    if titles is not None:
        cells = _stack(_write_all(titles, "titles", cells, title_height), cells)
    if captions is not None:
        cells = _stack(cells, _write_all(captions, "captions", cells))
    return _join(cells, min(columns, len(cells)))


def cut_out(image: Pixels, box: Boxes, size: int, *, margin: float = 0.5) -> Pixels:
    """Return a square cell of ``size`` pixels that shows a box and what is around it.

    Args:
        image: (H, W, 3) RGB; beyond its border the cell is black.
        box: (1, 4) half-open pixels.
        size: side of the cell.
        margin: what is shown on every side, as a share of the box's longer edge.
    """
    x1, y1, x2, y2 = square(box)[0]
    reach = margin * (x2 - x1)
    view = (x1 - reach, y1 - reach, x2 + reach, y2 + reach)
    framed = draw_boxes(image, box, thickness=max(round((x2 - x1) / 40), 1))
    cell = Image.fromarray(framed).transform((size, size), Image.Transform.EXTENT, view)
    return np.asarray(cell, np.uint8)


def enlarge_pixels(image: Pixels, factor: int) -> Pixels:
    """Return the image ``factor`` times as large, every pixel a square."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _texts(
    labels: Sequence[str] | None, scores: NDArray[np.floating[Any]] | None
) -> list[str] | None:
    if labels is None and scores is not None:
        return [f"{score:.2f}" for score in scores]
    return None if labels is None else list(labels)


def _frames_around(
    boxes: Boxes, size_hw: tuple[int, int], thickness: int
) -> list[tuple[int, int, int, int]]:
    """Return the first and last pixels of lines around boxes, whose inner half is the box's own."""
    height, width = size_hw
    far = 2 * thickness  # further outside nothing is seen
    whole = np.clip(boxes, -far, np.array([width, height, width, height]) + far).astype(int)
    whole[:, 2:] = np.maximum(whole[:, 2:] - 1, whole[:, :2])
    outer = whole + thickness // 2 * np.array([-1, -1, 1, 1])
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in outer.tolist()]


def _write_label(
    pen: ImageDraw.ImageDraw,
    frame: tuple[int, int, int, int],
    colour: str,
    text: str,
    size: int,
) -> None:
    """Write a text on a patch of colour that stands on a frame, inside the picture if it fits."""
    font, padding = _font_for(text, size), max(size // 4, 2)
    left, top, right, bottom = pen.textbbox((0, 0), text, font)
    width, height = right - left + 2 * padding, bottom - top + 2 * padding
    x = max(min(frame[0], pen.im.size[0] - width), 0)
    y = max(frame[1] - height, 0)
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
    ink = "black" if _is_bright(colour) else "white"
    pen.text((x + padding - left, y + padding - top), text, fill=ink, font=font)


def _is_bright(colour: str) -> bool:
    """Return whether black stands out from a colour better than white."""
    channels = ImageColor.getrgb(colour)[:3]
    return sum(weight * each for weight, each in zip(LUMA, channels, strict=True)) > 127


def _pad_to_largest(images: Sequence[Pixels]) -> list[Pixels]:
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    cells = [np.full((height, width, 3), _WHITE, np.uint8) for _ in images]
    for cell, image in zip(cells, images, strict=True):
        cell[: image.shape[0], : image.shape[1]] = image
    return cells


def _stack(above: Sequence[Pixels], below: Sequence[Pixels]) -> list[Pixels]:
    return [np.concatenate(parts) for parts in zip(above, below, strict=True)]


def _write_all(
    texts: Sequence[str], what: str, cells: Sequence[Pixels], height: int = _TITLE_HEIGHT
) -> list[Pixels]:
    """Return a strip for each cell."""
    if len(texts) != len(cells):
        raise ValueError(f"expected {len(cells)} {what}, got {len(texts)}")
    return [
        _write_strip(text, cell.shape[1], height) for text, cell in zip(texts, cells, strict=True)
    ]


def _write_strip(text: str, width: int, height: int) -> Pixels:
    """Return a line of text on white, as wide as a cell; what is too long lacks its middle."""
    strip = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(strip)
    text = printable(text)
    font = _font_for(text, height * 5 // 8)
    shorter = _ever_shorter(text)
    fitting = (each for each in shorter if pen.textlength(each, font) <= width)
    pen.text((0, height // 12), next(fitting, ""), fill="black", font=font)
    return np.asarray(strip)


def _font_for(text: str, size: int) -> Any:
    """Return Pillow's own font, which has ASCII alone, or an installed one with other letters."""
    found = font_file(text)
    if found is None:
        return _own_font(size)
    path, number = found
    return ImageFont.truetype(path, size, index=number)


@cache
def _own_font(size: int) -> Any:
    return ImageFont.load_default(size=size)


def _ever_shorter(text: str) -> Iterator[str]:
    """Yield the text, then with a character less each time, missing from its middle."""
    yield text
    for kept in reversed(range(len(text))):
        yield text[: kept // 2] + "…" + text[len(text) - (kept - kept // 2) :]


def _join(cells: Sequence[Pixels], columns: int) -> Pixels:
    """Lay cells of one size out on a grid with margins."""
    height, width = (side + _MARGIN for side in cells[0].shape[:2])
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * height + _MARGIN, columns * width + _MARGIN, 3), _WHITE, np.uint8)
    for index, cell in enumerate(cells):
        top = _MARGIN + index // columns * height
        left = _MARGIN + index % columns * width
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return sheet
