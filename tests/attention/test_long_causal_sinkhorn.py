"""Causal Sinkhorn attention block by block, from the plans before along a flow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import unit_vectors

from meanfield.attention import Blockwise, Sinkhorn, causal
from meanfield.geometry import Sphere


@pytest.mark.parametrize(
    ("n", "most"),
    [
        (128, {20.0: (30, 20)}),
        pytest.param(4096, {8.0: (12, 7), 20.0: (17, 10)}, marks=pytest.mark.slow),
    ],
    ids=["short", "long"],
)
def test_plans_of_a_flow_from_those_before(n, most):
    """In steps of .1: iterations, of two products each, of the first plan and of the third, from the
    potentials of two: at 4,096 tokens at most 20 products. Plain ones take 200 and more at beta = 20."""
    sphere = Sphere(3)
    for beta, bounds in most.items():
        attention = Sinkhorn(beta, mask=causal(n), engine=Blockwise(min(n // 2, 512)))
        solve = jax.jit(lambda x, init, at=attention: at.solve(x, init=init))
        x, before = unit_vectors(0, n, 3), [(jnp.zeros(n), jnp.zeros(n))]
        for k in range(3):
            last = before[-1]
            if k == 2:
                last = jax.tree.map(lambda p, q: 2 * q - p, *before[-2:])
            found = solve(x, last)
            before.append((found.f, found.g))
            assert found.converged
            assert k == 1 or int(found.iterations) <= bounds[k // 2]
            x = sphere.exp(x, 0.1 * sphere.to_tangent(x, found.average(x)))
        np.testing.assert_allclose(n * found.marginals[0], 1, atol=1e-6 * n)
