"""Propose facts of what pages say: with the page, the day, the method and a short hint."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import extruct
import html_text
import phonenumbers
from pages import Page, archived

import ketafind as kf
from ketafind.errors import InvalidInputError, UnknownTermError
from ketafind.files import write_whole
from ketafind.geocoding import parse_address
from ketafind.vocabulary import Vocabulary

FACETS = ("route", "staff", "condition", "product", "language")
HINT_WORDS = 12
POSTAL = re.compile(r"\b([A-Za-z]\d[A-Za-z])[ -]?(\d[A-Za-z]\d)\b")
SENTENCE = re.compile(r"(?<=[.!?;])\s+|\s+[|•·]\s+")
ITEM_WORDS = 8

VOICE = re.compile(
    r"\b(we|our|us|nous|notre|nos)\b|\b(services?|treatments?|traitements?|conditions?|team|équipe)"
    r" (we|offered|available|at|que|offerts|traitée?s|soignée?s)\b|^(our|nos|notre)\b"
    r"|\bthe clinic (offers|provides|treats|is staffed)\b|\bla clinique (offre|traite)\b"
    r"|\b(available|offered|provided) (here|at (this|the) clinic|on site)\b|\boffertes? (ici|sur place)\b"
    r"|\b(conditions|symptoms) treated\b|\bwhat we (offer|treat)\b|\bservices\b$|\bservices:|\bteam:",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"\b(do|does|did|can|are|is|will)( not|n['’]t)\b|\bcannot\b|\bnot (offered|available|provided|treated|currently)\b"
    r"|\bno longer\b|\bwithout\b|\bno \w+( \w+)? (is|are) (offered|given|available|on staff)\b"
    r"|\b(ne|n['’]\w*)\b.*\b(pas|plus|aucune?)\b|\bexcept\b|\bsauf\b|\bnever\b|\bunable to\b",
    re.IGNORECASE,
)
SUPPOSED = re.compile(
    r"\b(may|might|could|would|should|if|soon|planning|plan(s|ned)?|hop(e|ing)|expect|consider(ing)?"
    r"|research|stud(y|ies)|trials?|evidence|literature|history of|side effects?|risks?|contraindicat\w+"
    r"|caution|avoid|elsewhere|other (clinics|providers|places)|some (clinics|providers)|refer (you|patients)?"
    r"|referred|approved|known (to|as|for)|used (for|in|to)|news|article|blog|interested in"
    r"|pourrai\w*|peut|peuvent|bientôt|étude|études|recherche|effets? secondaires?|ailleurs|risque)\b"
    r"|\?\s*$",
    re.IGNORECASE,
)
FLAGS = {
    ("referral_required", "yes"): r"referrals? (is|are) (required|needed|necessary)|requires? a referral|need a referral|(only )?by referral only|demande de consultation (est )?(requise|nécessaire)",
    ("referral_required", "no"): r"no referral (is )?(required|needed|necessary)|self[- ]referrals? (is|are )?(accepted|welcome)|without a referral|(aucune référence|référence non) (n['’]est )?(requise|nécessaire)",
    ("ohip_covered", "yes"): r"(?<!not )(fully |partly )?covered by OHIP|couverte? par l['’](OHIP|assurance-santé)",
    ("ohip_covered", "no"): r"not covered by OHIP|OHIP does not cover|n['’]est pas couverte? par",
    ("accepting_patients", "yes"): r"(now |currently )?accepting new patients|acceptons de nouveaux patients",
    ("accepting_patients", "no"): r"not (currently )?accepting new patients|n['’]acceptons (pas|plus) de nouveaux",
    ("virtual", "yes"): r"(we|our) [^.]*\b(virtual (care|visits|appointments)|telehealth|telemedicine)\b|virtual appointments are available",
}  # fmt: skip
CREDENTIALS = r"MD|M\.D\.|RN|NP|RPN|FRCPC|FRCP\(C\)|PhD|RP|DO|BScN|MSW|RSW|CCFP"
PERSON = re.compile(
    r"\b(?:Drs?|Dre|Mrs?|Ms|Mme|M)\.? (?:[A-ZÉÈÀ][\w'’.-]*\s?){1,3}"
    rf"|\b(?:[A-ZÉÈÀ][\w'’-]+ ){{1,3}}(?=(?:[A-ZÉÈÀ][\w'’-]+)?,? ?(?:{CREDENTIALS})\b)(?:[A-ZÉÈÀ][\w'’-]+)?"
)
KINDS = re.compile(r"Clinic|Business|Hospital|Organization|Medical|Physician")
PLACE_FIELDS = {"street_address": "streetAddress", "city": "addressLocality",
                "province": "addressRegion", "postal_code": "postalCode"}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A fact that a page may state: what a reviewer sees."""

    clinic_id: str
    service_id: str
    facet: str
    term: str
    truth: str
    stance: str
    known: str
    conflict: str
    source_url: str
    checked_on: str
    method: str
    sha256: str
    hint: str
    decision: str = ""


