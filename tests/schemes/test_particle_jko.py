"""Implicit steps of clouds: exact cases, the energy inequality at every step, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.attention import Unnormalized
from meanfield.dynamics import AttentionFlow
from meanfield.energies import Entropy, Interaction, InternalEnergy, Pairwise, Potential
from meanfield.geometry import Euclidean, Sphere
from meanfield.schemes import ParticleJKO
from meanfield.solve import SolveError, rollout, simulate

SPHERE = Sphere(3)


def test_quadratic_energies_have_the_implicit_step_of_calculus():
    x = jax.random.normal(jax.random.key(0), (6, 2))
    w = jnp.array([0.0, 0.1, 0.2, 0.3, 0.2, 0.2])
    pull = Pairwise(lambda x, y: (x - y) @ (x - y) / 2)
    run = rollout(ParticleJKO(Euclidean(2), pull, 0.5, w), x, 3)
    mean = w @ x
    exact = mean + (x - mean) / 1.5**3
    np.testing.assert_allclose(run.final[1:], exact[1:], atol=1e-13)
    np.testing.assert_array_equal(run.final[0], x[0])  # without mass nothing pays for its move
    assert run.stats["converged"].all()


def test_steps_know_no_units():
    """In a quadratic well all scales are alike; so is a start at rest, of which forces tell the scale."""
    x = np.random.default_rng(0).normal(size=(6, 2))

    @jax.jit
    @jax.vmap
    def steps(start, scale):
        well = Potential(lambda x: jnp.sum((x - scale) ** 2) / 2)
        return ParticleJKO(Euclidean(2), well, 0.5).step(start, None)

    scales = np.array([1e-14, 1e-150, 1e8])
    for start in (x * scales[:, None, None], 0 * x * scales[:, None, None]):
        new, facts = steps(jnp.asarray(start), jnp.asarray(scales))
        unit = scales[:, None, None]
        exact = (start / unit + 0.5) / 1.5
        np.testing.assert_allclose(new / unit, exact, rtol=1e-7, atol=1e-8)
        moved = np.sqrt(((exact - start / unit) ** 2).sum(axis=(1, 2)) / 6)
        np.testing.assert_allclose(facts["moved"] / scales, moved, rtol=1e-6)
        assert facts["converged"].all() and (facts["residual"] <= 1.5e-8 * 5 * scales).all()


def test_a_step_ends_at_its_tolerance_and_no_later():
    x, w = SPHERE.sample(jax.random.key(3), 6), jnp.array([0.6, 0.1, 0.1, 0.1, 0.1 - 1e-4, 1e-4])
    loose, tight = (ParticleJKO(SPHERE, -Interaction(4.0), 0.3, w, tol) for tol in (1e-4, None))
    (near, said), (new, facts) = jax.jit(lambda x: (loose.step(x, None), tight.step(x, None)))(x)
    assert said["converged"]
    assert 1e-9 < said["residual"] <= 1e-4
    assert facts["residual"] < 1e-13
    assert said["iterations"] < facts["iterations"]
    # Where a step is unique, the residual bounds its error, up to how convex the problem is.
    assert SPHERE.distance(near, new).max() <= 2e-4


def test_a_step_around_the_circle_is_none():
    """Far down a slope L-BFGS may pass the antipode: what is critical there is not, of the shorter way."""
    angles, slopes = np.random.default_rng(1).uniform(0, 2 * np.pi, 40), np.geomspace(1, 1000, 40)
    circle = Sphere(2)

    @jax.jit
    @jax.vmap
    def one(angle, slope):
        x = jnp.stack([jnp.cos(angle), jnp.sin(angle)])[None]
        new, facts = ParticleJKO(circle, Potential(lambda x: slope * x[0]), 1.0).step(x, None)
        turn = jnp.arctan2(x[0, 0] * new[0, 1] - x[0, 1] * new[0, 0], x[0] @ new[0])
        return facts, turn - slope * jnp.sin(angle + turn)

    facts, left = one(angles, slopes)
    assert 0.7 < facts["converged"].mean() < 1
    assert np.abs(left[facts["converged"]]).max() < 1e-7
    np.testing.assert_allclose(facts["residual"], np.abs(left), atol=1e-10)


def test_a_loose_tolerance_loses_no_minimum():
    """Of double wells, where steps are long, a search that ends early leaves Newton's method nowhere."""
    x, taus = np.random.default_rng(0).normal(size=(60, 3, 2)), np.geomspace(1, 100, 60)
    wells = Potential(lambda x: jnp.sum((x**2 - 1) ** 2))

    @jax.jit
    @jax.vmap
    def met(start, tau):
        return ParticleJKO(Euclidean(2), wells, tau, tol=1e-3).step(start, None)[1]["converged"]

    assert met(x, taus).mean() > 0.95


