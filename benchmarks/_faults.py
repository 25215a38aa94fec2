"""What a process does to its files, and faults at each point of it: `tools/faults.c` from Python."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from urllib.request import urlopen

import numpy as np

import ketafind as kf
from ketafind.errors import KetafindError

SOURCE = Path(__file__).parents[1] / "tools/faults.c"
READS, WRITES, MEMORY, THREADS = 1, 2, 4, 8
FAIL, KILL = 1, 2
EVER = 2**62
SUPPORTED = sys.platform.startswith("linux")


def preloaded() -> bool:
    """Whether this process can be made to fail."""
    return hasattr(ctypes.CDLL(None), "faults_arm")


def run_again_with_faults() -> None:
    """Begin this script anew with the library loaded, which must come before all others."""
    folder = tempfile.mkdtemp(prefix="ketafind-faults-")
    library = os.path.join(folder, "faults.so")
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    code = subprocess.run(
        [sys.executable, *sys.argv], env=os.environ | {"LD_PRELOAD": library}, check=False
    ).returncode
    os.unlink(library)
    os.rmdir(folder)
    sys.exit(code)


class Plan:
    """Which uses of what fail, or end the process."""

    def __init__(self, folder: str | os.PathLike[str] = "/nowhere", library: str = "") -> None:
        self.folder = os.fsencode(os.path.realpath(folder))
        self.low, self.high = _range(library) if library else (0, 0)
        self._core: Any = ctypes.CDLL(None)
        self._core.faults_disarm.restype = ctypes.c_long

    def arm(self, what: int, how: int, first: int, last: int, error: int = errno.EIO) -> None:
        """Let the uses from one to another fail, or the first be the end."""
        span = ctypes.c_long(first), ctypes.c_long(last)
        reach = ctypes.c_void_p(self.low), ctypes.c_void_p(self.high)
        self._core.faults_arm(what, how, *span, error, self.folder, *reach)

    def disarm(self) -> int:
        """Stop, and count the uses."""
        return int(self._core.faults_disarm())

    @contextmanager
    def armed(self, what: int, first: int, last: int, error: int) -> Iterator[None]:
        """Let uses fail meanwhile."""
        self.arm(what, FAIL, first, last, error)
        try:
            yield
        finally:
            self.used = self.disarm()


def _range(library: str) -> tuple[int, int]:
    """Where a library lies in memory."""
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if library in line]
    ends = [int(end, 16) for line in lines for end in line.split(" ", 1)[0].split("-")]
    return min(ends), max(ends)


def in_child(
    work: Callable[[], Any],
    plan: Callable[[], None] | None = None,
    killed_after_s: float | None = None,
) -> Any:
    """Do something in a fork: what it returns, or the name of the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            if plan is not None:
                plan()
            os.write(writing, json.dumps(work()).encode())
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(writing, json.dumps(f"{type(error).__name__}: {error}").encode())
        finally:
            os._exit(0)
    os.close(writing)
    if killed_after_s is not None:
        time.sleep(killed_after_s)
        os.kill(child, signal.SIGKILL)
    with open(reading, "rb") as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(told) if status == 0 and told else {"signal": signal.Signals(-status).name}


# ---- what is done to files ----

SHORT = ("save", "register", "roads", "csv")


class Write(NamedTuple):
    """Something that replaces a file."""

    name: str
    act: Callable[[Path], object]
    first: bytes | None
    """What stands there before, if anything."""


class Read(NamedTuple):
    """Something that reads files, and a word of what it finds."""

    name: str
    act: Callable[[], object]


