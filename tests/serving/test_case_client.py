"""The experts' client over the office: what it asks for is what it says, page after page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data_contracts import Label
from pipelines.firm import hire
from pipelines.firm_desks import Desks, office_of
from serving.case_messages import Status
from serving.client import ProblemError
from serving.queue import Tier
from serving.store import Store
from tests.serving.cases import START, WEEK, town

TOWN = town(500, seed=3, weeks=1)
NOW = (START + 1.1 * WEEK).to_pydatetime()


@pytest.fixture
def desks() -> Iterator[Desks]:
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        with office_of(store, hire(0)) as desks:
            yield desks


def test_a_case_is_listed_leased_read_prolonged_and_answered(desks: Desks) -> None:
    desk = desks("desk-1").at(NOW)
    waiting = [case.claim_id for case in desk.listed(Status.WAITING)]
    assert len(waiting) > 100 and waiting == sorted(set(waiting))
    (case,) = desk.lease(Tier.DESK)
    assert [held.claim_id for held in desk.listed()] == [case.claim_id] and desk.file(case.claim_id) == case
    assert desk.at(NOW + WEEK / 7).renew(case.claim_id, case.token).expires_at == case.expires_at + WEEK / 7
    assert desk.answer(case.claim_id, case.token, Label.VALID, 30, "seen").answered_at == NOW
    assert [done.claim_id for done in desk.listed(Status.ANSWERED)] == [case.claim_id]


def test_a_case_is_given_back_handed_over_and_escalated(desks: Desks) -> None:
    desk, other = desks("desk-1").at(NOW), desks("desk-2").at(NOW)
    (case,) = desk.lease(Tier.DESK)
    assert desk.release(case.claim_id, case.token, to="desk-2").cases == [case.claim_id]
    (again,) = other.lease(Tier.DESK)
    assert again.claim_id == case.claim_id and again.token == case.token + 1
    assert other.escalate(again.claim_id, again.token, "too large for us").cases == [case.claim_id]
    assert case.claim_id in [found.claim_id for found in desks("investigator-1").at(NOW).listed(Status.WAITING, Tier.INVESTIGATION)]


def test_one_key_leases_once_and_a_stranger_nothing(desks: Desks) -> None:
    desk = desks("desk-1").at(NOW)
    assert desk.lease(Tier.DESK, 3, "once") == desk.lease(Tier.DESK, 3, "once")
    with pytest.raises(ProblemError, match="401"):
        desks("nobody").at(NOW).lease(Tier.DESK)
    with pytest.raises(ProblemError, match="403"):
        desk.lease(Tier.INVESTIGATION)
