"""Laws of the ledger."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import DECISIONS
from serving.ledger import PAY, Account, LedgerError, Posting, balances, borne, lines_of, post
from serving.schema import DECISIONS_TABLE, PROCEEDINGS
from serving.store import Store, rows_of
from tests.serving.cases import town

CLAIMS = town(5).decisions
BEARERS = [a for a in Account if a not in (Account.CUSTOMER, Account.EXPERTS)]


def store_with_claims() -> Store:
    """Open a store in memory in which five claims have proceedings."""
    store = Store("sqlite://")
    with store.write() as tx:
        tx.execute(DECISIONS_TABLE.insert(), rows_of(DECISIONS, CLAIMS))
        common = {"customer_id": "K", "seller_id": "S", "product_id": "P", "amount_cents": 1, "state": "filed", "seq": 0}
        times = {"opened_at": 0, "since": 0, "last_at": 0}
        tx.execute(PROCEEDINGS.insert(), [{"claim_id": c, **common, **times} for c in CLAIMS["claim_id"]])
    return store


@st.composite
def postings(draw: st.DrawFn) -> Posting:
    claim_id = draw(st.sampled_from(CLAIMS["claim_id"].tolist()))
    accounts = draw(st.lists(st.sampled_from(BEARERS), min_size=1, max_size=4, unique=True))
    cents = draw(st.lists(st.integers(1, 10**8), min_size=len(accounts), max_size=len(accounts)))
    return Posting(claim_id, PAY, 0, ((Account.CUSTOMER, sum(cents)), *((a, -c) for a, c in zip(accounts, cents, strict=True))))


@settings(max_examples=60, deadline=None)
@given(st.lists(postings(), max_size=12))
def test_all_accounts_sum_to_zero_and_no_customer_is_paid_twice(wanted: list[Posting]) -> None:
    first: dict[str, Posting] = {}
    with store_with_claims() as store:
        for posting in wanted:
            try:
                with store.write() as tx:
                    post(tx, [posting])
            except LedgerError:
                assert dict(first[posting.claim_id].lines) != dict(posting.lines)
            first.setdefault(posting.claim_id, posting)
            with store.view() as tx:
                assert sum(balances(tx).values()) == 0
        with store.view() as tx:
            total = balances(tx)
    assert total[Account.CUSTOMER] == sum(dict(p.lines)[Account.CUSTOMER] for p in first.values())
    assert sum(borne(total).values()) == total[Account.CUSTOMER]


@settings(max_examples=30, deadline=None)
@given(st.lists(postings(), min_size=1, max_size=6, unique_by=lambda p: p.claim_id), st.integers(1, 3))
def test_posting_again_changes_nothing(wanted: list[Posting], times: int) -> None:
    with store_with_claims() as store:
        with store.write() as tx:
            assert post(tx, wanted) == len(wanted)
            before = lines_of(tx, CLAIMS["claim_id"].tolist())
        for _ in range(times):
            with store.write() as tx:
                assert post(tx, wanted * 2) == 0
                assert lines_of(tx, CLAIMS["claim_id"].tolist()) == before


def test_a_refused_posting_takes_its_whole_transaction_with_it() -> None:
    first, second = CLAIMS["claim_id"][:2]
    paid = Posting(first, PAY, 0, ((Account.CUSTOMER, 5), (Account.ADVANCED, -5)))
    other = Posting(first, PAY, 0, ((Account.CUSTOMER, 6), (Account.ADVANCED, -6)))
    innocent = Posting(second, PAY, 0, ((Account.CUSTOMER, 7), (Account.ADVANCED, -7)))
    with store_with_claims() as store:
        with store.write() as tx:
            post(tx, [paid])
        with pytest.raises(LedgerError, match="already posted"), store.write() as tx:
            post(tx, [innocent, other])
        with store.view() as tx:
            assert balances(tx)[Account.CUSTOMER] == 5


@pytest.mark.parametrize(
    ("step", "lines", "complaint"),
    [
        (PAY, ((Account.CUSTOMER, 5), (Account.ADVANCED, -4)), "sum to zero"),
        (PAY, ((Account.CUSTOMER, 0), (Account.ADVANCED, 0)), "none zero"),
        (PAY, (), "found none"),
        ("x", ((Account.SELLER, 5), (Account.SELLER, -5)), "each account once"),
        ("again", ((Account.CUSTOMER, 5), (Account.ADVANCED, -5)), "in the step 'pay' only"),
    ],
)
def test_a_posting_that_breaks_a_rule_cannot_be_made(step: str, lines: tuple[tuple[Account, int], ...], complaint: str) -> None:
    with pytest.raises(LedgerError, match=complaint):
        Posting("C1", step, 0, lines)
