"""How many are within reach of a clinic, who is not, and where the next clinics would reach most."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.access.demand import ENDS, LEVELS, Study
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.files import require
from ketafind.index.protocol import Floats, check_count
from ketafind.join.columns import clinic_texts
from ketafind.join.frames import Codes, Column, Frame, Texts, open_frame
from ketafind.join.origins import REASONS, Source, check_prefix, check_range, read_origins
from ketafind.join.search import Flags, Rows, column_name, refuse_implausible

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.criteria import Criteria, Terms
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter
    from ketafind.travel import Router


Packed = npt.NDArray[np.uint8]
"""For each origin the sites that reach it: a bit each."""
ADDED = {"threshold_km", "threshold_min", "threshold_cost", "total", "without_position"}
ADDED |= {"without_way"}
ADDED |= {f"{part}_{end}" for part in ("covered", "share") for end in ENDS}

USUAL_COVERAGE = {
    "thresholds_km": (10.0, 25.0, 50.0, 100.0, 200.0),
    "thresholds_min": (15.0, 30.0, 60.0, 120.0),
}
USUAL = {"thresholds_km": 50.0, "thresholds_min": 60.0}
"""What is usual where no threshold is given."""

GAP_ENDS = ("high", "confirmed", "possible", "low")
"""The ends of a distance: what is surely in reach is at its upper end at the most."""


def coverage(
    origins: Any,
    directory: Directory,
    *,
    thresholds_km: float | Sequence[float] | None = None,
    thresholds_min: float | Sequence[float] | None = None,
    router: Router | None = None,
    cost: Any = None,
    weight: str | None = None,
    by: str | Sequence[str] | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | Sequence[str] | None = None,
    radius: Any = None,
    check: bool = True,
    provenance: bool = False,
    **facets: Terms,
) -> pd.DataFrame:
    """Measure how many origins have a clinic within given distances, times or costs.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        One row a person, place or area; None for the postal codes of Ontario, a proxy: see
        `ontario_postal_codes`.
    directory : Directory
        The clinics.
    thresholds_km : float or sequence of float, optional
        Distances in kilometres, each included; None for 10, 25, 50, 100 and 200.
    thresholds_min : float or sequence of float, optional
        With `router` or `cost`: minutes, or what the costs are in; None for 15, 30, 60 and 120.
    router, cost
        As in `nearest_join`: within reach is by travel time or cost instead.
    weight : str, optional
        A column that says how much a row counts; None for one each.
    by : str or sequence of str, optional
        Columns to group by; a missing value is a group of its own.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, radius, check, provenance
        As in `nearest_join`.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    pandas.DataFrame
        One row for each group and threshold: ``total`` (the weight of rows with a position),
        ``without_position`` (of the rest, which count nowhere else), and ``covered_`` (weight) and
        ``share_`` (of the total; missing where that is 0), each with four endings that never
        fall: ``low`` (a confirmed clinic is surely in reach: the upper end of the 90 % interval of
        its distance is), ``confirmed`` and ``possible`` (positions taken as they are), ``high``
        (the lower end for a clinic that may satisfy the criteria is in reach). ``attrs`` holds
        the directory's ``snapshot`` and ``n_unlocated``, the clinics without a position that
        may satisfy the criteria and count nowhere, and what `provenance` reads.

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

    source = Source(lat, lon, geometry, address, radius)
    study = Study(
        origins, directory, source, weight, where, facets, check=check, provenance=provenance,
        router=router, cost=cost,
    )  # fmt: skip
    limits = study.read_limits(thresholds_km, thresholds_min, USUAL_COVERAGE)
    names, group, labels = _groups(study.frame, by)
    counted = np.where(study.located, study.weight, 0.0)

    def sums(weight: Floats) -> Floats:
        # Without a row, bincount counts in whole numbers.
        return np.bincount(group, weight, len(labels)).astype(np.float64)

    reach, n = study.reach(), len(limits)
    table: dict[str, Any] = {name: np.repeat(labels[name].array, n) for name in names}
    table[f"threshold_{study.unit}"] = np.tile(limits, len(labels))
    table["total"] = total = sums(counted).repeat(n)
    table["without_position"] = sums(study.weight - counted).repeat(n)
    if study.journeys is not None:
        table["without_way"] = sums(np.where(np.isinf(reach["possible"]), counted, 0.0)).repeat(n)
    for end, near in reach.items():
        covered = [sums(counted * study.within(near, limit)) for limit in limits]
        table[f"covered_{end}"] = np.array(covered).T.ravel()
    share = np.where(total > 0.0, total, np.nan)
    table |= {f"share_{end}": table[f"covered_{end}"] / share for end in reach}
    frame = pd.DataFrame(table)
    n_unlocated = study.eligible["possible"].n_unlocated
    frame.attrs = {"snapshot": str(directory.snapshot), "n_unlocated": n_unlocated}
    return study.stamped(frame, "coverage")


