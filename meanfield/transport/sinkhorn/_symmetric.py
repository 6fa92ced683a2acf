from typing import Any

import jax
import jax.numpy as jnp

from ..costs import geometry
from ._marginals import without

RELAXATION = 2 / 3
"""The weight of the averaged iteration: slopes of -1 to 0 become 1/3 in size."""


class _OnBase(geometry.Geometry):
    """A problem whose log-sum-exps are those of another, the base, changed."""

    def __init__(self, base: Any):
        super().__init__(epsilon=base._epsilon_init)
        self.base = base

    @property
    def shape(self) -> tuple[int, int]:
        return self.base.shape

    @property
    def dtype(self):
        return self.base.dtype

    @classmethod
    def tree_unflatten(cls, aux_data, children):
        return cls(*children, **aux_data)


@jax.tree_util.register_pytree_node_class
class SymmetricGeometry(_OnBase):
    """The problem of transporting a cloud to itself, which makes ott's iteration twice as cheap.

    Both potentials are equal at the solution, f = T f with T f = eps log a - eps log K e^{f/eps}. The
    averaged iteration f <- (1 - w) f + w T f needs one product with K where the alternating one needs
    two. For a positive definite K, T has slopes in [-1, 0], so that w = 2/3 contracts the error by
    3, whatever epsilon (w = 1/2, the usual choice, by 2).

    ott computes g <- (1 - w) g + w (eps log a - L(f)), then f <- (1 - w) f + w (eps log a - L'(g)), with
    one momentum w for both. Here L is such that g becomes f, with no product at all; it gives the
    marginals a e^{(f - T f)/eps} of the previous iterate at no cost either. `w` must be the momentum.

    Source: Feydy, Sejourne, Vialard, Amari, Trouve, Peyre, arXiv 1810.08278, section 3, for w = 1/2.
    """

    def __init__(self, base: Any, log_a: Any, w: float):
        super().__init__(base)
        self.log_a, self.w = log_a, w

    def apply_lse_kernel(self, f, g, eps, vec=None, axis: int = 0):
        if axis == 1:
            return self.base.apply_lse_kernel(f, g, eps, axis=1)
        return eps * self.log_a - (f - (1 - self.w) * g) / self.w, jnp.ones(1, f.dtype)

    def tree_flatten(self):
        return (self.base, self.log_a), {"w": self.w}


@jax.tree_util.register_pytree_node_class
class Massive(_OnBase):
    """The problem whose points without mass, those not `present`, are left out of all sums."""

    def __init__(self, base: Any, present: Any):
        super().__init__(base)
        self.present = present

    def apply_lse_kernel(self, f, g, eps: Any, vec=None, axis: int = 0):
        if axis == 1:
            return self.base.apply_lse_kernel(f, without(self.present[1], g, eps), eps, axis=1)
        return self.base.apply_lse_kernel(without(self.present[0], f, eps), g, eps, axis=0)

    def tree_flatten(self):
        return (self.base, self.present), {}


@jax.tree_util.register_pytree_node_class
class SoftMarginals(_OnBase):
    """A problem whose marginals are only encouraged, as a problem that ott takes to be balanced.

    The update of a potential whose marginal has the penalty rho KL(. | a) is
    f = tau (eps log a - eps log K e^{g/eps}), tau = rho/(rho + eps): that of a balanced problem with
    another log-sum-exp. Unlike ott's own `tau_a` and `tau_b`, these may be traced. `offsets` are
    (1 - tau) eps log a.
    """

    def __init__(self, base: Any, offsets: Any, taus: Any):
        super().__init__(base)
        self.offsets, self.taus = offsets, taus

    def apply_lse_kernel(self, f, g, eps, vec=None, axis: int = 0):
        lse, sign = self.base.apply_lse_kernel(f, g, eps, axis=axis)
        return self.taus[1 - axis] * lse + self.offsets[1 - axis], sign

    def tree_flatten(self):
        return (self.base, self.offsets, self.taus), {}
