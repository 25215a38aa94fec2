"""How many slips apart two words are: by rapidfuzz, or in Python where that cannot be installed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any


class PlainOSA:
    """Edits with neighbours swapped (optimal string alignment), with the names of rapidfuzz."""

    @staticmethod
    def distance(one: str, other: str, *, score_cutoff: int | None = None) -> int:
        """Count insertions, deletions, changes and swaps; one more than the cutoff if beyond."""
        most = max(len(one), len(other)) if score_cutoff is None else score_cutoff
        if abs(len(one) - len(other)) > most:
            return most + 1
        before: list[int] = []
        last = list(range(len(other) + 1))
        for i, letter in enumerate(one, start=1):
            row = [i]
            for j, its in enumerate(other, start=1):
                slips = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != its))
                if i > 1 and j > 1 and letter == other[j - 2] and its == one[i - 2]:
                    slips = min(slips, before[j - 2] + 1)
                row.append(slips)
            if min(row) > most and min(last) > most:
                return most + 1
            before, last = last, row
        return min(last[-1], most + 1)

    @staticmethod
    def normalized_similarity(one: str, other: str, *, score_cutoff: float = 0.0) -> float:
        """From 0 to 1, by the longer of the two; 0 below the cutoff."""
        longest = max(len(one), len(other))
        like = 1.0 - PlainOSA.distance(one, other) / longest if longest else 1.0
        return like if like >= score_cutoff else 0.0


def plain_extract(
    word: str, choices: Sequence[str], *, scorer: Any, score_cutoff: float, limit: int
) -> list[tuple[str, float, int]]:
    """The best choices, each with its score and place, as rapidfuzz's `process.extract`."""
    better = -1 if scorer is PlainOSA.distance else 1
    scored = (
        (choice, scorer(word, choice, score_cutoff=score_cutoff), at)
        for at, choice in enumerate(choices)
    )
    near = [one for one in scored if better * one[1] >= better * score_cutoff]
    return sorted(near, key=lambda one: -better * one[1])[:limit]


@cache
def edits() -> tuple[Any, Any]:
    """`OSA` and `extract`: rapidfuzz's, or those above."""
    try:
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract
    except ModuleNotFoundError:
        return PlainOSA, plain_extract
    return OSA, extract
