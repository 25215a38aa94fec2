"""Clinics as an HSDS 3 list of services, and such lists as clinics."""

# What HSDS has no property for stands in a property of ours, "ketafind", which its schemas allow.

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from ketafind.errors import UnknownTermError
from ketafind.show.fhir import FORMS, SYSTEM, find, put_all, warn_of_unread
from ketafind.tables.frames import Found, add_fact
from ketafind.tables.places import postal_letters

if TYPE_CHECKING:
    from ketafind.records import Clinic, Service
    from ketafind.vocabulary import Vocabulary

JSON = dict[str, Any]

OURS = "ketafind"
LOCATION, METADATA, QUANTITIES, STATUS = FORMS["hsds"].values()
ADDRESS = ("address_1", "city", "state_province", "postal_code", "country")
_UNKNOWN = ("", None)


def service_list(clinics: Iterable[Clinic], vocabulary: Vocabulary, lang: str) -> JSON:
    """Write each service, with its organization and location, as a page of an HSDS API."""
    contents = [
        _service(clinic, service, vocabulary, lang)
        for clinic in clinics
        for service in clinic.services
    ]
    n = len(contents)
    page = {"total_items": n, "total_pages": 1, "page_number": 1, "size": n}
    return {**page, "first_page": True, "last_page": True, "empty": n == 0, "contents": contents}


def _id(*key: object) -> str:
    text = "\n".join(map(str, (SYSTEM, "hsds", *key)))
    return str(uuid5(NAMESPACE_URL, text.encode("utf-8", "replace").decode()))


def _service(clinic: Clinic, service: Service, vocabulary: Vocabulary, lang: str) -> JSON:
    plain: JSON = dict(service.to_dict())
    own = _id(clinic.clinic_id, service.service_id)
    facts: JSON = plain["facts"]
    labels = {facet.id: facet for facet in vocabulary.facets}
    attributes = [
        {
            "id": _id(own, name, term["id"]),
            "link_id": own,
            "link_entity": "service",
            "link_type": name,
            "value": term["truth"],
            "taxonomy_term": {
                "id": _id(name, term["id"]),
                "code": term["id"],
                **dict.fromkeys(("name", "description"), labels[name][term["id"]].label(lang)),
                "taxonomy": f"{SYSTEM}:{name}",
                "language": lang,
            },
        }
        for name, facet in facts.items()
        for term in facet["terms"]
    ]
    spoken = [
        {"id": _id(own, code), "code": code, "name": labels["language"][code].label(lang)}
        for code in service.terms("language")
    ]
    operator = clinic.operator or clinic.name
    made = {
        "id": own,
        "name": clinic.name,
        "status": STATUS[clinic.status],
        "organization": {"id": _id(operator), "name": operator, "description": operator},
        "service_at_locations": [{"id": _id(own, "at"), "location": _location(clinic)}],
        "attributes": attributes,
        **{
            QUANTITIES[name]: str(n) for name, n in service.quantities.items() if name in QUANTITIES
        },
        "languages": spoken,
        OURS: {
            "service_id": service.service_id,
            "combined": service.combined,
            "facts": {name: facts[name] | {"terms": []} for name in sorted(service.complete)},
            "quantities": plain["quantities"],
        },
    }
    if clinic.checked_on:
        made["assured_date"] = clinic.checked_on.isoformat()
    return {name: value for name, value in made.items() if value != []}


def _location(clinic: Clinic) -> JSON:
    plain: JSON = dict(clinic.to_dict())
    own, place = _id(clinic.clinic_id), plain["location"] or {}
    made: JSON = {
        "id": own,
        "location_type": "physical",
        "external_identifier_type": f"{SYSTEM}:clinic",
    }
    put_all(made, plain | place, LOCATION)
    for kind in ("addresses", "phones"):
        for one in made.get(kind, ()):
            one["id"] = _id(own, kind)
    if "addresses" in made:
        # HSDS wants all of them, as texts.
        whole = dict.fromkeys(ADDRESS, "") | {"address_type": "physical"} | made["addresses"][0]
        made["addresses"] = [whole | {"country": "CA" if postal_letters(clinic.province) else ""}]
    if clinic.website:
        made["url"] = clinic.website
    more = {name: each for name, each in place.items() if name not in LOCATION}
    native = (*LOCATION, "services", "website", "status", "checked_on")
    rest = {name: each for name, each in plain.items() if name not in native}
    made[OURS] = {**rest, "location": more, "evidence": []}
    made["metadata"] = [_metadata(at, fact, own) for at, fact in enumerate(plain["evidence"])]
    return made


