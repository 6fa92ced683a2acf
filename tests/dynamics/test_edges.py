"""Blocks that add nothing, weights of sums, starts that are no densities, wrong kinds of object."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused, each_of
from unit_vectors import unit_vectors

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import (
    NGPT,
    ArcLength,
    AttentionFlow,
    ConsensusFlow,
    Control,
    Drift,
    FokkerPlanck,
    GaussianFlow,
    GradientFlow,
    PairwisePull,
    PeriNorm,
    PostNorm,
    PreNorm,
    SinkhornFlow,
    Sum,
)
from meanfield.dynamics.densities._density_sampling import _draw
from meanfield.energies import Interaction
from meanfield.geometry import Euclidean, Sphere
from meanfield.harmonics import Fourier
from meanfield.solve import SolveError

SPHERE = Sphere(3)
X = unit_vectors(0, 4, 3)
R = jnp.array([0.5, 1.0, 1.5, 2.0])
T0 = jnp.zeros(())
ATTENTION = Softmax(2.0)
ZERO = Softmax(2.0, value=jnp.zeros((3, 3)))


def shift(x):
    return jnp.ones_like(x)


@eqx.filter_jit
def drift(flow, state):
    return flow.drift(T0, state, None)


def leaves(flow, state):
    return jax.tree.leaves(drift(flow, state))


@pytest.mark.parametrize("norm", [PeriNorm(), NGPT(2.0)], ids=["Peri", "nGPT"])
def test_a_block_that_adds_nothing_moves_nothing(norm):
    state = (X, R) if norm.radial else X
    for flow in (
        AttentionFlow(SPHERE, ZERO, norm),
        AttentionFlow(SPHERE, ZERO, norm, mlp=jnp.zeros_like),
    ):
        for leaf in leaves(flow, state):
            np.testing.assert_array_equal(leaf, 0)

    def speed(size):  # a learned block begins at zero: its gradient must not be NaN
        flow = AttentionFlow(SPHERE, ATTENTION, norm, mlp=lambda x: size * x)
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(flow.drift(T0, state, None)))

    assert jnp.isfinite(jax.jit(jax.grad(speed))(0.0))
    # Beside a block that adds something it changes nothing.
    beside = leaves(AttentionFlow(SPHERE, ATTENTION, norm, mlp=jnp.zeros_like), state)
    alone = leaves(AttentionFlow(SPHERE, ATTENTION, norm), state)
    for a, b in zip(beside, alone, strict=True):
        np.testing.assert_array_equal(a, b)
    # What is NaN stays NaN.
    lost = AttentionFlow(SPHERE, ATTENTION, norm, mlp=lambda x: x * jnp.nan)
    assert np.isnan(leaves(lost, state)[0]).all()


def test_terms_without_weights_take_those_of_the_others():
    w = jnp.array([0.1, 0.2, 0.3, 0.4])
    heavy, plain = AttentionFlow(SPHERE, ATTENTION, weights=w), AttentionFlow(SPHERE, ATTENTION)
    for both in (heavy + plain, plain + heavy, heavy + heavy.reweight(jnp.array(w))):
        np.testing.assert_array_equal(both.weights, w)
        np.testing.assert_allclose(drift(both, X), 2 * drift(heavy, X), rtol=1e-13)
    rest = Drift(SPHERE, jnp.zeros_like)
    np.testing.assert_array_equal((rest + heavy).weights, w)
    assert (rest + plain).weights is None
    for both in (rest + heavy, heavy + rest):
        merged = both.reweight(w[::-1])
        np.testing.assert_array_equal(merged.weights, w[::-1])
        expected = drift(heavy.reweight(w[::-1]), X)
        np.testing.assert_allclose(drift(merged, X), expected, rtol=1e-13)
    check_refused(lambda: heavy + rest.reweight(w[::-1]), "to one flow alone")
    check_refused(lambda: heavy + rest.reweight(jnp.ones(2) / 2), "to one flow alone")


@pytest.mark.slow
def test_the_order_of_terms_does_not_matter_to_merging():
    x0 = SPHERE.project(jnp.array([[1.0, 0, 0], [0.9, 0.4, 0], [0.2, 1.0, 0.3]]))
    heavy = AttentionFlow(SPHERE, ATTENTION, weights=jnp.array([0.7, 0.2, 0.1]))
    turn = Drift(SPHERE, lambda x: 0.1 * jnp.roll(x, 1))
    ts = jnp.array([0.0, 4.0])
    finals = [mf.simulate(flow, x0, ts, merge=1e-3).final for flow in (heavy + turn, turn + heavy)]
    np.testing.assert_allclose(*finals, atol=1e-8)


CIRCLE = Fourier(8)


def density(amplitude):
    return jnp.zeros(CIRCLE.size).at[0].set(1.0).at[1].set(amplitude / np.sqrt(2))


def test_a_start_that_is_no_density_is_refused():
    # 1 + a cos is negative on a mass of (sqrt(a^2 - 1) - arccos(1/a))/pi, 9e-3 at a = 1.1.
    equation = FokkerPlanck(CIRCLE, None, 0.1)
    for amplitude in (1.1, 5.0):
        assert equation.minimum(density(amplitude)) < 0
        check_refused(lambda a=amplitude: equation.check(density(a)), "basis.heat(coeffs, t)")
    equation.check(density(0.99))


def test_a_density_that_becomes_negative_fails_the_run():
    # A potential without noise gathers all mass in a point, which no series of degree 8 can follow.
    equation = FokkerPlanck(CIRCLE, None, 0.0, potential=lambda x: -x[0])
    ts = jnp.array([0.0, 0.1, 3.0])
    with pytest.raises(SolveError, match=r"the density is negative, .* raise the degree"):
        mf.simulate(equation, density(0.5), ts, tol=1e-4)
    assert not mf.simulate(equation, density(0.5), ts, tol=1e-4, throw=False).ok


def test_radii_and_covariances_stay_positive_or_fail_the_run():
    # V = -1 under Pre: r' = -1, so that r = .25 is used up at t = .25; the next step is -.05.
    flow = AttentionFlow(SPHERE, Softmax(1.0, value=-jnp.eye(3)), PreNorm())
    assert flow.requirements((X, R))["a radius has come to 0; shorten ts, or use PostNorm()"]
    assert not any(flow.requirements((X, -R)).values())
    normal = GaussianFlow(Softmax(1.0))
    assert all(normal.requirements((X[0], jnp.eye(3))).values())
    assert not any(normal.requirements((X[0], jnp.diag(jnp.array([1.0, 1.0, -0.1])))).values())


FLOW, KEY, DENSITY = (
    AttentionFlow(SPHERE, ATTENTION),
    jax.random.key(0),
    FokkerPlanck(CIRCLE, ATTENTION),
)
RHO = CIRCLE.analyze(1 + 0.5 * CIRCLE.points[:, 0])
TABLE = [
    ("attention first", lambda: AttentionFlow(ATTENTION, SPHERE), "pass Sphere(3)"),
    ("a class of attentions", lambda: AttentionFlow(SPHERE, Softmax), "the class Softmax"),
    ("an energy to follow", lambda: AttentionFlow(SPHERE, Interaction(2.0)), "pass Softmax(1.0)"),
    ("letters", lambda: AttentionFlow(SPHERE, "abc"), "pass Softmax(1.0)"),
    ("a class of geometries", lambda: AttentionFlow(Sphere, ATTENTION), "the class Sphere"),
    ("a dimension", lambda: AttentionFlow(3, ATTENTION), "pass Sphere(3)"),
    ("a class of norms", lambda: AttentionFlow(SPHERE, ATTENTION, PostNorm), "the class PostNorm"),
    (
        "a function for a norm",
        lambda: AttentionFlow(SPHERE, ATTENTION, jnp.zeros_like),
        "pass PreNorm()",
    ),
    (
        "a number for V",
        lambda: AttentionFlow(SPHERE, ATTENTION, potential=1.0),
        "potential=lambda x",
    ),
    ("a number for mlp", lambda: AttentionFlow(SPHERE, ATTENTION, mlp=1.0), "mlp=lambda x"),
    ("an attention to descend", lambda: GradientFlow(SPHERE, ATTENTION), "pass -Interaction(1.0)"),
    ("an energy alone", lambda: GradientFlow(Interaction(1.0), SPHERE), "pass Sphere(3)"),
    ("a drift that is none", lambda: Drift(SPHERE, 1.0), "function=lambda x"),
    ("a drift alone", lambda: Drift(jnp.zeros_like, SPHERE), "pass Sphere(3)"),
    (
        "a control of another shape",
        lambda: mf.simulate(Control(SPHERE, lambda t, x, args: x[0]), X, jnp.array([0.0, 1.0])),
        "return a vector for each token",
    ),
    ("a control that is none", lambda: Control(SPHERE, "abc"), "function=lambda x"),
    ("arc length of no flow", lambda: ArcLength(ATTENTION), "pass AttentionFlow"),
    ("Sinkhorn flow alone", lambda: SinkhornFlow(ATTENTION, SPHERE), "pass Sphere(3)"),
    ("no basis", lambda: FokkerPlanck(SPHERE, ATTENTION), "pass Fourier(32)"),
    ("density of letters", lambda: FokkerPlanck(CIRCLE, "abc"), "pass Softmax(1.0)"),
    (
        "density in a number",
        lambda: FokkerPlanck(CIRCLE, None, potential=2.0),
        "potential=lambda x",
    ),
    (
        "a sum with a number",
        lambda: Drift(SPHERE, jnp.zeros_like) + 1.0,
        "Drift(geometry, function)",
    ),
    (
        "weights in letters",
        lambda: Drift(SPHERE, jnp.zeros_like, weights="abc"),
        "jax.numpy.asarray",
    ),
    ("one weight for all", lambda: Drift(SPHERE, jnp.zeros_like, weights=1.0), "one a point"),
    ("one flow to agree", lambda: ConsensusFlow(FLOW, 1.0), "pass [flow] * 3"),
    ("a class of strengths", lambda: ConsensusFlow([FLOW] * 2, float), "jax.numpy.asarray"),
    ("a class of gates", lambda: ConsensusFlow([FLOW] * 2, 1.0, float), "gate=lambda t, x, own"),
    ("no pull", lambda: ConsensusFlow([FLOW] * 2, 1.0, pull=1.0), "pass ExactPull()"),
    ("one cloud of two", lambda: ConsensusFlow([FLOW] * 2, 1.0).control(T0, X[None]), "stack them"),
    ("a class of rates", lambda: NGPT(float), "jax.numpy.asarray"),
    ("tol of nothing", lambda: PairwisePull(tol=0.0), "leave it out"),
    ("a class of Gaussians", lambda: GaussianFlow(Softmax), "AttentionFlow"),
    ("a drift from R^3 to R^2", lambda: GaussianFlow(ATTENTION, linear=X[:2]), "[d, d]"),
    ("a sum of nothing", lambda: Sum(1.0), "pass (flow, other)"),
    ("a seed to draw by", lambda: DENSITY.sample(0, RHO, 3), "jax.random.key(0)"),
    ("half a particle", lambda: DENSITY.sample(KEY, RHO, 2.5), "integer"),
    ("masses of sum 2", lambda: DENSITY.from_particles(X[:, :2], jnp.ones(4) / 2), "w.sum()"),
    ("back in time", lambda: DENSITY.from_particles(X[:, :2], None, -1.0), "smoothing=0"),
    ("beyond all floats", lambda: Softmax(10**400), "a smaller one"),
    ("noise in letters", lambda: Drift(SPHERE, jnp.zeros_like, noise="abc"), "jax.numpy.asarray"),
]


@each_of(TABLE)
def test_wrong_kinds_of_object_are_refused_with_a_remedy(call, remedy):
    check_refused(call, remedy)


def test_numbers_of_numpy_are_numbers():
    for four in (4, np.int64(4), np.float32(4), np.array(4.0), jnp.array(4.0)):
        assert float(Softmax(four).beta) == 4.0
    for nothing in (0, 0.0, np.int64(0), np.float32(0), np.float64(0), np.array(0.0), None):
        assert Drift(Euclidean(2), shift, noise=nothing).noise is None
    assert float(Drift(Euclidean(2), shift, noise=np.float32(0.5)).noise) == 0.5


def test_functions_of_the_user_follow_the_precision_of_the_tokens():
    """Constants of double precision in a force would else end a run of single precision in words of jax."""
    x = jnp.asarray(X, jnp.float32)
    wide = np.asarray([1.0, 2.0, 3.0])
    for flow in (
        Drift(SPHERE, lambda x: wide + 0 * x),
        Control(SPHERE, lambda t, x, args: wide + 0 * x),
    ):
        with jax.numpy_dtype_promotion("standard"):
            field = flow.field(T0, x, None)
        assert field.dtype == np.float32
        np.testing.assert_allclose(field, np.broadcast_to(wide, x.shape), rtol=1e-6)
    check_refused(
        lambda: Drift(SPHERE, lambda x: x.astype(complex)).field(T0, X, None), "jax.numpy.real"
    )


def test_places_are_drawn_within_their_cells():
    cell, place = _draw(KEY, jnp.array([0.0, 0.0, 2.0, 0.0]), 50)
    assert (cell == 2).all() and (place >= 2).all() and (place < 3).all()
    assert place.min() < 2.2 and place.max() > 2.8  # all miss a fifth with probability .8^50 = 1e-5


def test_a_density_of_no_numbers_has_no_particles():
    lost = RHO.at[-1].set(jnp.nan)
    assert jnp.isnan(jax.jit(lambda c: DENSITY.sample(KEY, c, 3))(lost)).all()
