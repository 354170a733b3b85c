"""The instructions in the language of the compiler: a type of eight numbers, its arithmetic, and what is called.

Needs numba, so it is imported when a kernel is compiled. LLVM makes of an operation on eight numbers what the processor
has: one of 512 bits, two of 256 or four of 128. It may not fuse or reorder any, because numba does not allow it to.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import unpack_tuple
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from cej_sim.processor import EIGHT

_WIDE, _SMALL, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_NUMBERS = ir.VectorType(ir.DoubleType(), EIGHT)


class Eight(types.Type):
    """Eight floats in registers."""

    def __init__(self) -> None:
        """There is one such type."""
        super().__init__(name="Eight")


EIGHT_FLOATS = Eight()
#: What a codegen function gets and gives: context, builder, signature and arguments, and LLVM's value.
Writer = Callable[[Any, Any, Any, Any], Any]


@register_model(Eight)
class _EightModel(models.PrimitiveModel):
    """Eight floats are one value of LLVM's."""

    def __init__(self, manager: Any, kind: Any) -> None:
        """Tell LLVM's type."""
        super().__init__(manager, kind, _NUMBERS)


def _spread(builder: Any, number: Any) -> Any:
    """Eight times the same number."""
    one = builder.insert_element(ir.Constant(_NUMBERS, ir.Undefined), number, _SMALL(0))
    mask = ir.Constant(ir.VectorType(_SMALL, EIGHT), [0] * EIGHT)
    return builder.shuffle_vector(one, ir.Constant(_NUMBERS, ir.Undefined), mask)


def _arithmetic(operation: Callable[..., Any], write: str) -> None:
    """Let kernels use an operator between eights and between a number and eights."""
    pairs = [(EIGHT_FLOATS, EIGHT_FLOATS), (types.float64, EIGHT_FLOATS), (EIGHT_FLOATS, types.float64)]

    class Template(ConcreteTemplate):
        """The types of the operator."""

        key = operation
        cases = tuple(signature(EIGHT_FLOATS, *pair) for pair in pairs)

    infer_global(operation)(Template)
    for pair in pairs:

        @lower_builtin(operation, *pair)
        def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sides = [
                value if kind == EIGHT_FLOATS else _spread(builder, value)
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            return getattr(builder, write)(*sides)


for _operation, _write in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
):
    _arithmetic(_operation, _write)


def _is_matrix(array: Any) -> bool:
    """Whether it is a contiguous matrix of floats, the only thing that eights are read from."""
    return isinstance(array, types.Array) and (array.ndim, array.layout, array.dtype) == (2, "C", types.float64)


def _place(context: Any, builder: Any, kinds: Any, array: Any, row: Any, column: Any) -> Any:
    """A pointer to eight numbers within a contiguous matrix."""
    found = context.make_array(kinds[0])(context, builder, array)
    _, width = unpack_tuple(builder, found.shape)
    row, column = (context.cast(builder, at, kind, types.int64) for at, kind in ((row, kinds[1]), (column, kinds[2])))
    first = builder.gep(found.data, [builder.add(builder.mul(row, width), column)])
    return builder.bitcast(first, _NUMBERS.as_pointer())


def prefetch(context: Any, array: Any, row: Any) -> tuple[Any, Writer]:
    """LLVM's prefetch: read, bring near but not into the nearest cache, data; one for each axis's 64 bytes."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, at = signature.args
        found = context.make_array(kind)(context, builder, arguments[0])
        (stride, *_) = unpack_tuple(builder, found.strides)
        row = context.cast(builder, arguments[1], at, types.int64)
        place = builder.add(builder.ptrtoint(found.data, _WIDE), builder.mul(row, stride))
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch", [_BYTE.as_pointer()], ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), *[_SMALL] * 3])
        )
        for line in range(kind.ndim):
            address = builder.inttoptr(builder.add(place, _WIDE(64 * line)), _BYTE.as_pointer())
            builder.call(hint, [address, _SMALL(0), _SMALL(2), _SMALL(1)])
        return context.get_dummy_value()

    return types.void(array, row), write


def eight(context: Any, array: Any, row: Any, column: Any) -> tuple[Any, Writer] | None:
    """Read eight numbers; of anything but a matrix, numba says that there is no such function."""
    if not _is_matrix(array):
        return None

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature.args, *arguments), align=8)

    return EIGHT_FLOATS(array, row, column), write


def put(context: Any, array: Any, row: Any, column: Any, values: Any) -> tuple[Any, Writer] | None:
    """Write eight numbers, as ``eight`` reads them; what is only to be read is refused."""
    if not (_is_matrix(array) and array.mutable):
        return None

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *where, what = arguments
        builder.store(what, _place(context, builder, signature.args[:-1], *where), align=8)
        return context.get_dummy_value()

    return types.void(array, row, column, EIGHT_FLOATS), write


def borrowed(context: Any, arrays: Any) -> tuple[Any, Writer]:
    """Arrays without the object that counts who refers to their memory, as numba's ``carray`` makes them."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (given,) = arguments
        for at, kind in enumerate(signature.args[0]):
            if isinstance(kind, types.Array):
                array = context.make_array(kind)(context, builder, builder.extract_value(given, at))
                for name in ("meminfo", "parent"):
                    setattr(array, name, ir.Constant(getattr(array, name).type, None))
                given = builder.insert_value(given, array._getvalue(), at)
        return given

    return arrays(arrays), write
