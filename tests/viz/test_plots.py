import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import rgb_to_hsv, to_rgb
from PIL import Image
from refusals import check_refused

from meanfield import viz
from meanfield.viz.overviews._layout import laid_out

H = 0.1 / 2.0 ** np.arange(6)


def test_style_tells_curves_apart_in_grey_too(ax):
    cycle = mpl.rcParams["axes.prop_cycle"].by_key()
    assert len(set(cycle["color"])) == len(set(map(str, cycle["linestyle"]))) == 7
    # Nothing so pale that it fades on white: luminance (BT.709 weights) at most that of sky blue.
    luminance = [np.dot(to_rgb(c), [0.2126, 0.7152, 0.0722]) for c in cycle["color"]]
    assert max(luminance) < 0.7
    assert all(rgb_to_hsv(to_rgb(c))[1] > 0.4 for c in cycle["color"][:6])
    assert mpl.rcParams["pdf.fonttype"] == 42 and mpl.rcParams["savefig.dpi"] == 200


@pytest.mark.parametrize("order", [1, 2, 3.5])
def test_slope_of_a_power_is_exact(ax, order):
    fit = viz.convergence(ax, H, 3 * H**order, "method", order=order)
    # Logarithms of size 10 over a range of 3: rounding of a few 1e-15 in the slope.
    assert abs(fit.slope - order) < 1e-13 and fit.stderr < 1e-13
    points, line = ax.lines[:2]
    np.testing.assert_array_equal(points.get_xdata(), H[::-1])
    np.testing.assert_allclose(line.get_ydata(), points.get_ydata(), rtol=1e-13)
    (entry,) = ax.get_legend().get_texts()
    assert entry.get_text() == f"method: {order:.2f} ± 0.00"
    corners = np.log(np.stack(ax.lines[2].get_data()))[:, :3]
    rise = (corners[1, 2] - corners[1, 0]) / (corners[0, 2] - corners[0, 0])
    assert abs(rise - order) < 1e-13


def test_standard_error_is_that_of_the_regression(ax):
    # Three points at log h = -1, 0, 1 with residuals r (1, -2, 1): s^2 = 6 r^2, and sum h^2 = 2.
    r = 0.05
    fit = viz.convergence(ax, np.exp([-1, 0, 1]), np.exp([-2 + r, -2 * r, 2 + r]), "m")
    np.testing.assert_allclose(fit, (2.0, np.sqrt(3) * r), rtol=1e-14)


def test_convergence_takes_float32_on_a_device(ax):
    h = jnp.asarray(H, jnp.float32)
    fit = viz.convergence(ax, h, h * h, "method")
    # Each square is rounded to 6e-8 relative: the slope over a range of 3 is right to that.
    assert abs(fit.slope - 2) < 6e-8


def test_map_holds_its_values_and_keeps_gaps(ax):
    x, y = np.array([0.0, 1, 3]), np.array([0.1, 1.0])
    z = np.array([[0.0, 0.5, np.nan], [0.2, 0.3, 1.0]])
    mesh = viz.phase_map(ax, x, y, jnp.asarray(z), label="P", vmin=0, vmax=1)
    np.testing.assert_array_equal(np.ma.getdata(mesh.get_array()), z)
    assert np.ma.getmaskarray(mesh.get_array()).sum() == 1
    assert mesh.get_clim() == (0, 1) and mesh.colorbar.ax.get_ylabel() == "P"
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [-0.5, 0.5, 2, 4])


@pytest.mark.parametrize(
    ("limits", "mark"),
    [((0, 1), "neither"), ((0.1, 1), "min"), ((0, 0.9), "max"), ((0.1, 0.9), "both")],
)
def test_a_bar_points_to_values_beyond_it(ax, limits, mark):
    z = np.array([[0.0, np.nan], [0.5, 1.0]])
    mesh = viz.phase_map(ax, [0, 1], [2, 3], z, label="P", vmin=limits[0], vmax=limits[1])
    assert viz.beyond(mesh) == mesh.colorbar.extend == mark
    # Half a cell beyond the last point there is nothing that was computed.
    assert ax.get_xlim() == (0, 1) and ax.get_ylim() == (2, 3)


