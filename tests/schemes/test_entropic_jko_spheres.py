"""Entropic minimizing movements on spheres: modes of heat, stationary laws, the PDE, random runs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from meanfield.attention import Unnormalized, exponential
from meanfield.dynamics import FokkerPlanck
from meanfield.energies import Entropy, Interaction, Potential
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics
from meanfield.schemes import EntropicJKO
from meanfield.solve import rollout, simulate
from meanfield.transport import GeodesicGrid, HeatGrid


def height(kappa, axis, x):
    return -kappa * x[axis]


def pull(kappa, axis=0):
    return Potential(Partial(height, jnp.asarray(kappa), axis))


SLOW = pytest.mark.slow


def mode_factors(basis, scheme, most):
    """What a step multiplies the harmonics of degree 1 to `most` by, about the uniform law."""
    size, low = 1e-5, (basis.degrees > 0) & (basis.degrees <= most)
    coeffs = jnp.where(low, 2 + jnp.cos(jnp.arange(basis.size)), 0)  # none near 0
    ripple = size * basis.synthesize(coeffs)
    both = jnp.stack([1 + ripple, 1 - ripple])
    up, down = jax.jit(lambda s: jax.lax.map(lambda r: scheme.step(r, None)[0], s))(both)
    return np.asarray(basis.analyze((up - down) / (2 * size)))[low] / coeffs[low], low


@pytest.mark.parametrize(
    "basis, rounds",
    [
        (Fourier(12), 24),
        (SphericalHarmonics(9), 1),
        pytest.param(Fourier(12), 1, marks=SLOW),
        pytest.param(Gegenbauer(8, 12), 1, marks=SLOW),
    ],
    ids=str,
)
def test_modes_of_heat_and_attention(basis, rounds):
    nu, tau, epsilon, beta = 0.7, 0.8, 0.7, 2.0
    energy = nu * Entropy() - Interaction(beta, offset=beta)
    scheme = EntropicJKO(HeatGrid(basis), energy, tau, epsilon, rounds=rounds, tol=1e-13)
    factors, low = mode_factors(basis, scheme, 3)
    attraction = np.asarray(basis.multipliers(exponential(jnp.asarray(beta))))[low] / beta
    rates = np.asarray(basis.eigenvalues)[low]
    # A mode that the heat kernel multiplies by s has potentials f, g with f + s g and g + s f for its
    # old and new size; with itself (1 + s) h. The optimum of the step at the old slope, and at the new:
    half = rates * tau * epsilon / 2
    explicit, implicit = epsilon / 2 / np.tanh(half), epsilon / 2 / np.sinh(half)
    if rounds == 1:
        exact = (explicit + attraction) / (explicit + nu)
    else:
        exact = implicit / (implicit + nu - attraction)
    # The differences are rounded to 1e-16/size, and err by the square of the size. Each of 24 rounds
    # contracts by (attraction + explicit - implicit)/(explicit + nu), at most .37: 5e-11 is left.
    np.testing.assert_allclose(factors, exact, rtol=1e-8)
    # Both are 1/(rates tau) + O(epsilon^2), the exact minimizing movement: coth x = 1/x + x/3 - ...
    limit = 1 / (rates * tau)
    assert (np.abs(explicit / limit - 1) <= half**2 / 3).all()


STATIONARY = {"kappa": 2.0, "nu": 0.5}


@pytest.fixture(scope="module")
def settled():
    """A run from the uniform law to the stationary one, by domain and axis of the pull."""

    @functools.cache
    def end(domain, axis):
        kappa, nu = STATIONARY.values()
        scheme = EntropicJKO(domain, nu * Entropy() + pull(kappa * nu, axis), 2.0, 0.6)
        observe = {"coefficients": domain.basis.analyze}
        return rollout(scheme, jnp.ones(len(domain.weights)), 12, observe=observe)

    return end


DOMAINS = [
    pytest.param(GeodesicGrid(Fourier(12)), 0, marks=SLOW),
    (HeatGrid(Gegenbauer(3, 10)), 0),
    (HeatGrid(SphericalHarmonics(10)), 2),
    pytest.param(GeodesicGrid(Gegenbauer(8, 16)), 0, marks=SLOW),
]


@pytest.mark.parametrize("domain, axis", DOMAINS, ids=str)
def test_von_mises_fisher_laws_are_reached(domain, axis, settled):
    end = settled(domain, axis)
    law = domain.evaluate(lambda x: jnp.exp(STATIONARY["kappa"] * x[axis]))
    # Each step divides what is missing by 1 + nu tau lambda_1 >= 2 or more: 2^-12 of it is left.
    assert float(domain.weights @ jnp.abs(end.final - law)) < 1e-3
    assert float(end.stats["rise"].max()) < 0
    assert end.stats["converged"].all()


def test_zonal_densities_are_those_of_the_sphere(settled):
    zonal, whole = (settled(*DOMAINS[i]).values["coefficients"] for i in (1, 2))
    degrees = np.arange(11)
    # The zonal harmonics about the pole z have the indices l^2 + l. The same kernel and Gauss nodes:
    # what differs is the end of Sinkhorn's iterations, at 1e-10.
    np.testing.assert_allclose(whole[:, degrees**2 + degrees], zonal, atol=1e-8)


@pytest.mark.parametrize(
    "basis", [pytest.param(b, marks=SLOW) for b in (Fourier(24), Gegenbauer(8, 24))], ids=str
)
def test_order_one_in_time_against_the_mean_field_equation(basis):
    """The free energy of unnormalized attention, with a pull, by minimizing movements and as a PDE."""
    beta, nu, kappa, epsilon, end = 2.0, 0.4, 0.3, 0.3, 0.4
    domain = GeodesicGrid(basis)
    start = domain.evaluate(lambda x: 1 + 0.5 * x[0])
    energy = nu * Entropy() - Interaction(beta) + pull(kappa)
    errors = []
    fp = FokkerPlanck(basis, Unnormalized(beta), nu, pull(kappa).function)
    exact = simulate(fp, basis.analyze(start), jnp.array([0.0, end]), tol=1e-8).final
    for repeats in (1, 2, 4):
        scheme, state = EntropicJKO(domain, energy, end / (4 * repeats), epsilon), start
        for _ in range(repeats):
            state = rollout(scheme, state, 4).final
        errors.append(float(jnp.linalg.norm(basis.analyze(state) - exact)))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    # The next order in tau changes the first by about tau times a rate of order one.
    assert (np.abs(orders - 1) < [0.3, 0.15]).all()
    assert errors[-1] < 0.05


def trial(domain, key):
    """The greatest rise of energy, and error, in four steps of a random problem from a random start."""
    keys = jax.random.split(key, 6)
    tau = 10 ** jax.random.uniform(keys[0], minval=-1, maxval=1)
    nu = 10 ** jax.random.uniform(keys[1], minval=-0.5, maxval=0.5)
    epsilon = nu * jax.random.uniform(keys[2], minval=0.5, maxval=1.5)
    beta = jax.random.uniform(keys[3], minval=0.5, maxval=3)
    kappa = jax.random.normal(keys[4])
    energy = nu * Entropy() - Interaction(beta, offset=beta) + pull(kappa)
    scheme = EntropicJKO(domain, energy, tau, epsilon)
    rough = jax.random.normal(keys[5], domain.weights.shape)
    start = jnp.exp(2 * rough)

    def body(state, _):
        new, info = scheme.step(state, None)
        return new, (info["rise"], info["error"], info["minimum"])

    start = start / (domain.weights @ start)
    _, (rise, error, least) = jax.lax.scan(body, start, length=4)
    return rise.max(), error.max(), least.min()


def check_trials(domain, count):
    keys = jax.random.split(jax.random.key(3), count)
    rise, error, least = jax.jit(lambda k: jax.lax.map(Partial(trial, domain), k))(keys)
    assert float(error.max()) < 1e-9
    assert float(least.min()) > 0
    # What Sinkhorn leaves of the marginals, 1e-10, times potentials below 10.
    assert float(rise.max()) < 1e-9


def test_the_energy_falls_at_every_step():
    check_trials(GeodesicGrid(Gegenbauer(3, 16)), 10)


@pytest.mark.slow
@pytest.mark.parametrize("basis", [Fourier(24), Gegenbauer(3, 24), Gegenbauer(8, 24)], ids=str)
def test_the_energy_falls_at_every_step_of_two_hundred_runs(basis):
    check_trials(GeodesicGrid(basis), 200)
