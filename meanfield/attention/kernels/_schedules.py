import abc
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_callable, check_finite, check_instances, guard
from ..._door import AbstractChecked
from ..._hooks import default
from ..._typing import Scalar
from ._base import AbstractAttention


class AbstractSchedule(AbstractChecked):
    """An attention, or an MLP, that changes with time."""

    @abc.abstractmethod
    def __call__(self, t: Scalar) -> Any:
        """The attention at time t, or the MLP."""

    @default
    def jumps(self) -> Float[Array, " layers"] | None:
        """The times at which it jumps, on which a solver must land; None, by default, if it is smooth."""
        return None


class Varying(AbstractSchedule):
    """An attention, or an MLP, whose matrices are smooth functions of time: `function(t)` is that at time t.

    `Varying(lambda t: Softmax(1.0, query=jax.scipy.linalg.expm(t * V)))`
    """

    function: Callable[[Scalar], Any]

    def __call__(self, t: Scalar) -> Any:
        return self.function(jnp.asarray(t))


class Layers(AbstractSchedule):
    """An attention, or an MLP, that is constant on each layer: the l-th one from times[l] until times[l+1].

    `Layers([Softmax(1.0, value=v) for v in values], times=[0., 1., 2.])`. All layers need the same
    structure; MLPs, for `AttentionFlow(..., mlp=Layers(mlps, times))`, are modules of equinox. Before
    times[0] the first holds, after the last time the last.

    Raises ValueError if there is not one increasing time a layer, or if structures differ.
    """

    layers: eqx.Module
    times: Float[Array, " layers"]

    def __init__(self, layers: Sequence[eqx.Module], times):
        times = check_finite(times, "times")
        remedy = "pass layers=[Softmax(1.0), ...]"
        layers = check_instances(layers, eqx.Module, "attentions for layers", remedy)
        for layer in layers:
            check_callable(layer, "each of layers", remedy)
        if times.shape != (len(layers),):
            raise ValueError(
                f"expected one time a layer, got {len(layers)} layers and times of shape "
                f"{list(times.shape)}; pass the time at which each layer begins."
            )
        guard(times, (jnp.diff(times) > 0).all(), "expected increasing times; sort the layers.")
        if len({jax.tree.structure(layer) for layer in layers}) > 1:
            raise ValueError(
                "expected layers of one structure, got different ones; "
                "give every layer the same matrices (the identity where one has none)."
            )
        parts = [eqx.partition(layer, eqx.is_array) for layer in layers]
        arrays = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(array for array, _ in parts))
        self.layers = eqx.combine(arrays, parts[0][1])
        self.times = times

    def __call__(self, t: Scalar) -> Any:
        index = jnp.searchsorted(self.times, jnp.asarray(t, self.times.dtype), side="right") - 1
        index = jnp.maximum(index, 0)
        arrays, rest = eqx.partition(self.layers, eqx.is_array)
        return eqx.combine(jax.tree.map(lambda leaf: leaf[index], arrays), rest)

    def jumps(self) -> Float[Array, " layers"]:
        return self.times


def attention_at(attention: AbstractAttention | AbstractSchedule, t: Scalar) -> AbstractAttention:
    """The attention that holds at time t: itself, unless it is a schedule."""
    return at(attention, t)


def at(part: Any, t: Scalar) -> Any:
    """The attention or the MLP that holds at time t: itself, unless it is a schedule."""
    return part(t) if isinstance(part, AbstractSchedule) else part
