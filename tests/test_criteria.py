"""Criteria as values: their canonical form, their JSON, and what is refused."""

from __future__ import annotations

import functools
import json
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.criteria import (
    MAX_DEPTH,
    And,
    Everything,
    IfInVocabulary,
    Labelled,
    NotInVocabulary,
    Offers,
    Or,
    shorthand,
)
from ketafind.errors import CriteriaError, UnknownTermError
from oracle import TERMS
from strategies import criteria, expressions

BUNDLED = kf.load_directory().vocabulary
IV, IM = kf.route("iv"), kf.route("im")
wrapped = st.recursive(
    expressions.map(criteria) | st.just(Everything()) | st.just(kf.route("iv", "im", all_of=True)),
    lambda part: (
        st.builds(Labelled, st.text(), part)
        | part.map(IfInVocabulary)
        | part.map(NotInVocabulary)
        | st.builds(lambda a, b: a & ~b, part, part)
        | st.builds(lambda a, b: kf.no_service(a) | b, part, part)
    ),
    max_leaves=4,
)


def respelt(data, expression) -> kf.Criteria:
    """The same criteria in other words, another order, and with parts said twice."""
    kind, *rest = expression
    if kind == "offers":
        facet, terms, needed = rest
        known = BUNDLED.facet(facet)
        words = [data.draw(st.sampled_from(known[one].words)) for one in terms]
        words = data.draw(st.permutations([*words, terms[0]]))
        return kf.offers(data.draw(st.sampled_from([facet, known.plural])), words, at_least=needed)
    if kind in ("at_most", "at_least"):
        words = BUNDLED.quantities[rest[0]].words
        return getattr(kf, kind)(data.draw(st.sampled_from(words)), rest[1])
    if kind == "no_service":
        return kf.no_service(respelt(data, rest[0]))
    if kind == "not":
        inside = ~respelt(data, rest[0])
        return ~~inside if data.draw(st.booleans()) else inside
    parts = [respelt(data, part) for part in rest]
    parts = data.draw(st.permutations([*parts, data.draw(st.sampled_from(parts))]))
    first, second, third = parts
    if kind == "and":
        return first & (second & third) if data.draw(st.booleans()) else first & second & third
    return first | (second | third) if data.draw(st.booleans()) else first | second | third


@given(st.data(), expressions)
def test_words_order_and_repetition_do_not_change_the_canonical_form(data, expression):
    plain, other = criteria(expression).resolve(BUNDLED), respelt(data, expression).resolve(BUNDLED)
    assert plain == other
    assert hash(plain) == hash(other)
    assert plain.order() == other.order()
    assert plain.to_json() == other.to_json()
    assert plain.resolve(BUNDLED) == plain


@given(expressions, expressions)
def test_canonical_forms_are_ordered_alike_only_where_they_are_equal(one, other):
    one, other = (criteria(part).resolve(BUNDLED) for part in (one, other))
    assert (one == other) == (one.order() == other.order()) == (one.to_json() == other.to_json())


@pytest.mark.parametrize("joined", [lambda part: part & IM, lambda part: ~part, kf.no_service])
def test_expressions_that_read_alike_are_ordered_apart_where_they_differ(joined):
    alike = [IV, NotInVocabulary(IV), Labelled("route iv", IV), Labelled("route iv", IM)]
    assert len({str(joined(part)) for part in alike}) == 1
    assert len({joined(part).order() for part in alike}) == len(alike)


def test_json_has_one_order_of_its_keys_and_keeps_letters_as_they_are():
    asked = kf.offers("route", "voie intraveineuse à domicile") & ~IM
    assert asked.to_json() == (
        '{"and": [{"at_least": 1, "facet": "route", "terms": ["voie intraveineuse à domicile"]}, '
        '{"not": {"at_least": 1, "facet": "route", "terms": ["im"]}}]}'
    )


@given(wrapped)
def test_every_expression_survives_json(asked):
    assert kf.Criteria.from_json(asked.to_json()) == asked
    assert kf.Criteria.from_dict(json.loads(json.dumps(asked.to_dict()))) == asked


