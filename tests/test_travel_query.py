"""The nearest clinics by time, asked of a directory, against all times sorted."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import InvalidInputError, RoutingError
from ketafind.geo import geodesic_km
from ketafind.travel import Certificate, GraphRouter, TravelTimes
from strategies import criteria, examples, expressions, policies, services
from test_travel_graph import PLACES, networks

HERE = kf.Coordinates(lat=44.0, lon=-78.0)


class Service:
    """A router that only gives tables, such as a service would; it counts what it is asked."""

    profile, batch = "car", 4

    def __init__(self, graph: GraphRouter, max_speed_kmh: float | None) -> None:
        self.graph, self.max_speed_kmh = graph, max_speed_kmh
        self.asked: list[tuple[float, float]] = []
        self.requests = 0

    def times(self, origins, targets, *, limit_min: float = math.inf) -> TravelTimes:
        self.requests += 1
        assert len(targets) <= self.batch
        self.asked += map(tuple, np.asarray(targets).tolist())
        found = self.graph.times(origins, targets, limit_min=limit_min)
        # What bounds a journey is stated for places as they are given, on a road or not.
        unknown = np.full(len(found.origin_snap_km), np.nan)
        return TravelTimes(found.minutes, found.reason, unknown, found.target_snap_km)


def fastest(graph: GraphRouter, origin: kf.Coordinates, clinics) -> float:
    """No clinic is reached faster than this over its straight line."""
    places = [c.location for c in clinics if c.location is not None]
    if not places:
        return 1.0
    minutes = graph.times(origin, places).minutes[0]
    km = geodesic_km(origin.lat, origin.lon, [p.lat for p in places], [p.lon for p in places])
    if ((minutes == 0) & (km > 0)).any():
        return 1e9
    ways = minutes > 0
    return float((km[ways] / minutes[ways] * 60).max(initial=1.0)) * (1 + 1e-9)


@st.composite
def clinics(draw) -> list[kf.Clinic]:
    """Clinics around the network, some on one place, some nowhere, with facts half known."""
    spot = st.sampled_from([0.0, 0.01, 0.05]) | st.floats(0.0, 0.05)
    located = st.builds(lambda lat, lon: kf.Location(lat=44.0 + lat, lon=-78.0 + lon), spot, spot)
    return [
        kf.Clinic(
            clinic_id=f"c{at:02}",
            name=f"Clinic {at}",
            services=(draw(services("s")),),
            status=draw(st.sampled_from(["active", "active", "uncertain"])),
            location=draw(st.none() | located | located | located),
        )
        for at in range(draw(st.integers(0, 14)))
    ]


def by_brute_force(graph, directory, origin, *, limit=math.inf, limit_km=math.inf, **question):
    """Every eligible clinic with a way to it, by time to the millisecond, then by id."""
    rows = []
    for match in directory.search(**question):
        place = match.clinic.location
        if place is None or geodesic_km(origin.lat, origin.lon, place.lat, place.lon) > limit_km:
            continue
        minutes = graph.times(origin, place).minutes[0, 0]
        if minutes <= limit:
            rows.append((round(minutes * 60_000), match.clinic.clinic_id, minutes))
    return sorted(rows)


def listed(matches) -> list[str]:
    return [match.clinic.clinic_id for match in matches]


LIMITS = st.sampled_from([None, None, 0.0, 1.0, 5.0, 12.0])


@examples(1 / 2)
@given(
    networks(), clinics(), PLACES, expressions, policies, st.integers(1, 6), st.integers(0, 3),
    LIMITS, st.sampled_from([None, 3.0]), st.sampled_from(["graph", "service"]),
)  # fmt: skip
def test_the_nearest_by_time_are_those_of_all_times_sorted(
    network, found, places, expression, unknown, k, offset, limit, limit_km, kind
):
    graph = GraphRouter.from_edges(*network)
    origin = kf.Coordinates(lat=float(places[0, 0]), lon=float(places[0, 1]))
    directory = kf.Directory.from_clinics(found, check=False)
    router = graph if kind == "graph" else Service(graph, fastest(graph, origin, found))
    where = criteria(expression)
    truth = by_brute_force(
        graph, directory, origin, where=where, unknown=unknown,
        limit=math.inf if limit is None else limit,
        limit_km=math.inf if limit_km is None else limit_km,
    )  # fmt: skip
    near = directory.nearest(
        origin, k, router=router, where=where, unknown=unknown, offset=offset,
        max_time_min=limit, max_distance_km=limit_km, check=False,
    )  # fmt: skip
    assert listed(near) == [one for _, one, _ in truth[offset : offset + k]]
    for match, (_, _, minutes) in zip(near, truth[offset:], strict=False):
        assert match.travel_time_min == pytest.approx(minutes, abs=1e-9)
        assert match.travel_time_low_min <= match.travel_time_min <= match.travel_time_high_min
        place = match.clinic.location
        straight = geodesic_km(origin.lat, origin.lon, place.lat, place.lon)
        assert match.distance_km == pytest.approx(straight)
    assert [match.rank for match in near] == list(range(offset + 1, offset + 1 + len(near)))
    assert near.certificate.proved
    if kind == "service":
        assert near.certificate.n_requests == router.requests
        assert len(set(router.asked)) <= len(router.asked) == near.certificate.n_examined
    follow = near.more(3)
    end = offset + len(near)
    assert listed(follow) == [one for _, one, _ in truth[end : end + 3]]
    assert listed(near[1:]) == listed(near)[1:]
    assert near[:1].certificate == near.certificate
    # What the answer says of possible clinics is so, and asks nobody again.
    requests = getattr(router, "requests", None)
    maybe = [] if unknown != "exclude" else by_brute_force(
        graph, directory, origin, where=where, unknown="only",
        limit=math.inf if limit is None else limit,
        limit_km=math.inf if limit_km is None else limit_km,
    )  # fmt: skip
    last = truth[offset : offset + k][-1][:2] if len(near) else (math.inf, "")
    assert listed(near.nearer_possible) == [one for t, one, _ in maybe if (t, one) < last][:3]
    assert near.order_certain in (True, False)
    json.dumps(near.to_dict(), allow_nan=False)
    assert str(near)
    assert str(near.explain())
    assert str(near.explain(lang="fr"))
    assert getattr(router, "requests", None) == requests


@examples(1 / 4)
@given(networks(), clinics(), PLACES, st.integers(1, 4))
def test_the_rank_that_a_clinic_is_said_to_have_is_its_rank(network, found, places, k):
    graph = GraphRouter.from_edges(*network)
    origin = kf.Coordinates(lat=float(places[0, 0]), lon=float(places[0, 1]))
    directory = kf.Directory.from_clinics(found, check=False)
    truth = [one for _, one, _ in by_brute_force(graph, directory, origin)]
    near = directory.nearest(origin, k, router=graph, check=False)
    for clinic in found:
        missed = near.why_not(clinic.clinic_id)
        if clinic.clinic_id in truth:
            assert missed.rank == truth.index(clinic.clinic_id) + 1
            assert missed.outcome == ("listed" if missed.rank <= k else "later")
        elif clinic.location is None:
            assert missed.outcome in ("unlocated", "fails", "unknown")
        else:
            assert missed.trip.minutes is not None or missed.trip.reason == "unreachable"
        assert str(missed)
        assert str(missed.translated("fr"))


# ---- what is known, and what is not ----


def line_of_clinics(
    *minutes: float, radius_km: float = 0.0, status: str = "active", a_km: float = 1.0
):
    """A road north from HERE, at so many minutes a kilometre, and a clinic at each kilometre."""
    n = 90
    lat = HERE.lat + np.arange(n) / 110.9
    nodes = pd.DataFrame({"node": range(n), "lat": lat, "lon": np.full(n, HERE.lon)})
    one = pd.DataFrame({"source": range(n - 1), "target": range(1, n), "minutes": a_km})
    back = one.rename(columns={"source": "target", "target": "source"})
    graph = GraphRouter.from_edges(pd.concat([one, back]), nodes)
    made = [
        kf.Clinic(
            clinic_id=f"c{at}",
            name=f"Clinic {at}",
            city="Here",
            status=status,
            location=kf.Location(
                lat=HERE.lat + far / 110.9, lon=HERE.lon, radius_km=radius_km, precision="place"
            ),
        )
        for at, far in enumerate(minutes)
    ]
    return graph, kf.Directory.from_clinics(made)


def test_doubt_of_positions_is_doubt_in_minutes():
    graph, directory = line_of_clinics(20.0, 28.0, radius_km=4.0)
    start = kf.Location(lat=HERE.lat + 10 / 110.9, lon=HERE.lon, radius_km=3.0)
    near = directory.nearest(start, 2, router=graph)
    first, second = near
    assert first.travel_time_min == pytest.approx(10.0, abs=0.01)
    # 0.9 of what the farthest places of both circles make together: 3 and 4 km at 1 km a minute.
    assert first.travel_time_low_min == pytest.approx(10 - 0.9 * 5, abs=0.1)
    assert first.travel_time_high_min == pytest.approx(10 + 0.9 * 5, abs=0.1)
    assert not near.order_certain
    assert second.clinic in first.swaps
    far = directory.nearest(HERE, 2, router=graph, max_time_min=60)
    assert far[0].travel_time_high_min < far[1].travel_time_low_min
    assert far.order_certain
    sure_graph, sure = line_of_clinics(20.0, 28.0)
    assert sure.nearest(HERE, 1, router=sure_graph).order_certain


@pytest.mark.parametrize(("own_km", "clinic_km"), [(3.0, 0.0), (0.0, 4.0), (0.1, 0.0), (0.0, 0.1)])
def test_doubt_of_one_end_alone_is_as_large_as_that_end_s(own_km, clinic_km):
    graph, directory = line_of_clinics(20.0, 40.0, radius_km=clinic_km)
    start = kf.Location(lat=HERE.lat + 10 / 110.9, lon=HERE.lon, radius_km=own_km)
    first = directory.nearest(start, 1, router=graph)[0]
    doubt = 0.9 * (own_km + clinic_km)  # at a kilometre a minute
    assert first.travel_time_high_min - first.travel_time_min == pytest.approx(doubt, rel=0.05)
    below = first.travel_time_min - first.travel_time_low_min
    assert below == pytest.approx(doubt, rel=0.05)


def test_a_clinic_that_was_not_asked_for_is_a_rival_where_doubt_alone_brings_it_near():
    graph, directory = line_of_clinics(20.0, 28.0, radius_km=4.0)
    start = kf.Location(lat=HERE.lat + 10 / 110.9, lon=HERE.lon, radius_km=3.0)
    near = directory.nearest(start, 1, router=graph)
    assert [clinic.clinic_id for clinic in near[0].swaps] == ["c1"]
    assert not near.order_certain


def test_a_graph_works_doubt_out_on_its_roads_and_a_service_is_not_asked():
    graph, directory = line_of_clinics(20.0, radius_km=4.0, a_km=0.5)
    doubt = []
    for router in (graph, Service(graph, 121.0)):
        first = directory.nearest(HERE, 1, router=router)[0]
        doubt.append(first.travel_time_min - first.travel_time_low_min)
    # On its roads half a minute for a kilometre; where nothing is known a minute, at the least.
    assert doubt == pytest.approx([0.9 * 4 * 0.5, 0.9 * 4], rel=0.02)


def test_a_clinic_far_beyond_the_first_search_is_a_rival_of_a_router_that_errs():
    graph, directory = line_of_clinics(20.0, 85.0)
    graph.error = (0.3, 1.5)
    near = directory.nearest(HERE, 1, router=graph)
    assert [clinic.clinic_id for clinic in near[0].swaps] == ["c1"]
    assert not near.order_certain


def test_positions_that_are_exact_leave_no_doubt_about_a_clinic_just_beyond_the_bound():
    minutes = {44.01: 33.0, 44.02: 40.0, 44.3: 50.0}  # 33.3 km off, at 60 km/h
    assert stated_directory(minutes).nearest(HERE, 1, router=Stated(minutes, 60.0)).order_certain
    minutes[44.01] = 33.36
    near = stated_directory(minutes).nearest(HERE, 1, router=Stated(minutes, 60.0))
    assert near.certificate.method == "all"


def test_the_error_that_a_router_states_widens_every_interval():
    graph, directory = line_of_clinics(20.0, 21.0, 40.0)
    graph.error = (0.9, 1.2)
    near = directory.nearest(HERE, 3, router=graph)
    assert near[0].travel_time_low_min == pytest.approx(18.0, abs=0.01)
    assert near[0].travel_time_high_min == pytest.approx(24.0, abs=0.01)
    assert not near.order_certain
    assert [clinic.clinic_id for clinic in near[0].swaps] == ["c1"]
    assert not directory.nearest(HERE, 1, router=graph).order_certain
    assert "18 to 24 min" in str(near)
    said = [near.to_dict(lang)["matches"][0]["travel_time_text"] for lang in (None, "en", "fr")]
    assert said == ["18 to 24 min", "18 to 24 min", "18 à 24 min"]
    assert "20 min by car (18 to 24 min at the 90 % level), free-flow time" in str(near.explain())
    graph.error = (1.1, 1.2)
    with pytest.raises(InvalidInputError, match="two factors"):
        directory.nearest(HERE, router=graph)


def test_a_service_is_told_no_place_but_the_origin_and_the_clinics():
    graph, directory = line_of_clinics(20.0, 28.0, radius_km=4.0)
    service = Service(graph, 61.0)
    start = kf.Location(lat=HERE.lat, lon=HERE.lon, radius_km=3.0)
    near = directory.nearest(start, 2, router=service)
    assert near[0].travel_time_low_min == pytest.approx(20 - 0.9 * 5, abs=0.1)
    assert not near.order_certain
    assert service.requests == 1
    assert len(service.asked) == 2


def test_without_a_stated_speed_an_answer_that_left_clinics_out_is_not_proved():
    graph, directory = line_of_clinics(*range(1, 30))
    near = directory.nearest(HERE, 3, router=Service(graph, None))
    assert not near.certificate.proved
    assert near.certificate.method == "nearest by line"
    assert near.certificate.bound_min == 0.0
    assert near.certificate.n_examined == 4
    assert not near.order_certain
    assert "vouches for no fastest speed" in str(near)
    assert "ne garantit aucune vitesse" in str(near.translated("fr"))
    whole = directory.nearest(HERE, 29, router=Service(graph, None))
    assert whole.certificate.proved
    assert whole.certificate.method == "all"


class Failing(Service):
    def times(self, origins, targets, *, limit_min: float = math.inf) -> TravelTimes:
        if self.requests == 1:
            raise RoutingError("the service failed (HTTP status 500)")
        return super().times(origins, targets, limit_min=limit_min)


def test_a_failed_request_raises_and_shortens_no_answer():
    graph, directory = line_of_clinics(*range(1, 30))
    with pytest.raises(RoutingError, match="status 500"):
        directory.nearest(HERE, 20, router=Failing(graph, 61.0))
    near = directory.nearest(HERE, 3, router=Failing(graph, 61.0))
    with pytest.raises(RoutingError):
        near.more(20)
    assert len(near) == 3


def test_a_clinic_off_the_network_and_one_that_no_way_leads_to_fail_alone():
    graph, directory = line_of_clinics(5.0, 10.0)
    here = kf.Location(lat=HERE.lat + 3.0, lon=HERE.lon)
    far = kf.Clinic(clinic_id="far", name="Far", location=here)
    near = directory.with_clinics([far]).nearest(HERE, 5, router=graph)
    assert listed(near) == ["c0", "c1"]
    assert near.certificate.unreachable == {"off_network": 1}
    assert "no road is near" in str(near)
    missed = near.why_not("far")
    assert (missed.outcome, missed.trip.reason, missed.rank) == ("no_way", "off_network", None)
    assert "no road near it" in str(missed)
    assert near.why_not("c0").to_dict()["travel_time_min"] == pytest.approx(5.0, abs=0.01)
    nowhere = directory.nearest(kf.Coordinates(lat=46, lon=-78), 5, router=graph)
    assert not nowhere
    assert nowhere.certificate.unreachable == {"off_network": 2}
    assert "no road is near" in str(nowhere)
    assert nowhere.explain().relaxations is None
    with pytest.raises(InvalidInputError, match="without router="):
        nowhere.relax()


def test_an_answer_by_time_says_minutes_wherever_it_is_shown():
    graph, directory = line_of_clinics(5.0, 70.0)
    near = directory.nearest(HERE, 2, router=graph, max_time_min=90)
    text = str(near)
    assert "5 min" in text
    assert "1 h 10 min" in text
    assert "free-flow travel time by car" in text
    assert "en voiture, en circulation fluide" in str(near.translated("fr"))
    explained = str(near.explain())
    assert "at most 1 h 30 min by car" in explained
    assert "5 min by car, free-flow time" in explained
    assert "5.0 km in a straight line" in explained.replace("\u00a0", " ")
    frame = near.to_frame()
    assert frame["travel_time_min"].tolist() == pytest.approx([5.0, 70.0], abs=0.02)
    assert frame["travel_time_min"].dtype == "float64"
    assert "travel_distance_km" not in frame
    record = near.to_dict()
    assert record["query"]["travel"] == "car"
    assert record["query"]["max_time_min"] == 90.0
    assert record["certificate"]["method"] == "search"
    assert record["matches"][1]["travel_time_text"] == "1 h 10 min"
    features = near.to_geojson()["features"]
    assert features[0]["properties"]["travel_time_min"] == record["matches"][0]["travel_time_min"]
    assert repr(near[0]) == "<Match 1: c0, 5.0 min, yes>"
    assert ">time</th>" in near._repr_html_()
    page = near.explore().page
    assert '"5 min"' in page
    assert "Ordered by free-flow travel time" in page
    assert "travel_time_min" not in page
    page = near.explore(lang="fr").page
    assert "Classement selon le temps de parcours" in page
    assert "of 2 clinics that match" not in page
    assert str(near.questions())
    # And one by straight line says none of it.
    straight = directory.nearest(HERE, 2)
    assert straight.certificate is None
    assert straight[0].travel_time_min is straight[0].travel_distance_km is None
    assert "travel" not in json.dumps(straight.to_dict())
    assert "time" not in str(straight) + str(straight.explain()) + str(list(straight.columns()))


def test_possible_clinics_that_are_nearer_by_time_are_named_with_their_minutes():
    graph, sure = line_of_clinics(20.0)
    _, maybe = line_of_clinics(5.0, 30.0, status="uncertain")
    both = [*sure.clinics, *(kf.Clinic(clinic_id=f"m{c.clinic_id}", name=f"Maybe {c.clinic_id}",
            status="uncertain", location=c.location) for c in maybe.clinics)]  # fmt: skip
    near = kf.Directory.from_clinics(both).nearest(HERE, 1, router=graph)
    assert listed(near.nearer_possible) == ["mc0"]
    assert near.nearer_possible[0].travel_time_min == pytest.approx(5.0, abs=0.01)
    assert "Maybe c0, 5 min" in str(near)
    assert "Maybe c0 at 5 min" in str(near.explain())
    assert not near.order_certain


def test_how_long_the_way_is_stands_only_where_the_router_says_it():
    class Measuring(Service):
        def times(self, origins, targets, *, limit_min: float = math.inf) -> TravelTimes:
            found = super().times(origins, targets, limit_min=limit_min)
            km = np.where(found.minutes > 12.0, np.nan, found.minutes * 1.5)
            return TravelTimes(
                found.minutes, found.reason, found.origin_snap_km, found.target_snap_km,
                km,
            )  # fmt: skip

    graph, directory = line_of_clinics(5.0, 10.0, 15.0)
    assert directory.nearest(HERE, 3, router=Measuring(graph, 61.0))[2].travel_distance_km is None
    near = directory.nearest(HERE, 2, router=Measuring(graph, 61.0))
    assert near[1].travel_distance_km == pytest.approx(15.0, abs=0.02)
    assert near.to_frame()["travel_distance_km"].tolist() == pytest.approx([7.5, 15.0], abs=0.02)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_time_min": 5}, "max_time_min needs router="),
        ({"router": object()}, "a router has profile; object has none. GraphRouter.open"),
        ({"router": ..., "max_time_min": -1}, "must be a number of minutes, 0 or more, not"),
        ({"router": ..., "max_time_min": math.nan}, "must be a number of minutes, 0 or more, not"),
        ({"router": ..., "max_time_min": "5"}, "must be a number of minutes, 0 or more, not"),
        ({"router": ..., "max_time_min": True}, "must be a number of minutes, 0 or more, not"),
    ],
)
def test_what_is_no_router_and_no_time_is_refused(given, message):
    graph, directory = line_of_clinics(5.0)
    given = {name: graph if value is ... else value for name, value in given.items()}
    with pytest.raises(InvalidInputError, match=message.replace("(", r"\(")):
        directory.nearest(HERE, **given)
    with pytest.raises(InvalidInputError, match="a speed in km/h"):
        directory.nearest(HERE, router=Service(graph, 0.0))


def test_a_question_in_a_straight_line_imports_no_router():
    code = (
        "import sys, ketafind as kf\n"
        "near = kf.load_directory().nearest('K7L 3N6', k=2, routes='iv')\n"
        "str(near), str(near.explain()), near.to_dict()\n"
        "print([name for name in sys.modules if 'travel' in name or name.startswith('scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_certificate_holds_no_place():
    graph, directory = line_of_clinics(5.0, 10.0)
    certificate = directory.nearest(HERE, 1, router=graph).certificate
    assert isinstance(certificate, Certificate)
    assert certificate.clinic_snap_km == {"c0": pytest.approx(0.0, abs=1e-6)}
    assert certificate.bound_min >= 5.0
    for number in (HERE.lat, HERE.lon):
        assert str(number) not in repr(certificate)


def test_a_clinic_that_takes_longer_than_asked_for_is_told_apart_from_one_that_comes_later():
    graph, directory = line_of_clinics(5.0, 10.0, 20.0)
    near = directory.nearest(HERE, 1, router=graph, max_time_min=15)
    outcomes = {clinic_id: near.why_not(clinic_id).outcome for clinic_id in directory}
    assert outcomes == {"c0": "listed", "c1": "later", "c2": "too_long"}


@pytest.mark.parametrize(
    ("profile", "how"),
    [
        ("car", "by car"),
        ("foot", "on foot"),
        ("bicycle", "by bicycle"),
        ("cart", "(profile: cart)"),
    ],
)
def test_how_one_travels_is_said(profile, how):
    graph, directory = line_of_clinics(5.0)
    service = Service(graph, 61.0)
    service.profile = profile
    near = directory.nearest(HERE, 1, router=service)
    assert f"5 min {how}, free-flow time" in str(near.explain())
    assert f"free-flow travel time {how};" in str(near)
    assert near.to_dict()["query"]["travel"] == profile


class Stated:
    """A router that knows each clinic's minutes by its latitude."""

    profile, batch = "car", 2

    def __init__(
        self, minutes: dict[float, float], max_speed_kmh: float, snap_km: float = 0.0,
        max_snap_km: float = 0.0,
    ) -> None:  # fmt: skip
        self.minutes, self.max_speed_kmh = minutes, max_speed_kmh
        self.snap_km, self.max_snap_km = snap_km, max_snap_km

    def times(self, origins, targets, *, limit_min: float = math.inf) -> TravelTimes:
        found = np.array([[self.minutes[round(float(lat), 3)] for lat, _ in np.asarray(targets)]])
        none = np.full(found.shape[1], np.nan)
        reason = np.isnan(found).astype(np.int8)
        return TravelTimes(found, reason, np.array([self.snap_km]), none)


