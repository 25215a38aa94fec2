"""A file of arrays comes back as it was, or is refused: never a wrong answer, never a crash."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zlib

import numpy as np
import pytest

from ketafind.errors import DirectoryFileError, MissingFileError
from ketafind.files import ALIGNMENT, CHECKSUM, HEADER, READ_BELOW, open_arrays, write_arrays
from ketafind.geo import compiled_core
from ketafind.index import KernelIndex

needs_kernel = pytest.mark.skipif(compiled_core() is None, reason="installed without a C compiler")
METADATA = {"name": "Ontário", "numbers": [1, 2.5, None, True]}


def some_arrays():
    return {
        "floats": np.arange(12.0).reshape(3, 4),
        "bytes": np.frombuffer(b"text", np.uint8),
        "flags": np.array([True, False]),
        "nothing": np.empty((0, 3), np.int32),
        "one": np.array(7, np.int16),
        "strided": np.arange(10, dtype=np.int64)[::3],
        "big endian": np.arange(3, dtype=">f4"),
    }


def test_arrays_and_metadata_come_back(tmp_path):
    """Values, shapes and types; read-only; small files and mapped ones."""
    for extra in (0, READ_BELOW):
        arrays = {**some_arrays(), "large": np.ones(extra, np.uint8)}
        write_arrays(tmp_path / "file", METADATA, arrays)
        for verify in (True, False):
            metadata, found = open_arrays(tmp_path / "file", verify=verify)
            assert metadata == METADATA
            assert list(found) == list(arrays)
            for name, array in arrays.items():
                assert found[name].dtype == array.dtype.newbyteorder("=")
                np.testing.assert_array_equal(found[name], array)
                assert array.size == 0 or not found[name].flags.writeable
                assert array.size == 0 or found[name].ctypes.data % 8 == 0


def test_the_same_content_is_the_same_bytes(tmp_path):
    """Files can be compared."""
    for name in ("a", "b"):
        write_arrays(tmp_path / name, METADATA, some_arrays())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_objects_and_texts_are_not_stored(tmp_path):
    """Nothing that would need pickle; and no half file is left."""
    for array in (
        np.array([object()]),
        np.array(["text"]),
        np.array([b"bytes"]),
        np.zeros(1, "V4"),
    ):
        with pytest.raises(TypeError, match="numbers only"):
            write_arrays(tmp_path / "file", {}, {"x": array})
    with pytest.raises(ValueError, match="JSON"):
        write_arrays(tmp_path / "file", {"x": float("nan")}, {})
    assert os.listdir(tmp_path) == []


def test_every_truncation_and_every_byte_is_checked(tmp_path):
    """A small file, cut at each length, longer by a byte, and with one bit turned in each byte."""
    path = tmp_path / "file"
    write_arrays(path, {"a": 1}, {"x": np.arange(9.0), "y": np.arange(3, dtype=np.uint8)})
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))] + [whole + b"\0"]
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        damaged.append(bytes(changed))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(DirectoryFileError):
            open_arrays(path)
        try:
            _, arrays = open_arrays(path, verify=False)
        except DirectoryFileError:
            continue
        assert len(content) == len(whole)
        assert arrays["x"].shape == (9,)


@pytest.mark.parametrize(
    "content",
    [b"", b"ketafind", b"\x93NUMPY", b"PK\x03\x04", pickle.dumps([1]), b"ketafind" + bytes(500)],
)
def test_foreign_files_are_refused(tmp_path, content):
    """By name, and nothing in them is run."""
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(DirectoryFileError, match="foreign"):
        open_arrays(tmp_path / "foreign", verify=False)


def forged(directory, body=b"", *, version=1, mark=0x01020304, order="="):
    """A file with right checksums and whatever content."""
    gap = -(len(directory)) % ALIGNMENT
    body = bytes(gap) + body
    layout = struct.Struct(order + HEADER.format[1:])
    size = ALIGNMENT + len(directory) + len(body)
    header = layout.pack(
        b"ketafind", version, mark, size, len(directory), zlib.crc32(directory), zlib.crc32(body)
    ).ljust(60, b"\0")
    return header + struct.pack(order + CHECKSUM.format[1:], zlib.crc32(header)) + directory + body


@pytest.mark.parametrize(
    "entry",
    [
        ["x", "O", [1], "0"],
        ["x", "<f8", [2**63], "0"],
        ["x", "<f8", [2**40, 2**40], "0"],
        ["x", "<f8", [-1], "0"],
        ["x", "<f8", [1.5], "0"],
        ["x", "<f8", [9], "64"],
        ["x", "<f8", [1], "8"],
        ["x", "<f8", [1], "-64"],
        ["x", "<f8", [1], "64000"],
        ["x", ">f8", [1], "0"],
        ["x", "<U4", [1], "0"],
        ["x", [["a", "<f8"]], [1], "0"],
        ["x", "no type", [1], "0"],
        ["x", "<f8", None, "0"],
        ["x", "<f8"],
        None,
    ],
)
def test_right_checksums_do_not_make_wrong_entries_right(tmp_path, entry):
    """Types, sizes and places are checked before anything is read or allocated."""
    content = forged(json.dumps({"metadata": {}, "arrays": [entry]}).encode(), bytes(128))
    (tmp_path / "forged").write_bytes(content)
    for verify in (True, False):
        with pytest.raises(DirectoryFileError, match="cannot be read"):
            open_arrays(tmp_path / "forged", verify=verify)


@pytest.mark.parametrize(
    "directory", [b"", b"[]", b"{}", b"\xff", b'{"arrays": 1}', b"[" * 100_000, b"1" * 5000]
)
def test_a_directory_that_is_none_is_refused(tmp_path, directory):
    """Deep, empty or of another shape."""
    (tmp_path / "forged").write_bytes(forged(directory))
    with pytest.raises(DirectoryFileError, match="cannot be read"):
        open_arrays(tmp_path / "forged")


def test_newer_versions_and_other_byte_orders_are_named(tmp_path):
    """So that one knows what to do."""
    directory = b'{"arrays": [], "metadata": {}}'
    (tmp_path / "forged").write_bytes(forged(directory, version=2))
    with pytest.raises(DirectoryFileError, match="newer ketafind"):
        open_arrays(tmp_path / "forged")
    other = "<" if struct.pack("=H", 1) == struct.pack(">H", 1) else ">"
    (tmp_path / "forged").write_bytes(forged(directory, order=other))
    with pytest.raises(DirectoryFileError, match="another byte order"):
        open_arrays(tmp_path / "forged")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    """A pipe would block, a folder cannot be read; a missing file is the system's error."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(DirectoryFileError, match="not a regular file"):
            open_arrays(path)
    with pytest.raises(FileNotFoundError):
        open_arrays(tmp_path / "missing")


