"""Phase transitions in higher dimensions, and of softmax attention."""

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.attention import Softmax, Unnormalized
from meanfield.harmonics import Gegenbauer
from meanfield.landscape import branch, crossing, tricritical_beta

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("d", [3, 8])
def test_transitions_on_both_sides_of_the_tricritical_beta(d):
    beta = float(tricritical_beta(d))
    below = branch(Unnormalized(0.9 * beta), d, degree=64)
    assert not below.first_order and not below.unstable.any()
    above = branch(Unnormalized(2 * beta), d, degree=64)
    assert above.first_order
    transition = crossing(above)
    assert above.critical < transition.noise < above.noise.max()
    assert transition.jump > 0.7


def test_crossing_solves_the_fixed_point_equation():
    """rho = e^{W * rho/noise}/Z with equal free energies, by iteration apart from the equation."""
    beta, basis = 4.0, Gegenbauer(3, 64)
    transition = crossing(branch(Unnormalized(beta), 3, degree=64))
    kernel = basis.multipliers(lambda t: jnp.exp(beta * (t - 1))) * np.exp(beta) / beta
    coeffs = transition.coeffs
    for _ in range(200):
        density = jnp.exp(basis.synthesize(kernel * coeffs) / transition.noise)
        coeffs = basis.analyze(density / (basis.weights @ density))
    # The clustered state is stable, so that the iteration stays; 64 modes carry it to 1e-10.
    np.testing.assert_allclose(coeffs, transition.coeffs, atol=1e-8)
    density = basis.synthesize(coeffs)
    entropy = basis.weights @ (density * jnp.log(density))
    excess = transition.noise * entropy - kernel[1:] @ coeffs[1:] ** 2 / 2
    assert abs(excess) < 1e-8


def test_softmax_branch_solves_the_fixed_point_equation():
    """rho = (K * rho)^{1/(beta noise)}/Z at every point, and no free energy is claimed."""
    beta = 8.0
    diagram = branch(Softmax(beta), 2, degree=64)
    basis = diagram.basis
    kernel = basis.multipliers(lambda t: jnp.exp(beta * (t - 1)))
    assert diagram.complete and not diagram.first_order
    for coeffs, noise in zip(diagram.coeffs, diagram.noise, strict=True):
        power = basis.synthesize(kernel * coeffs) ** (1 / (beta * noise))
        # Newton's tolerance, times the size of the density.
        np.testing.assert_allclose(
            power / (basis.weights @ power), basis.synthesize(coeffs), atol=1e-8
        )
    check_refused(lambda: crossing(diagram), "free energy")
