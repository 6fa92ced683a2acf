"""Chains by slices along random lines; parameters with bounds are measured by shares of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..._extras import module_of
from ..._typing import Scalar
from ._residuals import Unknowns

WIDE = 8.0
"""The first length of a slice, in standard deviations along its line: what is outside costs a halving."""
SHRINKINGS = 60
"""Halvings of a slice, after which it is rounding."""
FLAT = 1e-4
"""By how much of a precision a parameter without bounds is held, where nothing else determines it."""
PAIRED = 10
"""As many draws as the covariance of before counts for."""


def library(module: str = "blackjax") -> Any:
    """The package blackjax, or a module of it. Raises ValueError without the extra."""
    return module_of("posterior", "blackjax", "posteriors", module)


class Axes(eqx.Module):
    """Parameters as low + width u, or the exponential of it: the prior is even in u, between 0 and 1 where
    there are bounds."""

    low: Float[Array | np.ndarray, " p"]
    width: Float[Array | np.ndarray, " p"]
    log: Bool[Array | np.ndarray, " p"]
    bounded: Bool[Array | np.ndarray, " p"]

    @classmethod
    def of(cls, unknowns: Unknowns, theta: Float[np.ndarray, " p"]) -> "Axes":
        """Those of unknowns; without bounds they are measured by how large they are at theta."""
        log = np.array([row.scale == "log" for row in unknowns.rows])
        bounded = np.array([row.bounds is not None for row in unknowns.rows])
        sizes = np.where(log | (theta == 0), 1.0, np.abs(theta))
        ends = [row.bounds or (1.0, np.e) for row in unknowns.rows]
        low, high = np.where(log[:, None], np.log(np.where(log[:, None], ends, 1.0)), ends).T
        return cls(np.where(bounded, low, 0.0), np.where(bounded, high - low, sizes), log, bounded)

    def natural(self, place: Float[Array, " p"]) -> Float[Array, " p"]:
        """Parameters in their units; beyond a bound what they are there."""
        held = jnp.where(self.bounded, jnp.clip(place, 0, 1), place)
        scaled = self.low + self.width * held
        return jnp.where(self.log, jnp.exp(jnp.where(self.log, scaled, 0.0)), scaled)

    def inside(self, place: Float[Array, " p"]) -> Bool[Array, ""]:
        """Whether all parameters are between their bounds."""
        return jnp.all(~self.bounded | ((place >= 0) & (place <= 1)))

    def places(self, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
        """Where parameters are."""
        scaled = np.where(self.log, np.log(np.where(self.log, theta, 1.0)), theta)
        place = (scaled - self.low) / self.width
        return np.where(self.bounded, np.clip(place, 0, 1), place)

    def covariance(
        self, theta: Float[np.ndarray, " p"], slopes: Float[np.ndarray, "m p"]
    ) -> Float[np.ndarray, "p p"]:
        """(J^T J + prior)^-1 for derivatives J of residuals by parameters, with the precision 12 of what is
        even between 0 and 1."""
        along = slopes * self.width * np.where(self.log, theta, 1.0)
        prior = np.where(self.bounded, 12.0, FLAT)
        return np.linalg.inv(along.T @ along + np.diag(prior))


class _Sums(NamedTuple):
    """So many places, their sum and the sum of their products."""

    count: Scalar
    first: Float[Array, " p"]
    second: Float[Array, "p p"]


def walked(
    density: Callable[[Array], Scalar],
    starts: tuple[Float[Array, "chains p"], Float[Array, " chains"]],
    cov: Float[Array, "p p"],
    key: Any,
    draws: int,
    warmup: int,
) -> tuple[Float[Array, "chains draws p"], Float[Array, "chains draws"]]:
    """Draws from a density and its logarithms, from places with the logarithms of theirs.

    A draw is as many moves as there are parameters, each to an even point of {x + t s : density > level} on
    a line through where the chain is. Directions s of a draw are random, and orthogonal where the covariance
    of all chains is the unit matrix; during the warm-up that is estimated anew after each doubling. No
    derivative is taken, and bounds are just the end of a slice.

    Source: Neal, Ann. Statist. 31 (2003) 705, section 4, as in blackjax.
    """
    kernel = _kernel()
    (places, logs), size = starts, starts[0].shape[1]
    none = _Sums(jnp.asarray(0.0), jnp.zeros(size), jnp.zeros((size, size)))
    renewed = {max(1, warmup >> k) for k in range(6)}
    renew = jnp.asarray([k + 1 in renewed for k in range(warmup)] + [False] * draws)
    state = jax.vmap(library("blackjax.mcmc.slice").SliceState)(places, logs)

    def move(carry: tuple, row: tuple) -> tuple:
        (state, cov, sums), (key, due) = carry, row
        root = jnp.linalg.cholesky(cov)

        def one(state: Any, key: Any) -> Any:
            first, *keys = jax.random.split(key, size + 1)
            drawn = jax.random.normal(first, (size, size), root.dtype)
            lines = (root @ jnp.linalg.qr(drawn)[0]).T
            turn = lambda state, row: (kernel(row[0], state, density, _line(row[1]), WIDE)[0], None)
            return jax.lax.scan(turn, state, (jnp.stack(keys), lines))[0]

        state = jax.vmap(one)(state, jax.random.split(key, len(places)))
        sums = _added(sums, state.position)
        cov = jnp.where(due, _pooled(sums, cov), cov)
        sums = jax.tree.map(lambda new, old: jnp.where(due, new, old), none, sums)
        return (state, cov, sums), (state.position, state.logdensity)

    rows = jax.random.split(key, warmup + draws), renew
    places, logs = (each[warmup:] for each in jax.lax.scan(move, (state, cov, none), rows)[1])
    return jnp.swapaxes(places, 0, 1), jnp.swapaxes(logs, 0, 1)


def _kernel() -> Callable:
    """Moves along a line, on which the slice is sought within a length of `WIDE` about its point."""

    def around(key: Any, inside: Callable, width: float, most: int) -> tuple:
        left = -width * jax.random.uniform(key)
        return left, left + width, jnp.asarray(0), lambda t: jnp.asarray(True)

    return library("blackjax.mcmc.slice").build_kernel(around, max_shrinkage=SHRINKINGS)


def _line(along: Float[Array, " p"]) -> Callable:
    """The line through a place in a direction."""

    def generator(key: Any, place: Array, density: Callable) -> Callable:
        def on_line(t: Scalar) -> tuple:
            at = place + t * along
            return library("blackjax.mcmc.slice").SliceState(at, density(at)), jnp.asarray(True)

        return on_line

    return generator


def _added(sums: _Sums, places: Float[Array, "chains p"]) -> _Sums:
    return _Sums(
        sums.count + len(places),
        sums.first + places.sum(axis=0),
        sums.second + places.T @ places,
    )


def _pooled(sums: _Sums, before: Float[Array, "p p"]) -> Float[Array, "p p"]:
    """The covariance of all chains, with a share of that of before."""
    mean = sums.first / sums.count
    found = sums.second / sums.count - jnp.outer(mean, mean)
    return (sums.count * found + PAIRED * before) / (sums.count + PAIRED)
