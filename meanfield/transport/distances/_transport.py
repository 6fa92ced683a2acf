import abc

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int

from ..._door import AbstractChecked, door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ..costs import Coupling, costs
from ..sinkhorn import Solution


class Transport(AbstractShown):
    """What `wasserstein` found.

    - `value`: the distance, the root of `cost`; `float(...)` of the whole is this number.
    - `cost`: the least mean cost sum_ij P_ij c_ij. Its root may exist where it leaves the range of
      the numbers.
    - `converged`: whether `error` is within the tolerance: the sum of the absolute errors of the plan's
      marginals, and, where the method is exact, the part of the cost by which the plan may exceed the
      least one (the gap between it and a dual solution). `iterations`: what it took.
    - `method`: a sentence that begins with "exact" or "entropic".
    - `solution`: the coupling as the method represents it, by pairs or by potentials.
    """

    value: Scalar
    cost: Scalar
    error: Scalar
    converged: Bool[Array, ""]
    iterations: Int[Array, ""]
    solution: Coupling | Solution
    method: str = eqx.field(static=True)

    @property
    def potentials(self) -> tuple[Float[Array, " n"], Float[Array, " m"]] | None:
        """The dual potentials f [n] and g [m], or None where the method yields none."""
        if isinstance(self.solution, Coupling):
            return self.solution.potentials
        return self.solution.f, self.solution.g

    def plan(self) -> Float[Array, "n m"]:
        """The whole plan P [n, m]: row sums a, column sums b."""
        return self.solution.plan()

    @door
    def average(self, values: Float[Array, "m e"]) -> Float[Array, "n e"]:
        """sum_j P_ij values_j / sum_j P_ij: `average(y)` is where the mass of each x_i goes."""
        return self.solution.average(values)

    def __float__(self) -> float:
        return float(self.value)


class AbstractMethod(AbstractChecked):
    """A way to solve an optimal transport problem, as `wasserstein` takes it."""

    @abc.abstractmethod
    def transport(
        self,
        x: Points,
        y: Float[Array, "m d"],
        a: Float[Array, " n"] | None,
        b: Float[Array, " m"] | None,
        cost: costs.CostFn,
    ) -> Transport:
        """The transport from the cloud x to the cloud y, of masses a and b, uniform where None."""
