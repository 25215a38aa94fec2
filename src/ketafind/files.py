"""Files that appear whole or not at all, JSON read strictly, and packages that are optional."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
from bisect import bisect
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketafind.errors import DataError, ExistingFileError, Fault, MissingExtraError, MissingFileError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


def require(module: str, extra: str) -> Any:
    """Import an optional package, or say which extra brings it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f'this needs the package {module.partition(".")[0]!r}: pip install "ketafind[{extra}]"'
        ) from None


def write_whole(
    path: str | os.PathLike[str],
    content: str | Iterable[Buffer],
    *,
    overwrite: bool = False,
) -> None:
    """Write a file: beside its place, synced, then renamed."""
    target = os.path.realpath(path)
    if not overwrite and os.path.lexists(target):
        raise _exists(target)
    if os.path.lexists(target) and not os.path.isfile(target):
        raise OSError(errno.EINVAL, "not a regular file", target)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise MissingFileError(f"{os.fspath(path)}: there is no folder {folder} to write it in")
    beside = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(beside, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.writelines([content.encode()] if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        _move(beside, target, overwrite=overwrite)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    _sync_folder(folder)


def _exists(target: str) -> ExistingFileError:
    return ExistingFileError(
        f"{target}: the file is there already; pass overwrite=True to replace it"
    )


def _move(beside: str, target: str, *, overwrite: bool) -> None:
    if overwrite:
        with contextlib.suppress(FileNotFoundError):
            os.chmod(beside, os.stat(target).st_mode & 0o777)
        os.replace(beside, target)
        return
    try:
        os.link(beside, target)  # unlike a rename, refuses if somebody else was faster
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        os.replace(beside, target)
    else:
        os.unlink(beside)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class JsonObject(dict[str, Any]):
    """A JSON object that knows where it stands in its file."""

    line = 1
    """The line of its opening brace, from 1."""
    path = ""
    """Where it is, such as ``rules.core_team.requires.or[1]``; entries with an id by their id."""

    def fault(self, message: str) -> Fault:
        """Say what is wrong with this object."""
        return Fault(message, line=self.line, path=self.path or None)


def read_text(path: str | os.PathLike[str], what: str, *, max_mb: int) -> str:
    """Read a regular file in UTF-8."""
    path = Path(path)
    if not path.is_file():
        raise DataError(str(path), [Fault(f"no such file; give the path of {what} in JSON")])
    if path.stat().st_size > max_mb * 2**20:
        raise DataError(path.name, [Fault(f"the file is over {max_mb} MB: this is not {what}")])
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path.name, [Fault(f"the file is not UTF-8: {error.reason}")]) from None


def parse_json(text: str, source: str, what: str) -> JsonObject:
    """Read text as one JSON object of `JsonObject`s, and refuse a key that stands twice."""
    # The hook sees the objects in the order in which their braces close.
    lines = iter(_lines_of_objects(text))
    repeated: list[tuple[JsonObject, list[str]]] = []

    def place(pairs: list[tuple[str, Any]]) -> JsonObject:
        value = JsonObject(pairs)
        value.line = next(lines, 1)
        if len(value) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.append((value, sorted({name for name in names if names.count(name) > 1})))
        return value

    try:
        data = json.loads(text, object_pairs_hook=place)
        _set_paths(data, "")
    except json.JSONDecodeError as error:
        fault = Fault(f"not JSON: {error.msg} (column {error.colno})", line=error.lineno)
        raise DataError(source, [fault]) from None
    except RecursionError:
        raise DataError(source, [Fault("the JSON is nested too deeply")]) from None
    except ValueError:
        raise DataError(source, [Fault("a number in it has too many digits")]) from None
    if not isinstance(data, JsonObject):
        raise DataError(source, [Fault(f"{what} is one JSON object", line=1)])
    if repeated:
        faults = [
            one.fault(f"the key {json.dumps(name)} stands twice in one object")
            for one, names in repeated
            for name in names
        ]
        raise DataError(source, sorted(faults, key=lambda fault: fault.line or 0))
    return data


_DEEPEST = 250
_NAME = re.compile(r"[\w-]{1,60}")
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\n]')


def _lines_of_objects(text: str) -> list[int]:
    ends = [match.start() for match in re.finditer("\n", text)]
    lines, opened = [], []
    for token in _TOKEN.finditer(text):
        if token.group() == "{":
            opened.append(token.start())
        elif token.group() == "}" and opened:
            lines.append(bisect(ends, opened.pop()) + 1)
    return lines


def _set_paths(value: Any, path: str, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, JsonObject):
        value.path = path
        for key, part in value.items():
            name = key if _NAME.fullmatch(key) else "?"
            _set_paths(part, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            own = part.get("id") if isinstance(part, JsonObject) else None
            named = isinstance(own, str) and _NAME.fullmatch(own)
            _set_paths(part, f"{path}.{own}" if named else f"{path}[{at}]", depth + 1)
