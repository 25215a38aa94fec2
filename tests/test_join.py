"""Joins equal a brute-force scan, on every kind of frame, and lose no row."""

from __future__ import annotations

import datetime as dt
import math
import sys
import threading
import time
from decimal import Decimal

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, Point

import ketafind as kf
import oracle
from ketafind.join.frames import code_type, on_threads
from strategies import clinic_lists, criteria, examples, expressions, origins, policies

DIRECTORY = kf.load_directory()
PEOPLE = pd.DataFrame(
    {"who": ["a", "b", "c"], "lat": [44.23, 43.65, math.nan], "lon": [-76.48, -79.38, -80.0]},
    index=[7, 3, 3],
)
KINDS = {
    "pandas": lambda frame: frame,
    "pandas, nullable": lambda frame: frame.convert_dtypes(),
    "polars": lambda frame: pl.from_pandas(frame.reset_index(drop=True)),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "record batch": lambda frame: pa.RecordBatch.from_pandas(frame, preserve_index=False),
}


def rows_of(frame) -> list[dict]:
    """The rows of any frame, with None for what is missing."""
    if isinstance(frame, pd.DataFrame):
        frame = pa.Table.from_pandas(pd.DataFrame(frame), preserve_index=False)
    if isinstance(frame, pl.DataFrame):
        frame = frame.to_arrow()
    return [
        {name: None if value != value else value for name, value in row.items()}
        for row in frame.to_pylist()
    ]


@pytest.mark.parametrize("kind", KINDS)
@examples(0.5)  # of each kind
@given(
    clinics=clinic_lists(),
    people=st.lists(st.none() | origins, max_size=5),
    expression=expressions,
    unknown=policies,
    k=st.integers(1, 4),
    limit_km=st.none() | st.sampled_from([0.0, 500.0, 9000.0]),
    how=st.sampled_from(["left", "inner"]),
)
def test_a_join_equals_a_scan_of_every_clinic_for_every_row(
    kind, clinics, people, expression, unknown, k, limit_km, how
):
    directory = kf.Directory.from_clinics(clinics, check=False)
    frame = pd.DataFrame(
        {
            "row": np.arange(len(people)),
            "lat": [math.nan if one is None else one.lat for one in people],
            "lon": [0.0 if one is None else one.lon for one in people],
        }
    )
    joined = kf.nearest_join(
        KINDS[kind](frame),
        directory,
        k=k,
        where=criteria(expression),
        unknown=unknown,
        max_distance_km=limit_km,
        how=how,
        check=False,
    )
    assert type(joined) is type(KINDS[kind](frame))
    found = rows_of(joined)
    assert [row["row"] for row in found] == sorted(row["row"] for row in found)
    for number, origin in enumerate(people):
        mine = [row for row in found if row["row"] == number]
        limit = math.inf if limit_km is None else limit_km
        expected = (
            [] if origin is None else oracle.within(clinics, expression, unknown, origin, limit)[:k]
        )
        if not expected:
            assert len(mine) == (how == "left")
            assert all(row["rank"] is row["clinic_id"] is row["truth"] is None for row in mine)
            assert all(row["distance_km"] is None and row["reason"] for row in mine)
            continue
        assert [row["rank"] for row in mine] == list(range(1, len(expected) + 1))
        for row, clinic in zip(mine, expected, strict=True):
            here = oracle.distance_km(origin, clinic)
            there = next(c for c in clinics if c.clinic_id == row["clinic_id"])
            assert abs(row["distance_km"] - here) < 1e-8
            same = row["clinic_id"] == clinic.clinic_id
            assert same or abs(oracle.distance_km(origin, there) - here) < oracle.TIE_KM
            assert row["truth"] == oracle.truth(expression, there)


@given(
    clinics=clinic_lists(), people=st.lists(origins, min_size=1, max_size=4), k=st.integers(1, 3)
)
def test_a_wide_join_holds_the_cells_of_the_long_one(clinics, people, k):
    directory = kf.Directory.from_clinics(clinics, check=False)
    frame = pd.DataFrame({"lat": [p.lat for p in people], "lon": [p.lon for p in people]})
    long = kf.nearest_join(frame, directory, k=k, check=False)
    wide = kf.nearest_join(frame, directory, k=k, check=False, shape="wide")
    assert wide.index.equals(frame.index)
    for place in range(1, k + 1):
        part = long[(long["rank"] == place).fillna(False)]
        cells = wide[f"distance_km_{place}"].dropna()
        assert cells.tolist() == part["distance_km"].tolist()
        ids = wide[f"clinic_id_{place}"].dropna()
        assert ids.tolist() == part["clinic_id"].tolist()
        assert cells.index.equals(part.index)
    assert wide["reason"].tolist() == long.loc[~long.index.duplicated(), "reason"].tolist()


