"""Evidence in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ketafind.explanation.language import say
from ketafind.explanation.outline import Line

if TYPE_CHECKING:
    from ketafind.records import Evidence

__all__ = ["evidence_dict", "evidence_lines"]


def evidence_lines(facts: Iterable[Evidence], lang: str, depth: int) -> list[Line]:
    """Write evidence, one line a source.

    Parameters
    ----------
    facts : iterable of Evidence
        What to write.
    lang : str
        ``"en"`` or ``"fr"``.
    depth : int
        How deep in the outline.

    Returns
    -------
    list of Line
        Facts of the same page and day share a line; what the page says is quoted as it is.
    """
    pages: dict[tuple[str, str], list[Evidence]] = {}
    for fact in facts:
        pages.setdefault((fact.source_url, _dated(fact, lang)), []).append(fact)
    lines = []
    for (url, dated), same in pages.items():
        source = say(f"source.{same[0].source_class}", lang)
        parts = [say("evidence.source", lang, source=source) + dated]
        parts += [say("evidence.operator_scope", lang)] if same[0].scope == "operator" else []
        hints = dict.fromkeys(fact.hint for fact in same if fact.hint)
        # What pages say is noted in English: left out of another language's text.
        if hints and lang == "en":
            parts.append(say("evidence.quoted", lang, text="; ".join(hints)))
        lines.append(Line(depth, ", ".join(parts), url))
    return lines


def _dated(fact: Evidence, lang: str) -> str:
    parts = []
    if fact.page_date is not None:
        parts.append(say("evidence.page_date", lang, day=fact.page_date.isoformat()))
    if fact.checked_on is not None:
        parts.append(say("evidence.checked", lang, day=fact.checked_on.isoformat()))
    if fact.method == "archived_copy":
        parts.append(say("evidence.archived_copy", lang))
    return "".join(f", {part}" for part in parts)


def evidence_dict(fact: Evidence) -> dict[str, Any]:
    """Write evidence as plain data.

    Parameters
    ----------
    fact : Evidence
        What to write.

    Returns
    -------
    dict
        Its fields; dates in ISO form.
    """
    return {
        "facet": fact.facet,
        "term": fact.term,
        "truth": str(fact.truth),
        "service_id": fact.service_id,
        "source_url": fact.source_url,
        "source_class": fact.source_class,
        "checked_on": None if fact.checked_on is None else fact.checked_on.isoformat(),
        "page_date": None if fact.page_date is None else fact.page_date.isoformat(),
        "method": fact.method,
        "scope": fact.scope,
        "hint": fact.hint,
    }
