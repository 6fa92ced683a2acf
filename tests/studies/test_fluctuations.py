import numpy as np

from meanfield.studies import Fluctuations


def test_small_steps_have_the_spectrum_of_the_flow():
    strength = np.array([0.8, 0.3, 0.1])
    gaps = []
    for dt in (1e-3, 5e-4):
        theory = Fluctuations(max_degree=3, dt=dt)._theory(strength, 1.2)
        np.testing.assert_allclose(theory.exact, 1.2 / (1.2 - strength), rtol=1e-15)
        gaps.append(abs(theory.stepped - theory.exact).values)
    # First order in the step: half the step, half the gap, up to h k^2 noise = .01.
    np.testing.assert_allclose(gaps[0] / gaps[1], 2, rtol=0.02)


def test_the_error_of_a_spectrum_is_that_of_exponential_looks():
    strength, noise = np.array([0.8, 0.3]), 1.2
    study = Fluctuations(max_degree=2, chains=9, relaxations=40, dt=0.0125)
    theory = study._theory(strength, noise)
    # Looks half a relaxation time 1/.4 apart: powers of mode 1 keep 1/e of their correlation; mode 2 has
    # the rate 4 * .9 and keeps e^-9. A mean over M of them, 81 in each of 9 chains, varies by
    # sqrt((1 + 1/e)/(1 - 1/e)/M) of itself.
    kept = np.exp([-1.0, -9.0])
    share = np.sqrt((1 + kept) / (1 - kept) / (9 * 81))
    np.testing.assert_allclose(theory.sampling / theory.exact, share, rtol=1e-12)
