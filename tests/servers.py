"""A server on this machine that misbehaves as it is told to, and a clock that nobody waits for."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "certificates" / "localhost.pem"
"""For localhost, signed by itself, with its key: of no use but here."""

Behaviour = Callable[[socket.socket], None]


class Clock:
    """Time that passes while somebody sleeps, for clock= and sleep=."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.sleeps: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.sleeps.append(seconds)
            self.now += seconds


def reply(
    body: bytes, status: str = "200 OK", headers: str = "", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
    return f"{head}{headers}Connection: close\r\n\r\n".encode() + body


def chunked(*parts: bytes, headers: str = "") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    return f"{head}{headers}\r\n".encode() + body


def sends(data: bytes, packet: int | None = None) -> Behaviour:
    """Send bytes, at once or in packets of a size."""

    def behave(link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), packet or len(data)):
            link.sendall(data[start : start + (packet or len(data))])

    return behave


def says(value: object, **kind: str) -> Behaviour:
    return sends(reply(json.dumps(value).encode(), **kind))


def goes_on(start: bytes, more: bytes, pause_s: float = 0.0) -> Behaviour:
    """Send a beginning and then more, for ever."""
    never = threading.Event()

    def behave(link: socket.socket) -> None:
        link.sendall(start)
        while True:
            link.sendall(more)
            never.wait(pause_s)

    return behave


def stays_silent(link: socket.socket) -> None:
    while link.recv(65_536):
        pass


def resets(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


class Server:
    """Answers each connection with the next behaviour; the last one repeats."""

    def __init__(self, *behaviours: Behaviour, tls: bool = False) -> None:
        self.behaviours = list(behaviours)
        self.requests: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(CERTIFICATE)
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
            if self._tls is not None:
                link = self._tls.wrap_socket(link, server_side=True)
            with link:
                self.requests.append(link.recv(65_536))
                turn = min(len(self.requests), len(self.behaviours)) - 1
                self.behaviours[turn](link)
