"""What holds a network near the weights it started from, each kind in a file of this folder.

With w the weights of convolutions and dense layers (never biases, slopes of PReLU or
normalisation), w⁰ those of the start, S the part that is shared with it and S̄ the part that is
new (reset layers):

================  =========================================================================
``l2``            α/2 ‖w‖²
``l2-sp``         α/2 ‖w_S − w⁰_S‖² + β/2 ‖w_S̄‖²  (Li, Grandvalet and Davoine 2018, eq. 2)
``l2-sp-fisher``  α/2 Σ_j F_jj (w_j − w⁰_j)², F the Fisher information at the start  (the same)
``feature-map``   α/n Σ_j Σ_i ‖F_j(w, x_i) − F_j(w⁰, x_i)‖²  (knowledge distillation)
``delta``         the same with a weight for each channel (Li, Xiong, et al. 2019)
================  =========================================================================

The file of ``NAME`` is ``NAME.py``, with underscores for hyphens, and registers its class under
the name.  It is imported when its regulariser is asked for, so that the names alone need no torch.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from facetl.registry import Registry

if TYPE_CHECKING:
    from facetl.training.penalties import Regulariser

NONE = "none"
REGULARISERS: Registry[type[Regulariser]] = Registry()
"""Those that are imported so far."""

_SHOWN_FIRST = (NONE, "l2", "l2-sp", "l2-sp-fisher", "feature-map", "delta")
"""The order in which people are shown what they can choose; others come after these."""


def regulariser_names() -> tuple[str, ...]:
    """Return the names of all regularisers that have a file, and of none."""
    found = {module.name.replace("_", "-") for module in iter_modules(__path__)}
    shown = [name for name in _SHOWN_FIRST if name == NONE or name in found]
    return (*shown, *sorted(found.difference(shown)))


def find_regulariser(name: str) -> type[Regulariser] | None:
    """Return the class of a regulariser, importing it if need be; that of ``none`` is None."""
    if name == NONE:
        return None
    import_module(f"{__name__}.{name.replace('-', '_')}")
    return REGULARISERS[name]
