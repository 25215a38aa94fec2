"""The keeper's tools, on thirty invented clinics whose truth is known."""

from __future__ import annotations

import csv
import json
import random
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import ketafind as kf

KEEPER = Path(__file__).parents[1] / "tools/keeper"
if not KEEPER.is_dir():
    pytest.skip("the keeper's tools are in the source tree", allow_module_level=True)
sys.path.insert(0, str(KEEPER))

from facts import propose, read_candidates  # noqa: E402
from pages import Fetcher, archived  # noqa: E402
from upkeep import apply, letters, review, stale  # noqa: E402

STREETS = ["King St W", "Queen Street East", "Main Street", "Wellington St", "Dundas St W"]
CITIES = [
    ("Toronto", "M5V 2C3"), ("Kingston", "K7L 4X3"), ("Ottawa", "K1P 5N2"), ("London", "N6A 1H3"),
    ("Hamilton", "L8P 1A1"),
]  # fmt: skip
SAYINGS = [
    ("We offer IV infusions of ketamine.", "route:iv product:ketamine"),
    ("Our clinic provides intravenous ketamine.", "route:iv product:ketamine"),
    ("We give ketamine as an IM injection.", "route:im product:ketamine"),
    ("Our services include intramuscular ketamine.", "route:im product:ketamine"),
    ("Spravato nasal spray is available at this clinic.", "route:intranasal product:esketamine"),
    ("Our team includes a psychiatrist and nurses.", "staff:psychiatrist staff:nurse"),
    ("An anesthesiologist leads our team, Dr. Pat Example.", "staff:anesthesiologist"),
    ("We treat post-traumatic stress disorder.", "condition:ptsd"),
    ("Nous traitons la dépression.", "condition:depression"),
    ("Our patients come to us with obsessive-compulsive disorder.", "condition:ocd"),
    ("A referral is required.", "flag:referral_required"),
    ("Visits are covered by OHIP.", "flag:ohip_covered"),
    ("Our nurse practitioner sees you first.", "staff:nurse_practitioner"),
    ("<h2>Conditions we treat</h2><ul><li>PTSD</li><li>Social anxiety</li></ul>",
     "condition:ptsd condition:social_anxiety"),
]  # fmt: skip
DENIALS = [
    ("We do not offer IM injections.", "route:im"),
    ("We cannot prescribe oral ketamine.", "route:oral"),
    ("We do not treat bipolar depression.", "condition:bipolar_depression"),
    ("Nous ne traitons pas la douleur chronique.", "condition:chronic_pain"),
    ("Our visits are not covered by OHIP.", "flag:ohip_covered"),
]
NOISE = [
    "Research suggests that ketamine may help people with fibromyalgia.",
    "Side effects may include headache, anxiety and nausea.",
    "Other clinics offer sublingual ketamine.",
    "We hope to offer subcutaneous treatment soon.",
    "Is ketamine right for eating disorders?",
    "Esketamine was approved for treatment-resistant depression in 2020.",
    "We may refer you to a social worker elsewhere.",
    "People with a history of alcohol use disorder should talk to their doctor.",
    "Studies with psychologists show that migraine can improve.",
    "Im Notfall rufen Sie 911.",
]
PAGE = "<html lang='en'><head><title>{name}</title>{head}</head><body><h1>{name}</h1>{body}</body></html>"


class Truth(NamedTuple):
    """What an invented clinic's pages state."""

    phone: str
    address: dict[str, str]
    yes: set[tuple[str, str]]
    no: set[tuple[str, str]]


def pairs(facts: str) -> list[tuple[str, str]]:
    """Facets and terms of such a text as ``route:iv staff:nurse``."""
    return [(facet, term) for facet, _, term in (one.partition(":") for one in facts.split())]


