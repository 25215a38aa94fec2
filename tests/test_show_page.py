"""The finder page: what it answers in node is what the package answers, and it asks nobody."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

import ketafind as kf
from finder_queries import FORMS, asked_of_page, compared, random_directory, read_alike
from ketafind.cli import main
from ketafind.errors import InvalidInputError
from ketafind.geocoding import default_gazetteer

SHOW = Path(kf.__file__).with_name("show")
TEXTS = json.loads((SHOW / "finder.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """The page of the bundled clinics."""
    path = tmp_path_factory.mktemp("page") / "finder.html"
    kf.load_directory().to_html(path)
    return path


def read(page: Path, *texts: str) -> list[dict]:
    return asked_of_page(page, [{"text": text} for text in texts])[0]


def test_random_questions_are_answered_as_the_package_answers(page, tmp_path) -> None:
    how, _ = compared(kf.load_directory(), page, 100, seed=11)
    assert how["read alike"] > how["refused by the page"]
    directory = random_directory(300)
    directory.to_html(tmp_path / "random.html")
    how, _ = compared(directory, tmp_path / "random.html", 100, seed=12)
    assert how["read alike"] > how["refused by the page"]


@pytest.mark.slow
def test_a_thousand_questions_are_answered_as_the_package_answers(tmp_path) -> None:
    for seed, directory in enumerate((kf.load_directory(), random_directory(2000))):
        path = tmp_path / f"{seed}.html"
        directory.to_html(path)
        compared(directory, path, 1000, seed)


def check_names(page: Path, keys: list[str]) -> None:
    asked = [{"kind": "", "text": form.format(key)} for key in keys for form in FORMS]
    answers, _ = asked_of_page(page, asked)
    for question, answer in zip(asked, answers, strict=True):
        read_alike(question, answer)


def test_names_are_read_alike_in_every_form(page) -> None:
    named = default_gazetteer().aliases
    several = [key for key, places in named.items() if len(places) > 1]
    check_names(page, several + list(named)[::50])


@pytest.mark.slow
def test_every_name_is_read_alike_in_every_form(page) -> None:
    check_names(page, list(default_gazetteer().aliases))


def test_what_people_type_is_placed_or_refused_with_what_can_be_tried(page) -> None:
    code, address, run_on, slip, part, degrees = read(
        page,
        "k7l3n6",
        "30 Duncan St Suite 400, Toronto ON M5V 2C3",
        "80 Wellesley St Toronto",
        "K7L 3NG",
        "K7L",
        "44.2312, -76.4860",
    )
    assert code["origin"]["label"] == "K7L 3N6, Kingston, ON"
    assert address["origin"]["label"] == "M5V 2C3, Toronto, ON"
    assert address["origin"]["notes"] == [["street_unused", {}]]
    assert run_on["origin"]["label"] == "Toronto, ON"
    assert slip["refused"] == "unreadable"
    assert part["origin"]["precision"] == "fsa"
    assert degrees["origin"]["lat"] == 44.2312
    several, misspelt, wrong, far, empty = read(
        page, "Alberton", "Kingsten", "Thunder Bay ON K7L 3N6", "Boston", "   "
    )
    assert several["refused"] == "ambiguous"
    assert {one["county"] for one in several["candidates"]} == {"Hamilton", "Rainy River"}
    assert misspelt["offers"][0] == "Kingston"
    assert wrong["offers"] == ["K7L 3N6", "Thunder Bay"]
    assert "refused" in far
    assert empty["refused"] == "empty"


def test_the_page_may_load_and_run_nothing_but_its_own(page) -> None:
    html = page.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        inline = re.findall(rf"(?s)<{tag}>(.*?)</{tag}>", html)
        digests = [
            base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inline
        ]
        named = " ".join(f"'sha256-{digest}'" for digest in digests)
        assert f"{tag}-src {named};" in policy
    assert not re.search(r"<(?:link|img|iframe|object|form[^>]*action|script[^>]*src)\b", html)
    own = "".join((SHOW / name).read_text("utf-8") for name in ("finder.js", "finder_page.js"))
    asks = r"\b(?:fetch|XMLHttpRequest|WebSocket|sendBeacon|localStorage|sessionStorage|indexedDB|cookie|pushState|replaceState|location(?=[.=[]))\b"
    assert re.findall(asks, own.replace("navigator.geolocation", "")) == []


def test_the_page_is_small(page) -> None:
    assert page.stat().st_size < 1_250_000


def test_both_languages_say_the_same(page) -> None:
    fields = re.compile(r"\{\w+\}")
    for key, both in TEXTS.items():
        assert both.keys() == {"en", "fr"}, key
        assert sorted(fields.findall(both["en"])) == sorted(fields.findall(both["fr"])), key
    code = "".join((SHOW / f"finder{end}").read_text("utf-8") for end in (".html", "_page.js"))
    computed = ("note_", "refused_", "source_", "field_", "status_", "zoom_")
    quoted = set(re.findall(r'["`](\w+)["`]', code))
    assert [key for key in TEXTS if key not in quoted and not key.startswith(computed)] == []
    # Every reason to refuse, and every note, has its words.
    engine = (SHOW / "finder.js").read_text("utf-8")
    reasons = set(re.findall(r'(?:Refused|refuse)\("(\w+)"', engine))
    assert {f"refused_{reason}" for reason in reasons} <= TEXTS.keys()
    notes = {f"note_{note}" for note in re.findall(r'\[\["(\w+)", \{', engine)}
    assert notes <= TEXTS.keys()


def test_the_page_opens_in_the_language_asked_for(tmp_path, capsys) -> None:
    path = tmp_path / "finder.html"
    assert main(["page", "--out", str(path), "--lang", "fr"]) == 0
    html = path.read_text("utf-8")
    assert '<html lang="fr">' in html
    assert "Trouver une clinique</h1>" in html
    assert "n'est pas un avis médical".replace("'", "&#x27;") in html
    assert main(["page", "--out", str(path)]) != 0
    assert "--overwrite" in capsys.readouterr().err
    assert main(["page", "--out", str(path), "--overwrite"]) == 0
    assert "Find a clinic</h1>" in path.read_text("utf-8")


def test_what_the_page_cannot_do_is_refused(tmp_path) -> None:
    class Own:
        name, works_offline = "own", True

        def geocode(self, text):
            raise NotImplementedError

    with pytest.raises(InvalidInputError, match="OfflineGeocoder"):
        kf.load_directory(geocoder=Own()).to_html(tmp_path / "finder.html")
    with pytest.raises(InvalidInputError, match="en"):
        kf.load_directory().to_html(tmp_path / "finder.html", lang="de")
    assert list(tmp_path.iterdir()) == []


def test_a_page_over_clinics_outside_ontario_says_which_places_it_reads(tmp_path) -> None:
    lyon = kf.Clinic(clinic_id="a", name="A", location=kf.Location(lat=45.76, lon=4.84))
    with pytest.warns(UserWarning, match="places of Ontario only"):
        kf.Directory.from_clinics([lyon]).to_html(tmp_path / "finder.html")


def test_a_clinic_without_a_position_and_an_empty_directory_make_a_page(tmp_path) -> None:
    alone = kf.Directory.from_clinics([kf.Clinic(clinic_id="a", name="A")])
    for directory, unlocated in ((alone, 1), (kf.Directory.from_clinics([]), 0)):
        path = tmp_path / f"{unlocated}.html"
        directory.to_html(path)
        question = {"text": "Kingston", "criteria": {"everything": True}, "unknown": "include"}
        (answer,), _ = asked_of_page(path, [question])
        assert answer["matches"] == []
        assert answer["unlocated"] == unlocated
