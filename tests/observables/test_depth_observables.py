"""Dimension, linkage, rotations and information of clouds and series, against exact values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_observables import seen
from refusals import check_refused
from scipy.cluster.hierarchy import linkage

from meanfield import observables as ob
from meanfield.geometry import Euclidean

RNG = np.random.default_rng(3)


def unit(x):
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def test_dimension_of_points_whose_ratios_are_known():
    # On the line at 0, 1, 3, 8: the distances of each to its two nearest are (1, 3), (1, 2), (2, 3),
    # (5, 7). Of the four ratios 3, 2, 3/2, 7/5, the three least are kept and the largest counts as 2.
    x = jnp.array([[0.0], [1.0], [3.0], [8.0]])
    found = seen(ob.intrinsic_dimension, x)
    want = (3 - 1) / (np.log(7 / 5) + np.log(3 / 2) + np.log(2) + np.log(2))
    np.testing.assert_allclose(found.value, want, rtol=1e-14)
    np.testing.assert_allclose(found.standard_error, want, rtol=1e-14)  # sqrt(3 - 2) = 1
    all_kept = seen(lambda x: ob.intrinsic_dimension(x, keep=1.0), x)
    want = (4 - 1) / (np.log(7 / 5) + np.log(3 / 2) + np.log(2) + np.log(3))
    np.testing.assert_allclose(all_kept.value, want, rtol=1e-14)
    again = jnp.array([[0.0], [1.0], [3.0], [8.0], [1.0]])  # a duplicate is no neighbour
    twice = seen(ob.intrinsic_dimension, again)
    np.testing.assert_allclose(twice.value, found.value, rtol=1e-14)
    np.testing.assert_allclose(twice.duplicates, 0.2, rtol=1e-14)
    assert np.isnan(seen(ob.intrinsic_dimension, jnp.array([[0.0], [1.0], [3.0], [1.0]])).value)
    check_refused(lambda: ob.intrinsic_dimension(x, keep=1.5), "pass keep=0.9")
    check_refused(lambda: ob.intrinsic_dimension(x[:3]), "put one token a row")


def test_dimension_of_uniform_spheres_and_of_a_flat_ball():
    spheres = [unit(RNG.normal(size=(600, k + 1))) for k in (1, 2, 4)]
    inside = RNG.uniform(size=(600, 1)) ** (1 / 3) * unit(RNG.normal(size=(600, 3)))
    frame = np.linalg.qr(RNG.normal(size=(20, 3)))[0]
    for k, x in [
        (1, spheres[0]),
        (2, spheres[1]),
        (4, spheres[2]),
        (3, jnp.asarray(np.asarray(inside) @ frame.T)),
    ]:
        found = seen(ob.intrinsic_dimension, x)
        # Standard error k/sqrt(540) = .043 k; shared neighbours make it half as much again. The curvature
        # of S^4 at the distance r_2 = .3, and the edge of the ball, bias by 1 or 2 percent.
        np.testing.assert_allclose(found.standard_error, found.value / np.sqrt(538), rtol=1e-12)
        assert abs(float(found.value) / k - 1) < 3 * 1.5 * 0.043 + 0.02


def test_heights_of_merging_are_single_linkage():
    x = unit(RNG.normal(size=(30, 3)))
    gram = np.asarray(x) @ np.asarray(x).T
    angle = np.arccos(np.clip(gram, -1, 1))[np.triu_indices(30, 1)]
    heights = jax.jit(ob.merge_heights)(x)
    # arccos loses half the digits of small angles, the least of which is about .02.
    np.testing.assert_allclose(heights, linkage(angle, "single")[:, 2], atol=1e-13)
    counts = [int(jax.jit(ob.clusters)(x, t).count) for t in (0.1, 0.3, 0.6)]
    assert counts == [1 + int((np.asarray(heights) > t).sum()) for t in (0.1, 0.3, 0.6)]
    assert len({*counts}) == 3
    flat = jnp.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [3.0, 4.0]])
    found = seen(ob.merge_heights, flat, Euclidean(2))
    np.testing.assert_allclose(found, [0, 1, np.sqrt(18)], atol=1e-15)
    check_refused(lambda: ob.merge_heights(x[:1]), "never merges")


@pytest.mark.parametrize("periods", [1, 3])
def test_an_oscillation_turns_once_a_period(periods):
    # 61 times have 58 steps between pairs: `periods` whole periods in them, from any phase.
    i = np.arange(61)
    wave = np.cos(2 * np.pi * periods / 58 * i + np.array([[0.3], [1.9]]))
    np.testing.assert_allclose(ob.rotations(jnp.asarray(wave)), periods, rtol=1e-12)
    # Backwards it turns the same way, and a slow decay does not change the count.
    np.testing.assert_allclose(ob.rotations(jnp.asarray(wave[:, ::-1])), periods, rtol=1e-12)
    assert abs(float(ob.rotations(jnp.asarray(wave[0] * 0.99**i))) - periods) < 0.1


def test_white_noise_turns_a_known_number_of_times():
    noise = jnp.asarray(RNG.normal(size=(4000, 63)))
    found = np.asarray(ob.rotations(noise))
    # 60/(4 sqrt 2) = 10.607: the law of the phase of jointly circular normal pairs. Spread 1.6 each.
    assert abs(found.mean() - 60 / (4 * np.sqrt(2))) < 4 * found.std() / np.sqrt(4000) < 0.12
    assert found.dtype == noise.dtype
    check_refused(lambda: ob.rotations(noise[:, :3]), "longer series")


def test_information_of_normal_variables():
    rho, n = 0.8, 4000
    x, z = RNG.normal(size=(2, n, 20))
    y = rho * x + np.sqrt(1 - rho**2) * z
    information = jax.jit(ob.gaussian_information)
    # The estimate of one coordinate has standard deviation rho/sqrt n; there are 20.
    want, error = -np.log(1 - rho**2) / 2, rho / np.sqrt(20 * n)
    found = float(information(x, y))
    assert abs(found - want) < 4 * error
    np.testing.assert_allclose(information(x, 3 - 2 * y), found, rtol=1e-12)
    # Exactly unbiased for independent coordinates, even of 5 tokens: -log(Beta)/2 has deviation 1.
    few = RNG.normal(size=(2, 5, 5000))
    each = -np.log(1 - _correlation(*few) ** 2) / 2
    assert abs(float(information(*few))) < 4 * each.std() / np.sqrt(5000) < 0.06
    # Nearly equal clouds, whose 1 - rho^2 is below the rounding of float32.
    close = x.astype(np.float32), (x + 1e-5 * z).astype(np.float32)
    assert abs(float(information(*close)) - np.log(1e5)) < 0.05
    flat = np.concatenate([np.ones((n, 1)), x[:, 1:]], axis=1)
    share = float(information(flat, y)) / float(information(x[:, 1:], y[:, 1:]))
    np.testing.assert_allclose(share, 19 / 20, rtol=1e-12)
    x, y = jnp.asarray(x), jnp.asarray(y)
    check_refused(lambda: ob.gaussian_information(x, y[:-1]), "the same tokens")


def _correlation(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))
