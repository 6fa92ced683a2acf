import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield import viz
from meanfield.viz.clouds._mollweide import _project

LONGITUDES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
LATITUDES = np.deg2rad([-75.0, -45, -15, 15, 45, 75])


def test_near_and_far_points_seen_from_the_x_axis(ax):
    x = np.array([[1, 0, 0], [0.6, 0.8, 0], [0.6, 0, 0.8], [-0.6, 0, 0.8]])
    near, far = viz.sphere_points(ax, jnp.asarray(x, jnp.float32), view=(0, 0))
    # From (1, 0, 0) with north up, a point (x, y, z) appears at (y, z); float32 holds 7 digits.
    np.testing.assert_allclose(near.get_offsets(), x[:3, 1:], atol=1e-7)
    np.testing.assert_allclose(far.get_offsets(), x[3:, 1:], atol=1e-7)


def test_view_from_above_shows_the_northern_half(ax):
    x = np.array([[0, 0, 1.0], [0, 0, -1.0], [0.6, 0, 0.8]])
    near, far = viz.sphere_points(ax, x, labels=[1, 1, 1], view=(0.0, 90.0))
    # Rounding of pi/2 leaves 6e-17 in the cosine.
    np.testing.assert_allclose(near.get_offsets(), [[0, 0], [0, -0.6]], atol=1e-15)
    np.testing.assert_allclose(far.get_offsets(), [[0, 0]], atol=1e-15)
    assert near.get_label() == "cluster 1"


def test_tracks_cover_every_segment_once_near_or_far(ax):
    turn = np.linspace(0, 2 * np.pi, 25)
    path = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=-1)[:, None]
    near, far = viz.sphere_tracks(ax, path, view=(10.0, 0.0))
    drawn = [np.isfinite(line.get_ydata()) for line in (near, far)]
    segments = [on[1:] & on[:-1] for on in drawn]
    assert (segments[0] ^ segments[1]).all()
    # Seen from longitude 10 degrees, the near side is -80 to 100 degrees.
    np.testing.assert_array_equal(drawn[0], np.cos(turn - np.deg2rad(10)) >= 0)
    np.testing.assert_allclose(
        near.get_xdata()[drawn[0]], np.sin(turn - np.deg2rad(10))[drawn[0]], atol=1e-15
    )


def test_points_and_tracks_share_one_globe(ax):
    path = np.eye(3)[:, None]
    viz.sphere_tracks(ax, path)
    lines = len(ax.lines)
    viz.sphere_points(ax, path[-1])
    assert len(ax.patches) == 1 and len(ax.lines) == lines


def test_mollweide_keeps_areas():
    # Equal area on a map of area 4 pi: below latitude b lie 2 pi (1 + sin b) of the sphere, and
    # below height y = sqrt(2) sin t of the ellipse 2 t + sin 2t + pi. Bisection is to rounding.
    latitude = np.linspace(-1.5, 1.5, 31)
    _, y = _project(0 * latitude, latitude)
    t = np.arcsin(y / np.sqrt(2))
    np.testing.assert_allclose(
        2 * t + np.sin(2 * t) + np.pi, np.pi * (1 + np.sin(latitude)), atol=1e-14
    )
    x, _ = _project(np.array([np.pi]), np.array([0.0]))
    np.testing.assert_allclose(x, np.sqrt(8), rtol=1e-15)


def test_mollweide_puts_longitude_zero_in_the_middle(ax):
    density = np.ones((6, 12))
    density[:, 0] = 5.0
    mesh = viz.mollweide(ax, LONGITUDES, jnp.asarray(LATITUDES), jnp.asarray(density), label="rho")
    x = mesh.get_coordinates()[..., 0]
    bright = np.asarray(mesh.get_array()) == 5.0
    middles = (x[:-1, 1:] + x[:-1, :-1] + x[1:, 1:] + x[1:, :-1]) / 4
    np.testing.assert_allclose(middles[bright], 0, atol=1e-14)
    assert bright.sum() == 6
    assert mesh.colorbar.ax.get_ylabel() == "rho"


def test_mollweide_does_not_depend_on_where_longitudes_start(ax):
    density = np.arange(72.0).reshape(6, 12)
    one = viz.mollweide(ax, LONGITUDES, LATITUDES, density)
    two = viz.mollweide(ax, LONGITUDES - np.pi, LATITUDES, np.roll(density, 6, axis=1))
    np.testing.assert_allclose(one.get_coordinates(), two.get_coordinates(), atol=1e-14)
    np.testing.assert_array_equal(one.get_array(), two.get_array())


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda ax: viz.sphere_points(ax, np.eye(2)), "put 3 coordinates"),
        (lambda ax: viz.sphere_points(ax, 2 * np.eye(3)), "Sphere(3).project"),
        (lambda ax: viz.sphere_tracks(ax, np.eye(3)), "put 3 coordinates"),
        (lambda ax: viz.sphere_tracks(ax, np.eye(3)[None], labels=[0]), "one integer a point"),
        (
            lambda ax: viz.mollweide(ax, LONGITUDES, LATITUDES, np.ones((12, 6))),
            "latitudes on the first axis",
        ),
        (
            lambda ax: viz.mollweide(ax, LONGITUDES, LATITUDES[::-1], np.ones((6, 12))),
            "sort the rows",
        ),
    ],
)
def test_bad_input_is_refused_with_a_remedy(ax, call, remedy):
    check_refused(lambda: call(ax), remedy)