@given(st.sampled_from(sorted(TERMS)), st.data())
def test_any_of_all_of_and_at_least_are_one_clause_with_a_number(facet, data):
    terms = data.draw(st.lists(st.sampled_from(TERMS[facet]), min_size=1, unique=True))
    needed = data.draw(st.integers(1, len(terms)))
    asked = {
        1: kf.offers(facet, *terms),
        len(terms) + 100: kf.offers(facet, terms, all_of=True),
        needed + 200: kf.offers(facet, iter(terms), at_least=needed),
    }
    for number, one in asked.items():
        wanted = {0: 1, 1: len(terms), 2: needed}[number // 100]
        assert one.resolve(BUNDLED) == Offers(facet, tuple(sorted(terms)), wanted)
        assert list(one.leaves()) == [one]


def test_each_facet_has_a_verb_that_asks_for_any_of_its_terms_by_default():
    for verb, facet in ((kf.route, "route"), (kf.staff, "staff"), (kf.treats, "condition")):
        assert verb("a", "b") == Offers(facet, ("a", "b"), 1)
        assert verb("a", "b", all_of=True) == Offers(facet, ("a", "b"), None)
        assert verb("a", "b", at_least=2) == Offers(facet, ("a", "b"), 2)
        assert verb("a").parts == Everything().parts == ()


def test_flags_are_terms_of_a_facet_and_bounds_are_one_clause():
    assert kf.flag("virtual") == kf.offers("flag", "virtual")
    assert kf.flag("a", "b", all_of=True) == Offers("flag", ("a", "b"), None)
    assert kf.flag("a", "b", at_least=2) == Offers("flag", ("a", "b"), 2)
    cheap = kf.at_most("price_cad", 300)
    assert list(cheap.leaves()) == [cheap]
    assert cheap.parts == ()
    assert (str(cheap), str(kf.at_least("wait_days", 1.5))) == (
        "price_cad at most 300",
        "wait_days at least 1.5",
    )
    assert cheap.to_dict() == {"quantity": "price_cad", "at_most": 300.0}
    assert cheap != kf.at_least("price_cad", 300)
    assert kf.at_most("price_cad", 300).to_json() == kf.at_most("price_cad", 300.0).to_json()
    assert kf.at_most("price_cad", -0.0).to_json() == kf.at_most("price_cad", 0).to_json()
    assert kf.at_most("price of a session", 300).resolve(BUNDLED) == cheap
    with pytest.raises(UnknownTermError, match='"prise" is not a known quantity'):
        kf.at_most("prise", 300).resolve(BUNDLED)
    with pytest.raises(UnknownTermError, match='"virtuel" is not a known flag'):
        kf.flag("virtuel").resolve(BUNDLED)


@pytest.mark.parametrize(
    "number", [-1, float("nan"), float("inf"), True, "300", None, [300], 3 + 0j]
)
def test_a_bound_is_a_number_of_nought_or_more(number):
    for verb in (kf.at_most, kf.at_least):
        with pytest.raises(CriteriaError, match="price_cad: a bound is a number of 0 or more, not"):
            verb("price_cad", number)


@pytest.mark.parametrize("name", ["", " ", None, 3])
def test_a_quantity_is_named_by_text(name):
    with pytest.raises(CriteriaError, match="a quantity is a text"):
        kf.at_most(name, 3)


@pytest.mark.parametrize(
    "data",
    [
        {"quantity": "price_cad"},
        {"quantity": "price_cad", "at_most": 3, "at_least": 1},
        {"quantity": "price_cad", "at_most": 3, "unit": "CAD"},
        {"quantity": "price_cad", "at_most": "3"},
        {"quantity": ["price_cad"], "at_most": 3},
        {"at_most": 3},
    ],
)
def test_what_is_no_bound_is_refused_in_json(data):
    with pytest.raises(CriteriaError):
        kf.Criteria.from_dict(data)


@pytest.mark.parametrize("needed", [0, -1, 3, True, 1.0, "2", "all"])
def test_a_number_that_cannot_be_met_is_refused(needed):
    with pytest.raises(CriteriaError, match=r"at_least must be a whole number .*\(2\)"):
        kf.route("iv", "im", at_least=needed)


def test_terms_that_are_one_in_the_vocabulary_count_once():
    asked = kf.route("iv", "IV", at_least=2)
    with pytest.raises(CriteriaError, match="at_least=2 of 1 different routes"):
        asked.resolve(BUNDLED)
    assert kf.route("iv", "IV", all_of=True).resolve(BUNDLED) == IV


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kf.offers("route"), "no term is given"),
        (lambda: kf.offers("route", []), "no term is given"),
        (lambda: kf.offers(" ", "iv"), "a facet is a text"),
        (lambda: kf.offers(3, "iv"), "a facet is a text"),
        (lambda: kf.route("iv", " "), "' ' is not a term"),
        (lambda: kf.route(["iv", None]), "None is not a term"),
        (lambda: kf.route("iv", 5), "5 is not a term"),
        (lambda: kf.route({"iv": False}), "type dict is not a term"),
        (lambda: kf.route(np.array("iv")), "type ndarray is not a term"),
        (lambda: kf.route("iv", all_of=1), "all_of must be True or False"),
        (lambda: kf.route("iv", all_of=True, at_least=1), "all_of or at_least, not both"),
        (lambda: kf.no_service("iv"), "no_service takes criteria, not str"),
        (lambda: IV & "im", "criteria combine with criteria, not str"),
        (lambda: IV | None, "criteria combine with criteria, not NoneType"),
    ],
)
def test_what_is_not_criteria_is_refused_by_name(make, message):
    with pytest.raises(CriteriaError, match=message):
        make()


