"""Explanations: right, complete in French, private, safe to show, and read by a person."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import reduce
from operator import and_
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
import oracle
from ketafind.criteria import Labelled
from ketafind.errors import InvalidInputError, UnknownClinicError
from ketafind.explain.questions import words_for_page
from ketafind.explain.sentences import texts
from ketafind.qualification import bundled_rules
from ketafind.records import PRECISIONS
from strategies import clinic_lists, criteria, examples, expressions, origins, policies

# Each example makes directories and asks them in several ways.
FEWER = examples(1 / 4)

DIRECTORY = kf.load_directory()
GOLDEN = Path(__file__).parent / "golden"
# What is shown as it is in every language: names, addresses of pages, ids, units.
AS_IT_IS = re.compile(
    r"<https?://[^>]*>|on-2026\.1|\bkm\b|\b[0-9a-f]{16}\b|[0-9(][0-9() \u00a0,.-]*"
)


@FEWER
@given(clinic_lists(), expressions, policies, origins, st.integers(1, 4))
def test_every_clause_has_its_own_truth_and_every_clinic_its_rank(
    clinics, expression, unknown, origin, k
):
    directory = kf.Directory.from_clinics(clinics, check=False)
    where = criteria(expression)
    matches = directory.nearest(origin, k, where=where, unknown=unknown, check=False)
    everyone = oracle.within(clinics, expression, unknown, origin)
    ids = [clinic.clinic_id for clinic in everyone]
    for clinic in clinics:
        told = matches.why_not(clinic.clinic_id).to_dict()
        assert told["truth"] == oracle.truth(expression, clinic)
        if clinic.location is None:
            assert told["rank"] is None
        elif clinic.clinic_id in ids:
            assert told["outcome"] == ("listed" if told["rank"] <= k else "beyond")
            same = [c for c in everyone if abs(oracle.distance_km(origin, c) - oracle.distance_km(origin, clinic)) < oracle.TIE_KM]  # fmt: skip
            assert abs(told["rank"] - 1 - ids.index(clinic.clinic_id)) < len(same)
        else:
            assert told["outcome"] in ("fails", "unknown", "known")
        # The text of every part can be told, in both languages.
        assert str(matches.why_not(clinic.clinic_id, lang="fr"))
    for match, told in zip(matches, matches.explain().to_dict()["matches"], strict=True):
        assert told["clinic_id"] == match.clinic.clinic_id
        whole = told["clauses"]
        assert (
            kf.Truth(whole["truth"])
            & {"active": kf.Truth.YES, "uncertain": kf.Truth.UNKNOWN}[match.clinic.status]
            == match.truth
        )


@FEWER
@given(clinic_lists(), expressions, origins)
def test_the_clauses_named_as_open_are_unknown_and_settling_them_settles_the_match(
    clinics, expression, origin
):
    directory = kf.Directory.from_clinics(clinics, check=False)
    where = criteria(expression)
    for match in directory.nearest(origin, 10, where=where, unknown="only", check=False):
        assert bool(match.unsettled) == (match.explain().finding.truth == kf.Truth.UNKNOWN)
        for clause in match.unsettled:
            service = kf.Clinic(clinic_id="x", name="x", services=(match.service,))
            alone = kf.Directory.from_clinics([service], check=False)
            if "no_service" not in clause.to_json() and "no_service" not in where.to_json():
                assert len(alone.search(where=clause, unknown="only")) == 1
    for match in directory.search(where=where):
        assert match.unsettled == ()


@FEWER
@given(clinic_lists(), expressions, expressions, policies)
def test_anding_a_clause_never_adds_a_confirmed_match(clinics, one, other, unknown):
    directory = kf.Directory.from_clinics(clinics, check=False)
    both = directory.search(where=criteria(one) & criteria(other))
    first = directory.search(where=criteria(one))
    assert {m.clinic.clinic_id for m in both} <= {m.clinic.clinic_id for m in first}


@FEWER
@given(clinic_lists(max_size=4), expressions, st.data())
def test_resolving_an_unknown_never_changes_an_answer_that_was_yes_or_no(clinics, expression, data):
    """State one more fact that contradicts none: yes stays yes, and no stays no."""
    where = criteria(expression)
    for clinic in clinics:
        service = clinic.services[0]
        facet = data.draw(st.sampled_from(sorted(oracle.TERMS)))
        term = data.draw(st.sampled_from(oracle.TERMS[facet]))
        if oracle.fact(service, facet, term) != "unknown":
            continue
        truth = data.draw(st.sampled_from([kf.Truth.YES, kf.Truth.NO]))
        yes = [t for t, is_so in service.facts.get(facet, {}).items() if is_so == kf.Truth.YES]
        no = [t for t, is_so in service.facts.get(facet, {}).items() if is_so == kf.Truth.NO]
        if truth == kf.Truth.NO and any(term in oracle.line(t) for t in yes):
            continue
        if truth == kf.Truth.YES and any(t in oracle.line(term) for t in no):
            continue
        facts = {**service.facts, facet: {**service.facts.get(facet, {}), term: truth}}
        # A list that is stated complete may not grow: what is listed would change.
        more = replace(service, facts=facts)
        if facet in service.complete:
            continue
        settled = replace(clinic, services=(more, *clinic.services[1:]))
        before = kf.Directory.from_clinics([clinic], check=False)
        after = kf.Directory.from_clinics([settled], check=False)
        for unknown in ("exclude", "include"):
            n_before = len(before.search(where=where, unknown=unknown))
            n_after = len(after.search(where=where, unknown=unknown))
            assert n_after >= n_before if unknown == "exclude" else n_after <= n_before


def words_of(text: str, names: set[str]) -> set[str]:
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " ")
    return set(re.findall(r"[^\W\d_]+", AS_IT_IS.sub(" ", text).lower()))


def french() -> set[str]:
    """Every word of the French templates, labels and rules."""
    whole = [text["fr"] for text in texts().values()]
    for facet in bundled_rules().vocabulary().facets:
        whole += [facet.label("fr"), *(term.label("fr") for term in facet.terms)]
    for rule in bundled_rules().rules:
        whole += [rule.title["fr"], *(source.note["fr"] for source in rule.sources)]
        whole.append(rule.unverified.get("fr", ""))
    whole += [asked["fr"] for asked in bundled_rules().questions.values()]
    return words_of(re.sub(r"\{\w+\}", " ", " ".join(whole)), set())


# Words that are English only: none may stand in a French template, label or text.
ENGLISH = {
    "the",
    "of",
    "and",
    "is",
    "are",
    "not",
    "no",
    "with",
    "by",
    "its",
    "it",
    "which",
    "that",
    "this",
    "from",
    "than",
    "or",
    "any",
    "how",
    "what",
    "who",
    "do",
    "does",
    "your",
    "you",
    "they",
    "there",
    "be",
    "but",
    "says",
    "stated",
    "known",
    "clinic",
    "clinics",
    "matches",
    "may",
    "match",
    "nearest",
    "route",
    "staff",
    "treated",
    "page",
    "read",
    "yes",
    "unknown",
    "hospital",
    "depression",
    "anxiety",
    "search",
    "within",
} - {"route", "page", "match", "or"}


def test_every_sentence_exists_in_both_languages_with_the_same_places():
    for key, text in {**texts(), **bundled_rules().questions}.items():
        assert set(text) - {"province"} == {"en", "fr"}, key
        places = [sorted(re.findall(r"\{(\w+)\}", text[lang])) for lang in ("en", "fr")]
        assert places[0] == places[1], key
        assert all(value.strip() for value in text.values()), key


def test_no_french_template_label_or_rule_holds_an_english_word():
    assert not french() & ENGLISH


@pytest.mark.parametrize("clinic", DIRECTORY.clinics, ids=lambda clinic: clinic.clinic_id)
def test_the_french_of_every_clinic_is_made_of_french_words_only(clinic):
    names = {part for c in DIRECTORY.clinics for part in (c.name, c.city, c.phone) if part}
    known = french()
    for where in (kf.route("im", "iv") & kf.qualified("full"), ~kf.treats("trd", "anxiety")):
        answer = DIRECTORY.nearest("Ottawa, ON", 26, where=where, unknown="include")
        told = [answer.why_not(clinic.clinic_id, lang="fr"), answer.relax(lang="fr")]
        told += [answer.questions(26, lang="fr"), answer.explain(lang="fr")]
        told.append(DIRECTORY.qualification(clinic.clinic_id, "full", lang="fr"))
        for text in told:
            assert not words_of(str(text), names) - known


@pytest.mark.parametrize("facet", bundled_rules().vocabulary().facets, ids=lambda facet: facet.id)
def test_every_term_can_be_asked_for_and_explained_in_both_languages(facet):
    directory = kf.Directory.from_clinics(
        DIRECTORY.clinics, vocabulary=bundled_rules().vocabulary()
    )
    for term in facet.terms:
        answer = directory.search(where=kf.offers(facet.id, term.id), unknown="include")
        for lang in ("en", "fr"):
            assert term.label(lang) in str(answer.explain(lang=lang))
            asked = answer.questions(lang=lang)
            # Where only the clinic's status is open, only that is asked.
            named = any(one.open_clauses for one in asked)
            asks = bundled_rules().questions.get(term.id, {}).get(lang, term.label(lang))
            assert not named or asks in str(asked)


def test_an_explanation_never_shows_where_the_search_started():
    place = kf.Coordinates(lat=44.23123, lon=-76.48765)
    answer = DIRECTORY.nearest(place, 26, routes="iv", unknown="include")
    for told in (
        answer.explain(),
        answer.why_not("camh-toronto"),
        answer.relax(),
        answer.questions(),
    ):
        for text in (str(told), repr(told), told._repr_html_(), json.dumps(told.to_dict())):
            assert "44.23" not in text
            assert "76.48" not in text


def test_html_escapes_every_text_of_the_data():
    hostile = "<img src=x onerror=alert(1)>"
    evidence = kf.Evidence(
        clinic_id="a", facet="route", term="iv", truth=kf.Truth.YES, source_url="https://a.b/<b>",
        hint=hostile, service_id="1",
    )  # fmt: skip
    clinic = kf.Clinic(
        clinic_id="a", name=hostile, phone=hostile, website="https://a.b/\"><b>", status="uncertain",
        services=(kf.Service(facts={"route": {"iv": kf.Truth.YES}}),), evidence=(evidence,),
    )  # fmt: skip
    answer = kf.Directory.from_clinics([clinic]).search(routes="iv", unknown="include")
    for told in (answer.explain(), answer.why_not("a"), answer.relax(), answer.questions()):
        html = told._repr_html_()
        assert "<img" not in html
        assert "><b>" not in html
        assert html.count("<ul>") == html.count("</ul>")
        assert html.count("<li>") == html.count("</li>")


def test_a_narrower_term_counts_and_is_named():
    answer = DIRECTORY.search(routes="oral")
    told = answer.why_not("field-trip-health-toronto").to_dict()
    assert told["clauses"]["yes"] == {"oral": ["sublingual"]}
    text = str(answer.why_not("field-trip-health-toronto"))
    assert "stated: sublingual, which is a kind of: oral (by mouth)" in text


def test_a_nearer_possible_clinic_is_named_when_a_confirmed_one_is_listed_before_it():
    answer = DIRECTORY.nearest("K7L 3N6", 1, routes="iv", staff="psychiatrist")
    nearer = answer.nearer_possible
    assert nearer[0].clinic.clinic_id == "providence-care-ketamine-clinic"
    assert all(one.truth == kf.Truth.UNKNOWN for one in nearer)
    assert all(one.distance_km <= answer[0].distance_km for one in nearer)
    assert nearer[0].clinic.name in str(answer.explain())
    assert DIRECTORY.nearest("K7L 3N6", routes="iv", unknown="include").nearer_possible == ()


def test_neighbours_that_could_swap_have_overlapping_intervals():
    answer = DIRECTORY.nearest("Toronto, ON", 5, routes="iv")
    spans = {m.clinic.clinic_id: (m.distance_low_km, m.distance_high_km) for m in answer}
    for match in answer:
        low, high = spans[match.clinic.clinic_id]
        wanted = {
            i
            for i, (a, b) in spans.items()
            if i != match.clinic.clinic_id and a <= high and low <= b
        }
        assert wanted <= {clinic.clinic_id for clinic in match.swaps}
        assert len(match.swaps) <= len(wanted) + 1
    assert not answer.order_certain
    assert "only the city is known" in str(answer.explain())


def test_questions_name_fewest_open_clauses_first_then_the_nearest():
    told = DIRECTORY.nearest("Ottawa, ON", routes="iv", staff="psychiatrist").questions(limit=30)
    keys = [(len(a.open_clauses) + (not a.is_open), a.distance_km) for a in told]
    assert keys == sorted(keys)
    assert len(told) == told.n_possible
    for one in told.to_dict()["clinics"]:
        assert one["questions"]


def test_questions_of_a_complete_answer_ask_nobody():
    told = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A")]).search().questions()
    assert len(told) == 0
    assert "no clinic to ask" in str(told)


@pytest.mark.parametrize("lang", ["de", "", None, 1, "english"])
def test_another_language_is_refused(lang):
    with pytest.raises(InvalidInputError, match="'en', 'fr'"):
        DIRECTORY.search().explain(lang=lang)


def test_a_region_of_a_language_is_ignored():
    assert str(DIRECTORY.search().relax(lang="fr-CA")) == str(DIRECTORY.search().relax(lang="fr"))


@pytest.mark.parametrize("name", ["Caledon", "Caledon Clinic", "CALEDON-clinic"])
def test_a_clinic_s_name_in_place_of_its_id_suggests_the_id(name):
    with pytest.raises(UnknownClinicError, match="did you mean 'caledon-clinic'"):
        DIRECTORY.search().why_not(name)


def test_why_not_of_a_clinic_that_does_not_exist_suggests_others():
    with pytest.raises(UnknownClinicError, match="caledon-clinic"):
        DIRECTORY.search().why_not("caledon-clinc")


def told_texts() -> dict[str, str]:
    """The texts that a person has read; how far a town is, is another test's."""
    hit = DIRECTORY.nearest("K7L 3N6", 2, routes="iv", staff="anesthesiologist", conditions="trd")
    miss = DIRECTORY.nearest("Toronto, ON", routes="iv", conditions=["ptsd", "anxiety"])
    empty = DIRECTORY.nearest("K7L 3N6", routes="im", conditions="ptsd", max_distance_km=50)
    told = {
        "hit": hit.explain(),
        "possible": hit.why_not("providence-care-ketamine-clinic"),
        "miss": miss.why_not("toronto-ketamine-clinic"),
        "closed": hit.why_not("numinus-toronto"),
        "empty": empty.explain(),
        "questions": hit.questions(limit=2),
        "qualification": DIRECTORY.qualification("caledon-clinic"),
    }
    return {
        f"{name}.{lang}.txt": re.sub(
            r"(\d[0-9,.]* (to|à) )?[0-9,.]+\u00a0km",
            "N km",
            str(one.translated(lang)).replace(str(DIRECTORY.snapshot.id), "DATA"),
        )
        for name, one in told.items()
        for lang in ("en", "fr")
    }


