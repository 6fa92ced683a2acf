import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from meanfield.harmonics import Gegenbauer
from meanfield.studies import ParticlesVsPde
from meanfield.studies.limits._particles_vs_pde import _moments


@pytest.mark.parametrize("d", [2, 3, 16])
def test_the_moments_are_one_at_the_pole(d):
    x = jnp.eye(d)[:1]
    np.testing.assert_allclose(_moments(Gegenbauer(d, 4), jnp.ones(1), x), np.ones(4), rtol=1e-12)


def test_the_slope_is_that_of_a_power_law():
    study = ParticlesVsPde(sizes=(10, 100, 1000))
    n = np.array(study.sizes)
    part = xr.Dataset(
        {"distance": ("n", 3 / n**0.5), "distance_error": ("n", 0.3 / n**0.5)}, {"n": n}
    )
    whole = study.assemble([part] * len(study.cells()))
    np.testing.assert_allclose(whole.slope, -0.5, rtol=1e-12)
    # Three points a decade apart, each off by a tenth: .1 / (log 10 sqrt 2).
    np.testing.assert_allclose(whole.slope_error, 0.1 / np.log(10) / 2**0.5, rtol=1e-12)
