"""The questions one asks of a directory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketafind.directory.cache import FilterCache
from ketafind.directory.origins import Origin, check_plausible, read_origin, refuse_number
from ketafind.directory.regions import positions_inside
from ketafind.errors import InvalidInputError
from ketafind.index.checks import check_count, check_limit
from ketafind.matches import Catalogue, Filter, Matches, Ranking

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.records import Location

__all__ = ["Queries"]


class Queries:
    """Nearest, within, inside and search over one catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        The data, indexed.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._filters = FilterCache(catalogue)

    def filter(
        self, where: Criteria | Filter | None = None, *, unknown: str = "exclude", **facets: Any
    ) -> Filter:
        """Compile criteria for this directory, to be used in many queries.

        Parameters
        ----------
        where : Criteria or Filter, optional
            An expression; None is no filter; a compiled filter is returned as it is.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        **facets : str or iterable of str
            Shorthands such as ``routes="iv"``: any of the terms, joined by AND.

        Returns
        -------
        Filter
            What the queries take as ``where=``.

        Raises
        ------
        CriteriaError, UnknownTermError
            If a filter is empty, or a facet or term is not in the vocabulary.
        """
        return self._filter(where, unknown, facets)

    def nearest(
        self,
        origin: Origin,
        k: int = 5,
        *,
        where: Criteria | Filter | None = None,
        unknown: str = "exclude",
        max_distance_km: float | None = None,
        check: bool = True,
        **facets: Any,
    ) -> Matches:
        """Find the k nearest clinics among those that pass.

        Parameters
        ----------
        origin : str, Coordinates, Location or shapely Point
            Where the search starts; text is geocoded offline.
        k : int
            How many at the most.
        where : Criteria or Filter, optional
            An expression such as ``ketafind.route("iv") & ketafind.qualified()``, or a compiled
            filter; None is no filter.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        max_distance_km : float, optional
            Leave out what is farther; None for no limit.
        check : bool
            False to accept an origin that looks swapped or sign-changed.
        **facets : str or iterable of str
            ``routes=``, ``staff=``, ``conditions=``, ``products=``, ``settings=`` and
            ``languages=``: a term or several, any of which will do, joined to `where` by AND.

        Returns
        -------
        Matches
            Ordered by WGS 84 geodesic distance rounded to one micrometre, then by clinic id.
            Fewer than k where fewer pass. Never longer than k.

        Raises
        ------
        GeocodingError
            If the origin's text is no single place.
        InvalidInputError
            If an argument cannot be used.

        Examples
        --------
        >>> import ketafind
        >>> directory = ketafind.load_directory()
        >>> near = directory.nearest("K7L 3N6", k=1, conditions="depression")
        >>> near[0].clinic.city
        'Kingston'
        >>> len(directory.nearest("K7L 3N6", k=2, routes=["iv", "intranasal"]))
        2
        """
        refuse_number(origin)
        k = check_count(k, "k")
        limit = (
            math.inf if max_distance_km is None else check_limit(max_distance_km, "max_distance_km")
        )
        passing = self._filter(where, unknown, facets)
        return Matches(Ranking(passing, self._origin(origin, check=check), limit), 0, k)

    def within(
        self,
        origin: Origin,
        radius_km: float,
        *,
        where: Criteria | Filter | None = None,
        unknown: str = "exclude",
        check: bool = True,
        **facets: Any,
    ) -> Matches:
        """Find every clinic that passes within a radius, its boundary included.

        Parameters
        ----------
        origin : str, Coordinates, Location or shapely Point
            As in `nearest`.
        radius_km : float
            Kilometres, 0 or more.
        where, unknown
            As in `filter`.
        check : bool
            As in `nearest`.
        **facets
            As in `filter`.

        Returns
        -------
        Matches
            All of them, in the order of `nearest`.

        Raises
        ------
        GeocodingError, InvalidInputError
            As in `nearest`.
        """
        refuse_number(origin)
        limit = check_limit(radius_km, "radius_km")
        passing = self._filter(where, unknown, facets)
        return Matches(Ranking(passing, self._origin(origin, check=check), limit), 0, None)

    def inside(
        self,
        polygon: Any,
        *,
        where: Criteria | Filter | None = None,
        unknown: str = "exclude",
        **facets: Any,
    ) -> Matches:
        """Find every clinic that passes inside a polygon, its boundary included.

        Parameters
        ----------
        polygon : shapely Polygon or MultiPolygon
            In (lon, lat) degrees; edges are straight in degrees.
        where, unknown, **facets
            As in `filter`.

        Returns
        -------
        Matches
            All of them, by clinic id, without distances.

        Raises
        ------
        InvalidInputError
            If it is not a valid polygon in degrees.
        """
        region = positions_inside(polygon, self._catalogue)
        passing = self._filter(where, unknown, facets)
        inside = Filter(self._catalogue, passing.criteria, passing.unknown, region)
        return Matches(Ranking(inside), 0, None)

    def search(
        self,
        where: Criteria | Filter | None = None,
        *,
        unknown: str = "exclude",
        **facets: Any,
    ) -> Matches:
        """Find every clinic that passes, wherever it is, unlocated ones included.

        Parameters
        ----------
        where, unknown, **facets
            As in `filter`.

        Returns
        -------
        Matches
            All of them, by clinic id, without distances.

        Raises
        ------
        CriteriaError, UnknownTermError
            As in `filter`.
        """
        return Matches(Ranking(self._filter(where, unknown, facets)), 0, None)

    def nearest_arrays(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        k: int = 5,
        where: Criteria | Filter | None = None,
        unknown: str = "exclude",
        threads: int | None = None,
        max_distance_km: float | None = None,
        **facets: Any,
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Find the k nearest clinics for each of many origins, as arrays.

        Parameters
        ----------
        lat, lon : array_like of float, shape (n,)
            Origins in decimal degrees; not checked for plausibility.
        k : int
            How many for each.
        where, unknown
            As in `filter`.
        threads : int, optional
            How many threads; None for what suits the machine. Answers do not depend on it.
        max_distance_km : float, optional
            Leave out what is farther.
        **facets
            As in `filter`.

        Returns
        -------
        distance_km : ndarray of float64, shape (n, k)
            NaN where fewer than k pass.
        position : ndarray of intp, shape (n, k)
            Indexes `clinics`; -1 where fewer than k pass.

        Raises
        ------
        InvalidInputError
            If an argument cannot be used; names the first origin at fault.
        """
        limit = (
            math.inf if max_distance_km is None else check_limit(max_distance_km, "max_distance_km")
        )
        passing = self._filter(where, unknown, facets)
        distance_km, place = self._catalogue.index.nearest_many(
            lat, lon, k, passing.prepared, limit, threads=threads
        )
        return distance_km, self._catalogue.positions(place)

    def _filter(
        self, where: Criteria | Filter | None, unknown: str, facets: Mapping[str, Any]
    ) -> Filter:
        if not isinstance(where, Filter):
            return self._filters.get(where, unknown, facets)
        if where.catalogue is not self._catalogue:
            raise InvalidInputError("this filter was compiled for another directory")
        if facets or unknown not in ("exclude", where.unknown):
            raise InvalidInputError(
                "a compiled filter is taken as it is: give its other criteria and its unknown "
                "policy to directory.filter()"
            )
        return where

    def _origin(self, origin: Origin, *, check: bool) -> Location:
        place = read_origin(origin)
        if check:
            check_plausible(place, self._catalogue)
        return place
