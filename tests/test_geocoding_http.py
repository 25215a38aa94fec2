"""The way to a service: one deadline, vetted addresses, few bytes, and geopy's own contract."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import geopy.exc
import pytest
from geopy.adapters import AdapterHTTPError, BaseSyncAdapter
from geopy.geocoders.base import Geocoder as GeopyBase
from hypothesis import given
from hypothesis import strategies as st

from ketafind import errors
from ketafind.geocoding import http
from ketafind.geocoding.http import HttpxAdapter
from servers import CERTIFICATE, Server, chunked, goes_on, reply, resets, says, sends, stays_silent

Serve = Callable[..., Server]
VALUE = [{"name": "Orléans", "n": 7}]
BODY = json.dumps(VALUE).encode()


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(*behaviours: Any, **kind: Any) -> Server:
        servers.append(Server(*behaviours, **kind))
        return servers[-1]

    yield start
    for server in servers:
        server.socket.close()


class Plain(GeopyBase):
    """A geocoder of geopy that returns what its adapter returns, as geopy's own tests have one."""

    def geocode(self, url: str, *, is_json: bool = True) -> Any:
        return self._call_geocoder(url, lambda value: value, is_json=is_json)


def geocoder(timeout: float = 60.0, *, allow_private: bool = True, **options: Any) -> Plain:
    adapter = partial(HttpxAdapter, allow_private=allow_private)
    return Plain(timeout=timeout, adapter_factory=adapter, **options)


def get(server: Server, path: str = "/", **options: Any) -> Any:
    return geocoder(**options).geocode(f"http://127.0.0.1:{server.port}{path}")


def get_text(server: Server, **options: Any) -> Any:
    return geocoder(**options).geocode(f"http://127.0.0.1:{server.port}/", is_json=False)


READABLE = {
    "at once": sends(reply(BODY)),
    "in packets of a byte": sends(reply(BODY), packet=1),
    "in packets of 40 bytes": sends(reply(BODY), packet=40),
    "chunked": sends(chunked(BODY[:5], BODY[5:])),
    "chunked, in packets of a byte": sends(chunked(BODY[:5], BODY[5:]), packet=1),
    "without a length": sends(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY, packet=9),
    "HTTP/1.0": sends(b"HTTP/1.0 200 OK\r\n\r\n" + BODY),
    "after an informational reply": sends(b"HTTP/1.1 103 Early Hints\r\n\r\n" + reply(BODY)),
    "gzip": sends(reply(gzip.compress(BODY), headers="Content-Encoding: gzip\r\n"), packet=7),
    "gzip, chunked": sends(chunked(gzip.compress(BODY), headers="Content-Encoding: GZIP\r\n")),
}


@pytest.mark.parametrize("name", READABLE)
def test_a_reply_is_read_however_it_is_sent(serve: Serve, name: str) -> None:
    server = serve(READABLE[name])
    for _ in range(3):
        assert get(server) == VALUE


