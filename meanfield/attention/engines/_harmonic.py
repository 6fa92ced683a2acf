import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Bool, Float

from ..._checks import at_once, check_dimension, check_finite, check_known, check_scalar
from ..._typing import Masses, Points, Scalar, Sources
from ...harmonics import AbstractBasis, Fourier, SphericalHarmonics
from ._approximate import AbstractApproximate
from ._base import Sums
from ._double_fourier import advise_nufft, has_nufft, smoothed_sums
from ._exponential_sum import ExponentialSum, PosesSums, check_poses_sums, check_tokens
from ._zonal_kernels import exponential, primitive, tilted

FEWEST_FOR_NUFFT = 2048
"""Tokens from which on the non-uniform FFT is quicker than the basis."""
FINEST_SINGLE, FINEST_DOUBLE = 8, 32
"""The finest transforms, in roundings: in float32 at 32 they, and not rounding, would be most of the
error; in float64 no kernel of the library is wider."""


class Harmonic(AbstractApproximate):
    """The sums over n tokens on the circle or on S^2 in a basis of harmonics: O(n), not O(n^2).

    The moments of the cloud are multiplied by those of the kernel (Funk-Hecke) and evaluated at the
    tokens: O(n K) on the circle. On S^2, from 2048 tokens on and where the extra `nufft` is installed,
    non-uniform FFTs do it in O(n + K^3), and the basis in O(n K^2) otherwise. Memory is O(n).

    `Harmonic.of(beta, d, accuracy)` chooses the degree K so that what is neglected of the kernel is
    below `accuracy` times its mean, everywhere. Where a token sees less than a uniform cloud, as an
    isolated one beside a cluster does, the relative error of softmax grows in proportion:
    `relative_error` bounds it once the sums are known, and `Harmonic.fitted(attention, x, accuracy)`
    chooses the degree by that bound. Or give a basis, `Harmonic(Fourier(32))`.

    `accuracy` is also that of the FFTs. Tokens are unit vectors. Raises ValueError for query or key
    matrices, masks, other dimensions.

    Source: the formula of Funk and Hecke, in Atkinson and Han (2012), doi:10.1007/978-3-642-25983-8.
    """

    basis: AbstractBasis
    accuracy: float = eqx.field(static=True, default=1e-12, converter=lambda a: _check_accuracy(a))

    def __check_init__(self):
        if not isinstance(self.basis, Fourier | SphericalHarmonics):
            raise ValueError(
                "expected a basis of the circle or of S^2, got another; use "
                "Harmonic(Fourier(32)), Harmonic(SphericalHarmonics(32)), or Blockwise()."
            )

    @staticmethod
    def of(beta: float, d: int, accuracy: float = 1e-12) -> "Harmonic":
        """The engine of least degree that keeps this accuracy for e^{beta <x, y>} on S^{d-1}."""
        if check_dimension(d) not in (2, 3):
            raise ValueError(f"expected d = 2 or 3 for harmonics, got {d}; use Blockwise().")
        beta = float(check_scalar(beta, "beta"))
        degree = degree_for(beta, d, _check_accuracy(accuracy))
        kind = Fourier if d == 2 else SphericalHarmonics
        return Harmonic(kind(degree), accuracy)

    @staticmethod
    def fitted(
        attention: PosesSums,
        x: Points,
        y: Sources | None = None,
        w: Masses | None = None,
        accuracy: float = 1e-6,
    ) -> "Harmonic":
        """The engine whose bound on the relative error of every token's softmax is `accuracy` or less.

        A clustered cloud needs a higher degree than a uniform one, at most about that for accuracy/n.
        Raises ValueError where rounding, or the largest degree, does not allow it, and under jit, where
        no degree can be chosen.
        """
        check_poses_sums(attention)
        check_known((attention, x, y, w), "tokens and beta", "choose the engine outside of jax.jit")
        with at_once(attention, x, y, w):  # known, but under jit what is made of them is not
            accuracy, x = _check_accuracy(accuracy), check_finite(check_tokens(x, "x"))
            beta, target = float(attention.beta), min(0.5, 1e3 * accuracy)
            for _ in range(8):
                engine = Harmonic.of(beta, x.shape[1], target)
                worst = float(engine.relative_error(attention, x, y, w).max())
                if worst <= accuracy:
                    return engine
                target *= accuracy / worst / 2 if np.isfinite(worst) else 1e-3
                if target < float(jnp.finfo(x.dtype).eps) ** 2:
                    break
        raise ValueError(
            f"expected an accuracy that rounding in {x.dtype} allows for this cloud, got {accuracy:g} "
            f"where {worst:.1e} was reached; ask for less, pass float64 tokens, or use Blockwise()."
        )

    def field_error(self, problem: ExponentialSum) -> Float[Array, " n"]:
        """A bound on |F - F_exact|/|F_exact| of the softmax field at each token, infinite if unknown.

        It needs no exact sum: `Sums.relative_error` of what is neglected of kernel and field at most. All
        multipliers of e^{beta t} have one sign, so that t_Z is what they miss of the kernel's value at
        t = 1.
        """
        dtype, value = problem.q.dtype, problem.value
        scale = 1.0 if value is None else jnp.linalg.norm(value).astype(dtype)
        rounding = self._rounding(len(problem.q), len(problem.y), dtype)
        mass, pull = (part + rounding for part in self._neglected(problem.beta))
        return self.sums(problem).relative_error(mass, scale * pull)

    def is_within(
        self, problem: ExponentialSum, mass: Float[Array, " n"], units: float
    ) -> Bool[Array, ""]:
        """Whether kernel and field are off by `units` roundings of this mass at most, at all queries."""
        rounding = self._rounding(len(problem.q), len(problem.y), mass.dtype)
        off = sum(self._neglected(problem.beta)) + 2 * rounding
        return (off <= units * jnp.finfo(mass.dtype).eps * mass).all()

    def is_promising(self, problem: ExponentialSum, units: float) -> Bool[Array, ""]:
        """Whether a cloud spread as the uniform one would be within three quarters of these units."""
        mean = self._by_degree(problem.beta)[:1]
        return (problem.beta >= 0) & self.is_within(problem, 0.75 * mean, units)

    def sums(self, problem: ExponentialSum) -> Sums:
        self._check(problem)
        x, beta = problem.q, problem.beta
        sums = self._by_nufft if self._transforms(len(x), len(problem.y)) else self._by_basis
        mass, moment = sums(problem)
        return Sums(jnp.broadcast_to(beta, x.shape[:1]), mass, problem.transform(moment))

    def _by_basis(self, problem: ExponentialSum) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        x = problem.q
        moments = self.basis.moments(problem.y, problem.w)

        def smooth(profile):
            multipliers = self.basis.multipliers(profile(problem.beta), dtype=x.dtype)
            return self.basis.convolve(moments, multipliers)

        radial = self.basis.evaluate(smooth(tilted), x)[:, None] * x
        moment = self.basis.gradient(smooth(primitive), x) + radial
        return self.basis.evaluate(smooth(exponential), x), moment

    def _by_nufft(self, problem: ExponentialSum) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        multipliers = self._by_degree(problem.beta)
        eps = self._eps(problem.q.dtype)
        return smoothed_sums(problem.q, problem.y, problem.w, multipliers, eps)

    def _by_degree(self, beta: Scalar) -> Float[Array, " l"]:
        """The multipliers of e^{beta (t - 1)}, one a degree."""
        multipliers = self.basis.multipliers(exponential(beta), dtype=beta.dtype)
        return multipliers[np.searchsorted(self.basis.degrees, np.arange(self.basis.degree + 1))]

    def _neglected(self, beta: Scalar) -> tuple[Scalar, Scalar]:
        """t_Z and t_F: what degrees beyond K add to kernel and field at most, in units of e^beta.

        With N_k harmonics of degree k, t_Z = sum N_k a_k. The field's radial part t e^{beta t} and
        the slope of its tangent part, sum k N_k a_k/beta, follow from
        (2k + d - 2) a_k/beta = a_{k-1} - a_{k+1}, whose sums telescope.
        """
        degree, d = self.basis.degree, self.basis.d
        a = self._by_degree(jnp.abs(beta))
        tail = jnp.maximum(1 - jnp.sum(np.bincount(self.basis.degrees).astype(a.dtype) * a), 0)
        last = jnp.abs(a[-1])
        pull = 3 * last + tail if d == 2 else (3 * degree + 4) * last + 2 * tail
        size = jnp.exp(jnp.abs(beta) - beta)  # for beta < 0 the kernel is largest at t = -1
        return size * tail, size * pull

    def _rounding(self, n: int, m: int, dtype) -> float:
        """What rounding and the transforms may add, in units of e^beta."""
        own = 4 * (self.basis.degree + 8) * float(jnp.finfo(dtype).eps)
        return own + (10 * self._eps(dtype) if self._transforms(n, m) else 0.0)

    def _transforms(self, n: int, m: int) -> bool:
        wanted = self.basis.d == 3 and max(n, m) >= FEWEST_FOR_NUFFT
        if wanted and not has_nufft():
            advise_nufft()
        return wanted and has_nufft()

    def _eps(self, dtype) -> float:
        """The accuracy of the transforms, relative to the peak of the kernel; that of the sums is to
        its mean, smaller by (K + 1)^2 at most."""
        unit = float(jnp.finfo(dtype).eps)
        finest = FINEST_SINGLE if unit > 1e-10 else FINEST_DOUBLE
        return max(self.accuracy / (self.basis.degree + 1) ** 2, finest * unit)

    def _check(self, problem: ExponentialSum) -> None:
        if not problem.plain or problem.mask is not None:
            raise ValueError(
                "expected tokens without query, key or mask for the harmonic engine, which sums "
                "e^{beta <x, y>} only; use Blockwise()."
            )
        if problem.q.shape[1] != self.basis.d:
            raise ValueError(
                f"expected tokens in R^{self.basis.d} for {self.basis}, got d = {problem.q.shape[1]}; "
                "use Harmonic.of(beta, d) for d = 2 or 3, Blockwise() beyond."
            )


