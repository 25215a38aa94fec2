"""Clinics from a table, one row a service, and evidence, one row a fact."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, replace
from datetime import date
from functools import partial
from typing import Any, NamedTuple

from ketafind.errors import InvalidInputError, UnknownTermError, packaged
from ketafind.facts import canonical, named_fact
from ketafind.records import (
    CLINIC_FACTS,
    CLINIC_FIELDS,
    EVIDENCE_FIELDS,
    NO_WEB_ADDRESS,
    SERVICE_FIELDS,
    STATUSES,
    WEB_ADDRESS,
    Clinic,
    Evidence,
    Field,
    FrozenMapping,
    Location,
    Quantity,
    Service,
    Truth,
    build_records,
)
from ketafind.tables import csv, places
from ketafind.vocabulary import Vocabulary, checked_vocabulary
from ketafind.vocabulary.terms import FLAG, Facet, Term, quoted

Path = str | os.PathLike[str]
# A path or a frame of evidence, an iterable of `Evidence`, or None.
EvidenceSource = Any

_IN_FRENCH = {"oui": "yes", "non": "no"}
# In every row of evidence.
_NEEDED = ("clinic_id", "facet", "truth", "source_url")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def choice(
    known: tuple[str, ...], what: str, blank: str = "", unknown: str = ", or leave it blank"
) -> Callable[[Any], str]:
    """Make a reader for a cell that holds one of a few words, in any case."""

    def read(cell: Any) -> str:
        if isinstance(cell, bool) and {"yes", "no"} <= set(known):
            return "yes" if cell else "no"
        value = str(cell) if isinstance(cell, float) else csv.text(cell)
        word = _IN_FRENCH.get(value.lower(), value.lower())
        if not word:
            return blank
        if word not in known:
            raise csv.CellError(
                f"{quoted(value)} is not {what}; write {', '.join(known[:-1])} or {known[-1]}"
                + ("" if blank else f"{unknown} where it is not known")
            )
        return word

    return read


def iso_date(cell: Any) -> date | None:
    """Read a date in the ISO form."""
    if isinstance(cell, date):
        return cell
    value = csv.text(cell)
    if not value:
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError as error:
        raise csv.CellError(f"{quoted(value)} is not a day of the calendar: {error}") from None
    raise csv.CellError(f"{quoted(value)} is not a date; write it as 2026-11-23 (year-month-day)")


def radius(cell: Any) -> float | None:
    """Read a radius in kilometres."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        value, number = str(cell), float(cell)
    else:
        value = csv.text(cell)
        if not value:
            return None
        number = float(value) if _NUMBER.fullmatch(value) and len(value) <= 40 else -1.0
    # Half the equator: no doubt on earth is wider.
    if not 0.0 <= number <= 20_038.0:
        raise csv.CellError(
            f"{quoted(value)} is not a radius; write kilometres from 0 to 20038, such as 2.5"
        )
    return number


def _refuse_nothing(value: str, what: str) -> None:
    """Refuse a text that says that nothing is known, where a blank does."""
    if csv.says_nothing(value):
        raise csv.CellError(f"{quoted(value)} is not {what}; leave it blank where it is not known")


def website(cell: Any) -> str:
    """Read a web address."""
    value = csv.text(cell)
    if not value:
        return ""
    if WEB_ADDRESS.fullmatch(value):
        return value
    _refuse_nothing(value, "a web address")
    host = value.split("/")[0]
    remedy = f", such as {quoted('https://' + value)}" if "." in host and ":" not in host else ""
    raise csv.CellError(f"{quoted(value)} {NO_WEB_ADDRESS}{remedy}")


def _items(cell: Any) -> tuple[str, ...]:
    """Split a cell at its semicolons; a tuple is taken as it is."""
    if isinstance(cell, tuple):
        items = [csv.text(item) for item in cell]
    else:
        value = csv.text(cell)
        if not value:
            return ()
        if "," in value:
            raise csv.CellError(
                f'{quoted(value)} holds a comma; separate the terms by semicolons, as in "iv;im"'
            )
        items = [item.strip() for item in value.split(";")]
    if not all(items):
        raise csv.CellError("an item of the list is empty; remove the extra semicolon")
    return tuple(items)


