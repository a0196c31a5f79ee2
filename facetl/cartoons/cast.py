"""Model sheets: the shapes of heads, the moods, and the regulars of the cartoon."""

from __future__ import annotations

from dataclasses import dataclass

from facetl.cartoons.colours import INK, Colour

# The right half of each head from top to bottom; half its height is about 1.
# fmt: off
HEADS: dict[str, list[tuple[float, float]]] = {
    "egg": [(0, -1), (0.5, -0.87), (0.8, -0.3), (0.74, 0.4), (0.42, 0.88), (0, 1)],
    "bean": [(0, -0.86), (0.75, -0.78), (1.12, -0.1), (1, 0.5), (0.5, 0.84), (0, 0.88)],
    "pear": [(0, -1), (0.42, -0.86), (0.56, -0.3), (0.9, 0.35), (0.82, 0.82), (0.4, 1), (0, 1.02)],
    "long": [(0, -1.1), (0.42, -1), (0.52, -0.4), (0.46, 0.5), (0.3, 1.02), (0, 1.14)],
    "wedge": [(0, -0.92), (0.62, -0.88), (1, -0.5), (0.78, 0.3), (0.3, 0.92), (0, 1.02)],
    "jaw": [
        (0, -0.95), (0.48, -0.88), (0.62, -0.2), (0.86, 0.35), (0.8, 0.88), (0.35, 1), (0, 1),
    ],
    "squash": [(0, -0.66), (0.8, -0.6), (1.28, -0.05), (1.1, 0.5), (0.55, 0.72), (0, 0.74)],
    "bulb": [
        (0, -1.02), (0.7, -0.86), (0.98, -0.3), (0.72, 0.25), (0.46, 0.7), (0.3, 0.96), (0, 1.04),
    ],
    "round": [(0, -0.92), (0.66, -0.68), (0.94, 0), (0.68, 0.7), (0, 0.94)],
    "box": [
        (0, -0.86), (0.68, -0.86), (0.8, -0.7), (0.82, 0), (0.8, 0.72), (0.66, 0.88), (0, 0.9),
    ],
    "drop": [(0, -1.08), (0.34, -0.8), (0.74, -0.05), (0.86, 0.5), (0.56, 0.92), (0, 1)],
}
# fmt: on


@dataclass(frozen=True)
class Character:
    """What stays the same about somebody in every frame; the rest is drawn afresh.

    Names are those of the registries: ``hair`` in hair.py, ``hat`` in hats.py, ``eyes`` in
    eyes.py, ``nose`` in noses.py, ``head`` in ``HEADS``.
    """

    head: str
    skin: Colour
    hair: str
    hair_colour: Colour
    eyes: str
    nose: str
    top: Colour
    kid: bool = False
    hat: str | None = None
    spectacles: Colour = INK
    tie: Colour | None = None
    skirt: bool = False
    freckles: bool = False
    blush: bool = False
    moustache: bool = False
    beard: bool = False
    stubble: bool = False
    lipstick: bool = False

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise ValueError(f"no head {self.head!r}; there are {', '.join(HEADS)}")


CAST: dict[str, Character] = {
    "juno": Character(
        head="wedge",
        skin="#f8d0aa",
        hair="spikes",
        hair_colour="#3da88f",
        eyes="goggles",
        spectacles="#e4572e",
        nose="button",
        top="#f3a712",
        kid=True,
    ),
    "mabel": Character(
        head="bean",
        skin="#bd7f52",
        hair="puffs",
        hair_colour="#2b2433",
        eyes="big",
        nose="button",
        top="#d1495b",
        kid=True,
        hat="band",
        freckles=True,
        skirt=True,
    ),
    "otis": Character(
        head="long",
        skin="#fce6d4",
        hair="tufts",
        hair_colour="#868894",
        eyes="square",
        nose="hook",
        top="#669bbc",
        tie="#d1495b",
        moustache=True,
    ),
    "nana": Character(
        head="pear",
        skin="#f4aa9c",
        hair="bun",
        hair_colour="#ece7df",
        eyes="cat",
        spectacles="#7b4b94",
        nose="ball",
        top="#7b4b94",
        lipstick=True,
        skirt=True,
    ),
    "gus": Character(
        head="jaw",
        skin="#dea274",
        hair="flat",
        hair_colour="#5f3823",
        eyes="dots",
        nose="long",
        top="#00798c",
        hat="cap",
        stubble=True,
    ),
}
"""The regulars; whoever is not among them is labelled "unknown"."""


@dataclass(frozen=True)
class Mood:
    """How a face is pulled.

    ``brow_tilt`` is positive for angry brows, ``brow_lift`` for raised ones; ``lid`` is the
    share of the eye that the lid covers; ``closed`` names the line that replaces the eye;
    ``strong_brows`` show even above goggles.
    """

    mouths: tuple[str, ...]
    brow_tilt: float
    brow_lift: float
    lid: float = 0.0
    closed: str | None = None
    pupil: float = 1.0
    strong_brows: bool = False
    sweats: bool = False


MOODS: dict[str, Mood] = {
    "happy": Mood(("smile", "laugh", "grin", "smirk"), -0.05, 0.05),
    "glee": Mood(("laugh", "grin", "tongue"), -0.1, 0.15, closed="arc"),
    "angry": Mood(
        ("gritted", "frown", "shout"), 0.5, -0.12, lid=0.28, pupil=0.8, strong_brows=True
    ),
    "sad": Mood(("frown", "wavy"), -0.45, 0.08, lid=0.2),
    "shock": Mood(("o", "shout", "gritted"), -0.2, 0.3, pupil=0.45, strong_brows=True, sweats=True),
    "bored": Mood(("flat", "smirk", "frown"), 0, -0.05, lid=0.5),
    "pain": Mood(("gritted", "wavy", "shout"), 0.4, -0.1, closed="squeeze", sweats=True),
    "talk": Mood(("talk", "o", "smile"), -0.05, 0.1, lid=0.1),
    "asleep": Mood(("o", "flat", "smile"), -0.1, 0.05, lid=1, closed="shut"),
}
