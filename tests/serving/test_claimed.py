"""The laws of writing a group down: claims one after the other, keys for ever, a sample that never changes its mind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scorer import Scorer
from serving.claimed import drawn, keep_keys, packed, write
from serving.decider import Decider
from serving.draft import look
from serving.driver import Driver
from serving.instants import micros
from serving.queue import MINUTES
from serving.reading import Asked, Reading
from serving.store import Store
from tests.serving.homes import HISTORY, POLICY, Small, claim, store_at


@given(st.text(min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_claim_drawn_into_a_sample_is_in_every_larger_one(claim_id: str, one: float, other: float) -> None:
    assert drawn(claim_id, 1.0) and not drawn(claim_id, 0.0)
    assert drawn(claim_id, max(one, other)) or not drawn(claim_id, min(one, other))


@given(st.lists(st.floats(), max_size=9))
def test_a_packed_row_comes_back_bit_for_bit(numbers: list[float]) -> None:
    row = np.array(numbers, dtype=np.float64)
    assert np.frombuffer(packed(row), "<f8").tobytes() == row.tobytes()


def test_a_key_stays_with_the_claim_it_came_with_first(market: Small) -> None:
    first, second = (Asked.of(row, claim(market.live, row), "k") for row in range(2))
    with Store("sqlite://") as store:
        for group in ([first], [second], [Asked.of(2, second.claim, None)]):
            with store.write() as tx:
                keep_keys(Driver(tx), group)
        kept = store.read("idempotency_keys")
    assert kept["claim_id"].tolist() == [first.claim.claim_id]


@pytest.mark.parametrize("ahead", [0, 10**9])
def test_claims_of_a_group_become_history_one_after_the_other_and_none_too_early(market: Small, tmp_path: Path, ahead: int) -> None:
    decider = Decider(Scorer(market.bundle, POLICY, None, HISTORY.names), market.bundle.hash)
    filed_at = market.now - timedelta(seconds=5)
    claims = [claim(market.live).model_copy(update={"claim_id": f"C{i}", "filed_at": filed_at}) for i in range(4)]
    with store_at(tmp_path) as store:
        market.engine(store)
        earliest = micros(filed_at) + ahead
        with store.write() as tx:
            reading = Reading(tx, HISTORY, POLICY)
            group = [Asked.of(i, one, None) for i, one in enumerate(claims)]
            looks, _ = look(reading, group, decider, market.now, timedelta(minutes=1), {})
            written = write(tx, reading, looks, decider, market.now, MINUTES, 1.0, earliest)
            assert write(tx, reading, {}, decider, market.now, MINUTES, 1.0, earliest) == {}
        with store.view() as view:
            after = Reading(view, HISTORY, POLICY)
        kept, samples = store.read("claims"), store.read("parity_samples")
    instants = [micros(at) for at in kept["recorded_at"].fillna(kept["filed_at"])]
    assert instants == [earliest + place for place in range(4)] and after.watermark == instants[-1]
    assert [written[place].draft.decision.claim_id for place in range(4)] == kept["claim_id"].tolist() == samples["claim_id"].tolist()
    assert after.head == reading.head