def stated_directory(minutes) -> kf.Directory:
    return kf.Directory.from_clinics(
        kf.Clinic(clinic_id=f"c{lat}", name="C", location=kf.Location(lat=lat, lon=-78.0))
        for lat in minutes
    )


def test_the_possible_clinics_nearest_by_time_are_named_where_no_way_leads_to_the_one_that_matches():
    minutes = {44.01: 30.0, 44.02: 31.0, 44.03: 70.0, 44.3: 34.0, 44.31: 80.0, 44.6: 90.0}
    directory = kf.Directory.from_clinics(
        replace(clinic, status="uncertain") for clinic in stated_directory(minutes).clinics
    ).with_clinics(stated_directory([44.005]).clinics)
    near = directory.nearest(HERE, 1, router=Stated(minutes | {44.005: math.nan}, 60.0))
    assert not near
    assert listed(near.nearer_possible) == ["c44.01", "c44.02", "c44.3"]
    assert near.certificate.n_examined == 6
    bound = geodesic_km(44.0, -78.0, 44.6, -78.0)
    assert near.certificate.bound_min == pytest.approx(bound)


def test_the_ways_to_the_roads_that_stand_for_places_are_taken_off_the_bound():
    # 33.3 km at 60 km/h, but 2 km of them lead to a road and up to 3 km from one.
    near_ones, far_ones = {44.01: 30.0, 44.02: 30.0}, {44.3: 29.0, 44.31: 35.0}
    directory = stated_directory(near_ones | far_ones)
    router = Stated(near_ones | far_ones, 60.0, 2.0, 3.0)
    assert listed(directory.nearest(HERE, 1, router=router)) == ["c44.3"]
    router.minutes = {44.01: 20.0, 44.02: 21.0}
    bound = directory.nearest(HERE, 1, router=router).certificate.bound_min
    assert bound == pytest.approx(geodesic_km(44.0, -78.0, 44.3, -78.0) - 2.0 - 3.0)


