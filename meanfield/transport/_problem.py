from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_scalar, check_weights, guard
from .._typing import Scalar
from ._ott import geometry


class Problem(eqx.Module):
    """Entropic transport of masses a [n] to masses b [m], in potentials relative to these masses.

    plan_ij = a_i b_j e^{(f_i + g_j - c_ij)/eps},    f_i = -eps log sum_j b_j e^{(g_j - c_ij)/eps}

    ott's potentials are f + eps log a and g + eps log b. Those here are finite at points of mass zero
    too, which count as masses of the least positive number. `taus`, if not None, is the pair
    (tau_a, tau_b) of soft marginals, tau = rho/(rho + eps), and f = -tau_a (...) - (1 - tau_a) eps log a.
    """

    geometry: Any
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    taus: tuple[Scalar, Scalar] | None

    @property
    def epsilon(self) -> Scalar:
        return jnp.asarray(self.geometry.epsilon, self.a.dtype)

    def logs(self) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """The logarithms of the masses."""
        return log_mass(self.a), log_mass(self.b)

    def lse(self, h: Float[Array, " _"], axis: int) -> Float[Array, " _"]:
        """eps log sum_j b_j e^{(h_j - c_ij)/eps} for axis 1; with a, over i, for axis 0."""
        n, m = self.geometry.shape
        eps, log = self.epsilon, self.logs()[axis]
        zeros = jnp.zeros(n if axis == 1 else m, h.dtype)
        pair = (zeros, h + eps * log) if axis == 1 else (h + eps * log, zeros)
        return self.geometry.apply_lse_kernel(*pair, eps, axis=axis)[0]

    def update(self, h: Float[Array, " _"], axis: int) -> Float[Array, " _"]:
        """The potential f (axis 1) or g (axis 0) that is optimal for the other one, h."""
        return self.softened(self.lse(h, axis), axis)

    def softened(self, lse: Float[Array, " _"], axis: int) -> Float[Array, " _"]:
        """The same from its log-sum-exp."""
        if self.taus is None:
            return -lse
        tau, log = self.taus[1 - axis], self.logs()[1 - axis]
        return -tau * lse - (1 - tau) * self.epsilon * log


def log_mass(w: Float[Array, " n"]) -> Float[Array, " n"]:
    """log w, with the least positive number for 0: no infinities, hence no NaN in derivatives."""
    return jnp.log(jnp.maximum(w, jnp.finfo(w.dtype).tiny))


def make_problem(geometry: geometry.Geometry, a, b, tau_a, tau_b) -> Problem:
    """The problem, checked, in the dtype of the costs."""
    dtype, n, m = geometry.dtype, *map(int, geometry.shape)
    a = jnp.full(n, 1 / n, dtype) if a is None else check_weights(a, n, "a").astype(dtype)
    b = jnp.full(m, 1 / m, dtype) if b is None else check_weights(b, m, "b").astype(dtype)
    if tau_a is None and tau_b is None:
        return Problem(geometry, a, b, None)
    return Problem(geometry, a, b, (_tau(tau_a, "tau_a", dtype), _tau(tau_b, "tau_b", dtype)))


def _tau(tau, name: str, dtype) -> Scalar:
    """The exponent of a soft marginal, 1 for a hard one."""
    tau = check_scalar(1.0 if tau is None else tau, name).astype(dtype)
    message = f"expected 0 < {name} <= 1, got {tau}; pass rho/(rho + epsilon)."
    return guard(tau, (tau > 0) & (tau <= 1), message)


def check_init(init, shape: tuple[int, int]):
    """Potentials to start from, if they are of the sizes of the problem."""
    if init is not None and [jnp.shape(h) for h in init] != [(n,) for n in shape]:
        raise ValueError(
            f"expected init of sizes {shape}, got shapes {[jnp.shape(h) for h in init]}; "
            "leave it out where the numbers of points have changed."
        )
    return init
