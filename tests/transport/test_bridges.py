"""Schedules against quadrature of the largest stretch, bridges against Sinkhorn on a grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.integrate import quad
from scipy.linalg import sqrtm

from meanfield.harmonics import Gegenbauer
from meanfield.measures import HeatKernel
from meanfield.transport import best_schedule, gaussian_bridge, solve
from meanfield.transport.densities import HeatGeometry


def steepest(low, high, t):
    return max((high - 1) / (1 + (high - 1) * t), (1 - low) / (1 - (1 - low) * t))


@pytest.mark.parametrize(
    ("low", "high", "best", "straight"),
    [(0.1, 10.0, 3.409496, 9.0), (0.5, 3.0, 1.139434, 2.0), (0.8, 1.1, None, 0.25),
     (0.2, 0.6, None, 4.0), (2.0, 5.0, None, 4.0), (0.5, 1.0, None, 1.0)],
)  # fmt: skip
def test_schedules(low, high, best, straight):
    schedule = best_schedule(low, high)
    if best is not None:
        assert schedule.lipschitz == pytest.approx(best, abs=5e-7)
    assert schedule.straight == pytest.approx(straight, abs=1e-13)
    total = quad(lambda t: steepest(low, high, t), 0, 1, points=[float(schedule.switch)])[0]
    assert schedule.lipschitz == pytest.approx(total, abs=1e-7)
    # At all times the constant is the same: tau' L(tau).
    s = jnp.array([0.02, 0.3, 0.7, 0.95])
    paces = jax.vmap(jax.grad(schedule))(s)
    stretch = [steepest(low, high, float(t)) for t in schedule(s)]
    np.testing.assert_allclose(paces * np.array(stretch), total, atol=1e-7)
    np.testing.assert_allclose(schedule(jnp.array([0.0, 1.0])), [0.0, 1.0], atol=1e-13)


def test_no_map_takes_no_schedule():
    schedule = best_schedule(1.0, 1.0)
    assert schedule.lipschitz == 0 and schedule(0.3) == 0.3
    check_refused(lambda: best_schedule(2.0, 1.0), "low <= high")


def test_bridge_of_numbers():
    bridge = gaussian_bridge(1.0, 4.0, 1.0)
    assert bridge.cross[0, 0] == pytest.approx(1.561553, abs=5e-7)
    assert bridge.covariance(0.5)[0, 0] == pytest.approx(2.280776, abs=5e-7)
    assert bridge.covariance(0.25)[0, 0] == pytest.approx(1.585582, abs=5e-7)
    assert bridge.divergence == pytest.approx(0.2156068, abs=5e-8)


def test_bridge_of_matrices():
    """In R^2: the coupling is of the form of Sinkhorn, and small noise gives the optimal map."""
    A, B, s = np.array([[1.0, 0.3], [0.3, 0.5]]), np.array([[2.0, -0.4], [-0.4, 1.0]]), 0.8
    bridge = gaussian_bridge(A, B, s)
    joint = np.block([[A, np.asarray(bridge.cross)], [np.asarray(bridge.cross).T, B]])
    # The precision couples start and end as the reference does: -I/s^2 off the diagonal.
    np.testing.assert_allclose(np.linalg.inv(joint)[:2, 2:], -np.eye(2) / s**2, atol=1e-10)
    reference = np.block([[A, A], [A, A + s**2 * np.eye(2)]])
    ratio = np.linalg.solve(reference, joint)
    divergence = (np.trace(ratio) - 4 - np.linalg.slogdet(ratio)[1]) / 2
    assert bridge.divergence == pytest.approx(divergence, abs=1e-12)
    np.testing.assert_allclose(bridge.covariance(1.0), B, atol=1e-12)
    mixed = (A + B + bridge.cross + bridge.cross.T + s**2 * np.eye(2)) / 4
    np.testing.assert_allclose(bridge.covariance(0.5), mixed, atol=1e-12)
    root = np.real(sqrtm(A))
    optimal = root @ np.real(sqrtm(root @ B @ root)) @ np.linalg.inv(root)
    np.testing.assert_allclose(gaussian_bridge(A, B, 1e-4).cross, optimal, atol=1e-7)


def test_the_bridge_between_heat_kernels_is_brownian_motion():
    """On S^2, from p_.2 to p_.5 in time .3: the coupling of Sinkhorn is free of a drift, and is at
    p_.35 half way."""
    basis, time = Gegenbauer(3, 20), 0.3
    law = lambda t: jnp.exp(HeatKernel(3, t).log_density(basis.points))
    masses = lambda t: basis.weights * law(t) / (basis.weights @ law(t))
    start, end = masses(0.2), masses(0.5)
    found = solve(HeatGeometry(basis, jnp.asarray(time), jnp.asarray(1.0)), start, end, tol=1e-12)
    assert found.converged
    # plan = start p_T weights: e^f is constant, and end e^g as uniform.
    assert jnp.ptp(found.f) < 1e-9
    assert jnp.ptp(jnp.log(end / basis.weights) + found.g) < 1e-9
    half = HeatGeometry(basis, jnp.asarray(time / 2), jnp.asarray(1.0))
    halfway = half.apply_kernel(start * jnp.exp(found.f)) * half.apply_kernel(
        end * jnp.exp(found.g)
    )
    np.testing.assert_allclose(basis.weights * halfway, masses(0.35), atol=1e-10)


def test_bridge_refusals():
    check_refused(lambda: gaussian_bridge(jnp.eye(2), jnp.eye(3), 1.0), "one shape")
    with pytest.raises(ValueError, match="positive definite A"):
        gaussian_bridge(jnp.zeros((2, 2)), jnp.eye(2), 1.0)
    check_refused(lambda: gaussian_bridge(1.0, 1.0, 1.0).covariance(1.5), "t in")


def test_single_precision():
    """Maps that shrink a lot, noise that drowns all and noise that hardly moves: no differences."""
    single = lambda *a: [jnp.asarray(z, jnp.float32) for z in a]
    # log(1/low) from straight time until the switch at 1, for a map that nowhere grows.
    schedule = best_schedule(*single(1e-9, 1.0))
    assert schedule.lipschitz == pytest.approx(9 * np.log(10), rel=1e-6)
    assert schedule.straight == pytest.approx(1e9, rel=1e-6)
    for a, b, s in ((1.0, 4.0, 100.0), (1.0, 4.0, 1e4), (1.0, 1.0, 0.01), (1.0, 4.0, 1.0)):
        bridge, u = gaussian_bridge(*single(a, b, s)), s**2
        cross = 2 * a * b / (np.sqrt(4 * a * b + u**2) + u)
        assert bridge.cross[0, 0] == pytest.approx(cross, rel=1e-6)
        # B - C^2/A = s^2 C/A, so that s^2 drops out of the logarithm.
        exact = ((a + b - 2 * cross) / u - 1 - np.log(cross / a)) / 2
        assert bridge.divergence == pytest.approx(exact, rel=2e-6, abs=2e-7)


def test_wrong_numbers_in_a_trace_are_nan():
    assert jnp.isnan(jax.jit(lambda a: best_schedule(a, 2.0)(0.3))(3.0))
    uneven = lambda a: gaussian_bridge(jnp.array([[1.0, a], [0.0, 1.0]]), jnp.eye(2), 1.0)
    assert jnp.isnan(jax.jit(lambda a: uneven(a).divergence)(0.5))
