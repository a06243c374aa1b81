"""Labels as known: what counts, what supersedes, and whom a label speaks for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import as_known, examination_delays

START = pd.Timestamp("2025-01-01", tz="UTC")
ROW = st.tuples(
    st.sampled_from("ABCD"),
    st.sampled_from(["valid", "unsubstantiated", "abusive", None]),
    st.sampled_from(["automatic", "desk", "investigation", "audit", "evidence", "appeal", "revealed"]),
    st.sampled_from([0.01, 0.1, 0.5, 1.0]),
    st.integers(0, 30),
)


def frame(rows: list[tuple[str, str | None, str, float, int]]) -> pd.DataFrame:
    claim, label, source, propensity, day = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return pd.DataFrame(
        {
            "resolution_id": pd.array([f"R{i:03d}" for i in range(len(rows))], dtype="str"),
            "claim_id": pd.array(claim, dtype="str"),
            "label": pd.array(label, dtype="str"),
            "source": pd.array(source, dtype="str"),
            "propensity": np.array(propensity, dtype=float),
            "known_at": (START + pd.to_timedelta(list(day), unit="D")).astype("datetime64[us, UTC]"),
        }
    )


CLAIMS = pd.DataFrame({"claim_id": list("DCBA")})


def slow(rows: pd.DataFrame, as_of: pd.Timestamp, cap: float) -> list[tuple[str, str, float]]:
    found = []
    for claim in CLAIMS.claim_id:
        label, weight = None, None
        for row in sorted(rows.itertuples(), key=lambda r: (r.known_at, r.resolution_id)):
            if row.claim_id == claim and row.known_at < as_of and isinstance(row.label, str):
                label = row.label
                if weight is None and row.source in ("desk", "investigation", "audit"):
                    weight = min(cap, 1 / row.propensity)
        if label is not None:
            found.append((claim, label, 0.0 if weight is None else weight))
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=14), st.integers(0, 31))
def test_labels_equal_those_of_a_slow_loop_in_the_order_of_the_claims(rows: list, day: int) -> None:
    resolutions, as_of = frame(rows), START + pd.Timedelta(days=day)
    known = as_known(resolutions, CLAIMS, as_of, cap=8.0)
    assert list(known[["claim_id", "label", "weight"]].itertuples(index=False, name=None)) == slow(resolutions, as_of, 8.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=10), st.integers(1, 30), st.randoms(use_true_random=False))
def test_neither_the_future_nor_the_order_of_rows_changes_a_label(rows: list, day: int, shuffler) -> None:
    resolutions, as_of = frame(rows), START + pd.Timedelta(days=day)
    past = resolutions[resolutions.known_at < as_of]
    order = list(range(len(resolutions)))
    shuffler.shuffle(order)
    pd.testing.assert_frame_equal(as_known(past, CLAIMS, as_of), as_known(resolutions.iloc[order], CLAIMS, as_of))


def test_a_label_known_at_the_very_instant_is_not_yet_known() -> None:
    rows = frame([("A", "valid", "desk", 1.0, 5)])
    assert as_known(rows, CLAIMS, START + pd.Timedelta(days=5)).empty
    assert len(as_known(rows, CLAIMS, START + pd.Timedelta(days=5, microseconds=1))) == 1


def test_an_unlabelled_row_erases_nothing_and_a_later_label_supersedes() -> None:
    rows = frame(
        [
            ("A", "abusive", "desk", 1.0, 1),
            ("A", None, "automatic", 1.0, 2),
            ("B", "abusive", "desk", 1.0, 1),
            ("B", "valid", "appeal", 1.0, 9),
        ]
    )
    known = as_known(rows, CLAIMS, START + pd.Timedelta(days=30)).set_index("claim_id")
    assert known.label.to_dict() == {"B": "valid", "A": "abusive"}
    assert known.source.to_dict() == {"B": "appeal", "A": "desk"}


def test_a_claim_seen_only_because_of_its_outcome_keeps_its_label_but_speaks_for_nobody() -> None:
    rows = frame([("A", "abusive", "revealed", 1.0, 1), ("B", "abusive", "revealed", 1.0, 9), ("B", "valid", "audit", 0.1, 2)])
    known = as_known(rows, CLAIMS, START + pd.Timedelta(days=30)).set_index("claim_id")
    assert known.label.to_dict() == {"B": "abusive", "A": "abusive"}
    assert known.weight.to_dict() == {"B": 10.0, "A": 0.0}


def test_audit_weights_recover_the_abusive_share_of_the_whole_population() -> None:
    rng = np.random.default_rng(3)
    suspicion = rng.random(40_000)
    abusive = rng.random(40_000) < 0.25 * suspicion
    reviewed, audited = suspicion > 0.8, rng.random(40_000) < 0.1
    revealed = ~reviewed & ~audited & abusive & (rng.random(40_000) < 0.3)
    seen = reviewed | audited | revealed
    rows = pd.DataFrame(
        {
            "resolution_id": [f"R{i:06d}" for i in np.flatnonzero(seen)],
            "claim_id": [f"C{i:06d}" for i in np.flatnonzero(seen)],
            "label": np.where(abusive, "abusive", "valid")[seen],
            "source": np.where(reviewed, "desk", np.where(audited, "audit", "revealed"))[seen],
            "propensity": np.where(reviewed | revealed, 1.0, 0.1)[seen],
            "known_at": START,
        }
    )
    known = as_known(rows, rows[["claim_id"]], START + pd.Timedelta(days=1))
    truth = abusive.mean()
    weighted = np.average(known.label == "abusive", weights=known.weight)
    naive = (known.label == "abusive").mean()
    assert abs(weighted - truth) < 0.01 < 0.05 < abs(naive - truth)


def test_a_label_outside_the_three_classes_is_named() -> None:
    rows = frame([("A", "fraud", "desk", 1.0, 1)])
    with pytest.raises(ValueError, match="expected one of valid, unsubstantiated, abusive, found 'fraud'"):
        as_known(rows, CLAIMS, START + pd.Timedelta(days=30))


def cohort(count: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Claims filed evenly over 120 days; the desk answers in 2 to 10 days, an investigation in 14 to 45."""
    rng = np.random.default_rng(seed)
    ids = pd.array([f"C{i:05d}" for i in range(count)], dtype="str")
    filed = START + pd.to_timedelta(rng.uniform(0, 120, count), unit="D")
    source = np.where(np.arange(count) % 2 == 0, "desk", "investigation")
    days = np.where(source == "desk", rng.uniform(2, 10, count), rng.uniform(14, 45, count))
    rows = pd.DataFrame({"resolution_id": ids, "claim_id": ids, "label": "valid", "source": source, "propensity": 1.0})
    return rows.assign(known_at=filed + pd.to_timedelta(days, unit="D")), pd.DataFrame({"claim_id": ids, "filed_at": filed})


