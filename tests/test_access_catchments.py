"""Catchments cut a region without gap or overlap, along lines of equal geodesic distance."""

from __future__ import annotations

import math
import re
from itertools import combinations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

import ketafind as kf
from ketafind.geo import ECCENTRICITY_2, distance_intervals_km, geodesic_km
from ketafind.show.basemap import layers

DIRECTORY = kf.load_directory()
GEOD = Geod(ellps="WGS84")
REGION = shapely.box(-84.0, 42.0, -74.0, 48.0)


def directory_of(places, **facts) -> kf.Directory:
    return kf.Directory.from_clinics(
        kf.Clinic(clinic_id=f"{at:02}", name="A", location=kf.Location(lat=lat, lon=lon), **facts)
        for at, (lat, lon) in enumerate(places)
    )


def area_km2(shape) -> float:
    return abs(GEOD.geometry_area_perimeter(shapely.normalize(shape))[0]) / 1e6


def check_cells(directory, cells, region, points: int, seed: int = 0) -> None:
    """No gap, no overlap, and every point in the cell of its nearest clinic, or on its border."""
    assert cells.is_valid.all()
    assert cells["area_km2"].sum() == pytest.approx(
        area_km2(shapely.segmentize(region, 0.01)), rel=1e-4
    )
    generator = np.random.default_rng(seed)
    west, south, east, north = region.bounds
    lon, lat = generator.uniform(west, east, points), generator.uniform(south, north, points)
    inside = shapely.contains_xy(region, lon, lat)
    lon, lat = lon[inside], lat[inside]
    tree = shapely.STRtree(cells.geometry.values)
    point, cell = tree.query(shapely.points(lon, lat), predicate="intersects")
    assert len(point) >= 0.999 * len(lat)
    homes = [directory[one].location for one in cells["clinic_id"]]
    there = np.array([(home.lat, home.lon) for home in homes])[cell]
    mine = geodesic_km(lat[point], lon[point], there[:, 0], there[:, 1])
    nearest, _ = directory.nearest_arrays(lat, lon, k=1)
    assert (mine - nearest[point, 0]).max() < 0.1


@pytest.mark.parametrize("n", [1, 2, 3, 4, 60])
def test_cells_hold_what_is_nearest(n):
    generator = np.random.default_rng(n)
    places = np.column_stack([generator.uniform(42, 48, n), generator.uniform(-84, -74, n)])
    directory = directory_of(places.tolist())
    cells = kf.catchments(None, directory, region=REGION)
    cells = cells[cells["supply"] == "confirmed"]
    assert len(cells) == n
    check_cells(directory, cells, REGION, 4000)


def test_places_in_a_line_and_a_region_with_a_hole_are_cut_too():
    directory = directory_of([(44.0, lon) for lon in range(-83, -75)])
    ring = REGION.difference(shapely.box(-80, 44, -79, 45)).union(shapely.box(-90, 50, -89, 51))
    cells = kf.catchments(None, directory, region=ring)
    check_cells(directory, cells[cells["supply"] == "possible"], ring, 4000)


@given(
    places=st.lists(
        st.tuples(st.floats(42.0, 48.0), st.floats(-84.0, -74.0)), min_size=1, max_size=7
    )
)
def test_areas_add_up_wherever_the_clinics_are(places):
    coarse = [(round(lat, 2), round(lon, 2)) for lat, lon in places]
    nobody = pd.DataFrame({"lat": [45.0], "lon": [-79.0]})  # to count people takes most of the time
    cells = kf.catchments(nobody, directory_of(coarse), region=REGION)
    whole = area_km2(shapely.segmentize(REGION, 0.01))
    for level in ("confirmed", "possible"):
        part = cells[cells["supply"] == level]
        assert part["area_km2"].sum() == pytest.approx(whole, rel=1e-4)
        assert len(part) == len(set(coarse))


def test_clinics_at_one_place_share_a_cell():
    cells = kf.catchments(None, directory_of([(44.0, -79.0), (45.0, -76.0), (44.0, -79.0)]))
    assert cells["clinic_ids"].tolist() == ["00;02", "01"] * 2
    assert cells.crs == "EPSG:4326"


