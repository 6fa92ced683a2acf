"""What the study of the heat flow computes of runs, seen on runs that are exact."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.dynamics import FokkerPlanck
from meanfield.measures import HeatKernel, brownian_angle
from meanfield.studies import Heat
from meanfield.studies.heat import _heat as module

STUDY = Heat(dimensions=(3,), start=0.8, end=1.2, times=3, degree=24, volumes=32, steps=4, n=2000)
AGE, TIMES = 0.4, np.array([0.0, 0.3, 0.6])
NODES, MASSES = np.polynomial.legendre.leggauss(200)
MASSES = MASSES / 2
OFF = 0.01


def legendre(k, t):
    return np.polynomial.legendre.legval(t, np.eye(40)[k])


def density(s, t):
    k = np.arange(40)
    return np.polynomial.legendre.legval(t, (2 * k + 1) * np.exp(-k * (k + 1) * s))


def log_density(law, x):
    return jnp.log(density(float(law.t), np.asarray(x[:, 0])))


def entropy(law):
    rho = density(float(law.t), NODES)
    return -MASSES @ (rho * np.log(rho))


def sample(law, key, n):
    assert n == STUDY.n and float(law.t) == pytest.approx(AGE)
    return jnp.ones((n, 3))


def exact_run(dynamics, start, ts, *, observe, tol=None, **options):
    """Coefficients that decay, off in one that is not shown; else the quantiles of a cloud."""
    ts = np.asarray(ts)
    np.testing.assert_allclose(ts, TIMES, rtol=1e-12)
    assert float(dynamics.noise) == 1.0
    if isinstance(dynamics, FokkerPlanck):
        k = np.arange(25)
        kernel = np.sqrt(2 * k + 1) * np.exp(-k * (k + 1) * AGE)
        np.testing.assert_allclose(start, kernel, rtol=1e-10)
        found = kernel * np.exp(-ts[:, None] * k * (k + 1))
        found[:, 20] += OFF
        return SimpleNamespace(values={"c": jnp.asarray(found)})
    assert options["dt"] == pytest.approx(0.3) and options["solver"].angle == brownian_angle(3, 0.3)
    eye = jnp.eye(3)
    np.testing.assert_array_equal(dynamics.drift(jnp.zeros(()), eye, None), 0 * eye)
    assert observe["t"](eye).tolist() == [1.0, 0.0, 0.0]
    fine = np.linspace(-1, 1, 20001)
    below = [np.cumsum(density(AGE + t, fine)) for t in ts]
    levels = (np.arange(STUDY.n) + 0.5) / STUDY.n
    return SimpleNamespace(
        values={"t": jnp.asarray([np.interp(levels, b / b[-1], fine) for b in below])}
    )


def exact_steps(scheme, start, steps, *, observe):
    """Densities of the law at each step, off by OFF on one side and the other; its masses at the start."""
    assert steps == 8 and float(scheme.noise) == 1.0 and len(start) == 32
    assert float(scheme.weights @ start) == pytest.approx(1, rel=1e-12)
    t = np.asarray(scheme.points[:, 0])
    laws = [density(AGE + k * float(scheme.tau), t) + OFF * np.sign(t) for k in range(9)]
    return SimpleNamespace(values={"rho": jnp.asarray(laws)})


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        for method in (log_density, entropy, sample):
            patch.setattr(HeatKernel, method.__name__, method)
        patch.setattr(module, "simulate", exact_run)
        patch.setattr(module, "rollout", exact_steps)
        return STUDY.compute({"d": 3})


def test_errors_are_relative(found):
    k = np.arange(25)
    for i, t in enumerate(TIMES):
        norm = np.sqrt(np.sum((2 * k + 1) * np.exp(-2 * k * (k + 1) * (AGE + t))))
        np.testing.assert_allclose(found.spectral_error[i], OFF / norm, rtol=1e-9)
    np.testing.assert_allclose(found.volume_error, OFF, rtol=1e-9)


def test_times_are_relaxation_times_and_coefficients_over_the_norm_at_the_start(found):
    np.testing.assert_allclose(found.time, [0.0, 0.6, 1.2], rtol=1e-12)
    k = np.arange(25)
    norm = np.sqrt(np.sum((2 * k + 1) * np.exp(-2 * k * (k + 1) * AGE)))
    k = found.degree.values
    assert k.tolist() == [1, 2, 3, 4, 5, 6]
    expected = np.sqrt(2 * k + 1) * np.exp(-k * (k + 1) * (AGE + TIMES[:, None])) / norm
    np.testing.assert_allclose(found.decay, expected, rtol=1e-9)
    np.testing.assert_allclose(found.decay_exact, expected, rtol=1e-9)


def test_entropies_are_those_of_the_law(found):
    rho = [density(AGE + t, NODES) for t in TIMES]
    expected = [MASSES @ (each * np.log(each)) for each in rho]
    np.testing.assert_allclose(found.entropy_exact, expected, rtol=1e-12)
    # The coefficient that is off adds half its square, over densities of .3 and more.
    np.testing.assert_allclose(found.entropy, expected, atol=OFF**2 / 0.3)


def test_means_over_particles_and_their_errors(found):
    k = np.arange(1, 7)
    exact = np.exp(-k * (k + 1) * (AGE + TIMES[:, None]))
    np.testing.assert_allclose(found.cloud_exact, exact, rtol=1e-12)
    # P_k turns by k^2 at most, and quantiles err by a level of 1/n over densities of .1 and more.
    np.testing.assert_allclose(found.cloud, exact, atol=36 * 2 / 0.1 / STUDY.n**2 + 1e-4)
    for i, t in enumerate(TIMES):
        rho = MASSES * density(AGE + t, NODES)
        deviation = [
            np.sqrt(rho @ legendre(j, NODES) ** 2 - (rho @ legendre(j, NODES)) ** 2) for j in k
        ]
        np.testing.assert_allclose(
            found.cloud_error[i], np.array(deviation) / np.sqrt(STUDY.n), rtol=1e-9
        )


def test_claims_bound_what_the_runs_leave(found):
    changed = found.assign(
        decay=found.decay_exact - 0.1 * found.time / 1.2,
        cloud=found.cloud_exact - 3 * found.cloud_error,
        entropy=("time", [1.0, 0.5, 0.1]),
    )
    claims = {c.name.partition(": ")[2]: c for c in STUDY.claims_at({"d": 3}, changed)}
    assert claims["degrees 1 to 6 against e^(-k(k+d-2)t)"].measured == pytest.approx(0.1)
    assert claims["particles, in standard errors"].measured == pytest.approx(3)
    # Beckner's bound times e^(2 time): .5 e^1.2 - 1 is the largest rise.
    rises = [0.5 * np.exp(1.2) - 1, 0.1 * np.exp(2.4) - 0.5 * np.exp(1.2)]
    assert claims["growth of entropy e^(2(d-1)t)"].measured == pytest.approx(max(rises))
    gaps = np.abs(np.array([1.0, 0.5, 0.1]) - found.entropy_exact.values)
    assert claims["entropy"].measured == pytest.approx(gaps.max())
    volumes = claims["finite volumes, L1"]
    assert volumes.measured == pytest.approx(OFF)
    # h = pi/32 and tau = .6/4, each times 1 + 1/.8.
    assert volumes.expected == pytest.approx(((np.pi / 32) ** 2 * 2 + 0.15) * 2.25)
