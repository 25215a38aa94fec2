"""For analysts: joins on any frame, and access to care."""

from __future__ import annotations

from ketafind.analysis.join import nearest_join

__all__ = ["nearest_join"]
