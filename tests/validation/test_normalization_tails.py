"""The laws by which orthonormal tokens join under each normalization, at late times."""

import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import NGPT, AttentionFlow, MixNorm, PeriNorm, PostNorm, PreNorm, SqrtNorm
from meanfield.geometry import Sphere

pytestmark = pytest.mark.slow

N = 32
SPHERE = Sphere(N)


def gap(state):
    x = state[0] if isinstance(state, tuple) else state
    return jnp.sum((x[0] - x[1]) ** 2) / 2


GAP = {"gap": gap}
EXPONENTIAL = [
    # (normalization, phase of which 1 - rho = e^{-phase}, times between which it is measured)
    (PostNorm(), lambda t: 2 * t, 9.0, 11.0),
    (NGPT(0.7), lambda t: 1.4 * t, 12.0, 14.0),
    (SqrtNorm(), lambda t: 4 * np.sqrt(t + 1), 36.0, 49.0),
]
ALGEBRAIC = [PreNorm(), PeriNorm(), MixNorm(2.0)]


def gaps(normalization, ts):
    flow = AttentionFlow(SPHERE, Softmax(1.0), normalization)
    state = (jnp.eye(N), jnp.ones(N)) if normalization.radial else jnp.eye(N)
    return mf.simulate(flow, state, ts, observe=GAP, tol=1e-10).values["gap"][1:]


@pytest.mark.parametrize(
    ("norm", "phase", "early", "late"), EXPONENTIAL, ids=lambda a: type(a).__name__
)
def test_tokens_of_bounded_speed_join_exponentially(norm, phase, early, late):
    first, second = gaps(norm, jnp.array([0.0, early, late]))
    # The gap is below 1e-6 then, and the solver right to 1e-10 in the tokens: 1e-7 of an angle 1e-3.
    measured = jnp.log(first / second) / (phase(late) - phase(early))
    np.testing.assert_allclose(measured, 1, rtol=0.01)


@pytest.mark.parametrize("norm", ALGEBRAIC, ids=lambda a: type(a).__name__)
def test_tokens_of_growing_radius_join_like_the_inverse_square_of_time(norm):
    # r grows like t, so that the angle obeys theta' = -theta / (t + c) with a constant c of order
    # one: slopes in log t are off by 2c/t, below 1 % from t = 1000 on.
    first, second = gaps(norm, jnp.array([0.0, 1000.0, 4000.0]))
    np.testing.assert_allclose(jnp.log(first / second) / np.log(4), 2, rtol=0.01)
