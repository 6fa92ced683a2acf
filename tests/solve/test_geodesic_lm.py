"""The Leimkuhler-Matthews step, and every other solver for noise, held against exact laws."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield.dynamics import Drift
from meanfield.geometry import Euclidean, Sphere
from meanfield.solve import GeodesicEuler, GeodesicLM
from meanfield.solve.methods._noise import noisy_terms

SPHERE = Sphere(3)
EXACT = 1 / np.tanh(3) - 1 / 3  # <t> under e^{3 t}
SLOW = pytest.mark.slow


def pull(x):
    return 3.0 * jnp.eye(3, dtype=x.dtype)[2]


WALK, PULLED = Drift(SPHERE, jnp.zeros_like, noise=0.5), Drift(SPHERE, pull, noise=1.0)


def spread(flow, solver, n, t, dt, start, seed=0):
    x0 = jnp.broadcast_to(jnp.asarray(start), (n, len(start)))
    key = jax.random.key(seed)
    return mf.simulate(flow, x0, jnp.array([0.0, t]), dt=dt, key=key, solver=solver).final


@pytest.mark.parametrize(
    "solver",
    [
        diffrax.SPaRK(),
        GeodesicLM(SPHERE),
        *(
            pytest.param(s, marks=SLOW)
            for s in (
                diffrax.Euler(),
                diffrax.Heun(),
                diffrax.Midpoint(),
                diffrax.Ralston(),
                diffrax.EulerHeun(),
                diffrax.GeneralShARK(),
                diffrax.SlowRK(),
            )
        ),
    ],
    ids=lambda s: type(s).__name__,
)
def test_increments_of_every_solver_are_tangent_and_isotropic(solver):
    # <x_t, x_0> has mean e^{-2 nu t}, its square (1 + 2 e^{-6 nu t})/3; the rest is shared alike by the
    # other two coordinates. Increments that are not projected leave .95 of e^{-nu t (d-1)/2} at most.
    n, nu, t = 8000, 0.5, 0.5
    x = spread(WALK, solver, n, t, 0.02, [1.0, 0.0, 0.0])
    np.testing.assert_allclose(jnp.linalg.norm(x, axis=1), 1, atol=1e-12)
    square = (1 + 2 * np.exp(-6 * nu * t)) / 3
    measured = [x[:, 0], x[:, 1], x[:, 2], x[:, 0] ** 2, x[:, 1] ** 2, x[:, 1] * x[:, 2]]
    exact = [np.exp(-2 * nu * t), 0, 0, square, (1 - square) / 2, 0]
    for part, value in zip(measured, exact, strict=True):
        # Six quantities: three standard errors; steps of nu h = .01 are biased by less than .3 of one.
        assert abs(part.mean() - value) < 3.3 * part.std() / np.sqrt(n)


@pytest.mark.parametrize(("solver", "bent"), [(diffrax.Euler(), 2.0), (diffrax.Heun(), 0.0)])
def test_the_drift_of_ito_has_the_mean_curvature_of_the_sphere(solver, bent):
    x = jnp.eye(3)
    path = diffrax.UnsafeBrownianPath(jax.ShapeDtypeStruct(x.shape, x.dtype), jax.random.key(0))
    drift, _ = noisy_terms(PULLED, PULLED.drift, solver, x, path).terms
    expected = -bent * np.eye(3)  # noise 1 times d - 1
    expected[:2, 2] += 3.0  # what the pull along e_3 has tangent to the sphere
    np.testing.assert_allclose(drift.vf(jnp.array(0.0), x, None), expected, atol=1e-14)


def test_stationary_laws_are_nearly_right_at_large_steps_on_the_sphere():
    # At h = .2 the mean of t = <x, e> is off by -.0054 with Leimkuhler and Matthews' noise, by -.094
    # with Euler's; relaxation is e^{-2 t} at the least. The Monte Carlo error is .23/sqrt(n).
    n = 20000
    found = {}
    for solver in (GeodesicLM(SPHERE), GeodesicEuler(SPHERE)):
        t = spread(PULLED, solver, n, 4.0, 0.2, [0.0, 0.0, 1.0])[:, 2]
        found[type(solver)] = float(t.mean()) - EXACT
    error = 0.23 / np.sqrt(n)
    assert abs(found[GeodesicLM] + 0.0054) < 3 * error
    assert abs(found[GeodesicEuler] + 0.094) < 3 * error


def test_the_variance_of_ornstein_and_uhlenbeck_is_exact_once_settled():
    # x' = -x in flat space: the variance is nu whatever the step, and nu/(1 - h/2) with Euler's noise.
    # From the first step on, without a drift, it is 2 nu t.
    n, h, nu = 8000, 0.5, 0.5
    line = Euclidean(1)
    settled = spread(Drift(line, lambda x: -x, noise=nu), GeodesicLM(line), n, 10.0, h, [0.0])
    assert abs(settled.var() - nu) < 3 * nu * np.sqrt(2 / n)
    for steps in (1, 2, 5):
        x = spread(Drift(line, jnp.zeros_like, noise=nu), GeodesicLM(line), n, steps * h, h, [0.0])
        variance = 2 * nu * steps * h
        assert abs(x.var() - variance) < 3 * variance * np.sqrt(2 / n)


def test_parallel_transport_turns_with_the_geodesic():
    x, v, w = jnp.array([1.0, 0, 0]), jnp.array([0, 0.7, 0.0]), jnp.array([0, 0.3, 0.5])
    # Along the equator: the part along it turns, the part across stays.
    exact = [-0.3 * np.sin(0.7), 0.3 * np.cos(0.7), 0.5]
    np.testing.assert_allclose(SPHERE.transport(x, v, w), exact, atol=1e-15)
    np.testing.assert_allclose(SPHERE.transport(x, 0 * v, w), w, atol=1e-15)
    np.testing.assert_array_equal(Euclidean(3).transport(x, v, w), w)


WRONG = (
    diffrax.ItoMilstein(),
    diffrax.StratonovichMilstein(),
    diffrax.Tsit5(),
    diffrax.SEA(),
    diffrax.ShARK(),
    diffrax.ReversibleHeun(),
    GeodesicLM(Sphere(4)),
)


@pytest.mark.parametrize("solver", WRONG, ids=lambda s: type(s).__name__)
def test_solvers_that_are_not_right_are_refused(solver):
    remedy = "geometry of the flow" if isinstance(solver, GeodesicLM) else "GeodesicLM(geometry)"
    check_refused(lambda: spread(WALK, solver, 4, 1.0, 0.1, [1.0, 0.0, 0.0]), remedy)


def test_geodesic_steps_without_noise_are_refused():
    flow = Drift(SPHERE, jnp.zeros_like)
    ts = jnp.array([0.0, 1.0])
    check_refused(
        lambda: mf.simulate(flow, jnp.eye(3), ts, dt=0.1, solver=GeodesicLM(SPHERE)),
        "diffrax.Euler()",
    )
    check_refused(lambda: mf.simulate(flow, jnp.eye(3), ts, solver=diffrax.Euler()), "pass dt=0.01")


TABLE = {
    # Errors of the long-time mean of t at h = .2, .1, .05, measured independently of this code.
    GeodesicEuler: (-0.0940, -0.0431, -0.0205),
    GeodesicLM: (-0.0054, -0.0024, -0.0007),
}


@SLOW
@pytest.mark.parametrize("kind", TABLE)
def test_errors_of_stationary_laws(kind):
    n, flow = 400_000, PULLED
    for h, known in zip((0.2, 0.1, 0.05), TABLE[kind], strict=True):
        t = spread(flow, kind(SPHERE), n, 4.0, h, [0.0, 0.0, 1.0])[:, 2]
        error = float(t.std()) / np.sqrt(n)
        # The known values have an error of .0003 of their own.
        assert abs(float(t.mean()) - EXACT - known) < 3 * np.hypot(error, 0.0003)
