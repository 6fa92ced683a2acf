"""Games of Sinkhorn attention, against collocation, its limits, and the planner that it needs not."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from collocation import Cosines, doubly_stochastic, solved
from scipy.special import ive

from meanfield.attention import Sinkhorn, Softmax
from meanfield.games import Kuramoto, MeanFieldGame
from meanfield.harmonics import Gegenbauer, SphericalHarmonics

CIRCLE = Gegenbauer(2, 24)


@cache
def attended(beta, noise, discount=None):
    found = MeanFieldGame(CIRCLE, Sinkhorn(beta), noise, discount).equilibrium()
    assert found.converged and found.order > 0.3
    return found


@pytest.mark.parametrize(("beta", "discount"), [(1.0, None), (4.0, None), (4.0, 2.0)])
def test_thresholds_and_where_branches_begin(beta, discount):
    """W_k = q_k/(beta (1 + q_k)): g moves against what it smooths, twice less than softmax at most."""
    game = MeanFieldGame(CIRCLE, Sinkhorn(beta), 0.3, discount)
    k = np.arange(1, 4)
    q = ive(k, beta) / ive(0, beta)
    noise, strength = np.asarray(game.thresholds()[:3]), q / (beta * (1 + q))
    left = noise**2 * k**2 if discount is None else noise * (1 + noise * k**2 / discount)
    np.testing.assert_allclose(left, strength, atol=1e-12)
    found = game.branch(jnp.array([0.02, 0.04]))
    assert found.converged.all()
    start = (4 * found.noise[0] - found.noise[1]) / 3
    assert start == pytest.approx(float(game.critical_noise()), abs=1e-6)


@pytest.mark.parametrize(
    ("beta", "noise", "discount"),
    [pytest.param(4.0, 0.24, None, marks=pytest.mark.slow), (2.0, 0.15, 2.0)],
)
def test_equilibria(beta, noise, discount):
    found = attended(beta, noise, discount)
    order, cost = solved(Cosines(), doubly_stochastic(Cosines(), beta), noise, discount)
    assert found.order == pytest.approx(order, abs=1e-9)
    assert found.cost == pytest.approx(cost, abs=1e-9)


@pytest.mark.slow
def test_a_planner_has_nothing_to_add():
    """d/dm int m W*m = W*m + 1/beta: such players are at a stationary point of what all pay."""
    game = MeanFieldGame(CIRCLE, Sinkhorn(4.0), 0.24)
    best = game.planner()
    assert best.cost == pytest.approx(float(attended(4.0, 0.24).cost), abs=1e-10)
    np.testing.assert_allclose(best.value, attended(4.0, 0.24).value, atol=1e-9)
    soft = MeanFieldGame(CIRCLE, Softmax(4.0), 0.24)
    alone = soft.equilibrium()
    assert soft.planner(alone.value).cost < alone.cost - 0.003


def check_limit(values, exact):
    """Of values at h, h/2, h/4: a line is off by h^2, and from twice as far by four times as much."""
    far, near = 2 * values[1] - values[0], 2 * values[2] - values[1]
    assert near == pytest.approx(exact, abs=abs(far - near))
    assert abs(values[2] - exact) > 10 * abs(far - near)


def test_small_beta_is_kuramoto():
    """-g/beta = <x, mean> - |mean|^2/2 + O(beta): what is gained by being near counts once for each pair."""
    limit = MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.5).equilibrium()
    found = [attended(beta, 0.5) for beta in (0.04, 0.02, 0.01)]
    check_limit([float(one.order) for one in found], float(limit.order))
    check_limit([float(one.cost) for one in found], float(limit.cost + limit.order**2 / 2))


def test_large_beta_is_a_liking_of_crowds():
    """g = log(m)/-2: an aversion of -1/(2 beta). With noise like beta^{-1/2} it is one law, up to 1/beta."""
    value, found = attended(4.0, 0.245).value, []
    for beta in (16.0, 32.0, 64.0):
        game = MeanFieldGame(CIRCLE, Sinkhorn(beta), 0.49 / beta**0.5)
        found.append(game.equilibrium(value * (4 / beta) ** 0.5))
        assert found[-1].converged
    limit = MeanFieldGame(CIRCLE, Kuramoto(0.0), 0.49, None, -0.5).equilibrium(2 * value)
    assert limit.converged
    check_limit([float(one.order) for one in found], float(limit.order))
    costs = [b * float(one.cost) for b, one in zip((16, 32, 64), found, strict=True)]
    check_limit(costs, float(limit.cost))


@pytest.mark.slow
def test_all_bases_have_the_same_equilibrium():
    full, axial = (
        MeanFieldGame(basis, Sinkhorn(2.0), 0.22).equilibrium()
        for basis in (SphericalHarmonics(8), Gegenbauer(3, 16))
    )
    assert full.converged and axial.converged and axial.order > 0.3
    assert full.order == pytest.approx(float(axial.order), abs=1e-5)
    assert full.cost == pytest.approx(float(axial.cost), abs=1e-5)
