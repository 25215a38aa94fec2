"""What a developer who imports ketafind may rely on, asked from outside."""

from __future__ import annotations

import copy
import json
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from shapely.geometry import MultiPolygon, Point, box

import ketafind as kf
from ketafind import Clinic, Location, Service, Truth

HERE = kf.Coordinates(lat=44.23719, lon=-76.48931)
SHARED = {"province": "ON", "precision": "rooftop", "radius_km": "0.05", "status": "active"}
ROWS = [
    {"clinic_id": "a", "service_id": "one", "lat": "44.23", "lon": "-76.48", "routes": "iv;im"}
    | {
        "staff": "psychiatrist;registered_nurse",
        "conditions": "ptsd;treatment_resistant_depression",
    },
    {"clinic_id": "a", "service_id": "two", "lat": "44.23", "lon": "-76.48", "routes": "intranasal"}
    | {"staff": "nurse_practitioner", "products": "esketamine", "complete": "routes"},
    {"clinic_id": "b", "service_id": "one", "lat": "45.42", "lon": "-75.69", "routes": "iv"}
    | {"status": "uncertain", "not_offered": "routes:im; condition:ptsd"},
    {"clinic_id": "c", "service_id": "one", "lat": "43.65", "lon": "-79.38", "routes": "sublingual"}
    | {"staff": "anesthesiologist", "conditions": "migraine", "complete": "route;staff"},
    {"clinic_id": "d", "service_id": "one", "lat": "42.98", "lon": "-81.24", "routes": "iv;im"}
    | {"status": "closed"},
    {"clinic_id": "e", "service_id": "one", "routes": "iv", "province": ""}
    | {"precision": "", "radius_km": ""},
    {"clinic_id": "f", "service_id": "one", "lat": "46.49", "lon": "-80.99"},
]


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame([{"name": f"Clinic {row['clinic_id']}"} | SHARED | row for row in ROWS])


@pytest.fixture(scope="module")
def directory(frame):
    return kf.Directory.from_frame(frame)


@pytest.fixture(scope="module")
def bundled():
    return kf.load_directory()


def ids(matches):
    return "".join(match.clinic.clinic_id for match in matches)


@pytest.mark.parametrize(
    ("where", "confirmed", "possible"),
    [
        (kf.route("iv", "im"), "ae", "bf"),
        (kf.route("iv", "im", all_of=True), "a", "ef"),
        (kf.route("iv", "im", "sc", at_least=np.int64(2)), "a", "bef"),
        (kf.offers("routes", ["iv", "im"], all_of=True), "a", "ef"),
        (kf.offers("Route", {"intraveineuse"}), "ae", "bf"),
        (kf.offers("products", "Spravato"), "a", "bcef"),
        (~kf.route("iv"), "ac", "f"),
        (kf.no_service(kf.route("iv")), "c", "f"),
        (kf.route("im") | kf.route("oral"), "ac", "bef"),
        (kf.staff("nurse") & kf.treats("ptsd"), "a", "ef"),
        (kf.route("intranasal") & kf.staff("nurse_practitioner"), "a", "bef"),
        (kf.treats("headache"), "c", "abef"),
        (kf.staff("médecin"), "ac", "bef"),
    ],
    ids=str,
)
def test_each_policy_gives_the_clinics_that_the_words_say(directory, where, confirmed, possible):
    """Closed clinics are in none; ``include`` is the union of the other two."""
    assert ids(directory.search(where)) == confirmed
    assert ids(directory.search(where, unknown="only")) == possible
    assert ids(directory.search(where, unknown="include")) == "".join(sorted(confirmed + possible))


@pytest.mark.parametrize("facet", ["route", "routes"])
def test_a_facet_goes_by_its_singular_and_its_plural_wherever_it_is_named(bundled, facet):
    asked = bundled.search(**{facet: "IV infusion"}).to_dict()["matches"]
    assert asked == bundled.search(where=kf.offers(facet, "perfusion")).to_dict()["matches"]
    assert bundled.evidence("caledon-clinic", facet, "IV")
    assert bundled["caledon-clinic"].services[0].terms(facet) == ("iv",)
    assert bundled.vocabulary.facet(facet).id == "route"


