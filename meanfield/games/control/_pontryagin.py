import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, check_known
from ..._door import door
from ..._typing import Scalar
from ..equilibrium import check_controls
from ._consensus_game import ConsensusGame


@door
def pontryagin_residual(
    game: ConsensusGame,
    controls: Float[Array, "_ _ *_"],
    x0: Float[Array, "_ _ _"],
    ts: Float[Array, " _"],
    *,
    planned: bool = False,
) -> Float[Array, " models"]:
    """How far the control of each model is from the maximum principle: |u_i + p_i|/|u_i|.

        u_i = -p_i,    -p_i' = (d flow_i/dx)^T p_i + (running/2) dD_i/dx_i + dE_i/dx_i

    with p_i = (terminal/2) dD_i/dx_i + dF_i/dx_i at the end; where effort is weighed, p_i over its weight,
    and where numbers of a flow are steered, (d flow_i/du_i)^T p_i in place of p_i. Norms are those of L2 in
    time and tokens. The costate p_i is found on times twice as dense, so that controls which are best among
    those linear between `ts` leave what their kinks cost, of order h^2: a certificate of the discretization
    as well as of the search. In a Nash equilibrium each model's is small, with `planned=True`, where all
    bear all costs, in a planner's optimum.

    - `game`, `controls`, x0, ts: as in `nash(game, x0, ts)`, which finds the controls.

    Of a model without any control it is infinite, or NaN if there is nothing to gain. Raises ValueError
    under jit.
    Source: Pontryagin, Boltyanskii, Gamkrelidze, Mishchenko (1962); in Wasserstein space Bonnet and
    Rossi (2019), doi:10.1007/s00526-019-1534-2.
    """
    check_known((game, controls, x0, ts), "a game", "call it outside of jax.jit")
    ts, remedy = check_finite(ts, "ts"), "pass the controls of nash(game, x0, ts)"
    controls = check_controls(controls, game.blank(x0, ts), remedy=remedy)
    return _residual(game, controls, x0, ts, planned)


@eqx.filter_jit
def _residual(game, controls, x0, ts, planned: bool) -> Float[Array, " models"]:
    fine, times = denser(controls.swapaxes(0, 1), ts)
    fine = fine.swapaxes(0, 1)
    effort = game.effort.astype(fine.dtype)
    price = effort / x0.shape[1] if game.where is None else effort

    def squares(i):
        def cost(own):
            costs = game.costs(fine.at[i].set(own), x0, times)
            return costs.sum() if planned else costs[i]

        row = lambda a: a.reshape(len(a), -1)
        return norms(row(jax.grad(cost)(fine[i])) / price[i], row(fine[i]), times)

    off, size = jax.lax.map(squares, jnp.arange(len(fine)))
    return jnp.sqrt(off / size)


def denser(u: Float[Array, "times ..."], ts: Float[Array, " _"]) -> tuple[Array, Array]:
    """Controls and times with one more between each two; a constant control has one row, and stays."""
    if len(u) == 1:
        return u, ts
    return interlaced(u, (u[1:] + u[:-1]) / 2), interlaced(ts, (ts[1:] + ts[:-1]) / 2)


def norms(
    slope: Float[Array, "rows k"], u: Float[Array, "rows k"], ts: Float[Array, " times"]
) -> tuple[Scalar, Scalar]:
    """The squares in L2 of time of u + p and of u, from the slope of a cost, which pays for |u|^2/2."""
    matrix = masses(ts) if len(u) > 1 else (ts[-1] - ts[0])[None, None]
    # In the basis of hats the derivative is the mass matrix times u + p.
    off = jnp.linalg.solve(matrix, slope)
    return jnp.sum(off * (matrix @ off)), jnp.sum(u * (matrix @ u))


def interlaced(a: Float[Array, "times ..."], b: Float[Array, "_ ..."]) -> Float[Array, "_ ..."]:
    """a_0, b_0, a_1, b_1, ..., a_last."""
    pairs = jnp.stack([a[:-1], b], axis=1).reshape(-1, *a.shape[1:])
    return jnp.concatenate([pairs, a[-1:]])


def masses(ts: Float[Array, " times"]) -> Float[Array, "times times"]:
    """The integrals of products of two hats."""
    steps = jnp.diff(ts)
    sides = jnp.pad(steps, (0, 1)) + jnp.pad(steps, (1, 0))
    return jnp.diag(sides) / 3 + (jnp.diag(steps, 1) + jnp.diag(steps, -1)) / 6
