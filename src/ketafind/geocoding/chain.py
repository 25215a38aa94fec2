"""Several geocoders, one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ketafind.errors import (
    GeocoderRefusedError,
    GeocodingError,
    InvalidInputError,
    OutsideCoverageError,
    PrivatePlaceError,
)
from ketafind.geo import sphere_km
from ketafind.geocoding.protocol import Geocoder, SearchPlace, check_geocoder
from ketafind.records import Location

__all__ = ["ChainGeocoder"]


class ChainGeocoder:
    """Asks geocoders in order, and takes the first answer that is good enough.

    A later answer replaces an earlier one only if its radius is smaller and the two agree. A
    service that refuses its key or quota is not asked again.

    Parameters
    ----------
    geocoders : sequence of Geocoder
        The first one is asked first; usually ``[OfflineGeocoder(), GeopyGeocoder(...)]``.
    good_enough_km : float
        An answer with at most this 90 % radius ends the search; infinite by default, so that the
        later ones are asked only where the earlier ones have no answer.
    """

    def __init__(self, geocoders: Sequence[Geocoder], *, good_enough_km: float = math.inf) -> None:
        self.geocoders = tuple(geocoders)
        if not self.geocoders:
            raise InvalidInputError("a chain needs one geocoder or more")
        for geocoder in self.geocoders:
            check_geocoder(geocoder)
        self.good_enough_km = good_enough_km
        self._refused: set[int] = set()

    @property
    def name(self) -> str:
        """The names of its geocoders."""
        return "+".join(getattr(g, "name", type(g).__name__) for g in self.geocoders)

    @property
    def version(self) -> str:
        """The versions of its geocoders."""
        return "+".join(str(getattr(g, "version", "1")) for g in self.geocoders)

    def __repr__(self) -> str:
        return f"<ChainGeocoder {self.name}>"

    def geocode(self, text: str | SearchPlace, *, allow_egress: bool = False) -> Location:
        """Find where an address is.

        Parameters
        ----------
        text : str or SearchPlace
            The address; a searcher's place goes to offline geocoders only, unless allowed.
        allow_egress : bool
            Whether a searcher's place may be sent to a service.

        Returns
        -------
        Location
            The first that is good enough, else the most precise of those that agree with the
            first.

        Raises
        ------
        GeocodingError
            The last geocoder's, if none has an answer; at once if the address is elsewhere.
        """
        best: Location | None = None
        problem: GeocodingError | PrivatePlaceError | None = None
        for place, geocoder in enumerate(self.geocoders):
            if place in self._refused:
                continue
            try:
                found = _ask(geocoder, text, allow_egress=allow_egress)
            except OutsideCoverageError:
                raise
            except GeocoderRefusedError as error:
                self._refused.add(place)
                problem = error
            except (GeocodingError, PrivatePlaceError) as error:
                problem = error
            else:
                best = found if best is None else _better(best, found)
                if best.radius_km <= self.good_enough_km:
                    return best
        if best is not None:
            return best
        if problem is None:
            raise GeocoderRefusedError("every geocoder of the chain has refused")
        raise problem


def _ask(geocoder: Geocoder, text: str | SearchPlace, *, allow_egress: bool) -> Location:
    if isinstance(text, SearchPlace) and allow_egress and hasattr(geocoder, "requests_sent"):
        return geocoder.geocode(text, allow_egress=True)  # type: ignore[call-arg,arg-type]
    return geocoder.geocode(text)  # type: ignore[arg-type]


def _better(first: Location, later: Location) -> Location:
    apart = sphere_km(first.lat, first.lon, later.lat, later.lon)
    agree = apart <= first.radius_km + later.radius_km
    return later if agree and later.radius_km < first.radius_km else first
