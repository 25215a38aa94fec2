"""Feed damaged input to every door of the package; only a KetafindError may come out.

    python tools/fuzz.py TARGET [--seconds 60] [--seed 1]     seeded mutations of sound input
    python tools/fuzz.py TARGET --guided [--seconds 60]       by coverage, with atheris
    python tools/fuzz.py all --seconds 60 --state FILE        goes on where FILE says it stopped

What escapes is printed with the input that did it, and the exit code is 1. So is an input that
takes over a second of the processor's time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import ketafind as kf
from ketafind.cli import main as command_line
from ketafind.errors import KetafindError
from ketafind.files import ALIGNMENT, CHECKSUM, FORMAT, HEADER, MAGIC, ORDER_MARK

ORIGIN = kf.Coordinates(lat=44.23, lon=-76.48)
ALLOWED = (KetafindError, MemoryError, KeyboardInterrupt)
DICTIONARY = [
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b",", b";", b"\n", b"{", b"}", b"[", b"]", b"null"),
    *(b"NaN", b"1e999", b"-1", b"0", b"9" * 400, b"\xf0\x9f\x92\xa9", b"\xed\xa0\x80", b"true"),
    *(b"K7L 3N6", b"Ontario", b" and ", b"<script>", b"../", b"\\", b"'", b"%s", b"\x1b[0m"),
]
Target = Callable[[bytes], object]


class Doors:
    """Every target, with the sound inputs that it starts from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = kf.load_directory()
        data = Path(__file__).resolve().parents[1] / "data"
        rows = (data / "ontario_clinics.csv").read_bytes().splitlines(keepends=True)
        facts = (data / "ontario_clinics_evidence.csv").read_bytes().splitlines(keepends=True)
        self.clinics, self.facts = b"".join(rows[:6]), b"".join(facts[:12])
        few = list(self.directory.clinics)[:3]
        self.small = kf.Directory.from_clinics(few)
        self.edges = kf.travel.GraphRouter.from_edges(
            {"source": [0, 1, 1, 2], "target": [1, 0, 2, 1], "minutes": [5.0, 5.0, 7.0, 7.0]},
            {"node": [0, 1, 2], "lat": [44.2, 44.25, 44.3], "lon": [-76.5, -76.48, -76.45]},
        )

    def file(self, name: str, data: bytes = b"") -> Path:
        """A file with this content."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def saved(self, save: Callable[[Path], object], name: str) -> bytes:
        """What is written when something is saved."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        save(path)
        return path.read_bytes()

    def targets(self) -> dict[str, tuple[Target, list[bytes]]]:
        """Every target by name, with its seeds."""
        criteria = kf.route("iv") & ~kf.flag("virtual") | kf.at_most("price_cad", 300)
        words = json.dumps(self.directory.vocabulary.to_dict()).encode()
        return {
            "csv": (self.read_csv, [self.clinics]),
            "evidence": (self.read_evidence, [self.facts]),
            "address": (self.read_address, [b"12 King St W, Kingston ON K7L 3N6", "Comté de Perth".encode(),
                                            b"44.2 N, 76.5 W", b"Yonge & Bloor, Toronto"]),
            "criteria": (self.read_criteria, [criteria.to_json().encode()]),
            "vocabulary": (self.read_vocabulary, [words]),
            "rules": (self.read_rules, [self.rules()]),
            "directory": (self.open_directory, [self.saved(self.small.save, "seed.ketafind")]),
            "roads": (self.open_roads, [self.saved(self.edges.save, "seed.roads")]),
            "cache": (self.open_cache, [self.cache()]),
            "provider": (self.read_provider, [json.dumps([{
                "lat": "44.23", "lon": "-76.48", "display_name": "King St, Kingston",
                "boundingbox": ["44.2", "44.3", "-76.5", "-76.4"], "class": "place"}]).encode()]),
            "routing": (self.read_routing, [json.dumps({
                "code": "Ok", "durations": [[60.0, 90.5]], "sources": [{"distance": 1.0}],
                "destinations": [{"distance": 2.0}, {"distance": 3.0}]}).encode()]),
            "pbf": (self.read_extract, [self.extract()]),
            "fhir": (self.read_fhir, [self.exported("fhir")]),
            "hsds": (self.read_hsds, [self.exported("hsds")]),
            "geojson": (self.read_geojson, [self.exported("geojson")]),
            "cli": (self.run_command, [b"nearest\0Kingston\0--route\0iv\0-k\x003",
                                       b"explain\0K7L\0--relax", b"vocabulary\0route\0--lang\0fr"]),
            "mcp": (self.call_tool, [json.dumps({"question": {"place": "Kingston", "k": 2,
                                                              "routes": ["iv"]}}).encode()]),
        }  # fmt: skip

    def rules(self) -> bytes:
        """A rule set as a file has it."""
        return (Path(kf.__file__).parent / "on-2026.1.json").read_bytes()

    def exported(self, form: str) -> bytes:
        """The small directory in a form for other programs."""
        return self.saved(lambda path: self.small.export(path, form), f"seed.{form}")

    def cache(self) -> bytes:
        """A cache that holds an answer."""
        from ketafind.geocoding import GeocodeCache

        path = self.folder / "seed.cache"
        with GeocodeCache(path) as cache:
            cache.put("provider", "1", "K7L 3N6", kf.geocode("K7L 3N6"))
        return path.read_bytes()

    def extract(self) -> bytes:
        """An extract of OpenStreetMap with one street."""
        import osmium

        path = self.folder / "seed.osm.pbf"
        path.unlink(missing_ok=True)
        with osmium.SimpleWriter(str(path)) as writer:
            for number in range(4):
                place = (-76.5 + number / 100, 44.2)
                writer.add_node(osmium.osm.mutable.Node(id=number + 1, location=place))
            tags = {"highway": "residential", "maxspeed": "50"}
            writer.add_way(osmium.osm.mutable.Way(id=1, nodes=[1, 2, 3, 4], tags=tags))
        return path.read_bytes()

    def use(self, directory: kf.Directory) -> None:
        """Ask what an app asks."""
        list(directory.nearest(ORIGIN, 3, routes="iv", unknown="include", check=False))
        directory.to_frame()

    def read_csv(self, data: bytes) -> None:
        self.use(kf.Directory.from_csv(self.file("clinics.csv", data)))

    def read_evidence(self, data: bytes) -> None:
        clinics = self.file("sound.csv", self.clinics)
        self.use(kf.Directory.from_csv(clinics, evidence=self.file("evidence.csv", data)))

    def read_address(self, data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        with contextlib.suppress(KetafindError):
            kf.geocode(text)
        kf.geocoding.parse_address(text)

    def read_criteria(self, data: bytes) -> None:
        self.directory.search(where=kf.Criteria.from_json(data.decode("utf-8", "replace")))

    def read_vocabulary(self, data: bytes) -> None:
        kf.Vocabulary.read(self.file("words.json", data))

    def read_rules(self, data: bytes) -> None:
        kf.RuleSet.read(self.file("rules.json", data))

    def open_directory(self, data: bytes) -> None:
        for content, verify in ((data, False), (resealed(data), False), (resealed(data), True)):
            path = self.file("damaged.ketafind", content)
            with contextlib.suppress(KetafindError):
                self.use(kf.Directory.open(path, verify=verify))

    def open_roads(self, data: bytes) -> None:
        for content, verify in ((data, False), (resealed(data), False), (resealed(data), True)):
            path = self.file("damaged.roads", content)
            with contextlib.suppress(KetafindError):
                kf.travel.GraphRouter.open(path, verify=verify).times([ORIGIN], [ORIGIN])

    def open_cache(self, data: bytes) -> None:
        from ketafind.geocoding import GeocodeCache

        for name in os.listdir(self.folder):
            if name.startswith("damaged.cache"):
                (self.folder / name).unlink()
        with GeocodeCache(self.file("damaged.cache", data)) as cache:
            cache.get("provider", "1", "K7L 3N6")

    @cached_property
    def provider(self) -> Any:
        """A provider that is asked without a pause."""
        from geopy.geocoders import Nominatim

        from ketafind.geocoding import GeopyGeocoder, RateLimit

        return GeopyGeocoder(Nominatim(user_agent="fuzz"), retries=0, limit=RateLimit(1_000_000))

    @cached_property
    def router(self) -> Any:
        """A routing service that is asked without a pause."""
        from routingpy import OSRM

        from ketafind.geocoding import RateLimit

        service = OSRM(base_url="https://routing.example")
        return kf.travel.ServiceRouter(service, retries=0, limit=RateLimit(1_000_000))

    def read_provider(self, data: bytes) -> None:
        with self.answering(data):
            self.provider.geocode("12 King St W, Kingston ON K7L 3N6")

    def read_routing(self, data: bytes) -> None:
        with self.answering(data):
            self.router.times([ORIGIN], [ORIGIN, kf.Coordinates(lat=44.3, lon=-76.4)])

    @staticmethod
    def answering(data: bytes) -> Any:
        """Every request is answered with this body."""
        from ketafind.geocoding.http import HttpxAdapter

        text = data.decode("utf-8", "replace")
        return patch.object(HttpxAdapter, "send", lambda *_, **__: text)

    def read_extract(self, data: bytes) -> None:
        kf.travel.build_roads(self.file("damaged.osm.pbf", data)).times([ORIGIN], [ORIGIN])

    def read_fhir(self, data: bytes) -> None:
        self.use(kf.Directory.from_fhir(self.file("bundle.json", data)))

    def read_hsds(self, data: bytes) -> None:
        self.use(kf.Directory.from_hsds(self.file("hsds.json", data)))

    def read_geojson(self, data: bytes) -> None:
        self.use(kf.Directory.from_geojson(self.file("clinics.geojson", data)))

    def run_command(self, data: bytes) -> None:
        words = data.decode("utf-8", "surrogateescape").split("\0")
        if {"mcp", "geocoder", "roads", "--out", "-o", "page", "map", "plot", "export"} & {*words}:
            return  # they write files, or wait for input
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.suppress(SystemExit),
        ):
            command_line(words)

    def call_tool(self, data: bytes) -> None:
        from ketafind.mcp import make_server

        try:
            asked = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(asked, dict):
            from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError

            try:
                asyncio.run(make_server(self.directory).call_tool("nearest", asked))
            except UnexpectedToolError as error:
                raise error.__cause__ or error from None
            except ToolError:
                return


