"""Vocabularies of one's own: yes-no facts, numbers, reserved names, other languages."""

import copy
import dataclasses
import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import packaged
from ketafind.join.columns import EXTRA, ROW_COLUMNS
from ketafind.records import CLINIC_FIELDS, EVIDENCE_FIELDS, SERVICE_FIELDS, Quantity
from ketafind.vocabulary import Vocabulary, default_vocabulary

YES, NO = kf.Truth.YES, kf.Truth.NO
OWN = {
    "format": "ketafind-vocabulary/1",
    "languages": ["fr"],
    "facets": [
        {
            "id": "technique",
            "plural": "techniques",
            "labels": {"fr": "technique"},
            "terms": [
                {"id": "manual", "labels": {"fr": "thérapie manuelle"}},
                {"id": "dry", "labels": {"fr": "aiguilles sèches"}},
            ],
        },
        {
            "id": "flag",
            "plural": "flags",
            "labels": {"fr": "fait"},
            "terms": [
                {"id": "evening", "labels": {"fr": "ouvert le soir"}},
                {"id": "covered", "labels": {"fr": "remboursé"}},
                {
                    "id": "covered_partial",
                    "parent": "covered",
                    "labels": {"fr": "remboursé en partie"},
                },
            ],
        },
    ],
    "quantities": [{"id": "fee_eur", "unit": "EUR", "labels": {"fr": "tarif"}}],
}
FRENCH = Vocabulary.from_dict(OWN)


@pytest.fixture
def read(tmp_path):
    def read(text, **options):
        path = tmp_path / "clinics.csv"
        path.write_text(text, "utf-8")
        return kf.Directory.from_csv(path, **options)

    return read


def faults(read, text, **options):
    with pytest.raises(kf.errors.DataError) as caught:
        read(text, **options)
    return caught.value.faults


def test_flags_and_quantities_are_declared_with_labels_and_units():
    words = default_vocabulary()
    assert {flag.id for flag in words.flags if flag.parent is None} == {
        "virtual",
        "referral_required",
        "ohip_covered",
        "accepting_patients",
        "wheelchair_accessible",
    }
    assert {each.id: each.unit for each in words.quantities} == {
        "price_cad": "CAD",
        "wait_days": "days",
    }
    for term in (*words.flags, *words.quantities):
        assert term.label("en")
        assert term.label("fr")
    assert Vocabulary.from_dict(words.to_dict()) == words
    assert FRENCH.flags["evening"].label("fr") == "ouvert le soir"
    assert FRENCH.quantities["fee_eur"].unit == "EUR"


