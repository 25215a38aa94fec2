"""Pages of an answer: slices, records, frames, and when their order is certain."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import NotRequired, get_origin, get_type_hints

import pandas as pd
import pytest
import shapely
from hypothesis import assume, example, given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import InvalidInputError
from ketafind.geo import geodesic_km
from strategies import clinic_lists, criteria, examples, expressions, origins, policies

# Each example makes directories and asks them in several ways.
FEWER = examples(1 / 4)

HERE = kf.Coordinates(lat=44.2, lon=-76.5)
ends = st.none() | st.integers(-8, 8)


def ids_of(matches) -> list[tuple[int, str]]:
    return [(match.rank, match.clinic.clinic_id) for match in matches]


@FEWER
@given(clinic_lists(), expressions, policies, origins, st.integers(1, 8), ends, ends)
def test_a_slice_is_a_page_of_the_same_order(clinics, expression, unknown, origin, k, start, stop):
    directory = kf.Directory.from_clinics(clinics, check=False)
    where = criteria(expression)
    whole = directory.nearest(origin, k, where=where, unknown=unknown, check=False)
    part = whole[start:stop]
    assert isinstance(part, kf.Matches)
    assert ids_of(part) == ids_of(list(whole)[start:stop])
    assert [m.distance_km for m in part] == [m.distance_km for m in list(whole)[start:stop]]
    assert part.to_dict()["matches"] == whole.to_dict()["matches"][start:stop]
    assert (part.n_eligible, part.criteria) == (whole.n_eligible, whole.criteria)
    assert ids_of(whole[:]) == ids_of(whole)
    assert whole[:].to_dict() == whole.to_dict()
    if part:
        # The next in the order, whether the page held it or not.
        every = directory.nearest(origin, k + 9, where=where, unknown=unknown, check=False)
        end = part[-1].rank
        assert ids_of(part.more(2)) == ids_of(every)[end : end + 2]
        assert str(part.explain())
        assert str(part.why_not(part[0].clinic.clinic_id))


@FEWER
@given(
    st.lists(st.tuples(st.floats(0.0, 0.5), st.sampled_from([0.0, 2.0, 9.0])), max_size=8),
    st.integers(0, 8),
    st.integers(0, 8),
)
@example([(0.1, 2.0), (0.11, 0.0)], 1, 2)
@example([(0.1, 2.0), (0.11, 0.0)], 0, 1)
@example([(0.1, 0.0), (0.3, 0.0), (0.31, 2.0)], 0, 1)
def test_the_order_of_a_page_is_certain_where_no_interval_meets_one_of_it(places, start, stop):
    clinics = [
        kf.Clinic(
            clinic_id=str(n), name="x", location=kf.Location(lat=44.2 + up, lon=-76.5, radius_km=km)
        )
        for n, (up, km) in enumerate(places)
    ]
    whole = kf.Directory.from_clinics(clinics, check=False).nearest(HERE, 9, check=False)
    page = whole[start:stop]
    on_page = {match.rank for match in page}
    spans = [(match.rank, match.distance_low_km, match.distance_high_km) for match in whole]
    meet = any(
        low <= other_high and other_low <= high
        for (one, low, high), (other, other_low, other_high) in combinations(spans, 2)
        if one in on_page or other in on_page
    )
    if page:
        assert page.order_certain == (not meet)


def clinic_at(clinic_id: str, up: float | None, km: float = 0.0, truth: str = "yes") -> kf.Clinic:
    """A clinic north of HERE by degrees, known within a radius, that offers IV: yes, no, unknown."""
    facts = {} if truth == "unknown" else {"route": {"iv": kf.Truth(truth)}}
    return kf.Clinic(
        clinic_id=clinic_id,
        name=clinic_id,
        services=(kf.Service(facts=facts),),
        location=None if up is None else kf.Location(lat=44.2 + up, lon=-76.5, radius_km=km),
    )


def overlap(one: kf.Match, other: kf.Match) -> bool:
    return one.distance_low_km <= other.distance_high_km and (
        other.distance_low_km <= one.distance_high_km
    )


places = st.tuples(
    st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5]) | st.floats(0.0, 0.6),
    st.sampled_from([0.0, 0.0, 2.0, 9.0, 40.0]),
    st.sampled_from(["yes", "yes", "unknown", "no"]),
)


@FEWER
@given(st.lists(places, max_size=12), st.integers(1, 5), st.sampled_from([0.0, 3.0]),
       st.none() | st.sampled_from([12.0, 30.0]), policies)  # fmt: skip
@example([(0.1, 0.0, "yes"), (0.3, 40.0, "yes")], 1, 0.0, None, "exclude")
@example([(0.1, 0.0, "yes"), (0.2, 0.0, "yes"), (0.5, 40.0, "unknown")], 2, 0.0, None, "exclude")
@example([(0.1, 0.0, "unknown")] * 5, 1, 0.0, 30.0, "exclude")
@example([(0.1, 0.0, "yes"), (0.1, 0.0, "unknown")], 1, 0.0, None, "exclude")
@example([(0.1, 9.0, "yes"), (0.2, 9.0, "yes"), (0.3, 9.0, "yes")], 2, 0.0, 30.0, "include")
def test_all_that_an_answer_says_of_itself_follows_from_the_whole_order(
    chosen, k, radius_km, limit_km, unknown
):
    clinics = [clinic_at(f"{n:02}", *place) for n, place in enumerate(chosen)]
    directory = kf.Directory.from_clinics(clinics, check=False)
    here = kf.Location(lat=44.2, lon=-76.5, radius_km=radius_km)

    def whole(unknown: str, limit_km: float | None = None) -> kf.Matches:
        more = {"routes": "iv", "unknown": unknown, "check": False}
        return directory.nearest(here, 99, max_distance_km=limit_km, **more)

    answer = directory.nearest(
        here, k, routes="iv", unknown=unknown, max_distance_km=limit_km, check=False
    )
    every = whole(unknown)
    inside, maybe_inside = whole(unknown, limit_km), whole("only", limit_km)
    ids = [match.clinic.clinic_id for match in answer]
    assert ids == [match.clinic.clinic_id for match in inside][:k]
    assert (answer.n_eligible, answer.n_possible) == (len(inside), len(maybe_inside))

    counts = (answer.n_certainly_inside, answer.n_possibly_inside)
    assert counts == (
        (None, None)
        if limit_km is None
        else (
            sum(match.distance_high_km <= limit_km for match in every),
            sum(match.distance_low_km <= limit_km for match in every),
        )
    )

    # UNKNOWN clinics before the last one listed, by distance to a micrometre and then by id.
    def place(match: kf.Match) -> tuple[float, str]:
        return round(match.distance_km * 1e9), match.clinic.clinic_id

    last = max(map(place, answer), default=(math.inf, ""))
    before = [m.clinic.clinic_id for m in maybe_inside if place(m) < last]
    nearer = [match.clinic.clinic_id for match in answer.nearer_possible]
    assert nearer == (before[:3] if unknown == "exclude" else [])

    # Neighbours: those listed, and the first clinic after them that may be nearer than one.
    farthest = max((match.distance_high_km for match in answer), default=0.0)
    later = [m for m in inside[len(answer) :] if len(answer) == k and m.distance_low_km <= farthest]
    for match in answer:
        beside = [m for m in [*answer, *later[:1]] if m.rank != match.rank and overlap(m, match)]
        assert [one.clinic_id for one in match.swaps] == [m.clinic.clinic_id for m in beside]

    # Whatever may come in between, and where clinics are left out as unknown.
    for match in every:
        missed = answer.why_not(match.clinic.clinic_id).to_dict()
        assert missed["rank"] == match.rank


def test_an_order_is_certain_where_nothing_known_less_well_lies_farther_off():
    near, next_, far = clinic_at("a", 0.1), clinic_at("b", 0.3), clinic_at("c", 0.5, 60.0)
    maybe = clinic_at("d", 0.5, 60.0, "unknown")
    unlocated = clinic_at("e", None)

    def certain(*clinics: kf.Clinic, k: int = 1, **more) -> bool:
        directory = kf.Directory.from_clinics(clinics, check=False)
        return directory.nearest(HERE, k, routes="iv", check=False, **more).order_certain

    assert certain(near)
    assert certain(near, next_)
    assert certain(near, next_, k=2)
    assert not certain(near, next_, far)
    assert not certain(near, maybe)
    assert certain(near, clinic_at("d", 0.5, 0.0, "unknown"))
    assert not certain(near, clinic_at("d", 0.5, 0.0, "unknown"), k=2)
    assert certain(near, clinic_at("d", 0.5, 60.0, "no"))
    assert not certain(near, unlocated)
    assert certain(near, clinic_at("d", 0.5, 0.0, "unknown"), k=2, unknown="include")
    assert not certain(near, clinic_at("d", 0.1, 0.0, "unknown"), k=2, unknown="include")
    assert certain(near, clinic_at("e", None, truth="no"))
    assert kf.Directory.from_clinics([near, next_]).search(routes="iv").order_certain is False
    assert kf.Directory.from_clinics([near, unlocated]).nearest(HERE).order_certain is False


def test_a_later_page_is_certain_where_it_meets_neither_the_one_before_nor_what_follows():
    clinics = [clinic_at(name, up) for name, up in zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True)]
    first = kf.Directory.from_clinics(clinics).nearest(HERE, 2)
    assert first.more(1).order_certain
    assert first.more(9).order_certain
    whole = first.more(2)[0:2]
    assert whole[:1].order_certain
    assert [match.rank for match in whole[:1].more(1)] == [4]
    for other in (clinic_at("b", 0.1), clinic_at("b", 0.2, 20.0)):
        pages = kf.Directory.from_clinics([clinics[0], other]).nearest(HERE, 1)
        assert not pages.more(1).order_certain
    wide = clinic_at("a", 0.1, 30.0)
    unsure = kf.Directory.from_clinics([wide, *clinics[1:]]).nearest(HERE, 2)
    assert not unsure.more(1).order_certain
    assert not unsure.order_certain


def test_a_clinic_exactly_at_the_limit_is_certainly_inside():
    directory = kf.Directory.from_clinics([clinic_at("a", 0.1), clinic_at("b", 0.2, 1.0)])
    limit_km = directory.nearest(HERE, 1)[0].distance_high_km
    answer = directory.within(HERE, limit_km)
    assert (answer.n_eligible, answer.n_certainly_inside, answer.n_possibly_inside) == (1, 1, 1)


def test_a_part_of_a_later_page_is_unsure_of_what_follows_it():
    ups = (("a", 0.1, 0.0), ("b", 0.3, 0.0), ("c", 0.5, 9.0), ("d", 0.55, 9.0))
    later = kf.Directory.from_clinics([clinic_at(*one) for one in ups]).nearest(HERE, 1).more(2)
    assert [match.rank for match in later] == [2, 3]
    assert later[:1].order_certain
    assert not later.order_certain
    assert not later[1:].order_certain
    assert not later[:1].more(1).order_certain


def test_where_there_is_no_origin_nothing_could_swap_or_be_nearer():
    clinics = [
        clinic_at("a", 0.1, 9.0),
        clinic_at("b", 0.1, 9.0),
        clinic_at("c", 0.1, 9.0, "unknown"),
    ]
    answer = kf.Directory.from_clinics(clinics).search(routes="iv")
    assert [match.swaps for match in answer] == [(), ()]
    assert answer.nearer_possible == ()
    assert (answer.n_eligible, answer.n_possible) == (2, 1)
    assert answer.n_certainly_inside is None
    assert [match.distance_km for match in answer] == [None, None]
    with pytest.raises(ValueError, match="distances need an origin"):
        answer._page.ranking.interval_km(1.0, 0)


def test_an_order_is_not_certain_where_intervals_touch():
    twins = [
        kf.Clinic(clinic_id=name, name=name, location=kf.Location(lat=44.3, lon=-76.5))
        for name in "ab"
    ]
    assert not kf.Directory.from_clinics(twins).nearest(HERE, 2).order_certain
    assert not kf.Directory.from_clinics(twins).nearest(HERE, 1).order_certain
    both = kf.Directory.from_clinics(twins).nearest(HERE, 2)
    assert [[other.clinic_id for other in match.swaps] for match in both] == [["b"], ["a"]]


def test_a_slice_with_gaps_is_refused_with_what_to_write():
    answer = kf.load_directory().search()
    for step in (2, -1):
        with pytest.raises(InvalidInputError, match=r"list\(matches\)"):
            answer[::step]
    assert [m.rank for m in reversed(answer)] == list(range(len(answer), 0, -1))


def test_what_is_not_known_is_missing_in_every_column_of_a_frame():
    known = kf.Clinic(
        clinic_id="a", name="A", city="Kingston", phone="1", website="https://a.ca",
        street_address="1 A St", province="ON", postal_code="K7L 3N6",
        location=kf.Location(lat=44.2, lon=-76.5),
        services=(kf.Service(facts={"route": {"iv": kf.Truth.YES, "im": kf.Truth.YES}}),),
        extra={"fax": "2", "blank": ""},
    )  # fmt: skip
    unknown = kf.Clinic(clinic_id="b", name="B")
    answer = kf.Directory.from_clinics([known, unknown]).search()
    for frame in (answer.to_frame(), answer.to_geodataframe()):
        first, second = frame.iloc[0], frame.iloc[1]
        assert not (frame.astype(object) == "").any().any()
        stated = {"rank", "clinic_id", "name", "service_id", "truth", "combined", "status"}
        stated |= {"n_services"}
        assert set(frame.columns[second.notna()]) - {"geometry"} == stated
        assert first["routes"] == "iv;im"
        assert first[["city", "phone", "website", "fax"]].notna().all()
        assert frame["staff"].isna().all()
        assert pd.isna(second["phone"])
    # Exchange formats have their own word for it.
    assert answer.to_geojson()["features"][1]["properties"]["phone"] == ""
    assert answer.to_geojson()["features"][1]["geometry"] is None


def test_a_field_of_a_clinic_is_a_column_of_the_answer_by_being_listed():
    from ketafind.records import CLINIC_FIELDS

    record = kf.load_directory().search()[:1].to_dict()["matches"][0]
    assert {part.name for part in CLINIC_FIELDS} <= set(record)
    columns = set(kf.load_directory().search().to_frame().columns)
    assert set(record) - columns == {"distance_text"}
    json.dumps(record)


def test_records_hold_the_keys_that_their_types_promise():
    from ketafind.matches import AnswerRecord, MatchRecord, QueryRecord

    def needed(record: type) -> set[str]:
        hints = get_type_hints(record, include_extras=True)
        return {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}

    answer = kf.load_directory().nearest("K7L 3N6", 2, routes="iv").to_dict()
    assert set(answer) == needed(AnswerRecord)
    assert set(answer["query"]) == needed(QueryRecord)
    assert needed(MatchRecord) <= set(answer["matches"][0])


def placed(clinic_id: str, lat: float, lon: float, radius_km: float = 0.0) -> kf.Clinic:
    place = kf.Location(lat=lat, lon=lon, radius_km=radius_km, precision="municipality")
    return kf.Clinic(clinic_id=clinic_id, name=clinic_id.upper(), location=place)


def inside_of(matches) -> tuple[int, int]:
    return matches.n_certainly_inside, matches.n_possibly_inside


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 40)), max_size=8),
    st.floats(5, 60),
    st.floats(0, 10),
)
def test_those_certainly_and_possibly_within_a_radius_are_counted_by_their_intervals(
    places, limit_km, origin_km
):
    clinics = [
        placed(str(n), 44.0 + up, -77.0 + right, km) for n, (up, right, km) in enumerate(places)
    ]
    directory = kf.Directory.from_clinics(clinics, check=False)
    here = kf.Location(lat=44.0, lon=-77.0, radius_km=origin_km)
    every = directory.nearest(here, 9)
    found = directory.within(here, limit_km)
    assert found.n_certainly_inside == sum(m.distance_high_km <= limit_km for m in every)
    assert found.n_possibly_inside == sum(m.distance_low_km <= limit_km for m in every)
    assert inside_of(directory.nearest(here, 1, max_distance_km=limit_km)) == inside_of(found)
    assert found.n_certainly_inside <= found.n_eligible <= found.n_possibly_inside
    assert inside_of(every) == inside_of(directory.search()) == (None, None)


BOX = shapely.box(-77.0, 44.0, -76.0, 45.0)


@given(st.floats(43.5, 45.5), st.floats(-77.5, -75.5), st.floats(0, 30))
def test_a_clinic_is_certainly_inside_a_shape_if_its_whole_circle_is(lat, lon, radius_km):
    directory = kf.Directory.from_clinics([placed("a", lat, lon, radius_km)], check=False)
    certain, possible = inside_of(directory.inside(BOX, check=False))
    kilometres = lambda *pair: float(geodesic_km(lat, lon, *pair))  # noqa: E731
    sides = [kilometres(min(45.0, max(44.0, lat)), side) for side in (-77.0, -76.0)] + [
        kilometres(side, min(-76.0, max(-77.0, lon))) for side in (44.0, 45.0)
    ]
    is_inside = 44.0 <= lat <= 45.0 and -77.0 <= lon <= -76.0
    # A box's side is straight in degrees, and the circle has 64 corners.
    assume(abs(min(sides) - radius_km) > 0.002 * radius_km + 0.01)
    assert certain == (is_inside and min(sides) > radius_km)
    assert possible == (is_inside or min(sides) < radius_km)


def test_an_answer_says_how_many_are_inside_where_positions_are_not_exact():
    exact = kf.Directory.from_clinics([placed("a", 44.5, -76.5)])
    assert "inside" not in str(exact.inside(BOX))
    assert "inside" not in str(exact.inside(BOX).explain())
    clinics = [
        placed("a", 44.5, -76.5, 2.0),
        placed("b", 44.01, -76.5, 9.0),
        placed("c", 43.99, -76.5, 9.0),
    ]
    found = kf.Directory.from_clinics(clinics).inside(BOX)
    assert (len(found), *inside_of(found)) == (2, 1, 3)
    said = "Positions are not exact: at the 90 % level 1 to 3 clinics are inside."
    assert said in str(found).replace("\n", " ")
    assert said in str(found.explain())
    assert "de 1 à 3 cliniques sont" in str(found.explain(lang="fr"))
    record = found.to_dict()
    assert (record["n_certainly_inside"], record["n_possibly_inside"]) == (1, 3)
    assert found.explain().to_dict()["n_possibly_inside"] == 3
    assert "city only" in str(found)
    assert "city only" not in str(exact.search()[:0])


def test_shapes_of_a_geopandas_frame_are_joined_in_its_own_reference_system():
    import geopandas as gpd

    directory = kf.load_directory()
    halves = gpd.GeoDataFrame(
        {"name": ["west", None, "east"]},
        geometry=[shapely.box(-80, 43, -79, 44), None, shapely.box(-79.5, 43, -78, 44)],
        crs=4326,
    )
    wanted = [m.clinic.clinic_id for m in directory.inside(shapely.box(-80, 43, -78, 44))]
    assert len(wanted) > 3
    for region in (
        halves,
        halves.geometry,
        halves.to_crs(3347),
        halves.set_crs(None, allow_override=True),
    ):
        assert [m.clinic.clinic_id for m in directory.inside(region)] == wanted
    bow_tie = shapely.Polygon([(-80, 43), (-79, 44), (-79, 43), (-80, 44)])
    for shapes, message in (
        ([], "not GeometryCollection"),
        ([BOX, bow_tie], "not valid"),
        ([shapely.Point(-79, 43)], "not Point"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            directory.inside(gpd.GeoSeries(shapes, crs=4326))


def test_an_answer_is_printed_in_french_and_keeps_its_language():
    near = kf.load_directory().nearest("K7L 3N6", 2, routes="iv").translated("fr-CA")
    for text in (str(near), near._repr_html_(), str(near[:1]), str(near.more(1))):
        assert "distance" in text
        assert "Données" in text
        assert "intraveineuse" in text
        assert "clinics" not in text
    assert [m.clinic for m in near] == [m.clinic for m in near.translated("en")]
    assert str(near.translated("en")) == str(kf.load_directory().nearest("K7L 3N6", 2, routes="iv"))
    with pytest.raises(InvalidInputError, match="'en', 'fr'"):
        near.translated("de")


def test_a_frame_names_terms_and_truths_for_people_where_a_language_is_given():
    answer = kf.load_directory().search(routes="iv", unknown="include")
    plain, french = answer.to_frame(), answer.to_frame(lang="fr")
    assert list(plain) == list(french)
    assert set(french["truth"]) == {"oui", "inconnu"}
    assert (
        french["routes"].str.contains("intraveineuse").sum()
        == plain["routes"].str.contains("iv").sum()
    )
    assert (plain["city"].fillna("") == french["city"].fillna("")).all()


@pytest.mark.parametrize("width", [40, 80])
def test_what_stands_below_a_table_fits_the_terminal(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = str(kf.load_directory().nearest("Kingston", unknown="exclude", routes="iv"))
    assert max(map(len, text.splitlines())) <= width
