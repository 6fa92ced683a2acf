"""Games of finite horizon against Cole and Hopf, linear theory about the uniform law, and the turnpike."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.linalg import expm

from meanfield.games import Kuramoto, MeanFieldGame, mean_field_path
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
    """Rates of 1e6 within steps of .2: what is paid in the first alone is wrong by a factor of 1e5."""
    game = MeanFieldGame(CIRCLE, Kuramoto(0.45), NOISE, 1e6)
    found = mean_field_path(game, CIRCLE.analyze(1 + 0.3 * COS), END, 8)
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


@pytest.mark.slow
def test_the_turnpike():
    """In the middle of a long game players stand as in the stationary equilibrium."""
    game = MeanFieldGame(Gegenbauer(2, 14), Kuramoto(1.0), 0.5)
    still = game.equilibrium()
    start = game.basis.analyze(1 + 0.5 * game.basis.nodes)
    found = mean_field_path(game, start, 16.0, 48)
    assert found.converged
    # The slowest mode closes in at a rate of about one from both ends: some e^-8 is left.
    np.testing.assert_allclose(found.density[24], still.density, atol=4e-3)
    np.testing.assert_allclose(found.value[24, 1:], still.value[1:], atol=4e-3)
    # The mean of V falls by the cost in unit time.
    rate = (found.value[26, 0] - found.value[22, 0]) / (found.ts[26] - found.ts[22])
    assert -rate == pytest.approx(float(still.cost), abs=4e-3)
    assert abs(found.exploitability) < 1e-3 * abs(found.cost)


def test_refusals():
    game = MeanFieldGame(CIRCLE, Kuramoto(0.5), NOISE)
    check_refused(lambda: mean_field_path(game, jnp.ones(3), 1.0), "start of shape")
    check_refused(lambda: mean_field_path(game, jnp.zeros(9), 1.0), "mass 1")
    with pytest.raises(ValueError, match="fewer steps"):
        mean_field_path(game, jnp.zeros(9).at[0].set(1), 1.0, 1000)
