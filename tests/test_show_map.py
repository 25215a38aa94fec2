"""Maps to pan and zoom: every row in the page, in its place, and nobody is asked for anything.

What a browser makes of them is in test_browser.py.
"""

import json
import math
import re
import socket

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.records import CITY_LEVEL
from ketafind.show.basemap import half_steps
from ketafind.show.html import asset, source_hash
from ketafind.show.map import explore_clinics
from ketafind.show.text import escaped
from test_show_exports import HOSTILE, Reader

WORDS = kf.load_directory().vocabulary
COLUMNS = {
    "rank": [1, 2, 3, 4],
    "name": ["A & B", "Same place", "Far", "Nowhere"],
    "city": ["Kingston", "Kingston", "Ottawa", ""],
    "lat": [44.2, 44.2, 45.4, None],
    "lon": [-76.5, -76.5, -75.7, None],
    "radius_km": [9.0, 0.0, None, None],
    "truth": ["yes", "unknown", "yes", "unknown"],
    "website": ["https://a.ca", "javascript:alert(1)", "", ""],
    "routes": [["iv", "im"], [], [], []],
    "not_offered": [[], ["route:iv"], [], []],
    "virtual": ["yes", None, "no", None],
    "price": [100.0, 250.0, None, 300.0],
}
ORIGIN = kf.Coordinates(lat=44.5, lon=-76.1)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Any attempt to reach a network fails."""

    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def data_of(made):
    """What a page holds for its script."""
    return json.loads(re.search(r'id="data">(.*?)</script>', made.page, re.DOTALL)[1])


def explored(columns=COLUMNS, **options):
    return data_of(explore_clinics(columns, WORDS, **options))


# Clinics.


def test_every_clinic_is_in_the_page_with_and_without_a_position():
    rows = explored()["rows"]
    assert [row["at"] for row in rows] == [[44.2, -76.5], [44.2, -76.5], [45.4, -75.7], None]
    assert [row["radius_km"] for row in rows] == [9.0, 0.0, 0.0, 0.0]
    assert [row["kind"] for row in rows] == ["yes", "unknown", "yes", "unknown"]
    assert "1 without a position" in explore_clinics(COLUMNS, WORDS).page


def test_an_entry_has_all_that_is_known_but_no_exact_distance():
    """From several of those a reader could tell where somebody lives."""
    near = kf.load_directory().nearest(ORIGIN, 3, routes="iv")
    for match, row in zip(near, data_of(near.explore())["rows"], strict=True):
        assert row["cells"]["routes"] == near.columns()["routes"][match.rank - 1]
        assert not [name for name in row["cells"] if "distance" in name]
        assert str(match.distance_km) not in json.dumps(row)
    rows = explored(lang="fr")["rows"]
    assert [row["cells"]["not_offered"] for row in rows] == [[], ["route:iv"], [], []]
    assert explored(lang="fr")["facets"][0]["terms"]["iv"] == "intraveineuse"


def test_the_origin_is_in_the_page_only_where_it_is_given():
    assert explored()["origin"] is None
    assert explored(origin=ORIGIN)["origin"] == [44.5, -76.1]
    assert repr(explore_clinics(COLUMNS, WORDS, origin=ORIGIN)) == "MapPage(height=480)"


def test_what_is_no_number_and_no_text_is_shown_as_text():
    cells = [math.nan, math.inf, pd.Timestamp("2026-01-02"), "\u202eabc", b"x", {"a": (1, 2)}]
    columns = {"lat": [44.0] * 6, "lon": [-76.0] * 6, "x": cells}
    data = explored(columns, column="x")
    shown = [row["colour"] for row in data["rows"]]
    assert shown == [None, "inf", "2026-01-02 00:00:00", "\\u202eabc", "b'x'", {"a": [1, 2]}]


def test_a_directory_shows_its_closed_clinics_and_its_evidence_with_links():
    directory = kf.load_directory()
    data = data_of(directory.explore())
    assert [row["name"] for row in data["rows"]] == [clinic.name for clinic in directory.clinics]
    assert data["kind"] == "status"
    assert sum(row["kind"] == "no" for row in data["rows"]) == sum(
        clinic.status == "closed" for clinic in directory.clinics
    )
    (clinic,) = (row for row in data["rows"] if row["name"] == "Caledon Clinic")
    urls = {fact.source_url for fact in directory["caledon-clinic"].evidence}
    assert {url for _, url in clinic["evidence"]} == urls
    assert any("intravenous" in text for text, _ in clinic["evidence"])


def test_an_answer_shows_city_and_distance_and_names_its_data():
    near = kf.load_directory().nearest("Kingston", 2, routes="iv")
    made = near.translated("fr").explore()
    assert data_of(made)["rows"][1]["sub"][0] == "Ottawa"
    assert data_of(made)["rows"][1]["sub"][1].startswith("14")
    assert near.snapshot.id in made.page
    assert '<html lang="fr">' in made.page
    assert 'title="Cliniques"' in made._repr_html_()


def test_an_empty_answer_says_what_its_table_says_but_no_distance():
    """A picture gives no searcher away."""
    answer = kf.load_directory().nearest("Kenora", routes="oral")
    assert len(answer) == 0
    assert " km" in repr(answer)
    page = answer.explore().page
    assert repr(answer).split(".")[0] in page
    assert " km" not in page.partition("<main>")[2].partition("</main>")[0]
    assert data_of(answer.explore())["rows"] == []


def test_an_empty_directory_says_so_and_names_its_data():
    empty = kf.Directory.from_clinics([])
    said = empty.explore().page.partition("<main")[2].partition("</main>")[0]
    assert "Nothing here has a position." in said
    assert empty.snapshot.id in said
    assert "Rien ici" in empty.explore(lang="fr").page


# The page.


def test_the_page_runs_two_scripts_that_it_names_and_loads_nothing():
    page = explore_clinics(COLUMNS, WORDS, origin=ORIGIN).page
    reader = Reader(page)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(reader.tags)
    assert not {"src", "srcset", "onclick", "style"} & {name for name, _ in reader.attributes}
    assert [value for name, value in reader.attributes if name == "href"] == ["#list"]
    own = page.replace(asset("leaflet.min.js"), "")
    assert re.findall(r"url\(|@import|fetch\(|XMLHttp|WebSocket|sourceMapping", own) == []
    policy = re.search(r'Policy" content="([^"]*)"', page)[1]
    named = [source_hash(asset(name)) for name in ("leaflet.min.js", "explore.js")]
    assert policy.startswith(f"default-src 'none'; script-src {' '.join(named)}; style-src ")
    assert reader.tags.count("script") == 3
    assert "BSD 2-Clause License" in page


def test_the_page_is_the_same_every_time():
    assert explore_clinics(COLUMNS, WORDS).page == explore_clinics(COLUMNS, WORDS).page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_not_leave_its_place(text):
    """In the page and in the frame of a notebook, title and notes too."""
    columns = {name: [text] for name in ("rank", "name", "city", "website", "status", text)}
    columns |= {"lat": [44.2], "lon": [-76.5]}
    made = explore_clinics(columns, WORDS, title=text, notes=[text], evidence=[[(text, text)]])
    plain = explore_clinics({"lat": [44.2], "lon": [-76.5]}, WORDS, notes=["x"])
    assert Reader(made.page).tags == Reader(plain.page).tags
    assert data_of(made)["rows"][0]["name"] == escaped(text)
    frame = Reader(made._repr_html_())
    assert frame.tags == ["iframe"]
    assert dict(frame.attributes)["srcdoc"] == made.page
    assert "allow-same-origin" not in dict(frame.attributes)["sandbox"]


def test_a_saved_page_does_not_replace_a_file_unless_asked(tmp_path):
    made = explore_clinics(COLUMNS, WORDS)
    made.save(tmp_path / "map.html")
    assert (tmp_path / "map.html").read_text(encoding="utf-8") == made.page
    with pytest.raises(FileExistsError):
        made.save(tmp_path / "map.html")


@pytest.mark.parametrize("height", [0, True, 480.5, "480px", 10**6])
def test_a_height_that_is_none_is_refused(height):
    """It would stand in an attribute."""
    with pytest.raises(InvalidInputError, match="height"):
        explore_clinics(COLUMNS, WORDS, height=height)


def test_a_column_that_is_not_there_is_refused():
    for columns, options in (({"lat": [1.0]}, {}), (COLUMNS, {"column": "colour"})):
        with pytest.raises(InvalidInputError, match=r"needs a column '(lon|colour)'; there are"):
            explore_clinics(columns, WORDS, **options)
    with pytest.raises(InvalidInputError, match="different lengths"):
        explore_clinics({"lat": [1.0], "lon": []}, WORDS)
    with pytest.raises(CoordinatesError):
        explore_clinics({"lat": [95.0], "lon": [1.0]}, WORDS)


# Frames.


def test_points_of_a_frame_are_rows_by_their_names():
    frame = pd.DataFrame({"lat": [44.0, None], "lon": [-76.0, -77.0], "score": [1.25, None]})
    data = data_of(kf.plots.explore(frame, column="score"))
    assert [row["name"] for row in data["rows"]] == ["0", "1"]
    assert [row["colour"] for row in data["rows"]] == [1.25, None]
    assert [row["at"] for row in data["rows"]] == [[44.0, -76.0], None]


def test_areas_are_drawn_as_they_are_within_steps_of_the_grid():
    gpd = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    hole = shapely.box(-77.5, 44.2, -77.2, 44.5)
    shape = shapely.box(-78, 44, -77, 45).difference(hole)
    frame = gpd.GeoDataFrame({"county": ["Here"]}, geometry=[shape], crs=4326).to_crs(3347)
    data = data_of(kf.plots.explore(frame, name="county"))
    drawn = shapely.from_geojson(json.dumps(data["rows"][0]["shape"]))
    assert drawn.hausdorff_distance(shape) < 3e-4
    (given_map,) = data_of(kf.plots.explore(frame, basemap=frame))["base"]
    assert given_map["type"] == "Polygon"
    assert len(given_map["coordinates"]) == 2


@given(st.integers(1, 60), st.integers(0, 2**32), st.floats(1, 80))
def test_every_point_is_in_its_hexagon_and_none_is_counted_twice(n, seed, width):
    """The hexagons are of the map's own projection; their values are medians."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"lat": generator.uniform(42, 47, n), "lon": generator.uniform(-82, -75, n)}
    ).assign(x=generator.uniform(0, 9, n))
    (level,) = data_of(kf.plots.explore(frame, column="x", hexagon_km=width))["hexagons"]
    assert sum(level["n"]) == n
    size = level["width"] / np.sqrt(3)
    middles = np.column_stack([level["x"], level["y"]]) * half_steps(level["width"])
    earth = 6378137.0
    points = earth * np.column_stack(
        [np.radians(frame.lon), np.arctanh(np.sin(np.radians(frame.lat)))]
    )
    apart = np.hypot(*(points[:, None] - middles[None]).transpose(2, 0, 1))
    nearest = apart.argmin(axis=1)
    assert apart.min(axis=1).max() <= size * (1 + 1e-9)
    assert np.bincount(nearest, minlength=len(middles)).tolist() == level["n"]
    alone = level["n"].index(1) if 1 in level["n"] else None
    if alone is not None:
        (value,) = frame.x[nearest == alone]
        assert level["value"][alone] == pytest.approx(value)
    assert level["width"] == pytest.approx(width * 1000 / math.cos(math.radians(frame.lat.mean())))


