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
@example([(0.0, 0.0)], 0, 0)
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


YES = kf.Truth.YES


def five_clinics() -> kf.Directory:
    """Exact, known to its city, of unknown routes, without a position, and far."""

    def clinic(clinic_id, up, *routes, km=0.0, precision="rooftop", **fields):
        facts = {"route": dict.fromkeys(routes, YES), "staff": {"nurse": YES}} if routes else {}
        return kf.Clinic(
            clinic_id=clinic_id,
            name=f"Clinic {clinic_id}",
            location=up
            and kf.Location(lat=44.2 + up, lon=-76.5, precision=precision, radius_km=km),
            services=(kf.Service(facts=facts),),
            **fields,
        )

    return kf.Directory.from_clinics(
        [
            clinic("a", 0.1, "iv", city="Kingston", phone="613"),
            clinic("b", 0.3, "iv", "im", km=9.0, precision="municipality", city="Perth",
                   website="https://www.b.example/"),
            clinic("c", 0.2),
            clinic("d", None, "iv"),
            clinic("e", 0.5, "iv"),
        ]
    )  # fmt: skip


def said(answer: kf.Matches) -> str:
    """What is printed, but for the line that names the data."""
    lines = str(answer).splitlines()
    assert str(answer.snapshot) in lines[-1]
    return "\n".join(lines[:-1])


def test_the_table_of_an_answer_says_where_to_go_and_what_is_left_open(monkeypatch):
    monkeypatch.setenv("COLUMNS", "92")
    made = five_clinics()
    near = made.nearest(HERE, 2, routes="iv")
    assert (
        said(near)
        == """\
   clinic    city      distance                truth  routes  staff  contact
-  --------  --------  ----------------------  -----  ------  -----  ---------
1  Clinic a  Kingston  11 km                   yes    iv      nurse  613
2  Clinic b  Perth     25 to 41 km, city only  yes    iv, im  nurse  b.example
2 of 3 clinics that match. 1 more may match: not enough is known of it. 1 that matches, or
may, has no position. The order is not certain.
Nearer than the last of these, but not confirmed: Clinic c, 22 km."""
    )
    assert (
        said(near.translated("fr"))
        == """\
   clinique  ville     distance         vérité  voie              personnel        contact
                                                d'administration
-  --------  --------  ---------------  ------  ----------------  ---------------  ---------
1  Clinic a  Kingston  11 km            oui     intraveineuse     infirmière,      613
                                                                  infirmier
2  Clinic b  Perth     25 à 41 km,      oui     intraveineuse;    infirmière,      b.example
                       ville seulement          intramusculaire   infirmier
2 des 3 cliniques qui correspondent. 1 autre correspond peut-être : on n'en sait pas assez.
1 qui correspond, ou peut-être, n'a pas de position. L'ordre n'est pas certain.
Plus proche que la dernière de la liste, mais non confirmée : Clinic c, 22 km."""
    )
    # Without distances, how well each is known.
    assert (
        said(made.search(routes="im", unknown="include"))
        == """\
   clinic    city      position   truth    routes  staff  contact
-  --------  --------  ---------  -------  ------  -----  ---------
1  Clinic a  Kingston             unknown  iv      nurse  613
2  Clinic b  Perth     city only  yes      iv, im  nurse  b.example
3  Clinic c                       unknown
4  Clinic d                       unknown  iv      nurse
5  Clinic e                       unknown  iv      nurse
5 of 5 clinics that match or may match. 1 that matches, or may, has no position."""
    )
    assert (
        said(made.nearest(HERE, 9, routes="sc"))
        == """\
No clinics with a position match. 4 more may match: not enough is known of them. 1 that
matches, or may, has no position.
Nearest, but not confirmed: Clinic a, 11 km; Clinic c, 22 km; Clinic b, 25 to 41 km, city
only."""
    )
    sure = made.with_clinics(removed=["c", "d"])
    assert (
        said(sure.nearest(HERE, 1, routes="iv", max_distance_km=12))
        == """\
   clinic    city      distance  truth  routes  staff  contact
-  --------  --------  --------  -----  ------  -----  -------
1  Clinic a  Kingston  11 km     yes    iv      nurse  613
The one clinic that matches."""
    )
    assert said(sure.search(routes="sc")) == (
        "No clinics match. 3 more may match: not enough is known of them."
    )


