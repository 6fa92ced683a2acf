import jax.numpy as jnp
import numpy as np
from scipy.special import ive

from ..harmonics import AbstractBasis, Fourier, SphericalHarmonics
from ._engine import AbstractEngine, Sums
from ._problem import ExponentialSum
from ._profiles import exponential, primitive, tilted


class Harmonic(AbstractEngine):
    """The sums over n tokens on the circle or on S^2 in a basis of harmonics: O(n), not O(n^2).

    The moments of the cloud are multiplied by those of the kernel (Funk-Hecke) and evaluated at the
    tokens: O(n K) on the circle, O(n K^2) on S^2, memory O(n). `Harmonic.of(beta, d, accuracy)`
    chooses the degree K; or give a basis, `Harmonic(Fourier(32))`. What is neglected of the kernel is
    below `accuracy` times its mean, everywhere; where a token sees less than the mean of a uniform
    cloud, as an isolated one does, the relative error of softmax grows in proportion.

    Tokens are unit vectors. Raises ValueError for query or key matrices, masks, other dimensions.
    """

    basis: AbstractBasis

    def __check_init__(self):
        if not isinstance(self.basis, Fourier | SphericalHarmonics):
            raise ValueError(
                "expected a basis of the circle or of S^2, got another; use "
                "Harmonic(Fourier(32)), Harmonic(SphericalHarmonics(32)), or Blockwise()."
            )

    @staticmethod
    def of(beta: float, d: int, accuracy: float = 1e-12) -> "Harmonic":
        """The engine of least degree that keeps this accuracy for e^{beta <x, y>} on S^{d-1}."""
        if d not in (2, 3):
            raise ValueError(f"expected d = 2 or 3 for harmonics, got {d}; use Blockwise().")
        degree = degree_for(float(beta), d, accuracy)
        kind = Fourier if d == 2 else SphericalHarmonics
        return Harmonic(kind(degree))

    def sums(self, problem: ExponentialSum) -> Sums:
        self._check(problem)
        x, beta = problem.q, problem.beta
        moments = self.basis.moments(problem.y, problem.w)

        def smooth(profile):
            multipliers = self.basis.multipliers(profile(beta), dtype=x.dtype)
            return self.basis.convolve(moments, multipliers)

        radial = self.basis.evaluate(smooth(tilted), x)[:, None] * x
        moment = self.basis.gradient(smooth(primitive), x) + radial
        shift = jnp.broadcast_to(beta, x.shape[:1])
        return Sums(shift, self.basis.evaluate(smooth(exponential), x), problem.transform(moment))

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
    """
    if not 0 < accuracy < 1:
        raise ValueError(f"expected 0 < accuracy < 1, got {accuracy}; pass 1e-12 or 1e-6.")
    k = np.arange(1, 4096)
    order = d / 2 - 1
    size = max(abs(beta), 1e-6)
    decay = ive(k + order, size) / ive(order, size)
    terms = k * (2 if d == 2 else 2 * k + 1) * decay
    tail = np.cumsum(terms[::-1])[::-1]
    if tail[-1] > accuracy:
        raise ValueError(f"expected beta up to about 2e5, got {beta}; use Blockwise().")
    return int(k[np.argmax(tail <= accuracy)])
