"""What people look at, in headless Chromium; `.ci/run browser` installs what these tests need."""

import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

import ketafind as kf
from browser import (
    CHROMIUM,
    HARMLESS,
    NODE,
    PAGES,
    axe,
    directory_of,
    node,
    opened,
    skeletons,
    text_of,
)
from ketafind.show.text import escaped
from test_show_exports import HOSTILE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(not NODE.is_dir(), reason="needs `npm ci` in tests/node"),
]
SHOW = Path(kf.__file__).with_name("show")


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every page, of the bundled directory, of hostile texts and of harmless ones."""
    folder = tmp_path_factory.mktemp("pages")
    directories = {
        "bundled": kf.load_directory(),
        "hostile": directory_of(HOSTILE),
        "harmless": directory_of(HARMLESS),
    }
    for name, sheet in PAGES.items():
        for kind, directory in directories.items():
            path = folder / f"{kind}-{name.replace(' ', '-')}.html"
            path.write_text(sheet.make(directory), encoding="utf-8")
    return folder


def path_of(written, kind, name):
    return written / f"{kind}-{name.replace(' ', '-')}.html"


def test_there_are_21_hostile_texts():
    assert len(set(HOSTILE)) == 21


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_is_shown_and_does_nothing(browser, written, name):
    """No script runs, no element is made, nothing is asked for; in every field at once."""
    seen = {}
    for kind in ("harmless", "hostile"):
        with opened(browser, path_of(written, kind, name)) as (page, said):
            before = text_of(page)
            if act := PAGES[name].act:
                act(page)
            page.mouse.move(300, 300)
            ran = [frame.evaluate("globalThis.PWNED") for frame in page.frames]
            seen[kind] = skeletons(page), text_of(page) + before
            assert ran == [None] * len(page.frames)
            assert said == []
    assert seen["hostile"][0] == seen["harmless"][0]
    shown = [
        [text for text in texts if escaped(text) in seen[kind][1]]
        for kind, texts in (("harmless", HARMLESS), ("hostile", HOSTILE))
    ]
    assert len(shown[0]) == len(shown[1]) > 0


@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_read_and_use_it(browser, written, name):
    """By axe-core, WCAG 2.2 A and AA, as it opens and in use; nothing lies beside the window."""
    with opened(browser, path_of(written, "bundled", name)) as (page, said):
        found = look(page)
        if act := PAGES[name].act:
            act(page)
            found += look(page)
        assert found == []
        assert said == []


def test_the_finder_is_searched_by_keyboard_and_switches_its_language(browser, written):
    with opened(browser, path_of(written, "bundled", "finder")) as (page, said):
        page.wait_for_selector("html[data-ready]", state="attached")
        page.focus("#place")
        page.keyboard.type("K7L 3N6")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "found-head"
        near = kf.load_directory().nearest("K7L 3N6", unknown="include")
        names = page.locator(".hit h3").all_inner_texts()
        assert names == [f"{match.rank}. {match.clinic.name}" for match in near]
        view = page.get_attribute("#map svg", "viewBox")
        page.focus("#map svg")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("+")
        assert page.get_attribute("#map svg", "viewBox") != view
        page.focus("#language")
        page.keyboard.press("Enter")
        assert page.evaluate("document.documentElement.lang") == "fr"
        assert "K7L 3N6, Kingston" in page.inner_text("#summary")
        assert page.inner_text("h1") == "Trouver une clinique"
        assert page.locator(".hit h3").all_inner_texts() == names
        page.focus("#more summary")
        page.keyboard.press("Enter")
        page.select_option("#unknown", "exclude")
        sure = kf.load_directory().nearest("K7L 3N6")
        assert page.locator(".hit h3").count() == len(sure)
        assert page.url.endswith(".html")
        assert said == []


def test_the_finder_asks_where_somebody_is_on_a_click_alone(browser, written):
    path = path_of(written, "bundled", "finder")
    with opened(browser, path) as (page, said):
        page.context.set_geolocation({"latitude": 44.2312, "longitude": -76.486, "accuracy": 50})
        page.add_init_script("navigator.geolocation.getCurrentPosition = () => { throw Error() }")
        page.reload()
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.is_hidden("#found")
        assert said == []
    with opened(browser, path) as (page, said):
        page.context.grant_permissions(["geolocation"])
        page.context.set_geolocation({"latitude": 44.2312, "longitude": -76.486, "accuracy": 50})
        page.wait_for_selector("html[data-ready]", state="attached")
        page.click("#locate")
        page.wait_for_selector(".hit")
        assert "Kingston" in page.inner_text("#hit-1")
        assert said == []


def look(page):
    """What is wrong with a page as it stands, in either theme, wide and narrow."""
    found = []
    for theme, width in product(("light", "dark"), (1200, 400)):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{theme}, {width}: {fault}" for fault in axe(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{theme}, {width}: {wide} pixels wide"] if wide > width else []
    return found


def test_the_pages_are_valid(written):
    """By html-validate and, where there is Java, the Nu checker."""
    pages = sorted(written.glob("*.html"))
    config = NODE.parent / "html-validate.json"
    assert node("html-validate", "bin/html-validate.mjs", "--config", config, *pages) == ""
    if java := shutil.which("java"):
        nu = [java, "-jar", NODE / "vnu-jar/build/dist/vnu.jar", "--errors-only", *pages]
        done = subprocess.run(nu, capture_output=True, text=True, check=False)
        assert done.stderr + done.stdout == ""


def test_the_scripts_are_linted():
    """No global by accident, nothing unused, and no text that could become markup or code."""
    own = [path for path in SHOW.glob("*.js") if not path.name.endswith(".min.js")]
    assert node("eslint", "bin/eslint.js", "--config", "eslint.config.mjs", *own) == ""
