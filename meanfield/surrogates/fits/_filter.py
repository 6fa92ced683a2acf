"""The likelihood of measurements of equations with noise: a Kalman filter between and at them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..expressions import Expr, value_of
from ..runs import Model, arguments, rates, start_of, surroundings
from ._data import Series

MOST = 100_000
"""The most steps between two measurements."""


class Filtered(NamedTuple):
    """Of each time [T] and measurement: what was predicted from those before, the standard deviation of that
    prediction, and the logarithm of the density of what was measured, zero where nothing was."""

    predicted: dict[str, Array]
    spread: dict[str, Array]
    density: dict[str, Array]


class _Law(NamedTuple):
    """The normal law of the states: mean [n] and covariance [n, n]."""

    mean: Float[Array, " n"]
    cov: Float[Array, "n n"]


def filtered(
    model: Model, series: Series, changed: dict[str, Any], values: dict[str, Array]
) -> Filtered:
    """Predictions of a series, each from what was measured before it.

    Between measurements mean m and covariance P of the states follow

        dm/dt = f(m),  dP/dt = J P + P J^T + diag(g(m)^2),  J = df/dm,

    by Runge-Kutta steps of order four; at each they are updated. Where the drift is linear and the noise
    does not depend on the states this is the exact likelihood; elsewhere it is that of a linearization.

    Source: Jazwinski, Stochastic Processes and Filtering Theory (1970), chapters 7 and 8.
    """
    args = arguments(model, changed)
    start = start_of(model, args, changed)
    names = [*series.values]
    sizes = {m.symbol: m.noise.size for m in model.document.modeling.measurements}
    ts = np.concatenate([[model.document.modeling.independent.start], series.ts])
    step = model.document.method_selection.step
    assert step is not None
    count = int(np.ceil(np.diff(ts).max() / step - 1e-9))
    if count > MOST:
        raise ValueError(
            f"expected at most {MOST} steps between measurements, got {count}; raise method_selection.step."
        )

    def advance(law: _Law, pair: tuple[Array, Array]) -> _Law:
        begin, end = pair
        h = (end - begin) / max(count, 1)
        move = lambda k, each: _step(
            lambda t, one: _slope(model, t, one, args), begin + k * h, each, h
        )
        return jax.lax.fori_loop(0, max(count, 1), move, law)

    def each(law: _Law, row: tuple) -> tuple[_Law, dict]:
        begin, end, found = row
        law, out = advance(law, (begin, end)), {}
        for name in names:
            look = lambda m, name=name: _value(model, model.measured[name], end, m, args)
            law, out[name] = _update(law, look, found[name], sizes[name])
        return law, out

    rows = (
        jnp.asarray(ts[:-1]),
        jnp.asarray(ts[1:]),
        {name: jnp.asarray(values[name]) for name in names},
    )
    first = _Law(start, jnp.zeros((len(start), len(start))))
    out = jax.lax.scan(each, first, rows)[1]
    parts = [{name: out[name][k] for name in names} for k in range(3)]
    return Filtered(*parts)


def _slope(model: Model, t: Array, law: _Law, args: dict) -> _Law:
    """How mean and covariance change."""
    drift = lambda m: rates(model, t, m, args)
    slope, bend = drift(law.mean), jax.jacfwd(drift)(law.mean)
    noises = (model.noises.get(name) for name in model.states)
    noise = jnp.stack(
        [
            jnp.asarray(0.0) if each is None else _value(model, each, t, law.mean, args)
            for each in noises
        ]
    )
    return _Law(slope, bend @ law.cov + law.cov @ bend.T + jnp.diag(noise**2))


def _value(model: Model, expression: Expr, t: Array, state: Array, args: dict) -> Array:
    around = surroundings(model, t, dict(zip(model.states, state, strict=True)), args)
    return jnp.asarray(value_of(expression, around), float)


def _step(slope: Any, t: Array, law: _Law, h: Array) -> _Law:
    """A step of the classical method of Runge and Kutta."""
    along = lambda one, k, size: jax.tree.map(lambda a, b: a + size * b, one, k)
    k1 = slope(t, law)
    k2 = slope(t + h / 2, along(law, k1, h / 2))
    k3 = slope(t + h / 2, along(law, k2, h / 2))
    k4 = slope(t + h, along(law, k3, h))
    total = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, k1, k2, k3, k4)
    return along(law, total, h)


def _update(law: _Law, look: Any, value: Array, size: float) -> tuple[_Law, tuple]:
    """The law after a measurement, with its prediction, spread and density; nothing where it is NaN."""
    guess, row = look(law.mean), jax.jacfwd(look)(law.mean)
    known = jnp.isfinite(value)
    rest = jnp.where(known, value, guess) - guess
    variance = row @ law.cov @ row + size**2
    gain = law.cov @ row / variance
    keep = jnp.eye(len(gain)) - jnp.outer(gain, row)
    # in this form it stays symmetric and positive under rounding
    cov = keep @ law.cov @ keep.T + size**2 * jnp.outer(gain, gain)
    density = -0.5 * (rest**2 / variance + jnp.log(2 * jnp.pi * variance))
    after = _Law(jnp.where(known, law.mean + gain * rest, law.mean), jnp.where(known, cov, law.cov))
    return after, (guess, jnp.sqrt(variance), jnp.where(known, density, 0.0))
