"""Clinics, criteria and origins for Hypothesis, rich in ties, poles and half-known facts."""

from __future__ import annotations

from collections.abc import Iterable

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


@st.composite
def services(draw, service_id: str) -> kf.Service:
    facts, complete = {}, set()
    for facet, terms in TERMS.items():
        yes = draw(st.lists(st.sampled_from(terms), unique=True, max_size=2))
        no = draw(st.lists(st.sampled_from(terms), unique=True, max_size=1))
        # A yes below a no is a contradiction, refused at load.
        kept = [term for term in no if not any(term in line(listed) for listed in yes)]
        stated = dict.fromkeys(kept, kf.Truth.NO) | dict.fromkeys(yes, kf.Truth.YES)
        if stated:
            facts[facet] = stated
        if draw(st.sampled_from([False, False, True])):
            complete.add(facet)
    return kf.Service(
        service_id=service_id,
        facts=facts,
        complete=frozenset(complete),
        quantities={
            name: kf.Quantity(*sorted(draw(st.tuples(numbers, numbers))), unit)
            for name, unit in UNITS.items()
            if draw(st.booleans())
        },
    )


@st.composite
def clinic_lists(draw, max_size: int = 12) -> list[kf.Clinic]:
    ids = draw(
        st.lists(st.text("abcXYZ019-é", min_size=1, max_size=3), unique=True, max_size=max_size)
    )
    return [
        kf.Clinic(
            clinic_id=clinic_id,
            name=f"Clinic {clinic_id}",
            services=tuple(
                draw(services(str(n))) for n in range(draw(st.sampled_from([1, 1, 1, 2, 3])))
            ),
            status=draw(st.sampled_from(["active", "active", "uncertain", "closed"])),
            location=draw(st.none() | locations | locations | locations),
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
