import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float

from ..._checks import check_integer, check_known
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ._game import AbstractGame, Controls, check_controls

ENOUGH = 1e-6
"""The share of all costs that a player may at most gain by deviating in an equilibrium."""
_FACTORS = 16
"""Rounds in which the factor of a small change has to settle."""


class Equilibrium(AbstractShown):
    """Controls of all players, and what each could gain by another one.

    `controls` [N, ...]; `costs` [N]: who pays; `exploitability` [N], what each player would save by its best
    response to the controls of the others; `contraction`, the factor by which the changes of a round
    of best responses shrank, NaN if there were too few; `stability`, the factor by which a small change
    of all controls shrinks in a round of best responses in the long run: below 1 play that is perturbed
    comes back, above 1 it leaves; NaN for a planner, a leader, and what has not
    converged; `iterations`, the rounds. `converged`: for Nash equilibria, that the rounds came to rest and
    no player can save more than 1e-6 of the sum of all costs; for a planner, that the minimum was found.
    """

    controls: Controls
    costs: Float[Array, " players"]
    exploitability: Float[Array, " players"]
    contraction: Scalar
    stability: Scalar
    iterations: int
    converged: Bool[Array, ""]


@door
def nash(
    game: AbstractGame,
    x0: Float[Array, "..."],
    ts: Float[Array, " times"] | None = None,
    *,
    guess: Float[Array, "..."] | None = None,
    averaged: bool = False,
    rounds: int = 64,
    max_steps: int = 512,
) -> Equilibrium:
    """An open-loop Nash equilibrium, by best responses or fictitious play.

    In each round each player in turn finds its best response to the present controls of the others, by
    L-BFGS with adjoint gradients through the run, until a round changes nothing. In fictitious play
    (`averaged`) all at once answer the mean of what the others have done so far, until none can save
    more than `converged` allows: slower, as errors fall like a power of the round, but it also comes to rest
    where answers to answers grow by turning. At the end each player's best response is found once more,
    from its control and from beside it: what it would save is its `exploitability`.

    - `game`: such as `ConsensusGame(flows, running, terminal)`. `x0`, `ts`: the start and the times of
      the controls, as it says.
    - `guess`: controls to start from, by default none: of several equilibria, each has its own, and
      `equilibria` looks for them.
    - `rounds`: at most; `max_steps` of L-BFGS in each response. Where they do not suffice `converged`
      is False.

    Costs that have kinks in controls, as an unsquared distance has at 0, have bang-bang answers that
    this does not find. Raises ValueError under jit.
    Source: Liu and Nocedal (1989), doi:10.1007/BF01589116, for L-BFGS; Brown (1951) for fictitious play.
    """
    rounds = check_integer(rounds, "rounds")
    controls = start(game, x0, ts, guess)
    limit = check_integer(max_steps, "max_steps")
    play = _averaged if averaged else _in_turn
    controls, changes, scale, settled = play(game, controls, x0, ts, limit, rounds)
    rate = jnp.asarray(_contraction(changes, scale), controls.dtype)
    found = judged(game, controls, x0, ts, limit, rate, len(changes))
    enough = found.exploitability.max() <= ENOUGH * jnp.abs(found.costs).sum()
    good = found.converged & enough & settled
    factor = _stability(game, found, x0, ts, limit) if bool(good) else jnp.nan
    factor = jnp.asarray(factor, controls.dtype)
    return eqx.tree_at(lambda e: (e.stability, e.converged), found, (factor, good))


def _in_turn(game, controls, x0, ts, limit: int, rounds: int):
    """Controls after rounds of best responses, their changes, the size of all, and whether they rest."""
    still, changes, scale = float(jnp.finfo(controls.dtype).eps) ** 0.5, [], 1.0
    for _ in range(rounds):
        before, controls = controls, _answered(game, controls, x0, ts, limit)
        changes.append(float(jnp.abs(controls - before).max()))
        scale = max(float(jnp.abs(controls).max()), 1e-300)
        if not changes[-1] > still * scale:
            break
    return controls, changes, scale, changes[-1] <= still * scale


