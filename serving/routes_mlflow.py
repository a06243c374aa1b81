"""MLflow's scoring protocol, for clients that were written for ``mlflow models serve``.

References
----------
MLflow documentation, "Local Inference Server Specification": ``/invocations`` with ``dataframe_split`` or ``dataframe_records``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pandas as pd

from data_contracts import CLAIMS
from features.catalog import CATALOG
from serving.call import Call, Reply
from serving.gate import refused
from serving.messages import MOST_ROWS
from serving.problem import RefusalError
from serving.refusals import Violation, shown
from serving.routes_claims import ClaimRoutes, json_of

_FORMS = "dataframe_split or dataframe_records"


@dataclass(frozen=True)
class MlflowRoutes:
    """What the route needs."""

    claims: ClaimRoutes

    async def invoke(self, call: Call) -> Reply:
        """Predict as MLflow does.

        Rows with all features of the catalogue get probabilities and leave no trace; rows that are claims are decided and
        recorded like any others.
        """
        rows = _rows(json_of(await call.json()))
        self.claims.spend(call.caller, len(rows) - 1, perf_counter())
        if CLAIMS.key in rows[0]:
            predictions = await self._decisions(rows)
        else:
            predictions = await self.claims.aside.do(lambda: self._probabilities(rows))
        return Reply(b'{"predictions": [' + b", ".join(predictions) + b"]}")

    async def _decisions(self, rows: Sequence[Any]) -> list[bytes]:
        answers = await self.claims.decided(rows)
        wrong = [(place, refused(answer)) for place, answer in enumerate(answers) if not isinstance(answer, bytes)]
        if wrong:
            status = max(reply.status for _, reply in wrong)
            told = [(place, error) for place, reply in wrong for error in json.loads(reply.body)["errors"]]
            raise RefusalError(status, *(Violation(f"rows[{place}].{e['field']}", e["expected"], e["found"]) for place, e in told))
        return [answer for answer in answers if isinstance(answer, bytes)]

    def _probabilities(self, rows: Sequence[dict[str, Any]]) -> list[bytes]:
        frame = pd.DataFrame([_numbers(place, row) for place, row in enumerate(rows)], columns=list(CATALOG.names), dtype="float64")
        found = self.claims.engine.probabilities(frame)
        return [json.dumps(row).encode() for row in found.to_dict(orient="records")]


def _rows(whole: Any) -> list[dict[str, Any]]:
    """Return the rows of either form as objects."""
    held = whole if isinstance(whole, dict) else {}
    split, rows = held.get("dataframe_split"), held.get("dataframe_records")
    if isinstance(split, dict) and rows is None:
        columns, data = split.get("columns"), split.get("data")
        if not isinstance(columns, list) or not isinstance(data, list) or not all(isinstance(name, str) for name in columns):
            raise RefusalError(422, Violation("dataframe_split", "a list of columns and a list of data", shown(split)))
        wrong = [place for place, values in enumerate(data) if not isinstance(values, list) or len(values) != len(columns)]
        if wrong:
            found = shown(data[wrong[0]])
            raise RefusalError(422, Violation(f"dataframe_split.data[{wrong[0]}]", f"a list of {len(columns)} values", found))
        rows = [dict(zip(columns, values, strict=True)) for values in data]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ROWS or not all(isinstance(row, dict) for row in rows):
        raise RefusalError(422, Violation("body", f"{_FORMS} with 1 to {MOST_ROWS} rows", shown(whole)))
    return rows


def _numbers(place: int, row: dict[str, Any]) -> list[float]:
    """Return a row's features in the order of the catalogue; further columns are left alone, as MLflow does it."""
    missing = [name for name in CATALOG.names if name not in row]
    if missing:
        raise RefusalError(422, *(Violation(f"rows[{place}].{name}", "a number or null", "nothing") for name in missing))
    wrong = [name for name in CATALOG.names if not isinstance(row[name], int | float | None)]
    if wrong:
        raise RefusalError(422, *(Violation(f"rows[{place}].{name}", "a number or null", shown(row[name])) for name in wrong))
    try:
        return [float("nan") if row[name] is None else float(row[name]) for name in CATALOG.names]
    except OverflowError:
        raise RefusalError(422, Violation(f"rows[{place}]", "numbers that a float64 can hold", "a larger one")) from None
