"""The pen: draws filled shapes and brush lines, and remembers which face owns each pixel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facetl.cartoons.colours import INK, Colour, darken, rgb
from facetl.cartoons.look import HOUSE_LOOK, Look, Shade, unsteady
from facetl.cartoons.paths import Path, as_path, join

WIDTH, HEIGHT = 480, 360
OVERSAMPLING = 3  # drawn this much bigger, then shrunk: that is what smooths the edges

_FRACTION_BITS = 4  # polygons are rasterised to a sixteenth of a pixel
_OPAQUE = 0.6  # paint thinner than this lets the face below still count as seen
_FEW_SHADES = 8  # what fades has more; one colour has some, rounded differently
_SPREADING = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

Region = tuple[int, int, int, int]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Canvas:
    """The picture, and for each of its pixels the number of the face that owns it (0: none).

    ``image`` is (H, W, 3) RGB and ``owners`` (H, W), both uint8, at the oversampled size.
    """

    image: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros((HEIGHT * OVERSAMPLING, WIDTH * OVERSAMPLING, 3), np.uint8)
    )
    owners: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros((HEIGHT * OVERSAMPLING, WIDTH * OVERSAMPLING), np.uint8)
    )

    def finished(self) -> NDArray[np.uint8]:
        """Return the picture at its final size: (HEIGHT, WIDTH, 3) uint8 RGB."""
        small = cv2.resize(self.image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8)

    def blur(self, radius: float) -> None:
        """Put all that has been drawn so far out of focus, by so many pixels of the frame."""
        self.repaint(
            lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), radius), np.uint8)
        )

    def repaint(self, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
        """Change all that has been drawn so far, given and returned at the final size."""
        height, width = self.owners.shape
        small = change(self.finished())
        self.image[:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    def pixels_of(self, owner: int) -> int:
        """Return how many oversampled pixels a face owns."""
        return int(np.count_nonzero(self.owners == owner))

    def bounds_of(self, owner: int) -> Region | None:
        """Return x1, y1, x2, y2 around the oversampled pixels that a face owns, if it owns any."""
        owned = (self.owners == owner).view(np.uint8)
        x, y, width, height = cv2.boundingRect(owned)
        return (x, y, x + width, y + height) if width else None


@dataclass(frozen=True)
class Pen:
    """Draws on a canvas in coordinates of its own; ``at`` gives pens with other coordinates.

    All lengths and line widths are in the pen's own units.  Paint that a pen lays down belongs
    to its ``owner``: the number of a face, or 0 for all that is no face.
    """

    canvas: Canvas
    matrix: NDArray[np.float64] = field(
        default_factory=lambda: np.array([[OVERSAMPLING, 0, 0], [0, OVERSAMPLING, 0]], float)
    )
    ink: Colour = INK
    weight: float = 1.0
    owner: int = 0
    look: Look = HOUSE_LOOK

    def at(
        self, x: float = 0, y: float = 0, scale: float = 1, turn: float = 0, flip: bool = False
    ) -> Pen:
        """Return a pen whose origin is at (x, y), enlarged, turned by degrees, mirrored."""
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        placed = np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1]])
        sized = np.diag([-scale if flip else scale, scale, 1])
        return replace(self, matrix=self.matrix @ placed @ sized)

    def owned_by(self, owner: int) -> Pen:
        """Return the same pen, painting for the face with this number."""
        return replace(self, owner=owner)

    def soft(self, colour: Colour) -> Pen:
        """Return a pen for backgrounds: thinner ink in a shade of ``colour``."""
        return replace(
            self, ink=darken(self.look.tinted(colour), 0.5), weight=0.75 * self.look.line
        )

    def looking(self, look: Look) -> Pen:
        """Return the same pen, drawing in another look."""
        return replace(self, look=look, ink=look.ink, weight=look.line)

    @cached_property
    def scale(self) -> float:
        """How many oversampled pixels one unit is."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2]))))

    def pixels(self, path: ArrayLike) -> Path:
        """Return the path in oversampled pixels."""
        points = as_path(path) @ self.matrix[:, :2].T + self.matrix[:, 2]
        stray = self.look.wobble * OVERSAMPLING
        if not stray or len(points) < 2:
            return points
        return unsteady(points, stray, self.canvas.owners.shape[::-1])

    def fill(
        self,
        path: ArrayLike,
        colour: Colour,
        *,
        clip: ArrayLike | None = None,
        claim: bool = True,
        alpha: float = 1.0,
        fade_to: Colour | None = None,
    ) -> None:
        """Fill a closed path.

        Args:
            path: (N, 2) points.
            colour: of the paint, at the top if it fades.
            clip: a second closed path; only what lies within both is filled.
            claim: whether the pixels pass to the pen's owner, or stay whose they were.
            alpha: 0 to 1; paint thinner than 0.6 never claims.
            fade_to: the colour at the bottom of the path.
        """
        outline, colour = self.pixels(path), self.look.painted(colour)
        if clip is None and fade_to is None and alpha >= 1:
            self._fill_whole(outline, colour, is_feature=not claim)
            if claim:
                cv2.fillPoly(self.canvas.owners, [_fixed(outline)], self.owner, cv2.LINE_8, 4)
            return
        fade_to = fade_to and self.look.painted(fade_to)
        outlines = [outline] if clip is None else [outline, self.pixels(clip)]
        region = self._shared_region(outlines)
        if region is None:
            return
        rows, columns = _slices(region)
        inside = np.bitwise_and.reduce([_mask(each, region) for each in outlines])
        _lay(self.canvas.image[rows, columns], inside, _fade(colour, fade_to, len(inside)), alpha)
        if claim and alpha >= _OPAQUE:
            self.canvas.owners[rows, columns][inside.view(bool)] = self.owner

    def _fill_whole(self, outline: Path, colour: Colour, is_feature: bool) -> None:
        region = self._shared_region([outline])
        is_scenery = self.scale < 2 * OVERSAMPLING
        if region is None or is_scenery or not self.look.shades(outline, is_feature):
            cv2.fillPoly(self.canvas.image, [_fixed(outline)], rgb(colour), cv2.LINE_8, 4)
            return
        shade = _spread(self.look.shade(outline), outline, region)
        paint = cv2.applyColorMap(shade, self.look.ramp(colour)[:, None])
        cv2.copyTo(paint, _mask(outline, region), self.canvas.image[_slices(region)])

    def line(
        self,
        path: ArrayLike,
        width: float = 1.0,
        colour: Colour | None = None,
        *,
        closed: bool = False,
        taper: bool = False,
        swell: float = 0.45,
        clip: ArrayLike | None = None,
    ) -> None:
        """Draw a brush line; it never claims pixels.

        Args:
            path: (N, 2) points.
            width: of the line.
            colour: the pen's ink if left out.
            closed: whether the end is joined to the start; then ``swell`` applies.
            taper: whether the ends are thinner than the middle.
            swell: how much thicker a closed line is where the shape faces down.
            clip: a closed path; nothing is drawn outside.
        """
        points = self.pixels(path) + np.multiply(self.look.slip, OVERSAMPLING)
        if len(points) < 2:
            return
        points = join(points, points[:1]) if closed else points
        widths = _brush(points, width * self.weight * self.scale, swell if closed else 0, taper)
        paint = rgb(self.ink if colour is None else self.look.lined(colour))
        if clip is None:
            _stroke(self.canvas.image, points, widths, paint)
            return
        border = self.pixels(clip)
        region = self._shared_region([border])
        if region is None:
            return
        view = self.canvas.image[_slices(region)]
        drawn = view.copy()
        _stroke(drawn, points - region[:2], widths, paint)
        cv2.copyTo(drawn, _mask(border, region), view)

    def shape(
        self,
        path: ArrayLike,
        colour: Colour,
        width: float = 1.0,
        outline: Colour | None = None,
        *,
        claim: bool = True,
    ) -> None:
        """Fill a closed path and ink its outline."""
        self.fill(path, colour, claim=claim)
        self.contour(path, width, colour, outline)

    def contour(
        self,
        path: ArrayLike,
        width: float,
        colour: Colour,
        outline: Colour | None = None,
        *,
        swell: float = 0.45,
    ) -> None:
        """Ink the outline of a surface of a colour, as far as the look has outlines.

        Args:
            path: a closed path.
            width: of the line.
            colour: of the surface.
            outline: of the line; it is then drawn in every look.
            swell: how much thicker the line is where the shape faces down.
        """
        if outline is None and self.look.contour == "none":
            return
        line_colour = outline or self._contour_colour(colour)
        self.line(path, width, line_colour, closed=True, swell=swell)

    def tube(self, path: ArrayLike, width: float, colour: Colour, rim: float = 0.06) -> None:
        """Draw a rubber hose with inked rims: an arm, a leg, a tail.  It claims its pixels."""
        rim = 0 if self.look.contour == "none" else rim
        self.line(path, width / self.weight + 2 * rim, self._contour_colour(colour))
        points = self.pixels(path)
        for thickness, shift, paint in self._tube_tones(colour):
            lit = points + np.multiply(shift, width * self.scale)
            widths = _brush(lit, width * thickness * self.scale, 0, False)
            _stroke(self.canvas.image, lit, widths, rgb(paint))
        across = (width + 2 * rim * self.weight) * self.scale
        _stroke(self.canvas.owners, points, _brush(points, across, 0, False), self.owner)

    def _contour_colour(self, surface: Colour) -> Colour | None:
        """Return the colour of the line around a surface; None stands for the pen's ink."""
        return darken(surface, 0.45) if self.look.contour == "own" else None

    def _tube_tones(self, colour: Colour) -> list[tuple[float, tuple[float, float], Colour]]:
        """Return how thick the tones of a tube are, how far towards the light, their colours."""
        if not self.look.shades(as_path([(0, 0), (99, 99)]), False):
            return [(1, (0, 0), self.look.painted(colour))]
        ramp, (to_x, to_y) = self.look.ramp(self.look.tinted(colour)), self.look.towards_light
        tones = ((1.0, 0.0, 100), (0.74, 0.1, 180), (0.3, 0.2, 240))
        return [
            (thickness, (to_x * shift, to_y * shift), _as_colour(ramp[light]))
            for thickness, shift, light in tones
        ]

    def share_in_frame(self, path: ArrayLike) -> float:
        """Return which part (0 to 1) of a closed path's area lies within the picture."""
        points = self.pixels(path)
        low, high = np.floor(points.min(0)).astype(int) - 1, np.ceil(points.max(0)).astype(int) + 2
        everything = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        whole = _mask(points, everything)
        seen = self._shared_region([points])
        if seen is None:
            return 0.0
        left, top = seen[0] - everything[0], seen[1] - everything[1]
        part = whole[top : top + seen[3] - seen[1], left : left + seen[2] - seen[0]]
        return int(part.sum()) / max(1, int(whole.sum()))

    def _shared_region(self, outlines: list[Path]) -> Region | None:
        """Return the rectangle of the canvas that all outlines reach into."""
        height, width = self.canvas.owners.shape
        low = np.max([each.min(0) for each in outlines], axis=0).astype(int) - 1
        high = np.min([each.max(0) for each in outlines], axis=0).astype(int) + 2
        x1, y1 = max(0, int(low[0])), max(0, int(low[1]))
        x2, y2 = min(width, int(high[0])), min(height, int(high[1]))
        return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _as_colour(channels: NDArray[np.uint8]) -> Colour:
    red, green, blue = channels.tolist()
    return red, green, blue


