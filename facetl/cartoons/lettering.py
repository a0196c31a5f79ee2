"""Letters and words, drawn as strokes of a brush."""

from __future__ import annotations

from random import Random

from facetl.cartoons.colours import Colour
from facetl.cartoons.paths import Path, as_path
from facetl.cartoons.pen import Pen

# Strokes on a grid that is 4 wide and 6 high; each pair of digits is x and y from the top left.
# fmt: off
GLYPHS = {
    "A": "062046 1434", "B": "060030414233 0333 3344453606", "C": "4130100105163645",
    "D": "06002042442606", "E": "40000646 0333", "F": "400006 0333", "G": "41301001051636454323",
    "H": "0006 4046 0343", "I": "2026", "J": "4045361605", "K": "0006 400346", "L": "000646",
    "M": "0600234046", "N": "06004640", "O": "103041453616050110", "P": "06003041423303",
    "Q": "103041453616050110 3446", "R": "06003041423303 2346", "S": "413010010213334445361605",
    "T": "0040 2026", "U": "000516364540", "V": "002640", "W": "0016233640", "X": "0046 4006",
    "Y": "002340 2326", "Z": "00400646", "0": "103041453616050110 4105", "1": "112026",
    "2": "01103041420646", "3": "004023444536 1605", "4": "36300444", "5": "400003334445361605",
    "6": "4130100105163645443303", "7": "004016", "8": "1333424130100102133344453616050413",
    "9": "4333130201103041453616", "!": "2024 2627", "?": "01103041422324 2627", "-": "1333",
    ".": "2526", ":": "2223 2526",
}
# fmt: on
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_ADVANCE = 1.9  # from one letter to the next; a letter is 4/3 wide and 2 high


def letter(pen: Pen, glyph: str, width: float, colour: Colour, rim: Colour | None = None) -> None:
    """Draw a letter around the origin, 2 high, with a brush of a width and perhaps a rim."""
    strokes = _strokes(glyph)
    if rim is not None:
        for stroke in strokes:
            pen.line(stroke, width * 1.6, rim)
    for stroke in strokes:
        pen.line(stroke, width, colour)


def write(pen: Pen, text: str, width: float, colour: Colour, rim: Colour | None = None) -> None:
    """Draw a line of text around the origin, 2 high; what has no glyph is left blank."""
    for i, glyph in enumerate(text):
        if glyph in GLYPHS:
            letter(pen.at(_ADVANCE * (i - (len(text) - 1) / 2)), glyph, width, colour, rim)


def length_of(text: str) -> float:
    """Return how long a text 2 high is."""
    return _ADVANCE * len(text)


def random_words(rng: Random, words: int) -> str:
    """Return made-up words."""
    return " ".join(_word(rng) for _ in range(words))


def _word(rng: Random) -> str:
    syllables = rng.randrange(1, 4)
    return "".join(rng.choice("BCDFGHKLMNPRSTVWZ") + rng.choice("AEIOUY") for _ in range(syllables))


def _strokes(glyph: str) -> list[Path]:
    return [_stroke(digits) for digits in GLYPHS[glyph].split()]


def _stroke(digits: str) -> Path:
    points = [(int(x), int(y)) for x, y in zip(digits[::2], digits[1::2], strict=True)]
    return (as_path(points) - (2, 3)) / 3