@pytest.mark.parametrize("which", ["exclude", "include", "only"])
def test_order_flags_of_a_hundred_radii_are_those_of_single_searches(which):
    random = np.random.default_rng(7)
    n = 100
    table = pd.DataFrame(
        {
            "clinic_id": [f"c{number:03}" for number in range(n)],
            "name": "Clinic",
            "lat": random.uniform(43, 47, n),
            "lon": random.uniform(-82, -78, n),
            "radius_km": random.uniform(0, 12, n),
            "routes": random.choice(["iv", ""], n),
        }
    )
    directory = kf.Directory.from_frame(table)
    people = pd.DataFrame(
        {
            "lat": random.uniform(43, 47, 400),
            "lon": random.uniform(-82, -78, 400),
            "radius": random.choice([0.0, 0.4], 400),
        }
    )
    asked = {"routes": "iv", "unknown": which, "max_distance_km": 90.0}
    for k in (1, 2):
        joined = kf.nearest_join(
            people, directory, k=k, columns=["order_certain"], radius="radius", **asked
        )
        flags = joined.loc[~joined.index.duplicated(), "order_certain"].tolist()
        places = [
            kf.Location(lat=one.lat, lon=one.lon, radius_km=one.radius)
            for one in people.itertuples()
        ]
        assert flags == [directory.nearest(one, k, **asked).order_certain for one in places]
        assert True in flags
        assert False in flags


@given(
    clinics=clinic_lists(),
    people=st.lists(origins, max_size=4),
    k=st.integers(1, 3),
    which=policies,
)
def test_order_flags_and_intervals_are_those_of_a_single_search(clinics, people, k, which):
    some = [
        clinic
        if clinic.location is None
        else kf.Clinic(
            clinic_id=clinic.clinic_id,
            name=clinic.name,
            services=clinic.services,
            status=clinic.status,
            location=kf.Location(
                lat=clinic.location.lat,
                lon=clinic.location.lon,
                radius_km=(0.0, 2.0, 300.0)[number % 3],
            ),
        )
        for number, clinic in enumerate(clinics)
    ]
    directory = kf.Directory.from_clinics(some, check=False)
    frame = pd.DataFrame({"lat": [p.lat for p in people], "lon": [p.lon for p in people]})
    asked = ["order_certain", "distance_low_km", "distance_high_km"]
    joined = kf.nearest_join(
        frame, directory, k=k, columns=asked, routes="iv", unknown=which, check=False
    )
    for number, origin in enumerate(people):
        near = directory.nearest(origin, k, routes="iv", unknown=which, check=False)
        mine = joined.loc[[number]]
        assert mine["order_certain"].tolist() == [near.order_certain] * max(1, len(near))
        for match, row in zip(near, mine.itertuples(), strict=False):
            assert row.distance_low_km == pytest.approx(match.distance_low_km, abs=1e-9)
            assert row.distance_high_km == pytest.approx(match.distance_high_km, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unknown", ["exclude", "include"])
def test_a_wide_join_for_more_than_there_are_leaves_cells_empty(kind, unknown):
    frame = KINDS[kind](PEOPLE)
    some = DIRECTORY.search(routes="iv")[:2]
    directory = kf.Directory.from_clinics([match.clinic for match in some])
    wide = kf.nearest_join(frame, directory, k=3, shape="wide", unknown=unknown, columns=["city"])
    for row in rows_of(wide)[:2]:
        assert {row["clinic_id_1"], row["clinic_id_2"]} == {one.clinic.clinic_id for one in some}
        assert row["truth_1"] == row["truth_2"] == "yes"
        beyond = {name: value for name, value in row.items() if name.endswith("_3")}
        assert set(beyond.values()) == {None}
        assert len(beyond) == 4


def test_a_row_without_a_position_is_kept_with_the_reason():
    joined = kf.nearest_join(PEOPLE, DIRECTORY, routes="iv")
    assert joined["reason"].tolist()[2] == "no position"
    assert joined["reason"].isna().tolist() == [True, True, False]
    assert joined.index.tolist() == [7, 3, 3]
    assert kf.nearest_join(PEOPLE, DIRECTORY, how="inner").index.tolist() == [7, 3]


def test_the_reason_tells_a_limit_from_a_filter_that_nobody_passes():
    far = kf.nearest_join(PEOPLE, DIRECTORY, max_distance_km=0.001)
    assert far["reason"].tolist()[0] == "no clinic within max_distance_km"
    none = kf.nearest_join(PEOPLE, DIRECTORY, where=kf.route("sc") & ~kf.route("sc"))
    assert none["reason"].tolist()[:2] == ["no clinic passes"] * 2


def test_index_and_columns_are_kept_and_the_frame_is_not_changed():
    index = pd.MultiIndex.from_tuples([("x", 1), ("x", 1), ("y", 2)], names=["one", "two"])
    frame = PEOPLE.set_index(index)
    before = frame.copy()
    joined = kf.nearest_join(frame, DIRECTORY, k=2)
    assert joined.index.names == ["one", "two"]
    assert joined.columns.tolist()[:3] == ["who", "lat", "lon"]
    pd.testing.assert_frame_equal(frame, before)
    joined.loc[:, "lat"] = 0.0
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["long", "wide"])
def test_an_empty_frame_comes_back_empty_with_the_same_columns(kind, shape):
    make = KINDS[kind]
    empty = PEOPLE.iloc[:0]
    joined = kf.nearest_join(make(empty), DIRECTORY, k=2, shape=shape, columns=["city"])
    full = kf.nearest_join(make(PEOPLE), DIRECTORY, k=2, shape=shape, columns=["city"])
    assert len(joined) == 0
    assert rows_of(joined) == []
    names = "column_names" if hasattr(joined, "column_names") else "columns"
    if kind != "record batch":
        assert list(getattr(joined, names)) == list(getattr(full, names))


