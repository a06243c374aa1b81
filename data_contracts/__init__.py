"""What a row means: one typed row model per table, its rules, and what happens to a row that breaks them."""

from data_contracts.accounts import CUSTOMERS, SELLER_EVENTS, SELLERS
from data_contracts.claims import CLAIMS
from data_contracts.contract import Contract, ContractError
from data_contracts.decisions import DECISIONS, Action, Route
from data_contracts.orders import ORDERS, PRODUCTS, RETURNS
from data_contracts.resolutions import ANSWERS, RESOLUTIONS, Label

CONTRACTS: dict[str, Contract] = {
    contract.name: contract
    for contract in (
        CUSTOMERS,
        SELLERS,
        PRODUCTS,
        ORDERS,
        RETURNS,
        SELLER_EVENTS,
        CLAIMS,
        RESOLUTIONS,
        ANSWERS,
        DECISIONS,
    )
}
"""Every table, referred tables before those that refer to them."""

LABELS: tuple[str, ...] = tuple(label.value for label in Label)
"""The classes in the order of every probability vector."""

__all__ = [
    "ANSWERS",
    "CLAIMS",
    "CONTRACTS",
    "CUSTOMERS",
    "DECISIONS",
    "LABELS",
    "ORDERS",
    "PRODUCTS",
    "RESOLUTIONS",
    "RETURNS",
    "SELLERS",
    "SELLER_EVENTS",
    "Action",
    "Contract",
    "ContractError",
    "Label",
    "Route",
]
