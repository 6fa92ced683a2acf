"""Fits of equations with noise: minus the logarithm of the likelihood, its minimum, and its curvature."""

from collections.abc import Callable, Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float

from ..runs import Model
from ._data import Series
from ._filter import Filtered, filtered
from ._residuals import FAILED, Unknowns, arrays_of, changes_in

STEPS = 500
TOLERANCE = 1e-9


class Optimum(eqx.Module):
    """Where a search ended: free numbers, minus the logarithm of the likelihood but for a constant, and
    whether it converged."""

    free: Float[Array, " p"]
    loss: Float[Array, ""]
    ok: Bool[Array, ""]


def _filtered(
    model: Model, series: Series, names: Sequence[str], theta: Array, values: dict[str, Array]
) -> Filtered:
    return filtered(model, series, changes_in(model, series, names, theta), values)


def minus_log(
    model: Model, unknowns: Unknowns, data: list[Series], theta: Array, values: list[dict]
) -> Float[Array, ""]:
    """Minus the logarithm of the likelihood."""
    total = jnp.asarray(0.0)
    for series, measured in zip(data, values, strict=True):
        found = _filtered(model, series, unknowns.names, theta, measured)
        total = total - sum(each.sum() for each in found.density.values())
    return jnp.where(jnp.isfinite(total), total, FAILED**2)


def likeliest(loss: Callable[[Array], Array], free: Array) -> Optimum:
    """The minimum by Broyden, Fletcher, Goldfarb and Shanno's method."""
    solver = optx.BFGS(rtol=TOLERANCE, atol=TOLERANCE)
    found = optx.minimise(lambda z, _: loss(z), solver, free, max_steps=STEPS, throw=False)
    return Optimum(found.value, loss(found.value), found.result == optx.RESULTS.successful)


def surprise(
    model: Model, unknowns: Unknowns, data: list[Series], theta: Array, values: list[dict]
) -> tuple[Array, Array]:
    """What was measured against predictions, in their standard deviations; and S [p, p] with S^T S the second
    derivatives of minus the logarithm of the likelihood."""
    rows = []
    for series, measured in zip(data, values, strict=True):
        found = _filtered(model, series, unknowns.names, theta, measured)
        for name, each in measured.items():
            known = np.isfinite(series.values[name])
            rows.append(((each - found.predicted[name]) / found.spread[name])[known])
    bend = jax.hessian(lambda p: minus_log(model, unknowns, data, p, values))(theta)
    sizes = jnp.asarray(jnp.where(theta == 0, 1.0, jnp.abs(theta)))
    squares, axes = jnp.linalg.eigh(bend * sizes * sizes[:, None])
    # a curvature that is negative is that of no maximum, and determines nothing
    return jnp.concatenate(rows), (jnp.sqrt(jnp.maximum(squares, 0))[:, None] * axes.T) / sizes


def forecast(
    model: Model, series: Series, names: Sequence[str], theta: Array
) -> tuple[dict[str, Array], Bool[Array, ""]]:
    """What is predicted of each measurement from those before it, and whether that went well."""
    (values,) = arrays_of([series])
    found = _filtered(model, series, names, theta, values).predicted
    return found, jnp.stack([jnp.isfinite(each).all() for each in found.values()]).all()


def densities(model: Model, data: list[Series], values: Mapping[str, float]) -> np.ndarray:
    """The logarithm of the density of each datum, given those before it."""
    theta, rows = jnp.asarray([*values.values()], float), []
    for series in data:
        (measured,) = arrays_of([series])
        found = _filtered(model, series, [*values], theta, measured)
        for name, each in series.values.items():
            rows.append(np.asarray(found.density[name])[np.isfinite(each)])
    return np.concatenate(rows)