@pytest.mark.parametrize(("speed", "asked"), [(66.0, 4), (60.0, 4), (33.0, 2)])
def test_a_clinic_far_off_is_asked_about_as_long_as_it_may_be_nearer_by_time(speed, asked):
    # Two across the water, an hour away; two 33 km off, at the end of a motorway.
    minutes = {44.01: 60.0, 44.02: 60.0, 44.3: 33.0, 44.31: 35.0}
    near = stated_directory(minutes).nearest(HERE, 1, router=Stated(minutes, speed))
    assert near.certificate.n_examined == asked
    assert near[0].travel_time_min == (33.0 if asked == 4 else 60.0)
    least = geodesic_km(44.0, -78.0, 44.3, -78.0) / speed * 60
    assert near.certificate.bound_min == (None if asked == 4 else pytest.approx(least))


def test_a_possible_clinic_as_far_but_later_by_its_id_is_not_nearer():
    graph, directory = line_of_clinics(20.0)
    (sure,) = directory.clinics
    twins = [
        kf.Clinic(clinic_id=name, name=name, status="uncertain", location=sure.location)
        for name in ("a", "d")
    ]
    near = directory.with_clinics(twins).nearest(HERE, 1, router=graph)
    assert listed(near) == ["c0"]
    assert listed(near.nearer_possible) == ["a"]