@pytest.mark.parametrize(
    ("facts", "complete"),
    [
        ({"route": {"iv": "yes", "im": "no"}}, ()),
        ({"routes": {"Intravenous": Truth.YES, "IM": Truth.NO}}, ()),
        ({"routes": {"perfusion": Truth.YES}}, ["routes"]),
    ],
)
def test_clinics_made_by_hand_are_read_in_any_spelling(facts, complete):
    """What is shown agrees with what is found."""
    service = Service(facts=facts, complete=complete)
    made = kf.Directory.from_clinics([Clinic(clinic_id="x", name="X", services=[service])])
    assert made["x"].services[0].routes == ("iv",)
    assert ids(made.search(routes="iv")) == "x"
    assert ids(made.search(routes="im", unknown="include")) == ""


def test_languages_of_a_clinic_made_by_hand_are_found():
    made = kf.Directory.from_clinics([Clinic(clinic_id="x", name="X", languages=["fr"])])
    assert ids(made.search(languages="French")) == "x"
    assert hash(made["x"]) == hash(copy.deepcopy(made["x"]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Service(facts={"route": ["iv"]}),
        lambda: Service(facts={"route": {"iv": True}}),
        lambda: Service(facts={"route": {"iv": "maybe"}}),
        lambda: Service(facts=None),
        lambda: Service(complete="routes"),
        lambda: Clinic(clinic_id="x", name="X", location=(44.2, -76.5)),
        lambda: Clinic(clinic_id="x", name="X", phone=None),
        lambda: Clinic(clinic_id="x", name="X", languages="fr"),
        lambda: Clinic(clinic_id="x", name="X", services=["iv"]),
        lambda: Location(lat=1.0, lon=2.0, radius_km=math.nan),
        lambda: kf.Directory.from_clinics(None),
        lambda: kf.Directory.from_clinics(Clinic(clinic_id="x", name="X")),
        lambda: kf.Directory.from_clinics([], vocabulary="words.json"),
        lambda: kf.Directory.from_clinics([], geocoder=len),
        lambda: kf.route("iv", "im", at_least=3),
        lambda: kf.route("iv", at_least=True),
        lambda: kf.route("iv", "im", all_of="yes"),
        lambda: kf.vocabulary.suggest(None),
        lambda: kf.load_directory().inside(box(-80, 43, -79, 44).wkt),
        lambda: kf.Directory.open(None),
    ],
)
def test_what_would_be_misread_is_refused_when_it_is_made(make):
    with pytest.raises(kf.KetafindError) as refused:
        make()
    assert isinstance(refused.value, ValueError)
    assert len(str(refused.value)) > 20


def test_terms_that_nobody_knows_are_reported_for_all_clinics_at_once():
    odd = [Service(facts={"route": {word: Truth.YES}}) for word in ("zz", "yy")]
    clinics = [Clinic(clinic_id=f"x{n}", name="X", services=[s]) for n, s in enumerate(odd)]
    with pytest.raises(kf.errors.DataError, match=r"'x0'.*\n.*'x1'"):
        kf.Directory.from_clinics(clinics)


@pytest.mark.parametrize("answer", [None, (44.2, -76.5), "Kingston"])
def test_a_geocoder_that_returns_no_location_is_named(answer):
    class Odd:
        def geocode(self, text):
            return answer

    with pytest.raises(kf.KetafindError, match="geocoder Odd returned"):
        kf.Directory.from_clinics(
            [Clinic(clinic_id="x", name="X", city="Kingston")], geocoder=Odd()
        )


@pytest.mark.parametrize("keyword", ["radius_km", "condtions", "limit"])
@pytest.mark.parametrize("value", [None, "ptsd", 5])
def test_a_mistyped_argument_is_refused_whatever_its_value(bundled, keyword, value):
    with pytest.raises(kf.errors.UnknownTermError, match=f"{keyword}= is no argument"):
        bundled.nearest(HERE, **{keyword: value})


def test_evidence_of_a_facet_that_nobody_knows_is_refused(bundled):
    with pytest.raises(kf.errors.UnknownTermError, match='mean "route"'):
        bundled.evidence("caledon-clinic", "rout")
    assert bundled.evidence("caledon-clinic", "city")[0].term == "Caledon"


