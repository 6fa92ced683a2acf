"""The speed at which each normalization lets orthonormal tokens start to cluster."""

import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.attention import Softmax
from meanfield.dynamics import NGPT, AttentionFlow, MixNorm, PeriNorm, PostNorm, PreNorm, SqrtNorm
from meanfield.geometry import Sphere

N, BETA, R0 = 32, 1.0, 2.0
Z, LENGTH = np.exp(BETA) + N - 1, np.sqrt(np.exp(2 * BETA) + N - 1)
SLOPES = [
    (PostNorm(), 2 / Z),
    (PreNorm(), 2 / (R0 * Z)),
    (PeriNorm(), 2 / (R0 * LENGTH)),
    (MixNorm(1.0), 2 / Z),
    (MixNorm(0.0), 2 / (R0 * Z)),
    (NGPT(0.7), 2 * 0.7 / LENGTH),
    (NGPT(lambda t: t + 0.7), 2 * 0.7 / LENGTH),
    (SqrtNorm(), 2 / Z),
]


def velocity(normalization, t):
    flow = AttentionFlow(Sphere(N), Softmax(BETA), normalization)
    state = (jnp.eye(N), jnp.full(N, R0)) if normalization.radial else jnp.eye(N)
    return flow.drift(jnp.array(t), state, None)


@pytest.mark.parametrize(("normalization", "slope"), SLOPES, ids=lambda a: type(a).__name__)
def test_slope_at_an_orthonormal_start(normalization, slope):
    out = velocity(normalization, 0.0)
    turning = out[0] if normalization.radial else out
    # d/dt <x_1, x_2> = <x_1', x_2> + <x_1, x_2'>.
    np.testing.assert_allclose(turning[0, 1] + turning[1, 0], slope, rtol=1e-13)


def test_slopes_have_their_published_values():
    assert abs(2 / Z - 0.059315) < 1e-6
    assert abs(2 / LENGTH - 0.322795) < 1e-6


def test_radii_grow_by_the_part_of_the_field_along_them():
    # At an orthonormal start <theta, A> = e^beta / Z and |A| = LENGTH / Z.
    along = np.exp(BETA) / Z
    np.testing.assert_allclose(velocity(PreNorm(), 0.0)[1], along, rtol=1e-13)
    np.testing.assert_allclose(velocity(PeriNorm(), 0.0)[1], along * Z / LENGTH, rtol=1e-13)
    np.testing.assert_array_equal(velocity(MixNorm(1.0), 0.5)[1], 0)
    np.testing.assert_allclose(velocity(MixNorm(1.0), 1.0)[1], along, rtol=1e-13)


def test_the_square_root_slows_down_with_depth():
    np.testing.assert_allclose(
        velocity(SqrtNorm(), 3.0), velocity(SqrtNorm(), 0.0) / 2, atol=1e-16, rtol=1e-13
    )
