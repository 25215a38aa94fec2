"""Words as people type them: one key for every spelling that means the same."""

from __future__ import annotations

import unicodedata

__all__ = ["fold", "shown", "strange_characters"]

# Only real accents are dropped: a combining overlay or an added dot makes another letter.
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0308\u030a\u030b\u030c\u0327\u0328")
_IGNORED = frozenset("-_'\u2010\u2011\u2013\u2019")
_SHOWN = 60


def fold(text: str) -> str:
    """Reduce a word to what is compared: no case, accents, spaces, hyphens or apostrophes.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The key; empty when nothing is left to compare.

    Notes
    -----
    Look-alikes keep their own letter: dotless i, the Kelvin sign, full-width and Cyrillic letters
    and zero-width characters never become the Latin letter they resemble.
    """
    return "".join(_letter(character) for character in text)


def _letter(character: str) -> str:
    if character.isspace() or character in _IGNORED or character in _ACCENTS:
        return ""
    # A character that Unicode would swap for another one, such as the Kelvin sign for K.
    if unicodedata.normalize("NFC", character) != character:
        return character
    parts = unicodedata.normalize("NFD", character)
    return parts[0].lower() if _ACCENTS.issuperset(parts[1:]) else character


def strange_characters(text: str) -> tuple[str, ...]:
    """Name the characters that no Latin word has, each once, in order.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    tuple of str
        Such as ``"U+0131 LATIN SMALL LETTER DOTLESS I"``.
    """
    odd = dict.fromkeys(c for c in text if not (k := _letter(c)).isascii() or not _printable(k))
    return tuple(f"U+{ord(c):04X} {unicodedata.name(c, 'control character')}" for c in odd)


def _printable(key: str) -> bool:
    return not key or key.isprintable()


def shown(text: str) -> str:
    """Quote a value for an error text: short, and with invisible characters made visible.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text in double quotes.
    """
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return f'"{visible}"'
