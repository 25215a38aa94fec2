"""Relaxations are minimal, complete and right: against every subset of changes, tried blindly."""

from __future__ import annotations

import functools
import itertools
import json
import operator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ketafind as kf
import oracle
from ketafind.errors import InvalidInputError
from ketafind.explain.relax import COSTS, MAX_CLAUSES, clauses_of, minimal_sets
from strategies import clinic_lists, criteria, examples, expressions, origins, policies

# Each example makes directories and asks them in several ways.
FEWER = examples(1 / 4)

ALL = 10_000


def single(expression) -> bool:
    """An AND inside the list would be taken apart: the test lists its clauses itself."""
    return "and" not in json.dumps(expression)


clauses = st.lists(expressions.filter(single), min_size=1, max_size=4)


def holds_all(parts, service, clinic) -> str:
    return oracle.lowest(["yes", *(oracle.holds(part, service, clinic) for part in parts)])


def passing(clinics, parts, unknown, origin, limit_km) -> dict[str, float]:
    """Clinics that pass, and their distances, in plain Python."""
    found = {}
    for clinic in clinics:
        status = {"active": "yes", "uncertain": "unknown", "closed": "no"}[clinic.status]
        best = oracle.highest(holds_all(parts, service, clinic) for service in clinic.services)
        if oracle.lowest([best, status]) not in oracle.PASSES[unknown] or clinic.location is None:
            continue
        far = oracle.distance_km(origin, clinic)
        if limit_km == oracle.math.inf or round(far * 1e9) <= round(limit_km * 1e9):
            found[clinic.clinic_id] = far
    return found


def broadened(part, clinics):
    """An any-of clause with the terms above its own, a bound as wide as any clinic needs."""
    while part[0] == "not" and part[1][0] == "not":  # no clause: it is the one inside
        part = part[1][1]
    kind, *rest = part
    if kind in ("at_most", "at_least"):
        services = [service for clinic in clinics for service in clinic.services]
        stated = [s.quantities[rest[0]] for s in services if rest[0] in s.quantities]
        ends = [end for one in stated for end in oracle.stated_ends(one)]
        widest = max([rest[1], *ends]) if kind == "at_most" else min([rest[1], *ends])
        return None if widest == rest[1] else (kind, rest[0], widest)
    if kind != "offers":
        return None
    facet, terms, needed = rest
    if needed != 1:
        return None
    above = tuple(dict.fromkeys(oracle.PARENT.get(term, term) for term in terms))
    return None if set(above) == set(terms) else ("offers", facet, above, 1)


def brute_force(clinics, by_name, unknown, origin, limit_km):
    """Every minimal set of changes that finds a clinic which was not found before."""
    before = set(passing(clinics, by_name.values(), unknown, origin, limit_km))
    wider = {f"broaden {name}": broadened(part, clinics) for name, part in by_name.items()}
    names = [*by_name, *(name for name, part in wider.items() if part)]
    names += ["unknown"] if unknown != "include" else []
    names += ["radius"] if limit_km < oracle.math.inf else []
    good: list[frozenset[str]] = []
    for n in range(1, len(names) + 1):
        for changes in map(frozenset, itertools.combinations(names, n)):
            if unknown == "only" and "unknown" not in changes:
                continue
            if any(f"broaden {name}" in changes for name in by_name if name in changes):
                continue
            kept = [
                wider[f"broaden {name}"] if f"broaden {name}" in changes else part
                for name, part in by_name.items()
                if name not in changes
            ]
            policy = "include" if "unknown" in changes else unknown
            reach = oracle.math.inf if "radius" in changes else limit_km
            if set(passing(clinics, kept, policy, origin, reach)) - before:
                good.append(changes)
    whole = {one: one | {f"broaden {name}" for name in one if wider.get(f"broaden {name}")}
             for one in good}  # fmt: skip
    return [one for one in good if not any(whole[other] < whole[one] for other in good)]


def name_of(change) -> str:
    if change.criteria is None:
        return change.kind
    name = change.criteria.to_json()
    return name if change.broader is None else f"broaden {name}"


def one_with_iv() -> list[kf.Clinic]:
    service = kf.Service(facts={"route": {"iv": kf.Truth.YES}})
    return [
        kf.Clinic(clinic_id="a", name="A", services=(service,), location=kf.Location(lat=1, lon=1))
    ]


