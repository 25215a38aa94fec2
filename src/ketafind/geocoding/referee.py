"""Judge an online answer by what the gazetteer knows of the same address."""

from __future__ import annotations

from math import cos, radians

from ketafind.errors import GeocodingError, RejectedAnswerError
from ketafind.geo import KM_PER_DEGREE, sphere_km
from ketafind.geocoding.gazetteer import Gazetteer, default_gazetteer
from ketafind.geocoding.offline import OfflineGeocoder
from ketafind.records import Location

__all__ = ["Referee"]

LEAST_KM = 5.0
FACTOR = 3.0
FAR_SOUTH_KM, FAR_NORTH_KM = 60.0, 300.0
NORTH = 49.0
BOX = (41.6, 56.9, -95.3, -74.2)


class Referee:
    """Rejects answers that cannot be right.

    Parameters
    ----------
    gazetteer : Gazetteer, optional
        What to judge by; the bundled one by default.
    """

    def __init__(self, gazetteer: Gazetteer | None = None) -> None:
        self._gazetteer = gazetteer if gazetteer is not None else default_gazetteer()
        self._offline = OfflineGeocoder(self._gazetteer)

    def judge(self, text: str, answer: Location) -> Location:
        """Accept an answer or reject it with the reason.

        Parameters
        ----------
        text : str
            The address that was asked for.
        answer : Location
            What a service answered.

        Returns
        -------
        Location
            The answer.

        Raises
        ------
        RejectedAnswerError
            If it lies outside Ontario (the text says if its swapped or sign-corrected pair would
            not), or farther from what the gazetteer says than 5 km and three times its radius;
            with both locations as candidates.
        """
        if not self._in_ontario(answer.lat, answer.lon):
            raise RejectedAnswerError(
                f"{answer.source} answered with a place outside Ontario{self._hint(answer)}",
                candidates=(answer,),
            )
        try:
            expected = self._offline.geocode(text)
        except GeocodingError:
            # The gazetteer has no opinion of this text.
            return answer
        apart = sphere_km(answer.lat, answer.lon, expected.lat, expected.lon)
        if apart > max(LEAST_KM, FACTOR * expected.radius_km) + answer.radius_km:
            raise RejectedAnswerError(
                f"{answer.source} answered with a place {apart:.0f} km from {expected.label}",
                candidates=(answer, expected),
            )
        return answer

    def _hint(self, answer: Location) -> str:
        if self._in_ontario(answer.lon, answer.lat):
            return "; latitude and longitude seem swapped"
        if self._in_ontario(answer.lat, -answer.lon):
            return "; the longitude seems to lack its minus sign"
        return ""

    def _in_ontario(self, lat: float, lon: float) -> bool:
        """Near a postal code of Ontario; in the north codes lie far from each other."""
        south, north, west, east = BOX
        if not (south <= lat <= north and west <= lon <= east):
            return False
        table = self._gazetteer.ontario
        reach = FAR_NORTH_KM if lat > NORTH else FAR_SOUTH_KM
        y = (table.lat / 1e4 - lat) * KM_PER_DEGREE
        x = (table.lon / 1e4 - lon) * KM_PER_DEGREE * cos(radians(lat))
        return bool((x**2 + y**2 <= reach**2).any())
