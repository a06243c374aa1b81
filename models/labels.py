"""Resolutions → labels as they are known at an instant, with the weight that makes them speak for all claims.

Two separate questions are answered from the rows of a claim:

*What is its label?* The latest labelled row that was known. A later row without a label erases nothing; a later label
(an appeal, abuse that came to light) supersedes.

*How many claims does it stand for?* That depends on why anybody looked, never on what was found. A claim that the policy
chose to have examined (desk, investigation, audit) gets one over the probability of that choice, capped: 1 where the
choice was certain, 1/p for the random audit. Abuse that revealed itself, an appeal and a satisfied request for evidence
are different: the claim was seen *because of* its outcome. The audited claims already stand for all of these, so counting
them again would double the abuse among the automatically paid and halve it among those asked for evidence. If such a claim
was never examined by choice its weight is ``volunteered``, 0 by default: its label still feeds the histories that
features read, and a weight of 0 keeps it out of fitting and of every metric.

A claim filed lately is labelled only if its examination was quick, so labels of a recent cohort speak for its slow ones as well: given the
distribution of delays (:mod:`models.maturity`), the weight is divided by the chance that a label of this age is known.

An absent claim is unknown. It is never valid by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from data_contracts import LABELS
from data_contracts.resolutions import Source
from models.maturity import Delays, estimate_delays

EXAMINED: tuple[str, ...] = (Source.DESK.value, Source.INVESTIGATION.value, Source.AUDIT.value)
"""The sources in which the policy, not the outcome, chose the claim."""

COLUMNS = ["claim_id", "label", "known_at", "source", "stands_for", "weight"]


def as_known(
    resolutions: pd.DataFrame,
    claims: pd.DataFrame,
    as_of: datetime,
    cap: float = 20.0,
    volunteered: float = 0.0,
    delays: Mapping[str, Delays] | None = None,
) -> pd.DataFrame:
    """Return the labels that were known before an instant.

    Parameters
    ----------
    resolutions
        Rows of the resolutions contract, in any order.
    claims
        The claims to label (only ``claim_id`` is read, and ``filed_at`` with ``delays``); resolutions of other claims are ignored.
    as_of
        Rows count if ``known_at`` is strictly before this instant.
    cap
        Largest weight, ≥ 1. A smaller cap means less variance and more bias towards what experts were shown.
    volunteered
        Weight of a claim that was seen only because of its outcome, in [0, cap].
    delays
        By source of the examination, from :func:`examination_delays`; a source that is not named counts as known at once.

    Returns
    -------
    DataFrame
        One row per labelled claim, in the order of ``claims``: ``claim_id``, ``label``, ``known_at`` and ``source`` of the
        label, ``stands_for`` (how many claims it was drawn for) and ``weight`` (the same up to the cap), floats. Unlabelled claims are
        absent.

    Raises
    ------
    ValueError
        If a label or the cap is out of range.

    Notes
    -----
    weight = min(cap, 1/(propensity·F(age))) of the claim's *first* examined row, F being 1 without ``delays``: an expert's second look
    or an appeal follows from the first look and does not change the chance with which the claim entered the sample (Horvitz & Thompson
    1952).

    Examples
    --------
    >>> import pandas as pd
    >>> at = pd.to_datetime(["2025-01-05", "2025-01-09", "2025-01-07"], utc=True)
    >>> rows = pd.DataFrame({"resolution_id": ["R1", "R2", "R3"], "claim_id": ["A", "A", "B"], "source": ["audit", "appeal", "automatic"],
    ...                      "label": ["abusive", "valid", None], "propensity": [0.25, 1.0, 1.0], "known_at": at})
    >>> claims = pd.DataFrame({"claim_id": ["A", "B"]})
    >>> as_known(rows, claims, pd.Timestamp("2025-01-08", tz="UTC"))[["claim_id", "label", "weight"]].to_numpy().tolist()
    [['A', 'abusive', 4.0]]
    >>> as_known(rows, claims, pd.Timestamp("2025-02-01", tz="UTC"))[["claim_id", "label", "weight"]].to_numpy().tolist()
    [['A', 'valid', 4.0]]
    """
    if cap < 1 or not 0 <= volunteered <= cap:
        raise ValueError(f"labels: expected cap ≥ 1 and volunteered in [0, cap], found cap={cap} and volunteered={volunteered}")
    known = resolutions[(resolutions["known_at"] < as_of) & resolutions["label"].notna() & resolutions["claim_id"].isin(claims["claim_id"])]
    strange = sorted(set(known["label"]) - set(LABELS))
    if strange:
        raise ValueError(f"resolutions.label: expected one of {', '.join(LABELS)}, found {', '.join(map(repr, strange))}")
    known = known.sort_values(["known_at", "resolution_id"], kind="stable")
    latest = known.drop_duplicates("claim_id", keep="last").set_index("claim_id")
    examined = _first_examined(known)
    chance = examined["propensity"].astype("float64")
    if delays is not None:
        age = (as_of - examined.index.map(claims.drop_duplicates("claim_id").set_index("claim_id")["filed_at"])) / _DAY
        for source, found in delays.items():
            here = (examined["source"] == source).to_numpy()
            chance = chance.mask(here, chance * np.maximum(found.within(np.asarray(age)), 1e-9))
    drawn = (1.0 / chance).reindex(latest.index).fillna(volunteered).astype("float64")
    labelled = latest.assign(stands_for=drawn, weight=drawn.clip(upper=cap))
    order = claims.loc[claims["claim_id"].isin(labelled.index), "claim_id"].drop_duplicates()
    return labelled.loc[order].reset_index(names="claim_id")[COLUMNS]


def examination_delays(resolutions: pd.DataFrame, claims: pd.DataFrame, as_of: datetime, fewest: int = 50) -> dict[str, Delays]:
    """Estimate, per source, how long examinations take, from those known before an instant.

    Parameters
    ----------
    resolutions, claims, as_of
        As in :func:`as_known`; claims with ``filed_at``.
    fewest
        A source with fewer examinations is left out: it would be guessed.

    Returns
    -------
    dict
        Source → distribution of the days from filing to the first examination.
    """
    filed = claims.drop_duplicates("claim_id").set_index("claim_id")["filed_at"]
    known = resolutions[(resolutions["known_at"] < as_of) & resolutions["label"].notna() & resolutions["claim_id"].isin(filed.index)]
    examined = _first_examined(known.sort_values(["known_at", "resolution_id"], kind="stable"))
    start = filed.reindex(examined.index)
    delay, age = ((examined["known_at"] - start) / _DAY).to_numpy(), ((as_of - start) / _DAY).to_numpy()
    groups = {str(source): np.asarray(rows) for source, rows in examined.groupby("source").indices.items()}
    return {source: estimate_delays(delay[rows], age[rows]) for source, rows in sorted(groups.items()) if len(rows) >= fewest}


def _first_examined(known: pd.DataFrame) -> pd.DataFrame:
    """Return the first row, of rows in the order of knowledge, in which the policy chose the claim; index ``claim_id``."""
    return known[known["source"].isin(EXAMINED)].drop_duplicates("claim_id").set_index("claim_id")


_DAY = pd.Timedelta(days=1)
