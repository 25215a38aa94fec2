"""What changed from one directory to another: clinics, fields and facts, with their evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ketafind.explain.findings import evidence_dict, evidence_lines
from ketafind.explain.sentences import ExplanationList, Line, counted, headed, plain, say
from ketafind.records import CLINIC_FIELDS, Clinic, Evidence, Service
from ketafind.shapes import label_of

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.query.catalogue import Catalogue
    from ketafind.snapshot import Snapshot


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
        lang = self.lang
        lines = [
            Line(0, say("diff.head", lang, before=self.before.id, after=self.after.id)),
            Line(0, counted("diff.changes", len(self.found), lang)),
        ]
        last = ""
        for change in self.found:
            if change.clinic_id != last:
                lines.append(Line(1, f"{change.name} [{change.clinic_id}]"))
                last = change.clinic_id
            lines.append(Line(2, self._sentence(change)))
            lines += evidence_lines(change.evidence, lang, 3)
        return lines

    def _sentence(self, change: FactChange) -> str:
        lang, wording = self.lang, self._wording
        if change.what in ("clinic", "service"):
            return say(f"diff.{change.what}.{change.kind}", lang, id=change.service_id or "")
        named = wording.label(change.facet)
        if change.term:
            named = headed(named, wording.label(change.facet, change.term), lang)
        values = {
            "before": self._value(change.facet, change.before),
            "after": self._value(change.facet, change.after),
        }
        return say(f"diff.value.{change.kind}", lang, what=named, **values)

    def _value(self, facet: str, value: str) -> str:
        if value in ("yes", "no"):
            return say(f"truth.{value}", self.lang)
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
