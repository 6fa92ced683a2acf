import numpy as np

from meanfield.harmonics import Fourier
from meanfield.studies import DensityClusters
from meanfield.studies.limits._density_clusters import _low, _low_of


def test_tokens_at_quantiles_have_the_moments_of_the_density():
    study, basis = DensityClusters(n=1000, size=0.02), Fourier(12)
    start = study._start(basis)
    # The quantile rule has error (degree / n)^2 = 6e-5 times the coefficients, 1/n^2 elsewhere.
    np.testing.assert_allclose(
        _low_of(basis, study._quantiles(basis, start)), _low(start), atol=2e-5
    )
