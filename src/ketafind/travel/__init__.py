"""Travel time: on roads of one's own, or by a routing service."""

from ketafind.travel.engines import ServiceRouter, ValhallaRouter
from ketafind.travel.graph import GraphRouter
from ketafind.travel.roads import PROFILES, build_roads
from ketafind.travel.router import REASONS, Certificate, Router, TravelTimes

__all__ = [
    "PROFILES",
    "REASONS",
    "Certificate",
    "GraphRouter",
    "Router",
    "ServiceRouter",
    "TravelTimes",
    "ValhallaRouter",
    "build_roads",
]
