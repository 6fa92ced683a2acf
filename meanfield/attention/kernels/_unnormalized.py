import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_scalar
from ..._typing import Masses, Outputs, Points, Scalar, Sources
from ...harmonics import AbstractBasis
from ..closures import smoothed
from ._exponential import AbstractExponential


class Unnormalized(AbstractExponential):
    """Unnormalized self-attention (USA): the gradient of the interaction energy.

    field(x_i) = sum_j w_j e^{beta <Q x_i, K x_j> - offset} V x_j

    The other arguments, `engine`, `rotary`, `query_bias` and `key_bias` among them, are those of
    `Softmax`. With offset 0, the convention of
    this package, it moves about e^beta times faster than softmax once clusters form; `offset=beta` is
    the scaling e^{beta (<x, y> - 1)} of papers on metastability, which divides the speed by e^beta and cannot
    overflow on the sphere.

    Raises ValueError as `Softmax` does.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, equation (USA).
    """

    offset: Scalar = eqx.field(default=0.0, converter=lambda b: check_scalar(b, "offset"))

    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        sums = self.sums(x, y, w)
        return sums.moment * jnp.exp(sums.shift - self.offset.astype(sums.moment.dtype))[:, None]

    def field_of(
        self, basis: AbstractBasis, mass: Float[Array, " k"], pull: Float[Array, " k"]
    ) -> Float[Array, "q ..."]:
        return self._scale(pull.dtype) * basis.node_gradient(pull)

    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        _, pull = smoothed(self.beta, basis, coeffs)
        return self._scale(coeffs.dtype) * basis.evaluate(pull, x)

    def _scale(self, dtype) -> Scalar:
        return (self.isotropic_value() * jnp.exp(self.beta - self.offset)).astype(dtype)
