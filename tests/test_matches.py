"""Pages of an answer: slices, records, frames, and when their order is certain."""

from __future__ import annotations

import json
from itertools import combinations

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import InvalidInputError
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


def test_an_order_is_not_certain_where_intervals_touch():
    twins = [
        kf.Clinic(clinic_id=name, name=name, location=kf.Location(lat=44.3, lon=-76.5))
        for name in "ab"
    ]
    assert not kf.Directory.from_clinics(twins).nearest(HERE, 2).order_certain
    assert not kf.Directory.from_clinics(twins).nearest(HERE, 1).order_certain


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
    assert {part.name for part in CLINIC_FIELDS if part.shown} <= set(record)
    columns = set(kf.load_directory().search().to_frame().columns)
    assert set(record) - columns == {"distance_text"}
    json.dumps(record)


def test_records_hold_the_keys_that_their_types_promise():
    from ketafind.matches import AnswerRecord, MatchRecord, QueryRecord

    answer = kf.load_directory().nearest("K7L 3N6", 2, routes="iv").to_dict()
    assert set(answer) == set(AnswerRecord.__annotations__)
    assert set(answer["query"]) == set(QueryRecord.__annotations__)
    # The labels come with a language.
    assert MatchRecord.__required_keys__ - {"labels"} <= set(answer["matches"][0])
