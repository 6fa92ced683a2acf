"""Sums by loops that run side by side: the same sums, and memory of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import unit_vectors

from meanfield.attention.engines import _side_by_side
from meanfield.attention.engines._blockwise import both_ways
from meanfield.attention.engines._side_by_side import added_up, loops_at_once

PLACES = np.stack(np.triu_indices(5), axis=1)  # 15: no multiple of 2 or 4


@pytest.fixture
def on_cores(monkeypatch):
    """Makes believe in so many cores a device."""

    def believe(cores):
        devices = jax.local_device_count()
        monkeypatch.setattr(_side_by_side, "cores", lambda: cores * devices)

    return believe


def step(sums, i, j):
    between = 1.0 / (i - j).astype(float)  # infinite where i = j
    return sums + jnp.where(i == j, 0.0, between), between


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 64])
def test_loops_add_up_what_one_loop_does(on_cores, cores):
    on_cores(cores)
    assert loops_at_once() == min(cores, 4)
    i, j = (PLACES.T).astype(np.uint32)
    # Differences of unsigned integers go around: 2^32 - 1 for -1.
    exact = np.sum(1.0 / (i - j).astype(float)[i != j])
    found = jax.jit(lambda: added_up(step, jnp.zeros(()), PLACES))()
    np.testing.assert_allclose(found, exact, rtol=1e-12)  # although what is between is infinite
    many = jax.vmap(lambda start: added_up(step, start, PLACES))(jnp.zeros(3))
    np.testing.assert_allclose(many, np.full(3, exact), rtol=1e-12)


def test_few_places_take_one_loop(on_cores):
    on_cores(4)
    for count, loops in ((7, 1), (8, 2), (11, 2), (12, 3)):
        text = str(jax.make_jaxpr(lambda n=count: added_up(step, jnp.zeros(()), PLACES[:n]))())
        assert text.count("while[") == (loops if loops > 1 else 0), (count, text)


def sums(x, y, block, alone):
    """Those of both sides, of exponentials of inner products less 1."""
    return both_ways((x, x), (y, 2 * y), jnp.ones((), x.dtype), block, alone)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_sums_do_not_depend_on_the_number_of_cores(on_cores, dtype):
    x, y = (jnp.asarray(unit_vectors(seed, n, 3), dtype) for seed, n in ((0, 31), (1, 22)))
    weights, own = (np.exp(np.asarray(x @ z.T, np.float64) - 1) for z in (y, x))
    # Some 30 terms of at most 2, off by an eps each.
    close = {"atol": 64 * float(jnp.finfo(dtype).eps), "rtol": 0}
    for cores in (1, 2, 4):
        on_cores(cores)
        rows, columns = jax.jit(lambda: sums(x, y, 4, alone=False))()
        np.testing.assert_allclose(rows, weights @ np.asarray(2 * y), **close)
        np.testing.assert_allclose(columns, weights.T @ np.asarray(x), **close)
        rows, columns = jax.jit(lambda: both_ways((x, x), (x, x), jnp.ones((), dtype), 4, True))()
        np.testing.assert_allclose(rows + columns, own @ np.asarray(x), **close)


def test_each_loop_has_memory_of_its_own(on_cores):
    x, side = jnp.asarray(unit_vectors(0, 1024, 3)), 128

    def temporary(cores):
        on_cores(cores)
        program = jax.jit(lambda x: sums(x, x, side, alone=False)).lower(x).compile()
        said = program.memory_analysis()
        assert said is not None
        return said.temp_size_in_bytes

    block = side**2 * x.dtype.itemsize
    assert temporary(3) - temporary(2) >= 2 * block  # logits and weights


def test_only_a_processor_runs_loops_side_by_side(on_cores):
    on_cores(2)
    traced = jax.jit(lambda: added_up(step, jnp.zeros(()), PLACES)).trace()
    for platform, loops in (("cpu", 2), ("cuda", 1), ("tpu", 1)):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert text.count("stablehlo.while") == loops, platform
