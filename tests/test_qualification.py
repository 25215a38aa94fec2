"""Rule sets: what they decide, how they read, and what they never say."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import DataError, InvalidInputError
from ketafind.qualification import Result, bundled_rules, bundled_words
from oracle import holds
from strategies import clinic_lists, criteria, examples, expressions

# Each example makes directories and asks them in several ways.
FEWER = examples(1 / 4)

TEAM = ("offers", "staff", ("psychiatrist", "anesthesiologist", "nurse_practitioner"), 1)
NAMES = {"yes": "QUALIFIED", "no": "NOT_QUALIFIED", "unknown": "UNDETERMINED"}
BUNDLED = bundled_rules()


def directory_of(clinics, vocabulary=None) -> kf.Directory:
    return kf.Directory.from_clinics(clinics, vocabulary=vocabulary, check=False)


@FEWER
@given(clinic_lists())
def test_the_team_level_is_one_of_three_professions_on_the_staff(clinics):
    directory = directory_of(clinics)
    status = {"active": kf.Truth.YES, "uncertain": kf.Truth.UNKNOWN, "closed": kf.Truth.NO}
    for clinic in clinics:
        best = max(kf.Truth(holds(TEAM, service, clinic)) for service in clinic.services)
        wanted = NAMES[str(best & status[clinic.status])]
        assert directory.qualification(clinic.clinic_id).result == wanted


@pytest.mark.parametrize("level", ["team", "full"])
@FEWER
@given(clinic_lists(), st.booleans())
def test_search_by_qualified_finds_what_qualification_says(level, clinics, extended):
    directory = directory_of(clinics, BUNDLED.vocabulary() if extended else None)
    found = {
        unknown: {m.clinic.clinic_id for m in directory.search(where=kf.qualified(level), unknown=unknown)}
        for unknown in ("exclude", "only")
    }  # fmt: skip
    for clinic in clinics:
        result = directory.qualification(clinic.clinic_id, level).result
        assert (result == Result.QUALIFIED) == (clinic.clinic_id in found["exclude"])
        assert (result == Result.UNDETERMINED) == (clinic.clinic_id in found["only"])


@FEWER
@given(clinic_lists(), expressions)
def test_another_clause_beside_qualified_never_adds_a_confirmed_match(clinics, expression):
    directory = directory_of(clinics)
    both = directory.search(where=criteria(expression) & kf.qualified())
    alone = directory.search(where=kf.qualified())
    assert {m.clinic.clinic_id for m in both} <= {m.clinic.clinic_id for m in alone}


def clinic(**facts) -> kf.Clinic:
    stated = {
        facet: {term: kf.Truth(truth) for term, truth in terms.items()}
        for facet, terms in facts.items()
    }
    return kf.Clinic(clinic_id="a", name="A", services=(kf.Service(facts=stated),))


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        ({}, "UNDETERMINED"),
        ({"staff": {"psychiatrist": "yes"}}, "UNDETERMINED"),
        (
            {"staff": {"psychiatrist": "yes"}, "licence": {"cpso_physician": "yes"}},
            "QUALIFIED",
        ),
        (
            {
                "staff": {"nurse_practitioner": "yes"},
                "licence": {"cpso_physician": "no", "cno_prescriber": "no"},
            },
            "NOT_QUALIFIED",
        ),
    ],
)
def test_the_full_level_needs_every_required_rule_and_its_words_can_be_supplied(facts, result):
    directory = directory_of([clinic(**facts)], BUNDLED.vocabulary())
    assert directory.qualification("a", "full").result == result


@pytest.mark.parametrize(
    ("facts", "truth"),
    [
        ({"route": {"oral": "yes", "iv": "no"}}, "yes"),
        ({"route": {"iv": "yes"}}, "unknown"),
        ({"route": {"iv": "yes"}, "setting": {"hospital": "yes"}}, "yes"),
        ({"route": {"iv": "yes"}, "premises": {"passed_with_conditions": "yes"}}, "yes"),
        (
            {"route": {"iv": "yes"}, "setting": {"hospital": "no"}, "premises": {"passed": "no"}},
            "no",
        ),
    ],
)
def test_a_rule_about_infusions_says_nothing_against_other_routes(facts, truth):
    directory = directory_of([clinic(**facts)], BUNDLED.vocabulary())
    rules = {one.rule.id: one for one in directory.qualification("a").rules}
    assert rules["premises"].truth == truth


def test_a_directory_without_the_words_of_a_rule_knows_nothing_of_it():
    directory = kf.load_directory()
    for one in directory.clinics:
        rules = {r.rule.id: r.truth for r in directory.qualification(one.clinic_id).rules}
        assert rules["prescriber"] == rules["monitoring"] == kf.Truth.UNKNOWN


def test_a_column_of_the_rule_set_can_be_read_from_csv(tmp_path):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,staff,licences\na,A,psychiatrist,CPSO\n", "utf-8")
    directory = kf.Directory.from_csv(path, vocabulary=BUNDLED.vocabulary())
    assert directory.qualification("a", "full").result == "QUALIFIED"


def test_a_rule_that_is_not_verified_is_advisory_and_each_rule_has_a_source():
    for rule in BUNDLED.rules:
        assert rule.sources
        assert set(rule.title) == {"en", "fr"}
        if rule.unverified:
            assert rule.level == "advisory"


def test_no_text_says_safe_or_recommended():
    directory = kf.load_directory()
    words = re.compile(r"\bsafe|recommend|recommand|\bsûre?s?\b|sécuritaire", re.I)
    for one in directory.clinics:
        told = directory.qualification(one.clinic_id)
        for text in (str(told), str(told.translated("fr")), json.dumps(told.to_dict())):
            # Quoted hints and addresses of pages are the sources' words.
            ours = re.sub(r"“.*?”|\"hint\": \".*?\"|https?://[^\s>\"]+", "", text)
            assert not words.search(ours)


def test_a_match_tells_the_level_that_was_asked_for():
    directory = kf.load_directory()
    by_level = {
        level: directory.search(where=kf.route("iv") & kf.qualified(level), unknown="include")[0]
        for level in ("team", "full")
    }
    for level, match in by_level.items():
        assert match.qualification.level == level
    plain = directory.search(routes="iv")[0].qualification
    assert (plain.level, plain.assessment.rules) == ("team", BUNDLED)
    again = kf.Criteria.from_json(kf.qualified("full").to_json())
    assert directory.search(where=again, unknown="include")[0].qualification.level == "full"


@pytest.mark.parametrize("level", ["team", "full"])
def test_qualified_survives_json_and_another_vocabulary(level):
    where = kf.qualified(level) & kf.route("iv")
    assert kf.Criteria.from_json(where.to_json()) == where
    short, long = kf.load_directory().vocabulary, BUNDLED.vocabulary()
    resolved = where.resolve(short)
    assert kf.Criteria.from_json(resolved.to_json()) == resolved
    assert (where.resolve(long) == resolved) == (level == "team")


@pytest.mark.parametrize("level", ["", "gold", None, 1])
def test_a_level_that_the_rule_set_lacks_is_refused(level):
    with pytest.raises(InvalidInputError, match="'team', 'full'"):
        kf.qualified(level)


def rules(*more: str, levels: str = '{"team": ["one"]}') -> str:
    """A small rule set; its first rule begins on line 6."""
    first = """{"id": "one", "level": "required", "title": {"en": "One"},
  "requires": {"facet": "staff", "terms": ["nurse"], "at_least": 1}}"""
    return f"""{{
"format": "ketafind-rules/1",
"id": "mine-1",
"title": {{"en": "Mine"}},
"levels": {levels}, "rules": [
{first}{"".join("," + chr(10) + rule for rule in more)}
]
}}"""


def rule(requires: str, name: str = "two") -> str:
    return f'{{"id": "{name}", "level": "required", "title": {{"en": "Two"}},\n "requires":\n  {requires}}}'


def rule_with(key: str, value: str) -> str:
    """A rule set whose first rule has one more key."""
    return rules().replace('"title": {"en": "One"}', f'"title": {{"en": "One"}}, "{key}": {value}')


def test_what_a_rule_says_is_read_with_what_it_says_it_of():
    sources = '[{"note": {"en": "A law"}, "url": "https://law"}, {"note": {"fr": "Une loi"}}]'
    text = rule_with("sources", sources).replace(
        '"levels"', '"date": "2026-01-02", "questions": {"route": {"en": "How?"}}, "levels"'
    )
    one = kf.RuleSet.from_text(text)
    law, loi = one.rules[0].sources
    assert (dict(law.note), law.url) == ({"en": "A law"}, "https://law")
    assert (dict(loi.note), loi.url) == ({"fr": "Une loi"}, "")
    assert (one.date, one.questions["route"]["en"]) == ("2026-01-02", "How?")
    assert dict(one.rules[0].unverified) == {}
    told = kf.RuleSet.from_text(rule_with("unverified", '{"en": "Not seen"}'))
    assert dict(told.rules[0].unverified) == {"en": "Not seen"}
    assert kf.RuleSet.from_text(rules()).date == ""
    assert hash(one) == hash(kf.RuleSet.from_text(text))
    assert one != told
    assert "words" not in repr(BUNDLED)


def test_a_rule_is_about_some_services_and_whoever_names_it_means_that():
    when = '"when": {"facet": "route", "terms": ["iv"], "at_least": 1}'
    about = rule_with("x", "1").replace('"x": 1', when)
    both = kf.RuleSet.from_text(about.replace("\n]\n}", "," + rule('{"rule": "one"}') + "\n]\n}"))
    infusion, oral = {"route": {"iv": "yes"}}, {"route": {"iv": "no"}}
    nurse = {"staff": {"nurse": "no"}}
    for facts, truth, applies in (
        (infusion | nurse, "no", "yes"), (oral | nurse, "yes", "no"), (nurse, "unknown", "unknown"),
        ({"staff": {"nurse": "yes"}}, "yes", "unknown"),
    ):  # fmt: skip
        one, two = directory_of([clinic(**facts)]).qualification("a", rules=both).assessment.results
        assert (one.truth, one.applies) == (truth, applies)
        assert (two.truth, two.applies) == (truth, "yes")


def test_rules_may_have_words_of_their_own_and_numbers():
    words = """"vocabulary": {"facets": [{"id": "colour", "plural": "colours", "labels": {"en": "colour", "fr": "couleur"},
      "terms": [{"id": "red", "labels": {"en": "red", "fr": "rouge"}}]}]}, "levels\""""
    wait = kf.at_most("wait_days", 3)
    red = '{"facet": "colour", "terms": ["red"], "at_least": 1}'
    text = rules(rule(f'{{"and": [{red}, {wait.to_json()}]}}')).replace('"levels"', words)
    mine = kf.RuleSet.from_text(text)
    assert mine.vocabulary().facet("colour").id == "colour"
    assert BUNDLED.vocabulary(mine.vocabulary()).facet("colour").id == "colour"
    service = kf.Service(facts={"staff": {"nurse": kf.Truth.YES}, "colour": {"red": kf.Truth.YES}})
    for days, result in ((3, "QUALIFIED"), (4, "NOT_QUALIFIED")):
        one = kf.Clinic(
            clinic_id="a",
            name="A",
            services=(replace(service, quantities={"wait_days": kf.Quantity(days, days, "days")}),),
        )
        directory = directory_of([one], mine.vocabulary())
        assert directory.qualification("a", "full", rules=mine).result == result
    with pytest.raises(DataError, match=r"colour. is not a known facet"):
        kf.RuleSet.from_text(rules(rule(red)))