def test_a_tolerance_beyond_rounding_is_not_met():
    well = Potential(lambda x: jnp.sum(jnp.cos(x)))
    x = np.random.default_rng(0).normal(size=(6, 2))
    with pytest.raises(SolveError, match=r"converge.*or loosen tol"):
        rollout(ParticleJKO(Euclidean(2), well, 0.5, tol=1e-18), x, 1)


def test_single_precision_stays_single():
    scheme = ParticleJKO(Euclidean(2), Potential(lambda x: x @ x / 2), 0.5)
    start = jax.ShapeDtypeStruct((3, 2), jnp.float32)
    new, facts = jax.eval_shape(lambda x: scheme.step(x, None), start)
    assert new.dtype == facts["residual"].dtype == facts["energy"].dtype == jnp.float32


@pytest.mark.slow
def test_order_one_to_the_attention_flow():
    x, beta = SPHERE.sample(jax.random.key(1), 8), 2.0
    flow = AttentionFlow(SPHERE, Unnormalized(beta))
    exact = simulate(flow, x, jnp.array([0.0, 0.5]), tol=1e-10).final
    errors = []
    for steps in (8, 16, 32):
        run = rollout(ParticleJKO(SPHERE, -Interaction(beta), 0.5 / steps), x, steps)
        errors.append(float(SPHERE.distance(run.final, exact).max()))
        np.testing.assert_allclose(jnp.linalg.norm(run.final, axis=1), 1, atol=1e-14)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(1, abs=0.1)


def trial(key):
    """The largest excess in four steps of a random scheme and start, over the energy's size, and whether
    all have converged."""
    keys = jax.random.split(key, 3)
    tau, beta = 10 ** jax.random.uniform(keys[0], (2,), minval=jnp.array([-3.0, -1.0]), maxval=0.7)
    tilt = jax.random.normal(keys[1], (3,))
    energy = Potential(lambda x: tilt @ x) - Interaction(beta, offset=beta)
    run = rollout(ParticleJKO(SPHERE, energy, tau), SPHERE.sample(keys[2], 6), 4)
    energies = run.stats["energy"]
    rise = jnp.maximum(run.stats["excess"].max(), jnp.diff(energies).max())
    return rise / (1 + jnp.abs(energies).max()), run.stats["converged"].all()


@pytest.mark.parametrize("count", [2, pytest.param(200, marks=pytest.mark.slow)])
def test_energy_falls_at_every_step_of_random_runs(count):
    keys = jax.random.split(jax.random.key(5), count)
    worst, converged = jax.jit(lambda keys: jax.lax.map(trial, keys))(keys)
    assert converged.all()
    # Sums of some dozens of terms, and the tolerance of the comparison after Newton's method.
    assert float(worst.max()) < 1e-13


@pytest.mark.slow
def test_steps_are_differentiable_in_parameters():
    x = SPHERE.sample(jax.random.key(2), 5)

    @jax.jit
    def height(b):
        energy = Potential(lambda x: b * x[0]) - b * Interaction(2.0)
        return rollout(ParticleJKO(SPHERE, energy, 0.3 * b), x, 2).final[0, 0]

    b, h = jnp.array(1.0), 1e-4
    slope = (height(b + h) - height(b - h)) / (2 * h)
    assert float(jax.grad(height)(b)) == pytest.approx(float(slope), abs=1e-7)


def test_bad_input_is_refused():
    energy, x = -Interaction(2.0), jnp.eye(3)
    for make, message in (
        (lambda: ParticleJKO(SPHERE, energy + 0.1 * Entropy(), 0.1), "points do not have"),
        (lambda: ParticleJKO(SPHERE, 2.0 * InternalEnergy(2.0), 0.1), "points do not have"),
        (lambda: ParticleJKO(SPHERE, energy, 0.0), "tau > 0"),
        (lambda: ParticleJKO(SPHERE, energy, 0.1, tol=0.0), "leave it out for rounding"),
        (lambda: ParticleJKO(SPHERE, energy, 0.1, jnp.ones(3)), "sum 1"),
        (lambda: rollout(ParticleJKO(SPHERE, energy, 0.1), 2 * x, 1), "unit vectors"),
        (lambda: rollout(ParticleJKO(SPHERE, energy, 0.1, jnp.ones(2) / 2), x, 1), "shape [3]"),
    ):
        check_refused(make, message)
