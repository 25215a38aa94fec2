"""From an address to a position: offline by default, with its doubt stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ketafind.geocoding.address import Address, parse_address
from ketafind.geocoding.gazetteer import Gazetteer, default_gazetteer
from ketafind.geocoding.locations import coarsen_to_fsa
from ketafind.geocoding.offline import OfflineGeocoder, geocode, geocode_many
from ketafind.geocoding.protocol import Geocoder, SearchPlace

if TYPE_CHECKING:
    from ketafind.geocoding.batch import geocode_frame
    from ketafind.geocoding.cache import GeocodeCache
    from ketafind.geocoding.limiter import RateLimit
    from ketafind.geocoding.online import (
        ChainGeocoder,
        GeopyGeocoder,
        KetafindGeopy,
        Referee,
    )
    from ketafind.geocoding.register import RegisterGeocoder
    from ketafind.geocoding.register_build import build_register

__all__ = [
    "Address",
    "ChainGeocoder",
    "Gazetteer",
    "GeocodeCache",
    "Geocoder",
    "GeopyGeocoder",
    "KetafindGeopy",
    "OfflineGeocoder",
    "RateLimit",
    "Referee",
    "RegisterGeocoder",
    "SearchPlace",
    "build_register",
    "coarsen_to_fsa",
    "default_gazetteer",
    "geocode",
    "geocode_frame",
    "geocode_many",
    "parse_address",
]

_LATER = {
    "ChainGeocoder": "online",
    "GeocodeCache": "cache",
    "GeopyGeocoder": "online",
    "KetafindGeopy": "online",
    "RateLimit": "limiter",
    "Referee": "online",
    "RegisterGeocoder": "register",
    "build_register": "register_build",
    "geocode_frame": "batch",
}


def __getattr__(name: str) -> Any:
    """Import what most programs do not need when it is first asked for."""
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(f"ketafind.geocoding.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
