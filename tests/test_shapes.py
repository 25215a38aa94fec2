"""Records, answers and errors as plain data: strict JSON, the published schema, both languages."""

from __future__ import annotations

import ast
import csv
import inspect
import json
import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

import ketafind as kf
from ketafind import errors, shapes
from ketafind.matches import AnswerRecord
from ketafind.records import CLINIC_FIELDS, EVIDENCE_FIELDS, PRECISIONS, SOURCE_CLASSES, STATUSES
from ketafind.vocabulary import Vocabulary
from strategies import clinic_lists, examples

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((Path(kf.__file__).parent / "schema.json").read_text("utf-8"))
LANGUAGES = (None, "en", "fr")
DIRECTORY = kf.load_directory()
EVERY_ERROR = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.KetafindError)
]


VALIDATORS = {
    kind: Draft202012Validator(
        {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}, format_checker=FormatChecker()
    )
    for kind in SCHEMA["$defs"]
}


def check(record: Any, kind: str) -> None:
    """It is plain data, strict JSON, comes back the same, and is as the schema says."""
    assert all_plain(record)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    VALIDATORS[kind].validate(record)


def all_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(type(name) is str and all_plain(one) for name, one in value.items())
    if type(value) is list:
        return all(map(all_plain, value))
    return value is None or type(value) in {str, int, float, bool}


def without_labels(record: Any) -> Any:
    if isinstance(record, list):
        return [without_labels(one) for one in record]
    if not isinstance(record, dict):
        return record
    of_places = {"label"} if "lat" in record else set()  # it is their name
    added = {"label", "labels", "unit_label"} - of_places
    return {name: without_labels(one) for name, one in record.items() if name not in added}


places = st.builds(
    kf.Location,
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    precision=st.sampled_from(PRECISIONS),
    radius_km=st.floats(0, 20_000),
    corrections=st.lists(st.text(max_size=5), max_size=2),
    label=st.text(max_size=5),
)
days = st.none() | st.dates() | st.datetimes()
facts = st.builds(
    kf.Evidence,
    clinic_id=st.just("a"),
    service_id=st.none() | st.text(max_size=3),
    facet=st.sampled_from(["route", "flag", "price_cad", "phone", "new"]),
    term=st.sampled_from(["iv", "virtual", "300", ""]),
    truth=st.sampled_from([kf.Truth.YES, kf.Truth.NO]),
    source_url=st.just("https://a.example"),
    source_class=st.sampled_from(SOURCE_CLASSES),
    checked_on=days,
    page_date=days,
    hint=st.text(max_size=5),
)


@examples(0.5)
@given(clinic_lists(max_size=3), st.lists(facts, max_size=3), days, st.sampled_from(LANGUAGES))
def test_any_clinic_is_strict_json_as_the_schema_says(
    clinics: list[kf.Clinic], evidence: list[kf.Evidence], day: Any, lang: str | None
) -> None:
    for clinic in clinics:
        whole = replace(clinic, evidence=evidence, checked_on=day)
        record = whole.to_dict(lang)
        check(record, "ClinicRecord")
        assert without_labels(record) == whole.to_dict()
        assert [one["facet"] for one in record["evidence"]] == [one.facet for one in evidence]


@given(places, st.lists(places, max_size=2), st.sampled_from(LANGUAGES))
def test_any_location_is_strict_json_with_its_candidates(
    place: kf.Location, others: list[kf.Location], lang: str | None
) -> None:
    record = replace(place, candidates=others).to_dict(lang)
    check(record, "LocationRecord")
    assert (record["lat"], record["lon"]) == (place.lat, place.lon)
    assert len(record["candidates"]) == len(others)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_bundled_clinic_is_as_the_schema_says_with_every_fact(lang: str | None) -> None:
    for clinic in DIRECTORY.clinics:
        record = clinic.to_dict(lang)
        check(record, "ClinicRecord")
        for service, made in zip(clinic.services, record["services"], strict=True):
            stated = {
                facet: {term["id"]: term["truth"] for term in facts["terms"]}
                for facet, facts in made["facts"].items()
            }
            expected = {facet: dict(terms) for facet, terms in service.facts.items()}
            assert {facet: terms for facet, terms in stated.items() if terms} == expected
            assert {f for f, facts in made["facts"].items() if facts["complete"]} == set(
                service.complete
            )
            assert made["flags"] == dict(service.flags)


