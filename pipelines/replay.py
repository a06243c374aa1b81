"""History again, as if this system had decided it: claims in the order of arrival, models trained on what was known by then.

At every cut the model is trained on the labels known at that instant and nothing later; until the next cut each day's claims are
decided together at the end of the day, by the one road, under the capacity the experts had left. Labels are those of the process
that really decided: what *this* system's experts would have brought to light does not flow back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from data_contracts import Action
from models.baselines import Rival, fit_all
from models.challengers import absent, train_challenger
from models.coverage import missed
from models.leaks import with_leaks
from models.policy import Harm, Policy
from models.review import capacity_left
from models.risk import class_thresholds
from models.scorer import Model, score_claims
from models.settings import TrainingSettings
from models.splits import Window
from models.training import Trained, certified, train
from pipelines.history import History

CADENCES = ("weekly", "monthly", "quarterly", "never")
"""How often the model is trained again; ``never`` trains once, at the start."""

OURS = "touchstone"
"""Name of our model among the ways of deciding."""

Progress = Callable[[str, int, int], None]
"""Told (what, steps done, steps in all)."""

_REVIEWED = (Action.DESK.value, Action.INVESTIGATE.value)
_NOBODY = pd.DataFrame({"action": pd.Series(dtype="str"), "decided_at": pd.Series(dtype="datetime64[us, UTC]")})


@dataclass(frozen=True)
class Fold:
    """One stretch between two trainings.

    Parameters
    ----------
    start, end
        Claims filed in [start, end) are decided with what was known at ``start``.
    learned, decided
        Dates, sizes and class counts: the labels learned from; the labelled ones among the claims decided.
    claims
        Claims decided, labelled or not.
    bundle, calibration
        Hash of the model, and its calibration map.
    sets
        Least probability of each class at which it belongs to a claim's prediction set, as certified at ``start``.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    learned: Window
    decided: Window
    claims: int
    bundle: str
    calibration: str
    sets: tuple[float, ...]


@dataclass(frozen=True)
class Replay:
    """What a replay decided.

    Parameters
    ----------
    claims
        The claims decided, by time of filing: positions in the history's claims.
    decisions
        By way of deciding: one decision per claim, in the order of ``claims``.
    folds
        The stretches.
    """

    claims: np.ndarray
    decisions: Mapping[str, pd.DataFrame]
    folds: tuple[Fold, ...]


def replay(
    history: History,
    start: datetime,
    end: datetime,
    policy: Policy,
    cadence: str = "monthly",
    challengers: Sequence[str] = (),
    settings: TrainingSettings | None = None,
    progress: Progress = lambda *_: None,
    num_threads: int = 1,
) -> Replay:
    """Decide the claims filed in [start, end) as they would have been decided.

    Parameters
    ----------
    history
        Claims, features and labels.
    start, end
        The stretch to replay.
    policy
        Prices and capacities.
    cadence
        One of ``CADENCES``.
    challengers
        Further learners (:data:`models.challengers.LEARNERS`) that decide the same claims; those not installed are left out.
    settings
        Of the trainings.
    progress
        Told how far the replay is.
    num_threads
        Threads for the boosters.

    Raises
    ------
    ValueError
        If no claim was filed in the stretch, or nothing was labelled at its start.
    """
    cuts = cuts_of(pd.Timestamp(start), pd.Timestamp(end), cadence)
    claims = history.claims
    chosen = np.flatnonzero(((claims["filed_at"] >= start) & (claims["filed_at"] < end)).to_numpy())
    if not len(chosen):
        raise ValueError(f"{history.name}: expected claims filed from {start:%Y-%m-%d} to {end:%Y-%m-%d}, found none in {history.name}")
    labels = history.settled().set_index("claim_id")["label"]
    roads: dict[str, Road] = {}
    folds = []
    for done, (cut, until) in enumerate(zip(cuts, [*cuts[1:], pd.Timestamp(end)], strict=True)):
        progress("train and decide, fold by fold", done, len(cuts))
        here = chosen[((claims["filed_at"].iloc[chosen] >= cut) & (claims["filed_at"].iloc[chosen] < until)).to_numpy()]
        trained = grown_by(history, cut, settings, policy, num_threads)
        for name, model in _models(trained, challengers, policy.harm, num_threads).items():
            roads.setdefault(name, Road(history, policy, num_threads)).decide(model, here)
        folds.append(_fold(trained, cut, until, claims.iloc[here], labels, policy.harm))
    progress("train and decide, fold by fold", len(cuts), len(cuts))
    return Replay(chosen, {name: pd.concat(road.decided, ignore_index=True) for name, road in roads.items()}, tuple(folds))


