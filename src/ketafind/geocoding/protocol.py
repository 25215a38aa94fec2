"""What every geocoder can do."""

from __future__ import annotations

from typing import Protocol

from ketafind.records import Location

__all__ = ["Geocoder"]


class Geocoder(Protocol):
    """Turns the text of an address into a position."""

    def geocode(self, text: str, /) -> Location:
        """Place an address.

        Parameters
        ----------
        text : str
            An address, postal code or place on one line.

        Returns
        -------
        Location
            With its precision and its 90 % radius.

        Raises
        ------
        GeocodingError
            If the text is no single place.
        """
        ...
