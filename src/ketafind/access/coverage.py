"""How many are within reach of a clinic, and who is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.access.demand import (
    LEVELS,
    both_filters,
    check_thresholds,
    nearest_km,
    read_demand,
)
from ketafind.errors import InvalidInputError
from ketafind.geo import micrometres
from ketafind.join.columns import clinic_texts
from ketafind.join.frames import Codes, Column, Frame
from ketafind.join.origins import Source, check_prefix

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter


ADDED = {"threshold_km", "total", "without_position"}
ADDED |= {f"{part}_{level}" for part in ("covered", "share") for level in LEVELS}


def coverage(
    origins: Any,
    directory: Directory,
    *,
    thresholds_km: float | Sequence[float] = (10.0, 25.0, 50.0, 100.0, 200.0),
    weight: str | None = None,
    by: str | Sequence[str] | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | None = None,
    check: bool = True,
    **facets: Any,
) -> pd.DataFrame:
    """Measure how many origins have a clinic within given distances.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        One row a person, place or area; None for the postal codes of Ontario, a proxy: see
        `ontario_postal_codes`.
    directory : Directory
        The clinics.
    thresholds_km : float or sequence of float
        Distances in kilometres, each included.
    weight : str, optional
        A column that says how much a row counts; None for one each.
    by : str or sequence of str, optional
        Columns to group by; a missing value is a group of its own.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, check
        As in `nearest_join`.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    pandas.DataFrame
        One row for each group and threshold: ``total`` (the weight of rows with a position),
        ``without_position`` (of the rest, which count nowhere else), ``covered_confirmed`` and
        ``covered_possible``, ``share_confirmed`` and ``share_possible``. The interval runs from
        confirmed supply only to all that is possible. A share of nothing is 0. ``attrs`` holds
        the directory's ``snapshot`` and ``n_unlocated``, the clinics without a position that
        may satisfy the criteria and count nowhere.

    Raises
    ------
    InvalidInputError
        If a frame, a column or an argument cannot be used, or a weight is missing or negative.
    CoordinatesError
        If a row is not a position on earth or implausible; names it without its digits.

    Examples
    --------
    >>> import ketafind as kf
    >>> reach = kf.coverage(None, kf.load_directory(), thresholds_km=100, routes="iv")
    >>> bool(0 < reach["share_confirmed"].item() <= reach["share_possible"].item() <= 1)
    True
    """
    import pandas as pd

    limits = check_thresholds(thresholds_km)
    demand = read_demand(origins, Source(lat, lon, geometry, address), weight)
    names, group, labels = _groups(demand.frame, by)
    eligible = both_filters(directory, where, facets)
    counted = np.where(demand.located, demand.weight, 0.0)
    total = _sums(group, counted, len(labels))
    without = _sums(group, demand.weight - counted, len(labels))
    table: dict[str, Any] = {name: np.repeat(labels[name].array, len(limits)) for name in names}
    table["threshold_km"] = np.tile(limits, len(labels))
    table["total"] = np.repeat(total, len(limits))
    table["without_position"] = np.repeat(without, len(limits))
    for level in LEVELS:
        distance_km, _ = nearest_km(directory, eligible[level], demand, check=check)
        inside = [micrometres(distance_km) <= micrometres(limit) for limit in limits]
        sums = [_sums(group, counted * one, len(labels)) for one in inside]
        table[f"covered_{level}"] = np.array(sums).T.ravel()
    for level in LEVELS:
        share = np.zeros(len(table["total"]))
        np.divide(table[f"covered_{level}"], table["total"], share, where=table["total"] > 0)
        table[f"share_{level}"] = share
    frame = pd.DataFrame(table)
    frame.attrs = {
        "snapshot": str(directory.snapshot),
        "n_unlocated": eligible["possible"].n_unlocated,
    }
    return frame


def gaps(
    origins: Any,
    directory: Directory,
    *,
    thresholds_km: float | Sequence[float] = 50.0,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | None = None,
    prefix: str = "",
    check: bool = True,
    **facets: Any,
) -> Any:
    """List the origins that are beyond a distance from every confirmed clinic, worst first.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        As in `coverage`.
    directory : Directory
        The clinics.
    thresholds_km : float or sequence of float
        Distances in kilometres; a clinic exactly there is within.
    weight : str, optional
        A column that says how much a row counts: the heavier of two equal gaps comes first.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, prefix, check
        As in `nearest_join`.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    frame
        Of the type that came in, with the rows beyond each threshold and their index:
        ``threshold_km``, ``clinic_id`` (the nearest confirmed clinic), ``distance_confirmed_km``,
        ``gap_confirmed_km`` (the distance beyond the threshold), ``distance_possible_km`` and
        ``gap_possible_km``: 0 where a clinic that may satisfy the criteria would close the gap.
        Where there is no clinic at all distance and gap are infinite. One threshold after the
        other; for each, ordered by gap, then weight, then as they came. Rows without a position
        are not in it: `coverage` counts them.

    Raises
    ------
    InvalidInputError
        If a frame, a column or an argument cannot be used, or a weight is missing or negative.
    CoordinatesError
        If a row is not a position on earth or implausible; names it without its digits.
    """
    check_prefix(prefix)
    limits = check_thresholds(thresholds_km)
    demand = read_demand(origins, Source(lat, lon, geometry, address), weight)
    eligible = both_filters(directory, where, facets)
    distance: dict[str, Any] = {}
    for level in LEVELS:
        distance[level], number = nearest_km(directory, eligible[level], demand, check=check)
        if level == "confirmed":
            clinic = number
    far = micrometres(distance["confirmed"])
    worst = np.lexsort((-demand.weight, -far))
    parts = [worst[far[worst] > micrometres(limit)] for limit in limits]
    rows, limit = np.concatenate(parts), limits.repeat([len(part) for part in parts])
    ids = clinic_texts(eligible["confirmed"]._catalogue, "clinic_id").texts
    columns: dict[str, Column] = {
        prefix + "threshold_km": limit,
        prefix + "clinic_id": Codes(clinic[rows], ids),
    }
    for level in LEVELS:
        distance_km = distance[level][rows]
        columns[f"{prefix}distance_{level}_km"] = distance_km
        columns[f"{prefix}gap_{level}_km"] = np.maximum(distance_km - limit, 0.0)
    demand.frame.check_new(columns)
    return demand.frame.chosen(rows).extended(columns)


def _sums(
    group: npt.NDArray[np.intp], weight: npt.NDArray[np.float64], n: int
) -> npt.NDArray[np.float64]:
    # Without a row, bincount counts in whole numbers.
    return np.bincount(group, weight, n).astype(np.float64)


def _groups(frame: Frame, by: Any) -> tuple[list[str], npt.NDArray[np.intp], pd.DataFrame]:
    """The columns to group by, the group of each row and the labels of each group."""
    import pandas as pd

    several = isinstance(by, Iterable) and not isinstance(by, str) and by not in frame.names
    names = [] if by is None else list(dict.fromkeys(by)) if several else [by]
    for name in names:
        frame.check_column(name)
        if name in ADDED:
            raise InvalidInputError(f"by={name!r} is a column of the answer; rename yours first")
    if not names:
        return names, np.zeros(len(frame), np.intp), pd.DataFrame(index=range(1))
    keys = pd.DataFrame({name: _keys(frame.values(name)) for name in names})
    try:
        grouped = keys.groupby(names, dropna=False, sort=True)
        labels = grouped.size().index.to_frame(index=False)
    except TypeError as error:
        raise InvalidInputError(f"these rows cannot be grouped: {error}") from None
    return names, np.asarray(grouped.ngroup(), dtype=np.intp), labels


def _keys(values: list[Any]) -> Any:
    """The values of a column, whole numbers with gaps among them as such."""
    import pandas as pd

    kinds = {type(value) for value in values}
    gaps_among_whole = len(kinds) > 1 and kinds <= {int, type(None), type(pd.NA)}
    return pd.array(values, dtype="Int64") if gaps_among_whole else values
