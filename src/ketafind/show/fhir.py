"""Clinics as resources of HL7 FHIR R4, and such resources as clinics."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from ketafind.errors import packaged
from ketafind.shapes import label_of
from ketafind.tables.frames import Found, add_fact

if TYPE_CHECKING:
    from ketafind.records import Clinic, Evidence, Service
    from ketafind.vocabulary import Facet, Vocabulary

JSON = dict[str, Any]
Offer = tuple["Clinic", Sequence["Service"], float | None]
"""A clinic, those of its services that are shown, and how far it is, if there is an origin."""

SYSTEM = "urn:ketafind"
LANGUAGES = "urn:ietf:bcp:47"
DISTANCE = "http://hl7.org/fhir/StructureDefinition/location-distance"
FORMS: dict[str, dict[str, Any]] = packaged("show/forms.json")
"""Where a field stands in a form. In FHIR what has no element is an extension of the field's name."""
_FORM = FORMS["fhir"]
LOCATION, POSITION, VERIFICATION = _FORM["fields"], _FORM["position"], _FORM["evidence"]
FACETS, OTHERS = _FORM["facets"], "characteristic"
STATUS, TELECOM = _FORM["status"], _FORM["telecom"]

_BETWEEN_PHONES = re.compile(r"[;/|,]|\bor\b|\bou\b")
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
        **stated(entry=list(entries.values())),
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
            who |= {"location": links["location"], **stated(organization=links.get("providedBy"))}
            related.append(
                _entry("PractitionerRole", f"{key}\n{concept['coding'][0]['code']}", who)
            )
    yield from (place, *related)
    for at, fact in enumerate(clinic.evidence):
        target = targets.get(fact.service_id, place)
        said = _verification(fact) | {"target": [_reference(target)]}
        yield _entry("VerificationResult", f"{clinic.clinic_id}\n{at}", said)


def stated(**members: Any) -> JSON:
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
    return made | stated(extension=found)


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


def put_all(target: JSON, plain: Mapping[str, Any], paths: Mapping[str, str]) -> JSON:
    """Set each field that is stated at its path."""
    for name, path in paths.items():
        if plain.get(name) is not None:
            put(target, path, plain[name])
    return target


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
    native = (*LOCATION, "status", "services", "evidence")
    rest = {name: plain[name] for name in plain if name not in native}
    for name in (*TELECOM.values(), "operator"):
        if rest[name] == _as_element(name, rest[name]):
            del rest[name]
    rest["location"] = {name: each for name, each in place.items() if name not in POSITION and each}
    made = _resource(plain | dict.fromkeys(POSITION) | place, LOCATION | POSITION, **rest)
    made["identifier"][0]["system"] = f"{SYSTEM}:clinic"
    doubt = None
    if place and not math.isclose(place["radius_km"], 0.0):
        doubt = _FORM["doubt"][lang].format(radius=place["radius_km"], precision=place["precision"])
    return made | {
        "status": STATUS[clinic.status],
        **stated(telecom=_contacts(_numbers(clinic.phone), clinic.website), description=doubt),
    }


def _service(clinic: Clinic, service: Service, vocabulary: Vocabulary, lang: str) -> JSON:
    plain: JSON = dict(service.to_dict())
    offered: dict[str, list[JSON]] = {}
    for facet in vocabulary.facets:
        concepts = [_concept(facet, term, vocabulary, lang) for term in service.terms(facet.id)]
        offered.setdefault(FACETS.get(facet.id, OTHERS), []).extend(concepts)
    numbers = [
        f"{vocabulary.quantities[name].label(lang)}: {quantity.span} "
        f"{label_of('unit', quantity.unit, lang)}"
        for name, quantity in service.quantities.items()
    ]
    # An element cannot say NO, nor that it is complete.
    more: dict[str, JSON] = {
        name: facet | {"terms": [term for term in facet["terms"] if term["truth"] == "no"]}
        for name, facet in plain["facts"].items()
    }
    made = _resource(
        {"key": f"{clinic.clinic_id}/{service.service_id}"},
        {"key": "identifier/0/value"},
        service_id=service.service_id,
        combined=service.combined,
        facts={name: facet for name, facet in more.items() if facet["terms"] or facet["complete"]},
        quantities=plain["quantities"],
    )
    made["identifier"][0]["system"] = f"{SYSTEM}:service"
    made |= stated(
        name=_clean(clinic.name),
        **offered,
        comment="; ".join(numbers),
        telecom=_contacts(_numbers(clinic.phone), clinic.website),
    )
    return made if clinic.status == "uncertain" else made | {"active": clinic.status == "active"}


