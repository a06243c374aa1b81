"""The simulated marketplace: honest people, adversaries who adapt, documents, late labels, and a sealed truth."""

from pipelines.simulate.market import Horizon, Market
from pipelines.simulate.marketplace import Simulated, simulate, write

__all__ = ["Horizon", "Market", "Simulated", "simulate", "write"]
