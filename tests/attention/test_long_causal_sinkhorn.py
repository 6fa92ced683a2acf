"""Causal Sinkhorn attention of long contexts, block by block."""

import equinox as eqx
import jax
import numpy as np
import pytest

from meanfield.attention import Blockwise, Sinkhorn, causal
from meanfield.geometry import Sphere


@pytest.mark.slow
def test_a_long_context_takes_twenty_products_from_the_plan_before():
    """4,096 tokens, block by block, along a flow in steps of .05: ten iterations, of two products each."""
    n, sphere = 4096, Sphere(3)
    attention = Sinkhorn(2.0, mask=causal(n), engine=Blockwise(512))
    solve = eqx.filter_jit(lambda attention, x, init: attention.solve(x, init=init))
    field = eqx.filter_jit(lambda attention, solution, x: attention.field(solution, x))
    x = sphere.sample(jax.random.key(0), n)
    solution, counts = attention.solve(x), []
    for _ in range(2):
        x = sphere.exp(x, 0.05 * sphere.to_tangent(x, field(attention, solution, x)))
        solution = solve(attention, x, (solution.f, solution.g))
        counts.append(int(solution.iterations))
        assert bool(solution.converged)
    assert 2 * max(counts) <= 20
    np.testing.assert_allclose(n * solution.marginals[0], 1, atol=1e-6 * n)
