"""Frames and plain data become clinics; clinics and evidence become columns, frames and CSV files."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from ketafind.errors import DataError, Fault, InvalidInputError, packaged, shown
from ketafind.facts import decisions
from ketafind.files import require, write_whole
from ketafind.records import (
    CLINIC_FACTS,
    CLINIC_FIELDS,
    EVIDENCE_FIELDS,
    SERVICE_FIELDS,
    Clinic,
    Evidence,
    FrozenMapping,
    Quantity,
    Service,
    Truth,
    location_of,
    read_plain,
)
from ketafind.tables.clinics import EvidenceSource, Path, clinics_from_table
from ketafind.tables.csv import WORDS, table_of_frame
from ketafind.vocabulary import Facet, Vocabulary, checked_vocabulary
from ketafind.vocabulary.terms import FLAG, Term

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from ketafind.snapshot import Snapshot


def clinics_from_frame(
    frame: Any,
    *,
    vocabulary: Vocabulary | None = None,
    evidence: EvidenceSource = None,
    check: bool = True,
) -> tuple[Clinic, ...]:
    """Make clinics of a data frame, one row a service, with the checks of `read_clinics`.

    Numbers are accepted for ``lat``, ``lon`` and ``radius_km``, dates for ``checked_on``, bools
    for the yes-no columns, and lists of terms for facets. None, NaN, NA and NaT are blank. An id or
    a text that has become a float is refused: ``007`` may already be 7.0.

    Parameters
    ----------
    frame : pandas, geopandas, polars or pyarrow frame
        Any eager frame that narwhals knows. Its index is not read; the points of a GeoDataFrame
        are ``lat`` and ``lon``, unless it has these columns.
    vocabulary : Vocabulary, optional
        What facets and terms there are; the bundled one if None.
    evidence : str or path-like, frame or iterable of Evidence, optional
        A CSV file or a frame of evidence, or what `read_evidence` gave, to attach to the clinics.
    check : bool
        Refuse a position of (0, 0), and one that contradicts the row's own province.

    Returns
    -------
    tuple of Clinic
        In the order of their first rows; services in the order of the rows.

    Raises
    ------
    DataError
        With every fault of the frame; rows are counted by position from 0, as ``iloc`` does.
    """
    return clinics_from_table(table_of_frame(frame), vocabulary, evidence, check=check)


Record = dict[str, Any]
# Where in a file a clinic was found, and what it states, in the form of `Clinic.to_dict`.
Found = tuple[str, Record]

_WRONG_FORM = (ValueError, TypeError, LookupError, AttributeError)
_OF_CLINIC = [part for part in CLINIC_FIELDS if part.level == "clinic"]


def clinics_from_plain(found: Iterable[Found], source: str, what: str) -> tuple[Clinic, ...]:
    """Make clinics, or refuse the file with every fault; `what` is looked for in it."""
    made: dict[str, Clinic] = {}
    faults: list[Fault] = []
    try:
        rows = list(found)
    except _WRONG_FORM as error:
        fault = Fault(f"is not of the form that it should have ({type(error).__name__}: {error})")
        raise DataError(source, [fault]) from None
    for where, record in rows:
        try:
            clinic = _clinic(record)
        except (InvalidInputError, *_WRONG_FORM) as error:
            ours = isinstance(error, InvalidInputError)
            said = str(error) if ours else f"cannot be read ({type(error).__name__}: {error})"
            faults.append(Fault(said, path=where))
            continue
        if made.setdefault(clinic.clinic_id, clinic) is not clinic:
            faults.append(Fault(f"the id {clinic.clinic_id!r} is there already", path=where))
    if not rows:
        faults.append(Fault(f"there is no {what} in it"))
    if faults:
        raise DataError(source, faults, len(rows))
    return tuple(made.values())


def _clinic(plain: Record) -> Clinic:
    place = plain.get("location")
    spoken = plain.get("languages") or ()
    given = plain.get("extra") or {}
    if not all(isinstance(text, str) for text in (*spoken, *given, *given.values())):
        raise InvalidInputError("languages and extra columns must be texts")
    clinic = read_plain(plain, _OF_CLINIC)
    given_to = {"clinic_id": clinic["clinic_id"], "term": ""}
    said = [read_plain(given_to | one, EVIDENCE_FIELDS) for one in plain.get("evidence") or ()]
    return Clinic(
        **clinic,
        location=None if place is None else location_of(place),
        services=tuple(map(_service, plain.get("services") or ())) or (Service(),),
        languages=tuple(spoken),
        evidence=tuple(Evidence(**one) for one in said),
        extra=given,
    )


def _service(plain: Record) -> Service:
    facts, numbers = plain.get("facts") or {}, plain.get("quantities") or {}
    return Service(
        **read_plain(plain, SERVICE_FIELDS),
        facts={
            name: {term["id"]: term["truth"] for term in facet["terms"]}
            for name, facet in facts.items()
            if facet["terms"]
        },
        complete=frozenset(name for name, facet in facts.items() if facet.get("complete")),
        quantities={
            name: Quantity(one["low"], one["high"], one["unit"]) for name, one in numbers.items()
        },
    )


def add_fact(facts: Record, facet: str, term: str, truth: str) -> None:
    """State a fact in the plain form of a service's facts."""
    facts.setdefault(facet, {"terms": []})["terms"].append({"id": term, "truth": truth})


