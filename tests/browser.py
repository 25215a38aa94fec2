"""The pages that tests/test_browser.py opens in Chromium, and what it opens them with.

A page that is to be checked gets one line in `PAGES`: its name, what makes its HTML of a directory,
and, where there is more to see than what it opens with, what a reader does then. It is then held
against hostile text in every field, in light and dark, wide and narrow, and by the validators.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import geopandas as gpd

import ketafind as kf
from ketafind.records import Truth
from test_show_exports import HOSTILE

NODE = Path(os.environ.get("KETAFIND_NODE") or Path(__file__).with_name("node")) / "node_modules"
"""What `npm ci` installed, in tests/node or elsewhere."""
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HARMLESS = [f"harmless-{at:02}-words" for at in range(len(HOSTILE))]
ORIGIN = kf.Coordinates(lat=44.2, lon=-76.5)
NOTEBOOK = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Notebook</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; font: 14px sans-serif; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } }
</style></head>
<body><main><h1>Notebook</h1>{}</main></body></html>"""


class Sheet(NamedTuple):
    """A page to check."""

    make: Callable[[kf.Directory], str]
    act: Callable[[Any], None] | None = None
    """What a reader does with a page of Playwright's, after which it is looked at again."""


def in_notebook(show: Callable[[kf.Directory], Any]) -> Sheet:
    """What an object shows in a notebook."""
    return Sheet(lambda directory: NOTEBOOK.replace("{}", show(directory)._repr_html_()))


def everything(directory: kf.Directory) -> kf.Matches:
    """Every clinic that is open, from a place."""
    return directory.nearest(ORIGIN, len(directory), unknown="include", check=False)


