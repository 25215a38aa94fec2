"""Text, HTML, GeoJSON, CSV and GeoPandas made of plain columns."""

import re
from collections import Counter
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ketafind.errors import InvalidInputError
from ketafind.records import Truth
from ketafind.show.exports import csv_text, geojson, geojson_text, reader_of
from ketafind.show.html import Link, html_table, html_text
from ketafind.show.text import display_width, distance_text, escaped, text_table, time_text
from ketafind.tables.frames import geodataframe_from_columns

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)",
    "${globalThis.PWNED=1}",
    "`${alert(1)}`",
    "$$\\href{javascript:alert(1)}{x}$$",
    "\\(x\\)",
    "[a](javascript:alert(1))",
    "\x1b[31mred\x07",
    "\u202egnp.exe",
    "]]><!--",
    "{{7*7}}",
    "&lt;b&gt;",
    "</script><script>globalThis.PWNED=1</script>",
    "<img src=http://evil.invalid/x onerror=globalThis.PWNED=1>",
    "</title></textarea><svg onload=globalThis.PWNED=1>",
    "<iframe srcdoc='<script>parent.PWNED=1</script>'></iframe>",
    "</style><link rel=stylesheet href=http://evil.invalid/s.css>",
    "javascript:globalThis.PWNED=1",
    "<base href=http://evil.invalid/><meta http-equiv=refresh content='0;url=http://evil.invalid'>",
]

# Text tables.


def test_a_table_is_aligned_with_numbers_to_the_right():
    """A line under the header, no spaces at the ends of lines."""
    assert text_table([("Café", 2.5, None), ("B", 10, "x")], ("name", "km", "note")) == (
        "name   km  note\n----  ---  ----\nCafé  2.5\nB      10  x"
    )


def test_wide_and_combining_characters_keep_their_columns():
    """A wide character takes two columns, an accent of its own none."""
    lines = text_table([("東京", "x"), ("e\u0301", "y")], ("a", "b")).splitlines()
    assert lines[2] == "東京  x"
    assert lines[3] == "e\u0301     y"
    assert display_width("東京e\u0301") == 5


def test_control_characters_are_shown_escaped():
    """ESC, bidi overrides, zero-width characters and line breaks."""
    assert (
        escaped("a\x1b[1m\u202e\u200b\n\x85\U000e0001")
        == "a\\x1b[1m\\u202e\\u200b\\n\\x85\\U000e0001"
    )
    assert escaped("Café 東京 e\u0301") == "Café 東京 e\u0301"
    assert "\x1b" not in text_table([("\x1b[2J",)], ("\x1b]0;x",))


@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=10), st.integers()), max_size=4),
    st.integers(10, 60),
)
@example([("", " \x1f", 0)], 10)
def test_a_table_fits_its_width_and_breaks_no_word(rows, width):
    """Every word of every cell is there whole; only a word longer than the line goes beyond it."""
    text = text_table(rows, ("first", "second", "third"), width)
    words = [word for row in rows for cell in row for word in escaped(str(cell)).split(" ")]
    room = max(map(display_width, words), default=0) + len("second  ")
    assert all(display_width(line) <= max(width, room) for line in text.splitlines())
    shown = Counter(re.findall(r"[^ \n]+", text))
    assert Counter(word for word in words if word) <= shown


def test_long_cells_break_between_words():
    """The widest column is narrowed first."""
    text = text_table([("a clinic of many words", "x")], ("name", "b"), 14)
    assert text.splitlines()[2:] == ["a clinic of  x", "many words"]


def test_where_words_do_not_fit_each_row_is_a_block_of_lines():
    """Headers stand beside the cells, blank cells are left out, and a long word stays whole."""
    rows = [
        (1, "a clinic of words", None, "613-544-4900"),
        (2, "b", "x", "https://example.org/page"),
    ]
    assert text_table(rows, ("", "name", "city", "contact"), 20) == (
        "1\nname     a clinic of\n         words\ncontact  613-544-4900\n\n"
        "2\nname     b\ncity     x\ncontact  https://example.org/page"
    )
    assert text_table([("a", "b")], ("", "")) == "a  b"


def test_a_row_of_another_length_is_refused():
    """Its position is named."""
    with pytest.raises(InvalidInputError, match="row 0 has 1 cells where there are 2"):
        text_table([("a",)], ("a", "b"))
    assert text_table([], ("a", "b")) == "a  b\n-  -"


