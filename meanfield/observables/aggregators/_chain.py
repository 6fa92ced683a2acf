import math

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy
from jaxtyping import Array, Float

from ..._checks import check_finite, check_known, guard, is_concrete, tolerance
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Labels, Scalar, Weights
from .._cloud_checks import known, masses

Chain = Float[Array, "n n"]
"""A row-stochastic matrix: row i is the law of what follows state i."""


class CoarseChain(AbstractShown):
    """A Markov chain of k macro states, in the order of their labels.

    - `matrix` [k, k]: row-stochastic. `masses` [k]: the mass of each, of sum 1.
    - `error`: max_i sum_J |sum_{j in J} P_ij - M_{I(i) J}|, from 0 to 2: how far the members of a macro state
      differ in where they go. At 0 the chain is lumpable: the macro states form a chain of their own.
    """

    matrix: Float[Array, "k k"]
    masses: Float[Array, " k"]
    error: Scalar


@door
def effective_information(matrix: Chain, w: Weights | None = None) -> Scalar:
    """The effective information of a Markov chain, in bits: what its next state tells of the last one.

        EI = sum_i w_i KL(P_i || sum_l w_l P_l) / log 2

    - `matrix`: P [n, n], rows of sum 1, such as the weights of an attention.
    - `w`: the law of the states that an intervention sets, uniform if None. It is part of the question: a
      macro chain under uniform intervention may have more of it than the micro chain under its own, and
      under the masses of its states as much as the micro chain, if it is lumpable. State both.

    From 0, equal rows, to log2 n, a permutation under uniform w. Raises ValueError for a matrix that is
    not square and row-stochastic. Source: Hoel, Albantakis, Tononi, PNAS 110 (2013) 19790.
    """
    p = _stochastic(matrix)
    w = masses(w, p)
    mean = w @ p
    # Where the mean row has no mass, no row of weight has any; xlogy(0, .) is 0 there.
    ratio = p / jnp.where(mean > 0, mean, 1)
    each = jnp.where(p > 0, xlogy(p, jnp.where(p > 0, ratio, 1)), 0).sum(axis=1)
    return known(p, w @ jnp.where(w > 0, each, 0) / math.log(2))


@door
def coarse_chain(matrix: Chain, labels: Labels, w: Weights | None = None) -> CoarseChain:
    """The chain of macro states that groups of states form.

        M_IJ = sum_{i in I} (w_i/W_I) sum_{j in J} P_ij,    W_I = sum_{i in I} w_i

    - `matrix`: P [n, n], row-stochastic. `labels` [n]: equal for states of one group, any integers: those
      of `clusters`, for instance. Their values must be known, since the number of groups is a shape.
    - `w`: the mass of each state, uniform if None; every group needs some.

    Raises ValueError for a matrix that is not row-stochastic, traced labels, and groups without mass.
    """
    p, (k, at) = _stochastic(matrix), groups(labels, len(matrix))
    w = masses(w, p)
    members = jnp.asarray(at[:, None] == np.arange(k)).astype(p.dtype)
    mass = heavy(w @ members, "labels")
    into = p @ members
    macro = (members * (w / mass[at])[:, None]).T @ into
    apart = jnp.abs(into - macro[at]).sum(axis=1)
    return CoarseChain(macro, mass, jnp.where(w > 0, apart, 0 * apart).max())


def groups(labels, n: int) -> tuple[int, np.ndarray]:
    """How many groups there are, and the number of each token's group, from 0."""
    check_known(labels, "labels", "call it outside of jit")
    labels = np.asarray(labels)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"expected labels of shape [{n}], got {list(labels.shape)} of {labels.dtype}; pass one "
            "integer a token, such as clusters(x).labels."
        )
    names, at = np.unique(labels, return_inverse=True)
    return len(names), at


def heavy(mass, name: str):
    """The masses of groups, if each has one."""
    least = mass.min()
    return guard(
        mass,
        ~(least <= 0) if is_concrete(least) else True,
        f"expected {name} whose groups have mass, got one without; drop the states of no mass.",
    )


def _stochastic(p) -> Chain:
    if p.ndim != 2 or p.shape[0] != p.shape[1]:
        raise ValueError(f"expected a square matrix, got {list(p.shape)}; pass one row a state.")
    if not is_concrete(p):
        return p
    p = check_finite(p, "matrix")
    p = guard(p, (p >= 0).all(), "expected a matrix of nonnegative entries; clip it at 0.")
    off = jnp.abs(p.sum(axis=1) - 1).max()
    return guard(
        p, off <= tolerance(p.dtype), "expected rows of sum 1 in matrix; divide each by its sum."
    )
