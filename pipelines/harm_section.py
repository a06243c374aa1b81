"""The section about harm that report and model card share: how often claimants are accused wrongly, and how much leaks, at most."""

from __future__ import annotations

import math

import numpy as np

from data_contracts import LABELS, Label
from models.gates import accusation_bound, accused, share_bound
from models.leaks import Paid, leaks
from models.policy import Policy
from models.sets import MISTAKES
from pipelines.page import Section
from pipelines.wording import dollars

_MISTAKEN = {
    Label.VALID.value: "valid, denied",
    Label.UNSUBSTANTIATED.value: "unsubstantiated, paid or called abusive",
    Label.ABUSIVE.value: "abusive, paid",
}


def bounds(policy: Policy, actions: np.ndarray, amount_cents: np.ndarray, labels: np.ndarray, stands_for: np.ndarray) -> Section:
    """Bound the harm of automatic actions by the claims that were examined.

    Parameters
    ----------
    policy
        Limits and confidence.
    actions
        Automatic action of each claim, shape (claims,).
    amount_cents
        Amounts claimed.
    labels, stands_for
        Class, and how many claims it was drawn for (1/propensity, uncapped); 0 where nobody examined.
    """
    known, harm = stands_for > 0, policy.harm
    share, most = accusation_bound(accused(actions[known]), labels[known], stands_for[known], harm.confidence)
    rows = [("not abusive, called abusive", "all", f"{int(known.sum()):,}", _share(share), _share(most), f"{harm.accused_share:.1%}")]
    for label, most_share in zip(LABELS, harm.mistaken_shares, strict=True):
        mine = labels[known] == label
        share, most = share_bound(np.isin(actions[known], MISTAKES[label]), stands_for[known], mine, harm.confidence)
        rows.append((_MISTAKEN[label], "all", f"{int(mine.sum()):,}", _share(share), _share(most), _limit(most_share)))
    limit = _limit(harm.leaked_share)
    for leak in leaks(Paid.of(actions, amount_cents, labels, stands_for), harm.confidence):
        upper = f"up to {dollars(leak.up_to_cents)}"
        rows.append(("dollars paid that leak", upper, f"{leak.claims:,}", _share(leak.share), _share(leak.bound), limit))
    return Section(
        "Harm without an expert, at most",
        "What automatic actions would do if nobody reviewed a claim, judged by examined ones, each counting for as many as it was drawn "
        "for. First: of the claims that are not abusive, those called abusive. Then: of the claims of each class, those settled as if "
        "they were of another. Then: of the dollars paid, those on claims that are unsubstantiated or abusive. Each bound holds by itself "
        f"with {harm.confidence:.0%} confidence; with few or large claims a bound of 100 % says that nothing is known. The limits are the "
        "policy's.",
        (),
        ("harm", "claims", "examined", "estimated", "at most", "limit"),
        rows,
        text_columns=2,
    )


def _limit(share: float) -> str:
    return "none" if share >= 1 else f"{share:.1%}"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"
