"""Geocode to the door from a street register that the user built."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ketafind.errors import (
    AmbiguousPlaceError,
    ConflictingPlaceError,
    GeocodingError,
    OutsideCoverageError,
)
from ketafind.files import open_arrays
from ketafind.geo import sphere_km
from ketafind.geocoding.address import Address, parse_address
from ketafind.geocoding.locations import covering
from ketafind.geocoding.offline import TOGETHER_KM, OfflineGeocoder
from ketafind.geocoding.protocol import SearchPlace, privately
from ketafind.geocoding.words import name_key, street_key, words_of
from ketafind.records import Location

KIND, VERSION = "ketafind street register", 2
RADII_KM = {"rooftop": 0.06, "block_face": 0.33}
"""Nine of ten points of a building lie within 60 m of it, of a block face within 330 m."""

LEAST_KM = 0.05
WIDEST_GAP = 100
"""Numbers farther apart than this on a street are not interpolated between."""

FAR_KM, FACTOR = 5.0, 3.0
SLIPS = 0.8
"""A street's name may be misspelt this much within its town, and no street elsewhere counts."""


class _Hit(NamedTuple):
    """A street that may be meant, and the address on it."""

    location: Location
    exact: bool


class RegisterGeocoder:
    """Answers rooftop, block face, interpolated and street from a register, else as offline.

    Parameters
    ----------
    meta : dict
        What the file says of itself.
    arrays : dict of str to numpy.ndarray
        Its arrays.
    offline : OfflineGeocoder, optional
        Reads towns and postal codes, and answers where the register does not.
    """

    name = "register"
    works_offline = True

    def __init__(
        self, meta: dict[str, Any], arrays: dict[str, Any], offline: OfflineGeocoder | None = None
    ) -> None:
        self.meta = meta
        self.offline = offline if offline is not None else OfflineGeocoder()
        self._civic, self._lat, self._lon = (arrays[n].data for n in ("civic", "lat", "lon"))
        self._kind, self._start = arrays["kind"].data, arrays["street_start"].data
        self._types, self._ways, communities, french = json.loads(bytes(arrays["words"]))
        self._type, self._way = arrays["street_type"].data, arrays["street_way"].data
        self._names: list[str] = bytes(arrays["names"]).decode().split("\n")
        owner = arrays["street_community"]
        bounds = [int(i) for i in owner.searchsorted(range(len(communities) + 1))]
        self._streets = list(pairwise(bounds))
        self._towns = _towns(communities, dict(french))

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = True) -> RegisterGeocoder:
        """Open a register that `build_register` made.

        Parameters
        ----------
        path : path-like
            The file; it is mapped, not read.
        verify : bool
            Whether to check every byte first.

        Returns
        -------
        RegisterGeocoder
            Safe to share between threads.

        Raises
        ------
        DirectoryFileError
            If the file is no register, damaged, or of another version.
        MissingFileError
            If there is no such file.
        """
        return cls(*open_arrays(path, kind=KIND, version=VERSION, verify=verify))

    @property
    def version(self) -> str:
        """The source and size of the register."""
        return f"{self.meta.get('source', '')}:{self.meta.get('points', 0)}"

    def __repr__(self) -> str:
        return f"<RegisterGeocoder {self.meta.get('source')}, {len(self._civic):,} addresses>"

    def geocode(self, text: str | SearchPlace) -> Location:
        """Find where an address is.

        Parameters
        ----------
        text : str or SearchPlace
            The address.

        Returns
        -------
        Location
            ``rooftop`` or ``block_face`` for an address of the register; ``interpolated`` for a
            number between two of its street on the same side; ``street`` for any other number;
            else what `OfflineGeocoder` answers. Nothing is extrapolated.

        Raises
        ------
        ConflictingPlaceError
            If the address lies far from its postal code.
        GeocodingError
            As `OfflineGeocoder.geocode` does, where the register has no answer.
        """
        if isinstance(text, SearchPlace):
            return privately(self.geocode, text)
        address = parse_address(text, self.offline.gazetteer)
        if not address.street:
            return self.offline.geocode(text)
        try:
            coarse: Location | None = self.offline.geocode(text)
        except (ConflictingPlaceError, OutsideCoverageError):
            raise
        except GeocodingError:
            coarse = None
        hits = self._find(*self._query(address))
        if not hits:
            return coarse if coarse is not None else self.offline.geocode(text)
        found = self._choose(text, hits, coarse)
        street = f"{address.number} {address.street}".strip()
        return _labelled(found, f"{street}, {self._query(address)[2]}, ON")

    def _query(self, address: Address) -> tuple[tuple[str, str, str], str, str]:
        """Street, number and town to look up."""
        town = address.city or _place_of_code(self.offline, address.postal_code)
        return street_key(words_of(address.street)[0]), address.number, town

    def lookup(self, address: Address) -> tuple[Location, ...]:
        """Look a parsed address up, without its postal code and without doubt weighed.

        Parameters
        ----------
        address : Address
            Of `parse_address`.

        Returns
        -------
        tuple of Location
            One for each street of the town that may be meant; empty if there is none.
        """
        return tuple(hit.location for hit in self._find(*self._query(address)))

    def _find(self, street: tuple[str, str, str], number: str, town: str) -> list[_Hit]:
        name, kind, way = street
        hits: list[_Hit] = []
        for community in self._towns.get(name_key(words_of(town)[0]), ()):
            low, high = self._streets[community]
            at = bisect_left(self._names, name, low, high)
            same = []
            while at < high and self._names[at] == name:
                same.append(at)
                at += 1
            exact = bool(same)
            if not same:
                same = self._misspelt(name, low, high)
            fitting = [s for s in same if self._fits(s, kind, way)] or (
                [] if kind and way else [s for s in same if self._fits(s, kind, "")]
            )
            hits += [_Hit(self._locate(s, number, exact=exact), exact) for s in fitting]
        return [h for h in hits if h.exact] or hits

    def _misspelt(self, name: str, low: int, high: int) -> list[int]:
        """Streets of one town with the likest name, if it is like enough."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        if len(name) < 4 or any(c.isdigit() for c in name):
            return []
        found = process.extract(
            name,
            self._names[low:high],
            scorer=OSA.normalized_similarity,
            score_cutoff=SLIPS,
            limit=8,
        )
        return [low + at for _, like, at in found if like == found[0][1]]

    def _fits(self, street: int, kind: str, way: str) -> bool:
        return (not kind or self._types[self._type[street]] in {kind, ""}) and (
            not way or self._ways[self._way[street]] == way
        )

    def _locate(self, street: int, number: str, *, exact: bool) -> Location:
        low, high = self._start[street], self._start[street + 1]
        digits = "".join(c for c in number if c.isdigit())
        civic = int(digits) if digits else 0
        at = bisect_left(self._civic, civic, low, high)
        notes = () if exact else (f"the street was read as {self._names[street]}",)
        if civic and at < high and self._civic[at] == civic:
            precision = "block_face" if self._kind[at] else "rooftop"
            radius = RADII_KM[precision]
            return self._answer(self._point(at), precision, radius, notes)
        between = self._between(civic, at, low, high) if civic else None
        if between is not None:
            return self._answer(between[0], "interpolated", between[1], notes)
        points = [self._point(i) for i in range(low, high, max(1, (high - low) // 200))]
        lat, lon = median(p[0] for p in points), median(p[1] for p in points)
        far = sorted(sphere_km(lat, lon, *point) for point in points)
        radius = max(LEAST_KM, far[int(0.9 * (len(far) - 1))])
        return self._answer((lat, lon), "street", radius, notes)

    def _between(
        self, civic: int, at: int, low: int, high: int
    ) -> tuple[tuple[float, float], float] | None:
        """Interpolate on the number's own side; the error is half the way between the two."""
        side = civic % 2
        before = next((i for i in range(at - 1, low - 1, -1) if self._civic[i] % 2 == side), -1)
        after = next((i for i in range(at, high) if self._civic[i] % 2 == side), -1)
        if before < 0 or after < 0:
            return None
        first, last = self._civic[before], self._civic[after]
        if last - first > WIDEST_GAP:
            return None
        share = (civic - first) / (last - first)
        a, b = self._point(before), self._point(after)
        span = sphere_km(*a, *b)
        point = (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
        return point, max(LEAST_KM, span / 2)

    def _point(self, at: int) -> tuple[float, float]:
        return self._lat[at] / 1e6, self._lon[at] / 1e6

    def _answer(
        self,
        point: tuple[float, float],
        precision: str,
        radius_km: float,
        notes: tuple[str, ...],
    ) -> Location:
        return Location(
            lat=point[0],
            lon=point[1],
            precision=precision,
            radius_km=radius_km,
            match="fuzzy" if notes else "exact",
            corrections=notes,
            source=str(self.meta.get("source", "register")),
            label="",
        )

    def _choose(self, text: str, hits: list[_Hit], coarse: Location | None) -> Location:
        """Of several streets the one by the postal code; doubt as everywhere."""
        locations = _best([hit.location for hit in hits])
        if coarse is not None and coarse.precision == "postal_code":
            near = min(locations, key=lambda c: sphere_km(c.lat, c.lon, coarse.lat, coarse.lon))
            apart = sphere_km(near.lat, near.lon, coarse.lat, coarse.lon)
            if apart <= max(FAR_KM, FACTOR * coarse.radius_km):
                return near
            if apart <= TOGETHER_KM:
                return _merged((near, coarse), "conflict")
            raise ConflictingPlaceError(
                f"{text!r}: the street is {apart:.0f} km from the postal code; correct one of them",
                candidates=(near, coarse),
            )
        if len(locations) == 1:
            return locations[0]
        apart = max(sphere_km(a.lat, a.lon, b.lat, b.lon) for a in locations for b in locations)
        if apart <= LEAST_KM:
            return locations[0]
        if apart <= TOGETHER_KM:
            return _merged(tuple(locations), "ambiguous")
        raise AmbiguousPlaceError(
            f"{text!r} may be {len(locations)} streets up to {apart:.0f} km apart; add the postal "
            "code",
            candidates=tuple(locations),
        )


def _best(locations: list[Location]) -> list[Location]:
    """Where some streets have the number, those that do not are out of the question."""
    found = [c for c in locations if c.precision in {"rooftop", "block_face"}]
    return found or [c for c in locations if c.precision == "interpolated"] or locations


def _labelled(location: Location, label: str) -> Location:
    candidates = tuple(_labelled(one, label) for one in location.candidates)
    return replace(location, label=location.label or label, candidates=candidates)


def _merged(parts: tuple[Location, ...], match: str) -> Location:
    lat, lon, radius = covering((c.lat, c.lon, c.radius_km) for c in parts)
    return Location(
        lat=lat,
        lon=lon,
        precision="street",
        radius_km=radius,
        match=match,
        source=parts[0].source,
        candidates=parts,
    )


def _place_of_code(offline: OfflineGeocoder, code: str) -> str:
    """The town that a postal code is named after; empty if it is not listed."""
    from ketafind.geocoding.words import code_number

    if not code:
        return ""
    row = offline.gazetteer.ontario.find(code_number(code.lower().replace(" ", "")))
    if row < 0:
        return ""
    return offline.gazetteer.places[offline.gazetteer.ontario.names[row]].name.partition(" (")[0]


def _towns(communities: list[list[str]], french: dict[str, str]) -> dict[str, tuple[int, ...]]:
    """The communities that each name of a municipality or post town stands for."""
    towns: dict[str, set[int]] = defaultdict(set)
    for number, (municipality, town) in enumerate(communities):
        towns[municipality].add(number)
        towns[town].add(number)
    for name, english in french.items():
        towns[name] |= towns.get(english, set())
    towns.pop("", None)
    return {name: tuple(sorted(numbers)) for name, numbers in towns.items()}