def invent(folder: Path, number: int) -> Truth:
    """Write the site of one clinic, and say what it states."""
    rng = random.Random(number)
    name = f"Invented Clinic {number}"
    city, code = CITIES[number % len(CITIES)]
    street = f"{rng.randrange(1, 900)} {rng.choice(STREETS)}"
    phone = f"613-555-{100 + number:04d}"
    stated = rng.sample(SAYINGS, 6)
    yes = {pair for _, facts in stated for pair in pairs(facts)}
    denied = [one for one in rng.sample(DENIALS, 2) if not yes & set(pairs(one[1]))]
    no = {pair for _, facts in denied for pair in pairs(facts)}
    sentences = [said for said, _ in stated + denied] + rng.sample(NOISE, 6)
    rng.shuffle(sentences)
    site = folder / f"c{number}"
    site.mkdir(parents=True)
    address = f"{street}, {city}, ON {code}"
    if number % 3 == 0:
        data = {
            "@context": "https://schema.org", "@type": "MedicalClinic", "name": name,
            "telephone": f"+1 {phone}",
            "address": {"@type": "PostalAddress", "streetAddress": street, "addressLocality": city,
                        "addressRegion": "ON", "postalCode": code.replace(" ", "")},
        }  # fmt: skip
        head, contact = f"<script type='application/ld+json'>{json.dumps(data)}</script>", ""
    elif number % 3 == 1:
        head, contact = "", f"<p>Visit us: {address}</p><p>Phone: ({phone[:3]}) {phone[4:]}</p>"
    else:
        head = ""
        contact = f"<address>{street}<br>{city}, Ontario<br>{code}</address><p>Tel {phone}, fax 613-555-9999</p>"
    links = "<a href='services.html'>Services</a> <a href='contact.html'>Contact</a> <a href='private/team.html'>Team</a> <a href='https://example.org/about'>About others</a>"
    half = len(sentences) // 2
    pages = {
        "index.html": links + "".join(map(block, sentences[:half])),
        "services.html": "".join(map(block, sentences[half:])),
        "contact.html": contact,
    }
    for file, body in pages.items():
        (site / file).write_text(PAGE.format(name=name, head=head, body=body), "utf-8")
    (site / "private").mkdir()
    (site / "private/team.html").write_text(
        PAGE.format(name=name, head="", body="We offer oral ketamine.")
    )
    parts = {"street_address": street, "city": city, "province": "ON", "postal_code": code}
    return Truth(phone, parts, yes, no)


def block(said: str) -> str:
    """A paragraph, unless it is markup of its own."""
    return said if said.startswith("<") else f"<p>{said}</p>"


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Thirty clinics on a loopback server: their directory's file, their truth, the archive."""
    folder = tmp_path_factory.mktemp("sites")
    truths = {f"c{number:02d}": invent(folder, number) for number in range(30)}
    (folder / "robots.txt").write_text(
        "User-agent: *\n" + "".join(f"Disallow: /c{n}/private/\n" for n in range(30))
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    clinics = folder / "clinics.csv"
    rows = [
        "clinic_id,name,street_address,city,province,postal_code,phone,website,routes,conditions,staff,lat,lon"
    ]
    rows += [
        f"c{n:02d},Invented Clinic {n},,,,,,http://127.0.0.1:{server.server_port}/c{n}/,,,,43.7,-79.4"
        for n in range(30)
    ]
    clinics.write_text("\n".join(rows) + "\n", "utf-8")
    archive, said = folder / "archive", []
    for clinic in kf.Directory.from_csv(clinics).clinics:
        said += Fetcher(archive, sleep=lambda _: None).clinic(clinic)
    server.shutdown()
    server.server_close()
    return clinics, truths, archive, said


def found(sites: Any) -> list[Any]:
    clinics, _, archive, _ = sites
    return propose(kf.Directory.from_csv(clinics), archive)


def test_likely_pages_are_kept_with_their_day_and_hash_and_robots_are_heeded(sites: Any) -> None:
    _, _, archive, said = sites
    for number in range(30):
        pages = archived(archive, f"c{number:02d}")
        assert {page.url.rpartition("/")[2] for page in pages} == {
            "",
            "services.html",
            "contact.html",
        }
        assert all(page.body(archive) for page in pages)
    assert sum("robots.txt asks not to" in line for line in said) == 30
    assert not any("example.org" in line for line in said)


def test_proposals_are_precise_and_find_most(sites: Any, record_property: Any) -> None:
    _, truths, _, _ = sites
    facts = [one for one in found(sites) if one.stance != "supposed"]
    right = wrong = 0
    seen: dict[str, set[tuple[str, ...]]] = {name: set() for name in truths}
    for one in facts:
        truth = truths[one.clinic_id]
        if one.facet == "phone":
            good = one.term == truth.phone
        elif one.facet in truth.address:
            good = one.term == truth.address[one.facet]
        else:
            good = (one.facet, one.term) in (truth.no if one.truth == "no" else truth.yes)
        right, wrong = right + good, wrong + (not good)
        seen[one.clinic_id].add((one.facet, one.term))
    wanted = [(name, ("phone", truth.phone)) for name, truth in truths.items()]
    wanted += [(name, pair) for name, truth in truths.items() for pair in truth.address.items()]
    terms = [(name, pair) for name, truth in truths.items() for pair in truth.yes | truth.no]
    recall = sum(pair in seen[name] for name, pair in wanted) / len(wanted)
    of_terms = sum(pair in seen[name] for name, pair in terms) / len(terms)
    figures = {"precision": right / (right + wrong), "addresses": recall, "terms": of_terms}
    for name, value in figures.items():
        record_property(name, round(value, 3))
    assert figures["precision"] >= 0.95
    assert figures["addresses"] >= 0.95
    assert figures["terms"] >= 0.80


def test_every_candidate_has_its_page_day_method_and_a_short_hint_without_a_person(
    sites: Any,
) -> None:
    for one in found(sites):
        assert one.source_url.startswith("http://127.0.0.1:")
        assert one.checked_on
        assert one.method in ("page", "schema.org")
        assert len(one.hint.split()) <= 12
        assert "Example" not in one.hint


def small(tmp_path: Path) -> tuple[Path, Path]:
    clinics, evidence = tmp_path / "clinics.csv", tmp_path / "evidence.csv"
    clinics.write_text(
        "clinic_id,name,phone,lat,lon,routes,languages\na,A,,43.7,-79.4,,\nb,B,,45.4,-75.7,,fr\n"
    )
    evidence.write_text(
        "clinic_id,service_id,facet,term,truth,source_url,source_class,checked_on,page_date,method,scope,hint\n"
        "a,,route,iv,yes,https://example.org/,other,2026-01-01,,archived_copy,site,IV\n"
    )
    return clinics, evidence


def candidates(path: Path, **changes: str) -> Path:
    row = {
        "clinic_id": "a", "service_id": "", "facet": "route", "term": "im", "truth": "yes",
        "stance": "stated", "known": "unknown", "conflict": "", "source_url": "https://a.example/x",
        "checked_on": "2026-11-01", "method": "page", "sha256": "0", "hint": "IM here", "decision": "",
    } | changes  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return path


@pytest.mark.parametrize(("answers", "decision", "term"), [("y", "yes", "im"), ("n", "no", "im"),
                                                         ("s", "", "im"), ("e", "yes", "sc")])  # fmt: skip
def test_a_reviewer_says_yes_no_or_edits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: str, decision: str, term: str
) -> None:
    path = candidates(tmp_path / "c.csv")
    review(path, ask=lambda asked: "sc" if asked.startswith("term") else answers)
    (row,) = read_candidates(path)
    assert (row.decision, row.term) == (decision, term)
    shown = capsys.readouterr().out
    assert "now unknown" in shown
    assert "https://a.example/x" in shown


