"""Clinics, criteria and origins for Hypothesis, rich in ties, poles and half-known facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import ketafind as kf
from oracle import TERMS, UNITS, line

LATITUDES = [-90.0, -43.7, 0.0, 43.7, 44.2, 90.0]
LONGITUDES = [-180.0, -79.4, -76.5, 0.0, 100.6, 180.0]
FAST = {"allow_nan": False, "allow_infinity": False}


def examples(share: float, suppress_health_check: Iterable[HealthCheck] = ()) -> settings:
    """Settings for a property that deserves more or fewer examples than the profile gives."""
    usual = settings.default
    return settings(
        max_examples=max(15, round(share * usual.max_examples)),
        suppress_health_check={*usual.suppress_health_check, *suppress_health_check},
    )


def degrees(limit: float, special: list[float]):
    return st.sampled_from(special) | st.floats(-limit, limit, **FAST)


origins = st.builds(kf.Coordinates, lat=degrees(90.0, LATITUDES), lon=degrees(180.0, LONGITUDES))
locations = st.builds(kf.Location, lat=degrees(90.0, LATITUDES), lon=degrees(180.0, LONGITUDES))


numbers = st.sampled_from([0.0, 30.0, 250.0, 250.5]) | st.floats(0.0, 1e6)


def _said_of(terms: Iterable[str]) -> list[dict[str, kf.Truth]]:
    """What may be stated of a facet: up to two terms with yes and one with no, as often as few."""
    said = []
    for yes in [()] * 12 + [(one,) for one in terms] * 3 + [*permutations(terms, 2)]:
        for no in [()] * 4 + [(one,) for one in terms]:
            # A yes below a no is a contradiction, refused at load.
            kept = [term for term in no if not any(term in line(listed) for listed in yes)]
            said.append(dict.fromkeys(kept, kf.Truth.NO) | dict.fromkeys(yes, kf.Truth.YES))
    return said


# One choice a facet: to draw lists of terms took most of the time of the tests.
SAID = {facet: st.sampled_from(_said_of(terms)) for facet, terms in TERMS.items()}
COMPLETE = st.sampled_from([False, False, True])
QUANTITIES = st.tuples(numbers, numbers).map(sorted)


@st.composite
def services(draw, service_id: str) -> kf.Service:
    facts, complete = {}, set()
    for facet, said in SAID.items():
        if stated := draw(said):
            facts[facet] = dict(stated)
        if draw(COMPLETE):
            complete.add(facet)
    return kf.Service(
        service_id=service_id,
        facts=facts,
        complete=frozenset(complete),
        quantities={
            name: kf.Quantity(*draw(QUANTITIES), unit)
            for name, unit in UNITS.items()
            if draw(st.booleans())
        },
    )


IDS = st.text("abcXYZ019-é", min_size=1, max_size=3)
N_SERVICES = st.sampled_from([1, 1, 1, 2, 3])
STATUSES = st.sampled_from(["active", "active", "uncertain", "closed"])
PLACES = st.none() | locations | locations | locations


@st.composite
def clinic_lists(draw, max_size: int = 12) -> list[kf.Clinic]:
    ids = draw(st.lists(IDS, unique=True, max_size=max_size))
    return [
        kf.Clinic(
            clinic_id=clinic_id,
            name=f"Clinic {clinic_id}",
            services=tuple(draw(services(str(n))) for n in range(draw(N_SERVICES))),
            status=draw(STATUSES),
            location=draw(PLACES),
        )
        for clinic_id in ids
    ]


@st.composite
def _offers(draw):
    facet = draw(st.sampled_from(sorted(TERMS)))
    terms = tuple(
        draw(st.lists(st.sampled_from(TERMS[facet]), unique=True, min_size=1, max_size=3))
    )
    return ("offers", facet, terms, draw(st.integers(1, len(terms))))


bounds = st.tuples(
    st.sampled_from(["at_most", "at_least"]), st.sampled_from(sorted(UNITS)), numbers
)
expressions = st.recursive(
    _offers() | _offers() | bounds,
    lambda part: (
        st.tuples(st.sampled_from(["not", "no_service"]), part)
        | st.tuples(st.sampled_from(["and", "or"]), part, part)
    ),
    max_leaves=5,
)
policies = st.sampled_from(["exclude", "include", "only"])


def criteria(expression) -> kf.Criteria:
    """The same expression in ketafind's words."""
    kind, *rest = expression
    if kind == "offers":
        facet, terms, needed = rest
        return kf.offers(facet, *terms, at_least=needed)
    if kind in ("at_most", "at_least"):
        return getattr(kf, kind)(*rest)
    if kind == "not":
        return ~criteria(rest[0])
    if kind == "no_service":
        return kf.no_service(criteria(rest[0]))
    left, right = map(criteria, rest)
    return left & right if kind == "and" else left | right


