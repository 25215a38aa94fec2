"""Minutes of load, faults and hostile input on the web service and the server for agents.

Every answer is held against the truth of the data that it names: plain Python says which clinics
pass, pyproj how far they are. The data file is replaced all the while. What counts as wrong: an
answer that is not the truth, a status of 500 or more, a traceback in the log, a place in the log,
a server that ended, memory or open files that grew.

    python benchmarks/soak.py [service | mcp] [--minutes 10] [--state FILE] [--quick]

With --state it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import math
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))

import numpy as np  # noqa: E402

import ketafind as kf  # noqa: E402
from oracle import GEOD, PARENT, TERMS, TIE_KM, truth  # noqa: E402

PARENT.update(
    {
        term.id: term.parent
        for facet in kf.load_directory().vocabulary.facets
        for term in facet
        if term.parent
    }
)
PLACES = {text: kf.geocode(text) for text in ("Kingston, ON", "K7L", "Thunder Bay", "Ottawa", "M5V", "Moosonee")}  # fmt: skip
EVERYTHING = ("offers", "route", ("iv",), 0)
SAME = os.environ | {"PYTHONPATH": str(Path(kf.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
"""For servers: the ketafind that is imported here."""
MEMORY_MIB = 24.0
"""Growth that counts as growth: what allocators keep after the largest bodies comes and goes."""
PLACE_IN_LOG = re.compile(r"(?i)\b[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d\b|-?\d{2}\.\d{3,}, *-\d{2}\.\d{3,}")  # fmt: skip
HOSTILE = [
    "", " ", "\x00", "\x1b[31m", "\ud800", "\u202e", "💉" * 50, "' OR 1=1 --", "${jndi:ldap://x}", "{{7*7}}",
    "<script>alert(1)</script>", "../../etc/passwd", "%s%n", "nan, nan", "44.2 N, 95 E", "1e999, 1", "7" * 5000,
    "A" * 100_000, "12 " * 3000 + "St", "K7L OA1", "Paris, France", "Sydenham", "\r\nX: y", "İstanbul", "=1+1",
]  # fmt: skip
NO_TERMS = [*HOSTILE[:12], "intraveneous", "iv;im", "IV\u200b"]


def clinics(n: int, seed: int) -> list[kf.Clinic]:
    """Clinics across Ontario of which much is unknown; some have no position, some are closed."""
    rng = random.Random(seed)
    made = []
    for at in range(n):
        services = []
        for number in range(rng.choice([1, 1, 2])):
            facts: dict[str, dict[str, kf.Truth]] = {}
            for facet, terms in TERMS.items():
                if rng.random() < 0.7:
                    facts[facet] = {rng.choice(terms): kf.Truth.YES}
            complete = frozenset(facet for facet in facts if rng.random() < 0.3)
            services.append(kf.Service(service_id=str(number), facts=facts, complete=complete))
        place = kf.Location(lat=rng.uniform(42.5, 47.0), lon=rng.uniform(-83.0, -75.0))
        made.append(
            kf.Clinic(
                clinic_id=f"{seed}-{at}",
                name=f"Clinic {at} of {seed}",
                services=tuple(services),
                status=rng.choice(["active", "active", "active", "uncertain", "closed"]),
                location=place if rng.random() < 0.95 else None,
            )
        )
    return made


class Data:
    """One file of clinics, and what may be answered from it."""

    def __init__(self, directory: kf.Directory, path: Path) -> None:
        directory.save(path)
        self.path, self.snapshot = path, directory.snapshot
        self.clinics = {one.clinic_id: one for one in directory.clinics}
        self.passing = cache(self.passing)  # type: ignore[method-assign]

    def passing(self, wanted: tuple[Any, ...]) -> dict[str, Any]:
        """The clinics that pass and have a position, by id."""
        found = [
            one for one in self.clinics.values() if one.location and truth(wanted, one) == "yes"
        ]
        return {one.clinic_id: one for one in found}

    def fault(self, asked: Asked, answer: dict[str, Any]) -> str:
        """Say what is wrong with an answer, or nothing."""
        passing, rows = self.passing(asked.wanted), answer["matches"]
        lat, lon = (
            np.array([(one.location.lat, one.location.lon) for one in passing.values()])
            .reshape(-1, 2)
            .T
        )
        here = np.full(len(lat), asked.lon), np.full(len(lat), asked.lat)
        km = GEOD.inv(*here, lon, lat)[2] / 1000
        own = dict(zip(passing, km, strict=True))
        due = np.sort(km)[asked.offset : asked.offset + asked.k]
        if answer["n_eligible"] != len(passing) or len(rows) != len(due):
            return f"{len(rows)} of {answer['n_eligible']} for {len(due)} of {len(passing)}"
        if len({row["clinic_id"] for row in rows}) != len(rows):
            return "a clinic twice"
        for row, far in zip(rows, due, strict=True):
            name = row["clinic_id"]
            if name not in passing or row["name"] != passing[name].name:
                return "a clinic that does not pass"
            if (
                abs(row["distance_km"] - own[name]) > 2e-11 + 1e-15 * far
                or abs(own[name] - far) > TIE_KM
            ):
                return f"{row['distance_km']} km where {far} is due"
        return ""


def stock(folder: Path) -> list[Data]:
    """The bundled directory and two larger ones, each in a file."""
    made = [
        kf.load_directory(),
        *(kf.Directory.from_clinics(clinics(600, seed)) for seed in (1, 2)),
    ]
    return [Data(directory, folder / f"data-{at}") for at, directory in enumerate(made)]


class Asked:
    """A question that has an answer."""

    def __init__(self, rng: random.Random, *, coarse: bool = False) -> None:
        if coarse or rng.random() < 0.3:
            self.place = rng.choice(list(PLACES))
            self.lat, self.lon = PLACES[self.place].lat, PLACES[self.place].lon
        else:
            self.lat, self.lon = round(rng.uniform(42, 48), 4), round(rng.uniform(-84, -75), 4)
            self.place = f"{self.lat:.4f}, {self.lon:.4f}"
        self.facets = rng.sample(sorted(TERMS), rng.randint(0, 2))
        self.terms = [rng.sample(TERMS[facet], rng.randint(1, 2)) for facet in self.facets]
        parts = [
            ("offers", *pair, 1) for pair in zip(self.facets, map(tuple, self.terms), strict=True)
        ]
        self.wanted = ("and", EVERYTHING, *parts)
        self.k, self.offset = rng.randint(1, 20), 0

    def where(self) -> dict[str, Any]:
        """As criteria in JSON."""
        where = kf.everything()
        for facet, terms in zip(self.facets, self.terms, strict=True):
            where &= kf.offers(facet, *terms)
        return where.to_dict()


class Tally:
    """What was asked and what came of it, over as many runs as it takes."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.lock = path, threading.Lock()
        self.counts: Counter[str] = Counter()
        self.times: Counter[int] = Counter()
        self.faults: list[str] = []
        self.seconds = 0.0
        if path is not None and path.exists():
            held = json.loads(path.read_text("utf-8"))
            self.counts, self.faults = Counter(held["counts"]), held["faults"]
            self.times = Counter({int(at): n for at, n in held["times"].items()})
            self.seconds = held["seconds"]

    def save(self, seconds: float) -> None:
        """Keep it, if somewhere was named."""
        if self.path is not None:
            with self.lock:
                held = {
                    "seconds": seconds,
                    "counts": self.counts,
                    "times": self.times,
                    "faults": self.faults,
                }
                text = json.dumps(held, indent=1)
            self.path.with_suffix(".part").write_text(text, "utf-8")
            self.path.with_suffix(".part").replace(self.path)

    def add(self, what: str, n: int = 1) -> None:
        with self.lock:
            self.counts[what] += n

    def took(self, seconds: float) -> None:
        with self.lock:
            self.times[round(math.log(seconds * 1e3, 1.02))] += 1

    def fault(self, what: str) -> None:
        with self.lock:
            self.counts["faults"] += 1
            if len(self.faults) < 30:
                self.faults.append(what[:500])

    def percentile(self, share: float) -> float:
        """Milliseconds, within 2 %."""
        left = share * sum(self.times.values())
        for at in sorted(self.times):
            left -= self.times[at]
            if left <= 0:
                return 1.02**at
        return math.nan

    def report(self) -> None:
        print(", ".join(f"{n:,} {what}" for what, n in sorted(self.counts.items())))
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
        print(
            "latency, ms: "
            + ", ".join(f"{name} {self.percentile(at):.1f}" for name, at in shares.items())
        )
        for fault in self.faults:
            print(f"FAULT {fault}")


