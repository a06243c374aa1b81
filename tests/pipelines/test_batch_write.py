"""Decisions of a batch in the store: asked once what is decided, and again only where somebody else wrote meanwhile."""

from __future__ import annotations

import pytest
from pandas.testing import assert_frame_equal

from data_contracts import DECISIONS
from data_contracts.check import to_arrow
from pipelines import batch_write as module
from pipelines.batch_write import Writer
from serving.queue import MINUTES
from serving.schema import METADATA
from serving.store import Store
from tests.serving.cases import town

FRAME = town(60, seed=2).decisions
TABLE = to_arrow(FRAME, DECISIONS)


def test_what_a_batch_writes_is_what_the_store_would_have_written(store_url: str) -> None:
    with Store(store_url) as store, Store("sqlite://") as other:
        writer = Writer.of(store)
        for piece in (slice(25), slice(25, 60)):
            assert writer.keep(TABLE[piece], MINUTES, {}) == len(FRAME[piece]) == other.record_decisions(FRAME[piece])
        for table in METADATA.tables:
            assert_frame_equal(store.read(table), other.read(table))


def test_a_claim_that_somebody_else_decided_meanwhile_keeps_its_decision(store_url: str) -> None:
    with Store(store_url) as store:
        writer = Writer.of(store)
        store.record_decisions(FRAME[5:9].assign(bundle="another"))
        assert writer.keep(TABLE[:20], MINUTES, {}) == 16
        assert writer.keep(TABLE[20:], MINUTES, {}) == len(FRAME) - 20
        assert store.read("decisions")["bundle"].eq("another").sum() == 4


def test_nothing_is_looked_up_again_while_the_log_ends_where_the_batch_left_it(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "add_decisions", None)
    with Store(store_url) as store:
        writer = Writer.of(store)
        assert [writer.keep(TABLE[start : start + 20], MINUTES, {}) for start in (0, 20, 40)] == [20, 20, 20]


def test_a_piece_that_failed_leaves_nothing_and_may_be_written_again(store_url: str) -> None:
    with Store(store_url) as store:
        writer = Writer.of(store)
        with pytest.raises(KeyError):
            writer.keep(TABLE[:20], {}, {})
        assert store.read("decisions").empty
        assert writer.keep(TABLE[:20], MINUTES, {}) == 20