PER = ("clinic", "service", "fact")
Columns = dict[str, list[Any]]


def laid_out(
    clinics: Sequence[Clinic], vocabulary: Vocabulary, per: str, taken: Sequence[str] = ()
) -> tuple[list[int], Columns]:
    """Lay clinics out with a row each, a row a service or a row a fact, and number their rows."""
    if per not in PER:
        raise InvalidInputError(
            f"per={shown(per)}: write {', '.join(map(repr, PER[:-1]))} or 'fact'"
        )
    if per == "fact":
        facts = [(at, fact) for at, one in enumerate(clinics) for fact in _facts(one, vocabulary)]
        names = [part.name for part in EVIDENCE_FIELDS]
        return [at for at, _ in facts], {n: [fact.get(n) for _, fact in facts] for n in names}
    held = [
        (at, services)
        for at, one in enumerate(clinics)
        for services in ([one.services] if per == "clinic" else [(s,) for s in one.services])
    ]
    rows = [(clinics[at], services) for at, services in held]
    return [at for at, _ in held], _summed_up(rows, vocabulary, per, taken)


def _facts(clinic: Clinic, vocabulary: Vocabulary) -> Iterator[Record]:
    """Give everything that is stated, with the evidence that decides it where there is any."""
    decided = {
        (one.service_id, one.facet, one.term): one.by[0]
        for one in decisions(clinic, vocabulary)
        if one.reason == "decided"
    }
    decided |= {(None, f.facet, f.term): f for f in clinic.evidence if f.facet in CLINIC_FACTS}
    for service_id, facet, term, truth in stated_facts(clinic):
        source = decided.get((service_id, facet, "" if facet in vocabulary.quantities else term))
        known = {} if source is None else {p.name: getattr(source, p.name) for p in EVIDENCE_FIELDS}
        said = {"service_id": service_id, "facet": facet, "term": term, "truth": str(truth)}
        yield known | {"clinic_id": clinic.clinic_id, **said}


def stated_facts(clinic: Clinic) -> Iterator[tuple[str | None, str, str, Truth]]:
    """Give what the clinic's own rows state: service, facet or field, term, truth."""
    for name in CLINIC_FACTS:
        if value := getattr(clinic, name):
            yield None, name, str(value), Truth.YES
    for service in clinic.services:
        for facet, terms in service.facts.items():
            for term, truth in terms.items():
                yield service.service_id, facet, term, truth
        for name, quantity in service.quantities.items():
            yield service.service_id, name, quantity.span, Truth.YES


