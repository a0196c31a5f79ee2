"""A person who annotates on the page, by keys and drags, and knows the true boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from playwright.sync_api import Page

from facetl.boxes import Boxes, as_boxes, iou

Truth = Callable[[str], Boxes]
"""Returns the (N, 4) true boxes of a frame, by its name."""


@dataclass
class KeyedAnnotator:
    """Corrects what the page suggests, and counts what that takes.

    Attributes:
        page: the page.
        truth: what is right.
        tolerance: IoU from which a box is good enough to be left as it is.
        drags: whether boxes are drawn by the mouse, or by keys alone.
        taken: key presses by key, and drags.
    """

    page: Page
    truth: Truth
    tolerance: float = 0.6
    drags: bool = True
    taken: Counter[str] = field(default_factory=Counter)

    @property
    def actions(self) -> int:
        """How many keys were pressed and drags done."""
        return self.taken.total()

    def state(self) -> dict[str, Any]:
        """Return what the server knows, once all changes have arrived there."""
        asked = "import('/page/state.js').then((own) => own.pollJob()).then(() => fetch('state'))"
        state: dict[str, Any] = self.page.evaluate(f"{asked}.then((answer) => answer.json())")
        return state

    def current(self) -> int:
        """Return the number of the frame that is shown."""
        number: int = self.page.evaluate("import('/page/state.js').then((own) => own.S.at)")
        return number

    def press(self, key: str) -> None:
        """Press a key, and count it."""
        self.taken[key] += 1
        self.page.keyboard.press(key)

    def correct(self) -> int:
        """Correct the frame that is shown and go on to the next; return its number."""
        number = self.current()
        record = self.state()["frames"][str(number)]
        faces = self.truth(record["name"])
        lost = self._delete_wrong(faces)
        for face in lost:
            self._draw(face, record["size_hw"])
        self.press("Space" if len(faces) else "n")
        return number

    def _delete_wrong(self, faces: Boxes) -> Boxes:
        """Delete the boxes that fit no face; return the faces that no box fits."""
        while True:
            boxes = self._boxes()
            right, free = self._match(as_boxes([box["corners"] for box in boxes]), faces)
            wrong = [box["id"] for box, is_right in zip(boxes, right, strict=True) if not is_right]
            if not wrong or not len(faces):  # of a frame without faces N deletes all
                return faces[free]
            while self._chosen() not in wrong:
                self.press("Tab")
            self.press("x")

    def _match(self, boxes: Boxes, faces: Boxes) -> tuple[list[bool], list[bool]]:
        """Return which boxes fit a face of their own, and which faces are left."""
        free = np.ones(len(faces), bool)
        right = []
        for overlap in iou(boxes, faces):
            best = int(np.where(free, overlap, -1).argmax()) if free.any() else -1
            right.append(best >= 0 and overlap[best] >= self.tolerance)
            if right[-1]:
                free[best] = False
        return right, list(free)

    def _draw(self, face: Any, size_hw: tuple[int, int]) -> None:
        self.press("d")
        if self.drags:
            self.taken["drag"] += 1
            edges = self.page.locator("#boxes").bounding_box()
            assert edges is not None
            (height, width), mouse = size_hw, self.page.mouse
            xs = [edges["x"] + x / width * edges["width"] for x in (face[0], face[2])]
            ys = [edges["y"] + y / height * edges["height"] for y in (face[1], face[3])]
            mouse.move(xs[0], ys[0])
            mouse.down()
            mouse.move(xs[1], ys[1], steps=3)
            mouse.up()
        else:
            self.press("Enter")
            self._move_to(face)

    def _move_to(self, face: Any) -> None:
        """Move and size the selected box by keys until it fits; small ones go anywhere."""
        x1, y1 = self._selected()["corners"][:2]
        sized = [x1, y1, x1 + face[2] - face[0], y1 + face[3] - face[1]]
        for prefix, target in (
            *(("Shift+", sized), ("", face), ("Alt+", face)),
            *(("Shift+", face), ("Alt+Shift+", face)),
        ):
            for side, keys in enumerate((("Left", "Right"), ("Up", "Down"))):
                self._approach(prefix, keys, side + 2 * ("Shift" in prefix), target)

    def _approach(self, prefix: str, keys: tuple[str, str], place: int, target: Any) -> None:
        """Press one of two keys until a corner is where it shall be, or can go no further."""
        before = None
        while (corners := self._selected()["corners"]) != before:
            off = target[place] - corners[place]
            reach = max(corners[2] - corners[0], corners[3] - corners[1]) / 25
            if abs(off) <= (0.5 if prefix.startswith("Alt") else max(reach, 1)):
                return
            before = corners
            self.press(f"{prefix}Arrow{keys[int(off > 0)]}")

    def _boxes(self) -> list[dict[str, Any]]:
        boxes: list[dict[str, Any]] = self.page.evaluate(
            "import('/page/state.js').then((own) => own.frame().boxes)"
        )
        return boxes

    def _selected(self) -> dict[str, Any]:
        box: dict[str, Any] = self.page.evaluate(
            "import('/page/state.js').then((own) => own.chosen())"
        )
        return box

    def _chosen(self) -> int | None:
        number: int | None = self.page.evaluate(
            "import('/page/state.js').then((own) => own.S.chosen)"
        )
        return number