@pytest.mark.parametrize("name", sorted(told_texts()))
def test_the_texts_are_those_that_a_person_has_read(name):
    assert told_texts()[name] + "\n" == (GOLDEN / name).read_text("utf-8")


def test_an_answer_can_be_repeated_from_what_it_says_of_itself():
    first = DIRECTORY.nearest("Ottawa, ON", 3, routes="iv", conditions="trd", max_distance_km=300)
    said = json.loads(json.dumps(first.to_dict()))
    query = said["query"]
    again = DIRECTORY.nearest(
        "Ottawa, ON", query["k"], where=kf.Criteria.from_dict(query["where"]),
        unknown=query["unknown"], max_distance_km=query["max_distance_km"],
    )  # fmt: skip
    assert json.loads(json.dumps(again.to_dict())) == said
    assert said["snapshot"]["id"] == DIRECTORY.snapshot.id
    assert [m["clinic_id"] for m in said["matches"]] == [m.clinic.clinic_id for m in first]
    assert "45.4" not in json.dumps(query)


def test_texts_show_the_interval_where_only_the_city_is_known():
    near = DIRECTORY.nearest("Toronto, ON", 2, routes="iv", conditions="ptsd")
    for told in (near.explain(), near.relax(), near.questions(), near.why_not("caledon-clinic")):
        for lang in ("en", "fr"):
            assert "0.0\u00a0km" not in str(told.translated(lang)).replace(",", ".")
    assert re.search(r" at \d+ to \d+\u00a0km \(city only\)", str(near.relax()))
    first = near.questions()[0]
    low, high = first.interval_km
    assert low <= first.distance_km <= high
    said = near.questions().to_dict()["clinics"][0]
    assert (said["distance_low_km"], said["distance_high_km"]) == (low, high)
    change = near.relax().to_dict()["relaxations"][0]
    assert change["nearest_low_km"] <= change["nearest_km"] <= change["nearest_high_km"]


