"""Line art: ink on paper, without any paint."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from facetl.cartoons.colours import INK
from facetl.cartoons.look import Look
from facetl.cartoons.styles.effects import PRINT, VIDEO
from facetl.cartoons.styles.mixture import mixture
from facetl.cartoons.styles.palettes import DARK, PASTEL, one_of
from facetl.cartoons.styles.style import STYLES, Scenery, Style


@STYLES("lines")
def lines(rng: Random) -> Style:
    """Return any features of the mixture, drawn with a pen or a brush."""
    look = Look(
        line=rng.uniform(0.3, 1.1),
        paint="blank",
        paper=rng.choice(["#ffffff", "#fffbee", "#f3e7cf", PASTEL(rng)]),
        ink=rng.choice([INK, "#000000", DARK(rng)]),
        wobble=rng.choice([0, 0.5, 1.2]),
    )
    pale = ("#ffffff", "#f4efe0", "#d9d9d9")
    return replace(
        mixture(rng),
        skin=one_of(*pale),
        look=look,
        scenery=Scenery(),
        finishes=rng.choice([PRINT, VIDEO]),
        overlays={},
    )
