"""What people look at, in headless Chromium; `.ci/run browser` installs what these tests need."""

import re
import shutil
import subprocess
from difflib import unified_diff
from itertools import chain, product
from pathlib import Path

import numpy as np
import pytest

import ketafind as kf
from browser import (
    CHROMIUM,
    HARMLESS,
    NODE,
    PAGES,
    ask_finder,
    axe,
    directory_of,
    node,
    opened,
    skeletons,
    text_of,
)
from ketafind.show.map import explore_clinics
from ketafind.show.text import escaped
from test_show_exports import HOSTILE
from test_show_map import COLUMNS

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
        # Nothing moves: frames of their own process, too, are to look the same every time.
        options = ["--no-sandbox", "--force-prefers-reduced-motion"]
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=options)
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
            for frame in page.frames:
                frame.evaluate(
                    "document.querySelectorAll('details').forEach(d => { d.open = true; })"
                )
            ran = [frame.evaluate("globalThis.PWNED") for frame in page.frames]
            seen[kind] = skeletons(page), text_of(page) + before
            assert ran == [None] * len(page.frames)
            assert said == []
    pairs = zip(seen["harmless"][0], seen["hostile"][0], strict=True)
    changed = "\n".join(line for pair in pairs for line in unified_diff(*pair, n=1))
    assert not changed, changed
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


def test_what_the_finder_draws_is_whole_on_a_phone_and_names_towns(browser, written):
    with opened(browser, path_of(written, "bundled", "finder")) as (page, said):
        page.set_viewport_size({"width": 390, "height": 800})
        page.wait_for_selector("html[data-ready]", state="attached")
        page.click("#language")
        assert page.locator("#language").bounding_box()["height"] == 40
        page.fill("#place", "Kingston")
        page.keyboard.press("Enter")
        page.wait_for_selector(".mark")
        boxes = {
            kind: [one.bounding_box() for one in page.locator(f"#map {kind}").all()]
            for kind in (".mark rect", ".town", ".origin")
        }
        boxes["over"] = [page.locator(one).bounding_box() for one in ("#tools", "#scale")]
        assert all(box["width"] >= box["height"] - 1 for box in boxes[".mark rect"])
        assert {"Kingston", "Ottawa"} <= set(page.locator("#map .town").all_text_contents())
        left, top, right, bottom = np.array(
            [
                [at["x"], at["y"], at["x"] + at["width"], at["y"] + at["height"]]
                for at in chain.from_iterable(boxes.values())
            ]
        ).T
        apart = (right[:, None] <= left + 2) | (bottom[:, None] <= top + 2)
        assert np.argwhere(np.triu(~(apart | apart.T), 1)).tolist() == []
        page.emulate_media(media="print")
        assert "GeoNames" in page.inner_text("#credit")  # its licence asks for it
        assert said == []


def test_no_mark_of_the_finder_lies_under_its_buttons(browser, written):
    with opened(browser, path_of(written, "bundled", "finder")) as (page, said):
        page.set_viewport_size({"width": 390, "height": 800})
        for place in ("Sudbury", "Thunder Bay", "Windsor", "Kingston"):
            page.fill("#place", place)
            page.press("#place", "Enter")
            assert becomes(
                page, f"document.getElementById('summary').innerText.includes('{place}')"
            )
            hidden = page.evaluate("""() => {
              const tools = document.getElementById("tools").getBoundingClientRect();
              return [...document.querySelectorAll("#map [data-ranks], #map .origin")]
                .map((mark) => mark.getBoundingClientRect())
                .filter(({ left, top }) => left < tools.right && top < tools.bottom).length;
            }""")
            assert (place, hidden) == (place, 0)
        assert said == []


def test_the_finder_says_nothing_of_how_a_position_is_known_where_nobody_does(browser, tmp_path):
    place = kf.Location(lat=44.2312, lon=-76.486)
    clinic = kf.Clinic(clinic_id="a", name="A", location=place)
    path = tmp_path / "finder.html"
    kf.Directory.from_clinics([clinic]).to_html(path)
    with opened(browser, path) as (page, said):
        ask_finder(page)
        assert "not graded" not in page.inner_text("#hits")
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


def pins(page):
    """How many clinics each mark stands for, by its text."""
    texts = page.evaluate("[...document.querySelectorAll('.pin[role]')].map(e => e.textContent)")
    return [1 + int(text.partition("+")[2] or 0) for text in texts]


