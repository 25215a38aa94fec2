"""Every index gives the scan's answers: the same positions, order, ties and bits of distances."""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind.errors import (
    CoordinatesError,
    DirectoryFileError,
    InvalidInputError,
    MissingExtraError,
)
from ketafind.geo import compiled_core, geodesic_km
from ketafind.index import KernelIndex, RTreeIndex, ScanIndex, default_index, make_index
from ketafind.index.kernel import _share_out, threads_for
from strategies import examples

needs_kernel = pytest.mark.skipif(compiled_core() is None, reason="installed without a C compiler")
INDEXES = [
    pytest.param(KernelIndex, marks=needs_kernel, id="kernel"),
    pytest.param(RTreeIndex, id="rtree"),
]


def bits_for(index, passes):
    """Pack a mask by position in the order of an index's rows."""
    return np.packbits(np.asarray(passes, dtype=bool)[index.order], bitorder="little")


def exact(answer):
    """What an answer is to the last bit, NaN included, and of which types."""
    arrays = [np.asarray(part) for part in answer]
    types = [(type(part), array.dtype) for part, array in zip(answer, arrays, strict=True)]
    return types, repr([array.tolist() for array in arrays])


def prepared_filters(index, passes):
    """No filter, and one that lets these positions pass."""
    return None, index.prepare(bits_for(index, passes))


def everything(index_type, lat, lon, passes, origins, k, limit):
    """The answers to all that there is to ask."""
    index = index_type(lat, lon)
    answers = [sorted(index.order.tolist())]
    for prepared in prepared_filters(index, passes):
        answers.append(exact(index.nearest_many(*origins, k, prepared, limit)))
        for origin in zip(*(axis.tolist() for axis in origins), strict=True):
            near = index.nearest(*origin, k, prepared, limit)
            radius = limit if math.isfinite(limit) else 500.0
            if len(near[0]):
                radius = float(near[0][-1])  # exactly as far as a point
            answers += [exact(near), exact(index.within(*origin, radius, prepared))]
    return answers


SPECIAL = [
    (90.0, 0.0), (90.0, 77.0), (-90.0, -180.0), (0.0, 180.0), (0.0, -180.0), (0.0, 0.0),
    (0.0, 179.5), (43.65, -79.38), (-43.65, 100.62), (43.65, -79.380000001),
    (1e-300, -1e-300), (89.9999999, 12.0), (44.0, 180.0), (44.0, -180.0), (44.0, 179.9999999),
]  # fmt: skip


@st.composite
def worlds(draw):
    """Points in clusters, on special places and anywhere, many of them equal."""
    grid = st.tuples(st.integers(-9, 9), st.integers(-18, 18)).map(
        lambda cell: (cell[0] * 10.0, cell[1] * 10.0)
    )
    near = st.tuples(st.floats(43.6, 43.7), st.floats(-79.5, -79.3))
    free = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
    place = st.one_of(grid, near, free, st.sampled_from(SPECIAL))
    points = draw(st.lists(place, min_size=1, max_size=90))
    points = points * draw(st.sampled_from([1, 1, 1, 9]))
    origins = draw(st.lists(st.one_of(place, st.sampled_from(points)), min_size=1, max_size=5))
    passes = draw(st.lists(st.booleans(), min_size=len(points), max_size=len(points)))
    return np.array(points), passes, np.array(origins)


@pytest.mark.parametrize("index_type", INDEXES)
@examples(0.5)
@given(
    world=worlds(),
    k=st.integers(1, 100),
    limit=st.sampled_from([math.inf, 0.0, 3.0, 1000.0, 15000.0]),
)
def test_any_question_has_the_scans_answer(index_type, world, k, limit):
    """Clusters, poles, the antimeridian, antipodes, duplicates; with a filter and without."""
    points, passes, origins = world
    asked = (points[:, 0], points[:, 1], passes, (origins[:, 0], origins[:, 1]), k, limit)
    assert everything(index_type, *asked) == everything(ScanIndex, *asked)


def around(rng, lat, lon, spread, n):
    return np.clip(rng.normal(lat, spread, n), -90, 90), rng.normal(lon, spread, n)


def ring(n, radius_m):
    """Points whose distance from (44, -79) differs by centimetres."""
    from pyproj import Geod

    rng = np.random.default_rng(5)
    azimuth = rng.uniform(0, 360, n)
    metres = radius_m + rng.uniform(-0.01, 0.01, n)
    lon, lat, _ = Geod(ellps="WGS84").fwd(np.full(n, -79.0), np.full(n, 44.0), azimuth, metres)
    return lat, lon


