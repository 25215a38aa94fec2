"""Names of Ontario, of Canada and of everywhere else, as they stand at the end of an address."""

from __future__ import annotations


def _one_slip(word: str) -> frozenset[str]:
    """List the words that one typing error makes of a word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    halves = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    dropped = {one + two[1:] for one, two in halves if two}
    swapped = {one + two[1] + two[0] + two[2:] for one, two in halves if len(two) > 1}
    changed = {one + c + two[1:] for one, two in halves if two for c in letters}
    added = {one + c + two for one, two in halves for c in letters}
    return frozenset(dropped | swapped | changed | added)


def _keys(block: str) -> dict[str, str]:
    """Read lines of "Name: key key; Name: key" as the name of each key."""
    entries = (entry.strip().partition(": ") for entry in block.replace("\n", " ").split(";"))
    return {key: name for name, _, keys in entries for key in keys.split()}


# No place of Ontario, nor a large town or country elsewhere, is one of these.
ONTARIO = frozenset({"on", "ont"}) | _one_slip("ontario")
CANADA = frozenset({"can", "ca"}) | (_one_slip("canada") - _one_slip("kanata"))

ELSEWHERE = _keys("""
Alberta: ab alta alberta; British Columbia: bc britishcolumbia colombiebritannique;
Manitoba: mb man manitoba; New Brunswick: nb newbrunswick nouveaubrunswick;
Newfoundland and Labrador: nl nfld newfoundland labrador newfoundlandandlabrador terreneuveetlabrador;
Northwest Territories: nt nwt northwestterritories territoiresdunordouest;
Nova Scotia: ns novascotia nouvelleecosse; Nunavut: nu nunavut;
Prince Edward Island: pei princeedwardisland ileduprinceedouard; Quebec: qc pq que quebec;
Saskatchewan: sk sask saskatchewan; Yukon: yt yukon;

the United Kingdom: uk gb gbr england scotland wales unitedkingdom greatbritain northernireland royaumeuni angleterre;
the United States: us usa unitedstates unitedstatesofamerica etatsunis america; France: france;
Ireland: ireland irlande; Australia: australia australie;
New Zealand: newzealand nz nouvellezelande; India: india inde;
Germany: germany allemagne deutschland; Italy: italy italia italie; Spain: spain espagne espana;
Mexico: mexico mexique; Jamaica: jamaica jamaique; China: china chine; Japan: japan japon;
South Africa: southafrica afriquedusud; Belgium: belgium belgique;
the Netherlands: netherlands thenetherlands holland paysbas; Switzerland: switzerland suisse;
Austria: austria autriche; Portugal: portugal; Poland: poland pologne; Sweden: sweden suede;
Norway: norway norvege; Denmark: denmark danemark; Finland: finland finlande;
Iceland: iceland islande; Greece: greece grece; Turkey: turkey turkiye turquie;
Ukraine: ukraine; Russia: russia russie; Romania: romania roumanie; Hungary: hungary hongrie;
the Czech Republic: czechrepublic czechia tchequie; Croatia: croatia croatie;
Serbia: serbia serbie; Bulgaria: bulgaria bulgarie; Malta: malta malte; Cyprus: cyprus chypre;
Luxembourg: luxembourg; Bermuda: bermuda bermudes; the Bahamas: bahamas;
Barbados: barbados barbade; Trinidad and Tobago: trinidad trinidadandtobago; Haiti: haiti;
Cuba: cuba; the Dominican Republic: dominicanrepublic; Guyana: guyana;
Brazil: brazil bresil brasil; Argentina: argentina argentine; Chile: chile chili;
Colombia: colombia colombie; Peru: peru perou; Venezuela: venezuela; Ecuador: ecuador equateur;
Costa Rica: costarica; Panama: panama; Egypt: egypt egypte; Morocco: morocco maroc;
Algeria: algeria algerie; Tunisia: tunisia tunisie; Nigeria: nigeria; Ghana: ghana;
Kenya: kenya; Ethiopia: ethiopia ethiopie; Uganda: uganda ouganda; Tanzania: tanzania tanzanie;
Zimbabwe: zimbabwe; Senegal: senegal; Cameroon: cameroon cameroun; Israel: israel;
Lebanon: lebanon liban; Syria: syria syrie; Iraq: iraq irak; Iran: iran;
Saudi Arabia: saudiarabia arabiesaoudite; the United Arab Emirates: uae unitedarabemirates;
Qatar: qatar; Pakistan: pakistan; Bangladesh: bangladesh; Sri Lanka: srilanka; Nepal: nepal;
Afghanistan: afghanistan; the Philippines: philippines; Vietnam: vietnam;
Thailand: thailand thailande; Malaysia: malaysia malaisie; Singapore: singapore singapour;
Indonesia: indonesia indonesie; South Korea: southkorea korea coreedusud; Taiwan: taiwan;
Hong Kong: hongkong
""")
"""Provinces, countries and states by their names and longer forms, without spaces."""

STATE_CODES = _keys("""
Alabama: al; Alaska: ak; Arizona: az; Arkansas: ar; California: calif; Colorado: co;
Connecticut: ct; Delaware: de; Florida: fl; Georgia: ga; Hawaii: hi; Idaho: id; Illinois: il;
Indiana: in; Iowa: ia; Kansas: ks; Kentucky: ky; Louisiana: la; Maine: me; Maryland: md;
Massachusetts: ma; Michigan: mi; Minnesota: mn; Mississippi: ms; Missouri: mo; Montana: mt;
Nebraska: ne; Nevada: nv; New Hampshire: nh; New Jersey: nj; New Mexico: nm; New York: ny;
North Carolina: nc; North Dakota: nd; Ohio: oh; Oklahoma: ok; Oregon: or; Pennsylvania: pa;
Rhode Island: ri; South Carolina: sc; South Dakota: sd; Tennessee: tn; Texas: tx; Utah: ut;
Vermont: vt; Virginia: va; Washington: wa; West Virginia: wv; Wisconsin: wi; Wyoming: wy; the District of Columbia: dc
""")
ELSEWHERE |= {name.lower().replace(" ", ""): name for name in STATE_CODES.values()}

PLAIN_STATES = frozenset(
    [
        "ny",
        "nj",
        "tx",
        "fl",
        "oh",
        "mi",
        "il",
        "va",
        "nc",
        "ga",
        "az",
        "tn",
        "mo",
        "md",
        "wi",
        "mn",
        "sc",
        "ky",
        "ut",
        "nv",
        "nm",
        "ks",
        "ar",
        "ms",
        "wv",
        "nh",
        "ri",
        "vt",
        "wa",
        "dc",
    ]
)
"""Codes of states that at the end of an address are no word, street or direction."""

COUNTRY_CODES = _keys("""
France: fr; Germany: de; Italy: it; Spain: es; Ireland: ie; Australia: au; Belgium: be;
Switzerland: ch; Austria: at; Portugal: pt; Poland: pl; Sweden: se; Denmark: dk; Finland: fi;
Greece: gr; Turkey: tr; Ukraine: ua; Russia: ru; China: cn; Japan: jp; Mexico: mx; Brazil: br;
South Africa: za; Jamaica: jm; South Korea: kr; Singapore: sg; Hong Kong: hk; the Netherlands: nl
""")
"""Codes of countries, read as such only as a part of their own: "Paris, FR"."""
