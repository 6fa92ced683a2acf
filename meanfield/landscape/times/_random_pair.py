import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..._checks import (
    check_dimension,
    check_known,
    check_nonnegative,
    check_positive,
    check_scalar,
    guard,
)
from ..._door import AbstractChecked, door
from ..._typing import Scalar
from .._precision import in_double
from ._passage import running

_FAR, _PANELS = 40.0, 160
"""Beyond this artanh c all is what it is at c = +-1, to rounding."""


class RandomPair(AbstractChecked):
    """Two tokens under random value matrices (`RandomValues`): a diffusion of c = <x_1, x_2>.

    dc = (s^2 [B (d - 2 + c^2) - (d-1) A c] + 2 pull (1-w)(1-c^2)) dt + (s^2 (1-c^2)(2A - 2cB))^{1/2} dW

    with w = 1/(1 + e^{beta (c-1)}), A = w^2 + (1-w)^2 + 2w(1-w)c = |m_i|^2,
    B = 2w(1-w) + (w^2 + (1-w)^2) c = <m_1, m_2>. Merged tokens, c = 1, always attract; antipodes attract iff

    (d-1)/cosh^2 beta + 4 pull/((1 + e^{2 beta}) s^2) < 2

    - `beta`: that of `Softmax(beta)`. `d` >= 2. `scale`: s > 0. `pull` >= 0: the mean value matrix.

    Raises ValueError for numbers out of range.
    Source: arXiv 2601.21942, for the phases; the diffusion is derived from the layers.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    d: int = eqx.field(static=True, converter=lambda d: check_dimension(d, least=2))
    scale: Scalar = eqx.field(default=1.0, converter=lambda s: check_positive(s, "scale"))
    pull: Scalar = eqx.field(default=0.0, converter=lambda p: check_nonnegative(p, "pull"))

    def drift(self, c: Scalar | float) -> Scalar:
        """The mean of dc/dt."""
        c = check_scalar(c, "c").astype(self.beta.dtype)
        w = 1 / (1 + jnp.exp(self.beta.astype(c.dtype) * (c - 1)))
        both, same = 2 * w * (1 - w), w**2 + (1 - w) ** 2
        size, overlap = same + both * c, both + same * c
        random = overlap * (self.d - 2 + c**2) - (self.d - 1) * size * c
        steady = 2 * self.pull.astype(c.dtype) * (1 - w) * (1 - c**2)
        return self.scale.astype(c.dtype) ** 2 * random + steady

    def variance(self, c: Scalar | float) -> Scalar:
        """The variance of dc over dt: 2 s^2 (1-c^2)^2 (w^2 + (1-w)^2), as 2A - 2cB = 2 (1-c^2)(...)."""
        c = check_scalar(c, "c").astype(self.beta.dtype)
        w = 1 / (1 + jnp.exp(self.beta.astype(c.dtype) * (c - 1)))
        return 2 * (self.scale.astype(c.dtype) * (1 - c**2)) ** 2 * (w**2 + (1 - w) ** 2)

    @door
    @in_double
    def antipodal(self, c: Scalar | float = 0.0) -> Scalar:
        """The probability that the tokens end antipodal, from the inner product c: 0 where antipodes repel.

        By the scale function of the diffusion, int e^{-Phi} dy with Phi' = 2 drift/variance in
        y = artanh c. d = 8, beta = 2.23: .119.
        Raises ValueError unless -1 < c < 1.
        """
        c = check_scalar(c, "c")
        check_known((c, self), "numbers", "call antipodal outside of jax.jit")
        guard(c, jnp.abs(c) < 1, "expected -1 < c < 1; pass c=0.0 for random tokens.")
        start = np.arctanh(float(c))
        if self._slope(np.array([-_FAR]))[0] >= 0:
            return jnp.asarray(0.0)
        reach = max(_FAR, 2 * abs(start))
        below, above = self._scale(start, -reach), self._scale(start, reach)
        return jnp.asarray(above / (above + below))

    def critical_beta(self) -> Scalar:
        """The beta > 0 from which antipodes attract without a pull: arcosh(((d-1)/2)^{1/2}); 0 for d <= 3.

        d = 8: 1.23894; d = 32: 2.04703. NaN with a pull, for which the condition above has to be solved.
        """
        half = jnp.maximum((self.d - 1) / 2, 1.0).astype(self.beta.dtype)
        return jnp.where(self.pull == 0, jnp.arccosh(jnp.sqrt(half)), jnp.nan)

    def _slope(self, y: np.ndarray) -> np.ndarray:
        """Phi'(y): twice the drift of y over its variance, without cancellation at c = +-1."""
        beta, square, pull = (float(a) for a in (self.beta, self.scale**2, self.pull))
        c = np.tanh(y)
        w = 1 / (1 + np.exp(beta * (c - 1)))
        both, same = 2 * w * (1 - w), w**2 + (1 - w) ** 2
        mean = square * ((self.d - 1) * both - (both + same * c) + 2 * c * same)
        return (mean + 2 * pull * (1 - w)) / (square * same)

    def _scale(self, start: float, end: float) -> float:
        """|int_start^end e^{-Phi} dy|, Phi(start) = 0, continued to infinity by its last slope."""
        sign = np.sign(end - start)
        backward = lambda u: sign * self._slope(start + sign * u)
        length = abs(end - start)
        u, weights, phi = running(backward, 0.0, length, _PANELS)
        last = phi[-1] + backward(u[-1:])[0] * (length - u[-1])
        rate = backward(np.array([length]))[0]
        return float(weights @ np.exp(-phi) + np.exp(-last) / rate)
