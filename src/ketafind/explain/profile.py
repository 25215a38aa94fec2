"""A directory's data: how complete, precise and old they are, what is doubtful, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from ketafind.errors import GeocodingError
from ketafind.explain.findings import evidence_dict, evidence_lines
from ketafind.explain.sentences import Explanation, ExplanationList, Line, picked, plain
from ketafind.facts import decisions
from ketafind.geo import apart_km
from ketafind.records import CLINIC_FIELDS, OVERRULED, PRECISIONS, UNPLACED, Evidence
from ketafind.shapes import label_of, translated
from ketafind.tables.clinics import likely_column, meanings_of

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.query.catalogue import Catalogue
    from ketafind.records import Clinic, Location, Service
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing to look into.

    Parameters
    ----------
    kind : str
        ``unlocated``, ``unplaced`` (an address that the geocoder could not place), ``no_fact``,
        ``no_evidence``, ``conflict``, ``overruled`` (a row says otherwise than its evidence),
        ``same_place``, ``no_contact``, ``unknown_column``, ``postal_shape`` (a postal code that is
        none), ``postal_province`` (one of another province), ``postal_far`` or ``town_far`` (a
        code or a town far from the position that is given).
    clinic_id : str
        The clinic; empty for a column.
    what : str
        The fact, the other clinic or the reason, where there is one.
    """

    kind: str
    clinic_id: str
    what: str = ""


