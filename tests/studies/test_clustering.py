import numpy as np

from meanfield.studies import Clustering


def test_published_layers_form_the_same_clusters():
    study = Clustering(faithful=True).tiny()
    result = study.run()
    assert [claim for claim in study.claims(result) if not claim.passed] == []
    assert result.integrator == "layers, step 0.5"
    assert (result.low <= result["mean"]).all()
    np.testing.assert_allclose(np.linalg.norm(result.x, axis=-1), 1, atol=1e-12)
