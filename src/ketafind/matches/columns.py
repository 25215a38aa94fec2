"""An answer as columns for machines, and as rows of text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ketafind.tables.distances import distance_text

if TYPE_CHECKING:
    from ketafind.matches.explained import Explained
    from ketafind.matches.match import Match
    from ketafind.matches.matches import Matches

__all__ = ["TYPES", "columns_of", "footer", "outcome", "shown"]


def columns_of(matches: Explained) -> dict[str, list[Any]]:
    """Write an answer as plain columns.

    Parameters
    ----------
    matches : Matches
        An answer.

    Returns
    -------
    dict of str to list
        In the order of `to_frame`; columns that ketafind does not know come last.
    """
    facets = _facets(matches)
    values = {**BEFORE, **facets, **AFTER}
    columns = {name: [value(match) for match in matches] for name, value in values.items()}
    # Columns that ketafind does not know are kept and shown.
    names = dict.fromkeys(name for match in matches for name in match.clinic.extra)
    for name in names:
        shown = f"{name} (given)" if name in columns else name
        columns[shown] = [match.clinic.extra.get(name, "") for match in matches]
    return columns


def shown(matches: Matches) -> tuple[list[list[str]], list[str]]:
    """Write each match as a row of texts for people.

    Parameters
    ----------
    matches : Matches
        An answer.

    Returns
    -------
    rows : list of list of str
        One for each match.
    headers : list of str
        Without a distance where no question had an origin.
    """
    has_distance = any(match.distance_km is not None for match in matches)
    facets = list(_facets(matches))
    # Routes and staff, or the first facets of another vocabulary.
    known = [name for name in ("routes", "staff") if name in facets] or facets[:2]
    told = {name: _joined(matches, name) for name in known}
    every = {**FIRST, **told, "contact": _contact}
    cells = {name: cell for name, cell in every.items() if has_distance or name != "distance"}
    return [[cell(match) for cell in cells.values()] for match in matches], list(cells)


def footer(matches: Matches) -> str:
    """Say what an answer leaves open.

    Parameters
    ----------
    matches : Matches
        An answer.

    Returns
    -------
    str
        Two lines; one more where an UNKNOWN clinic is nearer than the last one listed.
    """
    nearer = "; ".join(f"{one.clinic.name}, {_distance(one)}" for one in matches.nearer_possible)
    which_ones = "Nearer than the last of these" if matches else "Nearest"
    nearer = f"\n{which_ones}, but not confirmed: {nearer}." if nearer else ""
    return f"{outcome(matches)}{nearer}\nData {matches.snapshot}."


def outcome(matches: Matches) -> str:
    """Say how many clinics were found, without a distance.

    Parameters
    ----------
    matches : Matches
        An answer.

    Returns
    -------
    str
        One line.
    """
    which = {"exclude": "match", "include": "match or may match", "only": "may match"}
    said = [f"{len(matches)} of {matches.n_eligible} clinics that {which[matches.unknown]}."]
    if not matches.n_eligible:
        placed = " with a position" if matches.n_unlocated else ""
        said = [f"No clinics{placed} {which[matches.unknown]}."]
    if matches.n_possible and matches.unknown == "exclude":
        them = "it" if matches.n_possible == 1 else "them"
        said.append(f"{matches.n_possible} more may match: not enough is known of {them}.")
    if matches.n_unlocated:
        said.append(f"{matches.n_unlocated} that match, or may, have no position.")
    if matches and matches[0].distance_km is not None and not matches.order_certain:
        said.append("The order is not certain.")
    return " ".join(said)


def _contact(match: Match) -> str:
    return match.clinic.phone or _host(match.clinic.website)


def _host(website: str) -> str:
    return website.partition("://")[2].removeprefix("www.").rstrip("/")


def _distance(match: Match) -> str:
    place = match.clinic.location
    precision = None if place is None else place.precision
    return distance_text(
        match.distance_km, match.distance_low_km, match.distance_high_km, precision
    )


def _place(name: str) -> Any:
    return lambda match: getattr(match.clinic.location, name, None)


def _clinic(name: str) -> Any:
    return lambda match: getattr(match.clinic, name)


def _facets(matches: Explained) -> dict[str, Any]:
    """A column for each facet of the vocabulary, by its plural."""
    return {facet.plural: _terms(facet.id) for facet in matches.vocabulary.facets}


def _terms(facet: str) -> Any:
    return lambda match: list(match.service.terms(facet))


def _joined(matches: Explained, plural: str) -> Any:
    facet = matches.vocabulary.facet(plural).id
    return lambda match: ", ".join(match.service.terms(facet))


FIRST = {
    "": lambda match: str(match.rank),
    "clinic": _clinic("name"),
    "city": _clinic("city"),
    "distance": _distance,
    "match": lambda match: str(match.truth),
}
NUMBERS = dict.fromkeys(
    ("distance_km", "distance_low_km", "distance_high_km", "lat", "lon", "radius_km"), "float64"
)
TYPES = {**NUMBERS, "rank": "int64", "combined": "bool"}
"""The pandas type of what is not text, where there is nothing to tell it by."""
BEFORE = {
    "rank": lambda match: match.rank,
    "clinic_id": _clinic("clinic_id"),
    "name": _clinic("name"),
    "service_id": lambda match: match.service.service_id,
    "distance_km": lambda match: match.distance_km,
    "distance_low_km": lambda match: match.distance_low_km,
    "distance_high_km": lambda match: match.distance_high_km,
    "truth": lambda match: str(match.truth),
    "combined": lambda match: match.combined,
    "lat": _place("lat"),
    "lon": _place("lon"),
    "precision": _place("precision"),
    "radius_km": _place("radius_km"),
    "status": _clinic("status"),
}
AFTER = {
    "street_address": _clinic("street_address"),
    "city": _clinic("city"),
    "province": _clinic("province"),
    "postal_code": _clinic("postal_code"),
    "phone": _clinic("phone"),
    "website": _clinic("website"),
}
