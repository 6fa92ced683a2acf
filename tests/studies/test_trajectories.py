from dataclasses import replace

import numpy as np
import pytest

from meanfield.studies import Trajectories
from meanfield.studies.machinery._attentions import attention_named


@pytest.mark.slow
def test_small_beta_makes_one_cluster():
    study = replace(Trajectories().tiny(), beta=1.0, end=12.0, checkpoints=120)
    result = study.run()
    assert [claim for claim in study.claims(result) if not claim.passed] == []
    # Near the end gaps close like e^{-2 t}: by t = 12 they are far below the tolerance of .01.
    assert result.clusters[0, -1] == 1
    assert result.energy[0, -1] > 1 - 1e-4
    assert (result.label == 0).all()


def test_published_layers_of_scaled_attention_take_the_published_step():
    study = Trajectories(faithful=True, beta=4.0, end=12.0, checkpoints=120)
    attention = attention_named("USA", 4.0, 3)
    # The scale divides speeds by int e^{beta <x, y>} dy = sinh(beta)/beta, and so it stretches steps.
    step = 0.1 / (2 * np.exp(3.5)) * np.sinh(4.0) / 4.0
    assert study.layers_between(attention) == np.ceil(0.1 / step)
    assert study.step() == 0.1


@pytest.mark.slow
def test_published_layers_tend_to_the_flow_at_order_one():
    study = replace(Trajectories().tiny(), beta=1.0, end=4.0, checkpoints=40)
    flow = study.run().x
    coarse, fine = (
        abs(replace(study, faithful=True, substeps=m).run().x - flow).max() for m in (1, 2)
    )
    # The next term is smaller by a factor of the step, .1, and has a constant of order one.
    np.testing.assert_allclose(coarse / fine, 2, rtol=0.1)
    assert study.integrator() == "Tsit5, tol 1e-09"
