"""The finder page: a whole directory in one file that anybody can search, in a browser alone."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from ketafind.errors import AmbiguousPlaceError, GeocodingError, InvalidInputError, check_language
from ketafind.geo import EAST, NORTH, SOUTH, WEST
from ketafind.geocoding import OfflineGeocoder, locations, reading, words
from ketafind.geocoding.gazetteer import KINDS, POST_TOWN, Gazetteer, Place
from ketafind.qualification import bundled_words, qualified
from ketafind.records import CITY_LEVEL
from ketafind.shapes import translated
from ketafind.show.basemap import packed as packed_basemap
from ketafind.show.html import asset, html_text
from ketafind.show.map import MapPage, source_hash
from ketafind.show.text import WORDS, escaped
from ketafind.tables.clinics import website
from ketafind.tables.csv import CellError

if TYPE_CHECKING:
    from ketafind.bits import StatedFacts
    from ketafind.records import Clinic, Evidence, Location, Service
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary

JSON = dict[str, Any]
PLANES = ("on_code", "on_lat", "on_lon", "on_name", "on_quality")
"""The postal codes as they lie in the gazetteer's file: the page unpacks them."""
COLUMNS = ("name", "radius_km", "reach_km", "owner", "county")
"""What the page has of each place as it is."""
FORMS = ("{}", "{}, ON", "1 Main St, {}", "1 Main St, {}, ON")
"""The forms in which the page reads a place's name."""
BOXES = {"ON": (SOUTH, NORTH, WEST, EAST), "CA": (41.6, 83.2, -141.1, -52.5)}
_TEXT = re.compile(r'<[^>]*data-text="(\w+)"[^>]*>')


def finder_page(
    clinics: Sequence[Clinic],
    vocabulary: Vocabulary,
    facts: StatedFacts,
    geocoder: object,
    snapshot: Snapshot,
    said: JSON,
    lang: str,
) -> MapPage:
    """Write the page; `said` is what others say in it: questions, the guide, how texts are put."""
    check_language(lang)
    if type(geocoder) is not OfflineGeocoder:
        raise InvalidInputError(
            f"the page reads places as the offline geocoder does, and not as a "
            f"{type(geocoder).__name__}; make the directory with an OfflineGeocoder"
        )
    texts = json.loads(asset("finder.json"))
    says = said["says"] | {f"remark.{key}": WORDS[key] for key in ("span", "city", "unknown")}
    day = None if snapshot.date is None else snapshot.date.isoformat()
    content = {
        "directory": _shown(_directory(clinics, vocabulary, facts)) | said | {"says": says},
        "gazetteer": _gazetteer(geocoder.gazetteer, geocoder.region),
        "texts": texts,
        "snapshot": {"id": snapshot.id, "date": day},
        "qualified": qualified("team").resolve(vocabulary).to_dict(),
    }
    shown = {name: both[lang] for name, both in texts.items()}
    return _page(content, geocoder.gazetteer, shown, lang)


def _page(content: JSON, gazetteer: Gazetteer, said: Mapping[str, str], lang: str) -> MapPage:
    style = asset("finder.css")
    parts = ("geographiclib-geodesic.min.js", "finder.js", "finder_page.js")
    script = "\n".join(map(asset, parts)).replace("</", "<\\/")
    plain = _TEXT.sub(lambda found: found[0] + html_text(said[found[1]]), asset("finder.html"))
    return MapPage(
        Template(plain).substitute(
            lang=lang,
            style=style,
            style_source=source_hash(style),
            script=script,
            script_source=source_hash(script),
            data=_packed(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()),
            codes=_packed_codes(gazetteer),
            basemap=base64.b64encode(packed_basemap()).decode(),
        ),
        height=720,
    )


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


@cache
def _packed_codes(gazetteer: Gazetteer) -> str:
    with np.load(gazetteer.path) as arrays:
        return _packed(b"".join(arrays[name].tobytes() for name in PLANES))


# -- Clinics ---------------------------------------------------------------------------------------


def _directory(clinics: Sequence[Clinic], vocabulary: Vocabulary, facts: StatedFacts) -> JSON:
    further = iter(facts.more_group.tolist())
    groups = [
        [first, *(next(further) for _ in clinic.services[1:])]
        for clinic, first in zip(clinics, facts.group.tolist(), strict=True)
    ]
    return {
        "city_level": sorted(CITY_LEVEL),
        "facets": [_facet(facet) for facet in vocabulary.facets],
        "quantities": {one.id: {"unit": one.unit} | _labels(one) for one in vocabulary.quantities},
        "labels": _all_labels(vocabulary),
        "groups": [
            [np.flatnonzero(np.unpackbits(row, bitorder="little")).tolist() for row in sides]
            for sides in zip(facts.yes, facts.no, strict=True)
        ],
        "clinics": [
            _clinic(clinic, numbers, vocabulary)
            for clinic, numbers in zip(clinics, groups, strict=True)
        ],
    }


def _shown(value: Any) -> Any:
    """Spell out, in every text, the characters that have no picture."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, list):
        return [_shown(one) for one in value]
    if isinstance(value, dict):
        return {_shown(name): _shown(one) for name, one in value.items()}
    return value


def _web_address(text: str) -> str:
    """An address to link to; empty where the text is none."""
    try:
        return website(text) or ""
    except CellError:
        return ""


def _labels(labelled: Any) -> JSON:
    return {"labels": {lang: labelled.label(lang) for lang in ("en", "fr")}}


def _facet(facet: Any) -> JSON:
    terms = [
        {"id": term.id, "depth": len(facet.ancestors(term.id))} | _labels(term)
        for term in facet.terms
    ]
    return {"id": facet.id, "terms": terms} | _labels(facet)


def _all_labels(vocabulary: Vocabulary) -> JSON:
    """Labels by facet and term: the directory's words, then those of the rules."""
    labels: JSON = {}
    for known_words in (vocabulary, bundled_words()):
        for facet in known_words.facets:
            known = labels.setdefault(facet.id, {"terms": {}} | _labels(facet))
            for term in facet.terms:
                known["terms"].setdefault(term.id, _labels(term)["labels"])
    return labels


