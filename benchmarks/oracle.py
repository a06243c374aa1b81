"""How far our decisions are from the best that anybody could take: the oracle knows the market's law, not the claim's secret.

The simulator knows its truth, so "the true posterior given what is observable" has a meaning: P(class | features, date of filing)
under the law of the market. It is learned from independent marketplaces of the same size (other seeds, no claim in common), every
claim of them with its true class, live months included, with the date as one more column: what no real home has. The larger that
sample, the closer to the posterior; half the sample is shown beside it, so that a reader sees how much is still to be had.

Both decide the same live claims down the one road, with the same prices, experts and capacity. The distance is measured twice:

*expected*  every decision priced under the oracle's posterior: no chance of the draw, but what the oracle errs in is not seen;
*realised*  priced under the true classes: unbiased, noisy, because a few large claims decide the money.

Two more ways stand beside them: our training on the same history with every true class (what better labels would bring), and the
clairvoyant who knows each class and needs nobody, a floor that no observer can reach.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks._record import record
from data_contracts import LABELS
from features.matrix import build_matrix
from models.baselines import Predictor, Rival
from models.classifier import Hyperparameters, fit
from models.consequences import Consequences, consequences
from models.evaluation import PROBABILITIES
from models.inputs import Inputs
from models.metrics import Interval, auc, classwise_ece, cluster_bootstraps, log_loss
from models.policy import Policy, default_policy
from models.scorer import Model
from models.splits import components
from models.training import train
from pipelines.evaluate import true_classes
from pipelines.history import History, history_of_home
from pipelines.home import Home
from pipelines.labels_experiment import readings
from pipelines.replay import Road
from pipelines.simulate import simulate
from pipelines.simulated import simulate_into
from pipelines.validate import validate

SEEDS, SAMPLE = range(5), range(1_000, 1_016)
ORDERS, CLAIMS = 300_000, 20_000
LAW = Hyperparameters(learning_rate=0.1, num_leaves=31, min_data_in_leaf=100, max_rounds=600, patience=40)
"""How the law is learned: much data, so larger trees, and no declared directions."""

DAY = "market_day"
WAYS = ("pay everything", "touchstone", "every true label", "half the oracle", "oracle", "class known")


@dataclass(frozen=True)
class Judged:
    """The live claims of one marketplace under every way of deciding.

    Parameters
    ----------
    money
        By way: columns ``expected`` and ``realised`` (with experts), ``expected_alone`` and ``realised_alone`` (without), cents by claim.
    blocks
        Linked claims, for intervals.
    quality
        By way: AUC, log-loss and calibration error against the truth.
    """

    money: Mapping[str, pd.DataFrame]
    blocks: np.ndarray
    quality: Mapping[str, Mapping[str, float]]


def main() -> int:
    """Run every seed, print the tables and write ``results/oracle.json``."""
    policy, half = default_policy(), len(SAMPLE) // 2
    oracles = {"half the oracle": learn_law(SAMPLE[:half], ORDERS, CLAIMS), "oracle": learn_law(SAMPLE, ORDERS, CLAIMS)}
    markets = [measure(seed, ORDERS, CLAIMS, policy, oracles) for seed in SEEDS]
    ratios = distances(markets, np.random.default_rng(0))
    quality = {
        way: {name: float(np.mean([m.quality[way][name] for m in markets])) for name in markets[0].quality[way]} for way in WAYS[1:5]
    }
    seeds = [{way: {name: float(cents.mean()) for name, cents in frame.items()} for way, frame in m.money.items()} for m in markets]
    _print(seeds, quality, ratios)
    metrics = {name: found.estimate for name, found in ratios.items()}
    result = {"metrics": metrics, "intervals": {name: vars(found) for name, found in ratios.items()}, "quality": quality}
    result |= {"ratios": {name: value for name, value in metrics.items() if name.startswith("cost_")}}
    size = {"orders": ORDERS, "claims": CLAIMS, "seeds": list(SEEDS), "sample_seeds": list(SAMPLE)}
    record("oracle", result | {"rows": seeds, "size": size}, ("lightgbm", "numpy", "pandas"))
    return 0


def dated(matrix: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Return feature rows with the day of filing (days since 1 January 2024) as one more column."""
    days = (claims["filed_at"] - pd.Timestamp("2024-01-01", tz="UTC")) / pd.Timedelta(days=1)
    return pd.concat([matrix, pd.Series(days.to_numpy(dtype=np.float64), matrix.index, name=DAY)], axis=1)