def resealed(data: bytes) -> bytes:
    """A file of arrays with the checksums that its content has now."""
    if len(data) < ALIGNMENT:
        return data
    length = min(HEADER.unpack_from(data)[4], len(data) - ALIGNMENT)
    parts = data[ALIGNMENT : ALIGNMENT + length], data[ALIGNMENT + length :]
    header = HEADER.pack(MAGIC, FORMAT, ORDER_MARK, len(data), length, *map(zlib.crc32, parts))
    header = header.ljust(ALIGNMENT - CHECKSUM.size, b"\0")
    return b"".join((header, CHECKSUM.pack(zlib.crc32(header)), *parts))


def mutated(seed: bytes, rng: random.Random) -> bytes:
    """A damaged copy: a few bytes changed, cut, doubled, or something foreign put in."""
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.choice(DICTIONARY)
            case 2:
                del data[at : at + rng.choice((1, 4, 30))]
            case 3:
                part = data[at : at + rng.choice((4, 40))]
                data[at:at] = part * rng.choice((1, 3))
            case 4:
                length = rng.choice((1, 2, 8))
                data[at : at + length] = rng.randbytes(length)
            case 5:
                digits = [i for i, byte in enumerate(data) if 48 <= byte < 58]
                if digits:
                    data[rng.choice(digits)] = rng.choice(b"0123456789.-e")
    return bytes(data)