def test_overlay_leaves_the_limits(ax):
    viz.phase_map(ax, [0, 1, 2], [0, 1], np.zeros((2, 3)))
    curve = viz.overlay_curve(ax, [1, 50, np.inf], [0, 0.5, 1], label="theory", linestyle="--")
    assert ax.get_xlim() == (0, 2) and ax.get_ylim() == (0, 1)
    np.testing.assert_array_equal(curve.get_xdata(), [1, 50, np.inf])
    assert curve.get_linestyle() == "--" and curve.get_label() == "theory"


def test_band_fills_between_the_bounds(ax):
    x, mid = jnp.arange(4.0), jnp.asarray([0.0, 1, 2, 3], jnp.float32)
    line, fill = viz.band(ax, x, mid, mid - 1, mid + 2, label="runs")
    np.testing.assert_array_equal(line.get_ydata(), mid)
    box = fill.get_datalim(ax.transData)
    assert (box.ymin, box.ymax) == (-1, 5) and line.get_label() == "runs"


def test_staircase_writes_its_levels(ax):
    levels = [0.28, 0.44, 0.52, 1]
    line = viz.staircase(ax, np.linspace(0, 1, 5), np.linspace(0.2, 1, 5), levels, label="beta")
    np.testing.assert_array_equal(line.get_ydata(), np.linspace(0.2, 1, 5))
    assert [text.get_text() for text in ax.texts] == ["0.28", "0.44", "0.52", "1"]
    assert [other.get_ydata()[0] for other in ax.lines[1:]] == levels


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (4, (1, 4)), (5, (1, 5)), (13, (3, 5))])
def test_no_panel_stands_alone_in_its_row(count, shape):
    curve = np.stack([np.arange(3.0)] * 2, axis=1)
    fig = viz.small_multiples({str(k): {"": curve} for k in range(count)})
    grid = fig.axes[0].get_subplotspec().get_gridspec()
    assert (len(fig.axes), grid.get_geometry()) == (count, shape)
    assert sum(bool(ax.get_xlabel()) for ax in fig.axes) == shape[1]


def test_equal_curves_of_a_panel_are_seen_below_each_other():
    curve = np.stack([np.arange(3.0)] * 2, axis=1)
    (ax,) = viz.small_multiples({"": {"one": curve, "other": curve}}).axes
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]


def test_ridges_are_scaled_row_by_row(ax):
    counts = np.array([[0, 2, 4], [10, 5, 0], [0, 0, 0]])
    ridges = viz.histogram_ridge(ax, [-0.5, 0, 0.5], counts, ["a", "b", "c"], overlap=1.5)
    heights = [k - ridge.get_datalim(ax.transData).ymin for k, ridge in enumerate(ridges)]
    np.testing.assert_allclose(heights, [1.5, 1.5, 0], atol=1e-15)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b", "c"]
    assert ax.get_xlim() == (-0.75, 0.75)


@pytest.mark.parametrize("frames", [3, (4, 5)])
def test_film_shows_every_frame(ax, tmp_path, frames):
    seen = []

    def update(frame):
        seen.append(frame)
        ax.set_title(str(frame))

    movie = viz.film(ax.figure, update, frames, fps=10)
    movie.save(tmp_path / "film.gif", writer="pillow", dpi=30)
    wanted = list(range(3)) if frames == 3 else [4, 5]
    # The first frame is also drawn before the layout is frozen, and to start the film.
    assert seen[-len(wanted) :] == wanted and set(seen) == set(wanted)
    with Image.open(tmp_path / "film.gif") as gif:
        assert gif.n_frames == len(wanted) and gif.info["duration"] == 100
    check_refused(lambda: viz.film(ax.figure, update, 0), "pass frames=1")


