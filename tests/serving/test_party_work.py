"""Who speaks for whom, and which scopes say so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.auth import PARTY_SCOPES, Caller, Scope
from serving.party_work import SPEAKS, Speaker

SCOPES = st.frozensets(st.sampled_from(list(Scope)))


def test_every_scope_of_a_party_speaks_for_a_party_of_its_own() -> None:
    assert set(SPEAKS) == PARTY_SCOPES and len(set(SPEAKS.values())) == len(SPEAKS)


@given(SCOPES)
def test_who_speaks_for_several_parties_speaks_for_none_and_a_token_never_has_a_sellers_name(scopes: frozenset[Scope]) -> None:
    held = scopes & PARTY_SCOPES
    speaker = Speaker.of(Caller("token:S001", scopes))
    assert (speaker is None) == (len(held) != 1)
    assert speaker is None or (speaker.name, [speaker.party]) == ("token:S001", [SPEAKS[scope] for scope in held])
