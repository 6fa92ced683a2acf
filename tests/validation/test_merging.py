"""Two blobs through their metastable phase, which explicit steps alone cannot cross."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow, TwoCluster
from meanfield.geometry import Sphere

pytestmark = pytest.mark.slow

SPHERE = Sphere(3)
R = {"r": lambda x: jnp.sum(x[0] * x[-1])}


@pytest.mark.parametrize(("beta", "rtol"), [(10.0, 1e-4), (20.0, 1e-3)])
def test_merged_blobs_take_the_time_of_two_clusters(beta, rtol):
    noise = 1e-3 * jax.random.normal(jax.random.key(0), (64, 3))
    x0 = SPHERE.project(jnp.repeat(jnp.eye(3)[:2], 32, axis=0) + noise)
    law = TwoCluster(Softmax(beta), jnp.array([0.5, 0.5]))
    passage = law.passage_time(0.0, 0.9)
    # By t = 20 each blob has shrunk by e^-20, so that it is one cluster; r is taken from there.
    ts = jnp.stack([jnp.array(0.0), jnp.array(20.0), passage / 2, 0.99 * passage])
    out = mf.simulate(AttentionFlow(SPHERE, Softmax(beta)), x0, ts, merge=1e-6, observe=R, tol=1e-9)
    assert len(out.merges.time) == 62 and out.merges.time[-1] < 20
    r = out.values["r"]
    for k in (2, 3):
        np.testing.assert_allclose(law.passage_time(r[1], r[k]), ts[k] - ts[1], rtol=rtol)
    assert out.stats["rhs"] < 5000
