"""Geocode without a network, from the gazetteer that ships."""

from __future__ import annotations

from collections.abc import Iterable

from ketafind.errors import (
    AmbiguousPlaceError,
    ConflictingPlaceError,
    GeocodingError,
    OutsideCoverageError,
    PlaceNotFoundError,
)
from ketafind.geocoding.gazetteer import Gazetteer, Place, default_gazetteer
from ketafind.geocoding.postal import PROVINCE_OF_LETTER, code_text
from ketafind.geocoding.radius import code_radius_km, covering, sphere_km
from ketafind.geocoding.reading import Reading, Town, read
from ketafind.geocoding.text import check_text
from ketafind.records import Location

__all__ = ["OfflineGeocoder", "geocode", "geocode_many"]

TOGETHER_KM = 25.0
"""Alternatives nearer to each other than this are answered with a radius that covers them."""

CONSISTENT_KM = 12.0
"""A code this near to the town, or to another code of the town, does not contradict it."""


class OfflineGeocoder:
    """Geocodes Canadian postal codes and Ontario addresses from a file, without a network.

    Parameters
    ----------
    gazetteer : Gazetteer, optional
        The codes and places to use; the bundled ones by default.
    """

    def __init__(self, gazetteer: Gazetteer | None = None) -> None:
        self.gazetteer = gazetteer if gazetteer is not None else default_gazetteer()

    def geocode(self, text: str) -> Location:
        """Find where an address, a postal code or a place is.

        Parameters
        ----------
        text : str
            Such as ``"30 Duncan St Suite 400, Toronto ON M5V 2C3"``, ``"K7L 3N6"`` or
            ``"Kingston"``. Ontario is taken for granted.

        Returns
        -------
        Location
            With its precision and 90 % radius.

        Raises
        ------
        PlaceNotFoundError
            If nothing in the text is known.
        AmbiguousPlaceError
            If several places far apart bear the name.
        ConflictingPlaceError
            If town and postal code are far apart.
        OutsideCoverageError
            If the text names another province or country.
        """
        reading = read(check_text(text), self.gazetteer)
        if reading.elsewhere and reading.code_row < 0:
            raise OutsideCoverageError(
                f"{text!r} is in {reading.elsewhere}; addresses in Ontario only"
            )
        if reading.code is not None:
            if reading.code_row >= 0:
                return self._at_code(text, reading, reading.code.number)
            located = self._at_unknown_code(text, reading, reading.code.number)
            if located is not None:
                return located
        if reading.town is not None:
            return self._at_town(text, reading.town)
        if reading.area:
            return self._at_area(reading.area.upper(), int(_area_number(reading.area)))
        raise _not_found(text, reading)

    def _at_code(self, text: str, reading: Reading, number: int) -> Location:
        table, row = self.gazetteer.ontario, reading.code_row
        place = self.gazetteer.places[table.names[row]]
        lat, lon = table.lats[row] / 1e4, table.lons[row] / 1e4
        radius = code_radius_km(table.qualities[row])
        label = code_text(number)
        corrections = _corrections(reading)
        located = Location(
            lat=lat,
            lon=lon,
            precision="postal_code",
            radius_km=radius,
            match="corrected" if corrections else "exact",
            corrections=corrections,
            source="GeoNames",
            label=f"{label}, {place.name}, ON",
        )
        town = reading.town
        if town is None or place in town.places:
            return located
        near = min(town.places, key=lambda p: sphere_km(lat, lon, p.lat, p.lon))
        return self._reconcile(text, located, row, near)

    def _reconcile(self, text: str, located: Location, row: int, town: Place) -> Location:
        apart = sphere_km(located.lat, located.lon, town.lat, town.lon)
        rural = bool(self.gazetteer.ontario.qualities[row] & 16)
        if apart <= max(CONSISTENT_KM, town.radius_km):
            # A rural code stands for a wide area: the town says more.
            return _place_location(town, located.corrections) if rural else located
        if self._nearest_code_km(located, town) <= CONSISTENT_KM:
            return located
        both = (located, _place_location(town))
        if apart <= TOGETHER_KM:
            lat, lon, radius = covering((c.lat, c.lon, c.radius_km) for c in both)
            return Location(
                lat=lat,
                lon=lon,
                precision="place",
                radius_km=radius,
                match="conflict",
                corrections=located.corrections,
                source=located.source,
                label=f"{located.label} or {town.name}, ON",
                candidates=both,
            )
        raise ConflictingPlaceError(
            f"{text!r}: {located.label} is {apart:.0f} km from {town.name}; correct one of them",
            candidates=both,
        )

    def _nearest_code_km(self, located: Location, town: Place) -> float:
        table = self.gazetteer.ontario
        rows = (table.name == town.number).nonzero()[0].tolist()
        lat, lon = located.lat, located.lon
        return min(
            (sphere_km(lat, lon, table.lats[r] / 1e4, table.lons[r] / 1e4) for r in rows),
            default=float("inf"),
        )

    def _at_unknown_code(self, text: str, reading: Reading, number: int) -> Location | None:
        """Answer for a code that is not Ontario's, or not known; None to go by the town."""
        label = code_text(number)
        province = PROVINCE_OF_LETTER.get(label[0].lower())
        if province is not None:
            raise OutsideCoverageError(
                f"the postal code {label} is in {province}; addresses in Ontario only",
                candidates=self._elsewhere_in_canada(number, label, province),
            )
        if reading.town is not None:
            return None
        if number // 2000 in self.gazetteer.ontario.areas:
            return self._at_area(
                label[:3],
                number // 2000,
                (f"{label} is not a known postal code; read as {label[:3]}",),
            )
        raise PlaceNotFoundError(f"{label} is not a known postal code; check it in {text!r}")

    def _elsewhere_in_canada(self, number: int, label: str, province: str) -> tuple[Location, ...]:
        table = self.gazetteer.rest
        row = table.find(number)
        if row < 0:
            return ()
        name = self.gazetteer.rest_names[table.names[row]]
        return (
            Location(
                lat=table.lats[row] / 1e4,
                lon=table.lons[row] / 1e4,
                precision="postal_code",
                radius_km=code_radius_km(table.qualities[row]),
                match="exact",
                source="GeoNames",
                label=f"{label}, {name}, {province}",
            ),
        )

    def _at_area(self, label: str, area: int, corrections: tuple[str, ...] = ()) -> Location:
        low, high = self.gazetteer.ontario.areas[area]
        table = self.gazetteer.ontario
        lats, lons = sorted(table.lat[low:high].tolist()), sorted(table.lon[low:high].tolist())
        lat, lon = lats[len(lats) // 2] / 1e4, lons[len(lons) // 2] / 1e4
        far = sorted(
            sphere_km(lat, lon, table.lats[r] / 1e4, table.lons[r] / 1e4) for r in range(low, high)
        )
        return Location(
            lat=lat,
            lon=lon,
            precision="fsa",
            radius_km=far[int(0.9 * (len(far) - 1))] + 1.0,
            match="corrected" if corrections else "exact",
            corrections=corrections,
            source="GeoNames",
            label=f"{label}, ON",
        )

    def _at_town(self, text: str, town: Town) -> Location:
        candidates = tuple(_place_location(place) for place in town.places)
        if len(candidates) == 1:
            return candidates[0]
        apart = max(sphere_km(a.lat, a.lon, b.lat, b.lon) for a in candidates for b in candidates)
        names = " or ".join(sorted({c.label for c in candidates}))
        if apart > TOGETHER_KM:
            raise AmbiguousPlaceError(
                f"{text!r}: {len(candidates)} places up to {apart:.0f} km apart are called "
                f"{names}; add the postal code",
                candidates=candidates,
            )
        lat, lon, radius = covering((c.lat, c.lon, c.radius_km) for c in candidates)
        return Location(
            lat=lat,
            lon=lon,
            precision="place",
            radius_km=radius,
            match="ambiguous",
            source=candidates[0].source,
            label=names,
            candidates=candidates,
        )


def _area_number(area: str) -> int:
    from ketafind.geocoding.postal import AREAS

    return AREAS[area]


def _corrections(reading: Reading) -> tuple[str, ...]:
    code = reading.code
    if code is None or not code.written:
        return ()
    return (f"{code.written} was read as {code_text(code.number)}",)


def _place_location(place: Place, corrections: tuple[str, ...] = ()) -> Location:
    return Location(
        lat=place.lat,
        lon=place.lon,
        precision="municipality" if place.radius_km > 10.0 else "place",
        radius_km=place.radius_km,
        match="corrected" if corrections else "exact",
        corrections=corrections,
        source=place.source,
        label=f"{place.name}, ON",
    )


def _not_found(text: str, reading: Reading) -> GeocodingError:
    if reading.ontario and not reading.stop:
        return AmbiguousPlaceError(f"{text!r} names a whole province; add a town or postal code")
    return PlaceNotFoundError(
        f"no postal code or Ontario place was recognised in {text!r}; add one, as in "
        "'Kingston' or 'K7L 3N6'"
    )


def geocode(text: str) -> Location:
    """Find where an address, a postal code or a place in Ontario is, without a network.

    Parameters
    ----------
    text : str
        Such as ``"30 Duncan St Suite 400, Toronto ON M5V 2C3"``, ``"K7L 3N6"`` or ``"Kingston"``.

    Returns
    -------
    Location
        With its precision and 90 % radius.

    Raises
    ------
    GeocodingError
        As `OfflineGeocoder.geocode` does.
    """
    return OfflineGeocoder().geocode(text)


def geocode_many(texts: Iterable[str]) -> list[Location | GeocodingError]:
    """Geocode addresses one after the other; a failure does not stop the rest.

    Parameters
    ----------
    texts : iterable of str
        Addresses.

    Returns
    -------
    list of Location or GeocodingError
        For each text its location or, not raised, the error that says why there is none.
    """
    geocoder = OfflineGeocoder()
    answers: list[Location | GeocodingError] = []
    for text in texts:
        try:
            answers.append(geocoder.geocode(text))
        except GeocodingError as error:
            answers.append(error)
    return answers
