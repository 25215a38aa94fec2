"""Who seeks care and who gives it: origins with weights, clinics with supply."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.analysis.arguments import check_directory
from ketafind.analysis.crew import Crew
from ketafind.analysis.frames import Frame, numbers_of, open_frame
from ketafind.analysis.origins import Origins, Source, read_origins
from ketafind.analysis.search import search
from ketafind.errors import InvalidInputError
from ketafind.index.protocol import Floats
from ketafind.matches import Filter

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.directory import Directory

__all__ = ["LEVELS", "Demand", "both_filters", "nearest_km", "read_demand", "read_supply"]

LEVELS = {"confirmed": "exclude", "possible": "include"}
"""The two ends of every interval, and the unknown policy that answers each."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Origins that count.

    Parameters
    ----------
    frame : Frame
        Where they stand.
    origins : Origins
        Where they are.
    weight : ndarray of float64
        How much each counts.
    located : ndarray of bool
        Whether each has a position.
    """

    frame: Frame
    origins: Origins
    weight: Floats
    located: npt.NDArray[np.bool_]


def read_demand(frame: Any, source: Source, weight: str | None) -> Demand:
    """Read origins and their weights.

    Parameters
    ----------
    frame : pandas, polars or pyarrow frame, or None
        None for the bundled postal codes of Ontario.
    source : Source
        Which columns say where a row is.
    weight : str or None
        A column of weights, such as people; None for one each.

    Returns
    -------
    Demand
        One entry a row.

    Raises
    ------
    InvalidInputError
        If a column cannot be read, or a weight is missing, negative or infinite.
    """
    if frame is None:
        from ketafind.analysis.postal import ontario_postal_codes

        frame = ontario_postal_codes()
    opened = open_frame(frame)
    origins = read_origins(opened, source)
    if not isinstance(weight, Hashable):
        raise InvalidInputError("weight= names a column of the origins; add the weights to them")
    weights = np.ones(len(opened)) if weight is None else numbers_of(opened, weight)
    wrong = ~(np.isfinite(weights) & (weights >= 0.0))
    if wrong.any():
        raise InvalidInputError(
            f'row {int(np.argmax(wrong))}, column "{weight}": a weight is a number of 0 or more; '
            f"fill or drop rows without one (rows are counted from 0)"
        )
    return Demand(opened, origins, weights, ~(np.isnan(origins.lat) | np.isnan(origins.lon)))


def both_filters(
    directory: Directory, where: Criteria | Filter | None, facets: Mapping[str, Any]
) -> dict[str, Filter]:
    """Compile criteria for confirmed supply and for all that is possible.

    Parameters
    ----------
    directory : Directory
        The clinics.
    where : Criteria, Filter or None
        What they must satisfy; of a compiled filter its criteria.
    facets : mapping
        Shorthands.

    Returns
    -------
    dict of str to Filter
        By the names of `LEVELS`.
    """
    check_directory(directory)
    if "unknown" in facets:
        raise InvalidInputError(
            "unknown= is no argument here: both answers are given, confirmed and possible"
        )
    if isinstance(where, Filter):
        where = where.criteria
    return {
        level: directory.filter(where, unknown=unknown, **facets)
        for level, unknown in LEVELS.items()
    }


def nearest_km(
    directory: Directory, passing: Filter, demand: Demand, *, check: bool
) -> tuple[Floats, npt.NDArray[Any]]:
    """Find the nearest clinic of each origin.

    Parameters
    ----------
    directory : Directory
        The clinics.
    passing : Filter
        Which of them count.
    demand : Demand
        The origins.
    check : bool
        Refuse implausible positions.

    Returns
    -------
    distance_km : ndarray of float64, shape (n,)
        Infinite where there is no clinic, NaN where the origin has no position.
    position : ndarray of int, shape (n,)
        -1 where there is no clinic.
    """
    with Crew(len(demand.origins)) as crew:
        found = search(directory, passing, demand.origins, 1, crew=crew, check=check)
    distance_km = found.distance_km[:, 0]
    distance_km[np.isnan(distance_km) & demand.located] = np.inf
    return distance_km, found.code[:, 0]


def read_supply(directory: Directory, supply: Mapping[str, float] | Any) -> Floats:
    """Read how much each clinic can give.

    Parameters
    ----------
    directory : Directory
        The clinics.
    supply : mapping of str to float, pandas Series by clinic id, or None
        None for 1 each. A clinic that is not in it counts as 0.

    Returns
    -------
    ndarray of float64
        By the clinics' positions.

    Raises
    ------
    UnknownClinicError
        If an id is not in the directory.
    InvalidInputError
        If an amount is no number of 0 or more.
    """
    if supply is None:
        return np.ones(len(directory))
    if not hasattr(supply, "items"):
        raise InvalidInputError(
            f"supply= takes a mapping or Series of clinic ids to amounts, not a "
            f"{type(supply).__name__}"
        )
    amounts = np.zeros(len(directory))
    position = {clinic.clinic_id: at for at, clinic in enumerate(directory.clinics)}
    for clinic_id, amount in dict(supply).items():
        good = isinstance(amount, Real) and not isinstance(amount, bool)
        if not good or not 0.0 <= float(amount) < np.inf:
            raise InvalidInputError(
                f"the supply of {clinic_id!r} must be a number, 0 or more, not {amount!r}"
            )
        # Raises, with a suggestion, for an id that is not there.
        amounts[position[directory[clinic_id].clinic_id]] = float(amount)
    return amounts