class Workshop:
    """Sound sources for each operation, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.sources, self.files = folder / "sources", folder / "files"
        for made in (self.sources, self.files):
            made.mkdir()
        self.clinics = list(kf.load_directory().clinics)[:6]
        self.directory = kf.Directory.from_clinics(self.clinics)
        self.roads = kf.travel.GraphRouter.from_edges(
            {"source": [0, 1, 1, 2], "target": [1, 0, 2, 1], "minutes": [5.0, 5.0, 7.0, 7.0]},
            {"node": [0, 1, 2], "lat": [44.2, 44.25, 44.3], "lon": [-76.5, -76.48, -76.45]},
        )
        self.addresses = self.sources / "addresses.csv"
        self.addresses.write_text(
            "LON,LAT,NUMBER,STREET,CITY,REGION\n"
            + "".join(f"-76.49{n},44.22{n},{76 + n},Stuart St,Kingston,ON\n" for n in range(9))
        )
        self.extract = self.sources / "roads.osm"
        nodes = "".join(f'<node id="{n}" lat="44.{n}" lon="-76.5"/>' for n in range(1, 4))
        way = "".join(f'<nd ref="{n}"/>' for n in range(1, 4))
        self.extract.write_text(
            f'<osm version="0.6">{nodes}<way id="1">{way}<tag k="highway" v="residential"/></way></osm>'
        )

    def writes(self) -> Iterator[Write]:
        """Everything that makes a file, where there is one and where there is none."""
        from ketafind.geocoding import build_register

        def register(path: Path) -> None:
            build_register(path, openaddresses=self.addresses, progress=False, overwrite=True)

        def roads(path: Path) -> None:
            from ketafind.travel import build_roads

            build_roads(self.extract).save(path)

        kinds: dict[str, Callable[[Path], object]] = {
            "save": self.directory.save,
            "register": register,
            "roads": roads,
            "page": lambda path: self.directory.to_html(path, overwrite=True),
        }
        for form in ("csv", "geojson", "fhir", "datapackage"):
            kinds[form] = lambda path, form=form: self.directory.export(path, form, overwrite=True)
        for name, act in kinds.items():
            for first in (None, b"what was there before" * 400):
                yield Write(name, act, first)

    def reads(self) -> Iterator[Read]:
        """Everything that opens a file."""
        from ketafind.geocoding import RegisterGeocoder, build_register

        path = {name: self.files / name for name in ("k", "csv", "register", "roads", "large")}
        self.directory.save(path["k"])
        self.directory.export(path["csv"], "csv", overwrite=True)
        build_register(
            path["register"], openaddresses=self.addresses, progress=False, overwrite=True
        )
        self.roads.save(path["roads"])
        many = [
            kf.Clinic(clinic_id=str(n), name=f"Clinic {n}", notes="x" * 100) for n in range(9_000)
        ]
        kf.Directory.from_clinics(many).save(path["large"])
        words = self.files / "words.json"
        words.write_text(json.dumps(self.directory.vocabulary.to_dict()))
        features, bundle = self.files / "c.geojson", self.files / "c.fhir.json"
        self.directory.export(features, "geojson", overwrite=True)
        self.directory.export(bundle, "fhir", overwrite=True)
        here = kf.Coordinates(lat=44.23, lon=-76.48)
        yield Read("directory", lambda: len(list(kf.Directory.open(path["k"]).search())))
        yield Read("a mapped directory", lambda: len(kf.Directory.open(path["large"])))
        yield Read("csv", lambda: len(kf.Directory.from_csv(path["csv"])))
        yield Read("vocabulary", lambda: len(kf.Vocabulary.read(words).facets))
        yield Read("geojson", lambda: len(kf.Directory.from_geojson(features)))
        yield Read("fhir", lambda: len(kf.Directory.from_fhir(bundle)))
        yield Read(
            "roads",
            lambda: str(kf.travel.GraphRouter.open(path["roads"]).times([here], [here]).minutes),
        )
        yield Read(
            "register",
            lambda: RegisterGeocoder.open(path["register"]).geocode("78 Stuart St, Kingston").lat,
        )
        yield Read(
            "a source of addresses",
            lambda: build_register(
                self.sources / "out", openaddresses=path_of(self.addresses, self.files),
                progress=False, overwrite=True,
            )["points"],
        )  # fmt: skip


def path_of(source: Path, folder: Path) -> Path:
    """A copy of a file in another folder."""
    copy = folder / source.name
    if not copy.exists():
        copy.write_bytes(source.read_bytes())
    return copy


# ---- faults at every point ----


def faults_of_writes(one: Write, folder: Path, *, short: bool = False) -> Iterator[list[str]]:
    """Let each use fail in turn, alone and with all that follow; what is wrong after each."""
    path, plan = folder / "file", Plan(folder)
    one.act(path)
    new = path.read_bytes()
    for error in (errno.ENOSPC,) if short else (errno.EIO, errno.ENOSPC):
        for alone in (True, False):
            for first in count(1):
                for file in folder.iterdir():
                    file.unlink()
                if one.first is not None:
                    path.write_bytes(one.first)
                raised: BaseException | None = None
                try:
                    with plan.armed(WRITES, first, first if alone else EVER, error):
                        one.act(path)
                except Exception as caught:  # noqa: BLE001 - judged below
                    raised = caught
                if plan.used < first:
                    break
                yield _wrong(f"{one.name}, fault {first}, {error}", path, one.first, new, raised,
                             alone=alone)  # fmt: skip
    path.unlink()


def _wrong(
    where: str, path: Path, old: bytes | None, new: bytes, raised: BaseException | None, *, alone: bool
) -> list[str]:  # fmt: skip
    """What is wrong after a fault."""
    wrong = []
    now = path.read_bytes() if path.exists() else None
    if now not in (old, new):
        wrong.append(f"{where}: the file is neither old nor new")
    if raised is None and now != new:
        wrong.append(f"{where}: nothing was said, and the file is the old one")
    beside = [file.name for file in path.parent.iterdir() if file != path]
    if beside and alone:  # where no file can be removed any more, one stays
        wrong.append(f"{where}: {beside} was left")
    return wrong + _untold(where, raised, path.name)


def _untold(where: str, raised: BaseException | None, name: str) -> list[str]:
    if raised is None or (isinstance(raised, (KetafindError, OSError)) and name in str(raised)):
        return []
    return [f"{where}: {type(raised).__name__} does not name the file: {raised}"]


def faults_of_reads(one: Read, folder: Path) -> Iterator[list[str]]:
    """Let each use fail in turn; the same answer or an error that names the file, then an answer."""
    plan, right = Plan(folder), one.act()
    for alone in (True, False):
        for first in count(1):
            wrong = []
            where = f"{one.name}, fault {first}"
            try:
                with plan.armed(READS, first, first if alone else EVER, errno.EIO):
                    if one.act() != right:
                        wrong.append(f"{where}: another answer")
            except Exception as caught:  # noqa: BLE001 - judged below
                if not isinstance(caught, (KetafindError, OSError)) or str(folder) not in str(
                    getattr(caught, "filename", "")
                ) + str(caught):
                    wrong.append(f"{where}: {type(caught).__name__} names no file: {caught}")
            if plan.used < first:
                break
            if one.act() != right:
                wrong.append(f"{where}: another answer afterwards")
            yield wrong


class Fake:
    """A geocoder that answers at once."""

    name, version = "fake", "1"

    def geocode(self, text: str) -> kf.Location:
        """Answer by the number in the text."""
        return kf.Location(
            lat=44.0 + int(text.split(maxsplit=1)[0]) / 1e5, lon=-76.5, source="fake"
        )


def faults_of_a_cache(folder: Path, *, short: bool = False) -> Iterator[list[str]]:
    """Whatever fails at its file, a batch has all its answers and says so once."""
    from ketafind.geocoding.batch import outcomes

    path, plan = folder / "cache", Plan(folder)
    texts = [f"{n} King St, Kingston" for n in range(4)]
    right = [Fake().geocode(text).lat for text in texts]

    def batch() -> list[Any]:
        return [getattr(one.location, "lat", None) for one in outcomes(texts, Fake(), resume=path)]

    kinds = [(READS, errno.EIO), (WRITES, errno.ENOSPC), (WRITES, errno.EIO)]
    for what, error in kinds[: 2 if short else 3]:
        for known in (True,) if short else (False, True):
            for alone in (True, False):
                for first in count(1):
                    for file in folder.iterdir():
                        file.unlink()
                    if known:
                        outcomes(texts[:2], Fake(), resume=path)
                    wrong, where = [], f"cache, fault {first} of kind {what}"
                    with warnings.catch_warnings(record=True) as noticed:
                        warnings.simplefilter("always")
                        try:
                            with plan.armed(what, first, first if alone else EVER, error):
                                if batch() != right:
                                    wrong.append(f"{where}: wrong answers")
                        except Exception as caught:  # noqa: BLE001 - judged here
                            wrong.append(f"{where}: {type(caught).__name__}: {caught}")
                        used = plan.used
                        if used < first:
                            break
                        if len(noticed) > 1:
                            wrong.append(f"{where}: {len(noticed)} warnings")
                        if batch() != right:
                            wrong.append(f"{where}: wrong answers afterwards")
                    yield wrong


def faults_of_the_kernel() -> Iterator[list[str]]:
    """Without memory: MemoryError, then right answers; without threads: the same tree."""
    from ketafind.index import KernelIndex, kernel

    kernel.require_core()
    kernel._usable_processors = lambda: 4
    plan = Plan(library="_kernel.")
    rng = np.random.default_rng(1)
    large = rng.uniform(42, 50, 200_000), rng.uniform(-90, -75, 200_000)
    lat, lon = (axis[:40_000] for axis in large)
    bits = rng.integers(0, 256, 5_000, dtype=np.uint8)
    index = KernelIndex(lat, lon)
    prepared = index.prepare(bits)

    def told(answer: Any) -> str:
        return hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in answer)).hexdigest()

    def asked_often() -> str:
        often = index.prepare(np.full(5_000, 17, np.uint8))
        return "".join(told(often.nearest(44.0, -79.0, 3)) for _ in range(3))

    work: dict[str, Callable[[], str]] = {
        "build": lambda: told(KernelIndex(lat, lon).arrays.values()),
        "build on threads": lambda: told(KernelIndex(*large).arrays.values()),
        "verify": lambda: str(KernelIndex.from_arrays(index.arrays)._tree.rows),
        "prepare": lambda: told(index.nearest(44.0, -79.0, 9, index.prepare(bits))),
        "nearest": lambda: told(index.nearest(44.0, -79.0, 9, prepared)),
        "many results": lambda: told(index.nearest(44.0, -79.0, 900, prepared)),
        "few points": lambda: told(KernelIndex(lat[:9], lon[:9]).nearest(44.0, -79.0, 3)),
        "within": lambda: told(index.within(44.0, -79.0, 100.0, prepared)),
        "batch": lambda: told(index.nearest_many(lat[:300], lon[:300], 300, prepared)),
        "batch in threads": lambda: told(index.nearest_many(lat, lon, 2, prepared, threads=3)),
        "compact": asked_often,
    }
    for name, act in work.items():
        right = act()
        for what in (MEMORY, THREADS):
            for alone in (True, False):
                for first in count(1):
                    wrong, where = [], f"{name}, fault {first} of kind {what}"
                    try:
                        with plan.armed(what, first, first if alone else EVER, errno.ENOMEM):
                            same = act() == right
                        if not same:
                            wrong.append(f"{where}: another answer")
                    except MemoryError:
                        if what == THREADS:
                            wrong.append(f"{where}: threads are not needed")
                    except Exception as caught:  # noqa: BLE001 - judged here
                        wrong.append(f"{where}: {type(caught).__name__}: {caught}")
                    if plan.used < first:
                        break
                    if act() != right:
                        wrong.append(f"{where}: another answer afterwards")
                    yield wrong


def faults_everywhere(folder: Path, *, short: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Every point of every operation: what was tried, and what went wrong."""
    shop = Workshop(folder)
    for one in shop.writes():
        if short and one.name not in SHORT:
            continue
        place = folder / "written"
        place.mkdir(exist_ok=True)
        for wrong in faults_of_writes(one, place, short=short):
            yield f"write {one.name}", wrong
    for reading in shop.reads():
        for wrong in faults_of_reads(reading, shop.files):
            yield f"read {reading.name}", wrong
    place = folder / "cached"
    place.mkdir()
    for wrong in faults_of_a_cache(place, short=short):
        yield "cache", wrong
    for wrong in faults_of_the_kernel():
        yield "kernel", wrong