def answer(flag: Term, flags: Facet) -> csv.Reader:
    """Make a reader for the column of a flag: yes, no, or a part of it such as ``partial``."""
    parts = {
        below.removeprefix(f"{flag.id}_"): (below, Truth.YES)
        for below in flags.descendants(flag.id)
        if below.startswith(f"{flag.id}_")
    }
    answers = {"yes": (flag.id, Truth.YES), **parts, "no": (flag.id, Truth.NO)}
    read = choice(tuple(answers), "an answer")
    return lambda cell: answers.get(read(cell))


def quantity(unit: str) -> csv.Reader:
    """Make a reader for a number or a range in a unit."""

    def read(cell: Any) -> Quantity | None:
        number = isinstance(cell, (int, float)) and not isinstance(cell, bool)
        value = repr(cell) if number else csv.text(cell)
        try:
            return Quantity.read(value, unit) if value else None
        except InvalidInputError as error:
            _refuse_nothing(value, f"a number of {unit}")
            raise csv.CellError(str(error)) from None

    return read


def facts_readers(vocabulary: Vocabulary) -> dict[str, csv.Reader]:
    """Make readers for columns of facets, flags and quantities, ``not_offered``, ``complete``."""

    def fact(item: str) -> tuple[str, str]:
        name, colon, term = item.partition(":")
        if not colon:
            raise csv.CellError(
                f'{quoted(item)} names no facet; write "facet:term", as in "route:im"'
            )
        facet = vocabulary.facet(name.strip())
        return facet.id, facet.resolve(term.strip())

    def of_each(read: Callable[[str], Any]) -> csv.Reader:
        return lambda cell: tuple(dict.fromkeys(map(read, _items(cell))))

    def term(item: str, facet: Facet) -> str:
        if item not in facet:
            _refuse_nothing(item, f"a known {facet.id}")
        return facet.resolve(item)

    return {
        **{facet.plural: of_each(partial(term, facet=facet)) for facet in vocabulary.facets},
        "not_offered": of_each(fact),
        "complete": of_each(lambda item: vocabulary.facet(item).id),
        **{flag.id: answer(flag, vocabulary.flags) for flag in vocabulary.flags},
        **{each.id: quantity(each.unit) for each in vocabulary.quantities},
    }


READERS: dict[str, csv.Reader] = {
    "identifier": csv.identifier,
    "text": csv.text,
    "website": website,
    "latitude": places.latitude,
    "longitude": places.longitude,
    "radius": radius,
    "date": iso_date,
    "yes_no": choice(("yes", "no"), "an answer"),
}
_TOGETHER: dict[csv.Reader, csv.ColumnReader] = {
    csv.identifier: csv.texts,
    csv.text: lambda cells: list(map(str.strip, cells)) if csv.texts(cells) else None,
    places.latitude: lambda cells: places.coordinates(cells, 90.0),
    places.longitude: lambda cells: places.coordinates(cells, 180.0),
}


def reader_of(field: Field) -> csv.Reader:
    """Make a reader for the cells of a field."""
    if field.kind != "choice":
        return READERS[field.kind]
    what = "an answer" if "yes" in field.choices else f"a {field.name.replace('_', ' ')}"
    # Of a location it counts whether anything is stated.
    blank = "" if field.level == "location" or field.default is MISSING else field.default
    if field.name in _NEEDED:
        return choice(field.choices, what, blank, ", or remove the row")
    return choice(field.choices, what, blank)


# What a column holds that says of one term whether it is offered.
_ANSWERS = frozenset(
    {"yes", "no", "y", "n", "true", "false", "1", "0", "1.0", "0.0", "x", "oui", "non"}
)
_SUMS = frozenset({"total", "totals", "grand total", "sum", "totaux", "somme"})
_PLACE_COLUMNS = ("lat", "lon", "precision", "radius_km")
_LOCATED = (*_PLACE_COLUMNS, "corrections")


