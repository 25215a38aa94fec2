"""Facts from evidence: which source decides where several speak, and which are too old to."""

# Sources of a higher class come first: the regulator, the clinic's own page, a government directory,
# the operator's page, other listings. Within a class the latest date decides; where sources of one
# class and date disagree, nothing is known. As of a given day, evidence that is older than its class
# allows, or that had not been read by then, is set aside and the next class decides.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

from ketafind.errors import DataError, Fault, InvalidInputError, UnknownTermError, shown
from ketafind.records import (
    OVERRULED,
    SOURCE_CLASSES,
    Clinic,
    Evidence,
    Quantity,
    Service,
    Truth,
)
from ketafind.vocabulary.terms import FLAG

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


# How long a source of a class is believed, as of a given day.
MAX_AGE = {name: timedelta(days=90 if name == "regulator" else 365) for name in SOURCE_CLASSES}

_FIELDS = frozenset(part.name for part in fields(Clinic))


@dataclass(frozen=True, slots=True)
class Decision:
    """What the evidence for one fact comes to.

    Parameters
    ----------
    service_id : str or None
        The service; None for the clinic as a whole.
    facet, term : str
        The fact.
    truth : Truth
        UNKNOWN where nothing decides.
    reason : str
        ``decided``, ``conflict`` (sources of equal class and date disagree), ``stale`` (all are too
        old, or not yet read), ``undated`` (their age is not known).
    by : tuple of Evidence
        What decided, or what disagrees.
    set_aside : tuple of Evidence
        What was outranked or too old.
    """

    service_id: str | None
    facet: str
    term: str
    truth: Truth
    reason: str
    by: tuple[Evidence, ...]
    set_aside: tuple[Evidence, ...]


def as_day(day: date | str) -> date:
    """Read a date."""
    if isinstance(day, date):
        # A datetime is a date, too, and does not compare with one.
        return date(day.year, day.month, day.day)
    with suppress(TypeError, ValueError):
        return date.fromisoformat(day)
    raise InvalidInputError(f'as_of={shown(day)} is not a date; write it as "2027-06-30"')


def is_fresh(fact: Evidence, as_of: date | None) -> bool:
    """Tell whether evidence is believed on a day."""
    if as_of is None:
        return True
    dated = fact.page_date or fact.checked_on
    if dated is None or (fact.checked_on or dated) > as_of:
        return False
    return as_of - dated <= MAX_AGE.get(fact.source_class, MAX_AGE["other"])


# A truth, the reason of it, and the evidence that decides.
Decided = tuple[Truth, str, tuple[Evidence, ...]]


def decide(evidence: Iterable[Evidence], as_of: date | None = None) -> Decided:
    """Decide one fact."""
    known = tuple(evidence)
    fresh = [fact for fact in known if is_fresh(fact, as_of)]
    if not fresh:
        dated = any(fact.page_date or fact.checked_on for fact in known)
        return Truth.UNKNOWN, "stale" if dated else "undated", ()
    best = max(_weight(fact) for fact in fresh)
    by = tuple(fact for fact in fresh if _weight(fact) == best)
    # Two values of a quantity disagree as yes and no do.
    if len({(fact.truth, fact.term if fact.truth == Truth.YES else "") for fact in by}) > 1:
        return Truth.UNKNOWN, "conflict", by
    return by[0].truth, "decided", by


def _weight(fact: Evidence) -> tuple[int, date]:
    rank = SOURCE_CLASSES.index(fact.source_class)
    return -rank, fact.page_date or fact.checked_on or date.min


def decisions(
    clinic: Clinic, vocabulary: Vocabulary, as_of: date | None = None
) -> tuple[Decision, ...]:
    """Decide every fact of a clinic that evidence speaks of."""
    found = []
    for service in clinic.services:
        for fact, known in _by_fact(clinic, service, vocabulary).items():
            found.append(_decision((service.service_id, *fact), known, decide(known, as_of)))
    status = [fact for fact in clinic.evidence if fact.facet == "status"]
    found += [
        _decision((None, "status", term), status, _status_of(term, status, as_of))
        for term in dict.fromkeys(fact.term for fact in status)
    ]
    return tuple(found)


def _status_of(term: str, facts: list[Evidence], as_of: date | None) -> Decided:
    """One status excludes the others: a page that says closed speaks against active."""
    given = {
        fact if fact.term == term else replace(fact, truth=Truth.NO): fact
        for fact in facts
        if fact.term == term or fact.truth == Truth.YES
    }
    truth, reason, by = decide(given, as_of)
    return truth, reason, tuple(given[fact] for fact in by)


