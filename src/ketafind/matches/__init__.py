"""Answers: a compiled filter, the clinics that pass it in order, and what is uncertain of them."""

from ketafind.matches.catalogue import Catalogue, Places
from ketafind.matches.filters import POLICIES, Filter, check_policy
from ketafind.matches.match import Match
from ketafind.matches.matches import Matches
from ketafind.matches.ranking import Ranking

__all__ = [
    "POLICIES",
    "Catalogue",
    "Filter",
    "Match",
    "Matches",
    "Places",
    "Ranking",
    "check_policy",
]
