"""What every geocoder here is, and a searcher's place that must not leave the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature
from typing import Any, NamedTuple, NoReturn, Protocol

from ketafind.errors import GeocodingError, InvalidInputError, PlaceNotFoundError
from ketafind.records import Location


class Geocoder(Protocol):
    """Anything that turns an address into a location.

    One that never asks a network says so by an attribute ``works_offline`` that is True: only such
    a one is kept by a directory to read where searches start.
    """

    def geocode(self, text: str) -> Location:
        """Find where an address is.

        Parameters
        ----------
        text : str
            The address.

        Returns
        -------
        Location
            Where it is, how precisely and how that was found.

        Raises
        ------
        GeocodingError
            If there is no one answer.
        """
        ...


class Outcome(NamedTuple):
    """What became of one address."""

    location: Location | None
    status: str
    reason: str


def check_geocoder(geocoder: object) -> None:
    """Refuse a geocoder that has no method to geocode with, or is one of geopy's own."""
    if geocoder is None:
        return
    if isinstance(geocoder, type):
        name = geocoder.__name__
        raise InvalidInputError(f"{name} is a class of geocoders: make one, {name}(...)")
    kind = type(geocoder).__name__
    if any(base.__module__.startswith("geopy.") for base in type(geocoder).__mro__):
        raise InvalidInputError(
            f"{kind} is a geocoder of geopy: wrap it, as in "
            f"ketafind.geocoding.GeopyGeocoder({kind}(...))"
        )
    if not callable(getattr(geocoder, "geocode", None)):
        raise InvalidInputError(
            f"a geocoder has a method geocode(text) that returns a Location; {kind} has none"
        )


def works_offline(geocoder: object) -> bool:
    """Tell whether a geocoder never asks a network; only what says so is believed."""
    return getattr(geocoder, "works_offline", False) is True


def check_works_offline(geocoder: object) -> None:
    """Refuse a geocoder that may ask a network."""
    check_geocoder(geocoder)
    if not works_offline(geocoder):
        raise InvalidInputError(
            f"{type(geocoder).__name__} does not say that it works offline: a directory keeps no "
            f"other geocoder; give it to the call, as in nearest(origin, geocoder=...)"
        )


def checked_location(place: object, geocoder: object) -> Location:
    """Refuse an answer that is no location."""
    if isinstance(place, Location):
        return place
    raise InvalidInputError(
        f"the geocoder {type(geocoder).__name__} returned {type(place).__name__}, not a "
        f"ketafind.Location; where it finds nothing it raises PlaceNotFoundError"
    )


def searched(geocoder: Geocoder, text: str) -> Location:
    """Ask a geocoder for where somebody searches from; the caller answers for where that goes."""
    ask: Callable[..., Location] = geocoder.geocode
    if not works_offline(geocoder) and "allow_egress" in signature(ask).parameters:
        # It keeps such a place in no cache, and in no error.
        return ask(SearchPlace(text), allow_egress=True)
    return ask(text)


class SearchPlace:
    """A searcher's place as text: where a person is who looks for care.

    It does not show itself in reprs, messages or pickles, and online geocoders refuse it unless
    the call says ``allow_egress=True``.

    Parameters
    ----------
    text : str
        A postal code, a place or an address.

    Raises
    ------
    PlaceNotFoundError
        If it is no text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise PlaceNotFoundError(f"a place must be text, not {type(text).__name__}")
        self._text = text

    def reveal(self) -> str:
        """Return the text: whoever asks for it is responsible for where it goes.

        Returns
        -------
        str
            The text.
        """
        return self._text

    def __repr__(self) -> str:
        return "<SearchPlace>"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchPlace) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a searcher's place is not pickled; pass its text on purpose")


def privately(geocode: Callable[[str], Location], place: SearchPlace) -> Location:
    """Geocode a searcher's place offline: an error says what is wrong and not where."""
    try:
        return geocode(place.reveal())
    except GeocodingError as error:
        kind = type(error)
    # Raised outside the handler, so that no chained error carries the text.
    raise kind(
        f"the place could not be used ({kind.__name__}); give a postal code or a town of Ontario"
    )


def shown(items: Iterable[Any], what: str, unit: str, *, progress: bool) -> Iterable[Any]:
    """Show a bar on a terminal while items are worked off, if that takes longer than a second."""
    from tqdm import tqdm

    return tqdm(items, desc=what, unit=unit, delay=1.0, disable=None if progress else True)
