"""What to do next, from the figures: pure values, no files."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facetl.evaluation.diagnosis import FaceGroup, Mistake
from facetl.evaluation.scoring import Evaluation
from facetl.mtcnn.weights import PRETRAINED
from facetl.reporting import plural

_WORTH_MENDING = 0.005
"""Average precision below which a kind of mistake is not worth a word."""
GOOD = 0.9
"""Average precision from which a detector is refined rather than retrained."""


@dataclass(frozen=True)
class _Advice:
    """A sentence or two, and the command that follows from them; none if there is none."""

    text: str
    command: str | None = None


def advise(evaluations: Sequence[Evaluation]) -> list[_Advice]:
    """Return what to do about the best of the runs, the most worthwhile first; never nothing."""
    known = [each for each in evaluations if not math.isnan(each.metrics.ap["0.3"])]
    if not known:
        return [
            _Advice("There are no faces to find, so nothing can be said: annotate some frames.")
        ]
    best = max(known, key=lambda each: each.metrics.ap["0.3"])
    found = [*_about_training(best), *_about_mistakes(best), *_about_groups(best)]
    return found or [
        _Advice(
            f"Nothing stands out: {best.name} is at AP {best.metrics.ap['0.3']:.4f}. Choose its "
            "thresholds for your aim, then let it search your own footage.",
            _command("tune", "DATA", "--weights", _weights(best), "--out", "tuned.safetensors"),
        )
    ]


def _about_training(best: Evaluation) -> Iterator[_Advice]:
    ap = best.metrics.ap["0.3"]
    if ap >= GOOD:
        return
    if best.settings.get("weights") == PRETRAINED:
        yield _Advice(
            f"The pretrained detector is the best here, at AP {ap:.3f}. A hundred annotated frames "
            "and a few minutes of training usually change that.",
            _command("train", "DATA", "--out", "cascade.safetensors"),
        )
    else:
        yield _Advice(
            f"{best.name} is at AP {ap:.3f}. More annotated frames help most; the ones that the "
            "detector is least sure about first.",
            _command("frames", "VIDEO", "--weights", _weights(best), "--out", "to_annotate"),
        )


def _about_mistakes(best: Evaluation) -> Iterator[_Advice]:
    """Yield a piece of advice for each kind of mistake that costs something, the dearest first."""
    usual = best.diagnosis.usual
    for mistake, lost in sorted(usual.lost.items(), key=lambda each: -_number(each[1])):
        if _number(lost) >= _WORTH_MENDING:
            yield _MENDING[mistake](best, usual.counts[mistake], lost)


def _mend_missed(best: Evaluation, count: int, lost: float) -> _Advice:
    small = best.diagnosis.recall_by_size[0] if best.diagnosis.recall_by_size else None
    what = f"{plural(count, 'face')} missed cost {lost:.3f} of AP."
    if small and _is_worse(small, best.metrics.best.recall):
        return _Advice(
            f"{what} The smallest ones ({small.name} pixels) are found least: look for smaller "
            "faces.",
            _command(
                *("detect", "FRAMES", "--weights", _weights(best)),
                *("--min-face", f"{_min_face(best) * 0.7:.0f}", "--out", "smaller"),
            ),
        )
    return _Advice(
        f"{what} Look at them (filter: misses) and annotate more frames of their kind.",
        _command("frames", "VIDEO", "--weights", _weights(best), "--out", "to_annotate"),
    )


def _mend_background(best: Evaluation, count: int, lost: float) -> _Advice:
    return _Advice(
        f"{plural(count, 'false alarm')} on the background cost {lost:.3f} of AP. Train on "
        "frames that show such things, also without faces: the cascade mines its hard negatives "
        "there.",
        _command("train", "DATA", "--start", _weights(best), "--out", "cascade.safetensors"),
    )


def _mend_localisation(best: Evaluation, count: int, lost: float) -> _Advice:
    what = f"{plural(count, 'box', 'boxes')} near faces but too far off cost {lost:.3f} of AP."
    if best.settings.get("voting"):
        return _Advice(
            f"{what} Look whether the annotated boxes are drawn alike; a longer training of ONet "
            "places boxes better.",
            _command("train", "DATA", "--out", "cascade.safetensors", "--epochs", "20", "8", "20"),
        )
    return _Advice(
        f"{what} Boxes that vote lie better, and so do those of a retrained ONet.",
        _command(
            *("detect", "FRAMES", "--weights", _weights(best), "--voting", "--out", "voting"),
        ),
    )


def _mend_duplicates(best: Evaluation, count: int, lost: float) -> _Advice:
    return _Advice(
        f"{plural(count, 'second box', 'second boxes')} of faces that were found cost "
        f"{lost:.3f} of AP. Let facetl choose the thresholds.",
        _command("tune", "DATA", "--weights", _weights(best), "--out", "tuned.safetensors"),
    )


_MENDING = {
    Mistake.MISSED: _mend_missed,
    Mistake.BACKGROUND: _mend_background,
    Mistake.LOCALISATION: _mend_localisation,
    Mistake.DUPLICATE: _mend_duplicates,
}


def _about_groups(best: Evaluation) -> Iterator[_Advice]:
    """Yield a word about characters that are found less often than chance would have it."""
    recall = best.metrics.best.recall
    groups = [each for each in best.diagnosis.recall_by_label if _is_worse(each, recall)]
    for group in sorted(groups, key=lambda each: each.recall)[:3]:
        yield _Advice(
            f"{group.name} is found less often than the others: {group.found} of "
            f"{plural(group.faces, 'face')}. Annotate more frames with {group.name}."
        )


def _is_worse(group: FaceGroup, recall: float) -> bool:
    """Return whether a group's recall lies below, with its whole interval."""
    return group.interval.high < recall


def _min_face(run: Evaluation) -> float:
    match run.settings.get("min_face"):
        case int() | float() as side:
            return float(side)
        case _:
            return 20.0


def _weights(run: Evaluation) -> str:
    return str(run.settings.get("weights", "FILE"))


def _command(*words: str) -> str:
    return shlex.join(["facetl", *words])


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else value