def _summed_up(
    rows: Sequence[tuple[Clinic, Sequence[Service]]],
    vocabulary: Vocabulary,
    per: str,
    taken: Sequence[str],
) -> Columns:
    """Give a row a column for each field, facet, flag and quantity, of all its services."""
    clinics, held = [clinic for clinic, _ in rows], [services for _, services in rows]
    flags, columns = vocabulary.flags, Columns()
    for part in CLINIC_FIELDS:
        of = clinics if part.level == "clinic" else [clinic.location for clinic in clinics]
        columns[part.name] = [getattr(record, part.name, None) for record in of]
    if per == "service":
        columns["service_id"] = [services[0].service_id for services in held]
    else:
        columns["n_services"] = [len(services) for services in held]
    for facet in vocabulary.facets:
        columns[facet.plural] = [terms_of(services, facet.id) for services in held]
    columns["not_offered"] = [_not_offered(services, vocabulary) for services in held]
    columns["complete"] = [
        sorted(frozenset.intersection(*(one.complete for one in services))) for services in held
    ]
    columns["combined"] = [any(one.combined for one in services) for services in held]
    truths_of = cache(lambda one: {flag.id: _truth(one, flag, flags) for flag in flags})
    for flag in flags:
        truths = [max(truths_of(one)[flag.id] for one in services) for services in held]
        columns[flag.id] = [None if is_so == Truth.UNKNOWN else str(is_so) for is_so in truths]
    for name in [each.id for each in vocabulary.quantities]:
        stated = [
            [one.quantities[name] for one in services if name in one.quantities]
            for services in held
        ]
        columns[f"{name}_low"] = [min((q.low for q in found), default=None) for found in stated]
        columns[f"{name}_high"] = [max((q.high for q in found), default=None) for found in stated]
    dates = [[f.page_date or f.checked_on for f in clinic.evidence] for clinic in clinics]
    for name, pick in (("oldest_evidence", min), ("newest_evidence", max)):
        columns[name] = [pick(filter(None, days), default=None) for days in dates]
    for name in dict.fromkeys(name for clinic in clinics for name in clinic.extra):
        free = f"{name} (given)" if name in columns or name in taken else name
        columns[free] = [clinic.extra.get(name, "") for clinic in clinics]
    return columns


def terms_of(services: Iterable[Service], facet: str, truth: Truth = Truth.YES) -> list[str]:
    """List the terms of a facet that any of the services states with this truth."""
    return list(dict.fromkeys(term for one in services for term in one.terms(facet, truth)))


def _not_offered(services: Sequence[Service], vocabulary: Vocabulary) -> list[str]:
    """Name what a service is stated not to offer, and none of the others to offer."""
    return [
        f"{facet.id}:{term}"
        for facet in vocabulary.facets
        if facet.id != FLAG
        for term in terms_of(services, facet.id, Truth.NO)
        if term not in terms_of(services, facet.id)
    ]


def _truth(service: Service, flag: Term, flags: Facet) -> Truth:
    """What follows for a flag from all flags that a service states."""
    above, below = flags.ancestors(flag.id), flags.descendants(flag.id)
    if any(service.flags.get(name) == Truth.YES for name in (flag.id, *below)):
        return Truth.YES
    if any(service.flags.get(name) == Truth.NO for name in (flag.id, *above)):
        return Truth.NO
    is_open = any(service.flags.get(name) == Truth.YES for name in above)
    return Truth.NO if FLAG in service.complete and not is_open else Truth.UNKNOWN


def types_of(vocabulary: Vocabulary) -> dict[str, str]:
    """The pandas types of columns that are not text, where there is nothing to tell them by."""
    known: dict[str, list[str]] = packaged(WORDS)["types"]
    numbers = [f"{each.id}_{end}" for each in vocabulary.quantities for end in ("low", "high")]
    types = {name: kind for kind, names in known.items() for name in names}
    return types | dict.fromkeys(numbers, "float64")


def frame_from_columns(
    columns: Mapping[str, Any], types: Mapping[str, str] = FrozenMapping(), **data: Snapshot
) -> pd.DataFrame:
    """Make a pandas frame with column types by what the columns hold; it remembers the data."""
    import pandas as pd

    from ketafind import __version__

    made = {name: _series(values, types.get(name, "string")) for name, values in columns.items()}
    frame = pd.DataFrame(made, columns=list(columns))
    if data:
        named = {name: str(snapshot) for name, snapshot in data.items()}
        frame.attrs["ketafind"] = {**named, "version": __version__}
    return frame


def geodataframe_from_columns(
    columns: Mapping[str, Any], types: Mapping[str, str] = FrozenMapping(), **data: Snapshot
) -> gpd.GeoDataFrame:
    """Make a GeoPandas frame of points (extra ``geo``)."""
    geopandas = require("geopandas", "geo")
    import shapely

    points = [
        None if lat is None or lon is None else shapely.Point(lon, lat)
        for lat, lon in zip(columns["lat"], columns["lon"], strict=True)
    ]
    frame = frame_from_columns(columns, types, **data)
    made: gpd.GeoDataFrame = geopandas.GeoDataFrame(frame, geometry=points, crs="EPSG:4326")
    return made


