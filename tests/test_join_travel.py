"""Joins and analyses by travel time and by costs equal plain work on the whole matrix."""

from __future__ import annotations

import math
import pickle

import dask.dataframe as dd
import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import CoordinatesError, InvalidInputError, UnknownClinicError
from ketafind.geo import geodesic_km
from ketafind.travel import GraphRouter, TravelTimes
from strategies import examples
from test_travel_graph import networks

TRUTHS = {"yes": kf.Truth.YES, "no": kf.Truth.NO, "unknown": None}
PASSES = {"exclude": ("yes",), "include": ("yes", "unknown"), "only": ("unknown",)}
LEVELS = {"confirmed": ("yes",), "possible": ("yes", "unknown")}
ROUTERS = ("graph", "service", "cost")


class Service:
    """A router that gives tables, with an error of its own; it notes what it is asked."""

    profile, max_speed_kmh = "car", None

    def __init__(self, graph: GraphRouter, error: tuple[float, float] = (0.8, 1.25)) -> None:
        self.graph, self.error = graph, error
        self.asked: list[tuple[bytes, bytes]] = []

    def times(self, origins, targets, *, limit_min: float = math.inf) -> TravelTimes:
        self.asked += [(one.tobytes(), other.tobytes()) for one in origins for other in targets]
        return self.graph.times(origins, targets, limit_min=limit_min)


@st.composite
def cases(draw):
    """A network, clinics that offer what is asked for, do not, or may, and rows of people."""
    graph = GraphRouter.from_edges(*draw(networks()))
    near = st.tuples(st.floats(43.99, 44.06), st.floats(-78.01, -77.94))
    spots = draw(st.lists(near, min_size=1, max_size=3))
    place = st.sampled_from(spots) | near | st.none()
    answers = st.sampled_from(["yes", "yes", "unknown", "no"])
    known = draw(st.lists(st.tuples(place, answers), min_size=1, max_size=6))
    clinics = []
    for at, (where, truth) in enumerate(known):
        facts = {} if truth == "unknown" else {"route": {"iv": TRUTHS[truth]}}
        location = None if where is None else kf.Location(lat=where[0], lon=where[1])
        clinics.append(
            kf.Clinic(
                clinic_id=f"c{at}",
                name="C",
                services=(kf.Service(service_id="s", facts=facts),),
                location=location,
            )
        )
    rows = draw(st.lists(st.none() | near | st.sampled_from(spots), min_size=1, max_size=6))
    frame = pd.DataFrame(
        {
            "lat": [math.nan if one is None else one[0] for one in rows],
            "lon": [math.nan if one is None else one[1] for one in rows],
            "people": draw(
                st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=len(rows), max_size=len(rows))
            ),
        },
        index=[f"row {at}" for at in range(len(rows))],
    )
    return graph, clinics, [truth for _, truth in known], frame


def matrix(graph: GraphRouter, clinics, frame: pd.DataFrame) -> np.ndarray:
    """Minutes from every row to every clinic; infinite where there is no way."""
    minutes = np.full((len(frame), len(clinics)), np.inf)
    rows = np.flatnonzero(frame["lat"].notna())
    columns = [at for at, one in enumerate(clinics) if one.location is not None]
    places = np.array([(clinics[at].location.lat, clinics[at].location.lon) for at in columns])
    if len(rows) and columns:
        found = graph.times(frame[["lat", "lon"]].to_numpy()[rows], places).minutes
        minutes[np.ix_(rows, columns)] = np.nan_to_num(found, nan=np.inf)
    return minutes


def table_of(minutes: np.ndarray, frame: pd.DataFrame, clinics) -> pd.DataFrame:
    rows, columns = np.nonzero(np.isfinite(minutes))
    ids = np.array([one.clinic_id for one in clinics])
    return pd.DataFrame(
        {
            "clinic_id": ids[columns],
            "minutes": minutes[rows, columns],
            "origin": frame.index.to_numpy()[rows],
        }
    ).astype({"clinic_id": object, "origin": object})


