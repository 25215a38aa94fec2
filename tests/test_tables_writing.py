"""What is written is read back the same, appears whole, and harms no spreadsheet."""

import os
import warnings
from datetime import date

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ketafind.errors import InvalidInputError
from ketafind.files import write_whole
from ketafind.records import (
    PRECISIONS,
    STATUSES,
    Clinic,
    Evidence,
    Location,
    Quantity,
    Service,
    Truth,
)
from ketafind.tables.clinics import read_clinics, read_evidence
from ketafind.tables.csv import column_key, match_key
from ketafind.tables.frames import csv_rows, write_clinics, write_evidence
from ketafind.vocabulary import default_vocabulary
from strategies import examples

VOCABULARY = default_vocabulary()
letters = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(letters, max_size=8).map(str.strip) | st.sampled_from(
    ["NA", "1E5", '"', "a\r\nb", "=1"]
)
ids = st.text(letters, min_size=1, max_size=6).filter(lambda text: match_key(text) and text.strip())
quantities = st.dictionaries(
    st.sampled_from([each.id for each in VOCABULARY.quantities]),
    st.lists(st.floats(0, allow_infinity=False), min_size=2, max_size=2).map(sorted),
).map(lambda made: {q: Quantity(*ends, VOCABULARY.quantities[q].unit) for q, ends in made.items()})
places = st.builds(
    Location,
    lat=st.floats(-90, 90).filter(bool),
    lon=st.floats(-180, 180),
    precision=st.sampled_from(PRECISIONS),
    radius_km=st.floats(0, 20_038),
    match=st.just("given"),
)


@st.composite
def facts(draw, languages):
    """Facts without a YES below a NO."""
    stated = {}
    for facet in VOCABULARY.facets:
        terms = [term.id for term in facet.terms]
        yes = (
            languages
            if facet.id == "language"
            else draw(st.lists(st.sampled_from(terms), unique=True, max_size=4))
        )
        above = {ancestor for term in yes for ancestor in facet.ancestors(term)}
        no = draw(st.lists(st.sampled_from(terms), unique=True, max_size=2))
        truths = dict.fromkeys(yes, Truth.YES)
        truths |= {term: Truth.NO for term in no if term not in above and term not in truths}
        if truths:
            stated[facet.id] = truths
    return stated


@st.composite
def clinics_(draw):
    """A list of clinics with the same extra columns."""
    extras = draw(
        st.lists(
            st.text(
                st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=5
            ).filter(lambda name: column_key(name) not in KNOWN),
            unique=True,
            max_size=2,
        )
    )
    made = []
    for clinic_id in draw(st.lists(ids, unique_by=match_key, max_size=4)):
        languages = tuple(
            draw(
                st.lists(
                    st.sampled_from([t.id for t in VOCABULARY.facet("language").terms]),
                    unique=True,
                    max_size=2,
                )
            )
        )
        service_ids = draw(st.lists(ids, unique_by=match_key, min_size=1, max_size=3))
        services = tuple(
            Service(
                service_id=service_id,
                facts=draw(facts(languages)),
                complete=draw(
                    st.frozensets(st.sampled_from([f.id for f in VOCABULARY.facets]), max_size=2)
                ),
                combined=draw(st.booleans()),
                quantities=draw(quantities),
            )
            for service_id in service_ids
        )
        made.append(
            Clinic(
                clinic_id=clinic_id,
                name=draw(texts.filter(bool)),
                services=services,
                location=draw(st.none() | places),
                status=draw(st.sampled_from(STATUSES)),
                city=draw(texts),
                phone=draw(texts),
                notes=draw(texts),
                website=draw(st.sampled_from(["", "https://a.ca/?q=1,2"])),
                languages=languages,
                checked_on=draw(st.none() | st.dates()),
                extra={name: draw(texts) for name in extras},
            )
        )
    return tuple(made)


KNOWN = {"x", "y", *(name for f in VOCABULARY.facets for name in (f.id, f.plural))}
KNOWN |= {each.id for each in (*VOCABULARY.flags, *VOCABULARY.quantities)}


@examples(0.3, suppress_health_check=list(HealthCheck))
@given(clinics_())
def test_clinics_come_back_as_they_were_written(tmp_path, clinics):
    """Every field that has a column, to the last bit and the last character."""
    path = tmp_path / "clinics.csv"
    write_clinics(clinics, path, overwrite=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # generated text may look like mojibake
        assert read_clinics(path, check=False) == clinics


def test_a_column_that_differs_between_services_goes_back_into_one_column(tmp_path):
    """The keys in extra do not become columns."""
    source, again = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text("clinic_id,service_id,name,fee\na,1,A,5\na,2,A,6\nb,,B,7\n")
    clinics = read_clinics(source)
    write_clinics(clinics, again)
    assert read_clinics(again) == clinics
    assert again.read_text().splitlines()[0].endswith(",fee")


def test_evidence_comes_back_as_it_was_written(tmp_path):
    """Dates, blanks and text with commas."""
    pieces = (
        Evidence(
            clinic_id="a",
            facet="route",
            term="iv",
            truth=Truth.YES,
            source_url="https://a.ca",
            source_class="clinic",
            checked_on=date(2026, 1, 2),
            hint='says "IV", twice',
            service_id="1",
        ),
        Evidence(
            clinic_id="a",
            facet="flag",
            term="virtual",
            truth=Truth.NO,
            source_url="https://a.ca",
        ),
    )
    path = tmp_path / "evidence.csv"
    write_evidence(pieces, path)
    assert read_evidence(path) == pieces


def test_two_clinics_of_one_id_are_not_written(tmp_path):
    """They would come back as one."""
    with pytest.raises(InvalidInputError, match="two clinics"):
        write_clinics([Clinic(clinic_id="a", name="A")] * 2, tmp_path / "clinics.csv")


def test_a_file_that_is_there_is_kept_unless_asked(tmp_path):
    """And nothing is left beside it."""
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_clinics([], path)
    assert path.read_text() == "old"
    path.chmod(0o600)
    write_whole(path, "new", overwrite=True)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    """As with a full disk."""
    path = tmp_path / "a.csv"
    path.write_text("old")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new", overwrite=True)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_devices_and_folders_are_not_replaced(tmp_path):
    """Also not with overwrite=True; a link keeps pointing to its file."""
    for path in ("/dev/full", tmp_path):
        with pytest.raises(OSError, match="regular file"):
            write_whole(path, "x", overwrite=True)
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", "new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1 416 555 0100", "'+1 416 555 0100"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
        ("-79.38", "-79.38"),
        ("-5", "-5"),
        ("iv;im", "iv;im"),
        ("A-B", "A-B"),
        ("", ""),
    ],
)
def test_formulas_are_neutralised_for_a_spreadsheet_and_numbers_are_not(cell, safe):
    """Only in that mode; otherwise text is written as it is."""
    assert csv_rows(["h"], [[cell]], spreadsheet=True) == csv_rows(["h"], [[safe]])


def test_the_spreadsheet_mode_reaches_every_cell(tmp_path):
    """Names, notes and the names of extra columns."""
    path = tmp_path / "a.csv"
    clinic = Clinic(
        clinic_id="=1",
        name="@a",
        location=Location(lat=43.65, lon=-79.38),
        phone="+1 416 555 0100",
        extra={"=x": "=2"},
    )
    write_clinics([clinic], path, spreadsheet=True)
    head, row = path.read_text().splitlines()
    assert head.endswith(",'=x")
    assert row.startswith("'=1,1,'@a,")
    assert "'+1 416" in row
    assert ",43.65,-79.38," in row
    assert row.endswith("'=2")
