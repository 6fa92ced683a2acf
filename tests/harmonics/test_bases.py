"""What every basis promises: orthonormality, exact products, exact divergences, honest errors."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics

BASES = [Fourier(12), Gegenbauer(8, 12), SphericalHarmonics(6)]
EPS = float(np.finfo(float).eps)

each_basis = pytest.mark.parametrize("basis", BASES, ids=str)
# What does not depend on the basis is held on the line of polar cosines.
zonal_first = pytest.mark.parametrize(
    "basis",
    [pytest.param(b, marks=() if b.d == 8 else pytest.mark.slow) for b in BASES],
    ids=str,
)


def decaying(basis, key):
    """Coefficients of a smooth function of mean 1: degree l has the size 2^-l."""
    noise = jax.random.normal(key, (basis.size,)) * 0.5 ** jnp.asarray(basis.degrees.astype(float))
    return noise.at[0].set(1.0)


def positions(basis):
    """The nodes in the form that `evaluate` takes."""
    angles = basis.nodes
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1) if basis.d == 2 else basis.nodes


def points(basis, key, n=40):
    """Random points in the form that `evaluate` takes."""
    x = Sphere(basis.d).sample(key, n)
    return x[:, 0] if isinstance(basis, Gegenbauer) else x


@each_basis
def test_harmonics_are_orthonormal_and_the_transform_inverts(basis):
    table = basis.synthesize(jnp.eye(basis.size))
    gram = (table * basis.weights) @ table.T
    # Sums of q terms of size up to |Y_i|^2 w, each rounded: measured 4e-15 at most.
    np.testing.assert_allclose(gram, np.eye(basis.size), atol=1e-13)
    np.testing.assert_allclose(basis.analyze(table), np.eye(basis.size), atol=1e-13)
    assert float(basis.weights.sum()) == pytest.approx(1, abs=4 * EPS)
    assert float(basis.analyze(jnp.ones(len(basis.weights)))[0]) == pytest.approx(1, abs=8 * EPS)


@each_basis
def test_degrees_and_eigenvalues(basis):
    assert basis.size == len(basis.degrees)
    assert (np.diff(basis.degrees) >= 0).all()
    k = basis.degrees
    np.testing.assert_array_equal(basis.eigenvalues, k * (k + basis.d - 2.0))


@each_basis
def test_points_and_nodes_tell_the_same_function(basis, getkey):
    c = decaying(basis, getkey())
    x = positions(basis)
    # A point rounded by eps moves a function of slope max|f'| by eps max|f'|, some times over.
    slope = float(jnp.abs(basis.node_gradient(c)).max())
    atol = 100 * EPS * slope
    np.testing.assert_allclose(basis.evaluate(c, x), basis.synthesize(c), atol=atol)
    np.testing.assert_allclose(
        basis.gradient(c, x), basis.node_gradient(c), atol=atol * basis.degree**2
    )


@each_basis
def test_gradient_is_the_tangent_part_of_the_derivative(basis, getkey):
    c, x = decaying(basis, getkey()), points(basis, getkey())
    ambient = jax.grad(lambda x: basis.evaluate(c, x).sum())(x)
    if x.ndim == 2:
        ambient = Sphere(basis.d).to_tangent(x, ambient)
    scale = float(jnp.abs(ambient).max())
    np.testing.assert_allclose(basis.gradient(c, x), ambient, atol=1e-12 * scale)


@each_basis
def test_moments_are_the_direct_sums(basis, getkey):
    x = points(basis, getkey())
    w = jax.random.uniform(getkey(), (40,))
    table = jax.vmap(lambda c: basis.evaluate(c, x))(jnp.eye(basis.size))
    atol = 1e-13 * float(jnp.abs(table).max()) * float(w.sum())
    np.testing.assert_allclose(basis.moments(x, w), table @ w, atol=atol)
    np.testing.assert_allclose(basis.moments(x), table.mean(1), atol=atol)


@each_basis
def test_moments_of_the_weighted_nodes_are_the_transform(basis, getkey):
    c = decaying(basis, getkey())
    cloud = basis.moments(positions(basis), basis.weights * basis.synthesize(c))
    np.testing.assert_allclose(cloud, c, atol=1e-12)


@each_basis
def test_product_is_exact_within_the_degree(basis, getkey):
    # Two functions of half the degree: their product has nothing to lose, and can be checked
    # at points where no transform ever looked.
    low = jnp.asarray(basis.degrees <= basis.degree // 2)
    a = jnp.where(low, decaying(basis, getkey()), 0.0)
    b = jnp.where(low, decaying(basis, getkey()), 0.0)
    x = points(basis, getkey())
    expected = basis.evaluate(a, x) * basis.evaluate(b, x)
    scale = float(jnp.abs(expected).max())
    np.testing.assert_allclose(basis.evaluate(basis.product(a, b), x), expected, atol=1e-12 * scale)


@each_basis
def test_divergence_obeys_the_scalar_identity_and_conserves_mass(basis, getkey):
    rho, phi = decaying(basis, getkey()), decaying(basis, getkey())
    laplace = lambda c: -basis.eigenvalues * c
    mul = basis.product
    # div(rho grad phi) = (Lap(rho phi) + rho Lap phi - phi Lap rho) / 2.
    expected = 0.5 * (laplace(mul(rho, phi)) + mul(rho, laplace(phi)) - mul(phi, laplace(rho)))
    got = basis.divergence(rho, phi)
    atol = 1e-12 * float(basis.eigenvalues.max()) * float(jnp.abs(expected).max())
    np.testing.assert_allclose(got, expected, atol=atol)
    assert got[0] == 0


@each_basis
def test_divergence_of_a_gradient_is_the_laplacian(basis, getkey):
    phi = decaying(basis, getkey())
    expected = -basis.eigenvalues * phi
    got = basis.node_divergence(basis.node_gradient(phi))
    np.testing.assert_allclose(got, expected, atol=1e-12 * float(jnp.abs(expected).max()))


@each_basis
def test_integration_by_parts_at_the_unit_vectors_of_the_nodes(basis, getkey):
    c, f = decaying(basis, getkey()), decaying(basis, getkey())
    field = basis.node_gradient(f)
    by_parts = -jnp.sum(c * basis.node_divergence(field))
    scale = float(jnp.abs(basis.eigenvalues * c * f).sum())
    np.testing.assert_allclose(
        basis.inner(basis.node_gradient(c), field), by_parts, atol=1e-13 * scale
    )
    np.testing.assert_allclose(jnp.linalg.norm(basis.points, axis=1), 1, rtol=1e-15)
    np.testing.assert_array_equal(basis.coordinates(basis.points), positions(basis))


@each_basis
def test_heat_solves_the_heat_equation(basis, getkey):
    c = decaying(basis, getkey())
    _, rate = jax.jvp(lambda t: basis.heat(c, t), (jnp.asarray(0.1),), (jnp.asarray(1.0),))
    np.testing.assert_allclose(rate, -basis.eigenvalues * basis.heat(c, 0.1), rtol=1e-14)
    np.testing.assert_array_equal(basis.heat(c, 0.0), c)


@each_basis
def test_convolution_is_the_integral(basis, getkey):
    # At the nodes x of a point-based basis: int f(<x, y>) rho(y) dy by the quadrature in y.
    c = decaying(basis, getkey())
    a = basis.multipliers(lambda t: t**3 - t + 0.5)
    if isinstance(basis, Gegenbauer):
        # A zonal rho is convolved to its value on the axis: int f(t) rho(t) w dt = conv(1).
        t = basis.nodes
        expected = jnp.sum(basis.weights * (t**3 - t + 0.5) * basis.synthesize(c))[None]
        x = jnp.ones(1)
    else:
        y = positions(basis)
        x = points(basis, getkey(), 5)
        t = x @ y.T
        expected = (t**3 - t + 0.5) @ (basis.weights * basis.synthesize(c))
    np.testing.assert_allclose(basis.evaluate(basis.convolve(c, a), x), expected, atol=1e-13)


@zonal_first
def test_float32_in_gives_float32_out(basis, getkey):
    c = decaying(basis, getkey()).astype(jnp.float32)
    x = points(basis, getkey()).astype(jnp.float32)
    results = [
        basis.evaluate(c, x),
        basis.gradient(c, x),
        basis.moments(x),
        basis.heat(c, 0.1),
        basis.product(c, c),
        basis.divergence(c, c),
        basis.multipliers(lambda t: jnp.exp(t - 1), dtype=jnp.float32),
    ]
    assert {r.dtype for r in results} == {jnp.dtype(jnp.float32)}
    wide = basis.evaluate(c.astype(float), x.astype(float))
    np.testing.assert_allclose(results[0], wide, atol=3e-5 * float(jnp.abs(wide).max()))


@zonal_first
def test_equal_bases_share_one_trace_and_batches_are_rows(basis, getkey):
    traces = []

    @eqx.filter_jit
    def square(basis, c):
        traces.append(1)
        return basis.product(c, c)

    c = jax.random.normal(getkey(), (3, basis.size))
    rows = jnp.stack([square(basis, row) for row in c])
    twin = type(basis)(*([basis.d] if isinstance(basis, Gegenbauer) else []), basis.degree)
    square(twin, c[0])
    assert len(traces) == 1
    assert twin == basis and not jax.tree.leaves(basis)
    scale = float(jnp.abs(rows).max())
    np.testing.assert_allclose(basis.product(c, c), rows, atol=1e-13 * scale)
    np.testing.assert_allclose(jax.vmap(basis.product)(c, c), rows, atol=1e-13 * scale)


@each_basis
def test_wrong_sizes_are_refused_with_a_remedy(basis):
    with pytest.raises(ValueError, match=r"coefficients .* basis\.analyze"):
        basis.synthesize(jnp.ones(basis.size + 1))
    with pytest.raises(ValueError, match=r"values at the nodes .* basis\.nodes"):
        basis.analyze(jnp.ones(3))
    check_refused(lambda: basis.moments(positions(basis), jnp.ones(3)), "one a point")


@pytest.mark.parametrize("make", [Fourier, SphericalHarmonics, lambda k: Gegenbauer(4, k)])
def test_a_basis_needs_a_degree(make):
    for degree in (0, -1, 2.5, True):
        check_refused(lambda degree=degree: make(degree), "degree >= 1")
