"""The plays of an exact game, by name."""

from ...games.exact import AbstractPlay, Feedback, OpenLoop, Planner

PLAYS: dict[str, AbstractPlay] = {
    "open loop": OpenLoop(),
    "feedback": Feedback(),
    "planner": Planner(),
}