IV = ("offers", "route", ("iv",), 1)


@FEWER
@example(one_with_iv(), [IV], "only", kf.Coordinates(lat=1, lon=1), 10.0)
@given(clinic_lists(), clauses, policies, origins, st.sampled_from([10.0, 3000.0, oracle.math.inf]))
def test_relaxations_equal_a_search_of_all_subsets(clinics, parts, unknown, origin, limit_km):
    directory = kf.Directory.from_clinics(clinics, check=False)
    by_name = {criteria(part).resolve(directory.vocabulary).to_json(): part for part in parts}
    where = criteria(parts[0])
    for part in parts[1:]:
        where = where & criteria(part)
    limit = None if limit_km == oracle.math.inf else limit_km
    matches = directory.nearest(
        origin, ALL, where=where, unknown=unknown, max_distance_km=limit, check=False
    )
    found = matches.relax(ALL)
    got = [frozenset(name_of(change) for change in one.changes) for one in found]
    assert len(set(got)) == len(got)
    assert set(got) == set(brute_force(clinics, by_name, unknown, origin, limit_km))
    assert [one.cost for one in found] == sorted(one.cost for one in found)
    before = {match.clinic.clinic_id for match in matches}
    for one in found:
        again = directory.nearest(
            origin, ALL, where=one.criteria, unknown=one.unknown,
            max_distance_km=one.max_distance_km, check=False,
        )  # fmt: skip
        new = [m for m in again if m.clinic.clinic_id not in before]
        assert len(again) == one.n_clinics
        assert abs(new[0].distance_km - one.nearest_km) < 1e-9


@FEWER
@given(clinic_lists(), clauses, st.integers(1, 4))
def test_a_limit_cuts_the_list_and_changes_nothing_else(clinics, parts, limit):
    directory = kf.Directory.from_clinics(clinics, check=False)
    where = criteria(parts[0])
    for part in parts[1:]:
        where = where | criteria(part)
    found = directory.search(where=where)
    whole = [(one.changes, one.n_clinics) for one in found.relax(ALL)]
    assert [(one.changes, one.n_clinics) for one in found.relax(limit)] == whole[:limit]


@given(
    st.lists(st.integers(0, 255), max_size=30), st.lists(st.integers(1, 4), min_size=8, max_size=8)
)
def test_minimal_sets_hold_no_other_set_and_are_all(masks, costs):
    found = minimal_sets(np.array(masks, np.uint64), costs, ALL)
    sets = {tuple(bit for bit in range(8) if mask >> bit & 1) for mask in masks}
    wanted = {one for one in sets if not any(set(other) < set(one) for other in sets)}
    assert set(found) == wanted
    prices = [sum(costs[bit] for bit in one) for one in found]
    assert prices == sorted(prices)


def test_a_region_is_a_change_of_its_own():
    import shapely

    directory = kf.load_directory()
    nowhere = directory.inside(shapely.box(0.0, 0.0, 1.0, 1.0), routes="iv")
    first = nowhere.relax()[0]
    assert [change.kind for change in first.changes] == ["region"]
    assert first.n_clinics == len(directory.search(routes="iv"))
    assert first.nearest_km is None


def test_a_broader_term_is_a_smaller_change_than_none():
    def clinic(clinic_id, **routes):
        facts = {"route": {route: kf.Truth(truth) for route, truth in routes.items()}}
        return kf.Clinic(clinic_id=clinic_id, name=clinic_id, services=(kf.Service(facts=facts),))

    clinics = [clinic("a", oral="yes", sublingual="no"), clinic("b", iv="yes", sublingual="no")]
    asked = kf.Directory.from_clinics(clinics).search(routes="sublingual")
    (only,) = asked.relax()
    (change,) = only.changes
    assert (change.kind, only.criteria, only.cost) == ("broaden", kf.route("oral"), 3)
    assert (only.n_clinics, only.clinic_id) == (1, "a")
    assert "ask for “route of administration: oral (by mouth)” instead of “" in str(asked.relax())
    assert "au lieu de" in str(asked.relax(lang="fr"))
    assert asked.relax().to_dict()["relaxations"][0]["changes"][0]["broader"] == (
        kf.route("oral").to_dict()
    )
    asked = kf.Directory.from_clinics(clinics[1:]).search(routes="sublingual")
    kinds = [[change.kind for change in one.changes] for one in asked.relax()]
    assert kinds == [["drop"], ["broaden", "unknown"]]


