"""Clouds by mass: what is drawn is compared with numbers, not with pixels."""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Circle
from refusals import check_refused

from meanfield import observables, viz
from meanfield.viz.clouds._bundles import bundled, together
from meanfield.viz.clouds._masses import sizes
from meanfield.viz.clouds._sphere import axes_of


def _unit(x):
    return np.asarray(x, float) / np.linalg.norm(x, axis=-1, keepdims=True)


def _crowd(d, counts, spread, seed=0):
    """Tokens around the first axes of R^d, so many each, in no order; and of which axis each is."""
    rng = np.random.default_rng(seed)
    which = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return _unit(np.eye(d)[which] + spread * rng.normal(size=(len(which), d))), which


@pytest.mark.parametrize("d", [2, 3, 16])
def test_bundles_of_a_settled_cloud_are_its_clusters(d):
    x, which = _crowd(d, (5, 13), 1e-4)
    same = together(x, 0.02)
    for k in (0, 1):
        assert {*same[which == k]} == {np.flatnonzero(which == k)[0]}
    np.testing.assert_array_equal(same, observables.clusters(jnp.asarray(x), tolerance=0.02).labels)


def test_linkage_is_that_of_pairs_at_the_distance():
    # Random tokens in a cap: components by brute force over all pairs. No component is long here.
    rng = np.random.default_rng(1)
    x = _unit(rng.normal(size=(400, 3)))
    near = np.linalg.norm(x[:, None] - x, axis=-1) <= 2 * np.sin(0.05 / 2)
    for _ in range(9):
        near = near @ near
    assert near.sum(axis=1).max() > 3
    np.testing.assert_array_equal(together(x, 0.05), near.argmax(axis=1))


def test_chains_are_taken_apart():
    # Neighbours within the distance all around the circle: one component, which is no point.
    turn = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    x = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    found = bundled(x, np.ones(500), 0.02)
    reach = np.linalg.norm(x - found.centres[found.which], axis=-1)
    assert reach.max() <= 2 * 0.02 and len(found.counts) == 500


def test_a_bundle_stands_at_its_centre_of_mass():
    x = _unit([[1.0, 0.01, 0], [1.0, -0.01, 0], [0, 0, 1]])
    found = bundled(x, np.array([3.0, 1.0, 0.0]), 0.1)
    np.testing.assert_allclose(found.centres[0], _unit(3 * x[0] + x[1]), atol=1e-15)
    # Without mass, at the plain mean.
    np.testing.assert_allclose(found.centres[1], [0, 0, 1], atol=1e-15)
    assert found.masses.tolist() == [4, 0] and found.counts.tolist() == [2, 1]


def _areas(discs):
    """Areas of the wedges of each disc, over pi."""
    return np.array([
        sum(w.r**2 * (w.theta2 - w.theta1) / 360 for w in wedges) for wedges in discs.wedges
    ])  # fmt: skip


def test_most_mass_shows_unless_a_view_is_asked_for(ax):
    """The south pole holds two thirds: an empty axis shows them, and keeps its view."""
    x = _unit(np.array([[0, 0, -1.0]] * 4 + [[1.0, 0, 1], [-1.0, 0, 1]]))
    ax.add_patch(Circle((0, 0), 0.1))  # no globe
    first = viz.sphere_masses(ax, x)
    assert not first.behind[np.argmax(first.counts)]
    again = viz.sphere_masses(ax, -x)
    assert again.behind[np.argmax(again.counts)]  # by the same view it is opposite
    near, far = viz.sphere_points(ax, -x)
    assert len(far.get_offsets()) >= 4 > len(near.get_offsets())
    assert len(ax.get_legend_handles_labels()[1]) == 1  # the globe is none of the legend's


def test_areas_are_masses_and_numbers_stand_inside(ax):
    x, _ = _crowd(3, (30, 15, 1), 1e-6)
    discs = viz.sphere_masses(ax, x, view=(45.0, 35.0), full=0.4)
    assert discs.counts.tolist() == [30, 15, 1] and not discs.behind.any()
    np.testing.assert_allclose(_areas(discs) / discs.counts, 0.4**2 / 46, rtol=1e-12)
    np.testing.assert_allclose(discs.masses, np.array([30, 15, 1]) / 46, rtol=1e-12)
    # A token alone needs no number. Discs stand where `view` sees the axes.
    assert [text.get_text() for text in discs.numbers] == ["30", "15"]
    right, up, _ = axes_of((45.0, 35.0))
    for wedges, axis in zip(discs.wedges, np.eye(3), strict=True):
        np.testing.assert_allclose(wedges[0].center, [axis @ right, axis @ up], atol=1e-5)


def test_weights_are_masses_whatever_their_sum(ax):
    x = _unit([[1.0, 1, 0], [1, 1, 0], [1, -1, 0]])
    discs = viz.sphere_masses(ax, x, w=[1.0, 2.0, 5.0], view=(0.0, 0.0), full=0.4)
    np.testing.assert_allclose(discs.masses, [5 / 8, 3 / 8], rtol=1e-15)
    np.testing.assert_allclose(_areas(discs), 0.16 * discs.masses, rtol=1e-12)
    assert discs.counts.tolist() == [1, 2]


