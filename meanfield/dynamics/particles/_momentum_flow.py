from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ..._checks import check_finite, check_nonnegative, guard, tolerance
from ..._door import door
from ..._products import weighted_sum
from ..._typing import Points, Scalar, Weights
from ...attention.kernels import AbstractAttention
from ...geometry import AbstractGeometry, Sphere
from .._base import AbstractDynamics, as_weights, check_cloud

Moving = tuple[Points, Points]
"""Tokens x [n, d] and their velocities p [n, d], <x_i, p_i> = 0."""


class MomentumFlow(AbstractDynamics):
    """Tokens with inertia: attention accelerates them on the sphere, and friction slows them.

        x_i' = p_i,    p_i' = P_{x_i} attention(x)_i - friction p_i - |p_i|^2 x_i

    The last term keeps tokens on the sphere: |x_i| = 1 and <x_i, p_i> = 0 are invariants. Under unnormalized
    attention sum_i w_i |p_i|^2/2 - E_beta, `kinetic` less `Interaction(beta)`, is constant without friction
    and falls at the rate 2 friction kinetic. For large friction x(friction t) tends to the flow without
    inertia, x(t) of `AttentionFlow`.

    - `geometry`: a sphere. `attention`: any with values in R^d. `friction` >= 0.
    - `weights`: masses of the tokens, uniform by default.

    The state is the pair (x [n, d], p [n, d]). Raises ValueError for another geometry, negative friction, and
    velocities that do not fit or are not tangent. Source: after arXiv 2603.16535.
    """

    geometry: AbstractGeometry
    attention: AbstractAttention
    friction: Scalar = eqx.field(default=0.0, converter=lambda c: check_nonnegative(c, "friction"))
    weights: Weights | None = eqx.field(default=None, converter=as_weights)

    def __check_init__(self):
        super().__check_init__()
        if not isinstance(self.geometry, Sphere):
            raise ValueError(
                f"expected a Sphere for tokens with inertia, got {self.geometry}; pass Sphere(d)."
            )

    def drift(self, t: Scalar, state: Moving, args: Any) -> Moving:
        x, p = state
        u = self.geometry.project(x)
        force = self.geometry.to_tangent(u, self.attention(u, None, self.weights))
        # Runge-Kutta stages leave the sphere: there <x, x>'' = 2 |p|^2 + 2 <x, p'> has to vanish as well.
        inward = (p * p).sum(axis=1, keepdims=True) / (x * x).sum(axis=1, keepdims=True) * x
        return p, force - self.friction.astype(p.dtype) * p - inward

    def project(self, state: Moving) -> Moving:
        x = self.geometry.project(state[0])
        return x, self.geometry.to_tangent(x, state[1])

    def solved(self, t: Scalar, state: Moving, args: Any) -> Bool[Array, ""] | None:
        return self.attention.solved(self.geometry.project(state[0]), None, self.weights)

    def check(self, state: Any) -> Moving:
        if not isinstance(state, tuple) or len(state) != 2:
            raise ValueError(
                "expected a pair (x [n, d], p [n, d]), got one array; pass (x0, jax.numpy.zeros_like(x0))."
            )
        x, p = check_cloud(self.geometry, self.weights, state[0]), check_finite(state[1], "p")
        if p.shape != x.shape or p.dtype != x.dtype:
            raise ValueError(
                f"expected velocities of shape {list(x.shape)} and {x.dtype}, got {list(p.shape)} and "
                f"{p.dtype}; pass one a token."
            )
        off = jnp.abs((x * p).sum(axis=1)).max()
        small = off <= tolerance(p.dtype) * (1 + jnp.abs(p).max())
        return x, guard(p, small, "expected tangent velocities; pass geometry.to_tangent(x, p).")

    @door
    def kinetic(self, p: Points) -> Scalar:
        """The kinetic energy sum_i w_i |p_i|^2/2 of velocities p."""
        each = (p * p).sum(axis=1) / 2
        return (
            each.mean()
            if self.weights is None
            else weighted_sum(self.weights.astype(p.dtype), each)
        )
