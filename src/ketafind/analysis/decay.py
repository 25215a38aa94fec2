"""How care counts less with distance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketafind.errors import InvalidInputError
from ketafind.index.checks import check_limit
from ketafind.index.protocol import Floats

__all__ = ["Decay", "Rings", "Smooth", "read_decay"]


@dataclass(frozen=True, slots=True)
class Rings:
    """Weights that fall in steps.

    Parameters
    ----------
    edges_km : ndarray of float64
        Outer ends, rising; a distance exactly at one is inside.
    weights : ndarray of float64
        One a ring; beyond the last ring nothing counts.
    """

    edges_km: Floats
    weights: Floats


@dataclass(frozen=True, slots=True)
class Smooth:
    """Weights that fall with every metre.

    Parameters
    ----------
    limit_km : float
        Nothing farther counts; a distance exactly there does.
    weigh : callable
        From an array of kilometres to weights.
    """

    limit_km: float
    weigh: Callable[[Floats], Floats]


Decay = Rings | Smooth

RINGS = (1.0, 0.68, 0.22)
"""Weights of three equal rings; W. Luo and Y. Qi, Health & Place 15 (2009) 1100."""

METHODS = ("2sfca", "e2sfca", "gravity")


def read_decay(method: str, decay: Any, catchment_km: float) -> Decay:
    """Choose how weight falls with distance.

    Parameters
    ----------
    method : str
        One of ``"2sfca"``, ``"e2sfca"``, ``"gravity"``.
    decay : str, mapping of float to float, callable or None
        ``"gaussian"``, ``"exponential"``; upper ends of rings in kilometres to their weights; or
        a function of an array of kilometres. None for the method's own.
    catchment_km : float
        Nothing farther counts.

    Returns
    -------
    Decay
        For distances up to the catchment.

    Raises
    ------
    InvalidInputError
        If there is no such method or decay.
    """
    if method not in METHODS:
        raise InvalidInputError(f"method={method!r}: choose {', '.join(map(repr, METHODS))}")
    if method == "2sfca":
        if decay is not None:
            raise InvalidInputError('"2sfca" knows no decay; choose "e2sfca" for one')
        return Rings(np.array([catchment_km]), np.ones(1))
    if decay is None:
        decay = "gaussian" if method == "gravity" else _thirds(catchment_km)
    if isinstance(decay, Mapping):
        return _rings(decay, catchment_km)
    # In a catchment of 0 every distance is 0.
    end_km = catchment_km or 1.0
    if isinstance(decay, str) and decay == "gaussian":
        return Smooth(catchment_km, lambda km: _gaussian(km / end_km))
    if isinstance(decay, str) and decay == "exponential":
        return Smooth(catchment_km, lambda km: np.exp(-km / end_km))
    if callable(decay):
        return Smooth(catchment_km, lambda km: _checked(decay(km), km))
    raise InvalidInputError(
        f"decay={decay!r}: choose 'gaussian', 'exponential', a mapping of kilometres to weights "
        f"or a function of an array of kilometres"
    )


def _thirds(catchment_km: float) -> dict[float, float]:
    return {catchment_km * (ring + 1) / 3: weight for ring, weight in enumerate(RINGS)}


def _rings(decay: Mapping[float, float], catchment_km: float) -> Rings:
    if not decay:
        raise InvalidInputError("decay is empty: give the upper end of each ring and its weight")
    rings = {
        min(check_limit(end, "the end of a ring"), catchment_km): check_limit(
            decay[end], "the weight of a ring"
        )
        # The inmost of several rings that the catchment cuts is the one that counts.
        for end in sorted(
            decay, key=lambda end: check_limit(end, "the end of a ring"), reverse=True
        )
    }
    edges = sorted(rings)
    return Rings(np.array(edges), np.array([rings[edge] for edge in edges]))


def _gaussian(part: Floats) -> Floats:
    """1 here, 0 at the catchment's end; D. Dai, Health & Place 16 (2010) 1038."""
    floor = np.exp(-0.5)
    height = (np.exp(-0.5 * part * part) - floor) / (1.0 - floor)
    return np.asarray(np.maximum(0.0, height))


def _checked(weights: Any, km: Floats) -> Floats:
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != km.shape or not (array >= 0.0).all() or not np.isfinite(array).all():
        raise InvalidInputError(
            "decay must return one finite weight, 0 or more, for each distance it is given"
        )
    return array
