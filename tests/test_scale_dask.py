"""A join on Dask is the same join, later: lazy, typed, with its index and its errors in place."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import ketafind as kf

dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed: the extra dask")
dask = pytest.importorskip("dask")
DIRECTORY = kf.load_directory()


def table(n: int = 60) -> pd.DataFrame:
    generator = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"lat": generator.uniform(42, 50, n), "lon": generator.uniform(-90, -75, n)},
        index=pd.Index(np.arange(n) // 2, name="household"),
    )
    frame.loc[7, "lat"] = np.nan
    return frame


@pytest.mark.parametrize("shape", ["long", "wide"])
@pytest.mark.parametrize("how", ["left", "inner"])
def test_a_dask_join_equals_the_join_in_memory(shape, how):
    asked = {
        "k": 2,
        "shape": shape,
        "how": how,
        "columns": ["city", "order_certain"],
        "routes": "iv",
        "unknown": "include",
        "max_distance_km": 300.0,
    }
    lazy = kf.nearest_join(dd.from_pandas(table(), npartitions=4), DIRECTORY, **asked)
    wanted = kf.nearest_join(table(), DIRECTORY, **asked)
    pd.testing.assert_frame_equal(lazy.compute(scheduler="threads"), wanted)
    assert lazy.dtypes.equals(wanted.dtypes)
    assert lazy.known_divisions


def test_nothing_is_computed_before_it_is_asked_for():
    def refuse(part: int) -> pd.DataFrame:
        raise AssertionError(f"partition {part} was read")

    parts = dd.from_map(refuse, range(3), meta=table().iloc[:0])
    joined = kf.nearest_join(parts, DIRECTORY, k=2)
    assert joined.columns.tolist() == [
        "lat",
        "lon",
        "rank",
        "clinic_id",
        "distance_km",
        "truth",
        "reason",
    ]
    with pytest.raises(AssertionError, match="was read"):
        joined.compute(scheduler="synchronous")


def test_the_same_join_has_the_same_name_and_another_has_another():
    parts = dd.from_pandas(table(), npartitions=2)

    def name(directory, **asked):
        return kf.nearest_join(parts, directory, **asked)._name

    again = kf.Directory.from_clinics(DIRECTORY.clinics)
    assert name(DIRECTORY, routes="iv") == name(again, routes="iv")
    other = kf.Directory.from_clinics(DIRECTORY.clinics[1:])
    names = {
        name(DIRECTORY),
        name(other),
        name(DIRECTORY, k=2),
        name(DIRECTORY, routes="iv"),
        name(DIRECTORY, routes="im"),
        name(DIRECTORY, routes="iv", unknown="include"),
    }
    assert len(names) == 6


def test_an_error_names_partition_and_row_and_no_digit():
    frame = table()
    frame.iloc[45, 0] = 95.125
    parts = dd.from_pandas(frame, npartitions=4)
    joined = kf.nearest_join(parts, DIRECTORY)
    row = 45 - sum(len(parts.partitions[at]) for at in range(3))
    with pytest.raises(kf.errors.CoordinatesError, match=f"partition 3, row {row}: lat") as caught:
        joined.compute(scheduler="threads")
    assert "95" not in str(caught.value)


def test_a_task_graph_does_not_show_what_is_sought():
    parts = dd.from_pandas(table(), npartitions=2)
    joined = kf.nearest_join(parts, DIRECTORY, conditions="ptsd", routes="iv")
    shown = f"{joined!r} {joined.expr!r} {joined.expr.tree_repr()} {dict(joined.dask)!r}"
    assert "nearest of 28 clinics" in shown
    assert "ptsd" not in shown


def test_columns_are_checked_at_once():
    parts = dd.from_pandas(table(), npartitions=2)
    with pytest.raises(kf.errors.InvalidInputError, match="no column 'latitude'"):
        kf.nearest_join(parts, DIRECTORY, lat="latitude", lon="lon")
    with pytest.raises(kf.errors.InvalidInputError, match="a number is needed"):
        kf.nearest_join(parts.astype({"lat": str}), DIRECTORY).compute()


def test_a_saved_directory_travels_by_its_path(tmp_path):
    saved = kf.Directory.from_clinics(DIRECTORY.clinics)
    saved.save(tmp_path / "ontario.ketafind")
    opened = kf.Directory.open(tmp_path / "ontario.ketafind")
    assert len(pickle.dumps(opened)) < 1000
    parts = dd.from_pandas(table(), npartitions=2)
    joined = kf.nearest_join(parts, pickle.loads(pickle.dumps(opened)), k=2)
    wanted = kf.nearest_join(table(), DIRECTORY, k=2)
    pd.testing.assert_frame_equal(joined.compute(scheduler="threads"), wanted)


def test_parquet_is_joined_in_processes_of_their_own(tmp_path):
    frame = table(20).reset_index()
    pa.parquet.write_table(pa.Table.from_pandas(frame), tmp_path / "people.parquet")
    parts = dd.read_parquet(tmp_path / "people.parquet")
    joined = kf.nearest_join(parts, DIRECTORY, k=1).compute(scheduler="processes", num_workers=1)
    wanted = kf.nearest_join(frame, DIRECTORY, k=1)
    assert joined["clinic_id"].astype(object).tolist()[:14] == wanted["clinic_id"].tolist()[:14]
    assert joined["distance_km"].tolist()[:14] == wanted["distance_km"].tolist()[:14]


def test_radii_of_a_dask_frame_are_a_column_or_one_number():
    people = dd.from_pandas(pd.DataFrame({"lat": [44.2], "lon": [-76.5]}), npartitions=1)
    with pytest.raises(kf.errors.InvalidInputError, match="a column or one number"):
        kf.nearest_join(people, kf.load_directory(), radius=[1.0])
    joined = kf.nearest_join(people, kf.load_directory(), radius=2.0)
    assert kf.provenance(joined)["radius"] == "2.0 km"
    assert len(joined) == 1


def test_what_dask_computes_remembers_where_it_comes_from_in_each_partition_and_whole():
    people = dd.from_pandas(table(20), npartitions=3)
    joined = kf.nearest_join(people, DIRECTORY, routes="iv")
    told = kf.provenance(joined)
    assert (told["method"], "criteria" in told) == ("nearest_join", False)
    assert kf.provenance(joined.partitions[1].compute(scheduler="sync")) == told
    assert kf.provenance(joined.compute(scheduler="sync")) == told
    asked = kf.nearest_join(people, DIRECTORY, routes="iv", provenance=True)
    assert kf.provenance(asked.partitions[0].compute(scheduler="sync"))["criteria"]
