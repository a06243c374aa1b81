"""What prediction sets that route cost and spare: the same live claims decided under several bounds, judged by the sealed truth.

A bound says of a class which share of its claims may be settled without an expert as if they were of another (:mod:`models.sets`). Each
marketplace is trained on once, as a home would; only the thresholds differ between the ways, so that a difference is that of the sets and
of the experts' time that they ask for. Money is priced under the true classes, averaged over what an expert would have answered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks._pieces import piece
from benchmarks._record import record
from benchmarks.labels import paired
from data_contracts import LABELS, Action
from models.consequences import Consequences, consequences
from models.costs import AUTOMATIC
from models.policy import default_policy
from models.sets import MISTAKES, certified_sets
from models.training import Trained, train
from pipelines.evaluate import true_classes
from pipelines.history import History, history_of_home
from pipelines.home import Home
from pipelines.replay import Road
from pipelines.simulated import simulate_into
from pipelines.validate import validate

SEEDS = range(8)
ORDERS, CLAIMS = 300_000, 20_000
PRICES = "prices alone"
WAYS: Mapping[str, tuple[float, float, float]] = {
    PRICES: (1.0, 1.0, 1.0),
    "valid 1 %": (0.01, 1.0, 1.0),
    "valid 2 %": (0.02, 1.0, 1.0),
    "valid 5 %": (0.05, 1.0, 1.0),
    "unsubstantiated 20 %": (1.0, 0.2, 1.0),
    "abusive 20 %": (1.0, 1.0, 0.2),
    "abusive 50 %": (1.0, 1.0, 0.5),
    "each 10 %": (0.1, 0.1, 0.1),
    "each 20 %": (0.2, 0.2, 0.2),
}
"""Shares that may be mistaken, by class in the order of ``LABELS``; 1: not bound."""

SHARES = (
    "valid_denied",
    "valid_denied_without_expert",
    "valid_fallback_denies",
    "valid_asked_for_evidence",
    "unsubstantiated_mistaken",
    "abusive_mistaken",
    "wrongly_accused",
)
"""``valid_denied``: in the end; ``valid_fallback_denies``: if no expert answered; ``*_mistaken``: settled without an expert as another."""

TOLD = ("cost_cents", "alone_cents", "valid_denied", "valid_fallback_denies")
"""What is told with an interval: money with experts and without, and wrongful denials of valid claims likewise."""


def main() -> int:
    """Run every seed, print the table and write ``results/sets.json``."""
    rows = [row for seed in SEEDS for row in piece("sets", measure, seed, ORDERS, CLAIMS)]
    table = pd.DataFrame(rows)
    means = table.groupby("way", sort=False)[["cost_cents", "alone_cents", *SHARES]].mean()
    ratios = against_prices(table)
    _print(means, ratios, table)
    metrics = {f"{name}_{_plain(way)}": float(means.loc[way, name]) for way in WAYS for name in means}
    metrics |= {f"bounds_broken_{_plain(way)}": int(table.loc[table["way"] == way, "broken"].sum()) for way in WAYS}
    differences = {
        f"{name}_{_plain(way)}_less_prices": paired(table, name, PRICES, way, "way") for way in WAYS if way != PRICES for name in TOLD
    }
    size = {"orders": ORDERS, "claims": CLAIMS, "seeds": list(SEEDS), "ways": {way: list(shares) for way, shares in WAYS.items()}}
    result = {"metrics": metrics, "ratios": ratios, "differences": differences, "rows": rows, "size": size}
    record("sets", result, ("lightgbm", "numpy", "pandas"))
    return 0


def measure(seed: int, orders: int, claims: int) -> list[dict[str, Any]]:
    """Train on one marketplace and decide its live claims in every way; one row per way."""
    policy = default_policy()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        market = simulate_into(home, orders, claims, seed)
        validate(home, docs=False)
        history, truth = history_of_home(home, policy), true_classes(home)
    known = history.known(market.live_from)
    own = (history.matrix, history.claims, known, market.live_from, history.catalog_hash, history.described)
    trained = train(*own, confusions=history.confusions, harm=policy.harm)
    filed = history.claims["filed_at"]
    live = np.flatnonzero(((filed >= market.live_from) & (filed < market.end)).to_numpy())
    classes = truth.loc[history.claims["claim_id"].iloc[live]].to_numpy(dtype=object)
    return [{"seed": seed, "way": way} | decided(history, trained, live, classes, shares) for way, shares in WAYS.items()]


def decided(
    history: History, trained: Trained, live: np.ndarray, classes: np.ndarray, shares: tuple[float, float, float]
) -> dict[str, float]:
    """Decide the live claims day by day within some bounds, and judge that by their true classes."""
    policy, promised = default_policy(), trained.bundle.guarantee
    if promised is None:
        raise RuntimeError("sets: expected a bundle with a guarantee, found none")
    harm = replace(policy.harm, mistaken_valid_share=shares[0], mistaken_unsubstantiated_share=shares[1], mistaken_abusive_share=shares[2])
    road = Road(history, policy, 1)
    road.decide(replace(trained.bundle, guarantee=replace(promised, sets=certified_sets(*trained.tested, harm))), live)
    frame = pd.concat(road.decided, ignore_index=True)
    found = consequences(policy, frame, classes, history.claims["amount_cents"].to_numpy()[live], history.insured[live])
    return {
        "claims": len(live),
        "cost_cents": float(found.cost_cents.mean()),
        "alone_cents": float(found.automatic_cents.mean()),
        "desk": int((frame["action"] == Action.DESK.value).sum()),
        "investigations": int((frame["action"] == Action.INVESTIGATE.value).sum()),
        **harms(frame, found, classes),
        "broken": broken(frame["automatic_action"].to_numpy(dtype=object), classes, shares),
    }


def harms(decisions: pd.DataFrame, found: Consequences, classes: np.ndarray) -> dict[str, float]:
    """Return :data:`SHARES`, each of the claims of its class (``wrongly_accused``: of all that are not abusive)."""
    action, automatic = decisions["action"].to_numpy(dtype=object), decisions["automatic_action"].to_numpy(dtype=object)
    valid, gap, abusive = (classes == label for label in LABELS)
    denies = [AUTOMATIC.index(name) for name in MISTAKES[LABELS[0]]]
    values = (
        found.final[valid][:, denies].sum(axis=1),
        np.isin(action[valid], MISTAKES[LABELS[0]]),
        np.isin(automatic[valid], MISTAKES[LABELS[0]]),
        found.final[valid, AUTOMATIC.index(Action.REQUEST_EVIDENCE.value)],
        np.isin(action[gap], MISTAKES[LABELS[1]]),
        np.isin(action[abusive], MISTAKES[LABELS[2]]),
        found.final[~abusive, AUTOMATIC.index(Action.DENY_ABUSIVE.value)],
    )
    return {name: float(np.mean(value)) for name, value in zip(SHARES, values, strict=True)}


def broken(automatic: np.ndarray, classes: np.ndarray, shares: Sequence[float]) -> int:
    """Count the classes of whose claims more than the stated share would be mistaken if no expert looked at any."""
    mistaken = [float(np.isin(automatic[classes == label], MISTAKES[label]).mean()) for label in LABELS]
    return sum(found > share for found, share in zip(mistaken, shares, strict=True))


def against_prices(table: pd.DataFrame) -> dict[str, float]:
    """Return money over that of prices alone: over all seeds, and the least and the largest of one seed."""
    ratios: dict[str, float] = {}
    for name, words in (("cost_cents", "cost"), ("alone_cents", "cost_alone")):
        wide = table.pivot_table(index="seed", columns="way", values=name, aggfunc="first")
        for way in (way for way in WAYS if way != PRICES):
            each = wide[way] / wide[PRICES]
            title = f"{words}_{_plain(way)}_vs_prices"
            ratios |= {title: float(wide[way].sum() / wide[PRICES].sum()), f"{title}_least": float(each.min())}
            ratios[f"{title}_most"] = float(each.max())
    return ratios


def _plain(way: str) -> str:
    return way.replace(" %", "").replace(" ", "_")


def _print(means: pd.DataFrame, ratios: Mapping[str, float], rows: pd.DataFrame) -> None:
    table = Table(title=f"Prediction sets that route: live claims of {len(SEEDS)} marketplaces, sealed truth", title_justify="left")
    for head in ("bound", "$ a claim", "against prices", "alone", *(name.replace("_", " ") for name in SHARES)):
        table.add_column(head, justify="left" if head == "bound" else "right")
    for way, row in means.iterrows():
        title = f"cost_{_plain(str(way))}_vs_prices"
        told = "–" if way == PRICES else f"{ratios[title]:.4f} ({ratios[title + '_least']:.4f} to {ratios[title + '_most']:.4f})"
        table.add_row(
            str(way),
            f"{row['cost_cents'] / 100:,.2f}",
            told,
            f"{row['alone_cents'] / 100:,.2f}",
            *(f"{row[name]:.2%}" for name in SHARES),
        )
    Console(width=170).print(table)
    for way in (way for way in WAYS if way != PRICES):
        money, denied = (paired(rows, name, PRICES, way, "way") for name in ("cost_cents", "valid_denied"))
        print(
            f"{way} less {PRICES}, mean of {len(SEEDS)} marketplaces and 95 % interval: $ a claim {money['mean'] / 100:+.2f} "
            f"({money['low'] / 100:+.2f} to {money['high'] / 100:+.2f}); valid claims denied {denied['mean']:+.2%} "
            f"({denied['low']:+.2%} to {denied['high']:+.2%})"
        )


if __name__ == "__main__":
    main()
