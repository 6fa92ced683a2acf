"""Kernels of entropic transport between cells: heat against its Fourier series, boxes by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.harmonics import Fourier, Gegenbauer
from meanfield.transport import Box, GeodesicGrid, HeatGrid
from meanfield.transport.densities import HeatGeometry

BASIS, TIME, EPSILON = Fourier(12), jnp.asarray(0.4), jnp.asarray(0.3)
HEAT = HeatGeometry(BASIS, TIME, EPSILON)


def kernel():
    """p_s = 1 + 2 sum_k e^{-k^2 s} cos k(x - y): what is left out is below e^{-57}."""
    apart = np.subtract.outer(np.asarray(BASIS.nodes), np.asarray(BASIS.nodes))
    k = np.arange(1, 13)
    return 1 + 2 * np.cos(apart[..., None] * k) @ np.exp(-(k**2) * 0.4)


def test_masses_at_the_nodes_are_spread_by_the_heat_kernel():
    masses = jax.random.uniform(jax.random.key(0), (len(BASIS.nodes),))
    # Sums of some twenty terms of the size of the masses over the weights.
    np.testing.assert_allclose(HEAT.apply_kernel(masses), kernel() @ masses, rtol=1e-12)


def test_potentials_are_spread_in_logarithms_with_signs_of_a_vector():
    keys = jax.random.split(jax.random.key(1), 3)
    f, g, vec = (jax.random.normal(key, (len(BASIS.nodes),)) for key in keys)
    for axis, h in ((0, f), (1, g)):
        for some in (None, vec):
            sums = kernel() @ (np.exp(h / 0.3) * (1 if some is None else some))
            log, sign = HEAT.apply_lse_kernel(f, g, EPSILON, vec=some, axis=axis)
            np.testing.assert_allclose(log, 0.3 * np.log(np.abs(sums)), atol=1e-11)
            np.testing.assert_array_equal(sign, np.sign(sums))


@pytest.mark.parametrize("basis", [Fourier(12), Gegenbauer(5, 9)], ids=str)
def test_the_resolution_of_a_heat_grid_leaves_e_to_the_minus_25_at_its_last_degree(basis):
    # Heat of time tau epsilon / 2, with sqrt(tau epsilon) the resolution.
    last = np.exp(-basis.eigenvalues.max() * HeatGrid(basis).resolution ** 2 / 2)
    assert float(last) == pytest.approx(np.exp(-25), rel=1e-12)


def test_the_kernel_of_a_box_is_that_of_one_step():
    # e^{-|x - y|^2 / (2 tau epsilon)} between the centres of six cells of width 1/3.
    box, tau, epsilon = Box(-1.0, 1.0, 6), jnp.asarray(0.3), jnp.asarray(0.2)
    centres = -5 / 6 + np.arange(6) / 3
    np.testing.assert_allclose(box.points[:, 0], centres, atol=1e-15)
    np.testing.assert_allclose(box.weights, 1 / 3, rtol=1e-15)
    kernel = np.exp(-(np.subtract.outer(centres, centres) ** 2) / (2 * 0.3 * 0.2))
    masses = jnp.arange(1.0, 7.0)
    made = box.geometry(tau, epsilon)
    log, _ = made.apply_lse_kernel(jnp.zeros(6), jnp.log(masses) * epsilon, epsilon, axis=1)
    np.testing.assert_allclose(jnp.exp(log / epsilon).ravel(), kernel @ masses, rtol=1e-12)


def test_the_costs_of_a_geodesic_grid_are_squared_angles_over_twice_the_step():
    nodes = np.asarray(BASIS.nodes)
    apart = np.abs(np.angle(np.exp(1j * np.subtract.outer(nodes, nodes))))
    made = GeodesicGrid(BASIS).geometry(jnp.asarray(0.3), EPSILON)
    np.testing.assert_allclose(made.cost_matrix, apart**2 / 0.6, atol=1e-12)
    # A spacing is 1.5 widths of the least kernel: of the 3 K + 1 angles that products need, and of cells.
    assert GeodesicGrid(BASIS).resolution == pytest.approx(2 * np.pi / 37 / 1.5)
    assert Box((-1.0, 0.0), (1.0, 3.0), (6, 4)).resolution == pytest.approx(0.75 / 1.5)
