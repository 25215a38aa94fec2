"""Geocoding and routing services that misbehave: what a call costs, and that it fails by name.

Each reply is asked for by a geocoder and by routers, with a deadline of a second, one retry and a
budget of two requests, of a server on this machine, in a process of its own. What counts as wrong:
an error that is not ketafind's, an answer that cannot be, more requests than the budget, 16 MiB of
memory for one call or kept after many, or a quarter of a second beyond the deadline and what the
process had to wait for a processor meanwhile (which a thread may wait for that holds the others up,
so the waits of all its threads count).

    python benchmarks/replies.py [--mixed 10000] [--state FILE] [--slack 0.25]

Without --mixed each once; with it so many, at random, by eight threads. With --state it goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import multiprocessing
import os
import random
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import routingpy
from geopy.geocoders import Nominatim

from ketafind.errors import KetafindError
from ketafind.geo import Coordinates
from ketafind.geocoding import GeopyGeocoder, RateLimit
from ketafind.travel import ServiceRouter
from servers import Server, chunked, goes_on, reply, says, sends
from test_geocoding_http import UNREADABLE
from test_geocoding_online import FAILURES

ADDRESS = "76 Stuart St, Kingston ON K7L 2V7"
HERE, THERE = Coordinates(lat=44.22, lon=-76.5), Coordinates(lat=44.3, lon=-76.4)
DEADLINE_S, BUDGET, MIB = 1.0, 2, 16.0
START = b"HTTP/1.1 200 OK\r\n"
REPLIES: dict[str, Any] = {
    **{name: behaviour for name, (behaviour, _) in FAILURES.items()},
    **UNREADABLE,
    "dripped status": goes_on(b"", b"H", pause_s=0.02),
    "dripped headers": goes_on(START, b"X", pause_s=0.02),
    "dripped body": goes_on(START + b"Content-Length: 9999\r\n\r\n", b" ", pause_s=0.02),
    "dripped chunks": goes_on(chunked(b"[")[:-5], b"1\r\n \r\n", pause_s=0.02),
    "endless informational": goes_on(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause_s=0.02),
    "bomb": sends(reply(gzip.compress(b"0" * 200_000_000), headers="Content-Encoding: gzip\r\n")),
    "30 MB": sends(reply(b" " * 30_000_000)),
    "as slow as the deadline": goes_on(START, b"X-A: b\r\n", pause_s=0.9),
    "no table": says({"code": "Ok", "durations": [["x"]], "distances": [[-1]]}),
    "table of nothing": says({"code": "Ok", "durations": [], "sources_to_targets": []}),
    "endless table": says({"code": "Ok", "durations": [[1.0] * 1000] * 100}),
    "NaN table": sends(reply(b'{"code": "Ok", "durations": [[NaN]], "distances": [[NaN]]}')),
    "text table": says({"code": "Ok", "durations": "7", "sources_to_targets": {"a": 1}}),
    "400": says({"error_code": 171, "error": "No suitable edges near location"}, status="400 Bad"),
}
Ask = Callable[[str], object]


def geocoder(where: str) -> Ask:
    service = Nominatim(user_agent="benchmark", domain=where, scheme="http")
    asking = GeopyGeocoder(
        service,
        deadline_s=DEADLINE_S,
        retries=1,
        budget=BUDGET,
        limit=RateLimit(0.0),
        allow_private=True,
    )
    return asking.geocode


def router(kind: Any) -> Callable[[str], Ask]:
    def make(where: str) -> Ask:
        asking = ServiceRouter(
            kind(f"http://{where}"), deadline_s=DEADLINE_S, retries=1, budget=BUDGET,
            limit=RateLimit(0.0), allow_private=True,
        )  # fmt: skip
        return lambda _: asking.times(HERE, THERE).minutes

    return make


CLIENTS = {
    "geocoder": geocoder,
    "OSRM": router(routingpy.OSRM),
    "Valhalla": router(routingpy.Valhalla),
}
ANSWERED = {"OSRM": {"400", "table of nothing"}, "Valhalla": {"400"}, "geocoder": set()}
"""Replies that say of a place that no road is near, which is an answer."""


def resident(field: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at most since it was reset."""
    return int(Path("/proc/self/status").read_text().partition(f"{field}:")[2].split()[0]) / 1024


