"""Files that appear whole or not at all, strict JSON, arrays in one file, optional packages."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import mmap
import os
import re
import secrets
import stat
import struct
import sys
import zlib
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from ketafind import errors
from ketafind.errors import DataError, DirectoryFileError, Fault

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows, where nobody removes a file that is open
    fcntl = None


def require(module: str, extra: str = "") -> Any:
    """Import an optional package, or say which extra brings it, or its name if none does."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        wanted = f"ketafind[{extra}]" if extra else package
        raise errors.MissingExtraError(
            f'this needs the package {package!r}: pip install "{wanted}"'
        ) from None


def is_missing(value: object) -> bool:
    """Whether a value of a frame stands for none: None, NaN, NaT or pandas' NA."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except (TypeError, ValueError, ArithmeticError):
        # NA differs from itself by NA; an array or a signalling NaN cannot be compared.
        return type(value).__name__ == "NAType"


def in_memory(frame: Any) -> Any:
    """A lazy frame of polars collected, DuckDB's relation as Arrow, a GeoSeries as a frame."""
    polars, duckdb = sys.modules.get("polars"), sys.modules.get("duckdb")
    if polars is not None and isinstance(frame, polars.LazyFrame):
        return frame.collect()
    if duckdb is not None and isinstance(frame, duckdb.DuckDBPyRelation):
        return frame.to_arrow_table()
    if hasattr(frame, "to_frame") and hasattr(frame, "geom_type") and hasattr(frame, "crs"):
        return frame.to_frame("geometry") if frame.ndim == 1 else frame
    return frame


def path_text(path: object) -> str:
    """Give a path as text; what is none is refused before anything is made or opened."""
    if not isinstance(path, str | os.PathLike):
        raise errors.InvalidInputError(
            f"the path must be text or a Path, not {type(path).__name__}"
        )
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise errors.InvalidInputError("the path is empty or holds a NUL character")
    return text


def regular_file(path: object) -> str:
    """Give the path of a file that is there; to open a pipe would wait for its writer."""
    text = path_text(path)
    if not os.path.exists(text):
        raise errors.MissingFileError(f"{text}: there is no such file")
    if not os.path.isfile(text):
        raise DataError(text, [Fault("this is not a regular file")])
    return text