def test_a_possible_clinic_that_is_as_far_is_nearer_only_by_its_id():
    place = kf.Location(lat=44.2, lon=-76.5)
    iv = kf.Service(facts={"route": {"iv": kf.Truth.YES}})
    clinics = [
        kf.Clinic(clinic_id=clinic_id, name=clinic_id, location=place, services=(service,))
        for clinic_id, service in (("a", kf.Service()), ("b", iv), ("c", kf.Service()))
    ]
    answer = kf.Directory.from_clinics(clinics).nearest(place, routes="iv")
    assert [match.clinic.clinic_id for match in answer] == ["b"]
    assert [match.clinic.clinic_id for match in answer.nearer_possible] == ["a"]


def square(lat: float, lon: float):
    """An area of a tenth of a degree around a point."""
    import shapely

    return shapely.box(lon - 0.05, lat - 0.05, lon + 0.05, lat + 0.05)


def at(clinic_id: str, lat: float, lon: float, *routes: str) -> kf.Clinic:
    facts = {"route": dict.fromkeys(routes, kf.Truth.YES)} if routes else {}
    place = kf.Location(lat=lat, lon=lon)
    services = (kf.Service(facts=facts),)
    return kf.Clinic(clinic_id=clinic_id, name=clinic_id, location=place, services=services)