def test_the_time_by_the_end_of_a_road_that_was_reached_is_not_taken_for_the_least():
    nodes = pd.DataFrame(
        {"node": range(4), "lat": [44, 44.001, 44.02, 44.01], "lon": [-78, -78, -78, -77.98]}
    )
    ways = [(0, 1, 1.0), (1, 2, 100.0), (0, 3, 2.5), (3, 2, 2.5)]
    edges = pd.DataFrame(
        [*ways, *((b, a, minutes) for a, b, minutes in ways)],
        columns=["source", "target", "minutes"],
    )
    graph = GraphRouter.from_edges(edges, nodes)
    near, far = (kf.Location(lat=lat, lon=-78.0) for lat in (44.001, 44.018))
    directory = kf.Directory.from_clinics(
        kf.Clinic(clinic_id=name, name=name, location=place)
        for name, place in (("near", near), ("far", far))
    )
    found = directory.nearest(HERE, 1, router=graph)
    assert listed(found) == ["near"]
    assert found.certificate.bound_min < 5.0
    missed = found.why_not("far")
    assert missed.trip.minutes == pytest.approx(graph.times(HERE, far).minutes[0, 0])
    assert missed.rank == 2


def table(minutes, targets=0, **others):
    def times(self, origins, there, *, limit_min=np.inf):
        shape = len(origins), len(there) + targets
        given = {"minutes": np.full(shape, minutes), "reason": np.zeros(shape, np.int8),
                 "origin_snap_km": np.zeros(shape[0]), "target_snap_km": np.zeros(shape[1])}  # fmt: skip
        return TravelTimes(**{**given, **others})

    return times


