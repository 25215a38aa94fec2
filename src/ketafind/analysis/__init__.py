"""For analysts: joins on any frame, and access to care."""

from __future__ import annotations

from ketafind.analysis.access import access_score
from ketafind.analysis.covered import coverage, gaps
from ketafind.analysis.join import nearest_join
from ketafind.analysis.postal import ontario_postal_codes
from ketafind.analysis.served import catchments
from ketafind.analysis.sites import best_sites

__all__ = [
    "access_score",
    "best_sites",
    "catchments",
    "coverage",
    "gaps",
    "nearest_join",
    "ontario_postal_codes",
]
