"""The equations of a document as a dynamics for `simulate`, or with noise a scheme for `rollout`."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import as_array
from ..._typing import Scalar
from ...dynamics import AbstractDynamics
from ...schemes import AbstractScheme
from ..expressions import Expr, value_of
from ._fields import centres, divergence, padded
from ._model import Model
from ._tables import Tabulated


def surroundings(
    model: Model, t: Scalar, states: dict[str, Array], args: dict, x=None
) -> dict[str, Any]:
    """The value of each symbol at a time, where states have these values: inputs and outputs follow."""
    given = {n: each.at(t) if isinstance(each, Tabulated) else each for n, each in args.items()}
    values = {**given, model.time: t, **states}
    if x is not None:
        values[str(model.axis)] = x
    for name, expression in model.inputs.items():
        if name not in args:
            values[name] = value_of(expression, values)
    for name, expression in model.outputs.items():
        values[name] = value_of(expression, values)
    return values


def rates(model: Model, t: Scalar, state: Array, args: dict) -> Array:
    """The right-hand sides of all states [n, ...]."""
    states = dict(zip(model.states, state, strict=True))
    domain = model.document.modeling.domain
    x = None if domain is None else centres(domain)
    values = surroundings(model, t, states, args, x)
    ends = {row.symbol: row for row in model.document.modeling.boundary_conditions}
    wide = {}
    if domain is not None:
        wide = {name: padded(each, domain, ends.get(name)) for name, each in states.items()}

    def rate(name: str, expression: Expr) -> Array:
        def along(flux: Expr) -> Array:
            assert domain is not None

            def around(parts: dict[str, Array], at: Array) -> dict[str, Any]:
                return surroundings(model, t, parts, args, at)

            return divergence(flux, domain, ends.get(name), wide, around)

        found = jnp.asarray(value_of(expression, values, along), state.dtype)
        return jnp.broadcast_to(found, state.shape[1:])

    return jnp.stack([rate(name, expression) for name, expression in model.rates.items()])


def _check(model: Model, state: Any) -> Array:
    state = as_array(state, "x0")
    if state.shape[0] != len(model.states):
        raise ValueError(
            f"expected a start of {len(model.states)} states, got shape {list(state.shape)}; pass one each."
        )
    return state


class Flow(AbstractDynamics):
    """The states [n] of a document's equations, fields [n, cells], moved by their right-hand sides, each
    measured by its size.

    `args` are the values of parameters by their symbols, perhaps with inputs that are constant.
    """

    model: Model = eqx.field(static=True)
    sizes: tuple[float, ...] = eqx.field(static=True)
    kinks: Float[Array, " kinks"] | None = None
    """Times at which inputs bend or jump, on which steps land."""

    def measured(self, state: Array) -> Array:
        """A state in its sizes."""
        return state / self._each(state)

    def natural(self, state: Array) -> Array:
        """A state in the units of the document."""
        return state * self._each(state)

    def _each(self, state: Array) -> Array:
        return jnp.asarray(self.sizes, state.dtype).reshape(-1, *[1] * (state.ndim - 1))

    def jumps(self) -> Float[Array, " kinks"] | None:
        return self.kinks

    def drift(self, t: Scalar, state: Array, args: Any) -> Array:
        return self.measured(rates(self.model, t, self.natural(state), args))

    def check(self, state: Any) -> Array:
        return _check(self.model, state)


class Paths(AbstractScheme):
    """States [n, paths] that feel independent noise, from one saved time to the next, by Euler-Maruyama:

        x <- x + h f(t, x) + sqrt(h) g(t, x) N,

    in the sense of Ito, `substeps` times, each of h. The state of the scheme is the number of steps taken
    and x; `args` are the values of parameters and, under "key", a random key.

    Source: Kloeden and Platen, Numerical Solution of Stochastic Differential Equations (1992), section 10.2.
    """

    model: Model = eqx.field(static=True)
    substeps: int = eqx.field(static=True)
    start: Array
    h: Array

    def step(self, state: Any, args: Any) -> tuple[Any, dict[str, Array]]:
        key, values = args["key"], {name: each for name, each in args.items() if name != "key"}

        def substep(pair, _):
            count, x = pair
            t = self.start + count * self.h
            around = surroundings(
                self.model, t, dict(zip(self.model.states, x, strict=True)), values
            )
            drawn = jax.random.normal(
                jax.random.fold_in(key, count.astype(jnp.int32)), x.shape, x.dtype
            )
            zero = jnp.zeros_like(x[0])
            noises = [
                zero + value_of(self.model.noises[name], around)
                if name in self.model.noises
                else zero
                for name in self.model.states
            ]
            x = (
                x
                + self.h * rates(self.model, t, x, values)
                + jnp.sqrt(self.h) * jnp.stack(noises) * drawn
            )
            return (count + 1, x), None

        return jax.lax.scan(substep, state, length=self.substeps)[0], {}

    def project(self, state: Any) -> Any:
        return state

    def check(self, state: Any) -> Any:
        count, x = state
        return jnp.asarray(count), _check(self.model, x)