# Distances.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((2.34,), "2.3 km"),
        ((0.0,), "0.0 km"),
        ((9.96,), "10 km"),
        ((1234.5,), "1,234 km"),
        ((None,), "no position"),
        ((float("nan"),), "no position"),
        ((4.0, 0.0, 9.0, "municipality"), "0 to 9 km, city only"),
        ((4.0, 0.2, 8.1, "place"), "0 to 9 km, city only"),
        ((300.0, 291.0, 309.0, "fsa"), "291 to 309 km, city only"),
        ((2.3, 2.0, 2.6, "postal_code"), "2.3 km"),
        ((2.3, 1.0, 4.6, "postal_code"), "1 to 5 km"),
        ((2.3, 2.3, 2.3, "rooftop"), "2.3 km"),
        ((2.3, 2.3, 2.3, "municipality"), "2.3 km"),
        ((0.5, 0.02, 1.31, "interpolated"), "0.0 to 1.4 km"),
        ((300.0, 295.0, 305.0, "rooftop"), "300 km"),
        ((40.0, 10.0, 90.0, "unknown"), "10 to 90 km, position uncertain"),
    ],
)
def test_a_distance_shows_its_doubt_where_it_matters(arguments, said):
    """City-level positions always; others when the interval is wide."""
    assert distance_text(*arguments) == said


@given(st.floats(0, 5000), st.floats(0, 100), st.floats(0, 100))
def test_a_printed_interval_holds_the_interval(distance, below, above):
    """Rounded outwards."""
    low, high = max(0.0, distance - below), distance + above
    words = distance_text(distance, low, high, "municipality").replace(",", "").split()
    if words[1] == "to":
        assert float(words[0]) <= low + 1e-6
        assert float(words[2]) >= high - 1e-6


# HTML.


class Reader(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(text):
    """In a cell, a header, a caption, a note and the text of a link."""
    html = html_table(
        [(text, Link("https://a.ca/?a=1&b='2'")), (1.5, Link(text))],
        (text, "b"),
        caption=text,
        notes=[text],
    )
    reader = Reader(html)
    assert set(reader.tags) <= {
        "div",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "a",
        "p",
        "svg",
        "style",
    }
    assert {name for name, _ in reader.attributes} <= {
        *("class", "lang", "style", "data-name", "scope", "href", "target", "rel")
    }
    assert [value for name, value in reader.attributes if name == "href"] == [
        "https://a.ca/?a=1&b='2'"
    ]
    assert reader.text.count(escaped(text)) == 5
    assert not set(html_text(text)) & set("<>\"'`$\\{}")
    assert "mathjax_ignore" in html


def test_only_web_addresses_are_linked():
    """Another scheme is shown as text."""
    assert "<a" not in html_table([(Link("javascript:alert(1)"), None)], ("a", "b"))


# GeoJSON and CSV.

COLUMNS = {
    "clinic_id": ["a", "b"],
    "lat": [44.2, None],
    "lon": [-76.5, None],
    "truth": [Truth.YES, Truth.UNKNOWN],
    "routes": [("iv", "im"), ()],
    "day": [date(2026, 1, 2), None],
    "km": [np.float64(1.5), None],
    "sure": [np.True_, False],
    "n": [np.int64(3), 4],
}


def test_geojson_has_longitude_first_and_null_for_no_position():
    """Plain data that JSON can hold, in the order of the rows."""
    made = geojson(COLUMNS, snapshot="s1")
    assert made["snapshot"] == "s1"
    first, second = made["features"]
    assert first["geometry"] == {"type": "Point", "coordinates": [-76.5, 44.2]}
    assert first["id"] == first["properties"]["clinic_id"] == "a"
    assert list(first["properties"]) == [name for name in COLUMNS if name not in ("lat", "lon")]
    assert second["geometry"] is None


def test_a_number_without_a_form_in_json_is_refused():
    """NaN and infinity are no JSON."""
    with pytest.raises(InvalidInputError, match="no JSON"):
        geojson_text({"x": float("nan")})


def test_columns_become_csv():
    """None and NaN are blank, lists are joined, formulas are neutralised when asked."""
    assert csv_text(COLUMNS | {"x": [float("nan"), '=1,"']}) == (
        "clinic_id,lat,lon,truth,routes,day,km,sure,n,x\n"
        "a,44.2,-76.5,yes,iv;im,2026-01-02,1.5,True,3,\n"
        'b,,,unknown,,,,False,4,"=1,"""\n'
    )
    assert csv_text({"x": ["=1"], "y": [-1.5]}, spreadsheet=True) == "x,y\n'=1,-1.5\n"


def test_columns_become_points():
    """In EPSG:4326, with None where there is no position."""
    frame = geodataframe_from_columns({"id": ["a", "b"], "lat": [44.2, None], "lon": [-76.5, None]})
    assert frame.crs.to_epsg() == 4326
    assert (frame.geometry[0].x, frame.geometry[0].y) == (-76.5, 44.2)
    assert frame.geometry[1] is None


def test_a_folder_is_read_as_a_package_and_a_file_of_no_known_ending_as_csv(tmp_path):
    assert reader_of(tmp_path) == "from_datapackage"
    assert reader_of(tmp_path / "clinics") == reader_of("clinics.csv") == "from_csv"


def test_a_time_that_is_not_known_is_no_number_of_minutes():
    for minutes in (None, np.nan):
        for lang in ("en", "fr"):
            assert not re.search(r"[0-9]|nan|None", time_text(minutes, lang=lang))
