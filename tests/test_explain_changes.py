"""Snapshots, differences, profiles and doubts of whole directories."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given

import ketafind as kf
from ketafind.errors import InvalidInputError
from strategies import clinic_lists, directories, examples

# Each example makes directories and asks them in several ways.
FEWER = examples(1 / 4)

DIRECTORY = kf.load_directory()


def test_minus_zero_is_zero():
    """Two directories that are equal have one name."""
    one, other = (
        kf.Directory.from_clinics(
            [kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=zero, lon=zero))],
            check=False,
        )
        for zero in (0.0, -0.0)
    )
    assert len(one.diff(other)) == 0
    assert one.snapshot.id == other.snapshot.id


@FEWER
@given(clinic_lists(max_size=6), clinic_lists(max_size=6))
def test_a_difference_is_empty_exactly_where_nothing_differs_and_swaps_with_its_sides(one, other):
    old, new = (kf.Directory.from_clinics(side, check=False) for side in (one, other))
    assert len(old.diff(old)) == 0
    there, back = old.diff(new), new.diff(old)
    assert (len(there) == 0) == (sorted(one, key=str) == sorted(other, key=str))
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert sorted((c.clinic_id, turned[c.kind], c.facet, c.term) for c in there) == sorted(
        (c.clinic_id, c.kind, c.facet, c.term) for c in back
    )
    for lang in ("en", "fr"):
        assert str(old.diff(new, lang=lang))
        assert str(old.profile(lang=lang))
        assert str(old.validate(lang=lang))
    json.dumps([there.to_dict(), old.profile().to_dict(), old.validate().to_dict()])


def test_where_no_clinic_and_no_fact_differs_a_difference_says_what_may():
    one = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=44.2, lon=-76.5))
    old = kf.Directory.from_clinics([one])
    new = kf.Directory.from_clinics([replace(one, location=replace(one.location, label="Here"))])
    assert "positions were found" in str(old.diff(new))
    assert "positions ont été trouvées" in str(old.diff(new, lang="fr"))
    assert str(old.diff(old)).endswith("0 changes")


def test_a_difference_names_the_fact_and_its_evidence():
    clinics = list(DIRECTORY.clinics)
    at = [c.clinic_id for c in clinics].index("caledon-clinic")
    service = clinics[at].services[0]
    facts = {f: t for f, t in service.facts.items() if f != "route"}
    clinics[at] = replace(
        clinics[at], phone="555", services=(replace(service, facts=facts),), evidence=()
    )
    old = kf.Directory.from_clinics(clinics[1:])
    found = [(c.kind, c.what, c.facet, c.term) for c in old.diff(DIRECTORY)]
    assert found == [
        ("added", "clinic", "", ""),
        ("removed", "field", "phone", ""),
        ("added", "fact", "route", "iv"),
    ]
    assert old.diff(DIRECTORY)[2].evidence[0].facet == "route"
    assert "voie d'administration : intraveineuse" in str(old.diff(DIRECTORY, lang="fr"))


def test_a_profile_counts_what_the_data_hold():
    told = DIRECTORY.profile()
    assert told.n_services == sum(len(c.services) for c in DIRECTORY.clinics)
    assert told.facets["product"] == told.n_services
    assert sum(told.precisions.values()) == sum(told.statuses.values()) == len(DIRECTORY)
    dated = told.ages["from_page"] + told.ages["from_reading"] + told.ages["undated"]
    assert dated == sum(len(c.evidence) for c in DIRECTORY.clinics)


def test_validation_finds_each_kind_of_doubt():
    yes, no = kf.Truth.YES, kf.Truth.NO

    def source(truth):
        return kf.Evidence(
            clinic_id="a", facet="route", term="iv", truth=truth, source_url="https://a.example/"
        )

    service = kf.Service(facts={"staff": {"nurse": yes}})
    clinics = [
        kf.Clinic(clinic_id="a", name="A", services=(service,), evidence=(source(yes), source(no)),
                  street_address="1 Main St", city="Ottawa", province="ON"),
        kf.Clinic(clinic_id="b", name="B", street_address="1 main st", city="Ottawa", province="ON",
                  phone="555"),
        kf.Clinic(clinic_id="c", name="C"),
    ]  # fmt: skip
    found = {(one.kind, one.clinic_id) for one in kf.Directory.from_clinics(clinics).validate()}
    assert found == {
        ("conflict", "a"),
        ("no_contact", "a"),
        ("no_evidence", "a"),
        ("same_place", "b"),
        ("no_fact", "b"),
        ("unlocated", "c"),
        ("no_fact", "c"),
        ("no_contact", "c"),
    }


def test_a_snapshot_names_the_content_and_every_answer_bears_it():
    assert DIRECTORY.snapshot == DIRECTORY.search().snapshot
    changed = kf.Directory.from_clinics(DIRECTORY.clinics[1:])
    assert changed.snapshot != DIRECTORY.snapshot


@pytest.mark.parametrize("other", [None, 5, [], "clinics.csv"])
def test_a_difference_to_what_is_no_directory_is_refused(other):
    with pytest.raises(InvalidInputError, match="takes a Directory"):
        DIRECTORY.diff(other)


def test_a_saved_directory_explains_itself_as_the_one_that_was_saved(tmp_path):
    path = tmp_path / "ontario.ketafind"
    DIRECTORY.save(path)
    opened = kf.Directory.open(path)
    told = []
    for directory in (DIRECTORY, opened):
        where = kf.route("iv") & kf.qualified("full")
        answer = directory.nearest("Ottawa, ON", 3, where=where, unknown="include")
        told.append(
            [
                str(answer.explain(lang="fr")),
                str(answer.why_not("numinus-toronto")),
                str(answer.relax()),
                str(answer.questions()),
                str(directory.qualification("caledon-clinic")),
                str(directory.profile()),
                str(directory.validate()),
                directory.as_of("2028-01-01").snapshot,
            ]
        )
    assert told[0] == told[1]
    assert len(DIRECTORY.diff(opened)) == 0


def test_a_difference_lists_the_facets_whose_list_became_complete_or_no_longer_is():
    def directory(*complete):
        service = kf.Service(facts={"route": {"iv": kf.Truth.YES}}, complete=frozenset(complete))
        return kf.Directory.from_clinics(
            [kf.Clinic(clinic_id="a", name="A", services=(service,))], check=False
        )

    (added,) = directory().diff(directory("route"))
    assert (added.kind, added.what, added.term) == ("added", "fact", "route")
    assert "route" in str(directory().diff(directory("route")))
    changes = directory("route").diff(directory("staff"))
    assert {(one.kind, one.term) for one in changes} == {("removed", "route"), ("added", "staff")}


@FEWER
@given(clinic_lists(max_size=4), clinic_lists(max_size=4))
def test_the_table_of_a_difference_has_a_row_a_change_and_nothing_made_up(one, other):
    old, new = (kf.Directory.from_clinics(side, check=False) for side in (one, other))
    changes = old.diff(new)
    table = changes.to_frame()
    assert list(table) == [
        *("clinic_id", "name", "service_id", "what", "facet", "term", "change"),
        *("before", "after", "source_url", "checked_on"),
    ]
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    for row, change in zip(rows, changes, strict=True):
        for name in ("clinic_id", "service_id", "what", "facet", "term", "before", "after"):
            assert row[name] == (getattr(change, name) or None)
        assert row["change"] == change.kind
        pages = {fact.source_url for fact in change.evidence if fact.source_url}
        assert set((row["source_url"] or "").split(";")) - {""} == pages
    assert table.dtypes.equals(old.diff(old).to_frame().dtypes)
    told = {"before": str(old.snapshot), "after": str(new.snapshot), "version": kf.__version__}
    assert table.attrs["ketafind"] == kf.provenance(table) == told


@FEWER
@given(directories())
def test_a_profile_is_what_counting_gives(made):
    told, clinics = made.profile(), made.clinics
    services = [service for clinic in clinics for service in clinic.services]
    assert told.n_services == len(services)
    assert told.facets == {
        facet.id: sum(bool(one.facts.get(facet.id)) for one in services)
        for facet in made.vocabulary.facets
    }
    assert told.statuses == dict(Counter(one.status for one in clinics))
    known = [one.location.precision if one.location else "unlocated" for one in clinics]
    assert told.precisions == dict(Counter(known))
    # Of its evidence, or of a clinic that has none.
    facts = [fact for one in clinics for fact in one.evidence or (one,)]
    pages = [getattr(fact, "page_date", None) for fact in facts]
    dated = sorted(
        day for fact, page in zip(facts, pages, strict=True) if (day := page or fact.checked_on)
    )
    days = [day.isoformat() for day in dated] or [None]
    from_page = sum(page is not None for page in pages)
    assert told.ages == {
        "first": days[0],
        "median": days[len(days) // 2],
        "last": days[-1],
        "from_page": from_page,
        "from_reading": len(dated) - from_page,
        "undated": len(facts) - len(dated),
    }
    for n in told.facets.values():
        share = 100 * n / max(len(services), 1)
        assert f"{n} of {len(services)} ({share:.0f} %)" in str(told)


@FEWER
@given(directories())
def test_what_is_stated_without_evidence_is_doubted_at_a_clinic_that_has_some(made):
    wanted = {
        (clinic.clinic_id, f"{facet} {term}")
        for clinic in made.clinics
        if clinic.evidence
        for service in clinic.services
        for facet, terms in service.facts.items()
        for term in terms
        if (service.service_id, facet, term)
        not in {(fact.service_id, fact.facet, fact.term) for fact in clinic.evidence}
    }
    wanted |= {
        (clinic.clinic_id, name)
        for clinic in made.clinics
        if clinic.evidence
        for service in clinic.services
        for name in service.quantities
        if (service.service_id, name)
        not in {(one.service_id, one.facet) for one in clinic.evidence}
    }
    found = [(one.clinic_id, one.what) for one in made.validate() if one.kind == "no_evidence"]
    assert set(found) == wanted


def test_a_difference_lists_clinics_services_fields_and_facts_with_what_they_were():
    yes, no = kf.Truth.YES, kf.Truth.NO
    iv, oral = (
        kf.Evidence(
            clinic_id="a", service_id=service_id, facet="route", term=term, truth=no,
            source_url=f"https://a.example/{term}",
        )
        for service_id, term in (("1", "iv"), ("3", "oral"))
    )  # fmt: skip

    def clinic(*services, evidence=(), **fields):
        return kf.Clinic(clinic_id="a", name="A", services=services, evidence=evidence, **fields)

    first = kf.Service(service_id="1", facts={"route": {"iv": yes}})
    second = kf.Service(service_id="2", facts={"route": {"im": yes}}, combined=True)
    third = kf.Service(service_id="3", facts={"route": {"oral": no}})
    turned = replace(first, facts={"route": {"iv": no}})
    old = kf.Directory.from_clinics(
        [
            clinic(first, third, phone="1", notes="n", evidence=[oral]),
            kf.Clinic(clinic_id="b", name="B"),
        ]
    )
    new = kf.Directory.from_clinics(
        [clinic(turned, second, phone="2", evidence=[iv]), kf.Clinic(clinic_id="c", name="C")]
    )
    found = {
        (one.clinic_id, one.service_id, one.what, one.facet, one.term): (
            one.kind, one.before, one.after, [fact.source_url for fact in one.evidence]
        )
        for one in old.diff(new)
    }  # fmt: skip
    assert found == {
        ("a", None, "field", "phone", ""): ("changed", "1", "2", []),
        ("a", None, "field", "notes", ""): ("removed", "n", "", []),
        ("a", "1", "fact", "route", "iv"): ("changed", "yes", "no", ["https://a.example/iv"]),
        ("a", "2", "service", "", ""): ("added", "", "", []),
        ("a", "2", "fact", "route", "im"): ("added", "", "yes", []),
        ("a", "2", "fact", "combined", ""): ("added", "", "yes", []),
        ("a", "3", "service", "", ""): ("removed", "", "", []),
        ("a", "3", "fact", "route", "oral"): ("removed", "no", "", ["https://a.example/oral"]),
        ("b", None, "clinic", "", ""): ("removed", "", "", []),
        ("c", None, "clinic", "", ""): ("added", "", "", []),
    }
    told = str(old.diff(new)).splitlines()
    # Each clinic is named once, what changed of it below, the evidence below that.
    assert [line for line in told if line.startswith("  ") and line[2] != " "] == [
        "  A [a]",
        "  B [b]",
        "  C [c]",
    ]
    at = next(n for n, line in enumerate(told) if "intravenous" in line)
    assert told[at].startswith("    changed: ")
    assert told[at].endswith(" yes to no")
    assert told[at + 1].startswith("      says ")
    assert told[at + 1].endswith("<https://a.example/iv>")
    assert sum("https://a.example" in line for line in told) == 2


def test_a_service_that_is_new_is_said_with_what_it_offers():
    first = kf.Service(service_id="1", facts={"route": {"iv": kf.Truth.YES}})
    second = kf.Service(service_id="2", facts={"route": {"im": kf.Truth.YES}})
    old, new = (
        kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A", services=services)])
        for services in ((first,), (first, second))
    )
    for changes, kind in ((old.diff(new), "added"), (new.diff(old), "removed")):
        told = {(one.service_id, one.what, one.facet, one.term, one.kind) for one in changes}
        assert ("2", "service", "", "", kind) in told
        assert ("2", "fact", "route", "im", kind) in told
        assert {service_id for service_id, *_ in told} == {"2"}