def test_everyone_is_counted_once_at_the_nearest_clinic():
    codes = kf.ontario_postal_codes().iloc[::50].assign(people=2.0)
    cells = kf.catchments(codes, DIRECTORY, weight="people", routes="iv")
    sums = cells.groupby("supply")["weight"].sum()
    assert sums.tolist() == [2.0 * len(codes)] * 2
    joined = kf.nearest_join(codes, DIRECTORY, routes="iv")
    counts = 2.0 * joined["clinic_id"].value_counts()
    confirmed = cells[cells["supply"] == "confirmed"].set_index("clinic_ids")["weight"]
    for ids, weight in confirmed.items():
        assert weight == sum(counts[one] for one in ids.split(";"))
    # Ontario is cut up; some who live on a shore are just outside of it.
    everybody = shapely.MultiPoint(codes[["lon", "lat"]].to_numpy())
    assert cells.union_all().buffer(0.1).covers(everybody)
    assert cells.total_bounds.tolist() == pytest.approx(layers("near")["ontario"].bounds, abs=1e-3)
    beyond = pd.concat([codes, pd.DataFrame({"lat": [41.0], "lon": [-80.0], "people": 1.0})])
    assert kf.catchments(beyond, DIRECTORY, weight="people", routes="iv").total_bounds[
        1
    ] == pytest.approx(40.5)


def test_no_clinic_means_no_row():
    cells = kf.catchments(None, DIRECTORY, where=kf.route("sc") & ~kf.route("sc"), region=REGION)
    assert isinstance(cells, gpd.GeoDataFrame)
    assert len(cells[cells["supply"] == "confirmed"]) == 0


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (shapely.Point(0, 0), "takes|a region is"),
        (shapely.Polygon(), "empty"),
        (shapely.box(-120, 20, 60, 80), "draw"),
        (shapely.box(500_000, 0, 600_000, 10), "degrees"),
    ],
)
def test_a_region_that_cannot_be_cut_is_refused(region, message):
    with pytest.raises(kf.errors.InvalidInputError, match=message):
        kf.catchments(None, DIRECTORY, region=region)


def brute_best(people, sites, directory, limit, n):
    """The most weight that any n sites add."""
    near, _ = directory.nearest_arrays(people["lat"], people["lon"], k=1)
    open_ = ~(near[:, 0] <= limit)
    lat, lon = people["lat"].to_numpy(), people["lon"].to_numpy()
    reach = [
        open_ & (geodesic_km(site.lat, site.lon, lat, lon) <= limit) for site in sites.itertuples()
    ]
    weight = people["people"].to_numpy()
    return max(float(weight[np.logical_or.reduce(some)].sum()) for some in combinations(reach, n))


@pytest.mark.parametrize("seed", range(6))
def test_the_best_sites_are_the_best_of_all_choices(seed):
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    generator = np.random.default_rng(seed)

    def somewhere(n):
        return {"lat": generator.uniform(42, 48, n), "lon": generator.uniform(-84, -74, n)}

    people = pd.DataFrame(somewhere(150) | {"people": generator.integers(0, 9, 150) + 0.5})
    sites = pd.DataFrame(somewhere(9) | {"site": list("abcdefghi")})
    directory = directory_of(list(zip(*somewhere(2).values(), strict=True)))
    chosen = kf.best_sites(people, directory, sites, n=3, thresholds_km=150.0, weight="people")
    for _, part in chosen.groupby("supply", observed=True):
        assert len(part) == part["site"].nunique() == 3
        assert part["newly_covered"].is_monotonic_decreasing
        assert part["newly_covered"].sum() == pytest.approx(
            brute_best(people, sites, directory, 150.0, 3)
        )
        gained = part["share_after"] - part["share_before"]
        assert gained.tolist() == pytest.approx(
            [part["newly_covered"].sum() / people["people"].sum()] * 3
        )


