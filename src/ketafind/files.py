"""Files that appear whole or not at all, and packages that are optional."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ketafind.errors import ExistingFileError, MissingExtraError, MissingFileError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

__all__ = ["require", "write_whole"]


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
