"""Players on the circle who see each other: two by Mathieu's equation, three by their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import mathieu_a

from meanfield.attention import Softmax, Unnormalized
from meanfield.games import Kuramoto, MeanFieldGame, few_players
from meanfield.harmonics import Gegenbauer

CIRCLE = Gegenbauer(2, 20)
NOISE = 0.5


def test_two_players_are_a_pendulum():
    """E = 2 noise v'' - (3/2) v'^2 - kappa cos, Mathieu's for v = -(4 noise/3) log psi."""
    found = few_players(MeanFieldGame(CIRCLE, Kuramoto(1.0), NOISE), 2, points=25)
    exact = 2 * NOISE**2 / 3 * mathieu_a(0, 3 / (4 * NOISE**2))
    assert found.converged
    assert found.cost == pytest.approx(exact, abs=1e-9)
    np.testing.assert_allclose(found.value.mean(), 0, atol=1e-12)
    weak = few_players(MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.01), 2, points=25)
    assert not weak.converged  # V has more harmonics than that


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
