"""How much an output at the end depends on each parameter: derivatives, Sobol indices, Morris' effects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from SALib.analyze import morris as effects, sobol as indices
from SALib.sample import morris as trajectories, sobol as sequence

from ..._shown import OneLine
from ...solve import ForwardMode
from ..fits import with_slopes
from ..runs import Model
from ._outputs import output_at_end

TRAJECTORIES = 32
LEVELS = 4

_with_slopes = eqx.filter_jit(with_slopes)


@dataclass(frozen=True, repr=False)
class Sensitivity(OneLine):
    """What an output at the end depends on.

    - `slopes`: its derivative by each parameter, `elasticities`: relative to both.
    - `first`, `total`: Sobol's indices over the ranges of the document, with half-widths of 95 % intervals
      under `first_error` and `total_error`.
    - `effects`: Morris' mean of absolute effects, `spread`: their standard deviation. Empty without ranges.

    Source: Saltelli et al., Comput. Phys. Commun. 181 (2010) 259; Morris, Technometrics 33 (1991) 161.
    """

    output: str
    value: float
    slopes: dict[str, float]
    elasticities: dict[str, float]
    first: dict[str, float] = field(default_factory=dict)
    first_error: dict[str, float] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)
    total_error: dict[str, float] = field(default_factory=dict)
    effects: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)


def sensitivity(model: Model, output: str | None, seed: int) -> Sensitivity:
    """The sensitivity of an output, that of the document by default."""
    asked = model.document.solution_and_analysis.sensitivity
    symbol = output or (asked.output if asked is not None else None)
    if symbol is None:
        raise ValueError("expected an output to look at, got none; pass output='H', say.")
    local = _local(model, symbol)
    if asked is None or not asked.ranges:
        return Sensitivity(symbol, *local)
    return Sensitivity(symbol, *local, **_global(model, symbol, asked, seed))


def _local(model: Model, symbol: str) -> tuple[float, dict[str, float], dict[str, float]]:
    names = [v.symbol for v in model.document.modeling.variables if v.role == "parameter"]
    output = output_at_end(model, symbol, names, adjoint=ForwardMode())
    at = jnp.asarray([model.numbers[name] for name in names], float)
    value, slopes = _with_slopes(output, at)
    ratios = (
        np.asarray(slopes) * np.asarray(at) / float(value)
        if float(value)
        else np.full(at.shape, np.nan)
    )
    named = lambda row: dict(zip(names, np.asarray(row, float).tolist(), strict=True))
    return float(value), named(slopes), named(ratios)


def _global(model: Model, symbol: str, asked: Any, seed: int) -> Mapping[str, dict[str, float]]:
    names = [row.symbol for row in asked.ranges]
    problem = {
        "num_vars": len(names),
        "names": names,
        "bounds": [[r.low, r.high] for r in asked.ranges],
    }
    output = output_at_end(model, symbol, names)
    count = 2 ** int(
        np.ceil(np.log2(asked.samples))
    )  # Sobol's sequence is balanced at powers of two
    points = sequence.sample(problem, count, calc_second_order=False, seed=seed)
    paths = trajectories.sample(problem, TRAJECTORIES, num_levels=LEVELS, seed=seed)
    # all in one batch, which is compiled once
    where = np.concatenate([points, paths])
    values = np.asarray(_everywhere(output, jnp.asarray(where)))
    _check_finite(symbol, names, where, values)
    seen, walked = values[: len(points)], values[len(points) :]
    none = {key: np.full(len(names), np.nan) for key in ("S1", "S1_conf", "ST", "ST_conf")}
    found = none  # of what does not vary there are no shares
    if np.ptp(seen) > 0:
        found = indices.analyze(problem, seen, calc_second_order=False, seed=seed)
    screened = effects.analyze(problem, paths, walked, num_levels=LEVELS, seed=seed)
    named = lambda row: dict(zip(names, np.asarray(row, float).tolist(), strict=True))
    return {
        "first": named(found["S1"]),
        "first_error": named(found["S1_conf"]),
        "total": named(found["ST"]),
        "total_error": named(found["ST_conf"]),
        "effects": named(screened["mu_star"]),
        "spread": named(screened["sigma"]),
    }


@eqx.filter_jit
def _everywhere(output: Callable[[Array], Array], points: Array) -> Array:
    return jax.vmap(output)(points)


def _check_finite(symbol: str, names: list[str], where: np.ndarray, values: np.ndarray) -> None:
    """Refuses outputs that are no numbers somewhere in the ranges, of which indices would be zero."""
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        at = ", ".join(f"{n} = {v:.6g}" for n, v in zip(names, where[bad[0]], strict=True))
        raise ValueError(
            f"expected finite {symbol} over the ranges of sensitivity, got others, as at {at}; narrow them."
        )
