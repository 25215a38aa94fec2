"""From an address to a position: offline by default, with its doubt stated."""

from __future__ import annotations

from ketafind.geocoding.address import Address, parse_address
from ketafind.geocoding.gazetteer import Gazetteer, default_gazetteer
from ketafind.geocoding.offline import OfflineGeocoder, geocode, geocode_many
from ketafind.geocoding.protocol import Geocoder

__all__ = [
    "Address",
    "Gazetteer",
    "Geocoder",
    "OfflineGeocoder",
    "default_gazetteer",
    "geocode",
    "geocode_many",
    "parse_address",
]