def test_an_overview_takes_what_runs_leave(tmp_path):
    """Infinity, no numbers, coordinates in no order or twice, names that are no mathematics: no warning."""
    t, beta = np.linspace(0, 1, 9), np.array([3.0, np.inf, 1.0, 2.0, 8.0, 5.0, 4.0, 7.0, 6.0])
    kinds, drawn = ["a", "b", "c"], np.ones((9, 5))
    drawn[0, :2], drawn[1], drawn[2, 0] = np.inf, np.nan, -np.inf
    data = xr.Dataset(
        {
            "late": ("time", np.where(t > 0.5, np.inf, t), {"long_name": "$\\frac{", "units": "$"}),
            "huge": ("time", 1e308 * t, {"long_name": 3}),
            "map": (("beta", "time"), np.outer(beta, np.ones(9))),
            "twice": (("same", "time"), np.ones((9, 9))),
            "bars": ("kind", [1.0, np.inf, 2.0]),
            "drawn": (("time", "draw"), drawn),
        },
        {"time": t, "beta": beta, "kind": kinds, "same": np.ones(9)},
    )
    fig = viz.overview(data, title="$a^{ b$")
    fig.savefig(tmp_path / "a.png", dpi=30)
    found = dict(laid_out(data))
    assert found["map"].y.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(found["map"].values[:, 0], found["map"].y)
    assert found["twice"].y.tolist() == [*range(9)]
    ((_, mid, low, high, _),) = found["drawn"].lines
    assert mid[0] == low[0] == 1 and np.isnan(high[0])  # two of five are infinite
    assert np.isnan([mid[1], low[1], high[1], low[2]]).all() and mid[2] == high[2] == 1


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda ax: viz.convergence(ax, H, H[1:], "m"), "one error a step size"),
        (lambda ax: viz.convergence(ax, H[:2], H[:2], "m"), "add runs"),
        (lambda ax: viz.convergence(ax, [1, 1, 2], [1, 1, 1], "m"), "average repeated"),
        (lambda ax: viz.convergence(ax, H, 0 * H, "m"), "drop the points at 0"),
        (lambda ax: viz.phase_map(ax, [0, 1, 2], [0, 1], np.ones((3, 2))), "pass z.T"),
        (lambda ax: viz.phase_map(ax, [0, 2, 1], [0, 1], np.ones((2, 3))), "sort them first"),
        (lambda ax: viz.phase_map(ax, [0, 1], [1, 1], np.ones((2, 2))), "sort them first"),
        (lambda ax: viz.histogram_ridge(ax, [1, 0], [[0, 1]]), "sort them first"),
        (lambda ax: viz.band(ax, [0, 1], [0, 1], [0, -1e308], [1, 1e308]), "divide them"),
        (lambda ax: viz.overlay_curve(ax, [0, 1], [0]), "one ordinate an abscissa"),
        (lambda ax: viz.band(ax, [0, 1], [0, 1], [2, 2], [1, 1]), "swap low and high"),
        (lambda ax: viz.band(ax, [0, 1], [0, 1, 2], [2, 2], [1, 1]), "one value an abscissa"),
        (lambda ax: viz.staircase(ax, [0, 1], [0]), "one energy a time"),
        (lambda ax: viz.histogram_ridge(ax, [0, 1], [[0, -1]]), "clip them at 0"),
        (lambda ax: viz.histogram_ridge(ax, [0, 1], [[0, 1]], ["a", "b"]), "one a row"),
        (lambda ax: viz.histogram_ridge(ax, [0], [[1]]), "bin more finely"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(ax, call, remedy):
    check_refused(lambda: call(ax), remedy)


def test_numbers_of_things_have_whole_ticks():
    data = xr.Dataset({"cost": ("players", [0.3, 0.2, 0.1])}, {"players": [2, 3, 4]})
    (ax,) = viz.overview(data).axes
    ax.figure.draw_without_rendering()
    assert [tick for tick in ax.get_xticks() if tick % 1] == []
