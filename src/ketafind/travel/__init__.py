"""Travel time: on roads of one's own, or by a routing service."""

from ketafind.travel.graph import GraphRouter
from ketafind.travel.roads import PROFILES, build_roads, from_edges
from ketafind.travel.router import REASONS, Router, TravelTimes

__all__ = [
    "PROFILES",
    "REASONS",
    "GraphRouter",
    "Router",
    "TravelTimes",
    "build_roads",
    "from_edges",
]
