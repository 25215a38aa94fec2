"""The nearest by time against all times, sorted."""

from __future__ import annotations

import math
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ketafind.geo import geodesic_km
from ketafind.travel import GraphRouter, TravelTimes, search
from ketafind.travel.search import Candidates, nearest_by_time
from test_travel_graph import PLACES, networks


class Service:
    """A router that only gives tables, such as a service would; it counts what it is asked."""

    def __init__(self, graph: GraphRouter, max_speed_kmh: float | None) -> None:
        self.graph, self.max_speed_kmh, self.profile = graph, max_speed_kmh, "car"
        self.requests = 0

    def times(self, origins, targets, *, limit_min: float = math.inf) -> TravelTimes:
        self.requests += 1
        return self.graph.times(origins, targets, limit_min=limit_min)


def pages(origin: np.ndarray, places: np.ndarray):
    """Candidates by straight distance, as a directory gives them."""
    km = geodesic_km(*origin, places[:, 0], places[:, 1])
    order = np.argsort(km, kind="stable")

    def page(start: int, stop: int) -> Candidates:
        part = order[start:stop]
        return Candidates(km[part], part, places[part, 0], places[part, 1])

    return page


def sorted_by_time(
    graph: GraphRouter, origin: np.ndarray, places: np.ndarray, k: int, limit: float
):
    minutes = graph.times(origin[None], places).minutes[0]
    order = np.lexsort((np.arange(len(places)), np.rint(minutes * 60_000)))[:k]
    kept = [at for at in order if minutes[at] <= limit]
    return minutes[kept], kept


LIMITS = st.sampled_from([0.0, 1.0, 5.0, 12.0, math.inf])


@given(networks(), PLACES, PLACES, st.integers(1, 6), LIMITS)
def test_one_bounded_search_finds_the_nearest_of_all_times(network, origins, places, k, limit):
    graph = GraphRouter.from_edges(*network)
    found = nearest_by_time(graph, origins[0], pages(origins[0], places), len(places), k, limit)
    minutes, kept = sorted_by_time(graph, origins[0], places, k, limit)
    assert found.number.tolist() == kept
    np.testing.assert_allclose(found.minutes, minutes, atol=1e-9)
    assert found.certificate.proved


@given(networks(), PLACES, st.integers(1, 6), LIMITS, st.integers(0, 2**32 - 1))
def test_batches_end_only_where_no_place_left_can_be_nearer(network, origins, k, limit, seed):
    graph = GraphRouter.from_edges(*network)
    rng = np.random.default_rng(seed)
    places = np.column_stack([44 + 0.05 * rng.random(18), -78 + 0.05 * rng.random(18)])
    # Places stand away from their roads, so what bounds a journey is measured on these.
    minutes = graph.times(origins[:1], places).minutes[0]
    km = geodesic_km(*origins[0], places[:, 0], places[:, 1])
    speeds = km[minutes > 0] / minutes[minutes > 0] * 60
    fastest = float(speeds.max(initial=1.0)) * (1 + 1e-9)
    if ((minutes == 0) & (km > 0)).any():
        fastest = 1e9
    service = Service(graph, fastest)
    with mock.patch.object(search, "BATCH", 4):
        found = nearest_by_time(service, origins[0], pages(origins[0], places), 18, k, limit)
    _wanted, kept = sorted_by_time(graph, origins[0], places, k, limit)
    assert found.number.tolist() == kept
    assert found.certificate.proved
    assert found.certificate.n_requests == service.requests


def test_without_a_stated_speed_an_answer_that_left_places_out_is_not_proved():
    nodes = {"node": [0, 1], "lat": [44.0, 44.05], "lon": [-78.0, -78.0]}
    graph = GraphRouter.from_edges(
        {"source": [0, 1], "target": [1, 0], "minutes": [9.0, 9.0]}, nodes
    )
    places = np.column_stack([np.linspace(44.0, 44.05, 120), np.full(120, -78.0)])
    origin = np.array([44.0, -78.0])
    found = nearest_by_time(Service(graph, None), origin, pages(origin, places), 120, 3)
    assert not found.certificate.proved
    assert found.certificate.n_examined == 50
    everything = nearest_by_time(Service(graph, None), origin, pages(origin, places[:40]), 40, 3)
    assert everything.certificate.proved