def test_a_bound_is_loosened_to_the_next_number_that_helps():
    def clinic(clinic_id, price, route="iv", **fields):
        service = kf.Service(
            facts={"route": {route: kf.Truth.YES}},
            quantities={} if price is None else {"price_cad": kf.Quantity(*price, "CAD")},
        )
        return kf.Clinic(clinic_id=clinic_id, name=clinic_id, services=(service,), **fields)

    clinics = [
        clinic("a", (350.0, 400.0)),
        clinic("b", (420.0, 420.0)),
        clinic("c", (310.0, 310.0), "im"),
        clinic("d", None),
        clinic("e", (305.0, 305.0), status="closed"),
    ]
    directory = kf.Directory.from_clinics(clinics)
    asked = directory.search(kf.route("iv") & kf.at_most("price_cad", 300))
    found = {tuple(c.kind for c in one.changes): one for one in asked.relax(ALL)}
    loosened = found["broaden",]
    wider = kf.at_most("price_cad", 400) & kf.route("iv")
    assert loosened.criteria == wider.resolve(directory.vocabulary)
    assert (loosened.clinic_id, loosened.n_clinics, loosened.cost) == ("a", 1, 3)
    assert len(directory.search(kf.at_most("price_cad", 399.99) & kf.route("iv"))) == 0
    text = "ask for “price of a session: at most 400 CAD” instead of “price of a session: at most"
    assert text in str(asked.relax())
    assert "au plus 400 CAD" in str(asked.relax(lang="fr"))
    possible = directory.search(kf.at_least("price_cad", 1000), unknown="include")
    changes = [[(c.kind, c.broader) for c in one.changes] for one in possible.relax(ALL)]
    assert changes == [[("broaden", kf.at_least("price_cad", 420))]]


def test_the_text_is_complete_in_both_languages_and_costs_are_documented():
    empty = kf.load_directory().nearest(
        "Kingston, ON", routes="im", conditions="ptsd", max_distance_km=10
    )
    assert len(empty) == 0
    for lang in ("en", "fr"):
        told = empty.relax(lang=lang)
        assert len(str(told).splitlines()) == len(told) + 1
        assert told.to_dict()["relaxations"][0]["n_clinics"] >= 1
    assert set(COSTS) == {"unknown", "radius", "region", "broaden", "drop"}


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None])
def test_a_limit_must_be_a_whole_number_from_one_up(limit):
    with pytest.raises(InvalidInputError, match="limit must be a whole number"):
        kf.load_directory().search().relax(limit)


def test_where_nothing_can_help_it_says_so():
    told = kf.Directory.from_clinics([]).search().relax()
    assert len(told) == 0
    assert "No change" in str(told)


@given(st.floats(0.15, 9.85), st.floats(0.0, 360.0))
def test_a_wider_radius_is_to_the_tenth_below_ten_kilometres_and_never_too_small(far_km, bearing):
    from pyproj import Geod

    lon, lat, _ = Geod(ellps="WGS84").fwd(-76.5, 44.2, bearing, far_km * 1000)
    place = kf.Location(lat=lat, lon=lon)
    clinic = kf.Clinic(clinic_id="a", name="A", location=place)
    directory = kf.Directory.from_clinics([clinic], check=False)
    origin = kf.Coordinates(lat=44.2, lon=-76.5)
    (only,) = directory.nearest(origin, max_distance_km=0.1, check=False).relax()
    (change,) = only.changes
    assert change.to_km == only.max_distance_km
    assert only.nearest_km <= change.to_km < only.nearest_km + 0.1
    assert abs(change.to_km * 10 - round(change.to_km * 10)) < 1e-6
    assert len(directory.nearest(origin, max_distance_km=change.to_km, check=False)) == 1


def test_of_very_many_clauses_the_last_ones_are_left_out_together():
    clauses = [kf.at_most("price_cad", 1000 + n) for n in range(MAX_CLAUSES + 5)]
    split = clauses_of(functools.reduce(operator.and_, clauses))
    assert len(split) == MAX_CLAUSES
    assert split[:-1] == tuple(clauses[: MAX_CLAUSES - 1])
    assert split[-1].parts == tuple(clauses[MAX_CLAUSES - 1 :])
