"""Facets and terms: ids, labels, synonyms, parents, codes; and how like two words are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from ketafind.errors import InvalidInputError, UnknownTermError, may_be_place

# Only real accents are dropped: a combining overlay or an added dot makes another letter.
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0308\u030a\u030b\u030c\u0327\u0328")
_IGNORED = frozenset("-_.'\u2010\u2011\u2013\u2019")
_LISTED = re.compile(r"[,;/&+|\n\u2022\u00b7]|\b(?:and|et)\b")
_MINUS = re.compile(r"\s*[-\u2010-\u2015\u2212]")
_SHOWN = 60
_ANSWERED = ("en", "fr")


def fold(text: str) -> str:
    """Reduce a word to what is compared: no case, accents, spaces, hyphens, periods or apostrophes."""
    return "".join(_letter(character) for character in text)


@lru_cache(4096)
def _letter(character: str) -> str:
    if character.isspace() or character in _IGNORED or character in _ACCENTS:
        return ""
    # A character that Unicode would swap for another one, such as the Kelvin sign for K.
    if unicodedata.normalize("NFC", character) != character:
        return character
    parts = unicodedata.normalize("NFD", character)
    return parts[0].lower() if _ACCENTS.issuperset(parts[1:]) else character


def strange_characters(text: str) -> tuple[str, ...]:
    """Name the characters that no Latin word has, each once, in order."""
    # A text without a letter is printable.
    odd = dict.fromkeys(c for c in text if not ((k := _letter(c)).isascii() and k.isprintable()))
    return tuple(f"U+{ord(c):04X} {unicodedata.name(c, 'control character')}" for c in odd)


def quoted(text: str) -> str:
    """Quote a value for an error text: short, and with invisible characters made visible."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return f'"{visible}"'


class PlainOSA:
    """Edits with neighbours swapped (optimal string alignment), with the names of rapidfuzz."""

    @staticmethod
    def distance(one: str, other: str, *, score_cutoff: int | None = None) -> int:
        """Count insertions, deletions, changes and swaps; one more than the cutoff if beyond."""
        most = max(len(one), len(other)) if score_cutoff is None else score_cutoff
        if abs(len(one) - len(other)) > most:
            return most + 1
        before: list[int] = []
        last = list(range(len(other) + 1))
        for i, letter in enumerate(one, start=1):
            row = [i]
            for j, its in enumerate(other, start=1):
                slips = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != its))
                if i > 1 and j > 1 and letter == other[j - 2] and its == one[i - 2]:
                    slips = min(slips, before[j - 2] + 1)
                row.append(slips)
            if min(row) > most and min(last) > most:
                return most + 1
            before, last = last, row
        return min(last[-1], most + 1)

    @staticmethod
    def normalized_similarity(one: str, other: str, *, score_cutoff: float = 0.0) -> float:
        """From 0 to 1, by the longer of the two; 0 below the cutoff."""
        longest = max(len(one), len(other))
        like = 1.0 - PlainOSA.distance(one, other) / longest if longest else 1.0
        return like if like >= score_cutoff else 0.0


def plain_extract(
    word: str, choices: Sequence[str], *, scorer: Any, score_cutoff: float, limit: int
) -> list[tuple[str, float, int]]:
    """The best choices, each with its score and place, as rapidfuzz's `process.extract`."""
    better = -1 if scorer is PlainOSA.distance else 1
    scored = (
        (choice, scorer(word, choice, score_cutoff=score_cutoff), at)
        for at, choice in enumerate(choices)
    )
    near = [one for one in scored if better * one[1] >= better * score_cutoff]
    return sorted(near, key=lambda one: -better * one[1])[:limit]


@cache
def edits() -> tuple[Any, Any]:
    """`OSA` and `extract`: rapidfuzz's, or those above."""
    try:
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract
    except ModuleNotFoundError:
        return PlainOSA, plain_extract
    return OSA, extract


CUTOFF = 72.0
# In shorter words one edit turns a real word into another, and parts mean nothing.
_SHORTEST = 4
_LONGEST = 100


def nearest_terms(text: str, terms: Iterable[Term], limit: int) -> tuple[Term, ...]:
    """Order terms by how near their names come to a text."""
    key = fold(text)[:_LONGEST]
    scored = [
        (max(likeness(key, fold(word)) for word in (*term.words, *term.near)), term)
        for term in (terms if key else ())
    ]
    near = sorted((pair for pair in scored if pair[0] >= CUTOFF), key=lambda pair: -pair[0])
    return tuple(term for _, term in near[: max(limit, 0)])


