"""The phase diagram of arXiv 2312.10794, figure 3, at d = 128: a tenth of its columns, all its starts."""

import functools
from collections.abc import Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from meanfield.measures import Uniform
from meanfield.studies import PhaseDiagram
from meanfield.studies.machinery import disjoint_products, within_span

from ._contest import Contest, compiled
from .peers import numpy_loop

FLOAT64 = True  # for the reference; the tokens are float32
D, SOME, MINUTES = 128, 32, 5


def contests(tiny: bool) -> Iterator[Contest]:
    """The study of this name, by the flow and by the published layers; the target is for all columns."""
    whole = PhaseDiagram(dimensions=(D,))
    study = replace(whole, betas=9)
    if tiny:
        study = replace(study, betas=2, realizations=SOME, end=1.0, checkpoints=5)
    betas = jnp.asarray(study.inverse_temperatures(0), jnp.float32)
    clouds = Uniform(D).sample(jax.random.key(0), study.realizations * study.n)
    clouds = clouds.reshape(study.realizations, study.n, D)
    starts = within_span(clouds).astype(jnp.float32)  # as the study does: d falls to n
    fine = replace(study, tol=1e-8)
    exact = _shares(jax.jit(functools.partial(_met, fine))(betas.astype(float), _some(starts)))
    layers = replace(study, faithful=True)
    yield Contest(
        f"phase diagram, d = {D}, {len(betas)} of {whole.betas} columns, {len(starts):,} starts",
        {
            "simulate": lambda: compiled(functools.partial(_met, study), betas, starts),
            "layers": lambda: compiled(functools.partial(_met, layers), betas, starts),
            "NumPy, Euler at 0.1": lambda: _loop(study, betas, clouds.astype(jnp.float32)),
        },
        error=lambda met: float(np.abs(_shares(met) - exact[:, -met.shape[2] :]).max()),
        error_is=f"largest distance of a probability to a run at tolerance 1e-8, {SOME} starts; "
        "layers lag behind the flow, and NumPy looks at the end alone",
        facts={"n": study.n, "d": D, "tol": study.tol, "dtype": "float32", "seed": 0},
        limits={"seconds": (None, 60.0 * MINUTES)},
        fraction=len(betas) / whole.betas,
        repeats=1,
    )


def _met(study: PhaseDiagram, betas, starts):
    """Which disjoint pairs have met: [betas, starts, times, pairs]."""

    def at(beta):
        def watch(x):
            observe = {"products": disjoint_products}
            return study.follow(study.attention(beta), x, observe)[0]["products"]

        return jax.vmap(watch)(starts) >= 1 - study.delta

    return jax.lax.map(at, betas)


def _loop(study: PhaseDiagram, betas, starts):
    """The vectorized NumPy of the papers: Euler steps of which the last is looked at."""
    runs = [
        numpy_loop.euler(starts, float(beta), 0.1, round(study.end / 0.1))
        for beta in np.array(betas)
    ]

    def look(x):
        return np.sum(x[:, 0::2] * x[:, 1::2], axis=-1)[:, None] >= 1 - study.delta

    return lambda: np.stack([look(run()) for run in runs])


def _some(starts):
    """A few of the starts, in float64."""
    return starts[:SOME].astype(float)


def _shares(met) -> np.ndarray:
    """The probabilities [betas, times], from the starts that the reference has too."""
    return np.asarray(met)[:, :SOME].mean(axis=(1, 3))
