"""The random numbers: Philox as published, uniform, and a pure function of run, agent, month and stream."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cej_sim import draws

KEY = np.uint64(0x0123456789ABCDEF)
WHO = np.arange(20_000)

words = st.integers(0, 2**32 - 1)
long_words = st.integers(0, 2**64 - 1)


def philox_in_plain_integers(counter, key):
    """Philox 4x32-10 from its definition: two multipliers, and a key that is bumped between ten rounds."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c[0], 2**32)
        high_1, low_1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high_1 ^ c[1] ^ k[0], low_1, high_0 ^ c[3] ^ k[1], low_0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def block(counter, key):
    return [int(word) for word in draws.philox(*(np.uint64(word) for word in (*counter, *key)))]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_published_answers(counter, key, expected):
    def read(text):
        return [int(word, 16) for word in text.split()]

    assert block(read(counter), read(key)) == read(expected)


@given(st.tuples(words, words, words, words), st.tuples(words, words))
def test_philox_as_defined(counter, key):
    assert block(counter, key) == philox_in_plain_integers(counter, key)


@given(key=long_words, who=words, month=st.integers(0, 5000), stream=st.integers(0, 4000))
def test_uniform_is_53_bits_of_one_block(key, who, month, stream):
    a, b, _, _ = philox_in_plain_integers((who, month, stream, 0), (key % 2**32, key >> 32))
    found = draws.uniform(np.uint64(key), who, month, stream)
    assert found == ((a >> 5) * 2**26 + (b >> 6)) / 2**53
    assert 0.0 <= found < 1.0


@given(seed=long_words, run=long_words)
def test_run_key_is_64_bits_of_one_block(seed, run):
    a, b, _, _ = philox_in_plain_integers((run % 2**32, run >> 32, draws.RUNS, 0), (seed % 2**32, seed >> 32))
    assert int(draws.run_key(np.uint64(seed), np.uint64(run))) == a * 2**32 + b


def test_the_type_of_a_key_does_not_matter():
    key = int(draws.run_key(1, 2)) >> 1
    assert draws.uniform(key, 3, 4, 5) == draws.uniform(np.uint64(key), np.uint32(3), np.int64(4), 5)


@pytest.mark.parametrize(
    "sample",
    [
        lambda: draws.uniforms(KEY, WHO, 7, draws.ATTEND),
        lambda: [draws.uniform(KEY, 12, month, draws.ATTEND) for month in range(5000)],
        lambda: [draws.uniform(KEY, 12, 3, stream) for stream in range(5000)],
        lambda: [draws.uniform(np.uint64(draws.run_key(0, run)), 12, 3, draws.ATTEND) for run in range(5000)],
        lambda: [draws.uniform(np.uint64(draws.run_key(seed, 0)), 12, 3, draws.ATTEND) for seed in range(5000)],
    ],
    ids=["agents", "months", "streams", "runs", "seeds"],
)
def test_uniform_in_every_direction(sample):
    found = np.asarray(sample())
    assert stats.kstest(found, "uniform").pvalue > 0.001
    assert np.unique(found).size == found.size
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 4 / np.sqrt(found.size)


def test_streams_months_and_runs_are_unrelated():
    cases = [(key, month, stream) for key in (KEY, KEY + np.uint64(1)) for month in (1, 2) for stream in (1, 2, 1000)]
    correlations = np.corrcoef([draws.uniforms(key, WHO, month, stream) for key, month, stream in cases])
    assert np.abs(correlations - np.eye(len(cases))).max() < 4 / np.sqrt(WHO.size)


def test_every_stream_has_its_own_number():
    numbers = {name: value for name, value in vars(draws).items() if name.isupper() and not name.startswith("_")}
    assert numbers["INVITE"] == 1
    assert len(set(numbers.values())) == len(numbers)


def test_bells_have_mean_0_and_deviation_1():
    sample = draws.bells(KEY, WHO, draws.ATTRIBUTE)
    assert abs(sample.mean()) < 4 / np.sqrt(WHO.size)
    assert sample.std() == pytest.approx(1.0, abs=0.02)
    assert np.abs(sample).max() < 3.0
    assert abs(stats.skew(sample)) < 4 * np.sqrt(6 / WHO.size)
    inner = np.mean(np.abs(sample) < 1.0)  # the sum of three uniforms within 1/2 of its middle
    assert inner == pytest.approx(2 / 3, abs=4 * np.sqrt(2 / 9 / WHO.size))


@pytest.mark.parametrize("amount", [0.04, 2.3, 17.75])
def test_whole_numbers_mean_the_amount(amount):
    found = np.array([draws.whole(KEY, who, 1, draws.FRACTION, amount) for who in range(10_000)])
    assert set(found) == {int(amount), int(amount) + 1}
    part = amount - int(amount)
    assert found.mean() == pytest.approx(amount, abs=4 * np.sqrt(part * (1 - part) / found.size))


def test_whole_numbers_stay_and_never_fall_with_the_amount():
    assert [draws.whole(KEY, 3, 1, draws.FRACTION, float(amount)) for amount in range(5)] == [0, 1, 2, 3, 4]
    for who in range(50):
        found = [draws.whole(KEY, who, 1, draws.FRACTION, amount) for amount in np.linspace(0.0, 3.0, 61)]
        assert (np.diff(found) >= 0).all()


def test_runs_of_seeds_do_not_share_keys():
    keys = {int(draws.run_key(seed, run)) for seed in [*range(30), 2**31, 2**63 - 1] for run in range(300)}
    assert len(keys) == 32 * 300


def test_selections_nest_and_newcomers_change_nobody_elses_luck():
    who = np.arange(200)
    score = draws.uniforms(KEY, who, 5, draws.INVITE)
    chosen = [set(who[np.argsort(score)[:n]]) for n in range(200)]
    assert all(fewer < more for fewer, more in itertools.pairwise(chosen))

    shuffled = np.random.default_rng(0).permutation(np.arange(201))
    again = draws.uniforms(KEY, shuffled, 5, draws.INVITE)
    assert dict(zip(shuffled, again, strict=True)).items() >= dict(zip(who, score, strict=True)).items()
    for n in (1, 20, 100):
        assert len(chosen[n] - set(shuffled[np.argsort(again)[:n]])) <= 1


SAMPLE = """
import json
import numpy as np
from cej_sim import draws
keys = [np.uint64(draws.run_key(seed, run)) for seed in (0, 7, 2**63 - 1) for run in (0, 1, 999)]
print(json.dumps({
    "keys": [int(key) for key in keys],
    "uniform": [float(v).hex() for k in keys for v in draws.uniforms(k, np.arange(20), 11, draws.ACCEPT)],
    "bells": [float(v).hex() for k in keys for v in draws.bells(k, np.arange(20), draws.ATTRIBUTE + 3)],
    "whole": [int(draws.whole(k, 4, month, draws.FRACTION, 1.5)) for k in keys for month in range(20)],
}))
"""


def test_the_same_numbers_compiled_or_not():
    found = []
    for disabled in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SAMPLE],
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
