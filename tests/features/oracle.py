"""The second oracle: SQL written from the same declarations, over sources written anew in SQL, run on DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import numpy as np
import pandas as pd

from features.spec import DAY_US, Aggregate, Difference, Ratio, Windowed

_KEYS = "customer_id, seller_id, product_id, order_id, device_id, address_id, payment_id, phone_id"

# The state of a claim or seller after each row, its change against the row before; labels persist, outcomes are replaced.
_STANDING = """
SELECT t, customer_id, seller_id, product_id, order_id, device_id, address_id, payment_id, phone_id,
  {changes} FROM (
    SELECT epoch_us(greatest(r.known_at, c.filed_at, c.recorded_at)) t, r.known_at, c.customer_id, c.seller_id, c.product_id, c.order_id,
      c.device_id, c.address_id, c.payment_id, c.phone_id,
      r.claim_id, r.resolution_id, r.paid_cents, (r.outcome = 'paid')::BIGINT paid, (r.outcome <> 'paid')::BIGINT denied,
      last_value(r.label IGNORE NULLS) OVER w AS known,
      (known IS NOT NULL)::BIGINT examined, coalesce(known = 'abusive', false)::BIGINT abusive,
      coalesce(known = 'unsubstantiated', false)::BIGINT unsubstantiated
    FROM resolutions r JOIN claims c USING (claim_id)
    WINDOW w AS (PARTITION BY r.claim_id ORDER BY r.known_at, r.resolution_id ROWS UNBOUNDED PRECEDING))
""".format(
    changes=", ".join(
        f"{c} - coalesce(lag({c}) OVER (PARTITION BY claim_id ORDER BY known_at, resolution_id), 0) AS {c}"
        for c in ("paid_cents", "paid", "denied", "examined", "abusive", "unsubstantiated")
    )
)
_SWITCH = """
SELECT t, seller_id, {insured} AS insured, {violating} AS violating FROM (
  SELECT epoch_us(known_at) t, seller_id, event_id, (kind IN ('insurance_proven', 'policy_violation'))::BIGINT AS state
  FROM seller_events WHERE kind IN ({kinds}))
"""
_CHANGE = "state - coalesce(lag(state) OVER (PARTITION BY seller_id ORDER BY t, event_id), 0)"
_EVENTS = "SELECT epoch_us(known_at) t, seller_id, product_id FROM seller_events WHERE kind IN ({})"

_KNOWN = "SELECT epoch_us(greatest({0}, recorded_at)) t, * FROM {1}"  # DuckDB's greatest passes over NULL

SOURCES = {
    "orders": _KNOWN.format("ordered_at", "orders"),
    "returns": _KNOWN.format("returned_at", "returns"),
    "claims": _KNOWN.format("filed_at", "claims"),
    "injuries": _KNOWN.format("filed_at", "claims") + " WHERE kind = 'injury'",
    "violations": _EVENTS.format("'policy_violation'"),
    "lapses": _EVENTS.format("'insurance_lapsed', 'insurance_forged'"),
    "recalls": _EVENTS.format("'recall'"),
    "standing": _STANDING,
    "findings": f"SELECT * FROM ({_STANDING}) WHERE abusive > 0",
    "denials": f"SELECT * FROM ({_STANDING}) WHERE denied > 0",
    "seller_standing": _SWITCH.format(
        kinds="'insurance_proven', 'insurance_lapsed', 'insurance_forged'", insured=_CHANGE, violating="0::BIGINT"
    )
    + " UNION ALL "
    + _SWITCH.format(kinds="'policy_violation', 'policy_cleared'", insured="0::BIGINT", violating=_CHANGE),
    "sightings": """
SELECT epoch_us(greatest(ordered_at, recorded_at)) t, customer_id, device_id, address_id, payment_id, NULL AS phone_id FROM orders UNION ALL
SELECT epoch_us(greatest(filed_at, recorded_at)), customer_id, device_id, address_id, payment_id, phone_id FROM claims""",
}


def sql(part: Aggregate) -> str:
    """Write an aggregate as a query with the columns row (of the probe) and value."""
    lower, upper = part.over.edges
    same = " AND ".join(f"e.{key} = p.{key}" for key in part.by)
    inside = f"e.t < p.t - ({upper})" + ("" if lower is None else f" AND e.t >= p.t - ({lower})")
    keys, value, events = ", ".join(part.by), f"e.{part.column}", SOURCES[part.source]
    if part.how == "first_seen":
        events = f"SELECT * FROM (SELECT *, t = min(t) OVER (PARTITION BY {keys}, {part.column}) AS fresh FROM ({events})) WHERE fresh"
    known = f"count({value})" if part.among is None else f"sum(e.{part.among})"
    measure = {
        "count": "count(e.t)",
        "last": f"max_by({value}, (e.t, {value})) FILTER ({value} IS NOT NULL)",
        "sum": f"coalesce(sum({value}), 0)",
        "mean": f"sum({value})::DOUBLE / count({value})::DOUBLE",
        "rate": f"sum({value})::DOUBLE / nullif(greatest({known}, 0), 0)::DOUBLE",
        "min": f"min({value})",
        "max": f"max({value})",
        "since_first": f"(any_value(p.t) - min(e.t))::DOUBLE / {DAY_US}::DOUBLE",
        "since_last": f"(any_value(p.t) - max(e.t))::DOUBLE / {DAY_US}::DOUBLE",
        "first_seen": f"count(DISTINCT {value})",
        "distinct": f"count(DISTINCT {value})",
    }[part.how]
    return f"SELECT p.row AS row, ({measure})::DOUBLE AS value FROM probes p LEFT JOIN ({events}) e ON {same} AND {inside} GROUP BY p.row"


def compute(features: Iterable[Windowed], tables: Mapping[str, pd.DataFrame], probes: pd.DataFrame) -> dict[str, np.ndarray]:
    """Compute windowed features by SQL, in the order of the probes."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        for name, frame in tables.items():
            late = {} if "recorded_at" in frame else {"recorded_at": pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")}
            connection.register(name, frame.assign(**late))
        connection.register("asked", probes.assign(row=np.arange(len(probes))))
        connection.execute(f"CREATE TEMP TABLE probes AS SELECT row, epoch_us(filed_at) t, {_KEYS} FROM asked")
        features = list(features)
        parts = {leaf for feature in features for leaf in _leaves(feature)}
        values = {p: connection.execute(sql(p) + " ORDER BY row").fetchnumpy()["value"] for p in sorted(parts, key=lambda p: p.name)}
    return {feature.name: _combine(feature, {p: np.ma.filled(v, np.nan) for p, v in values.items()}) for feature in features}


def _leaves(feature: Windowed) -> set[Aggregate]:
    if isinstance(feature, Ratio):
        return _leaves(feature.top) | _leaves(feature.bottom)
    return _leaves(feature.left) | _leaves(feature.right) if isinstance(feature, Difference) else {feature}


def _combine(feature: Windowed, values: Mapping[Aggregate, np.ndarray]) -> np.ndarray:
    if isinstance(feature, Ratio):
        pairs = zip(_combine(feature.top, values).tolist(), _combine(feature.bottom, values).tolist(), strict=True)
        return np.array([a / b if b > 0 else np.nan for a, b in pairs])
    if isinstance(feature, Difference):
        return _combine(feature.left, values) - _combine(feature.right, values)
    return values[feature]
