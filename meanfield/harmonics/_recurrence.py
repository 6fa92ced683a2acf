"""Sums over orthonormal polynomials by their recurrence: O(n) memory, whatever the degree."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Rungs = tuple[np.ndarray, np.ndarray]
"""alpha and gamma [K, ...] of p_{k+1} = alpha_k t p_k - gamma_k p_{k-1}, with p_0 = 1."""


def _climb(rungs: Rungs, t: Array, start, visit, inputs):
    """Fold `visit(state, p_k, inputs_k) -> state, output_k` over k = 1 .. K."""
    alpha, gamma = (jnp.asarray(rung.astype(t.dtype)) for rung in rungs)

    def step(carry, rung):
        state, here, before = carry
        alpha, gamma, given = rung
        after = alpha * t * here - gamma * before
        state, output = visit(state, after, given)
        return (state, after, here), output

    first = jnp.ones(jnp.broadcast_shapes(alpha.shape[1:], t.shape), t.dtype)
    carry = (start, first, jnp.zeros_like(first))
    (state, *_), outputs = jax.lax.scan(step, carry, (alpha, gamma, inputs), unroll=2)
    return state, outputs


def combine(rungs: Rungs, coeffs: Float[Array, "k ..."], t: Float[Array, "..."]) -> Array:
    """sum_k coeffs_k p_k(t); coeffs [K + 1, ...] broadcast with t beyond their first axis."""
    start = coeffs[0] * jnp.ones_like(t)
    return _climb(rungs, t, start, lambda total, p, c: (total + c * p, None), coeffs[1:])[0]


def project(rungs: Rungs, w: Float[Array, "... n"], t: Float[Array, " n"]) -> Array:
    """sum_j w_j p_k(t_j) for k = 0 .. K, as [K + 1, ...]."""
    _, sums = _climb(rungs, t, None, lambda _, p, given: (None, jnp.sum(w * p, axis=-1)), None)
    return jnp.concatenate([jnp.sum(w, axis=-1)[None], sums])
