"""Links of the built site that lead nowhere, and files that it would load from the network."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"link", "script", "img", "source", "iframe", "video"}
LOADED_FROM = {"href", "src"}


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it.

    Attributes:
        anchors: the ids of its elements.
        links: the tag and the address of each link and of each file that is loaded.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the ids and the links of an element."""
        for name, value in attrs:
            if name in {"id", "name"} and value:
                self.anchors.add(value)
            elif name in LOADED_FROM and value:
                self.links.append((tag, value))


def broken(site: Path) -> Iterator[str]:
    """Yield a line for each link of a site that is broken.

    Links to other sites are not followed; a file that a page loads from one counts as broken.

    Args:
        site: folder of HTML files.
    """
    pages = {
        path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
    }
    for path, page in sorted(pages.items()):
        for tag, link in page.links:
            if fault := _fault(path, tag, link, pages):
                yield f"{path.relative_to(site.resolve())}: {link} {fault}"


def _fault(page: Path, tag: str, link: str, pages: dict[Path, Page]) -> str:
    """Return what is wrong with a link, or nothing."""
    address = urlsplit(link)
    if address.scheme == "data":
        return ""
    if address.scheme or address.netloc:
        return "is loaded from the network" if tag in LOADED else ""
    target = (page.parent / unquote(address.path)).resolve() if address.path else page
    if not target.is_file():
        return "does not exist"
    if (
        address.fragment
        and target in pages
        and unquote(address.fragment) not in pages[target].anchors
    ):
        return "has no such anchor"
    return ""
