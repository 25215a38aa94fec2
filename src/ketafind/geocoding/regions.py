"""Names of Ontario, of Canada and of everywhere else, as they stand at the end of an address."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CANADA", "ELSEWHERE", "ONTARIO", "STATE_CODES", "Tail", "read_tail"]


def _one_slip(word: str) -> frozenset[str]:
    """List the words that one typing error makes of a word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    halves = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    dropped = {one + two[1:] for one, two in halves if two}
    swapped = {one + two[1] + two[0] + two[2:] for one, two in halves if len(two) > 1}
    changed = {one + c + two[1:] for one, two in halves if two for c in letters}
    added = {one + c + two for one, two in halves for c in letters}
    return frozenset(dropped | swapped | changed | added)


# No place of Ontario, nor a large town or country elsewhere, is one of these.
ONTARIO = frozenset({"on", "ont"}) | _one_slip("ontario")
CANADA = frozenset({"can", "ca"}) | (_one_slip("canada") - _one_slip("kanata"))

PROVINCES = {
    "Alberta": "ab alta alberta",
    "British Columbia": "bc britishcolumbia colombiebritannique",
    "Manitoba": "mb man manitoba",
    "New Brunswick": "nb newbrunswick nouveaubrunswick",
    "Newfoundland and Labrador": "nl nfld newfoundland labrador newfoundlandandlabrador "
    "terreneuveetlabrador",
    "Northwest Territories": "nt nwt northwestterritories territoiresdunordouest",
    "Nova Scotia": "ns novascotia nouvelleecosse",
    "Nunavut": "nu nunavut",
    "Prince Edward Island": "pei princeedwardisland ileduprinceedouard",
    "Quebec": "qc pq que quebec",
    "Saskatchewan": "sk sask saskatchewan",
    "Yukon": "yt yukon",
}
COUNTRIES = {
    "the United Kingdom": "uk gb gbr england scotland wales unitedkingdom greatbritain "
    "northernireland royaumeuni angleterre",
    "the United States": "us usa unitedstates unitedstatesofamerica etatsunis america",
    "France": "france",
    "Ireland": "ireland irlande",
    "Australia": "australia australie",
    "New Zealand": "newzealand nz nouvellezelande",
    "India": "india inde",
    "Germany": "germany allemagne deutschland",
    "Italy": "italy italia italie",
    "Spain": "spain espagne espana",
    "Mexico": "mexico mexique",
    "Jamaica": "jamaica jamaique",
    "China": "china chine",
    "Japan": "japan japon",
    "South Africa": "southafrica afriquedusud",
    "Belgium": "belgium belgique",
    "the Netherlands": "netherlands thenetherlands holland paysbas",
    "Switzerland": "switzerland suisse",
    "Austria": "austria autriche",
    "Portugal": "portugal",
    "Poland": "poland pologne",
    "Sweden": "sweden suede",
    "Norway": "norway norvege",
    "Denmark": "denmark danemark",
    "Finland": "finland finlande",
    "Iceland": "iceland islande",
    "Greece": "greece grece",
    "Turkey": "turkey turkiye turquie",
    "Ukraine": "ukraine",
    "Russia": "russia russie",
    "Romania": "romania roumanie",
    "Hungary": "hungary hongrie",
    "the Czech Republic": "czechrepublic czechia tchequie",
    "Croatia": "croatia croatie",
    "Serbia": "serbia serbie",
    "Bulgaria": "bulgaria bulgarie",
    "Malta": "malta malte",
    "Cyprus": "cyprus chypre",
    "Luxembourg": "luxembourg",
    "Bermuda": "bermuda bermudes",
    "the Bahamas": "bahamas",
    "Barbados": "barbados barbade",
    "Trinidad and Tobago": "trinidad trinidadandtobago",
    "Haiti": "haiti",
    "Cuba": "cuba",
    "the Dominican Republic": "dominicanrepublic",
    "Guyana": "guyana",
    "Brazil": "brazil bresil brasil",
    "Argentina": "argentina argentine",
    "Chile": "chile chili",
    "Colombia": "colombia colombie",
    "Peru": "peru perou",
    "Venezuela": "venezuela",
    "Ecuador": "ecuador equateur",
    "Costa Rica": "costarica",
    "Panama": "panama",
    "Egypt": "egypt egypte",
    "Morocco": "morocco maroc",
    "Algeria": "algeria algerie",
    "Tunisia": "tunisia tunisie",
    "Nigeria": "nigeria",
    "Ghana": "ghana",
    "Kenya": "kenya",
    "Ethiopia": "ethiopia ethiopie",
    "Uganda": "uganda ouganda",
    "Tanzania": "tanzania tanzanie",
    "Zimbabwe": "zimbabwe",
    "Senegal": "senegal",
    "Cameroon": "cameroon cameroun",
    "Israel": "israel",
    "Lebanon": "lebanon liban",
    "Syria": "syria syrie",
    "Iraq": "iraq irak",
    "Iran": "iran",
    "Saudi Arabia": "saudiarabia arabiesaoudite",
    "the United Arab Emirates": "uae unitedarabemirates",
    "Qatar": "qatar",
    "Pakistan": "pakistan",
    "Bangladesh": "bangladesh",
    "Sri Lanka": "srilanka",
    "Nepal": "nepal",
    "Afghanistan": "afghanistan",
    "the Philippines": "philippines",
    "Vietnam": "vietnam",
    "Thailand": "thailand thailande",
    "Malaysia": "malaysia malaisie",
    "Singapore": "singapore singapour",
    "Indonesia": "indonesia indonesie",
    "South Korea": "southkorea korea coreedusud",
    "Taiwan": "taiwan",
    "Hong Kong": "hongkong",
}
STATES = {
    "Alabama": "al",
    "Alaska": "ak",
    "Arizona": "az",
    "Arkansas": "ar",
    "California": "calif",
    "Colorado": "co",
    "Connecticut": "ct",
    "Delaware": "de",
    "Florida": "fl",
    "Georgia": "ga",
    "Hawaii": "hi",
    "Idaho": "id",
    "Illinois": "il",
    "Indiana": "in",
    "Iowa": "ia",
    "Kansas": "ks",
    "Kentucky": "ky",
    "Louisiana": "la",
    "Maine": "me",
    "Maryland": "md",
    "Massachusetts": "ma",
    "Michigan": "mi",
    "Minnesota": "mn",
    "Mississippi": "ms",
    "Missouri": "mo",
    "Montana": "mt",
    "Nebraska": "ne",
    "Nevada": "nv",
    "New Hampshire": "nh",
    "New Jersey": "nj",
    "New Mexico": "nm",
    "New York": "ny",
    "North Carolina": "nc",
    "North Dakota": "nd",
    "Ohio": "oh",
    "Oklahoma": "ok",
    "Oregon": "or",
    "Pennsylvania": "pa",
    "Rhode Island": "ri",
    "South Carolina": "sc",
    "South Dakota": "sd",
    "Tennessee": "tn",
    "Texas": "tx",
    "Utah": "ut",
    "Vermont": "vt",
    "Virginia": "va",
    "Washington": "wa",
    "West Virginia": "wv",
    "Wisconsin": "wi",
    "Wyoming": "wy",
}
LONGEST_NAME = 4

