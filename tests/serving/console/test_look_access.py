"""Who may see what the model thinks."""

from __future__ import annotations

import pytest

from serving.console.look_access import is_hidden
from serving.console.roles import EXPERTS, OVERSEERS, Role


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", ["open", "leased", "answered", "withdrawn"])
def test_an_opinion_is_hidden_exactly_while_it_could_sway_an_answer(role: Role, state: str) -> None:
    row = type("Row", (), {"state": state, "lease_expires_at": 10})()
    for now in (5, 15):
        assert not is_hidden(row, is_blind=False, role=role, now=now)
        awaited = state in ("open", "leased") or (state == "withdrawn" and now < 10)
        assert is_hidden(row, is_blind=True, role=role, now=now) is (role in EXPERTS or awaited)
    assert role in EXPERTS | OVERSEERS