def test_a_replaced_file_goes_on_as_it_was(tmp_path):
    """Who has it open keeps the old content."""
    path = tmp_path / "file"
    write_arrays(path, 1, {"x": np.zeros(READ_BELOW)})
    _, old = open_arrays(path, verify=False)
    write_arrays(path, 2, {"x": np.ones(READ_BELOW)})
    assert not old["x"].any()
    assert open_arrays(path)[1]["x"].all()
    with pytest.raises(FileExistsError):
        write_arrays(path, 3, {}, overwrite=False)


def built(n=600):
    rng = np.random.default_rng(3)
    return KernelIndex(rng.uniform(42, 50, n), rng.uniform(-90, -75, n))


@needs_kernel
def test_a_stored_index_has_the_same_answers(tmp_path):
    """From its arrays, mapped or in memory."""
    index = built(50_000)
    write_arrays(tmp_path / "index", {}, index.arrays)
    for verify in (True, False):
        _, arrays = open_arrays(tmp_path / "index", verify=verify)
        copy = KernelIndex.from_arrays(arrays, verify=verify)
        for ours, theirs in zip(
            copy.nearest(44.0, -80.0, 30), index.nearest(44.0, -80.0, 30), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


@needs_kernel
@pytest.mark.parametrize(
    ("name", "place", "value", "fault"),
    [
        ("ids", 3, -1, "out of range"),
        ("ids", 3, 600, "out of range"),
        ("ids", 3, 4, "no permutation"),
        ("points", 5, np.nan, "not on the ellipsoid"),
        ("points", 5, 0.0, "not on the ellipsoid"),
        ("points", 5, np.inf, "not on the ellipsoid"),
        ("boxes", 9, np.nan, "boxes"),
        ("boxes", 9, 1e30, "boxes"),
        ("frame", 0, np.nan, "rotation"),
        ("frame", 0, 2.0, "rotation"),
        ("frame", 10, np.inf, "rotation"),
    ],
)
def test_arrays_that_are_no_index_are_refused(name, place, value, fault):
    """Checked even where every checksum is right."""
    arrays = {key: array.copy() for key, array in built().arrays.items()}
    if fault == "no permutation":
        value = arrays["ids"][place + 1]
    arrays[name].reshape(-1)[place] = value
    with pytest.raises(DirectoryFileError, match=fault):
        KernelIndex.from_arrays(arrays)


@needs_kernel
def test_arrays_of_wrong_kinds_are_refused():
    """Missing, of another type, size or dimension."""
    arrays = built().arrays
    for name, array in arrays.items():
        rest = {key: other for key, other in arrays.items() if key != name}
        for wrong in (
            {},
            {name: array[:-1].copy()},
            {name: np.zeros(array.shape, np.int8)},
            {name: list(array)},
            {name: None},
            {name: np.r_[array, array]},
        ):
            with pytest.raises(DirectoryFileError, match="no stored index"):
                KernelIndex.from_arrays({**rest, **wrong}, verify=False)


@needs_kernel
def test_unverified_damage_neither_crashes_nor_hangs():
    """Answers may be wrong, positions stay in range."""
    rng = np.random.default_rng(8)
    arrays = built().arrays
    bits = rng.integers(0, 256, 75, dtype=np.uint8)
    for _ in range(300):
        damaged = {key: array.copy() for key, array in arrays.items()}
        for key, array in damaged.items():
            if key == "frame":  # damage to it is refused
                continue
            place = rng.integers(0, array.nbytes, 3)
            array.reshape(-1).view(np.uint8)[place] ^= rng.integers(1, 256, 3).astype(np.uint8)
        try:
            index = KernelIndex.from_arrays(damaged, verify=False)
        except DirectoryFileError as error:
            assert "out of range" in str(error)  # noqa: PT017
            continue
        prepared = index.prepare(bits)
        for answer in (
            index.nearest(44.0, -80.0, 9),
            index.nearest(-44.0, 100.0, 9, prepared),
            index.nearest_many([44.0, 90.0], [-80.0, 0.0], 9, prepared),
            index.within(44.0, -80.0, 200.0, prepared),
            index.within(90.0, 0.0, 21000.0),
        ):
            assert (np.asarray(answer[1]) < 600).all()


def test_a_file_of_another_kind_or_version_is_refused_by_name(tmp_path):
    path = tmp_path / "some.file"
    write_arrays(path, {"kind": "list of trees", "version": 3}, {})
    assert open_arrays(path, kind="list of trees", version=3)[1] == {}
    with pytest.raises(DirectoryFileError, match=r"some\.file: .* not a map but a list of trees"):
        open_arrays(path, kind="map", version=3)
    with pytest.raises(DirectoryFileError, match=r"some\.file: .* of version 3; .* version 4"):
        open_arrays(path, kind="list of trees", version=4)
    for metadata in (None, [], {}, {"kind": 1}):
        write_arrays(path, metadata, {})
        with pytest.raises(DirectoryFileError, match=r"some\.file: this is not a map$"):
            open_arrays(path, kind="map")
    with pytest.raises(MissingFileError, match="there is no such file"):
        open_arrays(tmp_path / "none")