def compare(
    old: Directory,
    new: Directory,
    origins: Any,
    *,
    thresholds_km: float | Sequence[float] = 50.0,
    weight: str | None = None,
    where: Criteria | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | Sequence[str] | None = None,
    check: bool = True,
    provenance: bool = False,
    **facets: Terms,
) -> pd.DataFrame:
    """Measure what a change of the data does to who is within reach.

    Parameters
    ----------
    old, new : Directory
        The clinics before and after; `Directory.diff` lists what changed.
    origins, thresholds_km, weight, lat, lon, geometry, address, check, provenance
        As in `coverage`.
    where : Criteria, optional
        What a clinic must satisfy.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    pandas.DataFrame
        One row for each threshold and ``supply`` (``confirmed``, then ``possible``):
        ``covered_old`` and ``covered_new`` (the weight within reach), ``gained`` and ``lost`` (the
        weight that came within reach, and that no longer is), ``share_old`` and ``share_new`` (of
        all with a position; missing where there is none).

    Raises
    ------
    InvalidInputError
        If a frame, a column or an argument cannot be used, or a weight is missing or negative.
    CoordinatesError
        If a row is not a position on earth or implausible; names it without its digits.

    Examples
    --------
    >>> import ketafind as kf
    >>> directory = kf.load_directory()
    >>> fewer = kf.Directory.from_clinics(directory.clinics[:10])
    >>> change = kf.compare(fewer, directory, None, routes="iv")
    >>> change["lost"].tolist()
    [0.0, 0.0]
    """
    import pandas as pd

    source = Source(lat, lon, geometry, address)
    before, after = (
        Study(origins, one, source, weight, where, facets, check=check, provenance=provenance)
        for one in (old, new)
    )
    limits = after.read_limits(thresholds_km, None, USUAL)
    counted = np.where(after.located, after.weight, 0.0)
    total = float(counted.sum()) or np.nan
    near = {level: [study.nearest(level)[0] for study in (before, after)] for level in LEVELS}
    rows = []
    for limit in limits:
        for level, pair in near.items():
            was, now = (after.within(km, limit) for km in pair)
            parts = (was, now, now & ~was, was & ~now)
            sums = [float(counted[part].sum()) for part in parts]
            rows.append((limit, level, *sums, sums[0] / total, sums[1] / total))
    changed = ("covered_old", "covered_new", "gained", "lost", "share_old", "share_new")
    frame = pd.DataFrame(rows, columns=["threshold_km", "supply", *changed])
    return after.stamped(frame, "compare", snapshot_old=str(old.snapshot))


