"""The verbs of a directory equal a plain scan, for any clinics, criteria, policy and origin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
import oracle
from ketafind.errors import CriteriaError, InvalidInputError, UnknownTermError
from ketafind.geo import geodesic_km
from oracle import TERMS, UNITS
from strategies import clinic_lists, criteria, examples, expressions, numbers, origins, policies


def directory_of(clinics) -> kf.Directory:
    return kf.Directory.from_clinics(clinics, check=False)


@examples(5)
@given(clinic_lists(), expressions, policies, origins, st.integers(1, 8))
def test_nearest_within_and_search_equal_a_plain_scan(clinics, expression, unknown, origin, k):
    directory = directory_of(clinics)
    where = criteria(expression)
    found = directory.search(where=where, unknown=unknown)
    assert [m.clinic.clinic_id for m in found] == oracle.search(clinics, expression, unknown)
    assert all(str(m.truth) == oracle.truth(expression, m.clinic) for m in found)
    everyone = oracle.within(clinics, expression, unknown, origin)
    near = directory.nearest(origin, k, where=where, unknown=unknown, check=False)
    oracle.assert_same_order(near, everyone[:k], origin)
    assert near.n_eligible == len(everyone)
    radius_km = oracle.distance_km(origin, everyone[k - 1]) if len(everyone) >= k else 5000.0
    around = directory.within(origin, radius_km, where=where, unknown=unknown, check=False)
    oracle.assert_same_order(
        around, oracle.within(clinics, expression, unknown, origin, radius_km), origin
    )


@given(clinic_lists(), expressions, policies, st.lists(origins, max_size=4), st.integers(1, 4))
def test_the_array_answers_are_the_single_answers(clinics, expression, unknown, places, k):
    directory = directory_of(clinics)
    passing = directory.filter(criteria(expression), unknown=unknown)
    lat, lon = [p.lat for p in places], [p.lon for p in places]
    distance_km, position = directory.nearest_arrays(lat, lon, k, where=passing)
    assert distance_km.shape == position.shape == (len(places), k)
    assert (distance_km.dtype, position.dtype) == (np.float64, np.intp)
    for row, origin in enumerate(places):
        near = directory.nearest(origin, k, where=passing, check=False)
        n = len(near)
        assert [directory.clinics[p] for p in position[row, :n]] == [m.clinic for m in near]
        assert distance_km[row, :n].tolist() == [m.distance_km for m in near]
        alone = passing.nearest(origin.lat, origin.lon, k)
        assert alone == (distance_km[row, :n].tolist(), position[row, :n].tolist())
        assert np.isnan(distance_km[row, n:]).all()
        assert (position[row, n:] == -1).all()


@given(clinic_lists(), expressions, policies, st.randoms())
def test_row_order_does_not_matter(clinics, expression, unknown, random):
    shuffled = random.sample(clinics, len(clinics))
    one, other = directory_of(clinics), directory_of(shuffled)
    assert one.snapshot == other.snapshot
    where = criteria(expression)
    ids = [
        [m.clinic.clinic_id for m in d.search(where=where, unknown=unknown)] for d in (one, other)
    ]
    assert ids[0] == ids[1]


@given(clinic_lists(), expressions, policies, origins, st.integers(1, 4), st.integers(1, 4))
def test_more_goes_on_where_the_page_ends(clinics, expression, unknown, origin, k, next_k):
    directory = directory_of(clinics)
    passing = directory.filter(criteria(expression), unknown=unknown)
    first = directory.nearest(origin, k, where=passing, check=False)
    both = [*first, *first.more(next_k)]
    whole = directory.nearest(origin, k + next_k, where=passing, check=False)
    assert [(m.rank, m.clinic) for m in both] == [(m.rank, m.clinic) for m in whole]


@given(clinic_lists(), expressions, policies, origins, st.integers(0, 14))
def test_an_offset_gives_the_page_that_more_would(clinics, expression, unknown, origin, offset):
    directory = directory_of(clinics)
    asked = {"where": criteria(expression), "unknown": unknown}
    box = shapely.box(-80.0, 40.0, 0.0, 60.0)
    pages = [
        (
            directory.nearest(origin, 3, offset=offset, check=False, **asked),
            directory.nearest(origin, offset + 3, check=False, **asked),
        ),
        (
            directory.within(origin, 9000.0, offset=offset, check=False, **asked),
            directory.within(origin, 9000.0, check=False, **asked),
        ),
        (
            directory.inside(box, offset=offset, check=False, **asked),
            directory.inside(box, check=False, **asked),
        ),
        (directory.search(offset=offset, **asked), directory.search(**asked)),
    ]
    for page, whole in pages:
        wanted = [(m.rank, m.clinic.clinic_id, m.distance_km) for m in whole][offset:]
        assert [(m.rank, m.clinic.clinic_id, m.distance_km) for m in page] == wanted
        assert page.n_eligible == whole.n_eligible


@pytest.mark.parametrize("offset", [-1, 1.5, True, "1", None])
def test_an_offset_that_is_no_count_is_refused(offset):
    with pytest.raises(InvalidInputError, match="offset must be a whole number, 0 or more"):
        kf.load_directory().search(offset=offset)


@given(clinic_lists(), expressions, expressions, origins)
def test_another_criterion_never_brings_a_nearer_match(clinics, one, other, origin):
    directory = directory_of(clinics)
    few = directory.nearest(origin, 1, where=criteria(one) & criteria(other), check=False)
    many = directory.nearest(origin, 1, where=criteria(one), check=False)
    assert len(few) <= len(many)
    assert all(m.distance_km <= f.distance_km for m, f in zip(many, few, strict=False))


@given(clinic_lists(), expressions, policies)
def test_inside_a_box_equals_a_plain_scan(clinics, expression, unknown):
    box = shapely.box(-80.0, 40.0, 0.0, 60.0)
    asked = {"where": criteria(expression), "unknown": unknown, "check": False}
    found = directory_of(clinics).inside(box, **asked)
    passing = oracle.search(clinics, expression, unknown)
    expected = [
        clinic.clinic_id
        for clinic in sorted(clinics, key=lambda c: c.clinic_id)
        if clinic.clinic_id in passing
        and clinic.location is not None
        and -80 <= clinic.location.lon <= 0
        and 40 <= clinic.location.lat <= 60
    ]
    assert [m.clinic.clinic_id for m in found] == expected


@given(clinic_lists(), st.sampled_from(TERMS["flag"]), st.booleans(), policies)
def test_a_flag_as_a_keyword_asks_for_yes_or_for_a_stated_no(clinics, name, wanted, unknown):
    directory = directory_of(clinics)
    asked = ("offers", "flag", (name,), 1)
    expected = oracle.search(clinics, asked if wanted else ("not", asked), unknown)
    found = directory.search(**{name: wanted}, unknown=unknown)
    assert [m.clinic.clinic_id for m in found] == expected
    assert len(directory.search(**{name: None})) == len(directory.search())


def test_keywords_take_what_they_are_for():
    directory = kf.load_directory()
    for wrong in ("yes", 1, ["yes"], ""):
        with pytest.raises(CriteriaError, match="virtual= takes True, False"):
            directory.search(virtual=wrong)
    with pytest.raises(CriteriaError, match="routes= takes a term or several, not True"):
        directory.filter(routes=True)
    with pytest.raises(UnknownTermError, match="virtuall= is no argument"):
        directory.nearest("Ottawa", virtuall=True)
    assert directory.filter(virtual=True) is directory.filter(kf.flag("virtual"))
    assert directory.filter(virtual=False) is directory.filter(~kf.flag("virtual"))


@given(clinic_lists(), st.sampled_from(sorted(UNITS)), numbers, numbers, policies)
def test_a_wider_bound_loses_no_match_and_both_sides_are_opposites(
    clinics, quantity, one, other, unknown
):
    directory = directory_of(clinics)

    def found(where):
        return [m.clinic.clinic_id for m in directory.search(where, unknown=unknown)]

    low, high = sorted((one, other))
    if unknown != "only":
        assert set(found(kf.at_most(quantity, low))) <= set(found(kf.at_most(quantity, high)))
        assert set(found(kf.at_least(quantity, high))) <= set(found(kf.at_least(quantity, low)))
    stated = {
        s.quantities[quantity] for c in clinics for s in c.services if quantity in s.quantities
    }
    if low not in {end for size in stated for end in oracle.stated_ends(size)}:
        assert found(kf.at_most(quantity, low)) == found(~kf.at_least(quantity, low))


@given(expressions)
def test_criteria_survive_json(expression):
    where = criteria(expression)
    assert kf.Criteria.from_json(where.to_json()) == where


@given(expressions, expressions)
def test_order_and_spelling_do_not_change_the_canonical_form(one, other):
    words = kf.load_directory().vocabulary
    a, b = criteria(one), criteria(other)
    assert (a & b).resolve(words) == (b & a).resolve(words)
    assert (a | b | a).resolve(words) == (b | a).resolve(words)
    assert (~~a).resolve(words) == a.resolve(words)


def at(clinic_id: str, lat: float = 44.0, lon: float = -79.0, **more) -> kf.Clinic:
    routes = more.pop("routes", {})
    service = kf.Service(facts={"route": {r: kf.Truth(t) for r, t in routes.items()}})
    return kf.Clinic(
        clinic_id=clinic_id,
        name=clinic_id,
        services=more.pop("services", (service,)),
        location=kf.Location(lat=lat, lon=lon, radius_km=more.pop("radius_km", 0.0)),
        **more,
    )


HERE = kf.Coordinates(lat=44.0, lon=-79.0)


def test_a_far_clinic_that_passes_comes_before_sixty_near_ones_that_fail():
    near = [at(f"near-{n}", routes={"im": "yes"}) for n in range(60)]
    directory = kf.Directory.from_clinics([*near, at("far", lat=48.0, routes={"iv": "yes"})])
    assert [m.clinic.clinic_id for m in directory.nearest(HERE, 5, routes="iv")] == ["far"]


def test_one_service_must_satisfy_the_whole_criteria():
    yes = kf.Truth.YES
    services = (
        kf.Service(service_id="a", facts={"route": {"iv": yes}}, complete=frozenset({"condition"})),
        kf.Service(
            service_id="b", facts={"condition": {"ptsd": yes}}, complete=frozenset({"route"})
        ),
    )
    directory = kf.Directory.from_clinics([at("one", services=services)])
    assert len(directory.nearest(HERE, routes="iv")) == 1
    assert len(directory.nearest(HERE, conditions="ptsd")) == 1
    assert len(directory.nearest(HERE, routes="iv", conditions="ptsd", unknown="include")) == 0


def test_a_thousand_clinics_on_one_point_come_by_id_and_exactly_k():
    directory = kf.Directory.from_clinics([at(f"{n:04}") for n in range(1000)])
    assert [m.clinic.clinic_id for m in directory.nearest(HERE, 3)] == ["0000", "0001", "0002"]


def test_a_parent_that_is_yes_leaves_its_child_unknown():
    directory = kf.Directory.from_clinics([at("a", routes={"oral": "yes"})])
    assert len(directory.nearest(HERE, routes="sublingual")) == 0
    match = directory.nearest(HERE, routes="sublingual", unknown="include")[0]
    assert match.truth == kf.Truth.UNKNOWN


def test_closed_clinics_never_match_and_uncertain_ones_are_unknown():
    clinics = [at("open"), at("maybe", status="uncertain"), at("shut", status="closed")]
    directory = kf.Directory.from_clinics(clinics)
    listed = {
        policy: [m.clinic.clinic_id for m in directory.search(unknown=policy)]
        for policy in ("exclude", "include", "only")
    }
    assert listed == {"exclude": ["open"], "include": ["maybe", "open"], "only": ["maybe"]}
    closed = directory.search(where=~kf.route("iv"), unknown="include")
    assert "shut" not in [m.clinic.clinic_id for m in closed]


def test_facts_that_contradict_each_other_are_refused_with_the_clinic_and_the_term():
    with pytest.raises(kf.errors.DataError, match=r"clinic 'a'.*yes and no of route oral"):
        kf.Directory.from_clinics([at("a", routes={"oral": "no", "sublingual": "yes"})])


def test_two_clinics_with_one_id_are_refused():
    with pytest.raises(kf.errors.DataError, match="share this id"):
        kf.Directory.from_clinics([at("a"), at("a", lat=45.0)])


@pytest.mark.parametrize("empty", [[], "", " ", set(), ()])
def test_an_empty_filter_is_an_error_and_none_is_no_filter(empty):
    directory = kf.Directory.from_clinics([at("a")])
    with pytest.raises(CriteriaError):
        directory.nearest(HERE, routes=empty)
    assert len(directory.nearest(HERE, routes=None)) == 1


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None, "5", float("nan")])
def test_k_must_be_a_whole_number_from_one_up(k):
    with pytest.raises(InvalidInputError, match="k must be a whole number"):
        kf.Directory.from_clinics([at("a")]).nearest(HERE, k)


@pytest.mark.parametrize("radius", [-1, float("nan"), "5", True, None])
def test_a_radius_must_be_a_number_of_kilometres(radius):
    with pytest.raises(InvalidInputError, match="radius_km must be a number of kilometres"):
        kf.Directory.from_clinics([at("a")]).within(HERE, radius)


def test_unknown_words_are_refused_with_a_suggestion():
    directory = kf.Directory.from_clinics([at("a")])
    with pytest.raises(UnknownTermError, match=r"intravenous|iv"):
        directory.nearest(HERE, routes="intraveneous")
    with pytest.raises(UnknownTermError):
        directory.nearest(HERE, colour="red")
    with pytest.raises(InvalidInputError, match="'exclude', 'include', 'only'"):
        directory.nearest(HERE, unknown="maybe")


def test_criteria_refuse_and_or_and_not():
    with pytest.raises(TypeError, match=r"& \| ~"):
        bool(kf.route("iv"))
    with pytest.raises(CriteriaError, match="combine with criteria"):
        kf.route("iv") & "im"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"and": []}', '{"facet": 1, "terms": [], "at_least": 1}', "nul", "[" * 9],
)
def test_json_that_is_no_criteria_is_refused(text):
    with pytest.raises(CriteriaError):
        kf.Criteria.from_json(text)


def test_a_swapped_origin_is_refused_unless_it_is_meant():
    directory = kf.Directory.from_clinics([at("a")])
    swapped = kf.Coordinates(lat=-79.0, lon=44.0)
    with pytest.raises(kf.errors.CoordinatesError, match="swapped") as caught:
        directory.nearest(swapped)
    assert "79" not in str(caught.value)
    assert len(directory.nearest(swapped, check=False)) == 1
    far = kf.Coordinates(lat=-33.9, lon=151.2)
    assert len(directory.nearest(far)) == 1


def test_one_may_search_from_where_the_equator_meets_greenwich():
    """A clinic is never there, and a row of a table is most often a blank: only an origin may be."""
    directory = kf.load_directory()
    zero = kf.Coordinates(lat=0.0, lon=0.0)
    assert len(directory.nearest(zero, 2)) == len(directory.within(zero, 20_000)[:2]) == 2
    assert len(directory.inside(shapely.box(-1, -1, 1, 1))) == 0
    with pytest.raises(kf.errors.CoordinatesError, match="lat and lon are both zero"):
        kf.nearest_join(pd.DataFrame({"lat": [0.0], "lon": [0.0]}), directory)


def test_clinics_without_a_position_are_counted_and_searchable_and_never_ranked():
    lost = kf.Clinic(clinic_id="lost", name="Lost")
    directory = kf.Directory.from_clinics([at("a"), lost])
    near = directory.nearest(HERE)
    assert [m.clinic.clinic_id for m in near] == ["a"]
    assert (near.n_eligible, near.n_unlocated) == (1, 1)
    assert [m.clinic.clinic_id for m in directory.search()] == ["a", "lost"]
    assert not near.order_certain


def test_the_order_is_certain_only_where_no_intervals_overlap():
    sharp = [at("a", lat=44.1), at("b", lat=44.2), at("c", lat=44.3)]
    assert kf.Directory.from_clinics(sharp).nearest(HERE, 2).order_certain
    vague = [at("a", lat=44.1), at("b", lat=44.2), at("c", lat=44.3, radius_km=20.0)]
    assert not kf.Directory.from_clinics(vague).nearest(HERE, 2).order_certain
    far_and_vague = kf.Directory.from_clinics([*sharp, at("d", lat=44.4, radius_km=90.0)])
    first = far_and_vague.nearest(HERE, 1)
    assert not first.order_certain
    assert [clinic.clinic_id for clinic in first[0].swaps] == ["d"]
    frame = pd.DataFrame({"lat": [HERE.lat], "lon": [HERE.lon]})
    joined = kf.nearest_join(frame, far_and_vague, columns=["order_certain"])
    assert joined["order_certain"].tolist() == [False]
    doubtful = [*sharp, at("d", lat=44.15, status="uncertain")]
    assert not kf.Directory.from_clinics(doubtful).nearest(HERE, 2).order_certain
    assert kf.Directory.from_clinics(doubtful).nearest(HERE, 1).order_certain


def test_intervals_hold_the_distance_and_vanish_where_both_places_are_exact():
    directory = kf.Directory.from_clinics([at("a", lat=44.1, radius_km=5.0), at("b", lat=45.0)])
    near, far = directory.nearest(HERE, 2)
    assert near.distance_low_km < near.distance_km < near.distance_high_km
    assert far.distance_low_km == far.distance_km == far.distance_high_km


def test_the_same_question_is_compiled_once():
    directory = kf.load_directory()
    assert directory.filter(routes="iv") is directory.filter(routes="IV")
    assert directory.filter(routes=["im", "iv"]) is directory.filter(kf.route("iv", "im"))


def test_a_generator_of_terms_is_read_each_time():
    directory = kf.Directory.from_clinics([at("a", routes={"iv": "yes"})])
    for term, n in [("iv", 1), ("im", 0)] * 3:
        assert len(directory.search(routes=(t for t in [term]))) == n


def test_a_filter_of_another_directory_is_refused():
    passing = kf.Directory.from_clinics([at("a")]).filter(routes="iv")
    with pytest.raises(InvalidInputError, match="another directory"):
        kf.Directory.from_clinics([at("a")]).nearest(HERE, where=passing)


@pytest.mark.parametrize("origin", [None, 5, (44.0, -79.0), [44.0, -79.0], b"x"])
def test_an_origin_of_another_kind_is_refused(origin):
    with pytest.raises(InvalidInputError, match="an origin is a text"):
        kf.load_directory().nearest(origin)


@pytest.mark.parametrize(
    "text", ["Zqxzqx", "12345 Nowhere-Zqx St", "", "   ", "Paris, France", "London, UK", "Sydenham"]
)
def test_an_origin_that_cannot_be_placed_is_never_shown(text):
    with pytest.raises(kf.errors.GeocodingError) as caught:
        kf.load_directory().nearest(text)
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    for word in (word for word in text.replace(",", " ").split() if len(word) > 3):
        assert word.lower() not in str(error).lower()
    assert "origin could not be placed" in str(error)


def test_a_quantity_as_a_keyword_says_how_numbers_are_asked_for():
    with pytest.raises(CriteriaError, match=r"where=ketafind\.at_most\('price_cad', \.\.\.\)"):
        kf.load_directory().nearest("Kingston, ON", price_cad=300)


@pytest.mark.parametrize(
    ("lat", "lon", "how"),
    [
        (-79.0, 44.0, "with lat and lon swapped"),
        (44.0, 79.0, "with the sign of lon changed"),
        (-44.0, -79.0, "with the sign of lat changed"),
        (-44.0, 79.0, "with both signs changed"),
        (79.0, 44.0, "with lat and lon swapped and the sign of lon changed"),
        (-79.0, -44.0, "with lat and lon swapped and the sign of lat changed"),
    ],
)
def test_an_origin_typed_wrong_is_told_which_change_brings_it_near(lat, lon, how):
    clinic = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=44.0, lon=-79.0))
    directory = kf.Directory.from_clinics([clinic])
    with pytest.raises(kf.errors.CoordinatesError, match=f"clinic; {how} it would lie within 500"):
        directory.nearest(kf.Coordinates(lat=lat, lon=lon))


@pytest.mark.parametrize(
    ("clinic_lat", "lat", "is_refused"),
    [
        # 2,000 km from the clinic, and near it on the other side of the equator.
        (9.0, -9.083, False),
        (9.0, -9.092, True),
        # Far enough, and 500 km from the clinic on the other side.
        (12.0, -7.486, True),
        (12.0, -7.477, False),
    ],
)
def test_an_origin_is_far_from_2000_km_and_near_to_500(clinic_lat, lat, is_refused):
    clinic = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=clinic_lat, lon=20.0))
    directory, origin = kf.Directory.from_clinics([clinic]), kf.Coordinates(lat=lat, lon=20.0)
    far, there = (geodesic_km(clinic_lat, 20.0, one, 20.0) for one in (lat, -lat))
    assert (far > 2000 and there <= 500) == is_refused
    assert min(abs(far - 2000), abs(there - 500)) < 0.8
    if is_refused:
        with pytest.raises(kf.errors.CoordinatesError, match="sign of lat changed"):
            directory.nearest(origin)
    else:
        assert len(directory.nearest(origin)) == 1


@pytest.mark.parametrize(
    ("bounds", "is_refused"),
    [
        ((-180, -90, 180, 90), False),
        ((-180.5, 40, -79, 50), True),
        ((-79, 40, 180.5, 50), True),
        ((-90, -90.5, -80, 50), True),
        ((-90, 40, -80, 90.5), True),
    ],
)
def test_a_polygon_lies_on_the_earth_in_degrees(bounds, is_refused):
    clinic = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=44.0, lon=-79.5))
    directory = kf.Directory.from_clinics([clinic])
    if is_refused:
        with pytest.raises(kf.errors.CoordinatesError, match="does not lie in lon -180 to 180"):
            directory.inside(shapely.box(*bounds))
    else:
        assert directory.inside(shapely.box(*bounds)).n_eligible == 1


def test_an_id_that_is_not_there_is_told_the_first_three_that_hold_it_or_are_like_it():
    ids = [f"kingston-{one}" for one in "abcd"] + ["ottawa-1"]
    directory = kf.Directory.from_clinics(kf.Clinic(clinic_id=one, name=one) for one in ids)
    for asked, wanted in (
        ("kingston", tuple(ids[:3])),
        (" Kingston  D", ("kingston-d",)),
        ("ottowa-1", ("ottawa-1",)),
        ("ot", ()),
        ("tawa", ("ottawa-1",)),
    ):
        with pytest.raises(kf.errors.UnknownClinicError) as unknown:
            directory[asked]
        assert unknown.value.suggestions == wanted
        assert all(repr(one) in str(unknown.value) for one in wanted)
