"""A path becomes text, or a reason why not: regular files in UTF-8 only."""

from __future__ import annotations

import os
import re
import stat
import warnings

from ketafind.errors import DataError, Fault, MissingFileError
from ketafind.tables.limits import MAX_FILE_BYTES

__all__ = ["file_name", "read_text"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BOM = b"\xef\xbb\xbf"
# First bytes -> what the file is, and what to do.
_FOREIGN = {
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"PK\x05\x06": "an empty zip archive",
    b"BZh": "a bzip2 file; unpack it first",
    b"\xfd7zXZ": "an xz file; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstandard file; unpack it first",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV (UTF-8)",
    b"PAR1": "a Parquet file; read it into a data frame and use from_frame",
    b"SQLite format 3": "a SQLite database; export a table as CSV (UTF-8)",
    b"%PDF": "a PDF file",
}
_UNICODE = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# Two characters or three that UTF-8 turns into when it is read as Windows-1252 and saved again.
_MOJIBAKE = re.compile(
    "[\u00c2-\u00c5][\u0080-\u00bf\u0152-\u0178\u2013-\u203a\u20ac]|\u00e2\u20ac.|\ufffd"
)


def file_name(path: object) -> str:
    """Give the last part of a path, to name a file in a message.

    Parameters
    ----------
    path : str or path-like
        A path.

    Returns
    -------
    str
        The file's own name.

    Raises
    ------
    DataError
        If it is no path.
    """
    return os.path.basename(_path(path))


def _path(path: object) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise DataError(
            "file", [Fault(f"the path must be text or a Path, not {type(path).__name__}")]
        )
    text = os.fspath(path)
    if not isinstance(text, str):
        raise DataError("file", [Fault("the path must be text, not bytes")])
    if _URL.match(text):
        raise DataError(text, [Fault("this is a URL; download the file and give its path")])
    if not text or "\0" in text:
        raise DataError("file", [Fault("the path is empty or holds a NUL character")])
    return text


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    path : str or path-like
        A regular file of at most `ketafind.tables.limits.MAX_FILE_BYTES`.

    Returns
    -------
    str
        The text, line ends as they are.

    Raises
    ------
    DataError
        If it is a URL, a folder, a pipe or a device, too large, empty, packed, or in another
        encoding; the text says what it looks like.
    MissingFileError
        If there is no such file.
    OSError
        If it may not be read.

    Warns
    -----
    UserWarning
        If the text looks as if it was once read in the wrong encoding; it is kept as it is.
    """
    name = _path(path)
    if not os.path.lexists(name):
        raise MissingFileError(f"{name}: there is no such file")
    found = os.stat(name)
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise DataError(name, [Fault(f"this is {kind}; give the path of a regular file")])
    with open(name, "rb") as file:
        # One byte more than is allowed tells a file that grew meanwhile.
        raw = file.read(MAX_FILE_BYTES + 1)
    source = file_name(name)
    fault = _foreign(raw) or _too_large(raw)
    if fault:
        raise DataError(source, [Fault(fault)])
    text = _decoded(raw.removeprefix(_BOM), source)
    _warn_of_mojibake(text, source)
    return text


def _too_large(raw: bytes) -> str | None:
    if len(raw) > MAX_FILE_BYTES:
        return f"over {MAX_FILE_BYTES:,} bytes, the most that is read; split the file"
    return None


def _foreign(raw: bytes) -> str | None:
    if not raw.removeprefix(_BOM).strip():
        return "the file is empty; it needs a header row with clinic_id and name"
    for first, what in _FOREIGN.items():
        if raw.startswith(first):
            return f"this is {what}"
    for first, what in _UNICODE.items():
        if raw.startswith(first):
            return f"this looks like {what}; save it as CSV in UTF-8"
    if raw.startswith(_BOM + _BOM):
        return "two byte order marks: the file was encoded twice; save it as UTF-8 once"
    head = raw[:4096]
    if head.count(0) * 3 > len(head):
        return "this looks like UTF-16 without a byte order mark; save it as CSV in UTF-8"
    return None


def _decoded(raw: bytes, source: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    line = len(re.findall(rb"\r\n|\r|\n", raw[:at])) + 1
    byte = f"byte 0x{raw[at]:02X} on line {line} is not UTF-8"
    try:
        letter = raw[at : at + 1].decode("cp1252")
    except UnicodeDecodeError:
        message = f"{byte}; save the file as CSV in UTF-8"
    else:
        message = f'{byte}; it looks like Windows-1252 ("{letter}"): save the file as CSV in UTF-8'
    raise DataError(source, [Fault(message)])


def _warn_of_mojibake(text: str, source: str) -> None:
    found = _MOJIBAKE.search(text) if not text.isascii() else None
    if found:
        line = len(re.findall(r"\r\n|\r|\n", text[: found.start()])) + 1
        warnings.warn(
            f'{source}: "{found.group()}" on line {line} looks like text that was once read in the '
            "wrong encoding; it is kept as it is. Look at the source",
            UserWarning,
            stacklevel=5,
        )
