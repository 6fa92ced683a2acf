"""Players who avoid or seek crowds, against differences, closed forms and collocation by SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from collocation import Cosines, Legendres, multipliers, pairs, residual, solved
from refusals import check_refused
from scipy.linalg import expm
from scipy.optimize import brentq
from scipy.special import iv

from meanfield.attention import Unnormalized
from meanfield.games import Kuramoto, MeanFieldGame, few_players, mean_field_path
from meanfield.harmonics import Gegenbauer

CIRCLE = Gegenbauer(2, 20)


def crowded(space, strength, aversion, factor=1):
    """What is felt, or, by a planner, `factor` times."""
    near = pairs(space, strength)
    return lambda m: factor * near(m) + aversion * np.log(m)


@pytest.mark.parametrize("discount", [None, 5.0])
@pytest.mark.parametrize("aversion", [0.1, -0.2])
@pytest.mark.parametrize("space", [Cosines(4, 32), Legendres(4, 32)], ids=["circle", "sphere"])
def test_thresholds_are_where_the_linear_equation_is_singular(space, aversion, discount):
    """By differences of the whole equation about V = 0, which is diagonal there."""
    d = 2 if isinstance(space, Cosines) else 3
    game = MeanFieldGame(Gegenbauer(d, 4), Unnormalized(2.0), 0.3, discount, aversion)
    strength = multipliers(space, lambda t: np.exp(2 * t) / 2)
    felt = crowded(space, strength, aversion)
    for k, noise in enumerate(np.asarray(game.thresholds())):
        if noise == 0:
            assert strength[k] < aversion
            continue
        small = 3e-5 * noise * np.eye(4)[k]
        up, down = (residual(space, sign * small, felt, noise, discount) for sign in (1, -1))
        # The next order is (small/noise)^2 of it.
        np.testing.assert_allclose((up - down)[k] / (6e-5 * noise), 0, atol=1e-8)
    assert game.thresholds()[0] == game.critical_noise() > 0.2


@pytest.mark.parametrize(
    ("aversion", "discount", "planned"),
    [(0.15, None, False), (-0.1, None, False), (0.15, None, True), (0.1, 5.0, False)],
)
def test_equilibria_and_planners_on_the_circle(aversion, discount, planned):
    noise = 0.4 if discount is None else 0.3
    game = MeanFieldGame(CIRCLE, Kuramoto(1.0), noise, discount, aversion)
    found = game.planner() if planned else game.equilibrium()
    feel = lambda factor: crowded(Cosines(), np.eye(16)[0] / 2, aversion, factor)
    order, cost = solved(Cosines(), feel(2 if planned else 1), noise, discount, feel(1))
    assert found.converged and order > 0.3
    assert found.order == pytest.approx(order, abs=1e-9)
    assert found.cost == pytest.approx(cost, abs=1e-9)


def test_an_equilibrium_on_the_sphere():
    game = MeanFieldGame(Gegenbauer(3, 16), Kuramoto(1.0), 0.25, None, 0.1)
    found = game.equilibrium()
    order, cost = solved(Legendres(), crowded(Legendres(), np.eye(16)[0] / 3, 0.1), 0.25)
    assert found.converged and order > 0.3
    assert found.order == pytest.approx(order, abs=1e-9)
    assert found.cost == pytest.approx(cost, abs=1e-9)


@pytest.mark.parametrize("aversion", [0.1, -0.1])
def test_impatient_players_have_more_noise(aversion):
    """m = e^{kappa r cos/(noise + aversion)}/Z, up to 1/discount."""
    found = MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.3, 1e7, aversion).equilibrium()
    noise = 0.3 + aversion
    consistent = lambda r: iv(1, r / noise) / iv(0, r / noise) - r
    assert found.converged
    assert found.order == pytest.approx(brentq(consistent, 0.1, 0.99), abs=1e-6)


def test_players_who_like_crowds_gather_as_a_normal_law():
    """Variance noise^2/-aversion = 1/4; what wraps around is e^{-pi^2/(2 variance)} of it, 3e-9."""
    noise, liking = 0.5, 1.0
    variance = noise**2 / liking
    basis = Gegenbauer(2, 64)
    game = MeanFieldGame(basis, Kuramoto(0.0), noise, None, -liking)
    found = game.equilibrium(basis.analyze(noise * jnp.arccos(basis.nodes) ** 2 / (2 * variance)))
    assert found.converged and found.order > 0.5
    assert found.order == pytest.approx(np.exp(-variance / 2), abs=1e-7)
    assert found.effort == pytest.approx(liking / 2, abs=1e-6)
    entropy = np.log(2 * np.pi) - np.log(2 * np.pi * np.e * variance) / 2
    assert found.cost == pytest.approx(liking / 2 - liking * entropy, abs=1e-6)


def test_a_branch_begins_at_the_threshold():
    game = MeanFieldGame(CIRCLE, Unnormalized(1.0), 0.3, 10.0, 0.1)
    found = game.branch(jnp.array([0.02, 0.04]))
    assert found.converged.all()
    start = (4 * found.noise[0] - found.noise[1]) / 3
    strength = iv(1, 1.0) - 0.1
    exact = 5 * (np.sqrt(1 + 4 * strength / 10) - 1)
    assert start == pytest.approx(exact, abs=1e-6)
    assert game.critical_noise() == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("discount", "aversion"), [(None, 0.2), (2.0, 0.1)])
def test_paths_in_linear_theory(discount, aversion):
    """Of degree one about the uniform law: v' = (r + noise) v + s (W - aversion) m, m' = -v - noise m."""
    kappa, small, noise, end, steps = 0.45, 1e-5, 0.4, 1.5, 32
    basis = Gegenbauer(2, 8)
    game = MeanFieldGame(basis, Kuramoto(kappa), noise, discount, aversion)
    start = basis.analyze(1 + small * basis.nodes)
    found = mean_field_path(game, start, end, steps)
    assert found.converged
    r, s = (0.0, 1.0) if discount is None else (discount, discount)
    linear = np.array([[r + noise, s * (kappa / 2 - aversion)], [-1.0, -noise]])
    one = expm(end * linear)
    path = [expm(t * linear) @ [-one[0, 1] / one[0, 0], 1.0] for t in np.asarray(found.ts)]
    ours = np.stack([found.value[:, 1], found.density[:, 1]], axis=1) / float(start[1])
    # Rates up to r + noise: (rate step)^2/12 of what is there, and small^2.
    np.testing.assert_allclose(ours, path, atol=((r + noise) * end / steps) ** 2 / 12 * 3)


def test_a_path_from_an_equilibrium_stays_there():
    """V falls by the cost in unit time; what is off are the last harmonics of m, 1e-10, and of log m."""
    game = MeanFieldGame(Gegenbauer(2, 12), Kuramoto(1.0), 0.6, None, -0.05)
    still = game.equilibrium()
    assert still.converged and still.order > 0.3
    found = mean_field_path(game, still.density, 1.0, 4, terminal=still.value)
    assert found.converged
    np.testing.assert_allclose(found.density[2], still.density, atol=1e-8)
    np.testing.assert_allclose(found.value[0, 1:], still.value[1:], atol=1e-8)
    assert found.value[0, 0] == pytest.approx(float(still.cost), abs=1e-8)


@pytest.mark.parametrize(("aversion", "good"), [(0.0, True), (0.05, False)])
def test_a_law_that_vanishes_somewhere_has_no_logarithm(aversion, good):
    basis = Gegenbauer(2, 8)
    start = basis.analyze(1 + 1.0075 * basis.nodes)
    assert -1e-3 < basis.synthesize(start).min() < 0
    game = MeanFieldGame(basis, Kuramoto(0.4), 0.4, None, aversion)
    assert mean_field_path(game, start, 0.5, 16).converged == good


def test_refusals():
    check_refused(lambda: MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.5, None, jnp.nan), "aversion")
    game = MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.5, None, 0.1)
    check_refused(lambda: few_players(game, 2), "Kuramoto")
