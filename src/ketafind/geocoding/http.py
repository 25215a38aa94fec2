"""HTTP for geopy's geocoders: httpx, under one deadline, to vetted addresses, for a few bytes."""

from __future__ import annotations

import codecs
import json
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import accumulate
from threading import local
from typing import Any

import httpcore
import httpx
from geopy.adapters import AdapterHTTPError, BaseSyncAdapter

from ketafind.errors import GeocoderFailedError, GeocoderTimeoutError
from ketafind.files import keys_once
from ketafind.geocoding.limiter import within

# For a request without a deadline or a timeout.
TIMEOUT_S = 10.0

# A reply longer than this, once it is decompressed, is refused.
MOST_BYTES = 1_000_000

# JSON nested deeper than this is refused.
DEEPEST = 40

# Some of Python's other codecs take minutes for a megabyte.
CODECS = ("utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16")

NAT64 = IPv6Network("64:ff9b::/96")


class HttpxAdapter(BaseSyncAdapter):  # type: ignore[misc]
    """An adapter of geopy with a deadline; it uses no proxies, cookies, redirects or netrc."""

    def __init__(
        self,
        *,
        proxies: object = None,
        ssl_context: ssl.SSLContext | None = None,
        allow_private: bool = False,
    ) -> None:
        super().__init__(proxies=proxies, ssl_context=ssl_context)
        self._tls = ssl_context if ssl_context is not None else ssl.create_default_context()
        self._allow_private = allow_private
        self._local = local()

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Let this thread's requests end before a deadline of `time.monotonic`."""
        self._local.deadline = deadline
        try:
            yield
        finally:
            del self._local.deadline

    def get_text(self, url: str, *, timeout: float | None, headers: Mapping[str, str]) -> str:
        """Get a URL's text, or raise geopy's error for the status."""
        deadline = getattr(self._local, "deadline", time.monotonic() + (timeout or TIMEOUT_S))
        return self.send(url, headers, deadline)

    def send(
        self, url: str, headers: Mapping[str, str], deadline: float, body: bytes | None = None
    ) -> str:
        """Get a URL's text, or post a body to it; raise geopy's error for the status."""
        checked = _checked(url, private=self._allow_private)
        failure: GeocoderFailedError
        try:
            reply, read = self._exchange(checked, headers, deadline, body)
        except TimeoutError:
            failure = GeocoderTimeoutError("the service did not answer before the deadline")
        except (httpcore.ProtocolError, OSError, zlib.error) as error:
            failure = GeocoderFailedError(f"the connection failed ({type(error).__name__})")
        else:
            text = _text(reply, read)
            if not reply.is_error:
                return text
            code, own = reply.status_code, dict(reply.headers)
            raise AdapterHTTPError(f"HTTP status {code}", status_code=code, headers=own, text=text)
        raise failure from None  # out here: the error behind it holds the URL

    def get_json(self, url: str, *, timeout: float | None, headers: Mapping[str, str]) -> Any:
        """Get a URL's JSON; null and {} are refused, which geopy takes for "not found"."""
        return read_json(self.get_text(url, timeout=timeout, headers=headers))

    def _exchange(
        self, url: httpx.URL, headers: Mapping[str, str], deadline: float, body: bytes | None
    ) -> tuple[httpx.Response, bytes]:
        backend = _Backend(deadline, allow_private=self._allow_private)
        own = {**headers, "Accept-Encoding": "gzip", "Connection": "close"}
        # A pool of its own for each request: nothing is remembered from one to the next.
        with (
            httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend) as pool,
            pool.stream(
                "GET" if body is None else "POST",
                # Not as text: what follows a semicolon in the path would be lost.
                httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=httpx.Headers(own, encoding="utf-8").raw,
                content=body,
            ) as reply,
        ):
            read = httpx.Response(reply.status, headers=reply.headers)
            return read, _body(read, reply.iter_stream())


BRACKETS = re.compile(r"[\[\]{}]")


def read_json(text: str) -> Any:
    """Read a reply's JSON; null and {} are refused, doubled keys, and what is nested deeply."""
    depths = accumulate(1 if c in "[{" else -1 for c in BRACKETS.findall(text))
    if any(depth > DEEPEST for depth in depths):  # reading it could exhaust the stack
        raise GeocoderFailedError("the reply is nested too deeply")
    try:
        value = json.loads(text, object_pairs_hook=keys_once)
    except ValueError:
        fault = "is not JSON that names each key once"
    else:
        if value is not None and value != {}:
            return value
        fault = "is empty"
    # Out here: the error behind it holds the reply, which may repeat what was asked.
    raise GeocoderFailedError(f"the reply {fault}")


