"""Addresses as words: folding, splitting and the keys that names are found by."""

from __future__ import annotations

import re
import unicodedata

from ketafind.errors import PlaceNotFoundError

__all__ = ["LONGEST", "check_text", "fold", "mended", "name_key", "words_of"]

LONGEST = 1_000
"""The longest text read as an address, in characters."""

# Two classes without a common character: no backtracking, whatever the input.
WORD = re.compile(r"[^\W_]+(?:['’ʼ`][^\W_]+)*|[,;:\n\r()|]")
BREAKS = frozenset(",;:\n\r()|")
APOSTROPHES = re.compile(r"['’ʼ`]")
LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "đ": "d", "ł": "l"})
# A postal code that is glued to the word before it, or has its space in another place.
GLUED = re.compile(r"(?<=[A-Za-z])(?=[KLMNP][0-9][A-Z][ -]?[0-9][A-Z][0-9](?![A-Z0-9]))", re.I)
SHIFTED = re.compile(
    r"(?<![A-Z0-9])(?:([KLMNP][0-9])[ -]([A-Z][0-9][A-Z][0-9])|([KLMNP][0-9][A-Z][0-9])[ -]"
    r"([A-Z][0-9]))(?![A-Z0-9])",
    re.I,
)
# It begins with a digit or a sign, not with blanks: no run of them is read again and again.
PHONE = re.compile(
    r"(?<![\w+])(?:\+1[ .-]?|1[.-])?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}"
    r"(?:,? ?(?:ext|poste|x)[.:]? ?[0-9]{1,5})?$",
    re.I,
)
PHONE_WORD = re.compile(r"(?<!\w)(?:tel|tél|telephone|téléphone|phone|ph)$", re.I)
BEFORE_PHONE = " \t\r\n,;:.(|/-–—"
SHORT_FORMS = {
    "saint": "st",
    "sainte": "st",
    "ste": "st",
    "mt": "mount",
    "ft": "fort",
    "pt": "port",
    "stn": "station",
}


def check_text(text: object) -> str:
    """Return a text that can be an address, or refuse it.

    Parameters
    ----------
    text : object
        What the caller gave.

    Returns
    -------
    str
        The same text.

    Raises
    ------
    PlaceNotFoundError
        If it is no text, blank, longer than `LONGEST`, or holds a character no address has.
    """
    if not isinstance(text, str):
        raise PlaceNotFoundError(f"an address must be text, not {type(text).__name__}")
    if len(text) > LONGEST:
        raise PlaceNotFoundError(
            f"an address of {len(text):,} characters is too long: the limit is {LONGEST:,}"
        )
    if not text or text.isspace():
        raise PlaceNotFoundError(
            "the address is empty; give a postal code (K7L 3N6), a town or a full address"
        )
    if not text.isprintable():
        _refuse_odd_characters(text)
    return text


def _refuse_odd_characters(text: str) -> None:
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cs" or (kind == "Cc" and character not in "\t\n\r"):
            raise PlaceNotFoundError(
                f"the address holds the character U+{ord(character):04X}, which no address has"
            )


def fold(text: str) -> str:
    """Lower the case and take off accents, so that equal names are equal texts.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Lower case; no combining marks; ligatures as two letters; full-width forms as plain ones.
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    lowered = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return lowered.translate(LIGATURES)


def mended(text: str) -> str:
    """Set apart a glued postal code, close one that is split elsewhere, cut off a phone number.

    Parameters
    ----------
    text : str
        The address.

    Returns
    -------
    str
        ``"Toronto ON M5V2C3"`` for ``"Toronto ONM5V2C3"`` or ``"Toronto ON M5 V2C3"``, and
        ``"Barrie"`` for ``"Barrie, tel. 705-555-1212"``; else the same text.
    """
    # A postal code's last letter tells most texts from a phone number at once.
    if not text[-2:-1].isalpha():
        text = _without_phone(text)
    return SHIFTED.sub(lambda found: "".join(filter(None, found.groups())), GLUED.sub(" ", text))


def _without_phone(text: str) -> str:
    found = PHONE.search(text.rstrip())
    if found is None:
        return text
    before = text[: found.start()].rstrip(BEFORE_PHONE)
    # A number with nothing before it is left, to be refused as it stands.
    return PHONE_WORD.sub("", before).rstrip(BEFORE_PHONE) or text


def words_of(text: str) -> tuple[list[str], list[int]]:
    """Split an address into folded words and note where its parts end.

    Parameters
    ----------
    text : str
        The address.

    Returns
    -------
    words : list of str
        Folded words without apostrophes.
    parts : list of int
        For each word the number of commas, line ends and brackets before it.
    """
    words: list[str] = []
    parts: list[int] = []
    part = 0
    for token in WORD.findall(fold(text)):
        if token in BREAKS:
            part += 1
        else:
            words.append(token if token.isalnum() else APOSTROPHES.sub("", token))
            parts.append(part)
    return words, parts


def name_key(words: list[str]) -> str:
    """Join words to the key that a place is found by.

    Parameters
    ----------
    words : list of str
        Folded words.

    Returns
    -------
    str
        Without spaces; Saint, Sainte, Ste and St are one, and so are Mt and Mount.
    """
    return "".join([SHORT_FORMS.get(word, word) for word in words])