def cuts_of(start: pd.Timestamp, end: pd.Timestamp, cadence: str) -> list[pd.Timestamp]:
    """Return the instants at which the model is trained, the first at ``start``, all before ``end``.

    Raises
    ------
    ValueError
        If there is no such cadence, or the stretch is empty.

    Examples
    --------
    >>> [f"{cut:%m-%d}" for cut in cuts_of(pd.Timestamp("2025-01-31"), pd.Timestamp("2025-04-02"), "monthly")]
    ['01-31', '02-28', '03-31']
    """
    if cadence not in CADENCES:
        raise ValueError(f"retrain: expected one of {', '.join(CADENCES)}, found {cadence!r}")
    if start >= end:
        raise ValueError(f"backtest: expected an end after the start, found {start:%Y-%m-%d} to {end:%Y-%m-%d}")
    if cadence == "never":
        return [start]
    step = {"weekly": {"days": 7}, "monthly": {"months": 1}, "quarterly": {"months": 3}}[cadence]
    cuts = [start]
    while True:
        # From the start each time: a month after the month after 31 January is 31 March.
        later = start + pd.DateOffset(**{unit: size * len(cuts) for unit, size in step.items()})
        if later >= end:
            return cuts
        cuts.append(later)


@dataclass(frozen=True)
class Road:
    """One way of deciding, with the experts it has kept busy so far.

    Parameters
    ----------
    history, policy, num_threads
        As in :func:`replay`.
    most_reasons
        Reason groups named per claim; 0: none, which spares the cost of explaining.
    decided, taken
        Decisions of every day so far, and those of them that went to an expert.
    """

    history: History
    policy: Policy
    num_threads: int
    most_reasons: int = 0
    decided: list[pd.DataFrame] = field(default_factory=list)
    taken: list[pd.DataFrame] = field(default_factory=list)

    def decide(self, model: Model, rows: np.ndarray) -> None:
        """Decide claims day by day."""
        claims = self.history.claims.iloc[rows]
        for day, places in claims.groupby(claims["filed_at"].dt.floor("D"), sort=True).indices.items():
            decided_at = day + pd.Timedelta(days=1)
            mine, here = rows[places], claims.iloc[places]
            features, insured = self.history.matrix.loc[here["claim_id"]], self.history.insured[mine]
            # No capacity reaches further back than a month.
            taken = pd.concat(self.taken[-32:]) if self.taken else _NOBODY
            capacity = capacity_left(self.policy, taken, decided_at)
            found = score_claims(
                model,
                self.policy,
                features,
                here,
                insured,
                capacity,
                decided_at,
                most_reasons=self.most_reasons,
                num_threads=self.num_threads,
            )
            self.decided.append(found)
            self.taken.append(found.loc[found["action"].isin(_REVIEWED), list(_NOBODY.columns)])


def grown_by(history: History, cut: pd.Timestamp, settings: TrainingSettings | None, policy: Policy, num_threads: int = 1) -> Trained:
    """Train on the labels known before an instant, with every promise of the policy; ``ValueError`` if there are none."""
    known = history.known(cut)
    if not (known["weight"] > 0).any():
        first = history.settled()["known_at"].min()
        raise ValueError(
            f"{history.name}: expected labels known before {cut:%Y-%m-%d}, found none; the first was known on {first:%Y-%m-%d}"
        )
    trained = train(
        history.matrix,
        history.claims,
        known,
        cut,
        history.catalog_hash,
        history.described,
        settings,
        num_threads=num_threads,
        confusions=history.confusions,
        harm=policy.harm,
    )
    rows = history.claims.set_index("claim_id").index.get_indexer(trained.material.rows["claim_id"])
    return with_leaks(trained, policy, history.claims["amount_cents"].to_numpy()[rows], history.insured[rows])


def _models(trained: Trained, challengers: Sequence[str], harm: Harm, num_threads: int) -> dict[str, Model]:
    """Return everybody who decides: our bundle, the baselines, the challengers that are installed; all grown on the same rows.

    Challengers are held to the bounds that our bundle is held to; baselines are free, which can only flatter them.
    """
    material, every = trained.material, np.ones(len(trained.labels), dtype=bool)
    baselines = fit_all(material.features, material.labels, material.weights, every, material.inputs)
    seed = int(trained.bundle.trained["settings"]["seed"])
    found: dict[str, Model] = {OURS: trained.bundle, **{name: Rival(name, predict) for name, predict in baselines.items()}}
    for name in (name for name in challengers if not absent(name)):
        other = train_challenger(name, material, seed, num_threads)
        found[name] = Rival(name, other.predict, certified(material, other.proba, harm))
    return found


def _fold(trained: Trained, start: pd.Timestamp, end: pd.Timestamp, claims: pd.DataFrame, labels: pd.Series, harm: Harm) -> Fold:
    rows, found = trained.material.rows, claims["claim_id"].map(labels)
    learned = Window.of(rows["filed_at"], trained.labels, np.ones(len(rows), dtype=bool))
    decided = Window.of(claims["filed_at"], found.to_numpy(dtype=object), found.notna().to_numpy())
    return Fold(start, end, learned, decided, len(claims), trained.bundle.hash, trained.bundle.calibration.kind, _sets(trained, harm))


def _sets(trained: Trained, harm: Harm) -> tuple[float, ...]:
    """Certify prediction sets on the scores that no claim's own label had a part in, each label as often as it was drawn for."""
    proba, labels, stands_for = trained.tested
    return tuple(class_thresholds(proba, labels, stands_for, float(stands_for.max(initial=1.0)), missed(harm)).tolist())