def test_a_clinic_that_matches_outside_the_area_asked_for_is_said_to_lie_outside():
    directory = kf.Directory.from_clinics(
        [at("in", 44.0, -76.0, "iv"), at("out", 45.0, -76.0, "iv"), at("other", 45.0, -76.0)]
    )
    answer = directory.inside(square(44.0, -76.0), routes="iv")
    outcomes = {one: answer.why_not(one).to_dict()["outcome"] for one in ("in", "out", "other")}
    assert outcomes == {"in": "listed", "out": "outside", "other": "unknown"}
    assert "area" in str(answer.why_not("out"))
    assert "zone" in str(answer.why_not("out", lang="fr"))


def test_a_bound_is_explained_by_what_is_stated_and_asked_where_nothing_is():
    def clinic(clinic_id, price, **fields):
        sizes = {} if price is None else {"price_cad": kf.Quantity(*price, "CAD")}
        service = kf.Service(quantities=sizes)
        return kf.Clinic(clinic_id=clinic_id, name=clinic_id, services=(service,), **fields)

    fact = kf.Evidence(
        clinic_id="a",
        facet="price_cad",
        term="1250.5",
        truth=kf.Truth.YES,
        source_url="https://a.ca",
    )
    doubts = [
        kf.Evidence(
            clinic_id="d",
            facet="price_cad",
            term=term,
            truth=kf.Truth.YES,
            source_url="https://d.ca",
        )
        for term in ("100", "200")
    ]
    directory = kf.Directory.from_clinics(
        [
            clinic("a", (1250.5, 1250.5), evidence=(fact,)),
            clinic("b", (1000.0, 1500.0)),
            clinic("c", None),
            clinic("d", None, evidence=doubts),
        ]
    )
    asked = directory.search(kf.at_most("price_cad", 1300), unknown="include")
    assert [str(match.truth) for match in asked] == ["yes", "unknown", "unknown", "unknown"]
    told = str(asked.explain())
    assert "price of a session: at most 1,300 CAD" in told
    assert "stated: 1,250.5 CAD" in told
    assert "stated: 1,000-1,500 CAD" in told
    assert "no source says" in told
    assert "sources contradict each other: price of a session" in told
    assert "<https://a.ca>" in told
    french = str(asked.explain(lang="fr"))
    assert "prix d'une séance : au plus 1\u00a0300 CAD" in french
    assert "indiqué : 1\u00a0250,5 CAD" in french
    (first, *_) = asked.explain().to_dict()["matches"]
    assert first["clauses"]["stated"] == {"low": 1250.5, "high": 1250.5, "unit": "CAD"}
    whom = directory.search(kf.at_most("price_cad", 1300)).questions()
    assert "price of a session: is it at most 1,300 CAD?" in str(whom)
    missed = directory.search(kf.at_most("price_cad", 500)).why_not("a")
    assert "stated: 1,250.5 CAD" in str(missed)


