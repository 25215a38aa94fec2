"""The street register: both layouts of the national file, OpenAddresses, and what is answered."""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

import ketafind as kf
from ketafind import errors
from ketafind.cli import main
from ketafind.files import open_arrays, write_arrays
from ketafind.geo import sphere_km
from ketafind.geocoding import (
    OfflineGeocoder,
    RegisterGeocoder,
    SearchPlace,
    build_register,
    geocode,
    parse_address,
)
from ketafind.geocoding.register import _best

# LOC_GUID, number, street, type, direction, municipality, French, post town, code, lat, lon, kind.
ROWS: list[tuple[str, ...]] = [
    ("g1", "76", "Stuart", "ST", "", "Kingston", "Kingston", "KINGSTON", "K7L2V7", "44.2240", "-76.4930", "BG"),
    ("g2", "80", "Stuart", "ST", "", "Kingston", "Kingston", "KINGSTON", "K7L2V7", "44.2244", "-76.4942", "BG"),
    ("g3", "90", "Stuart", "ST", "", "Kingston", "Kingston", "KINGSTON", "K7L2V7", "44.2250", "-76.4960", "BF"),
    ("g4", "77", "Stuart", "ST", "", "Kingston", "Kingston", "KINGSTON", "K7L2V7", "44.2241", "-76.4929", "BG"),
    ("g5", "100", "King", "ST", "E", "Kingston", "Kingston", "KINGSTON", "K7L2Z9", "44.2300", "-76.4800", "BG"),
    ("g6", "100", "King", "ST", "W", "Kingston", "Kingston", "KINGSTON", "K7L2W6", "44.2230", "-76.4900", "BG"),
    ("g7", "2802", "St. Joseph", "BLVD", "", "Ottawa", "Ottawa", "ORLEANS", "K1C1G5", "45.4730", "-75.5200", "BG"),
    ("g8", "10", "Elm", "ST", "", "Greater Sudbury", "Grand Sudbury", "SUDBURY", "P3C1S3", "46.4920", "-80.9970", "BG"),
    ("g9", "10", "Elm", "ST", "", "Toronto", "Toronto", "TORONTO", "M5G1G7", "43.6570", "-79.3830", "BG"),
]  # fmt: skip
ADDRESS = (
    "LOC_GUID,ADDR_GUID,APT_NO_LABEL,CIVIC_NO,CIVIC_NO_SUFFIX,OFFICIAL_STREET_NAME,"
    "OFFICIAL_STREET_TYPE,OFFICIAL_STREET_DIR,PROV_CODE,CSD_ENG_NAME,CSD_FRE_NAME,MAIL_MUN_NAME,"
    "MAIL_POSTAL_CODE,BG_X,BG_Y"
)


def nar(path: Path, layout: str) -> Path:
    """A miniature of the register, in the layout of 2024 or of 2026."""
    new = layout == "2026"
    lines = [ADDRESS + (",BF_REPPOINT_X,BF_REPPOINT_Y" if new else "")]
    places = [
        "LOC_GUID,CSD_CODE,BG_LATITUDE,BG_LONGITUDE,BF_REPPOINT_LATITUDE,BF_REPPOINT_LONGITUDE"
        if new
        else "LOC_GUID,CSD_CODE,REPPOINT_LATITUDE,REPPOINT_LONGITUDE"
    ]
    for guid, civic, name, kind, way, csd, french, town, code, lat, lon, point in ROWS:
        building = point == "BG"
        xy = "7000000,1000000" if building else ","
        for unit in ("", "2"):
            lines.append(
                f"{guid},a{guid}{unit},{unit},{civic},,{name},{kind},{way},35,{csd},{french},{town},{code},{xy}"
                + (",1,1" if new else "")
            )
        if new:
            both = f"{lat},{lon},," if building else f",,{lat},{lon}"
            places.append(f"{guid},3510010,{both}")
        else:
            places.append(f"{guid},3510010,{lat},{lon}")
    lines.append(
        "lost,alost,,5,,Nowhere,RD,,35,Kingston,Kingston,KINGSTON,K7L2V7,," + (",," if new else "")
    )
    half = len(lines) // 2
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Addresses/Address_24_part_1.csv", "\ufeffLOC_GUID\nx\n")
        archive.writestr("Addresses/Address_35_part_1.csv", "\ufeff" + "\n".join(lines[:half]))
        archive.writestr("Addresses/Address_35_part_2.csv", "\n".join([lines[0], *lines[half:]]))
        archive.writestr("Locations/Location_35_part_1.csv", "\ufeff" + "\n".join(places))
    return path


@pytest.fixture(params=["2024", "2026"])
def register(request: pytest.FixtureRequest, tmp_path: Path) -> RegisterGeocoder:
    out = tmp_path / "register.bin"
    meta = build_register(out, nar=nar(tmp_path / "nar.zip", request.param), progress=False)
    assert meta["points"] == len(ROWS)
    return RegisterGeocoder.open(out)