def _contacts(phones: Iterable[str], website: str) -> list[JSON]:
    contacts = [*(("phone", number) for number in phones), ("url", website)]
    return [{"system": kind, "value": _clean(value)} for kind, value in contacts if value]


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
    put(made, "primarySource/0/who/identifier/system", "urn:ietf:rfc:3986")
    element = f"HealthcareService.{FACETS.get(fact.facet, OTHERS)}"
    if path := (LOCATION | _FORM["elements"]).get(fact.facet):
        element = f"Location.{path}".replace("/0", "").replace("/", ".")
    return made | {"status": "attested", "targetLocation": [element]}


# -- Read -----------------------------------------------------------------------------------------


def clinics_in_bundle(content: Any, vocabulary: Vocabulary) -> Iterator[Found]:
    """Find the clinics of a Bundle: its Locations, with the services that lead to them."""
    by_name: dict[Any, JSON] = {}
    whole_of: dict[int, JSON] = {}
    kinds: dict[Any, list[JSON]] = {}
    for entry in _list(content, "entry"):
        whole = _named(entry)
        for resource in (whole, *_list(whole, "contained")):
            kind, own_id = find(resource, "resourceType"), find(resource, "id")
            kinds.setdefault(kind, []).append(resource)
            # What is contained is known by its id inside the whole alone.
            names: list[Any] = [(id(whole), f"#{own_id}")]
            if resource is whole:
                names = [f"{kind}/{own_id}", find(entry, "fullUrl")]
            by_name |= dict.fromkeys(filter(None, names), resource)
            whole_of[id(resource)] = whole

    def at(resource: Any, path: str) -> Any:
        name = find(resource, f"{path}/reference")
        return by_name.get(name) or by_name.get((id(whole_of.get(id(resource))), name))

    def of_places(
        kind: str, owners: Callable[[JSON], Iterable[Any]]
    ) -> tuple[dict[int, list[JSON]], list[JSON]]:
        """What belongs to each Location, and what to none."""
        made: dict[int, list[JSON]] = {id(place): [] for place in kinds.get("Location", ())}
        idle: list[JSON] = []
        for one in kinds.get(kind, ()):
            known = [made[id(place)] for place in owners(one) if id(place) in made]
            for held in known or [idle]:
                held.append(one)
        return made, idle

    def places(resource: JSON) -> Iterable[Any]:
        n = len(_list(resource, "location"))
        return [at(resource, f"location/{place}") for place in range(n)]

    def target(resource: JSON) -> Iterable[Any]:
        aim = at(resource, "target/0")
        return [at(aim, "location/0") or aim]

    services, idle = of_places("HealthcareService", places)
    evidence, unproven = of_places("VerificationResult", target)
    codes, unread = _codes(vocabulary), list[str]()
    if not services:
        return  # which is refused
    n_managed = Counter(id(at(one, "managingOrganization")) for one in kinds["Location"])
    for n, place in enumerate(kinds["Location"]):
        offered = services[id(place)]
        if find(place, "status") != STATUS["closed"]:
            idle += [one for one in offered if find(one, "active") is False]
            offered = [one for one in offered if find(one, "active") is not False]
        manager = at(place, "managingOrganization")
        owner = manager or at(find(offered, "0"), "providedBy")
        # Of an organization with several places nobody knows which its address is.
        plain = _read_clinic(_addressed(place, manager if n_managed[id(manager)] == 1 else None))
        plain = _merged({"operator": find(owner, "name")}, plain)
        key = plain["clinic_id"]
        plain["services"] = [_read_service(one, key, codes, unread) for one in offered]
        said = [(_native(one, VERIFICATION), _rest(one)) for one in evidence[id(place)]]
        plain["evidence"] = [_merged(*one) for one in said if "facet" in one[1]]
        yield f"Location {n + 1}", plain
    warn_of_unread(unread)
    warn_of_unread(map(_name, idle), "services are not active, or are given at no Location in it,")
    warn_of_unread(map(_name, unproven), "VerificationResults are of no Location in it")
    if any(find(link, "relation") == "next" for link in _list(content, "link")):
        warnings.warn("this is one page of several; the others are not read", stacklevel=2)


