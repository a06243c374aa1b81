"""How functions are compiled that only borrow their arrays.

numba counts who holds an array: at every slice, every call and every array taken out of a tuple a counter goes up and down again,
by an instruction that locks the bus. A loop that looks at a few numbers of each claim spends more on the counters than on the numbers:
half of its time and more was measured. A function that makes no array of its own and whose caller holds those that it is given needs no
counting, and :func:`borrowing` compiles it without.
"""

from __future__ import annotations

from functools import partial

from numba import njit

borrowing = partial(njit, cache=True, nogil=True, _nrt=False)
"""Compile a function that makes no arrays, but for views of those it is given, and returns none; otherwise numba refuses it.

Called with a function, or with further options of :func:`numba.njit` as a decorator.
"""
