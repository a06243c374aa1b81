"""The one entry point: tables → one row of features per claim, as of its filing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pandas as pd

from features import duplicates, from_claim, links, windows
from features.catalog import CATALOG, Catalog
from features.facts import Facts, FeatureError, Tables
from features.history import Floats
from features.spec import ENTITIES, Computed, Direct, Windowed

Extra = Literal["numeric", "categorical"]

_Family = Callable[[list[str], Facts, int], dict[str, Floats]]
_FAMILIES: dict[str, _Family] = {
    "links": lambda names, facts, threads: links.compute(names, facts, threads=threads),
    "duplicates": duplicates.compute,
    "claim": lambda names, facts, _: from_claim.compute(names, facts),
}


def build_matrix(
    tables: Tables,
    probes: pd.DataFrame | None = None,
    catalog: Catalog = CATALOG,
    extras: Mapping[str, Extra] | None = None,
    threads: int = 1,
) -> pd.DataFrame:
    """Compute what was known of each claim at the instant of its filing.

    Parameters
    ----------
    tables
        Frames by contract name, in any order of rows. Tables and columns may be missing: features that need them are then
        left out. A table that is there but empty is a history in which nothing happened.
    probes
        The claims asked about, with the columns of the contract ``claims``; by default all of ``tables["claims"]``. They
        need not be among those: a row depends on its own columns and on what the tables knew strictly before its filing.
    catalog
        The features wanted.
    extras
        Additional columns of the probes, appended as they are: ``"numeric"`` as float64, ``"categorical"`` as category.
    threads
        How many threads may work; the matrix does not depend on it.

    Returns
    -------
    DataFrame
        Indexed by ``claim_id`` in the order of the probes; one float64 column per catalogue entry that can be computed, in
        the order of the catalogue, then the extras. NaN where a feature is undefined.

    Raises
    ------
    FeatureError
        If there are no claims, a claim lacks identity or time of filing, or an extra column is missing.

    Examples
    --------
    >>> claims = pd.DataFrame({"claim_id": ["C1", "C2"], "customer_id": ["A", "A"], "amount_cents": [90_000, 10_000],
    ...                        "filed_at": pd.to_datetime(["2025-01-01", "2025-01-05"], utc=True)})
    >>> matrix = build_matrix({"claims": claims})
    >>> matrix[["claim_amount_bunched", "claims_count_customer_30d"]].to_numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    >>> "orders_count_customer_all" in matrix
    False
    """
    if probes is None and "claims" not in tables:
        raise FeatureError(f"build_matrix: expected a table 'claims' or probes, found {sorted(tables)}")
    facts = Facts(tables, tables["claims"] if probes is None else probes, catalog.sources)
    missing = [name for name in extras or {} if name not in facts.probes.columns]
    if missing:
        raise FeatureError(f"extras: expected columns of the claims, found no {', '.join(missing)}; leave them out or add them")
    values = _values(catalog, facts, threads)
    columns = {name: values[name] for name in catalog.names if name in values}
    index = pd.Index(facts.probes["claim_id"], name="claim_id", dtype="str")
    matrix = pd.DataFrame(columns, index=index, copy=False)
    appended = {name: _extra(facts.probes[name], kind).set_axis(index) for name, kind in (extras or {}).items()}
    return matrix.assign(**appended)


def _values(catalog: Catalog, facts: Facts, threads: int) -> dict[str, Floats]:
    features = [entry.feature for entry in catalog]
    wanted = {
        family: [f.name for f in features if isinstance(f, Direct) and f.family == family and facts.has(*f.needs)] for family in _FAMILIES
    }
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(facts.vocabulary, ENTITIES))  # what nearly every family asks for first, and would wait for one column at a time
        # What shares its work among threads comes last but for one: it takes whatever is free while others end.
        found = [pool.submit(windows.evaluate, [f for f in features if isinstance(f, Windowed)], facts, threads)]
        found += [pool.submit(compute, wanted[family], facts, threads) for family, compute in _FAMILIES.items() if wanted[family]]
    values = {name: value for computed in found for name, value in computed.result().items()}
    return values | {f.name: _computed(f, facts) for f in features if isinstance(f, Computed) and facts.has(*f.needs)}


def _computed(feature: Computed, facts: Facts) -> Floats:
    """Run a user's function; what it returns must have one number per claim."""
    found = np.asarray(feature.compute(facts))
    if found.shape != (len(facts.probes),) or found.dtype.kind not in "fiub":
        expected = f"({len(facts.probes)},) numbers, one per claim"
        raise FeatureError(f"{feature.name}: expected {expected}, found {found.dtype} of shape {found.shape} from {feature.where}")
    values = found.astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _extra(column: pd.Series, kind: Extra) -> pd.Series:
    return column.astype("float64") if kind == "numeric" else column.astype("str").astype("category")
