"""A model's probabilities computed by Spark: the bundle is broadcast as the text of its files, the feature rows stay where they are.

What one claim gets depends on its own row alone, so it does not matter which worker sees it: the numbers are those of this process, to
the last bit. Everything in which claims meet (who is sent to an expert) and what is said about the few that somebody will look at stays
with :mod:`pipelines.score`, which is given a :class:`Carried` in place of the bundle.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from models.bundle import Bundle, load, save
from models.risk import Guarantee

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PROBABILITIES = ("p_0", "p_1", "p_2")
_FOUND = pa.schema([("claim_id", pa.string()), *((name, pa.float64()) for name in _PROBABILITIES)])
_DDL = ", ".join(["claim_id string", *(f"{name} double" for name in _PROBABILITIES)])


@dataclass(frozen=True, eq=False)
class Carried:
    """A bundle whose probabilities of some claims are known already; a :class:`models.stages.Model`.

    Parameters
    ----------
    bundle
        Whose probabilities they are.
    claims
        The claims, each once.
    proba
        Calibrated probabilities, shape (claims, 3) in the order of ``LABELS``.
    """

    bundle: Bundle
    claims: pd.Index
    proba: np.ndarray

    @property
    def hash(self) -> str:
        """Name of the model in its decisions."""
        return self.bundle.hash

    @property
    def guarantee(self) -> Guarantee | None:
        """That of the bundle."""
        return self.bundle.guarantee

    def predict_proba(self, matrix: pd.DataFrame, num_threads: int = 1) -> np.ndarray:
        """Return the probabilities of the claims that index a matrix; nothing is computed, so no thread is needed.

        Raises
        ------
        ValueError
            If one of them was not among the claims.
        """
        places = self.claims.get_indexer(matrix.index)
        if (places < 0).any():
            unknown = matrix.index[int(np.argmax(places < 0))]
            raise ValueError(f"spark: expected probabilities of every claim to decide, found none of {unknown!r}; run score again")
        found: np.ndarray = self.proba[places]
        return found


def carried(session: SparkSession, bundle: Bundle, matrix: Path, claim_ids: pd.Series) -> Carried:
    """Let Spark's workers compute the probabilities of some claims.

    Parameters
    ----------
    session
        An open session, classic or of Spark Connect.
    bundle
        The model; its files travel to every worker, each of which reads them once.
    matrix
        The kept feature matrix, on storage that workers and driver share.
    claim_ids
        The claims wanted, each of them a row of the matrix.
    """
    asked = session.createDataFrame(pa.table({"claim_id": pa.array(claim_ids, pa.string())}))
    rows = session.read.parquet(str(matrix)).select("claim_id", *bundle.inputs.names).join(asked, "claim_id", "leftsemi")
    found = rows.mapInArrow(_plain(Broadcast(bundle.hash, _texts(bundle))), _DDL).toArrow()
    proba = np.column_stack([found[name].to_numpy() for name in _PROBABILITIES])
    return Carried(bundle, pd.Index(found["claim_id"].to_pandas()), proba)


@dataclass(frozen=True)
class Broadcast:
    """What travels to the workers: the hash of a bundle and the text of each of its files, no object of a model.

    As part of a task's function it is broadcast by Spark itself, which does so with every function above 1 MiB, and sent by Spark Connect.
    """

    hash: str
    texts: Mapping[str, str] = field(compare=False, repr=False)


def predicted(sent: Broadcast, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Price feature rows batch by batch; what a worker does.

    Parameters
    ----------
    sent
        The bundle.
    batches
        Rows with ``claim_id`` and the columns that the model reads.
    """
    bundle = _loaded(sent)
    for batch in batches:
        rows = batch.replace_schema_metadata().to_pandas().set_index("claim_id")
        proba = bundle.predict_proba(rows[list(bundle.inputs.names)])
        columns = [batch.column("claim_id").cast(pa.string()), *(pa.array(column) for column in proba.T)]
        yield pa.RecordBatch.from_arrays(columns, schema=_FOUND)


def _plain(sent: Broadcast):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Hide the work from Spark's reading of type hints, which fails on partial functions."""
    task = partial(predicted, sent)

    def run(batches):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return task(batches)

    return run


def _texts(bundle: Bundle) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        save(bundle, Path(folder) / "bundle")
        return {file.name: file.read_text(encoding="utf-8") for file in (Path(folder) / "bundle").iterdir()}


@lru_cache(maxsize=2)
def _loaded(sent: Broadcast) -> Bundle:
    """Read a bundle once for each worker: it is checked as any folder is, hash by hash."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in sent.texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8", newline="\n")
        return load(Path(folder))
