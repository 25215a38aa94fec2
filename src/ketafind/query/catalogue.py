"""What an answer is computed from: clinics by id, their positions, slices and index."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ketafind.bits import Closure, TermSlices
from ketafind.errors import DataError, Fault, UnknownClinicError
from ketafind.snapshot import Snapshot

if TYPE_CHECKING:
    from ketafind.index.protocol import SpatialIndex
    from ketafind.records import Clinic
    from ketafind.vocabulary import Vocabulary

__all__ = ["Catalogue", "MakeIndex", "Places"]


MakeIndex = Callable[[NDArray[np.float64], NDArray[np.float64]], "SpatialIndex"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the located clinics are, as read-only columns."""

    located: NDArray[np.intp]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    radius_km: NDArray[np.float64]

    def __post_init__(self) -> None:
        for array in (self.located, self.lat, self.lon, self.radius_km):
            array.flags.writeable = False

    @classmethod
    def of(cls, clinics: Sequence[Clinic]) -> Places:
        """Take the columns from clinics."""
        known = [(n, one.location) for n, one in enumerate(clinics) if one.location is not None]
        return cls(
            np.array([position for position, _ in known], dtype=np.intp),
            *(
                np.array([getattr(place, name) for _, place in known], dtype=np.float64)
                for name in ("lat", "lon", "radius_km")
            ),
        )


class Catalogue:
    """Clinics in the order of their ids, and everything that queries need of them."""

    def __init__(
        self,
        clinics: Sequence[Clinic],
        vocabulary: Vocabulary,
        places: Places,
        index: SpatialIndex,
        closure: Closure | None = None,
    ) -> None:
        self.clinics = clinics
        self.vocabulary = vocabulary
        self.places = places
        self.index = index
        self.slices = TermSlices.build(clinics, self.rows, vocabulary, closure)

    @classmethod
    def build(
        cls,
        clinics: Iterable[Clinic],
        vocabulary: Vocabulary,
        make_index: MakeIndex,
        closure: Closure | None = None,
    ) -> Catalogue:
        """Order and index clinics."""
        ordered = tuple(sorted(clinics, key=lambda clinic: clinic.clinic_id))
        _refuse_doubles(ordered)
        places = Places.of(ordered)
        index = make_index(places.lat, places.lon)
        return cls(ordered, vocabulary, places, index, closure)

    @property
    def n_located(self) -> int:
        """How many clinics have a position."""
        return len(self.places.located)

    @cached_property
    def all_located(self) -> bool:
        """Whether every clinic has a position: the index's points are the clinics then."""
        return len(self.clinics) == self.n_located

    def positions(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """Turn what the index calls points into the positions of clinics; -1 stays."""
        if self.all_located:
            return places
        # The extra entry turns -1 into -1.
        return np.append(self.places.located, -1)[places]

    def listed(self, places: list[int]) -> list[int]:
        """Turn a few of what the index calls points into the positions of clinics."""
        if self.all_located:
            return places
        return list(map(self.places.located.item, places))

    @cached_property
    def anchor(self) -> tuple[float, float]:
        """Latitude and longitude of one located clinic, in radians."""
        return math.radians(self.places.lat[0]), math.radians(self.places.lon[0])

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Position of each row."""
        located = self.places.located
        everyone = np.arange(len(self.clinics), dtype=np.intp)
        unlocated = np.setdiff1d(everyone, located, assume_unique=True)
        rows = np.concatenate([located[self.index.order], unlocated])
        rows.flags.writeable = False
        return rows

    @cached_property
    def row_of(self) -> NDArray[np.intp]:
        """Row of each position."""
        rows = np.empty(len(self.rows), np.intp)
        rows[self.rows] = np.arange(len(self.rows))
        return rows

    @cached_property
    def radius_km(self) -> NDArray[np.float64]:
        """90 % radius of each position; NaN for the unlocated."""
        radius_km = np.full(len(self.clinics), np.nan)
        radius_km[self.places.located] = self.places.radius_km
        return radius_km

    @cached_property
    def snapshot(self) -> Snapshot:
        """The name of this data."""
        return Snapshot.of(self.clinics, self.vocabulary)

    def position(self, clinic_id: str) -> int:
        """Find a clinic by its id."""
        found = self.find(clinic_id)
        if not isinstance(clinic_id, str):
            raise UnknownClinicError(
                f"a clinic's id is a text, not {type(clinic_id).__name__}; write clinic.clinic_id"
            )
        if found is None:
            raise UnknownClinicError(f"no clinic has the id {clinic_id!r}{self._near(clinic_id)}")
        return found

    def find(self, clinic_id: object) -> int | None:
        """Look up a clinic's position, or None if there is no such clinic."""
        if not isinstance(clinic_id, str):
            return None
        place = bisect_left(self.clinics, clinic_id, key=lambda clinic: clinic.clinic_id)
        is_there = place < len(self.clinics) and self.clinics[place].clinic_id == clinic_id
        return place if is_there else None

    def _near(self, clinic_id: object) -> str:
        from difflib import get_close_matches

        # Ids are compared one by one: in a large directory only those that begin alike.
        text = "-".join(str(clinic_id).lower().split())
        place = bisect_left(self.clinics, text[:3], key=lambda clinic: clinic.clinic_id)
        around = range(len(self.clinics))[max(0, place - 500) : place + 500]
        known = [self.clinics[position].clinic_id for position in around]
        close = [one for one in known if len(text) > 2 and text in one][:3]
        close = close or get_close_matches(text, known, n=3)
        return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _refuse_doubles(clinics: Sequence[Clinic]) -> None:
    ids = [clinic.clinic_id for clinic in clinics]
    doubled = sorted({a for a, b in pairwise(ids) if a == b})
    if doubled:
        faults = [
            Fault(f"two clinics share this id, {one!r}", None, "clinic_id", one) for one in doubled
        ]
        raise DataError("clinics", faults)
