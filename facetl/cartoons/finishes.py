"""Finishes: what film, print and video do to a whole picture; ``@finish("name")`` adds one.

A finish changes colours and sharpness; it neither moves nor covers faces, so that their boxes
stay exact.  What lies over the picture is in ``overlays.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facetl.cartoons.colours import any_colour, rgb
from facetl.registry import Registry

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

Finish = Callable[[Picture, Random], Picture]

finish: Registry[Finish] = Registry()
"""Functions from picture to picture; random only by the given generator."""


def apply_finishes(picture: Picture, chances: Mapping[str, float], rng: Random) -> Picture:
    """Return the picture with some finishes, each with a probability (0 to 1), in that order."""
    for name, chance in chances.items():
        if rng.random() < chance:
            picture = finish[name](picture, rng)
    return picture


# ---- colour


@finish("monochrome")
def _monochrome(picture: Picture, rng: Random) -> Picture:
    return _in_tones(picture, (0, 0, 0), (255, 255, 255))


@finish("sepia")
def _sepia(picture: Picture, rng: Random) -> Picture:
    return _in_tones(picture, (rng.randrange(20, 50), 24, 16), (252, rng.randrange(225, 245), 200))


@finish("two tones")
def _two_tones(picture: Picture, rng: Random) -> Picture:
    dark, light = any_colour(rng, value=(0, 0.35)), any_colour(rng, (0, 0.6), (0.8, 1))
    return _in_tones(picture, rgb(dark), rgb(light))


@finish("night")
def _night(picture: Picture, rng: Random) -> Picture:
    light = [rng.uniform(*limits) for limits in ((0.3, 0.6), (0.35, 0.65), (0.6, 1.0))]
    return _clipped(picture * np.array(light))


@finish("coloured light")
def _coloured_light(picture: Picture, rng: Random) -> Picture:
    """Light one side in one colour and the other in another."""
    one, other = (np.array(rgb(any_colour(rng, (0.3, 0.9), (0.8, 1)))) / 255 for _ in range(2))
    share = _slope(picture, rng)[:, :, None]
    return _clipped(picture * (one * (1 - share) + other * share) * rng.uniform(1, 1.4))


@finish("turned hues")
def _turned_hues(picture: Picture, rng: Random) -> Picture:
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0].astype(int) + rng.randrange(180)) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


@finish("faded")
def _faded(picture: Picture, rng: Random) -> Picture:
    """Take away contrast and some of the colour, as age does."""
    grey = picture.mean(2, keepdims=True)
    pale = picture + (grey - picture) * rng.uniform(0.1, 0.6)
    low, high = rng.uniform(0, 70), rng.uniform(190, 255)
    tint = np.array([rng.uniform(0.88, 1.06) for _ in range(3)])
    return _clipped((low + pale * (high - low) / 255) * tint)


@finish("exposure")
def _exposure(picture: Picture, rng: Random) -> Picture:
    levels = 255 * (np.arange(256) / 255) ** rng.uniform(0.5, 1.9)
    return np.asarray(cv2.LUT(picture, levels.astype(np.uint8)), np.uint8)


@finish("vivid")
def _vivid(picture: Picture, rng: Random) -> Picture:
    grey = picture.mean(2, keepdims=True)
    return _clipped(grey + (picture - grey) * rng.uniform(1.2, 2))


@finish("posterised")
def _posterised(picture: Picture, rng: Random) -> Picture:
    step = rng.choice([32, 43, 64, 85])
    return np.asarray(cv2.LUT(picture, _clipped(np.round(np.arange(256) / step) * step)), np.uint8)


@finish("vignette")
def _vignette(picture: Picture, rng: Random) -> Picture:
    x, y = _grid(picture, rng.uniform(-0.2, 0.2))
    light = 1 - rng.uniform(0.2, 0.6) * np.clip(x**2 + y**2, 0, 2) / 1.3
    return _clipped(picture * light[:, :, None])


# ---- print


@finish("halftone")
def _halftone(picture: Picture, rng: Random) -> Picture:
    """Print each ink as dots on a grid of its own angle."""
    period, share, first = rng.uniform(3, 6), rng.uniform(0.3, 0.85), rng.uniform(0, 90)
    dots = [(picture[:, :, i] > _screen(picture, period, first + 30 * i)) * 255 for i in range(3)]
    return _clipped(picture * (1 - share) + np.dstack(dots) * share)


@finish("dots")
def _dots(picture: Picture, rng: Random) -> Picture:
    """Print dots of a lighter or darker tone over everything, as in cheap comics."""
    screen = _screen(picture, rng.uniform(4, 8), rng.uniform(0, 90))
    inked = (screen > rng.uniform(140, 200))[:, :, None]
    return _clipped(np.where(inked, picture * rng.uniform(0.7, 0.92), picture))


@finish("dithered")
def _dithered(picture: Picture, rng: Random) -> Picture:
    """Reduce to few levels in an ordered pattern, as old computers did."""
    rank = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 - 0.5
    rows, columns = -(-picture.shape[0] // 4), -(-picture.shape[1] // 4)
    threshold = np.tile(rank, (rows, columns))[: picture.shape[0], : picture.shape[1], None]
    step = 255 / rng.choice([3, 4, 6])
    return _clipped(np.round(picture / step + threshold) * step)


@finish("hatched")
def _hatched(picture: Picture, rng: Random) -> Picture:
    """Hatch the shades."""
    angle, period = rng.uniform(0, 180), rng.uniform(3, 6)
    across = _along(_pixel_grid(picture), angle)
    shade = (picture.mean(2) < rng.uniform(70, 150)) & (across % period < period * 0.35)
    return _clipped(np.where(shade[:, :, None], picture * rng.uniform(0.2, 0.6), picture))


@finish("paper")
def _paper(picture: Picture, rng: Random) -> Picture:
    """Print on paper: a tint, and a surface of fibres and clouds."""
    tint = np.array([rng.uniform(0.9, 1), rng.uniform(0.86, 0.98), rng.uniform(0.72, 0.95)])
    clouds = _clouds(picture, rng, 24) * rng.uniform(0.02, 0.08)
    fibres = cv2.GaussianBlur(_noise(picture, rng), (0, 0), 1.2, sigmaY=0.5) * rng.uniform(0, 0.07)
    return _clipped(picture * tint * (1 + clouds + fibres)[:, :, None])


@finish("watercolour")
def _watercolour(picture: Picture, rng: Random) -> Picture:
    clouds = _clouds(picture, rng, 8) + _clouds(picture, rng, 40)
    return _clipped(picture * (1 + clouds * rng.uniform(0.03, 0.1))[:, :, None])


# ---- paint: most of all for what is behind people


@finish("sponged")
def _sponged(picture: Picture, rng: Random) -> Picture:
    """Dab lighter and darker paint on with a sponge, here more, there less."""
    painted = picture.astype(np.float32)
    for _ in range(rng.randrange(1, 4)):
        dabs = cv2.GaussianBlur(_noise(picture, rng), (0, 0), rng.uniform(0.8, 2))
        share = np.clip((dabs / dabs.std() + _clouds(picture, rng, 60) - 0.8) * 2, 0, 1)
        paint = rgb(any_colour(rng, (0, 0.6))) if rng.random() < 0.5 else picture * 0.6
        painted += (paint - painted) * share[:, :, None] * rng.uniform(0.15, 0.5)
    return _clipped(painted)


@finish("brushed")
def _brushed(picture: Picture, rng: Random) -> Picture:
    """Leave the marks of a dry brush, all in one direction."""
    trail = _trail(rng.randrange(11, 40), rng.choice([0, 90, rng.uniform(0, 180)]))
    strokes = cv2.filter2D(_noise(picture, rng), -1, trail)
    light = 1 + strokes / strokes.std() * rng.uniform(0.03, 0.1)
    return _clipped(picture * light[:, :, None])


@finish("blotched")
def _blotched(picture: Picture, rng: Random) -> Picture:
    """Let paint of another colour run into it, in blotches with hard edges."""
    blotches = _clouds(picture, rng, rng.uniform(10, 60)) > rng.uniform(0.2, 0.9)
    share = blotches[:, :, None] * rng.uniform(0.1, 0.4)
    return _clipped(picture * (1 - share) + np.array(rgb(any_colour(rng))) * share)


PAINTED: Mapping[str, float] = {
    "sponged": 0.35,
    "brushed": 0.25,
    "blotched": 0.25,
    "watercolour": 0.15,
    "vignette": 0.1,
}
"""For backgrounds painted by hand: the probability of each finish."""


# ---- film


@finish("grain")
def _grain(picture: Picture, rng: Random) -> Picture:
    grain = cv2.GaussianBlur(_noise(picture, rng), (0, 0), rng.uniform(0.4, 1.1))
    return _clipped(picture + grain[:, :, None] * rng.uniform(5, 26))


@finish("scratches")
def _scratches(picture: Picture, rng: Random) -> Picture:
    """Scratch the film and let dust and hairs fall on it."""
    worn = picture.copy()
    height, width = worn.shape[:2]
    for _ in range(rng.randrange(1, 6)):
        x, level = rng.randrange(width), rng.choice([20, 235])
        end = (x + rng.randrange(-4, 5), rng.randrange(height // 2, height))
        cv2.line(worn, (x, rng.randrange(-40, height // 2)), end, (level,) * 3, 1, cv2.LINE_AA)
    for _ in range(rng.randrange(4, 30)):
        spot = rng.randrange(width), rng.randrange(height)
        axes, level = (rng.randrange(1, 3), rng.randrange(1, 3)), rng.choice([15, 240])
        cv2.ellipse(worn, spot, axes, rng.randrange(180), 0, 360, (level,) * 3, -1, cv2.LINE_AA)
    for _ in range(rng.randrange(3)):
        x, y, size = rng.randrange(width), rng.randrange(height), rng.randrange(6, 24)
        cv2.ellipse(worn, (x, y), (size, size), 0, 10, 120, (25,) * 3, 1, cv2.LINE_AA)
    return worn


@finish("bloom")
def _bloom(picture: Picture, rng: Random) -> Picture:
    small = _resized(picture, 0.25, cv2.INTER_AREA)
    glow = cv2.GaussianBlur(np.maximum(small, 150) - 150, (0, 0), rng.uniform(1, 3))
    wide = cv2.resize(glow, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return _clipped(picture + wide * rng.uniform(0.5, 1.3))


@finish("light leak")
def _light_leak(picture: Picture, rng: Random) -> Picture:
    light = np.array(rgb(any_colour(rng, (0.2, 0.9), (0.9, 1))))
    share = np.clip(_slope(picture, rng) * 2 - 1.1, 0, 1)[:, :, None] * rng.uniform(0.3, 0.8)
    return _clipped(picture + light * share)


# ---- video


@finish("jpeg")
def _jpeg(picture: Picture, rng: Random) -> Picture:
    return _compressed(picture, rng.randrange(10, 60))


@finish("blocky")
def _blocky(picture: Picture, rng: Random) -> Picture:
    """Make it small, compress it hard and enlarge it again, as an old video does."""
    small = _resized(picture, rng.uniform(0.45, 0.8), cv2.INTER_AREA)
    return _back_to_size(_compressed(small, rng.randrange(15, 50)), picture, rng)


@finish("rescaled")
def _rescaled(picture: Picture, rng: Random) -> Picture:
    return _back_to_size(_resized(picture, rng.uniform(0.5, 0.9), cv2.INTER_AREA), picture, rng)


@finish("blurred")
def _blurred(picture: Picture, rng: Random) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)


@finish("motion blur")
def _motion_blur(picture: Picture, rng: Random) -> Picture:
    """Blur along a direction."""
    trail = _trail(rng.randrange(3, 6), rng.uniform(0, 180))
    return np.asarray(cv2.filter2D(picture, -1, trail), np.uint8)


@finish("sharpened")
def _sharpened(picture: Picture, rng: Random) -> Picture:
    soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 2)).astype(float)
    return _clipped(picture + (picture - soft) * rng.uniform(0.6, 2))


@finish("interlaced")
def _interlaced(picture: Picture, rng: Random) -> Picture:
    """Move every other line by a pixel or two and darken it."""
    torn = picture.copy()
    torn[1::2] = np.roll(picture[1::2], rng.choice([-2, -1, 1, 2]), axis=1)
    torn[1::2] = _clipped(torn[1::2] * rng.uniform(0.7, 1))
    return torn


@finish("chromatic shift")
def _chromatic_shift(picture: Picture, rng: Random) -> Picture:
    shifts = [(rng.randrange(-2, 3), rng.randrange(-2, 3)) for _ in range(3)]
    channels = [np.roll(picture[:, :, i], shift, (0, 1)) for i, shift in enumerate(shifts)]
    return np.dstack(channels)


@finish("bleeding colours")
def _bleeding_colours(picture: Picture, rng: Random) -> Picture:
    """Keep light sharp and let the colours run sideways, as video tapes do."""
    ycc = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    for channel in (1, 2):
        run = cv2.blur(ycc[:, :, channel], (rng.randrange(5, 17), 3))
        ycc[:, :, channel] = np.roll(run, rng.randrange(-2, 4), axis=1)
    return np.asarray(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB), np.uint8)


@finish("noise")
def _noise_of_colours(picture: Picture, rng: Random) -> Picture:
    speckles = np.dstack([_noise(picture, rng) for _ in range(3)])
    return _clipped(picture + speckles * rng.uniform(3, 16))


# ---- tools


def _clipped(levels: ArrayLike) -> Picture:
    """Return levels as whole numbers from 0 to 255, what lies beyond moved to the nearest."""
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def _in_tones(picture: Picture, dark: ArrayLike, light: ArrayLike) -> Picture:
    share = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), float)[:, :, None] / 255
    return _clipped(np.asarray(dark, float) * (1 - share) + np.asarray(light, float) * share)


def _pixel_grid(picture: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width = picture.shape[:2]
    return np.arange(width, dtype=float)[None, :], np.arange(height, dtype=float)[:, None]


def _grid(picture: Picture, shift: float = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = _pixel_grid(picture)
    return x / x.max() * 2 - 1 + shift, y / y.max() * 2 - 1 + shift


def _along(
    grid: tuple[NDArray[np.float64], NDArray[np.float64]], degrees: float
) -> NDArray[np.float64]:
    """Return how far each point of a grid lies in a direction."""
    x, y = grid
    angle = np.radians(degrees)
    return np.asarray(x * np.cos(angle) + y * np.sin(angle), float)


def _slope(picture: Picture, rng: Random) -> NDArray[np.float64]:
    """Return shares that rise from 0 on one side to 1 on the other."""
    across = _along(_grid(picture), rng.uniform(0, 360))
    return np.asarray((across - across.min()) / np.ptp(across), float)


def _screen(picture: Picture, period: float, angle: float) -> NDArray[np.float64]:
    """Return the thresholds of a screen of dots, 0 to 255."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = _pixel_grid(picture)
    waves = (np.sin(2 * np.pi * (x * cos + y * sin) / period)) * (
        np.sin(2 * np.pi * (y * cos - x * sin) / period)
    )
    return np.asarray(127.5 + 127.5 * waves, float)