def test_matured_weights_restore_recent_cohorts_and_leave_old_ones_alone() -> None:
    rows, claims = cohort(20_000, 0)
    as_of = START + pd.Timedelta(days=120)
    delays = examination_delays(rows, claims, as_of)
    known = as_known(rows, claims, as_of, delays=delays).merge(claims, on="claim_id").merge(rows[["claim_id", "source"]], on="claim_id")
    age = (as_of - known["filed_at"]) / pd.Timedelta(days=1)
    assert (known.loc[age > 46, "weight"] == 1.0).all() and (known["weight"] >= 1.0).all()
    every = (as_of - claims["filed_at"]) / pd.Timedelta(days=1)
    recent = known[(age > 25) & (age < 45) & (known["source_x"] == "investigation")]
    whole = ((every > 25) & (every < 45)).to_numpy() & (rows["source"] == "investigation").to_numpy()
    assert len(recent) < 0.75 * whole.sum() and recent["weight"].sum() == pytest.approx(whole.sum(), rel=0.05)
    assert as_known(rows, claims, as_of, cap=3.0, delays=delays)["weight"].max() <= 3.0


def test_delays_are_estimated_from_what_was_known_and_not_from_few() -> None:
    rows, claims = cohort(2_000, 1)
    as_of = START + pd.Timedelta(days=60)
    found, again = (examination_delays(part, claims, as_of) for part in (rows, rows[rows.known_at < as_of]))
    assert all(np.array_equal(found[source].share, again[source].share) for source in found) and set(found) == {"desk", "investigation"}
    assert examination_delays(rows.head(20), claims, as_of) == {}
