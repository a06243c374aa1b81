"""Signatures: those of the reference implementation, and secrets that are read or refused, never told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from serving.webhook_signature import read_secret, signed, written

SECRETS = st.binary(min_size=24, max_size=64)
NOW = int(datetime.now(UTC).timestamp())


@given(SECRETS, st.text(st.characters(codec="utf-8"), max_size=60), st.integers(0, 2**33))
def test_what_is_signed_is_signed_as_the_reference_implementation_does_it(secret: bytes, text: str, seconds: int) -> None:
    told = signed("msg_0a", seconds, text.encode(), [secret])
    oracle = Webhook(written(secret)).sign("msg_0a", datetime.fromtimestamp(seconds, UTC), text)
    assert told["webhook-signature"] == oracle


@given(SECRETS, SECRETS, SECRETS)
def test_while_a_secret_is_exchanged_both_are_good_and_no_third_is(old: bytes, new: bytes, other: bytes) -> None:
    told = signed("msg_0a", NOW, b'{"a":1}', [new, old])
    for secret in (old, new):
        assert Webhook(written(secret)).verify(b'{"a":1}', told) == {"a": 1}
    if other not in (old, new):
        with pytest.raises(WebhookVerificationError):
            Webhook(written(other)).verify(b'{"a":1}', told)


@given(SECRETS)
def test_a_secret_is_read_as_it_was_written(secret: bytes) -> None:
    assert read_secret(f"{written(secret)}\n") == secret


@pytest.mark.parametrize("text", ["", "whsec_", "c2VjcmV0" * 5, "whsec_" + "QUJD" * 7, "whsec_" + "QUJD" * 22, "whsec_!" + "QUJD" * 9])
def test_what_is_no_secret_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match="secret: expected whsec_ and 24 to 64 bytes") as refused:
        read_secret(text)
    assert "QUJD" not in str(refused.value) and "c2Vj" not in str(refused.value)
