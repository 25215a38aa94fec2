"""Online geocoders: any of geopy's, opt-in, paced, within a deadline, their answers checked."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from geopy import exc
from geopy.adapters import BaseAsyncAdapter, BaseSyncAdapter
from geopy.geocoders.base import Geocoder as GeopyBase
from geopy.location import Location as GeopyLocation
from geopy.point import Point

from ketafind import errors, geo
from ketafind.files import require
from ketafind.geocoding.cache import GeocodeCache
from ketafind.geocoding.gazetteer import Gazetteer
from ketafind.geocoding.lexicon import check_text
from ketafind.geocoding.limiter import PacedService, RateLimit, retry_after_s, unlogged, within
from ketafind.geocoding.offline import OfflineGeocoder
from ketafind.geocoding.protocol import Geocoder, SearchPlace, check_geocoder, works_offline
from ketafind.records import Location, text_fault

SETTINGS: tuple[type[Exception], ...] = (exc.ConfigurationError, exc.GeocoderNotFound)
# A program may turn geopy's warning of impossible coordinates into an error.
NO_POSITION = (ValueError, ArithmeticError, Warning)
MALFORMED = (TypeError, LookupError, AttributeError, OSError, RecursionError)
# geopy's errors and what its parsers raise, what they mean and how to say it; the first counts.
FAILURES: tuple[tuple[Any, type[errors.GeocodingError], str], ...] = (
    (exc.GeocoderAuthenticationFailure, errors.GeocoderRefusedError, "refused the key"),
    (exc.GeocoderInsufficientPrivileges, errors.GeocoderRefusedError, "refused the key or the use"),
    (exc.GeocoderRateLimited, errors.GeocoderFailedError, "says too many requests"),
    (exc.GeocoderQuotaExceeded, errors.GeocoderRefusedError, "says the quota is spent"),
    (SETTINGS, errors.GeocoderRefusedError, "is not set up rightly"),
    ((exc.GeocoderTimedOut, TimeoutError), errors.GeocoderTimeoutError, "did not answer in time"),
    (exc.GeopyError, errors.GeocoderFailedError, "failed ({})"),
    (NO_POSITION, errors.RejectedAnswerError, "answered with no position"),
    (MALFORMED, errors.GeocoderFailedError, "sent a malformed reply ({})"),
)

# An answer farther than this from what the gazetteer says, its radius apart, is rejected.
LEAST_KM = 5.0
FACTOR = 3.0
# How far an answer may lie from every postal code; in the north codes lie far from each other.
FAR_SOUTH_KM, FAR_NORTH_KM = 60.0, 300.0
NORTH_FROM = 49.0

# Where to look, by the kind of geocoder; what it answers is checked all the same.
BOX = ((geo.SOUTH, geo.WEST), (geo.NORTH, geo.EAST))
OPTIONS = {"Nominatim": {"country_codes": "ca", "viewbox": BOX, "bounded": False}}


class GeopyGeocoder(PacedService):
    """Geocodes with any synchronous geocoder of geopy.

    Nothing is sent unless this object is made and called, and a `SearchPlace` is refused unless
    the call allows it.

    Parameters
    ----------
    geocoder : geopy.geocoders.base.Geocoder
        Such as ``Nominatim(user_agent="my-clinic-list")``; it is copied, not changed. Its own
        adapter is replaced by one that keeps a deadline, follows no redirect and asks no private
        address; that needs the extra ``online``. Its ``ssl_context`` is kept; proxies are not
        used.
    name : str, optional
        The provider's name, in answers and in caches; the class's name by default.
    version : str
        Of the provider's data; answers of another version are not taken from a cache.
    deadline_s : float
        Seconds that one address may take, waiting and retries included.
    retries : int
        How often a failure that may pass (a time-out, a reset, 429, 5xx) is tried again.
    budget : int or None
        The most requests this object sends in its life; None for any number.
    limit : RateLimit, optional
        The pace; one request a second by default. Give one with a path to share it with other
        processes.
    cache : GeocodeCache, optional
        Where answers are looked up first and kept.
    options : mapping, optional
        Keyword arguments for each call of ``geocode``; for Nominatim Canada and Ontario's box.
    referee : Referee or None, optional
        Checks answers against the postal code; the offline gazetteer by default.
    allow_private : bool
        Allow http and a service on this machine or in a private network.

    Raises
    ------
    InvalidInputError
        If it is no geocoder of geopy, is asynchronous or is to use a proxy.
    MissingExtraError
        If it needs HTTP and the extra ``online`` is not installed.

    Notes
    -----
    Reprs, messages and logs hold no key, no URL and no address; the object is not pickled.
    """

    def __init__(
        self,
        geocoder: Any,
        *,
        name: str | None = None,
        version: str = "1",
        deadline_s: float = 10.0,
        retries: int = 2,
        budget: int | None = None,
        limit: RateLimit | None = None,
        cache: GeocodeCache | None = None,
        options: Mapping[str, Any] | None = None,
        referee: Referee | None = None,
        allow_private: bool = False,
    ) -> None:
        if not callable(getattr(geocoder, "geocode", None)):
            raise errors.InvalidInputError(
                f"a geocoder of geopy is needed, not {type(geocoder).__name__}"
            )
        kinds: Any = (("cache", cache, GeocodeCache), ("options", options, Mapping))
        for what, given, kind in kinds:
            if given is not None and not isinstance(given, kind):
                raise errors.InvalidInputError(
                    f"{what} is a {kind.__name__}, not a {type(given).__name__}"
                )
        super().__init__(name or type(geocoder).__name__, deadline_s, retries, budget, limit)
        self.version = version
        self.cache = cache
        self.referee: Referee = referee if referee is not None else Referee()
        self._options = OPTIONS.get(type(geocoder).__name__, {}) if options is None else {**options}
        self._geocoder, self._adapter = _own_copy(geocoder, allow_private=allow_private)

    def __repr__(self) -> str:
        return f"<GeopyGeocoder {self.name}, {self.requests_sent} requests sent>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a geocoder may hold a key and is not pickled; make one in each process")

    def geocode(self, text: str | SearchPlace, *, allow_egress: bool = False) -> Location:
        """Find where an address is.

        Parameters
        ----------
        text : str or SearchPlace
            The address; a searcher's place only together with ``allow_egress=True``.
        allow_egress : bool
            Whether a searcher's place may be sent to the service.

        Returns
        -------
        Location
            Of unknown precision unless the service says; its radius is half the diagonal of
            what the service found, at least 0.1 km, or 1 km where it does not say.

        Raises
        ------
        PrivatePlaceError
            For a `SearchPlace` without ``allow_egress=True``; nothing is sent.
        PlaceNotFoundError
            If the service knows no such address.
        RejectedAnswerError
            If its answer is no position, is outside Ontario or contradicts the postal code.
        GeocoderRefusedError
            If it refuses the key, the quota or the use, or the budget is spent.
        GeocoderFailedError
            If it fails in any other way; the address may be good.
        """
        deadline = time.monotonic() + self.deadline_s
        cache = self.cache
        if isinstance(text, SearchPlace):
            if not allow_egress:
                raise errors.PrivatePlaceError(
                    f"a searcher's place is not sent to {self.name}; geocode it offline, or say "
                    "allow_egress=True in this call"
                )
            text, cache = text.reveal(), None  # it is kept nowhere
        query = " ".join(check_text(text).split())
        if cache is None:
            return self._found(query, deadline)
        return cache.remember(
            self.name, self.version, query, lambda: self._found(query, deadline), self.deadline_s
        )

    def _found(self, query: str, deadline: float) -> Location:
        found = self._ask(partial(self._call, query), deadline)
        if found is None:
            raise errors.PlaceNotFoundError(f"{self.name} knows no such address")
        return self.referee.check_answer(query, _location(found, self.name))

    def _call(self, query: str, deadline: float) -> Any:
        """Call geopy and turn its many failures into ours, without their texts."""
        ask = partial(self._geocoder.geocode, query, exactly_one=True, **self._options)
        try:
            with unlogged():
                if self._adapter is None:
                    return within(ask, deadline)
                with self._adapter.until(deadline):
                    return ask()
        except errors.GeocodingError:
            raise
        except Exception as error:
            known = next((one for one in FAILURES if isinstance(error, one[0])), None)
            if known is None:
                raise
            failure = known[1](f"{self.name} {known[2].format(type(error).__name__)}")
            if isinstance(failure, errors.GeocoderFailedError):
                failure.retry_after_s = retry_after_s(getattr(error.__cause__, "headers", None))
            if isinstance(failure, errors.GeocoderRefusedError):
                self._refusal = str(failure)
        raise failure from None  # out here: geopy's errors hold URLs, with keys and addresses


def _refuse_asynchronous(geocoder: Any) -> None:
    adapter = getattr(geocoder, "adapter", None)
    if isinstance(adapter, BaseAsyncAdapter):
        raise errors.InvalidInputError(
            f"{type(geocoder).__name__} has the asynchronous adapter {type(adapter).__name__}, "
            "which is not supported; make it without adapter_factory="
        )


def _own_copy(geocoder: Any, *, allow_private: bool) -> tuple[Any, Any]:
    """Copy a geocoder and give the copy an adapter with a deadline, if it has one of geopy's."""
    _refuse_asynchronous(geocoder)
    if not isinstance(getattr(geocoder, "adapter", None), BaseSyncAdapter):
        return geocoder, None
    if getattr(geocoder, "proxies", None):
        raise errors.InvalidInputError(
            f"{type(geocoder).__name__} is to use proxies, which are not supported: its requests "
            "would go past them; make it without proxies="
        )
    require("httpx", "online")
    from ketafind.geocoding.http import HttpxAdapter

    own, context = copy.copy(geocoder), getattr(geocoder, "ssl_context", None)
    own.adapter = HttpxAdapter(ssl_context=context, allow_private=allow_private)
    return own, own.adapter


