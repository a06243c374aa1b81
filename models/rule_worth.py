"""What a rule would have done to past claims, before it goes live: precision, recall, money, and how much the model does already."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts import Label, Route
from models.consequences import consequences
from models.policy import Policy
from models.rule_effects import EFFECTS, fallback, outcome
from models.rules import ERROR, HIT, SNOOZED, Rules

COLUMNS = [
    "rule",
    "effect",
    "claims",
    "hits",
    "snoozed",
    "errors",
    "changed",
    "overlap",
    "examined",
    "precision",
    "precision_abusive",
    "recall_abusive",
    "saving_cents",
]


def worth(
    policy: Policy,
    rules: Rules,
    verdicts: pd.DataFrame,
    decisions: pd.DataFrame,
    labels: pd.Series,
    weights: pd.Series,
    amount_cents: np.ndarray,
    insured: np.ndarray,
) -> pd.DataFrame:
    """Judge every rule by itself on past decisions.

    Parameters
    ----------
    policy
        Prices, and how experts err.
    rules
        The rules.
    verdicts
        From :func:`models.rules.evaluate`, rows in the order of ``decisions``.
    decisions
        ``claim_id``, ``action``, ``automatic_action``, ``route`` and the three probabilities, decided without these rules.
    labels, weights
        Class and weight of the claims whose examination the policy chose (:func:`models.labels.as_known`), by ``claim_id``.
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`, in the order of ``decisions``.

    Returns
    -------
    DataFrame
        One row per rule: counts of ``claims``, ``hits``, ``snoozed``, ``errors``; ``changed``, claims whose outcome it would make stricter;
        ``overlap``, share of the claims on which it speaks whose outcome is as strict already. From the ``examined`` claims among
        those on which it speaks, each by its weight: ``precision``, the share that is not valid, ``precision_abusive``, the share that is
        abusive; ``recall_abusive``, the share of all abuse on which it speaks; ``saving_cents``, what its outcomes would have saved all
        claims together (negative: cost). NaN where nothing was examined.

    Notes
    -----
    An error counts like a hit, as it does live. A claim that only the audit sent to an expert is judged as if it had not been drawn. Costs
    of reviews are in expectation over the expert's answer (:func:`models.consequences.consequences`).
    """
    ids = decisions["claim_id"]
    weight = ids.map(weights).fillna(0.0).to_numpy(dtype=np.float64)
    known = ids.map(labels)
    weight = np.where(known.notna(), weight, 0.0)
    seen = np.flatnonzero(weight > 0)
    automatic = decisions["automatic_action"].to_numpy(dtype=object)
    undrawn = np.where(decisions["route"] == Route.AUDIT.value, automatic, decisions["action"].to_numpy(dtype=object))
    classes = known.to_numpy(dtype=object)[seen]

    def costs(action: np.ndarray, remaining: np.ndarray) -> np.ndarray:
        rows = decisions.iloc[seen].assign(action=action[seen], automatic_action=remaining[seen])
        return consequences(policy, rows, classes, amount_cents[seen], insured[seen]).cost_cents

    before = costs(undrawn, automatic)
    found = []
    for rule in rules.rules:
        if rule.id not in verdicts:
            continue
        verdict = verdicts[rule.id].to_numpy(dtype=object)
        spoke = np.isin(verdict, (HIT, ERROR))
        effects = np.where(spoke, EFFECTS.index(rule.effect), -1)
        after = outcome(undrawn, effects)
        changed = after != undrawn
        saved = before - costs(after, fallback(automatic, effects))
        w, hit = weight[seen], spoke[seen]
        abusive, valid = classes == Label.ABUSIVE.value, classes == Label.VALID.value
        counts = (len(ids), *(int((verdict == name).sum()) for name in (HIT, SNOOZED, ERROR)), int(changed.sum()))
        shares = (_share(w, ~valid & hit, hit), _share(w, abusive & hit, hit), _share(w, abusive & hit, abusive))
        saving = float((w * saved).sum()) if len(seen) else float("nan")
        overlap = float((~changed[spoke]).mean()) if spoke.any() else float("nan")
        found.append((rule.id, rule.effect, *counts, overlap, int(hit.sum()), *shares, saving))
    return pd.DataFrame(found, columns=COLUMNS)


def _share(weight: np.ndarray, part: np.ndarray, whole: np.ndarray) -> float:
    total = float(weight[whole].sum())
    return float(weight[part].sum()) / total if total > 0 else float("nan")