def finder(directory: kf.Directory) -> str:
    """The page that finds clinics."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "finder.html")
        directory.to_html(path)
        return path.read_text(encoding="utf-8")


def ask_finder(page: Any) -> None:
    """Search from a place, and open all that is folded."""
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.fill("#place", "44.20, -76.50")
    page.select_option("#count", "50")
    page.click("button[type=submit]")
    page.wait_for_selector(".hit")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")


def changed(directory: kf.Directory) -> kf.Directory:
    """The same without its first clinic, and with another name and operator for every other."""
    clinics = [
        replace(one, name=f"{one.name} 2", operator=f"{one.operator} 2") if at % 2 else one
        for at, one in enumerate(directory.clinics[1:])
    ]
    return kf.Directory.from_clinics(clinics, vocabulary=directory.vocabulary, check=False)


def everything_explored(directory: kf.Directory) -> Any:
    return everything(directory).explore()


def areas(directory: kf.Directory) -> gpd.GeoDataFrame:
    """A square about each clinic that has a position."""
    held = directory.to_geodataframe()
    held = held[held.geometry.notna()]
    return held.set_geometry(held.geometry.to_crs(3347).buffer(5000, cap_style="square"))


def explored(page: Any) -> None:
    """Open the filters and two entries of the list, and choose a mark."""
    for script in (
        "[...document.querySelectorAll('summary')].slice(0, 3)",
        "[...document.querySelectorAll('.pin')].slice(0, 1)",
    ):
        page.frames[-1].evaluate(f"{script}.forEach(element => element.click())")


PAGES = {
    "finder": Sheet(finder, ask_finder),
    "explore": Sheet(lambda directory: directory.explore().page, explored),
    "explore matches": Sheet(
        lambda d: everything(d).explore(origin=ORIGIN, lang="fr", column="routes").page, explored
    ),
    "explore areas": Sheet(lambda d: kf.plots.explore(areas(d), column="city").page, explored),
    "explore hexagons": Sheet(
        lambda d: (
            kf.plots.explore(d.to_frame(), name="name", hexagon_km=5, title=d.clinics[0].name).page
        )
    ),
    "explore in a notebook": in_notebook(everything_explored)._replace(act=explored),
    "matches": in_notebook(everything),
    "matches in French": in_notebook(lambda directory: everything(directory).translated("fr")),
    "directory": in_notebook(lambda directory: directory),
    "explain": in_notebook(lambda directory: everything(directory).explain()),
    "explain a match": in_notebook(lambda directory: everything(directory)[0]),
    "questions": in_notebook(
        lambda directory: directory.search(routes="sc", unknown="only").questions(lang="fr")
    ),
    "why not": in_notebook(lambda d: d.nearest(ORIGIN, 1).why_not(d.clinics[-1].clinic_id)),
    "relax": in_notebook(lambda d: d.nearest(ORIGIN, 3, routes="sublingual").relax()),
    "changes": in_notebook(lambda directory: directory.diff(changed(directory))),
    "explain in French": in_notebook(lambda directory: everything(directory).explain(lang="fr")),
    "profile": in_notebook(lambda directory: directory.profile()),
    "validate": in_notebook(lambda directory: directory.validate()),
    "qualification": in_notebook(lambda d: d.qualification(d.clinics[0].clinic_id)),
}


def directory_of(texts: list[str]) -> kf.Directory:
    """A clinic for each text, which stands in every field that holds text, labels of terms too."""
    words = json.loads(json.dumps(kf.load_directory().vocabulary.to_dict()))
    for at, facet in enumerate(words["facets"]):
        facet["labels"] = dict.fromkeys(("en", "fr"), texts[at % len(texts)])
        for more, term in enumerate(facet["terms"], at):
            term["labels"] = dict.fromkeys(("en", "fr"), f"{more} {texts[more % len(texts)]}")
    routes = [term["id"] for term in words["facets"][0]["terms"]]
    # Numbered, so that they keep their order whatever the texts are.
    ids = [f"{at:02} {text}" for at, text in enumerate(texts)]
    # No address holds a space or what has no picture.
    linked = [at % 2 and text.isprintable() and " " not in text for at, text in enumerate(HOSTILE)]
    clinics = [
        kf.Clinic(
            clinic_id=ids[at],
            **dict.fromkeys(("name", "operator", "street_address", "city", "notes", "phone"), text),
            postal_code=text,
            province=text,
            website=f"https://clinic.example/?{text}" if linked[at] else "",
            services=(
                kf.Service(
                    service_id=text,
                    facts={"route": {routes[0]: Truth.YES, routes[1]: Truth.NO}},
                ),
            ),
            location=kf.Location(
                lat=44.2 + at * 0.05,
                lon=-76.5,
                precision="municipality" if at % 3 else "rooftop",
                radius_km=5.0 if at % 3 else 0.0,
                label=text,
                source=text,
            ),
            evidence=tuple(
                kf.Evidence(
                    clinic_id=ids[at],
                    service_id=None if facet == "name" else text,
                    facet=facet,
                    term=term,
                    truth=Truth.YES,
                    source_url=f"https://source.example/?{text}" if linked[at] else text,
                    source_class="clinic",
                    scope="site",
                    hint=text,
                )
                for facet, term in (("name", text), ("route", routes[0]))
            ),
            extra={text: text},
        )
        for at, text in enumerate(texts)
    ]
    return kf.Directory.from_clinics(
        clinics, vocabulary=kf.Vocabulary.from_dict(words), check=False
    )


@contextmanager
def opened(browser: Any, path: Path) -> Iterator[tuple[Any, list[str]]]:
    """A page in a window of its own, and all that it asks for or says, but the page itself."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="null")
    page = context.new_page()
    said: list[str] = []
    page.on("request", lambda r: r.url == path.as_uri() or said.append(f"request: {r.url}"))
    page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    try:
        page.goto(path.as_uri())
        # A page that is not whole at once says when it is.
        for frame in page.frames:
            if frame.query_selector("#map"):
                frame.wait_for_selector("html[data-ready]", state="attached")
        skeletons(page)
        yield page, said
    finally:
        context.close()


# Every element with the names of its attributes; what hostile text is not to change.
SKELETON = """() => [...document.querySelectorAll('*')].map(element => element.localName + ' '
  + [...element.attributes].map(attribute => attribute.name).sort().join(' '))"""


def skeletons(page: Any) -> list[list[str]]:
    """What elements a page and its frames are made of, once they change no more."""
    seen: list[list[str]] = []
    for _ in range(50):
        before, seen = seen, [frame.evaluate(SKELETON) for frame in page.frames]
        if seen == before:
            break
        page.wait_for_timeout(100)
    return seen


def text_of(page: Any) -> str:
    """All text of a page and its frames, seen or not."""
    return "\n".join(frame.evaluate("document.body.textContent") for frame in page.frames)


def axe(page: Any) -> list[str]:
    """What axe-core finds against WCAG 2.2 A and AA, in all frames."""
    source = (NODE / "axe-core/axe.min.js").read_text(encoding="utf-8")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
    found = []
    for frame in page.frames:
        frame.evaluate(source)
        result = frame.evaluate(
            """tags => axe.run(document, {
                runOnly: tags, iframes: false, resultTypes: ['violations'],
                rules: {'target-size': {enabled: true}},
            })""",
            tags,
        )
        found += [
            f"{rule['id']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]
    return found


def node(package: str, script: str, *arguments: str | Path, cwd: Path = NODE.parent) -> str:
    """Run a program of a package; nothing is printed where there is nothing to find."""
    done = subprocess.run(
        ["node", NODE / package / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    return done.stdout + done.stderr if done.returncode else ""