def test_an_answer_without_distances_says_how_well_each_place_is_known():
    box = shapely.box(-84.0, 42.0, -74.0, 47.0)
    for answer in (DIRECTORY.search(unknown="include"), DIRECTORY.inside(box)):
        for match in answer:
            text = str(match.explain())
            place = match.clinic.location
            assert ("its position is not known" in text) == (place is None)
            if place is not None:
                assert "its position is known within" in text
                assert "sa position est connue à" in str(match.explain(lang="fr"))
    exact = kf.Clinic(
        clinic_id="a", name="A", location=kf.Location(lat=44.0, lon=-77.0, precision="rooftop")
    )
    unlocated = kf.Clinic(clinic_id="b", name="B")
    texts = [str(m.explain()) for m in kf.Directory.from_clinics([exact, unlocated]).search()]
    assert "its position is known (the building)" in texts[0]
    assert "its position is not known" in texts[1]
    assert "its position is known" in str(DIRECTORY.search(routes="im").why_not("caledon-clinic"))


OWN_WORDS = kf.Vocabulary.from_dict(
    {
        "format": "ketafind-vocabulary/1",
        "languages": ["fr"],
        "facets": [
            {"id": "route", "plural": "routes", "labels": {"fr": "ligne d'autobus"}, "terms": [
                {"id": "b12", "labels": {"fr": "ligne 12"}}]},
            {"id": "flag", "plural": "flags", "labels": {"fr": "fait"}, "terms": [
                {"id": "parking", "labels": {"fr": "stationnement"}}]},
        ],
    }
)  # fmt: skip