def _fixed(points: Path) -> NDArray[np.int32]:
    return np.round(points * (1 << _FRACTION_BITS)).astype(np.int32)


def _slices(region: Region) -> tuple[slice, slice]:
    x1, y1, x2, y2 = region
    return slice(y1, y2), slice(x1, x2)


def _mask(outline: Path, region: Region) -> Mask:
    x1, y1, x2, y2 = region
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    cv2.fillPoly(mask, [_fixed(outline - (x1, y1))], 1, cv2.LINE_8, _FRACTION_BITS)
    return mask


def _spread(shade: Shade, outline: Path, region: Region) -> Shade:
    """Return the part of a coarse grid over an outline that lies in a region, pixel by pixel."""
    low, high = outline.min(0), outline.max(0)
    stretch = (np.array(shade.shape[::-1]) - 1) / np.maximum(high - low, 1)
    matrix = np.array([[stretch[i], 0, (region[i] - low[i]) * stretch[i]] for i in (0, 1)])
    matrix[1, :2] = 0, stretch[1]
    size = region[2] - region[0], region[3] - region[1]
    spread = cv2.warpAffine(shade, matrix, size, None, _SPREADING, cv2.BORDER_REPLICATE)
    return np.asarray(spread, np.uint8)


def _fade(colour: Colour, fade_to: Colour | None, rows: int) -> NDArray[np.float64]:
    """Return the colour of each row, (rows, 1, 3)."""
    top, bottom = np.array(rgb(colour), float), np.array(rgb(fade_to or colour), float)
    share = np.linspace(0, 1, rows)[:, None, None]
    return np.asarray(top * (1 - share) + bottom * share, float)