def write_whole(
    path: str | os.PathLike[str],
    content: str | Iterable[Buffer],
    *,
    overwrite: bool = False,
) -> None:
    """Write a file: beside its place, synced, then renamed."""
    path = path_text(path)
    target = os.path.realpath(path)
    refuse_existing(target, overwrite=overwrite)
    if os.path.lexists(target) and not os.path.isfile(target):
        raise errors.FileFailedError(errno.EINVAL, "not a regular file", target)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise errors.MissingFileError(f"{path}: there is no folder {folder} to write it in")
    with naming(path):
        _remove_leftovers(folder, name)
        descriptor, beside = _open_beside(folder, name)
        try:
            with open(descriptor, "wb") as file:
                file.writelines([content.encode()] if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # while it is locked: nobody may take it for a leftover
                    _move(beside, target, overwrite=overwrite)
            if fcntl is None:
                _move(beside, target, overwrite=overwrite)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            raise
        _sync_folder(folder)


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let what the system says of a file name it."""
    try:
        yield
    except OSError as error:
        if isinstance(error, errors.KetafindError) or error.errno is None:
            raise
        raise errors.FileFailedError(error.errno, error.strerror, os.fspath(path)) from error


def _open_beside(folder: str, name: str) -> tuple[int, str]:
    """Make a file to be renamed, locked until it is closed: so a leftover is told apart."""
    while True:
        beside = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.part")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        if not _lock(descriptor) or os.fstat(descriptor).st_nlink:
            return descriptor, beside
        os.close(descriptor)  # removed by another before it was locked


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock a file for as long as it is open; False where it is, or where none can be."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _remove_leftovers(folder: str, name: str) -> None:
    """Remove what processes that were killed left of this file, and nothing that one writes."""
    # A writer holds a lock on its file, which the system takes back when the process ends,
    # however it does. Where there are no locks, nothing is removed.
    leftover = re.compile(rf"\.{re.escape(name[:100])}\.[0-9a-f]{{16}}\.part")
    for found in filter(leftover.fullmatch, os.listdir(folder)):
        with contextlib.suppress(OSError):  # another's, or gone already
            path = os.path.join(folder, found)
            if fcntl is None:
                os.unlink(path)
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _lock(descriptor, wait=False):
                    os.unlink(path)
            finally:
                os.close(descriptor)


def refuse_existing(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse to write where there is a file already, unless it is to be replaced."""
    target = path_text(path)
    if not overwrite and os.path.lexists(target):
        raise _exists(target)


def _exists(target: str) -> errors.ExistingFileError:
    return errors.ExistingFileError(
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
    except (OSError, AttributeError):  # no links on that disk; in a browser no such function
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

    # The line of its opening brace, from 1.
    line = 1
    # Where it is, such as ``rules.core_team.requires.or[1]``; entries with an id by their id.
    path = ""

    def fault(self, message: str) -> Fault:
        """Say what is wrong with this object."""
        return Fault(message, line=self.line, path=self.path or None)


def read_text(path: str | os.PathLike[str], what: str, *, max_mb: int) -> str:
    """Read a regular file in UTF-8."""
    path = Path(regular_file(path))
    try:
        with naming(path):
            if path.stat().st_size > max_mb * 2**20:
                fault = Fault(f"the file is over {max_mb} MB: this is not {what}")
                raise DataError(path.name, [fault])
            return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path.name, [Fault(f"the file is not UTF-8: {error.reason}")]) from None


def keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of JSON; of a key that stands twice nobody knows which is meant."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError(_stands_twice(_repeated(pairs)[0]))
    return made


def _repeated(pairs: list[tuple[str, Any]]) -> list[str]:
    return [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]


def _stands_twice(name: str) -> str:
    return f"the key {json.dumps(name)} stands twice in one object"


def parse_json(text: str, source: str, what: str) -> JsonObject:
    """Read text as one JSON object of `JsonObject`s, and refuse a key that stands twice."""
    # The hook sees the objects in the order in which their braces close.
    lines = iter(_lines_of_objects(text))
    repeated: list[tuple[JsonObject, list[str]]] = []

    def place(pairs: list[tuple[str, Any]]) -> JsonObject:
        value = JsonObject(pairs)
        value.line = next(lines, 1)
        if len(value) < len(pairs):
            repeated.append((value, sorted(_repeated(pairs))))
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
        faults = [one.fault(_stands_twice(name)) for one, names in repeated for name in names]
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


# ---- one file of arrays ----
# A header of 64 bytes, a JSON directory (metadata, and name, type, shape and offset of each
# array), then the arrays, each at a multiple of 64 bytes. One checksum covers the header, one the
# directory, one all the rest. Nothing in a file is executed; no type holds objects.

MAGIC = b"ketafind"
FORMAT = 1
# Written in the machine's own byte order: another order reads another number.
ORDER_MARK = 0x01020304
# Magic, version, order mark, size of the file, of the directory, checksums of directory and rest.
HEADER = struct.Struct("=8sIIQQII")
# The header's own checksum ends its 64 bytes.
CHECKSUM = struct.Struct("=I")
ALIGNMENT = 64
KINDS = "biuf"
# Smaller files are read at once: safe even if somebody cuts them short while they are open.
READ_BELOW = 1 << 20
AGAIN = "write it again from its source"

Arrays = dict[str, npt.NDArray[Any]]


def write_arrays(
    path: str | os.PathLike[str],
    metadata: Any,
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    overwrite: bool = True,
) -> None:
    """Write arrays and metadata to one file, synced and renamed into place.

    Parameters
    ----------
    path : path
        Where to.
    metadata : object
        Plain data for JSON: dicts with text keys, lists, texts, finite numbers, bools, None.
    arrays : mapping of str to ndarray
        Of integers, floats or bools; written in the machine's byte order.
    overwrite : bool
        False to refuse to replace a file.

    Raises
    ------
    TypeError
        If an array holds something else.
    FileFailedError
        If it cannot be written; a file that was there is unchanged.
    """
    columns = {name: _plain(name, array) for name, array in arrays.items()}
    entries, place = [], 0
    for name, column in columns.items():
        # Counted from the first array, wherever that will begin.
        entries.append([name, column.dtype.str, list(column.shape), f"{place:020d}"])
        place = _aligned(place + column.nbytes)
    content = {"arrays": entries, "metadata": metadata}
    directory = json.dumps(content, allow_nan=False).encode()
    start = _aligned(ALIGNMENT + len(directory))
    body = list(_body(start - ALIGNMENT - len(directory), columns.values()))
    checksum = 0
    for part in body:
        checksum = zlib.crc32(part, checksum)
    header = HEADER.pack(
        MAGIC, FORMAT, ORDER_MARK, start + place, len(directory), zlib.crc32(directory), checksum
    ).ljust(ALIGNMENT - CHECKSUM.size, b"\0")
    head = header + CHECKSUM.pack(zlib.crc32(header))
    write_whole(path, [head, directory, *body], overwrite=overwrite)


def open_arrays(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    version: int | None = None,
    verify: bool = True,
    private: bool = False,
) -> tuple[Any, Arrays]:
    """Open a file that `write_arrays` wrote.

    Parameters
    ----------
    path : path
        A regular file.
    kind, version : str, int, optional
        What the metadata's ``"kind"`` and ``"version"`` must be; None for anything.
    verify : bool
        True to check every byte against the checksums; False to check only the structure, which
        keeps reading safe and takes no time with the file's size.
    private : bool
        True for arrays that may be written to; the file stays as it is.

    Returns
    -------
    metadata : object
        As it was written.
    arrays : dict of str to ndarray
        Read-only. Large files are mapped: the arrays hold the map, and a file that is replaced
        by `write_arrays` meanwhile goes on as it was. Nobody may cut it short in place.

    Raises
    ------
    DirectoryFileError
        If it is damaged, foreign, newer, of another kind or version, or of the other byte order;
        the text names the file.
    MissingFileError
        If there is no such file.
    FileFailedError
        If it cannot be read.
    """
    name = path_text(path)
    data, size = _map(name, private=private)
    length, directory_sum, body_sum = _read_header(data, size, name)
    directory = bytes(data[ALIGNMENT : ALIGNMENT + length])
    if zlib.crc32(directory) != directory_sum:
        _refuse(name, "its directory is damaged")
    if verify and zlib.crc32(data[ALIGNMENT + length :]) != body_sum:
        _refuse(name, "its content is damaged")
    try:
        entries = json.loads(directory)
        start = _aligned(ALIGNMENT + length)
        arrays = {str(entry[0]): _array(data, start, *entry[1:]) for entry in entries["arrays"]}
        metadata = entries["metadata"]
    except (KeyError, IndexError, TypeError, ValueError, RecursionError, SyntaxError) as error:
        raise DirectoryFileError(f"{name}: its directory cannot be read; {AGAIN}") from error
    _check_metadata(metadata, kind, version, name)
    return metadata, arrays


def _check_metadata(metadata: Any, kind: str | None, version: int | None, name: str) -> None:
    found = metadata if isinstance(metadata, dict) else {}
    if kind is not None and found.get("kind") != kind:
        other = f" but a {found['kind']}" if isinstance(found.get("kind"), str) else ""
        raise DirectoryFileError(f"{name}: this is not a {kind}{other}")
    if version is not None and found.get("version") != version:
        raise DirectoryFileError(
            f"{name}: this {kind} is of version {found.get('version')!r}; this ketafind reads "
            f"version {version}: update ketafind, or {AGAIN}"
        )


def _plain(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    column = np.ascontiguousarray(array)
    if column.dtype.kind not in KINDS:
        raise TypeError(f"array {name!r} of type {column.dtype} cannot be stored: numbers only")
    return column.astype(column.dtype.newbyteorder("="), copy=False)


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT


def _body(gap: int, columns: Any) -> Iterator[bytes | memoryview]:
    yield bytes(gap)
    for column in columns:
        # numpy refuses a plain view of an empty array.
        yield memoryview(column.reshape(-1).view(np.uint8)) if column.size else b""
        yield bytes(-column.nbytes % ALIGNMENT)


def _map(path: str, *, private: bool) -> tuple[memoryview, int]:
    try:  # looked at before it is opened: to open a pipe would wait for its writer
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        raise errors.MissingFileError(f"{path}: there is no such file") from None
    if not stat.S_ISREG(mode):
        _refuse(path, "this is not a regular file")
    with naming(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < READ_BELOW:
            data = file.read()
            return memoryview(bytearray(data) if private else data), len(data)
        access = mmap.ACCESS_COPY if private else mmap.ACCESS_READ
        return memoryview(mmap.mmap(file.fileno(), 0, access=access)), size


def _read_header(data: memoryview, size: int, name: str) -> tuple[int, int, int]:
    if data[:8] != MAGIC:
        _refuse(name, "this is not a file of ketafind")
    if size < ALIGNMENT:
        _refuse(name, "the file is cut short")
    _, version, mark, whole, length, directory_sum, body_sum = HEADER.unpack_from(data)
    if mark != ORDER_MARK:
        _refuse(name, "it was written on a machine of another byte order, or is damaged")
    header_end = ALIGNMENT - CHECKSUM.size
    if CHECKSUM.unpack_from(data, header_end)[0] != zlib.crc32(data[:header_end]):
        _refuse(name, "its header is damaged")
    if version > FORMAT:
        raise DirectoryFileError(
            f"{name}: written by a newer ketafind (format {version}; this one reads up to "
            f"{FORMAT}); update ketafind"
        )
    if whole != size or length > size - ALIGNMENT:
        _refuse(name, f"it should have {whole:,} bytes and has {size:,}")
    return length, directory_sum, body_sum


def _array(
    data: memoryview, start: int, dtype: str, shape: list[int], offset: str
) -> npt.NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind not in KINDS or not kind.isnative or any(side < 0 for side in shape):
        raise ValueError("not an array of numbers")
    place, count = start + int(offset), math.prod(shape)
    if place < start or place % ALIGNMENT or count * kind.itemsize > len(data) - place:
        raise ValueError("an array lies outside the file")
    if count == 0:
        return np.empty(shape, kind)
    return np.frombuffer(data, kind, count, place).reshape(shape)


def _refuse(name: str, fault: str) -> NoReturn:
    raise DirectoryFileError(f"{name}: {fault}; {AGAIN}")


PACKAGE = Path(__file__).parent
# Inside an installed package, or at the top of a checkout.
FOLDERS = (PACKAGE / "data", PACKAGE.parents[1] / "data")


def bundled(name: str) -> Path:
    """Find a file of the bundled data."""
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    if not PACKAGE.is_dir():
        raise DirectoryFileError(
            f"ketafind runs out of the archive {PACKAGE.parent}, which its data file {name} cannot "
            f"be read from; unpack it, or use a tool that does, such as shiv"
        )
    raise DirectoryFileError(f"this installation lacks its data file {name}; reinstall ketafind")
