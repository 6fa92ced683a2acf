from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .._door import door
from .._typing import Scalar
from ..energies import AbstractEnergy, AbstractQuantiles
from ._base import AbstractScheme
from ._quantile_jko import UNBOUNDED, balance, check_step, domain_of
from ._quantile_newton import Movement, Row, move

STAGES = ((5.0,), (-2.0, 6.0), (-2.0, 3 / 14, 44 / 7))
"""gamma_mi of the source's second-order scheme: 1/(2 tau) sum_i gamma_mi |X - U_i|^2 in stage m."""


class SecondOrderJKO(AbstractScheme):
    """Minimizing movements in one dimension of order 2 in tau, whose energy falls at any tau.

    U_m = argmin E(X) + 1/(2 tau) sum_{i<m} gamma_mi W2(X, U_i)^2,   m = 1, 2, 3;   rho' = U_3

    with gamma = (5), (-2, 6), (-2, 3/14, 44/7) and U_0 = rho: three problems of `QuantileJKO`, whose
    arguments, states and `stats` these are, except that the sum of `iterations` is given, and that
    `excess` is E(rho') - E(rho). Quantiles are a Hilbert space, where gradient flows under this
    scheme are of order 2 and never gain energy; fast modes are damped. Rough starts (a kink, a point
    mass) lower the order at first.

    Raises ValueError for tau <= 0 and for starts that do not increase; `rollout` raises SolveError
    where a stage did not converge.
    Source: Zaitzeff, Esedoglu, Garikipati (2020), arXiv 1908.10246.
    """

    energy: AbstractEnergy
    tau: Scalar
    domain: AbstractQuantiles

    @door
    def __init__(
        self,
        energy: AbstractEnergy,
        tau: Scalar | float,
        domain: AbstractQuantiles | None = None,
    ):
        self.energy = energy
        self.tau = check_step(tau)
        self.domain = domain_of(self.energy) if domain is None else domain

    def step(self, state: Row, args: Any) -> tuple[Row, dict[str, Array]]:
        tau, stages = self.tau.astype(state.dtype), [state]
        reports = []
        for gamma in STAGES:
            # A sum of squares is one square about the mean, up to a constant.
            center = jnp.asarray(gamma, state.dtype) @ jnp.stack(stages) / sum(gamma)
            new, report = move(self.energy, self.domain, center, stages[-1], tau / sum(gamma))
            stages.append(new)
            reports.append(report)
        facts = balance(self.energy, self.domain, state, stages[-1], tau)
        facts["excess"] = facts["excess"] - facts["moved"] ** 2 / (2 * tau)
        return stages[-1], {**facts, **_together(reports)._asdict()}

    def project(self, state: Row) -> Row:
        return state

    def remedy(self) -> str:
        return UNBOUNDED

    def check(self, state) -> Row:
        return self.domain.check(state)


def _together(reports: list[Movement]) -> Movement:
    counts, residuals, ends = (jnp.stack(each) for each in zip(*reports, strict=True))
    return Movement(counts.sum(), residuals.max(), ends.all())
