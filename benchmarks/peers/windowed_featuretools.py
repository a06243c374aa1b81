"""Featuretools: ``calculate_feature_matrix`` with cutoff times, once per key and training window."""

from __future__ import annotations

import warnings

import featuretools as ft
import numpy as np
import pandas as pd
from featuretools.primitives import Count, Sum, TimeSinceLast
from windowed import DAYS, KEYS, run

warnings.simplefilter("ignore")


def prepare(log):
    """Make the entity set; first meetings are flagged already, which flatters."""
    moments = pd.to_datetime(log.time, unit="us")
    frame = pd.DataFrame({"id": np.arange(len(log.time)), "moment": moments, "customer": log.customer, "seller": log.seller})
    frame["cents"] = log.cents.astype("float64")
    frame["fresh"] = (~frame.duplicated(["customer", "seller"])).astype("float64")
    entities = ft.EntitySet("log")
    entities.add_dataframe(dataframe_name="events", dataframe=frame, index="id", time_index="moment")
    for key, _ in KEYS:
        entities.normalize_dataframe("events", f"{key}s", key, make_time_index=False)
    asked = frame.iloc[log.probes]
    cutoffs = {key: pd.DataFrame({key: asked[key], "time": asked["moment"], "row": np.arange(len(asked))}) for key, _ in KEYS}
    return entities, cutoffs


def work(state):
    """For each key: the whole history for the time since, then each window."""
    entities, cutoffs = state
    found = {}
    for key, _ in KEYS:
        events = entities["events"].ww
        parent = {"parent_dataframe_name": f"{key}s"}
        since = [ft.Feature(events["moment"], primitive=TimeSinceLast, **parent)]
        sums = [
            ft.Feature(events["id"], primitive=Count, **parent),
            *(ft.Feature(events[c], primitive=Sum, **parent) for c in ("cents", "fresh")),
        ]
        for days in (None, *DAYS):
            found[key, days] = ft.calculate_feature_matrix(
                sums if days else since,
                entities,
                cutoff_time=cutoffs[key],
                training_window=ft.Timedelta(days, "d") if days else None,
                include_cutoff_time=False,
                n_jobs=1,
            ).sort_values("row")
    return found


def columns(found, _log):
    """Read the answer in the order of the probes."""
    for key, _ in KEYS:
        for i in (0, 1):
            yield from (found[key, days].iloc[:, i].fillna(0).to_numpy(dtype="float64") for days in DAYS)
        seconds = found[key, None].iloc[:, 0].to_numpy(dtype="float64")
        yield np.where(np.isnan(seconds), -1, np.rint(np.nan_to_num(seconds) * 1e6))
        yield from (found[key, days].iloc[:, 2].fillna(0).to_numpy(dtype="float64") for days in DAYS)


run(prepare, work, columns)
