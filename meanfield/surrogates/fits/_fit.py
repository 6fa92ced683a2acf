"""Parameters fitted to measurements: least squares from several starts, and what they do not determine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import xarray as xr
from jaxtyping import Array

from ..._shown import OneLine
from ...solve import SolveError
from ..runs import Model
from ._data import Series, series_of
from ._identifiability import Determined, determined
from ._noisy import Optimum, densities, forecast, likeliest, minus_log, surprise
from ._residuals import (
    FAILED,
    Unknowns,
    arrays_of,
    forwards,
    predicted,
    residuals,
    unknowns_of,
    with_slopes,
)

STEPS = 200
TOLERANCE = 1e-9


@dataclass(frozen=True, repr=False)
class Fit(OneLine):
    """Fitted parameters, by symbol.

    - `values`; `errors`: standard errors, infinite where the data do not determine a parameter; `intervals`
      of 95 %, on the scale of the unknown; `covariance` of what is determined.
    - `rank` of the Jacobian, of so many `unknowns`; `unidentified`: directions in which parameters can be
      moved together and nothing that was measured changes.
    - `chi2`: squares of residuals in units of the noise, with `dof` degrees of freedom left; `deviances`
      of all starts; `log_likelihood`.
    - `quality`: rmse and r2 of each measurement; `at_bounds`: parameters that ended on a bound.
    - `residuals`: a dataset of what was measured and predicted.
    - `converged`: whether the best start reached its tolerance.
    """

    values: dict[str, float]
    errors: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    covariance: np.ndarray
    rank: int
    unknowns: int
    unidentified: tuple[dict[str, float], ...]
    chi2: float
    dof: int
    log_likelihood: float
    deviances: tuple[float, ...]
    quality: dict[str, dict[str, float]]
    at_bounds: tuple[str, ...]
    residuals: xr.Dataset
    converged: bool

    def shown(self) -> Mapping[str, Any]:
        """What is printed of it."""
        errors = {name: f"{v:.6g} +- {self.errors[name]:.2g}" for name, v in self.values.items()}
        return {
            **errors,
            "rank": f"{self.rank} of {self.unknowns}",
            "chi2": self.chi2,
            "dof": self.dof,
        }


@eqx.filter_jit
def optimum(
    model: Model,
    unknowns: Unknowns,
    data: list[Series],
    free: Array,
    values: list[dict],
    held: tuple[Array, Array] | None = None,
) -> Optimum:
    """The minimum of squared residuals from a start, with noise in the equations of minus the logarithm of
    the likelihood; where `held` is true, parameters have its values."""

    def natural(z: Array) -> Array:
        theta = unknowns.natural(z)
        return theta if held is None else jnp.where(held[0], held[1], theta)

    if model.noises:
        return likeliest(lambda z: minus_log(model, unknowns, data, natural(z), values), free)

    problem = forwards(lambda theta: residuals(model, unknowns, data, theta, values), natural(free))
    solver = optx.LevenbergMarquardt(rtol=TOLERANCE, atol=TOLERANCE)
    solution = optx.least_squares(
        lambda z, _: problem(natural(z)), solver, free, max_steps=STEPS, throw=False
    )
    # those of the value, so that no run is compiled for them alone
    loss = 0.5 * jnp.sum(solution.state.f_info.residual**2)
    return Optimum(solution.value, loss, solution.result == optx.RESULTS.successful)


@eqx.filter_jit
def jacobian(
    model: Model, unknowns: Unknowns, data: list[Series], theta: Array, values: list[dict]
):
    """Residuals in units of their noise, and their derivatives by the parameters; with noise in the equations
    something with the same squares as the curvature."""
    if model.noises:
        return surprise(model, unknowns, data, theta, values)
    return with_slopes(lambda p: residuals(model, unknowns, data, p, values), theta)


def starts_of(model: Model, unknowns: Unknowns, starts: int, seed: int) -> np.ndarray:
    """Free numbers to start from: those of the document, then others at random between the bounds."""
    first = unknowns.free([model.numbers[name] for name in unknowns.names])
    random = np.random.default_rng(seed).logistic(size=(starts - 1, len(first)))
    bounded = np.array([row.bounds is not None for row in unknowns.rows])
    others = np.where(bounded, random, first + random)
    return np.concatenate([first[None], others])


def fit(model: Model, data: Any, starts: int, seed: int) -> Fit:
    """The maximum of the likelihood of the data; see `Surrogate.fit`."""
    unknowns, series = unknowns_of(model), series_of(model, data)
    check_noise(model, series)
    values, layouts = arrays_of(series), [each.layout for each in series]
    # nothing is held, by the program that profiles use as well
    free = jnp.zeros(len(unknowns.names), bool), jnp.asarray(0.0)
    found = [
        optimum(model, unknowns, layouts, jnp.asarray(start), values, free)
        for start in starts_of(model, unknowns, starts, seed)
    ]
    best = found[int(np.argmin([float(each.loss) for each in found]))]
    if not float(best.loss) < FAILED**2 / 2:
        raise SolveError(
            "No start led to parameters of which all runs succeed: start from others, narrow their bounds, "
            "or set method_selection.stiff to true where some rates are far larger than others."
        )
    theta = unknowns.natural(best.free)
    rest, slopes = jacobian(model, unknowns, layouts, theta, values)
    known = determined(unknowns, np.asarray(theta), np.asarray(slopes))
    table = _table(model, unknowns, series, theta)
    return _fit(
        model, unknowns, known, best, np.asarray(rest), [float(e.loss) for e in found], table
    )


def _fit(
    model: Model,
    unknowns: Unknowns,
    known: Determined,
    best: Optimum,
    rest: np.ndarray,
    losses: list[float],
    table: xr.Dataset,
) -> Fit:
    theta = np.asarray(unknowns.natural(best.free))
    names, chi2 = unknowns.names, float(np.sum(rest**2))
    ended = [unknowns.on_bound(*pair) for pair in zip(unknowns.rows, best.free, strict=True)]
    return Fit(
        values=dict(zip(names, theta.tolist(), strict=True)),
        errors=dict(zip(names, known.errors.tolist(), strict=True)),
        intervals=dict(zip(names, known.intervals, strict=True)),
        covariance=known.covariance,
        rank=known.rank,
        unknowns=len(names),
        unidentified=known.unidentified,
        chi2=chi2,
        dof=rest.size - known.rank,
        log_likelihood=-min(losses) if model.noises else -0.5 * chi2 - _constant(model, table),
        deviances=tuple(2 * each for each in losses),
        quality=_quality(model, table),
        at_bounds=tuple(name for name, there in zip(names, ended, strict=True) if there),
        residuals=table,
        converged=bool(best.ok),
    )


def check_noise(model: Model, data: list[Series]) -> None:
    """Raises ValueError for numbers that a lognormal noise has not."""
    for each in model.document.modeling.measurements:
        for series in data:
            values = series.values.get(each.symbol, np.ones(1))
            if each.noise.kind == "lognormal" and (values <= 0).any():
                raise ValueError(
                    f"expected positive numbers in {each.symbol}, whose noise is lognormal, got others; drop "
                    "those rows, or choose normal noise."
                )


def _table(model: Model, unknowns: Unknowns, data: list[Series], theta: Array) -> xr.Dataset:
    """All that was measured beside what is predicted: a row each."""
    rows: dict[str, list] = {
        "time": [],
        "condition": [],
        "measurement": [],
        "measured": [],
        "predicted": [],
    }
    for series in data:
        found = forecast if model.noises else predicted
        found, _ = found(model, series, unknowns.names, theta)
        for name, each in series.values.items():
            known = np.isfinite(each)
            rows["time"].extend(series.ts[known].tolist())
            rows["condition"].extend([series.condition] * int(known.sum()))
            rows["measurement"].extend([name] * int(known.sum()))
            rows["measured"].extend(each[known].tolist())
            rows["predicted"].extend(np.asarray(found[name])[known].tolist())
    return xr.Dataset({name: ("row", np.array(each)) for name, each in rows.items()})


def _quality(model: Model, table: xr.Dataset) -> dict[str, dict[str, float]]:
    """The root of the mean square of residuals, and the share of the variance that is explained."""
    found = {}
    for name in dict.fromkeys(table.measurement.values.tolist()):
        part = table.isel(row=np.flatnonzero(table.measurement.values == name))
        rest = part.measured.values - part.predicted.values
        spread = float(np.sum((part.measured.values - part.measured.values.mean()) ** 2))
        r2 = 1 - float(np.sum(rest**2)) / spread if spread > 0 else float("nan")
        found[name] = {"rmse": float(np.sqrt(np.mean(rest**2))), "r2": r2}
    return found


def _constant(model: Model, table: xr.Dataset) -> float:
    """What the noise alone takes from the logarithm of the likelihood."""
    total = 0.0
    for each in model.document.modeling.measurements:
        values = table.measured.values[table.measurement.values == each.symbol]
        total += values.size * float(np.log(each.noise.size * np.sqrt(2 * np.pi)))
        if each.noise.kind == "lognormal":
            total += float(np.log(values).sum())
    return total


def log_likelihood(model: Model, values: Mapping[str, float], data: Any) -> np.ndarray:
    """The logarithm of the density of each datum where the unknowns have these values."""
    unknowns, series = unknowns_of(model), series_of(model, data)
    check_noise(model, series)
    if model.noises:
        return densities(model, series, values)
    theta = jnp.asarray([values[name] for name in unknowns.names])
    table, noises = _table(model, unknowns, series, theta), {}
    for each in model.document.modeling.measurements:
        noises[each.symbol] = each.noise
    found = []
    for k in range(table.sizes["row"]):
        row = table.isel(row=k)
        noise, one, other = (
            noises[str(row.measurement.values)],
            float(row.measured),
            float(row.predicted),
        )
        lognormal = noise.kind == "lognormal"
        rest = np.log(one / other) if lognormal else one - other
        size = noise.size * np.sqrt(2 * np.pi) * (one if lognormal else 1.0)
        found.append(-0.5 * (rest / noise.size) ** 2 - np.log(size))
    return np.array(found)