def _location(found: Any, name: str) -> Location:
    """Read geopy's answer; (0, 0) is what it makes of a reply without coordinates."""
    pair = getattr(found, "latitude", None), getattr(found, "longitude", None)
    if None in pair or pair == (0.0, 0.0):
        raise errors.GeocoderFailedError(f"{name} sent a reply without coordinates")
    try:
        lat, lon = (one if isinstance(one, bool) else float(one) for one in pair)  # type: ignore[arg-type]
        place = geo.Coordinates(lat=lat, lon=lon)
    except (errors.CoordinatesError, TypeError, ValueError, OverflowError):
        raise errors.RejectedAnswerError(f"{name} answered with no position") from None
    label = str(getattr(found, "address", None) or "")
    if text_fault(label):
        raise errors.GeocoderFailedError(f"{name} sent a malformed reply: a name that is no text")
    return Location(
        lat=place.lat,
        lon=place.lon,
        radius_km=_radius_km(getattr(found, "raw", None)),
        match="exact",
        source=name,
        label=label,
    )


def _radius_km(raw: object) -> float:
    """Half the diagonal of the box that Nominatim states; 1 km where none is stated."""
    box = raw.get("boundingbox") if isinstance(raw, dict) else None
    if not isinstance(box, list) or len(box) != 4:
        return 1.0
    try:
        south, north, west, east = (float(value) for value in box)
        half = geo.sphere_km(south, west, north, east) / 2
    except (TypeError, ValueError, OverflowError):
        return 1.0
    return max(0.1, half) if half < 1_000 else 1.0