class _Stated(NamedTuple):
    """What the cells of one service state; rows with equal cells share it."""

    service: Service
    alone: tuple[Service]
    languages: tuple[str, ...]
    # Message and value, of the column ``not_offered``.
    faults: list[tuple[str, str]]


def clinics_from_table(
    table: csv.Table,
    vocabulary: Vocabulary | None,
    evidence: EvidenceSource,
    *,
    check: bool,
) -> tuple[Clinic, ...]:
    """Make clinics of a table, in canonical form, or refuse it with every fault."""
    words = checked_vocabulary(vocabulary)
    clinics = _Rows(table.without_blank_end(), words).clinics(check=check)
    if evidence is None:
        return clinics
    is_path = isinstance(evidence, (str, os.PathLike))
    if is_path or hasattr(evidence, "columns"):
        rows = csv.read_table(evidence) if is_path else csv.table_of_frame(evidence)
        return attach_evidence(clinics, evidence_from_table(rows, words), rows)
    return canonical(attach_evidence(clinics, evidence), words)


class _Rows:
    """The rows of a table, read column by column; what is wrong goes to its report."""

    def __init__(self, table: csv.Table, vocabulary: Vocabulary) -> None:
        self.table = table
        self.vocabulary = vocabulary
        self.blank = (None,) * len(table.numbers)
        readers = facts_readers(vocabulary)
        readers |= {part.name: reader_of(part) for part in CLINIC_FIELDS + SERVICE_FIELDS}
        meanings = meanings_of(vocabulary)
        self.at = table.find_columns(meanings, ("clinic_id", "name"))
        self.extra = {
            name: table.read(at, csv.extra)
            for at, name in enumerate(table.names)
            if at not in set(self.at.values())
        }
        for name in self.extra:
            if meant := self._likely(name, meanings):
                warnings.warn(
                    f"{table.report.source}: the column {quoted(name)} is not known and is only "
                    f"kept; {meant}",
                    UserWarning,
                    stacklevel=5,
                )
        self.values = {
            name: table.read(at, readers[name], _TOGETHER.get(readers[name]))
            for name, at in self.at.items()
        }
        for name in ("clinic_id", "name"):
            for at, value in enumerate(self.values[name]):
                if type(value) is str and not value.strip():
                    self.note("is blank; every row needs one", at, name, value)
        last = self.values["clinic_id"][-1:]
        if last and str(last[0]).strip().casefold() in _SUMS:
            warnings.warn(
                f"{table.report.source}: the last row, {quoted(last[0])}, looks like a sum of "
                "the rows above and no clinic; remove it",
                UserWarning,
                stacklevel=5,
            )

    def _likely(self, name: str, meanings: Mapping[str, str]) -> str:
        """Say what a column that is only kept may have been meant for."""
        meant = likely_column(name, meanings)
        if meant and self.at.keys().isdisjoint(meant.split(", ")):
            return f'did you mean "{meant}"?'
        cells = {cell.strip().casefold() for cell in self.extra[name] if type(cell) is str}
        answers = {cell for cell in cells if cell and not csv.says_nothing(cell)}
        facets = [facet for facet in self.vocabulary.facets if name in facet and facet.id != FLAG]
        if not facets or not answers or not answers <= _ANSWERS:
            return ""
        facet, term = facets[0], facets[0].resolve(name)
        return f'write {term} into "{facet.plural}", or "{facet.id}:{term}" into "not_offered"'

    def note(self, message: str, at: int, name: str, value: Any = None) -> None:
        """Report a fault of a row, under the name that the file gives the column."""
        given = self.table.names[self.at[name]] if name in self.at else name
        self.table.report.add(message, self.table.row(at), given, value)

    def column(self, name: str) -> Sequence[Any]:
        """Read what is stated in a column; None everywhere where there is none."""
        return self.values.get(name) or self.blank

    def clinics(self, *, check: bool) -> tuple[Clinic, ...]:
        """Put the rows together, unless there is any fault."""
        stated = self._services()
        places = self._locations(check=check)
        first, more = self._grouped()
        for rows in more.values():
            self._compare(rows, stated)
        self.table.report.refuse(self.table.n_rows)
        columns: dict[str, Sequence[Any]] = {
            part.name: self._picked(self.values[part.name], first)
            for part in CLINIC_FIELDS
            if part.level == "clinic" and part.name in self.values
        }
        columns |= {
            "services": [
                tuple(stated[row].service for row in more[key]) if key in more else stated[at].alone
                for key, at in first.items()
            ],
            "location": self._picked(places, first),
            "languages": [stated[at].languages for at in first.values()],
        }
        if self.extra:
            groups = (more.get(key, (at,)) for key, at in first.items())
            columns["extra"] = [FrozenMapping(self._kept(rows)) for rows in groups]
        return tuple(build_records(Clinic, len(first), columns))

    def _picked(self, values: Sequence[Any], first: Mapping[str, int]) -> Sequence[Any]:
        return values if len(first) == len(values) else [values[at] for at in first.values()]

    def _services(self) -> list[_Stated]:
        fields = {part.name for part in CLINIC_FIELDS}
        names = [name for name in self.values if name not in fields]
        columns = [self.column(name) for name in names] or [self.blank]
        known: dict[tuple[Any, ...], _Stated] = {}
        made = []
        for at, key in enumerate(zip(*columns, strict=True)):
            if key not in known:
                right = (None if type(value) is csv.CellError else value for value in key)
                known[key] = self._stated(dict(zip(names, right, strict=False)))
            made.append(known[key])
            for message, value in known[key].faults:
                self.note(message, at, "not_offered", value)
        return made

    def _stated(self, cells: Mapping[str, Any]) -> _Stated:
        words = self.vocabulary
        facts = {
            facet.id: dict.fromkeys(cells.get(facet.plural) or (), Truth.YES)
            for facet in words.facets
        }
        stated_no = list(cells.get("not_offered") or ())
        for flag, truth in filter(None, (cells.get(flag.id) for flag in words.flags)):
            if truth == Truth.YES:
                facts[FLAG][flag] = truth
            else:
                stated_no.append((FLAG, flag))
        faults = []
        for name, term in stated_no:
            facet, value = words.facet(name), f"{name}:{term}"
            stated = facts.setdefault(name, {})
            if stated.setdefault(term, Truth.NO) == Truth.YES:
                message = f'{quoted(term)} is listed in "{facet.plural}" too; remove it from one'
                faults.append((message, value))
            for below in facet.descendants(term):
                if stated.get(below) == Truth.YES:
                    message = f'"{value}" contradicts {quoted(below)}, which is below it'
                    faults.append((f"{message}; correct one", value))
        service = Service(
            service_id=cells.get("service_id") or "1",
            facts={facet: stated for facet, stated in facts.items() if stated},
            complete=frozenset(cells.get("complete") or ()),
            combined=cells.get("combined") == "yes",
            quantities={q.id: cells[q.id] for q in words.quantities if cells.get(q.id)},
        )
        return _Stated(service, (service,), service.terms("language"), faults)

    def _locations(self, *, check: bool) -> list[Location | None]:
        """Join the cells of each row's place; a place with a fault is none."""
        is_faulty = bool(self.table.report.faults)
        located: dict[int, tuple[Any, ...]] = {}
        for at, place in enumerate(zip(*map(self.column, _PLACE_COLUMNS), strict=True)):
            if is_faulty and csv.CellError in map(type, place):
                continue
            lat, lon, precision, _ = place
            if lat is not None and lon is not None:
                located[at] = lat, lon, precision or "unknown", *places.radius_and_remark(*place)
            elif any(cell not in (None, "") for cell in place):
                for name, message in places.location_faults(*place):
                    self.note(message, at, name, self.column(name)[at])
        columns = dict(zip(_LOCATED, zip(*located.values(), strict=True), strict=False))
        if check and located:
            stated = map(self.column, ("province", "postal_code"))
            named = [[_text(column[at]) for at in located] for column in stated]
            rows = zip(columns["lat"], columns["lon"], *named, strict=True)
            for row, what in places.implausible(rows).items():
                self.note(what, list(located)[row], "lat", columns["lat"][row])
        made = build_records(Location, len(located), columns)
        found = dict(zip(located, made, strict=True))
        return list(map(found.get, range(len(self.blank))))

    def _grouped(self) -> tuple[dict[str, int], dict[str, list[int]]]:
        """Find the first row of each clinic, and all rows of those with several."""
        first: dict[str, int] = {}
        more: dict[str, list[int]] = {}
        for at, clinic_id in enumerate(self.values["clinic_id"]):
            if type(clinic_id) is not str or not clinic_id.strip():
                continue
            if first.setdefault(clinic_id, at) != at:
                more.setdefault(clinic_id, [first[clinic_id]]).append(at)
        alike: dict[str, str] = {}
        cased = {clinic_id.casefold(): clinic_id for clinic_id in reversed(first)}
        if len(cased) < len(first):
            one = next(other for other in first if cased[other.casefold()] != other)
            warnings.warn(
                f"{self.table.report.source}: ids that differ by their case alone are clinics of "
                f"their own, such as {quoted(cased[one.casefold()])} and {quoted(one)}; make them "
                "equal if they are one",
                UserWarning,
                stacklevel=6,
            )
        for clinic_id, at in first.items():
            twin = alike.setdefault(csv.match_key(clinic_id), clinic_id)
            if twin != clinic_id:
                message = (
                    f"{clinic_id!a} looks the same as {twin!a} in row "
                    f"{self.table.numbers[first[twin]]}; make them equal, or clearly different"
                )
                self.note(message, at, "clinic_id", clinic_id)
        return first, more

    def _compare(self, rows: Sequence[int], stated: Sequence[_Stated]) -> None:
        """Refuse rows of one clinic that share a service, or differ in what is the clinic's."""
        first, stated_ids = rows[0], self.column("service_id")
        ids = {at: _text(stated_ids[at]) for at in rows}
        named = f"the clinic_id {quoted(self.values['clinic_id'][first])}"
        blank = [at for at in rows if not ids[at].strip()]
        services: dict[str, int] = {}
        for at in rows:
            service_id = ids[at]
            other = services.setdefault(csv.match_key(service_id), at)
            if other != at:
                what = f"service_id {quoted(service_id)}" if service_id.strip() else "no service_id"
                message = (
                    f"{named} with {what} is in row {self.table.numbers[other]} too; remove one "
                    "row, or give each its own service_id"
                )
                self.note(message, at, "service_id", service_id)
                continue  # twins by mistake differ in much else
            if blank == [at]:
                message = f"is blank, though {len(rows)} rows share {named}; give each its own"
                self.note(message, at, "service_id")
            for name, here, there in self._differing(at, first, stated):
                self.note(
                    f"{here} differs from {there} in row {self.table.numbers[first]}, though both "
                    f"are clinic {quoted(self.values['clinic_id'][first])}; make them equal, or "
                    "give one another clinic_id",
                    at,
                    name,
                )

    def _differing(
        self, at: int, first: int, stated: Sequence[_Stated]
    ) -> Iterator[tuple[str, str, str]]:
        for name in (part.name for part in CLINIC_FIELDS if part.name in self.values):
            here, there = self.values[name][at], self.values[name][first]
            if here != there and csv.CellError not in (type(here), type(there)):
                yield name, _shown(here), _shown(there)
        here, there = (";".join(stated[row].languages) for row in (at, first))
        if here != there:
            yield "languages", quoted(here), quoted(there)

    def _kept(self, rows: Sequence[int]) -> dict[str, str]:
        """Keep unknown columns; one that differs between services as ``column [service]``."""
        kept: dict[str, str] = {}
        for name, values in self.extra.items():
            if len({values[at] for at in rows}) == 1:
                kept[name] = values[rows[0]]
            else:
                ids = self.column("service_id")
                kept |= {f"{name} [{ids[at]}]": values[at] for at in rows}
        return kept


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _shown(value: Any) -> str:
    return "blank" if value is None or value == "" else quoted(str(value))


