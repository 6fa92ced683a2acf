from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..._checks import check_scalar, guard
from ..._known import is_concrete
from ..._shown import AbstractShown
from ..._typing import Scalar
from ..costs import FORBIDDEN, geometry, weights_or_uniform


class Problem(AbstractShown):
    """Entropic transport of masses a [n] to masses b [m], in potentials relative to these masses.

    plan_ij = a_i b_j e^{(f_i + g_j - c_ij)/eps},    f_i = -eps log sum_j b_j e^{(g_j - c_ij)/eps}

    ott's potentials are f + eps log a and g + eps log b. Those here are finite at points of mass zero
    too: they follow from the points that have mass, and nothing follows from them. `taus`, if not None,
    is the pair (tau_a, tau_b) of soft marginals, tau = rho/(rho + eps), and
    f = -tau_a (...) - (1 - tau_a) eps log a.
    """

    geometry: Any
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    taus: tuple[Scalar, Scalar] | None

    @property
    def epsilon(self) -> Scalar:
        return jnp.asarray(self.geometry.epsilon, self.a.dtype)

    def logs(self) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """The logarithms of the masses, finite where there is none."""
        return log_mass(self.a), log_mass(self.b)

    def present(self) -> tuple[Bool[Array, " n"], Bool[Array, " m"]]:
        """Which points have mass."""
        return has_mass(self.a), has_mass(self.b)

    def lse(self, h: Float[Array, " _"], axis: int) -> Float[Array, " _"]:
        """eps log sum_j b_j e^{(h_j - c_ij)/eps} for axis 1; with a, over i, for axis 0."""
        n, m = self.geometry.shape
        zeros = jnp.zeros(n if axis == 1 else m, h.dtype)
        h = self.weighted(h, axis)
        pair = (zeros, h) if axis == 1 else (h, zeros)
        return self.geometry.apply_lse_kernel(*pair, self.epsilon, axis=axis)[0]

    def weighted(self, h: Float[Array, " _"], axis: int) -> Float[Array, " _"]:
        """h_j + eps log b_j (axis 1), which leaves points without mass out of a log-sum-exp; with a for
        axis 0."""
        h = h + self.epsilon * self.logs()[axis]
        return without(self.present()[axis], h, self.epsilon)

    def update(self, h: Float[Array, " _"], axis: int) -> Float[Array, " _"]:
        """The potential f (axis 1) or g (axis 0) that is optimal for the other one, h."""
        return self.softened(self.lse(h, axis), axis)

    def softened(self, lse: Float[Array, " _"], axis: int) -> Float[Array, " _"]:
        """The same from its log-sum-exp."""
        if self.taus is None:
            return -lse
        return -self.taus[1 - axis] * lse - self.offsets()[1 - axis]

    def offsets(self) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """(1 - tau) eps log mass, by which soft marginals lower a potential; 0 where there is no mass."""
        assert self.taus is not None
        masses = zip(self.taus, self.logs(), self.present(), strict=True)
        first, second = (
            jnp.where(here, (1 - tau) * self.epsilon * log, 0) for tau, log, here in masses
        )
        return first, second

    def complete(self, pair: tuple) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """The potentials of the points that have mass, and those that follow at all others."""
        (f, g), (here, there) = pair, self.present()
        g = jnp.where(there, g, self.update(f, 0))
        return jnp.where(here, f, self.update(g, 1)), g

    def marginal(self, axis: int, pair: tuple) -> Float[Array, " _"]:
        """The row sums (axis 1) or the column sums (axis 0) of the plan."""
        own, mass = (pair[0], self.a) if axis == 1 else (pair[1], self.b)
        return scaled(mass, (own + self.lse(pair[axis], axis)) / self.epsilon)


def rounding_of(problem: Problem, pair: tuple) -> Scalar:
    """The error of a plan that rounding leaves: potentials of size F have F units of it."""
    least = least_rounding(problem.a.dtype)
    return least * jnp.maximum(1, largest_of(problem, pair) / 8)


def least_rounding(dtype) -> float:
    """That of a plan of small potentials: 32 units."""
    return 32 * float(jnp.finfo(dtype).eps)


def largest_of(problem: Problem, pair: tuple) -> Scalar:
    """The size of the potentials of points that have mass, in epsilon."""
    largest = [
        jnp.where(here, jnp.abs(p), 0).max()
        for p, here in zip(pair, problem.present(), strict=True)
    ]
    return jax.lax.stop_gradient(sum(largest) / (2 * problem.epsilon))


def least_mass(dtype) -> float:
    """What is below counts as no mass: a normal number still when its logarithm has been rounded."""
    return 16 * float(jnp.finfo(dtype).tiny)


def has_mass(w: Float[Array, " n"]) -> Bool[Array, " n"]:
    """Which masses are more than 0; of what is no number, that it is none is felt."""
    return ~(w <= least_mass(w.dtype))


def log_mass(w: Float[Array, " n"]) -> Float[Array, " n"]:
    """log w, with a least number for 0: no infinities, hence no NaN in derivatives."""
    return jnp.log(jnp.maximum(w, least_mass(w.dtype)))


def scaled(mass: Float[Array, " n"], exponent: Float[Array, " n"]) -> Float[Array, " n"]:
    """mass e^exponent, 0 where there is no mass, whatever the exponent."""
    return mass * jnp.exp(jnp.where(has_mass(mass), exponent, 0))


def without(
    present: Bool[Array, " n"], h: Float[Array, " n"], epsilon: Scalar
) -> Float[Array, " n"]:
    """Potentials h that leave those who are not present out of a log-sum-exp.

    A large number and not infinity, of which derivatives would make NaN.
    """
    return jnp.where(present, h, -FORBIDDEN * jax.lax.stop_gradient(epsilon))


def make_problem(geometry: geometry.Geometry, a, b, tau_a, tau_b) -> Problem:
    """The problem, checked, in the dtype of the costs."""
    dtype, n, m = geometry.dtype, *map(int, geometry.shape)
    a, b = weights_or_uniform(a, n, dtype, "a"), weights_or_uniform(b, m, dtype, "b")
    if _hard(tau_a) and _hard(tau_b):
        return Problem(geometry, a, b, None)
    return Problem(geometry, a, b, (_tau(tau_a, "tau_a", dtype), _tau(tau_b, "tau_b", dtype)))


def _hard(tau) -> bool:
    """Whether a marginal is known to be one that has to be met."""
    return tau is None or (is_concrete(tau) and bool(np.all(np.equal(tau, 1))))


def _tau(tau, name: str, dtype) -> Scalar:
    """The exponent of a soft marginal, 1 for a hard one; instead of 0, by whose root derivatives would
    be divided, what is nothing beside a potential."""
    tau = check_scalar(1.0 if tau is None else tau, name).astype(dtype)
    message = f"expected 0 <= {name} <= 1, got {tau}; pass rho/(rho + epsilon)."
    return jnp.maximum(guard(tau, (tau >= 0) & (tau <= 1), message), least_mass(dtype))


def check_init(init, shape: tuple[int, int]):
    """Potentials to start from, if they are of the sizes of the problem."""
    if init is not None and [jnp.shape(h) for h in init] != [(n,) for n in shape]:
        raise ValueError(
            f"expected init of sizes {shape}, got shapes {[jnp.shape(h) for h in init]}; "
            "leave it out where the numbers of points have changed."
        )
    return init
