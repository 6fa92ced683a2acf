"""The claims of every study at full size; a new study is found by its name."""

import numpy as np
import pytest

from meanfield.studies import (
    CausalCharacters,
    Clustering,
    ClusteringRates,
    PhaseDiagram,
    PhaseTransition,
    RandomMatrices,
    TrainedSinkformer,
    Trajectories,
    available,
)

pytestmark = pytest.mark.slow

# Their full size takes hours on two cores: `make figures` runs it.
REDUCED = {
    "causal_characters": [
        CausalCharacters(starts=(0,)),
        CausalCharacters(
            attentions=("softmax", "prefixes"), trainings=("all",), starts=(0,), length=16
        ),
    ],
    "phase_diagram": [
        PhaseDiagram(faithful=True, dimensions=(2, 128, 1024), realizations=256),
        PhaseDiagram(dimensions=(32, 1024), realizations=64),
        PhaseDiagram(normalized=False, end=1.0, dimensions=(32,), betas=9, realizations=8, chunk=9),
    ],
    "random_matrices": [
        RandomMatrices(betas=10, realizations=8, families=("wigner_gradient",)),
        RandomMatrices(faithful=True, d=32, betas=10, realizations=4),
    ],
    "trained_sinkformer": [TrainedSinkformer(rates=(3e-3,), starts=(0,))],
}
MORE = [
    Clustering(faithful=True),
    Trajectories(faithful=True),
    PhaseTransition(d=3, beta=(1.6, 3.7), n=0),
    PhaseTransition(d=8, beta=(1.1, 2.6), n=0),
    PhaseTransition(d=3, beta=(1.6,), degree=40, rungs=4, n=100, token_share=(0.7, 1.5), dt=0.02),
]
FULL = [study for name, kind in available().items() for study in REDUCED.get(name, [kind()])]


@pytest.mark.parametrize("study", [*FULL, *MORE], ids=lambda study: study.name())
def test_the_claims_hold_at_full_size(study):
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []


def test_orthonormal_tokens_at_beta_9():
    result = ClusteringRates(betas=(9.0,)).run()
    np.testing.assert_allclose(result.flow_time, 178.731, atol=0.02)
    # The first of the layers past the level, a step .1 apart
    np.testing.assert_allclose(result.layers_time, 196.7, atol=0.1)