def hard_sets():
    """Name, points: what indexes get wrong."""
    rng = np.random.default_rng(4)
    uniform = np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 180, 3000)
    yield "sphere", uniform
    yield "north pole", (rng.uniform(89.9, 90, 2000), rng.uniform(-180, 180, 2000))
    yield "antimeridian", (rng.normal(0, 5, 2000), (rng.normal(180, 2, 2000) + 180) % 360 - 180)
    yield "equator", (np.zeros(2000), rng.uniform(-180, 180, 2000))
    yield "one point", (np.full(2000, 43.7), np.full(2000, -79.4))
    two = np.r_[np.full(1000, 43.7), np.full(1000, 43.8)]
    yield "two points", (rng.permutation(two), np.full(2000, -79.4))
    yield "antipodes", (np.r_[two, -two], np.r_[np.full(2000, -79.4), np.full(2000, 100.6)])
    yield "ring at 5 km", ring(2000, 5e3)
    yield "ring at 900 km", ring(1000, 9e5)
    yield "ring at 4000 km", ring(500, 4e6)
    yield "metres", around(rng, 43.7, -79.4, 1e-5, 2000)
    yield "nanometres", around(rng, 43.7, -79.4, 1e-13, 2000)
    yield "meridian", (rng.uniform(-90, 90, 2000), np.full(2000, 10.0))


@pytest.mark.parametrize("index_type", INDEXES)
@pytest.mark.parametrize(("name", "points"), [pytest.param(*s, id=s[0]) for s in hard_sets()])
def test_hard_sets_have_the_scans_answers(index_type, name, points):
    """Near, on, opposite to and far from the points."""
    lat, lon = (np.ascontiguousarray(axis) for axis in points)
    rng = np.random.default_rng(len(name))
    picked = rng.integers(0, len(lat), 6)
    origin_lat = np.r_[lat[picked], -lat[picked[:2]], 44.0, 90.0, -90.0, 0.0, 10.0]
    opposite = np.where(lon[picked[:2]] > 0, lon[picked[:2]] - 180, lon[picked[:2]] + 180)
    origin_lon = np.r_[lon[picked], opposite, -79.0, 0.0, 50.0, 180.0, 10.0]
    passes = rng.random(len(lat)) < 0.1
    asked = (lat, lon, passes, (origin_lat, origin_lon), 7, math.inf)
    assert everything(index_type, *asked) == everything(ScanIndex, *asked)