def test_types_do_not_depend_on_what_is_missing():
    part = kf.nearest_join(PEOPLE.iloc[:2], DIRECTORY, k=2)
    whole = kf.nearest_join(PEOPLE, DIRECTORY, k=2)
    assert part.dtypes.equals(whole.dtypes)
    tables = [KINDS["pyarrow"](frame) for frame in (PEOPLE.iloc[:2], PEOPLE)]
    first, second = (kf.nearest_join(table, DIRECTORY, k=2).schema for table in tables)
    assert first.equals(second)


def geoframe(crs="EPSG:4326") -> gpd.GeoDataFrame:
    points = [Point(-76.48, 44.23), Point(-79.38, 43.65), None, Point()]
    return gpd.GeoDataFrame({"who": list("abcd")}, geometry=points, crs=crs, index=[4, 4, 1, 0])


def test_a_geodataframe_is_joined_by_its_points_and_stays_one():
    joined = kf.nearest_join(geoframe(), DIRECTORY)
    plain = kf.nearest_join(PEOPLE.iloc[:2], DIRECTORY)
    assert isinstance(joined, gpd.GeoDataFrame)
    assert joined.crs == "EPSG:4326"
    assert joined["clinic_id"].tolist()[:2] == plain["clinic_id"].tolist()
    assert joined["distance_km"].tolist()[:2] == plain["distance_km"].tolist()
    assert joined["reason"].tolist()[2:] == ["no position"] * 2


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:3347", "OGC:CRS84"])
def test_a_stated_crs_is_reprojected_for_the_search_and_kept_in_the_frame(crs):
    frame = geoframe().to_crs(crs)
    joined = kf.nearest_join(frame, DIRECTORY)
    assert joined.crs == frame.crs
    assert np.allclose(
        joined["distance_km"][:2], kf.nearest_join(geoframe(), DIRECTORY)["distance_km"][:2]
    )


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:3347", "EPSG:4269", "EPSG:26917"])
def test_points_are_reprojected_as_geopandas_does(crs):
    generator = np.random.default_rng(3)
    x, y = generator.uniform(-95, -74, 200), generator.uniform(41.7, 56, 200)
    frame = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=4326).to_crs(crs)
    there = frame.to_crs(4326).geometry
    plain = pd.DataFrame({"lat": there.y, "lon": there.x})
    mine, wanted = (kf.nearest_join(one, DIRECTORY, k=2) for one in (frame, plain))
    added = ["clinic_id", "distance_km"]
    pd.testing.assert_frame_equal(pd.DataFrame(mine[added]), wanted[added])


def test_a_geometry_without_a_crs_is_refused():
    with pytest.raises(kf.errors.InvalidInputError, match=r"no CRS.*set_crs"):
        kf.nearest_join(geoframe(crs=None), DIRECTORY)


def test_lines_are_refused_by_row_and_type():
    frame = gpd.GeoDataFrame(geometry=[Point(0, 0), LineString([(0, 0), (1, 1)])], crs=4326)
    with pytest.raises(kf.errors.InvalidInputError, match=r"row 1.*not a LineString"):
        kf.nearest_join(frame, DIRECTORY)


def test_addresses_are_geocoded_offline_with_their_radius(no_sockets):
    texts = ["Kingston, ON", None, "K7L 3N6", "Nowhere at all zzz", " ", "Montreal, QC"]
    joined = kf.nearest_join(pd.DataFrame({"where": texts}), DIRECTORY, address="where")
    place = kf.geocode("Kingston, ON")
    assert joined["origin_radius_km"].tolist()[0] == place.radius_km
    assert joined["origin_lat"].tolist()[0] == place.lat
    near = DIRECTORY.nearest("K7L 3N6", k=1)[0]
    assert joined["clinic_id"].tolist()[2] == near.clinic.clinic_id
    assert joined["distance_km"].tolist()[2] == near.distance_km
    reasons = joined["reason"].tolist()
    assert reasons[1] == reasons[4] == "no address"
    assert reasons[3] == "address not found"
    assert reasons[5] == "address outside the gazetteer"


