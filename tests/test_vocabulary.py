"""The vocabulary: what its file holds, how words find terms, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind.vocabulary
from ketafind.errors import DataError, InvalidInputError, MissingFileError, UnknownTermError
from ketafind.vocabulary import Facet, Term, Vocabulary, default_vocabulary
from ketafind.vocabulary.terms import fold

VOCABULARY = default_vocabulary()
TERMS = [(facet, term) for facet in VOCABULARY.facets for term in facet.terms]
WORDS = [
    (facet, term, word) for facet, term in TERMS for word in (*term.words, *term.labels.values())
]
CODE_SHAPES = {
    "snomed": r"[1-9]\d{5,17}",
    "edqm": r"\d{8}",
    "nucc": r"[0-9A-Z]{9}X",
    "icd10": r"[A-Z]\d\d(\.\d)?",
    "icd11": r"[0-9A-Z]{4}(\.[0-9A-Z]{1,2})?",
    "bcp47": r"[a-z]{2,3}",
}
PARENTS = {
    "sublingual": "oral",
    "anesthesiologist": "physician",
    "psychiatrist": "physician",
    "family_physician": "physician",
    "pain_physician": "physician",
    "emergency_physician": "physician",
    "nurse_practitioner": "nurse",
    "registered_nurse": "nurse",
    "major_depression": "depression",
    "treatment_resistant_depression": "major_depression",
    "bipolar_depression": "depression",
    "generalized_anxiety": "anxiety",
    "social_anxiety": "anxiety",
    "panic_disorder": "anxiety",
    "phobia": "anxiety",
    "fibromyalgia": "chronic_pain",
    "crps": "chronic_pain",
    "neuropathic_pain": "chronic_pain",
    "headache": "chronic_pain",
    "migraine": "headache",
    "cluster_headache": "headache",
    "chronic_daily_headache": "headache",
    "alcohol_use_disorder": "substance_use_disorder",
    "racemic_ketamine": "ketamine",
    "esketamine": "ketamine",
    "ohip_covered_partial": "ohip_covered",
}


def verhoeff_is_right(digits: str) -> bool:
    """Check a number by Verhoeff's dihedral scheme (1969)."""

    def times(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
        return 5 + (a - b) % 5 if b < 5 else (a - b) % 5

    turn = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = turn[value]
        total = times(total, value)
    return total == 0


def small(**changes: Any) -> dict[str, Any]:
    """A vocabulary of two terms, as plain data."""
    data: dict[str, Any] = {
        "format": "ketafind-vocabulary/1",
        "languages": ["en"],
        "systems": {
            "snomed": {"name": "SNOMED CT", "uri": "http://snomed.info/sct", "unique": True}
        },
        "facets": [
            {
                "id": "colour",
                "plural": "colours",
                "labels": {"en": "colour"},
                "terms": [
                    {"id": "red", "labels": {"en": "red"}, "synonyms": ["scarlet"]},
                    {"id": "pink", "labels": {"en": "pink"}, "parent": "red"},
                ],
            }
        ],
    }
    return data | changes


def faults_of(data: Any) -> str:
    with pytest.raises(DataError) as caught:
        Vocabulary.from_dict(data)
    return "\n".join(str(fault) for fault in caught.value.faults)


# What the file holds


def test_the_facets_and_their_plurals_are_those_of_the_contract() -> None:
    assert {facet.id: facet.plural for facet in VOCABULARY.facets} == {
        "route": "routes",
        "staff": "staff",
        "condition": "conditions",
        "product": "products",
        "setting": "settings",
        "language": "languages",
        "flag": "flags",
    }


def test_the_hierarchy_is_that_of_the_contract() -> None:
    assert {term.id: term.parent for _, term in TERMS if term.parent} == PARENTS


@pytest.mark.parametrize("word", ["-iv", " - iv", "\u2013iv", "\u2212IV", "--intraveineuse"])
def test_a_minus_before_a_word_is_no_part_of_it(word: str) -> None:
    routes = ketafind.vocabulary.routes
    assert word not in routes
    with pytest.raises(UnknownTermError, match="begins with a minus"):
        routes.resolve(word)
    assert routes.resolve("intra-veineuse") == "iv"


def test_every_term_has_a_label_in_english_and_in_french() -> None:
    for _, term in TERMS:
        assert set(term.labels) == {"en", "fr"}
        assert term.label("en")
        assert term.label("fr-CA") == term.labels["fr"]


def test_every_code_has_the_shape_of_its_system() -> None:
    for _, term in TERMS:
        for code in term.codes:
            assert re.fullmatch(CODE_SHAPES[code.system], code.code), (term.id, code)


def test_every_snomed_code_ends_in_its_check_digit() -> None:
    codes = [code.code for _, term in TERMS for code in term.codes if code.system == "snomed"]
    assert len(codes) >= 20
    assert all(verhoeff_is_right(code) for code in codes)
    assert not verhoeff_is_right("47625009")


def test_no_snomed_code_stands_at_two_terms() -> None:
    codes = [code.code for _, term in TERMS for code in term.codes if code.system == "snomed"]
    assert len(set(codes)) == len(codes)


def test_a_code_that_means_more_than_its_term_says_so() -> None:
    (code,) = ketafind.vocabulary.conditions["bipolar_depression"].codes
    assert (code.code, code.broader) == ("13746004", True)


def test_treatment_resistant_depression_has_no_code() -> None:
    assert ketafind.vocabulary.conditions["trd"].codes == ()


# How words find terms


@pytest.mark.parametrize(("facet", "term", "word"), WORDS)
def test_every_word_resolves_to_its_own_term(facet: Facet, term: Term, word: str) -> None:
    assert facet.resolve(word) == term.id
    assert facet[word] is term
    assert word in facet


@given(st.sampled_from(WORDS), st.data())
def test_case_accents_spacing_and_hyphens_make_no_difference(
    case: tuple[Facet, Term, str], data: st.DataObject
) -> None:
    facet, term, word = case
    plain = word.translate(str.maketrans("éèêàâîïôûùçÉ", "eeeaaiiouucE"))
    other = data.draw(st.sampled_from([word.upper(), word.lower(), word.title(), plain]))
    for gap in (" ", "-", "_", "  ", "\N{NO-BREAK SPACE}"):
        assert facet.resolve(f" {other.replace(' ', gap)} ") == term.id


def test_composed_and_decomposed_accents_are_one_word() -> None:
    assert ketafind.vocabulary.staff.resolve("me\u0301decin") == "physician"


@pytest.mark.parametrize(
    ("facet", "typo", "meant"),
    [
        ("route", "intraveneous", "iv"),
        ("route", "intramuscluar", "im"),
        ("route", "sublingal", "sublingual"),
        ("staff", "psychiatrst", "psychiatrist"),
        ("staff", "anesthesologist", "anesthesiologist"),
        ("staff", "nurse practicioner", "nurse_practitioner"),
        ("condition", "depresion", "depression"),
        ("condition", "fibromialgia", "fibromyalgia"),
        ("condition", "ptds", "ptsd"),
        ("product", "esketamin", "esketamine"),
    ],
)
def test_a_typo_is_refused_with_a_suggestion(facet: str, typo: str, meant: str) -> None:
    with pytest.raises(UnknownTermError) as caught:
        VOCABULARY.facet(facet).resolve(typo)
    assert caught.value.suggestions[0] == meant
    text = str(caught.value)
    assert f'"{typo}"' in text
    assert "did you mean" in text
    assert all(term.id in text for term in VOCABULARY.facet(facet).terms)


@pytest.mark.parametrize(
    ("facet", "word", "meant"),
    [
        ("condition", "severe depression", "treatment_resistant_depression"),
        ("condition", "trauma", "ptsd"),
        ("route", "injection", "im"),
        ("staff", "NP", "nurse_practitioner"),
        ("staff", "IP", "nurse_practitioner"),
        ("staff", "IA", "registered_nurse"),
        ("staff", "physician trained in anesthesia", "anesthesiologist"),
        ("condition", "NP", "neuropathic_pain"),
        ("condition", "bipolar disorder", "bipolar_depression"),
    ],
)
def test_a_near_synonym_suggests_and_never_matches(facet: str, word: str, meant: str) -> None:
    assert word not in VOCABULARY.facet(facet)
    with pytest.raises(UnknownTermError) as caught:
        VOCABULARY.facet(facet).resolve(word)
    assert caught.value.suggestions[0] == meant


def test_the_error_reads_well() -> None:
    with pytest.raises(UnknownTermError) as caught:
        ketafind.vocabulary.routes.resolve("intraveneous")
    assert str(caught.value) == (
        '"intraveneous" is not a known route; did you mean "intravenous" (iv)? '
        "Known: iv, im, sc, intranasal, oral, sublingual"
    )
    with pytest.raises(
        UnknownTermError, match=r'^"x" is not a known staff type\. Known: physician'
    ):
        ketafind.vocabulary.staff.resolve("x")
    for several in (
        "IV, intramuscular",
        "IV/IM",
        "IV & IM",
        "IV et orale",
        "- IV\n- IM",
        "• IV • IM",
    ):
        with pytest.raises(UnknownTermError, match="these are several: give each on its own"):
            ketafind.vocabulary.routes.resolve(several)
    assert ketafind.vocabulary.routes.resolve("i.v.") == "iv"
    assert repr(ketafind.vocabulary.routes) == "<Facet route of 6 terms>"


def test_no_near_synonym_of_any_term_matches() -> None:
    for facet, term in TERMS:
        for word in term.near:
            assert word not in facet
            assert term.id in facet.suggest(word, limit=len(facet))


@pytest.mark.parametrize(
    ("facet", "text", "code_point"),
    [
        ("route", "\u0131v", "U+0131"),  # dotless i
        ("route", "\u0130V", "U+0130"),  # dotted capital I
        ("product", "\u212aetamine", "U+212A"),  # Kelvin sign
        ("route", "i\u200bv", "U+200B"),  # zero-width space
        ("route", "\ufeffiv", "U+FEFF"),  # byte order mark
        ("route", "\uff49\uff56", "U+FF49"),  # full-width letters
        ("route", "\u2163", "U+2163"),  # Roman numeral four
        ("condition", "d\u0435pression", "U+0435"),  # Cyrillic e
        ("condition", "depre\u017fsion", "U+017F"),  # long s
        ("route", "i\u0338v", "U+0338"),  # struck through
        ("route", "iv\x00", "U+0000"),
    ],
)
def test_a_look_alike_never_matches_and_is_named(facet: str, text: str, code_point: str) -> None:
    with pytest.raises(UnknownTermError) as caught:
        VOCABULARY.facet(facet).resolve(text)
    assert code_point in str(caught.value)
    assert str(caught.value).isprintable()


WORDS = sorted({word for facet in VOCABULARY.facets for term in facet for word in term.words})


@given(st.text(max_size=12) | st.sampled_from(WORDS).flatmap(lambda word: st.sampled_from(
    [word, word.upper(), f" {word} ", f"{word}x"]
)))  # fmt: skip
def test_any_text_resolves_to_a_word_of_the_vocabulary_or_is_refused(text: str) -> None:
    for facet in VOCABULARY.facets:
        try:
            term = facet[text]
        except UnknownTermError:
            continue
        assert fold(text) in {fold(word) for word in term.words}


def test_blank_huge_and_foreign_values_are_refused() -> None:
    for text in ("", "  ", "-", "iv" * 100_000, "ivv", "K", "not_depression"):
        with pytest.raises(UnknownTermError):
            ketafind.vocabulary.conditions.resolve(text)
    for value in (None, 1, True, float("nan"), ["iv"], b"iv"):
        with pytest.raises(InvalidInputError):
            ketafind.vocabulary.routes[value]  # type: ignore[index]


def test_facets_are_found_by_singular_and_plural() -> None:
    assert VOCABULARY.facet("route") is VOCABULARY.facet("Routes")
    assert ketafind.vocabulary.routes is VOCABULARY.facet("routes")
    with pytest.raises(UnknownTermError, match=r'"rout" is not .* mean "route".*Known: route,'):
        VOCABULARY.facet("rout")
    with pytest.raises(AttributeError):
        _ = ketafind.vocabulary.colours


def test_suggest_looks_through_all_facets() -> None:
    assert ketafind.vocabulary.suggest("depresion")[0] == "depression"
    assert ketafind.vocabulary.suggest("ketamin")[0] == "ketamine"
    assert ketafind.vocabulary.suggest("xyzzyx") == ()
    assert ketafind.vocabulary.suggest("") == ()
    assert len(ketafind.vocabulary.suggest("depression", limit=2)) == 2


def test_ancestors_come_nearest_first_and_descendants_parent_first() -> None:
    conditions = ketafind.vocabulary.conditions
    assert conditions.ancestors("trd") == ("major_depression", "depression")
    assert conditions.descendants("depression") == (
        "major_depression",
        "treatment_resistant_depression",
        "bipolar_depression",
    )
    assert conditions.ancestors("depression") == conditions.descendants("ptsd") == ()
    for facet, term in TERMS:
        for other in facet.descendants(term.id):
            assert term.id in facet.ancestors(other)


def test_a_language_without_labels_is_refused() -> None:
    with pytest.raises(InvalidInputError, match='"de"; known: en, fr'):
        ketafind.vocabulary.routes["iv"].label("de")
    assert ketafind.vocabulary.routes.label("fr") == "voie d'administration"


# A value


def test_a_vocabulary_is_a_value() -> None:
    again = Vocabulary.from_dict(VOCABULARY.to_dict())
    assert again == VOCABULARY
    assert hash(again) == hash(VOCABULARY)
    assert pickle.loads(pickle.dumps(VOCABULARY)) == VOCABULARY
    assert copy.deepcopy(VOCABULARY) == VOCABULARY
    assert pickle.loads(pickle.dumps(VOCABULARY)).facet("route").resolve("drip") == "iv"
    assert Vocabulary.from_dict(small()) != VOCABULARY
    with pytest.raises(AttributeError):
        VOCABULARY.facets = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        VOCABULARY.facets[0].labels["en"] = "x"  # type: ignore[index]


def test_the_bundled_vocabulary_is_read_once() -> None:
    assert default_vocabulary() is default_vocabulary()


def test_importing_and_resolving_load_nothing_heavy() -> None:
    code = (
        "import sys, ketafind.vocabulary as v; v.routes['IV infusion'];"
        "print({'rapidfuzz', 'pandas'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert run.stdout.strip() == "set()"


# Other files


def test_a_file_of_ones_own_replaces_everything(tmp_path: Path) -> None:
    path = tmp_path / "colours.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(small()).encode())
    vocabulary = Vocabulary.read(path)
    assert [facet.id for facet in vocabulary.facets] == ["colour"]
    assert vocabulary.facet("colours").descendants("Scarlet") == ("pink",)


def test_an_extension_adds_terms_below_those_that_exist(tmp_path: Path) -> None:
    tinnitus = {"id": "tinnitus", "labels": {"en": "tinnitus", "fr": "acouphènes"}}
    child = {"id": "ra_pain", "labels": {"en": "RA pain", "fr": "PR"}, "parent": "chronic_pain"}
    addition = {"facets": [{"id": "condition", "terms": [tinnitus, child]}]}
    path = tmp_path / "more.json"
    path.write_text(json.dumps(addition), encoding="utf-8")
    for extended in (VOCABULARY.extended(addition), VOCABULARY.extended(path)):
        conditions = extended.facet("condition")
        assert conditions["acouphenes"].id == "tinnitus"
        assert conditions.ancestors("ra_pain") == ("chronic_pain",)
        assert len(conditions) == len(ketafind.vocabulary.conditions) + 2
    assert "tinnitus" not in ketafind.vocabulary.conditions


def test_an_extension_replaces_a_term_of_the_same_id_where_it_stands() -> None:
    iv = {"id": "iv", "labels": {"en": "into a vein", "fr": "dans une veine"}}
    routes = VOCABULARY.extended({"facets": [{"id": "route", "terms": [iv]}]}).facet("route")
    assert routes.terms[0].label() == "into a vein"
    assert "drip" not in routes
    assert VOCABULARY.extended(VOCABULARY) == VOCABULARY
    assert VOCABULARY.extended({}) == VOCABULARY


def test_an_extension_that_contradicts_is_refused() -> None:
    for terms in (
        [{"id": "x", "labels": {"en": "Ketamine drip", "fr": "x"}, "synonyms": ["drip"]}],
        [{"id": "x", "labels": {"en": "x"}}],
        [{"id": "x", "labels": {"en": "x", "fr": "y"}}] * 2,
        [{"labels": {"en": "x", "fr": "y"}}],
        "iv",
    ):
        with pytest.raises(DataError):
            VOCABULARY.extended({"facets": [{"id": "route", "terms": terms}]})


def test_all_faults_of_a_file_come_in_one_report() -> None:
    data = small()
    data["facets"][0]["terms"] += [
        {"id": "blue", "labels": {"en": "scarlet"}},
        {"id": "blue", "labels": {"en": "azure"}},
        {"id": "green", "labels": {"en": "green"}, "parent": "yellow"},
        {"id": "cyan", "labels": {"en": "cyan"}, "parent": "teal"},
        {"id": "teal", "labels": {"en": "teal"}, "parent": "cyan", "near": ["Red"]},
        {"id": "a", "labels": {"en": "a"}, "codes": [{"system": "snomed", "code": "1"}]},
        {"id": "b", "labels": {"en": "b"}, "codes": [{"system": "snomed", "code": "1"}]},
        {"id": "c", "labels": {"en": "c"}, "codes": [{"system": "x", "code": "1"}]},
    ]
    report = faults_of(data)
    for expected in (
        'two terms share this id: "blue"',
        '"scarlet" names both red and blue',
        '"yellow" is not a term of colour',
        "a term stands below itself: cyan, teal, cyan",
        "a term stands below itself: teal, cyan, teal",
        '"Red" may only suggest, but it is a name of red',
        "snomed 1 is already the code of colour.a",
        '"x" is not a code system here',
    ):
        assert expected in report


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ({"id": "x"}, '"labels" is missing'),
        ({"id": "x", "labels": {}}, 'the label in "en" is missing'),
        ({"id": "x", "labels": {"en": " "}}, 'the label in "en" is missing'),
        ({"id": "x", "labels": {"en": "x", "de": "x"}}, '"de" is not among the languages'),
        ({"labels": {"en": "x"}}, '"id" is missing'),
        ({"id": "X y", "labels": {"en": "x"}}, '"X y" is not an id'),
        ({"id": 7, "labels": {"en": "x"}}, "must be a text"),
        ({"id": "x", "labels": {"en": "x"}, "synonym": ["y"]}, "is not known; known: id"),
        ({"id": "x", "labels": {"en": "x"}, "synonyms": "y"}, "must be a list"),
        ({"id": "x", "labels": {"en": "x"}, "synonyms": ["-"]}, "texts that are not blank"),
        ({"id": "x", "labels": {"en": "x"}, "codes": [{"code": "1"}]}, '"system" is missing'),
        ({"id": "x", "labels": {"en": "x"}, "parent": None}, "must be a text"),
        ("x", "must be an object"),
    ],
)
def test_a_misshapen_term_is_named_with_its_fault(term: Any, expected: str) -> None:
    data = small()
    data["facets"][0]["terms"].append(term)
    assert expected in faults_of(data)


