"""Everything ketafind raises.

KetafindError
├── InvalidInputError (ValueError)      an argument that cannot be used
│   ├── CoordinatesError                a position that is no position on earth, or implausible
│   ├── CriteriaError                   an expression or a filter that cannot be read
│   ├── DataError                       the faults of a file or frame, all of them
│   └── PrivatePlaceError               a searcher's place was about to leave the machine
├── UnknownTermError (ValueError, LookupError)    a word the vocabulary does not know
├── UnknownClinicError (KeyError)       an id the directory does not hold
├── ServiceFailedError                  a service or an engine failed: the two marked with *
├── GeocodingError (ValueError)         a text that cannot be turned into one position
│   ├── PlaceNotFoundError (LookupError)
│   ├── AmbiguousPlaceError             several places far apart; carries them
│   ├── ConflictingPlaceError           the parts of the text contradict each other; carries them
│   ├── OutsideCoverageError            another province or country, by name
│   ├── RejectedAnswerError             a service's answer that cannot be right; carries it
│   └── GeocoderFailedError *           a service failed; the address may well be good
│       ├── GeocoderTimeoutError (TimeoutError)    no answer before the deadline
│       ├── GeocoderBusyError           it asks to wait for longer than the deadline
│       └── GeocoderRefusedError        key, quota or policy: asking again is of no use
├── RoutingError * (RuntimeError)       a router failed; it says nothing about the way
│   ├── RoutingTimeoutError (TimeoutError)         no answer before the deadline
│   ├── RoutingBusyError                it asks to wait for longer than the deadline
│   └── RoutingRefusedError             key, quota, budget or use: asking again is of no use
├── MissingFileError (FileNotFoundError)           there is no file or folder of that name
├── ExistingFileError (FileExistsError)            a file that is not to be replaced is there
├── FileFailedError (OSError)           the system cannot read or write a file
├── DirectoryFileError (ValueError)     a saved file that is damaged, foreign or newer
└── MissingExtraError (ImportError)     an optional package is needed; says which extra
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from typing import TypedDict as TypedDict  # noqa: PLC0414 - the records take it from here
else:
    try:  # before 3.12 pydantic reads no other; it brings the package
        from typing_extensions import TypedDict
    except ImportError:
        from typing import TypedDict

LANGUAGES = ("en", "fr")


@cache
def packaged(name: str) -> Any:
    """Load a JSON file of the package."""
    return json.loads(files("ketafind").joinpath(name).read_text("utf-8"))


# Between the items of a list.
_OR = re.compile(r"""(?<=[)'"]) or (?=['"\w])""")


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Load English sentences and their French, the most particular first; ``{}`` is a gap."""
    # A gap at the beginning would swallow where in a file a fault is.
    pairs = sorted(
        packaged("french.json"),
        key=lambda pair: (pair[0].startswith("{}"), -len(pair[0].replace("{}", ""))),
    )
    return [(re.compile(re.escape(en).replace(r"\{\}", "(.+?)")), fr) for en, fr in pairs]


def in_french(text: str) -> str | None:
    """Say in French what ketafind says in English of an error or a place; None if it cannot."""
    if "\n" in text:  # a report: what its first line says, then one fault a line
        head, *faults = text.split("\n")
        said = in_french(head)
        return said and "\n".join([said, *map(fault_in_french, faults)])
    for english, french in _templates():
        if found := english.fullmatch(text):
            return french.format(
                *(in_french(part) or _OR.sub(" ou ", part) for part in found.groups())
            )
    return None


def fault_in_french(line: str) -> str:
    """Say in French what a line of a report says, as far as there are words for it."""
    if said := in_french(line) or in_french(line.strip()):
        return f"  {said.strip()}"
    where, _, message = line.partition(": ")
    said = in_french(message)
    return f"{where} : {said}" if said else line


def check_language(lang: Any) -> str:
    """Read a language; a region (``"fr-CA"``) is ignored."""
    wanted = lang.replace("_", "-").partition("-")[0].lower() if isinstance(lang, str) else lang
    if wanted not in LANGUAGES:
        choices = ", ".join(map(repr, LANGUAGES))
        raise InvalidInputError(f"lang={shown(lang)}: choose {choices}").of(lang, LANGUAGES)
    return str(wanted)


class FaultRecord(TypedDict):
    """A `Fault` as plain data."""

    message: str
    row: int | None
    column: str | None
    value: str | None
    line: int | None
    path: str | None


class ErrorRecord(TypedDict):
    """An error as plain data, as `KetafindError.to_dict` gives it; what does not apply is empty."""

    code: str
    message: str
    facet: str | None
    value: str | None
    known: list[str]
    suggestions: list[str]
    candidates: list[dict[str, Any]]
    faults: list[FaultRecord]
    retry_after_s: float | None


# A postal code, degrees, or a street number: in a word that was given where no place belongs.
_PLACE = re.compile(
    r"[A-Z]\d[A-Z][ -]?\d[A-Z]\d|\d\.\d\d|^\s*\d+ +[A-Z]|\b\d+[A-Z]? +[A-Z]{3}", re.IGNORECASE
)


def may_be_place(text: str) -> bool:
    """Tell whether a word that cannot be used may be where somebody searches from."""
    return bool(_PLACE.search(text))


def shown(value: object) -> str:
    """Write a refused argument into a message; of what may be a place, its type alone."""
    if isinstance(value, str | bytes) and not may_be_place(str(value)):
        return repr(value)
    coarse = isinstance(value, float) and not (math.isfinite(value) and value * 10.0 % 1.0)
    if value is None or isinstance(value, bool) or coarse:
        return repr(value)
    if isinstance(value, int) and abs(value) < 1_000_000:
        return repr(value)
    return "a text" if isinstance(value, str) else f"a value of type {type(value).__name__}"


class KetafindError(Exception):
    """The root of every error that ketafind raises on purpose.

    Programs tell errors apart by class or by `code`; people read ``str(error)``, which is English,
    or `text`.
    """

    code: ClassVar[str] = "failed"
    """What went wrong, as a stable word for programs; each class has its own."""
    facet: str | None = None
    """The facet that a word was looked for in, where that is what went wrong."""
    value: str | None = None
    """What was given and cannot be used, where it is one text; never where a search starts."""
    known: tuple[str, ...] = ()
    """What could have been given, where that is a list."""
    suggestions: tuple[str, ...] = ()
    """What is near to the value, nearest first; never applied by itself."""
    candidates: tuple[Any, ...] = ()
    """The places that a text may mean, as `Location` objects."""
    faults: tuple[Fault, ...] = ()
    """The faults of a file or frame."""
    retry_after_s: float | None = None
    """How long a service asked to wait, in seconds."""
    _french = ""

    def of(
        self, value: object, known: Iterable[str] = (), french: str = "", facet: str | None = None
    ) -> Self:
        """Say what was given, what could have been, and the same in French.

        Parameters
        ----------
        value : object
            What was given.
        known : iterable of str
            What could have been given.
        french : str
            What `text` says in French; empty for the French of the English sentence.
        facet : str or None
            The facet that it was looked for in.

        Returns
        -------
        KetafindError
            This error.
        """
        said = value[:200] if isinstance(value, str) else shown(value)
        self.value = shown(value) if may_be_place(said) else said
        self.known, self.facet, self._french = tuple(known), facet, french
        return self

    def text(self, lang: str = "en") -> str:
        """Say what happened in a language.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        str
            In English ``str(error)``. In French the same; where nobody has put it into French,
            the sentence of the code, and what only English says of files and arguments after it.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        english = str(self)
        if check_language(lang) == "en":
            return english
        if french := self._french or in_french(english):
            return french
        said = [packaged("errors.json")[self.code]["fr"]]
        # No label of a place is shown that the English text keeps to itself.
        labels = dict.fromkeys(place.label for place in self.candidates)
        places = [label for label in labels if label and label.removesuffix(", ON") in english]
        if places:
            said.append(f"Lieux possibles : {'; '.join(places)}.")
        if self.code.startswith(("invalid", "file", "extra", "failed")):
            said.append(f"Précisions, en anglais : {english}")
        return " ".join(said)

    def to_dict(self, lang: str = "en") -> ErrorRecord:
        """Write the error as plain data, ready for JSON.

        Parameters
        ----------
        lang : str
            The language of the message, ``"en"`` or ``"fr"``.

        Returns
        -------
        ErrorRecord
            Code, message and what the error carries. Candidates may tell where a search started.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        return {
            "code": self.code,
            "message": self.text(lang),
            "facet": self.facet,
            # What came in by JSON may hold half a character, which cannot go out again.
            "value": self.value and self.value.encode(errors="backslashreplace").decode(),
            "known": list(self.known),
            "suggestions": list(self.suggestions),
            "candidates": [place.to_dict(lang) for place in self.candidates],
            "faults": [cast("FaultRecord", asdict(fault)) for fault in self.faults],
            "retry_after_s": self.retry_after_s,
        }


class InvalidInputError(KetafindError, ValueError):
    """An argument that cannot be used as it is."""

    code = "invalid_input"


def refuse_unnamed(given: Sequence[Any], instead: str) -> None:
    """Refuse options without a name, such as the path that a picture is to be written to."""
    if given:
        raise InvalidInputError(f"options go by name, and a file is written by {instead}")


class CoordinatesError(InvalidInputError):
    """A position that is not one on earth, or that is implausible where it stands.

    The text never shows the numbers: they may be where a searcher lives.
    """

    code = "invalid_coordinates"


class CriteriaError(InvalidInputError):
    """A filter or a serialised expression that cannot be read."""

    code = "invalid_criteria"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one cell, row or file.

    Parameters
    ----------
    message : str
        What is wrong and what to do, in one line.
    row : int or None
        The row as a spreadsheet counts it: the header is row 1. None for the whole file.
    column : str or None
        The column's name; None for the whole row.
    value : str or None
        The text found there.
    line : int or None
        The line of a JSON file, from 1.
    path : str or None
        Where in the JSON, such as ``rules.core_team.requires``.
    """

    message: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    line: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row is not None else []
        where += [f'column "{self.column}"'] if self.column is not None else []
        where += [f"line {self.line}"] if self.line is not None else []
        where += [self.path] if self.path is not None else []
        return f"{', '.join(where)}: {self.message}" if where else self.message


