"""Finite volumes: exact stationary states, orders, positivity and the free energy at any step."""

import functools
from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from refusals import check_refused

from meanfield import observables
from meanfield.attention import Softmax, Unnormalized
from meanfield.dynamics import FokkerPlanck
from meanfield.energies import free_energy
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics
from meanfield.schemes import ScharfetterGummel
from meanfield.schemes._scharfetter_gummel import _bernoulli
from meanfield.schemes._tridiagonal import solve_chain
from meanfield.solve import rollout, simulate

BASES = [Fourier(32), Gegenbauer(3, 32), Gegenbauer(64, 32)]
OTHERS = [Gegenbauer(2, 32), Gegenbauer(8, 32)]
each_basis = pytest.mark.parametrize(
    "basis", [*BASES, *(pytest.param(b, marks=pytest.mark.slow) for b in OTHERS)], ids=str
)


def linear(kappa, x):
    return -kappa * x[0]


def normalized(scheme, density):
    return density / (scheme.weights @ density)


@each_basis
def test_von_mises_fisher_laws_are_kept(basis):
    noise, kappa = 0.2, 3.0
    potential = Partial(linear, jnp.asarray(noise * kappa))
    scheme = ScharfetterGummel(basis, None, noise, 0.5, 64, potential)
    law = normalized(scheme, jnp.exp(kappa * scheme.points[:, 0]))
    end = rollout(scheme, law, 40).final
    # At each face B(delta) rho' = B(-delta) rho: an identity of exponentials, rounded.
    np.testing.assert_allclose(end, law, rtol=1e-12)
    # From elsewhere it is reached: each step of 50 divides what is missing by 1 + 50 noise lambda_1.
    long = ScharfetterGummel(basis, None, noise, 50.0, 64, potential)
    far = rollout(long, jnp.ones(64), 40).final
    np.testing.assert_allclose(far, law, rtol=1e-11)
    assert float(scheme.weights @ far) == pytest.approx(1, abs=1e-14)


