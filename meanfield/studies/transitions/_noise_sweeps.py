"""Attention with noise that is slowly raised or lowered: as a density, and as tokens."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._typing import Key, Points, Scalar
from ...attention.kernels import AbstractAttention
from ...dynamics.densities import FokkerPlanck
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...harmonics import Gegenbauer
from ...landscape.densities import stationary
from ...observables import mean_resultant
from ...solve import simulate
from ...solve.methods import GeodesicLM
from ..machinery import program_of_runs

NUDGE = 1e-2
"""The share of a cluster that is mixed in at each noise: a density that is exactly uniform would stay so."""
LOOKS = 200
"""Times at which the mean resultant of tokens is averaged."""


def concentrated(basis: Gegenbauer) -> Float[Array, " k"]:
    """A cluster about the axis: the heat kernel with mean resultant e^-.3."""
    return basis.heat(basis.moments(jnp.ones(1)), 0.3 / (basis.d - 1))


@eqx.filter_jit
def sweep_density(
    attention: AbstractAttention,
    basis: Gegenbauer,
    noises: Float[Array, " r"],
    start: Float[Array, " k"],
    wait: Scalar,
) -> tuple[Float[Array, "r k"], Bool[Array, " r"]]:
    """The density after a time `wait` at each noise in turn, brought to rest; and whether all went well.

    The Fokker-Planck equation picks the state, from where the last noise left it, and Newton's method
    takes off what is left of the transient.
    """

    def rung(coeffs, noise):
        equation = FokkerPlanck(basis, attention, noise)
        times = jnp.stack([jnp.zeros_like(wait), wait])
        nudged = (1 - NUDGE) * coeffs + NUDGE * concentrated(basis)
        run = simulate(equation, nudged, times, tol=1e-4, throw=False)
        rest = stationary(equation, run.final, throw=False)
        return rest.coeffs, (rest.coeffs, run.ok & rest.converged)

    return jax.lax.scan(rung, start, noises)[1]


@program_of_runs
@partial(jax.vmap, in_axes=(None, None, 0, 0, None, None))
def sweep_tokens(
    attention: AbstractAttention,
    noises: Float[Array, " r"],
    start: Points,
    key: Key,
    wait: Scalar,
    dt: Scalar,
) -> tuple[Float[Array, " r"], Bool[Array, " r"]]:
    """The mean resultant of tokens [replicas, r], averaged over a second `wait` at each noise."""
    times = jnp.append(0.0, wait * jnp.linspace(1.0, 2.0, LOOKS))

    def rung(x, step):
        noise, key = step
        flow = AttentionFlow(Sphere(x.shape[1]), attention, noise=noise)
        observe = {"order": mean_resultant}
        options = {"dt": dt, "solver": GeodesicLM(flow.geometry)}
        run = simulate(flow, x, times, observe=observe, key=key, throw=False, **options)
        return run.final, (run.values["order"][1:].mean(), run.ok)

    return jax.lax.scan(rung, start, (noises, jax.random.split(key, len(noises))))[1]
