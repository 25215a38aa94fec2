"""Clinics without a location, placed by their address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ketafind.errors import GeocodingError
from ketafind.geocoding.protocol import checked_location

if TYPE_CHECKING:
    from ketafind.geocoding import Geocoder
    from ketafind.records import Clinic

__all__ = ["located"]

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


def _has_address(clinic: Clinic) -> bool:
    return bool(clinic.city or clinic.postal_code or clinic.street_address)


def _placed(clinic: Clinic, geocoder: Geocoder | None) -> Clinic:
    if geocoder is None:
        from ketafind.geocoding import OfflineGeocoder

        geocoder = OfflineGeocoder()
    try:
        place = geocoder.geocode(clinic.address)
    except GeocodingError as error:
        return replace(clinic, extra={**clinic.extra, REASON: str(error)})
    return replace(clinic, location=checked_location(place, geocoder))
