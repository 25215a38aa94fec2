"""The answer to one question: an immutable sequence of matches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from ketafind.index.checks import check_count
from ketafind.matches.columns import TYPES, columns_of, footer, outcome, shown
from ketafind.matches.explained import Explained
from ketafind.matches.match import Match

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from ketafind.criteria import Criteria
    from ketafind.matches.ranking import Ranking
    from ketafind.snapshot import Snapshot

__all__ = ["Matches"]


class Matches(Explained):
    """The clinics that answer a question, in order; immutable.

    Ordered by distance rounded to one micrometre, then by clinic id; by id alone where the
    question has no origin. Printing, exporting and plotting never show the origin.

    Parameters
    ----------
    ranking : Ranking
        The question.
    start, stop : int or None
        Which part of the whole order.
    """

    _positions: list[int]
    _distances: list[float | None]

    def __init__(self, ranking: Ranking, start: int, stop: int | None) -> None:
        distances, positions = ranking.page(start, stop)
        fields = self.__dict__
        fields["_ranking"] = ranking
        fields["_start"], fields["_stop"] = start, stop
        fields["_positions"] = positions
        fields["_distances"] = [None] * len(positions) if distances is None else distances

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, item: int) -> Match: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[Match]: ...
    def __getitem__(self, item: int | slice) -> Match | Sequence[Match]:
        return self._matches[item]

    def __iter__(self) -> Iterator[Match]:
        return iter(self._matches)

    @cached_property
    def _matches(self) -> tuple[Match, ...]:
        pairs = zip(self._positions, self._distances, strict=True)
        ranked = enumerate(pairs, self._start + 1)
        return tuple(Match(self._ranking, rank, *pair, page=self) for rank, pair in ranked)

    @property
    def criteria(self) -> Criteria:
        """What was asked for, in canonical form."""
        return self._ranking.filter.criteria

    @property
    def unknown(self) -> str:
        """The unknown policy: ``exclude``, ``include`` or ``only``."""
        return self._ranking.filter.unknown

    @property
    def n_eligible(self) -> int:
        """How many clinics the whole order holds, on this page or not."""
        return self._ranking.n_eligible

    @property
    def n_possible(self) -> int:
        """How many located clinics inside the limits are UNKNOWN: they may satisfy the criteria."""
        return self._ranking.n_possible

    @property
    def n_unlocated(self) -> int:
        """How many clinics that satisfy the criteria, or may, have no position."""
        return self._ranking.filter.n_unlocated

    @property
    def snapshot(self) -> Snapshot:
        """The name of the data that was asked."""
        return self._ranking.filter.catalogue.snapshot

    @cached_property
    def order_certain(self) -> bool:
        """Whether the order is certain at the 90 % level; False where there is no origin.

        True only when no two distance intervals overlap among these matches and every other
        eligible clinic, and no UNKNOWN or unlocated clinic could enter.
        """
        return self._ranking.order_certain(self._start, self._stop)

    def more(self, k: int) -> Matches:
        """Take the next matches in the same order.

        Parameters
        ----------
        k : int
            How many at the most.

        Returns
        -------
        Matches
            Ranks go on from the last of these; empty at the end.

        Raises
        ------
        InvalidInputError
            If k is not a whole number of 1 or more.
        """
        start = self._start + len(self)
        return Matches(self._ranking, start, start + check_count(k, "k"))

    def columns(self) -> dict[str, list[Any]]:
        """Return the matches as plain columns.

        Returns
        -------
        dict of str to list
            What the frames, the GeoJSON and the maps are made of.
        """
        return columns_of(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the matches as plain records, ready for JSON.

        Returns
        -------
        list of dict
            The same names as the columns of `to_frame`.
        """
        columns = self.columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_frame(self) -> pd.DataFrame:
        """Return the matches as a pandas frame, one row each.

        Returns
        -------
        pandas.DataFrame
            Rank, ids, distances in km, truth, position, address and stated facts.
        """
        from ketafind.tables.frames import frame_from_columns

        return frame_from_columns(self.columns(), TYPES)

    def to_geodataframe(self) -> gpd.GeoDataFrame:
        """Return the matches as points in a GeoPandas frame (extra ``geo``).

        Returns
        -------
        geopandas.GeoDataFrame
            EPSG:4326; no geometry for an unlocated clinic.
        """
        from ketafind.tables.frames import geodataframe_from_columns

        return geodataframe_from_columns(self.columns(), TYPES)

    def to_geojson(self) -> dict[str, Any]:
        """Return the matches as GeoJSON (RFC 7946).

        Returns
        -------
        dict
            A FeatureCollection; the geometry of an unlocated clinic is null.
        """
        from ketafind.tables.exports import geojson

        return geojson(self.columns(), snapshot=str(self.snapshot))

    def to_fhir(self) -> dict[str, Any]:
        """Return the matches as an HL7 FHIR R4 Bundle of what is stated of them.

        Returns
        -------
        dict
            A searchset: HealthcareService, Location and Organization resources, with distances.
        """
        from ketafind.tables.fhir import bundle

        catalogue = self._ranking.filter.catalogue
        found = ((match.clinic, match.service, match.distance_km) for match in self)
        return bundle(found, catalogue.vocabulary, str(self.snapshot))

    def plot(self, **options: Any) -> Any:
        """Draw the matches on a static map, without tiles and without network (extra ``maps``).

        A clinic of which it is not known whether it matches is a ring; where there is no clinic to
        draw, it says how many match instead, without a distance.

        Parameters
        ----------
        **options
            Passed to `ketafind.tables.plots.plot_clinics`.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        from ketafind.tables.plots import plot_clinics

        return plot_clinics(self.columns(), **{**self._empty(), **options})

    def explore(self, **options: Any) -> Any:
        """Show the matches on a map to pan and zoom; asks no other host unless told to.

        A clinic of which it is not known whether it matches is a ring; where there is no clinic to
        show, it says how many match instead, without a distance.

        Parameters
        ----------
        **options
            Passed to `ketafind.tables.maps.explore_clinics`.

        Returns
        -------
        object
            Shows itself in a notebook; ``save(path)`` writes a page.
        """
        from ketafind.tables.maps import explore_clinics

        return explore_clinics(self.columns(), **{**self._empty(), **options})

    def _empty(self) -> dict[str, Any]:
        """What a map says that has nothing to show; a picture holds no distances."""
        has_place = any(match.clinic.location is not None for match in self)
        return {} if has_place else {"empty": f"{outcome(self)}\nData {self.snapshot}."}

    def __repr__(self) -> str:
        from ketafind.tables.text import terminal_width, text_table

        table = f"{text_table(*shown(self), terminal_width())}\n" if self else ""
        return f"{table}{footer(self)}"

    def _repr_html_(self) -> str:
        from ketafind.tables.html import html_table

        return html_table(*shown(self), notes=footer(self).splitlines())
