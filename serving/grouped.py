"""Which claims that came together can be decided together."""

from __future__ import annotations

from datetime import timedelta

from serving.reading import Asked

TOGETHER = timedelta(seconds=10)
"""Claims filed within this time of each other may be recorded when the last of them is filed: none is history for another one then."""


def apart(asked: list[Asked]) -> tuple[list[Asked], list[Asked]]:
    """Part claims from those that repeat an identity or key among them: those are answered from what the first ones left."""
    seen: set[tuple[str, str]] = set()
    group: list[Asked] = []
    later: list[Asked] = []
    for one in asked:
        names = {("claim", one.claim.claim_id)} | ({("key", one.key)} if one.key is not None else set())
        (later if names & seen else group).append(one)
        seen |= names
    return group, later


def spans(group: list[Asked]) -> list[list[Asked]]:
    """Cut a group where claims were filed too far apart to be recorded together."""
    parts = [[group[0]]]
    low = high = group[0].claim.filed_at
    for one in group[1:]:
        low, high = min(low, one.claim.filed_at), max(high, one.claim.filed_at)
        if high - low > TOGETHER:
            parts.append([])
            low = high = one.claim.filed_at
        parts[-1].append(one)
    return parts
