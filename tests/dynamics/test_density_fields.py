"""What moves a density: fields of attention, their potentials, and the energy that is dissipated."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from densities import drift, equation, expand

from meanfield.attention import L2, MultiHead, Sinkhorn, Softmax, Unnormalized
from meanfield.dynamics import FokkerPlanck
from meanfield.energies import Potential, free_energy
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics
from meanfield.measures import VonMisesFisher

BASES = [Fourier(24), Gegenbauer(8, 24), SphericalHarmonics(16)]


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_the_free_energy_falls_at_the_rate_of_dissipation(basis):
    noise, beta, pole = 0.3, 2.0, jnp.eye(basis.d)[0]
    V = lambda x: 0.5 * x[0] + 0.2 * x[0] ** 2
    fp = FokkerPlanck(basis, Unnormalized(beta), noise, V)
    energy = free_energy(beta, noise) + Potential(V)
    density = expand(basis, VonMisesFisher(pole, 1.0)).at[2].add(0.05)
    stationary = FokkerPlanck(basis, None, 0.1, lambda x: -0.2 * x[0])
    kept = expand(basis, VonMisesFisher(pole, 2.0))

    @jax.jit
    def rates(density):
        def along(c):
            return energy.on_density(basis, c)

        moved = fp.drift(jnp.zeros(()), density, None)
        return jax.jvp(along, (density,), (moved,))[1], fp.dissipation(density)

    slope, dissipation = rates(density)
    # By parts the two are equal but for the tail of log rho beyond the degree.
    assert float(slope) == pytest.approx(-float(dissipation), rel=1e-11)
    np.testing.assert_allclose(drift(stationary, kept), 0, atol=1e-11)
    assert float(eqx.filter_jit(stationary.dissipation)(kept)) < 1e-22


def test_heads_and_values():
    basis = Fourier(24)
    density = expand(basis, VonMisesFisher(jnp.eye(2)[0], 2.0))
    one = drift(FokkerPlanck(basis, Softmax(3.0), 0.0), density)
    both = drift(equation(basis, usa=0.5, sa=2.0, beta=3.0), density)
    usa = drift(FokkerPlanck(basis, Unnormalized(3.0), 0.0), density)
    np.testing.assert_allclose(both, 2 * one + usa / 2, atol=1e-13)
    repelled = drift(FokkerPlanck(basis, Softmax(3.0, value=-jnp.eye(2)), 0.0), density)
    np.testing.assert_allclose(repelled, -one, atol=1e-14)
    # The field is the gradient of the attraction, at each node and across it.
    nodes = basis.points
    tangents = jnp.stack([-nodes[:, 1], nodes[:, 0]], axis=1)

    @eqx.filter_jit
    def both_fields(attention):
        potential = lambda y: attention.attraction(basis, density, y)
        slope = jax.jvp(potential, (nodes,), (tangents,))[1]
        return slope[:, None] * tangents, attention.mean_field(basis, density)

    for attention in (Softmax(3.0), Softmax(0.0), Unnormalized(3.0)):
        np.testing.assert_allclose(*both_fields(attention), atol=1e-12)


@pytest.mark.parametrize(
    "attention",
    [
        Softmax(3.0, value=2 * jnp.eye(2)),
        MultiHead([Unnormalized(2.0, offset=1.0), L2(1.5)]),
        Sinkhorn(2.0),
    ],
)
def test_what_no_density_changes_is_computed_once(attention):
    basis, bump = Fourier(8), jnp.array([1.0, 0.4, -0.3, 0.1] + 13 * [0.0])
    flow = FokkerPlanck(basis, attention, noise=0.1)
    ready = flow.prepared(jnp.float64)
    np.testing.assert_array_equal(
        ready.drift(jnp.array(0.0), bump, None), flow.drift(jnp.array(0.0), bump, None)
    )
    x = basis.points[:3]
    expected = attention.attraction(basis, bump, x)
    np.testing.assert_array_equal(ready.attention.attraction(basis, bump, x), expected)
    if not isinstance(attention, Sinkhorn):  # whose own iterations are many, and its table is not
        # The Gauss rule of the multipliers has 512 nodes and more.
        program = jax.make_jaxpr(lambda c: ready.drift(jnp.array(0.0), c, None))(bump)
        assert "f64[5" in str(jax.make_jaxpr(lambda c: flow.drift(jnp.array(0.0), c, None))(bump))
        assert "f64[5" not in str(program)
