"""A server for agents, by the Model Context Protocol: over standard streams, and read-only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce, wraps
from operator import and_
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ketafind import __version__, guide
from ketafind.criteria import Criteria, flag
from ketafind.errors import GeocodingError, InvalidInputError, KetafindError, packaged
from ketafind.files import require
from ketafind.shapes import in_language

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.matches import Matches

Lang = Literal["en", "fr"]

TEXTS: dict[str, str] = packaged("mcp.json")
NO_MORE_THAN_AN_AREA = re.compile(r"(\D*\b)?([A-Za-z]\d[A-Za-z])?")


@dataclass(frozen=True)
class Question:
    """What is sought: clinics near a place; lists hold terms of `vocabulary`."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    place: str
    routes: list[str] = field(default_factory=list)
    staff: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    k: int = 5
    unknown: Literal["exclude", "include", "only"] = "exclude"
    max_distance_km: float | None = None


class _Tools:
    """What a model may ask: it reads the docstrings."""

    def __init__(self, directory: Directory, *, precise: bool) -> None:
        self._directory = directory
        self._precise = precise

    def nearest(self, question: Question, lang: Lang = "en") -> dict[str, Any]:
        """Find the k nearest that offer one of each list and have every flag; unknown="include" adds those that may."""
        return self._said(self._asked(question).to_dict(lang), lang)

    def explain(self, question: Question, lang: Lang = "en") -> dict[str, Any]:
        """Say why each clinic is in the answer to the same question, and how sure that is."""
        return self._said(self._asked(question).explain(lang=lang).to_dict(), lang)

    def why_not(self, question: Question, clinic_id: str, lang: Lang = "en") -> dict[str, Any]:
        """Say why a clinic is not in the answer to the same question."""
        return self._said(self._asked(question).why_not(clinic_id, lang=lang).to_dict(), lang)

    def questions(self, question: Question, lang: Lang = "en") -> dict[str, Any]:
        """List what to ask each clinic of the answer, because it is not known."""
        return self._said(self._asked(question).questions(lang=lang).to_dict(), lang)

    def vocabulary(self, lang: Lang = "en") -> dict[str, Any]:
        """List the terms that questions may hold, by facet, each with its label."""
        facets = self._directory.vocabulary.facets
        terms = {one.id: {term.id: term.label(lang) for term in one} for one in facets}
        return self._said({"facets": terms}, lang)

    def evidence(self, clinic_id: str, facet: str, term: str, lang: Lang = "en") -> dict[str, Any]:
        """List the sources of one fact of a clinic: page, day, method and hint."""
        found = self._directory.evidence(clinic_id, facet, term)
        return self._said({"evidence": [one.to_dict(lang) for one in found]}, lang)

    def _asked(self, asked: Question) -> Matches:
        if not self._precise and not NO_MORE_THAN_AN_AREA.fullmatch(asked.place.strip()):
            raise InvalidInputError(TEXTS["too_precise"])
        wanted: list[Criteria] = [flag(name) for name in asked.flags]
        return self._directory.nearest(
            asked.place,
            asked.k,
            where=reduce(and_, wanted) if wanted else None,
            routes=asked.routes or None,
            staff=asked.staff or None,
            conditions=asked.conditions or None,
            unknown=asked.unknown,
            max_distance_km=asked.max_distance_km,
        )

    def _said(self, answer: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
        return {**answer, "data": str(self._directory.snapshot), "notice": guide.notice(lang)}


def make_server(directory: Directory, *, precise: bool = False) -> Any:
    """Make a server with a tool for each question; ``run("stdio")`` starts it."""
    sdk, types = require("mcp.server", "mcp"), require("mcp.types", "mcp")
    server = sdk.MCPServer(
        "ketafind", instructions=TEXTS["instructions"], version=__version__, log_level="WARNING"
    )
    hints = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
    tools = _Tools(directory, precise=precise)
    for name in ("nearest", "explain", "why_not", "questions", "vocabulary", "evidence"):
        tool = _telling_errors(getattr(tools, name), precise=precise)
        server.add_tool(tool, annotations=hints)
    return server


def _telling_errors(
    tool: Callable[..., dict[str, Any]], *, precise: bool
) -> Callable[..., dict[str, Any]]:
    """Let the model read what was wrong; of other errors it sees only that there was one."""
    types = require("mcp.types", "mcp")

    @wraps(tool)
    def told(**arguments: Any) -> Any:
        try:
            return tool(**arguments)
        except KetafindError as error:
            # Returned, not raised: the SDK logs what is raised, and it may name a condition.
            said = _text(error, arguments.get("lang", "en"), precise=precise)
            text = types.TextContent(type="text", text=said)
            return types.CallToolResult(content=[text], is_error=True)

    return told


def _text(error: KetafindError, lang: Lang, *, precise: bool) -> str:
    said = error.text(lang)
    if not isinstance(error, GeocodingError):
        return said
    meant = [place.label for place in error.candidates]
    if precise:
        return "; ".join([said, *meant])
    # The advice to give a postal code would make a model ask a person for one.
    cause = said.partition("; ")[0]
    return "; ".join([cause, *meant, in_language(TEXTS["too_precise"], lang)])
