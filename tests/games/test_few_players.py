"""Players on the circle who see each other: two by Mathieu's equation, three by their own."""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest
from refusals import check_refused
from scipy.special import mathieu_a, mathieu_cem

from meanfield.attention import Softmax, Unnormalized
from meanfield.games import Kuramoto, MeanFieldGame, few_players
from meanfield.games.meanfield._few_players import _flow, _highest, _pull, _rate, _Torus
from meanfield.harmonics import Fourier, Gegenbauer

CIRCLE = Gegenbauer(2, 20)
NOISE = 0.5


def test_two_players_are_a_pendulum():
    """E = 2 noise v'' - (3/2) v'^2 - kappa cos, Mathieu's for v = -(4 noise/3) log psi."""
    found = few_players(MeanFieldGame(CIRCLE, Kuramoto(1.0), NOISE), 2, points=25)
    exact = 2 * NOISE**2 / 3 * mathieu_a(0, 3 / (4 * NOISE**2))
    assert found.converged
    assert found.cost == pytest.approx(exact, abs=1e-9)
    assert (
        found.iterations >= 2 * 4
    )  # of all stages, each of which moves and then sees that it stays
    np.testing.assert_allclose(found.value.mean(), 0, atol=1e-12)
    # y' = -2 v' dt + sqrt(4 noise) dB: the law is e^{-v/noise}, psi to the power 4/3.
    angle = 2 * np.pi * np.arange(25) / 25
    psi, slope = mathieu_cem(0, 3 / (4 * NOISE**2), np.rad2deg((angle - np.pi) / 2))
    law = psi ** (4 / 3) / np.mean(psi ** (4 / 3))
    np.testing.assert_allclose(found.law, law, atol=1e-7)
    assert found.together == pytest.approx(np.mean(law * np.cos(angle)), abs=1e-8)
    control = 2 * NOISE / 3 * slope / psi  # by angles half as wide
    assert found.effort == pytest.approx(np.mean(law * control**2) / 2, abs=1e-8)
    weak = few_players(MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.01), 2, points=25)
    assert not weak.converged  # V has more harmonics than that
    near = few_players(MeanFieldGame(CIRCLE, Kuramoto(1e6), 1.0), 2, points=25)
    assert not near.converged  # and the law, which is then between two nodes


@pytest.mark.parametrize("basis", [CIRCLE, Fourier(20)], ids=["zonal", "full"])
def test_the_pull_is_that_of_a_pair(basis):
    pull = _pull(MeanFieldGame(basis, Unnormalized(2.0), NOISE), 7)
    exact = np.exp(2 * np.cos(2 * np.pi * np.arange(7) / 7)) / 2
    np.testing.assert_allclose(pull, exact - np.i0(2) / 2, rtol=1e-12, atol=1e-12)


def test_a_player_of_three_pays_for_two():
    """V = cos(y + 2 z): what 2 sees of 1 and 3 is -y, z - y, and what 3 sees of 2 and 1 is y - z, -z."""
    torus, angle = _Torus(2, 7), 2 * np.pi * np.arange(7) / 7
    y, z = np.meshgrid(angle, angle, indexing="ij")
    pull, own = np.cos(angle), lambda y, z: -3 * np.sin(y + 2 * z)
    exact = -(own(y, z) ** 2) / 2 - (np.cos(y) + np.cos(z)) / 2
    exact = exact - np.sin(y + 2 * z) * (own(-y, z - y) + 2 * own(y - z, -z))
    found = _rate(torus, jnp.asarray(pull), jnp.asarray(np.cos(y + 2 * z)))
    np.testing.assert_allclose(found, exact, atol=1e-13)