UNREADABLE = {
    "no HTTP": sends(b"SSH-2.0-OpenSSH\r\n"),
    "nothing": lambda link: None,
    "a reset": resets,
    "less than its length": sends(reply(BODY[:4], length=500)),
    "a chunk cut short": sends(chunked(BODY)[:-9]),
    "endless headers": goes_on(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1_000 + b"\r\n"),
    "one endless header": goes_on(b"HTTP/1.1 200 OK\r\nX-More: ", b"x" * 10_000),
    "an endless body": goes_on(b"HTTP/1.1 200 OK\r\n\r\n[", b" " * 1_000_000),
    "endless chunks": goes_on(chunked(b"[")[:-5], b"2710\r\n" + b" " * 10_000 + b"\r\n"),
    "a redirect": sends(reply(b"", "302 Found", "Location: http://169.254.169.254/\r\n")),
    "a redirect to nowhere": sends(reply(b"", "301 Moved", "Location: http://[\r\n")),
    "gzip that is none": sends(reply(BODY, headers="Content-Encoding: gzip\r\n")),
    "gzip in gzip": sends(
        reply(gzip.compress(gzip.compress(BODY)), headers="Content-Encoding: gzip, gzip\r\n")
    ),
    "an unknown compression": sends(reply(BODY, headers="Content-Encoding: br\r\n")),
    "no JSON": sends(reply(b"<html>Busy</html>")),
    "cut JSON": sends(reply(BODY[:-1])),
    "a number of 5,000 digits": sends(reply(b"[" + b"9" * 5_000 + b"]")),
    "null": says(None),
    "an empty object": says({}),
    "nothing at all": sends(reply(b"")),
    "deep brackets": sends(reply(b"[" * 200_000)),
    "deep objects": sends(reply(b'{"a":' * 41 + b"1" + b"}" * 41)),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_fails_without_url_or_address(serve: Serve, name: str) -> None:
    server = serve(UNREADABLE[name])
    with pytest.raises(errors.GeocoderFailedError) as caught:
        get(server, "/?key=SECRET&q=Stuart")
    assert not isinstance(caught.value, TimeoutError)
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not any(word in repr(chain) for word in ("SECRET", "Stuart", "127.0.0.1"))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        stays_silent,
        goes_on(b"", b"H", pause_s=0.02),
        goes_on(b"HTTP/1.1 200 OK\r\n", b"X", pause_s=0.02),
        goes_on(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" ", pause_s=0.02),
        goes_on(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause_s=0.02),
        goes_on(chunked(b"[")[:-5], b"1\r\n \r\n", pause_s=0.02),
    ],
    ids=["silence", "status", "headers", "body", "informational", "chunks"],
)
@pytest.mark.parametrize("tls", [False, True])
def test_a_reply_that_never_ends_ends_at_the_deadline(
    serve: Serve, behaviour: Any, tls: bool
) -> None:
    server = serve(behaviour, tls=tls)
    scheme = "https" if tls else "http"
    with pytest.raises(errors.GeocoderTimeoutError):
        geocoder(timeout=0.3, ssl_context=trusting()).geocode(
            f"{scheme}://localhost:{server.port}/"
        )


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def test_a_handshake_that_never_ends_ends_at_the_deadline(serve: Serve) -> None:
    server = serve(goes_on(b"\x16\x03\x03\x40\x00", b"\x02", pause_s=0.02))
    with pytest.raises(errors.GeocoderTimeoutError):
        geocoder(timeout=0.3).geocode(f"https://127.0.0.1:{server.port}/")


def test_the_deadline_of_a_thread_holds_before_the_timeout_of_a_call(serve: Serve) -> None:
    server = serve(stays_silent)
    adapter = HttpxAdapter(allow_private=True)
    with adapter.until(0.0), pytest.raises(errors.GeocoderTimeoutError):
        adapter.get_text(f"http://127.0.0.1:{server.port}/", timeout=60.0, headers={})
    assert not server.requests


def test_a_certificate_is_checked_and_an_own_one_can_be_trusted(serve: Serve) -> None:
    server = serve(says(VALUE), tls=True)
    for host, context in (("localhost", None), ("127.0.0.1", trusting())):
        with pytest.raises(errors.GeocoderFailedError, match="SSLCertVerificationError"):
            geocoder(ssl_context=context).geocode(f"https://{host}:{server.port}/")
    assert not server.requests
    trusted = geocoder(ssl_context=trusting())
    assert trusted.geocode(f"https://localhost:{server.port}/") == VALUE


def test_a_compressed_bomb_is_refused_before_it_unfolds(serve: Serve) -> None:
    bomb = gzip.compress(b"0" * 100_000_000)
    server = serve(sends(reply(bomb, headers="Content-Encoding: gzip\r\n")))
    tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        with pytest.raises(errors.GeocoderFailedError, match="longer than 1,000,000 bytes"):
            get(server)
        assert tracemalloc.get_traced_memory()[1] - before < 25_000_000
    finally:
        tracemalloc.stop()


def test_a_reply_of_the_most_bytes_is_read_and_one_byte_more_is_not(serve: Serve) -> None:
    assert len(get_text(serve(sends(reply(b"x" * 1_000_000))))) == 1_000_000
    with pytest.raises(errors.GeocoderFailedError, match="longer"):
        get_text(serve(sends(reply(b"x" * 1_000_001))))


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("", "utf-8"),
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("iso-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("iso-8859-15", "iso8859-15"),
        ("utf-16", "utf-16"),
    ],
)
def test_text_is_read_in_the_encoding_that_its_header_names(
    serve: Serve, charset: str, encoding: str
) -> None:
    text = '["Orléans"]'
    kind = f"Content-Type: text/plain; charset={charset}\r\n" if charset else ""
    head = f"HTTP/1.1 200 OK\r\n{kind}\r\n".encode()
    server = serve(sends(head + text.encode(encoding)))
    assert get_text(server) == text
    assert get(server) == ["Orléans"]


