"""In a browser some packages cannot be had: the same is found, and what is missing is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

import ketafind as kf
from ketafind.geocoding import gazetteer, register
from ketafind.index import make_index
from ketafind.vocabulary.terms import PlainOSA, edits, plain_extract

words = st.text("abc", max_size=7)


@given(words, words, st.none() | st.integers(0, 5), st.floats(0, 1))
def test_plain_edits_are_counted_as_rapidfuzz_counts_them(one, other, most, least):
    slips = PlainOSA.distance(one, other, score_cutoff=most)
    assert slips == OSA.distance(one, other, score_cutoff=most)
    # Where the likeness is the cutoff, rapidfuzz rounds: 4 letters of 5 are not 0.8 alike.
    assume(abs(PlainOSA.normalized_similarity(one, other) - least) > 1e-9)
    like = PlainOSA.normalized_similarity(one, other, score_cutoff=least)
    assert like == pytest.approx(OSA.normalized_similarity(one, other, score_cutoff=least))


@pytest.mark.parametrize("least", [gazetteer.NEAR, register.SLIPS])
def test_no_likeness_that_is_asked_for_is_one_where_rapidfuzz_rounds(least):
    for letters in range(1, 61):
        for slips in range(letters + 1):
            one, other = "a" * letters, "a" * (letters - slips) + "b" * slips
            like = PlainOSA.normalized_similarity(one, other, score_cutoff=least)
            assert like == OSA.normalized_similarity(one, other, score_cutoff=least)


@given(words, st.lists(words, max_size=8), st.integers(0, 4), st.integers(1, 4))
def test_plain_choices_are_those_of_rapidfuzz(word, choices, most, limit):
    for plain, theirs, cutoff in [
        (PlainOSA.distance, OSA.distance, most),
        (PlainOSA.normalized_similarity, OSA.normalized_similarity, most / 4 or 0.1),
    ]:
        found = plain_extract(word, choices, scorer=plain, score_cutoff=cutoff, limit=limit)
        wanted = extract(word, choices, scorer=theirs, score_cutoff=cutoff, limit=limit)
        assert [(one, at) for one, _, at in found] == [(one, at) for one, _, at in wanted]


@pytest.fixture
def without(monkeypatch):
    """Hide packages, as where they cannot be installed."""

    def hide(*names):
        for name in [*sys.modules, *names]:
            if name.partition(".")[0] in names:
                monkeypatch.setitem(sys.modules, name, None)
        edits.cache_clear()

    yield hide
    edits.cache_clear()


def test_misspelt_places_and_terms_are_found_without_rapidfuzz(without):
    wanted = kf.geocode("Kingstn, ON"), kf.vocabulary.suggest("depresion")
    without("rapidfuzz")
    assert edits() == (PlainOSA, plain_extract)
    assert (kf.geocode("Kingstn, ON"), kf.vocabulary.suggest("depresion")) == wanted


def test_the_index_that_cannot_be_had_is_named_when_it_is_chosen(without):
    without("rtree")
    with pytest.raises(kf.KetafindError, match="needs the package 'rtree'"):
        make_index("rtree")


def test_no_compiler_is_asked_for_in_a_browser(monkeypatch, recwarn):
    monkeypatch.setattr("ketafind.index.compiled_core", lambda: None)
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert len(make_index()([44.0], [-76.0])) == 1
    assert not recwarn.list


# A Pyodide of CPython's: no kernel, no threads, and neither these packages nor these functions.
BROWSER = """
import os, runpy, sys, threading, time
import pandas, pyproj, shapely
for name in ("rapidfuzz", "rtree", "ketafind._kernel"):
    sys.modules[name] = None
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
del os.link, time.thread_time
sys.platform = "emscripten"
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_a_browser_has_the_same_answers(tmp_path):
    answers = Path(__file__).with_name("pyodide_answers.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:tqdm", "-c", BROWSER, answers],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("28 clinics\n", "")