@pytest.mark.parametrize(
    "times",
    [lambda *_, **__: None, lambda *_, **__: [[1.0]], table(-5.0), table(np.inf), table(5.0, targets=1),
     table("x"), table(5.0, reason=None), table(5.0, km=np.zeros(3)),
     table(5.0, target_snap_km=np.zeros(1))],
)  # fmt: skip
def test_a_router_of_ones_own_whose_answer_is_no_table_of_times_is_named(times):
    kind = type("Own", (), {"profile": "car", "max_speed_kmh": 100.0, "times": times})
    with pytest.raises(RoutingError, match="not a table of times"):
        kf.load_directory().nearest("Kingston", k=2, router=kind())


@pytest.mark.parametrize("minutes", [6.0, 0.0])
def test_a_certificate_states_the_top_speed_it_rests_on_where_there_is_one(minutes):
    nodes = {"node": [0, 1], "lat": [44.0, 44.1], "lon": [-78.0, -78.0]}
    edges = pd.DataFrame({"source": [0, 1], "target": [1, 0], "minutes": minutes})
    router = GraphRouter.from_edges(edges, nodes)
    clinic = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=44.1, lon=-78.0))
    near = kf.Directory.from_clinics([clinic]).nearest(
        kf.Coordinates(lat=44.0, lon=-78.0), 1, router=router
    )
    stated = None if minutes == 0.0 else pytest.approx(111.1, abs=0.1)
    assert near.certificate.max_speed_kmh == stated
    assert near.certificate.origin_snap_km == pytest.approx(0.0, abs=1e-6)
    assert near.certificate.clinic_snap_km == {"a": pytest.approx(0.0, abs=1e-6)}