class Referee:
    """Checks answers by what the gazetteer knows of the same address.

    Parameters
    ----------
    gazetteer : Gazetteer, optional
        What to check by; the bundled one by default.
    """

    def __init__(self, gazetteer: Gazetteer | None = None) -> None:
        self._offline = OfflineGeocoder(gazetteer)

    def check_answer(self, text: str, answer: Location) -> Location:
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
        name = answer.source or "the geocoder"
        if not self._in_ontario(answer.lat, answer.lon):
            raise errors.RejectedAnswerError(
                f"{name} answered with a place outside Ontario{self._hint(answer)}",
                candidates=(answer,),
            )
        try:
            expected = self._offline.geocode(text)
        except errors.GeocodingError:
            # The gazetteer has no opinion of this text.
            return answer
        apart = geo.apart_km(answer, expected)
        if apart > max(LEAST_KM, FACTOR * expected.radius_km) + answer.radius_km:
            raise errors.RejectedAnswerError(
                f"{name} answered with a place {apart:.0f} km from {expected.label}",
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
        """Near a postal code of Ontario."""
        if not geo.in_ontario(lat, lon):
            return False
        table = self._offline.gazetteer.ontario
        reach = FAR_NORTH_KM if lat > NORTH_FROM else FAR_SOUTH_KM
        y = (table.lat / 1e4 - lat) * geo.KM_PER_DEGREE
        x = (table.lon / 1e4 - lon) * geo.KM_PER_DEGREE * math.cos(math.radians(lat))
        return bool((x**2 + y**2 <= reach**2).any())


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
        if not isinstance(geocoders, Iterable) or math.isnan(geo.real(good_enough_km)):
            raise errors.InvalidInputError("a chain takes geocoders and a number of kilometres")
        self.geocoders: tuple[Geocoder, ...] = tuple(geocoders)
        if not self.geocoders:
            raise errors.InvalidInputError("a chain needs one geocoder or more")
        for geocoder in self.geocoders:
            check_geocoder(geocoder)
        self.name: str = "+".join(getattr(g, "name", type(g).__name__) for g in self.geocoders)
        self.version: str = "+".join(str(getattr(g, "version", "1")) for g in self.geocoders)
        self.works_offline: bool = all(map(works_offline, self.geocoders))
        self.good_enough_km = good_enough_km
        self._refused: set[int] = set()

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
            The first that is good enough, else the last that replaced an earlier one.

        Raises
        ------
        GeocodingError
            The last geocoder's, if none has an answer; at once if the address is elsewhere.
        """
        best: Location | None = None
        problem: errors.GeocodingError | errors.PrivatePlaceError | None = None
        for place, geocoder in enumerate(self.geocoders):
            if place in self._refused:
                continue
            try:
                found = _ask(geocoder, text, allow_egress=allow_egress)
            except errors.OutsideCoverageError:
                raise
            except errors.GeocoderRefusedError as error:
                self._refused.add(place)
                problem = error
            except (errors.GeocodingError, errors.PrivatePlaceError) as error:
                problem = error
            else:
                best = found if best is None else _better(best, found)
                if best.radius_km <= self.good_enough_km:
                    return best
        if best is not None:
            return best
        if problem is None:
            raise errors.GeocoderRefusedError("every geocoder of the chain has refused")
        raise problem


def _ask(geocoder: Geocoder, text: str | SearchPlace, *, allow_egress: bool) -> Location:
    if isinstance(text, SearchPlace) and allow_egress and hasattr(geocoder, "requests_sent"):
        return geocoder.geocode(text, allow_egress=True)  # type: ignore[call-arg,arg-type]
    return geocoder.geocode(text)  # type: ignore[arg-type]


def _better(first: Location, later: Location) -> Location:
    agree = geo.apart_km(first, later) <= first.radius_km + later.radius_km
    return later if agree and later.radius_km < first.radius_km else first


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
        super().__init__(
            user_agent=options.get("user_agent", "ketafind"),
            adapter_factory=options.get("adapter_factory"),
        )
        _refuse_asynchronous(self)
        self._own = geocoder if geocoder is not None else OfflineGeocoder()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._own,)

    def geocode(self, query: str, *, exactly_one: bool = True, **_: Any) -> Any:
        """Find an address.

        Parameters
        ----------
        query : str
            The address.
        exactly_one : bool
            One location, or the list of all that the text may mean.
        **_ : object
            Options of other geocoders, such as ``timeout``: not used.

        Returns
        -------
        geopy.location.Location, list of it, or None
            None if there is no one answer, as in geopy; ``raw`` holds precision, radius_km,
            match, corrections and source.
        """
        return _for_geopy(lambda: self._own.geocode(query), exactly_one=exactly_one)

    def reverse(self, query: Any, *, exactly_one: bool = True, **_: Any) -> Any:
        """Name the place nearest to a position.

        Parameters
        ----------
        query : tuple of float, or str
            Latitude and longitude in degrees.
        exactly_one : bool
            One location, or a list of one.
        **_ : object
            Options of other geocoders, such as ``timeout``: not used.

        Returns
        -------
        geopy.location.Location, list of it, or None
            None outside Ontario.
        """
        point = Point(query)
        place = geo.Coordinates(lat=point.latitude, lon=point.longitude)
        return _for_geopy(lambda: OfflineGeocoder().reverse(place), exactly_one=exactly_one)


def _for_geopy(ask: Callable[[], Location], *, exactly_one: bool) -> Any:
    """Ask, and answer as geopy does: a location, a list of all that are meant, or None."""
    found: Sequence[Location]
    try:
        located = ask()
        found = [located] if exactly_one else located.candidates or [located]
    except errors.GeocodingError as error:
        found = [] if exactly_one else error.candidates
    names = ("precision", "radius_km", "match", "corrections", "source")
    answers = [
        GeopyLocation(one.label, (one.lat, one.lon), {name: getattr(one, name) for name in names})
        for one in found
    ]
    return answers[0] if answers and exactly_one else answers or None
