"""The command line answers, refuses in one line, and never shows where someone searches from."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ketafind as kf
from ketafind.cli import main


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "ketafind", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", **options)


def test_nearest_prints_a_table_of_the_matches_and_what_is_not_known(capsys):
    assert main(["nearest", "Kingston, ON", "--route", "iv", "--condition", "depression"]) == 0
    printed = capsys.readouterr().out
    assert "Providence" in printed
    assert "more may match" in printed
    assert "order is not certain" in printed


def test_json_lists_the_matches_beside_the_query_and_the_snapshot(capsys):
    place = ["--lat", "44.2312", "--lon", "-76.4860"]
    assert main(["nearest", *place, "--route", "iv", "-k", "2", "--format", "json"]) == 0
    printed = capsys.readouterr().out
    answer = json.loads(printed)
    origin = kf.Coordinates(lat=44.2312, lon=-76.4860)
    expected = kf.load_directory().nearest(origin, 2, routes="iv")
    assert answer["matches"] == json.loads(json.dumps(expected.to_dict()["matches"]))
    assert answer["snapshot"]["id"] == expected.snapshot.id
    assert answer["query"]["where"] == expected.criteria.to_dict()
    assert "44.2312" not in printed
    assert "76.486" not in printed


def test_geojson_and_csv_hold_the_same_clinics(capsys):
    command = ["nearest", "M5V 2C3", "-k", "3", "--format"]
    assert main([*command, "geojson"]) == 0
    features = json.loads(capsys.readouterr().out)["features"]
    assert main([*command, "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    ids = [feature["properties"]["clinic_id"] for feature in features]
    assert ids == [row["clinic_id"] for row in rows]
    assert len(ids) == 3


def test_several_terms_of_one_option_are_any_of_them(capsys):
    both = ["--route", "oral", "--route", "intranasal", "--unknown", "include", "-k", "30"]
    assert main(["nearest", "Toronto", *both, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["matches"]
    directory = kf.load_directory()
    expected = directory.search(routes=["oral", "intranasal"], unknown="include")
    located = [match.clinic for match in expected if match.clinic.location is not None]
    assert {m["clinic_id"] for m in found} == {clinic.clinic_id for clinic in located}


@pytest.mark.parametrize(
    "arguments",
    [
        ["nearest", "--bogus"],
        ["nearest"],
        ["nearest", "Toronto", "--lat", "43", "--lon", "-79"],
        ["nearest", "--lat", "43"],
        ["nearest", "--lat", "nan", "--lon", "-79.38"],
        ["nearest", "--lat", "4_3", "--lon", "-79.38"],
        ["nearest", "--lat", "43", "--lon", "abc"],
        ["nearest", "Toronto", "-k", "0"],
        ["nearest", "Toronto", "-k", "1.5"],
        ["nearest", "Toronto", "--route", "intravenus"],
        ["nearest", "Toronto", "--route", ""],
        ["nearest", "Toronto", "--where", "{"],
        ["nearest", "Toronto", "--max-distance-km", "-1"],
        ["nearest", "Toronto", "--evidence", "x.csv"],
        ["nearest", "Toronto", "--api-key", "secret"],
        ["show", "no-such-clinic"],
        ["vocabulary", "colour"],
        [],
    ],
)
def test_wrong_input_exits_2_with_one_line(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("ketafind")
    assert "Traceback" not in done.stderr


def test_a_negative_longitude_is_a_value():
    assert run("nearest", "--lat", "43.65", "--lon", "-79.38", "-k", "1").returncode == 0


def test_a_swapped_pair_is_refused_with_the_option_that_accepts_it(capsys):
    swapped = ["nearest", "--lat", "-79.38", "--lon", "43.65", "-k", "1"]
    assert main(swapped) == 2
    assert "pass --no-check" in capsys.readouterr().err
    assert main([*swapped, "--no-check"]) == 0


def test_an_ambiguous_place_is_refused_with_the_places_it_could_be():
    done = run("nearest", "Sydenham")
    assert done.returncode == 2
    assert "several places" in done.stderr


def test_an_at_sign_reads_no_file(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("Toronto\n")
    done = run("nearest", f"@{secret}")
    assert done.returncode == 2
    assert "Toronto" not in done.stdout + done.stderr


def test_a_full_disk_is_a_failure_without_a_traceback():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "ketafind", "vocabulary"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("closed", "command", "code"),
    [("0<&-", "join -", 2), ("1>&-", "info", 1), ("2>&-", "nearest Kingston --format csv", 0)],
)
def test_a_stream_that_is_closed_is_no_traceback(closed, command, code):
    command = f"exec {sys.executable} -m ketafind {command} {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Origin read" not in done.stdout  # what was for one stream goes to no other


def test_a_help_that_cannot_be_printed_is_a_failure():
    command = f"exec {sys.executable} -m ketafind nearest --help >/dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "ketafind: No space left on device\n")


@pytest.mark.parametrize(
    "words",
    [["nearest", "--lat", "44,231777", "--lon", "-76"], ["44.231777"], ["nearest", "-k", "44.231777"],
     ["map", "x", "--out", "y", "--overwrite=44.231777"], ["nearest", "x", "--lang", "44.231777"],
     ["nearest", "x", "--at-most", "44.231777"], ["nearest", "x", "--where", '{"44.231777": 1}']],
)  # fmt: skip
def test_a_place_in_the_wrong_option_is_not_repeated(words, capsys):
    with contextlib.suppress(SystemExit):  # of argparse
        assert main(words) == 2
    assert "231777" not in capsys.readouterr().err


def test_a_closed_pipe_is_a_failure_without_a_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ketafind", "vocabulary"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,lat,lon\na,Clinique \x1b[31mété,43.7,-79.4\n", "utf-8")
    done = run(
        "nearest", "Toronto", "--data", str(path), env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert r"\xe9t\xe9" in done.stdout


def test_show_prints_each_fact_with_its_evidence(capsys):
    assert main(["show", "providence-care-ketamine-clinic"]) == 0
    printed = capsys.readouterr().out
    assert "treatment_resistant_depression" in printed
    assert "providencecare.ca" in printed.replace("\n", "")


def test_show_prints_what_no_source_states_and_what_is_not_believed(tmp_path: Path, capsys):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,lat,lon,routes,virtual,door\na,A,44.2,-76.5,iv,no,red\n")
    assert main(["show", "a", "--data", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "its position is given" in printed
    assert [line.split()[:2] for line in printed.splitlines()[5:]] == [
        ["name", "A"],
        ["route", "iv"],
        ["flag", "virtual"],
        ["door", "red"],
    ]
    assert main(["show", "caledon-clinic", "--as-of", "2030-01-01", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == "uncertain"
    route = next(fact for fact in said["facts"] if fact["fact"] == "route")
    assert (route["value"], route["truth"], route["believed"]) == ("iv", "yes", "no")
    assert main(["show", "caledon-clinic"]) == 0
    assert "believed" not in capsys.readouterr().out


def test_a_facet_may_be_named_in_the_plural_and_no_match_is_said_in_words(capsys):
    assert main(["nearest", "Kingston", "--routes", "iv", "--max-distance-km", "0.1"]) == 0
    assert capsys.readouterr().out.startswith("No clinics with a position match. ")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["neerest", "Kingston"], "; did you mean nearest? See ketafind --help"),
        (["nearest", "Kingston", "--max-distance", "5"], "; did you mean --max-distance-km? See"),
        (["nearest", "Kingston", "--format", "jsn"], "; did you mean json? See ketafind nearest"),
        (["Kingston"], "; see ketafind --help"),
        (["nearest", "Kingston", "--json"], "no option --json; did you mean --format json? See"),
        (["nearest", "Kingston", "--jsn"], "no option --jsn; did you mean --format json? See"),
        (["nearest", "Kingston", "--verbose"], "there is no option --verbose; see"),
        (["info", "--data", "a.csv"], "there is no option --data; see"),
        (["version"], "; see ketafind --help"),
    ],
)
def test_a_mistyped_command_option_or_choice_is_answered_with_the_nearest(capsys, asked, said):
    with pytest.raises(SystemExit):
        main(asked)
    told = capsys.readouterr().err
    assert said in told
    assert "Kingston" not in told


def test_words_that_no_command_takes_are_not_repeated():
    done = run("nearest", "44", "Princess", "St", "--key=abc")
    assert done.returncode == 2
    assert done.stderr == "ketafind: there is no option --key; see ketafind COMMAND --help\n"
    done = run("nearest", "44", "Princess")
    assert done.returncode == 2
    assert "put a place of several words in quotes" in done.stderr
    assert "Princess" not in done.stderr


def test_a_level_is_taken_for_qualified_only_where_it_is_one(capsys):
    for arguments in (["--qualified", "Kingston"], ["Kingston", "--qualified", "team"]):
        assert main(["nearest", *arguments, "--format", "json"]) == 0
        where = json.loads(capsys.readouterr().out)["query"]["where"]
        assert where["named"].startswith("qualified: team")


def test_messages_name_the_options_of_the_command_line(capsys):
    for place in ("-79.38, 43.65", "Nowhereville"):
        assert main(["nearest", "--", place]) == 2
        said = capsys.readouterr().err
        assert "--lat and --lon" in said
        assert "Coordinates" not in said
        assert main(["nearest", "--lang", "fr", "--", place]) == 2
        assert "--lat et --lon" in capsys.readouterr().err
    assert main(["nearest", "--lat", "43.65", "--lon", "79.38", "--lang", "fr"]) == 2
    assert "donnez --no-check" in capsys.readouterr().err
    assert main(["nearest", "Kingston", "--lat", "44", "--lon", "-76"]) == 2
    assert "not both" in capsys.readouterr().err


def test_an_option_that_a_vocabulary_of_ones_own_lacks_is_named_as_it_was_given(tmp_path, capsys):
    (tmp_path / "words.json").write_text(
        '{"format": "ketafind-vocabulary/1", "languages": ["en"], "facets": []}'
    )
    (tmp_path / "clinics.csv").write_text("clinic_id,name\na,A\n")
    files = [f"--{name}={tmp_path / file}" for name, file in
             (("data", "clinics.csv"), ("vocabulary", "words.json"))]  # fmt: skip
    for lang in ("en", "fr"):
        assert main(["nearest", "Kingston", *files, "--route", "iv", "--lang", lang]) == 2
        assert capsys.readouterr().err.startswith('ketafind: --route: "route" ')


def test_a_place_in_quebec_is_answered_with_the_option_that_reads_it(tmp_path: Path, capsys):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,city,province\na,A,Laval,QC\n")
    assert main(["validate", str(path)]) == 0
    assert "Ontario only; --region CA reads all of Canada" in capsys.readouterr().out
    assert main(["validate", str(path), "--lang", "fr"]) == 0
    assert "--region CA lit tout le Canada" in capsys.readouterr().out
    assert main(["profile", "--data", str(path), "--lang", "fr"]) == 0
    said = "cliniques que leur adresse n'a pas permis de situer : 1 sur 1; elles se trouvent par"
    assert said in capsys.readouterr().err


def test_validate_names_the_rows_that_could_not_be_placed(tmp_path: Path, capsys):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,city\na,A,Kingston\nb,B,Nowhereville\n")
    assert main(["validate", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "no fault in 2 clinics, 1 without a position" in printed
    assert "b: its address could not be placed: " in printed
    path.write_text("clinic_id,name,city\nb,B,Nowhereville\n")
    assert main(["validate", str(path)]) == 0
    assert "no fault in 1 clinic, 1 without a position" in capsys.readouterr().out
    assert main(["nearest", "Kingston", "--data", str(path)]) == 0
    assert capsys.readouterr().out.startswith(
        "No clinics with a position match. 1 that matches, or"
    )


def test_rows_that_could_not_be_placed_are_said_beside_the_answer(tmp_path: Path, capsys):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,city,lat,lon\na,A,,44,-76\nb,B,Nowhereville,,\n")
    assert main(["nearest", "--lat", "44", "--lon", "-76", "--data", str(path)]) == 0
    printed = capsys.readouterr()
    assert "could not be placed" not in printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith("ketafind: 1 of 2 clinics could not be placed")
    assert line.endswith("ketafind validate lists the reasons")


@pytest.mark.parametrize("form", ["table", "json", "csv", "geojson"])
def test_how_the_place_was_read_is_said_beside_the_answer_and_never_in_it(form, capsys):
    assert main(["nearest", "Kingstn, ON", "--staff", "nurse", "--format", form]) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        "Origin read as Kingston, ON: the place, within 7.0 km. Kingstn was read as Kingston.\n"
    )
    assert "Kingstn" not in printed.out
    assert "Origin" not in printed.out
    assert main(["nearest", "--lat", "44.2", "--lon", "-76.5"]) == 0
    assert capsys.readouterr().err == ""


def test_how_the_place_was_read_is_said_in_french(capsys):
    assert main(["explain", "K7L 3N6", "--lang", "fr"]) == 0
    assert capsys.readouterr().err.startswith("Lieu de départ compris comme K7L 3N6, Kingston, ON")


def test_all_of_canada_is_read_when_the_region_says_so(tmp_path: Path, capsys):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,city,province\nv,V,Vancouver,BC\n")
    assert main(["nearest", "Victoria", "--data", str(path), "--region", "CA"]) == 0
    printed = capsys.readouterr()
    assert "The one clinic that matches." in printed.out
    assert "Victoria, British Columbia" in printed.err
    assert main(["nearest", "Montreal"]) == 2
    assert "--region CA" in capsys.readouterr().err
    assert main(["nearest", "Montreal", "--region", "CA"]) == 0
    assert main(["geocode", "Victoria", "--region", "CA", "--format", "json"]) == 0


def test_validate_lists_every_fault_of_a_file(tmp_path: Path, capsys):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,routes\na,A,intraveneous\nb,B,iv\nb,C,iv\n")
    assert main(["validate", str(path)]) == 1
    printed = capsys.readouterr()
    assert "row 2" in printed.out
    assert "intravenous" in printed.out
    assert "row 4" in printed.out
    path.write_text("clinic_id,name,routes\na,A,iv\n")
    assert main(["validate", str(path)]) == 0


def test_vocabulary_prints_the_terms_in_either_language(capsys):
    assert main(["vocabulary", "routes", "--lang", "fr"]) == 0
    assert "intraveineuse" in capsys.readouterr().out


def test_an_interrupt_exits_130(monkeypatch):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("ketafind.cli.make_parser", interrupted)
    assert main(["vocabulary"]) == 130


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("nearest", "show", "validate", "vocabulary"))


def test_info_names_the_index_and_says_when_there_is_no_compiled_core(capsys, monkeypatch):
    assert main(["info"]) == 0
    assert "28 clinics" in capsys.readouterr().out
    monkeypatch.setattr("ketafind.geo.compiled_core", lambda: None)
    assert main(["info"]) == 0
    assert "without a C compiler" in " ".join(capsys.readouterr().out.split())


def test_geocode_prints_the_place_with_its_precision(capsys):
    assert main(["geocode", "M5V 2C3"]) == 0
    assert "the postal code, within" in capsys.readouterr().out
    assert main(["geocode", "Kingston", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "Kingston, ON"


def test_geocode_refuses_what_is_no_single_place_and_lists_candidates():
    done = run("geocode", "Sydenham")
    assert done.returncode == 2
    assert "Sydenham" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_street_register_is_built_and_asked(tmp_path: Path, capsys):
    source = tmp_path / "addresses.csv"
    source.write_text(
        "LON,LAT,NUMBER,STREET,UNIT,CITY,DISTRICT,REGION,POSTCODE,ID,HASH\n"
        "-76.4860,44.2312,10,Princess Street,,Kingston,,ON,K7L 1A1,1,a\n"
        "-76.4870,44.2322,20,Princess Street,,Kingston,,ON,K7L 1A1,2,b\n"
    )
    register = tmp_path / "streets.register"
    assert main(["geocoder", "build", "--openaddresses", str(source), "-o", str(register)]) == 0
    assert "2 addresses on 1 streets" in capsys.readouterr().out
    asked = ["geocode", "10 Princess St, Kingston, ON", "--register", str(register)]
    assert main([*asked, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["precision"] == "rooftop"
    assert found["lat"] == pytest.approx(44.2312, abs=1e-4)


def test_a_saved_directory_is_read_as_data(tmp_path: Path, capsys):
    path = tmp_path / "some.ketafind"
    kf.Directory.from_clinics(kf.load_directory().clinics[:3]).save(path)
    asked = ["nearest", "Toronto", "--data", str(path), "--unknown", "include"]
    assert main([*asked, "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["matches"]) == 3


def test_flags_and_bounds_join_the_question(tmp_path, capsys):
    data = tmp_path / "clinics.csv"
    data.write_text(
        "clinic_id,name,lat,lon,virtual,referral_required,price_cad\n"
        "a,A,44.2,-76.5,yes,no,250\nb,B,44.3,-76.5,yes,yes,250\nc,C,44.4,-76.5,yes,no,250-400\n",
        "utf-8",
    )
    place = ["nearest", "--lat", "44.2", "--lon", "-76.5", "--data", str(data)]
    asked = ["--flag", "virtual", "--flag", "referral_required=no", "--at-most", "price_cad=300"]
    assert main([*place, *asked, "--at-least", "price_cad=50.5", "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [match["clinic_id"] for match in answer["matches"]] == ["a"]
    where = kf.flag("virtual") & ~kf.flag("referral_required") & kf.at_most("price_cad", 300)
    where = (where & kf.at_least("price_cad", 50.5)).resolve(kf.load_directory().vocabulary)
    assert answer["query"]["where"] == where.to_dict()
    for wrong in (["--flag", "virtual=maybe"], ["--at-most", "price_cad=-1"]):
        assert main([*place, *wrong]) == 2
    for wrong in ("price_cad", "price_cad=", "price_cad=many", "=3_0"):
        with pytest.raises(SystemExit):
            main([*place, "--at-most", wrong])
    assert "Traceback" not in capsys.readouterr().err


def test_clinics_by_an_own_vocabulary_are_asked_about_on_the_command_line(tmp_path, capsys):
    words = {
        "format": "ketafind-vocabulary/1",
        "languages": ["en"],
        "facets": [
            {
                "id": "technique",
                "plural": "techniques",
                "labels": {"en": "technique"},
                "terms": [{"id": "manual", "labels": {"en": "manual"}}],
            }
        ],
    }
    own, data = tmp_path / "words.json", tmp_path / "clinics.csv"
    own.write_text(json.dumps(words), "utf-8")
    data.write_text("clinic_id,name,lat,lon,techniques\na,A,44,-76,manual\nb,B,44,-76,\n", "utf-8")
    files = ["--data", str(data), "--vocabulary", str(own)]
    place = ["nearest", "--lat", "44", "--lon", "-76", *files, "--format", "json"]
    assert main([*place, "--facet", "technique=manual"]) == 0
    assert [one["clinic_id"] for one in json.loads(capsys.readouterr().out)["matches"]] == ["a"]
    assert main([*place, "--facet", "technique"]) == 2
    assert "write FACET=TERM" in capsys.readouterr().err
    assert main(["vocabulary", "--vocabulary", str(own)]) == 0
    assert "manual" in capsys.readouterr().out
    assert main(["validate", str(data), "--vocabulary", str(own)]) == 0
    assert main(["nearest", "Kingston", "--vocabulary", str(own)]) == 2
    assert "--vocabulary goes with --data" in capsys.readouterr().err
    saved = tmp_path / "clinics.ketafind"
    kf.Directory.from_csv(data, vocabulary=kf.Vocabulary.read(own)).save(saved)
    assert main(["profile", "--data", str(saved), "--vocabulary", str(own)]) == 2
    assert "holds its vocabulary already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["nearest", "Kingstn", "--route", "iv", "-k", "1"], ("intraveineuse", "Données")),
        (["show", "caledon-clinic"], ("ouverte", "voie d'administration", "page de la clinique")),
        (["show", "nowhere"], ("aucune clinique ne porte l'identifiant",)),
        (
            ["geocode", "Kingstn"],
            ("la localité, à", "a été lu comme Kingston", "source : GeoNames"),
        ),
        (["geocode", "Sydenham"], ("peut désigner 2 lieux", " à 44.")),
        (["validate", "{folder}/sound.csv"], ("aucune erreur dans 1 clinique",)),
        (
            ["validate", "{folder}/faulty.csv"],
            ("ligne 2, colonne « checked_on »", "1 erreur dans 1 lignes sur 1; rien"),
        ),
        (["join", "{folder}/none.csv"], ("ce fichier n'existe pas",)),
        (["vocabulary", "route"], ("facette", "terme", "libellé", "intraveineuse")),
        (["nearest", "Kingston", "--at-most", "cost=3"], ("n'est pas un terme connu : grandeur",)),
        (["export", "--out", "{folder}/a.doc"], ("donnez --format; formats : csv",)),
    ],
)
def test_every_command_speaks_french(asked: list[str], said: tuple[str, ...], tmp_path, capsys):
    (tmp_path / "sound.csv").write_text("clinic_id,name\na,A\n")
    (tmp_path / "faulty.csv").write_text("clinic_id,name,checked_on\na,A,2026-02-31\n")
    main([word.format(folder=tmp_path) for word in asked] + ["--lang", "fr"])
    printed = capsys.readouterr()
    assert all(words in printed.out + printed.err for words in said)


def test_json_has_labels_where_a_language_is_asked_for(capsys):
    question = ["nearest", "Kingston, ON", "--route", "iv", "-k", "1", "--format", "json"]
    assert main(question) == 0
    assert "labels" not in json.loads(capsys.readouterr().out)["matches"][0]
    assert main([*question, "--lang", "fr"]) == 0
    assert json.loads(capsys.readouterr().out)["matches"][0]["labels"]["truth"] == "oui"
