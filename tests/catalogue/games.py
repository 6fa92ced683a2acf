"""Valid calls of games."""

import jax.numpy as jnp

from catalogue.entry import entry
from catalogue.things import KEY, SOFTMAX, TS, W, X
from meanfield.attention import Unnormalized
from meanfield.dynamics import AttentionFlow, Drift
from meanfield.energies import Interaction
from meanfield.games import (
    ConsensusGame,
    Feedback,
    Kuramoto,
    LinearQuadratic,
    MeanFieldGame,
    OneShot,
    Quantiles,
    UnequalLinearQuadratic,
)
from meanfield.geometry import Euclidean
from meanfield.harmonics import Gegenbauer

GAME = LinearQuadratic(3, 2.0, 0.5, 0.1)
UNEQUAL = UnequalLinearQuadratic(
    jnp.array([1.0, 3.0, 0.0]), jnp.array([0.5, 0.0, 2.0]), jnp.array([0.5, 0.2, 0.3])
)
ROWS = jnp.array([[-1.0, 0.2], [0.0, 0.3], [1.3, 2.0]])
CIRCLE = Gegenbauer(2, 6)
CROWD = MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.5)
HORIZON = {
    "game": CROWD,
    "start": jnp.zeros(7).at[0].set(1.0).at[1].set(0.2),
    "horizon": 0.5,
    "steps": 3,
    "terminal": jnp.zeros(7).at[1].set(-0.1),
}
STILL = Drift(Euclidean(1), jnp.zeros_like)
STEERED = ConsensusGame([STILL] * 2, 1.0, 1.0)
LINES = jnp.array([[[-1.0], [0.2]], [[0.5], [1.3]]])
TWO = {"x0": ROWS, "single_": None, "slow_": True, "kinds_": {"x0": "points", "ts": None}}
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
        kinds_={"running": "nonnegative", "terminal": "nonnegative"},
    ),
    entry(
        "games.LinearQuadratic.gain",
        GAME.gain,
        t=jnp.array([0.3, 0.5]),
        horizon=1.0,
        play=Feedback(),
        kinds_={"t": "array", "horizon": "nonnegative"},
    ),
    entry(
        "games.LinearQuadratic.costs",
        GAME.costs,
        x0=ROWS,
        horizon=1.0,
        play=Feedback(),
        kinds_={"x0": "array", "horizon": "nonnegative"},
    ),
    entry(
        "games.UnequalLinearQuadratic",
        running=jnp.array([1.0, 3.0, 0.0]),
        terminal=jnp.array([0.5, 0.0, 2.0]),
        shares=jnp.array([0.5, 0.2, 0.3]),
        drift=0.1,
        kinds_={"running": "array", "terminal": "array", "shares": "array"},
    ),
    entry(
        "games.UnequalLinearQuadratic.costs",
        UNEQUAL.costs,
        slow_=True,
        x0=ROWS,
        horizon=1.0,
        play=Feedback(),
        kinds_={"x0": "array", "horizon": "positive"},
    ),
    entry("games.Kuramoto", kappa=0.7),
    entry("games.Kuramoto.__call__", Kuramoto(0.7).__call__, x=X, w=W, clouds_=(("x", "w"),)),
    entry(
        "games.crowd_aversion",
        running=1.0,
        noise=0.5,
        coupling=0.25,
        kinds_={"running": "positive", "noise": "positive"},
    ),
    entry(
        "games.MeanFieldGame",
        basis=CIRCLE,
        attention=SOFTMAX,
        noise=0.5,
        discount=2.0,
        aversion=0.1,
        kinds_={"noise": "positive"},
    ),
    entry(
        "games.MeanFieldGame.equilibrium",
        CROWD.equilibrium,
        slow_=True,
        guess=jnp.zeros(7).at[1].set(-0.5),
        single_=None,
    ),
    entry(
        "games.mean_field_path",
        slow_=True,
        **HORIZON,
        guess=jnp.zeros((4, 7)),
        fine_={("guess", "NaN under jit")},  # its last row, for which `terminal` stands
        single_=None,
        kinds_={
            "game": "object",
            "horizon": "positive",
            "start": "array",
            "terminal": "array",
            "guess": "array",
        },
    ),
    entry(
        "games.fictitious_play",
        slow_=True,
        **HORIZON,
        rounds=20,
        single_=None,
        kinds_={
            "game": "object",
            "horizon": "positive",
            "start": "array",
            "terminal": "array",
        },
    ),
    entry(
        "games.few_players",
        slow_=True,
        game=CROWD,
        players=2,
        points=9,
        kinds_={"game": "object", "points": "count"},
    ),
    entry(
        "games.steer",
        slow_=True,
        flow=AttentionFlow(Euclidean(1), Unnormalized(0.3)),
        where=lambda flow: flow.attention.beta,
        terminal=lambda x: jnp.sum(x**2),
        x0=LINES[0],
        ts=TS,
        effort=2.0,
        steps=1,
        max_steps=20,
        single_=None,
        kinds_={"terminal": "function"},
    ),
    entry("games.Quantiles"),
    entry("games.Means"),
    entry("games.Matched"),
    entry("games.OneShot", weight=4.0),
    entry("games.nash", game=OneShot(4.0), rounds=3, max_steps=20, **TWO),
    entry(
        "games.equilibria",
        game=OneShot(4.0),
        key=KEY,
        starts=2,
        size=0.5,
        rounds=3,
        max_steps=20,
        **{**TWO, "kinds_": {**TWO["kinds_"], "size": "positive", "starts": "count"}},
    ),
    entry("games.prices", game=OneShot(4.0), rounds=3, max_steps=20, **TWO),
    entry("games.planner", game=OneShot(4.0), max_steps=20, **TWO),
    entry("games.stackelberg", game=OneShot(4.0), leader=1, max_steps=20, **TWO),
    entry(
        "games.ConsensusGame",
        flows=[AttentionFlow(Euclidean(1), Unnormalized(0.3))] * 2,
        running=1.0,
        terminal=0.5,
        discord=Quantiles(),
        interests=Interaction(1.0),
        terminal_interests=[Interaction(1.0), None],
        where=lambda flow: flow.attention.beta,
        effort=jnp.array([1.0, 2.0]),
        constant=True,
        steps=1,
        kinds_={
            "running": "nonnegative",
            "terminal": "nonnegative",
            "discord": None,
            "interests": "function",
            "terminal_interests": "function",
            "effort": "array",
            "constant": None,
        },
        fine_={("interests", "a function of text"), ("terminal_interests", "a function of text")},
    ),
    entry(
        "games.pontryagin_residual",
        slow_=True,
        game=STEERED,
        controls=0.1 * jnp.ones((2, 3, 2, 1)),
        x0=LINES,
        ts=TS,
        single_=None,
        kinds_={"game": "object", "x0": "array"},
    ),
]
