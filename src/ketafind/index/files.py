"""One file of arrays: memory-mapped, checksummed, whole or not at all."""

# The layout: a header of 64 bytes, a JSON directory (metadata, and name, type, shape and offset of
# each array), then the arrays, each at a multiple of 64 bytes. One checksum covers the header, one
# the directory, one all the rest. Nothing in a file is executed; no type holds objects.

from __future__ import annotations

import json
import math
import mmap
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ketafind.errors import DirectoryFileError
from ketafind.files import write_whole

MAGIC = b"ketafind"
VERSION = 1
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
    OSError
        If it cannot be written; a file that was there is unchanged.
    """
    columns = {name: _plain(name, array) for name, array in arrays.items()}
    entries: list[list[Any]] = [
        [name, column.dtype.str, list(column.shape), 0] for name, column in columns.items()
    ]
    directory = _encode(metadata, entries)
    # Offsets count from the first array, so that they do not change the directory's own length.
    place = 0
    for entry, column in zip(entries, columns.values(), strict=True):
        entry[3] = place
        place = _aligned(place + column.nbytes)
    directory = _encode(metadata, entries)
    start = _aligned(ALIGNMENT + len(directory))
    body = list(_body(start - ALIGNMENT - len(directory), columns.values()))
    checksum = 0
    for part in body:
        checksum = zlib.crc32(part, checksum)
    header = HEADER.pack(
        MAGIC, VERSION, ORDER_MARK, start + place, len(directory), zlib.crc32(directory), checksum
    ).ljust(ALIGNMENT - CHECKSUM.size, b"\0")
    head = header + CHECKSUM.pack(zlib.crc32(header))
    write_whole(path, [head, directory, *body], overwrite=overwrite)


def open_arrays(path: str | os.PathLike[str], *, verify: bool = True) -> tuple[Any, Arrays]:
    """Open a file that `write_arrays` wrote.

    Parameters
    ----------
    path : path
        A regular file.
    verify : bool
        True to check every byte against the checksums; False to check only the structure, which
        keeps reading safe and takes no time with the file's size.

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
        If it is damaged, foreign, newer, or of the other byte order.
    OSError
        If there is no such file, or it cannot be read.
    """
    data, size = _map(path)
    name = os.fspath(path)
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
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise DirectoryFileError(f"{name}: its directory cannot be read; {AGAIN}") from error
    return entries["metadata"], arrays


def _plain(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    column = np.ascontiguousarray(array)
    if column.dtype.kind not in KINDS:
        raise TypeError(f"array {name!r} of type {column.dtype} cannot be stored: numbers only")
    return column.astype(column.dtype.newbyteorder("="), copy=False)


def _encode(metadata: Any, entries: list[list[Any]]) -> bytes:
    # Offsets are padded to one width, so that the length is known before they are.
    wide = [[*entry[:3], f"{entry[3]:020d}"] for entry in entries]
    return json.dumps({"arrays": wide, "metadata": metadata}, allow_nan=False).encode()


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT


def _body(gap: int, columns: Any) -> Iterator[bytes | memoryview]:
    yield bytes(gap)
    for column in columns:
        # numpy refuses a plain view of an empty array.
        yield memoryview(column.reshape(-1).view(np.uint8)) if column.size else b""
        yield bytes(-column.nbytes % ALIGNMENT)


def _map(path: str | os.PathLike[str]) -> tuple[memoryview, int]:
    # Looked at before it is opened: to open a pipe would wait for its writer.
    if not stat.S_ISREG(os.stat(path).st_mode):
        _refuse(os.fspath(path), "this is no regular file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < READ_BELOW:
            data = file.read()
            return memoryview(data), len(data)
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), size


def _read_header(data: memoryview, size: int, name: str) -> tuple[int, int, int]:
    if data[:8] != MAGIC:
        _refuse(name, "this is no file of ketafind")
    if size < ALIGNMENT:
        _refuse(name, "the file is cut short")
    _, version, mark, whole, length, directory_sum, body_sum = HEADER.unpack_from(data)
    if mark != ORDER_MARK:
        _refuse(name, "it was written on a machine of another byte order, or is damaged")
    header_end = ALIGNMENT - CHECKSUM.size
    if CHECKSUM.unpack_from(data, header_end)[0] != zlib.crc32(data[:header_end]):
        _refuse(name, "its header is damaged")
    if version > VERSION:
        raise DirectoryFileError(
            f"{name}: written by a newer ketafind (format {version}; this one reads up to "
            f"{VERSION}); update ketafind"
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
