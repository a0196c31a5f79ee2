"""The pen: draws filled shapes and brush lines, and remembers which face owns each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facetl.cartoons.colours import INK, Colour, darken, rgb
from facetl.cartoons.paths import Path, as_path, join

WIDTH, HEIGHT = 480, 360
OVERSAMPLING = 3  # drawn this much bigger, then shrunk: that is what smooths the edges

_FRACTION_BITS = 4  # polygons are rasterised to a sixteenth of a pixel
_OPAQUE = 0.6  # paint thinner than this lets the face below still count as seen

Region = tuple[int, int, int, int]


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

    def pixels_of(self, owner: int) -> int:
        """Return how many oversampled pixels a face owns."""
        return int(np.count_nonzero(self.owners == owner))


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
        return replace(self, ink=darken(colour, 0.5), weight=0.75)

    @property
    def scale(self) -> float:
        """How many oversampled pixels one unit is."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2]))))

    def pixels(self, path: ArrayLike) -> Path:
        """Return the path in oversampled pixels."""
        return as_path(path) @ self.matrix[:, :2].T + self.matrix[:, 2]

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
        outline = self.pixels(path)
        if clip is None and fade_to is None and alpha >= 1:
            cv2.fillPoly(self.canvas.image, [_fixed(outline)], rgb(colour), cv2.LINE_8, 4)
            if claim:
                cv2.fillPoly(self.canvas.owners, [_fixed(outline)], self.owner, cv2.LINE_8, 4)
            return
        outlines = [outline] if clip is None else [outline, self.pixels(clip)]
        region = self._shared_region(outlines)
        if region is None:
            return
        rows, columns = _slices(region)
        inside = np.logical_and.reduce([_mask(each, region) for each in outlines])
        pixels = self.canvas.image[rows, columns]
        paint = _paint(pixels.shape, colour, fade_to)[inside]
        pixels[inside] = pixels[inside] * (1 - alpha) + paint * alpha
        if claim and alpha >= _OPAQUE:
            self.canvas.owners[rows, columns][inside] = self.owner

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
        points = self.pixels(path)
        if len(points) < 2:
            return
        points = join(points, points[:1]) if closed else points
        widths = _brush(points, width * self.weight * self.scale, swell if closed else 0, taper)
        paint = rgb(self.ink if colour is None else colour)
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
        inside = _mask(border, region)
        view[inside] = drawn[inside]

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
        self.line(path, width, outline, closed=True)

    def tube(self, path: ArrayLike, width: float, colour: Colour, rim: float = 0.06) -> None:
        """Draw a rubber hose with inked rims: an arm, a leg, a tail.  It claims its pixels."""
        self.line(path, width / self.weight + 2 * rim)
        self.line(path, width / self.weight, colour)
        points = self.pixels(path)
        across = (width + 2 * rim * self.weight) * self.scale
        _stroke(self.canvas.owners, points, _brush(points, across, 0, False), self.owner)

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


def _fixed(points: Path) -> NDArray[np.int32]:
    return np.round(points * (1 << _FRACTION_BITS)).astype(np.int32)


def _slices(region: Region) -> tuple[slice, slice]:
    x1, y1, x2, y2 = region
    return slice(y1, y2), slice(x1, x2)


def _mask(outline: Path, region: Region) -> NDArray[np.bool_]:
    x1, y1, x2, y2 = region
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    cv2.fillPoly(mask, [_fixed(outline - (x1, y1))], 1, cv2.LINE_8, _FRACTION_BITS)
    return mask.astype(bool)


def _paint(shape: tuple[int, ...], colour: Colour, fade_to: Colour | None) -> NDArray[np.float64]:
    top, bottom = np.array(rgb(colour), float), np.array(rgb(fade_to or colour), float)
    share = np.linspace(0, 1, shape[0])[:, None, None]
    return np.broadcast_to(top * (1 - share) + bottom * share, shape)


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