def test_a_register_is_pickled_as_its_file_and_so_is_a_directory_that_keeps_it(register):
    text = "76 Stuart St, Kingston"
    assert pickle.loads(pickle.dumps(register)).geocode(text) == register.geocode(text)
    place = kf.Location(lat=44.2, lon=-76.5)
    clinic = kf.Clinic(clinic_id="a", name="A", location=place)
    directory = kf.Directory.from_clinics([clinic], geocoder=register)
    again = pickle.loads(pickle.dumps(directory))
    assert again.nearest(text).origin == register.geocode(text)


@pytest.mark.parametrize(
    ("text", "precision", "lat", "lon"),
    [
        ("76 Stuart St, Kingston ON K7L 2V7", "rooftop", 44.2240, -76.4930),
        ("Unit 3, 76 stuart street, KINGSTON", "rooftop", 44.2240, -76.4930),
        ("90 Stuart St, Kingston", "block_face", 44.2250, -76.4960),
        ("78 Stuart St, Kingston", "interpolated", 44.2242, -76.4936),
        ("2802 boul. St-Joseph, Orléans ON", "rooftop", 45.4730, -75.5200),
        ("2802 St Joseph Blvd, Ottawa", "rooftop", 45.4730, -75.5200),
        ("10 rue Elm, Grand Sudbury", "rooftop", 46.4920, -80.9970),
        ("10 Elm St, Toronto", "rooftop", 43.6570, -79.3830),
        ("100 King St E, Kingston", "rooftop", 44.2300, -76.4800),
        ("100 King St, Kingston ON K7L 2W6", "rooftop", 44.2230, -76.4900),
        ("76 Sturat St, Kingston ON K7L 2V7", "rooftop", 44.2240, -76.4930),
        ("76 Stuart St K7L 2V7", "rooftop", 44.2240, -76.4930),
        ("90 Stuart St, Kingston ON K7L 2V7", "block_face", 44.2250, -76.4960),
        ("10 Elm W, Toronto", "rooftop", 43.6570, -79.3830),
    ],
)
def test_an_address_is_found_at_its_door(
    register: RegisterGeocoder, text: str, precision: str, lat: float, lon: float
) -> None:
    located = register.geocode(text)
    assert located.precision == precision
    assert sphere_km(located.lat, located.lon, lat, lon) < 0.002
    assert 0 < located.radius_km < 0.5


def test_a_misspelt_street_is_reported_and_only_looked_for_in_its_town(
    register: RegisterGeocoder,
) -> None:
    assert register.geocode("76 Sturat St, Kingston").match == "fuzzy"
    assert register.geocode("10 Elm St, Kingston").precision in {"place", "municipality"}
    # So short a name is no slip of another, and a number of none.
    assert register.geocode("10 Eln St, Toronto").precision in {"place", "municipality"}
    assert register.geocode("76 5tuart St, Kingston").precision in {"place", "municipality"}


def test_nothing_is_extrapolated(register: RegisterGeocoder) -> None:
    assert register.geocode("2 Stuart St, Kingston").precision == "street"
    assert register.geocode("500 Stuart St, Kingston").precision == "street"
    assert register.geocode("Stuart Street, Kingston").precision == "street"


def test_two_streets_near_each_other_are_answered_with_both(register: RegisterGeocoder) -> None:
    located = register.geocode("100 King Street, Kingston")
    assert located.match == "ambiguous"
    assert len(located.candidates) == 2


def test_a_street_that_has_the_number_comes_before_one_of_its_name_that_has_not() -> None:
    known = [
        kf.Location(lat=44.2, lon=-76.5, precision=precision, radius_km=0.1)
        for precision in ("street", "interpolated", "rooftop", "block_face")
    ]
    assert _best(known) == known[2:]
    assert _best(known[:2]) == [known[1]]
    assert _best(known[:1]) == known[:1]


def test_a_street_far_from_its_code_is_a_conflict(register: RegisterGeocoder) -> None:
    with pytest.raises(errors.GeocodingError):
        register.geocode("10 Elm St, Toronto ON K7L 2V7")


def test_what_the_register_lacks_is_answered_as_offline(register: RegisterGeocoder) -> None:
    for text in ("K7L 3N6", "Kanata", "12 Unheard Of Rd, Kanata ON K2K 1Y3"):
        assert register.geocode(text) == geocode(text)
    assert register.geocode(SearchPlace("76 Stuart St, Kingston")).precision == "rooftop"
    with pytest.raises(errors.GeocodingError):
        register.geocode("xyzzy")