def _lay(pixels: NDArray[np.uint8], inside: Mask, paint: NDArray[np.float64], alpha: float) -> None:
    """Lay paint over the pixels inside a shape."""
    mixed = paint if alpha >= 1 else _mixed(pixels, paint, alpha)
    everywhere = np.broadcast_to(mixed.astype(np.uint8), pixels.shape)
    if inside.all():
        pixels[:] = everywhere
    else:
        cv2.copyTo(np.ascontiguousarray(everywhere), inside, pixels)


def _mixed(
    pixels: NDArray[np.uint8], paint: NDArray[np.float64], alpha: float
) -> NDArray[np.float64] | NDArray[np.uint8]:
    """Return the pixels with thin paint on them."""
    shades, shade_of_row = np.unique(paint[:, 0], axis=0, return_inverse=True)
    if len(shades) > _FEW_SHADES:
        return np.asarray(pixels * (1 - alpha) + paint * alpha, float)
    mixed = np.empty_like(pixels)
    levels = np.arange(256)[:, None]
    for i, shade in enumerate(shades):
        rows = shade_of_row.ravel() == i
        table = (levels * (1 - alpha) + shade * alpha).astype(np.uint8)
        mixed[rows] = cv2.LUT(np.ascontiguousarray(pixels[rows]), table[None])
    return mixed