def meanings_of(vocabulary: Vocabulary) -> dict[str, str]:
    """The columns that are known: what each name means."""
    fields = [part.name for part in CLINIC_FIELDS + SERVICE_FIELDS]
    names = [*facts_readers(vocabulary), *fields]
    return {facet.id: facet.plural for facet in vocabulary.facets} | {n: n for n in names}


def likely_column(given: str, meanings: Mapping[str, str]) -> str | None:
    """Say which column a name that is not known may mean."""
    from difflib import get_close_matches

    name = csv.column_key(given)
    if meant := packaged(csv.WORDS)["columns"].get(name):
        return str(meant)
    if len(name) == 10 and (cut := [one for one in meanings if one.startswith(name)]):
        return meanings[cut[0]]  # a shapefile has no longer names
    near = get_close_matches(name, meanings, n=1, cutoff=0.85) if len(name) > 3 else []
    return meanings[near[0]] if near else None


_STATUS = choice(STATUSES, "a status")


def evidence_from_table(table: csv.Table, vocabulary: Vocabulary) -> tuple[Evidence, ...]:
    """Make evidence of the rows of a table, in their order, or refuse it with every fault."""
    table = table.without_blank_end()
    readers = {part.name: reader_of(part) for part in EVIDENCE_FIELDS}
    columns = table.find_columns({name: name for name in readers}, _NEEDED, strict=True)
    read = {name: table.read(at, readers[name]) for name, at in columns.items()}
    made: list[Evidence] = []
    for row, values in enumerate(zip(*read.values(), strict=True)):
        if csv.CellError not in map(type, values):
            made += _evidence(dict(zip(read, values, strict=True)), table, row, vocabulary)
    table.report.refuse(table.n_rows)
    return tuple(made)


