"""A hint to the processor: :func:`prefetch` asks for a place of an array before it is needed.

Results are written to rows that lie far apart, and values are looked up all over a table; once these outgrow the processor's
cache, every step waits for memory. Which places come next is known long before, and asking early hides the wait. A hint
changes no value.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 32
"""How many steps ahead to ask: far enough for memory to answer, near enough to be there still."""

_FOR_WRITING, _KEEP, _DATA = 1, 3, 1


@intrinsic
def prefetch(_context, array, _at):
    """Ask for the cache line that holds element ``at`` of a contiguous array, to be read and written.

    Of an array of several dimensions elements are counted as they lie in memory, row after row. For compiled functions only. The place
    need not exist: a hint cannot fault.

    References
    ----------
    LLVM Language Reference Manual, "llvm.prefetch" intrinsic.
    """

    def emit(context, builder, signature, arguments):
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(held.data, [arguments[1]]), cgutils.voidptr_t)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(hint, [place, *(ir.Constant(number, value) for value in (_FOR_WRITING, _KEEP, _DATA))])
        return context.get_dummy_value()

    return types.void(array, types.intp), emit