@pytest.mark.parametrize("asked", ['"terms": ["red"]', '"terms": ["red"], "at_least": 1'])
def test_where_a_directory_lacks_the_words_of_a_rule_nothing_is_known(asked):
    words = """"vocabulary": {"facets": [{"id": "colour", "plural": "colours", "labels": {"en": "colour", "fr": "couleur"},
      "terms": [{"id": "red", "labels": {"en": "red", "fr": "rouge"}}]}]}, "levels\""""
    text = rules(rule(f'{{"facet": "colour", {asked}}}')).replace('"levels"', words)
    wanted = kf.qualified("full", kf.RuleSet.from_text(text))
    assert len(kf.load_directory().search(wanted, unknown="only")) > 0


def test_what_is_no_rule_set_and_a_file_that_is_too_large_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match=r"not str; RuleSet.read\(path\) makes one"):
        kf.qualified("team", "mine.json")
    path = tmp_path / "large.json"
    for size, message in ((4 * 2**20, "not JSON"), (4 * 2**20 + 1, "4 MB")):
        path.write_bytes(b" " * size)
        with pytest.raises(kf.errors.KetafindError, match=message):
            kf.RuleSet.read(path)


def test_rules_of_your_own_are_read_from_a_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(rules(rule('{"not": {"rule": "one"}}')), "utf-8")
    mine = kf.RuleSet.read(path)
    directory = directory_of([clinic(staff={"nurse": "yes"})])
    assert directory.qualification("a", rules=mine).result == "QUALIFIED"
    assert directory.qualification("a", "full", rules=mine).result == "NOT_QUALIFIED"
    found = directory.search(where=kf.qualified("team", mine))
    assert found[0].qualification.assessment.rules == mine
    assert "Mine" not in str(found[0].qualification.translated("fr"))
    assert "qualified by its team (mine-1)" in str(found.explain())


