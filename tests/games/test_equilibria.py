"""Games of one step, of which everything is known, by the verbs for all games."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.games import AbstractGame, OneShot, equilibria, nash, planner, prices, stackelberg
from meanfield.games.equilibrium import minimized

GAME, X0 = OneShot(4.0), jnp.array([[0.5], [-0.5]])
# L-BFGS stops at steps of eps^(3/4) = 2e-12 of a function flat to second order: controls to 1e-6.
CLOSE = 2e-6


def test_nash():
    found = nash(GAME, X0)
    assert found.converged
    np.testing.assert_allclose(found.controls.ravel(), [-1 / 3, 1 / 3], atol=CLOSE)
    np.testing.assert_allclose(found.costs, 1 / 9, atol=CLOSE)
    assert found.exploitability.max() < 1e-10
    # Each answers a change of the other by half of it: u_1 = (1 + u_0)/2.
    assert found.contraction == pytest.approx(0.25, abs=1e-3)
    # A perturbation of 2.5e-3 is left to what the search does not see, 1e-6.
    assert found.stability == pytest.approx(0.25, abs=2e-3)


def test_the_planner_and_who_is_tempted():
    """u^2 + (1 - 2u)^2 has its minimum at .4; alone one would then move (1 - .4)/2 = .3 and save .01."""
    found = planner(GAME, X0)
    assert found.converged
    np.testing.assert_allclose(found.controls.ravel(), [-0.4, 0.4], atol=CLOSE)
    np.testing.assert_allclose(found.costs, 0.1, atol=CLOSE)
    np.testing.assert_allclose(found.exploitability, 0.01, atol=CLOSE)
    assert jnp.isnan(found.stability)


def test_a_leader_moves_less():
    found = stackelberg(GAME, X0, leader=1)
    assert found.converged
    np.testing.assert_allclose(found.controls.ravel(), [-0.4, 0.2], atol=CLOSE)
    np.testing.assert_allclose(found.costs, [0.16, 0.1], atol=CLOSE)
    np.testing.assert_allclose(found.exploitability, [0, 0.01], atol=CLOSE)


@pytest.mark.parametrize("size", [1e-20, 1e8])
def test_games_of_any_size_are_the_same(size):
    """All is of the second degree: controls are in proportion to x0, and costs to its square."""
    found = planner(GAME, size * X0)
    assert found.converged
    np.testing.assert_allclose(found.controls.ravel(), [-0.4 * size, 0.4 * size], rtol=CLOSE / 0.4)
    np.testing.assert_allclose(found.exploitability, 0.01 * size**2, rtol=1e-4)


class Meeting(AbstractGame):
    """Two who want to stand at the same of two places, -1 and 1."""

    def costs(self, controls, x0, ts=None):
        together = (controls[0, 0] - controls[1, 0]) ** 2
        return 1 + together + (controls[:, 0] ** 2 - 1) ** 2

    def blank(self, x0, ts=None):
        return jnp.zeros_like(x0)


def test_several_equilibria_from_several_starts():
    """Rest is none, though no slope leads away from it: beside it each would save 1/4."""
    found = equilibria(Meeting(), X0, key=jax.random.key(1), starts=5)
    assert sorted(float(one.controls[0, 0]) for one in found.each) == pytest.approx(
        [-1, 1], abs=CLOSE
    )
    assert all(one.converged and one.exploitability.max() < 1e-10 for one in found.each)
    assert found.failed == 1 and sum(found.counts) == 4
    rest = nash(Meeting(), X0)
    np.testing.assert_allclose(rest.controls, 0, atol=1e-12)
    np.testing.assert_allclose(rest.exploitability, 1 / 4, atol=1e-9)
    assert not rest.converged


def test_one_equilibrium_is_one_in_single_precision_too():
    """Costs of 1 + u^2/2 hide what is below sqrt(eps) = 3e-4, by which searches from two starts differ."""

    class Resting(AbstractGame):
        def costs(self, controls, x0, ts=None):
            return 1 + jnp.sum(jnp.cosh(controls) - 1, axis=1) + 0 * x0[:, 0]

        def blank(self, x0, ts=None):
            return jnp.zeros_like(x0)

    found = equilibria(Resting(), X0.astype(jnp.float32), key=jax.random.key(1), starts=4)
    assert (len(found.each), found.counts, found.failed) == (1, (4,), 0)


class Turning(AbstractGame):
    """Of whom one answers 3/2 of what the other does, and is answered by -3/2 of that; rest is (1, 2)."""

    def costs(self, controls, x0, ts=None):
        one, two = controls[:, 0] - jnp.array([1.0, 2.0])
        return 1 + jnp.stack([one**2 / 2 - 1.5 * one * two, two**2 / 2 + 1.5 * one * two])

    def blank(self, x0, ts=None):
        return jnp.zeros_like(x0)


def test_fictitious_play_comes_to_rest_where_best_responses_do_not():
    """The mean of k + 2 rounds is off by 1 + (1.5 i - 1)/(k + 2) times what that of k + 1 is."""
    assert not nash(Turning(), X0, rounds=6).converged
    found = nash(Turning(), X0, averaged=True, rounds=12)
    left = np.prod(1 + (-1.5j - 1) / np.arange(2, 14)) * (-1 - 2j)
    np.testing.assert_allclose(found.controls.ravel(), [1 + left.real, 2 + left.imag], atol=1e-4)
    assert found.iterations == 12 and not found.converged
    near = nash(GAME, X0, averaged=True, guess=jnp.array([[-0.3], [0.3]]))
    assert near.converged and near.exploitability.max() < 1e-6 * near.costs.sum()
    # Errors turn their sign, and fall like k^-1.5: what is saved is 1 of their squares, of costs of 2/9.
    np.testing.assert_allclose(near.controls.ravel(), [-1 / 3, 1 / 3], atol=7e-4)


def test_prices():
    found = prices(GAME, X0)
    assert found.converged
    assert found.anarchy == pytest.approx(10 / 9, abs=CLOSE)
    np.testing.assert_allclose(found.costs, 1 / 9, atol=CLOSE)
    np.testing.assert_allclose(found.planned, 0.1, atol=CLOSE)
    np.testing.assert_allclose(found.led, [[0.1, 0.16], [0.16, 0.1]], atol=CLOSE)
    np.testing.assert_allclose(found.commitment, 1 / 90, atol=CLOSE)
    np.testing.assert_allclose(found.borne, np.array([[-1, 4.4], [4.4, -1]]) / 90, atol=CLOSE)


class Chasing(AbstractGame):
    """Two of whom each answers s times what the other does."""

    s: float

    def costs(self, controls, x0, ts=None):
        own, other = controls[:, 0], controls[::-1, 0]
        return own**2 / 2 - self.s * own * other

    def blank(self, x0, ts=None):
        return jnp.zeros_like(x0)


def test_play_that_is_perturbed_leaves_an_unstable_equilibrium():
    """A round multiplies what the second player does by s^2, and rest is an equilibrium for every s."""
    for s in (1.5, -0.6):
        found = nash(Chasing(s), X0)
        assert found.converged and found.stability == pytest.approx(s**2, rel=1e-3)


def test_the_stability_of_three_players_is_that_of_many_rounds():
    """Each answers k times what the others move, in turn: the largest eigenvalue of (1 - k L)^-1 k U."""
    share = 4 * (2 / 3) / 3 / (1 + 4 * (2 / 3) ** 2)
    lower, upper = share * np.tril(np.ones((3, 3)), -1), share * np.triu(np.ones((3, 3)), 1)
    exact = np.abs(np.linalg.eigvals(np.linalg.solve(np.eye(3) - lower, upper))).max()
    found = nash(GAME, jnp.array([[0.5], [-0.5], [1.0]]))
    # The second largest is .28: factors settle like (.28/.42)^k, and stop where they change by 1e-3.
    assert found.converged and found.stability == pytest.approx(exact, abs=3e-3)


def test_where_no_step_lowers_a_cost_its_minimum_is_found():
    """Flat to rounding at 0, where no step is small against what is 0."""
    best, found = minimized(lambda u, _: -1 + 1e-17 * jnp.sum(u), jnp.zeros((2, 1)), 64)
    assert found
    np.testing.assert_allclose(best, 0, atol=1e-15)


def test_what_does_not_come_to_rest_says_so():
    assert not nash(GAME, X0, rounds=1).converged


def test_refusals():
    check_refused(lambda: nash(GAME, jnp.zeros(3)), "one row a player")
    check_refused(lambda: nash(GAME, X0, guess=jnp.zeros((3, 1))), "controls of shape")
    check_refused(lambda: stackelberg(GAME, X0, leader=2), "leader below 2")
