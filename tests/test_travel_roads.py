"""Extracts read as networks: what is open, how fast, where roads begin and end."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ketafind.cli import main
from ketafind.errors import DataError, InvalidInputError, MissingFileError
from ketafind.geo import geodesic_km
from ketafind.travel import PROFILES, GraphRouter, build_roads
from ketafind.travel.roads import posted_kmh, speeds_kmh

osmium = pytest.importorskip("osmium")
networkx = pytest.importorskip("networkx")

KINDS = [
    {"highway": "residential"},
    {"highway": "residential", "oneway": "yes"},
    {"highway": "primary", "oneway": "-1"},
    {"highway": "secondary", "maxspeed": "80"},
    {"highway": "secondary", "maxspeed": "80", "name": "Another name"},
    {"highway": "footway"},
    {"highway": "service", "access": "private"},
    {"highway": "tertiary", "access": "private", "motorcar": "yes"},
    {"highway": "residential", "junction": "roundabout"},
    {"route": "ferry"},
    {"building": "yes"},
]


@st.composite
def extracts(draw):
    """Some points, and ways of the kinds above over them, that cross, touch and run on."""
    n = draw(st.integers(3, 9))
    small = st.integers(0, 60)
    places = draw(st.lists(st.tuples(small, small), min_size=n, max_size=n, unique=True))
    way = st.tuples(st.lists(st.integers(0, n - 1), min_size=2, max_size=5), st.sampled_from(KINDS))
    ways = draw(st.lists(way, min_size=1, max_size=9))
    ways = [([a for a, b in zip(w, [-1, *w], strict=False) if a != b], tags) for w, tags in ways]
    ways = [one for one in ways if len(one[0]) > 1]
    return [(44 + a / 1000, -78 + b / 1000) for a, b in places], ways


def write(path, places, ways):
    path.unlink(missing_ok=True)
    with osmium.SimpleWriter(str(path)) as writer:
        for at, (lat, lon) in enumerate(places):
            writer.add_node(osmium.osm.mutable.Node(id=at + 1, location=(lon, lat)))
        for at, (nodes, tags) in enumerate(ways):
            writer.add_way(
                osmium.osm.mutable.Way(id=at + 1, nodes=[n + 1 for n in nodes], tags=tags)
            )


@given(extracts())
@settings(deadline=None)
def test_joined_roads_take_as_long_as_every_piece_of_every_way(tmp_path_factory, extract):
    places, ways = extract
    path = tmp_path_factory.getbasetemp() / "some.osm.pbf"
    write(path, places, ways)
    graph, middles, spans = networkx.MultiDiGraph(), {}, []
    for nodes, tags in ways:
        along, against = speeds_kmh(tags, PROFILES["car"])
        if not along and not against:
            continue
        for a, b in pairwise(nodes):
            ends = np.array([places[a], places[b]])
            spans.append(shapely.LineString(ends))
            middle = tuple(ends[0] + 0.37 * (ends[1] - ends[0]))
            middles[len(spans) - 1] = middle
            name = f"middle {len(spans) - 1}"
            for one, other in ((a, name), (name, b)):
                share = 0.37 if one == a else 0.63
                minutes = share * float(geodesic_km(*places[a], *places[b])) * 60
                graph.add_edge(one, other, minutes=minutes / along if along else np.inf)
                graph.add_edge(other, one, minutes=minutes / against if against else np.inf)
    if not spans:
        with pytest.raises(DataError, match="no road is open to car"):
            build_roads(path)
        return
    # A place on two roads stands for one of them: only those on one are asked about.
    alone = [
        at
        for at, middle in middles.items()
        if sum(span.distance(shapely.Point(middle)) < 1e-6 for span in spans) == 1
    ]
    if not alone:
        return
    points = np.array([middles[at] for at in alone])
    answer = build_roads(path).times(points, points)
    for i, one in enumerate(alone):
        truth = networkx.single_source_dijkstra_path_length(
            graph, f"middle {one}", weight="minutes"
        )
        wanted = np.array([truth.get(f"middle {other}", np.inf) for other in alone])
        got = np.nan_to_num(answer.minutes[i], nan=np.inf)
        np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "kmh"),
    [("50", 50), ("1", 1), ("0.9", None), ("200", 200), ("200.5", None), ("30 mph", 48.28032), ("80 km/h", 80), ("none", None), ("signals", None),
     ("0", None), ("50;70", 50), ("", None), ("CA:urban", None)],
)  # fmt: skip
def test_a_posted_limit_is_read_with_its_unit(text, kmh):
    assert posted_kmh(text) == (pytest.approx(kmh) if kmh else None)


@pytest.mark.parametrize(
    ("tags", "car", "foot"),
    [
        ({"highway": "motorway"}, (91.0, 0.0), (0.0, 0.0)),
        ({"highway": "residential", "oneway": "yes"}, (40.95, 0.0), (5.0, 5.0)),
        ({"highway": "primary", "oneway": "-1", "maxspeed": "60"}, (0.0, 54.6), (5.0, 5.0)),
        ({"highway": "footway"}, (0.0, 0.0), (5.0, 5.0)),
        ({"highway": "service", "access": "private"}, (0.0, 0.0), (0.0, 0.0)),
        ({"highway": "service", "access": "no", "foot": "yes"}, (0.0, 0.0), (5.0, 5.0)),
        ({"route": "ferry"}, (20.0, 20.0), (15.0, 15.0)),
        ({"highway": "pedestrian", "area": "yes"}, (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_tags_open_and_close_a_way_by_profile(tags, car, foot):
    assert speeds_kmh(tags, PROFILES["car"]) == pytest.approx(car)
    assert speeds_kmh(tags, PROFILES["foot"]) == pytest.approx(foot)


def test_a_bicycle_may_go_against_a_street_that_says_so():
    tags = {"highway": "residential", "oneway": "yes", "oneway:bicycle": "no"}
    assert min(speeds_kmh(tags, PROFILES["bicycle"])) > 0
    assert min(speeds_kmh(tags, PROFILES["car"])) == 0


def test_what_is_no_extract_is_refused_by_name(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.osm\.pbf"):
        build_roads(tmp_path / "none.osm.pbf")
    (tmp_path / "bad.osm.pbf").write_bytes(b"not an extract" * 50)
    with pytest.raises(DataError, match=r"bad\.osm\.pbf"):
        build_roads(tmp_path / "bad.osm.pbf")
    with pytest.raises(InvalidInputError, match="not a profile"):
        build_roads(tmp_path / "bad.osm.pbf", profiles=("boat",))


def test_one_straight_road_of_three_like_ways_is_one_road(tmp_path):
    places = [(44.0, -78.0), (44.01, -78.0), (44.02, -78.0), (44.03, -78.0)]
    ways = [([0, 1], KINDS[0]), ([1, 2], KINDS[0]), ([2, 3], KINDS[0])]
    write(tmp_path / "a.osm.pbf", places, ways)
    router = build_roads(tmp_path / "a.osm.pbf", profiles=("car", "foot"))
    assert (router.n_nodes, router.n_roads) == (2, 1)
    ends = np.array([places[0], places[3]])
    km = float(geodesic_km(*places[0], *places[3]))
    assert router.times(ends[:1], ends[1:]).minutes[0, 0] == pytest.approx(
        km / 40.95 * 60, rel=1e-6
    )
    router.save(tmp_path / "a.roads")
    foot = type(router).open(tmp_path / "a.roads", "foot")
    assert foot.times(ends[:1], ends[1:]).minutes[0, 0] == pytest.approx(km / 5 * 60, rel=1e-6)


APART = [(44.0, -78.0), (44.01, -78.0), (45.0, -78.0), (45.01, -78.0)]


def two_towns(folder: Path) -> Path:
    write(folder / "two.osm.pbf", APART, [([0, 1], KINDS[0]), ([2, 3], KINDS[0])])
    return folder / "two.osm.pbf"


def test_only_roads_that_touch_an_area_are_kept(tmp_path):
    extract = two_towns(tmp_path)
    # Its box holds both streets, the triangle one of them.
    area = shapely.Polygon([(-78.5, 43.5), (-77.5, 43.5), (-78.5, 45.5)])
    router = build_roads(extract, within=area)
    assert router.n_roads == 1
    assert router.node_positions[0].tolist() == pytest.approx([44.0, 44.01])


def test_a_network_of_an_extract_knows_what_its_profile_is_off_by(tmp_path):
    router = build_roads(two_towns(tmp_path), profiles=("car", "foot"))
    router.error = (0.7, 1.4)
    router.save(tmp_path / "a.roads")
    assert GraphRouter.open(tmp_path / "a.roads").error == (0.7, 1.4)
    assert GraphRouter.open(tmp_path / "a.roads", "foot").error == PROFILES["foot"].error
    for profile in PROFILES.values():
        assert 0 < profile.error[0] <= 1 <= profile.error[1]
    edges = {"source": [1], "target": [2], "minutes": [1.0]}
    nodes = {"node": [1, 2], "lat": [44.0, 44.01], "lon": [-78.0, -78.0]}
    assert GraphRouter.from_edges(edges, nodes).error == (1.0, 1.0)


def test_the_command_builds_a_file_and_clips_it_by_a_polygon_or_around_clinics(tmp_path, capsys):
    extract, out = str(two_towns(tmp_path)), str(tmp_path / "a.roads")
    build = ["roads", "build", extract, "--out", out]
    assert main([*build, "--profile", "foot", "car"]) == 0
    assert "4 crossings and dead ends, 2 roads, for foot, car. Data (c) OpenStreetMap" in (
        capsys.readouterr().out
    )
    assert GraphRouter.open(out, "car").n_roads == 2
    assert main(build) == 2
    assert "pass --overwrite" in capsys.readouterr().err
    box = {"type": "Feature", "properties": {}, "geometry": json.loads(
        shapely.to_geojson(shapely.box(-79, 44.5, -77, 45.5))
    )}  # fmt: skip
    for part in (box, {"type": "FeatureCollection", "features": [box]}, box["geometry"]):
        (tmp_path / "box.geojson").write_text(json.dumps(part))
        assert main([*build, "--overwrite", "--clip", str(tmp_path / "box.geojson")]) == 0
        assert GraphRouter.open(out).node_positions[0].min() == pytest.approx(45.0)
    clinics = "clinic_id,name,lat,lon\na,A,44.2,-78\n"
    (tmp_path / "clinics.csv").write_text(clinics)
    around = ["--overwrite", "--around", str(tmp_path / "clinics.csv")]
    assert main([*build, *around, "--margin-km", "40"]) == 0
    assert GraphRouter.open(out).node_positions[0].max() == pytest.approx(44.01)
    assert main([*build, *around, "--margin-km", "10"]) == 2
    assert "no road is open to car" in capsys.readouterr().err
    assert main([*build, "--overwrite", "--around", "-"]) == 0  # the bundled clinics
    (tmp_path / "clinics.csv").write_text("clinic_id,name\na,A\n")
    assert main([*build, *around]) == 2
    assert "no clinic in it has a position" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is no GeoJSON"),
        ('{"type": "Point", "coordinates": [1, 2]}', "a polygon is needed"),
    ],
)
def test_a_clip_that_is_no_polygon_is_refused(tmp_path, capsys, text, message):
    (tmp_path / "a.geojson").write_text(text)
    command = ["roads", "build", str(two_towns(tmp_path)), "--out", str(tmp_path / "a.roads")]
    assert main([*command, "--clip", str(tmp_path / "a.geojson")]) == 2
    assert message in capsys.readouterr().err


def test_the_command_line_finds_the_nearest_by_road(tmp_path, capsys):
    out, clinics = str(tmp_path / "a.roads"), tmp_path / "clinics.csv"
    assert main(["roads", "build", str(two_towns(tmp_path)), "--out", out]) == 0
    clinics.write_text("clinic_id,name,lat,lon\nnear,Near,44.011,-78\nfar,Far,45,-78\n")
    place = ["--lat", "44", "--lon", "-78", "--data", str(clinics), "--unknown", "include"]
    capsys.readouterr()
    assert main(["nearest", *place, "--roads", out, "--format", "json"]) == 0
    (match,) = json.loads(capsys.readouterr().out)["matches"]
    km = float(geodesic_km(*APART[0], *APART[1]))
    assert match["travel_time_min"] == pytest.approx(km / 40.95 * 60, rel=1e-4)
    assert main(["nearest", *place, "--max-time-min", "5"]) == 2
    assert "--max-time-min goes with --roads" in capsys.readouterr().err
    (tmp_path / "people.csv").write_text("lat,lon\n44,-78\n")
    people = [str(tmp_path / "people.csv"), "--data", str(clinics), "--columns", "city"]
    assert main(["join", *people, "--roads", out, "--max-time-min", "9"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split(",")[2:6] == [
        "rank", "clinic_id", "travel_time_min", "distance_km"
    ]  # fmt: skip


def test_a_profile_drives_on_its_own_roads_whatever_else_the_file_holds(tmp_path):
    places = [(44.0, -78.0), (44.0, -77.99), (44.001, -78.0), (44.001, -77.99)]
    ways = [([0, 1], {"highway": "residential"}), ([2, 3], {"highway": "footway"}),
            ([0, 2], {"highway": "footway"})]  # fmt: skip
    path = tmp_path / "some.osm.pbf"
    write(path, places, ways)
    build_roads(path, profiles=("car", "foot")).save(tmp_path / "both")
    car, foot = (GraphRouter.open(tmp_path / "both", profile=name) for name in ("car", "foot"))
    asked = np.array([(44.0009, -77.999), (44.0008, -77.991)])  # nearer to the path
    alone = build_roads(path).times(asked, asked)
    np.testing.assert_allclose(car.times(asked, asked).minutes, alone.minutes)
    np.testing.assert_allclose(car.times(asked, asked).origin_snap_km, alone.origin_snap_km)
    assert (foot.times(asked, asked).origin_snap_km < 0.05).all()
    assert (alone.origin_snap_km > 0.05).all()


def test_of_long_extracts_the_progress_is_told_as_it_is_read(tmp_path):
    told: list[int] = []
    write(tmp_path / "some.osm.pbf", [(44 + at / 1e5, -78.0) for at in range(12_000)], [
        ([at, at + 1], {"highway": "residential", "name": str(at)}) for at in range(11_999)
    ])  # fmt: skip
    router = build_roads(tmp_path / "some.osm.pbf", progress=told.append)
    assert len(told) > 1
    assert sum(told) == 11_999
    ends = np.array([(44.0, -78.0), (44.11999, -78.0)])
    speed_kmh = PROFILES["car"].speeds["residential"] * PROFILES["car"].factor
    minutes = geodesic_km(*ends[0], *ends[1]) / speed_kmh * 60
    assert router.times(ends, ends).minutes[0, 1] == pytest.approx(minutes, rel=1e-3)


def test_a_place_is_snapped_to_a_road_that_is_open_to_who_travels(tmp_path):
    places = [(44.0, -78.0), (44.0, -77.9), (44.02, -78.0), (44.02, -77.9)]
    fast, slow = {"highway": "motorway"}, {"highway": "residential"}
    write(tmp_path / "a.osm.pbf", places, [([0, 1], fast), ([2, 3], slow)])
    told: list[int] = []
    router = build_roads(tmp_path / "a.osm.pbf", profiles=("car", "foot"), progress=told.append)
    assert sum(told) == 2
    router.save(tmp_path / "a.roads")
    on_it = np.array([[44.0, -77.95]])
    for profile, km in (("car", 0.0), ("foot", 2.222)):
        snap = type(router).open(tmp_path / "a.roads", profile).snap(on_it)
        assert snap.distance_km[0] == pytest.approx(km, abs=0.01)