def test_a_level_of_your_own_goes_by_its_name():
    mine = kf.RuleSet.from_text(rules(levels='{"team": ["one"], "basic": ["one"]}'))
    directory = directory_of([clinic(staff={"nurse": "yes"})])
    found = directory.search(where=kf.qualified("basic", mine))
    assert "qualified: basic, mine-1" in str(found.explain())
    assert str(directory.qualification("a", "basic", rules=mine)).startswith(
        "A: QUALIFIED (basic, mine-1)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rules(rule('{"facet": "staff", "terms": ["nurze"], "at_least": 1}')),
         r"line 10, rules\.two\.requires: .nurze. is not"),
        (rules(rule('{"facet": "staff", "terms": ["nurze"]}')),
         r'line 10, rules\.two\.requires: "nurze" is not a known staff type'),
        (rules(rule('{"quantity": "price", "at_most": 300}')),
         r'line 10, rules\.two\.requires: "price" is not a known quantity'),
        (rules(rule('{"facet": "colour", "terms": ["red"], "at_least": 1}')),
         r"line 10, rules\.two\.requires: .colour. is not a known facet"),
        (rules(rule('{"and": [{"facet": "staff", "terms": ["nurse"], "at_least": 1},\n {"rule": "three"}]}')),
         r"line 11, rules\.two\.requires\.and\[1\]: 'three' is not a rule of this set; known: one, two"),
        (rules(rule('{"rule": "two"}')), r"line 10, rules\.two\.requires: the rules go in a circle: two > two"),
        (rules(rule('{"rule": "three"}'), rule('{"rule": "two"}', "three")),
         r"line 13, rules\.three\.requires: the rules go in a circle: two > three > two"),
        (rules(rule('{"facet": "staff", "terms": [], "at_least": 1}')), r"line 10, rules\.two\.requires: staff"),
        (rules(rule('{"nonsense": 1}')), r"line 10, rules\.two\.requires: criteria with the keys"),
        (rules('{"id": "one", "level": "required", "title": {"en": "x"}, "requires": {"everything": true}}'),
         r"line 8, rules\.one: the id 'one' stands twice"),
        (rules('{"id": "two", "level": "must", "title": {"en": "x"}, "requires": {"everything": true}}'),
         r"line 8, rules\.two: \"level\" is one of required, advisory, information"),
        (rules(levels='{"team": ["nobody"]}'), r"line 5, levels: the level \"team\" names no rule to check: 'nobody'"),
        (rules(levels='{"full": ["one"]}'), r"line 5, levels: the level \"full\" is every required rule"),
        (rules().replace("rules/1", "rules/9"), r"line 1: \"format\" must be"),
        (rules().replace('"id": "mine-1"', '"id": "mine-1", "id": "b"'), "line 1: the key \"id\" stands twice"),
        (rules(levels='{"team": ["one"], "x": [{}]}'), r"line 5, levels: the level \"x\" names no rule to check"),
        (rules(rule('{"not": {"not": {"not": 1}}}').replace('"two"', '["two"]')), r"line 8, rules\[1\]: a rule needs an \"id\""),
        (rules().replace('"mine-1"', "1" * 5000), "too many digits"),
        (rules(rule('{"not":' * 300 + '{"rule": "one"}' + "}" * 300)), "nested too deeply"),
        (rules()[:-2], r"line 8: not JSON"),
        ("[]", "line 1: a rule set is one JSON object"),
        (rules().replace('"levels"', '"questions": {"colour": {"en": "Red?"}}, "levels"'),
         'line 5, questions: the question "colour" is about no facet'),
        (rules().replace('"levels"', '"questions": {"route": "How?"}, "levels"'), '"questions" is an object with a text'),
        (rules(rule('"nurse"')), r"line 8, rules\.two: criteria"),
        (rules('{"id": "two", "level": "required", "title": {"en": "x"}}'), 'line 8, rules.two: "requires" is missing'),
        (rules('{"id": "two", "level": "advisory", "title": {"en": "x"}}'), 'line 8, rules.two: "requires" is missing'),
        (rules('{"id": "two", "level": "information", "title": {"en": "x"}}', rule('{"rule": "two"}', "three")),
         r"line 11, rules\.three\.requires: the rule 'two' asks for nothing"),
        (rules().replace("required", "advisory"), "line 1: a rule set has one required rule or more"),
        (rules(levels='{"team": []}'), 'line 5, levels: the level "team" is a list of one or more rules'),
        (rules(levels='{"team": "one"}'), 'line 5, levels: the level "team" is a list of one or more rules'),
        (rules(levels='["one"]'), '"levels" is an object'),
        ('{"format": "ketafind-rules/1", "id": "a", "title": {"en": "A"}, "rules": 5}', '"rules" is a list of one or more rules'),
        ('{"format": "ketafind-rules/1", "id": "a", "title": {"en": "A"}, "rules": []}', '"rules" is a list of one or more rules'),
        ('{"format": "ketafind-rules/1", "id": "a", "title": {"en": "A"}, "rules": {"a": 1}}', '"rules" is a list of one or more rules'),
        *((rule_with("sources", sources), '"sources" is a list of objects with a "note" in each language')
          for sources in ('"x"', '["x"]', '[{}]', '[{"note": {}}]', '[{"note": {"en": " "}}]', '[{"note": "x"}]',
                          '[{"note": {"en": "x"}, "url": 5}]', '[{"note": {"en": "x"}}, 5]', '{"note": {"en": "x"}}')),
        *((rule_with("unverified", value), '"unverified" is an object with a text in each language')
          for value in ('"x"', '{"en": ""}', '[]')),
    ],
)  # fmt: skip
def test_a_faulty_rule_set_is_refused_with_its_line_and_path(text, message):
    with pytest.raises(DataError, match=message):
        kf.RuleSet.from_text(text)