def way(kind: str, graph, minutes, frame, clinics) -> dict:
    """The argument that says how one gets there, and the error of its times."""
    if kind == "cost":
        # A row of which nothing is known, so that the table is never of other origins alone.
        table = table_of(minutes, frame, clinics)
        unknown = {"clinic_id": clinics[0].clinic_id, "minutes": math.nan, "origin": frame.index[0]}
        if not ((table["origin"] == frame.index[0]) & (table["clinic_id"] == "c0")).any():
            table = pd.concat([table, pd.DataFrame([unknown])])
        return {"cost": table}
    return {"router": graph if kind == "graph" else Service(graph)}


def near_half(minutes) -> bool:
    """Whether the last bits of a sum decide how some time is rounded to the millisecond."""
    part = np.mod(minutes[np.isfinite(minutes)] * 60_000, 1.0)
    return bool((np.abs(part - 0.5) < 1e-6).any())


def whole_ms(minutes):
    return np.rint(np.asarray(minutes) * 60_000)


@pytest.mark.parametrize("kind", ROUTERS)
@given(
    case=cases(),
    k=st.integers(1, 4),
    unknown=st.sampled_from([*PASSES]),
    limit=st.none() | st.sampled_from([0.0, 1.0, 5.0]),
)
@examples(0.3)
def test_a_join_by_time_equals_every_time_sorted(kind, case, k, unknown, limit):
    graph, clinics, truths, frame = case
    directory = kf.Directory.from_clinics(clinics)
    minutes = matrix(graph, clinics, frame)
    if near_half(minutes):
        return
    joined = kf.nearest_join(
        frame.assign(row=range(len(frame))), directory, k=k, unknown=unknown, routes="iv",
        max_time_min=limit, how="inner", **way(kind, graph, minutes, frame, clinics),
    )  # fmt: skip
    wanted = []
    for row in range(len(frame)):
        near = [
            (whole_ms(minutes[row, at]), one.clinic_id, minutes[row, at])
            for at, one in enumerate(clinics)
            if truths[at] in PASSES[unknown] and math.isfinite(minutes[row, at])
        ]
        near = [one for one in sorted(near)[:k] if limit is None or one[0] <= whole_ms(limit)]
        wanted += [(row, rank, *one[1:]) for rank, one in enumerate(near, 1)]
    found = joined[["row", "rank", "clinic_id", "travel_time_min"]]
    assert [tuple(one[:3]) for one in found.itertuples(index=False)] == [w[:3] for w in wanted]
    np.testing.assert_allclose(found["travel_time_min"], [w[3] for w in wanted], atol=1e-9)
    places = {one.clinic_id: one.location for one in clinics}
    for one in joined.itertuples():
        place = places[one.clinic_id]
        km = float(geodesic_km(one.lat, one.lon, place.lat, place.lon))
        assert one.distance_km == pytest.approx(km, abs=1e-9)


def ends_of(minutes, truths, kind):
    """The nearest of each row: surely, confirmed, possible, perhaps."""
    low, high = (0.8, 1.25) if kind == "service" else (1.0, 1.0)
    sure, maybe = (
        np.min(minutes, axis=1, initial=np.inf, where=np.isin(truths, passes)[None, :])
        for passes in LEVELS.values()
    )
    return {"low": sure * high, "confirmed": sure, "possible": maybe, "high": maybe * low}


