from dataclasses import replace

from meanfield.studies import Trajectories


def test_small_beta_makes_one_cluster():
    study = replace(Trajectories().tiny(), beta=1.0, t_end=12.0)
    result = study.run()
    assert [claim for claim in study.claims(result) if not claim.passed] == []
    # Near the end gaps close like e^{-2 t}: by t = 12 they are far below the tolerance of .01.
    assert result.clusters[0, -1] == 1
    assert result.energy[0, -1] > 1 - 1e-4
    assert (result.label == 0).all()
