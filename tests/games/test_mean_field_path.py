"""Games of finite horizon against Cole and Hopf, linear theory about the uniform law, and the turnpike."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.linalg import expm

from meanfield.attention import Sinkhorn, Softmax
from meanfield.games import Kuramoto, MeanFieldGame, fictitious_play, mean_field_path
from meanfield.games.meanfield._fictitious_play import _forward
from meanfield.games.meanfield._horizon import posed
from meanfield.harmonics import Gegenbauer

NOISE, END = 0.4, 1.5
CIRCLE = Gegenbauer(2, 8)
COS = CIRCLE.nodes  # polar cosines


@cache
def alone(steps):
    """Players who do not feel each other, with a cost at the end whose exponential is 1 + .4 cos."""
    game = MeanFieldGame(CIRCLE, Kuramoto(0.0), NOISE)
    end = CIRCLE.analyze(-2 * NOISE * jnp.log(1 + 0.4 * COS))
    return mean_field_path(game, CIRCLE.analyze(1 + 0.3 * COS), END, steps, terminal=end)


def exact(t):
    """V = -2 noise log phi, m = phi psi: phi obeys the heat equation backward, psi forward."""
    heat = lambda f, time: CIRCLE.synthesize(CIRCLE.heat(CIRCLE.analyze(f), NOISE * time))
    phi = lambda time: heat(1 + 0.4 * COS, END - time)
    psi = heat((1 + 0.3 * COS) / phi(0.0), t)
    return CIRCLE.analyze(-2 * NOISE * jnp.log(phi(t))), CIRCLE.analyze(phi(t) * psi)


def test_cole_and_hopf():
    """Each step halved leaves a quarter of the errors; and so of what players could gain."""
    errors = []
    for steps in (8, 16):
        found = alone(steps)
        assert found.converged
        middle = exact(END / 2)
        off = [np.abs(found.value[steps // 2] - middle[0]).max(),
               np.abs(found.density[steps // 2] - middle[1]).max(),
               np.abs(found.density[-1] - exact(END)[1]).max(),
               abs(float(found.exploitability))]  # fmt: skip
        errors.append(np.array(off))
        np.testing.assert_allclose(found.density[:, 0], 1, atol=1e-12)
    # The next term of the expansion is (noise lambda step)^2/20 of the first.
    np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.1)
    assert errors[1].max() < 1e-3
    # What players pay is what they expect.
    expected = float(exact(0.0)[0] @ CIRCLE.analyze(1 + 0.3 * COS))
    assert alone(16).cost == pytest.approx(expected, abs=1e-3)


def test_steps_that_do_not_resolve_a_discount_have_not_converged():
    """Rates of 1e6 within steps of .05: what is paid in the first alone is wrong by a factor of 1e5."""
    game = MeanFieldGame(CIRCLE, Kuramoto(0.45), NOISE, 1e6)
    found = mean_field_path(game, CIRCLE.analyze(1 + 0.3 * COS), END, 32)
    assert not found.converged and abs(found.exploitability) > 0.9 * abs(found.cost)


@pytest.mark.parametrize(("discount", "steps"), [(None, 16), (2.0, 32)])
def test_linear_theory(discount, steps):
    """Of degree one about the uniform law: v' = (r + noise) v + s W m, m' = -v - noise m."""
    kappa, small = 0.45, 1e-5
    game = MeanFieldGame(CIRCLE, Kuramoto(kappa), NOISE, discount)
    start = CIRCLE.analyze(1 + small * COS)
    found = mean_field_path(game, start, END, steps)
    assert found.converged
    r, s = (0.0, 1.0) if discount is None else (discount, discount)
    linear = np.array([[r + NOISE, s * kappa / 2], [-1.0, -NOISE]])
    # v(0) such that v(END) = 0.
    one = expm(END * linear)
    first = -one[0, 1] / one[0, 0]
    path = [expm(t * linear) @ [first, 1.0] for t in np.asarray(found.ts)]
    ours = np.stack([found.value[:, 1], found.density[:, 1]], axis=1) / float(start[1])
    # Rates up to r + noise: (rate step)^2/12 of what is there, and small^2.
    close = ((r + NOISE) * END / steps) ** 2 / 12 * 3
    np.testing.assert_allclose(ours, path, atol=close)
    # About a half of the start is left at the end: not what diffusion alone leaves.
    alone = np.exp(-NOISE * END)
    assert abs(path[-1][1] - alone) > 20 * close


def test_what_is_paid_is_discounted_as_what_is_expected():
    """Up to (r step)^2/12 = 7e-4 of it, and as much of what else changes."""
    game = MeanFieldGame(CIRCLE, Kuramoto(0.6), NOISE, 2.0)
    found = mean_field_path(game, CIRCLE.analyze(1 + 0.3 * COS), END, 32)
    assert found.converged and abs(found.exploitability) < 0.0025 * abs(found.cost)


@cache
def played(kappa, planner, steps=16):
    game = MeanFieldGame(CIRCLE, Kuramoto(kappa), NOISE)
    found = mean_field_path(game, CIRCLE.analyze(1 + 0.3 * COS), END, steps, planner=planner)
    assert found.converged
    return found


def test_a_planner_lets_each_pair_count_twice():
    """Its players are those of 2 kappa; what they are made to feel is not paid twice."""
    best, pulled, alone = played(0.4, True), played(0.8, False), played(0.4, False)
    np.testing.assert_allclose(best.value, pulled.value, atol=1e-9)
    np.testing.assert_allclose(best.density, pulled.density, atol=1e-9)
    gained = np.trapezoid(0.4 * np.asarray(best.order) ** 2, best.ts)
    assert best.cost == pytest.approx(float(pulled.cost) + gained, abs=1e-9)
    assert best.exploitability == pytest.approx(float(pulled.exploitability), abs=1e-9)
    assert best.cost < alone.cost - 1e-4
    still = played(0.0, True)  # without interaction nobody needs a planner
    np.testing.assert_allclose(still.value, played(0.0, False).value, atol=1e-12)


def total(game, value, start, ts):
    """What all pay who follow these values, from the laws that follow, and the same rule in time."""
    problem = posed(game, start, ts[-1], len(ts) - 1, None, False)
    laws = _forward(problem, value)
    gain = 0.4 * jax.vmap(lambda m: m[1] ** 2 / 2)(laws)
    return problem.over_time(jax.vmap(problem.effort)(value, laws) - gain).sum()


@pytest.mark.slow
def test_a_planner_is_stationary_for_what_all_pay():
    """Along another control, up to step^2; Nash is not."""
    game, start = MeanFieldGame(CIRCLE, Kuramoto(0.4), NOISE), CIRCLE.analyze(1 + 0.3 * COS)
    slopes = []
    for steps in (16, 32):
        best = played(0.4, True, steps)
        bump = (1 - best.ts / END)[:, None] * CIRCLE.analyze(COS + COS**2)
        change = lambda value, ts=best.ts, bump=bump: jax.jvp(
            lambda v: total(game, v, start, ts), (value,), (bump,)
        )[1]
        assert best.cost == pytest.approx(float(total(game, best.value, start, best.ts)), abs=1e-10)
        slopes.append(float(change(best.value)))
        if steps == 16:
            alone = float(change(played(0.4, False).value))
    assert slopes[0] / slopes[1] == pytest.approx(4, rel=0.2)
    assert abs(alone) > 20 * abs(slopes[0])


@pytest.mark.slow
def test_a_planner_of_softmax_is_stationary_too():
    """Whose cost is no sum over pairs: for what all pay, which is said without its derivative."""
    game = MeanFieldGame(CIRCLE, Softmax(2.0), NOISE, 1.0, 0.1)
    start, slopes = CIRCLE.analyze(1 + 0.3 * COS), []
    for planner, steps in ((True, 16), (True, 32), (False, 16)):
        best = mean_field_path(game, start, END, steps, planner=planner)
        assert best.converged
        problem = posed(game, start, END, steps, None, False)
        bump = (1 - best.ts / END)[:, None] * CIRCLE.analyze(COS + COS**2)

        def pay(value, problem=problem):
            laws = _forward(problem, value)
            rates = jax.vmap(problem.effort)(value, laws) + jax.vmap(problem.shared)(laws)
            return problem.over_time(rates).sum()

        slopes.append(float(jax.jvp(pay, (best.value,), (bump,))[1]))
    assert slopes[0] / slopes[1] == pytest.approx(4, rel=0.2)
    assert abs(slopes[2]) > 10 * abs(slopes[0])


def test_a_planner_who_has_arrived_stays():
    game = MeanFieldGame(CIRCLE, Kuramoto(0.5), 0.7, None, -0.05)
    still = game.planner()
    assert still.converged and still.order > 0.3
    found = mean_field_path(game, still.density, 1.0, 16, terminal=still.value, planner=True)
    assert found.converged
    np.testing.assert_allclose(found.density[8], still.density, atol=1e-8)
    np.testing.assert_allclose(found.value[0, 1:], still.value[1:], atol=1e-8)
    assert found.cost == pytest.approx(float(still.cost + still.value @ still.density), abs=1e-8)


def test_a_planner_is_better_than_nash_or_told():
    """From rest Newton's method ends at -.627 for kappa = 1, from Nash's path at more than Nash for both."""
    start = CIRCLE.analyze(1 + 0.3 * COS)
    for kappa in (0.6, 1.0):
        problem = MeanFieldGame(CIRCLE, Kuramoto(kappa), 0.5), start, 8.0, 16
        alone, best = (mean_field_path(*problem, planner=planner) for planner in (False, True))
        assert alone.converged and best.cost < alone.cost
        poor = mean_field_path(*problem, planner=True, guess=alone.value)
        assert poor.residual < 1e-9 and poor.cost > alone.cost and not poor.converged
        good = mean_field_path(*problem, planner=True, guess=best.value)
        # The same path, and the degree that it needs.
        assert good.converged == best.converged == (kappa == 0.6)
        np.testing.assert_allclose(good.value, best.value, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [0.6, 1.0])
def test_a_planner_is_better_than_players_who_learn_longer(kappa):
    start = CIRCLE.analyze(1 + 0.3 * COS)
    problem = MeanFieldGame(CIRCLE, Kuramoto(kappa), 0.5), start, 8.0, 16
    best = mean_field_path(*problem, planner=True).cost
    assert best < fictitious_play(*problem, planner=True, rounds=100).path.cost


@pytest.mark.slow
@pytest.mark.parametrize("planner", [False, True])
def test_the_turnpike(planner):
    """In the middle of a long game players stand as in the stationary equilibrium."""
    game = MeanFieldGame(Gegenbauer(2, 14), Kuramoto(0.5 if planner else 1.0), 0.5)
    still = game.planner() if planner else game.equilibrium()
    start = game.basis.analyze(1 + 0.5 * game.basis.nodes)
    found = mean_field_path(game, start, 16.0, 48, planner=planner)
    assert found.converged
    # The slowest mode closes in at a rate of about one from both ends: some e^-8 is left.
    np.testing.assert_allclose(found.density[24], still.density, atol=4e-3)
    np.testing.assert_allclose(found.value[24, 1:], still.value[1:], atol=4e-3)
    # The mean of V falls by the cost in unit time, that of 2 kappa by a planner.
    rate = (found.value[26, 0] - found.value[22, 0]) / (found.ts[26] - found.ts[22])
    felt = still.cost - 0.5 * still.order**2 if planner else still.cost
    assert -rate == pytest.approx(float(felt), abs=4e-3)
    assert abs(found.exploitability) < 1e-3 * abs(found.cost)


@pytest.mark.slow
def test_doubly_stochastic_players_need_no_planner_on_their_way():
    game = MeanFieldGame(CIRCLE, Sinkhorn(2.0), NOISE)
    alone, best = (
        mean_field_path(game, CIRCLE.analyze(1 + 0.3 * COS), END, 16, planner=planner)
        for planner in (False, True)
    )
    assert alone.converged and best.converged and abs(alone.cost) > 1e-4
    np.testing.assert_allclose(best.density, alone.density, atol=1e-9)
    np.testing.assert_allclose(best.value, alone.value, atol=1e-9)
    assert best.cost == pytest.approx(float(alone.cost), abs=1e-9)


def test_refusals():
    game = MeanFieldGame(CIRCLE, Kuramoto(0.5), NOISE)
    check_refused(lambda: mean_field_path(game, jnp.ones(3), 1.0), "start of shape")
    check_refused(lambda: mean_field_path(game, jnp.zeros(9), 1.0), "mass 1")
    with pytest.raises(ValueError, match="fewer steps"):
        mean_field_path(game, jnp.zeros(9).at[0].set(1), 1.0, 1000)
