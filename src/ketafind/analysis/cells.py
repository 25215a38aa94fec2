"""Voronoi cells on the ellipsoid: the land that is nearer to one place than to any other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.analysis.reach import ECCENTRICITY_2
from ketafind.errors import InvalidInputError
from ketafind.index.protocol import Floats
from ketafind.optional import require

__all__ = ["WIDEST_KM", "cells"]

WIDEST_KM = 5000.0
"""Places and region must lie within this distance of their middle."""

STEP_DEGREES = 0.1
"""Borders are cut into pieces of this length: 11 km, which stray from the arc by 3 metres."""

Vectors = npt.NDArray[np.float64]


def cells(lat: Floats, lon: Floats, region: Any) -> list[Any]:
    """Cut a region into the cells of places.

    Parameters
    ----------
    lat, lon : ndarray of float64, shape (n,)
        Places in decimal degrees, no two of them equal.
    region : shapely Polygon or MultiPolygon
        In (lon, lat) degrees, not across the antimeridian.

    Returns
    -------
    list of shapely geometry
        One a place, in (lon, lat) degrees; empty where the region lies outside the cell.

    Raises
    ------
    InvalidInputError
        If places and region are too wide apart.
    MissingExtraError
        If SciPy is not installed (extra ``geo``).

    Notes
    -----
    A spherical Voronoi diagram (`scipy.spatial.SphericalVoronoi`) of the conformal latitudes, in
    which the ellipsoid keeps its angles.
    """
    spatial = require("scipy.spatial", "geo")
    import shapely

    sites = _vectors(lat, lon)
    fine = shapely.segmentize(region, STEP_DEGREES)
    corners = shapely.get_coordinates(fine)
    outline = _vectors(corners[:, 1], corners[:, 0])
    middle = np.vstack([sites, outline]).mean(axis=0)
    middle /= np.linalg.norm(middle)
    widest = math.acos(float(np.clip(np.vstack([sites, outline]) @ middle, -1.0, 1.0).min()))
    if widest * 6371.0 > WIDEST_KM:
        raise InvalidInputError(
            f"places and region lie up to {widest * 6371.0:,.0f} km from their middle; catchments "
            f"are drawn up to {WIDEST_KM:,.0f} km: give a smaller region= or fewer clinics"
        )
    basis = _basis(middle)
    # Places a centimetre apart are two; what the default takes for one lies 6 metres apart.
    diagram = spatial.SphericalVoronoi(np.vstack([sites, _guards(basis)]), threshold=1e-9)
    diagram.sort_vertices_of_regions()
    plane = shapely.transform(fine, lambda xy: _project(_vectors(xy[:, 1], xy[:, 0]), basis))
    return [_cell(diagram.vertices[diagram.regions[at]], plane, basis) for at in range(len(sites))]


def _cell(corners: Vectors, plane: Any, basis: Vectors) -> Any:
    import shapely

    ring = np.vstack([_arc(a, b) for a, b in pairwise([*corners, corners[0]])])
    cell = shapely.intersection(shapely.make_valid(shapely.Polygon(_project(ring, basis))), plane)
    areas = [part for part in shapely.get_parts(cell, return_index=False) if part.area > 0.0]
    flat = areas[0] if len(areas) == 1 else shapely.MultiPolygon(_polygons(areas))
    return shapely.transform(flat, lambda xy: _degrees(_lift(xy, basis)))


def _polygons(parts: Sequence[Any]) -> list[Any]:
    return [part for part in parts if part.geom_type == "Polygon"]


def _guards(basis: Vectors) -> Vectors:
    """Three places 150 degrees away: with them the diagram exists for one place, too."""
    far = math.radians(150.0)
    turns = np.radians([0.0, 120.0, 240.0])
    around = np.outer(np.cos(turns), basis[0]) + np.outer(np.sin(turns), basis[1])
    return np.asarray(math.cos(far) * basis[2] + math.sin(far) * around)


def _arc(start: Vectors, stop: Vectors) -> Vectors:
    """Points along the great circle, without the last."""
    angle = math.atan2(float(np.linalg.norm(np.cross(start, stop))), float(start @ stop))
    n = max(1, math.ceil(math.degrees(angle) / STEP_DEGREES))
    part = np.arange(n)[:, None] / n
    if n == 1:
        return start[None, :]
    return np.asarray(
        (np.sin((1.0 - part) * angle) * start + np.sin(part * angle) * stop) / math.sin(angle)
    )


def _basis(middle: Vectors) -> Vectors:
    """Two directions across and the middle itself."""
    least = np.eye(3)[int(np.argmin(np.abs(middle)))]
    across = np.cross(middle, least)
    across /= np.linalg.norm(across)
    return np.array([across, np.cross(middle, across), middle])


def _project(vectors: Vectors, basis: Vectors) -> Vectors:
    """Stereographic: one plane for all but the far end of the earth."""
    turned = vectors @ basis.T
    return np.asarray(turned[:, :2] / (1.0 + turned[:, 2:]))


def _lift(flat: Vectors, basis: Vectors) -> Vectors:
    square = (flat * flat).sum(axis=1, keepdims=True)
    turned = np.hstack([2.0 * flat, 1.0 - square]) / (1.0 + square)
    return np.asarray(turned @ basis)


def _vectors(lat: Floats, lon: Floats) -> Vectors:
    """Unit vectors of the conformal latitude."""
    sine = np.sin(np.radians(lat))
    eccentricity = math.sqrt(ECCENTRICITY_2)
    conformal = np.tanh(np.arctanh(sine) - eccentricity * np.arctanh(eccentricity * sine))
    cosine = np.sqrt(np.maximum(0.0, 1.0 - conformal * conformal))
    east = np.radians(lon)
    return np.stack([cosine * np.cos(east), cosine * np.sin(east), conformal], axis=-1)


def _degrees(vectors: Vectors) -> Vectors:
    """(lon, lat) of unit vectors of the conformal latitude."""
    conformal = np.arctanh(np.clip(vectors[:, 2], -1.0, 1.0))
    eccentricity = math.sqrt(ECCENTRICITY_2)
    sine = np.tanh(conformal)
    for _ in range(8):  # each round gains two digits
        sine = np.tanh(conformal + eccentricity * np.arctanh(eccentricity * sine))
    east = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0]))
    return np.stack([east, np.degrees(np.arcsin(sine))], axis=-1)
