"""The bodies of requests and answers that are not rows of a contract themselves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, create_model

from data_contracts.claims import Claim
from data_contracts.contract import Contract
from data_contracts.decisions import Decision
from serving.problem import Problem

MOST_ROWS = 1_000
"""Rows in one request at most."""


class ClaimBatch(BaseModel):
    """Claims to be decided, each for itself."""

    claims: list[Claim] = Field(description="the claims", min_length=1, max_length=MOST_ROWS)


class Scored(BaseModel):
    """What became of one claim of a batch."""

    status: int = Field(description="the HTTP status that the claim alone would have got: 200, 409, 422, 429, 500 or 503")
    decision: Decision | None = Field(default=None, description="the decision, with status 200")
    problem: Problem | None = Field(default=None, description="why there is none, with any other status")


class Decisions(BaseModel):
    """What became of a batch."""

    results: list[Scored] = Field(description="one for each claim, in the order of the request")


class Received(BaseModel):
    """What became of one event."""

    status: int = Field(description="200; 409 if another row came first under its key; 422 if it breaks its contract")
    known: bool | None = Field(default=None, description="with status 200: whether this very row had come before")
    problem: Problem | None = Field(default=None, description="why it was not taken, with any other status")


class Receipts(BaseModel):
    """What became of a list of events."""

    results: list[Received] = Field(description="one for each row, in the order of the request")


class Health(BaseModel):
    """Whether the endpoint is up, or ready to decide."""

    status: str = Field(description="ok")


class Versions(BaseModel):
    """What decides: the package, the model, the prices, the features and the contracts."""

    touchstone: str = Field(description="version of the package")
    bundle: str = Field(description="hash of the model bundle")
    policy: str = Field(description="version and hash of the policy")
    catalog: str = Field(description="hash of the feature catalogue")
    contracts: str = Field(description="hash of the data contracts")
    rules: str | None = Field(default=None, description="version and hash of the rules, if there are any")


class Split(BaseModel):
    """Rows as MLflow's ``dataframe_split``: the columns once, then the values."""

    columns: list[str] = Field(description="names, in the order of the values")
    data: list[list[Any]] = Field(description="one list of values per row", max_length=MOST_ROWS)
    index: list[Any] | None = Field(default=None, description="ignored")


class Invocation(BaseModel):
    """Rows in one of the two forms of MLflow: all features of the catalogue, or claims."""

    dataframe_split: Split | None = Field(default=None, description="columns and values")
    dataframe_records: list[dict[str, Any]] | None = Field(default=None, description="one object per row", max_length=MOST_ROWS)


class Predictions(BaseModel):
    """MLflow's answer."""

    predictions: list[dict[str, Any]] = Field(
        description="per row: p_valid, p_unsubstantiated, p_abusive of feature rows; the whole decision of claims"
    )


def events_of(received: Mapping[str, Contract]) -> Any:
    """Return the type of a list of events: for each table its name and rows of its contract.

    >>> from data_contracts import ORDERS, RETURNS
    >>> events_of({"orders": ORDERS, "returns": RETURNS}).__args__[0].__args__[0].__name__
    'OrdersEvents'
    """
    kinds = [
        create_model(
            f"{table.title().replace('_', '')}Events",
            __doc__=f"Rows of the contract {table}.",
            table=(cast(Any, Literal)[table], Field(description="the contract that the rows follow")),
            rows=(list[contract.model], Field(description="the rows", min_length=1, max_length=MOST_ROWS)),  # type: ignore[name-defined]
        )
        for table, contract in received.items()
    ]
    return Annotated[reduce(or_, kinds), Field(discriminator="table")]
