"""The mean-field equation against its exact solutions."""

import densities
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from densities import drift, equation, error, expand, run
from refusals import check_refused
from scipy.special import ive

from meanfield.attention import MultiHead, Sinkhorn, Softmax, Unnormalized, causal
from meanfield.dynamics import FokkerPlanck
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics
from meanfield.measures import MoebiusOrbit, VonMisesFisher
from meanfield.solve import simulate

DEGREE = 64
# Per d: the start of the Moebius orbit, the time of heat, and kappa of the stationary laws. They are
# chosen for coefficients beyond the degree that are below 1e-14 of the norm.
CASES = {2: (0.3, 0.1, 4.0), 3: (0.3, 0.1, 4.0), 8: (0.2, 0.1, 8.0), 64: (0.06, 0.02, 48.0)}
# Rounding, amplified by some hundred steps of a stiff system of 65 coefficients: 2e-15 to 2e-13 were
# measured. The integrator, of order 5 in fixed steps, is below: halving its step changes nothing.
EXACT = 1e-12


@pytest.mark.parametrize("d", [3, *(pytest.param(d, marks=pytest.mark.slow) for d in (2, 8, 64))])
def test_exact_solutions(d):
    basis, (r, time, kappa) = Gegenbauer(d, DEGREE), CASES[d]
    pole = jnp.eye(d)[0]

    start = expand(basis, MoebiusOrbit(d, r))
    end = run(equation(basis, usa=0.5, sa=0.5), start, 0.5, 128 if d < 64 else 256)
    moved = MoebiusOrbit(d, densities.moebius_radius(d, r, 0.5))
    assert error(end, expand(basis, moved)) < EXACT
    assert float(end[0]) == float(start[0])  # no rounding touches the mass

    start = basis.heat(basis.moments(jnp.ones(1)), time)
    end = run(equation(basis, noise=2.0), start, time / 2, 256)
    assert error(end, basis.heat(start, time)) < EXACT

    law = VonMisesFisher(pole, kappa)
    stationary = expand(basis, law)
    noise = 0.5 / (d - 1)  # one relaxation time, 1/(noise lambda_1), is 2
    end = run(equation(basis, noise=noise, kappa=noise * kappa), stationary, 2.0, 256)
    assert error(end, stationary) < EXACT

    # Noisy Kuramoto in any d: self-consistent is r = I_{d/2}(r/noise)/I_{d/2-1}(r/noise).
    noise = float(law.resultant()) / kappa
    assert ive(d / 2, kappa) / ive(d / 2 - 1, kappa) == pytest.approx(kappa * noise, abs=1e-13)
    start = expand(basis, VonMisesFisher(pole, 0.7 * kappa))
    # The slowest mode, measured, decays by 1e-6 in a time of 20, and by 1e-5 at d = 64.
    end = run(equation(basis, usa=1.0, noise=noise), start, 60.0 if d < 64 else 80.0, 2048)
    assert error(end, stationary) < EXACT


class Ripples:
    """Degrees 1 to 6 about the uniform law at beta = 4: q_k, and how an equation makes them grow."""

    def __init__(self, d, beta=4.0):
        self.basis, k = Gegenbauer(d, DEGREE), np.arange(1, 7)
        self.eigenvalues = k * (k + d - 2)
        self.ratio = ive(k + d / 2 - 1, beta) / ive(d / 2 - 1, beta)

    def growth(self, fp, size=1e-5, time=0.25):
        """The rates of degrees 1 to 6, from starts of both signs."""
        uniform, ripple = (jnp.zeros(self.basis.size) for _ in range(2))
        uniform, ripple = uniform.at[0].set(1.0), ripple.at[1:7].set(size)
        ends = [run(fp, uniform + sign * ripple, time, 64)[1:7] for sign in (1, -1)]
        # Terms even in the size cancel; what is left is of relative order size^2 = 1e-10.
        return np.log(np.asarray(ends[0] - ends[1]) / (2 * size)) / time


@pytest.mark.parametrize("d", [3, *(pytest.param(d, marks=pytest.mark.slow) for d in (2, 8))])
def test_growth_of_small_perturbations(d):
    ripples, beta, noise = Ripples(d), 4.0, 0.05
    mean = float(jnp.exp(beta - VonMisesFisher(jnp.eye(d)[0], beta).log_density(jnp.eye(d)[0])))
    for usa, sa in ((1 / mean, 0.0), (0.0, 1.0)):  # USA over a_0 = mean: both are q_k/beta
        rates = ripples.growth(equation(ripples.basis, usa=usa, sa=sa, noise=noise, beta=beta))
        exact = ripples.eigenvalues * (ripples.ratio / beta - noise)
        np.testing.assert_allclose(rates, exact, rtol=1e-6)


@pytest.mark.parametrize("d", [3, *(pytest.param(d, marks=pytest.mark.slow) for d in (2, 8))])
def test_growth_under_doubly_stochastic_attention(d):
    ripples, beta, noise = Ripples(d), 4.0, 0.05
    rates = ripples.growth(FokkerPlanck(ripples.basis, Sinkhorn(beta), noise))
    strength = ripples.ratio / (1 + ripples.ratio) / beta
    np.testing.assert_allclose(rates, ripples.eigenvalues * (strength - noise), rtol=1e-6)


