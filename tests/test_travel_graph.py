"""Times on generated networks against every way there is, relaxed by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import DirectoryFileError, InvalidInputError
from ketafind.geo import geodesic_km
from ketafind.travel import REASONS, GraphRouter

nx = pytest.importorskip("networkx")

SQUARE = st.floats(0.0, 0.05)
MINUTES = st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.5])
TWO = pd.DataFrame({"node": [1, 2], "lat": [44, 44.01], "lon": [-78.0, -78.0]})


@st.composite
def networks(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A few crossings, some on one point, and edges: one-way, parallel, loops, of no length."""
    n = draw(st.integers(2, 7))
    places = draw(st.lists(st.tuples(SQUARE, SQUARE), min_size=n, max_size=n))
    nodes = pd.DataFrame(
        {
            "node": [f"n{i}" for i in range(n)],
            "lat": [44.0 + lat for lat, _ in places],
            "lon": [-78.0 + lon for _, lon in places],
        }
    )
    one = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), MINUTES)
    rows = draw(st.lists(one, min_size=1, max_size=14))
    both = draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    rows += [(b, a, t) for (a, b, t), back in zip(rows, both, strict=True) if back]
    edges = pd.DataFrame(
        [(f"n{a}", f"n{b}", t) for a, b, t in rows], columns=["source", "target", "minutes"]
    )
    return edges, nodes


PLACES = st.lists(st.tuples(SQUARE, SQUARE), min_size=1, max_size=5).map(
    lambda pairs: np.array([(44.0 + lat, -78.0 + lon) for lat, lon in pairs])
)