def _evidence(
    values: dict[str, Any], table: csv.Table, row: int, vocabulary: Vocabulary
) -> Iterator[Evidence]:
    """Make one piece of evidence, or report what is wrong."""
    blank = [name for name in _NEEDED if not values[name].strip()]
    for name in blank:
        table.report.add("is blank; every row needs one", table.row(row), name)
    if blank:
        return
    name, term = values["facet"], values.get("term", "")
    try:
        values["facet"], values["term"] = _fact(name, term, values["truth"], vocabulary)
    except csv.CellError as error:
        table.report.add(str(error), table.row(row), "facet", name)
    except (InvalidInputError, UnknownTermError) as error:
        table.report.add(str(error), table.row(row), "term", term)
    else:
        values["service_id"] = values.get("service_id") or None
        yield Evidence(**values)


def _fact(name: str, term: str, truth: str, vocabulary: Vocabulary) -> tuple[str, str]:
    valued = name in CLINIC_FACTS or name in vocabulary.quantities
    if valued and (not term or truth != "yes"):
        raise csv.CellError(f"{quoted(name)} is a field; give its value as the term, and truth yes")
    if name in CLINIC_FACTS:
        return name, _STATUS(term) if name == "status" else term
    if name not in vocabulary.flags and not valued:
        try:
            vocabulary.facet(name)
        except UnknownTermError as error:
            known = [term.id for term in (*vocabulary.flags, *vocabulary.quantities)]
            known += CLINIC_FACTS
            raise csv.CellError(
                f"{error}; or a yes-no fact, quantity or field: {', '.join(known)}"
            ) from None
    return named_fact(vocabulary, name, term)


