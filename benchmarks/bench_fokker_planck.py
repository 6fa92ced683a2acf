"""A density on the circle: a run under noise and a potential to T = 1, and steps under attention."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf

from ._contest import Contest, called, relative_error
from .peers import exponax_steppers, fourier, py_pde

FLOAT64 = True
NOISE, END, CELLS, BETA, STEP, DEGREE, NODES = 0.2, 1.0, 128, 4.0, 0.01, 24, 64


def contests(tiny: bool) -> Iterator[Contest]:
    """In harmonics, in finite volumes, and on py-pde's grid; the start is 1 + cos(theta)/2, V = x."""
    end = 0.1 if tiny else END
    exact = _in_cells(_spectral(48, 1e-10, end)())
    yield Contest(
        f"Fokker-Planck on the circle, T = {end:g}",
        {
            "FokkerPlanck, ExponentialRK4, 10 steps, degree 16": lambda: _spectral(16, None, end),
            "FokkerPlanck, adaptive, degree 16": lambda: _spectral(16, 1e-6, end),
            "ScharfetterGummel, step 0.01": lambda: _volumes(end),
            "exponax, 10 steps, 32 nodes": lambda: exponax_steppers.circle(
                _angles()[::4], NOISE, end, 10
            ),
            "py-pde, adaptive": lambda: py_pde.circle(CELLS, NOISE, end),
        },
        error=lambda found: _error_in_cells(found, exact),
        error_is="largest distance to degree 48 at 1e-10, over the largest value",
        facts={"cells": CELLS, "noise": NOISE, "dtype": "float64"},
        repeats=5,
    )
    yield _steps(1)
    yield _steps(10 if tiny else 100)


def _in_cells(found) -> np.ndarray:
    """Values in cells, of Fourier coefficients, whose number is odd; of values, themselves."""
    found = np.asarray(found)
    if len(found) % 2 == 0:
        return found
    return np.asarray(
        mf.harmonics.Fourier(len(found) // 2).evaluate(jnp.asarray(found), _centres())
    )


def _error_in_cells(found, exact: np.ndarray) -> float:
    values = _in_cells(found)
    return relative_error(values[:, None], exact[:: CELLS // len(values), None])


def _steps(count: int) -> Contest:
    """Steps of softmax attention with noise, from 1 + cos(theta)/2, as one call each."""
    basis, attention = mf.harmonics.Fourier(DEGREE), mf.attention.Softmax(BETA)
    flow, solver = mf.dynamics.FokkerPlanck(basis, attention, NOISE), mf.solve.ExponentialRK4()
    scheme = mf.schemes.ScharfetterGummel(basis, attention, NOISE, STEP, CELLS)
    start, ts = basis.analyze(1 + 0.5 * jnp.cos(basis.nodes)), jnp.array([0.0, count * STEP])
    cells = 1 + 0.5 * _centres()[:, 0]
    how_many = "a step" if count == 1 else f"{count} steps"
    return Contest(
        f"Fokker-Planck with attention on the circle, {how_many} of {STEP:g}",
        {
            f"FokkerPlanck, ExponentialRK4, degree {DEGREE}": lambda: called(
                lambda c: mf.simulate(flow, c, ts, dt=STEP, solver=solver).final, start
            ),
            f"FokkerPlanck, KenCarp5, degree {DEGREE}": lambda: called(
                lambda c: mf.simulate(flow, c, ts, dt=STEP).final, start
            ),
            "ScharfetterGummel": lambda: called(
                lambda c: mf.rollout(scheme, c, count).final, cells
            ),
            "exponax": lambda: exponax_steppers.steps(NODES, BETA, NOISE, STEP, count),
            "NumPy, FFT and RK4": lambda: fourier.steps(NODES, BETA, NOISE, STEP, count),
        },
        error=_error_of_steps(basis, attention, ts),
        error_is="largest distance to steps of an eighth at twice the degree, over the largest value",
        facts={"cells": CELLS, "beta": BETA, "noise": NOISE, "dtype": "float64"},
        repeats=5,
    )


def _error_of_steps(basis, attention, ts) -> Callable[..., float]:
    """The distance of a result, in its own form, to steps of an eighth at twice the degree."""
    centres, nodes, finer = _centres(), _nodes(), mf.harmonics.Fourier(2 * DEGREE)
    reference = mf.dynamics.FokkerPlanck(finer, attention, NOISE)
    exact = jax.jit(lambda c: mf.simulate(reference, c, ts, dt=STEP / 8).final)(
        finer.analyze(1 + 0.5 * jnp.cos(finer.nodes))
    )

    def error(result) -> float:
        """Coefficients, values in cells, or values at nodes."""
        at = centres if len(result) == CELLS else nodes
        values = basis.evaluate(result, at) if len(result) == basis.size else np.asarray(result)
        return relative_error(values[:, None], finer.evaluate(exact, at)[:, None])

    return error


def _nodes():
    angles = 2 * np.pi * np.arange(NODES) / NODES
    return jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def potential(x):
    """V = x_1."""
    return x[0]


def _angles() -> np.ndarray:
    return 2 * np.pi * (np.arange(CELLS) + 0.5) / CELLS


def _centres():
    return jnp.asarray(np.stack([np.cos(_angles()), np.sin(_angles())], axis=1))


def _spectral(degree: int, tol: float | None, end: float):
    """A run of KenCarp5 to a tolerance, or of ten exponential steps."""
    basis = mf.harmonics.Fourier(degree)
    flow = mf.dynamics.FokkerPlanck(basis, None, NOISE, potential)
    start = basis.analyze(1 + 0.5 * jnp.cos(basis.nodes))

    how = {"dt": end / 10, "solver": mf.solve.ExponentialRK4()} if tol is None else {"tol": tol}

    return called(lambda c: mf.simulate(flow, c, jnp.array([0.0, end]), **how).final, start)


def _volumes(end: float):
    basis, tau = mf.harmonics.Fourier(16), 0.01
    scheme = mf.schemes.ScharfetterGummel(basis, None, NOISE, tau, CELLS, potential)
    start = 1 + 0.5 * _centres()[:, 0]
    steps = round(end / tau)
    return called(lambda start: mf.rollout(scheme, start, steps).final, start)
