"""Functional forms that several phases share. None of them calls exp, log or pow."""

from __future__ import annotations

import math

import numpy as np

from cej_sim.compiled import kernel

#: How a leaning becomes a chance; the choices of ``coefficients.response_form``.
RESPONSE_FORMS = ("smooth", "straight")
SMOOTH, STRAIGHT = range(2)


@kernel(inline=True)
def response(z, form):
    """A rise from 0 to 1 through (0, 1/2) with slope 1/2.

    ``SMOOTH`` is the S-curve (1 + z / sqrt(1 + z^2)) / 2, which never quite reaches 0 or 1; ``STRAIGHT`` is the line
    (1 + z) / 2 between -1 and 1, and flat beyond.
    """
    if form == STRAIGHT:
        return min(max(0.5 * (1.0 + z), 0.0), 1.0)
    return 0.5 * (1.0 + z / math.sqrt(1.0 + z * z))


@kernel(inline=True)
def saturating(amount, half):
    """Diminishing returns: amount / (amount + half); 0 at 0, 1/2 at ``half``."""
    return amount / (amount + half) if amount > 0.0 else 0.0


@kernel(inline=True)
def clip(value, low, high):
    """The value, or the bound that it passes."""
    return min(max(value, low), high)


@kernel(inline=True)
def distance(x, i, y, j, n):
    """Half the sum of absolute differences over the first n entries of two rows: 0 for equal, 1 for disjoint shares."""
    total = 0.0
    for k in range(n):
        total += abs(x[i, k] - y[j, k])
    return 0.5 * total


@kernel(inline=True)
def distance_to(row, x, i, n):
    """The same between a vector and a row."""
    total = 0.0
    for k in range(n):
        total += abs(row[k] - x[i, k])
    return 0.5 * total


@kernel
def zeros(n):
    """A vector of n zeros (compiles faster than numpy's)."""
    out = np.empty(n)
    for i in range(n):
        out[i] = 0.0
    return out


@kernel
def copied(x):
    """A copy of a vector (compiles faster than numpy's)."""
    out = np.empty(x.size)
    for i in range(x.size):
        out[i] = x[i]
    return out


#: Up to so many, the largest are kept in order while all are looked at once; more are found by halving.
FEW = 16


@kernel
def keep_largest(values, size, n):
    """Put the n largest of the first ``size`` values in front, the least of them last; the others are overwritten."""
    for i in range(1, size):
        value = values[i]
        if i >= n and value <= values[n - 1]:
            continue
        place = min(i, n - 1)
        while place > 0 and values[place - 1] < value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@kernel
def separate_largest(values, size, n):
    """Put the n largest of the first ``size`` values in front, the least of them last (quickselect)."""
    low, high, place = 0, size - 1, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            return


@kernel
def cutoff(values, size, n):
    """The n-th largest of the first ``size`` values, and how many of those equal to it belong to the n largest.

    Destroys ``values``. With n >= size everything passes; with n <= 0 or size == 0 nothing does.
    """
    if n <= 0 or size == 0:
        return np.inf, 0
    if n >= size:
        return -np.inf, 0
    if n <= FEW:
        keep_largest(values, size, n)
    else:
        separate_largest(values, size, n)
    cut = values[n - 1]
    above = 0
    for i in range(n):
        if values[i] > cut:
            above += 1
    return cut, n - above


@kernel(signature="void(int32[:, ::1], int64[::1], int64, int64, int64, int64)")
def write_log(log, logged, month, code, subject, number):
    """Append one row (month, code, subject, count) to the log; the last row is kept free to say that it is full."""
    row = logged[0]
    if row < log.shape[0]:
        log[row, 0] = month
        log[row, 1] = code
        log[row, 2] = subject
        log[row, 3] = number
        logged[0] = row + 1