def waited_s() -> float:
    """Seconds that the threads of this process have been ready to run, and none of them ran."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # one that has ended meanwhile
            total += int((task / "schedstat").read_text().split()[1])
    return total / 1e9


class Services(Server):
    """Gives the reply that the path names, and counts the requests of each run."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        super().__init__()

    def _answer(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            asked = re.search(rb"/run(\d+)-(\d+)", link.recv(65_536))
            if asked is not None:  # else the deadline came before the request
                self.asked[int(asked[1])] += 1
                list(REPLIES.values())[int(asked[2])](link)


def serve(pipe: Connection) -> None:
    """Tell the port, and when asked how many requests each run made."""
    services = Services()
    pipe.send(services.port)
    with contextlib.suppress(EOFError):
        while True:
            pipe.recv()
            pipe.send(dict(services.asked))


class Trial:
    """Calls to services in another process, so that the memory of this one is that of clients."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs,), daemon=True).start()
        self.port: int = self.pipe.recv()
        self.runs: list[str] = []
        self.lock = threading.Lock()

    def call(self, name: str, client: str) -> tuple[float, float, float, str]:
        """Seconds beyond the deadline, of waiting and of the processor, and the error."""
        with self.lock:
            run = len(self.runs)
            self.runs.append(f"{client}, {name}")
        at = list(REPLIES).index(name)
        asking = CLIENTS[client](f"127.0.0.1:{self.port}/run{run}-{at}")
        waited, begun, cpu = waited_s(), time.monotonic(), time.thread_time()
        try:
            said = f"answered {asking(ADDRESS)!r}"
        except KetafindError as error:
            said = type(error).__name__
        except BaseException as error:  # noqa: BLE001 - what escapes is what is looked for
            said = f"ESCAPED {type(error).__name__}: {error}"
        late_s, cpu_s = time.monotonic() - begun - DEADLINE_S, time.thread_time() - cpu
        return late_s, waited_s() - waited, cpu_s, said

    def beyond_budget(self) -> list[str]:
        """The calls that sent more requests than they may."""
        self.pipe.send("how many?")
        asked = self.pipe.recv()
        return [f"{self.runs[run]}: {n} requests" for run, n in sorted(asked.items()) if n > BUDGET]


class Tally:
    """What was seen, over as many runs as it takes."""

    def __init__(self, state: Path | None, slack_s: float) -> None:
        self.state, self.slack_s, self.lock = state, slack_s, threading.Lock()
        self.n, self.late_s, self.cpu_s, self.mib = 0, -DEADLINE_S, 0.0, 0.0
        self.faults: list[str] = []
        self.rss: list[float] = []
        self.said: Counter[str] = Counter()
        if state is not None and state.exists():
            held = json.loads(state.read_text("utf-8"))
            self.said.update(held.pop("said"))
            vars(self).update(held)

    def run(self, trial: Trial, name: str, client: str) -> None:
        """Make a call and note what it cost."""
        late_s, waited_s, cpu_s, said = trial.call(name, client)
        answered = said.startswith("answered") and name not in ANSWERED[client]
        with self.lock:
            self.n += 1
            self.late_s, self.cpu_s = max(self.late_s, late_s), max(self.cpu_s, cpu_s)
            self.said[said.partition(" ")[0]] += 1
            self.said["(a quarter of a second late)"] += late_s > 0.25
            if said.startswith("ESCAPED") or answered or late_s > self.slack_s + waited_s:
                self.faults.append(
                    f"{client}, {name}: {late_s:+.2f} s, {waited_s:.2f} s waited, {said[:200]}"
                )
            if self.n % 200 == 0:
                self.rss.append(round(resident("VmRSS"), 1))
                self.save()

    def save(self) -> None:
        """So that a run goes on from here."""
        if self.state is None:
            return
        names = ("n", "late_s", "cpu_s", "mib", "faults", "said", "rss")
        held = {name: getattr(self, name) for name in names}
        self.state.with_suffix(".part").write_text(json.dumps(held), "utf-8")
        self.state.with_suffix(".part").replace(self.state)


def warmed_up() -> Trial:
    """With what is imported and kept, which is not a reply's."""
    trial = Trial()
    for client in CLIENTS:
        trial.call("nothing", client)
    return trial


def each(tally: Tally) -> None:
    """Every reply once, alone, with its memory."""
    trial = warmed_up()
    for client in CLIENTS:
        for name in REPLIES:
            Path("/proc/self/clear_refs").write_text("5")
            before = resident("VmRSS")
            tally.run(trial, name, client)
            mib = resident("VmHWM") - before
            tally.mib = max(tally.mib, mib)
            if mib > MIB:
                tally.faults.append(f"{client}, {name}: {mib:.1f} MiB")
    tally.faults += trial.beyond_budget()


def mixed(tally: Tally, n: int) -> None:
    """Replies at random, by eight threads at once; what they keep is counted after a fifth."""
    trial, threads = warmed_up(), 8

    def work(seed: int) -> None:
        rng = random.Random(seed)
        while tally.n < n:
            tally.run(trial, rng.choice(list(REPLIES)), rng.choice(list(CLIENTS)))

    tally.rss.clear()  # another process's
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(tally.n, tally.n + threads)))
    fifth, end = tally.rss[len(tally.rss) // 5], resident("VmRSS")
    print(f"memory {fifth:.1f} MiB after a fifth, {end:.1f} at the end, at most "
          f"{resident('VmHWM'):.1f}; open files {len(os.listdir('/proc/self/fd'))}")  # fmt: skip
    if end - fifth > MIB:
        tally.faults.append(f"{end - fifth:.1f} MiB kept")
    tally.faults += trial.beyond_budget()
    tally.save()


def main() -> None:
    """Each once, or many."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mixed", type=int)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--slack", type=float, default=0.25)
    asked = parser.parse_args()
    tally = Tally(asked.state, asked.slack)
    if asked.mixed:
        mixed(tally, asked.mixed)
    else:
        each(tally)
    print(
        f"{len(REPLIES)} replies, {tally.n:,} calls: at most {tally.late_s:+.2f} s beyond the "
        f"deadline, {tally.cpu_s:.2f} s of the processor, {tally.mib:.1f} MiB for one"
    )
    print(", ".join(f"{n:,} {said}" for said, n in tally.said.most_common()))
    print("\n".join(f"FAULT {fault}" for fault in tally.faults[:50]))
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
