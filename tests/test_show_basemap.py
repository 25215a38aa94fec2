"""The base map: land where there is land, water where there is water, and small."""

import json
import re
import zlib

import numpy as np
import pytest
import shapely
from pyproj import Geod

from ketafind import ontario_postal_codes
from ketafind.show import basemap
from ketafind.show.html import asset

SCALES = ["far", "near"]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("place", "lon", "lat", "inside"),
    [
        ("Toronto", -79.4, 43.69, {"land", "ontario"}),
        ("Lake Ontario", -77.8, 43.6, {"land", "ontario", "lakes"}),
        ("Manitoulin, an island", -82.1, 45.75, {"land", "ontario"}),
        ("Montréal", -73.65, 45.55, {"land"}),
        ("Hudson Bay", -85.0, 57.5, set()),
        ("Kenora", -94.3, 49.9, {"land", "ontario"}),
        ("Buffalo", -78.7, 42.9, {"land"}),
    ],
)
def test_places_lie_where_they_are(scale, place, lon, lat, inside):
    areas = {name: area for name, area in basemap.layers(scale).items() if name != "borders"}
    found = {name for name, area in areas.items() if area.contains(shapely.Point(lon, lat))}
    assert found - {"ontario"} == inside - {"ontario"}
    if place != "Lake Ontario":  # the province's border in the lakes is the state's
        assert found == inside


@pytest.mark.parametrize("scale", SCALES)
def test_shapes_are_valid_and_ontario_is_as_large_as_it_is(scale):
    layers = basemap.layers(scale)
    assert set(layers) == {"land", "lakes", "ontario", "borders"}
    assert all(shape.is_valid and not shape.is_empty for shape in layers.values())
    area, _ = Geod(ellps="WGS84").geometry_area_perimeter(shapely.normalize(layers["ontario"]))
    assert abs(area) / 1e6 == pytest.approx(1_076_395, rel=0.01)
    west, south, east, north = layers["land"].bounds
    assert (west, south, east, north) == pytest.approx(basemap.AROUND, abs=0.02)


def test_towns_stand_on_land_the_largest_first():
    towns = basemap.towns()
    assert 15 <= len(towns) <= 25
    populations = [population for *_, population in towns]
    assert populations == sorted(populations, reverse=True)
    where = basemap.layers("near")
    dry = where["land"].difference(where["lakes"])
    # To a hundredth of a degree, which is a kilometre.
    assert all(dry.distance(shapely.Point(lon, lat)) < 0.02 for _, lon, lat, _ in towns)
    ontario = {
        name for name, lon, lat, _ in towns if where["ontario"].contains(shapely.Point(lon, lat))
    }
    assert {"Toronto", "Ottawa", "Kenora", "Thunder Bay"} <= ontario
    assert not {"Detroit", "Montréal", "Buffalo", "Winnipeg"} & ontario


def test_shores_are_as_near_as_the_pages_say():
    """Postal codes are on land: those in drawn water say how far off a shore is drawn."""
    codes = ontario_postal_codes()[::10]
    near = basemap.layers("near")
    flat = basemap.Ground(codes["lon"].to_numpy(), codes["lat"].to_numpy(), "ontario").flat
    land = shapely.transform(near["land"].difference(near["lakes"]), lambda xy: flat(*xy.T))
    shapely.prepare(land)
    far = shapely.distance(land, shapely.points(flat(codes["lon"], codes["lat"])))
    texts = (json.loads(asset(f"{name}.json")) for name in ("finder", "explore"))
    said = [
        text
        for one in texts
        for key in ("credit", "coarse")
        if key in one
        for text in one[key].values()
    ]
    assert len(said) == 4
    for text in said:
        stated_km = float(re.search(r"(\d+) km", text)[1])
        assert np.mean(far[far > 0] < stated_km * 1000) > 0.97


def test_the_file_is_small_and_reads_as_its_maker_says():
    """Steps of a grid, summed up: what a page does too."""
    packed = basemap.packed()
    assert len(packed) < 33_000
    content = json.loads(zlib.decompress(packed))
    steps = content["far"]["ontario"][0]
    points = np.cumsum(np.reshape(steps, (-1, 2)), axis=0) * content["far"]["step"]
    assert shapely.Polygon(points).equals(basemap.layers("far")["ontario"])


@pytest.mark.parametrize("n", [400, 6000])
def test_the_crowd_among_few_or_many_marks_is_enlarged(n):
    draw = np.random.default_rng(5)
    crowded = draw.normal(700_000.0, 4_000.0, (n // 2, 2))
    left, bottom, right, top = basemap.crowd(
        np.vstack([draw.uniform(0.0, 1e6, (n // 2, 2)), crowded])
    )
    assert left < crowded[:, 0].min() < crowded[:, 0].max() < right < left + 250_000
    assert bottom < crowded[:, 1].min() < crowded[:, 1].max() < top < bottom + 250_000