def test_parts_of_an_address_in_several_columns_are_read_as_one():
    whole = ["76 Stuart St, Kingston, K7L 2V7", "Toronto", "", "xyzzy"]
    parts = pd.DataFrame(
        {"street": ["76 Stuart St", None, None, "xyzzy"], "town": ["Kingston", "Toronto", "", None]}
    ).assign(code=["K7L 2V7", " ", None, ""])
    wanted = kf.nearest_join(pd.DataFrame({"where": whole}), DIRECTORY, address="where")
    joined = kf.nearest_join(parts, DIRECTORY, address=["street", "town", "code"])
    assert joined[list(wanted)[1:]].equals(wanted[list(wanted)[1:]])
    for address in ([], ["street", "city"]):
        with pytest.raises(kf.errors.InvalidInputError, match="the frame has no column"):
            kf.nearest_join(parts, DIRECTORY, address=address)


@pytest.mark.parametrize("kind", KINDS)
def test_radii_of_a_geocoded_frame_count_as_those_of_addresses_do(kind):
    texts = pd.DataFrame({"where": ["Kingston, ON", None, "K7L 3N6", "Nowhere at all zzz"]})
    asked = {"columns": ["distance_low_km", "distance_high_km", "order_certain"], "k": 2}
    wanted = kf.nearest_join(texts, DIRECTORY, address="where", **asked)
    placed = kf.geocode_frame(texts, "where", progress=False)[["lat", "lon", "radius_km"]]
    joined = kf.nearest_join(KINDS[kind](placed), DIRECTORY, radius="radius_km", **asked)
    for one, other in zip(rows_of(joined), rows_of(wanted), strict=True):
        for name in ("clinic_id", "distance_km", *asked["columns"]):
            assert one[name] == other[name]
    exact = kf.nearest_join(KINDS[kind](placed), DIRECTORY, **asked)
    assert rows_of(exact)[0]["distance_high_km"] < rows_of(joined)[0]["distance_high_km"]


@pytest.mark.parametrize("radius", [[1.0], [1.0, 2.0], [[1.0] * len(PEOPLE)]])
def test_radii_are_one_number_or_one_for_each_row(radius):
    with pytest.raises(kf.errors.InvalidInputError, match="numbers, one for each row"):
        kf.nearest_join(PEOPLE, DIRECTORY, radius=radius)


@pytest.mark.parametrize("radius", [-1.0, math.inf, math.nan])
def test_a_position_without_a_radius_is_refused_by_row(radius):
    frame = PEOPLE.assign(radius=[1.0, radius, math.nan])
    with pytest.raises(kf.errors.InvalidInputError, match=r'row 1, column "radius".*0 or more'):
        kf.nearest_join(frame, DIRECTORY, radius="radius")


@pytest.mark.parametrize("kind", KINDS)
def test_extra_columns_are_facts_of_the_clinic(kind):
    asked = ["name", "city", "phone", "clinic_lat", "distance_high_km"]
    for row in rows_of(kf.nearest_join(KINDS[kind](PEOPLE), DIRECTORY, k=2, columns=asked))[:4]:
        clinic = DIRECTORY[row["clinic_id"]]
        assert (row["name"], row["city"]) == (clinic.name, clinic.city or None)
        assert row["phone"] == (clinic.phone or None)
        assert row["clinic_lat"] == clinic.location.lat
        assert row["distance_high_km"] >= row["distance_km"]


@pytest.mark.parametrize("limit_km", [None, 120.0, 700.0])
@pytest.mark.parametrize("gaps", [slice(0, 0), slice(0, 500, 7)], ids=["all placed", "some not"])
def test_threads_and_pieces_do_not_change_the_answer(monkeypatch, limit_km, gaps):
    from ketafind.join import columns, search

    generator = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"lat": generator.uniform(42, 50, 500), "lon": generator.uniform(-90, -75, 500)}
    )
    frame.loc[gaps, "lat"] = math.nan
    asked = {"k": 3, "max_distance_km": limit_km, "columns": ["distance_low_km", "city"]}
    whole = kf.nearest_join(frame, DIRECTORY, threads=1, **asked)
    monkeypatch.setattr(search, "CHUNK", 64)
    monkeypatch.setattr(search, "LEAST_CHUNK", 64)
    monkeypatch.setattr(columns, "BLOCK", 64)
    pd.testing.assert_frame_equal(kf.nearest_join(frame, DIRECTORY, threads=2, **asked), whole)
    one_by_one = [kf.nearest_join(frame.iloc[[at]], DIRECTORY, **asked) for at in range(0, 500, 9)]
    pd.testing.assert_frame_equal(whole.loc[range(0, 500, 9)], pd.concat(one_by_one))