def _clinic(clinic: Clinic, groups: Sequence[int], vocabulary: Vocabulary) -> JSON:
    place = clinic.location
    names = ("name", "operator", "address", "city", "province", "phone", "status", "notes")
    return {
        "id": clinic.clinic_id,
        **{name: getattr(clinic, name) for name in names},
        "website": _web_address(clinic.website),
        "lat": place and place.lat,
        "lon": place and place.lon,
        "radius": place and place.radius_km,
        "precision": place and place.precision,
        "services": [
            _service(service, group, vocabulary)
            for service, group in zip(clinic.services, groups, strict=True)
        ],
        "evidence": [_evidence(fact) for fact in clinic.evidence],
    }


def _service(service: Service, group: int, vocabulary: Vocabulary) -> JSON:
    stated = [up for flag in service.flags for up in (flag, *vocabulary.flags.ancestors(flag))]
    return {
        "id": service.service_id,
        "group": group,
        "combined": service.combined,
        "flags": stated,
        "facts": [
            [facet, term, str(truth)]
            for facet, terms in service.facts.items()
            for term, truth in terms.items()
        ],
        "quantities": {name: [size.low, size.high] for name, size in service.quantities.items()},
    }


def _evidence(fact: Evidence) -> list[str | None]:
    day = fact.page_date or fact.checked_on
    return [
        fact.service_id,
        fact.facet,
        fact.term,
        str(fact.truth),
        _web_address(fact.source_url),
        fact.source_class,
        day.isoformat() if day else None,
    ]


# -- Places ----------------------------------------------------------------------------------------


@cache
def _gazetteer(gazetteer: Gazetteer, region: str) -> JSON:
    places = gazetteer.places
    lines = (f"{key}\t{','.join(map(str, ns))}" for key, ns in gazetteer.aliases.items())
    return {
        **{name: [getattr(place, name) for place in places] for name in COLUMNS},
        "lat": [round(place.lat * 1e4) for place in places],
        "lon": [round(place.lon * 1e4) for place in places],
        "radius": [locations.place_radius_km(place) for place in places],
        "kind": [KINDS.index(place.kind) for place in places],
        "kinds": KINDS,
        "aliases": "\n".join(lines),
        "special": dict(_special(OfflineGeocoder(gazetteer, region=region))),
        "radii": locations.CODE_RADII,
        "around_factor": locations.TOGETHER_FACTOR,
        "beside": locations.BESIDE,
        "wide": locations.WIDE_KM,
        "box": BOXES[region],
        "short": words.SHORT_FORMS,
        "compass": reading.COMPASS,
        "commas": sorted(gazetteer.comma_endings),
        "whole": [" ".join(place.words) for place in places if _ends_elsewhere(place)],
        "post_town": POST_TOWN,
        "directions": _listed(words.DIRECTIONS),
        "streets": _listed(words.STREET_TYPES),
        "units": _listed(words.UNIT_WORDS | reading.AFTER_WORDS),
        "about": _listed(reading.ABOUT),
        "elsewhere": _listed(words.ELSEWHERE.keys() | words.PLAIN_STATES),
        "states": _listed(words.STATE_CODES.keys() | words.COUNTRY_CODES.keys()),
    }


def _ends_elsewhere(place: Place) -> bool:
    """Whether a name ends as that of another place does: Little Portugal."""
    ends = ("".join(place.words[at:]) for at in range(1, len(place.words)))
    return any(
        end in words.ELSEWHERE or end in words.CANADA or end in words.ONTARIO for end in ends
    )


def _listed(words: Any) -> str:
    return " ".join(sorted(words))


def _special(geocoder: OfflineGeocoder) -> Iterator[tuple[str, list[JSON]]]:
    """Answer for each name that stands for more than the one place it is listed for."""
    gazetteer = geocoder.gazetteer
    # What these mean depends on the words around them.
    doubtful = gazetteer.abroad.keys() | words.ELSEWHERE.keys() | words.STATE_CODES.keys()
    doubtful |= (
        words.COUNTRY_CODES.keys()
        | words.CANADA
        | words.ONTARIO
        | words.UNIT_WORDS
        | reading.AFTER_WORDS
        | words.AREAS.keys()
    )
    named = {words.name_key(p.words): p.plain_name for p in gazetteer.places if _ends_elsewhere(p)}
    for key, numbers in gazetteer.aliases.items():
        if len(numbers) > 1 or key in doubtful or key in named:
            name = named.get(key, key)
            yield key, [_answer(geocoder, form.format(name)) for form in FORMS]


def _answer(geocoder: OfflineGeocoder, text: str) -> JSON:
    counties = {(place.lat, place.lon): place.county for place in geocoder.gazetteer.places}
    try:
        return _place(geocoder.geocode(text), counties)
    except GeocodingError as error:
        reason = "ambiguous" if isinstance(error, AmbiguousPlaceError) else "elsewhere"
        candidates = [_place(one, counties) for one in error.candidates]
        return {"refused": reason, "candidates": candidates}


def _place(found: Location, counties: Mapping[tuple[float, float], str]) -> JSON:
    return {
        "lat": found.lat,
        "lon": found.lon,
        "radius": found.radius_km,
        "label": found.label,
        "precision": found.precision,
        "county": counties.get((found.lat, found.lon), ""),
        "notes": list(zip(found.corrections, translated(found.corrections, "fr"), strict=True)),
    }