def gaps(
    origins: Any,
    directory: Directory,
    *,
    thresholds_km: float | Sequence[float] | None = None,
    thresholds_min: float | Sequence[float] | None = None,
    router: Router | None = None,
    cost: Any = None,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | Sequence[str] | None = None,
    radius: Any = None,
    prefix: str = "",
    check: bool = True,
    provenance: bool = False,
    **facets: Terms,
) -> Any:
    """List the origins that are beyond a distance from every confirmed clinic, worst first.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        As in `coverage`.
    directory : Directory
        The clinics.
    thresholds_km : float or sequence of float, optional
        Distances in kilometres; a clinic exactly there is within. None for 50.
    thresholds_min : float or sequence of float, optional
        With `router` or `cost`: minutes, or what the costs are in; None for 60.
    router, cost
        As in `nearest_join`: far is by travel time or cost instead.
    weight : str, optional
        A column that says how much a row counts: the heavier of two equal gaps comes first.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, radius, prefix, check, provenance
        As in `nearest_join`.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    frame
        Of the type that came in, with the rows beyond each threshold and their index:
        ``threshold_km``, ``clinic_id`` (the nearest confirmed clinic), ``possible_clinic_id`` (the
        nearest that may satisfy the criteria: it would close the gap where ``gap_possible_km`` is
        0), and the distance and the gap beyond the threshold to the nearest:
        ``distance_confirmed_km``, ``gap_confirmed_km``, ``distance_possible_km``,
        ``gap_possible_km``, with the upper end of the 90 % interval for a confirmed clinic in
        ``distance_high_km`` and ``gap_high_km``, and the lower end for a possible one in
        ``distance_low_km`` and ``gap_low_km``. Where there is no clinic at all distance and gap
        are infinite. By time the columns are ``threshold_min``, ``travel_time_confirmed_min``,
        ``gap_confirmed_min`` and so on, by other costs ``threshold_cost``, ``cost_confirmed``,
        ``gap_confirmed_cost``. One threshold after the other; for each, ordered by gap, then weight, then
        as they came. Rows without a position are not in it: `coverage` counts them.

    Raises
    ------
    InvalidInputError
        If a frame, a column or an argument cannot be used, or a weight is missing or negative.
    CoordinatesError
        If a row is not a position on earth or implausible; names it without its digits.
    """
    check_prefix(prefix)
    source = Source(lat, lon, geometry, address, radius)
    study = Study(
        origins, directory, source, weight, where, facets, check=check, provenance=provenance,
        router=router, cost=cost,
    )  # fmt: skip
    limits = study.read_limits(thresholds_km, thresholds_min, USUAL)
    nearest, unit = study.reach(), study.unit
    far = study.ticks(nearest["confirmed"])
    worst = np.lexsort((-study.weight, -far))
    parts = [worst[far[worst] > study.ticks(limit)] for limit in limits]
    rows, limit = np.concatenate(parts), limits.repeat([len(part) for part in parts])
    ids = clinic_texts(study.eligible["confirmed"]._catalogue, "clinic_id").texts
    columns: dict[str, Column] = {f"threshold_{unit}": limit}
    for level, name in (("confirmed", "clinic_id"), ("possible", "possible_clinic_id")):
        columns[name] = Codes(study.nearest(level)[1][rows], ids)
    for end, name in zip(ENDS, GAP_ENDS, strict=True):
        columns[column_name(unit, name)] = near = nearest[end][rows]
        columns[f"gap_{name}_{unit}"] = np.maximum(near - limit, 0.0)
    named = {prefix + name: column for name, column in columns.items()}
    listed = study.frame.chosen(rows).extended(named)
    return study.stamped(listed, "gaps")


def _groups(frame: Frame, by: Any) -> tuple[list[str], Rows, pd.DataFrame]:
    """The columns to group by, the group of each row and the labels of each group."""
    import pandas as pd

    one = isinstance(by, str) or (isinstance(by, Hashable) and by in frame.names)
    several = isinstance(by, Iterable) and not one and getattr(by, "ndim", True)
    listed = [] if by is None else list(by) if several else [by]
    for name in listed:
        frame.check_column(name)
        if name in ADDED:
            raise InvalidInputError(f"by={name!r} is a column of the answer; rename yours first")
    names = list(dict.fromkeys(listed))
    if not names:
        return names, np.zeros(len(frame), np.intp), pd.DataFrame(index=range(1))
    keys = pd.DataFrame({name: _keys(frame.values(name)) for name in names})
    try:
        grouped = keys.groupby(names, dropna=False, sort=True)
        labels = grouped.size().index.to_frame()
    except TypeError as error:
        raise InvalidInputError(f"these rows cannot be grouped: {error}") from None
    return names, np.asarray(grouped.ngroup(), dtype=np.intp), labels


def _keys(values: list[Any]) -> Any:
    """The values of a column, whole numbers with gaps among them as such."""
    import pandas as pd

    kinds = {type(value) for value in values}
    gaps_among_whole = len(kinds) > 1 and kinds <= {int, type(None), type(pd.NA)}
    return pd.array(values, dtype="Int64") if gaps_among_whole else values


