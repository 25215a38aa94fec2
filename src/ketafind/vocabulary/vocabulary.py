"""The vocabulary: every facet and the code systems, read from one file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ketafind import errors
from ketafind.errors import DataError, Fault, UnknownTermError, packaged
from ketafind.files import JsonObject, parse_json, read_text
from ketafind.vocabulary.terms import (
    FLAG,
    Code,
    CodeSystem,
    Facet,
    Term,
    fold,
    nearest_terms,
    quoted,
)

FORMAT = "ketafind-vocabulary/1"
_ID = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_TEXTS = "a list of texts that are not blank"


_NO_FLAGS = Facet(
    id=FLAG, plural="flags", label_pairs=(("en", "flag"), ("fr", "fait par oui ou non")), terms=()
)
_NO_QUANTITIES = Facet(
    id="quantity",
    plural="quantities",
    label_pairs=(("en", "quantity"), ("fr", "grandeur")),
    terms=(),
)
_KINDS: dict[str, Any] = {"a text": str, "a list": list, "an object": dict, "true or false": bool}


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
    quantities : Facet
        The numbers with a unit that a service may state: ``quantities["price_cad"].unit``.

    Attributes
    ----------
    flags : Facet
        The yes-no facts that a service may state: the terms of the facet ``flag``. One below
        another, as ``ohip_covered_partial`` below ``ohip_covered``, is written as ``partial`` in
        the other's column: what is covered in part is covered.
    """

    facets: tuple[Facet, ...]
    languages: tuple[str, ...] = ("en", "fr")
    systems: tuple[CodeSystem, ...] = ()
    quantities: Facet = _NO_QUANTITIES
    flags: Facet = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        found = (facet for facet in self.facets if facet.id == FLAG)
        object.__setattr__(self, "flags", next(found, _NO_FLAGS))

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
        MissingFileError
            If there is no such file.
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
        if faults := list(_shape(data)) or list(_content(data)):
            raise DataError(source, faults)
        return cls(
            facets=tuple(map(_facet, data["facets"])),
            languages=tuple(data["languages"]),
            systems=tuple(CodeSystem(i, **rest) for i, rest in data.get("systems", {}).items()),
            quantities=replace(
                _NO_QUANTITIES,
                terms=tuple(_term(each, "quantity") for each in data.get("quantities", ())),
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
        known = [facet.id for facet in self.facets]
        what = "what was given" if errors.may_be_place(name) else quoted(name)
        message = f"{what} is not a known facet{maybe} Known: {', '.join(known)}"
        return UnknownTermError(message, tuple(near)).of(name, known)

    def fact(self, name: str, term: str = "") -> tuple[str, str]:
        """Resolve what a statement is about.

        Parameters
        ----------
        name : str
            A facet, a flag such as ``"virtual"`` or a quantity such as ``"price_cad"``.
        term : str
            A term of the facet; the part of a flag, such as ``"partial"``, or nothing; the value
            of a quantity.

        Returns
        -------
        tuple of (str, str)
            Ids of facet and term, a flag being a term of the facet ``"flag"``; of a quantity its id
            and the value as given.

        Raises
        ------
        UnknownTermError
            If there is none of that name.
        """
        if name in self.quantities:
            return self.quantities.resolve(name), term
        if name not in self.flags:
            facet = self.facet(name)
            return facet.id, facet.resolve(term)
        flag = self.flags.resolve(name)
        part = f"{flag}_{term}" if term else flag
        if part not in self.flags:
            raise UnknownTermError(f"{quoted(name)} is a yes-no fact; leave the term blank")
        return FLAG, self.flags.resolve(part)

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
            raise errors.InvalidInputError(
                f"suggestions are for a text, not for {type(text).__name__}"
            )
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
            "facets": [
                {
                    "id": facet.id,
                    "plural": facet.plural,
                    "labels": dict(facet.label_pairs),
                    "terms": [_term_dict(term) for term in facet.terms],
                }
                for facet in self.facets
            ],
            **_stated(quantities=[_term_dict(each) for each in self.quantities]),
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
        codes=tuple(Code(**code) for code in data.get("codes", ())),
        unit=data.get("unit", ""),
    )


def _term_dict(term: Term) -> dict[str, Any]:
    return _stated(
        id=term.id,
        labels=dict(term.label_pairs),
        parent=term.parent,
        synonyms=list(term.synonyms),
        near=list(term.near),
        codes=[_stated(**asdict(code)) for code in term.codes],
        unit=term.unit,
    )


def _stated(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


def _read_json(path: str | Path) -> JsonObject:
    """Read a vocabulary's file, not yet checked."""
    what = "a vocabulary"
    return parse_json(read_text(path, what, max_mb=32), Path(path).name, what)


def _merged(base: dict[str, Any], other: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Lay one vocabulary's plain data over another's."""
    facets = other.get("facets", []) if isinstance(other, Mapping) else None
    if (
        not _have_ids(facets)
        or not _have_ids(other.get("quantities", []))
        or not all(_have_ids(facet.get("terms", [])) for facet in facets)
        or not isinstance(other.get("systems", {}), Mapping)
    ):
        message = 'must be an object with a list "facets", each an object with an id and terms'
        raise DataError(source, [Fault(message)])
    given = other.get("languages")
    if isinstance(given, list) and (left := [it for it in base["languages"] if it not in given]):
        message = f"what it extends has labels in {', '.join(left)} too: name that language here"
        raise DataError(source, [Fault(message, column="languages")])
    paths = [facet["id"] for facet in facets]
    paths += [f"{f['id']}.{term['id']}" for f in facets for term in f.get("terms", [])]
    twice = [path for path, times in Counter(paths).items() if times > 1]
    if twice:
        message = "this id stands twice; give each entry once"
        raise DataError(source, [Fault(message, column=path, value=path) for path in twice])
    by_id = {facet["id"]: facet for facet in base["facets"]}
    for facet in facets:
        below = by_id.get(facet["id"], {"terms": []})
        terms = _laid_over(below["terms"], facet.get("terms", ()))
        by_id[facet["id"]] = {**below, **facet, "terms": terms}
    return {
        **base,
        **other,
        "systems": {**base["systems"], **other.get("systems", {})},
        "facets": list(by_id.values()),
        "quantities": _laid_over(base.get("quantities", ()), other.get("quantities", ())),
    }


def _laid_over(below: Sequence[Any], above: Sequence[Any]) -> list[Any]:
    return list({entry["id"]: entry for entry in (*below, *above)}.values())


def _have_ids(entries: Any) -> bool:
    return isinstance(entries, (list, tuple)) and all(
        isinstance(entry, Mapping) and isinstance(entry.get("id"), str) for entry in entries
    )


def _shape(data: Any) -> Iterator[Fault]:
    top = data if isinstance(data, Mapping) else {}
    if top.get("format", FORMAT) != FORMAT:
        yield Fault(f'{quoted(str(top["format"]))} is not known; write "{FORMAT}"', column="format")
    languages = top.get("languages", ["en"])
    if not languages or not _are_texts(languages):
        yield Fault(f"must be {_TEXTS}", column="languages")
        languages = []
    yield from _object(data, packaged("vocabulary/form.json")["keys"], "", languages)


def _object(
    value: Any, keys: Mapping[str, Any], path: str, languages: Sequence[str]
) -> Iterator[Fault]:
    """Hold an object against the keys that it may have, and all that stands in it."""
    if not isinstance(value, Mapping):
        yield Fault("must be an object", column=path or "vocabulary")
        return
    for name in value:
        if name not in keys:
            column = f"{path or 'vocabulary'}.{name}"
            yield Fault(f"is not known; known: {', '.join(keys)}", column=column)
    for name, key in keys.items():
        if name in value:
            yield from _value(value[name], name, key, path, languages)
        elif key.get("needed"):
            yield Fault(f'"{name}" is missing', column=path or "vocabulary")


def _value(
    value: Any, name: str, key: Mapping[str, Any], path: str, languages: Sequence[str]
) -> Iterator[Fault]:
    column, below = f"{path or 'vocabulary'}.{name}", f"{path}." if path else ""
    blank = isinstance(value, str) and not value.strip()
    if blank or not isinstance(value, _KINDS[key["kind"]]):
        yield Fault(f"must be {key['kind']}, not blank", column=column)
    elif name in ("id", "plural") and not _ID.fullmatch(value):
        message = f"{quoted(value)} is not an id; use a-z, 0-9 and _, a letter first"
        yield Fault(message, column=column, value=value)
    elif name == "labels":
        yield from _labels(value, languages, path)
    elif name in ("synonyms", "near") and not _are_texts(value):
        yield Fault(f"must be {_TEXTS}", column=column)
    elif "entries" in key and isinstance(value, dict):
        for own, entry in value.items():
            yield from _object(entry, key["entries"], f"{name}.{own}", languages)
    elif "entries" in key:
        for at, entry in enumerate(value):
            own = entry.get("id") if isinstance(entry, Mapping) else None
            own = own if isinstance(own, str) and own.strip() else f"{name}[{at}]"
            yield from _object(entry, key["entries"], below + own, languages)


def _labels(labels: Mapping[str, Any], languages: Sequence[str], path: str) -> Iterator[Fault]:
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


def _content(data: Mapping[str, Any]) -> Iterator[Fault]:
    quantities = {"id": "quantities", "terms": data.get("quantities", ())}
    names = [n for f in data["facets"] for n in dict.fromkeys((f["id"], f["plural"]))]
    names += [term["id"] for f in data["facets"] if f["id"] == FLAG for term in f["terms"]]
    names += [each["id"] for each in quantities["terms"]]
    yield from _repeats(names, "facets", "two facets share this name")
    for name in sorted(set(packaged("vocabulary/reserved.json")["names"]).intersection(names)):
        message = f"{quoted(name)} is the name of a column or a keyword; take another"
        yield Fault(message, column="facets", value=name)
    systems, coded = data.get("systems", {}), dict[tuple[str, str], str]()
    for facet in (*data["facets"], quantities):
        path, terms = facet["id"], facet["terms"]
        yield from _repeats([term["id"] for term in terms], path, "two terms share this id")
        yield from _parents(terms, path)
        yield from _words(terms, path)
        for term in terms:
            yield from _codes(term, f"{path}.{term['id']}", systems, coded)


def _repeats(values: Sequence[str], path: str, message: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for value in values:
        if fold(value) in seen:
            yield Fault(f"{message}: {quoted(value)}", column=path, value=value)
        seen.add(fold(value))


def _parents(terms: Sequence[Mapping[str, Any]], path: str) -> Iterator[Fault]:
    parents: dict[str, str | None] = {term["id"]: term.get("parent") for term in terms}
    for term, parent in parents.items():
        column = f"{path}.{term}.parent"
        if parent is not None and parent not in parents:
            yield Fault(f"{quoted(parent)} is not a term of {path}", column=column, value=parent)
        line = [term]
        while (above := parents.get(line[-1])) and above not in line[1:]:
            line.append(above)
        if term in line[1:]:
            circle = ", ".join(line[: line.index(term, 1) + 1])
            yield Fault(f"a term stands below itself: {circle}", column=column, value=parent)


def _words(terms: Sequence[Mapping[str, Any]], path: str) -> Iterator[Fault]:
    owner: dict[str, str] = {}
    for term in terms:
        for word in (term["id"], *term["labels"].values(), *term.get("synonyms", ())):
            first = owner.setdefault(fold(word), term["id"])
            if first != term["id"]:
                message = f"{quoted(word)} names both {first} and {term['id']}"
                yield Fault(message, column=f"{path}.{term['id']}", value=word)
    for term in terms:
        for word in term.get("near", ()):
            if known := owner.get(fold(word)):
                message = f"{quoted(word)} may only suggest, but it is a name of {known}"
                yield Fault(message, column=f"{path}.{term['id']}.near", value=word)


def _codes(
    term: Mapping[str, Any],
    path: str,
    systems: Mapping[str, Any],
    coded: dict[tuple[str, str], str],
) -> Iterator[Fault]:
    """Check the codes of a term against those of the terms before it."""
    for code in term.get("codes", ()):
        system, value = code["system"], code["code"]
        first = coded.setdefault((system, value), path)
        if system not in systems:
            yield Fault(f"{quoted(system)} is not a code system here", column=f"{path}.codes")
        elif first != path and systems[system].get("unique"):
            message = f"{system} {value} is already the code of {first}"
            yield Fault(message, column=f"{path}.codes", value=value)
