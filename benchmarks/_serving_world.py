"""What the serving benchmark serves: a marketplace of so many events, a model of 1,500 trees, stores that hold the one, and requests.

Everything lies in one folder and is made once; a folder that is complete is used again. The claims that are sent later are the latest
ones of the marketplace, taken out of its history and filed anew right after its end, a millisecond after each other, as live traffic is.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import CLAIMS, CONTRACTS
from data_contracts.claims import Claim
from features.catalog import CATALOG
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.pages import MemoryPages
from models.bundle import Bundle, load, save
from models.calibration_maps import Calibration
from models.classifier import Classifier, Hyperparameters, Node, grow_again
from models.inputs import Inputs
from models.reference import Reference
from pipelines.simulate import simulate
from serving.filling import fill
from serving.instants import micros
from serving.store import Store

ROUNDS, LEAVES = 750, 63
"""Trees of each of the two boosters, and leaves: 1,500 trees in all, as many as three classes of 500."""

TRAINED_ON = 12_000
"""Claims that the model is grown on."""

_GROWTH = Hyperparameters(
    learning_rate=0.05, num_leaves=LEAVES, min_data_in_leaf=5, lambda_l2=1.0, feature_fraction=0.8, unstopped_rounds=ROUNDS
)


@dataclass(frozen=True)
class World:
    """Where everything lies.

    Parameters
    ----------
    root
        The folder.
    """

    root: Path

    @property
    def bundle(self) -> Path:
        """Our model."""
        return self.root / "bundle"

    @property
    def peer(self) -> Path:
        """The peer's model: LightGBM's own multiclass of three times 500 trees, as text."""
        return self.root / "peer.txt"

    @property
    def store(self) -> Path:
        """The SQLite store that all others are copied from."""
        return self.root / "store.db"

    @property
    def claims(self) -> Path:
        """The claims to send, one JSON object per line."""
        return self.root / "claims.jsonl"

    @property
    def rows(self) -> Path:
        """Feature rows, what the model alone is asked about."""
        return self.root / "rows.parquet"

    @property
    def facts(self) -> dict[str, Any]:
        """What was made, and how long it took."""
        found: dict[str, Any] = json.loads((self.root / "facts.json").read_text(encoding="utf-8"))
        return found

    def copy_of_store(self, name: str) -> str:
        """Return the URL of a store of its own; it is on disk, so that nobody is measured while it is written down."""
        self.forget_copy(name)
        path = self.root / f"{name}.db"
        shutil.copyfile(self.store, path)
        with path.open("rb") as copy:
            os.fsync(copy.fileno())
        return f"sqlite:///{path}"

    def forget_copy(self, name: str) -> None:
        """Remove a copy, and what a server that was killed left beside it: SQLite would take that for the next one's."""
        path = self.root / f"{name}.db"
        for left in ("", "-wal", "-shm"):
            path.with_name(path.name + left).unlink(missing_ok=True)


def make(root: Path, orders: int, claims: int, live: int) -> World:
    """Make a world, or find it complete.

    Parameters
    ----------
    root
        Its folder.
    orders, claims
        Size of the marketplace.
    live
        The latest so many claims are those to send.
    """
    world = World(root)
    asked = {"orders": orders, "claims": claims, "live": live, "catalog": CATALOG.hash, "rounds": ROUNDS, "leaves": LEAVES}
    if (root / "facts.json").is_file() and asked.items() <= world.facts.items():
        Store(f"sqlite:///{world.store}", "NORMAL").close()  # an older version's is brought up to date once, not in every copy
        return world
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    market = simulate(orders, claims, seed=11, dirt=0.0)
    tables = dict(market.tables)
    filed = tables["claims"].sort_values(["filed_at", "claim_id"], ignore_index=True)
    past, sent = filed.iloc[:-live], filed.iloc[-live:]
    known = tables["resolutions"]["claim_id"].isin(past["claim_id"])
    tables |= {"claims": past.reset_index(drop=True), "resolutions": tables["resolutions"][known].reset_index(drop=True)}
    end = max(sent["filed_at"].max(), *(frame[CONTRACTS[name].known_at].max() for name, frame in tables.items() if name in CONTRACTS))
    growing, matrix = _timed(lambda: build_matrix(tables, past.tail(min(TRAINED_ON, len(past)))))
    labels = _labels(matrix)
    grown, _ = _timed(lambda: _models(world, matrix, labels))
    filling, _ = _timed(lambda: _fill(f"sqlite:///{world.store}", tables, end))
    matrix.tail(500).to_parquet(world.rows)
    world.claims.write_text("\n".join(_bodies(sent, end)), encoding="utf-8")
    events = sum(len(tables[name]) for name in ("orders", "claims", "returns", "resolutions", "seller_events"))
    seconds = {"matrix_seconds": growing, "growing_seconds": grown, "filling_seconds": filling}
    facts = asked | seconds | {"events": events, "end": end.isoformat(), "store_gb": world.store.stat().st_size / 1e9}
    (root / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return world


def _fill(url: str, tables: dict[str, pd.DataFrame], end: pd.Timestamp) -> None:
    """Fill a store as the endpoint does at its first start, but in one portion: only the first one takes stories in by the thousand."""
    with Store(url, "NORMAL") as store:
        fill(store, OnlineHistory(MemoryPages()), tables, micros(end), portion=sum(map(len, tables.values())))


def _bodies(sent: pd.DataFrame, end: pd.Timestamp) -> list[str]:
    later = end + pd.to_timedelta(np.arange(1, len(sent) + 1), unit="ms")
    rows = sent.assign(filed_at=later.as_unit("us"), recorded_at=pd.NaT)
    names = [column.name for column in CLAIMS.columns]
    values = [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows[names].to_dict(orient="records")]
    return [Claim.model_validate(_plain(row)).model_dump_json() for row in values]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for name, value in row.items()}


def _labels(matrix: pd.DataFrame) -> np.ndarray:
    """Return classes that depend on the features and on chance, so that every tree finds something to split."""
    rng = np.random.default_rng(3)
    numbers = matrix.select_dtypes("number").rank(pct=True).fillna(0.5).to_numpy()
    score = numbers @ rng.normal(size=numbers.shape[1]) + rng.normal(size=len(numbers))
    low, high = np.quantile(score, [0.6, 0.8])
    return np.where(score > high, "abusive", np.where(score > low, "unsubstantiated", "valid"))


def _models(world: World, matrix: pd.DataFrame, labels: np.ndarray) -> None:
    import lightgbm as lgb

    inputs, weights = Inputs.of(matrix, CATALOG), np.ones(len(matrix))
    empty = Classifier(inputs, Node(), Node())
    classifier = grow_again(empty, matrix, labels, weights, _GROWTH)
    save(Bundle(classifier, Calibration(), CATALOG.hash, reference=Reference.of(matrix, weights, inputs)), world.bundle)
    parameters = {"objective": "multiclass", "num_class": 3, "num_leaves": LEAVES, "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1}
    data = lgb.Dataset(inputs.encode(matrix), pd.Categorical(labels, ["valid", "unsubstantiated", "abusive"]).codes)
    lgb.train({**parameters, "learning_rate": 0.05}, data, 500).save_model(world.peer)


def model(world: World) -> Bundle:
    """Read our model."""
    return load(world.bundle)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    found = work()
    return time.perf_counter() - begin, found