# ---- killed at every point ----


def kills_of_writes(one: Write, folder: Path) -> Iterator[list[str]]:
    """Kill a process at each use of a file: the old file stands or the new, and the next write
    leaves nothing beside it."""
    path, plan = folder / "file", Plan(folder)
    one.act(path)
    new = path.read_bytes()
    for first in count(1):
        for file in folder.iterdir():
            file.unlink()
        if one.first is not None:
            path.write_bytes(one.first)
        ended = in_child(
            lambda: one.act(path) and None, lambda first=first: plan.arm(WRITES, KILL, first, first)
        )
        if ended != {"signal": "SIGKILL"}:
            break
        wrong, where = [], f"{one.name}, killed at {first}"
        if (path.read_bytes() if path.exists() else None) not in (one.first, new):
            wrong.append(f"{where}: the file is neither old nor new")
        one.act(path)
        if [file.name for file in folder.iterdir()] != [path.name] or path.read_bytes() != new:
            wrong.append(f"{where}: the next write left {os.listdir(folder)}")
        yield wrong
    path.unlink()


def answer_requests(log: Path) -> tuple[int, int]:
    """Begin a service of addresses in a fork, which notes what it is asked: its port and process."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = re.search(r"[?&]q=([^&]*)", self.path)
            asked = unquote_plus(found.group(1)) if found else "0"
            if found:
                with open(log, "a") as file:
                    file.write(asked + "\n")
            lat = 44.22 + int(asked.split()[0]) / 1e5
            body = json.dumps([{"lat": str(lat), "lon": "-76.49", "display_name": asked}]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        server.serve_forever()
    server.server_close()
    return server.server_port, child


def kills_of_batches(n: int, folder: Path, seed: int) -> Iterator[dict[str, Any]]:
    """Kill batches of n addresses again and again: what each kill cost."""
    from geopy.geocoders import Nominatim

    from ketafind.geocoding import GeocodeCache, GeopyGeocoder, RateLimit
    from ketafind.geocoding.batch import outcomes

    asked_log, kept_log, work = folder / "asked", folder / "kept", folder / "batch"
    work.mkdir()
    plan, rng = Plan(work), random.Random(seed)
    port, server = answer_requests(asked_log)
    texts = [f"{n} King St, Kingston, ON" for n in range(n)]
    right = [44.22 + n / 1e5 for n in range(n)]
    kept_before, n_asked = set[str](), 0
    # Made before the forks, since reading the certificates takes longer than all they do.
    service = Nominatim(user_agent="kills", domain=f"127.0.0.1:{port}", scheme="http")
    geocoder = GeopyGeocoder(service, limit=RateLimit(0.0), allow_private=True, retries=0)
    geocoder.geocode(texts[0])
    asked_log.unlink()
    remember = GeocodeCache.remember

    def noting(self: Any, provider: str, version: str, text: str, *rest: Any) -> Any:
        found = remember(self, provider, version, text, *rest)
        with open(kept_log, "a") as file:
            file.write(text + "\n")
        return found

    def batch() -> str | None:
        GeocodeCache.remember = noting  # type: ignore[method-assign]
        found = outcomes(texts, geocoder, resume=work / "cache")
        same = [getattr(one.location, "lat", None) for one in found] == right
        return None if same else "wrong answers"

    try:
        for turn in count():
            if turn % 2:
                # Every step of a transaction in turn, and places far into the batch.
                first = rng.choice((1 + turn // 2 % 60, rng.randrange(1, 600)))
                ended = in_child(batch, lambda first=first: plan.arm(WRITES, KILL, first, first))
            else:
                ended = in_child(batch, killed_after_s=rng.uniform(0.0, 0.5))
            # Requests are answered in turn: those of who was killed are noted once this one is.
            urlopen(f"http://127.0.0.1:{port}/").close()
            asked, kept = (
                log.read_text().splitlines() if log.exists() else []
                for log in (asked_log, kept_log)
            )
            told = {
                "killed": ended == {"signal": "SIGKILL"},
                "repeated": len(asked) - len(set(asked)),
            }
            told["lost"] = sum(text in kept_before for text in asked[n_asked:])
            kept_before, n_asked = set(kept), len(asked)
            told["wrong"] = None if told["killed"] else ended
            yield told
            if not told["killed"]:
                for file in (asked_log, kept_log, *work.iterdir()):
                    file.unlink(missing_ok=True)
                kept_before, n_asked = set(), 0
    finally:
        os.kill(server, signal.SIGTERM)
        os.waitpid(server, 0)
