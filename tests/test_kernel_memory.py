"""The compiled core checks what its safety depends on, and keeps no memory."""

from __future__ import annotations

import gc
import os
import sys

import numpy as np
import pytest

from ketafind.geo import compiled_core

core = compiled_core()
pytestmark = pytest.mark.skipif(core is None, reason="installed without a C compiler")
INFINITY = float("inf")


def empty(n):
    types = (np.float64, np.int32, np.float32, np.float64)
    return [np.zeros(size, kind) for size, kind in zip(core.sizes(n), types, strict=True)]


def built(n=100):
    rng = np.random.default_rng(1)
    arrays = empty(n)
    core.build(rng.uniform(42, 50, n), rng.uniform(-90, -75, n), *arrays, 1)
    return core.Tree(*arrays, n), arrays


def test_sizes_are_checked_before_anything_is_touched():
    """Too small, too large, of another type, strided, read-only, or too few arguments."""
    lat = np.zeros(100)
    good = empty(100)
    for place, array in enumerate(good):
        doubled = np.r_[array, array]
        for wrong in (doubled, array.astype("i1"), array[::2], None, 1):
            arrays = [*good[:place], wrong, *good[place + 1 :]]
            with pytest.raises((TypeError, ValueError, BufferError)):
                core.build(lat, lat, *arrays, 1)
            with pytest.raises((TypeError, ValueError, BufferError)):
                core.Tree(*arrays, 100)
    fixed = good[0].copy()
    fixed.flags.writeable = False
    for arguments in (
        (lat, lat, fixed, *good[1:], 1),
        (lat[:-1], lat, *good, 1),
        (lat, lat[:-1], *good, 1),
        *((lat, lat, *good, threads) for threads in (0, -1, 65, 2**80, None)),
        (lat, lat, *good),
        (lat, lat),
        (),
    ):
        with pytest.raises((TypeError, ValueError, BufferError, OverflowError)):
            core.build(*arguments)
    for n in (-1, 2**31, 2**80, 1.5, None):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            core.sizes(n)


