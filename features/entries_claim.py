"""The catalogue's entries about the claim itself."""

from __future__ import annotations

from typing import Literal

from features.entry import Entry, Group, Unit
from features.from_claim import CLAIM_FEATURES


def _entry(name: str, meaning: str, unit: Unit, direction: Literal[-1, 0, 1], group: Group, reason: str) -> Entry:
    return Entry(CLAIM_FEATURES[name], meaning, unit, direction, group, reason)


CLAIM_ENTRIES: tuple[Entry, ...] = (
    _entry("claim_amount_log", "natural logarithm of the dollars claimed", "log dollars", 0, "amount", "the amount claimed"),
    _entry("claim_amount_bunched", "whether the amount is from $850 to $999.99", "flag", 1, "amount", "the amount sits just under $1,000"),
    _entry("claim_amount_round", "whether the amount is a multiple of $50", "flag", 0, "amount", "the amount is a round number"),
    _entry("claim_amount_to_order", "amount claimed over the price of the order", "ratio", 0, "amount", "the amount is high for the order"),
    _entry("claim_amount_to_price", "amount claimed over the list price", "ratio", 0, "amount", "the amount is high for the product"),
    _entry("order_amount", "price of the order", "cents", 0, "amount", "the price of the order"),
    _entry("claim_days_incident_to_filing", "days from the incident to filing", "days", 0, "timing", "time from incident to filing"),
    _entry("claim_days_order_to_filing", "days from the order to filing", "days", 0, "timing", "time from order to filing"),
    _entry("claim_days_delivery_to_incident", "days from delivery to the incident", "days", 0, "timing", "time from delivery to incident"),
    _entry("claim_days_delivery_to_filing", "days from delivery to filing", "days", 0, "timing", "time from delivery to filing"),
    _entry("claim_hour", "hour of filing, UTC", "hour", 0, "timing", "the hour of filing"),
    _entry("claim_weekend", "whether filed on a Saturday or Sunday, UTC", "flag", 0, "timing", "filed on a weekend"),
    _entry("claim_is_injury", "whether a personal injury is claimed", "flag", 0, "claim_form", "the kind of claim"),
    _entry("claim_by_phone", "whether filed by telephone", "flag", 0, "claim_form", "the channel of filing"),
    _entry("claim_by_app", "whether filed in the app", "flag", 0, "claim_form", "the channel of filing"),
    _entry("claim_narrative_words", "words of the narrative", "words", 0, "claim_form", "the length of the narrative"),
    _entry("claim_photo_count", "photographs attached", "count", 0, "evidence", "the number of photographs"),
    _entry("claim_has_receipt", "whether a receipt or estimate is attached", "flag", 0, "evidence", "receipt or estimate"),
    _entry("claim_has_dated_photo", "whether a photograph carries a date", "flag", 0, "evidence", "no dated photograph"),
    _entry(
        "claim_medical_record_missing", "whether an injury lacks a medical record", "flag", 0, "evidence", "injury without a medical record"
    ),
    _entry("claim_evidence_pieces", "kinds of evidence attached, 0 to 4", "count", 0, "evidence", "little evidence attached"),
    _entry(
        "claim_device_differs",
        "whether filed from another device than ordered",
        "flag",
        0,
        "order_match",
        "another device than the order's",
    ),
    _entry(
        "claim_address_differs",
        "whether another address is given than the order's",
        "flag",
        0,
        "order_match",
        "another address than the order's",
    ),
    _entry(
        "claim_payment_differs", "whether another means of payment is given", "flag", 0, "order_match", "another payment than the order's"
    ),
    _entry("customer_account_days", "age of the customer's account", "days", 0, "customer_history", "the age of the customer's account"),
    _entry(
        "customer_email_verified", "whether the e-mail address is confirmed", "flag", 0, "customer_history", "e-mail address not confirmed"
    ),
    _entry("seller_account_days", "age of the seller's account", "days", 0, "seller_history", "the age of the seller's account"),
    _entry(
        "product_listed_days", "days since the product was listed", "days", 0, "product_history", "how long the product has been listed"
    ),
    _entry("product_price", "list price of the product", "cents", 0, "product_history", "the price of the product"),
)
"""What is asked for, when, and with which evidence."""
