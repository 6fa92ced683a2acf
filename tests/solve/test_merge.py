"""Merging: the tree, the state, the course of the run, and what is compiled for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield.attention import Layers, MultiHead, Prefixes, Sinkhorn, Softmax, Varying, causal
from meanfield.dynamics import ArcLength, AttentionFlow, Control, Drift
from meanfield.geometry import Euclidean, Sphere

SPHERE = Sphere(3)
TS = jnp.array([0.0, 1.0, 5.0, 40.0])
DISTANCE = 1e-5


OBSERVE = {"x": mf.observables.state}
KEY = jax.random.key(6)
START = SPHERE.project(jnp.repeat(jnp.eye(3)[:2], 4, axis=0) + 0.1 * SPHERE.sample(KEY, 8))
FLOW = AttentionFlow(SPHERE, Softmax(4.0))


def run(x0, flow=FLOW, ts=TS, **options):
    return mf.simulate(flow, x0, ts, merge=DISTANCE, observe=OBSERVE, **options)


@pytest.fixture(scope="module")
def merged():
    return run(START)


def test_the_tree_accounts_for_every_token(merged):
    tree = merged.merges
    assert (np.diff(tree.time) >= 0).all()
    assert TS[0] < tree.time[0] and tree.time[-1] <= TS[-1]
    assert sorted(tree.absorbed.tolist()) == list(range(1, 8))
    masses = dict.fromkeys(range(8), 1 / 8)
    for kept, absorbed, mass in zip(tree.kept, tree.absorbed, tree.mass, strict=True):
        masses[kept] += masses.pop(absorbed)
        np.testing.assert_allclose(mass, masses[kept], rtol=1e-14)
    assert list(masses) == [0]
    np.testing.assert_allclose(masses[0], 1, rtol=1e-14)


def test_blobs_merge_first_and_keep_their_places(merged):
    x = merged.values["x"]
    assert x.shape == (4, 8, 3) and merged.final.shape == (8, 3)
    np.testing.assert_allclose(x[0], START, atol=1e-15)
    np.testing.assert_array_equal(x[-1], jnp.broadcast_to(x[-1, 0], (8, 3)))
    # The last merge is that of the blobs, into their first tokens.
    assert (merged.merges.kept[-1], merged.merges.absorbed[-1]) == (0, 4)
    assert set(merged.merges.kept[:-1].tolist()) <= set(range(8))
    assert (
        merged.ok and merged.stats["accepted"] + merged.stats["rejected"] == merged.stats["steps"]
    )


def test_before_the_blobs_meet_the_run_is_the_plain_one(merged):
    plain = mf.simulate(FLOW, START, TS, observe=OBSERVE).values["x"]
    # A merge moves tokens by its distance at most, and solver errors are a few 1e-6.
    np.testing.assert_allclose(merged.values["x"][:3], plain[:3], atol=2 * DISTANCE)


def test_order_of_tokens_does_not_matter(merged):
    order = jnp.array([3, 7, 0, 5, 1, 2, 6, 4])
    again = run(START[order])
    np.testing.assert_allclose(again.values["x"], merged.values["x"][:, order], atol=1e-9)
    np.testing.assert_allclose(again.merges.time, merged.merges.time, rtol=1e-6)
    np.testing.assert_allclose(np.sort(again.merges.mass), np.sort(merged.merges.mass))


def test_tokens_that_coincide_at_the_start_are_one():
    doubled = START[jnp.array([0, 1, 2, 3, 4, 5, 5, 5])]
    tree = run(doubled).merges
    np.testing.assert_array_equal(tree.time[:2], 0)
    np.testing.assert_array_equal(tree.kept[:2], 5)
    np.testing.assert_array_equal(tree.absorbed[:2], [6, 7])
    np.testing.assert_allclose(tree.mass[:2], [2 / 8, 3 / 8])


@pytest.mark.slow
def test_arc_length_goes_on_through_merges(merged):
    # Between the merges the path is the same, so it ends on the same point at the clock of the last.
    out = mf.simulate(ArcLength(FLOW), START, jnp.array([0.0, 2.0]), merge=DISTANCE)
    x, clock = out.final
    np.testing.assert_allclose(out.merges.mass[-1], 1, rtol=1e-14)
    np.testing.assert_allclose(x, merged.final, atol=2 * DISTANCE)
    # A step takes the clock past the contact by at most the time that closes the last gap.
    assert merged.merges.time[-1] - 3 < clock < merged.merges.time[-1] + 3


@pytest.mark.slow
def test_single_precision_stays_single():
    out = mf.simulate(FLOW, START.astype(jnp.float32), TS, merge=1e-4, observe=OBSERVE)
    assert out.final.dtype == out.values["x"].dtype == out.ts.dtype == jnp.float32
    np.testing.assert_allclose(out.merges.mass[-1], 1, rtol=1e-6)


def test_what_cannot_merge_is_refused():
    noisy = Drift(SPHERE, mf.observables.state, noise=0.1)
    with pytest.raises(ValueError, match="without noise"):
        mf.simulate(noisy, START, TS, merge=1e-6, key=KEY, dt=0.1)
    with pytest.raises(ValueError, match="outside jit"):
        jax.jit(lambda x: mf.simulate(FLOW, x, TS, merge=1e-6).final)(START)
    masked = Softmax(4.0, mask=causal(8))
    for attention in (
        masked,
        MultiHead([masked]),
        Layers([masked], [0.0]),
        Varying(lambda t: masked),
        Prefixes(Softmax(4.0)),
        Sinkhorn(4.0, columns=jnp.ones(8)),
    ):
        with pytest.raises(ValueError, match="leave out merge or the mask"):
            mf.simulate(FLOW + AttentionFlow(SPHERE, attention), START, TS, merge=1e-6)
    check_refused(lambda: mf.simulate(FLOW, START, TS, merge=1e-30), "expected merge >=")


@pytest.mark.slow
def test_programs_are_as_few_as_size_classes():
    traced = []

    def nothing(t, x, args):
        traced.append(x.shape[0])
        return 0 * x

    flow = FLOW + Control(SPHERE, nothing)
    start = jnp.concatenate([START, START[:4] + 0.05])
    run(SPHERE.project(start), flow)
    assert set(traced) == {12, 8}
    before = len(traced)
    run(SPHERE.project(start[::-1]), flow)
    assert len(traced) == before


@pytest.mark.parametrize(
    "geometry",
    [pytest.param(SPHERE, marks=pytest.mark.slow), Euclidean(3)],
    ids=["sphere", "space"],
)
def test_a_merged_token_is_at_the_center_of_mass_of_its_parts(geometry):
    # Two tokens of masses .6 and .1 that coincide to 4e-6: the joined one is one seventh of the way.
    # In space no projection mends a sum of masses that is not one.
    start = geometry.project(jnp.array([[1.0, 0, 0], [1.0, 4e-6, 0], [0, 0, 1.0]]))
    flow = AttentionFlow(geometry, Softmax(2.0), weights=jnp.array([0.6, 0.1, 0.3]))
    x = run(start, flow, TS[:2]).values["x"][0]
    np.testing.assert_allclose(x[:2], [[1.0, 4e-6 / 7, 0]] * 2, rtol=1e-10, atol=1e-15)


def pair_at_one(x):
    """Two tokens at t = 1 under softmax attention at beta = 2, by a hundred steps of Runge and Kutta."""

    def drift(x):
        weights = np.exp(2 * x @ x.T)
        field = weights @ x / weights.sum(axis=1, keepdims=True)
        return field - np.sum(field * x, axis=1, keepdims=True) * x

    for h in np.full(100, 0.01):
        a = drift(x)
        b = drift(x + h / 2 * a)
        c = drift(x + h / 2 * b)
        x = x + h / 6 * (a + 2 * b + 2 * c + drift(x + h * c))
    return x


def test_massless_tokens_that_meet_are_one_massless_token():
    flow = AttentionFlow(SPHERE, Softmax(2.0), weights=jnp.array([0.5, 0.5, 0.0, 0.0]))
    start = START[jnp.array([0, 4, 1, 1])]
    out = run(start, flow, TS[:2])
    assert out.ok and out.merges.mass[0] == 0.0
    assert (out.merges.kept[0], out.merges.absorbed[0]) == (2, 3)
    # They are carried along: the others move as without them.
    np.testing.assert_allclose(out.final[:2], pair_at_one(np.asarray(start[:2])), atol=1e-6)
    np.testing.assert_array_equal(out.final[2], out.final[3])


def test_a_run_that_does_not_move_on_is_a_failure():
    flow = Control(SPHERE, lambda t, x, args: jnp.where(t < 0.5, x[:, ::-1], jnp.nan))
    out = run(START, flow, TS[:2], throw=False)
    assert not out.ok and out.reached < 0.51


def test_distances_below_the_errors_of_single_precision_are_refused():
    # Errors of 50 roundings, the least tolerance there is, must not keep apart what is to merge.
    with pytest.raises(ValueError, match=r"expected merge >= 6e-05, .*float32 .*pass merge=1e-4"):
        mf.simulate(FLOW, START.astype(jnp.float32), TS, merge=1e-6)


@pytest.mark.slow
def test_single_precision_ends_like_double():
    x0 = SPHERE.sample(jax.random.key(0), 16)
    ts = jnp.array([0.0, 10.0, 1e3, 1e7])
    flow = AttentionFlow(SPHERE, Softmax(9.0))
    double = mf.simulate(flow, x0, ts, merge=1e-4)
    single = mf.simulate(flow, x0.astype(jnp.float32), ts, merge=1e-4)
    assert int(single.stats["steps"]) < 3 * int(double.stats["steps"])
    assert len(single.merges.time) == len(double.merges.time) == 15
    # The slow drift of the last clusters turns errors of 1e-5 into a few percent of the time, not of
    # the place where they end.
    np.testing.assert_allclose(single.final, double.final, atol=1e-2)
