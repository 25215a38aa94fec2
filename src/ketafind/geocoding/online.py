"""Ask an online service through geopy: opt-in, paced, within a deadline, its answer checked."""

from __future__ import annotations

import copy
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from threading import Lock, Thread, local
from typing import TYPE_CHECKING, Any, NoReturn

from ketafind.errors import (
    GeocoderBusyError,
    GeocoderFailedError,
    GeocoderRefusedError,
    GeocoderTimeoutError,
    GeocodingError,
    InvalidInputError,
    PlaceNotFoundError,
    PrivatePlaceError,
)
from ketafind.geocoding.limiter import RateLimit
from ketafind.geocoding.protocol import SearchPlace
from ketafind.geocoding.referee import Referee
from ketafind.geocoding.words import check_text
from ketafind.records import Location

if TYPE_CHECKING:
    from ketafind.geocoding.cache import GeocodeCache

__all__ = ["GeopyGeocoder"]

LONGEST_PAUSE_S = 60.0
FIRST_PAUSE_S = 0.5
BOX = ((41.6, -95.3), (56.9, -74.2))
FAULTS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    OSError,
    RecursionError,
    Warning,  # geopy warns of impossible coordinates, and a program may turn that into an error
)

_inside = local()


class _Silence(logging.Filter):
    """Drops what geopy logs during a call: it logs whole URLs, with keys and addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.CRITICAL or not getattr(_inside, "asking", False)


_silence = _Silence()


class GeopyGeocoder:
    """Geocodes with any synchronous geocoder of geopy.

    Nothing is sent unless this object is made and called, and a `SearchPlace` is refused unless
    the call allows it.

    Parameters
    ----------
    geocoder : geopy.geocoders.base.Geocoder
        Such as ``Nominatim(user_agent="my-clinic-list")``; it is copied, not changed. Its own
        adapter is replaced by one that keeps a deadline, follows no redirect and asks no private
        address. Proxies are not used.
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
        Judges answers against the postal code; the offline gazetteer by default.
    allow_private : bool
        Allow http and a service on this machine or in a private network.

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
            raise InvalidInputError(f"a geocoder of geopy is needed, not {type(geocoder).__name__}")
        self.name = name or type(geocoder).__name__
        self.version = version
        self.deadline_s, self.retries, self.budget = deadline_s, retries, budget
        self.limit = limit if limit is not None else RateLimit()
        self.cache = cache
        self.referee = referee if referee is not None else Referee()
        self.requests_sent = 0
        self._options = dict(options if options is not None else _options_for(geocoder))
        self._refusal: str | None = None
        self._lock = Lock()
        self._geocoder, self._adapter = _own_copy(geocoder, allow_private=allow_private)
        logger = logging.getLogger("geopy")
        if _silence not in logger.filters:
            logger.addFilter(_silence)

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
            Of unknown precision unless the service tells; its radius is half the diagonal of
            what the service found, at least 0.1 km, or 1 km where it does not tell.

        Raises
        ------
        PrivatePlaceError
            For a `SearchPlace` without ``allow_egress=True``; nothing is sent.
        PlaceNotFoundError
            If the service knows no such address.
        RejectedAnswerError
            If its answer is outside Ontario or contradicts the postal code.
        GeocoderRefusedError
            If it refuses the key, the quota or the use, or the budget is spent.
        GeocoderFailedError
            If it fails in any other way; the address may be good.
        """
        private = isinstance(text, SearchPlace)
        if isinstance(text, SearchPlace):
            if not allow_egress:
                raise PrivatePlaceError(
                    f"a searcher's place is not sent to {self.name}; geocode it offline, or say "
                    "allow_egress=True in this call"
                )
            text = text.reveal()
        query = " ".join(check_text(text).split())
        # A searcher's place is kept nowhere.
        if private or self.cache is None:
            return self._judged(query)
        return self.cache.remember(
            self.name, self.version, query, lambda: self._judged(query), self.deadline_s
        )

    def _judged(self, query: str) -> Location:
        found = self._ask(query)
        if found is None:
            raise PlaceNotFoundError(f"{self.name} knows no such address")
        return self.referee.judge(query, _location(found, self.name))

    def _ask(self, query: str) -> Any:
        """Ask until there is an answer, a final failure or the deadline."""
        deadline = time.monotonic() + self.deadline_s
        failure: GeocoderFailedError | None = None
        for attempt in range(self.retries + 1):
            if attempt:
                self._pause(attempt, failure, deadline)
            try:
                return self._ask_once(query, deadline)
            except GeocoderRefusedError as error:
                self._refusal = str(error)
                raise
            except GeocoderBusyError:
                raise
            except GeocoderFailedError as error:
                failure = error
        raise failure if failure is not None else GeocoderFailedError("no attempt was made")

    def _pause(self, attempt: int, failure: GeocoderFailedError | None, deadline: float) -> None:
        """Wait as long as the service said, else longer each time with some jitter."""
        asked = failure.retry_after_s if failure is not None else None
        jitter = FIRST_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311
        pause = asked if asked is not None else min(jitter, LONGEST_PAUSE_S)
        if time.monotonic() + pause >= deadline and failure is not None:
            if asked is not None:
                self.limit.postpone(self.name, asked)
                raise GeocoderBusyError(
                    f"{self.name} asks to wait {asked:.0f} s, longer than the deadline of "
                    f"{self.deadline_s:g} s",
                    retry_after_s=asked,
                )
            raise failure
        if asked is not None:
            self.limit.postpone(self.name, asked)
        else:
            time.sleep(pause)

    def _ask_once(self, query: str, deadline: float) -> Any:
        self._spend()
        # The limit's clock is the wall's: other processes have no other in common.
        self.limit.wait(self.name, time.time() + (deadline - time.monotonic()))
        with self._lock:
            self.requests_sent += 1
        if self._adapter is None:
            return _in_thread(lambda: self._call(query), deadline, self.name)
        with self._adapter.until(deadline):
            return self._call(query)

    def _spend(self) -> None:
        if self._refusal is not None:
            raise GeocoderRefusedError(self._refusal)
        if self.budget is not None and self.requests_sent >= self.budget:
            raise GeocoderRefusedError(f"the budget of {self.budget} requests is spent")

    def _call(self, query: str) -> Any:
        """Call geopy and turn its many failures into ours, without their texts."""
        from geopy import exc

        # The texts of geopy's errors hold URLs, with keys and addresses.
        try:
            with _asking():
                return self._geocoder.geocode(query, exactly_one=True, **self._options)
        except GeocodingError:
            raise
        except (exc.GeocoderAuthenticationFailure, exc.GeocoderInsufficientPrivileges):
            raise GeocoderRefusedError(f"{self.name} refused the key or the use") from None
        except exc.GeocoderRateLimited as error:
            raise GeocoderFailedError(
                f"{self.name} says too many requests", retry_after_s=_wait(error)
            ) from None
        except exc.GeocoderQuotaExceeded:
            raise GeocoderRefusedError(f"{self.name} says the quota is spent") from None
        except (exc.ConfigurationError, exc.GeocoderNotFound):
            raise GeocoderRefusedError(f"{self.name} is not set up rightly") from None
        except (exc.GeocoderTimedOut, TimeoutError) as error:
            # geopy takes 503 for a time-out, too.
            raise GeocoderTimeoutError(
                f"{self.name} did not answer in time",
                retry_after_s=_retry_after(error.__cause__),
            ) from None
        except exc.GeopyError as error:
            raise GeocoderFailedError(
                f"{self.name} failed ({type(error).__name__})",
                retry_after_s=_retry_after(error.__cause__),
            ) from None
        except FAULTS as error:
            raise GeocoderFailedError(
                f"{self.name} sent a malformed reply ({type(error).__name__})"
            ) from None


@contextmanager
def _asking() -> Iterator[None]:
    before = getattr(_inside, "asking", False)
    _inside.asking = True
    try:
        yield
    finally:
        _inside.asking = before


def _options_for(geocoder: Any) -> dict[str, Any]:
    """Tell Nominatim where to look; what it answers is checked all the same."""
    if type(geocoder).__name__ != "Nominatim":
        return {}
    return {"country_codes": "ca", "viewbox": BOX, "bounded": False}


def _own_copy(geocoder: Any, *, allow_private: bool) -> tuple[Any, Any]:
    """Copy a geocoder and give the copy an adapter with a deadline, if it has one of geopy's."""
    from geopy.adapters import BaseAsyncAdapter, BaseSyncAdapter

    adapter = getattr(geocoder, "adapter", None)
    if isinstance(adapter, BaseAsyncAdapter):
        raise TypeError("an asynchronous geocoder is not supported; make it without its adapter")
    if not isinstance(adapter, BaseSyncAdapter):
        return geocoder, None
    from ketafind.geocoding.geopy_http import deadline_adapter_class

    own = copy.copy(geocoder)
    own.adapter = deadline_adapter_class()(allow_private=allow_private)
    return own, own.adapter