@pytest.mark.parametrize("read", [kf.read_clinics, kf.Directory.from_csv, kf.Directory.open])
def test_a_missing_file_is_an_error_of_ours_and_of_the_system(read, tmp_path):
    with pytest.raises(kf.KetafindError, match="no such file") as missing:
        read(tmp_path / "none")
    assert isinstance(missing.value, FileNotFoundError)


def test_columns_keep_their_types_where_there_is_nothing_to_tell_them_by(directory):
    full = directory.nearest(HERE, 1).to_frame()
    for found in (directory.nearest(HERE, routes="sc"), directory.search(routes="sublingual")):
        assert found.to_frame().dtypes.to_dict() == full.dtypes.to_dict()
    assert len(directory.nearest(HERE, routes="sc").to_geodataframe()) == 0


def test_a_match_and_a_filter_cannot_be_changed(bundled):
    matches = bundled.nearest(HERE, 2)
    for thing, name in [
        (matches[0], "rank"),
        (matches[0], "truth"),
        (matches, "order_certain"),
        (bundled.filter(routes="iv"), "criteria"),
        (bundled["caledon-clinic"], "name"),
        (HERE, "lat"),
        (kf.route("iv"), "terms"),
        (bundled.snapshot, "id"),
    ]:
        with pytest.raises((AttributeError, TypeError)):
            setattr(thing, name, 1)
        with pytest.raises((AttributeError, TypeError)):
            delattr(thing, name)
    with pytest.raises(ValueError, match="read-only"):
        bundled.filter(routes="iv")._bits[:] = 0


def test_an_answer_is_copied_as_itself_and_never_pickled(bundled):
    """It holds a searcher's place; so do the distances, to whoever has three of them."""
    matches = bundled.nearest(HERE, 2, conditions="ptsd")
    for thing in (matches, matches[0], bundled.filter(conditions="ptsd")):
        assert copy.copy(thing) is thing
        assert copy.deepcopy(thing) is thing
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)


def test_what_is_made_by_the_user_survives_pickle_and_copy(bundled):
    things = [
        HERE,
        kf.route("iv") & ~kf.treats("ptsd"),
        kf.qualified(),
        kf.no_service(kf.route("iv")),
    ]
    things += [bundled["caledon-clinic"], bundled.snapshot, bundled.vocabulary, Truth.UNKNOWN]
    for thing in things:
        again = pickle.loads(pickle.dumps(thing))
        assert (again, hash(again)) == (thing, hash(thing))
        assert copy.deepcopy(thing) == thing
    assert pickle.loads(pickle.dumps(bundled)).snapshot == bundled.snapshot


def test_later_changes_to_a_frame_change_no_answer(frame):
    mine = frame.copy()
    directory = kf.Directory.from_frame(mine)
    before = directory.search(unknown="include").to_dict()["matches"]
    mine.loc[:, ["routes", "name"]] = "oral"
    answer = directory.search(unknown="include")
    table = answer.to_frame()
    table.loc[:, "name"] = "oral"
    answer.to_dict()["matches"][0]["routes"].append("sc")
    assert (
        answer.to_dict()["matches"]
        == directory.search(unknown="include").to_dict()["matches"]
        == before
    )


def test_sixty_four_threads_that_start_together_give_the_serial_answers(bundled):
    places = [kf.Coordinates(lat=42 + n % 9, lon=-80.0 - n % 7) for n in range(64)]
    words = ["iv", "im", "oral", "intranasal"]

    def ask(directory, n):
        found = directory.nearest(places[n], 7, routes=words[n % 4], unknown="include")
        return found.to_dict()["matches"], found.order_certain

    serial = [ask(kf.Directory.from_clinics(bundled.clinics), n) for n in range(64)]
    fresh = kf.Directory.from_clinics(bundled.clinics)
    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(lambda n: ask(fresh, n), range(64))) == serial


