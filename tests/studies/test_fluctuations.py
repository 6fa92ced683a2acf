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