def test_a_misshapen_vocabulary_is_refused() -> None:
    assert "must be an object" in faults_of([])
    assert '"facets" is missing' in faults_of({})
    assert "write " in faults_of(small(format="other/1"))
    assert "languages" in faults_of(small(languages=[]))
    assert "languages" in faults_of(small(languages=[1]))
    assert "must be an object" in faults_of(small(systems=[]))
    assert "must be a list" in faults_of(small(facets={}))
    assert "two facets share this name" in faults_of(small(facets=small()["facets"] * 2))


def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path) -> None:
    cases = {
        b"": "not JSON",
        b"[]": "one JSON object",
        b"{": "not JSON",
        b'{"a": 1, "a": 2}': '"a" stands twice',
        b"\xff\xfe{\x00": "not UTF-8",
        b"[" * 100_000: "nested too deeply",
    }
    for content, expected in cases.items():
        path = tmp_path / "vocabulary.json"
        path.write_bytes(content)
        with pytest.raises(DataError, match=expected):
            Vocabulary.read(path)
    with pytest.raises(MissingFileError, match="there is no such file"):
        Vocabulary.read(tmp_path / "none.json")
    with pytest.raises(DataError, match="not a regular file"):
        Vocabulary.read(tmp_path)


@pytest.mark.parametrize(
    ("facet", "word"),
    [
        ("condition", "autism"),
        ("condition", "diabetes"),
        ("staff", "dentist"),
        ("staff", "opticien"),
    ],
)
def test_a_word_that_is_near_no_term_suggests_none(facet, word):
    words = default_vocabulary().facet(facet)
    assert words.suggest(word) == ()
    with pytest.raises(UnknownTermError) as caught:
        words.resolve(word)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("facet", "word", "term"),
    [("condition", "depresion", "depression"), ("condition", "ptds", "ptsd"), ("staff", "nurze", "nurse"),
     ("staff", "psycologist", "psychologist"), ("route", "intraveneous", "iv"), ("condition", "migrane", "migraine")],
)  # fmt: skip
def test_a_word_with_a_typing_error_suggests_its_term_first(facet, word, term):
    assert default_vocabulary().facet(facet).suggest(word)[0] == term


def test_a_facet_is_named_by_text_and_holds_its_own_terms() -> None:
    with pytest.raises(UnknownTermError, match="named by text, not by int"):
        VOCABULARY.facet(5)  # type: ignore[arg-type]
    route, condition = VOCABULARY.facet("route"), VOCABULARY.facet("condition")
    assert route["iv"] in route
    assert route["iv"] not in condition


def test_words_that_lack_a_language_of_what_they_extend_are_refused_once():
    more = {"format": "ketafind-vocabulary/1", "languages": ["en"], "facets": []}
    with pytest.raises(ketafind.errors.DataError, match="labels in fr too") as caught:
        ketafind.vocabulary.default_vocabulary().extended(more)
    assert len(caught.value.faults) == 1
    assert "nommez cette langue" in caught.value.text("fr")