def test_what_is_not_known_is_null_and_numbers_of_numpy_are_numbers() -> None:
    clinic = kf.Clinic(
        clinic_id="a",
        name="A",
        checked_on=datetime(2026, 11, 23, 8, tzinfo=UTC),
        location=kf.Location(lat=np.float64(44.25), lon=np.float32(-76.5), radius_km=np.int64(2)),
        extra={"fax": "", "floor": "2"},
    )
    record = clinic.to_dict()
    check(record, "ClinicRecord")
    assert (record["phone"], record["checked_on"]) == (None, "2026-11-23")
    assert record["location"]["radius_km"] == 2.0
    assert record["extra"] == {"fax": "", "floor": "2"}
    assert kf.Clinic(clinic_id="a", name="A").to_dict()["location"] is None


def test_labels_stand_beside_ids_in_the_language_asked_for() -> None:
    service = kf.Service(
        facts={"route": {"iv": kf.Truth.YES, "im": kf.Truth.NO}, "language": {}},
        flags={"virtual": kf.Truth.NO},
        complete={"staff"},
    )
    french = service.to_dict("fr-CA")
    check(french, "ServiceRecord")
    assert french["facts"]["route"]["label"] == "voie d'administration"
    assert french["facts"]["route"]["terms"][1] == {
        "id": "im",
        "truth": "no",
        "label": "intramusculaire",
    }
    assert french["facts"]["staff"] == {"complete": True, "terms": [], "label": "personnel"}
    assert french["facts"]["flag"]["terms"][0]["label"] == "soins virtuels"
    assert french["flags"] == {"virtual": "no"}
    clinic = kf.Clinic(clinic_id="a", name="A", status="closed", languages=("fr", "tlh"))
    assert clinic.to_dict("fr")["labels"] == {"status": "fermée", "languages": ["français", "tlh"]}
    assert "labels" not in clinic.to_dict()
    for record in (clinic, service, kf.Location(lat=1, lon=2)):
        with pytest.raises(errors.InvalidInputError, match="choose 'en', 'fr'"):
            record.to_dict("de")


def test_labels_come_from_the_vocabulary_given_and_else_are_ids() -> None:
    own = Vocabulary.from_dict(
        {
            "format": "ketafind-vocabulary/1",
            "languages": ["fr"],
            "facets": [
                {
                    "id": "technique",
                    "plural": "techniques",
                    "labels": {"fr": "méthode"},
                    "terms": [{"id": "manual", "labels": {"fr": "manuelle"}}],
                }
            ],
        }
    )
    service = kf.Service(facts={"technique": {"manual": kf.Truth.YES}})
    for lang in ("en", "fr"):
        facts = service.to_dict(lang, vocabulary=own)["facts"]["technique"]
        assert (facts["label"], facts["terms"][0]["label"]) == ("méthode", "manuelle")
    facts = service.to_dict("fr")["facts"]["technique"]
    assert (facts["label"], facts["terms"][0]["label"]) == ("technique", "manual")


def test_each_fixed_word_has_a_label_in_both_languages() -> None:
    words = errors.packaged("shapes.json")
    assert list(words["status"]) == list(STATUSES)
    assert list(words["precision"]) == list(PRECISIONS)
    assert list(words["source_class"]) == list(SOURCE_CLASSES)
    assert set(words["truth"]) == {truth.value for truth in kf.Truth}
    texts = [text for name in words.values() for word in name.values() for text in word.items()]
    assert {lang for lang, _ in texts} == {"en", "fr"}
    assert all(text.strip() for _, text in texts)


