"""Take the picture of the report in README.md: the report on drawn frames, in a browser.

    python docs/report_picture.py docs/report.jpg

Takes Playwright and a Chromium (see tests/browser.py).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from facetl import load_image, save_image
from facetl.cli import main as facetl

PIXELS = {"width": 1180, "height": 1385}
QUALITY = 78


def main() -> None:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        report, picture = make_report(Path(scratch)), Path(scratch) / "report.png"
        photograph(report, picture)
        save_image(target, load_image(picture), quality=QUALITY)


def make_report(folder: Path) -> Path:
    """Draw frames, search them with both built-in weights and score them; return the report."""
    frames, results = str(folder / "drawn frames"), str(folder / "results")
    weights = ("--weights", "pretrained", "--weights", "cartoon")
    for command in (
        ["cartoons", frames, "--train", "2", "--test", "60", "--seed", "7"],
        ["detect", f"{frames}/validare", *weights, "--out", results],
        ["evaluate", results, "--truth", frames],
    ):
        facetl(command, standalone_mode=False)
    return folder / "results" / "report.html"


def photograph(report: Path, picture: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=PIXELS, reduced_motion="reduce")
        page.goto(report.as_uri())
        page.locator("#pictures summary").click()
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function("[...document.images].slice(0, 12).every((each) => each.complete)")
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
