"""The column sums that a masked Sinkhorn attention is given, and whether there is a plan that has them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import (
    as_number,
    at_once,
    check_finite,
    check_integer,
    check_nonnegative,
    check_scalar,
    guard,
    is_concrete,
    tolerance,
)
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Masses, Scalar
from ...transport.costs import FORBIDDEN, DotProduct, point_geometry
from ...transport.exact import why_no_plan, why_no_triangular_plan
from ...transport.sinkhorn import make_problem
from ..masks import AbstractMask, Alibi, Causal


@door
def causal_columns(n: int, gain: Scalar | float = 1.0) -> Float[Array, " n"]:
    """Column sums between those of the identity and those of uniform causal attention.

        c_j = 1 - gain + gain (H_n - H_{j-1}),    H_k = 1 + 1/2 + ... + 1/k

    At `gain` = 1, the default columns of `Sinkhorn(beta, mask=causal(n))`, no token draws more than H_n
    of attention, at any beta; at 0 there is the identity alone. Between, c_1 + ... + c_k > k for all
    k < n, which is what a positive lower-triangular matrix of rows 1 and columns c needs.

    Raises ValueError for n < 1 and for a gain outside of (0, 1]. Source: this family is ours.
    """
    n = check_integer(n, "n")
    gain = check_scalar(gain, "gain")
    guard(
        gain,
        (gain > 0) & (gain <= 1),
        "expected 0 < gain <= 1, got another; at 0 causal weights are the identity.",
    )
    # On the host: the sums of all n terms in double precision, whatever that of the result.
    tails = np.cumsum(1 / np.arange(n, 0, -1))[::-1]
    return 1 - gain + gain * jnp.asarray(tails, gain.dtype)


class PlacedLogits(AbstractShown):
    """What a mask, and the logarithms of the masses of keys, take from the costs of their pairs."""

    mask: AbstractMask | None
    log_w: Float[Array, " m"] | None
    epsilon: Scalar

    def costs(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        logits = jnp.zeros((len(rows), len(columns)), self.epsilon.dtype)
        if self.mask is not None:
            bias = self.mask.bias(rows, columns)
            logits = logits + jnp.maximum(bias, -FORBIDDEN).astype(logits.dtype)
        if self.log_w is not None:
            logits = logits + self.log_w[columns]
        return -self.epsilon * logits


def uniform_columns(
    mask: AbstractMask,
    a: Float[Array, " n"] | None,
    w: Masses | None,
    dtype: Any,
    how: Any,
) -> Float[Array, " m"]:
    """The masses b_j = sum_i a_i A_ij that keys of masses w draw from queries at beta = 0, of sum 1."""
    (n, m), one = mask.shape, jnp.ones((), dtype)
    if isinstance(mask, Causal) and w is None:
        return causal_columns(n).astype(dtype) / n
    zeros = jnp.zeros((n, 1), dtype), jnp.zeros((m, 1), dtype)
    placed = PlacedLogits(mask, None, one)
    costs = point_geometry(*zeros, DotProduct(), epsilon=one, placed=placed, **how)
    problem = make_problem(costs, a, w, None, None)
    f = problem.update(zeros[1][:, 0], 1)
    drawn = problem.marginal(0, (f, zeros[1][:, 0]))
    # A query that has mass and sees none would draw on what it may not see.
    seeing = ~(problem.present()[0] & (f > FORBIDDEN / 10)).any()
    message = (
        "expected keys of some mass for each query of mass, got none for one; change w or mask."
    )
    return jnp.where(seeing, guard(drawn, seeing, message), jnp.nan)


def given_columns(
    mask: AbstractMask | None,
    columns: Float[Array, " c"],
    a: Float[Array, " n"] | None,
    w: Masses | None,
    n: int,
    m: int,
    hard: bool,
) -> Float[Array, " m"]:
    """The masses that keys are to draw according to `columns`, of sum 1, checked."""
    if columns.shape != (m,):
        raise ValueError(
            f"expected {m} columns for as many keys, got {list(columns.shape)}; pass one number a key."
        )
    _check_feasible(mask, columns, a, n, hard)
    if w is None:
        return columns / n
    fits = ((columns == 0) | (w > 0)).all()
    guard(columns, fits, "expected columns of 0 for keys of no mass, got more; set them to 0.")
    return jnp.where(fits, columns, jnp.nan) / n


def check_columns(columns) -> Float[Array, " m"] | None:
    """None, or finite numbers of at least 0."""
    if columns is None:
        return None
    columns = check_finite(columns, "columns")
    if columns.ndim != 1 or columns.size == 0:
        raise ValueError(
            f"expected columns of shape [m], got {list(columns.shape)}; pass one number a key."
        )
    return guard(
        columns, (columns >= 0).all(), "expected columns >= 0, got a negative one; clip at 0."
    )


def check_tau(tau) -> Scalar | None:
    """A number of at least 0, or None where it is known to be infinite."""
    if tau is None:
        return None
    with at_once(tau):
        tau = as_number(tau, "tau")
        if tau.ndim == 0 and is_concrete(tau) and bool(tau == math.inf):
            return None
        return tau if not is_concrete(tau) else check_nonnegative(tau, "tau")


def exponent_of(tau: Scalar) -> Scalar:
    """tau/(1 + tau), 1 at infinity."""
    far = jnp.isinf(tau)
    return jnp.where(far, 1, tau / (1 + jnp.where(far, 1, tau)))


def _check_feasible(
    mask: AbstractMask | None,
    columns: Float[Array, " m"],
    a: Float[Array, " n"] | None,
    n: int,
    hard: bool,
) -> None:
    """Raise ValueError if no positive weights on what the mask allows have these columns.

    Of numbers that are not known yet nothing is said: without a plan the iteration does not converge.
    """
    known = (columns, a, *jax.tree.leaves(mask))
    if not all(each is None or is_concrete(each) for each in known):
        return
    with at_once(columns):
        b = np.asarray(columns, np.float64) / n
    rows = np.full(n, 1 / n) if a is None else np.asarray(a, np.float64)
    margin = tolerance(columns.dtype)
    if abs(b.sum() - 1) > margin:
        raise ValueError(
            f"expected columns whose sum is that of the {n} rows, got {n * b.sum():.6g}; "
            f"multiply them by {1 / b.sum():.6g}."
        )
    if mask is None or not hard:
        return
    if isinstance(mask, Causal | Alibi):
        reason = why_no_triangular_plan(rows, b, margin)
    else:
        with at_once(columns):
            allowed = np.asarray(mask) > -np.inf
        reason = why_no_plan(allowed, rows, b, margin)
    if reason is not None:
        raise ValueError(
            f"expected columns that positive weights on what the mask allows can have, got {reason}; "
            "leave columns out for those of uniform attention, or pass a finite tau."
        )