def test_the_published_schema_is_sound_and_what_the_fields_and_shapes_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    monkeypatch.syspath_prepend(ROOT / "tools")
    tool = import_module("schema")
    assert tool.text() == tool.PATH.read_text("utf-8"), "run python tools/schema.py"
    of_clinic = {part.name for part in CLINIC_FIELDS if part.level == "clinic"}
    assert of_clinic <= set(get_type_hints(shapes.ClinicRecord))
    assert {part.name for part in EVIDENCE_FIELDS} <= set(get_type_hints(shapes.EvidenceRecord))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("status",), "shut"),
        (("location", "lat"), 91),
        (("location", "precision"), "exact"),
        (("checked_on",), 7),
        (("services", 0, "facts", "route", "terms", 0, "truth"), "unknown"),
        (("evidence", 0, "source_class"), "hearsay"),
        (("new",), 1),
    ],
)
def test_the_schema_refuses_what_is_no_clinic(place: tuple[Any, ...], value: object) -> None:
    record: Any = DIRECTORY["caledon-clinic"].to_dict()
    inner = record
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    assert not VALIDATORS["ClinicRecord"].is_valid(record)


def test_a_web_framework_returns_records_as_they_are() -> None:
    pydantic = pytest.importorskip("pydantic")
    record = DIRECTORY["caledon-clinic"].to_dict("fr")
    returned: Any = pydantic.TypeAdapter(dict[str, Any]).dump_json(record)
    assert json.loads(returned) == record
    assert pydantic.TypeAdapter(shapes.ClinicRecord).validate_python(record) == record
    # Keys that the type does not name, such as those of an own vocabulary, come through.
    answer = DIRECTORY.search(routes="iv").to_dict("fr")
    assert pydantic.TypeAdapter(AnswerRecord).validate_python(answer) == answer


def raised(ask: Any) -> errors.KetafindError:
    with pytest.raises(errors.KetafindError) as caught:
        ask()
    return caught.value


ERRORS = {
    "unknown_term": lambda: DIRECTORY.search(routes="intraveinous"),
    "unknown_clinic": lambda: DIRECTORY["caledon"],
    "invalid_input": lambda: DIRECTORY.search(unknown="maybe"),
    "invalid_coordinates": lambda: kf.Coordinates(lat=91, lon=0),
    "invalid_criteria": lambda: kf.Criteria.from_json("{"),
    "invalid_data": lambda: kf.Vocabulary.from_dict({}),
    "place_not_found": lambda: kf.geocode("xyzzy"),
    "place_ambiguous": lambda: kf.geocode("Sydenham"),
    "place_conflict": lambda: kf.geocode("Ottawa K7L 3N6"),
    "place_outside": lambda: kf.geocode("London, UK"),
    "file_missing": lambda: kf.Directory.open("none.ketafind"),
}


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_is_plain_data_in_both_languages(code: str) -> None:
    error = raised(ERRORS[code])
    for lang in ("en", "fr"):
        record = error.to_dict(lang)
        check(record, "ErrorRecord")
        assert record["code"] == error.code == code
        assert record["message"] == error.text(lang)
    assert error.text() == error.text("en") == str(error)
    assert error.text("fr-CA") == error.text("fr") != str(error)
    with pytest.raises(errors.InvalidInputError, match="choose 'en', 'fr'"):
        error.text("de")
    again = pickle.loads(pickle.dumps(error))
    assert again.to_dict("fr") == error.to_dict("fr")