def _averaged(game, controls, x0, ts, limit: int, rounds: int):
    """The same by fictitious play: what is moved is the mean of all rounds, the start among them."""
    changes, each = [], range(len(controls))
    for k in range(rounds):
        still = jnp.zeros_like(controls[0])
        answers = [_answer(game, controls, x0, ts, jnp.asarray(i), limit, still) for i in each]
        saved = max(float(saving) for _, saving, _ in answers)
        if saved <= ENOUGH * float(jnp.abs(_costs(game, controls, x0, ts)).sum()):
            return controls, [], 1.0, True
        step = (jnp.stack([best for best, _, _ in answers]) - controls) / (k + 2)
        controls = controls + step
        changes.append(float(jnp.abs(step).max()))
    return controls, changes, 1.0, False


@door
def planner(
    game: AbstractGame,
    x0: Float[Array, "..."],
    ts: Float[Array, " times"] | None = None,
    *,
    guess: Float[Array, "..."] | None = None,
    max_steps: int = 1024,
) -> Equilibrium:
    """The controls that minimize the sum of all costs, by L-BFGS.

    Its `exploitability` says how tempted each player is to leave the plan.
    Arguments and what is raised as in `nash`.
    """
    controls = start(game, x0, ts, guess)
    limit = check_integer(max_steps, "max_steps")
    controls, ok = _plan(game, controls, x0, ts, limit)
    rate = jnp.asarray(jnp.nan, controls.dtype)
    found = judged(game, controls, x0, ts, limit, rate, 0)
    return eqx.tree_at(lambda e: e.converged, found, found.converged & ok)


def start(game: AbstractGame, x0, ts, guess) -> Controls:
    """Controls to begin with, once all that is needed is known to fit."""
    check_known((game, x0, ts, guess), "a game", "call it outside of jax.jit")
    blank = game.blank(x0, ts)
    if guess is None:
        return blank
    remedy = "start from the controls of another equilibrium, or leave out guess"
    return check_controls(guess, blank, "guess", remedy).astype(blank.dtype)


def minimized(cost, start, max_steps: int, adjoint=None):
    """A minimum of a smooth function near a start, by L-BFGS, and whether it was found."""
    tol = float(jnp.finfo(start.dtype).eps) ** 0.75
    method = optx.LBFGS(rtol=tol, atol=tol * 1e-3)
    adjoint = optx.ImplicitAdjoint() if adjoint is None else adjoint
    # Where jax has float64 the search keeps its memory so, whatever the precision of costs.
    wide, own = jnp.result_type(float), start.dtype
    # Costs are squares of controls: in these units games of any size are told from those at rest.
    scale = jnp.maximum(jnp.sqrt(jnp.abs(cost(start, None))), jnp.abs(start).max())
    unit = jax.lax.stop_gradient(jnp.where(scale > 0, scale, 1)).astype(wide)

    def widened(u, args):
        return cost((unit * u).astype(own), args).astype(wide) / unit**2

    begin = start.astype(wide) / unit
    ways = {"max_steps": max_steps, "throw": False, "adjoint": adjoint}
    found = optx.minimise(widened, method, begin, **ways)
    # Where no control is best, no step lowers the cost, and none is small against the control.
    rest = jnp.linalg.norm(found.state.f_info.grad) <= tol
    good = (found.result == optx.RESULTS.successful) | rest
    return (unit * found.value).astype(own), good


@eqx.filter_jit
def _answer(game: AbstractGame, controls: Controls, x0, ts, i, max_steps: int, beside: Array):
    """The best response of player i, what it saves, and whether it was found; searched from its control
    and what is `beside` it."""

    def cost(own, _):
        return _costs(game, controls.at[i].set(own), x0, ts)[i]

    best, ok = minimized(cost, controls[i] + beside, max_steps)
    return best, cost(controls[i], None) - cost(best, None), ok