# Directories for exports: every field, and text that is hard on formats.

# Cs cannot be written as UTF-8, Cc is refused by every reader of tables.
awkward = st.sampled_from(
    [
        "",
        "=1+1",
        "@SUM(A1)",
        '"',
        "a,b;c",
        " outer ",
        "Évangéline\u00a0\u2028",
        "\ufeff",
        "0071",
        "null",
    ]
) | st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=8)
named = awkward.filter(str.strip)
days = st.none() | st.dates(date(2020, 1, 1), date(2026, 12, 31))
details = st.fixed_dictionaries(
    {
        "precision": st.sampled_from(["unknown", "rooftop", "place"]),
        "radius_km": st.sampled_from([0.0, 2.5, 1e-7]),
        "match": st.sampled_from(["given", "exact"]),
        "corrections": st.lists(awkward, max_size=2).map(tuple),
        "source": awkward,
        "label": awkward,
        "candidates": st.lists(locations, max_size=1).map(tuple),
    }
)


pages = st.sampled_from(["https://a.example/?q=1", "https://é.example/a?b='<1>'&c="])


@st.composite
def evidence(draw, clinic: kf.Clinic) -> tuple[kf.Evidence, ...]:
    """Evidence for what is stated, and for fields, which decides nothing anew."""
    facts = [
        (service.service_id, facet, term, truth)
        for service in clinic.services
        for facet, terms in service.facts.items()
        for term, truth in terms.items()
    ]
    facts += [(None, "name", clinic.name, kf.Truth.YES)]
    return tuple(
        kf.Evidence(
            clinic_id=clinic.clinic_id,
            service_id=service_id,
            facet=facet,
            term=term,
            truth=truth,
            source_url=draw(pages),
            source_class=draw(st.sampled_from(["clinic", "other"])),
            checked_on=draw(days),
            page_date=draw(days),
            method=draw(awkward),
            scope=draw(st.sampled_from(["site", "operator"])),
            hint=draw(awkward),
        )
        for service_id, facet, term, truth in draw(st.lists(st.sampled_from(facts), max_size=2))
    )


@st.composite
def directories(draw) -> kf.Directory:
    """Directories with every field, awkward text, several services and all that may be stated."""
    made = []
    for clinic in draw(clinic_lists(max_size=2)):
        clinic_id = f"{clinic.clinic_id}{draw(awkward)}"
        services = tuple(
            replace(
                one, service_id=f"{one.service_id}{draw(awkward)}", combined=draw(st.booleans())
            )
            for one in clinic.services
        )
        more: dict[str, Any] = {}
        if clinic.location is not None:
            fields = ("street_address", "city", "province", "postal_code")
            more = {name: draw(awkward) for name in fields}
            more["location"] = replace(clinic.location, **draw(details))
        whole = replace(
            clinic,
            clinic_id=clinic_id,
            services=services,
            name=draw(named),
            **{name: draw(awkward) for name in ("operator", "phone", "notes")},
            website=draw(st.just("") | pages),
            languages=draw(st.sampled_from([(), ("fr",), ("fr", "en")])),
            checked_on=draw(days),
            extra=draw(st.dictionaries(named, awkward, max_size=2)),
            **more,
        )
        made.append(replace(whole, evidence=draw(evidence(whole))))
    return kf.Directory.from_clinics(made, check=False)
