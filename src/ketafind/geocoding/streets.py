"""Words of streets, units and delivery routes, in English and French."""

from __future__ import annotations

__all__ = [
    "BOX_WORDS",
    "DIRECTIONS",
    "FRENCH_FIRST",
    "ORDINALS",
    "STREET_TYPES",
    "UNIT_WORDS",
    "looks_like_street",
    "street_key",
]

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
    """Reduce a street's words to its name, type and direction.

    Parameters
    ----------
    words : list of str
        Folded words, such as ``["dundas", "street", "west"]`` or ``["rue", "dundas", "o"]``.

    Returns
    -------
    tuple of str
        Name without spaces, type code and direction; type and direction are empty where not
        stated.
    """
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
    """Tell whether words name a street.

    Parameters
    ----------
    words : list of str
        Folded words.

    Returns
    -------
    bool
        True if a street's type stands among them.
    """
    return len(words) > 1 and any(word in STREET_TYPES for word in words)
