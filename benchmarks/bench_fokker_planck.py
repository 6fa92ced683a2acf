"""A density on the circle under noise and a potential to T = 1, against py-pde."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

import meanfield as mf

from ._contest import Contest, compiled, relative_error
from .peers import py_pde

FLOAT64 = True
NOISE, END, CELLS = 0.2, 1.0, 128


def contests(tiny: bool) -> Iterator[Contest]:
    """In harmonics, in finite volumes, and on py-pde's grid; the start is 1 + cos(theta)/2, V = x."""
    end = 0.1 if tiny else END
    exact = np.asarray(_spectral(48, 1e-10, end)())
    yield Contest(
        f"Fokker-Planck on the circle, T = {end:g}",
        {
            "FokkerPlanck, degree 16": lambda: _spectral(16, 1e-6, end),
            "ScharfetterGummel, step 0.01": lambda: _volumes(end),
            "py-pde, adaptive": lambda: py_pde.circle(CELLS, NOISE, end),
        },
        error=lambda values: relative_error(np.asarray(values)[:, None], exact[:, None]),
        error_is="largest distance to degree 48 at 1e-10, over the largest value",
        facts={"cells": CELLS, "noise": NOISE, "dtype": "float64"},
        repeats=5,
    )


def potential(x):
    """V = x_1."""
    return x[0]


def _centres():
    angles = 2 * np.pi * (np.arange(CELLS) + 0.5) / CELLS
    return jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def _spectral(degree: int, tol: float, end: float):
    basis, at = mf.harmonics.Fourier(degree), _centres()
    flow = mf.dynamics.FokkerPlanck(basis, None, NOISE, potential)
    start = basis.analyze(1 + 0.5 * jnp.cos(basis.nodes))

    def run(start):
        final = mf.simulate(flow, start, jnp.array([0.0, end]), tol=tol).final
        return basis.evaluate(final, at)

    return compiled(run, start)


def _volumes(end: float):
    basis, tau = mf.harmonics.Fourier(16), 0.01
    scheme = mf.schemes.ScharfetterGummel(basis, None, NOISE, tau, CELLS, potential)
    start = 1 + 0.5 * _centres()[:, 0]
    steps = round(end / tau)
    return compiled(lambda start: mf.rollout(scheme, start, steps).final, start)
