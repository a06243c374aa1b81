"""What the report tells of challengers: their stored decisions beside the champion's, and what they would have saved."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.gates import dollars
from models.policy import Policy
from models.shadow import Shadowed, beside
from pipelines.page import Section
from pipelines.past import Readable
from serving.schema import SHADOW_DECISIONS
from serving.standing import Standing


def compared(
    store: Readable, policy: Policy, decisions: pd.DataFrame, claims: pd.DataFrame, standing: Standing, known: pd.DataFrame, seed: int = 0
) -> tuple[Shadowed, ...]:
    """Compare every challenger's stored decisions with the champion's; arguments as in :func:`models.shadow.beside`."""
    shadows = store.read(SHADOW_DECISIONS.name)
    if shadows.empty:
        return ()
    rows = claims[claims["claim_id"].isin(shadows["claim_id"])]
    insured = standing.insured(rows["seller_id"], rows["filed_at"])
    mine = decisions[decisions["claim_id"].isin(shadows["claim_id"])]
    return beside(policy, mine, shadows, rows, insured, known, np.random.default_rng(seed))


def section(found: tuple[Shadowed, ...]) -> Section:
    """Tell what challengers would have done."""
    rows = []
    for one in found:
        saved = one.saved_cents
        worth = "–" if not saved.draws else f"{dollars(saved.estimate)} ({dollars(saved.low)} to {dollars(saved.high)})"
        rows.append((f"{one.bundle[:12]}: claims both decided", f"{one.claims:,}"))
        rows.append((f"{one.bundle[:12]}: same action", f"{one.agree:.1%}"))
        rows.append((f"{one.bundle[:12]}: would have saved a claim, {one.labelled:,} labelled", worth))
        pairs = ((was, would) for was in one.moved.index for would in one.moved.columns if was != would)
        counts = ((was, would, int(one.moved.loc[was, would])) for was, would in pairs)
        rows += [(f"{one.bundle[:12]}: {was} → {would}", f"{count:,}") for was, would, count in counts if count]
    return Section(
        "What a challenger would have done",
        "Decisions of a challenger, stored beside the champion's on the same claims and never acted on. The saving rests on the labels "
        "known so far, each by its weight, an expert's answer averaged over his errors; 95 % interval by customers.",
        (),
        ("beside the champion", "found"),
        rows,
    )
