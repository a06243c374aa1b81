"""Every way to break a row breaks it, and for the stated reason only."""

from __future__ import annotations

import pandas as pd
import pytest

from data_contracts import CONTRACTS
from data_contracts.check import check
from pipelines.simulate import Simulated
from pipelines.simulate.dirt import DAMAGES, Damage


@pytest.mark.parametrize(("table", "damage"), [(t, d) for t, ways in DAMAGES.items() for d in ways], ids=lambda x: getattr(x, "name", x))
def test_a_damaged_row_is_quarantined_and_the_row_beside_it_is_not(table: str, damage: Damage, markets: list[Simulated]) -> None:
    tables, contract = markets[0].tables, CONTRACTS[table]
    rows = tables[table].head(2)
    broken = damage.do(rows.head(1)).astype(rows.dtypes.to_dict())
    parents = {rule.table: tables[rule.table] for rule in contract.references}
    found = check(rows.iloc[1:], contract, parents=parents)
    assert len(found.quarantined) == 0
    mixed = broken.assign(**{contract.key: "X1"})
    found = check(pd.concat([mixed, rows.iloc[1:]], ignore_index=True), contract, parents=parents)
    assert found.quarantined[contract.key].tolist() == ["X1"]
