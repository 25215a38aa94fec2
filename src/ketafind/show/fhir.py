"""Clinics as resources of HL7 FHIR R4, and such resources as clinics."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from ketafind.shapes import label_of
from ketafind.tables.plain import Found

if TYPE_CHECKING:
    from ketafind.records import Clinic, Evidence, Service
    from ketafind.vocabulary import Facet, Vocabulary

JSON = dict[str, Any]
Offer = tuple["Clinic", Sequence["Service"], float | None]
"""A clinic, those of its services that are shown, and how far it is, if there is an origin."""

SYSTEM = "urn:ketafind"
DISTANCE = "http://hl7.org/fhir/StructureDefinition/location-distance"
STATUS = {"active": "active", "uncertain": "suspended", "closed": "inactive"}
DOUBT = {
    "en": "Position known to within {radius:g} km at 90 % ({precision}).",
    "fr": "Position connue à {radius:g} km près, à 90 % ({precision}).",
}
# Where a field stands in a resource. What has no element is an extension of the field's name.
LOCATION = {
    "clinic_id": "identifier/0/value",
    "name": "name",
    "street_address": "address/line/0",
    "city": "address/city",
    "province": "address/state",
    "postal_code": "address/postalCode",
}
POSITION = {"lon": "position/longitude", "lat": "position/latitude"}
VERIFICATION = {
    "source_url": "primarySource/0/who/identifier/value",
    "source_class": "primarySource/0/type/0/coding/0/code",
    "checked_on": "lastPerformed",
    "method": "validationProcess/0/text",
}
TELECOM = {"phone": "phone", "url": "website"}
FACETS = {"staff": "specialty", "language": "communication"}
OTHERS = "characteristic"

_BETWEEN_PHONES = re.compile(r"\s*(?:[;/|,]|\bor\b|\bou\b)\s*")
_SHORTEST_PHONE = 7
_NOT_IN_STRINGS = re.compile(r"[^\S \r\n\t]|[\x00-\x08\ufeff\ud800-\udfff]")


def bundle(
    offers: Iterable[Offer],
    vocabulary: Vocabulary,
    snapshot: str,
    *,
    total: int | None = None,
    lang: str = "en",
) -> JSON:
    """Write clinics as a collection, or as a page of a searchset of so many in all."""
    entries: dict[str, JSON] = {}
    for clinic, services, distance_km in offers:
        for entry in _entries(clinic, services, vocabulary, lang):
            role = {"HealthcareService": "match", "Location": "include"}
            kind = entry["resource"]["resourceType"]
            if total is not None:
                entry["search"] = {"mode": role.get(kind, "include")}
                if distance_km is not None and kind in role:
                    unit = {"unit": "km", "code": "km", "system": "http://unitsofmeasure.org"}
                    far = {"url": DISTANCE, "valueDistance": {"value": distance_km, **unit}}
                    entry["search"]["extension"] = [far]
            entries[entry["fullUrl"]] = entry
    return {
        "resourceType": "Bundle",
        "type": "collection" if total is None else "searchset",
        "language": lang,
        "identifier": {"system": f"{SYSTEM}:snapshot", "value": snapshot},
        **({} if total is None else {"total": total}),
        **_stated(entry=list(entries.values())),
    }


def _entries(
    clinic: Clinic, services: Sequence[Service], vocabulary: Vocabulary, lang: str
) -> Iterator[JSON]:
    place = _entry("Location", clinic.clinic_id, _location(clinic, lang))
    links: JSON = {"location": [_reference(place)]}
    related = []
    if clinic.operator:
        related.append(_entry("Organization", clinic.operator, {"name": _clean(clinic.operator)}))
        links["providedBy"] = place["resource"]["managingOrganization"] = _reference(related[-1])
    targets: dict[str | None, JSON] = {None: place}
    for service in services:
        key = f"{clinic.clinic_id}\n{service.service_id}"
        made = _service(clinic, service, vocabulary, lang)
        offered = targets[service.service_id] = _entry("HealthcareService", key, made | links)
        yield offered
        for concept in made.get(FACETS["staff"], ()):
            who = {"code": [concept], "healthcareService": [_reference(offered)]}
            who |= {"location": links["location"], **_stated(organization=links.get("providedBy"))}
            related.append(
                _entry("PractitionerRole", f"{key}\n{concept['coding'][0]['code']}", who)
            )
    yield from (place, *related)
    for at, fact in enumerate(clinic.evidence):
        target = targets.get(fact.service_id, place)
        said = _verification(fact) | {"target": [_reference(target)]}
        yield _entry("VerificationResult", f"{clinic.clinic_id}\n{at}", said)


def _stated(**members: Any) -> JSON:
    # FHIR has no empty texts and lists: what is not stated is left out.
    return {name: value for name, value in members.items() if value}


def _entry(kind: str, key: str, resource: JSON) -> JSON:
    name = uuid5(NAMESPACE_URL, f"{SYSTEM}:{kind}:{key}".encode("utf-8", "replace").decode())
    resource = {"resourceType": kind, "id": str(name), **resource}
    return {"fullUrl": f"urn:uuid:{name}", "resource": resource}


def _reference(entry: JSON) -> JSON:
    return {"reference": entry["fullUrl"]}


def _clean(value: Any) -> Any:
    """Leave out of a text what FHIR's strings cannot hold; how it was stands in an extension."""
    return _NOT_IN_STRINGS.sub(" ", value) if isinstance(value, str) else value