def attach_evidence(
    clinics: Iterable[Clinic],
    evidence: Iterable[Evidence],
    table: csv.Table | None = None,
) -> tuple[Clinic, ...]:
    """Give each clinic the evidence that speaks of it."""
    clinics, evidence = tuple(clinics), tuple(evidence)
    if not evidence:
        return clinics
    report = csv.Report("evidence") if table is None else table.report
    services = {c.clinic_id: {s.service_id for s in c.services} for c in clinics}
    attached: dict[str, list[Evidence]] = {}
    for at, piece in enumerate(evidence):
        row = csv.Row(at, at) if table is None else table.row(at)
        if piece.clinic_id not in services:
            message = f"{quoted(piece.clinic_id)} is not a clinic of this data"
            report.add(message, row, "clinic_id", piece.clinic_id)
        elif piece.service_id is not None and piece.service_id not in services[piece.clinic_id]:
            known = ", ".join(quoted(name) for name in sorted(services[piece.clinic_id])[:10])
            message = f"{quoted(piece.service_id)} is not a service of this clinic; known: {known}"
            report.add(message, row, "service_id", piece.service_id)
        attached.setdefault(piece.clinic_id, []).append(piece)
    report.refuse(len(evidence))
    return tuple(
        replace(clinic, evidence=clinic.evidence + tuple(attached[clinic.clinic_id]))
        if clinic.clinic_id in attached
        else clinic
        for clinic in clinics
    )