def test_list_and_map_answer_each_other_to_mouse_and_keyboard(browser, written):
    with opened(browser, path_of(written, "bundled", "explore")) as (page, said):
        page.hover("#list > li:nth-child(10)")
        lit = page.locator(".pin .mark.on")
        assert lit.inner_text() == "10"
        pin = page.locator(".pin[role]", has_text=re.compile("^10$"))
        pin.locator(".mark").hover()
        assert page.locator("#list > li.on").count() == 1
        pin.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.localName") == "summary"
        opened_entry = page.locator("#list details[open]")
        opened_entry.locator("dd li a").first.wait_for()  # filled in once it is open
        scale = page.inner_text(".leaflet-control-scale-line")
        opened_entry.locator(".to-map").click()
        assert page.inner_text(".leaflet-control-scale-line") != scale
        assert said == []


def test_a_filter_keeps_what_nobody_says_only_where_it_is_asked_for(browser, written):
    clinics = kf.load_directory().to_frame()
    routes = clinics.routes.fillna("").str.split(";")
    offers = routes.map(lambda terms: "oral" in terms)
    refuses = clinics.not_offered.fillna("").str.contains("route:oral")
    refuses |= clinics.complete.fillna("").str.contains("route") & ~offers
    with opened(browser, path_of(written, "bundled", "explore")) as (page, _):
        page.click("#filters summary")
        page.locator("#filters select").nth(1).select_option("oral")
        shown = page.locator("#list > li:visible")
        assert shown.count() == offers.sum() > 0
        assert sum(pins(page)) == (offers & clinics.lat.notna()).sum()
        page.check("#filters input[type=checkbox]")
        assert shown.count() == (~refuses).sum()
        page.fill("#filters input[type=search]", "óttawa")
        assert shown.count() == (~refuses & clinics.city.isin(["Ottawa"])).sum()


def becomes(page, condition):
    """Whether something is so before long; a page's policy keeps Playwright from waiting for it."""
    for _ in range(100):
        if page.evaluate(condition):
            return True
        page.wait_for_timeout(50)
    return False


def test_on_paper_a_dark_map_is_light(browser, written):
    at_middle = """[...document.querySelector('canvas').getContext('2d')
        .getImageData(600, 500, 1, 1).data].slice(0, 3).every(part => part > 150)"""
    with opened(browser, path_of(written, "bundled", "explore")) as (page, _):
        page.emulate_media(color_scheme="dark")
        assert becomes(page, f"!({at_middle})")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(at_middle)
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert becomes(page, f"!({at_middle})")


