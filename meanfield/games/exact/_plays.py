import abc

from ..._door import AbstractChecked


class AbstractPlay(AbstractChecked):
    """What the players of a game know of each other, or whether somebody plans for all.

    In a `LinearQuadratic` game it says how much of its own cost a player feels when it moves, and how
    much of its gain comes back to it in the Riccati equation.
    """

    EXAMPLE = "OpenLoop()"

    @abc.abstractmethod
    def felt(self, players: int) -> float:
        """The share of the distance to the barycenter, which moves along, that a player feels."""

    @abc.abstractmethod
    def returned(self, players: int) -> float:
        """The factor of P^2 in the Riccati equation."""


class OpenLoop(AbstractPlay):
    """Players who choose their controls as functions of time, once for all: open-loop Nash."""

    def felt(self, players: int) -> float:
        return 1 - 1 / players

    def returned(self, players: int) -> float:
        return 1.0


class Feedback(AbstractPlay):
    """Players who choose their controls as functions of time and state: feedback, or Markov, Nash.

    Each knows that the others will answer, and does less: gains are smaller than in open loop.
    """

    def felt(self, players: int) -> float:
        return 1 - 1 / players

    def returned(self, players: int) -> float:
        return 1 + 1 / players


class Planner(AbstractPlay):
    """One planner who minimizes the sum of all costs."""

    def felt(self, players: int) -> float:
        return 1.0

    def returned(self, players: int) -> float:
        return 1.0
