"""The vocabulary: every facet and the code systems, read from one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ketafind.errors import InvalidInputError, UnknownTermError
from ketafind.vocabulary.checks import FORMAT, check, merged, read_json
from ketafind.vocabulary.terms import Code, CodeSystem, Facet, Term, fold, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All the words a directory knows: immutable, picklable and compared by content.

    Make one with `read`, `from_dict` or `extended`.

    Parameters
    ----------
    facets : tuple of Facet
        In the order of the file.
    languages : tuple of str
        The languages that every facet and term has a label in.
    systems : tuple of CodeSystem
        The terminologies that codes come from.
    """

    facets: tuple[Facet, ...]
    languages: tuple[str, ...] = ("en", "fr")
    systems: tuple[CodeSystem, ...] = ()

    @classmethod
    def read(cls, path: str | Path) -> Vocabulary:
        """Read a vocabulary file.

        Parameters
        ----------
        path : str or Path
            A JSON file in the form of the bundled ``vocabulary.json``.

        Returns
        -------
        Vocabulary
            What the file holds, and nothing else: the bundled terms are replaced.

        Raises
        ------
        DataError
            If the file is no such vocabulary; it lists every fault.
        """
        return cls.from_dict(read_json(path), source=Path(path).name)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "vocabulary") -> Vocabulary:
        """Make a vocabulary from plain data in the form of the file.

        Parameters
        ----------
        data : mapping
            As `to_dict` gives it.
        source : str
            What to call it in an error text.

        Returns
        -------
        Vocabulary
            The same content.

        Raises
        ------
        DataError
            If anything is missing, unknown, doubled or contradictory; it lists every fault.
        """
        check(data, source)
        return cls(
            facets=tuple(_facet(facet) for facet in data["facets"]),
            languages=tuple(data["languages"]),
            systems=tuple(
                CodeSystem(name, system["name"], system["uri"], system.get("unique", False))
                for name, system in data.get("systems", {}).items()
            ),
        )

    def facet(self, name: str) -> Facet:
        """Find a facet.

        Parameters
        ----------
        name : str
            Its id or its plural: ``"route"`` or ``"routes"``.

        Returns
        -------
        Facet
            The facet.

        Raises
        ------
        UnknownTermError
            If there is none of that name.
        """
        if not isinstance(name, str):
            raise UnknownTermError(f"a facet is named by text, not by {type(name).__name__}")
        for facet in self.facets:
            if facet.id == name:
                return facet
        key = fold(name)
        for facet in self.facets:
            if key in (fold(facet.id), fold(facet.plural)):
                return facet
        raise self._unknown(name)

    def _unknown(self, name: str) -> UnknownTermError:
        from difflib import get_close_matches

        names = {word: facet.id for facet in self.facets for word in (facet.id, facet.plural)}
        near = dict.fromkeys(names[word] for word in get_close_matches(name.lower()[:100], names))
        maybe = f"; did you mean {' or '.join(map(quoted, near))}?" if near else "."
        known = ", ".join(facet.id for facet in self.facets)
        return UnknownTermError(
            f"{quoted(name)} is not a known facet{maybe} Known: {known}", tuple(near)
        )

    def suggest(self, text: str, limit: int = 5) -> tuple[str, ...]:
        """List the terms of all facets whose names come near a text.

        Parameters
        ----------
        text : str
            Any text.
        limit : int
            At most so many.

        Returns
        -------
        tuple of str
            Term ids, nearest first, ties in the order of the file; empty if nothing is near.
        """
        from ketafind.vocabulary.terms import nearest_terms

        if not isinstance(text, str):
            raise InvalidInputError(f"suggestions are for a text, not for {type(text).__name__}")
        terms = (term for facet in self.facets for term in facet.terms)
        return tuple(dict.fromkeys(term.id for term in nearest_terms(text, terms, limit)))

    def extended(self, other: Vocabulary | Mapping[str, Any] | str | Path) -> Vocabulary:
        """Add facets, terms and code systems, or replace those that bear the same id.

        Parameters
        ----------
        other : Vocabulary, mapping, str or Path
            A vocabulary, its plain data or a file. A facet that exists already needs only its
            ``id`` and the terms that are new or to be replaced; those may have parents here.

        Returns
        -------
        Vocabulary
            A new vocabulary; this one does not change.

        Raises
        ------
        DataError
            If the two together have a fault; it lists every fault.
        """
        source = "extended vocabulary"
        if isinstance(other, Vocabulary):
            other = other.to_dict()
        elif isinstance(other, (str, Path)):
            source = Path(other).name
            other = read_json(other)
        return Vocabulary.from_dict(merged(self.to_dict(), other, source), source=source)

    def to_dict(self) -> dict[str, Any]:
        """Write the vocabulary as plain data.

        Returns
        -------
        dict
            What `from_dict` reads and the JSON file holds.
        """
        return {
            "format": FORMAT,
            "languages": list(self.languages),
            "systems": {
                system.id: {"name": system.name, "uri": system.uri, "unique": system.unique}
                for system in self.systems
            },
            "facets": [_facet_dict(facet) for facet in self.facets],
        }


def _facet(data: Mapping[str, Any]) -> Facet:
    return Facet(
        id=data["id"],
        plural=data["plural"],
        label_pairs=tuple(data["labels"].items()),
        terms=tuple(_term(term, data["id"]) for term in data["terms"]),
    )


def _term(data: Mapping[str, Any], facet: str) -> Term:
    return Term(
        id=data["id"],
        facet=facet,
        label_pairs=tuple(data["labels"].items()),
        synonyms=tuple(data.get("synonyms", ())),
        near=tuple(data.get("near", ())),
        parent=data.get("parent"),
        codes=tuple(
            Code(code["system"], code["code"], code.get("broader", False))
            for code in data.get("codes", ())
        ),
    )


def _facet_dict(facet: Facet) -> dict[str, Any]:
    return {
        "id": facet.id,
        "plural": facet.plural,
        "labels": dict(facet.label_pairs),
        "terms": [_term_dict(term) for term in facet.terms],
    }


def _term_dict(term: Term) -> dict[str, Any]:
    codes = [
        {"system": code.system, "code": code.code, **({"broader": True} if code.broader else {})}
        for code in term.codes
    ]
    return {
        "id": term.id,
        "labels": dict(term.label_pairs),
        **({"parent": term.parent} if term.parent else {}),
        **({"synonyms": list(term.synonyms)} if term.synonyms else {}),
        **({"near": list(term.near)} if term.near else {}),
        **({"codes": codes} if codes else {}),
    }