def test_integers_decimals_and_objects_are_read_as_numbers():
    wanted = kf.nearest_join(PEOPLE.iloc[:2], DIRECTORY)["clinic_id"].tolist()
    mixed = PEOPLE.astype({"lat": object, "lon": object}).iloc[:2]
    assert kf.nearest_join(mixed, DIRECTORY)["clinic_id"].tolist() == wanted
    whole = pa.table({"lat": pa.array([44, None]), "lon": pa.array([-76, -79])})
    assert kf.nearest_join(whole, DIRECTORY)["rank"].to_pylist() == [1, None]
    small = pl.DataFrame(
        {"lat": [44.23], "lon": [-76.48]}, schema={"lat": pl.Float32, "lon": pl.Float32}
    )
    assert kf.nearest_join(small, DIRECTORY)["clinic_id"].to_list() == wanted[:1]


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"lat": [44.2]}, "no column 'lon'.*say where the rows are with lat= and lon="),
        ({"latitude": [44.2], "lon": [-76.5]}, "no column 'lat'; its columns: 'latitude', 'lon'"),
        ({"lat": ["44.2"], "lon": [-76.5]}, 'row 0, column "lat": a number is needed, not str'),
        ({"lat": [True], "lon": [-76.5]}, "not bool"),
        ({"lat": [44.2, 91.0], "lon": [-76.5] * 2}, "row 1: lat must lie between"),
        ({"lat": [44.2, 44.2], "lon": [-76.5, math.inf]}, "row 1: lon must be a finite"),
        ({"lat": [44.2], "lon": [-76.5], "rank": [1]}, "already has a column 'rank'.*prefix="),
        ({"lat": [44.2, -76.5], "lon": [-76.5, 44.2]}, "row 1: .*lat and lon swapped"),
        ({"lat": [44.2, 0, 44.2], "lon": [-76.5, 0, 76.5]}, "row 1: .*lat and lon are both zero"),
        ({"lat": [44.2], "lon": [76.5]}, "row 0: .*sign of lon changed"),
        ({"lat": [4423000.0], "lon": [-76.5]}, "metres of a map projection|microdegrees"),
    ],
)
def test_what_cannot_be_joined_is_refused_by_name_and_shows_no_digit(kind, frame, message):
    with pytest.raises(kf.errors.InvalidInputError, match=message) as caught:
        kf.nearest_join(KINDS[kind](pd.DataFrame(frame)), DIRECTORY)
    assert "76.5" not in str(caught.value)
    assert "44" not in str(caught.value)


def test_a_mixed_column_is_refused_by_row():
    frame = pd.DataFrame({"lat": [44.2, "44.2"], "lon": [-76.5, -76.5]})
    with pytest.raises(kf.errors.InvalidInputError, match=r"row 1.*not str"):
        kf.nearest_join(frame, DIRECTORY)


def test_doubled_columns_are_refused():
    frame = pd.DataFrame([[44.2, -76.5, 44.2]], columns=["lat", "lon", "lat"])
    with pytest.raises(kf.errors.InvalidInputError, match="two columns are called 'lat'"):
        kf.nearest_join(frame, DIRECTORY)


def test_implausible_rows_are_accepted_when_asked():
    frame = pd.DataFrame({"lat": [-76.5], "lon": [44.2]})
    assert kf.nearest_join(frame, DIRECTORY, check=False)["distance_km"][0] > 10_000
    vancouver = pd.DataFrame({"lat": [49.28], "lon": [-123.12]})
    assert kf.nearest_join(vancouver, DIRECTORY)["distance_km"][0] > 1_500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be"),
        ({"how": "outer"}, "how='outer': choose 'left' or 'inner'"),
        ({"shape": "tall"}, "shape='tall'"),
        ({"columns": ["colour"]}, "cannot add the column 'colour'; it adds rank"),
        ({"lat": "lat", "address": "who"}, "say once where a row is"),
        ({"lat": "lat", "lon": "lat"}, "lat= and lon= name the same column, 'lat'"),
        ({"address": "lat"}, 'row 0, column "lat": an address is a text, not float'),
        ({"address": "who", "radius": "lat"}, "leave radius= out"),
        ({"radius": "nope"}, "no column 'nope'"),
        ({"columns": None}, "columns=None: give names"),
        ({"prefix": None}, "prefix=None: give a text"),
        ({"geometry": "who"}, "not a geometry with a coordinate reference system"),
        ({"max_distance_km": -1}, "max_distance_km must be"),
        ({"unknown": "maybe"}, "unknown='maybe'"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(arguments, message):
    with pytest.raises(kf.errors.InvalidInputError, match=message):
        kf.nearest_join(PEOPLE, DIRECTORY, **arguments)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([[44.2, -76.5]], "list is not a frame"),
        (PEOPLE["lat"], "Series is not a frame"),
        ({"lat": [1.0]}, "dict is not a frame"),
    ],
)
def test_what_is_no_frame_is_refused(frame, message):
    with pytest.raises(kf.errors.InvalidInputError, match=message):
        kf.nearest_join(frame, DIRECTORY)


