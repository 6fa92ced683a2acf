"""The kernels for GPU and TPU, in Pallas's interpreter, against the whole matrix."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend, value_and_gradient
from unit_vectors import unit_vectors

from meanfield.attention import Blockwise, Dense, Fused, Softmax, causal
from meanfield.attention.engines import _kernels

RNG = np.random.default_rng(0)
N, M = 37, 150  # no multiples of a block: 2 of 32 queries, 2 of 128 keys
VALUE = jnp.asarray(RNG.normal(size=(4, 3)))


def masses(m: int):
    """Some have none."""
    w = np.arange(m) % 7.0
    return jnp.asarray(w / w.sum())


def check(make, x, y, w, largest_logit: float):
    """Field and gradient of the kernel equal those of the whole matrix."""
    dense, whole = value_and_gradient(make(Dense()), x, y, w)
    fused, parts = value_and_gradient(make(Fused(interpret=True)), x, y, w)
    assert fused.dtype == x.dtype
    # An exponent of size 2 l, rounded, is off by 2 l eps; a sum of m terms by m eps at most, in practice by
    # a few; the gradient multiplies each by logits and their scale.
    relative = 4 * float(jnp.finfo(x.dtype).eps) * (2 * largest_logit + 16)
    np.testing.assert_allclose(fused, dense, atol=relative * float(np.abs(dense).max()), rtol=0)
    for part, exact in zip(parts, whole, strict=True):
        scale = (1 + largest_logit) * float(np.abs(exact).max() + np.abs(dense).max())
        np.testing.assert_allclose(part, exact, atol=relative * scale, rtol=0)


@pytest.mark.parametrize(
    ("d", "dtype", "beta"),
    [
        (3, jnp.float64, 2.0),
        (3, jnp.float32, 40.0),  # beyond the bound in float32: the largest logit of each row
        pytest.param(3, jnp.float32, 2.0, marks=pytest.mark.slow),
        pytest.param(3, jnp.float64, 400.0, marks=pytest.mark.slow),
        pytest.param(2, jnp.float64, 2.0, marks=pytest.mark.slow),
        pytest.param(16, jnp.float64, 2.0, marks=pytest.mark.slow),
    ],
)
def test_the_kernel_equals_the_whole_matrix(d, dtype, beta):
    x, y, w = unit_vectors(0, N, d), unit_vectors(1, M, d), masses(M)
    value = jnp.asarray(RNG.normal(size=(4, d)))
    make = lambda engine: Softmax(beta, value=value, engine=engine)
    check(make, *(a.astype(dtype) for a in (x, y, w)), beta)


@pytest.mark.parametrize("bounded", [True, False])
def test_the_kernels_of_both_devices_equal_the_sums(bounded, monkeypatch):
    monkeypatch.setitem(_kernels.BLOCKS, "tpu", (16, 64))
    q, k, w = 3 * unit_vectors(0, N, 2), np.array(unit_vectors(1, M, 2)), np.array(masses(M))
    if not bounded:
        k[7] *= 5e3  # without weight, and its exponential overflows
    v = jnp.asarray(np.concatenate([w[:, None] * k, w[:, None]], axis=1))
    logits = np.where(w > 0, np.asarray(q) @ k.T, -np.inf)
    top = logits.max(axis=1)
    shift = np.full(N, 3.0) if bounded else top
    exact = np.exp(logits - shift[:, None]) @ np.asarray(v)
    shift, k, w = map(jnp.asarray, (shift, k, w))
    for device in ("gpu", "tpu"):
        found = _kernels.shifted_sums(q, shift, k, v, bounded, device, True)
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-14 * np.abs(exact).max())
        largest = _kernels.largest_logits(q, k, w, device, True)
        np.testing.assert_allclose(largest, top, rtol=1e-15)


def test_a_cloud_without_mass_has_no_field_and_a_nan_is_no_number():
    x, y = unit_vectors(0, N, 3), unit_vectors(1, M, 3)
    sums = eqx.filter_jit(Softmax(2.0, engine=Fused(interpret=True)).sums)
    assert (sums(x, y, jnp.zeros(M)).mean() == 0).all()
    lost = np.isnan(sums(x.at[0, 0].set(jnp.nan), y, masses(M)).mean()).all(axis=1)
    assert lost[0] and not lost[1:].any()
    assert np.isnan(sums(x, y.at[0, 0].set(jnp.nan), masses(M)).mean()).any(axis=1).all()


def test_a_processor_and_what_has_no_kernel_take_blocks():
    x, wide = unit_vectors(0, 9, 3), unit_vectors(0, 9, 17)
    one, other = (attend(Softmax(2.0, engine=engine), x) for engine in (Fused(), Blockwise()))
    np.testing.assert_array_equal(one, other)

    def program(mask, points):
        attention = Softmax(2.0, mask=mask, engine=Fused())
        return str(jax.make_jaxpr(lambda x: attention(x))(points))

    assert "pallas_call" in program(None, x)
    assert "pallas_call" not in program(causal(9), x) + program(None, wide)


@pytest.mark.parametrize(("rows", "taken"), [(16, True), (17, False)])
def test_values_of_16_coordinates_are_the_widest(rows, taken):
    """Of any number of tokens, here more than 16."""
    attention = Softmax(2.0, value=jnp.ones((rows, 3)), engine=Fused())
    found = str(jax.make_jaxpr(lambda x: attention(x))(unit_vectors(0, 20, 3)))
    assert ("pallas_call" in found) == taken


def test_one_long_query_is_enough_for_the_largest_logits():
    """Its key is opposite: under the bound e^{-120} is no number of float32, and the other query has all."""
    x = jnp.array([[0.1, 0.0], [60.0, 0.0]], jnp.float32)
    y = jnp.array([[-1.0, 0.0], [-0.99, 0.1]], jnp.float32)
    dense, fused = (Softmax(1.0, engine=e)(x, y) for e in (Dense(), Fused(interpret=True)))
    # An exponent of size 60, rounded.
    np.testing.assert_allclose(fused, dense, atol=4 * 60 * 1.2e-7)
    assert fused[1, 0] < -0.99


def test_it_is_not_chosen_automatically_before_it_has_run_on_a_device(monkeypatch):
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert isinstance(Softmax(2.0).engine_for(10**5, d=3), Blockwise)
