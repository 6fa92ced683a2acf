"""Valid calls of games."""

import jax.numpy as jnp

from catalogue.entry import entry
from meanfield.games import Feedback, LinearQuadratic

GAME = LinearQuadratic(3, 2.0, 0.5, 0.1)
ROWS = jnp.array([[-1.0, 0.2], [0.0, 0.3], [1.3, 2.0]])
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
]
MADE_BY: dict[str, str] = {}
