"""A small marketplace for the tests of the store: decisions, claims, sellers' events and the sealed world behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import CLAIMS, DECISIONS, LABELS, SELLER_EVENTS
from data_contracts.check import check

START = pd.Timestamp("2025-03-03", tz="UTC")
WEEK = pd.Timedelta(days=7)
ACTIONS = ("PAY", "REQUEST_EVIDENCE", "DENY_UNSUBSTANTIATED", "DENY_ABUSIVE", "DESK", "INVESTIGATE")


@dataclass(frozen=True)
class Town:
    """Frames that belong together."""

    claims: pd.DataFrame
    decisions: pd.DataFrame
    seller_events: pd.DataFrame
    world: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {"claims": self.claims, "seller_events": self.seller_events}


def town(claims: int = 300, seed: int = 0, weeks: int = 8) -> Town:
    """Draw a town; claims are decided a week after they are filed at the latest, at a weekly instant."""
    rng = np.random.default_rng(seed)
    ids = pd.array([f"C{i:06d}" for i in range(claims)], dtype="str")
    filed = START + pd.to_timedelta(np.sort(rng.uniform(0, 7 * weeks, claims)), unit="D").round("us")
    decided = START + WEEK * (1 + ((filed - START) // WEEK))
    truth = rng.choice(LABELS, claims, p=[0.66, 0.24, 0.10])
    amount = np.clip(np.exp(rng.normal(np.log(26_000), 1.6, claims)), 100, 90_000_000).astype("int64")
    sellers = np.array([f"S{i:03d}" for i in rng.integers(0, 40, claims)])
    claim = pd.DataFrame(
        {
            "claim_id": ids,
            "order_id": [f"O{i}" for i in range(claims)],
            "customer_id": [f"K{i}" for i in rng.integers(0, claims, claims)],
            "seller_id": sellers,
            "product_id": [f"P{i}" for i in rng.integers(0, 200, claims)],
            "kind": "property",
            "channel": "web",
            "incident_at": filed - pd.Timedelta(days=3),
            "filed_at": filed,
            "amount_cents": amount,
            "narrative": "the kettle burst",
            "photo_count": 1,
            "photo_hash": pd.array([None] * claims, dtype="str"),
            "has_receipt": True,
            "has_dated_photo": True,
            "has_medical_record": False,
            "device_id": "D1",
            "address_id": "A1",
            "payment_id": "Y1",
            "phone_id": "T1",
        }
    )
    return Town(check(claim, CLAIMS).accepted, _decisions(rng, ids, decided, truth), _seller_events(), _world(rng, ids, truth))


def _decisions(
    rng: np.random.Generator, ids: pd.api.extensions.ExtensionArray, decided: pd.DatetimeIndex, truth: np.ndarray
) -> pd.DataFrame:
    rows = len(ids)
    proba = rng.dirichlet([4, 1.5, 0.7], rows) * 0.6
    proba[np.arange(rows), [LABELS.index(t) for t in truth]] += 0.4
    action = rng.choice(ACTIONS, rows, p=[0.5, 0.1, 0.05, 0.05, 0.27, 0.03])
    automatic = rng.choice(ACTIONS[:4], rows, p=[0.7, 0.15, 0.1, 0.05])
    reviewed = np.isin(action, ["DESK", "INVESTIGATE"])
    audit = reviewed & (rng.random(rows) < 0.2)
    frame = pd.DataFrame(
        {
            "claim_id": ids,
            "decided_at": decided,
            "p_valid": proba[:, 0],
            "p_unsubstantiated": proba[:, 1],
            "p_abusive": np.clip(1 - proba[:, 0] - proba[:, 1], 0, 1),
            "action": action,
            "automatic_action": np.where(reviewed, automatic, action),
            "route": np.where(audit, "audit", np.where(reviewed, "value_of_review", "automatic")),
            "propensity": np.where(audit, 0.02, np.where(reviewed, 1.0, 0.02)),
            "automatic_cost_cents": rng.integers(0, 10_000, rows),
            "review_value_cents": rng.integers(-500, 20_000, rows),
            "reasons": "",
            "claimant_reason": "",
            "bundle": "b",
            "policy": "p",
        }
    )
    return check(frame, DECISIONS).accepted


def _seller_events() -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "event_id": ["E1", "E2", "E3"],
            "seller_id": ["S001", "S002", "S002"],
            "kind": ["insurance_forged", "policy_violation", "policy_cleared"],
            "product_id": pd.array([None] * 3, dtype="str"),
            "occurred_at": [START] * 3,
            "known_at": [START, START, START + 3 * WEEK],
        }
    )
    return check(rows, SELLER_EVENTS).accepted


def _world(rng: np.random.Generator, ids: pd.api.extensions.ExtensionArray, truth: np.ndarray) -> pd.DataFrame:
    rows = len(ids)
    valid, abusive = truth == "valid", truth == "abusive"
    return pd.DataFrame(
        {
            "claim_id": ids,
            "truth": truth,
            "difficulty": rng.random(rows),
            "seller_response": rng.choice(["pays", "evidence_refutes", "rejects", "silent"], rows, p=[0.3, 0.1, 0.2, 0.4]),
            "seller_response_days": rng.uniform(1, 9, rows),
            "insurer_response": rng.choice(["pays", "rejects", "none"], rows, p=[0.3, 0.2, 0.5]),
            "insurer_days": rng.uniform(2, 40, rows),
            "cures": rng.random(rows) < np.where(valid, 0.9, 0.15),
            "cure_days": rng.uniform(1, 35, rows),
            "appeals_if_denied": rng.random(rows) < 0.4,
            "appeal_days": rng.uniform(1, 35, rows),
            "appeal_wins": rng.random(rows) < np.where(valid, 0.6, 0.05),
            "revealed_if_paid": abusive & (rng.random(rows) < 0.5),
            "revealed_days": rng.uniform(5, 120, rows),
            "proof_days": np.where(rng.random(rows) < 0.5, rng.uniform(0, 10, rows), np.nan),
            "reimburses": rng.random(rows) < 0.5,
            "reimburse_days": rng.uniform(1, 40, rows),
        }
    )
