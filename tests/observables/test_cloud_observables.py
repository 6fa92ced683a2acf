"""Observables on constructed clouds, under rotations and relabelling, in both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_observables import seen
from refusals import check_refused
from scipy.special import betainc, eval_legendre
from unit_vectors import on_circle

from meanfield import observables as ob

N, D = 12, 3
RNG = np.random.default_rng(7)


def unit(x):
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


CLOUD = unit(RNG.normal(size=(N, D)))
W = jnp.asarray(RNG.dirichlet(np.ones(N)))
TURN = jnp.asarray(np.linalg.qr(RNG.normal(size=(D, D)))[0])
ORDER = jnp.asarray(RNG.permutation(N))

# Each is a function of (x, w) that no rotation and no relabelling of the tokens changes.
INVARIANT = {
    "inner_products": lambda x, w: jnp.sort(ob.inner_products(x)),
    "inner_product_histogram": lambda x, w: ob.inner_product_histogram(x, 8, w),
    "min_inner_product": lambda x, w: ob.min_inner_product(x),
    "mean_resultant": ob.mean_resultant,
    "second_moment": lambda x, w: jnp.linalg.eigvalsh(ob.second_moment(x, w)),
    "degree_moment": lambda x, w: ob.degree_moment(x, 4, w),
    "alignment": ob.alignment,
    "effective_rank": lambda x, w: ob.effective_rank(x),
    "clusters": lambda x, w: jnp.sort(ob.clusters(x, 0.6, w).masses),
    "hemisphere": lambda x, w: ob.hemisphere(x + 2 * x[jnp.argmax(w)]).margin,
    "captured_share": lambda x, w: ob.captured_share(x, w > 0.1, 0.8, w),
    "entropy_knn": lambda x, w: ob.entropy_knn(x).value,
}


@pytest.mark.parametrize("name", INVARIANT)
def test_invariance_and_precision(name):
    function = jax.jit(INVARIANT[name])
    here, turned = function(CLOUD, W), function(CLOUD @ TURN.T, W)
    # Sums of n^2 = 144 rounded terms; angles and logarithms of order one.
    np.testing.assert_allclose(turned, here, atol=1e-12)
    np.testing.assert_allclose(function(CLOUD[ORDER], W[ORDER]), here, atol=1e-12)
    single = function(CLOUD.astype(jnp.float32), W.astype(jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, here, atol=1e-4)


def test_pairs_come_in_order_and_in_bins():
    x = on_circle(0.0, np.pi / 3, np.pi)
    np.testing.assert_allclose(seen(ob.inner_products, x), [0.5, -1.0, -0.5], atol=1e-15)
    np.testing.assert_allclose(seen(ob.min_inner_product, x), -1.0, atol=1e-15)
    # Bins of width .4: -1 falls in the first, -.5 in the second, .5 in the fourth.
    shares = seen(ob.inner_product_histogram, x, 5, jnp.array([0.5, 0.25, 0.25]))
    np.testing.assert_allclose(shares, [0.4, 0.2, 0, 0.4, 0], atol=1e-15)
    alike = on_circle(0.3, 0.3, 0.3)
    np.testing.assert_allclose(seen(ob.inner_product_histogram, alike, 4), [0, 0, 0, 1])


def test_order_parameters_on_exact_clouds():
    square, w = on_circle(0.0, np.pi / 2, np.pi, 3 * np.pi / 2), jnp.array([0.4, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(seen(ob.mean_resultant, square, w), np.hypot(0.2, 0.2), rtol=1e-14)
    np.testing.assert_allclose(seen(ob.second_moment, square, w), np.diag([0.6, 0.4]), atol=1e-15)
    # The square has no moment below degree 4, where it looks like one cluster.
    moments = seen(lambda x: [ob.degree_moment(x, k) for k in range(5)], square)
    np.testing.assert_allclose(moments, [1, 0, 0, 0, 1], atol=1e-15)
    # All inner products g: the simplex of n = d + 1 tokens has g = -1/d.
    simplex = unit(np.eye(4) - 0.25)
    np.testing.assert_allclose(seen(ob.alignment, simplex), -1 / 3, rtol=1e-14)
    np.testing.assert_allclose(seen(ob.alignment, jnp.eye(5)), 0, atol=1e-15)
    slope = seen(jax.grad(ob.mean_resultant), on_circle(0.0, np.pi))
    assert np.isfinite(slope).all()  # at R = 0


def test_degree_moment_sums_the_gegenbauer_polynomials_of_each_sphere():
    gram, w = np.asarray(CLOUD) @ np.asarray(CLOUD).T, np.asarray(W)
    got = seen(ob.degree_moment, CLOUD, 5, W)
    np.testing.assert_allclose(got, w @ eval_legendre(5, gram) @ w, rtol=1e-12)
    flat = on_circle(0.3, 1.1, 2.9)
    theta = np.array([0.3, 1.1, 2.9])
    np.testing.assert_allclose(
        seen(ob.degree_moment, flat, 7), np.cos(7 * (theta[:, None] - theta)).mean(), rtol=1e-12
    )
    # P_2(t) = (d t^2 - 1) / (d - 1) in every dimension.
    x = unit(RNG.normal(size=(4, 9)))
    want = ((9 * (np.asarray(x) @ np.asarray(x).T) ** 2 - 1) / 8).mean()
    np.testing.assert_allclose(seen(ob.degree_moment, x, 2), want, rtol=1e-12)


def test_effective_rank_of_many_tokens_takes_no_matrix_of_them():
    program = jax.jit(ob.effective_rank).lower(jnp.ones((20_000, 3))).compile()
    said = program.memory_analysis()
    assert said is not None
    assert said.temp_size_in_bytes < 4 * 20_000 * 3 * 8  # all pairs would take 3 GB


def test_effective_rank_counts_orthogonal_clusters():
    clusters = jnp.asarray(np.eye(6)[np.arange(12) % 4])
    np.testing.assert_allclose(seen(ob.effective_rank, clusters), 4, rtol=1e-12)
    np.testing.assert_allclose(seen(ob.effective_rank, jnp.ones((12, 6))), 1, atol=1e-12)


def test_clusters_are_chains_of_near_tokens():
    # A chain of steps .1 in shuffled order, a far pair, and a lone token.
    angles = np.r_[0.1 * np.arange(8), 3.0, 3.05, -2.0]
    shuffle = RNG.permutation(11)
    x, w = on_circle(*angles[shuffle]), np.arange(1, 12) / 66
    clusters = jax.jit(ob.clusters)
    found = jax.tree.map(np.asarray, clusters(x, 0.1001, w))
    assert int(found.count) == 3 and sorted(found.sizes) == [0] * 8 + [1, 2, 8]
    groups = ob.members(found)
    want = [np.flatnonzero(shuffle < 8), np.flatnonzero((shuffle == 8) | (shuffle == 9))]
    for group in want:
        assert any(np.array_equal(group, g) for g in groups)
        assert (found.labels[group] == group.min()).all()
        np.testing.assert_allclose(found.masses[group.min()], w[group].sum(), rtol=1e-14)
    mass = [float(w[g].sum()) for g in groups]
    assert mass == sorted(mass, reverse=True)
    assert int(clusters(x, 0.0, w).count) == 11 and int(clusters(x, 4.0, w).count) == 1


def test_clusters_see_angles_below_the_rounding_of_inner_products():
    x = on_circle(0.0, 1e-10, 1e-9)
    assert int(seen(ob.clusters, x, 5e-10).count) == 2  # 1 - <x, y> is 0 for all three


def test_a_long_chain_is_one_cluster_in_few_sweeps():
    x = on_circle(*np.linspace(0, 3, 300)[RNG.permutation(300)])
    assert (np.asarray(seen(ob.clusters, x, 0.0101).labels) == 0).all()


@pytest.mark.parametrize("d", [2, 3, 16])
def test_hemisphere_by_construction(d):
    decide = jax.jit(ob.hemisphere)
    pole = np.asarray(unit(RNG.normal(size=d)))
    flat = RNG.normal(size=(200, d))
    flat = np.asarray(unit(flat - np.outer(flat @ pole, pole)))
    for height in (0.5, 1e-3, 1e-6):
        # The flat cloud and its mirror image hold 0 in their hull: raised, the margin is the height.
        ring = np.concatenate([flat[:100], -flat[:100]]) * np.sqrt(1 - height**2) + height * pole
        found = decide(jnp.asarray(ring))
        assert bool(found.inside) and bool(found.converged)
        np.testing.assert_allclose(found.margin, height, atol=1e-9)
        assert float(jnp.min(jnp.asarray(ring) @ found.direction)) > 0
        # One token below the ring by the same height leaves no open hemisphere, in d = 2 included.
        ring[57] = -pole
        found = decide(jnp.asarray(ring))
        assert not bool(found.inside) and bool(found.converged) and float(found.margin) == 0
    assert not bool(decide(jnp.asarray(np.concatenate([flat[:100], -flat[:100]]))).inside)


def test_hemisphere_of_small_and_degenerate_clouds():
    decide, axes = jax.jit(ob.hemisphere), np.eye(3)
    assert bool(decide(axes[:1]).inside)
    np.testing.assert_allclose(decide(axes[np.arange(4) % 3]).margin, 3**-0.5)
    assert not bool(decide(np.concatenate([axes, -axes[:1]])).inside)


def test_renyi_centres_park_in_order():
    # 1.0 is near 0; 1.8 is near 1.0, which is no centre; 3.0 is far from all.
    x = on_circle(0.0, 1.0, 1.8, 3.0)
    centres = seen(ob.renyi_centres, x, 1.1)
    assert centres.tolist() == [True, False, True, True]
    assert seen(ob.strong_renyi_centres, x, 1.1).tolist() == [True, False, False, True]
    tokens, first = on_circle(0.0, 0.1, 1.8, 2.5), jnp.asarray(np.arange(4) == 0)
    np.testing.assert_allclose(seen(ob.captured_share, tokens, centres, 0.2), 1.0)
    w = jnp.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(seen(ob.captured_share, tokens, first, 0.2, w), 0.3)


@pytest.mark.parametrize(
    ("d", "delta", "limit"), [(2, 0.3, np.pi / 0.3), (3, 0.6, np.sin(0.3) ** -2)]
)
def test_mean_number_of_strong_renyi_centres(d, delta, limit):
    """Token i is one with probability (1 - F)^i, so the mean number tends to 1/F: pi/delta for d = 2."""
    n, clouds = 200, 100
    cap = jax.jit(ob.log_cap_measure, static_argnums=1)(jnp.array(delta), d)
    np.testing.assert_allclose(jnp.exp(-cap), limit, rtol=1e-13)
    x = unit(np.random.default_rng(d).normal(size=(clouds, n, d)))
    counts = np.asarray(
        jax.jit(
            lambda x: jax.lax.map(lambda cloud: ob.strong_renyi_centres(cloud, delta).sum(), x)
        )(x)
    )
    mean = limit * (1 - (1 - 1 / limit) ** n)
    assert abs(mean / limit - 1) < 1e-3 * limit  # n is large: all but a percent of the limit
    assert abs(counts.mean() - mean) < 4 * counts.std() / np.sqrt(clouds)


def test_cap_measure_against_the_incomplete_beta_function():
    angle = np.array([1e-6, 0.02, 0.7, 1.5, np.pi / 2, 2.2, 3.1])
    log_cap_measure = jax.jit(ob.log_cap_measure, static_argnums=1)
    for d in (2, 33, 100):
        half = betainc((d - 1) / 2, 0.5, np.sin(angle) ** 2) / 2
        with np.errstate(divide="ignore"):
            want = np.where(angle > np.pi / 2, np.log1p(-half), np.log(half))
        got = np.asarray(log_cap_measure(angle, d))
        keep = np.isfinite(want)  # betainc underflows where the logarithm does not
        np.testing.assert_allclose(got[keep], want[keep], rtol=1e-13, atol=1e-15)
        assert np.isfinite(got).all()
        if d == 2:
            np.testing.assert_allclose(got, np.log(angle / np.pi), rtol=0, atol=4e-15)
    # Small caps are flat balls: log F = (d-1) log(angle) + log c_d/(d-1), far below underflow.
    step = log_cap_measure(jnp.array([1e-7, 1e-8]), 4096)
    np.testing.assert_allclose(step[0] - step[1], 4095 * np.log(10), rtol=1e-12)


def test_hitting_time_is_linear_between_saves_and_infinite_if_never():
    ts = jnp.array([0.0, 1.0, 3.0, 4.0])
    rising = jnp.array([0.0, 0.2, 0.6, 0.9])
    when = jax.jit(ob.hitting_time)
    np.testing.assert_allclose(when(ts, rising, 0.5), 2.5)
    np.testing.assert_allclose(when(ts, -rising, -0.5), 2.5)
    assert float(when(ts, rising, 0.0)) == 0
    assert float(when(ts, rising, 1.0)) == np.inf


BAD = {
    "one token": (lambda: ob.alignment(CLOUD[:1]), "n >= 2"),
    "a batch": (lambda: ob.mean_resultant(CLOUD[None]), "use vmap"),
    "a traced batch": (lambda: jax.jit(ob.mean_resultant)(CLOUD[None]), "use vmap"),
    "integers": (lambda: ob.mean_resultant(jnp.ones((3, 2), int)), "floating-point"),
    "NaN": (lambda: ob.min_inner_product(CLOUD.at[0, 0].set(jnp.nan)), "finite"),
    "weights of another cloud": (lambda: ob.mean_resultant(CLOUD, W[:3]), "shape [12]"),
    "weights not normalized": (lambda: ob.second_moment(CLOUD, 2 * W), "sum 1"),
    "negative weight": (lambda: ob.alignment(CLOUD, W.at[0].add(-1).at[1].add(1)), "nonnegative"),
    "no bins": (lambda: ob.inner_product_histogram(CLOUD, 0), ">= 1"),
    "degree": (lambda: ob.degree_moment(CLOUD, -1), ">= 0"),
    "tolerance": (lambda: ob.clusters(CLOUD, -1.0), "tolerance >= 0"),
    "delta": (lambda: ob.renyi_centres(CLOUD, -1.0), "delta >= 0"),
    "too few tokens": (lambda: ob.entropy_knn(CLOUD[:3], 3), "n >= 4"),
    "off the sphere": (lambda: ob.entropy_knn(2 * CLOUD), "unit vectors"),
    "no circle": (lambda: ob.entropy_spacings(CLOUD), "entropy_knn"),
    "saves": (lambda: ob.hitting_time(jnp.arange(3.0), jnp.arange(2.0), 1.0), "one shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses(name):
    check_refused(*BAD[name])
