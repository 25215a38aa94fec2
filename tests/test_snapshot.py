"""A clinic survives its JSON form, and equal clinics have one form."""

import json
from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import given

import ketafind as kf
from ketafind.snapshot import decode_clinic, encode_directory
from strategies import clinic_lists


def encode_clinic(clinic: kf.Clinic) -> bytes:
    (record,), _ = encode_directory([clinic], kf.load_directory().vocabulary)
    return record


@given(clinic_lists(max_size=3))
def test_a_clinic_survives_encoding(clinics):
    for clinic in clinics:
        assert decode_clinic(encode_clinic(clinic)) == clinic


def test_the_bundled_clinics_survive_with_evidence_and_order():
    for clinic in kf.load_directory().clinics:
        again = decode_clinic(encode_clinic(clinic))
        assert again == clinic
        assert repr(again) == repr(clinic)
        assert again.evidence == clinic.evidence


def test_awkward_texts_survive():
    clinic = kf.Clinic(
        clinic_id="a \u2028", name='"\\\x01', notes="=1+1", extra={"é": "\U0001f600"}
    )
    assert decode_clinic(encode_clinic(clinic)) == clinic


def test_texts_of_numpy_are_texts():
    import numpy as np

    clinic = kf.Clinic(clinic_id=np.str_("a"), name=np.str_("A"))
    assert decode_clinic(encode_clinic(clinic)) == clinic


PLACE = kf.Location(lat=1.0, lon=2.0, precision="street", radius_km=0.5)
FACT = kf.Evidence(
    clinic_id="a", facet="city", term="A", truth=kf.Truth.YES, source_url="https://a.ca"
)
OTHER = {
    "radius_km": 3,
    "lat": -1.5,
    "lon": -2.5,
    "precision": "rooftop",
    "corrections": ("read as A",),
    "candidates": (PLACE,),
    "truth": kf.Truth.NO,
    "checked_on": date(2026, 1, 2),
    "page_date": date(2026, 1, 3),
    "facts": {"route": {"iv": kf.Truth.YES, "im": kf.Truth.NO}},
    "complete": frozenset({"route"}),
    "combined": True,
    "flags": {"virtual": kf.Truth.NO},
    "quantities": {"price_cad": kf.Quantity(250, 400, "CAD")},
    "location": PLACE,
    "status": "closed",
    "services": (kf.Service(), kf.Service(service_id="2")),
    "languages": ("fr",),
    "evidence": (FACT, replace(FACT, term="B")),
    "extra": {"b": "1", "a": "2"},
    "website": "https://other.ca/",
    "source_url": "https://other.ca/",
    "source_class": "clinic",
    "scope": "operator",
}
RECORDS = {
    "clinic": kf.Clinic(clinic_id="a", name="A"),
    "service": kf.Service(),
    "location": PLACE,
    "evidence": FACT,
}


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, part.name) for kind, record in RECORDS.items() for part in fields(record)],
)
def test_every_field_is_written_and_named(kind, name):
    """A record that differs in one field comes back so, and has another snapshot."""
    one = RECORDS[kind]
    other = replace(one, **{name: OTHER.get(name, '"other"\n')})

    def clinic(record):
        whole = RECORDS["clinic"]
        if kind == "clinic":
            return record
        plural = {"service": "services", "evidence": "evidence"}
        return replace(whole, **({plural[kind]: (record,)} if kind in plural else {kind: record}))

    words = kf.load_directory().vocabulary
    (record,), snapshot = encode_directory([clinic(other)], words)
    assert decode_clinic(record) == clinic(other)
    assert snapshot != encode_directory([clinic(one)], words)[1]


def test_complete_lists_are_written_in_one_order_in_every_process():
    """Sets of texts are walked in another order in each process."""
    facets = ("condition", "flag", "language", "product", "route", "setting", "staff")
    service = kf.Service(complete=frozenset(facets))
    record = encode_clinic(kf.Clinic(clinic_id="a", name="A", services=(service,)))
    assert json.dumps({"complete": facets}, separators=(",", ":")).encode() in record


def test_whole_numbers_of_kilometres_are_named_as_others():
    words = kf.load_directory().vocabulary
    one, other = (
        [kf.Clinic(clinic_id="a", name="A", location=replace(PLACE, radius_km=radius_km))]
        for radius_km in (3, 3.0)
    )
    assert encode_directory(one, words) == encode_directory(other, words)


def test_what_many_clinics_share_is_written_for_each():
    service = kf.Service(facts={"route": {"iv": kf.Truth.YES}})
    clinics = [
        kf.Clinic(
            clinic_id=f"{n:04d}",
            name="A",
            services=(service,),
            location=PLACE if n % 3 else None,
            checked_on=date(2026, 1, 1 + n % 28),
        )
        for n in range(2_500)
    ]
    records, snapshot = encode_directory(clinics, kf.load_directory().vocabulary)
    assert list(map(decode_clinic, records)) == clinics
    assert snapshot.date == date(2026, 1, 28)
    read = kf.Evidence(
        clinic_id="0001", facet="route", term="iv", truth=kf.Truth.YES, source_url="https://x.ca",
        checked_on=date(2026, 2, 1),
    )  # fmt: skip
    proved = [clinics[0], replace(clinics[1], checked_on=None, evidence=(read,))]
    assert encode_directory(proved, kf.load_directory().vocabulary)[1].date == read.checked_on
    moved = [*clinics[:-1], replace(clinics[-1], name="B")]
    assert encode_directory(moved, kf.load_directory().vocabulary)[1] != snapshot


def test_the_order_in_which_facts_and_evidence_are_given_is_kept_and_not_named():
    words = kf.load_directory().vocabulary
    terms = {"iv": kf.Truth.YES, "im": kf.Truth.NO}
    one, other = (
        kf.Clinic(
            clinic_id="a",
            name="A",
            services=(kf.Service(facts={"route": dict(pairs)}),),
            evidence=facts,
        )
        for pairs, facts in (
            (terms.items(), OTHER["evidence"]),
            (reversed(terms.items()), OTHER["evidence"][::-1]),
        )
    )
    (first,), (second,) = (encode_directory([clinic], words)[0] for clinic in (one, other))
    assert first != second
    assert repr(decode_clinic(second)) == repr(other)
    assert encode_directory([one], words)[1] == encode_directory([other], words)[1]
