from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, eigsh

from ..._checks import check_finite, check_integer, check_known, check_positive, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ...dynamics import AbstractParticles
from ...geometry import AbstractGeometry, Product, Sphere
from ...solve import SolveError
from .._precision import in_double

_OPPOSITE = 1e-6
"""How near to its antipode a token may not be sent, for want of a shortest way."""
_STILL = 1e-6
"""The slope that is left, in units in which noise alone has unit curvature: the action exceeds its least by
the square of it, over twice the least curvature."""
_CURVED = 1e-2
"""The curvature, in the same units, below whose negative a path is a saddle of the action."""


class MinimumAction(AbstractShown):
    """The likeliest path between two clouds.

    `ts` [m]: equal steps; `x` [m, n, d]: the path; `action`: its action; `steps` of the method;
    `converged`: whether no path nearby has less.
    """

    ts: Float[Array, " m"]
    x: Float[Array, "m n d"]
    action: Scalar
    steps: Int[Array, ""]
    converged: Bool[Array, ""]


@door
def action(
    flow: AbstractParticles,
    path: Float[Array, "m n d"],
    ts: Float[Array, " T"],
    args: Any = None,
) -> Scalar:
    """The action of a path under a flow with noise: what it costs the noise to take tokens along it.

        S = 1/(4 noise) int sum_i |x_i' - b_i(t, x)|^2 dt

    with b the drift. Runs of dx_i = b_i dt + sqrt(2 noise) dB_i stay near the path with probability e^{-S},
    to leading order as noise -> 0, whether b is a gradient or not. Where b_i = -n grad_i E, a path uphill
    costs at least n (E(end) - E(start))/noise, the exponent of `kramers_time`.

    - `path` [m, n, d]: clouds at the times `ts` [m], joined by geodesics; the drift is taken at the middle of
      each, which makes an error of second order in the steps.

    Raises ValueError for a flow without noise, times that do not increase, and tokens that go to their
    antipodes in a step.
    Source: Freidlin and Wentzell, Random Perturbations of Dynamical Systems (1984), chapters 3 and 4.
    """
    _check_noisy(flow)
    path, ts = check_finite(path, "path"), check_finite(ts, "ts").astype(path.dtype)
    if len(path) < 2 or len(ts) != len(path):
        raise ValueError(
            f"expected a path of two clouds or more and as many times, got {len(path)} and {len(ts)}; "
            "pass one time a cloud."
        )
    flow.check(path[0])
    flow.geometry.check(path.reshape(-1, path.shape[2]), "path")
    ts = guard(ts, (jnp.diff(ts) > 0).all(), "expected increasing times; sort ts.")
    _check_short(flow.geometry, path[:-1], path[1:], "add clouds between")
    return jnp.sum(_misses(flow, path, ts, args) ** 2)


@door
@in_double
def minimum_action(
    flow: AbstractParticles,
    start: Points,
    end: Points,
    time: Scalar | float,
    *,
    points: int = 65,
    args: Any = None,
    max_steps: int = 200,
    throw: bool = True,
) -> MinimumAction:
    """The path of least `action` from one cloud to another in a given time: how noise brings it about.

        min {S(x): x(0) = start, x(time) = end}

    by a trust-region Newton method with Krylov steps, from the geodesics between both, in coordinates that
    make the action of noise alone a sum of squares. Of several minima it finds one that is near these;
    saddles, such as a path that a mirror keeps, it leaves.

    - `time`: some times that of the slowest rate at rest. As it grows the least action tends to the
      quasipotential of `end`, where `start` is a stable cloud: under softmax two tokens part from one point
      to antipodes for log(2/(1 + e^{-2 beta}))/(beta noise).
    - `points` of the path, from 0 to `time` in equal steps, of which it is wrong by the square.
    - `max_steps` of the method, some tens of which are usual.

    Raises ValueError for a flow without noise, tokens that go to their antipodes, and under jit; SolveError
    if no minimum was found, unless `throw=False`: read `converged` then.
    Source: E, Ren, Vanden-Eijnden, Commun. Pure Appl. Math. 57 (2004) 637, doi 10.1002/cpa.20005; Conn,
    Gould, Toint, Trust-Region Methods (2000), doi 10.1137/1.9780898719857.
    """
    _check_noisy(flow)
    start, end = flow.check(start), flow.check(end)
    check_known((flow, start, end, args), "clouds", "call minimum_action outside of jax.jit")
    if start.shape != end.shape:
        raise ValueError(
            f"expected an end of shape {list(start.shape)}, got {list(end.shape)}; "
            "pass two clouds of as many tokens."
        )
    _check_short(flow.geometry, start, end, "turn one of the ends a little")
    time, points = check_positive(time, "time"), check_integer(points, "points", 3)
    ts = (time * jnp.linspace(0, 1, points)).astype(start.dtype)
    found = _descend(flow, start, end, ts, args, check_integer(max_steps, "max_steps"))
    if throw and not bool(found.converged):
        raise SolveError(
            f"No path of least action was found in {int(found.steps)} steps: raise max_steps or points."
        )
    return found


def _check_noisy(flow: AbstractParticles) -> None:
    if flow.noise is None:
        raise ValueError(
            "expected a flow with noise, got one without, of which only its own runs are possible; pass "
            "noise=0.1."
        )


