"""Clinics as a FHIR R4 Bundle."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from ketafind.records import Clinic, Service
    from ketafind.vocabulary import Facet, Vocabulary

__all__ = ["bundle"]

SYSTEM = "urn:ketafind"
DISTANCE = "http://hl7.org/fhir/StructureDefinition/location-distance"
STATUS = {"active": "active", "uncertain": "suspended", "closed": "inactive"}
JSON = dict[str, Any]


def bundle(
    found: Iterable[tuple[Clinic, Service, float | None]], vocabulary: Vocabulary, snapshot: str
) -> JSON:
    """Write clinics as a searchset Bundle of HL7 FHIR R4.

    Each clinic becomes a HealthcareService (the match), with its Location and, where the operator
    is stated, its Organization. Only what is stated is written: a fact that is unknown, or stated
    not to be so, is left out, since R4 has no place for either. Routes, conditions, products and
    settings are characteristics; staff types are specialties.

    Parameters
    ----------
    found : iterable of (Clinic, Service, float or None)
        In the order of the answer, with the distance in kilometres.
    vocabulary : Vocabulary
        Labels and codes of the terms.
    snapshot : str
        The name of the data.

    Returns
    -------
    dict
        Ready for JSON.

    Notes
    -----
    The distance is in the extension ``location-distance`` of the entry's search, as HL7 defines
    it. A status of ``uncertain`` is written as a suspended Location and a HealthcareService that
    does not say whether it is active.
    """
    entries: dict[str, JSON] = {}
    total = 0
    for clinic, service, distance_km in found:
        total += 1
        place = _entry("Location", clinic.clinic_id, _location(clinic), "include")
        links = {"location": [{"reference": place["fullUrl"]}]}
        related = [place]
        if clinic.operator:
            organization = {"name": clinic.operator}
            related.append(_entry("Organization", clinic.operator, organization, "include"))
            links["providedBy"] = {"reference": related[-1]["fullUrl"]}  # type: ignore[assignment]
        offered = _service(clinic, service, vocabulary) | links
        key = f"{clinic.clinic_id}\n{service.service_id}"
        match = _entry("HealthcareService", key, offered, "match")
        if distance_km is not None:
            match["search"]["extension"] = [_distance(distance_km)]
        entries |= {entry["fullUrl"]: entry for entry in (match, *related)}
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "identifier": {"system": f"{SYSTEM}:snapshot", "value": snapshot},
        "total": total,
        **({"entry": list(entries.values())} if entries else {}),
    }


def _entry(kind: str, key: str, resource: JSON, mode: str) -> JSON:
    name = uuid5(NAMESPACE_URL, f"{SYSTEM}:{kind}:{key}".encode("utf-8", "replace").decode())
    return {
        "fullUrl": f"urn:uuid:{name}",
        "resource": {"resourceType": kind, "id": str(name), **resource},
        "search": {"mode": mode},
    }


def _distance(distance_km: float) -> JSON:
    value = {"value": distance_km, "unit": "km", "code": "km"}
    return {
        "url": DISTANCE,
        "valueDistance": {**value, "system": "http://unitsofmeasure.org"},
    }


def _location(clinic: Clinic) -> JSON:
    address = {
        "line": [clinic.street_address] if clinic.street_address else [],
        "city": clinic.city,
        "state": clinic.province,
        "postalCode": clinic.postal_code,
    }
    place = clinic.location
    resource: JSON = {
        "identifier": [{"system": f"{SYSTEM}:clinic", "value": clinic.clinic_id}],
        "status": STATUS[clinic.status],
        "name": clinic.name,
        "address": {name: value for name, value in address.items() if value},
        "position": None if place is None else {"longitude": place.lon, "latitude": place.lat},
    }
    if place is not None and not math.isclose(place.radius_km, 0.0):
        resource["description"] = (
            f"Position known to within {place.radius_km:g} km at 90 % ({place.precision})."
        )
    return {name: value for name, value in resource.items() if value}


def _service(clinic: Clinic, service: Service, vocabulary: Vocabulary) -> JSON:
    coded = {
        facet.id: [_concept(facet, term, vocabulary) for term in service.terms(facet.id)]
        for facet in vocabulary.facets
    }
    staff, languages = coded.pop("staff", []), coded.pop("language", [])
    telecom = [
        {"system": system, "value": value}
        for system, value in (("phone", clinic.phone), ("url", clinic.website))
        if value
    ]
    identifier = {
        "system": f"{SYSTEM}:service",
        "value": f"{clinic.clinic_id}/{service.service_id}",
    }
    resource: JSON = {
        "identifier": [identifier],
        "name": clinic.name,
        "specialty": staff,
        "communication": languages,
        "characteristic": [concept for concepts in coded.values() for concept in concepts],
        "telecom": telecom,
    }
    resource = {name: value for name, value in resource.items() if value}
    if clinic.status != "uncertain":
        resource["active"] = clinic.status == "active"
    return resource


def _concept(facet: Facet, term_id: str, vocabulary: Vocabulary) -> JSON:
    term = facet[term_id]
    uris = {system.id: system.uri for system in vocabulary.systems}
    own = {"system": f"{SYSTEM}:{facet.id}", "code": term.id, "display": term.label("en")}
    # A code that is broader than its term would say less than is meant.
    known = [
        {"system": uris[code.system], "code": code.code} for code in term.codes if not code.broader
    ]
    return {"coding": [own, *known], "text": term.label("en")}
