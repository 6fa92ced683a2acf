import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom

from meanfield._intervals import wilson
from meanfield.attention import Softmax
from meanfield.dynamics import PostNorm
from meanfield.measures import Uniform
from meanfield.schemes import TransformerLayers
from meanfield.solve import rollout
from meanfield.studies import PhaseDiagram
from meanfield.studies.clustering._random_matrices import matrices
from meanfield.studies.machinery._clouds import disjoint_products, within_span


def test_tokens_within_their_span_move_as_they_do_in_full_space(getkey):
    x = Uniform(20).sample(getkey(), 4)
    inside = within_span(x[None])[0]
    assert inside.shape == (4, 4)
    np.testing.assert_allclose(inside @ inside.T, x @ x.T, atol=1e-14)
    ends = [
        rollout(TransformerLayers(len(y[0]), Softmax(3.0), PostNorm(), 0.1), y, 40).final
        for y in (x, inside)
    ]
    # 40 contracting layers: rounding is not amplified beyond a few of them
    np.testing.assert_allclose(ends[0] @ ends[0].T, ends[1] @ ends[1].T, atol=1e-13)


def test_low_dimensions_are_left_as_they_are(getkey):
    x = Uniform(3).sample(getkey(), 8)[None]
    assert within_span(x) is x


def test_pairs_share_no_token():
    x = jnp.eye(5).at[1].set(jnp.eye(5)[0])
    np.testing.assert_array_equal(disjoint_products(x), [1.0, 0.0])


def test_the_interval_of_wilson():
    # 5 of 10 at z = 1.96: the textbook interval .2366 to .7634
    low, high = wilson(5, 10)
    np.testing.assert_allclose([low, high], [0.2366, 0.7634], atol=5e-5)
    low, high = wilson(np.array([0, 10]), 10)
    # One end is exact but for rounding: (p + z^2/2N + z^2/2N) / (1 + z^2/N) = 1
    np.testing.assert_allclose([low[0], high[1]], [0, 1], atol=1e-15)
    assert (high > low).all()


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5])
def test_the_interval_of_wilson_covers_95_percent(p):
    trials = 200
    hits = np.arange(trials + 1)
    low, high = wilson(hits, trials)
    chance = binom.pmf(hits, trials, p)
    # Exactly summed; hits are whole numbers, which moves the coverage by some 1/sqrt(2 pi N p (1-p)).
    np.testing.assert_allclose(chance[(low <= p) & (p <= high)].sum(), 0.95, atol=0.025)


@pytest.mark.slow
def test_published_layers_lag_and_their_claims_hold():
    study = PhaseDiagram(faithful=True).tiny()
    result = study.run()
    assert [claim for claim in study.claims(result) if not claim.passed] == []
    assert result.integrator == "layers, step 0.1"
    assert ((result.low <= result.high) & (result.probability <= 1)).all()
    inside = (result.low <= result.probability) & (result.probability <= result.high)
    # 95 % intervals of one pair about the mean over all pairs, correlated in time
    assert inside.mean() > 0.9


def test_layers_without_softmax_take_small_steps_and_their_claims_hold():
    few = {
        "dimensions": (8,),
        "n": 8,
        "realizations": 4,
        "betas": 2,
        "beta_min": 4.0,
        "beta_max": 5.0,
    }
    study = PhaseDiagram(normalized=False, faithful=True, end=1.0, checkpoints=50, chunk=2, **few)
    result = study.run()
    assert np.isfinite(result.orthonormal_time).all()
    assert [claim for claim in study.claims(result) if not claim.passed] == []


def test_random_matrices_are_what_they_say():
    key, d = jax.random.key(0), 200
    a, v = matrices("wigner_gradient", key, d)
    np.testing.assert_allclose(a, a.T)
    np.testing.assert_allclose(v * (d + 1) ** 0.5, a)
    # The semicircle ends at 2 sqrt d, up to fluctuations of order d^{-1/6}
    assert abs(jnp.linalg.norm(a, 2) / (2 * d**0.5) - 1) < d ** (-1 / 6) / 4
    assert jnp.linalg.eigvalsh(matrices("wigner_psd", key, d)[1])[0] > -1e-9
    with pytest.raises(ValueError, match=r"expected family among .*gaussian"):
        matrices("cauchy", key, d)
