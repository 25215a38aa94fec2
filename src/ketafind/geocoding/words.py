"""Texts as people type them: letters, numbers, and the words of streets."""

from __future__ import annotations

import re
import unicodedata

from ketafind.errors import PlaceNotFoundError

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
# Forms of the census: "Nipissing, Unorganized, North Part", "Six Nations (Part) 40".
UNORGANIZED = re.compile(r",? \(?(?:un|non )organi[sz]e[da]\)?(?:, [^,]{1,20} part(?:ie)?)?", re.I)
PARTS_OF_RESERVES = re.compile(r"\(part(?:ie)?\)", re.I)
# A text that ends in a code as codes are written needs no mending.
WELL_ENDED = re.compile(r"[ ,][KLMNP][0-9][A-Z] [0-9][A-Z][0-9]\Z")
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
    """Return a text that can be an address, or refuse it."""
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
    """Lower the case and take off accents, so that equal names are equal texts."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    lowered = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return lowered.translate(LIGATURES)


def mended(text: str) -> str:
    """Set apart a glued postal code, close one that is split elsewhere, cut off a phone number."""
    if "norgani" in text or "(Part" in text:
        text = PARTS_OF_RESERVES.sub("", UNORGANIZED.sub(" District", text))
    if WELL_ENDED.search(text, len(text) - 8 if len(text) > 8 else 0) is not None:
        return text
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
    """Split an address into folded words and note where its parts end."""
    words: list[str] = []
    parts: list[int] = []
    part = 0
    for token in WORD.findall(fold(text)):
        if token.isalnum():
            words.append(token)
            parts.append(part)
        elif token in BREAKS:
            part += 1
        else:
            words.append(APOSTROPHES.sub("", token))
            parts.append(part)
    return words, parts


def name_key(words: list[str]) -> str:
    """Join words to the key that a place is found by."""
    return "".join([SHORT_FORMS.get(word, word) for word in words])


TYPES = {
    "ABBEY": "abbey",
    "ALLEY": "alley allee",
    "AVE": "avenue ave av avn",
    "BAY": "bay",
    "BEND": "bend",
    "BLVD": "boulevard blvd boul bd bvd",
    "BYPASS": "bypass",
    "CIR": "circle cir",
    "CIRCT": "circuit circt",
    "CLOSE": "close",
    "CONC": "concession conc con",
    "COVE": "cove",
    "CRES": "crescent cres cr crois croissant",
    "CRT": "court crt ct cour",
    "CROSS": "crossing cross",
    "DRIVE": "drive dr drv promenade prom",
    "ESTATE": "estates estate",
    "EXPY": "expressway expy",
    "FWY": "freeway fwy autoroute aut",
    "GARDEN": "gardens gdns garden",
    "GATE": "gate",
    "GREEN": "green",
    "GROVE": "grove grv",
    "HEIGHTS": "heights hts",
    "HWY": "highway hwy",
    "HILL": "hill",
    "LANE": "lane ln",
    "LANDNG": "landing landng",
    "LINE": "line ligne",
    "LINK": "link",
    "LOOP": "loop",
    "MALL": "mall",
    "MEWS": "mews",
    "PARK": "parc",
    "PATH": "path sentier",
    "PKY": "parkway pkwy pky",
    "PL": "place pl",
    "PLAZA": "plaza",
    "PT": "point",
    "RIDGE": "ridge",
    "RD": "road rd chemin ch",
    "ROUTE": "route rte",
    "ROW": "row",
    "RUN": "run",
    "SIDERD": "sideroad siderd",
    "SQ": "square sq",
    "ST": "street st str rue",
    "TERR": "terrace terr ter terrasse",
    "TLINE": "townline tline",
    "TRAIL": "trail trl",
    "VIEW": "view",
    "WALK": "walk",
    "WAY": "way voie",
    "WYND": "wynd",
}
STREET_TYPES = {word: code for code, words in TYPES.items() for word in words.split()}
"""A street type's folded spellings, and the code that Statistics Canada's register uses."""

FRENCH_FIRST = frozenset(
    [
        "rue",
        "chemin",
        "ch",
        "avenue",
        "av",
        "boulevard",
        "boul",
        "promenade",
        "prom",
        "croissant",
        "crois",
        "cour",
        "place",
        "route",
        "rte",
        "allee",
        "autoroute",
        "ligne",
        "montee",
        "terrasse",
    ]
)
"""Street types that stand before the name in French."""

DIRECTIONS = {
    "n": "N",
    "north": "N",
    "nord": "N",
    "s": "S",
    "south": "S",
    "sud": "S",
    "e": "E",
    "east": "E",
    "est": "E",
    "w": "W",
    "west": "W",
    "o": "W",
    "ouest": "W",
    "ne": "NE",
    "northeast": "NE",
    "nw": "NW",
    "northwest": "NW",
    "se": "SE",
    "southeast": "SE",
    "sw": "SW",
    "southwest": "SW",
}

UNIT_WORDS = frozenset(
    [
        "unit",
        "units",
        "suite",
        "suites",
        "ste",
        "apt",
        "apartment",
        "app",
        "appt",
        "appartement",
        "bureau",
        "bur",
        "local",
        "room",
        "rm",
        "office",
        "ofc",
        "unite",
        "floor",
        "fl",
        "flr",
        "etage",
        "level",
        "penthouse",
        "ph",
        "porte",
        "piece",
        "salle",
        "studio",
    ]
)
BOX_WORDS = frozenset({"box", "cp", "bag", "rr", "sac"})
ORDINALS = ("st", "nd", "rd", "th", "er", "re", "e", "eme", "ieme")


def street_key(words: list[str]) -> tuple[str, str, str]:
    """Reduce a street's words to its name, type and direction."""
    rest, kind, direction = list(words), "", ""
    if len(rest) > 1 and rest[-1] in DIRECTIONS:
        direction = DIRECTIONS[rest.pop()]
    if len(rest) > 1 and rest[0] in FRENCH_FIRST:
        kind = STREET_TYPES.get(rest.pop(0), "")
        rest = rest[1:] if len(rest) > 1 and rest[0] in {"de", "du", "des", "la"} else rest
    elif len(rest) > 1 and rest[-1] in STREET_TYPES:
        kind = STREET_TYPES[rest.pop()]
    if len(rest) > 1 and not direction and rest[-1] in DIRECTIONS:
        direction = DIRECTIONS[rest.pop()]
    return (
        "".join("st" if word in {"saint", "sainte", "ste"} else word for word in rest),
        (kind),
        direction,
    )


def looks_like_street(words: list[str]) -> bool:
    """Tell whether words name a street."""
    return len(words) > 1 and any(word in STREET_TYPES for word in words)
