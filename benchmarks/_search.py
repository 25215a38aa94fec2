"""Workloads and peers for the search benchmarks: seeded, so that every run asks the same."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

Array = Any
K = 5
EARTH_DIAMETER_KM = 2 * 6371.0088
SHARES = {"all": 1.0, "10%": 0.1, "1%": 0.01, "0.1%": 0.001}


def ontario(n: int, seed: int, rural: float = 0.0) -> tuple[Array, Array]:
    """Points as dense as Ontario's postal codes; a share of them anywhere in the province."""
    from ketafind.geocoding.gazetteer import default_gazetteer

    codes = default_gazetteer().ontario
    rng = np.random.default_rng(seed)
    row = rng.integers(0, len(codes.lat), n)
    lat = codes.lat[row] * 1e-4 + rng.normal(0, 0.002, n)
    lon = codes.lon[row] * 1e-4 + rng.normal(0, 0.003, n)
    away = rng.random(n) < rural
    lat[away] = rng.uniform(42.0, 52.0, away.sum())
    lon[away] = rng.uniform(-92.0, -75.0, away.sum())
    return lat, lon


def world(n: int, seed: int, rural: float = 0.0) -> tuple[Array, Array]:
    """Half of the points anywhere on the globe, half in a thousand towns."""
    rng = np.random.default_rng(seed)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    lon = rng.uniform(-180, 180, n)
    towns = np.random.default_rng(1).uniform([-55, -180], [70, 180], (1000, 2))
    town = towns[rng.integers(0, 1000, n // 2)]
    lat[: n // 2] = town[:, 0] + rng.normal(0, 0.1, n // 2)
    lon[: n // 2] = (town[:, 1] + rng.normal(0, 0.1, n // 2) + 180) % 360 - 180
    away = np.flatnonzero(rng.random(n) < rural)
    lat[away] = np.degrees(np.arcsin(rng.uniform(-1, 1, len(away))))
    order = rng.permutation(n)
    return lat[order], lon[order]


def mask(n: int, share: float) -> Array:
    """Which points pass a filter."""
    return np.random.default_rng(17).random(n) < share if share < 1 else np.ones(n, bool)


FACETS = {"all": {}, "10%": {"route": "iv"}, "1%": {"condition": "ptsd"},
          "0.1%": {"staff": "psychiatrist"}}  # fmt: skip
"""What is asked of `directory` for each share."""


def directory(lat: Array, lon: Array) -> Any:
    """A directory whose clinics pass as `mask` says, each share by a facet of its own."""
    import pandas as pd

    import ketafind

    n = len(lat)
    passes = {share: mask(n, part) for share, part in SHARES.items()}
    frame = pd.DataFrame(
        {
            "clinic_id": [f"clinic-{row:07}" for row in range(n)],
            "name": "A",
            "lat": lat,
            "lon": lon,
            "routes": np.where(passes["10%"], "iv", "oral"),
            "conditions": np.where(passes["1%"], "ptsd", "ocd"),
            "staff": np.where(passes["0.1%"], "psychiatrist", "pharmacist"),
        }
    )
    return ketafind.Directory.from_frame(frame, check=False)


def unit(lat: Array, lon: Array) -> Array:
    """Vectors on the unit sphere."""
    lat, lon = np.radians(lat), np.radians(lon)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def unit_one(lat: float, lon: float) -> Array:
    """The same for one origin, without numpy's cost a call."""
    lat, lon = math.radians(lat), math.radians(lon)
    across = math.cos(lat)
    return np.array([[across * math.cos(lon), across * math.sin(lon), math.sin(lat)]])


class Ketafind:
    """Our index under a filter; threads in batch."""

    exact = True

    def __init__(self, lat: Array, lon: Array, passes: Array | None = None) -> None:
        from ketafind.index import KernelIndex

        self.index = KernelIndex(lat, lon)
        bits = None
        if passes is not None and not passes.all():
            bits = np.packbits(passes[self.index.order], bitorder="little")
        self.prepared = self.index.prepare(bits)

    def one(self, lat: float, lon: float) -> Any:
        return self.prepared.nearest(lat, lon, K)

    def many(self, lat: Array, lon: Array, threads: int | None = None) -> Any:
        return self.index.nearest_many(lat, lon, K, self.prepared, threads=threads)


class Peer:
    """A tree over the points that pass, built beforehand.

    `bare` is its own answer to one question and `bare_many` to many; `one` and `many` are what
    ketafind answers: kilometres and positions among all points.
    """

    exact = False

    def __init__(self, lat: Array, lon: Array, passes: Array | None = None) -> None:
        keep = np.ones(len(lat), bool) if passes is None else passes
        self.position = np.flatnonzero(keep)
        self.lat, self.lon = np.ascontiguousarray(lat[keep]), np.ascontiguousarray(lon[keep])
        self.build()

    def build(self) -> None:
        raise NotImplementedError

    def bare(self, lat: float, lon: float) -> Any:
        raise NotImplementedError

    def one(self, lat: float, lon: float) -> Any:
        return self.bare(lat, lon)

    def bare_many(self, lat: Array, lon: Array) -> Any:
        raise NotImplementedError

    def many(self, lat: Array, lon: Array) -> Any:
        return self.bare_many(lat, lon)


class OnSphere(Peer):
    """A tree of vectors on the unit sphere."""

    def build(self) -> None:
        self.tree = self.grow(unit(self.lat, self.lon))

    @staticmethod
    def grow(vectors: Array) -> Any:
        raise NotImplementedError

    def one(self, lat: float, lon: float) -> Any:
        chord, found = self.bare(lat, lon)
        return EARTH_DIAMETER_KM * np.arcsin(chord * 0.5), self.position[found]

    def many(self, lat: Array, lon: Array) -> Any:
        chord, found = self.bare_many(lat, lon)
        chord *= 0.5
        np.arcsin(chord, out=chord)
        chord *= EARTH_DIAMETER_KM
        return chord, self.position[found]


class PyKDTree(OnSphere):
    """All processors in batch."""

    @staticmethod
    def grow(vectors: Array) -> Any:
        from pykdtree.kdtree import KDTree

        return KDTree(vectors)

    def bare(self, lat: float, lon: float) -> Any:
        return self.tree.query(unit_one(lat, lon), k=K)

    def bare_many(self, lat: Array, lon: Array) -> Any:
        return self.tree.query(unit(lat, lon), k=K)


class PyNanoflann(OnSphere):
    """Two threads in batch."""

    @staticmethod
    def grow(vectors: Array) -> Any:
        from pynanoflann import KDTree

        tree = KDTree(n_neighbors=K, metric="L2")
        tree.fit(vectors)
        return tree

    def bare(self, lat: float, lon: float) -> Any:
        return self.tree.kneighbors(unit_one(lat, lon))

    def bare_many(self, lat: Array, lon: Array) -> Any:
        return self.tree.kneighbors(unit(lat, lon), n_jobs=2)


class ScipySphere(OnSphere):
    """Two workers in batch."""

    @staticmethod
    def grow(vectors: Array) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(vectors)

    def bare(self, lat: float, lon: float) -> Any:
        return self.tree.query(unit_one(lat, lon), k=K)

    def bare_many(self, lat: Array, lon: Array) -> Any:
        return self.tree.query(unit(lat, lon), k=K, workers=2)


class ScipyPyproj(Peer):
    """Two candidates more from the sphere, ranked by pyproj's geodesic: right in practice."""

    exact = True

    def build(self) -> None:
        from pyproj import Geod

        self.tree = ScipySphere.grow(unit(self.lat, self.lon))
        self.geod = Geod(ellps="WGS84")
        self.wanted = min(K + 2, len(self.lat))

    def bare(self, lat: float, lon: float) -> Any:
        return self.refine(np.array([lat]), np.array([lon]), 1)

    def bare_many(self, lat: Array, lon: Array) -> Any:
        return self.refine(lat, lon, 2)

    def refine(self, lat: Array, lon: Array, workers: int) -> Any:
        _, found = self.tree.query(unit(lat, lon), k=self.wanted, workers=workers)
        found = found.reshape(len(lat), -1)
        side = found.shape[1]
        metres = self.geod.inv(
            np.repeat(lon, side), np.repeat(lat, side),
            self.lon[found].ravel(), self.lat[found].ravel(),
        )[2].reshape(found.shape)  # fmt: skip
        order = np.argsort(metres, axis=1)[:, :K]
        found = np.take_along_axis(found, order, 1)
        return np.take_along_axis(metres, order, 1) * 1e-3, self.position[found]


class BallTree(Peer):
    """scikit-learn's haversine."""

    def build(self) -> None:
        from sklearn.neighbors import BallTree as Tree

        self.tree = Tree(np.radians(np.column_stack([self.lat, self.lon])), metric="haversine")

    def bare(self, lat: float, lon: float) -> Any:
        return self.tree.query(np.array([[math.radians(lat), math.radians(lon)]]), k=K)

    def bare_many(self, lat: Array, lon: Array) -> Any:
        return self.tree.query(np.radians(np.column_stack([lat, lon])), k=K)


class STRTree(Peer):
    """shapely, in planar degrees; the one nearest only."""

    def build(self) -> None:
        import shapely

        self.tree = shapely.STRtree(shapely.points(self.lon, self.lat))
        self.points = shapely.points

    def bare(self, lat: float, lon: float) -> Any:
        return self.tree.query_nearest(self.points(lon, lat))

    def bare_many(self, lat: Array, lon: Array) -> Any:
        return self.tree.query_nearest(self.points(lon, lat))


class SjoinNearest(Peer):
    """geopandas, projected for Ontario; the one nearest only, in batch only."""

    def build(self) -> None:
        self.frame = self.project(self.lat, self.lon)

    def project(self, lat: Array, lon: Array) -> Any:
        import geopandas

        return geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(lon, lat, crs=4326)).to_crs(
            3347
        )

    def bare_many(self, lat: Array, lon: Array) -> Any:
        return self.project(lat, lon).sjoin_nearest(self.frame, distance_col="metres")


class RTree(Peer):
    """rtree in planar degrees."""

    def build(self) -> None:
        from rtree.index import Index

        corners = np.column_stack([self.lon, self.lat])
        self.tree = Index((np.arange(len(self.lat)), corners, corners))

    def bare(self, lat: float, lon: float) -> Any:
        return list(self.tree.nearest((lon, lat, lon, lat), K))


def spread(ratios: Any) -> str:
    """The median, and the least and the most."""
    return f"{median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def timed(ask: Callable[[], Any]) -> float:
    """Seconds that one call takes."""
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def each_ns(ask: Callable[[float, float], Any], origins: list[tuple[float, float]]) -> list[int]:
    """Nanoseconds of each call."""
    clock, taken = time.perf_counter_ns, []
    for lat, lon in origins:
        begun = clock()
        ask(lat, lon)
        taken.append(clock() - begun)
    return taken
