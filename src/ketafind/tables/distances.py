"""Distances in words, with their doubt where it matters."""

from __future__ import annotations

import math

from ketafind.records import CITY_LEVEL

__all__ = ["distance_text", "interval_matters", "outwards"]

# Of finer positions nothing is said: the doubt may be the origin's.
_REMARKS = {"unknown": "position uncertain", **dict.fromkeys(CITY_LEVEL, "city only")}


def distance_text(
    distance_km: float | None,
    low_km: float | None = None,
    high_km: float | None = None,
    precision: str | None = None,
) -> str:
    """Write a distance as a person reads it: ``"2.3 km"``, or ``"0 to 9 km, city only"``.

    The interval is written instead of the distance where it matters: where the clinic is known to
    its city only, or where the interval is wider than 1 km and than a fifth of the distance. The
    lower bound is rounded down and the upper one up, so that what is printed holds what is meant.

    Parameters
    ----------
    distance_km : float or None
        Straight-line kilometres; None or NaN where there is no position.
    low_km, high_km : float or None
        The 90 % interval; None for none.
    precision : str or None
        How precisely the clinic is known, one of `ketafind.records.PRECISIONS`; says why.

    Returns
    -------
    str
        Below 10 km to the tenth, else whole kilometres; ``"no position"`` where there is none.
    """
    if distance_km is None or math.isnan(distance_km):
        return "no position"
    if (
        low_km is None
        or high_km is None
        or not interval_matters(distance_km, low_km, high_km, precision)
    ):
        return f"{_rounded(distance_km)} km"
    low, high, places = outwards(low_km, high_km)
    remark = _REMARKS.get(precision or "")
    return f"{low:,.{places}f} to {high:,.{places}f} km" + (f", {remark}" if remark else "")


def interval_matters(
    distance_km: float, low_km: float, high_km: float, precision: str | None = None
) -> bool:
    """Tell whether an interval says what the distance alone would hide.

    Parameters
    ----------
    distance_km : float
        Straight-line kilometres.
    low_km, high_km : float
        The 90 % interval.
    precision : str or None
        How precisely the clinic is known.

    Returns
    -------
    bool
        True where the clinic is known to its city only, or where the interval is wider than 1 km
        and than a fifth of the distance.
    """
    width = high_km - low_km
    if precision in CITY_LEVEL:
        return width > 0.0
    return width > max(1.0, 0.2 * distance_km)


def _rounded(number: float) -> str:
    # 9.96 is 10, not 10.0.
    return f"{number:.1f}" if number < 9.95 else f"{number:,.0f}"


def outwards(low_km: float, high_km: float) -> tuple[float, float, int]:
    """Round an interval so that what is printed holds what is meant.

    Parameters
    ----------
    low_km, high_km : float
        The interval.

    Returns
    -------
    low_km, high_km : float
        The lower bound rounded down, the upper one up.
    places : int
        How many decimals to print.
    """
    # A hair's breadth of float error must not turn 9 into 10.
    if high_km < 2.0:
        return math.floor(low_km * 10 + 1e-6) / 10, math.ceil(high_km * 10 - 1e-6) / 10, 1
    return math.floor(low_km + 1e-6), math.ceil(high_km - 1e-6), 0