def test_columns_of_flags_and_quantities_are_read(read):
    made = read(
        "clinic_id,name,evening,covered,fee_eur\n"
        "a,A,yes,partial,250-400\nb,B,NO,no,300\nc,C,,,300.5 eur\n",
        vocabulary=FRENCH,
    )
    a, b, c = (clinic.services[0] for clinic in made.clinics)
    assert a.flags == {"evening": YES, "covered_partial": YES}
    assert b.flags == {"evening": NO, "covered": NO}
    assert c.flags == {}
    assert a.quantities == {"fee_eur": Quantity(250, 400, "EUR")}
    assert b.quantities["fee_eur"] == Quantity(300, 300, "EUR")
    assert str(c.quantities["fee_eur"]) == "300.5 EUR"
    assert made.diff(made).found == ()
    # What is covered in part is covered; nothing is known of what is not stated.
    assert [m.clinic.clinic_id for m in made.search(where=kf.offers("flag", "covered"))] == ["a"]
    possible = made.search(where=kf.offers("flag", "covered"), unknown="include")
    assert [m.clinic.clinic_id for m in possible] == ["a", "c"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("-5", "is not a number of EUR"),
        ("nan", "is not a number of EUR"),
        ("inf", "is not a number of EUR"),
        ("1e999", "0 or more"),
        ("400-250", "swap them"),
        ("300 USD", "is not in EUR"),
        ("cheap", "is not a number of EUR"),
        ("1-2-3", "is not a number of EUR"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_row_column_and_value(read, cell, said):
    (fault,) = faults(read, f"clinic_id,name,fee_eur\na,A,\nb,B,{cell}\n", vocabulary=FRENCH)
    assert (fault.row, fault.column, fault.value) == (3, "fee_eur", cell)
    assert said in fault.message


def test_an_answer_that_a_flag_does_not_have_is_refused(read):
    text = (
        "clinic_id,name,evening,covered,not_offered\na,A,partial,perhaps,\nb,B,yes,,flag:evening\n"
    )
    first, second, third = faults(read, text, vocabulary=FRENCH)
    assert "write yes or no" in first.message
    assert "write yes, partial or no" in second.message
    assert "evening" in third.message


@given(st.floats(), st.floats(), st.sampled_from(["CAD", " ", ""]))
def test_a_quantity_is_a_range_of_numbers_of_0_or_more_with_a_unit(low, high, unit):
    if 0 <= low <= high < float("inf") and unit == "CAD":
        made = Quantity(low, high, unit)
        assert Quantity.read(made.span, unit) == Quantity.read(str(made), unit) == made
    else:
        with pytest.raises(kf.errors.InvalidInputError):
            Quantity(low, high, unit)


def test_numbers_of_another_unit_or_name_are_refused():
    for quantities, said in (
        ({"price_cad": Quantity(1, 2, "EUR")}, "not in CAD"),
        ({"price": Quantity(1, 2, "CAD")}, "is not a known quantity"),
    ):
        with pytest.raises(kf.errors.DataError, match=said):
            kf.Directory.from_clinics(
                [kf.Clinic(clinic_id="a", name="A", services=[kf.Service(quantities=quantities)])]
            )
    with pytest.raises(kf.errors.InvalidInputError, match="must be a Quantity"):
        kf.Service(quantities={"price_cad": 300})


def test_evidence_decides_flags_and_quantities_and_ages():
    fact = kf.Evidence(
        clinic_id="a", facet="price_cad", term=" 300 CAD", truth=YES, source_url="https://a.ca",
        source_class="clinic", checked_on=kf.facts.date(2026, 1, 1),
    )  # fmt: skip
    better = dataclasses.replace(fact, term="250-400", source_class="regulator")
    flag = dataclasses.replace(fact, facet="Virtual", term="", truth=NO)
    service = kf.Service(quantities={"price_cad": Quantity(1, 1, "CAD")}, flags={"virtual": YES})
    clinic = kf.Clinic(clinic_id="a", name="A", services=[service], evidence=[fact, better, flag])
    made = kf.Directory.from_clinics([clinic])
    assert made["a"].services[0].quantities == {"price_cad": Quantity(250, 400, "CAD")}
    assert made["a"].services[0].flags == {"virtual": NO}
    assert [one.term for one in made.evidence("a", "price_cad")] == ["300", "250-400"]
    assert [one.truth for one in made.evidence("a", "virtual")] == [NO]
    assert {(one.facet, one.term) for one in made.decisions("a")} == {
        ("price_cad", ""),
        ("flag", "virtual"),
    }
    later = made.as_of("2030-01-01")["a"].services[0]
    assert (later.flags, later.quantities) == ({}, {})
    twice = [fact, dataclasses.replace(fact, term="350")]
    unsure = kf.Directory.from_clinics([dataclasses.replace(clinic, evidence=twice)])
    assert unsure["a"].services[0].quantities == {}
    doubts = {(one.kind, one.what) for one in unsure.validate()}
    assert ("conflict", "price_cad") in doubts


def test_what_rows_say_and_evidence_overrules_is_listed():
    evidence = [
        kf.Evidence(clinic_id="a", facet=facet, term=term, truth=truth, source_url="https://a.ca")
        for facet, term, truth in (("status", "active", YES), ("route", "iv", NO))
    ]
    service = kf.Service(facts={"route": {"iv": YES}})
    clinic = kf.Clinic(
        clinic_id="a", name="A", status="closed", services=[service], evidence=evidence
    )
    found = kf.Directory.from_clinics([clinic]).validate()
    (doubt,) = [one for one in found if one.kind == "overruled"]
    assert doubt.what == "status is active, not closed; route iv is no, not yes"
    assert "its evidence overrules its row" in str(found)
    assert not [one for one in kf.load_directory().validate() if one.kind == "overruled"]


def test_columns_that_are_not_known_are_findings(read):
    with pytest.warns(UserWarning, match="did you mean"):
        made = read("clinic_id,name,condtions,fax\na,A,ptsd,1\n")
    found = [one.what for one in made.validate() if one.kind == "unknown_column"]
    assert found == ["condtions (conditions?)", "fax"]


def test_faults_of_the_header_are_counted_apart_from_those_of_rows(read):
    with pytest.raises(kf.errors.DataError) as caught:
        read("foo,bar\n1\n2\n")
    head = str(caught.value).splitlines()[0]
    assert head == (
        "clinics.csv: 4 faults, 2 of them in the header, others in 2 of 2 rows; nothing was loaded"
    )
    with pytest.raises(kf.errors.DataError, match="1 fault in the header; nothing was loaded"):
        read("clinic_id,nom\n1,2\n")


def test_blank_rows_at_the_end_are_skipped_and_said(read):
    with pytest.warns(UserWarning, match="the last 2 rows hold nothing and are skipped"):
        made = read("clinic_id,name\na,A\n,\n , \n")
    assert len(made) == 1
    (first, second) = faults(read, "clinic_id,name\na,A\n,\nb,B\n")
    assert first.row == second.row == 3


def test_a_doubled_id_is_one_fault(read):
    text = "clinic_id,name,city,phone\na,A,Kingston,1\na,B,Ottawa,2\n"
    (fault,) = faults(read, text)
    assert "is in row 2 too" in fault.message


def test_a_vocabulary_without_english_works_everywhere(read):
    made = read(
        "clinic_id,name,lat,lon,techniques,evening,fee_eur\na,A,44.2,-76.5,manual,yes,30\n"
        "b,B,44.3,-76.5,,,\n",
        vocabulary=FRENCH,
    )
    where = kf.offers("technique", "manual")
    answer = made.nearest(kf.Coordinates(lat=44.2, lon=-76.5), k=2, where=where, unknown="include")
    for text in (
        answer.explain(), answer.relax(), answer.questions(), answer.why_not("b"),
        made.profile(), made.validate(), made.profile(lang="fr"), made.diff(made),
    ):  # fmt: skip
        assert str(text)
    assert "thérapie manuelle" in json.dumps(answer.to_fhir(), ensure_ascii=False)
    assert "tarif: 30 EUR" in json.dumps(answer.to_fhir(), ensure_ascii=False)
    assert str(answer)
    with pytest.raises(kf.errors.InvalidInputError, match="no labels"):
        FRENCH.facet("technique").label("de")


@pytest.mark.parametrize("name", ["rank", "distance_km", "city", "name", "notes", "k", "where"])
def test_a_reserved_name_is_refused_for_facets_flags_and_quantities(name):
    plural, flag, number = (copy.deepcopy(OWN) for _ in range(3))
    plural["facets"][0]["plural"] = name
    flag["facets"][1]["terms"][0]["id"] = name
    number["quantities"][0]["id"] = name
    for data in (plural, flag, number):
        with pytest.raises(kf.errors.DataError, match=f'"{name}" is the name of a column'):
            Vocabulary.from_dict(data)


def test_every_column_and_every_keyword_is_reserved():
    own = {facet.plural for facet in default_vocabulary().facets}
    own |= {term.id for term in (*default_vocabulary().flags, *default_vocabulary().quantities)}
    numbers = {f"{q.id}_{end}" for q in default_vocabulary().quantities for end in ("low", "high")}
    directory = kf.load_directory()
    columns = set()
    for per in ("clinic", "service", "fact"):
        columns |= {*directory.to_frame(per=per), *directory.search().to_frame(per=per)}
    columns |= {*EXTRA, *ROW_COLUMNS}
    verbs = (
        kf.Directory.nearest, kf.Directory.within, kf.Directory.inside, kf.Directory.search,
        kf.Directory.nearest_arrays, kf.Directory.filter, kf.nearest_join, kf.coverage, kf.gaps,
        kf.access_score, kf.catchments, kf.best_sites,
    )  # fmt: skip
    keywords = {
        name
        for verb in verbs
        for name, part in inspect.signature(verb).parameters.items()
        if part.kind is not part.VAR_KEYWORD and name != "self"
    }
    fields = {part.name for part in (*CLINIC_FIELDS, *SERVICE_FIELDS, *EVIDENCE_FIELDS)}
    reserved = set(packaged("vocabulary/reserved.json")["names"])
    missing = (columns | keywords | fields) - own - numbers - reserved
    assert not missing, sorted(missing)