def likeness(key: str, word: str) -> float:
    """Compare two folded words: 100 for equal ones, `CUTOFF` or more for words that are near."""
    if key == word:
        return 100.0
    if min(len(key), len(word)) < _SHORTEST:
        return 0.0
    shorter, longer = sorted((key, word), key=len)
    part = 80.0 + 10.0 * len(shorter) / len(longer) if shorter in longer else 0.0
    # By edits, not by letters in common: "autism" is inside "traumatisme", letter by letter.
    return max(part, 100.0 * float(edits()[0].normalized_similarity(key, word)))


def folded_words(name: str) -> list[str]:
    """Split a name into folded words."""
    return [fold(word) for word in re.findall(r"[\w'’-]+", name)]


def nearest_names(text: str, names: Iterable[Sequence[str]], limit: int) -> list[int]:
    """Order names, as folded words, by how near they come to a text; give their places."""
    wanted = folded_words(text[:_LONGEST])
    scored = ((_nearness(wanted, name), at) for at, name in enumerate(names))
    return [at for _, at in sorted((-score, at) for score, at in scored if score >= CUTOFF)][:limit]


def _nearness(wanted: Sequence[str], name: Sequence[str]) -> float:
    """How near a name comes to what is looked for, as a whole or word by word."""
    if not wanted or not name:
        return 0.0
    best = [max(likeness(one, word) for word in name) for one in wanted]
    return max(likeness("".join(wanted), "".join(name)), sum(best) / len(best))


