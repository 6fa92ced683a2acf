"""Changes to JAX and diffrax for the tests' sake alone change no number."""

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import ULPS, Once, before


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_hundred_numbers_back_are_a_hundred_times_one(dtype):
    for number in (1.0, 1 + 30 * np.finfo(dtype).eps, 0.1, -3.7, 1e-3, 4e7):
        x = np.asarray(number, dtype)
        back = x
        for _ in range(ULPS):
            back = np.nextafter(back, dtype(-np.inf))
        assert before(jnp.asarray(x)) == back
    assert jax.grad(before)(jnp.asarray(2.0)) == 1


def test_only_the_loop_of_a_hundred_is_shortened():
    once, x = Once(eqxi), jnp.asarray(1.0)
    for _ in once.range(100):
        x = once.prevbefore(x)
    assert x == before(jnp.asarray(1.0))
    assert once.prevbefore(x) == np.nextafter(x, -np.inf)
    assert [*once.range(3)] == [0, 1, 2]
    assert once.nextafter(x) == eqxi.nextafter(x)
