"""Frames are read with the checks of CSV files, and columns become typed frames."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import DataError
from ketafind.tables.clinics import read_clinics
from ketafind.tables.frames import clinics_from_frame, frame_from_columns
from strategies import examples

COLUMNS = {
    "clinic_id": ["a", "b", "c"],
    "name": ["A", "B", "NA"],
    "lat": [44.2, None, 43.7],
    "lon": [-76.5, None, -79.4],
    "routes": ["iv;im", None, "oral"],
    "checked_on": [date(2026, 1, 2), None, None],
    "fee": ["5", None, "6"],
}
MAKERS = {
    "pandas": pd.DataFrame,
    "pandas nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas arrow": lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
}


def refusal(frame, **options):
    with pytest.raises(DataError) as caught:
        clinics_from_frame(frame, **options)
    return caught.value


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_every_kind_of_frame_gives_the_clinics_of_the_csv(make, tmp_path):
    """Numbers, dates and missing values mean what their text would."""
    path = tmp_path / "clinics.csv"
    pd.DataFrame(COLUMNS).to_csv(path, index=False)
    assert clinics_from_frame(make(COLUMNS)) == read_clinics(path)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_lists_of_terms_are_accepted(make):
    """Also numpy arrays, which pandas holds where Arrow held lists."""
    frame = make({"clinic_id": ["a", "b"], "name": ["A", "B"], "routes": [["iv", "IM"], []]})
    assert [c.services[0].routes for c in clinics_from_frame(frame)] == [("iv", "im"), ()]
    odd = pd.DataFrame({"clinic_id": ["a"], "name": ["A"], "routes": [{"im", "iv"}]})
    assert clinics_from_frame(odd)[0].services[0].routes == ("im", "iv")
    odd["routes"] = [np.array(["iv"])]
    assert clinics_from_frame(odd)[0].services[0].routes == ("iv",)


def test_faults_count_rows_by_position():
    """The index is not read, and the head of the report says how rows are counted."""
    frame = pd.DataFrame(
        {"clinic_id": ["a", "b"], "name": ["A", "B"], "routes": ["iv", "ivv"], "lat": [None, 91.0]},
        index=[70, 80],
    )
    error = refusal(frame)
    assert {fault.row for fault in error.faults} == {1}
    assert {fault.column for fault in error.faults} == {"routes", "lat"}
    assert "counted from 0" in str(error)
    assert "of the file" not in str(error)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("clinic_id", 7.0, "dtype=str"),
        ("name", True, "is a bool"),
        ("phone", 4165550100.0, "is a float"),
        ("lat", float("inf"), "finite"),
        ("lat", True, "is a bool"),
        ("lat", 1 + 2j, "complex"),
        ("lat", "43,6", "43.6"),
        ("lon", 500.0, "between -180 and 180"),
        ("city", b"Ottawa", "bytes"),
        ("city", "\ud800", "surrogate"),
        ("radius_km", -1.0, "0 to 20038"),
        ("checked_on", pd.Timestamp("2026-01-02 03:00"), "time of day"),
        ("routes", ["iv", None], "is empty"),
        ("fee", {"a": 1}, "dict"),
    ],
)
def test_a_strange_cell_of_a_frame_is_refused(column, cell, said):
    """With its row, its column and a remedy."""
    row = {"clinic_id": "a", "name": "A", "lat": 44.5, "lon": -76.5} | {column: cell}
    frame = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in row.items()})
    error = refusal(frame)
    assert (error.faults[0].row, error.faults[0].column) == (0, column)
    assert said in error.faults[0].message


def test_a_frame_that_is_read_when_asked_for_is_read():
    """A lazy frame of polars and a relation of DuckDB, as in a join."""
    duckdb = pytest.importorskip("duckdb")
    wanted = clinics_from_frame(pl.DataFrame(COLUMNS))
    table = pa.table(COLUMNS)
    for frame in (pl.LazyFrame(COLUMNS), duckdb.from_arrow(table)):
        assert clinics_from_frame(frame) == wanted


def test_a_frame_must_have_text_names_each_once():
    """The message says what to do."""
    assert "not a data frame" in str(refusal([1, 2]))
    assert "2 columns are called 'name'" in str(
        refusal(pd.DataFrame([["a", "A", "B"]], columns=["clinic_id", "name", "name"]))
    )
    assert "is not text" in str(refusal(pd.DataFrame([["a", "A"]])))
    assert "mean the same" in str(
        refusal(pd.DataFrame([["a", "A", "B"]], columns=["clinic_id", "name", "Name"]))
    )


def test_integers_bools_and_dates_are_read_as_what_they_are():
    """An integer id keeps its digits; a bool is yes or no."""
    frame = pd.DataFrame(
        {
            "clinic_id": [2**53 + 1],
            "name": ["A"],
            "virtual": [True],
            "combined": [False],
            "checked_on": [pd.Timestamp("2026-01-02")],
            "floor": [3],
        }
    )
    (clinic,) = clinics_from_frame(frame)
    assert clinic.clinic_id == "9007199254740993"
    assert clinic.services[0].flags == {"virtual": "yes"}
    assert not clinic.services[0].combined
    assert clinic.checked_on == date(2026, 1, 2)
    assert clinic.extra == {"floor": "3"}


def test_an_empty_frame_is_no_clinics():
    """With its columns, and only with them."""
    assert clinics_from_frame(pd.DataFrame({"clinic_id": [], "name": []})) == ()
    assert "no column" in str(refusal(pd.DataFrame()))


@examples(0.5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), max_size=5))
def test_coordinates_pass_through_unchanged(pairs):
    """To the last bit, from numpy columns."""
    pairs = [pair for pair in pairs if pair != (0, 0)]
    frame = pd.DataFrame(
        {
            "clinic_id": [str(i) for i in range(len(pairs))],
            "name": ["N"] * len(pairs),
            "lat": [lat for lat, _ in pairs],
            "lon": [lon for _, lon in pairs],
        }
    )
    places = [clinic.location for clinic in clinics_from_frame(frame, check=False)]
    assert [(place.lat, place.lon) for place in places] == pairs


def test_columns_become_typed_columns():
    """Missing values keep the type where pandas has a nullable one."""
    frame = frame_from_columns(
        {
            "id": ["a", "b"],
            "rank": [1, 2],
            "n": [1, None],
            "km": [1.5, None],
            "open": [True, None],
            "sure": [True, False],
            "day": [date(2026, 1, 2), None],
            "moment": [datetime(2026, 1, 2), None],  # noqa: DTZ001 - which is a date, too
            "routes": [("iv", "im"), ()],
            "none": [None, None],
            "unmeasured": [float("nan"), None],
            "array": np.array([1.0, 2.0]),
        }
    )
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "id": "string",
        "rank": "int64",
        "n": "Int64",
        "km": "float64",
        "open": "boolean",
        "sure": "bool",
        "day": "datetime64[s]",
        "moment": "datetime64[s]",
        "routes": "string",
        "none": "string",
        "unmeasured": "float64",
        "array": "float64",
    }
    assert frame["routes"].tolist() == ["iv;im", pd.NA]
    assert frame_from_columns({"id": [], "rank": []}).shape == (0, 2)


def test_a_blank_is_missing_and_never_an_empty_text():
    """isna() finds every unknown, whatever the column holds."""
    frame = frame_from_columns(
        {"phone": ["", "613 555 0100", None], "routes": [(), [], ("iv",)], "fax": ["", "", ""]}
    )
    assert frame.isna().to_numpy().tolist() == [
        [True, True, True],
        [False, True, True],
        [True, False, True],
    ]
    assert not (frame == "").any(axis=None)


def test_the_points_of_a_geodataframe_are_the_positions_of_its_clinics():
    import geopandas as gpd
    import shapely

    points = gpd.GeoSeries([shapely.Point(-76.5, 44.2), None], crs="EPSG:4326")
    plain = pd.DataFrame({"clinic_id": ["a", "b"], "name": ["A", "B"]})
    frame = gpd.GeoDataFrame(plain, geometry=points.to_crs("EPSG:3347"))
    directory = kf.Directory.from_frame(frame)
    assert directory["a"].location.lat == pytest.approx(44.2, abs=1e-7)
    assert directory["a"].location.lon == pytest.approx(-76.5, abs=1e-7)
    assert directory["b"].location is None
    stated = frame.assign(lat=[45.0, None], lon=[-75.0, None])
    assert kf.Directory.from_frame(stated)["a"].location.lat == 45.0
    with pytest.raises(kf.errors.DataError, match="has no CRS"):
        kf.Directory.from_frame(frame.set_crs(None, allow_override=True))
    lines = frame.set_geometry([shapely.LineString([(0, 0), (1, 1)]), None], crs="EPSG:4326")
    with pytest.raises(kf.errors.DataError, match="geometry"):
        kf.Directory.from_frame(lines)


def test_a_series_of_points_and_cells_of_none_are_read():
    gpd = pytest.importorskip("geopandas")
    points = gpd.GeoSeries.from_xy([-76.5, -79.4], [44.2, 43.7], crs="EPSG:4326")
    assert "clinic_id" in str(refusal(points))  # which is all that is wrong with points
    frame = pd.DataFrame({"clinic_id": ["a", "b"], "name": ["A", "B"], "phone": [None, pd.NaT]})
    assert [clinic.phone for clinic in clinics_from_frame(frame)] == ["", ""]


def test_a_shape_that_is_no_point_is_refused_by_its_row():
    gpd = pytest.importorskip("geopandas")
    points = gpd.points_from_xy([-76.5, -79.4], [44.2, 43.7], crs="EPSG:4326")
    shapes = gpd.GeoSeries(points)
    shapes[1] = shapes[1].buffer(1)
    frame = gpd.GeoDataFrame({"clinic_id": ["a", "b"], "name": ["A", "B"]}, geometry=shapes)
    (fault,) = refusal(frame).faults
    assert (fault.row, fault.column) == (1, "geometry")
    assert "a point is needed, not a Polygon; take representative_point()" in fault.message


def test_a_frame_that_is_not_in_memory_is_refused_with_the_call_that_helps():
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(pd.DataFrame({"clinic_id": ["a"], "name": ["A"]}), npartitions=1)
    assert "call compute() on it first" in str(refusal(frame))


def test_a_number_where_yes_or_no_is_asked_for_is_told_what_to_write():
    frame = pd.DataFrame({"clinic_id": ["a", "b"], "name": ["A", "B"], "virtual": [1.0, None]})
    assert '"1.0" is not an answer; write yes or no' in str(refusal(frame))