@pytest.mark.parametrize(
    "text",
    ['{"facet":"route","terms":["iv"],"terms":["im"]}', '{"not":{"everything":true},"not":{}}'],
)
def test_a_key_that_stands_twice_is_refused_by_name(text):
    with pytest.raises(CriteriaError, match="stands twice"):
        kf.Criteria.from_json(text)


def test_python_words_for_logic_are_refused():
    with pytest.raises(TypeError, match=r"combined with & \| ~, not with and"):
        bool(IV)


@pytest.mark.parametrize("wrap", [lambda d: {"not": d}, lambda d: {"and": [d]},
                                  lambda d: {"named": "a", "criteria": d}])  # fmt: skip
def test_nesting_is_read_up_to_the_limit_and_refused_beyond(wrap):
    data = IV.to_dict()
    for _ in range(MAX_DEPTH):
        data = wrap(data)
    assert list(kf.Criteria.from_dict(data).leaves()) == [IV]
    with pytest.raises(CriteriaError, match=f"nested deeper than {MAX_DEPTH} levels"):
        kf.Criteria.from_dict(wrap(data))


@pytest.mark.parametrize(
    "wrap", [lambda part: ~part, kf.no_service, lambda part: Labelled("a", part),
             lambda part: Labelled("a", part) & IV]
)  # fmt: skip
def test_nesting_is_combined_up_to_the_limit_and_refused_beyond(wrap):
    with pytest.raises(CriteriaError, match=f"nested deeper than {MAX_DEPTH} levels"):
        functools.reduce(lambda part, _: wrap(part), range(MAX_DEPTH + 1), IV)


@pytest.mark.parametrize("wrap", [lambda d: {"not": d}, lambda d: {"or": [d]},
                                  lambda d: {"named": "a", "criteria": d}])  # fmt: skip
def test_data_nested_beyond_what_python_follows_is_refused_by_name(wrap):
    data = functools.reduce(lambda inside, _: wrap(inside), range(100_000), IV.to_dict())
    with pytest.raises(CriteriaError, match=f"nested deeper than {MAX_DEPTH} levels"):
        kf.Criteria.from_dict(data)
    while isinstance(data, dict):  # taken apart by hand: Python would recurse
        [*_, data] = data.values()
        data = data[0] if isinstance(data, list) and isinstance(data[0], dict) else data


def test_a_named_expression_keeps_its_name_and_source_in_canonical_form():
    canonical = Labelled("team", kf.route("IV"), "rules").resolve(BUNDLED)
    assert canonical == Labelled("team", IV)
    assert (canonical.name, canonical.part, canonical.source) == ("team", IV, "rules")


def test_shorthands_join_what_is_asked_for_and_leave_out_what_is_not():
    assert shorthand(None) == shorthand(None, routes=None) == Everything()
    assert shorthand(IV) == shorthand(None, route="iv") == IV
    assert shorthand(IV, route=["im"], staff=None) == And((IV, IM))
    assert shorthand(None, virtual=True) == kf.flag("virtual")
    assert shorthand(IV, virtual=False) == And((IV, ~kf.flag("virtual")))
    with pytest.raises(CriteriaError, match="where takes criteria, not str"):
        shorthand("iv")


