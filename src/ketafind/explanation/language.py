"""The sentences of explanations, in each language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ketafind.errors import InvalidInputError

__all__ = ["LANGUAGES", "check_language", "counted", "listed", "number", "say", "texts"]

LANGUAGES = ("en", "fr")


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Load every sentence: key to language to template.

    Returns
    -------
    mapping
        The content of ``texts.json``.
    """
    loaded: dict[str, dict[str, str]] = json.loads(
        Path(__file__).with_name("texts.json").read_text("utf-8")
    )
    return loaded


def check_language(lang: Any) -> str:
    """Read a language; a region (``"fr-CA"``) is ignored.

    Parameters
    ----------
    lang : str
        ``"en"`` or ``"fr"``.

    Returns
    -------
    str
        One of `LANGUAGES`.

    Raises
    ------
    InvalidInputError
        If it is another.
    """
    wanted = lang.replace("_", "-").partition("-")[0].lower() if isinstance(lang, str) else lang
    if wanted not in LANGUAGES:
        raise InvalidInputError(f"lang={lang!r}: choose {', '.join(map(repr, LANGUAGES))}")
    return str(wanted)


def say(key: str, lang: str, **values: Any) -> str:
    """Fill a sentence in.

    Parameters
    ----------
    key : str
        Its name in ``texts.json``.
    lang : str
        One of `LANGUAGES`.
    **values
        What stands in its places.

    Returns
    -------
    str
        The sentence.
    """
    template = texts()[key][lang]
    return template.format(**values) if values else template


def counted(key: str, n: int, lang: str, **values: Any) -> str:
    """Fill a sentence in that depends on a number: ``key.one`` or ``key.other``.

    Parameters
    ----------
    key : str
        Its name without the ending.
    n : int
        The number, ``{n}`` in the sentence.
    lang : str
        One of `LANGUAGES`; in French nought is singular.
    **values
        What else stands in its places.

    Returns
    -------
    str
        The sentence.
    """
    singular = n == 1 or (lang == "fr" and n == 0)
    return say(f"{key}.{'one' if singular else 'other'}", lang, n=number(n, lang), **values)


def number(value: float, lang: str, places: int = 0) -> str:
    """Write a number as the language does.

    Parameters
    ----------
    value : float
        Any finite number.
    lang : str
        One of `LANGUAGES`.
    places : int
        Decimals.

    Returns
    -------
    str
        ``"1,234.5"`` or ``"1 234,5"``.
    """
    text = f"{value:,.{places}f}"
    return text if lang == "en" else text.translate({ord(","): "\u00a0", ord("."): ","})


def listed(items: list[str] | tuple[str, ...], lang: str, word: str = "or") -> str:
    """Join words: ``"a, b or c"``.

    Parameters
    ----------
    items : sequence of str
        One or more.
    lang : str
        One of `LANGUAGES`.
    word : str
        ``"or"`` or ``"and"``.

    Returns
    -------
    str
        The words.
    """
    *most, last = items
    return f"{', '.join(most)} {say(word, lang)} {last}" if most else last
