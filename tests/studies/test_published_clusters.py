import jax.numpy as jnp
import numpy as np

from meanfield.attention import Unnormalized
from meanfield.studies.limits._published_clusters import (
    BINS,
    _counts_of,
    _on_circle,
    _published,
    printed_rate,
)


def test_a_published_step_is_the_printed_double_sum():
    theta, beta, dt = jnp.linspace(0.0, 5.0, 7), 5.0, 1e-3
    gaps = np.asarray(theta) - np.asarray(theta)[:, None]
    moved = theta + dt * (np.exp(beta * np.cos(gaps)) * np.sin(gaps)).mean(axis=1)
    counts, rho = _published(Unnormalized(beta), theta, jnp.asarray(dt), 1)
    np.testing.assert_allclose(rho[1, 0], np.exp(-1j * np.asarray(moved)).mean(), rtol=1e-12)
    assert counts.shape == (61, BINS)
    assert (counts.sum(axis=1) == 7).all()


def test_bins_are_counted_from_angle_zero():
    arc = 2 * np.pi / BINS
    counts = _counts_of(_on_circle(jnp.asarray([0.5 * arc, 1.5 * arc, 1.6 * arc, -0.5 * arc])))
    assert [counts[0], counts[1], counts[-1]] == [1, 2, 1]


def test_the_printed_rate_is_that_of_the_code_over_pi():
    assert printed_rate(np.pi) == 1