@pytest.mark.parametrize("other", ["ontario", PEOPLE, None])
def test_what_is_no_directory_is_refused(other):
    with pytest.raises(kf.errors.InvalidInputError, match="must be a Directory, not "):
        kf.nearest_join(PEOPLE, other)


def test_a_prefix_renames_all_that_is_added():
    frame = PEOPLE.assign(rank=1, truth="?")
    joined = kf.nearest_join(frame, DIRECTORY, prefix="near_")
    assert joined.columns.tolist()[5:] == [
        "near_rank",
        "near_clinic_id",
        "near_distance_km",
        "near_truth",
        "near_reason",
    ]


def test_a_compiled_filter_is_taken_as_it_is():
    compiled = DIRECTORY.filter(kf.route("iv"), unknown="include")
    joined = kf.nearest_join(PEOPLE, DIRECTORY, k=9, where=compiled)
    again = kf.nearest_join(PEOPLE, DIRECTORY, k=9, routes="iv", unknown="include")
    pd.testing.assert_frame_equal(joined, again)


def test_a_progress_bar_shows_only_when_asked_for_or_watched(capsys):
    kf.nearest_join(PEOPLE, DIRECTORY, progress=True)
    assert "3.00/3.00" in capsys.readouterr().err
    kf.nearest_join(PEOPLE, DIRECTORY)
    assert capsys.readouterr().err == ""


def test_long_frames_keep_every_kind_of_column():
    frame = PEOPLE.assign(
        day=pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
        zoned=pd.to_datetime(["2026-01-01"] * 3).tz_localize("America/Toronto"),
        kind=pd.Categorical(["x", "y", "x"]),
        whole=pd.array([1, None, 3], dtype="Int64"),
        things=[[1], {"a": 2}, None],
    )
    frame.attrs["source"] = "test"
    long = kf.nearest_join(frame, DIRECTORY, k=2)
    wanted = frame.take([0, 0, 1, 1, 2])
    pd.testing.assert_frame_equal(long[frame.columns], wanted)
    assert long.attrs.pop("ketafind")["method"] == "nearest_join"
    assert long.attrs == frame.attrs == {"source": "test"}


MANY = {
    "day": [dt.date(2026, 1, 1), None, dt.date(2026, 1, 3)],
    "date": [dt.date(2026, 1, day) for day in (1, 2, 3)],
    "time": [dt.time(1, 2, 3, hour) for hour in (1, 2, 3)],
    "at": [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3)],
    "span": [dt.timedelta(seconds=day) for day in (1, 2, 3)],
    "text": ["a", None, "a text that is longer than twelve bytes"],
    "flag": [True, False, True],
    "whole": [1, None, 3],
    "small": [1.5, math.inf, -0.0],
    "price": [Decimal("1.10"), Decimal("2.20"), Decimal("3.30")],
    "list": [[1], [], [2, 3]],
}


@pytest.mark.parametrize("how", ["left", "inner"])
@pytest.mark.parametrize("whole", [True, False], ids=["all found", "one missing"])
def test_long_polars_frames_keep_every_kind_of_column(how, whole):
    lat = [44.23, 43.65 if whole else None, 43.65]
    frame = pl.DataFrame({**MANY, "lat": lat, "lon": [-76.48, -79.38, -79.38]}).with_columns(
        kind=pl.Series(["x", "y", "x"], dtype=pl.Categorical),
        huge=pl.Series([1, 2, 3], dtype=pl.Int128),
        tiny=pl.Series([1, 2, 3], dtype=pl.UInt8),
    )
    frame = pl.concat([frame[:1], frame[1:]], rechunk=False)
    long = kf.nearest_join(frame, DIRECTORY, k=2, how=how)
    places = [0, 0, 1, 1, 2, 2] if whole else [0, 0, 1, 2, 2] if how == "left" else [0, 0, 2, 2]
    assert long.select(frame.columns).equals(frame[places])
    assert long.schema["truth"] == long.schema["clinic_id"] == pl.String


