"""Counter-based random numbers: a draw is a pure function of (run key, who, month, stream).

Philox 4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3").
Nothing is consumed in sequence, so the order of agents, the batch, the number of threads or an
additional agent cannot change anybody's luck, and two scenarios with one seed share theirs.
"""

from __future__ import annotations

import numpy as np

from cej_sim.compiled import entry

# A named stream per decision. Numbers are part of what a seed means: never reuse or reorder them.
INVITE = 1
ACCEPT = 2
ATTEND = 3
LAPSE = 4
ONE_TO_ONE = 5
FRACTION = 6
EMERGE = 7
BURN_OUT = 8
SERVICE = 9
POLICY = 10
CHALLENGE = 11
TARGET = 12
WALK_OUT = 13
SIGNAL = 14
RENEWAL = 15
BALLOT = 16
CALLS = 17
SURVEY = 18
TIES = 19
ENDING = 20

# Streams of the starting population (month is 0, 1 or 2: three uniforms make one bell-shaped draw).
ATTRIBUTE = 1000
# Streams of the network's layers.
LAYER = 2000
# The stream by which a seed is split into the keys of its runs.
RUNS = 3000

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_5 = np.uint64(5)
_6 = np.uint64(6)
_2_26 = 67108864.0
_2_53 = 9007199254740992.0


@entry(signature="UniTuple(uint64, 4)(uint64, uint64, uint64, uint64, uint64, uint64)")
def philox(c0, c1, c2, c3, k0, k1):
    """One Philox 4x32-10 block: four 32-bit words (as uint64) from a 128-bit counter and a 64-bit key."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _32) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@entry(signature="float64(uint64, int64, int64, int64)")
def uniform(key, who, month, stream):
    """A uniform number in [0, 1) with 53 random bits.

    Args:
        key: uint64, the run's key.
        who: Non-negative integer below 2**32: an agent's draw identity, an issue, a table.
        month: Non-negative integer.
        stream: One of this module's stream numbers.
    """
    word = np.uint64(key)
    a, b, _, _ = philox(np.uint64(who), np.uint64(month), np.uint64(stream), np.uint64(0), word & _MASK, word >> _32)
    return (np.float64(a >> _5) * _2_26 + np.float64(b >> _6)) / _2_53


@entry(signature=tuple(f"void(uint64, {who}[::1], int64, int64, float64[::1])" for who in ("uint32", "int64")))
def fill(key, who, month, stream, out):
    """The uniform number of each identity in ``who`` (n,), uint32 or int64, into ``out`` (n,), both contiguous.

    The same numbers as ``uniform``, with the block written out in the loop: then several are made at a time, and a
    number takes a fifth of the time. Where many are asked, ask for all.
    """
    word = np.uint64(key)
    for i in range(who.size):
        c0, c1, c2, c3 = np.uint64(who[i]), np.uint64(month) & _MASK, np.uint64(stream) & _MASK, np.uint64(0)
        k0, k1 = word & _MASK, word >> _32
        for _ in range(10):
            p0 = _M0 * c0
            p1 = _M1 * c2
            c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _32) ^ c3 ^ k1, p0 & _MASK
            k0 = (k0 + _W0) & _MASK
            k1 = (k1 + _W1) & _MASK
        out[i] = (np.float64(np.int32(c0 >> _5)) * _2_26 + np.float64(np.int32(c1 >> _6))) / _2_53


@entry
def uniforms(key, who, month, stream):
    """Uniform numbers in [0, 1), one for each identity in ``who`` (n,)."""
    out = np.empty(who.size, np.float64)
    fill(key, who, month, stream, out)
    return out


@entry
def bells(key, who, stream):
    """Bell-shaped numbers of mean 0, deviation 1 and range [-3, 3]: the scaled sum of three uniforms (n,).

    A sum rather than a normal deviate, because it needs no function whose last bit differs between machines.
    """
    out, drawn = np.empty(who.size, np.float64), np.empty(who.size, np.float64)
    fill(key, who, 0, stream, out)
    for part in (1, 2):
        fill(key, who, part, stream, drawn)
        for i in range(who.size):
            out[i] += drawn[i]
    for i in range(who.size):
        out[i] = 2.0 * (out[i] - 1.5)
    return out


@entry(signature="int64(uint64, int64, int64, int64, float64)")
def whole(key, who, month, stream, amount):
    """The integer next to a fractional amount: floor plus one with probability of the remainder."""
    base = np.floor(amount)
    return int(base) + (1 if uniform(key, who, month, stream) < amount - base else 0)


@entry(signature="uint64(uint64, uint64)")
def run_key(seed, run):
    """The key (uint64) of one run of a seed, both non-negative; runs of a seed do not share draws."""
    word = np.uint64(seed)
    a, b, _, _ = philox(
        np.uint64(run) & _MASK, np.uint64(run) >> _32, np.uint64(RUNS), np.uint64(0), word & _MASK, word >> _32
    )
    return (a << _32) | b