@pytest.mark.parametrize(
    "charset", ["utf-8", "ascii", "punycode", "hex", "rot13", "no-such", "\xff"]
)
def test_text_that_is_not_in_its_encoding_cannot_be_read(serve: Serve, charset: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
    server = serve(sends(head.encode("latin-1") + b'["\xe9"]'))
    with pytest.raises(errors.GeocoderFailedError, match="the reply is"):
        get_text(server)


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "unicode_escape", "idna"])
def test_text_in_an_encoding_that_can_be_costly_is_not_read(serve: Serve, charset: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
    with pytest.raises(errors.GeocoderFailedError, match="the reply is"):
        get_text(serve(sends(head.encode() + b"1")))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad", geopy.exc.GeocoderQueryError),
        ("401 No", geopy.exc.GeocoderAuthenticationFailure),
        ("402 Pay", geopy.exc.GeocoderQuotaExceeded),
        ("403 No", geopy.exc.GeocoderInsufficientPrivileges),
        ("404 None", geopy.exc.GeocoderServiceError),
        ("407 Proxy", geopy.exc.GeocoderAuthenticationFailure),
        ("429 Slow", geopy.exc.GeocoderRateLimited),
        ("500 Oops", geopy.exc.GeocoderServiceError),
        ("503 Busy", geopy.exc.GeocoderTimedOut),
        ("504 Late", geopy.exc.GeocoderTimedOut),
        ("599 Odd", geopy.exc.GeocoderServiceError),
    ],
)
def test_a_status_is_raised_as_geopy_raises_it_with_headers_and_text(
    serve: Serve, status: str, kind: type[Exception]
) -> None:
    server = serve(sends(reply(b"Sorry", status, "Retry-After: 7\r\nX-Why: Busy\r\n")))
    with pytest.raises(kind) as caught:
        get(server)
    assert type(caught.value) is kind
    cause = caught.value.__cause__
    assert isinstance(cause, AdapterHTTPError)
    assert isinstance(cause, OSError)
    assert (cause.status_code, cause.text) == (int(status[:3]), "Sorry")
    assert (cause.headers["retry-after"], cause.headers["x-why"]) == ("7", "Busy")
    assert getattr(caught.value, "retry_after", 7) == 7


