"""Programs that the tests compute by NumPy return the bits of those that XLA compiles, and its types."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src import pjit
from small_programs import Small

ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, -3e-320, 1e-45, 1e-160, 1e160, 1e300, -7.0]
ZEROS = np.full((3, 2), -0.0)
EDGE = np.array([-1.17549434e-38, 1.17549435e-38, 1.1754943e-38, 1.1754944e-38, 3e38])
"""Numbers that single precision rounds to its least normal one, or to none."""
BITS = np.array([12, 10, 14])


def numbers(dtype, seed: int):
    """Ordinary numbers of many sizes among odd ones."""
    rng = np.random.default_rng(seed)
    ordinary = rng.standard_normal(92) * 10.0 ** rng.integers(-3, 4, 92)
    with np.errstate(over="ignore"):
        return jnp.asarray(rng.permutation(np.concatenate([ordinary, ODD * 4])).astype(dtype))


def arithmetic(x, y, rows):
    three = rows.dtype.type(3)
    few = rows[:7]
    yield from (jnp.mean(few, axis=0), jnp.mean(few[:, 0]), x.at[3].add(2.5), rows / rows[:, :1])
    yield from (x / divisor for divisor in x[:40])
    yield from (rows[:, :1] / rows[0, :1], rows[:1, 0] / rows[0, 0])
    yield from (x + y, x - y, x * y, x / y, x + 2, 3 * x, 1 / x, x**2, jnp.sqrt(x), jnp.square(x))
    yield from (x / three, x / x[3], x[2] / x[5], x[2] / three, -x, jnp.abs(x))
    yield from (jnp.sum(rows, axis=0), jnp.sum(rows, axis=1), jnp.sum(rows[0]))
    yield from (x.astype(jnp.float32), x.astype(jnp.float64), (x > 0).astype(x.dtype))
    yield from (jnp.sum(jnp.asarray(ZEROS.astype(x.dtype)), axis=1), jnp.sum(rows[:, :1], axis=1))
    yield jnp.asarray(EDGE.astype(x.dtype)).astype(jnp.float32)


def comparisons(x, y, rows):
    yield from (x < y, x <= y, x > 0, x >= y, x == y, x != 0, ~(x > y), (x > 0) & (y > 0))
    yield from (jnp.maximum(x, y), jnp.minimum(x, 1), jnp.where(x > y, x, 0), (x > 0) | (y < 0))
    yield from (jnp.max(rows, axis=1), jnp.min(rows), jnp.any(rows > 1, axis=0), jnp.all(x < y))
    yield from (jnp.argmax(rows, axis=1), jnp.argmin(rows, axis=0), jnp.argmax(x > 0))
    yield from (jnp.isfinite(x), jnp.isnan(x), jnp.isinf(x), jnp.max(rows[:, :1], axis=1))
    yield from (jax.lax.reduce_or(BITS, (0,)), jax.lax.reduce_and(BITS, (0,)))


def moves(x, y, rows):
    yield from (x[3], x[-2], x[2:9:3], rows[1], rows[:, 2], rows[:, None], rows.T, rows[..., -1])
    yield from (jnp.concatenate([x, y]), jnp.stack([x, y], axis=1), jnp.flip(x), jnp.copy(x))
    yield from (jnp.broadcast_to(x, (3, x.size)), rows.reshape(4, -1), jnp.squeeze(rows[:1]))
    where = jnp.asarray(np.array([[3, -1, 0], [27, 2, -28]]))
    yield from (
        x[where],
        rows[where],
        rows[:, where[:, :2]],
        rows[where, 1],
        rows[where, where % 5],
    )
    yield from (jnp.take(rows, where % 5, axis=1), jnp.take(rows, 99 * where, axis=0, mode="clip"))
    yield from (x.at[99].set(1.0, mode="clip"), x.at[-999].add(1.0))
    window = jax.lax.ScatterDimensionNumbers((0,), (), (0,))
    for start, mode in ((x.size - 2, "drop"), (x.size - 2, "clip"), (x.size - 3, "drop")):
        at = jnp.asarray(np.array([start]))
        yield jax.lax.scatter(x, at, y[:3], window, mode=mode)
    yield from (x.at[3].set(2.0), x.at[-1].set(1.0), x.at[999].set(1.0), rows.at[2].set(rows[0]))
    yield from (rows.at[:, 1].set(0.0), rows.at[2:4].set(1.0), rows.at[3, 1].set(y[0]))
    yield from (jnp.pad(rows, ((1, 0), (2, 3))), jnp.pad(x, 2, constant_values=1.5), *rows)
    yield from (jnp.ones((3, 4)), jnp.full(2, 3.0), jnp.arange(5), jnp.arange(7.0), jnp.eye(3))


def all_of(program, dtype):
    x, y = numbers(dtype, 0), numbers(dtype, 1)
    return [*program(x, y, x.reshape(5, 28).T)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("program, least", [(arithmetic, 18), (comparisons, 18), (moves, 16)])
def test_the_same_bits(program, least, dtype, monkeypatch):
    compiled = getattr(pjit._pjit_call_impl_python, "compiled", pjit._pjit_call_impl_python)
    small = Small(compiled)
    monkeypatch.setattr(pjit, "_pjit_call_impl_python", small)
    results = all_of(program, dtype)  # of shapes that no other test has compiled
    assert sum(small.known.values()) >= least
    monkeypatch.setattr(pjit, "_pjit_call_impl_python", compiled)
    for k, (x, y) in enumerate(zip(results, all_of(program, dtype), strict=True)):
        assert (x.aval, x.weak_type, x.committed) == (y.aval, y.weak_type, y.committed)
        x, y = np.asarray(x), np.asarray(y)
        np.testing.assert_array_equal(x, y, err_msg=str(k))
        if program is not comparisons:  # which of 0 and -0 is the larger is left open
            np.testing.assert_array_equal(np.signbit(x[x == 0]), np.signbit(y[y == 0]), str(k))


def test_what_might_be_fused_or_is_placed_is_compiled(monkeypatch):
    runs = []
    inner = getattr(pjit._pjit_call_impl_python, "compiled", pjit._pjit_call_impl_python)

    def compiled(*args, jaxpr, **how):
        runs.append(jaxpr)
        return inner(*args, jaxpr=jaxpr, **how)

    monkeypatch.setattr(pjit, "_pjit_call_impl_python", Small(compiled))
    x = jnp.asarray(np.arange(7.0))
    jax.jit(lambda x: x * x + x)(x)
    jax.jit(lambda x: jnp.sin(x))(x)
    jax.jit(lambda x: x + 1, donate_argnums=0)(x + 0)
    (jax.device_put(x, jax.devices()[1]) * 2).block_until_ready()
    assert len(runs) == 4
    with jax.default_device(jax.devices()[1]):
        assert (jnp.ones(11) * 2).devices() == {jax.devices()[1]}
    assert len(runs) > 4
