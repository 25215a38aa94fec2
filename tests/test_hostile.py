"""Input that means harm, or is only odd, by the finding or case that it stands for."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import traceback
from decimal import Decimal
from functools import reduce
from operator import and_
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ketafind as kf
from ketafind.cli import main
from ketafind.query.origin import read_origin

HERE = Path(__file__).parent
DIRECTORY = kf.load_directory()
ORIGIN = kf.Coordinates(lat=44.23, lon=-76.48)
HUGE = 10**400
INNER: list[object] = []
INNER.append(INNER)


def one_clinic(**fields):
    place = kf.Location(lat=43.7, lon=-79.4)
    return kf.Clinic(**{"clinic_id": "a", "name": "A", "location": place, **fields})


def test_refused_coordinates_can_be_shown_in_a_traceback():
    with pytest.raises(kf.KetafindError) as caught:
        kf.Coordinates(lat="44.231777", lon=-76)
    told = traceback.TracebackException(
        type(caught.value), caught.value, caught.value.__traceback__, capture_locals=True
    )
    assert "Coordinates that were refused" in "".join(told.format())


@pytest.mark.parametrize("field", ["clinic_id", "name", "notes", "phone", "city"])
@pytest.mark.parametrize("text", ["A\0B", "A\ud800B"])
def test_a_clinic_holds_no_text_that_no_file_can_hold(field, text):
    with pytest.raises(kf.KetafindError, match=f"{field} holds"):
        one_clinic(**{field: text})


@pytest.mark.parametrize(
    "website",
    ["javascript:alert(1)", "https://user:secret@a.ca", "a.ca", "https://", "https://a b.ca",
     "https://a.ca/\n", "file:///etc/passwd", "https:///a", "https://a.ca\\@b.ca"],
)  # fmt: skip
def test_a_website_is_a_web_address_without_a_password(website, tmp_path):
    with pytest.raises(kf.KetafindError, match="web address"):
        one_clinic(website=website)
    file = tmp_path / "clinics.csv"
    frame = pd.DataFrame({"clinic_id": ["a"], "name": ["A"], "website": [website]})
    frame.to_csv(file, index=False)
    if "\n" not in website:  # a cell's outer space is no part of it
        with pytest.raises(kf.KetafindError, match="web address"):
            kf.Directory.from_csv(file)


@pytest.mark.parametrize(
    "website", ["https://a.ca", "http://a.ca:8080/x?y=1#z", "HTTPS://A.CA", "https://[::1]/", "https://é.ca/@x"]
)  # fmt: skip
def test_other_web_addresses_are_taken(website):
    assert one_clinic(website=website).website == website


def test_numbers_too_large_for_a_float_are_refused_or_no_limit():
    for make in (
        lambda: kf.Coordinates(lat=HUGE, lon=0),
        lambda: kf.Location(lat=0, lon=0, radius_km=HUGE),
        lambda: kf.Quantity(HUGE, HUGE, "CAD"),
        lambda: kf.at_most("price_cad", HUGE),
        lambda: ORIGIN.coarsen(HUGE),
        lambda: DIRECTORY.nearest_arrays([44.0], [-76.0], k=2**70),
    ):
        with pytest.raises(kf.KetafindError):
            make()
    assert len(DIRECTORY.nearest(ORIGIN, 100, max_distance_km=HUGE)) == len(
        DIRECTORY.nearest(ORIGIN, 100)
    )
    assert len(DIRECTORY.within(ORIGIN, HUGE)) == len(DIRECTORY.nearest(ORIGIN, 100))


def test_a_span_of_time_is_no_number():
    span = np.timedelta64(44)
    for make in (
        lambda: kf.Coordinates(lat=span, lon=0),
        lambda: kf.at_most("price_cad", span),
        lambda: DIRECTORY.within(ORIGIN, span),
        lambda: DIRECTORY.nearest(ORIGIN, max_distance_km=span),
        lambda: DIRECTORY.nearest(ORIGIN, span),
    ):
        with pytest.raises(kf.KetafindError):
            make()


def test_what_holds_several_is_not_taken_for_one_nor_one_for_several():
    frame = pd.DataFrame({"lat": [44.2, 43.6], "lon": [-76.5, -79.4], "geom_type": "Point"})
    one = np.array("iv")
    for make in (
        lambda: DIRECTORY.search(routes=one),
        lambda: kf.geocode_many(one),
        lambda: kf.geocode_many(pd.DataFrame({"address": ["K7L 3N6", "Ottawa"]})),
        lambda: kf.geocode_many({"K7L 3N6": 1}),
        lambda: DIRECTORY.nearest(frame),
        lambda: kf.nearest_join(frame, DIRECTORY, lat=frame["lat"], lon="lon"),
        lambda: kf.nearest_join(frame, DIRECTORY, lat=frame["lat"].to_numpy(), lon="lon"),
        lambda: kf.coverage(frame, DIRECTORY, lon=frame["lon"]),
        lambda: kf.coverage(frame, DIRECTORY, by=frame["lon"]),
        lambda: kf.coverage(frame, DIRECTORY, by=one),
        lambda: kf.coverage(frame, DIRECTORY, by=[["lon"]]),
        lambda: kf.nearest_join(frame, DIRECTORY, columns=one),
        lambda: kf.nearest_join(frame, DIRECTORY, how=np.array(["left", "inner"])),
        lambda: kf.nearest_join(frame, DIRECTORY, radius=True),
        lambda: kf.nearest_join(frame, DIRECTORY, radius=np.timedelta64(3)),
        lambda: kf.geocode_frame(frame, frame["lat"]),
        lambda: kf.geocode_frame(frame, "geom_type", prefix=3),
    ):
        with pytest.raises(kf.KetafindError):
            make()


@pytest.mark.parametrize(
    "cell",
    [Decimal("sNaN"), INNER, [[1]], 10**5000, object(), b"\xff", {}],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("column", ["clinic_id", "lat"])
def test_a_cell_that_is_no_value_is_a_fault_of_its_row(cell, column):
    frame = pd.DataFrame(
        {"clinic_id": ["a"], "name": ["A"], "lat": [43.7], "lon": [-79.4]}, dtype=object
    )
    frame.at[0, column] = cell
    with pytest.raises(kf.KetafindError, match="row 0"):
        kf.Directory.from_frame(frame)


def test_criteria_nested_too_deeply_are_refused_where_they_are_made():
    def nested(levels):
        made = kf.route("iv")
        for _ in range(levels):
            made = (made & kf.route("im")) | kf.treats("ptsd")
        return made

    deepest = nested(50)
    assert kf.Criteria.from_json(deepest.to_json()) == deepest
    assert len(DIRECTORY.search(where=deepest)) > 0
    with pytest.raises(kf.KetafindError, match="deeper than 100"):
        nested(51)
    with pytest.raises(kf.KetafindError, match="deeper than 100"):
        reduce(lambda made, _: ~kf.no_service(made), range(60), kf.route("iv"))


def test_a_chain_of_one_operator_may_be_as_long_as_it_likes():
    long = reduce(and_, [kf.route("iv")] * 3_000)
    assert len(DIRECTORY.search(where=long)) == len(DIRECTORY.search(routes="iv"))
    assert kf.Criteria.from_json(long.to_json()) == long


@pytest.mark.parametrize(
    "place",
    ["\x0077 Zanzibar Crescent", "Apt 4, 77 Zanzibar Cres", "at 77b Zanzibar", "#4-77 Zanz"],
)
def test_a_street_and_number_in_the_wrong_argument_are_not_repeated(place):
    for wrong in ({"k": place}, {"routes": place}, {"unknown": place}):
        with pytest.raises(kf.KetafindError) as caught:
            DIRECTORY.nearest(ORIGIN, **wrong)
        assert "Zanz" not in f"{caught.value} {vars(caught.value)}"


def test_weights_whose_sum_is_no_number_are_refused():
    frame = pd.DataFrame({"lat": [44.2, 43.6], "lon": [-76.5, -79.4], "weight": 1e308})
    with pytest.raises(kf.KetafindError, match="too large"):
        kf.coverage(frame, DIRECTORY, weight="weight")


@pytest.mark.parametrize(
    "arguments",
    [{"k": 44.231777}, {"k": "K7L 3N6"}, {"max_distance_km": "K7L 3N6"}, {"offset": 44.231777},
     {"k": np.float64(44.231777)}, {"unknown": "K7L 3N6"}, {"router": "K7L 3N6"}],
)  # fmt: skip
def test_a_place_in_the_wrong_argument_is_not_repeated(arguments):
    with pytest.raises(kf.KetafindError) as caught:
        DIRECTORY.nearest(ORIGIN, **arguments)
    assert "44.2" not in str(caught.value)
    assert "K7L" not in str(caught.value)


def test_a_link_to_no_file_is_a_missing_file(tmp_path):
    (tmp_path / "clinics.csv").symlink_to("nowhere.csv")
    with pytest.raises(kf.errors.MissingFileError):
        kf.Directory.from_csv(tmp_path / "clinics.csv")


HIDDEN = "\x1b]0;x\x07 \u202e \x9b31m \x7f"


@pytest.mark.parametrize("form", ["table", "json", "geojson", "csv"])
def test_no_format_sends_a_terminal_what_it_would_obey(form, tmp_path, capsys, monkeypatch):
    file = tmp_path / "clinics.csv"
    frame = pd.DataFrame(
        {"clinic_id": ["a"], "name": [f"A{HIDDEN}"], "lat": [44.2], "lon": [-76.5]}
    )
    frame.to_csv(file, index=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["nearest", "Kingston", "--data", str(file), "--format", form]) == 0
    shown = capsys.readouterr().out
    assert not {letter for letter in shown if letter in HIDDEN and not letter.isprintable()}
    if form == "json":
        assert json.loads(shown)["matches"][0]["name"] == f"A{HIDDEN}"


@pytest.mark.parametrize("argument", ["router", "max_time_min"])
def test_a_query_by_distance_says_which_one_is_by_time(argument):
    with pytest.raises(kf.KetafindError, match="nearest"):
        DIRECTORY.within(ORIGIN, 30, **{argument: 5})


# -- The cases ------------------------------------------------------------------------------------

with open(HERE / "hostile_cases.csv", newline="") as _file:
    CASES = {row["case"]: row["tests"].split() for row in csv.DictReader(_file)}


def test_every_case_and_every_finding_is_there():
    known = [*map(str, range(1, 100)), *(f"finding {n}" for n in range(1, 25))]
    assert [case for case in CASES if case in known] == known


@pytest.mark.parametrize("case", CASES)
def test_the_tests_of_a_case_exist(case):
    assert CASES[case]
    for test in CASES[case]:
        file, name = test.split("::")
        assert f"\ndef {name}(" in "\n" + (HERE / file).read_text(), test


def test_blank_routes_are_unknown_and_counted():
    """Case 15."""
    frame = pd.DataFrame(
        {"clinic_id": ["a"], "name": ["A"], "lat": [44.2], "lon": [-76.5], "routes": [""]}
    )
    near = kf.Directory.from_frame(frame).nearest(ORIGIN, routes="iv")
    assert (len(near), near.n_eligible, near.n_possible) == (0, 0, 1)


def test_a_word_that_only_ends_like_a_term_is_refused():
    """Case 16."""
    with pytest.raises(kf.errors.UnknownTermError, match="not_depression"):
        DIRECTORY.search(conditions="not_depression")
    frame = pd.DataFrame({"clinic_id": ["a"], "name": ["A"], "conditions": ["not_depression"]})
    with pytest.raises(kf.KetafindError, match="not_depression"):
        kf.Directory.from_frame(frame)


POSITIONS = [float("nan"), float("inf"), None, True, "44", 1j, b"44", 90.5, -1e9, 10**400]


@pytest.mark.parametrize("lat", POSITIONS, ids=lambda one: repr(one)[:12])
def test_no_door_takes_a_position_that_is_none(lat):
    """Cases 32 and 33; nothing wraps round."""
    frame = pd.DataFrame({"lat": [lat], "lon": [-76.5]}, dtype=object)
    doors = [
        lambda: kf.Coordinates(lat=lat, lon=-76.5),
        lambda: kf.Location(lat=lat, lon=-76.5),
        lambda: kf.Location(lat=44.2, lon=200 if lat == 90.5 else lat),
        lambda: DIRECTORY.nearest_arrays([lat], [-76.5]),
        lambda: kf.nearest_join(frame, DIRECTORY),
    ]
    for door in doors[: 4 if lat is None or lat != lat else 5]:  # a cell may be missing
        with pytest.raises(kf.KetafindError):
            door()


def test_a_clinic_is_at_no_distance_from_itself():
    """Case 38."""
    for clinic in DIRECTORY.clinics:
        if clinic.location is not None and clinic.status != "closed":
            near = DIRECTORY.nearest(clinic.location, 1, unknown="include")
            assert near[0].distance_km == 0.0


def test_a_plain_string_is_one_term():
    """Case 46: not its letters."""
    assert (
        DIRECTORY.search(routes="iv")
        .to_frame()
        .equals(DIRECTORY.search(where=kf.route("iv")).to_frame())
    )
    with pytest.raises(kf.errors.UnknownTermError):
        DIRECTORY.search(routes=["i", "v"])


@pytest.mark.parametrize("word", [".*", "iv|im", "' OR 1=1 --", "iv\0", "%", "iv;im", "${iv}"])
def test_words_of_other_languages_are_words(word):
    """Case 48."""
    with pytest.raises(kf.KetafindError):
        DIRECTORY.search(routes=word)
    with pytest.raises(kf.errors.UnknownClinicError):
        DIRECTORY[word]
    plain = word.replace("\0", "")  # no name can hold that
    names = {"a": f"Clinic {plain}", "b": "Elsewhere"}
    clinics = [kf.Clinic(clinic_id=clinic_id, name=name) for clinic_id, name in names.items()]
    found = [clinic.clinic_id for clinic in kf.Directory.from_clinics(clinics).find(word)]
    assert found == (["a"] if any(map(str.isalpha, word)) else [])


def test_an_answer_of_nothing_has_its_columns_and_its_reasons():
    """Case 52."""
    where = kf.route("im") & kf.treats("ocd") & kf.staff("psychologist")
    nothing = DIRECTORY.nearest(ORIGIN, where=where)
    assert len(nothing) == 0
    assert list(nothing.to_frame().columns) == list(DIRECTORY.nearest(ORIGIN, 1).to_frame().columns)
    said = str(nothing.explain()).lower()
    assert all(word in said for word in ("intramuscular", "obsessive", "psychologist"))


def test_a_function_is_no_filter():
    """Case 53."""
    with pytest.raises(kf.errors.CriteriaError, match="where takes criteria"):
        DIRECTORY.nearest(ORIGIN, where=lambda clinic: True)


def test_a_geocoder_that_raises_or_calls_back_stops_nothing_else():
    """Case 53."""

    class Curious:
        name, version, works_offline = "curious", "1", True

        def geocode(self, text):
            near = DIRECTORY.nearest(ORIGIN, 1)  # calls back
            if text == "worse":
                raise RuntimeError("a bug of its own")
            return near[0].clinic.location

    frame = pd.DataFrame({"a": ["x", "y"]})
    assert list(kf.geocode_frame(frame, "a", Curious(), progress=False)["status"]) == ["ok", "ok"]
    with pytest.raises(RuntimeError, match="of its own"):
        kf.geocode_frame(pd.DataFrame({"a": ["worse"]}), "a", Curious(), progress=False)
    assert len(DIRECTORY.nearest(ORIGIN, 2)) == 2


def test_nothing_in_the_working_folder_is_read_or_run(tmp_path):
    """Case 98."""
    for name in ("ketafind.toml", "ketafind.cfg", ".ketafind", ".env", "pyproject.toml"):
        (tmp_path / name).write_text("[ketafind]\nk = 1\nroute = 'nonsense'\n")
    for name in ("sitecustomize", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ketafind", "nearest", "Kingston", "-k", "2"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "run" in done.stderr) == (0, False), done.stderr
    assert "2 " in done.stdout


@pytest.mark.parametrize("option", ["--key", "--api-key", "--token", "--password"])
def test_no_command_takes_a_key(option, capsys):
    """Case 99: whoever lists processes sees arguments."""
    for command in ("nearest", "geocode", "join", "export"):
        with pytest.raises(SystemExit) as ended:
            sys.exit(main([command, "Kingston", option, "CANARYKEY123"]))
        assert ended.value.code == 2
        assert "CANARYKEY123" not in capsys.readouterr().err


def test_thousands_of_unknown_terms_come_in_one_report(tmp_path):
    """Finding 22."""
    file = tmp_path / "clinics.csv"
    rows = "".join(f"c{n},A,t{n};u{n}\n" for n in range(1_000))
    file.write_text("clinic_id,name,routes\n" + rows)
    with pytest.raises(kf.errors.DataError, match="in 1000 of 1000 rows") as caught:
        kf.Directory.from_csv(file)
    assert {fault.row for fault in caught.value.faults} == set(range(2, 1_002))


def test_what_the_engine_makes_of_an_origin_shows_no_place():
    """Whoever prints the variables of a frame sees them."""
    start = read_origin(ORIGIN)
    assert "44" not in f"{start!r} {start}"


def test_a_page_opens_in_a_language_of_a_region(tmp_path):
    for lang in ("FR", "fr-CA"):
        DIRECTORY.to_html(tmp_path / "page.html", lang=lang, overwrite=True)
        assert '<html lang="fr"' in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize("lang", ["de", "", None, 3])
def test_a_page_in_another_language_is_refused_before_it_is_made(lang, tmp_path):
    with pytest.raises(kf.errors.InvalidInputError, match="lang"):
        DIRECTORY.to_html(tmp_path / "page.html", lang=lang)
    assert not list(tmp_path.iterdir())