@pytest.mark.parametrize("kind", ROUTERS)
@given(case=cases(), limit=st.sampled_from([0.0, 1.0, 2.5, 6.0]))
@examples(0.3)
def test_coverage_and_gaps_by_time_equal_plain_sums(kind, case, limit):
    graph, clinics, truths, frame = case
    directory = kf.Directory.from_clinics(clinics)
    minutes = matrix(graph, clinics, frame)
    if near_half(np.concatenate([minutes, 0.8 * minutes, 1.25 * minutes])):
        return
    asked = {"routes": "iv", "weight": "people", "thresholds_min": limit}
    asked |= way(kind, graph, minutes, frame, clinics)
    reach = kf.coverage(frame, directory, **asked)
    counted = frame["people"].where(frame["lat"].notna() | (kind == "cost"), 0.0).to_numpy()
    nearest = ends_of(minutes, truths, kind)
    assert reach["threshold_min"].tolist() == [limit]
    assert reach["total"].item() == counted.sum()
    assert reach["without_way"].item() == counted[np.isinf(nearest["possible"])].sum()
    for end, values in nearest.items():
        near = whole_ms(values) <= whole_ms(limit)
        assert reach[f"covered_{end}"].item() == pytest.approx(counted[near].sum())
    gaps = kf.gaps(frame.assign(row=range(len(frame))), directory, **asked)
    there = frame["lat"].notna().to_numpy() | (kind == "cost")
    beyond = there & (whole_ms(nearest["confirmed"]) > whole_ms(limit))
    assert set(gaps["row"]) == set(np.flatnonzero(beyond))
    assert gaps["travel_time_confirmed_min"].is_monotonic_decreasing
    for name, end in (("high", "low"), ("confirmed", "confirmed"), ("low", "high")):
        values = nearest[end][gaps["row"]]
        np.testing.assert_allclose(gaps[f"travel_time_{name}_min"], values, atol=1e-9)
        np.testing.assert_allclose(
            gaps[f"gap_{name}_min"], np.maximum(values - limit, 0.0), atol=1e-9
        )


@pytest.mark.parametrize("kind", ROUTERS)
@given(case=cases(), method=st.sampled_from(["2sfca", "gravity", "raam"]))
@examples(0.3)
def test_access_by_time_equals_plain_sums_and_its_interval_holds_them(kind, case, method):
    graph, clinics, truths, frame = case
    directory = kf.Directory.from_clinics(clinics)
    minutes = matrix(graph, clinics, frame)
    if near_half(np.concatenate([minutes, 0.8 * minutes, 1.25 * minutes])):
        return
    scored = kf.access_score(
        frame, directory, method=method, catchment_min=3.0, weight="people", routes="iv",
        decay=(lambda far: 1.0 / (1.0 + far)) if method == "gravity" else None,
        **way(kind, graph, minutes, frame, clinics),
    )  # fmt: skip
    there = frame["lat"].notna().to_numpy() | (kind == "cost")
    near = whole_ms(minutes) <= whole_ms(3.0)
    for level, passes in LEVELS.items():
        chosen = np.isin(truths, passes)[None, :]
        reached = (near & chosen).any(axis=1)
        assert scored[f"covered_{level}"][there].tolist() == reached[there].tolist()
        if method == "raam":
            paid = reached & there & (frame["people"] > 0)
            assert scored[f"access_{level}"].notna().tolist() == paid.tolist()
            continue
        if method == "gravity":
            parts = np.where(near & chosen, 1.0 / (1.0 + np.where(near, minutes, 0.0)), 0.0)
        else:
            sought = (near * np.where(there, frame["people"], 0.0)[:, None]).sum(axis=0)
            share = np.divide(1.0, sought, out=np.zeros(len(sought)), where=sought > 0)
            parts = near * chosen * share
        wanted = np.where(there, parts.sum(axis=1), np.nan)
        np.testing.assert_allclose(scored[f"access_{level}"], wanted, rtol=1e-9, atol=1e-12)
        assert (scored["access_low"] <= scored[f"access_{level}"] + 1e-12)[there].all()
        assert (scored[f"access_{level}"] <= scored["access_high"] + 1e-12)[there].all()


