"""Geocode many addresses: each text asked once, each answer kept as soon as it is there."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from ketafind import errors
from ketafind.errors import GeocodingError, InvalidInputError
from ketafind.files import in_memory, is_missing
from ketafind.geocoding.locations import FIELDS
from ketafind.geocoding.offline import OfflineGeocoder
from ketafind.geocoding.protocol import Geocoder, Outcome, check_geocoder, checked_location, shown
from ketafind.records import Location

if TYPE_CHECKING:
    from ketafind.geocoding.cache import GeocodeCache

# How long another process may take over an address where the geocoder sets no deadline.
CLAIM_S = 60.0

# The columns that `geocode_frame` adds.
COLUMNS = (*FIELDS, "status", "reason", "detail")

# Why a row has no position, in a few words, by its status.
REASONS: dict[str, str] = errors.packaged("geocoding/reasons.json")


def outcomes(
    texts: Iterable[object],
    geocoder: Geocoder | None = None,
    *,
    resume: str | Path | None = None,
    progress: bool = False,
) -> list[Outcome]:
    """Geocode texts, each different one once."""
    asked = list(texts)
    # Before anything is asked: a value that cannot be judged must not cost answers.
    blanks = {place: _no_text(t) for place, t in enumerate(asked) if not _is_text(t)}
    chosen: Geocoder = geocoder if geocoder is not None else OfflineGeocoder()
    different = dict.fromkeys(text for text in asked if _is_text(text))
    found: dict[str, Outcome] = {}
    refusal: str | None = None
    with nullcontext() if resume is None else _opened(resume) as cache:
        for text in shown(different, "geocoding", "address", progress=progress):
            found[text] = _one(chosen, text, cache, refusal)
            if found[text].status == "refused":
                refusal = found[text].reason
    return [found[t] if _is_text(t) else blanks[place] for place, t in enumerate(asked)]


def _opened(path: str | Path) -> GeocodeCache:
    from ketafind.geocoding.cache import GeocodeCache  # a browser has no SQLite

    return GeocodeCache(path)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())


def _no_text(value: object) -> Outcome:
    if isinstance(value, str) or is_missing(value):
        return Outcome(None, "missing", "no address was given")
    return Outcome(None, "not_found", f"an address must be text, not {type(value).__name__}")


def _one(geocoder: Geocoder, text: str, cache: Any, refusal: str | None) -> Outcome:
    """Ask for one address, unless it is known or the service has refused before."""
    name = str(getattr(geocoder, "name", type(geocoder).__name__))
    provider = (name, str(getattr(geocoder, "version", "1")), text)

    def ask() -> Location:
        return checked_location(geocoder.geocode(text), geocoder)

    try:
        if refusal is not None:
            known = cache.get(*provider) if cache is not None else None
            return known or Outcome(None, "untried", f"not tried: {refusal}")
        if cache is None:
            return Outcome(ask(), "ok", "")
        lasts_s = float(getattr(geocoder, "deadline_s", CLAIM_S))
        return Outcome(cache.remember(*provider, ask, lasts_s), "ok", "")
    except GeocodingError as error:
        # A code says what failed and how: place_not_found, service_refused.
        how = error.code.partition("_")[2]
        return Outcome(None, how if how in REASONS else "error", str(error))


def geocode_frame(
    frame: Any,
    address: str | Sequence[str],
    geocoder: Geocoder | None = None,
    resume: str | Path | None = None,
    progress: bool = True,  # noqa: FBT001
    prefix: str = "",
) -> Any:
    """Geocode a column of a frame, or several that make up an address.

    Parameters
    ----------
    frame : DataFrame or Table
        Of pandas, polars or pyarrow; it is not changed.
    address : str or sequence of str
        The column of addresses, or the columns of their parts in order, such as
        ``["street", "city", "postal_code"]``; a part that is missing is left out.
    geocoder : Geocoder, optional
        The bundled offline one by default: no network is used unless one is given that does.
    resume : path-like, optional
        A file that keeps each answer as soon as it is there. If the batch is stopped, a second
        call with the same path asks only for what is missing.
    progress : bool
        Whether to show a bar on a terminal if it takes longer than a second.
    prefix : str
        What the names of the new columns begin with.

    Returns
    -------
    DataFrame or Table
        The same kind, rows and index, with these columns added: ``lat`` and ``lon`` in degrees,
        ``label``, ``precision``, ``radius_km``, ``match``, ``corrections`` (joined by "; "),
        ``source``, ``status`` (``"ok"`` or what became of the row), ``reason`` (why it has no
        position, in a few words that are equal for equal causes) and ``detail`` (the whole
        message). What does not apply is missing.

    Raises
    ------
    InvalidInputError
        If a column is absent, one of the new columns is already there, or the geocoder is none.
    """
    import narwhals as nw

    check_geocoder(geocoder)
    try:
        table = nw.from_native(in_memory(frame), eager_only=True)
        names = table.columns
    except nw.exceptions.DuplicateError:
        raise InvalidInputError("two columns of the frame have one name; rename one") from None
    except TypeError:
        raise InvalidInputError(
            f"{type(frame).__name__} is not a data frame; give a pandas, polars or pyarrow frame"
        ) from None
    columns = list(address) if isinstance(address, list | tuple) else [address]
    absent = [name for name in columns if not isinstance(name, Hashable) or name not in names]
    if absent or not columns:
        missing = errors.shown(absent[0]) if absent else "of addresses"
        raise InvalidInputError(
            f"the frame has no column {missing}; it has: {', '.join(map(str, names))}"
        )
    if not isinstance(prefix, str):
        raise InvalidInputError(f"prefix={errors.shown(prefix)}: give a text, such as 'near_'")
    taken = [prefix + name for name in COLUMNS if prefix + name in names]
    if taken:
        raise InvalidInputError(
            f"the frame already has {', '.join(map(repr, taken))}, which would be overwritten; "
            "give a prefix=, or rename or drop them first"
        )
    texts = [table.get_column(column).to_list() for column in columns]
    asked = texts[0] if len(texts) == 1 else [_joined(parts) for parts in zip(*texts, strict=True)]
    answers = outcomes(asked, geocoder, resume=resume, progress=progress)
    return table.with_columns(*_series(nw, table, answers, prefix)).to_native()


def _joined(parts: Sequence[object]) -> str | None:
    """Join the parts of an address that are there."""
    texts = [part.strip() for part in parts if _is_text(part)]
    return ", ".join(texts) or None


def _series(nw: Any, table: Any, answers: list[Outcome], prefix: str) -> Iterator[Any]:
    index, backend = nw.maybe_get_index(table), nw.get_native_namespace(table)
    rows = [_row(answer) for answer in answers]
    for name in COLUMNS:
        dtype = nw.Float64 if name in {"lat", "lon", "radius_km"} else nw.String
        values = [row[name] for row in rows]
        series = nw.new_series(prefix + name, values, dtype, backend=backend)
        if index is not None:
            # pandas aligns by labels; the rows here are in the frame's own order.
            series.to_native().index = index
        yield series


def _row(answer: Outcome) -> dict[str, Any]:
    row = {name: getattr(answer.location, name, None) for name in FIELDS}
    row["corrections"] = "; ".join(row["corrections"] or ()) or None
    reason, detail = REASONS.get(answer.status), answer.reason or None
    return row | {"status": answer.status, "reason": reason, "detail": detail}
