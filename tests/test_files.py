"""JSON read strictly: every object knows its line and its path, and faults say both."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind import files
from ketafind.errors import DataError, DirectoryFileError, ExistingFileError, MissingFileError
from ketafind.files import JsonObject, bundled, parse_json, read_text, require, write_whole
from ketafind.geocoding import GeocodeCache, RateLimit, RegisterGeocoder, build_register

names = st.text('abc_"{}\\\n é.', max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a"{}\\\n', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def objects_in(value) -> list[dict]:
    """The objects inside, in the order in which they open."""
    own = [value] if isinstance(value, dict) else []
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return own + [one for part in inside for one in objects_in(part)]


@given(st.dictionaries(names, values, max_size=4), st.sampled_from([None, 0, 2]))
def test_an_object_is_what_json_reads_and_knows_the_line_of_its_brace(data, indent):
    text = "\n\n" + json.dumps(data, indent=indent)
    read = parse_json(text, "file", "a thing")
    assert read == data
    # Without the texts, braces are objects only.
    bare = re.sub(r'"(?:\\.|[^"\\])*"', lambda found: "x" * len(found.group()), text)
    lines = [bare[:at].count("\n") + 1 for at, letter in enumerate(bare) if letter == "{"]
    assert [one.line for one in objects_in(read)] == lines


def test_a_path_names_entries_by_their_id_where_it_can_be_printed():
    text = '{"rules": [{"id": "one", "or": [[], {"a": {}}]}, {"id": "x y", "when": {}}]}'
    read = parse_json(text, "file", "a thing")
    assert [one.path for one in objects_in(read)] == [
        "", "rules.one", "rules.one.or[1]", "rules.one.or[1].a", "rules[1]", "rules[1].when",
    ]  # fmt: skip


def test_every_key_that_stands_twice_is_named_with_its_line_and_path():
    text = '{"a": 1,\n"b": {"c": 1, "c": 2, "d": 1, "d": 1},\n"a": 2}'
    with pytest.raises(DataError) as caught:
        parse_json(text, "file", "a thing")
    assert [(fault.line, fault.path) for fault in caught.value.faults] == [
        (1, None), (2, "b"), (2, "b"),
    ]  # fmt: skip
    assert 'line 2, b: the key "d" stands twice' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: not JSON"),
        ('{"a":\n1,}', "line 2: not JSON"),
        ("[1]", "line 1: a thing is one JSON object"),
        ("9" * 5000, "too many digits"),
        ('{"a":' * 300 + "1" + "}" * 300, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_one_json_object_is_refused_by_name(text, message):
    with pytest.raises(DataError, match=message):
        parse_json(text, "file", "a thing")


def test_a_file_that_is_missing_too_big_or_not_utf_8_is_refused_by_name(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(MissingFileError, match=r"a\.json: there is no such file"):
        read_text(path, "a thing", max_mb=1)
    with pytest.raises(DataError, match="this is not a regular file"):
        read_text(tmp_path, "a thing", max_mb=1)
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert isinstance(parse_json(read_text(path, "a thing", max_mb=1), "a", "a thing"), JsonObject)
    path.write_bytes(b"\xff{}")
    with pytest.raises(DataError, match="not UTF-8"):
        read_text(path, "a thing", max_mb=1)
    path.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(DataError, match="over 1 MB: this is not a thing"):
        read_text(path, "a thing", max_mb=1)


def test_what_a_killed_write_left_is_removed_and_what_one_writes_is_not(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "some.file"
    left, living = (tmp_path / f".some.file.{letter * 16}.part" for letter in "ab")
    others = [".some.file.part", ".some.file.12.part", f".other.{'a' * 16}.part",
              f"some.file.{'a' * 16}.part", f".some.file.{'a' * 16}.part.txt"]  # fmt: skip
    for name in (left.name, living.name, *others):
        (tmp_path / name).write_text("half")
    with open(living, "rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)  # as one that writes has it
        write_whole(path, "whole")
        assert {*os.listdir(tmp_path)} == {path.name, living.name, *others}
    write_whole(path, "again", overwrite=True)
    assert {*os.listdir(tmp_path)} == {path.name, *others}
    assert path.read_text() == "again"


def test_a_writer_s_own_file_is_locked_until_it_is_moved(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    seen = []

    def content():
        (beside,) = tmp_path.iterdir()
        with open(beside, "rb") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another who writes the same file leaves it alone.
        write_whole(tmp_path / "file", "theirs", overwrite=True)
        seen.append(beside.exists())
        yield b"ours"

    write_whole(tmp_path / "file", content(), overwrite=True)
    assert seen == [True]
    assert (tmp_path / "file").read_bytes() == b"ours"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["fsync", "replace", "open"])
def test_a_failure_of_the_system_names_the_file_and_leaves_nothing(tmp_path, monkeypatch, name):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(f"ketafind.files.os.{name}", fail)
        with pytest.raises(OSError, match="No space left") as caught:
            write_whole(path, "new", overwrite=True)
    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_text() == "old"


CLINIC = kf.Clinic(
    clinic_id="a", name="A", services=(kf.Service(),), location=kf.Location(lat=44.2, lon=-76.5)
)
OWN = kf.Directory.from_clinics([CLINIC])
DOORS = {
    "open": kf.Directory.open,
    "save": OWN.save,
    "from_csv": kf.Directory.from_csv,
    "from_geojson": kf.Directory.from_geojson,
    "from_datapackage": kf.Directory.from_datapackage,
    "to_csv": OWN.to_csv,
    "export": lambda path: OWN.export(path, "geojson"),
    "explore": OWN.explore().save,
    "roads": kf.travel.GraphRouter.open,
    "register": RegisterGeocoder.open,
    "build": lambda path: build_register("register", openaddresses=path),
    "cache": GeocodeCache,
    "pace": lambda path: RateLimit(path=path),
    "vocabulary": kf.Vocabulary.read,
    "rules": kf.RuleSet.read,
}
NO_PATHS = [None, 3, True, [], b"file", "", "a\0b", "a" * 5_000, "a/" * 3_000]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("path", NO_PATHS, ids=lambda path: repr(path)[:8])
def test_no_door_takes_a_path_that_is_none(tmp_path, monkeypatch, door, path):
    monkeypatch.chdir(tmp_path)
    if (door, path) == ("pace", None) or (door in ("cache", "pace") and len(str(path)) > 100):
        return  # no file; and a cache or a pace that cannot be kept costs a warning alone
    with pytest.raises(kf.KetafindError):
        DOORS[door](path)
    assert not os.listdir(tmp_path)


def test_what_the_system_says_of_a_file_is_one_of_our_errors(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(kf.errors.FileFailedError) as caught:
        write_whole(tmp_path / "folder", "x", overwrite=True)
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, str(tmp_path / "folder"))
    assert str(caught.value) == f"{tmp_path}/folder: not a regular file"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.errno) == (str(caught.value), errno.EINVAL)


def test_a_file_is_written_whole_where_there_are_no_locks(tmp_path, monkeypatch):
    """As on Windows: leftovers are removed, and a file that is there is kept unless told."""
    monkeypatch.setattr(files, "fcntl", None)
    path, left = tmp_path / "file", tmp_path / f".file.{'a' * 16}.part"
    left.write_text("half")
    write_whole(path, "whole")
    assert os.listdir(tmp_path) == ["file"]
    with pytest.raises(ExistingFileError, match="overwrite=True"):
        write_whole(path, "other")
    write_whole(path, "other", overwrite=True)
    assert path.read_text() == "other"


def test_of_two_who_write_a_new_file_the_slower_is_refused(tmp_path):
    def content():
        write_whole(tmp_path / "file", "theirs")
        yield b"ours"

    with pytest.raises(ExistingFileError, match="is there already"):
        write_whole(tmp_path / "file", content())
    assert (tmp_path / "file").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["file"]


def test_a_package_that_lacks_a_package_of_its_own_is_not_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "needs_another.py").write_text("import one_that_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="one_that_nobody_has") as caught:
        require("needs_another", "geo")
    assert "ketafind" not in str(caught.value)


def test_a_data_file_that_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(DirectoryFileError, match=r"lacks its data file none\.csv; reinstall"):
        bundled("none.csv")
    monkeypatch.setattr(files, "PACKAGE", tmp_path / "app.pyz" / "ketafind")
    with pytest.raises(DirectoryFileError, match=r"app\.pyz.*unpack it"):
        bundled("none.csv")


def test_a_key_that_stands_twice_among_very_many_is_found_in_one_pass():
    compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    names = [*range(2000), 1999]
    with pytest.raises(ValueError, match='"k1999" stands twice'):
        files.keys_once([(Name(f"k{n}"), n) for n in names])
    assert compared < 10 * len(names)
