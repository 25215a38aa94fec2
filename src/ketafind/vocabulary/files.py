"""Vocabulary files: strict JSON, and laying one over another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ketafind.errors import DataError, Fault

__all__ = ["merged", "read_json"]

_LARGEST = 32 * 1024 * 1024


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object from a regular file in UTF-8.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    dict
        Its content, not yet checked.

    Raises
    ------
    DataError
        If there is no such file, or it is not one JSON object, or a key is doubled.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(str(path), [Fault("no such file; give the path of a vocabulary in JSON")])
    if path.stat().st_size > _LARGEST:
        raise DataError(path.name, [Fault("the file is over 32 MB: this is no vocabulary")])
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise DataError(path.name, [Fault(f"the file is not UTF-8: {error.reason}")]) from None
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        raise DataError(path.name, [Fault(message)]) from None
    except RecursionError:
        raise DataError(path.name, [Fault("the JSON is nested too deeply")]) from None
    except _DoubledKeyError as error:
        raise DataError(
            path.name, [Fault(f'the key "{error}" stands twice in one object')]
        ) from None
    if not isinstance(data, dict):
        raise DataError(path.name, [Fault("the file must hold one JSON object")])
    return data


class _DoubledKeyError(Exception):
    """JSON allows a doubled key and would keep the last; a slip of the hand would go unseen."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise _DoubledKeyError(key)
        data[key] = value
    return data


def merged(base: dict[str, Any], other: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Lay one vocabulary's plain data over another's.

    Parameters
    ----------
    base : dict
        The whole vocabulary below.
    other : mapping
        What is added or replaces entries of the same id; ``languages`` and the labels and plural
        of a facet that exists may be left out.
    source : str
        What to call the second in an error text.

    Returns
    -------
    dict
        Both together, not yet checked.

    Raises
    ------
    DataError
        If the second has not even the outer shape of a vocabulary, or repeats an id.
    """
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