OPEN_ROWS = [
    {"number": "76", "street": "STUART ST", "city": "Kingston", "postcode": "K7L 2V7", "lon": -76.493, "lat": 44.224},
    {"number": "12A", "street": "Main Street", "city": "", "postcode": "", "lon": -76.486, "lat": 44.231},
    {"number": "5", "street": "Rue X", "city": "Gatineau", "region": "QC", "lon": -75.7, "lat": 45.48},
]  # fmt: skip


def openaddresses(path: Path, kind: str) -> Path:
    names = ("lon", "lat", "number", "street", "unit", "city", "district", "region", "postcode", "id", "hash")  # fmt: skip
    if kind == "csv":
        rows = [",".join(str(row.get(name, "")) for name in names) for row in OPEN_ROWS]
        path.write_text("\n".join([",".join(names).upper(), *rows]), encoding="utf-8")
        return path
    lines = []
    for row in OPEN_ROWS:
        properties: dict[str, Any] = {k: v for k, v in row.items() if k not in {"lat", "lon"}}
        geometry = {"type": "Point", "coordinates": [row["lon"], row["lat"]]}
        lines.append(
            json.dumps({"type": "Feature", "properties": properties, "geometry": geometry})
        )
    lines.append('{"type": "Feature", "properties": {"street": "Lost St"}, "geometry": null}')
    path = path.with_suffix(".geojson.gz")
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