class DataError(InvalidInputError):
    """The faults of a file or frame, all in one report.

    Parameters
    ----------
    source : str
        The file's name, or ``"frame"``.
    faults : sequence of Fault
        Every fault found, in row order.
    n_rows : int or None
        How many data rows were read.
    header : int or None
        The row of the header, whose faults are counted apart.
    """

    code = "invalid_data"

    SHOWN = 20

    def __init__(
        self,
        source: str,
        faults: Sequence[Fault],
        n_rows: int | None = None,
        header: int | None = None,
    ) -> None:
        self.source = source
        self.faults: tuple[Fault, ...] = tuple(faults)
        self.n_rows = n_rows
        self.header = header
        super().__init__(source, self.faults, n_rows, header)

    def __str__(self) -> str:
        rows = {fault.row for fault in self.faults} - {None, self.header}
        n, n_header = len(self.faults), sum(f.row == self.header for f in self.faults if f.row)
        head = f"{self.source}: {n} fault{'s' if n != 1 else ''}"
        if n_header:
            head += " in the header" if n_header == n else f", {n_header} of them in the header"
        if self.n_rows and rows:
            head += f"{', others' if n_header else ''} in {len(rows)} of {self.n_rows} rows"
        if self.n_rows:
            head += "; nothing was loaded"
        lines = [head, *(f"  {fault}" for fault in self.faults[: self.SHOWN])]
        if n > self.SHOWN:
            lines.append(f"  ... and {n - self.SHOWN} more, in .faults")
        return "\n".join(lines)


