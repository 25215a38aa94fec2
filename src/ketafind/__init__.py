"""Find the nearest qualified providers: exact, offline and honest about what is not known.

>>> import ketafind as kf
>>> directory = kf.load_directory()
>>> near = directory.nearest("Kingston, ON", k=3, routes="iv", conditions="depression")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Type checkers and editors read __init__.pyi, which lists the same names.
_HOMES = {
    "access.catchments": ("catchments",),
    "access.coverage": ("best_sites", "compare", "coverage", "gaps"),
    "access.demand": ("ontario_municipalities", "ontario_postal_codes"),
    "access.score": ("access_score",),
    "criteria": (
        *("Criteria", "at_least", "at_most", "everything", "flag", "no_service", "offers"),
        *("route", "staff", "treats"),
    ),
    "directory": ("Directory", "load_directory"),
    "errors": ("KetafindError",),
    "geo": ("Coordinates",),
    "geocoding": ("Geocoder", "OfflineGeocoder", "geocode", "geocode_frame", "geocode_many"),
    "join.join": ("nearest_join",),
    "join.columns": ("methods", "provenance"),
    "matches": ("Match", "Matches"),
    "qualification": ("RuleSet", "qualified"),
    "query.filter": ("Filter", "UnknownPolicy"),
    "query.origin": ("Origin",),
    "records": ("Clinic", "Evidence", "Location", "Quantity", "Service", "Truth"),
    "snapshot": ("Snapshot",),
    "tables.clinics": ("read_clinics", "read_evidence"),
    "vocabulary": ("Vocabulary",),
}
_MODULES = ("errors", "geo", "guide", "plots", "travel", "vocabulary")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = tuple(sorted(["__version__", *_MODULES, *_HOME_OF]))


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
    return list(__all__)