def test_each_class_of_error_has_a_code_of_its_own_that_is_documented() -> None:
    own = {kind.code: kind for kind in EVERY_ERROR}
    assert len(own) == len(EVERY_ERROR)
    assert set(own) == set(errors.packaged("errors.json"))
    page = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    for code, kind in own.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{code}` |"))
        assert f"`{kind.__name__}`" in row
        assert errors.packaged("errors.json")[code]["en"] in row


def test_an_unknown_word_carries_its_facet_value_and_what_is_known() -> None:
    error = raised(lambda: DIRECTORY.search(routes="intraveinous"))
    assert (error.facet, error.value) == ("route", "intraveinous")
    assert error.known == tuple(term.id for term in DIRECTORY.vocabulary.facet("route"))
    assert error.suggestions == ("iv",)
    assert error.text("fr") == (
        "\"intraveinous\" n'est pas un terme connu : voie d'administration; vouliez-vous dire "
        '"intraveineuse" (iv)? Connus : iv, im, sc, intranasal, oral, sublingual'
    )
    error = raised(lambda: DIRECTORY.search(rotues="iv"))
    assert (error.value, error.suggestions) == ("rotues", ("route",))
    assert "rotues= n'est pas un argument de cette recherche" in error.text("fr")
    error = raised(lambda: DIRECTORY["caledon"])
    assert (error.value, error.suggestions) == ("caledon", ("caledon-clinic",))
    error = raised(lambda: DIRECTORY.search(unknown="maybe"))
    assert (error.value, error.known) == ("maybe", ("exclude", "include", "only"))
    error = raised(lambda: kf.Location(lat=1, lon=2, precision="exact"))
    assert (error.value, error.known) == ("exact", PRECISIONS)


@pytest.mark.parametrize("text", ["Sydenham", "10 Secret Lane", "Ottawa K7L 3N6", "Secret, UK"])
def test_no_text_of_an_error_shows_where_a_search_starts_in_either_language(text: str) -> None:
    error = raised(lambda: DIRECTORY.nearest(text))
    record = {**error.to_dict("fr"), "candidates": []}
    for word in ("Sydenham", "Secret", "K7L", "Ottawa", "Kingston, ON K7L"):
        assert word not in str(record).replace("« Kingston, ON »", "")


def test_faults_and_waits_are_in_the_record() -> None:
    error = raised(lambda: kf.Vocabulary.from_dict({}))
    assert [one["message"] for one in error.to_dict()["faults"]] == [
        fault.message for fault in error.faults
    ]
    busy = errors.GeocoderBusyError("wait", retry_after_s=7.0)
    assert busy.to_dict()["retry_after_s"] == 7.0
    places = (kf.Location(lat=1, lon=2, label="Here"), kf.Location(lat=3, lon=4, label="There"))
    error = errors.AmbiguousPlaceError("Here or elsewhere", places)
    assert error.text("fr").endswith("Lieux possibles : Here.")
    assert [place["label"] for place in error.to_dict()["candidates"]] == ["Here", "There"]


def test_days_are_days() -> None:
    fact = kf.Evidence(
        clinic_id="a",
        facet="route",
        term="iv",
        truth=kf.Truth.YES,
        source_url="https://a.example",
        checked_on=date(2026, 1, 2),
    )
    record = fact.to_dict("fr")
    check(record, "EvidenceRecord")
    assert record["checked_on"] == "2026-01-02"
    assert record["labels"] == {
        "truth": "oui",
        "source_class": "autre page",
        "facet": "voie d'administration",
        "term": "intraveineuse",
    }


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_answer_is_strict_json_with_exact_and_worded_distances(lang: str | None) -> None:
    for matches in (
        DIRECTORY.nearest("Toronto, ON", k=6, unknown="include"),
        DIRECTORY.search(unknown="include"),
        DIRECTORY.nearest("K7L 3N6", k=3, routes="iv").more(2),
        DIRECTORY.search(routes="iv", conditions="ocd", staff="psychiatrist"),
    ):
        record = matches.to_dict(lang)
        check(record, "AnswerRecord")
        for row, match in zip(record["matches"], matches, strict=True):
            assert row == match.to_dict(lang)
            assert (row["rank"], row["distance_km"]) == (match.rank, match.distance_km)
            place = match.clinic.location
            if match.distance_km is None:
                assert row["distance_text"] in {"no position", "sans position"}
            elif place is not None and place.precision == "municipality":
                assert row["distance_text"].endswith(("city only", "ville seulement"))
            if lang is not None:
                facets = DIRECTORY.vocabulary.facets
                assert [len(row["labels"][facet.plural]) for facet in facets] == [
                    len(row[facet.plural]) for facet in facets
                ]
            assert ("labels" in row) == (lang is not None)
            assert lang != "fr" or " to " not in row["distance_text"]


def test_the_labels_of_a_match_are_in_the_language_asked_for() -> None:
    (match,) = DIRECTORY.nearest("Kingston, ON", k=1, routes="iv", unknown="include")
    labels = match.to_dict("fr")["labels"]
    assert "intraveineuse" in labels["routes"]
    assert labels["truth"] == "oui"
    with pytest.raises(errors.InvalidInputError, match="choose 'en', 'fr'"):
        match.to_dict("de")


RAISED = {kind.__name__ for kind in EVERY_ERROR}
QUERY_MODULES = (
    *("criteria", "directory", "errors", "facts", "geo", "guide", "matches", "query/catalogue"),
    *("query/filter", "query/origin", "geocoding/offline", "geocoding/lexicon", "geocoding/http"),
    *("geocoding/protocol", "geocoding/batch", "vocabulary/vocabulary", "join/columns"),
)


def sentences_raised(module: str) -> Iterator[str]:
    """The sentences that a module raises, with a word where one of them has a value."""
    tree = ast.parse((ROOT / f"src/ketafind/{module}.py").read_text("utf-8"))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args):
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in RAISED:
            match call.args[0]:
                case ast.Constant(str(text)):
                    yield text
                case ast.JoinedStr(values=parts):
                    yield "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts
                    )


@pytest.mark.parametrize("module", QUERY_MODULES)
def test_every_sentence_that_a_question_may_raise_has_its_own_french(module: str) -> None:
    # What is made of parts elsewhere says nothing by itself.
    missing = {
        text
        for text in sentences_raised(module)
        if set(text) > set("x: {}") and errors.in_french(text) is None
    }
    assert not missing


def test_french_sentences_have_the_gaps_of_the_english_ones_and_are_not_said_twice() -> None:
    pairs = json.loads((ROOT / "src/ketafind/french.json").read_text("utf-8"))
    english = [one for one, _ in pairs]
    assert len(set(english)) == len(english)
    for one, french in pairs:
        gaps = [f"g{n}" for n in range(one.count("{}"))]
        french.format(*gaps)
        assert french != one


def test_where_a_fault_is_comes_first_in_french_whatever_it_begins_with() -> None:
    row = {"clinic_id": ["a"], "name": ["A"], "lat": [49.3], "lon": [-123.1]}
    for more, said in (
        ({"price_cad": ["300-200"]}, "ligne 0, colonne « price_cad » : "),
        ({"province": ["ON"]}, "ligne 0, colonne « lat » : 49.3, -123.1 n'est pas en Ontario"),
    ):
        with pytest.raises(errors.DataError) as caught:
            kf.Directory.from_frame(pd.DataFrame(row | more))
        assert caught.value.text("fr").splitlines()[1].strip().startswith(said)


def test_what_is_wrong_with_a_file_is_said_in_french(tmp_path: Path) -> None:
    path = tmp_path / "a.ketafind"
    DIRECTORY.save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"PK\3\4", whole[:40], whole[:1000], whole[:-1] + b"?"):
        path.write_bytes(damaged)
        with pytest.raises(errors.DirectoryFileError) as caught:
            kf.Directory.open(path)
        said = caught.value.text("fr").removeprefix(f"{path} : ")
        assert not {"it", "its", "the", "is", "this"}.intersection(re.findall(r"\w+", said))


@given(st.sampled_from(["Kingston", "Totonto", "M5V", "M5V 2", "K7L 3N9", "Simcoe", "Etobicoke", "Kingston K0N 1A1"]),
       st.sampled_from(["", ", ON", " M9A 1A1", " K0H", " and Spadina", ", Ontario K7L 3N6"]))  # fmt: skip
def test_what_was_read_otherwise_than_written_is_said_in_french(name: str, more: str) -> None:
    try:
        place = kf.geocode(name + more)
    except errors.GeocodingError:
        return  # what refuses is tested above
    french = place.to_dict("fr")["labels"]["corrections"]
    assert len(french) == len(place.corrections)
    assert all(one != other for one, other in zip(french, place.corrections, strict=True))
    assert place.to_dict("en")["labels"]["corrections"] == list(place.corrections)


def test_a_report_of_faults_is_french_as_far_as_each_fault_is() -> None:
    fault = errors.Fault("holds a time of day; give the date alone", 3, "day")
    report = errors.DataError("a.csv", [fault, errors.Fault("no French of this")], n_rows=5)
    assert report.text("fr").splitlines() == [
        "a.csv : 2 erreurs dans 1 lignes sur 5; rien n'a été chargé",
        "  ligne 3, colonne « day » : contient une heure; donnez la date seule",
        "  no French of this",
    ]


def test_a_fault_is_french_with_and_without_a_place_before_it() -> None:
    faults = [errors.Fault("the geometry is no point", path="features[1]"),
              errors.Fault("the JSON is nested too deeply"), errors.Fault("the odd: thing")]  # fmt: skip
    assert errors.DataError("a.json", faults).text("fr").splitlines()[1:] == [
        "  features[1] : la géométrie n'est pas un point",
        "  le JSON est imbriqué trop profondément",
        "  the odd: thing",
    ]


CELLS = {
    "lat": ["43,65", "43° 39' 12\" N", "abc", "95", "-79.38"], "lon": ["79.38", "1e9"],
    "precision": ["about"], "radius_km": ["-3", "far"], "status": ["open"], "routes": ["ivv", "iv,im", ";"],
    "staff": ["doctoor"], "conditions": ["sadness"], "referral_required": ["perhaps"],
    "price_cad": ["cheap", "9-1"], "website": ["x.example", "javascript:x"], "languages": ["de"],
    "checked_on": ["yesterday", "2026-02-30"], "not_offered": ["im", "route:x"], "complete": ["x"],
    "clinic_id": ["", "b"], "name": ["", "a\u200bb"], "notes": ["x,y", '"'],
}  # fmt: skip


@pytest.mark.parametrize(("column", "cell"), [(name, one) for name in CELLS for one in CELLS[name]])
def test_every_fault_of_a_table_is_said_in_french(column: str, cell: str, tmp_path: Path) -> None:
    names = ["clinic_id", "name", "province", *(set(CELLS) - {"clinic_id", "name"})]
    rows = [{"clinic_id": "a", "name": "A", "province": "ON"}] * 2
    rows[1] = {"clinic_id": "b", "name": "B", "province": "ON"} | {column: cell}
    if column in {"lat", "lon"}:
        rows[1] = {"lat": "43.65", "lon": "-79.38"} | rows[1]
    lines = [names, *([row.get(name, "") for name in names] for row in [*rows, rows[0]])]
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    with pytest.raises(errors.DataError) as caught:  # one clinic stands twice, in any case
        kf.Directory.from_csv(path)
    for fault in caught.value.faults:
        assert errors.in_french(fault.message), fault.message
    assert not {"the", "is", "and", "or", "not"} & set(
        re.findall(r"\w+", re.sub('["«].*?["»]', "", caught.value.text("fr")))
    )


def test_what_a_service_failed_to_do_is_told_from_what_was_asked() -> None:
    for kind in (errors.GeocoderBusyError, errors.RoutingBusyError):
        error = kind("it asks to wait", retry_after_s=7)
        assert isinstance(error, errors.ServiceFailedError)
        assert pickle.loads(pickle.dumps(error)).to_dict()["retry_after_s"] == 7
    assert not issubclass(errors.RejectedAnswerError, errors.ServiceFailedError)


def test_units_are_named_in_the_language_of_the_answer() -> None:
    service = kf.Service(quantities={"wait_days": kf.Quantity(10, 14, "days")})
    clinic = kf.Clinic(clinic_id="a", name="A", services=(service,))
    (record,) = clinic.to_dict("fr")["services"]
    assert record["quantities"]["wait_days"]["unit"] == "days"
    assert record["quantities"]["wait_days"]["unit_label"] == "jours"
    one = kf.Directory.from_clinics([clinic])
    answer = one.search(kf.at_most("wait_days", 20))
    assert "10-14 jours" in str(answer.explain(lang="fr"))
    assert "20 jours" in str(answer.explain(lang="fr"))
    assert "10-14 jours" in json.dumps(answer.to_fhir(lang="fr"))
    other = kf.Directory.from_clinics([replace(clinic, services=(kf.Service(),))])
    assert "10-14 jours" in str(one.diff(other, lang="fr"))
    assert "10-14 days" in str(one.diff(other))