@pytest.mark.parametrize("index_type", INDEXES)
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 4097])
def test_sizes_around_full_leaves_and_nodes(index_type, n):
    """And filters that let nothing, one or all pass; bits past the end do not count."""
    rng = np.random.default_rng(n)
    lat, lon = rng.uniform(42, 50, n), rng.uniform(-90, -75, n)
    origins = (np.array([44.0, -44.0]), np.array([-80.0, 100.0]))
    one = np.arange(n) == n // 2
    for passes in (np.zeros(n, bool), np.ones(n, bool), one):
        asked = (lat, lon, passes, origins, 5, math.inf)
        assert everything(index_type, *asked) == everything(ScanIndex, *asked)
    index = index_type(lat, lon)
    beyond = index.prepare(np.full((n + 7) // 8, 255, np.uint8))
    every = exact(index.nearest(44.0, -80.0, n + 3))
    assert exact(index.nearest(44.0, -80.0, n + 3, beyond)) == every


@pytest.mark.parametrize("index_type", INDEXES)
def test_a_filter_used_often_keeps_its_answers(index_type):
    """A filter may get a tree of its own once that pays."""
    rng = np.random.default_rng(9)
    lat, lon = rng.uniform(42, 50, 5000), rng.uniform(-90, -75, 5000)
    scan, index = ScanIndex(lat, lon), index_type(lat, lon)
    for share in (0.9, 0.1, 0.001):
        passes = rng.random(5000) < share
        ours, theirs = index.prepare(bits_for(index, passes)), scan.prepare(bits_for(scan, passes))
        truth = exact(scan.nearest(45.0, -80.0, 6, theirs))
        for _ in range(1000):
            assert exact(index.nearest(45.0, -80.0, 6, ours)) == truth
        answers, truth = (
            (exact(one.nearest_many(lat[:300], lon[:300], 3, prepared)),
             exact(one.within(45.0, -80.0, 50.0, prepared)))
            for one, prepared in ((index, ours), (scan, theirs))
        )  # fmt: skip
        assert answers == truth


@pytest.mark.parametrize("index_type", [ScanIndex, *INDEXES])
def test_bits_past_the_last_point_are_ignored_however_they_lie(index_type):
    lat, lon = np.linspace(43, 44, 13), np.full(13, -79.0)
    index = index_type(lat, lon)
    whole, none = np.full(2, 255, np.uint8), np.array([0, 0b1110_0000], np.uint8)
    for bits, found in ((whole, 13), (none, 0)):
        for one in (bits, np.repeat(bits, 2)[::2]):
            assert len(index.within(43.0, -79.0, 1000.0, index.prepare(one))[1]) == found


@needs_kernel
@pytest.mark.parametrize("many_at_once", [False, True])
def test_a_filter_that_few_points_pass_gets_a_tree_of_its_own_once_it_was_asked_often(many_at_once):
    n = 6400
    rng = np.random.default_rng(4)
    index = KernelIndex(rng.uniform(42, 50, n), rng.uniform(-90, -75, n))
    few, most = (index.prepare(bits_for(index, np.arange(n) < k)) for k in (128, n // 2 + 1))

    def ask(prepared, questions):
        if many_at_once:
            index.nearest_many(*np.full((2, questions), 45.0), 2, prepared)
        else:
            for _ in range(questions // 4):
                index.nearest(45.0, -80.0, 2, prepared)

    bitmap, of_most, everything = few._tree, most._tree, index.prepare(None)._tree
    # In a batch a question gains a fourth of what one alone does; the tree costs 50 + 64.
    ask(few, 100)
    assert few._tree is bitmap
    ask(few, 20)
    assert few._tree is not bitmap
    ask(most, 20_000)
    assert most._tree is of_most
    ask(None, 20_000)
    assert index.prepare(None)._tree is everything


def nearest_of_few(index_type, points, passes, origins, limit):
    """Answers to many origins at once, and the same written into small integers."""
    index = index_type(*points)
    answers, written = [], []
    for prepared in prepared_filters(index, passes):
        answer = index.nearest_many(*origins, 1, prepared, limit)
        out = np.empty(answer[0].shape), np.empty(answer[0].shape, np.int8)
        index.nearest_many(*origins, 1, prepared, limit, out=out)
        answers.append(exact(answer))
        written.append(exact((out[0], out[1].astype(np.intp))))
    return answers, written


@needs_kernel
@examples(0.5)
@given(
    world=worlds(),
    n=st.sampled_from([64, 65, 130]),
    limit=st.sampled_from([math.inf, 0.0, 3.0, 1000.0, 15000.0]),
)
def test_the_nearest_of_few_points_is_the_scans(world, n, limit):
    """So many origins at once that each point is held against all."""
    points, passes, origins = world
    some = np.resize(origins, (n, 2)) * np.linspace(1.0, 0.9, n)[:, None]
    asked = (points[:64].T, passes[:64], some.T, limit)
    answers, written = nearest_of_few(KernelIndex, *asked)
    assert answers == written == nearest_of_few(ScanIndex, *asked)[0]


@needs_kernel
@pytest.mark.parametrize(("name", "points"), [pytest.param(*s, id=s[0]) for s in hard_sets()])
def test_the_nearest_of_few_hard_points_is_the_scans(name, points):
    """Also from where all are as far away, but for centimetres."""
    lat, lon = (axis[:60] for axis in points)
    rng = np.random.default_rng(len(name))
    here = np.r_[np.full(40, 44.0) + rng.normal(0, 1e-7, 40), lat, rng.uniform(-90, 90, 90)]
    there = np.r_[np.full(40, -79.0) + rng.normal(0, 1e-7, 40), lon, rng.uniform(-180, 180, 90)]
    asked = ((lat, lon), rng.random(60) < 0.5, (here, there), math.inf)
    answers, written = nearest_of_few(KernelIndex, *asked)
    assert answers == written == nearest_of_few(ScanIndex, *asked)[0]


@pytest.mark.parametrize("index_type", [*INDEXES, pytest.param(ScanIndex, id="scan")])
def test_answers_are_written_where_they_are_wanted(index_type):
    """Into integers of any size; what does not fit is refused, and so is another shape."""
    rng = np.random.default_rng(3)
    index = index_type(rng.uniform(42, 50, 90), rng.uniform(-90, -75, 90))
    lat, lon = rng.uniform(41, 51, 70), rng.uniform(-91, -74, 70)
    truth = index.nearest_many(lat, lon, 3, None, 200.0)
    for kind in (np.int8, np.int16, np.int32, np.int64):
        out = np.empty((70, 3)), np.empty((70, 3), kind)
        answer = index.nearest_many(lat, lon, 3, None, 200.0, threads=2, out=out)
        assert answer[0] is out[0]
        assert answer[1] is out[1]
        np.testing.assert_array_equal(out, truth)
    km, position = out
    for wrong in (
        (km[:-1], position), (km, position[:, :2]), (km.astype(np.float32), position),
        (km, position.astype(np.uint8)), (np.asfortranarray(km), position),
        (km, position.astype(position.dtype.newbyteorder())), (np.broadcast_to(0.0, (70, 3)), position),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match="out="):
            index.nearest_many(lat, lon, 3, out=wrong)
    larger = index_type(np.full(129, 44.0), np.full(129, -79.0))
    with pytest.raises(InvalidInputError, match="can hold 128"):
        larger.nearest_many([44.0], [-79.0], 1, out=(np.empty((1, 1)), np.empty((1, 1), np.int8)))


@pytest.mark.parametrize("index_type", INDEXES)
def test_threads_do_not_change_a_byte(index_type):
    """One thread, two, sixty-four."""
    rng = np.random.default_rng(10)
    index = index_type(rng.uniform(42, 50, 3000), rng.uniform(-90, -75, 3000))
    lat, lon = rng.uniform(41, 51, 700), rng.uniform(-91, -74, 700)
    prepared = index.prepare(bits_for(index, rng.random(3000) < 0.3))
    serial = exact(index.nearest_many(lat, lon, 4, prepared, threads=1))
    for threads in (2, 64, None):
        assert exact(index.nearest_many(lat, lon, 4, prepared, threads=threads)) == serial


@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_is_shared_out_among_as_many_threads_as_are_wanted(threads):
    n = 50_000
    together = threading.Barrier(threads, timeout=60)
    busy, done = threading.local(), np.zeros(n, int)
    used: set[int] = set()

    def work(part):
        if not hasattr(busy, "begun"):
            busy.begun = True
            used.add(threading.get_ident())
            together.wait()
        done[part] += 1

    _share_out(work, n, threads)
    assert len(used) == threads
    assert (threading.get_ident() in used) == (threads == 1)
    assert (done == 1).all()


def test_a_batch_is_answered_where_no_thread_can_be_begun(monkeypatch):
    class Full(ThreadPoolExecutor):
        def submit(self, *given):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("ketafind.index.kernel.ThreadPoolExecutor", Full)
    done = np.zeros(3000, int)

    def work(part):
        done[part] += 1

    _share_out(work, 3000, 4)
    assert (done == 1).all()


@needs_kernel
@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.__setitem__(0, np.nan),
        lambda frame: frame.__setitem__(slice(0, 9), frame[:9] * (1 + 1e-7)),
        lambda frame: frame.__setitem__(slice(0, 9), 2.0 * frame[:9]),
        *(lambda frame, at=at: frame.__setitem__(at, 1.1e4) for at in (9, 10, 11)),
        *(lambda frame, at=at: frame.__setitem__(at, -1.1e4) for at in (9, 10, 11)),
        lambda frame: frame.__setitem__(9, np.nan),
        *(lambda frame, x=x: frame.__setitem__(4, x) for x in (np.nan, np.inf, -np.inf, 1e308)),
    ],
)
def test_a_stored_index_that_was_not_checked_has_a_frame_that_turns_and_a_centre_on_earth(change):
    stored = KernelIndex([43.0, 44.0], [-79.0, -80.0]).arrays
    assert KernelIndex.from_arrays(stored, verify=False).nearest(43.0, -79.0, 1)[1] == [0]
    frame = stored["frame"].copy()
    change(frame.reshape(-1))
    with pytest.raises(DirectoryFileError, match="no rotation"):
        KernelIndex.from_arrays(stored | {"frame": frame}, verify=False)
    assert not any(array.flags.writeable for array in stored.values())


class InterruptedBatchError(Exception):
    """What a handler of a signal raises."""


@needs_kernel
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_ends_when_it_is_interrupted(threads):
    """Long before all of its origins have been asked for, on threads too."""

    def interrupt(*_):
        raise InterruptedBatchError

    index = KernelIndex(np.full(20_000, 44.0), np.full(20_000, -79.0))  # a slow one: all are near
    n = 20_000
    out = np.empty((n, 1)), np.full((n, 1), -7, np.intp)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(InterruptedBatchError):  # noqa: PT012 - it may come at once
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            index.nearest_many(np.full(n, 44.1), np.full(n, -79.1), 1, threads=threads, out=out)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert (out[1] == -7).any()


@pytest.mark.parametrize("index_type", INDEXES)
def test_more_answers_than_an_array_can_hold_are_refused_before_memory_is_asked_for(index_type):
    index = index_type([43.0], [-79.0])
    with pytest.raises(
        InvalidInputError, match=r"k=\d+ for 2 origins is more than an array can hold"
    ):
        index.nearest_many([43.0, 44.0], [-79.0, -79.0], 2**62)


def test_processors_are_counted_where_a_system_does_not_say_which_may_be_used(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for counted, threads in ((3, 3), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda counted=counted: counted)
        assert threads_for(10_000_000) == threads
    assert threads_for(1) == 1


@needs_kernel
@examples(0.3)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([9, 65, 200, 700, 5000]),
    step=st.sampled_from([0.0, 1e-6, 1e-3, 0.03, 1.0]),
    k=st.sampled_from([1, 3, 5, 6, 7, 8, 32, 33, 64, 65]),
    start=st.sampled_from([(44.0, -79.0), (89.99, 0.0), (0.0, 179.99), (-44.0, 101.0)]),
)
def test_origins_close_together_have_the_answers_of_each_alone(seed, n, step, k, start):
    """A walk among points: what one origin leaves to the next never changes an answer."""
    rng = np.random.default_rng(seed)
    spread = rng.choice([0.01, 1.0, 40.0])
    lat, lon = (np.clip(start[0] + rng.normal(0, spread, n), -90, 90),
                (start[1] + rng.normal(0, spread, n) + 540) % 360 - 180)  # fmt: skip
    walk = np.cumsum(rng.normal(0, step, (2, 300)), axis=1)
    origins = (np.clip(start[0] + walk[0], -90, 90), (start[1] + walk[1] + 540) % 360 - 180)
    index = KernelIndex(lat, lon)
    for share in (1.0, 0.3):
        prepared = index.prepare(bits_for(index, rng.random(n) < share))
        distance_km, position = index.nearest_many(*origins, k, prepared, threads=1)
        for row, origin in enumerate(zip(*(axis.tolist() for axis in origins), strict=True)):
            alone = index.nearest(*origin, k, prepared)
            found = position[row] >= 0
            assert alone == (distance_km[row][found].tolist(), position[row][found].tolist())


@pytest.mark.parametrize("index_type", INDEXES)
def test_bad_questions_are_refused_as_by_the_scan(index_type):
    """The same error for the same fault."""
    scan, index = ScanIndex([43.0], [-79.0]), index_type([43.0], [-79.0])
    for ask in (
        *(lambda i, k=k: i.nearest(43.0, -79.0, k) for k in (0, -1, 1.5, math.nan, True, None)),
        *(lambda i, k=k: i.nearest_many([43.0], [-79.0], k) for k in (0, -1, 1.5, True)),
        *(lambda i, r=r: i.within(43.0, -79.0, r) for r in (-1.0, math.nan, True, None, "5")),
        *(lambda i, r=r: i.nearest(43.0, -79.0, 1, None, r) for r in (-1.0, math.nan, True)),
        *(lambda i, x=x: i.nearest(x, 0.0, 1) for x in (math.nan, math.inf, 91.0, True, None, "1")),
        *(lambda i, x=x: i.within(0.0, x, 1.0) for x in (math.nan, -math.inf, 181.0, False, "1")),
        lambda i: i.nearest_many([43.0, math.nan], [0.0, 0.0], 1),
        lambda i: i.nearest_many([43.0], [0.0, 0.0], 1),
        lambda i: i.nearest_many([43.0], [0.0], 1, threads=0),
        lambda i: i.nearest_many([43.0], [0.0], 1, threads=1.5),
        lambda i: i.prepare(np.zeros(2, np.uint8)),
        lambda i: i.prepare(np.zeros(1, np.int64)),
        lambda i: i.prepare("all"),
        lambda i: i.nearest(43.0, -79.0, 1, "all"),
        lambda i: i.nearest(43.0, -79.0, 1, type(i)([1.0], [1.0]).prepare(np.ones(1, np.uint8))),
        lambda i: type(i)([91.0], [0.0]),
        lambda i: type(i)(["43"], [0.0]),
    ):
        with pytest.raises((CoordinatesError, InvalidInputError)) as theirs:
            ask(scan)
        with pytest.raises(type(theirs.value)) as ours:
            ask(index)
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("index_type", INDEXES)
def test_numbers_of_other_types_are_read(index_type):
    """Integers and numpy's numbers are numbers."""
    index = index_type([43.0, 44.0], [-79.0, -79.0])
    truth = exact(index.nearest(43.0, -79.0, 1))
    assert exact(index.nearest(43, np.float32(-79), np.int8(1), None, 500)) == truth
    assert exact(index.within(np.int16(43), -79, 0)) == exact(index.within(43.0, -79.0, 0.0))


@pytest.mark.parametrize("index_type", INDEXES)
def test_an_index_is_pickled_whole(index_type):
    """For process pools."""
    rng = np.random.default_rng(11)
    index = index_type(rng.uniform(42, 50, 300), rng.uniform(-90, -75, 300))
    copy = pickle.loads(pickle.dumps(index))
    assert exact(copy.nearest(44.0, -80.0, 20)) == exact(index.nearest(44.0, -80.0, 20))
    np.testing.assert_array_equal(copy.order, index.order)


@pytest.mark.parametrize("index_type", [*INDEXES, pytest.param(ScanIndex, id="scan")])
def test_results_and_order_cannot_reach_the_index(index_type):
    """Writing to them fails or changes nothing."""
    index = index_type([43.0, 44.0], [-79.0, -79.0])
    with pytest.raises(ValueError, match="read-only"):
        index.order[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        index.order.flags.writeable = True
    with pytest.raises(AttributeError):
        index.order = np.array([1, 0])
    distance, position = index.nearest_many([43.0], [-79.0], 2)
    distance[:], position[:] = 0, 0
    assert index.nearest(43.0, -79.0, 2)[1] == [0, 1]


@needs_kernel
def test_the_default_index_is_the_fastest_there_is(monkeypatch):
    """The compiled one; the scan without a compiler, with the same order within a micrometre."""
    assert isinstance(default_index([43.0], [-79.0]), KernelIndex)
    rng = np.random.default_rng(12)
    lat, lon = rng.uniform(-90, 90, 2000), rng.uniform(-180, 180, 2000)
    compiled = geodesic_km(43.0, -79.0, lat, lon)
    monkeypatch.setattr("ketafind.index.compiled_core", lambda: None)
    monkeypatch.setattr("ketafind.index.kernel.compiled_core", lambda: None)
    monkeypatch.setattr("ketafind.geo.compiled_core", lambda: None)
    with pytest.warns(RuntimeWarning, match="without its compiled core: ScanIndex") as warned:
        assert isinstance(make_index()([43.0], [-79.0]), ScanIndex)
    assert warned[0].filename == __file__
    for build in (lambda: KernelIndex([43.0], [-79.0]), lambda: make_index("kernel")):
        with pytest.raises(InvalidInputError, match="without its compiled core"):
            build()
    assert np.abs(geodesic_km(43.0, -79.0, lat, lon) - compiled).max() < 3e-11


def test_where_no_compiler_could_help_the_scan_is_taken_without_a_word(monkeypatch):
    """In a browser."""
    monkeypatch.setattr("ketafind.index.compiled_core", lambda: None)
    monkeypatch.setattr("sys.platform", "emscripten")
    assert isinstance(default_index([43.0], [-79.0]), ScanIndex)


def test_only_the_tree_that_changes_needs_a_package(monkeypatch):
    """Which a browser has not."""
    monkeypatch.setitem(sys.modules, "rtree", None)
    monkeypatch.setitem(sys.modules, "rtree.index", None)
    assert make_index("scan") is ScanIndex
    with pytest.raises(MissingExtraError, match="rtree"):
        make_index("rtree")


def test_an_index_is_chosen_by_its_name():
    """Others are refused, with what there is."""
    assert make_index("scan") is ScanIndex
    assert make_index("rtree") is RTreeIndex
    assert make_index() is default_index
    if compiled_core() is not None:
        assert make_index("kernel") is KernelIndex
    for wrong in ("kd", "", ScanIndex, 1, True, ["scan"]):
        with pytest.raises(InvalidInputError, match='known: "kernel", "rtree", "scan"'):
            make_index(wrong)