def test_a_chain_of_one_operator_is_no_deeper_however_long():
    for chain in (
        functools.reduce(operator.and_, [IV] * 500),
        functools.reduce(operator.or_, [IM] * 500),
    ):
        assert len(chain.parts) == 500
        assert kf.Criteria.from_json(chain.to_json()) == chain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "objects, not list"),
        ("null", "objects, not NoneType"),
        ('"iv"', "objects, not str"),
        ("{}", r"the keys \[\]"),
        ('{"xor": []}', r"the keys \['xor'\]"),
        ('{"and": []}', '"and" takes a list of one or more'),
        ('{"or": {}}', '"or" takes a list of one or more'),
        ('{"or": [1]}', "objects, not int"),
        ('{"not": []}', "objects, not list"),
        ('{"not": {"everything": true}, "or": []}', r"\['not', 'or'\]"),
        ('{"everything": false}', r"\['everything'\]"),
        ('{"everything": true, "x": 1}', r"\['everything', 'x'\]"),
        ('{"named": 1, "criteria": {"everything": true}}', r"\['criteria', 'named'\]"),
        ('{"named": "a", "criteria": {"everything": true}, "x": 1}', r"'named', 'x'\]"),
        ('{"facet": "route", "terms": "iv"}', '"terms" takes a list'),
        ('{"facet": "route", "terms": ["iv"], "x": 1}', r"\['facet', 'terms', 'x'\]"),
        ('{"facet": "route", "terms": []}', "no term is given"),
        ('{"facet": 1, "terms": ["iv"]}', "a facet is a text"),
        ('{"facet": "route", "terms": [["iv"]]}', "is not a term"),
        ('{"facet": "route", "terms": ["iv"], "at_least": 2}', "at_least must be"),
        ('{"facet": "route", "terms": ["iv"], "at_least": true}', "at_least must be"),
    ],
)
def test_hostile_json_is_refused_by_name(text, message):
    with pytest.raises(CriteriaError, match=message):
        kf.Criteria.from_json(text)


json_values = st.recursive(
    wrapped.map(kf.Criteria.to_dict) | st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(
        st.sampled_from(["and", "or", "not", "named", "criteria", "facet", "terms", "at_least",
                         "everything", "no_service", "x"]), inside, max_size=3),
)  # fmt: skip


@given(json_values)
def test_any_json_is_criteria_or_is_refused(data):
    try:
        read = kf.Criteria.from_dict(data)
    except CriteriaError:
        return
    assert kf.Criteria.from_dict(read.to_dict()) == read


def test_words_that_a_vocabulary_lacks_are_refused_unless_they_may_be_missing():
    strange = kf.offers("moon", "full")
    with pytest.raises(UnknownTermError):
        (strange | IV).resolve(BUNDLED)
    maybe = IfInVocabulary(strange).resolve(BUNDLED)
    assert maybe == NotInVocabulary(strange)
    assert list(maybe.leaves()) == []
    assert maybe.resolve(BUNDLED) is maybe
    assert IfInVocabulary(kf.route("IV")).resolve(BUNDLED) == IV


def test_criteria_read_as_a_sentence_and_bracket_what_is_joined_inside():
    assert str(IV & (IM | ~IV)) == "route iv and (route im or not route iv)"
    assert str(~(IV & IM)) == "not (route iv and route im)"
    assert str(kf.no_service(IV | IM)) == "no service with (route iv or route im)"
    some = kf.route("iv", "im", "oral", at_least=2)
    assert str(some) == "route 2 of (iv, im, oral)"
    assert str(kf.route("iv", "im")) == "route any of (iv, im)"
    assert str(kf.route("iv", "im", all_of=True)) == "route all of (iv, im)"
    assert str(Everything()) == "everything"
    assert str(Labelled("team", IV)) == "team"
    assert str(NotInVocabulary(IV)) == str(IfInVocabulary(IV)) == "route iv"


def test_a_join_of_equal_parts_is_the_part_and_unlike_joins_stay_apart():
    assert (IV & IV).resolve(BUNDLED) == (IV | IV).resolve(BUNDLED) == IV
    assert (IV & IM).resolve(BUNDLED) == And((IM, IV))
    assert ((IV | IM) & IV).resolve(BUNDLED).parts == (IV, Or((IM, IV)))
    assert list((IV & (IM | ~IV)).leaves()) == [IV, IM, IV]


def test_bytes_are_no_list_of_terms():
    with pytest.raises(CriteriaError, match="b'iv' is not a term"):
        kf.route(b"iv")


def test_everything_is_no_filter():
    directory = kf.load_directory()
    listed, same = directory.search(), directory.search(kf.criteria.everything())
    assert [one.clinic for one in same] == [one.clinic for one in listed] != []
    assert kf.Criteria.from_json(kf.criteria.everything().to_json()) == Everything()
