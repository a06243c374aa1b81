"""The page for Prometheus: what was told is counted, once, and under few names."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from serving.watch import Watch


def series(watch: Watch) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(watch.page().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def watch(**engine: int) -> tuple[Watch, dict[str, Any]]:
    parity = {"parity_checked": 0, "parity_mismatches": 0}
    state: dict[str, Any] = {"depth": 0, "counters": engine, "parity": parity, "versions": {"bundle": "b1"}}
    return Watch(lambda: state["versions"], lambda: state["counters"], lambda: state["parity"], lambda: state["depth"]), state


def test_requests_are_counted_by_route_and_status_and_timed_where_a_claim_was_decided() -> None:
    page, _ = watch()
    for status in (200, 200, 422):
        page.answered("POST", "/v1/claims:score", status, 0.002)
    page.answered("GET", "/healthz", 200, 5.0)
    found = series(page)
    labels = (("method", "POST"), ("route", "/v1/claims:score"), ("status", "200"))
    assert found["touchstone_requests_total", labels] == 2
    assert found["touchstone_stage_seconds_count", (("stage", "request"),)] == 3
    assert found["touchstone_stage_seconds_bucket", (("le", "0.0015"), ("stage", "request"))] == 0
    assert found["touchstone_stage_seconds_bucket", (("le", "0.002"), ("stage", "request"))] == 3


def test_the_engines_counters_are_told_once_however_often_the_page_is_read() -> None:
    page, state = watch(decided=3)
    for _ in range(3):
        found = series(page)
    assert found["touchstone_engine_total", (("what", "decided"),)] == 3
    state["counters"] = {"decided": 5}
    page.decided(0.001, 0.002)
    found = series(page)
    assert found["touchstone_engine_total", (("what", "decided"),)] == 5
    assert found["touchstone_stage_seconds_sum", (("stage", "deciding"),)] == 0.002


def test_the_page_says_what_decides_now_and_how_long_the_line_is() -> None:
    page, state = watch()
    state["depth"], state["versions"] = 7, {"bundle": "b2"}
    found = series(page)
    assert found["touchstone_line_claims", ()] == 7
    assert found["touchstone_version_info", (("bundle", "b2"),)] == 1


def test_what_the_store_knows_of_the_samples_is_asked_for_when_the_page_is_read_and_not_with_every_claim() -> None:
    page, state = watch(decided=1)
    asked: list[str] = []
    page = Watch(lambda: {"bundle": "b"}, lambda: state["counters"], lambda: (asked.append("asked"), state["parity"])[1], lambda: 0)
    page.decided(0.001, 0.002)
    assert not asked
    state["parity"] = {"parity_checked": 7, "parity_mismatches": 1}
    for _ in range(2):
        found = series(page)
        assert (found["touchstone_parity_checked_total", ()], found["touchstone_parity_mismatches_total", ()]) == (7, 1)
    assert len(asked) == 2
