"""The heat kernel between nodes, as a kernel of entropic transport, against its Fourier series."""

import jax
import jax.numpy as jnp
import numpy as np

from meanfield.harmonics import Fourier
from meanfield.transport.densities import HeatGeometry

BASIS, TIME, EPSILON = Fourier(12), jnp.asarray(0.4), jnp.asarray(0.3)
HEAT = HeatGeometry(BASIS, TIME, EPSILON)


def kernel():
    """p_s = 1 + 2 sum_k e^{-k^2 s} cos k(x - y): what is left out is below e^{-57}."""
    apart = np.subtract.outer(np.asarray(BASIS.nodes), np.asarray(BASIS.nodes))
    k = np.arange(1, 13)
    return 1 + 2 * np.cos(apart[..., None] * k) @ np.exp(-(k**2) * 0.4)


def test_masses_at_the_nodes_are_spread_by_the_heat_kernel():
    masses = jax.random.uniform(jax.random.key(0), (len(BASIS.nodes),))
    # Sums of some twenty terms of the size of the masses over the weights.
    np.testing.assert_allclose(HEAT.apply_kernel(masses), kernel() @ masses, rtol=1e-12)


def test_potentials_are_spread_in_logarithms_with_signs_of_a_vector():
    keys = jax.random.split(jax.random.key(1), 3)
    f, g, vec = (jax.random.normal(key, (len(BASIS.nodes),)) for key in keys)
    for axis, h in ((0, f), (1, g)):
        for some in (None, vec):
            sums = kernel() @ (np.exp(h / 0.3) * (1 if some is None else some))
            log, sign = HEAT.apply_lse_kernel(f, g, EPSILON, vec=some, axis=axis)
            np.testing.assert_allclose(log, 0.3 * np.log(np.abs(sums)), atol=1e-11)
            np.testing.assert_array_equal(sign, np.sign(sums))