def _resource(plain: Mapping[str, Any], native: Mapping[str, str], **rest: Any) -> JSON:
    """Write each field at its place, and the others as extensions."""
    made: JSON = {}
    rest = {name: value for name, value in rest.items() if value not in (None, [], {}, False)}
    for name, path in native.items():
        if plain[name] is not None:
            put(made, path, _clean(plain[name]))
            if _clean(plain[name]) != plain[name]:
                rest[name] = plain[name]
    found = [{"url": f"{SYSTEM}:{name}", **_typed(value)} for name, value in rest.items()]
    return made | _stated(extension=found)


def _typed(value: Any) -> JSON:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, str) and value.strip() and _clean(value) == value:
        return {"valueString": value}
    return {"extension": [{"url": "json", "valueString": json.dumps(value)}]}


def put(target: JSON, path: str, value: Any) -> None:
    """Set what stands at a path such as ``address/line/0``."""
    name, _, more = path.partition("/")
    if not more:
        target[name] = value
    elif more == "0":
        target[name] = [value]
    elif more.startswith("0/"):
        put(target.setdefault(name, [{}])[0], more[2:], value)
    else:
        put(target.setdefault(name, {}), more, value)


def find(source: Any, path: str) -> Any:
    """Read what stands at a path; None where there is nothing."""
    for step in path.split("/"):
        try:
            source = source[int(step) if isinstance(source, list) else step]
        except (LookupError, TypeError, ValueError):
            return None
    return source


def _location(clinic: Clinic, lang: str) -> JSON:
    plain: JSON = dict(clinic.to_dict())
    place = plain["location"] or {}
    details = {name: each for name, each in place.items() if name not in POSITION and each}
    rest = {
        name: plain[name]
        for name in plain
        if name not in (*LOCATION, *TELECOM.values(), "status", "operator", "services", "evidence")
    } | {"location": details}
    verbatim = {name: plain[name] for name in (*TELECOM.values(), "operator")}
    rest |= {name: text for name, text in verbatim.items() if _clean(text) != text}
    made = _resource(plain | dict.fromkeys(POSITION) | place, LOCATION | POSITION, **rest)
    made["identifier"][0]["system"] = f"{SYSTEM}:clinic"
    contacts = [
        {"system": system, "value": _clean(plain[name])}
        for system, name in TELECOM.items()
        if plain[name]
    ]
    doubt = None
    if place and not math.isclose(place["radius_km"], 0.0):
        words = {"radius": place["radius_km"], "precision": place["precision"]}
        doubt = DOUBT[lang].format(**words)
    return made | {"status": STATUS[clinic.status], **_stated(telecom=contacts, description=doubt)}