class Gauge:
    """Memory and open files of a process."""

    def __init__(self, pid: int) -> None:
        self.pid, self.mib, self.files = pid, [], []  # type: ignore[var-annotated]

    def read(self) -> None:
        status = Path(f"/proc/{self.pid}/status").read_text()
        self.mib.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
        self.files.append(len(os.listdir(f"/proc/{self.pid}/fd")))

    def judge(self, name: str, tally: Tally) -> None:
        """Hold the last fifth against the second: the first warms up."""
        fifth = max(1, len(self.mib) // 5)
        (mib, more), (files, other) = (
            [median(one[fifth : 2 * fifth] or one), median(one[-fifth:])]
            for one in (self.mib, self.files)
        )
        print(
            f"{name}: {mib:.1f} MiB after warm-up, {more:.1f} at the end; open files {files:.0f}, {other:.0f}"
        )
        # In less than a minute nothing is warm yet.
        if len(self.mib) > 60 and (more - mib > MEMORY_MIB or other - files > 40):
            tally.fault(f"{name} grew")


def repeat(
    work: Callable[[random.Random], None], seed: int, over: threading.Event, tally: Tally
) -> threading.Thread:
    """Do something again and again, on a thread of its own, until it is over."""

    def run() -> None:
        rng = random.Random(seed)
        while not over.is_set():
            try:
                work(rng)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                if not over.is_set():
                    tally.fault(f"{work.__name__}: {type(error).__name__}: {error}")
                    time.sleep(0.1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def look_through(log: Path, tally: Tally) -> None:
    """Find in a log what is not to be there."""
    text = log.read_text("utf-8", "replace")
    for line in text.splitlines():
        if "Traceback" in line or "ERROR" in line or PLACE_IN_LOG.search(line):
            tally.fault(f"log: {line}")
    if tally.faults:
        print(text[-5000:])


# The web service.

LAUNCH = """
import signal, sys, threading, uvicorn, service
from ketafind.errors import KetafindError
def reload(*_):
    def work():
        try:
            service.reload(sys.argv[1])
        except KetafindError:
            print("refused a file")
    threading.Thread(target=work).start()
signal.signal(signal.SIGHUP, reload)
service.reload(sys.argv[1])
uvicorn.run(service.app, port=int(sys.argv[2]), access_log=False)
"""
HEAD = "POST /nearest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


def bodies(rng: random.Random) -> bytes:
    """What no question looks like."""
    text, term = rng.choice(HOSTILE), rng.choice(NO_TERMS)
    good = {"place": "Kingston, ON"}
    deep = {"not": {"everything": True}}
    for _ in range(rng.choice([50, 90])):
        deep = {"not": deep}
    return rng.choice(
        [
            lambda: json.dumps({"place": text}).encode(),
            lambda: json.dumps({"place": text, "where": {"facet": term, "terms": ["iv"]}}).encode(),
            lambda: json.dumps({**good, "where": {"facet": "route", "terms": [term]}}).encode(),
            lambda: json.dumps({**good, "where": {term: term}}).encode(),
            lambda: json.dumps(
                {**good, "k": rng.choice([0, -1, 51, 1.5, 10**400, "x", None])}
            ).encode(),
            lambda: json.dumps({**good, "offset": rng.choice([-1, 2**63, 10**400, "x"])}).encode(),
            lambda: json.dumps({**good, "where": deep}).encode(),
            lambda: b'{"place": ' + b"[" * 100_000,
            lambda: b'{"place": "K7L 3N6", "k": NaN, "where": Infinity}',
            lambda: b'{"place": "' + b"A" * rng.choice([10**5, 4 * 10**6]) + b'"}',
            lambda: rng.randbytes(rng.randint(0, 300)),
            lambda: b'{"place": "K7L 3N6"'[: rng.randint(0, 18)],
        ]
    )()


PATHS = ["/", "/nearest", "/clinics/", "/clinics/%00", "/clinics/..%2f..%2fetc%2fpasswd", "/clinics/%ff%fe",
         "/clinics/%ED%A0%80", "/clinics/" + "a" * 5000, "/clinics/%3Cscript%3E", "/vocabulary/x", "/docs/../x"]  # fmt: skip
ODD = [
    b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /nearest HTTP/1.1\r\n\r\n",
    b"POST /nearest HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"\x00" * 1000,
    b"POST /nearest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /nearest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"GET /clinics/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
]  # fmt: skip


class Service:
    """Clients of the web service."""

    def __init__(self, port: int, stock: list[Data], tally: Tally) -> None:
        self.port, self.tally = port, tally
        self.by_tag = {f'"{one.snapshot.id}"': one for one in stock}
        self.stock = stock
        self.local = threading.local()

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, bytes]:
        link = getattr(self.local, "link", None)
        for last in (link is None, True):  # the service may end a connection between two requests
            if link is None:
                link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.local.link = None
            try:
                link.request(method, path, body, {"Content-Type": "application/json", **headers})
                answer = link.getresponse()
                said = answer.status, answer.headers, answer.read()
            except (http.client.HTTPException, OSError):
                link.close()
                link = None
                if last:
                    raise
            else:
                self.local.link = link
                return said
        raise AssertionError

    def question(self, rng: random.Random) -> None:
        """Ask, and look at every clinic of the answer."""
        asked = Asked(rng)
        asked.offset = rng.choice([0, 0, 0, 5])
        body = {"place": asked.place, "where": asked.where(), "k": asked.k, "offset": asked.offset}
        lang = rng.choice(["en", "fr-CA"])
        begun = time.perf_counter()
        status, headers, said = self.ask(
            "POST", "/nearest", json.dumps(body).encode(), **{"Accept-Language": lang}
        )
        self.tally.took(time.perf_counter() - begun)
        self.tally.add("answers held against the truth")
        if status != 200:
            self.tally.fault(f"status {status} for a question: {said[:300]!r}")
            return
        data, answer = self.by_tag[headers["ETag"]], json.loads(said)
        fault = data.fault(asked, answer)
        if fault or answer["snapshot"]["id"] != data.snapshot.id:
            self.tally.add("wrong answers")
            self.tally.fault(f"wrong: {fault or 'the ETag names other data'}")

    def one(self, rng: random.Random) -> None:
        """Ask for a clinic that is in one of the files."""
        name = rng.choice(list(rng.choice(self.stock).clinics))
        status, headers, said = self.ask("GET", f"/clinics/{name}")
        self.tally.add("clinics asked for")
        here = self.by_tag[headers["ETag"]].clinics.get(name) if status == 200 else None
        if status not in (200, 404) or (here and json.loads(said)["name"] != here.name):
            self.tally.fault(f"clinic: {status} {said[:200]!r}")

    def hostile(self, rng: random.Random) -> None:
        """Ask what cannot be answered: refused by a status, never a failure of the service."""
        if rng.random() < 0.8:
            status, _, said = self.ask("POST", "/nearest", body := bodies(rng))
        else:
            body = rng.choice(PATHS).encode()
            status, _, said = self.ask(rng.choice(["GET", "POST", "DELETE", "HEAD"]), body.decode())
        self.tally.add("hostile requests")
        if status >= 500:
            self.tally.fault(f"status {status} for {body[:200]!r}: {said[:200]!r}")
        time.sleep(0.005)

    def broken(self, rng: random.Random) -> None:
        """Send half a request, lie about its length, or leave without the answer."""
        whole = HEAD.format(60).encode() + json.dumps(
            {"place": "Kingston, ON", "k": 50}
        ).encode().ljust(60)
        sent = rng.choice(
            [whole, whole[: rng.randint(1, len(whole) - 1)], HEAD.format(10**9).encode(), *ODD]
        )
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", self.port)) as link,
        ):
            link.sendall(sent)
            if rng.random() < 0.5:
                link.settimeout(0.3)
                with contextlib.suppress(TimeoutError):
                    status = link.recv(12)[9:12]
                    if status >= b"500" and status.isdigit():
                        self.tally.fault(f"status {status!r} for {sent[:200]!r}")
        self.tally.add("broken requests")
        time.sleep(0.02)

    def killed(self, rng: random.Random) -> None:
        """Kill a client while it asks."""
        program = (
            "import http.client, json\nwhile True:\n"
            f" link = http.client.HTTPConnection('127.0.0.1', {self.port})\n"
            " link.request('POST', '/nearest', json.dumps({'place': 'Ottawa', 'k': 50}),"
            " {'Content-Type': 'application/json'})\n link.getresponse().read()\n"
        )
        client = subprocess.Popen([sys.executable, "-S", "-c", program], stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0))
        client.kill()
        client.wait()
        self.tally.add("clients killed")
        time.sleep(2.0)


def replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another, at once."""
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").replace(path)


def ticks(minutes: float, tally: Tally, every_s: float) -> Iterator[None]:
    """Come back every so often until the time is over, in this run and earlier ones."""
    begun = time.monotonic() - tally.seconds
    while (passed := time.monotonic() - begun) < minutes * 60:
        yield
        tally.save(passed)
        time.sleep(every_s)
    tally.seconds = minutes * 60
    tally.save(tally.seconds)


def soak_service(minutes: float, tally: Tally, folder: Path) -> None:
    """The FastAPI example under uvicorn."""
    files, path, log = stock(folder), folder / "served", folder / "service.log"
    replace(path, files[0].path.read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, path, str(port)], cwd=ROOT / "examples", stdout=said, stderr=said,
            env=SAME,
        )  # fmt: skip
    clients, over = Service(port, files, tally), threading.Event()
    wait_until(lambda: socket.create_connection(("127.0.0.1", port)).close())
    work = [*[clients.question] * 4, clients.one, clients.hostile, clients.broken, clients.killed]
    threads = [
        repeat(one, seed, over, tally) for seed, one in enumerate(work, int(tally.seconds) * 100)
    ]
    gauge, rng = Gauge(server.pid), random.Random(5)
    for _ in ticks(minutes, tally, 0.5):
        gauge.read()
        content = rng.choice(files).path.read_bytes()
        if rng.random() < 0.1:
            content = content[: rng.randrange(len(content))]
            tally.add("damaged files offered")
        replace(path, content)
        server.send_signal(signal.SIGHUP)
        tally.add("reloads")
    over.set()
    for thread in threads:
        thread.join(90)
    if server.poll() is not None:
        tally.fault(f"the service ended by itself: {server.returncode}")
    gauge.judge("service", tally)
    server.terminate()
    server.wait(30)
    look_through(log, tally)


def wait_until(work: Callable[[], object], seconds: float = 60.0) -> None:
    """Try until it does not fail."""
    end = time.monotonic() + seconds
    while True:
        try:
            work()
            return
        except (OSError, LookupError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


# The server for agents.

UNREADABLE = [
    b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"jsonrpc": "1.0"}', b'{"jsonrpc": "2.0", "id": 1}', b"[" * 100_000,
    b'{"jsonrpc": "2.0", "method": "\\ud800", "id": 3}', b'{"jsonrpc":"2.0","method":"tools/call","id":NaN}',
    b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99999}}', b"\x00" * 5000,
    b'{"jsonrpc": "2.0", "id": 4, "result": {}}', b'{"jsonrpc":"2.0","method":"nothing/like/it","id":5}',
]  # fmt: skip


def command(path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "ketafind", "mcp", "--data", str(path), *options]


class Raw:
    """A client that may send anything, line by line."""

    def __init__(self, path: Path, log: Path) -> None:
        with log.open("ab") as said:
            self.server = subprocess.Popen(
                command(path),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                bufsize=0,
                env=SAME,
            )
        self.lines = open(self.server.stdout.fileno(), "rb", 0, closefd=False)  # noqa: SIM115
        self.number, self.sent = 0, []  # type: ignore[var-annotated]
        self.request("initialize", protocolVersion="2025-06-18", capabilities={},
                     clientInfo={"name": "soak", "version": "1"})  # fmt: skip
        self.send(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')

    def send(self, line: bytes) -> None:
        data = line.replace(b"\n", b" ") + b"\n"
        self.sent = [*self.sent[-5:], data[:200]]
        while data:
            data = data[self.server.stdin.write(data) :]

    def notify(self, method: str, number: str = "", **params: Any) -> None:
        """Ask, and wait for nothing."""
        line = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.send(json.dumps(line).encode())

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask, and pass over what answers earlier requests."""
        self.number += 1
        name = f"soak-{self.number}"
        self.notify(method, name, **params)
        while select.select([self.lines], [], [], 60)[0] and (line := self.lines.readline()):
            answer = json.loads(line)
            if answer.get("id") == name:
                return answer
        raise EOFError(f"no answer to {method} after {self.sent[-3:]}")

    def close(self) -> None:
        self.server.stdin.close()
        if self.server.wait(30):
            raise OSError(f"exit code {self.server.returncode}")
        self.lines.close()
        self.server.stdout.close()


