"""Coverage, gaps and access scores equal plain sums over every pair, and PySAL where it counts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
import oracle
from ketafind.access.demand import WithinDistance
from ketafind.geo import distance_interval_km, geodesic_km, micrometres
from strategies import clinic_lists, criteria, expressions, origins

DIRECTORY = kf.load_directory()
LEVELS = {"confirmed": "exclude", "possible": "include"}
people = st.lists(
    st.tuples(st.none() | origins, st.sampled_from([0.0, 1.0, 2.5])), min_size=1, max_size=5
)


def frame_of(rows) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lat": [math.nan if one is None else one.lat for one, _ in rows],
            "lon": [0.0 if one is None else one.lon for one, _ in rows],
            "people": [weight for _, weight in rows],
        },
        index=[3] * len(rows),
    )


def clear_of(km: float, limit_km: float) -> bool:
    """Whether two libraries must agree on which side of a limit a distance is."""
    return abs(km - limit_km) > oracle.TIE_KM


@given(clinics=clinic_lists(), rows=people, expression=expressions)
def test_coverage_counts_what_a_plain_sum_counts(clinics, rows, expression):
    directory = kf.Directory.from_clinics(clinics, check=False)
    limits = [0.0, 800.0, 9000.0]
    table = kf.coverage(
        frame_of(rows),
        directory,
        thresholds_km=limits,
        weight="people",
        where=criteria(expression),
        check=False,
    )
    assert table["total"].tolist() == [sum(w for one, w in rows if one is not None)] * 3
    assert table["without_position"].tolist() == [sum(w for one, w in rows if one is None)] * 3
    for level, unknown in LEVELS.items():
        for limit, covered in zip(limits, table[f"covered_{level}"], strict=True):
            sure = sum(
                w
                for one, w in rows
                if one is not None
                and oracle.within(clinics, expression, unknown, one, limit - oracle.TIE_KM)
            )
            most = sum(
                w
                for one, w in rows
                if one is not None
                and oracle.within(clinics, expression, unknown, one, limit + oracle.TIE_KM)
            )
            assert sure <= covered <= most
    assert (table["covered_confirmed"] <= table["covered_possible"]).all()
    assert table["share_possible"].dropna().between(0, 1).all()
    assert table["share_possible"].isna().equals(table["total"] == 0)


def test_coverage_keeps_whole_numbers_as_groups_and_refuses_a_group_it_would_overwrite():
    places = [44.2, 44.3, 44.4]
    frame = pd.DataFrame({"lat": places, "lon": [-76.5] * 3, "total": [35, None, 35]})
    frame["area"] = frame["total"].astype("Int64")
    parts = kf.coverage(frame, DIRECTORY, by=["area", "area"], thresholds_km=25)
    assert parts["area"].dtype == "Int64"
    assert parts["total"].tolist() == [2.0, 1.0]
    with pytest.raises(kf.errors.InvalidInputError, match="by='total' is a column of the answer"):
        kf.coverage(frame, DIRECTORY, by="total")
    with pytest.raises(
        kf.errors.InvalidInputError, match="cannot be grouped: unhashable type: 'list'"
    ):
        kf.coverage(frame.assign(area=[[1], [2], [1]]), DIRECTORY, by="area")
    none = kf.coverage(frame.head(0), DIRECTORY, thresholds_km=25)
    assert (none["total"].dtype, none["covered_possible"].dtype) == (float, float)


def test_coverage_by_groups_adds_up_and_keeps_missing_groups():
    codes = kf.ontario_postal_codes().iloc[::500].copy()
    codes["group"] = np.where(codes["rural"], "rural", None)
    parts = kf.coverage(codes, DIRECTORY, by=["group", "rural"], thresholds_km=[25, 100])
    whole = kf.coverage(codes, DIRECTORY, thresholds_km=[25, 100])
    assert parts["group"].isna().sum() == 2
    sums = parts.groupby("threshold_km")[["total", "covered_confirmed", "covered_possible"]].sum()
    pd.testing.assert_frame_equal(
        sums.reset_index(drop=True),
        whole[["total", "covered_confirmed", "covered_possible"]],
    )
    assert whole.attrs["snapshot"] == str(DIRECTORY.snapshot)


def test_a_share_of_nothing_is_missing():
    none = pd.DataFrame({"lat": [], "lon": []}, dtype=float)
    assert kf.coverage(none, DIRECTORY).filter(like="share").isna().all(axis=None)
    groups = pd.DataFrame({"lat": [44.2, math.nan], "lon": -76.5, "kind": ["here", "nowhere"]})
    table = kf.coverage(groups, DIRECTORY, by="kind", thresholds_km=50).set_index("kind")
    assert table.filter(like="share").isna().all(axis=1).tolist() == [False, True]
    assert table["covered_possible"].tolist() == [1.0, 0.0]


@given(clinics=clinic_lists(), rows=people, expression=expressions)
def test_gaps_are_the_rows_beyond_worst_first(clinics, rows, expression):
    directory = kf.Directory.from_clinics(clinics, check=False)
    frame = frame_of(rows).assign(row=range(len(rows)))
    found = kf.gaps(
        frame,
        directory,
        thresholds_km=900.0,
        weight="people",
        where=criteria(expression),
        check=False,
    )
    nearest = {}
    for number, (one, _) in enumerate(rows):
        if one is not None:
            near = oracle.within(clinics, expression, "exclude", one)[:1]
            nearest[number] = oracle.distance_km(one, near[0]) if near else math.inf
    beyond = {row for row, km in nearest.items() if km > 900.0 and clear_of(km, 900.0)}
    assert beyond <= set(found["row"]) <= {row for row, km in nearest.items() if km > 899.9}
    assert found["distance_confirmed_km"].is_monotonic_decreasing
    for row in found.itertuples():
        assert math.isinf(row.distance_confirmed_km) == math.isinf(nearest[row.row])
        if math.isfinite(row.distance_confirmed_km):
            assert row.distance_confirmed_km == pytest.approx(nearest[row.row], abs=1e-8)
            assert row.gap_confirmed_km == row.distance_confirmed_km - 900.0
        assert 0.0 <= row.gap_possible_km <= row.gap_confirmed_km
        assert row.Index == 3


def test_gaps_of_a_polars_frame_are_one_and_equal():
    codes = kf.ontario_postal_codes().iloc[::2000]
    wanted = kf.gaps(codes, DIRECTORY, thresholds_km=100.0, routes="iv")
    found = kf.gaps(pl.from_pandas(codes), DIRECTORY, thresholds_km=100.0, routes="iv")
    assert isinstance(found, pl.DataFrame)
    assert found["postal_code"].to_list() == wanted["postal_code"].tolist()
    assert found["gap_possible_km"].to_list() == wanted["gap_possible_km"].tolist()


def test_gaps_of_several_thresholds_are_those_of_each_one_after_the_other():
    codes = kf.ontario_postal_codes().iloc[::2000]
    both = kf.gaps(codes, DIRECTORY, thresholds_km=[100, 30])
    each = [kf.gaps(codes, DIRECTORY, thresholds_km=km) for km in (100, 30)]
    pd.testing.assert_frame_equal(both, pd.concat(each))
    assert both["threshold_km"].unique().tolist() == [100.0, 30.0]


def brute_access(rows, clinics, expression, unknown, weights_of, compete):
    """Two sums over every pair, in plain Python."""
    score = [0.0 if one is not None else math.nan for one, _ in rows]
    for clinic in clinics:
        if clinic.location is None or oracle.truth(expression, clinic) not in (
            {"yes"} if unknown == "exclude" else {"yes", "unknown"}
        ):
            continue
        near = {
            number: weights_of(oracle.distance_km(one, clinic))
            for number, (one, _) in enumerate(rows)
            if one is not None
        }
        sought = sum(rows[number][1] * weight for number, weight in near.items())
        for number, weight in near.items():
            if compete and sought == 0.0:
                continue
            score[number] += weight / sought if compete else weight
    return score


STEPS = {"2sfca": {3000.0: 1.0}, "e2sfca": {1000.0: 1.0, 2000.0: 0.68, 3000.0: 0.22}}


@given(
    clinics=clinic_lists(),
    rows=people,
    expression=expressions,
    method=st.sampled_from(["2sfca", "e2sfca", "gravity"]),
)
def test_access_equals_two_plain_sums(clinics, rows, expression, method):
    directory = kf.Directory.from_clinics(clinics, check=False)
    steps = STEPS.get(method, {3000.0: 0.5})
    for one, _ in rows:
        for clinic in clinics:
            if one is not None and clinic.location is not None:
                km = oracle.distance_km(one, clinic)
                if not all(clear_of(km, end) for end in (1000.0, 2000.0, 3000.0)):
                    return

    def weights_of(km: float) -> float:
        return next((weight for end, weight in steps.items() if km <= end), 0.0)

    scored = kf.access_score(
        frame_of(rows),
        directory,
        method=method,
        catchment_km=3000.0,
        decay=(lambda km: np.full(km.shape, 0.5)) if method == "gravity" else None,
        weight="people",
        where=criteria(expression),
        check=False,
    )
    for level, unknown in LEVELS.items():
        wanted = brute_access(rows, clinics, expression, unknown, weights_of, method != "gravity")
        assert scored[f"access_{level}"].tolist() == pytest.approx(wanted, rel=1e-12, nan_ok=True)
    assert (scored["covered_confirmed"] <= scored["covered_possible"]).all()


@pytest.mark.parametrize("decay", [None, "gaussian", {30.0: 1.0}])
def test_a_clinic_that_nobody_with_a_weight_reaches_adds_nothing(decay):
    directory = kf.Directory.from_clinics(
        kf.Clinic(clinic_id=name, name=name, location=kf.Location(lat=lat, lon=-79.0))
        for name, lat in (("visited", 44.0), ("empty", 46.0))
    )
    frame = pd.DataFrame({"lat": [44.0, 46.0, 46.1], "lon": -79.0, "people": [4.0, 0.0, 0.0]})
    scored = kf.access_score(frame, directory, weight="people", decay=decay)
    assert scored["access_confirmed"].tolist() == [0.25, 0.0, 0.0]
    assert scored["covered_confirmed"].tolist() == [True, True, True]


@pytest.mark.parametrize("method", ["2sfca", "e2sfca"])
def test_access_equals_pysal_and_is_zero_where_that_is_missing(method):
    fca = pytest.importorskip("access.fca", reason="PySAL access is not installed")
    generator = np.random.default_rng(5)
    n, m, limit = 300, 25, 60.0
    people = pd.DataFrame(
        {
            "lat": generator.uniform(42.5, 46.0, n),
            "lon": generator.uniform(-83.0, -75.0, n),
            "people": generator.integers(1, 5000, n).astype(float),
        }
    )
    lat, lon = generator.uniform(42.5, 46.0, m), generator.uniform(-83.0, -75.0, m)
    beds = generator.integers(1, 30, m).astype(float)
    clinics = [
        kf.Clinic(clinic_id=f"{at:03}", name="A", location=kf.Location(lat=lat[at], lon=lon[at]))
        for at in range(m)
    ]
    directory = kf.Directory.from_clinics(clinics)
    scored = kf.access_score(
        people,
        directory,
        method=method,
        catchment_km=limit,
        weight="people",
        capacity={f"{at:03}": beds[at] for at in range(m)},
    )
    pairs = pd.DataFrame([(i, j) for i in range(n) for j in range(m)], columns=["origin", "dest"])
    pairs["cost"] = geodesic_km(
        people["lat"].to_numpy()[pairs["origin"]],
        people["lon"].to_numpy()[pairs["origin"]],
        lat[pairs["dest"]],
        lon[pairs["dest"]],
    )
    demand = people[["people"]].rename_axis("geoid")
    supply = pd.DataFrame({"beds": beds}).rename_axis("geoid")

    def steps(km: float) -> float:
        return 1.0 if km <= limit / 3 else 0.68 if km <= 2 * limit / 3 else 0.22

    wanted = fca.two_stage_fca(
        demand,
        supply,
        pairs,
        limit,
        demand_index=True,
        demand_name="people",
        supply_name="beds",
        weight_fn=steps if method == "e2sfca" else None,
    ).reindex(range(n))
    found = scored["access_confirmed"]
    reached = wanted.notna()
    assert 0 < reached.sum() < n
    assert np.allclose(found[reached], wanted[reached], rtol=1e-9, atol=0.0)
    assert (found[~reached] == 0.0).all()
    assert (scored["covered_confirmed"] == reached).all()


@given(
    places=st.lists(origins, min_size=1, max_size=6),
    centre=origins,
    edges=st.lists(st.floats(0.0, 21_000.0), min_size=1, max_size=3, unique=True),
)
def test_origins_are_sorted_into_rings_as_distances_say(places, centre, edges):
    lat, lon = (np.array([getattr(one, axis) for one in places]) for axis in ("lat", "lon"))
    km = geodesic_km(centre.lat, centre.lon, lat, lon)
    ends = np.sort([*edges, km[0], float(km.max())])
    near_origins = WithinDistance(lat, lon)
    near, ring = near_origins.rings(centre.lat, centre.lon, ends)
    wanted = np.searchsorted(micrometres(ends), micrometres(km))
    assert np.array_equal(ring, wanted[near_origins.order[near]])
    assert sorted(near_origins.order[near]) == np.flatnonzero(wanted < len(ends)).tolist()
    near, measured = near_origins.distances(centre.lat, centre.lon, float(ends[0]))
    assert sorted(near_origins.order[near]) == np.flatnonzero(wanted == 0).tolist()
    assert np.array_equal(measured, km[near_origins.order[near]])


@given(bearing=st.floats(0.0, 360.0), far=st.floats(0.001, 4000.0), off=st.sampled_from([-1, 0, 1]))
def test_which_origins_are_within_is_exact_at_the_edge_of_a_ring(bearing, far, off):
    lon, lat, _ = oracle.GEOD.fwd(-79.4, 43.7, bearing, (far + off * 2e-9) * 1000)
    near_origins = WithinDistance(np.array([lat]), np.array([lon]))
    near, _ = near_origins.rings(43.7, -79.4, np.array([far]))
    km = geodesic_km(43.7, -79.4, lat, lon)
    assert len(near) == int(micrometres(km) <= micrometres(far))


def test_the_postal_codes_of_ontario_are_those_the_geocoder_knows():
    codes = kf.ontario_postal_codes()
    assert len(codes) > 290_000
    assert codes["postal_code"].is_monotonic_increasing
    assert codes["postal_code"].is_unique
    for row in codes.iloc[::40_000].itertuples():
        place = kf.geocode(row.postal_code)
        assert (place.lat, place.lon, place.radius_km) == (row.lat, row.lon, row.radius_km)
        assert row.area == row.postal_code[:3]


def test_the_postal_codes_are_the_origins_where_none_are_given():
    assert kf.coverage(None, DIRECTORY, thresholds_km=50)["total"].item() == len(
        kf.ontario_postal_codes()
    )


def test_smooth_decays_fall_from_one_to_nothing():
    here = DIRECTORY.clinics[0].location
    steps = pd.DataFrame({"lat": here.lat + np.linspace(0, 1.0, 50), "lon": here.lon})
    one = {DIRECTORY.clinics[0].clinic_id: 2.0}
    for decay in ("gaussian", "exponential"):
        scored = kf.access_score(
            steps, DIRECTORY, method="gravity", capacity=one, decay=decay, catchment_km=100.0
        )["access_possible"]
        assert scored[0] == 2.0
        assert scored.is_monotonic_decreasing
        assert scored.iloc[-1] == 0.0


def test_a_mapping_of_rings_is_cut_by_the_catchment():
    codes = kf.ontario_postal_codes().iloc[::3000]
    far = kf.access_score(codes, DIRECTORY, decay={20: 1.0, 500: 0.5}, catchment_km=60.0)
    near = kf.access_score(codes, DIRECTORY, decay={20: 1.0, 60: 0.5}, catchment_km=60.0)
    pd.testing.assert_frame_equal(far, near)


@pytest.mark.parametrize("decay", [None, "exponential", {10: 1.0}])
def test_a_catchment_of_nothing_holds_what_stands_there(decay):
    one = kf.Directory.from_clinics(
        [kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=44.0, lon=-79.0))]
    )
    frame = pd.DataFrame({"lat": [44.0, 45.0], "lon": -79.0})
    scored = kf.access_score(frame, one, method="gravity", catchment_km=0, decay=decay)
    assert scored["access_possible"].tolist() == [1.0, 0.0]
    assert scored["covered_possible"].tolist() == [True, False]


def test_columns_may_be_called_by_numbers():
    frame = pd.DataFrame([[44.23, -76.48, "x"]])
    assert kf.nearest_join(frame, DIRECTORY, lat=0, lon=1)["rank"].tolist() == [1]
    table = kf.coverage(frame, DIRECTORY, thresholds_km=9, by=2, lat=0, lon=1)
    assert table[2].tolist() == ["x"]


def test_a_compiled_filter_stands_for_its_criteria_and_its_own_policy_is_refused():
    compiled = DIRECTORY.filter(routes="iv")
    for unknown in ("include", "only"):
        other = DIRECTORY.filter(routes="iv", unknown=unknown)
        with pytest.raises(kf.errors.InvalidInputError, match=f"unknown='{unknown}', but both"):
            kf.coverage(None, DIRECTORY, where=other)
    ours, wanted = (
        kf.coverage(None, DIRECTORY, thresholds_km=np.int64(50), **asked)
        for asked in ({"where": compiled}, {"routes": "iv"})
    )
    pd.testing.assert_frame_equal(ours, wanted)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: kf.coverage(f, DIRECTORY, thresholds_km=[]), "thresholds_km is empty"),
        (lambda f: kf.coverage(f, DIRECTORY, thresholds_km=[-1]), "thresholds_km must be"),
        (lambda f: kf.coverage(f, DIRECTORY, by="region"), "no column 'region'"),
        (lambda f: kf.coverage(f, DIRECTORY, weight="bad"), 'row 1, column "bad": a weight is'),
        (lambda f: kf.coverage(f, DIRECTORY, weight="none"), 'row 0, column "none": a weight is'),
        (lambda f: kf.gaps(f, DIRECTORY, thresholds_km="far"), "thresholds_km must be"),
        (lambda f: kf.gaps(f.assign(clinic_id=1), DIRECTORY), "already has a column 'clinic_id'"),
        (lambda f: kf.access_score(f, DIRECTORY, method="4sfca"), "method='4sfca': choose"),
        (lambda f: kf.access_score(f, DIRECTORY, decay="fast"), "decay='fast': choose"),
        (lambda f: kf.access_score(f, DIRECTORY, decay={}), "decay is empty"),
        (lambda f: kf.access_score(f, DIRECTORY, method="2sfca", decay={1: 1}), "knows no decay"),
        (lambda f: kf.access_score(f, DIRECTORY, decay=lambda km: -km), "decay must return"),
        (
            lambda f: kf.access_score(f, DIRECTORY, capacity={DIRECTORY.clinics[0].clinic_id: "2"}),
            "must be a number",
        ),
        *(
            (
                lambda f, n=n: kf.access_score(
                    f, DIRECTORY, capacity={DIRECTORY.clinics[0].clinic_id: n}
                ),
                "must be a number, 0 or more",
            )
            for n in (math.inf, -1.0, math.nan)
        ),
        (lambda f: kf.access_score(f, DIRECTORY, decay=lambda km: np.ones(3)), "decay must return"),
        (lambda f: kf.coverage(f.assign(lat=f["lon"], lon=f["lat"]), DIRECTORY), "swapped"),
        (
            lambda f: kf.access_score(f.assign(lat=f["lon"], lon=f["lat"]), DIRECTORY),
            "row 0: .*swapped",
        ),
        (lambda f: kf.gaps(f.assign(lat=f["lon"], lon=f["lat"]), DIRECTORY), "row 0: .*swapped"),
        (
            lambda f: kf.compare(DIRECTORY, DIRECTORY, f.assign(lat=f["lon"], lon=f["lat"])),
            "row 0: .*swapped",
        ),
        (lambda f: kf.catchments(f.assign(lat=f["lon"], lon=f["lat"]), DIRECTORY), "swapped"),
        (lambda f: kf.coverage(f.assign(lat=0.0, lon=0.0), DIRECTORY), "row 0: .*are both zero"),
        (lambda f: kf.coverage(f, DIRECTORY, thresholds_km="50"), "thresholds_km must be"),
        (
            lambda f: kf.coverage(f, DIRECTORY, thresholds_min=5),
            "thresholds_min= goes with router=",
        ),
        (lambda f: kf.access_score(f, DIRECTORY, tau_min=5), "tau_min= go with router="),
        (lambda f: kf.catchments(f, DIRECTORY, thresholds_min=5), "thresholds_min= goes with"),
        (lambda f: kf.gaps(f, DIRECTORY, router="car"), "a router has profile; str has none"),
        (
            lambda f: kf.nearest_join(f, DIRECTORY, max_time_min=5),
            "max_time_min= goes with router=",
        ),
        (lambda f: kf.coverage(f, None), "must be a Directory, not NoneType"),
        (lambda f: kf.gaps(f, "ontario"), "must be a Directory, not str"),
        (lambda f: kf.access_score(f, None), "must be a Directory"),
        (lambda f: kf.catchments(None, f), "must be a Directory, not DataFrame"),
        (lambda f: kf.access_score(f, DIRECTORY, prefix=None), "prefix=None: give a text"),
        (lambda f: kf.gaps(f, DIRECTORY, prefix=5), "prefix=5: give a text"),
        (lambda f: kf.coverage(f, DIRECTORY, unknown="include"), "unknown= is no argument"),
        (lambda f: kf.coverage(f, DIRECTORY, weight=np.ones(len(f))), "weight= names a column"),
        (lambda f: kf.access_score(f, DIRECTORY, capacity=[1, 2]), "capacity= takes a mapping"),
        (lambda f: kf.access_score(f, DIRECTORY, capacity=f), "capacity= takes a mapping"),
        (lambda f: kf.access_score(f, DIRECTORY, decay=np.ones(2)), "choose 'gaussian'"),
        (lambda f: kf.access_score(f, DIRECTORY, decay={"10": 1, 5: 2}), "end of a ring must be"),
        (lambda f: kf.access_score(f, DIRECTORY, per=-1), "per must be a number above 0"),
        (lambda f: kf.access_score(f, DIRECTORY, per=0), "per must be a number above 0"),
        (lambda f: kf.access_score(f, DIRECTORY, per=math.inf), "per must be a number above 0"),
        (
            lambda f: kf.access_score(f, DIRECTORY, cost=f, catchment_min=-1),
            "catchment_min must be a number of minutes, 0 or more",
        ),
    ],
)
def test_what_cannot_be_analysed_is_refused_by_name(call, message):
    frame = pd.DataFrame(
        {"lat": [44.2, 43.7], "lon": [-76.5, -79.4], "bad": [1.0, -1.0], "none": [math.nan, 1.0]}
    )
    with pytest.raises(kf.errors.InvalidInputError, match=message):
        call(frame)


def test_capacity_of_an_unknown_clinic_is_refused():
    with pytest.raises(kf.errors.UnknownClinicError, match="no clinic has the id 'nowhere'"):
        kf.access_score(None, DIRECTORY, capacity={"nowhere": 1.0})


def test_the_municipalities_are_those_of_the_census():
    towns = kf.ontario_municipalities()
    assert len(towns) == 414
    assert 14.0e6 < towns["population"].sum() < 14.3e6
    assert (towns["radius_km"] > 0).all()
    assert towns["name"].is_unique


@given(
    clinics=clinic_lists(),
    rows=people,
    expression=expressions,
    radii=st.lists(st.sampled_from([0.0, 5.0, 700.0]), min_size=5, max_size=5),
)
def test_low_and_high_ends_are_those_of_every_pair(clinics, rows, expression, radii):
    some = [
        kf.Clinic(
            clinic_id=one.clinic_id,
            name=one.name,
            services=one.services,
            status=one.status,
            location=one.location
            and kf.Location(
                lat=one.location.lat, lon=one.location.lon, radius_km=(0.0, 3.0, 900.0)[at % 3]
            ),
        )
        for at, one in enumerate(clinics)
    ]
    directory = kf.Directory.from_clinics(some, check=False)
    frame = frame_of(rows).assign(radius=radii[: len(rows)])
    asked = {"where": criteria(expression), "radius": "radius", "check": False}
    found = kf.gaps(frame.assign(row=range(len(rows))), directory, thresholds_km=0, **asked)
    for row in found.itertuples():
        place, radius = rows[row.row][0], radii[row.row]
        ends = {"exclude": [math.inf], "include": [math.inf]}
        for unknown, km in ends.items():
            for one in oracle.within(some, expression, unknown, place):
                ends_km = distance_interval_km(
                    oracle.distance_km(place, one), radius, one.location.radius_km
                )
                km.append(ends_km[unknown == "exclude"])
        assert row.distance_high_km == pytest.approx(min(ends["exclude"]), abs=1e-6)
        assert row.distance_low_km == pytest.approx(min(ends["include"]), abs=1e-6)
        assert row.distance_low_km <= row.distance_possible_km <= row.distance_confirmed_km
        assert row.distance_confirmed_km <= row.distance_high_km
    table = kf.coverage(frame, directory, thresholds_km=[1000, 5000], **asked)
    covered = table[[f"covered_{end}" for end in ("low", "confirmed", "possible", "high")]]
    assert (np.diff(covered.to_numpy(), axis=1) >= 0).all()


@pytest.mark.parametrize("method", ["2sfca", "e2sfca", "3sfca", "gravity"])
def test_a_score_lies_between_its_ends_wherever_the_distances_lie(method):
    """Positions are moved at random within their 90 % intervals."""
    generator = np.random.default_rng(4)
    n, m = 30, 6
    lat, lon = generator.uniform(43.5, 44.5, n), generator.uniform(-80, -79, n)
    where = list(zip(generator.uniform(43.5, 44.5, m), generator.uniform(-80, -79, m), strict=True))
    radii = generator.choice([0.0, 2.0, 6.0], m)

    def directory_of(places):
        return kf.Directory.from_clinics(
            kf.Clinic(clinic_id=f"{at}", name="A", location=place)
            for at, place in enumerate(places)
        )

    blurred = directory_of(
        kf.Location(lat=a, lon=b, radius_km=r) for (a, b), r in zip(where, radii, strict=True)
    )
    people = pd.DataFrame({"lat": lat, "lon": lon, "radius": 1.5, "people": np.arange(n) % 4.0})
    asked = {"method": method, "catchment_km": 40, "weight": "people"}
    if method != "2sfca":
        asked["decay"] = "exponential"
    whole = kf.access_score(people, blurred, radius="radius", **asked)
    point = kf.access_score(people, blurred, radius=0, **asked)
    assert np.allclose(whole["access_confirmed"], point["access_confirmed"], rtol=1e-12)
    assert (whole["access_low"] <= whole["access_confirmed"]).all()
    assert (whole["access_possible"] <= whole["access_high"]).all()
    assert (whole["access_low"] < whole["access_high"]).any()
    for _ in range(20):
        # Within a tenth of each radius: far inside every 90 % interval.
        step = generator.uniform(-1, 1, (2, n)) * 1.5 / 10 / 111
        moved = people.assign(lat=lat + step[0], lon=lon + step[1])
        jumps = generator.uniform(-1, 1, (2, m)) * radii / 10 / 111
        there = directory_of(
            kf.Location(lat=a + up, lon=b + right)
            for (a, b), up, right in zip(where, *jumps, strict=True)
        )
        score = kf.access_score(moved, there, radius=0, **asked)["access_confirmed"]
        assert (score >= whole["access_low"] - 1e-12).all()
        assert (score <= whole["access_high"] + 1e-12).all()


def scores_by_hand(method, far, present, weight, limit):
    """The scores where these clinics are the ones that are there, pair by pair."""
    ring = np.select([far <= limit / 3, far <= 2 * limit / 3, far <= limit], [1, 0.68, 0.22], 0.0)
    pull = (far <= limit).astype(float) if method == "2sfca" else ring
    share = np.ones_like(pull)
    if method == "3sfca":
        there = ring * present
        total = there.sum(axis=1, keepdims=True)
        share = np.divide(there, total, out=np.zeros_like(there), where=total > 0)
    sought = (weight[:, None] * share * pull).sum(axis=0)
    ratio = np.divide(present, sought, out=np.zeros(len(sought)), where=sought > 0)
    return (ratio * share * pull).sum(axis=1)


def any_study(generator):
    """Clinics of which some may be there, and people of whom some weigh nothing."""
    n, m = generator.integers(1, 8), generator.integers(2, 6)
    stated = [str(one) for one in generator.choice(["yes", "no", "unknown"], m)]
    lat, lon = generator.normal(45, 0.4, m), generator.normal(-76, 0.5, m)
    directory = kf.Directory.from_clinics(
        kf.Clinic(
            clinic_id=f"{at}",
            name="A",
            location=kf.Location(lat=lat[at], lon=lon[at], radius_km=generator.choice([0, 5, 15])),
            services=(kf.Service(facts={} if truth == "unknown" else {"route": {"iv": truth}}),),
        )
        for at, truth in enumerate(stated)
    )
    people = pd.DataFrame(
        {"lat": generator.normal(45, 0.4, n), "lon": generator.normal(-76, 0.5, n)}
    )
    return directory, people.assign(people=generator.choice([0.0, 0.0, 1.0, 10.0], n)), stated


@pytest.mark.parametrize("method", ["2sfca", "e2sfca", "3sfca"])
def test_whatever_proves_true_the_score_lies_between_its_ends(method):
    """Every completion of what is not known, with distances anywhere in their intervals."""
    for seed in range(25):
        generator = np.random.default_rng(seed)
        directory, people, stated = any_study(generator)
        weight, m = people["people"].to_numpy(), len(stated)
        ends = ["distance_low_km", "distance_high_km"]
        pairs = kf.nearest_join(people, directory, k=m, columns=ends).reset_index()
        low, high = (
            pairs.pivot(index="index", columns="clinic_id", values=end).to_numpy() for end in ends
        )
        scored = kf.access_score(people, directory, method=method, weight="people", routes="iv")
        choices = {"yes": [1.0], "no": [0.0], "unknown": [0.0, 1.0]}
        for present in itertools.product(*map(choices.get, stated)):
            part = generator.choice([0.0, 1.0, 0.5], low.shape)
            true = scores_by_hand(method, low + part * (high - low), present, weight, 50.0)
            assert (true >= scored["access_low"] - 1e-9).all(), seed
            assert (true <= scored["access_high"] + 1e-9).all(), seed


def test_who_weighs_nothing_may_have_a_clinic_that_nobody_else_reaches():
    """Such a clinic adds nothing; with one person in its reach it adds all of itself."""
    place = kf.Location(lat=44.0, lon=-79.0, radius_km=5.0)
    directory = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A", location=place)])
    people = line_of_people(20.0, 51.0)[1].assign(people=[0.0, 1.0])
    scored = kf.access_score(people, directory, method="2sfca", weight="people").iloc[0]
    assert scored["access_low"] == scored["access_confirmed"] == 0.0
    assert scored["access_high"] >= 1.0


def pysal_case(seed, n=120, m=12):
    generator = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "lat": generator.uniform(43.0, 45.0, n),
            "lon": generator.uniform(-81.0, -78.0, n),
            "people": generator.integers(50, 5000, n).astype(float),
        }
    )
    lat, lon = generator.uniform(43.0, 45.0, m), generator.uniform(-81.0, -78.0, m)
    beds = generator.integers(1, 30, m).astype(float)
    directory = kf.Directory.from_clinics(
        kf.Clinic(clinic_id=f"{at:03}", name="A", location=kf.Location(lat=lat[at], lon=lon[at]))
        for at in range(m)
    )
    pairs = pd.DataFrame([(i, j) for i in range(n) for j in range(m)], columns=["origin", "dest"])
    pairs["cost"] = geodesic_km(
        people["lat"].to_numpy()[pairs["origin"]],
        people["lon"].to_numpy()[pairs["origin"]],
        lat[pairs["dest"]],
        lon[pairs["dest"]],
    )
    supply = {f"{at:03}": beds[at] for at in range(m)}
    demand_of = people[["people"]].rename_axis("geoid")
    return people, directory, supply, demand_of, pd.DataFrame({"beds": beds}), pairs


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_three_stage_scores_equal_pysal():
    fca = pytest.importorskip("access.fca", reason="PySAL access is not installed")
    people, directory, supply, demand, beds, pairs = pysal_case(8)

    def weigh(km: float) -> float:
        return math.exp(-km * km / (2 * 20.0**2)) if km <= 60.0 else 0.0

    wanted = fca.three_stage_fca(
        demand,
        beds.rename_axis("geoid"),
        pairs,
        60.0,
        demand_index=True,
        demand_name="people",
        supply_name="beds",
        weight_fn=weigh,
    ).reindex(range(len(people)))
    asked = {"weight": "people", "capacity": supply, "decay": "gaussian", "bandwidth_km": 20}
    scored = kf.access_score(people, directory, method="3sfca", catchment_km=60, **asked)
    assert np.allclose(scored["access_confirmed"], wanted.fillna(0), rtol=1e-9, atol=0)


def test_rational_agents_cost_what_they_cost_in_pysal():
    raam = pytest.importorskip("access.raam", reason="PySAL access is not installed")
    people, directory, supply, demand, beds, pairs = pysal_case(9)
    wanted = raam.raam(demand, beds, pairs, demand_name="people", supply_name="beds", tau=60)
    asked = {"weight": "people", "capacity": supply, "catchment_km": 1000}
    scored = kf.access_score(people, directory, method="raam", tau_km=60, **asked)
    assert np.allclose(scored["access_confirmed"], wanted.sort_index(), rtol=1e-9, atol=0)
    assert "access_low" not in scored
    near = kf.access_score(people, directory, method="raam", **{**asked, "catchment_km": 15})
    assert near["access_possible"].notna().equals(near["covered_possible"].astype(bool))


def test_scores_for_many_and_their_ratio_to_the_mean():
    codes = kf.ontario_postal_codes().iloc[::500].assign(people=3.0)
    asked = {"weight": "people", "routes": "iv"}
    one = kf.access_score(codes, DIRECTORY, **asked)
    many = kf.access_score(codes, DIRECTORY, per=100_000, **asked)
    assert np.allclose(many["access_high"], 100_000 * one["access_high"], rtol=1e-12)
    assert np.average(one["ratio_possible"], weights=codes["people"]) == pytest.approx(1.0)
    assert many["ratio_confirmed"].equals(one["ratio_confirmed"])


@pytest.mark.parametrize("make", [lambda f: f, pl.from_pandas, pa.Table.from_pandas])
def test_a_row_without_a_position_is_missing_and_not_false(make):
    frame = pd.DataFrame({"lat": [44.23, math.nan], "lon": -76.48})
    scored = kf.access_score(make(frame), DIRECTORY)
    for name in ("covered_low", "covered_confirmed", "access_low", "ratio_possible"):
        values = scored[name]
        values = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
        assert values[0] is not None
        assert values[1] is None or values[1] is pd.NA or math.isnan(values[1])


def test_gaps_name_the_clinic_that_would_close_them():
    directory = kf.Directory.from_clinics(
        kf.Clinic(
            clinic_id=name,
            name=name,
            services=(kf.Service(service_id="s", facts=facts),),
            location=kf.Location(lat=lat, lon=-79.0),
        )
        for name, lat, facts in (
            ("far", 46.0, {"route": {"iv": kf.Truth.YES}}),
            ("near", 44.1, {}),
        )
    )
    frame = pd.DataFrame({"lat": [44.0, 48.0], "lon": -79.0})
    found = kf.gaps(frame, directory, thresholds_km=50, routes="iv")
    assert found["clinic_id"].tolist() == ["far", "far"]
    assert found["possible_clinic_id"].tolist() == ["far", "near"]
    assert found["gap_possible_km"].eq(0).tolist() == [False, True]


def test_the_radii_of_a_geocoded_frame_count_and_the_answer_says_so():
    texts = pd.DataFrame({"where": ["Kingston, ON", "Toronto", "K7L 3N6", "Nowhere at all zzz"]})
    placed = kf.geocode_frame(texts, "where", progress=False)
    asked = {"thresholds_km": [5, 30], "routes": "iv"}
    taken = kf.coverage(placed, DIRECTORY, **asked)
    for radius in ("radius_km", placed["radius_km"].to_numpy()):
        stated = kf.coverage(placed, DIRECTORY, radius=radius, **asked)
        pd.testing.assert_frame_equal(taken, stated, check_like=False)
    exact = kf.coverage(placed, DIRECTORY, radius=0, **asked)
    assert (exact["covered_low"] >= taken["covered_low"]).all()
    assert (exact["covered_high"] <= taken["covered_high"]).all()
    assert not exact.equals(taken)
    assert kf.provenance(taken)["radius"] == 'column "radius_km"'
    english, french = kf.methods(taken).split("\n\n")
    assert 'column "radius_km"' in english
    assert 'colonne "radius_km"' in french
    assert " of " not in french
    assert kf.provenance(exact)["radius"] == "0 km"
    prefixed = placed.add_prefix("home_")
    found = kf.coverage(prefixed, DIRECTORY, lat="home_lat", lon="home_lon", **asked)
    pd.testing.assert_frame_equal(found, taken)
    joined = kf.nearest_join(placed, DIRECTORY, prefix="n_", columns=["distance_high_km"])
    plain = kf.nearest_join(
        placed, DIRECTORY, prefix="n_", columns=["distance_high_km"], radius="radius_km"
    )
    pd.testing.assert_frame_equal(joined, plain)


def test_the_population_of_codes_adds_up_to_that_of_their_municipalities():
    codes = kf.ontario_postal_codes()
    towns = kf.ontario_municipalities().set_index("name")["population"]
    sums = codes.groupby("municipality")["population"].sum()
    assert len(sums) > 370
    assert np.allclose(sums, towns[sums.index], rtol=1e-9)
    assert 0.99 < codes["population"].sum() / towns.sum() <= 1.0
    assert codes["population"].isna().equals(codes["municipality"].isna())
    assert codes["population"].isna().mean() < 0.01
    rural = codes.groupby("rural")["population"].median()
    assert rural[True] > 5 * rural[False]


def test_a_comparison_counts_who_gains_and_who_loses():
    def directory_of(lats):
        return kf.Directory.from_clinics(
            kf.Clinic(clinic_id=f"{lat}", name="A", location=kf.Location(lat=lat, lon=-79.0))
            for lat in lats
        )

    people = pd.DataFrame({"lat": [44.0, 46.0, 48.0, math.nan], "lon": -79.0, "n": [1, 2, 4, 8]})
    old, new = directory_of([44.0, 46.0]), directory_of([46.0, 48.0])
    change = kf.compare(old, new, people, thresholds_km=[10, 5000], weight="n")
    row = change.iloc[0]
    assert (row["supply"], row["covered_old"], row["covered_new"]) == ("confirmed", 3.0, 6.0)
    assert (row["gained"], row["lost"]) == (4.0, 1.0)
    assert (row["share_old"], row["share_new"]) == (3 / 7, 6 / 7)
    assert change["gained"].tolist()[2:] == [0.0, 0.0]
    assert kf.provenance(change)["settings"]["snapshot_old"] == str(old.snapshot)
    assert kf.provenance(change)["snapshot"] == str(new.snapshot)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
def test_every_analysis_says_where_it_comes_from(make):
    codes = make(kf.ontario_postal_codes().iloc[::3000].reset_index(drop=True))
    for call, name in ((kf.coverage, "coverage"), (kf.gaps, "gaps"), (kf.access_score,) * 2):
        answer = call(codes, DIRECTORY, conditions="ptsd")
        record = kf.provenance(answer)
        assert record["method"] == (name if isinstance(name, str) else "access_score")
        assert record["unknown"] == "both"
        assert "criteria" not in record
        assert "ptsd" not in str(record)
        assert "confirmed supply" in kf.methods(answer)
        assert "offre confirmée" in kf.methods(answer)


def test_addresses_of_an_analysis_are_read_as_its_directory_reads_origins():
    class Fixed:
        name = "fixed"
        works_offline = True

        def geocode(self, text):
            return kf.Location(lat=44.0, lon=-79.0, radius_km=1.0)

    clinic = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=44.0, lon=-79.0))
    directory = kf.Directory.from_clinics([clinic], geocoder=Fixed())
    people = pd.DataFrame({"where": ["the yellow house"]})
    table = kf.coverage(people, directory, address="where", thresholds_km=10)
    assert table["covered_low"].tolist() == [1.0]
    assert kf.provenance(table)["radius"] == "geocoded addresses"


def test_the_usual_thresholds_are_those_that_are_written():
    people = pd.DataFrame({"lat": [44.23], "lon": [-76.48]})
    far = pd.DataFrame({"lat": [51.0, 51.1], "lon": [-80.0, -80.1]})
    table = kf.coverage(people, DIRECTORY)
    assert table["threshold_km"].tolist() == [10, 25, 50, 100, 200]
    assert "without_way" not in table
    assert list(kf.provenance(table)["settings"]["thresholds_km"]) == [10, 25, 50, 100, 200]
    assert kf.gaps(far, DIRECTORY)["threshold_km"].tolist() == [50, 50]
    assert kf.compare(DIRECTORY, DIRECTORY, people)["threshold_km"].tolist() == [50, 50]
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    best = kf.best_sites(people, DIRECTORY, far)
    assert best["threshold_km"].tolist() == [50, 50]


def line_of_people(*km: float) -> tuple[kf.Directory, pd.DataFrame]:
    """One clinic, and people at these distances to the north of it."""
    place = kf.Location(lat=44.0, lon=-79.0)
    lat = [oracle.GEOD.fwd(-79.0, 44.0, 0.0, 1000 * far)[1] for far in km]
    clinic = kf.Clinic(clinic_id="a", name="A", location=place)
    return kf.Directory.from_clinics([clinic]), pd.DataFrame({"lat": lat, "lon": -79.0})


@given(
    km=st.lists(st.floats(0.0, 150.0), min_size=1, max_size=5),
    catchment=st.floats(1.0, 140.0),
    bandwidth=st.none() | st.floats(1.0, 80.0),
    decay=st.sampled_from(["gaussian", "exponential"]),
)
def test_smooth_decays_are_the_functions_that_are_written(km, catchment, bandwidth, decay):
    km = [far for far in km if clear_of(far, catchment)] or [0.0]
    directory, people = line_of_people(*km)

    def weigh(d: float) -> float:
        c, b = catchment, bandwidth
        if d > c:
            return 0.0
        if decay == "exponential":
            return math.exp(-d / (b or c))
        if b is not None:
            return math.exp(-(d**2) / (2 * b**2))
        return (math.exp(-(d**2) / (2 * c**2)) - math.exp(-1 / 2)) / (1 - math.exp(-1 / 2))

    scored = kf.access_score(
        people, directory, method="gravity", catchment_km=catchment, decay=decay, per=7,
        bandwidth_km=bandwidth, capacity={"a": 2.0},
    )  # fmt: skip
    wanted = [14.0 * weigh(far) for far in km]
    assert scored["access_confirmed"].tolist() == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_a_score_uses_what_is_written_where_nothing_is_said():
    directory, people = line_of_people(1.0, 16.0, 17.0, 33.0, 34.0, 49.0, 51.0)
    usual = kf.access_score(people, directory)
    rings = {50 / 3: 1.0, 100 / 3: 0.68, 50.0: 0.22}
    stated = {"method": "e2sfca", "catchment_km": 50, "decay": rings, "per": 1}
    pd.testing.assert_frame_equal(usual, kf.access_score(people, directory, **stated))
    sought = 2 + 2 * 0.68 + 2 * 0.22
    weights = np.array([1.0, 1.0, 0.68, 0.68, 0.22, 0.22, 0.0])
    assert np.allclose(usual["access_confirmed"], weights / sought, rtol=1e-12)
    for method, decay in (("3sfca", rings), ("gravity", "gaussian")):
        plain = kf.access_score(people, directory, method=method)
        pd.testing.assert_frame_equal(
            plain, kf.access_score(people, directory, method=method, decay=decay)
        )
    with_width = kf.access_score(people, directory, bandwidth_km=20)
    pd.testing.assert_frame_equal(
        with_width, kf.access_score(people, directory, bandwidth_km=20, decay="gaussian")
    )
    costs = kf.access_score(people, directory, method="raam")
    pd.testing.assert_frame_equal(
        costs, kf.access_score(people, directory, method="raam", tau_km=60, catchment_km=50)
    )
    assert costs["access_confirmed"].tolist()[:6] == pytest.approx(
        [6 / 7 + far / 60 for far in (1, 16, 17, 33, 34, 49)], rel=1e-6
    )
    assert costs["access_confirmed"].isna().tolist() == [False] * 6 + [True]


def test_a_ratio_to_a_mean_of_nothing_is_missing():
    directory, people = line_of_people(1.0, 2.0)
    nothing = kf.access_score(people, directory, capacity={"a": 0.0})
    nobody = kf.access_score(people.assign(n=0.0), directory, weight="n")
    for scored in (nothing, nobody):
        assert scored["access_confirmed"].tolist() == [0.0, 0.0]
        assert scored["ratio_confirmed"].isna().all()


def test_rational_agents_are_refused_where_their_pairs_are_too_many(monkeypatch):
    directory, people = line_of_people(1.0, 2.0, 3.0)
    monkeypatch.setattr("ketafind.access.score.MOST_PAIRS", 3)
    assert kf.access_score(people, directory, method="raam")["access_possible"].notna().all()
    more = people.iloc[[0, 1, 2, 0]]
    with pytest.raises(kf.errors.InvalidInputError, match="4 origins with 1 clinics are over 3"):
        kf.access_score(more, directory, method="raam")
    # Who counts for nothing chooses among none.
    scored = kf.access_score(more.assign(n=[1, 1, 1, 0]), directory, method="raam", weight="n")
    assert scored["access_possible"].isna().tolist() == [False, False, False, True]


def test_a_rural_code_stands_for_eighteen_times_the_people_of_another_in_its_municipality():
    codes = kf.ontario_postal_codes().dropna(subset="municipality")
    people = codes.groupby(["municipality", "rural"])["population"].agg(["min", "max"])
    assert np.allclose(people["min"], people["max"], rtol=1e-12)
    both = people["max"].unstack().dropna()
    assert len(both) > 50
    assert np.allclose(both[True] / both[False], 18.0, rtol=1e-9)


def test_the_land_of_a_municipality_is_that_of_the_census():
    towns = kf.ontario_municipalities().set_index("name")
    land = towns["area_km2"][["Toronto", "Ottawa", "Mississauga"]]
    assert land.tolist() == pytest.approx([631.1, 2788.2, 292.7], rel=0.02)
    assert land.dtype == np.int64
    assert towns["county"]["Mississauga"] == "Peel"
    assert towns.index.is_monotonic_increasing


@pytest.mark.parametrize("method", ["2sfca", "e2sfca", "3sfca", "gravity"])
def test_a_clinic_that_may_satisfy_the_criteria_adds_to_what_is_possible_alone(method):
    place = kf.Location(lat=44.0, lon=-79.0, radius_km=5.0)
    directory = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A", location=place)])
    people = line_of_people(1.0, 48.0)[1]
    scored = kf.access_score(people, directory, method=method, routes="iv")
    assert scored["access_low"].tolist() == scored["access_confirmed"].tolist() == [0.0, 0.0]
    assert (scored["access_possible"] > 0).all()
    # Its own doubt widens the score, though the people are where they are said to be.
    sure = kf.access_score(people, directory, method=method)
    assert (sure["access_low"] <= sure["access_confirmed"]).all()
    assert sure["access_low"][1] < sure["access_possible"][1]
    assert sure["covered_low"].tolist() == [True, False]


def test_of_three_stages_what_may_be_there_shares_with_what_is():
    place = kf.Location(lat=44.0, lon=-79.0)
    sure = kf.Service(facts={"route": {"iv": kf.Truth.YES}})
    directory = kf.Directory.from_clinics(
        [
            kf.Clinic(clinic_id="is", name="A", location=place, services=(sure,)),
            kf.Clinic(clinic_id="may", name="B", location=place),
        ]
    )
    people = line_of_people(0.0, 0.0)[1]
    scored = kf.access_score(people, directory, method="3sfca", routes="iv", radius=0)
    # Alone, one gives half a clinic to each of two; together, half of a half from each.
    assert scored["access_confirmed"].tolist() == [0.5, 0.5]
    assert scored["access_possible"].tolist() == [1.0, 1.0]
    assert scored["access_low"].tolist() == pytest.approx([1 / 3, 1 / 3])
    # At the most all of this one's demand and half of the other's meet at the sure clinic,
    # and half of each at the other, which the sure one shares with.
    assert scored["access_high"].tolist() == pytest.approx([2 / 3 + 1 / 2] * 2)


@pytest.mark.parametrize("capacity", [{"a": 0.0}, {"a": 1.0}])
def test_a_score_has_no_high_end_only_where_somebody_may_seek_what_there_is(capacity):
    place = kf.Location(lat=44.0, lon=-79.0, radius_km=5.0)
    directory = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A", location=place)])
    people = line_of_people(50.5, 50.6)[1]
    for counts in ([0.0, 0.0], [0.0, 1.0]):
        scored = kf.access_score(
            people.assign(n=counts), directory, method="2sfca", weight="n", capacity=capacity
        )
        assert scored["access_possible"].tolist() == [0.0, 0.0]
        is_sought = capacity["a"] > 0 and any(counts)
        assert math.isinf(scored["access_high"][0]) == is_sought


def test_rational_agents_without_a_clinic_or_without_anybody_cost_nothing_known():
    directory, people = line_of_people(1.0, 2.0)
    nowhere = kf.access_score(people, directory, method="raam", routes="iv")
    assert nowhere["access_confirmed"].isna().all()
    assert nowhere["access_possible"].notna().all()
    nobody = kf.access_score(people.assign(n=0.0), directory, method="raam", weight="n")
    assert nobody["access_possible"].isna().all()


@pytest.mark.parametrize("measure", [kf.coverage, kf.gaps, kf.access_score])
def test_people_of_ontario_are_not_counted_for_clinics_elsewhere_without_a_word(measure):
    lyon = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=45.76, lon=4.84))
    abroad = kf.Directory.from_clinics([lyon])
    with pytest.warns(UserWarning, match="postal codes of Ontario .* give a table of people"):
        measure(None, abroad)
    measure(pd.DataFrame({"lat": [45.7], "lon": [4.8]}), abroad)
