"""What is known of claims and parties beside the store: one question, asked of wherever the tables are.

The store holds the claims that came by the endpoint; those that a batch decided, orders, returns and what is known of sellers are in the
lake, which belongs to the pipelines. So whoever puts the console together hands it a source; this is what a source must answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select

from data_contracts import CONTRACTS
from serving.schema import CLAIMS_TABLE, RESOLUTIONS_TABLE
from serving.store import Store

Row = dict[str, Any]
"""Column → value as the store keeps it: instants in microseconds, money in cents, missing ones ``None``."""


class Records(Protocol):
    """A source of rows."""

    def rows(self, table: str, column: str, values: Collection[str], before: int, most: int) -> list[Row]:
        """Return rows of a contract's table whose column holds one of some values.

        Only those that were known before an instant (microseconds UTC); the latest event first, ``most`` at most.
        """
        ...

    def latest(self, before: int, most: int) -> list[Row]:
        """Return the columns :data:`TOLD` of the claims filed last before an instant, the latest first."""
        ...


TOLD = ("claim_id", "customer_id", "filed_at", "narrative", "photo_hash")
"""Columns of :meth:`Records.latest`."""


_HERE = {"claims": CLAIMS_TABLE, "resolutions": RESOLUTIONS_TABLE}


@dataclass(frozen=True)
class StoreRecords:
    """The claims that came by the endpoint and what was resolved; of every other table nothing is known here.

    Parameters
    ----------
    store
        The case store.

    Examples
    --------
    >>> with Store("sqlite://") as store:
    ...     StoreRecords(store).rows("claims", "customer_id", ["K1"], before=9, most=5)
    []
    """

    store: Store

    def rows(self, table: str, column: str, values: Collection[str], before: int, most: int) -> list[Row]:
        """See :class:`Records`."""
        source, contract = _HERE.get(table), CONTRACTS[table]
        if source is None or not values:
            return []
        query = select(source).where(source.c[column].in_(list(values)), source.c[contract.known_at] < before)
        with self.store.view() as tx:
            return [dict(row) for row in tx.execute(query.order_by(source.c[contract.event_time].desc()).limit(most)).mappings()]

    def latest(self, before: int, most: int) -> list[Row]:
        """See :class:`Records`."""
        filed = CLAIMS_TABLE.c.filed_at
        query = select(*(CLAIMS_TABLE.c[name] for name in TOLD)).where(filed < before).order_by(filed.desc()).limit(most)
        with self.store.view() as tx:
            return [dict(row) for row in tx.execute(query).mappings()]


@dataclass(frozen=True)
class BothRecords:
    """Two sources as one; a row that both have is the first one's."""

    first: Records
    second: Records

    def rows(self, table: str, column: str, values: Collection[str], before: int, most: int) -> list[Row]:
        """See :class:`Records`."""
        contract = CONTRACTS[table]
        found = [row for source in (self.first, self.second) for row in source.rows(table, column, values, before, most)]
        return _latest_of_each(found, contract.key, contract.event_time, most)

    def latest(self, before: int, most: int) -> list[Row]:
        """See :class:`Records`."""
        found = self.first.latest(before, most) + self.second.latest(before, most)
        return _latest_of_each(found, "claim_id", "filed_at", most)


def _latest_of_each(rows: list[Row], key: str, event: str, most: int) -> list[Row]:
    each = {row[key]: row for row in reversed(rows)}
    return sorted(each.values(), key=lambda row: (-row[event], row[key]))[:most]