def test_sites_are_chosen_for_each_threshold():
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    people = pd.DataFrame({"lat": [44.0, 44.0, 45.5], "lon": [-79.0, -79.1, -79.0]})
    sites = pd.DataFrame({"lat": [44.0, 44.8], "lon": [-79.0, -79.0]})
    nobody = kf.Directory.from_clinics([])
    both = kf.best_sites(people, nobody, sites, thresholds_km=[20.0, 95.0])
    each = [kf.best_sites(people, nobody, sites, thresholds_km=km) for km in (20.0, 95.0)]
    pd.testing.assert_frame_equal(both, pd.concat(each))
    assert both["threshold_km"].tolist() == [20.0, 20.0, 95.0, 95.0]
    assert both["lat"].tolist() == [44.0, 44.0, 44.8, 44.8]
    assert both["newly_covered"].tolist() == [2.0, 2.0, 3.0, 3.0]


def test_sites_that_add_nothing_are_chosen_when_nothing_is_left():
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    sites = pd.DataFrame({"lat": [44.0, 44.1], "lon": [-79.0, -79.1]})
    people = sites.iloc[:1]
    chosen = kf.best_sites(people, directory_of([(44.0, -79.0)]), sites, n=2)
    assert chosen["newly_covered"].tolist() == [0.0] * 4
    assert chosen["share_before"].tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("sites", "n", "message"),
    [
        ({"lat": [44.0], "lon": [-79.0]}, 2, "n=2, but there are 1"),
        ({"lat": [44.0], "lon": [-79.0]}, 0, "n must be"),
        ({"lat": [44.0, np.nan], "lon": [-79.0, -79.0]}, 1, "no position"),
        ({"lat": [144.0], "lon": [-79.0]}, 1, "row 0: lat"),
        ({"where": ["Kingston"]}, 1, "no column 'lat'"),
    ],
)
def test_candidates_that_cannot_be_used_are_refused(sites, n, message):
    with pytest.raises(kf.errors.InvalidInputError, match=message):
        kf.best_sites(None, DIRECTORY, pd.DataFrame(sites), n=n)


def test_places_a_metre_apart_have_a_cell_each():
    clinics = [
        kf.Clinic(clinic_id=name, name=name, location=kf.Location(lat=lat, lon=-79.383184))
        for name, lat in (("a", 43.653226), ("b", 43.653236), ("c", 44.0))
    ]
    cells = kf.catchments(None, kf.Directory.from_clinics(clinics))
    assert cells.loc[cells["supply"] == "possible", "clinic_id"].tolist() == ["a", "b", "c"]
    assert cells.is_valid.all()
    assert (cells["area_km2"] > 0).all()


def test_the_postal_codes_are_counted_unless_others_are_given():
    cells = kf.catchments(None, kf.load_directory())
    codes = kf.ontario_postal_codes()
    assert cells.groupby("supply")["weight"].sum().tolist() == [len(codes), len(codes)]
    # Ontario is cut up, not the box around its clinics: nobody but those on a shore is outside.
    confirmed = cells[cells["supply"] == "confirmed"]
    assert 1_060_000 < confirmed["area_km2"].sum() < 1_090_000
    some = codes.sample(4_000, random_state=1)
    inside = gpd.points_from_xy(some.lon, some.lat).within(confirmed.union_all())
    assert inside.mean() > 0.99
    for town in ("Windsor, ON", "Cornwall, ON", "Kenora, ON"):
        place = kf.geocode(town)
        assert confirmed.contains(shapely.Point(place.lon, place.lat)).sum() == 1
    abroad = kf.Directory.from_clinics(
        [kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=48.2, lon=16.4))]
    )
    assert kf.catchments(None, abroad)["weight"].tolist() == [0.0, 0.0]


def test_candidates_are_checked_as_origins_are():
    people = pd.DataFrame({"lat": [44.0], "lon": [-79.0]})
    with pytest.raises(kf.errors.CoordinatesError, match=r"candidates, row 0: .*swapped"):
        kf.best_sites(people, DIRECTORY, people.rename(columns={"lat": "lon", "lon": "lat"}))
    with pytest.raises(kf.errors.InvalidInputError, match="a column 'supply'; rename it"):
        kf.best_sites(people, DIRECTORY, people.assign(supply=1))
    with pytest.raises(kf.errors.InvalidInputError, match="candidate 1 has no position"):
        kf.best_sites(people, DIRECTORY, pd.DataFrame({"lat": [44, None], "lon": -79.0}))


