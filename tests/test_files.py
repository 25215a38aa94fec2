"""JSON read strictly: every object knows its line and its path, and faults say both."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind.errors import DataError
from ketafind.files import JsonObject, parse_json, read_text

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
    with pytest.raises(DataError, match="no such file; give the path of a thing"):
        read_text(path, "a thing", max_mb=1)
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert isinstance(parse_json(read_text(path, "a thing", max_mb=1), "a", "a thing"), JsonObject)
    path.write_bytes(b"\xff{}")
    with pytest.raises(DataError, match="not UTF-8"):
        read_text(path, "a thing", max_mb=1)
    path.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(DataError, match="over 1 MB: this is not a thing"):
        read_text(path, "a thing", max_mb=1)