# What pandas makes of values, to their type where none is missing and where some are.
_KINDS = {
    "boolean": ("bool", "boolean"),
    "integer": ("int64", "Int64"),
    **dict.fromkeys(("floating", "mixed-integer-float", "integer-na"), ("float64", "float64")),
    **dict.fromkeys(("date", "datetime"), ("datetime64[s]", "datetime64[s]")),
}


def _series(values: Any, empty: str) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(values, np.ndarray) and values.dtype != object:
        return pd.Series(values)
    cells = list(map(_frame_cell, values))
    present = [cell for cell in cells if cell is not None]
    types = _KINDS.get(pd.api.types.infer_dtype(present, skipna=False), ("string", "string"))
    kind: Any = types[len(present) < len(cells)] if present else empty
    if kind == "datetime64[s]":
        return pd.Series(pd.to_datetime(cells)).astype(kind)
    if kind == "string":
        cells = [None if cell is None else str(cell) for cell in cells]
    if not present:
        return pd.Series(cells, dtype=object).astype(pd.api.types.pandas_dtype(kind))
    return pd.Series(cells, dtype=kind)


def _frame_cell(value: Any) -> Any:
    """Join a list; a blank text or list states nothing: it is missing, as None is."""
    if isinstance(value, (tuple, list, frozenset)):
        value = ";".join(map(str, value))
    return None if isinstance(value, str) and not value else value


_QUOTED = re.compile(r'[",\r\n]|\A\s|\s\Z')
# What a spreadsheet takes for a formula, at the start of a cell or after what may split one.
_FORMULA = re.compile(
    r"(\A|;|(?<!\s)[^\S\t\r\n]*[\t\r\n])(\s*)(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20\u2212])"
)
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_LAST = ("notes", "checked_on")
_HEAD = ["clinic_id", "service_id"]
_HEAD += [part.name for part in CLINIC_FIELDS if part.name not in (*_LAST, "clinic_id")]
_FACETS = ("route", "product", "staff", "condition", "setting", "language")


def write_clinics(
    clinics: Iterable[Clinic],
    path: Path,
    *,
    vocabulary: Vocabulary | None = None,
    overwrite: bool = False,
    spreadsheet: bool = False,
) -> None:
    """Write clinics to a CSV file that `read_clinics` reads back, one row a service.

    The file appears whole or not at all: it is written beside, synced and renamed. Evidence is
    written by `write_evidence`. Of a location, the match, corrections, source and label have no
    column; languages are written for the clinic as a whole.

    Parameters
    ----------
    clinics : iterable of Clinic
        In the order to write.
    path : str or path-like
        Where to.
    vocabulary : Vocabulary, optional
        Where the names of the columns of facets come from; the bundled one if None.
    overwrite : bool
        Replace a file that is there.
    spreadsheet : bool
        Put an apostrophe before text that a spreadsheet would take for a formula. Plain numbers
        stay. Such a file is for looking at, not for reading back.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is False.
    FileFailedError
        If it cannot be written; what was there before is unchanged.
    InvalidInputError
        If two clinics share an id.
    """
    vocabulary = checked_vocabulary(vocabulary)
    text = clinics_text(tuple(clinics), vocabulary, spreadsheet=spreadsheet)
    write_whole(path, text, overwrite=overwrite)


def clinics_text(
    clinics: Sequence[Clinic], vocabulary: Vocabulary, *, spreadsheet: bool = False
) -> str:
    """Write clinics as the text of a CSV file."""
    for clinic_id, n in Counter(clinic.clinic_id for clinic in clinics).items():
        if n > 1:
            raise InvalidInputError(f"two clinics have the id {clinic_id!r}")
    services = [service for clinic in clinics for service in clinic.services]
    stated = {facet for service in services for facet in service.facts}
    known = {facet.id for facet in vocabulary.facets}
    facets = [facet for facet in _FACETS if facet in stated | known]
    facets += sorted(stated.difference(facets, {FLAG}))
    plurals = {vocabulary.facet(facet).plural: facet for facet in facets}
    answered = {name for service in services for name in _answers(service, vocabulary.flags)}
    flags = [one.id for one in vocabulary.flags if one.parent is None or one.id in answered]
    numbers = [each.id for each in vocabulary.quantities]
    extras = list(dict.fromkeys(name for clinic in clinics for name in _extra_names(clinic)))
    middle = ("not_offered", "complete", "combined", *flags, *numbers, *_LAST)
    columns = [*_HEAD, *plurals, *middle, *extras]

    def row(clinic: Clinic, service: Service) -> list[Any]:
        cells = {part.name: part.of(clinic) for part in CLINIC_FIELDS}
        cells |= _service_cells(service, vocabulary)
        cells |= {plural: service.terms(facet) for plural, facet in plurals.items()}
        if "language" in facets:
            cells[vocabulary.facet("language").plural] = clinic.languages
        cells |= {name: _extra_cell(clinic, service, name) for name in extras}
        return [cells.get(name, "") for name in columns]

    rows = (row(clinic, service) for clinic in clinics for service in clinic.services)
    return csv_rows(columns, rows, spreadsheet=spreadsheet)