# A position that is given may lie so far from its postal code, or so many times the code's radius.
FAR_KM, FACTOR = 5.0, 3.0


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Profile(Explanation):
    """How complete, how precise and how old the data are.

    Parameters
    ----------
    clinics : sequence of Clinic
        The data.
    snapshot : Snapshot
        Its name.
    vocabularies : tuple of Vocabulary
        Its facets.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    clinics: Sequence[Clinic]
    snapshot: Snapshot

    @property
    def n_services(self) -> int:
        """How many services there are."""
        return sum(len(clinic.services) for clinic in self.clinics)

    @property
    def facets(self) -> dict[str, int]:
        """For each facet, of how many services anything is stated."""
        stated = Counter(
            facet
            for clinic in self.clinics
            for service in clinic.services
            for facet, terms in service.facts.items()
            if terms
        )
        return {facet.id: stated[facet.id] for facet in self.vocabularies[0].facets}

    @property
    def statuses(self) -> dict[str, int]:
        """How many clinics bear each status."""
        return dict(sorted(Counter(clinic.status for clinic in self.clinics).items()))

    @property
    def precisions(self) -> dict[str, int]:
        """How many clinics are known how precisely; ``unlocated`` for those without a position."""
        found = Counter(
            "unlocated" if clinic.location is None else clinic.location.precision
            for clinic in self.clinics
        )
        return {name: found[name] for name in (*PRECISIONS, "unlocated") if found[name]}

    @property
    def ages(self) -> dict[str, Any]:
        """Dates of the evidence, or of the clinics where there is none: first, middle and last.

        ``from_page`` says how many count from the page's own date, ``from_reading`` from the day
        it was read, ``undated`` how many bear none.
        """
        facts = [fact for clinic in self.clinics for fact in clinic.evidence or (clinic,)]
        paged = [fact.page_date for fact in facts if isinstance(fact, Evidence) and fact.page_date]
        read = [
            fact.checked_on
            for fact in facts
            if fact.checked_on and not getattr(fact, "page_date", None)
        ]
        days = sorted([*paged, *read])
        middle = (("first", 0), ("median", len(days) // 2), ("last", -1))
        return {
            **{name: plain(days[at]) if days else None for name, at in middle},
            "from_page": len(paged),
            "from_reading": len(read),
            "undated": len(facts) - len(days),
        }

    def lines(self) -> list[Line]:
        words, n = self._words, self.n_services
        lines = [
            Line(0, words.counted("profile.clinics", len(self.clinics))
                 + words.counted("profile.services", n)),
            Line(0, words.say("profile.facets")),
        ]  # fmt: skip
        for facet, stated in self.facets.items():
            share = words.number(100.0 * stated / n if n else 0.0)
            text = words.say("profile.share", n=stated, of=n, share=share)
            lines.append(Line(1, words.headed(words.label(facet), text)))
        for title, counts in (("status", self.statuses), ("precision", self.precisions)):
            lines.append(Line(0, words.say(f"profile.{title}")))
            for name, count in counts.items():
                text = words.headed(words.say(f"{title}.{name}"), words.number(count))
                lines.append(Line(1, text))
        if self.ages["first"] is not None:
            lines.append(Line(0, words.say("profile.ages", **self.ages)))
        return lines

    def to_dict(self) -> dict[str, Any]:
        return {
            "snapshot": self.snapshot.id,
            "n_clinics": len(self.clinics),
            **picked(self, "n_services", "facets", "statuses", "precisions", "ages"),
        }


class Validation(ExplanationList[Doubt]):
    """What is doubtful in the data, though none of it is refused.

    Parameters
    ----------
    found : tuple of Doubt
        By clinic id.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    def lines(self) -> list[Line]:
        words = self._words
        lines = [Line(0, words.counted("validate.head", len(self.found)))]
        whats = translated((one.what for one in self.found), self.lang)
        return lines + [
            Line(1, words.say(f"validate.{one.kind}", clinic=one.clinic_id, what=what))
            for one, what in zip(self.found, whats, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        return {"doubts": plain(self.found)}


def validation(clinics: Sequence[Clinic], vocabulary: Vocabulary, lang: str) -> Validation:
    """Look for what is doubtful in the data."""
    places: dict[tuple[str, str], str] = {}
    found: list[Doubt] = []
    for clinic in clinics:
        own = clinic.clinic_id
        doubts = [
            *_clinic_doubts(clinic),
            *_place_doubts(clinic),
            *_fact_doubts(clinic, vocabulary),
        ]
        key = (clinic.street_address.casefold(), clinic.city.casefold())
        first = places.setdefault(key, own)
        doubts += [("same_place", first)] if all(key) and first != own else []
        found += [Doubt(kind=kind, clinic_id=own, what=what) for kind, what in doubts]
    meanings = meanings_of(vocabulary)
    for name in dict.fromkeys(name for clinic in clinics for name in clinic.extra):
        if name not in (UNPLACED, OVERRULED):
            meant = likely_column(name, meanings)
            what = f"{name} ({meant}?)" if meant else name
            found.append(Doubt(kind="unknown_column", clinic_id="", what=what))
    return Validation(found=tuple(found), lang=lang)


Doubts = Iterator[tuple[str, str]]
"""Kinds of doubt about a clinic, and what each is about."""


def _clinic_doubts(clinic: Clinic) -> Doubts:
    if clinic.location is None:
        reason = clinic.extra.get(UNPLACED, "")
        yield "unplaced" if reason else "unlocated", reason
    if not any(service.facts for service in clinic.services):
        yield "no_fact", ""
    if OVERRULED in clinic.extra:
        yield "overruled", clinic.extra[OVERRULED]
    if not clinic.phone and not clinic.website:
        yield "no_contact", ""


def _fact_doubts(clinic: Clinic, vocabulary: Vocabulary) -> Doubts:
    made = decisions(clinic, vocabulary)
    for one in made:
        if one.reason == "conflict":
            yield "conflict", f"{one.facet} {one.term}".strip()
    known = {(one.service_id, one.facet, one.term) for one in made}
    for service in clinic.services if clinic.evidence else ():
        for facet, term in _facts(service):
            stated = facet not in ("complete", "combined")
            if stated and (service.service_id, facet, term) not in known:
                yield "no_evidence", f"{facet} {term}".strip()
    # Somewhere on earth it is this day already.
    today = datetime.now(timezone(timedelta(hours=14))).date()
    if clinic.checked_on and clinic.checked_on > today:
        yield "day_ahead", f"checked_on: {clinic.checked_on}"
    for fact in clinic.evidence:
        page, read = fact.page_date, fact.checked_on
        latest = max(page or today, read or today)
        if page and read and page > read:
            yield "page_ahead", f"{fact.facet} {fact.term}: {page}"
        elif latest > today:
            yield "day_ahead", f"{fact.facet} {fact.term}: {latest}"


def _place_doubts(clinic: Clinic) -> Doubts:
    """Hold a Canadian postal code and town against their form, the province and the position."""
    from ketafind.geocoding.lexicon import whole_code
    from ketafind.tables.places import postal_letters

    code, place, letters = clinic.postal_code, clinic.location, postal_letters(clinic.province)
    if not letters:
        return
    wrong = "postal_shape" if whole_code(code) < 0 else "postal_province"
    if code and (wrong == "postal_shape" or code[0].upper() not in letters):
        yield wrong, code
        code = ""
    if place is None or place.match != "given":
        return
    town = clinic.city and f"{clinic.city}, {clinic.province}"
    for kind, text in (("postal_far", code), ("town_far", town)):
        meant = _located(text)
        if meant is not None:
            far_km = apart_km(place, meant)
            if far_km > max(FAR_KM, FACTOR * meant.radius_km) + place.radius_km:
                yield kind, f"{text.removesuffix(', ' + clinic.province)}, {far_km:.0f} km"


@lru_cache(maxsize=4096)  # many clinics are in one town
def _located(text: str) -> Location | None:
    """Where a code or a town is; nowhere if it is not listed, or borne by several."""
    from ketafind.geocoding import OfflineGeocoder

    try:
        return OfflineGeocoder(region="CA").geocode(text)
    except GeocodingError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """One thing that differs.

    Parameters
    ----------
    kind : str
        ``added``, ``removed`` or ``changed``.
    what : str
        ``clinic``, ``service``, ``field`` or ``fact``.
    clinic_id, name : str
        The clinic.
    service_id : str or None
        The service.
    facet, term : str
        The fact, or the field in `facet`.
    before, after : str
        Its values; empty where there is none.
    evidence : tuple of Evidence
        For what is new; for what is gone, what it rested on.
    """

    kind: str
    what: str
    clinic_id: str
    name: str
    service_id: str | None = None
    facet: str = ""
    term: str = ""
    before: str = ""
    after: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Difference(ExplanationList[FactChange]):
    """All that changed from one directory to another, by clinic id.

    Parameters
    ----------
    found : tuple of FactChange
        What differs.
    before, after : Snapshot
        The two directories.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names, first found first.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    before: Snapshot
    after: Snapshot

    def lines(self) -> list[Line]:
        words = self._words
        lines = [
            Line(0, words.say("diff.head", before=self.before.id, after=self.after.id)),
            Line(0, words.counted("diff.changes", len(self.found))),
        ]
        if not self.found and self.before.id != self.after.id:
            lines.append(Line(1, words.say("diff.else")))
        last = ""
        for change in self.found:
            if change.clinic_id != last:
                lines.append(Line(1, f"{change.name} [{change.clinic_id}]"))
                last = change.clinic_id
            lines.append(Line(2, self._sentence(change)))
            lines += evidence_lines(change.evidence, words, 3)
        return lines

    def _sentence(self, change: FactChange) -> str:
        words = self._words
        if change.what in ("clinic", "service"):
            return words.say(f"diff.{change.what}.{change.kind}", id=change.service_id or "")
        named = words.label(change.facet)
        if change.term:
            named = words.headed(named, words.label(change.facet, change.term))
        values = {
            "before": self._value(change.facet, change.before),
            "after": self._value(change.facet, change.after),
        }
        return words.say(f"diff.value.{change.kind}", what=named, **values)

    def _value(self, facet: str, value: str) -> str:
        if value in ("yes", "no"):
            return self._words.say(f"truth.{value}")
        if value and any(facet in words.quantities for words in self.vocabularies):
            span, _, unit = value.partition(" ")
            return f"{span} {label_of('unit', unit, self.lang)}"
        return value

    def to_frame(self) -> pd.DataFrame:
        """Return what changed as a pandas frame, a row a change.

        Returns
        -------
        pandas.DataFrame
            Ordered by clinic id, with the columns ``clinic_id``, ``name``, ``service_id``,
            ``what`` (clinic, service, field or fact), ``facet`` (or the field), ``term``,
            ``change`` (added, removed or changed), ``before``, ``after``, ``source_url`` (the
            pages of its evidence, joined by ``;``) and ``checked_on`` (the latest day on which one
            was read). What does not apply or is not known is missing (``NA``). ``attrs`` names
            both snapshots.

        Examples
        --------
        >>> import ketafind as kf
        >>> directory = kf.load_directory()
        >>> directory.diff(directory.as_of("2028-01-01")).to_frame().change.unique().tolist()
        ['removed', 'changed']
        """
        from ketafind.tables.frames import frame_from_columns

        names = ("clinic_id", "name", "service_id", "what", "facet", "term", "kind")
        columns: dict[str, Any] = {
            name: [getattr(change, name) for change in self.found]
            for name in (*names, "before", "after")
        }
        columns["source_url"] = [
            list(dict.fromkeys(fact.source_url for fact in change.evidence if fact.source_url))
            for change in self.found
        ]
        columns["checked_on"] = [
            max((fact.checked_on for fact in change.evidence if fact.checked_on), default=None)
            for change in self.found
        ]
        types = {"checked_on": "datetime64[s]"}
        frame = frame_from_columns(columns, types, before=self.before, after=self.after)
        return frame.rename(columns={"kind": "change"})

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before.id,
            "after": self.after.id,
            "changes": [
                {**plain(change), "evidence": [evidence_dict(fact) for fact in change.evidence]}
                for change in self.found
            ],
        }


def difference(before: Catalogue, after: Catalogue, lang: str) -> Difference:
    """Compare two directories."""
    old = {clinic.clinic_id: clinic for clinic in before.clinics}
    new = {clinic.clinic_id: clinic for clinic in after.clinics}
    return Difference(
        found=tuple(
            change
            for clinic_id in sorted({*old, *new})
            for change in _changes(old.get(clinic_id), new.get(clinic_id))
        ),
        before=before.snapshot,
        after=after.snapshot,
        vocabularies=(after.vocabulary, before.vocabulary),
        lang=lang,
    )


def _changes(before: Clinic | None, after: Clinic | None) -> Iterator[FactChange]:
    """List what differs of one clinic."""
    if before is None or after is None:
        for known in (one for one in (before, after) if one is not None):
            make = partial(FactChange, clinic_id=known.clinic_id, name=known.name)
            yield make(kind=_kind(before, after), what="clinic")
        return
    make = partial(FactChange, clinic_id=after.clinic_id, name=after.name)
    yield from _values(partial(make, what="field"), _fields(before), _fields(after), before, after)
    old = {service.service_id: service for service in before.services}
    new = {service.service_id: service for service in after.services}
    for service_id in dict.fromkeys([*old, *new]):
        one, other = old.get(service_id), new.get(service_id)
        change = partial(make, service_id=service_id)
        if one is None or other is None:
            yield change(kind=_kind(one, other), what="service")
        yield from _values(partial(change, what="fact"), _facts(one), _facts(other), before, after)


def _kind(before: object, after: object) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


Values = dict[tuple[str, str], str]
"""For each facet and term, or field and "", what is stated of it."""


def _values(
    make: Callable[..., FactChange], old: Values, new: Values, before: Clinic, after: Clinic
) -> Iterator[FactChange]:
    for facet, term in dict.fromkeys([*old, *new]):
        one, other = old.get((facet, term)), new.get((facet, term))
        if one == other:
            continue
        change = make(
            kind=_kind(one, other), facet=facet, term=term, before=one or "", after=other or ""
        )
        evidence = tuple(
            fact
            for fact in (before if other is None else after).evidence
            if fact.facet == facet
            and (not term or fact.term == term)
            and fact.service_id in (None, change.service_id)
        )
        yield replace(change, evidence=evidence)


def _fields(clinic: Clinic) -> Values:
    found = {
        part.name: str(part.of(clinic))
        for part in CLINIC_FIELDS
        if part.level == "clinic" and part.name != "clinic_id" and part.of(clinic) is not None
    }
    place = clinic.location
    if place is not None:
        found["location"] = f"{place.lat:.5f} {place.lon:.5f} {place.precision} {place.radius_km:g}"
    found["languages"] = ";".join(clinic.languages)
    return {(name, ""): value for name, value in {**found, **clinic.extra}.items() if value}


def _facts(service: Service | None) -> Values:
    if service is None:
        return {}
    found = {
        (facet, term): str(truth)
        for facet, terms in service.facts.items()
        for term, truth in terms.items()
    }
    found |= {(name, ""): str(quantity) for name, quantity in service.quantities.items()}
    found |= {("complete", facet): "yes" for facet in sorted(service.complete)}
    return found | ({("combined", ""): "yes"} if service.combined else {})