def _answered(game: AbstractGame, controls: Controls, x0, ts, limit: int) -> Controls:
    """Controls after a round: each player in turn answers those of the others."""
    still = jnp.zeros_like(controls[0])
    for i in range(len(controls)):
        best = _answer(game, controls, x0, ts, jnp.asarray(i), limit, still)[0]
        controls = controls.at[i].set(best)
    return controls


def _stability(game: AbstractGame, found: "Equilibrium", x0, ts, limit: int) -> float:
    """The factor that a small change of all controls tends to, as in the power method: of the round
    where factors have settled, else the mean of the last eight."""
    controls, still = found.controls, float(jnp.finfo(found.controls.dtype).eps) ** 0.5
    scale = _scale(controls, found.costs)
    way = _some_way(controls)
    size = still ** (1 / 3) * scale * float(jnp.linalg.norm(way))
    # What a response may be off by, against what is moved: it is the error of a factor.
    error = 30 * still * scale * controls.size**0.5 / size
    factors: list[float] = []
    settled = lambda: abs(factors[-1] - factors[-2]) <= max(1e-3, error)
    while len(factors) < 2 or not (settled() or len(factors) >= _FACTORS):
        moved = controls + size * way / jnp.linalg.norm(way)
        way = _answered(game, moved, x0, ts, limit) - controls
        factors.append(float(jnp.linalg.norm(way)) / size)
        if not factors[-1] > error:
            return factors[-1]
    return factors[-1] if settled() else float(np.exp(np.log(factors[-8:]).mean()))


def _scale(controls: Controls, costs: Array) -> float:
    """The size of controls; costs are their squares."""
    return max(float(jnp.abs(controls).max()), float(jnp.abs(costs).max()) ** 0.5) or 1.0


def _some_way(controls: Controls) -> Controls:
    """A change of all controls that no game singles out."""
    return jnp.cos(1 + jnp.arange(controls.size, dtype=controls.dtype)).reshape(controls.shape)


@eqx.filter_jit
def _plan(game: AbstractGame, controls: Controls, x0, ts, max_steps: int):
    return minimized(lambda u, _: _costs(game, u, x0, ts).sum(), controls, max_steps)


@eqx.filter_jit
def _costs(game: AbstractGame, controls: Controls, x0, ts) -> Float[Array, " players"]:
    return game.costs(controls, x0, ts)


def judged(game, controls, x0, ts, limit: int, rate, count: int) -> Equilibrium:
    """Controls with what each player pays and could save; converged if all that was found out.

    At a maximum of a cost, or a saddle, no slope leads away from a control, but one beside it does.
    """
    costs = _costs(game, controls, x0, ts)
    beside = float(jnp.finfo(controls.dtype).eps) ** (1 / 6) * _scale(controls, costs)
    aside = beside * _some_way(controls)
    saved, ok = [], []
    for i in range(len(controls)):
        for way in (jnp.zeros_like(aside[i]), aside[i]):
            _, saving, found = _answer(game, controls, x0, ts, jnp.asarray(i), limit, way)
            saved.append(saving)
            ok.append(found)
    most = jnp.maximum(jnp.stack(saved).reshape(len(controls), 2).max(axis=1), 0)
    # A search from beside that does not end has at most found too little.
    good = jnp.stack(ok[::2]).all() & jnp.isfinite(costs).all()
    none = jnp.asarray(jnp.nan, controls.dtype)
    return Equilibrium(controls, costs, most, rate, none, count, good)


def _contraction(changes: list[float], scale: float) -> float:
    """The mean factor of changes that rounding and the tolerance of the responses leave alone."""
    clear = [change for change in changes if change > 1e-5 * scale]
    ratios = np.array(clear[2:]) / np.array(clear[1:-1]) if len(clear) > 2 else np.array([])
    return float(np.exp(np.log(ratios).mean())) if ratios.size else float("nan")
