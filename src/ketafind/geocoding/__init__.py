"""From an address to a position: offline by default, with its doubt stated."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Type checkers and editors read __init__.pyi, which lists the same names.
_HOMES = {
    "address": ("Address", "parse_address"),
    "batch": ("geocode_frame",),
    "cache": ("GeocodeCache",),
    "gazetteer": ("Gazetteer", "default_gazetteer"),
    "limiter": ("RateLimit",),
    "locations": ("coarsen_to_fsa",),
    "offline": ("OfflineGeocoder", "geocode", "geocode_many"),
    "online": ("ChainGeocoder", "GeopyGeocoder", "KetafindGeopy", "Referee"),
    "protocol": ("Geocoder", "SearchPlace"),
    "register": ("RegisterGeocoder",),
    "register_build": ("build_register",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = tuple(sorted(_HOME_OF))


def __getattr__(name: str) -> Any:
    # Imported when first used: most programs need few of them.
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"ketafind.geocoding.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