def read_clinics(
    path: Path,
    *,
    vocabulary: Vocabulary | None = None,
    evidence: EvidenceSource = None,
    check: bool = True,
) -> tuple[Clinic, ...]:
    """Read clinics from a CSV file, one row a service, or refuse the file with every fault.

    Cells are read as text: ``007``, ``NA`` and ``None`` stay what they are, and what a spreadsheet
    has spoilt (``#REF!``, ``6.13E+09``) is refused. Ids are kept to the
    character; in other texts the spaces around them do not count. A column that is not known is
    kept in ``Clinic.extra``; where it differs between the services of a clinic, as
    ``"column [service_id]"``.

    Parameters
    ----------
    path : str or path-like
        A regular file in UTF-8, comma-separated, with a header.
    vocabulary : Vocabulary, optional
        What facets and terms there are; the bundled one if None.
    evidence : str or path-like, frame or iterable of Evidence, optional
        A CSV file or a frame of evidence, or what `read_evidence` gave, to attach to the clinics.
    check : bool
        Refuse a position of (0, 0), and one that contradicts the row's own province.

    Returns
    -------
    tuple of Clinic
        In the order of their first rows; services in the order of the rows. A row without
        coordinates gives a clinic without a location.

    Raises
    ------
    DataError
        With every fault of the file, each with row (the header is row 1), column, value and
        remedy. Faults of the evidence come once the clinics have none.
    MissingFileError, FileFailedError
        If there is no such file, or it may not be read.

    Warns
    -----
    UserWarning
        If text looks as if it was once read in the wrong encoding, or an unknown column has
        nearly the name of a known one.

    Notes
    -----
    Limits are `tables.csv.MAX_FILE_BYTES` and `tables.csv.MAX_CELL_CHARACTERS`. The time is linear
    in the size of the file.
    """
    return clinics_from_table(csv.read_table(path), vocabulary, evidence, check=check)


def read_evidence(path: Path, *, vocabulary: Vocabulary | None = None) -> tuple[Evidence, ...]:
    """Read evidence from a CSV file, one row a fact, or refuse the file with every fault.

    Parameters
    ----------
    path : str or path-like
        A regular file in UTF-8, comma-separated, with a header.
    vocabulary : Vocabulary, optional
        What facets and terms there are; the bundled one if None.

    Returns
    -------
    tuple of Evidence
        In the order of the rows; facets and terms by their ids.

    Raises
    ------
    DataError
        With every fault of the file.
    MissingFileError, FileFailedError
        If there is no such file, or it may not be read.
    """
    vocabulary = checked_vocabulary(vocabulary)
    return evidence_from_table(csv.read_table(path), vocabulary)