def test_all_faults_come_in_one_report():
    bad = rule('{"facet": "staff", "terms": ["x1"], "at_least": 1}')
    worse = rule('{"facet": "staff", "terms": ["x2"], "at_least": 1}', "three")
    with pytest.raises(DataError) as caught:
        kf.RuleSet.from_text(rules(bad, worse))
    assert len(caught.value.faults) == 2


@given(st.text(max_size=60) | st.sampled_from(["{" * 9, '{"rules": [1]}', '{"rules": [{}]}']))
def test_any_other_text_is_refused_and_nothing_else_happens(text):
    with pytest.raises(DataError):
        kf.RuleSet.from_text(text)


def test_html_escapes_what_a_clinic_calls_itself():
    hostile = kf.Clinic(clinic_id="a", name="<script>alert(1)</script>")
    html = directory_of([hostile]).qualification("a")._repr_html_()
    assert "<script" not in html
    assert html.count("<ul>") == html.count("</ul>")
    assert html.count("<li>") == html.count("</li>")


WITHOUT_STAFF = kf.Vocabulary.from_dict(
    {
        "format": "ketafind-vocabulary/1",
        "languages": ["fr"],
        "facets": [
            {"id": "technique", "plural": "techniques", "labels": {"fr": "technique"}, "terms": [
                {"id": "manual", "labels": {"fr": "thérapie manuelle"}}]}
        ],
    }
)  # fmt: skip


