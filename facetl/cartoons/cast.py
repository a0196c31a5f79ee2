"""Model sheets: the moods, and the regulars of the cartoon."""

from __future__ import annotations

from dataclasses import dataclass

from facetl.cartoons.colours import INK, Colour
from facetl.cartoons.heads import HEADS


@dataclass(frozen=True)
class Character:
    """What stays the same about somebody in every frame; the rest is drawn afresh.

    Names are those of the registries: ``hair`` in hair.py, ``hat`` in hats.py, ``eyes`` in
    eyes.py, ``nose`` in noses.py, ``head`` in heads.py, ``mask`` in masks.py.  ``jaw`` is the
    colour of a shaven chin, or, with ``muzzle``, of the bulge around the mouth.
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
    jaw: Colour | None = None
    muzzle: bool = False
    wrinkles: bool = False
    mask: str | None = None
    mask_colour: Colour = INK

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