def _decision(
    about: tuple[str | None, str, str], facts: list[Evidence], decided: Decided
) -> Decision:
    return Decision(*about, *decided, tuple(fact for fact in facts if fact not in decided[2]))


def _by_fact(
    clinic: Clinic, service: Service, vocabulary: Vocabulary
) -> Mapping[tuple[str, str], list[Evidence]]:
    """The evidence for each fact of a service; that for a quantity is one, whatever its value."""
    found: dict[tuple[str, str], list[Evidence]] = {}
    for fact in clinic.evidence:
        if fact.facet in _FIELDS:
            continue
        key = fact.facet, "" if fact.facet in vocabulary.quantities else fact.term
        if fact.service_id == service.service_id or (
            fact.service_id is None and (len(clinic.services) == 1 or _states(service, *key))
        ):
            found.setdefault(key, []).append(fact)
    return found


def _states(service: Service, facet: str, term: str) -> bool:
    return term in service.facts.get(facet, ()) if term else facet in service.quantities


def resolved(clinic: Clinic, vocabulary: Vocabulary, as_of: date | None = None) -> Clinic:
    """Derive the facts of a clinic, in canonical form, from its evidence."""
    if as_of is None and not clinic.evidence:
        return clinic
    made = decisions(clinic, vocabulary, as_of)
    old = as_of is not None and not _recent(clinic, as_of)
    services = tuple(
        _service(service, [one for one in made if one.service_id == service.service_id],
                 vocabulary, old=old)
        for service in clinic.services
    )  # fmt: skip
    decided = replace(clinic, services=services, status=_status(clinic, made, as_of, old=old))
    struck = "" if as_of is not None else _overruled(clinic, decided)
    return replace(decided, extra={**clinic.extra, OVERRULED: struck}) if struck else decided


def _overruled(stated: Clinic, decided: Clinic) -> str:
    """List what a clinic states itself and its evidence decides otherwise."""
    pairs = [("status", stated.status, decided.status)]
    for one, other in zip(stated.services, decided.services, strict=True):
        for facet, terms in one.facts.items():
            now = other.facts.get(facet, {})
            pairs += [(f"{facet} {t}", truth, now.get(t, "unknown")) for t, truth in terms.items()]
        for name, quantity in one.quantities.items():
            pairs.append((name, str(quantity), str(other.quantities.get(name, "unknown"))))
    return "; ".join(f"{what} is {new}, not {old}" for what, old, new in pairs if old != new)


def _status(clinic: Clinic, made: Iterable[Decision], as_of: date | None, *, old: bool) -> str:
    status = [one for one in made if one.facet == "status"]
    for one in status:
        if one.truth == Truth.YES:
            return one.term
    own = [one for one in status if one.term == clinic.status]
    if any(one.reason == "conflict" for one in status) or any(one.truth == Truth.NO for one in own):
        return "uncertain"
    stale = bool(own) and all(one.reason in ("stale", "undated") for one in own)
    doubtful = as_of is not None and clinic.status == "active" and (stale or (old and not own))
    return "uncertain" if doubtful else clinic.status


def _recent(clinic: Clinic, as_of: date) -> bool:
    day = clinic.checked_on
    return day is not None and timedelta(0) <= as_of - day <= MAX_AGE["other"]


def _service(
    service: Service, made: list[Decision], vocabulary: Vocabulary, *, old: bool
) -> Service:
    believed = {(one.facet, one.term): one for one in _without_outranked(made, vocabulary)}
    dropped = {(one.facet, one.term) for one in made}.difference(believed)

    def stays(facet: str, term: str) -> bool:
        return (facet, term) not in dropped and (not old or (facet, term) in believed)

    facts = {
        facet: {term: truth for term, truth in terms.items() if stays(facet, term)}
        for facet, terms in service.facts.items()
    }
    quantities = {name: value for name, value in service.quantities.items() if stays(name, "")}
    for (facet, term), one in believed.items():
        if term:
            facts.setdefault(facet, {})[term] = one.truth
        else:
            unit = vocabulary.quantities[facet].unit
            quantities[facet] = Quantity.read(one.by[0].term, unit)
    changed = replace(
        service,
        facts={facet: terms for facet, terms in facts.items() if terms},
        flags=facts.get(FLAG, {}),
        complete=frozenset() if old else service.complete,
        quantities=quantities,
    )
    return service if changed == service else changed


def _without_outranked(made: list[Decision], vocabulary: Vocabulary) -> Iterator[Decision]:
    """Yield what is decided, without a YES below a NO, or a NO above a YES, of a better source."""
    known = [one for one in made if one.truth != Truth.UNKNOWN]
    for one in known:
        rivals = [other for other in known if _contradict(one, other, vocabulary)]
        if all(_weight(other.by[0]) <= _weight(one.by[0]) for other in rivals):
            yield one


