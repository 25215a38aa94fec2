"""A directory is a mapping of id to clinic that is changed into another without a rebuild."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import DataError, InvalidInputError, UnknownClinicError
from ketafind.query.catalogue import Catalogue
from ketafind.show.hsds import service_list
from strategies import clinic_lists

HERE = kf.Coordinates(lat=44.23, lon=-76.48)
INDEXES = ["kernel", "rtree", "scan"]


def clinic(clinic_id: str, lat: float | None = None, lon: float = -76.5, **fields) -> kf.Clinic:
    place = None if lat is None else kf.Location(lat=lat, lon=lon)
    return kf.Clinic(clinic_id=clinic_id, name=clinic_id, location=place, **fields)


def answers(directory: kf.Directory) -> list:
    """What a directory says, of every kind."""
    found = []
    for where in (None, kf.route("iv") | kf.no_service(kf.staff("nurse"))):
        for unknown in ("exclude", "only"):
            near = directory.nearest(HERE, 9, where=where, unknown=unknown, check=False)
            found += [[(m.clinic.clinic_id, m.distance_km, m.service, m.truth) for m in near]]
            found += [(near.n_eligible, near.n_possible, near.n_unlocated, near.order_certain)]
            found += [[m.clinic for m in directory.search(where, unknown=unknown)]]
    return found


@pytest.fixture(scope="module")
def directory() -> kf.Directory:
    return kf.Directory.from_clinics([clinic("b", 44.2), clinic("a", 44.3), clinic("c")])


def test_a_directory_is_a_mapping_of_id_to_clinic(directory):
    assert list(directory) == list(directory.keys()) == ["a", "b", "c"]
    assert list(directory.values()) == list(directory.clinics)
    assert list(directory.items()) == [(one.clinic_id, one) for one in directory.clinics]
    assert dict(directory)["b"] is directory["b"] is directory.get("b")
    assert len(directory) == len(directory.values()) == len(directory.items()) == 3
    assert ("a" in directory, directory["a"] in directory, 1 in directory) == (True, False, False)
    assert directory["a"] in directory.values()
    assert (directory.get("z"), directory.get(1), directory.get("z", 5)) == (None, None, 5)


def test_an_unknown_id_is_a_key_error_that_reads_as_a_sentence(directory):
    with pytest.raises(KeyError) as caught:
        directory["aa"]
    assert isinstance(caught.value, UnknownClinicError)
    assert str(caught.value).startswith("no clinic has the id 'aa'")


def test_a_file_is_not_a_directory_yet():
    with pytest.raises(kf.errors.InvalidInputError, match=r"made by load_directory, .*from_csv"):
        kf.Directory("clinics.csv")


def test_a_directory_is_equal_to_itself_alone(directory):
    other = kf.Directory.from_clinics(directory.clinics)
    assert directory == directory
    assert directory != other
    assert len({directory, other}) == 2
    assert directory.snapshot == other.snapshot


@given(st.sampled_from(INDEXES), clinic_lists(max_size=6), clinic_lists(max_size=3), st.data())
def test_a_changed_directory_is_as_one_made_anew(index, clinics, added, data):
    old = kf.Directory.from_clinics(clinics, check=False, index=index)
    before = answers(old)
    removed = data.draw(st.lists(st.sampled_from(list(old)), unique=True)) if len(old) else []
    new = old.with_clinics(added, removed, check=False)
    put = {one.clinic_id: one for one in added}
    kept = [one for one in old.values() if one.clinic_id not in {*removed, *put}]
    anew = kf.Directory.from_clinics([*kept, *put.values()], check=False, index=index)
    assert list(new.clinics) == list(anew.clinics)
    assert new.snapshot == anew.snapshot
    assert answers(new) == answers(anew)
    assert answers(old) == before


def test_ties_go_by_id_after_a_change(directory):
    for index in INDEXES:
        old = kf.Directory.from_clinics([clinic("b", 44.2), clinic("d", 44.2)], index=index)
        new = old.with_clinics([clinic("c", 44.2), clinic("a", 44.2)])
        assert [m.clinic.clinic_id for m in new.nearest(HERE, 4)] == ["a", "b", "c", "d"]
        assert not new.nearest(HERE, 1).order_certain  # an equal distance may come first


@pytest.mark.parametrize("index", INDEXES)
def test_the_old_directory_answers_as_before_in_other_threads(index):
    old = kf.Directory.from_clinics(
        [clinic(f"{n:03}", 43.0 + n / 1000) for n in range(700)], index=index
    )
    expected = [(m.clinic.clinic_id, m.distance_km) for m in old.nearest(HERE, 20)]

    def ask(_: int) -> list:
        return [(m.clinic.clinic_id, m.distance_km) for m in old.nearest(HERE, 20)]

    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(ask, range(100))
        new = old
        for n in range(30):
            new = new.with_clinics([clinic(f"x{n}", 44.23, -76.48)], [f"{699 - n:03}"])
            assert new.nearest(HERE, 1)[0].clinic.clinic_id == "x0"
        assert all(one == expected for one in asked)
    assert ask(0) == expected


@pytest.mark.parametrize("index", [*INDEXES, None])
def test_the_index_that_was_chosen_is_kept(index, tmp_path):
    made = kf.Directory.from_clinics([clinic("a", 44.2)], index=index)
    made.with_clinics([clinic("b", 44.3)]).save(tmp_path / "one")
    again = kf.Directory.open(tmp_path / "one").with_clinics([clinic("c", 44.1)])
    kind = type(kf.Directory.from_clinics([], index=index)._catalogue.index)
    assert type(made._catalogue.index) is type(again._catalogue.index) is kind
    assert [m.clinic.clinic_id for m in again.nearest(HERE)] == ["a", "b", "c"]


def test_an_index_that_is_not_there_is_refused(monkeypatch):
    with pytest.raises(InvalidInputError, match="quadtree"):
        kf.Directory.from_csv("nothing.csv", index="quadtree")
    monkeypatch.setattr("ketafind.index.compiled_core", lambda: None)
    monkeypatch.setattr("ketafind.index.kernel.compiled_core", lambda: None)
    with pytest.raises(InvalidInputError, match="compiled core"):
        kf.Directory.from_clinics([], index="kernel")


def test_two_clinics_equally_far_leave_the_order_uncertain():
    pair = [clinic("a", 44.3), clinic("b", 44.3), clinic("z", 45.0)]
    near = kf.Directory.from_clinics(pair).nearest(HERE, 2)
    assert near[0].distance_km == near[1].distance_km
    assert not near.order_certain
    assert kf.Directory.from_clinics(pair[1:]).nearest(HERE, 1, unknown="include").order_certain


def test_threads_that_ask_first_share_one_index(monkeypatch):
    """A filter is made for an index: were there two, one thread's filters would be refused."""
    made = []
    make = Catalogue._make_index

    def slowly(catalogue):
        index = make(catalogue)
        made.append(index)
        gate.wait(0.2)
        return index

    gate = Event()
    monkeypatch.setattr(Catalogue, "_make_index", slowly)
    directory = kf.Directory.from_clinics([clinic("a", 44.2), clinic("b", 44.3)])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: directory.within(HERE, 500.0), range(8)))
    assert len(made) == 1
    assert all([m.clinic.clinic_id for m in one] == ["a", "b"] for one in found)


