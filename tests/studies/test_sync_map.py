import numpy as np
import pytest
from refusals import check_refused

from meanfield.studies.metastability._sync_map import SyncMap, _shares, triangle_share


@pytest.mark.parametrize("beta", [pytest.param(-3.0, marks=pytest.mark.slow), -1.0])
def test_basin_of_the_triangle_by_chance(beta):
    """Runs of three tokens in complex numbers, from 5,000 starts."""
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, (5_000, 3))
    for _ in range(600):
        apart = angle[:, None, :] - angle[:, :, None]
        angle += 0.1 * np.exp(beta / 2) * (np.exp(beta * np.cos(apart)) * np.sin(apart)).sum(axis=2)
    ends = np.abs(np.exp(1j * angle).sum(axis=1))
    share = triangle_share(beta)
    # Few are on their way: they are neither in one point, where this is 3, nor in a triangle, 0.
    assert np.mean((ends > 0.3) & (ends < 2.7)) < 1e-3
    error = 4 * (share * (1 - share) / 5_000) ** 0.5 + 1e-3
    assert np.mean(ends < 1.5) == pytest.approx(share, abs=error)


def test_basin_of_the_triangle_at_its_limits():
    """It opens at -2/3, as its saddle leaves, and is bounded by starts on no half circle."""
    assert triangle_share(-2 / 3) == triangle_share(1.0) == 0
    # The saddle, and all lengths about the corner, leave linearly: an area of gap^2, and a factor
    # log(1/gap) of slivers along the way to the source.
    near = [triangle_share(-2 / 3 - gap) for gap in (0.001, 0.002)]
    assert 4 * (1 - np.log(2) / np.log(500)) < near[1] / near[0] < 4
    shares = [triangle_share(beta) for beta in (-1.0, -4.0, -8.0)]
    assert shares == sorted(shares) and 0.23 < shares[-1] < 0.25


def test_where_clouds_end():
    turn = 2 * np.pi / 3
    ends = {
        "met": [0.1, 0.2, 3.1, 1.0, 0.1, 0.1],
        "triangle": [0, turn, 2 * turn, 0, 1e-3, turn],
        "more": [0, 1.3, 2.5, 3.8, 5.0, 0],
        "lingers": [0, 0, 0, np.pi, np.pi, 0],
    }
    angle = np.array(list(ends.values()))
    x, still = np.stack([np.cos(angle), np.sin(angle)], axis=-1), np.zeros(angle.shape)
    np.testing.assert_array_equal(np.stack(list(_shares(x, still).values())), np.eye(4))
    # In motion all linger but the one on a half circle.
    moving = np.stack(list(_shares(x, still + 1).values()))
    np.testing.assert_array_equal(moving.argmax(axis=0), [0, 3, 3, 3])


def test_basins_that_cannot_be_followed_are_refused():
    check_refused(lambda: SyncMap(beta=(-30.0,)), "expected beta >= -10, got -30")
