"""An entry of the catalogue: its plain form says everything that changes the number, and is JSON."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np

from features.catalog import CATALOG
from features.entry import Entry
from features.facts import Facts
from features.spec import Aggregate, Computed, Difference, Direct, Ratio, Window


def nothing(facts: Facts) -> np.ndarray:
    return np.zeros(len(facts.probes))


COUNT = Aggregate("claims", ("customer_id",), "count", Window(30))
ENTRY = Entry(COUNT, "claims of the customer in 30 days", "count", 1, "customer_history", "many claims")


def test_an_entry_is_named_as_its_feature_and_its_plain_form_survives_json() -> None:
    for entry in CATALOG.entries:
        plain = entry.compile()
        assert plain["name"] == entry.name == entry.feature.name
        assert json.loads(json.dumps(plain)) == plain
        assert {field.name for field in fields(Entry)} - {"feature"} <= plain.keys()


def test_another_definition_or_meaning_is_another_plain_form() -> None:
    others = [
        replace(ENTRY, feature=replace(COUNT, over=Window(31))),
        replace(ENTRY, feature=replace(COUNT, over=Window(30, lag_days=1))),
        replace(ENTRY, feature=replace(COUNT, over=Window(30, closed="both"))),
        replace(ENTRY, feature=replace(COUNT, by=("seller_id",))),
        replace(ENTRY, feature=Ratio(COUNT, replace(COUNT, over=Window(90)))),
        replace(ENTRY, feature=Ratio(replace(COUNT, over=Window(90)), COUNT)),
        replace(ENTRY, feature=Direct(COUNT.name, "claim", ("probes.amount_cents",))),
        replace(ENTRY, feature=replace(COUNT, on="claims.has_receipt", how="rate")),
        replace(ENTRY, feature=replace(COUNT, on="claims.has_receipt", how="rate", among="has_dated_photo")),
        replace(ENTRY, feature=Difference(Ratio(COUNT, COUNT), COUNT)),
        replace(ENTRY, feature=Difference(COUNT, Ratio(COUNT, COUNT))),
        replace(ENTRY, feature=Computed(COUNT.name, (), nothing)),
        replace(ENTRY, meaning="another"),
        replace(ENTRY, direction=0),
    ]
    forms = [json.dumps(entry.compile(), sort_keys=True) for entry in (ENTRY, *others)]
    assert len(set(forms)) == len(forms)
    assert replace(ENTRY, feature=Computed("x", (), nothing)).compile()["computed"]["function"] == f"{__name__}.nothing"
