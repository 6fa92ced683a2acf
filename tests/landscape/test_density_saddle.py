"""Saddles among all densities, against those among zonal ones, which are found by other equations."""

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.attention import Unnormalized
from meanfield.dynamics import FokkerPlanck
from meanfield.energies import free_energy
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics
from meanfield.landscape import barrier, density_saddle, growth_rates, string
from meanfield.solve import SolveError

BETA, NOISE = 3.7, 1.25
USA = Unnormalized(BETA)


@pytest.fixture(scope="module")
def on_sphere():
    basis = SphericalHarmonics(8)
    return basis, FokkerPlanck(basis, USA, NOISE)


def tilted(basis):
    """A density about an axis of its own, and off it."""
    x = basis.points
    rho = jnp.exp(1.5 * x @ jnp.array([0.6, 0.0, 0.8]) + 0.2 * x[:, 0] * x[:, 1])
    return basis.analyze(rho) / basis.analyze(rho)[0]


def test_saddle_of_the_first_order_transition(on_sphere):
    """On S^2, about an axis nobody chose: that of the zonal profile, with one way down and two turns."""
    basis, equation = on_sphere
    found, wall = density_saddle(equation, tilted(basis), 1), barrier(USA, 3, NOISE)
    assert found.converged and found.index == 1 and found.orbit == 2
    # c_1m = sqrt3 int x rho. Degree 8 leaves 5e-6 of this density, and its square of the height.
    order = jnp.linalg.norm(found.coeffs[1:4]) / np.sqrt(3)
    np.testing.assert_allclose(order, wall.saddle, rtol=1e-5)
    energy, flat = free_energy(BETA, NOISE), jnp.zeros(basis.size).at[0].set(1.0)
    height = (energy.on_density(basis, found.coeffs) - energy.on_density(basis, flat)) / NOISE
    # Height is stationary in the state; its entropy is by quadrature of degree 8, which sees log rho.
    np.testing.assert_allclose(height, wall.height, rtol=1e-3)
    # Zonal perturbations grow and fall alike where no others are known.
    zonal = Gegenbauer(3, 8)
    bump = zonal.analyze(jnp.exp(1.5 * zonal.nodes))
    alone = density_saddle(FokkerPlanck(zonal, USA, NOISE), bump / bump[0], 1)
    assert alone.index == 1 and alone.orbit == 0
    for rate in alone.rates[:3]:
        assert np.abs(found.rates - rate).min() < 1e-8
    np.testing.assert_allclose(found.rates[0], alone.rates[0], rtol=1e-8)
    np.testing.assert_allclose(found.rates[1:3], 0, atol=1e-9)


def test_spectrum_of_the_uniform_law(on_sphere):
    """Degree k of 2k + 1 functions grows at lambda_k (s_k - noise): index 3 below the critical noise."""
    basis, _ = on_sphere
    near = 1e-3 * (tilted(basis) - jnp.eye(basis.size)[0]) + jnp.eye(basis.size)[0]
    for noise, index in ((NOISE, 0), (0.8 * NOISE, 3)):
        found = density_saddle(FokkerPlanck(basis, USA, noise), near, index)
        assert found.orbit == 0 and found.index == index
        rates = growth_rates(USA, 3, noise, 8)[1:]
        expected = np.sort(np.repeat(rates, 2 * np.arange(1, 9) + 1))[::-1]
        np.testing.assert_allclose(found.rates, expected, atol=1e-8 * np.abs(expected).max())


def test_saddle_on_the_circle():
    """The one that is known: r = .4440 at noise 5.3197, with one turn."""
    basis = Fourier(16)
    equation = FokkerPlanck(basis, Unnormalized(5.0), 5.3197)
    angle = basis.nodes
    bump = basis.analyze(jnp.exp(jnp.cos(angle - 1.0) + 0.1 * jnp.sin(2 * angle)))
    found = density_saddle(equation, bump / bump[0], 1)
    assert found.orbit == 1
    np.testing.assert_allclose(
        jnp.linalg.norm(found.coeffs[1:3]) / np.sqrt(2), 0.4440165, rtol=2e-7
    )


def test_refused(on_sphere):
    basis, equation = on_sphere
    check_refused(lambda: density_saddle(equation, tilted(basis), 81), "at most 80")
    check_refused(lambda: density_saddle(FokkerPlanck(basis, USA), tilted(basis), 1), "noise > 0")
    with pytest.raises(SolveError, match="No density of index 1"):
        density_saddle(equation, tilted(basis), 1, max_steps=1)
    assert not density_saddle(equation, tilted(basis), 1, max_steps=1, throw=False).converged


@pytest.mark.slow
def test_a_string_on_the_sphere_passes_the_zonal_saddle():
    """Between the uniform law and a cluster about an axis of its own, in all harmonics and in zonal ones."""
    energy, wall, axis = (
        free_energy(BETA, NOISE),
        barrier(USA, 3, NOISE),
        jnp.array([0.6, 0.0, 0.8]),
    )
    full, zonal = SphericalHarmonics(12), Gegenbauer(3, 12)
    found = []
    for basis, along in ((full, full.points @ axis), (zonal, zonal.nodes)):
        at = basis.coordinates(basis.points)
        bump = basis.analyze(jnp.exp(5 * along))
        cluster = bump / bump[0]
        # rho <- e^{W * rho / noise}/Z comes to rest at stable densities.
        for _ in range(100):
            rho = basis.analyze(jnp.exp(USA.attraction(basis, cluster, at) / NOISE))
            cluster = rho / rho[0]
        uniform = jnp.zeros(basis.size).at[0].set(1.0)
        flow = FokkerPlanck(basis, USA, NOISE)
        found.append(string(flow, energy, uniform, cluster, images=17, time=4.0, dt=4e-3))
    full, alone = found
    assert full.converged and alone.converged
    # Degree 12 leaves 3e-7 of this height; two bases of one degree leave the same.
    np.testing.assert_allclose(full.height / NOISE, wall.height, rtol=1e-6)
    np.testing.assert_allclose(full.height, alone.height, rtol=1e-9)
    # Clusters are sharper, and entropies by quadrature.
    np.testing.assert_allclose(full.energy[:10], alone.energy[:10], atol=1e-6)
    first = full.coeffs[1:, 1:4] / jnp.linalg.norm(full.coeffs[1:, 1:4], axis=1, keepdims=True)
    np.testing.assert_allclose(first, jnp.broadcast_to(first[-1], first.shape), atol=1e-6)
    order = jnp.linalg.norm(full.saddle[1:4]) / np.sqrt(3)
    np.testing.assert_allclose(order, wall.saddle, rtol=1e-5)
