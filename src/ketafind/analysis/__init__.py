"""For analysts: joins on any frame, and access to care."""

from __future__ import annotations

from ketafind.analysis.access import access_score
from ketafind.analysis.covered import coverage, gaps
from ketafind.analysis.join import nearest_join
from ketafind.analysis.postal import ontario_postal_codes

__all__ = ["access_score", "coverage", "gaps", "nearest_join", "ontario_postal_codes"]
