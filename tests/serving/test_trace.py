"""Names of requests: a caller's are taken only in a form that can harm no log."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from serving.trace import Trace, trace_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@given(st.dictionaries(st.sampled_from([b"x-request-id", b"traceparent"]), st.binary(max_size=100)))
def test_whatever_is_sent_the_names_are_short_and_plain(headers: dict[bytes, bytes]) -> None:
    found = trace_of(headers, lambda: "made")
    assert re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", found.request_id)
    assert re.fullmatch(r"([0-9a-f]{32})?", found.trace_id) and re.fullmatch(r"([0-9a-f]{16})?", found.parent_id)


def test_the_example_of_the_recommendation_is_read() -> None:
    sent = f"00-{TRACE}-{PARENT}-01".encode()
    assert trace_of({b"traceparent": sent}, lambda: "made") == Trace("made", TRACE, PARENT)
    assert trace_of({b"traceparent": sent.replace(b"00-", b"cc-", 1) + b"-more"}, lambda: "made").trace_id == TRACE  # a later version


def test_what_the_recommendation_calls_invalid_is_left_out() -> None:
    for wrong in (
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}",
        "",
    ):
        assert trace_of({b"traceparent": wrong.encode()}, lambda: "made") == Trace("made"), wrong
