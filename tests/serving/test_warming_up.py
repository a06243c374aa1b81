"""An engine that has warmed up."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.serving.homes import Small, store_at

ROOT = Path(__file__).parents[2]

DECIDE = """
import gc, pickle, sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from tests.serving.homes import CATALOG, POLICY, Engine, Shelf, claim, store_at

def compiled():
    return {(one.py_func.__module__, one.py_func.__name__, str(kind)) for one in gc.get_objects() if isinstance(one, Dispatcher)
            for kind in one.signatures}

live, now, bundles = pickle.loads(Path(sys.argv[1], "told").read_bytes())
with store_at(Path(sys.argv[1])) as store:
    engine = Engine(Shelf(bundles).get("champion", CATALOG.hash), POLICY, store)
    engine.warm_up()
    before = compiled()
    for start in range(0, 40, 4):
        found = engine.score_many([claim(live, row) for row in range(start, start + 4)], now)
        assert all(isinstance(one, bytes) for one in found), found
    print(len(before), sorted(compiled() - before))
"""


def test_who_has_warmed_up_compiles_nothing_for_the_claims_that_come(market: Small, tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        market.engine(store)
    (tmp_path / "told").write_bytes(pickle.dumps((market.live, market.now, market.home.bundles)))
    told = subprocess.run([sys.executable, "-c", DECIDE, tmp_path], capture_output=True, text=True, check=False, cwd=ROOT)
    assert told.stdout.endswith(" []\n") and int(told.stdout.split()[0]) > 20, told.stdout + told.stderr


def test_warming_up_writes_nothing(market: Small, tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        engine.warm_up()
        assert store.read("decisions").empty and engine.reachable()
        assert engine.versions()["bundle"] == market.bundle.hash
        assert engine.decision("unknown") is None
    assert np.isfinite(market.bundle.predict_proba(engine.features(market.live.head(1)))).all()
