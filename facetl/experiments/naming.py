"""How methods of transfer are called, by what they have otherwise than plain fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator

from facetl.training.transfer import Transfer

PLAIN = Transfer()
"""Plain fine-tuning: everything learns, nothing is held."""


def slug(method: Transfer) -> str:
    """Return a short name of a method, fit for a file: what it has otherwise than plain tuning."""
    words = [method.strategy, *(f"{short}{value}" for short, value in _details(method))]
    return "-".join(word.replace(" ", "").replace(",", "+") for word in words)


def describe_method(method: Transfer) -> str:
    """Return a short name of a method for people: ``head``, ``l2-sp α 0.1, dtnh``."""
    if method == PLAIN:
        return "plain fine-tuning"
    details = dict(_details(method))
    parts: list[str] = [] if method.strategy == "full" else [method.strategy]
    if method.reset_head:
        parts.append("new head")
    if method.holds:
        beta = f" β {details['b']}" if "b" in details else ""
        parts.append(f"{method.regulariser} α {details['a']}{beta}")
    parts += [f"{_WORDS[short]} {value}" for short, value in details.items() if short in _WORDS]
    if method.gradient_rule != "sum":
        parts.append(method.gradient_rule)
    return ", ".join(parts)


_WORDS = {"d": "decay", "layers": "on", "epochs": "epochs", "rates": "rates"}


def _details(method: Transfer) -> Iterator[tuple[str, str]]:
    """Yield what tells methods apart, with a short name each."""
    if method.reset_head:
        yield "newhead", ""
    if method.holds:
        yield "", method.regulariser
        yield "a", f"{method.alpha:.12g}"
        if method.regulariser == "l2-sp" and method.reset_head:
            yield "b", f"{method.beta:.12g}"
        if method.decay != 1:
            yield "d", f"{method.decay:.12g}"
        if method.feature_layers:
            yield "layers", "+".join(method.feature_layers)
        if method.gradient_rule != "sum":
            yield "", method.gradient_rule
    if method.strategy == "gradual":
        if method.phase_epochs != PLAIN.phase_epochs:
            yield "epochs", "+".join(map(str, method.phase_epochs))
        if method.phase_rates != PLAIN.phase_rates:
            yield "rates", "+".join(f"{rate:.12g}" for rate in method.phase_rates)
