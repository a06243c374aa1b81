"""Python's search for cycles of objects that nobody else refers to, kept from holding up those who wait."""

from __future__ import annotations

import gc

YOUNG, OLD = 20_000, 200
"""Objects made before Python looks for cycles among them (its own 700 are fewer than what one claim makes and drops), and how often it
looks at those that outlived a search before it goes through all there are: most are what is pending in the history, and no cycle."""


def settle() -> None:
    """Leave what was made so far out of every later search: going through it held up all requests for 170 ms now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 2, OLD)
