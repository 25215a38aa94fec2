"""Geocoding and routing services that misbehave: what a call costs, and that it fails by name.

Each reply is asked for by a geocoder and by routers, with a deadline of a second, one retry and a
budget of two requests, of a server on this machine. What counts as wrong: an error that is not
ketafind's, an answer that cannot be, more requests than the budget, 16 MiB of memory, or a quarter
of a second beyond the deadline (where nothing else runs on the machine; --slack S allows for it).

    python benchmarks/replies.py [--mixed 10000] [--state FILE] [--slack 0.25]

Without --mixed each once; with it so many, at random, by eight threads. With --state it goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from test_geocoding_online import FAILURES, GOOD

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


class Trial:
    """One server, and what calls to it cost."""

    def __init__(self) -> None:
        self.server, self.n = Server(says(GOOD)), 0

    def run(self, name: str, client: str) -> tuple[float, int, str]:
        """Seconds beyond the deadline, requests and the error."""
        self.n += 1
        run = f"/run{self.n}-"
        self.server.requests.clear()
        self.server.behaviours[:] = [REPLIES[name]]
        asking = CLIENTS[client](f"127.0.0.1:{self.server.port}{run}")
        begun = time.monotonic()
        try:
            said = f"answered {asking(ADDRESS)!r}"
        except KetafindError as error:
            said = type(error).__name__
        except BaseException as error:  # noqa: BLE001 - what escapes is what is looked for
            said = f"ESCAPED {type(error).__name__}: {error}"
        late_s = time.monotonic() - begun - DEADLINE_S
        # One that an earlier call left at its deadline may arrive late.
        own = [request for request in list(self.server.requests) if run.encode() in request]
        return late_s, len(own), said


class Tally:
    """What was seen, over as many runs as it takes."""

    def __init__(self, state: Path | None, slack_s: float) -> None:
        self.state, self.slack_s, self.lock = state, slack_s, threading.Lock()
        self.n, self.late_s, self.mib, self.faults = 0, -DEADLINE_S, 0.0, []  # type: ignore[var-annotated]
        self.said: Counter[str] = Counter()
        if state is not None and state.exists():
            held = json.loads(state.read_text("utf-8"))
            self.n, self.late_s, self.faults = held["n"], held["late_s"], held["faults"]
            self.said.update(held["said"])

    def note(
        self, name: str, client: str, late_s: float, requests: int, said: str, mib: float = 0.0
    ) -> None:
        fault = said.startswith("ESCAPED") or (
            said.startswith("answered") and name not in ANSWERED[client]
        )
        with self.lock:
            self.n += 1
            self.late_s, self.mib = max(self.late_s, late_s), max(self.mib, mib)
            self.said["(a quarter of a second late)"] += late_s > 0.25
            self.said[said.partition(" ")[0]] += 1
            if fault or late_s > self.slack_s or requests > BUDGET or mib > MIB:
                self.faults.append(
                    f"{client}, {name}: {late_s:+.2f} s, {requests} requests, {mib:.1f} MiB, {said[:200]}"
                )
            if self.state is not None and (self.n % 50 == 0 or self.faults):
                held = {
                    "n": self.n,
                    "late_s": self.late_s,
                    "faults": self.faults,
                    "said": self.said,
                }
                self.state.with_suffix(".part").write_text(json.dumps(held), "utf-8")
                self.state.with_suffix(".part").replace(self.state)


def each(tally: Tally) -> None:
    """Every reply once, alone, with its memory."""
    trial = Trial()
    for client in CLIENTS:
        trial.run("nothing", client)  # what is imported and kept is not a reply's
        for name in REPLIES:
            Path("/proc/self/clear_refs").write_text("5")
            before = resident("VmRSS")
            cost = trial.run(name, client)
            tally.note(name, client, *cost, resident("VmHWM") - before)


def mixed(tally: Tally, n: int) -> None:
    """Replies at random, by eight threads at once."""

    def work(seed: int) -> None:
        rng, trial = random.Random(seed), Trial()
        while tally.n < n:
            name, client = rng.choice(list(REPLIES)), rng.choice(list(CLIENTS))
            tally.note(name, client, *trial.run(name, client))
        trial.server.socket.close()

    before = resident("VmRSS")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(tally.n, tally.n + 8)))
    print(
        f"memory grew by {resident('VmRSS') - before:.1f} MiB; open files {len(os.listdir('/proc/self/fd'))}"
    )


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
        f"{len(REPLIES)} replies, {tally.n:,} calls: at most {tally.late_s:+.2f} s beyond the deadline, {tally.mib:.1f} MiB for one"
    )
    print(", ".join(f"{n:,} {said}" for said, n in tally.said.most_common()))
    print("\n".join(f"FAULT {fault}" for fault in tally.faults[:50]))
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
