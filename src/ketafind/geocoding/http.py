"""Ask a web service for JSON: under one deadline, from one public address, a few bytes."""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

from ketafind.errors import GeocoderFailedError, GeocoderTimeoutError

__all__ = ["MOST_BYTES", "Reply", "ask", "check_depth"]

MOST_BYTES = 1_000_000
"""A reply longer than this is refused."""

DEEPEST = 40
"""JSON nested deeper than this is refused."""

CHUNK = 65_536


class Reply(NamedTuple):
    """What a service answered."""

    status: int
    headers: dict[str, str]
    text: str


class _Stream(io.RawIOBase):
    """A socket's bytes, each read within what is left of the deadline."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._link.settimeout(_left(self._deadline))
        return self._link.recv_into(buffer)


class _Link:
    """The part of a socket that http.client uses, under a deadline."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def sendall(self, data: bytes) -> None:
        self._link.settimeout(_left(self._deadline))
        self._link.sendall(data)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Stream(self._link, self._deadline))

    def close(self) -> None:
        self._link.close()


def ask(
    url: str, headers: Mapping[str, str], deadline: float, *, allow_private: bool = False
) -> Reply:
    """Get a URL."""
    parts = _checked(url, allow_private=allow_private)
    host = cast(str, parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        with _connected(host, port, deadline, allow_private=allow_private) as plain:
            link = _secured(plain, host, deadline) if parts.scheme == "https" else plain
            connection = http.client.HTTPConnection(host, port)
            connection.sock = cast(socket.socket, _Link(link, deadline))
            connection.request("GET", path or "/", headers={**headers, "Connection": "close"})
            return _read(connection.getresponse())
    except TimeoutError:
        raise GeocoderTimeoutError("the service did not answer before the deadline") from None
    except (OSError, http.client.HTTPException) as error:
        raise GeocoderFailedError(f"the connection failed ({type(error).__name__})") from None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _checked(url: str, *, allow_private: bool) -> SplitResult:
    if not url.isascii() or not url.isprintable() or " " in url:
        raise GeocoderFailedError("the service's URL holds a character that no URL has")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise GeocoderFailedError(
            f"the service's URL is {parts.scheme or 'no'} and not https; "
            "allow_private=True allows http to a service of your own"
        )
    if parts.username is not None or parts.password is not None or not parts.hostname:
        raise GeocoderFailedError("the service's URL must hold a host, and no user or password")
    return parts


def _connected(host: str, port: int, deadline: float, *, allow_private: bool) -> socket.socket:
    """Connect to an address that was checked: looking the name up again could give another."""
    for family, address in _resolved(host, port, deadline):
        if not allow_private and not _is_public(address[0]):
            raise GeocoderFailedError(
                "the service's host is in a private network; allow_private=True allows that"
            )
        link = socket.socket(family, socket.SOCK_STREAM)
        try:
            link.settimeout(_left(deadline))
            link.connect(address)
        except OSError:
            link.close()
            raise
        return link
    raise GeocoderFailedError("the service's host has no address")


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (inner is None or inner.is_global)


def _resolved(host: str, port: int, deadline: float) -> list[tuple[int, Any]]:
    """Look a name up; the look-up cannot be stopped, so it runs beside."""
    literal = _literal(host)
    if literal is not None:
        family = socket.AF_INET6 if literal.version == 6 else socket.AF_INET
        return [(family, (str(literal), port))]
    found: list[tuple[int, Any]] = []
    failed: list[str] = []

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failed.append(type(error).__name__)
        else:
            found.extend((entry[0], entry[4]) for entry in entries)

    thread = Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if failed:
        raise GeocoderFailedError(f"the service's host was not found ({failed[0]})")
    if thread.is_alive():
        raise TimeoutError
    return found


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address that is written as numbers, in any of the ways that C accepts."""
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    with suppress(OSError):
        return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def _secured(link: socket.socket, host: str, deadline: float) -> socket.socket:
    link.settimeout(_left(deadline))
    return ssl.create_default_context().wrap_socket(link, server_hostname=host)


def _read(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    if 300 <= response.status < 400:
        raise GeocoderFailedError("the service redirects elsewhere; redirects are not followed")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise GeocoderFailedError("the reply is compressed, which was not asked for")
    body = bytearray()
    read: Callable[[int], bytes] = response.read1
    while chunk := read(CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            raise GeocoderFailedError(f"the reply is longer than {MOST_BYTES:,} bytes")
    length = headers.get("content-length", "")
    if length.isdigit() and len(body) < int(length):
        raise GeocoderFailedError("the reply was cut off")
    try:
        return Reply(response.status, headers, body.decode("utf-8"))
    except UnicodeDecodeError:
        raise GeocoderFailedError("the reply is not text in UTF-8") from None


def check_depth(text: str) -> None:
    """Refuse JSON that is nested so deeply that reading it could exhaust the stack."""
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > DEEPEST:
                raise GeocoderFailedError("the reply is nested too deeply")
        elif character in "]}":
            depth -= 1