class UnknownTermError(KetafindError, ValueError, LookupError):
    """A word that the vocabulary does not know.

    Parameters
    ----------
    message : str
        What to print.
    suggestions : sequence of str
        Term ids that are near, nearest first; never applied by themselves.
    """

    code = "unknown_term"

    def __init__(self, message: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.suggestions: tuple[str, ...] = tuple(suggestions)


class UnknownClinicError(KetafindError, KeyError):
    """A clinic id that the directory does not hold."""

    code = "unknown_clinic"

    def __str__(self) -> str:
        return Exception.__str__(self)  # a KeyError puts its text in quotes


class ServiceFailedError(KetafindError):
    """A service or an engine that ketafind asked failed, and the question may well be good.

    `GeocoderFailedError` and `RoutingError` are its kinds: a web service answers either with 503.

    Parameters
    ----------
    message : str
        What to print; it holds no key, no URL and no place.
    retry_after_s : float or None
        How long the service asked to wait, in seconds, where it did.
    """

    code = "service_unavailable"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class GeocodingError(KetafindError, ValueError):
    """A text that cannot be turned into one position.

    Parameters
    ----------
    message : str
        What to print.
    candidates : sequence of Location
        The places it could be, where there are some.
    """

    code = "place_unusable"

    def __init__(self, message: str, candidates: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.candidates: tuple[Any, ...] = tuple(candidates)


class PlaceNotFoundError(GeocodingError, LookupError):
    """No postal code, place or address was recognised in the text."""

    code = "place_not_found"


class AmbiguousPlaceError(GeocodingError):
    """Several places far apart bear this name."""

    code = "place_ambiguous"


class ConflictingPlaceError(GeocodingError):
    """The parts of the text name places far apart."""

    code = "place_conflict"


class OutsideCoverageError(GeocodingError):
    """The text names another province or country than the gazetteer covers."""

    code = "place_outside"


class RejectedAnswerError(GeocodingError):
    """A geocoding service gave an answer that cannot be right, such as one outside Ontario."""

    code = "place_rejected"


class GeocoderFailedError(ServiceFailedError, GeocodingError):
    """A geocoding service failed: it says nothing about the address.

    Parameters
    ----------
    message : str
        What to print; it holds no key, no URL and no address.
    retry_after_s : float or None
        How long the service asked to wait, in seconds, where it did.
    """

    code = "service_failed"


class GeocoderTimeoutError(GeocoderFailedError, TimeoutError):
    """A geocoding service did not answer before the deadline."""

    code = "service_timeout"


class GeocoderBusyError(GeocoderFailedError):
    """A geocoding service asked to wait for longer than the deadline allows."""

    code = "service_busy"


class GeocoderRefusedError(GeocoderFailedError):
    """A geocoding service refused the key, the quota or the use: asking again is of no use."""

    code = "service_refused"


class RoutingError(ServiceFailedError, RuntimeError):
    """A router failed: it says nothing about the way, and no answer is made of what is left.

    Parameters
    ----------
    message : str
        What to print; it holds no key, no URL and no place.
    retry_after_s : float or None
        How long a service asked to wait, in seconds, where it did.
    """

    code = "routing_failed"


class RoutingTimeoutError(RoutingError, TimeoutError):
    """A routing service did not answer before the deadline."""

    code = "routing_timeout"


class RoutingBusyError(RoutingError):
    """A routing service asked to wait for longer than the deadline allows."""

    code = "routing_busy"


class RoutingRefusedError(RoutingError):
    """A routing service refused the key, the quota or the use, or the budget is spent."""

    code = "routing_refused"


class PrivatePlaceError(InvalidInputError):
    """A searcher's place was given to a geocoder that would send it over a network."""

    code = "private_place"


class MissingFileError(KetafindError, FileNotFoundError):
    """A path where there is no file, or no folder to write one in."""

    code = "file_missing"


class ExistingFileError(KetafindError, FileExistsError):
    """A path where there is a file already, to be written only if that is asked for."""

    code = "file_exists"


class FileFailedError(KetafindError, OSError):
    """The system cannot read or write a file: a full disk, no permission, a name that is too long.

    `errno`, `strerror` and `filename` are those of any `OSError`.
    """

    code = "file_failed"

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class DirectoryFileError(KetafindError, ValueError):
    """A saved directory that is damaged, foreign or written by a newer version."""

    code = "file_unusable"


class MissingExtraError(KetafindError, ImportError):
    """An optional package is not installed; the text names the extra that brings it."""

    code = "extra_missing"