def _service_cells(service: Service, vocabulary: Vocabulary) -> dict[str, Any]:
    stated_no = [
        f"{facet}:{term}"
        for facet in service.facts
        if facet != FLAG
        for term in service.terms(facet, Truth.NO)
    ]
    return {
        "service_id": service.service_id,
        "not_offered": stated_no,
        "complete": sorted(vocabulary.facet(facet).plural for facet in service.complete),
        "combined": "yes" if service.combined else "",
        **_answers(service, vocabulary.flags),
        **{name: number.span for name, number in service.quantities.items()},
    }


def _answers(service: Service, flags: Facet) -> dict[str, str]:
    """Write flags in their columns, or the answer ``partial`` for ``ohip_covered_partial``."""
    cells = {}
    for name, truth in service.flags.items():
        above = str(flags[name].parent)
        is_part = name.startswith(f"{above}_") and above not in service.flags
        if is_part and truth == Truth.YES:
            cells[above] = name.removeprefix(f"{above}_")
        else:
            cells[name] = str(truth)
    return cells


def write_evidence(
    evidence: Iterable[Evidence],
    path: Path,
    *,
    overwrite: bool = False,
    spreadsheet: bool = False,
) -> None:
    """Write evidence to a CSV file that `read_evidence` reads back, one row a fact.

    Parameters
    ----------
    evidence : iterable of Evidence
        In the order to write.
    path : str or path-like
        Where to.
    overwrite : bool
        Replace a file that is there.
    spreadsheet : bool
        As in `write_clinics`.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is False.
    FileFailedError
        If it cannot be written; what was there before is unchanged.
    """
    columns = [part.name for part in EVIDENCE_FIELDS]
    rows = ([getattr(piece, name) for name in columns] for piece in evidence)
    write_whole(path, csv_rows(columns, rows, spreadsheet=spreadsheet), overwrite=overwrite)


def csv_rows(
    columns: Sequence[str], rows: Iterable[Iterable[Any]], *, spreadsheet: bool = False
) -> str:
    """Write rows as CSV, by RFC 4180 but with LF line ends; None and NaN are blank."""
    # Most cells are texts already.
    lines = [
        [cell if type(cell) is str else _cell_text(cell) for cell in line]
        for line in (columns, *rows)
    ]
    if spreadsheet:
        lines = [list(map(_neutral, line)) for line in lines]
    return "".join(",".join(map(_in_quotes, line)) + "\n" for line in lines)


def _cell_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, (list, tuple, set, frozenset)):
        texts = list(map(_cell_text, cell))
        return ";".join(sorted(texts) if isinstance(cell, (set, frozenset)) else texts)
    if isinstance(cell, Real) and not isinstance(cell, (bool, Integral)):
        number = float(cell)
        return "" if math.isnan(number) else repr(number)
    return str(cell)


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _neutral(text: str) -> str:
    return text if _PLAIN_NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'\2", text)


def _extra_names(clinic: Clinic) -> Iterator[str]:
    """Give the columns of what is kept; ``column [service]`` came from one column."""
    for name in clinic.extra:
        base = name.removesuffix("]").rpartition(" [")[0]
        yield base if base and _is_split(clinic, base) else name


def _is_split(clinic: Clinic, base: str) -> bool:
    return base not in clinic.extra and all(
        f"{base} [{service.service_id}]" in clinic.extra for service in clinic.services
    )


def _extra_cell(clinic: Clinic, service: Service, name: str) -> str:
    own = f"{name} [{service.service_id}]"
    if own in clinic.extra and _is_split(clinic, name):
        return clinic.extra[own]
    return clinic.extra.get(name, "")