def learn_law(seeds: Sequence[int], orders: int, claims: int, num_threads: int = 2) -> Predictor:
    """Learn P(class | features, day) from marketplaces with all true classes; the last of them stops the growth."""
    frames, classes, market = [], [], []
    for place, seed in enumerate(seeds):
        drawn = simulate(orders, claims, seed, dirt=0.0)
        rows = drawn.tables["claims"]
        frames.append(dated(build_matrix(drawn.tables, rows), rows).astype(np.float32))
        classes.append(drawn.truth.set_index("claim_id")["truth"].loc[rows["claim_id"]].to_numpy(dtype=object))
        market.append(np.full(len(rows), place))
    features, stop = pd.concat(frames, ignore_index=True), np.concatenate(market) == len(seeds) - 1
    del frames
    inputs, ones = Inputs.of(features), np.ones(len(features))
    grown = fit(features, np.concatenate(classes), ones, ~stop, stop, inputs, LAW, num_threads=num_threads)
    return lambda matrix: np.exp(grown.raw(matrix, num_threads))


def measure(seed: int, orders: int, claims: int, policy: Policy, oracles: Mapping[str, Predictor], days: int | None = None) -> Judged:
    """Let everybody decide the live claims of one marketplace (of its first days, where given)."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        market = simulate_into(home, orders, claims, seed)
        validate(home, docs=False)
        history, truth = history_of_home(home, policy), true_classes(home)
    history = replace(history, matrix=dated(history.matrix, history.claims))
    filed, end = history.claims["filed_at"], market.end if days is None else market.live_from + pd.Timedelta(days=days)
    later = np.flatnonzero(((filed >= market.live_from) & (filed < end)).to_numpy())
    models: dict[str, Model] = _ours(history, truth, market.live_from, policy)
    models |= {name: Rival(name, predict) for name, predict in oracles.items()}
    claims = history.claims.iloc[later].reset_index(drop=True)
    classes = truth.loc[claims["claim_id"]].to_numpy(dtype=object)
    decided = {name: _decided(model, history, policy, later) for name, model in models.items()}
    proba = {name: frame[PROBABILITIES].to_numpy(dtype=np.float64) for name, frame in decided.items()}
    live = _Live(policy, claims["amount_cents"].to_numpy(), history.insured[later], classes, proba["oracle"])
    money = {name: live.money(frame) for name, frame in decided.items()}
    paid = decided["oracle"].assign(action="PAY", automatic_action="PAY")
    money |= {"pay everything": live.money(paid), "class known": live.least(paid)}
    return Judged(money, components(claims), {name: _quality(classes, found) for name, found in proba.items()})


def distances(markets: Iterable[Judged], rng: np.random.Generator, draws: int = 1_000) -> dict[str, Interval]:
    """Return how far each way is from the oracle, over all marketplaces, with 95 % intervals by resampling linked claims.

    Parameters
    ----------
    markets
        What :func:`measure` found.
    rng, draws
        Of the bootstrap.

    Returns
    -------
    dict
        ``cost_<way>_vs_oracle_<measure>``: ratio of the money lost; ``attained_<way>_<measure>``: of what the oracle saves against
        paying everything, the share that the way saves.
    """
    judged = list(markets)
    offsets = np.cumsum([0, *(one.blocks.max() + 1 for one in judged)])[:-1]
    blocks = np.concatenate([one.blocks + offset for one, offset in zip(judged, offsets, strict=True)])
    money = {way: pd.concat([one.money[way] for one in judged], ignore_index=True) for way in judged[0].money}

    def everything(rows: np.ndarray) -> dict[str, float]:
        found = {}
        for measure in money["oracle"]:
            cents = {way: float(frame[measure].to_numpy()[rows].sum()) for way, frame in money.items()}
            for way in money.keys() - {"pay everything", "oracle", "class known"}:
                name, paid = way.replace(" ", "_"), cents["pay everything"]
                found[f"cost_{name}_vs_oracle_{measure}"] = cents[way] / cents["oracle"]
                found[f"attained_{name}_{measure}"] = (paid - cents[way]) / (paid - cents["oracle"])
        return found

    return cluster_bootstraps(everything, blocks, rng, draws)


def _ours(history: History, truth: pd.Series, as_of: Any, policy: Policy) -> dict[str, Model]:
    """Train what is shipped on the labels as they are known, and the same on every true class."""
    own = replace(history, matrix=history.matrix.drop(columns=DAY))
    read = {"touchstone": "weighted", "every true label": "truth"}
    found = readings(own, truth, as_of)
    return {
        way: train(
            own.matrix, own.claims, found[reading].known, as_of, own.catalog_hash, own.described,
            confusions=own.confusions if found[reading].fallible else {}, harm=policy.harm,
        ).bundle
        for way, reading in read.items()
    }  # fmt: skip


def _decided(model: Model, history: History, policy: Policy, later: np.ndarray) -> pd.DataFrame:
    road = Road(history, policy, 1)
    road.decide(model, later)
    return pd.concat(road.decided, ignore_index=True)


@dataclass(frozen=True)
class _Live:
    """The live claims: prices, amounts, true classes, and the oracle's posterior."""

    policy: Policy
    amount: np.ndarray
    insured: np.ndarray
    classes: np.ndarray
    posterior: np.ndarray

    def money(self, decided: pd.DataFrame) -> pd.DataFrame:
        """Price decisions under the posterior and under the truth, with experts and alone."""
        real, each = self._after(decided)
        return pd.DataFrame(
            {
                "expected": self._mean([one.cost_cents for one in each]),
                "realised": real.cost_cents,
                "expected_alone": self._mean([one.automatic_cents for one in each]),
                "realised_alone": real.automatic_cents,
            }
        )

    def least(self, decided: pd.DataFrame) -> pd.DataFrame:
        """Price the best action with the class known, which needs no expert; whatever was decided."""
        real, each = self._after(decided)
        expected = self._mean([one.perfect_cents for one in each])
        columns = {"expected": expected, "realised": real.perfect_cents}
        return pd.DataFrame(columns | {f"{name}_alone": cents for name, cents in columns.items()})

    def _after(self, decided: pd.DataFrame) -> tuple[Consequences, list[Consequences]]:
        """Return what follows under the true classes, and if every claim were valid, unsubstantiated, abusive."""
        known = [self.classes, *(np.full(len(decided), label, dtype=object) for label in LABELS)]
        real, *each = (consequences(self.policy, decided, classes, self.amount, self.insured) for classes in known)
        return real, each

    def _mean(self, cents: Sequence[np.ndarray]) -> np.ndarray:
        return np.asarray((self.posterior * np.stack(cents, axis=1)).sum(axis=1))


