"""Exports are what their standards say, by other people's validators, and lose nothing."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ketafind as kf
from ketafind.cli import main
from ketafind.errors import DataError, InvalidInputError, MissingFileError
from ketafind.show.exports import ENDINGS, FORMATS
from ketafind.show.hsds import service_list
from strategies import directories, examples

geopandas = pytest.importorskip("geopandas")
openpyxl = pytest.importorskip("openpyxl")
ROOT = Path(__file__).parent
DIRECTORY = kf.load_directory()
ENDING = {form: ending for ending, form in ENDINGS.items()}
BACK = {
    "geojson": kf.Directory.from_geojson,
    "fhir": kf.Directory.from_fhir,
    "hsds": kf.Directory.from_hsds,
    "datapackage": kf.Directory.from_datapackage,
}


def written(what: kf.Directory | kf.Matches, form: str, folder: Path, **options: Any) -> Path:
    path = folder / f"made{ENDING.get(form, '.json')}"
    what.export(path, form, overwrite=True, **options)
    return path


# -- Validators that are not ours, each with a fault that it must find --------------------------------


def check_fhir(text: str) -> None:
    """R4B differs from R4 in none of these resources; invariants of R4 that no library checks."""
    from fhir.resources.R4B.bundle import Bundle

    content = json.loads(text)
    Bundle.model_validate(content)
    resources = [entry["resource"] for entry in content.get("entry", [])]
    known = {entry["fullUrl"] for entry in content.get("entry", [])}
    assert len(known) == len(resources), "bdl-7"
    assert content["type"] == "searchset" or not any(
        "search" in e for e in content.get("entry", [])
    )
    for one in resources:
        if one["resourceType"] == "Organization":
            assert one.get("name") or one.get("identifier"), "org-1"
        assert "practitioner" not in one, "no persons"
        for reference in references(one):
            assert reference in known, reference
        for point in one.get("telecom", []):
            assert not point.get("value") or point.get("system"), "cpt-2"


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


HSDS = jsonschema.Draft202012Validator(
    json.loads((ROOT / "data" / "hsds_3_service.json").read_text("utf-8"))
)


def check_hsds(text: str) -> None:
    for service in json.loads(text)["contents"]:
        HSDS.validate(service)


def check_geojson(text: str) -> None:
    from geojson_pydantic import FeatureCollection

    FeatureCollection.model_validate_json(text, strict=True)


def check_package(path: Path) -> None:
    import frictionless

    report = frictionless.validate(str(path))
    assert report.valid, report.flatten(["rowNumber", "fieldName", "message"])


CHECKS: dict[str, Callable[[str], None]] = {
    "fhir": check_fhir,
    "hsds": check_hsds,
    "geojson": check_geojson,
}
FAULTS: dict[str, list[tuple[str, str, Any]]] = {
    # The first object with this key has this one instead, of this value.
    "fhir": [
        ("display", "displayed", "IV"),
        ("latitude", "latitude", "north"),
        ("type", "type", "collection"),
        ("total", "total", "many"),
        ("telecom", "telecom", {"system": "phone"}),
        ("telecom", "telecom", [{"value": "416-555-0100"}]),
        ("lastPerformed", "lastPerformed", "lately"),
        ("status", "state", "active"),
        ("reference", "reference", "urn:uuid:0"),
        ("fullUrl", "fullUrl", "urn:uuid:0"),
        ("practitioner", "practitioner", {"display": "N. N."}),
        ("organization", "organization", {"display": 5}),
    ],
    "hsds": [
        ("status", "status", "open"),
        ("latitude", "latitude", "44"),
        ("external_identifier", "external_identifier", 5),
        ("location_type", "kind", "physical"),
        ("address_1", "street", "1 Rue"),
        ("last_action_date", "day", "2026-01-01"),
    ],
    "geojson": [
        ("features", "features", {}),
        ("geometry", "geometry", {"type": "Pint", "coordinates": [1, 2]}),
        ("coordinates", "coordinates", ["w", 2]),
    ],
}


def holding(value: Any, key: str) -> Iterator[dict[str, Any]]:
    """The objects that have a key; a role has room for a person."""
    if isinstance(value, dict):
        if key in value or (key == "practitioner" == value.get("resourceType", "").lower()[:12]):
            yield value
        for item in value.values():
            yield from holding(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from holding(item, key)


@pytest.mark.parametrize("form", CHECKS)
def test_what_is_bundled_is_valid_and_every_seeded_fault_is_found(form, tmp_path):
    near = DIRECTORY.nearest("Kingston, ON", 5, routes="iv")
    for what in (DIRECTORY, near, near[:0]):
        CHECKS[form](written(what, form, tmp_path).read_text("utf-8"))
    text = written(near, form, tmp_path).read_text("utf-8")
    for key, other, value in FAULTS[form]:
        content = json.loads(text)
        first = next(holding(content, key))
        first.pop(key, None)
        first[other] = value
        with pytest.raises((ValueError, AssertionError, jsonschema.ValidationError)):
            CHECKS[form](json.dumps(content))


@given(directories())
def test_any_directory_is_valid_in_every_form_and_comes_back_whole(tmp_path_factory, directory):
    folder = tmp_path_factory.mktemp("made")
    for form, read in BACK.items():
        path = written(directory, form, folder)
        if form in CHECKS:
            CHECKS[form](path.read_text("utf-8"))
        if len(directory):
            again = read(path, check=False)
            assert again.snapshot == directory.snapshot, (form, str(directory.diff(again)))


@examples(0.05)
@given(directories())
def test_any_directory_is_a_valid_data_package(tmp_path_factory, directory):
    check_package(written(directory, "datapackage", tmp_path_factory.mktemp("made")))


@settings(max_examples=max(4, settings.default.max_examples // 25))
@given(directories())
def test_any_directory_is_a_workbook_and_layers(tmp_path_factory, directory):
    folder = tmp_path_factory.mktemp("made")
    book = sheets(written(directory, "excel", folder))
    assert book["services"] == 1 + sum(len(one.services) for one in directory.values())
    layers(written(directory, "geopackage", folder), directory.to_frame)
    points = geopandas.read_parquet(written(directory, "geoparquet", folder))
    assert points.clinic_id.to_list() == list(directory)


def test_a_package_with_a_fault_is_found_out(tmp_path):
    good, bad = written(DIRECTORY, "datapackage", tmp_path), tmp_path / "bad.zip"
    check_package(good)
    for file, right, wrong in [
        ("facts.csv", "caledon-clinic,", "caledonia,"),
        ("facts.csv", ",2026-11-23,", ",November,"),
        ("facts.csv", "clinic_id,service_id", "clinic,service_id"),
        ("clinics.json", '"languages"', '"tongues"'),
        ("clinics.json", '\n  "caledon-clinic"', '\n  "camh-toronto"'),
        ("datapackage.json", '"resources"', '"files"'),
    ]:
        with zipfile.ZipFile(good) as old, zipfile.ZipFile(bad, "w") as new:
            for name in old.namelist():
                text = old.read(name).decode()
                assert name != file or right in text
                new.writestr(name, text.replace(right, wrong, 1) if name == file else text)
        with pytest.raises(AssertionError):
            check_package(bad)


def sheets(path: Path) -> dict[str, int]:
    """How many rows each sheet of a workbook has; a text stays what it is, and no formula."""
    book = openpyxl.load_workbook(path)
    for sheet in book:
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
    return {sheet.title: sheet.max_row for sheet in book}


def layers(path: Path, frame: Callable[[str], Any]) -> None:
    for per in ("clinic", "service", "fact"):
        layer = geopandas.read_file(path, layer=f"{per}s")
        assert len(layer) == len(frame(per))
        if len(layer):
            assert layer.clinic_id.to_list() == frame(per).clinic_id.to_list()


def test_the_tables_of_a_map_and_a_workbook_hold_what_frames_do(tmp_path):
    near = DIRECTORY.nearest("Kingston, ON", 3, routes="iv")
    for what in (DIRECTORY, near):
        layers(written(what, "geopackage", tmp_path), what.to_frame)
        points = geopandas.read_parquet(written(what, "geoparquet", tmp_path))
        assert points.crs.to_epsg() == 4326
        assert points.geometry.equals(what.to_geodataframe().geometry)
        assert list(points) == list(what.to_geodataframe())
        book = sheets(written(what, "excel", tmp_path))
        frames = {f"{per}s": len(what.to_frame(per)) + 1 for per in ("clinic", "service", "fact")}
        assert book == frames


def test_text_that_looks_like_a_formula_stays_text(tmp_path):
    clinic = kf.Clinic(clinic_id="a", name="=1+1", notes="bell\x07", phone="+1 416 555 0100")
    directory = kf.Directory.from_clinics([clinic])
    sheet = openpyxl.load_workbook(written(directory, "excel", tmp_path))["clinics"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert dict(zip(*rows, strict=True))["name"] == "=1+1"
    assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}
    for form, wanted in ((False, "=1+1"), (True, "'=1+1")):
        text = written(directory, "csv", tmp_path, spreadsheet=form).read_text("utf-8")
        assert next(csv.DictReader(io.StringIO(text)))["name"] == wanted


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="ten seconds to import: on one Python")
def test_every_clinic_is_one_of_schema_org_and_a_seeded_fault_is_found(tmp_path):
    from schema_org import MedicalClinic

    graph = json.loads(written(DIRECTORY, "jsonld", tmp_path).read_text("utf-8"))
    assert graph["@context"] == "https://schema.org"
    assert len(graph["@graph"]) == len(DIRECTORY)
    for one in graph["@graph"]:
        MedicalClinic.model_validate(one)

    @examples(0.1)
    @given(directories())
    def any_directory_is_valid(directory: kf.Directory) -> None:
        text = written(directory, "jsonld", tmp_path).read_text("utf-8")
        for one in json.loads(text)["@graph"]:
            MedicalClinic.model_validate(one)

    any_directory_is_valid()
    full = next(one for one in graph["@graph"] if {"telephone", "geo"} <= set(one))
    for fault in ({"phone": "1"}, {"geo": {"@type": "GeoPoint"}}, {"name": 5}, {"address": 5}):
        with pytest.raises(ValueError, match="validation error"):
            MedicalClinic.model_validate(full | fault)


# -- Read what others wrote ---------------------------------------------------------------------------


def test_what_a_file_misses_is_named_with_its_place():
    location = {"resourceType": "Location", "id": "x"}
    for read, content, wanted in [
        (kf.Directory.from_fhir, {"entry": [{"resource": location}]}, "Location 1.*name missing"),
        (kf.Directory.from_fhir, {"resourceType": "Bundle"}, "there is no Location in it"),
        (kf.Directory.from_fhir, [], "there is no Location in it"),
        (kf.Directory.from_hsds, {"contents": []}, "is not of the form|no location in it"),
        (kf.Directory.from_hsds, {"name": "x", "status": "active"}, "there is no location in it"),
        (kf.Directory.from_hsds, [5], "is not of the form that it should have"),
        (
            kf.Directory.from_hsds,
            {"name": "x", "service_at_locations": [{"location": {"id": "p", "latitude": 44.0}}]},
            "location.*lon missing",
        ),
        (kf.Directory.from_geojson, {}, "no list of features"),
        (
            kf.Directory.from_geojson,
            {"features": [{"geometry": {"type": "Polygon"}, "properties": {}}]},
            r"features\[0\].*no point",
        ),
        (
            kf.Directory.from_geojson,
            {"features": [{"id": "a", "properties": {"services": [], "name": 5}}]},
            r"features\[0\].*name cannot be 5",
        ),
    ]:
        with pytest.raises(DataError, match=wanted):
            read(content)


def test_what_is_read_keeps_to_the_rules_of_records():
    feature = {"id": "a", "properties": {"services": [], "name": "A"}}
    twice = {"features": [feature, feature | {"properties": feature["properties"] | {"city": "B"}}]}
    with pytest.raises(DataError, match=r"features\[1\]: the id 'a' is there already"):
        kf.Directory.from_geojson(twice)
    for name, value, wanted in [
        ("status", "open", "status: 'open' is not one of active, uncertain, closed"),
        ("website", "a.example", "is not a web address"),
        ("checked_on", "lately", "cannot be read"),
        ("languages", [5], "must be texts"),
        ("evidence", [{"facet": "name", "truth": "yes", "source_class": "rumour"}], "'rumour'"),
        ("services", [{"service_id": "s", "facts": {"route": {"terms": [{}]}}}], "cannot be read"),
        ("location", {"precision": "about"}, "'about' is not one of"),
    ]:
        told = {"geometry": {"type": "Point", "coordinates": [-76.5, 44.2]}}
        told |= feature | {"properties": feature["properties"] | {name: value}}
        with pytest.raises(DataError, match=wanted):
            kf.Directory.from_geojson({"features": [told]})
    unknown = {"service_id": "s", "facts": {"route": {"terms": [{"id": "ear", "truth": "yes"}]}}}
    told = {"id": "a", "properties": {"name": "A", "services": [unknown]}}
    with pytest.raises(kf.errors.KetafindError, match='"ear" is not a known route'):
        kf.Directory.from_geojson({"features": [told]})


def test_a_file_that_is_no_json_or_not_there_is_refused_by_name(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text('{"entry": [')
    for read in (kf.Directory.from_fhir, kf.Directory.from_hsds, kf.Directory.from_geojson):
        with pytest.raises(DataError, match=r"cut\.json: 1 fault.*\n  not JSON"):
            read(path)
        with pytest.raises(MissingFileError, match=r"none\.json: there is no such file"):
            read(tmp_path / "none.json")


def test_a_foreign_bundle_is_read_by_its_codes_and_what_has_no_term_is_named():
    iv = {"coding": [{"system": "http://snomed.info/sct", "code": "47625008"}]}
    odd = {"text": "leeches", "coding": [{"system": "urn:x", "code": "y"}]}
    place = {
        "resourceType": "Location",
        "id": "p",
        "name": "Clinic",
        "status": "active",
        "address": {"line": ["1 King St"], "city": "Kingston", "state": "ON"},
        "position": {"latitude": 44.23, "longitude": -76.48},
        "telecom": [{"system": "phone", "value": "613 555 0100"}],
    }
    service = {
        "resourceType": "HealthcareService",
        "id": "s",
        "characteristic": [iv, odd],
        "location": [{"reference": "Location/p"}],
        "providedBy": {"reference": "Organization/o"},
    }
    owner = {"resourceType": "Organization", "id": "o", "name": "Owner"}
    aim = [{"reference": "Location/p"}]
    said = {"resourceType": "VerificationResult", "id": "v", "status": "validated", "target": aim}
    found = {"entry": [{"resource": one} for one in (service, place, owner, said)]}
    with pytest.warns(UserWarning, match="1 of its codes .* left out: 'leeches'"):
        clinic = kf.Directory.from_fhir(found)["p"]
    assert clinic.services[0].routes == ("iv",)
    # Most servers say what a service is in its type and category.
    del service["characteristic"]
    service |= {"type": [iv], "category": [{"coding": [{"system": "urn:x", "code": "y"}]}]}
    with pytest.warns(UserWarning, match=r"1 of its codes .* left out: 'urn:x\|y'"):
        assert kf.Directory.from_fhir(found)["p"].services[0].routes == ("iv",)
    assert (clinic.operator, clinic.phone, clinic.street_address) == (
        *("Owner", "613 555 0100", "1 King St"),
    )
    assert clinic.location.lat == 44.23
    assert clinic.evidence == ()


def test_of_several_addresses_the_first_is_read_and_an_organization_with_one_place_lends_its_own():
    address = {"line": ["1 King St"], "city": "Kingston", "state": "ON"}
    place = {"resourceType": "Location", "name": "P", "status": "active"}
    owner = {"resourceType": "Organization", "id": "o", "name": "O", "address": [address]}
    led = place | {"managingOrganization": {"reference": "Organization/o"}}

    def read(*resources):
        return kf.Directory.from_fhir({"entry": [{"resource": one} for one in resources]})

    own = place | {"id": "p", "address": [address, {"city": "Ottawa"}]}
    assert read(own)["p"].city == read(led | {"id": "p"}, owner)["p"].city == "Kingston"
    assert read(led | {"id": "p"}, owner | {"address": []})["p"].city == ""
    both = read(owner, *(led | {"id": name} for name in "pq"))
    assert {clinic.city for clinic in both.values()} == {""}
    assert {clinic.operator for clinic in both.values()} == {"O"}


def test_contained_resources_are_read_each_inside_its_own_whole():
    iv = {"coding": [{"system": "urn:ketafind:route", "code": "iv"}]}
    wholes = [
        {
            "resourceType": "HealthcareService",
            "id": f"s{name}",
            "characteristic": [iv],
            "location": [{"reference": "#place"}],
            "contained": [
                {
                    "resourceType": "Location",
                    "id": "place",
                    "identifier": [{"value": name}],
                    "name": name,
                    "status": "active",
                    "managingOrganization": {"reference": "#owner"},
                },
                {"resourceType": "Organization", "id": "owner", "name": f"Owner of {name}"},
            ],
        }
        for name in ("a", "b")
    ]
    directory = kf.Directory.from_fhir({"entry": [{"resource": one} for one in wholes]})
    for name, clinic in directory.items():
        assert (clinic.operator, clinic.services[0].routes) == (f"Owner of {name}", ("iv",))
    wholes[0]["location"] = [{"reference": "#elsewhere"}]
    with pytest.warns(UserWarning, match="HealthcareService/sa"):
        kf.Directory.from_fhir({"entry": [{"resource": one} for one in wholes]})


def test_a_service_that_leads_nowhere_or_has_ended_is_left_out_and_named():
    iv = {"coding": [{"system": "http://snomed.info/sct", "code": "47625008"}]}
    place = {"resourceType": "Location", "id": "p", "name": "P", "status": "active"}
    at = [{"reference": "Location/p"}]
    service = {"resourceType": "HealthcareService", "characteristic": [iv], "location": at}
    astray = [
        service | {"id": "ended", "active": False},
        service | {"id": "lost", "location": [{"reference": "Location/q"}]},
        service | {"id": "none", "location": None},
    ]
    said = {"resourceType": "VerificationResult", "id": "v", "target": [{"reference": "x"}]}
    bundle = {"entry": [{"resource": one} for one in (place, said, *astray)]}
    with pytest.warns(UserWarning, match="left out") as told:
        clinic = kf.Directory.from_fhir(bundle)["p"]
    assert clinic.services == (kf.Service(),)
    said_of = " ".join(str(one.message) for one in told)
    for name in ("ended", "lost", "none", "VerificationResult/v"):
        assert name in said_of
    # Of a clinic that has closed they are what it offered.
    bundle["entry"] = [{"resource": one} for one in (place | {"status": "inactive"}, astray[0])]
    closed = kf.Directory.from_fhir(bundle)["p"]
    assert (closed.status, closed.services[0].routes) == ("closed", ("iv",))


@pytest.mark.parametrize("status", ["x", 3, ["active"], "acti\u0432e"])
def test_a_status_that_nobody_knows_is_not_taken_for_active(status):
    place = {"resourceType": "Location", "id": "p", "name": "P", "status": status}
    with pytest.raises(DataError, match="status"):
        kf.Directory.from_fhir({"entry": [{"resource": place}]})
    with pytest.raises(DataError, match=r"status|form"):
        kf.Directory.from_hsds(_hsds(status=status))


def _hsds(**service):
    place = {"id": "p", "name": "P", "latitude": 44.2, "longitude": -76.5}
    at = [{"id": "x", "location": place}]
    return {"id": "s", "name": "S", "status": "active", "service_at_locations": at} | service


def test_the_languages_of_a_service_of_others_are_read_or_named():
    spoken = [
        {"code": "fr"},
        {"name": "English"},
        {"code": "fr", "name": "French"},
        {"name": "Cree"},
    ]
    with pytest.warns(UserWarning, match="1 of its codes .* left out: 'Cree'"):
        clinic = kf.Directory.from_hsds(_hsds(languages=spoken))["p"]
    assert clinic.services[0].terms("language") == ("fr", "en")


def test_services_of_a_list_that_ended_or_are_given_nowhere_are_left_out_and_named():
    listed = [
        _hsds(id="a", name="old", status="defunct"),
        _hsds(),
        _hsds(id="b", name="afar", service_at_locations=[]),
    ]
    with pytest.warns(UserWarning, match="2 of its services .* left out: 'afar', 'old'"):
        clinic = kf.Directory.from_hsds(listed)["p"]
    assert (clinic.status, [one.service_id for one in clinic.services]) == ("active", ["s"])
    with pytest.warns(UserWarning, match="one of 3 pages"):
        kf.Directory.from_hsds({"contents": [_hsds()], "total_pages": 3})


def test_features_in_other_units_or_at_two_places_are_refused():
    point = {"type": "Point", "coordinates": [-76.48, 44.23]}
    one = {"type": "Feature", "id": "a", "geometry": point, "properties": {"name": "A"}}
    found = {"features": [one]}
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"):
        read = kf.Directory.from_geojson(found | {"crs": {"properties": {"name": name}}})
        assert read["a"].location.lat == 44.23
    with pytest.raises(DataError, match=r"EPSG:3857.*convert them to WGS 84"):
        kf.Directory.from_geojson(found | {"crs": {"properties": {"name": "EPSG:3857"}}})
    one["properties"] |= {"lat": 44.23001, "lon": -76.48}
    assert kf.Directory.from_geojson(found)["a"].location.lat == 44.23
    one["properties"] |= {"lat": 43.6}
    with pytest.raises(DataError, match=r"features\[0\]: the geometry is elsewhere"):
        kf.Directory.from_geojson(found)


def test_a_key_that_stands_twice_is_refused_by_name(tmp_path):
    path = tmp_path / "twice.json"
    path.write_text('{"features": [], "features": []}')
    for read in (kf.Directory.from_fhir, kf.Directory.from_hsds, kf.Directory.from_geojson):
        with pytest.raises(DataError, match='the key "features" stands twice'):
            read(path)


def test_what_was_edited_outside_is_believed_over_how_it_was_written():
    clinic = kf.Clinic(clinic_id="a", name="Caf\u00a0é")
    sent = kf.Directory.from_clinics([clinic]).to_fhir()
    assert kf.Directory.from_fhir(sent)["a"].name == "Caf\u00a0é"
    text = json.dumps(sent).replace('"name": "Caf \\u00e9"', '"name": "Bistro"')
    assert kf.Directory.from_fhir(json.loads(text))["a"].name == "Bistro"


def test_features_of_others_are_rows_of_a_table():
    near = DIRECTORY.nearest("Kingston, ON", 3, routes="iv")
    read = kf.Directory.from_geojson(near.to_geojson())
    assert set(read) == {match.clinic.clinic_id for match in near}
    for match in near:
        assert "iv" in read[match.clinic.clinic_id].services[0].routes
    point = {"type": "Point", "coordinates": [-76.48, 44.23]}
    one = {"type": "Feature", "id": "a", "geometry": point, "properties": {"name": "A"}}
    assert kf.Directory.from_geojson({"features": [one]})["a"].location.lon == -76.48
    with pytest.raises(DataError, match="name"):
        kf.Directory.from_geojson({"features": [one | {"properties": {"nam": "A"}}]})


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything in a value of JSON."""
    yield path
    items = dict(enumerate(value)) if isinstance(value, list) else value
    for key, item in items.items() if isinstance(items, dict) else ():
        yield from nodes(item, (*path, key))


