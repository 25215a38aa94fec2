"""Faults of the built site: site_check.py FOLDER. It asks no other host, and links lead somewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself; a link to another machine waits for a click.
FETCHED = {"audio", "embed", "iframe", "img", "input", "link", "script", "source", "track", "video"}
NOT_FETCHED = {"canonical", "next", "prev", "author", "search", "index"}
OUTSIDE = re.compile(r"(?i)^\s*(?:https?:)?//")
IN_CSS = re.compile(r"(?:url\(|@import\s+)\s*['\"]?((?:https?:)?//[^'\")\s]+)")


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.links: list[str] = []
        self.loaded: list[str] = []
        text = path.read_text("utf-8")
        self.feed(text)
        self.loaded += IN_CSS.findall(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given.get("id", ""), given.get("name", "")}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in FETCHED and not NOT_FETCHED & set(given.get("rel", "").split()):
            self.loaded += [given[name] for name in ("src", "href", "poster") if name in given]
            self.loaded += [part.split()[0] for part in given.get("srcset", "").split(",") if part]


@cache
def page(path: Path) -> Page:
    """A page, read once."""
    return Page(path)


def faults(root: Path) -> Iterator[str]:
    """What is loaded from elsewhere, and links inside the site that lead nowhere."""
    for style in root.rglob("*.css"):
        for target in IN_CSS.findall(style.read_text("utf-8")):
            yield f"{style.relative_to(root)}: loads {target}"
    for path in sorted(root.rglob("*.html")):
        name, here = path.relative_to(root), page(path)
        for target in here.loaded:
            if OUTSIDE.match(target):
                yield f"{name}: loads {target}"
        for link in [*here.links, *(one for one in here.loaded if not OUTSIDE.match(one))]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{name}: {link} is not there"
            elif (
                target.suffix == ".html"
                and unquote(parts.fragment) not in page(target).anchors
                # Sphinx's way back from a source to names that the reference gives otherwise.
                and name.parts[0] != "_modules"
            ):
                yield f"{name}: {link} has no such anchor"


def main(folder: str) -> int:
    """Print the faults; 1 if there is one, or no page."""
    root = Path(folder).resolve()
    found = list(faults(root))
    print("\n".join(found) or f"{len(list(root.rglob('*.html')))} pages hold together, offline")
    searched = (root / "searchindex.js").is_file()
    return 1 if found or not searched else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
