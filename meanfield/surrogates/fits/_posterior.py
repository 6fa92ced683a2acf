"""The law of the unknown parameters given measurements, by chains of blackjax."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float

from ..._shown import OneLine
from ..._typing import Scalar
from ..runs import Model
from ._data import Series, series_of
from ._fit import check_noise, optimum, starts_of
from ._noisy import minus_log
from ._residuals import Unknowns, arrays_of, residuals, unknowns_of

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
    - `divergences`: moves after the warm-up at which the energy was lost: regions are missed then.
    - `converged`: each R-hat is below 1.01, each `ess` at least 100 a chain, and nothing diverged.
    """

    draws: xr.Dataset
    means: dict[str, float]
    deviations: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    rhat: dict[str, float]
    ess: dict[str, float]
    contraction: dict[str, float]
    divergences: int
    converged: bool

    def shown(self) -> Mapping[str, Any]:
        """What is printed of it."""
        rows = {n: f"{v:.6g} +- {self.deviations[n]:.2g}" for n, v in self.means.items()}
        return {**rows, "divergences": self.divergences, "converged": self.converged}


class _Drawn(NamedTuple):
    """Free numbers, logarithms of the likelihood, and whether the move diverged, of each chain and draw."""

    free: Float[Array, "chains draws p"]
    likelihood: Float[Array, "chains draws"]
    diverged: Bool[Array, "chains draws"]


def library() -> Any:
    """The package blackjax. Raises ValueError without the extra."""
    try:
        return importlib.import_module("blackjax")
    except ImportError as error:
        raise ValueError(
            "expected the package blackjax for posteriors, got none; pip install 'meanfield-jax[posterior]'."
        ) from error


def posterior(
    model: Model,
    data: Any,
    key: Any,
    chains: int,
    draws: int,
    warmup: int,
    acceptance: float,
) -> Posterior:
    """The posterior of the unknowns; see `Surrogate.posterior`."""
    unknowns, series = unknowns_of(model), series_of(model, data)
    check_noise(model, series)
    library()
    begin, walk = jax.random.split(key)
    seed = int(jax.random.randint(begin, (), 0, 2**31 - 1))
    values, free = arrays_of(series), (jnp.zeros(len(unknowns.names), bool), jnp.asarray(0.0))
    starts = [
        optimum(model, unknowns, series, jnp.asarray(start), values, free).free
        for start in starts_of(model, unknowns, chains, seed)
    ]
    keys, plan = jax.random.split(walk, chains), (draws, warmup, acceptance)
    with jax.numpy_dtype_promotion("standard"):  # blackjax mixes dtypes
        drawn = _walk(model, unknowns, series, jnp.stack(starts), values, keys, plan)
        return _posterior(unknowns, drawn)


@eqx.filter_jit
def _walk(
    model: Model,
    unknowns: Unknowns,
    data: list[Series],
    starts: Array,
    values: list[dict],
    keys: Array,
    plan: tuple[int, int, float],
) -> _Drawn:
    blackjax, (draws, warmup, acceptance) = library(), plan

    def likelihood(z: Array) -> Scalar:
        theta = unknowns.natural(z)
        if model.noises:
            return -minus_log(model, unknowns, data, theta, values)
        return -0.5 * jnp.sum(residuals(model, unknowns, data, theta, values) ** 2)

    density = _with_slopes(lambda z: likelihood(z) + _log_prior(unknowns, z))
    search = blackjax.window_adaptation(
        blackjax.nuts, density, is_mass_matrix_diagonal=False, target_acceptance_rate=acceptance
    )

    def chain(start: Array, key: Array) -> tuple:
        first, second = jax.random.split(key)
        (state, found), _ = search.run(first, start, num_steps=warmup)
        move = blackjax.nuts(density, **found).step

        def step(state: Any, key: Array) -> tuple:
            state, info = move(key, state)
            return state, (state.position, state.logdensity, info.is_divergent)

        return jax.lax.scan(step, state, jax.random.split(second, draws))[1]

    free, logs, diverged = jax.vmap(chain)(starts, keys)
    return _Drawn(
        free, logs - jax.vmap(jax.vmap(lambda z: _log_prior(unknowns, z)))(free), diverged
    )


def _with_slopes(density: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function whose gradient is computed forwards, as runs are differentiated here."""
    whole = jax.custom_vjp(density)

    def forward(z: Array) -> tuple[Array, Array]:
        along = lambda row: jax.jvp(density, (z,), (row,))
        return jax.vmap(along, out_axes=(None, 0))(jnp.eye(len(z), dtype=z.dtype))

    whole.defvjp(forward, lambda slope, size: (slope * size,))
    return whole


def _log_prior(unknowns: Unknowns, z: Array) -> Array:
    """Of what is even between bounds the free number has a logistic law; other free numbers an even one."""
    bounded = jnp.asarray([row.bounds is not None for row in unknowns.rows])
    return jnp.sum(jnp.where(bounded, jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z), 0.0))


def _posterior(unknowns: Unknowns, drawn: _Drawn) -> Posterior:
    theta = np.asarray(jax.vmap(jax.vmap(unknowns.natural))(drawn.free))
    check = importlib.import_module("blackjax.diagnostics")
    rhat = np.atleast_1d(check.rhat(jnp.asarray(theta)))
    ess = np.minimum(
        *(np.atleast_1d(f(jnp.asarray(theta))) for f in (check.ess_bulk, check.ess_tail))
    )
    ends = np.quantile(theta, [0.025, 0.975], axis=(0, 1)).T
    lost, along = int(np.sum(drawn.diverged)), ["chain", "draw"]
    named = lambda row: dict(zip(unknowns.names, np.asarray(row).tolist(), strict=True))
    arrays = dict(zip(unknowns.names, np.moveaxis(theta, -1, 0), strict=True))
    arrays["log_likelihood"] = np.asarray(drawn.likelihood)
    good = (rhat < CLOSE).all() and (ess >= ENOUGH * len(theta)).all() and not lost
    return Posterior(
        draws=xr.Dataset({name: (along, each) for name, each in arrays.items()}),
        means=named(theta.mean(axis=(0, 1))),
        deviations=named(theta.std(axis=(0, 1), ddof=1)),
        intervals={n: (low, high) for n, (low, high) in named(ends).items()},
        rhat=named(rhat),
        ess=named(ess),
        contraction=named(_contraction(unknowns, theta)),
        divergences=lost,
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
