"""The script that a competent user would write: pandas rolling windows, an MLflow pyfunc model, a Parquet file of decisions.

``python batch_pandas.py FOLDER MODEL OUT MATRIX`` reads the tables in FOLDER, checks the claims, computes the features that rolling
windows and merges express, lets the model at the address MODEL predict (features it does not have are missing), chooses the
cheapest action and writes OUT; with MATRIX other than ``-`` it also keeps its features there. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from models.costs import AUTOMATIC, cost_matrix, expected_costs
from models.policy import default_policy

EVER = 10_000
"""Days that reach back before everything."""

WINDOWS = {
    # source, keys: columns to roll, and over how many days
    ("claims", ("customer_id",)): {"one": (30, 90, 365, EVER), "amount_cents": (365,)},
    ("orders", ("customer_id",)): {"one": (30, 365, EVER), "amount_cents": (365, EVER)},
    ("returns", ("customer_id",)): {"one": (365,)},
    ("orders", ("seller_id",)): {"one": (30, 90, EVER)},
    ("claims", ("seller_id",)): {"one": (7, 30, 90, 365, EVER), "amount_cents": (365,)},
    ("returns", ("seller_id",)): {"one": (90,)},
    ("orders", ("product_id",)): {"one": (EVER,)},
    ("claims", ("product_id",)): {"one": (30, 90, EVER), "amount_cents": (EVER,), "injury": (365,)},
    ("orders", ("customer_id", "seller_id")): {"one": (EVER,)},
    ("claims", ("customer_id", "seller_id")): {"one": (EVER,)},
    **{("claims", (f"{thing}_id",)): {"one": (90, EVER)} for thing in ("device", "address", "payment", "phone")},
    **{("claims", (f"{thing}_id", "customer_id")): {"one": (90, EVER)} for thing in ("device", "address", "payment", "phone")},
    ("standing", ("customer_id",)): {"abusive": (EVER,), "unsubstantiated": (EVER,), "paid_cents": (365,)},
    ("standing", ("seller_id",)): {"abusive": (EVER,), "unsubstantiated": (EVER,), "examined": (EVER,)},
    ("standing", ("product_id",)): {"abusive": (EVER,), "unsubstantiated": (EVER,), "examined": (EVER,)},
    **{("standing", (f"{thing}_id",)): {"abusive": (EVER,)} for thing in ("device", "address", "payment", "phone")},
    **{("standing", (f"{thing}_id", "customer_id")): {"abusive": (EVER,)} for thing in ("device", "address", "payment", "phone")},
}
TIMES = {"claims": "filed_at", "orders": "ordered_at", "returns": "returned_at"}


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Read every table."""
    tables = ("claims", "orders", "returns", "resolutions", "customers", "sellers", "products")
    return {
        name: pd.concat([pd.read_parquet(file) for file in sorted(folder.glob(f"{name}-*.parquet"))], ignore_index=True) for name in tables
    }