@pytest.mark.parametrize("kind", ROUTERS)
def test_the_best_site_by_time_adds_most(kind):
    graph, frame, clinics = town()
    directory = kf.Directory.from_clinics(clinics[:1])
    sites = pd.DataFrame(
        {
            "clinic_id": [one.clinic_id for one in clinics[1:]],
            "lat": [one.location.lat for one in clinics[1:]],
            "lon": [one.location.lon for one in clinics[1:]],
        }
    )
    minutes = matrix(graph, clinics, frame)
    argument = way(kind, graph, minutes, frame, clinics)
    best = kf.best_sites(frame, directory, sites, n=1, thresholds_min=[2.0, 4.0], **argument)
    for limit, row in zip([2.0, 4.0], best.iloc[::2].itertuples(), strict=True):
        near = whole_ms(minutes) <= whole_ms(limit)
        adds = (near[:, 1:] & ~near[:, :1]).sum(axis=0)
        assert row.newly_covered == adds.max() > 0
        assert adds[int(row.clinic_id[1:]) - 1] == adds.max()
        assert row.share_before == near[:, 0].mean()
    assert best["threshold_min"].tolist() == [2.0, 2.0, 4.0, 4.0]


def town(n: int = 6, error: tuple[float, float] | None = None):
    """A grid of streets, every other one-way, with people and clinics along it."""
    node = np.arange(n * n)
    nodes = {"node": node, "lat": 44 + node // n * 0.01, "lon": -78 + node % n * 0.01}
    edges = [(a, a + 1, 1.0) for a in node if a % n < n - 1]
    edges += [(b, a, 1.0) for a, b, _ in edges if a // n % 2]
    edges += [pair for a in node[:-n] for pair in ((a, a + n, 1.5), (a + n, a, 1.5))]
    table = pd.DataFrame(edges, columns=["source", "target", "minutes"])
    graph = GraphRouter.from_edges(table, nodes)
    if error:
        graph.error = error
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"lat": rng.uniform(44, 44.05, 40), "lon": rng.uniform(-78, -77.95, 40), "people": 1.0}
    )
    clinics = [
        kf.Clinic(
            clinic_id=f"c{at}",
            name=f"Clinic {at}",
            services=(kf.Service(service_id="s", facts={"route": {"iv": kf.Truth.YES}}),),
            location=kf.Location(lat=44 + 0.009 * at, lon=-77.99 + 0.007 * at),
        )
        for at in range(5)
    ]
    return graph, frame, clinics


KINDS = {
    "polars": pl.from_pandas,
    "polars, lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "geopandas": lambda frame: gpd.GeoDataFrame(
        frame.drop(columns=["lat", "lon"]),
        geometry=gpd.points_from_xy(frame["lon"], frame["lat"]),
        crs="EPSG:4326",
    ),
    "dask": lambda frame: dd.from_pandas(frame, npartitions=3),
}


def plain(frame) -> pd.DataFrame:
    if hasattr(frame, "compute"):
        frame = frame.compute()
    return frame.to_pandas() if hasattr(frame, "to_pandas") else pd.DataFrame(frame)


@pytest.mark.parametrize("shape", ["long", "wide"])
@pytest.mark.parametrize("by", ["router", "cost"])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_every_kind_are_joined_alike(kind, by, shape):
    graph, frame, clinics = town(error=(0.9, 1.2))
    frame["origin"] = [f"person {at}" for at in range(len(frame))]
    directory = kf.Directory.from_clinics(clinics)
    named = frame.set_index("origin")
    cost = table_of(matrix(graph, clinics, frame), named, clinics)
    asked = {"k": 2, "shape": shape, by: graph if by == "router" else cost}
    asked["columns"] = ["name"] if by == "cost" else ["travel_time_low_min", "travel_time_high_min"]
    wanted = kf.nearest_join(frame, directory, **asked)
    found = plain(kf.nearest_join(KINDS[kind](frame), directory, **asked))
    added = [name for name in wanted if name not in frame]
    assert [name for name in found if name not in (*frame, "geometry")] == added
    for name in added:
        one, other = (table[name].astype(object).tolist() for table in (found, wanted))
        assert [None if a != a else a for a in one] == [None if b != b else b for b in other]
    time = [name for name in added if name.startswith("travel_time_min")]
    assert len(time) == (2 if shape == "wide" else 1)
    assert wanted[time].notna().all(axis=None)


