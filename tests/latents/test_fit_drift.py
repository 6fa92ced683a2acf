"""Drifts and noises that synthetic recordings were made with, found again within their errors."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.attention import Softmax, causal
from meanfield.dynamics import GradientFlow
from meanfield.energies import Potential
from meanfield.geometry import Sphere
from meanfield.latents import (
    AttentionPotential,
    Constant,
    Linear,
    Quadratic,
    Recording,
    Writes,
    fit_drift,
    lines_of_thought,
)
from meanfield.latents.fits import _fit, _solver, _spectral, fit_drifts

D, N, NOISE, LAYERS = 4, 150, 0.02, (0, 1, 3)
RNG = np.random.default_rng(11)
TURN = np.array([[0, 0.5, 0, 0], [-0.5, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
STRETCH = np.diag([0.6, -0.2, -0.4, 0.0]) + 0.2 * (np.eye(D, k=2) + np.eye(D, k=-2))
PULL = np.array([0.0, 0.0, 0.3, -0.2])
FREE = Sphere(D)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def moved(x, v):
    """exp_x(v)."""
    size = np.linalg.norm(v, axis=-1, keepdims=True)
    return np.cos(size) * x + np.sin(size) * v / np.maximum(size, 1e-300)


def text(drift, noise=NOISE, layers=LAYERS, n=N):
    """Tokens that move by geodesic Euler steps, from uniform starts, at any radii."""
    x = unit(RNG.normal(size=(n, D)))
    states = [x]
    for h in np.diff(layers):
        push = h * drift(x) + np.sqrt(2 * noise * h) * RNG.normal(size=x.shape)
        x = moved(x, push - (x * push).sum(-1, keepdims=True) * x)
        states.append(x)
    return Recording(np.stack(states) * RNG.uniform(1, 2, size=(len(states), n, 1)), layers=layers)


def affine(matrix, offset=PULL):
    return lambda x: x @ matrix.T + offset


def corpus(drift, count=8, **options):
    texts = [text(drift, **options) for _ in range(count)]
    return texts[: 3 * count // 4], texts[3 * count // 4 :]


TRAIN, TEST = corpus(affine(STRETCH + TURN))


@pytest.fixture(scope="module")
def linear():
    return fit_drift(TRAIN, TEST, Linear())


def test_a_linear_drift_and_its_noise_are_found_again(linear):
    # The field that is tangent does not see multiples of the identity.
    found = np.asarray(linear.drift.matrix)
    found = found - np.trace(found) / D * np.eye(D)
    # Deviation of an entry: sqrt(2 noise/(total time)) over that of a coordinate, 1/2. Time: 6 texts of 150
    # tokens and 3 layers. Six deviations, for twenty entries and coordinates that are not isotropic.
    reach = 6 * np.sqrt(2 * NOISE / (6 * N * 3)) * 2
    np.testing.assert_allclose(found, STRETCH + TURN, atol=reach)
    np.testing.assert_allclose(linear.drift.offset, PULL, atol=reach)
    numbers = 6 * N * 2 * (D - 1)
    # d^2 + d parameters, less the identity, and a hundredth of each for the ridge of 0.01 at most.
    assert linear.ridge <= 0.01 and D * D + D - 1 - 0.3 < linear.degrees <= D * D + D - 1 + 1e-9
    want = NOISE * np.sqrt(2 / (numbers - linear.degrees))
    np.testing.assert_allclose(linear.noise_error, want, rtol=0.2)
    assert abs(linear.noise - NOISE) < 4 * linear.noise_error
    low, high = linear.noise_interval
    assert low < NOISE < high and high - low < 12 * linear.noise_error
    assert linear.converged and linear.potential is None and np.isnan(linear.contraction)


def test_shares_explained_are_those_of_the_law(linear):
    # On uniform directions E|P S x|^2 = |S|^2/(d + 2) for traceless S, E|P g|^2 = |g|^2 (d - 1)/d and
    # E|A x|^2 = |A|^2/d: to a percent at these starts, but the later layers are not uniform.
    (train, test) = corpus(affine(STRETCH + TURN), layers=(0, 1), n=400)
    fit = fit_drift(train, test, Linear())
    pull, turn = PULL @ PULL * (D - 1) / D, (TURN**2).sum() / D
    stretch = (STRETCH**2).sum() / (D + 2)
    whole = pull + turn + stretch + 2 * NOISE * (D - 1)
    np.testing.assert_allclose(fit.noise_naive, whole / 2 / (D - 1), rtol=0.05)
    np.testing.assert_allclose(fit.r2_test, 1 - 2 * NOISE * (D - 1) / whole, atol=0.04)
    np.testing.assert_allclose(
        fit.gradient_share, 1 - turn / (whole - 2 * NOISE * (D - 1)), atol=0.04
    )
    assert fit.r2_interval[0] <= fit.r2_test <= fit.r2_interval[1]
    gradient = fit_drift(train, test, Quadratic())
    np.testing.assert_allclose(gradient.r2_test, (pull + stretch) / whole, atol=0.04)
    constant = fit_drift(train, test, Constant())
    np.testing.assert_allclose(constant.r2_test, pull / whole, atol=0.04)
    np.testing.assert_allclose(constant.degrees, D, rtol=1e-9)
    assert gradient.gradient_share == constant.gradient_share == 1


def test_a_fitted_potential_goes_back_into_a_flow():
    train, test = corpus(affine(STRETCH), layers=(0, 1))
    fit = fit_drift(train, test, Quadratic())
    x = jnp.asarray(unit(RNG.normal(size=(5, D))))
    want = FREE.to_tangent(x, jax.vmap(fit.drift)(x))
    flow = GradientFlow(FREE, Potential(fit.potential), noise=fit.noise)
    np.testing.assert_allclose(flow.drift(jnp.zeros(()), x, None), want, atol=1e-12)
    np.testing.assert_allclose(want, FREE.to_tangent(x, x @ STRETCH + PULL), atol=0.15)
    # Ricci curvature d - 2, and the least Hessian of V along the sphere over points and directions:
    # Hess V(v, v) = -v S v + x S x + <g, x>.
    at, v = np.asarray(x)[:, None], RNG.normal(size=(5, 400, D))
    v = unit(v - (at * v).sum(-1, keepdims=True) * at)
    s, g = np.asarray(fit.potential.matrix), np.asarray(fit.potential.offset)
    hessian = np.einsum("ni,ij,nj->n", x, s, x)[:, None] - np.einsum("nki,ij,nkj->nk", v, s, v)
    least = (hessian + (np.asarray(x) @ g)[:, None]).min() + fit.noise * (D - 2)
    assert fit.contraction <= least < fit.contraction + 1.5
    values = np.linalg.eigvalsh(s)
    want = fit.noise * (D - 2) - np.ptp(values) - np.linalg.norm(g)
    np.testing.assert_allclose(fit.contraction, want, rtol=1e-12)


@pytest.mark.parametrize("square", [0, 10_000], ids=["parameters", "rows"])
def test_many_parameters_are_found_by_iteration_as_few_are(linear, monkeypatch, square):
    quadratic = fit_drift(TRAIN, TEST, Quadratic(), ridges=[0.1])
    monkeypatch.setattr(_solver, "DENSE", 0)
    monkeypatch.setattr(_spectral, "SQUARE", square)
    families = (linear, linear.ridge), (quadratic, 0.1)
    for direct, ridge in families[:1] if square else families:
        (iterated,) = fit_drifts(TRAIN, TEST, [direct.family], ridges=[ridge])
        assert iterated.converged
        # Equations whose right-hand side is .2 are solved to 1e-5 of it, and divided by a covariance of 1/4;
        # what is left grows by the square of that.
        np.testing.assert_allclose(iterated.drift.matrix, direct.drift.matrix, atol=4e-5)
        np.testing.assert_allclose(iterated.drift.offset, direct.drift.offset, atol=4e-5)
        for name in ("r2_train", "r2_test", "r2_interval"):
            np.testing.assert_allclose(getattr(iterated, name), getattr(direct, name), rtol=1e-6)
        # Equations solved to a hundredth leave a share that is off by the square of it, about.
        np.testing.assert_allclose(iterated.gradient_share, direct.gradient_share, rtol=1e-3)
        # Of one random vector, which is exact but for P_x, a fourth of all: four deviations.
        assert abs(iterated.degrees / direct.degrees - 1) < 4 * np.sqrt(2 / 19) / 4


def test_several_families_are_fitted_at_once_as_each_alone(monkeypatch):
    monkeypatch.setattr(_solver, "DENSE", 0)
    families = [Constant(), Linear(), Quadratic(), AttentionPotential(2.0)]
    together = fit_drifts(TRAIN, TEST, families)
    for family, one in zip(families, together, strict=True):
        alone = fit_drift(TRAIN, TEST, family)
        assert (one.r2_test, one.ridge, one.gradient_share) == (
            alone.r2_test,
            alone.ridge,
            alone.gradient_share,
        )


def test_attention_is_found_with_its_strength():
    attend = jax.jit(lambda x: Softmax(3.0, mask=causal(N))(x))
    train, test = corpus(
        lambda x: 0.7 * np.asarray(attend(jnp.asarray(x))), noise=1e-3, layers=(0, 1)
    )
    fit = fit_drift(train, test, AttentionPotential(3.0))
    # The noise over the root of the squared field, of which most is along the token.
    field = np.mean([
        np.sum(np.asarray(FREE.to_tangent(x, attend(x))) ** 2, -1).mean()
        for x in (t.directions()[0] for t in train)
    ])  # fmt: skip
    error = np.sqrt(2e-3 / (field * 6 * N))
    assert abs(float(fit.coefficients[0]) - 0.7) < 4 * error < 0.1
    assert abs(fit.noise - 1e-3) < 4 * fit.noise_error
    assert fit.degrees == pytest.approx(1 / (1 + fit.ridge), rel=0.05)
    wrong = fit_drift(train, test, AttentionPotential(0.0, causal=False))
    assert wrong.r2_test < fit.r2_test - 0.1


def test_the_writes_of_a_layer_explain_what_they_move():
    # Small writes: log_x(x + e v) = e P v/|x| + O(e^2), so that both coefficients are 1.
    x, a, m = RNG.normal(size=(3, 80, D)) * np.array([3.0, 1e-4, 2e-4])[:, None, None]
    one = Recording(np.stack([x, x + a + m]), mid=(x + a)[None])
    other = Recording(one.states[:, ::-1], mid=one.mid[:, ::-1])
    fit = fit_drift(one, other, Writes(), ridges=[1e-9])
    np.testing.assert_allclose(fit.coefficients, 1, atol=1e-3)
    assert fit.r2_test > 1 - 1e-6 and fit.drift is None
    check_refused(lambda: fit_drift(TRAIN, TEST, Writes()), "choose another family")


def test_a_ridge_is_chosen_by_texts_that_were_not_fitted():
    still, quiet = corpus(affine(0 * TURN, 0 * PULL), layers=(0, 1), n=12)
    assert fit_drift(still, quiet, Linear()).ridge >= 0.1
    sure, clear = corpus(affine(STRETCH), layers=(0, 1), noise=1e-9)
    fit = fit_drift(sure, clear, Linear())
    assert fit.ridge == min(_fit.RIDGES)
    # One text is cut in two by its tokens.
    assert fit_drift(sure[0], clear[0], Linear()).ridge == min(_fit.RIDGES)


def test_single_precision_and_one_layer_of_many(linear):
    single = [
        [dataclasses.replace(t, states=t.states.astype(np.float32)) for t in part]
        for part in (TRAIN, TEST)
    ]
    fit = fit_drift(*single, Linear())
    # Directions of 6e-8 in steps of .3.
    np.testing.assert_allclose(fit.noise, linear.noise, rtol=1e-5)
    np.testing.assert_allclose(fit.drift.matrix, linear.drift.matrix, atol=1e-5)
    last = fit_drift(TRAIN, TEST, Linear(), layer=1)
    cut = [[t.select([1, 3]) for t in part] for part in (TRAIN, TEST)]
    assert last.noise == fit_drift(*cut, Linear()).noise != linear.noise
    assert abs(last.noise - NOISE) < 4 * last.noise_error
    check_refused(lambda: fit_drift(TRAIN, TEST, Linear(), layer=3), "leave it out")
    check_refused(lambda: fit_drift(TRAIN, TEST, Linear), "make one")
    check_refused(lambda: fit_drift(TRAIN, TEST, Linear(), ridges=[]), "pass ridges")
    check_refused(lambda: fit_drift(TRAIN, [t.select([0, 1]) for t in TEST], Linear()), "select")
    check_refused(lambda: AttentionPotential(-1.0), "beta")


def test_residuals_over_depth_grow_as_the_noise_does():
    layers, deviations = 6, 0.1 * np.exp(0.3 * np.arange(5))
    matrix = np.eye(D) + 0.3 * TURN

    def one():
        states = [RNG.normal(size=(200, D))]
        for deviation in deviations:
            states.append(states[-1] @ matrix.T + deviation * RNG.normal(size=(200, D)) + PULL)
        return Recording(np.stack(states), layers=range(layers))

    found = lines_of_thought([one() for _ in range(6)], [one() for _ in range(3)], ridge=1e-9)
    # 2400 numbers: the variance is known to sqrt(2/2400) = 3 %, the fit adds d/1200.
    np.testing.assert_allclose(found.residual, deviations**2, rtol=4 * 0.03)
    np.testing.assert_allclose(found.residual, found.residual_each.mean("text"), rtol=1e-12)
    heavy = lines_of_thought([one() for _ in range(3)], one(), ridge=1e6)
    np.testing.assert_allclose(heavy.residual, heavy.spread, rtol=0.2)
