import functools
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_instance
from ..._device_ring import Ring
from ..._products import exact_products
from ..masks import AbstractMask, Additive
from ._base import AbstractEngine, Sums, keeps_digits
from ._blockwise import Blockwise, Side, both_ways, shifted_sums
from ._exponential_sum import ExponentialSum

Bank = Float[Array, "m c"]
"""All that travels of a share of the keys: key and weight, then value where it is not the key."""


class Sharded(AbstractEngine):
    """The sums over tokens that are spread along one axis of a mesh of devices: ring attention.

    Each of p devices keeps n/p queries, while the keys travel around the ring, n/p at a time: p steps,
    in each of which a device sums over the visiting keys as `engine` does, hands them on, and adds
    the sums to those that it has. A device needs O(n/p) memory, forward and backward: the
    backward pass goes around once more, the cotangents of the keys beside them. A field sends d + 1
    numbers a token and step (2d + 1 with query, key or value). Bounded tokens among themselves (see
    `Blockwise`) send twice as many, for what the keys gain travels with them and no pair is computed
    twice. A gradient sends 2(d + 1) more.

    `mesh` is all devices of all processes when left out, `axis` the first of its axes. Spread the
    tokens by `x0 = engine.shard(x0)`; whole trajectories then stay spread. Any number of tokens will do
    (padded with tokens of no weight), but only a multiple of p can be spread. Queries, keys, values,
    weights, cross attention, masks by index (`causal`, `alibi`), vmap and gradients are those of any
    engine; derivatives are reverse, not forward.

    Raises ValueError for a mesh with explicit axes, an axis that it has not, and matrices as masks.
    Source: Liu, Zaharia, Abbeel, arXiv 2310.01889.
    """

    ring: Ring
    engine: Blockwise

    def __init__(
        self, mesh: Mesh | None = None, axis: str | None = None, engine: Blockwise | None = None
    ):
        self.ring = Ring(mesh, axis)
        remedy = "pass Blockwise(block), or leave it out"
        self.engine = (
            Blockwise()
            if engine is None
            else check_instance(engine, Blockwise, "a blockwise engine", remedy)
        )

    def shard(self, x: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
        """x with its rows spread over the devices; ValueError if their number is no multiple of p."""
        return self.ring.shard(x)

    def sums(self, problem: ExponentialSum) -> Sums:
        if isinstance(problem.mask, Additive):
            raise ValueError(
                "expected a mask by index, causal(n) or alibi(n, slope), for tokens on many devices, "
                "got a matrix, which each would hold whole; use Blockwise(), or an AbstractMask."
            )
        n, m = problem.q.shape[0], problem.k.shape[0]
        shared = problem.k is problem.y and problem.value is None
        w = jnp.pad(problem.w, (0, -m % self.ring.devices))
        points = [problem.k] if shared else [problem.k, problem.v]
        k, *v = (self.ring.padded(a) for a in points)
        bank = jnp.concatenate([k, w[:, None], *v], axis=1)
        mirrored = problem.mirrored and problem.mask is None
        route = _Route(self.ring, self.engine, k.shape[1], shared, mirrored)
        total = _sums(route, self.ring.padded(problem.beta * problem.q), bank, problem.mask)
        return jax.tree.map(lambda a: a[:n], total)


class _Route(eqx.Module):
    """What does not depend on values: how a bank is read, and who sums it."""

    ring: Ring
    engine: Blockwise
    width: int = eqx.field(static=True)
    shared: bool = eqx.field(static=True)
    mirrored: bool = eqx.field(static=True)

    def problem(self, q: Float[Array, "n p"], bank: Bank, mask, owner) -> ExponentialSum:
        """What the own queries and the keys of another device have to do with each other."""
        k, w = bank[:, : self.width], bank[:, self.width]
        if mask is not None:
            row = jax.lax.axis_index(self.ring.axis) * q.shape[0]
            mask = _Window(mask, (q.shape[0], k.shape[0]), row, owner * k.shape[0])
        v = self.values(bank)
        return ExponentialSum(jnp.ones((), q.dtype), q, k, v, None, w, mask, plain=False)

    def values(self, bank: Bank) -> Float[Array, "m e"]:
        """The values of a bank."""
        return bank[:, : self.width] if self.shared else bank[:, self.width + 1 :]

    def weighted(self, bank: Bank) -> Float[Array, "m e"]:
        """The values times their weights and, in the last column, the weights."""
        w = bank[:, self.width, None]
        return jnp.concatenate([w * self.values(bank), w], axis=1)


class _Window(AbstractMask):
    """The part of a mask that begins at one row and column."""

    mask: AbstractMask
    size: tuple[int, int] = eqx.field(static=True)
    row: Int[Array, ""]
    column: Int[Array, ""]

    @property
    def shape(self) -> tuple[int, int]:
        return self.size

    def bias(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        row, column = (start.astype(rows.dtype) for start in (self.row, self.column))
        return self.mask.bias(rows + row, columns + column)


@eqx.filter_jit
def _sums(route: _Route, q: Float[Array, "n p"], bank: Bank, mask: AbstractMask | None) -> Sums:
    """One program: a gradient outside of jit would compile each way around at each call."""
    return cast(Sums, _around(route, q, bank, mask))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _around(route: _Route, q: Float[Array, "n p"], bank: Bank, mask: AbstractMask | None) -> Sums:
    """The sums at all queries."""
    if not route.mirrored:
        return _one_way(route, q, bank, mask)
    longest = [jnp.linalg.norm(a, axis=1).max() for a in (q, bank[:, : route.width])]
    bound = longest[0] * longest[1]
    return jax.lax.cond(
        keeps_digits(bound),
        lambda: _both_ways(route, q, bank, bound),
        lambda: _one_way(route, q, bank, mask),
    )


def _one_way(route: _Route, q: Float[Array, "n p"], bank: Bank, mask: AbstractMask | None) -> Sums:
    """Queries stay, keys travel."""

    def visit(q, total, bank, mask, owner):
        return _add(total, route.engine.sums(route.problem(q, bank, mask, owner))), bank

    nothing = jnp.zeros_like(q[:, 0])
    start = Sums(nothing, nothing, jnp.zeros((q.shape[0], route.values(bank).shape[1]), q.dtype))
    return route.ring.around(visit, q, start, bank, mask)[0]


def _both_ways(route: _Route, q: Float[Array, "n p"], bank: Bank, bound: Float[Array, ""]) -> Sums:
    """Sums between tokens and themselves under a bound of all logits, in which no pair is computed
    twice: two shares meet twice, and at each meeting one whole share sees half of the other. What
    the travelling one takes travels with it."""
    block = route.engine.block

    def visit(own, total, visiting, bound, owner):
        (q, bank), (guest, gains) = own, visiting
        me = jax.lax.axis_index(route.ring.axis)
        home = q, route.weighted(bank)
        away = guest[:, : route.width], route.weighted(guest)

        def alone():
            there = bank[:, : route.width], home[1]
            return sum(both_ways(home, there, bound, block, alone=True)), jnp.zeros_like(total)

        def meet():
            return _meet(home, away, owner < me, bound, block)

        gain, given = jax.lax.cond(owner == me, alone, meet)
        return total + gain, (guest, gains + given)

    nothing = jnp.zeros_like(route.weighted(bank))
    kept, (_, brought) = route.ring.around(visit, (q, bank), nothing, (bank, nothing), bound)
    total = kept + brought
    return Sums(jnp.full_like(total[:, -1], bound), total[:, -1], total[:, :-1])


def _meet(
    home: Side, away: Side, first: Bool[Array, ""], bound: Float[Array, ""], block: int
) -> tuple[Float[Array, "m e"], Float[Array, "m e"]]:
    """What either side gains at one of two meetings: all of home with the first half of away or, when
    they have changed places, the second half of home with all of away."""
    m = home[0].shape[0]
    half = (m + 1) // 2

    def pick(one, other):
        return jax.tree.map(functools.partial(jnp.where, first), one, other)

    front = [jnp.pad(a, [(0, 2 * half - m), (0, 0)])[:half] for a in away]
    back = [jnp.pad(a, [(0, 2 * half - m), (0, 0)])[half:] for a in home]
    whole, part = both_ways(pick(home, away), tuple(pick(front, back)), bound, block)
    early, late = (jnp.pad(part, [rows, (0, 0)])[:m] for rows in ((0, half), (half, 0)))
    return pick((whole, early), (late, whole))


@exact_products
def _forward(route: _Route, q, bank, mask):
    total = cast(Sums, _around(route, q, bank, mask))
    return total, (q, bank, mask, total.shift)


@exact_products
def _backward(route: _Route, kept, slopes: Sums):
    """The cotangents. The shift cancels in whatever is made of the sums: it is held fixed, and the rest
    is a sum of exponentials, share by share."""
    q, bank, mask, shift = kept
    moving, fixed = eqx.partition(mask, eqx.is_inexact_array)

    def visit(own, cotangents, banks, mask, owner):
        q, shift, slopes = own
        bank, to_bank = jnp.split(banks, 2, axis=1)

        def sums(q, moving, bank):
            problem = route.problem(q, bank, eqx.combine(moving, mask[1]), owner)
            return shifted_sums(problem, shift, route.engine.block)

        *more, visiting = jax.vjp(sums, q, mask[0], bank)[1](slopes)
        more[1] = jax.tree.map(lambda a: a[None], more[1])
        return jax.tree.map(jnp.add, cotangents, more), jnp.concatenate(
            [bank, to_bank + visiting], 1
        )

    each = lambda a: jnp.zeros((route.ring.devices, *a.shape), a.dtype)
    start = [jnp.zeros_like(q), jax.tree.map(each, moving)]  # of the mask, one a device
    columns = jnp.concatenate([slopes.moment, slopes.mass[:, None]], axis=1)
    banks = jnp.concatenate([bank, jnp.zeros_like(bank)], axis=1)
    (to_q, to_mask), banks = route.ring.around(
        visit, (q, shift, columns), start, banks, (moving, fixed)
    )
    return to_q, jnp.split(banks, 2, axis=1)[1], jax.tree.map(lambda a: a.sum(axis=0), to_mask)


_around.defvjp(_forward, _backward)


def _add(a: Sums, b: Sums) -> Sums:
    """The sums over two sets of keys; under the larger of their log-masses, so that one is near 1."""
    logs = [jnp.where(s.mass > 0, s.shift + jnp.log(s.mass), -jnp.inf) for s in (a, b)]
    shift = jax.lax.stop_gradient(jnp.maximum(*logs))
    shift = jnp.where(jnp.isfinite(shift), shift, 0)  # no key so far has weight
    scales = [jnp.where(s.mass > 0, jnp.exp(s.shift - shift), 0) for s in (a, b)]
    mass = scales[0] * a.mass + scales[1] * b.mass
    moment = scales[0][:, None] * a.moment + scales[1][:, None] * b.moment
    return Sums(shift, mass, moment)