def test_builders_side_by_side_lay_out_the_same_tree():
    """Whatever their number; with many points on one coordinate too."""
    rng = np.random.default_rng(2)
    n = 200_000
    lat, lon = rng.uniform(42, 50, n), rng.uniform(-90, -75, n)
    lat[: n // 3], lon[: n // 3] = 44.0, -79.0
    trees = []
    for threads in (1, 2, 3, 64):
        arrays = empty(n)
        core.build(lat, lon, *arrays, threads)
        trees.append([array.tobytes() for array in arrays])
    assert all(tree == trees[0] for tree in trees)


def test_bytes_at_odd_addresses_are_refused():
    """Reading them as doubles is undefined."""
    tree, _ = built()
    odd = np.zeros(33, np.uint8)[1:].view(np.float64)
    if odd.ctypes.data % 8 == 0:
        odd = np.zeros(40, np.uint8)[2:34].view(np.float64)
    with pytest.raises(TypeError, match="aligned"):
        tree.nearest_many(odd, odd, np.zeros((4, 1)), np.zeros((4, 1), np.intp), 1, INFINITY)


def test_questions_with_wrong_arrays_are_refused():
    """Rows that do not fit, a k that is none, limits that are none."""
    tree, arrays = built()
    lat, km, position = np.zeros(4), np.zeros((4, 2)), np.zeros((4, 2), np.intp)
    tree.nearest_many(lat, lat, km, position, 2, INFINITY)
    for arguments in (
        (lat[:3], lat, km, position, 2, INFINITY),
        (lat, lat[:3], km, position, 2, INFINITY),
        (lat, lat, km[:3], position, 2, INFINITY),
        (lat, lat, km, position[:3], 2, INFINITY),
        (lat, lat, km, position, 3, INFINITY),
        (lat, lat, km, position, 0, INFINITY),
        (lat, lat, km, position, -2, INFINITY),
        (lat, lat, km, position, 2**62, INFINITY),
        (lat, lat, km, position, 2**80, INFINITY),
        (lat, lat, km, position, 2, float("nan")),
        (lat, lat, km, position, 2, -1.0),
        (lat, lat, km, position.astype(np.uint64), 2, INFINITY),
        (lat, lat, km, position.astype(np.float32), 2, INFINITY),
        (lat, lat, km, position, 2),
        (None, lat, km, position, 2, INFINITY),
    ):
        with pytest.raises((TypeError, ValueError, OverflowError, BufferError)):
            tree.nearest_many(*arguments)
    for arguments in (
        (44.0, -80.0, -1.0),
        (44.0, -80.0, float("nan")),
        (float("nan"), -80.0, 1.0),
        (90.5, -80.0, 1.0),
        (44.0, 181.0, 1.0),
        (44, -80.0, 1.0),
        (44.0, None, 1.0),
        (44.0, -80.0),
        (lat, lat, 1.0),
    ):
        with pytest.raises((TypeError, ValueError)):
            tree.within(*arguments)
    for bits in (np.zeros(12, np.uint8), np.zeros(13, np.int8), b"", None):
        with pytest.raises((TypeError, ValueError)):
            tree.filtered(bits)
    for wrong in ([arrays[0][:-1], *arrays[1:]], arrays[:3], [None] * 4):
        with pytest.raises((TypeError, ValueError, BufferError)):
            tree.compact(*wrong)
    with pytest.raises((TypeError, ValueError)):
        core.distance(lat, lat, lat, lat[:3], np.zeros(4))
    with pytest.raises(TypeError, match="keywords"):
        core.Tree(*arrays, 100, name=1)


def test_positions_go_into_integers_that_can_hold_them():
    """Of any size; no number wraps round."""
    tree, _ = built(200)
    lat, km, position = np.full(70, 44.0), np.zeros((70, 2)), np.zeros((70, 2), np.intp)
    tree.nearest_many(lat, -lat, km, position, 2, INFINITY)
    for kind in (np.int16, np.int32, np.int64):
        narrow = np.zeros((70, 2), kind)
        tree.nearest_many(lat, -lat, km, narrow, 2, INFINITY)
        assert np.array_equal(narrow, position)
    with pytest.raises(ValueError, match="sizes"):
        tree.nearest_many(lat, -lat, km, position.astype(np.int8), 2, INFINITY)
    tree, _ = built(128)
    tree.nearest_many(lat, -lat, km, np.zeros((70, 2), np.int8), 2, INFINITY)


def test_origins_that_are_no_plain_numbers_are_left_to_the_caller():
    """The core answers None rather than guess."""
    tree, _ = built()
    for arguments in (
        (43, -79.0, 1, INFINITY),
        (float("nan"), -79.0, 1, INFINITY),
        (90.1, -79.0, 1, INFINITY),
        (43.0, -INFINITY, 1, INFINITY),
        (43.0, -79.0, 0, INFINITY),
        (43.0, -79.0, True, INFINITY),
        (43.0, -79.0, -(2**80), INFINITY),
        (43.0, -79.0, 1, -1.0),
        (43.0, -79.0, 1, None),
    ):
        assert tree.nearest(*arguments) is None
    everything = tree.nearest(43.0, -79.0, 2**80, INFINITY)
    assert len(everything[1]) == 100
    nothing = tree.filtered(np.zeros(13, np.uint8))
    assert nothing.nearest(43.0, -79.0, 2**80, INFINITY) == ([], [])
    assert nothing.within(43.0, -79.0, INFINITY) == (b"", b"")


def test_arrays_stay_as_long_as_a_tree_looks_at_them():
    """A filtered tree holds the whole one, which holds its arrays."""
    tree, arrays = built()
    points = arrays[0]
    before = sys.getrefcount(points)
    filtered = tree.filtered(np.full(13, 255, np.uint8)).filtered(np.full(13, 1, np.uint8))
    del tree
    gc.collect()
    held = sys.getrefcount(points)
    assert held == before
    assert filtered.count == 13
    assert len(filtered.nearest(43.0, -79.0, 99, INFINITY)[0]) == 13
    del filtered
    gc.collect()
    held = sys.getrefcount(points)
    assert held == before - 1


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 1.0])
def test_points_that_are_no_numbers_are_laid_out_and_asked_for(share):
    """As an unverified file may hold them: nothing else is touched, and every call ends."""
    rng = np.random.default_rng(3)
    n = 5000
    tree, arrays = built(n)
    lat, lon = rng.uniform(42, 50, 100), rng.uniform(-90, -75, 100)
    before = tree.nearest(44.0, -80.0, n, INFINITY)[1]
    for wrong in (np.nan, np.inf, -1e300, None):
        points = arrays[0]
        some = rng.random(len(points)) < share
        points[some] = (
            rng.choice([np.nan, np.inf, 1e300, 7.0], some.sum()) if wrong is None else wrong
        )
        small = empty(tree.count)
        tree.compact(*small)
        assert sorted(small[1].tolist()) == sorted(before)
        for one in (tree, core.Tree(*small, n)):
            km, position = np.zeros((100, 40)), np.zeros((100, 40), np.intp)
            one.nearest_many(lat, lon, km, position, 40, INFINITY)
            assert ((position >= -1) & (position < n)).all()
            assert set(one.nearest(44.0, -80.0, n, INFINITY)[1]) <= set(before)
            one.within(44.0, -80.0, INFINITY)


def test_refused_arguments_release_what_was_taken():
    """No buffer stays exported after an error."""
    tree, _ = built()
    lat, km = bytearray(32), bytearray(64)
    for _ in range(3):
        with pytest.raises(TypeError):
            tree.nearest_many(lat, lat, km, km, 2, INFINITY)
    lat.append(0)
    km.append(0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_and_descriptors_stay_flat():
    """Thousands of trees, filters, questions and refusals leave nothing behind."""
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(42, 50, 2000), rng.uniform(-90, -75, 2000)
    km, position = np.zeros((2000, 80)), np.zeros((2000, 80), np.intp)
    arrays = empty(2000)
    bits = rng.integers(0, 256, 250, dtype=np.uint8)

    def everything():
        core.build(lat, lon, *arrays, 1)
        tree = core.Tree(*arrays, 2000).filtered(bits)
        tree.nearest_many(lat[:20], lon[:20], km[:20], position[:20], 80, INFINITY)
        tree.within(44.0, -80.0, 1000.0)
        for _ in range(20):
            tree.nearest(44.0, -80.0, 5, INFINITY)
            tree.nearest(44.0, -80.0, 500, INFINITY)
        with pytest.raises(ValueError, match="sizes"):
            tree.filtered(bits[:3])

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    for _ in range(100):
        everything()
    growths = []
    for _ in range(3):  # a leak shows in each, what else the process does in one or other
        before = resident()
        for _ in range(400):
            everything()
        growths.append(resident() - before)
    # An allocator that watches for errors keeps freed memory for a while.
    allowed = 64 << 20 if "asan" in os.environ.get("LD_PRELOAD", "") else 2 << 20
    assert min(growths) < allowed
