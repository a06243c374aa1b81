"""What experts did so far, in figures for people: answers, second looks, files of rings, how right each is thought to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.known_experts import known_experts
from models.policy import Policy
from models.quality_checks import Checks
from serving.expert_answers import answers_of
from serving.queue import Tier
from serving.second_looks import Why
from serving.store import Store

_MOST = 20_000


@dataclass(frozen=True)
class WorkTold:
    """What a queue has seen.

    Parameters
    ----------
    answers
        Answers of experts.
    looks
        Second looks by what they were for.
    files, filed
        Files of rings, and the cases in them.
    accuracy
        Probability of a right answer of each desk expert, as estimated, on cases as they come.
    """

    answers: int
    looks: dict[str, int]
    files: int
    filed: int
    accuracy: dict[str, float]


def work_told(store: Store, policy: Policy, checks: Checks | None = None) -> WorkTold:
    """Return what a store's queue has seen until now."""
    looks, rings = store.read("second_looks"), store.read("ring_files")
    with store.view() as tx:
        said = answers_of(tx, checks or Checks(), _MOST)
    desk = said[said["tier"] == Tier.DESK.value]
    known = known_experts(desk, np.array(policy.desk.confusion)) if len(desk) else None
    accuracy = {} if known is None else dict(zip(known.names, known.accuracy.tolist(), strict=True))
    counts = {why.value: int((looks["why"] == why.value).sum()) for why in Why}
    return WorkTold(len(said), counts, rings["file_id"].nunique(), len(rings), accuracy)
