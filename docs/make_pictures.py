"""Draw the pictures of docs/mtcnn.md: what ``facetl explain`` makes of a drawn frame.

    python docs/make_pictures.py docs

The frame comes from facetl's own cartoon; the pictures are saved as JPEG, to keep them small.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from facetl import draw_frame, load_image, save_image
from facetl.cli import main as facetl

FRAME = draw_frame(seed=1, part="test", index=16)
QUALITY = 74


def main() -> None:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        image, out = Path(scratch) / "frame.png", Path(scratch) / "explained"
        save_image(image, FRAME.image)
        facetl(["explain", str(image), "--out", str(out), "--score", "0"], standalone_mode=False)
        for drawn in sorted(out.glob("*.png")):
            save_image(target / f"mtcnn_{drawn.stem}.jpg", load_image(drawn), quality=QUALITY)


if __name__ == "__main__":
    main()
