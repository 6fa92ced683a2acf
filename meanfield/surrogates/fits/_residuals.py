"""What parts a run from measurements, in units of their noise, as a function of the unknowns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import expit, logit
from jaxtyping import Array, Float

from ...solve import ForwardMode
from ..documents import Unknown
from ..runs import Model, centres, evaluate, jumping, solve
from ._data import Series

FAILED = 1e8
"""The residual of a run that fails, which no fit prefers."""
MOST_STEPS = 16_384


@dataclass(frozen=True, eq=False)
class Unknowns:
    """The parameters that are sought, as free numbers: bounds by a logistic map, scales by logarithms."""

    names: tuple[str, ...]
    rows: tuple[Unknown, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknowns) and self.rows == other.rows

    def __hash__(self) -> int:
        return hash(repr(self.rows))

    def natural(self, free: Float[Array, " p"]) -> Float[Array, " p"]:
        """Parameters in their units."""
        return jnp.stack([_natural(row, free[i]) for i, row in enumerate(self.rows)])

    def free(self, values: Sequence[float]) -> Float[np.ndarray, " p"]:
        """Free numbers of parameters, which are moved off their bounds by a millionth of what is between."""
        return np.array([_free(row, value) for row, value in zip(self.rows, values, strict=True)])

    def sizes(self, values: Sequence[float], effects: Sequence[float]) -> Float[np.ndarray, " p"]:
        """By what parameters are measured where their effects are compared: their values; their bounds, where
        an effect, that of a unit in units of noise, does not tell a value from 0."""
        parts = zip(self.rows, values, effects, strict=True)
        return np.array([_size(row, value, effect) for row, value, effect in parts])

    def on_bound(self, row: Unknown, free: Any) -> bool:
        """Whether a free number is within a share of e^-12 of what is between the bounds of one."""
        return row.bounds is not None and bool(abs(free) > 12)


def _ends(row: Unknown) -> tuple[float, float] | None:
    if row.bounds is None:
        return None
    low, high = row.bounds
    return (np.log(low), np.log(high)) if row.scale == "log" else (low, high)


def _natural(row: Unknown, free: Array) -> Array:
    ends = _ends(row)
    scaled = free if ends is None else ends[0] + (ends[1] - ends[0]) * expit(free)
    return jnp.exp(scaled) if row.scale == "log" else scaled


def _free(row: Unknown, value: float) -> float:
    if row.scale == "log":
        value = np.log(value)
    ends = _ends(row)
    if ends is None:
        return float(value)
    share = np.clip((value - ends[0]) / (ends[1] - ends[0]), 1e-6, 1 - 1e-6)
    return float(logit(share))


def _size(row: Unknown, value: float, effect: float) -> float:
    if row.scale == "log" or abs(value) * effect >= 1:
        return abs(value)
    return max(abs(value), 1.0 if row.bounds is None else row.bounds[1] - row.bounds[0])


def unknowns_of(model: Model) -> Unknowns:
    """The unknown parameters of a document. Raises ValueError where there are none."""
    rows = tuple(row for row in model.document.input.unknowns if row.role == "parameter")
    if not rows:
        raise ValueError(
            "expected parameters among input.unknowns, got none; name those that shall be fitted."
        )
    if model.noises and any(m.noise.kind != "normal" for m in model.document.modeling.measurements):
        raise ValueError(
            "expected measurements with normal noise of equations with noise, got lognormal ones; measure "
            "the logarithm."
        )
    if not model.measured:
        raise ValueError(
            "expected measurements to fit, got none; add them to modeling.measurements."
        )
    for row in rows:
        if row.symbol in jumping(model):
            raise ValueError(
                f"expected unknowns outside of step, got {row.symbol}, of whose changes no derivative tells; "
                "make it known, or write the jump as tanh over a short width."
            )
        if row.scale == "log" and model.numbers[row.symbol] <= 0:
            raise ValueError(
                f"expected a positive value of {row.symbol} on a log scale, got "
                f"{model.numbers[row.symbol]:g}; start it from another."
            )
    return Unknowns(tuple(row.symbol for row in rows), rows)


def predicted(
    model: Model, series: Series, names: Sequence[str], theta: Array
) -> tuple[dict[str, Any], Any]:
    """What is measured in a condition where the unknowns have these values, and whether its run went well.

    Of a field it is between cells as straight lines are, and beyond the outermost as the last of them.
    """
    changed = changes_in(model, series, names, theta)
    start = model.document.modeling.independent.start
    ts, where = np.unique(np.concatenate([[start], series.ts]), return_inverse=True)
    options = {"adjoint": ForwardMode(), "throw": False, "max_steps": MOST_STEPS}
    run = solve(model, changed, ts, options)
    expressions = {name: model.measured[name] for name in series.values}
    found = evaluate(model, run, expressions)
    rows = {name: each[where[1:]] for name, each in found.items()}
    return {name: _at(model, series, each) for name, each in rows.items()}, run.ok


def changes_in(model: Model, series: Series, names: Sequence[str], theta: Array) -> dict[str, Any]:
    """What differs from the document in a condition where the unknowns have these values."""
    conditions = {each.id: each.set for each in model.document.modeling.conditions}
    return {**dict(zip(names, theta, strict=True)), **conditions.get(series.condition, {})}


def _at(model: Model, series: Series, rows: Array) -> Array:
    """Fields [T, cells], if they are, at the places of a series [T]."""
    domain = model.document.modeling.domain
    if domain is None or series.xs is None:
        return rows
    x, places = centres(domain), jnp.asarray(series.xs)
    if domain.kind == "ring":
        length = domain.stop - domain.start
        return jax.vmap(lambda at, row: jnp.interp(at, x, row, period=length))(places, rows)
    left, right = 1.5 * rows[:, :1] - 0.5 * rows[:, 1:2], 1.5 * rows[:, -1:] - 0.5 * rows[:, -2:-1]
    nodes = jnp.concatenate([jnp.asarray([domain.start]), x, jnp.asarray([domain.stop])])
    return jax.vmap(lambda at, row: jnp.interp(at, nodes, row))(
        places, jnp.concatenate([left, rows, right], axis=1)
    )


def residuals(
    model: Model,
    unknowns: Unknowns,
    data: list[Series],
    theta: Float[Array, " p"],
    values: list[dict],
) -> Float[Array, " m"]:
    """(value - prediction)/noise of all that was measured: with normal noise of this size, or of the
    logarithms, for lognormal noise. Half the sum of squares is minus the logarithm of the likelihood, but
    for a constant."""
    noises = {each.symbol: each.noise for each in model.document.modeling.measurements}
    rows = []
    for series, measured in zip(data, values, strict=True):
        found, ok = predicted(model, series, unknowns.names, theta)
        for name, each in measured.items():
            known = np.isfinite(series.values[name])
            noise, guess, value = noises[name], found[name][known], each[known]
            if noise.kind == "lognormal":
                positive = jnp.where(guess > 0, guess, 1.0)
                ok, guess, value = ok & (guess > 0).all(), jnp.log(positive), jnp.log(value)
            rows.append((value - guess) / noise.size)
    whole = jnp.concatenate(rows)
    return jnp.where(ok & jnp.isfinite(whole), whole, FAILED)


def arrays_of(data: list[Series]) -> list[dict[str, Array]]:
    """The measured values, as arrays of jax."""
    return [{name: jnp.asarray(each) for name, each in series.values.items()} for series in data]


def with_slopes(
    function: Callable[[Array], Array], theta: Float[Array, " p"]
) -> tuple[Array, Float[Array, "... p"]]:
    """The value and its derivatives by all parameters, of one run that is differentiated forwards."""
    along = lambda row: jax.jvp(function, (theta,), (row,))
    value, rows = jax.vmap(along, out_axes=(None, 0))(jnp.eye(len(theta), dtype=theta.dtype))
    return value, jnp.moveaxis(rows, 0, -1)


def forwards(
    function: Callable[[Array], Array], theta: Float[Array, " p"]
) -> Callable[[Array], Array]:
    """A function that computes its derivatives beside its value, traced once at parameters like these.
    Linearized as it is, a run would be compiled twice."""
    both = eqx.filter_closure_convert(lambda p: with_slopes(function, p), theta)
    whole = jax.custom_jvp(lambda p: both(p)[0])

    def rule(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        value, slopes = both(*primals)
        return value, slopes @ tangents[0]

    whole.defjvp(rule)
    return whole
