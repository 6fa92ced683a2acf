import numpy as np

from meanfield.studies import Clustering


def test_published_layers_form_the_same_clusters():
    study = Clustering(faithful=True).tiny()
    result = study.run()
    assert [claim for claim in study.claims(result) if not claim.passed] == []
    assert result.integrator == "layers, step 0.5"
    # 95 % of a normal law lie within 1.96 standard errors.
    error = result["count"].std("realization", ddof=1) / np.sqrt(study.realizations)
    np.testing.assert_allclose(result.high - result["mean"], 1.959964 * error, rtol=1e-6)
    np.testing.assert_allclose(result["mean"] - result.low, 1.959964 * error, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result.x, axis=-1), 1, atol=1e-12)
