"""The file of a street register: named arrays behind a header, mapped when opened."""

from __future__ import annotations

import gzip
import hashlib
import json
import mmap
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DataError, DirectoryFileError, Fault, KetafindError, MissingFileError
from ketafind.files import write_whole

__all__ = ["open_register_file", "readable", "write_register_file"]

MAGIC = b"KETAREG\x01"
ALIGNED = 64


def write_register_file(
    path: Path, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays to a file: beside it first, then renamed."""
    entries, place = [], 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array)
        digest = hashlib.blake2b(data.data, digest_size=16).hexdigest()
        entries.append([name, data.dtype.str, len(data), place, digest])
        place += -(-data.nbytes // ALIGNED) * ALIGNED
    header = json.dumps({"meta": dict(meta), "arrays": entries}).encode()
    header += b" " * (-(len(header) + 12) % ALIGNED)
    write_whole(path, _pieces(header, arrays), overwrite=True)


def _pieces(header: bytes, arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes | memoryview]:
    yield MAGIC + len(header).to_bytes(4, "little") + header
    for array in arrays.values():
        data = np.ascontiguousarray(array)
        yield data.data.cast("B") if len(data) else b""
        yield b"\0" * (-data.nbytes % ALIGNED)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in ketafind's own words that a source cannot be read."""
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file")
    try:
        yield
    except KetafindError:
        raise
    except zipfile.BadZipFile:
        fault = "this is no zip archive; give it as it was downloaded"
        raise DataError(str(path), [Fault(fault)]) from None
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(str(path), [Fault(f"it cannot be read: {error}")]) from None


def open_register_file(path: Path, *, verify: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Map a file."""
    if not path.exists():
        raise MissingFileError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if data[: len(MAGIC)] != MAGIC:
            raise ValueError("it is no street register of this version")
        size = int.from_bytes(data[8:12], "little")
        header = json.loads(data[12 : 12 + size])
        arrays = dict(_array(data, 12 + size, entry, verify=verify) for entry in header["arrays"])
        return header["meta"], arrays
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DirectoryFileError(
            f"the street register {path} cannot be used ({error}); build it again"
        ) from None


def _array(data: mmap.mmap, base: int, entry: list[Any], *, verify: bool) -> tuple[str, Any]:
    name, kind, count, place, digest = entry
    dtype = np.dtype(kind)
    if dtype.hasobject or dtype.kind not in "iuf" or not 0 <= count < 1 << 32 or place < 0:
        raise ValueError(f"array {name} is described wrongly")
    array = np.frombuffer(data, dtype=dtype, count=count, offset=base + place)
    if verify and hashlib.blake2b(array.data, digest_size=16).hexdigest() != digest:
        raise ValueError(f"array {name} is damaged")
    return name, array