def test_weights_may_be_as_small_as_they_like():
    people = pd.DataFrame({"lat": [43.0, 44.0, 45.0], "lon": -79.0, "w": [3e-8, 2e-8, 1e-8]})
    sites = pd.DataFrame({"lat": [45.0, 44.0, 43.0], "lon": -79.0})
    nobody = kf.Directory.from_clinics([])
    chosen = kf.best_sites(people, nobody, sites, n=1, thresholds_km=10, weight="w")
    assert chosen["lat"].tolist() == [43.0, 43.0]


def test_catchments_count_who_is_surely_nearest_and_who_may_be():
    generator = np.random.default_rng(2)
    m, n = 7, 200
    places = np.column_stack([generator.uniform(43, 45, m), generator.uniform(-81, -78, m)])
    radii = generator.choice([0.0, 4.0, 40.0], m)
    directory = kf.Directory.from_clinics(
        kf.Clinic(clinic_id=f"{at:02}", name="A", location=kf.Location(lat=a, lon=b, radius_km=r))
        for at, ((a, b), r) in enumerate(zip(places.tolist(), radii, strict=True))
    )
    people = pd.DataFrame(
        {"lat": generator.uniform(43, 45, n), "lon": generator.uniform(-81, -78, n)}
    ).assign(people=generator.integers(0, 9, n), radius=generator.choice([0.0, 3.0], n))
    cells = kf.catchments(people, directory, weight="people", radius="radius")
    cells = cells[cells["supply"] == "confirmed"].set_index("clinic_id")
    km = geodesic_km(
        people["lat"].to_numpy()[:, None],
        people["lon"].to_numpy()[:, None],
        places[:, 0],
        places[:, 1],
    )
    low, high = distance_intervals_km(km, people["radius"].to_numpy()[:, None], radii[None, :])
    may_be = low <= high.min(axis=1, keepdims=True)
    alone = may_be & (may_be.sum(axis=1, keepdims=True) == 1)
    weight = people["people"].to_numpy()[:, None]
    assert cells["weight_high"].tolist() == (weight * may_be).sum(axis=0).tolist()
    assert cells["weight_low"].tolist() == (weight * alone).sum(axis=0).tolist()
    assert (cells["weight_low"] <= cells["weight"]).all()
    assert cells["weight_low"].sum() < cells["weight"].sum() < cells["weight_high"].sum()


def test_sites_may_be_given_by_address_where_people_are_given_by_position():
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    codes = kf.ontario_postal_codes().iloc[::200]
    towns = pd.DataFrame({"town": ["Windsor, ON", "Kingston, ON", "Kenora, ON"]})
    asked = {"thresholds_km": 60, "routes": "iv"}
    best = kf.best_sites(codes, DIRECTORY, towns, candidate_address="town", **asked)
    assert best["town"].tolist() == ["Windsor, ON"] * 2
    lost = pd.DataFrame({"town": ["Windsor, ON", "Nowhere at all zzz"]})
    with pytest.raises(kf.errors.InvalidInputError, match=r"candidate 1 .*address not found"):
        kf.best_sites(codes, DIRECTORY, lost, candidate_address="town", **asked)


