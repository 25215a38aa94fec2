"""Clinics without a location, placed by their address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ketafind.errors import GeocodingError, InvalidInputError
from ketafind.records import Location

if TYPE_CHECKING:
    from ketafind.geocoding import Geocoder
    from ketafind.records import Clinic

__all__ = ["check_geocoder", "located"]

REASON = "geocoding"
"""The extra field of a clinic that says why its address could not be placed."""


def located(clinics: Sequence[Clinic], geocoder: Geocoder | None) -> tuple[Clinic, ...]:
    """Geocode the clinics that have an address but no location.

    Parameters
    ----------
    clinics : sequence of Clinic
        In any order.
    geocoder : Geocoder or None
        None for the bundled offline geocoder.

    Returns
    -------
    tuple of Clinic
        In the same order. One that cannot be placed stays without a location and says why in
        ``extra["geocoding"]``.
    """
    return tuple(
        _placed(clinic, geocoder) if clinic.location is None and _has_address(clinic) else clinic
        for clinic in clinics
    )


def check_geocoder(geocoder: object) -> None:
    """Refuse a geocoder that has no method to geocode with.

    Parameters
    ----------
    geocoder : Geocoder or None
        What was given.

    Raises
    ------
    InvalidInputError
        If it is neither.
    """
    if geocoder is not None and not callable(getattr(geocoder, "geocode", None)):
        raise InvalidInputError(
            f"a geocoder has a method geocode(text) that returns a Location; "
            f"{type(geocoder).__name__} has none"
        )


def _has_address(clinic: Clinic) -> bool:
    return bool(clinic.city or clinic.postal_code or clinic.street_address)


def _placed(clinic: Clinic, geocoder: Geocoder | None) -> Clinic:
    if geocoder is None:
        from ketafind.geocoding import OfflineGeocoder

        geocoder = OfflineGeocoder()
    try:
        place: object = geocoder.geocode(clinic.address)
    except GeocodingError as error:
        return replace(clinic, extra={**clinic.extra, REASON: str(error)})
    if not isinstance(place, Location):
        raise InvalidInputError(
            f"the geocoder {type(geocoder).__name__} returned {type(place).__name__}, not a "
            f"ketafind.Location; where it finds nothing it raises PlaceNotFoundError"
        )
    return replace(clinic, location=place)