def test_none_of_two_thousand_clinics_is_hidden_where_they_crowd(browser, tmp_path):
    """Marks lie apart from each other at any zoom, and together stand for all."""
    generator = np.random.default_rng(3)
    spots = generator.normal([44.0, -79.0], [0.8, 1.2], (2000, 2))
    spots[:200] = spots[0]
    columns = {"lat": spots[:, 0].tolist(), "lon": spots[:, 1].tolist()}
    path = tmp_path / "map.html"
    explore_clinics(columns, kf.load_directory().vocabulary).save(path)
    with opened(browser, path) as (page, said):
        for width in (1200, 700, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(500)
            assert sum(pins(page)) == 2000
            boxes = page.evaluate(
                """[...document.querySelectorAll('.pin[role] .mark')].map(mark => {
                    const { left, top, right, bottom } = mark.getBoundingClientRect();
                    return [left, top, right, bottom];
                })"""
            )
            left, top, right, bottom = np.array(boxes).T
            apart = (right[:, None] <= left + 1) | (bottom[:, None] <= top + 1)
            together = np.argwhere(np.triu(~(apart | apart.T), 1))
            assert [(boxes[i], boxes[j]) for i, j in together] == []
        assert said == []


def explored(browser, tmp_path, made):
    """A map, opened."""
    made.save(tmp_path / "map.html", overwrite=True)
    return opened(browser, tmp_path / "map.html")


def test_an_entry_says_what_is_known_in_the_words_of_its_language(browser, tmp_path):
    words = kf.load_directory().vocabulary
    seen = []
    for lang in ("en", "fr"):
        with explored(browser, tmp_path, explore_clinics(COLUMNS, words, lang=lang)) as (
            page,
            said,
        ):
            for summary in page.query_selector_all("#list summary"):
                summary.click()
            seen.append(page.locator("#list > li").all_inner_texts())
            hrefs = page.eval_on_selector_all("#list dd a", "links => links.map(a => a.href)")
            assert hrefs == ["https://a.ca/"]
            assert said == []
    english, french = seen
    assert "intravenous; intramuscular" in english[0]
    assert "to within 9.0 km, at 90 %" in english[0]
    assert "Kingston · may match: not everything is known" in english[1]
    assert "javascript:alert(1)" in english[1]
    assert re.search(r"(?i)indiqué comme non offert\s+intraveineuse", french[1])
    assert re.search(r"(?i)soins virtuels\s+non", french[2])
    assert re.search(r"(?i)price\s+100\b", english[0])


def test_a_column_parts_the_marks_into_classes_in_order(browser, tmp_path):
    """Numbers into fifths, texts by how common they are; what is not known has no colour."""
    draw = np.random.default_rng(5)
    words = kf.load_directory().vocabulary
    skewed = np.append(np.zeros(30), draw.random(10))
    for values in (draw.normal(0, 1e3, 40), draw.integers(0, 3, 40) * 1.0, draw.random(2), skewed):
        cells = [None, *values.tolist()]
        n = len(cells)
        columns = {"lat": (44 + 3 * np.arange(n) / n).tolist(), "lon": [-76.0] * n, "x": cells}
        made = explore_clinics(columns, words, column="x")
        with explored(browser, tmp_path, made) as (page, said):
            colours = page.eval_on_selector_all(
                "#list .mark", "marks => marks.map(mark => mark.style.background)"
            )
            assert said == []
        assert colours[0] == ""
        by_value = [colours[1 + at] for at in np.argsort(values, kind="stable")]
        found = list(dict.fromkeys(by_value))
        assert sorted(by_value, key=found.index) == by_value
        assert min(len({*values}), 5) <= len(found) <= 5
    cells = [*"aaabbc", "", None, *"defgh"]
    columns = {"lat": [44.0] * 13, "lon": [-76.0] * 13, "x": cells}
    with explored(browser, tmp_path, explore_clinics(columns, words, column="x")) as (page, _):
        assert page.locator("#legend li").all_inner_texts()[-10:] == [
            *("x", *"abcdefg", "other", "not known")
        ]


def test_neighbours_across_the_antimeridian_stay_neighbours(browser, tmp_path):
    columns = {"lat": [0.0, 0.0], "lon": [179.5, -179.5]}
    made = explore_clinics(columns, kf.load_directory().vocabulary)
    with explored(browser, tmp_path, made) as (page, _):
        assert re.fullmatch(r"[235]0 km", page.inner_text(".leaflet-control-scale-line"))


def test_hexagons_are_read_by_keyboard_as_by_mouse(browser, tmp_path):
    frame = kf.ontario_postal_codes().dropna(subset="population").head(8000)
    made = kf.plots.explore(frame, column="population")
    with explored(browser, tmp_path, made) as (page, said):
        assert "hexagons in view" in page.inner_text("#count")
        entries = page.locator("#list .cell").all_inner_texts()
        medians = [
            float(found[1].replace(",", ""))
            for text in entries
            if (found := re.search(r": ([\d.,]+); rows", text))
        ]
        assert medians == sorted(medians, reverse=True)
        assert len(entries) <= 100
        scale = page.inner_text(".leaflet-control-scale-line")
        page.focus("#list .cell")
        page.keyboard.press("Enter")
        assert becomes(
            page, f"document.querySelector('.leaflet-control-scale-line').innerText != '{scale}'"
        )
        assert said == []


def test_a_map_says_where_its_shores_are_too_coarse_and_shows_nothing_beyond_them(browser, written):
    with opened(browser, path_of(written, "bundled", "explore")) as (page, _):
        assert page.locator(".coarse").count() == 0
        page.locator("#list summary").first.click()
        page.locator(".to-map").first.click()
        assert "2 km" in page.inner_text(".coarse")
        for _ in range(20):
            page.locator(".leaflet-control-zoom-out").click(force=True)
        corner = """[...document.querySelector('canvas').getContext('2d')
            .getImageData(300, 800, 1, 1).data]"""
        assert page.evaluate(corner)[3] == 255


def look(page):
    """What is wrong with a page as it stands, in either theme, wide and narrow."""
    skeletons(page)
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
    pages = []
    for path in sorted(written.glob("hostile-*")):
        # Scripts are linted, and make pages long.
        text = re.sub(r"(?s)(<script[^>]*>).*?(</script>)", r"\1\2", path.read_text("utf-8"))
        pages.append(path.with_name(f"plain-{path.name}"))
        pages[-1].write_text(text, encoding="utf-8")
    config = NODE.parent / "html-validate.json"
    assert node("html-validate", "bin/html-validate.mjs", "--config", config, *pages) == ""
    if java := shutil.which("java"):
        nu = [java, "-jar", NODE / "vnu-jar/build/dist/vnu.jar", "--errors-only", *pages]
        done = subprocess.run(nu, capture_output=True, text=True, check=False)
        assert done.stderr + done.stdout == ""


def test_the_scripts_are_linted():
    """No global by accident, nothing unused, and no text that could become markup or code."""
    own = [path for path in SHOW.glob("*.js") if not path.name.endswith(".min.js")]
    rules = ["--config", NODE.parent / "eslint.config.mjs", "--max-warnings", "0"]
    assert node("eslint", "bin/eslint.js", *rules, *own, cwd=SHOW) == ""