def _contradict(one: Decision, other: Decision, vocabulary: Vocabulary) -> bool:
    if one.facet != other.facet or not one.term or one.truth is other.truth:
        return False
    lower, upper = (one, other) if one.truth == Truth.YES else (other, one)
    return upper.term in vocabulary.facet(one.facet).ancestors(lower.term)


Facts = Mapping[str, Mapping[str, Truth]]


def canonical(clinics: Iterable[Clinic], vocabulary: Vocabulary) -> tuple[Clinic, ...]:
    """Write what clinics state in the vocabulary's ids, whatever they were written in."""
    reader = _Reader(vocabulary)
    made = tuple(map(reader.clinic, clinics))
    if reader.faults:
        raise DataError("clinics", reader.faults)
    return made


class _Reader:
    """Resolves terms; services that state the same are read once, and so are facts."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.faults: list[Fault] = []
        self.has_languages = any(facet.id == "language" for facet in vocabulary.facets)
        self.resolved = cache(self._resolved)
        self.named = cache(partial(named_fact, vocabulary))

    def clinic(self, clinic: Clinic) -> Clinic:
        services = tuple(self._service(clinic, service) for service in clinic.services)
        evidence = tuple(self._evidence(clinic, fact) for fact in clinic.evidence)
        same = (services, evidence) == (clinic.services, clinic.evidence)
        return clinic if same else replace(clinic, services=services, evidence=evidence)

    def _fault(self, clinic: Clinic, where: str, error: Exception) -> None:
        message = f"clinic {clinic.clinic_id!r}, {where}: {error}"
        self.faults.append(Fault(message, None, None, clinic.clinic_id))

    def _evidence(self, clinic: Clinic, fact: Evidence) -> Evidence:
        try:
            _refuse_stray(clinic, fact)
            if fact.facet in _FIELDS:
                return fact
            facet, term = self.named(fact.facet, fact.term)
        except (InvalidInputError, UnknownTermError) as error:
            self._fault(clinic, "evidence", error)
            return fact
        same = (facet, term) == (fact.facet, fact.term)
        return fact if same else replace(fact, facet=facet, term=term)

    def _service(self, clinic: Clinic, service: Service) -> Service:
        # Languages are stated of the clinic, and looked for in its services.
        spoken = () if "language" in service.facts else clinic.languages
        try:
            return self.resolved(service, spoken if self.has_languages else ())
        except (InvalidInputError, UnknownTermError) as error:
            self._fault(clinic, f"service {service.service_id!r}", error)
            return service

    def _resolved(self, service: Service, languages: tuple[str, ...]) -> Service:
        words, facts = self.vocabulary, dict[str, dict[str, Truth]]()
        spoken = {"language": dict.fromkeys(languages, Truth.YES)} if languages else {}
        for name, terms in {**service.facts, **spoken}.items():
            facet = words.facet(name)
            kept = facts.setdefault(facet.id, {})
            for text, truth in terms.items():
                if kept.setdefault(facet.resolve(text), truth) is not truth:
                    raise InvalidInputError(f"{facet.id}:{text} is stated twice, differently")
        for name, quantity in service.quantities.items():
            if quantity.unit != words.quantities[name].unit:
                unit = words.quantities[name].unit
                raise InvalidInputError(f"{name}: {quantity} is not in {unit}")
        made = replace(
            service,
            facts=facts,
            flags=facts.get(FLAG, {}),
            complete=frozenset(words.facet(name).id for name in service.complete),
            quantities={
                words.quantities.resolve(n): size for n, size in service.quantities.items()
            },
        )
        return service if made == service else made


def _refuse_stray(clinic: Clinic, fact: Evidence) -> None:
    """Refuse evidence that a clinic holds of another clinic, or of no service of its own."""
    if fact.clinic_id != clinic.clinic_id:
        raise InvalidInputError(f"it is of the clinic {shown(fact.clinic_id)}")
    known = [service.service_id for service in clinic.services]
    if fact.service_id not in (None, *known):
        raise InvalidInputError(
            f"{shown(fact.service_id)} is not a service of this clinic; known: {', '.join(known)}"
        )


def named_fact(vocabulary: Vocabulary, name: str, term: str) -> tuple[str, str]:
    """Resolve what evidence is about; the value of a quantity in its one form."""
    facet, term = vocabulary.fact(name, term)
    if facet in vocabulary.quantities:
        term = Quantity.read(term, vocabulary.quantities[facet].unit).span
    return facet, term
