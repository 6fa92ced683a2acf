import numpy as np
import pytest
from scipy.special import eval_gegenbauer, roots_gegenbauer

from meanfield.landscape import growth_rates
from meanfield.studies import GrowthRates
from meanfield.studies.limits._growth_rates import multiplier


@pytest.mark.parametrize("d", [3, 8])
def test_the_multipliers_are_integrals_of_the_kernel(d):
    t, weights = roots_gegenbauer(40, (d - 2) / 2)
    for k in (0, 1, 4):
        zonal = eval_gegenbauer(k, (d - 2) / 2, t) / eval_gegenbauer(k, (d - 2) / 2, 1.0)
        exact = weights @ (np.exp(3 * (t - 1)) * zonal) / weights.sum()
        np.testing.assert_allclose(multiplier(k, 3.0, d), exact, rtol=1e-11)


def test_two_heads_add_their_strengths():
    study = GrowthRates(beta=2.0)
    both = study._closed("two heads", 3, 0.0)
    heads = [GrowthRates(beta=beta)._closed("SA", 3, 0.0) for beta in (2.0, 4.0)]
    np.testing.assert_allclose(both, sum(heads), rtol=1e-14)


def test_strengths_at_low_temperatures_are_numbers():
    """a_k/a_0 tends to 1 like 1 - lambda_k/(2 beta), and the multipliers of USA to 1/sqrt(2 pi beta)."""
    beta, eigenvalues = 1e3, np.arange(1.0, 7) ** 2
    study = GrowthRates(beta=beta)
    closed = {name: study._closed(name, 2, 0.0) / eigenvalues for name in study.attentions}
    # The next terms are lambda_k^2/(8 beta^2) = 1.6e-4 at k = 6, and 1/(8 beta) for the mean.
    np.testing.assert_allclose(closed["SA"], (1 - eigenvalues / (2 * beta)) / beta, rtol=4e-4)
    np.testing.assert_allclose(closed["Sinkhorn"], (1 / 2) / beta, rtol=1e-2)
    usa = closed["SA"] / np.sqrt(2 * np.pi * beta)
    np.testing.assert_allclose(closed["USA"], usa, rtol=2e-4)
    found = growth_rates(study._attention("USA"), 2, 0.0, 6)[1:] / eigenvalues
    np.testing.assert_allclose(found, closed["USA"], rtol=1e-10)


def test_a_lattice_carries_one_mode():
    study = GrowthRates(n=64, size=1e-3)
    z = np.asarray(study._lattices()) @ np.array([1, 1j])
    for k, cloud in enumerate(z, start=1):
        # 1 + 2 size cos(k theta) has int cos(k theta) rho = size, up to size^2 (to first order).
        np.testing.assert_allclose((cloud**k).mean(), 1e-3, atol=1e-6 * k)
        np.testing.assert_allclose((cloud ** (k + 1)).mean(), 0, atol=1e-6 * (k + 1))


@pytest.mark.slow
def test_degrees_above_those_that_are_measured_do_not_drown_them():
    """At beta = 1000 the degree sqrt(2 beta) grows 25 times as fast as the fourth: a run that waits for the
    latter to grow by e would see rounding grow by e^100."""
    study = GrowthRates(beta=1e3).tiny()
    assert all(claim.passed for claim in study.claims(study.run()))