def _check_short(geometry: AbstractGeometry, x: Array, y: Array, remedy: str) -> None:
    if isinstance(geometry, Product):
        for factor, mine, yours in zip(
            geometry.factors, geometry.split(x), geometry.split(y), strict=True
        ):
            _check_short(factor, mine, yours, remedy)
    if isinstance(geometry, Sphere):
        short = (geometry.distance(x, y) < jnp.pi - _OPPOSITE).all()
        message = "expected no token to go to its antipode, to which there is no shortest way; "
        guard(x, short, message + remedy + ".")


def _misses(flow: AbstractParticles, path: Float[Array, "m n d"], ts: Float[Array, " m"], args):
    """x' - b at the middle of each step, in units in which the action is the sum of squares."""
    geometry, dt = flow.geometry, jnp.diff(ts)
    middle = geometry.project((path[:-1] + path[1:]) / 2)
    velocity = 2 * geometry.log(middle, path[1:]) / dt[:, None, None]
    drift = jax.vmap(lambda t, x: flow.drift(t, x, args))(ts[:-1] + dt / 2, middle)
    noise = jnp.asarray(flow.noise, dt.dtype)
    return jnp.sqrt(dt / (4 * noise))[:, None, None] * (velocity - drift)


def _descend(flow, start, end, ts, args, max_steps: int) -> MinimumAction:
    """Of minima, on the host: saddles are left along the direction of least curvature."""
    geometry, m = flow.geometry, len(ts)
    path = _geodesics(geometry, start, end, ts / ts[-1])
    # Noise alone costs y^T L y/(4 noise dt), L = R^T R the second difference: y = sqrt(2 noise dt) R^{-1} z.
    second = 2 * np.eye(m - 2) - np.eye(m - 2, k=1) - np.eye(m - 2, k=-1)
    spread = np.linalg.inv(np.linalg.cholesky(second).T)
    spread = jnp.asarray(spread, ts.dtype) * jnp.sqrt(2 * flow.noise * (ts[1] - ts[0]))
    at = lambda z, v: _local(
        flow, path, spread, ts, args, jnp.asarray(z, ts.dtype), jnp.asarray(v, ts.dtype)
    )
    best, steps = np.zeros((m - 2) * start.size), 0
    found = _minimized(at, best, max_steps)
    # A way that mirrors keep, over the middle of a hill, is stationary: it is left where there is less.
    while True:
        steps += found.nit
        downhill = _downhill(at, found.x, found.fun) if found.success else None
        if downhill is None or steps >= max_steps:
            break
        found = _minimized(at, downhill, max_steps - steps)
    x = _path(flow, path, spread, jnp.asarray(found.x, ts.dtype))
    done = jnp.asarray(bool(found.success) and downhill is None)
    return MinimumAction(ts, x, jnp.asarray(found.fun, ts.dtype), jnp.asarray(steps), done)


def _minimized(at, z: np.ndarray, max_steps: int) -> Any:
    """SciPy's trust-krylov from z."""
    still = np.zeros_like(z)
    return minimize(
        lambda z: tuple(np.asarray(part, float) for part in at(z, still)[:2]), z, jac=True,
        hessp=lambda z, v: np.asarray(at(z, v)[2], float), method="trust-krylov",
        options={"maxiter": max_steps, "gtol": _STILL},
    )  # fmt: skip


def _downhill(at, z: np.ndarray, least: float) -> np.ndarray | None:
    """A point of less action along the direction of least curvature, if that is negative."""
    shifted = lambda v: np.asarray(at(z, v)[2], float) + v
    start = np.random.default_rng(0).normal(size=z.size)
    if z.size <= 3:
        curvatures, modes = np.linalg.eigh(np.stack([shifted(v) for v in np.eye(z.size)]))
    else:
        of_products, lanczos = (
            cast(Any, LinearOperator),
            cast(Any, eigsh),
        )  # SciPy's types lack both
        operator = of_products((z.size, z.size), matvec=shifted, dtype=float)
        curvatures, modes = lanczos(operator, 1, which="SA", v0=start, tol=_CURVED)
    if curvatures[0] >= 1 - _CURVED:
        return None
    ways = (z + size * modes[:, 0] for size in 2.0 ** -np.arange(12))
    return next((way for way in ways if float(at(way, 0 * z)[0]) < least), None)


@eqx.filter_jit
def _geodesics(geometry, start, end, shares: Float[Array, " m"]) -> Float[Array, "m n d"]:
    way = geometry.log(start, end)
    return jax.vmap(lambda share: geometry.exp(start, share * way))(shares)


@eqx.filter_jit
def _path(flow, path, spread, z: Float[Array, " k"]) -> Float[Array, "m n d"]:
    inner = path[1:-1] + jnp.tensordot(spread, z.reshape(path[1:-1].shape), axes=1)
    return jnp.concatenate([path[:1], flow.geometry.project(inner), path[-1:]])


@eqx.filter_jit
def _local(flow, path, spread, ts, args, z: Float[Array, " k"], v: Float[Array, " k"]):
    """The action, its gradient, and its Hessian times v: one program for all three."""

    def cost(z):
        return jnp.sum(_misses(flow, _path(flow, path, spread, z), ts, args) ** 2)

    (value, slope), (_, curve) = jax.jvp(jax.value_and_grad(cost), (z,), (v,))
    return value, slope, curve