SENT = {
    "geojson": DIRECTORY.nearest("Kingston", 2).to_geojson(),
    "fhir": kf.Directory.from_clinics(list(DIRECTORY.values())[:2]).to_fhir(),
    "hsds": service_list(list(DIRECTORY.values())[:2], DIRECTORY.vocabulary, "en"),
}
SENT["records"] = kf.Directory.from_clinics(list(DIRECTORY.values())[:2]).to_geojson()
PATHS = {name: list(nodes(content)) for name, content in SENT.items()}
leaf = st.sampled_from([None, 5, -1e400, True, "", "x", "2026-13-01", [], {}, [[]], {"id": []}])


@examples(2)
@given(st.sampled_from(sorted(SENT)), st.data())
def test_a_file_of_any_shape_is_read_or_refused_with_a_reason(name, data):
    content = json.loads(json.dumps(SENT[name]))
    path = data.draw(st.sampled_from(PATHS[name]))
    value = data.draw(leaf)
    holder: Any = content
    for step in path[:-1]:
        holder = holder[step]
    if path:
        holder[path[-1]] = value
    read = BACK["geojson" if name == "records" else name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with contextlib.suppress(kf.errors.KetafindError):
            assert isinstance(read(content if path else value), kf.Directory)


def test_a_package_is_read_from_its_folder_and_says_what_it_lacks(tmp_path):
    with zipfile.ZipFile(written(DIRECTORY, "datapackage", tmp_path)) as archive:
        archive.extractall(tmp_path / "open")
    read = kf.Directory.from_datapackage
    assert read(tmp_path / "open").snapshot == DIRECTORY.snapshot
    assert read(tmp_path / "open" / "datapackage.json").snapshot == DIRECTORY.snapshot
    clinics = tmp_path / "open" / "clinics.json"
    text = clinics.read_text("utf-8")
    clinics.write_text(text.replace('"truth": "yes"', '"truth": "maybe"', 1), "utf-8")
    with pytest.raises(DataError, match=r"clinics\.json\[0\].*'maybe'"):
        read(tmp_path / "open")
    clinics.write_text(text.replace('"name"', '"nom"', 1), "utf-8")
    with pytest.raises(DataError, match=r"clinics\.json\[0\]: name missing"):
        read(tmp_path / "open")
    clinics.unlink()
    with pytest.raises(DataError, match=r"clinics\.json is not there"):
        read(tmp_path / "open")
    (tmp_path / "not.zip").write_text("x")
    with pytest.raises(DataError, match=r"not\.zip: 1 fault.*\n  clinics\.json cannot be read"):
        read(tmp_path / "not.zip")


@pytest.mark.parametrize("packed", [False, True])
def test_the_package_of_the_bundled_data_is_valid_and_reads_back_equal(packed, tmp_path):
    package = ROOT.parent / "data" / "datapackage.json"
    check_package(package)
    if packed:
        with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
            for path in package.parent.iterdir():
                archive.write(path, path.name)
        package = tmp_path / "data.zip"
    again = kf.Directory.from_datapackage(package)
    assert again.snapshot.id == DIRECTORY.snapshot.id
    again.export(tmp_path / "again.zip")
    check_package(tmp_path / "again.zip")
    assert (
        kf.Directory.from_datapackage(tmp_path / "again.zip").snapshot.id == DIRECTORY.snapshot.id
    )


def test_a_package_of_tables_names_the_faults_of_its_tables_and_reads_no_file_outside(tmp_path):
    for name in ("datapackage.json", "ontario_clinics.csv", "ontario_clinics_evidence.csv"):
        (tmp_path / name).write_bytes((ROOT.parent / "data" / name).read_bytes())
    table = tmp_path / "ontario_clinics.csv"
    table.write_text(table.read_text("utf-8").replace(",ON,", ",BC,", 1), "utf-8")
    with pytest.raises(DataError, match=r"ontario_clinics\.csv: .*\n.*is not in British Columbia"):
        kf.Directory.from_datapackage(tmp_path)
    described = (tmp_path / "datapackage.json").read_text("utf-8")
    for path in ("../secret.csv", "/ontario_clinics.csv"):
        spoilt = described.replace('"ontario_clinics.csv"', f'"{path}"')
        (tmp_path / "datapackage.json").write_text(spoilt, "utf-8")
        (tmp_path.parent / "secret.csv").write_text("clinic_id,name\na,A\n")
        with pytest.raises(DataError, match=r"clinics\.json is not there|is not in British"):
            kf.Directory.from_datapackage(tmp_path)


# -- The command --------------------------------------------------------------------------------------


def test_the_command_writes_the_directory_those_that_match_or_the_nearest(tmp_path, capsys):
    for options, n in [
        ([], len(DIRECTORY)),
        (["--route", "oral"], len(DIRECTORY.search(routes="oral"))),
        (["Kingston, ON", "-k", "2", "--route", "iv"], 2),
    ]:
        out = tmp_path / f"{n}.geojson"
        assert main(["export", *options, "--out", str(out)]) == 0
        assert len(json.loads(out.read_text("utf-8"))["features"]) == n
        assert main(["export", *options, "--out", str(out)]) == 2
        assert "is there already" in capsys.readouterr().err
    for form in FORMATS:
        out = tmp_path / f"made.{form}"
        assert main(["export", "--format", form, "--out", str(out)]) == 0
        assert out.stat().st_size
    assert main(["export", "--out", str(tmp_path / "made.doc")]) == 2
    assert (
        "the ending '.doc' names no format: pass --format; formats: csv" in capsys.readouterr().err
    )


def test_the_command_says_that_a_file_holds_no_clinic_and_refuses_a_limit_without_a_place(
    tmp_path, capsys
):
    out = tmp_path / "none.geojson"
    assert main(["export", "--route", "sc", "--out", str(out), "--lang", "fr"]) == 0
    assert capsys.readouterr().err.startswith("Aucune clinique dont la position")
    assert json.loads(out.read_text("utf-8"))["features"] == []
    for limit in (["-k", "3"], ["--max-distance-km", "9"]):
        assert main(["export", *limit, "--out", str(tmp_path / "few.geojson")]) == 2
        assert "go with a PLACE" in capsys.readouterr().err
    assert not (tmp_path / "few.geojson").exists()


def test_where_was_searched_from_is_in_no_file(tmp_path):
    near = DIRECTORY.nearest("K7L 3N6", 3, routes="iv")
    for form in ("csv", "geojson", "fhir", "hsds", "jsonld"):
        text = written(near, form, tmp_path).read_text("utf-8")
        assert "K7L 3N6" not in text
        assert str(near.origin.lat) not in text
    with pytest.raises(InvalidInputError, match="format='word' is not known; formats: csv"):
        near.export(tmp_path / "x", "word")


def test_a_file_of_json_is_refused_as_csv_with_one_fault_that_says_who_reads_it(tmp_path):
    DIRECTORY.export(tmp_path / "clinics.geojson")
    with pytest.raises(DataError, match="this is JSON; from_geojson, from_fhir") as refused:
        kf.Directory.from_csv(tmp_path / "clinics.geojson")
    assert len(refused.value.faults) == 1


@pytest.mark.parametrize(
    "name",
    ["a.geojson", "a.json:fhir", "a.json:hsds", "a.json:geojson", "a.zip", "a.ketafind", "a.csv"],
)
def test_the_command_reads_clinics_of_every_form_that_is_read_back(name, tmp_path, capsys):
    name, _, form = name.partition(":")
    path = tmp_path / name
    if name == "a.ketafind":
        DIRECTORY.save(path)
    else:
        DIRECTORY.export(path, form or None)
    assert main(["export", "--data", str(path), "--out", str(tmp_path / "again.geojson")]) == 0
    again = kf.Directory.from_geojson(tmp_path / "again.geojson")
    assert list(again) == list(DIRECTORY)
    if name != "a.csv":  # the table has no evidence, which stands in a file of its own
        assert again.snapshot == DIRECTORY.snapshot
        assert main(["nearest", "Kingston", "--data", str(path), "--evidence", "e.csv"]) == 2
        assert "evidence" in capsys.readouterr().err


def test_the_command_refuses_by_name_what_is_not_read_back(tmp_path, capsys):
    for name, content, said in [
        ("a.xlsx", "", ".xlsx is not read back; files that are: .ketafind, .json, .csv, .geojson, .zip"),
        ("a.parquet", "", ".parquet is not read back"),
        ("a.json", "[1]", "this is JSON, but not a FHIR Bundle, GeoJSON, an HSDS list of services or"),
        ("a.json", "{", "not JSON"),
        ("b.json", None, "b.json: there is no such file"),
    ]:  # fmt: skip
        if content is not None:
            (tmp_path / name).write_text(content)
        assert main(["nearest", "Kingston", "--data", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err


def test_what_is_read_back_is_placed_and_asked_by_the_geocoder_that_is_given():
    directory = kf.Directory.from_clinics(
        [kf.Clinic(clinic_id="a", name="A", city="Vancouver", province="BC")],
        geocoder=kf.OfflineGeocoder(region="CA"),
    )
    again = kf.Directory.from_geojson(
        directory.to_geojson(), geocoder=kf.OfflineGeocoder(region="CA")
    )
    assert [one.rank for one in again.nearest("Victoria, BC", k=1)] == [1]


def test_languages_and_bare_addresses_of_another_fhir_server_are_read():
    """Languages are codes of BCP 47 there; what no server holds yet has an address and no id."""
    place = {
        "resourceType": "Location",
        "name": "P",
        "position": {"latitude": 45, "longitude": -76},
    }
    spoken = [{"system": "urn:ietf:bcp:47", "code": code} for code in ("fr-CA", "EN")]
    service = {
        "resourceType": "HealthcareService",
        "id": "s",
        "location": [{"reference": "urn:uuid:7"}],
        "communication": [{"coding": [one]} for one in spoken],
    }
    bundle = {"entry": [{"fullUrl": "urn:uuid:7", "resource": place}, {"resource": service}]}
    (clinic,) = kf.Directory.from_fhir(bundle).clinics
    assert (clinic.clinic_id, set(clinic.services[0].terms("language"))) == ("7", {"fr", "en"})
    written = kf.Directory.from_clinics([clinic]).to_fhir()
    assert spoken[0] | {"code": "fr"} in [
        coding
        for entry in written["entry"]
        for one in entry["resource"].get("communication", ())
        for coding in one["coding"]
    ]


def test_a_page_of_a_bundle_is_warned_of():
    place = {"resourceType": "Location", "id": "p", "name": "P"}
    link = [{"relation": "next", "url": "https://example.org/?page=2"}]
    with pytest.warns(UserWarning, match="one page of several"):
        kf.Directory.from_fhir({"entry": [{"resource": place}], "link": link})


def test_the_languages_of_an_hsds_location_are_those_of_its_services():
    place = {"id": "p", "name": "P", "languages": [{"code": "fr"}, {"name": "English"}]}
    service = {"id": "s", "name": "S", "service_at_locations": [{"location": place}]}
    (clinic,) = kf.Directory.from_hsds(
        {"contents": [service | {"languages": [{"code": "fr"}]}]}
    ).clinics
    assert clinic.services[0].terms("language") == ("fr", "en")