def test_where_a_table_has_no_room_a_blank_line_parts_the_clinics_and_the_notes(monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    blocks = str(five_clinics().nearest(HERE, 2, routes="iv")).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["1", "2", "2 of 3 clinics that"]


def test_of_another_vocabulary_the_first_facets_are_in_the_table():
    words = kf.Vocabulary.from_dict(
        {
            "format": "ketafind-vocabulary/1",
            "languages": ["en"],
            "facets": [
                {"id": name, "plural": f"{name}s", "labels": {"en": name}, "terms": [
                    {"id": f"{name}1", "labels": {"en": f"{name} one"}}]}
                for name in ("meal", "drink", "staff")
            ],
        }
    )  # fmt: skip
    facts = {name: {f"{name}1": YES} for name in ("meal", "drink", "staff")}
    one = kf.Clinic(clinic_id="a", name="A", services=(kf.Service(facts=facts),))
    shown = str(kf.Directory.from_clinics([one], vocabulary=words).search())
    assert shown.splitlines()[0].split() == [
        "clinic",
        "city",
        "truth",
        "meals",
        "drinks",
        "contact",
    ]
    assert "meal1" in shown
    assert "music1" not in shown


def test_a_match_shows_its_rank_its_id_its_distance_and_its_truth():
    made = five_clinics()
    near = made.nearest(HERE, 9, routes="im", unknown="include")
    assert repr(near[0]) == "<Match 1: a, 11.1 km, unknown>"
    assert repr(made.search(routes="im")[0]) == "<Match 1: b, yes>"
    assert "Clinic a" in near[0]._repr_html_()


def test_each_match_alone_is_the_row_that_it_is_in_its_answer():
    answer = five_clinics().nearest(HERE, 9, routes="im", unknown="include")
    for lang in (None, "en", "fr"):
        assert [one.to_dict(lang) for one in answer] == answer.to_dict(lang)["matches"]
    assert [one.to_dict() for one in answer.more(1)] == []


def test_a_row_of_an_answer_names_its_words_in_the_language_asked_for():
    answer = five_clinics().nearest(HERE, 2, routes="iv")
    plain, english, french = (answer.to_dict(lang)["matches"][1] for lang in (None, "en", "fr"))
    assert "labels" not in plain
    assert plain["distance_text"] == english["distance_text"] == "25 to 41 km, city only"
    assert french["distance_text"] == "25 à 41 km, ville seulement"
    assert (english["labels"]["truth"], french["labels"]["truth"]) == ("yes", "oui")
    assert french["labels"]["precision"] == "municipalité"
    assert french["labels"]["routes"] == ["intraveineuse", "intramusculaire"]
    lost = five_clinics().search(routes="iv").to_dict("en")["matches"][2]
    assert lost["clinic_id"] == "d"
    assert "precision" not in lost["labels"]
    for wrong in ("de", ""):
        with pytest.raises(InvalidInputError, match="'en', 'fr'"):
            answer.to_dict(wrong)


def test_an_answer_tells_its_question():
    made = five_clinics()
    for answer, first, k, limit in (
        (made.nearest(HERE, 2), 1, 2, None),
        (made.nearest(HERE, 2, offset=3, max_distance_km=50), 4, 2, 50.0),
        (made.nearest(HERE, 2).more(1), 3, 1, None),
        (made.within(HERE, 50), 1, None, 50.0),
        (made.search(), 1, None, None),
    ):
        asked = json.loads(json.dumps(answer.to_dict(), allow_nan=False))["query"]
        assert (asked["first"], asked["k"], asked["max_distance_km"]) == (first, k, limit)
        assert set(asked) == {"where", "unknown", "first", "k", "max_distance_km"}
        assert asked["where"] == answer.criteria.to_dict()


def test_a_match_is_combined_where_it_needs_facets_that_no_source_ties_to_one_service():
    facts = {"route": {"iv": YES, "im": YES}, "staff": {"nurse": YES}}
    made = kf.Directory.from_clinics(
        kf.Clinic(clinic_id=name, name=name, services=(kf.Service(facts=facts, combined=combined),))
        for name, combined in (("a", True), ("b", False))
    )
    both = kf.route("iv") & kf.route("im")
    for where, needs in ((None, False), (both, False), (both & kf.staff("nurse"), True)):
        answer = made.search(where)
        wanted = [needs, False]
        assert [match.combined for match in answer] == wanted
        assert answer.to_frame()["combined"].tolist() == wanted
        assert [one["combined"] for one in answer.explain().to_dict()["matches"]] == wanted


def test_the_evidence_of_a_match_is_that_of_its_service_and_of_the_clinic_as_a_whole():
    def source(service_id, facet, term):
        return kf.Evidence(
            clinic_id="a", service_id=service_id, facet=facet, term=term, truth=YES,
            source_url="https://a.example",
        )  # fmt: skip

    facts = [source("1", "route", "iv"), source("2", "route", "im"), source(None, "name", "A")]
    services = [kf.Service(service_id=name, facts={}) for name in "12"]
    made = kf.Directory.from_clinics(
        [kf.Clinic(clinic_id="a", name="A", services=services, evidence=facts)]
    )
    (match,) = made.search(routes="im")
    assert match.service.service_id == "2"
    assert match.evidence() == tuple(facts[1:])


def test_columns_of_a_row_a_service_or_a_row_a_fact_say_what_each_is_of():
    services = (
        kf.Service(service_id="1", facts={"route": {"im": YES}}),
        kf.Service(service_id="2", facts={"route": {"iv": YES}}),
    )
    made = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A", services=services)])
    answer = made.search(routes="iv")
    clinic, service, fact = (answer.columns(per) for per in ("clinic", "service", "fact"))
    assert (clinic["service_id"], clinic["combined"]) == (["2"], [False])
    assert (service["service_id"], service["is_match"]) == (["1", "2"], [False, True])
    assert fact["service_id"] == [None, None, "1", "2"]  # the name, the status and two routes
    assert (service["rank"], fact["rank"]) == ([1, 1], [1, 1, 1, 1])
    assert "is_match" not in clinic
    assert not {"is_match", "combined", "name"} & set(fact)
    assert set(fact["truth"]) == {"yes"}


def test_an_answer_is_written_in_its_own_language_and_replaces_no_file(tmp_path):
    near = five_clinics().nearest(HERE, 2, routes="iv")
    path = tmp_path / "near.json"
    near.translated("fr").export(path, "fhir")
    assert "intraveineuse" in path.read_text("utf-8")
    with pytest.raises(kf.errors.ExistingFileError):
        near.export(path, "fhir")
    near.translated("fr").export(path, "fhir", overwrite=True, lang="en")
    assert "intraveineuse" not in path.read_text("utf-8")
    formula = kf.Clinic(clinic_id="a", name="=1+1")
    found = kf.Directory.from_clinics([formula]).search()
    for spreadsheet, name in (({}, "=1+1"), ({"spreadsheet": True}, "'=1+1")):
        found.export(tmp_path / "near.csv", overwrite=True, **spreadsheet)
        assert f",{name}," in (tmp_path / "near.csv").read_text("utf-8")


def test_questions_are_for_five_clinics_unless_another_number_is_asked_for():
    made = kf.Directory.from_clinics(kf.Clinic(clinic_id=str(n), name="C") for n in range(7))
    answer = made.search(routes="iv")
    assert (len(answer.questions()), len(answer.questions(6)), len(answer.questions(9))) == (
        5,
        6,
        7,
    )
    assert answer.questions().n_possible == 7


def test_an_answer_of_a_polygon_has_no_origin_and_one_of_a_place_has():
    assert five_clinics().inside(BOX).origin is None
    assert five_clinics().nearest(HERE).origin == kf.Location(lat=44.2, lon=-76.5, match="given")