def test_a_region_that_is_too_wide_is_refused_with_how_far_it_reaches_from_its_middle():
    def reach_km(lat, lon):
        sine, e = math.sin(math.radians(lat)), math.sqrt(ECCENTRICITY_2)
        # The conformal latitude as Snyder writes it, Map Projections (1987), 3-1.
        tangent = math.tan(math.pi / 4 + math.radians(lat) / 2)
        tangent *= ((1 - e * sine) / (1 + e * sine)) ** (e / 2)
        conformal = 2 * math.atan(tangent) - math.pi / 2
        return 6371.0 * math.acos(math.cos(conformal) * math.cos(math.radians(lon)))

    clinic = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=0.0, lon=0.0))
    directory = kf.Directory.from_clinics([clinic], check=False)
    wide = shapely.box(-60, -40, 60, 40)
    with pytest.raises(kf.errors.InvalidInputError) as refused:
        kf.catchments(None, directory, region=wide)
    said = re.search(r"up to ([0-9,]+) km from their middle; .* up to 5,000 km", str(refused.value))
    assert said is not None
    assert float(said[1].replace(",", "")) == pytest.approx(reach_km(40, 60), rel=1e-3)
    for lon, is_wide in ((44.9, False), (45.1, True)):
        strip = shapely.box(-lon, -1.0, lon, 1.0)
        assert (reach_km(1.0, lon) > 5000.0) == is_wide
        if is_wide:
            with pytest.raises(kf.errors.InvalidInputError, match="up to 5,0"):
                kf.catchments(None, directory, region=strip)
        else:
            assert len(kf.catchments(None, directory, region=strip)) == 2


@pytest.mark.parametrize(
    ("places", "bounds"),
    [
        ([(48.2, 16.4)], (15.9, 47.7, 16.9, 48.7)),
        ([(48.2, 16.4), (47.0, 17.4)], (15.9, 46.5, 17.9, 48.7)),
        ([(70.0, 179.8)], (179.3, 69.5, 180.0, 70.5)),
        ([(-60.0, -179.8)], (-180.0, -60.5, -179.3, -59.5)),
        ([(89.8, 20.0)], (19.5, 89.3, 20.5, 90.0)),
        ([(-89.8, 20.0)], (19.5, -90.0, 20.5, -89.3)),
    ],
)
def test_elsewhere_the_box_around_clinics_is_cut_half_a_degree_wider_and_on_the_earth(
    places, bounds
):
    people = pd.DataFrame({"lat": [places[0][0]], "lon": [places[0][1]]})
    at_a_pole = abs(places[0][0]) > 89  # where every longitude is the same
    for origins in (None, people):
        found = kf.catchments(origins, directory_of(places)).total_bounds.tolist()
        sides = slice(1, None, 2) if at_a_pole else slice(None)
        assert found[sides] == pytest.approx(bounds[sides], abs=1e-6)


def test_sites_have_the_columns_of_the_origins_or_else_lat_and_lon():
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    people = pd.DataFrame({"y": [44.0, 45.0], "x": -79.0})
    nobody, asked = kf.Directory.from_clinics([]), {"lat": "y", "lon": "x", "thresholds_km": 5}
    same = people.assign(lat=48.0, lon=-80.0)
    for sites in (same, people.rename(columns={"y": "lat", "x": "lon"})):
        assert kf.best_sites(people, nobody, sites, **asked)["newly_covered"].tolist() == [1.0, 1.0]


def test_who_is_exactly_at_a_threshold_is_within_reach():
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    people = pd.DataFrame({"lat": [44.0, 44.1], "lon": -79.0})
    km = float(geodesic_km(44.0, -79.0, 44.1, -79.0))
    here = directory_of([(44.0, -79.0)])
    reach = kf.best_sites(people, here, people, thresholds_km=[km, km - 1e-6])
    assert reach["share_before"].tolist() == [1.0, 1.0, 0.5, 0.5]
    nobody = kf.Directory.from_clinics([])
    chosen = kf.best_sites(people, nobody, people.iloc[:1], thresholds_km=[km, km - 1e-6])
    assert chosen["newly_covered"].tolist() == [2.0, 2.0, 1.0, 1.0]


def test_as_many_sites_as_a_byte_has_bits_and_more_are_told_apart():
    pytest.importorskip("spopt", reason="spopt is not installed: the extra sites")
    for n in (7, 8, 9, 17):
        people = pd.DataFrame({"lat": 43.0 + np.arange(n) / 5, "lon": -79.0})
        people["people"] = np.arange(n) + 1.0
        asked = {"thresholds_km": 5, "weight": "people", "n": n}
        best = kf.best_sites(people, kf.Directory.from_clinics([]), people, **asked)
        assert best["newly_covered"].tolist() == [*range(n, 0, -1)] * 2
        assert best["lat"].tolist() == people["lat"].tolist()[::-1] * 2
