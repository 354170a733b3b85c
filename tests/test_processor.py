"""Eight numbers at once are eight numbers one by one, in every bit; lent arrays are the arrays; the few largest."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from worlds import callable_from_python, key_of, plain

from cej_sim import forms
from cej_sim.metrics import METRICS
from cej_sim.month import run_months
from cej_sim.phases import decide
from cej_sim.population import populate
from cej_sim.processor import EIGHT, borrowed, eight, prefetch, put
from cej_sim.scenario import encode_events

anything = st.floats(allow_nan=False, width=64)


def bits(values: np.ndarray) -> list[int]:
    return np.ascontiguousarray(values).view(np.uint64).ravel().tolist()


def combine(out: np.ndarray, x: np.ndarray, y: np.ndarray, number: float, row: int, column: int) -> None:
    """Every operator, between eights and with a number on either side."""
    first, second = eight(x, row, column), eight(y, row, column)
    total = number * first
    total += second * number
    put(out, row, column, total - (first * second + number) * first)


compiled = numba.njit(combine)


@pytest.mark.parametrize("do", [combine, compiled], ids=["plain", "compiled"])
@given(
    x=arrays(np.float64, (3, 11), elements=anything), y=arrays(np.float64, (3, 11), elements=anything),
    number=anything, row=st.integers(0, 2), column=st.integers(0, 11 - EIGHT),
)  # fmt: skip
@settings(max_examples=200)
def test_eight_at_once_are_eight_one_by_one(
    do: Callable[..., None], x: np.ndarray, y: np.ndarray, number: float, row: int, column: int
):
    """Nothing is fused, reordered or flushed to zero, and nothing beside the eight is written."""
    out = np.full((3, 11), 7.0)
    with np.errstate(all="ignore"):
        do(out, x, y, number, row, column)
        wanted = np.full((3, 11), 7.0)
        for at in range(column, column + EIGHT):
            a, b = x[row, at], y[row, at]
            total = number * a + b * number
            wanted[row, at] = total - (a * b + number) * a
    nothing = np.isnan(wanted)
    np.testing.assert_array_equal(nothing, np.isnan(out))  # which bits "not a number" has is the processor's affair
    assert bits(np.where(nothing, 0.0, out)) == bits(np.where(nothing, 0.0, wanted))


@pytest.mark.parametrize(
    "array", [np.zeros(9), np.zeros((9, 9)).T, np.zeros((2, 9), np.float32)], ids=["vector", "across", "half as exact"]
)
def test_eights_are_of_contiguous_matrices_of_floats_only(array: np.ndarray):
    """Numba refuses anything else instead of reading what lies beside it."""

    @numba.njit
    def read(array: np.ndarray, out: np.ndarray) -> None:
        put(out, 0, 0, eight(array, 0, 0))

    with pytest.raises(numba.TypingError, match="eight"):
        read(array, np.zeros((1, 8)))


def test_nothing_is_written_to_what_is_only_to_be_read():
    """Neither into a constant of Python nor into a file, whose memory ends a program that writes there."""

    def write(out: np.ndarray, x: np.ndarray) -> None:
        put(out, 0, 0, eight(x, 0, 0))

    constant = bytes(64)
    out, x = np.frombuffer(constant).reshape(1, 8), np.ones((1, 8))
    with pytest.raises(ValueError, match="read-only"):
        write(out, x)
    with pytest.raises(numba.TypingError, match="put"):
        numba.njit(write)(out, x)
    assert constant == bytes(64)
    x.flags.writeable = False  # what is only read may be
    out = np.zeros((1, 8))
    numba.njit(write)(out, x)
    assert out.tolist() == x.tolist()


def share(out: np.ndarray, x: np.ndarray) -> None:
    """Two names of one eight."""
    first = eight(x, 0, 0)
    second = first
    second += first
    put(out, 0, 0, first)
    put(out, 1, 0, second)


@pytest.mark.parametrize("do", [share, numba.njit(share)], ids=["plain", "compiled"])
def test_adding_to_an_eight_leaves_its_other_names_alone(do: Callable[..., None]):
    x, out = np.arange(8.0).reshape(1, 8), np.zeros((2, 8))
    do(out, x)
    assert out.tolist() == [x[0].tolist(), (2.0 * x[0]).tolist()]


def test_asking_ahead_changes_nothing():
    """Also at the last row, and in plain Python."""

    @numba.njit
    def ask(array: np.ndarray) -> None:
        for row in range(array.shape[0]):
            prefetch(array, row)

    for array in (np.arange(6.0), np.arange(24.0).reshape(2, 12)):
        before = array.copy()
        ask(array)
        prefetch(array, 0)
        np.testing.assert_array_equal(array, before)


def test_lent_arrays_are_the_callers_and_are_given_back():
    """Kernels write into the memory of the caller, who alone refers to it afterwards as before."""
    scenario = plain({"community.residents": 20})
    state, events = populate(scenario, int(key_of(1))), encode_events(scenario)
    assert borrowed(state) is state
    out = np.empty((12, len(METRICS)))
    run_months(state, events, key_of(1), 0, out)
    gc.collect()
    referred = [sys.getrefcount(array) for array in state]
    before = [array.copy() for array in state]
    for _ in range(50):
        run_months(state, events, key_of(1), 12, out)
    assert [sys.getrefcount(array) for array in state] == referred
    changed = {
        name for name, old, new in zip(state._fields, before, state, strict=True) if old.tolist() != new.tolist()
    }
    assert {"x", "tie", "agency", "decision", "coalition"} <= changed


values = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0.0, 1.0), max_size=80)
cutoff = callable_from_python(forms.cutoff)


@given(values, st.integers(-2, 90))
@settings(max_examples=400)
def test_the_largest_are_those_of_a_sort(found: list[float], n: int):
    """The cut is the n-th of the sorted values, whether few or many are asked for, and equal ones are counted."""
    cut, at_cut = cutoff(np.array([*found, -1.0]), len(found), n)
    if n <= 0 or not found:
        assert cut == np.inf
    elif n >= len(found):
        assert cut == -np.inf
    else:
        assert cut == sorted(found, reverse=True)[n - 1]
        assert at_cut == n - sum(value > cut for value in found)
        assert 1 <= at_cut <= found.count(cut)


@pytest.mark.parametrize("issues", [1, 2, 6, 9, 10, 20])
def test_what_a_table_wants_is_the_weighted_mean_of_all_who_sit_there(issues: int):
    """Whatever the length of a vector is beside a multiple of eight: the agenda by one weight, lines by the other."""
    rng = np.random.default_rng(issues)
    width, n, tables = issues + 7, 30, 3
    x, weight, weight_budget = rng.random((n, width)), rng.random(n), rng.random(n)
    there = np.array([4, 9, 2, 17, 29], np.int32)
    out = np.full((tables, width), -1.0)
    callable_from_python(decide.weighted_views)(there, 0.3, 0.6, issues, x, weight, weight_budget, out, 1)
    wanted = np.vstack([weight[there[:-1]] @ x[there[:-1]] + 0.3 * x[29]] * 2)
    wanted[1] = weight_budget[there[:-1]] @ x[there[:-1]] + 0.6 * x[29]
    np.testing.assert_allclose(out[1, : issues + 1], wanted[0, : issues + 1], rtol=1e-14)
    np.testing.assert_allclose(out[1, issues + 1 :], wanted[1, issues + 1 :], rtol=1e-14)
    assert (out[[0, 2]] == -1.0).all()


def test_those_who_sit_at_a_table_are_listed_in_order_and_the_backbone_last():
    """Also at a table where nobody is or all are."""
    who = callable_from_python(decide.sitting)
    start, agents = np.array([0, 3, 5, 7]), np.array([0, 2, 5, 1, 3, 4, 7], np.int32)
    present = np.array([True, True, False, False, True, True, True, True])
    assert [who(t, 6, present, start, agents).tolist() for t in range(3)] == [[0, 5, 6], [1, 6], [4, 7, 6]]
    assert [who(t, 6, ~present, start, agents).tolist() for t in range(3)] == [[2, 6], [3, 6], [6]]
