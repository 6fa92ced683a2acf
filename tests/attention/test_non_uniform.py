"""Sums on S^2 by non-uniform transforms, with the extra `nufft`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.attention import Blockwise, Dense, Harmonic, Softmax, Unnormalized
from meanfield.geometry import Sphere

pytest.importorskip("jax_finufft")


def _none(leaf) -> bool:
    return leaf is None


def test_non_uniform_transforms_equal_the_basis(getkey):
    # The axes themselves, which are poles of some coordinates, and more tokens than the threshold.
    x = jnp.concatenate([jnp.eye(3), -jnp.eye(3), Sphere(3).sample(getkey(), 2500)])
    y = Sphere(3).sample(getkey(), 40)
    w = jnp.arange(40.0) / 780
    attention = Unnormalized(4.0, value=jnp.array([[1.0, 2.0, -1.0]]), offset=4.0)

    @jax.jit
    def both(x, y, w, beta):
        fields, slopes = [], []
        for engine in (Harmonic.of(4.0, 3), Dense()):
            kind = eqx.tree_at(
                lambda a: (a.engine, a.beta), attention, (engine, beta), is_leaf=_none
            )
            field, pull = jax.vjp(lambda *a, k=kind: k(*a), x, y, w)
            fields.append(field)
            slopes.append(pull(jnp.cos(jnp.arange(2506.0))[:, None]))
        return fields, slopes

    fields, slopes = both(x, y, w, jnp.asarray(4.0))
    # The accuracy 1e-12 of the mean of the kernel, and its rounding by the transforms, 8 eps.
    np.testing.assert_allclose(*fields, atol=1e-12)
    for place, (fast, exact) in enumerate(zip(*slopes, strict=True)):
        if place < 2:  # off the sphere the two differ
            at = (x, y)[place]
            fast, exact = (Sphere(3).to_tangent(at, slope) for slope in (fast, exact))
        size = float(jnp.abs(exact).max())
        np.testing.assert_allclose(fast, exact, atol=1e-10 * size)


def test_non_uniform_transforms_in_single_precision_round_as_little_as_the_rest(getkey):
    x = Sphere(3).sample(getkey(), 3000)
    engine = Harmonic.of(9.0, 3, 1e-6)
    found = Softmax(9.0, engine=engine)(x.astype(np.float32))
    exact = Softmax(9.0, engine=Blockwise())(x)
    # 6e-7 is rounding, of the angles and of the sums; transforms to 32 roundings leave 1.6e-6.
    assert found.dtype == np.float32
    assert np.abs(np.asarray(found) - np.asarray(exact)).max() < 1e-6 * np.abs(exact).max()


def test_non_uniform_transforms_of_a_cluster_in_single_precision_lose_no_digits_to_its_size():
    n = 150_001
    with jax.enable_x64(False):
        attention = Unnormalized(2.0, engine=Harmonic.of(2.0, 3, 1e-5))
        w = jnp.full(n, 1 / n)
        x = jnp.tile(jnp.asarray([[0.6, 0.8, 0.0]]), (n, 1)).at[-1].set(-1 / 3**0.5)
        found, slope = jax.value_and_grad(lambda w: attention.log_mass(x[:1], x, w)[0])(w)
    # 1e-5 of the engine, and what some ten thousand terms lose that are added in order: 3e-4 without parts.
    assert found.dtype == np.float32
    assert abs(float(found) - 2) < 6e-5
    np.testing.assert_allclose(slope[:3], 1.0, atol=6e-5)
    np.testing.assert_allclose(slope[-1], np.exp(2 * (-1.4 / 3**0.5 - 1)), atol=6e-5)


def test_non_uniform_transforms_in_single_precision_are_differentiable_beside_double(getkey):
    x = Sphere(3).sample(getkey(), 2500)
    slope = jax.grad(
        lambda x, a: jnp.sum(Softmax(4.0, engine=Harmonic.of(4.0, 3, a))(x[:9], x) ** 2)
    )
    found, exact = slope(x.astype(np.float32), 1e-6), slope(x, 1e-12)
    assert found.dtype == np.float32
    apart = Sphere(3).to_tangent(x, found.astype(x.dtype) - exact)
    assert float(jnp.abs(apart).max()) < 2e-6 * float(jnp.abs(exact).max())
