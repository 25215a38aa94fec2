"""Evidence decides by class, then by date; what is too old is set aside, the same way every time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import DataError, InvalidInputError, UnknownClinicError
from ketafind.facts import MAX_AGE, decide, decisions, resolved
from ketafind.records import SOURCE_CLASSES

DIRECTORY = kf.load_directory()
WORDS = DIRECTORY.vocabulary
DAY = date(2026, 11, 28)
truths = st.sampled_from([kf.Truth.YES, kf.Truth.NO])
days = st.none() | st.dates(date(2024, 1, 1), date(2027, 1, 1))


def source(truth="yes", source_class="clinic", checked_on=DAY, **more) -> kf.Evidence:
    fact = {"clinic_id": "a", "facet": "route", "term": "iv", "source_url": "https://a.example/"}
    return kf.Evidence(
        **{**fact, **more},
        truth=kf.Truth(truth),
        source_class=source_class,
        checked_on=checked_on,
    )


pieces = st.lists(
    st.builds(
        source,
        truth=truths,
        source_class=st.sampled_from(SOURCE_CLASSES),
        checked_on=days,
        page_date=days,
    ),
    min_size=1,
    max_size=6,
)


def plainly(evidence, as_of) -> str:
    """The rule of the guide, step by step."""
    for one_class in SOURCE_CLASSES:
        limit = 90 if one_class == "regulator" else 365
        fresh = []
        for fact in evidence:
            dated = fact.page_date or fact.checked_on
            if fact.source_class != one_class:
                continue
            if as_of is not None:
                if dated is None or (fact.checked_on or dated) > as_of:
                    continue
                if (as_of - dated).days > limit:
                    continue
            fresh.append((dated or date.min, str(fact.truth)))
        if fresh:
            latest = max(day for day, _ in fresh)
            answers = {truth for day, truth in fresh if day == latest}
            return answers.pop() if len(answers) == 1 else "unknown"
    return "unknown"


@given(pieces, days, st.randoms())
def test_class_then_date_decides_and_the_order_of_the_rows_does_not_matter(evidence, as_of, random):
    truth, reason, by = decide(evidence, as_of)
    assert truth == plainly(evidence, as_of)
    assert (truth == kf.Truth.UNKNOWN) == (reason != "decided")
    assert set(by) <= set(evidence)
    shuffled = random.sample(evidence, len(evidence))
    assert decide(shuffled, as_of)[:2] == (truth, reason)


@given(pieces, days)
def test_what_is_decided_is_what_a_search_finds_and_deciding_twice_changes_nothing(evidence, as_of):
    clinic = kf.Clinic(clinic_id="a", name="A", evidence=tuple(evidence), checked_on=as_of)
    once = resolved(clinic, WORDS, as_of)
    assert resolved(once, WORDS, as_of) == once
    stated = kf.Clinic(
        clinic_id="a", name="A", services=(kf.Service(facts={"route": {"iv": kf.Truth.YES}}),),
        evidence=tuple(evidence), checked_on=as_of,
    )  # fmt: skip
    facts = resolved(stated, WORDS, as_of).services[0].facts
    assert facts.get("route", {}).get("iv", kf.Truth.UNKNOWN) == decide(evidence, as_of)[0]


@pytest.mark.parametrize(
    ("pieces", "truth", "reason"),
    [
        ([source("yes", "other"), source("no", "regulator")], "no", "decided"),
        ([source("yes", "clinic"), source("no", "operator")], "yes", "decided"),
        ([source("yes"), source("no", page_date=date(2026, 12, 1))], "no", "decided"),
        ([source("yes"), source("no")], "unknown", "conflict"),
    ],
)
def test_several_sources_of_one_fact(pieces, truth, reason):
    assert decide(pieces)[:2] == (truth, reason)
    clinic = kf.Clinic(
        clinic_id="a", name="A", services=(kf.Service(facts={"route": {"iv": kf.Truth.YES}}),),
        evidence=tuple(replace(piece, service_id="1") for piece in pieces),
    )  # fmt: skip
    directory = kf.Directory.from_clinics([clinic])
    found = directory.search(routes="iv", unknown="include")
    assert [str(m.truth) for m in found] == ([] if truth == "no" else [truth])
    (decision,) = directory.decisions("a")
    assert (decision.truth, decision.reason) == (truth, reason)
    told = str(directory.search(routes="iv").why_not("a"))
    assert ("contradict each other" in told) == (reason == "conflict")


def test_a_better_source_of_a_broader_no_outranks_a_narrower_yes_and_equal_ones_are_refused():
    def directory(no_class):
        pieces = [
            source("yes", "clinic", term="sublingual", service_id="1"),
            source("no", no_class, term="oral", service_id="1"),
        ]
        clinic = kf.Clinic(clinic_id="a", name="A", evidence=tuple(pieces))
        return kf.Directory.from_clinics([clinic])

    assert len(directory("regulator").search(routes="sublingual", unknown="include")) == 0
    assert len(directory("other").search(routes="oral")) == 1
    with pytest.raises(DataError, match="yes and no of route oral"):
        directory("clinic")


def test_the_bundled_facts_are_what_their_evidence_decides():
    for clinic in DIRECTORY.clinics:
        assert resolved(clinic, WORDS) == clinic


def test_the_same_data_answers_differently_next_year_and_reproducibly():
    now = DIRECTORY.as_of(DAY)
    later = DIRECTORY.as_of(DAY + timedelta(days=366))
    assert len(now.search(routes="iv")) > 0
    assert len(later.search(routes="iv")) == 0
    assert len(later) == len(DIRECTORY)
    again = DIRECTORY.as_of(datetime(2027, 11, 29, 13, 5))  # noqa: DTZ001
    assert kf.load_directory(as_of="2027-11-29").snapshot == later.snapshot
    assert kf.load_directory() is DIRECTORY
    assert again.snapshot == later.snapshot != DIRECTORY.snapshot
    told = later.search(routes="iv").why_not("caledon-clinic")
    assert "too old" in str(told)
    assert "trop ancien" in str(told.translated("fr"))


def test_a_regulator_is_believed_for_ninety_days_and_others_for_a_year():
    assert MAX_AGE["regulator"].days == 90
    for source_class in SOURCE_CLASSES:
        limit = MAX_AGE[source_class]
        facts = [source("yes", source_class)]
        assert decide(facts, DAY + limit)[0] == kf.Truth.YES
        assert decide(facts, DAY + limit + timedelta(days=1))[:2] == (kf.Truth.UNKNOWN, "stale")


def test_what_had_not_been_read_on_that_day_does_not_count():
    assert decide([source()], DAY - timedelta(days=1))[1] == "stale"
    assert decide([source(checked_on=None)], DAY)[1] == "undated"


def test_facts_without_evidence_are_as_old_as_their_clinic():
    service = kf.Service(
        facts={"route": {"iv": kf.Truth.YES}},
        complete=frozenset({"route"}),
        flags={"virtual": "no"},
    )
    clinic = kf.Clinic(clinic_id="a", name="A", services=(service,), checked_on=DAY)
    fresh = resolved(clinic, WORDS, DAY + timedelta(days=365))
    assert fresh == clinic
    stale = resolved(clinic, WORDS, DAY + timedelta(days=366))
    assert stale.services == (kf.Service(),)
    assert stale.status == "uncertain"


def test_a_closed_clinic_stays_closed():
    clinic = kf.Clinic(clinic_id="a", name="A", status="closed", checked_on=DAY)
    assert resolved(clinic, WORDS, DAY + timedelta(days=4000)).status == "closed"


def test_a_partial_answer_differs_from_a_full_one_and_does_not_contradict_it():
    facts = [
        source("yes", facet="ohip_covered", term="", service_id="1"),
        source("yes", facet="ohip_covered", term="partial", service_id="1"),
    ]
    clinics = [
        kf.Clinic(clinic_id="a", name="A", evidence=(facts[1],)),
        kf.Clinic(clinic_id="b", name="B", evidence=[replace(f, clinic_id="b") for f in facts]),
    ]
    partly, both = kf.Directory.from_clinics(clinics).clinics
    assert partly.services[0].flags == {"ohip_covered_partial": kf.Truth.YES}
    assert both.services[0].flags == dict.fromkeys(
        ("ohip_covered", "ohip_covered_partial"), kf.Truth.YES
    )


@pytest.mark.parametrize("day", ["", "soon", "2027-13-01", None, 5, "2027/01/01"])
def test_what_is_no_date_is_refused(day):
    with pytest.raises(InvalidInputError, match="is not a date"):
        DIRECTORY.as_of(day)


def test_decisions_of_a_clinic_that_does_not_exist_are_refused():
    with pytest.raises(UnknownClinicError):
        DIRECTORY.decisions("nobody")


def said(status, source_class="clinic", truth="yes", **changes):
    return source(truth, source_class, facet="status", term=status, service_id=None, **changes)


@pytest.mark.parametrize(
    ("stated", "evidence", "status"),
    [
        ("active", [said("closed", "regulator")], "closed"),
        ("active", [said("closed", "regulator"), said("active")], "closed"),
        ("active", [said("closed", "other"), said("active")], "active"),
        ("closed", [said("active")], "active"),
        ("active", [said("closed"), said("active")], "uncertain"),
        ("active", [said("active", truth="no")], "uncertain"),
        ("active", [said("closed", truth="no")], "active"),
        ("active", [said("uncertain", "operator")], "uncertain"),
        ("active", [said("closed", checked_on=DAY - timedelta(days=9)), said("active")], "active"),
    ],
)
def test_the_best_source_decides_the_status_too(stated, evidence, status):
    clinic = kf.Clinic(clinic_id="a", name="A", status=stated, evidence=tuple(evidence))
    clinic = replace(clinic, checked_on=DAY)
    assert kf.Directory.from_clinics([clinic])["a"].status == status
    assert resolved(clinic, WORDS, DAY).status == status


def test_a_status_that_is_outranked_is_decided_against_and_names_the_better_source():
    closed, active = said("closed", "regulator"), said("active")
    clinic = kf.Clinic(clinic_id="a", name="A", evidence=(active, closed))
    one, other = decisions(clinic, WORDS)
    assert (one.term, one.truth, one.by, one.set_aside) == (
        "active",
        kf.Truth.NO,
        (closed,),
        (active,),
    )
    assert (other.term, other.truth, other.by) == ("closed", kf.Truth.YES, (closed,))
    later = DAY + MAX_AGE["regulator"] + timedelta(days=1)
    assert resolved(clinic, WORDS, later).status == "active"


def test_a_status_in_a_file_of_evidence_is_read_as_in_a_file_of_clinics(tmp_path):
    head = "clinic_id,facet,term,truth,source_url,source_class,checked_on\n"
    row = "a,status,{},yes,https://a.example/,regulator,2026-11-01\n"
    (tmp_path / "clinics.csv").write_text("clinic_id,name\na,A\n", encoding="utf-8")
    (tmp_path / "one.csv").write_text(head + row.format("Closed"), encoding="utf-8")
    (tmp_path / "two.csv").write_text(head + row.format("shut"), encoding="utf-8")
    read = kf.Directory.from_csv(tmp_path / "clinics.csv", evidence=tmp_path / "one.csv")
    assert read["a"].status == "closed"
    with pytest.raises(DataError, match=r"row 2.*not a status; write active, uncertain or closed"):
        kf.Directory.from_csv(tmp_path / "clinics.csv", evidence=tmp_path / "two.csv")


def test_a_fact_that_is_stated_twice_differently_is_refused():
    stated = {"route": {"iv": kf.Truth.YES, "intravenous": kf.Truth.NO}}
    clinic = kf.Clinic(clinic_id="a", name="A", services=(kf.Service(facts=stated),))
    with pytest.raises(kf.errors.DataError, match="route:intravenous is stated twice"):
        kf.Directory.from_clinics([clinic])


def test_a_truth_is_compared_and_never_taken_for_a_boolean():
    with pytest.raises(TypeError, match="compare it"):
        bool(kf.Truth.UNKNOWN)
