import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._door import door
from ..._products import exact_products
from ..._shown import AbstractShown
from ..._typing import Scalar
from ..costs import BlockwiseGeometry, check_values, geometry as ott_geometry
from ._absorbed import costs_of
from ._implicit import Pair, dual_value, sensitivity
from ._marginals import Problem


class Solution(AbstractShown):
    """The solution of an entropic transport problem, as far as it was reached.

    plan_ij = a_i b_j e^{(f_i + g_j - c_ij)/eps}

    `f` [n] and `g` [m] are the potentials, with <a, f> = <b, g>; `error` is the sum of the absolute
    errors of the marginals; `converged` says whether it is within `tol`, the tolerance asked for or
    what the precision allows; `iterations` counts products with the kernel, by two or, where
    `symmetric`, one. A plan with NaN in it has the error infinity.
    """

    problem: Problem
    f: Float[Array, " n"]
    g: Float[Array, " m"]
    error: Scalar
    tol: Scalar
    iterations: Int[Array, ""]
    symmetric: bool = eqx.field(static=True)

    @property
    def converged(self) -> Bool[Array, ""]:
        return self.error <= self.tol

    @property
    def epsilon(self) -> Scalar:
        """The regularization, in units of the cost."""
        return self.problem.epsilon

    @property
    def value(self) -> Scalar:
        """min <plan, c> + eps KL(plan | a b^T): its gradient needs no more than one more product.

        Raises ValueError where marginals are soft.
        """
        if self.problem.taus is not None:
            raise ValueError(
                "expected a balanced problem for its value; leave out tau_a and tau_b."
            )
        return dual_value(self.problem, (self.f, self.g))

    @property
    def marginals(self) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """The row and column sums of the plan, in O(n + m) memory."""
        pair = self.f, self.g
        return self.problem.marginal(1, pair), self.problem.marginal(0, pair)

    def plan(self) -> Float[Array, "n m"]:
        """The whole plan [n, m]; ValueError if it does not fit in memory."""
        p = self.problem
        exponent = (self.f[:, None] + self.g - p.geometry.cost_matrix) / p.epsilon
        here, there = p.present()
        return p.a[:, None] * p.b * jnp.exp(jnp.where(here[:, None] & there, exponent, 0))

    def conditional(self) -> Float[Array, "n m"]:
        """The rows of the plan divided by their sums, [n, m]; those of points of mass zero too."""
        p = self.problem
        g = p.weighted(self.g, 1)
        return jax.nn.softmax((g - p.geometry.cost_matrix) / p.epsilon, axis=1)

    @door
    @exact_products
    def average(self, values: Float[Array, "m e"]) -> Float[Array, "n e"]:
        """E[values_j | i]: the rows of the plan, divided by their sums, times values [m, e]; for the
        points y themselves, the barycentric projection. In O(n + m) memory, but where costs are a matrix."""
        check_values(values, len(self.problem.b))
        if costs_of(self.problem) is not None:
            return self.conditional() @ values
        p = self.problem
        if isinstance(p.geometry, BlockwiseGeometry):
            return p.geometry.average(p.weighted(self.g, 1), p.epsilon, values)

        def along(v):
            return jax.jvp(lambda g: p.lse(g, 1), (self.g,), (v,))[1]

        return jax.vmap(along, in_axes=1, out_axes=1)(values)

    def moved(self, geometry: ott_geometry.Geometry, tangent: Any, rtol: float = 1e-4) -> Pair:
        """How f and g change along a tangent of the geometry, to `rtol`: a guess for a problem nearby."""
        problem = dataclasses.replace(self.problem, geometry=geometry)
        along = eqx.tree_at(lambda p: p.geometry, jax.tree.map(lambda _: None, problem), tangent)
        return sensitivity(problem, along, (self.f, self.g), self.symmetric, rtol)