def _named(entry: Any) -> Any:
    """A resource with its id: of one that no server holds yet, from its address in the Bundle."""
    whole, address = find(entry, "resource"), find(entry, "fullUrl")
    if not isinstance(whole, dict) or "id" in whole or not isinstance(address, str):
        return whole
    return whole | {"id": re.split("[:/]", address)[-1]}


def _name(resource: Any) -> str:
    return f"{find(resource, 'resourceType')}/{find(resource, 'id')}"


def _list(source: Any, path: str) -> list[Any]:
    found = find(source, path)
    return found if isinstance(found, list) else []


def _native(resource: Any, paths: Mapping[str, str]) -> JSON:
    read = {name: find(resource, path) for name, path in paths.items()}
    return {name: value for name, value in read.items() if value is not None}


def _rest(resource: Any) -> JSON:
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
    elements = {name: _as_element(name, value) for name, value in rest.items()}
    fits = {name: rest[name] for name, one in elements.items() if one == native.get(name, one)}
    return native | fits


def _as_element(name: str, value: Any) -> Any:
    """A field as it is read from its element, without the extension that says how it was written."""
    several = name == "phone" and isinstance(value, str)
    return "; ".join(map(_clean, _numbers(value))) if several else _clean(value)


def _addressed(place: JSON, manager: Any) -> JSON:
    """Give a Location one address: its own, the first of several, or else its organization's."""
    known = find(place, "address") or find(manager, "address") or None
    return place | {"address": known[0] if isinstance(known, list) else known}


def _read_clinic(place: Any) -> JSON:
    native = {"clinic_id": find(place, "id")} | _native(place, LOCATION)
    for contact in _list(place, "telecom"):
        name, value = TELECOM.get(find(contact, "system")), find(contact, "value")
        if name == "phone" and isinstance(value, str) and isinstance(native.get(name), str):
            native[name] += f"; {value}"
        elif name:
            native.setdefault(name, value)
    known = {theirs: ours for ours, theirs in STATUS.items()}
    if (stated := find(place, "status")) is not None:
        native["status"] = known.get(str(stated).lower(), stated)
    rest, position = _rest(place), _native(place, POSITION)
    details = rest.pop("location", {})
    return _merged(native, rest) | {"location": details | position if position else None}


def _read_service(service: Any, clinic_id: str, codes: Codes, unread: list[str]) -> JSON:
    rest = {"combined": False, **_rest(service)}
    key = str(find(service, "identifier/0/value") or find(service, "id"))
    facts = rest.setdefault("facts", {})
    for element in (*FACETS.values(), OTHERS, "type", "category"):
        for concept in _list(service, element):
            codings = [_coding(one) for one in _list(concept, "coding")]
            if fact := next(filter(None, map(codes.get, codings)), None):
                add_fact(facts, *fact, "yes")
            else:
                tokens = (f"{system or ''}|{code}" for system, code in codings)
                unread.append(find(concept, "text") or ", ".join(tokens))
    return {"service_id": key.removeprefix(f"{clinic_id}/"), **rest}


def _coding(coding: Any) -> tuple[Any, Any]:
    """A code and its system; of a language without its region, as ``fr`` for ``fr-CA``."""
    system, code = find(coding, "system"), find(coding, "code")
    is_language = system == LANGUAGES and isinstance(code, str)
    return system, code.partition("-")[0].lower() if is_language else code


Codes = dict[tuple[Any, Any], tuple[str, str]]


def _codes(vocabulary: Vocabulary) -> Codes:
    """Index terms by our codes and by those of others that mean the same."""
    uris = {system.id: system.uri for system in vocabulary.systems}
    terms = [(facet.id, term) for facet in vocabulary.facets for term in facet.terms]
    others = {
        (uris[code.system], code.code): (facet, term.id)
        for facet, term in terms
        for code in term.codes
        if not code.broader
    }
    return others | {(f"{SYSTEM}:{facet}", term.id): (facet, term.id) for facet, term in terms}


def warn_of_unread(names: Iterable[str], what: str = "codes are not in the vocabulary") -> None:
    """Say what of a file is not read."""
    if unread := list(dict.fromkeys(names)):
        some = ", ".join(map(repr, unread[:5]))
        warnings.warn(
            f"{len(unread)} of its {what} and are left out: {some}",
            UserWarning,
            stacklevel=2,
        )
