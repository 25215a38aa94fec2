"""The finder page: a whole directory in one file that anybody can search, in a browser alone."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ketafind.errors import AmbiguousPlaceError, GeocodingError, InvalidInputError, check_language
from ketafind.geo import EAST, NORTH, SOUTH, WEST
from ketafind.geocoding import OfflineGeocoder, locations, reading, words
from ketafind.geocoding.gazetteer import POST_TOWN, Gazetteer, Place
from ketafind.qualification import bundled_words, qualified
from ketafind.records import CITY_LEVEL
from ketafind.shapes import translated
from ketafind.show import basemap
from ketafind.show.html import MapPage, asset, filled, spelled_out
from ketafind.show.text import WORDS

if TYPE_CHECKING:
    from ketafind.bits import StatedFacts
    from ketafind.records import Clinic, Location
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary

JSON = dict[str, Any]
Counties = Mapping[tuple[float, float], str]
PLANES = ("on_code", "on_lat", "on_lon", "on_name", "on_quality")
"""The postal codes as they lie in the gazetteer's file: the page unpacks them."""
COLUMNS = ("name", "lat", "lon", "radius_km", "reach_km", "kind", "owner", "county")
"""What the page has of each place as it is."""
FORMS = ("{}", "{}, ON", "1 Main St, {}", "1 Main St, {}, ON")
"""The forms in which the page reads a place's name."""
BOXES = {"ON": (SOUTH, NORTH, WEST, EAST), "CA": (41.6, 83.2, -141.1, -52.5)}
SCRIPTS = ("geographiclib-geodesic.min.js", "finder.js", "finder_page.js")


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
    directory = {
        "clinics": [clinic.to_dict() for clinic in clinics],
        "vocabulary": vocabulary.to_dict(),
        "rules": bundled_words().to_dict(),
        "yes": _listed_bits(facts.yes),
        "no": _listed_bits(facts.no),
        "first_groups": facts.group.tolist(),
        "more_groups": facts.more_group.tolist(),
        "city_level": sorted(CITY_LEVEL),
        "remarks": WORDS,
    }
    content = {
        "directory": spelled_out(directory) | said,
        "gazetteer": _gazetteer(geocoder.gazetteer, geocoder.region),
        "texts": texts,
        "snapshot": {"id": snapshot.id, "date": snapshot.date and snapshot.date.isoformat()},
        "qualified": qualified("team").resolve(vocabulary).to_dict(),
    }
    packed = {
        "content": _packed(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()),
        "codes": _packed_codes(geocoder.gazetteer),
        "basemap": base64.b64encode(basemap.packed()).decode(),
    }
    shown = {name: both[lang] for name, both in texts.items()}
    return MapPage(filled("finder", lang, shown, packed, ("finder.css",), SCRIPTS), height=720)


def _listed_bits(rows: Any) -> list[list[int]]:
    return [np.flatnonzero(np.unpackbits(row, bitorder="little")).tolist() for row in rows]


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


@cache
def _packed_codes(gazetteer: Gazetteer) -> str:
    with np.load(gazetteer.path) as arrays:
        return _packed(b"".join(arrays[name].tobytes() for name in PLANES))


@cache
def _gazetteer(gazetteer: Gazetteer, region: str) -> JSON:
    places = gazetteer.places
    lines = (f"{key}\t{','.join(map(str, ns))}" for key, ns in gazetteer.aliases.items())
    lists = {
        "directions": words.DIRECTIONS,
        "streets": words.STREET_TYPES,
        "units": words.UNIT_WORDS | reading.AFTER_WORDS,
        "about": reading.ABOUT,
        "elsewhere": words.ELSEWHERE.keys() | words.PLAIN_STATES,
        "states": words.STATE_CODES.keys() | words.COUNTRY_CODES.keys(),
        "commas": gazetteer.comma_endings,
    }
    return {
        **{name: [getattr(place, name) for place in places] for name in COLUMNS},
        "radius": [locations.place_radius_km(place) for place in places],
        "aliases": "\n".join(lines),
        "special": dict(_special(OfflineGeocoder(gazetteer, region=region))),
        "radii": locations.CODE_RADII,
        "around_factor": locations.TOGETHER_FACTOR,
        "beside": locations.BESIDE,
        "wide": locations.WIDE_KM,
        "box": BOXES[region],
        "short": words.SHORT_FORMS,
        "compass": reading.COMPASS,
        "whole": [" ".join(place.words) for place in places if _ends_elsewhere(place)],
        "post_town": POST_TOWN,
        **{name: sorted(some) for name, some in lists.items()},
    }


def _ends_elsewhere(place: Place) -> bool:
    """Whether a name ends as that of another place does: Little Portugal."""
    elsewhere = words.ELSEWHERE.keys() | words.CANADA | words.ONTARIO
    return any("".join(place.words[at:]) in elsewhere for at in range(1, len(place.words)))


def _special(geocoder: OfflineGeocoder) -> Iterator[tuple[str, list[JSON]]]:
    """Answer for each name that stands for more than the one place it is listed for."""
    gazetteer = geocoder.gazetteer
    counties = {(place.lat, place.lon): place.county for place in gazetteer.places}
    # What these mean depends on the words around them.
    doubtful = {*gazetteer.abroad, *words.ELSEWHERE, *words.STATE_CODES, *words.COUNTRY_CODES}
    doubtful.update(words.CANADA, words.ONTARIO, words.AREAS, words.UNIT_WORDS, reading.AFTER_WORDS)
    named = {words.name_key(p.words): p.plain_name for p in gazetteer.places if _ends_elsewhere(p)}
    for key, numbers in gazetteer.aliases.items():
        if len(numbers) > 1 or key in doubtful or key in named:
            name = named.get(key, key)
            yield key, [_answer(geocoder, form.format(name), counties) for form in FORMS]


def _answer(geocoder: OfflineGeocoder, text: str, counties: Counties) -> JSON:
    try:
        return _place(geocoder.geocode(text), counties)
    except GeocodingError as error:
        reason = "ambiguous" if isinstance(error, AmbiguousPlaceError) else "elsewhere"
        candidates = [_place(one, counties) for one in error.candidates]
        return {"refused": reason, "candidates": candidates}


def _place(found: Location, counties: Counties) -> JSON:
    return {
        "lat": found.lat,
        "lon": found.lon,
        "radius": found.radius_km,
        "label": found.label,
        "precision": found.precision,
        "county": counties.get((found.lat, found.lon), ""),
        "notes": list(zip(found.corrections, translated(found.corrections, "fr"), strict=True)),
    }