def _service(clinic: Clinic, service: Service, vocabulary: Vocabulary, lang: str) -> JSON:
    plain: JSON = dict(service.to_dict())
    offered: dict[str, list[JSON]] = {}
    for facet in vocabulary.facets:
        concepts = [_concept(facet, term, vocabulary, lang) for term in service.terms(facet.id)]
        offered.setdefault(FACETS.get(facet.id, OTHERS), []).extend(concepts)
    contacts = [("phone", number) for number in _numbers(clinic.phone)]
    contacts += [("url", clinic.website)] if clinic.website else []
    numbers = [
        f"{vocabulary.quantities[name].label(lang)}: {quantity.span} "
        f"{label_of('unit', quantity.unit, lang)}"
        for name, quantity in service.quantities.items()
    ]
    refused = {
        name: [term["id"] for term in facet["terms"] if term["truth"] == "no"]
        for name, facet in plain["facts"].items()
    }
    made = _resource(
        {"key": f"{clinic.clinic_id}/{service.service_id}"},
        {"key": "identifier/0/value"},
        service_id=service.service_id,
        combined=service.combined,
        complete=sorted(service.complete),
        not_offered={name: terms for name, terms in refused.items() if terms},
        quantities=plain["quantities"],
    )
    made["identifier"][0]["system"] = f"{SYSTEM}:service"
    made |= _stated(
        name=_clean(clinic.name),
        **offered,
        comment="; ".join(numbers),
        telecom=[{"system": system, "value": _clean(value)} for system, value in contacts],
    )
    return made if clinic.status == "uncertain" else made | {"active": clinic.status == "active"}


def _numbers(phone: str) -> list[str]:
    """Cut a cell that holds several phone numbers; an extension is no number of its own."""
    pieces = [piece.strip() for piece in _BETWEEN_PHONES.split(phone)]
    several = all(sum(letter.isdigit() for letter in piece) >= _SHORTEST_PHONE for piece in pieces)
    return list(filter(None, pieces if several else [phone]))


def _concept(facet: Facet, term_id: str, vocabulary: Vocabulary, lang: str) -> JSON:
    term = facet[term_id]
    uris = {system.id: system.uri for system in vocabulary.systems}
    own = {"system": f"{SYSTEM}:{facet.id}", "code": term.id, "display": term.label(lang)}
    # A code that is broader than its term would say less than is meant.
    known = [
        {"system": uris[code.system], "code": code.code} for code in term.codes if not code.broader
    ]
    return {"coding": [own, *known], "text": term.label(lang)}


def _verification(fact: Evidence) -> JSON:
    """Write a piece of evidence: a source, the day it was read, and what it says of which fact."""
    plain: JSON = dict(fact.to_dict())
    rest = {name: text for name, text in plain.items() if name not in (*VERIFICATION, "clinic_id")}
    made = _resource(plain, VERIFICATION, **rest)
    put(made, "primarySource/0/type/0/coding/0/system", f"{SYSTEM}:source_class")
    if fact.source_url:
        put(made, "primarySource/0/who/identifier/system", "urn:ietf:rfc:3986")
    path = (LOCATION.get(fact.facet) or FACETS.get(fact.facet) or OTHERS).replace("/0", "")
    kind = "Location" if fact.facet in LOCATION else "HealthcareService"
    return made | {"status": "attested", "targetLocation": [f"{kind}.{path.replace('/', '.')}"]}


# -- Read -----------------------------------------------------------------------------------------


def clinics_in_bundle(content: Any, vocabulary: Vocabulary) -> Iterator[Found]:
    """Find the clinics of a Bundle: its Locations, with the services that lead to them."""
    by_name: dict[str, JSON] = {}
    kinds: dict[str, list[JSON]] = {}
    for entry in _list(content, "entry"):
        resource = find(entry, "resource")
        kind, own = str(find(resource, "resourceType")), find(resource, "id")
        kinds.setdefault(kind, []).append(resource)
        by_name |= {f"{kind}/{own}": resource, str(find(entry, "fullUrl")): resource}

    def at(resource: JSON, path: str) -> Any:
        return by_name.get(find(resource, f"{path}/reference") or "")

    reader = _Reader(vocabulary)
    services: dict[int, list[JSON]] = {}
    evidence: dict[int, list[JSON]] = {}
    for service in kinds.get("HealthcareService", ()):
        for place in _list(service, "location"):
            services.setdefault(id(by_name.get(str(find(place, "reference")))), []).append(service)
    for said in kinds.get("VerificationResult", ()):
        target = at(said, "target/0")
        place = at(target, "location/0") or target
        evidence.setdefault(id(place), []).append(said)
    for n, place in enumerate(kinds.get("Location", ())):
        offered = services.get(id(place), [])
        plain = reader.clinic(place)
        owner = at(place, "managingOrganization") or at(find(offered, "0"), "providedBy")
        plain = _merged({"operator": find(owner, "name")}, plain)
        plain["services"] = [reader.service(one, plain["clinic_id"]) for one in offered]
        read = [
            _merged(_native(one, VERIFICATION), _rest(one)) for one in evidence.get(id(place), ())
        ]
        plain["evidence"] = [one for one in read if "facet" in one]
        yield f"Location {n + 1}", plain
    warn_of_unread(reader.unread)