def test_many_points_are_hexagons_of_three_widths_and_no_row_of_theirs_is_in_the_page():
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.uniform([42, -82], [47, -75], (6000, 2)), columns=["lat", "lon"])
    data = data_of(kf.plots.explore(frame.assign(name="a person")))
    assert data["rows"] == []
    assert [sum(level["n"]) for level in data["hexagons"]] == [6000] * 3
    assert "a person" not in kf.plots.explore(frame.assign(name="a person")).page
    with pytest.raises(InvalidInputError, match="hexagons show numbers, and 'name' holds none"):
        kf.plots.explore(frame.assign(name="a person"), column="name")
    with pytest.raises(InvalidInputError, match="85 degrees"):
        kf.plots.explore(frame.assign(lat=89.0))


@pytest.mark.parametrize(
    ("verb", "remedy"), [("explore", r"explore\(\)\.save"), ("plot", "savefig")]
)
def test_a_path_without_a_name_is_answered_by_how_a_file_is_written(verb, remedy):
    for shown in (kf.load_directory(), kf.load_directory().nearest("Kingston, ON", k=1)):
        with pytest.raises(InvalidInputError, match=remedy):
            getattr(shown, verb)("map.html")


def test_an_answer_without_distances_shows_how_well_each_place_is_known():
    answer = kf.load_directory().search(unknown="include")
    rows = data_of(answer.explore())["rows"]
    for row, match in zip(rows, answer, strict=True):
        place = match.clinic.location
        assert ("city only" in row["sub"]) == (place is not None and place.precision in CITY_LEVEL)
        assert not any("km" in text for text in row["sub"])
    assert {"city only" in row["sub"] for row in rows} == {True, False}
    assert "no position" not in [text for row in rows for text in row["sub"]]


def test_hexagons_that_are_too_many_for_a_page_are_left_out(monkeypatch):
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.uniform([42, -82], [47, -75], (6000, 2)), columns=["lat", "lon"])
    whole = data_of(kf.plots.explore(frame))["hexagons"]
    finest = len(whole[1]["n"])
    assert len(whole[0]["n"]) < finest < len(whole[2]["n"])
    monkeypatch.setattr("ketafind.show.map._FINEST_CELLS", finest)
    assert data_of(kf.plots.explore(frame))["hexagons"] == whole[:2]
