"""What a model reads through the server, and what it may not be told."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

import ketafind as kf
from ketafind.mcp import make_server

DIRECTORY = kf.load_directory()
QUESTION = {"place": "Kingston, ON", "routes": ["iv"], "k": 3}


def call(name: str, *, precise: bool = False, **arguments: Any) -> Any:
    """The answer of a tool: its data, or the text of its error."""

    async def ask() -> Any:
        async with Client(make_server(DIRECTORY, precise=precise)) as client:
            answer = await client.call_tool(name, arguments)
            return answer.content[0].text if answer.is_error else answer.structured_content

    return asyncio.run(ask())


def test_the_nearest_are_those_of_the_directory() -> None:
    answer = call("nearest", question=QUESTION)
    expected = DIRECTORY.nearest("Kingston, ON", k=3, routes="iv").to_dict("en")
    assert {name: answer[name] for name in expected} == json.loads(json.dumps(expected))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("nearest", {"question": QUESTION}),
        ("explain", {"question": QUESTION}),
        ("why_not", {"question": QUESTION, "clinic_id": "caledon-clinic"}),
        ("questions", {"question": {**QUESTION, "unknown": "include"}}),
        ("vocabulary", {}),
        (
            "evidence",
            {"clinic_id": "providence-care-ketamine-clinic", "facet": "route", "term": "iv"},
        ),
    ],
)
def test_every_answer_says_its_date_and_that_it_is_no_medical_advice(
    name: str, arguments: dict[str, Any]
) -> None:
    for lang in ("en", "fr"):
        answer = call(name, lang=lang, **arguments)
        assert answer["notice"] == kf.guide.notice(lang)
        assert answer["data"] == str(DIRECTORY.snapshot)


def test_flags_and_the_unknown_are_asked_for() -> None:
    question = {"place": "Ottawa", "flags": ["virtual"], "unknown": "include"}
    found = call("nearest", question=question)["matches"]
    expected = DIRECTORY.nearest("Ottawa", virtual=True, unknown="include")
    assert [one["clinic_id"] for one in found] == [match.clinic.clinic_id for match in expected]
    assert {one["truth"] for one in found} >= {"unknown"}


@pytest.mark.parametrize("place", ["Kingston", "K7L", "k7l", "Kingston, ON K7L", "St. Thomas"])
def test_a_town_or_the_first_three_characters_are_enough(place: str) -> None:
    assert call("nearest", question={"place": place})["matches"]


@pytest.mark.parametrize(
    "place", ["K7L 3N6", "752 King St W, Kingston", "44.23, -76.48", "Kingston K7L3N6", "K7L 3"]
)
def test_a_place_that_is_more_precise_is_refused_unless_it_is_allowed(place: str) -> None:
    said = call("nearest", question={"place": place})
    assert "--precise-places" in said
    assert place not in said
    if place != "K7L 3":
        assert call("nearest", precise=True, question={"place": place})["matches"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"place": "Kingston", "routes": ["intraveneous"]}, "did you mean"),
        ({"place": "Vancouver"}, "does not cover"),
        ({"place": "Kingston", "k": 0}, "k"),
        ({"place": "Kingston", "radius": 5}, "radius"),
        ({}, "place"),
    ],
)
def test_an_error_says_what_to_do(question: dict[str, Any], words: str) -> None:
    assert words in call("nearest", question=question)


@pytest.mark.parametrize("place", ["Sydenham", "Nowhereville", "Vancouver"])
def test_no_error_makes_a_model_ask_a_person_where_exactly_they_are(place: str) -> None:
    for lang in ("en", "fr"):
        said = call("nearest", question={"place": place}, lang=lang)
        assert "oordinates" not in said
        assert "give a postal" not in said
        assert said.endswith("--precise-places")
        assert ("Sydenham (Grey), ON; Sydenham (Frontenac), ON" in said) == (place == "Sydenham")
    assert "Qui le lance" in said
    assert "give a" in call("nearest", precise=True, question={"place": "Nowhereville"})


def test_a_french_error_is_french() -> None:
    question = {"place": "Kingston", "routes": ["intraveneous"]}
    assert "n'est pas" in call("nearest", question=question, lang="fr")


def test_no_log_holds_where_somebody_searches_or_what_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger().setLevel(logging.DEBUG)
    for question in (
        {"place": "Moosonee", "conditions": ["ptsd"]},
        {"place": "Moosonee P0L 1Y0", "conditions": ["ptsd"]},
        {"place": "Moosoneeville", "conditions": ["ptsdx"]},
        {"place": "Moosonee", "conditions": "ptsd"},
    ):
        call("nearest", question=question)
    text = caplog.text.lower()
    assert "moosonee" not in text
    assert "ptsd" not in text


def test_the_command_answers_on_its_standard_streams() -> None:
    async def ask() -> tuple[list[str], str]:
        here = StdioServerParameters(
            command=sys.executable, args=["-m", "ketafind", "mcp"], env=dict(os.environ)
        )
        async with Client(stdio_client(here)) as client:
            tools = (await client.list_tools()).tools
            assert all(tool.annotations.read_only_hint for tool in tools)
            answer = await client.call_tool("nearest", {"question": QUESTION})
            return [tool.name for tool in tools], answer.structured_content["matches"][0]["name"]

    names, first = asyncio.run(ask())
    assert names == ["nearest", "explain", "why_not", "questions", "vocabulary", "evidence"]
    assert first == DIRECTORY.nearest("Kingston, ON", routes="iv")[0].clinic.name


def test_a_client_that_goes_away_in_the_middle_ends_the_server_without_a_traceback() -> None:
    """It answers into a closed pipe."""
    asked = [
        {"id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}},
        {"method": "notifications/initialized"},
        *({"id": at, "method": "tools/list"} for at in (2, 3)),
    ]  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "ketafind", "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    server.stdout.close()
    _, said = server.communicate(
        "".join(json.dumps({"jsonrpc": "2.0", **one}) + "\n" for one in asked)
    )
    assert said == ""
    assert server.returncode == 1