def asked_of(province: str = "", **more) -> dict:
    one = kf.Clinic(clinic_id="a", name="A", province=province, **more)
    directory = kf.Directory.from_clinics([one], check=False)
    (asked,) = directory.search(routes="iv").questions().to_dict()["clinics"]
    return asked


def test_what_a_province_pays_is_asked_in_that_province_only():
    assert any("OHIP" in text for text in asked_of("ON")["also"])
    for elsewhere in ("BC", "QC", ""):
        said = asked_of(elsewhere)["also"]
        assert said == ["Do I need a referral?"]
    in_part = kf.Service(facts={"flag": {"ohip_covered_partial": kf.Truth.YES}})
    assert asked_of("ON", services=(in_part,))["also"] == ["Do I need a referral?"]


def test_questions_of_an_own_vocabulary_are_worded_by_its_own_labels():
    directory = kf.Directory.from_clinics(
        [kf.Clinic(clinic_id="a", name="A", province="ON")], vocabulary=OWN_WORDS
    )
    (asked,) = directory.search(routes="b12").questions(lang="fr").to_dict()["clinics"]
    assert asked["questions"] == ["ligne d'autobus : est-ce ligne 12?"]
    assert asked["also"] == ["Est-ce le cas chez vous : stationnement?"]


def test_a_yes_no_fact_that_is_asked_for_has_its_own_question_and_is_asked_once():
    directory = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A", province="ON")])
    for where, text in (
        (~kf.offers("flag", "referral_required"), "Do I need a referral?"),
        (kf.offers("flag", "virtual"), "Is this so at your clinic: virtual care?"),
    ):
        (asked,) = directory.search(where).questions().to_dict()["clinics"]
        assert asked["questions"] == [text]
        assert text not in asked["also"]


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_vocabulary_in_one_language_works_in_both(lang):
    clinics = [
        kf.Clinic(
            clinic_id="a", name="A", services=(kf.Service(facts={"route": {"b12": kf.Truth.YES}}),)
        ),
        kf.Clinic(clinic_id="b", name="B", location=kf.Location(lat=44.0, lon=-77.0)),
    ]
    directory = kf.Directory.from_clinics(clinics, vocabulary=OWN_WORDS)
    answer = directory.search(routes="b12")
    said = [answer.explain(lang=lang), answer.relax(lang=lang), answer.questions(lang=lang),
            answer.why_not("b", lang=lang), directory.profile(lang=lang), directory.validate(lang=lang),
            directory.qualification("a", lang=lang), answer.translated(lang), answer.to_frame(lang=lang)]  # fmt: skip
    assert all(map(str, said))
    assert "ligne 12" in str(said[0])
    assert list(said[-1]["routes"]) == ["ligne 12"]
    assert answer.to_fhir()["total"] == 1


