"""What kernels ask of the processor directly: eight numbers at once, memory before it is needed, arrays on loan.

``eight`` reads eight numbers that lie side by side in a row, ``+``, ``-`` and ``*`` work on all of them at once, and
``put`` writes them. Each number gets the very operations it would get alone, in the same order, so that results are the
same in every bit on every processor; only the time differs. A row of eight or more is covered from its start in steps
of eight, the last eight reaching back so as to end with it::

    for column in range(0, width, EIGHT):
        at = min(column, width - EIGHT)
        put(twice, i, at, 2.0 * eight(x, i, at))

The last eight may cover what was written before: write into another row than is read, or read it first.

Kernels call these like functions. What they are in the language of the compiler stands in ``llvm.py``, which is loaded
when the first kernel that calls one is compiled. In plain Python they do the same to numpy's arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: How many numbers ``eight`` reads and ``put`` writes.
EIGHT = 8


class Instruction:
    """A function for kernels that becomes an instruction or a few; called from plain Python, it does the same."""

    def __init__(self, plain: Callable[..., object]) -> None:
        """Keep what it does in plain Python."""
        update_wrapper(self, plain)
        self._plain = plain

    def __call__(self, *arguments: object) -> Any:
        """Do it in plain Python."""
        return self._plain(*arguments)

    @cached_property
    def _numba_type_(self) -> Any:
        """By which numba knows it within kernels."""
        from numba.core import types
        from numba.core.typing.templates import make_intrinsic_template

        from cej_sim.processor import llvm

        name = self._plain.__name__
        return types.Function(make_intrinsic_template(self, getattr(llvm, name), name))


class _Eight(np.ndarray[Any, Any]):
    """Eight numbers that are a value, as they are in kernels: ``+=`` makes another one, whoever else has this one."""

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]
        return self + other


@Instruction
def prefetch(array: object, row: object) -> None:
    """Ask for a row of an array that will soon be read (of a matrix: its first two lines of 64 bytes).

    Rows at the other ends of ties lie anywhere in memory. Asked for a few ties ahead, they arrive while others are
    added up. It changes no value; in plain Python it does nothing.
    """


@Instruction
def eight(array: NDArray[np.float64], row: int, column: int) -> NDArray[np.float64]:
    """The eight numbers of a matrix's row that begin at a column; ``row`` and ``column`` are not checked."""
    return array[row, column : column + EIGHT].copy().view(_Eight)


@Instruction
def put(array: NDArray[np.float64], row: int, column: int, values: NDArray[np.float64]) -> None:
    """Write eight numbers into a matrix's row, from a column on; ``row`` and ``column`` are not checked."""
    array[row, column : column + EIGHT] = values


@Instruction
def borrowed(arrays: Any) -> Any:
    """The same tuple of arrays, for a kernel whose caller keeps them: nobody counts who refers to them meanwhile.

    Otherwise every kernel counts up when it is handed an array and down when it is done, some hundred times a month,
    and each time waits until no other thread counts. In plain Python it is the tuple itself.
    """
    return arrays
