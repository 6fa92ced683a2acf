import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from meanfield.studies import MeanFieldLimit
from meanfield.studies.machinery._attentions import attention_named


@pytest.mark.parametrize(
    "d", [pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow), 16]
)
def test_the_variance_at_the_start_is_that_of_the_law(d):
    spread = 1.5
    angle = np.pi * (np.arange(2000) + 0.5) / 2000  # midpoint rule
    law = np.exp(d / spread * np.cos(angle)) * np.sin(angle) ** (d - 2)
    first, second = (law @ np.cos(angle) ** k / law.sum() for k in (1, 2))
    exact = 2 - first**2 - second**2 - (1 - second) ** 2 / (d - 1)
    # |x|^2 + |x x^T|_F^2 = 2 for every unit vector; x x^T has d - 1 equal means across. For odd d
    # the integrand has a corner at the ends, where the rule errs by the square of its step.
    assert abs(MeanFieldLimit(spread=spread)._exact_start(d) - exact) < (np.pi / 2000) ** 2


def test_sa_and_usa_agree_at_the_uniform_law():
    # A regular polygon of 64 corners integrates e^{4 cos} to rounding.
    angle = 2 * np.pi * np.arange(64) / 64
    polygon = jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    fields = [attention_named(name, 4.0, 2)(polygon) for name in ("SA", "USA")]
    np.testing.assert_allclose(*fields, atol=1e-12)


def test_a_slope_and_its_error():
    study = MeanFieldLimit(sizes=(16, 64, 256))
    distance = 3 * np.array(study.sizes)[:, None] ** -0.5
    part = xr.Dataset(
        {"distance": (("n", "time"), distance), "distance_error": (("n", "time"), distance / 30)},
        {"n": list(study.sizes), "time": [0.0]},
    )
    whole = study.assemble([part] * len(study.cells()))
    np.testing.assert_allclose(whole.slope, -0.5, atol=1e-12)
    # The slope is (log D_256 - log D_16) / log 16, each logarithm known to 1/30.
    np.testing.assert_allclose(whole.slope_error, np.sqrt(2) / 30 / np.log(16))
