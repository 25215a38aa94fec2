"""The offline geocoder inside geopy and the tools that take geopy's geocoders."""

from __future__ import annotations

from typing import Any

from geopy.geocoders.base import Geocoder as GeopyBase
from geopy.location import Location as GeopyLocation

from ketafind.errors import GeocodingError
from ketafind.geocoding.offline import OfflineGeocoder

__all__ = ["KetafindGeopy"]


class KetafindGeopy(GeopyBase):  # type: ignore[misc]
    """A geocoder of geopy that answers from the bundled gazetteer, without a network.

    It works with geopy's ``RateLimiter`` and with ``geopandas.tools.geocode``.

    Parameters
    ----------
    geocoder : Geocoder, optional
        Another geocoder of ketafind to ask.
    **options : object
        Accepted and not used, so that tools can pass what they pass to others.

    Examples
    --------
    >>> located = KetafindGeopy().geocode("K7L 3N6")
    >>> located.raw["precision"]
    'postal_code'
    """

    def __init__(self, geocoder: Any = None, **options: Any) -> None:
        super().__init__(user_agent=options.get("user_agent", "ketafind"))
        self._own = geocoder if geocoder is not None else OfflineGeocoder()

    def geocode(self, query: str, *, exactly_one: bool = True, **_: Any) -> Any:
        """Find an address.

        Parameters
        ----------
        query : str
            The address.
        exactly_one : bool
            One location, or a list of one.
        **_ : object
            Options of other geocoders, such as ``timeout``: not used.

        Returns
        -------
        geopy.location.Location, list of it, or None
            None if there is no one answer, as in geopy; ``raw`` holds precision, radius_km,
            match, corrections and source.
        """
        try:
            located = self._own.geocode(query)
        except GeocodingError:
            return None
        raw = {
            name: getattr(located, name)
            for name in ("precision", "radius_km", "match", "corrections", "source")
        }
        found = GeopyLocation(located.label, (located.lat, located.lon), raw)
        return found if exactly_one else [found]