@pytest.mark.parametrize("how", ["left", "inner"])
@pytest.mark.parametrize("whole", [True, False], ids=["all found", "one missing"])
def test_long_arrow_tables_keep_every_kind_of_column(how, whole):
    lat = [44.23, 43.65 if whole else None, 43.65]
    columns = {**MANY, "lat": lat, "lon": [-76.48, -79.38, -79.38]}
    padded = pa.table({name: [values[0], *values] for name, values in columns.items()})
    padded = padded.append_column("half", pa.array(np.arange(4, dtype=np.float16)))
    padded = padded.append_column("code", pa.array(list("xxyx")).dictionary_encode())
    # Pieces that begin inside a buffer.
    table = pa.concat_tables([padded.slice(1, 1), padded.slice(2, 2)])
    table = table.replace_schema_metadata({"source": "test"})
    long = kf.nearest_join(table, DIRECTORY, k=2, how=how)
    long.validate(full=True)
    places = [0, 0, 1, 1, 2, 2] if whole else [0, 0, 1, 2, 2] if how == "left" else [0, 0, 2, 2]
    assert long.select(table.column_names).equals(table.take(places))
    assert long.schema.metadata.keys() == {b"source", b"ketafind"}


def test_a_polars_frame_asks_for_pyarrow_by_the_extra_that_brings_it(monkeypatch):
    people = pl.from_pandas(PEOPLE.reset_index(drop=True))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(kf.errors.MissingExtraError, match=r"ketafind\[polars\]"):
        kf.nearest_join(people, DIRECTORY)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_row_at_fault_is_named_whatever_the_threads(monkeypatch, threads):
    from ketafind.join import search

    monkeypatch.setattr(search, "CHUNK", 32)
    monkeypatch.setattr(search, "LEAST_CHUNK", 32)
    frame = pd.DataFrame({"lat": np.full(500, 44.2), "lon": -76.5})
    frame.loc[[450, 77, 303], "lat"] = 95.0
    with pytest.raises(kf.errors.CoordinatesError, match="row 77: lat"):
        kf.nearest_join(frame, DIRECTORY, threads=threads)


def test_the_first_row_at_fault_is_named_though_a_later_one_is_found_first(monkeypatch):
    from ketafind.join import search

    monkeypatch.setattr(search, "CHUNK", 32)
    monkeypatch.setattr(search, "LEAST_CHUNK", 32)
    later_found = threading.Event()
    check_range = search.check_range

    def check(lat, lon, first_row):
        if first_row <= 7 and not later_found.wait(timeout=60):
            raise AssertionError("the part of row 40 is not searched beside that of row 7")
        try:
            return check_range(lat, lon, first_row)
        finally:
            later_found.set()

    monkeypatch.setattr(search, "check_range", check)
    frame = pd.DataFrame({"lat": np.full(64, 44.2), "lon": -76.5})
    frame.loc[[7, 40], "lat"] = 95.0
    with pytest.raises(kf.errors.CoordinatesError, match="row 7: lat"):
        kf.nearest_join(frame, DIRECTORY, threads=2)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_or_an_interrupt_ends_the_work(threads):
    begun: list[int] = []

    def work(part: int) -> None:
        begun.append(part)
        if part == 5:
            raise KeyboardInterrupt
        time.sleep(0.01)  # all of them take a minute

    with pytest.raises(KeyboardInterrupt):
        list(on_threads(work, range(10_000), threads))
    assert len(begun) < 9_000


def test_clinics_that_pass_but_stand_nowhere_are_a_reason_of_their_own():
    services = (kf.Service(service_id="s", facts={}),)
    nowhere = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A", services=services)])
    joined = kf.nearest_join(PEOPLE.iloc[:1], nowhere)
    assert joined["reason"].tolist() == ["no clinic that passes has a position"]
    joined = kf.nearest_join(PEOPLE.iloc[:1], nowhere, routes="iv")
    assert joined["reason"].tolist() == ["no clinic passes"]


def test_structs_whose_fields_are_never_null_are_repeated():
    fields, absent = [pa.field("at", pa.int64(), nullable=False)], pa.array([False, True])
    whos = pa.StructArray.from_arrays([pa.array([1, None])], fields=fields, mask=absent)
    table = pa.table({"who": whos, "lat": [44.2, 43.7], "lon": [-76.5, -79.4]})
    joined = kf.nearest_join(table, DIRECTORY, k=2)
    assert joined["who"].to_pylist() == [{"at": 1}, {"at": 1}, None, None]
    assert joined.schema.field("who").type == whos.type


def test_views_of_texts_are_repeated():
    table = pa.table(pl.DataFrame({"who": ["a", None], "lat": [44.2, 43.7], "lon": [-76.5, -79.4]}))
    assert table.schema.field("who").type == pa.string_view()
    joined = kf.nearest_join(table, DIRECTORY, k=2)
    assert joined["who"].to_pylist() == ["a", "a", None, None]
    assert joined.schema.field("who").type == pa.string_view()


def test_what_pandas_knows_of_a_frame_is_kept_and_not_shared():
    frame = PEOPLE.copy()
    frame.attrs["sources"] = ["a"]
    frame.columns.name = "fields"
    joined = kf.nearest_join(frame, DIRECTORY, k=2)
    joined.attrs["sources"].append("b")
    assert frame.attrs == {"sources": ["a"]}
    assert joined.columns.name == "fields"