def write_candidates(path: Path, found: Iterable[Candidate]) -> None:
    """Write candidates for review, one row each."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [one.name for one in fields(Candidate)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, found))
    write_whole(path, stream.getvalue(), overwrite=True)


def read_candidates(path: Path) -> list[Candidate]:
    """Read them back."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Candidate(**row) for row in csv.DictReader(file, strict=True)]


def propose(directory: kf.Directory, archive: Path) -> list[Candidate]:
    """Read what is archived of every clinic; what is known already is left out."""
    reader = Reader(directory.vocabulary)
    return [
        candidate
        for clinic in directory.clinics
        for candidate in _news(clinic, reader, archived(archive, clinic.clinic_id), archive)
    ]


def _news(
    clinic: kf.Clinic, reader: Reader, pages: list[Page], archive: Path
) -> Iterator[Candidate]:
    seen = set()
    for page in pages:
        for said in reader.page(page.body(archive), page.url):
            known = known_of(clinic, said.facet, said.term)
            told = said.truth if said.facet in (*FACETS, "flag") else said.term
            if (said.facet, said.term, said.truth, said.stance) in seen or known == told:
                continue
            seen.add((said.facet, said.term, said.truth, said.stance))
            yield replace(
                said, clinic_id=clinic.clinic_id, known=known,
                service_id=clinic.services[0].service_id if len(clinic.services) == 1 else "",
                conflict="" if known in ("", "unknown") else "yes",
                source_url=page.url, checked_on=page.read_on, sha256=page.sha256,
            )  # fmt: skip


def known_of(clinic: kf.Clinic, facet: str, term: str) -> str:
    """What the directory has: a field's value, or whether the term is a fact."""
    if facet not in (*FACETS, "flag"):
        return str(getattr(clinic, facet) or "")
    truths = [service.facts.get(facet, {}).get(term) for service in clinic.services]
    stated = [truth for truth in truths if truth is not None]
    return str(max(stated)) if stated else "unknown"