def degree_for(beta: float, d: int, accuracy: float) -> int:
    """The degree beyond which e^{beta t} is below `accuracy` of its mean on S^{d-1}, d = 2 or 3.

    At t = 1, where all terms add, degree k contributes N(d, k) a_k with
    a_k/a_0 = I_{k+d/2-1}(beta)/I_{d/2-1}(beta); the gradient has a factor k more.

    Raises ValueError for an accuracy that is not in (0, 1), or a beta that needs a degree beyond 4095.
    """
    _check_accuracy(accuracy)
    k = np.arange(1, 4096)
    order = d / 2 - 1
    size = max(abs(beta), 1e-6)
    decay = scipy.special.ive(k + order, size) / scipy.special.ive(order, size)
    terms = k * (2 if d == 2 else 2 * k + 1) * decay
    tail = np.cumsum(terms[::-1])[::-1]
    if tail[-1] > accuracy:
        raise ValueError(f"expected beta up to about 2e5, got {beta}; use Blockwise().")
    return int(k[np.argmax(tail <= accuracy)])


def _check_accuracy(accuracy) -> float:
    accuracy = float(check_scalar(accuracy, "accuracy"))
    if not 0 < accuracy < 1:
        raise ValueError(f"expected 0 < accuracy < 1, got {accuracy}; pass 1e-12 or 1e-6.")
    return accuracy