@each_basis
def test_order_two_in_space_against_the_heat_kernel(basis):
    # From t to 2t with t the relaxation time 1/(d-1), and tau a multiple of h^2, so that the error in
    # time is of the second order too.
    t, errors = 1 / (basis.d - 1), []
    exact = basis.moments(basis.coordinates(jnp.eye(basis.d)[:1]))
    for cells in (64, 128):
        steps = (cells // 64) ** 2 * 32
        scheme = ScharfetterGummel(basis, None, 1.0, t / steps, cells)
        at = basis.coordinates(scheme.points)
        # At d = 64 the far pole has nothing but rounding.
        start = normalized(scheme, jnp.maximum(basis.evaluate(basis.heat(exact, t), at), 0))
        end = rollout(scheme, start, steps).final
        gap = jnp.abs(end - basis.evaluate(basis.heat(exact, 2 * t), at))
        errors.append(float(scheme.weights @ gap))
    assert abs(np.log2(errors[0] / errors[1]) - 2) < 0.1


@pytest.fixture(scope="module")
def nonlinear():
    """A nonlinear run from two bumps, and its density [cells] at time 1, by basis and step."""

    @functools.cache
    def end(basis, steps):
        scheme = ScharfetterGummel(basis, Softmax(3.0), 0.1, 1 / steps, 128)
        run = rollout(scheme, bumps(scheme), 64, observe={"x": observables.state})
        return scheme, run, run.values["x"][steps]

    return end


def bumps(scheme):
    """Two bumps of different heights, one of them off the axis on the full circle."""
    x, axis = scheme.points, jnp.array([0.6, 0.8])
    other = x[:, :2] @ axis if isinstance(scheme.basis, Fourier) else -x[:, 0]
    return normalized(scheme, 1 + jnp.exp(4 * (x[:, 0] - 1)) + jnp.exp(4 * (other - 1)) / 2)


@pytest.mark.parametrize(
    "basis", [Fourier(32), pytest.param(Gegenbauer(3, 32), marks=pytest.mark.slow)], ids=str
)
def test_order_one_in_time_and_agreement_with_the_spectral_method(basis, nonlinear):
    runs = [nonlinear(basis, steps) for steps in (16, 32, 64)]
    scheme, (a, b, c) = runs[0][0], (density for *_, density in runs)
    first, second = (float(scheme.weights @ jnp.abs(u - v)) for u, v in ((a, b), (b, c)))
    assert abs(np.log2(first / second) - 1) < 0.1
    for _, run, _ in runs:
        assert float(run.stats["minimum"].min()) > 0
        assert float(scheme.weights @ run.final) == pytest.approx(1, abs=1e-14)
    fp = FokkerPlanck(basis, Softmax(3.0), 0.1)
    start = scheme.moments(bumps(scheme))
    exact = simulate(fp, start, jnp.array([0.0, 1.0]), tol=1e-8).final
    # Extrapolated in tau, the second-order term is about the square of the first-order gap, and
    # space adds h^2 times a curvature of order one.
    width = (2 if isinstance(basis, Fourier) else 1) * np.pi / 128
    bound = (2 * second) ** 2 + width**2
    at = basis.coordinates(scheme.points)
    gap = scheme.weights @ jnp.abs(2 * c - b - basis.evaluate(exact, at))
    assert float(gap) < bound


def trial(basis, key):
    """The least value, rise of free energy, drift of mass in ten steps of a random scheme and start."""
    keys = jax.random.split(key, 4)
    tau = 10 ** jax.random.uniform(keys[0], minval=-3, maxval=3)
    noise = 10 ** jax.random.uniform(keys[1], minval=-2, maxval=0)
    beta = jax.random.uniform(keys[2], minval=0.5, maxval=8)
    scheme = ScharfetterGummel(basis, Unnormalized(beta, offset=beta), noise, tau, 48)
    start = normalized(scheme, jnp.exp(3 * jax.random.normal(keys[3], (48,))))

    def body(state, _):
        new, info = scheme.step(state, None)
        rise = scheme.free_energy(new) - scheme.free_energy(state)
        return new, (info["minimum"], rise, scheme.weights @ new - 1)

    _, (least, rise, mass) = jax.lax.scan(body, start, length=10)
    return least.min(), rise.max(), jnp.abs(mass).max()


def check_trials(basis, count):
    keys = jax.random.split(jax.random.key(7), count)
    least, rise, mass = jax.jit(jax.vmap(Partial(trial, basis)))(keys)
    assert float(least.min()) > 0
    # Free energies are sums of 48 terms below ten in size: each is rounded to 1e-15 or so.
    assert float(rise.max()) < 2e-14
    assert float(mass.max()) < 1e-14


@pytest.mark.parametrize("basis", BASES[:1], ids=str)
def test_positive_with_falling_free_energy_at_any_step(basis):
    check_trials(basis, 100)


@pytest.mark.slow
@each_basis
def test_positive_with_falling_free_energy_in_a_thousand_starts(basis):
    check_trials(basis, 1000)


def test_the_free_energy_is_that_of_densities():
    basis, beta, noise = Gegenbauer(3, 32), 2.0, 0.1
    potential = Partial(linear, jnp.asarray(0.7))
    values = []
    for cells in (64, 128):
        scheme = ScharfetterGummel(basis, Unnormalized(beta), noise, 0.1, cells, potential)
        density = normalized(scheme, jnp.exp(scheme.points[:, 0]))
        values.append(float(scheme.free_energy(density) - jnp.exp(beta) / (2 * beta)))
    # With the whole of V: it is -.7 times the resultant of the law, coth(1) - 1 at kappa = 1, and half
    # of it would be off by .11.
    whole = free_energy(beta, noise).on_density(basis, _vmf_one(basis))
    exact = float(whole) - 0.7 * (1 / np.tanh(1) - 1)
    # Midpoint values are of order two: extrapolated, of order four, about h^4 = 4e-7.
    assert (4 * values[1] - values[0]) / 3 == pytest.approx(exact, abs=1e-6)


def _vmf_one(basis):
    density = basis.analyze(jnp.exp(basis.points[:, 0]))
    return density / density[0]


def test_rates_across_a_face_are_those_of_bernoulli():
    z = np.array([1e-6, 5e-4, 9.9e-4, 1.1e-3, 0.1, 3.0, 40.0])
    forth, back = (np.asarray(_bernoulli(jnp.asarray(s * z))) for s in (1, -1))
    np.testing.assert_allclose(forth, z / np.expm1(z), rtol=1e-12)  # a series to z^4/720 below .001
    np.testing.assert_allclose(back - forth, z, rtol=1e-9)


@pytest.mark.parametrize("cyclic", [False, True])
def test_chains_are_solved_to_relative_rounding(cyclic, getkey):
    sums, forth, back, right = jax.random.uniform(getkey(), (4, 6)) + 0.1
    sums = 1e-9 * sums  # of condition 1e9: elimination with subtractions would lose 9 digits

    def exact(sums, forth, back):
        """Over the rational numbers: the solution, and the signs of the minors, which pivots tell."""
        sums, forth, back = ([Fraction(float(a)) for a in row] for row in (sums, forth, back))
        matrix = [[Fraction(0)] * 6 for _ in range(6)]
        for i in range(6 if cyclic else 5):
            j = (i + 1) % 6
            matrix[i][i] += forth[i]
            matrix[j][j] += back[i]
            matrix[j][i] -= forth[i]
            matrix[i][j] -= back[i]
        for i in range(6):
            matrix[i][i] += sums[i]
        return _gauss(matrix, [Fraction(float(r)) for r in right])

    solution, pivots = exact(sums, forth, back)
    assert min(pivots) > 0
    x, least = jax.jit(solve_chain, static_argnums=4)(sums, forth, back, right, cyclic)
    np.testing.assert_allclose(x, [float(a) for a in solution], rtol=1e-14)
    assert float(least) > 0
    # Symmetric, with a sum so negative that the matrix is not positive: its least pivot says so.
    sums = sums.at[2].set(-0.5)
    _, pivots = exact(sums, forth, forth)
    assert min(pivots) < 0 and float(solve_chain(sums, forth, forth, right, cyclic)[1]) < 0


def _gauss(matrix, right):
    """Solution and pivots by elimination without exchanges, in whatever numbers these are."""
    rows, n = [[*row, r] for row, r in zip(matrix, right, strict=True)], len(right)
    for i, row in enumerate(rows):
        for below in rows[i + 1 :]:
            factor = below[i] / row[i]
            below[:] = [b - factor * a for a, b in zip(row, below, strict=True)]
    x = [Fraction(0)] * n
    for i in reversed(range(n)):
        x[i] = (rows[i][n] - sum(rows[i][j] * x[j] for j in range(i + 1, n))) / rows[i][i]
    return x, [row[i] for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    "basis", [Gegenbauer(64, 16), pytest.param(Fourier(16), marks=pytest.mark.slow)], ids=str
)
def test_single_precision_agrees(basis):
    scheme = ScharfetterGummel(basis, Softmax(2.0), 0.01, 0.1, 32)
    start, step = bumps(scheme), eqx.filter_jit(scheme.step)
    single, info = step(start.astype(np.float32), None)
    assert single.dtype == info["minimum"].dtype == np.float32
    # psi/noise, up to 100, is rounded to 6e-8 of itself: 4e-6 was measured.
    np.testing.assert_allclose(single, step(start, None)[0], rtol=2e-5)


def test_derivatives_of_a_step_are_differences():
    @jax.jit
    def height(kappa):
        scheme = ScharfetterGummel(Fourier(16), None, 1e-3, 0.1, 32, Partial(linear, kappa))
        return scheme.weights @ (scheme.points[:, 0] * scheme.step(jnp.ones(32), None)[0])

    # B(z) is beyond the range of e^z here, where z is about 2000.
    kappa, h = jnp.asarray(10.0), 1e-4
    slope = (height(kappa + h) - height(kappa - h)) / (2 * h)
    assert float(jax.grad(height)(kappa)) == pytest.approx(float(slope), rel=1e-7)


def test_bad_input_is_refused():
    basis = Gegenbauer(3, 8)
    with pytest.raises(ValueError, match="FokkerPlanck"):
        ScharfetterGummel(SphericalHarmonics(4), None, 0.1, 0.1)  # pyright: ignore
    check_refused(lambda: ScharfetterGummel(basis, None, 0.0, 0.1), "noise > 0")
    check_refused(lambda: ScharfetterGummel(basis, None, 0.1, 0.0), "tau > 0")
    scheme = ScharfetterGummel(basis, None, 0.1, 0.1, 16)
    ripple = 1 + 2 * scheme.points[:, 0]
    for start, message in (
        (jnp.ones(8), "16 points"),
        (ripple, "expected a density >= 0"),
        (2 * jnp.ones(16), "mass 1"),
    ):
        with pytest.raises(ValueError, match=message):
            rollout(scheme, start, 2)
