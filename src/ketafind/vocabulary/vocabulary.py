"""The vocabulary: every facet and the code systems, read from one file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ketafind.errors import DataError, Fault, InvalidInputError, UnknownTermError
from ketafind.files import JsonObject, parse_json, read_text
from ketafind.vocabulary.terms import Code, CodeSystem, Facet, Term, fold, nearest_terms, quoted

FORMAT = "ketafind-vocabulary/1"
_ID = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_TEXTS = "a list of texts that are not blank"
# Key -> (needed, kind).
_TOP = {
    "format": (True, str),
    "languages": (True, list),
    "systems": (False, dict),
    "facets": (True, list),
}
_FACET = {"id": (True, str), "plural": (True, str), "labels": (True, dict), "terms": (True, list)}
_TERM = {
    "id": (True, str),
    "labels": (True, dict),
    "parent": (False, str),
    "synonyms": (False, list),
    "near": (False, list),
    "codes": (False, list),
}
_CODE = {"system": (True, str), "code": (True, str), "broader": (False, bool)}
_SYSTEM = {"name": (True, str), "uri": (True, str), "unique": (False, bool)}
_KINDS = {str: "a text", list: "a list", dict: "an object", bool: "true or false"}


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
            If the file is not a vocabulary; it lists every fault.
        """
        return cls.from_dict(_read_json(path), source=Path(path).name)

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
            If anything is missing, unknown, repeated or contradictory; it lists every fault.
        """
        _check(data, source)
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
            The most to give.

        Returns
        -------
        tuple of str
            Term ids, nearest first, ties in the order of the file; empty if nothing is near.
        """
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
            other = _read_json(other)
        return Vocabulary.from_dict(_merged(self.to_dict(), other, source), source=source)

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


def _read_json(path: str | Path) -> JsonObject:
    """Read a vocabulary's file, not yet checked."""
    what = "a vocabulary"
    return parse_json(read_text(path, what, max_mb=32), Path(path).name, what)


