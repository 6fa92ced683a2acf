"""What is uncertain of parameters, carried to what follows from them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from ..._checks import check_instance
from ..expressions import read_expression
from ..fits import Fit, unknowns_of
from ..runs import Model, evaluate, solve, times


def propagate(model: Model, fit: Fit, count: int, seed: int) -> xr.Dataset:
    """States, outputs and measurements over runs with parameters drawn from the normal law of a fit, on
    the scale of each, and held between its bounds: median and the ends of 95 % bands, along the dimension
    `quantile`."""
    if model.noises or model.axis is not None:
        raise ValueError(
            "expected equations without noise or an axis, got others; write those of the means."
        )
    rows = unknowns_of(model).rows
    names = [row.symbol for row in rows]
    check_instance(fit, Fit, "a fit of this document", "pass fit=surrogate.fit(data)")
    if {*fit.values} != {*names}:
        raise ValueError(
            f"expected a fit of {sorted(names)}, got one of {sorted(fit.values)}; pass that of this document."
        )
    theta = np.array([fit.values[name] for name in names])
    log = np.array([row.scale == "log" for row in rows])
    # where a scale is logarithmic the law is normal in the logarithm
    per = np.where(log, 1 / np.where(log, theta, 1.0), 1.0)
    draws = np.random.default_rng(seed).multivariate_normal(
        np.zeros(len(names)), fit.covariance * per * per[:, None], count, method="svd"
    )
    ends = [row.bounds or (-np.inf, np.inf) for row in rows]
    points = np.clip(np.where(log, theta * np.exp(draws), theta + draws), *np.array(ends).T)
    ts = times(model)
    found = _runs(model, (*names,), jnp.asarray(points))
    levels = np.array([0.025, 0.5, 0.975])
    bands = {
        n: (["quantile", model.time], np.quantile(np.asarray(v), levels, axis=0))
        for n, v in found.items()
    }
    return xr.Dataset(bands, {"quantile": levels, model.time: ts})


@eqx.filter_jit
def _runs(model: Model, names: tuple[str, ...], points: Array) -> dict[str, Array]:
    """States, outputs and measurements along the run of each point [count, times, ...]."""
    symbols = {name: read_expression(name, [name]) for name in (*model.states, *model.outputs)}

    def one(values: Array) -> dict[str, Array]:
        run = solve(model, dict(zip(names, values, strict=True)), times(model), {})
        return evaluate(model, run, {**symbols, **model.measured})

    return jax.vmap(one)(points)
