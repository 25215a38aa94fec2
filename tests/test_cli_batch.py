"""Whole files on the command line: every row answered or its reason said, nothing half-written."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.cli import main

pd = pytest.importorskip("pandas")

PEOPLE = 'id,lat,lon,note\n1,44.20,-76.50,"a, b"\n2,,,\n3,43.650,-79.38,NA\n'
ADDRESSES = "id,postal_code,town\n1,K7L 3N6,Kingston\n2,,\n3,zzz,\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(PEOPLE, "utf-8")
    (tmp_path / "addresses.csv").write_text(ADDRESSES, "utf-8")
    return tmp_path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.usefixtures("folder")
def test_each_row_gets_its_nearest_clinics_and_keeps_its_own_cells(capsys):
    assert main(["join", "people.csv", "-k", "2", "--route", "iv"]) == 0
    printed = capsys.readouterr()
    found = rows(printed.out)
    assert [(row["id"], row["rank"]) for row in found] == [
        ("1", "1"), ("1", "2"), ("2", ""), ("3", "1"), ("3", "2"),
    ]  # fmt: skip
    assert {(row["lat"], row["lon"], row["note"]) for row in found} == {
        ("44.20", "-76.50", "a, b"), ("", "", ""), ("43.650", "-79.38", "NA"),
    }  # fmt: skip
    near = kf.load_directory().nearest(kf.Coordinates(lat=44.2, lon=-76.5), 2, routes="iv")
    assert [row["clinic_id"] for row in found[:2]] == [match.clinic.clinic_id for match in near]
    assert [row["name"] for row in found[:2]] == [match.clinic.name for match in near]
    assert found[2]["reason"] == "no position"
    assert printed.err == "3 rows. no position: 1\n"


def test_a_file_that_is_written_is_read_again_whatever_its_form(folder, capsys):
    told = ["--address", "postal_code"]
    assert main(["join", "addresses.csv", *told, "--out", "near.csv"]) == 0
    assert main(["join", "addresses.csv", *told, "--out", "near.parquet"]) == 0
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in folder.iterdir()) == [
        "addresses.csv", "near.csv", "near.parquet", "people.csv",
    ]  # fmt: skip
    table = pd.read_parquet("near.parquet")
    assert list(table) == list(rows((folder / "near.csv").read_text("utf-8"))[0])
    assert main(["join", "near.parquet", *told, "--prefix", "again_"]) == 0
    again = rows(capsys.readouterr().out)
    assert [row["clinic_id"] for row in again] == [row["again_clinic_id"] for row in again]


def test_standard_input_and_output_are_streams_of_csv():
    command = [sys.executable, "-m", "ketafind", "geocode", "--in", "-", "--address", "postal_code"]
    done = subprocess.run(command, input=ADDRESSES.encode(), capture_output=True, check=True)
    placed = rows(done.stdout.decode())
    assert [row["label"] for row in placed] == ["K7L 3N6, Kingston, ON", "", ""]
    assert [row["status"] for row in placed] == ["ok", "missing", "not_found"]
    assert done.stderr.startswith(b"3 rows. ")


@pytest.mark.usefixtures("folder")
def test_several_columns_make_up_an_address(capsys):
    parts = ["--address", "town", "--address", "postal_code"]
    assert main(["geocode", "--in", "addresses.csv", *parts, "--prefix", "geo_"]) == 0
    first = rows(capsys.readouterr().out)[0]
    expected = kf.geocode("Kingston, K7L 3N6")
    assert (float(first["geo_lat"]), float(first["geo_lon"])) == (expected.lat, expected.lon)


def test_a_row_is_as_wide_as_it_is_told_to_be(folder, capsys):
    (folder / "people.csv").write_text("name,lat,lon\nAnn,44.2,-76.5\n", "utf-8")
    asked = ["join", "people.csv", "-k", "2", "--shape", "wide", "--how", "inner"]
    assert main([*asked, "--columns", "phone"]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert row["name"] == "Ann"
    assert {"clinic_id_1", "phone_1", "clinic_id_2", "phone_2"} <= set(row)
    assert "reason" not in row
    # A column of the file is not written over: the clinic's name is left out.
    assert main(asked) == 0
    assert "city_1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["join", "addresses.csv"], "with --lat and --lon, or with --address"),
        (["join", "addresses.csv", "--address", "street"], "no column 'street'"),
        (["join", "missing.csv"], "there is no such file"),
        (["join", "people.txt"], ".csv or .parquet"),
        (["join", "people.csv", "--out", "near.xlsx"], ".csv or .parquet"),
        (["join", "people.csv", "--out", "there.csv"], "pass --overwrite"),
        (["join", "people.csv", "--columns", "colour"], "colour"),
        (["join", "people.csv", "--out", "no/folder.csv"], "no folder"),
        (["join", "words.csv"], 'data row 2, column "lat": not a number; write degrees with'),
        (["join", "swapped.csv"], "pass --no-check"),
        (["join", "swapped.csv"], "data row 1: it lies over"),
        (["join", "metres.csv"], "data row 2: lat must lie between"),
        (["join", "ragged.csv"], "row 2"),
        (["join", "junk.parquet"], "cannot be read as Parquet"),
        (["join", "none.parquet"], "there is no such file"),
        (["join", "folder.parquet"], "not a regular file"),
        (["geocode", "--in", "junk.parquet"], "cannot be read as Parquet"),
        (["join", "people.csv", "--shape", "wide", "-k", "100000"], "1,000 at most"),
        (["roads", "build", "x", "-o", "y", "--around", "-", "--margin-km", "nan"], "--margin-km"),
        (["geocode", "--in", "people.csv"], "say with --address"),
        (["geocode", "people.csv"], "say with --address"),
        (["geocode", "--in", "addresses.csv", "--address", "id", "--out", "there.csv"], "there"),
        (["geocode"], "give a TEXT, or a file"),
        (["geocode", "Kingston", "--in", "people.csv"], "give a TEXT, or a file"),
        (["geocode", "--in", "there.csv", "--address", "lat"], "give a --prefix"),
    ],
)
def test_what_cannot_be_done_is_refused_and_no_file_changes(arguments, said, folder, capsys):
    (folder / "there.csv").write_text("lat\nKingston\n", "utf-8")
    (folder / "words.csv").write_text("lat,lon\n44,-76\n4x4.71357,-76\n", "utf-8")
    (folder / "swapped.csv").write_text("lat,lon\n-76.71357,44.71357\n", "utf-8")
    (folder / "metres.csv").write_text("lat,lon\n44,-76\n4871357,-76\n", "utf-8")
    (folder / "ragged.csv").write_text("lat,lon\n44,-76,1\n", "utf-8")
    (folder / "junk.parquet").write_bytes(b"PAR1 44.71357 junk")
    (folder / "folder.parquet").mkdir()
    before = {path.name: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "71357" not in printed.err
    assert "counted from 0" not in printed.err
    assert printed.out == ""
    assert {p.name: p.read_bytes() for p in folder.glob("*.*") if p.is_file()} == before


def test_what_was_geocoded_into_a_file_is_joined_with_its_radii(folder, capsys):
    (folder / "asked.csv").write_text("address\nK7L 3N6\nnowhere at all\n", "utf-8")
    assert main(["geocode", "asked.csv", "--out", "placed.csv"]) == 0
    assert main(["join", "placed.csv", "--prefix", "near_", "--columns", "distance_high_km"]) == 0
    rows = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert (rows.near_distance_high_km[0], rows.radius_km[0]) > (rows.near_distance_km[0], 0)


def test_a_file_that_is_there_is_replaced_when_told_and_only_once_the_answer_is_whole(folder):
    (folder / "near.csv").write_text("old", "utf-8")
    assert main(["join", "addresses.csv", "--out", "near.csv", "--overwrite"]) == 2
    assert (folder / "near.csv").read_text("utf-8") == "old"
    assert main(["join", "people.csv", "--out", "near.csv", "--overwrite"]) == 0
    assert len(rows((folder / "near.csv").read_text("utf-8"))) == 3


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_cells_of_csv_come_out_as_they_went_in(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("cells")
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("address", "note"), *cells])
    asked = ["geocode", "--in", str(folder / "in.csv"), "--out", str(folder / "out.csv")]
    assert main(asked) == 0
    with (folder / "out.csv").open(encoding="utf-8", newline="") as file:
        kept = [(row["address"], row["note"]) for row in csv.DictReader(file)]
    assert kept == cells


@pytest.mark.usefixtures("folder")
def test_degrees_that_a_file_holds_as_numbers_are_taken_as_they_are(capsys):
    assert main(["join", "people.csv", "-k", "1", "--route", "iv"]) == 0
    as_text = [row["clinic_id"] for row in rows(capsys.readouterr().out)]
    pd.read_csv("people.csv").to_parquet("people.parquet")
    assert main(["join", "people.parquet", "-k", "1", "--route", "iv"]) == 0
    assert [row["clinic_id"] for row in rows(capsys.readouterr().out)] == as_text