def damaged(name: str, seed: int, doors: Doors) -> Iterator[bytes]:
    """Mutations of a target's seeds, for ever."""
    rng = random.Random(f"{name} {seed}")
    seeds = doors.targets()[name][1]
    while True:
        yield mutated(rng.choice(seeds), rng)


def escaping(target: Target, data: bytes) -> BaseException | None:
    """What comes out that may not."""
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            target(data)
    except ALLOWED:
        return None
    except BaseException as error:  # noqa: BLE001 - to be told of
        return error
    return None


def search(name: str, seconds: float, seed: int, doors: Doors) -> dict[str, Any]:
    """Try mutations for some seconds: how many, one input for each kind of escape, and costs."""
    target, until, found, n = doors.targets()[name][0], time.monotonic() + seconds, {}, 0
    slowest = 0.0
    for data in damaged(name, seed, doors):
        if time.monotonic() > until:
            break
        n += 1
        begun = time.process_time()
        error = escaping(target, data)
        took = time.process_time() - begun
        slowest = max(slowest, took)
        kind: tuple[object, ...] = ("over a second",)
        if error is not None:
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__, where.filename, where.lineno
        if (error is not None or took > 1) and kind not in found:
            found[kind] = data
            print(f"{name}: {kind}: {str(error)[:100]}\n  {data[:300]!r}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"door": name, "seed": seed, "inputs": n, "escapes": len(found),
            "slowest_s": round(slowest, 3), "peak_mib": peak}  # fmt: skip


def guided(name: str, seconds: float, doors: Doors) -> None:
    """Let coverage choose the mutations; atheris ends the process."""
    import atheris

    target, seeds = doors.targets()[name]
    corpus = doors.folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / str(number)).write_bytes(data)

    def once(data: bytes) -> None:
        error = escaping(target, data)
        if error is not None:
            raise error

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds:.0f}", str(corpus)], once)
    atheris.Fuzz()


def main() -> int:
    """Fuzz one target, or each in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="a line a door and run, as JSON")
    parser.add_argument("--guided", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        doors = Doors(Path(folder))
        if given.target == "list":
            print(*doors.targets())
            return 0
        names = list(doors.targets()) if given.target == "all" else [given.target]
        if given.guided:
            guided(names[0], given.seconds, doors)
        done = given.state.read_text().splitlines() if given.state and given.state.exists() else []
        runs = [json.loads(line)["door"] for line in done]
        escaped = 0
        for name in sorted(names, key=runs.count):
            found = search(name, given.seconds, given.seed + runs.count(name), doors)
            escaped += found["escapes"]
            print(json.dumps(found), flush=True)
            if given.state:
                with given.state.open("a") as state:
                    print(json.dumps(found), file=state)
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
