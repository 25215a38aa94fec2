"""Canaries: a place, a condition and a key, and where they may not be found afterwards.

`searched` runs a call with everything watched: logs at DEBUG, warnings, standard streams, the files
that it writes, what it returns and what it raises. `Seen.traces` says where a canary turned up.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import pickle
import re
import struct
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ketafind.errors import KetafindError

if TYPE_CHECKING:
    import pytest

LAT, LON = 43.713579, -79.246813
CODE = "M1J 1A1"
ADDRESS = f"1979 Zyxwick Cres, Scarborough ON {CODE}"
NOWHERE = "1979 Zyxwick Cres, Qwertyville QQ"
KEY = "sk-canary-7Q9Z"
CONDITION, CONTROL = "phobia", "panic_disorder"
"""Terms that no bundled clinic has: where the first is named more often if it is asked for, it shows."""

PLACE = re.compile(
    rf"713579|246813|43\.71[34]|79\.24[67]|{CODE[:3]} ?{CODE[4:]}|zyxwick|qwertyville", re.I
)
PACKED = [struct.pack(f"{order}d", value) for order in "<>" for value in (LAT, LON)]

ALWAYS_WRITTEN = ("/dev/", "/proc/")


def named(text: str, condition: str) -> int:
    """How often a condition is named, as an id or as a label."""
    return len(re.findall(condition.replace("_", "[ _]"), text, re.I))


def places_in(text: str) -> list[str]:
    return sorted({found.group() for found in PLACE.finditer(text)})


class Asked(NamedTuple):
    """A call, and where what it was given may show since that was asked for."""

    call: Callable[[], Any]
    place: frozenset[str] = frozenset()
    condition: frozenset[str] = frozenset()


@dataclass
class Seen:
    """All that a call leaves behind, by where it was found."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    data: dict[str, list[bytes]] = field(default_factory=dict)
    error: BaseException | None = None

    def add(self, where: str, text: object) -> None:
        self.texts.setdefault(where, []).append(str(text))

    def traces(self, asked: Asked) -> list[str]:
        """Where a place or a key is, but where that was asked for."""
        found = []
        for where, texts in self.texts.items():
            text = "\n".join(texts)
            hits = [] if where in asked.place else places_in(text)
            found += [f"{where}: {hit}" for hit in [*hits, *([KEY] if KEY in text else [])]]
        for where, parts in self.data.items():
            whole = b"".join(parts)
            if where not in asked.place and any(number in whole for number in PACKED):
                found.append(f"{where}: packed degrees")
            found += [f"{where}: the key"] if KEY.encode() in whole else []
        return found

    def conditions(self, condition: str, asked: Asked) -> dict[str, int]:
        """How often a condition is named, by where."""
        held = {where: texts for where, texts in self.texts.items() if where not in asked.condition}
        return {where: named("\n".join(texts), condition) for where, texts in held.items()}


class Records(logging.Handler):
    """Every record of every logger."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.NOTSET)
        self.seen = seen
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.add("log", self.format(record))
        self.seen.add("log", repr(record.args))


_opened: list[str] | None = None
"""The files that were opened to write, while somebody watches."""


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _opened is None:
        return
    if event == "open" and isinstance(args[0], (str, bytes, os.PathLike)) and args[2] is not None:
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            _opened.append(os.fsdecode(args[0]))
    elif event == "sqlite3.connect":
        _opened.append(os.fsdecode(args[0]))


sys.addaudithook(_watch)


@contextlib.contextmanager
def watched(seen: Seen, folder: Path) -> Iterator[None]:
    """Log everything, send temporary and personal files into a folder, and note what is written."""
    global _opened
    personal = {
        name: str(folder)
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR")
    }
    before, temporary = {name: os.environ.get(name) for name in personal}, tempfile.tempdir
    os.environ.update(personal)
    tempfile.tempdir = str(folder)
    root, handler = logging.getLogger(), Records(seen)
    loggers = [
        root,
        *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger)),
    ]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG if one is root else logging.NOTSET)
    root.addHandler(handler)
    _opened = []
    usual = sys.unraisablehook
    sys.unraisablehook = lambda it: look_at_error(seen, it.exc_value or RuntimeError(it.err_msg))
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            warnings.simplefilter("always")
            yield
    finally:
        opened, _opened = _opened, None
        sys.unraisablehook = usual
        root.removeHandler(handler)
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
        tempfile.tempdir = temporary
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    for one in warned:
        seen.add("warnings", one.message)
    seen.add("streams", out.getvalue() + err.getvalue())
    inside = {path for path in folder.rglob("*") if path.is_file()}
    for path in {*inside, *map(Path, opened)}:
        if not str(path).startswith(ALWAYS_WRITTEN):
            seen.add(
                "names of files", path.relative_to(folder) if path.is_relative_to(folder) else path
            )
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            seen.add("written", content.decode("latin-1"))
            seen.data.setdefault("written", []).append(content)
            if path in inside:
                path.unlink()


def look_at_error(seen: Seen, error: BaseException) -> None:
    """The text, arguments and attributes of an error and of all that it hides, and its traceback."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=False)
    seen.add("traceback", "".join(shown.format()))
    met: list[BaseException] = []
    chain = [error]
    while chain:
        one = chain.pop()
        if one in met:
            continue
        met.append(one)
        held = {name: value for name, value in vars(one).items() if name != "candidates"}
        seen.add("error", f"{one} {one!r} {one.args!r} {held!r} {getattr(one, '__notes__', '')}")
        chain += [each for each in (one.__cause__, one.__context__) if each is not None]
        with contextlib.suppress(Exception):
            seen.data.setdefault("pickle of the error", []).append(
                b"" if hasattr(one, "candidates") else pickle.dumps(one)
            )


