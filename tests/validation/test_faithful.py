"""The artefacts of published time steps, reproduced on purpose."""

import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import PostNorm
from meanfield.observables import hitting_time
from meanfield.schemes import TransformerLayers

pytestmark = pytest.mark.slow


def test_large_steps_delay_the_hitting_time():
    n, h = 32, 0.1
    scheme = TransformerLayers(n, Softmax(9.0), PostNorm(), h)
    out = mf.rollout(scheme, jnp.eye(n), 2200, observe={"g": lambda x: jnp.sum(x[0] * x[1])})
    # 178.731 is exact; a published value of this loop is the first multiple of h beyond the level.
    np.testing.assert_allclose(hitting_time(h * out.ts, out.values["g"], 1 - 1e-3), 196.7, atol=h)