def test_the_law_of_three_is_carried_by_all():
    """noise Lap U - |grad U|^2 + noise div b - b grad U of U = cos(y + 2 z), where b = a_j - a_1 and the
    control is sin(2 y + z); gradients are those of all three players."""
    torus, angle = _Torus(2, 11), 2 * np.pi * np.arange(11) / 11
    y, z = np.meshgrid(angle, angle, indexing="ij")
    own, way = np.sin(2 * y + z), -np.sin(y + 2 * z)
    first, second = np.sin(z - 3 * y) - own, np.sin(2 * y - 3 * z) - own
    spread = -3 * np.cos(z - 3 * y) - 3 * np.cos(2 * y - 3 * z) - 3 * np.cos(2 * y + z)
    exact = NOISE * spread - way * first - 2 * way * second - (1 + 4 + 9) * way**2
    found = _flow(torus, jnp.asarray(NOISE), jnp.asarray(own), jnp.asarray(np.cos(y + 2 * z)))
    np.testing.assert_allclose(found, exact, atol=1e-12)


def test_the_last_two_frequencies_are_the_highest():
    found = np.abs(np.fft.fftfreq(9, 1 / 9))[_highest(_Torus(1, 9))]
    np.testing.assert_array_equal(found, [3, 4, 4, 3])


def test_a_search_that_says_too_soon_that_it_is_done_is_told(monkeypatch):
    newton = optx.Newton
    monkeypatch.setattr(optx, "Newton", lambda **options: newton(**{**options, "atol": 1.0}))
    found = few_players(MeanFieldGame(CIRCLE, Kuramoto(0.5), 1.0), 2, points=9)
    assert found.residual > 1e-4 and not found.converged


@pytest.mark.slow
def test_three_players_obey_their_equation():
    """Off the nodes, with derivatives by jax of V as a series: each controls by its own V alone."""
    beta, noise, points = 1.0, 0.9, 17
    found = few_players(MeanFieldGame(CIRCLE, Unnormalized(beta), noise), 3, points=points)
    assert found.converged
    waves = jnp.asarray(np.fft.fftfreq(points, 1 / points))
    hat = jnp.fft.fft2(found.value) / points**2

    def value(j, x):
        seen = jnp.delete(x, j) - x[j]
        first, second = (jax.lax.complex(jnp.cos(waves * y), jnp.sin(waves * y)) for y in seen)
        return (first @ hat @ second).real

    def cost(x):
        control = [-jax.grad(lambda x, j=j: value(j, x))(x)[j] for j in range(3)]
        slope = jax.grad(lambda x: value(0, x))(x)
        laplacian = jnp.trace(jax.hessian(lambda x: value(0, x))(x))
        pull = lambda y: jnp.exp(beta * jnp.cos(y)) / beta
        near = (pull(x[1] - x[0]) + pull(x[2] - x[0])) / 2
        others = control[1] * slope[1] + control[2] * slope[2]
        return noise * laplacian - slope[0] ** 2 / 2 + others - near

    angles = np.random.default_rng(0).uniform(0, 6, (5, 3))
    rates = jax.vmap(cost)(jnp.asarray(angles))
    flat = jnp.exp(beta * jnp.cos(jnp.linspace(0.0, 2 * jnp.pi, 65)[:-1])).mean() / beta
    # Harmonics beyond the eighth are some 1e-8 of V, 64 times that in its Laplacian.
    np.testing.assert_allclose(rates + flat, found.cost, atol=1e-6)
    # The law has no part in the cost: what is paid under it, from what player 1 does and sees.
    y = (2 * np.pi * np.arange(points) / points)[:, None]
    near = (np.exp(beta * np.cos(y)) / beta - float(flat)) * np.asarray(found.law)
    assert found.effort - near.mean() == pytest.approx(float(found.cost), abs=1e-6)
    np.testing.assert_allclose(found.law, found.law.T, atol=1e-9)


def test_refusals():
    game = MeanFieldGame(CIRCLE, Kuramoto(1.0), NOISE)
    check_refused(lambda: few_players(game, 1), "players=2")
    check_refused(lambda: few_players(game, 9), "fewer points")
    check_refused(lambda: few_players(game, 2, points=16), "pass 17")
    for other in (
        MeanFieldGame(CIRCLE, Kuramoto(1.0), NOISE, 2.0),
        MeanFieldGame(CIRCLE, Softmax(1.0), NOISE),
        MeanFieldGame(Gegenbauer(3, 4), Kuramoto(1.0), NOISE),
    ):
        check_refused(lambda other=other: few_players(other, 2), "Kuramoto")
