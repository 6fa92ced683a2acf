"""Where runs end that continue from a state: with other noise, or from nearby."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from ..._checks import check_callable, check_nonnegative, check_positive
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ...dynamics import AbstractParticles
from ...geometry import AbstractGeometry
from ...observables import clusters
from ...solve import SolveError, simulate


class Partition(AbstractShown):
    """The final clustering: the number of each token's cluster, by single linkage."""

    geometry: AbstractGeometry
    tolerance: Scalar

    def __call__(self, x: Points):
        return clusters(x, self.tolerance.astype(x.dtype), geometry=self.geometry).labels


class Continuation(AbstractShown):
    """How runs go on from a state until t_end, and what is told of their ends."""

    flow: AbstractParticles
    label: Callable
    spread: Scalar
    tol: Scalar
    dt: Scalar | None
    solver: Any
    args: Any

    @eqx.filter_jit
    def __call__(self, t: Float[Array, " T"], x: Float[Array, "T n d"], t_end: Scalar, keys):
        """Labels [T, runs, ...] of runs from each state x at each time t, and whether all went well."""
        each = jax.vmap(self._end, (None, None, None, 0))
        return jax.lax.map(lambda pair: each(pair[0], pair[1], t_end, keys), (t, x))

    def _end(self, t: Scalar, x: Points, t_end: Scalar, key) -> tuple[Shaped[Array, "..."], Any]:
        geometry, (near, noise) = self.flow.geometry, jax.random.split(key)
        shift = self.spread.astype(x.dtype) * jax.random.normal(near, x.shape, x.dtype)
        x = geometry.exp(x, geometry.to_tangent(x, shift))
        noisy = {} if self.flow.noise is None else {"key": noise}
        run = simulate(
            self.flow, x, jnp.stack([t, t_end]), tol=self.tol, dt=self.dt, solver=self.solver,
            args=self.args, throw=False, **noisy,
        )  # fmt: skip
        return _outcome(self.label(run.final)), run.ok


def _outcome(label) -> Shaped[Array, "..."]:
    """A label, if it is one: numbers that vary with all of a cloud would make each run an outcome."""
    label = jnp.asarray(label)
    if not (jnp.issubdtype(label.dtype, jnp.integer) or label.dtype == bool):
        raise ValueError(
            f"expected a label of integers or truth values, got {label.dtype}; return x[0, 0] > 0, say."
        )
    return label


def continuation(flow, label, spread, tolerance, tol, dt, solver, args) -> Continuation:
    """The continuation, if there is anything by which its runs differ."""
    spread = check_nonnegative(spread, "spread")
    if flow.noise is None and not bool(spread > 0):
        raise ValueError(
            "expected runs that differ, got a flow without noise and no spread; pass spread=1e-3."
        )
    if label is None:
        label = Partition(flow.geometry, check_positive(tolerance, "tolerance"))
    label = check_callable(label, "label", "pass lambda x: x[0, 0] > 0, or leave it out")
    dt = None if dt is None else check_positive(dt, "dt")
    return Continuation(flow, label, spread, check_positive(tol, "tol"), dt, solver, args)


def refuse_failures(ok: Bool[Array, "..."]) -> None:
    """SolveError if runs failed, which would count as an outcome of their own."""
    failed = int(np.sum(~np.asarray(ok)))
    if failed:
        raise SolveError(
            f"{failed} of {np.size(ok)} runs failed; run simulate from the same start to see why, "
            "and pass a shorter t_end, a larger tol or a smaller dt."
        )
