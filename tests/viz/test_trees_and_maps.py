"""Merge trees and maps of functions on the sphere, compared with the numbers that they show."""

from types import SimpleNamespace

import numpy as np
import pytest
from refusals import check_refused

from meanfield import viz
from meanfield.harmonics import SphericalHarmonics
from meanfield.viz.clouds._sphere import axes_of
from meanfield.viz.clouds._tree import among, events_of, tree


def _merges(rows, w):
    """Rows (time, kept, absorbed) as a run has them."""
    time, kept, absorbed = np.reshape(rows, (-1, 3)).T
    heavy, mass = np.array(w, float), []
    for a, b in zip(kept.astype(int), absorbed.astype(int), strict=True):
        heavy[a] += heavy[b]
        mass.append(heavy[a])
    return SimpleNamespace(
        time=time, kept=kept.astype(int), absorbed=absorbed.astype(int), mass=np.array(mass)
    )


# Six tokens: 0 takes 3, 1 takes 4, 0 takes 1; 2 takes 5.
ROWS = [(1.0, 0, 3), (2.0, 1, 4), (4.0, 2, 5), (10.0, 0, 1)]
EQUAL = _merges(ROWS, np.full(6, 1 / 6))


def _bars(branches):
    """Rows (start, end, thickness, middle) of the bars."""
    boxes = np.array([path.vertices[:4] for path in branches.bars.get_paths()])
    x, y = boxes[..., 0], boxes[..., 1]
    return np.stack([x[:, 0], x[:, 1], np.ptp(y, axis=1), y.mean(axis=1)], axis=-1)


def test_bars_are_as_thick_as_they_are_heavy_and_last_from_merge_to_merge(ax):
    branches = viz.merge_tree(ax, EQUAL, end=20.0)
    bars = _bars(branches)
    mass = np.array([1, 1, 1, 1, 1, 1, 2, 2, 2, 4]) / 6
    np.testing.assert_allclose(bars[:, 2] / mass, bars[0, 2] * 6, rtol=1e-12)
    # Tokens from half the first time to their merge, then what merges made, to the end.
    np.testing.assert_allclose(bars[:6, 1], [1, 2, 4, 1, 2, 4])
    np.testing.assert_allclose(bars[6:, :2], [[1, 10], [2, 10], [4, 20], [10, 20]])
    assert ax.get_xscale() == "log" and ax.get_xlim() == (0.5, 20) and ax.get_xlabel() == "time"
    assert [text.get_text() for text in ax.texts] == ["4", "2"]


def test_no_two_bars_cross_and_joins_stand_at_merges(ax):
    branches = viz.merge_tree(ax, EQUAL)
    bars = _bars(branches)
    for time in (0.7, 1.5, 3.0, 7.0, 12.0):
        alive = bars[(bars[:, 0] < time) & (time < bars[:, 1])]
        low, high = alive[:, 3] - alive[:, 2], alive[:, 3] + alive[:, 2]  # whole masses
        order = np.argsort(low)
        np.testing.assert_allclose(low[order][1:], high[order][:-1], atol=1e-12)
        np.testing.assert_allclose([low.min(), high.max()], [0, 1], atol=1e-12)
    joins = np.array([path.vertices for path in branches.joins.get_paths()])
    np.testing.assert_allclose(joins[:, :, 0], np.repeat([[1], [2], [4], [10]], 2, axis=1))
    np.testing.assert_allclose(joins[3, :, 1], bars[[6, 7], 3])


def test_masses_order_the_clusters(ax):
    w = np.array([1, 1, 9, 1, 1, 9]) / 22
    bars = _bars(viz.merge_tree(ax, _merges(ROWS, w), w=w))
    # Tokens 2 and 5 are the heavier cluster: on top, at masses from 0 to 18/22.
    np.testing.assert_allclose(bars[8, 3], 9 / 22, rtol=1e-12)
    at = {text.get_text(): text.xy[1] for text in ax.texts}
    np.testing.assert_allclose([at["2"], at["4"]], [9 / 22, 20 / 22], rtol=1e-12)


def test_the_tree_of_some_tokens_is_what_is_left_of_the_tree():
    # Without token 0, which is heir of 3: the merge with 1 at time 10 is one of 3 and 1.
    left = among(events_of(EQUAL), np.array([1, 3, 4]), 6)
    assert left.time.tolist() == [2, 10]
    assert left.kept.tolist() == [0, 1] and left.absorbed.tolist() == [2, 0]
    names = tree(left, np.ones(3), 0.0, 20.0).name
    assert {*names.tolist()} == {0}


@pytest.mark.parametrize("x", [np.array([[0.3, -0.5, np.sqrt(0.66)]]), None])
def test_a_map_has_the_values_of_its_function(ax, x):
    view = (25.0, 40.0)
    right, up, toward = axes_of(view)
    drawn = viz.sphere_map(ax, lambda p: p @ [1.0, 2.0, 3.0], view=view, label="f")
    values = drawn.get_array()
    q = len(values)
    at = (np.arange(q) + 0.5) / q * 2 - 1
    i, j = (q // 3, q // 2) if x is None else (q // 2, q // 4)
    a, b = at[j], at[i]
    point = a * right + b * up + np.sqrt(1 - a**2 - b**2) * toward
    np.testing.assert_allclose(values[i, j], point @ [1.0, 2.0, 3.0], rtol=1e-12)
    # Nothing beyond the rim, nothing of the far side.
    off = at[:, None] ** 2 + at**2 > 1
    np.testing.assert_array_equal(np.ma.getmaskarray(values) | np.isnan(np.ma.getdata(values)), off)
    assert values.max() <= 14**0.5 and drawn.colorbar.ax.get_ylabel() == "f"


def test_a_map_takes_harmonics_and_constants(ax):
    basis = SphericalHarmonics(2)
    coeffs = np.eye(basis.size)[2]  # sqrt(3) z
    drawn = viz.sphere_map(ax, lambda p: basis.evaluate(coeffs, p), view=(0.0, 90.0))
    middle = drawn.get_array()[110, 110]
    # A pixel's width from the pole, z is 1 - (1/220)^2.
    np.testing.assert_allclose(middle, np.sqrt(3), atol=1e-4)
    assert viz.sphere_map(ax, lambda p: np.ones(len(p))).get_array().max() == 1


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda ax: viz.merge_tree(ax, 3), "pass run.merges"),
        (lambda ax: viz.merge_tree(ax, _merges([], [1.0])), "pass their masses w="),
        (lambda ax: viz.merge_tree(ax, EQUAL, w=np.full(5, 0.2)), "run.merges of the same run"),
        (lambda ax: viz.merge_tree(ax, EQUAL, w=[2, 1, 1, 1, 1, 1]), "as w="),
        (lambda ax: viz.merge_tree(ax, EQUAL, end=9.0), "leave out end"),
        (lambda ax: viz.merge_tree(ax, _merges([*ROWS, (11.0, 3, 0)], np.full(6, 1 / 6))), "same"),
        (lambda ax: viz.merge_tree(ax, _merges(ROWS[::-1], np.full(6, 1 / 6))), "order of time"),
        (lambda ax: viz.sphere_map(ax, lambda p: p), "one value a point"),
        (lambda ax: viz.sphere_map(ax, lambda p: 0 / p[:, 0] * np.nan), "remove or replace"),
        (lambda ax: viz.sphere_map(ax, lambda p: p[:, 0], levels=0), "pass levels=1"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(ax, call, remedy):
    check_refused(lambda: call(ax), remedy)