def test_each_kind_of_origin_at_one_place_gives_one_answer(directory):
    origins = [HERE, Location(lat=HERE.lat, lon=HERE.lon), Point(HERE.lon, HERE.lat)]
    answers = [
        directory.nearest(origin, 9, unknown="include").to_dict()["matches"] for origin in origins
    ]
    assert answers[0] == answers[1] == answers[2]
    assert [row["clinic_id"] for row in answers[0]] == ["a", "b", "c", "f"]


def test_several_shapes_are_one_region(directory):
    shapes = MultiPolygon([box(-80, 43, -79, 44), box(-77, 44, -76, 45)])
    assert ids(directory.inside(shapes)) == "ac"
    assert ids(directory.inside(shapes, routes="oral")) == "c"


def test_exports_of_an_answer_hold_no_digit_of_the_origin(directory):
    matches = directory.nearest(HERE, 5, unknown="include", routes="iv")
    shown = [repr(matches), matches._repr_html_(), json.dumps(matches.to_geojson())]
    shown += [
        json.dumps(matches.to_fhir()),
        matches.to_frame().to_csv(),
        matches.explore()._repr_html_(),
    ]
    shown += [str(matches.explain()), str(matches.relax()), str(matches.questions())]
    shown += [str(matches.why_not("d")), repr(matches[0])]
    for text in shown:
        assert "44.2371" not in text
        assert "76.4893" not in text


def test_a_sentence_of_the_contract_about_ids_holds(directory):
    """Positions index ``clinics``; membership, lookup and iteration agree with them."""
    distance_km, position = directory.nearest_arrays([HERE.lat], [HERE.lon], k=9)
    assert (distance_km.dtype, position.dtype) == (np.dtype(np.float64), np.dtype(np.intp))
    assert position.tolist() == [[0, 2, 5, -1, -1, -1, -1, -1, -1]]
    assert np.isnan(distance_km[0, 3:]).all()
    assert list(directory) == list("abcdef")
    assert ("a" in directory, "z" in directory, None in directory) == (True, False, False)
    assert directory.clinics[0] is directory.clinics[0]
    assert len(directory) == len(directory.clinics) == 6


def test_a_polygon_with_lon_and_lat_swapped_is_pointed_out(directory):
    with pytest.raises(kf.errors.CoordinatesError, match=r"polygon .* with lat and lon swapped"):
        directory.inside(box(43, -80, 44, -79))
    with pytest.raises(
        kf.errors.CoordinatesError, match=r"polygon .* with the sign of lon changed"
    ):
        directory.inside(box(79, 43, 80, 44))
    assert len(directory.inside(box(43, -80, 44, -79), check=False)) == 0
    assert len(directory.inside(box(0, 0, 1, 1))) == 0
    assert len(directory.inside(box(-81, 40, -80.9, 41))) == 0


def test_the_order_of_columns_terms_and_evidence_does_not_change_the_snapshot(frame, directory):
    turned = frame[frame.columns[::-1]].replace({"iv;im": "im;iv"})
    assert turned["routes"].iloc[0] == "im;iv"
    again = kf.Directory.from_frame(turned)
    assert again.snapshot == directory.snapshot
    assert len(directory.diff(again)) == 0
    changed = kf.Directory.from_frame(frame.replace({"iv;im": "iv"}))
    assert changed.snapshot != directory.snapshot


def test_a_directory_and_a_match_show_themselves_in_a_notebook(directory, bundled):
    hostile = Clinic(clinic_id="x", name="<script>${a}`", website="https://a.example/?<b>")
    shown = kf.Directory.from_clinics([hostile])._repr_html_()
    assert "<script" not in shown
    assert "${" not in shown
    assert "&lt;script&gt;" in shown
    assert "... and 8 more" in bundled._repr_html_()
    assert "more" not in directory._repr_html_()
    match = bundled.nearest("Toronto, ON", 1)[0]
    assert match._repr_html_() == match.explain()._repr_html_()


def test_a_clinic_in_place_of_its_id_is_refused_in_one_short_line(bundled):
    clinic = bundled.clinics[0]
    with pytest.raises(kf.errors.UnknownClinicError, match=r"text, not Clinic; write clinic\.cl"):
        bundled.qualification(clinic)


def test_criteria_in_json_may_leave_out_how_many_are_needed(bundled):
    criteria = kf.Criteria.from_json('{"facet": "route", "terms": ["iv", "im"]}')
    assert criteria == kf.route("iv", "im")