def _noise(picture: Picture, rng: Random) -> NDArray[np.float32]:
    """Return independent numbers of mean 0 and deviation 1, one for each pixel."""
    return _normal_numbers(picture.shape[0], picture.shape[1], rng)


def _clouds(picture: Picture, rng: Random, size: float) -> NDArray[np.float32]:
    """Return smooth numbers around 0 that change over about so many pixels."""
    height, width = picture.shape[:2]
    coarse = _normal_numbers(int(height / size) + 2, int(width / size) + 2, rng)
    return np.asarray(
        cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32
    )


def _normal_numbers(rows: int, columns: int, rng: Random) -> NDArray[np.float32]:
    numbers = np.random.default_rng(rng.getrandbits(64))
    return numbers.standard_normal((rows, columns), np.float32)


def _trail(length: int, angle: float) -> NDArray[np.float32]:
    """Return the weights of the points along a line."""
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, angle, 1)
    line = np.asarray(cv2.warpAffine(line, turn, (length, length)), np.float32)
    return np.asarray(line / line.sum(), np.float32)


def _compressed(picture: Picture, quality: int) -> Picture:
    _, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1].copy()


def _resized(picture: Picture, factor: float, how: int) -> Picture:
    return np.asarray(cv2.resize(picture, None, None, factor, factor, how), np.uint8)


def _back_to_size(small: Picture, picture: Picture, rng: Random) -> Picture:
    how = rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST])
    height, width = picture.shape[:2]
    return np.asarray(cv2.resize(small, (width, height), interpolation=how), np.uint8)
