"""Plots and maps: in the right place, at the right scale, and asking nobody for anything."""

import math
import re
import shutil
import socket
import subprocess

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind import load_directory
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.geo import Coordinates, geodesic_km
from ketafind.show.map import explore_clinics
from ketafind.show.projection import LocalProjection, compass, places, scale_km
from ketafind.show.text import escaped
from test_show_exports import HOSTILE, Reader

mpl.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")

COLUMNS = {
    "rank": [1, 2, 3, 4],
    "name": ["A & B", "Same place", "Far", "Nowhere"],
    "lat": [44.2, 44.2, 45.4, None],
    "lon": [-76.5, -76.5, -75.7, None],
    "radius_km": [9.0, 0.0, None, None],
    "website": ["https://a.ca", "javascript:alert(1)", "", ""],
    "routes": [("iv", "im"), (), (), ()],
}
ORIGIN = Coordinates(lat=44.5, lon=-76.1)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Any attempt to reach a network fails; figures are closed."""

    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    plt.close("all")


# The projection.


@given(st.floats(42, 57), st.floats(-95, -74), st.floats(-1, 1), st.floats(-1, 1))
def test_near_the_middle_the_sheet_is_true_to_scale(lat, lon, up, right):
    """Within a degree, to a few per cent."""
    projection = LocalProjection(lat, lon)
    drawn = math.hypot(*projection.east_north_km(lat + up, lon + right))
    true = float(geodesic_km(lat, lon, lat + up, lon + right))
    assert drawn == pytest.approx(true, rel=0.04, abs=1e-6)


def test_the_middle_is_found_across_the_antimeridian():
    """Neighbours on both sides stay neighbours."""
    projection = LocalProjection.about([(0.0, 179.0), (0.0, -179.0)])
    assert abs(projection.lon) == pytest.approx(180)
    assert abs(
        projection.lon_lat(0.0, 179.0)[0] - projection.lon_lat(0.0, -179.0)[0]
    ) == pytest.approx(2)


@given(st.floats(1e-2, 1e5))
def test_a_scale_bar_is_a_round_tenth_to_a_quarter_of_the_width(width):
    """1, 2 or 5 times a power of ten."""
    length = scale_km(width)
    assert width / 10.001 <= length <= width / 3.999
    assert f"{length:e}"[0] in "125"


def test_rows_without_a_position_are_left_out_and_others_keep_their_order():
    """A position that is none is refused, and so are columns without one."""
    assert [place.label for place in places(COLUMNS)] == ["1", "2", "3"]
    assert places(COLUMNS)[0].details[-1] == ("routes", "iv, im")
    with pytest.raises(InvalidInputError, match="lat and lon"):
        places({"lat": [1.0]})
    with pytest.raises(CoordinatesError):
        places({"lat": [float("nan")], "lon": [1.0]})
    with pytest.raises(InvalidInputError, match="different lengths"):
        places({"lat": [1.0], "lon": []})


KINDS = COLUMNS | {"truth": ["yes", "unknown", "unknown", "unknown"]}


@pytest.mark.parametrize("truth", ["yes", None])
def test_where_all_match_nothing_is_said_of_marks(truth):
    columns = COLUMNS | {"truth": [truth] * 4}
    page = explore_clinics(columns).page
    assert 'class="ring"' not in page
    assert 'id="legend"' not in page


def test_degrees_name_their_side_of_the_earth():
    """Also when unrolled beyond the antimeridian."""
    assert [compass(x, "EW") for x in (-79.4, 0.0, 181.0)] == ["79.4°W", "0°E", "179°W"]
    assert compass(-1.0, "NS") == "1°S"


# The map.


def test_the_page_names_no_address_but_the_clinics_own():
    """No source, no style projection, no image; and another scheme than http is no link."""
    page = explore_clinics(COLUMNS, origin=ORIGIN).page
    reader = Reader(page)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(reader.tags)
    assert not {"src", "xlink:href", "srcset", "data", "onclick"} & {
        n for n, _ in reader.attributes
    }
    assert [value for name, value in reader.attributes if name == "href"] == ["https://a.ca"]
    assert re.findall(r"url\(|@import|fetch\(|XMLHttp|WebSocket", page) == []
    assert "1 without a position" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_map_shows_its_points_and_circles():
    """Clinics at one position share a mark; the origin is drawn only when given."""
    page = explore_clinics(COLUMNS).page
    assert page.count('class="point"') == 2
    assert "<title>1 A &amp; B; 2 Same place</title>" in page
    assert page.count('class="doubt"') == 1
    assert 'r="9.0000"' in page
    assert 'class="origin"' not in page
    assert 'class="origin"' in explore_clinics(COLUMNS, origin=ORIGIN).page
    assert explore_clinics({"lat": [], "lon": []}).page.count('class="point"') == 0


def test_a_clinic_that_may_match_is_a_ring_in_the_page():
    """With a legend of the marks that occur, and words in the list."""
    page = explore_clinics(KINDS).page
    drawn, beside = page.split('<div id="list">')
    assert drawn.count('class="ring"') == 2
    assert drawn.count('class="point"') == 1
    assert "<title>1 A &amp; B; 2 Same place (may match)</title>" in drawn
    assert "<summary>3. Far (may match)</summary>" in beside
    for words in ("matches", "may match, not known", "both at one position"):
        assert f"</svg> {words}</span>" in beside


@pytest.mark.parametrize("tiles", [None, "OpenStreetMap"])
def test_a_page_of_nothing_is_its_text(tiles):
    """No map, no script, and no tiles of a place that was not asked for."""
    columns = {"lat": [None], "lon": [None]}
    page = explore_clinics(columns, empty="No <b>.\nData x.", tiles=tiles).page
    assert "<p>No &lt;b&gt;.</p><p>Data x.</p>" in page
    assert "script-src 'none'" in page
    assert not {"svg", "script"} & set(Reader(page).tags)


def test_the_page_writes_degrees_as_the_plot_does():
    """West is no minus."""
    page = explore_clinics(COLUMNS).page
    assert "°W</text>" in page
    assert "°N</text>" in page
    assert ">-" not in page


def test_an_empty_answer_draws_what_its_table_says_but_no_distance():
    """From the directory on: a picture gives no searcher away."""
    answer = load_directory().nearest("Kenora", routes="oral")
    assert len(answer) == 0
    assert " km" in repr(answer)
    page = answer.explore().page
    assert "No clinics with a position match" in page
    assert " km" not in page.partition("<body>")[2]


def test_the_page_is_the_same_every_time():
    """Byte for byte."""
    assert explore_clinics(COLUMNS).page == explore_clinics(COLUMNS).page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_not_leave_its_place(text):
    """In the page and in the frame of a notebook."""
    columns = {name: [text] for name in ("rank", "name", "website", text)}
    columns |= {"lat": [44.2], "lon": [-76.5]}
    made = explore_clinics(columns)
    reader = Reader(made.page)
    plain = Reader(explore_clinics({"lat": [44.2], "lon": [-76.5]}).page)
    extra = {"dt", "dd"}
    assert set(reader.tags) - extra <= set(plain.tags)
    assert reader.tags.count("script") == 1
    assert escaped(text) in reader.text
    frame = Reader(made._repr_html_())
    assert frame.tags == ["iframe"]
    assert dict(frame.attributes)["srcdoc"] == made.page
    assert "allow-same-origin" not in dict(frame.attributes)["sandbox"]


def test_a_saved_page_does_not_replace_a_file_unless_asked(tmp_path):
    """And is the page."""
    made = explore_clinics(COLUMNS)
    made.save(tmp_path / "map.html")
    assert (tmp_path / "map.html").read_text(encoding="utf-8") == made.page
    with pytest.raises(FileExistsError):
        made.save(tmp_path / "map.html")


@pytest.mark.parametrize("height", [0, True, 480.5, "480px", 10**6])
def test_a_height_that_is_none_is_refused(height):
    """It would stand in an attribute."""
    with pytest.raises(InvalidInputError, match="height"):
        explore_clinics(COLUMNS, height=height)


def test_the_repr_shows_no_position():
    """A map may have been made with an origin."""
    assert repr(explore_clinics(COLUMNS, origin=ORIGIN)) == "MapPage(height=480)"


@pytest.mark.parametrize("text", HOSTILE)
def test_with_tiles_a_name_is_no_code_either(text):
    """folium writes texts into template literals; none can be ended or entered."""
    pytest.importorskip("folium")
    columns = {"lat": [44.2], "lon": [-76.5], "name": [text], "notes": [text]}
    page = explore_clinics(columns, tiles="OpenStreetMap").get_root().render()
    harmless = explore_clinics(
        {"lat": [44.2], "lon": [-76.5], "name": ["x"], "notes": ["x"]}, tiles="OpenStreetMap"
    )
    same = harmless.get_root().render()
    for mark in ("`", "${", "<script", "</script", "<img"):
        assert page.count(mark) == same.count(mark)


CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.slow
def test_in_a_browser_the_map_draws_itself_and_no_payload_runs(tmp_path):
    """The script sets the scale; hostile texts change nothing; no foreign host is asked."""
    payloads = [*HOSTILE, "<img src=http://evil.invalid/x onerror=document.title='PWNED'>"]
    payloads += ["</title><script>document.title='PWNED'</script>", "${document.title='PWNED'}"]
    n = len(payloads)
    columns = {
        "name": payloads,
        "notes": payloads,
        "lat": [44 + 0.1 * i for i in range(n)],
        "lon": [-76.5] * n,
    }
    page = tmp_path / "map.html"
    explore_clinics(columns).save(page)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    log = tmp_path / "net.json"
    done = subprocess.run(
        [
            CHROMIUM,
            *options,
            f"--log-net-log={log}",
            f"--user-data-dir={tmp_path}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert re.search(r'id="bar-text">[0-9.]+ km<', done.stdout)
    assert "<title>Clinics</title>" in done.stdout
    assert "evil.invalid" not in log.read_text()
