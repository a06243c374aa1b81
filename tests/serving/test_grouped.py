"""The laws of deciding together: nobody is lost, nobody twice in one group, and no two filed far apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.grouped import TOGETHER, apart, spans
from tests.strategies import MANY

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


def asked(place: int, claim_id: str, key: str | None, seconds: float) -> Any:
    filed_at = EPOCH + timedelta(seconds=seconds)
    return SimpleNamespace(place=place, key=key, claim=SimpleNamespace(claim_id=claim_id, filed_at=filed_at))


@st.composite
def groups(draw: st.DrawFn) -> list[Any]:
    drawn = st.tuples(st.sampled_from("ABC"), st.sampled_from([None, "k", "l"]), st.floats(0, 40))
    return [asked(place, *one) for place, one in enumerate(draw(st.lists(drawn, min_size=1, max_size=9)))]


@MANY
@given(groups())
def test_claims_that_repeat_one_before_them_wait_and_the_first_never_does(came: list[Any]) -> None:
    group, later = apart(came)
    assert group[0] is came[0] and sorted(one.place for one in group + later) == list(range(len(came)))
    for names in ([one.claim.claim_id for one in group], [one.key for one in group if one.key]):
        assert len(names) == len(set(names))
    for one in later:
        assert any(other.claim.claim_id == one.claim.claim_id or (one.key and other.key == one.key) for other in came[: one.place])


@MANY
@given(groups())
def test_spans_keep_the_order_and_none_is_longer_than_allowed(came: list[Any]) -> None:
    parts = spans(came)
    assert [one for part in parts for one in part] == came
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        times = [one.claim.filed_at for one in part]
        assert max(times) - min(times) <= TOGETHER
        if after is not None:
            times.append(after[0].claim.filed_at)
            assert max(times) - min(times) > TOGETHER, "it could have been one of them"