def test_times_lie_in_intervals_of_the_router_s_error_and_of_what_positions_may_be_off():
    graph, frame, clinics = town(error=(0.9, 1.2))
    exact = kf.Directory.from_clinics(clinics)
    ends = ["travel_time_low_min", "travel_time_high_min"]
    joined = kf.nearest_join(frame, exact, k=2, router=graph, columns=ends)
    np.testing.assert_allclose(joined[ends[0]], 0.9 * joined["travel_time_min"])
    np.testing.assert_allclose(joined[ends[1]], 1.2 * joined["travel_time_min"])
    wide = kf.nearest_join(frame, exact, k=2, router=graph, columns=ends, radius=2.0)
    assert (wide[ends[0]] < joined[ends[0]]).all()
    # At least a minute for each kilometre that the interval of the distance is longer.
    assert (wide[ends[1]] > joined[ends[1]] + 1.0).all()
    near = kf.coverage(frame, exact, router=graph, thresholds_min=4, radius=2.0)
    parts = [near[f"covered_{end}"].item() for end in ("low", "confirmed", "possible", "high")]
    assert parts == sorted(parts)
    assert parts[0] < parts[1] < parts[3]


def test_a_service_is_asked_about_each_pair_once_by_an_analysis():
    graph, frame, clinics = town()
    directory = kf.Directory.from_clinics(clinics)
    for analysis in (
        lambda router: kf.access_score(frame, directory, router=router, method="3sfca"),
        lambda router: kf.coverage(frame, directory, router=router),
        lambda router: kf.gaps(frame, directory, router=router, thresholds_min=2),
        lambda router: kf.nearest_join(frame, directory, router=router, k=3),
    ):
        service = Service(graph)
        analysis(service)
        assert len(service.asked) == len(set(service.asked)) == len(frame) * len(clinics)


def test_rows_and_clinics_need_no_position_where_costs_are_one_s_own():
    clinics = [kf.Clinic(clinic_id=name, name=name) for name in ("east", "west")]
    directory = kf.Directory.from_clinics(clinics)
    frame = pd.DataFrame({"origin": ["a", "b", "c", "a"]})
    cost = pd.DataFrame(
        {
            "origin": ["a", "a", "b"],
            "clinic_id": ["east", "west", "west"],
            "dollars": [9.0, 7.5, 20],
        }
    )
    joined = kf.nearest_join(frame, directory, k=2, cost=cost)
    assert joined["clinic_id"].tolist()[:3] == ["west", "east", "west"]
    assert joined["cost"].tolist()[:3] == [7.5, 9.0, 20.0]
    assert joined["distance_km"].isna().all()
    assert joined["reason"].dropna().tolist() == ["no way to a clinic that passes"]
    assert kf.provenance(joined)["n_missing"] == 3
    near = kf.coverage(frame, directory, cost=cost, thresholds_min=10)
    assert near[["threshold_cost", "total", "without_way", "covered_confirmed"]].iloc[
        0
    ].tolist() == [10.0, 4.0, 1.0, 2.0]
    gaps = kf.gaps(frame, directory, cost=cost, thresholds_min=10)
    assert gaps["cost_confirmed"].tolist() == [math.inf, 20.0]
    assert gaps["gap_confirmed_cost"].tolist() == [math.inf, 10.0]


def test_a_cost_without_end_is_no_way():
    frame = pd.DataFrame({"place": ["a", "b"]})
    directory = kf.Directory.from_clinics([kf.Clinic(clinic_id="c", name="C")])
    cost = pd.DataFrame({"origin": [0, 1], "clinic_id": "c", "minutes": [np.inf, 3.0]})
    for name in ("minutes", "dollars"):
        paid = cost.rename(columns={"minutes": name})
        joined = kf.nearest_join(frame, directory, cost=paid, unknown="include")
        assert joined["clinic_id"].astype(object).where(
            joined["clinic_id"].notna(), ""
        ).tolist() == ["", "c"]
        reach = kf.coverage(
            frame, directory, cost=paid, thresholds_min=1e100, where=kf.everything()
        )
        assert reach["covered_possible"].item() == 1.0


