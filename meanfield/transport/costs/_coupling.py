import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..._checks import check_finite, check_weights, is_concrete, tolerance
from ..._door import door
from ..._products import sums_by_label, weighted_sum
from ..._shown import AbstractShown
from ..._typing import Scalar, Weights


class Coupling(AbstractShown):
    """A coupling of two weighted clouds by k pairs: point rows[k] sends mass[k] to point columns[k].

    An optimal one needs no more than n + m - 1 pairs. Some masses may be 0. `potentials` are the
    dual ones, f [n] and g [m] with f_i + g_j <= c_ij and equality on the pairs, or None where the
    method yields none; `iterations` is what it took, 0 where there are none to count. `gap` is the part
    of the cost by which it may exceed the least one, 0 where sorting leaves no doubt.
    """

    rows: Int[Array, " k"]
    columns: Int[Array, " k"]
    mass: Float[Array, " k"]
    shape: tuple[int, int] = eqx.field(static=True)
    potentials: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None
    iterations: Int[Array, ""] | int = 0
    gap: Scalar | float = 0.0

    def plan(self) -> Float[Array, "n m"]:
        """The coupling as a matrix [n, m], whose row sums are a and column sums b."""
        zero = jnp.zeros(self.shape, self.mass.dtype)
        return zero.at[self.rows, self.columns].add(self.mass)

    def marginals(self) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """The row and column sums of the plan."""
        n, m = self.shape
        mass = self.mass
        return sums_by_label(self.rows, mass, n), sums_by_label(self.columns, mass, m)

    @door
    def average(self, values: Float[Array, "m e"]) -> Float[Array, "n e"]:
        """E[values_j | i], with values [m, e]; NaN at points of mass 0."""
        check_values(values, self.shape[1])
        sent = self.mass[:, None] * values[self.columns]
        mass = sums_by_label(self.rows, self.mass, self.shape[0])
        return sums_by_label(self.rows, sent, self.shape[0]) / mass[:, None]

    def error(self, a: Float[Array, " n"], b: Float[Array, " m"]) -> Scalar:
        """sum_i |row sum - a_i| + sum_j |column sum - b_j|."""
        first, second = self.marginals()
        return jax.lax.stop_gradient(jnp.abs(first - a).sum() + jnp.abs(second - b).sum())


def check_values(values: Float[Array, "m e"], m: int) -> None:
    """ValueError if there is not one row of values for each of m points."""
    if len(values) != m:
        raise ValueError(
            f"expected values of shape [{m}, e], got {list(values.shape)}; pass one row for each of the "
            f"{m} points y."
        )


def weights_or_uniform(w, n: int, dtype, name: str) -> Weights:
    """`w` as n weights of sum 1; uniform if None. Of traced ones, what is none becomes NaN."""
    if w is None:
        return jnp.full(n, 1 / n, dtype)
    w = check_weights(w, n, name)
    if not is_concrete(w):
        w = check_finite(w, name)
        right = (w >= 0).all() & (jnp.abs(w.sum() - 1) <= tolerance(w.dtype))
        w = w * jnp.where(right, 1, jnp.nan).astype(w.dtype)  # so that derivatives are NaN as well
    return w.astype(dtype)


def massive(x: Float[Array, "n d"], w: Weights | None) -> Float[Array, "n d"]:
    """The points x, those without mass moved to the heaviest: a function of them may have no value at
    places that nothing should depend on."""
    if w is None:
        return x
    heaviest = jax.lax.stop_gradient(x)[jnp.argmax(w)]
    return jnp.where((w == 0)[:, None], heaviest, x)


def masses_of(masses, clouds: list[Array]) -> list[Weights]:
    """The masses of the points of several clouds, uniform where they are None."""
    masses = [None] * len(clouds) if masses is None else [*masses]
    if len(masses) != len(clouds):
        raise ValueError(
            f"expected masses for each of {len(clouds)} clouds, got {len(masses)}; "
            "leave them out for equal points."
        )
    pairs = zip(masses, clouds, strict=True)
    return [weights_or_uniform(m, len(cloud), cloud.dtype, "masses") for m, cloud in pairs]


def power_mean(mass: Float[Array, " k"], distance: Float[Array, " k"], p: float) -> Scalar:
    """(sum_k mass_k distance_k^p)^(1/p), whatever the unit: a power of it may leave the range of the
    numbers. Pairs without mass count for nothing, even at a distance of infinity."""
    distance = jnp.where(mass == 0, 0, distance)
    unit = jax.lax.stop_gradient(distance.max())
    unit = jnp.where(unit == 0, 1, unit)
    return unit * root(weighted_sum(mass, (distance / unit) ** p), p)


def root(cost: Scalar, p: float = 2.0) -> Scalar:
    """cost^(1/p), with the derivative 0, and not infinity, where the cost is 0; NaN stays NaN."""
    zero = cost <= 0
    return jnp.where(zero, 0, jnp.where(zero, 1, cost) ** (1 / p))


def joined(move: Float[Array, " k"], square: Scalar | float = 0.0) -> Scalar:
    """(|move|^2 + square)^(1/2), whatever the unit of the move, with derivatives as `root` has."""
    rest = root(jnp.asarray(square, move.dtype))
    unit = jax.lax.stop_gradient(jnp.maximum(jnp.abs(move).max(initial=0), rest))
    unit = jnp.where(unit == 0, 1, unit)
    return unit * root(jnp.sum((move / unit) ** 2) + square / unit / unit)
