import numpy as np
import pytest
from scipy.special import eval_gegenbauer, roots_gegenbauer

from meanfield.studies import GrowthRates
from meanfield.studies._growth_rates import multiplier


@pytest.mark.parametrize("d", [3, 8])
def test_the_multipliers_are_integrals_of_the_kernel(d):
    t, weights = roots_gegenbauer(40, (d - 2) / 2)
    for k in (0, 1, 4):
        zonal = eval_gegenbauer(k, (d - 2) / 2, t) / eval_gegenbauer(k, (d - 2) / 2, 1.0)
        exact = weights @ (np.exp(3 * t) * zonal) / weights.sum()
        np.testing.assert_allclose(multiplier(k, 3.0, d), exact, rtol=1e-11)


def test_two_heads_add_their_strengths():
    study = GrowthRates(beta=2.0)
    both = study._closed("two heads", 3, 0.0)
    heads = [GrowthRates(beta=beta)._closed("SA", 3, 0.0) for beta in (2.0, 4.0)]
    np.testing.assert_allclose(both, sum(heads), rtol=1e-14)


def test_a_lattice_carries_one_mode():
    study = GrowthRates(n=64, size=1e-3)
    z = np.asarray(study._lattices()) @ np.array([1, 1j])
    for k, cloud in enumerate(z, start=1):
        # 1 + 2 size cos(k theta) has int cos(k theta) rho = size, up to size^2 (to first order).
        np.testing.assert_allclose((cloud**k).mean(), 1e-3, atol=1e-6 * k)
        np.testing.assert_allclose((cloud ** (k + 1)).mean(), 0, atol=1e-6 * (k + 1))