def test_an_answer_of_nothing_proposes_what_relaxing_it_would():
    routes = ("iv", "im", "intranasal", "sc")
    stated = [dict.fromkeys(routes, kf.Truth.YES) | {lacking: kf.Truth.NO} for lacking in routes]
    made = kf.Directory.from_clinics(
        kf.Clinic(clinic_id=str(n), name="C", services=(kf.Service(facts={"route": facts}),))
        for n, facts in enumerate(stated)
    )
    empty = made.search(reduce(and_, map(kf.route, routes)))
    assert (len(empty), len(empty.relax(9)), len(empty.relax())) == (0, 4, 3)
    told = empty.explain().to_dict()
    assert told["relaxations"] == empty.relax().to_dict()
    assert told["criteria"] == empty.criteria.to_dict()
    assert DIRECTORY.search().explain().to_dict()["relaxations"] is None


def test_a_clinic_that_is_not_listed_is_told_what_kept_it_out():
    here = kf.Coordinates(lat=44.0, lon=-76.0)
    clinics = [at(name, 44.1, -76.0, "iv") for name in "ab"]
    lost = replace(clinics[0], clinic_id="c", location=None)
    directory = kf.Directory.from_clinics([*clinics, lost, at("far", 45.0, -76.0, "iv")])
    far_km = directory.nearest(here, 1)[0].distance_km
    first = directory.nearest(here, 1, routes="iv", max_distance_km=far_km)
    outcomes = {name: first.why_not(name).outcome for name in directory}
    assert outcomes == {"a": "listed", "b": "beyond", "c": "unlocated", "far": "too_far"}
    assert directory.search(routes="iv").why_not("c").outcome == "listed"
    assert directory.search(routes="iv")[:1].why_not("c").outcome == "beyond"
    assert directory.search(unknown="only").why_not("c").outcome == "known"