def _merged(base: dict[str, Any], other: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Lay one vocabulary's plain data over another's."""
    facets = other.get("facets", []) if isinstance(other, Mapping) else None
    if not _entries(facets) or not isinstance(other.get("systems", {}), Mapping):
        message = 'must be an object with a list "facets", each an object with an id and terms'
        raise DataError(source, [Fault(message)])
    if faults := _repeated(facets):
        raise DataError(source, faults)
    by_id = {facet["id"]: facet for facet in base["facets"]}
    for facet in facets:
        below = by_id.get(facet["id"], {"terms": []})
        terms = {term["id"]: term for term in below["terms"]}
        terms |= {term["id"]: term for term in facet.get("terms", [])}
        by_id[facet["id"]] = {**below, **facet, "terms": list(terms.values())}
    return {
        **base,
        **other,
        "systems": {**base["systems"], **other.get("systems", {})},
        "facets": list(by_id.values()),
    }


def _entries(facets: Any) -> bool:
    return _have_ids(facets) and all(_have_ids(facet.get("terms", [])) for facet in facets)


def _have_ids(entries: Any) -> bool:
    return isinstance(entries, (list, tuple)) and all(
        isinstance(entry, Mapping) and isinstance(entry.get("id"), str) for entry in entries
    )


def _repeated(facets: Any) -> list[Fault]:
    paths = [facet["id"] for facet in facets]
    paths += [f"{f['id']}.{term['id']}" for f in facets for term in f.get("terms", [])]
    return [
        Fault("this id stands twice; give each entry once", column=path, value=path)
        for path, times in Counter(paths).items()
        if times > 1
    ]


def _check(data: Any, source: str) -> None:
    """Refuse plain data that is not a vocabulary."""
    faults = list(_shape(data)) or list(_content(data))
    if faults:
        raise DataError(source, faults)


def _shape(data: Any) -> Iterator[Fault]:
    yield from _object(data, _TOP, "vocabulary")
    if not isinstance(data, Mapping):
        return
    if data.get("format", FORMAT) != FORMAT:
        yield Fault(
            f'{quoted(str(data["format"]))} is not known; write "{FORMAT}"', column="format"
        )
    languages = data.get("languages", ["en"])
    if not languages or not _are_texts(languages):
        yield Fault(f"must be {_TEXTS}", column="languages")
        languages = []
    for name, system in _items(data.get("systems", {})):
        yield from _object(system, _SYSTEM, f"systems.{name}")
    for i, facet in enumerate(_list(data.get("facets"))):
        yield from _facet_shape(facet, _named(facet, "", f"facets[{i}]"), languages)


def _facet_shape(facet: Any, path: str, languages: Sequence[str]) -> Iterator[Fault]:
    yield from _object(facet, _FACET, path)
    if not isinstance(facet, Mapping):
        return
    yield from _ids(facet, ("id", "plural"), path)
    yield from _labels(facet.get("labels"), languages, path)
    for i, term in enumerate(_list(facet.get("terms"))):
        yield from _term_shape(term, _named(term, f"{path}.", f"terms[{i}]"), languages)


def _term_shape(term: Any, path: str, languages: Sequence[str]) -> Iterator[Fault]:
    yield from _object(term, _TERM, path)
    if not isinstance(term, Mapping):
        return
    yield from _ids(term, ("id",), path)
    yield from _labels(term.get("labels"), languages, path)
    for name in ("synonyms", "near"):
        if not _are_texts(_list(term.get(name))):
            yield Fault(f"must be {_TEXTS}", column=f"{path}.{name}")
    for i, code in enumerate(_list(term.get("codes"))):
        yield from _object(code, _CODE, f"{path}.codes[{i}]")


def _named(entry: Any, above: str, place: str) -> str:
    name = entry.get("id") if isinstance(entry, Mapping) else None
    return f"{above}{name}" if isinstance(name, str) and name.strip() else f"{above}{place}"


def _object(value: Any, keys: Mapping[str, tuple[bool, type]], path: str) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault("must be an object", column=path)
        return
    for key, (needed, kind) in keys.items():
        if key not in value:
            if needed:
                yield Fault(f'"{key}" is missing', column=path)
        elif not isinstance(value[key], kind) or (kind is str and not value[key].strip()):
            yield Fault(f"must be {_KINDS[kind]}, not blank", column=f"{path}.{key}")
    for key in value:
        if key not in keys:
            yield Fault(f"is not known; known: {', '.join(keys)}", column=f"{path}.{key}")


def _ids(entry: Mapping[str, Any], names: Sequence[str], path: str) -> Iterator[Fault]:
    for name in names:
        value = entry.get(name)
        if isinstance(value, str) and value.strip() and not _ID.fullmatch(value):
            yield Fault(
                f"{quoted(value)} is not an id; use a-z, 0-9 and _, a letter first",
                column=f"{path}.{name}",
                value=value,
            )


def _labels(labels: Any, languages: Sequence[str], path: str) -> Iterator[Fault]:
    if not isinstance(labels, Mapping):
        return
    for language in languages:
        label = labels.get(language)
        if not isinstance(label, str) or not fold(label):
            yield Fault(f'the label in "{language}" is missing', column=f"{path}.labels")
    for language in labels:
        if language not in languages:
            yield Fault(f'"{language}" is not among the languages', column=f"{path}.labels")


def _are_texts(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(
        isinstance(value, str) and fold(value) for value in values
    )


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _items(value: Any) -> Sequence[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _content(data: Mapping[str, Any]) -> Iterator[Fault]:
    facets = data["facets"]
    names = [name for facet in facets for name in dict.fromkeys((facet["id"], facet["plural"]))]
    yield from _repeats(names, "facets", "two facets share this name")
    for facet in facets:
        path, terms = facet["id"], facet["terms"]
        yield from _repeats([term["id"] for term in terms], path, "two terms share this id")
        yield from _parents(terms, path)
        yield from _words(terms, path)
    yield from _codes(data)


def _repeats(values: Sequence[str], path: str, message: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for value in values:
        if fold(value) in seen:
            yield Fault(f"{message}: {quoted(value)}", column=path, value=value)
        seen.add(fold(value))


def _parents(terms: Sequence[Mapping[str, Any]], path: str) -> Iterator[Fault]:
    parents = {term["id"]: term.get("parent") for term in terms}
    for term, parent in parents.items():
        column = f"{path}.{term}.parent"
        if parent is not None and parent not in parents:
            yield Fault(f"{quoted(parent)} is not a term of {path}", column=column, value=parent)
        elif term in (line := _line(term, parents)):
            circle = ", ".join((term, *line[: line.index(term) + 1]))
            yield Fault(f"a term stands below itself: {circle}", column=column, value=parent)


def _line(term: str, parents: Mapping[str, str | None]) -> list[str]:
    """List what stands above a term, stopping where it repeats."""
    above: list[str] = []
    here = parents[term]
    while here is not None and here in parents and here not in above:
        above.append(here)
        here = parents[here]
    return above


def _words(terms: Sequence[Mapping[str, Any]], path: str) -> Iterator[Fault]:
    owner: dict[str, str] = {}
    for term in terms:
        words = (term["id"], *term["labels"].values(), *term.get("synonyms", ()))
        for word in words:
            first = owner.setdefault(fold(word), term["id"])
            if first != term["id"]:
                yield Fault(
                    f"{quoted(word)} names both {first} and {term['id']}",
                    column=f"{path}.{term['id']}",
                    value=word,
                )
    for term in terms:
        for word in term.get("near", ()):
            if fold(word) in owner:
                yield Fault(
                    f"{quoted(word)} may only suggest, but it is a name of {owner[fold(word)]}",
                    column=f"{path}.{term['id']}.near",
                    value=word,
                )


def _codes(data: Mapping[str, Any]) -> Iterator[Fault]:
    systems = data.get("systems", {})
    owner: dict[tuple[str, str], str] = {}
    for facet in data["facets"]:
        for term in facet["terms"]:
            path = f"{facet['id']}.{term['id']}"
            for code in term.get("codes", ()):
                system, value = code["system"], code["code"]
                if system not in systems:
                    yield Fault(
                        f"{quoted(system)} is not a code system here", column=f"{path}.codes"
                    )
                    continue
                first = owner.setdefault((system, value), path)
                if first != path and systems[system].get("unique"):
                    yield Fault(
                        f"{system} {value} is already the code of {first}",
                        column=f"{path}.codes",
                        value=value,
                    )