def _brush(points: Path, width: float, swell: float, taper: bool) -> NDArray[np.int_]:
    """Return the width of each segment in whole pixels, at least 1."""
    steps = np.diff(points, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1]) + 1e-6
    normals = np.column_stack([steps[:, 1], -steps[:, 0]]) / lengths[:, None]
    if swell and _runs_backwards(points):
        normals = -normals
    widths = width * (1 + swell * (normals @ (0.3, 0.95)))
    if taper:
        along = np.clip((np.cumsum(lengths) - lengths / 2) / lengths.sum(), 0.02, 0.98)
        widths = widths * (0.35 + 0.75 * np.sin(np.pi * along) ** 0.6)
    return np.maximum(1, np.round(widths)).astype(int)


def _runs_backwards(points: Path) -> bool:
    x, y = points[:, 0], points[:, 1]
    return bool(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) < 0)


def _stroke(
    target: NDArray[np.uint8],
    points: Path,
    widths: NDArray[np.int_],
    paint: int | tuple[int, int, int],
) -> None:
    """Draw a line of changing width, one run of equal width at a time."""
    fixed = _fixed(points)
    changes = np.flatnonzero(np.diff(widths)) + 1
    for start, end in zip([0, *changes], [*changes, len(widths)], strict=True):
        run, width = fixed[start : end + 1], int(widths[start])
        cv2.polylines(target, [run], False, paint, width, cv2.LINE_8, _FRACTION_BITS)


def use_one_core() -> None:
    """Draw with one thread: for a process that is one of several."""
    cv2.setNumThreads(1)