def by_hand(router: GraphRouter, origins: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """All times by relaxing every arc until nothing changes, from the snapped places."""
    tail, head = router._nodes_of(np.arange(router.n_roads))
    onward = router._seconds[router._forward]
    against = router._seconds[router._backward]
    start, goal = router.snap(origins), router.snap(targets)
    table = np.full((len(origins), len(targets)), np.inf)
    for i in range(len(origins)):
        road, share = start.road[i], start.fraction[i]
        seconds = np.full(router.n_nodes, np.inf)
        seconds[tail[road]] = share * against[road] if share else 0.0
        to_head = (1 - share) * onward[road] if share < 1 else 0.0
        seconds[head[road]] = min(seconds[head[road]], to_head)
        for _ in range(router.n_nodes):
            for a, b, out, home in zip(tail, head, onward, against, strict=True):
                seconds[b] = min(seconds[b], seconds[a] + out)
                seconds[a] = min(seconds[a], seconds[b] + home)
        for j in range(len(targets)):
            other, part = goal.road[j], goal.fraction[j]
            ways = [
                seconds[tail[other]] + (part * onward[other] if part else 0.0),
                seconds[head[other]] + ((1 - part) * against[other] if part < 1 else 0.0),
            ]
            if other == road and part == share:
                ways.append(0.0)
            elif other == road:
                ways.append(abs(part - share) * (onward if part > share else against)[road])
            table[i, j] = min(ways) / 60
    return table


@given(networks(), PLACES, PLACES)
def test_times_equal_every_way_relaxed_by_hand(network, origins, targets):
    router = GraphRouter.from_edges(*network)
    answer, truth = router.times(origins, targets), by_hand(router, origins, targets)
    none = np.isinf(truth)
    assert np.array_equal(np.isnan(answer.minutes), none)
    np.testing.assert_allclose(answer.minutes[~none], truth[~none], rtol=1e-9, atol=1e-9)
    assert (answer.reason == np.where(none, REASONS.index("unreachable"), 0)).all()


@given(networks(), PLACES, PLACES, st.sampled_from([0.0, 0.7, 3.0]))
def test_a_limit_leaves_out_what_takes_longer_and_nothing_else(network, origins, targets, limit):
    router = GraphRouter.from_edges(*network)
    free = router.times(origins, targets).minutes
    bound = router.times(origins, targets, limit_min=limit).minutes
    assert np.array_equal(bound, np.where(free <= limit, free, np.nan), equal_nan=True)


@given(networks(), PLACES)
def test_a_place_is_snapped_to_the_nearest_point_of_all_roads(network, places):
    router = GraphRouter.from_edges(*network)
    snap = router.snap(places)
    for at, (lat, lon) in enumerate(places):
        scale = np.array([math.cos(math.radians(lat)) * 111.4, 111.1])
        best = math.inf
        for road in range(router.n_roads):
            start, stop = router._arrays["shape_starts"][road : road + 2]
            degrees = [router._arrays[f"shape_{n}"][start:stop] / 1e7 for n in ("lon", "lat")]
            line = shapely.LineString((np.column_stack(degrees) - (lon, lat)) * scale)
            best = min(best, line.distance(shapely.Point(0, 0)))
        assert snap.distance_km[at] == pytest.approx(best, rel=5e-3, abs=1e-5)


@pytest.mark.parametrize("digits", [5, 7, 9, 12])
def test_who_stands_at_a_crossing_may_leave_it_by_any_road(digits):
    nodes = pd.DataFrame(
        {
            "node": ["hub", "north", "east", "south"],
            "lat": [44.123456789, 44.133456744, 44.120456755, 44.113456766],
            "lon": [-78.987654321, -78.981654344, -78.972654355, -78.990654366],
        }
    )
    edges = pd.DataFrame(
        {
            "source": ["hub", "hub", "south"],
            "target": ["north", "east", "hub"],
            "minutes": [1.0, 2.0, 4.0],
        }
    )
    places = nodes[["lat", "lon"]].round(digits)
    found = GraphRouter.from_edges(edges, nodes).times(places, places).minutes
    wanted = [
        [0.0, 1.0, 2.0, np.nan],
        [np.nan, 0.0, np.nan, np.nan],
        [np.nan, np.nan, 0.0, np.nan],
        [4.0, 5.0, 6.0, 0.0],
    ]
    assert found == pytest.approx(np.array(wanted), abs=2e-3, nan_ok=True)


def test_a_road_of_half_a_metre_has_two_ends():
    nodes = pd.DataFrame({"node": [1, 2], "lat": [44.0, 44.000005], "lon": [-78.0, -78.0]})
    edges = pd.DataFrame({"source": [1], "target": [2], "minutes": [1.0]})
    places = nodes[["lat", "lon"]]
    found = GraphRouter.from_edges(edges, nodes).times(places, places).minutes
    assert np.array_equal(found, [[0.0, 1.0], [np.nan, 0.0]], equal_nan=True)


def test_a_file_gives_the_same_times_with_and_without_checks(tmp_path):
    nodes = pd.DataFrame({"node": [1, 2, 3], "lat": [44, 44.01, 44.02], "lon": [-78.0] * 3})
    edges = pd.DataFrame({"source": [1, 2], "target": [2, 3], "minutes": [1.0, 2.0]})
    GraphRouter.from_edges(edges, nodes).save(tmp_path / "a.roads")
    here, there = [kf.Coordinates(lat=44, lon=-78)], [kf.Coordinates(lat=44.02, lon=-78)]
    for verify in (True, False):
        again = GraphRouter.open(tmp_path / "a.roads", verify=verify)
        assert again.times(here, there).minutes == pytest.approx(3.0)
        assert REASONS[again.times(there, here).reason[0, 0]] == "unreachable"


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("weight", [-1.0, math.nan])
def test_times_that_a_search_would_not_end_on_are_refused(tmp_path, weight, verify):
    """With right checksums, unverified too."""
    router = GraphRouter.from_edges({"source": [1], "target": [2], "minutes": [1.0]}, TWO)
    router._seconds[0] = weight
    router.save(tmp_path / "a.roads")
    with pytest.raises(DirectoryFileError, match="no network"):
        GraphRouter.open(tmp_path / "a.roads", verify=verify)


def test_roads_around_the_earth_again_and_again_are_refused():
    """They would take all memory."""
    n = 3000
    nodes = {"node": range(n), "lat": [0.0] * n, "lon": [0.0, 179.0] * (n // 2)}
    edges = {"source": range(n - 1), "target": range(1, n), "minutes": [1.0] * (n - 1)}
    router = GraphRouter.from_edges(edges, nodes)
    with pytest.raises(InvalidInputError, match="are the most"):
        router.times([kf.Coordinates(lat=1, lon=1)], [kf.Coordinates(lat=1, lon=2)])


@pytest.mark.parametrize(("lat", "lon"), [([44.2, 44.3], [-76.5, 951.0]), ([-76.5, -76.4], [44.2, 44.3]),
                                      ([-94.5, -94.4], [49.7, 49.8]), ([44.2, np.nan], [-76.5, -76.4])])  # fmt: skip
def test_nodes_that_no_road_is_at_are_refused_with_the_likely_cause(lat, lon) -> None:
    edges = {"source": [1], "target": [2], "minutes": [1.0]}
    with pytest.raises(InvalidInputError, match=r"nodes, row [01]: .*swapped, or projected"):
        GraphRouter.from_edges(edges, {"node": [1, 2], "lat": lat, "lon": lon})


def test_a_place_far_from_every_road_fails_alone():
    router = GraphRouter.from_edges({"source": [1], "target": [2], "minutes": [1.0]}, TWO)
    answer = router.times(np.array([[44.0, -78.0], [50.0, -78.0]]), np.array([[44.01, -78.0]]))
    assert answer.minutes[0, 0] == pytest.approx(1.0)
    assert REASONS[answer.reason[1, 0]] == "off_network"


@pytest.mark.parametrize("minutes", [-1.0, math.nan, math.inf])
def test_an_edge_without_a_time_is_refused_by_its_row(minutes):
    with pytest.raises(InvalidInputError, match="row 1, minutes"):
        GraphRouter.from_edges({"source": [1, 2], "target": [2, 1], "minutes": [1.0, minutes]}, TWO)


@given(networks(), PLACES, st.sampled_from([0.4, 1.0, 3.0]), st.booleans())
def test_a_place_on_a_road_lies_in_the_isochrone_when_it_is_reached_in_time(
    network, places, minutes, reverse
):
    router = GraphRouter.from_edges(*network)
    area = router.isochrone(
        kf.Coordinates(lat=places[0][0], lon=places[0][1]), minutes, reverse=reverse, width_km=0.01
    )
    # Moved onto their roads, so that the area's width does not matter.
    snap = router.snap(places)
    on = [
        router._line(int(r), float(f), float(f))
        for r, f in zip(snap.road, snap.fraction, strict=True)
    ]
    at = shapely.points([shapely.get_coordinates(point)[0] for point in on])
    pairs = (places[1:], places[:1]) if reverse else (places[:1], places[1:])
    took = router.times(*pairs).minutes.reshape(-1)
    inside = shapely.covers(area, at)
    assert inside[0]
    assert inside[1:][took <= minutes].all()


def test_an_isochrone_ends_where_the_time_does():
    nodes = {"node": [1, 2], "lat": [44.0, 44.0], "lon": [-78.0, -77.9]}
    router = GraphRouter.from_edges({"source": [1], "target": [2], "minutes": [10.0]}, nodes)
    area = router.isochrone(kf.Coordinates(lat=44.0, lon=-78.0), 5, width_km=0.001)
    west, _, east, _ = area.bounds
    assert (west, east) == pytest.approx((-78.0, -77.95), abs=1e-4)
    assert (
        router.isochrone(kf.Coordinates(lat=44.0, lon=-77.9), 5, width_km=0.001).bounds[0] > -77.91
    )


@given(networks(), PLACES, PLACES)
def test_a_graph_of_networkx_gives_the_times_of_its_table_of_edges(network, origins, targets):
    edges, nodes = network
    graph = nx.MultiDiGraph()
    for node, lat, lon in nodes.itertuples(index=False):
        graph.add_node(node, y=lat, x=lon)
    for source, target, minutes in edges.itertuples(index=False):
        graph.add_edge(source, target, travel_time=minutes * 60)
    # In the order of the graph: of roads equally near the first stands for a place.
    rows = [
        (source, target, data["travel_time"] / 60)
        for source, target, data in graph.edges(data=True)
    ]
    edges = pd.DataFrame(rows, columns=["source", "target", "minutes"])
    found, wanted = (
        router.times(origins, targets).minutes
        for router in (GraphRouter.from_networkx(graph), GraphRouter.from_edges(edges, nodes))
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_curved_street_of_a_graph_is_one_road_with_its_shape_both_ways():
    points = [(-78.0, 44.0), (-77.99, 44.01), (-77.98, 44.0)]
    graph = nx.MultiDiGraph()
    graph.add_nodes_from([(1, {"x": -78.0, "y": 44.0}), (2, {"x": -77.98, "y": 44.0})])
    graph.add_edge(1, 2, travel_time=60, geometry=shapely.LineString(points))
    graph.add_edge(2, 1, travel_time=120.0, geometry=shapely.LineString(points[::-1]))
    graph.add_edge(1, 2, travel_time=600.0)
    router = GraphRouter.from_networkx(graph)
    assert router.n_roads == 2
    top, left = np.array([[44.01, -77.99]]), np.array([[44.0, -78.0]])
    assert router.times(left, top).minutes.item() == pytest.approx(0.5)
    assert router.times(top, left).minutes.item() == pytest.approx(1.0)


def test_edges_of_a_graph_without_directions_are_open_both_ways():
    graph = nx.Graph()
    graph.add_nodes_from([("a", {"x": -78.0, "y": 44.0}), ("b", {"x": -77.98, "y": 44.0})])
    graph.add_edge("a", "b", travel_time=90)
    ends = np.array([[44.0, -78.0], [44.0, -77.98]])
    assert GraphRouter.from_networkx(graph).times(ends, ends).minutes.max() == pytest.approx(1.5)
    # With a shape it is the same road there and back, however many points that has.
    points = [(-78.0, 44.0), (-77.995, 44.01), (-77.99, 44.01), (-77.98, 44.0)]
    graph.add_edge("a", "b", travel_time=90, geometry=shapely.LineString(points))
    router = GraphRouter.from_networkx(graph)
    assert router.n_roads == 1
    assert router.times(ends, ends).minutes[[0, 1], [1, 0]].tolist() == pytest.approx([1.5, 1.5])


def test_a_graph_without_places_in_degrees_or_without_times_is_refused_by_name():
    graph = nx.DiGraph()
    graph.add_nodes_from([("a", {"x": 700_000.0, "y": 44.0}), ("b", {"x": -78.0, "y": 44.0})])
    with pytest.raises(InvalidInputError, match=r"node 'a': x and y .*project_graph"):
        GraphRouter.from_networkx(graph)
    graph.nodes["a"]["x"] = -78.1
    with pytest.raises(InvalidInputError, match="the graph has no edges"):
        GraphRouter.from_networkx(graph)
    graph.add_edge("a", "b", length=3)
    with pytest.raises(InvalidInputError, match="edge 'a' to 'b': travel_time=nan"):
        GraphRouter.from_networkx(graph)


def test_a_long_piece_is_found_behind_many_short_ones_that_are_farther():
    lat, lon = 44.0, -78.0
    east = 1 / (111.32 * math.cos(math.radians(lat)))
    turn = np.radians(np.linspace(20, 160, 40))
    far = np.linspace(0.055, 0.08, 40)
    bend = list(zip(lon + far * east * np.cos(turn), lat + far / 111.1 * np.sin(turn), strict=True))
    south = lat - 0.05 / 111.1
    graph = nx.MultiDiGraph()
    ends = [(lon - 0.24 * east, south), (lon + 0.24 * east, south), bend[0], bend[-1]]
    graph.add_nodes_from((at, {"x": x, "y": y}) for at, (x, y) in enumerate(ends))
    graph.add_edge(0, 1, travel_time=60)
    graph.add_edge(2, 3, travel_time=60, geometry=shapely.LineString(bend))
    snap = GraphRouter.from_networkx(graph).snap(np.array([[lat, lon]]))
    assert snap.distance_km.item() == pytest.approx(0.05, rel=1e-2)
    assert snap.fraction.item() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("edges", "missing"),
    [
        ({"source": [1], "target": [2], "time": [1.0]}, "edges: there is no column 'minutes'"),
        (pd.DataFrame({"target": [2], "minutes": [1.0]}), "edges: there is no column 'source'"),
        ([[1, 2, 1.0]], "edges: there is no column 'source'; needed: source, target, minutes"),
    ],
)
def test_a_table_of_edges_without_a_column_is_refused_by_its_name(edges, missing):
    with pytest.raises(InvalidInputError, match=missing) as refused:
        GraphRouter.from_edges(edges, TWO)
    assert "il n'y a pas de colonne" in refused.value.text("fr")


ONE = pd.DataFrame({"source": [1], "target": [2], "minutes": [1.0]})


@pytest.mark.parametrize(
    ("edges", "nodes", "said"),
    [
        (ONE, pd.concat([TWO, TWO]), "a node stands there twice"),
        (ONE.assign(target=3), TWO, "edges, row 0, target: 3 is not a node"),
        (ONE[:0], TWO, "edges: there are none"),
    ],
)
def test_a_table_of_edges_that_is_no_network_is_refused_by_name(edges, nodes, said):
    with pytest.raises(InvalidInputError, match=said):
        GraphRouter.from_edges(edges, nodes)


NODES = {"node": [1, 2], "lat": [44.2, 44.21], "lon": [-76.5, -76.51]}
EDGES = {"source": [1, 2], "target": [2, 1], "minutes": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("nodes", "edges", "said"),
    [
        (NODES, {**EDGES, "minutes": ["1", 1.0]}, "row 0"),
        (NODES, {**EDGES, "minutes": [1.0, None]}, "row 1"),
        (NODES, {**EDGES, "minutes": np.ones((2, 1))}, "row 0"),
        (NODES, {**EDGES, "minutes": [1.0]}, "as long as"),
        (NODES, {**EDGES, "source": [[1], 2]}, "row 0, source"),
        ({**NODES, "node": [[1], 2]}, EDGES, "row 0"),
        ({**NODES, "lat": ["x", 44.21]}, EDGES, "row 0"),
        ({**NODES, "lat": [44.2]}, EDGES, "as long as"),
        (None, EDGES, "nodes"),
        (NODES, "edges", "edges"),
    ],
)
def test_a_table_that_is_none_is_refused_by_what_is_wrong_with_it(nodes, edges, said):
    with pytest.raises(InvalidInputError, match=said):
        GraphRouter.from_edges(edges, nodes)


def test_a_network_has_times_for_its_own_profiles_only(tmp_path):
    GraphRouter.from_edges(ONE, TWO).save(tmp_path / "roads")
    with pytest.raises(InvalidInputError, match="no times for 'boat'; it has car"):
        GraphRouter.open(tmp_path / "roads", profile="boat")


def test_an_isochrone_takes_a_time_above_0_and_is_empty_off_the_network():
    graph = GraphRouter.from_edges(ONE, TWO)
    with pytest.raises(InvalidInputError, match="not a time above 0"):
        graph.isochrone(kf.Coordinates(lat=44.0, lon=-78.0), 0.0)
    assert graph.isochrone(kf.Coordinates(lat=46.0, lon=-78.0), 5.0).is_empty


def test_places_are_read_alike_in_every_form_or_refused():
    graph = GraphRouter.from_edges(
        pd.concat([ONE, ONE.rename(columns={"source": "target", "target": "source"})]), TWO
    )
    pair = [kf.Coordinates(lat=44.0, lon=-78.0), kf.Coordinates(lat=44.01, lon=-78.0)]
    wanted = graph.times(pair, pair).minutes
    assert np.isfinite(wanted).all()
    array = np.array([(44.0, -78.0), (44.01, -78.0)])
    for places in (
        array,
        TWO[["lat", "lon"]],
        [shapely.Point(-78.0, lat) for lat in (44.0, 44.01)],
    ):
        assert np.array_equal(graph.times(places, pair).minutes, wanted)
    for places, said in (
        (array[0], "the shape"), (array.T[:, :1], "the shape"), (["K7L 3N6"], "give Coordinates"),
        ("K7L 3N6", "give Coordinates"), (np.array([(44.0, -78.0), (91.0, 0.0)]), "number 1 is not a position"),
        (np.array([(np.nan, -78.0)]), "number 0 is not a position"),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match=said):
            graph.times(places, pair)


@pytest.mark.parametrize(
    "data", [{"travel_time": "60"}, {"travel_time": None}, {"travel_time": 60, "geometry": "x"}]
)
def test_a_graph_with_an_edge_that_is_none_is_refused(data):
    graph = nx.MultiDiGraph()
    graph.add_node(1, x=-76.5, y=44.2)
    graph.add_node(2, x=-76.51, y=44.21)
    graph.add_edge(1, 2, **data)
    with pytest.raises(InvalidInputError, match="edge 1 to 2"):
        GraphRouter.from_networkx(graph)
    with pytest.raises(InvalidInputError, match="a graph of NetworkX"):
        GraphRouter.from_networkx(None)


PAIR = [kf.Coordinates(lat=44.2, lon=-76.5)] * 2


@pytest.mark.parametrize("minutes", ["5", None, np.inf, True])
def test_an_isochrone_has_one_place_and_a_time(minutes):
    router = GraphRouter.from_edges(EDGES, NODES)
    with pytest.raises(InvalidInputError, match="minutes"):
        router.isochrone(PAIR[0], minutes)
    for places in ([], PAIR):
        with pytest.raises(InvalidInputError, match="one place"):
            router.isochrone(places, 5)


@pytest.mark.parametrize(
    "places",
    [np.ma.masked_array([[44.2, -76.5]], mask=True), np.array([["a", "b"]]),
     pd.DataFrame({"lat": ["a"], "lon": [1]}), pd.DataFrame({"lat": [1]})],
)  # fmt: skip
def test_places_that_are_no_numbers_are_refused(places):
    with pytest.raises(InvalidInputError, match="places"):
        GraphRouter.from_edges(EDGES, NODES).times(places, PAIR)


@pytest.mark.parametrize("error", [None, (1.0,), ("a", "b"), (2.0, 3.0), 1.0, (np.nan, 1.0)])
def test_an_error_of_a_router_that_is_no_pair_of_factors_is_refused(error, tmp_path):
    router = GraphRouter.from_edges(EDGES, NODES)
    router.error = error
    with pytest.raises(InvalidInputError, match="two factors"):
        router.save(tmp_path / "roads")
    assert not list(tmp_path.iterdir())


def road(*stops: tuple[float, float], minutes: float = 60.0, both: bool = True) -> GraphRouter:
    """One straight road after the other through places."""
    nodes = {"node": range(len(stops)), "lat": [s[0] for s in stops], "lon": [s[1] for s in stops]}
    pairs = [(at, at + 1) for at in range(len(stops) - 1)]
    pairs += [(b, a) for a, b in pairs] if both else []
    edges = pd.DataFrame(pairs, columns=["source", "target"]).assign(minutes=minutes)
    return GraphRouter.from_edges(edges, nodes)


@pytest.mark.parametrize("km", [0.2, 0.8, 3.0])
def test_the_top_speed_is_that_of_the_fastest_road_however_short_and_slow(km):
    lat = 44.0 + km / 111.1
    exact = float(geodesic_km(44.0, -78.0, lat, -78.0))
    assert road((44.0, -78.0), (lat, -78.0)).max_speed_kmh == pytest.approx(exact, rel=1e-3)
    same = road((44.0, -78.0), (lat, -78.0), (lat, -78.0))  # a road from a place to itself
    assert same.max_speed_kmh == pytest.approx(exact, rel=1e-3)


def test_an_edge_to_a_node_that_is_not_there_is_refused_by_its_row():
    nodes = {"node": [0, 1], "lat": [44.0, 44.1], "lon": [-78.0, -78.0]}
    for name, row in (("source", (5, 1)), ("target", (0, 5))):
        edges = pd.DataFrame([(0, 1), row], columns=["source", "target"]).assign(minutes=1.0)
        with pytest.raises(InvalidInputError, match=f"edges, row 1, {name}: 5 is not a node"):
            GraphRouter.from_edges(edges, nodes)


def test_a_place_exactly_as_far_as_it_may_be_is_on_the_road():
    graph = road((44.0, -78.0), (44.1, -78.0))
    off = np.array([[44.05, -77.98]])
    km = float(graph.snap(off).distance_km[0])
    assert graph.snap(off, max_km=km).road[0] == 0
    assert graph.snap(off, max_km=np.nextafter(km, 0.0)).road[0] == -1


@pytest.mark.parametrize("turn", range(0, 360, 40))
def test_a_place_is_on_one_side_of_a_road_or_on_the_other(turn):
    north, east = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    ends = [(44.0 + s * 0.01 * north, -78.0 + s * 0.014 * east) for s in (-1, 1)]
    graph = road(*ends)
    aside = [(44.0 - s * 0.001 * east, -78.0 + s * 0.0014 * north) for s in (-1, 1)]
    left, right = graph.snap(np.array(aside)).side.tolist()
    assert {left, right} == {-1, 1}
    tail, head = (np.array(ends)[at] for at in graph._nodes_of(np.arange(1)))
    along, across = (head - tail)[0], np.array(aside[0]) - np.array([44.0, -78.0])
    assert np.sign(along[1] * across[0] - along[0] * across[1]) == -left
    assert graph.snap(np.array([[44.0, -78.0]])).side.tolist() == [0]


def test_an_isochrone_reaches_along_a_one_way_road_and_back_along_it():
    stops = (44.0, -78.0), (44.1, -78.0), (44.2, -78.0)
    graph = road(*stops, minutes=10.0, both=False)
    start, end = (kf.Coordinates(lat=lat, lon=-78.0) for lat in (44.0, 44.2))

    def holds(shape, *lats):
        return [bool(shape.covers(shapely.Point(-78.0, lat))) for lat in lats]

    places = (44.03, 44.12, 44.14, 44.17)
    assert holds(graph.isochrone(start, 13.0), *places) == [True, True, False, False]
    assert holds(graph.isochrone(end, 7.0, reverse=True), *places) == [False, False, True, True]
    assert holds(graph.isochrone(end, 13.0, reverse=True), 44.05, *places[1:]) == [
        False, True, True, True
    ]  # fmt: skip
    assert not any(holds(graph.isochrone(end, 7.0), *places))
    # From the middle of a road open both ways, the near part of the next one and no more.
    middle = kf.Coordinates(lat=44.05, lon=-78.0)
    shape = road(*stops, minutes=10.0).isochrone(middle, 7.0)
    assert holds(shape, 44.0, 44.1, 44.118, 44.13) == [True, True, True, False]
    shape = road(*stops[::-1], minutes=10.0).isochrone(middle, 7.0)
    assert holds(shape, 44.0, 44.1, 44.118, 44.13) == [True, True, True, False]


@pytest.mark.parametrize("shape", [(2, 3), (2,), (2, 1), (1, 2, 2)])
def test_places_are_pairs(shape):
    graph = road((44.0, -78.0), (44.1, -78.0))
    with pytest.raises(InvalidInputError):
        graph.times(np.full(shape, 44.0), np.array([[44.0, -78.0]]))


def test_what_takes_exactly_as_long_as_the_limit_stays():
    stops = [(44.0 + at / 100, -78.0) for at in range(8)]
    graph = road(*stops, minutes=0.1)
    places = np.array(stops)
    minutes = graph.times(places[:1], places).minutes[0]
    for at in range(1, 8):
        reason = graph.times(places[:1], places, limit_min=float(minutes[at])).reason[0]
        assert (reason[: at + 1] == 0).all()
