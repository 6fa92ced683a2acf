import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import as_array, check_vector
from ..._typing import Points, Scalar, Weights
from ...attention.kernels import AbstractAttention, AbstractSchedule, attention_at
from ...geometry import AbstractGeometry
from .._base import AbstractCloud, as_noise, as_weights


class Drift(AbstractCloud):
    """A field that moves each token on its own, such as the feed-forward layer of a transformer.

    x_i' = P_{x_i} function(x_i), with `function` from one point [d] to a vector [d]: a learned
    `equinox.nn.MLP(d, d, width, depth, key=key)`, or any other. Add it to a flow:
    `AttentionFlow(sphere, Softmax(4.0)) + Drift(sphere, mlp)`. It is not normalized: the feed-forward
    layer of a transformer with normalizations is `AttentionFlow(..., mlp=mlp)`.

    Raises ValueError, when it runs, for a function that leaves R^d.
    """

    geometry: AbstractGeometry
    function: Callable[[Float[Array, " d"]], Float[Array, " d"]]
    noise: Scalar | None = eqx.field(default=0.0, converter=as_noise)
    weights: Weights | None = eqx.field(default=None, converter=as_weights)

    def field(self, t: Scalar, x: Points, args: Any) -> Points:
        return for_each_token(self.function, x)


class Control(AbstractCloud):
    """A force that is steered from outside: x_i' = P_{x_i} function(t, x, args)_i.

    `function` maps the time, the whole cloud [n, d] and the `args` of `simulate` to a field [n, d];
    differentiate a run with respect to `args` to find the control. Where it jumps in time, as one that
    is constant on pieces does, give the times as `switches`: steps then land on them.

    Raises ValueError, when it runs, for a field of another shape.
    """

    geometry: AbstractGeometry
    function: Callable[[Scalar, Points, Any], Points]
    noise: Scalar | None = eqx.field(default=0.0, converter=as_noise)
    weights: Weights | None = eqx.field(default=None, converter=as_weights)
    switches: Float[Array, " switches"] | None = eqx.field(
        default=None, converter=lambda a: None if a is None else check_vector(a, "switches")
    )

    def jumps(self) -> Float[Array, " switches"] | None:
        return self.switches

    def field(self, t: Scalar, x: Points, args: Any) -> Points:
        field = as_array(self.function(t, x, args), "the field of a Control")
        if field.shape != x.shape:  # what has fewer axes would push all tokens alike, or none
            raise ValueError(
                f"expected a field of shape {list(x.shape)} from the function of a Control, got "
                f"{list(field.shape)}; return a vector for each token, as lambda t, x, args: 0 * x does."
            )
        return _in_precision_of(x, field)


def force_shape(attention: AbstractAttention | AbstractSchedule, x: Points) -> tuple[int, ...]:
    """The shape of attention at x [n, d], found once for each kind of both: starts are many."""
    leaves, form = jax.tree.flatten(attention)
    kinds = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) if eqx.is_array(a) else a for a in leaves)
    key = kinds, form, x.shape, x.dtype
    try:
        hash(key)
    except TypeError:  # a function of the user's may have none
        return _force_shape.__wrapped__(*key)
    return _force_shape(*key)


@functools.lru_cache(maxsize=64)
def _force_shape(kinds, form, shape, dtype) -> tuple[int, ...]:
    field = lambda attention, t, x: attention_at(attention, t)(x)
    t, x = jax.ShapeDtypeStruct((), dtype), jax.ShapeDtypeStruct(shape, dtype)
    return eqx.filter_eval_shape(field, jax.tree.unflatten(form, kinds), t, x).shape


def for_each_token(
    function: Callable[[Float[Array, " d"]], Float[Array, " d"]], x: Points
) -> Points:
    """The function of each of the points x [n, d]; ValueError if its values are not in R^d."""
    values = as_array(jax.vmap(function)(x), "the values of a function")
    if values.shape != x.shape:  # a sum would repeat a single output d times
        raise ValueError(
            f"expected a function from R^{x.shape[1]} to itself, got values of shape "
            f"{list(values.shape[1:])}; make it as equinox.nn.MLP(d, d, width, depth, key=key)."
        )
    return _in_precision_of(x, values)


def _in_precision_of(x: Points, values: Array) -> Points:
    """What a function of the user returned for the points x, in their precision."""
    if jnp.iscomplexobj(values):
        raise ValueError(
            f"expected a function of real values, got {values.dtype}; return jax.numpy.real of them."
        )
    return values.astype(x.dtype)
