"""A field of a clinic is one line of one file: everything else follows from it."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

import ketafind
from ketafind.files import bundled
from ketafind.records import CLINIC_FIELDS, EVIDENCE_FIELDS, SERVICE_FIELDS

ROOT = Path(__file__).resolve().parent.parent
LINE = '    phone: str = field(default="", metadata=_column(evidenced=True))\n'
TRIP = """
import json, sys
import pandas as pd
import ketafind as kf
from ketafind.tables.frames import write_clinics

folder = sys.argv[1]
with open(f"{folder}/in.csv", "w") as file:
    file.write("clinic_id,name,fax,lat,lon\\na,A, 613 555 0199 ,44.2,-76.5\\nb,B,,44.3,-76.5\\n")
with open(f"{folder}/evidence.csv", "w") as file:
    file.write("clinic_id,facet,term,truth,source_url\\na,fax,613 555 0199,yes,https://a.ca\\n")
read = kf.Directory.from_csv(f"{folder}/in.csv", evidence=f"{folder}/evidence.csv")
read.save(f"{folder}/saved.ketafind")
opened = kf.Directory.open(f"{folder}/saved.ketafind")
write_clinics(opened.clinics, f"{folder}/out.csv")
again = kf.Directory.from_csv(f"{folder}/out.csv")
matches = opened.nearest(kf.Coordinates(lat=44.2, lon=-76.5), k=2)
rows = pd.DataFrame({"lat": [44.2], "lon": [-76.5]})
joined = kf.nearest_join(rows, opened, k=2, columns=["fax"])
print(json.dumps({
    "read": [clinic.fax for clinic in read.clinics],
    "as plain data": [clinic.to_dict()["fax"] for clinic in read.clinics],
    "opened": [clinic.fax for clinic in opened.clinics],
    "written": [clinic.fax for clinic in again.clinics],
    "kept as unknown": [name for clinic in read.clinics for name in clinic.extra],
    "evidence": [fact.term for fact in opened.evidence("a", "fax")],
    "frame": matches.to_frame()["fax"].fillna("missing").tolist(),
    "geojson": [one["properties"]["fax"] for one in matches.to_geojson()["features"]],
    "joined": joined["fax"].astype("string").fillna("missing").tolist(),
    "in the snapshot": read.snapshot != kf.Directory.from_clinics(
        [kf.Clinic(clinic_id=c.clinic_id, name=c.name, location=c.location, evidence=c.evidence)
         for c in read.clinics]).snapshot,
}))
"""


def test_a_field_that_is_added_in_one_line_makes_every_trip(tmp_path):
    """It is read, saved, opened, written, evidenced, framed, exported and joined."""
    package = tmp_path / "ketafind"
    shutil.copytree(
        Path(ketafind.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(bundled("ontario_clinics.csv").parent, package / "data", dirs_exist_ok=True)
    records = package / "records.py"
    before = records.read_text("utf-8")
    assert before.count(LINE) == 1
    records.write_text(before.replace(LINE, LINE + LINE.replace("phone", "fax")), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", TRIP, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    number = "613 555 0199"
    found = json.loads(done.stdout)
    assert found == {
        "read": [number, ""],
        "as plain data": [number, None],
        "opened": [number, ""],
        "written": [number, ""],
        "kept as unknown": [],
        "evidence": [number],
        "frame": [number, "missing"],
        "geojson": [number, ""],
        "joined": [number, "missing"],
        "in the snapshot": True,
    }


def test_the_data_package_describes_the_columns_of_the_list():
    """Each with the type that its field reads; facets and lists stand beside them."""
    package = json.loads((ROOT / "data" / "datapackage.json").read_text(encoding="utf-8"))
    clinics, evidence = (one["schema"]["fields"] for one in package["resources"])
    types = {"latitude": "number", "longitude": "number", "radius": "number", "date": "date"}
    for fields, described in (
        ((*CLINIC_FIELDS, *SERVICE_FIELDS), clinics),
        (EVIDENCE_FIELDS, evidence),
    ):
        found = {one["name"]: one["type"] for one in described}
        for field in fields:
            assert found.pop(field.name) == types.get(field.kind, "string"), field.name
        words = ketafind.vocabulary.default_vocabulary()
        lists = {facet.plural for facet in words.facets}
        flags = {flag.id for flag in words.flags}
        assert set(found) <= lists | flags | {"not_offered", "complete"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"clinic_id": " "}, "a clinic needs a clinic_id"),
        ({"name": ""}, "a clinic needs a name"),
        ({"name": 5}, "a clinic needs a name"),
        ({"services": ()}, "needs one service or more"),
        ({"services": (ketafind.Service(), ketafind.Service())}, "each with its own service_id"),
        ({"services": ketafind.Service()}, "services must be a list or tuple, not Service: write"),
        ({"services": (5,)}, "services must be Service objects, not int"),
        ({"languages": "en"}, "languages must be a list or tuple, not str: write"),
        ({"languages": list}, "languages must be a list or tuple, not type: write"),
    ],
)
def test_a_clinic_whose_fields_are_missing_or_of_another_type_is_refused(fields, said):
    with pytest.raises(ketafind.errors.InvalidInputError, match=said):
        ketafind.Clinic(**{"clinic_id": "a", "name": "A", **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source_class": "blog"}, "'blog' is not a source class; known: regulator, clinic"),
        ({"scope": "all"}, "'all' is not a scope; known: site, operator"),
        (
            {"checked_on": "2026-11-23"},
            "checked_on must be a date or None, not str; write datetime",
        ),
        ({"page_date": pd.NaT}, "page_date must be a date or None, not NaTType"),
    ],
)
def test_evidence_made_in_code_is_held_to_what_a_table_is(fields, said):
    fact = {"clinic_id": "a", "facet": "city", "term": "A", "truth": "yes"}
    with pytest.raises(ketafind.errors.InvalidInputError, match=said):
        ketafind.Evidence(**fact, source_url="https://a.ca", **fields)
    with pytest.raises(ketafind.errors.InvalidInputError, match="checked_on must be a date"):
        ketafind.Clinic(clinic_id="a", name="A", checked_on="2026-11-23")
    read = datetime(2026, 11, 23, 8, tzinfo=UTC)
    good = ketafind.Evidence(**fact, source_url="https://a.ca", checked_on=read)
    clinic = ketafind.Clinic(clinic_id="a", name="A", checked_on=read, evidence=[good])
    assert clinic.checked_on == good.checked_on == date(2026, 11, 23)
    assert ketafind.Directory.from_clinics([clinic]).as_of("2026-12-01")["a"] == clinic


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ({"clinic_id": "b"}, "clinic 'a', evidence: it is of the clinic 'b'"),
        ({"clinic_id": "a", "service_id": "x"}, "'x' is not a service of this clinic; known: 1"),
    ],
)
def test_a_clinic_with_evidence_of_something_else_is_refused(owner, said):
    for facet, term in (("route", "iv"), ("city", "Kingston")):
        stray = ketafind.Evidence(
            **owner, facet=facet, term=term, truth="yes", source_url="https://a.ca"
        )
        clinic = ketafind.Clinic(clinic_id="a", name="A", evidence=[stray])
        with pytest.raises(ketafind.errors.DataError, match=said):
            ketafind.Directory.from_clinics([clinic])


@pytest.mark.parametrize("source_url", ["", " ", None])
def test_evidence_without_a_source_is_refused(source_url):
    """In code as in a table and in plain data: no fact has no source."""
    fact = {"clinic_id": "a", "facet": "city", "term": "A", "truth": "yes"}
    good = ketafind.Evidence(**fact, source_url="https://a.ca")
    assert good.truth is ketafind.Truth.YES
    with pytest.raises(ketafind.errors.InvalidInputError, match='clinic "a": source_url'):
        ketafind.Evidence(**fact, source_url=source_url)
    clinic = ketafind.Clinic(clinic_id="a", name="A", evidence=(good,))
    plain = ketafind.Directory.from_clinics([clinic]).to_geojson()
    plain["features"][0]["properties"]["evidence"][0]["source_url"] = source_url
    with pytest.raises(ketafind.errors.DataError, match="source_url"):
        ketafind.Directory.from_geojson(plain)
