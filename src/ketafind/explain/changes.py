"""What changed from one directory to another: clinics, fields and facts, with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ketafind.explain.findings import evidence_dict, evidence_lines
from ketafind.explain.sentences import Line, Told, Wording, counted, say
from ketafind.records import Clinic, Evidence, Service

if TYPE_CHECKING:
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary

__all__ = ["Change", "Difference", "differences"]


_ASIDE = frozenset({"clinic_id", "services", "evidence", "extra"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
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


class Difference(Told, Sequence[Change]):
    """All that changed from one directory to another, by clinic id.

    Parameters
    ----------
    changes : tuple of Change
        What differs.
    before, after : Snapshot
        The two directories.
    vocabularies : tuple of Vocabulary
        Where labels are looked up.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    __slots__ = ("_changes", "_vocabularies", "after", "before")

    def __init__(
        self,
        changes: tuple[Change, ...],
        before: Snapshot,
        after: Snapshot,
        vocabularies: tuple[Vocabulary, ...],
        lang: str = "en",
    ) -> None:
        super().__init__(lang)
        self._changes = changes
        self.before, self.after = before, after
        self._vocabularies = vocabularies

    def __len__(self) -> int:
        return len(self._changes)

    def __getitem__(self, item: Any) -> Any:
        return self._changes[item]

    def __iter__(self) -> Iterator[Change]:
        return iter(self._changes)

    def translated(self, lang: str) -> Difference:
        return Difference(self._changes, self.before, self.after, self._vocabularies, lang)

    def lines(self) -> list[Line]:
        lang = self.lang
        lines = [
            Line(0, say("diff.head", lang, before=self.before.id, after=self.after.id)),
            Line(0, counted("diff.changes", len(self._changes), lang)),
        ]
        last = ""
        for change in self._changes:
            if change.clinic_id != last:
                lines.append(Line(1, f"{change.name} [{change.clinic_id}]"))
                last = change.clinic_id
            lines.append(Line(2, self._told(change)))
            lines += evidence_lines(change.evidence, lang, 3)
        return lines

    def _told(self, change: Change) -> str:
        lang, wording = self.lang, Wording(self.lang, self._vocabularies)
        if change.what in ("clinic", "service"):
            return say(f"diff.{change.what}.{change.kind}", lang, id=change.service_id or "")
        named = wording.facet(change.facet)
        if change.term:
            term = wording.term(change.facet, change.term)
            named = say("headed", lang, head=named, text=term)
        values = {"before": self._value(change.before), "after": self._value(change.after)}
        return say(f"diff.value.{change.kind}", lang, what=named, **values)

    def _value(self, value: str) -> str:
        return say(f"truth.{value}", self.lang) if value in ("yes", "no") else value

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before.id,
            "after": self.after.id,
            "changes": [
                {
                    "kind": change.kind,
                    "what": change.what,
                    "clinic_id": change.clinic_id,
                    "service_id": change.service_id,
                    "facet": change.facet,
                    "term": change.term,
                    "before": change.before,
                    "after": change.after,
                    "evidence": [evidence_dict(fact) for fact in change.evidence],
                }
                for change in self._changes
            ],
        }


def differences(before: Sequence[Clinic], after: Sequence[Clinic]) -> tuple[Change, ...]:
    """Compare two lists of clinics."""
    old = {clinic.clinic_id: clinic for clinic in before}
    new = {clinic.clinic_id: clinic for clinic in after}
    found: list[Change] = []
    for clinic_id in sorted({*old, *new}):
        one, other = old.get(clinic_id), new.get(clinic_id)
        if one is not None and other is not None:
            found += _within_clinic(one, other)
            continue
        known = one or other
        if known is not None:
            kind = "added" if one is None else "removed"
            found.append(Change(kind=kind, what="clinic", clinic_id=clinic_id, name=known.name))
    return tuple(found)


def _within_clinic(one: Clinic, other: Clinic) -> Iterator[Change]:
    names = (other.clinic_id, other.name)
    before, after = _fields(one), _fields(other)
    for facet in dict.fromkeys([*before, *after]):
        yield from _value(names, None, (facet, ""), before.get(facet), after.get(facet), one, other)
    old = {service.service_id: service for service in one.services}
    new = {service.service_id: service for service in other.services}
    for service_id in dict.fromkeys([*old, *new]):
        if service_id not in old or service_id not in new:
            kind = "added" if service_id in new else "removed"
            yield Change(
                kind=kind, what="service", service_id=service_id, clinic_id=names[0], name=names[1]
            )
        facts = _facts(old.get(service_id)), _facts(new.get(service_id))
        for key in dict.fromkeys([*facts[0], *facts[1]]):
            yield from _value(
                names, service_id, key, facts[0].get(key), facts[1].get(key), one, other
            )


def _value(
    names: tuple[str, str],
    service_id: str | None,
    key: tuple[str, str],
    before: str | None,
    after: str | None,
    one: Clinic,
    other: Clinic,
) -> Iterator[Change]:
    if before == after:
        return
    kind = "added" if before is None else "removed" if after is None else "changed"
    source = one if after is None else other
    yield Change(
        kind=kind,
        what="field" if service_id is None else "fact",
        service_id=service_id,
        facet=key[0],
        term=key[1],
        before=before or "",
        after=after or "",
        evidence=_evidence(source, service_id, key),
        clinic_id=names[0],
        name=names[1],
    )


def _evidence(clinic: Clinic, service_id: str | None, key: tuple[str, str]) -> tuple[Evidence, ...]:
    facet, term = key
    return tuple(
        fact
        for fact in clinic.evidence
        if fact.facet == facet
        and (not term or fact.term == term)
        and fact.service_id in (None, service_id)
    )


def _fields(clinic: Clinic) -> dict[str, str]:
    found = {
        part.name: str(value)
        for part in fields(clinic)
        if part.name not in _ASIDE and (value := getattr(clinic, part.name)) not in ("", None, ())
    }
    place = clinic.location
    if place is not None:
        found["location"] = f"{place.lat:.5f} {place.lon:.5f} {place.precision} {place.radius_km:g}"
    found["languages"] = ";".join(clinic.languages)
    return {name: value for name, value in {**found, **clinic.extra}.items() if value}


def _facts(service: Service | None) -> dict[tuple[str, str], str]:
    if service is None:
        return {}
    found = {
        (facet, term): str(truth)
        for facet, terms in service.facts.items()
        for term, truth in terms.items()
    }
    found |= {(flag, ""): value for flag, value in service.flags.items()}
    found |= {("complete", facet): "yes" for facet in sorted(service.complete)}
    return found | ({("combined", ""): "yes"} if service.combined else {})
