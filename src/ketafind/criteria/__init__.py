"""What a clinic must offer: expressions, their JSON, and their evaluation on bit slices."""

from ketafind.criteria.base import Criteria
from ketafind.criteria.builders import (
    everything,
    no_service,
    offers,
    route,
    shorthand,
    staff,
    treats,
)

__all__ = [
    "Criteria",
    "everything",
    "no_service",
    "offers",
    "route",
    "shorthand",
    "staff",
    "treats",
]
