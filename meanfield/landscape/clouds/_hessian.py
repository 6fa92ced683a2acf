from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from ..._checks import check_integer, check_known, tolerance
from ..._door import door
from ..._typing import Points, Scalar, Weights
from ...energies import AbstractEnergy
from ...geometry import Sphere
from ...solve import SolveError
from ...transport.costs import weights_or_uniform

_AT_ONCE = 32
"""Columns of the Hessian that are computed together, to bound memory."""


@door
def hessian(energy: AbstractEnergy, x: Points, w: Weights | None = None) -> Float[Array, "m m"]:
    """The Riemannian Hessian of an energy of n points on the sphere, [n(d-1), n(d-1)].

    The second derivative at v = 0 of v -> E(normalize(x_i + U_i v_i)), with U_i an orthonormal basis
    of the tangent space at x_i. Dense: n(d-1) up to about 3000. Its eigenvalues do not depend on U.
    """
    x = Sphere(x.shape[1]).check(x)
    return _hessian(energy, x, None if w is None else _masses(x, w))


@door
def escape_rates(
    energy: AbstractEnergy, x: Points, w: Weights | None = None, *, count: int | None = None
) -> Float[Array, " m"]:
    """The growth rates of perturbations of a stationary cloud x under `GradientFlow`, descending.

    The eigenvalues of -Hessian of the `energy` in the metric of weights, sum_i w_i |v_i|^2. Of an
    antipodal pair of equal clusters under `-Interaction(beta)`, which is unnormalized attention, d - 1
    are e^-beta. A token of no mass moves in the field of the others, and adds its own d - 1 rates to theirs.

    - `count`: how many, the largest; None for all n(d-1). These come of products with the Hessian alone,
      by Lanczos' method, so that n(d-1) may be beyond 3000; to single precision in float32.

    Raises ValueError for a `count` of n(d-1) or more, and, with one, under jit; SolveError where the
    iteration does not converge.
    Source: Lehoucq, Sorensen, Yang, ARPACK Users' Guide (1998), doi 10.1137/1.9780898719628.
    """
    x = Sphere(x.shape[1]).check(x)
    w = _masses(x, w)
    # Hessian and metric of a token vanish with its mass: their quotient is that of next to no mass.
    limits = jnp.finfo(x.dtype)
    w = jnp.maximum(w, float(limits.tiny) ** 0.5 / float(limits.eps))
    return _rates(energy, x, w) if count is None else _largest(energy, x, w, count)


def _largest(energy: AbstractEnergy, x: Points, w: Weights, count: int) -> Float[Array, " count"]:
    """The largest rates, from products with the Hessian."""
    count, size = check_integer(count, "count"), x.size - len(x)
    check_known((energy, x, w), "a cloud", "call escape_rates(..., count=...) outside of jax.jit")
    if count >= size:
        raise ValueError(f"expected count < n(d-1) = {size}, got {count}; leave it out for all.")
    product = lambda v: np.asarray(_product(energy, x, w, jnp.asarray(v.ravel())))
    products = LinearOperator((size, size), product, dtype=x.dtype)  # pyright: ignore[reportCallIssue]
    # A start of its own would make each run another one.
    start = np.random.default_rng(0).standard_normal(size).astype(x.dtype)
    try:
        found = eigsh(products, count, which="LA", v0=start, return_eigenvectors=False)
    except ArpackError as error:
        raise SolveError(
            f"The largest rates did not converge ({error}); pass another count."
        ) from error
    return jnp.asarray(np.sort(found)[::-1])


@eqx.filter_jit
def _product(energy: AbstractEnergy, x: Points, w: Weights, v: Float[Array, " m"]):
    """-Hessian times v, in the metric of weights."""
    root = jnp.repeat(jnp.sqrt(w), x.shape[1] - 1)
    slope = jax.grad(chart(energy, x, w, frames(x)))
    return -jax.jvp(slope, (jnp.zeros_like(v),), (v / root,))[1] / root


@door
def hessian_index(energy: AbstractEnergy, x: Points, w: Weights | None = None) -> Int[Array, ""]:
    """The Morse index of a stationary cloud: the number of directions in which the energy falls.

    0 at a minimum. Attention ascends its interaction energy: pass `-Interaction(beta)`. There it is
    d - 1 for an antipodal pair of equal clusters, and k(d-1) - (dim SO(d) - dim SO(d-k+1)) for k
    tokens at the corners of a regular simplex, which can only be rotated without falling.
    Curvatures below 1e-12 of the largest count as 0: with clusters that limits beta to about 13. -1 where
    under jit a coordinate or a mass is not a number.
    """
    x = Sphere(x.shape[1]).check(x)
    w = _masses(x, w)
    rates = _rates(energy, x, w)
    index = jnp.sum(rates > tolerance(rates.dtype) * jnp.abs(rates).max())
    return jnp.where(jnp.isfinite(rates).all(), index, -1)


def _masses(x: Points, w: Weights | None) -> Weights:
    return weights_or_uniform(w, len(x), x.dtype, "w")


def _rates(energy: AbstractEnergy, x: Points, w: Weights) -> Float[Array, " m"]:
    """Eigenvalues of -Hessian in the metric of weights, descending; 0 for tokens of no mass."""
    root = jnp.repeat(jnp.sqrt(w), x.shape[1] - 1)
    inverse = jnp.where(root == 0, 0, 1 / jnp.where(root == 0, 1, root))
    return -jnp.linalg.eigvalsh(_hessian(energy, x, w) * inverse[:, None] * inverse)


@eqx.filter_jit
def _hessian(energy: AbstractEnergy, x: Points, w: Weights | None) -> Float[Array, "m m"]:
    return curvature(chart(energy, x, w, frames(x)), x.size - len(x), x.dtype)


def frames(x: Points) -> Float[Array, "n d tangent"]:
    """An orthonormal basis of the tangent space at each point, as columns."""
    return jnp.linalg.qr(x[:, :, None], mode="complete")[0][:, :, 1:]


def moved(x: Points, bases: Float[Array, "n d tangent"], v: Float[Array, " m"]) -> Points:
    """normalize(x_i + U_i v_i), for v [n(d-1)]."""
    shift = jnp.einsum("ndm,nm->nd", bases, v.reshape(x.shape[0], -1), precision="highest")
    return Sphere(x.shape[1]).project(x + shift)


def chart(
    energy: AbstractEnergy, x: Points, w: Weights | None, bases: Float[Array, "n d tangent"]
) -> Callable[[Float[Array, " m"]], Scalar]:
    """v -> E(normalize(x_i + U_i v_i)), whose second derivative at 0 is the Riemannian Hessian."""
    return lambda v: energy(moved(x, bases, v), w)


def curvature(value: Callable, size: int, dtype) -> Float[Array, "m m"]:
    """The Hessian at 0 of a function of R^size."""
    column = lambda v: jax.jvp(jax.grad(value), (jnp.zeros(size, dtype),), (v,))[1]
    rows = jax.lax.map(column, jnp.eye(size, dtype=dtype), batch_size=_AT_ONCE)
    return (rows + rows.T) / 2