LAW_ON_THE_CIRCLE = VonMisesFisher(jnp.eye(2)[0], 2.0)


def test_a_turned_law_on_s2_and_an_even_one_on_the_circle_move_as_their_zonal_series_do():
    degree, along = 24, np.cos(np.linspace(0.0, 3.0, 40))
    axis, across = np.array([2.0, -1.0, 2.0]) / 3, np.array([1.0, 2.0, 0.0]) / np.sqrt(5.0)
    cloud = along[:, None] * axis + np.sqrt(1 - along**2)[:, None] * across
    zonal, turned = (
        drift(
            equation(basis, usa=0.02, sa=1.0, noise=0.1, beta=4.0),
            expand(basis, VonMisesFisher(jnp.asarray(pole), 2.0)),
        )
        for basis, pole in (
            (Gegenbauer(3, DEGREE), np.eye(3)[0]),
            (SphericalHarmonics(degree), axis),
        )
    )
    zonal = Gegenbauer(3, DEGREE).evaluate(zonal, jnp.asarray(along))
    turned = SphericalHarmonics(degree).evaluate(turned, jnp.asarray(cloud))
    # Coefficients beyond degree 24 are below 1e-17 of the norm; divergence multiplies rounding by 24.
    np.testing.assert_allclose(turned, zonal, atol=1e-12 * float(jnp.abs(zonal).max()))
    zonal, full = (
        drift(equation(basis, sa=1.0, noise=0.1, beta=4.0), expand(basis, LAW_ON_THE_CIRCLE))
        for basis in (Gegenbauer(2, DEGREE), Fourier(degree))
    )
    np.testing.assert_allclose(full[1::2], zonal[1 : degree + 1], atol=1e-13)
    np.testing.assert_allclose(full[2::2], 0, atol=1e-13)


@pytest.mark.slow
def test_a_turned_start_on_s2_and_an_even_one_on_the_circle():
    degree, beta = 24, 4.0
    sphere, circle = SphericalHarmonics(degree), Fourier(degree)
    along = jnp.cos(jnp.linspace(0.0, 3.0, 40))
    axis, across = jnp.array([2.0, -1.0, 2.0]) / 3, jnp.array([1.0, 2.0, 0.0]) / jnp.sqrt(5.0)
    cloud = along[:, None] * axis + jnp.sqrt(1 - along**2)[:, None] * across
    for usa, sa in ((0.02, 0.0), (0.0, 1.0)):
        ends = []
        for basis, pole in ((Gegenbauer(3, DEGREE), jnp.eye(3)[0]), (sphere, axis)):
            fp = equation(basis, usa=usa, sa=sa, noise=0.1, beta=beta)
            ends.append(run(fp, expand(basis, VonMisesFisher(pole, 2.0)), 0.5, 64))
        zonal = Gegenbauer(3, DEGREE).evaluate(ends[0], along)
        # Coefficients beyond degree 24 are below 1e-13 of the norm.
        turned = sphere.evaluate(ends[1], cloud)
        np.testing.assert_allclose(turned, zonal, atol=1e-12 * float(zonal.max()))
    zonal, full = (
        run(equation(b, sa=1.0, noise=0.1, beta=beta), expand(b, LAW_ON_THE_CIRCLE), 0.5, 64)
        for b in (Gegenbauer(2, DEGREE), circle)
    )
    np.testing.assert_allclose(full[1::2], zonal[1 : degree + 1], atol=1e-13)
    np.testing.assert_allclose(full[2::2], 0, atol=1e-13)


def test_the_minimum_is_the_least_value_at_a_node():
    # Of 1 + .3 sqrt(3) t, the first harmonic of S^2 being sqrt(3) t: at the lowest node.
    basis = Gegenbauer(3, 8)
    coeffs = jnp.zeros(9).at[:2].set(jnp.array([1.0, 0.3]))
    least = 1 + 0.3 * np.sqrt(3) * float(basis.nodes.min())
    assert float(equation(basis).minimum(coeffs)) == pytest.approx(least, rel=1e-13)


@pytest.mark.parametrize("degrees", [[128], pytest.param([32, 128], marks=pytest.mark.slow)])
def test_diffusion_does_not_limit_the_step(degrees):
    ts, steps = jnp.array([0.0, 0.3, 1.0]), []
    for degree in degrees:
        basis = Gegenbauer(3, degree)
        start = expand(basis, VonMisesFisher(jnp.eye(3)[0], 8.0))
        flow = FokkerPlanck(basis, None, 1.0)
        path = simulate(flow, start, ts, tol=1e-10, observe={"c": jnp.asarray})
        # In time too: the error at every time that is saved, relative to the start, is some hundred
        # times what a step is allowed, for KenCarp5 estimates by a method of order four.
        exact = jnp.stack([basis.heat(start, t) for t in ts])
        gap = jnp.linalg.norm(path.values["c"] - exact, axis=1) / jnp.linalg.norm(start)
        assert float(gap.max()) < 3e-8
        steps.append(int(path.stats["steps"]))
    # Explicit steps are below 4/eigenvalue, the stable interval of a fifth-order method.
    assert steps[-1] < 128 * 129 / 4 / 10
    # An explicit method needs 16 times as many.
    assert steps[-1] <= 1.2 * steps[0]


