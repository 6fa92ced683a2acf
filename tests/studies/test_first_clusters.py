import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from meanfield.studies import FirstClusters
from meanfield.studies.limits._first_clusters import _rate, modes


def test_modes_are_means_of_waves():
    theta = np.array([0.3, 1.1, 4.0])
    x = jnp.asarray(np.stack([np.cos(theta), np.sin(theta)], axis=1))
    exact = [np.exp(-1j * k * theta).mean() for k in (1, 2, 3)]
    np.testing.assert_allclose(modes(3, x), exact, atol=1e-14)


def test_the_rate_of_exponential_growth():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(6, 2)) + 1j * rng.normal(size=(6, 2))
    rate, error = _rate(start, start * np.exp([2.0, -1.0]), 1.0)
    np.testing.assert_allclose(rate, [2, -1], rtol=1e-12)
    np.testing.assert_allclose(error, 0, atol=1e-12)


@pytest.mark.parametrize(("rival", "told"), [(0.8, True), (0.99, False)])
def test_the_fastest_degree_is_claimed_where_clouds_can_tell_it(rival, told):
    theory = np.array([0.1, 1.0, rival])
    one = xr.Dataset(
        {
            "theory": ("degree", theory),
            "rate": ("degree", theory),
            "rate_error": ("degree", np.full(3, 0.01)),
        },
        {"degree": [1, 2, 3]},
    )
    (claim,) = FirstClusters()._seen(5.0, one, one.sel(degree=2))
    assert claim.passed
    assert (claim.expected == 2) == told
    assert ("k = 3" in claim.source) != told
    # A wrong winner fails either way.
    one["rate"] = one.rate + 2 * (one.degree == 1)
    (claim,) = FirstClusters()._seen(5.0, one, one.sel(degree=2))
    assert not claim.passed
