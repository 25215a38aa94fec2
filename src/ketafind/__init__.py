"""Find the nearest qualified providers: exact, offline and honest about what is not known.

>>> import ketafind as kf
>>> directory = kf.load_directory()
>>> near = directory.nearest("Kingston, ON", k=3, routes="iv", conditions="depression")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketafind import errors, guide, vocabulary
    from ketafind.analysis import (
        access_score,
        best_sites,
        catchments,
        coverage,
        gaps,
        nearest_join,
        ontario_postal_codes,
    )
    from ketafind.coordinates import Coordinates
    from ketafind.criteria import (
        Criteria,
        everything,
        no_service,
        offers,
        route,
        staff,
        treats,
    )
    from ketafind.directory import Directory, load_directory
    from ketafind.errors import KetafindError
    from ketafind.geocoding import (
        Geocoder,
        OfflineGeocoder,
        geocode,
        geocode_frame,
        geocode_many,
    )
    from ketafind.matches import Filter, Match, Matches
    from ketafind.qualification import RuleSet, qualified
    from ketafind.records import Clinic, Evidence, Location, Service
    from ketafind.snapshot import Snapshot
    from ketafind.tables.reading import read_clinics, read_evidence
    from ketafind.truth import Truth
    from ketafind.vocabulary import Vocabulary

__version__ = "0.1.0"

_HOMES = {
    "analysis": (
        "access_score",
        "best_sites",
        "catchments",
        "coverage",
        "gaps",
        "nearest_join",
        "ontario_postal_codes",
    ),
    "coordinates": ("Coordinates",),
    "criteria": ("Criteria", "everything", "no_service", "offers", "route", "staff", "treats"),
    "directory": ("Directory", "load_directory"),
    "errors": ("KetafindError",),
    "geocoding": ("Geocoder", "OfflineGeocoder", "geocode", "geocode_frame", "geocode_many"),
    "matches": ("Filter", "Match", "Matches"),
    "qualification": ("RuleSet", "qualified"),
    "records": ("Clinic", "Evidence", "Location", "Service"),
    "snapshot": ("Snapshot",),
    "tables.reading": ("read_clinics", "read_evidence"),
    "truth": ("Truth",),
    "vocabulary": ("Vocabulary",),
}
_MODULES = ("errors", "guide", "vocabulary")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Clinic",
    "Coordinates",
    "Criteria",
    "Directory",
    "Evidence",
    "Filter",
    "Geocoder",
    "KetafindError",
    "Location",
    "Match",
    "Matches",
    "OfflineGeocoder",
    "RuleSet",
    "Service",
    "Snapshot",
    "Truth",
    "Vocabulary",
    "__version__",
    "access_score",
    "best_sites",
    "catchments",
    "coverage",
    "errors",
    "everything",
    "gaps",
    "geocode",
    "geocode_frame",
    "geocode_many",
    "guide",
    "load_directory",
    "nearest_join",
    "no_service",
    "offers",
    "ontario_postal_codes",
    "qualified",
    "read_clinics",
    "read_evidence",
    "route",
    "staff",
    "treats",
    "vocabulary",
]


def __getattr__(name: str) -> Any:
    # Imported when first used: `import ketafind` itself reads no other module.
    if name in _MODULES:
        return import_module(f"ketafind.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ketafind' has no attribute {name!r}")
    value = getattr(import_module(f"ketafind.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
