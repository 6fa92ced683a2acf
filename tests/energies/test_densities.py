"""Functionals of densities against closed forms of measures, quadratures and clouds."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.energies import (
    Entropy,
    Interaction,
    Potential,
    fisher_information,
    free_energy,
    relative_entropy,
)
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics
from meanfield.measures import MoebiusOrbit, VonMisesFisher

BASES = [
    Fourier(40),
    Gegenbauer(2, 40),
    Gegenbauer(8, 40),
    Gegenbauer(64, 40),
    SphericalHarmonics(24),
]
each_basis = pytest.mark.parametrize("basis", BASES, ids=str)


def pole(basis):
    """An axis: e_1, or one that is no axis of the grid."""
    if isinstance(basis, Gegenbauer):
        return jnp.eye(basis.d)[0]
    return jnp.arange(1.0, basis.d + 1) / jnp.sqrt(basis.d * (basis.d + 1) * (2 * basis.d + 1) / 6)


@eqx.filter_jit
def expand(basis, law):
    return basis.analyze(jnp.exp(law.log_density(basis.points)))


@eqx.filter_jit
def on(energy, basis, coeffs):
    return energy.on_density(basis, coeffs)


@eqx.filter_jit
def facts(law, x):
    """Its log density at a point, entropy and resultant."""
    return law.log_density(x), law.entropy(), getattr(law, "resultant", law.entropy)()


relative, fisher = eqx.filter_jit(relative_entropy), eqx.filter_jit(fisher_information)


@each_basis
def test_entropies_are_those_of_the_laws(basis):
    wide, narrow = (VonMisesFisher(pole(basis), kappa) for kappa in (1.0, 4.0))
    rho, pi = expand(basis, narrow), expand(basis, wide)
    value = float(on(Entropy(), basis, rho))
    # log rho = 4 t - c has degree one, so that only the tail of rho beyond the degree is lost, and
    # that is below rounding.
    at = pole(basis)
    (first, entropy, resultant), (second, _, _) = (facts(law, at) for law in (narrow, wide))
    assert value == pytest.approx(-float(entropy), abs=1e-13)
    if basis.d < 8:
        law = MoebiusOrbit(basis.d, 0.3, pole(basis))
        entropy = float(on(Entropy(), basis, expand(basis, law)))
        # log rho is a series in .3^k here: .3^24 at the degree of S^2, times its square's share.
        assert entropy == pytest.approx(-float(facts(law, at)[1]), abs=1e-12)
    # KL of two laws of one axis: E log(rho/pi) = (4 - 1) E t - log Z_4 + log Z_1, in e^{kappa (t-1)}.
    exact = float(first) - float(second) - 3 * (1 - float(resultant))
    assert float(relative(basis, rho, pi)) == pytest.approx(exact, abs=1e-13)
    assert float(relative(basis, rho, rho)) == pytest.approx(0, abs=1e-14)


@each_basis
def test_fisher_information(basis):
    kappa = 3.0
    law = VonMisesFisher(pole(basis), kappa)
    rho, pi = expand(basis, law), expand(basis, VonMisesFisher(pole(basis), 1.0))
    # |grad log rho|^2 = kappa^2 (1 - t^2), of mean kappa (d - 1) E t by parts.
    exact = kappa * (basis.d - 1) * float(facts(law, pole(basis))[2])
    assert float(fisher(basis, rho)) == pytest.approx(exact, rel=1e-12)
    assert float(fisher(basis, rho, pi)) == pytest.approx(exact * 4 / 9, rel=1e-12)
    # De Bruijn: the entropy falls at this rate along the heat flow.
    decay = jax.jit(lambda t: Entropy().on_density(basis, basis.heat(rho, t)))
    t, h = 0.01, 1e-4 / basis.d
    slope = float(decay(t + h) - decay(t - h)) / (2 * h)
    now = float(fisher(basis, basis.heat(rho, t)))
    # Central differences: h^2 lambda^2/6 relative, and rounding 1e-16/h.
    assert -slope == pytest.approx(now, rel=1e-6)


@each_basis
def test_interaction_and_potential(basis):
    beta, kappa = 3.0, 2.0
    law = VonMisesFisher(pole(basis), kappa)
    rho = expand(basis, law)
    energy = Interaction(beta, offset=beta)
    # The nodes and weights of the basis are a cloud that integrates products of three exactly; the
    # kernel beyond the degree is below rounding. A zonal cloud is spread around its axis first, by
    # the multipliers themselves, so that there two clouds are compared by their moments.
    if not isinstance(basis, Gegenbauer):
        w = basis.weights * basis.synthesize(rho)
        cloud = eqx.filter_jit(energy)(basis.points, w)
        assert float(on(energy, basis, rho)) == pytest.approx(float(cloud), rel=1e-12)
        spread = basis.moments(basis.coordinates(basis.points), w)
        np.testing.assert_allclose(spread, rho, atol=1e-13)
    # At the uniform law, a_0/(2 beta); and its derivative in kappa's direction by Funk-Hecke: the
    # field of a von Mises-Fisher law on itself is that of e^{beta t}, log Z being its logarithm.
    uniform = jnp.zeros(basis.size).at[0].set(1.0)
    at = pole(basis)
    log_mean = -float(facts(VonMisesFisher(at, beta), at)[0])
    value = float(on(energy, basis, uniform))
    assert value == pytest.approx(np.exp(log_mean) / (2 * beta), rel=1e-12)
    height = on(Potential(lambda x: x @ pole(basis)), basis, rho)
    assert float(height) == pytest.approx(float(facts(law, at)[2]), abs=1e-13)


def test_a_zonal_density_in_high_dimension_against_a_cloud():
    # Through the resultant R(|beta x|): iint e^{beta <x,y>} for a law invariant about e_1 is a double
    # integral over polar cosines of the mean over the angle between: here d = 3, by direct sums.
    zonal, sphere, beta = Gegenbauer(3, 24), SphericalHarmonics(24), 3.0
    law = VonMisesFisher(jnp.eye(3)[0], 2.0)
    energies = [on(Interaction(beta), b, expand(b, law)) for b in (zonal, sphere)]
    assert float(energies[0]) == pytest.approx(float(energies[1]), rel=1e-13)


def test_energies_add_and_clouds_have_no_entropy():
    basis, beta, noise = Fourier(40), 2.0, 0.3
    rho = expand(basis, VonMisesFisher(jnp.eye(2)[0], 2.0))
    whole = free_energy(beta, noise) + Potential(lambda x: x[0])

    @jax.jit
    def both(rho):
        parts = (
            noise * Entropy().on_density(basis, rho)
            - Interaction(beta).on_density(basis, rho)
            + Potential(lambda x: x[0]).on_density(basis, rho)
        )
        return whole.on_density(basis, rho), parts

    total, parts = both(rho)
    assert float(total) == pytest.approx(float(parts), abs=1e-15)
    check_refused(lambda: Entropy()(jnp.eye(2)), "points, whose entropy is infinite")
    assert np.isnan(on(Entropy(), basis, rho.at[1].set(5.0)))  # negative in places
    for function in (
        lambda c: whole.on_density(basis, c),
        lambda c: fisher_information(basis, c),
        lambda c: relative_entropy(basis, c, c),
    ):
        assert jax.eval_shape(function, rho.astype(np.float32)).dtype == np.float32