def hostile_call(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """A tool's name and arguments that it cannot take."""
    tool = rng.choice(["nearest", "explain", "why_not", "questions", "evidence", "no_tool"])
    question = {"place": rng.choice(HOSTILE), "k": rng.choice([1, 0, -5, 10**30, "x", None])}
    question[rng.choice(["routes", "staff", "flags", "unknown", "other"])] = [rng.choice(NO_TERMS)]
    asked = rng.choice([question, question, "x", None])
    arguments = {"question": asked, "lang": rng.choice(["en", "fr", "xx"])}
    if tool in ("why_not", "evidence"):
        clinic, facet = rng.choice(HOSTILE), rng.choice(NO_TERMS)
        arguments |= {"clinic_id": clinic, "facet": facet, "term": "iv"}
    return tool, arguments


class Agents:
    """Clients of the server for agents."""

    def __init__(self, path: Path, stock: list[Data], tally: Tally, log: Path) -> None:
        self.path, self.tally, self.log = path, tally, log
        self.by_name = {str(one.snapshot): one for one in stock}
        self.raw = Raw(path, log)

    def check(self, asked: Asked, answer: dict[str, Any], data: str | None = None) -> str:
        self.tally.add("answers held against the truth")
        if data is not None and answer["data"] != data:
            return self.wrong("other data than the session began with")
        fault = self.by_name[answer["data"]].fault(asked, answer)
        if fault:
            self.wrong(fault)
        return answer["data"]

    def wrong(self, what: str) -> str:
        self.tally.add("wrong answers")
        self.tally.fault(f"wrong: {what}")
        return ""

    @staticmethod
    def arguments(asked: Asked) -> dict[str, Any]:
        names = {"route": "routes", "condition": "conditions", "flag": "flags"}
        lists = {names.get(f, f): terms for f, terms in zip(asked.facets, asked.terms, strict=True)}
        if "flag" in asked.facets:  # every flag is asked for
            parts = [part for part in asked.wanted if part[1] != "flag"]
            asked.wanted = (*parts, *(("offers", "flag", (one,), 1) for one in lists["flags"]))
        return {"question": {"place": asked.place, "k": asked.k, **lists}}

    async def talk(self, over: threading.Event, gauge: list[Gauge], n: int, seed: int) -> None:
        """A session of the SDK's client with n callers at once, on one server."""
        from mcp import Client
        from mcp.client.stdio import StdioServerParameters, stdio_client

        pid = self.log.with_suffix(".pid")
        line = 'echo $$ > "$0"; exec "$@"'
        start = StdioServerParameters(
            command="sh",
            args=["-c", line, str(pid), *command(self.path, "--precise-places")],
            env=SAME,
        )
        with self.log.open("a") as said:
            async with Client(stdio_client(start, errlog=said)) as client:
                gauge.append(Gauge(int(pid.read_text())))
                name: list[str] = []

                async def call(rng: random.Random) -> None:
                    while not over.is_set():
                        asked = Asked(rng)
                        begun = time.perf_counter()
                        arguments = {**self.arguments(asked), "lang": rng.choice(["en", "fr"])}
                        answer = await client.call_tool("nearest", arguments)
                        self.tally.took(time.perf_counter() - begun)
                        if answer.is_error:
                            self.tally.fault(f"refused: {answer.content[0].text[:300]}")
                        else:
                            name[:] = [self.check(asked, answer.structured_content, *name)]

                await asyncio.gather(*(call(random.Random(seed + at)) for at in range(n)))

    def hostile(self, rng: random.Random) -> None:
        """Anything on a session's line; between, questions that are answered."""
        kind = rng.random()
        if kind < 0.3:
            self.raw.send(rng.choice([*UNREADABLE, rng.randbytes(rng.randint(0, 200))]))
        elif kind < 0.35:
            self.raw.send(b'{"jsonrpc": "2.0", "method": "' + b"A" * 2_000_000 + b'", "id": 6}')
        else:
            tool, arguments = hostile_call(rng)
            # The SDK leaves a line that holds half a character unanswered.
            half = "\\ud800" in json.dumps(arguments)
            call = self.raw.notify if half else self.raw.request
            answer = call("tools/call", name=tool, arguments=arguments) or {}
            if "error" in answer and answer["error"]["code"] == -32603:
                self.tally.fault(f"internal error for {arguments!r:.300}: {answer['error']}")
        self.tally.add("hostile requests")
        asked = Asked(rng, coarse=True)
        answer = self.raw.request("tools/call", name="nearest", arguments=self.arguments(asked))
        if answer.get("result", {}).get("isError", True):
            self.tally.fault(f"after a hostile request: {json.dumps(answer)[:300]}")
            return
        self.check(asked, answer["result"]["structuredContent"])
        time.sleep(0.01)

    def sessions(self, rng: random.Random) -> None:
        """Begin a session with the data of the moment; its client may be killed."""
        raw = Raw(self.path, self.log)
        name: list[str] = []
        for _ in range(rng.randint(0, 6)):
            asked = Asked(rng, coarse=True)
            answer = raw.request("tools/call", name="nearest", arguments=self.arguments(asked))
            name = [self.check(asked, answer["result"]["structuredContent"], *name)]
        if rng.random() < 0.5:  # as when a client is killed: half a request, and both ends shut
            raw.send(b'{"jsonrpc": "2.0", "id": "last", "method": "tools/call", "params": {"name": "nearest",'
                     b' "arguments": {"question": {"place": "Ottawa"}}}}')  # fmt: skip
            raw.server.stdin.write(b'{"jsonrpc": "2.0", "meth')
            raw.lines.close()
            raw.server.stdout.close()
            raw.server.stdin.close()
            try:
                raw.server.wait(30)
            except subprocess.TimeoutExpired:
                self.tally.fault("a server outlived its client")
                raw.server.kill()
            self.tally.add("clients lost")
        else:
            raw.close()
        self.tally.add("sessions")
        time.sleep(0.5)


def soak_mcp(minutes: float, tally: Tally, folder: Path) -> None:
    """``ketafind mcp`` over its standard streams."""
    files, path = stock(folder), folder / "served.ketafind"
    replace(path, files[0].path.read_bytes())
    agents, over, gauges = Agents(path, files, tally, folder / "mcp.log"), threading.Event(), []  # type: ignore[var-annotated]
    seed = int(tally.seconds) * 100

    def session(_: random.Random) -> None:
        asyncio.run(agents.talk(over, gauges, 4, seed))

    threads = [
        repeat(one, seed + at, over, tally)
        for at, one in enumerate([session, agents.hostile, agents.sessions])
    ]
    wait_until(lambda: gauges[0])
    rng, hostile = random.Random(6), Gauge(agents.raw.server.pid)
    for _ in ticks(minutes, tally, 0.5):
        gauges[0].read()
        hostile.read()
        replace(path, rng.choice(files).path.read_bytes())
        tally.add("files replaced")
    over.set()
    for thread in threads:
        thread.join(90)
    gauges[0].judge("session of the SDK", tally)
    hostile.judge("hostile session", tally)
    if len(gauges) != 1:
        tally.fault(f"{len(gauges)} sessions where one was begun")
    agents.raw.close()
    look_through(agents.log, tally)


SOAKS = {"service": soak_service, "mcp": soak_mcp}


def main() -> None:
    """One of them, or both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[[], *SOAKS], default=[])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    failed = False
    for what in asked.what or SOAKS:
        state = asked.state and asked.state.with_name(f"{asked.state.name}.{what}.json")
        tally = Tally(state)
        minutes = 0.05 if asked.quick else asked.minutes
        print(f"{what}: {minutes:g} minutes, load of this machine {os.getloadavg()[0]:.1f}")
        with tempfile.TemporaryDirectory() as folder:
            SOAKS[what](minutes, tally, Path(folder))
        tally.report()
        failed |= bool(tally.faults)
    sys.exit(failed)


if __name__ == "__main__":
    main()
