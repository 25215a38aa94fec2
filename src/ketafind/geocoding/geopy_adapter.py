"""The offline geocoder inside geopy and the tools that take geopy's geocoders."""

from __future__ import annotations

from functools import cache
from typing import Any

from ketafind.errors import GeocodingError
from ketafind.geocoding.offline import OfflineGeocoder

__all__ = ["geopy_class"]


@cache
def geopy_class() -> Any:
    """Make the class; geopy is imported only now."""
    from geopy.geocoders.base import Geocoder as GeopyBase
    from geopy.location import Location as GeopyLocation

    class KetafindGeopy(GeopyBase):  # type: ignore[misc]
        """A geocoder of geopy that answers from the bundled gazetteer, without a network.

        It works with geopy's ``RateLimiter`` and with ``geopandas.tools.geocode``.

        Parameters
        ----------
        geocoder : Geocoder, optional
            Another geocoder of ketafind to ask.
        **options : object
            Accepted and not used, so that tools can pass what they pass to others.
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

    KetafindGeopy.__module__ = "ketafind.geocoding"
    KetafindGeopy.__qualname__ = "KetafindGeopy"
    return KetafindGeopy
