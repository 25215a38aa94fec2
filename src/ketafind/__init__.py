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
    from ketafind.access.catchments import catchments
    from ketafind.access.coverage import coverage, gaps
    from ketafind.access.demand import ontario_municipalities, ontario_postal_codes
    from ketafind.access.score import access_score
    from ketafind.access.siting import best_sites
    from ketafind.criteria import Criteria, everything, no_service, offers, route, staff, treats
    from ketafind.directory import Directory, load_directory
    from ketafind.errors import KetafindError
    from ketafind.geo import Coordinates
    from ketafind.geocoding import Geocoder, OfflineGeocoder, geocode, geocode_frame, geocode_many
    from ketafind.join.join import nearest_join
    from ketafind.matches import Match, Matches
    from ketafind.qualification import RuleSet, qualified
    from ketafind.query.filter import Filter
    from ketafind.query.origin import Origin
    from ketafind.records import Clinic, Evidence, Location, Service
    from ketafind.snapshot import Snapshot
    from ketafind.tables.clinics import read_clinics, read_evidence
    from ketafind.truth import Truth
    from ketafind.vocabulary import Vocabulary

__version__ = "0.1.0"

_HOMES = {
    "access.catchments": ("catchments",),
    "access.coverage": ("coverage", "gaps"),
    "access.demand": ("ontario_municipalities", "ontario_postal_codes"),
    "access.score": ("access_score",),
    "access.siting": ("best_sites",),
    "criteria": ("Criteria", "everything", "no_service", "offers", "route", "staff", "treats"),
    "directory": ("Directory", "load_directory"),
    "errors": ("KetafindError",),
    "geo": ("Coordinates",),
    "geocoding": ("Geocoder", "OfflineGeocoder", "geocode", "geocode_frame", "geocode_many"),
    "join.join": ("nearest_join",),
    "matches": ("Match", "Matches"),
    "qualification": ("RuleSet", "qualified"),
    "query.filter": ("Filter",),
    "query.origin": ("Origin",),
    "records": ("Clinic", "Evidence", "Location", "Service"),
    "snapshot": ("Snapshot",),
    "tables.clinics": ("read_clinics", "read_evidence"),
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
    "Origin",
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
    "ontario_municipalities",
    "ontario_postal_codes",
    "qualified",
    "read_clinics",
    "read_evidence",
    "route",
    "staff",
    "treats",
    "vocabulary",
]


if not TYPE_CHECKING:  # a type checker would take any name then

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
