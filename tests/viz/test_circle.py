import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from refusals import check_refused

from meanfield import viz


def _circle(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def test_points_hold_data_areas_and_colours(ax):
    x = _circle(np.linspace(0, 5, 5))
    labels = np.array([0, 3, 0, 3, 3])
    w = np.array([1, 2, 3, 4, 0]) / 10
    first, second = viz.circle_points(ax, x, w, labels, area=10.0)
    np.testing.assert_array_equal(first.get_offsets(), x[labels == 0])
    np.testing.assert_array_equal(second.get_offsets(), x[labels == 3])
    # The mean weight is 1/5, and has area 10.
    np.testing.assert_allclose(second.get_sizes(), [100 * 0.2 / 2, 100 * 0.4 / 2, 0])
    cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    for k, group in ((0, first), (3, second)):
        assert to_hex(group.get_facecolor()[0]) == "#" + cycle[k].lower().lstrip("#")
    assert [group.get_label() for group in (first, second)] == ["cluster 0", "cluster 3"]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_points_take_device_arrays(ax, dtype):
    x = jnp.asarray(_circle(np.arange(4.0)), dtype)
    (drawn,) = viz.circle_points(ax, x, jnp.full(4, 0.25, dtype), jnp.zeros(4, int))
    np.testing.assert_array_equal(drawn.get_offsets(), np.asarray(x, float))


def test_the_circle_is_drawn_once_and_again_after_clear(ax):
    x = _circle(np.arange(3.0))
    viz.circle_points(ax, x)
    viz.circle_points(ax, -x)
    assert len(ax.patches) == 1 and ax.get_aspect() == 1 and not ax.axison
    ax.clear()
    viz.circle_points(ax, x)
    assert len(ax.patches) == 1 and not ax.axison


def test_tracks_are_unwrapped(ax):
    ts = np.linspace(0, 3, 40)
    angles = np.stack([4 * ts, 1 - 2 * ts], axis=-1)
    lines = viz.circle_tracks(ax, jnp.asarray(_circle(angles)), ts, labels=[0, 1])
    for line, angle in zip(lines, angles.T, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), ts)
        # cos, sin and arctan2 round a few times each: angles up to 12 are right to 1e-14.
        np.testing.assert_allclose(line.get_ydata(), angle, atol=1e-14)
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_tracks_have_ticks_in_pi(ax):
    viz.circle_tracks(ax, _circle(np.linspace(-1, 4, 30))[:, None])
    ax.figure.canvas.draw()
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert {"0", "π/2", "π"} <= set(names)


def test_ring_is_closed_and_to_scale(ax):
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rho = 1 + np.cos(angles)
    ring = viz.density_circle(ax, angles, rho, height=0.5)
    viz.circle_points(ax, _circle(angles), area=9)
    outer = ring.get_xy()[:13]
    np.testing.assert_allclose(np.linalg.norm(outer, axis=1)[:12], 1 + rho / 4, rtol=1e-15)
    np.testing.assert_array_equal(outer[0], outer[12])


def test_a_ring_around_points_stays_in_view(ax):
    viz.circle_points(ax, np.eye(2))
    viz.density_circle(ax, [0, 2, 4], [1, 1, 1], height=1)
    assert ax.get_xlim()[1] > 2 and len(ax.patches) == 2


def _map_of(ax):
    return ax.figure.add_subplot(projection="mollweide")


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda ax: viz.circle_points(ax, np.ones((3, 3))), "put 2 coordinates"),
        (lambda ax: viz.circle_points(ax, np.ones((3, 2))), "normalize them"),
        (lambda ax: viz.circle_points(ax, np.zeros((0, 2))), "got [0, 2]"),
        (lambda ax: viz.circle_points(ax, np.full((1, 2), np.nan)), "remove or replace"),
        (lambda ax: viz.circle_points(ax, np.eye(2), w=[1.0]), "one weight a point"),
        (lambda ax: viz.circle_points(ax, np.eye(2), w=[1.0, -1.0]), "clip them at 0"),
        (lambda ax: viz.circle_points(ax, np.eye(2), labels=[0.0, 1.0]), "one integer a point"),
        (lambda ax: viz.circle_tracks(ax, np.eye(2)), "put 2 coordinates"),
        (lambda ax: viz.circle_tracks(ax, np.eye(2)[None], ts=[0, 1]), "one time a state"),
        (lambda ax: viz.density_circle(ax, [0.0, 1.0], [1.0]), "one value an angle"),
        (lambda ax: viz.density_circle(ax, [0.0, 1.0], [0.0, 0.0]), "pass a density"),
        (lambda ax: viz.density_circle(ax, [0.0, 2.0, 1.0], [1.0, 1.0, 1.0]), "sort them first"),
        (lambda ax: viz.density_circle(ax, [0.0, 90.0, 180.0], [1.0, 1.0, 1.0]), "one turn"),
        (lambda ax: viz.circle_tracks(ax, np.eye(2)[[0, 0], None], ts=[1, 0]), "sort the states"),
        (lambda ax: viz.circle_points(ax, np.eye(2), area=-1.0), "pass area=20.0"),
        (
            lambda ax: viz.circle_points(_map_of(ax), np.eye(2)),
            "expected plain axes, got mollweide",
        ),
    ],
)
def test_bad_input_is_refused_with_a_remedy(ax, call, remedy):
    check_refused(lambda: call(ax), remedy)


def test_tokens_under_others_are_rings_around_them(ax):
    angle = np.array([0.0, 0.0, 0.05, 2.0])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    areas = [
        c.get_sizes() for c in viz.circle_points(ax, x, labels=np.array([0, 1, 2, 0]), area=4.0)
    ]
    # Two labels lie over the first token, one over the second, none over the third and the last.
    np.testing.assert_allclose(areas[0], [4 * 2**2, 4])
    np.testing.assert_allclose(areas[1], [4 * 1.5**2])
    np.testing.assert_allclose(areas[2], [4])
    alike = viz.circle_points(ax, x, area=4.0)
    np.testing.assert_allclose(alike[0].get_sizes(), 4)