def _list(source: Any, path: str) -> list[Any]:
    found = find(source, path)
    return found if isinstance(found, list) else []


def _native(resource: JSON, paths: Mapping[str, str]) -> JSON:
    return {
        name: found for name, path in paths.items() if (found := find(resource, path)) is not None
    }


def _rest(resource: JSON) -> JSON:
    """Read our extensions."""
    made = {}
    for one in _list(resource, "extension"):
        system, _, name = str(find(one, "url")).rpartition(":")
        if system == SYSTEM:
            text = find(one, "extension/0/valueString")
            plain = find(one, "valueString") or find(one, "valueBoolean")
            made[name] = plain if text is None else json.loads(text)
    return made


def _merged(native: JSON, rest: JSON) -> JSON:
    """Add extensions to elements; one that only repeats an element says how it was written."""
    return native | {
        name: value
        for name, value in rest.items()
        if _clean(value) == native.get(name, _clean(value))
    }


class _Reader:
    """Reads resources, and remembers the codes that no term has."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        uris = {system.id: system.uri for system in vocabulary.systems}
        self.codes = {
            (uris[code.system], code.code): (facet.id, term.id)
            for facet in vocabulary.facets
            for term in facet.terms
            for code in term.codes
            if not code.broader
        }
        self.unread: dict[str, None] = {}

    def clinic(self, place: JSON) -> JSON:
        """Read a Location."""
        native = _native(place, LOCATION)
        native.setdefault("clinic_id", find(place, "id"))
        for contact in _list(place, "telecom"):
            if (name := TELECOM.get(str(find(contact, "system")))) and name not in native:
                native[name] = find(contact, "value")
        known = {theirs: ours for ours, theirs in STATUS.items()}
        native["status"] = known.get(str(find(place, "status")), "active")
        rest = _rest(place)
        position = _native(place, POSITION)
        located = {"location": rest.pop("location", {}) | position if position else None}
        rest.pop("location", None)
        return _merged(native, rest) | located

    def service(self, service: JSON, clinic_id: str) -> JSON:
        """Read a HealthcareService."""
        rest = _rest(service)
        key = str(find(service, "identifier/0/value") or find(service, "id"))
        facts: dict[str, JSON] = {}

        def state(name: str, term: str, truth: str) -> None:
            terms = facts.setdefault(name, {"terms": []})["terms"]
            terms += [] if {"id": term, "truth": truth} in terms else [{"id": term, "truth": truth}]

        for element in (*FACETS.values(), OTHERS):
            for concept in _list(service, element):
                if fact := self.fact(concept):
                    state(*fact, "yes")
        for name, terms in rest.get("not_offered", {}).items():
            for term in terms:
                state(name, term, "no")
        for name in rest.get("complete", ()):
            facts.setdefault(name, {"terms": []})["complete"] = True
        return {
            "service_id": rest.get("service_id", key.removeprefix(f"{clinic_id}/")),
            "combined": rest.get("combined", False),
            "facts": facts,
            "quantities": rest.get("quantities", {}),
        }

    def fact(self, concept: JSON) -> tuple[str, str] | None:
        """Read a concept by our own coding, or by a code that a term has."""
        codings = [(str(find(c, "system")), str(find(c, "code"))) for c in _list(concept, "coding")]
        for system, code in codings:
            if system.startswith(f"{SYSTEM}:"):
                return system.removeprefix(f"{SYSTEM}:"), code
            if (system, code) in self.codes:
                return self.codes[system, code]
        self.unread |= dict.fromkeys([find(concept, "text") or str(codings)])
        return None


def warn_of_unread(names: Iterable[str]) -> None:
    """Say what of a file has no term."""
    if unread := list(dict.fromkeys(names)):
        some = ", ".join(map(repr, unread[:5]))
        warnings.warn(
            f"{len(unread)} of its codes are not in the vocabulary and are left out: {some}",
            UserWarning,
            stacklevel=2,
        )
