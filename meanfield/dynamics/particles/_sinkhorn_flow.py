from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_finite
from ..._typing import Points, Scalar, Weights
from ...attention.kernels import Sinkhorn
from ...geometry import AbstractGeometry
from ...transport.sinkhorn import Solution
from .._base import AbstractDynamics, as_weights, check_cloud

PULL = 1.0
"""Rate at which carried potentials that have drifted off are drawn to the right ones."""

State = tuple[Points, Float[Array, " n"]]


class SinkhornFlow(AbstractDynamics):
    """Tokens that move by doubly stochastic attention, with the potentials carried along.

        x_i' = P_{x_i} attention(x)_i,    f' = d/dt f*(x) + (f* - f)

    `AttentionFlow(geometry, attention)` finds the potentials f* of the plan anew at every right-hand
    side. Here the state is the pair (tokens [n, d], potentials [n]): Sinkhorn starts from the
    potentials that the solver carries, whose velocity is that of f*, by the implicit function theorem.
    The tokens are the same to the tolerance of `attention`; iterations are fewer
    (`flow.iterations` observes them), at the price of a linear system whose conjugate gradients take about
    six products with the kernel: it pays where the plain flow takes many more.

    Pass the cloud [n, d] to `simulate`; `traj.final[0]` is the last one. `weights` are masses of sum 1.
    Raises ValueError for an attention with a fixed number of iterations, which has no f*.
    Source: this flow is ours; for the attention see `Sinkhorn`.
    """

    geometry: AbstractGeometry
    attention: Sinkhorn
    weights: Weights | None = eqx.field(default=None, converter=as_weights)

    def __check_init__(self):
        super().__check_init__()
        if self.attention.iterations is not None:
            raise ValueError(
                "expected Sinkhorn attention that iterates to convergence; "
                "leave out iterations, or use AttentionFlow."
            )

    def drift(self, t: Scalar, state: State, args: Any) -> State:
        x, f = state
        u = self.geometry.project(x)
        solution = self._solve(u, f)
        force = self.attention.field(solution, u)
        turning = self.geometry.to_tangent(u, force)
        geometry, tangent = eqx.filter_jvp(
            lambda u: self.attention.geometry(u, u, self.weights), (u,), (turning,)
        )
        velocity = solution.moved(geometry, tangent)[0] + PULL * (solution.f - f)
        return self.geometry.extend(lambda _: force, x), velocity

    def iterations(self, state: State) -> Int[Array, ""]:
        """How many iterations the plan takes from the carried potentials."""
        return self._solve(self.geometry.project(state[0]), state[1]).iterations

    def project(self, state: State) -> State:
        return self.geometry.project(state[0]), state[1]

    def check(self, state: Any) -> State:
        if not isinstance(state, tuple):
            x = check_cloud(self.geometry, self.weights, state)
            return x, self.attention.solve(x, None, self.weights).f
        if len(state) != 2 or jnp.shape(state[1]) != jnp.shape(state[0])[:1]:
            raise ValueError(
                "expected a pair (tokens [n, d], potentials [n]); pass the tokens alone."
            )
        x = check_cloud(self.geometry, self.weights, state[0])
        return x, check_finite(state[1], "potentials")

    def solved(self, t: Scalar, state: State, args: Any) -> Bool[Array, ""]:
        return self._solve(self.geometry.project(state[0]), state[1]).converged

    def _solve(self, u: Points, f: Float[Array, " n"]) -> Solution:
        # Without query and key g equals f; else the first thing to be done is to make g from f.
        return self.attention.solve(u, None, self.weights, init=(f, f))
