"""The FHIR export is valid R4 and says only what is stated."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

import ketafind as kf
from strategies import clinic_lists, origins

pytest.importorskip("fhir.resources")


def check(exported: dict) -> dict[str, list[dict]]:
    # R4B differs from R4 in none of these resources.
    from fhir.resources.R4B.bundle import Bundle

    json.dumps(exported, allow_nan=False)
    Bundle.model_validate(exported)
    kinds: dict[str, list[dict]] = {}
    for entry in exported.get("entry", []):
        kinds.setdefault(entry["resource"]["resourceType"], []).append(entry)
    return kinds


def test_the_bundled_clinics_are_valid_and_carry_their_distance_and_codes():
    near = kf.load_directory().nearest("Kingston, ON", 5, routes="iv")
    kinds = check(near.to_fhir())
    services = kinds["HealthcareService"]
    distances = [e["search"]["extension"][0]["valueDistance"]["value"] for e in services]
    assert distances == [match.distance_km for match in near]
    codings = [c for s in services[0]["resource"]["characteristic"] for c in s["coding"]]
    assert {"system": "http://snomed.info/sct", "code": "47625008"} in codings
    assert len(kinds["Location"]) == 5


def test_references_lead_to_resources_of_the_bundle():
    exported = kf.load_directory().search(unknown="include").to_fhir()
    kinds = check(exported)
    known = {entry["fullUrl"] for entry in exported["entry"]}
    assert len(known) == len(exported["entry"])
    for entry in kinds["HealthcareService"]:
        resource = entry["resource"]
        assert resource["location"][0]["reference"] in known
        assert resource.get("providedBy", {"reference": next(iter(known))})["reference"] in known


@given(clinic_lists(), origins)
def test_any_answer_is_valid_and_unknown_facts_are_left_out(clinics, origin):
    directory = kf.Directory.from_clinics(clinics, check=False)
    matches = directory.nearest(origin, 5, unknown="include", check=False)
    kinds = check(matches.to_fhir())
    for match, entry in zip(matches, kinds.get("HealthcareService", []), strict=True):
        written = {
            (c["coding"][0]["system"].rpartition(":")[2], c["coding"][0]["code"])
            for key in ("characteristic", "specialty", "communication")
            for c in entry["resource"].get(key, [])
        }
        facts = match.service.facts
        assert written == {
            (facet, term)
            for facet, terms in facts.items()
            for term, truth in terms.items()
            if truth == kf.Truth.YES
        }


def test_columns_that_are_not_known_are_kept_and_shown():
    clinic = kf.Clinic(clinic_id="a", name="A", extra={"parking": "yes", "rank": "first"})
    frame = kf.Directory.from_clinics([clinic]).search().to_frame()
    assert frame.loc[0, "parking"] == "yes"
    assert frame.loc[0, "rank (given)"] == "first"
    assert frame.loc[0, "rank"] == 1


def test_the_total_is_that_of_all_pages_and_people_read_it_in_their_language():
    near = kf.load_directory().nearest("Kingston", 2, routes="iv")
    english, french = near.to_fhir(), near.to_fhir(lang="fr-CA")
    assert english["total"] == french["total"] == near.n_eligible > len(near) == 2
    assert near.more(2).to_fhir()["total"] == near.n_eligible
    assert (english["language"], french["language"]) == ("en", "fr")
    assert "intraveineuse" in str(french)
    assert "Position connue" in str(french)
    assert "Position known" not in str(french)
    with pytest.raises(kf.errors.InvalidInputError, match="'en', 'fr'"):
        near.to_fhir(lang="de")


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ("416-555-0100; 416-555-0101", ["416-555-0100", "416-555-0101"]),
        ("416 555 0100 / 1 800 555 0101", ["416 555 0100", "1 800 555 0101"]),
        ("416-555-0100 or 416-555-0101", ["416-555-0100", "416-555-0101"]),
        ("416-555-0100, ext. 5", ["416-555-0100, ext. 5"]),
        ("416-555-0100", ["416-555-0100"]),
        ("", []),
    ],
)
def test_several_phones_in_a_cell_are_several_contacts(cell, numbers):
    clinic = kf.Clinic(clinic_id="a", name="A", phone=cell)
    found = kf.Directory.from_clinics([clinic]).search(unknown="include").to_fhir()
    kinds = check(found)
    for (entry,) in (kinds["HealthcareService"], kinds["Location"]):
        assert [one["value"] for one in entry["resource"].get("telecom", [])] == numbers
    assert kf.Directory.from_fhir(found).clinics[0].phone == cell


def test_evidence_says_which_element_it_is_about_and_where_it_was_read():
    kinds = check(kf.load_directory().to_fhir())
    said = [entry["resource"] for entry in kinds["VerificationResult"]]
    assert len(said) == sum(len(one.evidence) for one in kf.load_directory().values())
    assert {one["targetLocation"][0] for one in said} == {
        *(f"Location.{name}" for name in ("name", "status", "telecom", "managingOrganization")),
        *(f"Location.address.{name}" for name in ("line", "city", "state", "postalCode")),
        *(f"HealthcareService.{name}" for name in ("specialty", "characteristic")),
    }
    assert all(one["primarySource"][0]["who"]["identifier"]["value"] for one in said)


def test_kinds_of_staff_are_roles_without_persons_at_their_service():
    directory = kf.load_directory()
    kinds = check(directory.to_fhir())
    services = {entry["fullUrl"]: entry["resource"] for entry in kinds["HealthcareService"]}
    roles = [entry["resource"] for entry in kinds["PractitionerRole"]]
    assert len(roles) == sum(len(s.staff) for one in directory.values() for s in one.services)
    for role in roles:
        assert "practitioner" not in role
        assert role["code"][0] in services[role["healthcareService"][0]["reference"]]["specialty"]


def test_a_location_carries_its_distance():
    near = kf.load_directory().nearest("Kingston, ON", 3)
    places = check(near.to_fhir())["Location"]
    found = [entry["search"]["extension"][0]["valueDistance"]["value"] for entry in places]
    assert found == [match.distance_km for match in near]