SITE_COLUMNS = ("supply", "newly_covered", "share_before", "share_after")
"""What an answer adds to the candidates' columns, beside the threshold."""


def best_sites(
    origins: Any,
    directory: Directory,
    candidates: Any,
    *,
    n: int = 1,
    thresholds_km: float | Sequence[float] | None = None,
    thresholds_min: float | Sequence[float] | None = None,
    router: Router | None = None,
    cost: Any = None,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | Sequence[str] | None = None,
    candidate_address: str | None = None,
    check: bool = True,
    provenance: bool = False,
    **facets: Terms,
) -> Any:
    """Choose the n candidate sites that bring most origins within reach of a clinic.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        As in `coverage`: who is to be reached.
    directory : Directory
        The clinics that are there already.
    candidates : pandas, geopandas, polars or pyarrow frame
        One row a site, with the same columns of position as the origins have, or else ``lat`` and
        ``lon``, or addresses in `candidate_address`.
    n : int
        How many sites.
    thresholds_km : float or sequence of float, optional
        Within reach is this far at the most, in kilometres; sites are chosen for each distance.
        None for 50.
    thresholds_min : float or sequence of float, optional
        With `router` or `cost`: minutes, or what the costs are in; None for 60.
    router, cost
        As in `nearest_join`: within reach is by travel time or cost instead. Costs name the
        candidates by their column ``clinic_id``; with them they need no position.
    weight : str, optional
        A column of the origins that says how much a row counts; None for one each.
    where : Criteria or Filter, optional
        What a clinic must satisfy to count as being there.
    lat, lon, geometry, address, check, provenance
        As in `nearest_join`, of the origins.
    candidate_address : str, optional
        A column of the candidates with addresses, geocoded offline.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    frame
        Of the candidates' type, for each ``threshold_km`` (``threshold_min`` or ``threshold_cost``
        by a router or costs) n rows twice: the choice when only
        confirmed clinics are there (``supply`` is ``confirmed``), then when all possible ones are
        (``possible``).
        ``newly_covered`` is the weight that this site reaches and neither a clinic nor a site
        above it does, the most first; ``share_before`` and ``share_after``
        are the shares of the whole weight within reach without and with all n sites.

    Raises
    ------
    InvalidInputError
        If an argument or a column cannot be used, or there are fewer than n candidates.
    MissingExtraError
        If spopt is not installed (extra ``sites``).

    Notes
    -----
    Maximal covering location problem: R. Church and C. ReVelle, Papers in Regional Science 32
    (1974) 101, solved to the optimum by ``spopt`` and the solver CBC. Origins that the same
    candidates reach are one client of the model, which loses nothing.
    """
    require("spopt.locate", "sites")  # said before the work, not after it
    source, opened = Source(lat, lon, geometry, address), open_frame(candidates)
    study = Study(
        origins, directory, source, weight, where, facets, check=check, provenance=provenance,
        router=router, cost=cost, candidates=opened,
    )  # fmt: skip
    limits = study.read_limits(thresholds_km, thresholds_min, USUAL)
    if check_count(n, "n") > len(opened):
        raise InvalidInputError(f"n={n}, but there are {len(opened)} candidates")
    taken = [name for name in (f"threshold_{study.unit}", *SITE_COLUMNS) if name in opened.names]
    if taken:
        raise InvalidInputError(f"the candidates have a column {taken[0]!r}; rename it first")
    sites = _read_sites(study, opened, source, candidate_address)
    nearest = [study.nearest(level)[0] for level in LEVELS]
    total = float(study.weight[study.located].sum()) or 1.0
    rows: list[int] = []
    shares: list[tuple[float, float, float]] = []
    for limit, reached in zip(limits, _reached(study, sites, limits), strict=True):
        for values in nearest:
            near = study.within(values, limit)
            weights = np.where(near | ~study.located, 0.0, study.weight)
            best, new = _solve(reached, len(opened), weights, n)
            before = float(study.weight[near].sum())
            rows += best
            shares += [(one, before / total, (before + sum(new)) / total) for one in new]
    levels = np.tile(np.arange(2, dtype=np.int8).repeat(n), len(limits))
    columns: dict[str, Column] = {f"threshold_{study.unit}": limits.repeat(2 * n)}
    columns["supply"] = Codes(levels, Texts(LEVELS))
    columns |= dict(zip(SITE_COLUMNS[1:], np.array(shares).T, strict=True))
    chosen = opened.chosen(np.array(rows, dtype=np.intp)).extended(columns)
    return study.stamped(chosen, "best_sites", n=n)


