"""Clouds that collapsed, coincide or face each other, tokens of no mass, NaN, and points off the sphere."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_observables import seen
from refusals import check_refused, each_of
from scipy.special import digamma
from unit_vectors import unit_vectors

from meanfield import observables as O
from meanfield.geometry import Euclidean, Sphere

NAN, INF = float("nan"), float("inf")
X = unit_vectors(0, 5, 3)
UP = jnp.array([0.0, 0.0, 1.0])
EVEN, PAIR = jnp.full(5, 0.2, float), jnp.array([0.5, 0.5, 0.0, 0.0, 0.0])
TS = jnp.array([0.0, 1.0, 2.0, 3.0])
when = jax.jit(O.hitting_time)


@pytest.mark.parametrize(
    ("values", "time"),
    [
        ([-0.9, INF, INF, INF], NAN),
        ([-0.9, NAN, 1.0, 1.0], NAN),
        ([-0.9, 0.1, INF, INF], 0.9),
        ([-0.9, -0.5, -0.4, -0.3], INF),
        ([NAN, 1.0, 1.0, 1.0], NAN),
        ([0.9, 0.5, -0.5, -1.0], 1.5),
    ],
)
def test_what_was_never_saved_is_no_time(values, time):
    """The level 0: reached before the run stopped, or unknown, or never, which is infinity."""
    np.testing.assert_allclose(when(TS, np.array(values), 0.0), time, rtol=1e-14)


def test_times_that_were_never_saved_and_counts():
    ts = jnp.array([0.0, 1.0, INF, INF])
    assert np.isnan(when(ts, np.array([-1.0, -0.5, INF, INF]), 0.0))
    assert when(TS, np.array([5, 3, 2, 1]), 1.0) == 3


@jax.jit
def look(x, w):
    """Every observable of five tokens that says something by floating-point numbers."""
    return {
        "clusters": O.clusters(x, w=w).masses,
        "alignment": O.alignment(x, w),
        "degree": O.degree_moment(x, 2, w),
        "resultant": O.mean_resultant(x, w),
        "second": O.second_moment(x, w),
        "histogram": O.inner_product_histogram(x, 4, w),
        "smoothed": O.smoothed_entropy(x, 3.0, w),
        "captured": O.captured_share(x, jnp.arange(5) < 5, 0.1, w),
        "rank": O.effective_rank(x),
        "least": O.min_inner_product(x),
        "knn": O.entropy_knn(x, 1).value,
        "hemisphere": O.hemisphere(x),
        "count": O.clusters(x, w=w),
        "centres": (O.renyi_centres(x, 0.1), O.strong_renyi_centres(x, 0.1)),
    }


def test_nan_in_a_compiled_program_is_nan_out():
    bad = jax.tree.map(np.asarray, look(X.at[1, 0].set(NAN), EVEN))
    found, half, centres = (bad.pop(name) for name in ("count", "hemisphere", "centres"))
    for name, value in bad.items():
        assert np.isnan(value).any(), name
    assert found.count == 0 and (found.labels == -1).all() and (found.sizes == 0).all()
    assert not any(c.any() for c in centres)
    assert not half.inside and not half.converged and np.isnan(half.margin)
    assert np.isnan(half.direction).all()


@pytest.mark.parametrize(
    ("x", "w", "values"),
    [
        (jnp.tile(UP, (5, 1)), EVEN, (1, 1, 1, 0, 1, 1)),
        # Two that face each other, and three of no mass: the kernel sees e^{-3 * 4/2} of the other.
        (
            jnp.stack([UP, -UP, UP, UP, UP]),
            PAIR,
            (-1, 0, 1, np.log(2) - np.log1p(np.exp(-6.0)), 1, -1),
        ),
    ],
    ids=["one point", "antipodes"],
)
def test_clouds_that_collapsed_and_clouds_that_face_each_other(x, w, values):
    seen = look(x, w)
    names = ("alignment", "resultant", "degree", "smoothed", "captured", "least")
    for name, value in zip(names, values, strict=True):
        np.testing.assert_allclose(seen[name], value, atol=1e-14, err_msg=name)
    np.testing.assert_allclose(seen["rank"], 1, rtol=1e-14)
    assert seen["count"].count == len({float(v) for v in x[:, 2]})
    names = ("alignment", "resultant", "degree", "smoothed", "rank", "least")
    assert all(np.isfinite(v).all() for v in slopes(x, w, names))


@functools.partial(jax.jit, static_argnums=2)
def slopes(x, w, names):
    return [jax.grad(lambda x, name=name: look(x, w)[name])(x) for name in names]


def test_one_token_and_two():
    assert seen(O.clusters, UP[None]).count == 1 and seen(O.mean_resultant, UP[None]) == 1
    # Two tokens at a right angle on the circle: psi(2) - psi(1) = 1, and within pi/2 lies one half.
    pair = seen(O.entropy_knn, jnp.eye(2), 1)
    np.testing.assert_allclose(pair.value, 1 - np.log(2), rtol=1e-14)
    # Equal ones are one distinct token, which has no neighbour.
    same = seen(O.entropy_knn, jnp.full((2, 2), np.sqrt(0.5)), 1)
    assert np.isnan(same.value) and same.duplicates == 0.5


def test_tokens_of_no_mass_change_nothing():
    """Against sums over the three tokens that have mass."""
    w = jnp.array([0.2, 0.3, 0.5, 0.0, 0.0])
    seen, x, m = look(X, w), np.asarray(X[:3]), np.asarray(w[:3])
    gram, pairs = x @ x.T, np.outer(m, m)
    np.testing.assert_allclose(seen["resultant"], np.sqrt((pairs * gram).sum()), rtol=1e-13)
    off = pairs - np.diag(m**2)
    np.testing.assert_allclose(seen["alignment"], (off * gram).sum() / off.sum(), rtol=1e-13)
    quadratic = (pairs * (3 * gram**2 - 1) / 2).sum()
    np.testing.assert_allclose(seen["degree"], quadratic, rtol=1e-13)
    blurred = np.log(np.exp(3 * (gram - 1)) @ m)
    np.testing.assert_allclose(seen["smoothed"], -m @ blurred, rtol=1e-13)
    edges = np.linspace(-1, 1, 5)
    counts = np.histogram(gram[np.triu_indices(3, 1)], edges, weights=off[np.triu_indices(3, 1)])
    np.testing.assert_allclose(seen["histogram"], 2 * counts[0] / off.sum(), atol=1e-14)
    np.testing.assert_allclose(seen["second"], x.T @ (m[:, None] * x), atol=1e-14)


def test_a_token_of_no_mass_that_sees_no_other():
    x = jnp.concatenate([X[:4], jnp.array([[1e3, 0.0, 0.0]])])
    smoothed = jax.jit(jax.value_and_grad(lambda x, w: O.smoothed_entropy(x, 3.0, w)))
    value, slope = smoothed(x, PAIR)
    exact = np.log(2) - np.log1p(np.exp(3 * (float(X[0] @ X[1]) - 1)))
    np.testing.assert_allclose(value, exact, rtol=1e-13)
    assert jnp.isfinite(slope).all() and (slope[2:] == 0).all()


def test_effective_rank_has_its_gradient_among_clouds_of_one_rank():
    """Two orthogonal tokens of lengths 1 and s, in R^3: p = (1, s)/(1 + s), whose rank stays 2."""
    rank = lambda s: O.effective_rank(
        jnp.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]]).at[1, 1].set(s)
    )
    p = np.array([2 / 3, 1 / 3])
    value = np.exp(-p @ np.log(p))
    slope = -value * (np.log(p) @ np.array([-4 / 9, 4 / 9]))
    found = jax.jit(jax.value_and_grad(rank))(0.5)
    np.testing.assert_allclose(found[0], value, rtol=1e-14)
    np.testing.assert_allclose(found[1], slope, rtol=1e-13)
    # Towards a higher rank there is none: a plane of R^3 has the gradient of R^2.
    cloud = jnp.array([[1.0, 0.2], [-0.3, 0.5], [0.4, -0.9]])
    slopes = [jax.grad(O.effective_rank)(x) for x in (cloud, jnp.pad(cloud, [(0, 0), (0, 1)]))]
    np.testing.assert_allclose(slopes[1], jnp.pad(slopes[0], [(0, 0), (0, 1)]), atol=1e-14)


@each_of(
    [
        ("clusters", lambda: O.clusters(2 * X), "Sphere(d).project(x)"),
        ("points near the origin", lambda: O.clusters(1e-6 * X), "Sphere(d).project(x)"),
        ("centres", lambda: O.renyi_centres(2 * X, 0.1), "Sphere(d).project(x)"),
        ("strong centres", lambda: O.strong_renyi_centres(2 * X, 0.1), "Sphere(d).project(x)"),
        ("share", lambda: O.captured_share(2 * X, jnp.ones(5, bool), 0.1), "project(x)"),
        ("centres by name", lambda: O.captured_share(X, jnp.arange(5), 0.1), "renyi_centres"),
        ("resultant", lambda: O.mean_resultant(2 * X), "Sphere(d).project(x)"),
        ("degree", lambda: O.degree_moment(2 * X, 2), "Sphere(d).project(x)"),
        ("histogram", lambda: O.inner_product_histogram(2 * X), "Sphere(d).project(x)"),
        ("negative beta", lambda: O.smoothed_entropy(X, -1.0), "pass beta=0"),
        ("no geometry", lambda: O.clusters(X, geometry=Sphere), "make one"),
    ]
)
def test_what_is_no_cloud_of_the_sphere_is_refused(call, remedy):
    check_refused(call, remedy)


def test_clusters_of_flat_space():
    x = jnp.array([[1.0, 0.0], [5.0, 0.0], [5.0, 1e-4]])
    assert seen(lambda x: O.clusters(x, geometry=Euclidean(2)), x).count == 2


@pytest.mark.parametrize("scale", [2.0**-90, 2.0**90])
def test_what_has_no_scale_is_the_same_at_any(scale):
    """In single precision squares of 2^-90 are 0, those of 2^90 infinite; a power of 2 rounds nothing."""
    x, y = (np.random.default_rng(k).normal(size=(5, 3)).astype(np.float32) for k in (0, 1))
    x += np.float32(2)  # within a hemisphere

    def each(x, y):
        told, dim = O.gaussian_information(x, y), O.intrinsic_dimension(x).value
        best = O.hemisphere(x)
        return told, dim, best.margin / x[0, 0], best.direction, best.inside

    each = jax.jit(each)
    for found, want in zip(each(x * scale, y * scale), each(x, y), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    assert each(x, y)[-1]


def test_a_constant_that_rounding_parts_from_its_mean_tells_nothing():
    """0.1 seven times has another mean than 0.1; two such coordinates are equal, yet share no information."""
    constant = np.full((7, 1), 0.1)
    assert constant.mean() != 0.1
    x, y = (np.random.default_rng(k).normal(size=(7, 2)) for k in (0, 1))
    both = [jnp.asarray(np.hstack([z, constant])) for z in (x, y)]
    told = jax.jit(O.gaussian_information)
    rho = [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in (0, 1)]
    chance = (digamma(3.0) - digamma(2.5)) / 2
    want = sum(-np.log(1 - r**2) / 2 - chance for r in rho) / 3
    np.testing.assert_allclose(told(*both), want, rtol=1e-12)
