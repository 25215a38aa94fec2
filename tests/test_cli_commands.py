"""The commands that explain, ask, compare and describe."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

import ketafind as kf
from ketafind.cli import commands, main

ASK = ["Kingston, ON", "--route", "iv", "--condition", "depression"]


def run(capsys, *arguments) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_explain_questions_and_relax_print_what_python_says(capsys, lang):
    near = kf.load_directory().nearest(ASK[0], 5, routes="iv", conditions="depression")
    told = {
        ("explain",): near.explain(lang=lang),
        ("explain", "--relax"): near.relax(lang=lang),
        ("explain", "--why-not", "camh-toronto"): near.why_not("camh-toronto", lang=lang),
        ("questions",): near.questions(lang=lang),
    }
    for (command, *options), wanted in told.items():
        out = run(capsys, command, *ASK, *options, "--lang", lang)
        assert out == f"{wanted}\n"
        data = json.loads(run(capsys, command, *ASK, *options, "--lang", lang, "--format", "json"))
        assert data == json.loads(json.dumps(wanted.to_dict()))


def test_qualified_is_a_filter_with_a_level(capsys):
    for options, level in ((["--qualified"], "team"), (["--qualified", "full"], "full")):
        out = run(
            capsys,
            "nearest",
            *ASK,
            *options,
            "--unknown",
            "include",
            "--format",
            "json",
            "-k",
            "30",
        )
        wanted = kf.load_directory().nearest(
            ASK[0], 30, where=kf.qualified(level), routes="iv", conditions="depression", unknown="include"
        )  # fmt: skip
        ids = [one["clinic_id"] for one in json.loads(out)["matches"]]
        assert ids == [match.clinic.clinic_id for match in wanted]


def test_as_of_a_later_day_less_is_known(capsys):
    now, later = (
        json.loads(run(capsys, "profile", "--format", "json", *options))
        for options in ([], ["--as-of", "2028-01-01"])
    )
    assert later["statuses"].get("active", 0) == 0 < now["statuses"]["active"]


def test_diff_prints_what_changed(capsys, tmp_path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("clinic_id,name,routes\na,A,iv\n", "utf-8")
    new.write_text("clinic_id,name,routes\na,A,iv;im\nb,B,\n", "utf-8")
    out = run(capsys, "diff", str(old), str(new))
    assert "intramuscular" in out
    assert "a new clinic" in out
    data = json.loads(run(capsys, "diff", str(old), str(new), "--format", "json"))
    assert [change["clinic_id"] for change in data["changes"]] == ["a", "b"]


def test_doubts_of_the_bundled_data_are_printed_in_french(capsys):
    assert "points à vérifier" in run(capsys, "profile", "--doubts", "--lang", "fr")


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain"],
        ["explain", *ASK, "--why-not", "nobody"],
        ["explain", *ASK, "--lang", "de"],
        ["nearest", *ASK, "--qualified", "gold"],
        ["profile", "--as-of", "soon"],
    ],
)
def test_wrong_input_ends_with_two_and_one_line(capsys, arguments):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["Kingston", "--route", "intraveinous"], 'vouliez-vous dire "intraveineuse" (iv)?'),
        (["Sydenham"], "plusieurs lieux éloignés; ajoutez une province ou un code postal"),
    ],
)
def test_what_is_refused_is_said_in_the_language_asked_for(capsys, asked, said):
    assert main(["explain", *asked, "--lang", "fr"]) == 2
    assert said in capsys.readouterr().err
    assert main(["explain", *asked]) == 2
    assert said not in capsys.readouterr().err


def test_map_writes_a_page_that_marks_the_place_only_where_it_is_asked_to(capsys, tmp_path):
    path = tmp_path / "map.html"
    for more in ([], ["--with-origin", "--overwrite"]):
        assert main(["map", *ASK, "--column", "status", "--out", str(path), *more]) == 0
        assert ('"origin":null' in path.read_text("utf-8")) == (not more)
        assert "Kingston" in capsys.readouterr().err
    assert main(["map", *ASK, "--out", str(path)]) == 2
    assert main(["map", *ASK, "--column", "colour", "--out", str(path), "--overwrite"]) == 2
    assert "needs a column 'colour'" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [["map", *ASK], ["page"]])
def test_a_page_is_not_written_under_the_name_of_a_picture(capsys, tmp_path, asked):
    path = tmp_path / "map.png"
    assert main([*asked, "--out", str(path)]) == 2
    assert "map.png: the name must end in .html, .htm" in capsys.readouterr().err
    assert not path.exists()


def test_a_clinic_is_shown_with_its_numbers(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("clinic_id,name,routes,price_cad\na,A,iv,100-200\n", "utf-8")
    for lang in ("en", "fr"):
        assert "100-200" in run(capsys, "show", "a", "--data", str(path), "--lang", lang)
    facts = json.loads(run(capsys, "show", "a", "--data", str(path), "--format", "json"))["facts"]
    assert ("price_cad", "100-200") in [(fact["fact"], fact["value"]) for fact in facts]


def test_an_agent_that_goes_away_ends_its_server_and_another_error_is_told(monkeypatch):
    class Server:
        def __init__(self, error):
            self.error = error

        def run(self, _transport):
            raise ExceptionGroup("in a task", [self.error])

    monkeypatch.setattr(commands, "directory_of", lambda _: None)
    for error, told in ((BrokenPipeError(), BrokenPipeError), (OSError(5, "x"), ExceptionGroup)):
        server = Server(error)
        monkeypatch.setattr("ketafind.mcp.make_server", lambda *_, one=server, **__: one)
        with pytest.raises(told):
            commands.mcp(Namespace(precise_places=False))
