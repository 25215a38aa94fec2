"""Geocode to the door from a street register that the user built."""

from __future__ import annotations

import json
import os
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from ketafind import errors
from ketafind.files import open_arrays
from ketafind.geo import apart_km, sphere_km
from ketafind.geocoding.address import Address, parse_address
from ketafind.geocoding.lexicon import code_number, name_key, street_key, words_of
from ketafind.geocoding.locations import together
from ketafind.geocoding.offline import TOGETHER_KM, OfflineGeocoder
from ketafind.geocoding.protocol import SearchPlace, privately
from ketafind.records import Location
from ketafind.vocabulary.terms import edits

KIND, VERSION = "ketafind street register", 2
# Nine of ten points of a building lie within 60 m of it, of a block face within 330 m.
RADII_KM = {"rooftop": 0.06, "block_face": 0.33}

LEAST_KM = 0.05
# Numbers farther apart than this on a street are not interpolated between.
WIDEST_GAP = 100

FAR_KM, FACTOR = 5.0, 3.0
# A street's name may be misspelt so little within its town, less than one letter in five, and no
# street elsewhere counts. At 0.8 itself rapidfuzz rounds one way, and exact counting another.
SLIPS = 0.8001


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
    _path: str | None = None

    def __init__(
        self, meta: dict[str, Any], arrays: dict[str, Any], offline: OfflineGeocoder | None = None
    ) -> None:
        self.meta = meta
        self.version: str = f"{meta.get('source', '')}:{meta.get('points', 0)}"
        self.offline: OfflineGeocoder = offline if offline is not None else OfflineGeocoder()
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
        opened = cls(*open_arrays(path, kind=KIND, version=VERSION, verify=verify))
        opened._path = os.path.abspath(path)
        return opened

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by reference: another process maps the file itself."""
        if self._path is None:
            raise TypeError("a register is pickled as its file: make it by RegisterGeocoder.open")
        return RegisterGeocoder.open, (self._path,)

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
        except (errors.ConflictingPlaceError, errors.OutsideCoverageError):
            raise
        except errors.GeocodingError:
            coarse = None
        town = self._town(address)
        found = self._find(address, town)
        if not found:
            return coarse if coarse is not None else self.offline.geocode(text)
        return self._choose(text, found, coarse)

    def _town(self, address: Address) -> str:
        """The town of an address, else the one that its postal code is named after."""
        if address.city or not address.postal_code:
            return address.city
        gazetteer = self.offline.gazetteer
        row = gazetteer.ontario.find(code_number(address.postal_code.lower().replace(" ", "")))
        if row < 0:
            return ""
        return gazetteer.places[gazetteer.ontario.names[row]].name.partition(" (")[0]

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
        return tuple(self._find(address, self._town(address)))

    def _find(self, address: Address, town: str) -> list[Location]:
        """Look for the street in each community that bears the town's name."""
        name, kind, way = street_key(words_of(address.street)[0])
        found: list[Location] = []
        for community in self._towns.get(name_key(words_of(town)[0]), ()):
            low, high = self._streets[community]
            first = bisect_left(self._names, name, low, high)
            named = range(first, bisect_right(self._names, name, first, high))
            like = named or self._misspelt(name, low, high)
            fitting = [s for s in like if self._fits(s, kind, way)]
            if not fitting and not (kind and way):
                fitting = [s for s in like if self._fits(s, kind, "")]
            found += [self._locate(s, address, town, exact=bool(named)) for s in fitting]
        return [one for one in found if one.match == "exact"] or found

    def _misspelt(self, name: str, low: int, high: int) -> list[int]:
        """Streets of one town with the likest name, if it is like enough."""
        if len(name) < 4 or any(c.isdigit() for c in name):
            return []
        osa, extract = edits()
        names, alike = self._names[low:high], osa.normalized_similarity
        found = extract(name, names, scorer=alike, score_cutoff=SLIPS, limit=8)
        return [low + at for _, like, at in found if like == found[0][1]]

    def _fits(self, street: int, kind: str, way: str) -> bool:
        return (not kind or self._types[self._type[street]] in {kind, ""}) and (
            not way or self._ways[self._way[street]] == way
        )

    def _locate(self, street: int, address: Address, town: str, *, exact: bool) -> Location:
        lat, lon, precision, radius_km = self._position(street, address.number)
        return Location(
            lat=lat,
            lon=lon,
            precision=precision,
            radius_km=radius_km,
            match="exact" if exact else "fuzzy",
            corrections=() if exact else (f"the street was read as {self._names[street]}",),
            source=str(self.meta.get("source", "register")),
            label=f"{address.number} {address.street}, {town}, ON".strip(),
        )

    def _position(self, street: int, number: str) -> tuple[float, float, str, float]:
        """Latitude, longitude, precision and radius of a number on a street."""
        low, high = self._start[street], self._start[street + 1]
        civic = int("".join(c for c in number if c.isdigit()) or 0)
        at = bisect_left(self._civic, civic, low, high)
        if civic and at < high and self._civic[at] == civic:
            precision = "block_face" if self._kind[at] else "rooftop"
            return *self._point(at), precision, RADII_KM[precision]
        between = self._between(civic, at, low, high) if civic else None
        if between is not None:
            return between
        points = [self._point(i) for i in range(low, high, max(1, (high - low) // 200))]
        lat, lon = median(p[0] for p in points), median(p[1] for p in points)
        far = sorted(sphere_km(lat, lon, *point) for point in points)
        return lat, lon, "street", max(LEAST_KM, far[int(0.9 * (len(far) - 1))])

    def _between(
        self, civic: int, at: int, low: int, high: int
    ) -> tuple[float, float, str, float] | None:
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
        lat, lon = a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
        return lat, lon, "interpolated", max(LEAST_KM, sphere_km(*a, *b) / 2)

    def _point(self, at: int) -> tuple[float, float]:
        return self._lat[at] / 1e6, self._lon[at] / 1e6

    def _choose(self, text: str, found: list[Location], coarse: Location | None) -> Location:
        """Of several streets the one by the postal code; doubt as everywhere."""
        parts, match, enough_km = tuple(_best(found)), "ambiguous", LEAST_KM
        if coarse is not None and coarse.precision == "postal_code":
            near = min(parts, key=lambda one: apart_km(one, coarse))
            parts, match = (near, coarse), "conflict"
            enough_km = max(FAR_KM, FACTOR * coarse.radius_km)
        apart = max(apart_km(a, b) for a in parts for b in parts)
        if apart <= enough_km:
            return parts[0]
        if apart <= TOGETHER_KM:
            whole = together(parts, match, [parts[0].label])
            return replace(whole, precision="street", corrections=())
        if match == "conflict":
            raise errors.ConflictingPlaceError(
                f"{text!r}: the street is {apart:.0f} km from the postal code; correct one of them",
                candidates=parts,
            )
        raise errors.AmbiguousPlaceError(
            f"{text!r} may be {len(parts)} streets up to {apart:.0f} km apart; add the postal code",
            candidates=parts,
        )


def _best(locations: list[Location]) -> list[Location]:
    """Where some streets have the number, those that do not are out of the question."""
    found = [c for c in locations if c.precision in {"rooftop", "block_face"}]
    return found or [c for c in locations if c.precision == "interpolated"] or locations


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