class Reader:
    """Reads pages by the labels and synonyms of a vocabulary, in both languages."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.patterns = {facet: self._pattern(facet) for facet in FACETS}

    def _pattern(self, facet: str) -> re.Pattern[str]:
        words: dict[str, None] = {}
        for term in self.vocabulary.facet(facet):
            labels = (term.label(lang).partition(" (")[0] for lang in ("en", "fr"))
            for text in (*labels, *term.synonyms):
                # Short ones are abbreviations: "IM" is a route, "im" is not.
                short = len(text) <= 4 and text.isupper()
                words[re.escape(text) if short else f"(?i:{re.escape(text)}s?)"] = None
        ordered = sorted(words, key=len, reverse=True)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(ordered)})(?![\w-])")

    def page(self, body: bytes, url: str) -> Iterator[Candidate]:
        """Yield what a page says, structured data first."""
        text = body.decode("utf-8", "replace")
        yield from self._structured(text, url)
        plain = html_text.extract_text(text)
        yield from _contacts(plain)
        yield from self._sentences(plain)

    def _structured(self, text: str, url: str) -> Iterator[Candidate]:
        found = extruct.extract(text, base_url=url, syntaxes=["json-ld", "microdata"], uniform=True,
                                errors="ignore")  # fmt: skip
        for thing in _things(found):
            kind = str(thing.get("@type", ""))
            if not KINDS.search(kind):
                continue
            place = thing.get("address")
            for field, name in PLACE_FIELDS.items():
                if isinstance(place, dict) and place.get(name):
                    value = str(place[name])
                    value = _postal(value) if field == "postal_code" else value
                    yield _candidate(field, value, method="schema.org", hint=value)
            if thing.get("telephone"):
                for number in phonenumbers.PhoneNumberMatcher(str(thing["telephone"]), "CA"):
                    phone = _phone(number)
                    yield _candidate("phone", phone, method="schema.org", hint=phone)
            if isinstance(thing.get("isAcceptingNewPatients"), bool | str):
                truth = "yes" if str(thing["isAcceptingNewPatients"]).lower() == "true" else "no"
                yield _candidate("flag", "accepting_patients", truth, method="schema.org")
            for service in _listed(thing.get("availableService")):
                name = service.get("name", "") if isinstance(service, dict) else str(service)
                for facet, term in self.terms(str(name)):
                    yield _candidate(facet, term, method="schema.org", hint=str(name))

    def terms(self, text: str) -> Iterator[tuple[str, str]]:
        """The terms that a text names, longest first, none twice."""
        for facet, pattern in self.patterns.items():
            for found in dict.fromkeys(pattern.findall(text)):
                try:
                    yield facet, self._term(facet, found)
                except UnknownTermError:
                    continue  # a plural that is no synonym: nothing is guessed

    def _term(self, facet: str, found: str) -> str:
        known = self.vocabulary.facet(facet)
        try:
            return known.resolve(found)
        except UnknownTermError:
            return known.resolve(found.removesuffix("s"))

    def _sentences(self, plain: str) -> Iterator[Candidate]:
        about = ""
        for line in filter(None, map(str.strip, plain.splitlines())):
            is_item = len(line.split()) <= ITEM_WORDS and line[-1] not in ".!?"
            for sentence in SENTENCE.split(line):
                context = f"{about} {sentence}" if is_item else sentence
                stance = _stance(context)
                terms = list(self.terms(sentence))
                if stance == "denied" and {facet for facet, _ in terms} - {"product"}:
                    # "No oral ketamine" denies a way of giving it, not the drug.
                    terms = [(facet, term) for facet, term in terms if facet != "product"]
                for facet, term in terms:
                    truth = "no" if stance == "denied" else "yes"
                    yield _candidate(facet, term, truth, stance, hint=sentence)
                for (flag, truth), pattern in FLAGS.items():
                    if re.search(pattern, sentence, re.IGNORECASE):
                        supposed = "supposed" if SUPPOSED.search(
                            re.sub(r"refer\w*", "", sentence, flags=re.IGNORECASE)
                        ) else "stated"  # fmt: skip
                        yield _candidate("flag", flag, truth, supposed, hint=sentence)
            if is_item and (line.endswith(":") or not list(self.terms(line))):
                about = line
            elif not is_item:
                about = line if line.endswith(":") else ""


def _stance(text: str) -> str:
    if SUPPOSED.search(text) or not VOICE.search(text):
        return "supposed"
    return "denied" if DENIED.search(text) else "stated"


def _candidate(
    facet: str, term: str, truth: str = "yes", stance: str = "stated", *,
    method: str = "page", hint: str = "",
) -> Candidate:  # fmt: skip
    words = PERSON.sub("(name) ", " ".join(hint.split())).split()
    return Candidate("", "", facet, term, truth, stance, "", "", "", "", method, "",
                     " ".join(words[:HINT_WORDS]))  # fmt: skip


def _contacts(plain: str) -> Iterator[Candidate]:
    """Phones but no faxes, and the addresses of lines that hold a postal code."""
    for found in phonenumbers.PhoneNumberMatcher(plain, "CA"):
        before = plain[max(0, found.start - 16) : found.start].lower()
        if not re.search(r"fax|téléc", before):
            yield _candidate("phone", _phone(found), hint=_phone(found))
    lines = [line.strip() for line in plain.splitlines()]
    for at, line in enumerate(lines):
        code = POSTAL.search(line)
        if code is None:
            continue
        before = [
            one for one in lines[max(0, at - 2) : at] if one and len(one.split()) <= ITEM_WORDS
        ]
        whole = ", ".join([*before, line[: code.end()]])
        for text in (line[: code.end()], ", ".join([*before[-1:], line[: code.end()]]), whole):
            try:
                read = parse_address(text.rpartition(": ")[2])
            except InvalidInputError:
                continue
            if read.number and read.street and read.city:
                break
        else:
            yield _candidate("postal_code", _postal(code[0]), hint=code[0])
            continue
        unit = f", Unit {read.unit}" if read.unit else ""
        street = f"{read.number} {read.street}{unit}"
        for field, value in (("street_address", street), ("city", read.city),
                             ("province", read.province), ("postal_code", _postal(code[0]))):  # fmt: skip
            if value:
                yield _candidate(field, value, hint=text)


def _postal(text: str) -> str:
    plain = re.sub(r"\W", "", text).upper()
    return f"{plain[:3]} {plain[3:]}"


def _phone(found: Any) -> str:
    number = str(found.number.national_number)
    said = f"{number[:3]}-{number[3:6]}-{number[6:]}"
    return f"{said} ext. {found.number.extension}" if found.number.extension else said


def _things(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        yield found
        found = found.values()
    if isinstance(found, str):
        return
    for part in found if hasattr(found, "__iter__") else ():
        yield from _things(part)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
