from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial import legendre

from ..._checks import (
    as_array,
    check_finite,
    check_integer,
    check_known,
    check_positive,
    check_scalar,
    guard,
)
from ..._door import door
from ..._typing import Scalar
from ...solve import SolveError
from .._precision import in_double

Function = Callable[[np.ndarray], np.ndarray]
_NODES = 16
"""Gauss points a panel: exact for polynomials of degree 31."""
_RESOLVED = 1e-4
"""The relative error of a time, or the error of a probability, from which panels count as too few."""


def running(
    values: Function, a: float, b: float, panels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss quadrature on panels of [a, b], and the integrals from a to each node."""
    x, half, weights, inner = _panels(a, b, panels)
    found = half * values(x)
    before = np.concatenate([[0.0], np.cumsum(found @ weights)[:-1]])
    return x.ravel(), np.tile(half * weights, panels), (before[:, None] + found @ inner).ravel()


def _panels(a: float, b: float, panels: int):
    """Nodes [panels, nodes], half the length of a panel, and, on [-1, 1], weights and the matrix of
    integrals up to each node."""
    nodes, weights = legendre.leggauss(_NODES)
    basis = legendre.legvander(nodes, _NODES - 1)
    # Row j: the integral from -1 to node j of the polynomial through the values.
    primitives = legendre.legint(np.eye(_NODES), lbnd=-1, axis=0)
    inner = legendre.legval(nodes, primitives).T @ np.linalg.inv(basis)
    half = (b - a) / (2 * panels)
    x = a + half * (2 * np.arange(panels)[:, None] + 1 + nodes)
    return x, half, weights, inner.T


@np.errstate(divide="ignore", invalid="ignore")  # the logarithm of 0, and what is NaN stays NaN
def log_mean_time(
    log_density: Function,
    diffusion: Function,
    start: float,
    target: float,
    wall: float,
    panels: int,
) -> float:
    """log of int_start^target dy/(D p) |int_wall^y p|, for p up to a factor, whose logarithm is given."""
    inside = -np.inf
    if wall != start:
        inside = _log_running(log_density, wall, start, panels, inside)[1][-1]
    inner, _ = _log_running(log_density, start, target, panels, inside)
    x, half, weights, _ = _panels(start, target, panels)
    logs = inner - log_density(x) - np.log(diffusion(x) / half)
    top = _largest(logs.ravel())
    return float(top + np.log((np.exp(logs - top) @ weights).sum()))


def _log_running(logs: Function, a: float, b: float, panels: int, before: float):
    """The logarithms of e^before + int_a^x e^logs at the nodes [panels, nodes], and at the ends of panels.

    Each panel is scaled by its own largest integrand: far below the largest of all none is lost.
    """
    x, half, weights, inner = _panels(a, b, panels)
    values = logs(x)
    top = _largest(values)
    scaled = half * np.exp(values - top[:, None])
    ends = np.logaddexp.accumulate(np.append(before, top + np.log(scaled @ weights)))
    parts = top[:, None] + np.log(np.maximum(scaled @ inner, 0))
    return np.logaddexp(ends[:-1, None], parts), ends


def _largest(logs: np.ndarray) -> np.ndarray:
    """The largest along the last axis, 0 where that is infinite."""
    top = logs.max(axis=-1)
    return np.where(np.isinf(top), 0, top)


def _agreed(coarse, fine, panels: int):
    """`fine`, of twice as many panels, if it says the same as `coarse`; NaN stays NaN."""
    if (np.abs(coarse - fine) > _RESOLVED).any():
        raise SolveError(
            f"{panels} panels do not resolve the potential and the mobility: raise panels."
        )
    return fine


@door
@in_double
def passage_time(
    potential: Callable[[Scalar], Scalar],
    start: Scalar | float,
    target: Scalar | float,
    *,
    noise: Scalar | float = 1.0,
    mobility: Callable[[Scalar], Scalar] | None = None,
    wall: Scalar | float | None = None,
    panels: int = 64,
) -> Scalar:
    """The mean time of a diffusion on the line from `start` to `target`.

        dx = (-M U' + noise M') dt + sqrt(2 noise M) dB
        T = 1/noise int_start^target dy e^{U(y)/noise}/M(y) int_wall^y dx e^{-U(x)/noise}

    - `potential` U and `mobility` M > 0, of one number; M = 1 by default.
    - `wall`: the point beyond `start` that reflects, by default `start` itself, as where U is symmetric
      about it.
    - `panels` of 16 Gauss points each: exact to rounding where a panel sees little of a well's width.

    On the circle with U = -(h/2) cos 2 theta and noise 1, from 0 to pi, it is (pi^2/2) I_0(h/2)^2:
    13.381690, 53.409569, 630.339260 at h = 3, 5, 8. `kramers_time` is what it tends to as h grows.

    Raises ValueError if target = start, if start is not between wall and target, or noise is not
    positive; SolveError where twice as many panels change it by more than 1e-4.
    Source: Gardiner, Handbook of Stochastic Methods (1985), section 5.2.7.
    """
    noise, panels = float(check_positive(noise, "noise")), check_integer(panels, "panels")
    start, target = float(check_scalar(start, "start")), float(check_scalar(target, "target"))
    wall = start if wall is None else float(check_scalar(wall, "wall"))
    if target == start or (start - wall) * (target - start) < 0:
        raise ValueError(
            f"expected wall, start and target in this order, got {wall:g}, {start:g} and {target:g}; "
            "pass a target away from the start, and a wall on its other side."
        )
    log_density = lambda x: -_values(potential, x) / noise
    diffusion = lambda x: noise * _mobilities(mobility, x)
    if wall > target:  # the same on the mirrored line
        flip = lambda function: lambda x: function(-x)
        log_density, diffusion = flip(log_density), flip(diffusion)
        start, target, wall = -start, -target, -wall
    coarse, fine = (
        log_mean_time(log_density, diffusion, start, target, wall, count)
        for count in (panels, 2 * panels)
    )
    return jnp.exp(jnp.asarray(_agreed(coarse, fine, panels)))


@door
@in_double
def committor(
    potential: Callable[[Scalar], Scalar],
    x: Float[Array, " n"],
    a: Scalar | float,
    b: Scalar | float,
    *,
    noise: Scalar | float = 1.0,
    mobility: Callable[[Scalar], Scalar] | None = None,
    panels: int = 64,
) -> Float[Array, " n"]:
    """The probability to reach b before a from points x [n] of the line, a diffusion's committor.

        q(x) = int_a^x e^{U/noise}/M dy / int_a^b e^{U/noise}/M dy

    with q = 0 on the far side of a, and 1 on that of b. `potential` U, `mobility` M and `panels` are
    those of `passage_time`. 1/2 at the top of a symmetric barrier.

    Raises ValueError if a = b or noise is not positive; SolveError where twice as many panels change it by
    more than 1e-4.
    Source: E and Vanden-Eijnden, J. Stat. Phys. 123 (2006) 503, doi 10.1007/s10955-005-9003-9.
    """
    noise, panels = float(check_positive(noise, "noise")), check_integer(panels, "panels")
    a, b = float(check_scalar(a, "a")), float(check_scalar(b, "b"))
    check_known(x, "points", "call committor outside of jax.jit")
    x = check_finite(x)
    guard(x, jnp.asarray(a != b), "expected two points a and b, got one; pass a < b.")
    logs = lambda y: _values(potential, y) / noise - np.log(_mobilities(mobility, y))
    part = np.clip((np.asarray(x, float) - a) / (b - a), 0, 1)
    coarse, fine = (_share(logs, a, b, part, count) for count in (panels, 2 * panels))
    return jnp.asarray(_agreed(coarse, fine, panels))


@np.errstate(divide="ignore", invalid="ignore")
def _share(logs: Function, a: float, b: float, part: np.ndarray, panels: int) -> np.ndarray:
    """int_a^x e^logs over int_a^b e^logs, with x the point at `part` of the way from a to b."""
    edges = np.linspace(a, b, panels + 1)
    panel = np.minimum((part * panels).astype(int), panels - 1)
    each = _log_integrals(logs, edges[:-1], edges[1:])
    before = np.logaddexp.accumulate(np.append(-np.inf, each))
    rest = _log_integrals(logs, edges[panel], a + part * (b - a))
    return np.minimum(np.exp(np.logaddexp(before[panel], rest) - before[-1]), 1)


def _log_integrals(logs: Function, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The logarithms of |the integrals| of e^logs from a [n] to b [n], each by one Gauss rule."""
    nodes, weights = legendre.leggauss(_NODES)
    half = (b - a) / 2
    values = logs(a[:, None] + half[:, None] * (1 + nodes))
    top = _largest(values)
    return top + np.log(np.abs(half) * (np.exp(values - top[:, None]) @ weights))


def _values(function: Callable[[Scalar], Scalar], x: np.ndarray) -> np.ndarray:
    """A function of one number at points of any shape."""
    values = jax.vmap(lambda one: as_array(function(one), "the value of a function"))(
        jnp.asarray(x.ravel())
    )
    check_known(values, "a potential and a mobility", "call this outside of jax.jit")
    if values.shape != (x.size,):
        raise ValueError(
            f"expected a function of one number with one value, got values of shape "
            f"{list(values.shape[1:])}; return one number."
        )
    return np.asarray(values, float).reshape(x.shape)


def _mobilities(mobility: Callable | None, x: np.ndarray) -> np.ndarray:
    if mobility is None:
        return np.ones_like(x)
    values = _values(mobility, x)
    if (values <= 0).any():
        raise ValueError("expected a mobility > 0, got less between start and target; shift it.")
    return values