@pytest.mark.parametrize("kind", ["csv", "geojson"])
def test_openaddresses_are_read_in_both_forms(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "register.bin"
    source = openaddresses(tmp_path / "addresses.csv", kind)
    assert build_register(out, openaddresses=source, progress=False)["points"] == 2
    register = RegisterGeocoder.open(out)
    assert register.geocode("76 Stuart St, Kingston").precision == "rooftop"
    assert register.geocode("12 Main St, Kingston").precision == "rooftop"


def test_the_command_line_builds_a_register_and_asks_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "register.bin")
    assert (
        main(["geocoder", "build", "--nar", str(nar(tmp_path / "nar.zip", "2026")), "-o", out]) == 0
    )
    said = capsys.readouterr().out
    assert "9 addresses" in said
    assert "Statistics Canada" in said
    assert main(["geocode", "76 Stuart St, Kingston", "--register", out, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == "rooftop"
    assert main(["geocode", "Kitchener-Waterloo", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["match"] == "ambiguous"
    assert main(["geocode", "Sydenham"]) == 2
    said = capsys.readouterr().err
    assert "Sydenham (Frontenac), ON" in said
    assert "Sydenham (Grey), ON" in said


def test_no_file_is_replaced_unless_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes, source = tmp_path / "notes.txt", nar(tmp_path / "nar.zip", "2026")
    notes.write_text("my notes")
    with pytest.raises(errors.ExistingFileError, match="pass overwrite=True"):
        build_register(notes, nar=source, progress=False)
    with pytest.raises(errors.ExistingFileError):  # before anything is read
        build_register(notes, nar=tmp_path / "none.zip", progress=False)
    command = ["geocoder", "build", "--nar", str(source), "-o", str(notes)]
    assert main(command) == 2
    assert "pass --overwrite to replace it" in capsys.readouterr().err
    assert notes.read_text() == "my notes"
    assert main([*command, "--overwrite"]) == 0
    assert RegisterGeocoder.open(notes).geocode("76 Stuart St, Kingston").precision == "rooftop"


def test_one_source_is_asked_for_and_faults_of_it_are_named(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="one source"):
        build_register(tmp_path / "x")
    bad = tmp_path / "bad.csv"
    bad.write_text("LON,LAT,NUMBER\n1,2,3\n")
    with pytest.raises(errors.DataError, match="street is missing"):
        build_register(tmp_path / "x", openaddresses=bad, progress=False)
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(errors.DataError, match="Address_35"):
        build_register(tmp_path / "x", nar=empty, progress=False)
    assert not (tmp_path / "x").exists()


def test_a_table_of_locations_without_ids_or_positions_is_refused_by_name(tmp_path: Path) -> None:
    whole = nar(tmp_path / "nar.zip", "2026")
    for column, said in (("LOC_GUID", "LOC_GUID is missing"), ("L", "no column of latitudes")):
        bad = tmp_path / f"{column}.zip"
        with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(bad, "w") as other:
            for name in archive.namelist():
                content = archive.read(name)
                if name.startswith("Locations/"):
                    content = content.replace(
                        b"LOC_GUID" if column == "LOC_GUID" else b"ITUDE", b"X"
                    )
                other.writestr(name, content)
        with pytest.raises(errors.DataError, match=said):
            build_register(tmp_path / "x", nar=bad, progress=False)


def test_a_damaged_register_is_refused_and_never_answers(tmp_path: Path) -> None:
    out = tmp_path / "register.bin"
    build_register(out, nar=nar(tmp_path / "nar.zip", "2026"), progress=False)
    whole = out.read_bytes()
    damaged = [whole[:at] for at in range(0, len(whole), 37)] + [b"PK\x03\x04" + whole[4:]]
    for at in range(0, len(whole), 37):
        damaged.append(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    for content in damaged:
        out.write_bytes(content)
        with pytest.raises(errors.DirectoryFileError, match=r"register\.bin: .*again"):
            RegisterGeocoder.open(out)


def test_another_file_of_ketafind_is_no_register(tmp_path: Path) -> None:
    path = tmp_path / "clinics.ketafind"
    kf.Directory.from_clinics(kf.load_directory().clinics[:2]).save(path)
    with pytest.raises(
        errors.DirectoryFileError, match=r"clinics.ketafind: .* not a ketafind street"
    ):
        RegisterGeocoder.open(path)
    write_arrays(path, {"kind": "ketafind street register", "version": 1}, {})
    with pytest.raises(errors.DirectoryFileError, match=r"clinics.ketafind: .* of version 1;"):
        RegisterGeocoder.open(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", b"no zip", "this is no zip archive"),
        ("a.csv.gz", b"no gzip", "it cannot be read"),
        ("a.csv", b"\xff\xfe\x00", "it cannot be read"),
        ("a.geojson", b'{"type": ', "it cannot be read"),
        ("a.geojson", b'{"geometry": {"coordinates": [1]}}', "it cannot be read"),
        ("a.geojson", b'{"geometry": {"coordinates": [[1, 2], [3, 4]]}}', "no GeoJSON feature"),
        ("a.geojson", b'{"geometry": 7}', "no GeoJSON feature"),
        ("a.geojson", b"{}\n[]", "no GeoJSON feature"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_by_name(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    kind = "nar" if name.endswith(".zip") else "openaddresses"
    with pytest.raises(errors.DataError, match=said):
        build_register(tmp_path / "out", **{kind: tmp_path / name}, progress=False)
    assert not (tmp_path / "out").exists()


def test_a_source_or_a_register_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(errors.MissingFileError, match="there is no such file"):
        build_register(tmp_path / "out", nar=tmp_path / "none.zip", progress=False)
    with pytest.raises(errors.MissingFileError, match="there is no such file"):
        RegisterGeocoder.open(tmp_path / "none.register")


def test_an_answer_of_the_register_bears_the_address(tmp_path):
    rows = "LON,LAT,NUMBER,STREET,UNIT,CITY,DISTRICT,REGION,POSTCODE,ID,HASH\n"
    rows += "-76.486,44.23,76,Stuart Street,,Kingston,,ON,K7L 2V7,,a\n"
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    build_register(tmp_path / "out", openaddresses=tmp_path / "a.csv", progress=False)
    located = RegisterGeocoder.open(tmp_path / "out").geocode("76 Stuart St Kingston ON")
    assert located.label == "76 Stuart St, Kingston, ON"


def test_a_street_of_two_towns_is_the_one_that_its_code_is_named_after(
    register: RegisterGeocoder,
) -> None:
    with pytest.raises(errors.AmbiguousPlaceError, match="names a street but no town"):
        register.geocode("10 Elm St")
    by_town, by_code = (register.geocode(f"10 Elm St {x}") for x in ("Toronto", "M5G 1G7"))
    assert by_code.precision == by_town.precision == "rooftop"
    assert (by_code.lat, by_code.lon) == (by_town.lat, by_town.lon) == (43.657, -79.383)
    (found,) = register.lookup(parse_address("76 Stuart St, Kingston"))
    assert (found.lat, found.lon) == (44.2240, -76.4930)


def test_a_register_says_what_it_is_and_one_without_a_file_is_not_pickled(
    register: RegisterGeocoder, tmp_path: Path
) -> None:
    assert repr(register).endswith("9 addresses>")
    metadata, arrays = open_arrays(tmp_path / "register.bin", verify=True)
    with pytest.raises(TypeError, match=r"RegisterGeocoder\.open"):
        pickle.dumps(RegisterGeocoder(metadata, arrays))
    country = OfflineGeocoder("CA")
    assert RegisterGeocoder(metadata, arrays, country).offline is country


def test_a_register_is_for_ontario_and_a_source_without_an_address_is_refused(
    tmp_path: Path, register: RegisterGeocoder, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "register.bin")
    assert main(["geocode", "76 Stuart St", "--register", file, "--region", "CA"]) == 2
    assert "leave --region out" in capsys.readouterr().err
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("LON,LAT,NUMBER,STREET,CITY,REGION,POSTCODE\n")
    with pytest.raises(errors.DataError, match="no address point of Ontario"):
        build_register(tmp_path / "x", openaddresses=nothing, progress=False)
