"""The phase diagram of arXiv 2312.10794, figure 3, at d = 128: some of its columns, all its starts."""

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
    """The study of this name by the flow, and by the published layers, which are another dynamics: they
    lag behind the flow, so that each is held against itself. The target is for all columns."""
    whole = PhaseDiagram(dimensions=(D,))
    clouds = Uniform(D).sample(jax.random.key(0), whole.realizations * whole.n)
    clouds = clouds.reshape(whole.realizations, whole.n, D)
    for faithful, betas in ((False, 9), (True, 3)):
        study = replace(whole, betas=betas, faithful=faithful)
        if tiny:
            study = replace(study, betas=2, realizations=SOME, end=1.0, checkpoints=5)
        yield _contest(study, clouds[: study.realizations], whole.betas)


def _contest(study: PhaseDiagram, clouds, columns: int) -> Contest:
    betas = jnp.asarray(study.inverse_temperatures(0), jnp.float32)
    starts = within_span(clouds).astype(jnp.float32)  # as the study does: d falls to n
    fine = replace(study, tol=1e-8)
    exact = _shares(jax.jit(functools.partial(_met, fine))(betas.astype(float), _some(starts)))
    ours, theirs, same = "simulate", "NumPy, Euler at 0.1", "a run at tolerance 1e-8"
    if study.faithful:
        ours, theirs, same = "layers", "NumPy, the same layers", "the same layers in float64"
    by = " by the published layers" if study.faithful else ""
    return Contest(
        f"phase diagram{by}, d = {D}, {len(betas)} of {columns} columns, {len(starts):,} starts",
        {
            ours: lambda: compiled(functools.partial(_met, study), betas, starts),
            theirs: lambda: _loop(study, betas, clouds.astype(jnp.float32)),
        },
        error=lambda met: float(np.abs(_shares(met) - exact).max()),
        error_is=f"largest distance of a probability, at all times, to {same}, {SOME} starts",
        facts={"n": study.n, "d": D, "tol": study.tol, "dtype": "float32", "seed": 0},
        limits={} if study.faithful else {"seconds": (None, 60.0 * MINUTES)},
        fraction=len(betas) / columns,
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
    """The vectorized NumPy of the papers, which looks at the pairs as often."""

    def look(x):
        return np.sum(x[:, 0::2] * x[:, 1::2], axis=-1) >= 1 - study.delta

    every = study.substeps
    steps = every * study.checkpoints
    runs = [
        numpy_loop.watched(
            starts, float(beta), study.step(), steps, every, look, tangent=not study.faithful
        )
        for beta in np.array(betas)
    ]
    return lambda: np.stack([np.moveaxis(run(), 0, 1) for run in runs])


def _some(starts):
    """A few of the starts, in float64."""
    return starts[:SOME].astype(float)


def _shares(met) -> np.ndarray:
    """The probabilities [betas, times], from the starts that the reference has too."""
    return np.asarray(met)[:, :SOME].mean(axis=(1, 3))