def test_why_a_row_has_no_clinic_is_named():
    graph, _, clinics = town()
    directory = kf.Directory.from_clinics(clinics)
    rows = pd.DataFrame({"lat": [44.0, 46.0, math.nan], "lon": [-78.0, -78.0, -78.0]})
    joined = kf.nearest_join(rows, directory, router=graph, max_time_min=0.5)
    reasons = ["no clinic within max_time_min", "no road near", "no position"]
    assert joined["reason"].tolist() == reasons
    none = kf.nearest_join(rows, directory, router=graph, routes="oral", unknown="exclude")
    assert none["reason"].tolist() == ["no clinic passes", "no clinic passes", "no position"]


def test_what_was_done_is_remembered_and_no_place_is():
    graph, frame, clinics = town(error=(0.9, 1.2))
    directory = kf.Directory.from_clinics(clinics)
    joined = kf.nearest_join(frame, directory, router=graph)
    record = kf.provenance(joined)
    assert (record["router"], record["profile"]) == ("GraphRouter", "car")
    assert (record["interval"], record["n_missing"]) == ([0.9, 1.2], 0)
    text = kf.methods(joined)
    assert "free-flow times by GraphRouter" in text
    assert "circulation fluide selon GraphRouter" in text
    assert str(frame["lat"][0]) not in repr(record)
    cost = pd.DataFrame({"origin": [0], "clinic_id": ["c0"], "minutes": [3.0]})
    said = kf.methods(kf.coverage(frame, directory, cost=cost, thresholds_min=5))
    assert "Costs (minutes) are the authors' own" in said
    assert "199 have none" in said


def test_areas_from_which_a_clinic_is_reached_hold_who_reaches_it_in_time():
    graph, frame, clinics = town(error=(0.8, 1.25))
    directory = kf.Directory.from_clinics(clinics[1:3])
    areas = kf.catchments(frame, directory, router=graph, thresholds_min=[2, 5])
    assert areas.crs == "EPSG:4326"
    assert areas["threshold_min"].tolist() == [2.0, 5.0] * 4
    minutes = matrix(graph, clinics[1:3], frame)
    snap = graph.snap(frame[["lat", "lon"]].to_numpy())
    on = [
        graph._line(int(r), float(f), float(f))
        for r, f in zip(snap.road, snap.fraction, strict=True)
    ]
    for at, area in enumerate(areas[areas["supply"] == "confirmed"].itertuples()):
        times = minutes[:, at // 2]
        assert area.weight == (times <= area.threshold_min).sum()
        assert area.weight_low == (1.25 * times <= area.threshold_min).sum()
        assert area.weight_high == (0.8 * times <= area.threshold_min).sum()
        inside = [area.geometry.covers(shapely.Point(one.coords[0])) for one in on]
        assert all(
            one for one, time in zip(inside, times, strict=True) if time <= area.threshold_min
        )
        assert area.area_km2 > 0
    first, second = areas.geometry[0], areas.geometry[1]
    assert second.area > first.area
    usual = kf.catchments(frame, directory, router=graph)
    assert usual["threshold_min"].tolist() == [15.0, 30.0, 60.0] * 4
    for wrong in (
        {"router": graph, "region": shapely.box(-79, 43, -77, 45)},
        {"router": Service(graph)},
    ):
        with pytest.raises(InvalidInputError, match="draws by isochrone"):
            kf.catchments(frame, directory, **wrong)


def test_the_usual_times_are_those_that_are_written():
    graph, frame, clinics = town()
    directory = kf.Directory.from_clinics(clinics[1:3])
    table = kf.coverage(frame, directory, router=graph)
    assert table["threshold_min"].tolist() == [15, 30, 60, 120]
    assert table["without_way"].tolist() == [0.0] * 4
    assert list(kf.provenance(table)["settings"]["thresholds_min"]) == [15, 30, 60, 120]
    with pytest.raises(CoordinatesError, match=r"row 0: .*swapped"):
        kf.coverage(frame.rename(columns={"lat": "lon", "lon": "lat"}), directory, router=graph)
    slow = GraphRouter.from_edges(
        pd.DataFrame({"source": [0, 1], "target": [1, 0], "minutes": 100.0}),
        {"node": [0, 1], "lat": [44.0, 44.1], "lon": [-78.0, -78.0]},
    )
    ends = pd.DataFrame({"lat": [44.0, 44.1], "lon": -78.0})
    there = kf.Directory.from_clinics(
        [kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=44.0, lon=-78.0))]
    )
    assert kf.gaps(ends, there, router=slow)["threshold_min"].tolist() == [60.0]
    best = kf.best_sites(ends, there, ends, router=slow)
    assert best["threshold_min"].tolist() == [60.0, 60.0]
    assert best["lat"].tolist() == [44.1, 44.1]
    # Who is exactly as far as the threshold is within reach.
    asked = {"router": slow, "thresholds_min": [100, 99.999]}
    best = kf.best_sites(ends, there, ends, **asked)
    assert best["share_before"].tolist() == [1.0, 1.0, 0.5, 0.5]
    best = kf.best_sites(ends, kf.Directory.from_clinics([]), ends.iloc[:1], **asked)
    assert best["newly_covered"].tolist() == [2.0, 2.0, 1.0, 1.0]
    scored = kf.access_score(ends, there, router=slow, method="raam")
    stated = kf.access_score(ends, there, router=slow, method="raam", catchment_min=60, tau_min=60)
    pd.testing.assert_frame_equal(scored, stated)
    assert scored["access_confirmed"].isna().tolist() == [False, True]


