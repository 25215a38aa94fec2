"""The bundled clinics: every fact has its evidence, and every piece of evidence its fact."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ketafind.tables.clinics import read_clinics
from ketafind.vocabulary import default_vocabulary

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = default_vocabulary()
FIELDS = (
    *("name", "operator", "street_address", "city", "province", "postal_code"),
    *("phone", "website", "status"),
)
CLINIC_LEVEL = (*FIELDS, "lat", "lon", "precision", "radius_km", "languages", "notes", "checked_on")
FLAGS = ("referral_required", "ohip_covered", "virtual")
Row = dict[str, str]
Fact = tuple[str, str, str, str, str]


def read(name: str) -> list[Row]:
    with (ROOT / "data" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


CLINICS = read("ontario_clinics.csv")
EVIDENCE = read("ontario_clinics_evidence.csv")


def service_facts(row: Row) -> Iterator[tuple[str, str, str]]:
    """Facet, term and truth of what one row states of its service."""
    for facet in VOCABULARY.facets:
        for term in filter(None, row.get(facet.plural, "").split(";")):
            yield facet.id, term, "yes"
    for fact in filter(None, row["not_offered"].split(";")):
        name, _, term = fact.partition(":")
        yield name, term, "no"
    for flag in filter(row.__getitem__, FLAGS):
        value = row[flag]
        yield flag, "partial" if value == "partial" else "", "no" if value == "no" else "yes"


def stated(row: Row) -> Iterator[Fact]:
    """All that one row states, as clinic, service (empty: the clinic), facet, term, truth."""
    for field in filter(row.__getitem__, FIELDS):
        yield row["clinic_id"], "", field, row[field], "yes"
    for fact in service_facts(row):
        yield row["clinic_id"], row["service_id"], *fact


def fact_of(row: Row) -> Fact:
    return row["clinic_id"], row["service_id"], row["facet"], row["term"], row["truth"]


def test_every_fact_has_evidence_for_its_service_or_its_clinic() -> None:
    known = {fact_of(row) for row in EVIDENCE}
    without = [
        fact
        for row in CLINICS
        for fact in stated(row)
        if fact not in known and (fact[0], "", *fact[2:]) not in known
    ]
    assert without == []


def test_every_piece_of_evidence_has_its_fact_in_the_csv() -> None:
    facts = {fact for row in CLINICS for fact in stated(row)}
    services: dict[str, list[str]] = {}
    for row in CLINICS:
        services.setdefault(row["clinic_id"], []).append(row["service_id"])
    without = []
    for row in EVIDENCE:
        clinic, service, *fact = fact_of(row)
        wanted = [service] if service else services[clinic]
        if row["facet"] in FIELDS:
            wanted = [""]
        without += [row for one in wanted if (clinic, one, *fact) not in facts]
    assert without == []


def test_no_fact_is_stated_both_ways_and_no_yes_stands_below_a_no() -> None:
    for row in CLINICS:
        facts = set(service_facts(row))
        for name, term, truth in facts:
            if truth == "yes" and name not in FLAGS:
                above = (term, *VOCABULARY.facet(name).ancestors(term))
                assert not {(name, one, "no") for one in above} & facts, row["clinic_id"]


def test_every_term_is_an_id_of_the_vocabulary() -> None:
    for row in CLINICS:
        for name, term, _ in service_facts(row):
            if name not in FLAGS:
                assert VOCABULARY.facet(name)[term].id == term


def test_rows_of_one_clinic_agree_in_all_that_is_the_clinics() -> None:
    seen: dict[str, Row] = {}
    for row in CLINICS:
        first = seen.setdefault(row["clinic_id"], row)
        assert [row[name] for name in CLINIC_LEVEL] == [first[name] for name in CLINIC_LEVEL]
    ids = [(row["clinic_id"], row["service_id"]) for row in CLINICS]
    assert len(set(ids)) == len(ids)
    assert [clinic for clinic, _ in ids] == sorted(clinic for clinic, _ in ids)


def test_esketamine_is_a_service_of_its_own_by_the_intranasal_route() -> None:
    offers = [row for row in CLINICS if "esketamine" in row["products"].split(";")]
    assert len(offers) >= 5
    for row in offers:
        assert (row["service_id"], row["products"], row["routes"]) == (
            "esketamine",
            "esketamine",
            "intranasal",
        )


def test_only_a_clinic_with_several_routes_or_products_has_a_combined_service() -> None:
    for row in CLINICS:
        if row["combined"] == "yes":
            same = [other for other in CLINICS if other["clinic_id"] == row["clinic_id"]]
            routes = {route for other in same for route in other["routes"].split(";")}
            assert len(routes) > 1


def test_no_page_is_younger_than_the_day_it_was_read() -> None:
    for row in EVIDENCE:
        assert date.fromisoformat(row["page_date"] or row["checked_on"]) <= date.fromisoformat(
            row["checked_on"]
        )


def test_source_classes_follow_the_table_in_the_documents() -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (regulator|clinic|operator|government|other) \| (.+) \|$", text, re.M)
    classes = {
        address.strip(): name
        for name, cell in table
        for address in re.sub(r"\(.*?\)", "", cell).split(",")
    }
    used = set()
    for row in EVIDENCE:
        address = re.sub(r"^https?://(www\.)?", "", row["source_url"])
        (start,) = [one for one in classes if address == one or address.startswith(f"{one}/")]
        assert classes[start] == row["source_class"], row["source_url"]
        used.add(start)
    assert set(classes) - used == {"none in this release"}


def test_evidence_stands_once() -> None:
    rows = Counter((*fact_of(row), row["source_url"]) for row in EVIDENCE)
    assert rows.most_common(1)[0][1] == 1


def test_every_column_is_described_with_its_source_and_licence() -> None:
    package = json.loads((ROOT / "data" / "datapackage.json").read_text(encoding="utf-8"))
    for resource, rows in zip(package["resources"], (CLINICS, EVIDENCE), strict=True):
        fields = resource["schema"]["fields"]
        assert [field["name"] for field in fields] == list(rows[0])
        for field in fields:
            assert field["description"].endswith(".")
            assert field["source"]
            assert field["licence"]
            assert ("unit" in field) == (field["type"] in ("number", "date"))


def test_the_data_package_is_valid() -> None:
    frictionless = pytest.importorskip("frictionless")
    report = frictionless.validate(str(ROOT / "data" / "datapackage.json"))
    assert report.valid, report.flatten(["rowNumber", "fieldName", "message"])
    assert [task.stats["rows"] for task in report.tasks] == [len(CLINICS), len(EVIDENCE)]


def test_positions_and_counts_are_what_the_script_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("build", ROOT / "tools" / "build_clinics.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert build.main(["--check"]) == 0

    moved = tmp_path / "clinics.csv"
    before = (ROOT / "data" / "ontario_clinics.csv").read_bytes()
    moved.write_bytes(before.replace(b",place,", b",rooftop,"))
    monkeypatch.setattr(build, "CLINICS", moved)
    monkeypatch.setattr(build, "DOCUMENT", tmp_path / "data.md")
    (tmp_path / "data.md").write_bytes((ROOT / "docs" / "data.md").read_bytes())
    monkeypatch.setattr(build, "ROOT", tmp_path)
    assert build.main(["--check"]) == 1
    assert moved.read_bytes() != before
    assert build.main([]) == 0
    assert moved.read_bytes() == before


def test_a_clinic_known_to_its_city_has_the_radius_of_the_city() -> None:
    for row in CLINICS:
        known = bool(row["street_address"] or row["city"] or row["postal_code"])
        assert (bool(row["lat"]), bool(row["lon"])) == (known, known)
        if row["precision"] in ("place", "municipality"):
            assert float(row["radius_km"]) > 1
        assert row["precision"] != "place" or not row["postal_code"]


def test_the_files_load() -> None:
    data = ROOT / "data"
    clinics = read_clinics(
        data / "ontario_clinics.csv", evidence=data / "ontario_clinics_evidence.csv"
    )
    assert sum(len(clinic.services) for clinic in clinics) == len(CLINICS)
    assert sum(len(clinic.evidence) for clinic in clinics) == len(EVIDENCE)
    assert not any(clinic.extra for clinic in clinics)
