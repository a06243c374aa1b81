"""What each entry moves."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from serving.entries import moved
from serving.ledger import PENDING, Account
from serving.resolution import Entry
from tests.serving.test_case import FILED

BEARERS = [a for a in Account if a not in (Account.CUSTOMER, Account.EXPERTS, Account.EXPERT_FEES)]
borne = st.dictionaries(st.sampled_from(BEARERS), st.integers(-(10**8), 0))


@given(st.sampled_from(Entry), st.integers(1, 10**8), borne, st.integers(0, 2 * 10**8))
def test_every_entry_balances_whatever_was_there_before(entry: Entry, amount: int, before: dict[Account, int], given_cents: int) -> None:
    lines = moved(entry, replace(FILED, amount_cents=amount), before, given_cents)
    assert sum(lines.values()) == 0
    assert 0 not in lines.values()


@given(borne, st.integers(0, 2 * 10**8))
def test_no_more_is_recovered_than_is_owed(before: dict[Account, int], given_cents: int) -> None:
    for entry, receivable in (
        (Entry.RECOVER_FROM_SELLER, Account.RECEIVABLE_FROM_SELLER),
        (Entry.RECOVER_FROM_INSURER, Account.RECEIVABLE_FROM_SELLER),
        (Entry.RECOVER_FROM_CUSTOMER, Account.RECEIVABLE_FROM_CUSTOMER),
    ):
        back = moved(entry, FILED, before, given_cents).get(receivable, 0)
        assert back == min(given_cents, -before.get(receivable, 0))


@given(borne)
def test_writing_off_leaves_nothing_pending_and_claiming_back_leaves_only_the_claimant_owing(before: dict[Account, int]) -> None:
    off = moved(Entry.WRITE_OFF, FILED, before, 0)
    assert all(before.get(a, 0) + off.get(a, 0) == 0 for a in PENDING)
    back = moved(Entry.CLAIM_BACK, FILED, before, 0)
    after = {a: before.get(a, 0) + back.get(a, 0) for a in BEARERS}
    assert {a for a, cents in after.items() if cents} <= {Account.RECEIVABLE_FROM_CUSTOMER}
    assert sum(after.values()) == sum(before.values())
