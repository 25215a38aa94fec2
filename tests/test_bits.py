"""Bits: what follows from stated facts, and criteria on them, against evaluation by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.bits import StatedFacts, TermSlices, pack, truth_at
from ketafind.criteria import Everything, Labelled, NotInVocabulary, Offers
from ketafind.errors import DataError
from ketafind.records import Truth
from oracle import SWAP, highest, holds, lowest
from strategies import clinic_lists, criteria, examples, expressions

FACETS = ("colour", "texture")
YES, NO, UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
BUNDLED = kf.load_directory().vocabulary
HALF = examples(1 / 2)


@st.composite
def families(draw) -> dict[str, dict[str, str | None]]:
    """For each facet its terms, each with its parent; 11 terms and more fill over a byte."""
    made = {}
    for facet in FACETS:
        names = [f"{facet}_{n}" for n in range(draw(st.integers(3, 9)))]
        made[facet] = {
            name: draw(st.none() | st.sampled_from(names[:n])) if n else None
            for n, name in enumerate(names)
        }
    return made


def vocabulary_of(family) -> kf.Vocabulary:
    def term(name, parent):
        above = {} if parent is None else {"parent": parent}
        return {"id": name, "labels": {"en": name}, **above}

    facets = [
        {"id": facet, "plural": f"{facet}s", "labels": {"en": facet},
         "terms": [term(*pair) for pair in parents.items()]}
        for facet, parents in family.items()
    ]  # fmt: skip
    return kf.Vocabulary.from_dict(
        {"format": "ketafind-vocabulary/1", "languages": ["en"], "facets": facets}
    )


def line(parents, term) -> list[str]:
    return [] if term is None else [term, *line(parents, parents[term])]


def fact(family, service, facet, term) -> str:
    parents, stated = family[facet], service.facts.get(facet, {})
    yes = [one for one, truth in stated.items() if truth == YES]
    if any(term in line(parents, one) for one in yes):
        return "yes"
    if any(stated.get(one) == NO for one in line(parents, term)):
        return "no"
    below = any(one in line(parents, term) for one in yes)
    return "no" if facet in service.complete and not below else "unknown"


@st.composite
def services_of(draw, family, consistent=True) -> kf.Service:
    facts = {}
    for facet, parents in family.items():
        stated = draw(st.dictionaries(st.sampled_from(sorted(parents)), st.sampled_from([YES, NO])))
        above = {t for one, truth in stated.items() if truth == YES for t in line(parents, one)}
        facts[facet] = {
            one: truth
            for one, truth in stated.items()
            if truth == YES or one not in above or not consistent
        }
    return kf.Service(facts=facts, complete=draw(st.frozensets(st.sampled_from(FACETS))))


def slices_of(facts, vocabulary, rows) -> TermSlices:
    rows = np.array(rows, np.intp)
    return TermSlices(facts, rows, np.argsort(rows), vocabulary)


def clinic_of(*services) -> kf.Clinic:
    numbered = tuple(replace(one, service_id=str(n)) for n, one in enumerate(services))
    return kf.Clinic(clinic_id="a", name="A", services=numbered)


@given(st.data())
def test_yes_reaches_ancestors_no_reaches_descendants_and_complete_lists_deny_the_rest(data):
    family = data.draw(families())
    services = data.draw(st.lists(services_of(family), min_size=1, max_size=10))
    vocabulary = vocabulary_of(family)
    facts = StatedFacts.of([clinic_of(*services)], vocabulary)
    slices = slices_of(facts, vocabulary, [0])
    for row, service in zip(slices.service_rows(0), services, strict=True):
        for facet, parents in family.items():
            for term in parents:
                found = slices.truth(Offers(facet, (term,)), row)
                assert found == fact(family, service, facet, term)


@given(st.data())
def test_facts_are_refused_just_where_a_no_stands_above_a_yes_and_every_service_is_named(data):
    family = data.draw(families())
    services = data.draw(st.lists(services_of(family, consistent=False), min_size=1, max_size=4))
    wrong = [
        n
        for n, service in enumerate(services)
        if any(
            service.facts[facet].get(above) == NO
            for facet, parents in family.items()
            for one, truth in service.facts[facet].items()
            if truth == YES
            for above in line(parents, one)
        )
    ]
    if not wrong:
        StatedFacts.of([clinic_of(*services)], vocabulary_of(family))
        return
    with pytest.raises(DataError) as caught:
        StatedFacts.of([clinic_of(*services)], vocabulary_of(family))
    assert len(caught.value.faults) == len(wrong)
    for n, fault in zip(wrong, caught.value.faults, strict=True):
        assert f"clinic 'a', service '{n}': " in str(fault)
        assert "says both yes and no of " in str(fault)


@given(st.data(), clinic_lists(), expressions)
def test_criteria_on_bits_are_what_kleene_says_by_hand(data, clinics, expression):
    rows = data.draw(st.permutations(range(len(clinics))))
    slices = slices_of(StatedFacts.of(clinics, BUNDLED), BUNDLED, rows)
    asked = criteria(expression).resolve(BUNDLED)
    sides = {side: slices.evaluate(asked, side) for side in (YES, NO)}
    reduced = {side: slices.by_clinic(bits, side) for side, bits in sides.items()}
    final = {side: slices.with_status(bits, side) for side, bits in reduced.items()}
    status = {"active": "yes", "uncertain": "unknown", "closed": "no"}
    for row, clinic_no in enumerate(rows):
        clinic = clinics[clinic_no]
        by_hand = [holds(expression, service, clinic) for service in clinic.services]
        found = [slices.truth(asked, one) for one in slices.service_rows(row)]
        assert found == by_hand
        assert truth_at(reduced[YES], reduced[NO], row) == highest(by_hand)
        wanted = lowest([highest(by_hand), status[clinic.status]])
        assert truth_at(final[YES], final[NO], row) == wanted


@given(clinic_lists(), expressions)
def test_names_change_nothing_and_what_has_no_words_is_unknown(clinics, expression):
    slices = slices_of(StatedFacts.of(clinics, BUNDLED), BUNDLED, range(len(clinics)))
    part = criteria(expression).resolve(BUNDLED)
    for row, clinic in enumerate(clinics):
        for at, service in zip(slices.service_rows(row), clinic.services, strict=True):
            truth = holds(expression, service, clinic)
            assert slices.truth(Labelled("it", part), at) == truth
            assert slices.truth(~part, at) == SWAP[truth]
            assert slices.truth(NotInVocabulary(part), at) == UNKNOWN
            assert slices.truth(part & NotInVocabulary(part), at) == lowest([truth, "unknown"])
            assert slices.truth(part & Everything(), at) == truth
            assert slices.truth(part | Everything(), at) == YES
            assert slices.truth(~Everything(), at) == NO
            assert slices.truth(kf.no_service(Everything()), at) == NO


@HALF
@given(st.data(), clinic_lists(), clinic_lists(), expressions)
def test_clinics_added_replaced_and_removed_leave_what_building_anew_gives(
    data, before, added, expression
):
    before, added = (sorted(some, key=lambda one: one.clinic_id) for some in (before, added))
    new_ids = {one.clinic_id for one in added}
    gone = {one.clinic_id for one in before if data.draw(st.booleans())} | new_ids
    kept = [one for one in before if one.clinic_id not in gone]
    after = sorted([*kept, *added], key=lambda one: one.clinic_id)
    dropped = np.array([n for n, one in enumerate(before) if one.clinic_id in gone], np.intp)
    inserted = [sum(one.clinic_id < new.clinic_id for one in kept) for new in added]
    changed = StatedFacts.of(before, BUNDLED).changed(
        dropped, np.array(inserted, np.intp), StatedFacts.of(added, BUNDLED)
    )
    anew = StatedFacts.of(after, BUNDLED)
    asked = criteria(expression).resolve(BUNDLED)
    rows = data.draw(st.permutations(range(len(after))))
    one, other = (slices_of(facts, BUNDLED, rows) for facts in (changed, anew))
    assert one.owner.tolist() == other.owner.tolist()
    assert (one.active.tolist(), one.closed.tolist()) == (
        other.active.tolist(),
        other.closed.tolist(),
    )
    for side in (YES, NO):
        assert one.evaluate(asked, side).tolist() == other.evaluate(asked, side).tolist()


def test_services_alike_share_a_group_when_clinics_are_added_too():
    service = kf.Service(facts={"route": {"iv": YES}})
    facts = StatedFacts.of([clinic_of(service), clinic_of(service, service)], BUNDLED)
    assert len(facts.yes) == len(facts.no) == 2
    more = StatedFacts.of([clinic_of(service)], BUNDLED)
    changed = facts.changed(np.array([], np.intp), np.array([0], np.intp), more)
    assert len(changed.yes) == len(changed.no) == 2


@given(st.lists(st.sampled_from([YES, NO, UNKNOWN]), min_size=1, max_size=40))
def test_the_truth_of_a_row_is_read_from_the_bits_of_both_sides(truths):
    yes, no = (pack(np.array([one == side for one in truths])) for side in (YES, NO))
    assert [truth_at(yes, no, row) for row in range(len(truths))] == truths


def test_slices_that_are_kept_cannot_be_written_and_unknown_kinds_are_refused():
    slices = slices_of(StatedFacts.of([clinic_of(kf.Service())], BUNDLED), BUNDLED, [0])
    with pytest.raises(ValueError, match="read-only"):
        slices.evaluate(kf.route("iv").resolve(BUNDLED), YES)[0] = 1
    with pytest.raises(TypeError, match="type str cannot be evaluated"):
        slices.evaluate("iv", YES)


def test_a_fact_stated_to_be_unknown_is_as_one_that_is_not_stated():
    stated = kf.Service(facts={"route": {"iv": UNKNOWN, "im": YES}})
    facts = [StatedFacts.of([kf.Clinic(clinic_id="a", name="A", services=(service,))], BUNDLED)
             for service in (stated, kf.Service(facts={"route": {"im": YES}}))]  # fmt: skip
    for side in ("yes", "no"):
        assert np.array_equal(getattr(facts[0], side), getattr(facts[1], side))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 16, 17])
def test_whole_and_cut_bytes_of_clinics_are_evaluated_alike(n):
    iv = kf.Service(facts={"route": {"iv": YES}})
    clinics = [clinic_of(*[iv, kf.Service()][:: 1 if at % 3 else -1]) for at in range(n)]
    clinics += [replace(clinics[0], status="closed")] if n else []
    for some in (clinics[:n], clinics, [clinic_of(iv)] * n):
        slices = slices_of(StatedFacts.of(some, BUNDLED), BUNDLED, range(len(some)))
        yes = slices.by_clinic(slices.evaluate(kf.route("iv"), YES), YES)
        passing = np.unpackbits(slices.with_status(yes, YES), count=len(some), bitorder="little")
        assert passing.tolist() == [clinic.status == "active" for clinic in some]


@pytest.mark.parametrize(
    ("asked", "truth"),
    [
        (kf.at_most("price_cad", 250), YES),
        (kf.at_most("price_cad", 249.99), UNKNOWN),
        (kf.at_most("price_cad", 100), UNKNOWN),
        (kf.at_most("price_cad", 99.99), NO),
        (kf.at_least("price_cad", 100), YES),
        (kf.at_least("price_cad", 100.01), UNKNOWN),
        (kf.at_least("price_cad", 250), UNKNOWN),
        (kf.at_least("price_cad", 250.01), NO),
    ],
)
def test_a_bound_at_the_end_of_a_range_is_met_or_may_be(asked, truth):
    service = kf.Service(quantities={"price_cad": kf.Quantity(100.0, 250.0, "CAD")})
    slices = slices_of(StatedFacts.of([clinic_of(service)], BUNDLED), BUNDLED, [0])
    assert slices.truth(asked, 0) == truth


def test_a_contradiction_names_what_is_said_to_be_both_and_nothing_else():
    staff = {"psychiatrist": YES, "physician": NO, "nurse": YES}
    service = kf.Service(facts={"staff": staff, "route": {"iv": YES, "im": NO}})
    with pytest.raises(DataError) as caught:
        StatedFacts.of([clinic_of(service)], BUNDLED)
    said = str(caught.value).partition("says both yes and no of ")[2]
    assert sorted(said.split(", ")) == ["staff physician", "staff psychiatrist"]
