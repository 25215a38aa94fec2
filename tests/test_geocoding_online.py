"""Online geocoders against a server on this machine that misbehaves in many ways."""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import pickle
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from geopy.geocoders import Nominatim, OpenCage
from geopy.location import Location as GeopyLocation

from ketafind import errors
from ketafind.geocoding import (
    ChainGeocoder,
    GeocodeCache,
    GeopyGeocoder,
    KetafindGeopy,
    OfflineGeocoder,
    RateLimit,
    SearchPlace,
    geocode,
)
from ketafind.geocoding import http as transport
from ketafind.records import Location

ADDRESS = "76 Stuart St, Kingston ON K7L 2V7"
GOOD = [{"lat": "44.2240", "lon": "-76.4930", "display_name": "Kingston"}]
CANARY = "CANARYKEY123"
DEADLINE_S = 0.6
Behaviour = Callable[[socket.socket], None]


def reply(
    body: bytes, status: str = "200 OK", headers: str = "", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
    return f"{head}{headers}Connection: close\r\n\r\n".encode() + body


def sends(data: bytes) -> Behaviour:
    return lambda link: link.sendall(data)


def says(value: object, **kind: str) -> Behaviour:
    return sends(reply(json.dumps(value).encode(), **kind))


def drips(link: socket.socket) -> None:
    for byte in reply(json.dumps(GOOD).encode()):
        link.sendall(bytes([byte]))
        time.sleep(0.05)


def floods(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    for _ in range(40):
        link.sendall(b" " * 1_000_000)


def resets(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


class Server:
    """Answers each connection with the next behaviour; the last one repeats."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)
        self.requests: list[bytes] = []
        self.times: list[float] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            self.requests.append(link.recv(65_536))
            self.times.append(time.time())
            turn = min(len(self.requests), len(self.behaviours)) - 1
            self.behaviours[turn](link)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*behaviours: Behaviour) -> Server:
        servers.append(Server(*behaviours))
        return servers[-1]

    yield start
    for server in servers:
        server.socket.close()


def online(server: Server, **options: object) -> GeopyGeocoder:
    settings: dict[str, object] = {
        "deadline_s": DEADLINE_S,
        "limit": RateLimit(0.0),
        "allow_private": True,
        "retries": 0,
    }
    service = Nominatim(
        user_agent=f"test {CANARY}", domain=f"127.0.0.1:{server.port}", scheme="http"
    )
    return GeopyGeocoder(service, **{**settings, **options})  # type: ignore[arg-type]


def test_a_good_answer_comes_back_with_its_source(serve: Callable[..., Server]) -> None:
    server = serve(says(GOOD))
    located = online(server).geocode(ADDRESS)
    assert (located.lat, located.lon, located.source) == (44.224, -76.493, "Nominatim")
    assert b"countrycodes=ca" in server.requests[0]
    assert b"viewbox=" in server.requests[0]


FAILURES: dict[str, tuple[Behaviour, type[Exception]]] = {
    "silence": (lambda link: time.sleep(2), errors.GeocoderTimeoutError),
    "drip": (drips, errors.GeocoderTimeoutError),
    "reset": (resets, errors.GeocoderFailedError),
    "closed at once": (lambda link: None, errors.GeocoderFailedError),
    "no HTTP": (sends(b"SSH-2.0-OpenSSH\r\n"), errors.GeocoderFailedError),
    "cut off": (sends(reply(b"[{", length=500)), errors.GeocoderFailedError),
    "html": (sends(reply(b"<html>Busy</html>")), errors.GeocoderFailedError),
    "null": (says(None), errors.GeocoderFailedError),
    "empty": (says({}), errors.GeocoderFailedError),
    "number": (says(7), errors.GeocoderFailedError),
    "no lat": (says([{"display_name": "x"}]), errors.GeocoderFailedError),
    "nan": (sends(reply(b'[{"lat": NaN, "lon": NaN}]')), errors.GeocoderFailedError),
    "text lat": (says([{**GOOD[0], "lat": "north", "lon": "west"}]), errors.GeocoderFailedError),
    "beyond": (says([{**GOOD[0], "lat": "99", "lon": "-76"}]), errors.GeocoderFailedError),
    "zero": (says([{**GOOD[0], "lat": "0", "lon": "0"}]), errors.GeocoderFailedError),
    "nothing": (says([]), errors.PlaceNotFoundError),
    "deep": (sends(reply(b"[" * 200_000)), errors.GeocoderFailedError),
    "flood": (floods, errors.GeocoderFailedError),
    "gzip": (
        sends(reply(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n")),
        errors.GeocoderFailedError,
    ),
    "latin": (sends(reply(b'["\xe9"]')), errors.GeocoderFailedError),
    "redirect": (
        sends(reply(b"", "302 Found", "Location: http://169.254.169.254/\r\n")),
        errors.GeocoderFailedError,
    ),
    "401": (says({}, status="401 Unauthorized"), errors.GeocoderRefusedError),
    "403": (says({}, status="403 Forbidden"), errors.GeocoderRefusedError),
    "402": (says({}, status="402 Payment Required"), errors.GeocoderRefusedError),
    "500": (says({}, status="500 Oops"), errors.GeocoderFailedError),
    "503": (says({}, status="503 Busy"), errors.GeocoderFailedError),
    "429": (says({}, status="429 Slow", headers="Retry-After: 7\r\n"), errors.GeocoderFailedError),
    "429 long": (
        says({}, status="429 Slow", headers="Retry-After: 86400\r\n"),
        errors.GeocoderFailedError,
    ),
    "429 odd": (
        says({}, status="429 Slow", headers="Retry-After: soon\r\n"),
        errors.GeocoderFailedError,
    ),
    "quebec": (says([{**GOOD[0], "lat": "46.81", "lon": "-71.21"}]), errors.RejectedAnswerError),
    "london": (says([{**GOOD[0], "lat": "51.5", "lon": "-0.12"}]), errors.RejectedAnswerError),
    "swapped": (says([{**GOOD[0], "lat": "-76.493", "lon": "44.224"}]), errors.RejectedAnswerError),
    "other town": (
        says([{**GOOD[0], "lat": "43.65", "lon": "-79.38"}]),
        errors.RejectedAnswerError,
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_told_apart_from_not_found_within_the_deadline(
    serve: Callable[..., Server], name: str, tmp_path: Path
) -> None:
    behaviour, expected = FAILURES[name]
    server = serve(behaviour)
    cache = GeocodeCache(tmp_path / "cache.sqlite")
    begun = time.monotonic()
    with pytest.raises(expected) as caught:
        online(server, cache=cache, retries=1).geocode(ADDRESS)
    # Loosely, for busy machines: the slow ones would go on for ten seconds or for ever.
    assert time.monotonic() - begun < DEADLINE_S + 4
    assert len(server.requests) <= 2
    shown = repr(caught.value) + "".join(map(str, caught.value.args))
    for secret in (CANARY, "Stuart", "127.0.0.1", str(server.port)):
        assert secret not in shown
    if not isinstance(caught.value, errors.PlaceNotFoundError):
        assert cache.get("Nominatim", "1", ADDRESS) is None
    cache.close()


def test_a_swapped_answer_is_named_as_such(serve: Callable[..., Server]) -> None:
    server = serve(says([{**GOOD[0], "lat": "-76.493", "lon": "44.224"}]))
    with pytest.raises(errors.RejectedAnswerError, match="swapped"):
        online(server).geocode(ADDRESS)


def test_what_passes_is_tried_again(serve: Callable[..., Server]) -> None:
    server = serve(says({}, status="503 Busy"), resets, says(GOOD))
    located = online(server, retries=2, deadline_s=5.0).geocode(ADDRESS)
    assert located.lat == 44.224
    assert len(server.requests) == 3


def test_retry_after_is_waited_out_when_it_fits(serve: Callable[..., Server]) -> None:
    busy = says({}, status="429 Slow", headers="Retry-After: 1\r\n")
    server = serve(busy, says(GOOD))
    online(server, retries=1, deadline_s=5.0).geocode(ADDRESS)
    assert server.times[1] - server.times[0] >= 0.95


def test_retry_after_as_a_date_is_read(serve: Callable[..., Server]) -> None:
    when = formatdate(time.time() + 3_000, usegmt=True)
    server = serve(says({}, status="503 Busy", headers=f"Retry-After: {when}\r\n"))
    limit = RateLimit(0.0)
    geocoder = online(server, retries=1, limit=limit)
    with pytest.raises(errors.GeocoderBusyError, match="asks to wait"):
        geocoder.geocode(ADDRESS)
    with pytest.raises(errors.GeocoderBusyError, match="next turn"):
        geocoder.geocode(ADDRESS)
    assert len(server.requests) == 1


def test_a_refused_key_is_not_tried_again(serve: Callable[..., Server]) -> None:
    server = serve(says({}, status="401 Unauthorized"))
    geocoder = online(server, retries=3)
    for _ in range(3):
        with pytest.raises(errors.GeocoderRefusedError):
            geocoder.geocode(ADDRESS)
    assert len(server.requests) == 1


def test_the_budget_is_never_exceeded(serve: Callable[..., Server]) -> None:
    server = serve(says(GOOD))
    geocoder = online(server, budget=2)
    geocoder.geocode(ADDRESS)
    geocoder.geocode(ADDRESS)
    with pytest.raises(errors.GeocoderRefusedError, match="budget"):
        geocoder.geocode(ADDRESS)
    assert len(server.requests) == 2


def test_a_searcher_s_place_is_refused_unless_the_call_allows_it(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(says(GOOD))
    with GeocodeCache(tmp_path / "cache.sqlite") as cache:
        geocoder = online(server, cache=cache)
        with pytest.raises(errors.PrivatePlaceError) as caught:
            geocoder.geocode(SearchPlace(ADDRESS))
        assert "Stuart" not in str(caught.value)
        assert not server.requests
        assert geocoder.geocode(SearchPlace(ADDRESS), allow_egress=True).lat == 44.224
        assert cache.get("Nominatim", "1", ADDRESS) is None


def test_a_searcher_s_place_stays_hidden_and_is_geocoded_offline() -> None:
    place = SearchPlace("76 Stuart St, Kingston ON K7L 2V7")
    assert OfflineGeocoder().geocode(place) == geocode(ADDRESS)
    assert "Stuart" not in f"{place!r}{place}"
    with pytest.raises(TypeError):
        pickle.dumps(place)
    with pytest.raises(errors.GeocodingError) as caught:
        OfflineGeocoder().geocode(SearchPlace("12 Hidden Lane of Nowhereville Upon Xyz"))
    assert "Hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_are_in_no_repr_log_or_pickle(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(says({}, status="500 Oops"))
    service = OpenCage(CANARY, domain=f"127.0.0.1:{server.port}", scheme="http")
    geocoder = GeopyGeocoder(service, allow_private=True, retries=0, limit=RateLimit(0.0))
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.GeocoderFailedError) as caught:
        geocoder.geocode(ADDRESS)
    assert CANARY.encode() in server.requests[0]
    assert CANARY not in caplog.text + repr(geocoder) + str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    with pytest.raises(TypeError):
        pickle.dumps(geocoder)


@pytest.mark.parametrize(
    ("scheme", "domain"),
    [
        ("https", "127.0.0.1"),
        ("https", "2130706433"),
        ("https", "[::ffff:127.0.0.1]"),
        ("https", "169.254.169.254"),
        ("https", "user:secret@example.org"),
        ("http", "nominatim.openstreetmap.org"),
        ("https", "10.1.2.3"),
        ("https", "[::1]"),
        ("https", "0x7f.1"),
    ],
)
def test_private_addresses_and_odd_urls_are_refused(scheme: str, domain: str) -> None:
    service = Nominatim(user_agent="test", domain=domain, scheme=scheme)
    geocoder = GeopyGeocoder(service, retries=0, limit=RateLimit(0.0), deadline_s=2.0)
    with pytest.raises(errors.GeocoderFailedError) as caught:
        geocoder.geocode(ADDRESS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://x\r\nHost: y/", "ftp://example.org/", "https:///x", "x"])
def test_urls_with_line_ends_or_without_host_are_refused(url: str) -> None:
    with pytest.raises(errors.GeocoderFailedError):
        transport.ask(url, {}, time.monotonic() + 1)


def test_line_ends_in_an_address_reach_no_header(serve: Callable[..., Server]) -> None:
    server = serve(says(GOOD))
    online(server).geocode("76 Stuart St,\r\nX-Evil: 1\r\nKingston ON K7L 2V7")
    assert b"\r\nX-Evil" not in server.requests[0]


def test_the_pace_holds_across_threads(serve: Callable[..., Server]) -> None:
    server = serve(says(GOOD))
    geocoder = online(server, limit=RateLimit(0.1), deadline_s=5.0)
    threads = [threading.Thread(target=geocoder.geocode, args=(ADDRESS,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Single arrivals may be late on a busy machine; without a pace all come at once.
    assert max(server.times) - min(server.times) > 0.25


def _take_turns(path: str, queue: multiprocessing.Queue[float]) -> None:
    limit = RateLimit(0.05, path)
    for _ in range(4):
        limit.wait("service", time.time() + 10)
        queue.put(time.time())


def test_the_pace_holds_across_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[float] = context.Queue()
    path = str(tmp_path / "limit.sqlite")
    workers = [context.Process(target=_take_turns, args=(path, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    times = sorted(queue.get(timeout=30) for _ in range(8))
    for worker in workers:
        worker.join()
    assert times[-1] - times[0] >= 0.05 * 6
    assert os.stat(path).st_mode & 0o077 == 0


def test_a_turn_far_in_the_future_is_the_mark_of_a_clock_set_back(tmp_path: Path) -> None:
    now = [1_000_000.0]
    limit = RateLimit(
        1.0, tmp_path / "limit.sqlite", clock=lambda: now[0], sleep=lambda seconds: None
    )
    limit.wait("service", now[0] + 10)
    now[0] -= 500_000
    limit.wait("service", now[0] + 10)
    with pytest.raises(errors.GeocoderBusyError):
        limit.wait("service", now[0] + 0.5)


def test_a_service_without_geopy_s_adapter_is_left_at_the_deadline() -> None:
    class Slow:
        def geocode(self, text: str, **_: object) -> GeopyLocation:
            time.sleep(3.0)
            return GeopyLocation(text, (44.224, -76.493), {})

    geocoder = GeopyGeocoder(Slow(), deadline_s=0.2, retries=0, limit=RateLimit(0.0))
    begun = time.monotonic()
    with pytest.raises(errors.GeocoderTimeoutError):
        geocoder.geocode(ADDRESS)
    assert time.monotonic() - begun < 2.5


def test_a_chain_asks_the_next_only_where_the_first_has_no_answer(
    serve: Callable[..., Server],
) -> None:
    server = serve(says([{**GOOD[0], "boundingbox": ["x"]}]))
    chain = ChainGeocoder([OfflineGeocoder(), online(server)])
    assert chain.geocode("K7L 3N6").source == "GeoNames"
    assert not server.requests
    assert chain.geocode("12 Unheard Of Lane").source == "Nominatim"
    with pytest.raises(errors.OutsideCoverageError):
        chain.geocode("London, UK")
    assert len(server.requests) == 1


def test_a_chain_takes_a_finer_answer_that_agrees(serve: Callable[..., Server]) -> None:
    box = ["44.2239", "44.2241", "-76.4931", "-76.4929"]
    server = serve(says([{**GOOD[0], "boundingbox": box}]))
    chain = ChainGeocoder([OfflineGeocoder(), online(server)], good_enough_km=0.15)
    located = chain.geocode(ADDRESS)
    assert located.source == "Nominatim"
    assert located.radius_km == pytest.approx(0.1)


def test_a_chain_leaves_out_a_service_that_refused(serve: Callable[..., Server]) -> None:
    refusing, good = serve(says({}, status="403 No")), serve(says(GOOD))
    chain = ChainGeocoder([online(refusing), online(good, name="second")])
    assert chain.geocode(ADDRESS).source == "second"
    assert chain.geocode(ADDRESS).source == "second"
    assert len(refusing.requests) == 1
    with pytest.raises(ValueError, match="one geocoder"):
        ChainGeocoder([])


def test_geopy_and_geopandas_can_use_the_offline_geocoder() -> None:
    found = KetafindGeopy().geocode("K7L 3N6", timeout=3)
    assert found.raw["precision"] == "postal_code"
    assert KetafindGeopy().geocode("no such place") is None
    assert [one.latitude for one in KetafindGeopy().geocode("Kanata", exactly_one=False)]
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.tools.geocode(["K7L 3N6", "Kanata"], provider=KetafindGeopy)
    assert len(frame) == 2
    assert isinstance(geocode("Kanata"), Location)
