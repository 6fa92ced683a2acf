"""The law of the unknown parameters given measurements, by chains of blackjax."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._shown import OneLine
from ..._typing import Scalar
from ..runs import Model
from ._data import Series, series_of
from ._fit import check_noise, jacobian, optimum, starts_of
from ._noisy import minus_log
from ._residuals import Unknowns, arrays_of, residuals, unknowns_of
from ._slices import Axes, library, walked

CLOSE = 1.01
"""Chains whose R-hat is below this agree."""
ENOUGH = 100
"""Of so many independent draws a chain quantiles can be read."""


@dataclass(frozen=True, repr=False)
class Posterior(OneLine):
    """Parameters drawn from their law given data.

    - `draws`: a dataset along chain and draw, of each parameter and of the logarithm of the likelihood,
      `log_likelihood`, but for a constant.
    - `means`, `deviations`: standard ones; `intervals` of 95 %, from their quantiles.
    - `rhat`: how far chains differ from each other, 1 where they do not; `ess`: as many independent draws as
      say as much, of means or of tails, whichever is less.
    - `contraction`: 1 - (variance)/(variance of the prior), on the scale of the parameter: near 1 the data
      speak, near 0 the bounds alone. NaN without bounds.
    - `converged`: each R-hat is below 1.01, and each `ess` at least 100 a chain.
    """

    draws: xr.Dataset
    means: dict[str, float]
    deviations: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    rhat: dict[str, float]
    ess: dict[str, float]
    contraction: dict[str, float]
    converged: bool

    def shown(self) -> Mapping[str, Any]:
        """What is printed of it."""
        rows = {n: f"{v:.6g} +- {self.deviations[n]:.2g}" for n, v in self.means.items()}
        return {**rows, "converged": self.converged}


def posterior(model: Model, data: Any, key: Any, chains: int, draws: int, warmup: int) -> Posterior:
    """The posterior of the unknowns; see `Surrogate.posterior`."""
    unknowns, series = unknowns_of(model), series_of(model, data)
    check_noise(model, series)
    library()
    begin, walk = jax.random.split(key)
    seed = int(jax.random.randint(begin, (), 0, 2**31 - 1))
    values, layouts = arrays_of(series), [each.layout for each in series]
    free = jnp.zeros(len(unknowns.names), bool), jnp.asarray(0.0)
    found = [
        optimum(model, unknowns, layouts, jnp.asarray(start), values, free)
        for start in starts_of(model, unknowns, chains, seed)
    ]
    best = min(found, key=lambda each: float(each.loss))
    theta = unknowns.natural(best.free)
    axes = Axes.of(unknowns, np.asarray(theta))
    _, slopes = jacobian(model, unknowns, layouts, theta, values)
    places = np.stack([axes.places(np.asarray(unknowns.natural(one.free))) for one in found])
    starts = jnp.asarray(places), jnp.stack([-each.loss for each in found])
    cov = axes.covariance(np.asarray(theta), np.asarray(slopes))
    with jax.numpy_dtype_promotion("standard"):  # blackjax mixes dtypes
        drawn = _walk(
            model, unknowns, layouts, axes, starts, jnp.asarray(cov), values, walk, (draws, warmup)
        )
        return _posterior(unknowns, *drawn)


@eqx.filter_jit
def _walk(
    model: Model,
    unknowns: Unknowns,
    data: list[Series],
    axes: Axes,
    starts: tuple[Array, Array],
    cov: Float[Array, "p p"],
    values: list[dict],
    key: Any,
    plan: tuple[int, int],
) -> tuple[Float[Array, "chains draws p"], Float[Array, "chains draws"]]:
    """Parameters in their units, and logarithms of the likelihood but for a constant."""

    def density(place: Array) -> Scalar:
        theta, inside = axes.natural(place), axes.inside(place)
        if model.noises:
            found = -minus_log(model, unknowns, data, theta, values)
        else:
            found = -0.5 * jnp.sum(residuals(model, unknowns, data, theta, values) ** 2)
        return jnp.where(inside, found, -jnp.inf)

    places, logs = walked(density, starts, cov, key, *plan)
    return jax.vmap(jax.vmap(axes.natural))(places), logs


def _posterior(unknowns: Unknowns, theta: Any, logs: Any) -> Posterior:
    check = importlib.import_module("blackjax.diagnostics")
    rhat = np.atleast_1d(check.rhat(theta))
    ess = np.minimum(*(np.atleast_1d(f(theta)) for f in (check.ess_bulk, check.ess_tail)))
    theta, along = np.asarray(theta), ["chain", "draw"]
    ends = np.quantile(theta, [0.025, 0.975], axis=(0, 1)).T
    named = lambda row: dict(zip(unknowns.names, np.asarray(row).tolist(), strict=True))
    arrays = dict(zip(unknowns.names, np.moveaxis(theta, -1, 0), strict=True))
    arrays["log_likelihood"] = np.asarray(logs)
    good = (rhat < CLOSE).all() and (ess >= ENOUGH * len(theta)).all()
    return Posterior(
        draws=xr.Dataset({name: (along, each) for name, each in arrays.items()}),
        means=named(theta.mean(axis=(0, 1))),
        deviations=named(theta.std(axis=(0, 1), ddof=1)),
        intervals={n: (low, high) for n, (low, high) in named(ends).items()},
        rhat=named(rhat),
        ess=named(ess),
        contraction=named(_contraction(unknowns, theta)),
        converged=bool(good),
    )


def _contraction(unknowns: Unknowns, theta: np.ndarray) -> list[float]:
    found = []
    for k, row in enumerate(unknowns.rows):
        scale = np.log if row.scale == "log" else np.asarray
        # an even law has a twelfth of the square of its width as its variance
        width = np.nan if row.bounds is None else np.ptp(scale(np.asarray(row.bounds)))
        found.append(float(1 - scale(theta[..., k]).var(ddof=1) / (width**2 / 12)))
    return found