def test_a_doubled_id_is_named():
    with pytest.raises(kf.errors.DataError, match="two clinics share this id, 'a'"):
        kf.Directory.from_clinics([Clinic(clinic_id="a", name=name) for name in "AB"])


def test_the_facets_of_the_vocabulary_are_listed():
    assert {"routes", "staff", "conditions", "languages"} <= set(dir(kf.vocabulary))


def test_another_vocabulary_s_facets_are_shown_in_place_of_ours():
    words = kf.Vocabulary.from_dict(
        {
            "format": "ketafind-vocabulary/1",
            "languages": ["en"],
            "facets": [
                {
                    "id": "colour",
                    "plural": "colours",
                    "labels": {"en": "colour"},
                    "terms": [
                        {"id": "red", "labels": {"en": "red"}},
                        {"id": "crimson", "parent": "red", "labels": {"en": "crimson"}},
                    ],
                }
            ],
        }
    )
    rows = pd.DataFrame([{"clinic_id": "a", "name": "A", "colours": "crimson"}])
    found = kf.Directory.from_frame(rows, vocabulary=words).search(colours="red")
    row = found.to_frame().iloc[0]
    assert row["colours"] == "crimson"
    assert "routes" not in row
    assert "colours" in repr(found).splitlines()[0]
    assert "staff" not in repr(found)
    assert found.to_geojson()["features"][0]["properties"]["colours"] == ["crimson"]


def test_an_answer_s_frame_has_the_province_and_each_facet(directory):
    row = directory.search(routes="sublingual").to_frame().iloc[0]
    assert row["province"] == "ON"
    assert (row["routes"], row["staff"], row["conditions"]) == (
        "sublingual",
        "anesthesiologist",
        "migraine",
    )
    assert {"products", "settings", "languages"} <= set(row.index)


def test_a_file_that_cannot_be_written_is_refused_in_ketafind_s_own_words(bundled, tmp_path):
    with pytest.raises(kf.errors.MissingFileError, match="there is no folder"):
        bundled.save(tmp_path / "nowhere" / "a.ketafind")
    page = bundled.nearest("Toronto, ON", 1).explore()
    page.save(tmp_path / "map.html")
    with pytest.raises(kf.errors.ExistingFileError, match="pass overwrite=True"):
        page.save(tmp_path / "map.html")


def test_arguments_of_another_kind_are_named(bundled):
    with pytest.raises(kf.errors.CriteriaError, match="where takes criteria, not str"):
        bundled.search("Toronto")
    with pytest.raises(kf.errors.InvalidInputError, match="removed takes several ids"):
        bundled.with_clinics(removed="caledon-clinic")


def test_records_are_read_as_strictly_as_files():
    """Evidence and yes-no facts of records are held against the same words."""

    def made(facts=(), **fields):
        evidence = tuple(
            kf.Evidence(clinic_id="a", facet=facet, term=term, truth=Truth.YES, source_url="https://a.example/")
            for facet, term in facts
        )  # fmt: skip
        return kf.Directory.from_clinics(
            [Clinic(clinic_id="a", name="A", evidence=evidence, **fields)]
        )

    known = made([("routes", "IV infusion"), ("city", "Kingston"), ("virtual", "")])
    assert [fact.term for fact in known.evidence("a", "route", "iv")] == ["iv"]
    assert known["a"].services[0].flags == {"virtual": "yes"}
    for facts in ([("route", "zz")], [("colour", "red")]):
        with pytest.raises(kf.errors.DataError, match=r"clinic 'a', evidence: .* is not a known"):
            made(facts)
    with pytest.raises(kf.errors.InvalidInputError, match="flag:virtual: 'maybe' is not a truth"):
        Service(flags={"virtual": "maybe"})
    with pytest.raises(kf.errors.DataError, match=r'service .*"valet" is not a known flag'):
        made(services=(Service(flags={"valet": "yes"}),))
    with pytest.raises(kf.errors.InvalidInputError, match="must be Evidence objects, not str"):
        Clinic(clinic_id="a", name="A", evidence=("https://a.example/",))
