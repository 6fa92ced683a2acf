import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import Sphere
from meanfield.studies import Normalization, RandomTransformer
from meanfield.studies.depth._random_transformer import first_similarity, gap

STUDY = Normalization(n=4, beta=1.5, alpha=0.7)


@pytest.mark.parametrize("name", STUDY.normalizations)
def test_slopes_are_those_of_the_flow_at_its_start(name):
    normalization, x = STUDY._make(name), jnp.eye(STUDY.n)
    start = (x, jnp.ones(STUDY.n)) if normalization.radial else x
    flow = AttentionFlow(Sphere(STUDY.n), Softmax(STUDY.beta), normalization)
    velocity = flow.drift(jnp.zeros(()), start, None)
    turning = velocity[0] if normalization.radial else velocity
    assert_allclose(turning[0] @ x[1] + x[0] @ turning[1], STUDY.slope(name), rtol=1e-13)


def _ideal(name: str, factor: float = 1.0) -> xr.Dataset:
    """Data whose slope is right, and whose tail is, if the factor is 1."""
    t = np.concatenate([[0, 1e-3], np.geomspace(1, 1e4, 200)])
    u, rate = STUDY.clock(name, t)
    small = np.exp(-factor * rate * (u - u[0]))
    small[:2] = 1 - STUDY.slope(name) * t[:2]
    data = xr.Dataset({"time": ("save", t), "gap": ("save", small)})
    return data.assign_coords(normalization=name).expand_dims("normalization")


@pytest.mark.parametrize("name", STUDY.normalizations)
def test_claims_tell_a_right_tail_from_a_wrong_one(name):
    study = Normalization(normalizations=(name,), n=4, beta=1.5, alpha=0.7)
    assert [claim.passed for claim in study.claims(_ideal(name))] == [True, True]
    assert [claim.passed for claim in study.claims(_ideal(name, 1.02))] == [True, False]


def test_the_gap_is_one_minus_the_mean_similarity_of_pairs():
    x = jnp.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    similarity = (0 + 2 * np.sqrt(0.5)) / 3
    assert_allclose(gap(x), 1 - similarity, rtol=1e-14)
    close = jnp.array([[1.0, 0.0], [1.0, 1e-9]])
    assert_allclose(gap(close), 5e-19, rtol=1e-9)  # 1 - <x, y> would be 0


def test_a_token_that_sees_itself_alone_moves_by_v_x():
    # n = 1: a = x, of length 1, and V x is orthogonal to x in high dimension
    assert_allclose(first_similarity("Post", 1, 10**9, 0.5), 1 / 2)
    assert_allclose(first_similarity("Peri", 1, 10**9, 0.5), 1 / 2)
    assert_allclose(first_similarity("nGPT", 1, 10**9, 0.5), 0.25 / 1.25)


def test_draws_are_independent_and_start_alike():
    study = RandomTransformer(d=8, n=4, layers=2, draws=2)
    result = study.run()
    assert result.gap.sizes == {"draw": 2, "layer": 3, "normalization": 6}
    first = result.gap.isel(layer=0)
    assert (first == first.isel(normalization=0)).all()
    assert (result.gap.sel(draw=0) != result.gap.sel(draw=1)).all()
    # Post, Pre, Sqrt and Mix make the same first layer.
    same = result.gap.isel(layer=1).sel(normalization=["Post", "Pre", "Sqrt", "Mix"]).values
    assert_allclose(same, np.broadcast_to(same[:, :1], same.shape), rtol=1e-12)