def test_rows_that_their_evidence_contradicts_are_refused_when_they_are_read(tmp_path):
    rows, facts = tmp_path / "clinics.csv", tmp_path / "evidence.csv"
    rows.write_text("clinic_id,name,routes\na,A,sublingual\n", "utf-8")
    facts.write_text(
        "clinic_id,facet,term,truth,source_url\na,route,oral,no,https://example.org\n", "utf-8"
    )
    assert len(kf.Directory.from_csv(rows)) == 1
    with pytest.raises(DataError, match="yes and no of route oral"):
        kf.Directory.from_csv(rows, evidence=facts)


def test_a_page_dated_after_it_was_read_is_doubted():
    read, later = date(2026, 11, 1), date(2026, 12, 1)
    one = {"facet": "route", "term": "iv", "truth": kf.Truth.YES, "source_url": "https://a.ca"}
    one |= {"clinic_id": "a", "source_class": "clinic", "scope": "site", "checked_on": read}
    for page_date, expected in ((later, 1), (read, 0), (None, 0)):
        fact = kf.Evidence(**one, page_date=page_date)
        found = kf.Directory.from_clinics(
            [kf.Clinic(clinic_id="a", name="A", evidence=(fact,))]
        ).validate()
        doubts = [doubt for doubt in found if doubt.kind == "page_ahead"]
        assert len(doubts) == expected
        assert ("route iv: 2026-12-01" in str(found)) == bool(expected)


