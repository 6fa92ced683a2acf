"""Attention, alone and with its gradient, as one compiled program, which those of one structure share."""

import equinox as eqx
import jax
import jax.numpy as jnp


@eqx.filter_jit
def attend(attention, *points):
    """The field."""
    return attention(*points)


@eqx.filter_jit
def value_and_gradient(attention, x, y, w):
    """The field, and the gradient of a fixed combination of it in everything that it depends on."""

    def combination(arguments):
        attention, x, y, w = arguments
        field = attention(x, y, w)
        pattern = jnp.cos(jnp.arange(field.size, dtype=field.dtype)).reshape(field.shape)
        return jnp.sum(pattern * field), field

    gradient, field = eqx.filter_grad(combination, has_aux=True)((attention, x, y, w))
    return field, jax.tree.leaves(gradient)