def look_at(seen: Seen, value: Any) -> None:
    """How a value shows itself, and its pickle where it has one."""
    for show in (repr, str, lambda one: one._repr_html_()):
        with contextlib.suppress(AttributeError):
            seen.add("returned", show(value))
    with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError, RecursionError):
        seen.data.setdefault("pickle", []).append(pickle.dumps(value))


def searched(call: Callable[[], Any], folder: Path) -> Seen:
    """Run a call, and look at all that it leaves."""
    seen = Seen()
    with watched(seen, folder):
        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - an interruption is looked at, too
            seen.error = error
            look_at_error(seen, error)
            if not isinstance(error, KetafindError):
                traceback.clear_frames(error.__traceback__)
                gc.collect()  # what broke off is let go while it is watched
        else:
            look_at(seen, value)
    return seen


class Interrupted:
    """Raise something at the n-th call of a function of ketafind; without it, count the calls."""

    def __init__(self, at: int = -1, error: BaseException | None = None) -> None:
        self.at, self.error, self.n = at, error, 0

    def __call__(self, frame: Any, event: str, _: Any) -> None:
        if event != "call" or "/ketafind/" not in frame.f_code.co_filename:
            return
        self.n += 1
        if self.n == self.at and self.error is not None:
            sys.setprofile(None)
            raise self.error

    def run(self, call: Callable[[], Any]) -> Any:
        sys.setprofile(self)
        try:
            return call()
        finally:
            sys.setprofile(None)


ANY_PLACE = re.compile(
    r"\b[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d\b|\b(4[1-9]|5\d)\.\d{3,}\D{1,12}(7[4-9]|8\d|9[0-5])\.\d{3,}",
    re.I,
)
"""A whole postal code, or a pair of degrees that is finer than a hundred metres."""


class WholeSuite(logging.Handler):
    """A plugin that reads every log record and warning of a run, and where it writes files."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.hits: list[str] = []
        self.test, self.n_records, self.n_warnings, self.n_files = "", 0, 0, 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] in NOT_OURS:
            return
        self.n_records += 1
        self.look(
            f"{record.name} logged",
            f"{record.getMessage()} {record.args!r} {record.exc_text or ''}",
        )

    def look(self, what: str, text: str) -> None:
        if ANY_PLACE.search(text):
            self.hits.append(f"{self.test}: {what}: {text[:200]!r}")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        global _opened
        self.test, _opened = nodeid, []
        root = logging.getLogger()
        root.setLevel(logging.DEBUG)
        if self not in root.handlers:
            root.addHandler(self)
        for one in root.manager.loggerDict.values():
            if isinstance(one, logging.Logger) and one.name.split(".")[0] not in NOT_OURS:
                one.setLevel(logging.NOTSET)

    def pytest_runtest_logfinish(self) -> None:
        global _opened
        own = (tempfile.gettempdir(), "/dev/", "/proc/", str(Path.cwd()), sys.prefix)
        for path in _opened or ():
            self.n_files += 1
            if not os.path.abspath(path).startswith(own):
                self.hits.append(f"{self.test}: wrote {path}")
        _opened = None

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        self.n_warnings += 1
        self.look("a warning", str(warning_message.message))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        counted = (
            f"{self.n_records:,} log records, {self.n_warnings:,} warnings, {self.n_files:,} files"
        )
        terminalreporter.section(f"canary: {counted}; {len(self.hits)} hits")
        for hit in self.hits:
            terminalreporter.line(hit)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.hits:
            session.exitstatus = 1


NOT_OURS = {"hypothesis", "matplotlib", "PIL", "fontTools", "traitlets"}
"""Their records are of tests, of notebooks' own code or of pictures."""