def test_nothing_is_remembered_or_taken_from_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password SECRET\n")
    proxy = serve(says("the proxy's"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(sends(reply(BODY, headers="Set-Cookie: id=7; Path=/\r\n")))
    asked = geocoder()
    for _ in range(2):
        assert asked.geocode(f"http://127.0.0.1:{server.port}/") == VALUE
    for request in server.requests:
        head = request.lower()
        assert b"cookie" not in head
        assert b"authorization" not in head
    assert not proxy.requests


def test_headers_are_sent_as_given_and_line_ends_in_them_are_refused(serve: Serve) -> None:
    server = serve(says(VALUE))
    adapter = HttpxAdapter(allow_private=True)
    url = f"http://127.0.0.1:{server.port}/"
    adapter.get_json(url, timeout=60, headers={"User-Agent": "Cliniques Orléans"})
    assert "User-Agent: Cliniques Orléans\r\n".encode() in server.requests[0]
    with pytest.raises(errors.GeocoderFailedError):
        adapter.get_json(url, timeout=60, headers={"User-Agent": "x\r\nX-Evil: 1"})
    assert b"Evil" not in b"".join(server.requests)


@pytest.mark.parametrize(
    "url",
    [
        "https://x\r\nHost: y/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https:///x",
        "x",
        "",
        "http://example.org/",
        "https://user:SECRET@example.org/",
        "https://example.org:99999999/",
    ],
)
def test_a_url_without_https_or_host_or_with_a_password_is_refused(url: str) -> None:
    with pytest.raises(errors.GeocoderFailedError) as caught:
        HttpxAdapter().get_text(url, timeout=1, headers={})
    assert "SECRET" not in repr(caught.value)


class ReachedError(Exception):
    """A test got as far as connecting to an address."""


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let every name have the addresses given, and connecting to one fail with its own error."""

    def to(*addresses: str, connect: Callable[..., Any] | None = None) -> None:
        def look_up(host: str, port: int, **_: Any) -> list[Any]:
            del host
            return [
                (
                    socket.AF_INET6 if ":" in address else socket.AF_INET,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (address, port),
                )
                for address in addresses
            ]

        def reach(place: tuple[str, int], timeout_s: float) -> Any:
            raise ReachedError(place[0])

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        monkeypatch.setattr(socket, "create_connection", connect or reach)

    return to


NOT_PUBLIC = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "fc00::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "4000::1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "2002:7f00:1::",
    "2002:c0a8:101::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused_also_behind_a_public_one(
    resolve: Callable[..., None], address: str
) -> None:
    for addresses in ([address], ["1.1.1.1", address], [address, "1.1.1.1"]):
        resolve(*addresses)
        with pytest.raises(errors.GeocoderFailedError, match="private network"):
            geocoder(allow_private=False).geocode("https://service.example/")
        with pytest.raises(ReachedError):
            geocoder(allow_private=True).geocode("https://service.example/")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_connected_to_as_it_was_vetted(
    resolve: Callable[..., None], address: str
) -> None:
    resolve(address)
    with pytest.raises(ReachedError, match=address):
        geocoder(allow_private=False).geocode("https://service.example/")


@given(st.ip_addresses(v=4))
def test_an_address_that_holds_another_is_judged_by_it(inner: IPv4Address) -> None:
    held = int(inner)
    for outer in (
        IPv6Address((0xFFFF << 32) + held),
        IPv6Address((0x2002 << 112) + (held << 80)),
        IPv6Address((0x64FF9B << 96) + held),
    ):
        assert http._is_public(str(outer)) == http._is_public(str(inner))
    allowed = inner.is_global and not inner.is_multicast and not inner.is_reserved
    assert http._is_public(str(inner)) == allowed


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "0177.1", "[::1]", "[::ffff:10.1.2.3]", "localhost"],
)
def test_a_host_written_as_numbers_is_vetted_as_well(host: str) -> None:
    with pytest.raises(errors.GeocoderFailedError, match="private network"):
        geocoder(allow_private=False).geocode(f"https://{host}/")


def test_addresses_are_tried_in_turn_until_one_answers(
    serve: Serve, resolve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, look_up, reach = serve(says(VALUE)), socket.getaddrinfo, socket.create_connection

    def connect(place: tuple[str, int], timeout_s: float) -> socket.socket:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", look_up)
            return reach(place, timeout_s)

    resolve("::1", "127.0.0.2", "127.0.0.1", connect=connect)
    url = f"http://service.example:{server.port}/"
    assert geocoder().geocode(url) == VALUE
    assert b"Host: service.example:" in server.requests[0]
    resolve("127.0.0.2", "127.0.0.3", connect=connect)
    with pytest.raises(errors.GeocoderFailedError, match="ConnectionRefusedError"):
        geocoder().geocode(url)


def test_an_address_that_does_not_answer_leaves_the_next_its_share_of_the_time(
    resolve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []

    def connect(place: Any, timeout_s: float) -> Any:
        shares.append(timeout_s)
        raise TimeoutError

    resolve("1.1.1.1", "1.1.1.2", "1.1.1.3", connect=connect)
    # A clock that stands still: as if no time had been spent on the first ones.
    monkeypatch.setattr(http.time, "monotonic", lambda: 100.0)
    with pytest.raises(errors.GeocoderTimeoutError):
        geocoder(timeout=6.0, allow_private=False).geocode("https://service.example/")
    assert shares == [2.0, 3.0, 6.0]


def test_a_name_that_is_not_found_says_so_without_the_name(
    resolve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(errors.GeocoderFailedError, match="not found") as caught:
        geocoder(allow_private=False).geocode("https://service.example/")
    assert "service.example" not in repr(caught.value)


def test_the_look_up_of_a_name_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def look_up(*_: Any, **__: Any) -> list[Any]:
        never.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(errors.GeocoderTimeoutError):
        geocoder(timeout=0.1, allow_private=False).geocode("https://service.example/")
    never.set()


def test_it_is_an_adapter_of_geopy() -> None:
    assert issubclass(HttpxAdapter, BaseSyncAdapter)
    with HttpxAdapter() as adapter:
        assert isinstance(adapter, HttpxAdapter)


WITHOUT = """
import sys
sys.modules["httpx"] = sys.modules["httpcore"] = None
from geopy.geocoders import Nominatim
from geopy.location import Location as Found
from ketafind.errors import MissingExtraError
from ketafind.geocoding import ChainGeocoder, GeocodeCache, GeopyGeocoder, KetafindGeopy
from ketafind.geocoding import OfflineGeocoder, RateLimit, Referee
try:
    GeopyGeocoder(Nominatim(user_agent="tests"))
except MissingExtraError as error:
    print(error)

class Own:
    def geocode(self, text, **options):
        return Found(text, (44.224, -76.493), {})

print(KetafindGeopy().geocode("K7L 3N6").raw["precision"])
with GeocodeCache(sys.argv[1]) as cache:
    own = GeopyGeocoder(Own(), cache=cache, limit=RateLimit(0.0, sys.argv[1] + ".pace"))
    print(ChainGeocoder([own, OfflineGeocoder()]).geocode("K7L 2V7").source)
"""


def test_without_the_extra_its_name_is_said_and_all_else_works(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=True,
    )
    said, precision, source = done.stdout.splitlines()
    assert said == "this needs the package 'httpx': pip install \"ketafind[online]\""
    assert (precision, source) == ("postal_code", "Own")