def _checked(text: str, *, private: bool) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise GeocoderFailedError("the service's URL holds a character that no URL has") from None
    if url.scheme != "https" and not (private and url.scheme == "http"):
        raise GeocoderFailedError(
            f"the service's URL is {url.scheme or 'no'} and not https; "
            "allow_private=True allows http to a service of your own"
        )
    if url.userinfo or not url.host or (url.port or 0) > 65_535:
        raise GeocoderFailedError("the service's URL must hold a host, and no user or password")
    return url


def _body(reply: httpx.Response, pieces: Iterator[bytes]) -> bytes:
    if reply.is_redirect:
        raise GeocoderFailedError("the service redirects elsewhere; redirects are not followed")
    # Several codings, one in the other, would grow a million times a piece.
    coding = reply.headers.get("content-encoding", "identity").lower()
    if coding not in {"identity", "gzip"}:
        raise GeocoderFailedError("the reply is compressed in a way that was not asked for")
    # 31 is how zlib names the format of gzip.
    unzip = zlib.decompressobj(31) if coding == "gzip" else None
    body = bytearray()
    for piece in pieces:
        # No more than the limit is unfolded of a piece that would grow a thousandfold.
        body += piece if unzip is None else unzip.decompress(piece, MOST_BYTES + 1 - len(body))
        if len(body) > MOST_BYTES:
            raise GeocoderFailedError(f"the reply is longer than {MOST_BYTES:,} bytes")
    return bytes(body)


def _text(reply: httpx.Response, body: bytes) -> str:
    charset = reply.charset_encoding or "utf-8"
    try:
        if codecs.lookup(charset).name in CODECS:
            return body.decode(charset)
    except (LookupError, UnicodeDecodeError):
        pass
    raise GeocoderFailedError("the reply is not text in an encoding that is read")


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that were vetted: to look the name up again could give others."""

    def __init__(self, deadline: float, *, allow_private: bool) -> None:
        self._deadline, self._allow_private = deadline, allow_private

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        addresses = _resolved(host, port, self._deadline)
        if not self._allow_private and not all(map(_is_public, addresses)):
            raise GeocoderFailedError(
                "the service's host is in a private network; allow_private=True allows that"
            )
        failure = OSError()
        for tried, address in enumerate(addresses):
            try:
                # One that does not answer leaves the others their share of the time.
                share_s = _left(self._deadline) / (len(addresses) - tried)
                link = socket.create_connection((address, port), share_s)
            except OSError as error:
                failure = error
            else:
                return _Stream(link, self._deadline)
        raise failure


class _Stream(httpcore.NetworkStream):
    """A socket whose every call ends before the deadline, whatever time-out it is given."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def _timed(self) -> socket.socket:
        self._link.settimeout(_left(self._deadline))
        return self._link

    def read(self, max_bytes: int, *_: Any, **__: Any) -> bytes:
        return self._timed().recv(max_bytes)

    def write(self, buffer: bytes, *_: Any, **__: Any) -> None:
        self._timed().sendall(buffer)

    def close(self) -> None:
        self._link.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, *_: Any, **__: Any
    ) -> httpcore.NetworkStream:
        try:
            self._link = ssl_context.wrap_socket(self._timed(), server_hostname=server_hostname)
        except BaseException:
            self._link.close()
            raise
        return self


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _is_public(text: str) -> bool:
    ip = ip_address(text.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:  # where such an address leads to
            return _is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _resolved(host: str, port: int, deadline: float) -> list[str]:
    with suppress(ValueError):
        return [str(ip_address(host))]
    with suppress(OSError):  # in the other ways in which C accepts numbers
        return [socket.inet_ntoa(socket.inet_aton(host))]

    def look_up() -> list[Any]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    try:
        # A look-up cannot be stopped: at the deadline it is left to itself.
        found = within(look_up, deadline)
    except (socket.gaierror, UnicodeError):
        raise GeocoderFailedError("the service's host was not found") from None
    return [str(entry[4][0]) for entry in found]