def _quality(classes: np.ndarray, proba: np.ndarray) -> dict[str, float]:
    one = np.ones(len(classes))
    return {"auc": auc(classes, proba[:, 2], one), "log_loss": log_loss(classes, proba, one), "ece": classwise_ece(classes, proba, one)}


def _print(
    seeds: Sequence[Mapping[str, Mapping[str, float]]], quality: Mapping[str, Mapping[str, float]], ratios: Mapping[str, Interval]
) -> None:
    heads = ("way of deciding", "expected", "realised", "expected, alone", "realised, alone", "AUC", "log-loss", "ECE")
    table = Table(title=f"Lost per live claim, means of {len(seeds)} marketplaces", title_justify="left")
    for head in heads:
        table.add_column(head, justify="left" if head == heads[0] else "right")
    for way in WAYS:
        cents = [np.mean([seed[way][name] for seed in seeds]) for name in ("expected", "realised", "expected_alone", "realised_alone")]
        known = [f"{value:.3f}" for value in quality[way].values()] if way in quality else ["–"] * 3
        table.add_row(way, *(f"${value / 100:,.2f}" for value in cents), *known)
    Console(width=120).print(table)
    for name, found in sorted(ratios.items()):
        print(f"{name}: {found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})")


if __name__ == "__main__":
    main()
