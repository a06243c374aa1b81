"""Eight doubles that are computed with as one: a type for compiled code, and the few operations the tree kernels need.

Numba leaves short loops over a handful of numbers scalar; its extension API lets LLVM's own vectors be said outright. LLVM carries
them in the widest registers there are (one of 512, two of 256 or four of 128 bits), so this runs everywhere. Every operation is
an IEEE operation in a stated order, nothing is contracted or reordered: the bits are the same on every machine.

Functions that use these are compiled and cached by their own file: whoever changes an operation here clears the caches.
"""

# Compiled code builders take what Numba hands them, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, import-untyped, misc"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES = 8
"""Numbers in one vector."""

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_PLACE = ir.IntType(32)


def aligned(numbers: int) -> np.ndarray:
    """Return an empty float64 array whose groups of eight never lie across two cache lines: reading one that does takes twice as long."""
    room = np.empty(numbers + LANES)
    skip = -room.ctypes.data // room.itemsize % LANES
    return room[skip : skip + numbers]


class _Eight(types.Type):
    """Numba's name for eight doubles."""

    def __init__(self) -> None:
        super().__init__(name="EightDoubles")


_eight = _Eight()


@register_model(_Eight)
class _EightModel(models.PrimitiveModel):
    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context, builder, array_type, array, row):
    """Point at the row-th group of eight doubles of a contiguous array."""
    data = context.make_array(array_type)(context, builder, array).data
    start = builder.gep(data, [builder.mul(row, ir.Constant(row.type, LANES))])
    return builder.bitcast(start, ir.PointerType(_VECTOR))


@intrinsic
def load(typing, array, row):
    """Read the row-th eight numbers of a contiguous float64 array."""

    def build(context, builder, signature, args):
        vector = builder.load(_address(context, builder, signature.args[0], *args))
        vector.align = 8  # arrays promise no more
        return vector

    return _eight(array, types.intp), build


@intrinsic
def store(typing, array, row, vector):
    """Write the row-th eight numbers of a contiguous float64 array."""

    def build(context, builder, signature, args):
        written = builder.store(args[2], _address(context, builder, signature.args[0], args[0], args[1]))
        written.align = 8
        return context.get_dummy_value()

    return types.void(array, types.intp, _eight), build


@intrinsic
def pick(typing, array, place):
    """Read one number of a contiguous array, without asking whether the place is counted from its end."""

    def build(context, builder, signature, args):
        return builder.load(builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]]))

    return array.dtype(array, types.intp), build


@intrinsic
def splat(typing, number):
    """Repeat one number eight times."""

    def build(context, builder, signature, args):
        one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], ir.Constant(_PLACE, 0))
        everywhere = ir.Constant(ir.VectorType(_PLACE, LANES), [0] * LANES)
        return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), everywhere)

    return _eight(types.float64), build


@intrinsic
def sub(typing, left, right):
    """Subtract, number by number."""

    def build(context, builder, signature, args):
        return builder.fsub(*args)

    return _eight(_eight, _eight), build


@intrinsic
def mul(typing, left, right):
    """Multiply, number by number."""

    def build(context, builder, signature, args):
        return builder.fmul(*args)

    return _eight(_eight, _eight), build


@intrinsic
def fma(typing, left, right, added):
    """Return left·right + added with a single rounding, number by number."""

    def build(context, builder, signature, args):
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f64"), args)

    return _eight(_eight, _eight, _eight), build


@intrinsic
def total(typing, vector):
    """Add the eight numbers: halves onto each other, three times."""

    def build(context, builder, signature, args):
        vector, width = args[0], LANES
        while width > 1:
            width //= 2
            low, high = (
                builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_PLACE, width), list(range(start, start + width))))
                for start in (0, width)
            )
            vector = builder.fadd(low, high)
        return builder.extract_element(vector, ir.Constant(_PLACE, 0))

    return types.float64(_eight), build
