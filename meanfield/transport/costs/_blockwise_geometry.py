from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._device_ring import Ring
from ..._memory import available_memory, block_side
from ._ott import geometry

Side = tuple[Any, Any]
"""Points [n, d], and their numbers [n] or None."""


def check_dense(n: int, m: int, itemsize: int) -> None:
    """Raise ValueError if three n x m matrices would not fit in memory."""
    need, have = 3 * n * m * itemsize, available_memory()
    if need > have:
        raise ValueError(
            f"expected a cost matrix that fits in memory, got n = {n} by m = {m}, which needs "
            f"{need / 2**30:.0f} GiB of {have / 2**30:.0f}; leave out dense=True, which takes blocks."
        )


@jax.tree_util.register_pytree_node_class
class BlockwiseGeometry(geometry.Geometry):
    """The costs between two clouds, computed again block by block wherever they are needed.

    Log-sum-exps are exact to rounding (the running maximum of Milakov and Gimelshein, arXiv
    1805.02867), in O(n + m) memory forward and, by checkpointing, backward (Rabe and Staats, arXiv
    2112.05682). `block` is the side of the square blocks. It is ott's `PointCloud(batch_size=...)`,
    which does not run under current versions of jax. On a `ring` of devices each has its share of
    the rows, and is visited by the others'. `placed`, if there is one, adds costs by index, which
    travel with the points.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        cost: Any,
        epsilon: Any,
        block: int,
        ring: Ring | None = None,
        placed: Any = None,
    ):
        super().__init__(epsilon=epsilon)
        self.x, self.y, self.cost, self.block, self.ring = x, y, cost, block, ring
        self.placed = placed

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape[0], self.y.shape[0]

    @property
    def dtype(self):
        return self.x.dtype

    @property
    def is_online(self) -> bool:
        return True

    @property
    def cost_matrix(self) -> Float[Array, "n m"]:
        check_dense(*self.shape, self.dtype.itemsize)
        return all_costs(self.x, self.y, self.cost, self.placed)

    def apply_lse_kernel(self, f, g, eps, vec=None, axis: int = 0):
        """eps log sum_j v_j e^{(g_j - c_ij)/eps} (axis 1), or the same over i with f, and the sign."""
        h = f if axis == 0 else g
        vec = jnp.ones_like(h) if vec is None else jnp.broadcast_to(vec, h.shape)
        return _log_sums(self, h, vec, eps, axis)

    def _apply_cost_to_vec(self, vec, axis: int = 0, fn=None, is_linear: bool = False):
        return _products(self, vec, axis, fn)

    def lse_and_mean_cost(self, g, eps):
        """eps log sum_j e^{(g_j - c_ij)/eps}, and the mean of c_ij under these weights."""
        return _log_sums_and_costs(self, g, eps)

    def average(self, g, eps, values: Float[Array, "m e"]) -> Float[Array, "n e"]:
        """The mean of values_j under the weights e^{(g_j - c_ij)/eps}."""
        return _averages(self, g, eps, values)

    def by_blocks(self, axis: int, columns: tuple, combine: Callable, start: Callable, eps=None):
        """Fold the blocks of each row of costs: combine(carry, cost, columns, valid, eps) -> carry.

        The rows are the points x where axis = 1; where axis = 0 they are the points y.
        """
        rows, others = self._sides(axis)
        n, bank = rows[0].shape[0], (others, columns, jnp.ones(others[0].shape[0], bool))
        common = (self.cost, self.placed, eps)
        if self.ring is None:
            return self._fold(axis, combine, rows, start(rows[0][:, 0]), bank, common)

        def visit(rows, carry, bank, common, owner):
            return self._fold(axis, combine, rows, carry, bank, common), bank

        rows, valid = (
            jax.tree.map(self.ring.padded, rows),
            jnp.pad(bank[2], (0, -len(bank[2]) % self.ring.devices)),
        )
        bank = (*jax.tree.map(self.ring.padded, bank[:2]), valid)
        carry, _ = self.ring.around(visit, rows, start(rows[0][:, 0]), bank, common)
        return jax.tree.map(lambda a: a[:n], carry)

    def _sides(self, axis: int) -> tuple[Side, Side]:
        """The points that have sums, and those that are summed over, numbered where that matters."""
        first, second = (
            (z, None if self.placed is None else jnp.arange(z.shape[0])) for z in (self.x, self.y)
        )
        return (first, second) if axis == 1 else (second, first)

    def _fold(self, axis: int, combine: Callable, rows, carry, bank, common):
        """One share of the others folded into what the rows have so far."""
        others, columns, valid = bank
        (n, m), (cost, placed, eps) = (rows[0].shape[0], others[0].shape[0]), common
        side, width = block_side(n, self.block), block_side(m, self.block)
        valid = _blocks(valid, width, 0)
        tiles = (*jax.tree.map(lambda a: _blocks(a, width), (others, columns)), valid)

        @jax.checkpoint
        def one_row(block):
            points, carry = block

            @jax.checkpoint
            def step(carry, tile):
                other, column, valid = tile
                if axis == 1:
                    costs = _between(points, other, cost, placed)
                else:
                    costs = _between(other, points, cost, placed).T
                return combine(carry, costs, column, valid, eps), None

            return jax.lax.scan(step, carry, tiles)[0]

        folded = jax.lax.map(one_row, jax.tree.map(lambda a: _blocks(a, side), (rows, carry)))
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:n], folded)

    def tree_flatten(self):
        children = (self.x, self.y, self.cost, self._epsilon_init, self.placed)
        return children, {"block": self.block, "ring": self.ring}

    @classmethod
    def tree_unflatten(cls, aux_data, children):
        *points, placed = children
        return cls(*points, placed=placed, **aux_data)


# Loops of functions that a call makes are compiled at each call outside of jit: not so in these.
@eqx.filter_jit
def _log_sums(costs: BlockwiseGeometry, h, vec, eps, axis: int):
    top, total = costs.by_blocks(axis, (h, vec), _accumulate, _empty, eps)
    return eps * (top + jnp.log(jnp.abs(total))), jnp.sign(total)


@eqx.filter_jit
def _log_sums_and_costs(costs: BlockwiseGeometry, g, eps):
    top, total, sent = costs.by_blocks(1, (g,), _accumulate_costs, _none, eps)
    return eps * (top + jnp.log(total)), sent / total


@eqx.filter_jit
def _products(costs: BlockwiseGeometry, vec, axis: int, fn: Callable | None):
    def add(total, cost, columns, valid, _):
        cost = cost if fn is None else fn(cost)
        return total + jnp.where(valid, cost, 0) @ columns[0]

    return costs.by_blocks(axis, (vec,), add, jnp.zeros_like)


@eqx.filter_jit
def _averages(costs: BlockwiseGeometry, g, eps, values: Float[Array, "m e"]):
    summed = jnp.concatenate([values, jnp.ones_like(values[:, :1])], axis=1)

    def start(like):
        return jnp.full_like(like, -jnp.inf), jnp.zeros((len(like), summed.shape[1]), like.dtype)

    _, total = costs.by_blocks(1, (g, summed), _accumulate, start, eps)
    return total[:, :-1] / total[:, -1:]


def all_costs(x: Any, y: Any, cost: Any, placed: Any) -> Float[Array, "n m"]:
    """The whole matrix of costs."""
    first, second = ((z, None if placed is None else jnp.arange(len(z))) for z in (x, y))
    return _between(first, second, cost, placed)


def _between(first: Side, second: Side, cost: Any, placed: Any) -> Float[Array, "a b"]:
    """The costs between some of the points x and some of the points y."""
    costs = cost.all_pairs(first[0], second[0])
    if placed is None:
        return costs
    return costs + placed.costs(first[1], second[1]).astype(costs.dtype)


def _blocks(a: Array, size: int, fill: int | None = None) -> Array:
    """a [n, ...] as [ceil(n/size), size, ...], padded with `fill` or with its last row."""
    pad = [(0, -a.shape[0] % size)] + [(0, 0)] * (a.ndim - 1)
    a = jnp.pad(a, pad, mode="edge") if fill is None else jnp.pad(a, pad, constant_values=fill)
    return a.reshape(-1, size, *a.shape[1:])


def _empty(like: Float[Array, " n"]):
    return jnp.full_like(like, -jnp.inf), jnp.zeros_like(like)


def _accumulate(carry, cost, columns, valid, eps):
    """One step of a log-sum-exp with a running maximum, of one sum or several."""
    top, total = carry
    new, shrink, weights = _weights(top, cost, columns[0], valid, eps)
    shrink = shrink.reshape(-1, *(1,) * (total.ndim - 1))
    return new, total * shrink + weights @ columns[1]


def _weights(top, cost, h, valid, eps):
    """The new maxima, what the old sums are multiplied by, and the weights of new terms."""
    logits = jnp.where(valid, (h - cost) / eps, -jnp.inf)
    new = jnp.maximum(top, jax.lax.stop_gradient(logits.max(axis=1)))
    fixed = jnp.where(jnp.isfinite(new), new, 0)  # no column so far is valid
    return new, jnp.exp(top - fixed), jnp.exp(logits - fixed[:, None])


def _none(like: Float[Array, " n"]):
    return *_empty(like), jnp.zeros_like(like)


def _accumulate_costs(carry, cost, columns, valid, eps):
    """The same, with the sum of weights times costs."""
    top, total, sent = carry
    new, shrink, weights = _weights(top, cost, columns[0], valid, eps)
    costs = jnp.where(valid, cost, 0)
    return (
        new,
        total * shrink + weights.sum(axis=1),
        sent * shrink + (weights * costs).sum(axis=1),
    )