def test_what_is_behind_is_paler_with_depth_and_below(ax):
    x = _unit([[1, 0, 0], [-0.1, 1, 0], [-1, 0, 0.2]])
    discs = viz.sphere_masses(ax, x, view=(0.0, 0.0))
    assert discs.behind.tolist() == [True, True, False]
    pale = {tuple(_round(c)): np.mean(w[0].get_facecolor()[:3]) for c, w in zip(
        discs.centres, discs.wedges, strict=True)}  # fmt: skip
    front, rim, back = (pale[tuple(_round(point))] for point in x)
    assert front < rim < back < 1
    far, near = discs.wedges[0][0], discs.wedges[2][0]
    assert far.get_zorder() < near.get_zorder()
    alone = viz.sphere_masses(ax, x, view=(0.0, 0.0), behind=False)
    np.testing.assert_array_equal(alone.centres, x[:1])


def _round(point):
    return np.round(point, 6) + 0.0


def test_several_labels_share_a_disc_by_mass(ax):
    x = _unit(np.repeat([[1.0, 0], [0, 1.0]], [4, 1], axis=0))
    discs = viz.circle_masses(ax, x, w=[1, 1, 1, 3, 2], labels=[0, 0, 0, 2, 2])
    pie = {w.get_gid(): (w.theta2 - w.theta1) / 360 for w in discs.wedges[0]}
    np.testing.assert_allclose([pie["label 0"], pie["label 2"]], [0.5, 0.5], rtol=1e-12)
    assert len({w.get_facecolor() for w in discs.wedges[0]}) == 2
    np.testing.assert_allclose(_areas(discs), 0.42**2 * discs.masses, rtol=1e-12)


def test_numbers_are_left_out_where_another_disc_covers_them(ax):
    angle = np.repeat([0.0, 0.1, 2.0], [20, 10, 9])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    texts = viz.circle_masses(ax, x).numbers
    assert [text.get_text() for text in texts] == ["10", "9"]


def test_facing_shows_most_mass():
    # One cluster is faced; of two opposite ones both show, the heavier in front and none at its back.
    (longitude, latitude), (x, which) = viz.facing([[0, 0.6, 0.8]]), _crowd(3, (6, 4), 1e-6)
    # 2,000 directions of equal areas: 4 pi / 2,000 each, so that one lies within 5 degrees.
    assert abs(longitude - 90) < 5 and abs(latitude - np.rad2deg(np.arcsin(0.8))) < 5
    toward = axes_of(viz.facing(x))[2]
    assert (toward @ x.T > 0.45).all()
    opposite = np.where(which[:, None] == 0, [[1.0, 0, 0]], [[-1.0, 0, 0]])
    toward = axes_of(viz.facing(opposite))[2]
    assert 0.3 < toward[0] < 0.7
    # Weights count, not tokens.
    heavy = axes_of(viz.facing(np.diag([1.0, -1, 1])[[0, 0, 0, 2]], w=[0.0, 0, 0, 1]))[2]
    assert heavy[2] > 0.95


def test_facing_takes_many_tokens():
    x, _ = _crowd(3, (3000, 10), 0.01)
    assert axes_of(viz.facing(x))[2][0] > 0.45


def test_key_has_the_sizes_of_the_discs(ax):
    assert [sizes(n) for n in (1, 2, 5, 32, 500)] == [[1], [1], [1, 2], [1, 2, 10], [1, 50, 200]]
    discs = viz.circle_masses(ax, np.repeat(np.eye(2), [10, 22], axis=0), full=0.4)
    key = viz.mass_key(ax, 32, full=0.4)
    radii = [c.get_radius() for c in key.findobj(plt.Circle)]
    np.testing.assert_allclose(radii[-1], discs.wedges[1][0].r, rtol=1e-12)
    np.testing.assert_allclose(np.array(radii) ** 2, 0.16 * np.array([1, 2, 10]) / 32, rtol=1e-12)
    # To the scale of the axis, below it and on the page.
    box = key.get_window_extent()
    scale = np.diff(ax.transData.transform([[0, 0], [1, 0]])[:, 0])
    assert box.height >= 2 * 0.99 * radii[-1] * scale
    assert box.y0 > -3 and box.y1 < ax.get_window_extent().y0 + 5


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda ax: viz.sphere_masses(ax, np.eye(2)), "put 3 coordinates"),
        (lambda ax: viz.sphere_masses(ax, np.eye(3), w=[1, 1]), "one weight a point"),
        (lambda ax: viz.sphere_masses(ax, np.eye(3), near=0), "expected near > 0"),
        (lambda ax: viz.sphere_masses(ax, np.full((1, 3), np.nan)), "remove or replace"),
        (lambda ax: viz.circle_masses(ax, 2 * np.eye(2)), "normalize them"),
        (lambda ax: viz.circle_masses(ax, np.eye(2), full=-1), "expected full > 0"),
        (lambda ax: viz.facing(np.eye(2)), "put 3 coordinates"),
        (lambda ax: viz.mass_key(ax, 0), "pass n=1"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(ax, call, remedy):
    check_refused(lambda: call(ax), remedy)