def test_a_router_is_pickled_with_its_network():
    graph, frame, _ = town(error=(0.9, 1.2))
    again = pickle.loads(pickle.dumps(graph))
    places = frame[["lat", "lon"]].to_numpy()
    assert np.array_equal(again.times(places, places).minutes, graph.times(places, places).minutes)
    assert again.error == (0.9, 1.2)


COST = {"origin": [0, 1], "clinic_id": ["c0", "c0"], "minutes": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ({"origin": [0], "clinic_id": ["c0"]}, "one column of costs, such as minutes"),
        ({**COST, "a": [1, 2], "minutes": [-1.0, 2.0]}, "row 0, minutes: a cost is 0 or more"),
        ({"origin": [0], "clinic_id": ["c0"], "a": [1], "b": [2]}, "these are left: 'a', 'b'"),
        ({"place": [0], "clinic_id": ["c0"], "minutes": [1]}, "no column 'origin'"),
        ({**COST, "origin": [1, 1]}, "row 1: this pair stands there already"),
        ({**COST, "origin": [0, None]}, "row 1: the origin is missing"),
        ({**COST, "clinic_id": [None, "c0"]}, "row 0: the clinic_id is missing"),
        ({**COST, "origin": ["x", "y"]}, "no row for any origin of the frame"),
    ],
)
def test_costs_that_cannot_be_used_are_refused_by_row_and_name(cost, message):
    _, frame, clinics = town()
    directory = kf.Directory.from_clinics(clinics)
    with pytest.raises(InvalidInputError, match=message):
        kf.nearest_join(frame, directory, cost=pd.DataFrame(cost))


def test_costs_of_a_clinic_that_is_not_there_and_two_ways_to_go_are_refused():
    graph, frame, clinics = town()
    directory = kf.Directory.from_clinics(clinics)
    with pytest.raises(UnknownClinicError, match="c9"):
        kf.coverage(frame, directory, cost=pd.DataFrame({**COST, "clinic_id": ["c0", "c9"]}))
    with pytest.raises(InvalidInputError, match="router= or cost=, not both"):
        kf.gaps(frame, directory, cost=pd.DataFrame(COST), router=graph)
    with pytest.raises(InvalidInputError, match="column 'origin' with the same names"):
        kf.nearest_join(pl.from_pandas(frame), directory, cost=pd.DataFrame(COST))
    with pytest.raises(InvalidInputError, match="max_distance_km= with straight lines"):
        kf.nearest_join(frame, directory, router=graph, max_distance_km=5)
    with pytest.raises(InvalidInputError, match="cannot add the column 'order_certain'"):
        kf.nearest_join(frame, directory, router=graph, columns=["order_certain"])
