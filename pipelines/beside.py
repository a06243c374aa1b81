"""The batch's side of shadow decisions: a challenger decides what the champion decided; its decisions are stored and never acted on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sqlalchemy import insert, select

from features.catalog import CATALOG
from models.bundle import Bundle
from models.evaluation import PROBABILITIES
from models.gates import dollars
from models.policy import Policy
from models.shadow import Shadowed, beside
from models.shelf import Shelf
from pipelines.home import Home
from pipelines.page import Section
from pipelines.past import Readable
from serving.instants import micros
from serving.schema import SHADOW_DECISIONS
from serving.standing import Standing
from serving.store import Store


def challenger_of(home: Home) -> Bundle | None:
    """Return the bundle with the alias ``challenger``, if there is one.

    Raises
    ------
    models.bundle.BundleError
        If there is one that does not fit this code.
    """
    shelf = Shelf(home.bundles)
    return shelf.get("challenger", CATALOG.hash) if "challenger" in shelf.aliases() else None


def keep(store: Store, decided: pd.DataFrame) -> int:
    """Store what a challenger would have done, and return how many of its decisions were new.

    Parameters
    ----------
    store
        The case store; claims that nobody decided are left out, and so are those the challenger has in it already.
    decided
        Decisions of one challenger, as :func:`models.scorer.score_claims` gives them.
    """
    if decided.empty:
        return 0
    bundle, table = str(decided["bundle"].iloc[0]), SHADOW_DECISIONS
    with store.write() as tx:
        there = set(tx.execute(select(table.c.claim_id).where(table.c.bundle == bundle)).scalars())
        new = decided[~decided["claim_id"].isin(there)]
        at = [micros(instant) for instant in new["decided_at"]]
        rows = new[["claim_id", "bundle", "action", *PROBABILITIES]].assign(decided_at=at).astype(object).to_dict(orient="records")
        if rows:
            tx.execute(insert(table), rows)
    return len(rows)


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
