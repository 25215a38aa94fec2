"""Compiled filters are kept as long as there is room."""

from __future__ import annotations

import gc
import weakref

import pytest

import ketafind as kf
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