def test_a_geometry_that_no_degrees_can_be_had_of_is_refused():
    point = Point(1.0e6, -4.5e6, 4.4e6)
    for crs, message in ((4978, "centre of the earth"), ("ESRI:104903", "cannot be turned into")):
        frame = gpd.GeoDataFrame(geometry=[point], crs=crs)
        with pytest.raises(kf.errors.InvalidInputError, match=message):
            kf.nearest_join(frame, DIRECTORY)


def test_a_number_that_no_float_holds_is_refused():
    frame = pd.DataFrame({"lat": pd.Series([44, 10**400], dtype=object), "lon": -76.5})
    with pytest.raises(kf.errors.CoordinatesError, match="row 1: lat must be a finite"):
        kf.nearest_join(frame, DIRECTORY)


def test_facts_of_the_service_that_answers_can_be_joined():
    joined = kf.nearest_join(PEOPLE, DIRECTORY, k=3, columns=["routes", "staff"], routes="iv")
    for row in joined.dropna(subset="rank").itertuples():
        match = next(
            one for one in DIRECTORY.search(routes="iv") if one.clinic.clinic_id == row.clinic_id
        )
        assert row.routes == ";".join(match.service.terms("route"))
        assert (row.staff if isinstance(row.staff, str) else "") == ";".join(
            match.service.terms("staff")
        )
    assert joined["routes"].str.contains("iv").tolist()[:6] == [True] * 6
    wide = kf.nearest_join(PEOPLE, DIRECTORY, k=2, shape="wide", columns=["routes"], routes="iv")
    assert wide["routes_1"].tolist()[:2] == joined["routes"].tolist()[:6:3]


def test_lazy_frames_relations_and_series_of_points_are_taken():
    duckdb = pytest.importorskip("duckdb")
    people = PEOPLE.reset_index(drop=True)
    wanted = kf.nearest_join(people, DIRECTORY)["clinic_id"].astype(object)
    wanted = wanted.where(wanted.notna(), None).tolist()
    lazy = kf.nearest_join(pl.from_pandas(people).lazy(), DIRECTORY)
    assert isinstance(lazy, pl.DataFrame)
    assert lazy["clinic_id"].to_list() == wanted
    relation = duckdb.sql("select * from people order by who")
    joined = kf.nearest_join(relation, DIRECTORY)
    assert isinstance(joined, pa.Table)
    assert joined["clinic_id"].to_pylist() == wanted
    series = kf.nearest_join(geoframe().geometry, DIRECTORY)
    assert isinstance(series, gpd.GeoDataFrame)
    assert series["clinic_id"].tolist()[:2] == wanted[:2]
    assert kf.coverage(relation, DIRECTORY, thresholds_km=50)["total"].item() == 2.0


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_remembers_where_it_comes_from_and_no_place_or_condition(kind):
    frame = KINDS[kind](PEOPLE)
    joined = kf.nearest_join(frame, DIRECTORY, conditions="ptsd", unknown="include")
    record = kf.provenance(joined)
    assert record["snapshot"] == str(DIRECTORY.snapshot)
    assert (record["version"], record["method"]) == (kf.__version__, "nearest_join")
    assert record["unknown"] == "include"
    for word in ("ptsd", "44.23", "76.48"):
        assert word not in str(record)
    told = kf.nearest_join(frame, DIRECTORY, conditions="ptsd", provenance=True)
    assert "ptsd" in str(kf.provenance(told)["criteria"])
    for paragraph, start in zip(
        kf.methods(told).split("\n\n"), ("With ketafind", "Avec ketafind"), strict=True
    ):
        assert paragraph.startswith(start)
        assert "ptsd" in paragraph
        assert DIRECTORY.snapshot.id in paragraph
    assert "ptsd" not in kf.methods(joined)
    with pytest.raises(kf.errors.InvalidInputError, match="nothing is known of where this"):
        kf.provenance(frame)


def test_what_pandas_and_pyarrow_remember_survives_parquet(tmp_path):
    import pyarrow.parquet as pq

    joined = kf.nearest_join(PEOPLE, DIRECTORY)
    joined.to_parquet(tmp_path / "a.parquet")
    assert kf.provenance(pd.read_parquet(tmp_path / "a.parquet")) == kf.provenance(joined)
    table = kf.nearest_join(KINDS["pyarrow"](PEOPLE), DIRECTORY)
    pq.write_table(table, tmp_path / "b.parquet")
    assert kf.provenance(pq.read_table(tmp_path / "b.parquet")) == kf.provenance(table)


@pytest.mark.parametrize("n", [0, 1, 126, 127, 128, 32_766, 32_767, 32_768, 100_000])
def test_codes_have_the_type_that_pandas_gives_them(n):
    codes = pd.Categorical.from_codes([-1], categories=range(n)).codes
    assert code_type(n) == codes.dtype
