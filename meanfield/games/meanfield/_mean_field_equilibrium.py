from jaxtyping import Array, Bool, Float, Int

from ..._shown import AbstractShown
from ..._typing import Scalar


class MeanFieldEquilibrium(AbstractShown):
    """A stationary solution of a mean-field game, or of its planner.

    `value` [k], the coefficients of V, whose mean counts as 0: players steer by -grad V; `density` [k],
    those of m; `cost`, what a player pays in unit time beyond the cost of the uniform law, of which
    `effort` is int |grad V|^2/2 m; `order`, the length of the mean of m; `noise`; `residual`, the
    largest of its equations, each in units of its linear part; `iterations` of Newton's method;
    `converged`.
    """

    value: Float[Array, " k"]
    density: Float[Array, " k"]
    cost: Scalar
    effort: Scalar
    order: Scalar
    noise: Scalar
    residual: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]
