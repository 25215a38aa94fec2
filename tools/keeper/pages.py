"""Read the few pages of a website that tell what a clinic does, politely, and keep them."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import httpx
from lxml import etree, html

from ketafind import Clinic

AGENT = "ketafind-keeper/0.1 (checks public facts of listed clinics)"
LIKELY = re.compile(
    r"contact|about|propos|service|faq|treat|traitement|ketamine|k%C3%A9tamine|kétamine|spravato"
    r"|team|equipe|équipe|fees|pricing|tarif|location|referral",
    re.IGNORECASE,
)
N_PAGES = 6
MAX_BYTES = 2_000_000
TIMEOUT_S = 20.0
PAUSE_S = 1.0


@dataclass(frozen=True)
class Page:
    """One page as it was read."""

    url: str
    read_on: str
    sha256: str

    def body(self, archive: Path) -> bytes:
        """What it said."""
        return (archive / f"{self.sha256}.html").read_bytes()


def archived(archive: Path, clinic_id: str) -> list[Page]:
    """The pages kept of a clinic, as last read."""
    index = archive / f"{clinic_id}.json"
    return [Page(**one) for one in json.loads(index.read_text("utf-8"))] if index.exists() else []


class Fetcher:
    """Reads one page a second and site, where robots.txt allows it."""

    def __init__(self, archive: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self.archive = archive
        self.sleep = sleep
        self.client = httpx.Client(
            headers={"User-Agent": AGENT}, timeout=TIMEOUT_S, follow_redirects=False
        )

    def clinic(self, clinic: Clinic) -> Iterator[str]:
        """Keep the likely pages of a clinic; yields a line for each that was or was not read."""
        start = clinic.website
        if not start:
            yield f"{clinic.clinic_id}: no website is known"
            return
        rules = self._rules(start)
        waiting, seen, kept = [start], {start}, []
        while waiting and len(kept) < N_PAGES:
            url = waiting.pop(0)
            if not rules.can_fetch(AGENT, url):
                yield f"{clinic.clinic_id}: {url}: robots.txt asks not to"
                continue
            try:
                body, url = self._read(url, urlsplit(start).netloc)
            except (httpx.HTTPError, ValueError) as error:
                yield f"{clinic.clinic_id}: {url}: {error}"
                continue
            name = hashlib.sha256(body).hexdigest()
            self.archive.mkdir(parents=True, exist_ok=True)
            (self.archive / f"{name}.html").write_bytes(body)
            kept.append(Page(url, date.today().isoformat(), name))  # noqa: DTZ011
            yield f"{clinic.clinic_id}: {url}: kept"
            for link in _links(body, url):
                if link not in seen:
                    seen.add(link)
                    waiting.append(link)
        if kept:
            index = json.dumps([asdict(page) for page in kept], indent=1)
            (self.archive / f"{clinic.clinic_id}.json").write_text(f"{index}\n", "utf-8")

    def _rules(self, start: str) -> RobotFileParser:
        rules = RobotFileParser()
        try:
            body, _ = self._read(urljoin(start, "/robots.txt"), urlsplit(start).netloc, plain=True)
            rules.parse(body.decode("utf-8", "replace").splitlines())
        except httpx.HTTPStatusError as error:
            # No such file allows everything; a server that fails says nothing, so nothing is read.
            rules.allow_all = error.response.is_client_error
            rules.disallow_all = not rules.allow_all
        except (httpx.HTTPError, ValueError):
            rules.disallow_all = True
        return rules

    def _read(self, url: str, host: str, *, plain: bool = False) -> tuple[bytes, str]:
        """One page, and where it was found; redirects are followed within the site only."""
        for _ in range(5):
            self.sleep(PAUSE_S)
            if urlsplit(url).netloc.removeprefix("www.") != host.removeprefix("www."):
                raise ValueError("it leads to another site")
            deadline = time.monotonic() + TIMEOUT_S
            with self.client.stream("GET", url) as reply:
                if reply.is_redirect:
                    url = urljoin(url, reply.headers["location"])
                    continue
                reply.raise_for_status()
                kind = reply.headers.get("content-type", "")
                if not plain and "html" not in kind:
                    raise ValueError("it is no web page")
                body = b""
                for part in reply.iter_bytes():
                    body += part
                    if len(body) > MAX_BYTES or time.monotonic() > deadline:
                        raise ValueError("it is too large or too slow")
                return body, url
        raise ValueError("it redirects in a circle")


def _links(body: bytes, url: str) -> list[str]:
    """The likely pages of the same site that a page links to."""
    try:
        tree = html.fromstring(body)
    except (etree.ParserError, ValueError):
        return []
    found = []
    for element in tree.iter("a"):
        link = urljoin(url, element.get("href") or "").partition("#")[0]
        same = urlsplit(link).netloc == urlsplit(url).netloc
        if same and LIKELY.search(f"{urlsplit(link).path} {element.text_content()}"):
            found.append(link)
    return list(dict.fromkeys(found))
