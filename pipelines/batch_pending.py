"""Who waits for a decision: two numbers for each claim, in order of filing; the claims themselves are read when their turn comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.facts import Tables
from pipelines.lake import Lake
from serving.store import Store

Numbers = npt.NDArray[np.int64]

_KEY = ["claim_id", "filed_at"]


class ClaimRows(Protocol):
    """Claims by their places in the lake."""

    def rows(self, numbers: Numbers) -> pd.DataFrame:
        """Return some claims, in the order asked for, indexed by their places."""


@dataclass(frozen=True, eq=False)
class HeldClaims:
    """All claims in memory."""

    claims: pd.DataFrame

    def rows(self, numbers: Numbers) -> pd.DataFrame:
        """Return some of them."""
        return self.claims.iloc[numbers].set_axis(numbers)


@dataclass(frozen=True, eq=False)
class LakeClaims:
    """Claims read from the lake batch by batch: the last batch read is kept, so batches in order of filing are read once.

    Parameters
    ----------
    lake
        Where they are.
    batches
        Its batches when their rows were counted.
    starts
        Place of the first claim of each batch, and where the last ends.
    columns
        Columns to read.
    """

    lake: Lake
    batches: Sequence[str]
    starts: Numbers
    columns: Sequence[str]
    _held: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    def rows(self, numbers: Numbers) -> pd.DataFrame:
        """Return some claims, in the order asked for."""
        which, parts, order = np.searchsorted(self.starts, numbers, side="right") - 1, [], []
        for batch in np.unique(which).tolist():
            mine = np.flatnonzero(which == batch)
            parts.append(self._read(self.batches[batch]).iloc[numbers[mine] - self.starts[batch]])
            order.append(mine)
        if not parts:
            return self.lake.read("claims", self.columns, only="")
        places = np.concatenate(order)
        together = pd.concat(parts).set_axis(numbers[places])
        return together if (places[1:] > places[:-1]).all() else together.iloc[np.argsort(places)]

    def _read(self, batch: str) -> pd.DataFrame:
        if batch not in self._held:
            self._held.clear()
            self._held[batch] = self.lake.read("claims", self.columns, only=batch)
        return self._held[batch]


@dataclass(frozen=True, eq=False)
class Pending:
    """Claims to be decided, in order of filing, those of one instant by their names.

    Parameters
    ----------
    numbers
        (n,) places among all claims of the lake.
    filed
        (n,) microseconds.
    source
        Where their rows are read.
    """

    numbers: Numbers
    filed: Numbers
    source: ClaimRows

    def __len__(self) -> int:
        return len(self.numbers)

    def claims(self, places: slice) -> pd.DataFrame:
        """Return the claims at some places of this order.

        Raises
        ------
        ValueError
            If they are other ones by now.
        """
        found = self.source.rows(self.numbers[places])
        if not np.array_equal(_micros(found["filed_at"]), self.filed[places]):
            raise ValueError("claims: expected those that were there when the run began, found others; run score again")
        return found


def pending(store: Store, lake: Lake, columns: Sequence[str], as_of: datetime, since: datetime | None, tables: Tables | None) -> Pending:
    """Find the claims that :func:`undecided` names, batch by batch of the lake, or among tables at hand.

    Parameters
    ----------
    store
        Who is decided.
    lake
        Claims and resolutions.
    columns
        Columns of a claim that deciding reads.
    as_of, since
        As for :func:`undecided`.
    tables
        The lake's tables, if they are at hand already.
    """
    if tables is not None:
        found = undecided(store, tables["claims"], as_of, since, tables["resolutions"])
        return Pending(found.index.to_numpy(), _micros(found["filed_at"]), HeldClaims(tables["claims"]))
    batches = lake.batches("claims")
    starts = np.cumsum([0, *(lake.count("claims", batch) for batch in batches)])
    source, parts, resolved = LakeClaims(lake, batches, starts, columns), [], lake.read("resolutions", ["claim_id", "known_at"])
    for batch, start in zip(batches, starts, strict=False):
        found = undecided(store, lake.read("claims", _KEY, only=batch), as_of, since, resolved)
        parts.append((found.index.to_numpy() + start, _micros(found["filed_at"])))
    numbers, filed = (np.concatenate([np.empty(0, dtype=np.int64), *held]) for held in (zip(*parts, strict=True) if parts else ((), ())))
    order = np.argsort(filed, kind="stable")
    numbers, filed = numbers[order], filed[order]
    return Pending(_by_name(numbers, filed, LakeClaims(lake, batches, starts, _KEY)), filed, source)


def undecided(
    store: Store, claims: pd.DataFrame, as_of: datetime, since: datetime | None = None, resolutions: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the claims filed in [since, as_of) without a decision, in order of filing, indexed by their places among all claims given.

    Claims that were resolved without a decision of ours, as far as ``resolutions`` were known by ``as_of``, were another process's:
    deciding them again would pay them again.
    """
    ours = claims.reset_index(drop=True)
    ours = ours[(ours["filed_at"] < as_of) & ((ours["filed_at"] >= since) if since is not None else True)]
    if resolutions is not None:
        settled = resolutions.loc[resolutions["known_at"] < as_of, "claim_id"]
        ours = ours[~pc.is_in(pa.array(ours["claim_id"]), value_set=pa.array(settled)).to_numpy(zero_copy_only=False)]
    open_ = ours[store.undecided(pa.array(ours["claim_id"]))]
    filed = pa.table({"filed_at": pa.array(open_["filed_at"]), "claim_id": pa.array(open_["claim_id"])})
    order = pc.sort_indices(filed, [("filed_at", "ascending"), ("claim_id", "ascending")]).to_numpy()
    return open_ if (order[1:] > order[:-1]).all() else open_.iloc[order]


def _by_name(numbers: Numbers, filed: Numbers, source: ClaimRows) -> Numbers:
    """Put claims that were filed at one instant in the order of their names; the others need not be read."""
    same = filed[1:] == filed[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if not len(tied):
        return numbers
    names = pa.array(source.rows(numbers[tied])["claim_id"])
    order = pc.sort_indices(pa.table({"at": filed[tied], "name": names}), [("at", "ascending"), ("name", "ascending")]).to_numpy()
    found = numbers.copy()
    found[tied] = numbers[tied][order]
    return found


def _micros(instants: pd.Series) -> Numbers:
    return np.asarray(instants.dt.as_unit("us").astype("int64"), dtype=np.int64)