# The facet whose terms are yes-no facts, each a column of its own.
FLAG = "flag"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What has an id, and a label in each language of its vocabulary."""

    id: str
    label_pairs: Labels

    @property
    def labels(self) -> Mapping[str, str]:
        """The label in each language."""
        return MappingProxyType(dict(self.label_pairs))

    def label(self, lang: str = "en") -> str:
        """Give the name in a language.

        Parameters
        ----------
        lang : str
            A language such as ``"fr"``; a region (``"fr-CA"``) is ignored.

        Returns
        -------
        str
            The label; for ``"en"`` and ``"fr"``, in which answers are given, that in the first
            language of a vocabulary without them.

        Raises
        ------
        InvalidInputError
            If the vocabulary has no such language.
        """
        labels = dict(self.label_pairs)
        wanted = str(lang).partition("-")[0].lower()
        if wanted not in labels and wanted not in _ANSWERED:
            raise InvalidInputError(
                f"no labels in language {quoted(str(lang))}; known: {', '.join(labels)}"
            )
        return labels.get(wanted, str(self))

    def __str__(self) -> str:
        return self.label_pairs[0][1]


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A terminology that codes are taken from.

    Parameters
    ----------
    id : str
        The short name used in codes, such as ``"snomed"``.
    name : str
        The name to show.
    uri : str
        The identifier of the system in FHIR.
    unique : bool
        True if no two terms may bear the same code.
    """

    id: str
    name: str
    uri: str
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a term in a terminology.

    Parameters
    ----------
    system : str
        The id of a `CodeSystem`.
    code : str
        The code as the system writes it.
    broader : bool
        True if the code means more than the term: not for an exact exchange.
    """

    system: str
    code: str
    broader: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Term(Labelled):
    """One value of a facet.

    Parameters
    ----------
    id : str
        Unique within its facet, and stable.
    facet : str
        The id of its facet.
    label_pairs : tuple of (str, str)
        Language and label.
    synonyms : tuple of str
        Other words for the same thing; they match.
    near : tuple of str
        Words for something close; they suggest and never match.
    parent : str or None
        The id of the term above it.
    codes : tuple of Code
        Its codes in other terminologies.
    unit : str
        What a quantity is counted in, such as ``"CAD"``; empty for all other terms.
    """

    facet: str
    synonyms: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    parent: str | None = None
    codes: tuple[Code, ...] = ()
    unit: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that names this term: its id, labels and synonyms."""
        return (self.id, *(label for _, label in self.label_pairs), *self.synonyms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet(Labelled):
    """A dimension of a service and its terms.

    Parameters
    ----------
    id : str
        The singular id, such as ``"route"``.
    plural : str
        The name of its column and keyword, such as ``"routes"``.
    label_pairs : tuple of (str, str)
        Language and label.
    terms : tuple of Term
        In the order of the file.
    """

    plural: str
    terms: tuple[Term, ...]
    # Derived, so not part of what is compared: the term of each id, and of each folded word.
    _known: dict[str, Term] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {fold(word): term for term in self.terms for word in term.words}
        object.__setattr__(self, "_known", known | {term.id: term for term in self.terms})

    def __repr__(self) -> str:
        return f"<Facet {self.id} of {len(self.terms)} terms>"

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)

    def __contains__(self, text: object) -> bool:
        if isinstance(text, Term):
            return text in self.terms
        return isinstance(text, str) and self._term(text) is not None

    def _term(self, text: str) -> Term | None:
        # Ids as they are come most often: folding costs fifty times the lookup. A minus before a
        # word says that it is not so.
        found = self._known.get(text)
        return found or (None if _MINUS.match(text) else self._known.get(fold(text)))

    def __getitem__(self, text: str) -> Term:
        if not isinstance(text, str):
            raise InvalidInputError(f"a {self.id} is named by text, not by {type(text).__name__}")
        term = self._term(text)
        if term is None:
            raise self._unknown(text)
        return term

    def resolve(self, text: str) -> str:
        """Find the term that a word names.

        Parameters
        ----------
        text : str
            An id, a label in any language or a synonym. Case, accents, spaces, hyphens,
            underscores and periods make no difference.

        Returns
        -------
        str
            The id of the term.

        Raises
        ------
        UnknownTermError
            If no term has this name. Near words are suggested, never taken.
        InvalidInputError
            If it is not text.
        """
        return self[text].id

    def ancestors(self, term: str) -> tuple[str, ...]:
        """List the terms above a term, nearest first.

        Parameters
        ----------
        term : str
            Any name of the term.

        Returns
        -------
        tuple of str
            Term ids, the term itself not among them.

        Raises
        ------
        UnknownTermError
            If there is no such term.
        """
        found: list[str] = []
        parent = self[term].parent
        while parent is not None:
            found.append(parent)
            parent = self[parent].parent
        return tuple(found)

    def descendants(self, term: str) -> tuple[str, ...]:
        """List the terms below a term, each parent before its children.

        Parameters
        ----------
        term : str
            Any name of the term.

        Returns
        -------
        tuple of str
            Term ids, the term itself not among them.

        Raises
        ------
        UnknownTermError
            If there is no such term.
        """
        found: list[str] = []
        waiting = [self[term].id]
        while waiting:
            here = waiting.pop()
            found.append(here)
            waiting += [below.id for below in reversed(self.terms) if below.parent == here]
        return tuple(found[1:])

    def suggest(self, text: str, limit: int = 3) -> tuple[str, ...]:
        """List the terms whose names come near a word.

        Parameters
        ----------
        text : str
            Any text.
        limit : int
            The most to give.

        Returns
        -------
        tuple of str
            Term ids, nearest first; empty if nothing is near.
        """

        return tuple(term.id for term in nearest_terms(text, self.terms, limit))

    def _unknown(self, text: str) -> UnknownTermError:
        near = self.suggest(text)
        # "staff" has no singular.
        noun = f"{self.id} type" if self.id == self.plural else self.id
        hidden = may_be_place(text)
        parts = [f"{'what was given' if hidden else quoted(text)} is not a known {noun}"]
        pieces = [piece for piece in map(fold, _LISTED.split(text[:1000])) if piece]
        if len(pieces) > 1 and all(piece in self._known for piece in pieces):
            parts.append("these are several: give each on its own, in a cell by semicolons")
        elif _MINUS.match(text):
            parts.append("it begins with a minus: what is not offered is stated apart")
        if odd := strange_characters(text):
            parts.append(f"it contains {', '.join(odd[:3])}")
        if near:
            parts.append(f"did you mean {' or '.join(map(self._named, near))}?")
        known = ", ".join(term.id for term in self.terms) or "none"
        message = "; ".join(parts)
        french = "ce qui est donné" if hidden else quoted(text)
        french += f" n'est pas un terme connu : {self.label('fr')}"
        maybe = " ou ".join(self._named(term, "fr") for term in near)
        french += f"; vouliez-vous dire {maybe}? " if near else ". "
        french += f"Connus : {known}"
        error = UnknownTermError(f"{message}{'' if near else '.'} Known: {known}", near)
        return error.of(text, [term.id for term in self.terms], french, self.id)

    def _named(self, term: str, lang: str = "en") -> str:
        label = self[term].label(lang)
        return f'"{label}"' if label == term else f'"{label}" ({term})'
