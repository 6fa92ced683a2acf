"""Full-size claims about clustering, against Geshkovski et al., arXiv 2312.10794."""

import numpy as np
import pytest

from meanfield.studies import Clustering, ClusteringRates, PhaseDiagram, RandomMatrices

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "study",
    [
        Clustering(),
        Clustering(faithful=True),
        ClusteringRates(),
        PhaseDiagram(faithful=True, dimensions=(2, 128, 1024), realizations=256),
        PhaseDiagram(dimensions=(32, 1024), realizations=64),
        RandomMatrices(betas=10, realizations=8, families=("wigner_gradient",)),
        RandomMatrices(faithful=True, d=32, betas=10, realizations=4),
    ],
    ids=lambda study: study.name(),
)
def test_claims_hold_at_full_size(study):
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []


def test_orthonormal_tokens_at_beta_9():
    result = ClusteringRates(betas=(9.0,)).run()
    np.testing.assert_allclose(result.flow_time, 178.731, atol=0.02)
    # The first of the layers past the level, a step .1 apart
    np.testing.assert_allclose(result.layers_time, 196.7, atol=0.1)