@pytest.mark.parametrize(
    ("needed", "asked", "stated"),
    [
        (1, "intramuscular, intravenous or oral (by mouth)", "intramuscular and intravenous"),
        (2, "at least 2 of: intramuscular, intravenous or oral (by mouth)", "intramuscular and"),
        (3, "intramuscular, intravenous and oral (by mouth)", "intramuscular and intravenous"),
    ],
)
def test_how_many_terms_are_needed_is_said_wherever_they_are(needed, asked, stated):
    some = kf.Directory.from_clinics([at("a", 44.0, -76.0, "iv", "im"), at("b", 44.0, -76.0, "iv")])
    where = kf.route("iv", "im", "oral", at_least=needed)
    answer = some.search(where, unknown="include")
    assert f"route of administration: {asked}; stated: {stated}" in str(answer.explain())
    assert f"{asked}; stated: intravenous" in str(answer.why_not("b"))
    whom = {one["clinic_id"]: one["questions"] for one in answer.questions().to_dict()["clinics"]}
    wanted = [f"By which route do you give the treatment? Is it {asked}?"]
    assert whom == {name: wanted for number, name in ((3, "a"), (2, "b")) if needed >= number}


def test_all_of_two_terms_are_joined_by_and():
    directory = kf.Directory.from_clinics([at("a", 44.0, -76.0, "iv")])
    for where in (kf.route("iv", "im", all_of=True), kf.route("iv", "im", at_least=2)):
        assert "intramuscular and intravenous" in str(directory.search(where).explain())


def test_what_is_known_of_a_position_is_said_and_no_more():
    here = kf.Coordinates(lat=44.0, lon=-76.0)

    def told(up: float, radius_km: float, precision: str, **asked) -> str:
        place = kf.Location(lat=44.0 + up, lon=-76.0, radius_km=radius_km, precision=precision)
        one = kf.Clinic(clinic_id="a", name="A", location=place)
        made = kf.Directory.from_clinics([one])
        answer = made.nearest(here, **asked) if up else made.search()
        return str(answer.explain()).replace("\u00a0", " ")

    assert "its position is given; how well it is known is not said" in told(0, 0, "unknown")
    assert "its position is known (the building)" in told(0, 0, "rooftop")
    assert "is known within 2.0 km at the 90 % level (the street)" in told(0, 2, "street")
    for wanted, known in (
        ("5.6 km in a straight line (between 5.1 km and 6.0 km)", (0.05, 0.5, "street")),
        ("22 km in a straight line (between 21 km and 23 km)", (0.2, 1.4, "street")),
        ("22 km in a straight line\n", (0.2, 0.2, "street")),  # 22 to 22 says nothing more
        ("5.6 km in a straight line\n", (0.05, 0.0, "rooftop")),
        ("4 to 7 km in a straight line\n", (0.05, 1.5, "street")),
        ("5 to 6 km in a straight line; only its city is known", (0.05, 0.5, "municipality")),
    ):
        assert f"  {wanted}" in told(*known)


def test_pages_that_are_evidence_are_links():
    html = DIRECTORY.nearest("K7L 3N6", 1, routes="iv").explain()._repr_html_()
    (clinic,) = (one.clinic for one in DIRECTORY.nearest("K7L 3N6", 1, routes="iv"))
    urls = [
        fact.source_url for fact in clinic.evidence if (fact.facet, fact.term) == ("route", "iv")
    ]
    assert urls
    for url in urls:
        assert f'href="{url}"' in html
    assert html.count("<a ") == html.count("</a>") == html.count("href=")


def test_the_page_holds_the_sentences_that_its_script_says_and_no_other():
    script = "".join((Path(kf.__file__).parent / "show" / name).read_text("utf-8")
                     for name in ("finder.js", "finder_page.js"))  # fmt: skip
    said = set(re.findall(r'"((?:ask|clause)\.\w+)"', script)) | {"and", "or", "headed"}
    said |= {f"precision.{name}" for name in (*PRECISIONS, "unlocated")}
    assert set(words_for_page(DIRECTORY.vocabulary)["says"]) == said


def test_criteria_with_a_name_of_ones_own_are_explained_by_it():
    named = Labelled("my own words", kf.route("iv"))
    answer = DIRECTORY.nearest(
        "Kingston, ON", 1, where=named & kf.treats("ptsd"), unknown="include"
    )
    for lang in ("en", "fr"):
        assert "my own words" in str(answer.explain(lang=lang))
