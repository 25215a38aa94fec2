"""Routers that are not ours, on a server of this machine that misbehaves, and on real tiles."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
import shapely

import ketafind as kf
from ketafind import errors
from ketafind.geo import geodesic_km
from ketafind.geocoding.limiter import RateLimit
from ketafind.travel import ServiceRouter, ValhallaRouter, build_roads

routingpy = pytest.importorskip("routingpy")

HERE = np.array([[44.123457, -78.765432]])
THERE = np.column_stack([44.2 + np.arange(7) / 100, np.full(7, -78.5)])
SPEED = 60.0
Pairs = list[tuple[float, float]]


def seconds(a: tuple[float, float], b: tuple[float, float]) -> float:
    return round(float(geodesic_km(*a, *b)) / SPEED * 3600, 3)


def of_osrm(path: str, query: dict, body: dict) -> tuple[Pairs, Pairs]:
    pairs = [tuple(map(float, p.split(",")))[::-1] for p in path.split("/")[-1].split(";")]
    return tuple(
        [pairs[int(at)] for at in query[side][0].split(";")] for side in ("sources", "destinations")
    )


def of_ors(path: str, query: dict, body: dict) -> tuple[Pairs, Pairs]:
    pairs = [tuple(pair[::-1]) for pair in body["locations"]]
    return [pairs[at] for at in body["sources"]], [pairs[at] for at in body["destinations"]]


def of_valhalla(path: str, query: dict, body: dict) -> tuple[Pairs, Pairs]:
    return tuple([(p["lat"], p["lon"]) for p in body[side]] for side in ("sources", "targets"))


def of_graphhopper(path: str, query: dict, body: dict) -> tuple[Pairs, Pairs]:
    return tuple(
        [tuple(map(float, p.split(","))) for p in query[side]]
        for side in ("from_point", "to_point")
    )


def of_google(path: str, query: dict, body: dict) -> tuple[Pairs, Pairs]:
    return tuple(
        [tuple(map(float, p.split(","))) for p in query[side][0].split("|")]
        for side in ("origins", "destinations")
    )


def plain(table, key: str = "durations") -> dict:
    metres = [[None if cell is None else cell * 20 for cell in row] for row in table]
    return {key: table, "distances": metres, "code": "Ok"}


def in_valhalla(table) -> dict:
    return {"sources_to_targets": [
        [{"time": cell, "distance": cell and cell / 50} for cell in row] for row in table
    ]}  # fmt: skip


def in_google(table) -> dict:
    def cell(value):
        if value is None:
            return {"status": "ZERO_RESULTS"}
        return {"status": "OK", "duration": {"value": value}, "distance": {"value": value}}

    return {"rows": [{"elements": [cell(value) for value in row]} for row in table]}


FORMATS: dict[str, tuple[Callable, Callable, Callable]] = {
    "OSRM": (lambda url: routingpy.OSRM(url), of_osrm, plain),
    "MapboxOSRM": (lambda url: mapbox(url), of_osrm, plain),
    "ORS": (lambda url: routingpy.ORS("secret-key", url), of_ors, plain),
    "Valhalla": (lambda url: routingpy.Valhalla(url), of_valhalla, in_valhalla),
    "Graphhopper": (
        lambda url: routingpy.Graphhopper("secret-key", url),
        of_graphhopper,
        lambda table: plain(table, "times"),
    ),
    "Google": (lambda url: google(url), of_google, in_google),
}
OFF = {
    "OSRM": (400, '{{"code": "NoSegment", "message": "Could not find a matching segment for coordinate {at}"}}'),
    "MapboxOSRM": (422, '{{"code": "NoSegment", "message": "no segment"}}'),
    "ORS": (404, '{{"error": {{"code": 6010, "message": "Could not find routable point of coordinate"}}}}'),
    "Valhalla": (400, '{{"error_code": 171, "error": "No suitable edges near location"}}'),
    "Graphhopper": (400, '{{"hints": [{{"details": "PointNotFoundException"}}]}}'),
}  # fmt: skip


def mapbox(url: str):
    made = routingpy.MapboxOSRM("secret-key")
    made.client.base_url = url
    return made


def google(url: str):
    made = routingpy.Google("secret-key")
    made.client.base_url = url
    return made


class Machine:
    """A routing service on loopback that answers rightly, unless the next turn says otherwise."""

    def __init__(self, kind: str) -> None:
        self.kind, self.turns, self.seen, self.pairs = kind, [], [], []
        self.off: set[tuple[float, float]] = set()
        self.nothing: set[tuple[float, float]] = set()
        machine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                machine.answer(self)

            def do_POST(self) -> None:
                machine.answer(self)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        self.seen.append((request.command, request.path, body))
        url = urlsplit(request.path)
        turn = self.turns.pop(0) if self.turns else None
        if turn is None:
            read, write = FORMATS[self.kind][1:]
            query = parse_qs(url.query)
            here, there = read(unquote(url.path), query, json.loads(body) if body else {})
            near = [round(lat, 6) for lat, _ in [*here, *there]]
            bad = [at for at, lat in enumerate(near) if lat in {round(p[0], 6) for p in self.off}]
            if bad:
                status, text = OFF[self.kind]
                turn = (status, text.format(at=bad[0]), {})
            else:
                self.pairs += [(a, b) for a in here for b in there]
                none = {round(p[0], 6) for p in self.nothing}
                table = [
                    [None if round(b[0], 6) in none else seconds(a, b) for b in there] for a in here
                ]
                turn = (200, json.dumps(write(table)), {})
        if callable(turn):
            turn(request)
            return
        status, text, headers = turn
        request.send_response(status)
        request.send_header("Content-Type", headers.pop("Content-Type", "application/json"))
        for name, value in headers.items():
            request.send_header(name, value)
        data = text.encode()
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)


@contextmanager
def machine(kind: str, **options) -> Iterator[tuple[Machine, ServiceRouter]]:
    made = Machine(kind)
    options = {"limit": RateLimit(0.0), "retries": 0, "allow_private": True, **options}
    try:
        yield made, ServiceRouter(FORMATS[kind][0](made.url), **options)
    finally:
        made.server.shutdown()
        made.server.server_close()


EVERY = pytest.mark.parametrize("kind", list(FORMATS))


@EVERY
def test_every_format_gives_the_times_and_the_way(kind):
    with machine(kind) as (service, router):
        service.nothing = {tuple(THERE[2])}
        found = router.times(HERE, THERE)
        wanted = [seconds(tuple(HERE[0]), tuple(place)) / 60 for place in THERE]
        wanted[2] = np.nan
        np.testing.assert_allclose(found.minutes[0], wanted, rtol=1e-5)
        assert found.reason[0].tolist() == [0, 0, 1, 0, 0, 0, 0]
        assert np.isnan(found.km[0, 2])
        assert (found.km[0, [0, 1, 3]] > 0).all()
        assert len(service.seen) == router.requests_sent == 1
        limited = router.times(HERE, THERE, limit_min=wanted[0] + 0.01)
        assert limited.reason[0].tolist() == [0, 3, 1, 3, 3, 3, 3]


@pytest.mark.parametrize("kind", list(OFF))
def test_a_place_that_no_road_is_near_fails_alone_and_an_origin_for_itself(kind):
    with machine(kind) as (service, router):
        service.off = {tuple(THERE[1]), tuple(THERE[5])}
        found = router.times(HERE, THERE)
        assert found.reason[0].tolist() == [0, 2, 0, 0, 0, 2, 0]
        if kind == "OSRM":  # it says which place
            assert router.requests_sent == 3
        assert np.isfinite(found.minutes[0, [0, 2, 3, 4, 6]]).all()
        service.off = {tuple(HERE[0])}
        before = router.requests_sent
        assert router.times(HERE, THERE).reason[0].tolist() == [2] * 7
        assert router.requests_sent - before <= 2
        both = router.times(np.vstack([HERE, HERE + 0.01]), THERE)
        assert both.reason.tolist() == [[2] * 7, [0] * 7]


def test_a_place_that_a_service_names_and_was_not_asked_about_is_looked_for():
    with machine("OSRM") as (service, router):
        wanted = router.times(HERE, THERE).minutes
        status, text = OFF["OSRM"]
        service.turns = [(status, text.format(at=len(HERE) + len(THERE)), {})]
        np.testing.assert_array_equal(router.times(HERE, THERE).minutes, wanted)


def test_a_service_needs_the_package_that_asks_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(errors.MissingExtraError, match="routing"):
        ServiceRouter(routingpy.OSRM("https://a.example"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.RoutingRefusedError),
        (499, errors.RoutingRefusedError),
        (500, errors.RoutingError),
    ],
)
def test_what_a_service_fails_of_itself_is_no_refusal(status, kind):
    with machine("OSRM") as (service, router):
        service.turns = [(status, "{}", {})]
        with pytest.raises(errors.RoutingError) as failed:
            router.times(HERE, THERE)
        assert type(failed.value) is kind


def test_a_service_that_tells_times_alone_is_not_read_as_telling_how_long_the_way_is():
    with machine("OSRM", places=2, cells=1) as (service, router):
        for seconds_ in (60.0, None):
            table = {"durations": [[seconds_]], "code": "Ok"}
            service.turns = [(200, json.dumps(table), {})]
            found = router.times(HERE, THERE[:1])
            assert found.km is None
            assert found.reason.tolist() == [[0 if seconds_ else 1]]


class ValhallaError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__("44.123457")
        self.code = code


@pytest.fixture
def by_hand(monkeypatch, tmp_path):
    """Make a router on a stand-in for pyvalhalla, of which the test says what it answers."""
    asked = []

    def make(answer, profile="car", **options):
        class Actor:
            def __init__(self, config):
                self.config = config

            def matrix(self, question):
                asked.append(question)
                return {
                    "sources_to_targets": [
                        [answer(a, b) for b in question["targets"]] for a in question["sources"]
                    ]
                }

        limits = {"service_limits": {name: {} for name in ("auto", "bicycle", "pedestrian")}}
        stand_in = SimpleNamespace(
            ValhallaError=ValhallaError, Actor=Actor, get_config=lambda **_: limits
        )
        monkeypatch.setitem(sys.modules, "valhalla", stand_in)
        return ValhallaRouter(tmp_path, profile, **options)

    make.asked = asked
    return make


@pytest.mark.parametrize(
    ("code", "to_itself", "reason"),
    [(171, True, 2), (170, True, 2), (170, False, 1)],
)
def test_valhalla_s_errors_say_that_no_road_is_near_or_that_no_way_leads_there(
    by_hand, code, to_itself, reason
):
    def answer(a, b):
        if a != b or to_itself:
            raise ValhallaError(code)
        return {"time": 0.0, "distance": 0.0}

    found = by_hand(answer).times(HERE, THERE[:1])
    assert found.reason.tolist() == [[reason]]
    assert np.isnan(found.minutes).all()


def test_another_error_of_valhalla_s_fails_and_shows_no_place(by_hand):
    def answer(a, b):
        raise ValhallaError(154)

    with pytest.raises(errors.RoutingError, match=r"^Valhalla failed \(error 154\)$") as failed:
        by_hand(answer).times(HERE, THERE)
    assert failed.value.__cause__ is None


def test_valhalla_s_cells_are_read_as_they_are(by_hand):
    def answer(a, b):
        at = [round(float(one[0]), 6) for one in THERE].index(round(b["lat"], 6))
        cell = {"time": 60.0 * (at + 1), "distance": at + 1.0}
        if at == 1:
            return {"time": None, "distance": None}
        if at > 1:  # 4.4 km off a road, then 5.5
            far = {2: 0.0, 3: 0.04, 4: 0.05}.get(at, 0.0)
            cell |= {"begin_lat": a["lat"], "begin_lon": a["lon"]}
            cell |= {"end_lat": b["lat"] + far, "end_lon": b["lon"]}
        return cell

    router = by_hand(answer, options={"use_ferry": 0})
    found = router.times(HERE, THERE)
    assert found.reason[0].tolist() == [0, 1, 0, 0, 2, 0, 0]
    assert found.minutes[0, [0, 2, 3]].tolist() == [1.0, 3.0, 4.0]
    assert found.km[0, [0, 2, 3]].tolist() == [1.0, 3.0, 4.0]
    assert by_hand.asked[0]["costing_options"] == {"auto": {"use_ferry": 0}}
    assert repr(router) == "<ValhallaRouter car>"


@pytest.mark.parametrize(
    ("profile", "options", "stated", "speed"),
    [
        ("car", {}, None, 140.0), ("car", {"top_speed": 110}, None, 110.0),
        ("car", {"top_speed": 110}, 90.0, 90.0), ("foot", {}, None, None), ("foot", {}, 6.0, 6.0),
    ],
)  # fmt: skip
def test_the_top_speed_of_valhalla_is_that_of_its_cars(by_hand, profile, options, stated, speed):
    router = by_hand(None, profile, options=options, max_speed_kmh=stated)
    assert router.max_speed_kmh == speed


def html(request) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    request.wfile.write(b"<html>44.123457 please log in</html>")


def late(request) -> None:
    request.connection.recv(1)  # until who asked has gone


def cut(request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'{"durations": [[1')


def short(kind: str) -> str:
    return json.dumps(FORMATS[kind][2]([[1.0] * 6]))


def odd(kind: str, value: object) -> str:
    return json.dumps(FORMATS[kind][2]([[1.0] * 7])).replace("1.0", json.dumps(value))


MISBEHAVIOURS: list[tuple[object, type[errors.RoutingError], str]] = [
    ((500, '{"message": "44.123457"}', {}), errors.RoutingError, "HTTP status 500"),
    ((429, "{}", {"Retry-After": "90"}), errors.RoutingError, "too many requests"),
    ((401, '{"error": "secret-key"}', {}), errors.RoutingRefusedError, "refused the key"),
    ((400, '{"message": "-78.765432 is odd"}', {}), errors.RoutingRefusedError, "status 400"),
    ((302, "", {"Location": "https://elsewhere.example/44.123457"}), errors.RoutingError, "redirect"),
    ((200, "null", {}), errors.RoutingError, "empty"),
    ((200, "{}", {}), errors.RoutingError, "empty"),
    ((200, '{"durations": null}', {}), errors.RoutingError, "malformed|another size"),
    ((200, '{"rows": 7, "times": {}, "sources_to_targets": 3}', {}), errors.RoutingError, "malformed|another size"),
    ((200, "[" * 60 + "]" * 60, {}), errors.RoutingError, "too deeply"),
    (html, errors.RoutingError, "not JSON"),
    (cut, errors.RoutingError, "connection failed"),
    (late, errors.RoutingTimeoutError, "before the deadline"),
    ("short", errors.RoutingError, "another size"),
    ("negative", errors.RoutingError, "no time or distance|malformed"),
    ("text", errors.RoutingError, "no time or distance|malformed"),
]  # fmt: skip


@EVERY
@pytest.mark.parametrize("at", range(len(MISBEHAVIOURS)))
def test_what_misbehaves_is_named_and_no_place_is_told(kind, at, caplog):
    turn, error, message = MISBEHAVIOURS[at]
    caplog.set_level(logging.DEBUG)
    if isinstance(turn, str):
        text = {"short": lambda: short(kind), "negative": lambda: odd(kind, -5),
                "text": lambda: odd(kind, "soon")}[turn]()  # fmt: skip
        turn = (200, text, {})
    if isinstance(turn, tuple):
        turn = (turn[0], turn[1], dict(turn[2]))
    # Only who waits in vain has little time: all else may take as long as a busy machine needs.
    with machine(kind, deadline_s=0.3 if turn is late else 60.0) as (service, router):
        service.turns = [turn]
        with pytest.raises(error, match=message) as caught:
            router.times(HERE, THERE)
        told = [str(caught.value), repr(caught.value), repr(router), *caplog.messages]
        cause = caught.value.__cause__ or (
            None if caught.value.__suppress_context__ else caught.value.__context__
        )
        assert cause is None
        for text in told:
            assert not re.search(r"44\.1234|78\.7654|44\.2|78\.5|secret", text), text
    assert not [record for record in caplog.records if "127.0.0.1" in record.getMessage()]


@EVERY
def test_what_breaks_off_goes_on_where_it_was_and_asks_nothing_twice(kind, tmp_path):
    path = tmp_path / "answers.jsonl"
    with machine(kind, places=4, cells=3, known=path) as (service, router):
        service.turns = [None, None, (500, "{}", {})]
        with pytest.raises(errors.RoutingError):
            router.times(np.vstack([HERE, HERE + 0.01]), THERE)
        answered = len(service.pairs)
        assert answered == 6
        again = ServiceRouter(
            FORMATS[kind][0](service.url), places=4, cells=3, known=path, limit=RateLimit(0.0),
            allow_private=True,
        )  # fmt: skip
        found = again.times(np.vstack([HERE, HERE + 0.01]), THERE)
        assert np.isfinite(found.minutes).all()
        assert len(service.pairs) == len(set(service.pairs)) == 14
        before = len(service.seen)
        same = again.times(np.vstack([HERE, HERE + 0.01]), THERE)
        np.testing.assert_array_equal(same.minutes, found.minutes)
        assert len(service.seen) == before
    text = path.read_text()
    assert "44." not in text
    assert path.stat().st_mode & 0o077 == 0
    # A line that was torn off is asked for anew; what is no answer at all is refused.
    path.write_text(text[:-20])
    with machine(kind, places=4, cells=3, known=path) as (service, router):
        assert len(router.known) == 14 - len(json.loads(text.splitlines()[-1]))
    path.write_text("no answers\n")
    with pytest.raises(errors.DirectoryFileError, match="holds no answers"):
        ServiceRouter(FORMATS[kind][0]("https://a.example"), known=path)
    with pytest.raises(errors.MissingFileError):
        ServiceRouter(FORMATS[kind][0]("https://a.example"), known=tmp_path / "no" / "file")


def test_a_failure_that_may_pass_is_tried_again_and_the_budget_holds():
    with machine("OSRM", retries=2, budget=4) as (service, router):
        service.turns = [(503, "{}", {}), (429, "{}", {"Retry-After": "0"})]
        assert np.isfinite(router.times(HERE, THERE).minutes).all()
        assert router.requests_sent == 3
        router.times(HERE, THERE[:1])
        with pytest.raises(errors.RoutingRefusedError, match="budget of 4 requests"):
            router.times(HERE, THERE[1:])
        assert len(service.seen) == 4
    with machine("OSRM", retries=1, deadline_s=60.0) as (service, router):
        service.turns = [(429, "{}", {"Retry-After": "90"})]
        with pytest.raises(errors.RoutingBusyError, match="asks to wait 90 s") as caught:
            router.times(HERE, THERE)
        assert caught.value.retry_after_s == 90
    with machine("OSRM") as (service, router):
        service.turns = [(403, "{}", {})]
        for _ in range(2):
            with pytest.raises(errors.RoutingRefusedError, match="refused the key"):
                router.times(HERE, THERE)
        assert len(service.seen) == 1


def test_a_private_address_is_refused_and_so_is_http():
    for url, message in (("http://osrm.example", "not https"), ("https://127.0.0.1:1", "private")):
        router = ServiceRouter(routingpy.OSRM(url), limit=RateLimit(0.0), retries=0)
        with pytest.raises(errors.RoutingError, match=message):
            router.times(HERE, THERE)


def test_what_is_said_of_which_services_put_places_into_the_url_is_so():
    in_url = {"OSRM", "MapboxOSRM", "Graphhopper", "Google"}
    for kind in FORMATS:
        with machine(kind) as (service, router):
            router.times(HERE, THERE[:2])
            ((command, path, body),) = service.seen
            assert ("44.123457" in unquote(path)) == (kind in in_url)
            assert (b"44.123457" in body) == (kind not in in_url)
            assert command == ("GET" if kind in in_url else "POST")


@pytest.mark.parametrize(
    ("service", "options", "message"),
    [
        (object(), {}, "a router of routingpy"),
        (..., {"places": 1}, "two places and a pair"),
        (..., {"places": 1, "cells": 5}, "two places and a pair"),
        (..., {"cells": 0}, "two places and a pair"),
    ],
)
def test_what_is_no_service_is_refused(service, options, message):
    service = routingpy.OSRM("https://a.example") if service is ... else service
    with pytest.raises(errors.InvalidInputError, match=message):
        ServiceRouter(service, **options)


def test_a_directory_asks_a_service_for_the_nearest_by_time():
    clinics = [
        kf.Clinic(clinic_id=f"c{at}", name=f"C{at}", location=kf.Location(lat=lat, lon=lon))
        for at, (lat, lon) in enumerate(THERE)
    ]
    directory = kf.Directory.from_clinics(clinics)
    with machine("Valhalla", profile="auto", max_speed_kmh=61.0) as (service, router):
        near = directory.nearest(kf.Coordinates(lat=44.123457, lon=-78.765432), 2, router=router)
        assert [match.clinic.clinic_id for match in near] == ["c0", "c1"]
        assert near.certificate.proved
        assert near.certificate.n_requests == 1
        assert near[0].travel_distance_km > 0
        assert "by car" in str(near)
        str(near.explain())
        assert len(service.seen) == 1


# ---- Valhalla in this process ----


@pytest.fixture(scope="module")
def extract(tmp_path_factory) -> Path:
    """A grid of streets, one of them one-way, and one street that nothing leads to."""
    osmium = pytest.importorskip("osmium")
    path = tmp_path_factory.mktemp("valhalla") / "made.osm.pbf"
    side, way, node = 8, 1000, osmium.osm.mutable.Node
    with osmium.SimpleWriter(str(path)) as writer:
        for at in range(side * side):
            spot = (-78.3 + at % side * 0.004, 44.3 + at // side * 0.003)
            writer.add_node(node(id=at + 1, location=spot))
        for at, spot in ((900, (-78.2, 44.4)), (901, (-78.199, 44.4))):
            writer.add_node(node(id=at, location=spot))
        for row in range(side):
            for nodes in (
                [row * side + c + 1 for c in range(side)],
                [c * side + row + 1 for c in range(side)],
            ):
                tags = {"highway": "residential", "maxspeed": "40"}
                if way == 1006:
                    tags["oneway"] = "yes"
                writer.add_way(osmium.osm.mutable.Way(id=way, nodes=nodes, tags=tags))
                way += 1
        writer.add_way(
            osmium.osm.mutable.Way(id=way, nodes=[900, 901], tags={"highway": "residential"})
        )
    return path


@pytest.fixture(scope="module")
def tiles(extract) -> Path:
    valhalla = pytest.importorskip("valhalla", exc_type=ImportError)
    folder = extract.parent / "tiles"
    folder.mkdir()
    config = valhalla.get_config(tile_extract="", tile_dir=str(folder))
    settings = extract.parent / "config.json"
    settings.write_text(json.dumps(config))
    build = Path(valhalla.__file__).parent / "bin" / "valhalla_build_tiles"
    subprocess.run([build, "-c", settings, extract], check=True, capture_output=True, timeout=120)
    return folder


def test_valhalla_in_process_agrees_with_our_own_network_of_one_extract(tiles, extract):
    router, graph = ValhallaRouter(tiles), build_roads(extract)
    assert router.works_offline
    assert router.max_speed_kmh == 140.0
    rng = np.random.default_rng(3)
    places = np.column_stack([44.3 + 0.021 * rng.random(12), -78.3 + 0.028 * rng.random(12)])
    theirs, ours = router.times(places, places), graph.times(places, places)
    assert (theirs.reason == 0).all()
    long = theirs.minutes > 1
    # Ours counts no turns; theirs are whole seconds.
    ratio = ours.minutes[long] / theirs.minutes[long]
    assert 0.75 < np.median(ratio) < 1.25
    np.testing.assert_allclose(theirs.target_snap_km, ours.target_snap_km, atol=0.02)
    assert (theirs.km[long] > 0).all()


def test_valhalla_in_process_proves_the_nearest_and_names_what_fails_alone(tiles):
    spots = [(44.3 + 0.003 * at, -78.3 + 0.004 * at) for at in range(7)]
    spots += [(44.4, -78.1995), (44.6, -78.3)]
    clinics = [
        kf.Clinic(clinic_id=f"c{at}", name=f"C{at}", location=kf.Location(lat=lat, lon=lon))
        for at, (lat, lon) in enumerate(spots)
    ]
    directory = kf.Directory.from_clinics(clinics)
    start = kf.Location(lat=44.3001, lon=-78.2999, radius_km=0.3)
    near = directory.nearest(start, 9, router=ValhallaRouter(tiles))
    minutes = [match.travel_time_min for match in near]
    assert len(near) == 7
    assert minutes == sorted(minutes)
    assert near.certificate.proved
    # A street that nothing leads to is too small an island of roads for Valhalla.
    assert near.certificate.unreachable == {"off_network": 2}
    assert near[1].travel_time_low_min < near[1].travel_time_min <= near[1].travel_time_high_min
    assert near[3].travel_distance_km > near[3].distance_km
    few = directory.nearest(start, 2, router=ValhallaRouter(tiles, "foot"), max_time_min=90)
    assert not few.certificate.proved or few.certificate.method == "all"


def test_valhalla_refuses_what_it_cannot_use(tmp_path, monkeypatch):
    with pytest.raises(errors.InvalidInputError, match="not a profile of Valhalla's"):
        ValhallaRouter(tmp_path, "boat")
    if os.path.exists("/nowhere"):
        pytest.skip("there is such a folder")
    with pytest.raises((errors.MissingFileError, errors.MissingExtraError)):
        ValhallaRouter("/nowhere")


def test_valhalla_in_process_draws_what_is_reached_and_a_service_refuses_to(tiles):
    router, middle = ValhallaRouter(tiles), kf.Coordinates(lat=44.3105, lon=-78.286)
    small, large = (router.isochrone(middle, minutes) for minutes in (0.5, 1.5))
    assert large.area > small.area > 0
    assert large.contains(shapely.Point(middle.lon, middle.lat))
    assert router.isochrone(kf.Coordinates(lat=44.6, lon=-78.0), 1).is_empty
    with pytest.raises(kf.KetafindError, match="above 0"):
        router.isochrone(middle, 0)
    with pytest.raises(errors.RoutingError):
        router.isochrone(middle, 10_000)


def test_a_table_of_times_is_no_area():
    router = ServiceRouter(FORMATS["OSRM"][0]("https://a.example"))
    with pytest.raises(kf.KetafindError, match="GraphRouter"):
        router.isochrone(kf.Coordinates(lat=44.3, lon=-78.3), 10)