@pytest.mark.slow
def test_particles_and_densities(getkey):
    n = 20000
    for basis in (Gegenbauer(8, 12), Fourier(12), SphericalHarmonics(12)):
        fp = FokkerPlanck(basis, None, 1.0)
        mean = jnp.zeros(basis.d).at[0].set(0.6).at[1].set(0.8)
        if isinstance(basis, Gegenbauer):
            mean = jnp.eye(basis.d)[0]
        density = expand(basis, VonMisesFisher(mean, 2.0))

        @jax.jit
        def drawn(key, density, fp=fp):
            x = fp.sample(key, density, n)
            return x, fp.from_particles(x), fp.from_particles(x, smoothing=0.1)

        x, empirical, smooth = drawn(getkey(), density)
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-14)
        gap = empirical - density
        # A mean over n points of Y_i has a standard deviation of |Y_i|_rho/sqrt(n), at most sqrt of
        # the largest density; five of them over at most 169 coefficients.
        bound = 5 * np.sqrt(float(basis.synthesize(density).max()) / n)
        assert float(jnp.abs(gap).max()) < bound
        np.testing.assert_allclose(smooth, basis.heat(empirical, 0.1), atol=1e-15)
    across, _, _ = drawn(getkey(), density.at[1:].multiply(3.0))  # negative in places
    assert np.isfinite(across).all()


@pytest.mark.slow
def test_a_gradient_through_a_run():
    basis = Gegenbauer(3, 12)
    start = expand(basis, VonMisesFisher(jnp.eye(3)[0], 0.5))

    def mean(p):
        fp = FokkerPlanck(basis, Unnormalized(p[0]), p[1])
        return run(fp, start, 1.0, 16)[1]

    p, h = jnp.array([2.0, 0.1]), 1e-5
    slopes = [(mean(p + h * e) - mean(p - h * e)) / (2 * h) for e in jnp.eye(2)]
    # Central differences err by h^2 times a third derivative, about 1e-9.
    np.testing.assert_allclose(jax.jit(jax.grad(mean))(p), slopes, rtol=1e-8)


def test_single_precision():
    basis = Gegenbauer(3, 12)
    start = expand(basis, VonMisesFisher(jnp.eye(3)[0], 0.5))
    fp, single = FokkerPlanck(basis, Unnormalized(2.0), 0.1), start.astype(np.float32)

    def all_of(coeffs):
        others = fp.sample(jax.random.key(0), coeffs, 10), fp.minimum(coeffs)
        return *others, fp.dissipation(coeffs)

    assert [a.dtype for a in jax.eval_shape(all_of, single)] == [np.float32] * 3
    moved = drift(fp, single)
    assert moved.dtype == np.float32
    # A divergence takes terms of degree 12 times 13, each rounded to 6e-8.
    np.testing.assert_allclose(moved, drift(fp, start), atol=1e-5)


@pytest.mark.slow
def test_a_run_in_single_precision():
    basis = Gegenbauer(3, 12)
    start = expand(basis, VonMisesFisher(jnp.eye(3)[0], 0.5))
    fp = FokkerPlanck(basis, Unnormalized(2.0), 0.1)
    exact = run(fp, start, 1.0, 16)
    single = simulate(fp, start.astype(np.float32), jnp.array([0.0, 1.0]), dt=1 / 16).final
    assert single.dtype == np.float32
    # Sixteen steps of eight stages, each rounded to 6e-8.
    np.testing.assert_allclose(single, exact, atol=1e-5)


def test_bad_input_is_refused():
    basis, mean = Fourier(8), jnp.zeros(17).at[0].set(1.0)
    good, ts = FokkerPlanck(basis, Softmax(1.0), 0.1), jnp.array([0.0, 1.0])
    check_refused(lambda: FokkerPlanck(basis, None, -1.0), "expected noise >= 0")
    check_refused(lambda: simulate(good, mean[:5], ts), "17 coefficients")
    check_refused(lambda: simulate(good, 2 * mean, ts), "mass 1")
    check_refused(lambda: simulate(good, mean * jnp.nan, ts), "finite")
    turn = jnp.array([[0.0, -1.0], [1.0, 0.0]])
    for part in ({"query": turn}, {"key": turn}, {"value": turn}, {"mask": causal(4)}):
        with pytest.raises(ValueError, match="density"):
            FokkerPlanck(basis, MultiHead([Softmax(1.0), Softmax(1.0, **part)]), 0.1)
    with pytest.raises(ValueError, match="for this basis"):
        FokkerPlanck(basis, Softmax(1.0, value=jnp.eye(3)), 0.1)
