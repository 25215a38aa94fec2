"""Compiled filters are kept as long as there is room."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
import shapely

import ketafind as kf
from ketafind.errors import InvalidInputError, KetafindError
from ketafind.query import filter as filters

ROUTES = ("iv", "im", "intranasal", "oral", "sublingual", "subcutaneous")


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> kf.Directory:
    monkeypatch.setattr(filters, "MAX_FILTERS", 4)
    return kf.Directory.from_clinics(
        [kf.Clinic(clinic_id="a", name="A", services=(kf.Service(service_id="1"),))]
    )


def test_a_filter_that_was_asked_for_before_is_not_compiled_again(directory: kf.Directory) -> None:
    kept = [directory.filter(routes=route) for route in ROUTES[:4]]
    again = [directory.filter(routes=route) for route in ROUTES[:4]]
    assert all(one is other for one, other in zip(kept, again, strict=True))


def test_filters_are_let_go_where_there_is_no_room_for_more(directory: kf.Directory) -> None:
    made = [weakref.ref(directory.filter(routes=route)) for route in ROUTES]
    gc.collect()
    kept = [one() is not None for one in made]
    assert kept == [False, False, True, True, True, True]
    first = directory.filter(routes="iv")
    assert [match.clinic.clinic_id for match in directory.search(routes="iv", unknown="include")]
    assert first is directory.filter(routes="iv")


def test_a_filter_found_by_another_spelling_is_as_recent_as_the_one_asked_for(
    directory: kf.Directory,
) -> None:
    first = weakref.ref(directory.filter(routes="iv"))
    for route in ROUTES[1:4]:
        directory.filter(routes=route)
    assert directory.filter(routes="IV") is first()
    assert directory.filter(where=kf.route("iv")) is first()
    directory.filter(routes=ROUTES[4])
    gc.collect()
    assert first() is not None


def test_the_order_of_terms_makes_no_other_filter_and_what_may_change_is_read_each_time(
    directory: kf.Directory,
) -> None:
    one = directory.filter(routes=["iv", "im"])
    assert directory.filter(routes=("im", "iv")) is one
    assert directory.filter(routes={"iv", "im"}) is one
    assert directory.filter(routes=(route for route in ("iv", "im"))) is one
    assert directory.filter(routes=["iv", "im"], unknown="include") is not one
    assert directory.filter(routes=["iv"], unknown="exclude") is not one
    terms = ["iv"]
    before = directory.filter(routes=terms)
    terms.append("im")
    assert directory.filter(routes=terms) is one
    assert before is directory.filter(routes="iv")


def test_what_is_asked_for_is_neither_changed_nor_copied_nor_pickled_nor_shown(
    directory: kf.Directory,
) -> None:
    made = directory.filter(conditions="ptsd", unknown="include")
    with pytest.raises(AttributeError, match="unknown: a Filter cannot be changed"):
        made.unknown = "exclude"
    with pytest.raises(AttributeError, match="criteria: a Filter cannot be changed"):
        del made.criteria
    assert copy.copy(made) is copy.deepcopy(made) is made
    with pytest.raises(TypeError, match="a Filter is not pickled: it holds what somebody asked"):
        pickle.dumps(made)
    assert repr(made) == "<Filter unknown='include', 0 clinics eligible>"


IV = kf.Service(facts={"route": {"iv": kf.Truth.YES}})
IV_0 = replace(IV, service_id="0")
NONE = kf.Service(facts={"route": {"iv": kf.Truth.NO}})


def clinic(clinic_id: str, *services: kf.Service, up: float | None = None, **more) -> kf.Clinic:
    place = None if up is None else kf.Location(lat=44.0 + up, lon=-76.5)
    numbered = tuple(replace(one, service_id=str(n)) for n, one in enumerate(services))
    return kf.Clinic(clinic_id=clinic_id, name="x", services=numbered, location=place, **more)


def test_located_clinics_are_counted_by_their_truth_and_the_others_apart() -> None:
    directory = kf.Directory.from_clinics(
        [
            clinic("a", IV),
            clinic("b", IV, up=0.2),
            clinic("c", kf.Service(), up=0.1),
            clinic("d", kf.Service()),
            clinic("e", NONE, up=0.1),
            clinic("f", NONE),
            clinic("g", IV, up=0.3, status="closed"),
            clinic("h", IV, up=0.1, status="uncertain"),
        ]
    )
    located = {"exclude": ["b"], "include": ["c", "h", "b"], "only": ["c", "h"]}
    unlocated = {"exclude": ["a"], "include": ["a", "d"], "only": ["d"]}
    for unknown, ids in located.items():
        made = directory.filter(routes="iv", unknown=unknown)
        assert (made.n_eligible, made.n_possible, made.n_unlocated) == (len(ids), 2, 2)
        near = [directory.clinics[no].clinic_id for no in made.nearest(44.0, -76.5, 9)[1]]
        assert near == ids
        near = directory.nearest(
            kf.Coordinates(lat=44.0, lon=-76.5), routes="iv", unknown=unknown, max_distance_km=15.0
        )
        assert near.n_possible == 2
        within = made.nearest(44.0, -76.5, 9, 15.0)[1]
        assert [directory.clinics[no].clinic_id for no in within] == [
            one for one in ids if one != "b"
        ]
        found = [match.clinic.clinic_id for match in directory.search(routes="iv", unknown=unknown)]
        assert found == sorted(ids + unlocated[unknown])


def test_the_service_that_answers_is_the_first_of_those_with_the_highest_truth() -> None:
    two = replace(IV, facts={"route": {"iv": kf.Truth.YES}, "condition": {"ptsd": kf.Truth.YES}})
    directory = kf.Directory.from_clinics(
        [clinic("a", NONE, kf.Service(), IV, two), clinic("b", NONE, kf.Service(), kf.Service()),
         clinic("c", NONE, NONE), clinic("d", kf.Service(), IV)]
    )  # fmt: skip
    services = {
        match.clinic.clinic_id: match.service.service_id
        for match in directory.search(routes="iv", unknown="include")
    }
    assert services == {"a": "2", "b": "1", "d": "1"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"virtual": "yes"}, r"virtual= takes True, False \(stated not to be so\) or None"),
        ({"routes": True}, "routes= takes a term or several"),
        ({"price_cad": 300}, r"price_cad= is a number: write where=ketafind.at_most\('price_cad'"),
        ({"router": None}, r"router= is no argument of this query, which is by straight distance"),
        ({"max_time_min": 5}, r"write nearest\(origin, k, router=..., max_time_min=...\)"),
        ({"threshold_km": 5}, r"did you mean thresholds_km=\?"),
        ({"max_km": 5}, r"max_km= is no argument of this query; did you mean max_distance_km=\?"),
        ({"max_time": 5}, r"max_time= is no argument of this query; did you mean max_time_min=\?"),
        ({"limit": 5}, r"limit= is no argument of this query; did you mean k=\?"),
        ({"query": "iv"}, r"query= is no argument of this query; did you mean where=\?"),
        ({"rout": "iv"}, 'and "rout" is not a known facet; did you mean "route"'),
        ({"distance_col": "d"}, 'and "distance_col" is not a known facet'),
        ({"size": 5}, 'size= is no argument of this query, and "size" is not a known facet'),
        ({"rutes": "iv"}, 'rutes= is no argument of this query, and "rutes" is not a known facet'),
        ({"rutes": None}, 'rutes= is no argument of this query, and "rutes" is not a known facet'),
        ({"where": {"facet": "route", "terms": ["iv"]}}, "where takes criteria, not dict"),
        ({"where": ["iv"], "routes": "iv"}, "where takes criteria, not list"),
        ({"where": "iv"}, "where takes criteria, not str"),
        ({"unknown": "maybe"}, "unknown='maybe'|\"maybe\""),
        ({"unknown": ["only"]}, "choose 'exclude', 'include', 'only'"),
    ],
)
def test_what_is_no_filter_is_refused_with_what_to_write(asked: dict, message: str) -> None:
    with pytest.raises(KetafindError, match=message):
        kf.load_directory().filter(**asked)
    assert kf.load_directory().filter(routes=None).criteria == kf.load_directory().filter().criteria


def test_the_five_nearest_are_found_unless_another_number_is_asked_for() -> None:
    directory = kf.Directory.from_clinics([clinic(f"{n}", IV, up=n / 10) for n in range(9)])
    assert directory.filter(routes="iv").nearest(44.0, -76.5)[1] == [0, 1, 2, 3, 4]
    assert directory.filter(routes="iv").nearest(44.0, -76.5, 2)[1] == [0, 1]


def test_a_filter_cannot_be_written_through_and_knows_its_policies() -> None:
    directory = kf.load_directory()
    for unknown in ("exclude", "include", "only"):
        assert not directory.filter(routes="iv", unknown=unknown)._bits.flags.writeable
    made = directory.filter()
    with pytest.raises(InvalidInputError, match="choose 'exclude', 'include', 'only'"):
        filters.Filter(made._catalogue, made.criteria, "maybe")


def test_clinics_outside_an_area_are_said_to_be_so_and_nobody_is_to_ask_them() -> None:
    chance = random.Random(3)
    ups = [chance.choice([0.05, 0.5]) for _ in range(40)]
    truths = [chance.choice([IV, kf.Service()]) for _ in ups]
    clinics = [
        clinic(f"{n:02}", one, up=up) for n, (up, one) in enumerate(zip(ups, truths, strict=True))
    ]
    answer = kf.Directory.from_clinics(clinics).inside(
        shapely.box(-77, 43.9, -76, 44.1), routes="iv"
    )
    inside = [one for one, up in zip(clinics, ups, strict=True) if up < 0.1]
    assert [match.clinic for match in answer] == [one for one in inside if one.services[0] == IV_0]
    for one, up in zip(clinics, ups, strict=True):
        if one.services[0] == IV_0:
            outcome = answer.why_not(one.clinic_id).to_dict()["outcome"]
            assert outcome == ("listed" if up < 0.1 else "outside")
    for one in answer[1:]:
        assert answer[:1].why_not(one.clinic.clinic_id).to_dict()["outcome"] == "beyond"
    asked = [one["clinic_id"] for one in answer.questions(limit=99).to_dict()["clinics"]]
    assert sorted(asked) == [one.clinic_id for one in inside if one.services[0] != IV_0]


@pytest.mark.parametrize("n", [0, 10_000, 1_000_000, 10_000_000, 1_000_000_000])
def test_filters_take_64_mebibytes_at_the_most_but_there_are_always_four(n: int) -> None:
    catalogue = SimpleNamespace(clinics=range(n))
    kept = filters.FilterCache(catalogue)._capacity // 2
    assert 4 <= kept <= 1024
    assert kept == 4 or kept * 6 * n / 8 <= 64 * 2**20
    assert kept == 1024 or (kept + 1) * 6 * (n / 8 + 100) > 64 * 2**20