def _in_thread(call: Callable[[], Any], deadline: float, name: str) -> Any:
    """Call something that knows no deadline; at ours it is left to itself."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except (GeocodingError, *FAULTS) as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]
    if not results:
        raise GeocoderTimeoutError(f"{name} did not answer before the deadline")
    return results[0]


def _retry_after(error: BaseException | None) -> float | None:
    headers = getattr(error, "headers", None) or {}
    return _seconds(headers.get("retry-after"))


def _wait(error: BaseException) -> float | None:
    told = _retry_after(error.__cause__)
    return told if told is not None else _seconds(getattr(error, "retry_after", None))


def _seconds(value: object) -> float | None:
    """Read Retry-After, in seconds or as a date; None for anything else."""
    if isinstance(value, int | float):
        return max(0.0, float(value))
    if not isinstance(value, str):
        return None
    if value.strip().isascii() and value.strip().isdigit() and len(value) < 9:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, moment.timestamp() - time.time())


def _location(found: Any, name: str) -> Location:
    """Read geopy's answer; (0, 0) is what it makes of a reply without coordinates."""
    try:
        lat, lon = float(found.latitude), float(found.longitude)
    except (TypeError, ValueError, AttributeError):
        raise GeocoderFailedError(f"{name} sent a reply without coordinates") from None
    if lat == 0.0 and lon == 0.0:
        raise GeocoderFailedError(f"{name} sent a reply without coordinates")
    if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0):
        raise GeocoderFailedError(f"{name} sent coordinates that are none")
    address = getattr(found, "address", "")
    return Location(
        lat=lat,
        lon=lon,
        radius_km=_radius_km(getattr(found, "raw", None)),
        match="exact",
        source=name,
        label=address if isinstance(address, str) else "",
    )


def _radius_km(raw: object) -> float:
    """Half the diagonal of the box that Nominatim states; 1 km where none is stated."""
    from ketafind.geo import sphere_km

    box = raw.get("boundingbox") if isinstance(raw, dict) else None
    if not isinstance(box, list) or len(box) != 4:
        return 1.0
    try:
        south, north, west, east = (float(value) for value in box)
        half = sphere_km(south, west, north, east) / 2
    except (TypeError, ValueError):
        return 1.0
    return max(0.1, half) if half < 1_000 else 1.0
