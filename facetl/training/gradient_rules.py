"""How two gradients become one direction: that of the loss, and that of the regulariser.

Pure functions of vectors, by the names of the rules.  Steps go against the direction, whatever
the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from facetl.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

GRADIENT_RULES: Registry[Callable[[Tensor, Tensor, float], Tensor]] = Registry()
"""From the gradients g of the loss and h of the regulariser, both (P,), and the strength λ of the
regulariser to the (P,) direction."""


@GRADIENT_RULES("sum")
def plain_sum(g: Tensor, h: Tensor, strength: float) -> Tensor:
    """Return g + λh, the gradient of the regularised loss."""
    return g + strength * h


@GRADIENT_RULES("dtnh")
def dtnh(g: Tensor, h: Tensor, strength: float) -> Tensor:
    """Return a direction in which the regulariser never works against the loss.

    If ⟨g, h⟩ ≥ 0 it is g + λh.  Else h is split into its part along g,
    h∥ = (⟨g, h⟩ / ‖g‖²) g, and the rest h⊥ = h − h∥, and the direction is g + λh⊥, so that
    ⟨direction, g⟩ = ‖g‖²: a small step lowers the loss as much as without the regulariser.

    Wan, Xiong, Li, Zhu and Huan, "Towards making deep transfer learning never hurt", ICDM 2019,
    section IV.

    Args:
        g: (P,) gradient of the empirical loss over all trained parameters.
        h: (P,) gradient of the regulariser over the same.
        strength: λ ≥ 0.
    """
    product, square = g.dot(h), g.dot(g)
    if product >= 0 or square == 0:
        return plain_sum(g, h, strength)
    return g + strength * (h - (product / square) * g)
