"""Valid calls of games."""

import jax.numpy as jnp

from catalogue.entry import entry
from catalogue.things import SOFTMAX, W, X
from meanfield.games import Feedback, Kuramoto, LinearQuadratic, MeanFieldGame
from meanfield.harmonics import Gegenbauer

GAME = LinearQuadratic(3, 2.0, 0.5, 0.1)
ROWS = jnp.array([[-1.0, 0.2], [0.0, 0.3], [1.3, 2.0]])
CIRCLE = Gegenbauer(2, 6)
CROWD = MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.5)
ENTRIES = [
    entry("games.OpenLoop"),
    entry("games.Feedback"),
    entry("games.Planner"),
    entry(
        "games.LinearQuadratic",
        players=3,
        running=2.0,
        terminal=0.5,
        drift=0.1,
        kinds_={
            "players": "count",
            "running": "nonnegative",
            "terminal": "nonnegative",
            "drift": "real",
        },
    ),
    entry(
        "games.LinearQuadratic.gain",
        GAME.gain,
        t=jnp.array([0.3, 0.5]),
        horizon=1.0,
        play=Feedback(),
        kinds_={"t": "array", "horizon": "nonnegative", "play": "object"},
    ),
    entry(
        "games.LinearQuadratic.costs",
        GAME.costs,
        x0=ROWS,
        horizon=1.0,
        play=Feedback(),
        kinds_={"x0": "array", "horizon": "nonnegative", "play": "object"},
    ),
    entry("games.Kuramoto", kappa=0.7),
    entry("games.Kuramoto.__call__", Kuramoto(0.7).__call__, x=X, w=W, clouds_=(("x", "w"),)),
    entry(
        "games.crowd_aversion",
        running=1.0,
        noise=0.5,
        coupling=0.25,
        kinds_={"running": "positive", "noise": "positive", "coupling": "nonnegative"},
    ),
    entry(
        "games.MeanFieldGame",
        basis=CIRCLE,
        attention=SOFTMAX,
        noise=0.5,
        discount=2.0,
        kinds_={"noise": "positive", "discount": "positive"},
    ),
    entry(
        "games.MeanFieldGame.equilibrium",
        CROWD.equilibrium,
        slow_=True,
        guess=jnp.zeros(7).at[1].set(-0.5),
        single_=None,
        kinds_={"guess": "array"},
    ),
]
MADE_BY = {"games.MeanFieldEquilibrium": "games.MeanFieldGame.equilibrium"}