ELSEWHERE = {
    key: name
    for names in (PROVINCES, COUNTRIES)
    for name, keys in names.items()
    for key in keys.split()
}
ELSEWHERE |= {name.lower().replace(" ", ""): name for name in STATES}
STATE_CODES = {code: name for name, code in STATES.items()}


class Tail(NamedTuple):
    """What stands after the town."""

    stop: int
    ontario: bool
    elsewhere: str


def read_tail(words: list[str], parts: list[int]) -> Tail:
    """Take province and country off the end of an address."""
    stop, ontario, canada = len(words), False, False
    while stop:
        word = words[stop - 1]
        if word in CANADA and not canada:
            # "Ontario, CA" with a US zip is California; so is it after the name of a place there.
            canada = True
        elif word in ONTARIO and not ontario:
            ontario = True
        else:
            break
        stop -= 1
    if ontario:
        return Tail(stop, ontario=True, elsewhere="")
    return Tail(stop, ontario=False, elsewhere=_elsewhere(words, parts, stop))


def _elsewhere(words: list[str], parts: list[int], stop: int) -> str:
    zip_code = stop > 1 and len(words[stop - 1]) == 5 and words[stop - 1].isdigit()
    end = stop - 1 if zip_code else stop
    for size in range(min(LONGEST_NAME, end - 1 + zip_code), 0, -1):
        name = ELSEWHERE.get("".join(words[end - size : end]))
        if name is not None:
            return name
    if not end or (end == 1 and not zip_code):
        return ""
    state = STATE_CODES.get(words[end - 1], "California" if words[end - 1] == "ca" else "")
    apart = end > 1 and parts[end - 1] > parts[end - 2]
    return state if state and (zip_code or apart) else ""