def checked(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Keep the claims that make sense."""
    claims = tables["claims"].drop_duplicates("claim_id")
    orders = tables["orders"].set_index("order_id")
    known = claims["order_id"].isin(orders.index) & claims["customer_id"].isin(tables["customers"]["customer_id"])
    fits = (
        claims["amount_cents"].between(1, 100_000_000)
        & (claims["incident_at"] <= claims["filed_at"])
        & claims["kind"].isin(["property", "injury"])
    )
    return claims[known & fits].reset_index(drop=True)


def rolled(
    events: pd.DataFrame, claims: pd.DataFrame, keys: tuple[str, ...], wanted: dict[str, tuple[int, ...]]
) -> dict[tuple[str, int], np.ndarray]:
    """Roll windows over the events of each key, strictly before each claim."""
    group = list(keys)
    columns = list(wanted)
    asked = claims[group].assign(at=claims["filed_at"], row=np.arange(len(claims)), **dict.fromkeys(columns, 0))
    both = pd.concat([events[[*group, "at", *columns]].assign(row=-1), asked], ignore_index=True).sort_values("at", kind="stable")
    if len(keys) > 1:
        both["both"] = both.groupby(group, sort=False).ngroup()
    key = "both" if len(keys) > 1 else keys[0]
    found = {}
    by_row = both.sort_values([key, "at"], kind="stable")["row"].to_numpy()
    for days in sorted({day for each in wanted.values() for day in each}):
        names = [name for name, each in wanted.items() if days in each]
        sums = both.set_index("at").groupby(key)[names].rolling(f"{days}D", closed="left").sum().to_numpy()
        for place, name in enumerate(names):
            values = np.empty(len(claims))
            values[by_row[by_row >= 0]] = np.nan_to_num(sums[by_row >= 0, place])
            found[name, days] = values
    return found


def features(tables: dict[str, pd.DataFrame], claims: pd.DataFrame) -> pd.DataFrame:
    """Compute what windows and merges say, under the names that the model knows."""
    events = {name: tables[name].assign(at=tables[name][at], one=1) for name, at in TIMES.items()}
    events["claims"]["injury"] = (events["claims"]["kind"] == "injury").astype(int)
    events["standing"] = standing(tables)
    w = {(source, *keys): rolled(events[source], claims, keys, wanted) for (source, keys), wanted in WINDOWS.items()}
    out = own(tables, claims)
    n = {(s, *k, d): w[(s, *k)]["one", d] for (s, k), wanted in WINDOWS.items() for d in wanted.get("one", ())}
    span = {EVER: "all"} | {d: f"{d}d" for d in (7, 30, 90, 365)}
    for (source, *keys, days), values in n.items():
        whose = "_".join(key.removesuffix("_id") for key in keys)
        if whose in ("customer", "seller", "product", "customer_seller") and source != "returns":
            out[f"{source}_count_{whose}_{span[days]}"] = values
    out["returns_count_customer_365d"] = n["returns", "customer_id", 365]
    out["claims_sum_amount_cents_customer_365d"] = w["claims", "customer_id"]["amount_cents", 365]
    out["orders_sum_amount_cents_customer_365d"] = w["orders", "customer_id"]["amount_cents", 365]
    out["injuries_count_product_365d"] = w["claims", "product_id"]["injury", 365]
    with np.errstate(all="ignore"):
        out["orders_mean_amount_cents_customer_all"] = w["orders", "customer_id"]["amount_cents", EVER] / n["orders", "customer_id", EVER]
        out["claims_mean_amount_cents_seller_365d"] = w["claims", "seller_id"]["amount_cents", 365] / n["claims", "seller_id", 365]
        out["claims_mean_amount_cents_product_all"] = w["claims", "product_id"]["amount_cents", EVER] / n["claims", "product_id", EVER]
        out["claims_count_per_orders_count_customer_all"] = n["claims", "customer_id", EVER] / n["orders", "customer_id", EVER]
        out["returns_count_per_orders_count_customer_365d"] = n["returns", "customer_id", 365] / n["orders", "customer_id", 365]
        out["claims_count_per_orders_count_seller_90d"] = n["claims", "seller_id", 90] / n["orders", "seller_id", 90]
        out["claims_count_per_orders_count_seller_all"] = n["claims", "seller_id", EVER] / n["orders", "seller_id", EVER]
        out["returns_count_per_orders_count_seller_90d"] = n["returns", "seller_id", 90] / n["orders", "seller_id", 90]
        out["claims_count_per_orders_count_product_all"] = n["claims", "product_id", EVER] / n["orders", "product_id", EVER]
        out["claims_count_product_30d_per_claims_count_product_90d"] = n["claims", "product_id", 30] / n["claims", "product_id", 90]
        out["orders_count_customer_seller_all_per_orders_count_customer_all"] = (
            n["orders", "customer_id", "seller_id", EVER] / n["orders", "customer_id", EVER]
        )
        out["orders_count_customer_seller_all_per_orders_count_seller_all"] = (
            n["orders", "customer_id", "seller_id", EVER] / n["orders", "seller_id", EVER]
        )
        for whose in ("seller", "product"):
            for label in ("abusive", "unsubstantiated"):
                found = w["standing", f"{whose}_id"]
                out[f"standing_rate_{label}_of_examined_{whose}_all"] = found[label, EVER] / found["examined", EVER]
    out["standing_sum_abusive_customer_all"] = w["standing", "customer_id"]["abusive", EVER]
    out["standing_sum_unsubstantiated_customer_all"] = w["standing", "customer_id"]["unsubstantiated", EVER]
    out["standing_sum_paid_cents_customer_365d"] = w["standing", "customer_id"]["paid_cents", 365]
    out["standing_sum_abusive_seller_all"] = w["standing", "seller_id"]["abusive", EVER]
    for thing in ("device", "address", "payment", "phone"):
        alone = w["standing", f"{thing}_id", "customer_id"]["abusive", EVER]
        out[f"standing_sum_abusive_{thing}_all_excluding_customer"] = w["standing", f"{thing}_id"]["abusive", EVER] - alone
        for days in (90, EVER):
            others = n["claims", f"{thing}_id", days] - n["claims", f"{thing}_id", "customer_id", days]
            out[f"claims_count_{thing}_{span[days]}_excluding_customer"] = others
    return pd.DataFrame(out, index=claims["claim_id"]).replace([np.inf, -np.inf], np.nan)


def standing(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what was found of each claim, from when it was known, with the claim's keys."""
    keys = [f"{thing}_id" for thing in ("device", "address", "payment", "phone")]
    found = tables["resolutions"].merge(tables["claims"][["claim_id", *keys]], on="claim_id")
    flags = {label: (found["label"] == label).astype(int) for label in ("abusive", "unsubstantiated")}
    return found.assign(at=found["known_at"], examined=found["label"].notna().astype(int), **flags)


def own(tables: dict[str, pd.DataFrame], claims: pd.DataFrame) -> dict[str, np.ndarray]:
    """Compute features of the claim, and of what it names."""
    order = claims[["order_id"]].merge(tables["orders"].set_index("order_id"), left_on="order_id", right_index=True, how="left")
    product = claims[["product_id"]].merge(tables["products"].set_index("product_id"), left_on="product_id", right_index=True, how="left")
    customer = claims[["customer_id"]].merge(
        tables["customers"].set_index("customer_id"), left_on="customer_id", right_index=True, how="left"
    )
    seller = claims[["seller_id"]].merge(tables["sellers"].set_index("seller_id"), left_on="seller_id", right_index=True, how="left")
    filed, amount = claims["filed_at"], claims["amount_cents"].astype(float)
    injury = claims["kind"] == "injury"
    columns = {
        "claim_amount_log": np.log(amount / 100),
        "claim_amount_bunched": amount.between(85_000, 99_999),
        "claim_amount_round": amount % 5_000 == 0,
        "claim_amount_to_order": amount / order["amount_cents"],
        "claim_amount_to_price": amount / product["price_cents"],
        "order_amount": order["amount_cents"],
        "claim_days_incident_to_filing": (filed - claims["incident_at"]) / pd.Timedelta(days=1),
        "claim_days_order_to_filing": (filed - order["ordered_at"]) / pd.Timedelta(days=1),
        "claim_days_delivery_to_incident": (claims["incident_at"] - order["delivered_at"]) / pd.Timedelta(days=1),
        "claim_days_delivery_to_filing": (filed - order["delivered_at"]) / pd.Timedelta(days=1),
        "claim_hour": filed.dt.hour,
        "claim_weekend": filed.dt.day_of_week >= 5,
        "claim_is_injury": injury,
        "claim_by_phone": claims["channel"] == "phone",
        "claim_by_app": claims["channel"] == "app",
        "claim_narrative_words": claims["narrative"].str.split().str.len(),
        "claim_photo_count": claims["photo_count"],
        "claim_has_receipt": claims["has_receipt"],
        "claim_has_dated_photo": claims["has_dated_photo"],
        "claim_medical_record_missing": injury & ~claims["has_medical_record"],
        "claim_evidence_pieces": claims[["has_receipt", "has_dated_photo", "has_medical_record"]].sum(axis=1) + (claims["photo_count"] > 0),
        "claim_device_differs": claims["device_id"] != order["device_id"],
        "claim_address_differs": claims["address_id"] != order["address_id"],
        "claim_payment_differs": claims["payment_id"] != order["payment_id"],
        "customer_account_days": (filed - customer["created_at"]) / pd.Timedelta(days=1),
        "customer_email_verified": customer["email_verified"],
        "seller_account_days": (filed - seller["joined_at"]) / pd.Timedelta(days=1),
        "product_listed_days": (filed - product["listed_at"]) / pd.Timedelta(days=1),
        "product_price": product["price_cents"],
    }
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


def main(folder: str, model: str, out: str, matrix: str) -> None:
    """Do it all, and say how long it took."""
    import mlflow  # seconds to load, which nobody is charged for

    begin, cpu = time.perf_counter(), time.process_time()
    tables = read(Path(folder))
    claims = checked(tables)
    found = features(tables, claims)
    predictor = mlflow.pyfunc.load_model(model)
    wanted = predictor.metadata.get_input_schema().input_names()
    known = [name for name in wanted if name in found]
    proba = predictor.predict(found.reindex(columns=wanted))
    costs = expected_costs(
        proba.to_numpy(), cost_matrix(default_policy(), claims["amount_cents"].to_numpy(), np.ones(len(claims), dtype=bool))
    )
    proba.assign(action=np.array(AUTOMATIC)[costs.argmin(axis=1)]).to_parquet(out)
    took = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu, "claims": len(claims), "features": len(known)}
    if matrix != "-":
        found[known].to_parquet(matrix)
    print(json.dumps(took | {"peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}))


if __name__ == "__main__":
    main(*sys.argv[1:])
