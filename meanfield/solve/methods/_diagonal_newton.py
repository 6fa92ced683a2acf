from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Bool


class _State(eqx.Module):
    slopes: Array
    done: Bool[Array, ""]


class DiagonalNewton(optx.AbstractRootFinder):
    """One Newton step for an affine equation whose matrix is diagonal: its exact solution.

    The implicit stages of an IMEX method are of this kind when the stiff part is a diagonal decay,
    as diffusion is in a basis of harmonics; nothing is factored and nothing iterated.
    """

    # The tolerances and the norm that diffrax expects of a root finder; an exact one has no use for them.
    rtol: float = 1e-12
    atol: float = 1e-12
    norm: Callable = optx.max_norm

    def init(self, fn, y, args, options, f_struct, aux_struct, tags):
        if "init_state" in options:
            return options["init_state"]
        _, slopes = jax.jvp(lambda z: fn(z, args)[0], (y,), (jnp.ones_like(y),))
        return _State(jax.lax.stop_gradient(slopes), jnp.array(False))

    def step(self, fn, y, args, options, state, tags):
        value, aux = fn(y, args)
        return y - value / state.slopes, _State(state.slopes, jnp.array(True)), aux

    def terminate(self, fn, y, args, options, state, tags):
        return state.done, optx.RESULTS.successful

    def postprocess(self, fn, y, aux, args, options, state, tags, result):
        return y, aux, {}