def test_a_directory_without_the_facet_of_a_rule_is_undetermined_and_says_why():
    directory = directory_of([clinic(technique={"manual": "yes"})], WITHOUT_STAFF)
    for level in ("team", "full"):
        said = directory.qualification("a", level)
        assert said.result == "UNDETERMINED"
        assert "no words for what the rule asks" in str(said)
        assert "pas de mots pour ce que la règle demande" in str(said.translated("fr"))
        found = directory.search(where=kf.qualified(level), unknown="only")
        assert [m.clinic.clinic_id for m in found] == ["a"]
        assert not directory.search(where=kf.qualified(level))
    rules = directory.qualification("a").to_dict()["rules"]
    assert {rule["id"]: rule["in_vocabulary"] for rule in rules}["core_team"] is False
    assert directory.search()[0].qualification.result == "UNDETERMINED"
    assert "no words" not in str(directory_of([clinic()], BUNDLED.vocabulary()).qualification("a"))


def test_a_qualification_names_the_status_that_decides_and_the_evidence_of_each_rule():
    source = kf.Evidence(
        clinic_id="a", service_id="1", facet="staff", term="psychiatrist", truth=kf.Truth.YES,
        source_url="https://a.example/team", hint="Dr. A",
    )  # fmt: skip
    for status, text in (("active", ""), ("uncertain", "is open"), ("closed", "is closed")):
        one = kf.Clinic(clinic_id="a", name="A", evidence=[source], status=status)
        told = directory_of([one]).qualification("a")
        second = str(told).splitlines()[1]
        assert ("the clinic" in second) == (status != "active")
        assert text in second
        rules = {rule["id"]: rule["evidence"] for rule in told.to_dict()["rules"]}
        (kept,) = rules["core_team"]
        assert "clinic_id" not in kept
        stated = {name: getattr(source, name) for name in ("facet", "term", "truth", "hint")}
        assert {name: kept[name] for name in stated} == stated
        assert kept["source_url"] == source.source_url
        assert "https://a.example/team" in str(told)


def test_the_bundled_words_are_those_of_the_bundled_rules():
    # Past the cache, which other tests have filled.
    assert bundled_words.__wrapped__() == BUNDLED.vocabulary()
    assert bundled_words() is bundled_words()
    assert bundled_words().facet("licence").id == "licence"
