"""Every solver converges at its order, and fixed Euler steps are the published loop."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow, FokkerPlanck
from meanfield.geometry import Sphere
from meanfield.harmonics import Gegenbauer
from meanfield.solve.methods._diagonal_newton import DiagonalNewton
from meanfield.solve.methods._implicit_explicit import implicit_explicit

SPHERE = Sphere(3)
FLOW = AttentionFlow(SPHERE, Softmax(2.0))
START = SPHERE.sample(jax.random.key(1), 6)
TS = jnp.array([0.0, 2.0])
# The steps lie where the leading term of the error dominates, and rounding does not yet.
DEFAULT = [(diffrax.Euler(), 1, 64)]
OTHERS = [
    (diffrax.Heun(), 2, 32),
    (diffrax.Tsit5(), 5, 8),
    (diffrax.Midpoint(), 2, 32),
    (diffrax.Ralston(), 2, 32),
    (diffrax.Bosh3(), 3, 16),
    (diffrax.Dopri5(), 5, 8),
    (diffrax.Dopri8(), 8, 3),
]
SOLVERS = [
    pytest.param(*case, marks=marks, id=type(case[0]).__name__)
    for cases, marks in ((DEFAULT, ()), (OTHERS, pytest.mark.slow))
    for case in cases
]


@pytest.fixture(scope="module")
def exact():
    return mf.simulate(FLOW, START, TS, tol=1e-13, solver=diffrax.Dopri8()).final


def slope(x, y):
    return np.polyfit(np.log(x), np.log(y), 1)[0]


@pytest.mark.parametrize(("solver", "order", "least"), SOLVERS)
def test_order_of_convergence(exact, solver, order, least):
    steps = 2.0 / (least * jnp.array([1.0, 1.5, 2.0, 3.0]))
    run = jax.jit(jax.vmap(lambda dt: mf.simulate(FLOW, START, TS, solver=solver, dt=dt).final))
    errors = jnp.abs(run(steps) - exact).max(axis=(1, 2))
    # The next term of the error changes the slope by about the relative size of a step. High orders
    # have leading coefficients so small that the next order shows before rounding hides both.
    beyond = slope(steps, errors) - order
    assert -0.1 < beyond < 0.1 if order < 5 else -0.3 < beyond < 0.7


IMEX = [
    diffrax.KenCarp4(root_finder=DiagonalNewton()),
    diffrax.KenCarp3(root_finder=DiagonalNewton()),
    diffrax.Sil3(root_finder=DiagonalNewton()),
    implicit_explicit(),
]


@pytest.mark.slow  # their answers are held in tests of equations for densities
@pytest.mark.parametrize("solver", IMEX, ids=lambda solver: type(solver).__name__)
def test_order_of_implicit_explicit_methods(solver):
    equation = FokkerPlanck(Gegenbauer(3, 8), Softmax(2.0), 0.2)
    start = jnp.zeros(9).at[:3].set(jnp.array([1.0, 0.3, 0.1]))
    run = jax.jit(jax.vmap(lambda dt: mf.simulate(equation, start, TS, solver=solver, dt=dt).final))
    # At 1/8 and less, diffusion (72 nu = 14 at most) is resolved, so that no stage order shows.
    ends = run(2.0 / (16 * jnp.array([1.0, 1.5, 2.0, 3.0, 24.0])))
    errors = jnp.abs(ends[:-1] - ends[-1]).max(axis=1)
    steps = 2.0 / (16 * np.array([1.0, 1.5, 2.0, 3.0]))
    # The reference errs by 8^-order of the last at the most. Slopes as above.
    beyond = slope(steps, errors) - solver.order(None)
    assert -0.3 < beyond < 0.7


def test_adaptive_error_is_proportional_to_the_tolerance(exact):
    tols = jnp.array([1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9])
    run = jax.jit(jax.vmap(lambda tol: mf.simulate(FLOW, START, TS, tol=tol).final))
    errors = jnp.abs(run(tols) - exact).max(axis=(1, 2))
    # The error of a step is h^5, and h is chosen as tol^(1/5); which steps fit an interval of this
    # length scatters each error by a factor of about 2 over 5 decades, and the slope by .1.
    assert abs(slope(tols, errors) - 1) < 0.15
    assert (errors < 10 * tols).all()


def attention(x, beta):
    weights = np.exp(beta * x @ x.T)
    return weights @ x / weights.sum(axis=1, keepdims=True)


def test_euler_steps_are_euler_and_renormalize():
    x = np.asarray(START)
    for _ in range(20):
        v = attention(x, 2.0)
        x = x + 0.1 * (v - np.sum(x * v, axis=1, keepdims=True) * x)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    out = mf.simulate(FLOW, START, TS, solver=diffrax.Euler(), dt=0.1)
    # Twenty steps of a few roundings each.
    np.testing.assert_allclose(out.final, x, atol=1e-13)
