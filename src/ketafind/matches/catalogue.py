"""What an answer is computed from: clinics by id, their positions, slices and index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria.slices import TermSlices
from ketafind.errors import DataError, Fault, UnknownClinicError
from ketafind.snapshot import Snapshot

if TYPE_CHECKING:
    from ketafind.index.protocol import SpatialIndex
    from ketafind.records import Clinic
    from ketafind.vocabulary import Vocabulary

__all__ = ["Catalogue"]


class Catalogue:
    """Clinics in the order of their ids, and everything that queries need of them.

    A clinic's *position* is its place in `clinics`; its *row* is its place in the filters' bits:
    the located clinics in the index's order first, the unlocated after them.

    Parameters
    ----------
    clinics : sequence of Clinic
        In any order.
    vocabulary : Vocabulary
        The terms they use.
    make_index : callable
        Builds the spatial index from latitudes and longitudes.

    Raises
    ------
    DataError
        If two clinics share an id, or their facts contradict each other.
    """

    def __init__(
        self,
        clinics: Sequence[Clinic],
        vocabulary: Vocabulary,
        make_index: Callable[[NDArray[np.float64], NDArray[np.float64]], SpatialIndex],
    ) -> None:
        self.clinics = tuple(sorted(clinics, key=lambda clinic: clinic.clinic_id))
        self.vocabulary = vocabulary
        _refuse_doubles(self.clinics)
        places = [clinic.location for clinic in self.clinics]
        known = [position for position, place in enumerate(places) if place is not None]
        self.located = np.array(known, dtype=np.intp)
        found = [place for place in places if place is not None]
        self.lat = np.array([place.lat for place in found])
        self.lon = np.array([place.lon for place in found])
        self.radius_km = np.array([place.radius_km for place in found])
        self.index = make_index(self.lat, self.lon)
        self.rows = np.concatenate([self.located[self.index.order], self._unlocated()])
        self.slices = TermSlices.build(self.clinics, self.rows, vocabulary)
        for array in (self.located, self.lat, self.lon, self.radius_km, self.rows):
            array.flags.writeable = False

    @property
    def n_located(self) -> int:
        """How many clinics have a position."""
        return len(self.located)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Position of each clinic id."""
        return {clinic.clinic_id: position for position, clinic in enumerate(self.clinics)}

    @cached_property
    def row_of(self) -> NDArray[np.intp]:
        """Row of each position."""
        rows = np.empty(len(self.rows), np.intp)
        rows[self.rows] = np.arange(len(self.rows))
        return rows

    @cached_property
    def snapshot(self) -> Snapshot:
        """The name of this data."""
        return Snapshot.of(self.clinics, self.vocabulary)

    def position(self, clinic_id: str) -> int:
        """Find a clinic by its id.

        Parameters
        ----------
        clinic_id : str
            Exactly as in the data.

        Returns
        -------
        int
            Its position.

        Raises
        ------
        UnknownClinicError
            If no clinic has this id; suggests near ones.
        """
        try:
            return self.positions[clinic_id]
        except (KeyError, TypeError):
            near = _near(clinic_id, self.positions)
        raise UnknownClinicError(f"no clinic has the id {clinic_id!r}{near}")

    def _unlocated(self) -> NDArray[np.intp]:
        everyone = np.arange(len(self.clinics), dtype=np.intp)
        return np.setdiff1d(everyone, self.located, assume_unique=True)


def _refuse_doubles(clinics: Sequence[Clinic]) -> None:
    ids = [clinic.clinic_id for clinic in clinics]
    doubled = sorted({a for a, b in pairwise(ids) if a == b})
    if doubled:
        faults = [Fault("two clinics share this id", None, "clinic_id", one) for one in doubled]
        raise DataError("clinics", faults)


def _near(clinic_id: object, known: dict[str, int]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(str(clinic_id), known, n=3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