def test_what_was_said_yes_to_becomes_a_fact_with_its_evidence(tmp_path: Path) -> None:
    clinics, evidence = small(tmp_path)
    assert apply(candidates(tmp_path / "c.csv", decision="yes"), clinics, evidence) == 1
    directory = kf.Directory.from_csv(clinics, evidence=evidence)
    (fact,) = directory.evidence("a", "route", "im")
    assert (fact.source_url, fact.hint) == ("https://a.example/x", "IM here")
    assert len(directory.nearest(kf.Coordinates(lat=43.7, lon=-79.4), routes="im")) == 1


def test_a_field_and_a_flag_are_applied(tmp_path: Path) -> None:
    clinics, evidence = small(tmp_path)
    apply(
        candidates(tmp_path / "c.csv", facet="phone", term="416-555-0100", decision="yes"),
        clinics,
        evidence,
    )
    apply(
        candidates(tmp_path / "d.csv", facet="flag", term="virtual", truth="no", decision="yes"),
        clinics,
        evidence,
    )
    clinic = kf.Directory.from_csv(clinics, evidence=evidence)["a"]
    assert clinic.phone == "416-555-0100"
    assert clinic.services[0].flags["virtual"] == kf.Truth.NO


@pytest.mark.parametrize("changes", [{"decision": ""}, {"decision": "no"}])
def test_what_nobody_said_yes_to_is_not_applied(tmp_path: Path, changes: dict[str, str]) -> None:
    clinics, evidence = small(tmp_path)
    before = evidence.read_text()
    assert apply(candidates(tmp_path / "c.csv", **changes), clinics, evidence) == 0
    assert evidence.read_text() == before


@pytest.mark.parametrize(
    "changes", [{"source_url": ""}, {"checked_on": " "}, {"term": "unheard_of"}, {"clinic_id": "z"}]
)
def test_a_fact_without_source_or_sense_changes_neither_file(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    clinics, evidence = small(tmp_path)
    before = clinics.read_text(), evidence.read_text()
    with pytest.raises(kf.KetafindError):
        apply(candidates(tmp_path / "c.csv", decision="yes", **changes), clinics, evidence)
    assert (clinics.read_text(), evidence.read_text()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "c.csv",
        "clinics.csv",
        "evidence.csv",
    ]


def test_what_is_least_certain_and_oldest_is_looked_at_first() -> None:
    lines = stale(kf.load_directory(), 100)
    uncertain = [
        clinic.clinic_id for clinic in kf.load_directory().clinics if clinic.status == "uncertain"
    ]
    assert {line.partition(":")[0] for line in lines[: len(uncertain)]} == set(uncertain)


def test_each_clinic_gets_a_letter_in_its_language(tmp_path: Path) -> None:
    clinics, evidence = small(tmp_path)
    directory = kf.Directory.from_csv(clinics, evidence=evidence)
    assert letters(directory, tmp_path / "letters") == 2
    assert "OHIP" in (tmp_path / "letters/a.txt").read_text()
    assert (tmp_path / "letters/b.txt").read_text().startswith("Bonjour")
