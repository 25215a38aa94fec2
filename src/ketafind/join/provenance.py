"""Where an analysis comes from: what its frame remembers, and a paragraph on its method."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ketafind.errors import InvalidInputError
from ketafind.snapshot import licence_of

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.join.journeys import Travel
    from ketafind.query.filter import Filter


KEY = "ketafind"
"""Where pandas' attrs and Arrow's metadata hold the record."""

_named = lru_cache(maxsize=64)(str)
"""Of a snapshot; a join of few rows is asked for again and again."""

# Other frames hold no record of their own; theirs goes when they go.
_records: dict[int, dict[str, Any]] = {}


def stamped(
    frame: Any,
    method: str,
    directory: Directory,
    eligible: Filter,
    /,
    *,
    unknown: str,
    radius: str,
    criteria: bool,
    travel: Travel | None = None,
    **settings: Any,
) -> Any:
    """Let a frame that was just made remember where it comes from."""
    from ketafind import __version__

    record: dict[str, Any] = {
        "snapshot": _named(directory.snapshot),
        "licence": licence_of(directory),
        "version": __version__,
        "method": method,
        "date": date.today().isoformat(),  # noqa: DTZ011 - the day where the work is done
        "unknown": unknown,
        "n_clinics": len(directory),
        "n_unlocated": eligible.n_unlocated,
        "radius": radius,
        **({} if travel is None else travel.told()),
        "settings": {name: _plain(value) for name, value in settings.items()},
    }
    if criteria:
        record["criteria"] = eligible.criteria.to_dict()
    if hasattr(frame, "attrs") and isinstance(frame.attrs, dict):
        frame.attrs[KEY] = record
        return frame
    if hasattr(frame, "replace_schema_metadata"):
        kept = frame.schema.metadata or {}
        return frame.replace_schema_metadata({**kept, KEY: json.dumps(record)})
    _records[id(frame)] = record
    weakref.finalize(frame, _records.pop, id(frame), None)
    return frame


def _plain(value: Any) -> Any:
    """A setting as JSON has it; a function by its name."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): float(number) for key, number in value.items()}
    return getattr(value, "__name__", "a function") if callable(value) else value


def provenance(frame: Any) -> dict[str, Any]:
    """Tell where a frame that an analysis returned comes from.

    Parameters
    ----------
    frame : frame
        What `nearest_join`, `coverage`, `gaps`, `access_score`, `catchments`, `best_sites` or
        `compare` returned; of a table that `to_frame` made, the data and the version alone. Frames
        of Dask hold it when they are computed, too; Spark keeps none. Frames of pandas hold the record in ``attrs["ketafind"]`` and those of
        pyarrow in the metadata of their schema, and keep it in Parquet; of other frames only the
        very one that was returned is known, not what was made from it.

    Returns
    -------
    dict
        ``snapshot``, ``n_clinics`` and, of the bundled clinics, ``licence`` of the directory, ``version`` of ketafind, ``method`` (the
        function), ``date``, ``unknown`` (the policy, or ``"both"``), ``n_unlocated``, ``radius``
        (where the 90 % radii of the origins come from), ``settings``; by travel time ``router`` (its
        kind), ``profile`` and ``credit`` (whose roads), or ``cost`` (the column), and ``n_missing``, the pairs of an origin
        and a clinic without one, or none within the limit (not known of lazy frames); and, if the analysis was
        asked with ``provenance=True``, ``criteria``. Never an origin.

    Raises
    ------
    InvalidInputError
        If nothing is known of the frame.

    Examples
    --------
    >>> import ketafind as kf
    >>> reach = kf.coverage(None, kf.load_directory(), thresholds_km=100, routes="iv")
    >>> kf.provenance(reach)["method"], "criteria" in kf.provenance(reach)
    ('coverage', False)
    """
    known: Any = _records.get(id(frame))
    if isinstance(getattr(frame, "attrs", None), dict):
        known = frame.attrs.get(KEY)
    elif hasattr(frame, "schema") and hasattr(frame.schema, "metadata"):
        text = (frame.schema.metadata or {}).get(KEY.encode())
        known = None if text is None else json.loads(text)
    if known is None:
        raise InvalidInputError(
            f"nothing is known of where this {type(frame).__name__} comes from; give the frame "
            f"that an analysis returned"
        )
    return dict(known)


def methods(frame: Any) -> str:
    """Write a paragraph for the methods section of a paper, in English and in French.

    Parameters
    ----------
    frame : frame
        As in `provenance`.

    Returns
    -------
    str
        The English paragraph, a blank line and the French one.

    Raises
    ------
    InvalidInputError
        If nothing is known of the frame.

    Examples
    --------
    >>> import ketafind as kf
    >>> reach = kf.coverage(None, kf.load_directory(), thresholds_km=100, routes="iv")
    >>> print(kf.methods(reach))  # doctest: +ELLIPSIS
    With ketafind 0.1.0, ...
    """
    record = provenance(frame)
    if "method" not in record:
        raise InvalidInputError("this is a table of data: methods are written of an analysis")
    settings = ", ".join(f"{name}={value!r}" for name, value in record["settings"].items())
    criteria = json.dumps(record.get("criteria"), ensure_ascii=False)
    way = "router" if "router" in record else "cost" if "cost" in record else "distance"
    missing = ["missing"] if "n_missing" in record else []
    parts = ["opening", "data", way, *missing, "exact" if record["radius"] == "exact" else "radii"]
    parts += ["criteria"] if "criteria" in record else []
    parts += ["both" if record["unknown"] == "both" else "policy"]
    told = {**record, "settings": settings, "criteria": criteria}
    text = resources.files("ketafind.join").joinpath("methods.json").read_text("utf-8")
    paragraphs = []
    for words in json.loads(text).values():
        for english, term in words["terms"].items():
            told |= {name: told[name].replace(english, term) for name in ("snapshot", "radius")}
        sentences = " ".join(words["sentences"][part] for part in parts)
        paragraphs.append(sentences.format(**told, done=words["done"][record["method"]]))
    return "\n\n".join(paragraphs)