def test_evidence_of_a_day_still_to_come_is_doubted():
    now = datetime.now(UTC).date()
    one = {"facet": "route", "term": "iv", "truth": kf.Truth.YES, "source_url": "https://a.ca"}
    one |= {"clinic_id": "a", "source_class": "clinic", "scope": "site"}
    far = now + timedelta(days=400)
    for days, expected in (
        ({"checked_on": now}, 0),
        ({}, 0),
        ({"checked_on": far}, 1),
        ({"page_date": far}, 1),
        ({"page_date": far, "checked_on": far}, 1),
        ({"page_date": now, "checked_on": far}, 1),
    ):
        fact = kf.Evidence(**one, **days)
        directory = kf.Directory.from_clinics(
            [kf.Clinic(clinic_id="a", name="A", evidence=(fact,))]
        )
        found = [doubt for doubt in directory.validate() if doubt.kind == "day_ahead"]
        assert [doubt.what for doubt in found] == [f"route iv: {far}"] * expected
        assert all("à venir" in str(directory.validate(lang="fr")) for _ in found)


@pytest.mark.parametrize(
    ("code", "position", "kind"),
    [
        ("M5V OA1", (43.64, -79.39), "postal_shape"),
        ("D1A 1A1", (43.64, -79.39), "postal_shape"),
        ("14201", (43.64, -79.39), "postal_shape"),
        ("H3A 1A1", (43.64, -79.39), "postal_province"),
        ("M5H 2N2", (45.42, -75.69), "postal_far"),
        ("M5H 2N2", (43.65, -79.38), None),
        ("m5h2n2", (43.65, -79.38), None),
        ("M5H 2N2", None, None),
        ("", (43.64, -79.39), None),
    ],
)
def test_a_postal_code_is_held_against_its_form_its_province_and_the_position(code, position, kind):
    place = position and kf.Location(lat=position[0], lon=position[1])
    for province, expected in (("ON", kind), ("Ontario", kind), ("NY", None)):
        clinic = kf.Clinic(
            clinic_id="a", name="A", province=province, postal_code=code, location=place
        )
        directory = kf.Directory.from_clinics([clinic], check=False)
        found = [one for one in directory.validate() if one.kind.startswith("postal")]
        assert [one.kind for one in found] == ([expected] if expected else [])
        for lang in ("en", "fr"):
            said = str(directory.validate(lang=lang))
            assert ("postal" in said) == bool(expected)


@pytest.mark.parametrize(
    ("city", "province", "position", "kinds"),
    [
        ("Ottawa", "ON", (44.23, -76.48), {"town_far"}),
        ("Calgary", "AB", (53.5, -113.5), {"town_far"}),
        ("Calgary", "AB", (51.05, -114.07), set()),
        ("Kanata", "Ontario", (45.36, -75.79), set()),
        ("Xyzzy", "ON", (44.23, -76.48), set()),
        ("Ottawa", "NY", (44.23, -76.48), set()),
        ("Ottawa", "ON", None, set()),
        ("", "ON", (44.23, -76.48), set()),
    ],
)
def test_a_town_is_held_against_the_position(city, province, position, kinds):
    place = position and kf.Location(lat=position[0], lon=position[1])
    clinic = kf.Clinic(clinic_id="a", name="A", province=province, city=city, location=place)
    found = kf.Directory.from_clinics([clinic], check=False).validate().found
    assert {doubt.kind for doubt in found} & {"town_far", "postal_far"} == kinds


def test_only_a_position_that_was_given_is_held_against_its_town_and_code():
    ottawa = kf.Location(lat=45.42, lon=-75.69)
    toronto = {"city": "Toronto", "province": "ON", "postal_code": "M5H 2N2"}
    for place, kinds in (
        (ottawa, {"postal_far", "town_far"}),
        (replace(ottawa, match="exact"), set()),
    ):
        one = kf.Clinic(clinic_id="a", name="A", location=place, **toronto)
        found = kf.Directory.from_clinics([one]).validate()
        assert {doubt.kind for doubt in found} - {"no_fact", "no_contact"} == kinds
    torn = kf.Clinic(clinic_id="a", name="A", **toronto | {"city": "Ottawa"})
    with pytest.warns(UserWarning, match="could not be placed"):
        found = kf.Directory.from_clinics([torn]).validate()
    assert {doubt.kind for doubt in found} - {"no_fact", "no_contact"} == {"unplaced"}