def _read_sites(study: Study, opened: Frame, source: Source, address: str | None) -> Any:
    """Read where the candidates are, or what it costs to reach them."""
    if study.travel is not None and study.travel.costs is not None:
        return study.travel.sites(opened)
    there, named = (
        Source(address=address),
        (source.lat, source.lon, source.geometry, source.address),
    )
    if address is None and all(name is None or name in opened.names for name in named):
        there = source
    reader = None if there.address is None else study.directory._reader
    sites = read_origins(opened, there, geocoder=reader)
    good = check_range(sites.lat, sites.lon)
    if good is not None:
        row = int(np.argmin(good))
        why = "" if sites.reason is None else f" ({[*REASONS.values()][sites.reason[row]]})"
        raise InvalidInputError(
            f"candidate {row} has no position{why}; drop such rows first (rows are counted from 0)"
        )
    try:
        refuse_implausible(study.directory, sites, check=study.check)
    except CoordinatesError as error:
        raise CoordinatesError(f"candidates, {error}") from None
    return sites


def _reached(study: Study, sites: Any, limits: Floats) -> list[Packed]:
    """Which sites reach each origin, for each limit: one bit a site, packed."""
    shape = len(study.weight), (len(sites) + 7) // 8
    reached = [np.zeros(shape, dtype=np.uint8) for _ in limits]
    for site, near in enumerate(_near_sites(study, sites, limits)):
        for table, rows in zip(reached, near, strict=True):
            table[rows, site // 8] |= np.uint8(1 << site % 8)
    return reached


def _near_sites(study: Study, sites: Any, limits: Floats) -> Iterator[list[Any]]:
    """The rows that reach each site, for each limit."""
    if study.journeys is not None:
        for values in study.journeys.to_sites(sites):
            yield [study.within(values, limit) for limit in limits]
        return
    near_origins, rows = study.near_origins()
    for lat, lon in zip(sites.lat.tolist(), sites.lon.tolist(), strict=True):
        rings = (near_origins.rings(lat, lon, limit)[0] for limit in limits.reshape(-1, 1))
        yield [rows[inside] for inside in rings]


def _solve(reached: Packed, n_sites: int, weight: Floats, n: int) -> tuple[list[int], list[float]]:
    """The best n sites, the one that adds most first, and what each adds to those before it."""
    open_ = (weight > 0.0) & reached.any(axis=1)
    if not open_.any():
        return list(range(n)), [0.0] * n
    patterns, group = np.unique(reached[open_], axis=0, return_inverse=True)
    clients: Floats = np.bincount(group.ravel(), weight[open_]).astype(np.float64)
    covers = np.unpackbits(patterns, axis=1, count=n_sites, bitorder="little").astype(np.bool_)
    # The solver takes what is small for nothing.
    left = _mclp(covers, clients / clients.max(), n)
    best, new = [], []
    while left:
        gains = [float(clients[covers[:, site]].sum()) for site in left]
        new.append(max(gains))
        best.append(left.pop(gains.index(new[-1])))
        clients = np.where(covers[:, best[-1]], 0.0, clients)
    return best, new


def _mclp(covers: Flags, clients: Floats, n: int) -> list[int]:
    locate, pulp = require("spopt.locate", "sites"), require("pulp", "sites")
    with warnings.catch_warnings():
        # spopt builds its model in a way that PuLP 4 will not know: PuLP 3 is required.
        warnings.simplefilter("ignore", DeprecationWarning)
        model = locate.MCLP.from_cost_matrix(np.where(covers, 0.0, 1.0), clients, 0.5, n)
        model = model.solve(pulp.PULP_CBC_CMD(msg=False))
    values = [variable.value() for variable in model.fac_vars]
    return [site for site, value in enumerate(values) if value is not None and value > 0.5]