def _metadata(at: int, fact: JSON, own: str) -> JSON:
    made: JSON = {"id": _id(own, at), "resource_id": own, "resource_type": "location"}
    made |= {path: fact[name] or "" for name, path in METADATA.items()} | {"previous_value": ""}
    skipped = (*METADATA, "clinic_id")
    return made | {OURS: {name: each for name, each in fact.items() if name not in skipped}}


def clinics_in_list(content: Any, vocabulary: Vocabulary) -> Iterator[Found]:
    """Find the clinics of a list of services: the locations at which services are given."""
    unread, idle = list[str](), list[str]()
    listed = find(content, "contents") or find(content, "services") or [content]
    numbered = enumerate(content if isinstance(content, list) else listed)
    clinics: dict[str, Found] = {}
    # The most active first: a clinic is as active as that.
    for at, service in sorted(numbered, key=lambda one: _rank(_status(one[1]))):
        places = service.get("service_at_locations") or ()
        active = False
        for n, there in enumerate(places):
            place = there.get("location") or {}
            key = str(place.get("id"))
            where = f"contents[{at}].service_at_locations[{n}].location"
            if key not in clinics:
                clinics[key] = where, _clinic(place, service)
            if _status(service) == clinics[key][1]["status"]:
                offered = _offered(service, place, vocabulary, unread)
                clinics[key][1]["services"].append(offered)
                active = True
        if not active:
            idle.append(str(service.get("name") or service.get("id")))
    yield from clinics.values()
    if not clinics:
        return  # which is refused
    warn_of_unread(unread)
    warn_of_unread(idle, "services are not active, or are given at no location in it,")
    if (pages := find(content, "total_pages")) not in (None, 0, 1):
        warnings.warn(f"this is one of {pages} pages; the others are not read", stacklevel=2)


_STATES = {theirs: mine for mine, theirs in STATUS.items()} | {"temporarily closed": "uncertain"}


def _status(service: JSON) -> Any:
    stated = service.get("status") or "active"
    return _STATES.get(str(stated).lower(), stated)


def _rank(status: Any) -> int:
    return list(STATUS).index(status) if status in STATUS else 0


def _clinic(place: JSON, service: JSON) -> JSON:
    native = {
        name: found
        for name, path in LOCATION.items()
        if (found := find(place, path)) not in _UNKNOWN
    }
    ours = place.get(OURS) or {}
    position = {name: native.pop(name) for name in ("lat", "lon") if name in native}
    native.setdefault("clinic_id", place.get("id"))
    for name in ("organization/name", "name"):
        if "name" not in native and find(service, name):
            native["name"] = find(service, name)
    foreign = {
        "website": place.get("url") or service.get("url"),
        "status": _status(service),
        "checked_on": service.get("assured_date"),
    }
    operator = find(service, "organization/name")
    if operator != native.get("name"):  # else it stands for the clinic itself
        foreign["operator"] = operator
    said = [
        {name: one.get(path) or None for name, path in METADATA.items()} | one[OURS]
        for one in place.get("metadata") or ()
        if OURS in one
    ]
    return (
        ours
        | native
        | foreign
        | {"location": (ours.get("location") or {}) | position if position else None}
        | {"evidence": said, "services": []}
    )


def _offered(service: JSON, place: JSON, vocabulary: Vocabulary, unread: list[str]) -> JSON:
    ours = service.get(OURS) or {}
    facts = {name: dict(facet, terms=[]) for name, facet in ours.get("facts", {}).items()}
    for one in service.get("attributes") or ():
        system, _, name = str(find(one, "taxonomy_term/taxonomy")).rpartition(":")
        if system == SYSTEM:
            add_fact(facts, name, find(one, "taxonomy_term/code"), one.get("value", "yes"))
        elif term := find(one, "taxonomy_term/name") or one.get("value"):
            unread.append(str(term))
    stated = {one["id"] for one in facts.get("language", {}).get("terms", ())}
    for one in (*(service.get("languages") or ()), *(place.get("languages") or ())):
        code = str(one.get("code") or one.get("name"))
        try:
            facet, term = vocabulary.fact("language", code)
        except UnknownTermError:
            unread.append(code)
        else:
            if term not in stated:
                stated.add(term)
                add_fact(facts, facet, term, "yes")
    return {"service_id": service.get("id"), **ours, "facts": facts}