@given(
    st.text(max_size=30)
    | st.sampled_from(["caledon", "Caladon clinic", "ST MICHAELS", "\0", "é" * 900])
)
def test_any_text_finds_clinics_by_name_or_none(text):
    directory = kf.load_directory()
    found = directory.find(text)
    assert len(found) <= 5
    assert found == directory.find(text.upper() if text.isascii() else text)
    assert found[:1] == directory.find(text, limit=1)


def test_each_clinic_is_found_by_its_name_as_it_is_written_and_mistyped():
    directory = kf.load_directory()
    for clinic in directory.clinics:
        assert clinic in directory.find(clinic.name, limit=len(directory))
    named = {
        text: directory.find(text)[0].clinic_id
        for text in ("caledon", "Caladon", "st michaels", "Toronto Wester")
    }
    assert named == {
        "caledon": "caledon-clinic",
        "Caladon": "caledon-clinic",
        "st michaels": "st-michaels-interventional-psychiatry",
        "Toronto Wester": "toronto-western-hospital-uhn",
    }
    assert directory.find("dentist") == directory.find("") == ()
    with pytest.raises(InvalidInputError, match="named by text, not by int"):
        directory.find(7)


def test_a_position_that_cannot_be_meant_is_refused_at_every_door_unless_it_is_meant(tmp_path):
    zero = kf.Clinic(clinic_id="z", name="Z", location=kf.Location(lat=0.0, lon=0.0))
    made = kf.Directory.from_clinics([zero], check=False)
    table, package, tables = tmp_path / "z.csv", tmp_path / "z.zip", tmp_path / "datapackage.json"
    made.to_csv(table)
    made.export(package, "datapackage")
    fields = [{"name": name} for name in ("clinic_id", "name")]
    resource = {"name": "clinics", "path": "z.csv", "schema": {"fields": fields}}
    tables.write_text(json.dumps({"resources": [resource]}), "utf-8")
    point = {"type": "Point", "coordinates": [0.0, 0.0]}
    feature = {"type": "Feature", "id": "z", "geometry": point, "properties": {"name": "Z"}}
    own = kf.Directory
    doors = [
        (own.from_clinics, [zero]), (own.from_clinics([]).with_clinics, [zero]),
        (own.from_csv, table), (own.from_frame, pd.read_csv(table)),
        (own.from_fhir, made.to_fhir()), (own.from_geojson, made.to_geojson()),
        (own.from_geojson, {"type": "FeatureCollection", "features": [feature]}),
        (own.from_hsds, service_list(made.clinics, made.vocabulary, "en")),
        (own.from_datapackage, package), (own.from_datapackage, tables),
    ]  # fmt: skip
    for door, given_ in doors:
        with pytest.raises(DataError):
            door(given_)
        assert door(given_, check=False)["z"].location.lat == 0.0


class Spy:
    """A geocoder that works offline and puts everything in one place."""

    works_offline = True

    def geocode(self, text: str) -> kf.Location:
        return kf.Location(lat=44.5, lon=-76.5, label=f"read: {text}")


def test_new_clinics_are_placed_by_the_geocoder_that_is_given_which_is_not_kept(directory):
    town = clinic("n", city="Anywhere")
    placed = directory.with_clinics([town], geocoder=Spy())
    assert placed["n"].location.label == "read: Anywhere"
    assert placed.nearest("Kingston, ON", 1).origin.label == "Kingston, ON"
    own = kf.Directory.from_clinics([clinic("a", 44.2)], geocoder=Spy())
    assert own.with_clinics([town])["n"].location.label == "read: Anywhere"
    for wrong in (object(), "Kingston"):
        with pytest.raises(InvalidInputError, match="a geocoder has a method"):
            directory.with_clinics([], geocoder=wrong)


