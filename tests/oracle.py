"""What the answers must be, in plain Python: no code of ketafind's engine, no cleverness."""

from __future__ import annotations

import math

from pyproj import Geod

GEOD = Geod(ellps="WGS84")
RANK = {"no": 0, "unknown": 1, "yes": 2}
SWAP = {"no": "yes", "unknown": "unknown", "yes": "no"}
PASSES = {"exclude": {"yes"}, "include": {"yes", "unknown"}, "only": {"unknown"}}
TIE_KM = 1.03e-9
"""Two libraries' distances may round to neighbouring micrometres."""

PARENT = {
    "sublingual": "oral",
    "psychiatrist": "physician",
    "anesthesiologist": "physician",
    "nurse_practitioner": "nurse",
    "major_depression": "depression",
    "treatment_resistant_depression": "major_depression",
    "ohip_covered_partial": "ohip_covered",
}
TERMS = {
    "route": ["iv", "im", "oral", "sublingual"],
    "staff": ["physician", "psychiatrist", "anesthesiologist", "nurse"],
    "condition": ["depression", "major_depression", "treatment_resistant_depression", "ptsd"],
    "flag": ["virtual", "referral_required", "ohip_covered", "ohip_covered_partial"],
}
UNITS = {"price_cad": "CAD", "wait_days": "days"}


def line(term: str) -> list[str]:
    """The term and everything above it."""
    above = PARENT.get(term)
    return [term] if above is None else [term, *line(above)]


def fact(service, facet: str, term: str) -> str:
    stated = {t: str(truth) for t, truth in service.facts.get(facet, {}).items()}
    yes = [t for t, truth in stated.items() if truth == "yes"]
    no = [t for t, truth in stated.items() if truth == "no"]
    if any(term in line(listed) for listed in yes):
        return "yes"
    if any(listed in line(term) for listed in no):
        return "no"
    related = any(listed in line(term) for listed in yes)
    return "no" if facet in service.complete and not related else "unknown"


def holds(expression, service, clinic) -> str:
    """Truth of an expression, written as nested tuples, for one service."""
    kind, *rest = expression
    if kind == "offers":
        facet, terms, needed = rest
        truths = [fact(service, facet, term) for term in terms]
        n_yes, n_no = truths.count("yes"), truths.count("no")
        return "yes" if n_yes >= needed else "no" if len(terms) - n_no < needed else "unknown"
    if kind in ("at_most", "at_least"):
        return bounded(service.quantities.get(rest[0]), kind, rest[1])
    if kind == "no_service":
        return SWAP[highest(holds(rest[0], other, clinic) for other in clinic.services)]
    truths = [holds(part, service, clinic) for part in rest]
    if kind == "not":
        return SWAP[truths[0]]
    return (lowest if kind == "and" else highest)(truths)


def bounded(stated, side: str, number: float) -> str:
    """Whether all of a range, or none of it, is on the side of a bound that is asked for."""
    if stated is None:
        return "unknown"
    inside = [end <= number if side == "at_most" else end >= number for end in stated_ends(stated)]
    return "yes" if all(inside) else "unknown" if any(inside) else "no"


def stated_ends(stated) -> tuple[float, float]:
    return stated.low, stated.high


def highest(truths) -> str:
    return max(truths, key=RANK.__getitem__)


def lowest(truths) -> str:
    return min(truths, key=RANK.__getitem__)


def truth(expression, clinic) -> str:
    status = {"active": "yes", "uncertain": "unknown", "closed": "no"}[clinic.status]
    return lowest([highest(holds(expression, s, clinic) for s in clinic.services), status])


def distance_km(origin, clinic) -> float:
    place = clinic.location
    return GEOD.inv(origin.lon, origin.lat, place.lon, place.lat)[2] / 1000


def search(clinics, expression, unknown) -> list[str]:
    return sorted(c.clinic_id for c in clinics if truth(expression, c) in PASSES[unknown])


def within(clinics, expression, unknown, origin, radius_km=math.inf) -> list:
    passing = set(search(clinics, expression, unknown))
    located = [c for c in clinics if c.clinic_id in passing and c.location is not None]
    ranked = sorted((round(distance_km(origin, c) * 1e9), c.clinic_id, c) for c in located)
    radius_um = math.inf if math.isinf(radius_km) else round(radius_km * 1e9)
    return [clinic for far, _, clinic in ranked if far <= radius_um]


def assert_same_order(matches, expected, origin) -> None:
    """Same clinics in the same order, but for distances that round differently."""
    assert len(matches) == len(expected)
    for match, clinic in zip(matches, expected, strict=True):
        true_km = distance_km(origin, match.clinic)
        assert abs(match.distance_km - true_km) < 2e-11 + 1e-15 * true_km
        if match.clinic.clinic_id != clinic.clinic_id:
            assert abs(true_km - distance_km(origin, clinic)) < TIE_KM