def test_a_compiled_filter_is_taken_as_it_is_or_refused(directory):
    passing = directory.filter(routes="iv", unknown="include")
    ids = [match.clinic.clinic_id for match in directory.search(routes="iv", unknown="include")]
    assert directory.filter(passing) is passing
    for unknown in ("exclude", "include"):
        found = directory.search(passing, unknown=unknown)
        assert [match.clinic.clinic_id for match in found] == ids == ["a", "b", "c"]
    for more in ({"unknown": "only"}, {"staff": "nurse"}, {"staff": "nurse", "unknown": "include"}):
        with pytest.raises(InvalidInputError, match="a compiled filter is taken as it is"):
            directory.nearest(HERE, where=passing, **more)


def test_the_five_nearest_or_best_named_are_found_unless_another_number_is_asked_for():
    made = kf.Directory.from_clinics(clinic(f"clinic {n}", 44.0 + n / 10) for n in range(8))
    assert [len(made.nearest(HERE)), len(made.nearest(HERE, 7))] == [5, 7]
    assert [len(made.find("clinic")), len(made.find("clinic", 6))] == [5, 6]


def test_a_directory_shows_how_many_clinics_it_has_and_what_it_is_called(directory):
    name = f"Directory of 3 clinics, 1 unlocated, data {directory.snapshot}"
    assert repr(directory) == f"<{name}>"
    assert f"<caption>{name}</caption>" in directory._repr_html_()
    assert repr(kf.Directory.from_clinics([clinic("a")])).startswith("<Directory of 1 clinic, 1 u")
    assert repr(kf.Directory.from_clinics([])).startswith("<Directory of 0 clinics, 0 u")


def test_facts_are_decided_on_the_day_that_is_given_or_believed_whatever_their_age():
    made = kf.load_directory()
    decided, later = (
        made.decisions("caledon-clinic"),
        made.decisions("caledon-clinic", "2031-01-01"),
    )
    assert any(one.facet == "route" and one.truth == kf.Truth.YES for one in decided)
    assert {one.truth for one in later if one.facet == "route"} == {kf.Truth.UNKNOWN}


def test_what_is_written_is_all_that_was_asked_for_and_replaces_nothing(directory, tmp_path):
    source = kf.Evidence(
        clinic_id="a", service_id="1", facet="route", term="iv", truth=kf.Truth.YES,
        source_url="https://a.example",
    )  # fmt: skip
    made = directory.with_clinics([clinic("a", 44.3, evidence=[source])])
    page, table, facts, package = (
        tmp_path / name for name in ("p.html", "c.csv", "e.csv", "d.zip")
    )
    writers = {
        page: made.to_html,
        table: made.to_csv,
        package: lambda path, **how: made.export(path, "datapackage", **how),
    }
    for path, write in writers.items():
        write(path)
        with pytest.raises(kf.errors.ExistingFileError):
            write(path)
        write(path, overwrite=True)
    assert "<html" in page.read_text("utf-8")
    assert not facts.exists()
    made.to_csv(table, evidence=facts, overwrite=True)
    assert kf.Directory.from_csv(table, evidence=facts).snapshot == made.snapshot
    assert kf.Directory.from_datapackage(package).snapshot == made.snapshot
    with pytest.raises(kf.errors.ExistingFileError):
        made.to_csv(tmp_path / "other.csv", evidence=facts)
    formula = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="=1+1")])
    for how, name in (({}, "=1+1"), ({"spreadsheet": True}, "'=1+1")):
        formula.to_csv(table, overwrite=True, **how)
        assert f",{name}," in table.read_text("utf-8")
        formula.export(table, overwrite=True, **how)
        assert f",{name}," in table.read_text("utf-8")


def test_a_map_of_a_directory_names_its_data_and_their_licence():
    made = kf.load_directory()
    drawn = " ".join(text.get_text() for text in made.plot().figure.texts).replace("\n", " ")
    for shown in (drawn, made.explore().page):
        assert str(made.snapshot.id) in shown
        assert "CC BY 4.0" in shown


def test_a_clinic_that_was_read_on_a_day_to_come_is_doubted():
    clinic = kf.Clinic(clinic_id="a", name="A", checked_on=date(2999, 1, 1))
    doubts = kf.Directory.from_clinics([clinic]).validate()
    assert "checked_on: 2999-01-01" in {one.what for one in doubts if one.kind == "day_ahead"}
